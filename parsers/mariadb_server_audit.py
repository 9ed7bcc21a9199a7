r"""MariaDB server_audit to file: `YYYYMMDD HH:MM:SS,serverhost,user,host,connectionid,queryid,operation,database,object,retcode`.

Only the statement of a QUERY is quoted and escaped (`\'` `\\` `\n` `\r` `\t`); names stand raw, commas and line breaks
included. So a client that cannot even log in can write lines, and what is certain about a record is at its right end.
Records are therefore read from the right wherever the plain reading from the left does not hold, a name broken over
lines is put together again, and `forgeable` marks records with such names or of another server name.
A false record that is whole in itself cannot be told from a true one: the format has no defence, so every record short
enough to stand in a name is `forgeable`.

Source: MariaDB knowledge base, "MariaDB Audit Plugin - Log Format"; captured from plugin 1.4.14.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.decoding import clean, decode, others
from parsers.events import REJECTS, Origin, complete
from parsers.framing import lines, split_lines, unfinished
from parsers.mariadb_acts import command_of, connection_key, statement_key
from parsers.mariadb_audit_options import LEARNED, AuditOptions
from parsers.registry import Carry, Parsed, parser
from parsers.remembering import forgotten
from parsers.stamps import local_time

QUERY_LOG_LIMIT = 1024  # server_audit_query_log_limit by default: bytes of the escaped text
# client gone or too slow while rows were sent, interrupted, statement timeout: rows may have left
_PARTLY_SENT = ("1160", "1161", "1317", "1969")
_NAME_BYTES = 512  # a broken name is at most this long: 128 characters of the user name, or two table names
_NAME_LINES = 8
_CONNECTIONS = ("CONNECT", "DISCONNECT", "FAILED_CONNECT", "CHANGEUSER", "PROXY_CONNECT")
_TABLES = ("READ", "WRITE", "CREATE", "ALTER", "DROP", "RENAME")
_FIELDS = ("stamp", "server", "user", "host", "connection", "query_id", "operation", "rest")
_STAMP = r"^\d{8} [ \d]\d:\d\d:\d\d,"
_ESCAPED = r"'(?:[^'\\]|\\[\s\S])*',\d{1,5}$"
_REST_OF = {
    "QUERY": r"^[^,']*," + _ESCAPED,
    "table": r"^[^,]*,[^,]*,$",
    "connection": r"^[^,]*,,\d{0,5}$",
    "proxy": r"^[^,]*,[^,]*,\d{0,5}$",
}
# from the right: whatever the names hold, the last place where ids and operation stand is the record's own
_LEFT = r"(?s)^(?P<stamp>\d{8} [ \d]\d:\d\d:\d\d),(?P<server>[^,\n]*),(?P<user>.*),(?P<host>[^,\n]*),(?P<connection>\d{1,18}),(?P<query_id>\d{1,18}),"
_FROM_RIGHT = {
    "QUERY": _LEFT + r"(?P<operation>QUERY),(?P<rest>[^']*,'(?:[^'\\]|\\.)*',\d{1,5})$",
    "connection": _LEFT + r"(?P<operation>" + "|".join(_CONNECTIONS) + r"),(?P<rest>.*,,\d{0,5})$",
    "table": _LEFT + r"(?P<operation>" + "|".join(_TABLES) + r"),(?P<rest>.+,)$",
}
# of the same records as bounds inside the patterns, which make them fifty times as slow: no earlier place leaves less
_LONGEST = {"connection": (r",,\d{0,5}$", 256), "table": (r",$", 1024)}  # characters before such an end
_CUT = _LEFT + r"(?P<operation>QUERY),(?P<rest>[^']*,'(?:[^'\\]|\\.)*)$"
_ENDS = {"QUERY": r"',\d{1,5}$", "connection": r",,\d{0,5}$", "table": r",$"}
_OPERATION_SEEN = r",\d+,\d+,[A-Z_]+,"
_TABLE_SEEN = r",\d+,\d+,(?:" + "|".join(_TABLES) + r"),"


def framing(buffer: bytes, *, final: bool) -> int:
    """Whole lines; a last line that breaks off inside a name waits for the rest of the name."""
    end = lines(buffer, final=final)
    if final or not end:
        return end
    last_lines = buffer[:end].rsplit(b"\n", _NAME_LINES + 1)[-_NAME_LINES - 1 :]
    if _split(b"\n".join(last_lines), 0, continued=False)["whole"].all():
        return end
    read = _read(buffer[:end], 0, continued=False, at_end=True).filter("open")
    return int(read["position"][0]) if read.height else end


@parser(
    "mariadb_server_audit",
    reference="MariaDB knowledge base, Audit Plugin: Log Format, Log Settings",
    framing=framing,
    dialect="mysql",
    options=AuditOptions,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: AuditOptions = LEARNED) -> Parsed:
    """Read whole records of server_audit written to a file.

    `zone` is the server's: it writes local time without saying so. Nothing is skipped. Rejects: no_stamp (a line that
    begins no record), unknown_form (no operation known, or a name that never ends), bad_timestamp, too_long.
    `carry`: server name, whether SELECT statements are logged, limits of statements seen; no text of a record.
    """
    if not chunk:
        return Parsed(carry=carry)
    rows = _read(chunk, origin.position, continued=bool(carry.get("unfinished")), at_end=False)
    rows = rows.with_columns(occurred_at=local_time(_full_hour(rows["stamp"]), "%Y%m%d %H:%M:%S", zone))
    rows = rows.with_columns(
        reason=pl.when(pl.col("reason").is_null() & pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp"))
        .otherwise("reason")
    )
    bad = rows.filter(pl.col("reason").is_not_null())
    rejects = bad.select("position", "length", "reason", text=pl.col("text").fill_null("").str.slice(0, 4096))
    good = rows.filter(pl.col("reason").is_null())
    next_carry: dict[str, Any] = {**carry, "unfinished": unfinished(chunk)}
    if not good.height:
        return Parsed(rejects=rejects.cast(REJECTS), carry=next_carry)  # type: ignore[arg-type]
    events = events_of(good.with_columns(excess=_excess()), next_carry, options)
    # a name of three lines holds a whole record between two that it completes: nothing shows which are the server's
    events = events.with_columns(forgeable=pl.col("forgeable") | (pl.col("length") <= _NAME_BYTES))
    return Parsed(complete(events, origin), rejects.cast(REJECTS), {}, next_carry)  # type: ignore[arg-type]


def _full_hour(stamps: pl.Series) -> pl.Expr:
    """Stamps with two digits of the hour: Polars reads that form three times as fast as one with a blank (`%k`)."""
    blanks = stamps.str.contains("  ", literal=True).any()
    return pl.lit(stamps.str.replace("  ", " 0", literal=True) if blanks else stamps)


def _read(chunk: bytes, position: int, *, continued: bool, at_end: bool) -> pl.DataFrame:
    """Records with their fields as text: position, length, text, reason (null: good), odd, open, and `_FIELDS`.

    `open` (only where more may come, `at_end`): the record breaks off inside a name, and more lines may complete it.
    """
    rows = _split(chunk, position, continued=continued)
    rows = rows.with_columns(
        open=pl.lit(value=False),
        odd=pl.lit(value=False),
        reason=pl.when(~pl.col("whole")).then(pl.lit("unknown_form")),
    )
    return rows if rows["whole"].all() else _with_odd(rows, at_end=at_end)


def _split(chunk: bytes, position: int, *, continued: bool) -> pl.DataFrame:
    """Lines with their fields read from the left, and whether nothing was left over (`whole`)."""
    return _from_left(split_lines(chunk, position, continued=continued, other=decode_line))


def fields_of(records: pl.DataFrame) -> pl.DataFrame:
    """Records one a line (`text`, with a stamp) with `_FIELDS`, odd and reason; other columns stay.

    A statement without its end is one whose record syslog cut, at a NUL byte or at its own limit.
    """
    rows = _from_left(records)
    odd_texts = rows.select(pl.when(~pl.col("whole")).then("text")).to_series()
    found = _from_right(odd_texts)
    cut = odd_texts.str.extract_groups(_CUT).struct.unnest().with_columns(pl.col("rest") + "',")
    found = pl.select(
        pl.when(found["operation"].is_null()).then(cut[name]).otherwise(found[name]).alias(name) for name in _FIELDS
    )
    odd = pl.Series("odd", found["operation"].is_not_null())
    rows = rows.with_columns(odd, *(pl.when(odd).then(found[name]).otherwise(name).alias(name) for name in _FIELDS))
    return rows.with_columns(reason=pl.when(~pl.col("whole") & ~pl.col("odd")).then(pl.lit("unknown_form")))


def _from_left(records: pl.DataFrame) -> pl.DataFrame:
    fields = records["text"].str.splitn(",", len(_FIELDS)).struct.rename_fields(list(_FIELDS)).struct.unnest()
    return pl.concat([records, fields], how="horizontal").with_columns(whole=_plain().fill_null(value=False))


def _plain() -> pl.Expr:
    """The line is a record when read from the left, with nothing left over: the ordinary case."""
    operation, rest = pl.col("operation"), pl.col("rest")
    forms = {
        "QUERY": operation == "QUERY",
        "table": operation.is_in(_TABLES),
        "proxy": operation == "PROXY_CONNECT",
        "connection": operation.is_in(_CONNECTIONS) & (operation != "PROXY_CONNECT"),
    }
    # null where the form is another: a pattern searches only what is its own
    fits = (pl.when(of_form).then(rest).str.contains(_REST_OF[form]) for form, of_form in forms.items())
    return (
        pl.col("text").str.contains(_STAMP)
        & pl.col("connection").str.contains(r"^\d{1,18}$")
        & pl.col("query_id").str.contains(r"^\d{1,18}$")
        & pl.coalesce(*fits, pl.lit(value=False))
    )


def _from_right(texts: pl.Series) -> pl.DataFrame:
    """Fields of odd records (null where it is none). Linear: the patterns run in Rust's automata."""
    none = pl.DataFrame({name: pl.Series([None] * len(texts), dtype=pl.String) for name in _FIELDS})
    result = none
    for form, pattern in _FROM_RIGHT.items():
        fits = texts.str.contains(_ENDS[form]).fill_null(value=False)
        if fits.any():
            found = pl.select(pl.when(fits).then(texts)).to_series().str.extract_groups(pattern).struct.unnest()
            taken = found["operation"].is_not_null() & result["operation"].is_null()
            if form in _LONGEST:
                end, most = _LONGEST[form]
                taken &= (found["rest"].str.replace(end, "").str.len_chars() <= most).fill_null(value=False)
            result = pl.select(pl.when(taken).then(found[name]).otherwise(result[name]).alias(name) for name in _FIELDS)
    return result


def _with_odd(rows: pl.DataFrame, *, at_end: bool) -> pl.DataFrame:
    """Put names broken over lines together again and read odd lines from the right. Loops over odd lines only."""
    rows = rows.with_row_index("at")
    odd = (
        rows.filter(~pl.col("whole"))
        .select("at", "text", stamped=pl.col("text").str.contains(_STAMP))
        .with_columns(
            operation_seen=pl.col("text").str.contains(_OPERATION_SEEN),
            table_seen=pl.col("text").str.contains(_TABLE_SEEN),
        )
    )
    texts = rows["text"]
    candidates: list[tuple[int, int, str]] = []  # first line, lines, text
    waiting: set[int] = set()
    for at, text, stamped, operation_seen, table_seen in odd.iter_rows():
        if text is None or not stamped:
            continue
        candidates.append((at, 1, text))
        if operation_seen and not table_seen:
            continue
        joined, count = text, 1
        while count < _NAME_LINES and len(joined) <= _NAME_BYTES:
            if at + count >= rows.height:
                waiting.add(at)
                break
            more = texts[at + count]
            if more is None:
                break
            joined += "\n" + more
            count += 1
            candidates.append((at, count, joined))
    found = _from_right(pl.Series([text for _, _, text in candidates], dtype=pl.String))
    taken: dict[int, tuple[int, str, tuple[Any, ...]]] = {}
    covered_to = -1
    for (at, count, text), values in zip(candidates, found.iter_rows(), strict=True):
        if values[6] is None or at in taken or at <= covered_to:
            continue
        taken[at] = (count, text, values)
        covered_to = at + count - 1
    return _merged(rows, taken, waiting if at_end else set())


def _merged(rows: pl.DataFrame, taken: dict[int, tuple[int, str, tuple[Any, ...]]], waiting: set[int]) -> pl.DataFrame:
    lengths = rows["length"]
    swallowed = [line for at, (count, _, _) in taken.items() for line in range(at + 1, at + count)]
    patches = pl.DataFrame(
        [(at, int(lengths[at : at + count].sum()), text, *values) for at, (count, text, values) in taken.items()],
        schema={"at": pl.UInt32, "length": pl.UInt32, "text": pl.String, **dict.fromkeys(_FIELDS, pl.String)},
        orient="row",
    ).with_columns(reason=pl.lit(None, pl.String), odd=pl.lit(value=True), patched=pl.lit(value=True))
    kept = rows.filter(~pl.col("at").is_in(swallowed)).join(patches, on="at", how="left", suffix="_new")
    patched = pl.col("patched").fill_null(value=False)
    reason = (
        pl.when(pl.col("whole") | patched)
        .then(None)
        .when(pl.col("text").is_null())
        .then(pl.lit("too_long"))
        .when(~pl.col("text").str.contains(_STAMP))
        .then(pl.lit("no_stamp"))
        .otherwise(pl.lit("unknown_form"))
    )
    return kept.select(
        "position",
        *(pl.when(patched).then(f"{name}_new").otherwise(name).alias(name) for name in ("length", "text", *_FIELDS)),
        odd=patched,
        open=pl.col("at").is_in(list(waiting - taken.keys())) if waiting else pl.lit(value=False),
        reason=reason,
    )


def _excess() -> pl.Expr:
    """Bytes that a record had more than its text has now: other encodings, NUL."""
    more = pl.col("length").cast(pl.Int64) - pl.col("text").str.len_bytes().cast(pl.Int64)
    return pl.when(more.is_between(0, 1)).then(0).otherwise(more - 1)


def events_of(rows: pl.DataFrame, carry: dict[str, Any], options: AuditOptions) -> pl.DataFrame:
    """Fields to events; `excess` is that of the text over what it was. `carry` is brought up to date. Columns of EVENTS, what `complete` adds excepted."""
    col = pl.col
    query = col("operation") == "QUERY"
    table = col("operation").is_in(_TABLES)
    rows = rows.with_columns(
        asked=pl.when(query).then(col("rest").str.splitn(",'", 2)),  # no name holds a quote before the statement's own
        tables=pl.when(table).then("rest"),
        connections=pl.when(~query & ~table).then("rest"),
        end=col("rest").str.tail(8),  # of a statement of kilobytes only this is searched for the return code
    )
    rows = rows.with_columns(
        database=pl.when(query)
        .then(col("asked").struct[0])
        .when(table)
        .then(col("tables").str.extract(r"(?s)^(.*?),"))
        .otherwise(col("connections").str.extract(r"(?s)^(.*),,\d*$")),
        code=col("end").str.extract(r",(\d+)$"),
        object_name=col("tables").str.extract(r"(?s)^(.*?,.*),$").str.replace(",", ".", literal=True),
    )
    rows = rows.with_columns(escaped=col("asked").struct[1].str.strip_suffix(pl.lit("',") + col("code").fill_null("")))
    rows = rows.with_columns(
        statement=col("escaped").map_batches(_unescaped, return_dtype=pl.String),
        size=col("escaped").str.len_bytes().cast(pl.Int64) + col("excess"),
    )
    rows = rows.with_columns(
        truncated=_truncated(rows, carry, options.query_log_limit), command=command_of("statement")
    )
    server = carry.setdefault("server", rows["server"][0])
    # names repeat: each is looked at once
    odd_name = _matching(rows["user"], r"[,'\x00-\x1f]") | _matching(rows["host"], r"[^0-9A-Za-z.:_%\[\]-]")
    with_port = _matching(rows["host"], _WITH_PORT)
    address = col("host").str.replace(_WITH_PORT, "$1$2") if with_port.any() else col("host")
    failed = (col("code") != "0").fill_null(value=False)
    refused = col("operation") == "FAILED_CONNECT"
    main = _table_mains(rows, carry)
    act = col("connection") + "/" + col("query_id")
    return rows.select(
        "position",
        "length",
        "occurred_at",
        "statement",
        "object_name",
        database=pl.when(col("database") != "").then("database"),
        action=pl.when(col("operation") == "DISCONNECT")
        .then(pl.lit("logout"))
        .when(col("operation").is_in(_CONNECTIONS))
        .then(pl.lit("login"))
        .otherwise(pl.lit("query")),
        outcome=pl.when(query & col("code").is_in(_PARTLY_SENT))
        .then(pl.lit("unknown"))
        .when(failed | refused)
        .then(pl.lit("failed"))
        .when(col("code").is_not_null())
        .then(pl.lit("ok"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when(failed).then("code"),
        record_role=pl.when(table & ~main)
        .then(pl.lit("part"))
        .when(col("operation") == "PROXY_CONNECT")
        .then(pl.lit("part"))
        .otherwise(pl.lit("main")),
        activity_key=pl.when(query)
        .then(statement_key("connection", "statement", "command"))
        .when(table)
        .then(act)
        .otherwise(_connection_act()),
        account=pl.when(col("user") != "").then("user"),
        client_ip=pl.when(col("host") == "localhost").then(pl.lit("[local]")).when(col("host") != "").then(address),
        session="connection",
        dialect=pl.when(query | table).then(pl.lit("mysql")),
        command=pl.when(query).then("command").when(table | (col("operation") == "CHANGEUSER")).then("operation"),
        command_class=pl.when(table).then(pl.lit("TABLE")),
        object_type=pl.when(table).then(pl.lit("TABLE")),
        statement_number=pl.when(query | table).then(col("query_id").cast(pl.Int64)),
        rows_kind=pl.when(query | table).then(pl.lit("unknown")),
        truncated=col("truncated") | (query & col("code").is_null()),
        forgeable=(col("odd") | odd_name | (col("server") != server)).fill_null(value=False),
        detail=pl.when(col("operation") == "CHANGEUSER").then(
            pl.lit("change user: the records that follow on this connection keep the old name")
        ),
    )


_WITH_PORT = r"^(?:\[([^\]]*)\]|([^:]*)):\d+$"


def _matching(names: pl.Series, pattern: str) -> pl.Series:
    different = names.unique()
    return names.is_in(different.filter(different.str.contains(pattern)).implode()).fill_null(value=False)


def _connection_act() -> pl.Expr:
    operation = pl.col("operation")
    return (
        pl.when(operation.is_in(["CONNECT", "FAILED_CONNECT"]))
        .then(connection_key("login", "connection"))
        .when(operation == "DISCONNECT")
        .then(connection_key("logout", "connection"))
        .when(operation == "CHANGEUSER")
        .then(connection_key("change", "connection"))
    )


def _unescaped(texts: pl.Series) -> pl.Series:
    """One pass from left to right: pairs of backslashes are set aside first (no NUL is left in decoded text)."""
    plain = texts.str.replace_all("\\'", "'", literal=True).str.replace_all("\\n", "\n", literal=True)
    rare = texts.str.contains(r"\\[\\rt]").fill_null(value=False)
    if not rare.any():
        return plain
    text = texts.filter(rare).str.replace_all("\\\\", "\0", literal=True)
    for escaped, meant in (("\\'", "'"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\0", "\\")):
        text = text.str.replace_all(escaped, meant, literal=True)
    return plain.scatter(rare.arg_true(), text)


def _truncated(rows: pl.DataFrame, carry: dict[str, Any], told: int | None) -> pl.Series:
    """Statements cut at the limit, which the log does not name and whose quotes and errno look whole.

    Unless it is `told`, the limit is 1024 until something longer is seen; another one shows by a statement with a quote left open that is the
    longest so far. Only what came before decides, so that cuts of the stream do not matter.
    """
    size = rows["size"].fill_null(0).cast(pl.Int64)
    if told is not None:
        return size >= told
    longest = pl.select(pl.max_horizontal(size.cum_max(), pl.lit(int(carry.get("longest", 0))))).to_series()
    candidates = ((size == longest) & (size >= 64)).arg_true()
    ends_open = candidates.filter(_ends_open(rows["statement"].gather(candidates)))
    limits = pl.Series("limit", [None], dtype=pl.Int64).new_from_index(0, len(size))
    limits = limits.scatter(ends_open, size.gather(ends_open)).forward_fill().fill_null(int(carry.get("limit", 0)))
    carry["longest"], carry["limit"] = int(longest[-1]), int(limits[-1])
    at_default = (size == QUERY_LOG_LIMIT) & (longest == QUERY_LOG_LIMIT)
    return at_default | ((size == limits) & (size == longest) & (size > 0))


def _ends_open(statements: pl.Series) -> pl.Series:
    """Whether a quote is left open, or a character of several bytes cut."""
    bare = statements.str.replace_all("\\\\", "", literal=True).str.replace_all("\\'", "", literal=True)
    quotes = bare.str.count_matches("'", literal=True).fill_null(0)
    return (quotes % 2 == 1) | statements.str.contains(r"\\x[0-9a-f]{2}$").fill_null(value=False)


_REMEMBERED = 256  # connections whose last act is remembered


def _table_mains(rows: pl.DataFrame, carry: dict[str, Any]) -> pl.Series:
    """TABLE events that stand for their act: READ of a server that logs no SELECT (QUERY_DML_NO_SELECT, TABLE alone).

    Such a server is known by no SELECT statement having been seen; its own statistics tables are no act.
    """
    none = pl.Series("main", [False]).new_from_index(0, rows.height)
    if carry.get("selects", False):
        return none
    col = pl.col
    select = (col("operation") == "QUERY") & col("statement").str.contains(r"^(?i)[\s(]*(?:select|with)\b")
    marked = rows.select(
        "connection",
        "query_id",
        seen=select.fill_null(value=False),
        read=((col("operation") == "READ") & (col("database") != "mysql")).fill_null(value=False),
    )
    carry["selects"] = bool(marked["seen"].any())
    reads = marked.select("connection", "query_id", before=col("seen").cum_max()).filter(marked["read"])
    known = pl.DataFrame(carry.get("acts", []), schema={"connection": pl.String, "query_id": pl.String}, orient="row")
    every = pl.concat([known, reads.select(pl.col("connection", "query_id").cast(pl.String))])
    earlier = every.select(pl.col("query_id").shift(1).over("connection")).to_series()
    first = earlier.is_null() | (earlier != every["query_id"]) | forgotten(every, ["connection"], _REMEMBERED)
    last = every.unique("connection", keep="last", maintain_order=True).tail(_REMEMBERED)
    carry["acts"] = [] if carry["selects"] else [list(row) for row in last.iter_rows()]
    return none.scatter(marked["read"].arg_true(), first[known.height :] & ~reads["before"])


def decode_line(raw: bytes) -> str:
    """Text of a line that is no UTF-8.

    The plugin escapes byte by byte, so a statement is unescaped before it is decoded: the second byte of a GBK
    character can be a backslash. It is escaped again, as text, for the reading by column.
    """
    opening = raw.find(b",'")
    closing = raw.rfind(b"',")
    if opening < 0 or closing <= opening + 1:
        return decode(raw)
    body = raw[opening + 2 : closing]
    parts = body.split(b"\\\\")
    plain = b"\\".join(
        part.replace(b"\\'", b"'").replace(b"\\n", b"\n").replace(b"\\r", b"\r").replace(b"\\t", b"\t")
        for part in parts
    )
    text = _decode_cut(plain)
    for character, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, escaped)
    return decode(raw[: opening + 2]) + text + decode(raw[closing:])


def _decode_cut(plain: bytes) -> str:
    """UTF-8 or GB18030, of which the last character may have been cut at the limit."""
    for encoding in ("utf-8", *others()):
        try:
            return clean(plain.decode(encoding))
        except UnicodeDecodeError as problem:
            if len(plain) - problem.start < 4 and problem.reason.startswith(("unexpected end", "incomplete")):
                return clean(
                    plain[: problem.start].decode(encoding) + plain[problem.start :].decode("ascii", "backslashreplace")
                )
    return decode(plain)

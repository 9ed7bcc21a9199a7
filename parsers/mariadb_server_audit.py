r"""MariaDB server_audit to file: `YYYYMMDD HH:MM:SS,serverhost,user,host,connectionid,queryid,operation,database,object,retcode`.

Only the statement of a QUERY is quoted and escaped (`\'` `\\` `\n` `\r` `\t`); names stand raw, commas and line breaks
included. So a client that cannot even log in can write lines, and what is certain about a record is at its right end.
Records are therefore read from the right wherever the plain reading from the left does not hold, a name broken over
lines is put together again, and `forgeable` marks records with such names or of another server name.
A false record that is whole in itself cannot be told from a true one: the format has no defence.

Source: MariaDB knowledge base, "MariaDB Audit Plugin - Log Format"; captured from plugin 1.4.14.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.decoding import clean, decode, others
from parsers.events import REJECTS, Origin, complete
from parsers.framing import lines, split_lines, unfinished
from parsers.registry import Carry, Parsed, parser
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
    "connection": _LEFT + r"(?P<operation>" + "|".join(_CONNECTIONS) + r"),(?P<rest>.{0,256},,\d{0,5})$",
    "table": _LEFT + r"(?P<operation>" + "|".join(_TABLES) + r"),(?P<rest>.{1,1024},)$",
}
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
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read whole records of server_audit written to a file.

    `zone` is the server's: it writes local time without saying so. Nothing is skipped. Rejects: no_stamp (a line that
    begins no record), unknown_form (no operation known, or a name that never ends), bad_timestamp, too_long.
    `carry`: server name, whether SELECT statements are logged, limits of statements seen; no text of a record.
    """
    if not chunk:
        return Parsed(carry=carry)
    rows = _read(chunk, origin.position, continued=bool(carry.get("unfinished")), at_end=False)
    rows = rows.with_columns(occurred_at=local_time(pl.col("stamp"), "%Y%m%d %k:%M:%S", zone))
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
    events = events_of(good, next_carry)
    return Parsed(complete(events, origin), rejects.cast(REJECTS), {}, next_carry)  # type: ignore[arg-type]


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
    return (
        pl.col("text").str.contains(_STAMP)
        & pl.col("connection").str.contains(r"^\d{1,18}$")
        & pl.col("query_id").str.contains(r"^\d{1,18}$")
        & pl.when(operation == "QUERY")
        .then(rest.str.contains(_REST_OF["QUERY"]))
        .when(operation.is_in(_TABLES))
        .then(rest.str.contains(_REST_OF["table"]))
        .when(operation == "PROXY_CONNECT")
        .then(rest.str.contains(_REST_OF["proxy"]))
        .when(operation.is_in(_CONNECTIONS))
        .then(rest.str.contains(_REST_OF["connection"]))
        .otherwise(pl.lit(value=False))
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


def events_of(rows: pl.DataFrame, carry: dict[str, Any]) -> pl.DataFrame:
    """Fields to events; `carry` is brought up to date. Columns of EVENTS, what `complete` adds excepted."""
    col = pl.col
    query = col("operation") == "QUERY"
    table = col("operation").is_in(_TABLES)
    rows = rows.with_columns(
        database=pl.when(query)
        .then(col("rest").str.extract(r"^([^']*?),'"))
        .when(table)
        .then(col("rest").str.extract(r"(?s)^(.*?),"))
        .otherwise(col("rest").str.extract(r"(?s)^(.*),,\d*$")),
        escaped=pl.when(query).then(col("rest").str.extract(r"(?s)^[^']*?,'(.*)',\d*$")),
        code=pl.when(query).then(col("rest").str.extract(r"',(\d+)$")).otherwise(col("rest").str.extract(r",(\d+)$")),
        object_name=pl.when(table).then(
            col("rest").str.extract(r"(?s)^(.*?,.*),$").str.replace(",", ".", literal=True)
        ),
    )
    rows = rows.with_columns(statement=_unescaped("escaped"), size=col("escaped").str.len_bytes())
    rows = rows.with_columns(truncated=_truncated(rows, carry))
    server = carry.setdefault("server", rows["server"][0])
    odd_name = col("user").str.contains(r"[,'\x00-\x1f]") | col("host").str.contains("[^0-9A-Za-z.:_%-]")
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
        activity_key=pl.when(query | table).then(act),
        account=pl.when(col("user") != "").then("user"),
        client_ip=pl.when(col("host") == "localhost")
        .then(pl.lit("[local]"))
        .when(col("host") != "")
        .then(col("host").str.replace(r"^([^:]*):\d+$", "$1")),
        session="connection",
        dialect=pl.when(query | table).then(pl.lit("mysql")),
        command=pl.when(query)
        .then(
            col("statement")
            .str.extract(r"^(?:[\s(;]|/\*(?:[^*]|\*[^/])*\*/|(?:--|#)[^\n]*\n)*([A-Za-z_]+)")
            .str.to_uppercase()
        )
        .when(table | (col("operation") == "CHANGEUSER"))
        .then("operation"),
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


def _unescaped(name: str) -> pl.Expr:
    """One pass from left to right: pairs of backslashes are set aside first (no NUL is left in decoded text)."""
    text = pl.col(name).str.replace_all("\\\\", "\0", literal=True)
    for escaped, plain in (("\\'", "'"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\0", "\\")):
        text = text.str.replace_all(escaped, plain, literal=True)
    return text


def _truncated(rows: pl.DataFrame, carry: dict[str, Any]) -> pl.Series:
    """Statements cut at the limit, which the log does not name and whose quotes and errno look whole.

    The limit is 1024 until something longer is seen; another one shows by a statement with a quote left open that is the
    longest so far. Only what came before decides, so that cuts of the stream do not matter.
    """
    size = rows["size"].fill_null(0).cast(pl.Int64)
    bare = rows["statement"].str.replace_all("\\\\", "", literal=True).str.replace_all("\\'", "", literal=True)
    quotes = bare.str.count_matches("'", literal=True).fill_null(0)
    ends_open = rows["statement"].str.contains(r"\\x[0-9a-f]{2}$").fill_null(value=False)  # cut inside a character
    frame = pl.DataFrame({"size": size, "open": (quotes % 2 == 1) | ends_open}).select(
        "size", "open", longest=pl.max_horizontal(pl.col("size").cum_max(), pl.lit(int(carry.get("longest", 0))))
    )
    col = pl.col
    candidate = pl.when(col("open") & (col("size") == col("longest")) & (col("size") >= 64)).then("size")
    frame = frame.with_columns(limit=candidate.forward_fill().fill_null(int(carry.get("limit", 0))))
    cut = ((col("size") == QUERY_LOG_LIMIT) & (col("longest") == QUERY_LOG_LIMIT)) | (
        (col("size") == col("limit")) & (col("size") == col("longest")) & (col("size") > 0)
    )
    carry["longest"] = int(frame["longest"][-1])
    carry["limit"] = int(frame["limit"][-1])
    return frame.select(truncated=cut).to_series()


def _table_mains(rows: pl.DataFrame, carry: dict[str, Any]) -> pl.Series:
    """TABLE events that stand for their act: READ of a server that logs no SELECT (QUERY_DML_NO_SELECT, TABLE alone).

    Such a server is known by no SELECT statement having been seen; its own statistics tables are no act.
    """
    col = pl.col
    select = (col("operation") == "QUERY") & col("statement").str.contains(r"^(?i)[\s(]*(?:select|with)\b")
    seen = select.fill_null(value=False)
    before = seen.cum_max().shift(1).fill_null(value=False) | pl.lit(bool(carry.get("selects", False)))
    read = (col("operation") == "READ") & (col("database") != "mysql")
    mains = rows.select(
        main=read & ~before & pl.struct(pl.when(read).then("connection"), "query_id").is_first_distinct(), seen=seen
    )
    last = rows.select(pl.concat_str("connection", pl.lit("/"), "query_id").filter(read).last()).item()
    first = rows.select(pl.concat_str("connection", pl.lit("/"), "query_id") == pl.lit(carry.get("act"))).to_series()
    if last is not None:
        carry["act"] = last
    carry["selects"] = bool(carry.get("selects", False)) or bool(mains["seen"].any())
    return mains["main"].fill_null(value=False) & ~first.fill_null(value=False)


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

"""Records of PostgreSQL's text logs (stderr, syslog) from their lines, with the fields that csvlog has for the same record.

A record is a line with a severity, its continuation lines and its follow-up lines (DETAIL, STATEMENT ...). What the text
does not tell comes from the session (postgresql_sessions.py) or from the words of the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import Origin
from parsers.pgaudit import PREFIX as AUDIT
from parsers.postgresql_prefix import AGAIN, FOLLOWERS, SEVERITIES, Prefix
from parsers.postgresql_records import NO_ERROR, interpret
from parsers.postgresql_sessions import with_sessions
from parsers.registry import Carry, Parsed
from parsers.stamps import local_time

_KEYWORD = re.compile(AGAIN)
_HEAD = 1200  # characters in which a prefix must end: three names of 63 bytes, escaped, and room
NAME = 63  # bytes to which the server cuts names
_NAMES = 256  # characters of a message that a name could have made
_FIELDS = (
    "stamp", "epoch", "pid", "user", "database", "application", "host", "remote", "tag", "state", "session", "start",
    "backend", "word", "verbose", "whole",
)  # fmt: skip

_REFUSED = r"authentication failed|pg_hba\.conf|is not permitted to log in|is not currently accepting connections|^(?:role|database) \"[\s\S]*\" does not exist|认证失败|^(?:角色|数据库) \"[\s\S]*\" 不存在|不允许登录|too many (?:clients|connections)|remaining connection slots|连接数|certificate|no PostgreSQL user name specified"
# messages that have one SQLSTATE wherever the server writes them
_LOST = r"^(?:could not (?:send|receive) data (?:to|from) client|unexpected EOF on client connection with|connection to client lost|无法(?:从客户端接收|向客户端发送)数据|事务尚未结束时，客户端连接|与客户端的连接(?:已)?丢失|到客户端的连接(?:已)?丢失)"
_GARBAGE = r"^(?:could not accept SSL connection|无法接受 SSL 连接|invalid length of startup packet|incomplete startup packet|无效的启动包长度|不完整的启动包)"
_LOGOUT = r"^[^\"=]{1,40}?\d+:\d\d:\d\d\.\d{3} user="
_STATEMENT = r"^(?:(?:duration|耗时): [0-9.]+ ms(?:$|  )|(?:statement|语句): |(?:execute|执行)\S* [^:\n]{1,200}: )"
_FIRST_WORD = (
    rf"^{AUDIT}(?:SESSION|OBJECT),\d+,\d+,[^,]*,[^,]*,[^,]*,(?:\"(?:[^\"]|\"\")*\"|[^,\"]*),\"?[\s(]*([A-Za-z]+)"
)
_GARBAGE_STATE = "08P01"
_NOT_READY = r"^(?:the database system is |数据库系统)"
_REPLICATION = r"^(?:received replication command|收到的复制命令): "
NO_STATE = "?????"  # an error without an SQLSTATE
_SOMEBODY = "\0"  # an account the log does not name; no text read from a log holds this character
_POSITION = r" (?:at character \d+|第 \d+ 个字符处)$"
# what a server says of statements and sessions
_SAYS = (
    rf"(?:{AUDIT}(?:SESSION|OBJECT),\d+,\d+,[A-Z]+,|connection (?:received|auth)|disconnection: |(?:duration|耗时): [0-9.]+ ms"
    r"|(?:statement|语句): |(?:execute|parse|bind|执行|解析|绑定)\S* [^:\n]{1,200}: )"
)
_BACKENDS = {
    "checkpointer": r"^(?:checkpoint|restartpoint|shutting down|检查点|重启点|正在关闭)",
    "startup": r"^(?:database system was|redo |entering standby|consistent recovery|数据库系统上次|数据库系统曾)",
    "autovacuum worker": r"^(?:automatic |对表 \"|为防止 ID 回卷)",
    "postmaster": r"SIGHUP|^parameter \"|^参数 \"|^(?:starting PostgreSQL|listening on|received |database system is|all server processes|pgaudit extension|redirecting log|ending log|正在启动|正在监听|收到|数据库系统(?:准备|已))",
}  # fmt: skip


def headed(lines: pl.DataFrame, prefix: Prefix) -> pl.DataFrame:
    """Add the fields of the prefix, `field` (message, detail ...; null: no head) and `rest` (text after the keyword)."""
    groups = pl.col("text").str.head(_HEAD).str.extract_groups(prefix.pattern)
    frame = lines.with_columns(groups=groups).unnest("groups")
    return with_fields(frame.with_columns(_missing(frame)))


def with_fields(frame: pl.DataFrame) -> pl.DataFrame:
    kinds: dict[str, str] = {**dict.fromkeys(SEVERITIES, "message"), **FOLLOWERS}
    return frame.with_columns(
        field=pl.col("word").replace_strict(kinds, default=None, return_dtype=pl.String),
        rest=pl.col("text").str.strip_prefix(pl.col("whole")),
    )


def _missing(frame: pl.DataFrame) -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(name) for name in _FIELDS if name not in frame.columns]


def second_readings(lines: pl.DataFrame, prefix: Prefix) -> pl.DataFrame:
    """Lines of which a client may have written the severity himself: `forgeable`, and the likelier of two readings.

    A name (63 bytes) may hold `LOG:  `, so may the SQL. Read first with the shortest names that fit; where the message is
    then nothing a server says of statements, and with longer names it is, with those: no name hides a statement.
    """
    if not prefix.open:
        return lines
    names = [name for name in ("user", "database", "application") if name in prefix.fields]
    odd = pl.col("field").is_not_null() & (
        pl.col("rest").str.head(_NAMES).str.contains(AGAIN)
        | pl.any_horizontal(*(pl.col(name).fill_null("").str.contains(AGAIN) for name in names))
    )
    marked = lines.with_columns(odd=odd.fill_null(value=False))
    if not marked["odd"].any():
        return marked.drop("odd")
    columns = lines.columns
    wide = marked.filter("odd").sort("position")
    chosen = wide.select(columns)
    twice = pl.repeat(value=False, n=wide.height, eager=True)
    for pattern in (prefix.program, prefix.longest):
        twice |= (wide["whole"] != _read_again(wide, pattern, columns)["whole"]).fill_null(value=False)
    other = _read_again(wide, prefix.pattern + _SAYS, columns)
    take = (_likelihood(other) > _likelihood(chosen)) & _bounded(other, names)
    chosen = pl.concat([chosen.filter(~take), other.filter(take)]).sort("position", maintain_order=True)
    chosen = chosen.with_columns(forgeable=pl.col("forgeable") | twice)
    order = [name for name in ("group", "position") if name in columns]  # the lines of a record stay together
    return pl.concat([marked.filter(~pl.col("odd")).select(columns), chosen]).sort(order)


def _read_again(lines: pl.DataFrame, pattern: str, columns: list[str]) -> pl.DataFrame:
    first = pl.col("text").str.split("\n").list.first().str.head(_NAMES + _HEAD // 4)
    other = lines.drop(*_FIELDS, "field", "rest", "odd").with_columns(groups=first.str.extract_groups(pattern))
    other = other.unnest("groups")
    return with_fields(other.with_columns(_missing(other))).select(columns)


def _likelihood(lines: pl.DataFrame) -> pl.Series:
    """2: what a server says of statements and sessions; 1: a follow-up line; 0: anything, or nothing."""
    message = pl.col("field") == "message"
    known = (
        pl.when(message & pl.col("rest").str.contains("^" + _SAYS))
        .then(2)
        .when(pl.col("field").is_null() | message)
        .then(0)
    )
    return lines.select(known.otherwise(1)).to_series()


def _bounded(lines: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    short = pl.all_horizontal(*(pl.col(name).fill_null("").str.len_chars() <= NAME for name in names))
    return lines.select(short).to_series()


def longest_reading(lines: Sequence[str], prefix: Prefix) -> Mapping[str, str | None] | None:
    """The fields of a prefix that line breaks in names have spread over the first lines, and their `text`; None: no prefix."""
    joined = lines[0] if lines else ""
    for more in lines[1:]:
        joined = f"{joined}\n{more}"
        read = spread(joined, prefix)
        if read is not None:
            return read
    return None


def spread(joined: str, prefix: Prefix) -> dict[str, str | None] | None:
    """The fields of a prefix with line breaks in its names; None where it is none, or names are longer than names can be."""
    if not _KEYWORD.search(joined):  # without a severity no pattern fits
        return None
    read = pl.Series("groups", [joined]).str.extract_groups(prefix.longest).struct.unnest().row(0, named=True)
    names = [read.get(name) or "" for name in ("user", "database", "application")]
    return {**read, "text": joined} if read["whole"] is not None and all(len(name) <= NAME for name in names) else None


def gathered(lines: pl.DataFrame) -> pl.DataFrame:
    """One row a record, of lines in order: group, position, length, field, rest, glue, fields of the prefix.

    `glue` stands before the rest of a line without a head.
    """
    col = pl.col
    lines = lines.with_columns(
        segment=col("field").is_not_null().cum_sum(),
        rest=pl.when(col("field").is_null()).then(col("glue") + col("rest")).otherwise("rest"),
    )
    heads = lines.filter(col("field").is_not_null())
    if heads.height < lines.height:
        parts = lines.filter(col("field").is_null())["segment"].unique()
        long = lines.filter(col("segment").is_in(parts.implode()))
        joined = long.group_by("segment", maintain_order=True).agg(joined=col("rest").str.join(""))
        heads = heads.join(joined, on="segment", how="left", maintain_order="left")
        heads = heads.with_columns(rest=pl.coalesce("joined", "rest")).drop("joined")
    records = heads.filter(col("field") == "message").rename({"rest": "message"})
    if records.height < lines.height:
        total = lines.group_by("group").agg(total=col("length").cast(pl.Int64).sum())
        records = records.join(total, on="group", how="left", maintain_order="left")
        records = records.with_columns(whole_length=col("total").cast(pl.UInt32)).drop("total")
    else:
        records = records.with_columns(whole_length="length")
    for name in ("detail", "hint", "context", "query"):
        told = heads.filter(col("field") == name)
        if told.height:
            told = told.group_by("group").agg(col("rest").first().alias(name))
            records = records.join(told, on="group", how="left", maintain_order="left")
        else:
            records = records.with_columns(pl.lit(None, pl.String).alias(name))
    return records


def understood(records: pl.DataFrame, prefix: Prefix, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Events, rejects and skips of records.

    They may have `occurred_at` already, for a prefix without a time; `forgeable`, `truncated` are handed through.
    """
    if not records.height:
        return Parsed(carry=carry)
    told, processes = with_sessions(_told(records, zone), prefix, carry)
    read = interpret(_as_csvlog(told, zone), origin, zone, carry)
    events = read.events.with_columns(
        account=pl.when(pl.col("account") != _SOMEBODY).then("account"),
        error_code=pl.when(pl.col("error_code") != NO_STATE).then("error_code"),
    )
    return Parsed(events, read.rejects, read.skips, {**read.carry, "processes": processes})


def _as_csvlog(told: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """The fields csvlog would have: who is a client, the command tag, the kind of process."""
    col = pl.col
    message = pl.when(col("plain")).then("message")
    says = {name: message.str.contains(pattern).fill_null(value=False) for name, pattern in _BACKENDS.items()}
    nobody = col("user").is_null() & col("bare")
    own = nobody & pl.any_horizontal(*says.values())
    audit = col("bare") & ~col("plain")
    broken = col("state").is_in([_GARBAGE_STATE, "08006"]) & (col("severity") == "LOG")  # before a user was named
    client = (
        col("user").is_not_null()
        | audit
        | col("query").is_not_null()
        | (col("bare") & message.str.contains(rf"{_LOGOUT}|{_STATEMENT}").fill_null(value=False))
        | (
            col("host").is_not_null()
            & ~col("connecting")
            & ~own
            & ~(broken & ~(~col("waiting")).fill_null(value=False))
        )
    )
    replication = message.str.contains(_REPLICATION).fill_null(value=False) & (col("severity") == "LOG")
    refused = (
        (col("severity") == "FATAL")
        & col("query").is_null()
        & (col("waiting").fill_null(value=False) | message.str.contains(_REFUSED).fill_null(value=False))
        & ~message.str.contains(_NOT_READY).fill_null(value=False)
    )
    # a process that nobody has logged in to yet executes nothing: its own name made this line
    forged = col("waiting").fill_null(value=False) & col("forgeable") & (col("severity") == "LOG") & ~col("connecting")
    word = pl.when(audit).then(col("message").str.head(300)).str.extract(_FIRST_WORD).str.to_uppercase()
    tag = (
        pl.when(refused | forged | col("login"))
        .then(pl.lit("authentication"))
        .otherwise(word.replace({"DECLARE": "DECLARE CURSOR"}))
    )
    backend = pl.coalesce(*(pl.when(nobody & told).then(pl.lit(name)) for name, told in says.items()))
    if told.select(forged.any()).item():  # what its prefix seems to say is the client's text
        made_up = ("user", "database", "host", "application")
        told = told.with_columns(
            forged.alias("forged"), *(pl.when(~forged).then(name).alias(name) for name in made_up)
        ).with_columns(user=pl.when("forged").then(pl.lit(_SOMEBODY)).otherwise("user"))
    return told.with_columns(
        stamp=col("occurred_at").dt.convert_time_zone(zone.key).dt.to_string("%Y-%m-%d %H:%M:%S%.3f"),
        user=pl.when(client & ~own).then(col("user").fill_null(_SOMEBODY)),
        host=pl.when(~own).then("host"),
        tag=pl.coalesce("tag", tag) if told["tag"].null_count() < told.height else tag,
        backend=pl.coalesce("backend", pl.when(replication).then(pl.lit("walsender")), backend),
        state=pl.when(forged).then(pl.lit(NO_STATE)).otherwise("state"),
        length="whole_length",
    ).drop("occurred_at", "whole_length")


def _told(records: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """What each record says by itself: time, severity, state, names."""
    col = pl.col
    stamp = col("stamp").str.slice(0, 23)
    stamp = pl.when(stamp.str.slice(19, 1) == ".").then(stamp).otherwise(stamp.str.slice(0, 19) + ".000")
    seconds = (col("epoch").cast(pl.Float64, strict=False) * 1_000_000).round(0).cast(pl.Int64)
    time = pl.coalesce(
        local_time(stamp, "%Y-%m-%d %H:%M:%S%.3f", zone),
        seconds.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        *(["occurred_at"] if "occurred_at" in records.columns else []),
    )
    severity = col("word").replace_strict(SEVERITIES, default=None, return_dtype=pl.String)
    names = ("user", "database", "application")
    records = records.with_columns(
        *(pl.when(~col(name).is_in(["", "[unknown]"])).then(name).alias(name) for name in names),
        host=pl.coalesce(
            pl.when(col("host") != "").then("host"),
            pl.when(col("remote") != "").then(col("remote").str.replace(r"\(\d+\)$", "")),
        ),
        occurred_at=time,
        severity=severity,
        pid=pl.coalesce("pid", pl.when(col("session").is_null()).then(pl.lit("")), _hex_tail(col("session"))),
        query=pl.when(col("query") != "").then("query"),
    )
    plain = ~col("message").str.starts_with(AUDIT)
    message = pl.when(plain).then("message")
    state = (
        pl.when(message.str.contains(_LOST).fill_null(value=False))
        .then(pl.lit("08006"))
        .when(message.str.contains(_GARBAGE).fill_null(value=False))
        .then(pl.lit(_GARBAGE_STATE))
        .when(severity != "LOG")
        .then(pl.lit(NO_STATE))
        .otherwise(pl.lit(NO_ERROR))
    )
    return records.with_columns(
        state=pl.coalesce("verbose", "state", state),
        message=pl.when(severity.is_in(["ERROR", "FATAL", "PANIC"]))
        .then(col("message").str.replace(_POSITION, ""))
        .otherwise("message"),
        plain=plain,
        start_at=local_time(col("start").str.slice(0, 19), "%Y-%m-%d %H:%M:%S", zone),
        bare=(severity == "LOG") & col("query").is_null() & col("context").is_null(),
    )


def _hex_tail(session: pl.Expr) -> pl.Expr:
    return session.str.split(".").list.last().str.to_integer(base=16, strict=False).cast(pl.String)

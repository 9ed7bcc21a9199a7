"""What a PostgreSQL log record means, whichever file it came from (csvlog and jsonlog carry the same fields).

Decided by SQLSTATE, command tag, backend type and the presence of columns before any word: the words are translated
(`lc_messages`). Where only words tell, English forms of PostgreSQL 12 to 18 and Simplified Chinese forms of 13 to 15
are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache, reduce
from zoneinfo import ZoneInfo

import polars as pl

from parsers import pgaudit
from parsers.events import REJECTS, Origin, complete
from parsers.postgresql_numbers import with_missing
from parsers.postgresql_roles import with_roles
from parsers.registry import Carry, Parsed
from parsers.stamps import local_time

Columns = Mapping[str, pl.Expr | str]  # expressions are made once: building them costs more than running them

SKIPS = {
    "checkpointer": "checkpoints: the server's own housekeeping, no account",
    "startup": "start of the server and crash recovery: no account, no statement",
    "autovacuum": "automatic VACUUM and ANALYZE: the server's own work, no account",
    "postmaster": "addresses listened on, start and stop of the server: no account",
    "background": "other processes of the server's own without an account: writers, archiver, workers",
}

NO_ERROR = "00000"
_MANY = 500  # statements of a chunk that are worth a frame of their own
_OPENING = r"^(?P<opening>(?:(?:duration|耗时): (?P<ms>[0-9.]+) ms)?(?:  )?(?:(?P<simple>statement|语句): |(?P<phase>parse|bind|execute fetch from|execute|解析|绑定|执行提取，来源为|执行) (?P<prepared>[^:\n]{1,200}): )?)"
_PARSE, _BIND, _FETCH = ("parse", "解析"), ("bind", "绑定"), ("execute fetch from", "执行提取，来源为")
_ONLY_DURATION = r"^[^0-9\"=]{1,40}: ?[0-9]+\.[0-9]{3} ms$"
# from version 17 on `trust` is told too, with the user instead of an identity
_AUTHENTICATED = r'^[^"=]*(?:identity="|user=".*" method=[a-z0-9-]+(?: \([^)]*:\d+\))?$)'
_READY = r'^[^"=]{1,60}=[0-9.]+ \S{1,6} ?fork=[0-9.]+'  # 18, log_connections=setup_durations: how long the login took
_SESSION_TIME = r"^[^\"=]*?(\d+):(\d\d):(\d\d\.\d{3}) user="
_PARAMETER = r"\$\d+ = (?:NULL|'(?:[^']|'')*')"
_POSTMASTER_CHATTER = r"^(?:starting PostgreSQL|listening on|database system|received (?:fast|smart|immediate) shutdown|aborting any|shutting down|redirecting log|ending log|all server processes|background worker|pgaudit extension|正在启动|正在监听|数据库系统|接收到|收到.{0,4}(?:快速|智能|立即)|正在中断|正在关闭|后台工作进程)"
_SETTING = r"SIGHUP|^[^\"]{1,40}\"[A-Za-z_]+(?:\.[A-Za-z_]+)?\""


def rejected(rows: Iterable[tuple[int, int, str, str]]) -> pl.DataFrame:
    """(absolute position, length, reason, text) as a REJECTS frame."""
    told = list(rows)
    return pl.DataFrame(told, schema=REJECTS, orient="row").sort("position") if told else Parsed().rejects


def assemble(*parts: Parsed) -> Parsed:
    """Several readings of one chunk as one; rejects in order, the carry of the last."""
    rejects = [part.rejects for part in parts if part.rejects.height] or [parts[0].rejects]
    events = [part.events for part in parts if part.events.height] or [parts[0].events]
    skips: dict[str, tuple[int, int]] = {}
    for part in parts:
        for reason, (records, size) in part.skips.items():
            have = skips.get(reason, (0, 0))
            skips[reason] = (have[0] + records, have[1] + size)
    ordered = pl.concat(rejects).sort("position") if len(rejects) > 1 else rejects[0]
    return Parsed(events=pl.concat(events), rejects=ordered, skips=skips, carry=parts[-1].carry)


def interpret(records: pl.DataFrame, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Records to events, rejects and skips.

    `records`, in order: position (absolute) UInt64, length UInt32, stamp, user, database, host (no port), session,
    line Int64, tag, severity, state, message, detail, context, query, application, backend; all else String, without NUL.
    """
    if not records.height:
        return Parsed(carry=carry)
    records = records.with_columns(_read(zone)).with_columns(_first_look())
    kinds = _by_kind(records.filter(pl.col("kind").is_null()))
    audits = records.filter(pl.col("kind").is_not_null()) if kinds else records
    if audits.height:
        kinds["audit",] = audits
    made: list[pl.DataFrame] = []
    rejects: list[tuple[int, int, str, str]] = []
    skips: dict[str, tuple[int, int]] = {}
    for (kind,), part in kinds.items():
        if kind == "bad_timestamp":
            rejects += _as_rejects(part, kind)
        elif kind == "audit":
            good, broken = _audit(part)
            made.append(good)
            rejects += _as_rejects(broken, "bad_audit_payload")
        elif kind in SKIPS:
            skips[str(kind)] = (part.height, int(part["length"].sum()))
        else:
            made.append(reduce(lambda frame, columns: frame.with_columns(**columns()), _EVENTS_OF[str(kind)], part))
    events = pl.concat(made, how="diagonal").sort("position") if made else None
    if events is None or not events.height:
        return Parsed(rejects=rejected(rejects), skips=skips, carry=carry)
    events, numbers = with_missing(events, origin.format, origin.generation, carry)
    events, roles = with_roles(events, carry)
    common = events.with_columns(_common("forgeable" in events.columns, "program" in events.columns))
    return Parsed(complete(common, origin), rejected(rejects), skips, {**roles, **numbers})


@lru_cache(maxsize=64)
def _read(zone: ZoneInfo) -> list[pl.Expr]:
    """The fields as they are judged by: what is empty is null, times are times."""
    names = ("user", "database", "host", "session", "tag", "context", "query", "application", "backend", "detail")
    stamp = pl.col("stamp").str.slice(0, 23)
    return [
        *(pl.when(pl.col(name) != "").then(name).alias(name) for name in names),
        pl.when(pl.col("state") != "").then("state").fill_null(NO_ERROR).alias("state"),
        pl.col("message").fill_null(""),
        local_time(stamp, "%Y-%m-%d %H:%M:%S%.3f", zone).alias("occurred_at"),
    ]


@cache
def _first_look() -> list[pl.Expr]:
    """The patterns of `_kind` run over what is no pgaudit message, mostly the smaller part."""
    usable = pl.col("occurred_at").is_not_null() & pl.col("session").is_not_null()
    bare = _bare()
    audit = usable & bare & pl.col("message").str.starts_with(pgaudit.PREFIX)
    return [usable.alias("usable"), bare.alias("bare"), pl.when(audit).then(pl.lit("audit")).alias("kind")]


@cache
def _common(forgeable: bool, program: bool) -> list[pl.Expr]:
    columns = {
        "outcome": pl.col("outcome").fill_null("unknown"),
        "forgeable": pl.col("forgeable").fill_null(value=False) if forgeable else pl.lit(value=False),
        "account": pl.col("user"),
        "client_ip": pl.col("host"),
        "client_program": pl.coalesce("application", pl.col("program") if program else pl.lit(None)),
        "dialect": pl.when(pl.col("action").eq("query") & pl.col("kind").ne("replication")).then(pl.lit("postgres")),
    }
    return [value.alias(name) for name, value in columns.items()]


def _as_rejects(part: pl.DataFrame, reason: str) -> list[tuple[int, int, str, str]]:
    return [(*row[:2], reason, (row[2] or "")[:4096]) for row in part.select("position", "length", "message").rows()]


@cache
def _bare() -> pl.Expr:
    """Messages of the server about a statement hide context and statement.

    Everything a client can phrase is tied to this: RAISE LOG in a DO block writes any message, but with both.
    """
    return (pl.col("state") == NO_ERROR) & pl.col("context").is_null() & pl.col("query").is_null()


def _by_kind(others: pl.DataFrame) -> dict[tuple[object, ...], pl.DataFrame]:
    """Records that are no pgaudit message, by what they are about."""
    if not others.height:
        return {}
    others = others.with_columns(_signs()).with_columns(_plain_statement().alias("kind"))
    if others.height - others["kind"].null_count() < _MANY:
        return _with_kind(others).partition_by("kind", as_dict=True)
    # most of them are statements: the patterns of _kind run over the rest
    rest = _with_kind(others.filter(pl.col("kind").is_null()))
    kinds = rest.partition_by("kind", as_dict=True)
    statements = others.filter(pl.col("kind").is_not_null()) if rest.height else others
    if statements.height:
        more = kinds.get(("statement",))
        kinds["statement",] = statements if more is None else pl.concat([statements, more])
    return kinds


@cache
def _signs() -> list[pl.Expr]:
    """What the kinds are told by."""
    authentication = pl.col("tag").is_in(["authentication", "startup"]).fill_null(value=False)
    return [_opened().alias("opened"), authentication.alias("authentication")]


@cache
def _plain_statement() -> pl.Expr:
    """The kind where no other can come before "statement" in `_kind`."""
    plain = _all("usable", "bare", "opened") & pl.col("user").is_not_null() & ~pl.col("authentication")
    return pl.when(plain).then(pl.lit("statement"))


def _all(*flags: str) -> pl.Expr:
    return reduce(lambda one, other: one & other, map(pl.col, flags))


def _with_kind(records: pl.DataFrame) -> pl.DataFrame:
    return records.with_columns(records.with_columns(_words()).select(_kind().alias("kind")).to_series())


@cache
def _words() -> list[pl.Expr]:
    """Texts for the patterns of `_kind`: null where a pattern must not look, or need not."""
    col = pl.col
    ok, nobody = col("state") == NO_ERROR, col("user").is_null()
    words = {
        # a statement's text is the client's: nothing else is looked for in it
        "own_words": pl.when(col("bare") & ~nobody & ~col("opened")),
        "proof": pl.when(ok & col("authentication")),
        "servers": pl.when(ok & nobody & col("host").is_null()),
    }
    return [ok.alias("ok"), *(when.then("message").alias(name) for name, when in words.items())]


@cache
def _kind() -> pl.Expr:
    """What a record that is no pgaudit message is about, the first that fits."""
    col = pl.col
    ok, backend, named = col("ok"), col("backend"), col("user").is_not_null()
    own_words, proof, servers = col("own_words"), col("proof"), col("servers")
    chatter = servers.str.contains(_POSTMASTER_CHATTER)
    return (
        pl.when(~col("usable"))
        .then(pl.lit("bad_timestamp"))
        .when(~named & col("host").is_not_null())
        .then(pl.lit("connect"))
        .when(~ok & (col("state").str.starts_with("28") | col("authentication")))
        .then(pl.lit("refused"))
        .when(proof.str.contains(_AUTHENTICATED))
        .then(pl.lit("authenticated"))
        .when(proof.str.contains(r'^[^"=]*user='))
        .then(pl.lit("authorized"))
        .when(own_words.str.contains(_SESSION_TIME))
        .then(pl.lit("logout"))
        .when(ok & named & (backend == "walsender") & col("query").is_not_null() & col("context").is_null())
        .then(pl.lit("replication"))
        .when(~ok & col("query").is_not_null())
        .then(pl.lit("failed"))
        .when(own_words.str.contains(_ONLY_DURATION))
        .then(pl.lit("duration"))
        .when(own_words.str.contains(_READY))
        .then(pl.lit("authenticated"))
        .when(_all("bare", "opened") & named)
        .then(pl.lit("statement"))
        .when((backend.is_null() | (backend == "postmaster")) & servers.str.contains(_SETTING) & ~chatter)
        .then(pl.lit("setting"))
        .when(named | ~ok)
        .then(pl.lit("notice"))
        .when(backend == "checkpointer")
        .then(pl.lit("checkpointer"))
        .when(backend == "startup")
        .then(pl.lit("startup"))
        .when(backend.str.starts_with("autovacuum"))
        .then(pl.lit("autovacuum"))
        .when((backend == "postmaster") & ~chatter)
        .then(pl.lit("notice"))
        .when(backend == "postmaster")
        .then(pl.lit("postmaster"))
        .otherwise(pl.lit("background"))
    )


@cache
def _opened() -> pl.Expr:
    return pl.col("message").str.contains(
        r"^(?:(?:duration|耗时): [0-9.]+ ms  )?(?:(?:statement|语句): |(?:parse|bind|execute|解析|绑定|执行)\S* ?[^:\n]{0,200}: )"
    )


def _audit(part: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    fields = pgaudit.payload(part["message"], part["tag"])
    joined = pl.concat([part.drop("detail"), fields], how="horizontal").with_columns(action=pl.lit("query"))
    if fields["audit_type"].null_count():
        return joined.filter(pl.col("audit_type").is_not_null()), joined.filter(pl.col("audit_type").is_null())
    return joined, joined.clear()


@cache
def _tag_command() -> pl.Expr:
    """The command tag as a command; the states of a session are none."""
    phases = [
        "idle",
        "idle in transaction",
        "idle in transaction (aborted)",
        "PARSE",
        "BIND",
        "authentication",
        "startup",
    ]
    return pl.when(~pl.col("tag").is_in(phases)).then(pl.col("tag").str.to_uppercase())


def _command(statement: pl.Expr) -> pl.Expr:
    """The tag, else the first word."""
    tag = _tag_command()
    return pl.coalesce(tag, _first_word(pl.when(tag.is_null()).then(statement)))


def _seconds(milliseconds: pl.Expr) -> pl.Expr:
    # rounded: a column of one value and a longer one are divided differently, in the last bit
    return (milliseconds.cast(pl.Float64, strict=False) / 1000).round(6)


def _first_word(text: pl.Expr) -> pl.Expr:
    return text.str.extract(r"^[\s(;]*([A-Za-z_]+)").str.to_uppercase()


@cache
def _connect() -> Columns:
    """`connection received`, or garbage before a user is named."""
    failed = pl.col("state") != NO_ERROR
    return {
        "action": pl.lit("connect"),
        "outcome": pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok")),
        "error_code": pl.when(failed).then("state"),
        "detail": pl.when(failed).then("message"),
    }


@cache
def _refused() -> Columns:
    return {
        "action": pl.lit("login"),
        "outcome": pl.lit("failed"),
        "error_code": "state",
        "detail": pl.concat_str(
            "message", "detail", separator="\n", ignore_nulls=True
        ),  # whether the role exists: DETAIL
        "activity_key": _login_key(),
    }


@cache
def _authenticated() -> Columns:
    """Who the client proved to be, or how long that took; whether the session is let in is told by the record after it."""
    return {"action": pl.lit("login"), "record_role": pl.lit("part"), "detail": "message", "activity_key": _login_key()}


@cache
def _authorized() -> Columns:
    program = pl.col("message").str.extract(r" application_name=(.*?)(?: SSL enabled \(.*| GSS \(.*)?$")
    replication = (pl.col("backend") == "walsender").fill_null(value=False) | pl.col("message").str.contains(
        "^replication connection"
    )
    return {
        "action": pl.lit("login"),
        "outcome": pl.lit("ok"),
        "program": program,
        "command": pl.when(replication).then(pl.lit("REPLICATION")),
        "detail": "message",
        "activity_key": _login_key(),
    }


@cache
def _login_key() -> pl.Expr:
    return pl.col("session") + "/login"


@cache
def _logout() -> Columns:
    time = pl.col("message").str.extract_groups(_SESSION_TIME)
    seconds = sum(
        (
            time.struct.field(str(group)).cast(pl.Float64, strict=False) * unit
            for group, unit in ((1, 3600), (2, 60), (3, 1))
        ),
        start=pl.lit(0.0),
    )
    return {
        "action": pl.lit("logout"),
        "outcome": pl.lit("ok"),
        "duration_seconds": seconds.round(3),
        "detail": pl.lit(None, pl.String),
    }


@cache
def _replication() -> Columns:
    """log_replication_commands: what a replication client asked for; its language is not SQL."""
    return {
        "action": pl.lit("query"),
        "statement": "query",
        "command": _first_word(pl.col("query")),
        "command_class": pl.lit("REPLICATION"),
        "rows_kind": pl.lit("unknown"),
        "detail": pl.lit(None, pl.String),
    }


@cache
def _failed() -> Columns:
    """The statement that failed stands in `query`. What was already sent before is unknown, never nothing.

    A client that went away leaves two records: the failed write (LOG) and the end of the session (FATAL).
    """
    lost = (pl.col("state") == "08006") & pl.col("severity").is_in(["FATAL", "致命错误"])
    return {
        "action": pl.lit("query"),
        "outcome": pl.lit("failed"),
        "error_code": "state",
        "statement": "query",
        "command": _command(pl.col("query")),
        "rows_kind": pl.lit("unknown"),
        "record_role": pl.when(lost).then(pl.lit("part")),
        "detail": "message",
    }


@cache
def _opening() -> Columns:
    opening = pl.col("message").str.extract_groups(_OPENING)
    return {
        "ms": opening.struct.field("ms"),
        "phase": opening.struct.field("phase"),
        "statement": pl.col("message").str.strip_prefix(opening.struct.field("opening")),
    }


@cache
def _statement() -> Columns:
    """log_statement and log_min_duration_statement: the simple protocol, or parse, bind and execute of the extended."""
    timed = pl.col("ms").is_not_null()
    ahead = pl.when(pl.col("phase").is_in(_PARSE)).then(2).when(pl.col("phase").is_in(_BIND)).then(1).otherwise(0)
    bound = pl.col("detail").str.contains(r"\$1 = ")
    values = (
        pl.when(bound)
        .then("detail")
        .str.extract_all(_PARAMETER)
        .list.eval(
            pl.when(pl.element().str.ends_with("'")).then(
                pl.element()
                .str.replace(r"^\$\d+ = '", "")  # a pattern with a group takes twice as long
                .str.strip_suffix("'")
                .str.replace_all("''", "'", literal=True)
            )
        )
    )
    return {
        "action": pl.lit("query"),
        "outcome": pl.when(timed).then(pl.lit("ok")).otherwise(pl.lit("unknown")),
        # before its execution nothing but the phase itself has gone well
        "record_role": pl.when(pl.col("phase").is_in(_PARSE + _BIND + _FETCH)).then(pl.lit("part")),
        "command": _command(pl.col("statement")),
        "duration_seconds": _seconds(pl.col("ms")),
        "parameters": pl.when(bound).then(values),
        "rows_kind": pl.lit("unknown"),
        "activity_key": pl.col("session") + ":" + (pl.col("line") + ahead).cast(pl.String),
        "is_statement": pl.lit(value=True),
        "detail": pl.lit(None, pl.String),
    }


@cache
def _duration() -> Columns:
    """How long the statement of the record before took: that it ended, and well."""
    return {
        "action": pl.lit("query"),
        "outcome": pl.lit("ok"),
        "record_role": pl.lit("outcome"),
        "command": _tag_command(),
        "duration_seconds": _seconds(pl.col("message").str.extract(r"([0-9.]+) ms$")),
        "rows_kind": pl.lit("unknown"),
        "activity_key": pl.col("session") + ":" + (pl.col("line") - 1).cast(pl.String),
        "detail": pl.lit(None, pl.String),
    }


@cache
def _setting() -> Columns:
    # the postmaster's session is known in csv and json alone: its settings are told apart by their names
    name = pl.coalesce(pl.col("message").str.extract(r'"([A-Za-z_]+(?:\.[A-Za-z_]+)?)"'), pl.lit("reload"))
    return {
        "action": pl.lit("setting"),
        "outcome": pl.lit("ok"),
        "detail": "message",
        "activity_key": pl.lit("setting:") + name,
    }


@cache
def _notice() -> Columns:
    """Not understood, but it names an account or an error. A text in the form of an audit record is RAISE's."""
    failed = pl.col("state") != NO_ERROR
    return {
        "action": pl.lit("notice"),
        "error_code": pl.when(failed).then("state"),
        "statement": "query",
        "forgeable": pl.col("message").str.starts_with(pgaudit.PREFIX),
        "detail": "message",
    }


_EVENTS_OF = {
    "connect": (_connect,), "refused": (_refused,), "authenticated": (_authenticated,), "authorized": (_authorized,),
    "logout": (_logout,), "replication": (_replication,), "failed": (_failed,), "statement": (_opening, _statement),
    "duration": (_duration,), "setting": (_setting,), "notice": (_notice,),
}  # fmt: skip

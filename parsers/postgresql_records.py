"""What a PostgreSQL log record means, whichever file it came from (csvlog and jsonlog carry the same fields).

Decided by SQLSTATE, command tag, backend type and the presence of columns before any word: the words are translated
(`lc_messages`). Where only words tell, English and Simplified Chinese forms of PostgreSQL 13 to 15 are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import polars as pl

from parsers import pgaudit
from parsers.events import REJECTS, Origin, complete
from parsers.postgresql_roles import with_roles
from parsers.registry import Carry, Parsed
from parsers.stamps import local_time

SKIPS = {
    "checkpointer": "checkpoints: the server's own housekeeping, no account",
    "startup": "start of the server and crash recovery: no account, no statement",
    "autovacuum": "automatic VACUUM and ANALYZE: the server's own work, no account",
    "postmaster": "addresses listened on, start and stop of the server: no account",
    "background": "other processes of the server's own without an account: writers, archiver, workers",
}

NO_ERROR = "00000"
_OPENING = r"^(?:(?:duration|耗时): (?P<ms>[0-9.]+) ms)?(?:  )?(?:(?P<simple>statement|语句): |(?P<phase>parse|bind|execute fetch from|execute|解析|绑定|执行提取，来源为|执行) (?P<prepared>[^:\n]{1,200}): )?"
_PHASES = {
    "parse": "parse", "解析": "parse", "bind": "bind", "绑定": "bind", "execute": "execute", "执行": "execute",
    "execute fetch from": "fetch", "执行提取，来源为": "fetch",
}  # fmt: skip
_ONLY_DURATION = r"^[^0-9\"=]{1,40}: ?[0-9]+\.[0-9]{3} ms$"
_SESSION_TIME = r"^[^\"=]*?(\d+):(\d\d):(\d\d\.\d{3}) user="
_PARAMETER = r"\$\d+ = (?:NULL|'(?:[^']|'')*')"
_POSTMASTER_CHATTER = r"^(?:starting PostgreSQL|listening on|database system|received (?:fast|smart|immediate) shutdown|aborting any|shutting down|redirecting log|ending log|all server processes|background worker|pgaudit extension|正在启动|正在监听|数据库系统|接收到|收到.{0,4}(?:快速|智能|立即)|正在中断|正在关闭|后台工作进程)"
_SETTING = r"SIGHUP|^[^\"]{1,40}\"[A-Za-z_]+(?:\.[A-Za-z_]+)?\""


def rejected(rows: Iterable[tuple[int, int, str, str]]) -> pl.DataFrame:
    """(absolute position, length, reason, text) as a REJECTS frame."""
    return pl.DataFrame(list(rows), schema=REJECTS, orient="row").sort("position")


def assemble(*parts: Parsed) -> Parsed:
    """Several readings of one chunk as one; rejects in order, the carry of the last."""
    rejects = pl.concat([part.rejects for part in parts]).sort("position")
    events = [part.events for part in parts if part.events.height] or [parts[0].events]
    skips: dict[str, tuple[int, int]] = {}
    for part in parts:
        for reason, (records, size) in part.skips.items():
            have = skips.get(reason, (0, 0))
            skips[reason] = (have[0] + records, have[1] + size)
    return Parsed(events=pl.concat(events), rejects=rejects, skips=skips, carry=parts[-1].carry)


def interpret(records: pl.DataFrame, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Records to events, rejects and skips.

    `records`, in order: position (absolute) UInt64, length UInt32, stamp, user, database, host (no port), session,
    line Int64, tag, severity, state, message, detail, context, query, application, backend; all else String.
    """
    if not records.height:
        return Parsed(carry=carry)
    names = ("user", "database", "host", "session", "tag", "context", "query", "application", "backend", "detail")
    records = records.with_columns(
        *(pl.when(pl.col(name) != "").then(name).alias(name) for name in names),
        state=pl.col("state").fill_null(NO_ERROR),
        message=pl.col("message").fill_null(""),
        occurred_at=local_time(pl.col("stamp").str.slice(0, 23), "%Y-%m-%d %H:%M:%S%.3f", zone),
    ).with_columns(usable=pl.col("occurred_at").is_not_null() & pl.col("session").is_not_null())
    # the patterns of _kind run over what is no pgaudit message, mostly the smaller part
    audit = pl.col("usable") & _bare() & pl.col("message").str.starts_with(pgaudit.PREFIX)
    records = records.with_columns(kind=pl.when(audit).then(pl.lit("audit")))
    others = records.filter(pl.col("kind").is_null()).with_columns(kind=_kind())
    kinds = others.partition_by("kind", as_dict=True)
    audits = records if not others.height else records.filter(pl.col("kind").is_not_null())
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
            made.append(_EVENTS_OF[str(kind)](part))
    events = pl.concat(made, how="diagonal").sort("position") if made else None
    if events is None or not events.height:
        return Parsed(rejects=rejected(rejects), skips=skips, carry=carry)
    events, carry = with_roles(events, carry)
    common = events.with_columns(
        outcome=pl.col("outcome").fill_null("unknown"),
        forgeable=pl.col("forgeable").fill_null(value=False) if "forgeable" in events.columns else pl.lit(value=False),
        account="user",
        client_ip="host",
        client_program=pl.coalesce("application", pl.col("program") if "program" in events.columns else pl.lit(None)),
        dialect=pl.when(pl.col("action").eq("query") & pl.col("kind").ne("replication")).then(pl.lit("postgres")),
    )
    for name in ("statement", "detail", "object_name", "command"):
        if name in common.columns:
            common = common.with_columns(pl.col(name).str.replace_all("\0", "\\x00", literal=True))
    return Parsed(complete(common, origin), rejected(rejects), skips, carry)


def _as_rejects(part: pl.DataFrame, reason: str) -> list[tuple[int, int, str, str]]:
    return [(*row[:2], reason, (row[2] or "")[:4096]) for row in part.select("position", "length", "message").rows()]


def _bare() -> pl.Expr:
    """Messages of the server about a statement hide context and statement.

    Everything a client can phrase is tied to this: RAISE LOG in a DO block writes any message, but with both.
    """
    return (pl.col("state") == NO_ERROR) & pl.col("context").is_null() & pl.col("query").is_null()


def _kind() -> pl.Expr:
    """What a record that is no pgaudit message is about, the first that fits."""
    col = pl.col
    ok = col("state") == NO_ERROR
    message, user = col("message"), col("user")
    bare = _bare()
    authentication = col("tag").is_in(["authentication", "startup"]).fill_null(value=False)
    own = user.is_null() & col("host").is_null()
    backend = col("backend")
    return (
        pl.when(~col("usable"))
        .then(pl.lit("bad_timestamp"))
        .when(user.is_null() & col("host").is_not_null())
        .then(pl.lit("connect"))
        .when(~ok & (col("state").str.starts_with("28") | authentication))
        .then(pl.lit("refused"))
        .when(ok & authentication & message.str.contains(r'^[^"=]*identity="'))
        .then(pl.lit("authenticated"))
        .when(ok & authentication & message.str.contains(r'^[^"=]*user='))
        .then(pl.lit("authorized"))
        .when(bare & user.is_not_null() & message.str.contains(_SESSION_TIME))
        .then(pl.lit("logout"))
        .when(
            ok & user.is_not_null() & (backend == "walsender") & col("query").is_not_null() & col("context").is_null()
        )
        .then(pl.lit("replication"))
        .when(~ok & col("query").is_not_null())
        .then(pl.lit("failed"))
        .when(bare & user.is_not_null() & message.str.contains(_ONLY_DURATION))
        .then(pl.lit("duration"))
        .when(bare & user.is_not_null() & message.str.contains(_OPENING + r"[\s\S]") & _opened())
        .then(pl.lit("statement"))
        .when(ok & own & (backend.is_null() | (backend == "postmaster")) & message.str.contains(_SETTING) & ~_chatter())
        .then(pl.lit("setting"))
        .when(user.is_not_null() | ~ok)
        .then(pl.lit("notice"))
        .when(backend == "checkpointer")
        .then(pl.lit("checkpointer"))
        .when(backend == "startup")
        .then(pl.lit("startup"))
        .when(backend.str.starts_with("autovacuum"))
        .then(pl.lit("autovacuum"))
        .when((backend == "postmaster") & ~_chatter())
        .then(pl.lit("notice"))
        .when(backend == "postmaster")
        .then(pl.lit("postmaster"))
        .otherwise(pl.lit("background"))
    )


def _chatter() -> pl.Expr:
    return pl.col("message").str.contains(_POSTMASTER_CHATTER)


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


def _seconds(milliseconds: pl.Expr) -> pl.Expr:
    # rounded: a column of one value and a longer one are divided differently, in the last bit
    return (milliseconds.cast(pl.Float64, strict=False) / 1000).round(6)


def _first_word(text: pl.Expr) -> pl.Expr:
    return text.str.extract(r"^[\s(;]*([A-Za-z_]+)").str.to_uppercase()


def _connect(part: pl.DataFrame) -> pl.DataFrame:
    """`connection received`, or garbage before a user is named."""
    failed = pl.col("state") != NO_ERROR
    return part.with_columns(
        action=pl.lit("connect"),
        outcome=pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok")),
        error_code=pl.when(failed).then("state"),
        detail=pl.when(failed).then("message"),
    )


def _refused(part: pl.DataFrame) -> pl.DataFrame:
    return part.with_columns(
        action=pl.lit("login"),
        outcome=pl.lit("failed"),
        error_code="state",
        detail=pl.concat_str("message", "detail", separator="\n", ignore_nulls=True),  # whether the role exists: DETAIL
        activity_key=_login_key(),
    )


def _authenticated(part: pl.DataFrame) -> pl.DataFrame:
    """Who the client proved to be; whether the session is let in is told by the record after it."""
    return part.with_columns(
        action=pl.lit("login"), record_role=pl.lit("part"), detail="message", activity_key=_login_key()
    )


def _authorized(part: pl.DataFrame) -> pl.DataFrame:
    program = pl.col("message").str.extract(r" application_name=(.*?)(?: SSL enabled \(.*| GSS \(.*)?$")
    replication = (pl.col("backend") == "walsender").fill_null(value=False) | pl.col("message").str.contains(
        "^replication connection"
    )
    return part.with_columns(
        action=pl.lit("login"),
        outcome=pl.lit("ok"),
        program=program,
        command=pl.when(replication).then(pl.lit("REPLICATION")),
        detail="message",
        activity_key=_login_key(),
    )


def _login_key() -> pl.Expr:
    return pl.col("session") + "/login"


def _logout(part: pl.DataFrame) -> pl.DataFrame:
    time = pl.col("message").str.extract_groups(_SESSION_TIME)
    seconds = sum(
        (
            time.struct.field(str(group)).cast(pl.Float64, strict=False) * unit
            for group, unit in ((1, 3600), (2, 60), (3, 1))
        ),
        start=pl.lit(0.0),
    )
    return part.with_columns(
        action=pl.lit("logout"), outcome=pl.lit("ok"), duration_seconds=seconds.round(3), detail=pl.lit(None, pl.String)
    )


def _replication(part: pl.DataFrame) -> pl.DataFrame:
    """log_replication_commands: what a replication client asked for; its language is not SQL."""
    return part.with_columns(
        action=pl.lit("query"),
        statement="query",
        command=_first_word(pl.col("query")),
        command_class=pl.lit("REPLICATION"),
        rows_kind=pl.lit("unknown"),
        detail=pl.lit(None, pl.String),
    )


def _failed(part: pl.DataFrame) -> pl.DataFrame:
    """The statement that failed stands in `query`. What was already sent before is unknown, never nothing.

    A client that went away leaves two records: the failed write (LOG) and the end of the session (FATAL).
    """
    lost = (pl.col("state") == "08006") & pl.col("severity").is_in(["FATAL", "致命错误"])
    return part.with_columns(
        action=pl.lit("query"),
        outcome=pl.lit("failed"),
        error_code="state",
        statement="query",
        command=pl.coalesce(_tag_command(), _first_word(pl.col("query"))),
        rows_kind=pl.lit("unknown"),
        record_role=pl.when(lost).then(pl.lit("part")),
        detail="message",
    )


def _statement(part: pl.DataFrame) -> pl.DataFrame:
    """log_statement and log_min_duration_statement: the simple protocol, or parse, bind and execute of the extended."""
    opening = pl.col("message").str.extract_groups(_OPENING)
    parsed = part.with_columns(
        ms=opening.struct.field("ms"),
        phase=opening.struct.field("phase").replace_strict(_PHASES, default=None, return_dtype=pl.String),
        statement=pl.col("message").str.replace(_OPENING, ""),
    )
    timed = pl.col("ms").is_not_null()
    ahead = pl.col("phase").replace_strict({"parse": 2, "bind": 1}, default=0, return_dtype=pl.Int64)
    values = (
        pl.col("detail")
        .str.extract_all(_PARAMETER)
        .list.eval(
            pl.when(pl.element().str.ends_with("'")).then(
                pl.element()
                .str.replace(r"^\$\d+ = '", "")
                .str.strip_suffix("'")
                .str.replace_all("''", "'", literal=True)
            )
        )
    )
    return parsed.with_columns(
        action=pl.lit("query"),
        outcome=pl.when(timed).then(pl.lit("ok")).otherwise(pl.lit("unknown")),
        # before its execution nothing but the phase itself has gone well
        record_role=pl.when(pl.col("phase").is_in(["parse", "bind", "fetch"])).then(pl.lit("part")),
        command=pl.coalesce(_tag_command(), _first_word(pl.col("statement"))),
        duration_seconds=_seconds(pl.col("ms")),
        parameters=pl.when(pl.col("detail").str.contains(r"\$1 = ")).then(values),
        rows_kind=pl.lit("unknown"),
        activity_key=pl.col("session") + ":" + (pl.col("line") + ahead).cast(pl.String),
        is_statement=pl.lit(value=True),
        detail=pl.lit(None, pl.String),
    )


def _duration(part: pl.DataFrame) -> pl.DataFrame:
    """How long the statement of the record before took: that it ended, and well."""
    return part.with_columns(
        action=pl.lit("query"),
        outcome=pl.lit("ok"),
        record_role=pl.lit("outcome"),
        command=_tag_command(),
        duration_seconds=_seconds(pl.col("message").str.extract(r"([0-9.]+) ms$")),
        rows_kind=pl.lit("unknown"),
        activity_key=pl.col("session") + ":" + (pl.col("line") - 1).cast(pl.String),
        detail=pl.lit(None, pl.String),
    )


def _setting(part: pl.DataFrame) -> pl.DataFrame:
    return part.with_columns(action=pl.lit("setting"), outcome=pl.lit("ok"), detail="message")


def _notice(part: pl.DataFrame) -> pl.DataFrame:
    """Not understood, but it names an account or an error. A text in the form of an audit record is RAISE's."""
    failed = pl.col("state") != NO_ERROR
    return part.with_columns(
        action=pl.lit("notice"),
        error_code=pl.when(failed).then("state"),
        statement="query",
        forgeable=pl.col("message").str.starts_with(pgaudit.PREFIX),
        detail="message",
    )


_EVENTS_OF = {
    "connect": _connect, "refused": _refused, "authenticated": _authenticated, "authorized": _authorized,
    "logout": _logout, "replication": _replication, "failed": _failed, "statement": _statement,
    "duration": _duration, "setting": _setting, "notice": _notice,
}  # fmt: skip

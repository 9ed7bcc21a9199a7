"""Messages of the rsync daemon, the same in its own log file and in syslog; one process is one session.

Source: clientserver.c, log.c, main.c of rsync 3.x, rsyncd.conf(5); samples from 3.5.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from parsers.accounting import address
from parsers.remembering import forgotten
from parsers.rsyncd_format import COLUMNS, pattern

SKIPS = {
    "progress": "a session goes on (`building file list`); what it does has lines of its own",
    "unchanged": "an itemized line of a folder or of attributes: no content moved",
}
MAX_SESSIONS = 4_000
IDLE = 7 * 86_400_000_000  # microseconds after which a pid is taken for another process
UNTOLD = 1 << 20  # bytes: a session that moved more without one line about a file does not log its files

# Client-supplied text (request, user, module) is greedy: what it imitates stands left of the real end of the line.
MESSAGE = (
    r"(?s)^(?:"
    r"(?<connect>connect) from (?<connect_from>[^ ]+) \((?<connect_ip>[^ ()]*)\)"
    r"|rsync (?<access>allowed|denied) access on module (?<module>.*) from [^ ]+ \([^ ()]*\)(?: \(.*\))?"
    r"|rsync (?<way>on|to) (?<request>.*) from (?:(?<user>.*)@)?[^ @]+ \((?<request_ip>[^ ()]*)\)"
    # the module is one that exists; behind the address stands the name that was tried
    r"|auth failed on module (?<auth_module>.*?) from [^ ]+ \((?<auth_ip>[^ ()]*)\) for (?<auth_user>.*): (?<auth_why>[^:]*)"
    r"|auth failed on module (?<only_module>.*) from [^ ]+ \((?<only_ip>[^ ()]*)\): (?<only_why>[^:]*)"
    r"|unknown module '(?<unknown>.*)' tried from [^ ]+ \((?<unknown_ip>[^ ()]*)\)"
    r"|(?<listing>module-list request) from [^ ]+ \((?<listing_ip>[^ ()]*)\)"
    r"|sent (?<sent>[0-9]+) bytes  received (?<received>[0-9]+) bytes  total size [0-9]+"
    r"|(?<progress>(?:building|receiving) file list.*)"
    r"|(?<read_only>ERROR: module is (?:read|write) only)"
    r"|(?<abort>(?:rsync: )?(?:\[[^\]]*\] )?(?:connection unexpectedly closed|io timeout after ).*"
    r"|rsync error: .* \(code (?:10|12|20|30|35)\).*)"
    r'|rsync: (?:\[[^\]]*\] )?(?<call>[a-z_0-9 ]+) "(?<call_path>.*)"(?: \(in (?<call_module>.*)\))?(?: failed)?: (?<why>.*?) ?(?:\([0-9]+\))?'
    r")$"
)
# a line about a file in another format than the one configured: it must not pass for a notice
FOREIGN = (
    r"(?:^|[ =\[(|,;:\t])(?:send|recv|del\.)(?:$|[ \])|,;\t])"
    r"|(?:^|[ =\[(|,;:\t])[<>ch.][fdLDS](?:\+{9}|[.cstTpoguaxbn?]{9})(?:$|[ \])|,;\t])"
    r"|^[0-9]{4}/[0-9]{2}/[0-9]{2} "
)
OWN = r"^(?:rsync|ERROR|WARNING|IO error|name lookup|forward name|max connections|@|file has vanished|skipping|cannot|unable)"
# a format that begins with a name or a host: a refused client can have its own text written so that it fits
IMITATED = r"^(?:connect from |message repeated |rsync|auth failed |unknown module |module-list |ERROR|sent )"
STATE: dict[str, pl.DataType] = {
    "host": pl.String(),
    "pid": pl.String(),
    "at": pl.Int64(),
    "account": pl.String(),
    "client_ip": pl.String(),
    "the_module": pl.String(),
    "the_request": pl.String(),
    "the_way": pl.String(),
    "files": pl.Int64(),
    "aborts": pl.Int64(),
}
State = Mapping[str, Any]  # columns of STATE as lists: what is known of the sessions that go on
_FILLED = ["account", "client_ip", "the_module", "the_request", "the_way"]


def read(
    lines: pl.DataFrame, log_format: str, state: State, unescape: Callable[[pl.Series], pl.Series] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, State]:
    """Read lines (position, length, occurred_at, host, pid, message, repeated) in the order of the file.

    Returns columns of EVENTS; (position, skip, reject) of the other lines; the new state. `unescape` is applied to names.
    """
    past = pl.DataFrame({name: state.get(name, []) for name in STATE}, schema=STATE)
    rows = _take_apart(lines, log_format)
    if unescape is not None:
        named = ("f_path", "call_path", "the_request", "the_module", "account")
        rows = rows.with_columns(unescape(rows[name]) for name in named)
    rows = pl.concat([past.with_columns(fresh=pl.lit(value=False), kind=pl.lit("past")), rows], how="diagonal")
    rows = _in_sessions(rows)
    fresh = rows.filter("fresh").with_columns(skip=_skip(), reject=_reject())
    silent = pl.col("skip").is_not_null() | pl.col("reject").is_not_null()
    return _events(fresh.filter(~silent)), fresh.filter(silent).select("position", "skip", "reject"), _remember(rows)


def _first(pairs: Mapping[str, str], otherwise: str) -> pl.Expr:
    """The kind that belongs to the first of these columns that holds something."""
    return pl.coalesce(
        *(pl.when(pl.col(name).is_not_null()).then(pl.lit(kind)) for name, kind in pairs.items()), pl.lit(otherwise)
    )


def _take_apart(lines: pl.DataFrame, log_format: str) -> pl.DataFrame:
    groups = pl.col("message").str.extract_groups(pattern(log_format)).alias("f")
    frame = lines.with_columns(groups).unnest("f")
    missing = [pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in frame.columns]
    frame = frame.with_columns(*missing)
    other = pl.when(pl.col("f_path").is_null()).then("message")
    frame = frame.with_columns(other.str.extract_groups(MESSAGE).alias("g")).unnest("g")
    kinds = {
        "f_path": "file", "connect": "connect", "access": "access", "way": "begin", "auth_why": "refused", "only_why": "refused",
        "unknown": "refused", "listing": "listing", "sent": "summary", "progress": "progress", "read_only": "read_only",
        "abort": "abort", "call": "failed",
    }  # fmt: skip
    file, denied = pl.col("f_path").is_not_null(), pl.col("access") == "denied"
    ip = pl.coalesce("connect_ip", "request_ip", "auth_ip", "only_ip", "unknown_ip", "listing_ip", "f_ip")
    return frame.with_columns(
        host=pl.col("host").fill_null(""),
        pid=pl.col("pid").fill_null(""),
        kind=pl.when(denied).then(pl.lit("refused")).otherwise(_first(kinds, "other")),
        fresh=pl.lit(value=True),
        at=pl.col("occurred_at").dt.epoch("us"),
        account=pl.coalesce("user", "auth_user", "f_user").replace("", None),
        client_ip=address(ip).replace("UNKNOWN", None),
        the_module=pl.coalesce("module", "auth_module", "only_module", "unknown", "call_module", "f_module"),
        the_request=pl.col("request"),
        the_way=pl.col("way"),
        files=file.cast(pl.Int64),
        aborts=pl.col("abort").is_not_null().cast(pl.Int64),
    )


def _in_sessions(rows: pl.DataFrame) -> pl.DataFrame:
    """Give each line what its session knows. `connect` begins one, the summary ends it: pids come again."""
    process = ["host", "pid"]
    rows = rows.with_columns(forgotten(rows, process, MAX_SESSIONS, ends=pl.col("kind") == "summary"))
    begins = (
        (pl.col("kind") == "connect")
        | (pl.col("kind").shift(1).over(process) == "summary").fill_null(value=False)
        | (pl.col("at").diff().over(process) > IDLE).fill_null(value=False)
        | pl.col("forgotten")
    )
    rows = rows.with_columns(epoch=begins.cum_sum().over(process))
    rows = rows.with_columns(group=pl.concat_str("host", pl.lit(":"), "pid", pl.lit("#"), "epoch"))
    return rows.with_columns(
        pl.col(_FILLED).forward_fill().over("group"), pl.col("files", "aborts").cum_sum().over("group")
    )


def _skip() -> pl.Expr:
    kind, item, op = pl.col("kind"), pl.col("f_item"), pl.col("f_op")
    # a folder that a client sends is made here; one that is sent to it is only named
    made = op.fill_null("recv").eq("recv") & item.str.contains("^c[dLDS]")
    quiet = item.str.contains("^(?:[.c]|.[dLDS])") & ~made
    return (
        pl.when(kind == "progress")
        .then(pl.lit("progress"))
        .when((kind == "file") & quiet.fill_null(value=False) & (op != "del.").fill_null(value=True))
        .then(pl.lit("unchanged"))
    )


def _reject() -> pl.Expr:
    message = pl.col("message")
    foreign = (pl.col("kind") == "other") & message.str.contains(FOREIGN) & ~message.str.contains(OWN)
    return pl.when(foreign).then(pl.lit("other_log_format"))


def _action() -> pl.Expr:
    kind, item, op = pl.col("kind"), pl.col("f_item"), pl.col("f_op")
    by_way = pl.when(pl.col("the_way") == "on").then(pl.lit("download")).otherwise(pl.lit("upload"))
    file = (
        pl.when((op == "del.") | item.str.starts_with("*"))
        .then(pl.lit("delete"))
        .when(item.str.contains("^cd"))
        .then(pl.lit("mkdir"))
        .when(item.str.contains("^c[LDS]|^h"))
        .then(pl.lit("link"))
        .when((op == "send") | item.str.starts_with("<"))
        .then(pl.lit("download"))
        .when((op == "recv") | item.str.starts_with(">"))
        .then(pl.lit("upload"))
        .otherwise(by_way)
    )
    return (
        pl.when(kind == "file")
        .then(file)
        .when(kind == "connect")
        .then(pl.lit("connect"))
        .when(kind.is_in(["access", "begin", "refused"]))
        .then(pl.lit("login"))
        .when(kind == "listing")
        .then(pl.lit("list"))
        .when((kind == "summary") & pl.col("untold"))
        .then(by_way)
        .when(kind == "summary")
        .then(pl.lit("logout"))
        .when(kind.is_in(["read_only", "abort", "failed"]) & pl.col("the_way").is_not_null())
        .then(by_way)
        .otherwise(pl.lit("notice"))
    )


def _size(name: str) -> pl.Expr:
    """Digits with or without the commas of %'l; what is shortened (12.3M) is unknown."""
    return pl.col(name).str.replace_all("[ ,']", "").cast(pl.Int64, strict=False)


def _events(told: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("kind")
    moved = (
        pl.when(pl.col("the_way") == "on")
        .then(pl.col("sent"))
        .otherwise(pl.col("received"))
        .cast(pl.Int64, strict=False)
    )
    untold = (pl.col("files") == 0) & pl.col("the_way").is_not_null() & (moved >= UNTOLD)
    told = told.with_columns(untold=untold.fill_null(value=False), moved=moved)
    told = told.with_columns(action=_action())
    file, summary, untold = kind == "file", kind == "summary", pl.col("untold")
    transfer = pl.col("action").is_in(["upload", "download"])
    per_file = file & transfer
    # the module is the first part of what was asked for; names of files are told without it
    asked = pl.col("the_request").str.strip_prefix(pl.col("the_module")).str.strip_prefix("/")
    failed = kind.is_in(["refused", "read_only", "abort", "failed"])
    size = pl.coalesce(_size("f_bytes"), _size("f_length")) * pl.col("repeated")
    path = (
        pl.when(file)
        .then("f_path")
        .when(kind == "failed")
        .then("call_path")
        .when(((summary & untold) | kind.is_in(["abort", "read_only"])) & transfer)
        .then(asked.replace("", None))
    )
    reason = (
        pl.coalesce(
            "auth_why",
            "only_why",
            "why",
            pl.when(pl.col("unknown").is_not_null()).then(pl.lit("unknown module")),
            pl.when(pl.col("access") == "denied").then(pl.lit("denied access")),
            pl.col("read_only").str.strip_prefix("ERROR: "),
            pl.when(kind == "abort").then(pl.lit("aborted")),
            pl.when(kind == "other").then(pl.col("message").str.extract(r"\(code ([0-9]+)\)")),
        )
    ).str.slice(0, 60)
    command = (
        pl.when(file)
        .then(pl.coalesce(pl.col("f_op").str.strip_suffix("."), pl.lit("file")).str.to_uppercase())
        .when(kind == "begin")
        .then(pl.when(pl.col("the_way") == "on").then(pl.lit("PULL")).otherwise(pl.lit("PUSH")))
    )
    detail = (
        pl.when(file & pl.col("f_bytes").is_not_null() & transfer)
        .then(pl.lit("length ") + pl.col("f_length").str.strip_chars())
        .when(~file & (kind != "connect"))
        .then(pl.col("message").str.slice(0, 200))
    )
    key = pl.concat_str(
        pl.lit("rsync:"),
        "pid",
        pl.lit("/"),
        pl.when(file)
        .then("action")
        .when(kind.is_in(["access", "begin", "refused"]))
        .then(pl.lit("login"))
        .otherwise(kind),
        pl.lit("/"),
        pl.col("the_module").fill_null("").str.slice(-40),
        pl.lit("/"),
        path.fill_null("").str.slice(-120),
    )
    return told.select(
        "position",
        "length",
        "occurred_at",
        "action",
        "account",
        "client_ip",
        session=pl.concat_str("host", pl.lit(":"), "pid"),
        record_role=pl.when((kind == "access") | ((kind == "abort") & (pl.col("aborts") > 1)))
        .then(pl.lit("part"))
        .otherwise(pl.lit("main")),
        activity_key=pl.when(kind != "other").then(key),
        outcome=pl.when(failed)
        .then(pl.lit("failed"))
        .when(kind.is_in(["other", "access"]))
        .then(pl.lit("unknown"))
        .otherwise(pl.lit("ok")),
        error_code=reason,
        command=command,
        forgeable=file & pl.col("message").str.contains(IMITATED),
        object_type=pl.when(pl.col("the_module").is_not_null()).then(pl.lit("MODULE")),
        object_name=pl.col("the_module"),
        path=path,
        direction=pl.when(transfer).then(
            pl.when(pl.col("action") == "upload").then(pl.lit("in")).otherwise(pl.lit("out"))
        ),
        bytes=pl.when(per_file).then(size).when(summary & untold).then("moved"),
        bytes_kind=pl.when(per_file)
        .then(
            pl.when(_size("f_bytes").is_not_null())
            .then(pl.lit("known"))
            .when(_size("f_length").is_not_null())
            .then(pl.lit("estimated"))
            .otherwise(pl.lit("unknown"))
        )
        .when(summary & untold)
        .then(pl.lit("estimated"))
        .when((kind == "abort") & transfer)
        .then(pl.lit("unknown")),
        detail=detail,
    )


def _remember(rows: pl.DataFrame) -> State:
    """The last line of every process, with what its session knows by then."""
    if rows.is_empty():
        return {}
    last = rows.with_row_index("row").group_by("host", "pid").agg(pl.all().last()).sort("row")
    live = last.filter(pl.col("kind") != "summary")
    return live.tail(MAX_SESSIONS).select(*STATE).to_dict(as_series=False)

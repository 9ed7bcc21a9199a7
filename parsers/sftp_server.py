r"""Messages of internal-sftp and sftp-server: what a client did with files, one process a session.

Source: sftp-server.c of OpenSSH 9.2, log levels INFO and VERBOSE; samples from 9.2p1. A message is escaped before it
goes to syslog (bytes outside ASCII as ``\ooo``), a ``"`` in a name is not: names are taken between the first quote and
the last piece of fixed text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from parsers.accounting import address
from parsers.decoding import decode_series
from parsers.remembering import forgotten

SKIPS = {
    "lookup": "stat, realpath and the like: a client asks for them around every transfer; nothing is carried or changed",
    "lookup_status": "the answer to a lookup; every upload asks first whether the file is there",
    "end_of_list": "closedir or End of file: the listing is told by opendir",
}
MAX_SESSIONS = 10_000
MAX_OPEN = 64  # files a session
IDLE = 7 * 86_400_000_000  # microseconds after which a pid is taken for another process

MESSAGE = (
    r"^(?:"
    r'(?<close>(?:forced )?close) "(?<close_path>.*)" bytes read (?<read>[0-9]+) written (?<written>[0-9]+)'
    r'|open "(?<open_path>.*)" flags (?<flags>[A-Z,]*) mode [0-7]+'
    r"|(?<marker>(?:l?stat name|realpath|readlink) .*|received client version [0-9]+)"
    r"|(?<lookup>(?:f?statvfs|fsync|expand|limits|home-directory|users-groups-by-id)\b.*)"
    r"|(?<ended>closedir .*)"
    r"|sent status (?<status>.*)"
    r'|(?<one>remove name|mkdir name|rmdir name|opendir) "(?<one_path>.*)"(?: mode [0-7]+)?'
    r'|(?<two>posix-rename|rename|symlink|hardlink) old "(?<old>.*)" new "(?<new>.*)"'
    r'|set "(?<set_path>.*)" (?<set>mode|size|modtime|owner) (?<value>[^"]*)'
    r"|session (?<session_is>opened|closed) for local user (?<user>.*) from \[(?<ip>.*)\]"
    r")$"
)
# a line that begins so but does not fit was cut on its way
KNOWN = (
    r"^(?:forced close|close|open|remove name|mkdir name|rmdir name|opendir|posix-rename|rename|symlink|hardlink|set) "
)
# sshd cuts a message at 1023 bytes, escapes included: a folder and a name of 85 Chinese characters. What such a line was
# about is told all the same, else a client could hide its transfers behind /././././
_LONG = 900
_ENDINGS = {
    "close": '" bytes read 0 written 0', "forced close": '" bytes read 0 written 0', "open": '" flags READ mode 0666',
    "remove name": '"', "mkdir name": '"', "rmdir name": '"', "opendir": '"',
}  # fmt: skip
ONE = {"remove name": "delete", "mkdir name": "mkdir", "rmdir name": "rmdir", "opendir": "list"}
TWO = {"posix-rename": "rename", "rename": "rename", "symlink": "link", "hardlink": "link"}
SET = {"mode": "chmod", "owner": "chmod", "size": "notice", "modtime": "notice"}

STATE: dict[str, pl.DataType] = {
    "host": pl.String(),
    "pid": pl.String(),
    "kind": pl.String(),
    "account": pl.String(),
    "client_ip": pl.String(),
    "path": pl.String(),
    "path2": pl.String(),
    "action": pl.String(),
    "command": pl.String(),
    "key": pl.String(),
    "at": pl.Int64(),
}
State = Mapping[str, Any]  # columns of STATE as lists: the lines of the past that still matter
_ACTS = ["open", "act"]


def read(lines: pl.DataFrame, state: State) -> tuple[pl.DataFrame, pl.DataFrame, State]:
    """Read lines (position, length, occurred_at, host, pid, message, repeated) in the order of the file.

    Returns columns of EVENTS; (position, skip, reject) of the other lines; the new state. Past lines are put in front
    of the new ones again, so a stream cut anywhere gives the same events.
    """
    past = pl.DataFrame({name: state.get(name, []) for name in STATE}, schema=STATE)
    rows = pl.concat([past.with_columns(fresh=pl.lit(value=False)), _take_apart(lines)], how="diagonal")
    rows = _in_sessions(rows)
    fresh = rows.filter("fresh")
    other = fresh.filter(pl.col("skip").is_not_null() | pl.col("reject").is_not_null())
    events = _events(fresh.filter(pl.col("skip").is_null() & pl.col("reject").is_null()))
    return events, other.select("position", "skip", "reject"), _remember(rows)


def _take_apart(lines: pl.DataFrame) -> pl.DataFrame:
    lines = _completed(lines)
    frame = lines.with_columns(pl.col("message").str.extract_groups(MESSAGE).alias("g")).unnest("g")
    kind = (
        pl.when(pl.col("marker").is_not_null())
        .then(pl.lit("marker"))
        .when(pl.col("close").is_not_null())
        .then(pl.lit("close"))
        .when(pl.col("open_path").is_not_null())
        .then(pl.lit("open"))
        .when(pl.col("status").is_not_null())
        .then(pl.lit("status"))
        .when(pl.any_horizontal(pl.col("one", "two", "set").is_not_null()))
        .then(pl.lit("act"))
        .when(pl.col("session_is").is_not_null())
        .then(pl.col("session_is"))
        .when(pl.col("lookup").is_not_null())
        .then(pl.lit("lookup"))
        .when(pl.col("ended").is_not_null())
        .then(pl.lit("ended"))
        .when(pl.col("message").str.contains(KNOWN))
        .then(pl.lit("broken"))
        .otherwise(pl.lit("other"))
    )
    host, pid = pl.col("host").fill_null(""), pl.col("pid").fill_null("")
    opened_for = (
        pl.when(pl.col("flags").str.contains("WRITE|APPEND|CREATE|TRUNC"))
        .then(pl.lit("upload"))
        .when(pl.col("flags").is_not_null())
        .then(pl.lit("download"))
    )
    return frame.with_columns(
        host=host,
        pid=pid,
        kind=kind,
        fresh=pl.lit(value=True),
        account=pl.col("user"),
        client_ip=address(pl.col("ip")),
        path=pl.coalesce("close_path", "open_path", "one_path", "old", "set_path"),
        path2=pl.col("new").replace("", None),
        action=pl.coalesce(
            opened_for,
            pl.col("one").replace_strict(ONE, default=None, return_dtype=pl.String),
            pl.col("two").replace_strict(TWO, default=None, return_dtype=pl.String),
            pl.col("set").replace_strict(SET, default=None, return_dtype=pl.String),
        ),
        command=pl.coalesce(
            pl.col("close").str.to_uppercase(),
            pl.when(pl.col("flags").is_not_null()).then(pl.lit("OPEN")),
            pl.col("one").str.strip_suffix(" name").str.to_uppercase(),
            pl.col("two").str.to_uppercase(),
            pl.when(pl.col("set").is_not_null()).then(pl.lit("SET")),
        ),
        key=pl.concat_str(host, pl.lit(":"), pid, pl.lit("/"), pl.col("position")),
        at=pl.col("occurred_at").dt.epoch("us"),
    )


def _completed(lines: pl.DataFrame) -> pl.DataFrame:
    """Give a line that sshd cut an end to be read by; `cut` marks it."""
    message = pl.col("message")
    long = message.str.len_bytes() >= _LONG
    if not lines.select(long.any()).item():
        return lines.with_columns(cut=pl.lit(value=False))
    begun = message.str.extract(KNOWN.replace("(?:", "(", 1))
    two = message.str.contains(r'^[a-z-]+ old "')
    ending = (
        pl.when(two)
        .then(pl.when(message.str.contains('" new "', literal=True)).then(pl.lit('"')).otherwise(pl.lit('" new ""')))
        .otherwise(begun.replace_strict(_ENDINGS, default=None, return_dtype=pl.String))
    )
    cut = (long & begun.is_not_null() & ~message.str.contains(MESSAGE) & ending.is_not_null()).fill_null(value=False)
    return lines.with_columns(message=pl.when(cut).then(message + ending).otherwise("message"), cut=cut)


def _in_sessions(rows: pl.DataFrame) -> pl.DataFrame:
    """Join each line with its session, a close with its open, a status with the line above it."""
    process = ["host", "pid"]
    rows = rows.with_columns(forgotten(rows, process, MAX_SESSIONS, ends=pl.col("kind") == "closed"))
    begins = (
        (pl.col("kind") == "opened")
        | (pl.col("kind").shift(1).over(process) == "closed").fill_null(value=False)
        | (pl.col("at").diff().over(process) > IDLE).fill_null(value=False)
        | pl.col("forgotten")
    )
    rows = rows.with_columns(epoch=begins.cum_sum().over(process))
    rows = rows.with_columns(group=pl.concat_str("host", pl.lit(":"), "pid", pl.lit("#"), "epoch"))
    above = {
        name: pl.col(name).shift(1).over("group") for name in ("kind", "path", "path2", "action", "command", "key")
    }
    rows = rows.with_columns(
        pl.col("account", "client_ip").forward_fill().over("group"),
        verbose=(pl.col("kind") == "marker").cum_max().over("group"),
        answers=(pl.col("kind") == "status") & above["kind"].is_in(_ACTS).fill_null(value=False),
    )
    # At INFO a lookup that found nothing looks like the answer to the act above it.
    rows = rows.with_columns(doubtful=~pl.col("verbose") & (pl.col("status") == "No such file").fill_null(value=False))
    refused = (pl.col("answers") & ~pl.col("doubtful")).shift(-1).over("group").fill_null(value=False)
    rows = rows.with_columns(is_open=(pl.col("kind") == "open") & ~refused)
    is_open = pl.col("is_open")
    is_close = pl.col("kind") == "close"
    rows = rows.with_columns(visit=(is_close.cum_sum() - is_close.cast(pl.Int64)).over("group", "path"))
    file = ["group", "path", "visit"]  # a close lets go of its open
    rows = rows.with_columns(
        open_key=pl.when(is_open).then(pl.col("key")).forward_fill().over(file),
        open_for=pl.when(is_open).then(pl.col("action")).forward_fill().over(file),
        **{f"above_{name}": column for name, column in above.items()},
    )
    answers, status = pl.col("answers"), pl.col("kind") == "status"
    told_of_lookup = pl.col("above_kind").is_in(["marker", "lookup"]).fill_null(value=False) | (
        pl.col("status") == "No such file"  # at INFO lookups are not logged, their answers are
    )
    skip = (
        pl.when(pl.col("kind").is_in(["marker", "lookup"]))
        .then(pl.lit("lookup"))
        .when((pl.col("kind") == "ended") | (status & (pl.col("status") == "End of file")))
        .then(pl.lit("end_of_list"))
        .when(status & ~answers & (told_of_lookup | (pl.col("status") == "Success")))
        .then(pl.lit("lookup_status"))
    )
    return rows.with_columns(
        skip=skip,
        reject=pl.when(pl.col("kind") == "broken").then(pl.lit("unknown_form")),
    )


def _events(told: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("kind")
    close, act, answers = kind == "close", kind == "act", pl.col("answers")
    got, put = pl.col("read").cast(pl.Int64, strict=False), pl.col("written").cast(pl.Int64, strict=False)
    # counters decide; where both moved the greater one; where none did, what the file was opened for
    way = (
        pl.when(put > got)
        .then(pl.lit("upload"))
        .when(got > 0)
        .then(pl.lit("download"))
        .otherwise(pl.col("open_for").fill_null(pl.when("cut").then(pl.lit("download")).otherwise(pl.lit("upload"))))
    )
    cut = pl.col("cut")
    aborted = close & (pl.col("close") == "forced close")
    names = told.select(
        path=pl.when(answers).then("above_path").otherwise("path"),
        path2=pl.when(answers).then("above_path2").otherwise("path2"),
    )
    told = told.with_columns(path=unescape(names["path"]), path2=unescape(names["path2"]))
    told = told.with_columns(account=unescape(told["account"]), way=pl.when(close).then(way))
    setting = pl.when(pl.col("set").is_not_null()).then(pl.concat_str("set", pl.lit(" "), "value"))
    return told.select(
        "position",
        "length",
        "occurred_at",
        "account",
        "client_ip",
        "path",
        "path2",
        session=pl.concat_str("host", pl.lit(":"), "pid"),
        record_role=pl.when(answers)
        .then(pl.lit("outcome"))
        .when(kind.is_in(["open", "opened", "closed"]) | (act & (pl.col("action") == "notice")))
        .then(pl.lit("part"))
        .otherwise(pl.lit("main")),
        activity_key=pl.when(answers)
        .then("above_key")
        .when(close)
        .then(pl.coalesce("open_key", "key"))
        .when(kind.is_in(_ACTS))
        .then("key"),
        action=pl.when(answers)
        .then("above_action")
        .when(close)
        .then("way")
        .when(kind == "opened")
        .then(pl.lit("login"))
        .when(kind == "closed")
        .then(pl.lit("logout"))
        .otherwise(pl.col("action").fill_null("notice")),
        outcome=pl.when(answers & (pl.col("status") == "Success"))
        .then(pl.lit("ok"))
        .when(kind == "status")
        .then(pl.when(answers & pl.col("doubtful")).then(pl.lit("unknown")).otherwise(pl.lit("failed")))
        .when(aborted)
        .then(pl.lit("failed"))
        .when(close | kind.is_in(["opened", "closed"]))
        .then(pl.lit("ok"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when((kind == "status") & (pl.col("status") != "Success"))
        .then(pl.col("status").str.slice(0, 60))
        .when(aborted)
        .then(pl.lit("aborted")),
        command=pl.when(answers).then("above_command").otherwise("command"),
        direction=pl.col("way").replace_strict(
            {"upload": "in", "download": "out"}, default=None, return_dtype=pl.String
        ),
        truncated=cut,
        bytes=pl.when(close & ~cut).then(
            pl.when(pl.col("way") == "upload").then(put).otherwise(got) * pl.col("repeated")
        ),
        # what a broken download sent may never have arrived
        bytes_kind=pl.when(close & cut)
        .then(pl.lit("unknown"))
        .when(aborted & (pl.col("way") == "download"))
        .then(pl.lit("estimated"))
        .when(close)
        .then(pl.lit("known")),
        forgeable=pl.col("message").str.count_matches('" new "', literal=True) > 1,
        detail=pl.coalesce(
            pl.when(kind == "open").then("flags"),
            setting,
            pl.when(kind == "other").then(pl.col("message").str.slice(0, 200)),
        ),
    )


def _remember(rows: pl.DataFrame) -> State:
    """The lines that later ones may refer to: who opened the session, that it is VERBOSE, open files, the last line."""
    if rows.is_empty():
        return {}
    rows = rows.with_row_index("row")
    last = rows.group_by("host", "pid").agg(pl.col("group").last(), last_row=pl.col("row").last())
    live = rows.join(last, on=["host", "pid", "group"]).with_columns(at=pl.col("at").last().over("group"))
    ended = (pl.col("kind") == "closed").any().over("group")
    live = live.filter(~ended).sort("row")
    file = ["group", "path", "visit"]
    is_last = pl.col("row") == pl.col("last_row")
    # the next line may refuse the last one: then the open before it counts
    opened = pl.col("is_open") & ~is_last
    pending = (pl.col("row") == pl.col("row").filter(opened | (pl.col("kind") == "close")).last().over(file)) & opened
    pending |= pl.col("is_open") & is_last
    live = live.with_columns(pending=pending, is_last=is_last)
    live = live.with_columns(newest=pl.col("pending").cast(pl.UInt32).cum_sum(reverse=True).over("group"))
    first = {
        kind: (pl.col("kind") == kind) & (pl.col("kind") == kind).cum_sum().over("group").eq(1)
        for kind in ("opened", "marker")
    }
    kept = live.filter(
        pl.col("is_last") | first["opened"] | first["marker"] | (pl.col("pending") & (pl.col("newest") <= MAX_OPEN))
    )
    # a last line that no status can answer still parts a later status from the acts before it
    neutral = pl.col("is_last") & ~pl.col("kind").is_in([*_ACTS, "opened", "marker", "lookup"])
    kept = kept.with_columns(kind=pl.when(neutral).then(pl.lit("other")).otherwise("kind"))
    sessions = kept.group_by("group").agg(pl.col("last_row").last()).sort("last_row").tail(MAX_SESSIONS)
    kept = kept.join(sessions.select("group"), on="group", maintain_order="left")
    return kept.select(*STATE).to_dict(as_series=False)


# Hexadecimal, because a Polars string holds no lone byte. A pattern cannot begin in the middle of a byte: that would
# need the bytes c3 2x or c3 3x, which no UTF-8 text has.
_ESCAPES = {
    r"\\": b"\\",
    r"\n": b"\n",
    r"\t": b"\t",
    r"\r": b"\r",
    r"\a": b"\a",
    r"\b": b"\b",
    r"\v": b"\v",
    r"\f": b"\f",
}
_ESCAPES |= {f"\\{byte:03o}": bytes((byte,)) for byte in range(256)}
_CODED = [text.encode().hex() for text in _ESCAPES]
_BYTES = [byte.hex() for byte in _ESCAPES.values()]


def unescape(names: pl.Series) -> pl.Series:
    r"""Undo sshd's escaping once (``\346\202\243`` to bytes) and decode the result; names without one stay."""
    escaped = names.str.contains("\\", literal=True).fill_null(value=False)
    if not escaped.any():
        return names
    unique = names.filter(escaped).unique()
    coded = unique.str.encode("hex").str.replace_many(_CODED, _BYTES, leftmost=True)
    plain = decode_series(coded.str.decode("hex"))
    return names.replace(unique, plain)

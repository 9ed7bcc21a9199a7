"""vsftpd's own log (not xferlog), as a file; the syslog form of the same messages is `vsftpd_syslog`.

``Fri Nov 20 02:11:56 2026 [pid 1952] [USER] OK UPLOAD: Client "IP", "/PATH", 4400000000 bytes, 85763.77Kbyte/sec``

Source: vsftpd.conf(5), "dual_log_enable", "log_ftp_protocol"; logging.c of 3.0.3; samples from 3.0.3.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.ftp_acts import account_name, activity_keys
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import local_time

PROTOCOL_SKIP = "the FTP dialogue (log_ftp_protocol): what it did has an OK or FAIL line of its own"
SKIPS = {"blank": "an empty line records nothing", "protocol": PROTOCOL_SKIP}

LINE = (
    r"^(?<stamp>[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}) "
    r"\[pid +(?<pid>[0-9]+)\] (?<message>.*)$"
)
# The earliest marker counts (user names are matched lazily): a file name may imitate a marker behind it.
MESSAGE = (
    r"^(?:\[(?<user>.*?)\] )?(?:(?<result>OK|FAIL) )?"
    r'(?<verb>CONNECT|FTP command|FTP response|DEBUG|[A-Z]+): Client "(?<ip>[^"]*)"(?<rest>.*)$'
)
# Greedy on purpose: a name may itself hold '", 9 bytes, 1.00Kbyte/sec'. "N bytes" is missing where N is 0.
REST = r'^, "(?<path>.*)"(?:, (?<bytes>[0-9]+) bytes)?(?:, (?<rate>[0-9]+\.[0-9]+)Kbyte/sec)?$'
# A name typed at a login that fails may imitate a whole message; then the last marker counts.
LOGIN = r'^\[(?<user>.*)\] (?<result>OK|FAIL) (?<verb>LOGIN): Client "(?<ip>[^"]*)"$'
# Two messages in one: which of them is real cannot be told.
# The dialogue (log_ftp_protocol) has the name in front too, from the moment it was typed.
_MARKER = r'\] (?:(?:OK|FAIL) [A-Z]+|CONNECT|FTP command|FTP response|DEBUG): Client "'
DOUBLE = rf"{_MARKER}.*{_MARKER}"
CHMOD = r"^(?<path>.*) (?<octal>[0-7]{1,4})$"

ACTIONS = {
    "CONNECT": "connect",
    "LOGIN": "login",
    "UPLOAD": "upload",
    "DOWNLOAD": "download",
    "DELETE": "delete",
    "RENAME": "rename",
    "MKDIR": "mkdir",
    "RMDIR": "rmdir",
    "CHMOD": "chmod",
}
COMMANDS = {
    "UPLOAD": "STOR",
    "DOWNLOAD": "RETR",
    "DELETE": "DELE",
    "RENAME": "RNTO",
    "MKDIR": "MKD",
    "RMDIR": "RMD",
    "CHMOD": "SITE CHMOD",
}


def is_dialogue() -> pl.Expr:
    """The message is a line of the FTP dialogue (after `read_messages`)."""
    return pl.col("verb").is_in(["FTP command", "FTP response", "DEBUG"]).fill_null(value=False)


@parser(
    "vsftpd_native", reference="vsftpd.conf(5), xferlog_std_format=NO or dual_log_enable", framing=lines, skips=SKIPS
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read connections, logins, transfers and changes of files. `zone` is the server's: stamps are local.

    The stamp is the end of a transfer. Reasons of rejects: "too_long", "unknown_form", "bad_timestamp".
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    body = pl.col("text").str.strip_suffix("\r")
    frame = frame.with_columns(body.str.extract_groups(LINE).alias("g"), blank=body == "").unnest("g")
    frame = read_messages(frame).with_columns(
        occurred_at=local_time(pl.col("stamp").str.slice(4), "%b %e %H:%M:%S %Y", zone)
    )
    frame = frame.with_columns(
        skip=pl.when(pl.col("blank"))
        .then(pl.lit("blank"))
        .when(pl.col("occurred_at").is_not_null() & is_dialogue())
        .then(pl.lit("protocol")),
    )
    frame = frame.with_columns(
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("skip").is_not_null())
        .then(None)
        .when(pl.col("action").is_null() & ~is_dialogue())
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp")),
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    return settle(frame, event_columns(told), origin, {"unfinished": unfinished(chunk)} if chunk else dict(carry))


def read_messages(frame: pl.DataFrame) -> pl.DataFrame:
    """Take `message` apart: user, result, verb, ip, path, bytes, rate, forgeable; `action` is null for what is none."""
    frame = frame.with_columns(pl.col("message").str.extract_groups(MESSAGE).alias("g")).unnest("g")
    frame = frame.with_columns(pl.col("rest").str.extract_groups(REST).alias("g")).unnest("g")
    frame = _logins_with_odd_names(frame)
    named = pl.col("path").is_not_null()
    bare = pl.col("rest") == ""
    fits = (
        pl.when(pl.col("verb") == "CONNECT")
        .then((bare | named) & pl.col("result").is_null() & pl.col("user").is_null())
        .when(pl.col("verb") == "LOGIN")
        .then((bare | pl.col("rest").str.starts_with(', anon password "')) & pl.col("result").is_not_null())
        .otherwise(named & pl.col("result").is_not_null() & pl.col("user").is_not_null())
    )
    return frame.with_columns(
        action=pl.when(fits).then(pl.col("verb").replace_strict(ACTIONS, default=None, return_dtype=pl.String)),
        forgeable=pl.col("message").str.contains(DOUBLE).fill_null(value=False),
    )


def _logins_with_odd_names(frame: pl.DataFrame) -> pl.DataFrame:
    named = pl.col("user").is_not_null()
    odd = frame.select(
        pl.col("verb").is_in([*ACTIONS]).fill_null(value=False)
        & (pl.col("rest") != "")
        & pl.col("path").is_null()
        & ~pl.col("rest").str.starts_with(', anon password "')
        # a name that makes its refused login look like dialogue or like a connection, which has no name in front
        | (named & (is_dialogue() | (pl.col("verb") == "CONNECT")).fill_null(value=False))
        | (pl.col("verb").is_null() & pl.col("message").is_not_null())
    ).to_series()
    if not odd.any():
        return frame
    again = frame.select(pl.col("message").str.extract_groups(LOGIN).alias("g")).unnest("g")
    better = odd & again["user"].is_not_null()
    read = [again[name].zip_with(better, frame[name]) for name in again.columns]
    rest = pl.Series("rest", [""]).new_from_index(0, frame.height).zip_with(better, frame["rest"])
    return frame.with_columns(*read, rest)


def event_columns(told: pl.DataFrame) -> pl.DataFrame:
    """Columns of EVENTS out of `read_messages` plus position, length, occurred_at."""
    verb, path, ok = pl.col("verb"), pl.col("path"), pl.col("result") == "OK"
    moved = verb.is_in(["UPLOAD", "DOWNLOAD"])
    size = pl.col("bytes").cast(pl.Int64, strict=False).fill_null(0)
    rate = pl.col("rate").cast(pl.Float64, strict=False)
    # OLD and NEW stand in one pair of quotes; a failed rename has one name only
    renamed = (verb == "RENAME") & ok & path.str.contains("^.+? /")
    mode = path.str.extract_groups(CHMOD)
    refused_connection = (verb == "CONNECT") & path.is_not_null()
    events = told.select(
        "position",
        "length",
        "occurred_at",
        "action",
        record_role=pl.lit("main"),
        forgeable=pl.col("forgeable") | (renamed & (path.str.count_matches(" /", literal=True) > 1)),
        outcome=pl.when((verb == "CONNECT") & path.is_null() | ok).then(pl.lit("ok")).otherwise(pl.lit("failed")),
        error_code=pl.when(moved & ~ok & (size > 0)).then(pl.lit("aborted")),
        # vsftpd serves every anonymous client as `ftp`; no other account can have that name there
        account=account_name(pl.col("user")),
        client_ip=address(pl.col("ip")),
        command=verb.replace_strict(COMMANDS, default=None, return_dtype=pl.String),
        path=pl.when(renamed)
        .then(path.str.extract("^(.+?) /"))
        .when(verb == "CHMOD")
        .then(pl.coalesce(mode.struct.field("path"), path))
        .when(~refused_connection)
        .then(path),
        path2=pl.when(renamed).then(path.str.extract("^.+? (/.*)$")),
        direction=verb.replace_strict({"UPLOAD": "in", "DOWNLOAD": "out"}, default=None, return_dtype=pl.String),
        bytes=pl.when(moved).then(size),
        # what a broken download sent may never have arrived
        bytes_kind=pl.when(moved & ~ok & (verb == "DOWNLOAD") & (size > 0))
        .then(pl.lit("estimated"))
        .when(moved)
        .then(pl.lit("known")),
        # the rate is told instead: Kbyte are 1024 bytes, two decimals
        duration_seconds=pl.when(moved & (rate > 0)).then((size / (rate * 1024)).round(3)),
        detail=pl.when(refused_connection)
        .then(path.str.slice(0, 200))
        .when(verb == "CHMOD")
        .then(mode.struct.field("octal")),
    )
    return events.with_columns(activity_keys(events))

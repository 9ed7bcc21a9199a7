"""xferlog: the transfer log of wu-ftpd, as vsftpd, proftpd and pure-ftpd write it.

``Www Mmm dd HH:MM:SS yyyy DUR HOST BYTES NAME TYPE FLAG DIR MODE USER SVC AUTH ID STATUS``

Sources: xferlog(5) of proftpd, vsftpd.conf(5) "xferlog_std_format"; samples of vsftpd 3.0.3, proftpd 1.3.8 and
pure-ftpd 1.0.50.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.ftp_acts import ANONYMOUS, account_name, activity_keys, decode_names
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import local_time

SKIPS = {"blank": "an empty line records nothing"}

_HEAD = (
    r"^(?<stamp>[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}) +"
    r"(?<duration>[0-9]+) (?<host>[^ ]+) (?<bytes>[0-9]+) "
)
# All three daemons write a blank in a name as "_", so a name ends at the first blank. What may hold blanks is the
# password of an anonymous user, which stands in the place of USER: the fields behind it are counted from the right.
STRICT = _HEAD + (
    r"(?<path>[^ ]+) (?<type>[ab]) (?<flag>[^ ]+) (?<way>[iod]) (?<mode>[arg]) "
    r"(?<user>.*) (?<service>[^ ]+) (?<auth>[01]) (?<id>[^ ]+) (?<status>[ci])$"
)
_FIELDS = r"(?:^| )[ab] [^ ]+ [iod] [arg] "
# A daemon that leaves blanks in names: nine fields from the right, the name is whatever is left.
LOOSE = _HEAD + (
    r"(?<path>.*) (?<type>[ab]) (?<flag>[^ ]+) (?<way>[iod]) (?<mode>[arg]) "
    r"(?<user>[^ ]*) (?<service>[^ ]+) (?<auth>[01]) (?<id>[^ ]+) (?<status>[ci])$"
)


@parser("xferlog", reference="xferlog(5); vsftpd, proftpd and pure-ftpd", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read finished transfers (and deletions by proftpd). `zone` is the server's: stamps are local and say not.

    The stamp is the end of the transfer. Reasons of rejects: "too_long", "unknown_form", "bad_timestamp".
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=decode_names)
    frame = frame.with_columns(body=pl.col("text").str.strip_suffix("\r"))
    frame = _read(frame).with_columns(
        occurred_at=local_time(pl.col("stamp").str.slice(4), "%b %e %H:%M:%S %Y", zone),
        size=pl.col("bytes").cast(pl.Int64, strict=False),
    )
    frame = frame.with_columns(
        skip=pl.when(pl.col("body") == "").then(pl.lit("blank")),
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("body") == "")
        .then(None)
        .when(pl.col("size").is_null())
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp")),
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    return settle(frame, _events(told), origin, {"unfinished": unfinished(chunk)} if chunk else dict(carry))


def _read(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the line apart; `forgeable` where two readings are possible."""
    strict = frame.select(pl.col("body").str.extract_groups(STRICT).alias("g")).unnest("g")
    believed = (pl.col("mode") == "a") | ~pl.col("user").str.contains(" ", literal=True)
    doubtful = strict.select(~believed.fill_null(value=False)).to_series()
    # fields behind a password that look like those before it: the name may have held a blank and imitate an anonymous user
    twice = (strict["mode"] == "a") & strict["user"].str.contains(_FIELDS).fill_null(value=False)
    if not doubtful.any():
        return frame.hstack(strict).with_columns(forgeable=twice.fill_null(value=False))
    loose = frame.select(pl.col("body").str.extract_groups(LOOSE).alias("g")).unnest("g")
    read = [pl.Series(name, strict[name]).zip_with(~doubtful, loose[name]) for name in strict.columns]
    forgeable = (doubtful & loose["path"].is_not_null()) | twice.fill_null(value=False)
    return frame.with_columns(read).with_columns(forgeable=forgeable)


def _events(told: pl.DataFrame) -> pl.DataFrame:
    deleted = pl.col("way") == "d"
    complete = pl.col("status") == "c"
    size = pl.col("size")
    events = told.select(
        "position",
        "length",
        "occurred_at",
        "path",
        "forgeable",
        action=pl.col("way").replace_strict({"i": "upload", "o": "download", "d": "delete"}),
        # vsftpd writes refused and missing files as incomplete with 0 bytes: an attempt, not a transfer
        outcome=pl.when(complete).then(pl.lit("ok")).otherwise(pl.lit("failed")),
        error_code=pl.when(~complete & ~deleted & (size > 0)).then(pl.lit("aborted")),
        account=pl.when(pl.col("mode") == "a")
        .then(pl.lit(ANONYMOUS))  # USER is then the password that was typed: never kept
        .otherwise(account_name(pl.col("user"))),
        client_ip=address(pl.col("host")),
        command=pl.col("way").replace_strict({"i": "STOR", "o": "RETR", "d": "DELE"}),
        duration_seconds=pl.when(~deleted).then(pl.col("duration").cast(pl.Float64)),
        direction=pl.col("way").replace_strict({"i": "in", "o": "out", "d": None}, return_dtype=pl.String),
        # of a deletion BYTES is the size of the file that went, no traffic
        bytes=pl.when(~deleted).then(size),
        # what a broken download sent may never have arrived
        bytes_kind=pl.when(~deleted).then(
            pl.when(~complete & (pl.col("way") == "o") & (size > 0))
            .then(pl.lit("estimated"))
            .otherwise(pl.lit("known"))
        ),
    )
    return events.with_columns(activity_keys(events))

"""pure-ftpd's AltLog in the form for statistics: it alone names the session.

``1794963732 6afcf914.2218 his_app 10.10.1.8 U 400 0 /home/his_app/ADT.hl7``

Seconds since 1970, start and process of the session in hexadecimal, user, address, U or D, bytes, seconds, path. The
path is raw and last: whatever it holds, it is a path. Source: pure-ftpd.conf, AltLog; samples from 1.0.50.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import Origin
from parsers.framing import lines
from parsers.pureftpd_transfers import BLANK_SKIP, body_lines, finished
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import in_calendar

LINE = (
    r"^(?<epoch>[0-9]{1,12}) (?<session>[0-9a-f]{1,16}\.[0-9a-f]{1,16}) (?<user>.*?) (?<host>[^ ]+) (?<way>[UD]) "
    r"(?<bytes>[0-9]+) (?<duration>[0-9]+) (?<path>.+)$"
)


@parser("pureftpd_stats", reference="pure-ftpd.conf, AltLog stats:", framing=lines, skips={"blank": BLANK_SKIP})
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:  # noqa: ARG001 stamps are UTC
    """Read finished transfers. The stamp is the end of the transfer, in UTC.

    Reasons of rejects: "too_long", "unknown_form", "bad_timestamp" (after the year 9999).
    """
    frame = body_lines(chunk, origin, carry)
    frame = frame.with_columns(pl.col("body").str.extract_groups(LINE).alias("g")).unnest("g")
    seconds = pl.col("epoch").cast(pl.Int64, strict=False)
    stamp = pl.from_epoch(seconds, "s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    frame = frame.with_columns(
        upload=pl.col("way") == "U",
        occurred_at=in_calendar(pl.when(seconds < 253_402_300_800).then(stamp)),
        seconds=pl.col("duration").cast(pl.Float64, strict=False),
    )
    return finished(frame, chunk, origin, carry)

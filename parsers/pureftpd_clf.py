"""pure-ftpd's AltLog in the form of a web server's log.

``10.10.1.8 - his_app [18/Nov/2026:09:02:15 +0800] "PUT /home/his_app/a%20b.hl7" 200 400``

The path is percent-encoded, so nothing in it can imitate the rest. Source: pure-ftpd(8) and pure-ftpd.conf, AltLog;
samples from 1.0.50.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import UTC, Origin
from parsers.framing import lines
from parsers.pureftpd_transfers import BLANK_SKIP, body_lines, finished, unquoted
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import in_calendar

LINE = (
    r"^(?<host>[^ ]+) - (?<user>.*) "
    r"\[(?<stamp>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] "
    r'"(?<method>GET|PUT) (?<path>[^ "]+)" [0-9]{3} (?<bytes>[0-9]+)$'
)


@parser("pureftpd_clf", reference="pure-ftpd.conf, AltLog clf:", framing=lines, skips={"blank": BLANK_SKIP})
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:  # noqa: ARG001 stamps tell their offset
    """Read finished transfers. The stamp is the end of the transfer and names its offset.

    Reasons of rejects: "too_long", "unknown_form", "bad_timestamp".
    """
    frame = body_lines(chunk, origin, carry)
    frame = frame.with_columns(pl.col("body").str.extract_groups(LINE).alias("g")).unnest("g")
    stamp = in_calendar(pl.col("stamp").str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", strict=False))
    frame = frame.with_columns(
        upload=pl.col("method") == "PUT", occurred_at=stamp.cast(UTC), path=unquoted(frame["path"])
    )
    return finished(frame, chunk, origin, carry)

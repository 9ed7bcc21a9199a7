"""pure-ftpd's AltLog in the W3C extended form.

``2026-11-18 01:02:12 10.10.1.8 []created /home/his_app/a%20b.hl7 226 his_app 400``

Times are UTC, unlike those of the other forms. The path is percent-encoded. ``#Fields:`` tells the order of the
fields; it is written once, when the file is made. Source: pure-ftpd.conf, AltLog; samples from 1.0.50.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, field_validator

from config.values import Model
from parsers.events import UTC, Origin
from parsers.framing import lines
from parsers.pureftpd_transfers import BLANK_SKIP, body_lines, finished, unquoted
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import in_calendar

FIELDS = "date time c-ip cs-method cs-uri-stem sc-status cs-username sc-bytes"
SKIPS = {"blank": BLANK_SKIP, "header": "a line that begins with # tells of the file, not of an act"}
_NEEDED = {"date", "time", "cs-method", "cs-uri-stem", "sc-bytes"}
_GROUPS = {
    "date": "(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2})",
    "time": "(?<time>[0-9]{2}:[0-9]{2}:[0-9]{2})",
    "c-ip": "(?<host>[^ ]+)",
    "cs-method": r"\[[^\] ]*\](?<method>created|sent)",
    "cs-uri-stem": "(?<path>[^ ]+)",
    "cs-username": "(?<user>.*)",  # the only field that may hold a blank
    "sc-bytes": "(?<bytes>[0-9]+)",
}
_COLUMNS = ("date", "time", "host", "method", "path", "user", "bytes")
_MAX_HEADER = 1000  # characters


class Options(Model):
    """How the file is laid out where no header says so."""

    fields: str = Field(
        FIELDS, max_length=_MAX_HEADER, description="order of the fields before the first #Fields: line"
    )

    @field_validator("fields")
    @classmethod
    def _known(cls, value: str) -> str:
        missing = sorted(_NEEDED - set(value.split()))
        if missing:
            raise ValueError(f"fields lacks {', '.join(missing)}")
        return " ".join(value.split())


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """The usual order, where a line of the beginning has it."""
    text = pl.Series(head.decode("latin-1").split("\n")[:200], dtype=pl.String).str.strip_suffix("\r")
    if text.str.contains(_pattern(FIELDS)).any():
        yield {}


@parser(
    "pureftpd_w3c",
    reference="pure-ftpd.conf, AltLog w3c:",
    framing=lines,
    skips=SKIPS,
    options=Options,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: Options) -> Parsed:  # noqa: ARG001 stamps are UTC
    """Read finished transfers. The stamp is the end of the transfer, in UTC whatever the zone of the source.

    Reasons of rejects: "too_long", "unknown_form", "bad_timestamp".
    """
    frame = body_lines(chunk, origin, carry)
    told = pl.col("body").str.slice(0, _MAX_HEADER).str.extract(r"^#Fields: *(.*)$").str.strip_chars(" ")
    frame = frame.with_columns(
        skip=pl.when(pl.col("body").str.starts_with("#")).then(pl.lit("header")),
        fields=told.forward_fill().fill_null(carry.get("fields", options.fields)),
    )
    pieces = [
        part.with_columns(part["body"].str.extract_groups(_pattern(part["fields"][0])).alias("g")).unnest("g")
        for part in frame.partition_by("fields", maintain_order=True)
    ]
    if not pieces:
        return Parsed(carry=dict(carry))
    frame = pl.concat(pieces, how="diagonal").sort("position")
    absent = [pl.lit(None, pl.String).alias(name) for name in _COLUMNS if name not in frame.columns]
    frame = frame.with_columns(absent)
    stamp = pl.concat_str("date", pl.lit(" "), "time").str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
    )
    frame = frame.with_columns(
        upload=pl.col("method") == "created",
        occurred_at=in_calendar(stamp.dt.replace_time_zone("UTC")).cast(UTC),
        path=unquoted(frame["path"]),
    )
    return finished(frame, chunk, origin, {"fields": frame["fields"][-1]})


def _pattern(fields: str) -> str:
    """Pattern of a line of these fields; of one without what an event needs, a pattern that nothing fits."""
    names = fields.split()
    if set(names) < _NEEDED or not set(names) >= _NEEDED or len(set(names)) != len(names):
        return r"^[^\s\S](?<bytes>)$"
    return f"^{' '.join(_GROUPS.get(name, '[^ ]*') for name in names)}$"

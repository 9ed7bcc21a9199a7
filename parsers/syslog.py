"""The envelopes that syslog daemons put around a message, told apart line by line.

* RFC 3164, file form: ``Dec  3 08:05:12 host tag[pid]: message``. No year, no zone, day padded with a blank. Devices
  write a year (``Nov 18 2026 09:00:00``), a fraction, a number in front (``<189>45: *Nov 18 …``); syslog(3) of the same
  machine writes no host (``<86>Nov 18 09:00:00 sshd[12]: message``).
* ISO 8601 (Debian 12): ``2026-12-03T08:05:24.123456+08:00 host tag[pid]: message``.
* RFC 5424: ``<86>1 2026-12-03T08:05:24.123456+08:00 host tag pid - -  message``.
* Only what a listener received: no time at all, ``<86>tag[pid]: message``.

The first two may carry a leading ``<PRI>`` (as sent over the network; its number is not judged). A listener writes when
and from whom a message came in front of it, ``@2026-12-03T00:05:24.123456Z 10.20.1.5 ``: the host and the time of a
message that tells none, and the year of a stamp that has none. Sources: RFC 3164 section 4.1, RFC 5424 section 6, rsyslog's
RSYSLOG_TraditionalFileFormat and RSYSLOG_FileFormat; samples from rsyslog 8.2302.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import too_long
from parsers.events import UTC, Origin
from parsers.stamps import in_calendar, local_time, to_utc

REASONS = {
    "too_long": "the line is longer than a record may be",
    "no_envelope": "the line does not begin like any of the syslog forms",
    "bad_timestamp": "the time in front is none (13th month, 30 February)",
}

_PRI = r"^(?:<[0-9]{1,3}>)?"
# a host does not end in a colon, so a word that does is the tag; Oracle's are the only tags with a blank
_TAG = r"(?<tag>Oracle(?: Unified)? Audit|[^ :\[]+)(?:\[(?<pid>[0-9]+)\])?: ?(?<message>.*)$"
_ZONE = r"(?:(?: (?:UTC|GMT|CST|HKT|PRC))?:)?"  # as Cisco writes it; read as if it were not there, see stamps.py
_TAIL = rf"{_ZONE} (?:(?<host>[^ ]*[^ :]) (?:: )?)?{_TAG}"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRACTION = r"(?:[.,](?<fraction>[0-9]{1,9}))?"
_DATED = rf"(?<stamp>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}){_FRACTION}"
_OFFSET = r"(?<offset>Z|z|[+-][0-9]{2}:?[0-9]{2})?"
# structured data: any number of [id name="value"], where a value escapes its quotes and brackets
_STRUCTURED = r'(?:-|(?:\[[^\]"]*(?:"(?:[^"\\]|\\.)*"[^\]"]*)*\])+)'
_FORMS = {
    "rfc3164": rf"{_PRI}(?:[0-9]{{1,10}}: )?[*.]?(?<day>[A-Z][a-z]{{2}} {{1,2}}[0-9]{{1,2}}) (?:(?<told_year>[0-9]{{4}}) )?"
    rf"(?<clock>{_CLOCK}){_FRACTION}{_TAIL}",
    "iso8601": rf"{_PRI}{_DATED}{_OFFSET}{_TAIL}",
    "rfc5424": rf"^<[0-9]{{1,3}}>[0-9]{{1,2}} (?:-|{_DATED}{_OFFSET}) (?<host>[^ ]+) (?<tag>[^ ]+) (?<pid>[^ ]+) [^ ]+ "
    rf"{_STRUCTURED}(?: (?<message>.*))?$",
    "timeless": rf"{_PRI}{_TAG}",
}
_RECEIPT = r"^@(?<receipt>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6})Z (?<sender>[^ ]+) (?<body>.*)$"
_STAMP = "%Y %b %e %H:%M:%S"
_OLDEST = 8  # years back in which a 29 February is looked for
_DECEMBER = 12

_REPEATED = r"^message repeated (?<times>[0-9]{1,6}) times: \[ ?(?<inner>.*)\]$"  # rsyslog's $RepeatedMsgReduction

Year = Mapping[str, Any]  # {"year": 2026, "month": 12} of the last RFC 3164 record; empty before the first


def envelope(lines: pl.DataFrame, origin: Origin, zone: ZoneInfo, year: Year) -> tuple[pl.DataFrame, dict[str, int]]:
    """Add occurred_at, host, tag, pid (text), message and `problem` to lines (position, length, text).

    `problem` is null or a key of REASONS; then the other new columns mean nothing. `zone` is that of stamps that tell
    none. `year` is what the call before this one returned for the same source. Order and number of rows stay.
    """
    frame = _received(lines)
    body = pl.col("body")
    form = (
        pl.when(body.str.contains(r"^<[0-9]{1,3}>[0-9]{1,2} "))
        .then(pl.lit("rfc5424"))
        .when(body.str.contains(rf"{_PRI}[0-9]{{4}}-"))
        .then(pl.lit("iso8601"))
        .when(pl.col("sender").is_null() | body.str.contains(rf"{_PRI}(?:[0-9]+: )?[*.]?[A-Z][a-z]{{2}} {{1,2}}[0-9]"))
        .then(pl.lit("rfc3164"))
        .otherwise(pl.lit("timeless"))
    )
    frame = frame.with_columns(form=form)
    pieces: list[pl.DataFrame] = []
    carried = dict(year)
    for name in frame["form"].unique(maintain_order=True):
        part = frame if frame["form"].n_unique() == 1 else frame.filter(pl.col("form") == name)
        part = part.with_columns(body.str.extract_groups(_FORMS[name]).alias("groups")).unnest("groups")
        if name == "rfc3164":
            part, carried = _yearless(part, origin, zone, carried)
        elif name == "timeless":
            part = part.with_columns(
                occurred_at=pl.col("receipt"), host=pl.lit(None, pl.String), timed=pl.lit(value=True)
            )
        else:
            told = pl.col("stamp").is_not_null()
            part = part.with_columns(
                occurred_at=pl.when(told).then(_dated(zone)).otherwise("receipt"),
                timed=told | pl.col("receipt").is_not_null(),
            )
        pieces.append(part.select(*lines.columns, "occurred_at", "sender", "timed", "host", "tag", "pid", "message"))
    if not pieces:
        return _nothing(lines), carried
    read = pieces[0] if len(pieces) == 1 else pl.concat(pieces).sort("position")
    problem = (
        pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("tag").is_null() | ~pl.col("timed"))
        .then(pl.lit("no_envelope"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp"))
    )
    message = pl.col("message").fill_null("").str.strip_prefix(" ").str.strip_prefix("\ufeff")
    oracle = (pl.col("host") == "Oracle") & (pl.col("tag") == "Audit")  # a tag with a blank and no host before it
    host = pl.when(~oracle & (pl.col("host") != "-")).then("host")
    read = read.with_columns(
        problem=problem,
        message=message,
        tag=pl.when(oracle).then(pl.lit("Oracle Audit")).otherwise("tag"),
        pid=pl.col("pid").replace("-", None),
        host=pl.coalesce(host, "sender"),
    )
    return read.drop("sender", "timed"), carried


def _received(lines: pl.DataFrame) -> pl.DataFrame:
    """Add body, and when and from whom it came where a listener wrote so: receipt (UTC), sender; else null."""
    text = pl.col("text").str.strip_suffix("\r")
    if not lines.select(pl.col("text").str.starts_with("@").any()).item():
        return lines.with_columns(body=text, receipt=pl.lit(None, UTC), sender=pl.lit(None, pl.String))
    frame = lines.with_columns(text.str.extract_groups(_RECEIPT).alias("groups")).unnest("groups")
    stamp = pl.col("receipt").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    return frame.with_columns(
        body=pl.coalesce("body", text),
        receipt=stamp.dt.replace_time_zone("UTC"),
    )


def unfold(told: pl.DataFrame) -> pl.DataFrame:
    """Take the message out of `message repeated N times: [ … ]`; `repeated` is N, of an ordinary message 1."""
    message = pl.col("message")
    if not told.select(message.str.starts_with("message repeated ").any()).item():
        return told.with_columns(repeated=pl.lit(1, pl.Int64))
    groups = message.str.extract_groups(_REPEATED)
    return told.with_columns(
        message=pl.coalesce(groups.struct.field("inner"), message),
        repeated=groups.struct.field("times").cast(pl.Int64).fill_null(1),
    )


def _nothing(lines: pl.DataFrame) -> pl.DataFrame:
    texts = {name: pl.lit(None, pl.String) for name in ("host", "tag", "pid", "message", "problem")}
    return lines.with_columns(occurred_at=pl.lit(None, UTC), **texts)


def _micros() -> pl.Expr:
    return pl.duration(
        microseconds=pl.col("fraction").fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    )


def _dated(zone: ZoneInfo) -> pl.Expr:
    naive = pl.col("stamp").str.replace("T", " ", literal=True)
    naive = naive.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False) + _micros()
    offset = pl.col("offset").str.replace("(?i)z", "+00:00").str.replace(":", "", literal=True)
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    minutes = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    told = (naive - pl.duration(minutes=minutes)).dt.replace_time_zone("UTC")
    return pl.when(offset.is_null()).then(to_utc(naive, zone)).otherwise(in_calendar(told)).cast(UTC)


def _yearless(part: pl.DataFrame, origin: Origin, zone: ZoneInfo, year: Year) -> tuple[pl.DataFrame, dict[str, int]]:
    """Give RFC 3164 stamps their year. They must come in the order of the file.

    A year that is written stands. A received message is of the year that puts its month nearest to the receipt. Of the
    others the first one gets the latest year that puts it no more than a day after the file's modification time (or the
    time of arrival). From then on: a month that falls by more than six is the next year; December right after January
    is a late line of the old one.
    """
    part = part.with_columns(stamp=pl.col("day") + " " + pl.col("clock"))
    # 2000 is a leap year: every day that can exist does
    sound = ("2000 " + pl.col("stamp")).str.to_datetime(_STAMP, time_unit="us", strict=False)
    part = part.with_columns(month=sound.dt.month().cast(pl.Int64), timed=pl.col("stamp").is_not_null())
    there = pl.col("receipt").dt.convert_time_zone(zone.key)
    apart = pl.col("month") - there.dt.month().cast(pl.Int64)
    nearest = there.dt.year().cast(pl.Int64) - (apart > 6).cast(pl.Int64) + (apart < -6).cast(pl.Int64)
    part = part.with_columns(year=pl.coalesce(pl.col("told_year").cast(pl.Int64), nearest))
    part = part.with_columns(counted=pl.when(pl.col("year").is_null()).then("month"))
    months, carried = part["counted"].drop_nulls(), dict(year)
    if not months.is_empty():
        if year:
            start, before = int(year["year"]), int(year["month"])
        else:
            first = part.filter(pl.col("counted").is_not_null())["stamp"][0]
            start, before = _first_year(first, origin, zone), int(months[0])
        counted = pl.col("counted")
        previous = counted.forward_fill().shift(1).fill_null(before).fill_null(before)
        step = (
            pl.when(previous - counted > 6).then(1).when((previous == 1) & (counted == _DECEMBER)).then(-1).otherwise(0)
        )
        part = part.with_columns(year=pl.coalesce("year", start + step.cum_sum()))
        last = part.filter(counted.is_not_null()).select("year", "month").row(-1)
        carried = {"year": int(last[0]), "month": int(last[1])}
    stamp = pl.col("year").cast(pl.String) + " " + pl.col("stamp")
    return part.with_columns(occurred_at=local_time(stamp, _STAMP, zone) + _micros()), carried


def _first_year(stamp: str, origin: Origin, zone: ZoneInfo) -> int:
    reference = (origin.reference_at or origin.received_at).astimezone(zone).replace(tzinfo=None)
    latest = reference + timedelta(days=1)
    for year in range(latest.year, latest.year - _OLDEST, -1):
        try:
            when = datetime.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S")  # noqa: DTZ007 local by contract
        except ValueError:  # 29 February
            continue
        if when <= latest:
            return year
    return latest.year

r"""The rsync daemon's own log file (`log file` in rsyncd.conf); through syslog see `rsyncd_syslog`.

``2026/11/20 02:11:06 [10125] send UNDETERMINED [203.0.113.45] hisbackup (user) rsync/his_full.dmp.gz 30000000``

Bytes that are not printable in the daemon's locale stand as ``\#ooo``. In the C locale those are 0x80 to 0x9f, so that
one UTF-8 character is half raw and half escaped: such lines are put together again before they are decoded.
Source: rsyncd.conf(5), "log file", "log format"; log.c of rsync 3.x; samples from 3.5.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import settle, too_long
from parsers.decoding import decode, others
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.registry import Carry, Parsed, parser
from parsers.rsyncd_format import STAMP, RsyncdOptions, guess_format
from parsers.rsyncd_messages import SKIPS, read
from parsers.stamps import local_time

LINE = rf"(?s)^(?<stamp>{STAMP}) \[(?<pid>[0-9]{{1,10}})\] (?<message>.*)$"
_HIGH = re.compile(rb"\\#([23][0-7]{2})")
_ESCAPED = re.compile(rb"\\#([0-3][0-7]{2})")


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """The known formats that fit a line about a file in `head`; without such a line the default."""
    return guess_format(head, rf"{STAMP} \[[0-9]+\] ")


@parser(
    "rsyncd",
    reference="rsyncd.conf(5), log file, transfer logging, log format",
    framing=lines,
    skips={"blank": "an empty line records nothing", **SKIPS},
    options=RsyncdOptions,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: RsyncdOptions) -> Parsed:
    """Read sessions, transfers and deletions. `zone` is the server's: stamps are local.

    Reasons of rejects: "too_long", "unknown_form", "bad_timestamp", "other_log_format".
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=_half_escaped)
    body = pl.col("text").str.strip_suffix("\r")
    frame = frame.with_columns(body.str.extract_groups(LINE).alias("g"), blank=body == "").unnest("g")
    frame = frame.with_columns(occurred_at=local_time(pl.col("stamp"), "%Y/%m/%d %H:%M:%S", zone))
    frame = frame.with_columns(
        problem=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("stamp").is_null() & ~pl.col("blank"))
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null() & ~pl.col("blank"))
        .then(pl.lit("bad_timestamp"))
    )
    told = frame.filter(pl.col("problem").is_null() & ~pl.col("blank"))
    told = told.with_columns(host=pl.lit(""), repeated=pl.lit(1, pl.Int64))
    events, beside, sessions = read(told, options.log_format, carry.get("sessions", {}), unescape)
    frame = frame.join(beside, on="position", how="left", maintain_order="left").with_columns(
        skip=pl.when("blank").then(pl.lit("blank")).otherwise("skip"), reject=pl.coalesce("problem", "reject")
    )
    remembered = {"sessions": sessions, "unfinished": unfinished(chunk)} if chunk else carry
    return settle(frame, events, origin, remembered)


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 8),))


def _half_escaped(raw: bytes) -> str:
    """A line that is not UTF-8 as it stands: its escaped upper bytes are put back first, the others stay escaped."""
    whole = _HIGH.sub(_byte, raw)
    for encoding in ("utf-8", *others()):
        try:
            return whole.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "backslashreplace")


def unescape(names: pl.Series) -> pl.Series:
    r"""Undo ``\#ooo`` once, to bytes, and decode; a literal ``\#012`` is logged as ``\#134#012`` and stays one."""
    escaped = names.str.contains("\\#", literal=True).fill_null(value=False)
    if not escaped.any():
        return names
    unique = names.filter(escaped).unique()
    plain = [decode(_ESCAPED.sub(_byte, name.encode())) for name in unique.to_list()]
    return names.replace(unique, pl.Series(plain, dtype=pl.String))

"""The rsync daemon through syslog (`log file` not set): the messages of `rsyncd`, names raw, without its escapes.

Source: rsyncd.conf(5), "syslog facility", "syslog tag"; samples from rsync 3.5.0, rsyslog 8.2302.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field

from parsers.events import Origin
from parsers.framing import lines
from parsers.registry import Carry, Parsed, parser
from parsers.rsyncd_format import RsyncdOptions, guess_format
from parsers.rsyncd_messages import SKIPS, read
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines


class RsyncdSyslogOptions(RsyncdOptions):
    """Settings of the rsync daemon that decide what its syslog messages look like."""

    tag: str = Field("rsyncd", min_length=1, max_length=64, description="`syslog tag` of rsyncd.conf")


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """The known formats that fit a line about a file in `head`; without such a line the default."""
    return guess_format(head, r"[^\n]{10,120}?\[[0-9]+\]: ")


@parser(
    "rsyncd_syslog",
    reference="rsyncd.conf(5), syslog facility, transfer logging, log format",
    framing=lines,
    skips={
        **PROGRAM_SKIPS,
        **SKIPS,
    },
    options=RsyncdSyslogOptions,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: RsyncdSyslogOptions) -> Parsed:
    """Read sessions, transfers and deletions. `zone` is that of stamps that tell none (RFC 3164).

    Reasons of rejects: those of `parsers.syslog`, and "other_log_format".
    """
    found = program_lines(chunk, origin, zone, carry, pl.col("tag") == options.tag)
    events, beside, sessions = read(found.told, options.log_format, carry.get("sessions", {}))
    return found.settled(beside, events, origin, sessions=sessions)

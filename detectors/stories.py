"""Findings of one incident share a story: one call for the on-call, not nine.

A story is (site, who, night): `who` is the person where the register knows one, else the account, else the address, so
work at two systems by one person is one story. A `night` runs from noon to noon in local time, because what begins at
23:50 and ends at 02:10 is one incident. It is taken from the first event of the finding: a function of the events, not of
the order they came in, and the same for every rule that saw them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo


def story_id(site: str, who: str | None, first_seen_us: int, zone: ZoneInfo) -> str:
    """16 hex digits. `first_seen_us`: microseconds since the epoch."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=first_seen_us)).astimezone(zone)
    night = (local - timedelta(hours=12)).date().isoformat()
    return blake2b("\0".join((site, who or "", night)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

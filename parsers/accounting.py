"""Every record ends as an event, a reject or a counted skip: the last step of a line-wise parser."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from parsers.events import REJECTS, Origin, complete, empty
from parsers.registry import Carry, Parsed

REJECT_TEXT = 4096  # characters
LONGEST_LINE = 65_536  # bytes; the daemons read here write a few thousand at most (paths are at most 4096 bytes)


def settle(lines: pl.DataFrame, events: pl.DataFrame, origin: Origin, carry: Carry) -> Parsed:
    """Make `Parsed` of `lines` (position, length, text, skip, reject) and the rows that became `events`.

    `skip` and `reject` hold a reason or null, a reject wins; the rows of `events` must be those where both are null.
    """
    rejected = lines.filter(pl.col("reject").is_not_null()).select(
        "position", "length", reason="reject", text=pl.col("text").fill_null("").str.slice(0, REJECT_TEXT)
    )
    return Parsed(
        events=complete(events.sort("position"), origin),
        rejects=rejected.cast(dict(REJECTS)) if rejected.height else empty(REJECTS),  # type: ignore[arg-type]
        skips=_counts(lines),
        carry=carry,
    )


def _counts(lines: pl.DataFrame) -> Mapping[str, tuple[int, int]]:
    skipped = lines.filter(pl.col("skip").is_not_null() & pl.col("reject").is_null())
    if not skipped.height:
        return {}
    counted = skipped.group_by("skip").agg(records=pl.len(), bytes=pl.col("length").cast(pl.Int64).sum()).sort("skip")
    return {reason: (records, size) for reason, records, size in counted.iter_rows()}


def too_long() -> pl.Expr:
    """The line is a piece of one beyond the limit of framing, or longer than any these daemons write."""
    return pl.col("text").is_null() | (pl.col("text").str.len_bytes() > LONGEST_LINE)


def address(text: pl.Expr) -> pl.Expr:
    """A client's address as one spelling: an IPv4 address seen through an IPv6 socket loses its ::ffff:."""
    bare = text.str.strip_prefix("::ffff:")
    return pl.when(bare.str.contains(".", literal=True)).then(bare).otherwise(text).replace("", None)

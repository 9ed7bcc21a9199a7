"""The lines of one program in a syslog file: taken out of their envelopes, and every line accounted for in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import settle
from parsers.events import Origin
from parsers.framing import split_lines, unfinished
from parsers.registry import Carry, Parsed
from parsers.syslog import envelope, unfold

SKIPS = {
    "blank": "an empty line records nothing",
    "other_program": "a line of another program in the same file; its own parser reads it",
}


@dataclass(frozen=True, slots=True)
class ProgramLines:
    """`told`: the program's messages, unfolded (columns of `envelope` and `unfold`). `lines`: all lines of the chunk."""

    told: pl.DataFrame
    lines: pl.DataFrame
    remembered: dict[str, Any]  # for the carry

    def settled(self, beside: pl.DataFrame, events: pl.DataFrame, origin: Origin, **remembered: Any) -> Parsed:
        """Make `Parsed`. `beside`: position of messages that are no events, with `skip` or `reject`; `remembered`: more carry."""
        missing = [pl.lit(None, pl.String).alias(name) for name in ("skip", "reject") if name not in beside.columns]
        beside = beside.with_columns(missing).select("position", "skip", "reject")
        lines = self.lines.join(beside, on="position", how="left", maintain_order="left").with_columns(
            skip=pl.when("blank")
            .then(pl.lit("blank"))
            .when(pl.col("problem").is_null() & ~pl.col("ours"))
            .then(pl.lit("other_program"))
            .otherwise("skip"),
            reject=pl.coalesce("problem", "reject"),
        )
        return settle(lines, events, origin, {**self.remembered, **remembered})


def program_lines(
    chunk: bytes,
    origin: Origin,
    zone: ZoneInfo,
    carry: Carry,
    ours: pl.Expr,
    *,
    other: Callable[[bytes], str] | None = None,
) -> ProgramLines:
    """Split a chunk. `ours`: over `tag`, which lines are the program's; `other` reads lines that are not UTF-8."""
    lines = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=other)
    lines = lines.with_columns(blank=(pl.col("text").str.strip_suffix("\r") == "").fill_null(value=False))
    lines, year = envelope(lines, origin, zone, carry.get("year", {}))
    lines = lines.with_columns(
        problem=pl.when(~pl.col("blank")).then("problem"), ours=ours.fill_null(value=False) & ~pl.col("blank")
    )
    told = unfold(lines.filter(pl.col("problem").is_null() & pl.col("ours")))
    return ProgramLines(told, lines, {"year": year, "unfinished": unfinished(chunk)} if chunk else dict(carry))

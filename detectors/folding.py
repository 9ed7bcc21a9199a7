"""One act told by several logs of one server is counted once: csv beside json, native log beside xferlog, audit beside slow log.

Parsers give such records the same `activity_key` within a system. Of the records of one key each source tells a number;
the act was done as often as the source tells that tells it most often. So the n-th record of a source is new if no
other source has told n of them yet; otherwise it is a `duplicate`, or, where it alone knows rows, bytes or that it failed, the
`outcome` of the act (rules about rows, bytes or refusals look at outcomes too). Which log is read first does not change how much is
counted. Records are stored as their parser made them: only detection sees the roles given here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import polars as pl

from parsers.events import UTC

KEEP = timedelta(minutes=10)  # longest time between two logs of one server: poll, flush, rotation
MAX_RECORDS = 2_000_000  # remembered at most, about 40 MB; the oldest are forgotten first

# What `restore` takes: mains of the last minutes, in order of commit.
RECENT: dict[str, pl.DataType] = {
    "system": pl.String(),
    "activity_key": pl.String(),
    "source": pl.String(),
    "told": pl.Boolean(),  # knows rows or bytes
    "failed": pl.Boolean(),  # says that it failed
    "received_at": UTC,
}
_STATE: dict[str, pl.DataType] = {
    "key": pl.UInt64(),
    "source": pl.UInt16(),  # place in the configuration
    "told": pl.Boolean(),
    "failed": pl.Boolean(),
    "received_at": UTC,
}
_RELEVANT = ("system", "source", "activity_key", "record_role", "outcome", "rows", "bytes", "received_at")
_SUMS = (pl.col("told").any(), pl.col("failed").any())


class Folding:
    """Remembers which acts were told in the last minutes. A batch that was not committed must not stay: start over."""

    def __init__(self, sources: Iterable[tuple[str, str]], *, keep: timedelta = KEEP) -> None:
        """`sources`: (source, system) in the order of the configuration; alone in its system, none is looked at."""
        listed = list(sources)
        systems = [system for _, system in listed]
        self._places = {source: place for place, (source, _) in enumerate(listed)}
        self.shared = sorted({system for system in systems if systems.count(system) > 1})
        self._keep = keep
        self._told = pl.DataFrame(schema=_STATE)
        self._pruned: datetime | None = None

    def restore(self, recent: pl.DataFrame) -> None:
        """What was told before a start: RECENT."""
        self._told = self._entries(recent.filter(pl.col("system").is_in(self.shared)))

    def fold(self, events: pl.DataFrame, now: datetime) -> pl.DataFrame:
        """The same records in the same order, `record_role` of acts told already changed. `now`: time of reading."""
        if not self.shared:
            return events
        row = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
        mains = events.select(row, *_RELEVANT).filter(
            (pl.col("record_role") == "main")
            & pl.col("activity_key").is_not_null()
            & pl.col("system").is_in(self.shared)
        )
        if mains.is_empty():
            return events
        entries = self._entries(
            mains.with_columns(
                told=pl.col("rows").is_not_null() | pl.col("bytes").is_not_null(), failed=pl.col("outcome") == "failed"
            )
        ).with_columns(mains["row"])
        roles = self._roles(entries)
        self._told = pl.concat([self._told, entries.select(*_STATE)], rechunk=False)
        self._prune(now)
        if roles.is_empty():
            return events
        changed = events.select(row, "record_role").join(roles, on="row", how="left", maintain_order="left")
        return events.with_columns(changed.select(pl.coalesce("role", "record_role").alias("record_role")).to_series())

    def _entries(self, mains: pl.DataFrame) -> pl.DataFrame:
        place = pl.col("source").replace_strict(self._places, default=None, return_dtype=pl.UInt16)
        return mains.select(
            # stable for one version of Polars, which outlives what is remembered here
            pl.struct("system", "activity_key").hash(seed=0).alias("key"),
            place.alias("source"),
            "told",
            "failed",
            "received_at",
        ).cast(_STATE)  # type: ignore[arg-type]

    def _roles(self, entries: pl.DataFrame) -> pl.DataFrame:
        """(row, role) of the records that tell nothing new."""
        keys = entries["key"].unique()
        before = self._told.filter(pl.col("key").is_in(keys.implode()))
        counts = before.group_by("key", "source").agg(pl.len().alias("count"), *_SUMS)
        found = []
        for place in sorted(entries["source"].drop_nulls().unique()):
            mine = entries.filter(pl.col("source") == place)
            others = counts.filter(pl.col("source") != place)
            others = others.group_by("key").agg(
                most=pl.col("count").max(), known=pl.col("told").any(), refused=pl.col("failed").any()
            )
            own = counts.filter(pl.col("source") == place).select("key", own="count")
            numbered = (
                mine.join(own, on="key", how="left", maintain_order="left")
                .join(others, on="key", how="left", maintain_order="left")
                .with_columns(number=pl.col("own").fill_null(0) + pl.int_range(1, pl.len() + 1).over("key"))
            )
            again = numbered.filter(pl.col("number") <= pl.col("most").fill_null(0))
            adds = (pl.col("told") & ~pl.col("known")) | (pl.col("failed") & ~pl.col("refused"))
            found.append(again.select("row", role=pl.when(adds).then(pl.lit("outcome")).otherwise(pl.lit("duplicate"))))
            mine_now = mine.group_by("key", "source").agg(pl.len().alias("count"), *_SUMS)
            counts = (
                pl.concat([counts, mine_now.select(counts.columns)])
                .group_by("key", "source")
                .agg(pl.col("count").sum(), *_SUMS)
            )
        return pl.concat(found) if found else pl.DataFrame(schema={"row": pl.UInt32, "role": pl.String})

    def _prune(self, now: datetime) -> None:
        if self._pruned is not None and now - self._pruned < self._keep / 10 and self._told.height < MAX_RECORDS:
            return
        self._pruned = now
        kept = self._told.filter(pl.col("received_at") >= pl.lit(now - self._keep).cast(UTC))
        self._told = kept.tail(MAX_RECORDS // 2 if kept.height >= MAX_RECORDS else MAX_RECORDS).rechunk()

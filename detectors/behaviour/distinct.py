"""distinct: different patients within a day, a week, a month and a quarter, against own past, peers and a floor.

Collecting slowly is seen in no single day. A span is compared with the spans before it (of a quarter: with the month before
it, three times), with what peers saw in as long a time, and with a floor; all three numbers stand in the finding.
Peers are looked at as they were three days before, which late records do not change any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from detectors.behaviour import norms
from detectors.behaviour.blocks import Distinct as Block
from detectors.behaviour.cells import WHOLE_DAY, cells_of, classes_of, counted
from detectors.behaviour.kind import Judged, Kind, Known, Places, by_bucket, days, hashes, peers_of, until
from detectors.behaviour.marks import I64, SUBJECT, U64, Flags, Sorted
from detectors.behaviour.sketches import Sketches, distinct
from detectors.behaviour.tables import EVIDENCE, SUMS
from detectors.behaviour.volume import UNCOMPARED
from detectors.rules import Rule
from detectors.summary import WHO

MONTH, QUARTER = 30, 90
_SETTLED_DAYS = 3  # longer than records may be late
_PAST = 12  # spans before this one
_SOURCE = WHO.index("source")
_PEERS = 200  # of a larger group those with the smallest hashes stand for all


@dataclass(frozen=True, slots=True)
class _Span:
    """A span that was far above all three. `over`: hundredths of the floor."""

    days: int
    count: int
    exact: bool
    floor: int
    own: int
    peers: int
    others: int

    @property
    def told(self) -> int:
        """At least so many: in steps of a quarter, so that a finding is not told anew for every patient."""
        level = self.floor
        while level * 5 // 4 <= self.count:
            level = level * 5 // 4
        return level

    @property
    def over(self) -> tuple[int, int]:
        return 100 * self.count // self.floor, self.days


class Distinct(Kind):
    def __init__(self, rule: Rule, block: Block, known: Known) -> None:
        super().__init__(rule, known)
        self.block = block
        self.per = block.per
        self.memory_days = MONTH + QUARTER
        self.sketches = Sketches()
        self._groups = Sorted(np.minimum)  # whom a subject is compared with
        self._full = Sorted(np.minimum, np.int64)  # by subject and day: the last event that its cell keeps
        self._newest = 0
        self._room = Sorted(np.minimum, np.int64)  # by subject and day: see `_room_before`; 0: not asked yet
        self._before: dict[tuple[int, int], dict[int, int]] = {}  # by subject and day: each span without the day itself
        self._found: dict[tuple[int, int], list[_Span]] = {}  # by subject and day
        self._past: dict[tuple[int, int, int], int] = {}  # by subject, day and length of a span
        # by last day, length of a span and group of peers
        self._others: dict[tuple[int, int, int], dict[int, int]] = {}
        self._horizon = 0

    # -- counting --------------------------------------------------------------------------------------------------

    def places(self, batch: Places, rows: I64) -> U64:
        # every event may be among the first of its day; what is known of its patients is settled in `count`
        told = batch.acts.select(pl.col("patient_keys").list.len().fill_null(0) > 0).to_series().to_numpy()[rows]
        return np.where(told, batch.acts.get_column("_micros").to_numpy()[rows].astype(np.uint64) + 1, np.uint64(0))

    def count(self, hits: pl.DataFrame) -> pl.Series:
        hits = hits.with_columns(
            pl.struct("_subject", "_day", "patient_keys").hash(seed=1).alias("_seen"),
            pl.struct("_subject", "_day").hash(seed=2).alias("_whose"),
        )
        touched = counted(hits, "_whose")
        self._show(touched, hits)
        seen = hits["_seen"].to_numpy()
        fresh = hits.filter(pl.Series(~self.known.settled.holds(seen)))
        if fresh.height:
            self._learn(fresh)
            self.known.settled.put(fresh["_seen"].to_numpy())
        return touched["subject"].filter(pl.Series(self._near(touched))).unique()

    def _show(self, counts: pl.DataFrame, hits: pl.DataFrame) -> None:
        """Keep the counts of each day and its first events."""
        last = self._full.get(hits["_whose"].to_numpy())
        early = hits.filter(pl.Series((last == 0) | (hits["_micros"].to_numpy() <= last)))
        if early.is_empty():
            self.keep_cells(counts.drop("_whose"))
            return
        first = early.sort("_micros", "event_id").group_by("_subject", "_day", maintain_order=True).head(EVIDENCE)
        first = first.with_columns(**WHOLE_DAY)
        uncounted = cells_of(first, self.rule.steps[0]).with_columns(pl.lit(0, pl.Int64).alias(name) for name in SUMS)
        self.keep_cells(pl.concat([counts.drop("_whose"), uncounted]))
        self._fill(first)

    def _fill(self, first: pl.DataFrame) -> None:
        """What is full now need not be looked at for later events."""
        places = first.select("_subject", "_day", "_whose").unique()
        limits = [self.cells.full_at(subject, 0, day) for subject, day in places.select("_subject", "_day").iter_rows()]
        full = places.with_columns(at=pl.Series(limits, dtype=pl.Int64)).drop_nulls("at")
        self._full.put(full["_whose"].to_numpy(), full["at"].to_numpy())

    def _learn(self, fresh: pl.DataFrame) -> None:
        rows = (
            peers_of(fresh, self.block.peers)
            .select("_subject", "_day", "_peers", pl.col("patient_keys").alias("key"))
            .explode("key")
            .drop_nulls("key")
            .unique()
        )
        keys = rows.select("key").unique()
        keys = keys.with_columns(item=pl.Series(hashes(keys["key"].to_list())) & 0xFFFFFFFF)
        rows = rows.join(keys, on="key")
        subjects, on = rows["_subject"].to_numpy(), days(rows["_day"])
        kept = rows.filter(pl.Series(self.sketches.add(subjects, rows["item"].to_numpy(), on)))
        if kept.is_empty():
            return
        self._groups.put(kept["_subject"].to_numpy() & SUBJECT, kept["_peers"].to_numpy())
        added = kept.group_by(subject="_subject", day="_day").agg(
            pl.col("_peers").min().alias("peers"), pl.col("item").cast(pl.UInt32).alias("members")
        )
        last = pl.col("day").cast(pl.Int64) + self.kept_days
        self.changes.setdefault("behaviour_patients", []).append(added.with_columns(until(last)))
        self._forget_spans(added)

    def _forget_spans(self, added: pl.DataFrame) -> None:
        """What was counted with a day before that got another patient now."""
        first = dict(added.group_by("subject").agg(pl.col("day").min()).iter_rows())
        self._before = {
            place: spans for place, spans in self._before.items() if place[1] <= first.get(place[0], place[1])
        }
        self._found = {
            place: spans for place, spans in self._found.items() if place[1] < first.get(place[0], place[1] + 1)
        }
        earliest = min(first.values())
        if earliest < self._newest:  # a day before one that was looked at
            self._room = Sorted(np.minimum, np.int64)
            self._past.clear()
            self._found.clear()
        self._newest = max(self._newest, *first.values())
        self._others = {place: counts for place, counts in self._others.items() if place[0] < earliest}

    def _near(self, touched: pl.DataFrame) -> Flags:
        """May a span that ends on the day reach a floor? Twice over, since what is estimated may also fall."""
        subjects, on, whose = touched["subject"].to_numpy(), days(touched["day"]), touched["_whose"].to_numpy()
        room = self._room.get(whose)
        new = room == 0
        today = np.zeros(len(subjects), np.int64)
        for day in np.unique(on).tolist():
            here = on == day
            today[here] = self.sketches.counts(subjects[here], day)
            if (asked := here & new).any():
                room[asked] = self._room_before(subjects[asked], day)
        self._room.put(whose[new], room[new])
        near: Flags = today >= room
        for place in np.flatnonzero(near):  # no sum of days any more, but what they have together
            near[place] = self._may_reach(int(subjects[place]), int(on[place]), int(today[place]), 2)
        return near | self._late(subjects, on)

    def _may_reach(self, subject: int, day: int, today: int, times: int) -> bool:
        before = self._spans_before(subject, day)
        return any(times * (before[span] + today) >= floor for span, floor in self.block.floors.items())

    def _late(self, subjects: U64, on: I64) -> Flags:
        """May a later day, whose spans hold this one too, reach a floor now?"""
        late = on < self._newest
        if self.known.endless:
            return late
        found = np.zeros(len(on), np.bool_)
        for place in np.flatnonzero(late):
            for day in range(int(on[place]) + 1, self._newest + 1):
                today = int(self.sketches.counts(subjects[place : place + 1], day)[0])
                found[place] |= today > 0 and self._may_reach(int(subjects[place]), day, today, 2)
        return found

    def _room_before(self, subjects: U64, day: int) -> I64:
        """Fewer patients than this on a day bring no span near its floor, were all of the days before different."""
        counts = {
            past: self.sketches.counts(subjects, past) for past in self.sketches.all_days if day - QUARTER < past < day
        }
        room = np.full(len(subjects), np.iinfo(np.int64).max)
        for span, floor in self.block.floors.items():
            before = sum((counts[past] for past in counts if past > day - span), np.zeros(len(subjects), np.int64))
            room = np.minimum(room, floor // 2 - before)
        least: I64 = np.maximum(room, 1)
        return least

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, cells: pl.DataFrame) -> Iterator[Judged]:
        subjects, on = cells["subject"].to_numpy(), days(cells["day"])
        known = self.known.since.known(subjects, on, self.block.learning_days)
        for key, start, rows in by_bucket(cells.with_columns(held=pl.Series(known)), self.per, self.known.told):
            spans = [(row, self._watched_spans(row) if row["held"] else []) for row in rows]
            held = [(max(found, key=lambda span: span.over), row) for row, found in spans if found]
            if not held:
                yield Judged(key, start, rows, [])
                continue
            worst, _ = max(held, key=lambda pair: (pair[0].over, -pair[1]["day"]))
            compared = worst.others >= norms.LEAST_PEERS
            yield Judged(
                key, start, rows, [_told(row) for _, row in held],
                self._words(worst), () if compared else (UNCOMPARED,),
            )  # fmt: skip

    def _watched_spans(self, row: Mapping[str, Any]) -> list[_Span]:
        """Spans before which the log was read for as long (a month before a quarter): else there is no past to compare with."""
        watched = row["day"] - self.known.learning.began(row["first"][_SOURCE])
        return [
            span for span in self._spans(row["subject"], row["day"]) if span.days + min(span.days, MONTH) <= watched
        ]

    def _spans(self, subject: int, day: int) -> list[_Span]:
        """Spans that end on a day and are far above their floor, the subject's own past and its peers."""
        if (subject, day) not in self._found:
            self._found[subject, day] = list(self._spans_over(subject, day))
        return self._found[subject, day]

    def _spans_over(self, subject: int, day: int) -> Iterator[_Span]:
        before = self._spans_before(subject, day)
        today, _ = distinct(self.sketches.days(subject, day, day))
        for span, floor in self.block.floors.items():
            if before[span] + today < floor:
                continue
            count, exact = distinct(self.sketches.days(subject, day - span + 1, day))
            if count < floor:
                continue
            own = self._own(subject, day, span)
            if 100 * count < self.block.growth_percent * own:
                continue
            peers, others = self._peers(subject, day - _SETTLED_DAYS, span)
            if count > peers:
                yield _Span(span, count, exact, floor, own, peers, others)

    def _spans_before(self, subject: int, day: int) -> dict[int, int]:
        if (subject, day) not in self._before:
            self._before[subject, day] = {
                span: distinct(self.sketches.days(subject, day - span + 1, day - 1))[0] for span in self.block.floors
            }
        return self._before[subject, day]

    def _own(self, subject: int, day: int, span: int) -> int:
        if (subject, day, span) not in self._past:
            self._past[subject, day, span] = self._own_past(subject, day, span)
        return self._past[subject, day, span]

    def _own_past(self, subject: int, day: int, span: int) -> int:
        """The middle of the spans before this one; where memory holds none, as much in a month."""
        if span > MONTH:
            month = self.sketches.days(subject, day - span - MONTH + 1, day - span)
            return distinct(month)[0] * span // MONTH
        counts = []
        for place in range(1, min(_PAST, QUARTER // span) + 1):
            last = day - place * span
            counts.append(distinct(self.sketches.days(subject, last - span + 1, last))[0])
        told = [count for count in counts if count]
        return int(np.median(told)) if told else 0

    def _peers(self, subject: int, last: int, span: int) -> tuple[int, int]:
        """(what 95 % of the others do not exceed, how many others) in spans that end on a day."""
        itself = np.uint64(subject) & SUBJECT
        group = int(self._groups.get(np.array([itself], np.uint64))[0])
        if (last, span, group) not in self._others:
            who = self.sketches.seen(last - span + 1, last)
            some = who[self._groups.get(who) == np.uint64(group)][: _PEERS + 1]
            self._others[last, span, group] = {
                int(one): distinct(self.sketches.days(int(one), last - span + 1, last))[0] for one in some
            }
        counts = self._others[last, span, group]
        theirs = np.array([count for one, count in counts.items() if one != int(itself)][:_PEERS], np.int64)
        return (norms.others(theirs) if len(theirs) >= norms.LEAST_PEERS else 0), len(theirs)

    def _words(self, span: _Span) -> Mapping[str, object]:
        shown = f"{'≥' if span.exact else '≈≥'}{span.told}"
        compared = span.others >= norms.LEAST_PEERS
        return {
            "count": shown, "days": span.days, "floor": span.floor, "own": span.own, "others": span.others,
            "peers": span.peers if compared else "–",
        }  # fmt: skip

    # -- memory ----------------------------------------------------------------------------------------------------

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        super().restore(tables)
        if (rows := tables.get("behaviour_patients")) is not None:
            self.sketches.restore(rows)
            self._groups.put(rows["subject"].to_numpy() & SUBJECT, rows["peers"].to_numpy())

    def forget(self, horizon: int) -> None:
        super().forget(horizon)
        self.sketches.forget(horizon - self.kept_days, horizon)
        if horizon == self._horizon:
            return
        self._horizon = horizon
        # what may be asked again: a new day begins with little
        self._room, self._full = Sorted(np.minimum, np.int64), Sorted(np.minimum, np.int64)
        begun = horizon - self.span
        self._found = {place: spans for place, spans in self._found.items() if place[1] >= begun}
        self._past = {place: count for place, count in self._past.items() if place[1] >= begun}
        self._before = {place: spans for place, spans in self._before.items() if place[1] >= begun}
        self._others = {place: counts for place, counts in self._others.items() if place[0] >= begun - _SETTLED_DAYS}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Beside the counts of its acts, of the classes of a day what its first acts tell."""
    return {**row, "special": int("special" in classes_of(row["evidence"]))}

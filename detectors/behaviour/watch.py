"""Enriched events in, findings about behaviour and what is to be remembered out. Stands beside the window engine.

    behaviour = Behaviour(rules, zone="Asia/Shanghai")
    behaviour.restore(tables)                    # rows of BEHAVIOUR_TABLES and finding_revisions, raw or compacted
    observed = behaviour.observe(acts, now)

`restore(all deltas)` then `observe(rest)` gives the findings of `observe(everything)`. Later records may undo a finding (the thing was
not new after all): it is then told once more, with no events in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from detectors.behaviour.beat import Beat
from detectors.behaviour.blocks import Beat as BeatBlock
from detectors.behaviour.blocks import Distinct as DistinctBlock
from detectors.behaviour.blocks import Dormant as DormantBlock
from detectors.behaviour.blocks import FirstSeen as FirstSeenBlock
from detectors.behaviour.blocks import Volume as VolumeBlock
from detectors.behaviour.cells import pane_of
from detectors.behaviour.distinct import Distinct
from detectors.behaviour.dormant import Dormant
from detectors.behaviour.first_seen import FirstSeen
from detectors.behaviour.kind import Judged, Kind, Known, Memory, Places
from detectors.behaviour.learning import DEFAULT_DAYS, EPOCH, Learning, day_of, start_of
from detectors.behaviour.marks import I64, U64, Settled
from detectors.behaviour.presence import Presence
from detectors.behaviour.tables import BEHAVIOUR_TABLES
from detectors.behaviour.volume import Volume
from detectors.engine import LATENESS, Observed
from detectors.findings import finding_id, findings_of
from detectors.matching import Matcher
from detectors.report import finding
from detectors.revisions import REVISIONS, Revisions
from detectors.rules import SUBJECT_COLUMNS, Rule
from detectors.summary import ASKED, WHO, acts_of, chosen
from detectors.windows import DAY, Found

_KINDS: dict[type, Callable[..., Kind]] = {
    FirstSeenBlock: FirstSeen, DormantBlock: Dormant, VolumeBlock: Volume, DistinctBlock: Distinct, BeatBlock: Beat,
}  # fmt: skip
_SOURCE = WHO.index("source")
_UNDONE = ("【已撤回：后到的记录改变了结论】", "[Withdrawn: records that came later change this] ")
_LEARNING = ("【日志源处于学习期，仅记录】", "[Source is learning: recorded only] ")
# Of an event, all that is looked at once it is known which rules it fits.
_USED = ASKED | SUBJECT_COLUMNS | {
    "_micros", "_objects", "_day", "_local", "_hour", "_learning", "client_program", "path", "command", "verb", "working_day", "vendor_tier",
    "days_left", "patient_keys", "place_allowed",
}  # fmt: skip
_NOBODY = pl.Series("_subject", [], pl.UInt64)
_HEARD = 3600.0  # a source that brought nothing for so long (by our clock) holds nothing up


class Behaviour:
    """The memory of all rules with `hiswatch.behaviour`."""

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        zone: str = "Asia/Shanghai",
        notify_from: str = "medium",
        staged_sources: Iterable[str] = (),
        learning_days: int = DEFAULT_DAYS,
        learning_of_source: Mapping[str, int] | None = None,
        lateness: timedelta | None = LATENESS,
    ) -> None:
        """`zone`: of the site, for days. `lateness` None: nothing expires (old files in any order)."""
        self.zone = ZoneInfo(zone)
        self.notify_from = notify_from
        self.staged_sources = frozenset(staged_sources)
        self.lateness = lateness
        self.learning = Learning(self.zone, learning_days, learning_of_source)
        self.rules = [rule for rule in rules if rule.block.behaviour is not None]
        columns = dict.fromkeys(rule.subject for rule in self.rules)
        self._settled = Settled()
        self._presences = {subject: Presence(subject) for subject in columns}
        self._revisions = Revisions()
        self._kinds = [self._kind(rule) for rule in self.rules]
        self._matcher = Matcher([kind.rule.steps[0] for kind in self._kinds])
        self._newest: dict[str, tuple[float, float]] = {}  # of each source: log time, and when it was read
        self._swept = 0.0

    def _kind(self, rule: Rule) -> Kind:
        block = rule.block.behaviour
        known = Known(
            self.learning,
            self._settled,
            self._presences[rule.subject],
            self.lateness is None,
            partial(self._was_told, rule),
        )
        return _KINDS[type(block)](rule, block, known)

    @property
    def _memories(self) -> list[Memory]:
        return [*self._presences.values(), *self._kinds]

    @property
    def dropped(self) -> int:
        """Cells forgotten because a rule had too many of them."""
        return sum(kind.cells.dropped for kind in self._kinds)

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Add up what was written. Rows of rules that are gone or were changed are passed over."""
        for memory in self._memories:
            mine = pl.col("rule") == memory.name
            memory.restore(
                {
                    name: tables[name].filter(mine)
                    for name in BEHAVIOUR_TABLES
                    if "rule" in BEHAVIOUR_TABLES[name] and name in tables
                }
            )
        if (sources := tables.get("learning_sources")) is not None:
            self.learning.restore(sources)
        if (revisions := tables.get("finding_revisions")) is not None:
            self._revisions.restore(revisions)

    def numbered(self, revisions: Mapping[str, int]) -> pl.DataFrame:
        """Rows of finding_revisions for revisions that a late ticket made (see `Revisions.numbered`)."""
        return self._revisions.numbered(revisions)

    def observe(self, enriched: pl.DataFrame, now: datetime) -> Observed:
        """Count a batch. Events whose clock is not to be trusted teach nothing and are compared with nothing."""
        acts = acts_of(chosen(enriched, enriched.get_column("clock_trusted").fill_null(value=True)))
        if acts.is_empty() or not self._kinds:
            return Observed(deltas=_EMPTY)
        began, moved = self.learning.see(acts)
        self._hear(acts, now)
        rows: list[dict[str, object]] = []
        acts = self._dated(acts)
        pairs = self._matcher.matches(acts)
        acts = acts.select(name for name in acts.columns if name in _USED)
        places = Places(acts)
        appeared = self._see(places)
        touched = [[appeared[rule.subject]] if self.lateness is None else [] for rule in self.rules]
        for place, hits in self._news(places, pairs):
            touched[place].append(self._kinds[place].count(hits))
        for kind, subjects in zip(self._kinds, touched, strict=True):
            if moved:  # a source began earlier than was thought: so did its learning
                rows += self._tell(kind, kind.cells.all())
            elif subjects and len(kind.cells):
                rows += self._tell(kind, kind.cells.of(pl.concat(subjects).unique()))
        deltas = _EMPTY | {"learning_sources": began, "finding_revisions": self._revisions.take()}
        for name, added in self._added().items():
            deltas[name] = pl.concat(added)
        self._sweep(now)
        return Observed(findings_of(rows), deltas)

    def _added(self) -> dict[str, list[pl.DataFrame]]:
        """What all memories took up, by table."""
        added: dict[str, list[pl.DataFrame]] = {}
        for memory in self._memories:
            for name, rows in memory.take().items():
                added.setdefault(name, [_EMPTY[name]]).append(rows)
        return added

    def _dated(self, acts: pl.DataFrame) -> pl.DataFrame:
        newest = {source: moment for source, (moment, _) in self._newest.items()}
        ends = self.learning.surely(self.lateness, newest)
        local = pl.col("occurred_at").dt.convert_time_zone(str(self.zone))
        until = (
            pl.col("source").replace_strict(ends, default=-(2**31), return_dtype=pl.Int32) if ends else pl.lit(-(2**31))
        )
        return acts.with_columns(
            local.dt.date().cast(pl.Int32).alias("_day"), local.alias("_local"), local.dt.hour().alias("_hour")
        ).with_columns((pl.col("_day") < until).alias("_learning"))

    def _see(self, places: Places) -> dict[tuple[str, ...], pl.Series]:
        """Remember who was there on which day; by columns, the subjects of acts that were not settled."""
        seen = {}
        for presence in self._presences.values():
            hashed = presence.places(places)
            rows = self._unsettled(hashed)
            seen[presence.columns] = presence.see(places.acts[rows]) if len(rows) else _NOBODY
            self._settled.put(hashed[rows])
        return seen

    def _news(self, places: Places, pairs: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
        """(place of the rule, its events that may be news) for every rule that has some."""
        acts = places.acts
        named: dict[tuple[str, ...], pl.DataFrame] = {}
        for (step,), mine in sorted(pairs.partition_by("step", as_dict=True, include_key=False).items()):
            events = mine.get_column("row").sort().to_numpy().astype(np.int64)
            hashed = self._kinds[step].places(places, events)
            rows = self._unsettled(hashed)
            if not len(rows):
                continue
            subject = self.rules[step].subject
            if subject not in named:
                named[subject] = self._presences[subject].named(acts)
            rows = rows[named[subject].get_column("_subject").is_not_null().to_numpy()[events[rows]]]
            if len(rows):
                news = events[rows]
                place = pl.Series("_place", hashed[rows])
                yield step, pl.DataFrame([*acts[news].get_columns(), *named[subject][news].get_columns(), place])

    def _unsettled(self, hashed: U64) -> I64:
        """Rows that nothing is known of."""
        return np.flatnonzero((hashed != 0) & ~self._settled.holds(hashed))

    # -- findings --------------------------------------------------------------------------------------------------

    def _tell(self, kind: Kind, cells: pl.DataFrame) -> list[dict[str, object]]:
        if cells.is_empty():
            return []
        told = (self._told(kind, judged) for judged in kind.judge(cells))
        return [row for row in told if row is not None]

    def _told(self, kind: Kind, judged: Judged) -> dict[str, object] | None:
        if not judged.held and not self._was_told(kind.rule, judged.key, judged.day):
            return None
        key, start = tuple(json.loads(judged.key)), start_of(judged.day, self.zone)
        held = judged.held or judged.cells
        total = pane_of(held)
        source = total.first[_SOURCE]
        learning = self.learning.is_on(source, max(row["day"] for row in held))
        lead = ("", "") if judged.held else _UNDONE
        if judged.held and learning:
            lead = _LEARNING
        found = Found(int(start.timestamp()), total, (total,), (), judged.words, lead, judged.weights)
        row = finding(
            kind.rule, key, found, zone=self.zone, notify_from=self.notify_from,
            staged_sources=self.staged_sources | ({source} if learning and source else set()),
        )  # fmt: skip
        if not judged.held:
            row = _undone(row, start)
        return self._revisions.revise(row, start.timestamp() + (kind.span + 2) * DAY)

    def _was_told(self, rule: Rule, key: str, day: int) -> bool:
        if not len(self._revisions):
            return False
        parts = ("" if part is None else part for part in json.loads(key))
        return finding_id(rule.id, tuple(parts), int(start_of(day, self.zone).timestamp())) in self._revisions

    # -- what may be forgotten -------------------------------------------------------------------------------------

    def _hear(self, acts: pl.DataFrame, now: datetime) -> None:
        for source, newest in acts.group_by("source").agg(pl.col("_micros").max()).iter_rows():
            before = self._newest.get(source, (0.0, 0.0))[0]
            self._newest[source] = max(before, min(newest / 1e6, now.timestamp() + 60)), now.timestamp()

    def _sweep(self, now: datetime) -> None:
        """Forget what nothing within the lateness bound can change: by the source that is furthest behind."""
        if self.lateness is None:
            return
        heard = [newest for newest, read in self._newest.values() if now.timestamp() - read < _HEARD]
        behind = min(heard, default=0.0) - self.lateness.total_seconds()
        if behind - self._swept < 3600:
            return
        self._swept = behind
        horizon = day_of(EPOCH + timedelta(seconds=behind), self.zone)
        for memory in self._memories:
            memory.forget(horizon)
        self._revisions.forget(behind - DAY)


_EMPTY = {
    name: pl.DataFrame(schema=schema) for name, schema in (BEHAVIOUR_TABLES | {"finding_revisions": REVISIONS}).items()
}


def _undone(row: Mapping[str, Any], start: datetime) -> dict[str, object]:
    """A finding that later records undid: the same name and subject, and nothing in it any more."""
    return {
        **row, "severity": "low", "likelihood": 1, "risk": row["impact"], "first_seen": start, "last_seen": start, "events": 0,
        "rows": None, "rows_kind": None, "bytes": None, "classes": [], "objects": [], "evidence": [], "notify": False,
    }  # fmt: skip

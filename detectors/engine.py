"""Enriched events in, findings and changes of state out. Columns in; Python only for panes and findings.

    rules = compile_rules(read_rules(), ...)
    engine = Engine(rules, zone="Asia/Shanghai")
    engine.restore(tables)                       # rows of STATE_TABLES, raw or compacted
    observed = engine.observe(enriched, now)     # findings: revisions; deltas: rows to append, in the batch's transaction

`restore(all deltas)` then `observe(rest)` gives the findings of `observe(everything)`: the state is a sum.
A batch that could not be committed must not be observed twice: rebuild the engine from the store instead.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from detectors.findings import NO_FINDINGS, findings_of
from detectors.grouping import Counting, Grouping, Groups
from detectors.ledger import WANTED, Ledger, Recall
from detectors.matching import Matcher
from detectors.panes import CONTENT, MEMBERS, PANES, Held, Pane, pane_of
from detectors.report import finding
from detectors.revisions import REVISIONS, Revisions
from detectors.rules import COUNTED, Rule
from detectors.summary import timed
from detectors.tallies import FEW, Tallies, packed
from detectors.windows import DAY, Found, Windows

# What the store keeps for `restore`: append-only, summed when read. No value of a patient in it: members are hashes.
STATE_TABLES: dict[str, dict[str, pl.DataType]] = {
    "window_panes": PANES,
    "window_members": MEMBERS,
    "finding_revisions": REVISIONS,
}

# Of the rows that `recall` gives back, what `restore` needs to know.
MEASURED: dict[str, tuple[str, ...]] = {
    "window_panes": ("rule", "step", "key", "pane", "events", "amounts", "last_at"),
    "window_members": ("rule", "step", "key", "pane", "line", "members"),
}

LATENESS = timedelta(hours=48)  # state is kept this long behind the newest trusted event of a site
MAX_KEYS = 50_000  # a rule
MAX_PANES = 100_000  # looked at; above it all are given back and asked for again as they are needed
_SWEEP_SECONDS = 3600
_SLACK_SECONDS = 3600  # panes are looked at this much longer than a window needs: most late events are not later


_NOTHING = {name: pl.DataFrame(schema=schema) for name, schema in STATE_TABLES.items()}


@dataclass(frozen=True, slots=True)
class Observed:
    """`findings`: FINDINGS, new revisions only. `deltas`: rows to append to each of STATE_TABLES."""

    findings: pl.DataFrame = field(default_factory=lambda: NO_FINDINGS)
    deltas: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def __add__(self, other: Observed) -> Observed:
        both = set(self.deltas) & set(other.deltas)
        joined = {name: pl.concat([self.deltas[name], other.deltas[name]]) for name in both}
        return Observed(pl.concat([self.findings, other.findings]), {**self.deltas, **other.deltas, **joined})


class Engine:
    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        zone: str = "Asia/Shanghai",
        notify_from: str = "medium",
        staged_sources: Sequence[str] = (),
        lateness: timedelta | None = LATENESS,
        max_keys: int = MAX_KEYS,
        recall: Recall | None = None,
    ) -> None:
        """`zone`: of the site, for days and nights. `lateness` None: state never expires (old files in any order).

        `recall`: the committed rows of panes, asked for when a key comes near a line; None: they are kept in memory.
        """
        self.rules = tuple(rule for rule in rules if rule.kind in COUNTED)
        self.zone = ZoneInfo(zone)
        self.notify_from = notify_from
        self.staged_sources = frozenset(staged_sources)
        self.lateness = lateness
        self.max_keys = max_keys
        self.dropped = 0  # keys forgotten because a rule had too many of them
        self._windows = [Windows(rule, _day_start(zone)) for rule in self.rules]
        self._tallies = [Tallies(window.rule, window.block_seconds) for window in self._windows]
        # of steps in a time span only whether each was there is counted
        self._lines = [0 if rule.kind in ("together", "ordered") else len(rule.lines) for rule in self.rules]
        self._few_lines = np.array(
            [-1 if tally.few_line is None else tally.few_line for tally in self._tallies], np.int64
        )
        self._by_name = {window.key: place for place, window in enumerate(self._windows)}
        steps = [(place, number) for place, rule in enumerate(self.rules) for number in range(len(rule.steps))]
        self._rule_of = np.array([place for place, _ in steps], np.int64)
        self._number_of = [number for _, number in steps]
        self._blocks = np.array([self._windows[place].block_seconds for place, _ in steps], np.int64)
        self._matcher = Matcher([self.rules[place].steps[number] for place, number in steps])
        self._grouping = Grouping([self._counting(place, number) for place, number in steps], self.zone)
        self._ledger = Ledger() if recall is None else None
        self._recall: Recall = recall or self._ledger or Ledger()
        self._texts: dict[str, str] = {}  # every key once
        self._revisions = Revisions()
        self._newest: float | None = None
        self._swept: float | None = None

    @property
    def names(self) -> list[str]:
        """Under what the state of each rule is kept."""
        return list(self._by_name)

    def _counting(self, place: int, number: int) -> Counting:
        window = self._windows[place]
        return Counting(window.rule, number, window.key, window.grid)

    @property
    def size(self) -> int:
        """Numbers and panes held in memory."""
        return sum(window.size for window in self._windows) + sum(tally.size for tally in self._tallies)

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Add up the rows of STATE_TABLES. Rows of rules that are gone or were changed are passed over.

        May be called for one part of the rows after the other. Where panes are recalled, their MEASURED columns are enough.
        """
        known = pl.col("rule").is_in(list(self._by_name))
        mine = {name: tables[name].filter(known) for name in MEASURED if name in tables}
        self._restore_tallies(mine)
        if self._ledger is not None:
            self._ledger.add(mine)
        if (revisions := tables.get("finding_revisions")) is not None:
            self._revisions.restore(revisions)

    def numbered(self, revisions: Mapping[str, int]) -> pl.DataFrame:
        """Rows of finding_revisions for revisions that a late ticket made (see `Revisions.numbered`)."""
        return self._revisions.numbered(revisions)

    def _restore_tallies(self, tables: Mapping[str, pl.DataFrame]) -> None:
        told = {rule for table in tables.values() for rule in table["rule"].unique()}
        for place in sorted(self._by_name[rule] for rule in told):
            window = self._windows[place]
            parts = {name: table.filter(pl.col("rule") == window.key) for name, table in tables.items()}
            tally = self._tallies[place]
            for key, block, step, members, *numbers in _numbers(window, parts, tally.few_line):
                text = self._texts.setdefault(key, key)
                tally.add(text, block, self._packed(place, step, numbers), members)
            if (panes := parts.get("window_panes")) is not None and panes.height:
                self._remember(window, panes)

    def _remember(self, window: Windows, panes: pl.DataFrame) -> None:
        sane = pl.col("last_at") // 1_000_000 <= pl.col("pane") + (window.grid.pane_seconds or 2 * DAY) + 2 * DAY
        newest = panes.filter(sane)["last_at"].max()
        if isinstance(newest, int):
            self._newest = max(self._newest or 0.0, newest / 1e6)

    def _packed(self, place: int, step: int, numbers: Sequence[int]) -> int:
        """Numbers of a rule's lines, or of one of its steps, for the tallies. What only falls is left out."""
        count = self._lines[place]
        if count == 0:
            return packed([0] * step + [1])
        if count == 1:
            return max(numbers[0], 0)
        return packed(max(number, 0) for number in numbers[:count])

    def observe(self, enriched: pl.DataFrame, now: datetime) -> Observed:
        """Count a batch. `enriched`: EVENTS + FACTS + CONTEXT; patient keys may be tokens, their numbers shifted."""
        acts = timed(enriched)
        groups = self._grouping.of(acts, self._matcher.matches(acts))
        rows = [] if groups is None else self._found(groups)
        deltas = dict(_NOTHING)
        if groups is not None:
            deltas |= {"window_panes": groups.panes, "window_members": groups.members}
            if self._ledger is not None:
                self._ledger.add(deltas)
        self._sweep(acts, now)
        deltas["finding_revisions"] = self._revisions.take()
        return Observed(findings_of(rows), deltas)

    def _found(self, groups: Groups) -> list[dict[str, object]]:
        """What the groups of a batch make or change."""
        touched = self._touched(groups)
        rows = []
        for place, keys in sorted(touched.items()):
            window = self._windows[place]
            for key, starts in keys.items():
                revised = (self._revise(window.rule, key, found) for found in window.found(key, starts))
                rows += [row for row in revised if row is not None]
        for window, tally in zip(self._windows, self._tallies, strict=True):
            forgotten = tally.bound(self.max_keys)
            self.dropped += len(forgotten)
            for key in forgotten:
                window.drop(key)
        if sum(window.size for window in self._windows) > MAX_PANES:
            for window in self._windows:
                window.release()
        return rows

    def _touched(self, groups: Groups) -> dict[int, dict[str, set[int]]]:
        """By rule and key the panes to be looked at again; they and all around them are in the windows then."""
        entries = self._entries(groups)
        fresh = {
            (entry.place, entry.key, entry.block)
            for entry in entries
            if self._tallies[entry.place].add(entry.key, entry.block, entry.numbers, entry.members)
        }
        touched: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        wanted: list[tuple[str, str, int, int]] = []
        held: list[int] = []
        for entry in entries:
            window, tally = self._windows[entry.place], self._tallies[entry.place]
            if tally.may_cross(entry.key, entry.block):
                starts = groups.starts[entry.first : entry.last]
                touched[entry.place][entry.key].update(starts.tolist())
                for block in sorted({block for start in (starts[0], starts[-1]) for block in window.near(int(start))}):
                    if not window.holds(entry.key, block) and tally.holds(entry.key, block):
                        window.hold(entry.key, block)
                        if (entry.place, entry.key, block) not in fresh:
                            size = window.block_seconds
                            wanted.append((window.key, entry.key, block * size, (block + 1) * size))
        if wanted:
            self._add(self._recall(pl.DataFrame(wanted, schema=WANTED, orient="row")))
        for entry in entries:
            if self._windows[entry.place].holds(entry.key, entry.block):
                held += range(entry.first, entry.last)
        if held:
            chosen = np.array(held)
            self._add({
                "window_panes": groups.panes[chosen],
                "window_members": groups.members[np.flatnonzero(np.isin(groups.of_members, chosen))],
            })  # fmt: skip
        return touched

    def _entries(self, groups: Groups) -> list[_Entry]:
        """Groups of one step, key and block together."""
        blocks = groups.starts // self._blocks[groups.steps]
        new = np.ones(len(blocks), np.bool_)
        new[1:] = (
            (groups.steps[1:] != groups.steps[:-1])
            | (groups.codes[1:] != groups.codes[:-1])
            | (blocks[1:] != blocks[:-1])
        )
        firsts = np.flatnonzero(new)
        lasts = np.append(firsts[1:], len(blocks))
        sums = np.add.reduceat(np.maximum(groups.measures, 0), firsts, axis=0).tolist()
        places, steps = self._rule_of[groups.steps[firsts]].tolist(), groups.steps[firsts].tolist()
        members = self._few_members(groups, firsts)
        return [
            _Entry(
                place,
                self._texts.setdefault(groups.keys[first], groups.keys[first]),
                block,
                self._packed(place, self._number_of[step], numbers),
                members.get(number, ()),
                first,
                last,
            )
            for number, (place, step, block, numbers, first, last) in enumerate(
                zip(places, steps, blocks[firsts].tolist(), sums, firsts.tolist(), lasts.tolist(), strict=True)
            )
        ]

    def _few_members(self, groups: Groups, firsts: np.ndarray[Any, np.dtype[np.int64]]) -> dict[int, set[int]]:
        """Of the entries that begin at the groups `firsts` the members of the tally's `few_line`, as many as it needs."""
        few_lines = self._few_lines[self._rule_of[groups.steps[groups.of_members]]]
        chosen = np.flatnonzero(few_lines == groups.members.get_column("line").to_numpy())
        owners = (np.searchsorted(firsts, groups.of_members[chosen], side="right") - 1).tolist()
        found: dict[int, set[int]] = {}
        for owner, members in zip(
            owners, groups.members.get_column("members")[chosen].list.head(FEW).to_list(), strict=True
        ):
            found.setdefault(owner, set()).update(members)
        return found

    def _add(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Rows of panes into the windows that look at them."""
        panes = tables["window_panes"]
        content = panes.select(CONTENT)
        named = zip(*(panes.get_column(name).to_list() for name in _AT_HAND), strict=True)
        for place, (rule, step, key, start, events, first_at, last_at, amounts) in enumerate(named):
            held = Held(events, first_at, last_at, amounts or [], rows=[(content, place)])
            self._windows[self._by_name[rule]].add(step, key, start, held)
        for rule, step, key, start, line, members in (
            tables["window_members"].select("rule", "step", "key", "pane", "line", "members").iter_rows()
        ):
            self._windows[self._by_name[rule]].add_members(step, key, start, line, members)

    def _revise(self, rule: Rule, key: str, found: Found) -> dict[str, object] | None:
        row = finding(
            rule, _key(key), found, zone=self.zone, notify_from=self.notify_from, staged_sources=self.staged_sources
        )
        return self._revisions.revise(row, found.bucket + DAY + rule.timespan_seconds)

    def _sweep(self, acts: pl.DataFrame, now: datetime) -> None:
        """Forget what no event within the lateness bound can change any more, and look no longer at what is over."""
        trusted = pl.col("clock_trusted").fill_null(value=True)
        newest = acts.select(pl.col("occurred_at").filter(trusted).max()).item()
        if not isinstance(newest, datetime):
            return
        self._newest = max(self._newest or 0.0, min(newest.timestamp(), now.timestamp() + 60))
        if self._swept is not None and self._newest - self._swept < _SWEEP_SECONDS:
            return
        self._swept = self._newest
        for window, tally in zip(self._windows, self._tallies, strict=True):
            window.release(int(self._newest) - window.reach_seconds - _SLACK_SECONDS)
            if self.lateness is not None:
                tally.forget(self.expires_before(window.rule))
        self._texts = {key: key for tally in self._tallies for key in tally.keys}
        if self.lateness is not None:
            if self._ledger is not None:
                self._ledger.forget(int(self._newest - self.lateness.total_seconds()))
            self._revisions.forget(self._newest - self.lateness.total_seconds() - DAY)

    def expires_before(self, rule: Rule) -> int:
        """Panes of `rule` that ended before this second are forgotten."""
        assert self.lateness is not None
        # The bucket of a pane may begin up to a day before it, and its windows a time span before that.
        return int((self._newest or 0) - self.lateness.total_seconds() - rule.timespan_seconds - DAY)


_AT_HAND = ("rule", "step", "key", "pane", "events", "first_at", "last_at", "amounts")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a batch adds to one block of a rule and key: groups `first` to before `last`."""

    place: int  # of the rule
    key: str
    block: int
    numbers: int  # packed, for the tallies
    members: Collection[int]  # of the tally's `few_line`
    first: int
    last: int


def _numbers(window: Windows, tables: Mapping[str, pl.DataFrame], few_line: int | None) -> Iterator[tuple[Any, ...]]:
    """(key, block, step, members of `few_line`, a number a line) of a rule's rows: what batches gave to the tallies."""
    lines = window.rule.lines
    by = [pl.col("key"), (pl.col("pane") // window.block_seconds).alias("block"), pl.col("step")]
    if (panes := tables.get("window_panes")) is not None:
        told = [
            pl.col("events")
            if line.measure == "events"
            else pl.col("amounts").list.get(place, null_on_oob=True)
            if line.measure == "sum"
            else pl.lit(0, pl.Int64)
            for place, line in enumerate(lines)
        ]
        sums = (one.clip(0).sum().alias(str(place)) for place, one in enumerate(told))
        yield from panes.group_by(by).agg(pl.lit((), pl.List(pl.UInt64)).alias("members"), *sums).iter_rows()
    if (members := tables.get("window_members")) is not None:
        sizes = pl.col("members").list.len().cast(pl.Int64)
        counts = (sizes.filter(pl.col("line") == place).sum().alias(str(place)) for place in range(len(lines)))
        few = pl.col("members").list.head(FEW).filter(pl.col("line") == (-1 if few_line is None else few_line))
        yield from members.group_by(by).agg(few.explode().unique().drop_nulls().alias("members"), *counts).iter_rows()


@lru_cache(maxsize=4096)
def _key(text: str) -> tuple[str | None, ...]:
    return tuple(json.loads(text))


def _day_start(zone: str) -> Callable[[int], int]:
    local = ZoneInfo(zone)

    @lru_cache(maxsize=4096)
    def day_start(second: int) -> int:
        moment = datetime.fromtimestamp(second, UTC_ZONE).astimezone(local)
        return int(moment.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())

    return day_start


def compact(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The same state in fewer rows: what the store may write instead when it has read all of a table."""
    groups = ["rule", "step", "key", "pane", "until"]
    merged: dict[tuple[object, ...], Pane] = {}
    panes = tables["window_panes"]
    for *group, in_row in panes.select(*groups, pl.struct(CONTENT)).iter_rows():
        merged.setdefault(tuple(group), Pane()).add(pane_of([in_row[name] for name in CONTENT]))
    rows = [(*group, *(getattr(pane, name) for name in CONTENT)) for group, pane in merged.items()]
    return {
        "window_panes": pl.DataFrame(rows, schema=STATE_TABLES["window_panes"], orient="row"),
        "window_members": tables["window_members"]
        .explode("members")
        .group_by(*groups, "line")
        .agg(pl.col("members").unique().sort())
        .select(*STATE_TABLES["window_members"]),
        "finding_revisions": tables["finding_revisions"].sort("revision").unique("id", keep="last"),
    }

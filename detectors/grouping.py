"""What a batch adds to all windows: its events by rule, step, key and pane, for all rules in one pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.matching import Different, Matcher, untold
from detectors.panes import EVIDENCE, MEMBER_CAP, MEMBERS, PANES, SETS
from detectors.rules import Line, Rule, Step
from detectors.summary import ASKED, WHO, micros, objects, stamp, subjects, values
from detectors.windows import DAY, Grid
from parsers.events import CONTEXT, EVENTS, FACTS, UTC

COLUMNS = EVENTS | FACTS | CONTEXT
_LAST_SECOND = 253_402_000_000  # near the end of the year 9999, the last that a datetime holds
_EVEN = np.uint64(2**64 - 2)
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Counting:
    """A step and how its events are grouped. `name`: of the rule's state."""

    rule: Rule
    number: int
    name: str
    grid: Grid

    @property
    def step(self) -> Step:
        return self.rule.steps[self.number]

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is measured of the step's events."""
        return self.rule.lines if self.number == 0 else ()

    @property
    def width(self) -> int:
        """Seconds of a pane; 0: a local day."""
        span = self.rule.timespan_seconds
        return self.grid.pane_seconds or (span if span < DAY else 0)

    @property
    def lasts(self) -> int:
        """Seconds from the begin of a pane to the end of all windows and buckets that hold it."""
        span = self.rule.timespan_seconds
        return (self.grid.pane_seconds or min(span, DAY)) + span + DAY


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups in order of step, then key, then pane."""

    steps: I64  # place of the step
    codes: I64  # different for different keys of a step
    keys: list[str]
    starts: I64  # first second of the pane
    measures: I64  # of each line: events, sum, or how many members; a column a line
    panes: pl.DataFrame  # rows of PANES
    members: pl.DataFrame  # rows of MEMBERS
    of_members: I64  # the group of each row of `members`


class Grouping:
    def __init__(self, steps: Sequence[Counting], zone: ZoneInfo) -> None:
        self._steps = steps
        self._zone = str(zone)
        self._lines = max((len(step.lines) for step in steps), default=0)
        self._widths = np.array([step.width for step in steps], np.int64)
        self._summed = np.array([step.step.amounts == "summed" for step in steps], np.bool_)
        self._asked = [place for place, step in enumerate(steps) if step.step.amounts == "asked"]
        self._untold = Matcher([untold(steps[place].step) for place in self._asked])
        self._alone = np.array([step.rule.kind == "single" for step in steps], np.bool_)
        self._subjects = list(dict.fromkeys(step.rule.subject for step in steps))
        self._subject = np.array([self._subjects.index(step.rule.subject) for step in steps], np.int64)
        self._names = pl.Series("rule", [step.name for step in steps], pl.String)
        self._numbers = pl.Series("step", [step.number for step in steps], pl.UInt8)
        self._lasts = np.array([step.lasts for step in steps], np.int64)
        self._counts = np.array([len(step.lines) for step in steps], np.int64)
        asked = [name for step in steps for name in (*step.rule.subject, *(line.field for line in step.lines))]
        self._columns = [name for name in COLUMNS if name in {*asked, *ASKED}]

    def of(self, acts: pl.DataFrame, pairs: pl.DataFrame) -> Groups | None:
        """`pairs`: the place of a step and of an event that it counts; None where nothing is counted."""
        if pairs.is_empty():
            return None
        hits, steps, rows = _hits(acts.select(self._columns), pairs)
        later = self._later(acts, pairs)
        codes, texts = self._keys(hits, steps, rows)
        known = codes >= 0
        steps, rows, codes, later = steps[known], rows[known], codes[known], later[known]
        if not len(steps):
            return None
        starts = self._starts(hits)(steps, rows)
        order = np.lexsort((rows, starts, codes, steps))
        pairs_ = _Pairs(hits, steps[order], rows[order], codes[order], starts[order], later[order])
        sums = self._sums(pairs_)
        members, of_members, sizes = self._members(pairs_)
        measures = self._measures(pairs_, sums, sizes)
        keys = [texts[code] for code in pairs_.codes[pairs_.firsts].tolist()]
        steps, starts = pairs_.steps[pairs_.firsts], pairs_.starts[pairs_.firsts]
        head = self._head(steps, keys, starts)
        panes = pl.DataFrame([*head, *sums, *_lists(pairs_), self._amounts(steps, measures)]).select(*PANES)
        held = pl.DataFrame([series.gather(of_members) for series in head]).with_columns(members).select(*MEMBERS)
        return Groups(steps, pairs_.codes[pairs_.firsts], keys, starts, measures, panes, held, of_members)

    def _later(self, acts: pl.DataFrame, pairs: pl.DataFrame) -> Flags:
        """Of each pair: does its event only bring the amount of an act that is counted already?

        An outcome does where the step sums amounts; and where the step asks for them, if it would fit without: then the
        record of the act itself fitted.
        """
        steps, rows = (pairs.get_column(name).to_numpy().astype(np.int64) for name in ("step", "row"))
        outcome = (acts.get_column("record_role") == "outcome").fill_null(value=False)
        if not outcome.any():
            return np.zeros(len(steps), np.bool_)
        later = self._summed[steps]
        if self._asked:
            told = np.flatnonzero(outcome.to_numpy())
            fitting = self._untold.matches(acts[told])
            places = np.array(self._asked, np.int64)[fitting.get_column("step").to_numpy()]
            fits = places * acts.height + told[fitting.get_column("row").to_numpy()]
            later = later | np.isin(steps * acts.height + rows, fits)
        only: Flags = later & outcome.to_numpy()[rows]
        return only

    def _keys(self, hits: pl.DataFrame, steps: I64, rows: I64) -> tuple[I64, list[str]]:
        """The key of each pair as a place in a list of texts; -1 where nobody is named and somebody must be.

        Adding up the acts of different people would accuse nobody in particular.
        """
        codes = np.full(len(steps), -1, np.int64)
        texts: list[str] = []
        of_pair = self._subject[steps]
        for place, subject in enumerate(self._subjects):
            mine = np.flatnonzero(of_pair == place)
            if not len(mine):
                continue
            asked, back = _used(rows[mine], hits.height)
            columns = [hits.get_column(name).gather(asked) for name in subject]
            keys = Different.of(columns)
            nobody = columns[-1].is_null().to_numpy()[back] & ~self._alone[steps[mine]]
            codes[mine] = np.where(nobody, -1, len(texts) + keys.codes[back])
            texts += [key_text(key) for key in keys.table.rows()]
        return codes, texts

    def _starts(self, hits: pl.DataFrame) -> Callable[[I64, I64], I64]:
        """First second of the pane of a step's event."""
        seconds = hits.get_column("_micros").to_numpy() // 1_000_000
        days = np.zeros(0, np.int64)
        if not self._widths.all():
            local = pl.col("occurred_at").dt.convert_time_zone(self._zone).dt.truncate("1d").dt.epoch("s")
            days = hits.select(local.alias("day")).get_column("day").to_numpy()

        def starts(steps: I64, rows: I64) -> I64:
            widths, at = self._widths[steps], seconds[rows]
            aligned = at - at % np.maximum(widths, 1)
            return np.where(widths > 0, aligned, days[rows]) if len(days) else aligned

        return starts

    def _sums(self, pairs: _Pairs) -> list[pl.Series]:
        """Counts and sums of each group, named as in `windows.Pane`."""
        table = pairs.hits.select(expression.cast(pl.Int64).alias(name) for name, expression in values().items())
        numbers = table.to_numpy()[pairs.rows]
        later = table.columns.index("later")
        numbers[:, later] = pairs.later
        numbers[:, table.columns.index("rows_unknown")] -= (
            numbers[:, later] * numbers[:, table.columns.index("rows_told")]
        )
        numbers[:, later] = 1 - numbers[:, later]
        added = np.add.reduceat(numbers, pairs.firsts, axis=0)
        micros = pairs.hits.get_column("_micros").to_numpy()[pairs.rows]
        named_ = {"events" if name == "later" else name: added[:, place] for place, name in enumerate(table.columns)}
        named_ |= {"first_at": micros[pairs.firsts], "last_at": micros[pairs.ends - 1]}
        return [pl.Series(name, numbers) for name, numbers in named_.items()]

    def _measures(self, pairs: _Pairs, sums: list[pl.Series], sizes: dict[int, I64]) -> I64:
        """What each line measures of each group."""
        events = next(series for series in sums if series.name == "events").to_numpy()
        steps = pairs.steps[pairs.firsts]
        measures = np.zeros((len(steps), self._lines), np.int64)
        for place in np.unique(steps).tolist():
            mine = steps == place
            for number, line in enumerate(self._steps[place].lines):
                if line.measure == "events":
                    measures[mine, number] = events[mine]
                elif line.measure == "sum":
                    assert line.field is not None
                    amounts = pairs.hits.get_column(line.field).cast(pl.Int64).fill_null(0).to_numpy()[pairs.rows]
                    measures[mine, number] = np.add.reduceat(amounts, pairs.firsts)[mine]
                elif number in sizes:
                    measures[mine, number] = sizes[number][mine]
        return measures

    def _amounts(self, steps: I64, measures: I64) -> pl.Series:
        """One number a line: its sum, or 0 where it measures something else."""
        summed = np.array(
            [[*(line.measure == "sum" for line in step.lines), *[False] * self._lines][: self._lines] for step in self._steps],
            np.int64,
        ).reshape(len(self._steps), self._lines)  # fmt: skip
        if not self._lines:
            return pl.Series("amounts", [[]] * len(steps), pl.List(pl.Int64))
        table = pl.DataFrame(measures * summed[steps])
        counts = pl.lit(pl.Series(self._counts[steps]))
        return table.select(pl.concat_list(pl.all()).list.head(counts).alias("amounts")).get_column("amounts")

    def _members(self, pairs: _Pairs) -> tuple[list[pl.Series], I64, dict[int, I64]]:
        """Columns line and members, the group of each; of each line how many members each group has."""
        hashes: dict[tuple[str, bool], _Hashes] = {}
        owners, found = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        for place in np.unique(pairs.steps).tolist():
            sets = [(number, line) for number, line in enumerate(self._steps[place].lines) if line.measure in SETS]
            mine = np.flatnonzero(pairs.steps == place) if sets else np.zeros(0, np.int64)
            for number, line in sets:
                assert line.field is not None
                kind = line.field, line.measure == "adjacent"
                if kind not in hashes:
                    hashes[kind] = _Hashes(pairs.hits, *kind)
                places, members = hashes[kind].of(pairs.rows[mine])
                owners.append(pairs.groups[mine][places] * self._lines + number)
                found.append(members)
        owner, member = _distinct(np.concatenate(owners), np.concatenate(found))
        firsts = np.flatnonzero(np.diff(owner, prepend=-1))
        counts = np.diff(np.append(firsts, len(owner)))
        groups, lines = np.divmod(owner[firsts], max(self._lines, 1))
        sizes = {}
        for number in np.unique(lines).tolist():
            sizes[number] = np.zeros(len(pairs.firsts), np.int64)
            sizes[number][groups[lines == number]] = counts[lines == number]
        kept = np.arange(len(owner)) - np.repeat(firsts, counts) < MEMBER_CAP  # the smallest
        table = pl.DataFrame({"owner": owner[kept], "members": member[kept]})
        held = table.group_by("owner", maintain_order=True).agg("members").get_column("members")
        return [pl.Series("line", lines.astype(np.uint8)), held], groups, sizes

    def _head(self, steps: I64, keys: list[str], starts: I64) -> list[pl.Series]:
        """What names a pane in the store."""
        ends = np.minimum(starts + self._lasts[steps], _LAST_SECOND) * 1_000_000
        return [
            self._names.gather(steps),
            self._numbers.gather(steps),
            pl.Series("key", keys, pl.String),
            pl.Series("pane", starts),
            pl.Series("until", ends).cast(UTC),
        ]


class _Pairs:
    """Pairs of a step and an event in order of group, then time."""

    def __init__(self, hits: pl.DataFrame, steps: I64, rows: I64, codes: I64, starts: I64, later: Flags) -> None:
        self.hits = hits
        self.later = later  # see `Grouping._later`
        self.steps, self.rows, self.codes, self.starts = steps, rows, codes, starts
        new = np.ones(len(steps), np.bool_)
        new[1:] = (steps[1:] != steps[:-1]) | (codes[1:] != codes[:-1]) | (starts[1:] != starts[:-1])
        self.firsts = np.flatnonzero(new)
        self.ends = np.append(self.firsts[1:], len(steps))
        self.groups = np.cumsum(new) - 1


class _Hashes:
    """Hashed members that each event has. Hashes are stable for one version of Polars, which outlives a window."""

    def __init__(self, hits: pl.DataFrame, field: str, adjacent: bool) -> None:
        column = hits.get_column(field)
        counts = column.is_not_null().to_numpy().astype(np.int64)
        if column.dtype.base_type() is pl.List:
            counts = column.list.len().fill_null(0).to_numpy().astype(np.int64)
            column = column.explode(empty_as_null=False, keep_nulls=False)
            if column.null_count():
                rows = np.repeat(np.arange(hits.height), counts)
                counts = np.bincount(rows[column.is_not_null().to_numpy()], minlength=hits.height)
        values = column.drop_nulls()
        found = values.hash(seed=0).to_numpy()
        if adjacent:
            counts *= 2
            before = (values - 1).hash(seed=0).to_numpy()
            found = np.column_stack([found & _EVEN, before & _EVEN | np.uint64(1)]).reshape(-1)
        self._found = found
        self._counts = counts
        self._firsts = np.cumsum(counts) - counts

    def of(self, rows: I64) -> tuple[I64, U64]:
        """(place in `rows`, member) for every member of these events."""
        counts = self._counts[rows]
        places = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        return places, self._found[self._firsts[rows][places] + within]


# made once: `json.dumps` makes an encoder for every call that asks for other than its defaults
_ENCODED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def key_text(key: tuple[object, ...]) -> str:
    return _ENCODED(key)


def _hits(acts: pl.DataFrame, pairs: pl.DataFrame) -> tuple[pl.DataFrame, I64, I64]:
    """The events that are counted at all, in order of time and id; of each pair the step and the place among these."""
    rows, back = _used(pairs.get_column("row").to_numpy(), acts.height)
    hits = acts[rows].with_columns(micros(), *subjects()).with_row_index("_row").sort("_micros", "event_id")
    places = np.empty(len(rows), np.int64)
    places[hits.get_column("_row").to_numpy()] = np.arange(len(rows))
    return hits, pairs.get_column("step").to_numpy().astype(np.int64), places[back]


def _used(places: npt.NDArray[np.integer[Any]], count: int) -> tuple[I64, I64]:
    """Which of `count` places are named, in order; and of each naming the place among these."""
    named = np.zeros(count, np.bool_)
    named[places] = True
    return np.flatnonzero(named), (np.cumsum(named) - 1)[places]


def _distinct(owners: I64, members: U64) -> tuple[I64, U64]:
    """Different members of each owner, in order of the owners, and of the first 40 bits of the members."""
    # nearly in order of the members, which is a single sort; equal ones lie beside each other
    order = np.argsort(owners.astype(np.uint64) << np.uint64(40) | members >> np.uint64(24))
    owners, members = owners[order], members[order]
    new = np.ones(len(owners), np.bool_)
    new[1:] = (owners[1:] != owners[:-1]) | (members[1:] != members[:-1])
    return owners[new], members[new]


def _lists(pairs: _Pairs) -> list[pl.Series]:
    """Evidence, who came first, classes and objects of each group."""
    hits = pairs.hits
    early = np.flatnonzero(np.arange(len(pairs.rows)) - pairs.firsts[pairs.groups] < EVIDENCE)
    stamps = hits.select("_micros", "event_id")[pairs.rows[early]].select(stamp())
    evidence = _listed(pairs, pairs.groups[early], stamps.get_column("_stamp"))
    # who and where repeats, and so does what is concerned: each kind of it is looked at once
    who = Different.of([hits.get_column(name) for name in WHO])
    first = who.table.select(pl.concat_list(WHO).alias("first")).get_column("first")
    first = first.gather(who.codes[pairs.rows[pairs.firsts]])
    kinds = Different.of(
        [hits.get_column(name) for name in ("output_classes", "reads", "writes", "object_name", "file_shape")]
    )
    named = kinds.table.select(pl.col("output_classes").alias("classes"), objects().alias("objects"))
    count = len(kinds.counts)
    different = np.divmod(np.unique(pairs.groups * count + kinds.codes[pairs.rows]), count)
    names = [_names(pairs, *different, series) for series in named.iter_columns()]
    return [evidence.alias("evidence"), first, *names]


def _names(pairs: _Pairs, groups: I64, kinds: I64, named: pl.Series) -> pl.Series:
    """The first names of each group in order of the alphabet. `named`: those of each kind."""
    lists = [[name for name in names or () if name is not None] for names in named.to_list()]
    alphabet = sorted({name for names in lists for name in names})
    ranks = {name: rank for rank, name in enumerate(alphabet)}
    counts = np.array([len(names) for names in lists], np.int64)
    firsts = np.cumsum(counts) - counts
    flat = np.array([ranks[name] for names in lists for name in names], np.int64)
    places = np.repeat(np.arange(len(groups)), counts[kinds])
    within = np.arange(len(places)) - np.repeat(np.cumsum(counts[kinds]) - counts[kinds], counts[kinds])
    width = max(len(alphabet), 1)
    different = np.unique(groups[places] * width + flat[firsts[kinds][places] + within])
    owners = different // width
    kept = np.arange(len(owners)) - np.searchsorted(owners, owners) < EVIDENCE
    chosen = pl.Series("name", alphabet, pl.String).gather(different[kept] % width)
    return _listed(pairs, owners[kept], chosen).alias(named.name)


def _listed(pairs: _Pairs, owners: I64, values: pl.Series) -> pl.Series:
    """The values of each group as a list. `owners` are in order."""
    named = pl.DataFrame([pl.Series("group", owners), values]).group_by("group", maintain_order=True).agg(values.name)
    if named.height == len(pairs.firsts):
        return named.get_column(values.name)
    places = np.full(len(pairs.firsts), -1, np.int64)
    places[named.get_column("group").to_numpy()] = np.arange(named.height)
    nothing = pl.Series(values.name, [[]], named.schema[values.name])
    return pl.concat([named.get_column(values.name), nothing]).gather(np.where(places < 0, named.height, places))

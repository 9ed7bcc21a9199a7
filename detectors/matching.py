"""Which events of a batch match which steps: what all rules ask in common is asked once, and once a class of events.

Two events of one class have the same answer to every test of every rule, so a class is judged once and remembered. A class
is the values of columns whose values are few (verb, outcome, classes of data ...) and the answers to the tests on all
others (names, paths, numbers). Ordinary work falls into a few hundred classes, nearly all of which match nothing.

The answers are those of `expressions.expression`, which stays the meaning of a condition.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.conditions import CLOSED, All, Ask, Either, Not, Tree
from detectors.expressions import expression
from detectors.rules import Step

# Columns whose values are part of a class: a closed list, or few in practice. The answers are right in any case.
FEW = CLOSED | frozenset({
    "command", "command_class", "object_type", "error_code", "reason", "format", "dump_tool", "vendor_tier", "client_program", "database",
    "output_classes", "used_classes", "aggregate_functions", "aggregate_by", "dangerous", "injection",
})  # fmt: skip
# Long texts that come again and again: each is searched once.
REPEATED = frozenset({"shape"})
CLASSES = 20_000  # classes whose answers are remembered
TEXTS = 20_000  # texts whose answers are remembered
LONGEST_TEXT = 500  # longer ones are remembered by a digest, so that they do not fill the memory
_WORD = 64  # answers that fit into one column of a class
_AMOUNTS = ("rows", "bytes")
_UNTOLD = ("rows_kind", "bytes_kind", "outcome")  # `unknown` in a record that is followed by an outcome
_TRANSFERS = ("upload", "download", "delete", "rename", "mkdir", "rmdir", "chmod", "link", "list", "command")

Bits = npt.NDArray[np.uint64]
_Number = TypeVar("_Number", np.int64, np.uint64)


def whole(step: Step) -> Tree:
    """The step's condition with what its category and its roles ask."""
    transfer = Either(tuple(Ask("action", "same", name) for name in _TRANSFERS))
    spoken = All((Ask("dialect", "present"), Not(transfer)))
    categories: dict[str, tuple[Tree, ...]] = {
        "database": (Either((Ask("action", "same", "query"), spoken)),),
        "transfer": (transfer,),
    }
    counted: Tree = Either(tuple(Ask("record_role", "same", role) for role in step.roles))
    if step.amounts:  # outcomes that tell an amount, where the rule is about amounts
        told = Either((Ask("rows", "present"), Ask("bytes", "present")))
        counted = Either((counted, All((Ask("record_role", "same", "outcome"), told))))
    return All((*categories.get(step.category, ()), counted, step.tree))


def untold(step: Step) -> Step:
    """The step as it is asked of a record that tells neither how much was moved nor how it ended."""
    return replace(step, tree=_untold(step.tree))


def _untold(tree: Tree) -> Tree:
    if isinstance(tree, Not):
        return Not(_untold(tree.part))
    if isinstance(tree, All):
        return All(tuple(_untold(part) for part in tree.parts))
    if isinstance(tree, Either):
        return Either(tuple(_untold(part) for part in tree.parts))
    if tree.column in _AMOUNTS:
        holds = tree.op == "missing"
    elif tree.column in _UNTOLD:
        holds = tree.op == "present" or (tree.op == "same" and tree.value == "unknown")
    else:
        return tree
    return All(()) if holds else Either(())


class Matcher:
    """Judges batches. Remembers answers, which depend on nothing but the events asked about."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._graph = _Graph([whole(step) for step in steps])
        asks = self._graph.asks
        self._columns = sorted({ask.column for ask in asks})
        self._few = {name: [ask for ask in asks if ask.column == name] for name in self._columns if name in FEW}
        own = [ask for ask in asks if ask.column not in FEW | REPEATED]
        self._parts = [_Answers(part) for part in _words(own)]
        for name in REPEATED & set(self._columns):
            self._parts += [_TextAnswers(name, part) for part in _words([ask for ask in asks if ask.column == name])]
        self._known: dict[Hashable, tuple[int, ...]] = {}

    def matches(self, acts: pl.DataFrame) -> pl.DataFrame:
        """Pairs of a step's place and a row's: columns step and row, in no order."""
        if not self._columns or acts.is_empty():
            return _pairs(())
        present = frozenset(name for name in self._columns if acts.get_column(name).null_count() < acts.height)
        values = [acts.get_column(name) for name in self._few if name in present]
        parts = [part for part in self._parts if part.columns & present]
        answers = [pl.Series(f"_{place}", part.of(acts, present)) for place, part in enumerate(parts)]
        classes = Different.of([*values, *answers])
        return _pairs(self._judged(classes.table, parts, present), classes)

    def _judged(
        self, classes: pl.DataFrame, parts: Sequence[_Answers], present: frozenset[str]
    ) -> list[tuple[int, ...]]:
        """The steps that each class matches."""
        # What is absent is part of the key: classes of batches with other columns must not meet.
        keys: list[Hashable] = [
            (present, *row) for row in zip(*(_hashable(series) for series in classes.iter_columns()), strict=True)
        ]
        new = [place for place, key in enumerate(keys) if key not in self._known]
        if new:
            if len(self._known) + len(new) > CLASSES:
                self._known.clear()
                new = list(range(len(keys)))
            told = self._graph.judged(self._asked(classes[new], parts, present), len(new))
            self._known.update(zip((keys[place] for place in new), told, strict=True))
        return [self._known[key] for key in keys]

    def _asked(self, classes: pl.DataFrame, parts: Sequence[_Answers], present: frozenset[str]) -> dict[Ask, int]:
        """The answers to each test for the classes, as one number: bit n is that of class n."""
        every = (1 << classes.height) - 1
        told = {ask: every if ask.op == "missing" else 0 for ask in self._graph.asks if ask.column not in present}
        asked = [ask for name, asks in self._few.items() if name in present for ask in asks]
        table = classes.select(expression(ask).alias(str(place)) for place, ask in enumerate(asked))
        told |= {ask: _number(series.to_numpy()) for ask, series in zip(asked, table.iter_columns(), strict=True)}
        for place, part in enumerate(parts):
            bits = classes.get_column(f"_{place}").to_numpy()
            told |= {
                ask: _number(bits >> np.uint64(at) & np.uint64(1) == 1)
                for at, ask in enumerate(part.asks)
                if ask.column in present
            }
        return told


class _Answers:
    """The answers to some tests, row by row, as bits of one number."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        self.asks = tuple(asks)
        self.columns = frozenset(ask.column for ask in asks)
        self._expressions = [expression(ask).alias(str(place)) for place, ask in enumerate(asks)]

    def of(self, acts: pl.DataFrame, present: frozenset[str]) -> Bits:
        """Tests of columns that are not `present` are left out: they are answered for all rows at once."""
        asked = (one for one, ask in zip(self._expressions, self.asks, strict=True) if ask.column in present)
        table = acts.select(asked)
        answers = np.zeros((acts.height, _WORD), np.bool_)
        for series in table.iter_columns():
            answers[:, int(series.name)] = series.to_numpy()
        return np.packbits(answers, axis=1, bitorder="little").view(np.uint64).reshape(-1)


class _TextAnswers(_Answers):
    """The answers to tests that search one column: each different text is searched once, and its answers remembered."""

    def __init__(self, column: str, asks: Sequence[Ask]) -> None:
        super().__init__(asks)
        self._column = column
        self._known: dict[Hashable, int] = {}

    def of(self, acts: pl.DataFrame, present: frozenset[str]) -> Bits:  # noqa: ARG002 - asked only where its column is
        texts = Different.of([acts.get_column(self._column)])
        return texts.spread(np.array(self._looked_up(texts.table.get_column(self._column)), np.uint64))

    def _looked_up(self, texts: pl.Series) -> list[int]:
        keys = [_brief(text) for text in texts.to_list()]
        told = [self._known.get(key, -1) for key in keys]
        new = [place for place, bits in enumerate(told) if bits < 0]
        if new:
            fresh = super().of(texts[new].to_frame(), self.columns).tolist()
            if len(self._known) + len(new) > TEXTS:
                self._known.clear()
            for place, bits in zip(new, fresh, strict=True):
                told[place] = self._known[keys[place]] = bits
        return told


def _brief(text: str | None) -> str | bytes | None:
    if text is None or len(text) <= LONGEST_TEXT:
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Graph:
    """The trees of all steps with every common part once."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._nodes: dict[Tree, int] = {}
        self._order: list[tuple[Tree, tuple[int, ...]]] = []
        self._roots = [self._place(tree) for tree in trees]

    @property
    def asks(self) -> list[Ask]:
        return [node for node in self._nodes if isinstance(node, Ask)]

    def judged(self, answers: dict[Ask, int], count: int) -> list[tuple[int, ...]]:
        """For each of `count` classes the trees that hold. `answers`: a bit a class."""
        every = (1 << count) - 1
        values: list[int] = []
        for node, parts in self._order:
            if isinstance(node, Ask):
                value = answers[node]
            elif isinstance(node, Not):
                value = every ^ values[parts[0]]
            elif isinstance(node, All):
                value = every
                for part in parts:
                    value &= values[part]
            else:
                value = 0
                for part in parts:
                    value |= values[part]
            values.append(value)
        found: list[list[int]] = [[] for _ in range(count)]
        for tree, root in enumerate(self._roots):
            for place in _places(values[root]):
                found[place].append(tree)
        return [tuple(trees) for trees in found]

    def _place(self, node: Tree) -> int:
        if node not in self._nodes:
            parts = () if isinstance(node, Ask) else (node.part,) if isinstance(node, Not) else node.parts
            places = tuple(self._place(part) for part in parts)
            self._nodes[node] = len(self._order)
            self._order.append((node, places))
        return self._nodes[node]


def _words(asks: Sequence[Ask]) -> Iterator[Sequence[Ask]]:
    return (asks[start : start + _WORD] for start in range(0, len(asks), _WORD))


@dataclass(frozen=True, slots=True)
class Different:
    """The different rows of some columns: `table` has each once; the n-th is at `counts[n]` of `rows`, one after the other."""

    table: pl.DataFrame
    rows: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, columns: Sequence[pl.Series]) -> Different:
        names = [series.name for series in columns]
        places = pl.Series("_row", np.arange(len(columns[0]), dtype=np.uint32))
        groups = pl.DataFrame([*columns, places]).group_by(names).agg("_row", pl.len().alias("_len"))
        rows = groups.get_column("_row").explode(empty_as_null=False, keep_nulls=False).to_numpy()
        counts = groups.get_column("_len").to_numpy().astype(np.int64)
        return cls(pl.DataFrame([groups.get_column(name) for name in names]), rows, counts)

    def spread(self, values: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        """One value a different row, for every row."""
        spread = np.empty(len(self.rows), values.dtype)
        spread[self.rows] = np.repeat(values, self.counts)
        return spread

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """For every row, which of the different ones it is."""
        return self.spread(np.arange(len(self.counts)))


def _pairs(told: Sequence[tuple[int, ...]], classes: Different | None = None) -> pl.DataFrame:
    """Every row of a class with every step of it."""
    found = [(place, step) for place, steps in enumerate(told) for step in steps]
    if not found or classes is None:
        return pl.DataFrame(schema={"step": pl.UInt16, "row": pl.UInt32})
    ends = np.cumsum(classes.counts)
    rows = [classes.rows[ends[place] - classes.counts[place] : ends[place]] for place, _ in found]
    steps = np.repeat(np.array([step for _, step in found], np.uint16), [len(part) for part in rows])
    return pl.DataFrame({"step": steps, "row": np.concatenate(rows)})


def _hashable(series: pl.Series) -> list[Hashable]:
    values = series.to_list()
    return [None if value is None else tuple(value) for value in values] if series.dtype == pl.List else values


def _number(answers: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(answers, bitorder="little").tobytes(), "little")


def _places(bits: int) -> Iterator[int]:
    while bits:
        least = bits & -bits
        yield least.bit_length() - 1
        bits ^= least

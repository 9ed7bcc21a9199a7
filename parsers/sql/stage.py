"""EVENTS -> EVENTS + FACTS, by column: facts are made once a shape, values of literals and binds are taken per event.

A statement's shape is its text without literals. New shapes go to `analyse` (worker processes and the catalogue, handed
in); the facts of known ones lie in one frame that is joined. What depends on values (bound, offset, patient keys, `id > 0`)
is worked out from the places that the facts name, only for the events whose shape names some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from parsers.events import FACTS
from parsers.sql import objects
from parsers.sql.facts import EVERYTHING, NO_KEY, StatementFacts
from parsers.sql.shape import LIST_MARK, literals_of, read, shape_ids

CAPACITY = 100_000  # shapes whose facts are kept
MAX_VALUES = 5_000  # values of patient keys taken from one statement; their count is exact up to there

_PLACES = pl.List(pl.UInt16)
# Where values stand, per shape: ordinals from 1, of literal places and of binds.
SLOTS: dict[str, pl.DataType] = {
    "fixed_bound": pl.Int64(),
    "key_literals": _PLACES, "key_binds": _PLACES,
    "limit_literals": _PLACES, "limit_binds": _PLACES,
    "offset_literals": _PLACES, "offset_binds": _PLACES,
    "loose_restriction": pl.String(),
    "loose_tests": pl.List(pl.Struct({"bind": pl.Boolean(), "ordinal": pl.UInt16(), "test": pl.String()})),
    "valued": pl.Boolean(),  # any of the above: its values are needed
}  # fmt: skip
_PER_EVENT = ("bound", "restriction", "patient_keys", "patient_key_count", "patient_key_number", "row_offset")
_BY_SHAPE = tuple(name for name in FACTS if name not in _PER_EVENT or name == "restriction")


@dataclass(frozen=True, slots=True)
class Analysed:
    """`text_bound`: the facts hold for this text alone, since SQL inside a literal of it was read."""

    facts: StatementFacts
    text_bound: bool = False


Analyse = Callable[[Sequence[tuple[str, str, str]]], Sequence[Analysed]]  # (dialect, sample text, shape)


class Understanding:
    """The cache of facts. `shape_key`: for shape ids that nobody can compute who does not have it."""

    def __init__(self, analyse: Analyse, shape_key: bytes, *, capacity: int = CAPACITY) -> None:
        self._analyse = analyse
        self._key = shape_key
        self._capacity = capacity
        self._known = pl.DataFrame(
            schema={"dialect": pl.String(), "key": pl.String(), "seen": pl.Int64(), **_known_schema()}
        )
        self._bound_shapes: set[tuple[str, str]] = set()  # (dialect, shape) whose facts depend on the text
        self._stored: set[str] = set()
        self._fresh: pl.DataFrame | None = None
        self._batch = 0
        self.evicted = 0

    # -- with the store --------------------------------------------------------------------------------------------

    def stored(self, shape_ids_: set[str]) -> None:
        """Shapes that the store has (at a start, or after a commit that failed)."""
        self._stored = set(shape_ids_)
        self._fresh = None

    def new_shapes(self) -> pl.DataFrame:
        """FACTS of the last batch's shapes that the store does not have."""
        empty = pl.DataFrame(schema={name: FACTS[name] for name in _BY_SHAPE})
        return empty if self._fresh is None else self._fresh

    def committed(self) -> None:
        if self._fresh is not None:
            self._stored.update(self._fresh["shape_id"])
            self._fresh = None

    # -- the batch -------------------------------------------------------------------------------------------------

    def attach(self, events: pl.DataFrame) -> pl.DataFrame:
        """The same rows in the same order with FACTS; null where there is no statement."""
        self._batch += 1
        events = events.with_columns(_spoken().alias("_spoken"))
        spoken = events.select("dialect", statement="_spoken").drop_nulls("statement").unique()
        if spoken.is_empty():
            nothing = (pl.lit(None, dtype).alias(name) for name, dtype in FACTS.items())
            return events.drop("_spoken").with_columns(nothing)
        keyed = self._keyed(spoken)
        if self._learn(keyed):  # some facts depend on the text: its shape is not enough
            keyed = self._keyed(spoken)
            self._learn(keyed)
        facts = keyed.select("dialect", "statement", "key", "quick").join(
            self._known, on=["dialect", "key"], how="left", nulls_equal=True
        )
        self._note(facts)
        joined = events.join(
            facts.rename({"statement": "_spoken"}).drop("key", "seen"),
            on=["dialect", "_spoken"], how="left", maintain_order="left", nulls_equal=True,
        )  # fmt: skip
        return (
            _with_values(joined).drop("_spoken").select(*(name for name in events.columns if name != "_spoken"), *FACTS)
        )

    def _keyed(self, spoken: pl.DataFrame) -> pl.DataFrame:
        """Each distinct text with its shape and the key its facts are known under (the text itself where they depend on it)."""
        parts = [
            _read(part["statement"], dialect or "postgres").with_columns(dialect=pl.lit(dialect, pl.String))
            for (dialect,), part in spoken.group_by("dialect", maintain_order=True)
        ]
        keyed = pl.concat(parts)
        if not self._bound_shapes:
            return keyed.with_columns(key=pl.col("shape"))
        bound = pl.DataFrame(list(self._bound_shapes), schema={"dialect": pl.String, "shape": pl.String}, orient="row")
        marked = keyed.join(
            bound.with_columns(own=True), on=["dialect", "shape"], how="left", maintain_order="left", nulls_equal=True
        )
        own = pl.col("shape") + "\0" + pl.col("statement")
        return marked.with_columns(key=pl.when(pl.col("own")).then(own).otherwise("shape")).drop("own")

    def _learn(self, keyed: pl.DataFrame) -> bool:
        """Analyse what is not known yet, one sample a key. True when some shapes turned out to depend on the text."""
        unknown = keyed.join(self._known.select("dialect", "key"), on=["dialect", "key"], how="anti", nulls_equal=True)
        # The sample does not matter for the facts; sorted, so that every run asks in the same order.
        samples = unknown.sort("statement").unique(["dialect", "key"], keep="first", maintain_order=True)
        if samples.is_empty():
            return False
        columns = samples.select("dialect", "statement", "shape", "key").rows()
        told = self._told([(dialect or "postgres", text, shape) for dialect, text, shape, _ in columns])
        rows, bound = [], len(self._bound_shapes)
        for (dialect, _, shape, key), one in zip(columns, told, strict=True):
            if one.text_bound and key == shape:
                self._bound_shapes.add((dialect, shape))
            else:
                rows.append({"dialect": dialect, "key": key, "seen": self._batch, "shape": shape, **_row(one.facts)})
        fresh = pl.DataFrame(rows, schema=self._known.schema)
        ids = shape_ids(
            fresh.select(pl.concat_str(pl.col("dialect").fill_null(""), "key", separator="\0"))["dialect"], self._key
        )
        self._known = pl.concat([self._known, fresh.with_columns(ids.alias("shape_id"))])
        self._evict()
        return len(self._bound_shapes) > bound

    def _told(self, asked: Sequence[tuple[str, str, str]]) -> list[Analysed]:
        """Facts of statements, and of objects that a record names without its statement."""
        named = [objects.read(text) for _, text, _ in asked]
        texts = [
            (dialect, objects.as_select(dialect, name.object), shape) if name else (dialect, text, shape)
            for (dialect, text, shape), name in zip(asked, named, strict=True)
        ]
        return [
            Analysed(objects.without_statement(one.facts, name)) if name else one
            for one, name in zip(self._analyse(texts), named, strict=True)
        ]

    def _evict(self) -> None:
        if self._known.height > self._capacity:
            now = self._known.filter(pl.col("seen") == self._batch).height  # needed for this batch's events
            keep = self._known.sort("seen", descending=True, maintain_order=True).head(max(self._capacity // 2, now))
            self.evicted += self._known.height - keep.height
            self._known = keep

    def _note(self, facts: pl.DataFrame) -> None:
        """Which shapes this batch used, and which of them the store must be given."""
        used = facts.unique("shape_id")
        new = used.filter(~pl.col("shape_id").is_in(list(self._stored))) if self._stored else used
        before = self._fresh
        chosen = new.select(_BY_SHAPE)
        self._fresh = chosen if before is None else pl.concat([before, chosen]).unique("shape_id")
        recent = pl.when(pl.col("shape_id").is_in(used["shape_id"].implode())).then(self._batch).otherwise("seen")
        self._known = self._known.with_columns(recent.alias("seen"))


def _spoken() -> pl.Expr:
    """The statement, or where the log keeps that to itself the object it names, marked as such (`objects`)."""
    named = pl.col("object_name").is_not_null() & pl.col("command").is_not_null() & (pl.col("action") == "query")
    told = pl.concat_str(pl.lit(objects.MARK), "command", pl.lit(objects.BETWEEN), "object_name")
    return pl.coalesce("statement", pl.when(named).then(told))


def _read(texts: pl.Series, dialect: str) -> pl.DataFrame:
    """Statements with their shapes; a marked object is its own shape."""
    marked = texts.str.starts_with(objects.MARK)
    named = texts.filter(marked)
    parts = [read(texts.filter(~marked), dialect)]
    if len(named):
        parts.append(pl.DataFrame({"statement": named, "shape": named}).with_columns(quick=pl.lit(0, pl.Int8)))
    return pl.concat(parts)


def _known_schema() -> dict[str, pl.DataType]:
    return {name: FACTS[name] for name in _BY_SHAPE} | SLOTS


def _row(facts: StatementFacts) -> dict[str, object]:
    """The columns of one shape: its facts, and where its values stand."""
    row: dict[str, object] = {name: getattr(facts, name) for name in _BY_SHAPE if hasattr(facts, name)}
    for name, dtype in FACTS.items():
        if name in row and isinstance(dtype, pl.List):
            row[name] = list(row[name])  # type: ignore[call-overload]
    places: dict[str, list[int]] = {}
    for role, short in (("patient_key", "key"), ("limit", "limit"), ("offset", "offset")):
        for kind in ("literal", "bind"):
            places[f"{short}_{kind}s"] = [
                slot.ordinal for slot in facts.slots if (slot.role, slot.kind) == (role, kind)
            ]
    tests = [{"bind": t.kind == "bind", "ordinal": t.ordinal, "test": t.test} for t in facts.loose_tests]
    return (
        row
        | places
        | {
            "fixed_bound": facts.bound,
            "loose_restriction": facts.loose_restriction,
            "loose_tests": tests,
            "valued": any(places.values()) or bool(tests),
        }
    )


# -- values of events ---------------------------------------------------------------------------------------------------


def _with_values(joined: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that depend on literals and binds. `joined`: EVENTS with the columns of their shapes."""
    plain = joined.with_columns(
        bound=pl.col("fixed_bound"),
        patient_keys=pl.lit(None, FACTS["patient_keys"]),
        patient_key_count=pl.lit(None, FACTS["patient_key_count"]),
        patient_key_number=pl.lit(None, FACTS["patient_key_number"]),
        row_offset=pl.lit(None, FACTS["row_offset"]),
    )
    needed = plain["valued"].fill_null(value=False)
    if not needed.any():
        return plain
    rows = plain.with_row_index("_row").filter(needed)
    parts = [
        part.with_columns(literals_of(part, dialect or "postgres").alias("_literals"))
        for (dialect,), part in rows.group_by("dialect", maintain_order=True)
    ]
    valued = _values(pl.concat(parts)).select("_row", *(pl.col(f"_{name}").alias(name) for name in _PER_EVENT))
    kept = plain.with_row_index("_row").drop(_PER_EVENT)
    found = kept.join(valued.with_columns(_mine=True), on="_row", how="left", maintain_order="left")
    # rows without values keep what their shape says
    return found.with_columns(
        pl.when("_mine").then("restriction").otherwise(plain["restriction"]).alias("restriction"),
        pl.when("_mine").then("bound").otherwise(plain["bound"]).alias("bound"),
    )


def _taken(literal_places: str, bind_places: str) -> pl.Expr:
    """The values at the named places of literals, then of binds; an array that was bound gives its members."""
    value = pl.element()
    array = value.str.starts_with("{") & value.str.ends_with("}")
    members = (
        pl.when(array).then(value.str.strip_chars("{}").str.replace_all(",", LIST_MARK, literal=True)).otherwise(value)
    )
    from_text = pl.col("_literals").list.gather(_indices(literal_places), null_on_oob=True)
    from_binds = pl.col("parameters").list.gather(_indices(bind_places), null_on_oob=True).list.eval(members)
    nothing = pl.lit([], FACTS["patient_keys"])
    return pl.concat_list(from_text.fill_null(nothing), from_binds.fill_null(nothing)).list.drop_nulls()


def _indices(places: str) -> pl.Expr:
    return pl.col(places).cast(pl.List(pl.Int64)).list.eval(pl.element() - 1)


def _one(rows: pl.DataFrame, name: str) -> pl.Expr | None:
    """The value at the one literal place that each row has for `name`; None where some row has more, or a bind."""
    places = f"{name}_literals"
    if (rows[f"{name}_binds"].list.len().max() or 0) > 0 or (rows[places].list.len().max() or 0) > 1:  # type: ignore[operator]
        return None
    return pl.col("_literals").list.get(pl.col(places).list.first().cast(pl.Int64) - 1, null_on_oob=True)


def _greatest(rows: pl.DataFrame, name: str) -> pl.Expr:
    """The greatest whole number at the places for `name`."""
    one = _one(rows, name)
    if one is not None:
        return one.cast(pl.Int64, strict=False)
    return _taken(f"{name}_literals", f"{name}_binds").list.eval(pl.element().cast(pl.Int64, strict=False)).list.max()


def _values(rows: pl.DataFrame) -> pl.DataFrame:
    one = _one(rows, "key")
    keys = _taken("key_literals", "key_binds").list.join(LIST_MARK) if one is None else one
    has_keys = (pl.col("key_literals").list.len() + pl.col("key_binds").list.len()) > 0
    return (
        rows.with_columns(
            _keys=pl.when(has_keys & (keys != "")).then(keys.str.split(LIST_MARK)),
            _limit=_greatest(rows, "limit"),
            _row_offset=_greatest(rows, "offset"),
        )
        .with_columns(
            _patient_key_count=pl.col("_keys").list.len(), _patient_keys=pl.col("_keys").list.head(MAX_VALUES)
        )
        .with_columns(
            _bound=pl.coalesce("_limit", "fixed_bound"),
            _patient_key_number=pl.col("_keys").list.first().cast(pl.Int64, strict=False),
            _restriction=_restriction(rows),
        )
    )


def _restriction(rows: pl.DataFrame) -> pl.Series:
    """`loose_restriction` where every test on the values of the row holds, else what the shape says."""
    tested = (
        rows.with_row_index("_n")
        .filter(pl.col("loose_restriction").is_not_null() & (pl.col("loose_tests").list.len() > 0))
        .select("_n", "_literals", "parameters", "loose_tests")
        .explode("loose_tests")
        .unnest("loose_tests")
    )
    if tested.is_empty():
        return rows["restriction"]
    at = pl.col("ordinal").cast(pl.Int64) - 1
    value = (
        pl.when("bind")
        .then(pl.col("parameters").list.get(at, null_on_oob=True))
        .otherwise(pl.col("_literals").list.get(at, null_on_oob=True))
    )
    holds = (
        pl.when(pl.col("test") == "not_positive").then(value.cast(pl.Float64, strict=False) <= 0)
        .when(pl.col("test") == "at_most_one").then(value.cast(pl.Float64, strict=False) <= 1)
        .when(pl.col("test") == "all_wildcards").then(value.str.strip_chars().str.contains(EVERYTHING))
        .when(pl.col("test") == "empty").then(value.str.strip_chars() == "")
        .when(pl.col("test") == "no_key").then(value.str.strip_chars().is_in(NO_KEY))
        .otherwise(pl.lit(value=False))
    )  # fmt: skip
    loose = tested.select("_n", holds.fill_null(value=False).alias("holds")).group_by("_n").agg(pl.col("holds").all())
    marked = rows.with_row_index("_n").join(loose, on="_n", how="left", maintain_order="left")
    return marked.select(pl.when("holds").then("loose_restriction").otherwise("restriction").alias("restriction"))[
        "restriction"
    ]

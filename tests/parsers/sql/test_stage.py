from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl
import pytest

from parsers.events import EVENTS, FACTS, Origin, check, complete
from parsers.sql.facts import LooseTest, Slot, StatementFacts
from parsers.sql.stage import Analysed, Understanding

NOW = dt.datetime(2026, 11, 11, 2, 0, tzinfo=dt.UTC)
ORIGIN = Origin("his", "db1", "audit", "a.csv", "x", "0" * 16, 0, NOW)


def events(
    statements: Sequence[str | None],
    dialect: str | None = "postgres",
    parameters: Sequence[list[str] | None] | None = None,
) -> pl.DataFrame:
    count = len(statements)
    frame = pl.DataFrame(
        {
            "position": range(count),
            "length": [10] * count,
            "occurred_at": [NOW] * count,
            "action": ["query"] * count,
            "dialect": [dialect] * count,
            "statement": list(statements),
            "parameters": list(parameters or [None] * count),
        },
        schema_overrides={"statement": pl.String, "parameters": pl.List(pl.String), "dialect": pl.String},
    )
    return complete(frame, ORIGIN)


class Analyst:
    """Facts by shape, and what was asked for."""

    def __init__(self, by_shape: dict[str, StatementFacts], bound: Sequence[str] = ()) -> None:
        self.by_shape = by_shape
        self.bound = set(bound)
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, items: Sequence[tuple[str, str, str]]) -> list[Analysed]:
        self.asked += items
        return [Analysed(self.by_shape.get(shape, StatementFacts()), shape in self.bound) for _, _, shape in items]


POINT = "select name from patients where patient_id=0 limit 0 offset 0"
LOOKUP = StatementFacts(
    understood="ast", verb="select", reads=("patients",), output_classes=("identity",), restriction="point",
    slots=(
        Slot("patient_key", "patient_id", "literal", 1), Slot("limit", None, "literal", 2), Slot("offset", None, "literal", 3),
    ),
)  # fmt: skip
IN_LIST = "select name from patients where patient_id in(0)and sex='?'"
LIST = StatementFacts(
    understood="ast", verb="select", restriction="set", slots=(Slot("patient_key", "patient_id", "literal", 1, 3),)
)
BOUND = "select name from patients where patient_id=$1 limit $2"
BINDS = StatementFacts(
    understood="ast",
    restriction="point",
    slots=(Slot("patient_key", "patient_id", "bind", 1), Slot("limit", None, "bind", 2)),
)
RANGE = "select name from patients where patient_id>0"
LOOSE = StatementFacts(
    understood="ast",
    restriction="range",
    loose_restriction="none",
    loose_tests=(LooseTest("literal", 1, "not_positive"),),
)


def test_facts_are_made_once_a_shape_and_values_once_an_event() -> None:
    analyst = Analyst({POINT: LOOKUP})
    understanding = Understanding(analyst, b"k" * 32)
    told = understanding.attach(
        events(
            [f"SELECT name FROM patients WHERE patient_id = {i} LIMIT {10 * i} OFFSET {i}" for i in range(1, 6)]
            + [None]
        )
    )
    check(told, EVENTS, FACTS)
    assert len(analyst.asked) == 1
    assert told["patient_keys"].to_list() == [["1"], ["2"], ["3"], ["4"], ["5"], None]
    assert told["patient_key_count"].to_list() == [1, 1, 1, 1, 1, None]
    assert told["patient_key_number"].to_list() == [1, 2, 3, 4, 5, None]
    assert told["bound"].to_list() == [10, 20, 30, 40, 50, None]
    assert told["row_offset"].to_list() == [1, 2, 3, 4, 5, None]
    assert told["restriction"].to_list() == ["point"] * 5 + [None]
    assert told["understood"].to_list() == ["ast"] * 5 + [None]
    assert told["shape_id"].n_unique() == 2
    understanding.attach(events(["select name from patients where patient_id = 9 limit 1 offset 2"]))
    assert len(analyst.asked) == 1


def test_values_of_lists_binds_and_loose_predicates() -> None:
    understanding = Understanding(Analyst({IN_LIST: LIST, BOUND: BINDS, RANGE: LOOSE}), b"k" * 32)
    told = understanding.attach(
        events(
            [
                "SELECT name FROM patients WHERE patient_id IN (7, 8, 9) AND sex = 'F' -- x",
                "SELECT name FROM patients WHERE patient_id = $1 LIMIT $2",
                "SELECT name FROM patients WHERE patient_id = $1 LIMIT $2",
                "SELECT name FROM patients WHERE patient_id > 0",
                "SELECT name FROM patients WHERE patient_id > 500",
            ],
            parameters=[None, ["P01", "20"], None, None, None],
        )
    )
    assert told["patient_keys"].to_list() == [["7", "8", "9"], ["P01"], None, None, None]
    assert told["patient_key_count"].to_list() == [3, 1, None, None, None]
    assert told["patient_key_number"].to_list() == [7, None, None, None, None]
    assert told["bound"].to_list() == [None, 20, None, None, None]
    assert told["restriction"].to_list() == ["set", "point", "point", "none", "range"]


def test_order_and_rows_are_kept_over_dialects() -> None:
    understanding = Understanding(Analyst({}), b"k" * 32)
    mixed = pl.concat(
        [events(["SELECT 1", None, "SELECT 2"]), events(["SELECT 'a'"], "mysql"), events(["SELECT 3"], None)]
    )
    mixed = mixed.with_columns(event_id=pl.int_range(mixed.height).cast(pl.String))
    told = understanding.attach(mixed)
    assert told["event_id"].to_list() == ["0", "1", "2", "3", "4"]
    assert told["statement"].to_list() == ["SELECT 1", None, "SELECT 2", "SELECT 'a'", "SELECT 3"]
    assert told["shape"].to_list() == ["select 0", None, "select 0", "select'?'", "select 0"]
    check(understanding.attach(mixed.clear()), EVENTS, FACTS)
    check(understanding.attach(events([None, None])), EVENTS, FACTS)


def test_facts_that_depend_on_the_text_are_made_for_each_text() -> None:
    shape = "execute immediate'?'"
    analyst = Analyst({shape: StatementFacts(understood="lexical", dynamic=True)}, bound=[shape])
    understanding = Understanding(analyst, b"k" * 32)
    told = understanding.attach(events(["EXECUTE IMMEDIATE 'select 1'", "EXECUTE IMMEDIATE 'select 2'"], "oracle"))
    assert told["shape"].to_list() == [shape, shape]
    assert told["shape_id"].n_unique() == 2
    assert {text for _, text, _ in analyst.asked} == {"EXECUTE IMMEDIATE 'select 1'", "EXECUTE IMMEDIATE 'select 2'"}
    asked = len(analyst.asked)
    understanding.attach(events(["EXECUTE IMMEDIATE 'select 2'"], "oracle"))
    assert len(analyst.asked) == asked


def test_the_store_is_given_each_shape_once() -> None:
    understanding = Understanding(Analyst({}), b"k" * 32)
    understanding.attach(events(["SELECT a FROM b", "SELECT a FROM c"]))
    first = understanding.new_shapes()
    assert sorted(first["shape"]) == ["select a from b", "select a from c"]
    understanding.committed()
    understanding.attach(events(["SELECT a FROM b", "SELECT a FROM d"]))
    assert understanding.new_shapes()["shape"].to_list() == ["select a from d"]
    other = Understanding(Analyst({}), b"k" * 32)
    other.stored(set(first["shape_id"]))
    other.attach(events(["SELECT a FROM b"]))
    assert other.new_shapes().is_empty()


def test_the_cache_is_bounded_and_counted_and_no_event_goes_without() -> None:
    understanding = Understanding(Analyst({}), b"k" * 32, capacity=10)
    for batch in range(5):
        told = understanding.attach(events([f"SELECT a FROM t{batch}_{i}" for i in range(30)]))
        assert told["shape_id"].null_count() == 0
    assert understanding.evicted > 0


@pytest.mark.parametrize("key", [b"a" * 32, b"b" * 32])
def test_ids_depend_on_the_key_and_the_dialect(key: bytes) -> None:
    understanding = Understanding(Analyst({}), key)
    told = understanding.attach(pl.concat([events(["SELECT a"]), events(["SELECT a"], "mysql")]))
    assert told["shape_id"].n_unique() == 2
    assert told["shape_id"][0] != Understanding(Analyst({}), b"c" * 32).attach(events(["SELECT a"]))["shape_id"][0]

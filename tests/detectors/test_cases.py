"""Events of cases in a few words: what they become, and what is said of a mistake."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from detectors.cases import NOON, CaseFault, frame, rows

ZONE = ZoneInfo("Asia/Shanghai")


def made(event, **options):
    return [row.columns for row in rows(event, ZONE, **options)]


def test_an_event_is_ordinary_but_for_what_it_says():
    (row,) = made({"rows": 4000, "output_classes": ["identity"]})
    assert (row["action"], row["account"], row["rows"], row["occurred_at"]) == ("query", "zhou", 4000, NOON)
    (row,) = made({"act": "transfer", "by": "vendor", "path": "/x/a.dmp", "after": 90})
    assert (row["action"], row["actor_kind"], row["vendor"], row["path"]) == ("download", "vendor", "acme", "/x/a.dmp")
    assert row["occurred_at"] == NOON + timedelta(seconds=90)


def test_a_local_time():
    assert made({"at": "2026-11-12 02:00"})[0]["occurred_at"] == datetime(2026, 11, 11, 18, tzinfo=UTC)
    assert made({"at": "2026-11-12T02:00:00+00:00"})[0]["occurred_at"] == datetime(2026, 11, 12, 2, tzinfo=UTC)


def test_many_events_that_go_on_by_a_step():
    found = made({"times": 3, "every": 2, "row_offset": {"from": 10, "step": -5}, "path": {"text": "/{}.csv", "from": 1, "step": 1},
                  "session": {"each": ["a", "b"]}, "patient_keys": [{"text": "k{}", "from": 7}]})  # fmt: skip
    assert [row["row_offset"] for row in found] == [10, 5, 0]
    assert [row["path"] for row in found] == ["/1.csv", "/2.csv", "/3.csv"]
    assert [row["session"] for row in found] == ["a", "b", "a"]
    assert [row["patient_keys"] for row in found] == [["k7"], ["k8"], ["k9"]]
    assert [(row["occurred_at"] - NOON).total_seconds() for row in found] == [0, 2, 4]
    assert made({"patient_keys": {"text": "p{}", "from": 1, "count": 3}})[0]["patient_keys"] == ["p1", "p2", "p3"]


@pytest.mark.parametrize(
    ("event", "key", "words"),
    [
        ({"rowz": 1}, "rowz", "did you mean 'rows'"),
        ({"act": "dance"}, "act", "query, transfer, login, event"),
        ({"by": "nobody"}, "by", "staff, vendor, service"),
        ({"times": 0}, "times", "from 1"),
        ({"times": 10**6}, "times", "from 1"),
        ({"every": "often"}, "every", "seconds"),
        ({"at": "yesterday"}, "at", "2026-11-11"),
        ({"rows": {"from": 1, "by": 2}}, "by", "known"),
        ({"rows": {"each": []}}, "each", "list"),
        ({"patient_keys": {"text": "p{}", "count": 0}}, "count", "from 1"),
        ({"occurred_at": "2026-11-11"}, "occurred_at", "after or at"),
    ],
)
def test_mistakes_are_named(event, key, words):
    with pytest.raises(CaseFault) as fault:
        made(event)
    assert fault.value.keys[-1] == key
    assert words in fault.value.message


def test_who_it_is_is_said_once():
    with pytest.raises(CaseFault, match="register"):
        made({"by": "vendor"}, registered=True)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("rows", "many", "a number"),
        ("approved", "x", "true or false"),
        ("reads", "t", "a list of texts"),
        ("path", 5, "text"),
    ],
)
def test_a_value_of_another_kind(column, value, words):
    with pytest.raises(CaseFault) as fault:
        made({column: value})
    assert (fault.value.keys, fault.value.message) == ((column,), f"expected {words}")


def test_a_number_that_no_column_holds():
    with pytest.raises(CaseFault, match="does not fit"):
        frame(list(rows({"rows": 10**30}, ZONE)))

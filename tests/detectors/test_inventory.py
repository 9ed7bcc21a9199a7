"""What is kept of inventories, and what differs between two readings."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from builders import NOON
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.inventory import (
    ACCOUNT_KEY,
    ACCOUNTS,
    ACCOUNTS_KEPT,
    CHANGES,
    CODE,
    CODE_KEPT,
    CODE_KEY,
    changes,
    empty,
    update,
)


def accounts(*rows: dict) -> pl.DataFrame:
    base = {"system": "his", "superuser": False, "locked": False, "roles": []}
    return pl.DataFrame([base | row for row in rows], schema=ACCOUNTS, orient="row")


def read(kept, frame, days, systems=("his",), key=ACCOUNT_KEY):
    now = NOON + timedelta(days=days)
    return update(kept, frame, key, systems, now), changes(kept, frame, key, systems, now)


def differences(told: pl.DataFrame) -> list[tuple]:
    return told.select("name", "change", "field", "before", "after").rows()


def test_the_first_reading_differs_from_nothing():
    kept, told = read(empty(ACCOUNTS_KEPT), accounts({"account": "a"}), 0)
    assert kept.select("account", "first_read_at", "gone_at").rows() == [("a", NOON, None)]
    assert told.is_empty()
    assert dict(told.schema) == CHANGES
    assert dict(kept.schema) == ACCOUNTS_KEPT


def test_what_is_new_changed_or_gone_is_told():
    kept, _ = read(empty(ACCOUNTS_KEPT), accounts({"account": "a"}, {"account": "b"}, {"account": "c"}), 0)
    later = accounts({"account": "a", "superuser": True, "roles": ["dba", "x"]}, {"account": "b"}, {"account": "d"})
    kept, told = read(kept, later, 1)
    assert differences(told) == [
        ("a", "changed", "roles", "", "dba, x"),
        ("a", "changed", "superuser", "false", "true"),
        ("c", "gone", None, None, None),
        ("d", "new", None, None, None),
    ]
    assert set(told["previous_at"]) == {NOON}
    assert set(told["read_at"]) == {NOON + timedelta(days=1)}
    assert dict(kept.select("account", "gone_at").iter_rows())["c"] == NOON + timedelta(days=1)


def test_the_same_again_is_no_difference_and_log_ins_are_none():
    kept, _ = read(empty(ACCOUNTS_KEPT), accounts({"account": "a"}), 0)
    kept, told = read(kept, accounts({"account": "a", "last_login_at": NOON}), 1)
    assert told.is_empty()
    assert kept["first_read_at"][0] == NOON
    assert kept["last_login_at"][0] == NOON


def test_what_comes_back_is_new_since_then():
    kept, _ = read(empty(ACCOUNTS_KEPT), accounts({"account": "a"}, {"account": "b"}), 0)
    kept, _ = read(kept, accounts({"account": "a"}), 1)
    kept, told = read(kept, accounts({"account": "a"}, {"account": "b"}), 2)
    assert differences(told) == [("b", "new", None, None, None)]
    assert dict(kept.select("account", "first_read_at").iter_rows())["b"] == NOON + timedelta(days=2)


def test_a_system_that_was_not_read_stays_as_it_is():
    kept, _ = read(
        empty(ACCOUNTS_KEPT), accounts({"account": "a"}, {"account": "a", "system": "lis"}), 0, ("his", "lis")
    )
    after, told = read(kept, accounts({"account": "b"}), 1)
    assert after.filter(pl.col("system") == "lis").equals(kept.filter(pl.col("system") == "lis"))
    assert set(told["system"]) == {"his"}


def test_code_is_named_by_kind_and_name():
    def code(digest: str) -> pl.DataFrame:
        return pl.DataFrame([("his", "view", "v", digest), ("his", "function", "v", "x")], schema=CODE, orient="row")

    kept, _ = read(empty(CODE_KEPT), code("1"), 0, key=CODE_KEY)
    _, told = read(kept, code("2"), 1, key=CODE_KEY)
    assert differences(told) == [("view v", "changed", "digest", "1", "2")]
    assert told["thing"].to_list() == ["code"]


READINGS = st.lists(st.dictionaries(st.sampled_from("abcde"), st.booleans(), max_size=5), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(READINGS)
def test_the_state_is_the_last_reading_and_the_changes_lead_to_it(readings):
    kept = empty(ACCOUNTS_KEPT)
    known: dict[str, str] = {}
    for number, reading in enumerate(readings):
        frame = accounts(*({"account": name, "superuser": strong} for name, strong in reading.items()))
        first = kept.is_empty()
        kept, told = read(kept, frame, number)
        for name, change, field, before, after in differences(told):
            if change == "gone":
                del known[name]
            elif change == "changed":
                assert (field, known[name]) == ("superuser", before)
                known[name] = after
            else:
                assert name not in known
                known[name] = str(reading[name]).lower()
        if first:
            known = {name: str(strong).lower() for name, strong in reading.items()}
        assert known == {name: str(strong).lower() for name, strong in reading.items()}
        there = kept.filter(pl.col("gone_at").is_null())
        assert dict(there.select("account", "superuser").iter_rows()) == reading
        assert kept.select(ACCOUNT_KEY).is_unique().all()

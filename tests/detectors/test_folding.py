"""An act that two logs of one server tell is counted once, whichever log is read first and however the reading is cut."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.folding import KEEP, RECENT, Folding
from parsers.events import EVENTS

SOURCES = [("audit", "his"), ("slow", "his"), ("general", "his"), ("ftp", "ftp01")]
NOW = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
Told = tuple[str, str | None, int | None]  # source, activity key, rows


def frame(told: list[Told], at: datetime = NOW) -> pl.DataFrame:
    systems = dict(SOURCES)
    rows = [
        {"source": source, "system": systems[source], "activity_key": key, "rows": rows, "record_role": "main",
         "received_at": at, "event_id": str(number)}
        for number, (source, key, rows) in enumerate(told)
    ]  # fmt: skip
    return pl.DataFrame(
        rows, schema={name: EVENTS[name] for name in rows[0]} | {"bytes": EVENTS["bytes"], "outcome": EVENTS["outcome"]}
    )


def roles(folding: Folding, told: list[Told], at: datetime = NOW) -> list[str]:
    folded = folding.fold(frame(told, at), at)
    assert folded["event_id"].to_list() == [str(number) for number in range(len(told))]
    return folded["record_role"].to_list()


def test_the_second_log_tells_nothing_new() -> None:
    folding = Folding(SOURCES)
    assert roles(folding, [("audit", "q1", None), ("audit", "q1", None), ("audit", "q2", None)]) == ["main"] * 3
    assert roles(folding, [("general", "q1", None)] * 3) == ["duplicate", "duplicate", "main"]


def test_the_log_that_knows_the_rows_brings_them_as_an_outcome() -> None:
    folding = Folding(SOURCES)
    assert roles(folding, [("slow", "q1", 500), ("audit", "q1", None)]) == ["outcome", "main"]
    folding = Folding(SOURCES)
    assert roles(folding, [("slow", "q1", 500)]) == ["main"]
    assert roles(folding, [("audit", "q1", None)]) == ["duplicate"]


def test_the_log_that_knows_the_refusal_brings_it_as_an_outcome() -> None:
    refused = frame([("audit", "q1", None)]).with_columns(outcome=pl.lit("failed"))
    folding = Folding(SOURCES)
    assert roles(folding, [("general", "q1", None)]) == ["main"]
    assert folding.fold(refused, NOW)["record_role"].to_list() == ["outcome"]
    folding = Folding(SOURCES)
    assert folding.fold(refused, NOW)["record_role"].to_list() == ["main"]
    assert roles(folding, [("general", "q1", None)]) == ["duplicate"]


def test_a_log_alone_in_its_system_and_records_without_a_key_are_left_alone() -> None:
    folding = Folding(SOURCES)
    assert roles(folding, [("ftp", "t1", None)] * 2 + [("audit", None, None), ("slow", None, 1)]) == ["main"] * 4


def test_what_was_told_long_ago_is_forgotten() -> None:
    folding = Folding(SOURCES)
    assert roles(folding, [("audit", "q1", None)]) == ["main"]
    assert roles(folding, [("slow", "q9", 1)], NOW + KEEP * 2) == ["main"]
    assert roles(folding, [("slow", "q1", 1)], NOW + KEEP * 2 + timedelta(seconds=1)) == ["main"]


acts = st.lists(
    st.tuples(
        st.sampled_from(["audit", "slow", "general", "ftp"]), st.sampled_from(["a", "b", None]), st.none() | st.just(5)
    ),
    min_size=1,
    max_size=30,
)


@given(told=acts, data=st.data())
@settings(deadline=None)
def test_each_act_is_counted_as_often_as_the_log_that_tells_it_most_often(
    told: list[Told], data: st.DataObject
) -> None:
    """Over any order, any cuts, and a restart from the store between two batches."""
    told = data.draw(st.permutations(told))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(told)), max_size=4)) | {len(told)})
    folding, start, counted, stored = Folding(SOURCES), 0, Counter[tuple[str, str]](), []
    for cut in cuts:
        batch = told[start:cut]
        if not batch:
            continue
        if data.draw(st.booleans()):
            folding = Folding(SOURCES)
            folding.restore(pl.concat(stored) if stored else pl.DataFrame(schema=RECENT))
        for (source, key, _), role in zip(batch, roles(folding, batch), strict=True):
            if role == "main" and key is not None:
                counted[dict(SOURCES)[source], key] += 1
        recent = frame(batch).filter(pl.col("activity_key").is_not_null())
        stored.append(
            recent.with_columns(told=pl.col("rows").is_not_null(), failed=pl.lit(value=False)).select(*RECENT)
        )
        start = cut
    per_source = Counter((dict(SOURCES)[source], key, source) for source, key, _ in told if key is not None)
    expected: Counter[tuple[str, str]] = Counter()
    for (system, key, _), count in per_source.items():
        expected[system, key] = max(expected[system, key], count)
    assert counted == expected

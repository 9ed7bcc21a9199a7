from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors.state import STATE_TABLES
from monitor.sources.tail import Tail, TailSettings
from monitor.store.hot import Batch, Store
from monitor.upkeep import forget, prune, tidy
from parsers.registry import parsers

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=10), NOW + timedelta(hours=1)  # until when state is needed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


def batch(occurred_at: datetime | None = NOW, **deltas: list[dict[str, Any]]) -> Batch:
    frames = {
        name: pl.DataFrame([dict.fromkeys(schema) | row for row in deltas.get(name, [])], schema=schema)
        for name, schema in STATE_TABLES.items()
    }
    events = pl.DataFrame({"occurred_at": [occurred_at], "received_at": [NOW]})
    return Batch(NOW, events=events.with_columns(pl.all().cast(pl.Datetime("us", "UTC"))), deltas=frames)


def revision(id_: str, number: int, until: datetime) -> dict[str, Any]:
    return {"id": id_, "until": until, "revision": number, "digest": str(number)}


def ids(store: Store) -> list[tuple[str, int]]:
    return sorted(store.states()["finding_revisions"].select("id", "revision").rows())


def test_state_is_dropped_by_the_age_of_the_newest_event(store: Store) -> None:
    store.commit(batch(finding_revisions=[revision("old", 1, OLD), revision("new", 1, NEW)]))
    prune(store)
    assert ids(store) == [("new", 1)]


def test_an_event_from_the_future_ages_nothing(store: Store) -> None:
    store.commit(batch(finding_revisions=[revision("kept", 1, NOW - timedelta(days=1))]))
    store.commit(batch(NOW + timedelta(days=4000)))
    prune(store)
    assert ids(store) == [("kept", 1)]


def test_a_store_without_events_is_left_alone(store: Store) -> None:
    tidy(store)
    assert ids(store) == []


def test_a_start_leaves_the_same_state_in_fewer_rows(store: Store) -> None:
    for number in range(1, 8):
        pane = {"rule": "r", "step": 0, "key": '["a"]', "pane": 60, "until": NEW, "events": 2, "rows": number}
        pane["evidence"] = [f"{number:017d} e{number}"]  # every event that is counted leaves some
        store.commit(batch(finding_revisions=[revision("one", number, NEW)], window_panes=[_numbers(pane)]))
    tidy(store)
    assert ids(store) == [("one", 7)]
    (pane,) = store.states()["window_panes"].to_dicts()
    assert (pane["events"], pane["rows"]) == (14, 28)


def test_days_that_are_over_are_added_up_while_the_daemon_runs(store: Store) -> None:
    over, today = 20_773, 20_777  # 2026-11-16 and the day of NOW
    for number in range(1, 8):
        rows = [{"rule": "r", "until": NEW, "subject": 5, "peers": 9, "day": day} for day in (over, today)]
        store.commit(
            batch(
                behaviour_days=[row | {"amount": 10} for row in rows],
                behaviour_patients=[row | {"members": [100 + number, 40 - number, 7]} for row in rows],
            )
        )
    prune(store)
    states = store.states()
    days = states["behaviour_days"].group_by("day").agg(pl.len(), pl.col("amount").sum()).sort("day")
    assert days.rows() == [(over, 1, 70), (today, 7, 70)]
    patients = states["behaviour_patients"].filter(pl.col("day") == over)
    assert patients["members"].to_list() == [[7, *range(33, 40), *range(101, 108)]]


def _numbers(pane: dict[str, Any]) -> dict[str, Any]:
    """A pane whose other numbers are 0 and lists are empty, as the engine writes them."""
    schema = STATE_TABLES["window_panes"]
    return {name: [] if dtype.is_nested() else 0 for name, dtype in schema.items()} | pane


def test_rows_of_files_that_are_long_gone_are_dropped(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    settings = TailSettings("one", (str(tmp_path / "*.log"),), "vsftpd_native", "site", "ftp", missing_wait=0.0)
    framing = parsers()["vsftpd_native"].framing
    tail = Tail(settings, framing, now=lambda: NOW)
    store.commit(Batch(NOW, positions=[chunk.position for chunk in tail.poll()]))
    tail.close()
    (tmp_path / "a.log").unlink()
    seconds = iter(range(0, 10_000, 100))
    later = Tail(settings, framing, store.positions(), now=lambda: NOW, clock=lambda: float(next(seconds)))
    for _ in range(3):
        store.commit(Batch(NOW, positions=[chunk.position for chunk in later.poll()]))
    forget(store, [later])
    assert len(store.positions()) == 1  # it may come back
    later.close()
    month = Tail(settings, framing, store.positions(), now=lambda: NOW + timedelta(days=40))
    month.poll()
    forget(store, [month])
    assert store.positions() == []

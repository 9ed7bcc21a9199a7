from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
from building import START, batch, findings, messages, open_store, shapes, values

from monitor.store.hot import SpaceLimits, Store
from monitor.store.pieces import read_manifest


def published(store: Store, name: str) -> pl.DataFrame:
    files = read_manifest(store.state_dir / "pieces").get(name, [])
    return pl.concat([pl.read_parquet(path) for path in files]) if files else pl.DataFrame()


def test_rows_are_published_once_and_in_order(store: Store) -> None:
    store.commit(batch(3, shapes=shapes("a" * 32)))
    store.commit(batch(2, start=3))
    assert store.pieces.waiting() == 5
    assert store.publish() == 3 + 2 + 1 + 2  # events, a shape, two batches
    assert store.publish() == 0
    store.commit(batch(1, start=5))
    store.publish()
    assert published(store, "events")["position"].to_list() == [0, 1, 2, 3, 4, 5]
    assert published(store, "batches")["batch"].to_list() == [1, 2, 3]
    assert len(read_manifest(store.state_dir / "pieces")["events"]) == 2
    assert store.pieces.waiting() == 0
    assert store.pieces.published() == 3


def test_small_tables_are_published_whole(store: Store) -> None:
    store.commit(batch(1, outbox=messages("a", "b"), findings=findings(("a", 1))))
    store.publish()
    store.commit(batch(1, start=1, outbox=messages("c")))
    store.publish()
    assert sorted(published(store, "outbox")["finding_id"]) == ["a", "b", "c"]
    assert published(store, "positions").height == 1
    assert "carries" not in read_manifest(store.state_dir / "pieces")


def test_what_a_crash_left_behind_is_not_counted_and_swept(tmp_path: Path) -> None:
    with open_store(tmp_path, now=lambda: START + timedelta(days=4000)) as store:
        store.commit(batch(1))
        store.publish()
        (file,) = read_manifest(tmp_path / "pieces")["events"]
        orphan = file.with_name("orphan.parquet")
        orphan.write_bytes(file.read_bytes())
        assert published(store, "events").height == 1
        store.commit(batch(1, start=1))
        store.publish()
        assert not orphan.exists()
        assert published(store, "events").height == 2


def test_nothing_optional_is_written_where_space_is_short(tmp_path: Path) -> None:
    limits = SpaceLimits(low_bytes=1 << 60, low_share=0, pause_bytes=0, ballast_bytes=0)
    with open_store(tmp_path, space=limits) as store:
        store.commit(batch(1))
        assert store.publish() == 0
        assert store.writable()


def test_reading_pauses_below_the_limit(tmp_path: Path) -> None:
    limits = SpaceLimits(low_bytes=0, low_share=0, pause_bytes=1 << 60, ballast_bytes=0)
    with open_store(tmp_path, space=limits) as store:
        assert not store.writable()


def test_old_pieces_go_with_their_days(tmp_path: Path) -> None:
    with open_store(tmp_path, now=lambda: START + timedelta(days=10)) as store:
        for day in range(3):
            store.commit(batch(2, start=day * 2, minutes=day * 1440))
            store.publish()
        store.retain(9)
        assert published(store, "events")["position"].to_list() == [2, 3, 4, 5]
        assert values(store, "SELECT count(*) FROM batches") == [(3,)]


def test_published_rows_hold_no_statement(store: Store) -> None:
    store.commit(batch(5))
    store.publish()
    columns = published(store, "events").columns
    assert "statement" not in columns
    assert "patient_keys" not in columns

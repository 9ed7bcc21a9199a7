"""One transaction a batch; what is read back at a start; what happens when a commit fails."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from building import START, batch, events, findings, messages, open_store, position, shapes, values

from detectors.state import STATE_TABLES
from monitor.store import chain, schema
from monitor.store.hot import Batch, CommitFailed, Store, StoreLocked, culprits


def test_everything_of_a_batch_is_there_after_a_restart(tmp_path: Path) -> None:
    state = {
        "finding_revisions": pl.DataFrame(
            [("f1", START, 1, "d")], schema=STATE_TABLES["finding_revisions"], orient="row"
        )
    }
    with open_store(tmp_path) as store:
        done = store.commit(
            batch(
                3,
                shapes=shapes("a" * 32),
                skips={("audit", "toy", "banner"): (2, 80)},
                findings=findings(("f1", 1)),
                outbox=messages("f1"),
                carries={"audit": {"continued": True}},
                deltas=state,
            )
        )
        head = store.head
    assert (done.batch, done.events, done.unstorable) == (1, 3, 0)
    with open_store(tmp_path) as store:
        assert store.positions() == [position(3)]
        assert store.carries() == {"audit": {"continued": True}}
        assert store.states()["finding_revisions"].rows() == [("f1", START, 1, "d")]
        assert (store.head, store.batch) == (head, 1)
        assert values(store, "SELECT count(*) FROM events") == [(3,)]
        assert values(store, "SELECT reason, records::INT, bytes::INT FROM skips") == [("banner", 2, 80)]
        assert values(store, "SELECT verb, account FROM events_full LIMIT 1") == [("select", "jean")]
        assert store.findings_since()["id"].to_list() == ["f1"]
        assert [row.key.finding_id for row in store.due("webhook", START, 9)] == ["f1"]
        assert store.shape_ids() == {"a" * 32}
        assert store.events_since(START).height == 3


def test_a_batch_without_events_is_a_batch(store: Store) -> None:
    assert store.commit(Batch(START)).events == 0
    assert store.commit(batch(0)).batch == 2


def test_statements_and_parameters_are_never_stored(store: Store, tmp_path: Path) -> None:
    store.commit(batch(50))
    assert "statement" not in schema.STORED_EVENTS
    assert "parameters" not in schema.STORED_EVENTS
    store.close()
    for path in (tmp_path / "state").rglob("*"):
        assert path.is_dir() or b"110101199001011237" not in path.read_bytes()


def test_texts_of_any_kind_go_in(store: Store) -> None:
    odd = ["", "a\0b", "\u202e张三\U0001f600", "x" * 100_000, "'; DROP TABLE events_00000000; --"]
    frame = pl.concat([events(1, start=number, account=text) for number, text in enumerate(odd)])
    store.commit(batch(0, events=frame))
    assert [row[0] for row in values(store, "SELECT account FROM events ORDER BY position")] == odd


def test_a_table_a_day_of_receipt_under_one_view(store: Store) -> None:
    for day in range(3):
        store.commit(batch(2, start=day * 2, minutes=day * 1440))
    names = [
        row[0] for row in values(store, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'events_2%'")
    ]
    assert sorted(names) == ["events_20261118", "events_20261119", "events_20261120"]
    assert values(store, "SELECT count(*) FROM events") == [(6,)]


def test_retention_drops_whole_days(tmp_path: Path) -> None:
    with open_store(tmp_path, now=lambda: START + timedelta(days=10)) as store:
        for day in range(3):
            store.commit(batch(2, start=day * 2, minutes=day * 1440))
        store.publish()
        assert store.retain(9) == ["20261118"]
        assert values(store, "SELECT count(*) FROM events") == [(4,)]
        assert store.retain(9) == []
        store.commit(batch(1, start=9, minutes=10 * 1440))
        assert values(store, "SELECT count(*) FROM events") == [(5,)]


def test_findings_grow_by_revisions(store: Store) -> None:
    store.commit(batch(findings=findings(("f1", 1), ("f2", 1))))
    store.commit(batch(findings=findings(("f1", 1), ("f1", 2))))  # a replay makes the first once more
    assert sorted(values(store, "SELECT id, revision FROM findings")) == [("f1", 2), ("f2", 1)]
    assert values(store, "SELECT count(*) FROM findings_history") == [(3,)]
    assert store.findings_since(1)["id"].to_list() == ["f1"]


def test_shapes_and_positions_are_replaced(store: Store) -> None:
    store.commit(batch(5, shapes=shapes("a" * 32, "b" * 32)))
    store.commit(batch(5, start=5, shapes=shapes("b" * 32, verb="insert")))
    assert sorted(values(store, "SELECT verb FROM shapes")) == [("insert",), ("select",)]
    assert [row.position for row in store.positions()] == [10]
    store.forget_positions(["0123456789abcdef"])
    assert store.positions() == []


def test_state_is_appended_pruned_and_compacted(store: Store) -> None:
    columns = STATE_TABLES["finding_revisions"]
    for number in (1, 2):
        rows = [("f1", START + timedelta(days=number), number, "d")]
        store.commit(batch(deltas={"finding_revisions": pl.DataFrame(rows, schema=columns, orient="row")}))
    assert store.states()["finding_revisions"].height == 2
    store.prune_states(START + timedelta(days=1, hours=1))
    kept = store.states()["finding_revisions"]
    assert kept["revision"].to_list() == [2]
    store.replace_states({"finding_revisions": kept.clear()})
    assert store.states()["finding_revisions"].is_empty()


def test_second_store_is_refused_and_names_the_owner(store: Store) -> None:
    with pytest.raises(StoreLocked, match=f"in use by process {os.getpid()}"):
        open_store(store.state_dir)
    store.commit(batch(1))


def test_files_are_closed_to_others(store: Store) -> None:
    assert stat.S_IMODE(store.state_dir.stat().st_mode) == 0o700


def test_one_bad_row_costs_one_row(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.commit(batch(1))
        with store.database.writing() as cursor:  # a rule of the database that a row may break
            cursor.execute("CREATE TABLE events_20261119 AS FROM events_20261118 LIMIT 0")
            cursor.execute("DROP TABLE events_20261119")
            ddl = schema.create("events_20261119", schema.APPENDED["events"])
            cursor.execute(ddl.replace('"rows" BIGINT', '"rows" BIGINT CHECK ("rows" <> 13)'))
        store.reopen()
        frame = pl.concat([events(5, start=10, at=START + timedelta(days=1), rows=number) for number in (12, 13, 14)])
        done = store.commit(batch(0, minutes=1440, events=frame[[*range(4), 5, *range(10, 15)]]))
        assert (done.events, done.unstorable) == (9, 1)
        assert values(store, "SELECT reason, position::INT, text FROM rejects") == [("unstorable", 10, None)]
        assert values(store, "SELECT count(*) FROM events") == [(10,)]


def test_bad_rows_are_found_by_halving() -> None:
    frame = pl.DataFrame({"x": range(1000)})
    trials = 0

    def accepts(part: pl.DataFrame) -> bool:
        nonlocal trials
        trials += 1
        return not part["x"].is_in([0, 500, 999]).any()

    assert culprits(frame, accepts) == [0, 500, 999]
    assert trials < 80
    assert culprits(frame, lambda _: False) == []  # all of them: not the rows' fault
    assert culprits(frame.clear(), accepts) == []


def test_a_failed_commit_leaves_nothing_and_the_store_goes_on(store: Store) -> None:
    store.commit(batch(5))
    broken = batch(5, start=5, deltas={"finding_revisions": pl.DataFrame({"id": ["f"]})})
    with store.database.writing() as cursor:
        cursor.execute("DROP TABLE state_finding_revisions")
    with pytest.raises(CommitFailed):
        store.commit(broken)
    assert [row.position for row in store.positions()] == [5]
    assert values(store, "SELECT count(*) FROM events") == [(5,)]
    assert store.commit(broken).batch == 2  # reopening has made the table again
    assert [row.position for row in store.positions()] == [10]


def test_a_new_day_that_was_rolled_back_is_made_again(store: Store) -> None:
    store.commit(batch(1))
    broken = batch(1, start=1, minutes=1440, deltas={"finding_revisions": pl.DataFrame({"id": ["f"]})})
    with store.database.writing() as cursor:
        cursor.execute("DROP TABLE state_finding_revisions")
    with pytest.raises(CommitFailed):
        store.commit(broken)
    store.commit(broken)
    assert values(store, "SELECT count(*) FROM events") == [(2,)]


def test_readers_of_other_threads_survive_a_reopening(store: Store) -> None:
    store.commit(batch(3))
    with store.database.reading() as cursor:
        assert cursor.execute("SELECT count(*) FROM events").fetchone() == (3,)
    store.reopen()
    assert values(store, "SELECT count(*) FROM events") == [(3,)]


def test_the_chain_holds_and_the_rows_prove_it(store: Store) -> None:
    frames = [events(3), events(4, start=3, account=None), events(2, start=7, patient_keys=None)]
    for number, frame in enumerate(frames):
        store.commit(batch(0, minutes=number, events=frame))
    rows = values(store, "SELECT previous_head, head FROM batches ORDER BY batch")
    assert [row[0] for row in rows] == ["", rows[0][1], rows[1][1]]
    assert len({row[1] for row in rows}) == 3
    for number, frame in enumerate(frames, start=1):
        hasher = sha256()
        chain.feed(hasher, schema.stored_events(frame))
        assert store.recomputed_events_hash(number) == hasher.hexdigest()


def test_the_chain_breaks_when_a_row_is_changed(store: Store) -> None:
    store.commit(batch(3))
    before = store.recomputed_events_hash(1)
    with store.database.writing() as cursor:
        cursor.execute("UPDATE events_20261118 SET account = 'nobody' WHERE position = 1")
    assert store.recomputed_events_hash(1) != before


def test_canonical_bytes_do_not_hang_on_memory_layout() -> None:
    whole = events(10)
    parts = pl.concat([whole[:3], whole[3:]], rechunk=False)
    hashes = []
    for frame in (whole, parts, whole[:].clone()):
        hasher = sha256()
        chain.feed(hasher, frame)
        hashes.append(hasher.hexdigest())
    assert len(set(hashes)) == 1


def test_not_understood_statements_are_kept_masked_only() -> None:
    pytest.importorskip("parsers.sql.masking")
    frame = pl.concat([events(1), events(1, start=1, understood="none")])
    kept = schema.stored_events(frame)["statement_masked"].to_list()
    assert kept[0] is None
    assert kept[1] is not None
    assert "110101199001011237" not in kept[1]

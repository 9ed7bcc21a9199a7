"""Questions of investigators: what is answered, what is refused, and that each leaves a trace."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from building import batch, findings, open_store, shapes, values

from monitor.errors import StartError
from monitor.store import query, query_worker
from monitor.store.allow import Refused, check, shape
from monitor.store.control import ControlServer, ask
from monitor.store.hot import Store
from monitor.store.query import QueryFailed, QueryLimits, QueryRefused, run_query


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with open_store(tmp_path / "state") as store:
        store.commit(batch(20, shapes=shapes("a" * 32), findings=findings(("f1", 1), ("f1", 2))))
        store.commit(batch(5, start=20, shapes=shapes("a" * 32, verb="update")))
    return tmp_path / "state"


def test_answers_without_a_daemon(state: Path) -> None:
    result = run_query(state, "SELECT count(*) AS n, min(position) AS first FROM events")
    assert result.frame.rows() == [(25, 0)]
    assert (result.truncated, result.warning) == (False, "")


QUESTIONS: list[tuple[str, list[tuple[object, ...]]]] = [
    ("SELECT id, revision FROM findings", [("f1", 2)]),
    ("SELECT count(*) FROM findings_history", [(2,)]),
    ("SELECT verb FROM shapes", [("update",)]),  # the newest facts of a shape
    ("SELECT DISTINCT verb FROM events_full", [("update",)]),
    ("SELECT count(*) FROM rejects", [(0,)]),
    ("WITH many AS (SELECT account, count(*) AS n FROM events GROUP BY ALL) SELECT n FROM many", [(25,)]),
    ("SELECT sum(i)::INT FROM range(4) t(i)", [(6,)]),
    ("FROM batches SELECT max(batch)", [(2,)]),
    ("SELECT list_transform([1, 2], lambda x: x + 1)", [([2, 3],)]),
    ("SELECT upper(account) AS a, row_number() OVER () AS n FROM events WHERE position < 1", [("JEAN", 1)]),
    ("SELECT 1 UNION ALL SELECT 2", [(1,), (2,)]),
    ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT max(n) FROM t", [(3,)]),
    ("SELECT count(*) FROM events WHERE account LIKE 'j%' AND occurred_at < now() -- a remark", [(25,)]),
    ("SELECT unnest(patient_tokens) FROM events LIMIT 1", [("token",)]),
    ("SELECT date_trunc('day', occurred_at)::DATE::VARCHAR FROM events LIMIT 1", [("2026-11-18",)]),
    ("SELECT count(DISTINCT account) FILTER (outcome = 'ok') FROM events", [(1,)]),
]


@pytest.fixture
def closed(state: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The worker's own connection over the pieces, its doors closed."""
    with open_store(state) as store:
        store.publish()
    request = query._request(state / "pieces", "", QueryLimits())
    connection = query_worker._connect(request)
    yield connection, request
    connection.close()


def test_ordinary_questions(closed: tuple[Any, dict[str, Any]]) -> None:
    connection, request = closed
    for sql, rows in QUESTIONS:
        check(connection, sql, frozenset(request["tables"]) | frozenset(request["views"]))
        frame, truncated = query_worker._run(connection, request | {"sql": sql})
        assert (frame.rows(), truncated) == (rows, False), sql


def test_order_and_truncation_are_kept(state: Path) -> None:
    result = run_query(state, "SELECT position FROM events ORDER BY position DESC", QueryLimits(rows=3))
    assert result.frame["position"].to_list() == [24, 23, 22]
    assert result.truncated
    assert not run_query(state, "SELECT position FROM events", QueryLimits(rows=25)).truncated
    assert run_query(state, "SELECT repeat('x', 1000) FROM events", QueryLimits(bytes=5000)).truncated


def test_describe_tells_the_columns(state: Path) -> None:
    names = run_query(state, "DESCRIBE SELECT * FROM events")
    assert "occurred_at" in names.frame["column_name"].to_list()


ATTACKS = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_parquet('pieces/events/*.parquet')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "COPY events TO '/tmp/x'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "ATTACH '/tmp/x.duckdb' AS x",
    "PRAGMA database_list",
    "PRAGMA table_info('events')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW events",
    "",
    ";",
    "CREATE TABLE x AS SELECT 1",
    "INSERT INTO events SELECT * FROM events",
    "DELETE FROM events",
    "DROP VIEW events",
    "SET memory_limit = '10GB'",
    "RESET lock_configuration",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "CALL pragma_version()",
    "EXPLAIN ANALYZE SELECT 1",
    "VACUUM",
    "CHECKPOINT",
    "PREPARE x AS SELECT 1",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT current_setting('secret_directory')",
    "SELECT nextval('x')",
    "SELECT write_log('x')",
    "SELECT version()",
    "SELECT json_execute_serialized_sql('x')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('events')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM system.main.duckdb_settings",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM nothing_events",
    "SELECT * FROM memory.main.events",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE duckdb_settings",
    "SUMMARIZE '/etc/passwd'",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "WITH x AS (SELECT 1) SELECT * FROM x, duckdb_settings()",
    'WITH "/etc/passwd" AS (SELECT 1) SELECT * FROM "/etc/passwd"',
    'SELECT * FROM (WITH "/etc/hosts.csv" AS (SELECT 1) SELECT 1), "/etc/hosts.csv"',
    "WITH duckdb_settings AS (SELECT 1) SELECT * FROM duckdb_settings()",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT 1 WHERE EXISTS (SELECT * FROM glob('/*'))",
    "SELECT 1 ORDER BY (SELECT count(*) FROM duckdb_settings())",
    "SELECT * FROM events WHERE account IN (SELECT name FROM duckdb_settings())",
    "SELECT * FROM events JOIN read_csv('/etc/passwd') ON true",
    "SELECT * FROM events, LATERAL (SELECT * FROM read_blob('/etc/passwd'))",
    "SELECT * FROM repeat(1, 1000000000)",
    "SELECT list_transform(['HOME'], lambda x: getenv(x))",
    "SELECT count(*) FILTER (WHERE current_setting('threads') = 1) FROM events",
    "SELECT max(1) OVER (ORDER BY current_setting('threads'))",
    "SELECT 'x'.getenv()",
    "SELECT main.getvariable('x')",
    "FROM read_text('/etc/passwd')",
    "VALUES ((SELECT content FROM read_text('/etc/passwd')))",
    "SELECT 1 LIMIT (SELECT count(*) FROM duckdb_settings())",
    "PIVOT events ON account USING count(*)",
    "SELECT * FROM (PIVOT events ON account USING count(*))",
    "SELECT sleep_ms(100000)",
    "SELECT pg_sleep(100)",
    "SELECT pg_get_viewdef('events')",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT " + "x" * 70_000,
]


def test_attacks_are_refused(closed: tuple[Any, dict[str, Any]]) -> None:
    connection, request = closed
    views = frozenset(request["tables"]) | frozenset(request["views"])
    for sql in ATTACKS:
        with pytest.raises((Refused, duckdb.Error)) as refused:
            check(connection, sql, views)
        assert isinstance(refused.value, Refused), sql


def test_the_second_wall_stands_alone(closed: tuple[Any, dict[str, Any]]) -> None:
    connection, _ = closed
    for sql in (
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/hostname'",
        "COPY (SELECT 1) TO '/tmp/hiswatch-attack'",
        "ATTACH '/tmp/hiswatch-attack.duckdb' AS x",
        "SET enable_external_access = true",
        "SET memory_limit = '20GB'",
        "INSTALL httpfs",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


def test_refusals_reach_the_asker(state: Path) -> None:
    with pytest.raises(QueryRefused, match="only SELECT"):
        run_query(state, "DROP VIEW events")
    with pytest.raises(QueryFailed, match="nowhere"):
        run_query(state, "SELECT nowhere FROM events")


def test_a_question_that_takes_too_long_is_killed(state: Path) -> None:
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT 1 - n FROM t) SELECT count(*) FROM t WHERE n > 5"
    with pytest.raises(QueryFailed):
        run_query(state, endless, QueryLimits(seconds=2))


def test_a_question_that_takes_too_much_memory_fails(state: Path) -> None:
    greedy = "SELECT list(a.range) FROM range(300000000) a"
    with pytest.raises(QueryFailed):
        run_query(state, greedy, QueryLimits(memory_mb=64, seconds=20))


def test_every_question_is_recorded_without_its_values(state: Path) -> None:
    run_query(state, "SELECT count(*) FROM events WHERE account = '张三' AND position > 17 -- 王五")
    with pytest.raises(QueryRefused):
        run_query(state, "SELECT getenv('HOME')")
    with open_store(state) as store:
        rows = values(store, "SELECT uid, shape, outcome, rows FROM queries ORDER BY asked_at")
    assert rows == [
        (os.getuid(), "SELECT count ( * ) FROM events WHERE account = ? AND position > ?", "ok", 1),
        (os.getuid(), "SELECT getenv ( ? )", "refused", 0),
    ]
    assert not (state / "queries.jsonl").exists()


def test_shapes_of_questions_hold_no_values() -> None:
    assert shape("select \"张三\", 'a''b', $$c$$, 12.5 /* x */ from t") == "select ? , ? , ? , ? from t"


def test_the_daemon_publishes_the_tail_and_keeps_the_record(store: Store) -> None:
    store.commit(batch(3))
    with ControlServer(store, store.state_dir):
        assert stat.S_IMODE((store.state_dir / "control.sock").stat().st_mode) == 0o600
        assert run_query(store.state_dir, "SELECT count(*) FROM events").frame.item() == 3
        store.commit(batch(4, start=3))
        result = run_query(store.state_dir, "SELECT count(*) FROM events")
        assert (result.frame.item(), result.warning) == (7, "")
        assert run_query(store.state_dir, "SELECT count(*) FROM queries").frame.item() == 2
    assert not (store.state_dir / "control.sock").exists()
    assert values(store, "SELECT count(*) FROM queries") == [(3,)]


def test_a_daemon_that_does_not_answer_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.store.query._PATIENCE", 0.1)
    store.commit(batch(3))
    store.publish()
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(store.state_dir / "control.sock"))
        deaf.listen()
        result = run_query(store.state_dir, "SELECT count(*) FROM events")
    assert result.frame.item() == 3
    assert "newest minute" in result.warning
    assert (store.state_dir / "queries.jsonl").exists()  # recorded when the store is opened next


def test_a_store_in_use_without_a_daemon(store: Store) -> None:
    store.commit(batch(3))
    store.publish()
    store.commit(batch(3, start=3))
    result = run_query(store.state_dir, "SELECT count(*) FROM events")
    assert result.frame.item() == 3
    assert result.warning


def test_no_store_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no store"):
        run_query(tmp_path, "SELECT 1")


def test_nothing_published_yet(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    assert run_query(tmp_path, "SELECT count(*) FROM events").frame.item() == 0


def test_control_answers_nonsense(store: Store) -> None:
    with ControlServer(store, store.state_dir):
        assert ask(store.state_dir, {"op": "format"}, 5) == {"ok": False, "error": "unknown_op"}
        assert ask(store.state_dir, {"nothing": 1}, 5) == {"ok": False, "error": "KeyError"}
        bad = ask(store.state_dir, {"op": "record_query", "row": {"asked_at": "x"}}, 5)
        assert bad == {"ok": False, "error": "ValueError"}
        assert ask(store.state_dir, {"op": "publish"}, 5) == {"ok": True, "rows": 0}
    assert ask(store.state_dir, {"op": "publish"}, 5) is None


def test_a_socket_in_a_deep_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120) / ("y" * 120)
    with open_store(deep) as store, ControlServer(store, deep):
        assert ask(deep, {"op": "publish"}, 5) == {"ok": True, "rows": 0}

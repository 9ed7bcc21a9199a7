"""The comparison notices what differs, and what one side tells alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import comparison
import polars as pl
import pytest
from comparison import SHARED, reference, same_run

from parsers.events import EVENTS

AT = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)


def events(*rows: dict[str, object]) -> pl.DataFrame:
    common = {"record_role": "main", "outcome": "ok", "account": "hx", "client_ip": "10.0.0.5", "occurred_at": AT}
    schema = {name: EVENTS[name] for name in dict.fromkeys((*SHARED, *TRANSFER))}
    return pl.DataFrame([common | row for row in rows], schema=schema)


TRANSFER = ("position", "path", "path2", "bytes", "activity_key", "session", "action", "outcome", "record_role")


def test_lines_are_joined_to_events_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"first\nsecond\nthird\n")
    row = {"ts": AT.isoformat(), "user": "hx", "ip": "10.0.0.5", "op": "upload", "path": "/a", "bytes": 7, "ok": True}
    ours = events(
        {"position": 0, "action": "upload", "path": "/a", "bytes": 7},
        {"position": 6, "action": "upload", "path": "/a", "bytes": 8},
        {"position": 13, "action": "upload", "path": "/b", "bytes": 9},
    )
    told = reference("x.log", [row | {"line": 1}, row | {"line": 2}], tmp_path / "x.log", ours)
    assert (told.compared, told.equal) == (2, 1)
    assert told.differences == {"bytes of upload": 1, "upload only here": 1}
    assert told.unexplained() == ["x.log: bytes of upload 1", "x.log: upload only here 1"]


def test_explained_differences_are_explained_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "EXPLAINED", {"run": {"rows": [1, "why"]}})
    one = events({"session": "s", "action": "query", "rows": 1}, {"session": "s", "action": "query", "rows": 2})
    other = events({"session": "s", "action": "query", "rows": 1}, {"session": "s", "action": "query", "rows": 3})
    numbered = comparison.numbered
    told = same_run("run", numbered(one), numbered(other))
    assert (told.compared, told.equal, told.unexplained()) == (2, 1, [])
    both = same_run("run", numbered(one), numbered(other.with_columns(rows=pl.lit(9, pl.Int64))))
    assert both.unexplained() == ["run: rows 2"]


def test_sessions_that_one_form_tells_shorter_are_counted_apart() -> None:
    one = events(
        {"session": "s", "action": "query"}, {"session": "s", "action": "query"}, {"session": "t", "action": "query"}
    )
    other = events({"session": "s", "action": "query"}, {"session": "t", "action": "query"})
    told = same_run("run", comparison.numbered(one), comparison.numbered(other))
    assert told.compared == 1
    assert told.differences == {
        "events in sessions of unequal length, csv": 2,
        "events in sessions of unequal length, other": 1,
    }

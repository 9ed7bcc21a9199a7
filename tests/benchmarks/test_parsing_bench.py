"""The parsing benchmark reads whole logs to their last record, and its jsonlog is the csvlog it was made from."""

from __future__ import annotations

from pathlib import Path

import parsing
import pytest

from parsers.registry import parsers

CSVLOG = Path(parsing.SAMPLES) / "postgresql_csvlog" / "15-pgaudit_relations.log"


@pytest.mark.parametrize("name", sorted(parsers()))
def test_every_format_has_samples_to_measure(name):
    logs = parsing.golden(name, 1)
    assert all(parsing.read(log) for log in logs)


def test_every_record_is_counted_once_whatever_the_chunks(monkeypatch):
    unit, data = parsers()["postgresql_csvlog"], CSVLOG.read_bytes()
    whole = parsing.read(parsing.Log(unit, data))
    monkeypatch.setattr(parsing, "CHUNK", 3000)
    assert parsing.read(parsing.Log(unit, data)) == whole == parsing.peer_csv(data)


def test_the_jsonlog_made_of_a_csvlog_tells_the_same():
    csv = CSVLOG.read_bytes()
    json = parsing.as_jsonlog(csv)
    assert parsing.peer_json(json) == parsing.peer_csv(csv)
    told = []
    for name, data in (("postgresql_csvlog", csv), ("postgresql_jsonlog", json)):
        origin = parsing.Origin("s", "y", "q", "/log", name, "0" * 16, 0, parsing.READ_AT)
        told.append(parsers()[name].parse(data, origin, parsing.ZONE, {}).events)
    for column in (
        "occurred_at",
        "account",
        "session",
        "statement",
        "rows",
        "record_role",
        "activity_key",
        "client_ip",
    ):
        assert told[0][column].to_list() == told[1][column].to_list(), column


def test_a_format_without_a_target_of_its_own_has_the_least():
    assert parsing.target_of("xferlog") == parsing.LEAST
    assert parsing.target_of("postgresql_csvlog") == 150_000

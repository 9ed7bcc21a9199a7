"""Windows whose panes lie in the store find what windows in memory find, also over restarts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from config.rulefiles import read_rules
from detectors.cases import ACTS, NOON, SCHEMA
from detectors.engine import MEASURED, Engine
from detectors.rules import Rule, compile_rules
from monitor.store.hot import Batch, Store
from monitor.upkeep import tidy

NAMES = ("IDN-07", "IDN-07b", "EXF-02", "EXF-03")


def failed(minute: float, account: str) -> dict[str, object]:
    return _act("login", minute, account=account, person=None, outcome="failed", client_ip="10.0.0.5")


def read(minute: float, number: int) -> dict[str, object]:
    keys = [f"k{number}-{n}" for n in range(40)]
    return _act("query", minute, output_classes=["lab"], restriction="set", patient_keys=keys, rows=4000)


def _act(kind: str, minute: float, **columns: object) -> dict[str, object]:
    moment = NOON + timedelta(minutes=minute)
    told = {
        "event_id": f"{kind}{minute}{columns.get('account', '')}",
        "occurred_at": moment,
        "received_at": moment,
    }
    return dict.fromkeys(SCHEMA) | dict(ACTS[kind]) | told | columns


def events() -> list[dict[str, object]]:
    """Two guessers among many who mistype, and a reader of many patients over a day."""
    told = [failed(minute, f"a{n}") for n in range(20) for minute in (0, 300)]
    told += [failed(10 + n / 2, "root") for n in range(9)] + [failed(400 + n, f"b{n}") for n in range(5)]
    told += [read(40 * n, n) for n in range(16)]
    return sorted(told, key=lambda row: str(row["occurred_at"]))


def chosen() -> list[Rule]:
    return [rule for rule in compile_rules(read_rules()) if rule.id in NAMES]


def latest(findings: list[pl.DataFrame]) -> list[dict[str, object]]:
    rows = pl.concat(findings).sort("id", "revision").unique("id", keep="last").sort("id")
    return rows.drop("revision").to_dicts()


def test_what_the_store_gives_back_is_what_was_counted(tmp_path: Path) -> None:
    rules, rows = chosen(), events()
    whole = Engine(rules).observe(pl.DataFrame(rows, schema=SCHEMA, orient="row"), NOON).findings
    told: list[pl.DataFrame] = []
    for start in range(0, len(rows), 20):
        with Store(tmp_path / "state") as store:  # a restart every 20 events
            tidy(store)
            engine = Engine(rules, recall=store.recalled)
            engine.restore(store.states(but=MEASURED))
            for name in engine.names:
                engine.restore(store.measured(name))
            for place in range(start, min(start + 20, len(rows)), 3):
                part = rows[place : min(place + 3, start + 20)]
                observed = engine.observe(pl.DataFrame(part, schema=SCHEMA, orient="row"), NOON)
                store.commit(Batch(NOON, deltas=observed.deltas))
                told.append(observed.findings)
    assert latest(told) == latest([whole])
    assert {row["rule"] for row in latest(told)} == set(NAMES)

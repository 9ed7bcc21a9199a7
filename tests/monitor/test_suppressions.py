"""From findings to the outbox and the list of what was kept quiet: the store between two runs of the delivery."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent / "store"))
from building import open_store

from detectors.findings import FINDINGS
from monitor.assemble import read_site
from monitor.delivery import Delivery
from monitor.health import Health
from monitor.observing import Observing
from monitor.store.hot import Batch, Store
from monitor.suppressions import list_suppressions
from monitor.telemetry import Telemetry

NOW = datetime.now(UTC)
TODAY = NOW.astimezone(ZoneInfo("Asia/Shanghai")).date()
AT = datetime.combine(TODAY, datetime.min.time(), ZoneInfo("Asia/Shanghai")).astimezone(UTC) + timedelta(hours=1)
CONFIG = f"""site: {{id: h}}
state_dir: state
language: en
sources: {{a: {{system: s, path: a.log, format: xferlog}}}}
detection: {{budget_per_rule_per_day: 2}}
alerts: {{channels: {{oncall: {{type: webhook, url: "http://127.0.0.1:9/x", allow_private: true}}}}}}
suppressions:
  desk: {{rules: [EXF-02], accounts: [zhou], owner: wang, reason: agreed with the desk, until: {TODAY + timedelta(days=9)}}}
  old: {{rules: [TIM], vendors: [acme], owner: wang, reason: agreed with the desk, until: {TODAY - timedelta(days=9)}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "hospital.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def findings(*accounts: str, first: int = 0) -> pl.DataFrame:
    rows = []
    for number, account in enumerate(accounts, first):
        moment = AT + timedelta(minutes=number)
        row = {
            "id": f"f{number:03d}",
            "revision": 1,
            "rule": "EXF-02",
            "family": "EXF",
            "title_en": "Many rows",
            "title_zh": "行数多",
        }
        row |= {
            "severity": "medium",
            "likelihood": 3,
            "impact": 4,
            "risk": 12,
            "site": "h",
            "system": "s",
            "account": account,
        }
        row |= {
            "first_seen": moment,
            "last_seen": moment,
            "bucket": moment,
            "events": 1,
            "classes": [],
            "objects": [],
            "why_en": "why",
        }
        row |= {"why_zh": "理由", "staged": False, "notify": True, "story": f"s-{account}"}
        rows.append(dict.fromkeys(FINDINGS) | row)
    return pl.DataFrame(rows, schema=FINDINGS, orient="row")


def deliver(config: Path, store: Store, *parts: pl.DataFrame) -> Telemetry:
    telemetry = Telemetry()
    delivery = Delivery(read_site(config, deep=False), [], store, telemetry, Health(), Observing(telemetry))
    for part in parts:
        plan = delivery.plan(part, NOW)
        store.commit(Batch(NOW, findings=part, outbox=plan.rows, superseded=plan.superseded, hushed=plan.hush.hushed))
        delivery.committed(plan)
    return telemetry


def test_quiet_findings_are_stored_counted_and_listed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(config.parent / "state") as store:
        telemetry = deliver(config, store, findings("zhou", "li", "zhou", "wu"))
        deliver(config, store, findings("sun", "qian", first=4))  # a start later, on the same day
        outbox = store.database.read("SELECT finding_id, payload FROM outbox ORDER BY finding_id")
        assert store.database.read("SELECT count(*) FROM findings").item() == 6
    notice = f"budget-EXF-02-{TODAY}"
    assert outbox["finding_id"].to_list() == [notice, "f001", "f003"]
    message = json.loads(outbox["payload"][0])
    assert (message["kind"], message["rule"], message["story"]["id"], message["severity"]) == (
        "system",
        "EXF-02",
        notice,
        "medium",
    )
    assert f"its budget of 2 notified findings for {TODAY}" in message["text"]
    assert 'hiswatch_findings_suppressed_total{suppression="desk"} 2.0' in telemetry.exposition().decode()

    list_suppressions(config, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    desk, old, budget = lines
    assert (desk["id"], desk["state"], desk["hidden"], desk["rules_hidden"]) == ("desk", "in force", 2, {"EXF-02": 2})
    assert (old["id"], old["state"], old["hidden"], old["last_at"]) == ("old", "ended", 0, None)
    assert budget == {"rule": "EXF-02", "over_budget": 2}
    list_suppressions(config, as_json=False)
    out = capsys.readouterr().out
    assert "desk: EXF-02 for accounts zhou; until" in out
    assert "old: TIM for vendors acme; ENDED" in out
    assert "EXF-02: 2 findings beyond its budget" in out


def test_one_that_was_removed_is_still_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(config.parent / "state") as store:
        deliver(config, store, findings("zhou"))
    config.write_text(CONFIG.partition("suppressions:")[0], encoding="utf-8")
    list_suppressions(config, as_json=False)
    assert "desk: no longer configured; hid 1 findings (EXF-02 1)" in capsys.readouterr().out


def test_nothing_was_stored_yet(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list_suppressions(config, as_json=True)
    assert [json.loads(line)["hidden"] for line in capsys.readouterr().out.split("\n") if line] == [0, 0]

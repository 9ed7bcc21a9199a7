"""`hiswatch register suggest` on a real store: what is asked of it comes back as entries, in local time; nothing is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from config.loader import register_within
from config.yaml12 import documents_of
from detectors.cases import ACTS, SCHEMA
from detectors.findings import FINDINGS
from monitor.register_suggest import run_suggest
from monitor.store.hot import Batch, Store

NIGHT = datetime(2026, 11, 10, 18, 10, tzinfo=UTC)  # 02:10 of the 11th in the hospital
CONFIG = "site: {id: h1}\nstate_dir: state\nregister: register.yaml\nsources: {audit: {system: his, path: audit.log, format: postgresql_csvlog}}\n"
REGISTER = "services: {app: {accounts: [{system: his, account: his_app}]}}\n"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suggest")
    (folder / "hospital.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "register.yaml").write_text(REGISTER, encoding="utf-8")
    base = dict.fromkeys(SCHEMA) | ACTS["query"] | {"system": "his", "client_ip": "10.1.9.9"}
    backup = {
        "account": "db_backup",
        "client_program": "pg_dump",
        "dump_tool": "pg_dump",
        "shape_id": "d" * 32,
        "reads": ["patients"],
    }
    rows = [
        *(backup | {"occurred_at": NIGHT - timedelta(days=day, minutes=-minute)} for day in range(5) for minute in (0, 5)),
        *({"account": "han", "client_program": "navicat", "client_ip": "10.1.2.3", "occurred_at": NIGHT + timedelta(hours=7, minutes=m)} for m in range(9)),
        {"account": "nobody", "outcome": "failed", "occurred_at": NIGHT},
        {"account": "his_app", "occurred_at": NIGHT},
        {"account": "long_ago", "occurred_at": NIGHT - timedelta(days=60)},
    ]  # fmt: skip
    made = [
        base | {"event_id": f"e{n}", "position": n, "received_at": NIGHT + timedelta(days=1)} | row
        for n, row in enumerate(rows)
    ]
    frame = pl.DataFrame(made, schema=SCHEMA, orient="row")
    finding = {"id": "f", "revision": 1, "rule": "EXF-06", "severity": "critical", "system": "his", "account": "han"}
    with Store(folder / "state") as store:
        shapes = frame.filter(pl.col("shape_id") == "d" * 32).head(1)
        batch = Batch(
            NIGHT + timedelta(days=1), events=frame, shapes=shapes, findings=pl.DataFrame([finding], schema=FINDINGS)
        )
        store.commit(batch)
    return folder


def test_what_the_store_saw_is_proposed(hospital: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (hospital / "register.yaml").read_bytes()
    run_suggest(hospital / "hospital.yaml", 30, as_json=False)
    told = capsys.readouterr()
    text = told.out.replace("    # vendor: or department:", "    department: IT  #")
    from zoneinfo import ZoneInfo

    register = register_within(documents_of("suggested.yaml", text)[0], ZoneInfo("Asia/Shanghai"))
    assert set(register.people) == {"han"}
    assert set(register.services) == {"db_backup"}
    job = register.jobs["pg_dump_db_backup"]
    assert (job.window.start, job.window.end, job.places, job.objects) == (120, 150, ("10.1.9.9",), ("patients",))
    assert "pg_dump: 10 acts on 5 days, 2026-11-07 to 2026-11-11" in text
    assert "1 high or critical findings are about it" in text
    assert "his_app at his has no addresses; seen from 10.1.9.9" in text
    assert "nobody" not in text
    assert "long_ago" not in text
    assert told.err == "2 accounts that nobody registered, 1 jobs, 2 remarks\n"
    assert (hospital / "register.yaml").read_bytes() == before


def test_for_machines(hospital: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_suggest(hospital / "hospital.yaml", 366, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["section"] for line in lines} == {"people", "services", "jobs", "remarks"}
    assert {line["id"] for line in lines if line["section"] == "people"} == {"han", "long_ago"}

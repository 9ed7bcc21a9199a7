"""A canary and a VIP from their files to a finding: as tokens only, each number as a key of its kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.assemble import assembled, read_site
from monitor.protect import Protection
from monitor.replay import ReplayChunk
from parsers.events import Origin

KEY = b"k" * 32
BAIT, STAR, TOKENISED = "9900000001", "10002010", "9900000002"
SITE = """site: {id: h}
sources:
  my: {system: my, path: "server_audit.log", format: mariadb_server_audit}
register: register.yaml
tickets_dir: tickets
watched:
  canaries: {patients_file: canaries.txt, objects: [patients_old], may_touch: [agent]}
  vips: {patients_file: vips.txt}
"""
REGISTER = """people:
  zhou: {department: IT, accounts: [{system: my, account: zhou}]}
services:
  app: {accounts: [{system: my, account: app}]}
  agent: {accounts: [{system: my, account: bak}]}
"""
STATEMENTS = (  # account, statement
    ("zhou", "SELECT name FROM patients WHERE patient_id = {bait}"),
    ("app", "SELECT name FROM patients WHERE patient_id IN (1, {tokenised}, 2)"),
    ("zhou", "SELECT drug_name FROM prescription_items WHERE presc_no = {bait}"),
    ("zhou", "SELECT name FROM patients WHERE patient_id = {star}"),
    ("app", "SELECT name FROM patients WHERE patient_id = {star}"),
    ("zhou", "SELECT count(*) FROM his.patients_old"),
    ("bak", "SELECT * FROM patients_old"),
    ("zhou", "SELECT name FROM patients WHERE patient_id = 5"),
)  # fmt: skip
TOUCHED = [["canary"], ["canary"], [], ["vip"], ["vip"], ["canary"], [], []]


@pytest.fixture
def watching(tmp_path: Path):
    token = Protection(KEY).token(TOKENISED)
    files = {
        "hospital.yaml": SITE, "register.yaml": REGISTER, "canaries.txt": f"{BAIT}\ntoken:{token}\n", "vips.txt": f"patient {STAR}\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "tickets").mkdir()
    numbers = {"bait": BAIT, "star": STAR, "tokenised": TOKENISED}
    lines = [
        f"20261118 10:00:{place:02d},h,{account},10.0.0.5,{place},{place},QUERY,his,'{text.format(**numbers)}',0\n"
        for place, (account, text) in enumerate(STATEMENTS)
    ]
    now = datetime(2026, 11, 18, 3, tzinfo=UTC)
    origin = Origin("h", "my", "my", "a", "mariadb_server_audit", "0" * 16, 0, now)
    with assembled(read_site(tmp_path / "hospital.yaml"), KEY) as parts:
        yield parts, [ReplayChunk("".join(lines).encode(), origin)], now


def test_from_the_files_to_findings(watching) -> None:
    parts, chunks, now = watching
    seen = parts.pipeline.run(chunks, {}, now)
    assert seen.events["watched"].to_list() == TOUCHED
    found = seen.observed.findings.filter(seen.observed.findings["rule"].is_in(["EXF-16", "ABU-01"]))
    assert sorted(found.select("rule", "account", "severity").rows()) == [
        ("ABU-01", "zhou", "medium"), ("EXF-16", "app", "high"), ("EXF-16", "zhou", "high"),
    ]  # fmt: skip
    told = str(found.to_dicts())
    assert BAIT not in told
    assert STAR not in told


def test_a_ticket_that_is_dropped_lets_no_list_be_forgotten(watching, tmp_path: Path) -> None:
    parts, chunks, now = watching
    (tmp_path / "vips.txt").write_text("what nobody understands\n", encoding="utf-8")  # read again at a reload only
    ticket = {"id": "T1", "person": "zhou", "from": "2026-11-18 09:00", "to": "2026-11-18 12:00"}
    (tmp_path / "tickets" / "T1.json").write_text(json.dumps(ticket), encoding="utf-8")
    assert parts.look_for_tickets()
    assert parts.pipeline.run(chunks, {}, now).events["watched"].to_list() == TOUCHED

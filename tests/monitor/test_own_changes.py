"""The hashes under which batches are judged: the same for the same, others for any change, kept by the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.rulefiles import read_rules
from detectors.rules import compile_rules
from monitor.assemble import read_site
from monitor.own_changes import judged_under, last_judged_under
from monitor.store.hot import Batch, Store

NOW = datetime(2026, 11, 18, 2, tzinfo=UTC)
SITE = (
    "site: {id: h}\nsources: {one: {system: his, path: /logs/*.log, format: vsftpd_native}}\nregister: register.yaml\n"
)
REGISTER = "people:\n  zhang: {name: 张, department: 信息科, accounts: [{system: his, account: zhang}]}\n"


def site(folder: Path, settings: str = SITE, register: str = REGISTER):
    (folder / "hospital.yaml").write_text(settings, encoding="utf-8")
    (folder / "register.yaml").write_text(register, encoding="utf-8")
    return read_site(folder / "hospital.yaml", deep=False)


@pytest.fixture(scope="module")
def shipped():
    return compile_rules(read_rules())


def test_what_is_read_again_is_the_same_and_every_change_shows(tmp_path: Path, shipped) -> None:
    first = judged_under(site(tmp_path), shipped)
    assert first == judged_under(site(tmp_path), shipped)
    person = judged_under(site(tmp_path, register=REGISTER.replace("account: zhang", "account: sa")), shipped)
    assert person["configuration"] != first["configuration"]
    assert person["rules"] == first["rules"]
    quiet = judged_under(site(tmp_path, settings=SITE + "detection: {disabled: [EXF]}\n"), shipped[1:])
    assert quiet["configuration"] != first["configuration"]
    assert quiet["rules"] != first["rules"]


def test_a_higher_line_is_another_rule(tmp_path: Path) -> None:
    loaded = site(tmp_path)
    plain, raised = (
        judged_under(loaded, compile_rules(read_rules(), thresholds=changed))
        for changed in ({}, {"EXF-03": {"threshold": 8000}})
    )
    assert plain["rules"] != raised["rules"]


def test_the_last_batch_that_says_so_counts(tmp_path: Path) -> None:
    with Store(tmp_path / "state", memory_limit_mb=128) as store:
        assert last_judged_under(store) == (None, {})
        store.commit(Batch(received_at=NOW, rules_hash="a", config_hash="b"))
        store.commit(Batch(received_at=NOW.replace(hour=5)))
        assert last_judged_under(store) == (NOW, {"rules": "a", "configuration": "b"})

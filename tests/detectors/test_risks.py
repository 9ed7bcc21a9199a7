"""docs/risks.md: every risk is shown by the rules it names, on logs that are read like a hospital's own."""

import re
from pathlib import Path

import pytest

from monitor.assemble import assembled, read_site
from monitor.protect import ephemeral_key
from monitor.replay import plan
from monitor.scan import latest, replay

LOGS = Path(__file__).parent / "risks"
PAGE = Path(__file__).parents[2] / "docs" / "risks.md"
ROW = re.compile(r"^\| (\d+|统方) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TABLE = ROW.findall(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found():
    site = read_site(LOGS / "hospital.yaml", None)
    files = [LOGS / name for name in ("mariadb.log", "postgres.csv", "vsftpd.log", "kernel.log", "maillog.log")]
    with assembled(site, ephemeral_key(), lateness=None) as assembly:
        return latest([seen.observed.findings for seen in replay(assembly, plan(assembly.settings, files))])


def test_the_page_has_every_risk():
    assert [row[0] for row in TABLE] == [*map(str, range(1, 15)), "统方"]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_each_named_rule_fires_on_the_named_logs(found, row):
    rules, logs = re.findall(r"[A-Z]{2,3}-\d\d[a-z]?", row[3]), re.findall(r"`(\w+)\.\w+`", row[4])
    raised = set(found.filter(found["source"].is_in(logs) & (found["severity"] != "low"))["rule"])
    assert rules
    assert set(rules) <= raised


def test_the_hospitals_own_application_raises_nothing_at_its_place(found):
    ours = found.filter(found["account"] == "his_app")
    assert set(ours["client_ip"]) == {"10.0.5.77"}  # where somebody else sat


def test_every_finding_is_ranked_and_says_how(found):
    for row in found.iter_rows(named=True):
        assert row["risk"] == row["likelihood"] * row["impact"]
        assert f"{row['likelihood']} x {row['impact']} = {row['risk']}" in row["why_en"]
        assert f"{row['likelihood']}×{row['impact']}={row['risk']}" in row["why_zh"]


def test_findings_count_by_vendor(found):
    counts = dict(found.filter(found["vendor"].is_not_null()).group_by("vendor").len().iter_rows())
    assert set(counts) == {"acme", "printers", "leaving", "former"}
    assert max(counts, key=counts.__getitem__) == "acme"

"""Backtests: over a stored past every rule finds what it found when the events came."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import polars as pl
import pytest

from config.errors import ConfigError
from config.rulefiles import read_rules
from detectors.rules import COUNTED, compile_rules
from monitor.assemble import read_site
from monitor.backtest import FORGOTTEN, backtest, chosen, run_backtest
from monitor.errors import StartError
from monitor.scan import run_scan
from monitor.store.query import QueryLimits, run_query

DEMO = Path(__file__).parents[2] / "config" / "demo"
NEW = """title: A file is fetched by a vendor
id: 0b8d3a54-7a53-4c57-8a4c-6f4e1d1f0002
logsource: {product: hiswatch, category: transfer}
detection: {what: {action: [upload, download], actor_kind: vendor}, condition: what}
level: medium
hiswatch: {id: XFR-90, title_zh: 试验, why_zh: 说明文字, why_en: some text, likelihood: 3, impact: 4, honest_zh: 说明文字,
  honest_en: some text, misses: much of it, staged: true}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's hospital with its logs in a store."""
    folder = tmp_path_factory.mktemp("site")
    text = (DEMO / "hospital.yaml").read_text(encoding="utf-8")
    (folder / "hospital.yaml").write_text(text.replace("logs/", f"{DEMO}/logs/"), encoding="utf-8")
    (folder / "register.yaml").write_bytes((DEMO / "register.yaml").read_bytes())
    with redirect_stdout(StringIO()):
        run_scan(folder / "hospital.yaml", [], root=None, source=None, store=folder / "state", json_lines=True)
    return folder / "hospital.yaml"


def stored(config: Path) -> pl.DataFrame:
    return run_query(config.parent / "state", "SELECT * FROM findings", QueryLimits(rows=10_000)).frame


def test_every_rule_finds_again_what_it_found(config: Path) -> None:
    site, before = read_site(config), stored(config)
    shipped = [rule for rule in compile_rules(read_rules()) if rule.kind in COUNTED]
    rules = [rule for rule in shipped if not any(line.field in FORGOTTEN for line in rule.lines)]
    again = backtest(rules, 3, site)
    assert not again.cut
    known = before.filter(pl.col("rule").is_in([rule.id for rule in rules]))
    assert known["rule"].n_unique() >= 5
    columns = ["id", "rule", "severity", "account", "events", "rows", "first_seen", "why_en"]
    assert (
        again.findings.select(columns)
        .sort("id")
        .equals(known.select(columns).sort("id").cast(again.findings.select(columns).schema))
    )


def test_small_answers_are_asked_for_in_shorter_stretches(config: Path) -> None:
    site = read_site(config)
    rules = chosen("TIM-02", site)
    whole = backtest(rules, 3, site)
    pieces = backtest(rules, 3, site, QueryLimits(rows=400))
    assert pieces.events == whole.events > 400
    assert not pieces.cut
    assert pieces.findings.sort("id").equals(whole.findings.sort("id"))


def test_a_rule_that_is_not_in_force(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(NEW, encoding="utf-8")
    run_backtest(str(file), 2, config, as_json=True, language="en")
    lines = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    findings = [line["finding"] for line in lines if "finding" in line]
    days = [line for line in lines if "day" in line]
    assert findings
    assert {finding["rule"] for finding in findings} == {"XFR-90"}
    assert sum(day["findings"] for day in days) == len(findings)
    assert all(day["notified"] <= day["findings"] and day["who"] for day in days)
    run_backtest(str(file), 2, config, as_json=False, language="zh")
    out = capsys.readouterr().out
    assert "XFR-90: 2026-11-1" in out
    assert f"{len(findings)} findings" in out


def test_what_cannot_be_tried(config: Path, tmp_path: Path) -> None:
    site = read_site(config)
    with pytest.raises(StartError, match="EXF-98: no such rule"):
        chosen("EXF-98", site)
    with pytest.raises(StartError, match="EXF-05: reads patient_key_number"):
        chosen("EXF-05", site)
    with pytest.raises(StartError, match="SRC-01: is not counted from events alone"):
        chosen("SRC-01", site)
    broken = tmp_path / "broken.yaml"
    broken.write_text(NEW.replace("actor_kind", "actorkind"), encoding="utf-8")
    with pytest.raises(ConfigError, match="actorkind"):
        chosen(str(broken), site)


def test_a_rule_that_no_event_fits(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_backtest("INJ-01", 1, config, as_json=False, language="en")
    assert "0 findings" in capsys.readouterr().out


def test_a_record_from_the_future_hides_nothing_of_its_batch(config: Path, tmp_path: Path) -> None:
    (log,) = (DEMO / "logs").glob("*vsftpd*")
    copy, state = tmp_path / log.name, tmp_path / "state"
    future = log.read_text(encoding="utf-8").split("\n")[0].replace(" 2026 ", " 2099 ")
    copy.write_text(log.read_text(encoding="utf-8") + future + "\n", encoding="utf-8")
    site = tmp_path / "hospital.yaml"
    site.write_text(config.read_text(encoding="utf-8").replace(str(log), str(copy)), encoding="utf-8")
    (tmp_path / "register.yaml").write_bytes((DEMO / "register.yaml").read_bytes())
    with redirect_stdout(StringIO()):
        run_scan(site, [copy], root=None, source=None, store=state, json_lines=True)
    found = backtest(chosen("XFR-01", read_site(site)), 30, read_site(site))
    assert f"{found.until:%Y-%m}" == "2026-11"
    assert found.findings.height > 0

"""`hiswatch register check`: text in two languages, JSON, exit status."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from monitor.cli import app

BAD = """\
vendors:
  wx: {contract: {from: 2020-01-01, to: 2099-12-31}, head_count: 0, places: [192.0.2.0/24]}
people:
  zhang: {vendor: wx, accounts: [{system: pg, account: zhang}]}
tickets:
  T1: {person: zhang, from: 2026-11-18 08:30}
"""
CONFIG = "site: {id: h}\nregister: register.yaml\nsources:\n  a: {system: my, path: a.log, format: vsftpd_native}\n"


def run(*arguments: str | Path):
    return CliRunner().invoke(app, ["register", "check", *map(str, arguments)])


def write(tmp_path: Path, register: str) -> tuple[Path, Path]:
    (tmp_path / "register.yaml").write_text(register, encoding="utf-8")
    (tmp_path / "hospital.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "hospital.yaml", tmp_path / "register.yaml"


def test_contradictions_and_doubts_come_with_file_line_and_key(tmp_path):
    _, register = write(tmp_path, BAD)
    done = run(register)
    assert done.exit_code == 2
    assert done.stdout.replace(f"{tmp_path}/", "").split("\n") == [
        "register.yaml:6:3: tickets.T1.to: 矛盾: 缺少必填项",
        "register.yaml:2:54: vendors.wx.head_count: 存疑: 今天有效的人员有 1 名，合同约定 0 名",
        "register.yaml：1 处矛盾，1 处存疑",
        "",
    ]
    english = run(register, "--language", "en").stdout
    assert "tickets.T1.to: contradiction: required key is missing" in english
    assert english.endswith("register.yaml: 1 contradictions, 1 doubtful entries\n")


def test_json_has_one_object_a_line_with_both_languages(tmp_path):
    _, register = write(tmp_path, BAD)
    entries = [json.loads(line) for line in run(register, "--json").stdout.splitlines()]
    assert [(entry["kind"], entry["line"], entry["key"]) for entry in entries] == [
        ("contradiction", 6, "tickets.T1.to"),
        ("doubt", 2, "vendors.wx.head_count"),
    ]
    assert entries[0]["message"] == "required key is missing"
    assert entries[0]["message_zh"] == "缺少必填项"


def test_a_configuration_adds_what_it_knows_of_systems(tmp_path):
    config, _ = write(tmp_path, BAD)
    said = run(config, "--language", "en").stdout
    assert "people.zhang.accounts[0].system: doubtful: no source has the system 'pg'" in said


def test_doubts_alone_are_no_failure(tmp_path):
    _, register = write(tmp_path, BAD.partition("tickets:")[0])
    done = run(register)
    assert done.exit_code == 0
    assert "存疑" in done.stdout


def test_a_faulty_configuration_does_not_keep_the_register_from_being_checked(tmp_path):
    config, _ = write(tmp_path, BAD)
    config.write_text(CONFIG + "nonsense: 1\n", encoding="utf-8")
    assert "缺少必填项" in run(config).stdout


def test_a_configuration_without_a_register_says_so(tmp_path):
    config, _ = write(tmp_path, BAD)
    config.write_text(CONFIG.replace("register: register.yaml\n", ""), encoding="utf-8")
    done = run(config)
    assert done.exit_code == 2
    assert "names no register" in done.stderr


def test_tickets_that_were_dropped_are_checked_too(tmp_path):
    config, _ = write(tmp_path, BAD.partition("tickets:")[0])
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "T-2.yaml").write_text("person: zhang\nfrom: 2026-11-18 08:30\n", encoding="utf-8")
    config.write_text(CONFIG + "tickets_dir: tickets\n", encoding="utf-8")
    done = run(config)
    assert done.exit_code == 2
    assert "T-2.yaml:1:1: tickets.T-2.to: 矛盾: 缺少必填项" in done.stdout

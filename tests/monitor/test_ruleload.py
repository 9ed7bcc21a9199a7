"""`hiswatch rules load`: what loads, what does not and why, and what is copied where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.errors import StartError
from monitor.ruleload import run_load

FOREIGN = """title: Result Written To A File Of The Server
id: 7d1c0f52-3b0e-4f5a-9d6e-1f2a3b4c5d09
logsource: {product: mysql, category: database}
detection:
  selection: {query|contains: 'INTO OUTFILE'}
  condition: selection
level: high
"""


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]


def written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_good_and_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path / "good.yml", FOREIGN)
    bad = written(tmp_path / "bad.yml", FOREIGN.replace("query|contains", "query|base64"))
    folder = tmp_path / "rules"
    folder.mkdir()
    assert not run_load([good, bad], None, folder, as_json=True)
    first, second = told(capsys)
    assert first["ok"]
    (rule,) = first["rules"]  # type: ignore[misc]
    assert (rule["level"], rule["staged"]) == ("high", True)
    assert '"shape"' in rule["reads"][0]
    (problem,) = second["problems"]  # type: ignore[misc]
    assert (problem["line"], problem["key"]) == (5, "detection.selection.query|base64")
    assert [file.name for file in folder.iterdir()] == ["good.yaml"]
    with pytest.raises(StartError, match="exists already"):
        run_load([good], None, folder, as_json=True)


def test_an_id_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "one.yaml", FOREIGN + "hiswatch: {id: EXF-01}\n")
    again = written(tmp_path / "two.yaml", FOREIGN)
    third = written(tmp_path / "three.yaml", FOREIGN)
    assert not run_load([file, again, third], None, None, as_json=False)
    out = capsys.readouterr().out
    assert f"{file}:1:1: EXF-01 is declared already, in " in out
    assert f"{again}: EXF-S" in out
    assert f"{third}:1:1: EXF-S" in out


def test_what_is_no_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = written(tmp_path / "base.yaml", FOREIGN.replace("product: mysql", "product: hiswatch"))
    assert not run_load([base, tmp_path / "none.yaml"], None, None, as_json=False)
    out = capsys.readouterr().out
    assert "no rule in it" in out
    assert "file not found" in out
    with pytest.raises(StartError, match="no such folder"):
        run_load([base], None, tmp_path / "nowhere", as_json=False)

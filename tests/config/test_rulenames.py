"""Rules, families, numbers and systems that a configuration names and nobody has: it works, and says that they do nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.loader import load_site

HEAD = "site: {id: h}\nsources: {a: {system: s, path: a.log, format: xferlog}}\n"
SUPPRESSION = "{rules: [XFR-05], systems: s, owner: 王主任, reason: images move to the archive, until: 2026-12-31}"


def warnings(folder: Path, text: str) -> list[tuple[int, str, str]]:
    file = folder / "hospital.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return [
        (problem.line, problem.key, problem.message) for problem in load_site(file, today=date(2026, 11, 11)).warnings
    ]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("detection: {disabled: [XFR-3]}\n", "detection.disabled[0]", "no rule or family is called XFR-3; did you mean"),
        ("detection: {staged: [EXF, XYZ]}\n", "detection.staged[1]", "no rule or family is called XYZ"),
        ("detection: {budgets: {ZZZ-09: {per_day: 1}}}\n", "detection.budgets.ZZZ-09", "ZZZ-09"),
        ("detection: {thresholds: {NOP-01: {a: 1}}}\n", "detection.thresholds.NOP-01", "NOP-01"),
        ("detection: {thresholds: {XFR-05: {treshold: 9}}}\n", "detection.thresholds.XFR-05.treshold", "did you mean 'threshold'"),
        ("detection: {thresholds: {XFR: {threshold: 9}}}\n", "detection.thresholds.XFR", "those of one rule"),
    ],
)  # fmt: skip
def test_names_that_nothing_has(tmp_path: Path, text: str, key: str, words: str) -> None:
    ((line, told, message),) = warnings(tmp_path, text)
    assert (line, told) == (3, key)
    assert words in message


def test_names_of_suppressions(tmp_path: Path) -> None:
    text = f"suppressions:\n  pacs: {SUPPRESSION}\n"
    assert warnings(tmp_path, text) == []
    told = warnings(tmp_path, text.replace("XFR-05", "XFR-3").replace("systems: s", "systems: nosuch"))
    assert {key for _, key, _ in told} == {"suppressions.pacs.rules[0]", "suppressions.pacs.systems"}


def test_names_that_are_right(tmp_path: Path) -> None:
    text = (
        "detection: {disabled: [XFR-03], staged: [VND, EXF-S3fa2c1], budgets: {EXF: {per_day: 1}}, "
        "thresholds: {XFR-05: {threshold: 9, timespan_seconds: 60}, SRC-01: {percent: 300}, EXF-03b: {month: 2000}}}\n"
    )
    assert warnings(tmp_path, text) == []

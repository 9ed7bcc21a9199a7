"""`hiswatch rules test`: shipped cases, a site's cases, and what is said of those that do not hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from config.errors import ConfigError
from monitor.errors import StartError
from monitor.rulecases import run_rule_tests

PAGE = (Path(__file__).parents[2] / "docs" / "detections.md").read_text(encoding="utf-8")
RULE, CASES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[:2]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A site with the rule of the page and its cases."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "weekend.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "rules" / "weekend.cases.yaml").write_text(CASES, encoding="utf-8")
    (tmp_path / "a.log").touch()
    file = tmp_path / "hospital.yaml"
    file.write_text(
        "site: {id: h}\nstate_dir: state\nsources: {pg: {system: his, path: a.log, format: postgresql_csvlog}}\n"
        "detection: {rule_dirs: [rules]}\n",
        encoding="utf-8",
    )
    return file


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]


def test_the_cases_of_the_page_hold(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_rule_tests(["TIM-50"], config, as_json=True)
    assert told(capsys) == [{"rule": "TIM-50", "ok": True, "fires": 1, "quiet": 2, "failures": []}]


def test_a_case_that_does_not_hold_is_named_with_its_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config.parent / "rules" / "weekend.cases.yaml"
    file.write_text(CASES.replace("2026-11-11", "2026-11-14"), encoding="utf-8")  # a Saturday
    assert not run_rule_tests(["TIM-50"], config, as_json=True)
    (answer,) = told(capsys)
    (failure,) = answer["failures"]  # type: ignore[misc]
    assert failure["message"] == "TIM-50: raises it"
    assert CASES.split("\n")[failure["line"] - 1].strip() == "the same on a Wednesday:"
    assert not run_rule_tests(["TIM-50"], config, as_json=False)
    out = capsys.readouterr().out
    assert "TIM-50: FAILED, 1 fire, 2 quiet (fewer than 3 each way)" in out
    assert f"{file}:{failure['line']}:3: quiet.the same on a Wednesday: TIM-50: raises it" in out


def test_a_sites_cases_are_tried_on_its_own_numbers_and_shipped_ones_on_the_shipped(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(
        config.read_text(encoding="utf-8").replace(
            "{rule_dirs: [rules]}", "{rule_dirs: [rules], thresholds: {EXF-03: {threshold: 5}}}"
        ),
        encoding="utf-8",
    )
    (config.parent / "rules" / "exf.cases.yaml").write_text(
        "rule: EXF-03\nfires:\n  six patients are many here:\n"
        "    - {times: 6, output_classes: [identity], patient_keys: [{text: 'k{}', from: 1}]}\n",
        encoding="utf-8",
    )
    assert run_rule_tests(["EXF-03"], config, as_json=True)
    (answer,) = told(capsys)
    assert answer["fires"] >= 4  # type: ignore[operator]


def test_a_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_rule_tests(["TIM", "ACC-02"], None, as_json=True)
    answers = told(capsys)
    assert {answer["rule"] for answer in answers} >= {"TIM-01", "TIM-02", "ACC-02"}
    assert all(str(answer["rule"]).startswith(("TIM", "ACC-02")) for answer in answers)


def test_a_rule_nobody_knows() -> None:
    with pytest.raises(StartError, match="EXF-98: no such rule"):
        run_rule_tests(["EXF-98"], None, as_json=False)


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("rule: TIM-50", "rule: TIM-51"), 1, "no such rule"),
        (("account: v_sun, at", "acount: v_sun, at"), 9, "did you mean 'account'"),
        (("2026-11-11 10:00", "Wednesday"), 12, "expected a time"),
        (("vendor: acme", "vendor: amce"), 6, "did you mean 'acme'"),
        (("fires:", "fire:"), 7, "did you mean 'fires'"),
    ],
)
def test_a_mistake_in_a_case_has_its_place(config: Path, change: tuple[str, str], line: int, words: str) -> None:
    file = config.parent / "rules" / "weekend.cases.yaml"
    file.write_text(CASES.replace(*change, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        run_rule_tests(["TIM-50"], config, as_json=True)
    problem = error.value.problems[0]
    assert (problem.file, problem.line) == (str(file), line)
    assert words in str(error.value)

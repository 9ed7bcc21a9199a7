"""A broken rule file gets an answer with file, line and key; all faults at once."""

import pytest

from config.errors import ConfigError
from config.rulefiles import read_rules
from config.yaml12 import read_yaml_all
from detectors.rules import compile_rules

GOOD = """title: Try
id: 0b8d3a54-7a53-4c57-8a4c-6f4e1d1f0001
logsource: {product: hiswatch, category: database}
detection:
  what:
    verb: select
  condition: what
level: medium
hiswatch:
  id: EXF-99
  title_zh: 试验
  why_zh: 说明文字
  why_en: some text
  likelihood: 3
  impact: 4
  honest_zh: 说明文字
  honest_en: some text
  misses: much of it
"""
COUNTED = """title: Base
name: base
logsource: {product: hiswatch, category: database}
detection: {what: {verb: select}, condition: what}
---
""" + GOOD.replace("logsource: {product: hiswatch, category: database}\ndetection:\n  what:\n    verb: select\n  condition: what\n",
    "correlation:\n  type: event_count\n  rules: [base]\n  group-by: [site, account]\n  timespan: 5m\n  condition: {gte: 3}\n")  # fmt: skip


def compiled(tmp_path, text, **options):
    file = tmp_path / "rule.yaml"
    file.write_text(text, encoding="utf-8")
    return compile_rules(read_yaml_all(file), **options)


@pytest.mark.parametrize(
    ("change", "line", "key", "words"),
    [
        (("verb: select", "verbb: select"), 6, "detection.what.verbb", "unknown column"),
        (("verb: select", "account|re: '(?=x)'"), 6, "detection.what.account|re", "Regular expression"),
        (("verb: select", "rows: many"), 6, "detection.what.rows", "number"),
        (("condition: what", "condition: whatt"), 4, "detection", "whatt"),
        (("category: database", "category: datbase"), 3, "logsource", "category"),
        (("level: medium", "level: high"), 8, "level", "3 x 4 is medium"),
        (("likelihood: 3", "likelihood: 7"), 14, "hiswatch.likelihood", "5"),
        (("id: EXF-99", "id: ZZZ-99"), 10, "hiswatch.id", "family"),
        (("misses: much of it", "mises: much of it"), 9, "hiswatch.misses", "required"),
        (("verb: select", "account|wide: x"), 6, "detection.what.account|wide", "modifier wide"),
    ],
)
def test_faults_have_a_place(tmp_path, change, line, key, words):
    with pytest.raises(ConfigError) as error:
        compiled(tmp_path, GOOD.replace(*change))
    problem = error.value.problems[0]
    assert problem.file.endswith("rule.yaml")
    assert line is None or problem.line == line
    assert problem.key == key
    assert words in str(problem)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("{gte: 3}", "{lte: 3}"), "only gte"),
        (("rules: [base]", "rules: [bsae]"), "bsae"),
        (("timespan: 5m", "timespan: 2y"), "time span"),
        (("event_count", "value_avg"), "without field"),
        (("[site, account]", "[site, bytes]"), "names nobody"),
        (("{gte: 3}", "{field: pth, gte: 3}\n  type: value_count"), "duplicate key"),
    ],
)
def test_correlations_are_checked(tmp_path, change, words):
    with pytest.raises(ConfigError, match=words):
        compiled(tmp_path, COUNTED.replace(*change))


def test_settings_switch_rules(tmp_path):
    assert compiled(tmp_path, GOOD, disabled=["EXF"]) == []
    assert compiled(tmp_path, GOOD, staged=["EXF-99"])[0].staged
    assert not compiled(tmp_path, GOOD)[0].staged
    rule = compiled(tmp_path, COUNTED, thresholds={"EXF-99": {"threshold": 9, "timespan_seconds": 60}})[0]
    assert (rule.lines[0].least, rule.timespan_seconds) == (9, 60)


def test_two_rules_of_one_id_name_both_files(tmp_path):
    with pytest.raises(ConfigError, match="declared twice"):
        compiled(tmp_path, GOOD + "---\n" + GOOD)


def test_shipped_rules_say_what_they_are(rules):
    assert len({rule.uuid for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.file.endswith(".yaml")
        assert f"/{rule.family.lower()}/{rule.id}_" in rule.file.replace("\\", "/")
        assert all(tag.startswith("attack.") for tag in rule.tags)
        assert rule.tags
        for text in (rule.block.why_zh, rule.block.why_en) if rule.block.check is None else ():  # see test_checks
            words = ("measured", "threshold", "events", "minutes")
            words += rule.block.behaviour.WORDS if rule.block.behaviour is not None else ()
            text.format_map(dict.fromkeys(words, 1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("up to {limit}", "{limit} is not filled in"),
        ("{events:>9}", "not filled in"),
        ("so {0} many", "not filled in"),
        ("{events", "brace"),
    ],
)
def test_texts_name_only_what_is_filled_in(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as error:
        compiled(tmp_path, GOOD.replace("why_en: some text", f"why_en: '{text}'"))
    assert error.value.problems[0].key == "hiswatch.why_en"
    assert compiled(tmp_path, GOOD.replace("why_en: some text", "why_en: '{{x}} {events} in {minutes}'"))


def test_a_faulty_rule_is_left_out_where_faults_are_taken(tmp_path):
    faults = []
    bad = GOOD.replace("EXF-99", "EXF-98").replace("verb: select", "verbb: select")
    rules = compiled(tmp_path, f"{GOOD}---\n{bad}---\n{GOOD}", faults=faults)
    assert [rule.id for rule in rules] == ["EXF-99"]
    assert [(problem.line, problem.message) for problem in faults] == [
        (25, "verbb: unknown column"),
        (48, f"EXF-99 is declared twice, also in {tmp_path / 'rule.yaml'}"),
    ]


def test_a_folder_that_is_not_there_or_no_yaml_is_a_fault_to_take(tmp_path):
    (tmp_path / "x.yaml").write_text("a: [", encoding="utf-8")
    faults = []
    assert len(read_rules([tmp_path / "none", tmp_path], faults)) == len(read_rules())
    assert [problem.message.partition(":")[0] for problem in faults] == ["no such folder of rules", "not YAML"]


def test_a_missing_folder_is_a_fault(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        read_rules([tmp_path / "none"])


def test_the_page_of_rules_is_the_rules(rules):
    from pathlib import Path

    from detectors.describe import embedded

    page = Path(__file__).parents[2] / "docs" / "detections.md"
    text = page.read_text(encoding="utf-8")
    assert text == embedded(text, rules), "docs/detections.md: make its table anew with detectors.describe.embedded"


def test_the_example_of_the_page_compiles(tmp_path):
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "detections.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert compiled(tmp_path, example)[0].id == "TIM-50"


def test_rules_name_only_reasons_and_codes_that_exist(rules):
    from detectors.conditions import Ask, Not
    from parsers.events import ACTIONS
    from parsers.sql.understand import REASONS

    closed = {"reason": REASONS, "action": ACTIONS, "restriction": {"point", "set", "range", "none"}}
    closed["dangerous"] = {
        "os_command", "server_file", "sql_function", "link", "library", "backup", "unrestricted_write", "drop", "truncate", "delay",
    }  # fmt: skip

    def asks(node):
        if isinstance(node, Ask):
            return [node]
        return [ask for part in ((node.part,) if isinstance(node, Not) else node.parts) for ask in asks(part)]

    for rule in rules:
        for step in rule.steps:
            for ask in asks(step.tree):
                if ask.column in closed and ask.value is not None:
                    assert ask.value in closed[ask.column], (rule.id, ask)


def test_a_check_has_limits_and_no_conditions(tmp_path):
    check = GOOD.replace(
        "logsource: {product: hiswatch, category: database}\ndetection:\n  what:\n    verb: select\n  condition: what\n",
        "",
    )
    check += "  check: source_silent\n  numbers: {factor: 3}\n"
    rule = compiled(tmp_path, check, thresholds={"EXF-99": {"factor": 5, "other": 1}})[0]
    assert (rule.kind, rule.steps, rule.numbers) == ("check", (), {"factor": 5})
    with pytest.raises(ConfigError, match="no conditions of its own"):
        compiled(tmp_path, check + "detection: {what: {verb: select}, condition: what}\n")

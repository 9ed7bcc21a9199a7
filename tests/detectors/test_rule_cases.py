"""Every shipped rule: at least three cases that must fire and three that must not, as `hiswatch rules test` runs them."""

import pytest
from write_cases import case_files, differing

from config.catalogue import load_catalogue
from config.rulecases import read_cases
from config.rulefiles import CASES
from monitor.protect import ephemeral_key
from monitor.rulecases import ENOUGH, Trial
from monitor.workers import Workers
from parsers.sql.stage import Understanding

DOCUMENTS = read_cases()
RULES = sorted({document.content.rule for document in DOCUMENTS})


@pytest.fixture(scope="module")
def attach():
    with Workers() as workers:
        yield Understanding(workers.analyser(load_catalogue()), ephemeral_key()).attach


@pytest.mark.parametrize("rule", RULES)
def test_cases_hold(rules, attach, rule):
    by_id = {rule.id: rule for rule in rules}
    mine = [document for document in DOCUMENTS if document.content.rule == rule]
    result = Trial(by_id, {}).run(mine, attach, [rule])[rule]
    assert not result.failures, "\n".join(map(str, result.failures))
    assert min(result.fires, result.quiet) >= ENOUGH, f"{rule}: fewer than {ENOUGH} cases each way"


def test_every_rule_has_cases_beside_it(rules):
    assert {rule.id for rule in rules if rule.block.check is None} == set(RULES)
    files = case_files()
    for document in DOCUMENTS:
        assert document.document.file == str(files[document.content.rule])
        assert document.document.file.endswith(f"{CASES}.yaml")


def test_the_files_say_what_python_says():
    assert differing() == [], "rule_cases*.py changed: python tests/detectors/write_cases.py"

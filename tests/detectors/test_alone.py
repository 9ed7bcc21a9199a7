from detectors.alone import flagger

BASE = {"understood": "ast", "verb": "select", "reads": ("t",), "destination": "client"}


def rules_of(rules, **facts):
    (found,) = flagger(rules)([BASE | facts])
    return {item["rule"] for item in found}


def test_a_dump_is_flagged_whoever_sent_it(rules):
    assert "EXF-06" in rules_of(rules, dump_tool="pg_dump", verb="copy")


def test_all_patients_are_flagged_and_one_is_not(rules):
    assert "EXF-01" in rules_of(rules, output_classes=("identity",), restriction="none")
    assert rules_of(rules, output_classes=("identity",), restriction="point") == set()


def test_counting_by_doctor_is_flagged(rules):
    assert rules_of(rules, tongfang=True, aggregate_functions=("sum",)) == {"TF-01"}


def test_nothing_about_hours_or_accounts_is_flagged(rules):
    assert rules_of(rules) == set()
    assert not {rule[:3] for rule in rules_of(rules, output_classes=("identity",), restriction="none")} & {
        "TIM",
        "ACC",
        "IDN",
    }


def test_statements_of_one_text_are_judged_each_by_itself(rules):
    every_patient = BASE | {"output_classes": ("identity",), "restriction": "none"}
    many = [BASE, every_patient, BASE | {"dump_tool": "pg_dump", "verb": "copy"}, BASE, every_patient]
    flagged = flagger(rules)
    assert flagged(many) == [flagged([each])[0] for each in many]
    assert flagged([]) == []

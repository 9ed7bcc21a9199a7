from detectors.alone import flagger


def rules_of(rules, **facts):
    base = {"understood": "ast", "verb": "select", "reads": ("t",), "destination": "client"}
    return {item["rule"] for item in flagger(rules)(base | facts)}


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

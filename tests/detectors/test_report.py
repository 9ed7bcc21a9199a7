"""What a finding says is what its events show: refused is not done, a guess is not exact, one act is not two."""

from __future__ import annotations

import pytest
from builders import NOON, frame, query, transfer, vendor

from detectors.engine import Engine


def told(rules, rule, *events, singly=False):
    """The last revision of a rule's one finding."""
    engine = Engine([one for one in rules if one.id == rule])
    found = {}
    for part in [[event] for event in events] if singly else [list(events)]:
        for row in engine.observe(frame(*part), NOON).findings.to_dicts():
            found[row["id"]] = row
    (finding,) = found.values()
    return finding


GRANT = {"verb": "grant", "privilege_change": True, "rows": None, "rows_kind": None}
REFUSED = {"outcome": "failed", "error_code": "42501"}


def test_what_was_refused_is_told_as_tried(rules):
    finding = told(rules, "PRV-01", query(**vendor(**GRANT, **REFUSED)), query(5, **vendor(**GRANT, **REFUSED)))
    assert finding["why_zh"].startswith("【被拒绝或失败的尝试】")
    assert finding["why_en"].startswith("[Tried, but refused or failed] ")


def test_what_was_done_beside_a_refusal_is_told_as_done(rules):
    finding = told(rules, "PRV-01", query(**vendor(**GRANT, **REFUSED)), query(5, **vendor(**GRANT)))
    assert not finding["why_zh"].startswith("【")
    assert "共2次（其中1次被拒绝或失败）" in finding["why_zh"]
    assert "2 events (1 refused or failed)" in finding["why_en"]


def test_rules_about_failures_do_not_say_it_twice(rules):
    logins = [
        query(n / 10, action="login", dialect=None, outcome="failed", account=f"a{n}", person=None) for n in range(40)
    ]
    finding = told(rules, "IDN-07b", *logins)
    assert "[Tried" not in finding["why_en"]


def test_what_was_refused_gave_no_rows(rules):
    finding = told(rules, "PRV-01", query(**vendor(**GRANT | {"rows_kind": "unknown"}, **REFUSED)))
    assert finding["rows_kind"] is None
    assert "行数未知" not in finding["why_zh"]


def test_estimated_bytes_are_told_as_estimated(rules):
    dump = {"file_shape": "dump", "path": "/out/his.dmp", "action": "download"}
    finding = told(rules, "XFR-01", transfer(**dump, bytes=36 << 20, bytes_kind="estimated"))
    assert "约37748736字节（估算）" in finding["why_zh"]
    assert "about 37748736 bytes (estimated)" in finding["why_en"]
    exact = told(rules, "XFR-01", transfer(**dump, bytes=36 << 20, bytes_kind="known"))
    assert "，37748736字节。" in exact["why_zh"]


@pytest.mark.parametrize("singly", [False, True])
def test_an_act_and_the_record_that_ends_it_are_one_event(rules, singly):
    dump = {"file_shape": "dump", "path": "/in/his.dmp", "action": "upload", "activity_key": "a"}
    began = transfer(0, **dump, bytes=None, bytes_kind="unknown", outcome="unknown")
    ended = transfer(3, **dump, bytes=300_000_000, record_role="outcome", outcome="ok")
    finding = told(rules, "XFR-01", began, ended, singly=singly)
    assert (finding["events"], finding["bytes"]) == (1, 300_000_000)
    assert "共1次" in finding["why_zh"]


@pytest.mark.parametrize("singly", [False, True])
def test_an_act_that_only_its_end_shows_to_be_one_is_counted(rules, singly):
    """Without rows the SELECT is no mass read: it is the record that tells them which fits the rule."""
    large = {"output_classes": ["identity"], "restriction": "range", "reads": ["patients"], "activity_key": "a"}
    began = query(0, **vendor(**large, rows=None, rows_kind="unknown"))
    ended = query(1, **vendor(**large, rows=50_000, rows_kind="known", record_role="outcome"))
    finding = told(rules, "EXF-02", began, ended, singly=singly)
    assert finding["rows"] == 50_000
    assert finding["events"] == 1


def test_approved_work_stays_approved_when_its_end_is_told_apart(rules):
    dump = {"file_shape": "dump", "path": "/in/his.dmp", "action": "upload", "activity_key": "a", "approved": True}
    began = transfer(0, **dump, bytes=None, bytes_kind="unknown", outcome="unknown")
    ended = transfer(3, **dump, bytes=300_000_000, record_role="outcome", outcome="ok")
    assert told(rules, "XFR-01", began, ended)["severity"] == "low"
    assert told(rules, "XFR-01", began | {"approved": False}, ended)["severity"] != "low"
    assert told(rules, "XFR-01", began, ended | {"approved": False})["severity"] != "low"


def test_more_patients_than_are_kept_of_a_statement_are_at_least_so_many(rules):
    keys = [f"k{number}" for number in range(1000)]
    look = {"output_classes": ["identity"], "restriction": "set", "patient_keys": keys}
    finding = told(rules, "EXF-03", query(**look, patient_key_count=3000))
    assert "≥1000" in finding["why_zh"]
    assert "≥" not in told(rules, "EXF-03", query(**look, patient_key_count=1000))["why_zh"]


def test_rows_that_some_records_leave_out_are_at_least_so_many(rules):
    read = {"output_classes": ["identity"], "restriction": "range", "reads": ["patients"]}
    known, unknown = query(**vendor(**read, rows=50_000)), query(1, **vendor(**read, rows=None, rows_kind="unknown"))
    assert "≥50000" in told(rules, "EXF-02", known, unknown)["why_en"]
    assert "≥" not in told(rules, "EXF-02", known)["why_en"]


def test_the_arithmetic_adds_up(rules):
    finding = told(rules, "XFR-01", transfer(file_shape="dump", action="upload", output_classes=["special"], bytes=5))
    assert "5（规则）+1（特殊类别或超过10000行）=6，最高5" in finding["why_zh"]
    assert "5 (rule) +1 (special category or more than 10,000 rows) = 6, at most 5" in finding["why_en"]


def test_an_end_that_alone_fits_is_an_act_of_its_own(rules):
    """How many groups a count gave, nothing but its end tells: before that it is no read of the whole table."""
    count = {
        "output_classes": ["identity"], "restriction": "none", "reads": ["patients"], "aggregate_functions": ["count"],
        "aggregate_by": ["department"],
    }  # fmt: skip
    acts = []
    for number in range(3):
        key = {"activity_key": f"a{number}"}
        acts.append(query(number, **vendor(**count, **key, rows=None, rows_kind="unknown", outcome="unknown")))
        acts.append(query(number + 0.5, **vendor(**count, **key, rows=900, rows_kind="known", record_role="outcome")))
    assert told(rules, "EXF-01", *acts)["events"] == 3

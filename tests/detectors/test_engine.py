"""What a finding says, and what the engine keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from builders import NOON, at, frame, login, query, service, transfer, vendor
from rule_cases import BIG, DUMP, JOB, keys

from detectors.engine import Engine
from detectors.findings import FINDINGS
from detectors.panes import MEMBER_CAP, Held, adjacent, distinct, measure
from detectors.rules import Line
from detectors.stories import story_id


def findings(rules, *events, **options):
    return {row["rule"]: row for row in Engine(rules, **options).observe(frame(*events), NOON).findings.to_dicts()}


def test_findings_have_the_schema(rules):
    told = Engine(rules).observe(frame(query(**BIG)), NOON).findings
    assert told.schema == pl.Schema(FINDINGS)


def test_arithmetic_is_shown_and_adds_up(rules):
    row = findings(rules, query(**(BIG | {"rows": 20_000}), **vendor()))["EXF-02"]
    assert (row["likelihood"], row["impact"], row["risk"], row["severity"]) == (4, 5, 20, "critical")
    assert "3 (rule) +1 (vendor without ticket" in row["why_en"]
    assert "4 (rule) +1 (special category or more than 10,000 rows) = 5" in row["why_en"]
    assert "风险4×5=20" in row["why_zh"]


def test_rules_about_vendors_do_not_weigh_the_vendor_twice(rules):
    assert findings(rules, query(**BIG, **vendor()))["TIM-02"]["risk"] == 16


def test_approved_work_is_recorded_and_not_notified(rules):
    row = findings(rules, query(dump_tool="pg_dump", verb="copy", **service(), **JOB))["EXF-06"]
    assert (row["severity"], row["notify"], row["risk"]) == ("low", False, 20)


def test_one_act_outside_the_approval_raises_the_whole(rules):
    acts = [
        query(dump_tool="pg_dump", verb="copy", **service(), **JOB),
        query(5, dump_tool="pg_dump", verb="copy", **service()),
    ]
    assert findings(rules, *acts)["EXF-06"]["severity"] == "critical"


def test_audit_rules_never_fall_below_medium(rules):
    row = findings(rules, query(audit_change=True, ticket="T1", in_scope=True, rows_kind="estimated"))["AUD-01"]
    assert row["risk"] >= 8


def test_unknown_rows_are_never_zero(rules):
    row = findings(rules, query(dump_tool="pg_dump", verb="copy", rows=None, rows_kind="unknown"))["EXF-06"]
    assert (row["rows"], row["rows_kind"]) == (None, "unknown")
    assert "rows unknown" in row["why_en"]


def test_staged_sources_and_thresholds_are_quiet(rules):
    assert not findings(rules, query(**BIG), staged_sources=["his_audit"])["EXF-01"]["notify"]
    assert not findings(rules, login(**vendor(time_allowed=False)), notify_from="high")["TIM-01"]["notify"]


def test_read_then_send_lists_its_steps(rules):
    row = findings(rules, query(**BIG, **vendor()), transfer(30, **DUMP, **vendor(account="ftp_sun")))["XFR-02"]
    assert row["severity"] == "critical"
    assert "his v_sun (t) then" in row["why_en"]
    assert row["events"] == 2
    assert len(row["evidence"]) == 2


def test_one_night_at_two_systems_is_one_story(rules):
    night = datetime(2026, 11, 11, 18, 0, tzinfo=UTC)  # 02:00 in Shanghai
    acts = [
        query(occurred_at=night, **BIG, **vendor(time_allowed=False)),
        transfer(occurred_at=night + timedelta(minutes=40), **DUMP, **vendor(account="ftp_sun", time_allowed=False)),
    ]
    rows = Engine(rules).observe(frame(*acts), NOON + timedelta(days=2)).findings
    assert rows["rule"].n_unique() >= 5
    assert rows["story"].n_unique() == 1


def test_a_story_spans_midnight_and_ends_at_noon():
    zone = ZoneInfo("Asia/Shanghai")

    def story(day, hour):
        return story_id("h1", "sun", int(datetime(2026, 11, day, hour, tzinfo=zone).timestamp() * 1e6), zone)

    assert story(11, 22) == story(12, 2) == story(12, 11)
    assert story(12, 2) != story(12, 13)


def test_a_finding_that_grows_gets_a_new_revision_and_keeps_its_id(rules):
    engine = Engine([r for r in rules if r.id == "EXF-01"])
    first = engine.observe(frame(query(**BIG)), NOON).findings
    same = engine.observe(frame(query(2)), NOON).findings
    second = engine.observe(frame(query(3, **BIG)), NOON).findings
    assert same.is_empty()
    assert first["id"][0] == second["id"][0]
    assert (first["revision"][0], second["revision"][0], second["events"][0]) == (1, 2, 2)


def test_a_local_day_is_the_bucket_of_long_spans(rules):
    row = findings(
        rules,
        *[
            query(i, output_classes=["lab"], restriction="set", patient_keys=[f"{i}{n}" for n in range(200)])
            for i in range(3)
        ],
    )
    assert row["EXF-03"]["bucket"] == datetime(2026, 11, 10, 16, 0, tzinfo=UTC)


def test_a_clock_in_the_future_moves_no_window(rules):
    chosen = [r for r in rules if r.id == "IDN-07"]
    engine = Engine(chosen)
    engine.observe(frame(*[login(i, outcome="failed") for i in range(4)]), NOON)
    engine.observe(frame(login(60 * 24 * 400, outcome="failed", clock_trusted=False)), NOON)
    told = engine.observe(frame(*[login(4 + i / 2, outcome="failed") for i in range(4)]), NOON).findings
    assert told["events"].to_list() == [8]


def test_state_is_forgotten_behind_the_lateness_bound(rules):
    engine = Engine(rules)
    for day in range(40):
        start = day * 24 * 60
        engine.observe(frame(*[query(start + 7 * i, **BIG) for i in range(60)]), at(start + 600))
    one_day = Engine(rules)
    one_day.observe(frame(*[query(7 * i, **BIG) for i in range(60)]), at(600))
    assert engine.size < 8 * one_day.size


def test_hostile_names_do_not_fill_the_memory(rules):
    engine = Engine([r for r in rules if r.id == "IDN-07"], max_keys=100)
    for batch in range(20):
        engine.observe(frame(*[login(batch, account=f"x{batch}-{i}", outcome="failed") for i in range(60)]), NOON)
    assert engine.size <= 100
    assert engine.dropped >= 1100


def test_no_patient_key_is_kept(rules):
    deltas = Engine(rules).observe(frame(*keys(100)), NOON).deltas
    told = "".join(str(table.to_dicts()) for table in deltas.values())
    assert "k1050" not in told
    assert deltas["window_members"].height


def test_many_members_are_estimated_and_never_fall():
    members, before = set(), 0
    hashes = pl.select(h=pl.int_range(0, 40_000).hash(seed=0))["h"].to_list()
    pane = Held(events=1)
    for start in range(0, 40_000, 1000):
        pane.add_members(0, hashes[start : start + 1000])
        members.update(hashes[start : start + 1000])
        told = measure(Line("distinct", "x", 1), 0, [pane])
        assert told >= before
        before = told
    assert len(pane.members[0]) == MEMBER_CAP
    assert abs(before - 40_000) < 4_000
    assert distinct({1, 2, 3}) == 3


def test_pairs_need_both_ends():
    assert adjacent({2, 3, 8, 13}) == 1

"""The evaluation counts as its page says, and its page says what was counted."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import detection
import polars as pl
import pytest
from detection import (
    HEARD,
    Label,
    about_context,
    file_sets,
    judge,
    local_parts,
    mail_domains,
    malicious_stories,
    read_labels,
    stories,
)
from detection_page import counts
from detection_reasons import why_missed

from config.rulefiles import read_rules
from detectors.rules import compile_rules
from monitor.assemble import read_site

START = datetime(2026, 11, 19, 14, 0, tzinfo=UTC)  # 22:00 in Shanghai
KINDS = {"dump": ["EXF"], "off_hours": ["TIM"]}
SITE = Path(__file__).parents[2] / "config" / "examples" / "sample-hospital" / "hospital.yaml"


def label(scenario="dump", account="v", malicious=True, after=0.0, seconds=10.0):
    start = START + timedelta(seconds=after)
    return Label(scenario, (account,), malicious, start, start + timedelta(seconds=seconds), "10.0.0.1", "run", ())


def finding(rule="EXF-01", account="v", first=1.0, last=2.0, severity="critical", client_ip=None):
    return {
        "rule": rule, "family": rule[:3], "account": account, "severity": severity, "client_ip": client_ip, "story": account or "nobody",
        "first_seen": START + timedelta(seconds=first), "last_seen": START + timedelta(seconds=last),
    }  # fmt: skip


def events(*seconds, account="v", office_hours=False):
    return pl.DataFrame(
        {"occurred_at": [START + timedelta(seconds=s) for s in seconds], "account": account, "office_hours": office_hours},
        schema={"occurred_at": pl.Datetime("us", "UTC"), "account": pl.String, "office_hours": pl.Boolean},
    )  # fmt: skip


def state(row, seen=None, scenario="dump", **columns):
    result = judge("set", events(1) if seen is None else seen, [row], [label(scenario, **columns)], KINDS)
    return next(iter(counts([result])[scenario]))


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (finding(), "found"),
        (finding(severity="medium"), "found"),
        (finding("XFR-01"), "missed"),
        (finding(account="w"), "missed"),
        (finding(first=129, last=140), "found"),
        (finding(first=131, last=140), "missed"),
        (finding(first=-50, last=-0.9), "found"),
        (finding(first=-50, last=-1.1), "missed"),
        (finding(first=-50, last=500), "found"),
    ],
)
def test_a_scenario_is_found_by_family_account_and_window(row, outcome):
    assert state(row) == outcome


def test_what_no_record_shows_is_not_counted():
    assert state(finding(first=300, last=300), seen=events(300)) == "not counted"
    assert state(finding(account="w"), seen=events(1, account="w")) == "not counted"
    # ... unless something in the file did show it
    assert state(finding(first=60, last=60), seen=events(60)) == "found"


def test_a_scenario_about_the_hour_needs_the_hour():
    night, day = events(1), events(1, office_hours=True)
    assert state(finding("TIM-01"), seen=night, scenario="off_hours") == "found"
    assert state(finding("TIM-01"), seen=day, scenario="off_hours") == "not counted"
    assert state(finding("XFR-01"), seen=night, scenario="off_hours") == "missed"
    assert state(finding("XFR-01"), seen=day) == "missed"


def test_findings_outside_every_malicious_window_are_false():
    rows = [
        finding(), finding(account="w"), finding(first=400, last=401), finding(account=None),
        finding(account="w", client_ip="10.0.0.1"),
    ]  # fmt: skip
    result = judge("set", events(1), rows, [label(), label(account="w", malicious=False)], KINDS)
    assert result.false == [rows[1], rows[2]]


def test_only_high_and_critical_make_a_benign_scenario_loud():
    quiet, loud = label(malicious=False), label(malicious=False, after=1000)
    rows = [finding(severity="medium"), finding("TF-02", first=1001, last=1002, severity="high")]
    result = judge("set", events(1), rows, [quiet, loud], KINDS)
    assert result.benign == [quiet, loud]
    assert result.loud == {loud: ["TF-02"]}


def test_what_raises_medium_at_most_is_counted_apart():
    quiet, both = label(malicious=False), label(malicious=False, after=1000)
    rows = [finding(severity="medium"), finding("TF-02", first=1001, last=1002, severity="high"), finding("CHG-01", first=1001, last=1002, severity="medium")]  # fmt: skip
    result = judge("set", events(1), rows, [quiet, both], KINDS)
    assert result.medium == {quiet: ["EXF-01"]}
    assert result.loud == {both: ["TF-02"]}


def test_a_story_is_one_page_however_many_findings_it_has():
    rows = [finding(severity="medium"), finding("TF-02"), finding("XFR-01"), finding(account="w", severity="medium"), finding(account=None, severity="high")]  # fmt: skip
    labels = [label(), label(after=600), label(after=86_400), label(account="w", malicious=False)]
    result = judge("set", events(1, 601), rows, labels, KINDS)
    assert stories(result) == {"v": "critical", "w": "medium", "nobody": "high"}
    assert malicious_stories(result) == 1  # the third is in no record, so it does not count


def test_a_neighbour_in_time_is_not_blamed_for_a_malicious_scenario():
    malicious, benign = label(), label("work", malicious=False, after=60)
    result = judge("set", events(1), [finding()], [malicious, benign], KINDS)
    assert result.loud == {}
    assert result.false == []


def test_rules_about_context_are_read_from_their_conditions():
    rules = compile_rules(read_rules([]))
    off = {rule.id for rule in rules if about_context(rule)}
    assert {"ACC-02", "ACC-03", "EXF-13", "TIM-01", "TIM-02", "XFR-07", "XFR-08"} <= off
    assert {rule.id for rule in rules if rule.family in {"TIM", "VND"}} <= off
    # Naming vendors only to leave them out, or to tell own people apart, makes no rule about vendors.
    assert not off & {"INJ-01", "CHG-01", "CHG-01b", "XFR-02", "EXF-01", "EXF-02", "AUD-07"}


def test_without_context_every_rule_about_others_than_own_staff_begins_at_medium():
    quiet = [rule for rule in compile_rules(read_rules([])) if rule.level not in HEARD and not about_context(rule)]
    assert [rule.id for rule in quiet] == ["EXF-20d"]  # the page says so: own staff, so no weight is added
    assert "'staff'" in quiet[0].steps[0].sql


def test_labels_of_both_kinds(tmp_path):
    rows = [
        {"scenario": "a", "account": "x, y", "source": "10.0.0.1", "dir": "run"},
        {"scenario": "b", "account": "z", "source": "one.log(part), two*.log"},
    ]
    times = {"t_start": "2026-11-19T22:00:00+08:00", "t_end": "2026-11-19T22:00:10+08:00", "expected": "benign"}
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row | times) + "\n" for row in rows), encoding="utf-8")
    database, transfer = read_labels(path)
    assert (database.accounts, database.address, database.folder, database.files) == (("x", "y"), "10.0.0.1", "run", ())
    assert (transfer.address, transfer.folder, transfer.files) == (None, None, ("one.log", "two*.log"))


def test_mailboxes_of_the_hospital_are_accounts_and_others_are_not():
    names = ["chen@his.local", "Chen@HIS.LOCAL", "chen@mail.example", "his_dba@prod", "chen", None, "a@b@his.local"]
    judged = local_parts(pl.DataFrame({"account": names}), ["his.local"])["account"].to_list()
    assert judged == ["chen", "Chen", "chen@mail.example", "his_dba@prod", "chen", None, "a@b"]
    assert mail_domains(read_site(SITE, SITE.parent, deep=False)) == ["his.local"]
    assert local_parts(pl.DataFrame({"account": names}), [])["account"].to_list() == names


def test_files_of_one_log_are_one_set(tmp_path):
    for name in (
        "run/pg-2026-11-11_085500.csv", "run/pg-2026-11-12_000000.csv", "run/pg-2026-11-11_085500.log", "run/pg-2026-11-12_000000.log",
        "run/audit.log", "run/audit.log.1", "run/error.log", "run_syslog/iso.log", "other/iso.log", "one.log",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    labels = [label(), Label("x", ("a",), True, START, START, None, None, ("one*.log",))]
    sets = {name: ([file.name for file in files], len(own)) for name, files, own in file_sets(tmp_path, labels)}
    assert sets == {
        "run/audit": (["audit.log.1", "audit.log"], 1),
        "run/csv": (["pg-2026-11-11_085500.csv", "pg-2026-11-12_000000.csv"], 1),
        "run/error": (["error.log"], 1),
        "run/log": (["pg-2026-11-11_085500.log", "pg-2026-11-12_000000.log"], 1),
        "run_syslog/iso": (["iso.log"], 1),
        "one.log": (["one.log"], 1),
    }


def seen_by(form, action, outcome="ok"):
    columns = {
        "format": form,
        "action": action,
        "outcome": outcome,
        "reason": None,
        "object_name": None,
        "account": "a",
    }
    return pl.DataFrame([columns])


@pytest.mark.parametrize(
    ("form", "action", "elsewhere", "words"),
    [
        ("pureftpd_clf", "download", "download", "holds transfers and nothing else"),
        ("proftpd_extended", "login", "login", "holds log-ins"),
        ("proftpd_extended", "login", "download", "no rule sees it"),
        ("samba_full_audit", "upload", "upload", "never reaches Samba's audit module"),
        ("mariadb_slow_log", "query", "query", "no log-ins"),
        ("postgresql_stderr", "login", "query", "pgaudit"),
        ("vsftpd_native", "upload", "login", "no rule sees it"),
    ],
)
def test_a_miss_is_explained_from_what_the_log_can_hold(form, action, elsewhere, words):
    seen = seen_by(form, action)
    assert words in why_missed(seen, pl.concat([seen, seen_by(form, elsewhere)]))


NATIVE = """\
Thu Nov 19 22:00:01 2026 [pid 2] CONNECT: Client "172.16.99.47"
Thu Nov 19 22:00:01 2026 [pid 1] [dba_liu] OK LOGIN: Client "172.16.99.47"
Thu Nov 19 22:00:05 2026 [pid 3] [dba_liu] OK UPLOAD: Client "172.16.99.47", "/incoming/his_full.dmp", 4400000000 bytes, 85763.77Kbyte/sec
Thu Nov 19 22:30:00 2026 [pid 5] [nurse_chen] OK DOWNLOAD: Client "10.10.40.117", "/forms/blank.docx", 20000 bytes, 85.77Kbyte/sec
"""


@pytest.fixture
def samples(tmp_path):
    (tmp_path / "vsftpd_native.log").write_text(NATIVE, encoding="utf-8")
    (tmp_path / "kinds.json").write_text('{"dump_by_vendor": ["XFR"], "off_hours": ["TIM"]}', encoding="utf-8")
    rows = [
        ("dump_by_vendor", "dba_liu", "22:00:00", "malicious"),
        ("off_hours", "dba_liu", "22:00:00", "malicious"),
        ("dump_by_vendor", "hx_wangqiang", "23:00:00", "malicious"),
        ("forms", "nurse_chen", "22:30:00", "benign"),
    ]
    (tmp_path / "labels.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "scenario": kind, "account": account, "source": "vsftpd_native.log", "expected": expected,
                    "t_start": f"2026-11-19T{at}+08:00", "t_end": f"2026-11-19T{at[:-2]}20+08:00",
                }
            ) + "\n"
            for kind, account, at, expected in rows
        ),
        encoding="utf-8",
    )  # fmt: skip
    return tmp_path


def test_the_page_tells_what_was_counted(samples, monkeypatch):
    page = samples / "page.md"
    labels = str(samples / "labels.jsonl")
    given = ["--config", str(SITE), "--labels", labels, "--samples", str(samples), "--report", str(page)]
    monkeypatch.setattr(sys, "argv", ["detection.py", *given])
    detection.main()
    text = page.read_text(encoding="utf-8")
    assert "{{" not in text
    assert str(samples) not in text
    assert "| malicious scenarios found | 2 of 2 = 100.0 % | 1 of 2 = 50.0 % |" in text
    assert "| dump_by_vendor | 1 | 0 | 1 | 1 | 0 | 1 |" in text
    assert "| off_hours | 1 | 0 | 0 | 0 | 1 | 0 |" in text
    assert "missed without context: off_hours (1)." in text
    assert "| benign scenarios that raise high or critical | 0 of 1 = 0.0 % | 0 of 1 = 0.0 % |" in text
    assert "the files hold nothing at all from 11-19 22:30 to their end" in text

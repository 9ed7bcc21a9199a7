"""The daily job on a real store: inventories from exports, what is kept of them, what the checks find, and what is told once."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from config.loader import load_site
from config.rulefiles import read_rules
from detectors.cases import ACTS, BY, SCHEMA
from detectors.rules import compile_rules
from monitor.checking import Checking
from monitor.daily import Daily
from monitor.store.hot import Batch, Store
from monitor.telemetry import Telemetry

NOW = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)
CONFIG = """\
site: {id: h1}
register: register.yaml
sources: {audit: {system: his, path: audit.log, format: postgresql_csvlog}}
inventories:
  ora: {system: his, kind: oracle, accounts: users.csv, roles: roles.csv, code: code.csv}
"""
REGISTER = """\
vendors: {wx: {name: 万欣, contract: {from: 2026-01-01, to: 2026-12-31}}}
people: {sun: {name: 孙工, vendor: wx, accounts: [{system: his, account: V_SUN}]}}
owners: {db: {accounts: [{system: his, account: SYS}, {system: his, account: SYSTEM}]}}
services: {stat: {accounts: [{system: his, account: SVC_STAT}]}}
jobs:
  tf: {kind: report, system: his, account: SVC_STAT, prescriber_and_drug: true, requester: 李, approver: 王,
       approvals: [{from: 2026-11-10, to: 2026-11-12, requester: 李, approver: 王}]}
tickets: {T1: {person: sun, system: his, from: 2026-11-11 09:00, to: 2026-11-11 11:00}}
"""
USERS = """\
USERNAME,ACCOUNT_STATUS,ORACLE_MAINTAINED,CREATED,EXPIRY_DATE,LAST_LOGIN,PASSWORD_CHANGE_DATE,PASSWORD_LIFE_TIME
SYS,OPEN,Y,2020-01-01 00:00:00,,,2026-10-01 00:00:00,UNLIMITED
V_SUN,OPEN,N,2026-02-01 08:00:00,2026-12-31 00:00:00,2026-11-10 08:00:00,2026-10-01 00:00:00,180
"""
ROLES = "GRANTEE,GRANTED\nSYS,SYSDBA\nV_SUN,CONNECT\n"
CODE = "KIND,NAME,DIGEST\nPROCEDURE,HIS.P,1\n"


@lru_cache(maxsize=1)
def rules():
    return [rule for rule in compile_rules(read_rules()) if rule.block.check is not None]


class Hospital:
    """A site with one inventory; `run` is what the daemon does once a day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("hospital.yaml", CONFIG), ("register.yaml", REGISTER), ("users.csv", USERS), ("roles.csv", ROLES), ("code.csv", CODE)):  # fmt: skip
            self.write(name, text)
        self.site = load_site(folder / "hospital.yaml")
        self.store = Store(folder / "state", now=lambda: NOW)
        self.checking = Checking(rules(), self.site.settings)
        self.telemetry = Telemetry()
        self.daily = Daily(self.store, self.telemetry)

    def write(self, name: str, text: str, *, at: datetime = NOW) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")
        os.utime(self.folder / name, (at.timestamp(), at.timestamp()))

    @property
    def assembly(self):
        return SimpleNamespace(settings=self.site.settings, register=self.site.register, checking=self.checking)

    def run(self, days: int = 0) -> bool:
        return self.daily.run(self.assembly, NOW + timedelta(days=days))

    def news(self) -> set[tuple[str, str]]:
        """Rule and subject of what waits to be told; it is committed, as the next batch would."""
        found = self.checking.news()
        self.store.commit(Batch(NOW, findings=found))
        self.checking.committed(found)
        return {(row["rule"], row["account"] or row["vendor"] or row["system"]) for row in found.iter_rows(named=True)}

    def happened(self, *events: dict) -> None:
        rows = [dict.fromkeys(SCHEMA) | ACTS["query"] | {"system": "his", "event_id": f"e{number}", "position": number} | event for number, event in enumerate(events)]  # fmt: skip
        for row in rows:
            row["received_at"] = row["occurred_at"]
        shapes = {row["shape_id"]: row for row in rows if row["shape_id"] is not None}
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        self.store.commit(
            Batch(NOW, events=frame, shapes=pl.DataFrame(list(shapes.values()), schema=SCHEMA, orient="row"))
        )


@pytest.fixture
def hospital(tmp_path):
    made = Hospital(tmp_path)
    yield made
    made.store.close()


def sun(minutes: float, **columns):
    return BY["vendor"] | {"account": "V_SUN", "person": "sun", "vendor": "wx", "session": "7"} | {"occurred_at": NOW + timedelta(minutes=minutes)} | columns  # fmt: skip


def test_a_quiet_hospital_is_quiet(hospital):
    assert hospital.run()
    assert hospital.news() == set()
    assert hospital.store.inventory("accounts").height == 2
    assert hospital.store.inventory("inventory_changes").is_empty()


def test_what_changed_over_night_is_kept_and_found_once(hospital):
    hospital.run()
    hospital.write("users.csv", USERS + "EVIL,OPEN,N,2026-11-11 03:00:00,,,,UNLIMITED\n")
    hospital.write("roles.csv", ROLES + "EVIL,DBA\nV_SUN,RESOURCE\n")
    hospital.write("code.csv", CODE.replace(",1", ",2"))
    hospital.run(days=1)
    told = hospital.store.inventory("inventory_changes").select("thing", "name", "change", "field", "after").rows()
    assert set(told) == {
        ("account", "EVIL", "new", None, None),
        ("account", "V_SUN", "changed", "roles", "CONNECT, RESOURCE"),
        ("code", "procedure HIS.P", "changed", "digest", "2"),
    }
    assert hospital.news() == {("ACC-03c", "EVIL"), ("PRV-03b", "EVIL"), ("CHG-05", "his")}
    hospital.run(days=2)
    assert hospital.news() == set(), "it stays one finding"
    hospital.checking.restore(hospital.store)
    hospital.run(days=3)
    assert hospital.news() == set(), "also after a restart"


def test_an_export_that_fails_keeps_the_last_reading_and_says_so(hospital, capsys):
    hospital.run()
    hospital.write("users.csv", USERS.replace("2026-12-31 00:00:00", "soon"))
    assert not hospital.run(days=1)
    assert "users.csv:3:1: expiry_date: expected a time such as" in capsys.readouterr().err
    hospital.write("users.csv", USERS, at=NOW - timedelta(days=9))
    assert not hospital.run(days=1)
    assert "older than max_age_days" in capsys.readouterr().err
    assert hospital.store.inventory("accounts")["gone_at"].is_null().all()
    text = hospital.telemetry.exposition().decode()
    assert 'hiswatch_inventory_errors_total{inventory="ora",reason="export_faulty"} 1.0' in text
    assert 'hiswatch_inventory_errors_total{inventory="ora",reason="export_old"} 1.0' in text


def test_what_the_store_saw_is_what_checks_are_told(hospital):
    night = datetime(2026, 11, 10, 16, 30, tzinfo=UTC)  # already the 11th in the hospital
    hospital.happened(
        sun(0, occurred_at=night, shape_id="c" * 32, verb="alter", schema_change=True),
        sun(0, outcome="failed"),
        sun(1, record_role="part"),
        sun(2, clock_trusted=False),
        BY["service"] | {"account": "SVC_STAT", "occurred_at": NOW, "approved": True, "shape_id": "b" * 32, "tongfang": True},
        BY["service"] | {"account": "SVC_STAT", "occurred_at": NOW + timedelta(hours=2), "approved": True, "shape_id": "b" * 32, "tongfang": True},
    )  # fmt: skip
    work = {row["account"]: row for row in hospital.store.days_of_work(NOW - timedelta(days=9), "Asia/Shanghai").iter_rows(named=True)}  # fmt: skip
    assert {key: work["V_SUN"][key] for key in ("acts", "failed", "privileged", "altered", "backups", "first_at", "job_at")} == {
        "acts": 2, "failed": 1, "privileged": 1, "altered": 1, "backups": 0, "first_at": night, "job_at": None,
    }  # fmt: skip
    assert work["V_SUN"]["day"].isoformat() == "2026-11-11"
    assert work["SVC_STAT"]["job_at"] == NOW + timedelta(hours=2)
    hospital.run(days=1)
    assert ("TF-07b", "SVC_STAT") in hospital.news()


def test_a_session_that_goes_on_after_its_ticket(hospital):
    hospital.happened(sun(-120, ticket="T1"), sun(-61, ticket="T1"), sun(-30), sun(-20, session="8"))
    assert hospital.daily.overruns(hospital.assembly, NOW) == 1
    assert hospital.news() == {("TIM-04", "V_SUN")}
    assert hospital.daily.overruns(hospital.assembly, NOW + timedelta(minutes=10)) == 1
    assert hospital.news() == set()
    hospital.happened(sun(5) | {"event_id": "later", "position": 99})
    hospital.daily.overruns(hospital.assembly, NOW + timedelta(minutes=20))
    assert hospital.news() == {("TIM-04", "V_SUN")}, "it grew"
    (row,) = hospital.store.findings_of(["TIM-04"]).rows(named=True)
    assert (row["revision"], row["events"]) == (2, 2)
    assert hospital.daily.overruns(hospital.assembly, NOW + timedelta(days=3)) == 0


def test_a_daemon_that_stops_asks_no_more_servers(hospital):
    daily = Daily(hospital.store, hospital.telemetry, stopping=lambda: True)
    assert daily.run(hospital.assembly, NOW)
    assert hospital.store.inventory("accounts").is_empty()


def test_a_check_that_breaks_costs_itself_alone(hospital, monkeypatch):
    from monitor import daily

    def broken(*_):
        raise ValueError

    monkeypatch.setitem(daily.CHECKS, "superuser_not_agreed", broken)
    hospital.write("users.csv", USERS + "EVIL,OPEN,N,2026-11-11 03:00:00,,,,UNLIMITED\n")
    hospital.write("roles.csv", ROLES + "EVIL,DBA\n")
    hospital.run()
    assert hospital.news() == {("ACC-03c", "EVIL")}
    assert 'hiswatch_detector_errors_total{detector="PRV-03b"} 1.0' in hospital.telemetry.exposition().decode()

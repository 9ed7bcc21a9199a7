"""The register: what it accepts, and contradictions with their place."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.errors import ConfigError
from config.loader import load_register, load_site
from parsers.registry import parsers

SHANGHAI = ZoneInfo("Asia/Shanghai")
EXAMPLES = Path(__file__).parents[2] / "config" / "examples"

VENDOR = "vendors:\n  wx: {tier: A, contract: {from: 2026-01-01, to: 2026-12-31}}\n"
ZHANG = "people:\n  zhang:\n    vendor: wx\n    accounts:\n      - {system: pg, account: zhang}\n"
LI = "  li:\n    vendor: wx\n    accounts:\n      - {system: pg, account: li}\n"


def faults(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "register.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_register(file, SHANGHAI)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


CONTRADICTIONS = [
    (
        "an account of one system given to two people",
        VENDOR + ZHANG + LI.replace("account: li", "account: zhang"),
        (
            "register.yaml:11:22: people.li.accounts[0].account: account of system pg also belongs to people.zhang; "
            "if several people use it, write shared: true at each"
        ),
    ),
    (
        "shared written at one of two only",
        VENDOR + ZHANG + LI.replace("account: li", "account: zhang, shared: true"),
        (
            "register.yaml:11:22: people.li.accounts[0].account: account of system pg also belongs to people.zhang; "
            "if several people use it, write shared: true at each"
        ),
    ),
    (
        "a service and a person with one account",
        VENDOR + ZHANG + "services:\n  app:\n    accounts: [{system: [my, pg], account: zhang}]\n",
        "register.yaml:10:35: services.app.accounts[0].account: account of system pg also belongs to people.zhang",
    ),
    (
        "a ticket without an end",
        VENDOR + ZHANG + "tickets:\n  T1: {person: zhang, from: 2026-11-18 08:30}\n",
        "register.yaml:9:3: tickets.T1.to: required key is missing",
    ),
    (
        "a ticket that ends before it starts",
        VENDOR + ZHANG + "tickets:\n  T1: {person: zhang, from: 2026-11-18 08:30, to: 2026-11-18 08:30}\n",
        "register.yaml:9:47: tickets.T1.to: ends before it starts",
    ),
    (
        "a ticket that ends before it starts in another zone",
        VENDOR + ZHANG + "tickets:\n  T1: {person: zhang, from: 2026-11-18 08:30, to: 2026-11-18T00:30:00Z}\n",
        "register.yaml:9:47: tickets.T1.to: ends before it starts",
    ),
    (
        "a ticket of an unknown person",
        VENDOR + ZHANG + "tickets:\n  T1: {person: zang, from: 2026-11-18 08:30, to: 2026-11-18 12:00}\n",
        "register.yaml:9:8: tickets.T1.person: unknown person 'zang'; did you mean 'zhang'?",
    ),
    (
        "a time that is none",
        VENDOR + ZHANG + "tickets:\n  T1: {person: zhang, from: today, to: 2026-11-18 12:00}\n",
        "register.yaml:9:23: tickets.T1.from: expected a time such as 2026-11-18 08:30, got text",
    ),
    (
        "a person of an unknown vendor",
        VENDOR + ZHANG.replace("vendor: wx", "vendor: wz"),
        "register.yaml:5:5: people.zhang.vendor: unknown vendor",
    ),
    (
        "a person of nobody",
        "people:\n  zhang: {name: 张}\n",
        "register.yaml:2:3: people.zhang: needs a vendor or a department",
    ),
    (
        "a person of a vendor and a department",
        VENDOR + "people:\n  zhang: {vendor: wx, department: 信息科}\n",
        "register.yaml:4:23: people.zhang.department: a person has a vendor or a department, not both",
    ),
    (
        "a contract that ends before it starts",
        "vendors:\n  wx:\n    contract:\n      from: 2026-01-01\n      to: 2025-12-31\n",
        "register.yaml:5:7: vendors.wx.contract.to: the contract ends before it starts",
    ),
    (
        "a person who leaves before coming",
        "people:\n  a: {department: x, valid: {from: 2026-02-01, to: 2026-01-01}}\n",
        "register.yaml:2:48: people.a.valid.to: ends before it starts",
    ),
    (
        "a date that is none",
        "vendors:\n  wx: {contract: {to: 2026-02-30}}\n",
        "register.yaml:2:19: vendors.wx.contract.to: expected a date such as 2026-12-31, got text",
    ),
    (
        "a job of an account nobody has",
        VENDOR + ZHANG + "jobs:\n  dump: {kind: export, system: pg, account: zhan}\n",
        "register.yaml:9:36: jobs.dump.account: account is not registered in system pg; did you mean 'zhang'?",
    ),
    (
        "an action that is none",
        "vendors:\n  wx: {scope: {actions: [reed]}}\n",
        (
            "register.yaml:2:26: vendors.wx.scope.actions[0]: expected one of read, write, schema, privilege, audit, export, "
            "other, upload, download, list, delete, rename, folder, permission, command; did you mean 'read'?"
        ),
    ),
    (
        "a place that is none",
        "vendors:\n  wx: {places: [localhost]}\n",
        "register.yaml:2:17: vendors.wx.places[0]: expected an address or a network such as 10.20.0.0/16",
    ),
    (
        "a day that is none",
        "vendors:\n  wx: {hours: {days: [monday]}}\n",
        (
            "register.yaml:2:23: vendors.wx.hours.days[0]: expected one of working, all, mon, tue, wed, thu, fri, sat, sun; "
            "did you mean 'mon'?"
        ),
    ),
    (
        "an account that is a number",
        "services:\n  a: {accounts: [{system: pg, account: 1001}]}\n",
        "register.yaml:2:31: services.a.accounts[0].account: expected text, got a number; put it in quotes",
    ),
]


@pytest.mark.parametrize(
    ("text", "told"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)
def test_a_contradiction_is_told_with_its_place(tmp_path, text, told):
    assert faults(tmp_path, text) == [told]


def test_all_contradictions_come_at_once(tmp_path):
    text = (
        ZHANG
        + LI.replace("account: li", "account: zhang")
        + "tickets:\n  T1: {person: no, from: 2026-01-02, to: 2026-01-01}\n"
    )
    told = faults(tmp_path, text.replace("2026-01-02", "2026-01-02 00:00").replace("2026-01-01}", "2026-01-01 00:00}"))
    assert [line.split(" ")[1] for line in told] == [
        "people.zhang.vendor:",
        "people.li.vendor:",
        "people.li.accounts[0].account:",
        "tickets.T1.person:",
        "tickets.T1.to:",
    ]


def test_what_a_register_may_say(tmp_path):
    file = tmp_path / "register.yaml"
    file.write_text(
        VENDOR
        + ZHANG.replace("account: zhang", "account: ops, shared: true")
        + LI.replace("account: li", "account: ops, shared: true, from: [local, 192.0.2.7]")
        + "owners:\n  pg: {accounts: [{system: pg, account: postgres}]}\n"
        + "tickets:\n  T1: {person: [zhang, li], from: 2026-11-18 08:30, to: 2026-11-18T12:00:00+08:00}\n",
        encoding="utf-8",
    )
    register = load_register(file, SHANGHAI)
    assert register.vendors["wx"].contract.end == date(2026, 12, 31)
    assert register.vendors["wx"].hours.days == ("working",)
    assert (register.vendors["wx"].hours.start, register.vendors["wx"].hours.end) == (480, 1080)
    assert register.tickets["T1"].start == datetime(2026, 11, 18, 8, 30)
    assert register.owners["pg"].places == ("local",)
    assert {entry[:4] for entry in register.accounts} == {
        ("person", "zhang", "pg", "ops"),
        ("person", "li", "pg", "ops"),
        ("owner", "pg", "pg", "postgres"),
    }


@pytest.mark.parametrize("name", ["hospital.yaml", "sample-hospital/hospital.yaml"])
def test_the_shipped_examples_hold(name):
    site = load_site(EXAMPLES / name, formats={name: unit.options for name, unit in parsers().items()})
    assert site.register is not None
    assert site.register.accounts
    assert site.warnings == ()

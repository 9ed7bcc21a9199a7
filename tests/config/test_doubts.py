"""Doubts about a register: each kind fires where it should, and an honest register raises none."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.chinese import in_chinese
from config.doubts import Patience, doubts
from config.loader import open_register

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 11, 18)

HONEST = """\
vendors:
  wx:
    tier: A
    contract: {from: 2026-01-01, to: 2027-06-30}
    head_count: 2
    places: [192.0.2.0/24]
people:
  zhang:
    name: 张工
    vendor: wx
    qualification_until: 2027-05-31
    accounts: [{system: pg, account: zhang}]
  li:
    name: 李工
    vendor: wx
    accounts: [{system: pg, account: li}]
services:
  app:
    places: [192.0.2.9]
    accounts: [{system: pg, account: app}]
    scope: {actions: [read]}
tickets:
  T1: {person: zhang, from: 2026-11-18 08:30, to: 2026-11-18 12:00, objects: [his.drugs], approver: 王主任}
jobs:
  dump: {kind: export, system: pg, account: app, approver: 王主任}
"""
TICKET = "  T1: {person: zhang, from: 2026-11-18 08:30, to: 2026-11-18 12:00, objects: [his.drugs], approver: 王主任}\n"
JOB = "  dump: {kind: export, system: pg, account: app, approver: 王主任}\n"


def told(tmp_path: Path, text: str, patience: Patience | None = None) -> list[str]:
    file = tmp_path / "register.yaml"
    file.write_text(text, encoding="utf-8")
    found, document = open_register(file, SHANGHAI)
    assert found.problems == ()
    problems = doubts(found.register, document, TODAY, SHANGHAI, patience)
    for problem in problems:
        assert problem.line > 1
        assert in_chinese(problem.message) != problem.message, problem.message
    return [f"{problem.key}: {problem.message}" for problem in problems]


def test_an_honest_register_raises_no_doubt(tmp_path):
    assert told(tmp_path, HONEST) == []


DOUBTS = [
    (
        "more people than the contract agrees",
        ("head_count: 2", "head_count: 1"),
        ["vendors.wx.head_count: 2 people are valid today, the contract agrees 1"],
    ),
    (
        "a person who has left does not count",
        ("head_count: 2", "head_count: 1", "  li:\n", "  li:\n    valid: {to: 2026-11-17}\n"),
        [],
    ),
    (
        "a person whose last day is today counts",
        ("head_count: 2", "head_count: 1", "  li:\n", "  li:\n    valid: {to: 2026-11-18}\n"),
        ["vendors.wx.head_count: 2 people are valid today, the contract agrees 1"],
    ),
    (
        "a contract without a last day",
        (", to: 2027-06-30", ""),
        ["vendors.wx.contract: the contract has no last day: its people stay valid for ever"],
    ),
    ("a contract that ends in thirty days", ("2027-06-30", "2026-12-18"), ["vendors.wx.contract.to: the contract ends on 2026-12-18"]),
    ("a contract that ends in thirty-one days", ("2027-06-30", "2026-12-19"), []),
    (
        "a contract that has ended",
        ("2027-06-30", "2026-11-17", "2027-05-31", "2026-11-01", "tickets:\n" + TICKET, ""),
        [
            "people.zhang.qualification_until: the qualification ended on 2026-11-01",
            "vendors.wx.contract.to: the contract ended on 2026-11-17 and the vendor is still 'active'",
        ],
    ),
    (
        "a vendor that exited and its people stay",
        ("tier: A", "tier: A\n    state: exited", "tickets:\n" + TICKET, "", "account: app, approver", "account: li, approver"),
        [
            "jobs.dump.account: the vendor wx has exited and its account still runs this job",
            "people.li.vendor: the vendor wx has exited and this person is still registered as valid: give a last day",
            "people.zhang.vendor: the vendor wx has exited and this person is still registered as valid: give a last day",
        ],
    ),
    (
        "a qualification that ends soon",
        ("2027-05-31", "2026-12-01"),
        ["people.zhang.qualification_until: the qualification ends on 2026-12-01"],
    ),
    (
        "a qualification of somebody who has left",
        ("2027-05-31", "2026-12-01\n    valid: {to: 2026-11-17}", "tickets:\n" + TICKET, ""),
        [],
    ),
    (
        "a vendor's person without an account",
        ("    accounts: [{system: pg, account: li}]\n", ""),
        ["people.li: a vendor's person without an account: nothing in the logs can be known as this person's"],
    ),
    (
        "accounts without places",
        ("    places: [192.0.2.0/24]\n", "", "    places: [192.0.2.9]\n", ""),
        [
            "people.li.accounts[0].account: no address is agreed for this account: it is allowed from anywhere",
            "people.zhang.accounts[0].account: no address is agreed for this account: it is allowed from anywhere",
            "services.app.accounts[0].account: no address is agreed for this account: it is allowed from anywhere",
        ],
    ),
    (
        "a shared account",
        ("account: zhang}", "account: ops, shared: true}", "account: li}", "account: ops, shared: true}"),
        [
            "people.li.accounts[0].account: shared with zhang: what is done with it is nobody's for certain",
            "people.zhang.accounts[0].account: shared with li: what is done with it is nobody's for certain",
        ],
    ),
    (
        "shared with nobody",
        ("account: li}", "account: li, shared: true}"),
        ["people.li.accounts[0].shared: shared: true, and nobody else has this account"],
    ),
    (
        "a service without scope",
        ("    scope: {actions: [read]}\n", ""),
        ["services.app: a service without scope: whatever its account does is not judged"],
    ),
    (
        "a ticket of two months",
        ("to: 2026-11-18 12:00", "to: 2027-01-18 12:00"),
        ["tickets.T1.to: open for 61 days; more than 31 is no ticket"],
    ),
    ("a ticket of a month", ("to: 2026-11-18 12:00", "to: 2026-12-18 12:00"), []),
    (
        "a ticket for anything",
        (", objects: [his.drugs]", ""),
        ["tickets.T1: names no objects, classes or actions: it covers anything its people do"],
    ),
    ("a ticket nobody approved", (TICKET, TICKET.replace(", approver: 王主任", "")), ["tickets.T1: nobody is named who approved it"]),
    (
        "a ticket approved by the id of who does it",
        (TICKET, TICKET.replace("王主任", "zhang")),
        ["tickets.T1.approver: approved by the person who does the work"],
    ),
    (
        "a ticket approved by the name of who does it",
        (TICKET, TICKET.replace("王主任", "张工")),
        ["tickets.T1.approver: approved by the person who does the work"],
    ),
    (
        "a ticket approved by who asked",
        (TICKET, TICKET.replace("approver: 王主任", "approver: 王主任, requester: 王主任")),
        ["tickets.T1.approver: approved by the person who asked for it"],
    ),
    (
        "a ticket of somebody who leaves before its end",
        ("    name: 张工\n", "    name: 张工\n    valid: {to: 2026-11-17}\n"),
        ["tickets.T1.person: zhang is not valid in the time of the ticket: valid until 2026-11-17"],
    ),
    (
        "a ticket of somebody who is not there yet",
        ("    name: 张工\n", "    name: 张工\n    valid: {from: 2026-11-19}\n"),
        ["tickets.T1.person: zhang is not valid in the time of the ticket: valid from 2026-11-19"],
    ),
    (
        "a ticket that ends at the midnight of the last day",
        (TICKET, TICKET.replace("2026-11-18 12:00", "2026-11-19 00:00"), "    name: 张工\n", "    name: 张工\n    valid: {to: 2026-11-18}\n"),
        [],
    ),
    ("a job nobody approved", (JOB, JOB.replace(", approver: 王主任", "")), ["jobs.dump: nobody is named who approved it"]),
    (
        "a job whose approval is over",
        ("account: app, approver", "account: app, valid: {to: 2026-11-17}, approver"),
        ["jobs.dump.valid.to: the approval ended on 2026-11-17: the job covers nothing any more"],
    ),
    (
        "statistics by prescriber and drug for ever",
        (JOB, JOB.replace("kind: export", "kind: report, prescriber_and_drug: true")),
        [
            "jobs.dump.prescriber_and_drug: a report by prescriber and drug without a requester",
            (
                "jobs.dump.prescriber_and_drug: a report by prescriber and drug without approvals and without a last "
                "day: it may run for ever"
            ),
        ],
    ),
    (
        "statistics approved by who asked for them",
        (
            JOB,
            JOB.replace(
                "kind: export",
                "kind: report, prescriber_and_drug: true, requester: 药学部, "
                "approvals: [{from: 2026-11-01, to: 2026-11-30, requester: 李药师, approver: 李药师}]",
            ),
        ),
        ["jobs.dump.approvals[0].approver: approved by the person who asked for it"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in DOUBTS], ids=[case[0] for case in DOUBTS])
def test_a_doubt_is_told_where_there_is_one(tmp_path, changes, expected):
    text = HONEST
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    assert sorted(told(tmp_path, text)) == sorted(expected)


def test_how_long_a_ticket_may_be_and_how_early_an_end_is_told_can_be_set(tmp_path):
    text = HONEST.replace("2027-06-30", "2026-11-28").replace("to: 2026-11-18 12:00", "to: 2026-11-21 12:00")
    assert told(tmp_path, text, Patience(ticket_days=3, notice_days=9)) == []
    assert told(tmp_path, text, Patience(ticket_days=2, notice_days=10)) == [
        "vendors.wx.contract.to: the contract ends on 2026-11-28",
        "tickets.T1.to: open for 3 days; more than 2 is no ticket",
    ]

"""A register with mistakes: what has one is left out whole, and what hangs on it; the rest holds."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from test_register import CONTRADICTIONS, LI, VENDOR, ZHANG

from config.chinese import in_chinese
from config.errors import ConfigError
from config.loader import load_site, open_register
from config.tolerance import ALL, WORK

SHANGHAI = ZoneInfo("Asia/Shanghai")
GOOD_TICKET = "  T2: {person: li, from: 2026-11-18 08:30, to: 2026-11-18 12:00}\n"


def opened(tmp_path: Path, text: str):
    file = tmp_path / "register.yaml"
    file.write_text(text, encoding="utf-8")
    return open_register(file, SHANGHAI)[0]


@pytest.mark.parametrize("text", [case[1] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS])
def test_every_contradiction_leaves_a_register_without_it(tmp_path, text):
    found = opened(tmp_path, text)
    assert found.problems
    assert found.left_out
    for section, name in found.left_out:
        assert name not in getattr(found.register, section)


@pytest.mark.parametrize(
    "told", [case[2].partition(": ")[2].partition(": ")[2] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)  # fmt: skip
def test_every_contradiction_is_said_in_chinese_too(told):
    said = in_chinese(told)
    assert said != told
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said)


BAD_TICKETS = {
    "no end": "  T1: {person: zhang, from: 2026-11-18 08:30}\n",
    "before its start": "  T1: {person: zhang, from: 2026-11-18 08:30, to: 2026-11-18 08:00}\n",
    "nobody": "  T1: {person: chen, from: 2026-11-18 08:30, to: 2026-11-18 12:00}\n",
    "an object list that is a mapping": "  T1: {person: zhang, from: 2026-11-18 08:30, to: 2026-11-18 12:00, objects: {a: b}}\n",
    "a number": "  T1: 5\n",
}


@pytest.mark.parametrize("ticket", BAD_TICKETS.values(), ids=BAD_TICKETS)
def test_a_bad_ticket_costs_that_ticket_only(tmp_path, ticket):
    found = opened(tmp_path, VENDOR + ZHANG + LI + "tickets:\n" + ticket + GOOD_TICKET)
    assert found.left_out == (("tickets", "T1"),)
    assert list(found.register.tickets) == ["T2"]
    assert set(found.register.people) == {"zhang", "li"}
    assert [problem.line for problem in found.problems] == [13]


def test_what_refers_to_an_entry_that_went_goes_too(tmp_path):
    text = (
        VENDOR.replace("2026-12-31", "2025-12-31")
        + ZHANG
        + "  chen: {department: 信息科, accounts: [{system: pg, account: chen}]}\n"
        + "tickets:\n  T1: {person: [zhang, chen], from: 2026-11-18 08:30, to: 2026-11-18 12:00}\n"
        + "jobs:\n  dump: {kind: export, system: pg, account: zhang}\n"
    )
    found = opened(tmp_path, text)
    assert set(found.left_out) == {("vendors", "wx"), ("people", "zhang"), ("tickets", "T1"), ("jobs", "dump")}
    assert list(found.register.people) == ["chen"]
    told = [str(problem).split(": ", 1)[1] for problem in found.problems]
    assert told == [
        "vendors.wx.contract.to: the contract ends before it starts",
        "people.zhang.vendor: left out too: unknown vendor",
        "tickets.T1.person: left out too: unknown person 'zhang'",
        "jobs.dump.account: left out too: account is not registered in system pg",
    ]


def test_an_unknown_section_is_told_and_passed_over(tmp_path):
    found = opened(tmp_path, VENDOR + ZHANG + "ticket:\n  T1: {}\n")
    assert found.left_out == (("ticket", ""),)
    assert [str(problem).split(": ", 1)[1] for problem in found.problems] == [
        "ticket: unknown key; did you mean 'tickets'?"
    ]
    assert set(found.register.people) == {"zhang"}


def site(tmp_path: Path, register: str) -> Path:
    (tmp_path / "register.yaml").write_text(register, encoding="utf-8")
    config = tmp_path / "hospital.yaml"
    config.write_text(
        "site: {id: h}\nregister: register.yaml\nsources:\n  a: {system: pg, path: a.log, format: vsftpd_native}\n",
        encoding="utf-8",
    )
    return config


def test_only_sections_that_are_tolerated_may_have_mistakes(tmp_path):
    bad_person = site(tmp_path, VENDOR + ZHANG.replace("vendor: wx", "vendor: wz"))
    with pytest.raises(ConfigError):
        load_site(bad_person)
    with pytest.raises(ConfigError):
        load_site(bad_person, tolerate=WORK)
    loaded = load_site(bad_person, tolerate=ALL)
    assert loaded.register is not None
    assert not loaded.register.people
    assert [problem.key for problem in loaded.register_faults] == ["people.zhang.vendor"]

    bad_ticket = site(tmp_path, VENDOR + ZHANG + "tickets:\n" + BAD_TICKETS["no end"])
    with pytest.raises(ConfigError):
        load_site(bad_ticket)
    loaded = load_site(bad_ticket, tolerate=WORK)
    assert loaded.register is not None
    assert set(loaded.register.people) == {"zhang"}
    assert [str(problem).split("register.yaml:")[1] for problem in loaded.register_faults] == [
        "9:3: tickets.T1.to: required key is missing"
    ]


def test_a_register_that_is_no_yaml_is_never_tolerated(tmp_path):
    with pytest.raises(ConfigError):
        load_site(site(tmp_path, "vendors: [\n"), tolerate=ALL)

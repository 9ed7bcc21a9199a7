"""The folder of tickets: forms of files, each judged by itself, changes and withdrawals seen."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.loader import load_register
from monitor.tickets import TicketFolder

ZONE = ZoneInfo("Asia/Shanghai")
REGISTER = """\
people:
  zhang: {name: 张工, department: IT}
  li: {name: 李工, department: IT}
  wang: {name: 李工, department: IT}
tickets:
  OWN: {person: zhang, from: 2026-11-01 08:00, to: 2026-11-01 09:00}
"""
TIMES = "from: 2026-11-18 20:00\nto: 2026-11-18 22:00\n"


@pytest.fixture
def folder(tmp_path: Path) -> TicketFolder:
    register = tmp_path / "register.yaml"
    register.write_text(REGISTER, encoding="utf-8")
    (tmp_path / "tickets").mkdir()
    made = TicketFolder(tmp_path / "tickets", load_register(register, ZONE), ZONE)
    made.path = tmp_path / "tickets"
    return made


def drop(folder: TicketFolder, name: str, text: str, encoding: str = "utf-8") -> None:
    (folder.path / name).write_bytes(text.encode(encoding))


def tickets(folder: TicketFolder) -> dict:
    return {name: ticket for name, ticket in folder.register.tickets.items() if name != "OWN"}


def told(folder: TicketFolder) -> list[str]:
    return [str(problem).replace(f"{folder.path}/", "") for problem in folder.problems]


GOOD = {
    "yaml named by its file": ("T-1.yaml", "person: zhang\n" + TIMES, "utf-8", ["T-1"]),
    "yaml with an id": ("x.yml", "id: CHG/4711\nperson: 张工\n" + TIMES, "utf-8", ["CHG_4711"]),
    "as in the register": ("x.yaml", "tickets:\n  A: {person: zhang, from: 2026-11-18 20:00, to: 2026-11-18 22:00}\n  B: {person: [zhang, li], from: 2026-11-18 20:00, to: 2026-11-18 22:00}\n", "utf-8", ["A", "B"]),
    "json with tabs": ("T-2.json", '{\n\t"person": ["zhang"],\n\t"from": "2026-11-18T20:00:00+08:00",\n\t"to": "2026-11-18 22:00"\n}', "utf-8", ["T-2"]),
    "csv in GBK": ("out.csv", "工单号,实施人,开始时间,结束时间,审批人\nT-3,张工,2026/11/18 20:00,2026-11-18 22:00,王主任\nT-4,zhang,2026-11-18 20:00,2026-11-18 22:00,\n", "gbk", ["T-3", "T-4"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "encoding", "ids"), GOOD.values(), ids=GOOD)
def test_tickets_come_in_several_forms(folder, name, text, encoding, ids):
    drop(folder, name, text, encoding)
    assert folder.look()
    assert folder.problems == ()
    assert sorted(tickets(folder)) == ids
    for ticket in tickets(folder).values():
        assert ticket.people[0] == "zhang"
        assert ticket.start.replace(tzinfo=None) == datetime(2026, 11, 18, 20)


BAD = {
    "no end": ("T.yaml", "person: zhang\nfrom: 2026-11-18 20:00\n", "T.yaml:1:1: tickets.T.to: required key is missing"),
    "an end before its start": ("T.yaml", "person: zhang\nfrom: 2026-11-18 20:00\nto: 2026-11-18 20:00\n", "T.yaml:3:1: tickets.T.to: ends before it starts"),
    "nobody we know": ("T.json", '{"person": "chen", "from": "2026-11-18 20:00", "to": "2026-11-18 22:00"}', "T.json:1:2: tickets.T.person: unknown person 'chen'"),
    "a name of two people": ("T.yaml", "person: 李工\n" + TIMES, "T.yaml:1:1: tickets.T.person: unknown person '李工'"),
    "a key nobody knows": ("T.yaml", "person: zhang\nobject: [a]\n" + TIMES, "T.yaml:2:1: tickets.T.object: unknown key; did you mean 'objects'?"),
    "a list": ("T.yaml", "- a\n", "T.yaml:1:1: tickets.T: expected keys and values, got a list"),
    "no yaml": ("T.yaml", "a: [\n", "T.yaml:2:1: not YAML: expected the node content, but found '<stream end>'"),
    "a row without an end": ("t.csv", "工单号,实施人,开始时间,结束时间\nT1,张工,2026-11-18 20:00,\n", "t.csv:2:4: 结束时间: must not be empty"),
    "a row of nobody": ("t.csv", "工单号,实施人,开始时间,结束时间\nT1,陈工,2026-11-18 20:00,2026-11-18 22:00\n", "t.csv:2:2: 实施人: unknown person '陈工'"),
    "the id of another": ("OWN.yaml", "person: zhang\n" + TIMES, "OWN.yaml: tickets.OWN: the id is taken by another ticket"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_told_with_its_place_and_the_others_hold(folder, name, text, message):
    drop(folder, "good.yaml", "person: zhang\n" + TIMES)
    drop(folder, name, text)
    assert folder.look()
    assert told(folder) == [message]
    assert list(tickets(folder)) == ["good"]
    assert len(folder.news()) == 1
    assert folder.news() == []


def test_files_are_read_again_only_when_they_change(folder):
    drop(folder, "T.yaml", "person: zhang\n" + TIMES)
    assert folder.look()
    assert not folder.look()
    drop(folder, "T.yaml", "person: li\n" + TIMES)
    assert folder.look()
    assert tickets(folder)["T"].people == ("li",)
    os.utime(folder.path / "T.yaml", (1, 1))
    assert not folder.look(), "the same ticket in a touched file is no change"
    (folder.path / "T.yaml").unlink()
    assert folder.look()
    assert tickets(folder) == {}
    assert "OWN" in folder.register.tickets


def test_a_file_that_is_still_being_written_is_read_when_it_is_whole(folder):
    text = "person: zhang\n" + TIMES
    drop(folder, "T.yaml", text[: len(text) // 2])
    assert not folder.look()
    assert folder.problems
    drop(folder, "T.yaml", text)
    assert folder.look()
    assert folder.problems == ()


def test_two_files_with_one_id_are_told_until_one_goes(folder):
    drop(folder, "a.yaml", "id: T\nperson: zhang\n" + TIMES)
    drop(folder, "b.yaml", "id: T\nperson: li\n" + TIMES)
    folder.look()
    assert tickets(folder)["T"].people == ("zhang",)
    assert told(folder) == ["b.yaml: tickets.T: the id is taken by another ticket"]
    (folder.path / "a.yaml").unlink()
    assert folder.look()
    assert tickets(folder)["T"].people == ("li",)
    assert folder.problems == ()


def test_links_hidden_files_and_giants_are_not_read(folder, tmp_path):
    secret = tmp_path / "secret.yaml"
    secret.write_text("person: zhang\n" + TIMES, encoding="utf-8")
    (folder.path / "link.yaml").symlink_to(secret)
    drop(folder, ".hidden.yaml", "person: zhang\n" + TIMES)
    drop(folder, "giant.yaml", "person: zhang\n" + TIMES + "#" * 2_000_000)
    assert not folder.look()
    assert told(folder) == ["giant.yaml: larger than 1024 KiB"]


def test_a_folder_that_went_away_withdraws_nothing(folder):
    drop(folder, "T.yaml", "person: zhang\n" + TIMES)
    folder.look()
    folder.path.rename(folder.path.with_name("moved"))
    assert not folder.look()
    assert "T" in tickets(folder)
    assert "not readable" in str(folder.problems[0])


def test_without_a_folder_the_register_stands_as_it_is():
    folder = TicketFolder(None, None, ZONE)
    assert not folder.look()
    assert folder.register is None

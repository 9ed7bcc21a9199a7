"""Canaries and VIPs: which acts touch them, who may, and that a number of another kind is nobody's."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from config.register import Register
from detectors.context import Context
from detectors.context.watched import CANARY, VIP, Watch

ZONE = ZoneInfo("Asia/Shanghai")
NOW = "2026-11-18 10:00"
BAIT, STAR, VISIT = "a" * 24, "b" * 24, "c" * 24
REGISTER = """
people:
  zhou: {department: 信息科, accounts: [{system: pg, account: zhou}]}
  ward: {department: 护理部, accounts: [{system: pg, account: ward_9}]}
services:
  app: {accounts: [{system: pg, account: app}]}
  agent: {accounts: [{system: pg, account: bak}]}
jobs:
  dump: {kind: export, system: pg, account: bak, window: {from: 02:00, to: 03:00}}
"""
WATCHES = (
    Watch(CANARY, {"patient_key": {BAIT}}, ("patients_old", "bait.*", "/archive/vip*.xlsx"), ("dump",)),
    Watch(VIP, {"patient_key": {STAR}, "visit_key": {VISIT}}, (), ("app", "护理部")),
)


@pytest.fixture
def context(register: Callable[[str], Register]) -> Context:
    return Context(zone=ZONE, register=register(REGISTER), watches=WATCHES)


def keyed(token: str, kind: str = "patient_key", **columns: object) -> dict[str, object]:
    return {"account": "zhou", "patient_keys": [token], "key_kinds": [kind], "reads": ["patients"], **columns}


CASES = [  # name, local time, what the event says, what is touched
    ("the patient who does not exist", NOW, keyed(BAIT), [CANARY]),
    ("among many others", NOW, keyed(BAIT, patient_keys=["1" * 24, BAIT, "2" * 24]), [CANARY]),
    ("somebody else", NOW, keyed("1" * 24), []),
    ("a receipt with the same number", NOW, keyed(BAIT, "document_key"), []),
    ("a statement that asks by patient and visit", NOW, keyed(VISIT, key_kinds=["patient_key", "visit_key"]), [VIP]),
    ("both at once", NOW, keyed(BAIT, patient_keys=[BAIT, STAR]), [CANARY, VIP]),
    ("no statement", NOW, {"account": "zhou", "action": "login"}, []),
    ("a table nobody needs", NOW, {"account": "zhou", "reads": ["his.patients_old"]}, [CANARY]),
    ("written in capitals", NOW, {"account": "zhou", "writes": ["PATIENTS_OLD"]}, [CANARY]),
    ("a table whose name only begins so", NOW, {"account": "zhou", "reads": ["patients_old_2"]}, []),
    ("any table of the bait's schema", NOW, {"account": "zhou", "reads": ["visits", "bait.x"]}, [CANARY]),
    ("a file nobody needs", NOW, {"account": "zhou", "action": "download", "path": "/archive/vip_2026.xlsx"}, [CANARY]),
    ("a file renamed to that name", NOW, {"account": "zhou", "action": "rename", "path": "/a", "path2": "/archive/vip.xlsx"}, [CANARY]),
    ("another file", NOW, {"account": "zhou", "action": "download", "path": "/archive/notes.xlsx"}, []),
    ("the VIP, by somebody curious", NOW, keyed(STAR), [VIP]),
    ("the VIP, by the application", NOW, keyed(STAR, account="app"), []),
    ("the VIP, by the ward", NOW, keyed(STAR, account="ward_9"), []),
    ("the canary, by the application", NOW, keyed(BAIT, account="app"), [CANARY]),
    ("the canary, by an account nobody knows", NOW, keyed(BAIT, account="evil"), [CANARY]),
    ("the dump takes every table", "2026-11-18 02:30", {"account": "bak", "reads": ["patients_old"], "dump_tool": "pg_dump", "verb": "copy"}, []),
    ("the same by day", NOW, {"account": "bak", "reads": ["patients_old"], "dump_tool": "pg_dump", "verb": "copy"}, [CANARY]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "columns", "touched"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_touched(context: Context, event, frame, checked, moment, columns, touched) -> None:
    enriched = checked(context.enrich(frame([event(moment, **columns)])))
    assert enriched["watched"].to_list() == [touched]


def test_all_together_as_one_by_one(context: Context, event, frame) -> None:
    rows = [event(moment, **columns) for _, moment, columns, _ in CASES]
    assert context.enrich(frame(rows))["watched"].to_list() == [case[-1] for case in CASES]


def test_a_site_that_watches_nothing(register, event, frame) -> None:
    plain = Context(zone=ZONE, register=register(REGISTER), watches=[Watch(CANARY), Watch(VIP)])
    rows = frame([event(NOW, **keyed(BAIT)), event(NOW, account="zhou", action="login")])
    assert plain.enrich(rows)["watched"].to_list() == [None, None]
    assert plain.enrich(frame([]))["watched"].dtype == pl.List(pl.String)

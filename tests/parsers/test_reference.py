"""Captured logs (trimmed) beside another reading of the same lines; every difference is listed and explained.

A case is three files in `reference/`: `<name>.log`, `<name>.jsonl` (the other reading, `line` counted from 1) and
`<name>.explained.json`: the `parser`, its `options` where the defaults do not fit, `operations` where the other reading
calls an action otherwise, and `differences`: `"<column> of <operation>": [how many, why]`. A new case is three new files.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from parsers.events import Origin
from parsers.registry import parsers

FOLDER = Path(__file__).parent / "reference"
ZONE = ZoneInfo("Asia/Shanghai")
WHEN = datetime(2027, 1, 1, 4, tzinfo=UTC)
CASES = sorted(path.name.removesuffix(".explained.json") for path in FOLDER.glob("*.explained.json"))


def case(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.explained.json").read_text(encoding="utf-8"))


def differences(name: str) -> Counter[str]:
    about = case(name)
    log = (FOLDER / f"{name}.log").read_bytes()
    origin = Origin("h", "ftp01", "s", name, about["parser"], "0" * 16, 0, WHEN, WHEN)
    unit = parsers()[about["parser"]]
    if "options" in about:
        unit = unit.configured(about["options"])
    parsed = unit.parse(log, origin, ZONE, {})
    assert parsed.rejects.is_empty()
    starts, position = {}, 0
    for number, line in enumerate(log.split(b"\n"), 1):
        starts[number] = position
        position += len(line) + 1
    events = {event["position"]: event for event in parsed.events.iter_rows(named=True)}
    later = {e["activity_key"]: e["outcome"] for e in events.values() if e["record_role"] == "outcome"}
    found: Counter[str] = Counter()
    for text in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        told = json.loads(text)
        event = events.get(starts[told["line"]])
        if event is None:
            found[f"line of {told['op']}"] += 1
            continue
        outcome = later.get(event["activity_key"], event["outcome"])
        pairs = {
            "role": ("main", event["record_role"]),
            "time": (datetime.fromisoformat(told["ts"]), event["occurred_at"]),
            "user": (told["user"], event["account"]),
            "ip": (told["ip"], event["client_ip"]),
            "action": (about.get("operations", {}).get(told["op"], told["op"]), event["action"]),
            "path": (told["path"], event["path"]),
            "path2": (told.get("path2"), event["path2"]),
            "bytes": (told["bytes"], event["bytes"]),
            # a server that never says that something went well: what is not refused is not failed
            "ok": (told["ok"], outcome != "failed"),
        }
        found.update(f"{column} of {told['op']}" for column, (theirs, ours) in pairs.items() if theirs != ours)
    return found


@pytest.mark.parametrize("name", CASES)
def test_every_difference_from_the_other_reading_is_explained(name):
    assert differences(name) == {what: count for what, (count, _) in case(name)["differences"].items()}


def test_every_cut_is_compared():
    assert sorted(path.stem for path in FOLDER.glob("*.log")) == CASES

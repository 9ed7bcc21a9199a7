"""Cases of rule_cases*.py as the files that `hiswatch rules test` runs: `python tests/detectors/write_cases.py`.

Each goes into the first document of `<rule file>.cases.yaml`, in the few words of detectors/cases.py; further documents of
that file are written by hand and stay. A test compares both.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from config.rulefiles import SHIPPED, read_rules
from config.yaml12 import read_yaml_all
from detectors.cases import ACTS, BY, NOON, rows
from detectors.rules import compile_rules

_MADE = ("event_id", "position", "occurred_at", "received_at")
_PLAIN = re.compile(r"[A-Za-z_](?:[\w ./@%()*+-]*[\w./@%()*+-])?")
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "inf", "nan", "y", "n"}
_NUMBER = re.compile(r"(?<!\d)(?:0|[1-9]\d*)(?!\d)")
ZONE = ZoneInfo("Asia/Shanghai")


def python_cases() -> dict[str, tuple[dict[str, list], dict[str, list]]]:
    """Every case of rule_cases*.py, by rule."""
    found: dict[str, tuple[dict[str, list], dict[str, list]]] = {}
    for file in sorted(Path(__file__).parent.glob("rule_cases*.py")):
        module = importlib.import_module(file.stem)
        for name in ("CASES", "ALSO"):
            for rule, (yes, no) in getattr(module, name, {}).items():
                mine = found.setdefault(rule, ({}, {}))
                mine[0].update(yes)
                mine[1].update(no)
    return found


def case_files() -> dict[str, Path]:
    """The file of a rule's cases, beside the rule."""
    rules = compile_rules(read_rules())
    return {rule.id: Path(rule.file).with_suffix(".cases.yaml") for rule in rules}


def told(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events in as few words as may be."""
    rest, found = _alike([_short(event) for event in events], events), []
    while rest:
        length = len(rest)
        while (one := _run(rest[:length])) is None:
            length = length // 2 if length > 8 else length - 1
        while length < len(rest) and (more := _run(rest[: length + 1])) is not None:
            one, length = more, length + 1
        found.append(one)
        rest = rest[length:]
    return [_without_usual(one, events[0]) for one in found]


def _alike(short: list[dict[str, Any]], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events of one kind name the same columns, so that a row of them can be told as one."""
    names = list(dict.fromkeys(name for event in short for name in event))
    if len({(event.get("act"), event.get("by")) for event in short}) > 1:
        return short
    words = ("act", "by", "after")
    return [
        {name: one[name] if name in words else event[name] for name in names if name in one or name not in words}
        for one, event in zip(short, events, strict=True)
    ]


def _without_usual(one: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    usual = dict.fromkeys(event) | dict(ACTS[one.get("act", "query")]) | dict(BY[one.get("by", "staff")])
    return {name: value for name, value in one.items() if name not in usual or usual[name] != value}


def _short(event: dict[str, Any]) -> dict[str, Any]:
    def beside(act: str, by: str) -> dict[str, Any]:
        usual = dict.fromkeys(event) | dict(ACTS[act]) | dict(BY[by])
        return {name: value for name, value in event.items() if name not in _MADE and usual[name] != value}

    choices = [(len(beside(act, by)), n, m, act, by) for n, act in enumerate(ACTS) for m, by in enumerate(BY)]
    *_, act, by = min(choices)
    words = ({"act": act} if act != "query" else {}) | ({"by": by} if by != "staff" else {})
    return words | {"after": round((event["occurred_at"] - NOON).total_seconds(), 6)} | beside(act, by)


def _run(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Several events as one, where each value stays or goes on by the same step."""
    first = events[0]
    if len(events) == 1:
        alone = {name: _listed(value) for name, value in first.items()}
        return alone if alone["after"] else {name: value for name, value in alone.items() if name != "after"}
    if any(list(event) != list(first) for event in events):
        return None
    steps = {round(b["after"] - a["after"], 5) for a, b in pairwise(events)}
    if len(steps) != 1 or min(steps) < 0:
        return None
    one: dict[str, Any] = {}
    for name, value in first.items():
        if name == "after":
            one |= ({"after": value} if value else {}) | {"times": len(events), "every": min(steps)}
            continue
        changing = _progress([event[name] for event in events])
        if changing is None:
            return None
        one[name] = changing[0]
    return {name: value for name, value in one.items() if name != "every" or value}


def _progress(values: list[Any]) -> tuple[Any] | None:
    first = values[0]
    if all(value == first and type(value) is type(first) for value in values):
        return (_listed(first),)
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        step = values[1] - first
        if all(value == first + step * index for index, value in enumerate(values)):
            return ({"from": first, "step": step},)
    if all(isinstance(value, list) and len(value) == 1 for value in values):
        inner = _progress([value[0] for value in values])
        return None if inner is None else ([inner[0]],)
    if all(isinstance(value, str) for value in values):
        return _texts(values)
    return None


def _texts(values: list[str]) -> tuple[Any] | None:
    for found in _NUMBER.finditer(values[0]):
        before, after = values[0][: found.start()], values[0][found.end() :]
        numbers = [value[len(before) : len(value) - len(after) or None] for value in values]
        if all(_NUMBER.fullmatch(number) for number in numbers):
            progress = _progress([int(number) for number in numbers])
            whole = all(v == before + n + after for v, n in zip(values, numbers, strict=True))
            if progress and isinstance(progress[0], dict) and whole:
                return ({"text": f"{before}{{}}{after}", **progress[0]},)
    for period in range(2, min(len(values), 50) + 1):
        if all(value == values[index % period] for index, value in enumerate(values)):
            return ({"each": values[:period]},)
    return None


def _listed(value: Any) -> Any:
    """A long list of texts that differ in a number."""
    if isinstance(value, list) and len(value) > 5 and (found := _progress(value)) and isinstance(found[0], dict):
        return found[0] | {"count": len(value)} if "each" not in found[0] else value
    return value


def page(rule: str, yes: dict[str, list], no: dict[str, list]) -> str:
    lines = [f"rule: {rule}"]
    for key, cases in (("fires", yes), ("quiet", no)):
        lines.append(f"{key}:")
        for sentence, events in cases.items():
            lines.append(f"  {_scalar(sentence)}:")
            lines += [f"    - {_flow(event)}" for event in told(events)]
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) else repr(value)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.isascii() and value.lower() not in _RESERVED
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def same(events: list[dict[str, Any]], written: list[dict[str, Any]]) -> bool:
    """Whether a case of a file makes the events of a case in Python."""
    made = [row.columns for event in written for row in rows(event, ZONE)]
    return len(made) == len(events) and all(
        all(one[name] == other[name] for name in one if name not in _MADE)
        and abs(one["occurred_at"] - other["occurred_at"]) < timedelta(milliseconds=1)
        for one, other in zip(made, events, strict=True)
    )


def differing() -> list[str]:
    """Rules whose file does not say what rule_cases*.py says."""
    files, odd = case_files(), []
    for rule, (yes, no) in python_cases().items():
        if rule not in files:
            continue
        data = read_yaml_all(files[rule])[0].data if files[rule].exists() else {"fires": {}, "quiet": {}}
        for key, cases in (("fires", yes), ("quiet", no)):
            here = data.get(key) or {}
            if set(here) != set(cases) or not all(same(events, here[name]) for name, events in cases.items()):
                odd.append(rule)
                break
    return odd


def write() -> None:
    files, cases = case_files(), python_cases()
    for rule in differing():
        file = files[rule]
        _, mark, by_hand = (file.read_text(encoding="utf-8") if file.exists() else "").partition("\n---\n")
        file.write_text(page(rule, *cases[rule]) + (f"---\n{by_hand}" if mark else ""), encoding="utf-8")
        print(file.relative_to(SHIPPED))


if __name__ == "__main__":
    write()

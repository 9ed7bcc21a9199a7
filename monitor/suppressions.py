"""`hiswatch suppressions`: what is kept quiet by whom and until when, and what that hid so far; budgets that were used up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from config.settings import Settings, Suppression
from config.suppressions import WHOM
from monitor.assemble import read_site
from monitor.errors import StartError
from monitor.store.query import QueryLimits, run_query

_HID = (
    "SELECT suppression, rule, count(DISTINCT finding_id) AS findings, max(hushed_at) AS last_at "
    "FROM hushed GROUP BY suppression, rule ORDER BY suppression, findings DESC, rule"
)


def list_suppressions(config: Path, *, as_json: bool) -> None:
    """One line a suppression, one for each rule that went over its budget. Those no longer configured are told too."""
    settings = read_site(config, deep=False).settings
    hidden: dict[str | None, dict[str, int]] = {}
    last: dict[str | None, datetime] = {}
    for suppression, rule, count, at in _rows(settings):
        hidden.setdefault(suppression, {})[rule] = count
        last[suppression] = max(at, last.get(suppression, at))
    today = datetime.now(settings.zone).date()
    entries = [_entry(name, one, today) for name, one in settings.suppressions.items()]
    gone = sorted(name for name in hidden if name is not None and name not in settings.suppressions)
    entries += [{"id": name, "state": "removed"} for name in gone]
    for entry in entries:
        name = str(entry["id"])
        entry["hidden"] = sum(hidden.get(name, {}).values())
        entry["rules_hidden"] = hidden.get(name, {})
        entry["last_at"] = last[name].astimezone(settings.zone).isoformat() if name in last else None
    budgets = [{"rule": rule, "over_budget": count} for rule, count in hidden.get(None, {}).items()]
    for item in (*entries, *budgets):
        print(json.dumps(item, ensure_ascii=False) if as_json else _line(item))
    if not as_json and not entries and not budgets:
        print("nothing is suppressed, and no budget was used up")


def _rows(settings: Settings) -> Iterator[tuple[Any, ...]]:
    try:
        answer = run_query(settings.state_dir.resolve(), _HID, QueryLimits(rows=100_000))
    except StartError:  # nothing was stored yet
        return
    yield from answer.frame.iter_rows()


def _entry(name: str, suppression: Suppression, today: date) -> dict[str, Any]:
    whom = {key: [str(item) for item in getattr(suppression, key)] for key in WHOM if getattr(suppression, key)}
    return {
        "id": name,
        "state": "ended" if suppression.until < today else "in force",
        "rules": list(suppression.rules),
        "whom": whom,
        "owner": suppression.owner,
        "reason": suppression.reason,
        "until": suppression.until.isoformat(),
    }


def _line(item: Mapping[str, Any]) -> str:
    if "over_budget" in item:
        return f"{item['rule']}: {item['over_budget']} findings beyond its budget"
    rules = ", ".join(f"{rule} {count}" for rule, count in item["rules_hidden"].items())
    hid = f"hid {item['hidden']} findings" + (f" ({rules}), last {item['last_at']}" if rules else "")
    if item["state"] == "removed":
        return f"{item['id']}: no longer configured; {hid}"
    whom = "; ".join(f"{key} {', '.join(values)}" for key, values in item["whom"].items())
    end = "ENDED" if item["state"] == "ended" else "until"
    told = f"{', '.join(item['rules'])} for {whom}; {end} {item['until']}; {item['owner']}: {item['reason']}"
    return f"{item['id']}: {told}; {hid}"

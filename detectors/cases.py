"""Cases of rules: what must fire and what must not, told in a few columns; everything else is ordinary.

    fires:
      twenty pages of two hundred rows:
        - {times: 20, every: 1.2, output_classes: [identity], bound: 200, row_offset: {from: 0, step: 200}}

An event is a mapping of columns (parsers/events.py) over the defaults of its `act`. `by` puts a vendor or a service at its
place, `after` and `at` its time, `times` and `every` make a row of them. A value that changes from one to the next is a
mapping: {from, step}, {text: "list_{}.csv", from, step}, {each: [a, b]} (round and round); with `count` it is a list.
Data in, rows out; who runs them stands in monitor/rulecases.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from config.validation import did_you_mean
from config.yaml12 import Keys
from parsers.events import CONTEXT, EVENTS, FACTS

SCHEMA = EVENTS | FACTS | CONTEXT
NOON = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai, a working day
MAX_TIMES = 10_000
WORDS = ("act", "by", "after", "at", "times", "every")
_TIMES = ("occurred_at", "received_at")
_CHANGING = frozenset({"from", "step", "text", "each", "count"})

_ANY: dict[str, Any] = {
    "site": "h1", "system": "his", "source": "his_audit", "file": "a.csv", "format": "postgresql_csvlog",
    "generation": "0" * 16, "length": 100, "clock_trusted": True, "record_role": "main", "outcome": "ok",
    "truncated": False, "forgeable": False, "actor_kind": "staff", "account_registered": True, "person_valid": True,
    "time_allowed": True, "approved": False, "working_day": True, "office_hours": True, "client_inside": True,
}  # fmt: skip
_QUERY: dict[str, Any] = {
    "action": "query", "account": "zhou", "person": "zhou", "client_ip": "10.0.0.5", "session": "s1", "dialect": "postgres",
    "client_program": "psql", "program_kind": "console", "command": "SELECT", "understood": "ast", "reason": "", "verb": "select", "reads": ["t"],
    "writes": [], "output_classes": [], "used_classes": [], "destination": "client", "aggregate_functions": [],
    "aggregate_by": [], "tongfang": False, "tenant_missing": False, "dynamic": False, "audit_change": False,
    "privilege_change": False, "identity_switch": False, "schema_change": False, "dangerous": [], "injection": [],
    "rows": 1, "rows_kind": "known", "shape_id": "a" * 32, "shape": "select 0",
}  # fmt: skip
_TRANSFER: dict[str, Any] = {
    "action": "download", "account": "chen", "person": "chen", "client_ip": "10.0.0.9", "session": "f1", "system": "ftp",
    "source": "ftp_log", "format": "vsftpd_native", "direction": "out", "path": "/x/a.docx", "file_shape": "document",
    "bytes": 1000, "bytes_kind": "known",
}  # fmt: skip
_LOGIN: dict[str, Any] = {"action": "login", "account": "zhou", "person": "zhou", "client_ip": "10.0.0.5"}

ACTS: dict[str, Mapping[str, Any]] = {
    "query": _ANY | _QUERY,  # a SELECT by a registered member of staff that touches nothing sensitive
    "transfer": _ANY | _TRANSFER,  # a member of staff fetches a form from the file server
    "login": _ANY | _LOGIN,
    "event": _ANY,  # nothing but a time and a source
}
BY: dict[str, Mapping[str, Any]] = {
    "staff": {},
    # a registered vendor engineer inside the agreed hours, without a ticket
    "vendor": {
        "account": "v_sun",
        "person": "sun",
        "vendor": "acme",
        "vendor_tier": "A",
        "vendor_state": "active",
        "actor_kind": "vendor",
    },
    "service": {"account": "svc_app", "person": None, "actor_kind": "service", "in_scope": None},
}


class CaseFault(ValueError):
    """An event that can't be made. `keys`: where in the event."""

    def __init__(self, keys: Keys, message: str) -> None:
        super().__init__(message)
        self.keys, self.message = keys, message


@dataclass(frozen=True, slots=True)
class Row:
    """One event. `given`: the columns that the case itself names; a statement or a register works out the others."""

    columns: Mapping[str, Any]
    given: frozenset[str]


def rows(event: Mapping[str, Any], zone: ZoneInfo, *, registered: bool = False) -> Iterator[Row]:
    """The rows of one event of a case. `registered`: a register says who people are. Raises CaseFault."""
    for key in event:
        if key in _TIMES:
            raise CaseFault((key,), "give after or at instead")
        if key not in WORDS and key not in SCHEMA:
            raise CaseFault((key,), "unknown column" + did_you_mean(key, (*WORDS, *SCHEMA)))
    if registered and "by" in event:
        raise CaseFault(("by",), "the register says who it is; give the account")
    named = {key: value for key, value in event.items() if key not in WORDS}
    base = _word(event, "act", ACTS, "query")
    who = _word(event, "by", BY, "staff")
    times, every = _number(event, "times", 1), _number(event, "every", 0)
    if not 1 <= times <= MAX_TIMES or times != int(times):
        raise CaseFault(("times",), f"expected a whole number from 1 to {MAX_TIMES}")
    first = _time(event, zone)
    for index in range(int(times)):
        moment = first + timedelta(seconds=every * index)
        mine = {key: _checked(key, _value(key, value, index)) for key, value in named.items()}
        when = {"occurred_at": moment, "received_at": moment}
        given = frozenset(named) | frozenset(who)
        yield Row(dict.fromkeys(SCHEMA) | dict(base) | dict(who) | when | mine, given)


def frame(case: list[Row]) -> pl.DataFrame:
    """The events of a case as an enriched frame, in the order in which they stand. CaseFault: a number out of range."""
    numbered = [
        {**row.columns, "position": place, "event_id": f"e{place:09d}", "_given": sorted(row.given)}
        for place, row in enumerate(case)
    ]
    try:
        return pl.DataFrame(numbered, schema=SCHEMA | {"_given": pl.List(pl.String)}, orient="row")
    except (pl.exceptions.PolarsError, TypeError, OverflowError):
        raise CaseFault((), "a number does not fit its column") from None


def _checked(name: str, value: Any) -> Any:
    """The value of a column, of its kind."""
    dtype, expected = SCHEMA[name], "text"
    if dtype.base_type() is pl.List:
        fits, expected = isinstance(value, list) and all(isinstance(item, str) for item in value), "a list of texts"
    elif dtype == pl.Boolean:
        fits, expected = isinstance(value, bool), "true or false"
    elif dtype.is_numeric():
        fits, expected = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        fits = isinstance(value, str)
    if value is not None and not fits:
        raise CaseFault((name,), f"expected {expected}")
    return value


def _word(event: Mapping[str, Any], key: str, known: Mapping[str, Mapping[str, Any]], usual: str) -> Mapping[str, Any]:
    word = event.get(key, usual)
    if word not in known:
        raise CaseFault((key,), f"expected one of {', '.join(known)}")
    return known[word]


def _number(event: Mapping[str, Any], key: str, usual: float) -> float:
    value = event.get(key, usual)
    least = -1e9 if key == "after" else 0  # what was before: the past that behaviour is compared with
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
        raise CaseFault((key,), "expected a number" + ("" if key == "times" else " of seconds"))
    return value


def _time(event: Mapping[str, Any], zone: ZoneInfo) -> datetime:
    if "at" not in event:
        return NOON + timedelta(seconds=_number(event, "after", 0))
    try:
        moment = datetime.fromisoformat(str(event["at"]))
    except ValueError:
        raise CaseFault(("at",), "expected a time such as 2026-11-11 22:30") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _value(column: str, value: Any, index: int) -> Any:
    if isinstance(value, Mapping):
        return _changing(column, value, index)
    if isinstance(value, list):
        return [_changing(column, item, index) if isinstance(item, Mapping) else item for item in value]
    return value


def _changing(column: str, value: Mapping[str, Any], index: int) -> Any:
    """The value of one of a row of events; with `count` a list of values, all in one event."""
    if odd := set(value) - _CHANGING:
        raise CaseFault((column, min(odd)), f"unknown; known: {', '.join(sorted(_CHANGING))}")
    count = value.get("count")
    if count is not None:
        if not isinstance(count, int) or not 1 <= count <= MAX_TIMES:
            raise CaseFault((column, "count"), f"expected a whole number from 1 to {MAX_TIMES}")
        return [_nth(column, value, place) for place in range(count)]
    return _nth(column, value, index)


def _nth(column: str, value: Mapping[str, Any], index: int) -> Any:
    each = value.get("each")
    if each is not None:
        if not isinstance(each, list) or not each:
            raise CaseFault((column, "each"), "expected a list")
        return each[index % len(each)]
    first, step = value.get("from", 0), value.get("step", 1)
    if not isinstance(first, int) or not isinstance(step, int):
        raise CaseFault((column,), "from and step are whole numbers")
    number, text = first + step * index, value.get("text")
    return number if text is None else str(text).replace("{}", str(number))

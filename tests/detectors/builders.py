"""Enriched frames for tests: every column of the real schema, ordinary values unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from parsers.events import CONTEXT, EVENTS, FACTS

SCHEMA = EVENTS | FACTS | CONTEXT
NOON = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai, a working day

_DEFAULTS: dict[str, Any] = {
    "site": "h1", "system": "his", "source": "his_audit", "file": "a.csv", "format": "postgresql_csvlog",
    "generation": "0" * 16, "length": 100, "clock_trusted": True, "record_role": "main", "outcome": "ok",
    "truncated": False, "forgeable": False, "actor_kind": "staff", "account_registered": True, "person_valid": True,
    "time_allowed": True, "approved": False, "working_day": True, "office_hours": True, "client_inside": True,
}  # fmt: skip
_QUERY: dict[str, Any] = {
    "action": "query", "account": "zhou", "person": "zhou", "client_ip": "10.0.0.5", "session": "s1", "dialect": "postgres",
    "client_program": "psql", "command": "SELECT", "understood": "ast", "reason": "", "verb": "select", "reads": ["t"],
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
_count = iter(range(10**9))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    number = next(_count)
    moment = columns.pop("occurred_at", at(minutes))
    row = dict.fromkeys(SCHEMA) | _DEFAULTS
    row |= {"position": number, "event_id": f"e{number:09d}", "occurred_at": moment, "received_at": moment}
    unknown = set(columns) - set(SCHEMA)
    assert not unknown, unknown
    return row | columns


def query(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    """A SELECT by a registered member of staff that touches nothing sensitive."""
    return event(minutes, **(_QUERY | columns))


def transfer(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    """A member of staff fetches a form from the file server."""
    return event(minutes, **(_TRANSFER | columns))


def login(minutes: float = 0, **columns: Any) -> dict[str, Any]:
    return event(
        minutes, **({"action": "login", "account": "zhou", "person": "zhou", "client_ip": "10.0.0.5"} | columns)
    )


def vendor(**columns: Any) -> dict[str, Any]:
    """Columns of a registered vendor engineer inside the agreed hours, without a ticket."""
    return {"account": "v_sun", "person": "sun", "vendor": "acme", "vendor_tier": "A", "actor_kind": "vendor"} | columns


def service(**columns: Any) -> dict[str, Any]:
    return {"account": "svc_app", "person": None, "actor_kind": "service", "in_scope": None} | columns


def frame(*events: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(events), schema=SCHEMA, orient="row")


def keys_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["rule"], row["id"]

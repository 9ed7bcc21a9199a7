"""What every reader of inventories gives, and how it says that it could not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC as UTC_ZONE
from datetime import datetime
from typing import Any

import polars as pl

from config.errors import MonitorError
from detectors.inventory import ACCOUNTS, CODE

REASONS: dict[str, str] = {
    "unreachable": "no connection to the server",
    "refused": "the server is there and lets nobody in: account, password, encryption or its list of hosts",
    "denied": "the account may not read the views that are needed",
    "export_missing": "an export cannot be read",
    "export_old": "an export is older than max_age_days",
    "export_faulty": "an export is not as its query makes it",
    "failed": "the server gave an answer that was not expected",
}
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC_ZONE)


class InventoryFailed(MonitorError):
    """`reason` is a key of REASONS; `detail` names codes, files and lines, never what a server said."""

    def __init__(self, name: str, reason: str, detail: str = "") -> None:
        self.name, self.reason = name, reason
        super().__init__(f"inventory {name}: {REASONS[reason]}" + (f" ({detail})" if detail else ""))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One system as it is now: frames ACCOUNTS and CODE. `code` None: the export of it is not configured."""

    system: str
    accounts: pl.DataFrame
    code: pl.DataFrame | None


def accounts_frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ACCOUNTS, orient="row").sort("account")


def code_frame(system: str, rows: Iterable[tuple[str, str, str]]) -> pl.DataFrame:
    """`rows`: kind, name, digest."""
    return pl.DataFrame([(system, *row) for row in rows], schema=CODE, orient="row").sort("kind", "name")


def with_inherited(direct: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Each holder's roles with those that its roles have, loops allowed."""
    found: dict[str, set[str]] = {}
    for holder in direct:
        seen: set[str] = set()
        waiting = list(direct[holder])
        while waiting:
            role = waiting.pop()
            if role not in seen:
                seen.add(role)
                waiting += direct.get(role, ())
        found[holder] = seen - {holder}
    return found


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch; what lies beyond any calendar is its last day."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(min(max(seconds, 0.0), _END_OF_TIME.timestamp()), UTC_ZONE)


Reader = Callable[[], Snapshot]

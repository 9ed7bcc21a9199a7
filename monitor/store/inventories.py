"""The store's side of inventories and of the daily checks: what is kept, and what the checks ask about the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from detectors.checks.days import ACTS, STATISTICS, WORK
from monitor.store import schema
from monitor.store.database import Database, insert

_DAYS_OF_WORK = """
SELECT e.system, e.account, e.person, e.vendor, e.actor_kind, CAST(timezone(?, e.occurred_at) AS DATE) AS day,
  count(*) AS acts, count_if(e.outcome = 'failed') AS failed,
  count_if(e.outcome <> 'failed' AND (s.privilege_change OR s.schema_change OR s.audit_change)) AS privileged,
  count_if(e.outcome <> 'failed' AND s.verb IN ('insert', 'update', 'delete', 'merge', 'load', 'truncate')) AS written,
  count_if(e.outcome <> 'failed' AND s.schema_change AND s.verb IN ('alter', 'drop', 'truncate')) AS altered,
  count_if(e.outcome <> 'failed' AND (s.dump_tool IS NOT NULL OR s.verb = 'backup')) AS backups,
  min(e.occurred_at) AS first_at, max(e.occurred_at) AS last_at,
  max(e.occurred_at) FILTER (e.approved AND e.ticket IS NULL AND e.outcome <> 'failed') AS job_at
FROM events e LEFT JOIN shapes s ON e.shape_id = s.shape_id
WHERE e.record_role = 'main' AND e.account IS NOT NULL AND e.clock_trusted AND e.occurred_at >= ?
GROUP BY ALL
"""
_ACTS_AFTER = """
SELECT system, account, person, vendor, source, session, ticket, occurred_at, event_id FROM events
WHERE record_role = 'main' AND occurred_at >= ? AND list_contains(?, person) AND session IS NOT NULL
  AND action NOT IN ('logout', 'gap', 'notice', 'setting', 'device') AND clock_trusted
ORDER BY occurred_at, event_id
"""
_STATISTICS_OF = """
SELECT system, account, shape_id, occurred_at, event_id FROM events_full
WHERE record_role = 'main' AND occurred_at >= ? AND list_contains(?, account) AND tongfang AND outcome <> 'failed' AND approved
ORDER BY occurred_at, event_id
"""


class InventoryTables:
    """Mixed into the store."""

    database: Database

    def inventory(self, table: str) -> pl.DataFrame:
        """`accounts` or `code`, as last kept, or `inventory_changes`."""
        columns = schema.MUTABLE[table]
        return schema.conform(self.database.read(f"SELECT * FROM {table}"), columns)  # noqa: S608 - our names

    def keep_inventory(self, table: str, state: pl.DataFrame, changes: pl.DataFrame) -> None:
        """`accounts` or `code` as they are now, with what changed since the last reading; in one transaction."""
        with self.database.writing() as cursor:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our names
            insert(cursor, table, schema.conform(state, schema.MUTABLE[table]))
            insert(cursor, "inventory_changes", schema.conform(changes, schema.MUTABLE["inventory_changes"]))

    def days_of_work(self, since: datetime, zone: str) -> pl.DataFrame:
        """What each account did on each local day since then: detectors.checks.days.WORK."""
        return schema.conform(self.database.read(_DAYS_OF_WORK, [zone, since]), WORK)

    def acts_after(self, people: Sequence[str], since: datetime) -> pl.DataFrame:
        """What some people did since then, act by act: detectors.checks.days.ACTS."""
        return schema.conform(self.database.read(_ACTS_AFTER, [since, list(people)]), ACTS)

    def statistics_of(self, accounts: Sequence[str], since: datetime) -> pl.DataFrame:
        """Counts by prescriber and drug that some accounts ran since then: detectors.checks.days.STATISTICS."""
        return schema.conform(self.database.read(_STATISTICS_OF, [since, list(accounts)]), STATISTICS)

    def drop_inventory_changes(self, before: datetime) -> None:
        with self.database.writing() as cursor:
            cursor.execute("DELETE FROM inventory_changes WHERE read_at < ?", [before])

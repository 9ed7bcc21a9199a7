"""SOURCE_HOURS in the store: counted from the stored events by the hour, and counted anew while records may still come late."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from detectors.checks.hours import HOUR, KEPT_DAYS, SOURCE_HOURS, floor
from monitor.store import schema
from monitor.store.database import frame_of, insert
from monitor.store.hot import Store

LATE = timedelta(hours=24)  # hours are counted again so long
_STRETCH = timedelta(days=1)  # counted at once, where many hours are missing
_OCCURRED = """
WITH mine AS (
  SELECT site, system, source, occurred_at, date_trunc('minute', occurred_at) AS minute, record_role = 'main' AS main,
    shape_id, statement_masked, truncated, rows_kind
  FROM events WHERE received_at >= $since AND occurred_at >= $since AND occurred_at < $until AND clock_trusted
), minutes AS (
  SELECT site, system, source, date_trunc('hour', minute) AS hour, max(pause) AS pause_seconds FROM (
    SELECT *, epoch(minute - lag(minute) OVER (PARTITION BY site, system, source, date_trunc('hour', minute) ORDER BY minute))::BIGINT AS pause
    FROM (SELECT DISTINCT site, system, source, minute FROM mine)
  ) GROUP BY ALL
)
SELECT site, system, source, date_trunc('hour', minute) AS hour, count(*) AS events, min(occurred_at) AS first_at,
  max(occurred_at) AS last_at, any_value(pause_seconds) AS pause_seconds,
  count(*) FILTER (main AND shape_id IS NOT NULL) AS statements, count(*) FILTER (main AND shape_id IS NOT NULL AND statement_masked IS NOT NULL) AS not_understood,
  count(*) FILTER (main AND shape_id IS NOT NULL AND truncated) AS truncated, count(*) FILTER (main AND rows_kind IS NOT NULL) AS moving,
  count(*) FILTER (main AND rows_kind = 'known') AS counted
FROM mine JOIN minutes m USING (site, system, source)
WHERE date_trunc('hour', minute) = m.hour
GROUP BY ALL
"""
_RECEIVED = """
SELECT site, system, source, date_trunc('hour', received_at) AS hour, count(*) AS received, count(*) FILTER (forgeable) AS forgeable,
  min(epoch(received_at - occurred_at)) FILTER (clock_trusted)::BIGINT AS least_lag_seconds
FROM events WHERE received_at >= $since AND received_at < $until GROUP BY ALL
"""
_REFUSED = """
SELECT site, system, source, date_trunc('hour', received_at) AS hour, count(*) AS rejects
FROM rejects WHERE received_at >= $since AND received_at < $until GROUP BY ALL
"""
_BY = ["site", "system", "source", "hour"]


def count_hours(store: Store, now: datetime) -> None:
    """Count the hours that are over: the last ones again, and those that were never counted."""
    until, oldest = floor(now), floor(now) - timedelta(days=KEPT_DAYS)
    last = store.database.read("SELECT max(hour) FROM source_hours").item()
    if isinstance(last, datetime) and last + HOUR >= until:
        return
    since = max(oldest, min(until, last + HOUR) - LATE) if isinstance(last, datetime) else oldest
    while since < until:
        end = min(since + _STRETCH + LATE, until)
        counted = _counted(store, since, end)
        with store.database.writing() as cursor:
            cursor.execute("DELETE FROM source_hours WHERE hour < ? OR (hour >= ? AND hour < ?)", [oldest, since, end])
            insert(cursor, "source_hours", counted)
        since = end


def hours_of(store: Store) -> pl.DataFrame:
    """SOURCE_HOURS, all that are kept."""
    return schema.conform(store.database.read("SELECT * FROM source_hours"), SOURCE_HOURS)


def last_received(store: Store, since: datetime) -> dict[str, datetime]:
    """When each source brought its last record, as far as that is not before `since`."""
    rows = store.database.read(
        "SELECT source, max(received_at) FROM events WHERE received_at >= ? GROUP BY source", [since]
    )
    return dict(rows.iter_rows())


def _counted(store: Store, since: datetime, until: datetime) -> pl.DataFrame:
    between = {"since": since, "until": until}
    with store.database.reading() as cursor:
        parts = [frame_of(cursor, sql, between) for sql in (_OCCURRED, _RECEIVED, _REFUSED)]
    joined = parts[0]
    for more in parts[1:]:
        joined = joined.join(more, on=_BY, how="full", coalesce=True)
    return schema.conform(joined, SOURCE_HOURS)

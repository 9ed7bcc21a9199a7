"""The tables of the store, as name -> column -> type. Text is VARCHAR, never ENUM: one unknown value would fail a batch.

No primary keys and no indexes: they cost memory and time with every row. The single writer keeps keys unique itself
(what is upserted is deleted first; what is append-only is compared with what is there).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from detectors.checks.hours import SOURCE_HOURS
from detectors.findings import FINDINGS
from detectors.inventory import ACCOUNTS_KEPT, CHANGES, CODE_KEPT
from monitor.alerts.outbox import OUTBOX
from monitor.alerts.quiet import HUSHED
from parsers.events import CONTEXT, EVENTS, FACTS, TEXTS, UTC

SCHEMA_VERSION = 3
Schema = Mapping[str, pl.DataType]

_PER_EVENT = ("restriction", "bound", "row_offset", "patient_key_count")  # facts that hang on literals
_WHO = ("person", "vendor", "actor_kind", "ticket", "approved", "time_allowed")
_IN_FLIGHT = ("statement", "parameters", "records_missing", "statements_missing")
_BATCH: dict[str, pl.DataType] = {"batch": pl.UInt64()}  # sequence number of the commit: order of the pieces

STORED_EVENTS: dict[str, pl.DataType] = {
    **{name: dtype for name, dtype in EVENTS.items() if name not in _IN_FLIGHT},
    "shape_id": FACTS["shape_id"],
    "statement_masked": pl.String(),  # only where the statement was not understood as a tree; else see `shapes`
    "patient_tokens": TEXTS,  # keyed hashes of the patient keys: same value, same token
    **{name: FACTS[name] for name in _PER_EVENT},
    **{name: CONTEXT[name] for name in _WHO},
}

SHAPES: dict[str, pl.DataType] = {
    name: dtype
    for name, dtype in FACTS.items()
    if name not in (*_PER_EVENT, "patient_keys", "patient_key_number")
}  # fmt: skip

REJECTS: dict[str, pl.DataType] = {
    "site": pl.String(),
    "system": pl.String(),
    "source": pl.String(),
    "file": pl.String(),
    "format": pl.String(),
    "generation": pl.String(),
    "position": pl.UInt64(),
    "length": pl.UInt32(),
    "reason": pl.String(),
    "text": pl.String(),  # masked
    "received_at": UTC,
}

SKIPS: dict[str, pl.DataType] = {
    "source": pl.String(),
    "format": pl.String(),
    "reason": pl.String(),
    "records": pl.UInt64(),
    "bytes": pl.UInt64(),
    "received_at": UTC,
}

BATCHES: dict[str, pl.DataType] = {
    "batch": pl.UInt64(),
    "received_at": UTC,
    "received_from": UTC,  # of its events
    "received_to": UTC,
    "occurred_from": UTC,
    "occurred_to": UTC,
    "events": pl.UInt64(),
    "rejects": pl.UInt64(),
    "findings": pl.UInt64(),
    "rules_hash": pl.String(),
    "config_hash": pl.String(),
    "previous_head": pl.String(),
    "head": pl.String(),  # hash chain over everything the batch brought, see store/chain.py
}

POSITIONS: dict[str, pl.DataType] = {
    "source": pl.String(),
    "generation": pl.String(),
    "file": pl.String(),
    "device": pl.UInt64(),
    "inode": pl.UInt64(),
    "head_length": pl.UInt32(),
    "head": pl.String(),
    "tail_length": pl.UInt32(),
    "tail": pl.String(),
    "chain": pl.String(),
    "rest": pl.String(),
    "position": pl.UInt64(),
    "state": pl.String(),
    "seen_at": UTC,
}

CARRIES: dict[str, pl.DataType] = {"log": pl.String(), "carry": pl.String()}  # JSON

QUERIES: dict[str, pl.DataType] = {
    "asked_at": UTC,
    "uid": pl.Int64(),  # of the process that asked
    "shape": pl.String(),  # the question without its literals
    "outcome": pl.String(),  # ok, refused, failed, killed
    "rows": pl.Int64(),
    "truncated": pl.Boolean(),
    "seconds": pl.Float64(),
}

MANIFEST: dict[str, pl.DataType] = {
    "name": pl.String(),  # of the view
    "file": pl.String(),  # below pieces/
    "from_batch": pl.UInt64(),
    "to_batch": pl.UInt64(),
    "rows": pl.UInt64(),
    "received_to": UTC,  # newest row in it: when it may go
    "published_at": UTC,
}

OUTBOX_ROWS: dict[str, pl.DataType] = {**OUTBOX, "sent_at": UTC}

# which late ticket settled which revision of a finding (monitor/settling.py)
SETTLEMENTS: dict[str, pl.DataType] = {
    "finding_id": pl.String(),
    "revision": pl.UInt32(),  # the one that says it
    "ticket": pl.String(),
    "settled_at": UTC,
    "rule": pl.String(),
    "person": pl.String(),
    "vendor": pl.String(),
    "risk": pl.UInt8(),  # likelihood x impact, as it stays in the finding
}

# append-only tables, published as pieces of batch ranges; events lie in a table a day of receipt beside them
APPENDED: dict[str, Schema] = {
    "events": {**STORED_EVENTS, **_BATCH},
    "rejects": {**REJECTS, **_BATCH},
    "skips": {**SKIPS, **_BATCH},
    "findings_history": {**FINDINGS, **_BATCH},
    "shapes": {**SHAPES, **_BATCH},
    "settlements": {**SETTLEMENTS, **_BATCH},
    "hushed": {**HUSHED, **_BATCH},
    "batches": BATCHES,
}
# small tables whose rows change, published whole
MUTABLE: dict[str, Schema] = {
    "outbox": OUTBOX_ROWS,
    "positions": POSITIONS,
    "queries": QUERIES,
    "accounts": ACCOUNTS_KEPT,
    "code": CODE_KEPT,
    "inventory_changes": CHANGES,
}
PRIVATE: dict[str, Schema] = {"carries": CARRIES, "manifest": MANIFEST, "source_hours": SOURCE_HOURS}

# what an investigator may ask for: views over the pieces
LATEST_FINDINGS = (
    "SELECT * FROM findings_history QUALIFY row_number() OVER (PARTITION BY id ORDER BY revision DESC) = 1"
)
EVENTS_FULL = "SELECT e.*, s.* EXCLUDE (shape_id, batch) FROM events e LEFT JOIN shapes s ON e.shape_id = s.shape_id"
# Each act once: mains of several logs of one system that tell the same (as detectors/folding.py counts them, here within
# 5 s of each other), with what outcomes told later. `told_by`: the sources, `records`: how many events were folded.
ACTS = """
WITH told AS (
  SELECT *, coalesce(activity_key, event_id) AS act, lag(occurred_at) OVER of_act AS before_at
  FROM events WHERE record_role = 'main'
  WINDOW of_act AS (PARTITION BY site, system, coalesce(activity_key, event_id) ORDER BY occurred_at, source, position)
), runs AS (
  SELECT * EXCLUDE (before_at),
    count_if(before_at IS NULL OR occurred_at - before_at > INTERVAL 5 SECOND)
      OVER (PARTITION BY site, system, act ORDER BY occurred_at, source, position) AS run
  FROM told
), numbered AS (
  SELECT *, row_number() OVER (PARTITION BY site, system, act, run, source ORDER BY occurred_at, position) AS number
  FROM runs
), folded AS (
  SELECT * EXCLUDE (act, run, number)
      REPLACE (coalesce(rows, max(rows) OVER same) AS rows, coalesce(bytes, max(bytes) OVER same) AS bytes,
               CASE WHEN rows IS NULL AND max(rows) OVER same IS NOT NULL THEN 'known' ELSE rows_kind END AS rows_kind,
               CASE WHEN bytes IS NULL AND max(bytes) OVER same IS NOT NULL THEN 'known' ELSE bytes_kind END AS bytes_kind),
    min(event_id) OVER same AS act_id, list_sort(list(source) OVER same) AS told_by, count(*) OVER same AS mains
  FROM numbered
  WINDOW same AS (PARTITION BY site, system, act, run, number)
), later AS (
  SELECT m.act_id, last(o.outcome ORDER BY o.occurred_at) FILTER (o.outcome <> 'unknown') AS outcome,
    last(o.error_code ORDER BY o.occurred_at) FILTER (o.error_code IS NOT NULL) AS error_code,
    max(o.rows) AS rows, max(o.bytes) AS bytes, max(o.bytes_kind) FILTER (o.bytes IS NOT NULL) AS bytes_kind,
    max(o.duration_seconds) AS duration_seconds, count(*) AS outcomes
  FROM (SELECT * FROM events WHERE record_role = 'outcome' AND activity_key IS NOT NULL) o
  ASOF JOIN (SELECT site, system, source, activity_key, occurred_at, act_id FROM folded) m
    ON o.site = m.site AND o.system = m.system AND o.source = m.source AND o.activity_key = m.activity_key
    AND o.occurred_at >= m.occurred_at
  GROUP BY m.act_id
)
SELECT f.* EXCLUDE (mains) REPLACE (
    coalesce(l.outcome, f.outcome) AS outcome, coalesce(l.error_code, f.error_code) AS error_code,
    coalesce(f.rows, l.rows) AS rows, CASE WHEN f.rows IS NULL AND l.rows IS NOT NULL THEN 'known' ELSE f.rows_kind END AS rows_kind,
    coalesce(l.bytes, f.bytes) AS bytes, coalesce(l.bytes_kind, f.bytes_kind) AS bytes_kind,
    coalesce(f.duration_seconds, l.duration_seconds) AS duration_seconds),
  f.mains + coalesce(l.outcomes, 0) AS records
FROM folded f LEFT JOIN later l ON f.act_id = l.act_id
QUALIFY row_number() OVER (PARTITION BY f.act_id ORDER BY f.outcome = 'unknown', f.source, f.position) = 1
"""
VIEWS = {"findings": LATEST_FINDINGS, "events_full": EVENTS_FULL, "acts": ACTS}


def sql_type(dtype: pl.DataType) -> str:
    """DuckDB's name of a column type."""
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        return sql_type(inner if isinstance(inner, pl.DataType) else inner()) + "[]"
    if isinstance(dtype, pl.Datetime):
        return "TIMESTAMPTZ"
    return _TYPES[type(dtype)]


_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Float64: "DOUBLE",
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.UInt8: "UTINYINT",
    pl.UInt32: "UINTEGER",
    pl.UInt64: "UBIGINT",
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def columns(schema: Schema) -> str:
    return ", ".join(quoted(name) for name in schema)


def create(name: str, schema: Schema) -> str:
    parts = ", ".join(f"{quoted(column)} {sql_type(dtype)}" for column, dtype in schema.items())
    return f"CREATE TABLE IF NOT EXISTS {quoted(name)} ({parts})"


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Exactly the columns of the schema: missing ones null, others dropped, types cast."""
    have = frame.schema
    return frame.select(
        (pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype)).alias(name)
        for name, dtype in schema.items()
    )


def stored_events(frame: pl.DataFrame) -> pl.DataFrame:
    """An enriched frame whose patient keys are tokens already, as it may rest: no statement, no parameters.

    The text of a statement that was not understood as a tree is kept masked; of all others the shape says it.
    """
    if "patient_tokens" not in frame.columns and "patient_keys" in frame.columns:
        frame = frame.with_columns(patient_tokens=pl.col("patient_keys"))
    if "statement_masked" not in frame.columns and {"statement", "understood"} <= set(frame.columns):
        frame = _masked(frame)
    return conform(frame, STORED_EVENTS)


def _masked(frame: pl.DataFrame) -> pl.DataFrame:
    unclear = (frame["understood"] != "ast").fill_null(value=True) & frame["statement"].is_not_null()
    if not unclear.any():
        return frame.with_columns(statement_masked=pl.lit(None, pl.String))
    from parsers.sql.masking import mask

    texts = mask(frame["statement"].filter(unclear))
    rows = pl.DataFrame({"row": unclear.arg_true(), "statement_masked": texts})
    return (
        frame.with_row_index("row")
        .join(rows.with_columns(pl.col("row").cast(pl.UInt32)), on="row", how="left", maintain_order="left")
        .drop("row")
    )

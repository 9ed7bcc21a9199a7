"""`hiswatch query`: one question over everything committed, while the daemon runs or not.

The tail is published first (by the daemon, asked over its socket; without one by ourselves, under the store's lock),
then a worker process of its own answers from the pieces. Every question is recorded, answered or not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import polars as pl

from config.errors import MonitorError
from monitor.errors import StartError
from monitor.store import schema
from monitor.store.control import ask
from monitor.store.lock import StoreLocked
from monitor.store.pieces import read_manifest

_PATIENCE = 2.0  # seconds that the daemon has to publish the tail
_LATEST_SHAPES = "QUALIFY row_number() OVER (PARTITION BY shape_id ORDER BY batch DESC) = 1"


@dataclass(frozen=True, slots=True)
class QueryLimits:
    rows: int = 1000
    seconds: float = 30.0
    bytes: int = 64 << 20
    memory_mb: int = 256
    address_space_mb: int = 4096


@dataclass(frozen=True, slots=True)
class QueryResult:
    """`truncated`: there was more than the limit. `warning`: what the asker must know of the answer, or empty."""

    frame: pl.DataFrame
    truncated: bool
    warning: str
    seconds: float


class QueryRefused(MonitorError):
    """The question may not be asked; the message says why."""


class QueryFailed(MonitorError):
    """The question could not be answered: wrong column, too much memory, too long."""


NEWEST_SQL = """
SELECT max(newest) AS newest FROM (
  SELECT max(occurred_to) AS newest FROM batches WHERE occurred_to <= received_at
  UNION ALL
  SELECT max(occurred_at) FROM events WHERE occurred_at <= received_at
    AND batch IN (SELECT batch FROM batches WHERE occurred_to > received_at)
)
"""


def newest_event(state_dir: Path) -> datetime:
    """When the newest stored event was, of those that are not dated in the future; now where there is none. Raises as `run_query`."""
    newest = run_query(state_dir, NEWEST_SQL).frame.item()
    return newest if isinstance(newest, datetime) else datetime.now(UTC)


def run_query(state_dir: Path, sql: str, limits: QueryLimits | None = None) -> QueryResult:
    """Raises QueryRefused, QueryFailed, StartError (there is no store)."""
    limits = limits or QueryLimits()
    if not (state_dir / "hot.duckdb").exists():
        raise StartError(f"{state_dir}: there is no store here")
    warning = _publish(state_dir)
    started = monotonic()
    header, body = _ask_worker(_request(state_dir / "pieces", sql, limits), limits)
    seconds = monotonic() - started
    _record(state_dir, header, seconds)
    if header["outcome"] == "refused":
        raise QueryRefused(header["message"])
    if header["outcome"] != "ok":
        raise QueryFailed(header["message"])
    return QueryResult(pl.read_ipc_stream(BytesIO(body)), header["truncated"], warning, seconds)


def _publish(state_dir: Path) -> str:
    """Have the tail published; what to say where that was not possible."""
    stale = "the newest minute may be missing: the daemon did not answer in time"
    try:
        answer = ask(state_dir, {"op": "publish"}, _PATIENCE)
    except (TimeoutError, OSError):
        return stale
    if answer is not None:
        return "" if answer.get("ok") else stale
    from monitor.store.hot import Store

    try:
        with Store(state_dir) as store:
            store.publish()
    except StoreLocked:
        return stale
    return ""


def _request(directory: Path, sql: str, limits: QueryLimits) -> dict[str, Any]:
    files = read_manifest(directory)
    tables = {
        name: {
            "empty": schema.create(f"nothing_{name}", columns),
            "files": [str(path) for path in files.get(name, [])],
            "only": _LATEST_SHAPES if name == "shapes" else "",
        }
        for name, columns in {**schema.APPENDED, **schema.MUTABLE}.items()
    }
    return {
        "directory": str(directory),
        "sql": sql,
        "tables": tables,
        "views": schema.VIEWS,
        "rows": limits.rows,
        "bytes": limits.bytes,
        "seconds": limits.seconds,
        "memory_mb": limits.memory_mb,
        "address_space_mb": limits.address_space_mb,
    }


def _ask_worker(request: Mapping[str, Any], limits: QueryLimits) -> tuple[dict[str, Any], bytes]:
    """The worker's header and frame. It is killed when time is up, whatever it does."""
    command = [sys.executable, "-I", "-m", "monitor.store.query_worker"]
    environment = {"LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "POLARS_MAX_THREADS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=limits.seconds,
            check=False,
            env=environment,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return {"outcome": "killed", "message": f"took longer than {limits.seconds:g} s", "shape": "(killed)"}, b""
    head, _, body = done.stdout.partition(b"\n")
    try:
        header: dict[str, Any] = json.loads(head)
    except ValueError:
        return {"outcome": "killed", "message": f"the worker ended with {done.returncode}", "shape": "(killed)"}, b""
    return header, body


def _record(state_dir: Path, header: Mapping[str, Any], seconds: float) -> None:
    row: dict[str, Any] = {
        "asked_at": datetime.now(UTC).isoformat(),
        "uid": os.getuid(),
        "shape": header["shape"],
        "outcome": header["outcome"],
        "rows": header.get("rows", 0),
        "truncated": header.get("truncated", False),
        "seconds": seconds,
    }
    try:
        answer = ask(state_dir, {"op": "record_query", "row": row}, _PATIENCE)
    except (TimeoutError, OSError):
        answer = {"ok": False}
    if answer is not None and answer.get("ok"):
        return
    # taken into the store by its next opening: nothing is asked without a trace
    descriptor = os.open(state_dir / "queries.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(row).encode() + b"\n")

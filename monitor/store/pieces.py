"""Published pieces: committed rows as immutable Parquet files, for readers that must never touch the hot file.

    pieces/events/00000000000000000001-00000000000000000117.parquet     rows of batches 1 to 117
    pieces/outbox/00000000000000000117.parquet                          the whole small table, as of batch 117
    pieces/manifest.json                                                which files count

A file is written beside its place, synced and renamed; it counts once the manifest names it, and the manifest is
replaced in one step. What a crash left behind is named by no manifest and swept away by the next publication.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from monitor.store.database import Database, insert
from monitor.store.schema import APPENDED, MANIFEST, MUTABLE

MANIFEST_FILE = "manifest.json"
_GRACE = timedelta(minutes=5)  # a replaced file stays so long for queries that have just read the old manifest


class Pieces:
    def __init__(self, directory: Path, database: Database, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._database = database
        self._now = now
        self._lock = threading.Lock()  # one publication at a time
        directory.mkdir(mode=0o700, exist_ok=True)

    def published(self) -> int:
        """The last batch that is in the pieces."""
        row = self._database.read("SELECT coalesce(max(to_batch), 0) FROM manifest").item()
        return int(row)

    def waiting(self) -> int:
        """Events committed and not yet published."""
        return int(
            self._database.read(
                "SELECT coalesce(sum(events), 0)::BIGINT FROM batches "
                "WHERE batch > (SELECT coalesce(max(to_batch), 0) FROM manifest)"
            ).item()
        )

    def publish(self) -> int:
        """What was committed since the last time becomes pieces; how many rows of append-only tables."""
        with self._lock:
            return self._publish()

    def _publish(self) -> int:
        now, rows = self._now(), []
        with self._database.reading() as cursor:
            cursor.execute("BEGIN")  # one snapshot for all tables
            (last,) = cursor.execute("SELECT coalesce(max(batch), 0) FROM batches").fetchone()
            (done,) = cursor.execute("SELECT coalesce(max(to_batch), 0) FROM manifest").fetchone()
            if last > done:
                for name in APPENDED:
                    rows += self._append(cursor, name, done + 1, last, now)
            for name in MUTABLE:
                rows.append(self._export(cursor, name, last, now))
            cursor.execute("ROLLBACK")
        with self._database.writing() as cursor:
            for name in MUTABLE:
                cursor.execute("DELETE FROM manifest WHERE name = ?", [name])
            insert(cursor, "manifest", pl.DataFrame(rows, schema=MANIFEST, orient="row"))
        self._tell()
        return sum(row[4] for row in rows if row[0] in APPENDED)

    def drop_before(self, limit: datetime) -> None:
        """Remove pieces whose newest row was received before a day."""
        day = limit.replace(hour=0, minute=0, second=0, microsecond=0)
        kept = ("shapes", "findings_history", "settlements", "hushed", "batches", *MUTABLE)
        with self._lock:
            with self._database.writing() as cursor:
                marks = ", ".join("?" for _ in kept)
                cursor.execute(
                    f"DELETE FROM manifest WHERE received_to < ? AND name NOT IN ({marks})",  # noqa: S608 - marks only
                    [day, *kept],
                )
            self._tell()

    def _append(self, cursor: Any, name: str, first: int, last: int, now: datetime) -> list[tuple[Any, ...]]:
        where = f"batch BETWEEN {first} AND {last}"
        newest = "received_at" if "received_at" in APPENDED[name] else "NULL::TIMESTAMPTZ"
        count, received_to = _two(cursor, f"SELECT count(*), epoch_us(max({newest})) FROM {name} WHERE {where}")  # noqa: S608
        # a gap in the numbers would hide rows: the batches themselves are always published
        if count == 0:
            return []
        file = f"{name}/{first:020d}-{last:020d}.parquet"
        self._copy(cursor, f"SELECT * FROM {name} WHERE {where} ORDER BY batch", file)  # noqa: S608
        return [(name, file, first, last, count, _moment(received_to, now), now)]

    def _export(self, cursor: Any, name: str, last: int, now: datetime) -> tuple[Any, ...]:
        file = f"{name}/{last:020d}-{int(now.timestamp() * 1e6)}.parquet"
        self._copy(cursor, f"SELECT * FROM {name}", file)  # noqa: S608
        (count,) = cursor.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608
        return (name, file, 0, 0, count, None, now)

    def _copy(self, cursor: Any, select: str, file: str) -> None:
        target = self._directory / file
        target.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        place = str(temporary).replace("'", "''")
        cursor.execute(f"COPY ({select}) TO '{place}' (FORMAT parquet, COMPRESSION zstd)")
        _sync(temporary)
        temporary.rename(target)

    def _tell(self) -> None:
        """Write the manifest that readers see, then sweep away what it does not name."""
        rows = self._database.read("SELECT name, file FROM manifest ORDER BY name, from_batch")
        files: dict[str, list[str]] = {}
        for name, file in rows.iter_rows():
            files.setdefault(name, []).append(file)
        temporary = self._directory / f".{MANIFEST_FILE}"
        temporary.write_text(json.dumps({"files": files}), encoding="utf-8")
        _sync(temporary)
        temporary.rename(self._directory / MANIFEST_FILE)
        self._sweep({file for names in files.values() for file in names})

    def _sweep(self, named: set[str]) -> None:
        limit = (self._now() - _GRACE).timestamp()
        for path in self._directory.glob("*/*"):
            if str(path.relative_to(self._directory)) not in named and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)


def read_manifest(directory: Path) -> dict[str, list[Path]]:
    """The files of every view; empty where nothing was published yet."""
    try:
        told = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: [directory / file for file in files] for name, files in told["files"].items()}


def _two(cursor: Any, sql: str) -> tuple[Any, Any]:
    row = cursor.execute(sql).fetchone()
    return row[0], row[1]


def _moment(microseconds: int | None, now: datetime) -> datetime | None:
    return None if microseconds is None else datetime.fromtimestamp(microseconds / 1e6, now.tzinfo)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The store: one transaction a batch over everything that the batch changes.

Events lie in a table a day of receipt, dropped whole at retention, since DELETE does not shrink the file. Every
append-only row carries the number of its batch: the order of commits, of the pieces and of the hash chain.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from detectors.engine import MEASURED
from detectors.findings import FINDINGS
from detectors.state import STATE_TABLES
from monitor.alerts.quiet import HUSHED, Counts
from monitor.errors import StartError
from monitor.sources.generations import Position
from monitor.store import chain, schema
from monitor.store.database import ROW_ERRORS, CommitFailed, Database, Frame, StoreFull, frame_of, insert
from monitor.store.inventories import InventoryTables
from monitor.store.lock import Lock, StoreLocked
from monitor.store.outbox import OutboxTable
from monitor.store.pieces import Pieces
from monitor.store.space import Space, SpaceLimits
from parsers.registry import Carry

__all__ = ["Batch", "CommitFailed", "Committed", "SpaceLimits", "Store", "StoreFull", "StoreLocked"]

Skips = Mapping[tuple[str, str, str], tuple[int, int]]  # (source, format, reason) -> (records, bytes)
_DAY_TABLE = re.compile(r"events_\d{8}")
EMPTY_DAY = "events_00000000"  # so that the view exists before the first event
MAX_UNSTORABLE = 1000  # more of them are not bad rows but something wrong with us


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that changes together. `received_at`: of the batch, UTC; the day of its table.

    `events`: an enriched frame with tokens for patient keys; only STORED_EVENTS of it are kept, the statement never.
    `deltas`: rows to append to each of STATE_TABLES.
    """

    received_at: datetime
    events: pl.DataFrame | None = None
    shapes: pl.DataFrame | None = None
    rejects: pl.DataFrame | None = None
    skips: Skips = field(default_factory=dict)
    findings: pl.DataFrame | None = None
    settlements: pl.DataFrame | None = None
    hushed: pl.DataFrame | None = None  # findings that are recorded and not told
    outbox: pl.DataFrame | None = None
    superseded: pl.DataFrame | None = None  # keys of outbox rows that need not be sent any more
    positions: Sequence[Position] = ()
    carries: Mapping[str, Carry] = field(default_factory=dict)
    deltas: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    rules_hash: str = ""
    config_hash: str = ""


@dataclass(frozen=True, slots=True)
class Committed:
    batch: int  # sequence number, from 1
    head: str
    events: int
    unstorable: int  # rows that the database refused and that became rejects


class Store(OutboxTable, InventoryTables):
    """Thread-safe. Raises StoreLocked (a StartError naming the owner) where another process has it."""

    def __init__(
        self,
        state_dir: Path,
        *,
        memory_limit_mb: int = 256,
        threads: int = 1,
        checkpoint_mb: int = 64,
        space: SpaceLimits | None = None,
        state_tables: Mapping[str, schema.Schema] = STATE_TABLES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.state_dir = state_dir
        self.now = now
        self._state_tables = dict(state_tables)
        self._head, self._batch = "", 0
        self._days: set[str] = set()
        os.umask(0o077)  # whatever this process writes from now on is its owner's alone: database, pieces, ballast
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = Lock(state_dir)
            self._lock.take()
        except OSError as error:
            raise StartError(
                f"{state_dir}: the store's folder cannot be used: {os.strerror(error.errno or 0)}"
            ) from error
        try:
            self.space = Space(state_dir, space or SpaceLimits())
            self.database = Database(
                state_dir / "hot.duckdb",
                memory_limit_mb=memory_limit_mb,
                threads=threads,
                checkpoint_mb=checkpoint_mb,
                prepare=self._prepare,
            )
            self._open()
            self.pieces = Pieces(state_dir / "pieces", self.database, now)
            self.space.keep_ballast()
            self._take_kept_queries()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        try:
            self.database.open()
        except StartError:
            raise
        except Exception as error:
            raise StartError(
                f"{self.database.path}: cannot be opened ({type(error).__name__}); "
                "put it and its .wal aside and restore a backup, never delete the .wal"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The last checkpoint is made, then the lock is let go."""
        try:
            if hasattr(self, "database"):
                self.database.close()
        finally:
            self._lock.release()

    def reopen(self) -> None:
        self.database.reopen()

    # -- tables ----------------------------------------------------------------------------------------------------

    def _prepare(self, connection: Any) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS meta (name VARCHAR, value VARCHAR)")
        told = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
        if told is not None and int(told[0]) != schema.SCHEMA_VERSION:
            raise StartError(
                f"{self.state_dir}: the store was written by another version (schema {told[0]}, "
                f"this one knows {schema.SCHEMA_VERSION})"
            )
        tables = {EMPTY_DAY: schema.APPENDED["events"], **schema.APPENDED, **schema.MUTABLE, **schema.PRIVATE}
        tables |= {f"state_{name}": columns for name, columns in self._state_tables.items()}
        connection.execute("BEGIN")
        for name, columns in tables.items():
            if name != "events":
                connection.execute(schema.create(name, columns))
        if told is None:
            connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [str(schema.SCHEMA_VERSION)])
        self._days = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        self._days = {name for name in self._days if _DAY_TABLE.fullmatch(name)}
        _make_views(connection, self._days)
        connection.execute("COMMIT")
        last = connection.execute("SELECT batch, head FROM batches ORDER BY batch DESC LIMIT 1").fetchone()
        self._batch, self._head = last or (0, "")

    # -- the batch -------------------------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> Committed:
        """All of it or nothing.

        Raises CommitFailed (StoreFull) after having closed and reopened everything: whether the batch is durable is
        told by `positions()` alone.
        """
        events = schema.stored_events(batch.events) if batch.events is not None else None
        try:
            return self._commit(batch, events, None)
        except StoreFull:
            self.space.refused()
            raise
        except ROW_ERRORS as error:
            bad = [] if events is None else self._unstorable(events, batch.received_at)
            if not bad or events is None:
                self.database.reopen()
                raise CommitFailed(f"the batch was refused: {type(error).__name__}") from None
            keep = pl.Series(range(events.height)).is_in(bad)
            refused = schema.conform(events.filter(keep), schema.REJECTS).with_columns(reason=pl.lit("unstorable"))
            try:
                return self._commit(batch, events.filter(~keep), refused)
            except ROW_ERRORS as again:
                self.database.reopen()
                raise CommitFailed(f"the batch was refused: {type(again).__name__}") from None

    def _commit(self, batch: Batch, events: pl.DataFrame | None, refused: pl.DataFrame | None) -> Committed:
        number, frames = self._batch + 1, _frames(batch, events, refused)
        notes = {"received_at": batch.received_at.isoformat(), "rules": batch.rules_hash, "config": batch.config_hash}
        head = chain.head(self._head, number, frames, notes)
        told = _batch_row(batch, frames, number, self._head, head)
        with self.database.writing() as cursor:
            days = self._insert_events(cursor, frames["events"], batch.received_at, number)
            for name in ("rejects", "skips", "settlements", "hushed"):
                insert(cursor, name, _numbered(frames[name], number))
            _replace(cursor, "shapes", _numbered(frames["shapes"], number), ("shape_id",))
            self._insert_findings(cursor, frames["findings_history"], number)
            self.queue(cursor, batch.outbox, batch.superseded)
            _replace(cursor, "positions", frames["positions"], ("source", "generation"))
            _replace(cursor, "carries", frames["carries"], ("log",))
            for name, delta in batch.deltas.items():
                insert(cursor, f"state_{name}", schema.conform(delta, self._state_tables[name]))
            insert(cursor, "batches", told)
        self._days = days
        self._batch, self._head = number, head
        return Committed(number, head, frames["events"].height, 0 if refused is None else refused.height)

    def _insert_events(self, cursor: Any, events: pl.DataFrame, received_at: datetime, number: int) -> set[str]:
        """The names of the day tables, a new one among them where the day is new."""
        table = _day_table(received_at)
        days = self._days | {table} if events.height else self._days
        if days != self._days:
            cursor.execute(schema.create(table, schema.APPENDED["events"]))
            _make_views(cursor, days)
        insert(cursor, table, _numbered(events, number))
        return days

    def _insert_findings(self, cursor: Any, findings: pl.DataFrame, number: int) -> None:
        """A replay makes the same revisions again: they are there already and are dropped."""
        insert(
            cursor,
            "findings_history",
            _numbered(findings, number),
            where="WHERE (id, revision) NOT IN (SELECT (id, revision) FROM findings_history)",
        )

    def _unstorable(self, events: pl.DataFrame, received_at: datetime) -> list[int]:
        """Rows that the database refuses, found by halving the batch."""
        table = _day_table(received_at)
        table = table if table in self._days else EMPTY_DAY

        def accepts(part: pl.DataFrame) -> bool:
            try:
                with self.database.trial() as cursor:
                    insert(cursor, table, _numbered(part, 0))
            except ROW_ERRORS:
                return False
            return True

        return culprits(events, accepts)

    # -- what is read at a start -----------------------------------------------------------------------------------

    def positions(self) -> list[Position]:
        rows = self.database.read("SELECT * FROM positions ORDER BY source, generation")
        return [Position(**row) for row in rows.select(*schema.POSITIONS).iter_rows(named=True)]

    def carries(self) -> dict[str, Carry]:
        rows = self.database.read("SELECT * FROM carries")
        return {row["log"]: json.loads(row["carry"]) for row in rows.iter_rows(named=True)}

    def states(self, but: Iterable[str] = ()) -> dict[str, pl.DataFrame]:
        """The rows of every state table, as `Engine.restore` and `Behaviour.restore` take them. `but`: left out."""
        return {
            name: schema.conform(self.database.read(f"SELECT * FROM state_{name}"), columns)  # noqa: S608 - our names
            for name, columns in self._state_tables.items()
            if name not in but
        }

    def measured_rules(self) -> list[str]:
        """The rules whose windows have rows."""
        tables = " UNION ".join(f"SELECT DISTINCT rule FROM state_{name}" for name in MEASURED)  # noqa: S608 - our names
        return sorted(self.database.read(tables)["rule"])

    def measured(self, rule: str) -> dict[str, pl.DataFrame]:
        """The columns of a rule's windows that say how much there is (detectors.engine.MEASURED)."""
        return {
            name: self.database.read(
                f"SELECT {', '.join(columns)} FROM state_{name} WHERE rule = ?",  # noqa: S608 - our names
                [rule],
            )
            for name, columns in MEASURED.items()
        }

    def recalled(self, wanted: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Committed rows of windows that are asked for: detectors.ledger.WANTED."""
        with self.database.reading() as cursor:
            cursor.register("wanted", Frame(wanted))
            return {
                name: schema.conform(
                    frame_of(
                        cursor,
                        f"SELECT s.* FROM state_{name} s JOIN wanted w ON s.rule = w.rule AND s.key = w.key "  # noqa: S608
                        "AND s.pane >= w.begin AND s.pane < w.end",
                    ),
                    self._state_tables[name],
                )
                for name in MEASURED
            }

    def replace_states(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """The same state in fewer rows (`detectors.state.compact`), in one transaction."""
        with self.database.writing() as cursor:
            for name, frame in tables.items():
                cursor.execute(f"DELETE FROM state_{name}")  # noqa: S608 - our names
                insert(cursor, f"state_{name}", schema.conform(frame, self._state_tables[name]))

    def state_days(self, name: str, first: int, last: int) -> pl.DataFrame:
        """Rows of a state table that belong to some local days (column `day`)."""
        rows = self.database.read(f"SELECT * FROM state_{name} WHERE day BETWEEN ? AND ?", [first, last])  # noqa: S608
        return schema.conform(rows, self._state_tables[name])

    def replace_state_days(self, name: str, first: int, last: int, rows: pl.DataFrame) -> None:
        """Other rows in the place of those of some local days, in one transaction."""
        with self.database.writing() as cursor:
            cursor.execute(f"DELETE FROM state_{name} WHERE day BETWEEN ? AND ?", [first, last])  # noqa: S608 - our names
            insert(cursor, f"state_{name}", schema.conform(rows, self._state_tables[name]))

    def prune_states(self, before: datetime) -> None:
        """Drop state that says of itself (column `until`) that nobody needs it any more."""
        with self.database.writing() as cursor:
            for name, columns in self._state_tables.items():
                if "until" in columns:
                    cursor.execute(f"DELETE FROM state_{name} WHERE until < ?", [before])  # noqa: S608 - our names

    def findings_since(self, batch: int = 0) -> pl.DataFrame:
        """Latest revisions (FINDINGS) of findings that changed after a batch."""
        rows = self.database.read("SELECT * FROM findings WHERE batch > ? ORDER BY batch, id", [batch])
        return schema.conform(rows, FINDINGS)

    def findings_of(self, rules: Sequence[str]) -> pl.DataFrame:
        """Latest revisions (FINDINGS) of the findings of some rules."""
        rows = self.database.read("SELECT * FROM findings WHERE list_contains(?, rule)", [list(rules)])
        return schema.conform(rows, FINDINGS)

    def findings_to_settle(self, people: Sequence[str], rules: Sequence[str]) -> pl.DataFrame:
        """Latest revisions (FINDINGS) of what some people are still told of, oldest first."""
        rows = self.database.read(
            "SELECT * FROM findings WHERE list_contains(?, person) AND list_contains(?, rule) AND severity <> 'low' "
            "AND events > 0 ORDER BY first_seen, id",
            [list(people), list(rules)],
        )
        return schema.conform(rows, FINDINGS)

    def events_named(self, ids: Sequence[str], first: datetime, last: datetime) -> pl.DataFrame:
        """Stored events with the facts of their shapes, by id; they happened between `first` and `last`."""
        return self.database.read(
            "SELECT * FROM events_full WHERE occurred_at BETWEEN ? AND ? AND list_contains(?, event_id)",
            [first, last, list(ids)],
        )

    def acts_of(self, person: str, first: datetime, last: datetime, limit: int) -> pl.DataFrame:
        """What a person did between two moments: main records with the facts of their shapes."""
        return self.database.read(
            "SELECT * FROM events_full WHERE occurred_at BETWEEN ? AND ? AND person = ? AND record_role = 'main' LIMIT ?",
            [first, last, person, limit],
        )

    def counts_of(self, rule: str, day: str, zone: tzinfo, *, critical: bool) -> Counts:
        """Findings of a rule and local day that were told, and whether others went over its budget.

        `critical`: critical ones count as well.
        """
        begin = datetime.combine(date.fromisoformat(day), time(), zone)
        told = self.database.read(
            "SELECT DISTINCT id FROM findings_history WHERE rule = ? AND notify AND bucket >= ? AND bucket < ? AND "
            "(? OR severity <> 'critical') AND (id, revision) NOT IN (SELECT (finding_id, revision) FROM hushed WHERE rule = ?)",
            [rule, begin, begin + timedelta(days=1), critical, rule],
        )
        over = self.database.read(
            "SELECT count(*) FROM hushed WHERE rule = ? AND day = ? AND reason = 'budget'", [rule, day]
        )
        return Counts(frozenset(told["id"]), over=over.item() > 0)

    def events_since(self, received_at: datetime) -> pl.DataFrame:
        """Stored events received from then on, with the facts of their shapes, in order of commit."""
        return self.database.read("SELECT * FROM events_full WHERE received_at >= ? ORDER BY batch", [received_at])

    def acts_since(self, received_at: datetime) -> pl.DataFrame:
        """Acts (main records) received from then on, in order of commit: detectors.folding.RECENT."""
        return self.database.read(
            "SELECT system, activity_key, source, rows IS NOT NULL OR bytes IS NOT NULL AS told, outcome = 'failed' AS failed, received_at FROM events "
            "WHERE record_role = 'main' AND activity_key IS NOT NULL AND received_at >= ? ORDER BY batch, position",
            [received_at],
        )

    def shape_ids(self) -> set[str]:
        """Shapes whose facts are stored."""
        return set(self.database.read("SELECT shape_id FROM shapes")["shape_id"])

    @property
    def head(self) -> str:
        return self._head

    @property
    def batch(self) -> int:
        return self._batch

    # -- space, retention, pieces ----------------------------------------------------------------------------------

    def writable(self) -> bool:
        """False: reading must pause. Becomes true again by itself once there is space."""
        if not self.space.enough():
            return False
        self.space.keep_ballast()
        return True

    def publish(self) -> int:
        """Write what was committed since the last time as pieces; how many rows. Nothing where space is short."""
        return 0 if self.space.low() else self.pieces.publish()

    def retain(self, days: int) -> list[str]:
        """Drop whole days of receipt older than `days`, in the store and in the pieces; the days dropped."""
        limit = self.now() - timedelta(days=days)
        old = sorted(name for name in self._days if EMPTY_DAY < name < _day_table(limit))
        if old:
            with self.database.writing() as cursor:
                _make_views(cursor, self._days - set(old))
                for name in old:
                    cursor.execute(f"DROP TABLE {name}")
                for table in ("rejects", "skips"):
                    cursor.execute(f"DELETE FROM {table} WHERE received_at < ?", [limit.replace(hour=0, minute=0)])  # noqa: S608
            self._days = self._days - set(old)
        self.drop_inventory_changes(limit)
        self.pieces.drop_before(limit)
        return [name.removeprefix("events_") for name in old]

    def forget_positions(self, generations: Sequence[str]) -> None:
        """Rows of files that were not on disk for a month, see `Tail.forgettable`."""
        if generations:
            with self.database.writing() as cursor:
                cursor.execute("DELETE FROM positions WHERE generation IN (SELECT unnest(?))", [list(generations)])

    def recomputed_events_hash(self, batch: int) -> str:
        """The hash of a batch's stored events alone, from the rows as they lie there: for verification."""
        from hashlib import sha256

        hasher = sha256()
        rows = self.database.read("SELECT * FROM events WHERE batch = ?", [batch])
        chain.feed(hasher, schema.conform(rows, schema.STORED_EVENTS))
        return hasher.hexdigest()

    # -- who asked what --------------------------------------------------------------------------------------------

    def record_query(self, row: Mapping[str, Any]) -> None:
        """Every question is itself a record."""
        with self.database.writing() as cursor:
            insert(cursor, "queries", pl.DataFrame([dict(row)], schema=schema.QUERIES))

    def _take_kept_queries(self) -> None:
        """Questions that were asked while neither the daemon nor the lock could be reached."""
        kept = self.state_dir / "queries.jsonl"
        if not kept.exists():
            return
        for line in kept.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
                row = json.loads(line)
                row["asked_at"] = datetime.fromisoformat(row["asked_at"])
                self.record_query(row)
        kept.unlink()


def culprits(frame: pl.DataFrame, accepts: Callable[[pl.DataFrame], bool]) -> list[int]:
    """Row numbers that `accepts` refuses, by halving: a batch of n rows with k bad ones costs about k·log(n) trials."""
    found: list[int] = []
    waiting = [(0, frame.height)] if frame.height else []
    while waiting and len(found) < MAX_UNSTORABLE:
        start, length = waiting.pop()
        if accepts(frame.slice(start, length)):
            continue
        if length == 1:
            found.append(start)
        else:
            half = length // 2
            waiting += [(start + half, length - half), (start, half)]
    return [] if len(found) >= MAX_UNSTORABLE else sorted(found)


def _day_table(moment: datetime) -> str:
    return f"events_{moment.astimezone(UTC):%Y%m%d}"


def _make_views(cursor: Any, days: set[str]) -> None:
    parts = " UNION ALL BY NAME ".join(f"SELECT * FROM {name}" for name in sorted(days))  # noqa: S608 - our names
    cursor.execute(f"CREATE OR REPLACE VIEW events AS {parts}")
    for name, select in schema.VIEWS.items():
        cursor.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")


def _frames(batch: Batch, events: pl.DataFrame | None, refused: pl.DataFrame | None) -> dict[str, pl.DataFrame]:
    """What a batch brings, as the tables take it (without batch numbers): also what the chain is made over."""

    def made(frame: pl.DataFrame | None, columns: schema.Schema) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(columns)) if frame is None else schema.conform(frame, columns)

    rejects = made(batch.rejects, schema.REJECTS)
    skips = [(*key, *amount, batch.received_at) for key, amount in batch.skips.items()]
    carries = [(log, json.dumps(carry, sort_keys=True)) for log, carry in batch.carries.items()]
    rows = [[getattr(position, name) for name in schema.POSITIONS] for position in batch.positions]
    return {
        "events": made(events, schema.STORED_EVENTS),
        "rejects": rejects if refused is None else pl.concat([rejects, refused]),
        "skips": pl.DataFrame(skips, schema=schema.SKIPS, orient="row"),
        "shapes": made(batch.shapes, schema.SHAPES),
        "findings_history": made(batch.findings, FINDINGS),
        "settlements": made(batch.settlements, schema.SETTLEMENTS),
        "hushed": made(batch.hushed, HUSHED),
        "positions": pl.DataFrame(rows, schema=schema.POSITIONS, orient="row"),
        "carries": pl.DataFrame(carries, schema=schema.CARRIES, orient="row"),
    }


def _batch_row(batch: Batch, frames: Mapping[str, pl.DataFrame], number: int, previous: str, head: str) -> pl.DataFrame:
    events = frames["events"]
    row = {
        "batch": number,
        "received_at": batch.received_at,
        "received_from": events["received_at"].min(),
        "received_to": events["received_at"].max(),
        "occurred_from": events["occurred_at"].min(),
        "occurred_to": events["occurred_at"].max(),
        "events": events.height,
        "rejects": frames["rejects"].height,
        "findings": frames["findings_history"].height,
        "rules_hash": batch.rules_hash,
        "config_hash": batch.config_hash,
        "previous_head": previous,
        "head": head,
    }
    return pl.DataFrame([row], schema=schema.BATCHES)


def _numbered(frame: pl.DataFrame, number: int) -> pl.DataFrame:
    return frame.with_columns(batch=pl.lit(number, pl.UInt64))


def _replace(cursor: Any, table: str, frame: pl.DataFrame, key: Sequence[str]) -> None:
    """Upsert without a primary key: the single writer keeps rows unique."""
    if frame.is_empty():
        return
    names = ", ".join(key)
    cursor.register("replaced", Frame(frame.select(key)))
    cursor.execute(f"DELETE FROM {table} WHERE ({names}) IN (SELECT ({names}) FROM replaced)")  # noqa: S608 - our names
    cursor.unregister("replaced")
    insert(cursor, table, frame)

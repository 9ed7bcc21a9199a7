"""The outbox table, as the sender uses it: short transactions of their own, from any thread."""

# ruff: noqa: S608 - the pieces of SQL put together here are our own constants
from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from monitor.alerts.outbox import KEYS, OUTBOX
from monitor.alerts.sender import Due, Key
from monitor.store.database import Database, Frame, insert
from monitor.store.schema import OUTBOX_ROWS, conform

_KEY = "finding_id = ? AND revision = ? AND channel = ?"


class OutboxTable:
    """Messages by (finding, revision, channel); states: waiting, sent, superseded, failed."""

    database: Database

    @staticmethod
    def queue(cursor: Any, rows: pl.DataFrame | None, superseded: pl.DataFrame | None) -> None:
        """Inside the batch's transaction: rows to send (those there already stay as they are), rows not needed any more."""
        if superseded is not None and superseded.height:
            _supersede(cursor, conform(superseded, KEYS))
        if rows is not None and rows.height:
            key = "(finding_id, revision, channel)"
            insert(cursor, "outbox", conform(rows, OUTBOX_ROWS), where=f"WHERE {key} NOT IN (SELECT {key} FROM outbox)")

    def due(self, channel: str, now: datetime, limit: int) -> list[Due]:
        """Waiting rows of the channel whose time has come, oldest first; also rows made in the future of a clock set back."""
        rows = self.database.read(
            "SELECT * FROM outbox WHERE state = 'waiting' AND channel = ? AND (next_try_at <= ? OR created_at > ?) "
            "ORDER BY next_try_at, created_at LIMIT ?",
            [channel, now, now + timedelta(minutes=1), limit],
        )
        return [
            Due(
                key=Key(row["finding_id"], row["revision"], row["channel"]),
                story=row["story"],
                created_at=row["created_at"],
                attempts=row["attempts"],
                payload=row["payload"],
            )
            for row in rows.iter_rows(named=True)
        ]

    def mark_sent(self, key: Key, now: datetime) -> None:
        self._update(f"UPDATE outbox SET state = 'sent', attempts = attempts + 1, sent_at = ? WHERE {_KEY}", [now], key)

    def mark_failed(self, key: Key, next_try_at: datetime | None) -> None:
        """One more attempt was in vain; `next_try_at` None: given up."""
        if next_try_at is None:
            self._update(f"UPDATE outbox SET state = 'failed', attempts = attempts + 1 WHERE {_KEY}", [], key)
        else:
            sql = f"UPDATE outbox SET next_try_at = ?, attempts = attempts + 1 WHERE {_KEY} AND state = 'waiting'"
            self._update(sql, [next_try_at], key)

    def mark_superseded(self, keys: Sequence[Key]) -> None:
        rows = [(key.finding_id, key.revision, key.channel) for key in keys]
        with self.database.writing() as cursor:
            _supersede(cursor, pl.DataFrame(rows, schema=KEYS, orient="row"))

    def needless_messages(self, settled: Sequence[str]) -> pl.DataFrame:
        """Keys of waiting messages about nothing but findings that are settled, these among them."""
        waiting = self.database.read(
            "SELECT finding_id, revision, channel, payload FROM outbox WHERE state = 'waiting'"
        )
        about = [
            (key, {item["id"] for item in json.loads(payload)["story"]["findings"]})
            for *key, payload in waiting.iter_rows()
        ]
        named = sorted({id_ for _, ids in about for id_ in ids})
        told = self.database.read("SELECT id FROM findings WHERE notify AND list_contains(?, id)", [named])
        loud = set(told["id"]) - set(settled)
        return pl.DataFrame([key for key, ids in about if ids and not ids & loud], schema=KEYS, orient="row")

    def backlog(self, now: datetime) -> tuple[int, float]:
        """Waiting rows of all channels, and the age in seconds of the oldest that is due (0: none is)."""
        row = self.database.read(
            "SELECT count(*) AS depth, min(next_try_at) FILTER (next_try_at <= ?) AS oldest "
            "FROM outbox WHERE state = 'waiting'",
            [now],
        ).row(0)
        return row[0], 0.0 if row[1] is None else (now - row[1]).total_seconds()

    def sent_since(self, channel: str, sent_at: datetime) -> list[tuple[str, datetime]]:
        """Payload and time of what a channel took from then on, oldest first."""
        rows = self.database.read(
            "SELECT payload, sent_at FROM outbox WHERE state = 'sent' AND channel = ? AND sent_at >= ? ORDER BY sent_at",
            [channel, sent_at],
        )
        return rows.rows()

    def outbox_since(self, created_at: datetime) -> pl.DataFrame:
        """Rows of any channel and state (OUTBOX), in the order they were written: what planning restores itself from."""
        rows = self.database.read("SELECT * FROM outbox WHERE created_at >= ? ORDER BY created_at, rowid", [created_at])
        return conform(rows, OUTBOX)

    def _update(self, sql: str, parameters: list[object], key: Key) -> None:
        with self.database.writing() as cursor:
            cursor.execute(sql, [*parameters, key.finding_id, key.revision, key.channel])


def _supersede(cursor: Any, keys: pl.DataFrame) -> None:
    cursor.register("superseded", Frame(keys))
    cursor.execute(
        "UPDATE outbox SET state = 'superseded' WHERE state = 'waiting' AND (finding_id, revision, channel) IN "
        "(SELECT (finding_id, revision, channel) FROM superseded)"
    )
    cursor.unregister("superseded")

"""The one connection to the DuckDB file: transactions, cursors of other threads, and starting over after an error.

After a failed commit nobody knows whether it was durable, and a fatal error leaves the database object dead for every
cursor, while `connect` hands back the same dead instance as long as one of them is open. So every cursor is registered
here, and `reopen` closes all of them first.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from config.errors import MonitorError

# errors that one row can cause; they come before the commit, so nothing is ambiguous
ROW_ERRORS = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.ConstraintException,
    duckdb.InvalidInputException,
)


def _leave_quietly() -> None:
    """Keep DuckDB's binding from printing its own bookkeeping ("leaked instance ...") on standard error at the very end.

    It does so in every process that read a result as an Arrow stream (2.0.0); no memory is lost while it runs.
    """
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)


atexit.register(_leave_quietly)


class CommitFailed(MonitorError):
    """The transaction may or may not be durable: everything was closed; read the positions and go on from there."""


class StoreFull(CommitFailed):
    """No space is left. Reading pauses until there is: the logs wait in their files."""


class Frame:
    """Hands a Polars frame to DuckDB by the Arrow stream interface, without pyarrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class Database:
    """Opened by `open`. Writers are serialised by a lock; readers share; `reopen` waits for all."""

    def __init__(
        self, path: Path, *, memory_limit_mb: int, threads: int, checkpoint_mb: int, prepare: Callable[[Any], None]
    ) -> None:
        """`prepare` is run on every new connection (tables, migrations)."""
        self.path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_limit_mb}MB",
            "threads": str(threads),
            "checkpoint_threshold": f"{checkpoint_mb}MB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": str(path.with_suffix(".tmp")),
        }
        self._prepare = prepare
        self._write_lock = threading.RLock()
        self._gate = threading.Condition()
        self._readers: set[Any] = set()
        self._closing = False
        self._ended = False  # closed on purpose, not for want of space
        self._connection: Any = None

    def open(self) -> None:
        connection = duckdb.connect(str(self.path), config=self._config)
        try:
            connection.execute("SET TimeZone='UTC'")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def close(self) -> None:
        """The last checkpoint included."""
        with self._write_lock:
            self._ended = True
            self._close_all()

    def reopen(self) -> None:
        """Close every cursor, open anew. Raises CommitFailed or StoreFull where that is not possible now."""
        with self._write_lock:
            self._close_all()
            self._ended = False
            try:
                self.open()
            except Exception as error:
                raise failure(error, "the store cannot be opened again") from error

    def _open_again(self) -> None:
        """After an error at which it could not be opened at once."""
        with self._write_lock:
            if self._connection is None:
                if self._ended:
                    raise CommitFailed("the store is closed")
                self.reopen()

    def _close_all(self) -> None:
        with self._gate:
            self._closing = True
            for cursor in self._readers:
                with suppress(duckdb.Error):
                    cursor.interrupt()
            while self._readers:
                self._gate.wait()
            connection, self._connection = self._connection, None
            self._closing = False
            self._gate.notify_all()
        if connection is not None:
            with suppress(duckdb.Error):
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A cursor of this thread's own, for a short look. Raises CommitFailed while the store cannot be opened."""
        if self._connection is None:
            self._open_again()
        with self._gate:
            while self._closing:
                self._gate.wait()
            if self._connection is None:
                raise CommitFailed("the store is closed")
            cursor = self._connection.cursor()
            self._readers.add(cursor)
        try:
            yield cursor
        finally:
            with suppress(duckdb.Error):
                cursor.close()
            with self._gate:
                self._readers.discard(cursor)
                self._gate.notify_all()

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """One transaction.

        ROW_ERRORS are rolled back and raised as they are; whatever else happens closes all, opens anew and is raised
        as CommitFailed or StoreFull.
        """
        with self._write_lock:
            self._open_again()
            try:
                cursor = self._connection.cursor()
                try:
                    cursor.execute("BEGIN")
                    yield cursor
                    cursor.execute("COMMIT")
                except ROW_ERRORS:
                    cursor.execute("ROLLBACK")
                    raise
                finally:
                    cursor.close()
            except ROW_ERRORS:
                raise
            except Exception as error:
                wrong = failure(error, "the transaction failed")
                with suppress(CommitFailed):
                    self.reopen()
                raise wrong from error

    @contextmanager
    def trial(self) -> Iterator[Any]:
        """A transaction that is always rolled back."""
        with self._write_lock:
            cursor = self._connection.cursor()
            try:
                cursor.execute("BEGIN")
                yield cursor
            finally:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                cursor.close()

    def read(self, sql: str, parameters: list[Any] | None = None) -> pl.DataFrame:
        """The answer as a frame, times in UTC."""
        with self.reading() as cursor:
            return frame_of(cursor, sql, parameters)


def frame_of(cursor: Any, sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> pl.DataFrame:
    return pl.DataFrame(cursor.sql(sql, params=parameters) if parameters else cursor.sql(sql))


def insert(cursor: Any, table: str, frame: pl.DataFrame, *, where: str = "") -> None:
    """Append the rows of a frame whose columns are those of the table (in any order). Identifiers are ours."""
    if frame.is_empty():
        return
    cursor.register("incoming", Frame(frame))
    try:
        cursor.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM incoming {where}')  # noqa: S608
    finally:
        with suppress(duckdb.Error):
            cursor.unregister("incoming")


def failure(error: Exception, what: str) -> CommitFailed:
    """The error as the caller should see it; DuckDB's own text may quote values and stays out of the message."""
    text = str(error)
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    if full or any(words in text for words in ("No space left", "File too large", "Disk quota", "disk is full")):
        return StoreFull(f"{what}: no space left")
    return CommitFailed(f"{what}: {type(error).__name__}")

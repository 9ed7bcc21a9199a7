"""What single people and jobs do, written down statement by statement; the bulk of the programs is `month_work`."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl
from month_calendar import Day
from month_work import SECOND, STATEMENTS


class Said(NamedTuple):
    """A statement; class and command are read off its text unless given. `error`: SQLSTATE and message."""

    text: str
    rows: int = 0
    command: str = ""
    error: str | None = None


class Seat(NamedTuple):
    """Where somebody works from."""

    system: str
    account: str
    address: str
    program: str
    database: str = "his"


class FailedLogin(NamedTuple):
    at: int
    seat: Seat


# pgaudit's classes by the first words of a statement; longer ones first
_CLASSES = (
    ("CREATE ROLE", "ROLE"), ("ALTER ROLE", "ROLE"), ("DROP ROLE", "ROLE"), ("GRANT", "ROLE"), ("REVOKE", "ROLE"),
    ("CREATE OR REPLACE VIEW", "DDL"), ("CREATE OR REPLACE FUNCTION", "DDL"), ("CREATE INDEX", "DDL"),
    ("CREATE TABLE", "DDL"), ("ALTER TABLE", "DDL"), ("DROP TABLE", "DDL"), ("COMMENT", "DDL"), ("REINDEX", "DDL"),
    ("SELECT", "READ"), ("WITH", "READ"), ("COPY", "READ"), ("EXPLAIN", "READ"),
    ("INSERT", "WRITE"), ("UPDATE", "WRITE"), ("DELETE", "WRITE"),
    ("SET", "MISC"), ("BEGIN", "MISC"), ("COMMIT", "MISC"), ("LOCK TABLE", "MISC"), ("VACUUM", "MISC"), ("ANALYZE", "MISC"), ("SHOW", "MISC"),
)  # fmt: skip
_COMMANDS = {
    "CREATE OR REPLACE VIEW": "CREATE VIEW", "CREATE OR REPLACE FUNCTION": "CREATE FUNCTION", "WITH": "SELECT",
}  # fmt: skip


def judged(said: Said) -> tuple[str, str]:
    """(class, command) as pgaudit names them."""
    text = said.text.lstrip().upper()
    for begin, klass in _CLASSES:
        if text.startswith(begin):
            command = said.command or _COMMANDS.get(begin, begin)
            return ("DDL" if command == "CREATE TABLE AS" else klass), command
    return "MISC", said.command or "OTHER"


@dataclass
class Diary:
    """One day. `rng` is the day's own."""

    day: Day
    rng: random.Random
    failed: list[FailedLogin] = field(default_factory=list)
    _rows: list[tuple] = field(default_factory=list)
    _sittings: int = 0

    def sit(self, seat: Seat, begin: float, statements: Iterable[Said], pace: tuple[float, float] = (3, 40)) -> float:
        """A connection in which somebody sends statements one after another from `begin` (seconds of the day) on; its end."""
        self._sittings += 1
        now, session = begin, f"{seat.system} {seat.account} {self.day.number} d{self._sittings}"
        for said in statements:
            now += self.rng.uniform(*pace)
            klass, command = judged(said)
            at = self.day.start + int(now * SECOND)
            self._rows.append((at, *seat, session, klass, command, said.text, "<none>", said.rows, said.error))
        return now

    def mistype(self, seat: Seat, begin: float, times: int = 1) -> float:
        """Log-ins that fail before one that does not."""
        now = begin
        for _ in range(times):
            self.failed.append(FailedLogin(self.day.start + int(now * SECOND), seat))
            now += self.rng.uniform(4, 15)
        return now

    def between(self, early: str, late: str) -> float:
        return self.rng.uniform(self.day.at(early), self.day.at(late))

    @property
    def statements(self) -> pl.DataFrame:
        return pl.DataFrame(self._rows, schema=STATEMENTS, orient="row")

    @property
    def text(self) -> str:
        return self.day.text

    def number(self, first: int, last: int) -> int:
        return self.rng.randint(first, last)

    def one(self, choices: Sequence):
        return self.rng.choice(choices)

"""Which of several records of one act stands for it (`record_role`), across the cuts of a stream.

pgaudit writes a record for each relation, for statements inside functions and triggers, and for both halves of
COPY (SELECT), EXPLAIN, EXECUTE; log_statement and the durations tell the same act once more. A record is judged by what came
before it in its session, never by what follows, so that any cut gives the same roles.

Remembered per session (`carry["sessions"]`): the last pgaudit statement and the last logged statement, as numbers and
hashes of texts, never a text. Sessions leave with their logout; of more than `SESSIONS` the longest silent leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from parsers.registry import Carry

Column = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]  # of rows; -1: none

SESSIONS = 1024
_NONE = 0  # in the place of a hash: that statement has ended
FLAGS = ("reads", "writes")  # pgaudit classes that this log has been seen to hold
_DML = ("INSERT", "UPDATE", "DELETE", "MERGE")
_STATE = {
    "statement_number": pl.Int64,     # of the session's last pgaudit record
    "substatement_number": pl.Int64,
    "line": pl.Int64,                 # its line in the session
    "hash": pl.UInt64,                # its statement
    "called": pl.UInt64,              # text with which the act began, where that was a function call
    "first": pl.UInt64,               # text of the act's first main record
    "logged": pl.UInt64,              # last text of log_statement
    "logged_line": pl.Int64,
}  # fmt: skip
_WANTED = {
    "session": pl.String, "kind": pl.String, "line": pl.Int64, "statement": pl.String, "statement_number": pl.Int64,
    "substatement_number": pl.Int64, "command_class": pl.String, "command": pl.String, "audit_type": pl.String,
    "tag": pl.String, "empty": pl.Boolean, "record_role": pl.String, "activity_key": pl.String, "ms": pl.String,
    "outcome": pl.String,
}  # fmt: skip


class _Groups:
    """Rows that belong together, in their order. Many small questions of the kind "the last such row before this one"."""

    def __init__(self, order: Places, opens: Flags) -> None:
        """`order`: rows, those of a group behind one another; `opens`: which of them, in that order, begin a group."""
        self.order = order
        self._opens = opens
        self._every = np.arange(order.size)
        self._begin = np.maximum.accumulate(np.where(opens, self._every, 0))
        self.ends: Places = order[np.append(opens[1:], True)]  # the last row of each group

    @classmethod
    def of(cls, keys: Column) -> _Groups:
        order: Places = np.argsort(keys, kind="stable")
        ordered = keys[order]
        opens = np.ones(keys.size, np.bool_)
        opens[1:] = ordered[1:] != ordered[:-1]
        return cls(order, opens)

    def cut_before(self, where: Flags) -> _Groups:
        """The same, another group beginning at each row that is `where`."""
        return _Groups(self.order, self._opens | where[self.order])

    def cut_behind(self, where: Flags) -> _Groups:
        """The same, another group beginning behind each row that is `where`."""
        return _Groups(self.order, self._opens | np.append(False, where[self.order][:-1]))

    def last(self, where: Flags, *, earlier: bool = False) -> Places:
        """For each row the last of its group that is `where`: itself or one before it (`earlier`: before it)."""
        at = np.maximum.accumulate(np.where(where[self.order], self._every, -1))
        if earlier:
            at = np.concatenate((np.array([-1]), at[:-1]))
        return self._placed(np.where(at >= self._begin, self.order[at], -1))

    def count(self, where: Flags) -> Places:
        """How many of its group are `where`, up to each row."""
        ordered = where[self.order]
        total = np.cumsum(ordered)
        return self._placed(total - total[self._begin] + ordered[self._begin])

    def _placed(self, ordered: Column) -> Column:
        placed = np.empty_like(ordered)
        placed[self.order] = ordered
        return placed


class _Rows:
    """What the sessions remembered, then the records: columns as arrays (`known` where a value may be missing)."""

    def __init__(self, events: pl.DataFrame, carry: Carry) -> None:
        wanted = events.select(*_WANTED)
        before = _remembered(carry["sessions"]) if carry.get("sessions") else wanted.clear()
        frame = pl.concat([before, wanted], how="diagonal_relaxed") if before.height else wanted
        self.sessions_named = frame["session"]
        facts = frame.with_columns(_absent(frozenset(frame.columns))).select(_facts())
        self.columns: dict[str, Column] = {column.name: column.to_numpy() for column in facts}
        self.past = before.height
        # nothing is remembered of a session behind its logout: what comes then is another
        self.sessions = _Groups.of(self["session"]).cut_behind(self["left"])
        numbers = ("statement_number", "substatement_number")
        begins, inner = (self._changes(name) for name in numbers)
        self.columns["fresh"] = begins | inner
        # of the numbers of a session only the last is remembered: one that comes again later is another act
        self.acts = self.sessions.cut_before(begins)
        self.audit_at = self.sessions.last(self["remembered"])
        opened = self["opened"] & ~self["timed"]
        values, known = self.columns["logged"], self.columns["logged known"]
        self.columns["logged"] = np.where(opened, self["text"], np.where(self["closed"], _NONE, values))
        self.columns["logged known"] = opened | self["closed"] | known
        self.columns["logged_line"] = np.where(opened, self["line"], self["logged_line"])
        self.columns["logged_line known"] = np.where(opened, self["line known"], self["logged_line known"])
        self.logged_at = self.sessions.last(self["logged known"])
        self.logged_line_at = self.sessions.last(self["logged_line known"])

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def equals(self, values: Column, places: Places, name: str) -> Flags:
        """Whether `values` are what stands in column `name` at `places`; nowhere is no match."""
        return np.asarray((places >= 0) & (values == self[name][places]))

    def _changes(self, number: str) -> Flags:
        """The pgaudit record has another number than the one before it in its session."""
        before = self.sessions.last(self["remembered"], earlier=True)
        same = self[number][before] == self[number]
        same &= self[f"{number} known"][before] == self[f"{number} known"]
        return np.asarray(self["remembered"] & ~(same & (before >= 0)))

    def at(self, name: str, places: Places) -> list[Any]:
        known = self[f"{name} known"][places] & (places >= 0)
        return [
            value if good else None for value, good in zip(self[name][places].tolist(), known.tolist(), strict=True)
        ]


@cache
def _absent(names: frozenset[str]) -> list[pl.Expr]:
    wanted = {**_STATE, "past": pl.Boolean}
    return [pl.lit(None, dtype).alias(name) for name, dtype in wanted.items() if name not in names]


@cache
def _facts() -> list[pl.Expr]:
    col = pl.col
    audit = (col("kind") == "audit").fill_null(value=False)
    opened = ((col("kind") == "statement") & col("record_role").is_null()).fill_null(value=False)
    text = col("statement").fill_null("").hash(seed=20261118)
    remembered = audit | col("hash").is_not_null()
    flags = {
        "audit": audit,
        "opened": opened,
        "timed": opened & col("ms").is_not_null(),  # told after its end, together with the time it took
        "closed": col("kind").is_in(["duration", "failed"]),
        "failed": col("kind") == "failed",
        "left": col("kind") == "logout",
        "remembered": remembered,
        "reads": audit & (col("command_class") == "READ"),
        "writes": audit & (col("command_class") == "WRITE"),
        "call": (col("command_class") == "FUNCTION") & (col("command") == "EXECUTE"),
        "inner": (col("audit_type") == "SESSION") & col("tag").is_in(_DML) & (col("command") != col("tag")),
        "shown": remembered & ~col("past").fill_null(value=False) & ~col("empty").fill_null(value=False)
        & (col("command") != "???"),
        "asked": (col("command") == col("tag")) & (col("command_class") != "MISC"),
    }  # fmt: skip
    state = {name: col(name) for name in _STATE} | {"hash": pl.when(audit).then(text).otherwise("hash")}
    return [
        pl.col("session").hash().alias("session"),
        text.alias("text"),
        *(value.fill_null(value=False).alias(name) for name, value in flags.items()),
        *(value.fill_null(0).alias(name) for name, value in state.items()),
        *(value.is_not_null().alias(f"{name} known") for name, value in state.items()),
    ]


def with_roles(events: pl.DataFrame, carry: Carry) -> tuple[pl.DataFrame, dict[str, Any]]:
    """`events` in order, with record_role and activity_key filled; and the carry for the next chunk.

    Columns of its own (`told_`, …) stay in the frame, which nobody reads on but by name.
    Roles already set (parse and bind, lone durations, lost clients) stand.
    """
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _WANTED.items() if name not in events.columns]
    events = events.with_columns(missing)
    rows = _Rows(events, carry)
    audit, text = rows["audit"], rows["text"]
    main = _audit_mains(rows, carry)
    earlier = rows.sessions.last(rows["logged known"], earlier=True)  # what log_statement said before this record
    told = audit & rows.equals(rows["hash"], earlier, "logged")
    ended = rows["failed"] & rows.equals(text, earlier, "logged")
    audit_line = rows.sessions.last(rows["remembered"] & rows["line known"])
    repeated = rows["timed"] & rows.equals(text, rows.audit_at, "hash")
    repeated &= rows["line known"] & rows.equals(rows["line"] - 1, audit_line, "line")
    numbered = rows.sessions.last(rows["remembered"] & rows["statement_number known"])
    flags = {
        "told_": told & main, "part_": audit & ~main, "repeated_": repeated, "ended_": ended, "audit_": audit,
    }  # fmt: skip
    added = [pl.Series(name, values[rows.past :]) for name, values in flags.items()]
    last = {"logged_": ("logged_line", rows.logged_line_at), "number_": ("statement_number", numbered)}
    for name, (column, places) in last.items():
        here = places[rows.past :]
        added.append(pl.Series(name, rows[column][here]).set(pl.Series(here < 0), None))
    return events.with_columns(added).with_columns(_roles()), _carry(rows, carry)


@cache
def _roles() -> list[pl.Expr]:
    col = pl.col
    session = col("session")
    role = (
        pl.when("told_")
        .then(pl.lit("outcome"))
        .when("part_")
        .then(pl.lit("part"))
        .when("repeated_")
        .then(pl.lit("duplicate"))
        .when(col("ended_") & col("record_role").is_null())
        .then(pl.lit("outcome"))
        .otherwise(col("record_role").fill_null("main"))
    )
    key = (
        pl.when(col("told_") | col("ended_"))
        .then(session + ":" + col("logged_").cast(pl.String))
        .when("audit_")
        .then(session + "/" + col("statement_number").cast(pl.String))
        .when("repeated_")
        .then(session + "/" + col("number_").cast(pl.String))
        .otherwise(pl.coalesce("activity_key", session + ":" + col("line").cast(pl.String)))
    )
    return [role.alias("record_role"), key.alias("activity_key")]


def _audit_mains(rows: _Rows, carry: Carry) -> Flags:
    """Which pgaudit records stand for their act.

    The first record does, except: a function call (its caller's record follows), statements inside that function,
    another relation of the same statement, views unfolded (`???`), the inner statements of a changing statement.
    """
    call, called_known, text = rows["call"], rows["called known"], rows["hash"]
    begins = call & (rows.acts.count(call | called_known) == 1)
    rows.columns["called"] = np.where(begins, text, rows["called"])
    rows.columns["called known"] = begins | called_known
    called = rows.columns["called at"] = rows.acts.last(rows["called known"])
    eligible = (
        rows["shown"]
        & rows["fresh"]
        & ~(call & _seen(rows["reads"], "reads", carry))
        & ~(rows["inner"] & _seen(rows["writes"], "writes", carry))
        & ((called < 0) | rows.equals(text, called, "called"))
    )
    opens = eligible & (rows.acts.count(eligible | rows["first known"]) == 1)
    rows.columns["first"] = np.where(opens, text, rows["first"])
    rows.columns["first known"] = opens | rows["first known"]
    first = rows.columns["first at"] = rows.acts.last(rows["first known"])
    second = rows["asked"] & (first >= 0) & ~rows.equals(text, first, "first") & (called < 0)
    return np.asarray(opens | (eligible & second))


def _seen(flags: Flags, name: str, carry: Carry) -> Flags:
    """Whether the log has shown such a record before this one."""
    before = np.logical_or.accumulate(flags)
    return np.append(False, before[:-1]) | bool(carry.get(name, False))


def _remembered(sessions: Mapping[str, list[Any]]) -> pl.DataFrame:
    rows = [(session, *values) for session, values in sessions.items()]
    return pl.DataFrame(rows, schema={"session": pl.String, **_STATE}, orient="row").with_columns(
        past=pl.lit(value=True)
    )


def _carry(rows: _Rows, carry: Carry) -> dict[str, Any]:
    ends = np.sort(rows.sessions.ends)
    known = (rows.audit_at[ends] >= 0) | (rows.logged_at[ends] >= 0)
    ends = ends[known & ~rows["left"][ends]][-SESSIONS:]
    audits, logged = rows.audit_at[ends], rows.logged_at[ends]
    values = [rows.at(name, audits) for name in ("statement_number", "substatement_number", "line", "hash")]
    # of the act of that record, not of the record alone
    values += [rows.at(name, np.where(audits >= 0, rows[f"{name} at"][audits], -1)) for name in ("called", "first")]
    values.append(rows.at("logged", logged))
    values.append(rows.at("logged_line", np.where(logged >= 0, rows.logged_line_at[ends], -1)))
    names = rows.sessions_named.gather(ends).to_list()
    flags = {flag: bool(carry.get(flag, False)) or bool(rows[flag].any()) for flag in FLAGS}
    return {**flags, "sessions": {name: list(row) for name, row in zip(names, zip(*values, strict=True), strict=True)}}

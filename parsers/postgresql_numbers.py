"""Records that a session numbered and the log does not hold.

csvlog and jsonlog number the records of a session (session_line_num, line_num), each writer for itself and only what it
writes: whatever the server is told to log, the numbers of a session follow one another. A hole means that a record was
written and is not there any more. pgaudit numbers the statements of a session (STATEMENT_ID) when it hands them on to the
log: classes, roles and relations that it is not to log use up no number. A hole there, with the line numbers going on,
means that the statement was audited and kept out of the log (log_min_messages, or a pgaudit.log_level below it).

Records are compared with those before them in the same file alone: rotated files may be read in any order, and syslog
may lose and exchange datagrams. SUBSTATEMENT_ID is left out: the outer statement is written last, with a lower one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from parsers.registry import Carry

SESSIONS = 4096  # remembered from chunk to chunk; those that log out leave, then the longest silent
MISSING = ("records_missing", "statements_missing")  # columns of EVENTS
_NUMBERED = {  # format -> what is numbered in it; text logs may have `%l`, which any client can write into a name
    "postgresql_csvlog": ("line", "statement_number"),
    "postgresql_jsonlog": ("line", "statement_number"),
    "postgresql_stderr": ("statement_number",),
}
_NONE = -1  # in the place of a number
_NUMBERS = ("line", "statement_number")
_ROWS = {
    "session": pl.String, "line": pl.Int64, "statement_number": pl.Int64,
    "lost": pl.Int64,  # lines missing since the last audited statement
}  # fmt: skip


def with_missing(
    events: pl.DataFrame, format_: str, generation: str, carry: Carry
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """`events` of one file in order, with the columns MISSING where numbers were passed over; and the carry.

    Each number is told at the first record behind the hole. Records that had to be refused are missing too.
    """
    known = _NUMBERED.get(format_)
    if known is None:
        return events, {}
    client = (pl.col("host").is_not_null() | pl.col("user").is_not_null()) & pl.col("session").is_not_null()
    audited = pl.when(pl.col("kind") == "audit").then("statement_number")
    rows = events.with_row_index("row").filter(client).select(
        "session",
        (pl.col("line") if "line" in known else pl.lit(None, pl.Int64)).alias("line"),
        (audited if "statement_number" in events.columns else pl.lit(None, pl.Int64)).alias("statement_number"),
        (pl.col("kind") == "logout").alias("left"),
        "row",
    )  # fmt: skip
    numbers = carry.get("numbers", {}) if carry.get("numbers_of") == generation else {}
    past = pl.DataFrame([(name, *values) for name, values in numbers.items()], schema=_ROWS, orient="row")
    rows = pl.concat([past, rows], how="diagonal")
    sessions = _Sessions(rows)
    lost: dict[str, int] = {}
    if sessions.skip() or any(values[-1] for values in numbers.values()):
        found = _holes(rows)
        holes = found.drop_nulls("row").select("row", *MISSING)
        events = events.with_row_index("row").join(holes, on="row", how="left", maintain_order="left").drop("row")
        ends = found.group_by("session").agg(pl.col("lost").last()).filter(pl.col("lost") > 0)
        lost = dict(ends.select("session", "lost").iter_rows())
    return events, {"numbers": sessions.last(rows, lost), "numbers_of": generation}


class _Sessions:
    """The rows of each session behind one another, as places in the frame. Behind a logout another one begins."""

    def __init__(self, rows: pl.DataFrame) -> None:
        codes = rows["session"].hash().to_numpy()
        self._order = np.argsort(codes, kind="stable")
        self._left = rows["left"].fill_null(value=False).to_numpy()[self._order]
        begins = np.ones(codes.size, np.bool_)
        begins[1:] = (codes[self._order][1:] != codes[self._order][:-1]) | self._left[:-1]
        self._firsts = np.flatnonzero(begins)
        self._parts = np.cumsum(begins)
        self._values = [rows[name].fill_null(_NONE).to_numpy()[self._order] for name in _NUMBERS]

    def skip(self) -> bool:
        """Does a number of a session pass one over?"""
        for values in self._values:
            told = values != _NONE
            if (np.diff(values[told])[np.diff(self._parts[told]) == 0] > 1).any():
                return True
        return False

    def last(self, rows: pl.DataFrame, lost: Mapping[str, int]) -> dict[str, list[int | None]]:
        """The highest numbers of the sessions that go on, those that spoke last at the end."""
        if not self._order.size:
            return {}
        last = np.append(self._firsts[1:], self._order.size) - 1
        highest = [np.maximum.reduceat(values, self._firsts) for values in self._values]
        kept = np.argsort(self._order[last])
        kept = kept[~self._left[last[kept]]][-SESSIONS:]
        names = rows["session"].gather(self._order[last[kept]]).to_list()
        columns = [[None if one == _NONE else one for one in values[kept].tolist()] for values in highest]
        return {name: [*numbers, lost.get(name, 0)] for name, *numbers in zip(names, *columns, strict=True)}


def _holes(rows: pl.DataFrame) -> pl.DataFrame:
    """How many numbers each record passes over; lines that go back (read again) pass over none."""
    rows = rows.with_columns(
        _part=pl.col("left").fill_null(value=False).shift(1).cum_sum().over("session").fill_null(0)
    )
    session, number, past = ("session", "_part"), pl.col("statement_number"), pl.col("lost").fill_null(0)
    gone = (pl.col("line") - pl.col("line").cum_max().forward_fill().shift(1) - 1).clip(0).over(session)
    rows = rows.with_columns(records_missing=gone)
    rows = rows.with_columns(_total=(pl.col("records_missing").fill_null(0) + past).cum_sum().over(session))
    # where lines are missing too since the last audited statement, theirs is the hole
    audited = number.is_not_null()
    at_audit = pl.when(audited).then(pl.col("_total") - past).forward_fill()
    passed = (number - number.cum_max().forward_fill().shift(1) - 1).clip(0)
    rows = rows.with_columns(
        _before=at_audit.shift(1).over(session), _passed=passed.over(session), _at=at_audit.over(session)
    )
    return rows.with_columns(
        records_missing=pl.when(pl.col("records_missing") > 0).then("records_missing"),
        statements_missing=pl.when(audited & (pl.col("_before") == pl.col("_total")) & (pl.col("_passed") > 0)).then(
            "_passed"
        ),
        lost=(pl.col("_total") - pl.col("_at")).fill_null(0),
    )

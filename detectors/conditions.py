r"""What a Sigma detection asks of one event, checked against the schema: the tree that both compilers walk.

The tree knows nothing of Sigma or of a query engine, so `expressions.py` (Polars) and `sqlrules.py` (DuckDB) stay small
and have one meaning to agree on. That meaning is two-valued: a test on a missing value is false, so `not` of it is true
(an empty program name must not evade a rule).

* text compares without regard to case, except in columns whose values are a closed list;
* `*` and `?` in a value are wildcards, `\\` takes their meaning away;
* on a list column `contains` means membership, `column: null` "missing or empty", `exists` "not empty";
* `re` is searched anywhere in the text, with a linear engine: no look-around, no back-references.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

import polars as pl
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from parsers.events import CONTEXT, EVENTS, FACTS, TEXTS

Op = Literal[
    "equals", "same", "contains", "starts", "ends", "matches", "member", "missing", "present", "is",
    "eq", "gt", "gte", "lt", "lte", "ne",
]  # fmt: skip

# Not in the store, or in clear only in flight: a rule on them could not be tried on history.
HIDDEN = frozenset({"statement", "parameters", "patient_keys"})
COLUMNS: dict[str, pl.DataType] = {
    name: dtype for name, dtype in (EVENTS | FACTS | CONTEXT).items() if name not in HIDDEN
}
# Values of these columns are a closed list in lower case, so they compare exactly (and faster).
CLOSED = frozenset({
    "record_role", "action", "outcome", "dialect", "rows_kind", "bytes_kind", "direction", "understood", "verb",
    "restriction", "destination", "actor_kind", "file_shape", "program_kind", "vendor_state",
})  # fmt: skip
_PATTERN_LIMIT = 1000


class ConditionFault(ValueError):
    """A condition that can't be used. `column` names the key it stands at, `value` what stands there without one."""

    def __init__(self, message: str, column: str | None = None, value: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.value = value


@dataclass(frozen=True, slots=True)
class Ask:
    column: str
    op: Op
    value: str | int | float | bool | None = None

    @property
    def is_list(self) -> bool:
        return COLUMNS[self.column] == TEXTS


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Tree


Tree = Ask | All | Either | Not
Asks = Callable[[str, SigmaType], Tree]  # of a field and a value; a value without a field has the name ""


def tree(condition: object, asks: Asks | None = None) -> Tree:
    """Sigma's parsed condition as our tree. ConditionFault: unknown column, a value or modifier that does not fit.

    `asks`: what a field and a value mean; None: fields are columns.
    """
    if isinstance(condition, ConditionAND):
        return All(tuple(tree(part, asks) for part in condition.args))
    if isinstance(condition, ConditionOR):
        return Either(tuple(tree(part, asks) for part in condition.args))
    if isinstance(condition, ConditionNOT):
        return Not(tree(condition.args[0], asks))
    if isinstance(condition, ConditionFieldEqualsValueExpression):
        return (asks or test)(condition.field, condition.value)
    if isinstance(condition, ConditionValueExpression):
        if asks is not None:
            return asks("", condition.value)
        raise ConditionFault("a value without a column; write column: value")
    raise ConditionFault("an empty condition")


def columns_of(node: Tree) -> frozenset[str]:
    if isinstance(node, Ask):
        return frozenset({node.column})
    parts = (node.part,) if isinstance(node, Not) else node.parts
    return frozenset().union(*(columns_of(part) for part in parts))


def test(column: str, value: SigmaType) -> Tree:
    """A column against a value of Sigma's."""
    dtype = COLUMNS.get(column)
    if dtype is None:
        hint = "; it is not stored, use shape or patient_key_count" if column in HIDDEN else ""
        raise ConditionFault(f"unknown column{hint}", column)
    if isinstance(value, SigmaNull):
        return Ask(column, "missing")
    if isinstance(value, SigmaExists):
        return Ask(column, "present") if value.exists else Ask(column, "missing")
    if dtype == pl.Boolean:
        return _boolean(column, value)
    if dtype == TEXTS:
        return _member(column, value)
    if dtype == pl.String:
        return _text(column, value)
    if dtype.is_numeric():
        return _number(column, value)
    raise ConditionFault("a column of times; use the columns of the calendar", column)


def _boolean(column: str, value: SigmaType) -> Tree:
    if not isinstance(value, SigmaBool):
        raise ConditionFault("expected true or false", column)
    return Ask(column, "is", bool(value.boolean))


def _number(column: str, value: SigmaType) -> Tree:
    if isinstance(value, SigmaCompareExpression):
        op: Op = {"LT": "lt", "LTE": "lte", "GT": "gt", "GTE": "gte", "NEQ": "ne"}[value.op.name]  # type: ignore[assignment]
        return Ask(column, op, value.number.number)
    if isinstance(value, SigmaNumber) and type(value) is SigmaNumber:
        return Ask(column, "eq", value.number)
    raise ConditionFault("expected a number", column)


def _member(column: str, value: SigmaType) -> Tree:
    if not isinstance(value, SigmaString):
        raise ConditionFault("expected text; a list column takes contains, exists or null", column)
    parts = list(value.s)
    if len(parts) < 3 or parts[0] is not SpecialChars.WILDCARD_MULTI or parts[-1] is not SpecialChars.WILDCARD_MULTI:
        raise ConditionFault("is a list; write column|contains: value", column)
    if len(parts) != 3 or not isinstance(parts[1], str):
        raise ConditionFault("membership takes no wildcards", column)
    return Ask(column, "member", parts[1])


def _text(column: str, value: SigmaType) -> Tree:
    if isinstance(value, SigmaCIDRExpression):
        return _network(column, value)
    if isinstance(value, SigmaRegularExpression):
        flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
        source = str(value.regexp)
        return Ask(column, "matches", _linear(column, f"(?{flags}){source}" if flags else source))
    if isinstance(value, SigmaString):
        return _string(column, value)
    if isinstance(value, SigmaNumber) and type(value) is SigmaNumber:
        return Ask(column, "same", str(value.number))
    raise ConditionFault("modifier not supported here", column)


def _string(column: str, value: SigmaString) -> Tree:
    cased = isinstance(value, SigmaCasedString) or column in CLOSED
    parts = list(value.s)
    if any(not isinstance(part, str | SpecialChars) for part in parts):
        raise ConditionFault("placeholders are not supported", column)
    if all(isinstance(part, str) for part in parts):
        text = "".join(str(part) for part in parts)
        return Ask(column, "same" if cased else "equals", text if cased else text.lower())
    many = SpecialChars.WILDCARD_MULTI
    inner = parts[1 if parts[0] is many else 0 : -1 if parts[-1] is many else None]
    if not cased and len(inner) == 1 and isinstance(inner[0], str):
        op: Op = "contains" if parts[0] is many and parts[-1] is many else "ends" if parts[0] is many else "starts"
        return Ask(column, op, inner[0].lower())
    pattern = "".join(_piece(part) for part in parts)
    return Ask(column, "matches", _linear(column, f"^(?:{pattern})$", flags="s" if cased else "is"))


def _piece(part: object) -> str:
    if part is SpecialChars.WILDCARD_MULTI:
        return ".*"
    return "." if part is SpecialChars.WILDCARD_SINGLE else escape(str(part))


def escape(text: str) -> str:
    """Literal text in both engines' syntax: only ASCII punctuation may be escaped in Rust's and RE2's."""
    return re.sub(r"([\\.+*?()|\[\]{}^$#&~\-])", r"\\\1", text)


def _network(column: str, value: SigmaCIDRExpression) -> Tree:
    if not isinstance(value.network, IPv4Network):
        raise ConditionFault("only IPv4 networks", column)
    pieces = [part.removesuffix("*") for part in value.expand()]
    patterns = [escape(piece) + ("" if piece.count(".") == 3 and piece[-1] != "." else ".*") for piece in pieces]
    return Ask(column, "matches", "^(?:" + "|".join(patterns) + ")$")


def _linear(column: str, pattern: str, *, flags: str = "") -> str:
    if len(pattern) > _PATTERN_LIMIT:
        raise ConditionFault(f"pattern longer than {_PATTERN_LIMIT} characters", column)
    full = f"(?{flags}){pattern}" if flags else pattern
    try:
        pl.select(pl.lit("").str.contains(full))
    except pl.exceptions.PolarsError:
        raise ConditionFault("not a linear regular expression (no look-around, no back-references)", column) from None
    return full

"""`hiswatch explain`: what a text says, key by key (in words: `monitor/explained.py`). No literal of the text is echoed, so no credential either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from config.catalogue import Catalogue
from parsers.sql import meaning, splitting, understand
from parsers.sql.facts import LooseTest, Slot, StatementFacts, passes_all
from parsers.sql.lexer import Scan, exact_shape, known, literal_places, scan, value_of
from parsers.sql.masking import credentials
from parsers.sql.structure import Limit, Statement, Structure

Flagger = Callable[[list[tuple[StatementFacts, str]]], Iterable[Iterable[Mapping[str, str]]]]
MAX_SHOWN_CODES = 100
MAX_BOUND_DIGITS = 20  # MySQL's idiom for "no limit" is 18446744073709551615


def explain(
    text: str,
    dialect: str,
    catalogue: Catalogue,
    *,
    structure: Structure | None = None,
    flagged: Flagger | None = None,
    parameters: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """One object a statement, with the keys of docs/sql-facts.md. Raises nothing, whatever the text.

    `flagged` gets facts and shape of every statement and gives, for each, `{"rule", "why"}` for every rule that the
    statement alone would raise. `structure`: what a worker made of the text. `parameters`: bound values in order, where they are known.
    """
    dialect = known(dialect)
    text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates are no text
    scanned = scan(text, dialect)
    values = _Values(scanned, list(parameters or ()))
    structure = structure if structure is not None else understand.structure(text, dialect)
    pieces = _pieces(scanned, values, len(structure.statements))
    told: list[dict[str, Any]] = []
    judged: list[tuple[StatementFacts, str]] = []
    for statement, (shape, before) in zip(structure.statements, pieces, strict=True):
        facts = meaning.statement_facts(statement, catalogue)
        told.append(_object(statement, facts, catalogue, values, shape, before))
        judged.append((facts, told[-1]["shape"]))
    if flagged is not None:
        for each, items in zip(told, flagged(judged), strict=True):
            each["flagged"] = [dict(item) for item in items]
    return told


def _pieces(scanned: Scan, values: _Values, count: int) -> list[tuple[str, int]]:
    """The shape of each statement and how many literal places stand before it; the whole text where it is not divided."""
    whole = [(_hidden(exact_shape(scanned), scanned.dialect), 0)] * count
    if count == 1:
        return whole
    spans = splitting.spans(scanned)
    if len(spans) != count:
        return whole
    shapes = (exact_shape(scan(scanned.text[start:end], scanned.dialect)) for start, end in spans)
    return [
        (_hidden(shape, scanned.dialect), values.before(start)) for shape, (start, _) in zip(shapes, spans, strict=True)
    ]


_SECRET_WORDS = frozenset({"password", "old_password", "passwd", "pwd", "secret", "passphrase", "passfile"})
_SECRET_NOISE = frozenset({"password", "values", "random", "with", "by", "as", "=", ":", "(", "hash", "encrypted"})
_NO_SECRET = frozenset(
    {
        "'?'",
        "0",
        ",",
        ")",
        ";",
        ".",
        "from",
        "for",
        "null",
        "expire",
        "is",
        "in",
        "like",
        "<>",
        "!=",
        ">",
        "<",
        "and",
        "or",
        "where",
        "order",
        "to",
    }
)


def _hidden(shape: str, dialect: str) -> str:
    """The shape without passwords that are written as names: IDENTIFIED BY tiger, WITH PASSWORD "x"."""
    folded = shape.lower()
    if not any(word in folded for word in ("identified", "pass", "pwd", "secret")) or folded.startswith(
        ("select", "with", "insert", "update", "delete", "copy", "(")
    ):
        return shape
    scanned = scan(shape, dialect)
    tokens = [scanned.source(token) for token in scanned.tokens]
    secret = _SECRET_WORDS | {"replace"} if {"user", "role"} & set(tokens[1:3]) else _SECRET_WORDS
    parts: list[str] = []
    behind = 0
    for at, token in enumerate(tokens):
        word = token.lower()
        before = [earlier.lower() for earlier in tokens[max(0, at - 3) : at]]
        listed = word == "," and behind == scanned.tokens[at][1] and tokens[0].lower() == "grant"  # IDENTIFIED BY a, b
        new = word == "set" and "keystore" in folded and "identified" in folded
        if word not in secret and not listed and not new and not (word in {"by", "as"} and "identified" in before):
            continue
        after = at + 1
        while after < len(tokens) and tokens[after].lower() in _SECRET_NOISE:
            after += 1
        if after < len(tokens) and tokens[after].lower() not in _NO_SECRET and scanned.tokens[after][1] >= behind:
            parts.append(shape[behind : scanned.tokens[after][1]] + "'?'")
            behind = scanned.tokens[after][2]
    parts.append(shape[behind:])
    return "".join(parts)


class _Values:
    """Literals and parameters of this text; only lengths, bounds and codes of them leave."""

    def __init__(self, scanned: Scan, parameters: list[str]) -> None:
        self.parameters = parameters
        self._places = literal_places(scanned)
        self._scanned = scanned

    def before(self, start: int) -> int:
        """How many literal places stand before a position of the text."""
        return sum(1 for place in self._places if place.spans[0][0] < start)

    def of(self, kind: str, ordinal: int) -> list[str] | None:
        if kind == "bind":
            return [self.parameters[ordinal - 1]] if 0 < ordinal <= len(self.parameters) else None
        if not 0 < ordinal <= len(self._places):
            return None
        place = self._places[ordinal - 1]
        return [
            value_of(self._scanned.text[start:end], self._scanned.dialect)
            for start, end in place.spans[:MAX_SHOWN_CODES]
        ]


def is_loose(test: LooseTest, values: list[str] | None) -> bool:
    """Whether a predicate with this value lets everything pass. An unknown value is taken to restrict."""
    if not values:
        return False
    return passes_all(test, values[0])


def restriction_of(facts: StatementFacts, values: _Values) -> str | None:
    """The restriction with the values of this text."""
    if facts.loose_restriction is None:
        return facts.restriction
    loose = [is_loose(test, values.of(test.kind, test.ordinal)) for test in facts.loose_tests]
    return facts.loose_restriction if loose and all(loose) else facts.restriction


def _dangerous(facts: StatementFacts, values: _Values) -> list[str]:
    tests = facts.loose_write
    bare = tests and all(is_loose(test, values.of(test.kind, test.ordinal)) for test in tests)
    return sorted({*facts.dangerous, "unrestricted_write"}) if bare else list(facts.dangerous)


def bound_of(limits: Iterable[Limit], values: _Values) -> int | None:
    """Greatest number of rows that the limits of a statement let through."""
    found: list[int] = []
    for limit in limits:
        if limit.kind == "one":
            found.append(1)
            continue
        held = values.of(limit.kind, limit.ordinal)
        if held and held[0].strip().isdecimal() and len(held[0]) <= MAX_BOUND_DIGITS:
            found.append(max(0, int(held[0]) - limit.below))
    return min(found, default=None)


def _limits(statement: Statement) -> list[Limit]:
    found = list(statement.limits)
    if len(statement.inner) == 1:
        found += _limits(statement.inner[0])
    return found


def _tenants(facts: StatementFacts, values: _Values) -> list[dict[str, Any]]:
    codes: dict[str, list[str] | None] = {}
    for slot in facts.slots:
        if slot.role == "tenant" and slot.kind == "literal":
            held = values.of(slot.kind, slot.ordinal)
            codes.setdefault((slot.column or "").casefold(), []).extend(held or [])  # type: ignore[union-attr]
    return [{"column": column, "values": codes.get(column.casefold()) or None} for column, _ in facts.tenants]


def _object(
    statement: Statement, facts: StatementFacts, catalogue: Catalogue, values: _Values, shape: str, before: int
) -> dict[str, Any]:
    judged = facts
    if facts.restriction is None:  # no table of class A: how well those of other classes are narrowed
        judged = meaning.statement_facts(statement, catalogue, every_class=True)
    if facts.understood != "ast":
        shape = credentials(pl.Series([shape]))[0]
    aggregate = (
        {"functions": list(facts.aggregate_functions), "by": list(facts.aggregate_by)}
        if facts.aggregate_functions
        else None
    )
    return {
        "understood": facts.understood,
        "reason": facts.reason,
        "verb": facts.verb,
        "reads": list(facts.reads),
        "writes": list(facts.writes),
        "output_classes": list(facts.output_classes),
        "used_classes": list(facts.used_classes),
        "restriction": restriction_of(judged, values),
        "bound": bound_of(_limits(statement), values),
        "destination": facts.destination,
        "aggregate": aggregate,
        "tongfang": facts.tongfang,
        "tenants": _tenants(facts, values),
        "tenant_missing": facts.tenant_missing,
        "dump_tool": facts.dump_tool,
        "dynamic": facts.dynamic,
        "audit_change": facts.audit_change,
        "privilege_change": facts.privilege_change,
        "identity_switch": facts.identity_switch,
        "dangerous": _dangerous(facts, values),
        "injection": list(facts.injection),
        "slots": [_slot(slot, before) for slot in facts.slots],
        "flagged": [],
        "shape": shape,
    }


def _slot(slot: Slot, before: int) -> dict[str, Any]:
    ordinal = slot.ordinal - before if slot.kind == "literal" else slot.ordinal
    return {"role": slot.role, "column": slot.column, "kind": slot.kind, "ordinal": ordinal, "count": slot.count}

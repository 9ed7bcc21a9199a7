"""One text being read: its placeholder form, the values behind the placeholders, what its statements have made so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot.errors import ParseError, SqlglotError

from parsers.sql.constants import Constants, unescaped, unhexed
from parsers.sql.lexer import Scan, literal_places, name_of, numbered_scan, ordinal_of, scan, value_of
from parsers.sql.signs import ODBC_ESCAPES
from parsers.sql.structure import Statement

MAX_NODES = 20_000
MAX_EMBEDDED_DEPTH = 3
MAX_EMBEDDED = 32
Word = tuple[str, str, int, int]  # kind, lower text (of words) or text, start, end


@dataclass(slots=True)
class Text:
    """One text being read: its placeholder form, what the placeholders stand for, how deep it is embedded."""

    dialect: str
    source: str  # with numbered placeholders
    words: list[Word]
    values: dict[int, str]  # ordinal -> literal text, strings only
    counts: dict[int, int]
    depth: int = 0
    budget: list[int] = field(default_factory=lambda: [MAX_EMBEDDED])
    cut: bool = False  # brackets or quotes are not closed
    temporary: dict[str, Any] = field(default_factory=dict)  # tables and views made in this text, as CTEs
    held: dict[str, tuple[Statement, ...]] = field(default_factory=dict)  # variables that hold rows of queries
    constants: Constants = field(default_factory=lambda: Constants({}, {}))
    bound: list[bool] = field(default_factory=lambda: [False])  # embedded SQL was read

    def slice(self, words: list[Word]) -> str:
        return self.source[words[0][2] : words[-1][3]] if words else ""


def tree_of(source: str, dialect: str) -> Any:
    """Sqlglot's tree of one statement. SqlglotError for what it cannot read, RecursionError for what is too deep."""
    try:
        return sqlglot.parse_one(source, dialect=dialect, max_nodes=MAX_NODES)
    except (SqlglotError, RecursionError):
        raise
    except Exception as problem:  # noqa: BLE001 - it builds functions from arguments that damaged text may not have
        raise ParseError(type(problem).__name__) from None


def prepared(scanned: Scan, depth: int = 0, budget: list[int] | None = None) -> Text:
    """The placeholder form of a scanned text, its binds numbered by place."""
    source = numbered_scan(scanned)
    places = literal_places(scanned)
    dialect = scanned.dialect
    written = {p.ordinal: scanned.text[p.spans[0][0] : p.spans[0][1]] for p in places}
    values = {p.ordinal: _string(written[p.ordinal], dialect) for p in places if p.kind == "string"}
    numbers = {p.ordinal: written[p.ordinal] for p in places if p.kind == "number"}
    counts = {p.ordinal: len(p.spans) for p in places if len(p.spans) > 1}
    bound = [False]
    again = scan(source, dialect)
    if any(kind == "bind" for kind, _, _ in again.tokens):
        source = _numbered_binds(source, again)
        again = scan(source, dialect)
    if dialect == "postgres" and any(
        kind == "word" and source[a:b].lower() == "uescape" for kind, a, b in again.tokens
    ):
        source = _escapes_undone(source, again, values)
        again = scan(source, dialect)
        bound = [True]  # a name is what the sign, a literal, makes of it
    if any(source[a] == "{" for kind, a, _ in again.tokens if kind == "op"):
        source = _without_braces(source, again)
        again = scan(source, dialect)
    words = [
        (kind, source[start:end].lower() if kind == "word" else source[start:end], start, end)
        for kind, start, end in again.tokens
    ]
    held = budget if budget is not None else [MAX_EMBEDDED]
    constants = Constants(values, numbers)
    return Text(
        dialect, source, words, values, counts, depth, held, cut=not scanned.balanced, bound=bound, constants=constants
    )


def _without_braces(source: str, scanned: Scan) -> str:
    """ODBC's and JDBC's escapes, which servers take too: `{OJ a LEFT JOIN b ON …}`, `{d '…'}`, `{fn f(x)}`."""
    blank = list(source)
    tokens = scanned.tokens
    for at, (kind, start, end) in enumerate(tokens):
        if kind != "op" or source[start:end] not in {"{", "}"}:
            continue
        blank[start:end] = " "
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if source[start] == "{" and after and source[after[1] : after[2]].lower() in ODBC_ESCAPES:
            blank[after[1] : after[2]] = " " * (after[2] - after[1])
    return "".join(blank)


def _string(written: str, dialect: str) -> str:
    """A string's value; MySQL's X'…' is the text of its bytes."""
    value = value_of(written, dialect)
    if dialect == "mysql" and written[:1] in {"x", "X"}:
        return unhexed(value) or value
    return value


def _numbered_binds(source: str, scanned: Scan) -> str:
    """`?` and `%s` become :hw_1, :hw_2 …, names :hw_n by first appearance, `$1` and `:1` :b1; variables stay."""
    parts: list[str] = []
    behind = 0
    count = 0
    names: dict[str, int] = {}
    for kind, start, end in scanned.tokens:
        if kind != "bind":
            continue
        bind = source[start:end]
        if bind in {"?", "%s"}:
            count += 1
            new = f":hw_{count}"
        elif bind[0] == "$":
            new = f":b{bind[1:]}"  # sqlglot would read `$1,$` of `$1,$2` as the tag of a dollar quote
        elif bind[0] == ":" and not bind[1:].lstrip("b").isdigit():
            new = f":hw_{names.setdefault(bind[1:].lower(), len(names) + 1)}"
        elif bind[0] == ":" and bind[1:].isdigit():
            new = f":b{bind[1:]}"
        else:
            continue
        parts += (source[behind:start], new, " ")
        behind = end
    parts.append(source[behind:])
    return "".join(parts)


def _escapes_undone(source: str, scanned: Scan, values: dict[int, str]) -> str:
    """`U&"d!0061ta" UESCAPE '!'`, which the parser does not know: the name or string as it is meant."""
    parts: list[str] = []
    behind = 0
    for held, word, given in zip(scanned.tokens, scanned.tokens[1:], scanned.tokens[2:], strict=False):
        sign = values.get(ordinal_of(source[given[1] : given[2]].strip("'")) or 0, "")
        if source[word[1] : word[2]].lower() != "uescape" or held[0] not in {"quoted", "string"} or len(sign) != 1:
            continue
        written = source[held[1] : held[2]]
        if held[0] == "quoted":
            written = '"' + unescaped(name_of(written, "postgres"), sign).replace('"', '""') + '"'
        elif (ordinal := ordinal_of(written.strip("'"))) is not None:
            values[ordinal] = unescaped(values.get(ordinal, ""), sign)
        parts += (source[behind : held[1]], written)
        behind = given[2]
    parts.append(source[behind:])
    return "".join(parts)

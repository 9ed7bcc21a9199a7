"""Clauses that the parser does not take where they stand: set aside before it reads, told afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from parsers.sql.constants import closing
from parsers.sql.lexer import name_of, ordinal_of
from parsers.sql.texts import Text, Word, tree_of


@dataclass(slots=True)
class _Aside:
    """What the parser does not take where it stands, and the source without it."""

    source: str
    outfile: int | None = None  # INTO OUTFILE 'file': its ordinal, 0 where it is no literal
    given: str = ""  # T-SQL: what OUTPUT gives
    into: list[Word] = field(default_factory=list)  # and the table it goes to


_HOW = {
    "insert": frozenset(["low_priority", "high_priority", "delayed", "ignore"]), "replace": frozenset(["low_priority", "delayed"]),
    "update": frozenset(["low_priority", "ignore"]), "delete": frozenset(["low_priority", "quick", "ignore"]),
}  # fmt: skip


_BEFORE_NAMES = frozenset(["from", "into", "join", "update", "delete", ","])


def without_options(text: Text, words: list[Word]) -> tuple[Text, list[Word]]:
    """A change without the words that say how it is done: LOW_PRIORITY, WITH (TABLOCK), LOG ERRORS."""
    start, stop = _options(text.dialect, words)
    if start >= stop or stop > len(words):
        return text, words
    a, b = words[start][2], words[stop - 1][3]
    return replace(text, source=text.source[:a] + " " * (b - a) + text.source[b:]), words[:start] + words[stop:]


def _options(dialect: str, words: list[Word]) -> tuple[int, int]:
    """Where such words begin and end."""
    start = stop = 1
    if dialect == "mysql":
        while stop < len(words) and words[stop][1] in _HOW[words[0][1]]:
            stop += 1
    elif dialect == "oracle":
        logged = (
            at
            for at in range(2, len(words) - 1)
            if words[at][1] == "log" and words[at + 1][1] == "errors" and words[at - 1][1] not in _BEFORE_NAMES
        )
        start, stop = next(logged, len(words)), len(words)
    elif dialect == "tsql" and words[0][1] == "insert":
        ends = (at for at, word in enumerate(words[:12]) if word[1] in {"with", "(", "select", "values"})
        start = next(ends, len(words))
        if [word[1] for word in words[start : start + 2]] == ["with", "("]:
            stop = closing(words, start + 2, 1) + 1
    return start, stop


def set_aside(text: Text, words: list[Word]) -> _Aside:
    if text.dialect == "mysql":
        return _without_outfile(text, words)
    if text.dialect == "tsql" and words[0][1] in {"insert", "update", "delete", "merge", "with"}:
        return _without_output(text, words)
    if text.dialect == "oracle" and words[0][1] in {"insert", "update", "delete"}:
        words, given = _returned(text, words)
        return _Aside((text.slice(words) if words[0][1] == "insert" else _named_view(text, words)) + given)
    return _Aside(text.slice(words))


def _without_outfile(text: Text, words: list[Word]) -> _Aside:
    """Source without `INTO OUTFILE 'file' options`."""
    for at in range(len(words) - 1):
        if words[at][1] == "into" and words[at + 1][1] in {"outfile", "dumpfile"}:
            break
    else:
        return _Aside(text.slice(words))
    stop = at + 2
    ordinal = ordinal_of(words[stop][1].strip("'")) or 0 if stop < len(words) else 0
    while stop < len(words) and words[stop][1] not in {"from", "where", "group", "order", "limit", "union", "having"}:
        stop += 1
    head = text.source[words[0][2] : words[at][2]]
    tail = text.source[words[stop][2] : words[-1][3]] if stop < len(words) else ""
    return _Aside(head + " " + tail, ordinal)


_RETURNED = {("word", "returning"), ("word", "return")}
_BEHIND_OUTPUT = frozenset({"where", "from", "values", "select", "option", "exec", "execute", "default"})


def _without_output(text: Text, words: list[Word]) -> _Aside:
    """Source without T-SQL's `TOP (n)` of a change and without `OUTPUT … INTO t`."""
    kept: list[tuple[int, int]] = []
    start = words[0][2]
    depth = 0
    found = _Aside("")
    at = 0
    while at < len(words):
        word = words[at][1]
        if words[at][0] == "op":
            depth += (word == "(") - (word == ")")
        elif depth == 0 and word == "top" and at and words[at - 1][1] in {"update", "delete", "insert"}:
            kept.append((start, words[at][2]))
            at = _behind_bracket(words, at + 1)
            start = words[at][2] if at < len(words) else words[-1][3]
            continue
        elif depth == 0 and word == "output" and not found.given:
            kept.append((start, words[at][2]))
            stop = _output_end(words, at + 1, _BEHIND_OUTPUT | {"into"})
            found.given = text.slice(words[at + 1 : stop])
            if stop < len(words) and words[stop][1] == "into":
                end = _output_end(words, stop + 1, _BEHIND_OUTPUT)
                found.into, stop = words[stop + 1 : end], end
            at, start = stop, words[stop][2] if stop < len(words) else words[-1][3]
            continue
        at += 1
    kept.append((start, words[-1][3]))
    found.source = " ".join(text.source[a:b] for a, b in kept)
    return found


def name_by_strings(text: Text, tree: Any) -> None:
    """T-SQL's `SELECT 'name' = column`: the string names what is selected, it compares nothing."""
    for select in tree.find_all(exp.Select):
        for given in select.expressions:
            if not isinstance(given, exp.EQ) or not isinstance(given.this, (exp.Literal, exp.National)):
                continue
            ordinal = ordinal_of(given.this.name)
            name = text.values.get(ordinal, "") if ordinal is not None else ""
            text.bound[0] = text.bound[0] or select.parent is not None  # what is around it may use the name
            given.replace(exp.Alias(this=given.expression, alias=exp.to_identifier(name, quoted=True)))


def _behind_bracket(words: list[Word], at: int) -> int:
    if at >= len(words) or words[at][1] != "(":
        return at + 1
    stop = closing(words, at + 1, 1) + 1
    return stop + 1 if stop < len(words) and words[stop][1] == "percent" else stop


def _output_end(words: list[Word], at: int, ends: frozenset[str]) -> int:
    depth = 0
    while at < len(words):
        kind, word, _, _ = words[at]
        if kind == "op":
            depth += (word == "(") - (word == ")")
        elif kind == "word" and depth == 0 and word in ends:
            return at
        at += 1
    return at


def _returned(text: Text, words: list[Word]) -> tuple[list[Word], str]:
    """Oracle's `RETURNING a, b INTO :x, :y`: the change before it, and what it returns unless a block keeps it in variables."""
    into = next((at for at in range(len(words) - 1, 0, -1) if words[at][1] == "into"), 0)
    returned = next((at for at in range(into, 0, -1) if words[at][:2] in _RETURNED), 0)
    if not returned:
        return words, ""
    if into + 1 < len(words) and words[into + 1][0] != "bind":
        return words[:returned], ""
    stop = into - 2 if words[into - 1][1] == "collect" else into
    return words[:returned], f" returning {text.slice(words[returned + 1 : stop])}"


def _named_view(text: Text, words: list[Word]) -> str:
    """Oracle's `UPDATE (SELECT …) SET …` with the query under a name, which the parser takes."""
    at = 1 + (words[1][1] == "from") if len(words) > 1 else 1
    if at + 1 >= len(words) or words[at][1] != "(" or words[at + 1][1] not in {"select", "with"}:
        return text.slice(words)
    stop = closing(words, at + 1, 1)
    if stop >= len(words):  # cut off inside the query
        return text.slice(words)
    head, query = text.source[words[0][2] : words[at][2]], text.slice(words[at : stop + 1])
    tail = text.source[words[stop][3] : words[-1][3]]
    return f"with hw_view as {query} {head} hw_view {tail}"


def with_output(text: Text, tree: Any, aside: _Aside) -> str:
    """Give the tree back what OUTPUT gives; the name of the table it goes to."""
    if not aside.given or not isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return ""
    given = tree_of(f"SELECT {aside.given}", text.dialect)
    tree.set("returning", exp.Returning(expressions=given.expressions))
    name: list[str] = []
    for kind, _, start, end in aside.into:
        if kind in {"word", "quoted", "bind"}:
            name.append(name_of(text.source[start:end], text.dialect))
        elif text.source[start:end] == "(":
            break
    return ".".join(name)

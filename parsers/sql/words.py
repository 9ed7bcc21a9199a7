"""Words of a statement: names, lists of names, places of values; what the small grammars are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from parsers.sql.lexer import name_of, ordinal_of
from parsers.sql.structure import SlotUse, Statement
from parsers.sql.texts import Text, Word

VERBS = frozenset({
    "select", "insert", "update", "delete", "merge", "copy", "load", "create", "alter", "drop", "truncate", "grant", "revoke", "call",
    "execute", "prepare", "declare", "fetch", "set", "lock", "begin", "backup", "other",
})  # fmt: skip
_VERB_OF = {
    "replace": "insert", "values": "select", "table": "select", "(": "select", "exec": "execute", "start": "begin", "reset": "set",
    "perform": "select", "rename": "alter", "import": "load", "bulk": "load", "upsert": "merge",
}  # fmt: skip


def verb_of(words: list[Word]) -> str:
    first = words[0][1]
    if first == "with":
        depth = 0
        for kind, word, _, _ in words:
            if kind == "op":
                depth += (word == "(") - (word == ")")
            elif depth == 0 and word in {"select", "insert", "update", "delete", "merge"}:
                return word
        return "select"
    return first if first in VERBS else _VERB_OF.get(first, "other")


def name_at(text: Text, words: list[Word], at: int) -> tuple[str, int]:
    """The dotted name that starts at `at`, and where it ends; '' when there is none."""
    parts: list[str] = []
    while at < len(words):
        kind, _, start, end = words[at]
        if kind not in {"word", "quoted"}:
            break
        parts.append(name_of(text.source[start:end], text.dialect))
        if at + 1 < len(words) and words[at + 1][1] in {".", ".."}:
            at += 2
            if at < len(words) and words[at][1] == ".":  # db..table
                at += 1
            continue
        at += 1
        break
    return ".".join(parts), at


def after_word(words: list[Word], *wanted: str) -> int:
    """Index behind the first of `wanted`, 0 when none is there."""
    for at, word in enumerate(words):
        if word[1] in wanted:
            return at + 1
    return 0


def skip(words: list[Word], at: int, *noise: str) -> int:
    while at < len(words) and words[at][1] in noise:
        at += 1
    return at


def literal_of(word: Word) -> int | None:
    return ordinal_of(word[1].strip("'")) if word[0] == "string" else None


_NUMBERED = re.compile(r"[0-9]{1,6}")  # `isdigit` takes signs that are no number, and a log may hold a million digits


def literals_of(words: Iterable[Word]) -> list[int]:
    return [ordinal for word in words if (ordinal := literal_of(word)) is not None]


def slots_of(words: list[Word], use: str = "value") -> tuple[SlotUse, ...]:
    found: list[SlotUse] = []
    for kind, word, _, _ in words[:2000]:
        if kind in {"string", "number"} and (ordinal := ordinal_of(word.strip("'"))) is not None:
            found.append(SlotUse(use if kind == "string" else "value", (), None, "literal", ordinal))
        elif kind == "bind" and _NUMBERED.fullmatch(number := word.lstrip(":$@hw_bpP")):
            found.append(SlotUse("value", (), None, "bind", int(number)))
    return tuple(dict.fromkeys(found))[:64]


def by_grammar(verb: str, **more: object) -> Statement:
    return Statement(understood="lexical", reason="grammar", verb=verb).but(**more)


def rewritten(text: Text, source: str) -> Text:
    """The same text with other words: one statement in a form that the tree reads."""
    first = source.split(None, 1)[0].lower()
    words: list[Word] = [("word", first, 0, len(first)), ("word", "", len(first), len(source))]
    return replace(text, source=source, words=words)


def names_at(text: Text, words: list[Word], at: int) -> list[str]:
    found: list[str] = []
    while at < len(words):
        at = skip(words, at, "only", "table", "if", "exists")
        name, behind = name_at(text, words, at)
        if not name:
            break
        found.append(name)
        at = behind
        while at < len(words) and words[at][1] not in {",", "(", ";"} and words[at][0] == "word":
            at += 1  # an alias, READ, WRITE
        if at < len(words) and words[at][1] == ",":
            at += 1
            continue
        break
    return found

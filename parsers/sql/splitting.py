"""Where the statements of a text begin and end."""

from __future__ import annotations

from itertools import pairwise

from parsers.sql.lexer import Scan
from parsers.sql.texts import Word

_CODE = frozenset({"function", "procedure", "trigger", "package", "event", "type", "proc"})


def split(words: list[Word]) -> list[list[Word]]:
    """Words by statement. A compound statement (a block, a routine's body) keeps its semicolons."""
    parts: list[list[Word]] = []
    current: list[Word] = []
    for word in words:
        if word[0] == "op" and word[1] == ";" and not _compound(current):
            if current:
                parts.append(current)
            current = []
            continue
        current.append(word)
    while current and current[-1][1] == ";":
        current.pop()
    if current:
        parts.append(current)
    return parts


def spans(scanned: Scan) -> list[tuple[int, int]]:
    """Where the statements of a text stand in it."""
    words = [
        (k, scanned.text[a:b].lower() if k == "word" else "'⟦'" if k == "string" else scanned.text[a:b], a, b)
        for k, a, b in scanned.tokens
    ]
    return [(part[0][2], part[-1][3]) for part in split(words)]


def _compound(words: list[Word]) -> bool:
    """Whether what has been read so far is the inside of a block that semicolons do not end."""
    if not words:
        return False
    first = words[0][1]
    if first == "begin":
        return len(words) > 1 and words[1][1] not in {
            "transaction",
            "work",
            "tran",
            "isolation",
            "read",
            "immediate",
            "deferred",
            "distributed",
        }
    if first == "declare":
        # A declaration of Oracle's or MariaDB's block; PostgreSQL's and SQL Server's DECLARE name one thing.
        return len(words) > 1 and not words[1][1].startswith("@") and not any(w[1] == "cursor" for w in words[1:8])
    if first == "with":
        return len(words) > 1 and words[1][1] in {"function", "procedure"}
    if first in {"create", "alter"} and any(w[1] in _CODE for w in words[1:8]):
        # PostgreSQL's body is a string; everywhere else it runs to the end of the text.
        return not any(w[0] == "string" and before[1] == "as" for before, w in pairwise(words))
    return False


def encloses(words: list[Word]) -> bool:
    depth = 0
    for at, word in enumerate(words):
        if word[0] == "op":
            depth += (word[1] == "(") - (word[1] == ")")
            if depth == 0 and at < len(words) - 1:
                return False
    return True


def without_semicolons(words: list[Word]) -> list[list[Word]]:
    """T-SQL statements that stand behind one another: parts of the words, [] when there is only one."""
    starts = [0]
    depth = 0
    queried = False  # INSERT and WITH have had their SELECT: another one is a statement of its own
    for at, (kind, word, _, _) in enumerate(words):
        if kind == "op":
            depth += (word == "(") - (word == ")")
        elif depth == 0 and kind == "word" and word in _BEGINS:
            if at and _fresh(words, starts[-1], at, queried=queried):
                starts.append(at)
                queried = False
            queried = queried or word in {"select", "exec", "execute"}
        elif depth == 0 and word == "values":
            queried = True
    return [words[a:b] for a, b in pairwise([*starts, len(words)])] if len(starts) > 1 else []


_BEGINS = frozenset(
    [
        "select",
        "insert",
        "update",
        "delete",
        "exec",
        "execute",
        "declare",
        "drop",
        "truncate",
        "set",
        "if",
        "while",
        "create",
        "print",
        "use",
    ]
)
_JOINED = frozenset(
    ["union", "all", "except", "intersect", "for", "on", "then", "after", "instead", "as", "if", "grant", "cascade"]
)


def _fresh(words: list[Word], start: int, at: int, *, queried: bool) -> bool:
    """Whether a verb begins a statement of its own."""
    word, before, first = words[at][1], words[at - 1][1], words[start][1]
    if (
        (before in _JOINED and not (before == "on" and first == "set"))
        or (word == "set" and first == "update")
        or (word == "select" and (first == "create" or (first in {"insert", "with"} and not queried)))
        or (word in {"exec", "execute"} and first == "insert" and not queried)
    ):
        return False
    return not (word in {"update", "delete", "insert"} and first in {"create", "grant", "merge", "with"})

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
    depth = cases = 0
    part = _Part(words[0][1]) if words else _Part("")
    for at, (kind, word, _, _) in enumerate(words):
        if part.closed or (at == 1 and _runs_on(words)):
            break
        if kind == "op":
            depth += (word == "(") - (word == ")")
        elif kind != "word" or depth or not at:
            continue
        elif word == "case" or (cases and word == "end"):
            cases += 1 if word == "case" else -1
        elif cases and word == "else":
            continue
        elif word in _BEGINS and _stands_free(words, at) and part.ends_before(words, at):
            starts.append(at)
            part = _Part(word)
        else:
            part.take(word)
    return [words[a:b] for a, b in pairwise([*starts, len(words)])] if len(starts) > 1 else []


_BEGINS = frozenset(
    """alter backup begin bulk checkpoint close commit create dbcc deallocate declare delete deny drop else end exec execute fetch grant if
    insert kill merge open print raiserror reconfigure restore return revert revoke rollback save select set truncate update use
    waitfor while with""".split()  # noqa: SIM905
)
_JOINED = frozenset(
    ["union", "all", "except", "intersect", "for", "then", "after", "instead", "as", "if", "bulk", "with"]
)
_OBJECTS = frozenset(
    """assembly column constraint database default function index login proc procedure role rule schema sequence statistics
    synonym table trigger type user view""".split()  # noqa: SIM905
)
_TAKEN = {
    "insert": frozenset(["select", "exec", "execute", "values"]), "update": frozenset(["set"]), "grant": frozenset(["to"]),
    "revoke": frozenset(["from", "to"]), "deny": frozenset(["to"]),
}  # fmt: skip
_CHANGES = frozenset(["select", "insert", "update", "delete", "merge"])


def _stands_free(words: list[Word], at: int) -> bool:
    """Whether a verb can begin a statement there: it is no name, no option and no part of a clause."""
    kind, before, _, _ = words[at - 1]
    word, after = words[at][1], words[at + 1] if at + 1 < len(words) else ("", "", 0, 0)
    if before in _JOINED or (kind == "op" and before not in {")", "*", ";"}) or after[1] in {".", ",", "="}:
        return False
    if word == "fetch":
        return before not in {"row", "rows"}  # OFFSET … ROWS FETCH NEXT …
    if word == "merge":
        return after[1] not in {"join", "union"}
    if word == "if":
        return before not in _OBJECTS  # DROP TABLE IF EXISTS
    if word == "with":  # a hint or an option has a bracket or a word of its own; a query's is a name, then AS
        behind = words[at + 2][1] if at + 2 < len(words) else ""
        return after[0] in {"word", "quoted"} and behind in {"as", "("} and after[1] != "execute"
    return True


class _Part:
    """The T-SQL statement that is being read, as far as its end is concerned."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.queried = False  # INSERT has had its rows, UPDATE its SET, GRANT its TO: the next one is another's
        self.closed = False  # a MERGE, which only a semicolon ends

    def take(self, word: str) -> None:
        if self.verb == "with" and word in _CHANGES:
            self.verb = word
        elif word in _TAKEN.get(self.verb, ()):
            self.queried = True
        self.closed = self.verb == "merge"

    def ends_before(self, words: list[Word], at: int) -> bool:
        """Whether a verb that stands free begins the next statement."""
        word, before = words[at][1], words[at - 1][1]
        if before == "on":
            return self.verb == "set"  # SET NOCOUNT ON SELECT …
        if self.verb == "with":
            return False
        if self.verb in {"grant", "revoke", "deny"}:
            return self.queried
        if self.verb == "insert" and not self.queried:
            return word not in {"select", "exec", "execute", "with"}
        if self.verb == "update" and word == "set":
            return self.queried
        return not (self.verb in {"alter", "create"} and word in {"set", "drop", "alter", "with", "rollback"})


def _runs_on(words: list[Word]) -> bool:
    """Whether the first statement takes all words: a block, a branch, a routine. Further ones lie flat, however deep they are."""
    verb = words[0][1]
    if verb == "begin":
        return words[1][1] not in {"tran", "transaction", "distributed"}
    if verb == "create":
        return any(word[1] in _CODE or word[1] == "view" for word in words[1:5])
    return verb in {"if", "while", "merge"}

"""Grammars of CREATE, ALTER, DROP and RENAME: objects that the tree does not show."""

from __future__ import annotations

from itertools import pairwise

from sqlglot import exp

from parsers.sql.constants import closing
from parsers.sql.embedded import bodies, body
from parsers.sql.relations import ROWS, Cte
from parsers.sql.structure import Statement
from parsers.sql.texts import Text, Word
from parsers.sql.understand import by_tree
from parsers.sql.words import after_word, by_grammar, name_at, names_at, rewritten, skip, slots_of


def create(text: Text, words: list[Word]) -> Statement | None:
    head = [word[1] for word in words[:10]]
    at = skip(
        words,
        1,
        "or",
        "replace",
        "alter",
        "temp",
        "temporary",
        "global",
        "local",
        "unique",
        "editionable",
        "noneditionable",
        "force",
        "definer",
        "=",
        "public",
        "shared",
    )
    if "definer" in head:
        at = next(
            (
                i
                for i, word in enumerate(words[:16])
                if word[1] in {"procedure", "function", "trigger", "view", "event"}
            ),
            at,
        )
    kind = words[at][1] if at < len(words) else ""
    if kind in {"function", "procedure", "proc", "trigger", "package", "event", "type", "aggregate"}:
        after = skip(words, at + 1, "body", "if", "not", "exists")
        _, behind = name_at(text, words, after)
        if kind == "trigger":
            behind = _trigger(text, words, behind)
        inner, dynamic = bodies(text, words[behind:])
        _without_rows(text)
        return by_grammar(
            "create", inner=inner, definition=True, dynamic=dynamic, schema_change=True, calls=(), slots=slots_of(words)
        )
    if kind == "database" and "link" in head:
        return by_grammar("create", schema_change=True, dangerous=("link",), slots=slots_of(words))
    if (
        kind in {"server", "subscription", "publication"}
        or (kind == "foreign" and "data" in head)
        or (kind == "user" and "mapping" in head)
    ):
        reads: tuple[str, ...] = ()
        if kind == "publication" and (start := after_word(words, "table")):
            reads = tuple(names_at(text, words, start))
        return by_grammar("create", schema_change=True, dangerous=("link",), reads=reads, slots=slots_of(words))
    if kind == "foreign" and "table" in head:
        return _foreign_table(text, words)
    if kind in {"user", "role", "login", "group", "profile"}:
        return by_grammar("create", privilege_change=True, slots=slots_of(words))
    if kind in {
        "database",
        "schema",
        "extension",
        "sequence",
        "synonym",
        "tablespace",
        "domain",
        "policy",
        "rule",
        "language",
        "assembly",
    }:
        reads = ()
        if kind == "rule" and (start := after_word(words, "do")):
            rest = words[skip(words, start, "instead", "also", "(") :]
            _rows_of(text, words, after_word(words, "to"))
            inner = tuple(body(text, rest))
            _without_rows(text)
            return by_grammar("create", schema_change=True, definition=True, inner=inner, slots=slots_of(words))
        if kind == "synonym" and (start := after_word(words, "for")):
            reads = (name_at(text, words, start)[0],)
            named, table = text.slice(words[at + 1 : start - 1]), text.slice(words[start:])
            again = rewritten(text, f"create view {named} as select * from {table}")  # noqa: S608 - it is read, never run
            by_tree(again, again.words)  # what reads it in the same text reads its table
        return by_grammar(
            "create",
            schema_change=True,
            reads=reads,
            dangerous=("library",) if kind in {"language", "assembly", "extension"} else (),
            slots=slots_of(words),
        )
    if text.dialect == "mysql" and kind == "table":
        return _mysql_create_table(text, words)
    return None


def _trigger(text: Text, words: list[Word], at: int) -> int:
    """Where a trigger's body is looked for. While it is read, OLD and NEW are rows of the trigger's table."""
    on = next((i + 1 for i in range(at, len(words)) if words[i][1] == "on"), 0)
    _rows_of(text, words, on)
    row = next((i for i in range(on, len(words)) if words[i][1] == "row" and words[i - 1][1] == "each"), 0)
    if not on or not row:
        return at
    return row + 2 if row + 1 < len(words) and words[row + 1][1] in {"follows", "precedes"} else row


def _rows_of(text: Text, words: list[Word], at: int) -> None:
    """While a trigger's or rule's body is read, the names of its rows mean those of the table at `at`."""
    name, _ = name_at(text, words, at) if at else ("", 0)
    if name:
        rows = Cte(exp.Table(this=exp.to_identifier(name)), [], {})
        text.temporary |= dict.fromkeys(_row_names(text), rows)


def _without_rows(text: Text) -> None:
    for name in _row_names(text):
        text.temporary.pop(name, None)


def _row_names(text: Text) -> tuple[str, ...]:
    return ("inserted", "deleted") if text.dialect == "tsql" else (ROWS,)


def _foreign_table(text: Text, words: list[Word]) -> Statement:
    """CREATE FOREIGN TABLE t (columns) SERVER s OPTIONS (...): the tree reads name and columns as those of a table."""
    name, behind = name_at(text, words, skip(words, after_word(words, "table"), "if", "not", "exists"))
    server = next((i for i in range(behind, len(words)) if words[i][1] == "server"), 0)
    if name and server and words[behind][1] == "(":
        again = rewritten(text, "CREATE TABLE " + text.source[words[behind - 1][2] : words[server - 1][3]])
        made = by_tree(again, again.words)
        if made.understood == "ast":
            return made.but(verb="create", writes=(name,), dangerous=("link",), slots=slots_of(words))
    return by_grammar(
        "create", schema_change=True, dangerous=("link",), writes=(name,) if name else (), slots=slots_of(words)
    )


def _mysql_create_table(text: Text, words: list[Word]) -> Statement | None:
    """`CREATE OR REPLACE TABLE t ENGINE=Aria SELECT …`: options between the name and the query."""
    start = after_word(words, "table")
    _, behind = name_at(text, words, skip(words, start, "if", "not", "exists"))
    columns = closing(words, behind + 1, 1) if behind < len(words) and words[behind][1] == "(" else behind
    at = next((i for i in range(columns, len(words)) if words[i][:2] == ("word", "select")), 0)
    if not at or words[at - 1][1] in {"as", "("}:
        return None
    return _made_as(text, words, (start, behind), at)


def _made_as(text: Text, words: list[Word], name: tuple[int, int], query: int) -> Statement | None:
    """CREATE TABLE or VIEW of a query, without the options between the name and the query."""
    temporary = "temporary " if any(word[1] in {"temporary", "temp"} for word in words[1 : name[0]]) else ""
    kind = "view" if any(word[1] == "view" for word in words[1 : name[0]]) else "table"
    source = f"create {temporary}{kind} {text.slice(words[name[0] : name[1]])} as {text.slice(words[query:])}"
    again = rewritten(text, source)
    made = by_tree(again, again.words)
    return made.but(verb="create") if made.understood == "ast" else None


def created_as(text: Text, words: list[Word]) -> Statement | None:
    """`CREATE TABLE t NOLOGGING PARALLEL 8 AS SELECT …`, `CREATE VIEW v (a) WITH (…) AS SELECT … WITH CHECK OPTION`."""
    whole, words = words, words[: _query_end(words)]
    at = next((i for i, word in enumerate(words[:20]) if word[1] in {"table", "view"}), 0)
    start = skip(words, at + 1, "if", "not", "exists")
    name, behind = name_at(text, words, start)
    query = next((i + 1 for i in range(behind, len(words) - 1) if _as_query(words, i)), 0)
    if not at or not name or not query or (query == behind + 1 and len(words) == len(whole)):
        return None
    if words[at][1] == "view" and words[behind][1] == "(":  # the names of its columns
        behind = closing(words, behind + 1, 1) + 1
        if behind >= query:
            return None
    made = _made_as(text, words, (start, behind), query)
    if made is None:
        return None
    external = any(
        word[1] == "organization" and after[1] == "external" for word, after in pairwise(words[behind:query])
    )
    place = "file" if external else made.destination
    return made.but(understood="lexical", reason="grammar", destination=place)


_BEHIND_QUERY = frozenset({"no", "data", "local", "cascaded", "check", "option", "read", "only"})


def _query_end(words: list[Word]) -> int:
    """Where the query of a view ends: before WITH [NO] DATA, WITH [LOCAL] CHECK OPTION, WITH READ ONLY."""
    last = len(words) - 1
    while last > 0 and words[last][0] == "word" and words[last][1] in _BEHIND_QUERY:
        last -= 1
    return last if last < len(words) - 1 and words[last][1] == "with" else len(words)


def _as_query(words: list[Word], at: int) -> bool:
    return words[at][1] == "as" and words[at + 1][1] in {"select", "with", "("}


def rename_table(text: Text, words: list[Word]) -> Statement:
    names: list[str] = []
    at = skip(words, 1, "table", "tables", "if", "exists")
    while at < len(words):
        name, at = name_at(text, words, at)
        if not name:
            break
        names.append(name)
        at = skip(words, at, "to", ",")
    return by_grammar("alter", writes=tuple(names), schema_change=True)


def alter(text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    if second in {"user", "role", "login", "group", "profile"}:
        return by_grammar("alter", privilege_change=True, slots=slots_of(words))
    if second in {"system", "database", "server", "session"}:
        link = second == "server" and text.dialect == "postgres"
        return by_grammar(
            "alter",
            dangerous=("link",) if link else (),
            schema_change=second not in {"session", "system"},
            slots=slots_of(words),
        )
    if second in {"function", "procedure", "proc", "package", "event", "trigger"}:
        return create(text, words)
    if second == "default":
        return by_grammar("alter", privilege_change=True)
    return None


def drop(_text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    if second in {"user", "role", "login", "group", "profile"}:
        return by_grammar("drop", privilege_change=True)
    if second in {"database", "schema"} and "link" not in [w[1] for w in words[:4]]:
        return by_grammar("drop", schema_change=True, dangerous=("drop",))
    if second in {
        "function",
        "procedure",
        "trigger",
        "server",
        "event",
        "extension",
        "publication",
        "subscription",
        "synonym",
        "package",
        "sequence",
        "index",
        "database",
        "type",
        "owned",
    }:
        return by_grammar("drop", schema_change=True)
    return None


def flashback(text: Text, words: list[Word]) -> Statement:
    name, _ = name_at(text, words, skip(words, 1, "table"))
    return by_grammar("other", writes=(name,) if name else (), schema_change=True)

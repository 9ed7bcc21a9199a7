"""Small grammars of ours for statements that the tree does not show. Each names the object of its statement and hands nested SQL back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from parsers.sql.constants import closing
from parsers.sql.definitions import alter, create, created_as, drop, flashback, rename_table
from parsers.sql.embedded import (
    STARTS,
    assigned,
    bodies,
    body,
    code_slots,
    declared,
    execute,
    executed,
    followed_by,
    is_dynamic,
    run_text_at,
    subquery_of,
)
from parsers.sql.lexer import name_of
from parsers.sql.relations import Cte
from parsers.sql.splitting import without_semicolons
from parsers.sql.structure import SlotUse, Statement
from parsers.sql.texts import Text, Word
from parsers.sql.understand import SETTING, by_tree, statements
from parsers.sql.words import after_word, by_grammar, literals_of, name_at, names_at, rewritten, skip, slots_of


def unparsed(text: Text, words: list[Word], reason: str, verb: str) -> Statement:
    """What is left when the tree fails: the lexical pass adds names and flags later."""
    if text.dialect == "mysql" and words[0][1] == "replace":
        return _replace(text, words)
    if verb == "create" and (made := created_as(text, words)) is not None:
        return made
    at = skip(words, 0, "(")
    start = at + 1 if at < len(words) and words[at][1] == "select" else 0
    stop = next((i for i, word in enumerate(words) if word[1] == "from"), len(words))
    columns = (
        [
            name_of(text.source[a:b], text.dialect) if k != "op" else w
            for k, w, a, b in words[start:stop]
            if k in {"word", "quoted"} or w == "*"
        ]
        if start
        else []
    )
    narrowed = any(word[1] in {"where", "having"} for word in words)
    return Statement(
        understood="lexical",
        reason=reason,
        verb=verb,
        slots=slots_of(words),
        columns=tuple(dict.fromkeys(columns))[:200],
        narrowed=narrowed,
    )


def _block(text: Text, words: list[Word]) -> Statement | None:
    """BEGIN … END, DECLARE … BEGIN … END: an anonymous block; a lone BEGIN starts a transaction."""
    if words[0][1] == "begin" and (
        len(words) == 1 or words[1][1] in {"transaction", "work", "tran", "isolation", "read", ";"}
    ):
        return by_grammar("begin")
    if words[0][1] == "declare":
        if any(word[1] == "cursor" for word in words[1:8]) and text.dialect != "oracle":
            return _cursor(text, words)
        if len(words) > 1 and words[1][1].startswith("@"):
            return declared(text, words)
    inner = tuple(body(text, words[1:]))
    told = text.dialect in {"mysql", "tsql"} or _tells(text.slice(words))
    place = "file" if told and any(word[1] == "utl_file" for word in words) else "client"
    return by_grammar(
        words[0][1],
        inner=inner,
        inner_output=told,
        destination=place,
        dynamic=any(map(is_dynamic, inner)),
        slots=slots_of(words),
    )


def _insert(text: Text, words: list[Word]) -> Statement | None:
    """T-SQL's INSERT INTO t EXEC …: what the procedure or the text gives stays in a table."""
    if text.dialect != "tsql":
        return None
    name, at = name_at(text, words, skip(words, 1, "into"))
    if at < len(words) and words[at][1] == "(":
        at = closing(words, at + 1, 1) + 1
    if not name or at >= len(words) or words[at][1] not in {"exec", "execute"}:
        return None
    run = execute(text, words[at:])
    if run is None:
        return None
    temporary = name.startswith(("#", "@"))
    return run.but(verb="insert", writes=() if temporary else (name,), destination="table")


def _with(text: Text, words: list[Word]) -> Statement | None:
    """Oracle's WITH FUNCTION f … IS BEGIN … END; SELECT f(…): routines in front of a query."""
    if len(words) < 2 or words[1][1] not in {"function", "procedure"}:
        return None
    inner = tuple(body(text, words[1:]))
    return by_grammar("select", inner=inner, dynamic=any(map(is_dynamic, inner)), slots=slots_of(words))


def _cursor(text: Text, words: list[Word]) -> Statement:
    """DECLARE c CURSOR FOR SELECT …, SET @c = CURSOR FOR SELECT …; T-SQL goes on behind it without a semicolon."""
    parts = (without_semicolons(words) if text.dialect == "tsql" else []) or [words]
    query = parts[0][after_word(parts[0], "for", "is") or len(parts[0]) :]
    ends = {"read", "update"} if text.dialect == "tsql" else {"read"}  # FOR READ ONLY, FOR UPDATE OF name
    stop = next((at for at in range(len(query) - 1) if query[at][1] == "for" and query[at + 1][1] in ends), len(query))
    inner = statements(text, query[:stop]) if stop else []
    return by_grammar("declare", inner=(*inner, *followed_by(text, parts)))


def _do(text: Text, words: list[Word]) -> Statement:
    if text.dialect == "mysql":
        return _mysql_do(text, words)
    inner, dynamic = bodies(text, words[1:])
    told = any(_tells(text.values.get(ordinal, "")) for ordinal in literals_of(words))
    return by_grammar("other", inner=inner, inner_output=told, dynamic=dynamic, slots=slots_of(words))


_TELLING = re.compile(
    r"\braise\s+(?:debug|log|info|notice|warning|exception)\b|\bassert\b|\bdbms_output\s*\.\s*put|\bhtp\s*\.\s*p"
    r"|\bopen\s*:|\binto\s*:|\breturn_result\b|\butl_(?:file|http|smtp|mail|tcp)\b|\bdbms_(?:pipe|alert|aq|xslprocessor)\b",
    re.IGNORECASE,
)


def _tells(source: str) -> bool:
    """Whether a block sends text to its client: its queries may leave that way."""
    return _TELLING.search(source) is not None


def _mysql_do(text: Text, words: list[Word]) -> Statement:
    """DO expr: a SELECT whose result is thrown away."""
    source = text.source[: words[0][2]] + "  " + text.source[words[0][3] :]
    source = "SELECT " + source[words[0][2] : words[-1][3]]
    again = rewritten(text, source)
    made = by_tree(again, again.words)
    return made.but(understood="lexical", reason="grammar", verb="other", returns_rows=False)


_COPY_TARGETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "to": ("file", ("server_file",)),
    "program": ("program", ("os_command",)),
}


def _copy(text: Text, words: list[Word]) -> Statement | None:
    """PostgreSQL's COPY: the tree reads what and where, of the options not all. BINARY and OIDS are options in old places."""
    start = 2 if len(words) > 3 and words[1][1] == "binary" and words[2][1] not in {"to", "from", ".", "("} else 1
    depth = 0
    for at in range(start, len(words)):
        kind, word, _, _ = words[at]
        depth += (word == "(") - (word == ")") if kind == "op" else 0
        if depth == 0 and kind == "word" and word in {"to", "from"}:
            break
    else:
        return None
    stop = at + 2 + (at + 1 < len(words) and words[at + 1][1] == "program")
    oids = [word[1] for word in words[at - 2 : at]] == ["with", "oids"]
    what = words[start : at - 2 if oids else at]
    if text.dialect != "postgres" or not what or stop > len(words):
        return None
    if len(what) > 3 and what[0][1] == "(" and what[1][1] in {"insert", "update", "delete", "merge"}:
        target, danger = _COPY_TARGETS.get(words[stop - 2][1] if words[stop - 1][0] == "string" else "", ("client", ()))
        inner = tuple(statements(text, what[1:-1]))
        slots = slots_of(words[at:stop], "path")
        return by_grammar("copy", inner=inner, destination=target, dangerous=danger, slots=slots)
    blank = list(text.source[: words[stop - 1][3]])
    for _, _, a, b in (*words[1:start], *(words[at - 2 : at] if oids else ())):
        blank[a:b] = " " * (b - a)
    made = by_tree(replace(text, source="".join(blank)), [words[0], *what, *words[at:stop]])
    return made.but(slots=tuple(dict.fromkeys((*made.slots, *slots_of(words[stop:]))))[:64])


def _call(text: Text, words: list[Word]) -> Statement:
    if len(words) > 2 and (run := run_text_at(text, words, 1)) is not None:
        return run[0]
    name, behind = name_at(text, words, 1)
    if name.lower().rsplit(".", 1)[-1] == "execute_prepared_stmt":  # of MySQL's sys schema
        return executed(text, words[behind:], "call").but(calls=(name,))
    return by_grammar("call", calls=(name,) if name else (), slots=slots_of(words))


def _prepare(text: Text, words: list[Word]) -> Statement:
    # MySQL: PREPARE s FROM '…'; elsewhere FROM is that of the query behind AS.
    if text.dialect == "mysql" and (from_ := after_word(words[:6], "from")):
        return executed(text, words[from_:], "prepare")
    start = after_word(words, "as")
    inner = tuple(statements(text, words[start:])) if start and start < len(words) else ()
    return by_grammar("prepare", inner=inner)


def _set(text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    role = second == "role" or (
        second in {"session", "local"} and [w[1] for w in words[2:3]] in (["authorization"], ["role"])
    )
    if role or (words[0][1] == "reset" and second in {"role", "session"}):
        return by_grammar("set", identity_switch=True)
    if second == "password":
        return by_grammar("set", privilege_change=True)
    if text.dialect == "tsql" and [word[1] for word in words[2:4]] == ["=", "cursor"]:
        return _cursor(text, words)
    if text.dialect == "tsql" and (parts := without_semicolons(words)):
        following = followed_by(text, parts)
        code, held = assigned(text, parts[0]) if [word[0] for word in parts[0][1:2]] == ["bind"] else ([], [])
        verb = next((one.verb for one in following if one.verb not in SETTING), following[0].verb)
        return by_grammar(verb, inner=(*held, *following), slots=code_slots(words, code))
    if second == "statement":  # MariaDB: SET STATEMENT x=1 FOR SELECT …
        start = after_word(words, "for")
        inner = tuple(statements(text, words[start:])) if start and start < len(words) else ()
        return by_grammar("set", inner=inner)
    code, held = assigned(text, words) if any(word[0] == "bind" for word in words[1:3]) else ([], [])
    inner = (*held, *subquery_of(text, words))
    return by_grammar("set", inner=inner, inner_output=False, slots=code_slots(words, code))


def _lock(text: Text, words: list[Word]) -> Statement:
    if words[0][1] == "unlock":
        return by_grammar("lock")
    return by_grammar("lock", reads=tuple(names_at(text, words, skip(words, 1, "table", "tables", "only"))))


def _explain(text: Text, words: list[Word]) -> Statement | None:
    at = skip(words, 1, "analyze", "verbose", "extended", "partitions", "plan", "for")
    if at < len(words) and words[at][1] == "(" and text.dialect == "postgres":
        depth = 0
        while at < len(words):
            depth += (words[at][1] == "(") - (words[at][1] == ")")
            at += 1
            if depth == 0:
                break
    at = skip(words, at, "format", "=", "json", "tree", "traditional")
    if at >= len(words):
        return by_grammar("other")
    if words[at][1] in STARTS or words[at][1] in {"values", "("}:
        inner = statements(text, words[at:])
        return by_grammar("other", inner=tuple(s.but(returns_rows=False) for s in inner), inner_output=False)
    name, _ = name_at(text, words, at)
    return by_grammar("other", reads=(name,) if name else ())


def _branch(text: Text, words: list[Word]) -> Statement:
    """T-SQL's IF and WHILE: the statements behind the test, and the subqueries in it."""
    inner = tuple(body(text, words[1:]))
    verb = next((statement.verb for statement in reversed(inner)), "other")
    return by_grammar(verb, inner=inner, dynamic=any(map(is_dynamic, inner)))


_SHOWN = frozenset({"table", "view", "columns", "fields", "index", "indexes", "keys"})


def _show(text: Text, words: list[Word]) -> Statement:
    """SHOW CREATE TABLE t, SHOW COLUMNS FROM t."""
    at = next((i for i, word in enumerate(words[:5]) if word[1] in _SHOWN), 0)
    name = name_at(text, words, skip(words, at + 1, "from", "in"))[0] if at else ""
    return by_grammar("other", reads=(name,) if name else (), slots=slots_of(words))


_HANDLER = "handler "  # in front of an alias, which so is no table's name
MAX_HANDLERS = 32


def _handler(text: Text, words: list[Word]) -> Statement:
    """MySQL's HANDLER t OPEN AS h, HANDLER h READ: rows without SELECT."""
    name, behind = name_at(text, words, 1)
    rest = [word[1] for word in words[behind:]]
    if rest[:1] == ["open"]:
        given = name_at(text, words, skip(words, behind + 1, "as"))[0]
        if given and name and len(text.temporary) < MAX_HANDLERS:
            schema, _, table = name.rpartition(".")
            opened = exp.Table(
                this=exp.to_identifier(table, quoted=True), db=exp.to_identifier(schema or None, quoted=True)
            )
            text.temporary[_HANDLER + given.casefold()] = Cte(opened, [], {})
    alias = _HANDLER + name.casefold()
    if "read" not in rest:
        return by_grammar("other", reads=(name,) if name and alias not in text.temporary else ())
    # Read as SELECT * FROM t [LIMIT n]: the same columns leave.
    limit = next((i for i, word in enumerate(words) if word[1] == "limit"), 0)
    tail = text.source[words[limit][2] : words[-1][3]] if limit else ""
    table = f"`{alias}`" if alias in text.temporary else text.source[words[1][2] : words[behind - 1][3]]
    again = rewritten(text, f"SELECT * FROM {table} {tail}")  # noqa: S608 - it is read, never run
    return by_tree(again, again.words).but(understood="lexical", reason="grammar", verb="other")


def _load(text: Text, words: list[Word]) -> Statement:
    if [word[1] for word in words[:2]] == ["import", "foreign"]:
        return by_grammar("other", schema_change=True, dangerous=("link",))
    start = after_word(words, "table") or after_word(words, "into") or after_word(words, "insert")
    name, _ = name_at(text, words, skip(words, start, "table")) if start else ("", 0)
    files = literals_of(words)
    slots = tuple(
        SlotUse("path", (), None, "literal", s.ordinal)
        if s.kind == "literal" and files and s.ordinal == files[0]
        else s
        for s in slots_of(words)
    )
    local = any(word[1] == "local" for word in words[:5])
    return by_grammar(
        "load",
        writes=(name,) if name else (),
        destination="table",
        slots=slots,
        dangerous=() if local else ("server_file",),
    )


def _backup(_text: Text, words: list[Word]) -> Statement:
    return by_grammar("backup", destination="file", dangerous=("backup",), slots=slots_of(words, "path"))


def _replace(text: Text, words: list[Word]) -> Statement:
    source = "INSERT" + text.source[words[0][3] : words[-1][3]]
    again = rewritten(text, source)
    return by_tree(again, again.words)


def _maintenance(text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    if text.dialect == "mysql" and words[0][1] == "analyze" and second in {"(", "format", *STARTS}:
        return _explain(text, words)  # MariaDB's ANALYZE SELECT …
    at = skip(
        words,
        1,
        "table",
        "full",
        "freeze",
        "verbose",
        "analyze",
        "materialized",
        "view",
        "concurrently",
        "local",
        "no_write_to_binlog",
        "index",
        "database",
    )
    if at < len(words) and words[at][1] == "(":
        at = after_word(words, ")")
    refresh = words[0][1] == "refresh"
    names = tuple(names_at(text, words, at))
    return by_grammar("other", writes=names if refresh else (), reads=() if refresh else names)


def _grant(text: Text, words: list[Word]) -> Statement | None:
    on = after_word(words, "on")
    names: list[str] = []
    if on:
        at = skip(words, on, "table", "tables")
        if at + 1 < len(words) and words[at][1] == "object" and words[at + 1][1].startswith(":"):
            at = skip(words, at + 1, ":", "::")
        if at < len(words) and words[at][1] not in {
            "all",
            "schema",
            "database",
            "function",
            "procedure",
            "language",
            "server",
            "*",
            "sequence",
            "directory",
        }:
            names = names_at(text, words, at)
    return by_grammar(words[0][1], reads=tuple(name for name in names if name), privilege_change=True)


def _plain(verb: str) -> Callable[[Text, list[Word]], Statement | None]:
    def made(_text: Text, words: list[Word]) -> Statement:
        return by_grammar(verb, slots=slots_of(words))

    return made


def _revoke(text: Text, words: list[Word]) -> Statement | None:
    return _grant(text, words)


def _deny(text: Text, words: list[Word]) -> Statement | None:
    made = _grant(text, words)
    return made.but(verb="revoke") if made is not None else None


def _audit(text: Text, words: list[Word]) -> Statement:
    on = after_word(words, "on")
    name = name_at(text, words, on)[0] if on else ""
    return by_grammar("other", reads=(name,) if name else (), audit_change=True)


GRAMMARS: dict[str, Callable[[Text, list[Word]], Statement | None]] = {
    "alter": alter, "analyze": _maintenance, "audit": _audit, "backup": _backup, "base_backup": _plain("backup"), "begin": _block, "bulk": _load, "call": _call, "checkpoint": _plain("other"),
    "close": _plain("other"), "cluster": _maintenance, "comment": _plain("other"), "commit": _plain("other"), "copy": _copy, "create": create, "create_replication_slot": _plain("other"), "deallocate": _plain("other"),
    "declare": _block, "deny": _deny, "desc": _explain, "describe": _explain, "discard": _plain("other"), "do": _do, "drop": drop, "drop_replication_slot": _plain("other"), "dump": _backup, "else": _plain("other"),
    "end": _plain("other"), "exec": execute, "execute": execute, "explain": _explain, "fetch": _plain("fetch"), "flashback": flashback,
    "flush": _plain("other"), "grant": _grant, "handler": _handler, "identify_system": _plain("other"), "import": _load, "insert": _insert, "kill": _plain("other"), "listen": _plain("other"), "load": _load,
    "lock": _lock, "move": _plain("fetch"), "noaudit": _audit, "notify": _plain("other"), "open": _plain("other"), "optimize": _maintenance, "prepare": _prepare, "read_replication_slot": _plain("other"),
    "reassign": _plain("other"), "refresh": _maintenance, "reindex": _maintenance, "reconfigure": _plain("other"), "release": _plain("other"), "rename": rename_table, "repair": _maintenance,
    "replace": _replace, "reset": _set, "restore": _plain("other"), "revert": _plain("other"), "revoke": _revoke, "rollback": _plain("other"), "save": _plain("other"), "savepoint": _plain("other"), "set": _set,
    "show": _show, "shutdown": _plain("other"), "start": _plain("begin"), "start_replication": _plain("other"), "timeline_history": _plain("other"), "uninstall": _plain("other"), "install": _plain("other"), "if": _branch,
    "unlock": _lock, "use": _plain("other"), "vacuum": _maintenance, "waitfor": _plain("other"), "while": _branch, "with": _with, "xa": _plain("other"),
}  # fmt: skip

"""Small grammars of ours for statements that the tree does not show, and SQL held in strings and bodies.

Each grammar names the object of its statement and hands nested SQL back to `understand`; depth and number are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from parsers.sql.lexer import name_of, ordinal_of, scan, within_limits
from parsers.sql.structure import SlotUse, Statement
from parsers.sql.understand import (
    MAX_EMBEDDED_DEPTH,
    Text,
    Word,
    by_tree,
    prepared,
    read,
    statements,
    without_semicolons,
)

VERBS = frozenset({
    "select", "insert", "update", "delete", "merge", "copy", "load", "create", "alter", "drop", "truncate", "grant", "revoke", "call",
    "execute", "prepare", "declare", "fetch", "set", "lock", "begin", "backup", "other",
})  # fmt: skip
_VERB_OF = {
    "replace": "insert", "values": "select", "table": "select", "(": "select", "exec": "execute", "start": "begin", "reset": "set",
    "perform": "select", "rename": "alter", "import": "load", "bulk": "load", "upsert": "merge",
}  # fmt: skip
_STARTS = frozenset({
    "select", "with", "insert", "update", "delete", "merge", "replace", "copy", "truncate", "drop", "create", "alter", "grant", "revoke",
    "execute", "exec", "perform", "call", "load", "lock",
})  # fmt: skip
_LOOKS_LIKE_SQL = (
    "select",
    "insert",
    "update",
    "delete",
    "with",
    "merge",
    "copy",
    "create",
    "drop",
    "truncate",
    "exec",
    "call",
    "grant",
    "alter",
    "declare",
    "begin",
    "(select",
    "table",
    "backup",
    "/*",
)
_NAME_PART = r'(?:[\w$]{1,128}|"[^"\x00-\x1f]{1,128}")'
_TABLE_NAME = re.compile(rf"{_NAME_PART}(?:\.{_NAME_PART}){{0,2}}\Z")
_UNKNOWN = "hw_unknown"  # stands for a variable inside SQL that is put together


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


# --- words -------------------------------------------------------------------------------------------------------------


def _name(text: Text, words: list[Word], at: int) -> tuple[str, int]:
    """The dotted name that starts at `at`, and where it ends; '' when there is none."""
    parts: list[str] = []
    while at < len(words):
        kind, _, start, end = words[at]
        if kind not in {"word", "quoted"}:
            break
        parts.append(name_of(text.source[start:end], text.dialect))
        if at + 1 < len(words) and words[at + 1][1] == ".":
            at += 2
            if at < len(words) and words[at][1] == ".":  # db..table
                at += 1
            continue
        at += 1
        break
    return ".".join(parts), at


def _after(words: list[Word], *wanted: str) -> int:
    """Index behind the first of `wanted`, 0 when none is there."""
    for at, word in enumerate(words):
        if word[1] in wanted:
            return at + 1
    return 0


def _skip(words: list[Word], at: int, *noise: str) -> int:
    while at < len(words) and words[at][1] in noise:
        at += 1
    return at


def _literal(word: Word) -> int | None:
    return ordinal_of(word[1].strip("'")) if word[0] == "string" else None


def _literals(words: Iterable[Word]) -> list[int]:
    return [ordinal for word in words if (ordinal := _literal(word)) is not None]


def _slots(words: list[Word], use: str = "value") -> tuple[SlotUse, ...]:
    found: list[SlotUse] = []
    for kind, word, _, _ in words[:2000]:
        if kind in {"string", "number"} and (ordinal := ordinal_of(word.strip("'"))) is not None:
            found.append(SlotUse(use if kind == "string" else "value", (), None, "literal", ordinal))
        elif kind == "bind" and (number := word.lstrip(":$@hw_bpP")).isdigit():
            found.append(SlotUse("value", (), None, "bind", int(number)))
    return tuple(dict.fromkeys(found))[:64]


def _grammar(verb: str, **more: object) -> Statement:
    return Statement(understood="lexical", reason="grammar", verb=verb).but(**more)


def unparsed(text: Text, words: list[Word], reason: str, verb: str) -> Statement:
    """What is left when the tree fails: the lexical pass adds names and flags later."""
    if text.dialect == "mysql" and words[0][1] == "replace":
        return _replace(text, words)
    at = _skip(words, 0, "(")
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
        slots=_slots(words),
        columns=tuple(dict.fromkeys(columns))[:200],
        narrowed=narrowed,
    )


def _again(text: Text, source: str) -> Text:
    """The same text with other words: one statement in a form that the tree reads."""
    first = source.split(None, 1)[0].lower()
    words: list[Word] = [("word", first, 0, len(first)), ("word", "", len(first), len(source))]
    return replace(text, source=source, words=words)


# --- SQL in strings ----------------------------------------------------------------------------------------------------


def _is_code(text: Text, value: str) -> bool:
    """Whether a literal is SQL. Once asked, the answer holds for this text only."""
    text.bound[0] = True
    return looks_like_sql(value)


def looks_like_sql(value: str) -> bool:
    return value[:200].lstrip(" \t\r\n;").lower().startswith(_LOOKS_LIKE_SQL)


def run_texts(text: Text, ordinals: Iterable[int]) -> tuple[Statement, ...]:
    """The SQL that string literals hold, analysed; places of its own literals do not exist outside."""
    found: list[Statement] = []
    for ordinal in dict.fromkeys(ordinals):
        value = text.values.get(ordinal)
        if value and _is_code(text, value):
            found += run_text(text, value)
    return tuple(found)


def run_tables(text: Text, ordinals: Iterable[int]) -> tuple[Statement, ...]:
    """Whole tables that string literals name: table_to_xml('patients', …)."""
    found: list[Statement] = []
    for ordinal in dict.fromkeys(ordinals):
        text.bound[0] = True
        if _TABLE_NAME.match(value := text.values.get(ordinal, "")):
            found += run_text(text, f"table {value}")
    return tuple(found)


def run_text(text: Text, value: str) -> list[Statement]:
    text.bound[0] = True
    if text.depth >= MAX_EMBEDDED_DEPTH or text.budget[0] <= 0:
        return [Statement(understood="lexical", reason="too_complex")]
    text.budget[0] -= 1
    scanned = scan(value, text.dialect)
    if (reason := within_limits(scanned)) is not None:
        return [Statement(understood="lexical", reason=reason)]
    inner = prepared(scanned, text.depth + 1, text.budget)
    if not inner.words:
        return []
    first = inner.words[0][1]
    plsql = first in {"begin", "declare"} and len(inner.words) > 3 and inner.words[1][1] != ";"
    found = list(body(inner, inner.words)) if plsql else read(inner)
    return [_inside(statement) for statement in found]


def _inside(statement: Statement) -> Statement:
    """Without slots and bounds: their ordinals count in the inner text."""
    tables = tuple(_UNKNOWN if name.casefold() == _UNKNOWN else name for name in statement.tables)
    return statement.but(slots=(), limits=(), tables=tables, inner=tuple(_inside(s) for s in statement.inner))


def _dynamic_text(text: Text, words: list[Word]) -> str:
    """SQL put together from literals: `'select * from ' || t || ' where …'`, format('…', x)."""
    parts: list[str] = []
    gap = False
    for word in words:
        ordinal = _literal(word)
        if ordinal is not None:
            if gap and parts:
                parts.append(f" {_UNKNOWN} ")
            parts.append(text.values.get(ordinal, ""))
            gap = False
        elif word[0] in {"quoted", "bind", "number"} or (word[0] == "word" and word[1] not in _PASSED_THROUGH):
            gap = True
    return "".join(parts)


_PASSED_THROUGH = frozenset(
    {"quote_ident", "quote_literal", "concat", "quotename", "cast", "text", "as", "dbms_assert", "to_clob", "trim", "n"}
)
_FORMAT = re.compile(r"%(?:[0-9]{1,2}\$)?-?[0-9]{0,3}[IsL]")


def _formatted(text: Text, words: list[Word]) -> str:
    """format('… %I …', x): literal arguments put in, others as an unknown name."""
    at = _after(words, "(")
    first = _literal(words[at]) if at < len(words) else None
    if first is None:
        return ""
    arguments: list[str] = []
    for before, word in zip(words[at:], words[at + 1 :], strict=False):
        if before[1] == ",":
            ordinal = _literal(word)
            arguments.append(text.values.get(ordinal, _UNKNOWN) if ordinal is not None else _UNKNOWN)
    given = iter(arguments)
    return _FORMAT.sub(lambda _: next(given, _UNKNOWN), text.values.get(first, ""))


def _expression(words: list[Word]) -> list[Word]:
    """The part of EXECUTE that is the SQL: up to USING, INTO or the first comma, brackets around it included."""
    depth = 0
    enclosed = bool(words) and words[0][1] == "("
    for at, (kind, word, _, _) in enumerate(words):
        if kind == "op":
            if word == "," and depth == int(enclosed):
                return words[:at]
            depth += (word == "(") - (word == ")")
            if enclosed and depth == 0:
                return words[: at + 1]
        elif kind == "word" and depth == 0 and word in {"using", "into", "bulk"}:
            return words[:at]
    return words


def _executed(text: Text, words: list[Word], verb: str) -> Statement:
    """EXECUTE IMMEDIATE expr, EXEC(expr), sp_executesql N'…', PREPARE … FROM '…', EXECUTE format(…)."""
    code = _expression(words)
    literals = _literals(code)
    formatted = any(word[1] == "format" for word in code[:2])
    whole = _formatted(text, code) if formatted else _dynamic_text(text, code)
    inner = tuple(run_text(text, whole)) if literals and _is_code(text, whole) else ()
    return _grammar(verb, dynamic=True, inner=inner, slots=_code_slots(words, literals))


def _code_slots(words: list[Word], ordinals: Iterable[int]) -> tuple[SlotUse, ...]:
    code = set(ordinals)
    return tuple(
        SlotUse("dynamic", (), None, s.kind, s.ordinal, s.count) if s.kind == "literal" and s.ordinal in code else s
        for s in _slots(words)
    )


# --- bodies ------------------------------------------------------------------------------------------------------------


def body(text: Text, words: list[Word]) -> Iterable[Statement]:
    """Statements inside a block or routine: every SQL verb that starts a fragment, up to its end."""
    at = 0
    found = 0
    while at < len(words) and found < 100:
        if words[at][0] != "word" or words[at][1] not in _STARTS or not _starts(words, at):
            at += 1
            continue
        stop = _fragment_end(words, at)
        fragment = words[at:stop]
        if words[at][1] == "perform":
            fragment = [("word", "select", words[at][2], words[at][3]), *words[at + 1 : stop]]
            yield _performed(text, fragment)
        elif words[at][1] in {"execute", "exec"} and (fragment_statement := _execute(text, fragment)) is not None:
            yield fragment_statement
        else:
            yield from statements(text, fragment, body=True)
        found += 1
        at = max(stop, at + 1)


def _starts(words: list[Word], at: int) -> bool:
    """Not a word inside another statement: FOR UPDATE, ON DELETE, GRANT SELECT, a name after a dot."""
    if at == 0:
        return True
    before = words[at - 1][1]
    word = words[at][1]
    if before in {".", "for", "on", "or", "after", "before", "grant", "revoke", "into"} and word in {
        "update",
        "delete",
        "insert",
        "execute",
        "lock",
    }:
        return False
    if before in {".", ":=", "="} and word not in {"select", "with"}:
        return False
    if word == "execute" and at + 1 < len(words) and words[at + 1][1] in {"function", "procedure", "on"}:
        return False
    if word == "replace" and (before == "or" or (at + 1 < len(words) and words[at + 1][1] == "(")):
        return False
    return not (
        word == "with" and before not in {"(", ";", "begin", "then", "else", "loop", "do", "is", "as", "for", "in"}
    )


def _fragment_end(words: list[Word], at: int) -> int:
    depth = 0
    case = 0
    for stop in range(at, len(words)):
        kind, word, _, _ = words[stop]
        if kind == "op":
            if word == "(":
                depth += 1
            elif word == ")":
                depth -= 1
                if depth < 0:
                    return stop
            elif word == ";" and depth == 0:
                return stop
        elif kind == "word" and depth == 0:
            if word == "case":
                case += 1
            elif word == "end" and case:
                case -= 1
            elif not case and (word == "end" or (stop > at and _closes(words, at, stop))):
                return stop
    return len(words)


def _closes(words: list[Word], at: int, stop: int) -> bool:
    """LOOP, THEN or DO that ends the head of a loop or branch; not WHEN MATCHED THEN, ON CONFLICT DO."""
    word, before = words[stop][1], words[stop - 1][1]
    if before == ")":
        return word in {"loop", "do"} and words[at][1] not in {"insert", "merge"}
    return word in {"loop", "then", "do"} and before not in {"matched", "nothing", "conflict"}


def _performed(text: Text, words: list[Word]) -> Statement:
    source = (
        text.source[: words[0][2]]
        + "SELECT "
        + " " * max(0, words[0][3] - words[0][2] - 7)
        + text.source[words[0][3] :]
    )
    other = replace(text, source=source)
    return by_tree(other, words, body=True).but(returns_rows=False)


def _bodies(text: Text, words: list[Word]) -> tuple[tuple[Statement, ...], bool]:
    """SQL of a routine's body, in a string (PostgreSQL) or in the open; whether dynamic SQL is in it."""
    found: list[Statement] = []
    strings = [ordinal for ordinal in _literals(words) if len(text.values.get(ordinal, "")) > 6]
    code = [ordinal for ordinal in strings if _has_sql(text.values[ordinal])]
    text.bound[0] = text.bound[0] or bool(strings)
    if code:
        for ordinal in code:
            found += _string_body(text, text.values[ordinal])
    if text.dialect != "postgres" or not code:
        start = _after(words, "begin", "is", "as", "do", "return") or 1
        found += list(body(text, words[start:]))
    return tuple(found), any(is_dynamic(statement) for statement in found)


def _string_body(text: Text, value: str) -> list[Statement]:
    text.bound[0] = True
    if text.depth >= MAX_EMBEDDED_DEPTH or text.budget[0] <= 0:
        return [Statement(understood="lexical", reason="too_complex")]
    text.budget[0] -= 1
    scanned = scan(value, text.dialect)
    if (reason := within_limits(scanned)) is not None:
        return [Statement(understood="lexical", reason=reason)]
    inner = prepared(scanned, text.depth + 1, text.budget)
    return [_inside(statement) for statement in body(inner, inner.words)]


def _has_sql(value: str) -> bool:
    folded = value.lower()
    return any(
        word in folded
        for word in (
            "select",
            "insert",
            "update",
            "delete",
            "execute",
            "perform",
            "copy",
            "truncate",
            "drop",
            "alter",
            "call",
        )
    )


def is_dynamic(statement: Statement) -> bool:
    return statement.dynamic or any(is_dynamic(inner) for inner in statement.inner)


# --- grammars ----------------------------------------------------------------------------------------------------------


def _create(text: Text, words: list[Word]) -> Statement | None:
    head = [word[1] for word in words[:10]]
    at = _skip(
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
        after = _skip(words, at + 1, "body", "if", "not", "exists")
        name, behind = _name(text, words, after)
        inner, dynamic = _bodies(text, words[behind:])
        return _grammar(
            "create", inner=inner, definition=True, dynamic=dynamic, schema_change=True, calls=(), slots=_slots(words)
        )
    if kind == "database" and "link" in head:
        return _grammar("create", schema_change=True, dangerous=("link",), slots=_slots(words))
    if (
        kind in {"server", "subscription", "publication"}
        or (kind == "foreign" and "data" in head)
        or (kind == "user" and "mapping" in head)
    ):
        reads: tuple[str, ...] = ()
        if kind == "publication" and (start := _after(words, "table")):
            reads = tuple(_name_list(text, words, start))
        return _grammar("create", schema_change=True, dangerous=("link",), reads=reads, slots=_slots(words))
    if kind == "foreign" and "table" in head:
        name, _ = _name(text, words, _skip(words, _after(words, "table"), "if", "not", "exists"))
        return _grammar(
            "create", schema_change=True, dangerous=("link",), writes=(name,) if name else (), slots=_slots(words)
        )
    if kind in {"user", "role", "login", "group", "profile"}:
        return _grammar("create", privilege_change=True, slots=_slots(words))
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
        if kind == "synonym" and (start := _after(words, "for")):
            reads = (_name(text, words, start)[0],)
        return _grammar(
            "create",
            schema_change=True,
            reads=reads,
            dangerous=("library",) if kind in {"language", "assembly", "extension"} else (),
            slots=_slots(words),
        )
    if text.dialect == "mysql" and kind == "table":
        return _mysql_create_table(text, words)
    return None


def _mysql_create_table(text: Text, words: list[Word]) -> Statement | None:
    """`CREATE OR REPLACE TABLE t ENGINE=Aria SELECT …`: options between the name and the query."""
    at = next((i for i, word in enumerate(words) if word[1] == "select" and word[0] == "word"), 0)
    if not at or words[at - 1][1] in {"as", "("}:
        return None
    start = _after(words, "table")
    name, behind = _name(text, words, _skip(words, start, "if", "not", "exists"))
    if behind < len(words) and words[behind][1] == "(":
        return None
    made = by_tree(text, words[at:], body=True)
    temporary = words[1][1] == "temporary"
    if made.understood != "ast":
        return None
    return made.but(
        verb="create", destination="table", writes=() if temporary else (name,), schema_change=not temporary
    )


def _name_list(text: Text, words: list[Word], at: int) -> list[str]:
    found: list[str] = []
    while at < len(words):
        at = _skip(words, at, "only", "table", "if", "exists")
        name, behind = _name(text, words, at)
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


def _block(text: Text, words: list[Word]) -> Statement | None:
    """BEGIN … END, DECLARE … BEGIN … END: an anonymous block; a lone BEGIN starts a transaction."""
    if words[0][1] == "begin" and (
        len(words) == 1 or words[1][1] in {"transaction", "work", "tran", "isolation", "read", ";"}
    ):
        return _grammar("begin")
    if words[0][1] == "declare":
        if any(word[1] == "cursor" for word in words[1:8]) and text.dialect != "oracle":
            return _cursor(text, words)
        if len(words) > 1 and words[1][1].startswith("@"):
            return _declared(text, words)
    inner = tuple(body(text, words[1:]))
    return _grammar(
        words[0][1], inner=inner, inner_output=False, dynamic=any(map(is_dynamic, inner)), slots=_slots(words)
    )


def _cursor(text: Text, words: list[Word]) -> Statement:
    start = _after(words, "for") or _after(words, "is")
    inner = tuple(statements(text, words[start:])) if start and start < len(words) else ()
    return _grammar("declare", inner=inner)


def _assigned(text: Text, words: list[Word]) -> tuple[list[int], list[Statement]]:
    """A variable given SQL text: the places it is made of, and what it says."""
    words = words[_after(words, "=", ":=") :]
    whole = _dynamic_text(text, words)
    return (_literals(words), run_text(text, whole)) if whole and _is_code(text, whole) else ([], [])


def _following(text: Text, parts: list[list[Word]]) -> list[Statement]:
    """Statements behind the first; what a variable holds leaves when a later one runs it."""
    found = [one for part in parts[1:] for one in statements(text, part)]
    runs = any(map(is_dynamic, found))
    return [one.but(inner_output=True) if runs and one.verb == "set" else one for one in found]


def _declared(text: Text, words: list[Word]) -> Statement:
    """T-SQL: DECLARE @s nvarchar(99) = '…' EXEC(@s)."""
    parts = without_semicolons(words) or [words]
    code, inner = _assigned(text, parts[0])
    following = _following(text, parts)
    verb = next((one.verb for one in following if one.verb not in {"set", "declare", "other"}), "declare")
    return _grammar(
        verb, inner=(*inner, *following), dynamic=any(map(is_dynamic, following)), slots=_code_slots(words, code)
    )


def _do(text: Text, words: list[Word]) -> Statement:
    if text.dialect == "mysql":
        return _mysql_do(text, words)
    inner, dynamic = _bodies(text, words[1:])
    return _grammar("other", inner=inner, inner_output=False, dynamic=dynamic, slots=_slots(words))


def _mysql_do(text: Text, words: list[Word]) -> Statement:
    """DO expr: a SELECT whose result is thrown away."""
    source = text.source[: words[0][2]] + "  " + text.source[words[0][3] :]
    source = "SELECT " + source[words[0][2] : words[-1][3]]
    again = _again(text, source)
    made = by_tree(again, again.words)
    return made.but(understood="lexical", reason="grammar", verb="other", returns_rows=False)


def _call(text: Text, words: list[Word]) -> Statement:
    name, _ = _name(text, words, 1)
    return _grammar("call", calls=(name,) if name else (), slots=_slots(words))


_RUNS = frozenset({"sp_executesql", "sp_sqlexec", "sp_execute", "sp_prepexec", "sp_prepare", "sp_cursoropen"})


def _execute(text: Text, words: list[Word]) -> Statement | None:
    """EXECUTE name(args), EXECUTE IMMEDIATE '…', EXEC proc args, EXEC('…') AT link, EXECUTE format(…)."""
    if len(words) < 2:
        return _grammar("execute")
    second = words[1][1]
    if second == "immediate" or words[1][0] in {"string", "bind"} or second == "(":
        if (
            words[1][0] == "bind" and text.dialect == "tsql" and "=" in [word[1] for word in words[2:3]]
        ):  # EXEC @r = proc
            name, _ = _name(text, words, 3)
            return _grammar("execute", calls=(name,) if name else (), slots=_slots(words))
        done = _executed(text, words[1:], "execute")
        return done.but(dangerous=("link",)) if text.dialect == "tsql" and words[-2][1] == "at" else done
    name, behind = _name(text, words, 1)
    bare = name.rsplit(".", 1)[-1].lower()
    if bare in _RUNS:
        return _executed(text, words[behind:], "execute").but(calls=(name,))
    if text.depth and text.dialect == "postgres":  # inside a block: EXECUTE expression
        return _executed(text, words[1:], "execute")
    if bare == "sp_rename" and (given := _literals(words)):
        text.bound[0] = True
        names = tuple(text.values.get(ordinal, "") for ordinal in given[:2])
        return _grammar("execute", calls=(name,), writes=names, schema_change=True, slots=_slots(words))
    if bare in {"xp_cmdshell", "sp_oacreate", "sp_oamethod"}:
        inner: tuple[Statement, ...] = ()
    else:
        inner = run_texts(text, _literals(words[behind:]))
    return _grammar("execute", calls=(name,) if name else (), inner=inner, slots=_slots(words), dynamic=bool(inner))


def _prepare(text: Text, words: list[Word]) -> Statement:
    # MySQL: PREPARE s FROM '…'; elsewhere FROM is that of the query behind AS.
    if text.dialect == "mysql" and (from_ := _after(words[:6], "from")):
        return _executed(text, words[from_:], "prepare")
    start = _after(words, "as")
    inner = tuple(statements(text, words[start:])) if start and start < len(words) else ()
    return _grammar("prepare", inner=inner)


def _set(text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    role = second == "role" or (
        second in {"session", "local"} and [w[1] for w in words[2:3]] in (["authorization"], ["role"])
    )
    if role or (words[0][1] == "reset" and second in {"role", "session"}):
        return _grammar("set", identity_switch=True)
    if second == "password":
        return _grammar("set", privilege_change=True)
    if text.dialect == "tsql" and (parts := without_semicolons(words)):
        following = _following(text, parts)
        code, held = _assigned(text, parts[0]) if [word[0] for word in parts[0][1:2]] == ["bind"] else ([], [])
        return _grammar(following[0].verb, inner=(*held, *following), slots=_code_slots(words, code))
    if second == "statement":  # MariaDB: SET STATEMENT x=1 FOR SELECT …
        start = _after(words, "for")
        inner = tuple(statements(text, words[start:])) if start and start < len(words) else ()
        return _grammar("set", inner=inner)
    code, held = _assigned(text, words) if any(word[0] == "bind" for word in words[1:3]) else ([], [])
    inner = tuple(held)
    select = next((i for i, word in enumerate(words) if word[1] == "select" and word[0] == "word"), 0)
    if select:
        inner += tuple(
            s.but(returns_rows=False) for s in statements(text, words[select : _fragment_end(words, select)], body=True)
        )
    return _grammar("set", inner=inner, inner_output=False, slots=_code_slots(words, code))


def _lock(text: Text, words: list[Word]) -> Statement:
    if words[0][1] == "unlock":
        return _grammar("lock")
    return _grammar("lock", reads=tuple(_name_list(text, words, _skip(words, 1, "table", "tables", "only"))))


def _explain(text: Text, words: list[Word]) -> Statement | None:
    at = _skip(words, 1, "analyze", "verbose", "extended", "partitions", "plan", "for")
    if at < len(words) and words[at][1] == "(" and text.dialect == "postgres":
        depth = 0
        while at < len(words):
            depth += (words[at][1] == "(") - (words[at][1] == ")")
            at += 1
            if depth == 0:
                break
    at = _skip(words, at, "format", "=", "json", "tree", "traditional")
    if at >= len(words):
        return _grammar("other")
    if words[at][1] in _STARTS or words[at][1] in {"values", "("}:
        inner = statements(text, words[at:])
        return _grammar("other", inner=tuple(s.but(returns_rows=False) for s in inner), inner_output=False)
    name, _ = _name(text, words, at)
    return _grammar("other", reads=(name,) if name else ())


def _branch(text: Text, words: list[Word]) -> Statement:
    """T-SQL's IF and WHILE: the statements behind the test, and the subqueries in it."""
    inner = tuple(body(text, words[1:]))
    verb = next((statement.verb for statement in reversed(inner)), "other")
    return _grammar(verb, inner=inner, dynamic=any(map(is_dynamic, inner)))


_SHOWN = frozenset({"table", "view", "columns", "fields", "index", "indexes", "keys"})


def _show(text: Text, words: list[Word]) -> Statement:
    """SHOW CREATE TABLE t, SHOW COLUMNS FROM t."""
    at = next((i for i, word in enumerate(words[:5]) if word[1] in _SHOWN), 0)
    name = _name(text, words, _skip(words, at + 1, "from", "in"))[0] if at else ""
    return _grammar("other", reads=(name,) if name else (), slots=_slots(words))


def _handler(text: Text, words: list[Word]) -> Statement:
    """MySQL's HANDLER t READ: rows without SELECT."""
    name, behind = _name(text, words, 1)
    rest = [word[1] for word in words[behind:]]
    if "read" not in rest:
        return _grammar("other", reads=(name,) if name else ())
    # Read as SELECT * FROM t [LIMIT n]: the same columns leave.
    limit = next((i for i, word in enumerate(words) if word[1] == "limit"), 0)
    tail = text.source[words[limit][2] : words[-1][3]] if limit else ""
    source = " ".join(("SELECT * FROM", text.source[words[1][2] : words[behind - 1][3]], tail))
    again = _again(text, source)
    return by_tree(again, again.words).but(understood="lexical", reason="grammar", verb="other")


def _load(text: Text, words: list[Word]) -> Statement:
    start = _after(words, "table") or _after(words, "into") or _after(words, "insert")
    name, _ = _name(text, words, _skip(words, start, "table")) if start else ("", 0)
    files = _literals(words)
    slots = tuple(
        SlotUse("path", (), None, "literal", s.ordinal)
        if s.kind == "literal" and files and s.ordinal == files[0]
        else s
        for s in _slots(words)
    )
    local = any(word[1] == "local" for word in words[:5])
    return _grammar(
        "load",
        writes=(name,) if name else (),
        destination="table",
        slots=slots,
        dangerous=() if local else ("server_file",),
    )


def _backup(_text: Text, words: list[Word]) -> Statement:
    return _grammar("backup", destination="file", dangerous=("backup",), slots=_slots(words, "path"))


def _replace(text: Text, words: list[Word]) -> Statement:
    source = "INSERT" + text.source[words[0][3] : words[-1][3]]
    again = _again(text, source)
    return by_tree(again, again.words)


def _rename(text: Text, words: list[Word]) -> Statement:
    names: list[str] = []
    at = _skip(words, 1, "table", "tables", "if", "exists")
    while at < len(words):
        name, at = _name(text, words, at)
        if not name:
            break
        names.append(name)
        at = _skip(words, at, "to", ",")
    return _grammar("alter", writes=tuple(names), schema_change=True)


def _maintenance(text: Text, words: list[Word]) -> Statement:
    at = _skip(
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
        at = _after(words, ")")
    refresh = words[0][1] == "refresh"
    names = tuple(_name_list(text, words, at))
    return _grammar("other", writes=names if refresh else (), reads=() if refresh else names)


def _alter(text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    if second in {"user", "role", "login", "group", "profile"}:
        return _grammar("alter", privilege_change=True, slots=_slots(words))
    if second in {"system", "database", "server", "session"}:
        link = second == "server" and text.dialect == "postgres"
        return _grammar(
            "alter",
            dangerous=("link",) if link else (),
            schema_change=second not in {"session", "system"},
            slots=_slots(words),
        )
    if second in {"function", "procedure", "proc", "package", "event", "trigger"}:
        return _create(text, words)
    if second == "default":
        return _grammar("alter", privilege_change=True)
    return None


def _drop(_text: Text, words: list[Word]) -> Statement | None:
    second = words[1][1] if len(words) > 1 else ""
    if second in {"user", "role", "login", "group", "profile"}:
        return _grammar("drop", privilege_change=True)
    if second in {"database", "schema"} and "link" not in [w[1] for w in words[:4]]:
        return _grammar("drop", schema_change=True, dangerous=("drop",))
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
        return _grammar("drop", schema_change=True)
    return None


def _grant(text: Text, words: list[Word]) -> Statement | None:
    on = _after(words, "on")
    names: list[str] = []
    if on:
        at = _skip(words, on, "table", "tables")
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
            names = _name_list(text, words, at)
    return _grammar(words[0][1], reads=tuple(name for name in names if name), privilege_change=True)


def _plain(verb: str) -> Callable[[Text, list[Word]], Statement | None]:
    def made(_text: Text, words: list[Word]) -> Statement:
        return _grammar(verb, slots=_slots(words))

    return made


def _revoke(text: Text, words: list[Word]) -> Statement | None:
    return _grant(text, words)


def _deny(text: Text, words: list[Word]) -> Statement | None:
    made = _grant(text, words)
    return made.but(verb="revoke") if made is not None else None


def _flashback(text: Text, words: list[Word]) -> Statement:
    name, _ = _name(text, words, _skip(words, 1, "table"))
    return _grammar("other", writes=(name,) if name else (), schema_change=True)


def _audit(text: Text, words: list[Word]) -> Statement:
    on = _after(words, "on")
    name = _name(text, words, on)[0] if on else ""
    return _grammar("other", reads=(name,) if name else (), audit_change=True)


GRAMMARS: dict[str, Callable[[Text, list[Word]], Statement | None]] = {
    "alter": _alter, "analyze": _maintenance, "audit": _audit, "backup": _backup, "begin": _block, "bulk": _load, "call": _call, "checkpoint": _plain("other"),
    "close": _plain("other"), "cluster": _maintenance, "comment": _plain("other"), "commit": _plain("other"), "create": _create, "deallocate": _plain("other"),
    "declare": _block, "deny": _deny, "desc": _explain, "describe": _explain, "discard": _plain("other"), "do": _do, "drop": _drop, "dump": _backup,
    "end": _plain("other"), "exec": _execute, "execute": _execute, "explain": _explain, "fetch": _plain("fetch"), "flashback": _flashback,
    "flush": _plain("other"), "grant": _grant, "handler": _handler, "import": _load, "kill": _plain("other"), "listen": _plain("other"), "load": _load,
    "lock": _lock, "move": _plain("fetch"), "noaudit": _audit, "notify": _plain("other"), "optimize": _maintenance, "prepare": _prepare,
    "reassign": _plain("other"), "refresh": _maintenance, "reindex": _maintenance, "release": _plain("other"), "rename": _rename, "repair": _maintenance,
    "replace": _replace, "reset": _set, "restore": _plain("other"), "revoke": _revoke, "rollback": _plain("other"), "savepoint": _plain("other"), "set": _set,
    "show": _show, "shutdown": _plain("other"), "start": _plain("begin"), "uninstall": _plain("other"), "install": _plain("other"), "if": _branch,
    "unlock": _lock, "use": _plain("other"), "vacuum": _maintenance, "while": _branch, "xa": _plain("other"),
}  # fmt: skip

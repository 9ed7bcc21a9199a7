"""Small grammars of ours for statements that the tree does not show, and SQL held in strings and bodies.

Each grammar names the object of its statement and hands nested SQL back to `understand`; depth and number are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from sqlglot import exp

from parsers.sql.constants import UNKNOWN, closing, split_by_comma
from parsers.sql.facts import passes_all
from parsers.sql.lexer import name_of, scan, within_limits
from parsers.sql.relations import Cte
from parsers.sql.signs import XQUERY_TABLE
from parsers.sql.splitting import without_semicolons
from parsers.sql.structure import TRUE, Pred, SlotUse, Statement
from parsers.sql.texts import MAX_EMBEDDED_DEPTH, Text, Word, prepared
from parsers.sql.tree import SQL_FUNCTIONS
from parsers.sql.understand import by_tree, read, statements
from parsers.sql.words import after_word, by_grammar, literal_of, literals_of, name_at, slots_of

STARTS = frozenset({
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
_UNKNOWN = UNKNOWN
MAX_XQUERY = 65_536  # characters looked at


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


def put_together(text: Text, words: list[Word]) -> Iterator[Statement]:
    """SQL that an argument of a function that takes SQL is put together as: `query_to_xml('sel' || 'ect …', …)`."""
    for at in range(len(words) - 2):
        if words[at][1] in SQL_FUNCTIONS and words[at + 1][1] == "(":
            stop = closing(words, at + 2, 1)
            for part in split_by_comma(words[at + 2 : stop]):
                if len(part) > 1:
                    whole = _formatted(text, part) if part[0][1] == "format" else _dynamic_text(text, part)
                    yield from run_text(text, whole) if whole and _is_code(text, whole) else ()


_XQUERY = re.compile(XQUERY_TABLE)


def run_tables(text: Text, ordinals: Iterable[int]) -> tuple[Statement, ...]:
    """Whole tables that string literals name: table_to_xml('patients', …), XMLTABLE('… fn:collection("oradb:/S/T") …')."""
    found: list[Statement] = []
    for ordinal in dict.fromkeys(ordinals):
        text.bound[0] = True
        value = text.values.get(ordinal, "")
        if _TABLE_NAME.match(value):
            found += run_text(text, f"table {value}")
        for named in _XQUERY.finditer(value[:MAX_XQUERY]):
            found += run_text(text, f"select * from {named[1]}.{named[2]}")  # noqa: S608 - it is read, never run
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
    return [_inside(inner, statement) for statement in found]


def _inside(text: Text, statement: Statement) -> Statement:
    """Without slots and bounds: their ordinals count in the inner text. What depends on its values is settled here."""
    tables = tuple(_UNKNOWN if name.casefold() == _UNKNOWN else name for name in statement.tables)
    blocks = tuple(
        replace(block, conditions=tuple(replace(each, pred=_settled(text, each.pred)) for each in block.conditions))
        for block in statement.blocks
    )
    inner = tuple(_inside(text, each) for each in statement.inner)
    return statement.but(slots=(), limits=(), tables=tables, blocks=blocks, inner=inner)


def _settled(text: Text, pred: Pred) -> Pred:
    """A predicate whose test on a value is decided: the value is in the text that was read."""
    if pred.children:
        return replace(pred, children=tuple(_settled(text, child) for child in pred.children))
    if pred.loose is None:
        return pred
    literal = pred.loose.kind == "literal"
    value = text.values.get(pred.loose.ordinal, text.constants.numbers.get(pred.loose.ordinal)) if literal else None
    return TRUE if value is not None and passes_all(pred.loose, value) else replace(pred, loose=None)


def _dynamic_text(text: Text, words: list[Word]) -> str:
    """SQL put together from constants: `'select * from ' || t || ' where …'`, CHR(…), hexadecimal, variables."""
    made = text.constants.text(words)
    text.bound[0] = text.bound[0] or text.constants.read
    return made


_FORMAT = re.compile(r"%(?:[0-9]{1,2}\$)?-?[0-9]{0,3}[IsL]")


def _formatted(text: Text, words: list[Word]) -> str:
    """format('… %I …', x): literal arguments put in, others as an unknown name."""
    at = after_word(words, "(")
    first = literal_of(words[at]) if at < len(words) else None
    if first is None:
        return ""
    arguments: list[str] = []
    for before, word in zip(words[at:], words[at + 1 :], strict=False):
        if before[1] == ",":
            ordinal = literal_of(word)
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


def executed(text: Text, words: list[Word], verb: str) -> Statement:
    """EXECUTE IMMEDIATE expr, EXEC(expr), sp_executesql N'…', PREPARE … FROM '…', EXECUTE format(…)."""
    code = _expression(words)
    literals = literals_of(code)
    formatted = any(word[1] == "format" for word in code[:2])
    whole = _formatted(text, code) if formatted else _dynamic_text(text, code)
    inner = tuple(run_text(text, whole)) if whole and _is_code(text, whole) else ()
    return by_grammar(verb, dynamic=True, inner=inner, slots=code_slots(words, literals))


def code_slots(words: list[Word], ordinals: Iterable[int]) -> tuple[SlotUse, ...]:
    code = set(ordinals)
    return tuple(
        SlotUse("dynamic", (), None, s.kind, s.ordinal, s.count) if s.kind == "literal" and s.ordinal in code else s
        for s in slots_of(words)
    )


def body(text: Text, words: list[Word]) -> Iterable[Statement]:
    """Statements inside a block or routine: every SQL verb that starts a fragment, up to its end."""
    at = 0
    found = 0
    begun = 0  # where the piece between semicolons begins: `s := …`, `s VARCHAR2(99) := …`
    while at < len(words) and found < 100:
        word = words[at][1]
        if word in _PIECE_ENDS:
            begun = at + 1
        elif word == ":=" and begun < at and words[begun][0] in {"word", "quoted", "bind"}:
            stop = _fragment_end(words, at + 1)
            text.constants.assign(words[begun][1], _dynamic_text(text, words[at + 1 : stop]))
        elif words[at][0] == "word" and (run := run_text_at(text, words, at)) is not None:
            statement, at = run
            yield statement
            found += 1
            continue
        if words[at][0] != "word" or word not in STARTS or not _starts(words, at):
            at += 1
            continue
        stop = _fragment_end(words, at)
        fragment = words[at:stop]
        if words[at][1] == "perform":
            fragment = [("word", "select", words[at][2], words[at][3]), *words[at + 1 : stop]]
            yield _performed(text, fragment)
        elif words[at][1] in {"execute", "exec"} and (fragment_statement := execute(text, fragment)) is not None:
            yield fragment_statement
        else:
            yield from statements(text, fragment, body=True)
        found += 1
        at = max(stop, at + 1)


_PIECE_ENDS = frozenset({";", "begin", "declare", "is", "as", "then", "else", "loop", "do"})
_RUNNERS = frozenset({"dbms_sql", "dbms_scheduler", "dbms_job", "dbms_utility", "dbms_isched", "dbms_hs_passthrough"})


def run_text_at(text: Text, words: list[Word], at: int) -> tuple[Statement, int] | None:
    """`OPEN c FOR 'select …'` and calls of packages that run text, now (DBMS_SQL) or later (jobs)."""
    word = words[at][1]
    if word == "for" and at >= 2 and words[at - 2][1] == "open" and at + 1 < len(words):
        if words[at + 1][1] in STARTS or words[at + 1][1] == "(":
            return None
        stop = _fragment_end(words, at + 1)
        return executed(text, words[at + 1 : stop], "execute"), stop
    if word not in _RUNNERS or at + 1 >= len(words) or words[at + 1][1] != ".":
        return None
    stop = _fragment_end(words, at)
    opened = next((i for i in range(at, stop) if words[i][1] == "("), stop)
    inner: list[Statement] = []
    for part in split_by_comma(words[opened + 1 : stop]):
        whole = _dynamic_text(text, part[after_word(part, "=>") :])
        if whole and _is_code(text, whole):
            inner += run_text(text, whole)
    return (
        (by_grammar("call", dynamic=True, inner=tuple(inner), slots=slots_of(words[at:stop])), stop) if inner else None
    )


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
            elif not case and (word in {"end", "else"} or (stop > at and _closes(words, at, stop))):
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


def bodies(text: Text, words: list[Word]) -> tuple[tuple[Statement, ...], bool]:
    """SQL of a routine's body, in a string (PostgreSQL) or in the open; whether dynamic SQL is in it."""
    found: list[Statement] = []
    strings = [ordinal for ordinal in literals_of(words) if len(text.values.get(ordinal, "")) > 6]
    code = [ordinal for ordinal in strings if _has_sql(text.values[ordinal])]
    text.bound[0] = text.bound[0] or bool(strings)
    if code:
        for ordinal in code:
            found += _string_body(text, text.values[ordinal])
    if text.dialect != "postgres" or not code:
        start = after_word(words, "begin", "is", "as", "do", "return") or 1
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
    return [_inside(inner, statement) for statement in body(inner, inner.words)]


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


def assigned(text: Text, words: list[Word]) -> tuple[list[int], list[Statement]]:
    """Variables given SQL text: the places it is made of, and what it says."""
    places: list[int] = []
    found: list[Statement] = []
    for name, sign, value in _assignments(words):
        whole = _dynamic_text(text, value)
        text.constants.assign(name, whole, added=sign == "+=")
        if whole and _is_code(text, whole):
            places += literals_of(value)
            found += run_text(text, whole)
    return places, found


def _assignments(words: list[Word]) -> Iterator[tuple[str, str, list[Word]]]:
    """`@a = x, @b nvarchar(9) = y, @c += z`: name, sign and expression of each."""
    depth, name, start, sign = 0, "", 0, ""
    for at, (kind, word, _, _) in enumerate([*words, ("op", ",", 0, 0), ("bind", "", 0, 0)]):
        if kind == "op":
            depth += (word == "(") - (word == ")")
            if depth == 0 and name and not start and word in {"=", ":=", "+="}:
                start, sign = at + 1, word
        elif kind == "bind" and depth == 0 and (not start or (at and words[at - 1 : at] and words[at - 1][1] == ",")):
            if start:
                yield name, sign, words[start : at - 1]
            name, start = word, 0
        if at == len(words) and start:
            yield name, sign, words[start:at]
            return


def subquery_of(text: Text, words: list[Word]) -> list[Statement]:
    """`SET @a = (SELECT …)`: it leaves when a later statement of the text gives the variable out."""
    select = next((i for i, word in enumerate(words) if word[1] == "select" and word[0] == "word"), 0)
    if not select:
        return []
    found = statements(text, words[select : _fragment_end(words, select)], body=True)
    if words[1][0] == "bind" and len(text.held) < 32:
        text.held[words[1][1].casefold()] = tuple(found)
    return [one.but(returns_rows=False) for one in found]


def given_out(text: Text, words: list[Word]) -> list[Statement]:
    """Queries whose rows a variable holds that a statement names."""
    if not text.held:
        return []
    names = dict.fromkeys(word.casefold() for kind, word, _, _ in words if kind == "bind")
    return [one for name in names for one in text.held.get(name, ())]


def remember(text: Text, words: list[Word]) -> None:
    """Variables that a SELECT gives a value: `SELECT @s = 0x…`, `SELECT @s := '…'`, `SELECT 'x' INTO @s`."""
    if words[1][0] == "bind" and len(words) > 3 and words[2][1] in {"=", ":=", "+="}:
        stop = next((at for at, word in enumerate(words) if word[1] == "from" and word[0] == "word"), len(words))
        assigned(text, words[1:stop])
    elif (into := after_word(words, "into")) and into < len(words) and words[into][0] == "bind":
        text.constants.assign(words[into][1], _dynamic_text(text, words[1 : into - 1]))


def followed_by(text: Text, parts: list[list[Word]]) -> list[Statement]:
    """Statements behind the first; what a variable holds leaves when a later one runs it."""
    found = [one for part in parts[1:] for one in statements(text, part)]
    runs = any(map(is_dynamic, found))
    return [one.but(inner_output=True) if runs and one.verb == "set" else one for one in found]


def declared(text: Text, words: list[Word]) -> Statement:
    """T-SQL: DECLARE @s nvarchar(99) = '…' EXEC(@s)."""
    parts = without_semicolons(words) or [words]
    code, inner = assigned(text, parts[0])
    if len(parts[0]) > 4 and parts[0][2][1] == "table":
        columns = [part[0] for part in split_by_comma(parts[0][4:]) if part]
        names = [name_of(text.source[start:end], text.dialect) for _, _, start, end in columns]
        text.temporary[parts[0][1][1].casefold()] = Cte(exp.Values(expressions=[]), names, {})
    inner += subquery_of(text, parts[0])
    following = followed_by(text, parts)
    verb = next((one.verb for one in following if one.verb not in {"set", "declare", "other"}), "declare")
    return by_grammar(
        verb, inner=(*inner, *following), dynamic=any(map(is_dynamic, following)), slots=code_slots(words, code)
    )


_RUNS = frozenset({
    "sp_executesql", "sp_sqlexec", "sp_prepexec", "sp_prepare", "sp_cursoropen", "sp_cursorprepare", "sp_cursorprepexec", "sp_send_dbmail",
    "sp_describe_first_result_set", "sp_msforeachtable", "sp_msforeachdb",
})  # fmt: skip


def _run_arguments(text: Text, words: list[Word]) -> Statement:
    """sp_executesql N'…', sp_prepexec @h OUTPUT, N'@p int', N'…', sp_send_dbmail @query = '…': the first argument that is SQL."""
    for part in split_by_comma(words):
        named = len(part) > 1 and part[0][0] == "bind" and part[1][1] == "="
        code = part[2:] if named else part
        whole = _dynamic_text(text, code)
        if whole and _is_code(text, whole):
            inner = tuple(run_text(text, whole))
            return by_grammar("execute", dynamic=True, inner=inner, slots=code_slots(words, literals_of(code)))
    return by_grammar("execute", dynamic=True, slots=slots_of(words))


def execute(text: Text, words: list[Word]) -> Statement | None:
    """EXECUTE name(args), EXECUTE IMMEDIATE '…', EXEC proc args, EXEC('…') AT link, EXECUTE format(…)."""
    if len(words) < 2:
        return by_grammar("execute")
    second = words[1][1]
    if second == "as" and text.dialect == "tsql":
        return by_grammar("execute", identity_switch=True, slots=slots_of(words))
    if second == "immediate" or words[1][0] in {"string", "bind"} or second == "(":
        if (
            words[1][0] == "bind" and text.dialect == "tsql" and "=" in [word[1] for word in words[2:3]]
        ):  # EXEC @r = proc
            name, _ = name_at(text, words, 3)
            return by_grammar("execute", calls=(name,) if name else (), slots=slots_of(words))
        if (named := _procedure_in(text, words)) is not None:
            return named
        done = executed(text, words[1:], "execute")
        return done.but(dangerous=("link",)) if text.dialect == "tsql" and words[-2][1] == "at" else done
    name, behind = name_at(text, words, 1)
    bare = name.rsplit(".", 1)[-1].lower()
    if bare in _RUNS:
        return _run_arguments(text, words[behind:]).but(calls=(name,))
    if text.depth and text.dialect == "postgres":  # inside a block: EXECUTE expression
        return executed(text, words[1:], "execute")
    if bare == "sp_rename" and (given := literals_of(words)):
        text.bound[0] = True
        names = tuple(text.values.get(ordinal, "") for ordinal in given[:2])
        return by_grammar("execute", calls=(name,), writes=names, schema_change=True, slots=slots_of(words))
    if bare in _COMMANDS:
        return _commanded(text, words).but(calls=(name,))
    inner = run_texts(text, literals_of(words[behind:]))
    return by_grammar("execute", calls=(name,) if name else (), inner=inner, slots=slots_of(words), dynamic=bool(inner))


def _procedure_in(text: Text, words: list[Word]) -> Statement | None:
    """T-SQL's EXEC @p N'…', where the same text gave @p the name of a procedure that runs text or commands."""
    name = text.constants.variables.get(words[1][1].casefold(), "") if words[1][0] == "bind" else ""
    bare = name.rsplit(".", 1)[-1].strip("[] ").lower()
    if text.dialect != "tsql" or bare not in _RUNS | _COMMANDS:
        return None
    text.bound[0] = True
    made = _run_arguments(text, words[2:]) if bare in _RUNS else _commanded(text, words)
    return made.but(calls=(name,))


_COMMANDS = frozenset({"xp_cmdshell", "sp_oacreate", "sp_oamethod"})
_SQLCMD = re.compile(r"[-/]q\s{0,4}\"([^\"]+)\"", re.IGNORECASE)  # sqlcmd -Q "SELECT …"
_BCP = re.compile(r"\bbcp(?:\.exe)?[\s\"']+([^\"']{1,4000})[\s\"']+(queryout|out)\b", re.IGNORECASE)


def _commanded(text: Text, words: list[Word]) -> Statement:
    """A command of the operating system: what bcp copies out and what sqlcmd runs is read."""
    inner: list[Statement] = []
    for part in split_by_comma(words[2:]):
        command = _dynamic_text(text, part)
        if "sqlcmd" in command.lower() or "osql" in command.lower():
            inner += [one for found in islice(_SQLCMD.finditer(command), 8) for one in run_text(text, found[1])]
        for found in _BCP.finditer(command):
            source = found[1].strip()
            if found[2].lower() == "queryout" or _TABLE_NAME.match(source):
                query = source if found[2].lower() == "queryout" else f"select * from {source}"  # noqa: S608 - read, not run
                inner += run_text(text, query)
    place = "program" if inner else "client"
    return by_grammar("execute", inner=tuple(inner), destination=place, slots=slots_of(words))

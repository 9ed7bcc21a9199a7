"""The second pass over a text: what its words alone say, in linear time, whatever a parser makes of it.

It names a superset of the tables and knows the words that matter (dangerous routines, audit switches, rights, dump
tools, injection), so that text which no tree explains still has facts, and a tree that misses something is found out.
Nothing here depends on the value of a literal, with two exceptions that are said: SQL inside strings, and paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

from parsers.sql import signs
from parsers.sql.constants import unescaped
from parsers.sql.lexer import Scan, cut_by_comment, name_of, normalised, scan, value_of

MAX_STRINGS = 32  # strings looked into, a text
MAX_STRING = 65_536  # characters of one that are looked at
MAX_NESTING = 3
MAX_WORDS = 96 * 1024  # tokens that are read one by one, a text; what stands between its head and its tail is skimmed
TAIL_WORDS = 32 * 1024
MAX_NAMES = 1_000

_CHANGES = frozenset({"insert", "update", "delete", "execute", "merge"})
_RUNS_TEXT = frozenset(
    {"call", "execute", "prepare", "declare", "begin", "create", "other"}
)  # verbs whose strings may be code


# T-SQL: FROM patients (NOLOCK), which is no function
_TABLE_HINTS = frozenset(
    {
        "nolock", "readuncommitted", "readcommitted", "readcommittedlock", "repeatableread", "serializable", "snapshot", "holdlock", "readpast",
        "updlock", "xlock", "rowlock", "paglock", "tablock", "tablockx", "nowait", "index", "forceseek", "forcescan", "noexpand",
    }
)  # fmt: skip
_JOBS = frozenset({"schedule", "schedule_in_database"})  # pg_cron's: the string is run later


@dataclass(frozen=True, slots=True)
class Lexical:
    """What the words of one statement say. Names as written, quotes off, schema kept."""

    verb: str = "other"
    tables: tuple[str, ...] = ()  # read or written: a superset of what a tree finds
    writes: tuple[str, ...] = ()  # those of them that stand where a written table stands
    identifiers: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()  # names before a bracket, lower case
    dangerous: tuple[str, ...] = ()
    injection: tuple[str, ...] = ()  # codes that hold for the shape
    comment_terminated: bool = False  # a comment cuts a quoted value off, see `lexer.cut_by_comment`
    dump_tool: str | None = None
    destination: str = "client"
    dynamic: bool = False
    audit_change: bool = False
    privilege_change: bool = False
    identity_switch: bool = False
    schema_change: bool = False
    sql_strings: tuple[
        str, ...
    ] = ()  # strings that are run and look like SQL: were read in turn, so the facts hold for this text
    balanced: bool = True

    @property
    def understood(self) -> bool:
        """Whether the words say anything at all."""
        return self.verb != "other" or bool(self.tables or self.dangerous or self.audit_change or self.privilege_change)


Word = tuple[
    str, str
]  # kind (word, quoted, string, number, bind, op, exec), text: lower case for words, name for quoted


def lexical(text: str, dialect: str) -> Lexical:
    """The statements of `text` taken together. Never raises; linear."""
    return together(lexical_statements(scan(text, dialect)))


def lexical_statements(scanned: Scan, depth: int = 0) -> list[Lexical]:
    """One for every statement between semicolons (bodies of blocks are cut too: each piece is read by itself)."""
    pieces = list(_pieces(scanned))
    found = [_statement(piece, scanned, depth) for piece in pieces]
    if found and (len(found) > 1 or scanned.dialect == "tsql") and _stacked(found):
        found[-1] = replace(found[-1], injection=_merged(found[-1].injection, ("stacked",)))
    if found and cut_by_comment(scanned):
        # A batch of a program holds several statements too, but ends in no comment that eats its own quote.
        changes = found[0].verb == "select" and any(part.verb in _CHANGES for part in found[1:])
        stacked = _merged(found[-1].injection, ("stacked",)) if changes else found[-1].injection
        found[-1] = replace(found[-1], comment_terminated=True, injection=stacked)
    return found


def lexical_whole(scanned: Scan) -> Lexical:
    """All statements together; of a text of very many tokens, head and tail by words and the middle skimmed."""
    tokens = scanned.tokens
    if len(tokens) <= MAX_WORDS:
        return together(lexical_statements(scanned))
    head, tail = tokens[: MAX_WORDS - TAIL_WORDS], tokens[-TAIL_WORDS:]
    middle = scanned.text[head[-1][1] : tail[0][2]]
    parts = [*lexical_statements(replace(scanned, tokens=head)), *lexical_statements(replace(scanned, tokens=tail))]
    return together([*parts, _skimmed(middle, scanned.dialect)])


def lexical_long(text: str, dialect: str) -> Lexical:
    """The same of a text that is too long to be cut into tokens at all; of one beyond MAX_LONG, of its two ends."""
    if len(text) > MAX_LONG:
        text = f"{text[: MAX_LONG - TAIL_LONG]} {text[-TAIL_LONG:]}"
    head, tail = text[: MAX_WORDS - TAIL_WORDS], text[-TAIL_WORDS:]
    parts = [*lexical_statements(scan(head, dialect)), *lexical_statements(scan(tail, dialect))]
    return together([*parts, _skimmed(text[len(head) - MAX_SKIMMED :], dialect)])  # the tail may begin in quotes


MAX_LONG = 2 << 20  # characters; no record of a log is half as long
TAIL_LONG = 256 * 1024
MAX_SKIMMED = 512  # characters of overlap, so that no name is cut in two
_NAMED = re.compile(
    r"\b(?:from|join|into|update|table|using|copy)\b[\s(]{1,64}+(?:only\s{1,8}+)?+([\w.$#@\"`\[\]]{1,256}+)",
    re.IGNORECASE,
)
_CALLED = re.compile(r"\b([A-Za-z_]\w{3,63}+)\s?+\(")


def _skimmed(text: str, dialect: str) -> Lexical:
    """Names behind the words that tables follow, and dangerous routines: no quote or comment is minded."""
    names = dict.fromkeys(normalised(found[1].translate(_UNQUOTED)) for found in _NAMED.finditer(text))
    tables = [name for name in names if name and name.lower() not in signs.NEVER_NAMES]
    calls = dict.fromkeys(found[1].lower() for found in _CALLED.finditer(text))
    dangerous = {code for name in calls for code in signs.ROUTINES[dialect].get(name, ())}
    return Lexical(tables=tuple(tables[:MAX_NAMES]), dangerous=tuple(sorted(dangerous)), balanced=False)


_UNQUOTED = str.maketrans("", "", '"`[]')


def together(parts: list[Lexical]) -> Lexical:
    """Union; the verb is that of the first statement that has one."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Lexical()
    return Lexical(
        verb=next((p.verb for p in parts if p.verb not in {"other", "set", "begin"}), parts[0].verb),
        tables=_merged(*(p.tables for p in parts)),
        writes=_merged(*(p.writes for p in parts)),
        identifiers=_merged(*(p.identifiers for p in parts)),
        calls=_merged(*(p.calls for p in parts)),
        dangerous=tuple(sorted(_merged(*(p.dangerous for p in parts)))),
        injection=tuple(sorted(_merged(*(p.injection for p in parts)))),
        comment_terminated=any(p.comment_terminated for p in parts),
        dump_tool=next((p.dump_tool for p in parts if p.dump_tool), None),
        destination=next((p.destination for p in parts if p.destination != "client"), "client"),
        dynamic=any(p.dynamic for p in parts),
        audit_change=any(p.audit_change for p in parts),
        privilege_change=any(p.privilege_change for p in parts),
        identity_switch=any(p.identity_switch for p in parts),
        schema_change=any(p.schema_change for p in parts),
        sql_strings=_merged(*(p.sql_strings for p in parts)),
        balanced=all(p.balanced for p in parts),
    )


def _merged(*parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part))


def _pieces(scanned: Scan) -> Iterator[list[Word]]:
    piece: list[Word] = []
    escape = False  # behind the bracket of `{OJ …}`, `{d '…'}`
    for token in scanned.tokens:
        kind, source = token[0], scanned.source(token)
        if kind == "op" and source == ";":
            if piece:
                yield piece
            piece = []
        elif escape and source.lower() in signs.ODBC_ESCAPES:
            pass
        elif kind == "word":
            piece += [(kind, part) for part in _parts(source)]
        elif kind == "op" and (source < " " or source in "{}"):
            escape = source == "{"
            continue  # a control character, a bracket of ODBC's escapes: a blank
        elif kind == "quoted":
            piece.append((kind, name_of(source, scanned.dialect)))
        elif kind == "string" and piece[-1:] == [("word", "uescape")] and piece[-2:-1] and piece[-2][0] == "quoted":
            sign = value_of(source, scanned.dialect)  # U&"d!0061ta" UESCAPE '!'
            piece[-2:] = [("quoted", unescaped(piece[-2][1], sign) if len(sign) == 1 else piece[-2][1])]
        elif kind == "exec" or kind != "execend":
            piece.append((kind, source))
        escape = False
    if piece:
        yield piece


def _parts(word: str) -> list[str]:
    """A word in lower case; blanks that only Unicode knows part it (the tree has them part words too)."""
    return [word.lower()] if word.isascii() else normalised(word).lower().split()


def _statement(words: list[Word], scanned: Scan, depth: int) -> Lexical:
    dialect = scanned.dialect
    plain = [word for word in words if word[0] != "exec"]
    tables, writes = _Tables(plain, dialect).found()
    calls = tuple(dict.fromkeys(_calls(plain)))
    flow = " ".join(
        text
        if kind in {"word", "op", "bind"}
        else f'"{text}"'
        if kind == "quoted"
        else "0"
        if kind == "number"
        else "''"
        for kind, text in plain
    )
    verb = _verb(plain)
    dangerous = _dangerous(verb, flow, calls, plain, dialect)
    dynamic = bool(re.search(signs.DYNAMIC[dialect], flow))
    # A string that is only stored or compared is data, whatever it looks like.
    runs = dynamic or verb in _RUNS_TEXT or dangerous & {"sql_function", "link"} or depth > 0 or _JOBS & set(calls)
    strings = _sql_strings(plain, dialect) if runs else ()
    if dialect == "oracle" and "xmltable" in calls:
        strings += _xquery_tables(plain)
    inner = _inside(strings, dialect, depth)
    own = Lexical(
        verb=verb,
        tables=tables[:MAX_NAMES],
        writes=writes[:MAX_NAMES],
        identifiers=tuple(dict.fromkeys(text for kind, text in plain if kind == "quoted" or (kind == "word" and text not in signs.KEYWORDS)))[:MAX_NAMES],
        calls=calls[:MAX_NAMES],
        dangerous=tuple(sorted(dangerous)),
        injection=tuple(sorted(_injection(flow, calls, tables, dialect))),
        dump_tool=_dump_tool(words, flow, tables, dialect),
        destination=_destination(flow, verb, calls),
        dynamic=dynamic,
        audit_change=_audit_change(flow, plain, calls, tables, verb, dialect),
        privilege_change=_privilege_change(flow, plain, calls, writes, dialect),
        identity_switch=bool(re.search(signs.IDENTITY, flow)),
        schema_change=verb in {"create", "alter", "drop", "truncate"} and not re.match(r"(?:create|drop) (?:global |local )?temp", flow),
        sql_strings=strings,
        balanced=scanned.balanced,
    )  # fmt: skip
    return own if inner is None else _with_inside(own, inner)


# --- verb and names ------------------------------------------------------------------------------------------------


def _verb(words: list[Word]) -> str:
    at = 0
    while at < len(words) and (words[at] == ("op", "(") or words[at][1] in {"explain", "analyze", "verbose"}):
        at += 1
    first = words[at][1] if at < len(words) and words[at][0] == "word" else ""
    if first != "with":
        return signs.VERBS.get(first, "other")
    depth = 0
    for kind, text in words[at:]:
        if kind == "op":
            depth += (text == "(") - (text == ")")
        elif kind == "word" and depth <= 0 and text in {"select", "insert", "update", "delete", "merge"}:
            return text
    return "select"


def _calls(words: list[Word]) -> Iterator[str]:
    """Names that stand before a bracket, with what qualifies them; and what EXEC, CALL and PERFORM name."""
    for at, (kind, text) in enumerate(words):
        if kind not in {"word", "quoted"}:
            continue
        before = words[at - 1][1] if at else ""
        called = at + 1 < len(words) and words[at + 1] == ("op", "(") and text not in signs.KEYWORDS
        if (
            called
            or before in {"exec", "execute", "call", "perform"}
            or (text.startswith(("xp_", "sp_")) and len(text) > 4)
        ):
            yield text.lower()
            if before == "." and at >= 2:
                yield f"{words[at - 2][1]}.{text}".lower()
        elif before == "." and at >= 2 and words[at - 2][1].lower() in signs.PACKAGES:
            yield f"{words[at - 2][1]}.{text}".lower()


class _Tables:
    """One pass with a stack of brackets: names after FROM, JOIN, INTO, UPDATE, TABLE, … and after their commas."""

    def __init__(self, words: list[Word], dialect: str) -> None:
        self.words = words
        self.dialect = dialect
        self.read: dict[str, int] = {}  # where it stands first
        self.written: dict[str, None] = {}
        self.targets: dict[str, None] = {}  # of UPDATE and DELETE: may be an alias
        self.aliases: dict[str, str] = {}

    def found(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self._walk()
        ctes = self._ctes()
        for name, at in self.read.items():  # WITH t AS (SELECT … FROM t): inside, t is the table
            start, stop = ctes.get(name.lower(), (0, 0))
            if start < at < stop:
                del ctes[name.lower()]
        sure = dict.fromkeys([*self.read, *self.written])
        targets = [name for name in self.targets if name.lower() not in self.aliases or name in sure]
        names = dict.fromkeys([*sure, *targets])
        keep = [name for name in names if name.lower() not in ctes and name.lower() not in signs.NOT_TABLES]
        meant = [self.aliases.get(name.lower(), name) for name in self.targets]
        writes = [name for name in dict.fromkeys([*self.written, *meant]) if name in keep]
        return tuple(keep), tuple(writes)

    def _walk(self) -> None:
        words = self.words
        stack: list[tuple[str, str]] = []
        expect, listing = "", ""  # what the next name is (read, write, target), and what the one behind a comma
        at = 0
        while at < len(words):
            kind, text = words[at]
            if kind == "op":
                if text == "(":
                    before = words[at - 1] if at else ("", "")
                    argument = before[0] == "word" and before[1] in signs.FROM_INSIDE
                    stack.append(("argument" if argument else before[1], listing))
                    listing = ""
                    expect = expect if expect == "read" else ""
                elif text == ")":
                    opened, listing = stack.pop() if stack else ("", "")
                    expect = "read" if opened == "opendatasource" else ""  # OPENDATASOURCE(…).db.dbo.t
                elif text == ",":
                    expect = listing
                at += 1
                continue
            if text == "top" and expect and words[at + 1 : at + 2] == [("op", "(")]:  # T-SQL: UPDATE TOP (9) t
                at = next((i + 1 for i in range(at, len(words)) if words[i] == ("op", ")")), len(words))
                continue
            if kind == "word" and text in signs.KEYWORDS and not (expect and self._as_name(at)):
                expect, listing = self._keyword(at, expect, listing, inside=stack[-1][0] if stack else "")
                at += 1
                continue
            if text == "tables" and at == 1 and words[0][1] == "lock":  # MySQL: LOCK TABLES a READ, b WRITE
                expect, at = "read", at + 1
                continue
            if expect and kind == "word" and self._says_how(at):
                at += 1
                continue
            if expect and kind in {"word", "quoted"}:
                at = self._name(at, expect)
                listing, expect = expect, ""
                continue
            if expect and kind == "bind":
                expect = ""
            at += 1

    def _says_how(self, at: int) -> bool:
        """A word between verb and table, such as DELAYED or BINARY, which can be the name of a table too."""
        if not at or self.words[at][1] not in signs.BETWEEN.get(self.words[at - 1][1], ()):
            return False
        return any(
            kind == "quoted" or (kind == "word" and word not in signs.KEYWORDS)
            for kind, word in self.words[at + 1 : at + 2]
        )

    def _keyword(self, at: int, expect: str, listing: str, inside: str) -> tuple[str, str]:
        word = self.words[at][1]
        before = self.words[at - 1][1] if at else ""
        if word in {"from", "using"}:
            distinct = before == "distinct" and at >= 2 and self.words[at - 2][1] in {"is", "not"}
            columns = word == "using" and at + 1 < len(self.words) and self.words[at + 1] == ("op", "(")
            return ("", listing) if inside == "argument" or distinct or columns else ("read", "read")
        if (
            word in signs.BEFORE_READ
            or (word == "like" and self.words[0][1] == "create")
            or (word == "on" and self._grants())
        ):
            return "read", "read"
        if word == "into":
            return "write", ""
        if word == "update":
            return (
                ("", "")
                if before in {"for", "key", "on", "do", "or", ",", "grant", "after", "before", "then"}
                else ("target", "target")
            )
        if word == "delete":  # T-SQL and MySQL: DELETE a FROM table a
            return ("", "") if before in {"on", "or", ",", "grant", "after", "before", "then"} else ("target", "target")
        if word in {"replace", "merge"} and at == 0:  # MySQL's, T-SQL's: neither needs INTO
            return "write", ""
        if word in {"pivot", "unpivot"} and at == 0:  # no server's statement, but sqlglot reads one
            return "read", "read"
        if word == "insert":  # MySQL and T-SQL need no INTO
            clause = before in {
                "on",
                "or",
                ",",
                "grant",
                "revoke",
                "deny",
                "after",
                "before",
                "then",
                "for",
                "of",
                "instead",
            }
            return ("", "") if clause else ("write", "")
        if word in signs.BEFORE_WRITE:
            first = self.words[0][1]
            return (
                "write" if first in {"create", "alter", "drop", "truncate", "rename", "insert", "merge"} else "read"
            ), ""
        if word in signs.NOISE:
            return expect, listing
        if word == "with" and listing and self.words[at + 1 : at + 2] == [("op", "(")]:
            return "", listing  # T-SQL's hints of a table: FROM a WITH (NOLOCK), b
        if word in signs.ENDS_FROM:
            return "", ""
        return "", listing

    def _as_name(self, at: int) -> bool:
        """A word that may also be a name, where a name must come: `FROM user`, `FROM end`, not `FROM lateral (`."""
        word, before = self.words[at][1], self.words[at - 1][1] if at else ""
        called = self.words[at + 1 : at + 2] == [("op", "(")]
        if word in signs.SOFT:  # with a bracket behind it also `CREATE INDEX … ON user (id)`, not GRANT … ON SCHEMA s
            return before in signs.BEFORE_NAME or before in {",", "."} or (before == "on" and called)
        called = called and before != "into"  # what stands there are the columns
        return before in signs.BEFORE_NAME and word not in signs.NEVER_NAMES and not called

    def _grants(self) -> bool:
        """ON of GRANT, REVOKE, CREATE INDEX/TRIGGER/POLICY, COMMENT, AUDIT: a table follows."""
        return self.words[0][1] in {"grant", "revoke", "deny", "comment", "audit", "noaudit"} or (
            self.words[0][1] in {"create", "drop", "alter"}
            and any(w[1] in {"index", "trigger", "policy", "rule", "statistics"} for w in self.words[1:5])
        )

    def _name(self, at: int, expect: str) -> int:
        """Read a dotted name at `at`; index of what follows it (and its alias)."""
        words = self.words
        parts = [words[at][1]]
        begun = at
        at += 1
        while (after := self._after_dots(at)) and after < len(words) and words[after][0] in {"word", "quoted"}:
            parts.append(words[after][1])
            at = after + 1
        name = ".".join(part for part in parts if part)
        if self.dialect == "oracle" and at + 1 < len(words) and words[at] == ("op", "@"):
            name, at = f"{name}@{words[at + 1][1]}", at + 2
            while at + 1 < len(words) and words[at] == ("op", "."):
                name, at = f"{name}.{words[at + 1][1]}", at + 2
        if (
            at < len(words)
            and words[at] == ("op", "(")
            and expect == "read"
            and words[0][1] not in {"copy", "create", "alter", "grant"}
            and not (self.dialect == "tsql" and words[at + 1 : at + 2] and words[at + 1][1] in _TABLE_HINTS)
        ):
            return at  # a function that yields rows
        if name.lower() == "program" and at < len(words) and words[at][0] == "string":
            return at  # COPY t FROM PROGRAM 'gzip -dc x.gz'
        if expect == "read":
            self.read.setdefault(name, begun)
        else:
            (self.written if expect == "write" else self.targets)[name] = None
        if at < len(words) and words[at] == ("word", "as"):
            at += 1
        if at < len(words) and (
            words[at][0] == "quoted" or (words[at][0] == "word" and words[at][1] not in signs.KEYWORDS)
        ):
            if expect != "write" and words[at][1].lower() != name.lower():
                self.aliases.setdefault(words[at][1].lower(), name)
            at += 1
        return at

    def _after_dots(self, at: int) -> int:
        """Index behind the dots at `at`, 0 when there are none."""
        start = at
        while at < len(self.words) and self.words[at] in {("op", "."), ("op", "..")}:
            at += 1
        return at if at > start else 0

    def _ctes(self) -> dict[str, tuple[int, int]]:
        """Names that WITH defines, a name before AS (, or before a bracketed column list and AS (; and where their query stands."""
        words = self.words
        if not any(kind == "word" and text == "with" for kind, text in words):
            return {}
        recursive = any(text == "recursive" for _, text in words)
        names: dict[str, tuple[int, int]] = {}
        bodies: dict[int, str] = {}
        opened: list[int] = []
        closed: dict[int, int] = {}
        for at, (kind, text) in enumerate(words):
            if kind != "op":
                continue
            if text == ")" and opened:
                closed[at] = opened.pop()
                if (named_here := bodies.get(closed[at])) is not None and not recursive:
                    names[named_here] = (closed[at], at)
            elif text == "(":
                opened.append(at)
                back = at - 1
                while back > 0 and words[back][1] in {"materialized", "not"}:
                    back -= 1
                if back > 0 and words[back] == ("word", "as"):
                    named = closed.get(back - 1, back) - 1
                    if named >= 0 and words[named][0] in {"word", "quoted"}:
                        bodies[at] = words[named][1].lower()
                        names.setdefault(bodies[at], (0, 0))
        return names


# --- what the words mean ---------------------------------------------------------------------------------------------


def _dangerous(verb: str, flow: str, calls: tuple[str, ...], words: list[Word], dialect: str) -> set[str]:
    found = {code for name in calls for code in signs.ROUTINES[dialect].get(name, ())}
    found |= {code for pattern, code in signs.DANGEROUS[dialect] if re.search(pattern, flow)}
    if (
        verb == "drop"
        and len(words) > 1
        and words[1][1] in {"table", "database", "schema", "view", "user", "materialized", "tablespace"}
        and not any(word[1].startswith("#") for word in words[2:6])  # a temporary table
    ):
        found.add("drop")
    if verb == "truncate" or re.search(r"^alter table \S+ truncate partition", flow):
        found.add("truncate")
    if verb in {"update", "delete"} and not any(
        word in {("word", "where"), ("word", "join"), ("word", "limit"), ("word", "using")} for word in words
    ):
        found.add("unrestricted_write")
    return found


def _injection(flow: str, calls: tuple[str, ...], tables: tuple[str, ...], dialect: str) -> set[str]:
    found = {code for pattern, code in signs.INJECTION if re.search(pattern, flow)}
    dictionary = any(signs.is_dictionary(name) for name in tables)
    if (
        dictionary
        and ("union" in found or re.search(r"\bunion (?:all )?select\b", flow))
        and not all(signs.is_dictionary(name) for name in tables)
    ):
        found.add("dictionary")
    asks = "( select" in flow and re.match(r"\(* ?(?:select|update|delete)\b", flow)
    if dictionary and asks and not all(signs.is_dictionary(name) for name in tables):
        found.add("dictionary")  # what tables there are, asked within a question about something else
    if signs.ERROR_BASED & set(calls):
        found.add("dictionary")
    if dialect == "tsql" and re.search(signs.BEHIND_A_QUERY, flow):
        found.add("stacked")
    if signs.DELAYS & set(calls) and re.search(r"\b(?:where|and|or|having|case|if|union)\b", flow):
        found.add("delay")
    return found


def _stacked(found: list[Lexical]) -> bool:
    """A query, and behind it something that no program sends together with a query."""
    if found[0].verb == "select" and "os_command" in found[0].dangerous:
        return True  # SQL Server needs no semicolon
    return found[0].verb == "select" and any(
        part.verb in {"drop", "grant", "revoke", "truncate", "alter", "create"}
        or "os_command" in part.dangerous
        or "delay" in part.dangerous
        for part in found[1:]
    )


def _dump_tool(words: list[Word], flow: str, tables: tuple[str, ...], dialect: str) -> str | None:
    executable = " ".join(text for kind, text in words[:6] if kind == "exec")
    if dialect == "mysql" and "40001" in executable and "sql_no_cache" in flow:
        return "mydumper" if any("." in name for name in tables) else "mysqldump"
    return next((tool for pattern, tool in signs.DUMPS[dialect] if re.search(pattern, flow)), None)


def _destination(flow: str, verb: str, calls: tuple[str, ...]) -> str:
    if re.search(r"\bto program\b", flow):
        return "program"
    if (
        re.search(r"\binto (?:outfile|dumpfile)\b", flow)
        or (verb == "copy" and re.search(r"\bto ''", flow))
        or verb == "backup"
    ):
        return "file"
    if (verb == "insert" and {"openrowset", "openquery", "opendatasource"} & set(calls)) or "dblink_exec" in calls:
        return "other_database"
    return "table" if re.search(signs.INTO_TABLE, flow) else "client"


def _audit_change(
    flow: str, words: list[Word], calls: tuple[str, ...], tables: tuple[str, ...], verb: str, dialect: str
) -> bool:
    if re.search(signs.AUDIT, flow) or any(name.startswith(signs.AUDIT_ROUTINES) for name in calls):
        return True
    if verb in {"update", "delete", "truncate", "drop", "alter"} and any(
        name.lower() in signs.AUDIT_TABLES for name in tables
    ):
        return True
    if re.search(signs.SETS, flow) and any(
        re.match(signs.AUDIT_SETTING, text.lower()) for kind, text in _targets(words) if kind != "op"
    ):
        return True
    if "set_config" in calls or "sp_configure" in calls:  # here the name is a string
        return any(
            kind == "string" and re.match(signs.AUDIT_SETTING, value_of(text, dialect).lower()) for kind, text in words
        )
    return False


def _privilege_change(
    flow: str, words: list[Word], calls: tuple[str, ...], writes: tuple[str, ...], dialect: str
) -> bool:
    """Grants, roles, accounts, passwords; and settings that give rights, by name or (sp_configure) by string."""
    if re.search(signs.PRIVILEGE, flow) or any(name.lower() in signs.ACCOUNT_TABLES for name in writes):
        return True
    if re.search(signs.SETS, flow) and any(
        re.match(signs.RIGHTS_SETTING, text.lower()) for kind, text in _targets(words) if kind != "op"
    ):
        return True
    if "sp_configure" in calls:
        return any(
            kind == "string" and re.match(signs.RIGHTS_SETTING, value_of(text, dialect).lower()) for kind, text in words
        )
    return False


def _targets(words: list[Word]) -> Iterator[Word]:
    """What SET and its like may name: words before = or TO, dotted names joined, variables without their @@."""
    for at, (kind, text) in enumerate(words):
        if kind in {"word", "quoted"}:
            follows = at + 2 < len(words) and words[at + 1] == ("op", ".")
            yield kind, f"{text}.{words[at + 2][1]}" if follows else text
        elif kind == "bind" and text.startswith("@@"):
            yield kind, re.sub(r"^@@(?:global\.|session\.|persist\.|persist_only\.|local\.)?", "", text.lower())


# --- SQL inside strings ------------------------------------------------------------------------------------------------


def _sql_strings(words: list[Word], dialect: str) -> tuple[str, ...]:
    found: list[str] = []
    for at, (kind, text) in enumerate(words):
        if kind != "string":
            continue
        named = at > 1 and words[at - 1] == ("op", "(") and words[at - 2][1].lower() in signs.TABLE_FUNCTIONS
        linked = words[at + 1 : at + 2] in _LINKS and words[at - 1 : at] not in _LINKS
        if named or linked or len(text) > 8:
            value = _joined(words, at, dialect) if linked else value_of(text[:MAX_STRING], dialect)
            if words[max(0, at - 2) : at] == [("word", "format"), ("op", "(")]:
                value = _formatted(value, words, at, dialect)
            value = f"table {value}" if named else value
            if named or re.match(signs.LOOKS_LIKE_SQL, value):
                found.append(value)
                if len(found) == MAX_STRINGS:
                    break
    return tuple(found)


def _formatted(value: str, words: list[Word], at: int, dialect: str) -> str:
    """format('select * from %I', 'patients'): the strings behind the first put in, whatever their numbers."""
    parts = value.split("%", MAX_STRINGS)
    given = [
        value_of(text[:MAX_STRING], dialect) if kind == "string" else " "
        for (before, (kind, text)) in pairwise(words[at : at + 4 * MAX_STRINGS])
        if before == ("op", ",")
    ]
    put = [f"{one}{part.lstrip('0123456789$-')[1:]}" for one, part in zip_longest(given, parts[1:], fillvalue="")]
    return "".join([parts[0], *put])[:MAX_STRING]


def _xquery_tables(words: list[Word]) -> tuple[str, ...]:
    """Queries of the tables that XQuery text names."""
    texts = [text[:MAX_STRING] for kind, text in words if kind == "string"]
    named = [found for text in texts for found in re.findall(signs.XQUERY_TABLE, text)]
    return tuple(f"table {schema}.{name}" for schema, name in named[:MAX_STRINGS])


_LINKS = ([("op", "||")], [("op", "+")])


def _joined(words: list[Word], at: int, dialect: str) -> str:
    """`'select * from ' || 'pati' || x`: the strings of a chain, a blank for what is not known."""
    parts: list[str] = []
    for kind, text in words[at : at + 2 * MAX_STRINGS : 2]:
        parts.append(value_of(text[:MAX_STRING], dialect) if kind == "string" else " ")
        at += 2
        if words[at - 1 : at] not in _LINKS:
            break
    return "".join(parts)[:MAX_STRING]


def _inside(strings: tuple[str, ...], dialect: str, depth: int) -> Lexical | None:
    if not strings or depth >= MAX_NESTING:
        return None
    return together([part for text in strings for part in lexical_statements(scan(text, dialect), depth + 1)])


def _with_inside(own: Lexical, inner: Lexical) -> Lexical:
    return replace(
        own,
        tables=_merged(own.tables, inner.tables),
        writes=_merged(own.writes, inner.writes),
        identifiers=_merged(own.identifiers, inner.identifiers)[:MAX_NAMES],
        calls=_merged(own.calls, inner.calls)[:MAX_NAMES],
        dangerous=tuple(sorted(_merged(own.dangerous, inner.dangerous))),
        audit_change=own.audit_change or inner.audit_change,
        privilege_change=own.privilege_change or inner.privilege_change,
        identity_switch=own.identity_switch or inner.identity_switch,
    )

"""Text -> `Structure`, in a worker: limits, splitting, tree, grammars of ours, embedded SQL. Never raises.

Source of the rules: what sqlglot 30.30 leaves opaque (`Command`), refuses or misreads, tried one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from parsers.sql.lexer import Scan, literal_places, name_of, numbered_scan, ordinal_of, scan, value_of, within_limits
from parsers.sql.lexical import Lexical, lexical_statements, together
from parsers.sql.structure import Block, Condition, Limit, Pred, Ref, SlotUse, Statement, Structure
from parsers.sql.tree import Reader, Relation, TooComplex

# Its logger would write pieces of the statement.
sqlglot.logger.disabled = True

REASONS = frozenset({
    "", "too_long", "too_many_tokens", "too_deep", "joins_without_on", "too_many_statements", "too_complex", "recursion",
    "parse_error", "command", "grammar", "empty", "truncated", "failed", "killed", "crashed", "not_logged", "overload",
})  # fmt: skip
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
    temporary: dict[str, Any] = field(default_factory=dict)  # temporary tables of this text, as CTEs
    bound: list[bool] = field(default_factory=lambda: [False])  # embedded SQL was read

    def slice(self, words: list[Word]) -> str:
        return self.source[words[0][2] : words[-1][3]] if words else ""


def structure(text: str, dialect: str) -> Structure:
    """What `text` says. Runs in a worker process; raises nothing, whatever the text."""
    try:
        return analyse(scan(text, dialect))
    except RecursionError:
        return lexically(text, dialect, "recursion")
    except Exception:  # noqa: BLE001  a text that breaks the reader must not break the worker: its words remain
        return lexically(text, dialect, "failed")


def lexically(text: str, dialect: str, reason: str) -> Structure:
    """What the linear pass alone finds, for a text whose tree must not be tried (it killed a worker, or time is short)."""
    try:
        return _by_words(scan(text, dialect), reason)
    except Exception:  # noqa: BLE001  as above
        return Structure((Statement(understood="none", reason=reason),))


def analyse(scanned: Scan) -> Structure:
    reason = within_limits(scanned)
    if reason is not None:
        return _by_words(scanned, reason)
    text = prepared(scanned)
    if not text.words:
        return Structure((Statement(understood="lexical", reason="empty"),))
    found = read(text)
    if not scanned.balanced:
        # Cut off, or an unclosed quote: what is there was read, what is missing is not known.
        found = [each.but(understood="lexical", reason="truncated") if each.reason in _CUT else each for each in found]
    run = text.bound[0]  # SQL inside a literal was read: what was found holds for this text, not for all of its shape
    try:
        words = lexical_statements(scanned)
        found = _beside_words(found, words)
        run = run or any(piece.sql_strings for piece in words)
    except Exception:  # noqa: BLE001  one pass that breaks must not blind the other; the reason says so
        found = [each.but(understood="lexical", reason="failed") for each in found]
    return Structure(tuple(found), run)


_CUT = frozenset({"", "parse_error", "command"})


def _by_words(scanned: Scan, reason: str) -> Structure:
    """The linear pass without a tree."""
    found = together(lexical_statements(scanned))
    words = [(kind, scanned.source((kind, a, b)).lower(), a, b) for kind, a, b in scanned.tokens[:2000]]
    narrowed = any(word[1] == "where" for word in words)
    bare = Statement(understood="lexical", reason=reason, verb=found.verb, columns=("*",), narrowed=narrowed)
    return Structure((_with_words(bare, found),), text_bound=bool(found.sql_strings))


def _beside_words(found: list[Statement], words: list[Lexical]) -> list[Statement]:
    """Tree and words side by side. A block is one statement of several pieces."""
    if len(found) == len(words):
        return [_with_words(statement, piece) for statement, piece in zip(found, words, strict=True)]
    if not words or not found:
        return found
    return [*found[:-1], _with_words(found[-1], together(words))]


def _with_words(statement: Statement, words: Lexical) -> Statement:
    """A statement with what its words say beyond the tree; where there is no tree, their word alone."""
    told = statement.but(
        dangerous=tuple(sorted({*statement.dangerous, *words.dangerous})),
        injection=tuple(
            sorted({*statement.injection, *words.injection, *(("comment",) if words.comment_terminated else ())})
        ),
        dump_tool=statement.dump_tool or words.dump_tool,
        dynamic=statement.dynamic or (words.dynamic and not (statement.reason == "grammar" and statement.inner)),
        audit_change=statement.audit_change or words.audit_change,
        privilege_change=statement.privilege_change or words.privilege_change,
        identity_switch=statement.identity_switch or words.identity_switch,
        verb=words.verb if statement.verb == "other" and statement.reason not in {"", "grammar"} else statement.verb,
    )
    if not _blind(statement):
        return told
    known = {name.casefold() for name in _named(statement)}
    reads = tuple(name for name in words.tables if name not in words.writes and name.casefold() not in known)
    understood = statement.understood
    if statement.reason not in {"", "grammar"}:
        understood = "lexical" if words.understood or _named(statement) else "none"
    place = words.destination if statement.destination == "client" else statement.destination
    writes = tuple(dict.fromkeys((*statement.writes, *words.writes)))
    told = told.but(
        understood=understood,
        writes=writes,
        destination=place,
        schema_change=statement.schema_change or words.schema_change,
    )
    if not words.tables and not known:
        return told.but(identifiers=words.identifiers[:200])
    if statement.tables or statement.reason == "grammar":
        return told.but(reads=tuple(dict.fromkeys((*statement.reads, *reads))))
    return told.but(**_assumed(statement, reads))


def _assumed(statement: Statement, reads: tuple[str, ...]) -> dict[str, object]:
    """One block of the tables that the words name: the columns that stand in front leave, WHERE narrows to a range."""
    uses = tuple(range(len(reads)))
    carries = statement.verb in {"select", "copy", "create", "insert", "declare", "other"}
    outputs = tuple((uses, column, False) for column in statement.columns) if carries and uses else ()
    narrow = tuple(Condition(Pred("range", (((use,), "*", False),))) for use in uses) if statement.narrowed else ()
    block = Block(uses=uses, conditions=narrow, outputs=outputs)
    return {"tables": reads, "blocks": (block,), "roots": (0,), "outputs": outputs}


def _blind(statement: Statement) -> bool:
    """Something in it was read by no tree and no grammar."""
    return (statement.reason not in {"", "grammar"} and not statement.tables) or any(
        _blind(inner) for inner in statement.inner
    )


def _named(statement: Statement) -> list[str]:
    return [
        *statement.tables,
        *statement.reads,
        *statement.writes,
        *(name for inner in statement.inner for name in _named(inner)),
    ]


def prepared(scanned: Scan, depth: int = 0, budget: list[int] | None = None) -> Text:
    """The placeholder form of a scanned text, its binds numbered by place."""
    source = numbered_scan(scanned)
    places = literal_places(scanned)
    dialect = scanned.dialect
    values = {
        p.ordinal: value_of(scanned.text[p.spans[0][0] : p.spans[0][1]], dialect) for p in places if p.kind == "string"
    }
    counts = {p.ordinal: len(p.spans) for p in places if len(p.spans) > 1}
    again = scan(source, dialect)
    if any(kind == "bind" for kind, _, _ in again.tokens):
        source = _numbered_binds(source, again)
        again = scan(source, dialect)
    words = [
        (kind, source[start:end].lower() if kind == "word" else source[start:end], start, end)
        for kind, start, end in again.tokens
    ]
    held = budget if budget is not None else [MAX_EMBEDDED]
    return Text(dialect, source, words, values, counts, depth, held, cut=not scanned.balanced)


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


# --- splitting ---------------------------------------------------------------------------------------------------------

_CODE = frozenset({"function", "procedure", "trigger", "package", "event", "type", "proc"})


def read(text: Text) -> list[Statement]:
    """All statements of a text."""
    found: list[Statement] = []
    for words in _split(text.words):
        found.extend(statements(text, words))
    return found or [Statement(understood="lexical", reason="empty")]


def _split(words: list[Word]) -> list[list[Word]]:
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
    return [(part[0][2], part[-1][3]) for part in _split(words)]


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
    if first in {"create", "alter"} and any(w[1] in _CODE for w in words[1:8]):
        # PostgreSQL's body is a string; everywhere else it runs to the end of the text.
        return not any(w[0] == "string" and before[1] == "as" for before, w in pairwise(words))
    return False


# --- one statement -----------------------------------------------------------------------------------------------------


def statements(text: Text, words: list[Word], *, body: bool = False) -> list[Statement]:
    from parsers.sql import embedded

    while (
        len(words) > 2
        and words[0][1] == "("
        and words[-1][1] == ")"
        and words[1][1] in {"select", "with", "("}
        and _encloses(words)
    ):
        words = words[1:-1]
    first = words[0][1]
    handled = embedded.GRAMMARS.get(first)
    if handled is not None:
        done = handled(text, words)
        if done is not None:
            return [_seen(text, words, done) if first in _DEFINING else done]
    return [by_tree(text, words, body=body)]


_DEFINING = frozenset({"create", "alter", "drop", "grant", "revoke"})


def _seen(text: Text, words: list[Word], statement: Statement) -> Statement:
    """A definition that our grammar named: it is understood by the tree where the parser knows it too."""
    if statement.understood != "lexical" or statement.reason != "grammar":
        return statement
    try:
        tree = sqlglot.parse_one(text.slice(words), dialect=text.dialect, max_nodes=MAX_NODES)
    except (SqlglotError, RecursionError):
        return statement
    known = isinstance(tree, (exp.Create, exp.Drop, exp.Alter, exp.Grant, exp.Revoke))
    return statement.but(understood="ast", reason="") if known else statement


def _encloses(words: list[Word]) -> bool:
    depth = 0
    for at, word in enumerate(words):
        if word[0] == "op":
            depth += (word[1] == "(") - (word[1] == ")")
            if depth == 0 and at < len(words) - 1:
                return False
    return True


def by_tree(text: Text, words: list[Word], *, body: bool = False) -> Statement:
    """A statement that sqlglot reads; what it leaves opaque is named by its first words."""
    from parsers.sql import embedded

    source, outfile = _without_outfile(text, words)
    verb = embedded.verb_of(words)
    try:
        tree = _parsed(text, source, words)
    except SqlglotError:
        if text.dialect == "tsql" and (parts := without_semicolons(words)):
            inner = tuple(one for part in parts for one in statements(text, part, body=body))
            if all(one.reason in {"", "grammar"} for one in inner):
                return Statement(understood="ast", verb=verb, inner=inner)
        return embedded.unparsed(text, words, "parse_error", verb)
    except RecursionError:
        return embedded.unparsed(text, words, "recursion", verb)
    if tree is None or isinstance(tree, (exp.Command, exp.Alias, exp.Column, exp.Literal, exp.Identifier)):
        return embedded.unparsed(text, words, "command", verb)
    try:
        statement = from_tree(text, tree, verb, body=body)
    except TooComplex:
        return embedded.unparsed(text, words, "too_complex", verb)
    except RecursionError:
        return embedded.unparsed(text, words, "recursion", verb)
    if outfile is not None:
        slots = tuple(slot for slot in statement.slots if slot.ordinal != outfile or slot.kind != "literal")
        path = (SlotUse("path", (), None, "literal", outfile),) if outfile else ()
        statement = statement.but(destination="file", slots=slots + path)
    return statement


def _parsed(text: Text, source: str, words: list[Word]) -> Any:
    try:
        return sqlglot.parse_one(source, dialect=text.dialect, max_nodes=MAX_NODES)
    except SqlglotError:
        if not text.cut:
            raise
        return sqlglot.parse_one(_repaired(text, words), dialect=text.dialect, max_nodes=MAX_NODES)


_NO_END = frozenset(
    [
        ",",
        "=",
        "and",
        "or",
        "in",
        "like",
        "between",
        "where",
        "on",
        "by",
        "not",
        "<",
        ">",
        "<=",
        ">=",
        "<>",
        "!=",
        "||",
        "+",
        "-",
        "*",
        "/",
        ".",
        "is",
        "as",
    ]
)  # no statement ends with one of these


def _repaired(text: Text, words: list[Word]) -> str:
    """A text that the log cut off, up to its last whole part, its brackets closed."""
    kept = list(words[:-1])
    depth = 0
    for word in kept:
        if word[0] == "op":
            depth += (word[1] == "(") - (word[1] == ")")
    while kept and (kept[-1][1] in _NO_END or kept[-1][1] == "("):
        depth -= kept.pop()[1] == "("
    return text.slice(kept) + ")" * max(0, min(depth, 200)) if kept else ""


def without_semicolons(words: list[Word]) -> list[list[Word]]:
    """T-SQL statements that stand behind one another: parts of the words, [] when there is only one."""
    starts = [0]
    depth = 0
    for at, (kind, word, _, _) in enumerate(words):
        if kind == "op":
            depth += (word == "(") - (word == ")")
        elif at and depth == 0 and kind == "word" and word in _BEGINS and _fresh(words, starts[-1], at):
            starts.append(at)
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


def _fresh(words: list[Word], start: int, at: int) -> bool:
    """Whether a verb begins a statement of its own."""
    word, before, first = words[at][1], words[at - 1][1], words[start][1]
    if (
        (before in _JOINED and not (before == "on" and first == "set"))
        or (word == "set" and first == "update")
        or (word == "select" and first in {"insert", "with", "create"})
    ):
        return False
    return not (word in {"update", "delete", "insert"} and first in {"create", "grant", "merge", "with"})


def _without_outfile(text: Text, words: list[Word]) -> tuple[str, int | None]:
    """Source without `INTO OUTFILE 'file' options`, and the ordinal of the file's name (0: not a literal)."""
    if text.dialect != "mysql":
        return text.slice(words), None
    for at in range(len(words) - 1):
        if words[at][1] == "into" and words[at + 1][1] in {"outfile", "dumpfile"}:
            break
    else:
        return text.slice(words), None
    stop = at + 2
    ordinal = ordinal_of(words[stop][1].strip("'")) or 0 if stop < len(words) else 0
    while stop < len(words) and words[stop][1] not in {"from", "where", "group", "order", "limit", "union", "having"}:
        stop += 1
    head = text.source[words[0][2] : words[at][2]]
    tail = text.source[words[stop][2] : words[-1][3]] if stop < len(words) else ""
    return head + " " + tail, ordinal


def from_tree(text: Text, tree: Any, verb: str, *, body: bool = False) -> Statement:
    """A parsed statement."""
    reader = Reader(text.dialect, text.counts, text.temporary)
    made = _from_tree(text, reader, tree, verb, body=body)
    if reader.sql_texts or reader.table_texts:
        from parsers.sql import embedded

        text.bound[0] = True
        code = {ordinal for ordinal in reader.sql_texts if embedded.looks_like_sql(text.values.get(ordinal, ""))}
        inner = embedded.run_texts(text, code) + embedded.run_tables(text, reader.table_texts)
        slots = tuple(
            SlotUse("dynamic", (), None, slot.kind, slot.ordinal, slot.count)
            if slot.kind == "literal" and slot.ordinal in code
            else slot
            for slot in made.slots
        )
        sent = any(name.casefold() in {"dblink_exec", "dblink_send_query"} for name in reader.calls) and reader.tables
        made = made.but(inner=inner, slots=slots, destination="other_database" if sent else made.destination)
    if reader.link and made.destination == "table" and any("@" in reader.tables[use] for use in reader.targets):
        made = made.but(destination="other_database")
    return made


def _from_tree(text: Text, reader: Reader, tree: Any, verb: str, *, body: bool) -> Statement:
    outer = reader.outer
    if isinstance(tree, (exp.Query, exp.Values)):
        relation = reader.query(tree, outer, None, None)
        into = _into(tree)
        if into is None or body or text.dialect in {"mysql", "oracle"}:
            return reader.statement(verb if verb != "other" else "select", relation.all(), relation.blocks)
        return _made_table(
            text, reader, relation, into.this, "select", temporary=bool(into.args.get("temporary")), query=tree
        )
    if isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        relation = reader.change(tree, outer)
        place = "table" if isinstance(tree, exp.Insert) else "client"
        if isinstance(tree, exp.Insert) and not isinstance(tree.expression, exp.Query):
            place = "client" if tree.args.get("returning") else "table"
        bare = (
            isinstance(tree, (exp.Update, exp.Delete)) and tree.args.get("where") is None and not tree.args.get("limit")
        )
        remote = any(reader.tables[use].count(".") >= 3 or "@" in reader.tables[use] for use in reader.targets)
        return reader.statement(
            verb, relation.all(), relation.blocks, destination="other_database" if remote else place, unrestricted=bare
        )
    if isinstance(tree, exp.Create):
        return _create(text, reader, tree)
    if isinstance(tree, exp.Copy):
        return _copy(reader, tree)
    if isinstance(tree, exp.Describe):
        tables = _names(reader, tree.this) if isinstance(tree.this, exp.Table) else ()
        return reader.statement("other", (), (), reads=tables)
    if isinstance(tree, (exp.Drop, exp.TruncateTable, exp.Alter)):
        return _definition_change(reader, tree, verb)
    if isinstance(tree, (exp.Grant, exp.Revoke)):
        target = tree.args.get("securable")
        return reader.statement(
            verb, (), (), reads=_names(reader, target) if target is not None else (), privilege_change=True
        )
    # Set, Use, Transaction, Analyze, Comment, Kill …: subqueries inside are read, nothing leaves.
    held: list[Ref] = []
    from parsers.sql.tree import Scope

    scope = Scope(reader.draft(), outer, None)
    if isinstance(tree.this, exp.Table):
        reader.use(reader.name(tree.this), scope)
    else:
        reader.walk(tree, scope, held)
    return reader.statement(verb, (), (0,))


def _names(reader: Reader, node: Any) -> tuple[str, ...]:
    found = [reader.name(table) for table in node.find_all(exp.Table)] if isinstance(node, exp.Expr) else []
    return tuple(dict.fromkeys(name for name in found if name))


def _into(tree: Any) -> Any:
    while isinstance(tree, (exp.SetOperation, exp.Subquery, exp.Paren)):
        tree = tree.this
    return tree.args.get("into") if isinstance(tree, exp.Select) else None


def _made_table(
    text: Text, reader: Reader, relation: Relation, target: Any, verb: str, *, temporary: bool, query: Any
) -> Statement:
    """CREATE TABLE AS, SELECT INTO, views: the result stays in the database."""
    from parsers.sql.tree import _Cte

    name = reader.name(target.this if isinstance(target, exp.Schema) else target)
    if temporary or name.startswith("#"):
        if query is not None:
            stripped = query.copy() if _into(query) is not None else query
            if (into := _into(stripped)) is not None:
                into.pop()
            text.temporary[name.casefold()] = _Cte(stripped, [], {**reader.outer})
        return reader.statement(verb, relation.all(), relation.blocks, destination="table", schema_change=False)
    reader.writes.append(name)
    place = "other_database" if "@" in name or name.count(".") >= 3 else "table"
    return reader.statement(verb, relation.all(), relation.blocks, destination=place, schema_change=True)


_RIGHTS = frozenset({"user", "role", "login", "profile", "policy", "credential", "application"})


def _create(text: Text, reader: Reader, tree: Any) -> Statement:
    kind = str(tree.args.get("kind") or "").lower()
    properties = tree.args.get("properties")
    listed = properties.expressions if properties is not None else ()
    temporary = any(isinstance(p, (exp.TemporaryProperty, exp.GlobalProperty)) for p in listed)
    target = tree.this
    query = tree.expression
    if isinstance(query, exp.Subquery) and isinstance(query.this, exp.Query):
        query = query.this
    if isinstance(query, exp.Query) and kind in {"table", "view"}:
        relation = reader.query(query, reader.outer, None, None)
        made = _made_table(text, reader, relation, target, "create", temporary=temporary, query=query)
        return made.but(definition=kind == "view" and not any(isinstance(p, exp.MaterializedProperty) for p in listed))
    like = [prop.this for prop in listed if isinstance(prop, exp.LikeProperty)]
    if isinstance(target, exp.Schema):
        like += [item.this for item in target.expressions if isinstance(item, exp.LikeProperty)]
        target = target.this
    reads = tuple(reader.name(table) for table in like if isinstance(table, exp.Table))
    if isinstance(target, exp.Index):
        table = target.args.get("table")
        if isinstance(table, exp.Table):
            reader.writes.append(reader.name(table))
    elif isinstance(target, exp.Table) and kind in {"table", "view", "foreign table"}:
        if not temporary:
            reader.writes.append(reader.name(target))
    elif isinstance(target, exp.UserDefinedFunction):
        pass
    return reader.statement(
        "create", (), (), reads=reads, schema_change=not temporary, privilege_change=kind in _RIGHTS
    )


def _copy(reader: Reader, tree: Any) -> Statement:
    from parsers.sql.tree import Scope

    inward = bool(tree.args.get("kind"))
    target = tree.this
    files = tree.args.get("files") or ()
    first = files[0] if files else None
    place = "client"
    if isinstance(first, exp.Literal):
        place = "file"
        if (slot := reader.placeholder(first)) is not None:
            reader.note(slot, "path", ())
    elif first is not None and str(getattr(first, "name", "")).upper() == "PROGRAM":
        place = "program"
    for param in tree.args.get("params") or ():
        ordinal = ordinal_of(str(getattr(param.this, "name", "") or param.this))
        if ordinal is not None and place == "program":
            reader.note(("literal", ordinal), "path", ())
    dangerous = ("os_command",) if place == "program" else ("server_file",) if place == "file" else ()
    if isinstance(target, exp.Subquery):
        relation = reader.query(target.this, reader.outer, None, None)
        return reader.statement("copy", relation.all(), relation.blocks, destination=place, dangerous=dangerous)
    columns = [str(column.name) for column in target.expressions] if isinstance(target, exp.Schema) else []
    table = target.this if isinstance(target, exp.Schema) else target
    scope = Scope(reader.draft(), reader.outer, None)
    relation = reader.use(reader.name(table), scope)
    if inward:
        reader._write(0)  # noqa: SLF001
        return reader.statement("copy", (), (0,), destination="table", dangerous=dangerous)
    outputs: list[Ref] = [((0,), column, False) for column in columns] or relation.all()
    scope.draft.outputs += outputs
    return reader.statement("copy", outputs, (0,), destination=place, dangerous=dangerous)


def _definition_change(reader: Reader, tree: Any, verb: str) -> Statement:
    kind = str(tree.args.get("kind") or "TABLE").upper()
    dangerous: tuple[str, ...]
    if isinstance(tree, exp.TruncateTable):
        nodes, dangerous = list(tree.expressions), ("truncate",)
    elif isinstance(tree, exp.Drop):
        nodes, dangerous = list(tree.args.get("tables") or ([tree.this] if tree.this is not None else [])), ()
        if kind in {"TABLE", "DATABASE", "SCHEMA", "TABLESPACE"} and not tree.args.get("temporary"):
            dangerous = ("drop",)
    else:
        nodes, dangerous = [tree.this], ()
        if any(isinstance(action, exp.Drop) for action in tree.args.get("actions") or ()):
            dangerous = ("drop",)
    names = tuple(reader.name(node) for node in nodes if isinstance(node, exp.Table))
    tables = kind in {"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", ""} or isinstance(tree, exp.TruncateTable)
    reader.writes += [name for name in names if name and tables]
    temporary = bool(names) and all(name.startswith("#") for name in names)
    return reader.statement(verb, (), (), schema_change=not temporary, dangerous=() if temporary else dangerous)


__all__ = ["REASONS", "Limit", "Text", "analyse", "name_of", "prepared", "structure"]

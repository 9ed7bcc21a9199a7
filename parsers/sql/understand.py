"""Text -> `Structure`, in a worker: limits, splitting, tree, grammars of ours, embedded SQL. Never raises.

Source of the rules: what sqlglot 30.30 leaves opaque (`Command`), refuses or misreads, tried one by one.
"""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from parsers.sql.aside import name_by_strings, set_aside, with_output, without_options
from parsers.sql.from_tree import from_tree
from parsers.sql.lexer import MAX_BYTES, Scan, scan, within_limits
from parsers.sql.lexical import Lexical, lexical_long, lexical_statements, lexical_whole, together
from parsers.sql.relations import TooComplex
from parsers.sql.splitting import encloses, split, without_semicolons
from parsers.sql.structure import Block, Condition, Pred, SlotUse, Statement, Structure
from parsers.sql.texts import Text, Word, prepared, tree_of
from parsers.sql.words import by_grammar, verb_of

# Its logger would write pieces of the statement.
sqlglot.logger.disabled = True

REASONS = frozenset({
    "", "too_long", "too_many_tokens", "too_deep", "joins_without_on", "too_many_statements", "too_complex", "recursion",
    "parse_error", "command", "grammar", "empty", "truncated", "failed", "killed", "crashed", "not_logged", "overload",
})  # fmt: skip


def structure(text: str, dialect: str) -> Structure:
    """What `text` says. Runs in a worker process; raises nothing, whatever the text."""
    if len(text) > MAX_BYTES:
        return lexically(text, dialect, "too_long")
    try:
        return analyse(scan(text, dialect))
    except RecursionError:
        return lexically(text, dialect, "recursion")
    except Exception:  # noqa: BLE001  a text that breaks the reader must not break the worker: its words remain
        return lexically(text, dialect, "failed")


def lexically(text: str, dialect: str, reason: str) -> Structure:
    """What the linear pass alone finds, for a text whose tree must not be tried (it killed a worker, or time is short)."""
    try:
        if len(text) > MAX_BYTES:
            return _worded(lexical_long(text, dialect), reason, narrowed=_where(scan(text[:16_384], dialect)))
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
    return _worded(lexical_whole(scanned), reason, narrowed=_where(scanned))


def _where(scanned: Scan) -> bool:
    return any(scanned.source(token).lower() == "where" for token in scanned.tokens[:2000])


def _worded(found: Lexical, reason: str, *, narrowed: bool) -> Structure:
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


def read(text: Text) -> list[Statement]:
    """All statements of a text."""
    found: list[Statement] = []
    for words in split(text.words):
        found.extend(statements(text, words))
    return found or [Statement(understood="lexical", reason="empty")]


def statements(text: Text, words: list[Word], *, body: bool = False) -> list[Statement]:
    from parsers.sql import embedded, grammars

    while (
        len(words) > 2
        and words[0][1] == "("
        and words[-1][1] == ")"
        and words[1][1] in {"select", "with", "("}
        and encloses(words)
    ):
        words = words[1:-1]
    first = words[0][1]
    if text.dialect == "tsql" and first not in _GOES_ON and (parts := without_semicolons(words)):
        return [_one_behind_another(text, words, parts, body=body)]
    if first in _CHANGES:
        text, words = without_options(text, words)
    if first == "select" and len(words) > 3 and text.dialect in {"mysql", "tsql"}:
        embedded.remember(text, words)
    handled = grammars.GRAMMARS.get(first)
    if handled is not None:
        done = handled(text, words)
        if done is not None:
            return [_seen(text, words, done) if first in _DEFINING else done]
    told = by_tree(text, words, body=body)
    if first not in _GIVES_OUT or text.dialect not in {"mysql", "tsql"}:
        return [told]
    if first == "select" and len(words) > 3 and words[2][1] in {"=", "+="} and words[1][0] == "bind":
        used = tuple(ref for root in told.roots for ref in told.blocks[root].used)
        if used and len(text.held) < 32:  # SELECT @s = @s + name FROM …
            text.held[words[1][1].casefold()] = (told.but(outputs=used),)
        return [told]
    into = next((i for i in range(len(words) - 1) if words[i][1] == "into" and words[i + 1][0] == "bind"), 0)
    if first == "select" and into and told.outputs and len(text.held) < 32:  # MySQL: SELECT name INTO @x FROM …
        text.held[words[into + 1][1].casefold()] = (told,)
        return [told]
    given = embedded.given_out(text, words)
    return [told.but(inner=(*told.inner, *given)) if given else told]


_GOES_ON = frozenset({"declare", "set"})  # they part the words themselves, for the sake of what a variable holds
SETTING = frozenset({"begin", "declare", "fetch", "other", "set"})  # verbs that say little of what is done
MAX_PARTS = 200


def _one_behind_another(text: Text, words: list[Word], parts: list[list[Word]], *, body: bool) -> Statement:
    """T-SQL statements without a semicolon: one statement, named by the first that does more than set something."""
    goes_on = next((at for at, part in enumerate(parts) if part[0][1] in _GOES_ON), len(parts))
    read = min(goes_on, MAX_PARTS)
    rest = [words[sum(map(len, parts[:read])) :]] if read < len(parts) else []
    inner = [one for part in parts[:read] for one in statements(text, part, body=body)]
    for part in rest:
        known = part[0][1] in _GOES_ON
        inner += statements(text, part, body=body) if known else [by_tree(text, part, body=body)]
    verb = next((one.verb for one in inner if one.verb not in SETTING), inner[0].verb)
    if all(one.reason in {"", "grammar"} for one in inner):
        return Statement(understood="ast", verb=verb, inner=tuple(inner))
    return by_grammar(verb, inner=tuple(inner))


_GIVES_OUT = frozenset({"select", "print", "raiserror", "insert", "return"})
_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_DEFINING = frozenset({"create", "alter", "drop", "grant", "revoke"})


def _seen(text: Text, words: list[Word], statement: Statement) -> Statement:
    """A definition that our grammar named: it is understood by the tree where the parser knows it too."""
    if statement.understood != "lexical" or statement.reason != "grammar":
        return statement
    try:
        tree = tree_of(text.slice(words), text.dialect)
    except (SqlglotError, RecursionError):
        return statement
    known = isinstance(tree, (exp.Create, exp.Drop, exp.Alter, exp.Grant, exp.Revoke))
    return statement.but(understood="ast", reason="") if known else statement


def by_tree(text: Text, words: list[Word], *, body: bool = False) -> Statement:
    """A statement that sqlglot reads; what it leaves opaque is named by its first words."""
    from parsers.sql import embedded, grammars

    aside = set_aside(text, words)
    verb = verb_of(words)
    try:
        tree = _parsed(text, aside.source, words)
        given_to = with_output(text, tree, aside)
        if text.dialect == "tsql" and tree is not None:
            name_by_strings(text, tree)
    except SqlglotError:
        return grammars.unparsed(text, words, "parse_error", verb)
    except RecursionError:
        return grammars.unparsed(text, words, "recursion", verb)
    if tree is None or isinstance(tree, (exp.Command, exp.Alias, exp.Column, exp.Literal, exp.Identifier)):
        return grammars.unparsed(text, words, "command", verb)
    try:
        statement = from_tree(text, tree, verb, body=body)
    except TooComplex:
        return grammars.unparsed(text, words, "too_complex", verb)
    except RecursionError:
        return grammars.unparsed(text, words, "recursion", verb)
    statement = statement.but(inner=(*statement.inner, *embedded.put_together(text, words)))
    if given_to:
        kept = () if given_to.startswith(("#", "@")) else (given_to,)
        statement = statement.but(destination="table", writes=(*statement.writes, *kept))
    if (outfile := aside.outfile) is not None:
        slots = tuple(slot for slot in statement.slots if slot.ordinal != outfile or slot.kind != "literal")
        path = (SlotUse("path", (), None, "literal", outfile),) if outfile else ()
        statement = statement.but(destination="file", slots=slots + path)
    return statement


def _parsed(text: Text, source: str, words: list[Word]) -> Any:
    try:
        return tree_of(source, text.dialect)
    except SqlglotError:
        if not text.cut:
            raise
        return tree_of(_repaired(text, words), text.dialect)


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

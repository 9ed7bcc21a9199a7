r"""Tokens of SQL text, exactly and in linear time, for four dialects. Imports nothing heavy: workers load it.

Every closer of a pattern may also be the end of the text (`\Z`), so unclosed quotes and comments cost one pass, and
every repetition is possessive. All non-ASCII characters are letters here, as servers read them.

References: PostgreSQL manual 4.1 (lexical structure), MySQL manual 9 (language structure), Oracle SQL reference 2
(literals, `q'[...]'`), Transact-SQL reference (nested comments, bracketed names).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

DIALECTS = ("postgres", "mysql", "oracle", "tsql")

MAX_BYTES = 256 * 1024
MAX_TOKENS = 20_000
MAX_DEPTH = 200
MAX_JOIN_RUN = 12
MAX_STATEMENTS = 100

Token = tuple[str, int, int]  # kind, start, end; kinds: word quoted string number bind op exec execend


@dataclass(frozen=True, slots=True)
class Scan:
    """Tokens of one text (blanks and comments left out) and the totals that the limits look at."""

    text: str
    dialect: str
    tokens: list[Token]
    comments: list[tuple[int, int]]
    depth: int  # deepest nesting of brackets
    statements: int  # not empty ones, separated by semicolons
    join_run: int  # most JOINs open at once that still want their ON or USING
    balanced: bool  # brackets, quotes and comments all closed

    def source(self, token: Token) -> str:
        return self.text[token[1] : token[2]]


@dataclass(slots=True)
class Place:
    """A literal place of the shape: one value, or the values of a collapsed list. Spans lie in the scanned text."""

    ordinal: int
    kind: str  # "string" or "number"
    spans: list[tuple[int, int]] = field(default_factory=list)
    in_list: bool = False  # it stands in an IN list or a VALUES row, so the number of its values may vary in the shape


_BLANK = r"[ \t\r\n\f\v]++"
_LETTER = r"A-Za-z_\x80-\U0010ffff"
_NUMBER = (
    r"0[xX][0-9a-fA-F]++(?![{w}$])|0[bB][01]++(?![{w}$])|0[oO][0-7]++(?![{w}$])"
    r"|(?:[0-9]++(?:_[0-9]++)*+(?:\.(?!\.)[0-9]*+)?|\.{point}[0-9]++)(?:[eE][+-]?[0-9]++)?"
).replace("{w}", _LETTER + "0-9")
# MySQL: digits behind `name.` are a name; a name that ends in more digits than this is not looked for
_NAMES_DIGITS = 8
_NAMES = [rf"[{_LETTER}$]" + "[0-9]" * digits for digits in range(_NAMES_DIGITS + 1)]
_BEHIND_NAME = "(?:" + "|".join(rf"(?<={name}\.)" for name in _NAMES) + ")"
_NOT_BEHIND_NAME = "".join(rf"(?<!{name}\.)" for name in _NAMES)
_OPERATORS = (
    "<=>", "->>", "#>>", "~~*", "!~~", "!~*", "<=", ">=", "<>", "!=", "^=", "||", "&&", "::", ":=", "=>", "->", "#>",
    "@>", "<@", "~~", "~*", "!~", "**", "..", "<<", ">>", "?|", "?&", "@?", "@@", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
)  # fmt: skip


def operators(dialect: str) -> tuple[str, ...]:
    """Signs of several characters; `@`, `#` and `?` make them in PostgreSQL only, elsewhere they begin names and binds."""
    return _OPERATORS if dialect == "postgres" else tuple(op for op in _OPERATORS if not set(op) & set("@#?"))


@cache
def ambiguous(dialect: str) -> frozenset[str]:
    """Two characters that would read as one sign when they met: a blank between them is part of the structure."""
    return frozenset({op[i : i + 2] for op in operators(dialect) for i in range(len(op) - 1)} | {"--", "/*", "*/"})


_PLAIN = r"'(?:[^']++|'')*+(?:'|\Z)"
_ESCAPED = r"'(?:[^'\\]++|\\(?:.|\Z)|'')*+(?:'|\Z)"
_DOUBLE = r'"(?:[^"]++|"")*+(?:"|\Z)'
# No possessive group with a lookahead inside: older CPython 3.11 matches that wrongly, and Debian 12 ships 3.11.2.
_FLAT_COMMENT = r"/\*(?:.*?\*/|.*+)"

_STRING = {
    "postgres": rf"[eE]{_ESCAPED}|(?:[nNxXbB]|[uU]&)?{_PLAIN}"
    rf"|\$(?P<tag>(?:[{_LETTER}][{_LETTER}0-9]*+)?)\$(?:.*?\$(?P=tag)\$|.*+)",
    "mysql": rf"[nNxXbB]?{_ESCAPED}|" + r'"(?:[^"\\]++|\\(?:.|\Z)|"")*+(?:"|\Z)',
    "oracle": r"[nN]?[qQ]'(?:\[(?:.*?\]'|.*+)|\{(?:.*?\}'|.*+)|\((?:.*?\)'|.*+)|<(?:.*?>'|.*+)"
    rf"|(?P<mark>[^\s'\[{{(<])(?:.*?(?P=mark)'|.*+))|[nN]?{_PLAIN}",
    "tsql": rf"[nN]?{_PLAIN}",
}
_QUOTED = {
    "postgres": rf"(?:[uU]&)?{_DOUBLE}",
    "mysql": r"`(?:[^`]++|``)*+(?:`|\Z)",
    "oracle": _DOUBLE,
    "tsql": rf"\[(?:[^\]]++|\]\])*+(?:\]|\Z)|{_DOUBLE}",
}
_COMMENT = {
    "postgres": r"--[^\r\n]*+|/\*",
    "mysql": rf"--(?=[\x00-\x20]|\Z)[^\n]*+|\#[^\n]*+|(?!/\*M?!){_FLAT_COMMENT}",
    "oracle": rf"--[^\n]*+|{_FLAT_COMMENT}",
    "tsql": r"--[^\n]*+|/\*",
}
_BIND = {
    "postgres": rf"\$[0-9]++|:[{_LETTER}][{_LETTER}0-9$]*+|\?(?![|&])|%s(?![{_LETTER}0-9])",
    "mysql": rf"\?|:[{_LETTER}0-9$]++|@@?+[{_LETTER}0-9$.]++|%s(?![{_LETTER}0-9])",
    "oracle": rf":[{_LETTER}0-9][{_LETTER}0-9$\#]*+|\?",
    "tsql": rf"@@?+[{_LETTER}0-9$\#@]++|\?|:[{_LETTER}0-9$\#@]++|%s(?![{_LETTER}0-9])",
}
_WORD = {
    "postgres": rf"[{_LETTER}$][{_LETTER}0-9$]*+",
    # MySQL: a name may begin with digits; six and more are taken for a number, for privacy
    "mysql": rf"[{_LETTER}$][{_LETTER}0-9$]*+|(?!0[xX][0-9a-fA-F]++(?![{_LETTER}0-9$]))(?!0[bB][01]++(?![{_LETTER}0-9$]))"
    rf"(?![0-9]++[eE][+-]?[0-9]++(?![{_LETTER}0-9$]))(?![0-9_]{{6}})[0-9]++[{_LETTER}$][{_LETTER}0-9$]*+"
    rf"|(?=[0-9]){_BEHIND_NAME}(?![0-9_]{{6}})[0-9]++[{_LETTER}0-9$]*+",
    "oracle": rf"[{_LETTER}$\#][{_LETTER}0-9$\#]*+",
    "tsql": rf"[{_LETTER}$\#][{_LETTER}0-9$\#@]*+",
}
_EXEC = r"(?P<exec>/\*M?![0-9]*+)|"
_EXEC_END = r"(?P<execend>\*/)|"

# a sign after one of these belongs to the number behind it
UNARY_AFTER = frozenset(
    {
        "select",
        "and",
        "or",
        "then",
        "else",
        "when",
        "between",
        "limit",
        "offset",
        "return",
        "not",
        "where",
        "having",
        "on",
        "by",
        "like",
        "in",
    }
)

_NESTED = re.compile(r"/\*|\*/")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


@cache
def _pattern(dialect: str, *, inside: bool = False) -> re.Pattern[str]:
    """`inside`: an executable comment of MySQL is open, so `*/` closes it."""
    signs = "|".join(re.escape(op) for op in operators(dialect))
    number = _NUMBER.replace("{point}", _NOT_BEHIND_NAME if dialect == "mysql" else "")
    return re.compile(
        rf"(?P<blank>{_BLANK})|(?P<comment>{_COMMENT[dialect]})|"
        + (_EXEC if dialect == "mysql" else "")
        + (_EXEC_END if inside else "")
        + rf"(?P<string>{_STRING[dialect]})|(?P<quoted>{_QUOTED[dialect]})|(?P<bind>(?!::|:=){_grouped(_BIND[dialect])})"
        rf"|(?P<word>{_WORD[dialect]})|(?P<number>{number})|(?P<op>{signs}|.)",
        re.DOTALL,
    )


def _grouped(pattern: str) -> str:
    return f"(?:{pattern})"


def known(dialect: str | None) -> str:
    """The dialect whose lexical rules hold: an unknown one is read as standard SQL, which is PostgreSQL's lexer."""
    return dialect if dialect in DIALECTS else "postgres"


def _comment_end(text: str, start: int) -> int:
    """End of a comment that may hold others (PostgreSQL, SQL Server)."""
    depth = 0
    for mark in _NESTED.finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def _raw(text: str, dialect: str) -> Iterator[Token]:
    pattern = _pattern(dialect)
    if dialect == "oracle" or "/*" not in text:
        for match in pattern.finditer(text):
            yield match.lastgroup or "op", match.start(), match.end()
        return
    at, end, executable = 0, len(text), 0
    inside = _pattern(dialect, inside=dialect == "mysql")
    while at < end:
        found = (inside if executable else pattern).match(text, at)
        if found is None:  # cannot happen: the last alternative takes any character
            return
        kind, stop = found.lastgroup or "op", found.end()
        if kind == "comment" and dialect != "mysql" and text.startswith("/*", at):
            stop = _comment_end(text, at)
        elif kind == "exec":
            executable += 1
        elif kind == "execend":
            executable -= 1
        yield kind, at, stop
        at = stop


def scan(text: str, dialect: str) -> Scan:
    """Tokens and totals of `text`. Never raises; linear in the length of the text."""
    dialect = known(dialect)
    tokens: list[Token] = []
    comments: list[tuple[int, int]] = []
    executable = 0
    closed = True
    for kind, start, end in _raw(text, dialect):
        if kind == "blank":
            continue
        if kind == "comment":
            comments.append((start, end))
            continue
        if kind == "exec":
            executable += 1
        elif kind == "execend":
            executable -= 1
        tokens.append((kind, start, end))
    if text:
        closed = executable == 0 and _last_closed(text, dialect, tokens, comments)
    depth, statements, join_run, even = _totals(text, tokens)
    return Scan(text, dialect, tokens, comments, depth, statements, join_run, closed and even)


def _last_closed(text: str, dialect: str, tokens: list[Token], comments: list[tuple[int, int]]) -> bool:
    """Whether the last thing of the text has its closing mark: only that one can run into the end."""
    if comments and comments[-1][1] == len(text):
        last = text[comments[-1][0] : comments[-1][1]]
        if last.startswith("/*"):
            opened = (
                sum(1 if mark.group() == "/*" else -1 for mark in _NESTED.finditer(last))
                if dialect in {"postgres", "tsql"}
                else 0
            )
            return opened == 0 and len(last) >= 4 and last.endswith("*/")
        return True
    if not tokens or tokens[-1][2] != len(text) or tokens[-1][0] not in {"string", "quoted"}:
        return True
    kind, start, end = tokens[-1]
    return _content(text[start:end], kind, dialect) is not None


def _totals(text: str, tokens: list[Token]) -> tuple[int, int, int, bool]:
    deepest = statements = longest = 0
    brackets: list[str] = []
    waiting = [0]
    even = True
    empty = True
    previous = ""
    for kind, start, end in tokens:
        if kind == "op":
            char = text[start:end]
            if char in "([{":
                brackets.append(char)
                waiting.append(0)
                deepest = max(deepest, len(brackets))
            elif char in ")]}":
                if brackets and brackets[-1] == _CLOSERS[char]:
                    brackets.pop()
                    waiting.pop()
                else:
                    even = False
            elif char == ";":
                statements += not empty
                empty = True
                waiting[-1] = 0
                previous = ""
                continue
        elif kind == "word" and end - start < 16:
            word = text[start:end].lower()
            if word in {"join", "straight_join"}:
                if previous not in {"cross", "natural"}:
                    waiting[-1] += 1
                    longest = max(longest, waiting[-1])
            elif word in {"on", "using"}:
                waiting[-1] = max(0, waiting[-1] - 1)
            elif word in {"where", "union", "select", "set"}:
                waiting[-1] = 0
            previous = word
        empty = False
    return deepest, statements + (not empty), longest, even and not brackets


def within_limits(scanned: Scan) -> str | None:
    """Reason code when the text is too much for a tree, None when it may be parsed. The same for every run."""
    if len(scanned.text) > MAX_BYTES or len(scanned.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return "too_long"
    if len(scanned.tokens) > MAX_TOKENS:
        return "too_many_tokens"
    if scanned.depth > MAX_DEPTH:
        return "too_deep"
    if scanned.join_run > MAX_JOIN_RUN:
        return "joins_without_on"
    if scanned.statements > MAX_STATEMENTS:
        return "too_many_statements"
    return None


# --- shape: tokens with literals as places -------------------------------------------------------------------------

_Item = tuple[str, int, int, Place | None]


def _items(scanned: Scan) -> list[_Item]:
    """Tokens with signs joined to numbers, lists collapsed and literals numbered."""
    items = _collapse_rows(scanned.text, _collapse_lists(scanned.text, _with_signs(scanned)))
    ordinal = 0
    for item in items:
        if item[3] is not None:
            ordinal += 1
            item[3].ordinal = ordinal
    return items


def _with_signs(scanned: Scan) -> list[_Item]:
    text = scanned.text
    items: list[_Item] = []
    for kind, start, end in scanned.tokens:
        if kind == "number":
            signed = (
                items
                and items[-1][0] == "op"
                and text[items[-1][1] : items[-1][2]] in {"-", "+"}
                and _unary(text, items)
            )
            begin = items.pop()[1] if signed else start
            items.append((kind, begin, end, Place(0, "number", [(begin, end)])))
        elif kind == "string":
            items.append((kind, start, end, Place(0, "string", [(start, end)])))
        else:
            items.append((kind, start, end, None))
    return items


def _unary(text: str, items: list[_Item]) -> bool:
    """Whether the sign that ends `items` belongs to the number after it."""
    if len(items) == 1:
        return True
    kind, start, end, _ = items[-2]
    if kind == "op":
        return text[end - 1] not in ")].}"
    return kind == "word" and end - start < 10 and text[start:end].lower() in UNARY_AFTER


def _is(text: str, item: _Item, char: str) -> bool:
    return item[0] == "op" and text[item[1] : item[2]] == char


def _collapse_lists(text: str, items: list[_Item]) -> list[_Item]:
    """`IN (1, 2, 3)` and `ARRAY[1, 2, 3]` become one place each, where all values are of one kind."""
    out: list[_Item] = []
    at = 0
    while at < len(items):
        item = items[at]
        out.append(item)
        at += 1
        if item[0] != "word" or item[2] - item[1] not in {2, 5} or at + 2 >= len(items):
            continue
        word = text[item[1] : item[2]].lower()
        opener, closer = ("(", ")") if word == "in" else ("[", "]") if word == "array" else ("", "")
        first = items[at + 1][3]
        if not opener or not _is(text, items[at], opener) or first is None:
            continue
        stop = at + 2
        spans = list(first.spans)
        while stop + 1 < len(items) and _is(text, items[stop], ","):
            value = items[stop + 1][3]
            if value is None or value.kind != first.kind:
                break
            spans.extend(value.spans)
            stop += 2
        if stop < len(items) and _is(text, items[stop], closer):
            first.spans, first.in_list = spans, True
            out.extend((items[at], items[at + 1], items[stop]))
            at = stop + 1
    return out


def _closings(text: str, items: list[_Item]) -> dict[int, int]:
    """Index of an opening bracket -> index behind its closing one. One pass: nested rows must not cost a pass each."""
    closings: dict[int, int] = {}
    opened: list[int] = []
    for index, item in enumerate(items):
        if item[0] == "op":
            char = text[item[1] : item[2]]
            if char in {"(", "["}:
                opened.append(index)
            elif char in {")", "]"} and opened:
                closings[opened.pop()] = index + 1
    return closings


def _collapse_rows(text: str, items: list[_Item]) -> list[_Item]:
    """Of `VALUES (1, 'a'), (2, 'b')` the first row stays; its places hold the values of all rows like it."""
    if not any(
        item[0] == "word" and item[2] - item[1] == 6 and text[item[1] : item[2]].lower() == "values" for item in items
    ):
        return items
    closings = _closings(text, items)
    out: list[_Item] = []
    at = 0
    while at < len(items):
        item = items[at]
        out.append(item)
        at += 1
        if item[0] != "word" or item[2] - item[1] != 6 or text[item[1] : item[2]].lower() != "values":
            continue
        at = _rows(text, items, closings, at, out)
    return out


def _rows(text: str, items: list[_Item], closings: dict[int, int], at: int, out: list[_Item]) -> int:
    """Copy the rows that start at `at` to `out`, equal neighbours once; index behind them."""
    kept: list[_Item] = []
    kept_form: list[str] = []
    first = True
    while at < len(items):
        comma = not first
        if comma and not (_is(text, items[at], ",") and at + 1 < len(items)):
            break
        start = at + comma
        if not _is(text, items[start], "("):
            break
        stop = closings.get(start, 0)
        if stop == 0:
            break
        row = items[start:stop]
        form = [_canonical(text, entry) for entry in row]
        if form == kept_form:
            for mine, theirs in zip(kept, row, strict=True):
                if mine[3] is not None and theirs[3] is not None:
                    mine[3].spans.extend(theirs[3].spans)
                    mine[3].in_list = True
        else:
            out.extend(items[at:stop])
            kept, kept_form = row, form
            for entry in row:
                if entry[3] is not None:
                    entry[3].in_list = True
        at = stop
        first = False
    return at


def _canonical(text: str, item: _Item) -> str:
    kind = item[0]
    if kind == "string":
        return "'?'"
    if kind == "number":
        return "0"
    source = text[item[1] : item[2]]
    if kind == "quoted":  # `u & "x"` is another thing than `u&"x"`, and all words are lower case
        return "U" + source[1:] if source[0] == "u" else source
    return source.lower()


def _wordy(char: str, extra: str) -> bool:
    return char.isalnum() or char == "_" or char in extra or char > "\x7f"


WORD_SIGNS = {"postgres": "$", "mysql": "$@", "oracle": "$#", "tsql": "$#@"}


def exact_shape(scanned: Scan) -> str:
    """The text without literals: strings as `'?'`, numbers as `0`, one spelling for blanks, case and lists."""
    text = scanned.text
    items = _items(scanned)
    while items and _is(text, items[-1], ";"):
        items.pop()
    extra, pairs = WORD_SIGNS[scanned.dialect], ambiguous(scanned.dialect)
    parts: list[str] = []
    last, before = "", ""
    for item in items:
        part = _canonical(text, item)
        if last and _apart(last, before, part[0], item[0], extra, pairs):
            parts.append(" ")
        parts.append(part)
        last, before = part[-1], item[0]
    return "".join(parts) + (CUT_MARK if cut_by_comment(scanned) else "")


CUT_MARK = " --'"


def cut_by_comment(scanned: Scan) -> bool:
    """The text ends in a comment that holds half of a quoted value: `... WHERE name = 'x' -- ' AND ...`.

    The one comment that matters: a value broke out of its quotes. So it has a shape of its own.
    """
    if not scanned.comments:
        return False
    start, end = scanned.comments[-1]
    if (
        scanned.text.startswith("/*", start)
        or scanned.text.count("'", start, end) % 2 == 0
        or scanned.text[end:].strip()
    ):
        return False
    return any(
        kind == "word" and stop - at == 5 and scanned.text[at:stop].lower() == "where"
        for kind, at, stop in scanned.tokens
    )


def _apart(last: str, before: str, first: str, kind: str, extra: str, pairs: frozenset[str]) -> bool:
    """Whether a blank must stand between two tokens, so that they don't read as one or as others."""
    if before == "quoted" and (first == last or kind == "quoted"):
        return True
    if before == kind == "string":
        return True
    return before == "exec" or last + first in pairs or (_wordy(last, extra) and _wordy(first, extra))


def literal_places(scanned: Scan) -> list[Place]:
    """Places of literals in order of text, as the shape counts them; `places[i].ordinal == i + 1`."""
    return [item[3] for item in _items(scanned) if item[3] is not None]


NUMBER_BASE = 9_000_000_000


def numbered(text: str, dialect: str) -> str:
    """The shape as SQL that parses, with literal place i as `'⟦si⟧'` or the number 9000000000 + i.

    Comments gone, executable comments unwrapped, Oracle's `:1` a named bind (`:b1`), names normalised.
    """
    return numbered_scan(scan(text, dialect))


def numbered_scan(scanned: Scan) -> str:
    text = scanned.text
    parts: list[str] = []
    behind = 0
    for kind, start, end, place in _items(scanned):
        if start > behind or kind in {"exec", "execend"}:
            parts.append(" ")
        behind = end
        source = text[start:end]
        if place is not None:
            parts.append(f"'⟦s{place.ordinal}⟧'" if kind == "string" else f" {NUMBER_BASE + place.ordinal}")
        elif kind in {"exec", "execend"}:
            continue
        elif kind == "bind" and scanned.dialect == "oracle" and source[1:2].isdigit():
            parts.append(":b" + source[1:])
        elif kind == "word":
            parts.append(normalised(source))
        elif kind == "quoted":
            parts.append(_requoted(source, scanned.dialect))
        else:
            parts.append(max(source, " "))  # a control character parts words, and is none
    return "".join(parts).strip()


_ORDINAL = re.compile(r"⟦s([0-9]{1,6})⟧")


def ordinal_of(literal: str) -> int | None:
    """Ordinal that a placeholder of `numbered` stands for (text of a string or of a number), None for other text."""
    found = _ORDINAL.fullmatch(literal)
    if found:
        return int(found.group(1))
    if literal.isascii() and literal.isdigit() and len(literal) == 10 and literal.startswith("9"):
        return int(literal) - NUMBER_BASE
    return None


# --- values and names ----------------------------------------------------------------------------------------------

_MYSQL_ESCAPE = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}
_C_ESCAPE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ESCAPES = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL)
_UNICODE = re.compile(r"\\(?:\\|\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))")
_Q_CLOSERS = {"[": "]", "{": "}", "(": ")", "<": ">"}


def _content(source: str, kind: str, dialect: str) -> str | None:
    """What stands between the quotes, escapes undone; None when the closing quote is missing."""
    if kind == "string" and source.startswith("$"):
        tag = source[: source.index("$", 1) + 1]
        return source[len(tag) : -len(tag)] if len(source) >= 2 * len(tag) and source.endswith(tag) else None
    at = next((i for i, char in enumerate(source[:3]) if char in "'\"`["), 0)
    prefix, quote = source[:at].lower(), source[at]
    body = source[at + 1 :]
    if dialect == "oracle" and prefix.endswith("q"):
        closer = _Q_CLOSERS.get(body[:1], body[:1]) + "'"
        return body[1 : -len(closer)] if len(body) > len(closer) and body.endswith(closer) else None
    closer = "]" if quote == "[" else quote
    escapes = kind == "string" and (dialect == "mysql" or prefix == "e")
    inner = _unescaped_end(body, closer, escapes=escapes)
    if inner is None:
        return None
    return _undone(body[:inner].replace(closer * 2, closer), prefix, dialect, escapes=escapes)


def _unescaped_end(body: str, closer: str, *, escapes: bool) -> int | None:
    """Index of the closing quote, which must be the last character and not part of a pair or an escape."""
    if not body.endswith(closer):
        return None
    if escapes:
        at = 0
        while at < len(body):
            if body[at] == "\\" or body.startswith(closer * 2, at):
                at += 2
            elif body[at] == closer:
                return at if at == len(body) - 1 else None
            else:
                at += 1
        return None
    run = len(body) - len(body.rstrip(closer))
    return len(body) - 1 if run % 2 == 1 else None


def _undone(inner: str, prefix: str, dialect: str, *, escapes: bool) -> str:
    if prefix == "u&":
        return _UNICODE.sub(_code_point, inner)
    if not escapes or "\\" not in inner:
        return inner
    if dialect == "mysql":
        return _ESCAPES.sub(
            lambda found: _MYSQL_ESCAPE.get(found.group(1)[0], found.group(1)[0]) + found.group(1)[1:], inner
        )
    return _ESCAPES.sub(_c_escape, inner)


def _code_point(found: re.Match[str]) -> str:
    digits = found.group(1) or found.group(2)
    if digits is None:
        return "\\"
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _c_escape(found: re.Match[str]) -> str:
    code = found.group(1)
    if code[0] in "xuU" and len(code) > 1:
        value = int(code[1:], 16)
        return chr(value) if value <= 0x10FFFF else "\ufffd"
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return _C_ESCAPE.get(code, code)


def value_of(source: str, dialect: str) -> str:
    """Value of a literal as written: a string without quotes and escapes, a number as it stands (sign without blanks)."""
    if source[:1] in "0123456789.+-":
        return "".join(source.split())
    inner = _content(source, "string", known(dialect))
    if inner is not None:
        return inner
    return source.lstrip("eEnNxXbBuUqQ&").lstrip("'\"") if source[:1] != "$" else source.lstrip("$")


def normalised(word: str) -> str:
    """A name as it is matched: full-width letters as plain ones, format and zero-width characters gone."""
    if word.isascii():
        return word
    kept = "".join(char for char in word if unicodedata.category(char) != "Cf")
    folded = [(char, unicodedata.normalize("NFKC", char)) for char in kept]
    return "".join(plain if plain.isalnum() or plain in {"_", "$", "#", " "} else char for char, plain in folded)


def name_of(source: str, dialect: str) -> str:
    """A table, column or other name without its quotes, normalised; case as written."""
    if source[:1] in '"`[' or source[:3].lower() == 'u&"':
        inner = _content(source, "quoted", known(dialect))
        return normalised(inner if inner is not None else source.lstrip("uU&").lstrip('"`['))
    return normalised(source)


def _requoted(source: str, dialect: str) -> str:
    if source.isascii() and source[:1] not in "uU":
        return source
    name = name_of(source, dialect)
    if source[:1] == "[":
        return "[" + name.replace("]", "]]") + "]"
    quote = "`" if dialect == "mysql" else '"'
    return quote + name.replace(quote, quote * 2) + quote

"""Text that a statement puts together from constants, to be run as SQL.

`'sel' || CHR(101) || 'ct'`, 0x53454c…, UNHEX('…'), variables given earlier in the same text. What is not constant stands
as an unknown name.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from parsers.sql.lexer import ordinal_of

Word = tuple[str, str, int, int]  # kind, lower text (of words) or text, start, end

UNKNOWN = "hw_unknown"  # stands for what is not known inside SQL that is put together
MAX_TEXT = 262_144  # characters of a text put together
MAX_REPLACED = 32_768  # of which REPLACE may make that many
MAX_VARIABLES = 200
MAX_INSIDE = 12  # functions around functions

_PASSED = frozenset(
    """quote_ident quote_literal concat quotename text dbms_assert to_clob to_char trim ltrim rtrim lower upper n
    cast convert try_cast try_convert utl_raw utl_encode sys utl_i18n dbms_lob varchar nvarchar varchar2
    nvarchar2 max clob binary varbinary utf8mb4 utf8 latin1 simple_sql_name enquote_name""".split()  # noqa: SIM905
)
_CHARACTERS = frozenset({"chr", "char", "nchar", "unichar"})
_HEX = frozenset({"unhex", "hextoraw", "cast_to_varchar2", "cast_to_nvarchar2", "raw_to_char"})
_CUTS = frozenset({"substring", "substr", "mid", "left", "right", "stuff"})
_BASE64 = frozenset({"from_base64", "base64_decode"})


@dataclass(slots=True)
class Constants:
    """Values of the literals of one text, and of the variables it has given a value so far."""

    strings: Mapping[int, str]
    numbers: Mapping[int, str]
    variables: dict[str, str] = field(default_factory=dict)
    read: bool = False  # some value was looked at: what is found holds for this text only

    def assign(self, name: str, value: str, *, added: bool = False) -> None:
        """A variable's new value; "" forgets it."""
        name = name.casefold()
        value = (self.variables.get(name, "") if added else "") + value
        if value and len(value) <= MAX_TEXT and (name in self.variables or len(self.variables) < MAX_VARIABLES):
            self.variables[name] = value
        else:
            self.variables.pop(name, None)

    def text(self, words: list[Word], inside: int = 0) -> str:
        """The text that an expression makes; parts that are not constant are an unknown name between the others."""
        parts: list[str] = []
        gap = False
        at = size = 0
        while at < len(words) and size < MAX_TEXT:
            known, behind = self._constant(words, at, inside)
            if known is not None:
                if gap and parts:
                    parts.append(f" {UNKNOWN} ")
                parts.append(known)
                size += len(known)
                gap = False
            elif words[at][0] in {"quoted", "bind", "number"} or (
                words[at][0] == "word" and words[at][1] not in _PASSED
            ):
                gap = True
            at = behind
        return "".join(parts)[:MAX_TEXT]

    def _constant(self, words: list[Word], at: int, inside: int) -> tuple[str | None, int]:
        """The constant that starts at a word (None: none does), and where what was read ends."""
        kind, word, _, _ = words[at]
        if kind in {"string", "number"}:
            return self._literal(kind, word), at + 1
        if kind in {"bind", "word", "quoted"} and (value := self.variables.get(word.casefold())) is not None:
            return value, at + 1
        if kind != "word":
            return None, at + 1
        if word in {"as", "using"}:  # CAST(x AS type), CHAR(… USING utf8)
            return None, closing(words, at, 1)
        if at + 1 >= len(words) or words[at + 1][1] != "(" or inside >= MAX_INSIDE:
            return None, at + 1
        stop = closing(words, at + 2, 1)
        arguments = words[at + 2 : stop]
        if word in _CHARACTERS:
            return self._characters(arguments), stop + 1
        if word in _CUTS:
            return self._cut(word, split_by_comma(arguments), inside), stop + 1
        made = _FUNCTIONS.get(word)
        if made is not None:
            given = [self.text(part, inside + 1) for part in split_by_comma(arguments)]
            return made(given), stop + 1
        if word in {"convert", "try_convert"} and arguments[:1] and arguments[0][0] == "word":
            if any(each[1] == "using" for each in arguments):  # CONVERT(UNHEX('…') USING utf8)
                return None, at + 1
            return None, at + 2 + _comma(arguments)  # the type stands first
        return None, at + 1

    def _literal(self, kind: str, word: str) -> str | None:
        ordinal = ordinal_of(word.strip("'"))
        if ordinal is None:
            return None
        self.read = True
        if kind == "string":
            return self.strings.get(ordinal, "")
        number = self.numbers.get(ordinal, "")
        return unhexed(number[2:]) if number[:2].lower() == "0x" else None

    def _cut(self, word: str, given: list[list[Word]], inside: int) -> str:
        """SUBSTRING, LEFT, RIGHT and STUFF with numbers as written; with others the whole text."""
        whole = self.text(given[0], inside + 1) if given else ""
        numbers = [self._number(part) for part in given[1:3]]
        if not numbers or None in numbers:
            return whole
        first, *more = (number or 0 for number in numbers)
        if word == "left":
            return whole[:first]
        if word == "right":
            return whole[max(0, len(whole) - first) :]
        begin = max(0, first - 1)
        end = begin + more[0] if more else len(whole)
        if word != "stuff":
            return whole[begin:end]
        put = self.text(given[3], inside + 1) if len(given) > 3 else ""
        return whole[:begin] + put + whole[end:]

    def _number(self, words: list[Word]) -> int | None:
        ordinal = ordinal_of(words[0][1]) if len(words) == 1 and words[0][0] == "number" else None
        number = self.numbers.get(ordinal, "") if ordinal is not None else ""
        self.read = True
        return int(number) if number.isascii() and number.isdigit() and len(number) < 8 else None

    def _characters(self, words: list[Word]) -> str:
        found: list[str] = []
        for kind, word, _, _ in words:
            ordinal = ordinal_of(word) if kind == "number" else None
            if ordinal is not None:
                self.read = True
                found.append(character(self.numbers.get(ordinal, "")))
        return "".join(found)


def character(number: str) -> str:
    """The character of a number as written; "" when it is none."""
    if not (number.isascii() and number.isdigit() and len(number) < 8):
        return ""
    code = int(number)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def unescaped(text: str, sign: str) -> str:
    """Text with escapes by code point under another sign than the backslash: `d!0061ta`, `d!+000061ta`, `!!`."""
    found = re.escape(sign)
    pattern = rf"{found}(?:{found}|\+([0-9a-fA-F]{{6}})|([0-9a-fA-F]{{4}}))"
    return re.sub(pattern, lambda m: character(str(int(m[1] or m[2], 16))) if m[1] or m[2] else sign, text)


def unhexed(digits: str) -> str | None:
    """The text of hexadecimal bytes, UTF-8 or UTF-16 as SQL Server has it."""
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        return None
    if len(data) > 2 and len(data) % 2 == 0 and not any(data[1:64:2]):
        return data.decode("utf-16-le", "replace")
    return data.decode("utf-8", "replace")


def _unhexed(given: list[str]) -> str | None:
    return (unhexed(given[0]) or given[0]) if given else None


def _from_bytes(given: list[str]) -> str | None:
    """PostgreSQL's convert_from: bytes are written in hexadecimal, or made by decode(…)."""
    hexadecimal = given[:1] and given[0][:2].lower() == "\\x"
    return (unhexed(given[0][2:]) or given[0]) if hexadecimal else (given[0] if given else None)


def _unbased(given: list[str]) -> str | None:
    try:
        return base64.b64decode(given[0], validate=False).decode("utf-8", "replace") if given else None
    except (binascii.Error, ValueError):
        return given[0]


def _decoded(given: list[str]) -> str | None:
    """PostgreSQL's decode(text, format); Oracle's DECODE(x, …) is another thing and gives nothing."""
    if len(given) != 2:
        return None
    return {"hex": _unhexed, "base64": _unbased}.get(given[1].lower(), lambda _: None)(given[:1])


def _replaced(given: list[str]) -> str | None:
    if len(given) != 3 or not given[1] or len(given[0]) * (1 + len(given[2])) > MAX_REPLACED:
        return given[0] if given else None
    return given[0].replace(given[1], given[2])


_FUNCTIONS: dict[str, Callable[[list[str]], str | None]] = {
    **dict.fromkeys(_HEX, _unhexed),
    **dict.fromkeys(_BASE64, _unbased),
    "decode": _decoded,
    "reverse": lambda given: given[0][::-1] if given else None,
    "replace": _replaced,
    "convert_from": _from_bytes,
    "concat_ws": lambda given: given[0].join(given[1:])[:MAX_TEXT] if given else None,
}


def closing(words: list[Word], at: int, depth: int) -> int:
    """Where the bracket that is open `depth` deep before `at` closes."""
    for stop in range(at, len(words)):
        if words[stop][0] == "op":
            depth += (words[stop][1] == "(") - (words[stop][1] == ")")
            if depth == 0:
                return stop
    return len(words)


def _comma(words: list[Word]) -> int:
    """Index of the first comma outside brackets, the length when there is none."""
    depth = 0
    for at, (kind, word, _, _) in enumerate(words):
        if kind == "op":
            depth += (word == "(") - (word == ")")
            if word == "," and depth == 0:
                return at
    return len(words)


def split_by_comma(words: list[Word]) -> list[list[Word]]:
    parts: list[list[Word]] = []
    rest = words
    while rest and len(parts) < 32:
        comma = _comma(rest)
        parts.append(rest[:comma])
        rest = rest[comma + 1 :]
    return parts

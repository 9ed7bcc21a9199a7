r"""Texts of statements: every quoting, escape, number, blank and comment of a dialect, for structures of `statement_pairs`."""

from __future__ import annotations

import random
from collections.abc import Callable

# kind and what it is: word, quoted, sign, bind, exec (opens or closes), string, number (nothing more), in and array (kind of
# the values), rows (forms of the rows, each of n, s, null and binds), cut (a quote lost in the last comment)
Part = tuple[str, str]
Structure = list[Part]

COMPARISONS = ["=", "<>", "<", ">", "<=", ">=", "!="]
VALUES = (
    "", "x", "P001", "it's", "''", "' OR 1=1 -- ", "' OR b='", "\\", "a\\", "\\'", "\\\\", "C:\\x\\'y", "--", "/*", "*/",
    "/* ' */", "$$", "$q$", "$1", ":1", "?", "]", "]'", "}'", ")'", "!'", '"', '"x"', "`", "%张%", "张三", "a\nb", "\r\n",
    "\t", "#", ";", "2026-01-01", "-1", "0", "0x1F", "e", "N", "'?'", "SELECT a FROM b", "), (1", "\x01", "\u3000", "İß",
    "@p", "😀",
)  # fmt: skip
NUMBERS = ["0", "1", "42", "007", "1.5", ".5", "3.", "1e5", "1E-3", "2.5e+10", "0x1F", "0XaB", "123456789012345678901"]
TAME_NUMBERS = ["0", "1", "42", "12.50", "1e5", "1E-3", "2026"]
MORE_NUMBERS = {"postgres": ["1_000", "0b101", "0o17"], "mysql": ["0b01"], "oracle": [], "tsql": []}
NOTES = [
    "",
    " x ",
    " it's ",
    ' " ',
    " ' OR 1=1 ",
    "+ full(t) ",
    " -- ",
    "; select 2 ",
    " `x ",
    " $$ ",
    " 病人 ",
    "\\",
    " * ",
    "1",
]
BLANKS = [" ", "  ", "\n", "\t", "\r\n", " \n ", "\f", "\v"]
TAME = 0.7
TAME_VALUES = (
    "", "x", "P001", "it's", "张三", "2026-01-01", "-1", "0", "-- x", "/* y */", "a;b", "(1", "$1", ":1", "#",
)  # fmt: skip
AFTER = [
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
]


def words(text: str) -> Structure:
    return [("sign" if word in {"(", ")", ",", ".", "=", "*", "[", "]"} else "word", word) for word in text.split()]


def joined(pieces: list[Structure]) -> Structure:
    return [part for index, piece in enumerate(pieces) for part in [*words("," if index else ""), *piece]]


def written(pick: random.Random, structure: Structure, dialect: str) -> str:
    tame = pick.random() < TAME  # of the kind that programs write; the others are full of traps
    tokens = _tokens(pick, structure, dialect, tame=tame)
    upper, loose = pick.random() < 0.4, pick.choice([0.0, 0.3, 1.0])
    text, last = "", ("sign", "(")
    for kind, token in tokens:
        spelled = token.upper() if kind == "word" and upper and pick.random() < 0.9 and token.isascii() else token
        glued = _may_touch(last, (kind, spelled)) and pick.random() >= loose
        text += spelled if glued else _gap(pick, dialect, tame=tame) + spelled
        last = kind, spelled
    cut = structure[-1][0] == "cut"
    end = pick.choice(["", "", ";", " ;", "\n", ";\n"])
    if cut:
        return text + end + pick.choice([" -- ' AND b = 1", " -- '", " -- x' OR b = 1"])
    return text + end + (_gap(pick, dialect, tame=tame, last=True) if pick.random() < 0.2 else "")


def _tokens(pick: random.Random, structure: Structure, dialect: str, *, tame: bool) -> Structure:
    tokens: Structure = []
    for kind, what in structure:
        signed = not tokens or (tokens[-1][0] == "sign" and tokens[-1][1] not in {")", "]", "."}) or _unary(tokens[-1])
        if kind == "string":
            tokens.append(("string", _string(pick, dialect, tame=tame)))
        elif kind == "number":
            tokens.append(("number", _number(pick, dialect, signed=signed, tame=tame)))
        elif kind == "quoted":
            tokens.append(("quoted", _quoted(what, dialect)))
        elif kind in {"in", "array"}:
            count = pick.choice([1, 1, 2, 3, 3, 8])
            opener, closer = ("(", ")") if kind == "in" else ("[", "]")
            tokens += [
                ("sign", opener),
                *joined([[(what, _literal(pick, what, dialect, tame=tame))] for _ in range(count)]),
                ("sign", closer),
            ]
        elif kind == "rows":
            rows = [form for form in what.split("|") for _ in range(pick.choice([1, 1, 2, 4]))]
            tokens += joined(
                [
                    [
                        *words("("),
                        *joined([_cell(pick, cell, dialect, tame=tame) for cell in form.split()]),
                        *words(")"),
                    ]
                    for form in rows
                ]
            )
        elif kind != "cut":
            tokens.append((kind, what))
    return tokens


def _unary(token: Part) -> bool:
    return token[0] == "word" and token[1] in AFTER


def _cell(pick: random.Random, cell: str, dialect: str, *, tame: bool) -> Structure:
    kind = {"n": "number", "s": "string", "null": "word"}.get(cell, "bind")
    return [(kind, _literal(pick, kind, dialect, tame=tame) if cell in {"n", "s"} else cell)]


def _literal(pick: random.Random, kind: str, dialect: str, *, tame: bool) -> str:
    return _string(pick, dialect, tame=tame) if kind == "string" else _number(pick, dialect, signed=True, tame=tame)


def _number(pick: random.Random, dialect: str, *, signed: bool, tame: bool) -> str:
    sign = pick.choice(["", "", "", "-", "+", "- "]) if signed else ""
    return sign + pick.choice(TAME_NUMBERS if tame else NUMBERS + MORE_NUMBERS[dialect])


def _quoted(name: str, dialect: str) -> str:
    if dialect == "mysql":
        return f"`{name}`"
    return f'"{name}"'


def _string(pick: random.Random, dialect: str, *, tame: bool) -> str:
    if tame:
        return _WRITERS[dialect][0](pick, pick.choice(TAME_VALUES))
    value = pick.choice(VALUES) if pick.random() < 0.5 else pick.choice(VALUES) + pick.choice(VALUES)
    if pick.random() < 0.1 and dialect in {"postgres", "mysql"}:
        return pick.choice(["X'1F'", "x'ab'", "B'01'", "b''"])
    return pick.choice(_WRITERS[dialect])(pick, value)


def _plain(_pick: random.Random, value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _national(pick: random.Random, value: str) -> str:
    return pick.choice("nN") + _plain(pick, value)


def _escaped(pick: random.Random, value: str) -> str:
    escape = pick.choice(["\\'", "''"])
    return "'" + value.replace("\\", "\\\\").replace("'", escape).replace("\n", "\\n") + "'"


def _c_escaped(pick: random.Random, value: str) -> str:
    return pick.choice("eE") + _escaped(pick, value)


def _national_escaped(pick: random.Random, value: str) -> str:
    return pick.choice("nN") + _escaped(pick, value)


def _double(pick: random.Random, value: str) -> str:
    escape = pick.choice(['\\"', '""'])
    return '"' + value.replace("\\", "\\\\").replace('"', escape) + '"'


def _unicode(pick: random.Random, value: str) -> str:
    return pick.choice(["U&", "u&"]) + _plain(pick, value.replace("\\", "\\\\"))


def _dollar(pick: random.Random, value: str) -> str:
    tag = pick.choice(["$$", "$q$", "$body$"])
    return tag + value + tag if "$" not in value else _plain(pick, value)


def _q_quoted(pick: random.Random, value: str) -> str:
    opener, closer = pick.choice([("[", "]"), ("{", "}"), ("(", ")"), ("<", ">"), ("!", "!"), ("|", "|"), ('"', '"')])
    if closer + "'" in value or value.endswith(closer):
        return _plain(pick, value)
    return f"{pick.choice(['q', 'Q', 'nq', 'Nq'])}'{opener}{value}{closer}'"


_Writer = Callable[[random.Random, str], str]
_WRITERS: dict[str, list[_Writer]] = {
    "postgres": [_plain, _plain, _plain, _national, _c_escaped, _unicode, _dollar],
    "mysql": [_escaped, _escaped, _escaped, _double, _national_escaped],
    "oracle": [_plain, _plain, _national, _q_quoted],
    "tsql": [_plain, _plain, _national],
}


def _gap(pick: random.Random, dialect: str, *, tame: bool, last: bool = False) -> str:
    """Blanks or a comment. At the end of a text no comment may hold half of a quoted value."""
    if pick.random() < 0.85:
        return pick.choice(BLANKS[:1] * 4 + BLANKS)
    if tame:
        return pick.choice([" ", " /* his */ ", " -- x\n"])
    note = pick.choice([note for note in NOTES if "'" not in note] if last else NOTES)
    forms = [f" /*{note}*/ ", f" -- {note}\n"]
    if dialect == "mysql":
        forms.append(f" #{note}\n")
    else:
        forms.append(f" --{note}\n")
    if dialect in {"postgres", "tsql"}:
        forms.append(f" /* /*{note}*/ , b */ ")
    return pick.choice(forms)


def _may_touch(left: Part, right: Part) -> bool:
    """Whether no blank is needed between two tokens, by the few rules that hold in every dialect."""
    (one, before), (two, after) = left, right
    if one == "exec" or two == "exec":
        return False
    if before in {"(", ",", "["} or after in {")", ",", "]"}:
        return not (one == "sign" and two == "sign") or {before, after} <= {"(", ")", ",", "[", "]"}
    if after == "(" or before == ")":
        return one in {"word", "quoted", "sign"} and two in {"word", "quoted", "sign"}
    if after == "[":
        return one == "word"
    if "." in {before, after}:
        return one != "number" and two != "number"
    if before in COMPARISONS or after in COMPARISONS:
        return {one, two} <= {"sign", "word", "quoted"} and one != two
    return one == "string" and before.endswith("'") and two == "word"

r"""Pairs of statements of which it is known whether they share a shape: by how they were made, not by reading them.

A structure is a list of parts, and its `key` tells it from any other. `written` gives one of its many texts: other literals (with
every quoting and escape of the dialect, and with SQL, quotes and comments as their values), other counts of list values and rows,
blanks, comments, case. `changed` gives a structure that is another one by a single part.
"""

# ruff: noqa: SIM905
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from statement_texts import COMPARISONS, Part, Structure, joined, words, written

NAMES = "a b1 t1 t2 name id patient_id pat_visit 病人 姓名 x n e q u visit_no v$session col_9".split()
FUNCTIONS = "count sum f lower nvl coalesce checkin".split()
QUOTED = ["a'b", "Name", "name", "x -- y", "/* z", "or", "a b", "病人", "1"] + 3 * ["Name", "NAME", "name", "病历号"]
SIGNS = {
    "postgres": ["||", "->", "->>", "#>>", "@>", "<@", "~", "!~*", "::", "+", "-", "*", "/", "%", "&", "|", "#", "^"],
    "mysql": ["||", "->", "->>", "<=>", "&&", "+", "-", "*", "/", "%", "&", "|", "^"],
    "oracle": ["||", "^=", "+", "-", "*", "/"],
    "tsql": ["+", "-", "*", "/", "%", "&", "|", "^", "+="],
}
BINDS = {
    "postgres": ["$1", "$2", "$12", ":name", "?", "%s"],
    "mysql": ["?", ":name", ":1", "@p", "@p1", "@@version", "%s"],
    "oracle": [":1", ":2", ":name", ":and", "?"],
    "tsql": ["@p1", "@p2", "@@rowcount", "@or", "?", ":x"],
}


@dataclass(frozen=True, slots=True)
class Triple:
    """Two texts of one structure and one of another."""

    key: str
    text: str
    same: str
    other_key: str
    other: str


def triples(dialect: str, seed: int, count: int) -> Iterator[Triple]:
    pick = random.Random(f"{dialect} {seed}")
    for _ in range(count):
        one = _statement(pick, dialect)
        other = changed(pick, one, dialect)
        yield Triple(
            key(one),
            written(pick, one, dialect),
            written(pick, one, dialect),
            key(other),
            written(pick, other, dialect),
        )


def key(structure: Structure) -> str:
    return "\x1e".join(f"{kind}\x1f{what}" for kind, what in _listed(structure))


def _listed(structure: Structure) -> Structure:
    """A change can make all values of a mixed list be of one kind: then their number does not matter any more."""
    parts: Structure = []
    for part in structure:
        parts.append(part)
        if part != ("sign", ")"):
            continue
        at = len(parts) - 2
        while at > 0 and parts[at] in {parts[-2], ("sign", ",")}:
            at -= 1
        if parts[-2][0] in {"string", "number"} and parts[at - 1 : at + 1] == [("word", "in"), ("sign", "(")]:
            parts[at:] = [("in", parts[-2][0])]
    return parts


# --- structures ------------------------------------------------------------------------------------------------------


def _statement(pick: random.Random, dialect: str) -> Structure:
    chance = pick.random()
    table = _name(pick)
    if chance < 0.12:
        columns = joined([_name(pick) for _ in range(pick.randint(1, 3))])
        return [*words("insert into"), *table, *words("("), *columns, *words(") values"), _rows(pick, dialect)]
    if chance < 0.2:
        start = [*words("update"), *table, *words("set"), *_name(pick), *words("="), *_value(pick, dialect)]
        return [*start, *words("where"), *_condition(pick, dialect)]
    if chance < 0.26:
        return [*words("delete from"), *table, *words("where"), *_condition(pick, dialect)]
    parts = _select(pick, dialect, 1)
    if pick.random() < 0.1:
        parts += words(pick.choice(["union", "union all", "except"])) + _select(pick, dialect, 0)
    if pick.random() < 0.3:
        parts += [*words("order by"), *_name(pick), *words(pick.choice(["", "desc", "asc"]))]
    if pick.random() < 0.3:
        parts += [*words("limit"), pick.choice([("number", ""), ("number", ""), ("word", "all"), ("word", "null")])]
    return parts


def _select(pick: random.Random, dialect: str, depth: int) -> Structure:
    columns = [_column(pick, dialect, depth) for _ in range(pick.choice([1, 1, 2, 3, 5]))]
    parts = [
        *words(pick.choice(["select", "select", "select distinct"])),
        *joined(columns),
        *words("from"),
        *_name(pick),
    ]
    if pick.random() < 0.2:
        parts += [*words("join"), *_name(pick), *words("on"), *_name(pick), *words("="), *_name(pick)]
    if pick.random() < 0.85:
        parts += words("where") + _condition(pick, dialect, depth)
        for _ in range(pick.choice([0, 0, 1, 1, 2, 3])):
            parts += words(pick.choice(["and", "and", "or", "and not"])) + _condition(pick, dialect, depth)
    return parts


def _name(pick: random.Random) -> Structure:
    last: Part = ("quoted", pick.choice(QUOTED)) if pick.random() < 0.08 else ("word", pick.choice(NAMES))
    return [("word", pick.choice(["medrec", "a", "t1"])), ("sign", "."), last] if pick.random() < 0.2 else [last]


def _value(pick: random.Random, dialect: str) -> Structure:
    chance = pick.random()
    if chance < 0.4:
        return [("string", "")]
    if chance < 0.75:
        return [("number", "")]
    if chance < 0.85:
        return [("bind", pick.choice(BINDS[dialect]))]
    return words("null") if chance < 0.9 else _name(pick)


def _column(pick: random.Random, dialect: str, depth: int) -> Structure:
    chance = pick.random()
    if chance < 0.5:
        return _name(pick)
    if chance < 0.6:
        return _value(pick, dialect)
    if chance < 0.7:
        return [*_name(pick), ("sign", pick.choice(SIGNS[dialect])), *_value(pick, dialect)]
    if chance < 0.75:
        return [*_name(pick), *words("as"), ("quoted", pick.choice(QUOTED))]
    if chance < 0.78 and dialect == "mysql":
        return [*_name(pick), ("exec", pick.choice(["/*!", "/*!50000", "/*M!100100"])), *words("+ b"), ("exec", "*/")]
    if chance < 0.82 and depth:
        return [*words("("), *_select(pick, dialect, depth - 1), *words(")")]
    arguments = joined([_value(pick, dialect) for _ in range(pick.randint(1, 3))])
    return [*words(pick.choice(FUNCTIONS)), *words("("), *arguments, *words(")")]


def _condition(pick: random.Random, dialect: str, depth: int = 0) -> Structure:
    chance, name = pick.random(), _name(pick)
    if chance < 0.45:
        return [*name, ("sign", pick.choice(COMPARISONS)), *_value(pick, dialect)]
    if chance < 0.65:
        return [*name, *words(pick.choice(["in", "not in"])), *_list(pick, dialect)]
    if chance < 0.7:
        return [*name, *words(pick.choice(["is null", "is not null", "= null"]))]
    if chance < 0.75:
        return [*name, *words("between"), *_value(pick, dialect), *words("and"), *_value(pick, dialect)]
    if chance < 0.8:
        return [*name, *words(pick.choice(["like", "not like"])), *_value(pick, dialect)]
    if chance < 0.85:
        return [*_value(pick, dialect), ("sign", "="), *_value(pick, dialect)]
    if chance < 0.9 and dialect == "postgres":
        return [*name, *words("= any ( array"), ("array", pick.choice(["string", "number"])), *words(")")]
    if chance < 0.93 and depth:
        return [*words("exists ("), *_select(pick, dialect, depth - 1), *words(")")]
    return [
        *words(f"{pick.choice(FUNCTIONS)} ("),
        *name,
        *words(")"),
        ("sign", pick.choice(COMPARISONS)),
        ("number", ""),
    ]


def _list(pick: random.Random, dialect: str) -> Structure:
    if pick.random() < 0.75:
        return [("in", pick.choice(["string", "number"]))]
    mixed = [_value(pick, dialect) for _ in range(pick.randint(1, 3))]
    return [*words("("), *joined([[("string", "")], [("number", "")], *mixed]), *words(")")]


def _rows(pick: random.Random, dialect: str) -> Part:
    """Forms of rows: equal neighbours are one, whatever their number."""
    width = pick.randint(1, 3)
    forms: list[str] = []
    for _ in range(pick.choice([1, 1, 1, 2, 3])):
        form = " ".join(pick.choice(["n", "n", "s", "s", "null", BINDS[dialect][0]]) for _ in range(width))
        if forms[-1:] != [form]:
            forms.append(form)
    return "rows", "|".join(forms)


# --- another structure -----------------------------------------------------------------------------------------------


def changed(pick: random.Random, one: Structure, dialect: str) -> Structure:
    """A structure that differs from `one` by a part."""
    before = key(one)
    while True:
        other = _changed(pick, list(one), dialect)
        if key(other) != before:
            return other


def _changed(pick: random.Random, parts: Structure, dialect: str) -> Structure:
    telling = [at for at, (kind, _) in enumerate(parts) if kind not in {"word", "sign"}]
    at = pick.choice(telling) if telling and pick.random() < 0.5 else pick.randrange(len(parts))
    kind, what = parts[at]
    if pick.random() < 0.2:
        return _longer(pick, parts, dialect)
    if kind in {"string", "number"}:
        choices: list[Part] = [("string", ""), ("number", ""), ("word", "null"), ("word", pick.choice(NAMES))]
        parts[at] = pick.choice([*choices, ("bind", pick.choice(BINDS[dialect]))])
    elif kind == "bind":
        parts[at] = pick.choice(
            [("word", "null"), ("number", ""), ("string", ""), ("bind", pick.choice(BINDS[dialect]))]
        )
    elif kind == "quoted":
        parts[at] = pick.choice([("quoted", pick.choice(QUOTED)), ("word", pick.choice(NAMES))])
    elif kind == "word" and what in NAMES:
        parts[at] = pick.choice([("word", pick.choice(NAMES)), ("quoted", pick.choice(QUOTED))])
    elif (kind, what) in {("word", "and"), ("word", "or")}:
        parts[at] = "word", pick.choice(["and", "or"])
    elif kind == "sign" and what in {*COMPARISONS, *SIGNS[dialect]}:
        # no sign before a number: whether it belongs to the number is the lexer's affair, not the structure's
        parts[at] = "sign", pick.choice([sign for sign in [*COMPARISONS, *SIGNS[dialect]] if sign not in "+-"] + [what])
    elif kind in {"in", "array"}:
        parts[at] = kind, pick.choice(["string", "number"])
        if kind == "in" and pick.random() < 0.5:
            parts[at : at + 1] = [*words("("), *joined([_value(pick, dialect), words("null")]), *words(")")]
    elif kind == "rows":
        parts[at] = _rows(pick, dialect)
    elif (kind, what) == ("word", "select"):
        parts[at + 1 : at + 1] = [("word", pick.choice(NAMES)), ("sign", ",")]
    return parts


def _longer(pick: random.Random, parts: Structure, dialect: str) -> Structure:
    if ("word", "where") in parts:
        if pick.random() < 0.2:
            return [*parts, ("cut", "")]
        at = parts.index(("word", "where")) + 1
        if pick.random() < 0.5:
            extra: Structure = [("number", ""), ("sign", "="), ("number", ""), ("word", "or")]
        else:
            extra = [*_condition(pick, dialect), ("word", pick.choice(["and", "or"]))]
        parts[at:at] = extra
    elif parts[0] == ("word", "select"):
        parts[1:1] = [*_column(pick, dialect, 0), ("sign", ",")]
    return parts

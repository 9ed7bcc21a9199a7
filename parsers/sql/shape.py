"""Shapes of statements, a column at a time: the text without literals, comments, blanks and keyword case.

In a shape every string stands as `'?'`, every number as `0`, a list of literals after IN as one of them. It is SQL
itself, and the shape of a shape is that shape. Two ways lead to it: regular expressions over the whole column for
ordinary text, and the exact lexer, row by row, for text that the expressions can't tell apart. Both give the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import polars as pl

from parsers.sql.lexer import UNARY_AFTER, ambiguous, exact_shape, known, literal_places, operators, scan, value_of

MAX_EXACT = 65_536  # characters: longer text out of the ordinary is known by its head and a hash

_B = r"[ \t\r\n\f\x0b]"
_UPPER = r"[A-Z]"


@dataclass(frozen=True, slots=True)
class _Patterns:
    ordinary: str  # the whole text is made of things that the passes below can't confuse
    odd_raw: str  # and none of these is in it
    string: str
    comment: str
    comment_mark: str  # cheap sign that a comment may be there
    protect: tuple[str, ...]  # signs that belong to words
    colon: bool  # `:1` is a bind
    odd: str  # sent to the lexer when found after strings and comments are gone
    quoted_upper: str
    quoted_split: str
    quoted_start: str


def _ordinary(dialect: str) -> tuple[str, str, str, str]:
    """Expressions for ordinary text, its strings and its comments; letters that may stand before a string."""
    body = r"[A-Za-z_\x{80}-\x{10FFFF}][A-Za-z0-9_\x{80}-\x{10FFFF}]*"
    escaped = r"'(?:[^'\\]|\\.|'')*'"
    plain = "'(?:[^']|'')*'"
    quoted = {
        "postgres": f'"{body}"',
        "oracle": f'"{body}"',
        "mysql": f"`{body}`",
        "tsql": rf'"{body}"|\[{body}\]',
    }[dialect]
    string = rf'{escaped}|"(?:[^"\\]|\\.|"")*"' if dialect == "mysql" else plain
    signs = {"postgres": r"$", "oracle": "", "mysql": r"`#", "tsql": r"\[\]"}[dialect]
    control = r"\x00-\x08\x0e-\x1f\x7f"
    harmless = rf"""[^'"/\-{signs}{control}]"""
    starless = rf"""[^'"/\-*{signs}{control}]"""
    inner = rf"""'"`!{signs}{control}"""  # marks that a comment of ordinary text has none of
    line = rf"""[^{inner}\r\n]*(?:\r?\n|\z)"""
    comment = rf"/\*[^*/{inner}]*\*/|" + (
        rf"--(?:[ \t]{line}|\r?\n|\z)|\#{line}" if dialect == "mysql" else rf"--{line}"
    )
    dollar = r"|\$[0-9]+(?:[ \t\r\n,;)=<>+*|:\]]|\z)" if dialect == "postgres" else ""
    solid = rf"{string}|{quoted}{dollar}"
    ordinary = rf"(?s)\A(?:{harmless}|{solid}|{comment}|-(?:{harmless}|{solid})|/(?:{starless}|{solid}))*\z"
    prefix = {"postgres": "[nNxXbBeE]", "mysql": "[nNxXbB]", "oracle": "[nN]", "tsql": "[nN]"}[dialect]
    prefixed = rf"(?s)(?:(?-u:\b){prefix})?{string}"
    return ordinary, prefixed, f"(?s)(?:{comment})", prefix


def _odd_signs(dialect: str) -> str:
    """Signs that read otherwise once blanks are dropped, and runs of signs that the lexer must divide."""
    by_first: dict[str, set[str]] = {}
    pairs, known_signs = ambiguous(dialect), operators(dialect)
    for pair in pairs:
        by_first.setdefault(pair[0], set()).add(pair[1])
    spaced = [rf"{re.escape(first)}{_B}+{_class(seconds)}" for first, seconds in sorted(by_first.items())]
    runs = {pair + third for pair in pairs for third in by_first.get(pair[1], ()) if pair + third not in known_signs}
    runs |= {op + sign for op in known_signs if len(op) == 3 for sign in by_first.get(op[-1], ())}
    return "|".join([*spaced, r"\*/", *(re.escape(run) for run in sorted(runs))])


def _class(chars: set[str]) -> str:
    return "[" + "".join(rf"\x{ord(char):02x}" for char in sorted(chars)) + "]"


@cache
def _patterns(dialect: str) -> _Patterns:
    ordinary, string, comment, prefix = _ordinary(dialect)
    odd_raw = {"postgres": "&['\"]", "mysql": "", "oracle": "[qQ]'", "tsql": ""}[dialect]
    foreign_prefix = rf"[^\x00-\x7f]{prefix}'|[$#@:]{prefix}'"
    odd = [_odd_signs(dialect)]
    twice = {"postgres": '"', "oracle": '"', "mysql": "`", "tsql": '"'}[dialect]
    odd.append(f"{twice}{_B}*{twice}")
    if dialect == "postgres":
        odd.append(r"%s\$")
    if dialect == "tsql":
        odd.append(rf"%s|\]{_B}*[\[\]\"]|\"{_B}*\[")
    if dialect == "mysql":
        odd.append(r"(?:[A-Za-z0-9_$]|[^\x00-\x7f])@|%s")  # a word and a variable without a blank between
    if dialect != "postgres":
        odd.append(rf"::{_B}*[0-9]|:{_B}+(?:[A-Za-z0-9_$#@]|[^\x00-\x7f])")
    if dialect in {"mysql", "tsql"}:
        odd.append(r"@@@|@@(?:[^A-Za-z0-9_$]|\z)|@(?:[^@A-Za-z0-9_'\"`$]|\z)")
    body_upper = r'"[^"]*[A-Z]' if dialect != "mysql" else "`[^`]*[A-Z]"
    split = r'"[^"]*"|[^"]+' if dialect != "mysql" else "`[^`]*`|[^`]+"
    if dialect == "tsql":
        body_upper, split = r'"[^"]*[A-Z]|\[[^\]]*[A-Z]', r'"[^"]*"|\[[^\]]*\]|[^"\[]+'
    return _Patterns(
        ordinary=ordinary,
        odd_raw="|".join(part for part in (odd_raw, foreign_prefix) if part),
        string=string,
        comment=comment,
        comment_mark=r"--|/\*|#" if dialect == "mysql" else r"--|/\*",
        protect={"postgres": ("$",), "mysql": ("$", "@"), "oracle": ("$", "#"), "tsql": ("$", "#", "@")}[dialect],
        colon=dialect != "postgres",
        odd="|".join(odd),
        quoted_upper=body_upper,
        quoted_split=split,
        quoted_start={"mysql": "^`", "tsql": r'^["\[]'}.get(dialect, '^"'),
    )


_NUMBER = r"{b}(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?){b}"
_ODD_NUMBER = r"{b}[1-9]|{b}0(?:[0-9A-Za-z_.]|[^\x00-\x7f])|\.0"
_ASCII_EDGE = r"(?-u:\b)"
_SIGNED = r"({colon}[(,=<>+*/%|&^~!:\[{;\-@#\\{tick}])[+\-]0"
_SIGNED_WORD = r"{b}(" + "|".join(sorted(UNARY_AFTER)) + r")[+\-]0"


def shapes(statements: pl.Series, dialect: str) -> pl.Series:
    """The shape of each statement (String; null stays null). Never raises for any text."""
    dialect = known(dialect)
    unique = statements.drop_nulls().unique()
    table = pl.DataFrame({"statement": unique, "shape": _unique_shapes(unique, dialect)})
    return (
        statements.alias("statement").to_frame().join(table, on="statement", how="left", maintain_order="left")["shape"]
    )


def _unique_shapes(unique: pl.Series, dialect: str) -> pl.Series:
    ordinary = is_ordinary(unique, dialect)
    fast = unique.filter(ordinary)
    slow = unique.filter(~ordinary)
    bare = _without_strings(fast, dialect)
    ascii_rows = bare.str.len_bytes() == bare.str.len_chars()
    pieces = [
        (slow, _exact(slow, dialect)),
        *(
            _column_shapes(fast.filter(rows), bare.filter(rows), dialect, wide)
            for rows, wide in ((ascii_rows, False), (~ascii_rows, True))
        ),
    ]
    table = pl.DataFrame(
        {
            "statement": pl.concat([piece[0].alias("statement") for piece in pieces]),
            "shape": pl.concat([piece[1].alias("shape") for piece in pieces]),
        }
    )
    return unique.alias("statement").to_frame().join(table, on="statement", how="left", maintain_order="left")["shape"]


def is_ordinary(texts: pl.Series, dialect: str) -> pl.Series:
    """Boolean: text that the column-wise expressions understand as the lexer does (they may still pass on it later)."""
    patterns = _patterns(dialect)
    ordinary = texts.str.contains(patterns.ordinary) & ~texts.str.contains(patterns.odd_raw)
    if dialect == "postgres":  # a backslash means something in E'' only
        ordinary &= ~(texts.str.contains("\\", literal=True) & texts.str.contains("[eE]'"))
    return ordinary


def _without_strings(texts: pl.Series, dialect: str) -> pl.Series:
    patterns = _patterns(dialect)
    return texts.str.replace_all(patterns.string, "'?'").str.replace_all(patterns.comment, " ")


def _exact(texts: pl.Series, dialect: str) -> pl.Series:
    return pl.Series([_exact_one(text, dialect) for text in texts], dtype=pl.String)


def _exact_one(text: str, dialect: str) -> str:
    if len(text) <= MAX_EXACT:
        return exact_shape(scan(text, dialect))
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{exact_shape(scan(text[: MAX_EXACT // 2], dialect))} ⟦{len(text)} characters {digest}⟧"


def _column_shapes(texts: pl.Series, bare: pl.Series, dialect: str, wide: bool) -> tuple[pl.Series, pl.Series]:
    """Texts in a new order and their shapes. `bare`: without strings and comments; `wide`: names beyond ASCII in it."""
    patterns = _patterns(dialect)
    edge = r"\b" if wide else _ASCII_EDGE
    inside = r"\B" if wide else r"(?-u:\B)"
    odd = bare.str.contains(patterns.odd)
    for sign in patterns.protect:
        bare = bare.str.replace_all(sign, f"_{sign}_", literal=True)
    if patterns.colon:
        bare = bare.str.replace_all(":", ":_", literal=True)
    bare = bare.str.replace_all(_NUMBER.replace("{b}", edge), "0")
    odd |= bare.str.contains(_ODD_NUMBER.replace("{b}", edge))
    if wide:
        odd |= bare.str.contains(r"[\W&&[^\x00-\x7f]]|[\p{Lu}\p{Lt}&&[^\x00-\x7f]]")
    bare = bare.str.replace_all(rf"{_B}{{2,}}|[\t\r\n\f\x0b]", " ").str.replace_all(f"{inside} | {inside}", "")
    bare = _lower(bare, patterns).str.strip_chars_end(";")
    bare = _unsigned(bare, edge, colon=patterns.colon, tick="" if dialect == "mysql" else "`")
    bare = _one_value(bare, edge)
    odd |= bare.str.contains("values(", literal=True) & bare.str.contains("),(", literal=True)
    if patterns.colon:
        bare = bare.str.replace_all(":_", ":", literal=True)
    for sign in reversed(patterns.protect):
        bare = bare.str.replace_all(f"_{sign}_", sign, literal=True)
    late = texts.filter(odd)
    return pl.concat([texts.filter(~odd), late]), pl.concat([bare.filter(~odd), _exact(late, dialect)])


def _one_value(bare: pl.Series, edge: str) -> pl.Series:
    """Lists of literals after IN and ARRAY as their first value."""
    for word, opener, closer in (("in", "(", ")"), ("array", "[", "]")):
        start = re.escape(word + opener)
        rows = bare.str.contains(rf"{edge}{start}(?:0,|'\?',)")
        if not rows.any():
            continue
        found = bare.filter(rows)
        for value in ("0", "'?'"):
            literal = re.escape(value)
            pattern = rf"{edge}{start}(?:{literal},)+{literal}{re.escape(closer)}"
            found = found.str.replace_all(pattern, f"{word}{opener}{value}{closer}")
        bare = bare.scatter(rows.arg_true(), found)
    return bare


def _lower(bare: pl.Series, patterns: _Patterns) -> pl.Series:
    """Lower case everywhere but in quoted names."""
    kept = bare.str.contains(patterns.quoted_upper)
    lowered = bare.str.to_lowercase()
    if not kept.any():
        return lowered
    pieces = bare.filter(kept).str.extract_all(patterns.quoted_split)
    element = pl.element()
    quoted = element.str.contains(patterns.quoted_start)
    mixed = pieces.list.eval(pl.when(quoted).then(element).otherwise(element.str.to_lowercase())).list.join("")
    return lowered.scatter(kept.arg_true(), mixed)


def _unsigned(bare: pl.Series, edge: str, *, colon: bool, tick: str) -> pl.Series:
    """A sign that belongs to its number goes with it. Rare, so the dear capture group costs little."""
    signed = bare.str.contains(r"[+\-]0")
    if not signed.any():
        return bare
    rows = bare.filter(signed)
    fixed = rows.str.replace_all(r"\A[+\-]0", "0").str.replace_all(_SIGNED_WORD.replace("{b}", edge), "${1} 0")
    after_sign = _SIGNED.replace("{colon}", ":_|" if colon else "").replace("{tick}", tick)
    fixed = fixed.str.replace_all(after_sign, "${1}0")
    return bare.scatter(signed.arg_true(), fixed)


def shape_ids(shapes_: pl.Series, key: bytes) -> pl.Series:
    """Keyed 128-bit hash of each shape, 32 hex digits (null stays null): nobody without the key can aim at a clash."""
    unique = shapes_.drop_nulls().unique()
    ids = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=key[:64]).hexdigest() for text in unique]
    return shapes_.replace_strict(unique, pl.Series(ids, dtype=pl.String), default=None, return_dtype=pl.String)


# --- values ----------------------------------------------------------------------------------------------------------

LIST_MARK = "\x1f"  # between the values of one place


def literals(statements: pl.Series, dialect: str) -> pl.Series:
    """Values of the literal places of each statement, List(String): element i - 1 is place i of `literal_places`.

    The values of a list are joined by LIST_MARK. Strings without quotes and escapes, numbers as written. Null for null
    and for text that is too long and out of the ordinary to be read here.
    """
    dialect = known(dialect)
    unique = statements.drop_nulls().unique()
    found = _unique_literals(unique, shapes(unique, dialect), dialect)
    return (
        statements.alias("statement")
        .to_frame()
        .join(found, on="statement", how="left", maintain_order="left")["literals"]
        .alias(statements.name)
    )


def _unique_literals(texts: pl.Series, shapes_: pl.Series, dialect: str) -> pl.DataFrame:
    frame = pl.DataFrame({"statement": texts, "shape": shapes_, "ordinary": is_ordinary(texts, dialect)})
    frame = frame.join(_places_by_shape(frame, dialect), on="shape", how="left", maintain_order="left")
    flat = _flat(frame.filter(pl.col("ordinary") & (pl.col("lists") <= 1)), dialect)
    size = pl.col("flat").list.len().cast(pl.Int64)
    fits = pl.when(pl.col("lists") == 0).then(size == pl.col("places")).otherwise(size >= pl.col("places"))
    good = flat.filter(fits)
    ends = pl.col("places") - pl.col("before") - 1  # places behind the list
    middle = pl.col("flat").list.slice(pl.col("before"), size - pl.col("places") + 1).list.join(LIST_MARK)
    joined = pl.concat_list(pl.col("flat").list.head(pl.col("before")), middle, pl.col("flat").list.tail(ends))
    quick = pl.concat(
        [
            good.filter(pl.col("lists") == 0).select("statement", literals="flat"),
            good.filter(pl.col("lists") == 1).select("statement", literals=joined),
        ]
    )
    slow = frame.select("statement").join(quick.select("statement"), on="statement", how="anti")["statement"]
    exact = pl.DataFrame(
        {"statement": slow, "literals": [_exact_values(text, dialect) for text in slow]},
        schema={"statement": pl.String, "literals": pl.List(pl.String)},
    )
    return pl.concat([quick, exact])


def _places_by_shape(frame: pl.DataFrame, dialect: str) -> pl.DataFrame:
    """How many places a shape has, how many of them hold lists, and how many stand before the first list."""
    samples = frame.filter("ordinary").unique("shape", keep="any").select("shape", "statement")
    rows = []
    for shape, text in samples.iter_rows():
        inside = [place.in_list for place in literal_places(scan(text, dialect))]
        rows.append((shape, len(inside), sum(inside), inside.index(True) if True in inside else 0))
    return pl.DataFrame(
        rows, schema={"shape": pl.String, "places": pl.Int64, "lists": pl.Int64, "before": pl.Int64}, orient="row"
    )


def _flat(frame: pl.DataFrame, dialect: str) -> pl.DataFrame:
    """All literals of ordinary texts in order, as values: column `flat`. Rows that need the lexer for it are left out."""
    patterns = _patterns(dialect)
    bare = _without_strings(frame["statement"], dialect)
    zeros = bare.str.replace_all(_NUMBER.replace("{b}", r"\b"), "0")
    signed = bare.str.contains(rf"[+\-]{_B}*[0-9]|::{_B}*[0-9]") | zeros.str.contains(_ODD_NUMBER.replace("{b}", r"\b"))
    escaped = (
        frame["statement"].str.contains("\\", literal=True)
        if dialect == "mysql"
        else pl.repeat(value=False, n=frame.height, eager=True)
    )
    wide = bare.str.len_bytes() != bare.str.len_chars()
    binds = f"[{re.escape(''.join(patterns.protect))}{':' if patterns.colon else ''}]"
    signed |= bare.str.contains(rf"{binds}[0-9]+[^ \t\r\n,)=<>;]|[0-9][0-9a-fA-F]*[$#@]|[\W&&[^\x00-\x7f]]")
    mixed = bare.str.contains(rf"{binds}[0-9]") | frame["statement"].str.contains(patterns.comment_mark)
    frame = frame.with_columns(wide=wide, mixed=mixed, keep=~(signed | escaped)).filter("keep")
    parts = []
    for (is_wide, is_mixed), part in frame.group_by("wide", "mixed", maintain_order=True):
        edge = r"\b" if is_wide else _ASCII_EDGE
        literal = f"{patterns.string}|{_NUMBER.replace('{b}', edge)}"
        pattern = f"{patterns.comment}|{binds}[0-9A-Za-z_]+|{literal}" if is_mixed else literal
        parts.append(
            part.with_columns(flat=pl.col("statement").str.extract_all(pattern).list.eval(_value(bool(is_mixed))))
        )
    return pl.concat(parts) if parts else frame.with_columns(flat=pl.lit(None, pl.List(pl.String)))


def _value(mixed: bool) -> pl.Expr:
    """Expression for an element of a list of literals as written; comments and binds among them dropped."""
    source = pl.element()
    if mixed:
        source = source.filter(~source.str.contains(r"^(?:--|/\*|#|[$:@])"))
    text = source.str.contains(r"^[nNxXbBeE]?'")
    double = source.str.starts_with('"')
    bare = source.str.replace(r"^[nNxXbBeE]?['\"]", "").str.head(-1)
    return (
        pl.when(text)
        .then(bare.str.replace_all("''", "'", literal=True))
        .when(double)
        .then(bare.str.replace_all('""', '"', literal=True))
        .otherwise(source)
    )


def _exact_values(text: str, dialect: str) -> list[str] | None:
    if len(text) > MAX_EXACT:
        return None
    return [
        LIST_MARK.join(value_of(text[start:end], dialect).replace(LIST_MARK, " ") for start, end in place.spans)
        for place in literal_places(scan(text, dialect))
    ]

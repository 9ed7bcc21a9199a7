"""Shapes of statements, a column at a time: the text without literals, comments, blanks and keyword case.

In a shape every string stands as `'?'`, every number as `0`, a list of literals after IN as one of them. It is SQL
itself, and the shape of a shape is that shape. Two ways lead to it: regular expressions over the whole column for
ordinary text, and the exact lexer, row by row, for text that the expressions can't tell apart. Both give the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b

import polars as pl

from parsers.sql.lexer import UNARY_AFTER, ambiguous, exact_shape, known, literal_places, operators, scan, value_of

MAX_EXACT = 65_536  # characters: longer text out of the ordinary is known by its head and a hash

_B = r"[ \t\r\n\f\x0b]"


@dataclass(frozen=True, slots=True)
class _Patterns:
    ordinary: str  # the whole text is made of things that the passes below can't confuse
    prefixed: str  # cheap sign that one of the following may be there
    odd_raw: tuple[str, ...]  # and none of these is in it; one search each, together they are slower
    string: str
    comment: str
    comment_mark: str  # cheap sign that a comment may be there
    protect: tuple[str, ...]  # signs that belong to words
    colon: bool  # `:1` is a bind
    binding: str  # any of these signs
    odd: str  # sent to the lexer when found after strings and comments are gone
    quoted_upper: str
    quoted_split: str
    quoted_start: str
    unquick: str  # strings that are more than text between two quotes


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


# `:and`, `@or`: the name of a bind or variable, behind which a sign is a subtraction
_BIND_LIKE_WORD = r"[:@$#.](?i:" + "|".join(sorted(UNARY_AFTER)) + r")\b"


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
    marks = {"postgres": "[nNxXbBeE&]'|&\"", "oracle": "[nNqQ]'"}.get(dialect, f"{prefix}'")
    foreign_prefix = (rf"[^\x00-\x7f]{prefix}'", rf"[$#@:]{prefix}'")
    odd = [_odd_signs(dialect), _BIND_LIKE_WORD]
    twice = {"postgres": '"', "oracle": '"', "mysql": "`", "tsql": '"'}[dialect]
    odd.append(f"{twice}{_B}*{twice}")
    if dialect == "postgres":
        odd.append(rf"%s\$|@\?{_B}*[+\-]")  # a sign behind `?` is a subtraction, behind `@?` it is not
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
    protect = {"postgres": ("$",), "mysql": ("$", "@"), "oracle": ("$", "#"), "tsql": ("$", "#", "@")}[dialect]
    return _Patterns(
        ordinary=ordinary,
        prefixed=marks,
        odd_raw=tuple(part for part in (odd_raw, *foreign_prefix) if part),
        string=string,
        comment=comment,
        comment_mark=r"--|/\*|#" if dialect == "mysql" else r"--|/\*",
        protect=protect,
        colon=dialect != "postgres",
        binding=f"[{''.join(protect)}{'' if dialect == 'postgres' else ':'}]",
        odd="|".join(odd),
        quoted_upper=body_upper,
        quoted_split=split,
        unquick=rf"''|(?-u:\b){prefix}'" + (r'|"|\\' if dialect == "mysql" else ""),
        quoted_start={"mysql": "^`", "tsql": r'^["\[]'}.get(dialect, '^"'),
    )


_QUICK = r"(?s)'[^']*'|(?-u:\b)(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?-u:\b)"
_NUMBER = r"{b}(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?){b}"
_ODD_NUMBER = r"{b}[1-9]|{b}0(?:[0-9A-Za-z_.]|[^\x00-\x7f])|\.0"
_ASCII_EDGE = r"(?-u:\b)"
_CLOSE_TO_LETTER = r"[^\x00-\x7f][0-9]|(?:[0-9]|0[xX][0-9a-fA-F]+)[^\x00-\x7f]"
_SIGNED = r"({colon}[(,=<>+*/%|&^~!:\[{;\-@#\\{tick}])[+\-]0"
_SIGNED_WORD = r"{b}(" + "|".join(sorted(UNARY_AFTER)) + r")[+\-]0"


def shapes(statements: pl.Series, dialect: str) -> pl.Series:
    """The shape of each statement (String; null stays null). Never raises for any text."""
    read_ = read(statements.drop_nulls().unique(), dialect)
    return (
        statements.alias("statement").to_frame().join(read_, on="statement", how="left", maintain_order="left")["shape"]
    )


def read(unique: pl.Series, dialect: str) -> pl.DataFrame:
    """Distinct texts -> `statement`, `shape` and `quick`, in any order.

    `quick`: how its literals can be taken without a second look: 1 at once, 2 past comments, 0 not.
    """
    dialect = known(dialect)
    ordinary = is_ordinary(unique, dialect)
    fast = unique.filter(ordinary)
    slow = unique.filter(~ordinary)
    bare = _without_strings(fast, dialect)
    ascii_rows = bare.str.len_bytes() == bare.str.len_chars()
    return pl.concat(
        [
            _piece(slow, _exact(slow, dialect)),
            _column_shapes(fast.filter(ascii_rows), bare.filter(ascii_rows), dialect, wide=False),
            _column_shapes(fast.filter(~ascii_rows), bare.filter(~ascii_rows), dialect, wide=True),
        ]
    )


def _set(column: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """A copy with other values in the rows that are marked: `scatter` alone would change the column of the caller."""
    return column.clone().scatter(rows.arg_true(), values)


def _piece(texts: pl.Series, shapes_: pl.Series, quick: pl.Series | None = None) -> pl.DataFrame:
    frame = pl.DataFrame({"statement": texts, "shape": shapes_})
    return frame.with_columns(quick=pl.lit(0, pl.Int8) if quick is None else quick.cast(pl.Int8))


def is_ordinary(texts: pl.Series, dialect: str) -> pl.Series:
    """Boolean: text that the column-wise expressions understand as the lexer does (they may still pass on it later)."""
    patterns = _patterns(dialect)
    ordinary = texts.str.contains(patterns.ordinary)
    rows = ordinary & texts.str.contains(patterns.prefixed)
    few = texts.filter(rows)
    fine = pl.repeat(value=True, n=len(few), dtype=pl.Boolean, eager=True)
    for odd in patterns.odd_raw:
        fine &= ~few.str.contains(odd)
    if dialect == "postgres":  # a backslash means something in E'' only
        fine &= ~(few.str.contains("\\", literal=True) & few.str.contains("[eE]'"))
    return _set(ordinary, rows, fine)


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


def _column_shapes(texts: pl.Series, bare: pl.Series, dialect: str, *, wide: bool) -> pl.DataFrame:
    """Texts with their shapes. `bare`: without strings and comments; `wide`: names beyond ASCII in it.

    Literals go first, then each text that is left is brought to its one spelling once: there are far fewer of those.
    """
    patterns = _patterns(dialect)
    skeletons = _without_numbers(bare, patterns, wide=wide)
    told = _skeleton_shapes(skeletons.unique(), dialect, wide=wide)
    read_ = pl.DataFrame({"statement": texts, "skeleton": skeletons}).join(told, on="skeleton", how="left")
    commented = pl.col("statement").str.contains(patterns.comment_mark).cast(pl.Int8)
    plain = pl.col("plain") & ~pl.col("statement").str.contains(patterns.unquick)
    known_ = read_.filter(pl.col("shape").is_not_null())
    late = read_.filter(pl.col("shape").is_null())["statement"]
    return pl.concat(
        [
            known_.select("statement", "shape", quick=plain.cast(pl.Int8) * (commented + 1)),
            _piece(late, _exact(late, dialect)),
        ]
    )


def _without_numbers(bare: pl.Series, patterns: _Patterns, *, wide: bool) -> pl.Series:
    """Numbers as `0`; signs that belong to words and binds marked by `_`, so that digits behind them stay."""
    rows = bare.str.contains(patterns.binding)
    found = bare.filter(rows)
    if len(found):
        for sign in patterns.protect:
            found = found.str.replace_all(sign, f"_{sign}_", literal=True)
        if patterns.colon:
            found = found.str.replace_all(":", ":_", literal=True)
        bare = _set(bare, rows, found)
    if not wide:
        return bare.str.replace_all(_NUMBER.replace("{b}", _ASCII_EDGE), "0")
    close = bare.str.contains(_CLOSE_TO_LETTER)  # edges of words beyond ASCII are dear to find
    near = bare.filter(close).str.replace_all(_NUMBER.replace("{b}", r"\b"), "0")
    far = bare.filter(~close).str.replace_all(_NUMBER.replace("{b}", _ASCII_EDGE), "0")
    return _set(_set(bare, close, near), ~close, far)


def _unmarked(bare: pl.Series, patterns: _Patterns) -> pl.Series:
    rows = bare.str.contains(patterns.binding)
    found = bare.filter(rows)
    if not len(found):
        return bare
    if patterns.colon:
        found = found.str.replace_all(":_", ":", literal=True)
    for sign in reversed(patterns.protect):
        found = found.str.replace_all(f"_{sign}_", sign, literal=True)
    return _set(bare, rows, found)


def _skeleton_shapes(skeletons: pl.Series, dialect: str, *, wide: bool) -> pl.DataFrame:
    """Distinct texts without literals -> `skeleton`, `shape` (null: the lexer must read the text itself) and `plain`.

    `plain`: nothing stands among the literals that looks like one of them.
    """
    patterns = _patterns(dialect)
    edge = r"\b" if wide else _ASCII_EDGE
    unmarked = _unmarked(skeletons, patterns)
    odd = unmarked.str.contains(patterns.odd)
    odd |= skeletons.str.contains(_ODD_NUMBER.replace("{b}", edge))
    if wide:
        odd |= skeletons.str.contains(r"[\W&&[^\x00-\x7f]]|[\p{Lu}\p{Lt}&&[^\x00-\x7f]]")
    bare = _apart(_close(skeletons, wide=wide))
    bare = _lower(bare, patterns).str.strip_chars_end(";")
    signed = bare.str.contains(r"[+\-]0")
    bare = _unsigned(bare, signed, edge, colon=patterns.colon, tick="" if dialect == "mysql" else "`")
    bare = _one_value(bare, edge)
    rows = bare.str.contains("values(", literal=True) & bare.str.contains("),(", literal=True) & ~odd
    special = signed | rows | bare.str.contains(patterns.binding) | wide
    bare = _unmarked(bare, patterns)
    # only the lexer can tell which rows are alike; it needs no literals for that
    bare = _set(bare, rows, _exact(_apart(unmarked.filter(rows)), dialect))
    return pl.DataFrame({"skeleton": skeletons, "shape": bare.set(odd, None), "plain": ~special})


def _apart(bare: pl.Series) -> pl.Series:
    """Strings that are neighbours don't read as one with a doubled quote."""
    return bare.str.replace_all("''", "' '", literal=True)


# blanks at these are no part of the structure
_SIGNS = [sign for sign in map(chr, range(33, 127)) if not sign.isalnum() and sign != "_"]
_SPACED = [f" {sign} " for sign in _SIGNS] + [f" {sign}" for sign in _SIGNS] + [f"{sign} " for sign in _SIGNS]


def _close(bare: pl.Series, *, wide: bool) -> pl.Series:
    """One blank between words and none elsewhere."""
    bare = bare.str.replace_all(r"[\t\r\n\f\x0b]", " ")
    runs = bare.str.contains("  ", literal=True)
    if runs.any():
        bare = _set(bare, runs, bare.filter(runs).str.replace_all(" {2,}", " "))
    if wide:
        return bare.str.replace_all(r"\B | \B", "")
    return bare.str.strip_chars(" ").str.replace_many(_SPACED, [pair.strip() for pair in _SPACED], leftmost=True)


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
        bare = _set(bare, rows, found)
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
    return _set(lowered, kept, mixed)


def _unsigned(bare: pl.Series, signed: pl.Series, edge: str, *, colon: bool, tick: str) -> pl.Series:
    """A sign that belongs to its number goes with it. Rare, so the dear capture group costs little."""
    if not signed.any():
        return bare
    rows = bare.filter(signed)
    fixed = rows.str.replace_all(r"\A[+\-]0", "0").str.replace_all(_SIGNED_WORD.replace("{b}", edge), "${1} 0")
    after_sign = _SIGNED.replace("{colon}", ":_|" if colon else "").replace("{tick}", tick)
    fixed = fixed.str.replace_all(after_sign, "${1}0")
    return _set(bare, signed, fixed)


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
    known_ = read(statements.drop_nulls().unique(), dialect)
    frame = statements.alias("statement").to_frame().join(known_, on="statement", how="left", maintain_order="left")
    return literals_of(frame, dialect).alias(statements.name)


def literals_of(frame: pl.DataFrame, dialect: str) -> pl.Series:
    """`literals` for texts that were read before: columns `statement`, `shape`, `quick` as `read` gives them."""
    dialect = known(dialect)
    rows = frame.select("statement", "shape", "quick").with_row_index("row")
    layouts = pl.DataFrame(
        [(shape, *_layout(shape, dialect)) for shape in rows["shape"].drop_nulls().unique()],
        schema={"shape": pl.String, "places": pl.Int64, "lists": pl.Int64, "before": pl.Int64},
        orient="row",
    )
    rows = rows.join(layouts, on="shape", how="left", maintain_order="left")
    single = rows.filter((pl.col("quick") > 0) & (pl.col("lists") <= 1))
    bare = pl.element().str.strip_chars("'")
    quick = pl.concat(
        [
            single.filter(pl.col("quick") == 1).with_columns(
                flat=pl.col("statement").str.extract_all(_QUICK).list.eval(bare)
            ),
            single.filter(pl.col("quick") == 2).with_columns(
                flat=pl.col("statement")
                .str.extract_all(f"{_patterns(dialect).comment}|{_QUICK}")
                .list.eval(bare.filter(~pl.element().str.contains(r"^(?:--|/\*|#)")))
            ),
        ]
    )
    rest = rows.join(quick.select("row"), on="row", how="anti").drop_nulls("statement")
    found = [_arranged(quick)]
    if rest.height:
        ordinary = rest.filter(is_ordinary(rest["statement"], dialect) & (rest["lists"] <= 1))
        found.append(_arranged(_flat(ordinary, dialect)))
    quickly = pl.concat(found)
    slow = rows.join(quickly.select("row"), on="row", how="anti").drop_nulls("statement")
    if slow.height:
        unique = slow["statement"].unique()
        exact = pl.DataFrame(
            {"statement": unique, "literals": [_exact_values(text, dialect) for text in unique]},
            schema={"statement": pl.String, "literals": pl.List(pl.String)},
        )
        quickly = pl.concat([quickly, slow.join(exact, on="statement").select("row", "literals")])
    return rows.select("row").join(quickly, on="row", how="left", maintain_order="left")["literals"]


def _arranged(flat: pl.DataFrame) -> pl.DataFrame:
    """Row and values by place, of rows whose literals `flat` are as many as their shape says."""
    size = pl.col("flat").list.len().cast(pl.Int64)
    ends = pl.col("places") - pl.col("before") - 1  # places behind the list
    middle = pl.col("flat").list.slice(pl.col("before"), size - pl.col("places") + 1).list.join(LIST_MARK)
    joined = pl.concat_list(pl.col("flat").list.head(pl.col("before")), middle, pl.col("flat").list.tail(ends))
    single = flat.filter((pl.col("lists") == 0) & (size == pl.col("places")))
    listed = flat.filter((pl.col("lists") == 1) & (size >= pl.col("places")))
    return pl.concat([single.select("row", literals="flat"), listed.select("row", literals=joined)])


@lru_cache(20_000)
def _layout(shape: str, dialect: str) -> tuple[int, int, int]:
    """How many places a shape has, how many of them hold lists, and how many stand before the first list."""
    if len(shape) > MAX_EXACT:
        return 0, 2, 0  # not to be read here
    inside = [place.in_list for place in literal_places(scan(shape, dialect))]
    return len(inside), sum(inside), inside.index(True) if True in inside else 0


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
    binds = patterns.binding
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

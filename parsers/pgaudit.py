"""The payload of pgaudit's messages: `AUDIT: ` and one CSV line, inside a record of any PostgreSQL log.

AUDIT_TYPE, STATEMENT_ID, SUBSTATEMENT_ID, CLASS, COMMAND, OBJECT_TYPE, OBJECT_NAME, STATEMENT, PARAMETER and, only with
pgaudit.log_rows=on, ROWS. PARAMETER is a CSV line inside a field of that CSV line. Source: README of pgaudit, "Format".
"""

from __future__ import annotations

import csv
import io
from functools import cache

import polars as pl

PREFIX = "AUDIT: "
FIELDS = (
    "audit_type", "statement_number", "substatement_number", "command_class", "command", "object_type", "object_name",
    "statement", "parameters", "rows",
)  # fmt: skip
_NOT_LOGGED = ("<not logged>", "<previously logged>")
# commands that move rows and report 0 all the same: their 0 says nothing
_UNCOUNTED = (
    "COPY", "DECLARE CURSOR", "FETCH", "MOVE", "PREPARE", "EXECUTE", "DO", "CALL", "TRUNCATE TABLE", "CREATE TABLE AS",
    "SELECT INTO", "CREATE MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW",
)  # fmt: skip
_COUNTED = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "???")


def payload(messages: pl.Series, tags: pl.Series) -> pl.DataFrame:
    """Fields of the payloads, a row each: typed as in EVENTS, plus `audit_type` (null: not a payload) and `empty`.

    `messages` begin with PREFIX; `tags` are the command tags of their records (what the client's message asked for).
    `empty`: the statement is an empty text, which only statements inside functions have (`<not logged>` is null).
    """
    return _fields(messages).with_columns(tags.alias("tag")).with_columns(_judged()).select(*_columns())


@cache
def _judged() -> list[pl.Expr]:
    """What several columns need: whether rows are counted, and how many were."""
    counted, uncounted = _counted(), pl.col("command").is_in(_UNCOUNTED)
    rows = pl.col("rows").cast(pl.Int64, strict=False)
    return [
        pl.when(counted | (uncounted & (rows > 0))).then(rows).alias("counted_rows"),
        (uncounted | pl.col("command").is_in(_COUNTED)).alias("moves"),
    ]


@cache
def _columns() -> list[pl.Expr]:
    columns: dict[str, pl.Expr] = {
        "audit_type": pl.when(
            pl.col("audit_type").is_in(["SESSION", "OBJECT"])
            & (pl.col("command_class") != "")
            & (pl.col("command") != "")
            & pl.col("statement_number").str.contains(r"^\d{1,18}$")
            & pl.col("substatement_number").str.contains(r"^\d{1,18}$")
        ).then("audit_type"),
        "statement_number": pl.col("statement_number").cast(pl.Int64, strict=False),
        "substatement_number": pl.col("substatement_number").cast(pl.Int64, strict=False),
        "command_class": pl.col("command_class"),
        "command": pl.col("command").str.to_uppercase(),
        "object_type": _filled("object_type"),
        "object_name": _filled("object_name"),
        "statement": pl.when(~pl.col("statement").is_in([*_NOT_LOGGED, ""])).then("statement"),
        "empty": pl.col("statement").is_null() | (pl.col("statement") == ""),
        "parameters": _parameters(),
        "rows": pl.col("counted_rows"),
        "rows_kind": _rows_kind(),
        "outcome": pl.when(pl.col("rows").is_not_null()).then(pl.lit("ok")).otherwise(pl.lit("unknown")),
    }
    return [value.alias(name) for name, value in columns.items()]


def _filled(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(name).alias(name)


def _fields(messages: pl.Series) -> pl.DataFrame:
    """The payloads joined are one CSV text again: read at once, and one by one only where that does not fit."""
    texts = messages.str.slice(len(PREFIX))
    schema = dict.fromkeys(FIELDS, pl.String)
    if not len(texts):
        return pl.DataFrame(schema=schema)
    try:
        joined = bytes(texts.str.join("\n").cast(pl.Binary).item())  # as bytes: Python need not read the text
        frame = pl.read_csv(joined, has_header=False, schema=schema, missing_columns="insert")
    except pl.exceptions.PolarsError:
        frame = None
    if frame is not None and frame.height == len(texts) and _balanced(texts) and not _broken(frame, texts):
        return frame
    return pl.DataFrame([_one_payload(text) for text in texts], schema=schema, orient="row")


def _balanced(texts: pl.Series) -> bool:
    """Every quote is closed in its own text, so that none can have swallowed its neighbour."""
    return bool((texts.str.count_matches('"', literal=True) % 2 == 0).all())


_UNQUOTED = r'[^,"]"[^,"]|(?:^|,)[^",\r\n]*\r'


def _broken(frame: pl.DataFrame, texts: pl.Series) -> bool:
    """A text breaks off before its ninth field, or holds a quote or CR as pgaudit never writes one: Polars reads over it."""
    suspects = texts.filter(frame["parameters"].is_null() | texts.str.contains(_UNQUOTED))
    return any(_one_payload(text)[0] is None for text in suspects)


def _one_payload(text: str) -> list[str | None]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        rows = []
    if len(rows) == 1 and len(rows[0]) in {9, 10}:
        return [*rows[0], None][:10]
    return [None] * 10


def _counted() -> pl.Expr:
    """SELECT and changes report rows; under EXPLAIN they were made, not sent, and under a cursor not yet fetched."""
    return pl.col("command").is_in(_COUNTED) & ~pl.col("tag").is_in(["EXPLAIN", "DECLARE CURSOR"]).fill_null(
        value=False
    )


def _rows_kind() -> pl.Expr:
    moves = pl.col("moves") & (pl.col("tag") != "EXPLAIN").fill_null(value=True)
    return (
        pl.when(pl.col("counted_rows").is_not_null())
        .then(pl.lit("known"))
        .when(moves)
        .then(pl.lit("unknown"))
        .otherwise(pl.lit(None))
    )


def _parameters() -> pl.Expr:
    """`<none>` is no parameter, `<not logged>` is null. A NULL parameter and an empty text are both empty here."""
    text = pl.col("parameters")
    nested = text.str.contains('"', literal=True)
    quoted = (
        (pl.lit(",") + pl.when(nested).then(text))  # null elsewhere: the pattern runs over few rows
        .str.extract_all(r',(?:"(?:[^"]|"")*"|[^,]*)')
        .list.eval(
            pl.when(pl.element().str.starts_with(',"'))
            .then(pl.element().str.slice(2).str.strip_suffix('"').str.replace_all('""', '"', literal=True))
            .otherwise(pl.element().str.slice(1))
        )
    )
    return (
        pl.when(text.is_in(_NOT_LOGGED))
        .then(None)
        .when(text == "<none>")
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .when(nested)
        .then(quoted)
        .otherwise(text.fill_null("").str.split(","))
    )

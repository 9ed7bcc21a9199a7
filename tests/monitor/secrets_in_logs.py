"""What of a log must never rest in a store, found without the parsers under test where that is possible; and a search for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

LONGER_THAN = 5  # shorter texts are codes and flags
DIGITS = re.compile(r"\d{6,}")


def of_statement(statement: str, dialect: str) -> tuple[set[str], str]:
    """Literals of a statement, and its text without them. Texts in double quotes are literals in MySQL only."""
    found: set[str] = set()
    rest = []
    for match in _TOKEN.finditer(statement):
        kind, text = match.lastgroup, match[0]
        if kind == "string" or (kind == "name" and dialect == "mysql"):
            found |= {text[1:-1], text[1:-1].replace("''", "'").replace("\\'", "'")}
        elif kind == "dollar":
            found.add(text.split("$", 2)[2].rsplit("$", 2)[0])
        elif kind in ("comment", "number"):
            found |= set(DIGITS.findall(re.sub(r"^/\*M?!\d+", "", text)))  # a version before code is no value
        else:
            rest.append(text)
    return found, "".join(rest)


_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<string>'(?:[^'\\]|''|\\.)*(?:'|\Z))"
    r'|(?P<name>"[^"]*(?:"|\Z))'
    r"|(?P<dollar>(?P<tag>\$\w*\$).*?(?:(?P=tag)|\Z))"
    r"|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<other>.)",
    re.DOTALL,
)


def secrets(events: Iterable[dict[str, Any]]) -> set[str]:
    """Literals and bound values of all events, less those that the logs also tell in the open (names of tables, sessions)."""
    found: set[str] = set()
    told = []
    for event in events:
        if event["statement"]:
            literals, rest = of_statement(event["statement"], event["dialect"] or "postgres")
            found |= literals
            told.append(rest)
        found |= {value for value in event["parameters"] or () if value}
        kept = (value for name, value in event.items() if name not in ("statement", "parameters", "detail"))
        told += [str(value) for value in kept if value is not None]
    in_the_open = "\n".join(told).lower()
    lines = {line for literal in found for line in re.split(r"[\r\n]", literal)}
    return {line for line in lines if len(line.strip()) > LONGER_THAN and line.strip().lower() not in in_the_open}


def leaks(folder: Path, wanted: Iterable[str]) -> list[str]:
    """Which of the texts stand in a file of a copied store, in any encoding, or in a value of its tables and pieces."""
    wanted = sorted(set(wanted))
    found = set()
    for file in _files(folder):
        data = file.read_bytes()
        found |= {
            f"{file.relative_to(folder)}: {text}"
            for text in wanted
            if any(_in_bytes(data, one, text) for one in _encoded(text))
        }
    for place, values in _values(folder):
        found |= {f"{place}: {text}" for text in wanted if _in_text(values, text)}
    return sorted(found)


def _files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "ballast" and file.parent.name != "keys":
            yield file


def _encoded(text: str) -> set[bytes]:
    return {text.encode(encoding, "replace") for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be")}


def _in_bytes(data: bytes, needle: bytes, text: str) -> bool:
    if needle not in data or not text.isdigit():
        return needle in data
    # a run of digits also occurs by chance in hashes written as hexadecimal digits
    return re.search(rb"(?<![0-9a-zA-Z])" + re.escape(needle) + rb"(?![0-9a-zA-Z])", data) is not None


def _in_text(values: str, text: str) -> bool:
    if text not in values or not text.isdigit():
        return text in values
    return re.search(rf"(?<![0-9a-zA-Z]){text}(?![0-9a-zA-Z])", values) is not None


def _values(folder: Path) -> Iterator[tuple[str, str]]:
    """Every text of the database and of the pieces, by column: compression hides them from a look at bytes."""
    with duckdb.connect(str(folder / "hot.duckdb")) as connection:
        columns = connection.execute(
            "SELECT c.table_name, column_name FROM duckdb_columns() c JOIN duckdb_tables() USING (table_oid) "
            "WHERE data_type LIKE '%VARCHAR%'"
        ).fetchall()
        for table, column in columns:
            rows = connection.execute(f'SELECT DISTINCT "{column}"::VARCHAR FROM "{table}"').fetchall()
            yield f"hot.duckdb {table}.{column}", "\n".join(value for (value,) in rows if value)
    for file in folder.rglob("*.parquet"):
        for column in pl.read_parquet(file):
            texts = column.explode() if column.dtype == pl.List(pl.String) else column
            if texts.dtype == pl.String:
                yield f"{file.relative_to(folder)} {column.name}", "\n".join(texts.drop_nulls().unique())

"""CSV and XLSX files as sheets of cells. Untrusted: sizes are capped, nothing in them is ever evaluated."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from config.cells import Cell
from config.errors import ConfigError, Problem
from config.lists import Sheet

MAX_BYTES = 16 * 1024 * 1024
MAX_UNPACKED = 128 * 1024 * 1024  # of an XLSX, which is a zip of XML
MAX_ROWS = 100_000
MAX_COLUMNS = 200
MAX_CELL = 4096
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_sheets(path: Path) -> list[Sheet]:
    """The sheets of a file, one for CSV. ConfigError: not readable, too large, or neither CSV nor XLSX."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _whole(path, f"not readable: {error.strerror or type(error).__name__}") from None
    if len(content) > MAX_BYTES:
        raise _whole(path, f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    if content.startswith(b"PK\x03\x04"):
        return _workbook(path, content)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise _whole(path, "an old .xls file; save it as .xlsx or as CSV")
    return [_csv(path, content)]


def _csv(path: Path, content: bytes) -> Sheet:
    text = _text(path, content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    rows: list[tuple[int, Sequence[Cell]]] = []
    last = 0
    try:
        for row in reader:
            first, last = (
                last + 1,
                reader.line_num,
            )  # a quoted cell may hold line breaks: the row begins on its first line
            rows.append((first, [_cut(cell) for cell in row[:MAX_COLUMNS]]))
            if len(rows) > MAX_ROWS:
                raise ConfigError([Problem(str(path), first, 1, "", f"more than {MAX_ROWS} rows")])
    except csv.Error as error:
        raise ConfigError([Problem(str(path), reader.line_num, 1, "", f"not CSV: {error}")]) from None
    return Sheet(str(path), path.stem, rows)


def _text(path: Path, content: bytes) -> str:
    """UTF-8 with or without mark, UTF-16 with one (Excel's "Unicode text"), else GB18030, which holds GBK."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decoded(path, content, encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded(path, content, "gb18030")


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, 1, "", "neither UTF-8 nor GBK text")]) from None
    if "\0" in text:
        raise _whole(path, "not text: neither CSV nor XLSX")
    return text


def _delimiter(text: str) -> str:
    """What the first line with any of them has most of: a title row has none."""
    for line in text.split("\n", 20)[:20]:
        counts = {mark: line.count(mark) for mark in ",\t;"}
        if any(counts.values()):
            return max(counts, key=lambda mark: counts[mark])
    return ","


def _workbook(path: Path, content: bytes) -> list[Sheet]:
    import openpyxl

    if _unpacked(path, content) > MAX_UNPACKED:
        raise _whole(path, "unpacks to too much")
    try:
        # data_only: what a formula gave when the file was saved; links to other files are not followed
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            return [_sheet(path, sheet) for sheet in book.worksheets if sheet.sheet_state == "visible"]
        finally:
            book.close()
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - a foreign file may break the library in any way
        raise _whole(path, f"not a usable .xlsx file: {type(error).__name__}") from None


def _unpacked(path: Path, content: bytes) -> int:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        raise _whole(path, "not a usable .xlsx file: not a zip") from None


def _sheet(path: Path, sheet: Any) -> Sheet:
    return Sheet(f"{path}[{sheet.title}]", str(sheet.title), list(_rows(path, sheet)))


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, Sequence[Cell]]]:
    for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True), 1):
        if number > MAX_ROWS:
            raise _whole(path, f"{sheet.title}: more than {MAX_ROWS} rows")
        yield number, [_cut(cell) for cell in row]


def _cut(cell: Any) -> Cell:
    if isinstance(cell, str):
        return cell[:MAX_CELL]
    return cell if cell is None or isinstance(cell, int | float) or hasattr(cell, "year") else str(cell)[:MAX_CELL]


def _whole(path: Path, message: str) -> ConfigError:
    return ConfigError([Problem(str(path), 0, 0, "", message)])

"""`hiswatch query`: one SELECT over the published pieces, for people, for a pipe, or as JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from config import tolerance
from monitor.assemble import read_site
from monitor.errors import StartError
from monitor.findings import visible
from monitor.rendering import json_lines as as_json_lines
from monitor.rendering import with_local_times
from monitor.store.query import QueryLimits, run_query

if TYPE_CHECKING:
    from rich.console import Console


def run_query_command(sql: str, config: Path | None, state_dir: Path | None, limit: int, *, json_lines: bool) -> None:
    if (config is None) == (state_dir is None):
        raise StartError("query: give --config or --state-dir, and not both")
    zone = ZoneInfo("UTC")
    if config is not None:
        settings = read_site(config, deep=False, tolerate=tolerance.ALL).settings
        state_dir, zone = settings.state_dir, settings.zone
    assert state_dir is not None
    answer = run_query(state_dir.resolve(), sql, QueryLimits(rows=limit))  # the worker has a folder of its own
    if json_lines:
        sys.stdout.buffer.write(as_json_lines(answer.frame, zone))
    elif sys.stdout.isatty():
        from rich.console import Console

        show(with_local_times(answer.frame, zone), Console(highlight=False))
    else:
        sys.stdout.buffer.write(tab_separated(with_local_times(answer.frame, zone)))
    sys.stdout.flush()
    if answer.warning:
        print(answer.warning, file=sys.stderr)
    if answer.truncated:
        print(f"cut after {answer.frame.height} rows; --limit takes more", file=sys.stderr)


def tab_separated(frame: pl.DataFrame) -> bytes:
    """A header and a line a row, UTF-8. Tabs and line breaks of a value are made visible, so columns stay columns."""
    lines = ["\t".join(visible(name) for name in frame.columns)]
    lines += ["\t".join(_text(value) for value in row) for row in frame.iter_rows()]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def show(frame: pl.DataFrame, console: Console) -> None:
    """A table where the terminal is wide enough for it, else a block a row: nothing is ever cut."""
    from rich.cells import cell_len
    from rich.markup import escape
    from rich.table import Table

    names = [visible(name) for name in frame.columns]
    rows = [[_text(value) for value in row] for row in frame.iter_rows()]
    widths = (max(map(cell_len, column)) for column in zip(names, *rows, strict=True))
    if sum(width + 3 for width in widths) + 1 <= console.width:
        table = Table(*(escape(name) for name in names))
        for row in rows:
            table.add_row(*(escape(value) for value in row))
        console.print(table)
        return
    if not rows:
        console.print(f"no rows: {', '.join(names)}", markup=False, soft_wrap=True)
    for number, row in enumerate(rows, start=1):
        console.rule(f"{number}", align="left")
        for name, value in zip(names, row, strict=True):
            console.print(f"{name}: {value}", markup=False, soft_wrap=True)


def _text(value: object) -> str:
    if value is None:
        return ""
    return visible(", ".join(map(str, value)) if isinstance(value, list) else str(value))

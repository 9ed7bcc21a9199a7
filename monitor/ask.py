"""`hiswatch query`: one SELECT over the published pieces, as a table or JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from monitor.assemble import read_site
from monitor.errors import StartError
from monitor.findings import visible
from monitor.rendering import json_lines as as_json_lines
from monitor.rendering import with_local_times
from monitor.store.query import QueryLimits, run_query


def run_query_command(sql: str, config: Path | None, state_dir: Path | None, limit: int, *, json_lines: bool) -> None:
    if (config is None) == (state_dir is None):
        raise StartError("query: give --config or --state-dir, and not both")
    zone = ZoneInfo("UTC")
    if config is not None:
        settings = read_site(config).settings
        state_dir, zone = settings.state_dir, settings.zone
    assert state_dir is not None
    answer = run_query(state_dir, sql, QueryLimits(rows=limit))
    if json_lines:
        sys.stdout.buffer.write(as_json_lines(answer.frame, zone))
        sys.stdout.buffer.flush()
    else:
        _table(with_local_times(answer.frame, zone).rows(), answer.frame.columns)
    if answer.warning:
        print(answer.warning, file=sys.stderr)
    if answer.truncated:
        print(f"cut after {answer.frame.height} rows; --limit takes more", file=sys.stderr)


def _table(rows: list[tuple[object, ...]], columns: list[str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*(escape(name) for name in columns))
    for row in rows:
        table.add_row(*(escape(visible("" if value is None else str(value))) for value in row))
    Console().print(table)

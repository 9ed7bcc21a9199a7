"""The process that answers one question and ends: `python -I -m monitor.store.query_worker`.

Standard input: one JSON object (see `query.py`). Standard output: one JSON line, then, where there is an answer, the
frame as an Arrow IPC stream. It sees the published pieces and nothing else; its parent kills it when time is up.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from io import BytesIO
from typing import Any

MB = 1 << 20


def main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    _confine(request)
    header, body = _answer(request)
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + body)
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing to tidy up, and the libraries' own good-byes would go to standard error


def _confine(request: dict[str, Any]) -> None:
    def limit(what: int, amount: int) -> None:
        resource.setrlimit(what, (amount, amount))

    limit(resource.RLIMIT_AS, request["address_space_mb"] * MB)
    limit(resource.RLIMIT_CPU, int(request["seconds"]) + 5)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    import duckdb

    from monitor.store.allow import Refused, check, shape

    asked = shape(request["sql"])
    connection = _connect(request)
    try:
        check(connection, request["sql"], frozenset(request["tables"]) | frozenset(request["views"]))
        frame, truncated = _run(connection, request)
    except Refused as error:
        return {"outcome": "refused", "message": str(error), "shape": asked}, b""
    except (duckdb.Error, MemoryError, RecursionError) as error:
        lines = str(error).split("\n")
        return {"outcome": "failed", "message": lines[0][:500] or type(error).__name__, "shape": asked}, b""
    body = BytesIO()
    frame.write_ipc_stream(body)
    return {"outcome": "ok", "shape": asked, "truncated": truncated, "rows": frame.height}, body.getvalue()


def _connect(request: dict[str, Any]) -> Any:
    """An empty database in memory, views over the pieces, and the doors closed behind them."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{request['memory_mb']}MB",
            "threads": "1",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "allow_persistent_secrets": "false",
        },
    )
    connection.execute("SET TimeZone='UTC'")
    connection.execute("SET max_execution_time = " + str(int(request["seconds"] * 1000)))
    connection.execute("SET allowed_directories = ?", [[request["directory"]]])
    connection.execute("SET enable_external_access = false")
    for name, table in request["tables"].items():
        connection.execute(table["empty"])
        view = f"SELECT * FROM nothing_{name}"  # noqa: S608 - our names
        if table["files"]:
            files = ", ".join("'" + file.replace("'", "''") + "'" for file in table["files"])
            view += f" UNION ALL BY NAME SELECT * FROM read_parquet([{files}], union_by_name = true)"  # noqa: S608
        if table["only"]:
            view = f"SELECT * FROM ({view}) {table['only']}"  # noqa: S608
        connection.execute(f"CREATE VIEW {name} AS {view}")
    for name, select in request["views"].items():
        connection.execute(f"CREATE VIEW {name} AS {select}")
    connection.execute("SET lock_configuration = true")
    return connection


def _run(connection: Any, request: dict[str, Any]) -> tuple[Any, bool]:
    """At most so many rows and bytes, and whether there was more."""
    import polars as pl

    rows, size = request["rows"], request["bytes"]
    relation = connection.sql(request["sql"])
    frame = pl.DataFrame(relation.limit(rows + 1))
    truncated = frame.height > rows
    frame = frame.head(rows)
    while frame.height and frame.estimated_size() > size:
        frame, truncated = frame.head(max(frame.height // 2, 1) if frame.height > 1 else 0), True
    return frame, truncated


if __name__ == "__main__":
    main()

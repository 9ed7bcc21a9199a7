"""What a question may be: one SELECT over the published views, decided on DuckDB's own parse tree.

No regular expression judges SQL here. Whatever the tree holds that is not listed is refused: other statements,
other tables (system views, files named as tables), table functions, functions that tell of settings, files or time
they take. DuckDB's settings in the worker are the second wall.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_LENGTH = 64 * 1024
_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
_TABLES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "TABLE_FUNCTION", "SHOW_REF"})
_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEADY = frozenset({  # not CONSISTENT in DuckDB's list, and harmless
    "now", "today", "current_date", "current_timestamp", "get_current_timestamp", "transaction_timestamp",
    "get_current_time", "current_localtimestamp", "current_localtime", "unnest",
})  # fmt: skip
_NEVER = frozenset({
    "version", "json_serialize_sql", "json_deserialize_sql", "json_serialize_plan", "json_execute_serialized_sql",
    "parse_duckdb_log_message",
})  # fmt: skip
_MACROS = re.compile(
    r"list_\w+|array_\w+|nullif|fdiv|fmod|round_even|roundbankers|date_add|split_part|count_if|geomean|"
    r"geometric_mean|weighted_avg|wavg|generate_subscripts|ifnull|md5_number\w*|date_trunc"
)


class Refused(Exception):
    """The question is not one that may be asked; the message says why and quotes nothing of it."""


def check(connection: Any, sql: str, views: frozenset[str]) -> None:
    """Raise Refused unless `sql` is a single SELECT over `views` with allowed functions only."""
    if len(sql) > MAX_LENGTH:
        raise Refused(f"longer than {MAX_LENGTH} characters")
    tree = _parsed(connection, sql)
    statements = tree.get("statements", [])
    if len(statements) != 1:
        raise Refused("one statement at a time")
    functions = _functions(connection)
    ctes = {name.lower() for name in _cte_names(statements[0])}
    if not all(_PLAIN.fullmatch(name) for name in ctes):
        raise Refused("the name of a WITH query must be a plain word")
    for node in _walk(statements[0]):
        _check_node(node, views | ctes, functions)


def _parsed(connection: Any, sql: str) -> dict[str, Any]:
    try:
        (text,) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
        tree: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise Refused("nested too deeply") from None
    if tree.get("error") and tree.get("error_type") == "not implemented":
        raise Refused("only SELECT is answered")
    if tree.get("error"):
        raise Refused(f"not understood: {str(tree.get('error_message', ''))[:200]}")
    return tree


def _functions(connection: Any) -> frozenset[str]:
    """Names that may be called: DuckDB's own, the same answer for the same rows, nothing of the outside."""
    rows = connection.execute(
        "SELECT function_name, bool_and(stability = 'CONSISTENT' AND NOT has_side_effects) AS steady, "
        "bool_or(function_type = 'macro') AS macro FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro') GROUP BY ALL"
    ).fetchall()
    steady = {name for name, good, macro in rows if good and not macro and not name.startswith("pg_")}
    macros = {name for name, _, macro in rows if macro and _MACROS.fullmatch(name)}
    return frozenset((steady | macros | _STEADY) - _NEVER)


def _cte_names(tree: Any) -> Iterator[str]:
    for node in _walk(tree):
        for entry in (node.get("cte_map") or {}).get("map", []):
            yield entry["key"]
        if node.get("type") in {"RECURSIVE_CTE_NODE", "CTE_NODE"} and "cte_name" in node:
            yield node["cte_name"]
        elif node.get("type") in {"RECURSIVE_CTE_NODE", "CTE_NODE"} and "ctename" in node:
            yield node["ctename"]


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree. Iterative: depth is the asker's choice."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _check_node(node: dict[str, Any], tables: frozenset[str] | set[str], functions: frozenset[str]) -> None:
    kind = node.get("type")
    if ("from_table" in node or "cte_map" in node) and kind not in _NODES:
        raise Refused("this form of query is not answered")
    if "sample" in node and "alias" in node and "class" not in node:
        _check_table(node, tables)
    if node.get("class") == "FUNCTION" or (node.get("class") == "WINDOW" and "function_name" in node):
        _check_function(node, functions)


def _check_table(node: dict[str, Any], tables: frozenset[str] | set[str]) -> None:
    kind = node.get("type")
    if kind not in _TABLES:
        raise Refused("this form of table is not answered")
    if kind == "BASE_TABLE":
        qualified = (node.get("qualified_name") or {}).get("path") or [node.get("table_name", "")]
        if len(qualified) != 1 or node.get("schema_name") or node.get("catalog_name") or qualified[0] == "":
            raise Refused("tables are named without schema or catalog")
        if qualified[0].lower() not in tables or node.get("table_name", qualified[0]).lower() not in tables:
            raise Refused("no such table here; known are: " + ", ".join(sorted(tables)))
    elif kind == "TABLE_FUNCTION":
        name = (node.get("function") or {}).get("function_name", "").lower()
        if name not in _TABLE_FUNCTIONS:
            raise Refused("table functions are not answered, except unnest, range and generate_series")
        node["function"]["class"] = "TABLE_FUNCTION"  # judged here, not as a scalar
    elif kind == "SHOW_REF" and (node.get("show_type") not in {"DESCRIBE", "SUMMARY"} or not node.get("query")):
        raise Refused("only DESCRIBE and SUMMARIZE of a query are answered")


def _check_function(node: dict[str, Any], functions: frozenset[str]) -> None:
    if node.get("schema") not in {"", "main", None} or node.get("catalog") not in {"", None}:
        raise Refused("functions are named without schema")
    if node.get("function_name", "").lower() not in functions:
        raise Refused("a function is used that is not answered here")


def shape(sql: str) -> str:
    """The question without its values and remarks, as it is recorded."""
    import duckdb

    try:
        starts = duckdb.tokenize(sql)
    except duckdb.Error:
        return f"(not readable, {len(sql)} characters)"
    parts, raw = [], sql.encode()
    bounds = [start for start, _ in starts] + [len(raw)]
    for (start, kind), end in zip(starts, bounds[1:], strict=True):
        text = raw[start:end].decode("utf-8", "replace")
        name = getattr(kind, "name", str(kind))
        if name == "comment":
            continue
        literal = name in {"string_const", "numeric_const"} or (
            name == "identifier" and not _PLAIN.fullmatch(text.strip())
        )
        parts.append("?" if literal else text.strip())
    return " ".join(part for part in parts if part)[:4000]

"""A condition as DuckDB SQL: a new rule can be tried on half a year of history in one query.

The text only; nothing here opens a database. Column names are those of the schema, quoted; values are quoted literals.
"""

from __future__ import annotations

from collections.abc import Container

from detectors.conditions import All, Ask, Either, Not, Tree

_COMPARE = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "same": "="}


def sql(node: Tree) -> str:
    """Boolean SQL expression, true or false, never null; the same events match as with `expressions.expression`."""
    if isinstance(node, All):
        return "(" + " AND ".join(sql(part) for part in node.parts) + ")"
    if isinstance(node, Either):
        return "(" + " OR ".join(sql(part) for part in node.parts) + ")"
    if isinstance(node, Not):
        return f"(NOT {sql(node.part)})"
    return f"coalesce({_test(node)}, false)"


def loosely(node: Tree, columns: Container[str], *, true: bool = True) -> str:
    """SQL over `columns` alone that every event matched by `node` fulfils (`true` False: every event not matched).

    What is asked of another column may be so or not: for reading from a table that lacks some columns all that may matter.
    """
    if isinstance(node, All | Either):
        joined = " AND " if isinstance(node, All) == true else " OR "
        return "(" + joined.join(loosely(part, columns, true=true) for part in node.parts) + ")"
    if isinstance(node, Not):
        return loosely(node.part, columns, true=not true)
    if node.column not in columns:
        return "true"
    return sql(node) if true else sql(Not(node))


def _test(test: Ask) -> str:
    column = f'"{test.column}"'
    if test.op == "missing":
        return f"coalesce(len({column}), 0) = 0" if test.is_list else f"{column} IS NULL"
    if test.op == "present":
        return f"coalesce(len({column}), 0) > 0" if test.is_list else f"{column} IS NOT NULL"
    if test.op == "is":
        return column if test.value else f"NOT {column}"
    value = literal(test.value)
    if test.op in _COMPARE:
        return f"{column} {_COMPARE[test.op]} {value}"
    if test.op == "member":
        return f"list_contains({column}, {value})"
    if test.op == "matches":
        return f"regexp_matches({column}, {value})"
    if test.op == "equals":
        return f"lower({column}) = {value}"
    function = {"contains": "contains", "starts": "starts_with", "ends": "ends_with"}[test.op]
    return f"{function}(lower({column}), {value})"


def literal(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "NULL"}[value]
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"

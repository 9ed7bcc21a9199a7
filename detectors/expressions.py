"""A condition as a Polars expression: true or false for every event, never null."""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import and_, or_

import polars as pl

from detectors.conditions import All, Ask, Either, Not, Tree


@lru_cache(10_000)
def expression(node: Tree) -> pl.Expr:
    """Boolean expression over the enriched columns; a test on a missing value is false, so `not` of it is true."""
    if isinstance(node, All):
        return reduce(and_, (expression(part) for part in node.parts))
    if isinstance(node, Either):
        return reduce(or_, (expression(part) for part in node.parts))
    if isinstance(node, Not):
        return ~expression(node.part)
    return _test(node).fill_null(value=False)


def _test(test: Ask) -> pl.Expr:
    column = pl.col(test.column)
    if test.op == "missing":
        return column.list.len().fill_null(0) == 0 if test.is_list else column.is_null()
    if test.op == "present":
        return column.list.len().fill_null(0) > 0 if test.is_list else column.is_not_null()
    if test.op == "is":
        return column if test.value else ~column
    value = pl.lit(test.value)
    if test.op in ("eq", "gt", "gte", "lt", "lte", "ne"):
        compare = {"eq": column == value, "ne": column != value, "gt": column > value,
                   "gte": column >= value, "lt": column < value, "lte": column <= value}  # fmt: skip
        return compare[test.op]
    if test.op == "member":
        return column.list.contains(value)
    if test.op == "same":
        return column == value
    if test.op == "matches":
        return column.str.contains(str(test.value))
    lower = column.str.to_lowercase()
    if test.op == "equals":
        return lower == value
    if test.op == "contains":
        return lower.str.contains(str(test.value), literal=True)
    return lower.str.starts_with(str(test.value)) if test.op == "starts" else lower.str.ends_with(str(test.value))

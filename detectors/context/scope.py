"""Does an event lie inside a scope: its actions, the classes it carries out, its objects, its program?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from config.catalogue import CLASS_A
from config.register import Job, Scope, Ticket
from detectors.context.activity import ALL, BIT, CLASS_BIT, CLASSES, mask, objects

JOB_ACTIONS = {
    "export": ("read", "export", "other"),
    "maintenance": ("read", "other"),
    "report": ("read", "other"),
    "transfer": ("upload", "download", "list", "rename", "folder", "permission", "other"),
}
# Upkeep that names neither tables nor classes shows no patient to anybody: analysing, checking, counting, clearing up.
_UPKEEP = tuple(name for name in CLASSES if name not in CLASS_A)
# What tools read to show tables and columns. Not what holds data or secrets: pg_authid, pg_stats, processes, mysql.user.
METADATA = (
    r"(?i)\A(?:"
    r"(?:(?:\w+\.)?pg_catalog\.)?pg_(?:class|namespace|attribute|attrdef|type|proc|index|constraint|database|tables|views|matviews|indexes|description|shdescription"
    r"|depend|sequences?|trigger|rewrite|rules|enum|collation|language|operator|opclass|am|inherits|extension|tablespace|settings|roles|auth_members"
    r"|range|cast|aggregate|partitioned_table|polic(?:y|ies)|event_trigger|locks)"
    r"|(?:\w+\.)?information_schema\.(?:tables|columns|schemata|views|routines|parameters|triggers|statistics|partitions|sequences|domains|character_sets"
    r"|collations|engines|key_column_usage|table_constraints|referential_constraints|check_constraints|constraint_column_usage)"
    r"|(?:\w+\.)?sys\.(?:all_objects|all_columns|objects|tables|columns|schemas|indexes|index_columns|types|views|databases|key_constraints|foreign_keys"
    r"|foreign_key_columns|procedures|parameters|extended_properties)"
    r"|(?:sys\.)?(?:all|user)_(?:tables|tab_columns|tab_cols|cons_columns|ind_columns|tab_comments|col_comments|constraints|indexes)"
    r")\z"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """A scope made ready: masks, and one regular expression each for objects and programs (None: no limit)."""

    actions: int = ALL
    classes: int = ALL
    objects: str | None = None
    programs: str | None = None
    content: bool = False  # classes or objects are named: what nobody understood can't be held against them
    names_metadata: bool = (
        True  # false: what a program asks of the catalogue of the database need not be among the objects
    )


def limits_of(scope: Scope | Ticket | Job) -> Limits:
    actions = scope.actions
    if actions is None and isinstance(scope, Job):
        actions = JOB_ACTIONS[scope.kind]  # type: ignore[assignment]
    content = scope.classes is not None or scope.objects is not None
    upkeep = isinstance(scope, Job) and scope.kind == "maintenance" and not content
    return Limits(
        mask(actions, BIT),
        mask(_UPKEEP if upkeep else scope.classes, CLASS_BIT),
        objects_pattern(scope.objects),
        _pattern(scope.programs) if isinstance(scope, Scope) and scope.programs is not None else None,
        content=content,
        names_metadata=not isinstance(scope, Ticket),
    )


def limits_frame(limits: Iterable[Limits]) -> pl.DataFrame:
    """A row per scope; its number is its place."""
    rows = list(limits)
    return pl.DataFrame(
        {
            "scope": list(range(len(rows))),
            "allowed_actions": [row.actions for row in rows],
            "allowed_classes": [row.classes for row in rows],
            "textual": [row.objects is not None or row.programs is not None for row in rows],
            "judges_content": [row.content for row in rows],
        },
        schema={
            "scope": pl.UInt32, "allowed_actions": pl.UInt32, "allowed_classes": pl.UInt32,
            "textual": pl.Boolean, "judges_content": pl.Boolean,
        },
    )  # fmt: skip


def judge(rows: pl.DataFrame, limits: list[Limits], frame: pl.DataFrame) -> pl.Series:
    """Boolean per row of `rows`: inside its `scope`; null: no scope, or nothing that a scope could judge.

    `rows` has `scope`, `done`, `carried`, `opaque`, `client_program`, tables and paths; `frame` is `limits_frame(limits)`.
    """
    joined = rows.join(frame, on="scope", how="left", maintain_order="left")
    # A list of classes or objects can't be held against a statement that nobody understood.
    blind = pl.col("opaque") & pl.col("judges_content")
    within = ((pl.col("done") & pl.col("allowed_actions")) == pl.col("done")) & (
        (pl.col("carried") & pl.col("allowed_classes")) == pl.col("carried")
    )
    judged = joined.select(
        pl.when(pl.col("allowed_actions").is_null() | (pl.col("done") == 0))
        .then(None)
        .when(~within)
        .then(pl.lit(value=False))
        .when(blind)
        .then(None)
        .otherwise(pl.lit(value=True))
        .alias("verdict"),
        "textual",
    )
    verdict = judged["verdict"]
    if not judged["textual"].any():
        return verdict
    return verdict & _texts_within(joined, limits)


def _texts_within(joined: pl.DataFrame, limits: list[Limits]) -> pl.Series:
    """Objects and programs against the patterns, one pass per scope that has patterns."""
    columns = ("scope", "reads", "writes", "path", "path2", "client_program", "textual")
    numbered = joined.select(columns).with_row_index("row")
    limited = numbered.filter("textual").with_columns(objects().alias("objects"))
    plain = pl.col("reads").list.eval(pl.element().filter(~pl.element().str.contains(METADATA)))
    limited = limited.with_columns(limited.with_columns(plain).select(objects().alias("named")))
    parts = [
        part.select("row", _matches(limits[int(part["scope"][0])]).alias("texts"))
        for part in limited.partition_by("scope")
    ]
    found = pl.concat(parts)
    return numbered.join(found, on="row", how="left", maintain_order="left")["texts"].fill_null(value=True)


def _matches(limits: Limits) -> pl.Expr:
    checks = []
    if limits.objects is not None:
        touched = pl.col("objects" if limits.names_metadata else "named")
        checks.append(touched.list.eval(pl.element().str.contains(limits.objects)).list.all())
    if limits.programs is not None:
        program = pl.col("client_program")
        checks.append(program.is_null() | (program == "") | program.str.contains(limits.programs))
    return pl.all_horizontal(checks)


def _pattern(patterns: Iterable[str]) -> str:
    return r"(?is)\A(?:" + "|".join(map(_wildcards, patterns)) + r")\z"


def objects_pattern(patterns: Iterable[str] | None) -> str | None:
    return None if patterns is None else r"(?is)\A(?:" + "|".join(map(_object, patterns)) + r")\z"


def _object(text: str) -> str:
    """`patients` fits in any schema, `*.zip` in any folder; `his.patients` and `/out/*.zip` only where they say."""
    schema = "" if "." in text or "/" in text else r"(?:[^/]*\.)?"
    folder = "" if text.startswith("/") else "(?:.*/)?"
    return folder + schema + _wildcards(text)


def _wildcards(text: str) -> str:
    """To a pattern of the regex crate: `*` stays in its folder, `**` does not; all else stands for itself."""
    parts = re.split(r"(\*\*|\*|\?)", text)
    return "".join({"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in parts)

"""What an event does, as bits: the vocabulary that scopes, tickets and jobs of the register are written in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

import polars as pl

ACTIONS = (
    "read", "write", "schema", "privilege", "audit", "export", "other",
    "upload", "download", "list", "delete", "rename", "folder", "permission", "command",
)  # fmt: skip
BIT = {name: 1 << index for index, name in enumerate(ACTIONS)}
UNKNOWN = 1 << len(ACTIONS)  # something was done that nobody understood: inside no list of actions
TOUCHES = BIT["read"] | BIT["write"] | UNKNOWN  # bits that may mean data was touched
CLASSES = (
    "identity", "contact", "clinical", "special", "lab", "image", "prescription", "drug", "billing", "staff",
    "credential", "procurement", "public_health", "audit",
)  # fmt: skip
CLASS_BIT = {name: 1 << index for index, name in enumerate(CLASSES)}
ALL = (1 << 32) - 1

_TRANSFERS = {
    "upload": "upload", "download": "download", "list": "list", "delete": "delete", "rename": "rename",
    "mkdir": "folder", "rmdir": "folder", "chmod": "permission", "link": "permission", "command": "command",
}  # fmt: skip
_CARRIES_OUT = ("server_file", "os_command", "link", "backup")
_WRITES = ("insert", "update", "delete", "merge", "load", "truncate")
_HIDING = ("call", "execute", "fetch")
_TOUCHING = ("select", "copy", "alter", "grant", "revoke", *_WRITES)
# What the log itself says, where the statement was not sent or not understood (pgaudit classes, MariaDB table events).
_BY_LOG = {
    "READ": "read", "WRITE": "write", "DDL": "schema", "ROLE": "privilege", "MISC": "other", "MISC_SET": "other",
    "CREATE": "schema", "ALTER": "schema", "DROP": "schema", "RENAME": "schema", "SELECT": "read", "INSERT": "write",
    "UPDATE": "write", "DELETE": "write", "BEGIN": "other", "COMMIT": "other", "ROLLBACK": "other", "SET": "other",
    "SHOW": "other", "ANALYZE": "other", "VACUUM": "other", "PURGE": "other",  # of MariaDB: binary logs
}  # fmt: skip

FRAME_COLUMNS = (
    "action", "understood", "verb", "reads", "writes", "output_classes", "destination", "dump_tool", "audit_change",
    "privilege_change", "schema_change", "dangerous", "command", "command_class", "path", "path2",
)  # fmt: skip


def mask(names: Iterable[str] | None, bits: dict[str, int]) -> int:
    """The bits of a list of names; everything when there is no list."""
    return ALL if names is None else reduce(or_, (bits[name] for name in names), 0)


def done() -> pl.Expr:
    """UInt32 bits of what an event did; 0: nothing that a scope could judge (a login, a notice)."""
    facts = [
        _flag(pl.col("audit_change"), "audit"),
        _flag(pl.col("privilege_change"), "privilege"),
        _flag(pl.col("schema_change"), "schema"),
        _flag(_exports(), "export"),
        _flag(_writes(), "write"),
        _flag(pl.col("reads").list.len() > 0, "read"),
    ]
    from_facts = reduce(or_, facts)
    from_log = _by_log("command_class", _by_log("command", pl.lit(UNKNOWN, pl.UInt32)))
    named = pl.when(from_facts > 0).then(from_facts)
    query = (
        pl.when(pl.col("understood").is_null() | (pl.col("understood") == "none"))
        .then(from_log)
        # A call or a cursor whose body nobody knows may do anything, and so may a query whose tables nobody found.
        .otherwise(
            named.when(
                pl.col("verb").is_in(_HIDING) | ((pl.col("understood") == "lexical") & pl.col("verb").is_in(_TOUCHING))
            )
            .then(pl.lit(UNKNOWN, pl.UInt32))
            .otherwise(pl.lit(BIT["other"], pl.UInt32))
        )
    )
    transfers = {name: BIT[kind] for name, kind in _TRANSFERS.items()}
    return (
        pl.when(pl.col("action") == "query")
        .then(query)
        .when(pl.col("action") == "setting")
        .then(pl.lit(BIT["other"], pl.UInt32))
        .otherwise(pl.col("action").replace_strict(transfers, default=0, return_dtype=pl.UInt32))
        .fill_null(0)
    )


def carried() -> pl.Expr:
    """UInt32 bits of the classes that an event carries out; 0: none known."""
    column = pl.col("output_classes")
    return reduce(
        or_,
        (
            pl.when(column.list.contains(name)).then(pl.lit(bit, pl.UInt32)).otherwise(pl.lit(0, pl.UInt32))
            for name, bit in CLASS_BIT.items()
        ),
    )


def objects() -> pl.Expr:
    """What an event touched: tables in lower case, or the path of a transfer and its new name."""
    tables = pl.concat_list(
        pl.col("reads").fill_null(pl.lit([], pl.List(pl.String))),
        pl.col("writes").fill_null(pl.lit([], pl.List(pl.String))),
    )
    paths = pl.concat_list("path", "path2").list.drop_nulls()
    return pl.when(pl.col("path").is_null()).then(tables).otherwise(paths)


def _flag(condition: pl.Expr, name: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(BIT[name], pl.UInt32)).otherwise(pl.lit(0, pl.UInt32))


def _exports() -> pl.Expr:
    return (
        pl.col("destination").is_in(["file", "program", "other_database"])
        | pl.col("dump_tool").is_not_null()
        | (pl.col("verb") == "backup")
        | pl.any_horizontal(pl.col("dangerous").list.contains(code) for code in _CARRIES_OUT)
    )


def _writes() -> pl.Expr:
    return pl.col("verb").is_in(_WRITES) | (
        (pl.col("writes").list.len() > 0) & ~pl.col("schema_change").fill_null(value=False)
    )


def _by_log(column: str, otherwise: pl.Expr) -> pl.Expr:
    bits = {name: BIT[kind] for name, kind in _BY_LOG.items()}
    found = pl.col(column).str.to_uppercase().replace_strict(bits, default=None, return_dtype=pl.UInt32)
    return pl.coalesce(found, otherwise)

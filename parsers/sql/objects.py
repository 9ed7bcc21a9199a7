"""Records that name an object and keep the statement to themselves (pgaudit.log_statement=off, MariaDB TABLE events).

What is known: which table, read or written. What may have left: any class of data that the table holds. How far it was
restricted is not known, so `restriction` is null and `understood` is none, reason "not_logged".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parsers.sql.facts import StatementFacts

MARK = "\u2063statement not logged: "  # an invisible separator first: no statement is read as one of these by chance
BETWEEN = "\u2063 "
READS = frozenset({"READ", "SELECT", "COPY", "FETCH", "EXECUTE"})
WRITES = frozenset({"WRITE", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
CHANGES = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"})


@dataclass(frozen=True, slots=True)
class Named:
    command: str
    object: str


def read(text: str) -> Named | None:
    """The command and object of a marked text; None for a statement."""
    if not text.startswith(MARK):
        return None
    command, _, name = text[len(MARK) :].partition(BETWEEN)
    return Named(command.partition(" ")[0].upper(), name)


def as_select(dialect: str, name: str) -> str:
    """A statement that reads all of the object: its output classes are the most that can have left."""
    parts = [part.strip('"`[]') for part in name.split(".")]
    if dialect == "mysql":
        quoted = ".".join("`" + part.replace("`", "``") + "`" for part in parts)
    else:
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    return f"SELECT * FROM {quoted}"  # noqa: S608 - it is read, never run


def without_statement(facts: StatementFacts, named: Named) -> StatementFacts:
    """`facts`: of `as_select`. Reduced to what the record really says."""
    table = facts.reads
    known = StatementFacts(understood="none", reason="not_logged")
    if named.command in READS:
        return replace(known, verb="select", reads=table, output_classes=facts.output_classes)
    if named.command in WRITES:
        verb = {"WRITE": "other", "REPLACE": "insert"}.get(named.command, named.command.lower())
        return replace(known, verb=verb, writes=table, used_classes=facts.output_classes)
    if named.command in CHANGES:
        dangerous = (named.command.lower(),) if named.command in ("DROP", "TRUNCATE") else ()
        verb = named.command.lower() if named.command != "RENAME" else "alter"
        return replace(known, verb=verb, writes=table, schema_change=True, dangerous=dangerous)
    return replace(known, reads=table)

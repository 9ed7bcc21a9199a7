"""A parsed tree -> `Statement`: what each kind of statement reads and writes, and where its rows go."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from parsers.sql.lexer import ordinal_of
from parsers.sql.relations import Cte, Relation, Scope
from parsers.sql.structure import Ref, SlotUse, Statement
from parsers.sql.texts import Text
from parsers.sql.tree import Reader


def from_tree(text: Text, tree: Any, verb: str, *, body: bool = False) -> Statement:
    """A parsed statement."""
    reader = Reader(text.dialect, text.counts, text.temporary)
    made = _from_tree(text, reader, tree, verb, body=body)
    if reader.sql_texts or reader.table_texts:
        from parsers.sql import embedded

        text.bound[0] = True
        code = {ordinal for ordinal in reader.sql_texts if embedded.looks_like_sql(text.values.get(ordinal, ""))}
        inner = embedded.run_texts(text, code) + embedded.run_tables(text, reader.table_texts)
        slots = tuple(
            SlotUse("dynamic", (), None, slot.kind, slot.ordinal, slot.count)
            if slot.kind == "literal" and slot.ordinal in code
            else slot
            for slot in made.slots
        )
        sent = any(name.casefold() in {"dblink_exec", "dblink_send_query"} for name in reader.calls) and reader.tables
        made = made.but(inner=inner, slots=slots, destination="other_database" if sent else made.destination)
    if reader.link and made.destination == "table" and any("@" in reader.tables[use] for use in reader.targets):
        made = made.but(destination="other_database")
    return made


def _from_tree(text: Text, reader: Reader, tree: Any, verb: str, *, body: bool) -> Statement:
    outer = reader.outer
    if isinstance(tree, (exp.Query, exp.Values)):
        relation = reader.query(tree, outer, None, None)
        into = _into(tree)
        if into is None or body or text.dialect in {"mysql", "oracle"}:
            return reader.statement(verb if verb != "other" else "select", relation.all(), relation.blocks)
        return _made_table(
            text, reader, relation, into.this, "select", temporary=bool(into.args.get("temporary")), query=tree
        )
    if isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        relation = reader.change(tree, outer)
        if isinstance(tree, exp.Insert):
            _filled(text, reader, tree)
        place = "table" if isinstance(tree, exp.Insert) else "client"
        if isinstance(tree, exp.Insert) and not isinstance(tree.expression, exp.Query):
            place = "client" if tree.args.get("returning") else "table"
        bare = (
            isinstance(tree, (exp.Update, exp.Delete)) and tree.args.get("where") is None and not tree.args.get("limit")
        )
        remote = reader.sent or any(
            reader.tables[use].count(".") >= 3 or "@" in reader.tables[use] for use in reader.targets
        )
        return reader.statement(
            verb, relation.all(), relation.blocks, destination="other_database" if remote else place, unrestricted=bare
        )
    if isinstance(tree, exp.MultitableInserts):  # Oracle's INSERT ALL
        relation = reader.query(tree.args["source"], outer, None, None)
        reader.writes += [name for table in tree.expressions for name in _names(reader, table)]
        return reader.statement("insert", relation.all(), relation.blocks, destination="table")
    if isinstance(tree, exp.Create):
        return _created(text, reader, tree)
    if isinstance(tree, exp.Copy):
        return _copy(reader, tree)
    if isinstance(tree, exp.Describe):
        tables = _names(reader, tree.this) if isinstance(tree.this, exp.Table) else ()
        return reader.statement("other", (), (), reads=tables)
    if isinstance(tree, exp.Alter) and isinstance(query := (tree.args.get("actions") or [None])[0], exp.Query):
        relation = reader.query(query, outer, None, None)  # ALTER VIEW v AS SELECT …
        made = _made_table(text, reader, relation, tree.this, "alter", temporary=False, query=query)
        return made.but(definition=True)
    if isinstance(tree, (exp.Drop, exp.TruncateTable, exp.Alter)):
        return _definition_change(reader, tree, verb)
    if isinstance(tree, (exp.Grant, exp.Revoke)):
        target = tree.args.get("securable")
        return reader.statement(
            verb, (), (), reads=_names(reader, target) if target is not None else (), privilege_change=True
        )
    # Set, Use, Transaction, Analyze, Comment, Kill …: subqueries inside are read, nothing leaves.
    held: list[Ref] = []

    scope = Scope(reader.draft(), outer, None)
    if isinstance(tree.this, exp.Table):
        reader.use(reader.name(tree.this), scope)
    else:
        reader.walk(tree, scope, held)
    return reader.statement(verb, (), (0,))


def _names(reader: Reader, node: Any) -> tuple[str, ...]:
    found = [reader.name(table) for table in node.find_all(exp.Table)] if isinstance(node, exp.Expr) else []
    return tuple(dict.fromkeys(name for name in found if name))


def _filled(text: Text, reader: Reader, tree: Any) -> None:
    """INSERT … SELECT into a temporary table or table variable of the same text: its rows are those of the query."""
    target, query = tree.this, tree.expression
    table = target.this if isinstance(target, exp.Schema) else target
    if not isinstance(table, exp.Table) or not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        return
    key = reader.key(table)
    held = text.temporary.get(key)
    if held is None and not key.startswith(("#", "@")):
        return
    columns = _columns(target) or (held.columns if held else [])
    if held is not None and not held.shown and not isinstance(held.query, exp.Values):
        query = exp.Union(this=held.query.copy(), expression=query.copy(), distinct=False)
    if held is None or not held.shown:
        text.temporary[key] = Cte(query, columns, {**reader.outer})


def _columns(target: Any) -> list[str]:
    """Names that a view or table gives its columns itself."""
    named = target.expressions if isinstance(target, exp.Schema) else ()
    return [str(column.name) for column in named if isinstance(column, (exp.Identifier, exp.ColumnDef, exp.Column))]


def _into(tree: Any) -> Any:
    while isinstance(tree, (exp.SetOperation, exp.Subquery, exp.Paren)):
        tree = tree.this
    return tree.args.get("into") if isinstance(tree, exp.Select) else None


def _made_table(
    text: Text, reader: Reader, relation: Relation, target: Any, verb: str, *, temporary: bool, query: Any
) -> Statement:
    """CREATE TABLE AS, SELECT INTO, views: the result stays in the database."""
    name = reader.name(target.this if isinstance(target, exp.Schema) else target)
    if temporary or name.startswith("#"):
        if query is not None:
            stripped = query.copy() if _into(query) is not None else query
            if (into := _into(stripped)) is not None:
                into.pop()
            text.temporary[name.casefold()] = Cte(stripped, _columns(target), {**reader.outer})
        return reader.statement(verb, relation.all(), relation.blocks, destination="table", schema_change=False)
    if query is not None and _into(query) is None:
        made = Cte(query, _columns(target), {**reader.outer}, shown=True)
        text.temporary |= dict.fromkeys({name.casefold(), name.casefold().rsplit(".", 1)[-1]}, made)
    reader.writes.append(name)
    place = "other_database" if "@" in name or name.count(".") >= 3 else "table"
    return reader.statement(verb, relation.all(), relation.blocks, destination=place, schema_change=True)


_RIGHTS = frozenset({"user", "role", "login", "profile", "policy", "credential", "application"})


def _created(text: Text, reader: Reader, tree: Any) -> Statement:
    kind = str(tree.args.get("kind") or "").lower()
    properties = tree.args.get("properties")
    listed = properties.expressions if properties is not None else ()
    temporary = any(isinstance(p, (exp.TemporaryProperty, exp.GlobalProperty)) for p in listed)
    target = tree.this
    query = tree.expression
    if isinstance(query, exp.Subquery) and isinstance(query.this, exp.Query):
        query = query.this
    if isinstance(query, exp.Query) and kind in {"table", "view"}:
        relation = reader.query(query, reader.outer, None, None)
        made = _made_table(text, reader, relation, target, "create", temporary=temporary, query=query)
        return made.but(definition=kind == "view" and not any(isinstance(p, exp.MaterializedProperty) for p in listed))
    like = [prop.this for prop in listed if isinstance(prop, exp.LikeProperty)]
    if isinstance(target, exp.Schema):
        like += [item.this for item in target.expressions if isinstance(item, exp.LikeProperty)]
        target = target.this
    reads = tuple(reader.name(table) for table in like if isinstance(table, exp.Table))
    if isinstance(target, exp.Index):
        table = target.args.get("table")
        if isinstance(table, exp.Table):
            reader.writes.append(reader.name(table))
    elif isinstance(target, exp.Table) and kind in {"table", "view", "foreign table"}:
        if not temporary and not reader.name(target).startswith("#"):
            reader.writes.append(reader.name(target))
        else:
            text.temporary[reader.key(target)] = Cte(exp.Values(expressions=[]), _columns(tree.this), {})
            temporary = True
    elif isinstance(target, exp.UserDefinedFunction):
        pass
    return reader.statement(
        "create", (), (), reads=reads, schema_change=not temporary, privilege_change=kind in _RIGHTS
    )


def _copy(reader: Reader, tree: Any) -> Statement:

    inward = bool(tree.args.get("kind"))
    target = tree.this
    files = tree.args.get("files") or ()
    first = files[0] if files else None
    place = "client"
    if isinstance(first, exp.Literal):
        place = "file"
        if (slot := reader.placeholder(first)) is not None:
            reader.note(slot, "path", ())
    elif first is not None and str(getattr(first, "name", "")).upper() == "PROGRAM":
        place = "program"
    for param in tree.args.get("params") or ():
        ordinal = ordinal_of(str(getattr(param.this, "name", "") or param.this))
        if ordinal is not None and place == "program":
            reader.note(("literal", ordinal), "path", ())
    dangerous = ("os_command",) if place == "program" else ("server_file",) if place == "file" else ()
    if isinstance(target, exp.Subquery):
        relation = reader.query(target.this, reader.outer, None, None)
        return reader.statement("copy", relation.all(), relation.blocks, destination=place, dangerous=dangerous)
    columns = [str(column.name) for column in target.expressions] if isinstance(target, exp.Schema) else []
    table = target.this if isinstance(target, exp.Schema) else target
    scope = Scope(reader.draft(), reader.outer, None)
    relation = reader.use(reader.name(table), scope)
    if inward:
        reader._write(0)  # noqa: SLF001
        return reader.statement("copy", (), (0,), destination="table", dangerous=dangerous)
    outputs: list[Ref] = [((0,), column, False) for column in columns] or relation.all()
    scope.draft.outputs += outputs
    return reader.statement("copy", outputs, (0,), destination=place, dangerous=dangerous)


def _definition_change(reader: Reader, tree: Any, verb: str) -> Statement:
    kind = str(tree.args.get("kind") or "TABLE").upper()
    dangerous: tuple[str, ...]
    if isinstance(tree, exp.TruncateTable):
        nodes, dangerous = list(tree.expressions), ("truncate",)
    elif isinstance(tree, exp.Drop):
        nodes, dangerous = list(tree.args.get("tables") or ([tree.this] if tree.this is not None else [])), ()
        if kind in {"TABLE", "DATABASE", "SCHEMA", "TABLESPACE"} and not tree.args.get("temporary"):
            dangerous = ("drop",)
    else:
        nodes, dangerous = [tree.this], ()
        if any(isinstance(action, exp.Drop) for action in tree.args.get("actions") or ()):
            dangerous = ("drop",)
    names = tuple(reader.name(node) for node in nodes if isinstance(node, exp.Table))
    tables = kind in {"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", ""} or isinstance(tree, exp.TruncateTable)
    reader.writes += [name for name in names if name and tables]
    temporary = bool(names) and all(name.startswith("#") for name in names)
    return reader.statement(verb, (), (), schema_change=not temporary, dangerous=() if temporary else dangerous)

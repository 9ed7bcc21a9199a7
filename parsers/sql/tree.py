"""sqlglot's tree -> `Statement`: sources, columns traced to tables, predicates, groups, slots. Runs in a worker.

Only the plain parser is used: sqlglot's optimizer, qualify and lineage are neither fast nor safe on hostile text.
The text that is parsed has numbered placeholders for literals (`lexer.numbered`), so no value is ever seen here.
`Reader` is built up from what it reads: `expressions`, `predicates`, `queries`, and here statements that change data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlglot import exp

from parsers.sql.expressions import LINKS, SQL_FUNCTIONS
from parsers.sql.queries import Queries
from parsers.sql.relations import Cte, Relation, Scope, TooComplex, unique
from parsers.sql.structure import Ref, Statement


class Reader(Queries):
    """Reads one statement's tree."""

    def change(self, node: Any, ctes: dict[str, Cte]) -> Relation:
        """INSERT, UPDATE, DELETE, MERGE: their writes, sources and conditions; what RETURNING gives."""
        ctes = self._with(node, ctes)
        draft = self.draft()
        scope = Scope(draft, ctes, None)
        relation = Relation(blocks=[draft.number])
        if isinstance(node, exp.Insert):
            self._insert(node, scope, relation)
        else:
            self._update(node, scope)
        if (returning := node.args.get("returning")) is not None:
            self._pseudo_tables(scope)
            columns, stars = self._projections(returning, scope)
            relation.columns += columns
            relation.stars += stars
            relation.uses = list(draft.uses)
        draft.outputs += relation.all()
        return relation

    def _pseudo_tables(self, scope: Scope) -> None:
        """The rows that RETURNING and OUTPUT speak of: the target's, before and after."""
        near = {*scope.draft.uses, *(use for relation in scope.order for use in relation.uses)}  # also through WITH
        uses = [use for use in self.targets if use in near]
        for name in ("inserted", "deleted") if self.dialect == "tsql" else ("old", "new"):
            scope.aliases.setdefault(name, Relation(stars=list(uses), uses=list(uses)))

    def target(self, node: Any, scope: Scope) -> Relation:
        """The table written to, as a source of its own columns."""
        self._writing = True
        relation = self.source(node, scope)
        self._writing = False
        if relation.base is not None:
            self._write(relation.base)
        return relation

    def _write(self, use: int) -> None:
        if use not in self.targets:
            self.targets.append(use)
            self.writes += filter(None, [self.tables[use]])

    def _insert(self, node: Any, scope: Scope, relation: Relation) -> None:
        target = node.this
        columns: list[str] = []
        if isinstance(target, exp.Schema):
            columns = [str(column.name) for column in target.expressions]
            target = target.this
        if isinstance(target, exp.Table) and self.dialect == "tsql" and self.key(target) in LINKS:
            self.link = self.sent = True  # INSERT INTO OPENQUERY(server, '…')
        elif isinstance(target, exp.Table):
            self.target(target, scope)
        expression = node.expression
        if isinstance(expression, exp.Values):
            held: list[Ref] = []
            for row in expression.expressions:
                for position, value in enumerate(row.expressions):
                    if (slot := self.placeholder(value)) is not None:
                        self.note(slot, "assign", (), columns[position] if position < len(columns) else None)
                    else:
                        self.walk(value, Scope(scope.draft, scope.ctes, None), held)
            relation.columns.append(("", held))
        elif expression is not None:
            relation.columns += [("", self.query(expression, scope.ctes, None, scope.draft).all())]
        if (conflict := node.args.get("conflict")) is not None:
            for part in conflict.expressions or ():
                self.walk(part.expression if isinstance(part, exp.EQ) else part, scope, self.copied)

    def _update(self, node: Any, scope: Scope) -> None:
        """UPDATE, DELETE, MERGE: the table that is written may be named again, or by its alias, among the sources."""
        args = node.args
        named = args.get("tables") or ()
        if (from_ := args.get("from_")) is not None:
            self.source(from_.this, scope)
        using = args.get("using")
        sources = using if isinstance(using, list) else [using] if isinstance(using, exp.Expr) else []
        first = node.this or (named[0] if named else None)  # DELETE t WHERE …
        if self.dialect == "mysql" and isinstance(node, exp.Delete):  # DELETE FROM t USING t JOIN u
            for source in sources:
                self.source(source, scope)
            sources = []
        for relation in self._written(first, [table for table in named if node.this], scope):
            self._write_to(relation)
        for source in sources:
            self.source(source, scope)
        for join in args.get("joins") or ():
            self._join(join, scope)
        if isinstance(on := args.get("on"), exp.Expr):
            self._where(on, scope, None)
        if (where := args.get("where")) is not None:
            self._where(where.this, scope, None)
        for item in node.expressions if isinstance(node, exp.Update) else ():
            self._assign(item, scope)
            self._write_to(self._owner(item, scope))
        for when in args["whens"].expressions if args.get("whens") is not None else ():
            self._merged(when.args.get("then"), scope)
        self._limit(node)

    def _merged(self, then: Any, scope: Scope) -> None:
        """What MERGE does with a row: UPDATE SET …, INSERT (…) VALUES (…)."""
        for item in getattr(then, "expressions", None) or ():
            self._assign(item, scope)
        if not isinstance(then, exp.Insert) or not isinstance(then.expression, exp.Tuple):
            return
        columns = then.this.expressions if isinstance(then.this, exp.Tuple) else ()
        for position, value in enumerate(then.expression.expressions):
            self._put(value, columns[position] if position < len(columns) else None, scope)

    def _written(self, first: Any, named: list[Any], scope: Scope) -> list[Relation]:
        """What stands behind UPDATE or DELETE, as a source; or what it names among the sources."""
        if isinstance(first, exp.Table) and not first.args.get("db"):
            known = self._lookup(str(first.name).casefold(), scope)
            if known is not None and known.uses:  # UPDATE p SET … FROM patients p
                return [known]
        if not isinstance(first, (exp.Table, exp.Subquery)):
            return []
        self._writing = isinstance(first, exp.Table)
        relation = self.source(first, scope)
        self._writing = False
        tables = [table for table in named if isinstance(table, exp.Table)]
        marked = [self._lookup(str(table.name).casefold(), scope) for table in tables]
        return [each for each in marked if each is not None] if marked else [relation]

    def _owner(self, item: Any, scope: Scope) -> Relation | None:
        """The table of `p` in `UPDATE patients p, billing b SET p.phone = …`."""
        column = item.this if isinstance(item, exp.EQ) else None
        qualifier = str(column.table) if isinstance(column, exp.Column) else ""
        return self._lookup(qualifier.casefold(), scope) if qualifier else None

    def _write_to(self, relation: Relation | None) -> None:
        """A table is written; through a query that stands for one, the first of its tables."""
        if relation is not None and (relation.base is not None or self.dialect in {"tsql", "oracle"}):
            for use in relation.uses[:1] if relation.base is None else [relation.base]:
                self._write(use)

    def _assign(self, item: Any, scope: Scope) -> None:
        if isinstance(item, exp.EQ):
            self._put(item.expression, item.this, scope)
        else:
            self.walk(item, scope, [])

    def _put(self, value: Any, column: Any, scope: Scope) -> None:
        """A value that goes into a column of the table that is written."""
        if (slot := self.placeholder(value)) is not None:
            self.note(slot, "assign", (), (str(column.name) or None) if column is not None else None)
        else:
            self.walk(value, scope, self.copied)

    def statement(self, verb: str, outputs: Iterable[Ref], roots: Iterable[int], **more: Any) -> Statement:
        copied = tuple(ref for ref in unique(self.copied) if not set(self.targets).issuperset(ref[0]))
        if self.seen:
            more["reads"] = tuple(dict.fromkeys((*more.get("reads", ()), *self.seen)))
        return Statement(
            understood="ast", verb=verb, tables=tuple(self.tables), targets=tuple(self.targets),
            writes=tuple(dict.fromkeys(self.writes)), blocks=tuple(draft.block() for draft in self.drafts), roots=tuple(roots),
            outputs=unique(outputs), copied=copied, limits=tuple(self.limits), calls=tuple(dict.fromkeys(self.calls)),
            slots=tuple(sorted(self.slots.values(), key=lambda slot: (slot.kind != "literal", slot.ordinal))), **more,
        )  # fmt: skip


__all__ = ["LINKS", "SQL_FUNCTIONS", "Cte", "Reader", "Relation", "Scope", "TooComplex"]

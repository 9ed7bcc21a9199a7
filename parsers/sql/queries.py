"""FROM, SELECT, WITH and set operations: sources by alias, columns in order, groups and bounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from parsers.sql.predicates import Predicates
from parsers.sql.relations import Cte, Draft, Ready, Relation, Scope, rename, renamed, unique
from parsers.sql.structure import Condition, Limit, Pred, Ref


class Queries(Predicates):
    """How queries are read."""

    @abstractmethod
    def change(self, node: Any, ctes: dict[str, Cte]) -> Relation:
        """INSERT, UPDATE, DELETE or MERGE inside WITH."""

    # --- sources ---------------------------------------------------------------------------------------------------

    def source(self, node: Any, scope: Scope) -> Relation:
        """One item of FROM; enters the scope under its alias."""
        if isinstance(node, exp.Table):
            relation = self._table(node, scope)
        elif isinstance(node, exp.Subquery) and isinstance(_unbracketed(node), exp.Table):
            return self._bracketed(node, scope)
        elif isinstance(node, (exp.Query, exp.Values)):
            relation = self._derived(node, scope, scope.parent)
        elif isinstance(node, exp.Lateral):
            relation = (
                self._derived(node.this, scope, scope)
                if isinstance(node.this, exp.Subquery)
                else self._function(node.this, scope)
            )
            self._enter(node, relation, scope)
            return relation
        else:
            relation = self._function(node, scope)
        return relation

    def _bracketed(self, node: Any, scope: Scope) -> Relation:
        """A join in brackets. PostgreSQL's alias behind it hides the names inside: all its columns go by the alias."""
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            relation = self.source(node.this, scope)
            self._joins(node, scope)
            return relation
        inside = Scope(scope.draft, scope.ctes, scope.parent)
        self.source(node.this, inside)
        relation = Relation(
            [column for part in inside.order for column in part.columns],
            [use for part in inside.order for use in part.stars],
            uses=[use for part in inside.order for use in part.uses],
            made=inside.made,
        )
        self._enter(node, relation, scope)
        self._joins(node, scope)
        return relation

    def _table(self, node: Any, scope: Scope) -> Relation:
        this = node.this
        if (only := _only(this)) is not None:
            node.set("this", only.this)
            node.set("db", only.args.get("table"))
            return self._table(node, scope)
        if isinstance(this, exp.Func):
            relation = self._function(this, scope)
            self._enter(node, relation, scope)
            self._joins(node, scope)
            return relation
        if (functions := node.args.get("rows_from")) is not None:
            relation = self._function(exp.Tuple(expressions=functions), scope)
            self._enter(node, relation, scope)
            self._joins(node, scope)
            return relation
        name = self.name(node)
        cte = scope.ctes.get(self.key(node))
        if cte is not None and not (cte.shown and self._writing):
            relation = self._cte(cte, scope)
            if cte.shown:
                self.seen.append(name)
        else:
            relation = self.use(name, scope)
            if "@" in name:
                self.link = True
        self._enter(node, relation, scope, name.rsplit(".", 1)[-1])
        self._joins(node, scope)
        return relation

    def _cte(self, cte: Cte, scope: Scope) -> Relation:
        relation = self.query(cte.query, cte.scope, None, scope.draft)
        relation.made = relation.made or cte.recursive
        return renamed(relation, cte.columns)

    def _derived(self, node: Any, scope: Scope, around: Scope | None) -> Relation:
        relation = self.query(node, scope.ctes, around, scope.draft)
        self._enter(node, relation, scope)
        self._joins(node, scope)
        return relation

    def _function(self, node: Any, scope: Scope) -> Relation:
        """A function in FROM: its arguments are used, its rows come from nowhere we know."""
        refs: list[Ref] = []
        if isinstance(node, exp.XMLTable) and (slot := self.placeholder(node.this)) is not None:
            self.table_texts.append(slot[1])  # Oracle's XQuery reads tables by name
        made = self._makes(node, scope, refs)
        scope.draft.used += refs
        return Relation(columns=[("", refs)], listed=True, made=made)

    def _enter(self, node: Any, relation: Relation, scope: Scope, name: str = "") -> None:
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            names = [str(column.name) for column in alias.args.get("columns") or ()]
            if names:
                rename(relation, names)
            name = str(alias.this.name) if alias.this is not None else name
        for pivot in node.args.get("pivots") or ():
            relation = self._pivot(pivot, relation, scope)
            inner = pivot.args.get("alias")
            if isinstance(inner, exp.TableAlias) and inner.this is not None:
                name = str(inner.this.name)
        scope.add(name.casefold(), relation)

    def _pivot(self, node: Any, relation: Relation, scope: Scope) -> Relation:
        inside = Scope(scope.draft, scope.ctes, scope)
        inside.add("", relation)
        if node.args.get("unpivot"):
            return self._unpivot(node, relation, inside)
        summed: list[Ref] = []
        by: list[Ref] = []
        for expression in node.expressions:
            self.walk(expression, inside, summed)
        for each in node.args.get("fields") or ():
            self.walk(each.this if isinstance(each, exp.In) else each, inside, by)
        aggregated = {(ref[0], ref[1]) for ref in summed}
        rest = [ref for ref in relation.all() if (ref[0], ref[1]) not in aggregated]
        scope.draft.groups.append(("pivot", unique([*by, *rest])))
        return relation

    def _unpivot(self, node: Any, relation: Relation, inside: Scope) -> Relation:
        """Columns set one below the other: each of the new ones carries all of them."""
        turned: list[Ref] = []
        names: list[str] = []
        for each in node.args.get("fields") or ():
            for column in each.expressions if isinstance(each, exp.In) else ():
                self.walk(column, inside, turned)
        for named in node.expressions:
            names += [str(part.name).casefold() for part in (named.expressions or [named])]
        rest = [(name, refs) for name, refs in relation.columns if not set(refs) & set(turned)]
        columns = [*((name, list(turned)) for name in names), *rest]
        return replace(relation, columns=columns, base=None)

    def _joins(self, node: Any, scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            self._join(join, scope)

    def _join(self, join: Any, scope: Scope) -> None:
        before = [use for relation in scope.order for use in relation.uses]
        right = self.source(join.this, scope)
        side = str(join.args.get("side") or "").upper()
        only: tuple[int, ...] | None = None
        if side == "LEFT":
            only = tuple(right.uses)
        elif side == "RIGHT":
            only = tuple(before)
        elif side == "FULL":
            only = ()
        if (on := join.args.get("on")) is not None:
            self._where(on, scope, only)
        for column in join.args.get("using") or ():
            name = str(column.name)
            left = [ref for relation in scope.order[:-1] for ref in relation.find(name) or ()]
            own = right.find(name) or []
            scope.draft.used += left + own
            scope.draft.conditions.append(Condition(Pred("join", unique(left), unique(own)), only))
        if str(join.args.get("method") or "").upper() == "NATURAL":
            # Which columns it joins by can't be told; it is taken for a join by key.
            scope.draft.conditions.append(
                Condition(Pred("natural", unique(((use,), "*", False) for use in before), unique(right.all())), only)
            )

    # --- queries ---------------------------------------------------------------------------------------------------

    def query(self, node: Any, ctes: dict[str, Cte], parent: Scope | None, under: Draft | None) -> Relation:
        """A SELECT, set operation, VALUES or data-changing CTE. `under`: the block it is nested in."""
        if isinstance(node, Ready):
            return node.relation
        ctes = self._with(node, ctes)
        while isinstance(node, (exp.Subquery, exp.Paren)):
            inner = node.this
            if isinstance(node, exp.Subquery):
                self._limit(node)
            if isinstance(inner, exp.Table):
                break
            node = inner
            ctes = self._with(node, ctes)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, ctes, parent, under)
        if isinstance(node, exp.Select):
            return self.select(node, ctes, parent, under)
        if isinstance(node, exp.Values):
            return self._values(node, parent or Scope(under or self.draft(), ctes, None))
        if isinstance(node, exp.Table):
            return self.select(exp.Select(expressions=[exp.Star()], from_=exp.From(this=node)), ctes, parent, under)
        if isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
            relation = self.change(node, ctes)
            if under is not None:
                under.children += relation.blocks
            return relation
        return Relation()

    def nested(self, node: Any, scope: Scope) -> Relation:
        """A subquery inside an expression: its LIMIT bounds no output."""
        before = len(self.limits)
        shallow, self._shallow = self._shallow, False
        relation = self.query(node, scope.ctes, scope, scope.draft)
        self._shallow = shallow
        self._unbound(before)
        return relation

    def _unbound(self, before: int) -> None:
        """Forget limits met since: they bound something else than the rows that leave."""
        for limit in self.limits[before:]:
            slot = self.slots.get((limit.kind, limit.ordinal))
            if slot is not None:
                self.slots[limit.kind, limit.ordinal] = replace(slot, use="value")
        del self.limits[before:]

    def _with(self, node: Any, ctes: dict[str, Cte]) -> dict[str, Cte]:
        clause = node.args.get("with_") if isinstance(node, exp.Expr) else None
        if clause is None:
            return ctes
        known = dict(ctes)
        for cte in clause.expressions:
            alias = cte.args.get("alias")
            if alias is None or alias.this is None:
                continue
            name = str(alias.this.name).casefold()
            columns = [str(column.name) for column in alias.args.get("columns") or ()]
            # A recursive CTE sees itself as a table without rows of its own.
            inside = (
                {**known, name: Cte(exp.Values(expressions=[]), columns, {})}
                if clause.args.get("recursive")
                else dict(known)
            )
            recursive = bool(clause.args.get("recursive")) and any(
                self.key(t) == name for t in cte.this.find_all(exp.Table)
            )
            known[name] = Cte(cte.this, columns, inside, recursive)
            if isinstance(cte.this, (exp.Insert, exp.Update, exp.Delete)):
                # It runs whether it is named or not.
                known[name] = Cte(Ready(self.change(cte.this, inside)), columns, {})
        return known

    def _set_operation(self, node: Any, ctes: dict[str, Cte], parent: Scope | None, under: Draft | None) -> Relation:
        arms: list[Any] = []
        levels: list[Any] = []
        while isinstance(node, exp.SetOperation):  # a chain leans to the left
            levels.append(node)
            arms.append((node.expression, ctes))
            node = node.this
            ctes = self._with(node, ctes)
        arms.append((node, ctes))
        limits = len(self.limits)
        relations = [self.query(arm, env, parent, under) for arm, env in reversed(arms)]
        self._unbound(limits)  # limits of single arms bound no sum of them
        for level in levels:
            self._limit(level)
        if isinstance(levels[0], exp.Union) and levels[0].args.get("distinct"):
            for block in {number for relation in relations for number in relation.blocks}:
                draft = self.drafts[block]
                draft.groups.append(("distinct", unique(draft.outputs)))
        columns: list[tuple[str, list[Ref]]] = [(name, list(refs)) for name, refs in relations[0].columns]
        stars = list(relations[0].stars)
        for relation in relations[1:]:
            stars += relation.stars
            for position, (name, refs) in enumerate(relation.columns):
                if position < len(columns):
                    columns[position][1].extend(refs)
                else:
                    columns.append((name, list(refs)))
        return Relation(
            columns, stars, [b for r in relations for b in r.blocks], [u for r in relations for u in r.uses],
            made=any(r.made for r in relations),
        )  # fmt: skip

    def _values(self, node: Any, scope: Scope) -> Relation:
        columns: list[tuple[str, list[Ref]]] = []
        for row in node.expressions:
            for position, value in enumerate(row.expressions):
                if position == len(columns):
                    columns.append((f"column{position + 1}", []))
                self.walk(value, scope, columns[position][1])
        relation = Relation(columns, listed=True)
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            rename(relation, [str(column.name) for column in alias.args.get("columns") or ()])
        return relation

    def select(self, node: Any, ctes: dict[str, Cte], parent: Scope | None, under: Draft | None) -> Relation:
        draft = self.draft()
        if under is not None:
            under.children.append(draft.number)
        scope = Scope(draft, ctes, parent)
        args = node.args
        limits = len(self.limits)
        if (from_ := args.get("from_")) is not None:
            self.source(from_.this, scope)
        for lateral in args.get("laterals") or ():
            self.source(lateral, scope)
        for join in args.get("joins") or ():
            self._join(join, scope)
        if len(scope.order) > 1:
            self._unbound(limits)
        if (where := args.get("where")) is not None:
            self._where(where.this, scope, None)
        columns, stars = self._projections(node, scope)
        relation = Relation(columns, stars, [draft.number], [use for r in scope.order for use in r.uses])
        relation.numbers = {str(e.alias_or_name).casefold() for e in node.expressions if self._numbers_rows(e)}
        if any(isinstance(e, exp.Star) for e in node.expressions):
            relation.numbers |= {name for r in scope.order for name in r.numbers}
        relation.made = scope.made or args.get("connect") is not None
        draft.outputs += relation.all()
        self._grouping(args, scope, relation)
        self._limit(node)
        return relation

    def _projections(self, node: Any, scope: Scope) -> tuple[list[tuple[str, list[Ref]]], list[int]]:
        columns: list[tuple[str, list[Ref]]] = []
        stars: list[int] = []
        for expression in node.expressions:
            inner = expression.this if isinstance(expression, exp.Alias) else expression
            if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
                qualifier = "" if isinstance(inner, exp.Star) else str(inner.table)
                for relation in self._relations(qualifier, scope):
                    columns += [(name, list(refs)) for name, refs in relation.columns]
                    stars += relation.stars
                continue
            refs: list[Ref] = []
            self.walk(inner, scope, refs)
            columns.append((str(expression.alias_or_name).casefold(), refs))
        return columns, stars

    def _grouping(self, args: Mapping[str, Any], scope: Scope, relation: Relation) -> None:
        draft = scope.draft
        aliases = {name: refs for name, refs in relation.columns if name}
        if (group := args.get("group")) is not None:
            refs: list[Ref] = []
            keys = [
                *group.expressions,
                *(
                    key
                    for part in ("rollup", "cube", "grouping_sets")
                    for key in group.args.get(part) or ()
                    if isinstance(key, exp.Expr)
                ),
            ]
            for key in keys:
                if isinstance(key, exp.Literal):
                    # By position. The number is a literal, so every column that is not aggregated counts.
                    refs += [ref for ref in draft.outputs if not ref[2]]
                    self.walk(key, scope, [])
                else:
                    self._by_alias(key, scope, aliases, refs)
            if group.args.get("all"):
                refs += [ref for ref in draft.outputs if not ref[2]]
            draft.groups.append(("group", unique(refs)))
            draft.used += refs
        if (distinct := args.get("distinct")) is not None:
            on = distinct.args.get("on")
            refs = []
            if on is not None:
                self.walk(on, scope, refs)
            draft.groups.append(("distinct", unique([*refs, *draft.outputs])))
        if (having := args.get("having")) is not None:
            self._where(having.this, scope, None)
        if (qualify := args.get("qualify")) is not None:
            self.walk(qualify, scope, draft.used)
        if (connect := args.get("connect")) is not None:
            # CONNECT BY widens what START WITH narrows: used, never a restriction.
            self.walk(connect, scope, draft.used)
        for window in args.get("windows") or ():
            self._window(window, scope)
        if (order := args.get("order")) is not None:
            for item in order.expressions:
                self._by_alias(item.this, scope, aliases, draft.used)

    def _by_alias(self, key: Any, scope: Scope, aliases: Mapping[str, list[Ref]], out: list[Ref]) -> None:
        if isinstance(key, exp.Column) and not key.table:
            named = aliases.get(str(key.name).casefold())
            if named:
                out += named
                return
        self.walk(key, scope, out)

    def _limit(self, node: Any) -> None:
        limit = node.args.get("limit")
        if isinstance(limit, exp.Fetch):
            count = limit.args.get("count")
            options = limit.args.get("limit_options")
            if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
                return
            if count is None:
                self.limits.append(Limit("one"))
            else:
                self._bound(count)
        elif limit is not None:
            options = limit.args.get("limit_options")
            if not (options is not None and (options.args.get("percent") or options.args.get("with_ties"))):
                self._bound(limit.expression)
        offset = node.args.get("offset")
        if offset is not None and (slot := self.placeholder(offset.expression)) is not None:
            self.note(slot, "offset", ())


def _only(node: Any) -> Any:
    """The table in Oracle's ONLY (t), which reads as a call with a column."""
    if not isinstance(node, exp.Anonymous) or str(node.name).casefold() != "only" or len(node.expressions) != 1:
        return None
    return node.expressions[0] if isinstance(node.expressions[0], exp.Column) else None


def _unbracketed(node: Any) -> Any:
    """What stands inside any number of brackets in FROM."""
    while isinstance(node, exp.Subquery):
        node = node.this
    return node

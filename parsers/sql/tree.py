"""sqlglot's tree -> `Statement`: sources, columns traced to tables, predicates, groups, slots. Runs in a worker.

Only the plain parser is used: sqlglot's optimizer, qualify and lineage are neither fast nor safe on hostile text.
The text that is parsed has numbered placeholders for literals (`lexer.numbered`), so no value is ever seen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from parsers.sql.facts import LooseTest
from parsers.sql.lexer import name_of, ordinal_of
from parsers.sql.signs import TABLE_FUNCTIONS
from parsers.sql.structure import TRUE, Aggregate, Block, Condition, Limit, Pred, Ref, Refs, SlotUse, Statement

MAX_BLOCKS = 256  # CTEs are read anew wherever they are named; this bounds chains of them

# Functions whose argument is SQL text, run by the server.
SQL_FUNCTIONS = frozenset({
    "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "query_to_json", "dblink", "dblink_exec", "dblink_open",
    "dblink_send_query", "openrowset", "openquery", "xmltable", "getxml", "getxmltype", "crosstab", "ts_stat", "ts_rewrite", "database_to_xml",
})  # fmt: skip
LINKS = frozenset(
    {"dblink", "dblink_exec", "dblink_open", "dblink_send_query", "openrowset", "openquery", "opendatasource"}
)

_PASSING = (exp.Cast, exp.TryCast, exp.Lower, exp.Upper, exp.Trim, exp.Paren, exp.Collate)
_COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
_SUMS = (exp.Sum, exp.Avg, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Median)
_RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "row_number"})
_PICKS = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})  # values pass as they are
_SEARCHES = (exp.StrPosition,)
_SEARCH_NAMES = frozenset({"instr", "charindex", "locate", "position", "patindex", "strpos", "contains", "find_in_set"})
_COMPARE = {
    exp.EQ: "=", exp.NullSafeEQ: "=", exp.NEQ: "<>", exp.NullSafeNEQ: "<>", exp.GT: ">", exp.GTE: ">", exp.LT: "<", exp.LTE: "<",
}  # fmt: skip
_FLIP = {">": "<", "<": ">"}
_LIKES = (exp.Like, exp.ILike, exp.RegexpLike, exp.RegexpILike, exp.SimilarTo, exp.MatchAgainst, exp.Glob)
_CHAINS = (exp.Binary,)


class TooComplex(Exception):
    """More nested queries than are looked at."""


@dataclass(slots=True)
class Relation:
    """What a query or table gives: named columns in order, and uses whose columns are not known (`*`)."""

    columns: list[tuple[str, list[Ref]]] = field(default_factory=list)
    stars: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)  # every use below it
    base: int | None = None  # it is a plain table
    listed: bool = False  # VALUES or unnest: a list of keys
    numbers: set[str] = field(default_factory=set)  # columns that number the rows

    def all(self) -> list[Ref]:
        refs = [ref for _, column in self.columns for ref in column]
        refs += [((use,), "*", False) for use in self.stars]
        return refs

    def find(self, name: str) -> list[Ref] | None:
        folded = name.casefold()
        for known, refs in self.columns:
            if known == folded:
                return refs
        return [(tuple(self.stars), name, False)] if self.stars else None


@dataclass(slots=True)
class _Cte:
    query: Any
    columns: list[str]
    scope: dict[str, _Cte]


@dataclass(slots=True)
class Draft:
    """A block being built."""

    number: int
    uses: list[int] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    groups: list[tuple[str, Refs]] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    used: list[Ref] = field(default_factory=list)

    def block(self) -> Block:
        return Block(
            tuple(self.uses), tuple(self.conditions), tuple(self.children), tuple(self.groups), tuple(self.aggregates),
            unique(self.outputs), unique(self.used),
        )  # fmt: skip


class Scope:
    """Sources by alias while one block is read."""

    __slots__ = ("aliases", "ctes", "draft", "order", "parent")

    def __init__(self, draft: Draft, ctes: dict[str, _Cte], parent: Scope | None) -> None:
        self.draft = draft
        self.ctes = ctes
        self.parent = parent
        self.order: list[Relation] = []
        self.aliases: dict[str, Relation] = {}

    def add(self, alias: str, relation: Relation) -> None:
        self.order.append(relation)
        if alias:
            self.aliases.setdefault(alias, relation)


def unique(refs: Iterable[Ref]) -> Refs:
    return tuple(dict.fromkeys(refs))


class Reader:
    """Reads one statement's tree."""

    def __init__(
        self, dialect: str, counts: Mapping[int, int] | None = None, ctes: dict[str, _Cte] | None = None
    ) -> None:
        self.dialect = dialect
        self.counts = counts or {}
        self.outer: dict[str, _Cte] = dict(ctes or {})  # temporary tables of the same text
        self.tables: list[str] = []
        self.targets: list[int] = []
        self.drafts: list[Draft] = []
        self.slots: dict[tuple[str, int], SlotUse] = {}
        self.limits: list[Limit] = []
        self.calls: list[str] = []
        self.writes: list[str] = []
        self.sql_texts: list[int] = []  # ordinals of literals that are SQL run by the server
        self.table_texts: list[int] = []  # ordinals of literals that name a table given whole
        self.link = False
        self._shallow = False  # a subquery's columns are only looked at

    # --- names and sources ---------------------------------------------------------------------------------------

    def name(self, table: Any) -> str:
        """A table's name as written: parts joined by dots, quotes off."""
        parts: list[str] = []
        for key in ("catalog", "db", "this"):
            self._name_part(table.args.get(key), parts)
        return ".".join(part for part in parts)

    def _name_part(self, node: Any, parts: list[str]) -> None:
        if node is None or node == "":
            return
        if isinstance(node, exp.Dot):
            self._name_part(node.this, parts)
            self._name_part(node.expression, parts)
            return
        text = node if isinstance(node, str) else str(getattr(node, "name", "") or "")
        if isinstance(node, exp.Identifier) and node.args.get("temporary"):
            text = ("##" if node.args.get("global_") else "#") + text
        if text:
            parts.append(text)

    def use(self, name: str, scope: Scope) -> Relation:
        number = len(self.tables)
        self.tables.append(name)
        scope.draft.uses.append(number)
        return Relation(stars=[number], uses=[number], base=number)

    def draft(self) -> Draft:
        if len(self.drafts) >= MAX_BLOCKS:
            raise TooComplex
        made = Draft(len(self.drafts))
        self.drafts.append(made)
        return made

    def source(self, node: Any, scope: Scope) -> Relation:
        """One item of FROM; enters the scope under its alias."""
        if isinstance(node, exp.Table):
            relation = self._table(node, scope)
        elif isinstance(node, exp.Subquery) and isinstance(_unbracketed(node), exp.Table):
            relation = self.source(node.this, scope)  # a bracketed join
            self._joins(node, scope)
            return relation
        elif isinstance(node, (exp.Query, exp.Values)):
            relation = self._derived(node, scope)
        elif isinstance(node, exp.Lateral):
            relation = (
                self.source(node.this, scope)
                if isinstance(node.this, exp.Subquery)
                else self._function(node.this, scope)
            )
            self._enter(node, relation, scope)
            return relation
        else:
            relation = self._function(node, scope)
        return relation

    def _table(self, node: Any, scope: Scope) -> Relation:
        this = node.this
        if isinstance(this, exp.Func):
            relation = self._function(this, scope)
            self._enter(node, relation, scope)
            self._joins(node, scope)
            return relation
        name = self.name(node)
        cte = None if node.args.get("db") else scope.ctes.get(name.casefold())
        if cte is not None:
            relation = self._cte(cte, scope)
        else:
            relation = self.use(name, scope)
            if "@" in name:
                self.link = True
        self._enter(node, relation, scope, name.rsplit(".", 1)[-1])
        self._joins(node, scope)
        return relation

    def _cte(self, cte: _Cte, scope: Scope) -> Relation:
        relation = self.query(cte.query, cte.scope, None, scope.draft)
        return _renamed(relation, cte.columns)

    def _derived(self, node: Any, scope: Scope) -> Relation:
        relation = self.query(node, scope.ctes, scope, scope.draft)
        self._enter(node, relation, scope)
        self._joins(node, scope)
        return relation

    def _function(self, node: Any, scope: Scope) -> Relation:
        """A function in FROM: its arguments are used, its rows come from nowhere we know."""
        refs: list[Ref] = []
        self.walk(node, scope, refs)
        scope.draft.used += refs
        return Relation(columns=[("", refs)], listed=True)

    def _enter(self, node: Any, relation: Relation, scope: Scope, name: str = "") -> None:
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            names = [str(column.name) for column in alias.args.get("columns") or ()]
            if names:
                _rename(relation, names)
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

    # --- queries -------------------------------------------------------------------------------------------------

    def query(self, node: Any, ctes: dict[str, _Cte], parent: Scope | None, under: Draft | None) -> Relation:
        """A SELECT, set operation, VALUES or data-changing CTE. `under`: the block it is nested in."""
        if isinstance(node, _Ready):
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

    def _with(self, node: Any, ctes: dict[str, _Cte]) -> dict[str, _Cte]:
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
                {**known, name: _Cte(exp.Values(expressions=[]), columns, {})}
                if clause.args.get("recursive")
                else dict(known)
            )
            known[name] = _Cte(cte.this, columns, inside)
            if isinstance(cte.this, (exp.Insert, exp.Update, exp.Delete)):
                # It runs whether it is named or not.
                known[name] = _Cte(_Ready(self.change(cte.this, inside)), columns, {})
        return known

    def _set_operation(self, node: Any, ctes: dict[str, _Cte], parent: Scope | None, under: Draft | None) -> Relation:
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
            columns, stars, [b for r in relations for b in r.blocks], [u for r in relations for u in r.uses]
        )

    def _values(self, node: Any, scope: Scope) -> Relation:
        refs: list[Ref] = []
        width = 0
        for row in node.expressions:
            self.walk(row, scope, refs)
            width = max(width, len(row.expressions))
        relation = Relation([(f"column{i + 1}", []) for i in range(width)], listed=True)
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            _rename(relation, [str(column.name) for column in alias.args.get("columns") or ()])
        return relation

    def select(self, node: Any, ctes: dict[str, _Cte], parent: Scope | None, under: Draft | None) -> Relation:
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

    def _relations(self, qualifier: str, scope: Scope) -> list[Relation]:
        if not qualifier:
            return scope.order
        found = self._lookup(qualifier.casefold(), scope)
        return [found] if found else []

    def _lookup(self, alias: str, scope: Scope | None) -> Relation | None:
        while scope is not None:
            if (found := scope.aliases.get(alias)) is not None:
                return found
            scope = scope.parent
        return None

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
            if options is not None and options.args.get("percent"):
                return
            if count is None:
                self.limits.append(Limit("one"))
            else:
                self._bound(count)
        elif limit is not None:
            options = limit.args.get("limit_options")
            if not (options is not None and options.args.get("percent")):
                self._bound(limit.expression)
        offset = node.args.get("offset")
        if offset is not None and (slot := self.placeholder(offset.expression)) is not None:
            self.note(slot, "offset", ())

    def _bound(self, node: Any, *, below: bool = False) -> None:
        slot = self.placeholder(node)
        if slot is not None:
            self.limits.append(Limit(slot[0], slot[1], below))  # type: ignore[arg-type]
            self.note(slot, "limit", ())

    # --- expressions ---------------------------------------------------------------------------------------------

    def placeholder(self, node: Any) -> tuple[str, int] | None:
        """(literal or bind, ordinal) of a value, casts, signs and brackets around it left off."""
        while isinstance(node, (exp.Cast, exp.TryCast, exp.Paren, exp.Neg)) and node.this is not None:
            node = node.this
        if isinstance(node, exp.Literal):
            ordinal = ordinal_of(str(node.this))
            return ("literal", ordinal) if ordinal is not None else None
        if isinstance(node, exp.Placeholder):
            return ("bind", _bind_number(str(node.this or "")))
        if isinstance(node, exp.Parameter):
            return ("bind", _bind_number(str(node.name)))
        return None

    def note(self, slot: tuple[str, int], use: str, refs: Iterable[Ref], column: str | None = None) -> None:
        kind, ordinal = slot
        if ordinal <= 0:
            return
        known = self.slots.get(slot)
        if known is not None and (use == "value" or known.use == "limit"):
            return
        held = unique(refs)
        if column is None and held:
            column = held[0][1]
        count = self.counts.get(ordinal, 1) if kind == "literal" else 1
        self.slots[slot] = SlotUse(use, held, column, kind, ordinal, count)  # type: ignore[arg-type]

    def resolve(self, node: Any, scope: Scope) -> list[Ref]:
        """A column traced to tables: [] for variables and for what is made of constants."""
        name = str(node.name)
        qualifier = str(node.table)
        if isinstance(node.this, exp.Star):
            return [ref for relation in self._relations(qualifier, scope) for ref in relation.all()]
        folded = name.casefold()
        if qualifier:
            relation = self._lookup(qualifier.casefold(), scope)
            if relation is None:
                return []
            return relation.find(name) or []
        within: Scope | None = scope
        while within is not None and not within.order:
            within = within.parent
        if within is None:
            return []
        if folded == "rownum" and self.dialect == "oracle":
            return []
        if self.dialect == "postgres" and folded in within.aliases:
            return within.aliases[folded].all()  # a whole row
        tables: list[int] = []
        for relation in within.order:
            for known, refs in relation.columns:
                if known == folded and known:
                    return refs
            tables += relation.stars
        return [(tuple(tables), name, False)] if tables else []

    def walk(
        self, node: Any, scope: Scope, out: list[Ref], *, summed: bool = False, conditions: list[Ref] | None = None
    ) -> None:
        """Put the columns that `node` carries in `out`; what it only looks at goes to the block's used columns."""
        stack = [node]
        while stack:
            node = stack.pop()
            kind = type(node)
            if kind is exp.Column:
                found = self.resolve(node, scope)
                out += [(uses, column, True) for uses, column, _ in found] if summed else found
            elif kind is exp.Literal or kind is exp.Placeholder or kind is exp.Parameter:
                if (slot := self.placeholder(node)) is not None:
                    self.note(slot, "value", ())
            elif (
                kind is exp.Identifier
                or kind is exp.DataType
                or kind is exp.Null
                or kind is exp.Star
                or kind is exp.Var
            ):
                continue
            elif isinstance(node, exp.AggFunc):
                self._aggregate(node, scope, out, summed)
            elif kind is exp.Window:
                self._window(node, scope)
                stack.append(node.this)
            elif kind is exp.Filter:
                looked: list[Ref] = []
                self.walk(node.expression, scope, looked, conditions=looked)
                scope.draft.used += looked
                scope.draft.aggregates.append(Aggregate("", (), unique(looked)))
                stack.append(node.this)
            elif kind is exp.Case or kind is exp.If:
                self._case(node, scope, stack, conditions)
            elif isinstance(node, (exp.Query, exp.Values)):
                relation = self.nested(node, scope)
                if self._shallow:
                    scope.draft.used += relation.all()
                else:
                    out += [(uses, column, True) for uses, column, _ in relation.all()] if summed else relation.all()
            elif kind is exp.Exists:
                self.nested(node.this, scope)
            elif isinstance(node, (exp.Predicate, exp.Connector, exp.Not)) and kind is not exp.Any:
                looked = []
                for part in _parts(node):
                    self.walk(part, scope, looked)
                scope.draft.used += looked
                if conditions is not None:
                    conditions += looked
            else:
                if isinstance(node, exp.Func):
                    self._call(node)
                stack.extend(_parts(node))

    def _aggregate(self, node: Any, scope: Scope, out: list[Ref], summed: bool) -> None:
        found: list[Ref] = []
        conditions: list[Ref] = []
        adds = isinstance(node, _SUMS)
        for part in _parts(node):
            self.walk(part, scope, found, summed=adds or summed, conditions=conditions)
        name = "count" if isinstance(node, _COUNTS) else self._function_name(node)
        if name in _RANKS:
            scope.draft.used += found
            return
        if name in _PICKS:
            out += found
            return
        scope.draft.aggregates.append(Aggregate(name, unique(found), unique(conditions)))
        if isinstance(node, _COUNTS):
            scope.draft.used += found
        else:
            out += found

    def _function_name(self, node: Any) -> str:
        if isinstance(node, exp.GroupConcat):
            return {"mysql": "group_concat", "oracle": "listagg"}.get(self.dialect, "string_agg")
        names = type(node).sql_names() if hasattr(type(node), "sql_names") else []
        return str(names[0]).lower() if names else str(node.key)

    def _window(self, node: Any, scope: Scope) -> None:
        by: list[Ref] = []
        for key in node.args.get("partition_by") or ():
            self.walk(key, scope, by)
        if by:
            scope.draft.groups.append(("window", unique(by)))
            scope.draft.used += by
        if (order := node.args.get("order")) is not None:
            self.walk(order, scope, scope.draft.used)

    def _case(self, node: Any, scope: Scope, stack: list[Any], conditions: list[Ref] | None) -> None:
        looked: list[Ref] = []
        if isinstance(node, exp.Case):
            if node.this is not None:
                self.walk(node.this, scope, looked)
            branches = node.args.get("ifs") or ()
        else:
            branches = (node,)
        for branch in branches:
            self.walk(branch.this, scope, looked, conditions=looked)
            stack += [value for key in ("true", "false") if (value := branch.args.get(key)) is not None]
        if isinstance(node, exp.Case) and (default := node.args.get("default")) is not None:
            stack.append(default)
        scope.draft.used += looked
        if conditions is not None:
            conditions += looked

    def _call(self, node: Any) -> None:
        if not isinstance(node, exp.Anonymous):
            return
        name = str(node.name)
        folded = name.casefold().rsplit(".", 1)[-1]
        if len(self.calls) < 64:
            self.calls.append(name)
        if folded in SQL_FUNCTIONS:
            self.link = self.link or folded in LINKS
            for argument in node.find_all(exp.Literal):
                slot = self.placeholder(argument)
                if slot is not None and argument.is_string:
                    self.sql_texts.append(slot[1])
        elif folded in TABLE_FUNCTIONS and node.expressions:
            for argument in node.expressions[0].find_all(exp.Literal):
                if argument.is_string and (slot := self.placeholder(argument)) is not None:
                    self.table_texts.append(slot[1])

    # --- predicates ----------------------------------------------------------------------------------------------

    def _where(self, node: Any, scope: Scope, only: tuple[int, ...] | None) -> None:
        for part in _flat(node, exp.And):
            scope.draft.conditions.append(Condition(self.pred(part, scope), only))

    def pred(self, node: Any, scope: Scope) -> Pred:
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.And):
            return Pred("and", children=tuple(self.pred(part, scope) for part in _flat(node, exp.And)))
        if isinstance(node, (exp.Or, exp.Xor)):
            return Pred("or", children=tuple(self.pred(part, scope) for part in _flat(node, type(node))))
        if isinstance(node, exp.Not):
            return _negated(self.pred(node.this, scope))
        if (op := _COMPARE.get(type(node))) is not None:
            return self._compare(op, node.this, node.expression, scope, strict=isinstance(node, (exp.LT, exp.GT)))
        if isinstance(node, exp.In):
            return self._in(node, scope)
        if isinstance(node, exp.Between):
            return self._between(node, scope)
        if isinstance(node, exp.Is):
            refs, pure, _ = self._side(node.this, scope)
            if not refs:
                return TRUE
            found = Pred("null" if isinstance(node.expression, exp.Null) else "range", refs, pure=pure)
            return _negated(found) if node.args.get("negate") else found
        if isinstance(node, _LIKES):
            return self._like(node, scope)
        if isinstance(node, exp.Exists):
            relation = self.nested(node.this, scope)
            return Pred("exists", blocks=tuple(relation.blocks)) if relation.uses else TRUE
        held: list[Ref] = []
        self.walk(node, scope, held)
        scope.draft.used += held
        return Pred("range", unique(held), pure=False) if held else TRUE

    def _side(self, node: Any, scope: Scope) -> tuple[Refs, bool, bool]:
        """Columns of one side of a comparison, whether it is the bare column, whether it is aggregated."""
        bare = node
        while isinstance(bare, _PASSING) or (isinstance(bare, exp.Coalesce) and bare.this is not None):
            bare = bare.this
        refs: list[Ref] = []
        before = len(scope.draft.aggregates)
        shallow, self._shallow = self._shallow, True
        self.walk(node, scope, refs)
        self._shallow = shallow
        scope.draft.used += refs
        return unique(refs), isinstance(bare, exp.Column), len(scope.draft.aggregates) > before

    def _numbered(self, op: str, value: Any, *, strict: bool) -> None:
        """A row number against a value: a bound, or how many rows are passed over."""
        slot = self.placeholder(value)
        if op in {"<", "="}:
            self._bound(value, below=strict)
        elif op == ">" and slot is not None:
            self.note(slot, "offset", ())

    def _compare(self, op: str, left: Any, right: Any, scope: Scope, *, strict: bool = False) -> Pred:
        left, right = _bare(left), _bare(right)
        if (
            isinstance(left, exp.Tuple)
            and isinstance(right, exp.Tuple)
            and len(left.expressions) == len(right.expressions)
        ):
            return Pred(
                "and",
                children=tuple(
                    self._compare(op, a, b, scope) for a, b in zip(left.expressions, right.expressions, strict=True)
                ),
            )
        if self._is_row_number(right, scope) and not self._is_row_number(left, scope):
            left, right, op = right, left, _FLIP.get(op, op)
        if self._is_row_number(left, scope):
            self._numbered(op, right, strict=strict)
            return TRUE
        if isinstance(right, (exp.Any, exp.All)) and isinstance(_bare(right.this), exp.Query):
            return self._in_query(left, _bare(right.this), scope)
        mine, mine_pure, mine_sum = self._side(left, scope)
        if isinstance(right, exp.Query):
            return self._in_query(left, right, scope) if mine else self._scalar(right, scope)
        if isinstance(left, exp.Query) and not isinstance(right, exp.Query):
            return self._in_query(right, left, scope)
        theirs, theirs_pure, theirs_sum = self._side(right, scope)
        if mine_sum or theirs_sum:
            return Pred("aggregate", unique([*mine, *theirs]))
        if not mine and not theirs:
            return TRUE
        if mine and theirs:
            if len({(uses, column.casefold()) for uses, column, _ in (*mine, *theirs)}) == 1:
                return TRUE  # id = id, id < id + 1
            if op == "=" and mine_pure and theirs_pure:
                return Pred("join", mine, theirs)
            return Pred("range", unique([*mine, *theirs]), pure=False)
        if theirs:
            mine, mine_pure, left, right, op = theirs, theirs_pure, right, left, _FLIP.get(op, op)
        return self._with_value(op, left, right, mine, mine_pure, scope)

    def _with_value(self, op: str, left: Any, right: Any, refs: Refs, pure: bool, scope: Scope) -> Pred:
        """A column against something that is no column."""
        slot = self.placeholder(right.this if isinstance(right, (exp.Any, exp.All)) else right)
        listed = isinstance(right, exp.Any) or self._from_list(right, scope)
        if slot is not None:
            self.note(slot, "in" if listed and op == "=" else "eq" if op == "=" and pure else "compare", refs)
        if op == "=":
            return Pred("in" if listed else "eq", refs, pure=pure)
        if isinstance(left, _SEARCHES) or (
            isinstance(left, exp.Anonymous) and str(left.name).casefold() in _SEARCH_NAMES
        ):
            needle = next((s for part in _parts(left) if (s := self.placeholder(part)) is not None), None)
            return Pred("like", refs, pure=False, loose=_loose(needle, "empty"))
        test = "not_positive" if op == ">" else "empty" if op == "<>" else None
        return Pred("range", refs, pure=pure, loose=_loose(slot, test) if test else None)

    def _from_list(self, node: Any, scope: Scope) -> bool:
        """A column of VALUES or of a function in FROM: as many keys as it has rows."""
        if not isinstance(node, exp.Column):
            return False
        found = self._lookup(str(node.table).casefold(), scope) if node.table else None
        relations = [found] if found else scope.order
        return any(relation.listed for relation in relations)

    def _in(self, node: Any, scope: Scope) -> Pred:
        left = _bare(node.this)
        if (query := node.args.get("query")) is not None:
            return self._in_query(left, query, scope)
        if isinstance(left, exp.Tuple):
            sides = [self._side(part, scope) for part in left.expressions]
            for value in node.expressions:
                self.walk(value, scope, [])
            return (
                Pred("and", children=tuple(Pred("in", refs, pure=pure) for refs, pure, _ in sides if refs))
                if any(s[0] for s in sides)
                else TRUE
            )
        refs, pure, _ = self._side(left, scope)
        if (field_ := node.args.get("field")) is not None or (field_ := node.args.get("unnest")) is not None:
            self.walk(field_, scope, scope.draft.used)
            return Pred("in", refs, pure=pure) if refs else TRUE
        others: list[Ref] = []
        for value in node.expressions:
            if (slot := self.placeholder(value)) is not None:
                self.note(slot, "in", refs)
            else:
                self.walk(value, scope, others)
        if not refs or set(refs) & set(others):
            return TRUE
        scope.draft.used += others
        return Pred("in", refs, pure=pure)

    def _in_query(self, left: Any, query: Any, scope: Scope) -> Pred:
        refs: list[Ref] = []
        pure = True
        for part in left.expressions if isinstance(left, exp.Tuple) else (left,):
            found, bare, _ = self._side(part, scope)
            refs += found
            pure = pure and bare
        relation = self.nested(query, scope)
        if not refs:
            return TRUE
        if not relation.uses:
            return Pred("in", unique(refs), pure=pure)
        scope.draft.used += relation.all()
        return Pred("sub", unique(refs), unique(relation.all()), pure=pure, blocks=tuple(relation.blocks))

    def _scalar(self, query: Any, scope: Scope) -> Pred:
        self.nested(query, scope)
        return TRUE

    def _between(self, node: Any, scope: Scope) -> Pred:
        if self._is_row_number(node.this, scope):
            self._numbered(">", node.args.get("low"), strict=False)
            self._bound(node.args.get("high"))
            return TRUE
        refs, pure, _ = self._side(node.this, scope)
        ends: list[Ref] = []
        for key in ("low", "high"):
            value = node.args.get(key)
            if (slot := self.placeholder(value)) is not None:
                self.note(slot, "compare", refs)
            else:
                self.walk(value, scope, ends)
        scope.draft.used += ends
        if not refs and not ends:
            return TRUE
        return Pred("range", unique([*refs, *ends]), pure=pure)

    def _like(self, node: Any, scope: Scope) -> Pred:
        if isinstance(node, exp.MatchAgainst):
            refs: list[Ref] = []
            self.walk(node, scope, refs)
            scope.draft.used += refs
            return Pred("like", unique(refs), pure=False) if refs else TRUE
        refs_, pure, _ = self._side(node.this, scope)
        right, right_pure, _ = self._side(node.expression, scope)
        if not refs_ and not right:
            return TRUE
        if right:
            same = refs_ == right and pure and right_pure
            return TRUE if same else Pred("range", unique([*refs_, *right]), pure=False)
        pattern = node.expression.this if isinstance(node.expression, exp.Escape) else node.expression
        slot = self.placeholder(pattern)
        if slot is None:  # LIKE '%' || ? || '%', CONCAT('%', ?, '%'): as wide as the value in the middle
            slots = [
                s
                for part in pattern.find_all(exp.Placeholder, exp.Parameter)
                if (s := self.placeholder(part)) is not None
            ]
            for each in slots:
                self.note(each, "like", refs_)
            return Pred("like", refs_, pure=pure, loose=_loose(slots[0], "all_wildcards") if len(slots) == 1 else None)
        self.note(slot, "like", refs_)
        return Pred("like", refs_, pure=pure, loose=_loose(slot, "all_wildcards"))

    def _is_row_number(self, node: Any, scope: Scope) -> bool:
        """ROWNUM, or a column of a derived table that numbers its rows."""
        if not isinstance(node, exp.Column):
            return False
        name = str(node.name).casefold()
        if name == "rownum" and not node.table:
            return self.dialect == "oracle"
        found = self._lookup(str(node.table).casefold(), scope) if node.table else None
        return any(name in relation.numbers for relation in ([found] if found else scope.order))

    def _numbers_rows(self, node: Any) -> bool:
        inner = node.this if isinstance(node, exp.Alias) else node
        if isinstance(inner, exp.Column):
            return self.dialect == "oracle" and str(inner.name).casefold() == "rownum"
        return (
            isinstance(inner, exp.Window)
            and isinstance(inner.this, exp.RowNumber)
            and not inner.args.get("partition_by")
        )

    # --- statements that change data -----------------------------------------------------------------------------

    def change(self, node: Any, ctes: dict[str, _Cte]) -> Relation:
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
            columns, stars = self._projections(returning, scope)
            relation.columns += columns
            relation.stars += stars
            relation.uses = list(draft.uses)
        draft.outputs += relation.all()
        return relation

    def target(self, node: Any, scope: Scope) -> Relation:
        """The table written to, as a source of its own columns."""
        relation = self.source(node, scope)
        if relation.base is not None:
            self._write(relation.base)
        return relation

    def _write(self, use: int) -> None:
        if use not in self.targets:
            self.targets.append(use)
            self.writes.append(self.tables[use])

    def _insert(self, node: Any, scope: Scope, relation: Relation) -> None:
        target = node.this
        columns: list[str] = []
        if isinstance(target, exp.Schema):
            columns = [str(column.name) for column in target.expressions]
            target = target.this
        if isinstance(target, exp.Table):
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
                self.walk(part.expression if isinstance(part, exp.EQ) else part, scope, [])

    def _update(self, node: Any, scope: Scope) -> None:
        args = node.args
        named = args.get("tables") or ()
        if (from_ := args.get("from_")) is not None:
            self.source(from_.this, scope)
        known = (
            self._lookup(str(node.this.name).casefold(), scope)
            if isinstance(node.this, exp.Table) and not node.this.args.get("db")
            else None
        )
        if known is not None and known.base is not None:  # UPDATE p SET … FROM patients p
            self._write(known.base)
        elif isinstance(node.this, (exp.Table, exp.Subquery)):
            first = self.source(node.this, scope)
            marked = [
                self._lookup(str(table.name).casefold(), scope) for table in named if isinstance(table, exp.Table)
            ]
            for relation in marked or [first]:
                if relation is not None and relation.base is not None:
                    self._write(relation.base)
        using = args.get("using")
        for source in using if isinstance(using, list) else [using] if isinstance(using, exp.Expr) else ():
            self.source(source, scope)
        for join in args.get("joins") or ():
            self._join(join, scope)
        if isinstance(on := args.get("on"), exp.Expr):
            self._where(on, scope, None)
        if (where := args.get("where")) is not None:
            self._where(where.this, scope, None)
        for item in node.expressions if isinstance(node, exp.Update) else ():
            self._assign(item, scope)
        for when in args["whens"].expressions if args.get("whens") is not None else ():
            then = when.args.get("then")
            for item in getattr(then, "expressions", None) or ():
                self._assign(item, scope)
        self._limit(node)

    def _assign(self, item: Any, scope: Scope) -> None:
        if isinstance(item, exp.EQ):
            if (slot := self.placeholder(item.expression)) is not None:
                self.note(slot, "assign", (), str(item.this.name) or None)
                return
            item = item.expression
        self.walk(item, scope, [])

    # --- result --------------------------------------------------------------------------------------------------

    def statement(self, verb: str, outputs: Iterable[Ref], roots: Iterable[int], **more: Any) -> Statement:
        return Statement(
            understood="ast", verb=verb, tables=tuple(self.tables), targets=tuple(self.targets),
            writes=tuple(dict.fromkeys(self.writes)), blocks=tuple(draft.block() for draft in self.drafts), roots=tuple(roots),
            outputs=unique(outputs), limits=tuple(self.limits), calls=tuple(dict.fromkeys(self.calls)),
            slots=tuple(sorted(self.slots.values(), key=lambda slot: (slot.kind != "literal", slot.ordinal))), **more,
        )  # fmt: skip


class _Ready:
    """A CTE that has been read already."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation


def _parts(node: Any) -> list[Any]:
    """Nodes directly below."""
    found: list[Any] = []
    for value in node.args.values():
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, exp.Expr)]
        elif isinstance(value, exp.Expr):
            found.append(value)
    return found


def _flat(node: Any, kind: Any) -> list[Any]:
    """Operands of a chain of AND or OR, which leans to the left; brackets around chains of the same kind go."""
    found: list[Any] = []
    stack = [node]
    while stack:
        node = stack.pop()
        inner = node
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, kind):
            stack += (inner.expression, inner.this)
        else:
            found.append(node)
    return found


def _bare(node: Any) -> Any:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        return node
    return node


def _negated(pred: Pred) -> Pred:
    """NOT is read with caution: a negated test narrows a little at best."""
    if pred.kind == "true":
        return TRUE
    if pred.kind == "null":
        return Pred("notnull", pred.refs, pure=pred.pure)
    if pred.kind == "notnull":
        return Pred("null", pred.refs, pure=pred.pure)
    if pred.kind == "and":
        return Pred("or", children=tuple(_negated(child) for child in pred.children))
    if pred.kind == "or":
        return Pred("and", children=tuple(_negated(child) for child in pred.children))
    if pred.kind == "exists":
        return TRUE
    if pred.kind == "not":
        return pred.children[0]
    return Pred("range", unique([*pred.refs, *pred.other]), pure=False)


def _loose(slot: tuple[str, int] | None, test: str) -> LooseTest | None:
    return LooseTest(slot[0], slot[1], test) if slot is not None and slot[1] > 0 else None  # type: ignore[arg-type]


def _bind_number(name: str) -> int:
    """The number in :hw_3, :b1, $3, @p2; 0: a variable, no parameter."""
    digits = name
    for prefix in ("hw_", "b", "p", "P"):
        if digits.startswith(prefix):
            digits = digits[len(prefix) :]
            break
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0


def _rename(relation: Relation, names: list[str]) -> None:
    if relation.stars and not relation.columns:
        # The order of a table's columns is not known: a new name may be any of them.
        relation.columns = [(name.casefold(), [((use,), "*", False) for use in relation.stars]) for name in names]
        relation.stars = []
        relation.base = None
        return
    columns = list(relation.columns)
    for position, name in enumerate(names):
        if position < len(columns):
            columns[position] = (name.casefold(), columns[position][1])
        else:
            columns.append((name.casefold(), []))
    relation.columns = columns


def _unbracketed(node: Any) -> Any:
    """What stands inside any number of brackets in FROM."""
    while isinstance(node, exp.Subquery):
        node = node.this
    return node


def _renamed(relation: Relation, names: list[str]) -> Relation:
    if names:
        _rename(relation, names)
    return relation


__all__ = ["LINKS", "SQL_FUNCTIONS", "Reader", "Relation", "TooComplex", "name_of"]

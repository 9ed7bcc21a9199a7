"""Columns of expressions traced to tables, values noted with what they are compared with, functions that run SQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import exp

from parsers.sql.lexer import ordinal_of
from parsers.sql.relations import MAX_BLOCKS, ROWS, Cte, Draft, Relation, Scope, TooComplex, unique
from parsers.sql.signs import TABLE_FUNCTIONS
from parsers.sql.structure import Aggregate, Limit, Ref, Refs, SlotUse

# Functions whose argument is SQL text, run by the server.
SQL_FUNCTIONS = frozenset({
    "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "query_to_json", "dblink", "dblink_exec", "dblink_open",
    "dblink_send_query", "openrowset", "openquery", "getxml", "getxmltype", "crosstab", "ts_stat", "ts_rewrite", "database_to_xml",
    "schedule", "schedule_in_database",
})  # fmt: skip
LINKS = frozenset(
    {"dblink", "dblink_exec", "dblink_open", "dblink_send_query", "openrowset", "openquery", "opendatasource"}
)
_FORMED = (
    exp.DateStrToDate, exp.StrToDate, exp.StrToTime, exp.TimeStrToTime, exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.Date,
    exp.Timestamp, exp.ToNumber, exp.ToChar, exp.Upper, exp.Lower, exp.Trim, exp.Cast, exp.TryCast,
)  # fmt: skip
MAX_AROUND = 32  # more columns than these that a bare name may mean: it may be anything
_COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
_SUMS = (exp.Sum, exp.Avg, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Median)
_SERIES = (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.Window)  # as many values as they like, from no table
_SERIES_NAMES = frozenset({"generate_series", "generate_subscripts"})
_RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "row_number"})
_PICKS = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})  # values pass as they are


class Expressions(ABC):
    """What is known of the statement so far, and how expressions are read."""

    def __init__(
        self, dialect: str, counts: Mapping[int, int] | None = None, ctes: dict[str, Cte] | None = None
    ) -> None:
        self.dialect = dialect
        self.counts = counts or {}
        self.outer: dict[str, Cte] = dict(ctes or {})  # temporary tables of the same text
        self.tables: list[str] = []
        self.targets: list[int] = []
        self.drafts: list[Draft] = []
        self.slots: dict[tuple[str, int], SlotUse] = {}
        self.limits: list[Limit] = []
        self.calls: list[str] = []
        self.writes: list[str] = []
        self.copied: list[Ref] = []  # what SET and MERGE put into the table that is written
        self.sql_texts: list[int] = []  # ordinals of literals that are SQL run by the server
        self.table_texts: list[int] = []  # ordinals of literals that name a table given whole
        self.seen: list[str] = []  # views and tables made in the same text
        self.rows: Relation | None = None  # NEW and OLD of a trigger
        self.link = False
        self.sent = False  # the rows go to another server
        self._shallow = False  # a subquery's columns are only looked at
        self._writing = False  # the table that is written to is looked up

    @abstractmethod
    def nested(self, node: Any, scope: Scope) -> Relation:
        """A query inside an expression."""

    # --- names -----------------------------------------------------------------------------------------------------

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
        if isinstance(node, (exp.Placeholder, exp.Parameter)):
            return  # a bind or a variable: which table it is, nobody can tell
        if isinstance(node, exp.Anonymous):  # OPENDATASOURCE(…).db.dbo.t
            self._call(node)
            return
        text = node if isinstance(node, str) else str(getattr(node, "name", "") or "")
        if isinstance(node, exp.Identifier) and (node.args.get("global_") or node.args.get("temporary")):
            text = ("##" if node.args.get("global_") else "#") + text
        if text and ordinal_of(text) is None:
            parts.append(text)

    def key(self, table: Any) -> str:
        """What a table is known by within its text: its name, or that of a table variable."""
        this = table.this
        return f"@{this.name}".casefold() if isinstance(this, exp.Parameter) else self.name(table).casefold()

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

    def _relations(self, qualifier: str, scope: Scope) -> list[Relation]:
        if not qualifier:
            return scope.order
        found = self._named(qualifier, scope)
        return [found] if found else []

    def _named(self, qualifier: str, scope: Scope) -> Relation | None:
        """What stands in front of a column: a source's alias, or NEW and OLD in a trigger."""
        found = self._lookup(qualifier.casefold(), scope)
        return self._rows(scope) if found is None and qualifier.casefold() in {"new", "old"} else found

    def _rows(self, scope: Scope) -> Relation | None:
        """The rows that a trigger or rule is run for."""
        if self.rows is None and (table := self.outer.get(ROWS)) is not None:
            self.rows = self.use(self.name(table.query), scope)
        return self.rows

    def _lookup(self, alias: str, scope: Scope | None) -> Relation | None:
        while scope is not None:
            if (found := scope.aliases.get(alias)) is not None:
                return found
            scope = scope.parent
        return None

    # --- values ----------------------------------------------------------------------------------------------------

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

    def constant(self, node: Any) -> tuple[str, int] | None:
        """The place of a value that a function brings to another form: TO_DATE('…', 'yyyy-mm-dd'), UPPER(?)."""
        inner = node
        while isinstance(inner, _FORMED) and isinstance(inner.this, exp.Expr):
            inner = inner.this
        if isinstance(inner, exp.Convert) and isinstance(inner.expression, exp.Expr):
            inner = inner.expression
        slot = self.placeholder(inner)
        if slot is None or inner is node:
            return slot
        for part in node.find_all(exp.Literal, exp.Placeholder, exp.Parameter):  # formats, the second argument
            if (other := self.placeholder(part)) is not None and other != slot:
                self.note(other, "value", ())
        return slot

    def note(self, slot: tuple[str, int], use: str, refs: Iterable[Ref], column: str | None = None) -> None:
        kind, ordinal = slot
        if ordinal <= 0:
            return
        known = self.slots.get(slot)
        if known is not None and (use in {"value", known.use} or known.use == "limit"):
            return
        held = unique(refs)
        if column is None and held:
            column = held[0][1]
        count = self.counts.get(ordinal, 1) if kind == "literal" else 1
        self.slots[slot] = SlotUse(use, held, column, kind, ordinal, count)  # type: ignore[arg-type]

    # --- columns and functions -------------------------------------------------------------------------------------

    def resolve(self, node: Any, scope: Scope) -> list[Ref]:
        """A column traced to tables: [] for variables and for what is made of constants."""
        name = str(node.name)
        qualifier = str(node.table)
        if isinstance(node.this, exp.Star):
            return [ref for relation in self._relations(qualifier, scope) for ref in relation.all()]
        folded = name.casefold()
        if qualifier:
            relation = self._named(qualifier, scope)
            return [] if relation is None else _found(relation, relation.find(name), scope)
        within: Scope | None = scope
        while within is not None and not within.order:
            within = within.parent
        if within is None:
            return []
        if folded == "rownum" and self.dialect == "oracle":
            return []
        if folded == "level" and self.dialect == "oracle":
            scope.made = True
            return []
        if self.dialect == "postgres" and folded in within.aliases:
            return _found(within.aliases[folded], within.aliases[folded].all(), scope)  # a whole row
        tables: list[int] = []
        for relation in within.order:
            for known, refs in relation.columns:
                if known == folded and known:
                    return _found(relation, refs, scope)
            tables += relation.stars
        if not tables:
            return [ref for relation in within.order for ref in _found(relation, relation.find(name), scope)]
        return [(tuple(tables), name, False)]

    def around(self, node: Any, scope: Scope) -> Refs:
        """Columns that a bare name may mean where the tables of its own query lack it; without uses where rows are made up."""
        if not isinstance(node, exp.Column) or node.table:
            return ()
        name = str(node.name)
        nowhere: Ref = ((), name, False)
        found = [nowhere for relation in scope.order if relation.made and relation.listed]
        at = scope.parent
        while at is not None:
            for relation in at.order:
                if relation.base is not None and self.tables[relation.base].casefold() == "dual":
                    continue
                anything = relation.made and relation.listed  # what a function in FROM gives has any name
                found += relation.find(name) or ([nowhere] if anything else [])
            at = at.parent
        return unique(found) if len(found) <= MAX_AROUND else (nowhere,)

    def walk(
        self, node: Any, scope: Scope, out: list[Ref], *, summed: bool = False, conditions: list[Ref] | None = None
    ) -> None:
        """Put the columns that `node` carries in `out`; what it only looks at goes to the block's used columns."""
        stack = [node]
        while stack:
            node = stack.pop()
            kind = type(node)
            if isinstance(node, _SERIES):
                scope.made = True
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
                or node is None  # an argument that the text lacks: ISNULL()
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
            elif kind is exp.DecodeCase and conditions is not None:  # Oracle's CASE, inside an aggregate
                looked = []
                self.walk(node.expressions[0], scope, looked)
                scope.draft.used += looked
                conditions += looked
                stack += node.expressions[1:]
            elif kind is exp.Case or kind is exp.If:
                self._case(node, scope, stack, conditions)
            elif isinstance(node, (exp.Query, exp.Values)):
                relation = self.nested(node, scope)
                scope.made = scope.made or relation.made
                if self._shallow:
                    scope.draft.used += relation.all()
                else:
                    out += [(uses, column, True) for uses, column, _ in relation.all()] if summed else relation.all()
            elif kind is exp.Exists:
                self.nested(node.this, scope)
            elif isinstance(node, (exp.Predicate, exp.Connector, exp.Not)) and kind is not exp.Any:
                looked = []
                for part in parts_of(node):
                    self.walk(part, scope, looked)
                scope.draft.used += looked
                if conditions is not None:
                    conditions += looked
            elif kind is exp.Dot and isinstance(node.this, exp.Placeholder) and (rows := self._rows(scope)) is not None:
                out += rows.find(str(node.expression.name)) or ()  # Oracle's :NEW.name
            elif kind is exp.Dot:
                stack.extend(_dotted(node))
            else:
                if isinstance(node, exp.Func):
                    self._call(node)
                    if isinstance(node, exp.JSONObject) and any(type(part) is exp.Star for part in node.expressions):
                        out += [ref for relation in scope.order for ref in relation.all()]  # Oracle's JSON_OBJECT(*)
                    scope.made = scope.made or str(node.name).casefold() in _SERIES_NAMES
                stack.extend(parts_of(node))

    def _aggregate(self, node: Any, scope: Scope, out: list[Ref], summed: bool) -> None:
        found: list[Ref] = []
        conditions: list[Ref] = []
        adds = isinstance(node, _SUMS)
        for part in parts_of(node):
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
            for argument in node.expressions:  # what is put together from several is read by words
                slot = self.placeholder(argument)
                if slot is not None and isinstance(argument, exp.Literal) and argument.is_string:
                    self.sql_texts.append(slot[1])
        elif folded in TABLE_FUNCTIONS and node.expressions:
            for argument in node.expressions[0].find_all(exp.Literal):
                if argument.is_string and (slot := self.placeholder(argument)) is not None:
                    self.table_texts.append(slot[1])


def _found(relation: Relation, refs: list[Ref] | None, scope: Scope) -> list[Ref]:
    """What a name stands for in a relation; a value without a table may be one of the rows that are made up there."""
    if not refs and relation.made:
        scope.made = True
    return refs or []


def parts_of(node: Any) -> list[Any]:
    """Nodes directly below."""
    found: list[Any] = []
    for value in node.args.values():
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, exp.Expr)]
        elif isinstance(value, exp.Expr):
            found.append(value)
    return found


def _dotted(node: Any) -> list[Any]:
    """What a method is called on: `XMLAgg(XMLElement(e, v)).getClobVal()`. Columns are bare names to the parser there."""
    method, held = node.expression, node.this
    if not isinstance(method, exp.Func):
        return parts_of(node)
    found: list[Any] = [*method.expressions]
    if (
        isinstance(held, exp.Dot)
        and isinstance(held.this, exp.Identifier)
        and isinstance(held.expression, exp.Identifier)
    ):
        return [*found, exp.Column(this=held.expression.copy(), table=held.this.copy())]
    if not isinstance(held, exp.Func):
        return [*found, *parts_of(node)]
    named = held.copy()
    for name in list(named.find_all(exp.Identifier)):
        if isinstance(name.parent, exp.Func) and not (
            isinstance(name.parent, exp.XMLElement) and name.arg_key == "this"
        ):
            name.replace(exp.Column(this=name.copy()))
    return [*found, named]


def _bind_number(name: str) -> int:
    """The number in :hw_3, :b1, $3, @p2; 0: a variable, no parameter."""
    digits = name
    for prefix in ("hw_", "b", "p", "P"):
        if digits.startswith(prefix):
            digits = digits[len(prefix) :]
            break
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0

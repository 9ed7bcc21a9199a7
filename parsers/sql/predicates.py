"""WHERE, ON and HAVING -> `Pred`: what is compared with a value, what joins, and what only seems to narrow."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from parsers.sql.expressions import Expressions, parts_of
from parsers.sql.facts import LooseTest
from parsers.sql.relations import Scope, unique
from parsers.sql.structure import TRUE, Condition, Limit, Pred, Ref, Refs

_PASSING = (exp.Cast, exp.TryCast, exp.Convert, exp.ToNumber, exp.Lower, exp.Upper, exp.Trim, exp.Paren, exp.Collate)
_SHIFTED = (exp.Add, exp.Sub, exp.DPipe)
_SEARCHES = (exp.StrPosition,)
_SEARCH_NAMES = frozenset({"instr", "charindex", "locate", "position", "patindex", "strpos", "contains", "find_in_set"})
_COMPARE = {
    exp.EQ: "=", exp.NullSafeEQ: "=", exp.NEQ: "<>", exp.NullSafeNEQ: "<>", exp.GT: ">", exp.GTE: ">", exp.LT: "<", exp.LTE: "<",
}  # fmt: skip
_OPERATORS = {
    "=": exp.EQ,
    "<>": exp.NEQ,
    "!=": exp.NEQ,
    ">": exp.GT,
    ">=": exp.GTE,
    "<": exp.LT,
    "<=": exp.LTE,
    "~~": exp.Like,
}
_OPPOSITE = {exp.NEQ: "=", exp.EQ: "<>", exp.GT: "<", exp.GTE: "<", exp.LT: ">", exp.LTE: ">"}
_FLIP = {">": "<", "<": ">"}
_LIKES = (exp.Like, exp.ILike, exp.RegexpLike, exp.RegexpILike, exp.SimilarTo, exp.MatchAgainst, exp.Glob)


class Predicates(Expressions):
    """How conditions are read."""

    def _where(self, node: Any, scope: Scope, only: tuple[int, ...] | None) -> None:
        for part in _flat(node, exp.And):
            inner = self._marked(part, scope) if self.dialect == "oracle" else None
            scope.draft.conditions.append(Condition(self.pred(part, scope), only if inner is None else inner))

    def _marked(self, node: Any, scope: Scope) -> tuple[int, ...] | None:
        """Oracle's `v.patient_id(+) = …` narrows the table of the mark alone."""
        marked = [column for column in node.find_all(exp.Column) if column.args.get("join_mark")]
        uses = [use for column in marked for ref in self.resolve(column, scope) for use in ref[0]]
        return tuple(dict.fromkeys(uses)) if marked else None

    def pred(self, node: Any, scope: Scope) -> Pred:
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.And):
            return Pred("and", children=tuple(self.pred(part, scope) for part in _flat(node, exp.And)))
        if isinstance(node, (exp.Or, exp.Xor)):
            return _either(tuple(self.pred(part, scope) for part in _flat(node, type(node))))
        if isinstance(node, exp.Not):
            return self._not(node.this, scope)
        if (op := _COMPARE.get(type(node))) is not None:
            return self._compare(op, node.this, node.expression, scope, strict=isinstance(node, (exp.LT, exp.GT)))
        if isinstance(node, exp.Operator):  # PostgreSQL's OPERATOR(pg_catalog.>=)
            sign = str(node.args.get("operator") or "").rsplit(".", 1)[-1].strip()
            if (plain := _OPERATORS.get(sign)) is not None:
                return self.pred(plain(this=node.this, expression=node.expression), scope)
        if isinstance(node, exp.In):
            return self._in(node, scope)
        if isinstance(node, exp.Between):
            return self._between(node, scope)
        if isinstance(node, exp.Is):
            refs, pure, *_ = self._side(node.this, scope)
            if not refs:
                return self._given(node)
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
        if isinstance(node, exp.StartsWith):
            return Pred("like", unique(held), pure=False, loose=_loose(self.placeholder(node.expression), "empty"))
        if isinstance(node, (exp.Column, exp.IntDiv, exp.Div, exp.Mul, exp.Add, exp.Sub)) and held:
            return Pred("notnull", unique(held))  # MySQL: every number but 0
        if held and _searches(node):
            return Pred("like", unique(held), pure=False)
        return Pred("range", unique(held), pure=False) if held else TRUE

    def _given(self, node: Any) -> Pred:
        """`? IS NULL`, which decides whether the rest of `(? IS NULL OR id = ?)` counts."""
        slot = self.placeholder(node.this)
        if slot is None or slot[0] != "bind" or not isinstance(node.expression, exp.Null) or node.args.get("negate"):
            return TRUE
        return Pred("given", loose=_loose(slot, "empty"))

    def _not(self, node: Any, scope: Scope) -> Pred:
        """NOT of a comparison is the opposite comparison, whose value may narrow nothing: `NOT (id = 0)`."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Not):
            return self.pred(node.this, scope)
        if isinstance(node, exp.Exists):
            return self._not_exists(node, scope)
        if (op := _OPPOSITE.get(type(node))) is not None:
            return self._compare(op, node.this, node.expression, scope, strict=isinstance(node, (exp.LTE, exp.GTE)))
        found = self.pred(node, scope)
        if isinstance(node, exp.In) and found.kind == "in" and len(node.expressions) == 1:
            slot = self.placeholder(node.expressions[0])
            return Pred("range", found.refs, pure=found.pure, loose=_loose(slot, "empty"))
        return _negated(found)

    def _not_exists(self, node: Any, scope: Scope) -> Pred:
        """It narrows what its query is correlated with."""
        relation = self.nested(node.this, scope)
        mine = {use for each in scope.order for use in each.uses}
        asked = [
            ref
            for number in relation.blocks
            for condition in self.drafts[number].conditions
            for ref in (*condition.pred.refs, *condition.pred.other)
            if mine & set(ref[0])
        ]
        return Pred("range", unique(asked), pure=False) if asked and relation.uses else TRUE

    def _side(self, node: Any, scope: Scope) -> tuple[Refs, bool, bool, bool]:
        """Columns of one side of a comparison; whether it is the bare column, aggregated, a value of rows that are made up."""
        bare = node
        while True:
            if isinstance(bare, _PASSING) or (isinstance(bare, exp.Coalesce) and bare.this is not None):
                bare = bare.expression if isinstance(bare, exp.Convert) else bare.this
            elif isinstance(bare, _SHIFTED) and self.placeholder(bare.expression) is not None:
                bare = bare.this  # id + 0 is as good a key as id
            else:
                break
        refs: list[Ref] = []
        before = len(scope.draft.aggregates)
        shallow, self._shallow = self._shallow, True
        made = self._makes(node, scope, refs)
        self._shallow = shallow
        scope.draft.used += refs
        return unique(refs), isinstance(bare, exp.Column), len(scope.draft.aggregates) > before, made

    def _makes(self, node: Any, scope: Scope, out: list[Ref]) -> bool:
        """Walk, and tell whether a value of a series or of a recursion was met."""
        before, scope.made = scope.made, False
        self.walk(node, scope, out)
        made, scope.made = scope.made, before
        return made

    def _numbered(self, op: str, value: Any, *, strict: bool) -> None:
        """A row number against a value: a bound, or how many rows are passed over."""
        slot = self.placeholder(value)
        if op in {"<", "="}:
            self._bound(value, below=strict)
        elif op == ">" and slot is not None:
            self.note(slot, "offset", ())

    def _bound(self, node: Any, *, below: bool = False) -> None:
        slot = self.placeholder(node)
        if slot is not None:
            self.limits.append(Limit(slot[0], slot[1], below))  # type: ignore[arg-type]
            self.note(slot, "limit", ())

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
        mine, mine_pure, mine_sum, mine_made = self._side(left, scope)
        if isinstance(right, exp.Query):
            return self._in_query(left, right, scope, single=op == "=") if mine else self._scalar(right, scope)
        if isinstance(left, exp.Query) and not isinstance(right, exp.Query):
            return self._in_query(right, left, scope, single=op == "=")
        theirs, theirs_pure, theirs_sum, theirs_made = self._side(right, scope)
        if mine_sum or theirs_sum:
            return Pred("aggregate", unique([*mine, *theirs]))
        if not mine and not theirs:
            return TRUE
        if mine and theirs:
            if len({(uses, column.casefold()) for uses, column, _ in (*mine, *theirs)}) == 1:
                return TRUE  # id = id, id < id + 1
            if op == "=" and mine_pure and theirs_pure:
                outer = (*self.around(_core(left), scope), *self.around(_core(right), scope))
                return Pred("join", mine, theirs, outer=outer)
            return Pred("range", unique([*mine, *theirs]), pure=False)
        if mine_made or theirs_made:
            return Pred("range", mine or theirs, pure=False)  # as many keys as the series has numbers
        if theirs:
            mine, mine_pure, left, right, op = theirs, theirs_pure, right, left, _FLIP.get(op, op)
        return self._with_value(op, left, right, mine, mine_pure, scope, strict=strict)

    def _with_value(
        self, op: str, left: Any, right: Any, refs: Refs, pure: bool, scope: Scope, *, strict: bool = False
    ) -> Pred:
        """A column against something that is no column."""
        listed = isinstance(right, exp.Any) or self._from_list(right, scope)
        use = "in" if listed and op == "=" else "eq" if op == "=" and pure else "compare"
        slot = self.constant(_bare(right.this) if isinstance(right, (exp.Any, exp.All)) else right)
        if slot is not None:
            self.note(slot, use, refs)
        elif isinstance(right, exp.Any) and isinstance(array := _bare(right.this), exp.Array):
            for value in array.expressions:
                if (member := self.constant(value)) is not None:
                    self.note(member, use, refs)
        if op == "=":
            return Pred("in" if listed else "eq", refs, pure=pure)
        if _searches(left):
            needle = next((s for part in parts_of(left) if (s := self.placeholder(part)) is not None), None)
            pattern = isinstance(left, exp.Anonymous) and str(left.name).casefold() == "patindex"
            return Pred("like", refs, pure=False, loose=_loose(needle, "all_wildcards" if pattern else "empty"))
        test = ("not_positive" if strict else "at_most_one") if op == ">" else "empty" if op == "<>" else None
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
                Pred("and", children=tuple(Pred("in", refs, pure=pure) for refs, pure, *_ in sides if refs))
                if any(s[0] for s in sides)
                else TRUE
            )
        refs, pure, *_ = self._side(left, scope)
        if (field_ := node.args.get("field")) is not None or (field_ := node.args.get("unnest")) is not None:
            self.walk(field_, scope, scope.draft.used)
            return Pred("in", refs, pure=pure) if refs else TRUE
        others: list[Pred] = []
        for value in node.expressions:
            if (slot := self.constant(value)) is not None:
                self.note(slot, "in", refs)
            elif (other := self._member(value, refs, scope)) is not None:
                others.append(other)
        if not refs or TRUE in others:
            return TRUE
        if len(others) < len(node.expressions) or not others:  # a list that broke off is empty
            others.append(Pred("in", refs, pure=pure))
        return _either(tuple(others)) if len(others) > 1 else others[0]

    def _member(self, value: Any, refs: Refs, scope: Scope) -> Pred | None:
        """A member of a list that is no plain value: a column (or variable), or one of rows that are made up."""
        held: list[Ref] = []
        made = self._makes(value, scope, held)
        scope.draft.used += held
        if set(refs) & set(held):
            return TRUE
        if held:
            return Pred("join", refs, unique(held), outer=self.around(_core(value), scope))
        return Pred("range", refs, pure=False) if made else None

    def _in_query(self, left: Any, query: Any, scope: Scope, *, single: bool = False) -> Pred:
        refs: list[Ref] = []
        pure = True
        for part in left.expressions if isinstance(left, exp.Tuple) else (left,):
            found, bare, *_ = self._side(part, scope)
            refs += found
            pure = pure and bare
        relation = self.nested(query, scope)
        if not refs:
            return TRUE
        if not relation.all() and (relation.made or relation.numbers):
            return Pred("range", unique(refs), pure=False)
        if not relation.all():  # constants, also those FROM dual
            return Pred("eq" if single else "in", unique(refs), pure=pure)
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
        refs, pure, *_ = self._side(node.this, scope)
        ends: list[Ref] = []
        for key in ("low", "high"):
            value = node.args.get(key)
            if (slot := self.constant(value)) is not None:
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
        refs_, pure, *_ = self._side(node.this, scope)
        right, right_pure, *_ = self._side(node.expression, scope)
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
                for part in pattern.find_all(exp.Placeholder, exp.Parameter, exp.Literal)
                if (s := self.placeholder(part)) is not None
            ]
            for each in slots:
                self.note(each, "like", refs_)
            made = [Pred("like", refs_, pure=pure, loose=_loose(each, "all_wildcards")) for each in slots[:8]]
            if not made or len(slots) > 8:
                return Pred("like", refs_, pure=pure)
            return made[0] if len(made) == 1 else Pred("and", children=tuple(made))
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


def _searches(node: Any) -> bool:
    return isinstance(node, _SEARCHES) or (
        isinstance(node, exp.Anonymous) and str(node.name).casefold() in _SEARCH_NAMES
    )


def _core(node: Any) -> Any:
    """What stands inside casts and brackets."""
    while isinstance(node, _PASSING):
        node = node.expression if isinstance(node, exp.Convert) else node.this
    return node


def _either(children: tuple[Pred, ...]) -> Pred:
    """OR. `x IS NULL OR x IS NOT NULL` is always true."""
    null = {child.refs for child in children if child.kind == "null"}
    if any(child.kind == "notnull" and child.refs in null for child in children):
        return TRUE
    return Pred("or", children=children)


def _negated(pred: Pred) -> Pred:
    """NOT is read with caution: a negated test narrows a little at best."""
    if pred.kind in {"true", "given"}:
        return TRUE
    if pred.kind == "null":
        return Pred("notnull", pred.refs, pure=pred.pure)
    if pred.kind == "notnull":
        return Pred("null", pred.refs, pure=pred.pure)
    if pred.kind == "and":
        return _either(tuple(_negated(child) for child in pred.children))
    if pred.kind == "or":
        return Pred("and", children=tuple(_negated(child) for child in pred.children))
    if pred.kind == "exists":
        return TRUE
    if pred.kind == "not":
        return pred.children[0]
    return Pred("range", unique([*pred.refs, *pred.other]), pure=False)


def _loose(slot: tuple[str, int] | None, test: str) -> LooseTest | None:
    return LooseTest(slot[0], slot[1], test) if slot is not None and slot[1] > 0 else None  # type: ignore[arg-type]

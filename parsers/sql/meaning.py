"""`Structure` under a catalogue -> `StatementFacts`: classes, restriction, 统方, tenants, roles of slots.

Pure and cheap: a new catalogue means calling this again, never parsing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from config.catalogue import CLASS_A, KEY_ROLES, Catalogue, Column, Table
from parsers.sql.facts import LooseTest, Slot, StatementFacts
from parsers.sql.structure import Block, Condition, Limit, Pred, Ref, Refs, SlotUse, Statement, Structure

LEVELS = ("none", "range", "set", "point")  # weakest first
_NONE, _RANGE, _SET, _POINT = range(4)
_DATE_WORDS = ("date", "time", "_at", "_on", "rq", "sj", "日期", "时间")
_UNDERSTOOD = {"none": 0, "lexical": 1, "ast": 2}
UNKNOWN = "hw_unknown"


@dataclass(frozen=True, slots=True)
class _Narrow:
    """How well a use is narrowed: with every loose test read as restricting, and as not."""

    tight: int
    loose: int
    tests: tuple[LooseTest, ...] = ()


def facts(structure: Structure, catalogue: Catalogue, database: str | None = None) -> StatementFacts:
    """Facts of a whole text: those of its statements together. `database`: where names without a schema are looked up."""
    if not structure.statements:
        return StatementFacts()
    return together([statement_facts(statement, catalogue, database) for statement in structure.statements])


def statement_facts(statement: Statement, catalogue: Catalogue, database: str | None = None) -> StatementFacts:
    """Facts of one statement, its embedded SQL included."""
    own = _Meaning(statement, catalogue, database).facts()
    if not statement.inner:
        return own
    inner = [statement_facts(each, catalogue, database) for each in statement.inner]
    if not statement.inner_output:
        inner = [_kept(f) for f in inner]
    return _embedding(own, inner, statement)


# --- several statements ------------------------------------------------------------------------------------------------


def _union(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part))


def _sorted_union(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({item for part in parts for item in part}))


def _weakest(parts: list[StatementFacts]) -> tuple[str | None, str | None, tuple[LooseTest, ...]]:
    known = [part for part in parts if part.restriction is not None]
    if not known:
        return None, None, ()
    tight = min(LEVELS.index(str(part.restriction)) for part in known)
    loose = min(LEVELS.index(str(part.loose_restriction or part.restriction)) for part in known)
    tests = tuple(dict.fromkeys(test for part in known for test in part.loose_tests))
    return LEVELS[tight], LEVELS[loose] if loose < tight else None, tests if loose < tight else ()


def together(parts: list[StatementFacts]) -> StatementFacts:
    """The facts of statements sent as one text: unions, and the weakest restriction."""
    if len(parts) == 1:
        return parts[0]
    main = next(
        (p for p in parts if p.reads or p.writes or p.output_classes),
        next((p for p in parts if p.verb not in {"set", "begin", "other"}), parts[0]),
    )
    worst = min(parts, key=lambda part: _UNDERSTOOD[part.understood])
    restriction, loose, tests = _weakest(parts)
    bounds = [part.bound for part in parts if part.output_classes]
    return StatementFacts(
        understood=worst.understood, reason=worst.reason, verb=main.verb,
        reads=_union(p.reads for p in parts), writes=_union(p.writes for p in parts),
        output_classes=_sorted_union(p.output_classes for p in parts), used_classes=_sorted_union(p.used_classes for p in parts),
        restriction=restriction, loose_restriction=loose, loose_tests=tests,
        bound=bounds[0] if len(bounds) == 1 else None,
        destination=_farthest(p.destination for p in parts if p.output_classes or p is main),
        aggregate_functions=_union(p.aggregate_functions for p in parts), aggregate_by=_union(p.aggregate_by for p in parts),
        tongfang=any(p.tongfang for p in parts), tenants=tuple(dict.fromkeys(t for p in parts for t in p.tenants)),
        tenant_missing=any(p.tenant_missing for p in parts), dump_tool=next((p.dump_tool for p in parts if p.dump_tool), None),
        dynamic=any(p.dynamic for p in parts), audit_change=any(p.audit_change for p in parts),
        privilege_change=any(p.privilege_change for p in parts), identity_switch=any(p.identity_switch for p in parts),
        schema_change=any(p.schema_change for p in parts), dangerous=_sorted_union(p.dangerous for p in parts),
        injection=_sorted_union(p.injection for p in parts), slots=tuple(dict.fromkeys(s for p in parts for s in p.slots)),
    )  # fmt: skip


def _farthest(places: Iterable[str]) -> str:
    order = ("client", "table", "file", "program", "other_database")
    return max(places, key=order.index, default="client")


def _embedding(own: StatementFacts, inner: list[StatementFacts], statement: Statement) -> StatementFacts:
    both = together([own, *inner])
    # What is known inside says more than the place alone.
    told = {(slot.kind, slot.ordinal): slot for part in (own, *inner) for slot in part.slots}
    slots = tuple(sorted(told.values(), key=lambda slot: (slot.kind != "literal", slot.ordinal)))
    place = own.destination if statement.tables else _farthest([own.destination, *(part.destination for part in inner)])
    return _replaced(
        both,
        understood=own.understood,
        reason=own.reason,
        verb=own.verb,
        slots=slots,
        destination=place,
        bound=both.bound if not own.output_classes else own.bound,
    )


def _replaced(part: StatementFacts, **changes: object) -> StatementFacts:
    from dataclasses import replace

    return replace(part, **changes)  # type: ignore[arg-type]


def _kept(part: StatementFacts) -> StatementFacts:
    """Rows of a block's own SELECTs do not reach the client; what it writes to files and tables does leave."""
    if part.destination == "client" and part.verb in {"select", "fetch", "declare"}:
        used = tuple(sorted({*part.used_classes, *part.output_classes}))
        return _replaced(part, output_classes=(), used_classes=used, tongfang=part.tongfang and bool(part.aggregate_by))
    return part


# --- one statement -----------------------------------------------------------------------------------------------------


class _Meaning:
    def __init__(self, statement: Statement, catalogue: Catalogue, database: str | None) -> None:
        self.statement = statement
        self.catalogue = catalogue
        self.database = database
        self.tables: list[Table | None] = [self.lookup(name) for name in statement.tables]
        self.named = [table for name in statement.reads if (table := self.lookup(name)) is not None]
        self._columns: dict[tuple[tuple[int, ...], str], tuple[tuple[int, Column], ...]] = {}

    def lookup(self, name: str) -> Table | None:
        return self.catalogue.table(name, self.database)

    def columns(self, ref: Ref) -> tuple[tuple[int, Column], ...]:
        """(use, what the column holds) for every table it may belong to. Described tables that lack it do not count."""
        key = (ref[0], ref[1])
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = tuple(self._owners(ref))
        return found

    def _owners(self, ref: Ref) -> Iterator[tuple[int, Column]]:
        uses, name, _ = ref
        if name == "*":
            for use in uses:
                table = self.tables[use]
                if table is not None:
                    for column in table.columns.values():
                        yield use, column
                    if table.own_classes:
                        yield use, Column.model_validate({"class": table.own_classes})
            return
        folded = name.casefold()
        owners = [use for use in uses if (table := self.tables[use]) is not None and folded in table.columns]
        if not owners:
            # No described table has it: a table that nobody described may.
            owners = [use for use in uses if self.tables[use] is None or self.tables[use].guessed] or list(uses)[:1]  # type: ignore[union-attr]
        for use in owners:
            yield use, self.catalogue.column(self.tables[use], name)

    def classes(self, refs: Iterable[Ref]) -> set[str]:
        found: set[str] = set()
        for ref in refs:
            for use, column in self.columns(ref):
                found.update(column.classes)
                table = self.tables[use]
                if table is not None and table.guessed and not column.classes and not column.roles:
                    found.update(table.own_classes)
        return found

    def roles(self, refs: Iterable[Ref]) -> set[str]:
        return {role for ref in refs for _, column in self.columns(ref) for role in column.roles}

    def facts(self) -> StatementFacts:
        s = self.statement
        reads = [
            name for use, name in enumerate(s.tables) if use not in s.targets and name and name.casefold() != UNKNOWN
        ]
        for use, table in enumerate(self.tables):
            if table is not None and use not in s.targets:
                reads += table.base
        routines = [routine for name in s.calls if (routine := self.catalogue.routine(name)) is not None]
        reads += [*s.reads, *(name for routine in routines for name in routine.reads)]
        reads += [
            name
            for name in s.identifiers
            if (table := self.lookup(name)) is not None and table.sensitive and not table.guessed
        ]
        carried = self.classes(s.outputs)
        used = self.classes(self._only_used())
        if s.returns_rows:
            carried |= {c for routine in routines for c in routine.classes}
        else:
            used, carried = used | carried, set()
        narrow = self.restriction()
        functions, by = self.aggregate()
        tenants, missing = self.tenants()
        return StatementFacts(
            understood="lexical" if s.identifiers and reads else s.understood, reason=s.reason, verb=s.verb,
            reads=tuple(dict.fromkeys(reads)), writes=s.writes,
            output_classes=tuple(sorted(carried)), used_classes=tuple(sorted(used)),
            restriction=LEVELS[narrow.tight] if narrow else None,
            loose_restriction=LEVELS[narrow.loose] if narrow and narrow.loose < narrow.tight else None,
            loose_tests=narrow.tests if narrow and narrow.loose < narrow.tight else (),
            bound=1 if any(limit.kind == "one" for limit in s.limits) else None,
            destination=s.destination, aggregate_functions=functions, aggregate_by=by,
            tongfang=any(routine.tongfang for routine in routines) or Tongfang(self).found(),
            tenants=tenants, tenant_missing=missing, dump_tool=s.dump_tool, dynamic=s.dynamic, audit_change=s.audit_change,
            privilege_change=s.privilege_change, identity_switch=s.identity_switch, schema_change=s.schema_change,
            dangerous=self._dangerous(), injection=s.injection, slots=tuple(self.slots()),
        )  # fmt: skip

    def _only_used(self) -> Iterator[Ref]:
        shown = {(ref[0], ref[1]) for ref in self.statement.outputs}
        for block in self.statement.blocks:
            for ref in block.used:
                if (ref[0], ref[1]) not in shown:
                    yield ref

    def _dangerous(self) -> tuple[str, ...]:
        found = set(self.statement.dangerous)
        if self.statement.verb in {"update", "delete"} and self.statement.targets:
            levels = [self.narrowed(use) for use in self.statement.targets]
            if self.statement.unrestricted or all(level.tight == _NONE for level in levels):
                found.add("unrestricted_write")
        return tuple(sorted(found))

    # --- restriction ---

    def sensitive(self, use: int) -> bool:
        table = self.tables[use]
        if table is not None:
            return table.sensitive
        return False

    def _guessed_sensitive(self) -> set[int]:
        """Uses of tables that nobody described, of whose columns one has a class A name."""
        found: set[int] = set()
        refs = [*self.statement.outputs, *(ref for block in self.statement.blocks for ref in block.used)]
        for ref in refs:
            for use, column in self.columns(ref):
                if self.tables[use] is None and not CLASS_A.isdisjoint(column.classes):
                    found.add(use)
        return found

    def restriction(self) -> _Narrow | None:
        """The weakest over all sensitive tables that are read or changed."""
        s = self.statement
        guessed = self._guessed_sensitive()
        inserted = (
            set(s.targets)
            if s.verb in {"insert", "load", "merge"} or (s.verb == "copy" and s.destination == "table")
            else set()
        )
        uses = [use for use in range(len(s.tables)) if use not in inserted and (use in guessed or self.sensitive(use))]
        if not uses:
            return None
        weakest: _Narrow | None = None
        for use in uses:
            narrow = self.narrowed(use)
            if weakest is None:
                weakest = narrow
            else:
                tests = tuple(dict.fromkeys((*weakest.tests, *narrow.tests)))
                weakest = _Narrow(min(weakest.tight, narrow.tight), min(weakest.loose, narrow.loose), tests)
        return weakest

    def narrowed(self, use: int) -> _Narrow:
        pools = getattr(self, "_pools", None)
        if pools is None:
            pools = self._pools = Pools(self)
        return pools.of(use)

    # --- aggregates, tenants, slots ---

    def aggregate(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        functions: dict[str, None] = {}
        by: dict[str, None] = {}
        linked = Tongfang(self).linked_staff
        for block in self.statement.blocks:
            for aggregate in block.aggregates:
                if aggregate.function:
                    functions[aggregate.function] = None
            for kind, refs in block.groups:
                if kind == "distinct" and not block.aggregates:
                    continue
                for ref in refs:
                    for use, column in self.columns(ref):
                        named = use in linked and "staff" in column.classes and ref[1] != "*"
                        for word in ("prescriber",) if named else column.roles or column.classes:
                            by[word] = None
        if not functions:
            return (), ()
        return tuple(functions), tuple(by)

    def tenants(self) -> tuple[tuple[tuple[str, tuple[str, ...] | None], ...], bool]:
        """Tenant columns that are compared with something, and whether a table with one is read without.

        A table joined to one whose tenant is given holds that tenant's rows.
        """
        s = self.statement
        wanted = {
            use: table.tenant
            for use, table in enumerate(self.tables)
            if table is not None and table.tenant and not (use in s.targets and s.verb == "insert")
        }
        if not wanted:
            return (), False
        found: dict[str, None] = {}
        given: set[int] = set()
        joins: list[set[int]] = []
        for block in s.blocks:
            for condition in block.conditions:
                for pred in _conjuncts(condition.pred):
                    for use, tenant in wanted.items():
                        for column in _tenant_columns(pred, use, tenant):
                            found[column] = None
                            given.add(use)
                    if pred.kind in {"join", "sub", "natural"}:
                        joins.append({use for ref in (*pred.refs, *pred.other) for use in ref[0]})
        for _ in joins:
            for uses in joins:
                if uses & given:
                    given |= uses
        return tuple((name, None) for name in found), any(use not in given for use in wanted)

    def slots(self) -> Iterator[Slot]:
        for slot in self.statement.slots:
            yield Slot(self._slot_role(slot), slot.column, slot.kind, slot.ordinal, slot.count)

    def _slot_role(self, slot: SlotUse) -> str:
        fixed = {"limit": "limit", "offset": "offset", "path": "path", "dynamic": "dynamic_sql"}.get(slot.use)
        if fixed:
            return fixed
        if slot.use in {"value", "assign"}:
            return "value"
        roles = self.roles(slot.refs)
        if "tenant" in roles:
            return "tenant"
        if slot.use in {"eq", "in"} and roles & KEY_ROLES:
            return "patient_key"
        if slot.use == "like":
            return "pattern"
        if roles & {"drug", "maker"}:
            return "drug"
        if "prescriber" in roles:
            return "prescriber"
        name = (slot.column or "").casefold()
        if "date" in roles or any(word in name for word in _DATE_WORDS):
            return "date"
        if slot.use in {"eq", "in"} and (name == "id" or name.endswith(("_id", "_no", "_code"))):
            return "key"
        return "value"


def _tenant_columns(pred: Pred, use: int, tenant: str) -> Iterator[str]:
    """The tenant column, where a conjunct compares it with values."""
    if pred.kind in {"eq", "in"}:
        for uses, column, _ in pred.refs:
            if use in uses and column.casefold() == tenant:
                yield column


# --- how well a use is narrowed ----------------------------------------------------------------------------------------


class Pools:
    """For each use the conditions that its rows pass: its block's, those of the blocks around it, of EXISTS and IN in it."""

    def __init__(self, meaning: _Meaning) -> None:
        self.meaning = meaning
        self.blocks = meaning.statement.blocks
        parents: dict[int, int] = {}
        for number, block in enumerate(self.blocks):
            for child in block.children:
                parents.setdefault(child, number)
        self.parents = parents
        self.home = {use: number for number, block in enumerate(self.blocks) for use in block.uses}
        self._levels: dict[int, dict[int, _Narrow]] = {}

    def of(self, use: int) -> _Narrow:
        number = self.home.get(use)
        if number is None:
            return _Narrow(_NONE, _NONE)
        levels = self._levels.get(number)
        if levels is None:
            levels = self._levels[number] = self._solve(number)
        return levels.get(use, _Narrow(_NONE, _NONE))

    def conditions(self, number: int) -> list[Condition]:
        found: list[Condition] = []
        at: int | None = number
        seen: set[int] = set()
        while at is not None and at not in seen:
            seen.add(at)
            self._gather(at, found, seen)
            at = self.parents.get(at)
        return found

    def _gather(self, number: int, found: list[Condition], seen: set[int]) -> None:
        for condition in self.blocks[number].conditions:
            found.append(condition)
            for pred in _conjuncts(condition.pred):
                if pred.kind in {"exists", "sub"}:
                    for inner in pred.blocks:
                        if inner not in seen and len(seen) < 64:
                            seen.add(inner)
                            self._gather(inner, found, seen)

    def _solve(self, number: int) -> dict[int, _Narrow]:
        """Levels of all uses that the conditions of a block name, handed on along equalities until nothing changes."""
        conditions = self.conditions(number)
        tight = self._levels_of(conditions, trust=True)
        loose = self._levels_of(conditions, trust=False)
        tests = tuple(dict.fromkeys(test for condition in conditions for test in _tests(condition.pred)))
        return {
            use: _Narrow(tight.get(use, _NONE), loose.get(use, _NONE), tests)
            for use in set(tight) | set(loose) | set(self.blocks[number].uses)
        }

    def _levels_of(self, conditions: list[Condition], *, trust: bool) -> dict[int, int]:
        levels: dict[int, int] = {}
        joins: list[tuple[Pred, tuple[int, ...] | None]] = []
        for condition in conditions:
            for pred in _conjuncts(condition.pred):
                for use, level in self._level(pred, trust=trust).items():
                    if condition.only is None or use in condition.only:
                        levels[use] = max(levels.get(use, _NONE), level)
                if pred.kind in {"join", "sub", "natural"}:
                    joins.append((pred, condition.only))
        for _ in range(len(joins)):
            changed = False
            for pred, only in joins:
                changed = self._hand_on(pred, only, levels) or changed
            if not changed:
                break
        return levels

    def _hand_on(self, pred: Pred, only: tuple[int, ...] | None, levels: dict[int, int]) -> bool:
        """An equality makes one table as narrow as the other; by another column than a key, a range at best."""
        keyed = pred.kind == "natural" or bool(self.meaning.roles((*pred.refs, *pred.other)) & KEY_ROLES)
        changed = False
        left, right = self._uses(pred.refs), self._uses(pred.other)
        for sources, targets in ((left, right), (right, left)):
            level = max((levels.get(use, _NONE) for use in sources), default=_NONE)
            if not keyed:
                level = min(level, _RANGE)
            for use in targets - sources:
                if (only is None or use in only) and level > levels.get(use, _NONE):
                    levels[use] = level
                    changed = True
        return changed

    def _uses(self, refs: Refs) -> set[int]:
        found: set[int] = set()
        for ref in refs:
            owners = {use for use, _ in self.meaning.columns(ref)}
            found |= owners or set(ref[0])
        return found

    def _level(self, pred: Pred, *, trust: bool) -> dict[int, int]:
        kind = pred.kind
        if kind == "and":
            return _merge((self._level(child, trust=trust) for child in pred.children), max)
        if kind == "or":
            return self._any(pred, trust=trust)
        if pred.loose is not None and not trust:
            return {}
        if kind in {"eq", "in"}:
            best = _POINT if kind == "eq" else _SET
            return {use: best if pred.pure and key else _RANGE for use, key in self._keys(pred.refs)}
        if kind in {"range", "like", "null"}:
            return {use: _RANGE for use, _ in self._keys(pred.refs)}
        if kind == "notnull":
            return {use: _RANGE for use, key in self._keys(pred.refs) if not key}
        if kind == "sub":
            return self._subquery(pred)
        if kind == "join":
            return self._variable(pred)
        return {}

    def _keys(self, refs: Refs) -> list[tuple[int, bool]]:
        found: dict[int, bool] = {}
        for ref in refs:
            for use, column in self.meaning.columns(ref):
                table = self.meaning.tables[use]
                key = bool(KEY_ROLES & set(column.roles)) or (
                    ref[1].casefold() == "id" and (table is None or table.guessed)
                )
                found[use] = found.get(use, False) or key
        return list(found.items())

    def _any(self, pred: Pred, *, trust: bool) -> dict[int, int]:
        """OR: as weak as its weakest branch; several points are a set."""
        branches = [self._level(child, trust=trust) for child in pred.children]
        uses = {use for branch in branches for use in branch}
        found: dict[int, int] = {}
        for use in uses:
            level = min(branch.get(use, _RANGE if any(branch.values()) else _NONE) for branch in branches)
            found[use] = min(level, _SET) if len(branches) > 1 else level
        return found

    def _subquery(self, pred: Pred) -> dict[int, int]:
        """`x IN (SELECT …)` narrows, unless it asks the same column of the same table without a condition."""
        mine = {
            (self.meaning.statement.tables[use].casefold(), ref[1].casefold()) for ref in pred.refs for use in ref[0]
        }
        theirs = {
            (self.meaning.statement.tables[use].casefold(), ref[1].casefold()) for ref in pred.other for use in ref[0]
        }
        bare = not any(self.blocks[number].conditions for number in pred.blocks)
        if bare and mine & theirs:
            return {}
        return {use: _RANGE for use, _ in self._keys(pred.refs)}

    def _variable(self, pred: Pred) -> dict[int, int]:
        """`patient_id = pid` in a routine: a described table has no column pid, so it is a variable."""
        left, right = self._uses(pred.refs), self._uses(pred.other)
        if left != right or len(left) != 1:
            return {}
        (use,) = left
        table = self.meaning.tables[use]
        known = [ref for ref in (*pred.refs, *pred.other) if table is not None and ref[1].casefold() in table.columns]
        if table is not None and not table.guessed and len(known) == 1 and len(pred.refs) + len(pred.other) == 2:
            return {use: _POINT if any(key for _, key in self._keys((known[0],))) else _RANGE}
        return {use: _RANGE}


def _merge(parts: Iterable[dict[int, int]], choose: Callable[[int, int], int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in parts:
        for use, level in part.items():
            found[use] = choose(found[use], level) if use in found else level
    return found


def _conjuncts(pred: Pred) -> Iterator[Pred]:
    if pred.kind == "and":
        for child in pred.children:
            yield from _conjuncts(child)
    else:
        yield pred


def _tests(pred: Pred) -> Iterator[LooseTest]:
    if pred.loose is not None:
        yield pred.loose
    for child in pred.children:
        yield from _tests(child)


# --- 统方 --------------------------------------------------------------------------------------------------------------


class Tongfang:
    """Prescriptions, orders, dispensing or charges by prescriber and drug: counted, or pulled raw to be counted elsewhere."""

    def __init__(self, meaning: _Meaning) -> None:
        self.meaning = meaning
        self.statement = meaning.statement
        self.linked_staff = self._linked_staff()

    def found(self) -> bool:
        m = self.meaning
        if not any(t is not None and t.classes & {"prescription", "billing"} for t in m.tables):
            return False
        return any(self._counted(number, block) for number, block in enumerate(self.statement.blocks)) or self._raw()

    def _linked_staff(self) -> set[int]:
        """Uses of staff tables that are joined by a prescriber's column: their names are the prescriber's."""
        linked: set[int] = set()
        for block in self.statement.blocks:
            for condition in block.conditions:
                for pred in _conjuncts(condition.pred):
                    if pred.kind in {"join", "sub"} and "prescriber" in self.meaning.roles((*pred.refs, *pred.other)):
                        linked |= {use for ref in (*pred.refs, *pred.other) for use in ref[0] if self._is_staff(use)}
        return linked

    def _is_staff(self, use: int) -> bool:
        table = self.meaning.tables[use]
        return table is not None and "staff" in table.classes

    def roles(self, refs: Iterable[Ref]) -> set[str]:
        """Roles within tables of prescriptions or charges; `prescriber` also through the staff table, `drug` through the drug list."""
        found: set[str] = set()
        for ref in refs:
            for use, column in self.meaning.columns(ref):
                table = self.meaning.tables[use]
                if "maker" in column.roles:
                    found.add("drug")
                found.update(column.roles)
                if use in self.linked_staff and ref[1] != "*" and ("staff" in column.classes):
                    found.add("prescriber")
                if table is not None and table.guessed and "prescription" in table.own_classes and not column.roles:
                    found.update(_named_roles(ref[1]))
        return found

    def _fixed(self) -> set[str]:
        """Roles that a predicate holds to given values."""
        found: set[str] = set()
        for block in self.statement.blocks:
            for condition in block.conditions:
                for pred in _leaves(condition.pred):
                    if pred.kind in {"eq", "in", "like"}:
                        found |= self.roles(pred.refs) & {"prescriber", "drug"}
        return found

    def _keyed(self, uses: Iterable[int]) -> bool:
        """All prescription tables among the uses are held to given patients, visits or documents."""
        levels = [self.meaning.narrowed(use).tight for use in uses if self._holds(use)]
        return bool(levels) and min(levels) >= _SET

    def _holds(self, use: int) -> bool:
        table = self.meaning.tables[use]
        return table is not None and bool(table.classes & {"prescription", "billing"})

    def _below(self, number: int) -> set[int]:
        uses: set[int] = set()
        stack, seen = [number], {number}
        while stack:
            block = self.statement.blocks[stack.pop()]
            uses |= set(block.uses)
            for child in block.children:
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        return uses

    def _counted(self, number: int, block: Block) -> bool:
        measured = any(a.function for a in block.aggregates)
        if not block.groups and not measured:
            return False
        by = set().union(*(self.roles(refs) for _, refs in block.groups)) if block.groups else set()
        for kind, refs in block.groups:
            if kind in {"group", "pivot", "window"} or (
                kind == "distinct" and {"prescriber", "drug"} <= self.roles(refs)
            ):
                by |= self.roles(refs)
        if not block.groups and not measured:
            return False
        # An aggregate that keeps the names: string_agg(doctor), max(drug); CASE WHEN drug = … THEN qty inside a sum.
        kept = self.roles(ref for ref in block.outputs if not ref[2])
        inside = self.roles(ref for a in block.aggregates for ref in a.conditions)
        fixed = self._fixed()
        if not self._about_prescriptions(number):
            return False
        has_prescriber = "prescriber" in by or "prescriber" in kept
        has_drug = "drug" in by or "drug" in kept or "drug" in inside
        prescriber = has_prescriber or "prescriber" in fixed
        drug = has_drug or "drug" in fixed
        grouped = any(kind in {"group", "pivot", "window", "distinct"} for kind, _ in block.groups)
        if not (prescriber and drug) or not (measured or grouped):
            return False
        if not measured and not (has_prescriber and has_drug):
            return False
        return not self._keyed(self._below(number))

    def _about_prescriptions(self, number: int) -> bool:
        return any(self._holds(use) for use in self._below(number))

    def _raw(self) -> bool:
        s = self.statement
        if not s.returns_rows or s.verb in {"update", "delete"}:
            return False
        plain = self.roles(ref for ref in s.outputs if not ref[2])
        summed = self.roles(s.outputs)
        if not summed & {"quantity", "money"}:
            return False
        fixed = self._fixed()
        uses = [use for ref in s.outputs for use in ref[0] if self._holds(use)]
        if not uses or self._keyed(range(len(s.tables))):
            return False
        if "prescriber" in plain and ("drug" in plain or "drug" in fixed):
            # A doctor's own list shows single prescriptions of one doctor.
            own_list = "prescriber" in fixed and bool(plain & KEY_ROLES)
            return not own_list
        if "prescriber" in fixed and "drug" in plain:
            return not plain & KEY_ROLES and "identity" not in self.meaning.classes(s.outputs)
        return False


_PRESCRIBERS = ("doctor", "doc_", "ysdm", "ysgh", "prescrib", "医生", "医师", "physician")
_DRUGS = ("drug", "ypxh", "ypmc", "medic", "药品", "药名")
_MEASURES = ("qty", "quantity", "amount", "num", "cost", "charge", "price", "ypsl", "je", "数量", "金额", "dosage")


def _named_roles(name: str) -> set[str]:
    """Roles by name within a table that by its own name holds prescriptions."""
    folded = name.casefold()
    found: set[str] = set()
    for role, words in (("prescriber", _PRESCRIBERS), ("drug", _DRUGS), ("quantity", _MEASURES)):
        if any(word in folded for word in words):
            found.add(role)
    return found


def _leaves(pred: Pred) -> Iterator[Pred]:
    if pred.children:
        for child in pred.children:
            yield from _leaves(child)
    else:
        yield pred


__all__ = ["LEVELS", "Limit", "facts", "statement_facts", "together"]

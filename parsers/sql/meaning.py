"""`Structure` under a catalogue -> `StatementFacts`: classes, restriction, 统方, tenants, roles of slots.

Pure and cheap: a new catalogue means calling this again, never parsing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from config.catalogue import CLASS_A, KEY_ROLES, Catalogue, Column, Table
from parsers.sql.facts import LooseTest, Slot, StatementFacts
from parsers.sql.narrowing import LEVELS, NONE, Narrow, Pools, conjuncts
from parsers.sql.structure import Limit, Pred, Ref, SlotUse, Statement, Structure
from parsers.sql.tongfang import Tongfang

_DATE_WORDS = ("date", "time", "_at", "_on", "rq", "sj", "日期", "时间")
_UNDERSTOOD = {"none": 0, "lexical": 1, "ast": 2}
UNKNOWN = "hw_unknown"


def facts(structure: Structure, catalogue: Catalogue, database: str | None = None) -> StatementFacts:
    """Facts of a whole text: those of its statements together. `database`: where names without a schema are looked up."""
    if not structure.statements:
        return StatementFacts()
    return together([statement_facts(statement, catalogue, database) for statement in structure.statements])


def statement_facts(
    statement: Statement, catalogue: Catalogue, database: str | None = None, *, every_class: bool = False
) -> StatementFacts:
    """Facts of one statement, its embedded SQL included. `every_class`: `restriction` is judged over tables of any class."""
    own = Meaning(statement, catalogue, database, every_class=every_class).facts()
    if not statement.inner:
        return own
    inner = [statement_facts(each, catalogue, database, every_class=every_class) for each in statement.inner]
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
        injection=_sorted_union(p.injection for p in parts), key_kinds=_sorted_union(p.key_kinds for p in parts),
        slots=tuple(dict.fromkeys(s for p in parts for s in p.slots)),
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
    return replace(part, **changes)  # type: ignore[arg-type]


def _kept(part: StatementFacts) -> StatementFacts:
    """Rows of a block's own SELECTs do not reach the client; what it writes to files and tables does leave."""
    if part.destination == "client" and part.verb in {"select", "fetch", "declare"}:
        used = tuple(sorted({*part.used_classes, *part.output_classes}))
        return _replaced(part, output_classes=(), used_classes=used, tongfang=part.tongfang and bool(part.aggregate_by))
    return part


# --- one statement -----------------------------------------------------------------------------------------------------


class Meaning:
    def __init__(
        self, statement: Statement, catalogue: Catalogue, database: str | None, *, every_class: bool = False
    ) -> None:
        self.statement = statement
        self.every_class = every_class
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
        owners = [use for use in uses if (table := self.tables[use]) is not None and table.column(name) is not None]
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

    def copied(self) -> Iterator[tuple[int, Column]]:
        """What a change puts into the table it writes and another table holds. A table's own columns stay where they are."""
        s = self.statement
        own = {s.tables[use].casefold() for use in s.targets}
        for ref in s.copied:
            for use, column in self.columns(ref):
                if use not in s.targets and s.tables[use].casefold() not in own:
                    yield use, column

    def _held_already(self) -> set[str]:
        """Classes of the tables that are written: a prescription's total made of its items is no new place for them."""
        written = [table for use in self.statement.targets if (table := self.tables[use]) is not None]
        return {c for table in written if not table.guessed for c in table.classes}

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
        copied = {c for _, column in self.copied() for c in column.classes} - self._held_already()
        place = "table" if copied and not carried and s.destination == "client" else s.destination
        carried |= copied
        narrow = self.restriction()
        functions, by = self.aggregate()
        tenants, missing = self.tenants()
        dangerous, loose_write = self._dangerous()
        return StatementFacts(
            understood="lexical" if s.identifiers and reads else s.understood, reason=s.reason, verb=s.verb,
            reads=tuple(dict.fromkeys(reads)), writes=s.writes,
            output_classes=tuple(sorted(carried)), used_classes=tuple(sorted(used)),
            restriction=LEVELS[narrow.tight] if narrow else None,
            loose_restriction=LEVELS[narrow.loose] if narrow and narrow.loose < narrow.tight else None,
            loose_tests=narrow.tests if narrow and narrow.loose < narrow.tight else (),
            bound=1 if any(limit.kind == "one" for limit in s.limits) else None,
            destination=place, aggregate_functions=functions, aggregate_by=by,
            tongfang=any(routine.tongfang for routine in routines) or Tongfang(self).found(),
            tenants=tenants, tenant_missing=missing, dump_tool=s.dump_tool, dynamic=s.dynamic, audit_change=s.audit_change,
            privilege_change=s.privilege_change, identity_switch=s.identity_switch, schema_change=s.schema_change,
            dangerous=dangerous, loose_write=loose_write, injection=s.injection, key_kinds=self.key_kinds(),
            slots=tuple(self.slots()),
        )  # fmt: skip

    def _only_used(self) -> Iterator[Ref]:
        shown = {(ref[0], ref[1]) for ref in (*self.statement.outputs, *self.statement.copied)}
        for block in self.statement.blocks:
            for ref in block.used:
                if (ref[0], ref[1]) not in shown:
                    yield ref

    def _dangerous(self) -> tuple[tuple[str, ...], tuple[LooseTest, ...]]:
        """Codes, and the tests on values under which the statement writes without restriction too."""
        found = set(self.statement.dangerous)
        tests: tuple[LooseTest, ...] = ()
        if self.statement.verb in {"update", "delete"} and self.statement.targets:
            levels = [self.narrowed(use) for use in self.statement.targets]
            if self.statement.unrestricted or all(level.tight == NONE for level in levels):
                found.add("unrestricted_write")
            elif all(level.loose == NONE for level in levels):
                tests = tuple(dict.fromkeys(test for level in levels for test in level.tests))
        return tuple(sorted(found)), tests

    # --- restriction ---

    def sensitive(self, use: int) -> bool:
        table = self.tables[use]
        return table is not None and (bool(table.classes) if self.every_class else table.sensitive)

    def _guessed_sensitive(self) -> set[int]:
        """Uses of tables that nobody described, of whose columns one has a class A name."""
        found: set[int] = set()
        refs = [*self.statement.outputs, *(ref for block in self.statement.blocks for ref in block.used)]
        for ref in refs:
            for use, column in self.columns(ref):
                if self.tables[use] is None and not CLASS_A.isdisjoint(column.classes):
                    found.add(use)
        for use, column in self.copied():
            if self.tables[use] is None and not CLASS_A.isdisjoint(column.classes):
                found.add(use)
        return found

    def restriction(self) -> Narrow | None:
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
        weakest: Narrow | None = None
        for use in uses:
            narrow = self.narrowed(use)
            if weakest is None:
                weakest = narrow
            else:
                tests = tuple(dict.fromkeys((*weakest.tests, *narrow.tests)))
                weakest = Narrow(min(weakest.tight, narrow.tight), min(weakest.loose, narrow.loose), tests)
        return weakest

    def narrowed(self, use: int) -> Narrow:
        pools = getattr(self, "_pools", None)
        if pools is None:
            pools = self._pools = Pools(self)
        return pools.of(use)

    # --- aggregates, tenants, slots ---

    def aggregate(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        functions: dict[str, None] = {}
        by: dict[str, None] = {}
        tongfang = Tongfang(self)
        for block in self.statement.blocks:
            for aggregate in block.aggregates:
                if aggregate.function:
                    functions[aggregate.function] = None
            for kind, refs in block.groups:
                if kind == "distinct" and not block.aggregates:
                    continue
                for ref in refs if kind != "distinct" else [ref for ref in refs if not ref[2]]:
                    for use, column in self.columns(ref):
                        named = tongfang.names_prescriber(use, column, ref[1])
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
                for pred in conjuncts(condition.pred):
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

    def key_kinds(self) -> tuple[str, ...]:
        """What the values that name patients, visits and documents are keys of."""
        asked = [self.roles(slot.refs) & KEY_ROLES for slot in self.statement.slots if slot.use in {"eq", "in"}]
        return _sorted_union(asked)

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


__all__ = ["LEVELS", "Limit", "facts", "statement_facts", "together"]

"""The catalogue: which table and column holds what.

Packs of table descriptions (config/catalogues/*.yaml and files of the site) become one `Catalogue`. A column's class is
said per table, never per column name alone: YSDM is the prescriber in one table and a diet in another. Only the
`patterns` of a pack speak of names in general, and they are asked last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from config.errors import ConfigError, Problem
from config.yaml12 import Document, read_yaml

Class = Literal[
    "identity", "contact", "clinical", "special", "lab", "image", "prescription", "drug", "billing", "staff",
    "credential", "procurement", "public_health", "audit",
]  # fmt: skip
CLASSES: tuple[str, ...] = get_args(Class)
CLASS_A = frozenset({"identity", "contact", "clinical", "special", "lab", "image", "prescription", "credential"})

Role = Literal[
    "prescriber", "drug", "maker", "quantity", "money", "patient_key", "visit_key", "document_key", "tenant", "vip", "date",
]  # fmt: skip
KEY_ROLES = frozenset({"patient_key", "visit_key", "document_key"})

SHIPPED = Path(__file__).with_name("catalogues")
MAX_NAME = 256  # a longer name in hostile text is looked up by its beginning


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Column(_Model):
    """What a column holds. In YAML: `name: identity`, or `drug_code: {class: prescription, role: drug}`."""

    classes: Annotated[tuple[Class, ...], BeforeValidator(_listed)] = Field((), alias="class")
    roles: Annotated[tuple[Role, ...], BeforeValidator(_listed)] = Field((), alias="role")


def _column(value: Any) -> Any:
    if isinstance(value, str):
        return {"role": value} if value in get_args(Role) and value not in CLASSES else {"class": value}
    return {"class": value} if isinstance(value, list) else value


ColumnText = Annotated[Column, BeforeValidator(_column)]


class TableEntry(_Model):
    """One table of a pack."""

    aliases: Texts = Field((), description="other names, synonyms")
    schemas: Texts = Field((), description="schemas it is found in; none: any")
    classes: Annotated[tuple[Class, ...], BeforeValidator(_listed)] = Field(
        (), alias="class", description="beyond those of its columns"
    )
    columns: dict[str, ColumnText] = Field(default_factory=dict)
    base: Texts = Field((), description="tables below a view")
    tenant: str | None = Field(None, description="column that tells the hospitals apart; '' when the table has none")
    qualified: bool = Field(default=False, description="a common word: it is this table only where its schema is known")


class Routine(_Model):
    """A stored procedure or function whose text is not in the logs."""

    tongfang: bool = False
    reads: Texts = ()
    classes: Annotated[tuple[Class, ...], BeforeValidator(_listed)] = Field(
        (), alias="class", description="what it returns"
    )


class Patterns(_Model):
    """Guesses by name for tables that no pack describes; `*` stands for any letters. The first pattern that fits counts."""

    tables: dict[str, Annotated[tuple[Class, ...], BeforeValidator(_listed)]] = Field(default_factory=dict)
    columns: dict[str, ColumnText] = Field(default_factory=dict)


class Pack(_Model):
    """One catalogue file."""

    pack: str
    title: str = ""
    title_zh: str = ""
    tenant: str | None = Field(None, description="tenant column of every table of the pack")
    schemas: Texts = Field((), description="schemas of every table that names none")
    prefixes: Texts = Field((), description="what sites put before the names of the tables")
    tables: dict[str, TableEntry] = Field(default_factory=dict)
    routines: dict[str, Routine] = Field(default_factory=dict)
    patterns: Patterns = Patterns()


_NOTHING = Column.model_validate({})


@dataclass(frozen=True)
class Table:
    """A table under its name, as the packs together describe it."""

    name: str
    columns: Mapping[str, Column]
    own_classes: tuple[str, ...] = ()
    base: tuple[str, ...] = ()
    tenant: str | None = None
    guessed: bool = False  # by the pattern of its name only
    classes: frozenset[str] = field(default=frozenset())
    many: tuple[tuple[re.Pattern[str], Column], ...] = ()  # columns described by a pattern: XZZ_*

    def column(self, name: str) -> Column | None:
        """What is said of a column; None where the table says nothing of it."""
        text = folded(name)
        found = self.columns.get(text)
        if found is None and self.many:
            found = next((column for pattern, column in self.many if pattern.fullmatch(text)), None)
        return found

    @cached_property
    def other(self) -> Column:
        """What a column holds that is not described: the class of the table that none of the described ones has."""
        described = {c for column in self.columns.values() for c in column.classes}
        return Column.model_validate({"class": [c for c in self.own_classes if c not in described]})

    @property
    def sensitive(self) -> bool:
        """It holds class A data."""
        return not self.classes.isdisjoint(CLASS_A)


def folded(name: str) -> str:
    """A name as it is compared: full width and case folded, outer blanks and quotes off."""
    text = name[:MAX_NAME]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.strip(' \t\r\n`"[]').casefold()


def parts(name: str) -> tuple[str, ...]:
    """Folded parts of a dotted name, a database link (`@link`) left off."""
    text = name[:MAX_NAME].split("@", 1)[0] if not name.startswith("@") else name[:MAX_NAME]
    return tuple(folded(part) for part in text.split("."))


@dataclass(frozen=True, slots=True)
class _Entry:
    schemas: frozenset[str]
    table: Table
    own: bool
    qualified: bool


_COPY_ENDING = re.compile(
    r"(?:_?(?:bak|back|backup|copy|old|new|tmp|temp|arc|hist|his|test)|_(?:p|y)?\d{1,12}|_\d{4}_\d{1,2})\Z"
)
_SCRATCH = ("tmp_", "temp_", "bak_", "copy_", "t_", "tb_", "tbl_", "v_", "vw_", "view_", "#")


class Catalogue:
    """All packs as one answer. Immutable; `version` changes with any content."""

    def __init__(self, packs: Iterable[Pack], own: Iterable[Pack] = ()) -> None:
        """`packs`: of the program; `own`: of the site, whose word on a table stands alone."""
        self.own = tuple(own)
        self.packs = (*self.own, *packs)
        text = "\0".join(pack.model_dump_json(by_alias=True) for pack in self.packs)
        self.version = blake2b(text.encode(), digest_size=8).hexdigest()
        self._entries: dict[str, list[_Entry]] = {}
        self._routines: dict[str, Routine] = {}
        self._columns: list[tuple[re.Pattern[str], Column]] = []
        self._tables: list[tuple[re.Pattern[str], frozenset[str]]] = []
        self._prefixes: tuple[str, ...] = (
            tuple(dict.fromkeys(folded(p) for pack in self.packs for p in pack.prefixes)) + _SCRATCH
        )
        for place, pack in enumerate(self.packs):
            self._add(pack, own=place < len(self.own))
        self.table = lru_cache(maxsize=20_000)(self._table)
        self.guess = lru_cache(maxsize=20_000)(self._guess)

    def _add(self, pack: Pack, *, own: bool) -> None:
        for name, entry in pack.tables.items():
            tenant = pack.tenant if entry.tenant is None else entry.tenant
            columns = {folded(column): meaning for column, meaning in entry.columns.items()}
            many = tuple((_glob(column), meaning) for column, meaning in entry.columns.items() if "*" in column)
            classes = {c for column in columns.values() for c in column.classes} | set(entry.classes)
            if tenant:
                columns.setdefault(folded(tenant), Column.model_validate({"role": "tenant"}))
            table = Table(
                name,
                columns,
                entry.classes,
                entry.base,
                folded(tenant) if tenant else None,
                classes=frozenset(classes),
                many=many,
            )
            schemas = frozenset(folded(schema) for schema in (entry.schemas or pack.schemas))
            for known in (name, *entry.aliases):
                self._entries.setdefault(parts(known)[-1], []).append(_Entry(schemas, table, own, entry.qualified))
        for name, routine in pack.routines.items():
            self._routines.setdefault(parts(name)[-1], routine)
        self._columns += [(_glob(pattern), column) for pattern, column in pack.patterns.columns.items()]
        self._tables += [(_glob(pattern), frozenset(classes)) for pattern, classes in pack.patterns.tables.items()]

    def _table(self, name: str, database: str | None = None) -> Table | None:
        """The table of that name as written (schema kept or not), None when neither a pack nor a pattern knows it.

        `database`: default database or schema of the session, used where the name has none.
        """
        names = parts(name)
        bare = names[-1]
        places = set(names[:-1]) or ({folded(database)} if database else set())
        for candidate in self._spellings(bare):
            found = [
                entry for entry in self._entries.get(candidate, ()) if not entry.qualified or entry.schemas & places
            ]
            if found:
                return _merged(name, found, places)
        for pattern, classes in self._tables:
            if pattern.fullmatch(bare):
                return Table(name, {}, tuple(sorted(classes)), guessed=True, classes=classes)
        return None

    def _spellings(self, bare: str) -> Iterable[str]:
        yield bare
        for text in (bare, _COPY_ENDING.sub("", bare)):
            if text != bare:
                yield text
            for prefix in self._prefixes:
                if text.startswith(prefix) and len(text) > len(prefix):
                    yield text[len(prefix) :]
            # MED_PAT_MASTER_INDEX, it_ms_brda: the known name stands at the end. One word alone says too little.
            rest = text
            while rest.count("_") > 1:
                rest = rest.split("_", 1)[1]
                yield rest

    def _guess(self, column: str) -> Column | None:
        """What a column of an undescribed table may hold, by its name."""
        name = folded(column)
        for pattern, meaning in self._columns:
            if pattern.fullmatch(name):
                return meaning
        return None

    def column(self, table: Table | None, name: str) -> Column:
        """What a column holds. A described table answers first, then the patterns of names."""
        if table is not None and (known := table.column(name)) is not None:
            return known
        return self.guess(name) or (table.other if table is not None else _NOTHING)

    def routine(self, name: str) -> Routine | None:
        """What is known of a stored procedure or function."""
        return self._routines.get(parts(name)[-1])


def _merged(name: str, found: list[_Entry], places: set[str]) -> Table:
    """Packs that know the same name: the site's own wins, then those that name the schema, else all together."""
    fitting = [entry for entry in found if not places or not entry.schemas or entry.schemas & places]
    for choice in ([e for e in fitting if e.own], [e for e in fitting if e.schemas & places], fitting, found):
        if choice:
            tables = [entry.table for entry in choice]
            break
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Column] = {}
    for table in tables:
        for column, meaning in table.columns.items():
            columns[column] = _both(columns[column], meaning) if column in columns else meaning
    return Table(
        name,
        columns,
        tuple(dict.fromkeys(c for table in tables for c in table.own_classes)),
        tuple(dict.fromkeys(b for table in tables for b in table.base)),
        # Which product it is can't be told: a tenant column is demanded only where all of them have one.
        tables[0].tenant if all(table.tenant == tables[0].tenant for table in tables) else None,
        classes=frozenset().union(*(table.classes for table in tables)),
        many=tuple(column for table in tables for column in table.many),
    )


def _both(a: Column, b: Column) -> Column:
    classes = tuple(dict.fromkeys((*a.classes, *b.classes)))
    return Column.model_validate({"class": classes, "role": tuple(dict.fromkeys((*a.roles, *b.roles)))})


def _glob(pattern: str) -> re.Pattern[str]:
    # Names are at most MAX_NAME letters and patterns are the site's own, so the cost stays small.
    return re.compile(".*".join(re.escape(piece) for piece in folded(pattern).split("*")), re.DOTALL)


def shipped_packs() -> tuple[str, ...]:
    """Names of the packs that come with the program."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def load_pack(path: Path | str) -> Pack:
    """One catalogue file. ConfigError with the place of every fault."""
    document = read_yaml(path)
    try:
        return Pack.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(
            [_problem(document, item) for item in error.errors(include_url=False, include_input=False)]
        ) from None


def _problem(document: Document, item: Any) -> Problem:
    keys = tuple(key for key in item["loc"] if key != "[key]")
    message = "unknown key" if item["type"] == "extra_forbidden" else str(item["msg"])
    return document.problem(keys, message)


def load_catalogue(packs: Iterable[str] | None = None, files: Iterable[Path | str] = ()) -> Catalogue:
    """The catalogue of the named shipped packs (None: all of them) and the site's own files, which win by coming first.

    ConfigError: an unknown pack, an unreadable or wrong file; all faults of all files at once.
    """
    problems: list[Problem] = []
    known = shipped_packs()
    names = known if packs is None else tuple(dict.fromkeys((*packs, "system")))  # every server has its own accounts
    message = f"unknown; shipped are {', '.join(known)}"
    problems += [Problem(f"catalogue pack {name}", 0, 0, "", message) for name in names if name not in known]
    own = _load(files, problems)
    shipped = _load((SHIPPED / f"{name}.yaml" for name in names if name in known), problems)
    if problems:
        raise ConfigError(problems)
    return Catalogue(shipped, own)


def _load(paths: Iterable[Path | str], problems: list[Problem]) -> list[Pack]:
    loaded: list[Pack] = []
    for path in paths:
        try:
            loaded.append(load_pack(path))
        except ConfigError as error:
            problems += error.problems
    return loaded


@lru_cache(maxsize=1)
def shipped_catalogue() -> Catalogue:
    """All shipped packs."""
    return load_catalogue()

"""Rules: Sigma documents, checked and compiled. Data in, rules out; the files were read by `config/rulefiles.py`.

One file holds one or more documents. A document with a `hiswatch:` block is a rule and raises findings under its id; one
without it is a base that a correlation of the same file names. Correlations are Sigma's: event_count, value_count,
value_sum, temporal, temporal_ordered. docs/detections.md shows how one is written.

Only conditions that more events cannot undo are taken (at least so many): so a finding that was raised stays true
whatever arrives later, and findings do not depend on how the stream is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from string import Formatter
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule, SigmaCorrelationType
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetectionItem

from config.errors import ConfigError, Problem
from config.yaml12 import Document, Keys
from detectors.behaviour.blocks import Behaviour, Volume
from detectors.conditions import COLUMNS, All, Asks, ConditionFault, Tree, columns_of, tree
from detectors.expressions import expression
from detectors.findings import FAMILIES, severity
from detectors.foreign import block as foreign_block
from detectors.foreign import is_foreign
from detectors.foreign import source as foreign_source
from detectors.sqlrules import sql

CATEGORIES = ("database", "transfer", "any")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SECONDS = 31 * 86400
SUBJECT_COLUMNS = frozenset({
    "site", "system", "account", "person", "vendor", "client_ip", "source", "session", "database", "shape_id",
    "written_table",  # the first table that the statement writes, without its schema
    "who",  # the person where the register knows one, else the account: the same person at several systems
})  # fmt: skip
MODIFIERS = frozenset({
    "all", "cased", "cidr", "contains", "endswith", "exists", "gt", "gte", "i", "lt", "lte", "m", "neq", "re", "s", "startswith",
})  # fmt: skip
Measure = Literal["events", "sum", "distinct", "adjacent"]
Kind = Literal["single", "count", "together", "ordered", "check", "behaviour"]
COUNTED: frozenset[Kind] = frozenset({"single", "count", "together", "ordered"})  # by the engine, from events
_BLOCK = "hiswatch"
RULE_ID = r"^[A-Z]{2,3}-([0-9]{2}[a-z]?|S[0-9a-f]{6})$"  # S: a foreign rule, whose number follows from its own id
Bases = Mapping[tuple[str, str], Document]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Also(_Model):
    """One more line that the same window must cross."""

    measure: Measure
    field: str | None = None
    gte: Annotated[int, Field(ge=1)]


class Block(_Model):
    """The `hiswatch:` block of a rule: what Sigma has no words for."""

    id: Annotated[str, Field(pattern=RULE_ID)]
    title_zh: Annotated[str, Field(min_length=2)]
    why_zh: Annotated[str, Field(min_length=4)]
    why_en: Annotated[str, Field(min_length=4)]
    honest_zh: Annotated[str, Field(min_length=4)]
    honest_en: Annotated[str, Field(min_length=4)]
    misses: Annotated[str, Field(min_length=4)]
    # why it matters and what to do next, where that differs from what holds for the rule's family
    matters_zh: str = ""
    matters_en: str = ""
    next_zh: str = ""
    next_en: str = ""
    likelihood: Annotated[int, Field(ge=1, le=5)]
    impact: Annotated[int, Field(ge=1, le=5)]
    subject: tuple[str, ...] = ("site", "system", "account")
    timespan: str = "1h"
    also: tuple[Also, ...] = ()
    # a vendor without ticket is what the rule is about, or its records never name anybody: no second weight for it
    about_vendors: bool = False
    # a function of `detectors/checks` finds it, not a condition on events; `numbers` are its limits
    check: Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")] | None = None
    numbers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")], int] = Field(default_factory=dict)
    behaviour: Behaviour | None = None  # compared with the past and with others, see `detectors/behaviour`
    roles: tuple[Literal["main", "part", "outcome", "duplicate"], ...] = ("main",)
    staged: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A window crosses it when `measure` (of `field`) reaches `least`."""

    measure: Measure
    field: str | None
    least: int


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of event that a rule counts."""

    category: str
    roles: tuple[str, ...]
    amounts: Literal["", "summed", "asked"]  # outcomes that tell rows or bytes count too: for sums alone, or as events
    tree: Tree
    expression: pl.Expr
    sql: str


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    uuid: str
    family: str
    title_zh: str
    title_en: str
    block: Block
    level: str
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    description: str
    subject: tuple[str, ...]
    timespan_seconds: int
    kind: Kind
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    staged: bool
    file: str
    numbers: Mapping[str, int] = field(default_factory=dict)  # limits of a check

    @property
    def key(self) -> str:
        """Name of the rule's state: changes with its meaning, so an edited rule starts with empty windows."""
        meaning = repr(
            (
                self.subject,
                self.timespan_seconds,
                self.kind,
                self.lines,
                [s.sql + repr(s.roles) + s.amounts for s in self.steps],
            )
        ) + (self.block.behaviour.state if self.block.behaviour is not None else "")
        return f"{self.id}@{blake2b(meaning.encode(), digest_size=4).hexdigest()}"

    @property
    def asks_outcome(self) -> bool:
        """Whether its conditions look at how an act ended."""
        return any("outcome" in columns_of(step.tree) for step in self.steps)

    @property
    def fields(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.field is not None)


def compile_rules(
    documents: Sequence[Document],
    *,
    disabled: Iterable[str] = (),
    staged: Iterable[str] = (),
    thresholds: Mapping[str, Mapping[str, int]] | None = None,
    faults: list[Problem] | None = None,
) -> list[Rule]:
    """All rules of the documents, by id. ConfigError holds every fault with file, line and key.

    `faults`: takes the faults; a rule that has some is left out then and the rest is compiled.
    `disabled` and `staged` name rules or families; `thresholds` changes numbers of a rule: {rule id: {threshold
    (its first line), timespan_seconds, or the name of a measure: number}}.
    """
    problems: list[Problem] = []
    bases = _bases(documents, problems)
    files: dict[str, list[Document]] = {}
    for document in documents:
        files.setdefault(document.file, []).append(document)
    rules: dict[str, Rule] = {}
    for document in _rules(documents, bases):
        try:
            rule = _compiled(document, tuple(files[document.file]))
        except _Fault as fault:
            problems.append((fault.document or document).problem(fault.keys, fault.message))
            continue
        if rule.id in rules:
            message = f"{rule.id} is declared twice, also in {rules[rule.id].file}"
            problems.append(document.problem((_BLOCK, "id"), message))
            continue
        rules[rule.id] = rule
    if faults is not None:
        faults += sorted(set(problems))
    elif problems:
        raise ConfigError(problems)
    off, trial, lines = frozenset(disabled), frozenset(staged), thresholds or {}
    kept = (rule for rule in rules.values() if not {rule.id, rule.family} & off)
    return sorted((_adjusted(rule, trial, lines) for rule in kept), key=lambda rule: rule.id)


_AMOUNTS = ("rows", "bytes")
WORDS = ("measured", "threshold", "events", "minutes")  # that a rule's texts may name


class _Fault(ValueError):
    """`document`: where the keys are, if not in the rule's own."""

    def __init__(self, keys: Keys, message: str, document: Document | None = None) -> None:
        super().__init__(message)
        self.keys, self.message, self.document = keys, message, document


def _adjusted(rule: Rule, staged: frozenset[str], thresholds: Mapping[str, Mapping[str, int]]) -> Rule:
    change = thresholds.get(rule.id, {})
    lines = tuple(
        replace(line, least=change.get(line.measure, change.get("threshold", line.least) if index == 0 else line.least))
        for index, line in enumerate(rule.lines)
    )
    span = change.get("timespan_seconds", rule.timespan_seconds)
    numbers = {name: change.get(name, number) for name, number in rule.numbers.items()}
    on_trial = rule.staged or bool({rule.id, rule.family} & staged)
    if rule.block.behaviour is not None:
        span = rule.timespan_seconds
        known = {name: number for name, number in change.items() if name in type(rule.block.behaviour).model_fields}
        adjusted = rule.block.behaviour.model_copy(update=known)
        rule = replace(rule, block=rule.block.model_copy(update={"behaviour": adjusted}))
    return replace(rule, lines=lines, timespan_seconds=span, numbers=numbers, staged=on_trial)


def _bases(documents: Sequence[Document], problems: list[Problem]) -> Bases:
    """Documents that correlations may name, by (file, name or id)."""
    found: dict[tuple[str, str], Document] = {}
    for document in documents:
        if not isinstance(document.data, Mapping):
            problems.append(document.problem((), "expected a rule: a mapping with title and detection"))
            continue
        for name in (document.data.get("name"), document.data.get("id")):
            if isinstance(name, str):
                found[document.file, name] = document
        if not {_BLOCK, "detection", "correlation"} & set(document.data):
            problems.append(document.problem((), "neither a rule (hiswatch:) nor a base (detection:)"))
    return found


def _rules(documents: Sequence[Document], bases: Bases) -> Iterator[Document]:
    """The documents that are rules: with a block of ours, or foreign and no base of another."""
    written = [document for document in documents if isinstance(document.data, Mapping)]
    named = {id(base) for document in written for base in _bases_of(document, bases)}
    for document in written:
        alone = is_foreign(document.data) and id(document) not in named
        if _BLOCK in document.data or alone or "correlation" in document.data:
            yield document


def _bases_of(document: Document, bases: Bases) -> Iterator[Document]:
    correlation = document.data.get("correlation")
    names = correlation.get("rules") if isinstance(correlation, Mapping) else None
    for name in [names] if isinstance(names, str) else names if isinstance(names, list) else []:
        if isinstance(name, str) and (base := bases.get((document.file, name))) is not None:
            yield base


@lru_cache(maxsize=1024)
def _compiled(document: Document, file: tuple[Document, ...]) -> Rule:
    """Each document that was read is compiled once: the check of a configuration, the start and a reload share it.

    `file`: all documents of the same file, which it may name.
    """
    return _rule(document, _bases(file, []))


def _rule(document: Document, bases: Bases) -> Rule:
    data: dict[str, Any] = dict(document.data)
    if not isinstance(data.get("title"), str):
        raise _Fault(("title",), "expected text")
    foreign = is_foreign(data) or any(is_foreign(base.data) for base in _bases_of(document, bases))
    block = _block(foreign_block(data) if foreign else data.get(_BLOCK))
    data.pop(_BLOCK, None)
    family = block.id.partition("-")[0]
    if family not in FAMILIES:
        raise _Fault((_BLOCK, "id"), "unknown family")
    band = severity(block.likelihood * block.impact)
    if foreign:
        data = {name: data[name] for name in _ASKED if name in data} | {"level": band}
    if data.get("level") != band:
        raise _Fault(("level",), f"{block.likelihood} x {block.impact} is {band}")
    _check_texts(block)
    correlated = "correlation" in data
    if block.check is not None:
        body = _checked(data, block)
    elif block.behaviour is not None:
        body = _habitual(data, block)
    else:
        body = _correlated(document, data, block, bases, foreign=foreign) if correlated else _single(data, block)
    kind, steps, lines, subject, seconds = body
    steps = tuple(_with_amounts(step, lines) for step in steps)
    for name in subject:
        if name not in SUBJECT_COLUMNS:
            raise _Fault(("correlation", "group-by") if correlated else (_BLOCK, "subject"), f"{name} names nobody")
    return Rule(
        id=block.id, uuid=str(document.data.get("id", "")), family=family, title_zh=block.title_zh, title_en=str(data["title"]),
        block=block, level=str(data["level"]), tags=_texts(data, "tags"), falsepositives=_texts(data, "falsepositives"),
        description=str(data.get("description", "")), subject=subject, timespan_seconds=seconds, kind=kind, steps=steps,
        lines=lines, staged=block.staged, file=document.file, numbers=block.numbers,
    )  # fmt: skip


# What is taken of a foreign rule: its other keys mean nothing here and may be written as its author likes.
_ASKED = ("title", "logsource", "detection", "correlation", "tags", "falsepositives", "description")


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = data.get(key)
    return tuple(str(value) for value in values) if isinstance(values, list) else ()


def _check_texts(block: Block) -> None:
    """Words in braces that nobody fills in would break the finding, when it is too late."""
    known = WORDS + (block.behaviour.WORDS if block.behaviour is not None else ())
    for name in ("why_zh", "why_en"):
        try:
            words = [
                (word, form, turned)
                for _, word, form, turned in Formatter().parse(getattr(block, name))
                if word is not None
            ]
        except ValueError:
            raise _Fault((_BLOCK, name), "a brace without its other; write {{ for one that is meant") from None
        for word, form, turned in words:
            unknown = block.check is None and word not in known
            if form or turned or unknown or not word.isidentifier():
                raise _Fault((_BLOCK, name), f"{{{word}}} is not filled in; known: {', '.join(known)}")


def _block(data: Any) -> Block:
    try:
        return Block.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _Fault((_BLOCK, *first["loc"]), str(first["msg"])) from None


_Body = tuple[Kind, tuple[Step, ...], tuple[Line, ...], tuple[str, ...], int]


def _checked(data: Mapping[str, Any], block: Block) -> _Body:
    """A rule whose finding is worked out by a function of `detectors/checks`."""
    for name in ("detection", "correlation"):
        if name in data:
            raise _Fault((name,), "a rule with hiswatch.check has no conditions of its own")
    return "check", (), (), block.subject, _seconds(block.timespan, (_BLOCK, "timespan"))


def _habitual(data: Mapping[str, Any], block: Block) -> _Body:
    """A rule about behaviour: its condition selects the events, its block says what is compared."""
    if "correlation" in data or block.also:
        raise _Fault((_BLOCK, "behaviour"), "a rule with hiswatch.behaviour has no correlation and no `also`")
    if block.timespan != Block.model_fields["timespan"].default:
        raise _Fault((_BLOCK, "timespan"), "days are what behaviour is compared by")
    step = _step(data, block)
    if isinstance(block.behaviour, Volume) and block.behaviour.of in _AMOUNTS:
        step = replace(step, amounts="summed")
    return "behaviour", (step,), (), block.subject, UNITS["d"]


def _single(data: Mapping[str, Any], block: Block) -> _Body:
    seconds = _seconds(block.timespan, (_BLOCK, "timespan"))
    lines = (Line("events", None, 1), *_also(block))
    kind: Literal["single", "count"] = "count" if block.also else "single"
    return kind, (_step(data, block),), lines, block.subject, seconds


def _correlated(document: Document, data: dict[str, Any], block: Block, bases: Bases, *, foreign: bool) -> _Body:
    place: Keys = ("correlation",)
    try:
        rule = SigmaCorrelationRule.from_dict(data)
    except SigmaError as error:
        raise _Fault(place, _message(error)) from None
    seconds = _seconds(rule.timespan.spec, (*place, "timespan"))
    steps = []
    for reference in rule.rules or ():
        base = bases.get((document.file, reference.reference))
        if base is None:
            raise _Fault((*place, "rules"), f"no rule named {reference.reference} in this file")
        try:
            steps.append(_step(dict(base.data), block))
        except _Fault as fault:
            raise _Fault(fault.keys, fault.message, base) from None
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition) or condition.op.name not in ("GTE", "GT"):
        raise _Fault((*place, "condition"), "only gte and gt: more events must not undo a finding")
    if rule.aliases is not None and rule.aliases.aliases:
        raise _Fault((*place, "aliases"), "aliases are not supported; name the columns alike")
    column = _column_of(document, bases) if foreign else str
    try:
        subject = tuple(column(name) for name in rule.group_by or ())
    except ConditionFault as fault:
        raise _Fault((*place, "group-by"), fault.message) from None
    if foreign:
        subject = tuple(dict.fromkeys(("site", "system", *subject)))
    if rule.type in (SigmaCorrelationType.TEMPORAL, SigmaCorrelationType.TEMPORAL_ORDERED):
        ordered = rule.type is SigmaCorrelationType.TEMPORAL_ORDERED
        return "ordered" if ordered else "together", tuple(steps), (), subject, seconds
    if len(steps) != 1:
        raise _Fault((*place, "rules"), "this type of correlation counts one rule")
    line = _line(rule.type, condition, (*place, "condition"), column)
    return "count", tuple(steps), (line, *_also(block)), subject, seconds


def _column_of(document: Document, bases: Bases) -> Callable[[str], str]:
    """Our column of a field that a foreign correlation names."""
    origins = [foreign_source(base.data["logsource"]) for base in _bases_of(document, bases) if is_foreign(base.data)]
    return origins[0].column


def _line(
    kind: SigmaCorrelationType, condition: SigmaCorrelationCondition, place: Keys, column: Callable[[str], str]
) -> Line:
    measures: dict[SigmaCorrelationType, Measure] = {
        SigmaCorrelationType.EVENT_COUNT: "events",
        SigmaCorrelationType.VALUE_COUNT: "distinct",
        SigmaCorrelationType.VALUE_SUM: "sum",
    }
    if kind not in measures:
        raise _Fault(("correlation", "type"), "this type of correlation is not supported")
    least = int(condition.count) + (1 if condition.op.name == "GT" else 0)
    if least < 1:
        raise _Fault(place, "expected at least 1")
    try:
        field = column(condition.fieldref) if isinstance(condition.fieldref, str) else None
    except ConditionFault as fault:
        raise _Fault(place, fault.message) from None
    return Line(measures[kind], _field(measures[kind], field, place), least)


def _also(block: Block) -> tuple[Line, ...]:
    return tuple(
        Line(item.measure, _field(item.measure, item.field, (_BLOCK, "also", index)), item.gte)
        for index, item in enumerate(block.also)
    )


def _field(measure: Measure, field: str | None, place: Keys) -> str | None:
    if measure == "events":
        return None
    if measure == "adjacent":
        return "patient_key_number"
    # Keys of patients are counted by keyed hashes only, so they may be named here and nowhere else.
    if field != "patient_keys" and field not in COLUMNS:
        raise _Fault(place, f"unknown column {field}")
    if measure == "sum" and not COLUMNS.get(str(field), pl.String()).is_integer():
        raise _Fault(place, f"{field} is not a whole number")
    return field


def _step(data: Mapping[str, Any], block: Block) -> Step:
    detection = data.get("detection")
    if isinstance(detection, Mapping) and "timeframe" in detection:
        raise _Fault(("detection", "timeframe"), "an old form of counting; write a correlation of Sigma")
    if isinstance(detection, Mapping) and "|" in str(detection.get("condition")):
        raise _Fault(("detection", "condition"), "counting behind | is an old form; write a correlation of Sigma")
    for keys, column, value in _items(data):
        _check_item(keys, column, value)
    known = data if not is_foreign(data) else {name: data[name] for name in ("title", "logsource", "detection")}
    try:
        rule = SigmaRule.from_dict({key: value for key, value in known.items() if key != _BLOCK})
        parsed = rule.detection.parsed_condition
    except (SigmaError, TypeError, ValueError, AttributeError, KeyError) as error:
        raise _Fault(("detection",), _message(error)) from None
    if len(parsed) != 1:
        raise _Fault(("detection", "condition"), "expected one condition")
    category, only, asks = _origin(data, rule)
    try:
        node = tree(parsed[0].parsed, asks)
    except ConditionFault as fault:
        raise _Fault(_where(data, fault), _at(fault)) from None
    except SigmaError as error:
        raise _Fault(("detection", "condition") if is_foreign(data) else ("detection",), _message(error)) from None
    node = node if only is None else All((only, node))
    asked = bool(columns_of(node) & set(_AMOUNTS))
    return Step(category, block.roles, "asked" if asked else "", node, expression(node), sql(node))


def _origin(data: Mapping[str, Any], rule: SigmaRule) -> tuple[str, Tree | None, Asks | None]:
    """Which events a rule is about, what they have in common, and what its fields mean (None: columns)."""
    if is_foreign(data):
        try:
            origin = foreign_source(data["logsource"])
        except ConditionFault as fault:
            raise _Fault(("logsource", fault.column) if fault.column else ("logsource",), fault.message) from None
        return origin.category, origin.only, origin.test
    category = rule.logsource.category
    if rule.logsource.product != "hiswatch" or category not in CATEGORIES:
        raise _Fault(("logsource",), "expected product hiswatch and category database, transfer or any")
    return category, None, None


def _with_amounts(step: Step, lines: Sequence[Line]) -> Step:
    """A rule about rows or bytes also looks at outcomes: one log may tell the act and another how much it moved."""
    summed = any(line.measure == "sum" and line.field in _AMOUNTS for line in lines)
    return replace(step, amounts="summed") if summed and not step.amounts else step


def _at(fault: ConditionFault) -> str:
    named = fault.column or (f"'{fault.value[:40]}'" if fault.value else "")
    return f"{named}: {fault.message}" if named else fault.message


def _where(data: Mapping[str, Any], fault: ConditionFault) -> Keys:
    """The key of the detection at which the column or the value stands."""
    if fault.column is not None:
        found = (keys for keys, key, _ in _items(data) if key.partition("|")[0] == fault.column)
        return next(found, ("detection",))
    return next((keys for keys, text in _alone(data) if text.strip() == (fault.value or "").strip()), ("detection",))


def _alone(data: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Every text that stands in a detection without a column, with its place."""
    detection = data.get("detection")
    for name, part in detection.items() if isinstance(detection, Mapping) else ():
        for index, item in enumerate(part if isinstance(part, list) else ()):
            if isinstance(item, str):
                yield ("detection", name, index), item.strip("*")
    for keys, key, value in _items(data):
        if not key.partition("|")[0]:
            yield from (
                ((*keys, index), str(item)) for index, item in enumerate(value if isinstance(value, list) else [value])
            )


def _items(data: Mapping[str, Any]) -> Iterator[tuple[Keys, str, Any]]:
    """Every `column|modifier: value` of a detection, with its place."""
    detection = data.get("detection")
    for name, part in detection.items() if isinstance(detection, Mapping) else ():
        numbered = (
            [((name, index), item) for index, item in enumerate(part)] if isinstance(part, list) else [((name,), part)]
        )
        for keys, item in numbered:
            if isinstance(item, Mapping):
                yield from ((("detection", *keys, str(key)), str(key), value) for key, value in item.items())


def _check_item(keys: Keys, key: str, value: Any) -> None:
    for modifier in key.split("|")[1:]:
        if modifier not in MODIFIERS:
            raise _Fault(keys, f"modifier {modifier} is not supported; supported: {', '.join(sorted(MODIFIERS))}")
    try:
        SigmaDetectionItem.from_mapping(key, value)
    except SigmaError as error:
        raise _Fault(keys, _message(error)) from None


def _message(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return str(text).partition("\n")[0][:200]


def _seconds(text: str, place: Keys) -> int:
    count, unit = text[:-1], text[-1:]
    if not count.isdigit() or unit not in UNITS or not 0 < int(count) * UNITS[unit] <= LONGEST_SECONDS:
        raise _Fault(place, "expected a time span of at most 31 days such as 10m, 1h or 7d")
    return int(count) * UNITS[unit]

"""Rules: Sigma documents, checked and compiled. Data in, rules out; the files were read by `config/rulefiles.py`.

One file holds one or more documents. A document with a `hiswatch:` block is a rule and raises findings under its id; one
without it is a base that a correlation of the same file names. Correlations are Sigma's: event_count, value_count,
value_sum, temporal, temporal_ordered. docs/detections.md shows how one is written.

Only conditions that more events cannot undo are taken (at least so many): so a finding that was raised stays true
whatever arrives later, and findings do not depend on how the stream is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule, SigmaCorrelationType
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetectionItem

from config.errors import ConfigError, Problem
from config.yaml12 import Document, Keys
from detectors.conditions import COLUMNS, ConditionFault, Tree, columns_of, tree
from detectors.expressions import expression
from detectors.findings import FAMILIES, severity
from detectors.sqlrules import sql

CATEGORIES = ("database", "transfer", "any")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SECONDS = 31 * 86400
SUBJECT_COLUMNS = frozenset({
    "site", "system", "account", "person", "vendor", "client_ip", "source", "session", "database", "shape_id",
    "who",  # the person where the register knows one, else the account: the same person at several systems
})  # fmt: skip
MODIFIERS = frozenset({
    "all", "cased", "cidr", "contains", "endswith", "exists", "gt", "gte", "i", "lt", "lte", "m", "neq", "re", "s", "startswith",
})  # fmt: skip
Measure = Literal["events", "sum", "distinct", "adjacent"]
_BLOCK = "hiswatch"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Also(_Model):
    """One more line that the same window must cross."""

    measure: Measure
    field: str | None = None
    gte: Annotated[int, Field(ge=1)]


class Block(_Model):
    """The `hiswatch:` block of a rule: what Sigma has no words for."""

    id: Annotated[str, Field(pattern=r"^[A-Z]{2,3}-[0-9]{2}[a-z]?$")]
    title_zh: Annotated[str, Field(min_length=2)]
    why_zh: Annotated[str, Field(min_length=4)]
    why_en: Annotated[str, Field(min_length=4)]
    honest_zh: Annotated[str, Field(min_length=4)]
    honest_en: Annotated[str, Field(min_length=4)]
    misses: Annotated[str, Field(min_length=4)]
    likelihood: Annotated[int, Field(ge=1, le=5)]
    impact: Annotated[int, Field(ge=1, le=5)]
    subject: tuple[str, ...] = ("site", "system", "account")
    timespan: str = "1h"
    also: tuple[Also, ...] = ()
    about_vendors: bool = False  # a vendor without ticket is what the rule is about: no second weight for it
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
    kind: Literal["single", "count", "together", "ordered"]
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    staged: bool
    file: str

    @property
    def key(self) -> str:
        """Name of the rule's state: changes with its meaning, so an edited rule starts with empty windows."""
        meaning = repr(
            (self.subject, self.timespan_seconds, self.kind, self.lines, [s.sql + repr(s.roles) for s in self.steps])
        )
        return f"{self.id}@{blake2b(meaning.encode(), digest_size=4).hexdigest()}"

    @property
    def fields(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.field is not None)


def compile_rules(
    documents: Sequence[Document],
    *,
    disabled: Iterable[str] = (),
    staged: Iterable[str] = (),
    thresholds: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Rule]:
    """All rules of the documents, by id. ConfigError holds every fault with file, line and key.

    `disabled` and `staged` name rules or families; `thresholds` changes numbers of a rule: {rule id: {threshold
    (its first line), timespan_seconds, or the name of a measure: number}}.
    """
    problems: list[Problem] = []
    bases = _bases(documents, problems)
    rules: dict[str, Rule] = {}
    for document in documents:
        if not isinstance(document.data, Mapping) or _BLOCK not in document.data:
            continue
        try:
            rule = _rule(document, bases)
        except _Fault as fault:
            problems.append(document.problem(fault.keys, fault.message))
            continue
        if rule.id in rules:
            problems.append(
                document.problem((_BLOCK, "id"), f"{rule.id} is declared twice, also in {rules[rule.id].file}")
            )
        rules[rule.id] = rule
    if problems:
        raise ConfigError(problems)
    off, trial, lines = frozenset(disabled), frozenset(staged), thresholds or {}
    kept = (rule for rule in rules.values() if not {rule.id, rule.family} & off)
    return sorted((_adjusted(rule, trial, lines) for rule in kept), key=lambda rule: rule.id)


class _Fault(ValueError):
    def __init__(self, keys: Keys, message: str) -> None:
        super().__init__(message)
        self.keys, self.message = keys, message


def _adjusted(rule: Rule, staged: frozenset[str], thresholds: Mapping[str, Mapping[str, int]]) -> Rule:
    change = thresholds.get(rule.id, {})
    lines = tuple(
        replace(line, least=change.get(line.measure, change.get("threshold", line.least) if index == 0 else line.least))
        for index, line in enumerate(rule.lines)
    )
    span = change.get("timespan_seconds", rule.timespan_seconds)
    return replace(
        rule, lines=lines, timespan_seconds=span, staged=rule.staged or bool({rule.id, rule.family} & staged)
    )


def _bases(documents: Sequence[Document], problems: list[Problem]) -> dict[tuple[str, str], Document]:
    """Documents that correlations may name, by (file, name or id)."""
    found: dict[tuple[str, str], Document] = {}
    for document in documents:
        if not isinstance(document.data, Mapping):
            problems.append(document.problem((), "expected a rule: a mapping with title and detection"))
            continue
        for name in (document.data.get("name"), document.data.get("id")):
            if isinstance(name, str):
                found[document.file, name] = document
        if _BLOCK not in document.data and "detection" not in document.data:
            problems.append(document.problem((), "neither a rule (hiswatch:) nor a base (detection:)"))
    return found


def _rule(document: Document, bases: Mapping[tuple[str, str], Document]) -> Rule:
    data: dict[str, Any] = dict(document.data)
    block = _block(data.pop(_BLOCK))
    family = block.id.partition("-")[0]
    if family not in FAMILIES:
        raise _Fault((_BLOCK, "id"), "unknown family")
    if data.get("level") != severity(block.likelihood * block.impact):
        raise _Fault(("level",), f"{block.likelihood} x {block.impact} is {severity(block.likelihood * block.impact)}")
    correlated = "correlation" in data
    body = _correlated(document, data, block, bases) if correlated else _single(data, block)
    kind, steps, lines, subject, seconds = body
    for name in subject:
        if name not in SUBJECT_COLUMNS:
            raise _Fault(("correlation", "group-by") if correlated else (_BLOCK, "subject"), f"{name} names nobody")
    uuid = str(data.get("id", ""))
    return Rule(
        id=block.id, uuid=uuid, family=family, title_zh=block.title_zh, title_en=str(data["title"]), block=block,
        level=str(data["level"]), tags=tuple(data.get("tags", ())), falsepositives=tuple(data.get("falsepositives", ())),
        description=str(data.get("description", "")), subject=subject, timespan_seconds=seconds, kind=kind, steps=steps,
        lines=lines, staged=block.staged, file=document.file,
    )  # fmt: skip


def _block(data: Any) -> Block:
    try:
        return Block.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _Fault((_BLOCK, *first["loc"]), str(first["msg"])) from None


_Body = tuple[
    Literal["single", "count", "together", "ordered"], tuple[Step, ...], tuple[Line, ...], tuple[str, ...], int
]


def _single(data: Mapping[str, Any], block: Block) -> _Body:
    seconds = _seconds(block.timespan, (_BLOCK, "timespan"))
    lines = (Line("events", None, 1), *_also(block))
    kind: Literal["single", "count"] = "count" if block.also else "single"
    return kind, (_step(data, block, ()),), lines, block.subject, seconds


def _correlated(
    document: Document, data: dict[str, Any], block: Block, bases: Mapping[tuple[str, str], Document]
) -> _Body:
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
        steps.append(_step(dict(base.data), block, (*place, "rules")))
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition) or condition.op.name not in ("GTE", "GT"):
        raise _Fault((*place, "condition"), "only gte and gt: more events must not undo a finding")
    subject = tuple(rule.group_by or ())
    if rule.type in (SigmaCorrelationType.TEMPORAL, SigmaCorrelationType.TEMPORAL_ORDERED):
        ordered = rule.type is SigmaCorrelationType.TEMPORAL_ORDERED
        return "ordered" if ordered else "together", tuple(steps), (), subject, seconds
    if len(steps) != 1:
        raise _Fault((*place, "rules"), "this type of correlation counts one rule")
    line = _line(rule.type, condition, (*place, "condition"))
    return "count", tuple(steps), (line, *_also(block)), subject, seconds


def _line(kind: SigmaCorrelationType, condition: SigmaCorrelationCondition, place: Keys) -> Line:
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
    field = condition.fieldref if isinstance(condition.fieldref, str) else None
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


def _step(data: Mapping[str, Any], block: Block, place: Keys) -> Step:
    for keys, column, value in _items(data):
        _check_item(place or keys, column, value)
    try:
        rule = SigmaRule.from_dict({key: value for key, value in data.items() if key != _BLOCK})
        node = tree(rule.detection.parsed_condition[0].parsed)
    except ConditionFault as fault:
        raise _Fault(place or _where(data, fault.column), _at(fault)) from None
    except SigmaError as error:
        raise _Fault(place or ("detection",), _message(error)) from None
    category = rule.logsource.category
    if rule.logsource.product != "hiswatch" or category not in CATEGORIES:
        raise _Fault(place or ("logsource",), "expected product hiswatch and category database, transfer or any")
    return Step(category, block.roles, node, expression(node), sql(node))


def _at(fault: ConditionFault) -> str:
    return f"{fault.column}: {fault.message}" if fault.column else fault.message


def _where(data: Mapping[str, Any], column: str | None) -> Keys:
    """The key of the detection at which `column` stands."""
    found = (keys for keys, key, _ in _items(data) if key.partition("|")[0] == column)
    return next(found, ("detection",))


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


def _message(error: SigmaError) -> str:
    text = error.args[0] if error.args else ""
    return str(text).partition("\n")[0][:200]


def _seconds(text: str, place: Keys) -> int:
    count, unit = text[:-1], text[-1:]
    if not count.isdigit() or unit not in UNITS or not 0 < int(count) * UNITS[unit] <= LONGEST_SECONDS:
        raise _Fault(place, "expected a time span of at most 31 days such as 10m, 1h or 7d")
    return int(count) * UNITS[unit]


def columns_needed(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset().union(*(columns_of(step.tree) for rule in rules for step in rule.steps))

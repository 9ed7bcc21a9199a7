"""A document against a model: every fault at its place, in plain words, all of them at once."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.errors import Problem
from config.yaml12 import Document, Keys

M = TypeVar("M", bound=BaseModel)

_PLAIN = {
    "missing": "required key is missing",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "union_tag_not_found": "required key 'type' is missing",
    "recursion_loop": "refers to itself",
}
_EXPECTED = {
    "string_type": "text", "bool_type": "true or false", "dict_type": "keys and values", "model_type": "keys and values",
    "tuple_type": "a list", "list_type": "a list", "float_type": "a number", "date_type": "a date such as 2026-12-31",
    "int_type": "a whole number", "int_from_float": "a whole number", "path_type": "a file name",
    "date_from_datetime_parsing": "a date such as 2026-12-31", "date_parsing": "a date such as 2026-12-31",
    "datetime_type": "a time such as 2026-11-18 08:30", "datetime_parsing": "a time such as 2026-11-18 08:30",
    "datetime_from_date_parsing": "a time such as 2026-11-18 08:30", "finite_number": "a finite number",
    "model_attributes_type": "keys and values",
}  # fmt: skip
_BOUNDS = {
    "greater_than": ("greater than", "gt"), "greater_than_equal": ("of at least", "ge"),
    "less_than": ("less than", "lt"), "less_than_equal": ("of at most", "le"),
}  # fmt: skip


def validate(
    model: type[M], document: Document, context: Mapping[str, Any], stand_in: Mapping[str, Any] | None = None
) -> tuple[M | None, list[Problem]]:
    """The model, or what could be saved of it, and every fault of form.

    With faults the faulty values are left out, and where that is not enough the entries that hold them, and the rest is
    read again, so that faults of meaning elsewhere are found in the same run; `stand_in` takes the place of required
    keys. None: nothing could be saved.
    """
    data = document.data
    if not isinstance(data, dict):
        return None, [document.problem((), f"expected keys and values, got {_named(data)}")]
    problems: list[Problem] = []
    for depth in (len(document.places), 2, 1, 1):
        try:
            return _read(model, data, context), problems
        except ValidationError as error:
            details = error.errors(include_url=False)
            if not problems:
                problems = _problems(model, document, details)
            data = {**(stand_in or {}), **_pruned(data, [_keys(data, item["loc"])[:depth] for item in details])}
    return None, problems


def _read(model: type[M], data: Any, context: Mapping[str, Any]) -> M:
    # By way of JSON: strict there means "no guessing" (text is no number), yet lists fill tuples and text fills dates.
    return model.model_validate_json(json.dumps(data), strict=True, context=dict(context))


def option_faults(model: type[BaseModel] | None, options: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Faults of the options of a log format: (keys below `options`, message)."""
    if model is None:
        yield from (((key,), "this format takes no options") for key in options)
        return
    try:
        _read(model, dict(options), {})
    except ValidationError as error:
        for item in error.errors(include_url=False):
            keys = _keys(options, item["loc"])
            yield keys, _message(model, keys, item)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean 'format'?' or nothing."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _problems(model: type[BaseModel], document: Document, details: list[ErrorDetails]) -> list[Problem]:
    found: list[Problem] = []
    meant: set[Keys] = set()  # keys that a misspelt key of theirs already explains
    for item in details:
        keys = _keys(document.data, item["loc"])
        message = _message(model, keys, item)
        if item["type"] == "extra_forbidden" and "did you mean '" in message:
            meant.add((*keys[:-1], message.split("did you mean '")[1].split("'")[0]))
        found.append(document.problem(keys, message))
    # A list whose items are faulty counts as empty too: said once is enough.
    holders = {loc[:end] for item in details for loc in [item["loc"]] for end in range(1, len(loc))}
    echoes = {document.problem(keys, _PLAIN["missing"]) for keys in meant}
    echoes |= {
        document.problem(_keys(document.data, item["loc"]), _PLAIN["too_short"])
        for item in details
        if item["type"] == "too_short" and item["loc"] in holders
    }
    return [problem for problem in found if problem not in echoes]


def _keys(data: Any, loc: tuple[str | int, ...]) -> Keys:
    """Where an error lies in the file: without the names of union members that pydantic puts between."""
    keys: list[str | int] = []
    here = data
    for index, part in enumerate(loc):
        if part == "[key]":
            continue
        inside = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        if inside:
            here = here[part]
            keys.append(part)
        elif index == len(loc) - 1 and isinstance(here, dict):
            keys.append(part)  # a missing key
    return tuple(keys)


def _message(model: type[BaseModel], keys: Keys, item: ErrorDetails) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(model, keys[:-1], None)
        return "unknown key" + (did_you_mean(str(keys[-1]), known) or f"; known: {', '.join(known)}")
    if kind == "value_error":
        return str(context["error"])
    if kind in {"literal_error", "union_tag_invalid"}:
        known = [
            word.strip(" '")
            for word in str(context.get("expected") or context["expected_tags"]).replace(" or ", ",").split(",")
        ]
        given = context.get("tag", item["input"])
        return f"expected one of {', '.join(known)}" + did_you_mean(str(given), known)
    if kind == "string_pattern_mismatch":
        return _pattern_message(item)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"expected a number {words} {context[bound]}"
    if kind in _EXPECTED:
        quoted = "; put it in quotes" if kind == "string_type" and isinstance(item["input"], int | float) else ""
        return f"expected {_EXPECTED[kind]}, got {_named(item['input'])}{quoted}"
    return _PLAIN.get(kind, item["msg"])


def _pattern_message(item: ErrorDetails) -> str:
    pattern = str(item.get("ctx", {}).get("pattern", ""))
    if pattern.startswith("^https?"):
        return "expected a URL such as https://host/path, without user name or password"
    if "@" in pattern:
        return "expected an e-mail address"
    if ":\\d" in pattern:
        return "expected host:port such as 127.0.0.1:8642"
    if pattern.startswith("^[A-Z]"):
        return "expected a rule or family such as EXF-06 or VND"
    return "expected a name of letters, digits, '_', '-' and '.', at most 64"


def _named(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "keys and values"


def _known_keys(model: Any, keys: Keys, data: Any) -> list[str]:  # noqa: ARG001
    """Keys that the model knows at a place."""
    models = [model]
    for key in keys:
        models = [inner for outer in models for inner in _inside(outer, key)]
    names: dict[str, None] = {}
    for found in models:
        if isinstance(found, type) and issubclass(found, BaseModel):
            names |= dict.fromkeys(field.alias or name for name, field in found.model_fields.items())
    return list(names)


def _inside(kind: Any, key: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if key == (field.alias or name):
                return _members(field.annotation)
        return []
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return _members(arguments[1])
    return _members(arguments[0]) if origin in {tuple, list} else []


def _members(kind: Any) -> list[Any]:
    """Alternatives of a type, unions and annotations taken apart."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        return [inner for part in get_args(kind) for inner in _members(part)]
    return [kind]


def _pruned(data: dict[str, Any], faulty: list[Keys]) -> dict[str, Any]:
    """`data` without what lies at the given keys; without what holds it where it is not there or is in a list."""
    pruned: dict[str, Any] = deepcopy(data)
    for keys in faulty:
        _drop(pruned, keys)
    return pruned


def _drop(data: dict[str, Any], keys: Keys) -> None:
    holders: list[tuple[dict[str, Any], str]] = []
    here: Any = data
    for key in keys:
        if not isinstance(here, dict) or key not in here:
            break
        holders.append((here, str(key)))
        here = here[key]
    if holders:
        holder, key = holders[-1]
        del holder[key]

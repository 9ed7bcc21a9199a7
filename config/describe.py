"""Tables of keys for the documentation, generated from the models: `python -m config.describe` rewrites them.

The tables stand between `<!-- keys:NAME -->` and `<!-- /keys -->` in docs/configuration.md and docs/register.md; those of
the headings of lists between `<!-- headings -->` and `<!-- /headings -->`.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.calendar import CalendarOverlay
from config.headings import HEADINGS, REQUIRED
from config.register import Register
from config.settings import Settings
from config.values import Clock, Hours, clock_text

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {"configuration.md": ("settings", "calendar"), "register.md": ("register",)}
_MODELS: dict[str, type[BaseModel]] = {"settings": Settings, "calendar": CalendarOverlay, "register": Register}
_BLOCK = re.compile(r"(<!-- keys:(\w+) -->\n).*?(<!-- /keys -->)", re.DOTALL)
_HEADINGS = re.compile(r"(<!-- headings -->\n).*?(<!-- /headings -->)", re.DOTALL)
_WORDS: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", Path: "file or folder",
    date: "date", datetime: "time",
}  # fmt: skip


def rendered(page: str) -> str:
    """The text of a page with its tables made anew."""
    page = _BLOCK.sub(lambda found: found[1] + table(_MODELS[found[2]]) + found[3], page)
    return _HEADINGS.sub(lambda found: found[1] + headings() + found[2], page)


def headings() -> str:
    """Markdown: what the columns of lists may be called. `*`: must be there."""
    lines = ["| list | field | headings |", "|---|---|---|"]
    for kind, fields in HEADINGS.items():
        for name, words in fields.items():
            lines.append(f"| `{kind}` | `{name}`{'*' * (name in REQUIRED[kind])} | {', '.join(words)} |")
    return "\n".join(lines) + "\n"


def table(model: type[BaseModel]) -> str:
    """Markdown: key, value, default, meaning. One line per key, inner keys after their section."""
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field, kind in _fields(model, ""):
        lines.append(f"| `{key}` | {_kind(field.annotation, kind)} | {_default(field)} | {field.description} |")
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], before: str) -> Iterator[tuple[str, FieldInfo, Any]]:
    for name, field in model.model_fields.items():
        key = before + (field.alias or name)
        yield key, field, field.metadata
        if field.annotation is Hours or Hours in _members(field.annotation):
            continue  # explained once, below the table
        for inner, joint in _inner_models(field.annotation):
            chosen = f"{key}{joint}(type: {_tag(inner)})." if _tag(inner) else f"{key}{joint}"
            yield from _fields(inner, chosen)


def _inner_models(kind: Any) -> Iterator[tuple[type[BaseModel], str]]:
    for member in _members(kind):
        origin, arguments = get_origin(member), get_args(member)
        if isinstance(member, type) and issubclass(member, BaseModel):
            yield member, "."
        elif origin is dict:
            yield from ((inner, ".NAME" + joint) for inner, joint in _inner_models(arguments[1]))
        elif origin is tuple:
            yield from ((inner, "[]" + joint) for inner, joint in _inner_models(arguments[0]))


def _tag(model: type[BaseModel]) -> str:
    field = model.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field is not None else ""


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        return [inner for part in get_args(kind) if part is not type(None) for inner in _members(part)]
    return [kind]


def _kind(annotation: Any, metadata: Any = ()) -> str:
    clock = get_args(Clock)[1]
    if clock in metadata:
        return "time of day"
    members = _members(annotation)
    if len(members) > 1:
        return "keys" if any(isinstance(one, type) and issubclass(one, BaseModel) for one in members) else "text"
    [kind] = members
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        return f"by name: {_kind(arguments[1])}"
    if origin is tuple:
        return f"list of: {_kind(arguments[0])}"
    if kind is Hours:
        return "hours"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "keys"
    return _WORDS.get(kind, "text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or isinstance(value, BaseModel) or value in (None, "", ()):
        return ""
    if "time of day" in _kind(field.annotation, field.metadata):
        return f"`{clock_text(value)}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    for page in PAGES:
        file = DOCS / page
        file.write_text(rendered(file.read_text(encoding="utf-8")), encoding="utf-8")

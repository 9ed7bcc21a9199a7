"""Parsers declare themselves; one importer walks the folder. A new format is one file and its samples."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from inspect import signature
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from config.values import Model
from parsers.events import EVENTS, REJECTS, Origin, empty

Carry = Mapping[str, Any]  # JSON values only: what a parser must remember from one chunk of a source to the next


_NO_EVENTS, _NO_REJECTS = empty(EVENTS), empty(REJECTS)  # made once: most chunks have none of either


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of a chunk: every record is in exactly one of the three."""

    events: pl.DataFrame = field(default_factory=_NO_EVENTS.clone)
    rejects: pl.DataFrame = field(default_factory=_NO_REJECTS.clone)
    skips: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # reason -> (records, bytes)
    carry: Carry = field(default_factory=dict)


class Framing(Protocol):
    def __call__(self, buffer: bytes, *, final: bool) -> int:
        """How many leading bytes of `buffer` are whole records (0: wait for more).

        `buffer` starts at a record. `final`: nothing more will come, so an unfinished last record counts as whole.
        """
        ...


class Parse(Protocol):
    def __call__(self, chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
        """Read whole records. Pure: no clock, no file, no log. Raises nothing for bad input.

        Cutting the stream at any record boundary and handing `carry` on gives the same events, rejects and skips.
        """
        ...


class Guess(Protocol):
    def __call__(self, head: bytes) -> Iterable[Mapping[str, Any]]:
        """Options under which the beginning of a file may be of this format, the likeliest first. Pure, bounded."""
        ...


@dataclass(frozen=True, slots=True)
class Parser:
    """A log format. One with `options` is configured per source; as declared it works with their defaults."""

    name: str
    reference: str
    framing: Framing
    parse: Parse
    dialect: str | None
    skips: Mapping[str, str]  # reason -> why such a record means nothing (docs and tests read this)
    options: type[Model] | None = None  # what `options:` of a source may say; None: nothing
    guess: Guess | None = None  # for `hiswatch identify`
    settle_seconds: float | None = (
        None  # records have no end mark: quiet for so long after a line break, the last is whole
    )

    def configured(self, options: Mapping[str, Any]) -> Parser:
        """The parser with `options` of a source bound. Raises pydantic.ValidationError; ValueError: it takes none."""
        if self.options is None:
            if options:
                raise ValueError(f"format {self.name} takes no options")
            return self
        return self._bound(self.options.model_validate(dict(options)))

    def _bound(self, options: Model) -> Parser:
        framing, parse = _declared[self.name]
        bound = partial(framing, options=options) if "options" in signature(framing).parameters else framing
        return replace(self, framing=bound, parse=partial(parse, options=options))


_parsers: dict[str, Parser] = {}
_declared: dict[str, tuple[Callable[..., int], Callable[..., Parsed]]] = {}  # as written, before options are bound


def parser(
    name: str,
    *,
    reference: str,
    framing: Callable[..., int],
    dialect: str | None = None,
    skips: Mapping[str, str] | None = None,
    options: type[Model] | None = None,
    guess: Guess | None = None,
    settle_seconds: float | None = None,
) -> Callable[[Callable[..., Parsed]], Callable[..., Parsed]]:
    """Declare a log format. Two units of one name are an error that names both.

    With `options`, `parse` takes a keyword argument `options`, an instance of that model, and so does a `framing` that
    depends on them. A model with required keys has no defaults: such a parser works only once it is `configured`.
    """

    def declare(parse: Callable[..., Parsed]) -> Callable[..., Parsed]:
        if name in _parsers:
            have = _declared[name][1].__module__
            raise ValueError(f"parser {name} is declared twice: {have}, {parse.__module__}")
        _declared[name] = (framing, parse)
        unit = Parser(name, reference, framing, parse, dialect, dict(skips or {}), options, guess, settle_seconds)
        if options is not None and not any(field.is_required() for field in options.model_fields.values()):
            unit = unit.configured({})
        _parsers[name] = unit
        return parse

    return declare


def documentation(name: str) -> str:
    """What the parse function of a format says of itself."""
    parsers()
    return _declared[name][1].__doc__ or ""


@cache
def parsers() -> Mapping[str, Parser]:
    """All declared parsers by name, in order of name."""
    import parsers as package

    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            importlib.import_module(f"parsers.{module.name}")
    return dict(sorted(_parsers.items()))

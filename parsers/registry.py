"""Parsers declare themselves; one importer walks the folder. A new format is one file and its samples."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import EVENTS, REJECTS, Origin, empty

Carry = Mapping[str, Any]  # JSON values only: what a parser must remember from one chunk of a source to the next


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of a chunk: every record is in exactly one of the three."""

    events: pl.DataFrame = field(default_factory=lambda: empty(EVENTS))
    rejects: pl.DataFrame = field(default_factory=lambda: empty(REJECTS))
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


@dataclass(frozen=True, slots=True)
class Parser:
    name: str
    reference: str
    framing: Framing
    parse: Parse
    dialect: str | None
    skips: Mapping[str, str]  # reason -> why such a record means nothing (docs and tests read this)


_parsers: dict[str, Parser] = {}


def parser(
    name: str,
    *,
    reference: str,
    framing: Framing,
    dialect: str | None = None,
    skips: Mapping[str, str] | None = None,
) -> Callable[[Parse], Parse]:
    """Declare a log format. Two units of one name are an error that names both."""

    def declare(parse: Parse) -> Parse:
        if name in _parsers:
            raise ValueError(f"parser {name} is declared twice: {_parsers[name].parse.__module__}, {parse.__module__}")
        _parsers[name] = Parser(name, reference, framing, parse, dialect, dict(skips or {}))
        return parse

    return declare


@cache
def parsers() -> Mapping[str, Parser]:
    """All declared parsers by name, in order of name."""
    import parsers as package

    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            importlib.import_module(f"parsers.{module.name}")
    return dict(sorted(_parsers.items()))

r"""proftpd's LogFormat, made into one regular expression for the lines of an ExtendedLog.

A variable that the daemon fills by itself is matched up to the nearest text that follows it, one that holds what the
client typed up to the farthest: a name that imitates the rest of the line stays a name. Matching is linear (Rust).
Sources: proftpd's directive reference of LogFormat and ExtendedLog, mod_log; samples from 1.3.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import polars as pl
from pydantic import Field, field_validator

from config.values import Model

DEFAULT = '%h %l %u %t "%r" %s %b'
AUTH = '%v [%P] %h %t "%r" %s'
KEY_VALUE = (
    'ts=%{iso8601} pid=%P ip=%a user=%u orig=%U cmd=%m arg="%J" file="%f" code=%s bytes=%b dur=%T '
    'xfer=%{transfer-status} fail="%{transfer-failure}" size=%{file-size} end=%E'
)
_GUESSES = (DEFAULT, KEY_VALUE, AUTH)
_GUESS_LINES = 200

Filler = Literal["daemon", "client"]
_WORD, _NUMBER, _DECIMAL = "[^ ]*", "(?:-|[0-9]+)", r"(?:-|[0-9]+(?:\.[0-9]+)?)"
# name of a variable -> its group; None where only its extent matters
_LETTERS: dict[str, tuple[str | None, str | Filler]] = {
    "a": ("address", "[0-9A-Fa-f.:]+(?:%[^ ]*)?"),
    "A": (None, "daemon"),  # the password an anonymous user typed: never kept
    "b": ("bytes", _NUMBER),
    "f": ("file", "client"),
    "F": ("inside", "client"),
    "h": ("host", "[^ ]+"),
    "I": (None, _NUMBER),
    "J": ("argument", "client"),
    "l": (None, "[^ ]+"),
    "m": ("command", "(?:SITE[ _])?[^ ]*"),
    "O": (None, _NUMBER),
    "p": (None, _NUMBER),
    "P": ("pid", "[0-9]+"),
    "r": ("request", "client"),
    "R": (None, _NUMBER),
    "s": ("code", "(?:-|[0-9]{3})"),
    "S": (None, "client"),
    "t": ("stamp", r"\[[^\]]*\]"),
    "T": ("seconds", _DECIMAL),
    "u": ("user", "daemon"),
    "U": ("offered", "daemon"),
    "w": ("rename_from", "client"),
    "d": (None, "client"),
    "D": (None, "client"),
}
_NAMES: dict[str, tuple[str | None, str | Filler]] = {
    "basename": (None, "client"),
    "epoch": ("epoch", "[0-9]+"),
    "file-size": ("file_size", _NUMBER),
    "iso8601": ("iso8601", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[,.][0-9]{1,6})?"),
    "transfer-failure": ("failure", "client"),
    "transfer-status": ("status", "(?:-|[a-z]*)"),
}
_CLOCK = {
    "Y": "[0-9]{4}",
    "m": "[0-9]{2}",
    "d": "[0-9]{2}",
    "e": "[ 0-9][0-9]",
    "b": "[A-Z][a-z]{2}",
    "a": "[A-Z][a-z]{2}",
    "y": "[0-9]{2}",
    "H": "[0-9]{2}",
    "M": "[0-9]{2}",
    "S": "[0-9]{2}",
    "z": "[+-][0-9]{4}",
    "F": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "T": "[0-9]{2}:[0-9]{2}:[0-9]{2}",
    "s": "[0-9]+",
}
_PIECES = re.compile(r"%%|%\{(?P<name>[^}]*)\}(?P<kind>[ent])?|%(?P<letter>[A-Za-z])|[^%]+|%")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A LogFormat ready to read lines. `clock` is the strptime form of `%{…}t`, where the format has one."""

    pattern: str
    opposite: str  # the same with near and far exchanged: where it reads a line otherwise, a client had a hand in it
    groups: frozenset[str]
    ends: Mapping[str, str] = field(default_factory=dict)  # text behind each group of free extent
    clock: str | None = None


@cache
def compiled(log_format: str) -> Compiled:
    """Raises ValueError where a line of such a log does not say what was done, or when."""
    text = log_format.replace(r"\"", '"').replace("\\\\", "\\")
    if "\n" in text or "\r" in text:
        raise ValueError("log_format is one line")
    near, far, groups, ends = [], [], list[str](), dict[str, str]()
    clock, last = None, None
    for piece in _PIECES.finditer(text):
        letter, name = piece["letter"], piece["name"]
        if letter is None and name is None:
            literal = "%" if piece[0] == "%%" else piece[0]
            near.append(_escaped(literal))
            far.append(_escaped(literal))
            if last is not None:
                ends[last] = literal
            last = None
            continue
        known = _LETTERS.get(letter) if letter else _NAMES.get(name)
        again = (piece["kind"] or "") if name in _NAMES else ""  # a known name takes no letter behind it
        if letter is None and known is None and piece["kind"] == "t":
            clock, known = name, ("custom", _clock(name))
        group, extent = known or (None, "daemon")
        if group in groups:
            group = None
        free = extent in {"daemon", "client"}
        for target, lazy in ((near, extent == "daemon"), (far, extent == "client")):
            inner = (".*?" if lazy else ".*") if free else extent
            target.append((f"(?<{group}>{inner})" if group else f"(?:{inner})") + again)
        if group:
            groups.append(group)
        last = group if free and group else None
    have = frozenset(groups)
    if not have & {"stamp", "iso8601", "epoch", "custom"}:
        raise ValueError("log_format says no time: add %t or %{iso8601}")
    if not have & {"request", "command"}:
        raise ValueError("log_format names no command: add %r, or %m and %f")
    return Compiled(f"^{''.join(near)}$", f"^{''.join(far)}$", have, ends, clock)


def _escaped(literal: str) -> str:
    return re.sub(r"([^A-Za-z0-9 _=:,;<>/@\"'!-])", r"\\\1", literal).replace("-", r"\-")


def _clock(form: str) -> str:
    """Pattern of a strftime form; raises ValueError for a code that is not read."""
    parts = re.split(r"%(.)", form)
    unknown = sorted({code for code in parts[1::2] if code not in _CLOCK})
    if unknown:
        raise ValueError(f"log_format has a time form with {', '.join('%' + code for code in unknown)}: not read")
    return "".join(_CLOCK[part] if index % 2 else _escaped(part) for index, part in enumerate(parts))


class Options(Model):
    """How proftpd was told to write its ExtendedLog."""

    log_format: str = Field(
        DEFAULT,
        max_length=2000,
        description="LogFormat of this ExtendedLog, the text between the outer quotes as in proftpd.conf",
    )

    @field_validator("log_format")
    @classmethod
    def _compiles(cls, value: str) -> str:
        compiled(value)
        return value


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """The forms that are in use most, those first that more of the first lines have."""
    lines = pl.Series(head.decode("latin-1").split("\n")[:_GUESS_LINES], dtype=pl.String).str.strip_suffix("\r")
    counts = [(int(lines.str.contains(compiled(form).pattern).sum()), form) for form in _GUESSES]
    for count, form in sorted(counts, key=lambda pair: -pair[0]):
        if count:
            yield {} if form == DEFAULT else {"log_format": form}

"""What a source of a generic format says of its records: which field is which column, and what its words mean.

The same keys for JSON, CSV, key=value and regular expressions. Everything is checked when the settings are read: a
column that does not exist, an action that is none, a time format that cannot be read back.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.values import Model
from parsers.events import ACTIONS, DIRECTIONS, OUTCOMES

COLUMNS = (
    "occurred_at", "action", "outcome", "account", "client_ip", "client_program", "session", "database", "statement",
    "rows", "path", "path2", "direction", "bytes", "command", "object_name", "error_code", "duration_seconds", "detail",
)  # fmt: skip
NUMBERS = ("rows", "bytes", "duration_seconds")
WORDS: Mapping[str, frozenset[str]] = {"action": ACTIONS - {"gap"}, "outcome": OUTCOMES, "direction": DIRECTIONS}
DEFAULT = "DEFAULT"  # in `values`: whatever is not listed
EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}  # microseconds of one unit
UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6}
ENVELOPE_FIELDS = ("@host", "@tag", "@before")  # of a record in a syslog envelope; @before: text before the JSON
_PATTERN_SIZE = 4096
_TRIAL = datetime(2026, 11, 20, 14, 11, 5, tzinfo=UTC)


def _text(value: Any) -> Any:
    """YAML reads the words true and 200 as something else than text; a log has only text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _words(value: Any) -> Any:
    return {_text(key): _text(word) for key, word in value.items()} if isinstance(value, Mapping) else value


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_text(one) for one in value)
    return (_text(value),)


def _fields(value: Any) -> Any:
    return {key: _text(name) for key, name in value.items()} if isinstance(value, Mapping) else value


Words = Annotated[dict[str, str], BeforeValidator(_words)]
Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]


def _character(text: str) -> str:
    text = {"\\t": "\t", "tab": "\t", "blank": " "}.get(text, text)
    if len(text) != 1 or not text.isascii() or text in "\r\n\0" or text.isalnum():
        raise ValueError("expected one ASCII character that is no letter or digit, or the word tab or blank")
    return text


Character = Annotated[str, AfterValidator(_character)]


def escaped(character: str) -> str:
    """A character as itself in an expression of Python or Rust, inside brackets too."""
    return f"\\x{ord(character):02x}"


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """The fault of a name that does not exist, with the nearest that does."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(choices)}"
    return ValueError(f"{what} {name!r} is unknown; {hint}")


class GenericOptions(Model):
    """Keys that all generic formats have."""

    fields: Annotated[dict[str, str], BeforeValidator(_fields)] = Field(
        description="our column: name of the field in the log; a dotted path inside JSON; occurred_at and an action are needed"
    )
    time_format: str = Field(
        "iso8601",
        description="iso8601, epoch, epoch_ms, epoch_us, or a format such as %Y/%m/%d %H:%M:%S; without a zone in it the source's counts",
    )
    values: dict[str, Words] = Field(
        {}, description="for action, outcome, direction: word in the log: ours; DEFAULT: any other word"
    )
    constant: Words = Field({}, description="column: value for records in which its field gives none")
    extract: dict[str, str] = Field(
        {}, description="column: regular expression; its first group is the value; no match, no value"
    )
    where: dict[str, Listed] = Field(
        {}, description="field in the log: words; other records are counted as not_selected"
    )
    duration_unit: Literal["seconds", "milliseconds", "microseconds"] = Field(
        "seconds", description="unit of duration_seconds in the log"
    )
    forgeable: bool = Field(
        default=False, description="clients can write whole false records (the writer escapes no line breaks)"
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for key, columns in (("fields", self.fields), ("constant", self.constant), ("extract", self.extract)):
            for name in columns:
                if name not in COLUMNS:
                    raise unknown(f"{key}: column", name, COLUMNS)
        for name, words in self.values.items():
            if name not in WORDS:
                raise unknown("values: column", name, WORDS)
            for word in words.values():
                _check_word(f"values: {name}", name, word)
        for name, word in self.constant.items():
            if name in NUMBERS or name == "occurred_at":
                raise ValueError(f"constant: {name} cannot be constant")
            _check_word("constant:", name, word)
        for name, pattern in self.extract.items():
            if name not in self.fields:
                raise ValueError(f"extract: {name} has no field; add it to fields")
            if not groups_of(f"extract: {name}", pattern):
                raise ValueError(f"extract: {name}: the expression needs a group, such as user=(.*)")
        if "occurred_at" not in self.fields and not self.has_time:
            raise ValueError("fields: occurred_at is needed: the field that holds the time")
        if "action" not in self.fields and "action" not in self.constant:
            raise ValueError("fields: action is needed, or the same for all records: constant: {action: query}")
        check_time_format(self.time_format)
        return self

    @property
    def has_time(self) -> bool:
        """The records have a time even without a field for it."""
        return False

    @property
    def names(self) -> list[str]:
        """Fields of the log that are used, each once."""
        return list(dict.fromkeys([*self.fields.values(), *self.where]))


class Enveloped(GenericOptions):
    """Keys of the formats that may come inside syslog messages."""

    envelope: Literal["none", "syslog"] = Field(
        "none", description="syslog: the record is the message of a syslog line, of which @host and @tag are fields too"
    )

    prefix: str | None = Field(
        None, description="regular expression for what stands before the record in its line or message; it is dropped"
    )

    @model_validator(mode="after")
    def _dropped(self) -> Self:
        if self.prefix is not None:
            groups_of("prefix", f"({self.prefix})")
        return self

    @property
    def has_time(self) -> bool:
        return self.envelope == "syslog"


def _check_word(where: str, column: str, word: str) -> None:
    if column in WORDS and word not in WORDS[column]:
        raise unknown(f"{where} {column}" if where.endswith(":") else where, word, WORDS[column])


def groups_of(where: str, pattern: str) -> list[str]:
    """Names of the groups of an expression that Polars runs in linear time; ValueError where it cannot."""
    if len(pattern) > _PATTERN_SIZE:
        raise ValueError(f"{where}: longer than {_PATTERN_SIZE} characters")
    try:
        found = pl.Series([""]).str.extract_groups(pattern)
    except pl.exceptions.PolarsError as problem:
        reason = str(problem).strip().split("\n")[-1].removeprefix("error: ")
        raise ValueError(f"{where}: {reason} (the syntax is that of Rust's regex)") from None
    return [field.name for field in found.dtype.fields] if isinstance(found.dtype, pl.Struct) else []


def check_time_format(form: str) -> None:
    if form == "iso8601" or form in EPOCHS:
        return
    if "%" not in form:
        raise unknown("time_format:", form, ["iso8601", *EPOCHS])
    trial = pl.Series([_TRIAL])
    try:
        text = trial.dt.strftime(form)
        back = text.str.to_datetime(form, time_unit="us", strict=False)
    except pl.exceptions.PolarsError:
        raise ValueError(f"time_format: {form!r} is no format; expected codes such as %Y-%m-%d %H:%M:%S") from None
    told = back[0]
    if told is None or told.replace(tzinfo=None) != _TRIAL.replace(tzinfo=None):
        raise ValueError(f"time_format: {form!r} does not tell a whole time: year, month, day, hour, minute, second")

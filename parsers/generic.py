"""From the fields of a record of any log to EVENTS, as the source's options say. What all generic formats share.

A format hands over lines (position, length, text) with one text column per field of the log that is used, and a reason
where it could not read one. From there on every format means the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.events import UTC, Origin
from parsers.generic_options import DEFAULT, EPOCHS, NUMBERS, UNITS, WORDS, Enveloped, GenericOptions
from parsers.registry import Parsed
from parsers.stamps import in_calendar, local_time, to_utc
from parsers.syslog import envelope, unfold

SKIPS = {"not_selected": "a record that the source's own `where` (or, for expressions, `others`) leaves out"}
FIELD = "field:"  # in front of the name of a field of the log: a column of its own
_ISO = (
    r"^(?<day>\d{4}-\d\d-\d\d)[T ](?<clock>\d\d:\d\d:\d\d)(?:[.,](?<fraction>\d{1,9}))?\d*"
    r" ?(?:(?<utc>[Zz]|UTC)|(?<sign>[+-])(?<hours>\d\d):?(?<minutes>\d\d)?)?$"
)
_LATEST = 4_102_444_800  # 2100: a larger number of seconds is a number of another unit
_UNSAID = "postgres"  # SQL of a source that names no dialect of its own: the nearest to the standard
_TRANSFERS = ("upload", "download")


def column(name: str) -> str:
    return FIELD + name


def messages(
    lines: pl.DataFrame, options: Enveloped, origin: Origin, zone: ZoneInfo, carry: Mapping[str, Any]
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Add `message`, `told_at`, `@host`, `@tag` and `reject`; a record is its line, or what a syslog line carries."""
    if options.envelope == "none":
        nothing = {name: pl.lit(None, pl.String) for name in ("@host", "@tag", "reject")}
        told = lines.with_columns(**nothing, message=pl.col("text").str.strip_suffix("\r"), told_at=pl.lit(None, UTC))
        kept: dict[str, Any] = {}
    else:
        told, year = envelope(lines, origin, zone, carry.get("year", {}))
        told = unfold(told)
        told = told.rename({"occurred_at": "told_at", "host": "@host", "tag": "@tag", "problem": "reject"})
        kept = {"year": dict(year)}
    told = told.with_columns(
        message=pl.when(pl.col("reject").is_null()).then("message"),
        reject=pl.when(too_long()).then(pl.lit("too_long")).otherwise("reject"),
    )
    if options.prefix is not None:
        begun = pl.col("message").str.contains(f"^(?:{options.prefix})")
        told = told.with_columns(
            reject=pl.when(pl.col("reject").is_null() & ~begun).then(pl.lit("no_match")).otherwise("reject"),
            message=pl.when(begun).then(pl.col("message").str.replace(f"^(?:{options.prefix})", "")),
        )
    return told, kept


def parsed(
    read: pl.DataFrame, options: GenericOptions, origin: Origin, zone: ZoneInfo, carry: Mapping[str, Any]
) -> Parsed:
    """`read`: position, length, text, reject, skip, forgeable, told_at and a column for each of `options.names`."""
    col = pl.col
    given = {name: _value(name, options) for name in (*options.fields, *options.constant)}
    rows = read.with_columns(
        reject=pl.coalesce("reject", pl.when(col("skip").is_null()).then(_bad(options, given)).otherwise(None)),
        at=_time(options, zone),
    )
    unselected = col("reject").is_null() & col("skip").is_null() & ~_selected(options)
    rows = rows.with_columns(skip=pl.when(unselected).then(pl.lit("not_selected")).otherwise("skip"))
    rows = rows.with_columns(
        reject=pl.when(col("reject").is_null() & col("skip").is_null() & col("at").is_null())
        .then(pl.lit("bad_timestamp"))
        .otherwise(pl.when(col("skip").is_null()).then("reject"))
    )
    events = rows.filter(col("reject").is_null() & col("skip").is_null())
    return settle(
        rows.select("position", "length", "text", "skip", "reject"), _events(events, options, given), origin, carry
    )


def _selected(options: GenericOptions) -> pl.Expr:
    chosen = pl.lit(value=True)
    for name, words in options.where.items():
        chosen = chosen & pl.col(column(name)).is_in(list(words)).fill_null(value=False)
    return chosen


def _value(name: str, options: GenericOptions) -> pl.Expr:
    """Text of one of our columns: its field, or a part of it, translated; else the constant."""
    text = pl.lit(None, pl.String)
    if name in options.fields:
        text = pl.col(column(options.fields[name]))
        if name in options.extract:
            text = text.str.extract(options.extract[name])
        text = text.str.strip_chars() if name != "statement" else text
        text = text.replace("", None)
    if name in WORDS:
        text = _translated(name, text, options.values.get(name, {}))
    if name in options.constant:
        text = pl.coalesce(text, pl.lit(options.constant[name]))
    return text


def _translated(name: str, text: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    """Words of the log to ours, capital letters alike; one of ours stays; any other is DEFAULT."""
    ours = {word: word for word in WORDS[name]} | {
        word.lower(): mine for word, mine in words.items() if word != DEFAULT
    }
    found = text.str.to_lowercase().replace_strict(ours, default=None, return_dtype=pl.String)
    if DEFAULT in words:
        return pl.when(text.is_not_null()).then(found.fill_null(words[DEFAULT]))
    return found


def _bad(options: GenericOptions, given: Mapping[str, pl.Expr]) -> pl.Expr:
    """An action that nobody translated is no event; nothing may be taken for harmless because its word is new."""
    reason = pl.when(given["action"].is_null() & _selected(options)).then(pl.lit("unknown_action"))
    return reason.otherwise(pl.lit(None, pl.String))


def _time(options: GenericOptions, zone: ZoneInfo) -> pl.Expr:
    if "occurred_at" not in options.fields:
        return pl.col("told_at")
    text = pl.col(column(options.fields["occurred_at"]))
    if "occurred_at" in options.extract:
        text = text.str.extract(options.extract["occurred_at"])
    return read_time(text.str.strip_chars(), options.time_format, zone)


def read_time(text: pl.Expr, form: str, zone: ZoneInfo) -> pl.Expr:
    """Text to UTC; null where it is none. `zone` counts where the text tells none."""
    if form in EPOCHS:
        number = text.cast(pl.Float64, strict=False) * EPOCHS[form]
        sound = number.is_finite() & (number > 0) & (number < _LATEST * 1_000_000)
        return pl.when(sound).then(number).otherwise(None).round().cast(pl.Int64, strict=False).cast(UTC)
    if form == "iso8601":
        return in_calendar(_iso(text, zone))
    if "%z" in form or "%:z" in form or "%#z" in form:
        return in_calendar(text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC").cast(UTC))
    return local_time(text, form, zone)


def _iso(text: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    parts = text.str.extract_groups(_ISO).struct
    naive = pl.concat_str(parts.field("day"), pl.lit(" "), parts.field("clock"))
    naive = naive.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    micros = parts.field("fraction").fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    naive += pl.duration(microseconds=micros)
    minutes = parts.field("hours").cast(pl.Int64) * 60 + parts.field("minutes").fill_null("0").cast(pl.Int64)
    minutes = pl.when(parts.field("sign") == "-").then(-minutes).otherwise(minutes)
    utc = parts.field("utc").is_not_null()
    told = (naive - pl.duration(minutes=pl.when(utc).then(0).otherwise(minutes))).dt.replace_time_zone("UTC")
    return pl.when(utc | minutes.is_not_null()).then(told).otherwise(to_utc(naive, zone)).cast(UTC)


def _events(rows: pl.DataFrame, options: GenericOptions, given: Mapping[str, pl.Expr]) -> pl.DataFrame:
    col = pl.col
    plain = {name: value for name, value in given.items() if name not in {"occurred_at", "client_ip", *NUMBERS}}
    numbers = {name: _whole(given[name]) if name in given else pl.lit(None, pl.Int64) for name in ("rows", "bytes")}
    if "duration_seconds" in given:
        plain["duration_seconds"] = (
            given["duration_seconds"].cast(pl.Float64, strict=False) * UNITS[options.duration_unit]
        )
    if "client_ip" in given:
        plain["client_ip"] = _place(given["client_ip"])
    if "command" in given:
        plain["command"] = given["command"].str.to_uppercase()
    if "detail" in given:
        plain["detail"] = given["detail"].str.slice(0, 1000)
    told = rows.select("position", "length", "forgeable", occurred_at="at", **plain, **numbers)
    if "outcome" in told.columns:
        told = told.with_columns(pl.col("outcome").fill_null("unknown"))
    action = col("action")
    follows = pl.when(action == "upload").then(pl.lit("in")).when(action == "download").then(pl.lit("out"))
    direction = pl.coalesce("direction", follows) if "direction" in told.columns else follows
    statement = col("statement").is_not_null() if "statement" in told.columns else pl.lit(value=False)
    return told.with_columns(
        direction=direction,
        dialect=pl.when(statement).then(pl.lit(_UNSAID)),  # the pipeline puts the source's `dialect` in its place
        rows_kind=_kind("rows", action == "query"),
        bytes_kind=_kind("bytes", action.is_in(_TRANSFERS)),
        forgeable=col("forgeable") | pl.lit(options.forgeable),
    )


def _kind(name: str, expected: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null()).then(pl.lit("known")).when(expected).then(pl.lit("unknown"))


def _whole(text: pl.Expr) -> pl.Expr:
    """A count; a negative one is how some logs write that they do not know it."""
    number = pl.coalesce(text.cast(pl.Int64, strict=False), _rounded(text.cast(pl.Float64, strict=False)))
    return pl.when(number >= 0).then(number)


def _rounded(number: pl.Expr) -> pl.Expr:
    return (
        pl.when(number.is_finite() & (number.abs() < 2.0**62)).then(number).otherwise(None).cast(pl.Int64, strict=False)
    )


def _place(text: pl.Expr) -> pl.Expr:
    """An address without its port; the local socket by the name it has here."""
    bare = text.str.replace(r"^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$", "$1").str.replace(
        r"^\[([0-9A-Fa-f:.]+)\]$", "$1"
    )
    return pl.when(text.str.to_lowercase() == "localhost").then(pl.lit("[local]")).otherwise(address(bare))

"""Any log of one JSON object a line; nested values by dotted paths. Nothing of its meaning is known but what the source says.

    sources: {ftp: {format: json_lines, options: {fields: {occurred_at: date_start, path: filename, action: operate, …}}}}

Lines of an array in which each line is an object (`[`, `{…},`, `]`) are read too. JSON: RFC 8259; lines: jsonlines.org.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.decoding import json_text
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.generic import SKIPS, column, messages, parsed
from parsers.generic_guess import mapping
from parsers.generic_options import ENVELOPE_FIELDS, Enveloped
from parsers.json_objects import read_objects
from parsers.registry import Carry, Parsed, parser

_HEAD_LINES = 50
_STRUCTURE = ("[", "]", ",", "")


class JsonLinesOptions(Enveloped):
    """No keys of its own."""


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """A mapping of the fields with well-known names."""
    samples: dict[str, list[str]] = {}
    for line in head.decode("utf-8", "replace").split("\n")[:_HEAD_LINES]:
        try:
            found = json.loads(line.strip().rstrip(","))
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            for name, value in _flat(found):
                samples.setdefault(name, []).append(value)
    proposed = mapping(samples)
    return [proposed] if proposed else []


def _flat(found: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Names and texts of an object, of the objects in it too."""
    for name, value in found.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in _flat(value)) if name.count(".") < 3 else ()
        elif value is not None and not isinstance(value, list):
            yield name, value if isinstance(value, str) else json.dumps(value)


@parser(
    "json_lines",
    reference="RFC 8259 (JSON), one object a line; the fields are named by the source's options",
    framing=lines,
    skips=SKIPS | {"structure": "a line of brackets or commas alone, or an empty one: the array around the records"},
    options=JsonLinesOptions,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: JsonLinesOptions) -> Parsed:
    """Read whole lines.

    `zone` counts for times without one. Rejects: bad_json (no object), too_long, unknown_action, bad_timestamp, and
    no_envelope where the records come in syslog messages.
    """
    if not chunk:
        return Parsed(carry=carry)
    split = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=json_text)
    told, kept = messages(split, options, origin, zone, carry)
    if options.envelope == "syslog":
        told = told.with_columns(
            pl.col("message").str.extract(r"(?s)(\{.*)$").fill_null("").alias("message"),
            pl.col("message").str.extract(r"(?s)^([^{]*)\{").str.strip_chars().alias("@before"),
        )
    else:
        told = told.with_columns(pl.lit(None, pl.String).alias("@before"))
    message = pl.col("message").str.strip_chars(" \t\r\ufeff")
    message = pl.when(message.str.starts_with("{")).then(message.str.strip_suffix(",")).otherwise(message)
    told = told.with_columns(message=message)
    told = told.with_columns(
        skip=pl.when(message.is_in(_STRUCTURE) & pl.lit(options.envelope == "none")).then(pl.lit("structure")),
        forgeable=pl.lit(value=False),
    )
    usable = pl.col("reject").is_null() & pl.col("skip").is_null()
    objects = told.select(pl.when(usable).then("message")).to_series()
    told = told.with_columns(
        *_values(objects, options),
        *(pl.col(name).alias(column(name)) for name in options.names if name in ENVELOPE_FIELDS),
    )
    told = told.with_columns(reject=pl.when(usable & ~pl.col("good")).then(pl.lit("bad_json")).otherwise("reject"))
    return parsed(told, options, origin, zone, {**kept, "unfinished": unfinished(chunk)})


def _values(texts: pl.Series, options: JsonLinesOptions) -> list[pl.Series]:
    """A column for each used field, and whether the text was an object. A key that has a dot in itself comes first."""
    names = [name for name in options.names if name not in ENVELOPE_FIELDS]
    tops = list(dict.fromkeys([*names, *(name.split(".", 1)[0] for name in names)]))
    candidates = (texts.str.starts_with("{") & texts.str.ends_with("}")).fill_null(value=False)
    places = candidates.arg_true()
    read = read_objects(texts.gather(places), dict.fromkeys(tops, pl.String)).with_columns(place=places)
    every = pl.DataFrame({"place": pl.Series(range(len(texts)), dtype=pl.UInt32)})
    found = every.join(read, on="place", how="left", maintain_order="left")
    columns = [found["good_"].fill_null(value=False).alias("good")]
    for name in names:
        value = pl.col(name)
        if "." in name:
            top, rest = name.split(".", 1)
            path = "$" + "".join(f"['{part}']" for part in rest.replace("'", "").split("."))
            value = pl.coalesce(value, pl.col(top).str.json_path_match(path))
        value = value.str.replace_all("\0", "\\x00", literal=True)  # of a lone surrogate the reader makes NUL
        columns.append(found.select(value.alias(column(name))).to_series())
    return columns

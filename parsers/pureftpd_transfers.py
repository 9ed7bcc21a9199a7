"""What the forms of pure-ftpd's AltLog have in common: finished transfers, nothing else.

A line is written when the transfer ends. All forms call a transfer that broke off a success: the number of bytes is
true, that the file is whole is not said.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.decoding import decode
from parsers.events import Origin
from parsers.framing import split_lines, unfinished
from parsers.ftp_acts import account_name, activity_keys, decode_names
from parsers.registry import Carry, Parsed

BLANK_SKIP = "an empty line records nothing"
_DIGITS = 19  # of a number of bytes


def body_lines(chunk: bytes, origin: Origin, carry: Carry) -> pl.DataFrame:
    """Lines with `body`: the text without a carriage return at its end."""
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=decode_names)
    return frame.with_columns(body=pl.col("text").str.strip_suffix("\r"))


def finished(frame: pl.DataFrame, chunk: bytes, origin: Origin, carry: Carry) -> Parsed:
    """Make `Parsed` of lines with host, user, upload (Boolean), bytes (text), path, occurred_at; null: not of the form.

    Optional columns: `session`, `seconds`, `skip`. Reasons of rejects: "too_long", "unknown_form", "bad_timestamp".
    """
    for name, dtype in (("session", pl.String()), ("seconds", pl.Float64()), ("skip", pl.String())):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype).alias(name))
    # a number that fits no Int64 is none that the daemon can have written
    size = pl.when(pl.col("bytes").str.len_bytes() <= _DIGITS).then(pl.col("bytes").cast(pl.Int64, strict=False))
    frame = frame.with_columns(size=size, skip=pl.when(pl.col("body") == "").then(pl.lit("blank")).otherwise("skip"))
    frame = frame.with_columns(
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("skip").is_not_null())
        .then(None)
        .when(pl.col("size").is_null())
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp"))
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    kept = {**carry, "unfinished": unfinished(chunk)} if chunk else dict(carry)
    return settle(frame, _events(told), origin, kept)


def _events(told: pl.DataFrame) -> pl.DataFrame:
    def either(upload: str, download: str) -> pl.Expr:
        return pl.when("upload").then(pl.lit(upload)).otherwise(pl.lit(download))

    events = told.select(
        "position",
        "length",
        "occurred_at",
        "session",
        "path",
        action=either("upload", "download"),
        outcome=pl.lit("ok"),
        account=account_name(pl.col("user").replace("-", None)),
        client_ip=address(pl.col("host").replace("-", None)),
        command=either("STOR", "RETR"),
        direction=either("in", "out"),
        bytes="size",
        bytes_kind=pl.lit("known"),
        duration_seconds="seconds",
    )
    return events.with_columns(activity_keys(events))


def unquoted(paths: pl.Series) -> pl.Series:
    """Undo percent-encoding to bytes, then decode; names without one stay."""
    coded = paths.str.contains("%", literal=True).fill_null(value=False)
    if not coded.any():
        return paths
    plain = [decode(unquote_to_bytes(path), decode_names) for path in paths.filter(coded).to_list()]
    return paths.scatter(coded.arg_true(), pl.Series(plain, dtype=pl.String))

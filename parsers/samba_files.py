"""Which requests belong to one open file of a client, over the ends of chunks.

The log has no handles. A file is told apart by client and path; one opening of it lasts from a `create_file` (or its first
request) to the close that leaves nothing open. Opens by the server itself (listings) are counted so that their closes do
not end it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from parsers.samba_runs import Places, Sorted

MAX_FILES = 4_000  # open files and clients that are remembered; the oldest are forgotten
IDLE = 86_400_000_000  # microseconds without a line about a file after which its opening is over

_CLIENT = ["host", "account", "client_ip", "machine", "share"]
STATE: dict[str, pl.DataType] = {
    "host": pl.String(),
    "account": pl.String(),
    "client_ip": pl.String(),
    "machine": pl.String(),
    "share": pl.String(),
    "path": pl.String(),  # null: what the client opened last, for copies on the server
    "at": pl.Int64(),
    "balance": pl.Int64(),  # opens less closes
    "key": pl.String(),  # of the opening that goes on
    "told_reads": pl.Int64(),
    "told_writes": pl.Int64(),
    "reads": pl.Int64(),  # requests since the last close
    "writes": pl.Int64(),
    "copies": pl.Int64(),
    "read_key": pl.String(),  # keys of those requests
    "write_key": pl.String(),
    "target": pl.String(),
    "source": pl.String(),
}


def fold(rows: pl.DataFrame) -> pl.DataFrame:
    """Add to each row: first (request of its kind in its opening), handle_key, got, put, copies, pending_key (of closes)."""
    col, number = pl.col, pl.col("row").first()
    rows = rows.with_row_index("row").with_columns(
        client=number.over(pl.concat_str([col(name).fill_null("") for name in _CLIENT], separator="\0")),
        leaves=(col("op") == "disconnect").fill_null(value=False),
        renames=(col("op").is_in(["renameat", "rename"]) & col("ok").is_not_null()).fill_null(value=False),
    )
    rows = _copies(rows)
    # a client that disconnects has closed all, whatever names the closes had
    rows = rows.with_columns(file=number.over("client", "stay", col("path").fill_null("")))
    rows = rows.with_columns(_counts())
    return _ways(_openings(rows))


@cache
def _counts() -> list[pl.Expr]:
    """What each row adds to the sums of its file; of what was remembered, the sums so far."""
    kind, past = pl.col("kind"), ~pl.col("fresh")
    request = kind == "request"
    reading = request & (pl.col("action") == "download")
    writing = request & (pl.col("action") == "upload")
    count = pl.col("repeated").fill_null(1)
    own_key = pl.concat_str(pl.lit("smb:"), "host", pl.lit("/"), pl.col("at") // 1_000_000, pl.lit("/"), "position")
    columns = {
        "change": pl.when(past)
        .then("balance")
        .when(kind == "open")
        .then(count)
        .when(kind == "close")
        .then(-count)
        .otherwise(0),
        "told_reads": pl.when(past).then("told_reads").otherwise(reading.cast(pl.Int64)),
        "told_writes": pl.when(past).then("told_writes").otherwise(writing.cast(pl.Int64)),
        "reads": pl.when(past).then("reads").when(reading).then(count).otherwise(0),
        "writes": pl.when(past).then("writes").when(writing).then(count).otherwise(0),
        "copies": pl.when(past).then("copies").when(writing & pl.col("copied")).then(count).otherwise(0),
        "key": pl.when(past).then("key").when(request | (kind == "begin")).then(own_key),
        "reading": reading.fill_null(value=False),
        "writing": writing.fill_null(value=False),
    }
    return [value.alias(name) for name, value in columns.items()]


def _openings(rows: pl.DataFrame) -> pl.DataFrame:
    """Where the openings of each file begin and end, and the sums in them."""
    by_file = Sorted(rows["file"].to_numpy())
    names = ("at", "change", "told_reads", "told_writes", "reads", "writes", "copies", "renames")
    told = {name: by_file.of(rows[name].fill_null(0 if name != "renames" else False).to_numpy()) for name in names}
    begin, close = (by_file.of((rows["kind"] == kind).to_numpy()) for kind in ("begin", "close"))
    files = by_file.runs
    later = np.diff(told["at"], prepend=told["at"][:1]) > IDLE
    # what was open under the old name is closed under the new one
    gap = (later & ~files.opens) | files.before(told["renames"])
    visits = files.divided(gap)
    running = visits.total(told["change"])
    balance = running - np.minimum(visits.lowest(running), 0)
    ends = close & (balance == 0)
    openings = files.divided(begin | files.before(ends) | gap)
    stretches = visits.divided(visits.before(close))
    sums = {
        "balance": balance,
        "told_reads": openings.total(told["told_reads"]),
        "told_writes": openings.total(told["told_writes"]),
        "got": stretches.total(told["reads"]),
        "put": stretches.total(told["writes"]),
        "copies": stretches.total(told["copies"]),
        "ends": ends,
    }
    keyed = by_file.of(rows["key"].is_not_null().to_numpy())
    rows = rows.with_columns(
        *(pl.Series(name, by_file.back(values)) for name, values in sums.items()),
        handle_key=_at(rows["key"], by_file.rows(openings.first(keyed))),
    )
    ways = rows.select(
        read_key=pl.when(~pl.col("fresh")).then("read_key").when("reading").then("handle_key"),
        write_key=pl.when(~pl.col("fresh")).then("write_key").when("writing").then("handle_key"),
    )
    last = (
        _at(way, by_file.rows(stretches.latest(by_file.of(way.is_not_null().to_numpy())))).alias(way.name)
        for way in ways
    )
    return rows.with_columns(last)


def _ways(rows: pl.DataFrame) -> pl.DataFrame:
    reads, writes = pl.col("told_reads") == 1, pl.col("told_writes") == 1
    return rows.with_columns(
        first=pl.when("reading").then(reads).otherwise(writes),
        # of a file both read and written the way of more requests speaks for all
        pending_key=pl.when(pl.col("put") > pl.col("got")).then("write_key").otherwise("read_key"),
    )


def _at(values: pl.Series, places: Places) -> pl.Series:
    """The values of these rows; null where the place is -1."""
    return values.gather(pl.Series(np.maximum(places, 0))).set(pl.Series(places < 0), None)


def _copies(rows: pl.DataFrame) -> pl.DataFrame:
    """A copy on the server has no name: it goes to the file that the client opened last for writing.

    Adds `stay`: the times that the client has gone before, and `stays`: how often it goes in all these rows.
    """
    begin = pl.col("kind").is_in(["begin", "proof"]) & (pl.col("op") == "create_file")
    writes = begin & pl.col("wants_write")
    rows = rows.with_columns(
        target=pl.when(pl.col("fresh")).then(pl.when(writes).then("path")).otherwise("target"),
        source=pl.when(pl.col("fresh"))
        .then(pl.when(begin & ~writes & pl.col("wants_read")).then("path"))
        .otherwise("source"),
    )
    clients = Sorted(rows["client"].to_numpy())
    leaves = clients.of(rows["leaves"].to_numpy())
    gone = clients.runs.total(leaves)
    stay = clients.runs.divided(clients.runs.before(leaves))
    named = {
        name: _at(rows[name], clients.rows(stay.latest(clients.of(rows[name].is_not_null().to_numpy()))))
        for name in ("target", "source")
    }
    return rows.with_columns(
        **named,
        stay=pl.Series(clients.back(gone - leaves)),
        stays=pl.Series(clients.back(gone[clients.runs.ends])),
    ).with_columns(
        path=pl.when((pl.col("kind") == "request") & pl.col("copied"))
        .then(pl.col("target").fill_null(""))
        .otherwise("path")
    )


_COUNTED = pl.col("kind").is_in(["past", "begin", "open", "request", "close"]) | pl.col("renames")


def remember(rows: pl.DataFrame) -> Mapping[str, Any]:
    """Files that are open or whose requests wait for a close, and what each client opened last."""
    if rows.is_empty():
        return {}
    wanted = (*STATE, "row", "client", "file", "kind", "ends", "renames", "got", "put", "handle_key")
    here = rows.filter(pl.col("stay") == pl.col("stays")).select(*wanted)
    files = here.filter(_COUNTED & pl.col("path").is_not_null())
    last = files.unique("file", keep="last").filter(~pl.col("ends") & ~pl.col("renames"))
    closed = pl.col("kind") == "close"
    last = last.with_columns(
        key=pl.col("handle_key"),
        reads=pl.when(closed).then(0).otherwise("got"),
        writes=pl.when(closed).then(0).otherwise("put"),
        copies=pl.when(closed).then(0).otherwise("copies"),
        read_key=pl.when(~closed).then("read_key"),
        write_key=pl.when(~closed).then("write_key"),
        target=pl.lit(None, pl.String),
        source=pl.lit(None, pl.String),
    )
    clients = here.filter(pl.col("target").is_not_null() | pl.col("source").is_not_null())
    clients = clients.unique("client", keep="last")
    nothing = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in STATE.items()
        if name in {"path", "key", "read_key", "write_key"}
    ]
    none = ("balance", "told_reads", "told_writes", "reads", "writes", "copies")
    clients = clients.with_columns(*nothing, *(pl.lit(0, pl.Int64).alias(name) for name in none))
    kept = [frame.sort("row").tail(MAX_FILES).select(*STATE) for frame in (clients, last)]
    return pl.concat([frame.cast(STATE) for frame in kept]).to_dict(as_series=False)  # type: ignore[arg-type]

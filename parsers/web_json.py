r"""An access log of nginx with ``log_format … escape=json``: one JSON object a request, its keys named by the server.

escape=json copies bytes outside ASCII as they came, so a line with a GBK name is no UTF-8 and strictly no JSON: such
lines are read as bytes and each value is decoded by itself. Source: nginx ngx_http_log_module; samples from 1.22.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field

from config.values import Model
from parsers.accounting import settle, too_long
from parsers.decoding import clean, decode
from parsers.events import UTC, Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import in_calendar
from parsers.web_requests import events

SKIPS = {"blank": "an empty line records nothing"}


class Fields(Model):
    """The keys of the log. A key that the log does not have stays as it is."""

    time: str = Field("ts", description="$time_iso8601, $msec or $time_local")
    client: str = Field("ip", description="$remote_addr")
    user: str = Field("user", description="$remote_user")
    method: str = Field("method", description="$request_method")
    uri: str = Field("uri", description="$request_uri (not $uri, which is decoded already)")
    request: str = Field("request", description="$request, read where method and uri are missing")
    status: str = Field("status", description="$status")
    sent: str = Field("sent", description="$body_bytes_sent (or $bytes_sent)")
    received: str = Field("recv", description="$request_length: without it the size of an upload is unknown")
    seconds: str = Field("dur", description="$request_time")
    destination: str = Field("dest", description="$http_destination: without it the target of MOVE and COPY is unknown")
    agent: str = Field("ua", description="$http_user_agent")
    completion: str = Field("completed", description="$request_completion: tells downloads that were cut off")


class Options(Model):
    """How the log names its fields."""

    fields: Fields = Field(Fields(), description="our name of a field: its key in the log")
    assets: tuple[str, ...] = Field(
        (), description="endings of files that make up pages (.css, .js): fetching one is a notice, no download"
    )


_REQUEST = r"^(?<a_method>[A-Za-z][A-Za-z_-]{0,29}) (?<a_uri>(?s:.*?))(?: HTTP/[0-9.]+)?$"
_KNOWN = {  # names in use elsewhere, for `guess`
    "time": ("ts", "time", "time_iso8601", "timestamp", "@timestamp", "time_local", "msec"),
    "client": ("ip", "remote_addr", "client_ip", "clientip", "client", "remote"),
    "user": ("user", "remote_user", "username"),
    "method": ("method", "request_method"),
    "uri": ("uri", "request_uri", "url", "path"),
    "request": ("request",),
    "status": ("status", "response_status", "code"),
    "sent": ("sent", "body_bytes_sent", "bytes_sent", "bytes", "size"),
    "received": ("recv", "request_length", "bytes_received"),
    "seconds": ("dur", "request_time", "responsetime", "duration"),
    "destination": ("dest", "http_destination", "destination"),
    "agent": ("ua", "http_user_agent", "user_agent", "agent"),
    "completion": ("completed", "request_completion", "completion"),
}


def _guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """The keys of the first line, where they have names in use."""
    first = _object(head.split(b"\n", 1)[0][:65536]) or {}
    found = {ours: next((key for key in keys if key in first), None) for ours, keys in _KNOWN.items()}
    if found["time"] is None or found["status"] is None:
        return ({},)
    return ({"fields": {ours: key for ours, key in found.items() if key is not None}}, {})


@parser(
    "web_json",
    reference="nginx ngx_http_log_module, log_format escape=json",
    framing=lines,
    skips=SKIPS,
    options=Options,
    guess=_guess,
)
def parse(
    chunk: bytes,
    origin: Origin,
    zone: ZoneInfo,  # noqa: ARG001 stamps tell theirs
    carry: Carry,
    *,
    options: Options,
) -> Parsed:
    """Read requests. The stamp is the end of the request and tells its zone; `zone` is not used.

    Reasons of rejects: "too_long", "not_json" (no JSON object), "unknown_form" (no time, or no status), "bad_timestamp".
    """
    if not chunk:
        return Parsed(carry=carry)
    names = options.fields.model_dump()
    frame = _read(chunk, origin.position, names, continued=bool(carry.get("unfinished")))
    frame = frame.with_columns(
        occurred_at=_stamp(pl.col("time")),
        status=pl.col("status").str.extract("^([0-9]{3})$").cast(pl.Int64),
    )
    frame = frame.with_columns(skip=pl.when(pl.col("blank")).then(pl.lit("blank")))
    frame = frame.with_columns(
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("blank"))
        .then(None)
        .when(~pl.col("good"))
        .then(pl.lit("not_json"))
        .when(pl.col("status").is_null() | pl.col("time").is_null())
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp"))
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    return settle(frame, events(_columns(told), options.assets), origin, {"unfinished": unfinished(chunk)})


def _read(chunk: bytes, position: int, names: Mapping[str, str], *, continued: bool) -> pl.DataFrame:
    """One row a line: position, length, text, blank, good, and the fields as text."""
    split = split_lines(chunk, position, continued=continued)
    keys = list(dict.fromkeys(names.values()))
    texts = split["text"].str.strip_suffix("\r")
    values = None
    # each line that begins and ends so holds one object at least: as many objects as lines are one a line
    if (texts.str.starts_with("{") & texts.str.ends_with("}")).fill_null(value=False).all() and _is_utf8(chunk):
        values = _objects(texts, keys)
    if values is None:
        values = _some(_as_utf8(chunk, split, position), keys)
    fields = values.select(pl.col(key).alias(f"_{name}") for name, key in names.items())
    fields = fields.rename({f"_{name}": name for name in names})
    return split.with_columns(
        (texts == "").fill_null(value=False).alias("blank"), values["good_"].alias("good")
    ).hstack(fields)


def _is_utf8(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in chunk


def _objects(texts: pl.Series, keys: list[str]) -> pl.DataFrame | None:
    """All at once; None where one is no object. One reader for all, so that a line means the same beside any other."""
    try:
        frame = pl.read_ndjson(str(texts.str.join("\n").item()).encode(), schema=dict.fromkeys(keys, pl.String))
    except pl.exceptions.PolarsError:
        return None
    if frame.height != len(texts):
        return None
    return frame.with_columns(pl.col(pl.String).str.replace_all("\0", "\\x00", literal=True), good_=pl.lit(value=True))


def _some(texts: pl.Series, keys: list[str]) -> pl.DataFrame:
    """What can be read of the texts; null is no object."""
    usable = texts.is_not_null()
    rows = _halved(texts.filter(usable), keys)
    if usable.all():
        return rows
    places = pl.DataFrame({"place": usable.arg_true()}).cast(pl.UInt32)
    every = pl.DataFrame({"place": pl.Series(range(len(texts)), dtype=pl.UInt32)})
    filled = every.join(pl.concat([places, rows], how="horizontal"), on="place", how="left", maintain_order="left")
    return filled.drop("place").with_columns(pl.col("good_").fill_null(value=False))


def _halved(texts: pl.Series, keys: list[str]) -> pl.DataFrame:
    frame = _objects(texts, keys) if len(texts) else None
    if frame is not None:
        return frame
    if len(texts) <= 1:
        nothing = {key: pl.Series([None] * len(texts), dtype=pl.String) for key in keys}
        return pl.DataFrame({**nothing, "good_": pl.Series([False] * len(texts), dtype=pl.Boolean)})
    half = len(texts) // 2
    return pl.concat([_halved(texts[:half], keys), _halved(texts[half:], keys)])


def _as_utf8(chunk: bytes, split: pl.DataFrame, position: int) -> pl.Series:
    """Each line as JSON in UTF-8, null where it is none."""
    starts = (split["position"] - position).to_list()
    texts: list[str | None] = []
    for start, length, text in zip(starts, split["length"].to_list(), split["text"].to_list(), strict=True):
        raw = chunk[start : start + length]
        found = None if text is None else _object(raw)
        told = raw.isascii() and b"\0" not in raw
        texts.append(None if found is None else text.strip() if told else json.dumps(found))
    return pl.Series(texts, dtype=pl.String)


def _object(raw: bytes) -> dict[str, Any] | None:
    """The object of a line with its texts decoded one by one; None: none. Sure against hostile input."""
    try:
        found = json.loads(raw.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return {_plain(key): _plain(value) for key, value in found.items()} if isinstance(found, dict) else None


def _plain(value: Any) -> Any:
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return decode(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a lone surrogate that was written as \ud800
        return clean(value)


def _stamp(time: pl.Expr) -> pl.Expr:
    """$time_iso8601, $msec or $time_local."""
    iso = time.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    local = time.str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", strict=False)
    seconds = time.str.extract(r"^([0-9]{9,11}(?:\.[0-9]{1,6})?)$").cast(pl.Float64)
    epoch = (seconds * 1_000_000).round(0).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    read = pl.coalesce(iso, local, epoch).cast(UTC)
    return in_calendar(read)


def _columns(told: pl.DataFrame) -> pl.DataFrame:
    told = told.with_columns(pl.col("request").str.extract_groups(_REQUEST).alias("g")).unnest("g")
    return told.with_columns(
        pl.col("sent", "received").cast(pl.Int64, strict=False),
        pl.col("seconds").cast(pl.Float64, strict=False),
        client_ip=pl.col("client").replace(["", "-"], None),
        user=pl.col("user").replace("-", None),
        method=pl.coalesce(pl.col("method").replace(["", "-"], None), "a_method"),
        uri=pl.coalesce(pl.col("uri").replace(["", "-"], None), "a_uri"),
        destination=pl.col("destination").replace("-", None),
        agent=pl.col("agent").replace("-", None),
        completion=pl.col("completion").replace("-", ""),
        garbage=pl.col("request"),
    )

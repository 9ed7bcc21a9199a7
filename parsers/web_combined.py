r"""The access log of nginx and Apache in the combined or common form, one request a line.

``[VHOST ]IP - USER [03/Dec/2026:08:05:05 +0800] "REQUEST" STATUS BYTES[ "REFERER" "AGENT"][ more fields]``

Quotes inside a field are escaped by both servers, so fields are counted from quote to quote and no field can imitate
another. Sources: nginx ngx_http_log_module, Apache mod_log_config; samples from nginx 1.22.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field

from config.values import Model
from parsers.accounting import settle, too_long
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import in_calendar
from parsers.web_names import log_text, log_url_text
from parsers.web_requests import events

SKIPS = {"blank": "an empty line records nothing"}
Trailing = Literal["request_length", "request_time", "destination", "request_completion", "other"]


class Options(Model):
    """What the log holds beyond the combined form."""

    trailing: tuple[Trailing, ...] = Field(
        (), description="fields behind the last one of the combined form, in their order; `other` is passed over"
    )
    assets: tuple[str, ...] = Field(
        (), description="endings of files that make up pages (.css, .js): fetching one is a notice, no download"
    )


_QUOTED = r'(?:[^"\\]|\\.)*'
# The name of a user may hold blanks and brackets, but no quote: the stamp is what stands before the first one.
_HEAD = (
    r"^(?:(?<vhost>[^ \"]+) )??(?<client_ip>[0-9A-Za-z:\[][^ \"]*) - (?<user>\"\"|(?:[^\"\\]|\\.)*) "
    r"\[(?<stamp>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] "
    rf'"(?<request>{_QUOTED})" (?<status>[0-9]{{3}}) (?<sent>[0-9]+|-)'
    rf'(?: "{_QUOTED}" "(?<agent>{_QUOTED})")?'
)
_ANYTHING = rf'(?: (?:"{_QUOTED}"|[^ "]+))*$'
_REQUEST = r"^(?<method>[A-Za-z][A-Za-z_-]{0,29}) (?<uri>(?s:.*?))(?: HTTP/[0-9.]+)?$"


def _guess(head: bytes) -> Iterable[Mapping[str, Any]]:  # noqa: ARG001 what more fields mean the log does not say
    return ({},)


@parser(
    "web_combined",
    reference="nginx ngx_http_log_module, combined; Apache mod_log_config, combined and common",
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
    """Read requests. Stamps tell their zone; `zone` is not used. The stamp is the end of the request.

    The length of an answer is no length of an upload: unless `trailing` names `request_length`, it is unknown.
    Reasons of rejects: "too_long", "unknown_form", "bad_timestamp".
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    frame = frame.with_columns(body=pl.col("text").str.strip_suffix("\r"))
    frame = frame.with_columns(pl.col("body").str.extract_groups(_pattern(options.trailing)).alias("g")).unnest("g")
    occurred_at = in_calendar(pl.col("stamp").str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", strict=False))
    blank = pl.col("body") == ""
    frame = frame.with_columns(
        occurred_at=occurred_at.dt.convert_time_zone("UTC"),
        skip=pl.when(blank).then(pl.lit("blank")),
    )
    # only a GET of HTTP/0.9 has no version: FTP servers write logs of this form too, with other meanings
    foreign = (
        pl.col("status").str.contains("^[23]")
        & ~pl.col("request").str.contains(" HTTP/[0-9]")
        & pl.col("request").str.contains("^[A-Z]+ ")
        & ~pl.col("request").str.starts_with("GET ")
    )
    frame = frame.with_columns(
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(blank)
        .then(None)
        .when(pl.col("status").is_null() | foreign.fill_null(value=False))
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp"))
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    remembered = {"unfinished": unfinished(chunk)} if chunk else dict(carry)
    return settle(frame, events(_columns(told, options.trailing), options.assets, log_url_text), origin, remembered)


def _pattern(trailing: tuple[str, ...]) -> str:
    named = "".join(
        rf' (?<t{index}>"{_QUOTED}"|[^ "]+)' if name != "other" else rf' (?:"{_QUOTED}"|[^ "]+)'
        for index, name in enumerate(trailing)
    )
    return _HEAD + (f"(?:{named})?" if named else "") + _ANYTHING


def _columns(told: pl.DataFrame, trailing: tuple[str, ...]) -> pl.DataFrame:
    more: dict[str, pl.Expr] = {name: pl.lit(None, pl.String) for name in get_args(Trailing)}
    more |= {name: pl.col(f"t{index}") for index, name in enumerate(trailing) if name != "other"}
    for name, value in more.items():
        more[name] = value.str.strip_prefix('"').str.strip_suffix('"').replace("-", None)
    told = told.with_columns(pl.col("request").str.extract_groups(_REQUEST).alias("g")).unnest("g")
    told = told.with_columns(
        pl.col("status", "sent").cast(pl.Int64, strict=False),
        user=pl.col("user").replace(["-", '""'], None),
        received=more["request_length"].cast(pl.Int64, strict=False),
        seconds=more["request_time"].cast(pl.Float64, strict=False),
        destination=more["destination"],
        completion=_completion(trailing),
        agent=pl.col("agent").replace("-", None),
        garbage=pl.col("request"),
    )
    return told.with_columns(log_text(told["user"]), log_text(told["agent"]))


def _completion(trailing: tuple[str, ...]) -> pl.Expr:
    """Nginx writes an empty variable as a dash: the request was cut off."""
    if "request_completion" not in trailing:
        return pl.lit(None, pl.String)
    return pl.col(f"t{trailing.index('request_completion')}").replace(["-", '"-"', '""'], "")

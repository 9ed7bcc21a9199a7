"""What a request to a web or WebDAV server did, whichever log tells it.

Sources: RFC 9110 (methods, status codes), RFC 4918 (WebDAV), nginx's ngx_http_core_module (variables).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from xxhash import xxh3_64_hexdigest

from parsers.accounting import address
from parsers.web_names import url_text

# method -> action where it succeeds or is refused; GET and POST are judged by more than the method
ACTIONS = {
    "PUT": "upload", "PATCH": "upload", "DELETE": "delete", "MOVE": "rename",
    "COPY": "rename",  # the content gets a second name: what a disguise needs
    "MKCOL": "mkdir", "PROPFIND": "list", "REPORT": "list", "SEARCH": "list",
}  # fmt: skip
LARGE = 1 << 20  # bytes from which a POST is taken for a transfer: no form is so long, no page and no listing either
_LISTS = ("PROPFIND", "REPORT", "SEARCH")  # of large folders; their answers name files and hold none
_CUT = (400, 408, 499)  # a PUT whose body ended early; a client that went
_DETAIL = 200  # characters
_KEY_PATH = 160
_AGENT = 300


def events(
    told: pl.DataFrame, assets: tuple[str, ...], plain: Callable[[pl.Series], pl.Series] = url_text
) -> pl.DataFrame:
    """Columns of EVENTS from position, length, occurred_at and what a log tells of a request.

    Texts: client_ip, user, method, uri as the log has it (null: no request), destination, agent, completion ("OK", ""
    for a request cut off, null: not told), garbage (what came instead of a request). Numbers: status, sent (bytes of
    the answer's body), received (bytes of the request with its head), seconds.

    `assets`: endings of files that make up pages; fetching one is a notice. `plain` undoes the escapes of a URL.
    """
    told = told.with_columns(
        pl.col("user").replace("", None),
        pl.col("method").str.to_uppercase(),
        uri=_without_host(pl.col("uri")),
        destination=_without_host(pl.col("destination").replace("", None)),
    )
    told = told.with_columns(
        path=pl.col("uri").str.extract(r"^([^?]*)"),
        query=pl.col("uri").str.extract(r"^[^?]*\?(.*)$"),
        path2=pl.col("destination").str.extract(r"^([^?]*)"),
    )
    names = [plain(told[name]) for name in ("path", "path2", "query")]
    return _acts(told.with_columns(names), assets)


def _without_host(url: pl.Expr) -> pl.Expr:
    return url.str.replace(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*", "")


def _acts(told: pl.DataFrame, assets: tuple[str, ...]) -> pl.DataFrame:
    status, method, sent, received = (pl.col(name) for name in ("status", "method", "sent", "received"))
    refused = status.is_in([401, 407])
    no_request = method.is_null() | pl.col("path").is_null()
    told = told.with_columns(
        broken=(pl.col("completion") == "").fill_null(value=False),
        action=pl.when(no_request)
        .then(pl.lit("notice"))
        .when(refused)
        # a client that waits to be asked for a name is sent a 401 first: that is no failed login
        .then(pl.when(pl.col("user").is_not_null()).then(pl.lit("login")).otherwise(pl.lit("notice")))
        .when(status.is_between(300, 399))
        .then(pl.lit("notice"))
        .when(method == "GET")
        .then(_fetched(assets))
        .when((method == "POST") & (received >= LARGE) & (received > sent))
        .then(pl.lit("upload"))
        # programs behind a server answer an export to other methods too, or to one that nobody knows
        .when((sent >= LARGE) & ~method.is_in(_LISTS) & (method != "HEAD"))
        .then(pl.lit("download"))
        .otherwise(method.replace_strict(ACTIONS, default="notice", return_dtype=pl.String)),
    )
    down, up = pl.col("action") == "download", pl.col("action") == "upload"
    well = status.is_between(200, 299)
    stopped = (down & (pl.col("broken") | (status == 499))) | (up & status.is_in(_CUT))
    told = told.with_columns(
        stopped=stopped,
        outcome=pl.when(stopped)
        .then(pl.lit("failed"))
        # the answer to a delete or a move of a folder that worked in part
        .when((status == 207) & pl.col("action").is_in(["delete", "rename"]))
        .then(pl.lit("unknown"))
        .when(well)
        .then(pl.lit("ok"))
        .when((refused & pl.col("user").is_null()) | (status < 400))
        .then(pl.lit("unknown"))
        .otherwise(pl.lit("failed")),
    )
    moved = (down | up) & (well | stopped)
    return told.select(
        "position",
        "length",
        "occurred_at",
        "action",
        "outcome",
        "path2",
        path=pl.when(~no_request).then("path"),
        record_role=pl.lit("main"),
        activity_key=pl.when(~no_request).then(_key()),
        error_code=pl.when("stopped")
        .then(pl.lit("aborted"))
        .when(pl.col("outcome") != "ok")
        .then(status.cast(pl.String)),
        account=pl.col("user"),
        client_ip=address(pl.col("client_ip")),
        client_program=pl.col("agent").replace("", None).str.slice(0, _AGENT),
        command=method,
        duration_seconds=pl.col("seconds"),
        direction=pl.col("action").replace_strict(
            {"upload": "in", "download": "out"}, default=None, return_dtype=pl.String
        ),
        bytes=pl.when(moved & down).then(sent).when(moved & up).then(received),
        # of a download that broke not all may have arrived; the length of a request counts its head too
        bytes_kind=pl.when(moved & down & sent.is_not_null())
        .then(pl.when("stopped").then(pl.lit("estimated")).otherwise(pl.lit("known")))
        .when(moved & up & received.is_not_null())
        .then(pl.lit("estimated"))
        .when(moved)
        .then(pl.lit("unknown")),
        detail=pl.when(no_request).then("garbage").otherwise("query").str.slice(0, _DETAIL),
    )


def _fetched(assets: tuple[str, ...]) -> pl.Expr:
    """What a GET is: a name that ends in a slash is a folder."""
    # a name such as /export.php/ or /export.php/x.css reaches the same program: what is large is a download
    path, small = pl.col("path"), ~(pl.col("sent") >= LARGE).fill_null(value=False)
    folder = path.str.ends_with("/") & pl.col("query").is_null() & small
    page = pl.lit(value=False)
    for ending in assets:
        page = page | path.str.to_lowercase().str.ends_with(ending.lower())
    return pl.when(folder).then(pl.lit("list")).when(page & small).then(pl.lit("notice")).otherwise(pl.lit("download"))


def _key() -> pl.Expr:
    """What the combined and the JSON log of one server both tell of a request, bounded in size."""
    return pl.concat_str(
        pl.lit("web"),
        pl.col("occurred_at").dt.epoch("s"),
        address(pl.col("client_ip")).fill_null(""),
        pl.col("user").fill_null("").str.slice(0, 60),
        pl.col("method").str.slice(0, 20),
        pl.col("status"),
        pl.col("sent").fill_null(0),
        pl.col("path").str.slice(0, _KEY_PATH),
        # two requests of one second and size must not pass for one because their long names begin alike
        pl.when(pl.col("path").str.len_chars() > _KEY_PATH).then("path").map_batches(_digests, return_dtype=pl.String),
        pl.lit("?") + pl.col("query").map_batches(_digests, return_dtype=pl.String),
        separator="|",
        ignore_nulls=True,
    )


def _digests(texts: pl.Series) -> pl.Series:
    different = texts.drop_nulls().unique()
    if different.is_empty():
        return texts
    digests = pl.Series([xxh3_64_hexdigest(text.encode()) for text in different], dtype=pl.String)
    return texts.replace_strict(different, digests, default=None, return_dtype=pl.String)

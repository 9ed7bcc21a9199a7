"""Single requests of SMB clients, folded: the first read of an open file is the download, its close tells how much.

The server itself opens and closes every file of a folder for a listing: opens prove nothing, requests do. Source:
vfs_full_audit.c and smb2_*.c of Samba 4.17; access masks: MS-SMB2 2.2.13.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from parsers.samba_files import STATE, fold, remember

SKIPS = {
    "opened": "the server opens a file or folder, as it does with every entry of a listing, or a client only its attributes",
    "closed": "a file is closed of which nothing was read or written since it was opened",
    "probe": "the server looks whether a name exists (8.3 names, new files) and finds nothing or another kind of thing",
    "request": "a read or write of a file whose open has been told (transfers_from is not requests)",
    "copy_source": "a server-side copy asks for its source; the copy is told by its writes",
    "other_request": "stat, extended attributes, locks and the like: nothing is carried off or changed",
}
READS = ["pread_send", "pread", "read", "sendfile"]
WRITES = ["pwrite_send", "pwrite", "write", "recvfile"]
COPY = "offload_write_send"  # copy on the server, without a name
OPENS = ["openat", "open"]
TWO_NAMES = ["renameat", "rename", "linkat", "link", "symlinkat", "symlink"]
ACTS = {
    "connect": "login", "disconnect": "logout", "unlinkat": "delete", "unlink": "delete", "rmdir": "rmdir",
    "renameat": "rename", "rename": "rename", "mkdirat": "mkdir", "mkdir": "mkdir", "linkat": "link", "link": "link",
    "symlinkat": "link", "symlink": "link", "fchmod": "chmod", "chmod": "chmod", "fchown": "chmod", "lchown": "chmod",
    "fset_nt_acl": "chmod", "opendir": "list", "ftruncate": "notice",
}  # fmt: skip
# reasons of an openat that mean that a name is free, or names another kind of thing
LOOKUPS = ["No such file or directory", "Is a directory", "Not a directory", "File exists", "Too many levels of symbolic links"]  # fmt: skip
_READ, _WRITE, _DELETE = 0x1 | 0x80000000 | 0x10000000 | 0x02000000, 0x2 | 0x4 | 0x40000000, 0x10000
CREATE = r"(?s)^(?<mask>0x[0-9a-fA-F]{1,8})\|(?<type>[a-z]+)\|(?<disposition>[a-z_]+)\|(?<create_path>.*)$"
OPEN = r"(?s)^(?<mode>[rw]+)\|(?<open_path>.*)$"
NEW = ["create", "overwrite", "overwrite_if", "supersede"]
State = Mapping[str, Any]


def read(
    lines: pl.DataFrame, state: State, *, proof: str, request_bytes: int
) -> tuple[pl.DataFrame, pl.DataFrame, State]:
    """Read requests in the order of the file. Returns columns of EVENTS; (position, skip) of the others; the new state.

    Columns: position, length, occurred_at, host, account, client_ip, machine, share, session, op, ok, reason, args, repeated.
    """
    rows = _kinds(_arguments(lines), proof)
    past = pl.DataFrame({name: state.get(name, []) for name in STATE}, schema=STATE)
    rows = pl.concat([past.with_columns(kind=pl.lit("past"), fresh=pl.lit(value=False)), rows], how="diagonal")
    rows = fold(rows)
    fresh = rows.filter("fresh").with_columns(skip=_skip(proof))
    events = _events(fresh.filter(pl.col("skip").is_null()), request_bytes)
    return events, fresh.filter(pl.col("skip").is_not_null()).select("position", "skip"), remember(rows)


def _arguments(lines: pl.DataFrame) -> pl.DataFrame:
    """What stands behind the result, by request: names are never escaped, the other arguments come first."""
    op, args = pl.col("op"), pl.col("args")
    created = pl.when(op == "create_file").then(args).str.extract_groups(CREATE).alias("c")
    opened = pl.when(op.is_in(OPENS)).then(args).str.extract_groups(OPEN).alias("o")
    two = pl.when(op.is_in(TWO_NAMES)).then(args)
    # absolute names part where the next one begins; others at the first |
    absolute = two.str.contains(r"(?s)^/.*\|/")
    names = (
        pl.when(absolute)
        .then(two.str.extract_groups(r"(?s)^(?<old>/.*?)\|(?<new>/.*)$"))
        .otherwise(two.str.extract_groups(r"(?s)^(?<old>[^|]*)\|(?<new>.*)$"))
    )
    doubtful = pl.when(absolute).then(two.str.count_matches(r"\|/") > 1).otherwise(two.str.count_matches(r"\|") > 1)
    frame = lines.with_columns(created, opened, names.alias("n"), forgeable=doubtful.fill_null(value=False))
    frame = frame.unnest("c", "o", "n")
    mask = pl.col("mask").str.slice(2).str.to_integer(base=16, strict=False, dtype=pl.Int64).fill_null(0)
    plain = pl.when(op.is_in(["fchmod", "chmod", "fchown", "lchown"])).then(args.str.replace(r"(?:\|[0-9]+)+$", ""))
    return frame.with_columns(
        path=pl.when(op.is_in(["connect", "disconnect", COPY, "offload_read_send"]))
        .then(None)
        .otherwise(pl.coalesce("create_path", "open_path", "old", plain, args)),
        path2=pl.col("new"),
        wants_read=(mask & _READ) != 0,
        wants_write=(mask & _WRITE) != 0,
        wants_only_delete=((mask & (_READ | _WRITE)) == 0) & ((mask & _DELETE) != 0),
        told_share=pl.coalesce("share", pl.when(op.is_in(["connect", "disconnect"])).then(args)),
    )


def _kinds(rows: pl.DataFrame, proof: str) -> pl.DataFrame:
    op, ok = pl.col("op"), pl.col("ok").is_not_null()
    file, new = pl.col("type") == "file", pl.col("disposition").is_in(NEW)
    proves = {
        "requests": pl.lit(value=False),
        "create_file": (op == "create_file") & ok & file & (pl.col("wants_read") | pl.col("wants_write")),
        "openat": op.is_in(OPENS) & ok,
    }[proof]
    moves = op.is_in([*READS, *WRITES, COPY])
    kind = (
        pl.when(proves)
        .then(pl.lit("proof"))
        .when(moves & ok)
        .then(pl.lit("request"))
        .when(op == "close")
        .then(pl.lit("close"))
        .when((op == "create_file") & ok & file)
        .then(pl.lit("begin"))
        .when((op == "create_file") & ok & (pl.col("type") == "dir") & pl.col("wants_read") & ~new)
        .then(pl.lit("act"))
        .when((op == "create_file") & ok)
        .then(pl.lit("opened"))
        .when(op.is_in(OPENS) & ok)
        .then(pl.lit("open"))
        .when(op.is_in(OPENS) & pl.col("reason").is_in(LOOKUPS))
        .then(pl.lit("probe"))
        .when(op.is_in([*ACTS, *OPENS, "create_file"]) | moves)
        .then(pl.lit("act"))
        .when(op == "offload_read_send")
        .then(pl.lit("copy_source"))
        .otherwise(pl.lit("other"))
    )
    # the folder itself, asked for by the server to list it
    folder_open = op.is_in(OPENS) & pl.col("open_path").str.ends_with("/")
    # what an open is for: a new file is written; one opened for both may be read
    opened_for = (
        pl.when((op == "create_file") & pl.col("wants_only_delete"))
        .then(pl.lit("delete"))
        .when(new | (pl.col("mode") == "w") | (pl.col("wants_write") & ~pl.col("wants_read")))
        .then(pl.lit("upload"))
        .otherwise(pl.lit("download"))
    )
    folder = pl.when(new).then(pl.lit("mkdir")).otherwise(pl.lit("list"))
    action = (
        pl.when(op.is_in(READS))
        .then(pl.lit("download"))
        .when(op.is_in([*WRITES, COPY]))
        .then(pl.lit("upload"))
        .when((op == "create_file") & (pl.col("type") == "dir"))
        .then(folder)
        .when(folder_open)
        .then(pl.lit("list"))
        .when(op.is_in([*OPENS, "create_file"]))
        .then(opened_for)
        .otherwise(op.replace_strict(ACTS, default="notice", return_dtype=pl.String))
    )
    return rows.with_columns(
        kind=kind,
        action=action,
        fresh=pl.lit(value=True),
        copied=op == COPY,
        at=pl.col("occurred_at").dt.epoch("us"),
    )


def _skip(proof: str) -> pl.Expr:
    kind = pl.col("kind")
    if proof == "requests":
        telling = (kind == "close") & (pl.col("got") + pl.col("put") > 0)
        requests: pl.Expr = pl.lit(value=False)
    else:
        telling, requests = pl.lit(value=False), kind == "request"
    return (
        pl.when(kind.is_in(["open", "opened"]) | ((kind == "begin") & ~(pl.col("wants_read") | pl.col("wants_write"))))
        .then(pl.lit("opened"))
        .when((kind == "close") & ~telling)
        .then(pl.lit("closed"))
        .when(requests)
        .then(pl.lit("request"))
        .when(kind.is_in(["probe", "copy_source"]))
        .then(kind)
        .when(kind == "other")
        .then(pl.lit("other_request"))
    )


def _events(told: pl.DataFrame, request_bytes: int) -> pl.DataFrame:
    kind, ok = pl.col("kind"), pl.col("ok").is_not_null()
    request, close, proof, begin = kind == "request", kind == "close", kind == "proof", kind == "begin"
    # a file both read and written through one open: the way of more requests names all of them
    way = pl.when(pl.col("put") > pl.col("got")).then(pl.lit("upload")).otherwise(pl.lit("download"))
    told = told.with_columns(action=pl.when(close).then(way).otherwise("action"))
    action = pl.col("action")
    transfer = action.is_in(["upload", "download"])
    only_copied = pl.when(close).then(pl.col("copies") == pl.col("got") + pl.col("put")).otherwise(pl.col("copied"))
    key = pl.when(close).then("pending_key").when(request | begin).then("handle_key")
    detail = (
        pl.when(request & pl.col("copied"))
        .then(pl.lit("copied on the server from ") + pl.col("source").fill_null("?").str.slice(0, 200))
        .when(close)
        .then(pl.format("{} read, {} write requests", "got", "put"))
        .when((kind == "act") & ok & pl.col("machine").is_not_null() & action.is_in(["login", "logout"]))
        .then(pl.lit("machine ") + pl.col("machine"))
        .when(pl.col("op") == "create_file")
        .then(pl.concat_str("mask", pl.lit(" "), "disposition"))
    )
    return told.select(
        "position",
        "length",
        "occurred_at",
        "action",
        "account",
        "client_ip",
        "session",
        "path2",
        "forgeable",
        path=pl.col("path").replace("", None),
        detail=detail,
        record_role=pl.when(close)
        .then(pl.lit("outcome"))
        .when((request & ~pl.col("first")) | begin | (action == "notice"))
        .then(pl.lit("part"))
        .otherwise(pl.lit("main")),
        activity_key=pl.concat_str(
            key, pl.lit("/"), pl.when(action == "upload").then(pl.lit("w")).otherwise(pl.lit("r"))
        ),
        outcome=pl.when(ok).then(pl.lit("ok")).otherwise(pl.lit("failed")),
        error_code=pl.col("reason").str.slice(0, 60),
        command=pl.col("op").str.to_uppercase(),
        object_type=pl.when(pl.col("told_share").is_not_null()).then(pl.lit("SHARE")),
        object_name=pl.col("told_share"),
        direction=pl.when(transfer & ~only_copied.fill_null(value=False)).then(
            pl.when(action == "upload").then(pl.lit("in")).otherwise(pl.lit("out"))
        ),
        bytes=pl.when(close).then((pl.col("got") + pl.col("put")) * request_bytes),
        bytes_kind=pl.when(close).then(pl.lit("estimated")).when((request | proof) & transfer).then(pl.lit("unknown")),
    )

"""The log of auditd: watched files, commands, logins, changes of accounts, as records that share a serial number.

An act of the kernel is a SYSCALL record and, after it, EXECVE, CWD, PATH for each name, PROCTITLE; records of other acts
may stand between. Account and result stand in the first, the name in the last PATH: that one stands for the act. See
`linux_audit_records` for fields and sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.linux_audit_records import (
    CALLS,
    HEAD,
    PARTS,
    STEPS,
    SYSTEM,
    UNSET,
    USER_TYPES,
    call,
    error,
    field,
    last_field,
    opens_for_writing,
    plain,
)
from parsers.registry import Carry, Parsed, parser
from parsers.remembering import forgotten

SKIPS = {
    "blank": "an empty line records nothing",
    "end_of_event": "says that no more records of an act will come",
    "pam_step": "a step of a login or sudo; the login, the command and failures have records of their own",
    "system": "services that start, boots, keys of encrypted connections, filters: no act of a user",
}
MAX_ACTS = 2_000  # acts whose records may mix
_REMOVABLE = r"^(?:/run)?/media/|^/mnt/"
_DETAIL = 1_000

# What later records of an act need of the earlier ones
STATE: dict[str, pl.DataType] = {
    "id": pl.String(),
    "account": pl.String(),
    "doing": pl.String(),
    "call": pl.String(),
    "ended": pl.String(),
    "error": pl.String(),
    "items": pl.Int64(),
    "session_": pl.String(),
    "exe": pl.String(),
    "rule": pl.String(),
    "cwd": pl.String(),
    "argv": pl.String(),
    "first_name": pl.String(),
    "old_name": pl.String(),
    "new_name": pl.String(),
}


@parser("linux_auditd", reference="audit(8), auditd.conf(5); Linux kernel/audit.c", framing=lines, skips=SKIPS)
def parse(
    chunk: bytes,
    origin: Origin,
    zone: ZoneInfo,  # noqa: ARG001 stamps are seconds of UTC
    carry: Carry,
) -> Parsed:
    """Read acts on watched files, commands, logins. Stamps are seconds of UTC; `zone` is not used.

    Reasons of rejects: "too_long", "unknown_form".
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    # enriched records: the kernel's fields, a group separator, then names of what they number
    frame = frame.with_columns(body=pl.col("text").str.strip_suffix("\r").str.replace("\x1d", " ", literal=True))
    frame = frame.with_columns(pl.col("body").str.extract_groups(HEAD).alias("g")).unnest("g")
    blank = (pl.col("body") == "").fill_null(value=False)
    kind = pl.col("type")
    skip = (
        pl.when(kind == "EOE")
        .then(pl.lit("end_of_event"))
        .when(kind.is_in(STEPS) & ~pl.col("rest").str.contains("res=(?:failed|0)"))
        .then(pl.lit("pam_step"))
        .when(kind.is_in(SYSTEM))
        .then(pl.lit("system"))
    )
    frame = frame.with_columns(
        reject=pl.when(too_long()).then(pl.lit("too_long")).when(kind.is_null() & ~blank).then(pl.lit("unknown_form")),
        skip=pl.when(blank).then(pl.lit("blank")).otherwise(skip),
        occurred_at=(pl.col("epoch").cast(pl.Int64) * 1_000_000 + pl.col("millis").cast(pl.Int64) * 1_000)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC"),
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    rows, acts = _in_acts(_take_apart(told), carry.get("acts", {}))
    remembered = {"acts": acts, "unfinished": unfinished(chunk)} if chunk else dict(carry)
    return settle(frame, _events(rows), origin, remembered)


def _take_apart(told: pl.DataFrame) -> pl.DataFrame:
    kernel = pl.col("type").is_in(["SYSCALL", *PARTS])
    told = told.with_columns(
        # what a program says stands in msg='…'; the kernel's records have no such field, but names may look like it
        rest=pl.when(kernel).then("rest").otherwise(pl.col("rest").str.replace(" msg='", " ", literal=True)),
        id=pl.concat_str(pl.col("node").fill_null(""), "epoch", "millis", "serial", separator="|"),
        call=pl.when(pl.col("type") == "SYSCALL").then(call()),
    )
    told = told.with_columns(
        auid=field("auid"),
        auid_name=field("AUID"),
        uid=field("uid"),
        uid_name=field("UID"),
        id_=field("id"),
        id_name=field("ID"),
        acct=field("acct"),
        exe=field("exe"),
        rule=field("key"),
        cwd_=field("cwd"),
        cmd=field("cmd|proctitle"),
        name=pl.when(pl.col("type") == "PATH").then(field("name")),
        nametype=pl.when(pl.col("type") == "PATH").then(field("nametype")),
        item=pl.when(pl.col("type") == "PATH").then(field("item")).cast(pl.Int64, strict=False),
        items=pl.when(pl.col("type") == "SYSCALL").then(field("items")).cast(pl.Int64, strict=False),
        session_=field("ses"),
        ended=pl.when(pl.col("type") == "SYSCALL").then(field("success")),
        result=last_field("res"),
        error=pl.when(pl.col("type") == "SYSCALL").then(error()),
        address=field("addr"),
        writes=pl.when(pl.col("call").is_in(["open", "openat"])).then(opens_for_writing()),
        argv=_arguments(told),
    )
    told = told.with_columns(
        plain(told[name]) for name in ("auid_name", "uid_name", "id_name", "acct", "exe", "rule", "cwd_", "cmd", "name")
    )
    return told.with_columns(account=_account(), doing=_doing(), cwd=pl.when(pl.col("type") == "CWD").then("cwd_"))


def _arguments(told: pl.DataFrame) -> pl.Series:
    """Words of an EXECVE record; the first sixteen that stand whole in it."""
    nothing = pl.Series("argv", [None] * told.height, dtype=pl.String)
    of = told.select(pl.col("type") == "EXECVE").to_series()
    if not of.any():
        return nothing
    some = told.filter(of)
    words = [plain(some.select(field(f"a{number}").alias("word")).to_series()) for number in range(16)]
    joined = pl.select(pl.concat_str([pl.lit(word) for word in words], separator=" ", ignore_nulls=True)).to_series()
    return nothing.scatter(of.arg_true(), joined.str.slice(0, _DETAIL))


def _account() -> pl.Expr:
    """The user who logged in (it stays through su and sudo), else the one the process runs as, never a target."""

    def named(name: str, number: str) -> pl.Expr:
        known = ~pl.col(number).is_in(UNSET)
        text = pl.col(name).replace(UNSET, None)
        return pl.when(known).then(pl.coalesce(text, pl.lit("uid:") + pl.col(number)))

    login = pl.col("type").is_in(["USER_LOGIN", "USER_AUTH", "USER_LOGOUT", "USER_END", "USER_ERR", *STEPS])
    number = named("uid_name", "uid")
    return (
        pl.when(login)
        .then(pl.coalesce("acct", named("auid_name", "auid"), named("id_name", "id_")))
        .otherwise(pl.coalesce(named("auid_name", "auid"), number))
    )


def _doing() -> pl.Expr:
    opened = pl.when(pl.col("writes")).then(pl.lit("write")).otherwise(pl.lit("read"))
    of_call = (
        pl.when(pl.col("call").is_in(["open", "openat", "openat2"]))
        .then(opened)
        .otherwise(pl.col("call").replace_strict(CALLS, default="notice", return_dtype=pl.String))
    )
    return pl.when(pl.col("type") == "SYSCALL").then(of_call)


def _in_acts(rows: pl.DataFrame, state: Mapping[str, Any]) -> tuple[pl.DataFrame, Mapping[str, Any]]:
    """Give each record what the earlier ones of its act told; past acts are put in front again."""
    name = pl.col("name")
    kind = pl.col("nametype")
    rows = rows.with_columns(
        first_name=pl.when(kind.is_not_null() & (kind != "PARENT")).then("name"),
        old_name=pl.when(kind == "DELETE").then(name),
        new_name=pl.when(kind == "CREATE").then(name),
        fresh=pl.lit(value=True),
    )
    past = pl.DataFrame({column: state.get(column, []) for column in STATE}, schema=STATE)
    rows = pl.concat([past.with_columns(fresh=pl.lit(value=False)), rows], how="diagonal").with_row_index("row")
    # only the kernel tells an act in several records
    of_kernel = ~pl.col("fresh") | pl.col("type").is_in(["SYSCALL", *PARTS])
    several = rows.select(of_kernel=of_kernel)["of_kernel"]
    lost = pl.Series([False]).new_from_index(0, rows.height)
    lost = lost.scatter(several.arg_true(), forgotten(rows.filter(several), ["id"], MAX_ACTS))
    rows = rows.with_columns(several=several, lost=lost)
    rows = rows.with_columns(
        act=pl.concat_str(
            "id",
            pl.lit(" "),
            pl.when("several").then(pl.col("lost").cum_sum().over("id")).otherwise(-1 - pl.col("row").cast(pl.Int64)),
        )
    )
    told_once = ["account", "doing", "call", "ended", "error", "items", "session_", "exe", "rule"]
    rows = rows.with_columns(
        *(pl.col(column).forward_fill().over("act") for column in (*told_once, "cwd", "argv", "old_name", "new_name")),
        first_name=pl.when(pl.col("first_name").is_not_null().cum_max().over("act")).then(
            pl.col("first_name").drop_nulls().first().over("act")
        ),
    )
    last = rows.filter("several").group_by("id").agg(pl.all().last()).sort("row").tail(MAX_ACTS)
    return rows.filter("fresh"), last.select(*STATE).to_dict(as_series=False)


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    kind, doing = pl.col("type"), pl.col("doing")
    of_call = kind.is_in(["SYSCALL", *PARTS])
    stands = (
        pl.when(kind == "SYSCALL")
        .then(pl.col("items").fill_null(0) == 0)
        .otherwise((kind == "PATH") & (pl.col("item") == pl.col("items") - 1))
    )
    stands = (stands & doing.is_not_null()).fill_null(value=False)
    path, path2 = _paths()
    rows = rows.with_columns(
        stands=stands,
        of_call=of_call,
        path=pl.when(of_call & (kind != "SYSCALL") & stands).then(path),
        path2=pl.when(of_call & stands & doing.is_in(["rename", "link"])).then(path2),
    )
    carried = (doing == "write") & pl.col("path").str.contains(_REMOVABLE).fill_null(value=False)
    action = (
        pl.when(pl.col("of_call"))
        .then(
            pl.when(carried)
            .then(pl.lit("download"))
            .when(pl.col("stands") & ~doing.is_in(["read", "write"]))
            .then(doing)
            .otherwise(pl.lit("notice"))
        )
        .otherwise(
            kind.replace_strict({k: a for k, (a, _) in USER_TYPES.items()}, default="notice", return_dtype=pl.String)
        )
    )
    role = (
        pl.when(pl.col("of_call"))
        .then(pl.when("stands").then(pl.lit("main")).otherwise(pl.lit("part")))
        .otherwise(
            kind.replace_strict({k: r for k, (_, r) in USER_TYPES.items()}, default="main", return_dtype=pl.String)
        )
    )
    ended = pl.when(pl.col("of_call")).then("ended").otherwise("result").str.strip_suffix("'")
    return rows.select(
        "position",
        "length",
        "occurred_at",
        "account",
        "path",
        "path2",
        action=action,
        record_role=role,
        outcome=ended.replace_strict(
            {"yes": "ok", "no": "failed", "success": "ok", "failed": "failed", "1": "ok", "0": "failed"},
            default="unknown",
            return_dtype=pl.String,
        ),
        error_code=pl.when("of_call").then("error"),
        activity_key=pl.lit("audit|") + pl.col("id").str.slice(0, 120),
        client_ip=address(pl.col("address").replace("?", None)),
        client_program=pl.col("exe").str.slice(0, 300),
        session=pl.when(~pl.col("session_").is_in(UNSET)).then(
            pl.concat_str(pl.col("node").fill_null(""), pl.lit(":ses"), "session_")
        ),
        command=pl.when(pl.col("of_call") & (kind != "SYSCALL") & ~pl.col("stands"))
        .then(kind)
        .otherwise(pl.coalesce("call", kind).str.to_uppercase()),
        direction=pl.when(action == "download").then(pl.lit("out")),
        bytes_kind=pl.when(action == "download").then(pl.lit("unknown")),
        forgeable=~pl.col("of_call") & (pl.col("rest").str.count_matches(" res=", literal=True) > 1),
        detail=pl.when(pl.col("stands") & (doing == "command"))
        .then("argv")
        .when("stands")
        .then(pl.lit("key ") + pl.col("rule"))
        .when(kind.is_in(["USER_CMD", "PROCTITLE"]))
        .then("cmd")
        .when(kind == "EXECVE")
        .then("argv")
        .when(~pl.col("of_call"))
        .then("rest")
        .str.slice(0, _DETAIL),
    )


def _paths() -> tuple[pl.Expr, pl.Expr]:
    """The file an act is about, and the new name of a rename or link; relative names below the working directory."""
    doing = pl.col("doing")
    whole = {
        name: pl.when(pl.col(name).str.starts_with("/") | pl.col("cwd").is_null() | pl.col(name).is_null())
        .then(name)
        .otherwise(pl.concat_str(pl.col("cwd").str.strip_suffix("/"), pl.lit("/"), name))
        for name in ("name", "first_name", "old_name", "new_name")
    }
    path = (
        pl.when(doing == "rename")
        .then(pl.coalesce(whole["old_name"], whole["first_name"], whole["name"]))
        .when(doing.is_in(["command", "link", "device"]))
        .then(pl.coalesce(whole["first_name"], whole["name"]))
        .otherwise(pl.coalesce(whole["new_name"], whole["old_name"], whole["first_name"], whole["name"]))
    )
    return path, whole["new_name"]

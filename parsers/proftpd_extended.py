r"""proftpd's ExtendedLog: one line a command of the client, in the form that LogFormat gives it.

Without a LogFormat: ``10.10.1.8 UNKNOWN his_app [18/Nov/2026:09:02:12 +0800] "STOR ADT.hl7" 226 400``. Control bytes
and quotes in names are written raw. Sources: proftpd's directive reference, mod_log; samples from 1.3.8.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.events import UTC, Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.ftp_acts import account_name, activity_keys, decode_names
from parsers.proftpd_commands import ACTIONS, LOGIN_STEPS, SFTP, STEPS
from parsers.proftpd_logformat import Compiled, Options, compiled, guess
from parsers.proftpd_sessions import join_commands, remembered
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import in_calendar, local_time, to_utc

SKIPS = {
    "blank": "an empty line records nothing",
    "login_step": "the name of a user (USER) or a certificate (AUTH) offered; PASS tells how the attempt ended",
    "session_step": "folder, transfer mode, port, size or feature asked for: no file is carried or changed",
    "sftp_request": "a packet of an SFTP session (mod_sftp): its transfer is logged as STOR, RETR, DELE, RNTO",
}
_COLUMNS = [
    "address",
    "argument",
    "bytes",
    "code",
    "command",
    "custom",
    "epoch",
    "failure",
    "file",
    "host",
    "inside",
    "iso8601",
    "offered",
    "pid",
    "rename_from",
    "request",
    "seconds",
    "stamp",
    "status",
    "user",
]  # groups of a LogFormat that columns are made of


@parser(
    "proftpd_extended",
    reference="proftpd directives ExtendedLog and LogFormat",
    framing=lines,
    skips=SKIPS,
    options=Options,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: Options) -> Parsed:
    """Read logins, transfers and changes of files. `zone` is the server's, for LogFormats whose time names none.

    Reasons of rejects: "too_long", "unknown_form" (not of this LogFormat), "bad_timestamp".
    """
    form = compiled(options.log_format)
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=decode_names)
    frame = _read(frame, form).with_columns(occurred_at=in_calendar(_time(form, zone)))
    told = pl.col("command").is_not_null()
    frame = frame.with_columns(
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(pl.col("body") == "")
        .then(None)
        .when(~told)
        .then(pl.lit("unknown_form"))
        .when(pl.col("occurred_at").is_null())
        .then(pl.lit("bad_timestamp")),
    )
    sound = pl.col("reject").is_null() & (pl.col("body") != "")
    acts = _acts(frame.filter(sound), form)
    acts = join_commands(acts, carry.get("sessions", {}))
    sessions = remembered(acts)
    acts = acts.filter("fresh")
    frame = frame.join(acts.select("position", skip="skip"), on="position", how="left", maintain_order="left")
    frame = frame.with_columns(skip=pl.when(pl.col("body") == "").then(pl.lit("blank")).otherwise("skip"))
    events = _events(acts.filter(pl.col("skip").is_null()))
    kept: dict[str, Any] = {"unfinished": unfinished(chunk), "sessions": sessions}
    return settle(frame, events, origin, kept if chunk else dict(carry))


def _read(frame: pl.DataFrame, form: Compiled) -> pl.DataFrame:
    """Take the lines apart: `_COLUMNS` (null where the LogFormat has no such variable) and `forgeable`."""
    frame = frame.with_columns(body=pl.col("text").str.strip_suffix("\r"))
    read = frame.select(pl.col("body").str.extract_groups(form.pattern).alias("g")).unnest("g")
    odd = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.col(name).str.contains(text, literal=True).fill_null(value=False) for name, text in form.ends.items()),
    )
    odd_rows = read.select(odd).to_series()
    forgeable = pl.Series("forgeable", [False]).new_from_index(0, frame.height)
    if odd_rows.any():
        again = frame.filter(odd_rows).select(pl.col("body").str.extract_groups(form.opposite).alias("g")).unnest("g")
        here = read.filter(odd_rows)
        differs = here.select(
            pl.any_horizontal(pl.col(name).ne_missing(again[name]) for name in here.columns)
        ).to_series()
        forgeable = forgeable.scatter(odd_rows.arg_true(), differs)
    absent = [pl.lit(None, pl.String).alias(name) for name in _COLUMNS if name not in read.columns]
    return _commands(frame.hstack(read).with_columns(forgeable, *absent))


def _commands(frame: pl.DataFrame) -> pl.DataFrame:
    """`command` in capitals and `argument`, out of %m and %J or of %r."""
    request = pl.col("request").str.extract_groups(r"^(?<command>(?i:SITE +[^ ]+)|[^ ]*)(?: (?<argument>.*))?$")
    command = pl.coalesce("command", request.struct.field("command")).str.to_uppercase().str.replace_all("[ _]+", " ")
    argument = pl.coalesce("argument", request.struct.field("argument")).replace("", None)
    site = command.str.starts_with("SITE ") & pl.col("command").is_not_null()
    # %J of a SITE command repeats the second word of %m
    argument = pl.when(site).then(argument.str.replace("^[^ ]+ ?", "").replace("", None)).otherwise(argument)
    return frame.with_columns(command=command.replace("", None), argument=argument)


def _time(form: Compiled, zone: ZoneInfo) -> pl.Expr:
    if "epoch" in form.groups:
        seconds = pl.col("epoch").str.slice(0, 12).cast(pl.Int64, strict=False)
        return pl.from_epoch(seconds, "s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if "stamp" in form.groups:
        return pl.col("stamp").str.to_datetime("[%d/%b/%Y:%H:%M:%S %z]", time_unit="us", strict=False).cast(UTC)
    if "iso8601" in form.groups:
        text = pl.col("iso8601").str.replace("T", " ", literal=True).str.replace(",", ".", literal=True)
        return local_time(text, "%Y-%m-%d %H:%M:%S%.f", zone)
    clock = form.clock or ""
    if "%z" in clock or "%s" in clock:
        return pl.col("custom").str.to_datetime(clock, time_unit="us", strict=False).cast(UTC)
    return to_utc(pl.col("custom").str.to_datetime(clock, time_unit="us", strict=False), zone)


def _acts(frame: pl.DataFrame, form: Compiled) -> pl.DataFrame:
    """Columns of EVENTS as far as a line tells them by itself, `skip`, and the session it belongs to."""
    command = pl.col("command")
    code = pl.col("code").replace("-", None)
    client = address(pl.coalesce("address", "host"))
    user, offered = pl.col("user").replace("-", None), pl.col("offered").replace("-", None)
    name = pl.when(command.is_in(["USER"])).then(pl.coalesce(user, "argument")).otherwise(pl.coalesce(user, offered))
    named = pl.col("file").replace(["-", ""], None)
    path = pl.coalesce(named, pl.col("inside").replace(["-", ""], None), "argument")
    refused = code.str.contains("^[45]")
    in_between = code.str.contains("^[13]")
    skip = (
        pl.when(command.is_in(["PORT", "EPRT"]) & refused)
        .then(None)  # a connection to somewhere else was asked for
        .when(command.is_in(LOGIN_STEPS) | ((command == "USER") & in_between))
        .then(pl.lit("login_step"))
        .when(command.is_in(SFTP))
        .then(pl.lit("sftp_request"))
        .when(command.is_in(STEPS) | command.str.starts_with("OPTS") | ((command == "STAT") & path.is_null()))
        .then(pl.lit("session_step"))
    )
    pid = pl.col("pid") if "pid" in form.groups else pl.lit(None, pl.String)
    return frame.select(
        "position",
        "length",
        "occurred_at",
        "command",
        "forgeable",
        "status",
        "argument",
        code=code,
        account=account_name(name),
        client_ip=client,
        path=pl.when(~command.is_in(["USER", "PASS", "QUIT", "EXIT", "CONNECT", "PORT", "EPRT"])).then(path),
        rename_from=pl.col("rename_from").replace(["-", ""], None),
        session=pl.concat_str(pl.lit("proftpd:"), pid),
        action=command.replace_strict(ACTIONS, default="notice", return_dtype=pl.String),
        outcome=pl.when(refused)
        .then(pl.lit("failed"))
        .when(code.str.starts_with("2"))
        .then(pl.lit("ok"))
        .otherwise(pl.lit("unknown")),
        moved=pl.col("bytes").cast(pl.Int64, strict=False),
        duration_seconds=pl.col("seconds").cast(pl.Float64, strict=False),
        counted=pl.lit("bytes" in form.groups),
        failure=pl.col("failure").replace(["-", ""], None),
        skip=skip,
        # timed out in the middle of it; what ended it is told by another line of the same command
        part=in_between.fill_null(value=False) & (command != "USER"),
    ).with_columns(
        outcome=pl.when(pl.col("action").is_in(["upload", "download"]) & (pl.col("status") != "success"))
        .then(
            pl.when(pl.col("status").is_in(["failed", "cancelled", "timeout"]))
            .then(pl.lit("failed"))
            .otherwise("outcome")
        )
        .otherwise("outcome"),
    )


def _events(told: pl.DataFrame) -> pl.DataFrame:
    action, command = pl.col("action"), pl.col("command")
    transfer = action.is_in(["upload", "download"])
    failed = pl.col("outcome") == "failed"
    # a refused command moved nothing; where the LogFormat has no %b nothing is known of what was moved
    size = pl.when(pl.col("counted")).then(pl.col("moved").fill_null(0))
    told = told.with_columns(bytes=pl.when(transfer & (pl.col("role") != "outcome")).then(size))
    aborted = transfer & failed & (pl.col("moved") > 0).fill_null(value=False)
    told = told.with_columns(activity_key=pl.coalesce("of_key", activity_keys(told)))
    return told.select(
        "position",
        "length",
        "occurred_at",
        "forgeable",
        "account",
        "client_ip",
        "session",
        "action",
        "outcome",
        "activity_key",
        "command",
        "path",
        "path2",
        "bytes",
        record_role=pl.col("role"),
        error_code=pl.when(aborted | (pl.col("role") == "outcome")).then(pl.lit("aborted")).when(failed).then("code"),
        duration_seconds=pl.when(transfer).then("duration_seconds"),
        direction=action.replace_strict({"upload": "in", "download": "out"}, default=None, return_dtype=pl.String),
        # what a broken download sent may never have arrived
        bytes_kind=pl.when(transfer & (pl.col("role") != "outcome")).then(
            pl.when(pl.col("bytes").is_null())
            .then(pl.lit("unknown"))
            .when(aborted & (action == "download"))
            .then(pl.lit("estimated"))
            .otherwise(pl.lit("known"))
        ),
        detail=pl.when(transfer)
        .then(pl.col("failure").str.extract(r"([^/:]*)$").str.strip_chars().str.slice(0, 200))
        .when(action.is_in(["chmod", "notice", "command"]))
        .then(
            pl.concat_str(command, pl.lit(" "), pl.col("argument").fill_null("")).str.strip_chars().str.slice(0, 200)
        ),
    )

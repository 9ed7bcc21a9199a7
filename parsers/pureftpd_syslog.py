"""pure-ftpd's messages through syslog (facility ftp): connections, logins, transfers, deletions, renames.

``pure-ftpd: (USER@IP) [NOTICE] /home/u//dir/name uploaded  (1000 bytes, 6224.92KB/sec)``

A process number only with LogPID; USER is ``?`` until the login. Names are not quoted: they are taken between the first and the last
piece of fixed text. Source: pure-ftpd(8); its English messages; samples from 1.0.50, rsyslog 8.2302.0.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address
from parsers.events import Origin
from parsers.framing import lines
from parsers.ftp_acts import ANONYMOUS, account_name, activity_keys, decode_names
from parsers.ftp_pam import PAM_SKIP, pam_forms
from parsers.registry import Carry, Parsed, parser
from parsers.sshd import read as read_forms
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines

SKIPS = {
    **PROGRAM_SKIPS,
    "pam_session": PAM_SKIP,
    "session_step": "a folder or a place in a file that was asked for: no file is carried or changed",
    "protocol": "the FTP dialogue (VerboseLog): what it did has a line of its own",
}
PREFIX = r"^\((?<user>.*?)@(?<ip>[^ )]*)\) \[(?<level>[A-Z]+)\] (?<text>.*)$"
TEXT = (
    r"^(?:"
    r"(?<moved>/.*) (?<way>uploaded|downloaded|removed)  \((?<bytes>[0-9]{1,19}) bytes, (?<rate>[0-9]+\.[0-9]+)KB/sec\)"
    r"|Deleted (?<deleted>.*)"
    r"|File successfully renamed or moved: \[(?<old>.*)\]->\[(?<new>.*)\]"
    r"|(?<anonymous>Anonymous user logged in.*)"
    r"|Authentication failed for user \[(?<refused>.*)\]"
    r"|Can't login as \[(?<disabled>.*)\]: (?:account disabled).*"
    r"|(?<logout>Logout\.)"
    r"|(?<connect>New connection from .*)"
    r"|Can't open (?<not_opened>.*): (?<why_open>[^:]*)"
    r"|Could not delete (?<not_deleted>.*): (?<why_delete>[^:]*)"
    r"|Can't (?<folder>create|remove) directory: (?<why_folder>.*)"
    r"|Rename/move failure: (?<why_rename>.*)"
    r"|Permissions changed on (?<changed>.*)"
    r"|(?<step>Can't change directory to .*|Restarting at [0-9]+.*|Restart offset .*)"
    r"|(?<dialogue>Command \[.*)"
    r"|(?<logged_in>.*) is now logged in"  # last: the names in the others may end so
    r")$"
)
THAT_FILE = "that file"  # what pure-ftpd calls a file that it could not open for an upload
_LOGINS = ("logged_in", "anonymous", "refused", "disabled")


@parser("pureftpd_syslog", reference="pure-ftpd(8), SyslogFacility", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read connections, logins, transfers and changes of files. `zone` is that of stamps that tell none (RFC 3164).

    Reasons of rejects: those of `parsers.syslog`, and "unknown_form".
    """
    found = program_lines(chunk, origin, zone, carry, pl.col("tag") == "pure-ftpd", other=decode_names)
    ours = found.told.select("position", "length", "occurred_at", "host", "pid", "message", "repeated")
    from_pam = pl.col("message").str.starts_with("pam_")
    pam, chatter = read_forms(ours.filter(from_pam), PAM)
    told = ours.filter(~from_pam)
    told = told.with_columns(told["message"].str.extract_groups(PREFIX).alias("g")).unnest("g")
    told = (
        told.with_columns(pl.col("text").str.extract_groups(TEXT).alias("g"))
        .unnest("g")
        .with_columns(
            skip=pl.when(pl.col("step").is_not_null())
            .then(pl.lit("session_step"))
            .when(pl.col("dialogue").is_not_null())
            .then(pl.lit("protocol")),
            reject=pl.when(pl.col("text").is_null()).then(pl.lit("unknown_form")),
        )
    )
    events = _events(told.filter(pl.col("skip").is_null() & pl.col("reject").is_null()))
    beside = pl.concat([told.select("position", "skip", "reject"), chatter], how="diagonal")
    return found.settled(beside, pl.concat([events, pam], how="diagonal"), origin)


PAM = pam_forms("pure-ftpd")


def _events(told: pl.DataFrame) -> pl.DataFrame:
    have = {name: pl.col(name).is_not_null() for name in (*_LOGINS, "moved", "not_opened", "folder")}
    upload = pl.col("way").is_in(["uploaded", "removed"]) | (pl.col("not_opened") == THAT_FILE)
    partial = pl.col("moved").str.ends_with(" partially") & (pl.col("way") == "uploaded")
    action = (
        pl.when(have["moved"] | have["not_opened"])
        .then(pl.when(upload).then(pl.lit("upload")).otherwise(pl.lit("download")))
        .when(pl.any_horizontal(have[name] for name in _LOGINS))
        .then(pl.lit("login"))
        .when(pl.any_horizontal(pl.col("deleted", "not_deleted").is_not_null()))
        .then(pl.lit("delete"))
        .when(pl.any_horizontal(pl.col("old", "why_rename").is_not_null()))
        .then(pl.lit("rename"))
        .when(have["folder"])
        .then(pl.when(pl.col("folder") == "create").then(pl.lit("mkdir")).otherwise(pl.lit("rmdir")))
        .when(pl.col("changed").is_not_null())
        .then(pl.lit("chmod"))
        .when(pl.col("connect").is_not_null())
        .then(pl.lit("connect"))
        .when(pl.col("logout").is_not_null())
        .then(pl.lit("logout"))
        .otherwise(pl.lit("notice"))
    )
    why = pl.coalesce("why_open", "why_delete", "why_folder", "why_rename")
    refused = pl.any_horizontal(pl.col("refused", "disabled").is_not_null()) | why.is_not_null()
    broken = partial | (pl.col("way") == "removed")
    in_session = account_name(pl.col("user").replace("?", None))
    size, rate = pl.col("bytes").cast(pl.Int64, strict=False), pl.col("rate").cast(pl.Float64, strict=False)
    told = told.with_columns(action=action, failed=refused | broken.fill_null(value=False))
    notice = pl.col("action") == "notice"
    transfer = pl.col("action").is_in(["upload", "download"])
    events = told.select(
        "position",
        "length",
        "occurred_at",
        "action",
        record_role=pl.lit("main"),
        outcome=pl.when("failed")
        .then(pl.lit("failed"))
        .when(notice)
        .then(pl.when(pl.col("level").is_in(["ERROR", "WARNING"])).then(pl.lit("failed")).otherwise(pl.lit("unknown")))
        .otherwise(pl.lit("ok")),
        error_code=pl.when(broken).then(pl.lit("aborted")).otherwise(why.str.slice(0, 60)),
        account=pl.when(pl.col("anonymous").is_not_null())
        .then(pl.lit(ANONYMOUS))
        .otherwise(pl.coalesce(account_name(pl.coalesce("logged_in", "refused", "disabled")), in_session)),
        client_ip=address(pl.col("ip")),
        session=pl.concat_str("host", pl.lit(":"), "pid"),  # with LogPID yes
        path=pl.coalesce(
            pl.when(partial).then(pl.col("moved").str.strip_suffix(" partially")).otherwise("moved"),
            "deleted",
            "old",
            pl.when(pl.col("not_opened") != THAT_FILE).then("not_opened"),
            "not_deleted",
            "changed",
        ),
        path2="new",
        command=pl.col("action").replace_strict(
            {"upload": "STOR", "download": "RETR", "delete": "DELE", "rename": "RNTO", "mkdir": "MKD", "rmdir": "RMD"},
            default=None,
            return_dtype=pl.String,
        ),
        direction=pl.col("action").replace_strict(
            {"upload": "in", "download": "out"}, default=None, return_dtype=pl.String
        ),
        bytes=pl.when(transfer).then(size.fill_null(0)),
        bytes_kind=pl.when(transfer).then(pl.lit("known")),
        duration_seconds=pl.when(rate > 0).then((size / (rate * 1024)).round(3)),
        # names in brackets that imitate the middle of a rename; a name that ends in " partially"
        forgeable=(told["message"].str.count_matches("]->[", literal=True) > 1) | partial.fill_null(value=False),
        detail=pl.when(notice).then(pl.col("text").str.slice(0, 200)),
    )
    keyed = events.with_columns(activity_keys(events))
    return keyed.with_columns(bytes=pl.col("bytes") * told["repeated"])

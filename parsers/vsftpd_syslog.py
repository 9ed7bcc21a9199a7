"""vsftpd through syslog (syslog_enable=YES): the messages of `vsftpd_native` and those of its PAM modules.

Here names keep their bytes (UTF-8 or GBK), while the file form writes ``?``. There is no CONNECT line.
Source: vsftpd.conf(5), "syslog_enable"; samples from vsftpd 3.0.3, rsyslog 8.2302.0.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import settle
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.registry import Carry, Parsed, parser
from parsers.sshd import Form
from parsers.sshd import read as read_forms
from parsers.syslog import envelope, unfold
from parsers.vsftpd_native import PROTOCOL_SKIP, event_columns, is_dialogue, read_messages

SKIPS = {
    "blank": "an empty line records nothing",
    "other_program": "a line of another program in the same file; its own parser reads it",
    "protocol": PROTOCOL_SKIP,
    "pam_session": "PAM's chatter about modules: a failure has a line of its own",
}
PAM = (
    Form(
        r"^pam_unix\(vsftpd:auth\): authentication failure; .* ruser=(?<account>.*) rhost=(?<client_ip>[^ ]*) ?(?: user=.*)?$",
        "login",
        "failed",
        "duplicate",
    ),
    Form(r"^pam_unix\([^)]*\): (?:check pass; user unknown|session .*)$", skip="pam_session"),
    Form(r"^(?<detail>pam_listfile[^ ]* Refused user (?<account>.*) for service vsftpd)$", "notice", "failed"),
    Form(r"^(?<detail>.*)$", "notice", "unknown"),
)


@parser("vsftpd_syslog", reference="vsftpd.conf(5), syslog_enable=YES", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read logins, transfers and changes of files. `zone` is that of stamps that tell none (RFC 3164).

    Reasons of rejects: those of `parsers.syslog`, and "unknown_form".
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    frame = frame.with_columns(blank=(pl.col("text").str.strip_suffix("\r") == "").fill_null(value=False))
    frame, year = envelope(frame, origin, zone, carry.get("year", {}))
    sound = pl.col("problem").is_null() & ~pl.col("blank")
    frame = frame.with_columns(ours=sound & (pl.col("tag") == "vsftpd"))
    ours = unfold(frame.filter("ours"))
    from_pam = pl.col("message").str.starts_with("pam_")
    pam, chatter = read_forms(ours.filter(from_pam), PAM)
    told = read_messages(ours.filter(~from_pam)).with_columns(
        skip=pl.when(is_dialogue()).then(pl.lit("protocol")),
        reject=pl.when(pl.col("action").is_null() & ~is_dialogue()).then(pl.lit("unknown_form")),
    )
    acts = told.filter(pl.col("action").is_not_null())
    events = event_columns(acts).with_columns(bytes=pl.col("bytes") * acts["repeated"])
    beside = pl.concat([told.select("position", "skip", "reject"), chatter], how="diagonal")
    frame = frame.join(beside, on="position", how="left", maintain_order="left").with_columns(
        skip=pl.when("blank")
        .then(pl.lit("blank"))
        .when(sound & ~pl.col("ours"))
        .then(pl.lit("other_program"))
        .otherwise("skip"),
        reject=pl.coalesce(pl.when(~pl.col("blank")).then("problem"), "reject"),
    )
    remembered = {"year": year, "unfinished": unfinished(chunk)} if chunk else carry
    return settle(frame, pl.concat([events, pam], how="diagonal"), origin, remembered)

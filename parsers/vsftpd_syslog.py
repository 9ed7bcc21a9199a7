"""vsftpd through syslog (syslog_enable=YES): the messages of `vsftpd_native` and those of its PAM modules.

Here names keep their bytes (UTF-8 or GBK), while the file form writes ``?``. There is no CONNECT line.
Source: vsftpd.conf(5), "syslog_enable"; samples from vsftpd 3.0.3, rsyslog 8.2302.0.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import Origin
from parsers.framing import lines
from parsers.ftp_acts import decode_names
from parsers.ftp_pam import PAM_SKIP, pam_forms
from parsers.registry import Carry, Parsed, parser
from parsers.sshd import read as read_forms
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines
from parsers.vsftpd_native import PROTOCOL_SKIP, event_columns, is_dialogue, read_messages

SKIPS = {
    **PROGRAM_SKIPS,
    "protocol": PROTOCOL_SKIP,
    "pam_session": PAM_SKIP,
}
PAM = pam_forms("vsftpd")


@parser("vsftpd_syslog", reference="vsftpd.conf(5), syslog_enable=YES", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read logins, transfers and changes of files. `zone` is that of stamps that tell none (RFC 3164).

    Reasons of rejects: those of `parsers.syslog`, and "unknown_form".
    """
    found = program_lines(chunk, origin, zone, carry, pl.col("tag") == "vsftpd", other=decode_names)
    ours = found.told
    from_pam = pl.col("message").str.starts_with("pam_")
    pam, chatter = read_forms(ours.filter(from_pam), PAM)
    told = read_messages(ours.filter(~from_pam)).with_columns(
        skip=pl.when(is_dialogue()).then(pl.lit("protocol")),
        reject=pl.when(pl.col("action").is_null() & ~is_dialogue()).then(pl.lit("unknown_form")),
    )
    acts = told.filter(pl.col("action").is_not_null())
    events = event_columns(acts).with_columns(bytes=pl.col("bytes") * acts["repeated"])
    beside = pl.concat([told.select("position", "skip", "reject"), chatter], how="diagonal")
    return found.settled(beside, pl.concat([events, pam], how="diagonal"), origin)

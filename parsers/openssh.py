"""OpenSSH's authentication log: sshd, internal-sftp, sudo and su in one file, in any of the three syslog envelopes.

Source: sshd_config(5) "LogLevel", sftp-server(8) "-l -f"; samples from OpenSSH 9.2p1 on Debian 12.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers import sftp_server, sshd
from parsers.accounting import settle
from parsers.events import EVENTS, Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.registry import Carry, Parsed, parser
from parsers.syslog import envelope, unfold

SKIPS = {
    "blank": "an empty line records nothing",
    "other_program": "a line of another program in the same file; its own parser reads it",
    **sshd.SKIPS,
    **sftp_server.SKIPS,
}

PROGRAMS = {
    "sshd": "sshd",
    "sshd-session": "sshd",
    "sshd-auth": "sshd",
    "internal-sftp": "sftp",
    "sftp-server": "sftp",
    "sudo": "sudo",
    "su": "su",
}
_NOT_TOLD = pl.DataFrame(schema={"position": pl.UInt64, "skip": pl.String, "reject": pl.String})
_NO_EVENTS = pl.DataFrame(schema={name: EVENTS[name] for name in ("position", "length", "occurred_at", "action")})


@parser("openssh_sftp", reference="sshd(8), sftp-server(8), sudo(8), su(1) through syslog", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read logins, sftp transfers, remote commands. `zone` is that of stamps that tell none (RFC 3164).

    sftp-server logs what it is asked before it does it: such an event's outcome is unknown, and a refusal is an event
    of its own (record_role "outcome") with the same activity_key. A transfer is told by its close.
    Reasons of rejects: those of `parsers.syslog`, and "unknown_form" for a cut line of sftp-server.
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")))
    frame = frame.with_columns(blank=pl.col("text").str.strip_suffix("\r") == "")
    frame, year = envelope(frame, origin, zone, carry.get("year", {}))
    frame = frame.with_columns(
        problem=pl.when(~pl.col("blank").fill_null(value=False)).then("problem"),
        program=pl.col("tag").replace_strict(PROGRAMS, default=None, return_dtype=pl.String),
    )
    told = unfold(frame.filter(pl.col("program").is_not_null() & pl.col("problem").is_null()))
    events, sorted_out, state = [_NO_EVENTS], [_NOT_TOLD], carry.get("sessions", {})
    files = told.filter(pl.col("program") == "sftp")
    if files.height:
        some, beside, state = sftp_server.read(files, state)
        events.append(some)
        sorted_out.append(beside)
    for program, forms in (("sshd", sshd.SSHD), ("sudo", sshd.SUDO), ("su", sshd.SU)):
        part = told.filter(pl.col("program") == program)
        if part.height:
            some, beside = sshd.read(part, forms)
            events.append(some)
            sorted_out.append(beside)
    frame = frame.join(pl.concat(sorted_out, how="diagonal"), on="position", how="left", maintain_order="left")
    frame = frame.with_columns(
        skip=pl.when(pl.col("blank"))
        .then(pl.lit("blank"))
        .when(pl.col("problem").is_null() & pl.col("program").is_null())
        .then(pl.lit("other_program"))
        .otherwise("skip"),
        reject=pl.coalesce("problem", "reject"),
    )
    remembered = {"year": year, "sessions": state, "unfinished": unfinished(chunk)} if chunk else carry
    return settle(frame, pl.concat(events, how="diagonal"), origin, remembered)

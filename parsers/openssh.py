"""The authentication log (auth.log, secure): sshd, internal-sftp, sudo, su, changes of accounts, in any syslog envelope.

Source: sshd_config(5) "LogLevel", sftp-server(8) "-l -f"; samples from OpenSSH 9.2p1 on Debian 12.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers import host_programs, sftp_server, sshd
from parsers.events import EVENTS, Origin
from parsers.framing import lines
from parsers.registry import Carry, Parsed, parser
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines

SKIPS = {
    **PROGRAM_SKIPS,
    **sshd.SKIPS,
    **host_programs.SKIPS,
    **sftp_server.SKIPS,
}

PROGRAMS = {
    "sshd": "sshd",
    "sshd-session": "sshd",
    "sshd-auth": "sshd",
    "internal-sftp": "sftp",
    "sftp-server": "sftp",
    "sudo": "sudo",
    "sudo-rs": "sudo",
    "su": "su",
    "su-l": "su",
    "pkexec": "pkexec",
    "login": "login",
    "systemd-logind": "logind",
    **dict.fromkeys(host_programs.ACCOUNT_PROGRAMS, "accounts"),
}
_FORMS = {
    "sshd": sshd.SSHD,
    "sudo": host_programs.SUDO,
    "su": host_programs.SU,
    "pkexec": host_programs.PKEXEC,
    "login": host_programs.LOGIN,
    "logind": host_programs.LOGIND,
    "accounts": host_programs.ACCOUNTS,
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
    found = program_lines(chunk, origin, zone, carry, pl.col("tag").is_in(list(PROGRAMS)))
    told = found.told.with_columns(program=pl.col("tag").replace_strict(PROGRAMS, default=None, return_dtype=pl.String))
    events, sorted_out, state = [_NO_EVENTS], [_NOT_TOLD], carry.get("sessions", {})
    files = told.filter(pl.col("program") == "sftp")
    if files.height:
        some, beside, state = sftp_server.read(files, state)
        events.append(some)
        sorted_out.append(beside)
    for program, forms in _FORMS.items():
        part = told.filter(pl.col("program") == program)
        if part.height:
            some, beside = sshd.read(part, forms)
            if program == "accounts":
                tools = part.select("position", command=pl.col("tag").str.to_uppercase())
                some = some.drop("command").join(tools, on="position", how="left", maintain_order="left")
            events.append(some)
            sorted_out.append(beside)
    told_all = pl.concat(events, how="diagonal")
    if "truncated" in told_all.columns:  # only sftp-server's lines are known to be cut
        told_all = told_all.with_columns(pl.col("truncated").fill_null(value=False))
    return found.settled(pl.concat(sorted_out, how="diagonal"), told_all, origin, sessions=state)

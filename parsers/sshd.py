"""Messages of sshd: logins, connections, commands. One table of forms, tried in order; `host_programs` has more tables.

Source: auth.c, auth-pam.c, session.c, packet.c of OpenSSH 9.2 (9.8 and later write the same as `sshd-session`); samples
from OpenSSH 9.2p1.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from parsers.accounting import address

SKIPS = {
    "pam_session": "PAM's doubles of Accepted and Disconnected, and its chatter about modules",
    "auth_step": "an intermediate step of a login (key looked up, method postponed), followed by its result",
    "disconnect_told_twice": "the end of a session that `Disconnected from user` tells with the account",
    "process": "a process number or a changed root directory: names no act",
}

_FROM = r"(?<client_ip>[^ ]+) port [0-9]+"
_ADDRESS = r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+)"
_DETAIL = 200  # characters
_COMMAND_LINE = 1000
# what a certificate of a refused key calls itself, and the name a client changes to, stand behind the address
_TWICE = r"^(?:Failed|Disconnecting) .* port [0-9]+(?: ssh2)?: .* port [0-9]+"
_ANCHORED = r" port [0-9]+(?: ssh2)?$"


@dataclass(frozen=True, slots=True)
class Form:
    """A message: named groups become columns (account, client_ip, command, error_code, detail), the rest is fixed.

    In a table with a group `object_name` that is an account or a group of accounts.
    """

    pattern: str
    action: str = ""
    outcome: str = "ok"
    role: str = "main"
    command: str | None = None
    error_code: str | None = None
    bytes_kind: str | None = None
    skip: str | None = None
    account: str | None = None


def skip(reason: str, pattern: str) -> Form:
    return Form(pattern, skip=reason)


# Names are matched greedily: what the client typed as its name may imitate the rest of the message, and the real
# address is the last one.
SSHD = (
    # who is let in has a real name; behind it stands what the client's certificate calls itself
    Form(rf"^Accepted (?<command>[^ ]+) for (?<account>.*?) from {_FROM}(?: ssh2)?(?:: .*)?$", "login"),
    skip("pam_session", r"^pam_(?:[a-z0-9_]+\([^ )]*:(?:session|setcred)\)|unix\([^ )]*\): check pass; user unknown)"),
    skip("pam_session", r"^PAM [0-9]+ more authentication failures?;"),
    Form(
        r"^pam_unix\(sshd:auth\): authentication failure; .* rhost=(?<client_ip>[^ ]*) ?(?: user=(?<account>.*))?$",
        "login",
        "failed",
        "duplicate",
    ),
    skip("auth_step", r"^(?:Postponed|Accepted key|Accepted certificate|Found matching|Partial) "),
    skip("disconnect_told_twice", r"^(?:Received disconnect from|Close session:|Closing connection to) "),
    skip("process", r"^(?:User child is on pid [0-9]+|Changed root directory to .*)$"),
    Form(rf"^Disconnected from user (?<account>.*) {_FROM}$", "logout"),
    Form(rf"^Connection from {_FROM} on ", "connect"),
    Form(
        r"^(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting) "
        rf"(?:(?:authenticating|invalid) user (?<account>.*) )?{_FROM}(?:: (?<detail>.*?))? \[preauth\]$",
        "connect",
        "failed",
        "part",
    ),
    Form(
        rf"^(?:Connection (?:closed|reset) by|Timeout, client not responding from) (?:user (?<account>.*) )?{_FROM}$",
        "logout",
    ),
    # sftp, also as the only command an account may run, is told file by file by sftp-server itself
    Form(
        r"^Starting session: (?<detail>subsystem 'sftp'|forced-command .*(?:internal-sftp|sftp-server).*) "
        rf"for (?<account>[^ ]*) from {_FROM}(?: id [0-9]+)?$",
        "command",
        role="part",
        command="SFTP",
    ),
    Form(
        rf"^Starting session: (?<detail>shell on [^ ]+) for (?<account>[^ ]*) from {_FROM}(?: id [0-9]+)?$",
        "command",
        command="SHELL",
        bytes_kind="unknown",
    ),
    Form(
        rf"^Starting session: (?<detail>.*) for (?<account>[^ ]*) from {_FROM}(?: id [0-9]+)?$",
        "command",
        command="EXEC",
        bytes_kind="unknown",
    ),
    Form(
        rf"^Failed (?<command>none) for (?:invalid user )?(?<account>.*) from {_FROM}(?: ssh2)?$",
        "login",
        "failed",
        "part",
    ),
    Form(
        rf"^Failed (?<command>[^ ]+) for invalid user (?<account>.*) from {_FROM}(?: ssh2)?(?:: .*)?$",
        "login",
        "failed",
        error_code="invalid user",
    ),
    # of a known user it only repeats `error: PAM:`, and is written only at VERBOSE or after several failures
    Form(
        rf"^Failed (?<command>keyboard-interactive/pam) for (?<account>.*) from {_FROM}(?: ssh2)?$",
        "login",
        "failed",
        "duplicate",
    ),
    Form(rf"^Failed (?<command>[^ ]+) for (?<account>.*) from {_FROM}(?: ssh2)?(?:: .*)?$", "login", "failed"),
    Form(
        r"^error: PAM: (?<detail>[^:]*?) for illegal user (?<account>.*) from (?<client_ip>[^ ]+)$",
        "login",
        "failed",
        "duplicate",
        command="KEYBOARD-INTERACTIVE/PAM",
        error_code="invalid user",
    ),
    Form(
        r"^error: PAM: (?<detail>[^:]*?) for (?<account>.*) from (?<client_ip>[^ ]+)$",
        "login",
        "failed",
        command="KEYBOARD-INTERACTIVE/PAM",
    ),
    Form(
        r"^(?:Invalid|Illegal) user (?<account>.*) from (?<client_ip>[^ ]+)(?: port [0-9]+)?$",
        "login",
        "failed",
        "duplicate",
        error_code="invalid user",
    ),
    Form(
        rf"^(?<detail>(?:error: )?maximum authentication attempts exceeded) for (?:invalid user )?(?<account>.*) from {_FROM}",
        "notice",
        "failed",
    ),
    Form(r"^(?<detail>User (?<account>.*) from (?<client_ip>[^ ]+) not allowed because .*)$", "notice", "failed"),
    # what a client calls its subsystem or its protocol may imitate an address
    Form(
        r"^(?<detail>subsystem request for .* by user (?<account>[^ ]+?)(?: failed, subsystem not found)?)$",
        "notice",
        "unknown",
    ),
    Form(
        r"^(?<detail>Bad protocol version identification '.*' from (?<client_ip>[^ ]+)(?: port [0-9]+)?)$",
        "notice",
        "unknown",
    ),
    Form(
        r"^(?<detail>(?:error: )?kex_exchange_identification: client sent invalid protocol identifier .*)$",
        "notice",
        "failed",
    ),
    Form(rf"^(?<detail>(?:error|fatal): .*?(?<client_ip>{_ADDRESS}).*)$", "notice", "failed"),
    Form(r"^(?<detail>(?:error|fatal): .*)$", "notice", "failed"),
    Form(
        rf"^(?<detail>.*?(?:from|by|with|to) \[?(?<client_ip>{_ADDRESS})\]?(?: port |:[0-9]|$).*)$", "notice", "unknown"
    ),
    Form(r"^(?<detail>.*)$", "notice", "unknown"),
)

_TEXTS = ("account", "client_ip", "command", "error_code", "detail", "bytes_kind")


def read(frame: pl.DataFrame, forms: tuple[Form, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sort lines (position, length, occurred_at, host, pid, message, repeated) by form: columns of EVENTS, and (position, skip).

    The last form of each table takes whatever is left, so every line is in exactly one of the two.
    """
    events: list[pl.DataFrame] = []
    skips: list[pl.DataFrame] = []
    left = frame
    names_objects = any("(?<object_name>" in form.pattern for form in forms)
    for form in forms:
        if left.is_empty():
            break
        fits = left.select(pl.col("message").str.contains(form.pattern)).to_series()
        if not fits.any():
            continue
        hit, left = left.filter(fits), left.filter(~fits)
        if form.skip:
            skips.append(hit.select("position", skip=pl.lit(form.skip)))
        else:
            events.append(_columns(hit, form, names_objects=names_objects))
    return (
        pl.concat(events) if events else _columns(frame.clear(), forms[-1], names_objects=names_objects),
        pl.concat(skips) if skips else frame.clear().select("position", skip=pl.lit(None, pl.String)),
    )


def _columns(hit: pl.DataFrame, form: Form, *, names_objects: bool) -> pl.DataFrame:
    fixed = {
        "account": form.account,
        "command": form.command,
        "error_code": form.error_code,
        "bytes_kind": form.bytes_kind,
    }
    read = hit.with_columns(pl.col("message").str.extract_groups(form.pattern).alias("g")).unnest("g")
    texts = {name: pl.col(name) if name in read.columns else pl.lit(fixed.get(name), pl.String) for name in _TEXTS}
    limit = _COMMAND_LINE if form.action == "command" else _DETAIL
    objects = {}
    if names_objects:
        name = pl.col("object_name") if "object_name" in read.columns else pl.lit(None, pl.String)
        objects = {"object_name": name, "object_type": pl.when(name.is_not_null()).then(pl.lit("ACCOUNT"))}
    message = pl.col("message")
    if form.command == "SUDO":
        forgeable = message.str.count_matches(" ; COMMAND=", literal=True) > 1
    else:
        forgeable = message.str.contains(_TWICE) & ~message.str.contains(_ANCHORED)
    again = pl.when(pl.col("repeated") > 1).then(pl.format("repeated {} times", "repeated"))
    return read.select(
        "position",
        "length",
        "occurred_at",
        action=pl.lit(form.action),
        outcome=pl.lit(form.outcome),
        record_role=pl.lit(form.role),
        session=pl.concat_str(pl.col("host"), pl.lit(":"), pl.col("pid")),
        account=texts["account"].replace("", None),
        client_ip=address(texts["client_ip"]),
        command=texts["command"].str.to_uppercase(),
        error_code=texts["error_code"],
        detail=pl.coalesce(texts["detail"].str.slice(0, limit), again),
        bytes_kind=texts["bytes_kind"],
        # of sudo: a directory may be called 'x ; USER=root ; COMMAND=/bin/true'
        forgeable=forgeable,
        **objects,
    )

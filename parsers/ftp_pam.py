"""Lines that PAM modules write under the name of an FTP daemon, beside the daemon's own."""

from __future__ import annotations

from parsers.sshd import Form

PAM_SKIP = "PAM's chatter about modules: a failure has a line of its own"


def pam_forms(service: str) -> tuple[Form, ...]:
    """Forms of `parsers.sshd` for a daemon whose PAM service and syslog tag is `service`."""
    return (
        Form(
            rf"^pam_unix\({service}:auth\): authentication failure; .* ruser=(?<account>.*) rhost=(?<client_ip>[^ ]*) ?(?: user=.*)?$",
            "login",
            "failed",
            "duplicate",
        ),
        Form(r"^pam_unix\([^)]*\): (?:check pass; user unknown|session .*)$", skip="pam_session"),
        Form(rf"^(?<detail>pam_listfile[^ ]* Refused user (?<account>.*) for service {service})$", "notice", "failed"),
        Form(r"^(?<detail>.*)$", "notice", "unknown"),
    )

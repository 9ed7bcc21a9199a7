"""Messages in auth.log beside sshd's: sudo, su, pkexec, console logins, changes of accounts. Tables of forms as in `sshd`.

Sources: sudo's logging.c and eventlog.c (1.9), su(1) of util-linux and of shadow, login(1), pkexec(1), systemd-logind(8),
useradd(8) and its kin of shadow-utils; samples of sudo 1.9.13p3 and su of util-linux 2.38, the others after their sources.
"""

from __future__ import annotations

from parsers.sshd import Form, skip

SKIPS = {
    "login_session": "systemd-logind's count of sessions and seats: who logged in is told by sshd, login or su",
}

# Failures begin with their reason; fields that are not set are left out; a folder may be called ' ; COMMAND='.
_RUN_AS = r"(?:HOST=[^;]* ; )?(?:TTY=[^;]* ; )?(?:CHROOT=.*? ; )?PWD=.*? ; (?:USER=[^;]* ; )?(?:[A-Z]+=.*? ; )*?COMMAND=(?<detail>.*)$"
_PAM_SESSION = skip("pam_session", r"^pam_[a-z0-9_]+\([^ )]*:(?:session|setcred|account)\)")
_PAM_FAILURE = Form(
    r"^pam_[a-z0-9_]+\([^ )]*:auth\): (?<detail>authentication failure); .* ruser=(?<account>[^ ]*) rhost=",
    "notice",
    "failed",
    "duplicate",
)
SUDO = (
    Form(rf"^ *(?<account>[^ ]+) : {_RUN_AS}", "command", command="SUDO"),
    Form(rf"^ *(?<account>[^ ]+) : (?<error_code>[^;=]+) ; {_RUN_AS}", "command", "failed", command="SUDO"),
    # a long command line is cut into several messages
    Form(r"^ *(?<account>[^ ]+) : \(command continued\) (?<detail>.*)$", "command", role="part", command="SUDO"),
    skip("pam_session", r"^pam_(?:[a-z0-9_]+\([^ )]*:(?:session|setcred)\)|unix\([^ )]*\): conversation failed)"),
    _PAM_FAILURE,
    Form(r"^ *(?<account>[^ ]+) : (?<detail>.*)$", "notice", "failed", command="SUDO"),
    Form(r"^(?<detail>.*)$", "notice", "unknown", command="SUDO"),
)
SU = (
    Form(r"^(?<detail>\(to .*\)) (?<account>[^ ]+) on [^ ]*$", "notice", command="SU"),
    Form(r"^FAILED SU (?<detail>\(to .*\)) (?<account>[^ ]+) on [^ ]*$", "notice", "failed", command="SU"),
    Form(r"^Successful su (?<detail>for .*) by (?<account>[^ ]+)$", "notice", command="SU"),
    Form(r"^FAILED su (?<detail>for .*) by (?<account>[^ ]+)$", "notice", "failed", command="SU"),
    Form(r"^(?<detail>\+ [^ ]+ (?<account>[^ :]+):.*)$", "notice", role="duplicate", command="SU"),
    Form(r"^(?<detail>- [^ ]+ (?<account>[^ :]+):.*)$", "notice", "failed", "duplicate", command="SU"),
    _PAM_SESSION,
    _PAM_FAILURE,
    Form(r"^(?<detail>.*)$", "notice", "unknown", command="SU"),
)
PKEXEC = (
    Form(
        r"^(?<account>[^ ]+): Executing command (?:\[[A-Z]+=.*?\] )*\[COMMAND=(?<detail>.*)\]$",
        "command",
        command="PKEXEC",
    ),
    Form(r"^(?<account>[^ ]+): (?<detail>Error executing command.*)$", "command", "failed", command="PKEXEC"),
    _PAM_SESSION,
    Form(r"^(?:(?<account>[^ :]+): )?(?<detail>.*)$", "notice", "unknown", command="PKEXEC"),
)
# The name that was tried may imitate the rest of a message: it ends at the last piece of fixed text.
LOGIN = (
    Form(r"^ROOT LOGIN +ON (?<detail>.*)$", "login", command="CONSOLE", account="root"),
    Form(r"^LOGIN ON (?<detail>[^ ]+) BY (?<account>.*?)(?: FROM (?<client_ip>[^ ]+))?$", "login", command="CONSOLE"),
    Form(r"^DIALUP AT (?<detail>[^ ]+) BY (?<account>.*)$", "login", command="CONSOLE"),
    Form(
        r"^FAILED LOGIN (?:SESSION |\([0-9]+\) )?(?:ON|FROM) (?<detail>.*?) FOR '?(?<account>.*?)'?, (?<error_code>[^,]*)$",
        "login",
        "failed",
        command="CONSOLE",
    ),
    Form(
        r"^pam_[a-z0-9_]+\([^ )]*:auth\): authentication failure; .* rhost=[^ ]* *(?:user=(?<account>.*))?$",
        "login",
        "failed",
        "duplicate",
        command="CONSOLE",
    ),
    _PAM_SESSION,
    Form(r"^(?<detail>.*)$", "notice", "unknown", command="CONSOLE"),
)
LOGIND = (
    skip(
        "login_session",
        r"^(?:New session |Session .* (?:logged out|of user)|Removed session |New seat |Watching system buttons|User .* logged )",
    ),
    Form(r"^(?<detail>.*)$", "notice", "unknown", command="LOGIND"),
)
# object_name is the account or group that was changed; who changed it is rarely told
ACCOUNTS = (
    _PAM_SESSION,
    Form(r"^(?<detail>new (?:user|group|account|shadow group): (?:name|account)=(?<object_name>[^,]*).*)$", "notice"),
    Form(
        r"^(?<detail>(?:failed|cannot|can't|error|unable|invalid).*?(?:'(?<object_name>[^']*)'.*)?)$",
        "notice",
        "failed",
    ),
    Form(
        r"^(?<detail>user (?<object_name>[^ ]+) (?:added|removed|deleted) by (?<account>[^ ]+) (?:to|from) group .*)$",
        "notice",
    ),
    Form(r"^(?<detail>password for '(?<object_name>[^']*)' changed by '(?<account>[^']*)')$", "notice"),
    Form(r"^(?<detail>pam_[a-z0-9_]+\([^ )]*:chauthtok\): password changed for (?<object_name>.*))$", "notice"),
    Form(r"^(?<detail>pam_[a-z0-9_]+\([^ )]*:(?:chauthtok|auth)\): .*)$", "notice", "failed"),
    Form(r"^(?<detail>members of group (?<object_name>[^ ]+) set by (?<account>[^ ]+) to .*)$", "notice"),
    Form(r"^(?<detail>[a-z ]*?(?:user|group|shadow group|account) '(?<object_name>[^']*)'.*)$", "notice"),
    Form(r"^(?<detail>add '(?<object_name>[^']*)' to .*|(?:delete|remove) '(?:[^']*)' from .*)$", "notice"),
    Form(r"^(?<detail>group added to .*: name=(?<object_name>[^,]*).*)$", "notice"),
    Form(r"^(?<detail>changed (?:password expiry|user .*) (?:for|of) '?(?<object_name>[^']*?)'?)$", "notice"),
    Form(r"^(?<detail>.*)$", "notice"),
)
ACCOUNT_PROGRAMS = (
    "useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "gpasswd", "passwd", "chpasswd", "chage", "chfn",
    "chsh", "newusers", "adduser", "deluser", "vipw",
)  # fmt: skip

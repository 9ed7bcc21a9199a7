"""Lines as the real daemons would write them when a client chose its names to forge or hide records, by format.

What must hold: nothing that the client made up is believed without `forgeable`, and the act that it tried to hide is told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from detectors.folding import Folding
from parsers.events import Origin
from parsers.mariadb_acts import command_of, statement_key
from parsers.registry import Parsed, parsers

RECEIVED = datetime(2027, 1, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
SYSLOG = "Dec  3 08:05:12 h "
ATTACKER, VICTIM = "203.0.113.9", "192.0.2.1"


def parse(name: str, text: str, source: str = "s", **options: Any) -> Parsed:
    origin = Origin("site", "system", source, "/log", name, "0" * 16, 0, RECEIVED, RECEIVED)
    return parsers()[name].configured(options).parse(text.encode(), origin, ZONE, {})


def rows(name: str, text: str, **options: Any) -> list[dict[str, Any]]:
    return list(parse(name, text, **options).events.iter_rows(named=True))


def only(name: str, text: str, **options: Any) -> dict[str, Any]:
    """The only record of the line, which is neither refused nor passed over."""
    parsed = parse(name, text + "\n", **options)
    assert not parsed.rejects.height, parsed.rejects
    assert not parsed.skips, parsed.skips
    assert parsed.events.height == 1
    return parsed.events.row(0, named=True)


def holds(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {name: row[name] for name in expected} == expected


# --- file transfer: names typed before the login, file names ------------------------------------------------------

VSFTPD = "Thu Dec  3 08:05:16 2026 [pid 12634] "
REFUSED = f'] FAIL LOGIN: Client "{ATTACKER}"'
VSFTPD_FORGED = {
    "a transfer before the login": (f'[x] OK DOWNLOAD: Client "{VICTIM}", "/f", 9 bytes{REFUSED}', {"forgeable": True}),
    "a transfer, with the dialogue logged": (
        f'[x] OK DOWNLOAD: Client "{VICTIM}", "/f", 9 bytes] FTP response: Client "{ATTACKER}", "331 Please."',
        {"forgeable": True},
    ),
    "a refused login as a connection": (
        f'[x] CONNECT: Client "{VICTIM}", "{REFUSED}',
        {"action": "login", "outcome": "failed", "client_ip": ATTACKER},
    ),
    "a refused login as dialogue": (
        f'[x] FTP command: Client "{VICTIM}", "NOOP{REFUSED}',
        {"action": "login", "outcome": "failed", "client_ip": ATTACKER, "forgeable": True},
    ),
    "a refused login as a good one": (
        f'[x] OK LOGIN: Client "{VICTIM}"{REFUSED}',
        {"action": "login", "outcome": "failed", "client_ip": ATTACKER, "forgeable": True},
    ),
    "bytes in a file name": (
        f'[li] OK UPLOAD: Client "{ATTACKER}", "/r.txt", 999 bytes, 1.00Kbyte/sec", 23 bytes, 1.00Kbyte/sec',
        {"bytes": 23, "path": '/r.txt", 999 bytes, 1.00Kbyte/sec', "forgeable": False},
    ),
}


@pytest.mark.parametrize("case", VSFTPD_FORGED)
@pytest.mark.parametrize(("name", "head"), [("vsftpd_native", VSFTPD), ("vsftpd_syslog", SYSLOG + "vsftpd[7]: ")])
def test_vsftpd(name, head, case):
    message, expected = VSFTPD_FORGED[case]
    holds(only(name, head + message), expected)


def test_vsftpd_pam_name_is_anchored_on_both_sides():
    line = (
        f"{SYSLOG}vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp "
        f"ruser=x rhost={VICTIM}  user=y rhost={ATTACKER} "
    )
    holds(only("vsftpd_syslog", line), {"client_ip": ATTACKER, "record_role": "duplicate"})


XFERLOG = f"Thu Dec 03 08:05:19 2026 1 {ATTACKER} 23 "


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        # an anonymous client's password holds blanks: the fields behind it are the daemon's
        ("/f b _ o a ftp 0 * c x ftp 0 * i", {"account": "anonymous", "outcome": "failed"}),
        ("/f b _ i a y b _ o r his_app ftp 0 * c", {"forgeable": True}),
        ("/f b _ i r root ftp 0 * c b _ o r his_app ftp 0 * c", {"account": "his_app", "action": "download", "forgeable": True}),
    ],
)  # fmt: skip
def test_xferlog(rest, expected):
    holds(only("xferlog", XFERLOG + rest), expected)


DEFAULT = f"{ATTACKER} UNKNOWN li [18/Nov/2026:09:02:12 +0800] "


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ('"STOR /a" 226 999" 226 23', {"bytes": 23, "path": '/a" 226 999'}),
        (f'"STOR /a" 226 9 {VICTIM} UNKNOWN root [18/Nov/2026:09:02:12 +0800] "RETR /b" 226 23', {"account": "li", "client_ip": ATTACKER, "action": "upload"}),
    ],
)  # fmt: skip
def test_proftpd_extended(request_, expected):
    holds(only("proftpd_extended", DEFAULT + request_), expected)


PROFTPD = f"2026-11-18 09:02:19,705 h proftpd[9011] 127.0.0.1 (x[{ATTACKER}]): "
NOBODY = f": no such user found from x [{ATTACKER}] to ::ffff:10.10.1.20:2221"


@pytest.mark.parametrize(
    "message",
    [
        f"USER root (Login failed): y{NOBODY}",
        f"USER root: Login successful.{NOBODY}",
        f"USER root: no such user found from x [{VICTIM}] to y (Login failed): Incorrect password",
        "USER root: Login successful. (Login failed): Incorrect password",
    ],
)
def test_proftpd_system(message):
    told = only("proftpd_system", PROFTPD + message)
    holds(told, {"action": "login", "outcome": "failed", "client_ip": ATTACKER, "forgeable": True})
    assert told["account"] != "root"


PUREFTPD = f"{SYSLOG}pure-ftpd: (li@{ATTACKER}) [NOTICE] "
MOVED = " downloaded  (9 bytes, 1.00KB/sec)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Deleted /x{MOVED}", {"action": "delete", "path": f"/x{MOVED}"}),
        (f"Permissions changed on /x{MOVED}", {"action": "chmod", "path": f"/x{MOVED}"}),
        ("Permissions changed on /x is now logged in", {"action": "chmod", "account": "li"}),
        (f"Authentication failed for user [root is now logged in{MOVED}]", {"action": "login", "outcome": "failed"}),
        (f"/x uploaded  (999 bytes, 1.00KB/sec){MOVED}", {"action": "download", "bytes": 9}),
        ("File successfully renamed or moved: [a]->[b]->[c]", {"action": "rename", "forgeable": True}),
    ],
)
def test_pureftpd_syslog(text, expected):
    holds(only("pureftpd_syslog", PUREFTPD + text), expected)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("pureftpd_clf", f'{ATTACKER} - li [18/Nov/2026:09:02:15 +0800] "PUT /a%22%20200%20999" 200 23'),
        ("pureftpd_stats", f"1794963732 6afcf914.2218 li {ATTACKER} U 23 0 /a root {VICTIM} D 999 0 /b"),
        ("pureftpd_w3c", f"2026-11-18 01:02:12 {ATTACKER} []created /a%20226%20root%20999 226 li 23"),
    ],
)
def test_pureftpd_transfers(name, line):
    holds(only(name, line), {"account": "li", "client_ip": ATTACKER, "action": "upload", "bytes": 23})


# --- OpenSSH, sudo, Samba, rsync ----------------------------------------------------------------------------------

FROM = f" from {ATTACKER} port 5022"
FAKE = f" from {VICTIM} port 22 ssh2"
CERTIFICATE = f": RSA-CERT SHA256:abc ID root{FAKE} (serial 0) CA RSA SHA256:abc"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"Failed password for invalid user root{FAKE}: x{FROM} ssh2", {"client_ip": ATTACKER, "forgeable": False}),
        (f"Invalid user Accepted password for root{FAKE}{FROM}", {"client_ip": ATTACKER, "outcome": "failed"}),
        (f"Failed publickey for invalid user x{FROM} ssh2{CERTIFICATE}", {"outcome": "failed", "forgeable": True}),
        (f"Accepted publickey for li{FROM} ssh2{CERTIFICATE}", {"account": "li", "client_ip": ATTACKER}),
        (
            (
                f"Disconnecting invalid user a {ATTACKER} port 5: Change of username or service not allowed: "
                f"(a,ssh-connection) -> (b {VICTIM} port 22: y,ssh-connection) [preauth]"
            ),
            {"forgeable": True, "record_role": "part"},
        ),
        (f"subsystem request for x{FAKE} by user li failed, subsystem not found", {"client_ip": None, "account": "li"}),
        (f'error: kex_exchange_identification: client sent invalid protocol identifier "x{FAKE}"', {"client_ip": None}),
        (f"Bad protocol version identification 'x{FAKE}'{FROM}", {"client_ip": ATTACKER}),
    ],
)
def test_sshd(message, expected):
    holds(only("openssh_sftp", f"{SYSLOG}sshd[7]: {message}"), expected)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('close "/a" bytes read 0 written 999" bytes read 23 written 0', {"action": "download", "bytes": 23}),
        ('remove name "/a" flags READ mode 0666"', {"action": "delete"}),
        ('rename old "/a" new "/b" new "/c"', {"action": "rename", "forgeable": True}),
    ],
)
def test_sftp_server(message, expected):
    holds(only("openssh_sftp", f"{SYSLOG}internal-sftp[7]: {message}"), expected)


LONG = "/." * 480 + "/his.dmp" + "x" * 60


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("close", {"action": "download", "bytes": None, "bytes_kind": "unknown", "record_role": "main"}),
        ("remove name", {"action": "delete", "record_role": "main"}),
        ("rename old", {"action": "rename", "record_role": "main"}),
        ("open", {"record_role": "part"}),
    ],
)
def test_sftp_server_tells_of_names_so_long_that_sshd_cuts_the_line(message, expected):
    told = only("openssh_sftp", f'{SYSLOG}internal-sftp[7]: {message} "{LONG}'[:1060])
    holds(told, {**expected, "truncated": True})
    assert told["path"].startswith("/./.")


def test_sudo():
    line = (
        f"{SYSLOG}sudo: li : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=/bin/true ; USER=root ; COMMAND=/usr/bin/pg_dump"
    )
    holds(only("openssh_sftp", line), {"account": "li", "forgeable": True})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (f"unlinkat|ok|/s/a|root|{VICTIM}|pread_send|ok|/s/b", {"action": "delete", "account": "li", "client_ip": ATTACKER}),
        ("pread_send|ok|openat|fail (No such file or directory)|r|x", {"action": "download"}),
        ("renameat|ok|/s/a|/b|/s/c", {"action": "rename", "forgeable": True}),
    ],
)  # fmt: skip
def test_samba(request_, expected):
    holds(only("samba_full_audit", f"{SYSLOG}smbd_audit: li|{ATTACKER}|{request_}"), expected)


RSYNCD = {"rsyncd": "2026/11/20 02:11:06 [10125] ", "rsyncd_syslog": SYSLOG + "rsyncd[10125]: "}


@pytest.mark.parametrize("name", RSYNCD)
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"recv x [{ATTACKER}] mod (li) send y [{VICTIM}] mod (root) /b 999 23", {"action": "upload", "account": "li", "bytes": 23}),
        (f"rsync on mod/x from root@y ({VICTIM}) from li@x ({ATTACKER})", {"client_ip": ATTACKER, "account": "li"}),
        (f"auth failed on module m from x ({ATTACKER}) for a from x ({VICTIM}) for root: no", {"client_ip": ATTACKER, "object_name": "m"}),
        (f"unknown module 'm' tried from x ({VICTIM})' tried from x ({ATTACKER})", {"client_ip": ATTACKER, "outcome": "failed"}),
    ],
)  # fmt: skip
def test_rsyncd(name, message, expected):
    holds(only(name, RSYNCD[name] + message), expected)


@pytest.mark.parametrize("text", ["message repeated 999 times: [ x]", f"connect from x ({VICTIM})"])
def test_rsyncd_with_a_format_that_begins_with_a_name_marks_what_a_refused_client_can_write(text):
    told = rows("rsyncd", f"{RSYNCD['rsyncd']}{text} 23\n", log_format="%f %l")
    assert [row["forgeable"] for row in told if row["action"] in {"upload", "download"}] == [True]


# --- web, mail, host ----------------------------------------------------------------------------------------------

STAMP = "[18/Nov/2026:09:02:12 +0800]"
LARGE = 50_000_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'{ATTACKER} - {VICTIM} - root {STAMP} "GET /a HTTP/1.1" 200 5 "-" "-"', {"client_ip": ATTACKER}),
        (f'{ATTACKER} - x {STAMP} \\x22GET {STAMP} "GET /a HTTP/1.1" 404 5 "-" "-"', {"client_ip": ATTACKER, "path": "/a", "outcome": "failed"}),
        (f'{ATTACKER} - li {STAMP} "GET /a HTTP/1.1" 200 23 "-" "x\\x22 200 999"', {"bytes": 23}),
        # names that reach the same program and look like a folder, a page or a method of no consequence
        (f'{ATTACKER} - li {STAMP} "GET /export.php/ HTTP/1.1" 200 {LARGE} "-" "-"', {"action": "download", "bytes": LARGE}),
        (f'{ATTACKER} - li {STAMP} "GET /export.php/x.css HTTP/1.1" 200 {LARGE} "-" "-"', {"action": "download", "bytes": LARGE}),
        (f'{ATTACKER} - li {STAMP} "BREW /export.php HTTP/1.1" 200 {LARGE} "-" "-"', {"action": "download", "bytes": LARGE}),
        (f'{ATTACKER} - li {STAMP} "DELETE /export.php HTTP/1.1" 200 {LARGE} "-" "-"', {"action": "download", "bytes": LARGE}),
    ],
)  # fmt: skip
def test_web_combined(line, expected):
    holds(only("web_combined", line, assets=[".css"]), expected)


def test_web_json():
    line = (
        f'{{"ts":"2026-11-18T09:02:12+08:00","ip":"{ATTACKER}","user":"li","method":"GET","uri":"/a","status":200,'
        r'"sent":23,"ua":"x\",\"sent\":999,\"ip\":\"192.0.2.1"}'
    )
    holds(only("web_json", line), {"client_ip": ATTACKER, "bytes": 23, "account": "li"})


def test_two_requests_whose_long_names_begin_alike_are_two_acts():
    line = f'{ATTACKER} - li {STAMP} "GET {{}} HTTP/1.1" 206 5000 "-" "-"'
    long = "/." * 100
    names = [f"{long}/patients.dmp", f"{long}/readme.txt", "/export?table=patients", "/export?table=wards"]
    keys = {only("web_combined", line.format(name))["activity_key"] for name in names}
    assert len(keys) == len(names)


MAIL = [
    f"smtpd[7]: ABCDEF0: client=x[{ATTACKER}]",
    f'cleanup[7]: ABCDEF0: info: header Content-Type: x; name="his.csv" from x[{ATTACKER}]; from=<li@h> to=<b@o> proto=ESMTP helo=<x>',
    "qmgr[7]: ABCDEF0: from=<li@h>, size=1370, nrcpt=1 (queue active)",
    "smtp[7]: ABCDEF0: to=<b@o>, relay=o[198.51.100.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
]


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (1, "helo=<x>", f"helo=<x from y[{VICTIM}]; from=<root@h> to=<z@z>>"),  # a greeting like the end of a header
        (1, "from=<li@h>", 'from=<"a>b"@evil.example>'),  # a sender that would break the form, and hide the attachment
        (1, "Content-Type: x", f"Content-Type: x from y[{VICTIM}]; from=<root@h> to=<z@z>"),
        (2, "<li@h>", '<"a>, status=expired, returned to sender"@h>'),  # a sender like a mail that expired
    ],
)
def test_postfix_delivery_keeps_client_and_attachment(line, old, new):
    lines = [text.replace(old, new) if number == line else text for number, text in enumerate(MAIL)]
    told = rows("postfix", "".join(f"{SYSLOG}postfix/{text}\n" for text in lines))
    assert all(row["error_code"] is None for row in told)
    holds(told[-1], {"client_ip": ATTACKER, "path": "his.csv", "outcome": "ok", "bytes": 1370})
    assert told[-1]["account"] != "root@h"


def test_postfix_text_of_a_header_is_no_delivery():
    text = (
        f"{SYSLOG}postfix/cleanup[7]: ABCDEF0: to=<b@o>, relay=x, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (x)\n"
    )
    assert [row["action"] for row in rows("postfix", text)] == ["notice"]


def test_linux_kernel_names_of_a_device_stand_behind_fixed_text():
    line = f"{SYSLOG}kernel: [1.0] usb 1-1: Product: x usb-storage 1-1:1.0: USB Mass Storage device detected"
    assert not rows("linux_kernel", line + "\n")


def test_linux_auditd_second_result_is_marked():
    line = (
        'type=USER_CMD msg=audit(1795236090.123:8801): pid=1 uid=1000 auid=1000 ses=1 msg=\'cwd="/x" cmd=6C73 '
        "terminal=pts/0 res=success res=failed'"
    )
    holds(only("linux_auditd", line), {"outcome": "failed", "forgeable": True})


# --- databases ----------------------------------------------------------------------------------------------------

AUDIT = "20261111 09:06:10,db1,{user}," + ATTACKER + ",5,0,FAILED_CONNECT,,,1045\n"


@pytest.mark.parametrize(
    "user",
    [
        f"root,{VICTIM},9,1,CONNECT,his,,0",
        f"x\n20261111 09:06:10,db1,root,{VICTIM},9,1,QUERY,his,'drop table t',0\ny",
        f"x\n20261111 09:06:10,evil,root,{VICTIM},9,1,CONNECT,his,,0",
        # the first and the last line of the name complete the server's own: three sound records
        f"a,1.1.1.1,1,0,CONNECT,,,0\n20261111 09:06:10,db1,root,{VICTIM},9,1,QUERY,his,'drop table t',0\n20261111 09:06:10,db1,z",
    ],
)
def test_mariadb_server_audit(user):
    text = "20261111 09:06:10,db1,li,10.1.1.1,4,0,CONNECT,his,,0\n" + AUDIT.format(user=user)
    told = rows("mariadb_server_audit", text)[1:]
    assert told
    assert all(row["forgeable"] for row in told)


def test_mariadb_server_audit_syslog():
    name = f"root,{VICTIM},9,1,QUERY,his,'drop table t',0#012x"
    line = f"{SYSLOG}mysql-server_auditing:  db1,{name},{ATTACKER},5,0,FAILED_CONNECT,,,1045"
    holds(only("mariadb_server_audit_syslog", line), {"client_ip": ATTACKER, "outcome": "failed", "forgeable": True})


QUERY = "261111  9:06:10\t     5 Query\t"
BANNER = "x, Version: y started with:\nTcp port: 1  u: x\nTime                Id Command  Argument\n"
SLOW = (
    "# Time: 261111  9:06:10\n# User@Host: a[a] @  [192.0.2.7]\n# Thread_id: 5  Schema: his  QC_hit: No\n"
    "# Query_time: 1.0  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 8\nSET timestamp=1794359102;\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mariadb_general_log", f"{QUERY}SELECT name,\n\t\t     5 Ping\tFROM patients\n"),
        ("mariadb_general_log", f"{QUERY}SELECT name,\n\t\t     5 Quit\tFROM patients\n"),
        ("mariadb_general_log", f"{QUERY}/*\n\t\t     5 Close stmt\t*/ SELECT * FROM patients\n"),
        ("mariadb_general_log", f"{QUERY}/*\n{BANNER}*/ SELECT * FROM patients\n"),
        ("mariadb_slow_log", f"{SLOW}/*\n{BANNER}*/ SELECT * FROM patients;\n"),
        ("mariadb_slow_log", f"{SLOW}/* ;\n{SLOW}# administrator command: Ping;\n*/ SELECT * FROM patients;\n"),
    ],
)
def test_a_statement_that_imitates_its_log_is_told_to_its_end(name, text):
    parsed = parse(name, text)
    assert not parsed.skips
    assert not parsed.rejects.height
    assert parsed.events["forgeable"].all()
    assert parsed.events["statement"].str.contains("FROM patients").any()


ALIKE = [
    ("SELECT 'a', p.* FROM patients p", "SELECT 'a'"),
    ("SELECT `'`.* FROM patients `'`", "SELECT `'`.* FROM wards `'`"),
    ("SELECT /*! p.* FROM patients p, */ 1", "SELECT /*! w.* FROM wards w, */ 1"),
    ("SELECT /*M! p.* FROM patients p, */ 1", "SELECT /*M! w.* FROM wards w, */ 1"),
    ('SELECT "it\'s", p.* FROM patients p', 'SELECT "it\'s", w.* FROM wards w'),
    ("SELECT" + " " * 400 + "* FROM patients", "SELECT" + " " * 400 + "* FROM wards"),
    ("SELECT '" + "a" * 400 + "', p.* FROM patients p", "SELECT '" + "a" * 400 + "'"),
    ("SELECT /*" + "a" * 400 + "*/ * FROM patients", "SELECT /*" + "a" * 400 + "*/ 1"),
]


@pytest.mark.parametrize(("dump", "harmless"), ALIKE)
def test_no_harmless_statement_has_the_key_of_a_dump(dump, harmless):
    frame = pl.DataFrame({"connection": ["5", "5"], "statement": [dump, harmless]})
    frame = frame.with_columns(command=command_of("statement"))
    keys = frame.select(statement_key("connection", "statement", "command")).to_series()
    assert keys[0] is None or keys[0] != keys[1]


def test_a_dump_is_no_duplicate_of_a_slow_statement_after_it():
    """The slow log, read first, tells the harmless statement; the audit log then both. The dump must stay a main."""
    dump, harmless = ALIKE[0][0], "SELECT 'a', sleep(11)"
    slow = parse("mariadb_slow_log", f"{SLOW}{harmless};\n", "slow").events
    record = "20261111 09:06:10,db1,a,192.0.2.7,5,{},QUERY,his,'{}',0\n"
    escaped = [text.replace("'", "\\'") for text in (dump, harmless)]
    audit = parse("mariadb_server_audit", record.format(1, escaped[0]) + record.format(2, escaped[1]), "audit").events
    folding = Folding([("slow", "system"), ("audit", "system")])
    folding.fold(slow, RECEIVED)
    roles = folding.fold(audit, RECEIVED).select("statement", "record_role").rows()
    assert roles == [(dump, "main"), (harmless, "duplicate")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "mysql_audit_xml",
            (
                "<AUDIT_RECORD>\n<TIMESTAMP>2026-11-11T01:06:11 UTC</TIMESTAMP>\n<NAME>Query</NAME>\n<CONNECTION_ID>5</CONNECTION_ID>\n"
                "<STATUS>0</STATUS>\n<USER>li</USER>\n<SQLTEXT>select '&lt;/SQLTEXT>&lt;USER>root&lt;/USER>'</SQLTEXT>\n</AUDIT_RECORD>\n"
            ),
        ),
        (
            "percona_audit_csv",
            (
                '"Query","1_2026-11-11T01:06:11","2026-11-11T01:06:11 UTC","select","5",0,'
                '"select 1\n""Query"",""2_2026-11-11T01:06:11"",""2026-11-11T01:06:11 UTC"",""select"",""5"",0,""x"",""root""",'
                '"li","h","","192.0.2.7","his"\n'
            ),
        ),
        (
            "mysql_audit_json",
            (
                '[\n{ "timestamp": "2026-11-11 01:06:11", "id": 0, "class": "general", "event": "status", "connection_id": 5, '
                '"account": { "user": "li", "host": "h" }, "login": { "user": "li", "os": "", "ip": "192.0.2.7", "proxy": "" }, '
                '"general_data": { "command": "Query", "sql_command": "select", '
                r'"query": "select 1 }\n{ \"timestamp\": \"2026-11-11 01:06:11\", \"login\": { \"user\": \"root\" }", "status": 0 } }'
                "\n]\n"
            ),
        ),
    ],
)
def test_mysql_audit(name, text):
    told = rows(name, text)
    assert [row["account"] for row in told] == ["li"]


PG = "2026-11-11 09:06:10.123 CST [5] "


@pytest.mark.parametrize(
    "line",
    [
        f'{PG}x@y LOG:  statement: drop table t;--@his FATAL:  password authentication failed for user "x@y LOG:  statement"\n',
        f'{PG}x\n{PG}root@his LOG:  statement: drop table t\n@his FATAL:  role "x" does not exist\n',
    ],
)
def test_postgresql_stderr(line):
    believed = [row for row in rows("postgresql_stderr", line) if row["action"] == "query" and not row["forgeable"]]
    assert not believed


def test_postgresql_syslog_pieces_begin_no_record():
    text = (
        f"{SYSLOG}postgres[5]: [1-1] {PG}x\n"
        f"{SYSLOG}postgres[5]: [1-2] #011{PG}root@his LOG:  statement: drop table t\n"
        f'{SYSLOG}postgres[5]: [1-3] #011@his FATAL:  role "x" does not exist\n'
    )
    believed = [row for row in rows("postgresql_syslog", text) if row["action"] == "query" and not row["forgeable"]]
    assert not believed


def csvlog(message: str, query: str, context: str) -> str:
    texts = ['"' + text.replace('"', '""') + '"' for text in (message, context, query)]
    return (
        f'2026-11-11 09:06:10.123 CST,"li","his",5,"{ATTACKER}:5022",6b000000.5,3,"DO",2026-11-11 09:06:00 CST,3/4,0,LOG,00000,'
        f'{texts[0]},,,,,{texts[1]},{texts[2]},,,"app","client backend",,0\n'
    )


@pytest.mark.parametrize(
    "message",
    [
        'AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,"select 1",<not logged>',
        "statement: select 1",
        "disconnection: session time: 0:00:01.000 user=root database=his host=192.0.2.1",
        "duration: 1.000 ms",
        'received SIGHUP, reloading "postgresql.conf"',
    ],
)
def test_postgresql_csvlog_raised_messages_are_notices(message):
    """RAISE LOG writes any message, but with the statement and its context."""
    told = rows(
        "postgresql_csvlog", csvlog(message, "do $$ … $$", "PL/pgSQL function inline_code_block line 1 at RAISE")
    )
    assert [row["action"] for row in told] == ["notice"]


def test_postgresql_jsonlog_raised_messages_are_notices():
    line = (
        '{"timestamp":"2026-11-11 09:06:10.123 CST","user":"li","dbname":"his","pid":5,"remote_host":"203.0.113.9",'
        '"session_id":"6a.5","line_num":3,"ps":"DO","error_severity":"LOG","message":"statement: select 1",'
        r'"context":"PL/pgSQL function inline_code_block line 1 at RAISE","statement":"do $$ \",\"message\":\"x $$"}'
    )
    assert [row["action"] for row in rows("postgresql_jsonlog", line + "\n")] == ["notice"]


# --- what the site describes itself, and mixed streams -------------------------------------------------------------

BASE = {
    "fields": {"occurred_at": "at", "account": "who", "path": "file"},
    "constant": {"action": "download"},
}
PATTERN = "(?P<at>[^ ]+) (?P<who>.*) got (?P<file>.*)"


@pytest.mark.parametrize(
    ("name", "line", "options", "expected"),
    [
        ("json_lines", r'{"at":"2026-11-20T00:00:00Z","who":"li","file":"/x\",\"who\":\"root"}', {}, {"account": "li"}),
        ("key_value", 'at=2026-11-20T00:00:00Z who=li file="/x who=root"', {}, {"account": "li", "forgeable": False}),
        ("key_value", "at=2026-11-20T00:00:00Z file=/x who=root who=li", {}, {"forgeable": True}),
        ("csv_lines", '2026-11-20T00:00:00Z,li,"/x"",root"', {"columns": ["at", "who", "file"]}, {"account": "li"}),
        ("regex_lines", "2026-11-20T00:00:00Z li got /y got /x", {"pattern": PATTERN}, {"forgeable": True}),
    ],
)
def test_generic(name, line, options, expected):
    holds(only(name, line, **BASE, **options), expected)


def test_syslog_goes_by_the_tag_not_by_the_message():
    line = f"{SYSLOG}cron[7]: {SYSLOG}sshd[7]: Accepted password for root{FAKE}"
    parsed = parse("syslog", line + "\n")
    assert parsed.events.is_empty()
    assert parsed.skips["other_program"][0] == 1

"""GBK, EUC-CN and UTF-8 mixed in one file, one record after the other: names come out right, bad bytes survive as escapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from parsers.events import Origin
from parsers.registry import parsers

NAME = "患者名单"
WHEN = datetime(2027, 1, 1, 4, tzinfo=UTC)
Escape = Callable[[bytes], bytes]


def raw(name: bytes) -> bytes:
    return name


def percent(name: bytes) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in name)


def hexadecimal(name: bytes) -> bytes:
    """nginx: \\xHH of every byte from 0x7f on."""
    return b"".join(b"\\x%02X" % byte if byte >= 0x7F else bytes([byte]) for byte in name)


def octal(name: bytes) -> bytes:
    """sshd: \\ooo."""
    return b"".join(b"\\%03o" % byte if byte >= 0x7F else bytes([byte]) for byte in name)


def rsync_octal(name: bytes) -> bytes:
    """rsync in the C locale: \\#ooo of 0x80 to 0x9f alone, so that a character is escaped in part."""
    return b"".join(b"\\#%03o" % byte if 0x80 <= byte <= 0x9F else bytes([byte]) for byte in name)


def audit_hex(name: bytes) -> bytes:
    return name.hex().upper().encode()


@dataclass(frozen=True)
class Case:
    """`record` holds @@ once, where the server writes it; `column` must be `told` with the name in it."""

    format: str
    record: bytes
    column: str
    told: str = "{}"
    escape: Escape = raw
    options: dict[str, object] = field(default_factory=dict)


PG = b'%s,"%s","his",77,"10.0.0.5:1",6a1b2c3d.4d,%d,"SELECT",2026-11-18 08:00:00 CST,3/4,0,%s,%s,"%s",,,,,,,,,"psql","client backend",,0\n'
CASES = [
    Case("postgresql_csvlog", PG % (b"2026-11-18 09:00:00.123 CST", b"u", 5, b"LOG", b"00000", b"AUDIT: SESSION,1,1,READ,SELECT,,,select '@@',<none>,1"), "statement", "select '{}'"),
    Case("postgresql_csvlog", PG % (b"2026-11-18 09:00:00.123 CST", b"@@", 5, b"LOG", b"00000", b"AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1"), "account"),
    Case("postgresql_jsonlog", b'{"timestamp":"2026-11-18 09:00:00.123 CST","user":"@@","dbname":"his","pid":77,"remote_host":"10.0.0.5","remote_port":1,"session_id":"6a1b2c3d.4d","line_num":5,"ps":"SELECT","session_start":"2026-11-18 08:00:00 CST","vxid":"3/4","txid":0,"error_severity":"LOG","message":"AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1","backend_type":"client backend","query_id":0}\n', "account"),
    Case("postgresql_stderr", b"2026-11-18 09:00:00.123 CST [77] u@his LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select '@@',<none>,1\n", "statement", "select '{}'"),
    Case("postgresql_syslog", b"Nov 18 09:00:00 db postgres[77]: [5-1] 2026-11-18 09:00:00.123 CST [77] u@his LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select '@@',<none>,1\n", "statement", "select '{}'"),
    Case("mariadb_server_audit", b"20261118 09:00:00,h,app,10.0.0.5,7,9,QUERY,his,'select \\'@@\\'',0\n", "statement", "select '{}'"),
    Case("mariadb_server_audit_syslog", b"Nov 18 09:00:00 h mysql-server_auditing:  h,app,10.0.0.5,7,9,QUERY,his,'select \\'@@\\'',0\n", "statement", "select '{}'"),
    Case("mariadb_general_log", b"261118  9:00:00\t     5 Query\tselect '@@'\n", "statement", "select '{}'"),
    Case("mariadb_slow_log", b"# Time: 261118  9:00:00\n# User@Host: a[a] @  [10.0.0.5]\n# Thread_id: 5  Schema: his  QC_hit: No\n# Query_time: 0.000107  Lock_time: 0.000000  Rows_sent: 1  Rows_examined: 0\n# Rows_affected: 0  Bytes_sent: 11\nSET timestamp=1794963600;\nselect '@@';\n", "statement", "select '{}'"),
    Case("percona_audit_csv", b'"Query","3_2026-11-11T08:55:01","2026-11-18T01:00:00 UTC","select","11",0,"select \'@@\'","a[a] @  [10.0.0.5]","","","10.0.0.5","his"\n', "statement", "select '{}'"),
    Case("mysql_audit_json", b'{"audit_record":{"name":"Query","record":"3_2026-11-11T08:55:01","timestamp":"2026-11-18T01:00:00 UTC","command_class":"select","connection_id":"11","status":0,"sqltext":"select \'@@\'","user":"a[a] @  [10.0.0.5]","host":"","os_user":"","ip":"10.0.0.5","db":"his"}}\n', "statement", "select '{}'"),
    Case("mysql_audit_xml", b'<AUDIT_RECORD\n  NAME="Query"\n  RECORD="3_2026-11-11T08:55:01"\n  TIMESTAMP="2026-11-18T01:00:00 UTC"\n  COMMAND_CLASS="select"\n  CONNECTION_ID="11"\n  STATUS="0"\n  SQLTEXT="select \'@@\'"\n  USER="a[a] @  [10.0.0.5]"\n  HOST=""\n  OS_USER=""\n  IP="10.0.0.5"\n  DB="his"\n/>\n', "statement", "select '{}'"),
    Case("vsftpd_syslog", b'Nov 18 09:00:00 h vsftpd[7]: [u] OK UPLOAD: Client "10.0.0.5", "/@@.dmp", 5 bytes, 1.00Kbyte/sec\n', "path", "/{}.dmp"),
    Case("xferlog", b"Wed Nov 18 09:00:00 2026 1 10.0.0.5 5 /home/u/@@.dmp b _ i r u ftp 0 * c\n", "path", "/home/u/{}.dmp"),
    Case("proftpd_extended", b'10.0.0.5 UNKNOWN u [18/Nov/2026:09:00:00 +0800] "STOR @@.dmp" 226 5\n', "path", "{}.dmp"),
    Case("pureftpd_stats", b"1794963600 6afcf914.2218 u 10.0.0.5 U 5 0 /home/u/@@.dmp\n", "path", "/home/u/{}.dmp"),
    Case("pureftpd_clf", b'10.0.0.5 - u [18/Nov/2026:09:00:00 +0800] "PUT /home/u/@@.dmp" 200 5\n', "path", "/home/u/{}.dmp", percent),
    Case("pureftpd_w3c", b"2026-11-18 01:00:00 10.0.0.5 []created /home/u/@@.dmp 226 u 5\n", "path", "/home/u/{}.dmp", percent),
    Case("pureftpd_syslog", b"Nov 18 09:00:00 h pure-ftpd: (u@10.0.0.5) [NOTICE] /home/u//@@.dmp uploaded  (5 bytes, 6.92KB/sec)\n", "path", "/home/u//{}.dmp"),
    Case("openssh_sftp", b'Nov 18 09:00:00 h internal-sftp[7]: remove name "/u/@@.dmp"\n', "path", "/u/{}.dmp", octal),
    Case("samba_full_audit", b"Nov 18 09:00:00 h smbd_audit: u|10.0.0.5|unlinkat|ok|/srv/@@.dmp\n", "path", "/srv/{}.dmp"),
    Case("rsyncd", b"2026/11/18 09:00:00 [77] send UNDETERMINED [10.0.0.5] pacs (u) @@.dmp 5\n", "path", "{}.dmp", rsync_octal),
    Case("web_combined", b'10.0.0.5 - u [18/Nov/2026:09:00:00 +0800] "GET /@@.dmp HTTP/1.1" 200 40 "-" "curl"\n', "path", "/{}.dmp", hexadecimal),
    Case("web_combined", b'10.0.0.5 - u [18/Nov/2026:09:00:00 +0800] "GET /@@.dmp HTTP/1.1" 200 40 "-" "curl"\n', "path", "/{}.dmp", percent),
    Case("web_json", b'{"ts":"2026-11-18T09:00:00+08:00","ip":"10.0.0.5","user":"u","method":"GET","uri":"/@@.dmp","status":200,"sent":42,"recv":163,"dur":0.4,"dest":"","ua":"x","completed":"OK"}\n', "path", "/{}.dmp"),
    Case("linux_auditd", b"type=SYSCALL msg=audit(1794963600.123:SERIAL): arch=c000003e syscall=257 success=yes exit=4 a2=241 items=1 pid=2 auid=1003 uid=1003 comm=cp\ntype=PATH msg=audit(1794963600.123:SERIAL): item=0 name=2F6D656469612F@@ inode=1 dev=08:11 mode=0100644 ouid=1003 ogid=1003 rdev=00:00 nametype=CREATE\n", "path", "/media/{}", audit_hex),
    Case("json_lines", b'{"t":"2026-11-18T09:00:00+08:00","who":"@@"}\n', "account", options={"fields": {"occurred_at": "t", "account": "who"}, "constant": {"action": "login"}}),
    Case("csv_lines", b"2026-11-18T09:00:00+08:00,@@\n", "account", options={"columns": ["t", "who"], "fields": {"occurred_at": "t", "account": "who"}, "constant": {"action": "login"}}),
    Case("key_value", b"t=2026-11-18T09:00:00+08:00 who=@@\n", "account", options={"fields": {"occurred_at": "t", "account": "who"}, "constant": {"action": "login"}}),
    Case("regex_lines", b"2026-11-18T09:00:00+08:00 @@\n", "account", options={"pattern": r"^(?P<t>\S+) (?P<who>.*)$", "fields": {"occurred_at": "t", "account": "who"}, "constant": {"action": "login"}}),
]  # fmt: skip
# not here: vsftpd_native and vsftpd's xferlog, whose daemon writes ? for such bytes; formats of one encoding


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.format}-{case.column}-{case.escape.__name__}")
def test_encodings_mixed_in_one_file(case: Case) -> None:
    names = [
        NAME.encode("utf-8"),
        NAME.encode("gbk"),
        NAME.encode("euc_cn"),
        NAME.encode("utf-8"),
        b"plain",
        b"\xff\x80\xff",
    ]
    chunk = b"".join(
        case.record.replace(b"@@", case.escape(name)).replace(b"SERIAL", b"%d" % number)
        for number, name in enumerate(names)
    )
    parser = parsers()[case.format].configured(case.options)
    origin = Origin("h", "s", "s", "/log", case.format, "0" * 16, 0, WHEN, WHEN)
    parsed = parser.parse(chunk, origin, ZoneInfo("Asia/Shanghai"), {})
    assert parsed.rejects.is_empty()
    values = parsed.events[case.column].drop_nulls().to_list()
    assert values[:5] == [case.told.format(name) for name in (NAME, NAME, NAME, NAME, "plain")]
    assert len(values) == len(names)
    assert "\\xff" in values[5].lower()

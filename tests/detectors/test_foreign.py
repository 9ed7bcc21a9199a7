"""Sigma rules of other products: each loads and finds what it was written for, or says exactly why not."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.catalogue import load_catalogue
from config.errors import ConfigError
from config.yaml12 import read_yaml_all
from detectors.cases import frame, rows
from detectors.engine import Engine
from detectors.rules import compile_rules
from monitor.protect import Protection, ephemeral_key
from monitor.rulecases import worked_out
from monitor.workers import Workers
from parsers.events import CONTEXT, Origin, empty
from parsers.registry import parsers
from parsers.sql.stage import Understanding

ZONE = ZoneInfo("Asia/Shanghai")

EXPORT = """title: MySQL Query Result Written To Server File
id: 7d1c0f52-3b0e-4f5a-9d6e-1f2a3b4c5d01
status: experimental
description: Somebody writes a result set into a file of the server.
author: somebody
date: 2024/03/09
logsource:
    product: mysql
    category: database
detection:
    selection:
        query|contains:
            - 'INTO OUTFILE'
            - 'INTO DUMPFILE'
    filter_backup:
        user: 'backup'
    condition: selection and not filter_backup
falsepositives:
    - Nightly exports
level: high
tags:
    - attack.exfiltration
    - attack.t1048
"""
WORDS = """title: Enumeration Of Server Files Through SQL
id: 7d1c0f52-3b0e-4f5a-9d6e-1f2a3b4c5d02
logsource:
    category: database
    definition: 'Requirements: statements are logged'
detection:
    keywords:
        - 'pg_read_file('
        - 'LOAD_FILE ('
        - 'drop   table'
    condition: keywords
level: low
"""
VOLUME = """title: Large Read By A Command Line Client
logsource: {product: postgresql, service: audit}
detection:
  client: {application_name|startswith: ['psql', 'pgcli']}
  many: {row_count|gte: 20000}
  ok: {status: success}
  condition: all of them
"""
GUESSING = """title: SSH Password Refused
name: ssh_refused
logsource: {product: linux, service: sshd}
detection:
  keywords: ['Failed password']
  condition: keywords
---
title: Password Guessing Against SSH
id: 7d1c0f52-3b0e-4f5a-9d6e-1f2a3b4c5d04
correlation:
  type: event_count
  rules: [ssh_refused]
  group-by: [src_ip]
  timespan: 5m
  condition: {gte: 3}
level: medium
tags: [attack.credential-access]
"""
DIFFERENT = GUESSING.replace("event_count", "value_count").replace("{gte: 3}", "{gte: 3, field: User}")
STRANGE = """title: Strange Messages Of The SSH Daemon
logsource: {product: linux, service: sshd}
detection:
  keywords:
    - '*maximum authentication attempts exceeded*'
    - 'Bad protocol version identification'
  condition: keywords
"""
ADDRESS = """title: Root Over SSH From Elsewhere
logsource: {product: linux, service: auth}
detection:
  in: {message|contains: 'Accepted publickey', User: root}
  inside: {src_ip|cidr: '10.0.0.0/8'}
  condition: in and not inside
"""
SSHD = b"""Nov 11 02:00:01 db1 sshd[101]: Failed password for root from 203.0.113.9 port 40001 ssh2
Nov 11 02:00:02 db1 sshd[102]: Failed password for invalid user oracle from 203.0.113.9 port 40002 ssh2
Nov 11 02:00:03 db1 sshd[103]: Failed password for his from 203.0.113.9 port 40003 ssh2
Nov 11 02:00:04 db1 sshd[104]: Failed publickey for his from 203.0.113.9 port 40004 ssh2
Nov 11 02:00:05 db1 sshd[105]: Accepted publickey for root from 203.0.113.9 port 40005 ssh2: RSA SHA256:x
Nov 11 02:00:06 db1 sshd[106]: Accepted publickey for root from 10.0.0.9 port 40006 ssh2: RSA SHA256:x
Nov 11 02:00:07 db1 sshd[107]: error: maximum authentication attempts exceeded for his from 10.0.0.8 port 40007 ssh2 [preauth]
"""


@pytest.fixture(scope="module")
def attach():
    with Workers() as workers:
        yield Understanding(workers.analyser(load_catalogue()), ephemeral_key()).attach


def compiled(tmp_path, text, **options):
    file = tmp_path / "foreign.yml"
    file.write_text(text, encoding="utf-8")
    return compile_rules(read_yaml_all(file), **options)


def raised(rules, events):
    return Engine(rules, zone="Asia/Shanghai").observe(events, events["occurred_at"].max()).findings


def statements(attach, *events):
    return worked_out(frame([row for event in events for row in rows(event, ZONE)]), attach, None)


def ssh_events():
    moment = datetime(2026, 11, 11, 3, tzinfo=UTC)
    origin = Origin("h", "db1", "ssh", "auth.log", "openssh_sftp", "0" * 16, 0, moment, moment)
    events = parsers()["openssh_sftp"].parse(SSHD, origin, ZONE, {}).events
    stored = Protection.stored(events)  # as detection sees them
    return stored.hstack(Understanding(lambda _: [], b"k").attach(stored).select(pl_facts())).hstack(
        empty(CONTEXT).clear(stored.height)
    )


def pl_facts():
    from parsers.events import FACTS

    return list(FACTS)


def test_what_it_becomes(tmp_path):
    (rule,) = compiled(tmp_path, EXPORT)
    assert rule.id.startswith("EXF-S")
    assert rule.id == compiled(tmp_path, EXPORT.replace("2024/03/09", "2025/01/01"))[0].id
    assert (rule.level, rule.staged, rule.uuid) == ("high", True, "7d1c0f52-3b0e-4f5a-9d6e-1f2a3b4c5d01")
    assert rule.title_en == "MySQL Query Result Written To Server File"
    assert "Nightly exports" in rule.block.honest_en
    assert rule.tags == ("attack.exfiltration", "attack.t1048")


def test_its_file_may_say_more(tmp_path):
    block = "hiswatch: {id: EXF-70, staged: false, title_zh: 查询结果写入服务器文件, likelihood: 4}\n"
    (rule,) = compiled(tmp_path, EXPORT + block)
    assert (rule.id, rule.staged, rule.title_zh, rule.level) == ("EXF-70", False, "查询结果写入服务器文件", "critical")


@pytest.mark.parametrize(
    ("text", "statement", "columns", "fires"),
    [
        (EXPORT, "SELECT name FROM patients INTO OUTFILE '/tmp/a'", {"dialect": "mysql"}, True),
        (EXPORT, "select name from patients into   dumpfile '/tmp/a'", {"dialect": "mysql"}, True),
        (EXPORT, "SELECT name FROM patients INTO OUTFILE '/tmp/a'", {"dialect": "mysql", "account": "BACKUP"}, False),
        (EXPORT, "SELECT 'INTO OUTFILE'", {"dialect": "mysql"}, False),
        (EXPORT, "SELECT name FROM patients INTO OUTFILE '/tmp/a'", {"dialect": "postgres"}, False),
        (WORDS, "SELECT pg_read_file('/etc/passwd')", {}, True),
        (WORDS, "select load_file('/etc/passwd')", {"dialect": "mysql"}, True),
        (WORDS, "DROP TABLE IF EXISTS patients", {}, True),
        (WORDS, "SELECT 'pg_read_file('", {}, False),
        (WORDS, "DROP VIEW tables", {}, False),
        (VOLUME, "SELECT name FROM patients", {"rows": 20000}, True),
        (VOLUME, "SELECT name FROM patients", {"rows": 19999}, False),
        (VOLUME, "SELECT name FROM patients", {"rows": 20000, "outcome": "failed"}, False),
        (VOLUME, "SELECT name FROM patients", {"rows": 20000, "client_program": "DBeaver"}, False),
        (VOLUME, "SELECT name FROM patients", {"rows": 20000, "dialect": "mysql"}, False),
    ],
)
def test_statements(tmp_path, attach, text, statement, columns, fires):
    rules = compiled(tmp_path, text)
    assert (raised(rules, statements(attach, {"statement": statement, **columns})).height > 0) == fires


@pytest.mark.parametrize(
    ("text", "accounts"),
    [(GUESSING, 1), (GUESSING.replace("gte: 3", "gte: 4"), 0), (DIFFERENT, 1), (STRANGE, 1), (ADDRESS, 1)],
)
def test_messages_of_sshd(tmp_path, text, accounts):
    found = raised(compiled(tmp_path, text), ssh_events())
    assert found.height == accounts
    if text in (GUESSING, DIFFERENT):
        assert found["client_ip"].to_list() == ["203.0.113.9"]
        assert found["rule"][0].startswith("IDN-S")
    if text is ADDRESS:
        assert found["client_ip"].to_list() == ["203.0.113.9"]


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        (EXPORT.replace("product: mysql", "product: windows"), 8, "logsource.product", "product windows has no counterpart"),
        (EXPORT.replace("category: database", "category: process_creation"), 9, "logsource.category", "category process_creation"),
        (VOLUME.replace("service: audit", "service: trail"), 2, "logsource.service", "service trail"),
        (STRANGE.replace("sshd", "auditd"), 2, "logsource.service", "read are category database"),
        (EXPORT.replace("query|contains", "query|re"), 12, "detection.selection.query|re", "shape|re"),
        (EXPORT.replace("user: 'backup'", "table: 'patients'"), 16, "detection.filter_backup.table", "reads|contains"),
        (EXPORT.replace("user: 'backup'", "hostname: 'db1'"), 16, "detection.filter_backup.hostname", "write system"),
        (EXPORT.replace("user: 'backup'", "mood: 'bad'"), 16, "detection.filter_backup.mood", "field mood has no counterpart"),
        (EXPORT.replace("user:", "user|base64offset|contains:"), 16, "detection.filter_backup.user|base64offset|contains", "modifier base64offset"),
        (EXPORT.replace("'INTO DUMPFILE'", "\"WHERE '1'='1\""), 12, "detection.selection.query|contains", "literals and remarks"),
        (WORDS.replace("'drop   table'", "'or 1=1'"), 10, "detection.keywords[2]", "'or 1=1': can't be found: literals"),
        (STRANGE.replace("Bad protocol version identification", "session opened for user root"), 6, "detection.keywords[1]", "doubles of PAM"),
        (VOLUME.replace("status: success", "status: perhaps"), 6, "detection.ok.status", "value perhaps has no counterpart"),
        (VOLUME.replace("row_count|gte: 20000", "row_count: lots"), 5, "detection.many.row_count", "expected a number (here it is rows)"),
        (WORDS.replace("    condition: keywords", "    timeframe: 5m\n    condition: keywords"), 11, "detection.timeframe", "write a correlation"),
        (WORDS.replace("condition: keywords", "condition: keywords | count() by user > 5"), 11, "detection.condition", "write a correlation"),
        (WORDS.replace("condition: keywords", "condition: [keywords, not keywords]"), 11, "detection.condition", "one condition"),
        (GUESSING.replace("src_ip", "computername"), 13, "correlation.group-by", "computername has no counterpart"),
        (GUESSING.replace("'Failed password'", "'\"odd\"'"), 5, "detection.keywords[0]", "masked"),
        (GUESSING.replace("event_count", "value_avg"), 10, "correlation", "field"),
        (GUESSING.replace("timespan: 5m", "timespan: 5m\n  aliases: {ip: {ssh_refused: src_ip}}"), 15, "correlation.aliases", "aliases"),
        (EXPORT.replace("title: MySQL", "titel: MySQL"), 1, "title", "expected text"),
        (EXPORT + "hiswatch: {id: EXF-1}\n", 24, "hiswatch.id", "pattern"),
    ],
)  # fmt: skip
def test_why_not(tmp_path, text, line, key, words):
    with pytest.raises(ConfigError) as error:
        compiled(tmp_path, text)
    (problem,) = error.value.problems
    assert (problem.line, problem.key) == (line, key)
    assert words in problem.message


def test_a_base_alone_is_no_rule_of_its_own(tmp_path):
    assert len(compiled(tmp_path, GUESSING)) == 1
    assert len(compiled(tmp_path, GUESSING.partition("---")[0])) == 1


def test_no_two_rules_share_an_id(tmp_path):
    with pytest.raises(ConfigError, match="declared twice"):
        compiled(tmp_path, EXPORT + "---\n" + EXPORT)


def test_what_it_reads_is_the_same_in_the_store(tmp_path, attach):
    import duckdb

    events = statements(
        attach, *({"statement": text} for text in ("DROP  TABLE a", "SELECT pg_read_file ('x')", "SELECT 1"))
    )
    (rule,) = compiled(tmp_path, WORDS)
    shapes = events.select("shape").rows()
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (shape VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?)", shapes)
        slow = [row[0] for row in connection.execute(f"SELECT {rule.steps[0].sql} FROM t").fetchall()]
    assert slow == events.select(rule.steps[0].expression).to_series().to_list() == [True, True, False]
    assert Path(rule.file).name == "foreign.yml"

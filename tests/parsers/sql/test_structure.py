"""Statements with the facts expected of them: tests/parsers/sql/fixtures/<dialect>.sql."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from config.catalogue import load_catalogue
from parsers.sql.explain import explain
from parsers.sql.lexer import DIALECTS

FIXTURES = Path(__file__).with_name("fixtures")
CATALOGUE = load_catalogue()


def cases(dialect: str) -> list[Any]:
    found: list[Any] = []
    notes: list[str] = []
    lines: list[str] = []

    def close() -> None:
        if lines and notes:
            found.append(pytest.param(dialect, notes[-1], "\n".join(lines), id=f"{dialect}: {notes[-2]}"))
        lines.clear()

    for line in (FIXTURES / f"{dialect}.sql").read_text(encoding="utf-8").split("\n"):
        if line.startswith("--!"):
            if lines:
                close()
                notes.clear()
            notes.append(line[3:].strip())
        elif line.strip():
            lines.append(line)
    close()
    return found


ALL = [case for dialect in DIALECTS for case in cases(dialect)]


def expected(note: str) -> dict[str, str]:
    return dict(part.strip().split(": ", 1) for part in note.split(" | "))


def shown(key: str, value: object) -> str:
    if key == "aggregate" and isinstance(value, dict):
        return " ".join([*value["functions"], "by", *value["by"]])
    if key == "slots" and isinstance(value, list) and value:
        return " ".join(
            f"{slot['role']}={slot['column'] or '?'}/{slot['kind'][0]}{slot['ordinal']}x{slot['count']}"
            for slot in value
        )
    if key == "tenants" and isinstance(value, list) and value:
        return " ".join(f"{tenant['column']}={','.join(tenant['values'] or ['null'])}" for tenant in value)
    if isinstance(value, list):
        return " ".join(sorted(map(str, value))) or "-"
    return "-" if value in {None, ""} else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("dialect", "note", "text"), ALL)
def test_the_facts_of_a_statement(dialect: str, note: str, text: str) -> None:
    told = explain(text, dialect, CATALOGUE)
    assert len(told) == 1
    wanted = expected(note)
    lists = {key for key, value in told[0].items() if isinstance(value, list)} - {"slots", "tenants"}
    wanted = {key: " ".join(sorted(value.split())) if key in lists else value for key, value in wanted.items()}
    assert {key: shown(key, told[0][key]) for key in wanted} == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
def test_there_are_enough_of_them(dialect: str) -> None:
    texts = [text for _, _, text in (case.values for case in cases(dialect))]
    assert len(set(texts)) == len(texts) >= 150


# Statements that parsers leave opaque, refuse or misread, and what an administrator does to see no evidence.
KINDS = {
    "postgres": {
        "a block": r"^DO \$", "a prepared query": r"^PREPARE", "run by name": r"^EXECUTE \w+", "a cursor": r"^DECLARE", "its rows": r"^FETCH",
        "another role": r"^SET (?:LOCAL )?ROLE", "another session": r"^SET SESSION AUTHORIZATION", "settings of the server": r"^ALTER SYSTEM",
        "settings of a role": r"^ALTER ROLE \w+ SET", "settings of a database": r"^ALTER DATABASE \w+ SET", "of the session": r"^SET pgaudit",
        "explained and run": r"^EXPLAIN ANALYZE", "locked": r"^LOCK", "reindexed": r"^REINDEX", "published": r"^CREATE PUBLICATION",
        "a slot": r"_replication_slot", "replication": r"^START_REPLICATION", "a base backup": r"^BASE_BACKUP", "escaped names": r'U&"',
        "SQL in a function": r"query_to_xml", "a link": r"dblink\(", "a file read": r"pg_read_file", "a file written": r"lo_export",
        "a program": r"TO PROGRAM", "a table by name": r"^TABLE", "a copy": r"CREATE TABLE .* AS", "a function with text": r"FUNCTION .*EXECUTE '",
        "nested comments": r"/\* /\*", "full width": r"[ａ-ｚ]{4}", "renamed": r"RENAME TO", "an extension dropped": r"^DROP EXTENSION pgaudit",
    },
    "mysql": {
        "prepared text": r"^PREPARE \w+ FROM '", "run by name": r"^EXECUTE \w+ USING", "text at once": r"^EXECUTE IMMEDIATE", "OUTFILE": r"INTO OUTFILE",
        "DUMPFILE": r"INTO DUMPFILE", "rows loaded": r"^LOAD DATA", "a handler": r"(?i)^handler .* read", "a plug-in out": r"^UNINSTALL",
        "logs flushed": r"^FLUSH LOGS", "executable comments": r"/\*!50000", "a file read": r"LOAD_FILE", "a dump": r"/\*!40001", "audit off":
        r"server_audit_logging", "users left out": r"server_audit_excl_users", "length of the audit": r"server_audit_query_log_limit",
        "a role": r"^SET ROLE", "renamed": r"(?i)^rename table", "a copy": r"CREATE .*TABLE .* SELECT", "a view": r"VIEW", "replication": r"REPLICATION SLAVE",
        "full width": r"[ａ-ｚ]{4}", "zero width": "\u200b", "hexadecimal": r"0xE5BC", "an event": r"^CREATE EVENT", "a block": r"^BEGIN NOT ATOMIC",
        "cut off": r"'张\Z|in \(1,2,3,4,5,",
    },
    "oracle": {
        "numbered binds": r":1", "a block": r"^BEGIN", "a block with variables": r"^DECLARE", "a link": r"CREATE .*DATABASE LINK", "settings": r"^ALTER SYSTEM",
        "audit of the system": r"ALTER SYSTEM SET audit", "NOAUDIT": r"^NOAUDIT", "a policy": r"^AUDIT POLICY", "a policy out": r"^DROP AUDIT POLICY",
        "the trail purged": r"DBMS_AUDIT_MGMT", "flashback": r"^FLASHBACK", "the past": r"AS OF TIMESTAMP", "through a link": r"FROM \w+@", "q quotes": r"q'\[|q'\{",
        "text at once": r"^EXECUTE IMMEDIATE", "text in a block": r"BEGIN EXECUTE IMMEDIATE", "DBMS_SQL": r"DBMS_SQL", "XML": r"DBMS_XMLGEN", "files": r"UTL_FILE",
        "data pump": r"DBMS_DATAPUMP", "RMAN": r"^BACKUP DATABASE", "a role": r"^SET ROLE", "acting for another": r"CONNECT THROUGH", "synonyms": r"SYNONYM",
        "a copy": r"CREATE TABLE .* AS", "renamed": r"^RENAME", "full width": r"[ａ-ｚ]{4}", "homoglyphs": "р", "cut off": r"'P\Z",
    },
    "tsql": {
        "a backup": r"^BACKUP DATABASE", "OPENROWSET": r"OPENROWSET", "OPENQUERY": r"OPENQUERY", "text": r"^EXEC ?\('", "sp_executesql": r"sp_executesql",
        "drivers' prepared text": r"sp_prepexec", "the shell": r"xp_cmdshell", "another identity": r"^EXECUTE AS", "audit off": r"AUDIT .*STATE = OFF",
        "a linked server": r"sp_addlinkedserver", "a job": r"sp_add_jobstep", "renamed": r"sp_rename", "synonyms": r"SYNONYM", "a copy": r"INTO dbo.copy1",
        "four parts": r"lnk\.his\.dbo", "nested comments": r"/\* /\*", "hexadecimal": r"EXEC\(0x", "character by character": r"CHAR\(115\)", "full width": r"[ａ-ｚ]{4}",
        "change data capture": r"sp_cdc_enable", "cut off": r"'b\Z",
    },
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_kind_that_parsers_do_not_show_is_among_them(dialect: str) -> None:
    texts = [text for _, _, text in (case.values for case in cases(dialect))]
    missing = [kind for kind, form in KINDS[dialect].items() if not any(re.search(form, text) for text in texts)]
    assert missing == []


def test_a_handler_is_read_by_the_name_it_was_opened_under() -> None:
    told = explain("HANDLER patients OPEN AS h; HANDLER h READ FIRST; HANDLER h CLOSE", "mysql", CATALOGUE)
    assert [each["reads"] for each in told] == [["patients"], ["patients"], []]
    assert told[1]["output_classes"] == ["contact", "identity", "image"]


def test_a_table_of_a_handlers_name_is_another_one() -> None:
    told = explain("HANDLER patients OPEN AS h; SELECT name FROM h", "mysql", CATALOGUE)
    assert told[1]["reads"] == ["h"]
    assert told[1]["output_classes"] == []

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.sql.lexer import DIALECTS
from parsers.sql.lexical import lexical
from parsers.sql.structure import Statement
from parsers.sql.understand import structure

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(
    ("dialect", "text", "tables"),
    [
        (
            "postgres",
            "SELECT a FROM his.patient p, visit v JOIN (SELECT b FROM c) d ON 1=1 LEFT JOIN e USING (f), g",
            {"his.patient", "visit", "c", "e", "g"},
        ),
        ("postgres", "COPY a FROM PROGRAM 'cat x'", {"a"}),
        ("mysql", "SELECT name FROM program p WHERE a = 1", {"program"}),
        ("tsql", "MERGE dbo.a AS t USING b ON t.x = b.x WHEN MATCHED THEN DELETE;", {"dbo.a", "b"}),
        ("postgres", "INSERT INTO pivot (a, b) SELECT c FROM d", {"pivot", "d"}),
        ("postgres", "COPY BINARY a TO STDOUT", {"a"}),
        ("mysql", "INSERT DELAYED a SELECT b FROM c", {"a", "c"}),
        ("mysql", "INSERT delayed VALUES (1)", {"delayed"}),
        (
            "postgres",
            "WITH a AS (SELECT * FROM b), c(d) AS NOT MATERIALIZED (SELECT 1) SELECT * FROM a, c, x",
            {"b", "x"},
        ),
        ("postgres", "SELECT EXTRACT(year FROM d), SUBSTRING(e FROM 1 FOR 2) FROM f WHERE g IS DISTINCT FROM h", {"f"}),
        ("postgres", "SELECT * FROM generate_series(1, 2) s, ONLY (a)", {"a"}),
        ("postgres", 'SELECT * FROM "His"."Patient" WHERE x = \'from y\' -- from z', {"His.Patient"}),
        ("postgres", "UPDATE p SET a = 1 FROM patient p, q WHERE p.x = q.x", {"patient", "q"}),
        ("postgres", "DELETE FROM a USING b WHERE a.x = b.x", {"a", "b"}),
        ("postgres", "INSERT INTO a.b (c) SELECT d FROM e ON CONFLICT DO UPDATE SET c = 1", {"a.b", "e"}),
        ("postgres", "COPY his.patient (a, b) TO STDOUT", {"his.patient"}),
        ("postgres", "LOCK TABLE ONLY a.b IN SHARE MODE", {"a.b"}),
        ("postgres", "TRUNCATE a, b", {"a", "b"}),
        ("postgres", "GRANT SELECT ON patient TO x", {"patient"}),
        ("postgres", "TABLE patient", {"patient"}),
        ("postgres", 'SELECT * FROM U&"\\0070atient"', {"patient"}),
        ("postgres", "SELECT * FROM ｐａｔｉｅｎｔ", {"patient"}),
        ("postgres", "SELECT query_to_xml('select * from patient', true, true, '')", {"patient"}),
        ("postgres", "DO $$ BEGIN EXECUTE 'select * from patient'; END $$", {"patient"}),
        ("mysql", "SELECT a /*!50000 FROM patient */", {"patient"}),
        ("mysql", "DELETE p FROM patient p JOIN b ON p.a = b.a", {"patient", "b"}),
        ("mysql", "HANDLER patient OPEN", {"patient"}),
        ("mysql", "LOAD DATA INFILE '/x' INTO TABLE `a`.`b`", {"a.b"}),
        ("mysql", "SELECT a FROM b INTO OUTFILE '/x'", {"b"}),
        ("oracle", "SELECT * FROM patient@remote", {"patient@remote"}),
        ("oracle", "BEGIN EXECUTE IMMEDIATE q'[select * from patient]'; END;", {"patient"}),
        ("tsql", "SELECT * FROM [his].[dbo].[patient] p WITH (NOLOCK)", {"his.dbo.patient"}),
        ("tsql", "EXEC sp_executesql N'SELECT * FROM dbo.patient'", {"dbo.patient"}),
        ("tsql", "SELECT name INTO copy1 FROM patients", {"copy1", "patients"}),
    ],
)
def test_tables(dialect: str, text: str, tables: set[str]) -> None:
    assert set(lexical(text, dialect).tables) == tables


AUDIT = [
    ("postgres", "SET pgaudit.log = 'none'"),
    ("postgres", "ALTER SYSTEM SET log_statement TO 'none'"),
    ("postgres", "ALTER ROLE dba SET pgaudit.log = 'none'"),
    ("postgres", "ALTER DATABASE his RESET log_min_messages"),
    ("postgres", "SELECT set_config('pgaudit.log', 'none', false)"),
    ("postgres", "DROP EXTENSION pgaudit"),
    ("mysql", "SET GLOBAL server_audit_logging=OFF"),
    ("mysql", "SET @@global.general_log = 0"),
    ("mysql", "SET sql_log_bin = 0"),
    ("mysql", "SET SESSION long_query_time = 100"),
    ("mysql", "UNINSTALL SONAME 'server_audit'"),
    ("mysql", "UNINSTALL PLUGIN server_audit"),
    ("mysql", "TRUNCATE mysql.general_log"),
    ("oracle", "NOAUDIT ALL"),
    ("oracle", "DROP AUDIT POLICY p"),
    ("oracle", "ALTER SYSTEM SET audit_trail = none"),
    ("oracle", "BEGIN DBMS_AUDIT_MGMT.CLEAN_AUDIT_TRAIL(1); END;"),
    ("oracle", "DELETE FROM sys.aud$"),
    ("oracle", "SP_SET_ENABLE_AUDIT(0)"),
    ("tsql", "ALTER SERVER AUDIT a WITH (STATE = OFF)"),
    ("tsql", "DROP DATABASE AUDIT SPECIFICATION a"),
    ("tsql", "EXEC sp_configure 'default trace enabled', 0"),
]


@pytest.mark.parametrize(("dialect", "text"), AUDIT)
def test_audit_switches(dialect: str, text: str) -> None:
    assert lexical(text, dialect).audit_change


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgres", "SET statement_timeout = 0"),
        ("postgres", "SHOW log_statement"),
        ("postgres", "UPDATE settings SET log_statement = 'x' WHERE id = 1"),
        ("postgres", "SELECT current_setting('pgaudit.log')"),
        ("mysql", "SET NAMES utf8mb4"),
        ("mysql", "SELECT * FROM audit_trail"),
        ("tsql", "EXEC sp_configure 'max degree of parallelism', 4"),
    ],
)
def test_what_is_no_audit_switch(dialect: str, text: str) -> None:
    assert not lexical(text, dialect).audit_change


@pytest.mark.parametrize(
    ("dialect", "text", "codes"),
    [
        ("postgres", "COPY a TO PROGRAM 'x'", {"os_command"}),
        ("postgres", "COPY a TO '/tmp/x'", {"server_file"}),
        ("postgres", "SELECT pg_read_file('x')", {"server_file"}),
        ("postgres", "SELECT * FROM dblink('x', 'select 1')", {"link"}),
        ("postgres", "SELECT query_to_xml('x', true, true, '')", {"sql_function"}),
        ("postgres", "CREATE FUNCTION f() RETURNS int AS 'x' LANGUAGE C", {"library"}),
        ("postgres", "SELECT pg_sleep(5)", {"delay"}),
        ("mysql", "SELECT a FROM b INTO DUMPFILE '/x'", {"server_file"}),
        ("mysql", "SELECT LOAD_FILE('/etc/passwd')", {"server_file"}),
        ("mysql", "DELETE FROM a", {"unrestricted_write"}),
        ("mysql", "DELETE FROM a WHERE b = 1", set()),
        ("mysql", "TRUNCATE TABLE a", {"truncate"}),
        ("mysql", "DROP TABLE a", {"drop"}),
        ("mysql", "DROP INDEX a ON b", set()),
        ("oracle", "SELECT UTL_HTTP.REQUEST('x') FROM dual", {"link"}),
        ("oracle", "SELECT dbms_xmlgen.getxml('select 1 from dual') FROM dual", {"sql_function"}),
        ("oracle", "SELECT * FROM a@b", {"link"}),
        ("oracle", "CREATE DATABASE LINK a CONNECT TO b IDENTIFIED BY c", {"link"}),
        ("tsql", "EXEC master..xp_cmdshell 'dir'", {"os_command"}),
        ("tsql", "BACKUP DATABASE his TO DISK = 'x'", {"backup"}),
        ("tsql", "WAITFOR DELAY '0:0:5'", {"delay"}),
        ("tsql", "SELECT * FROM OPENROWSET('a', 'b', 'c')", {"link"}),
        ("postgres", "SELECT 'xp_cmdshell', 'pg_sleep(5)' FROM a", set()),
    ],
)
def test_dangerous(dialect: str, text: str, codes: set[str]) -> None:
    assert set(lexical(text, dialect).dangerous) == codes


@pytest.mark.parametrize(
    ("dialect", "text", "codes"),
    [
        ("postgres", "SELECT a FROM b WHERE c = 'x' OR 1=1", {"tautology"}),
        ("postgres", "SELECT a FROM b WHERE c = 'x' OR 'a'='a'", {"tautology"}),
        ("mysql", "SELECT a FROM b WHERE c = '' OR 1 -- '", {"tautology"}),
        ("mysql", "SELECT a FROM b WHERE c = 1 UNION SELECT 1,2,user FROM mysql.user", {"union", "dictionary"}),
        ("postgres", "SELECT a FROM b WHERE c = 1; DROP TABLE d", {"stacked"}),
        ("mysql", "SELECT a FROM b WHERE c = 1 AND SLEEP(5)", {"delay"}),
        ("postgres", "SELECT a FROM b WHERE c = 'x' OR d = 1", set()),
        ("postgres", "SELECT a FROM b WHERE 1=1 AND c = 2", set()),
        ("postgres", "SELECT a FROM b UNION ALL SELECT 'total', sum(c) FROM d", set()),
        ("postgres", "SELECT c.relname FROM pg_catalog.pg_class c UNION SELECT n FROM pg_catalog.pg_namespace", set()),
        ("postgres", "SELECT 1; SELECT 2", set()),
    ],
)
def test_injection(dialect: str, text: str, codes: set[str]) -> None:
    assert set(lexical(text, dialect).injection) == codes


@pytest.mark.parametrize(
    ("dialect", "text", "tool"),
    [
        ("postgres", "COPY his.patient (a, b) TO stdout;", "pg_dump"),
        ("postgres", "LOCK TABLE his.patient IN ACCESS SHARE MODE", "pg_dump"),
        ("mysql", "SELECT /*!40001 SQL_NO_CACHE */ * FROM `patient`", "mysqldump"),
        ("mysql", "SELECT /*!40001 SQL_NO_CACHE */ * FROM `his`.`patient`", "mydumper"),
        ("oracle", "SELECT * FROM sys_export_schema_01", "expdp"),
        ("mysql", "SELECT * FROM `patient`", None),
        ("postgres", "COPY patient TO STDOUT", None),
    ],
)
def test_dump_tools(dialect: str, text: str, tool: str | None) -> None:
    assert lexical(text, dialect).dump_tool == tool


def test_rights_identity_and_destinations() -> None:
    assert lexical("GRANT SELECT ON a TO b", "postgres").privilege_change
    assert lexical("ALTER USER a IDENTIFIED BY b", "oracle").privilege_change
    assert lexical("SET ROLE dba", "postgres").identity_switch
    assert not lexical("SET ROLE dba", "postgres").privilege_change
    assert lexical("EXECUTE AS USER = 'x'", "tsql").identity_switch
    assert lexical("COPY (SELECT 1) TO PROGRAM 'x'", "postgres").destination == "program"
    assert lexical("SELECT a INTO OUTFILE '/x' FROM b", "mysql").destination == "file"
    assert lexical("CREATE TABLE a AS SELECT * FROM b", "postgres").destination == "table"


def fixtures() -> list[tuple[str, str]]:
    found = []
    for dialect in DIALECTS:
        current: list[str] = []
        for line in [*(FIXTURES / f"{dialect}.sql").read_text("utf-8").split("\n"), ""]:
            if line.strip() and not line.startswith("--!"):
                current.append(line)
            elif current:
                found.append((dialect, "\n".join(current)))
                current = []
    return found


def named(statement: Statement) -> set[str]:
    return {*statement.tables, *statement.reads, *statement.writes} | {
        name for inner in statement.inner for name in named(inner)
    }


def test_words_name_a_superset_of_the_trees_tables() -> None:
    missed, lexical_names, not_tables = [], 0, 0
    for dialect, text in fixtures():
        statements = structure(text, dialect).statements
        tree = {name.lower() for statement in statements if statement.understood == "ast" for name in named(statement)}
        words = {name.lower() for name in lexical(text, dialect).tables}
        if tree - words:
            missed.append((dialect, text, tree - words))
        if all(statement.understood == "ast" for statement in statements):
            lexical_names += len(words)
            not_tables += len(words - tree)
    assert missed == []
    assert not_tables <= lexical_names / 10


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["select", "from", "(", ")", ",", "with", "as", "a", "b", ".", "@", "join", "on", "union", "into", "'x'", "1", "update", "set", "exec", '"', "[", "]", ";", "in", "or", "=", "table", "lock", "grant", "--", "/*", "/*!", "$$"]), max_size=30),
    st.sampled_from(DIALECTS),
)  # fmt: skip
def test_any_words_are_read(words: list[str], dialect: str) -> None:
    lexical(" ".join(words), dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "piece",
    [
        "or 0 ",
        "union select 0, ",
        "with a as (",
        "from (",
        "into ",
        "select a from b; ",
        "'select 1 from ",
        "not (",
        "values ((",
    ],
)
def test_hostile_repetition_is_read_in_one_pass(piece: str, dialect: str) -> None:
    lexical(piece * 10_000, dialect)  # a quadratic pass would take minutes

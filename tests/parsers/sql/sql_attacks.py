"""Texts meant to cost time, memory or a process: every kind of the threat model, and more. Each names the table `patients`."""

from __future__ import annotations

MEGABYTE = 1 << 20
READ = "SELECT name FROM patients WHERE "


def _nest(opener: str, inner: str, closer: str, depth: int) -> str:
    return opener * depth + inner + closer * depth


def _joined(parts: int, on: str = "") -> str:
    return "SELECT * FROM patients " + " ".join(f"JOIN t{i}{on.format(i)}" for i in range(parts)) + " WHERE a = 1"


def _deep(depth: int) -> dict[str, tuple[str, str]]:
    """Everything that nests, once at a depth that trees read and once far beyond."""
    columns = {
        "brackets": ("postgres", "SELECT " + _nest("(", "1", ")", depth) + " FROM patients"),
        "functions": ("mysql", "SELECT " + _nest("f(", "a", ")", depth) + " FROM patients"),
        "exists": ("oracle", _nest("SELECT 1 FROM patients WHERE EXISTS (", "SELECT 1 FROM patients", ")", depth)),
        "in_select": ("tsql", _nest("SELECT 1 FROM patients WHERE a IN (", "SELECT 1 FROM patients", ")", depth)),
        "derived": ("postgres", _nest("SELECT * FROM (", "SELECT * FROM patients", ") x", depth)),
        "from": ("postgres", "SELECT * FROM " + _nest("(", "patients", ")", depth)),
        "joined_from": ("postgres", "SELECT * FROM " + _nest("(", "patients", " JOIN t ON true)", depth)),
        "not": ("postgres", "SELECT " + "NOT " * depth + "a FROM patients"),
        "minus": ("mysql", "SELECT " + "- " * depth + "a FROM patients"),
        "case": ("postgres", "SELECT " + _nest("CASE WHEN a THEN b ELSE ", "c", " END", depth) + " FROM patients"),
        "case_when": ("mysql", "SELECT " + _nest("CASE WHEN ", "a", " THEN 1 END", depth) + " FROM patients"),
        "array": ("postgres", "SELECT " + _nest("ARRAY[", "1", "]", depth) + " FROM patients"),
        "subscript": ("postgres", "SELECT " + _nest("a[", "1", "]", depth) + " FROM patients"),
        "decimal": ("postgres", "SELECT CAST(a AS " + _nest("DECIMAL(", "1", ")", depth) + ") FROM patients"),
        "type": ("postgres", "SELECT CAST(a AS " + _nest("ARRAY<", "INT", ">", depth) + ") FROM patients"),
        "struct": ("postgres", "SELECT CAST(a AS " + _nest("STRUCT<b ", "INT", ">", depth) + ") FROM patients"),
        "cast": ("tsql", "SELECT " + _nest("CAST(", "a", " AS INT)", depth) + " FROM patients"),
        "colons": ("postgres", "SELECT a" + "::int" * depth + " FROM patients"),
        "between": ("oracle", READ + "a BETWEEN " * depth + "1" + " AND 2" * depth),
        "interval": ("mysql", "SELECT " + "a + INTERVAL " * depth + "1 DAY FROM patients"),
        "with": ("postgres", _nest("WITH x AS (", "SELECT * FROM patients", ") SELECT * FROM x", depth)),
        "window": ("postgres", "SELECT " + _nest("sum(", "a", ") OVER (PARTITION BY a)", depth) + " FROM patients"),
        "comments": ("postgres", _nest("/*", "x", "*/", depth) + "SELECT name FROM patients"),
        "executable": ("mysql", _nest("/*!50000 ", "SELECT name FROM patients", " */", depth)),
        "begin": ("oracle", _nest("BEGIN ", "DELETE FROM patients;", " END;", depth)),
        "if": ("tsql", "IF 1=1 " * depth + "SELECT name FROM patients"),
        "lambda": ("postgres", "SELECT " + "x -> " * depth + "1 FROM patients"),
        "braces": ("mysql", "SELECT " + _nest("{fn f(", "a", ")}", depth) + " FROM patients"),
        "dots": ("oracle", "SELECT " + "a." * depth + "b FROM patients"),
        "unions": ("oracle", _nest("(SELECT a FROM patients UNION ", "SELECT 1 FROM patients", ")", depth)),
    }
    return {f"{name}_{depth}": text for name, text in columns.items()}


def _long(count: int) -> dict[str, tuple[str, str]]:
    """Everything that may be long."""
    found = {
        "numbers": ("mysql", READ + "a IN (" + ",".join(map(str, range(count))) + ")"),
        "strings": ("postgres", READ + "a IN (" + ",".join(["'x'"] * count) + ")"),
        "mixed_list": ("postgres", READ + "a IN (" + ",".join(["'x', 1, NULL, a"] * (count // 4)) + ")"),
        "binds": ("postgres", READ + "a IN (" + ",".join(f"${i + 1}" for i in range(count)) + ")"),
        "questions": ("mysql", READ + "a IN (" + ",".join("?" * count) + ")"),
        "named_binds": ("oracle", READ + "a IN (" + ",".join(f":p{i}" for i in range(count)) + ")"),
        "rows": ("mysql", "INSERT INTO patients VALUES " + ",".join(["(1,'x')"] * count)),
        "odd_rows": ("mysql", "INSERT INTO patients VALUES " + ",".join(["(1)", "('x')"] * (count // 2))),
        "unions": ("postgres", " UNION ALL ".join(["SELECT name FROM patients"] * (count // 10))),
        "and": ("postgres", READ + " AND ".join(["a = 1"] * count)),
        "or": ("tsql", READ + " OR ".join(["a = 1"] * count)),
        "sum": ("oracle", "SELECT " + "1+" * count + "1 FROM patients"),
        "concatenation": ("oracle", "SELECT " + "'a'||" * count + "'b' FROM patients"),
        "columns": ("tsql", "SELECT " + ",".join(["a"] * count) + " FROM patients"),
        "whens": ("mysql", "SELECT CASE " + "WHEN a = 1 THEN 2 " * (count // 5) + "END FROM patients"),
        "ctes": ("postgres", "WITH " + ",".join(f"c{i} AS (SELECT * FROM patients)" for i in range(count // 10)) + " SELECT * FROM c1"),
        "chained_ctes": ("postgres", "WITH c0 AS (SELECT * FROM patients), " + ",".join(f"c{i + 1} AS (SELECT * FROM c{i} a, c{i} b)" for i in range(min(count // 10, 60))) + " SELECT * FROM c0"),
        "tables": ("mysql", "SELECT * FROM patients" + "".join(f", t{i}" for i in range(count))),
        "joins": ("mysql", _joined(count // 5)),
        "joins_on": ("mysql", _joined(count // 5, " ON a = {}")),
        "half_joins": ("mysql", _joined(count // 5, " JOIN u{0} ON a = {0}")),
        "statements": ("mysql", "SELECT name FROM patients;" * (count // 5)),
        "semicolons": ("postgres", "SELECT name FROM patients" + ";" * count),
        "strings_of_sql": ("tsql", "EXEC('" + "'''".join(["SELECT * FROM patients "] * (count // 10)) + "')"),
        "dynamic": ("oracle", "BEGIN " + "EXECUTE IMMEDIATE 'select * from patients'; " * (count // 10) + "END;"),
        "aliases": ("postgres", "SELECT * FROM patients" + " AS x" * count),
        "hints": ("oracle", "SELECT /*+ " + "FULL(a) " * count + "*/ name FROM patients"),
        "small_comments": ("mysql", "SELECT name FROM patients " + "/**/" * count),
        "dashes": ("mysql", "SELECT name FROM patients " + "--\n" * count),
        "group": ("postgres", "SELECT 1 FROM patients GROUP BY " + ",".join(["a"] * count)),
        "cube": ("postgres", "SELECT 1 FROM patients GROUP BY CUBE(" + ",".join(["a"] * count) + ")"),
        "whole_blocks": ("tsql", "DECLARE @s varchar(9) " + "SET @s = 'select * from patients' EXEC(@s) " * (count // 10)),
        "grants": ("postgres", "GRANT SELECT ON patients TO " + ",".join(["x"] * count)),
        "locks": ("mysql", "LOCK TABLES patients READ" + ", t READ" * count),
        "sets": ("mysql", "SET @a = (SELECT name FROM patients)" + ", @b = 1" * count),
    }  # fmt: skip
    return {f"{name}_{count}": text for name, text in found.items()}


def _bytes() -> dict[str, tuple[str, str]]:
    """What is no SQL, and what never closes."""
    back, close = "\\", "]]"
    return {
        "identifier": ("postgres", f"SELECT {'a' * MEGABYTE} FROM patients"),
        "quoted": ("tsql", f"SELECT [{'a' * MEGABYTE}] FROM patients"),
        "string": ("mysql", f"SELECT '{'a' * MEGABYTE}' FROM patients"),
        "number": ("postgres", f"SELECT {'9' * MEGABYTE} FROM patients"),
        "digits_and_letters": ("mysql", f"SELECT {'9' * (MEGABYTE // 2)}{'e' * (MEGABYTE // 2)} FROM patients"),
        "underscored": ("postgres", f"SELECT {'1_' * (MEGABYTE // 2)} FROM patients"),
        "exponents": ("mysql", "SELECT " + "1e1e" * (MEGABYTE // 4) + " FROM patients"),
        "comment": ("mysql", f"SELECT /* {'x' * MEGABYTE} */ name FROM patients"),
        "blanks": ("oracle", f"SELECT name{' ' * MEGABYTE}FROM patients"),
        "nul": ("postgres", "SELECT name FROM patients" + "\0" * MEGABYTE),
        "nul_between": ("mysql", "SELECT\0name\0FROM\0patients"),
        "surrogates": ("postgres", "SELECT '\ud800\udfff' FROM patients WHERE \ud800 = 1"),
        "surrogate_names": ("mysql", "SELECT name FROM patients, " + "\ud800" * 100_000),
        "chinese": ("oracle", f"SELECT {'病' * 300_000} FROM patients"),
        "zero_width": ("mysql", f"SELECT name FROM pat{chr(0x200B) * 100_000}ients"),
        "full_width": ("mysql", "ＳＥＬＥＣＴ ｎａｍｅ ＦＲＯＭ ｐａｔｉｅｎｔｓ"),
        "ligatures": ("postgres", "SELECT name FROM patients, " + "\ufdfa" * 100_000),
        "marks": ("postgres", "SELECT name FROM patients, a" + "\u0301" * 200_000),
        "open_quote": ("postgres", "SELECT name FROM patients WHERE a = '" + "x''" * 100_000),
        "open_escape": ("mysql", "SELECT name FROM patients WHERE a = '" + back * 300_001),
        "open_double": ("oracle", 'SELECT name FROM patients WHERE "' + '""' * 100_000),
        "open_bracket": ("tsql", "SELECT name FROM patients WHERE [" + close * 100_000),
        "open_backtick": ("mysql", "SELECT name FROM patients WHERE `" + "``" * 100_000),
        "open_dollar": ("postgres", "SELECT name FROM patients WHERE a = $a$" + "$b$" * 100_000),
        "dollar_tags": ("postgres", "SELECT name FROM patients WHERE a = " + "".join(f"$t{i}$" for i in range(50_000))),
        "dollars": ("postgres", "SELECT name FROM patients WHERE a = " + "$" * 300_001),
        "open_q": ("oracle", "SELECT name FROM patients WHERE a = " + "q'[x" * 100_000),
        "q_marks": ("oracle", "SELECT name FROM patients WHERE a = " + "".join(f"q'{chr(0x4E00 + i % 9000)}" for i in range(90_000))),
        "open_comments": ("postgres", "SELECT name FROM patients " + "/* " * 100_000),
        "open_comment_strings": ("mysql", "SELECT name FROM patients " + "/*' " * 100_000),
        "open_executable": ("mysql", "SELECT name FROM patients " + "/*!50000 " * 100_000),
        "closers": ("tsql", "SELECT name FROM patients " + "*/" * 200_000),
        "open_round": ("postgres", "SELECT name FROM patients WHERE a IN " + "(" * 200_000),
        "closed_round": ("postgres", "SELECT name FROM patients" + ")" * 200_000),
        "mixed_round": ("postgres", "SELECT name FROM patients WHERE a" + "[(" * 100_000 + ")]" * 100_000),
        "values_round": ("mysql", "INSERT INTO patients VALUES " + "((" * 100_000),
        "in_round": ("mysql", "SELECT name FROM patients WHERE a " + "IN (1," * 50_000),
        "prefixes": ("postgres", "SELECT name FROM patients WHERE a = " + "E'N'X'U&'" * 40_000),
        "escapes": ("postgres", 'SELECT U&"' + back + "0061" * 50_000 + '" FROM patients'),
        "uescape": ("postgres", 'SELECT name FROM U&"' + "!0070" * 50_000 + "\" UESCAPE '!', patients"),
        "operators": ("postgres", "SELECT name FROM patients WHERE a " + "<=>@" * 100_000),
        "signs": ("mysql", "SELECT name FROM patients WHERE a = " + "+-" * 100_000 + "1"),
        "commas": ("oracle", "SELECT name FROM patients" + "," * 300_000),
        "all_dots": ("tsql", "SELECT name FROM patients" + "." * 300_000),
        "variables": ("mysql", "SELECT name FROM patients WHERE a = " + "@" * 300_000),
        "soup": ("tsql", "SELECT name FROM patients " + "select from where join on as in not " * 5_000),
        "keywords": ("postgres", "SELECT name FROM patients " + "from " * 50_000),
        "unpivots": ("oracle", "SELECT name FROM patients " + "PIVOT (" * 10_000),
        "tautologies": ("mysql", "SELECT name FROM patients WHERE a = 1 " + "or 1=1 " * 20_000),
        "sets_of": ("mysql", "SELECT name FROM patients; " + "set global " * 20_000),
        "into": ("oracle", "SELECT name FROM patients " + "into a " * 30_000),
        "creates": ("mysql", "create " + "or replace " * 20_000 + "view v as select name from patients"),
        "as": ("postgres", "SELECT name FROM patients " + "as (" * 50_000),
        "cte_names": ("postgres", "SELECT name FROM patients " + "with a as not materialized (" * 10_000),
        "hex": ("tsql", "DECLARE @s varchar(9) = 0x" + "53" * 200_000 + " EXEC(@s) SELECT name FROM patients"),
        "format": ("postgres", "DO $$ BEGIN EXECUTE format('" + "%I" * 50_000 + "', 'patients'); PERFORM 1 FROM patients; END $$"),
        "text_in_text": ("tsql", "EXEC('EXEC(''SELECT name FROM patients'')')"),
        "crlf": ("mysql", "SELECT name FROM patients" + "\r\n" * 200_000),
        "broken_utf": ("postgres", "SELECT name FROM patients WHERE a = '\udcff\udcfe'"),
    }  # fmt: skip


def attacks() -> dict[str, tuple[str, str]]:
    """name -> (dialect, text)."""
    found: dict[str, tuple[str, str]] = {}
    for depth in (12, 25, 150, 1_000, 50_000):
        found |= _deep(depth)
    for count in (20, 60, 2_000, 19_000, 100_000):
        found |= _long(count)
    return found | _bytes()

"""SQL to test with: statements from a seeded grammar over the catalogues' tables, those of fixtures and golden samples, and damage."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from config.catalogue import load_catalogue
from parsers.sql.lexer import DIALECTS, scan

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "samples"
QUOTES = {"postgres": '""', "mysql": "``", "oracle": '""', "tsql": "[]"}
NOW = {"postgres": "now()", "mysql": "NOW()", "oracle": "SYSDATE", "tsql": "GETDATE()"}
LINKS = {"postgres": "||", "mysql": "", "oracle": "||", "tsql": "+"}


def written() -> list[tuple[str, str]]:
    """(dialect, statement) of the fixtures, the ways and the golden samples of the log formats, each once."""
    found: dict[tuple[str, str], None] = {}
    for path in sorted((HERE / "fixtures").glob("*.sql")):
        found.update(((path.stem, text), None) for text in _commented(path.read_text("utf-8")))
    for path in sorted((HERE / "ways").glob("*.sql")):
        for header, text in _headed(path.read_text("utf-8")):
            dialect = header.split("|")[0].strip()
            if dialect in DIALECTS:
                found[dialect, text] = None
    folders = [GOLDEN, *(Path(folder) for folder in filter(None, [os.environ.get("HISWATCH_SQL_TEXTS")]))]
    for path in sorted(path for folder in folders for path in folder.rglob("*.jsonl")):
        for line in path.read_text("utf-8", "replace").split("\n"):
            if '"statement": "' in line:
                event = json.loads(line)
                found[event.get("dialect") or "postgres", event["statement"]] = None
    return list(found)


def _headed(text: str) -> Iterator[tuple[str, str]]:
    header, lines = "", list[str]()
    for line in [*text.split("\n"), "--!"]:
        if line.startswith("--!"):
            if any(map(str.strip, lines)):
                yield header, "\n".join(lines).strip()
            header, lines = line[3:], []
        else:
            lines.append(line)


def _commented(text: str) -> list[str]:
    return [statement for _, statement in _headed(text)]


# --- statements from a grammar -----------------------------------------------------------------------------------------


@cache
def _schema() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """(schema or '', table, columns) of every table that the shipped packs describe."""
    rows = []
    for pack in load_catalogue().packs:
        for name, entry in pack.tables.items():
            schemas = entry.schemas or pack.schemas
            columns = tuple(entry.columns)[:12] or ("id", "name")
            rows += [(schemas[0] if schemas else "", known, columns) for known in (name, *entry.aliases[:1])]
    return tuple(rows)


class Grammar:
    """Statements as HIS programs, reports and administrators write them; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.dialect = "postgres"
        self.depth = 0
        self.sources: list[tuple[str, tuple[str, ...]]] = []

    def statement(self, dialect: str) -> str:
        self.dialect, self.depth, self.sources = dialect, 0, []
        kinds: list[Callable[[], str]] = [
            *[self.select] * 8, *[self.with_] * 2, self.union, self.insert, self.insert_select, self.update, self.delete, self.update_joined,
            self.delete_joined, self.define, self.change, self.merge,
        ]  # fmt: skip
        text = self.pick(kinds)()
        return self.spaced(text) + (";" if self.chance(0.1) else "")

    # small things

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, options: list[Callable[[], str]] | list[str] | tuple[str, ...]) -> Any:
        return self.random.choice(options)

    def spaced(self, text: str) -> str:
        """Another case of keywords, line ends and comments between words now and then."""
        if self.chance(0.15):
            text = text.replace(" FROM ", self.pick(["\nFROM ", "\r\n  FROM\t", " /* from x */ FROM ", " from "]))
        if self.chance(0.1):
            text = text.replace(" WHERE ", self.pick(["\n WHERE ", " -- of all\n WHERE ", " where "]))
        if self.chance(0.1):
            text = text.replace(" JOIN ", self.pick(["\nJOIN ", " join /* b, c */ "]))
        return text

    def quoted(self, name: str) -> str:
        opener, closer = QUOTES[self.dialect]
        must = not name.replace("_", "a").isalnum() or name[:1].isdigit()
        return f"{opener}{name}{closer}" if must or self.chance(0.12) else name

    def table(self) -> tuple[str, tuple[str, ...]]:
        schema, name, columns = self.random.choice(_schema())
        text = self.quoted(name)
        if schema and self.chance(0.4):
            text = f"{self.quoted(schema)}.{text}"
            if self.dialect == "tsql" and self.chance(0.2):
                text = f"{self.pick(['his', '[HIS]'])}.{text}"
        if self.dialect == "oracle" and self.chance(0.04):
            text += "@" + self.pick(["his_link", "LIS"])
        return text, columns

    def column(self) -> str:
        alias, columns = self.random.choice(self.sources) if self.sources else ("", ("id", "name"))
        name = self.quoted(self.random.choice(columns))
        return f"{alias}.{name}" if alias and self.chance(0.6) else name

    def value(self) -> str:
        number = self.random.randrange(1, 99999)
        options = [
            str(number),
            f"'{number}'",
            "'张三'",
            "'a from b'",
            "'O''Brien'",
            "NULL",
            "'2026-11-01'",
            f"{number}.5",
            NOW[self.dialect],
        ]
        bind = {"postgres": "$1", "mysql": "?", "oracle": ":1", "tsql": "@p1"}[self.dialect]
        return str(self.pick([*options, bind, bind, bind]))

    def expression(self) -> str:
        column = self.column()
        common = [
            column, column, column, f"UPPER({column})", f"COALESCE({column}, {self.value()})", f"COUNT(DISTINCT {column})", f"SUM({column})",
            f"CASE WHEN {self.condition()} THEN {column} ELSE {self.value()} END", f"MAX({column})", f"CAST({column} AS INT)", self.value(),
            f"ROW_NUMBER() OVER (PARTITION BY {self.column()} ORDER BY {column} DESC)",
        ]  # fmt: skip
        own = {
            "postgres": [f"EXTRACT(YEAR FROM {column})", f"SUBSTRING({column} FROM 1 FOR 3)", f"TRIM(BOTH ' ' FROM {column})", f"{column}::text", f"string_agg({column}, ',' ORDER BY {column})", f"{column} IS DISTINCT FROM {self.value()}", f"{column} -> 'from'"],
            "mysql": [f"EXTRACT(YEAR FROM {column})", f"TRIM(LEADING '0' FROM {column})", f"GROUP_CONCAT({column} SEPARATOR ';')", f"IFNULL({column}, 0)", f"DATE_FORMAT({column}, '%Y-%m')", f"SUBSTRING({column} FROM 2)"],
            "oracle": [f"NVL({column}, 0)", f"TO_CHAR({column}, 'YYYY-MM')", f"EXTRACT(YEAR FROM {column})", f"DECODE({column}, 1, 'a', 'b')", f"TRIM(BOTH '0' FROM {column})", f"LISTAGG({column}, ',') WITHIN GROUP (ORDER BY {column})"],
            "tsql": [f"ISNULL({column}, 0)", f"CONVERT(varchar(10), {column}, 120)", f"DATEDIFF(day, {column}, GETDATE())", f"SUBSTRING({column}, 1, 3)"],
        }[self.dialect]  # fmt: skip
        if self.depth < 2 and self.chance(0.06):
            return f"({self.nested()})"
        return str(self.pick(common + own))

    def condition(self) -> str:
        column = self.column()
        plain = [
            f"{column} = {self.value()}", f"{column} IN ({self.value()}, {self.value()})", f"{column} BETWEEN {self.value()} AND {self.value()}",
            f"{column} LIKE '%{self.random.randrange(99)}%'", f"{column} IS NOT NULL", f"{column} >= {self.value()}", f"NOT {column} = {self.value()}",
            f"({column} = {self.value()} OR {self.column()} < {self.value()})",
        ]  # fmt: skip
        if self.depth < 2 and self.chance(0.15):
            return self.pick(
                [
                    f"{column} IN ({self.nested()})",
                    f"EXISTS ({self.nested()})",
                    f"{column} = ({self.nested()})",
                    f"{column} > ALL ({self.nested()})",
                ]
            )
        return str(self.pick(plain))

    def conditions(self) -> str:
        return f" {self.pick(['AND', 'AND', 'OR'])} ".join(self.condition() for _ in range(self.random.randrange(1, 4)))

    def nested(self) -> str:
        outer, self.depth = self.sources, self.depth + 1
        text = self.select()
        self.sources, self.depth = outer, self.depth - 1
        return text

    # queries

    def source(self) -> str:
        alias = self.pick(["a", "b", "m", "d", "p", "t1", "x2", "pat", "病人", "mx"]) + (
            str(len(self.sources)) if self.sources else ""
        )
        if self.depth < 2 and self.chance(0.12):
            text = f"({self.nested()})"
            self.sources.append((alias, ("id", "name", "cnt")))
        else:
            name, columns = self.table()
            text = name + self.hint()
            if "@" not in name and self.chance(0.25):
                self.sources.append(("", columns))
                return text + (" (NOLOCK)" if self.dialect == "tsql" and self.chance(0.2) else "")
            self.sources.append((alias, columns))
        word = " AS " if self.dialect != "oracle" and self.chance(0.5) else " "
        text = f"{text}{word}{alias}"
        return text + (
            self.pick([" WITH (NOLOCK)", " (NOLOCK)"])
            if self.dialect == "tsql" and text[0] != "(" and self.chance(0.3)
            else ""
        )

    def hint(self) -> str:
        if self.dialect == "mysql" and self.chance(0.03):
            return " PARTITION (p1)"
        return " TABLESAMPLE SYSTEM (1)" if self.dialect == "postgres" and self.chance(0.01) else ""

    def from_(self) -> str:
        self.sources = []
        text = self.source()
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2, 3])):
            kind = self.random.random()
            if kind < 0.3:
                text += f", {self.source()}"
            elif kind < 0.4:
                text += f" CROSS JOIN {self.source()}"
            elif kind < 0.5 and self.dialect != "tsql":
                text += f" JOIN {self.source()} USING ({self.quoted('id')})"
            else:
                word = self.pick(
                    [
                        "JOIN",
                        "INNER JOIN",
                        "LEFT JOIN",
                        "LEFT OUTER JOIN",
                        "RIGHT JOIN",
                        "FULL JOIN" if self.dialect != "mysql" else "STRAIGHT_JOIN",
                    ]
                )
                text += f" {word} {self.source()} ON {self.column()} = {self.column()}"
        if self.dialect == "postgres" and self.chance(0.05):
            text += ", " + self.pick(
                ["generate_series(1, 10) AS g(n)", "unnest(ARRAY[1,2]) u", "LATERAL (" + self.nested() + ") lat"]
            )
        if self.dialect == "tsql" and self.chance(0.05):
            text += f" {self.pick(['CROSS', 'OUTER'])} APPLY ({self.nested()}) ap"
        return text

    def select(self) -> str:
        outer = self.sources
        from_ = self.from_()
        listed = "*" if self.chance(0.2) else ", ".join(
            self.expression() + (f" AS {self.pick(['n', 'cnt', '姓名', 'total', 'k'])}{i}" if self.chance(0.4) else "")
            for i in range(self.random.randrange(1, 5))
        )  # fmt: skip
        top = f"TOP {self.pick(['10', '(100)'])} " if self.dialect == "tsql" and self.chance(0.3) else ""
        text = f"SELECT {self.pick(['', '', '', 'DISTINCT '])}{top}{listed} FROM {from_}"
        if self.chance(0.75):
            text += f" WHERE {self.conditions()}"
        if self.chance(0.25):
            text += f" GROUP BY {self.column()}, {self.column()}" + (
                f" HAVING COUNT(*) > {self.random.randrange(9)}" if self.chance(0.3) else ""
            )
        if self.depth == 0 and self.chance(0.4):
            text += f" ORDER BY {self.column()} DESC"
            text += self.tail()
        self.sources = outer
        return text

    def tail(self) -> str:
        options = {
            "postgres": [" LIMIT 10", " LIMIT 10 OFFSET 20", " FETCH FIRST 5 ROWS ONLY", " FOR UPDATE", " FOR UPDATE SKIP LOCKED"],
            "mysql": [" LIMIT 10", " LIMIT 20, 10", " FOR UPDATE", " LOCK IN SHARE MODE"],
            "oracle": [" FETCH FIRST 5 ROWS ONLY", " OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY", " FOR UPDATE", " FOR UPDATE NOWAIT"],
            "tsql": [" OFFSET 0 ROWS FETCH NEXT 10 ROWS ONLY", " OPTION (RECOMPILE)"],
        }[self.dialect]  # fmt: skip
        return str(self.pick(["", *options]))

    def union(self) -> str:
        word = self.pick(["UNION", "UNION ALL", "MINUS" if self.dialect == "oracle" else "EXCEPT", "INTERSECT"])
        self.depth = 1
        text = f" {word} ".join(self.select() for _ in range(self.random.randrange(2, 4)))
        self.depth = 0
        return text

    def with_(self) -> str:
        parts = []
        known: list[str] = []
        for i in range(self.random.randrange(1, 3)):
            name = self.pick(["cte", "base", "t", "汇总"]) + str(i)
            body = self.nested()
            if known and self.chance(0.4):
                body = f"SELECT * FROM {known[-1]} WHERE id > 0"
            columns = "(id, name)" if self.chance(0.15) else ""
            kept = " MATERIALIZED" if self.dialect == "postgres" and self.chance(0.1) else ""
            parts.append(f"{name}{columns} AS{kept} ({body})")
            known.append(name)
        other, columns = self.table()
        joined = f" JOIN {other} z ON z.{self.quoted(columns[0])} = c.id" if self.chance(0.5) else ""
        return f"WITH {', '.join(parts)} SELECT c.id, c.name FROM {known[-1]} c{joined}"

    # changes

    def insert(self) -> str:
        name, columns = self.table()
        used = columns[: self.random.randrange(1, 5)]
        row = "(" + ", ".join(self.value() for _ in used) + ")"
        rows = row + (f", {row}" if self.dialect != "oracle" and self.chance(0.3) else "")
        text = f"INSERT INTO {name} ({', '.join(map(self.quoted, used))}) VALUES {rows}"
        if self.dialect == "postgres" and self.chance(0.3):
            first = self.quoted(used[0])
            text += self.pick(
                [
                    f" RETURNING {first}",
                    f" ON CONFLICT ({first}) DO NOTHING",
                    f" ON CONFLICT ({first}) DO UPDATE SET {first} = EXCLUDED.{first}",
                ]
            )
        if self.dialect == "mysql" and self.chance(0.3):
            text += f" ON DUPLICATE KEY UPDATE {self.quoted(used[0])} = VALUES({self.quoted(used[0])})"
        return text

    def insert_select(self) -> str:
        name, columns = self.table()
        return f"INSERT INTO {name} ({self.quoted(columns[0])}) {self.select()}"

    def update(self) -> str:
        name, columns = self.table()
        self.sources = [("", columns)]
        sets = ", ".join(f"{self.quoted(c)} = {self.value()}" for c in columns[: self.random.randrange(1, 3)])
        return f"UPDATE {name} SET {sets}" + (f" WHERE {self.conditions()}" if self.chance(0.9) else "")

    def update_joined(self) -> str:
        (one, columns), (two, others) = self.table(), self.table()
        self.sources = [("a", columns), ("b", others)]
        set_ = f"{self.quoted(columns[0])} = b.{self.quoted(others[0])}"
        key = f"a.{self.quoted(columns[0])} = b.{self.quoted(others[0])}"
        if self.dialect == "postgres":
            return f"UPDATE {one} a SET {set_} FROM {two} b WHERE {key} AND {self.condition()}"
        if self.dialect == "mysql":
            return f"UPDATE {one} a {self.pick(['JOIN', 'INNER JOIN', 'LEFT JOIN'])} {two} b ON {key} SET a.{set_} WHERE {self.condition()}"
        if self.dialect == "tsql":
            return f"UPDATE a SET {set_} FROM {one} a {self.pick(['JOIN', 'INNER JOIN'])} {two} b ON {key} WHERE {self.condition()}"
        return f"UPDATE {one} a SET {self.quoted(columns[0])} = (SELECT b.{self.quoted(others[0])} FROM {two} b WHERE {key})"

    def delete(self) -> str:
        name, columns = self.table()
        self.sources = [("", columns)]
        return f"DELETE FROM {name} WHERE {self.conditions()}"

    def delete_joined(self) -> str:
        (one, columns), (two, others) = self.table(), self.table()
        self.sources = [("a", columns), ("b", others)]
        key = f"a.{self.quoted(columns[0])} = b.{self.quoted(others[0])}"
        if self.dialect == "postgres":
            return f"DELETE FROM {one} a USING {two} b WHERE {key}"
        if self.dialect in {"mysql", "tsql"}:
            return f"DELETE a FROM {one} a JOIN {two} b ON {key} WHERE {self.condition()}"
        return f"DELETE FROM {one} a WHERE EXISTS (SELECT 1 FROM {two} b WHERE {key})"

    def merge(self) -> str:
        if self.dialect == "mysql":
            return "REPLACE" + self.insert()[6:].split(" ON DUPLICATE")[0]
        (one, columns), (two, others) = self.table(), self.table()
        a, b = self.quoted(columns[0]), self.quoted(others[0])
        using = f"({self.nested()})" if self.chance(0.3) else two
        return (
            f"MERGE INTO {one} a USING {using} b ON (a.{a} = b.{b}) WHEN MATCHED THEN UPDATE SET a.{self.quoted(columns[-1])} = b.{b} "
            f"WHEN NOT MATCHED THEN INSERT ({a}) VALUES (b.{b})" + (";" if self.dialect == "tsql" else "")
        )

    # definitions

    def define(self) -> str:
        new = self.pick(["tmp_x", "bak_2026", "v_report", "统计结果"])
        kinds = [f"CREATE VIEW {new} AS {self.select()}", f"CREATE OR REPLACE VIEW {new} AS {self.select()}"]
        if self.dialect == "tsql":
            kinds = [kinds[0], self.select().replace(" FROM ", f" INTO {self.pick(['#t', 'bak_2026'])} FROM ", 1)]
        else:
            kinds.append(f"CREATE TABLE {new} AS {self.select()}")
        if self.dialect == "postgres":
            name, columns = self.table()
            kinds += [
                f"CREATE MATERIALIZED VIEW {new} AS {self.select()}", f"CREATE TEMP TABLE {new} AS {self.select()}", f"COPY ({self.select()}) TO STDOUT WITH CSV",
                f"COPY {name} ({', '.join(map(self.quoted, columns[:3]))}) TO STDOUT", f"COPY {name} FROM STDIN",
            ]  # fmt: skip
        return str(self.pick(kinds))

    def change(self) -> str:
        name, columns = self.table()
        column = self.quoted(columns[0])
        add = f"ADD {self.quoted('new_col')} INT" if self.dialect != "postgres" else "ADD COLUMN new_col INT"
        return str(self.pick([f"TRUNCATE TABLE {name}", f"DROP TABLE {name}", f"ALTER TABLE {name} {add}", f"CREATE INDEX ix_1 ON {name} ({column})",
                              f"ALTER TABLE {name} DROP COLUMN {column}", f"CREATE TABLE new_t (id INT, {column} VARCHAR(20))"]))  # fmt: skip


# --- damage ------------------------------------------------------------------------------------------------------------

PIECES = (
    "'", '"', "`", "[", "]", "(", ")", "((", "))", ",", ";", ".", "..", "*", "=", "<>", "::", ":=", "@", "@@", "#", "$$", "$q$", "--", "-- ", "/*", "*/",
    "/*!50000", "/*+", "\\", "\\'", "''", "E'", "N'", "q'[", "]'", 'U&"', "x'", "?", "$1", ":1", ":b", "%s", "\0", "\n", "\r\n", "\t", "\u3000", "\u200b",
    "\ufeff", "\ud800", "\udfff", "\uff08", "\u2028", "病人", "ｓｅｌｅｃｔ", "𠮷", "0", "-1", "1e400", "0x", "9" * 40, ".5", "a" * 300, "select", "from",
    "where", "join", "on", "using", "union", "all", "with", "as", "recursive", "in", "not", "null", "case", "when", "then", "else", "end", "begin",
    "declare", "execute", "immediate", "exec", "prepare", "into", "outfile", "copy", "to", "program", "table", "update", "set", "insert", "values",
    "delete", "merge", "create", "view", "function", "procedure", "trigger", "drop", "alter", "grant", "group by", "order by", "limit", "over (",
    "lateral", "pivot", "unpivot", "connect by", "model", "match_recognize (", "array[", "row(", "cast(", "interval", "date", "exists (", "any (", "for update",
)  # fmt: skip


def mutated(text: str, dialect: str, other: str, choice: random.Random) -> str:
    """A text with a few tokens deleted, doubled, swapped, spliced with another's, or characters replaced."""
    for _ in range(choice.choice((1, 1, 1, 2, 3, 6))):
        how = choice.randrange(10)
        if how < 6:
            tokens = scan(text, dialect).tokens
            if not tokens:
                text += choice.choice(PIECES)
                continue
            _, start, end = choice.choice(tokens)
            if how == 0:
                text = text[:start] + text[end:]
            elif how == 1:
                text = text[:end] + " " + text[start:end] + text[end:]
            elif how == 2:
                _, a, b = choice.choice(tokens)
                (a, b), (c, d) = sorted(((a, b), (start, end)))
                text = text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:] if b <= c else text
            elif how == 3:
                text = text[:start] + choice.choice(PIECES) + text[end:]
            elif how == 4:
                text = text[:start] + other[choice.randrange(len(other) + 1) :]
            else:
                text = text[:start] + choice.choice(PIECES) + " " + text[start:]
        elif how < 8:
            at = choice.randrange(len(text) + 1)
            text = text[:at] + choice.choice(PIECES) + text[at:]
        elif how == 8:
            at = choice.randrange(len(text) + 1)
            text = (
                text[:at]
                + chr(choice.choice((choice.randrange(128), choice.randrange(0x3000), choice.randrange(0x110000))))
                + text[at + 1 :]
            )
        else:
            text = text[: choice.randrange(len(text) + 1)]
        text = text[:20_000]
    return text

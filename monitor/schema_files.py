"""A schema as files tell it: DDL (pg_dump -s, mysqldump --no-data, scripts of Oracle and SQL Server) or a list of columns.

A list is CSV with a heading as information_schema, all_tab_columns or a data dictionary has it (table_name, column_name,
data_type, comments ...; Chinese headings too). DDL is read a token at a time: CREATE TABLE, COMMENT ON, MS_Description,
and remarks behind a column; everything else, data above all, is passed over. Untrusted: sizes are capped, the time grows with the size alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from config.suggestions import ColumnSeen, TableSeen
from monitor.errors import StartError
from monitor.replay import open_regular

MAX_BYTES = 32 * 1024 * 1024
MAX_TABLES, MAX_COLUMNS = 50_000, 2_000  # columns of a table
ENCODINGS = ("utf-8-sig", "gb18030")
HEADINGS = {
    "schema": ("table_schema", "schema", "owner", "table_owner", "schema_name", "模式", "库名", "数据库"),
    "table": ("table_name", "table", "tablename", "表名", "表英文名", "表"),
    "column": ("column_name", "column", "columnname", "field", "field_name", "字段名", "列名", "字段", "字段英文名"),
    "type": ("data_type", "type", "column_type", "udt_name", "数据类型", "类型", "字段类型"),
    "comment": ("column_comment", "comments", "comment", "remarks", "description", "注释", "说明", "备注", "字段说明", "中文名", "字段中文名"),
    "table_comment": ("table_comment", "table_comments", "table_description", "表注释", "表说明", "表中文名"),
}  # fmt: skip


def read_schema(path: Path) -> list[TableSeen]:
    """Raises StartError: unreadable, too large, neither encoding, or nothing of a schema in it."""
    text = _text(path)
    listed = _listing(text)
    tables = from_list(text, listed) if listed is not None else from_ddl(text)
    if not tables:
        raise StartError(
            f"{path}: no CREATE TABLE and no heading with table_name and column_name (columns of a list: {', '.join(HEADINGS)})"
        )
    return tables


def _text(path: Path) -> str:
    import os

    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise StartError(f"{path}: larger than {MAX_BYTES >> 20} MB; leave the data out of the dump")
    for encoding in (*(("utf-16",) if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ()), *ENCODINGS):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise StartError(f"{path}: neither UTF-8 nor GB18030")


# --- lists ----------------------------------------------------------------------------------------------------------------


def _listing(text: str) -> str | None:
    """The delimiter of a list with a heading we know; None: it is none."""
    first = text[:4096].partition("\n")[0]
    for delimiter in (",", "\t", ";", "|"):
        names = {_heading(cell) for cell in first.split(delimiter)}
        if names & set(HEADINGS["table"]) and names & set(HEADINGS["column"]):
            return delimiter
    return None


def _heading(cell: str) -> str:
    return cell.strip().strip('"').strip().casefold()


def from_list(text: str, delimiter: str) -> list[TableSeen]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    heading = [_heading(cell) for cell in next(rows, [])]
    places = {
        name: next((heading.index(word) for word in words if word in heading), None) for name, words in HEADINGS.items()
    }

    def cell(row: list[str], name: str) -> str:
        place = places[name]
        return row[place].strip() if place is not None and place < len(row) else ""

    made = _Tables()
    try:
        for row in rows:
            if table := made.table(cell(row, "schema"), cell(row, "table"), cell(row, "table_comment")):
                made.column(table, cell(row, "column"), cell(row, "type"), cell(row, "comment"))
    except csv.Error:
        raise StartError("the list has a field that is larger than any name or comment") from None
    return made.seen()


# --- DDL ------------------------------------------------------------------------------------------------------------------

# Every closer may also be the end of the text, and every repetition is possessive: one pass whatever is unclosed.
_TEXT = {"mysql": r"[nN]?'(?:[^'\\]++|\\[\s\S]|'')*+(?:'|\Z)", "other": r"[nN]?'(?:[^']++|'')*+(?:'|\Z)"}
_REMARK = {"mysql": r"--[^\n]*+|\#[^\n]*+", "other": r"--[^\n]*+"}
_TOKENS = {
    spelling: re.compile(
        rf"(?P<comment>{_REMARK[spelling]}|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z))"
        rf"|(?P<string>{_TEXT[spelling]})"
        r'|(?P<quoted>"(?:[^"]++|"")*+(?:"|\Z)|`(?:[^`]++|``)*+(?:`|\Z)|\[(?:[^\]\n]++|\]\])*+(?:\]|(?=\n)|\Z))'
        r"|(?P<word>[A-Za-z_$@\x80-\U0010ffff][A-Za-z0-9_$#@\x80-\U0010ffff]*+)"
        r"|(?P<number>[0-9][0-9A-Za-z_.]*+)"
        r"|(?P<sign>[^\s])"
        r"|(?P<line>\n)"
    )
    for spelling in _TEXT
}
# What COPY of a PostgreSQL dump brings: rows up to a line \. that may say anything.
_ROWS = re.compile(r"^COPY [^\n]*FROM stdin;\n(?:(?!\\\.\r?$)[^\n]*+\n)*+", re.MULTILINE)
_NO_COLUMN = frozenset({"primary", "unique", "constraint", "key", "index", "foreign", "check", "fulltext", "spatial", "exclude", "like", "period", "partition"})  # fmt: skip
_AFTER_TYPE = frozenset({"not", "null", "default", "primary", "unique", "comment", "constraint", "check", "references", "collate", "generated",
                         "auto_increment", "identity", "character", "charset", "encode", "on", "as", "enable", "visible", "invisible"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int

    @property
    def folded(self) -> str:
        return self.text.casefold() if self.kind == "word" else self.text

    @property
    def value(self) -> str:
        """Of a name or a string without its quotes."""
        if self.kind == "string":
            body = self.text[self.text.index("'") + 1 :].removesuffix("'")
            return body.replace("''", "'").replace("\\'", "'")
        if self.kind == "quoted":
            return self.text[1:-1] if len(self.text) > 1 else ""
        return self.text


def from_ddl(text: str) -> list[TableSeen]:
    made = _Tables()
    for statement in _statements(_ROWS.sub("", text)):
        words = [token.folded for token in statement[:8] if token.kind == "word"]
        if words[:1] == ["create"] and "table" in words[:5]:
            _create(statement, made)
        elif words[:2] == ["comment", "on"]:
            _comment_on(statement, made)
        elif words[:1] == ["comment"]:  # an option of the table before, on a line of its own
            made.last_remark(next((token.value for token in statement[1:3] if token.kind == "string"), ""))
        elif any(token.kind == "string" and token.value == "MS_Description" for token in statement[:40]):
            _description(statement, made)
    return made.seen()


def _statements(text: str) -> Iterator[list[_Token]]:
    """Tokens up to a semicolon, a line GO, or the next CREATE, EXEC or COMMENT at the beginning of a line; data is not kept."""
    held: list[_Token] = []
    line, depth, fresh = 1, 0, True
    for found in _TOKENS["mysql" if "`" in text else "other"].finditer(text):
        kind = found.lastgroup or ""
        if kind == "line":
            line, fresh = line + 1, True
            continue
        token = _Token(kind, found[0], line)
        starts = fresh and kind == "word" and token.folded in _STARTS
        # scripts forget semicolons; inside brackets only what can stand nowhere else begins a statement
        if (kind == "sign" and token.text == ";" and depth <= 0) or (
            starts and (depth <= 0 or token.folded in {"create", "go"})
        ):
            if held:
                yield held
            held, depth = [], 0
        if kind == "sign":
            depth += (token.text == "(") - (token.text == ")")
        if token.text != ";" and not (kind == "word" and token.folded == "go" and fresh) and len(held) < _KEPT:
            held.append(token)
        line += found[0].count("\n") if kind in {"comment", "string", "quoted"} else 0
        fresh = False
    if held:
        yield held


_STARTS = frozenset({"create", "exec", "execute", "go", "comment", "insert", "alter", "drop"})
_KEPT = 60_000  # tokens of a statement; a longer one is data


def _name(tokens: list[_Token], place: int) -> tuple[list[str], int]:
    """Parts of a dotted name from `place` on, and where it ends."""
    parts: list[str] = []
    while place < len(tokens) and tokens[place].kind in {"word", "quoted"}:
        parts.append(tokens[place].value)
        if place + 1 < len(tokens) and tokens[place + 1].text == ".":
            place += 2
            continue
        return parts, place + 1
    return parts, place


def _create(statement: list[_Token], made: _Tables) -> None:
    remarks = {token.line: token.text for token in statement if token.kind == "comment"}
    tokens = [token for token in statement if token.kind != "comment"]
    place = next(i for i, token in enumerate(tokens) if token.folded == "table") + 1
    if [token.folded for token in tokens[place : place + 3]] == ["if", "not", "exists"]:
        place += 3
    parts, place = _name(tokens, place)
    if not parts or place >= len(tokens) or tokens[place].text != "(":
        return
    table = made.table(parts[-2] if len(parts) > 1 else "", parts[-1], "")
    if table is None:
        return
    item: list[_Token] = []
    depth = 1
    place += 1
    while place < len(tokens) and depth:
        token = tokens[place]
        depth += (token.text == "(") - (token.text == ")") if token.kind == "sign" else 0
        if depth == 0 or (depth == 1 and token.text == "," and token.kind == "sign"):
            _item(item, remarks, table, made)
            item = []
        else:
            item.append(token)
        place += 1
    rest = tokens[place:]
    for here, token in enumerate(rest):
        if token.folded == "comment":
            told = next((after for after in rest[here + 1 : here + 3] if after.kind == "string"), None)
            if told is not None:
                table.comment = told.value


def _item(item: list[_Token], remarks: dict[int, str], table: _Table, made: _Tables) -> None:
    if (
        len(item) < 2
        or item[0].kind not in {"word", "quoted"}
        or (item[0].kind == "word" and item[0].folded in _NO_COLUMN)
    ):
        return
    kind: list[str] = []
    for token in item[1:]:
        if token.kind == "word" and token.folded in _AFTER_TYPE and kind:
            break
        kind.append(token.text)
    comment = ""
    for place, token in enumerate(item):
        if token.folded == "comment" and place + 1 < len(item) and item[place + 1].kind == "string":
            comment = item[place + 1].value
    comment = comment or remarks.get(item[-1].line, "").strip("-/*# \t\r")
    made.column(table, item[0].value, " ".join(kind)[:60], comment)


def _comment_on(statement: list[_Token], made: _Tables) -> None:
    tokens = [token for token in statement if token.kind != "comment"]
    if len(tokens) < 5 or tokens[2].folded not in {"table", "column"}:
        return
    parts, place = _name(tokens, 3)
    told = next((token.value for token in tokens[place : place + 2] if token.kind == "string"), None)
    if told is None or not parts:
        return
    if tokens[2].folded == "table":
        made.remark(parts, None, told)
    elif len(parts) > 1:
        made.remark(parts[:-1], parts[-1], told)


def _description(statement: list[_Token], made: _Tables) -> None:
    """EXEC sp_addextendedproperty 'MS_Description', N'…', 'SCHEMA', 'dbo', 'TABLE', 'patient', 'COLUMN', 'name', by name or by place."""
    told = [token.value for token in statement if token.kind == "string"]
    words = [one.upper() for one in told]
    if words[:1] != ["MS_DESCRIPTION"] or "TABLE" not in words[:-1]:
        return
    table = told[words.index("TABLE") + 1]
    schema = [told[words.index("SCHEMA") + 1]] if "SCHEMA" in words[:-1] else []
    column = told[words.index("COLUMN") + 1] if "COLUMN" in words[:-1] else None
    made.remark([*schema, table], column, told[1])


# --- what is gathered ------------------------------------------------------------------------------------------------------


@dataclass
class _Table:
    schema: str
    name: str
    comment: str
    columns: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # folded name -> name, type, comment


@dataclass
class _Tables:
    _by_name: dict[tuple[str, str], _Table] = field(default_factory=dict)
    _bare: dict[str, _Table] = field(default_factory=dict)

    def table(self, schema: str, name: str, comment: str) -> _Table | None:
        if not name:
            return None
        key = schema.casefold(), name.casefold()
        if key not in self._by_name:
            if len(self._by_name) >= MAX_TABLES:
                return None
            self._by_name[key] = _Table(schema, name, comment)
            self._bare.setdefault(key[1], self._by_name[key])
        return self._by_name[key]

    def column(self, table: _Table, name: str, kind: str, comment: str) -> None:
        if name and len(table.columns) < MAX_COLUMNS:
            table.columns.setdefault(name.casefold(), (name, kind, comment))

    def last_remark(self, comment: str) -> None:
        if self._by_name and comment:
            next(reversed(self._by_name.values())).comment = comment

    def remark(self, parts: list[str], column: str | None, comment: str) -> None:
        names = [part.casefold() for part in parts]
        table = self._by_name.get((names[-2], names[-1])) if len(names) > 1 else None
        table = table or self._bare.get(names[-1])
        if table is None:
            return
        if column is None:
            table.comment = comment
        elif (known := table.columns.get(column.casefold())) is not None:
            table.columns[column.casefold()] = (known[0], known[1], comment)

    def seen(self) -> list[TableSeen]:
        return [
            TableSeen(
                table.name, table.schema, table.comment, tuple(ColumnSeen(*column) for column in table.columns.values())
            )
            for table in self._by_name.values()
            if table.columns
        ]

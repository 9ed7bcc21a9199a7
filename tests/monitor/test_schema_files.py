"""Schemas from DDL of four servers and from lists: names, types, comments; what is no schema is refused, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import StartError
from monitor.schema_files import MAX_BYTES, from_ddl, read_schema

PG = """-- PostgreSQL database dump
SET statement_timeout = 0;
CREATE TABLE medrec.pat_master_index (
    patient_id character varying(10) NOT NULL,
    "姓名" character varying(40) DEFAULT ''::character varying,
    tags integer[],
    total numeric(12,2) DEFAULT 0.00,
    CONSTRAINT positive CHECK ((total >= 0) AND (total < 100))
);
COMMENT ON TABLE medrec.pat_master_index IS '病人主索引';
COMMENT ON COLUMN medrec.pat_master_index.patient_id IS 'It''s the key';
COPY medrec.pat_master_index (patient_id) FROM stdin;
create table fake (x int);
\\.
ALTER TABLE ONLY medrec.pat_master_index ADD CONSTRAINT pk PRIMARY KEY (patient_id);
"""
MYSQL = """/*!40101 SET NAMES utf8 */;
DROP TABLE IF EXISTS `ms_brda`;
CREATE TABLE `ms_brda` (
  `BRID` bigint(20) NOT NULL AUTO_INCREMENT COMMENT '病人ID',
  `BRXM` varchar(40) DEFAULT NULL, # 姓名
  `KIND` enum('a,b','c)') COMMENT 'it\\'s',
  PRIMARY KEY (`BRID`), UNIQUE KEY `u` (`BRXM`), KEY `k` (`KIND`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
COMMENT='病人档案';
INSERT INTO `ms_brda` VALUES (1,'CREATE TABLE `x` (`y` int)','');
CREATE TABLE IF NOT EXISTS his.`dept` (`id` int);
"""
ORACLE = """create table CLINIC_MASTER
(
  ID    VARCHAR2(64 CHAR) not null,
  NAME  VARCHAR2(40 CHAR) /* 姓名 */
)
tablespace USERS
comment on table CLINIC_MASTER
  is '就诊记录';
comment on column CLINIC_MASTER.ID
  is '就诊记录ID';
create global temporary table HIS.T2 (A NUMBER(5,2))
"""
TSQL = """CREATE TABLE [dbo].[PAT MASTER](
	[PATIENT_ID] [nvarchar](20) NOT NULL,
	[NAME] [nvarchar](40) NULL,
 CONSTRAINT [PK] PRIMARY KEY CLUSTERED ([PATIENT_ID] ASC)
) ON [PRIMARY]
GO
EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'姓名' , @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',@level1name=N'PAT MASTER', @level2type=N'COLUMN',@level2name=N'NAME'
GO
EXEC sp_addextendedproperty 'MS_Description', N'病人主索引', 'SCHEMA', N'dbo', 'TABLE', N'PAT MASTER'
"""


def told(text: str) -> dict[str, tuple[str, dict[str, tuple[str, str]]]]:
    return {
        f"{table.schema}.{table.name}": (
            table.comment,
            {column.name: (column.type, column.comment) for column in table.columns},
        )
        for table in from_ddl(text)
    }


def test_postgresql() -> None:
    found = told(PG)
    assert list(found) == ["medrec.pat_master_index"]  # what the rows say is no schema
    assert found["medrec.pat_master_index"] == (
        "病人主索引",
        {
            "patient_id": ("character varying ( 10 )", "It's the key"), "姓名": ("character varying ( 40 )", ""),
            "tags": ("integer []", ""), "total": ("numeric ( 12 , 2 )", ""),
        },
    )  # fmt: skip


def test_mysql() -> None:
    assert told(MYSQL) == {
        ".ms_brda": ("病人档案", {"BRID": ("bigint ( 20 )", "病人ID"), "BRXM": ("varchar ( 40 )", "姓名"), "KIND": ("enum ( 'a,b' , 'c)' )", "it's")}),
        "his.dept": ("", {"id": ("int", "")}),
    }  # fmt: skip


def test_oracle_without_semicolons() -> None:
    assert told(ORACLE) == {
        ".CLINIC_MASTER": ("就诊记录", {"ID": ("VARCHAR2 ( 64 CHAR )", "就诊记录ID"), "NAME": ("VARCHAR2 ( 40 CHAR )", "姓名")}),
        "HIS.T2": ("", {"A": ("NUMBER ( 5 , 2 )", "")}),
    }  # fmt: skip


def test_sql_server() -> None:
    [(name, (comment, columns))] = told(TSQL).items()
    assert (name, comment) == ("dbo.PAT MASTER", "病人主索引")
    assert columns["NAME"][1] == "姓名"
    assert list(columns) == ["PATIENT_ID", "NAME"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("table_schema,table_name,column_name,data_type,column_comment\nhis,ms_brda,BRXM,varchar,姓名\n", "utf-8"),
        (
            '"OWNER";"TABLE_NAME";"COLUMN_NAME";"DATA_TYPE";"COMMENTS"\n"his";"ms_brda";"BRXM";"varchar";"姓名"\n',
            "gb18030",
        ),
        ("模式\t表名\t字段名\t类型\t注释\r\nhis\tms_brda\tBRXM\tvarchar\t姓名\r\n", "utf-16"),
    ],
)
def test_lists_of_columns(tmp_path: Path, text: str, encoding: str) -> None:
    file = tmp_path / "columns.csv"
    file.write_bytes(text.encode(encoding))
    [table] = read_schema(file)
    [column] = table.columns
    assert (table.schema, table.name, column.name, column.type, column.comment) == (
        "his",
        "ms_brda",
        "BRXM",
        "varchar",
        "姓名",
    )


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"a,b,c\n1,2,3\n", b"\xff\xff\xff\xff\xff", b"SELECT 1;", b"CREATE TABLE x AS SELECT 1"]
)
def test_what_is_no_schema_is_refused_with_its_path(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    with pytest.raises(StartError, match=str(file)):
        read_schema(file)


def test_a_dump_with_its_data_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with file.open("wb") as out:
        out.truncate(MAX_BYTES + 1)
    with pytest.raises(StartError, match="leave the data out"):
        read_schema(file)


PIECES = st.sampled_from(["CREATE TABLE ", "t ", "(", ")", ",", "a int", "'", '"', "`", "[", "]", "--", "/*", "*/", "\n", ";", "COMMENT ON COLUMN t.a IS 'x'",
                          "EXEC sp 'MS_Description','x','TABLE'", "GO\n", "comment", "#", "\\", "姓名 varchar(20)", "primary key"])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(text=st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=200))
def test_nothing_in_a_script_is_an_error(text: str) -> None:
    for table in from_ddl(text):
        assert table.name
        assert table.columns
        assert all(column.name for column in table.columns)

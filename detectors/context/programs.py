"""What kind of tool a client program says it is. A client can call itself anything: a known tool tells something, silence nothing."""

from __future__ import annotations

import polars as pl

# First match wins. Names as tools send them (application_name, program_name, _program_name), in lower case; a version or a part
# of the tool may follow. Consoles stand apart: jobs of services use them as well, nobody schedules a grid.
_END = r"(?:[^a-z]|$)"
KINDS = (
    ("dump_tool", r"^(?:pg_dump(?:all)?|pg_restore|pg_basebackup|pg_receivewal|mysqldump|mariadb-dump|mariadb-backup|mydumper|myloader|mysqlpump|xtrabackup|expdp|impdp|exp|imp|rman|bcp|dexp|dimp|sys_dump|sys_restore|gs_dump(?:all)?|gs_restore)"),
    ("query_tool", r"(?:dbeaver|navicat|pgadmin|heidisql|sqlyog|mysql[ -]?workbench|datagrip|dbvisualizer|dbforge|squirrel ?sql|sql ?server management studio|ssms|azure data studio|adminer|phpmyadmin|plsqldev|pl/sql developer|toad|sql ?developer|sqldbx|aqua data studio|dmmanager|dm ?管理工具|kingbase ?manager|kstudio|data ?studio|chat2db|sqlectron|beekeeper|tableplus|razorsql)"),
    ("console", r"^(?:psql|pgcli|mysql|mariadb|mycli|usql|sqlplus|sqlcl|sqlcmd|osql|isql|disql|ksql|gsql)"),
    ("office", r"^(?:.*[\\/])?(?:microsoft (?:®|\(r\))? ?(?:office|excel|access|query)|excel|msaccess|msqry32|microsoft\.mashup|power ?bi|et|wps)"),
    ("script", r"^(?:.*[\\/])?(?:python|perl|ruby|node|php|powershell|pwsh|java ?script|rstudio|rscript|jupyter|ipython)"),
)  # fmt: skip


def program_kinds(programs: pl.Series) -> pl.DataFrame:
    """(client_program, program_kind) of different names; null where the name is of no known tool."""
    name = pl.col("client_program").str.to_lowercase().str.strip_chars()
    kind = pl.lit(None, pl.String)
    for label, pattern in reversed(KINDS):
        anchored = pattern if label == "query_tool" else pattern + _END
        kind = pl.when(name.str.contains(anchored)).then(pl.lit(label)).otherwise(kind)
    return programs.alias("client_program").to_frame().with_columns(kind.alias("program_kind"))

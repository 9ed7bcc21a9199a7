"""Words that mean something to the lexical pass, per dialect: verbs, routines, settings, signatures of tools.

Sources: the manuals of PostgreSQL (functions 9.27, 9.28; pgaudit README), MySQL and MariaDB (server_audit, audit log
plugin), Oracle (packages reference, auditing), SQL Server (extended procedures, SQL Server Audit), Dameng (DBMS_AUDIT);
signatures of dump tools as they appear in logs of the servers.

Patterns are searched in the *flow*: lower-case tokens with single blanks between, `''` for strings, `0` for numbers,
`"name"` for quoted names. They have no nested repetition.
"""

from __future__ import annotations

KEYWORDS = frozenset(
    """add after all alter analyze and any as asc before begin between by call cascade case cast check close collate column
    commit concurrently connect constraint copy create cross cube current cursor database declare default delete desc deferrable
    describe distinct do drop dumpfile else end escape except exec execute exists explain external fetch first following for
    force foreign from full function global go grant group handler having if ignore ilike in index infile inner insert
    intersect interval into is isnull join key lateral left like limit load local lock low_priority materialized merge minus
    natural next no noaudit not notnull null offset on only open option or order outer outfile over partition perform pivot
    policy prepare primary procedure qualify quick range recursive references rename replace restrict return returning
    revoke right rlike role rollback rollup row rows schema select session set show similar skip some start
    straight_join stdin stdout strict table tablesample temp temporary then ties to top transaction trigger truncate union
    unique unlogged unpivot update use user using values verbose view when where while window with within""".split()  # noqa: SIM905
)

VERBS = {
    "select": "select", "table": "select", "values": "select", "insert": "insert", "replace": "insert", "update": "update",
    "delete": "delete", "merge": "merge", "copy": "copy", "load": "load", "import": "load", "create": "create",
    "alter": "alter", "rename": "alter", "comment": "alter", "drop": "drop", "truncate": "truncate", "grant": "grant",
    "revoke": "revoke", "deny": "revoke", "call": "call", "exec": "execute", "execute": "execute", "prepare": "prepare",
    "declare": "declare", "fetch": "fetch", "move": "fetch", "set": "set", "reset": "set", "lock": "lock", "begin": "begin",
    "start": "begin", "backup": "backup", "dump": "backup", "handler": "select", "do": "call", "perform": "select",
}  # fmt: skip

ODBC_ESCAPES = frozenset({"oj", "d", "t", "ts", "fn"})  # {OJ a LEFT JOIN b ON …}, {d '2026-01-01'}, {fn f(x)}
# Words that may stand between a verb and its table.
BETWEEN = {
    "insert": frozenset({"high_priority", "delayed"}), "replace": frozenset({"delayed"}), "copy": frozenset({"binary"}),
}  # fmt: skip
BEFORE_READ = frozenset({"join", "straight_join", "copy", "handler", "describe", "desc", "references", "only"})
BEFORE_WRITE = frozenset({"table", "truncate", "view", "lock"})
NOISE = frozenset(
    [
        "if",
        "not",
        "exists",
        "only",
        "lateral",
        "concurrently",
        "low_priority",
        "quick",
        "ignore",
        "temp",
        "temporary",
        "unlogged",
        "global",
        "local",
        "top",
        "outer",
        "table",
        "materialized",
        "replace",
        "first",
        "all",
        "delayed",
        "high_priority",
        "external",
        "into",
    ]
)
ENDS_FROM = frozenset(
    [
        "where",
        "group",
        "order",
        "having",
        "limit",
        "union",
        "intersect",
        "except",
        "minus",
        "set",
        "values",
        "select",
        "returning",
        "window",
        "for",
        "fetch",
        "offset",
        "connect",
        "start",
        "when",
        "then",
        "else",
        "end",
        "with",
        "default",
    ]
)
FROM_INSIDE = frozenset({"extract", "substring", "trim", "overlay", "position", "substr", "mid"})
SOFT = frozenset(
    {
        "copy",
        "load",
        "key",
        "first",
        "open",
        "row",
        "rows",
        "session",
        "policy",
        "role",
        "user",
        "schema",
        "view",
        "transaction",
        "option",
        "trigger",
        "procedure",
    }
)
# A keyword behind one of the first is a name where it is none of the second (`FROM end`): servers allow many.
BEFORE_NAME = frozenset({"from", "join", "straight_join", "into", "update", "table", "using", "view", "copy"})
NEVER_NAMES = NOISE | frozenset(
    """as by current default for from in is join like nowait of on or outfile dumpfile select set skip stdin stdout strict to
    values view where with cascade restrict and delete update insert""".split()  # noqa: SIM905
)
NOT_TABLES = frozenset(
    {
        "stdin",
        "stdout",
        "outfile",
        "dumpfile",
        "strict",
        "infile",
        "unnest",
        "data",
        "inserted",
        "deleted",
    }
)

PACKAGES = frozenset(
    [
        "utl_file",
        "utl_http",
        "utl_tcp",
        "utl_smtp",
        "utl_inaddr",
        "dbms_xmlgen",
        "dbms_xmlquery",
        "dbms_sql",
        "dbms_lob",
        "dbms_lock",
        "dbms_session",
        "dbms_pipe",
        "dbms_java",
        "dbms_scheduler",
        "dbms_job",
        "dbms_datapump",
        "dbms_ldap",
        "dbms_advisor",
        "dbms_audit_mgmt",
        "dbms_fga",
        "dbms_backup_restore",
        "dbms_file_transfer",
    ]
)

_FILE, _COMMAND, _SQL, _LINK, _LIBRARY, _BACKUP, _DELAY = (
    ("server_file",), ("os_command",), ("sql_function",), ("link",), ("library",), ("backup",), ("delay",),
)  # fmt: skip

# Functions whose first argument names a table, all of which they give in one value.
XQUERY_TABLE = r"(?i)oradb:/([\w$#]{1,128})/([\w$#]{1,128})"  # Oracle: fn:collection("oradb:/SCHEMA/TABLE")
TABLE_FUNCTIONS = frozenset({"table_to_xml", "table_to_xml_and_xmlschema"})
ROUTINES: dict[str, dict[str, tuple[str, ...]]] = {
    "postgres": {
        **dict.fromkeys((
            "pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "pg_file_write", "pg_file_unlink", "pg_ls_logdir",
            "pg_ls_waldir", "lo_import", "lo_export", "pg_current_logfile", "adminpack",
        ), _FILE),
        **dict.fromkeys((
            "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "table_to_xml", "table_to_xml_and_xmlschema", "cursor_to_xml",
            "schema_to_xml", "database_to_xml", "crosstab", "ts_stat", "connectby",
        ), _SQL),
        **dict.fromkeys(("dblink", "dblink_connect", "dblink_connect_u", "dblink_exec", "dblink_open", "dblink_send_query", "dblink_fetch"), _LINK),
        **dict.fromkeys((
            "pg_start_backup", "pg_backup_start", "pg_create_physical_replication_slot", "pg_create_logical_replication_slot",
            "pg_logical_slot_get_changes", "pg_logical_slot_peek_changes", "pg_copy_logical_replication_slot",
        ), _BACKUP),
        **dict.fromkeys(("pg_sleep", "pg_sleep_for", "pg_sleep_until"), _DELAY),
    },
    "mysql": {
        "load_file": _FILE, "sys_exec": _COMMAND, "sys_eval": _COMMAND, "sleep": _DELAY, "benchmark": _DELAY,
    },
    "oracle": {
        **dict.fromkeys((
            "utl_file.fopen", "utl_file.get_line", "utl_file.put_line", "utl_file.put", "utl_file.fcopy", "utl_file.put_raw", "bfilename",
            "dbms_lob.loadfromfile", "dbms_advisor.create_file", "dbms_lob.fileopen", "dbms_file_transfer.copy_file",
            "dbms_file_transfer.put_file",
        ), _FILE),
        **dict.fromkeys(("dbms_xmlgen.getxml", "dbms_xmlgen.getxmltype", "dbms_xmlgen.newcontext", "dbms_xmlquery.getxml", "dbms_sql.parse"), _SQL),
        **dict.fromkeys((
            "utl_http.request", "utl_http.begin_request", "httpuritype", "utl_tcp.open_connection", "utl_smtp.open_connection",
            "utl_inaddr.get_host_address", "dbms_ldap.init",
        ), _LINK),
        **dict.fromkeys(("dbms_java.runjava", "dbms_java_test.funcall"), _COMMAND),
        **dict.fromkeys(("dbms_datapump.open", "dbms_datapump.add_file", "dbms_backup_restore.backupdatafile"), _BACKUP),
        **dict.fromkeys(("dbms_lock.sleep", "dbms_session.sleep", "dbms_pipe.receive_message"), _DELAY),
    },
    "tsql": {
        **dict.fromkeys(("xp_cmdshell", "sp_oacreate", "sp_oamethod", "sp_execute_external_script"), _COMMAND),
        **dict.fromkeys(("xp_dirtree", "xp_fileexist", "xp_subdirs", "xp_delete_file", "xp_create_subdir", "xp_regread"), _FILE),
        **dict.fromkeys(("openrowset", "opendatasource", "openquery", "sp_addlinkedserver", "sp_serveroption"), _LINK),
        "sp_addextendedproc": _LIBRARY,
    },
}  # fmt: skip

DANGEROUS: dict[str, tuple[tuple[str, str], ...]] = {
    "postgres": (
        (r"^copy .*\b(?:to|from) program\b", "os_command"),
        (r"^copy .*\b(?:to|from) ''", "server_file"),
        (
            r"^create (?:or replace )?(?:trusted )?(?:procedural )?language\b|^create extension\b|^load ''|\blanguage (?:c|plpython3?u|plperlu|pltclu)\b",
            "library",
        ),
        (
            r"^create server\b|^create foreign|^import foreign schema|^create subscription|^alter subscription|^create user mapping",
            "link",
        ),
        (r"\bstart_replication\b|\bbase_backup\b|\bcreate_replication_slot\b|^create publication", "backup"),
    ),
    "mysql": (
        (r"\binto (?:outfile|dumpfile)\b|^load (?:data|xml) (?:low_priority |concurrent )?infile", "server_file"),
        (r"^install (?:plugin|soname|component)\b|^create .*\bsoname ''", "library"),
        (
            r"\bengine = federated\b|\bengine = connect\b|^create server\b|^change (?:master|replication source) to",
            "link",
        ),
        (r"^backup stage\b|^clone instance\b", "backup"),
    ),
    "oracle": (
        (r"^create (?:or replace )?(?:public |shared )*database link\b", "link"),
        (r"\b(?:from|join|into|update|,) (?:[^ @]+ \. )?[^ @]+ @ [^ ]+", "link"),
        (r"^create (?:or replace )?library\b|^create (?:or replace )?(?:and (?:compile|resolve) )?java\b", "library"),
        (r"^create (?:or replace )?directory\b", "server_file"),
    ),
    "tsql": (
        (r"^backup (?:database|log)\b", "backup"),
        (r"^create assembly\b|^alter assembly\b", "library"),
        (r"^bulk insert\b|\bopenrowset \( bulk\b", "server_file"),
        (r"\bwaitfor (?:delay|time)\b", "delay"),
        (r"\b(?:from|join) [^ ]+ \. [^ ]+ \. [^ ]* ?\.? ?[^ ]+ \. [^ ]+", "link"),
    ),
}

DYNAMIC = {
    "postgres": r"^execute ''|^do (?:language \S+ )?''",
    "mysql": r"^prepare \S+ from|^execute immediate\b",
    "oracle": r"\bexecute immediate\b|\bdbms_sql \. parse\b",
    "tsql": r"\bsp_executesql\b|\bexec(?:ute)? \(",
}

PRIVILEGE = (
    r"^(?:grant|revoke|deny)\b|^(?:create|alter|drop) (?:or replace )?(?:user|role|login|profile|group|credential|server role|application role)\b"
    r"|^set password\b|^alter default privileges|^reassign owned|\bowner to\b|^alter authorization"
    r"|^(?:create|alter|drop) policy\b|\b(?:disable|no force) row level security\b|^set default role\b|^rename user\b"
    r"|^administer key|\bsp_(?:addrolemember|addsrvrolemember|droprolemember|addlogin|adduser|grantdbaccess|password)\b"
)
IDENTITY = (
    r"^set (?:session |local )?role\b|^set (?:session |local )?session authorization\b|^set (?:session )?authorization\b|^reset (?:role|session authorization)\b"
    r"|^exec(?:ute)? as\b|^exec(?:ute)? \(.*\) as (?:user|login) = ''|^setuser\b|^revert\b|^alter session set current_schema\b"
)
ACCOUNT_TABLES = frozenset(
    {
        "mysql.user",
        "mysql.global_priv",
        "mysql.db",
        "mysql.tables_priv",
        "pg_authid",
        "pg_catalog.pg_authid",
        "sys.user$",
    }
)

SETS = r"^(?:set|reset|alter system|alter role|alter user|alter database|alter instance|alter function)\b"
AUDIT_SETTING = (
    r"(?:pgaudit\.|pgauditlogtofile\.|sepgsql\.|server_audit|audit_|kingbase_audit|sysaudit|general_log|slow_query_log|log_(?:statement|min_|destination"
    r"|line_prefix|connections|disconnections|duration|directory|filename|parameter|rotation|truncate|file_mode|output|error|hostname|replication"
    r"|transaction_sample|slow)|logging_collector|shared_preload_libraries|session_preload_libraries|sql_log_bin|sql_log_off|long_query_time|binlog_format"
    r"|syslog_|enable_audit|c2 audit|default trace|common criteria|unified_audit)"
)
# Settings of the server that give rights: the shell, files, foreign code, log-ins without a password.
RIGHTS_SETTING = (
    r"(?:xp_cmdshell|ole automation procedures|clr (?:enabled|strict security)|ad hoc distributed queries|external scripts enabled"
    r"|cross db ownership chaining|remote (?:access|admin connections)|trustworthy|local_infile|secure_file_priv|skip_grant_tables"
    r"|old_passwords|default_authentication_plugin|validate_password|log_bin_trust_function_creators|automatic_sp_privileges|init_connect"
    r"|hba_file|ident_file|password_encryption|row_security|allow_system_table_mods|session_replication_role|local_preload_libraries"
    r"|remote_os_authent|remote_login_passwordfile|o7_dictionary_accessibility|sql92_security|utl_file_dir|os_authent_prefix"
    r"|sec_case_sensitive_logon|resource_limit)"
)
AUDIT = (
    r"^(?:noaudit|audit)\b|^(?:create|alter|drop) (?:unified )?audit policy\b|^(?:create|alter|drop) (?:server|database) audit\b"
    r"|^uninstall (?:soname|plugin|component) .*(?:audit|'')|^drop extension (?:if exists )?\"?(?:pgaudit|set_user)\b|^reset master\b"
    r"|^(?:alter|drop) event session\b|^drop plugin\b|^alter table \S+ disable trigger\b"
    r"|^alter session set sql_trace\b|^alter database .*\bset (?:ledger|change_tracking)"
)
AUDIT_ROUTINES = (
    "dbms_audit_mgmt.", "dbms_fga.", "sp_set_enable_audit", "sp_noaudit_", "sp_audit_", "sp_drop_audit", "sp_trace_setstatus", "sp_cycle_errorlog",
    "audit_log_filter_", "sp_create_audit", "pg_delete_audit", "xp_instance_regwrite",
)  # fmt: skip
AUDIT_TABLES = frozenset({
    "mysql.general_log", "mysql.slow_log", "sys.aud$", "aud$", "sys.fga_log$", "fga_log$", "unified_audit_trail", "audsys.aud$unified",
    "mysql.audit_log_filter", "mysql.audit_log_user", "mysql.server_audit_filters", "mysql.server_audit_users", "sysauditor.sysaudit",
})  # fmt: skip

DUMPS: dict[str, tuple[tuple[str, str], ...]] = {
    "postgres": (
        (r"^copy \S+ \. \S+ \( [^()]* \) to stdout$", "pg_dump"),
        (r"\b_pg_dump_cursor\b|^set synchronize_seqscans to off$|^lock table .* in access share mode$", "pg_dump"),
    ),
    "mysql": (
        (
            r"^set session net_read_timeout = 0 , session net_write_timeout = 0|^select logfile_group_name , file_name , total_extents",
            "mysqldump",
        ),
        (r"^lock tables .* read local$|^set sql_quote_show_create\b|^set option sql_quote_show_create", "mysqldump"),
    ),
    "oracle": (
        (r"\bdbms_datapump\b|\bsys_export_(?:schema|table|full|tablespace)_|\bkupw\$worker\b|\bku\$_", "expdp"),
    ),
    "tsql": ((r"^insert bulk\b|^set fmtonly on\b", "bcp"),),
}

_LITERAL = r"(?:''|0|true|null)"
INJECTION: tuple[tuple[str, str], ...] = (
    (rf"\b(?:or|xor) (?:not )?\(* ?{_LITERAL} (?:=|<|>|<>|!=|<=|>=|like|<=>) {_LITERAL}(?![\w.])", "tautology"),
    (r"\b(?:or|xor) (?:not (?:false|\( false \))|exists \( select (?:0|''|null|true)(?: from dual)? \))", "tautology"),
    (r"\b(?:or|xor) (?:0|'') between (?:0|'') and (?:0|'')(?: |$)", "tautology"),
    (r"\bor (?:not )?(?:0|true)(?: |$)(?!=|<|>|\+|-|\*|/|and|between|in |is )", "tautology"),
    (r"\bor ([a-z_][\w$]*) = \1(?![\w.$ ]* ?\.)(?: |$)", "tautology"),
    (rf"\bunion (?:all |distinct )?\(* ?select (?:{_LITERAL} , )+{_LITERAL}(?: |$)", "union"),
    (rf"\bunion (?:all |distinct )?\(* ?select (?:{_LITERAL} , ){{2,}}", "union"),
)  # fmt: skip
# SQL Server needs no semicolon between a query and what was put behind it.
BEHIND_A_QUERY = (
    r"^select .* (?:drop (?:table|database|login|user) (?!(?:if exists )?[#\"]*#)\S|truncate table (?!#)\S|shutdown\b|waitfor delay\b"
    r"|grant \S+ (?:on|to) |create login |alter (?:login|role|server role) )"
)
DELAYS = frozenset(
    {"pg_sleep", "sleep", "benchmark", "dbms_lock.sleep", "dbms_pipe.receive_message", "dbms_session.sleep"}
)
ERROR_BASED = frozenset(
    {"extractvalue", "updatexml", "utl_inaddr.get_host_name", "utl_inaddr.get_host_address", "ctxsys.drithsx.sn"}
)

INTO_TABLE = r"^create (?:or replace )?(?:\S+ )?(?:table|materialized view) .*\bas (?:\( )?(?:select|with|table)\b|^select .* into (?!outfile|dumpfile|@)\S|^insert .*\bselect\b|^with .*\binsert into\b"

LOOKS_LIKE_SQL = (
    r"(?is)\s*+(?:\(\s*+)?(?:select\b.+|insert\s++into\b|update\s++\S++.*\sset\b|delete\s++from\b|merge\s++into\b|with\s++\S++.*\bas\b|copy\s++\S++.*\b(?:to|from)\b"
    r"|(?:create|alter|drop|truncate)\s++(?:table|view|user|role|procedure|function|or\b|database|server|audit|system)|grant\s++\S|revoke\s++\S|exec(?:ute)?\s++\S"
    r"|call\s++\S|begin\s|declare\s|set\s++\S++\s*+(?:=|to\b)|load\s++data\b)"
)


def is_dictionary(name: str) -> bool:
    """Whether a table is one of the server's own that say what tables there are."""
    low = name.lower()
    return low.startswith((
        "information_schema.", "pg_catalog.", "sys.", "pg_class", "pg_tables", "pg_attribute", "pg_namespace", "pg_shadow", "pg_authid", "pg_user", "pg_roles",
        "pg_database", "all_tab", "all_tables", "user_tab", "dba_tab", "all_users", "dba_users", "v$", "sysobjects", "syscolumns", "mysql.",
        "performance_schema.",
    ))  # fmt: skip

"""Inventories of Oracle and SQL Server from CSV exports of their views, and the queries that make these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.cells import Cell, moment_of, text_of
from config.errors import ConfigError, Problem
from config.inventories import Inventory
from monitor.inventory.snapshot import InventoryFailed, Snapshot, accounts_frame, code_frame, with_inherited
from monitor.spreadsheets import read_sheets

QUERIES: dict[str, dict[str, str]] = {
    "oracle": {
        "accounts": """\
SELECT u.username, u.account_status, u.oracle_maintained,
  TO_CHAR(u.created, 'YYYY-MM-DD HH24:MI:SS') AS created,
  TO_CHAR(u.expiry_date, 'YYYY-MM-DD HH24:MI:SS') AS expiry_date,
  TO_CHAR(CAST(u.last_login AS DATE), 'YYYY-MM-DD HH24:MI:SS') AS last_login,
  TO_CHAR(u.password_change_date, 'YYYY-MM-DD HH24:MI:SS') AS password_change_date,
  CASE p.limit WHEN 'DEFAULT' THEN d.limit ELSE p.limit END AS password_life_time
FROM dba_users u
JOIN dba_profiles p ON p.profile = u.profile AND p.resource_name = 'PASSWORD_LIFE_TIME'
JOIN dba_profiles d ON d.profile = 'DEFAULT' AND d.resource_name = 'PASSWORD_LIFE_TIME'
ORDER BY u.username""",
        "roles": """\
SELECT grantee, granted_role AS granted FROM dba_role_privs
UNION ALL SELECT grantee, privilege FROM dba_sys_privs
UNION ALL SELECT username, 'SYSDBA' FROM v$pwfile_users WHERE sysdba = 'TRUE'
ORDER BY 1, 2""",
        "code": """\
SELECT s.type AS kind, s.owner || '.' || s.name AS name,
  TO_CHAR(SUM(ORA_HASH(s.line || ':' || s.text, 4294967295)) + SUM(ORA_HASH(s.text || ':' || s.line, 4294967295, 7)) * 4294967296) AS digest
FROM dba_source s JOIN dba_users u ON u.username = s.owner AND u.oracle_maintained = 'N'
GROUP BY s.type, s.owner, s.name
UNION ALL
SELECT 'VIEW', o.owner || '.' || o.object_name, TO_CHAR(o.last_ddl_time, 'YYYYMMDDHH24MISS')
FROM dba_objects o JOIN dba_users u ON u.username = o.owner AND u.oracle_maintained = 'N' WHERE o.object_type = 'VIEW'
ORDER BY 1, 2""",
    },
    "sqlserver": {
        "accounts": """\
SELECT p.name, p.type_desc, p.is_disabled, CONVERT(varchar(19), p.create_date, 120) AS create_date,
  l.is_expiration_checked,
  CONVERT(varchar(19), CONVERT(datetime, LOGINPROPERTY(p.name, 'PasswordLastSetTime')), 120) AS password_last_set,
  CONVERT(int, LOGINPROPERTY(p.name, 'DaysUntilExpiration')) AS days_until_expiration
FROM sys.server_principals p LEFT JOIN sys.sql_logins l ON l.principal_id = p.principal_id
WHERE p.type IN ('S', 'U', 'G') ORDER BY p.name""",
        "roles": """\
SELECT m.name AS member, r.name AS role FROM sys.server_role_members x
JOIN sys.server_principals m ON m.principal_id = x.member_principal_id
JOIN sys.server_principals r ON r.principal_id = x.role_principal_id
UNION ALL
SELECT p.name, s.permission_name FROM sys.server_permissions s
JOIN sys.server_principals p ON p.principal_id = s.grantee_principal_id
WHERE s.state IN ('G', 'W') AND s.permission_name <> 'CONNECT SQL'
ORDER BY 1, 2""",
        "code": """\
-- once in every database that is watched; several files may be named
SELECT o.type_desc AS kind, DB_NAME() + '.' + s.name + '.' + o.name AS name,
  CONVERT(varchar(64), HASHBYTES('SHA2_256', CONVERT(varbinary(max), m.definition)), 2) AS digest
FROM sys.sql_modules m JOIN sys.objects o ON o.object_id = m.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
ORDER BY 1, 2""",
    },
}
_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "oracle": {
        "accounts": ("username", "account_status", "created", "expiry_date", "last_login", "password_life_time"),
        "roles": ("grantee", "granted"),
        "code": ("kind", "name", "digest"),
    },
    "sqlserver": {
        "accounts": ("name", "type_desc", "is_disabled", "create_date", "is_expiration_checked", "password_last_set"),
        "roles": ("member", "role"),
        "code": ("kind", "name", "digest"),
    },
}
_STRONG = {
    "oracle": frozenset({"DBA", "SYSDBA", "IMP_FULL_DATABASE", "DATAPUMP_IMP_FULL_DATABASE", "GRANT ANY ROLE", "GRANT ANY PRIVILEGE", "BECOME USER"}),
    "sqlserver": frozenset({"sysadmin", "securityadmin", "CONTROL SERVER", "IMPERSONATE ANY LOGIN"}),
}  # fmt: skip
_NULLS = frozenset({"", "null", "(null)"})
# Accounts that the product keeps for itself; a human can log in with those of Oracle that are named here all the same.
_ORACLE_OWNERS = frozenset({"SYS", "SYSTEM"})

Row = Mapping[str, str]
Fault = Callable[[str, str], ConfigError]  # column, message


def read(name: str, inventory: Inventory, zone: ZoneInfo, now: datetime) -> Snapshot:
    """Raises InventoryFailed (missing, old) and ConfigError (with file and line). `zone`: of the times in the exports."""
    kind = inventory.kind
    columns = _COLUMNS[kind]
    written = [
        _fresh(name, file, now, inventory.max_age_days)
        for file in (*inventory.accounts, *inventory.roles, *inventory.code)
    ]
    direct: dict[str, set[str]] = {}
    for row, _ in _rows(inventory.roles, columns["roles"]):
        holder, granted = (row[column] for column in columns["roles"])
        direct.setdefault(holder, set()).add(granted)
    inherited = with_inherited(direct)
    make = _oracle if kind == "oracle" else _sqlserver
    accounts = []
    for row, fault in _rows(inventory.accounts, columns["accounts"]):
        account = make(row, fault, zone, written[0])  # days that are left count from the export
        if account is None:
            continue
        roles = inherited.get(account["account"], set())
        strong = not _STRONG[kind].isdisjoint(roles)
        accounts.append({"system": inventory.system, **account, "superuser": strong, "roles": sorted(roles)})
    code = None
    if inventory.code:
        rows = [(row["kind"].lower(), row["name"], row["digest"]) for row, _ in _rows(inventory.code, columns["code"])]
        code = code_frame(inventory.system, rows)
    return Snapshot(inventory.system, accounts_frame(accounts), code)


def _fresh(name: str, file: Path, now: datetime, days: int) -> datetime:
    """When an export was written."""
    try:
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise InventoryFailed(name, "export_missing", f"{file}: {error.strerror or type(error).__name__}") from None
    if now - written > timedelta(days=days):
        raise InventoryFailed(name, "export_old", str(file))
    return written


def _rows(files: Iterable[Path], wanted: Sequence[str]) -> Iterator[tuple[Row, Fault]]:
    """The rows of all files by name of column; headings in any case and order, more columns than wanted."""
    for file in files:
        for sheet in read_sheets(file):
            lines = iter(sheet.rows)
            first, heads = next(lines, (1, ()))
            names = [text_of(head).lower() for head in heads]
            lacking = [name for name in wanted if name not in names]
            if lacking:
                message = f"columns are missing: {', '.join(lacking)}; `hiswatch inventory queries` shows the query"
                raise ConfigError([Problem(sheet.file, first, 1, "", message)])
            for number, cells in lines:
                texts = [_plain(cell) for cell in cells]
                if any(texts):
                    row = dict(zip(names, texts + [""] * (len(names) - len(texts)), strict=False))
                    yield _checked(row, wanted[0], sheet.file, number)


def _checked(row: Row, key: str, place: str, line: int) -> tuple[Row, Fault]:
    def fault(column: str, message: str) -> ConfigError:
        return ConfigError([Problem(place, line, 1, column, message)])

    if not row[key]:
        raise fault(key, "is empty")
    return row, fault


def _plain(cell: Cell) -> str:
    text = text_of(cell)
    return "" if text.lower() in _NULLS else text


def _oracle(row: Row, fault: Fault, zone: ZoneInfo, _: datetime) -> dict[str, Any] | None:
    if row.get("oracle_maintained") == "Y" and row["username"] not in _ORACLE_OWNERS:
        return None
    end = _moment(row, "expiry_date", fault, zone)
    life = row["password_life_time"].upper()
    if life and life not in {"UNLIMITED", "DEFAULT"} and not life.replace(".", "", 1).isdigit():
        raise fault("password_life_time", "expected a number of days, or UNLIMITED")
    return {
        "account": row["username"],
        "can_login": True,
        "expires": False if life == "UNLIMITED" and end is None else True if end is not None else None,
        "valid_until": end,
        "locked": "LOCKED" in row["account_status"].upper(),
        "created_at": _moment(row, "created", fault, zone),
        "last_login_at": _moment(row, "last_login", fault, zone),
        "password_changed_at": _moment(row, "password_change_date", fault, zone),
    }


def _sqlserver(row: Row, fault: Fault, zone: ZoneInfo, written: datetime) -> dict[str, Any] | None:
    if row["name"].startswith(("##", "NT SERVICE\\", "NT AUTHORITY\\")):
        return None
    checked = _flag(row, "is_expiration_checked", fault)
    days = row.get("days_until_expiration", "")
    if days and not days.lstrip("-").isdigit():
        raise fault("days_until_expiration", "expected a whole number")
    return {
        "account": row["name"],
        "can_login": True,
        "expires": checked,  # null for Windows logins: the directory ends them
        "valid_until": (written + timedelta(days=min(int(days), 36_500))).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        if checked and days
        else None,
        "locked": _flag(row, "is_disabled", fault) or False,
        "created_at": _moment(row, "create_date", fault, zone),
        "password_changed_at": _moment(row, "password_last_set", fault, zone),
    }


def _flag(row: Row, column: str, fault: Fault) -> bool | None:
    text = row[column].lower()
    if text in {"1", "true"}:
        return True
    if text in {"0", "false"}:
        return False
    if text:
        raise fault(column, "expected 0 or 1")
    return None


def _moment(row: Row, column: str, fault: Fault, zone: ZoneInfo) -> datetime | None:
    text = row.get(column, "").partition(".")[0].replace("T", " ")
    if not text:
        return None
    try:
        return datetime.fromisoformat(moment_of(text)).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault(column, "expected a time such as 2026-11-18 08:30:00") from None

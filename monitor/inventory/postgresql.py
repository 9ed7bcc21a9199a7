"""The accounts and the code of a PostgreSQL server. Any account may read what is needed here; nothing is changed.

Sources: PostgreSQL's documentation of pg_roles, pg_auth_members, pg_db_role_setting, pg_proc; pgaudit's README.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from config.inventories import Inventory
from config.loader import read_secret
from monitor.inventory.snapshot import InventoryFailed, Snapshot, accounts_frame, code_frame, moment, with_inherited

TIMEOUT_SECONDS = 10
_SSLMODE = {"off": "disable", "require": "require", "verify": "verify-full"}
_RIGHTS = ("createrole", "createdb", "replication", "bypassrls")

ROLES = """
SELECT rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
  CASE WHEN isfinite(rolvaliduntil) THEN least(extract(epoch FROM rolvaliduntil), 253370764800)::float8 END
FROM pg_catalog.pg_roles ORDER BY rolname
"""
MEMBERS = """
SELECT m.rolname, r.rolname FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles m ON m.oid = a.member JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
"""
# What the audit and the log take by default; null where no such setting is known to the server.
SETTINGS = """
SELECT (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'pgaudit.log'),
  (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'log_statement'),
  EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'pgaudit.role' AND setting <> ''), session_user
"""
OVERRIDES = """
SELECT coalesce(r.rolname, ''), s.setdatabase::bigint, unnest(s.setconfig)
FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
"""
CODE = """
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
  n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
  encode(sha256(convert_to(pg_catalog.pg_get_functiondef(p.oid) || coalesce(p.proacl::text, ''), 'UTF8')), 'hex')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, n.nspname || '.' || c.relname,
  encode(sha256(convert_to(pg_catalog.pg_get_viewdef(c.oid), 'UTF8')), 'hex')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'trigger', n.nspname || '.' || c.relname || '.' || t.tgname,
  encode(sha256(convert_to(pg_catalog.pg_get_triggerdef(t.oid) || t.tgenabled::text, 'UTF8')), 'hex')
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
"""
# pgaudit's classes that a person's work falls into; FUNCTION and MISC say little.
_NEEDED = frozenset({"read", "write", "ddl", "role"})


def read(name: str, inventory: Inventory) -> Snapshot:
    """Raises InventoryFailed."""
    code: list[tuple[str, str, str]] = []
    accounts = None
    for database in inventory.databases:
        with _connected(name, inventory, database) as connection:
            if accounts is None:
                accounts = _accounts(inventory.system, connection)
            code += [(kind, f"{database}.{one}", digest) for kind, one, digest in connection.execute(CODE)]
    assert accounts is not None
    return Snapshot(inventory.system, accounts_frame(accounts), code_frame(inventory.system, code))


@contextmanager
def _connected(name: str, inventory: Inventory, database: str) -> Iterator[psycopg.Connection[Any]]:
    password = read_secret(inventory.password_file).decode() if inventory.password_file is not None else None
    ca = str(inventory.ca_file) if inventory.ca_file is not None else "system"
    try:
        with psycopg.connect(
            host=inventory.host, port=inventory.port or 5432, user=inventory.user, password=password, dbname=database,
            sslmode=_SSLMODE[inventory.tls], connect_timeout=TIMEOUT_SECONDS, autocommit=False,
            application_name="hiswatch inventory",
            options=f"-c statement_timeout={TIMEOUT_SECONDS}s -c default_transaction_read_only=on",
sslrootcert=ca if inventory.tls == "verify" else None,
        ) as connection:  # fmt: skip
            yield connection
    except psycopg.errors.InsufficientPrivilege:
        raise InventoryFailed(name, "denied") from None
    except psycopg.Error as error:
        code = error.sqlstate  # none where there was no session
        reason = "failed" if code is not None else "refused" if _there(inventory) else "unreachable"
        raise InventoryFailed(name, reason, code or type(error).__name__) from None


def _there(inventory: Inventory) -> bool:
    """Libpq tells a refusal at the door in words alone, and in the server's language: so ask whether a door is there."""
    try:
        with socket.create_connection((inventory.host or "", inventory.port or 5432), TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


def _accounts(system: str, connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    roles = connection.execute(ROLES).fetchall()
    direct: dict[str, set[str]] = {row[0]: set() for row in roles}
    for member, role in connection.execute(MEMBERS):
        direct.setdefault(member, set()).add(role)
    inherited = with_inherited(direct)
    strong = {row[0] for row in roles if row[2]}
    settings = connection.execute(SETTINGS).fetchone()
    assert settings is not None
    audit = audited([row[0] for row in roles], settings, connection.execute(OVERRIDES).fetchall())
    return [
        {
            "system": system,
            "account": name,
            "can_login": can_login,
            "superuser": superuser or not strong.isdisjoint(inherited[name]),
            "roles": sorted(inherited[name] | {right for right, held in zip(_RIGHTS, rights, strict=True) if held}),
            "expires": until is not None,
            "valid_until": moment(until),
            "locked": False,
            "audited": audit[name],
        }
        for name, can_login, superuser, *rights, until in roles
    ]


def audited(
    names: Iterable[str], settings: tuple[str | None, str | None, bool, str], overrides: Iterable[tuple[str, int, str]]
) -> dict[str, bool | None]:
    """Whether what each account does is logged, in every database.

    `settings`: pgaudit.log and log_statement by default, whether objects are audited by a role, the account that asked.
    `overrides`: role ("": every), database (0: every), name=value; the most special one holds.
    """
    default_audit, default_log, by_objects, asker = settings
    told: dict[tuple[str, int], dict[str, str]] = {}
    for role, database, text in overrides:
        setting, _, value = text.partition("=")
        if setting in {"pgaudit.log", "log_statement"}:
            told.setdefault((role, database), {})[setting] = value
    # What was asked for the asker alone is what a session of it shows: the default behind it is not known.
    own = {setting for (role, _), values in told.items() if role == asker for setting in values}
    base: dict[str, str | None] = {
        "pgaudit.log": None if "pgaudit.log" in own else default_audit,
        "log_statement": None if "log_statement" in own else default_log,
    }
    databases = {0} | {database for _, database in told}
    found: dict[str, bool | None] = {}
    for name in names:
        verdicts = [_taken(_held(base, told, name, database), by_objects, own) for database in databases]
        found[name] = False if False in verdicts else None if None in verdicts else True
    return found


def _held(
    base: Mapping[str, str | None], told: Mapping[tuple[str, int], Mapping[str, str]], role: str, database: int
) -> dict[str, str | None]:
    held = dict(base)
    for key in (("", 0), ("", database), (role, 0), (role, database)):
        held |= told.get(key, {})
    return held


def _taken(held: Mapping[str, str | None], by_objects: bool, unknown: set[str]) -> bool | None:
    classes = {part.strip().lower() for part in (held["pgaudit.log"] or "").split(",")}
    wanted = _NEEDED if "all" in classes else classes & _NEEDED
    wanted = wanted - {part[1:] for part in classes if part.startswith("-")}
    if wanted == _NEEDED or held["log_statement"] == "all":
        return True
    if by_objects or (unknown and None in held.values()):
        return None
    return False

"""The accounts and the code of a MariaDB or MySQL server.

Accounts of one name from several hosts are one account here, since logs tell the name: it is as strong as its strongest,
and locked only where all are. Sources: MariaDB's documentation of mysql.global_priv, roles_mapping, server_audit; MySQL's of
mysql.user, mysql.role_edges.
"""

from __future__ import annotations

import json
import ssl
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pymysql

from config.inventories import Inventory
from config.loader import read_secret
from monitor.inventory.snapshot import InventoryFailed, Snapshot, accounts_frame, code_frame, moment, with_inherited

TIMEOUT_SECONDS = 10
_DENIED = frozenset({1142, 1143, 1227, 1044, 1370})
_REFUSED = frozenset({1045, 1698, 4151, 1130, 3118})
_STRONG = frozenset({"SUPER", "CREATE USER", "SET USER", "SYSTEM_USER", "CONNECTION ADMIN"})

# information_schema tells no rights of roles: they stand as bits in global_priv (MariaDB's sql/privilege.h).
_BITS = {
    "RELOAD": 6, "SHUTDOWN": 7, "PROCESS": 8, "FILE": 9, "SUPER": 15, "CREATE USER": 25, "SET USER": 30, "CONNECTION ADMIN": 32,
}  # fmt: skip

MARIADB_USERS = "SELECT User, Host, Priv FROM mysql.global_priv"
MARIADB_ROLES = "SELECT User, Host, Role FROM mysql.roles_mapping"
MYSQL_USERS = (
    "SELECT User, Host, account_locked, password_lifetime, UNIX_TIMESTAMP(password_last_changed), password_expired "
    "FROM mysql.user"
)
MYSQL_ROLES = "SELECT TO_USER, TO_HOST, FROM_USER FROM mysql.role_edges"
RIGHTS = "SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'"
VARIABLES = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name LIKE 'server\\_audit\\_%' OR Variable_name IN "
    "('default_password_lifetime', 'general_log', 'log_output')"
)
CODE = """
SELECT LOWER(ROUTINE_TYPE), CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME),
  SHA2(CONCAT_WS('\\n', ROUTINE_DEFINITION, DTD_IDENTIFIER, SECURITY_TYPE, DEFINER), 256)
FROM information_schema.ROUTINES WHERE ROUTINE_DEFINITION IS NOT NULL AND ROUTINE_SCHEMA NOT IN {own}
UNION ALL SELECT 'view', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME),
  SHA2(CONCAT_WS('\\n', VIEW_DEFINITION, SECURITY_TYPE, DEFINER), 256)
FROM information_schema.VIEWS WHERE VIEW_DEFINITION <> '' AND TABLE_SCHEMA NOT IN {own}
UNION ALL SELECT 'trigger', CONCAT(TRIGGER_SCHEMA, '.', EVENT_OBJECT_TABLE, '.', TRIGGER_NAME),
  SHA2(CONCAT_WS('\\n', ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT, DEFINER), 256)
FROM information_schema.TRIGGERS WHERE ACTION_STATEMENT <> '' AND TRIGGER_SCHEMA NOT IN {own}
UNION ALL SELECT 'event', CONCAT(EVENT_SCHEMA, '.', EVENT_NAME),
  SHA2(CONCAT_WS('\\n', EVENT_DEFINITION, INTERVAL_VALUE, INTERVAL_FIELD, STATUS, DEFINER), 256)
FROM information_schema.EVENTS WHERE EVENT_DEFINITION IS NOT NULL AND EVENT_SCHEMA NOT IN {own}
""".format(own="('mysql', 'sys', 'performance_schema', 'information_schema')")


def read(name: str, inventory: Inventory) -> Snapshot:
    """Raises InventoryFailed."""
    with _connected(name, inventory) as ask:
        version = str(ask("SELECT VERSION()")[0][0])
        variables = dict(ask(VARIABLES))
        rights = ask(RIGHTS)
        if "mariadb" in version.lower():
            told = ask(MARIADB_USERS)
            users = [mariadb_user(*row) for row in told]
            rights += [(_text(name), right) for name, _, text in told for right in role_rights(text)]
            roles = ask(MARIADB_ROLES)
            audit = server_audit(variables)
        else:
            users = [mysql_user(*row) for row in ask(MYSQL_USERS)]
            roles = ask(MYSQL_ROLES)
            audit = _general_log(variables) or None
        code = ask(CODE)
    rows = accounts(inventory.system, users, roles, rights, variables, audit)
    return Snapshot(inventory.system, accounts_frame(rows), code_frame(inventory.system, code))


@contextmanager
def _connected(name: str, inventory: Inventory) -> Iterator[Any]:
    password = read_secret(inventory.password_file).decode() if inventory.password_file is not None else ""
    try:
        connection = pymysql.connect(
            host=inventory.host, port=inventory.port or 3306, user=inventory.user, password=password,
            connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, write_timeout=TIMEOUT_SECONDS,
            charset="utf8mb4", program_name="hiswatch inventory", local_infile=False, **_tls(inventory),
        )  # fmt: skip
    except (pymysql.Error, OSError) as error:
        code = error.args[0] if error.args else None
        raise InventoryFailed(name, "refused" if code in _REFUSED else "unreachable", str(code or "")) from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")

            def ask(sql: str) -> list[tuple[Any, ...]]:
                cursor.execute(sql)
                return list(cursor.fetchall())

            yield ask
    except pymysql.Error as error:
        code = error.args[0] if error.args else None
        raise InventoryFailed(name, "denied" if code in _DENIED else "failed", str(code or "")) from None


def _tls(inventory: Inventory) -> dict[str, Any]:
    if inventory.tls == "off":
        return {"ssl_disabled": True}
    context = ssl.create_default_context(cafile=str(inventory.ca_file) if inventory.ca_file is not None else None)
    if inventory.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


class User:
    """One name at one host."""

    __slots__ = ("account", "changed", "host", "is_role", "lifetime", "locked")

    def __init__(
        self, account: str, host: str, *, is_role: bool, locked: bool, lifetime: int | None, changed: float | None
    ) -> None:
        self.account, self.host, self.is_role, self.locked = account, host, is_role, locked
        self.lifetime = lifetime  # days; 0: for ever; None: the server's default
        self.changed = changed  # seconds since the epoch


def mariadb_user(account: str, host: str, text: str | bytes) -> User:
    told = json.loads(text)
    lifetime = told.get("password_lifetime")
    changed = told.get("password_last_changed")
    return User(
        _text(account), _text(host),
        is_role=bool(told.get("is_role")),
        locked=bool(told.get("account_locked")),
        lifetime=None if lifetime in {None, -1} else int(lifetime),
        changed=float(changed) if changed else None,
    )  # fmt: skip


def role_rights(text: str | bytes) -> list[str]:
    """Rights over the whole server that a row of global_priv gives, where it is a role."""
    told = json.loads(text)
    access = int(told.get("access") or 0) if told.get("is_role") else 0
    return [right for right, bit in _BITS.items() if access >> bit & 1]


def mysql_user(account: str, host: str, locked: str, lifetime: int | None, changed: float | None, expired: str) -> User:
    return User(
        _text(account), _text(host),
        # A role of MySQL is an account that is locked and whose password is expired: CREATE ROLE makes it so.
        is_role=_text(locked) == "Y" and _text(expired) == "Y",
        locked=_text(locked) == "Y",
        lifetime=lifetime,
        changed=float(changed) if changed else None,
    )  # fmt: skip


def accounts(
    system: str,
    users: Sequence[User],
    roles: Sequence[Sequence[str]],
    rights: Sequence[Sequence[str]],
    variables: Mapping[str, str],
    audit: bool | None,
) -> Iterator[dict[str, Any]]:
    """Rows of ACCOUNTS. `roles`: user, host, role. `rights`: "'user'@'host'" and a right over the whole server."""
    held: dict[str, set[str]] = defaultdict(set)
    for grantee, right in rights:
        held[_grantee(_text(grantee))].add(_text(right))
    direct: dict[str, set[str]] = defaultdict(set)
    for holder, _, role in roles:
        direct[_text(holder)].add(_text(role))
    inherited = with_inherited(direct)
    strong = {name for name, names in held.items() if not _STRONG.isdisjoint(names)}
    by_name: dict[str, list[User]] = defaultdict(list)
    for user in users:
        if user.account and not user.is_role:
            by_name[user.account].append(user)
    excluded, included = (_listed(variables.get(f"server_audit_{which}_users")) for which in ("excl", "incl"))
    default = int(variables.get("default_password_lifetime") or 0)
    for name, same in by_name.items():
        got = inherited.get(name, set())
        ends = [_end(user, default) for user in same if not user.locked] or [_end(user, default) for user in same]
        changed = [user.changed for user in same if user.changed is not None]
        # Of the two lists server_audit heeds the included where there is one.
        left_out = name not in included if included else name in excluded
        yield {
            "system": system,
            "account": name,
            "can_login": True,
            "superuser": name in strong or not strong.isdisjoint(got),
            "roles": sorted(got | held[name] | {right for role in got for right in held[role]}),
            "expires": None not in ends,
            "valid_until": max((end for end in ends if end is not None), default=None) if None not in ends else None,
            "locked": all(user.locked for user in same),
            "password_changed_at": moment(min(changed)) if changed else None,
            "audited": False if audit and left_out else audit,
        }


def _end(user: User, default: int) -> datetime | None:
    lifetime = default if user.lifetime is None else user.lifetime
    if not lifetime or user.changed is None:
        return None
    return datetime.fromtimestamp(user.changed, UTC) + timedelta(days=lifetime)


def server_audit(variables: Mapping[str, str]) -> bool | None:
    """Whether MariaDB's audit takes statements at all."""
    if _general_log(variables):
        return True
    if "server_audit_logging" not in variables:
        return False
    events = {part.strip().upper() for part in (variables.get("server_audit_events") or "").split(",")} - {""}
    return variables["server_audit_logging"].upper() == "ON" and (not events or bool(events & {"QUERY", "TABLE"}))


def _general_log(variables: Mapping[str, str]) -> bool:
    return variables.get("general_log", "").upper() == "ON" and "FILE" in variables.get("log_output", "").upper()


def _listed(text: str | None) -> set[str]:
    return {part.strip().strip("'\"") for part in (text or "").split(",")} - {""}


def _grantee(text: str) -> str:
    """User of 'user'@'host', or the name of a role, which has no host. A quote inside a name is doubled."""
    user, between, _ = text.rpartition("'@'")
    return (user if between else text).removeprefix("'").removesuffix("'").replace("''", "'")


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)

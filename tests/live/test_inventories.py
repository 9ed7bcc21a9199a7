"""Inventories of real servers: what they say of accounts, roles, ends, audit and code is what was made there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon import configure, daemon
from servers import MariaDB, PostgreSQL, mariadb, postgresql, wait_until

from config.inventories import Inventory
from monitor.inventory import mysql
from monitor.inventory import postgresql as reader
from monitor.inventory.snapshot import InventoryFailed, Snapshot

pytestmark = pytest.mark.live

POSTGRES = """
CREATE ROLE readers; CREATE ROLE dbas SUPERUSER; CREATE ROLE deputies IN ROLE dbas;
CREATE ROLE v_sun LOGIN VALID UNTIL '2027-03-01 00:00+08' IN ROLE readers;
CREATE ROLE v_endless LOGIN VALID UNTIL 'infinity';
CREATE ROLE v_absurd LOGIN VALID UNTIL '99999-01-01';
CREATE ROLE "v_病案; -- x" LOGIN IN ROLE deputies;
CREATE ROLE v_blind LOGIN; ALTER ROLE v_blind SET pgaudit.log = 'none';
CREATE ROLE v_narrow LOGIN; ALTER ROLE v_narrow SET pgaudit.log = 'all, -read';
CREATE ROLE v_there LOGIN; ALTER ROLE v_there IN DATABASE his SET pgaudit.log = 'none';
CREATE ROLE v_safe LOGIN; ALTER ROLE v_safe SET pgaudit.log = 'none'; ALTER ROLE v_safe SET log_statement = 'all';
CREATE ROLE hiswatch LOGIN;
"""
CODE = """
CREATE TABLE patients (id int, name text);
CREATE VIEW v_patients AS SELECT id FROM patients;
CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM patients';
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON patients FOR EACH ROW EXECUTE FUNCTION tf();
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hiswatch-live-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def pg(folder: Path) -> Iterator[PostgreSQL]:
    with postgresql(folder / "pg") as server:
        server.psql("CREATE DATABASE his", database="postgres")
        server.psql(POSTGRES)
        server.psql(CODE)
        yield server


@pytest.fixture(scope="module")
def maria(folder: Path) -> Iterator[MariaDB]:
    with mariadb(folder / "maria", server_audit_excl_users="v_blind,backup") as server:
        server.run(MARIADB)
        yield server


def inventory(port: int, kind: str, **keys: Any) -> Inventory:
    told = {"system": "his", "kind": kind, "host": "127.0.0.1", "port": port, "user": "hiswatch", "tls": "off"} | keys
    return Inventory.model_validate(told)


def accounts(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {row["account"]: row for row in snapshot.accounts.iter_rows(named=True)}


def test_postgresql_tells_its_accounts_to_anybody(pg: PostgreSQL) -> None:
    found = accounts(reader.read("pg", inventory(pg.port, "postgresql", databases=["his"])))
    strong = {name for name, row in found.items() if row["superuser"]}
    assert strong == {"postgres", "dbas", "deputies", "v_病案; -- x"}, "also through two roles"
    assert found["v_病案; -- x"]["roles"] == ["dbas", "deputies"]
    assert found["v_sun"]["roles"] == ["readers"]
    assert {name for name, row in found.items() if row["can_login"] is False and not name.startswith("pg_")} == {
        "readers", "dbas", "deputies",
    }  # fmt: skip
    assert (found["v_sun"]["expires"], found["v_sun"]["valid_until"]) == (True, datetime(2027, 2, 28, 16, tzinfo=UTC))
    assert (found["v_endless"]["expires"], found["v_endless"]["valid_until"]) == (False, None)
    assert found["v_absurd"]["valid_until"].year >= 9998


def test_postgresql_tells_whom_its_audit_leaves_out(pg: PostgreSQL) -> None:
    found = accounts(reader.read("pg", inventory(pg.port, "postgresql", databases=["his"])))
    told = {name: row["audited"] for name, row in found.items() if row["can_login"]}
    left_out = {"v_blind", "v_narrow", "v_there"}
    assert {name for name, audited in told.items() if audited is False} == left_out
    assert {name for name, audited in told.items() if audited is None} == set()


def test_postgresql_without_an_audit_leaves_out_everybody_it_does_not_log(pg: PostgreSQL) -> None:
    pg.psql("ALTER ROLE hiswatch SET pgaudit.log = 'none'")  # what the asker sees is then its own setting
    try:
        found = accounts(reader.read("pg", inventory(pg.port, "postgresql", databases=["his"])))
    finally:
        pg.psql("ALTER ROLE hiswatch RESET pgaudit.log")
    assert found["v_sun"]["audited"] is None
    assert found["v_blind"]["audited"] is None or found["v_blind"]["audited"] is False


def test_postgresql_code_has_a_digest_that_changes_with_it(pg: PostgreSQL) -> None:
    def digests() -> dict[tuple[str, str], str]:
        code = reader.read("pg", inventory(pg.port, "postgresql", databases=["his", "postgres"])).code
        assert code is not None
        return {(kind, name): digest for _, kind, name, digest in code.iter_rows()}

    before = digests()
    assert set(before) == {
        ("function", "his.public.f(i integer)"), ("function", "his.public.tf()"), ("procedure", "his.public.p()"),
        ("trigger", "his.public.patients.t"), ("view", "his.public.v_patients"),
    }  # fmt: skip
    pg.psql("CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE sql AS 'SELECT 2'")
    pg.psql("ALTER TABLE patients DISABLE TRIGGER t")
    after = digests()
    assert {key for key in before if before[key] != after[key]} == {
        ("function", "his.public.f(i integer)"), ("trigger", "his.public.patients.t"),
    }  # fmt: skip


def test_a_server_that_refuses_or_is_not_there_is_named_without_its_words(pg: PostgreSQL, maria: MariaDB) -> None:
    cases: list[tuple[Any, dict[str, Any], int, str]] = [
        (reader, {"kind": "postgresql", "user": "nobody_here"}, pg.port, "refused"),
        (reader, {"kind": "postgresql", "tls": "require"}, pg.port, "refused"),
        (reader, {"kind": "postgresql"}, 1, "unreachable"),
        (mysql, {"kind": "mysql", "user": "nobody_here"}, maria.port, "refused"),
        (mysql, {"kind": "mysql", "user": "v_plain"}, maria.port, "denied"),
        (mysql, {"kind": "mysql"}, 1, "unreachable"),
    ]
    for unit, keys, port, reason in cases:
        with pytest.raises(InventoryFailed) as error:
            unit.read("it", inventory(port, **keys))
        assert error.value.reason == reason, keys
        assert "nobody_here" not in str(error.value)


REGISTER = "owners: {pg: {accounts: [{system: his, account: postgres}, {system: his, account: hiswatch}]}}\n"


def test_the_daemon_finds_what_no_log_tells(pg: PostgreSQL, folder: Path) -> None:
    sources = {"audit": {"system": "his", "path": f"{pg.logs}/*.csv", "format": "postgresql_csvlog"}}
    live = f"inventories: {{pg: {{system: his, kind: postgresql, host: 127.0.0.1, port: {pg.port}, user: hiswatch, tls: 'off', databases: [his]}}}}\n"
    config, port = configure(folder / "site", sources, register=REGISTER, more=live)
    with daemon(config, port) as running:
        wait_until(lambda: running.query("SELECT 1 FROM findings WHERE rule = 'PRV-03b'"), "the checks have run")
        rows = running.query(
            "SELECT rule, account FROM findings WHERE rule IN ('ACC-03c', 'PRV-03b') AND source IS NULL"
        )
        assert {row["account"] for row in rows if row["rule"] == "PRV-03b"} == {"v_病案; -- x"}
        assert {row["account"] for row in rows if row["rule"] == "ACC-03c"} >= {"v_sun", "v_endless"}
        kept = running.query("SELECT account FROM accounts WHERE superuser AND can_login")
        assert {row["account"] for row in kept} == {"postgres", "v_病案; -- x"}
        assert 'hiswatch_inventory_accounts{inventory="pg"}' in running.metrics()
    assert "Traceback" not in running.log.read_text()


MARIADB = """
CREATE DATABASE his; CREATE TABLE his.patients (id int, name text);
CREATE ROLE readers; GRANT SELECT ON his.* TO readers; CREATE ROLE dbas; GRANT SUPER ON *.* TO dbas;
CREATE ROLE deputies; GRANT dbas TO deputies;
CREATE USER v_plain@'%'; CREATE USER v_sun@'10.%' PASSWORD EXPIRE INTERVAL 90 DAY;
CREATE USER v_never@'%' PASSWORD EXPIRE NEVER; CREATE USER v_half@'10.2.%';
CREATE USER v_half@'10.1.%', v_locked@'%' ACCOUNT LOCK;
CREATE USER 'v_o''neil@x'@'%', v_blind@'%', backup@'localhost', v_strong@'%', v_病案@'%';
GRANT readers TO v_sun@'10.%'; GRANT deputies TO v_strong@'%'; GRANT RELOAD, SUPER ON *.* TO 'v_o''neil@x'@'%';
CREATE USER hiswatch@'127.0.0.1'; GRANT SELECT ON mysql.* TO hiswatch@'127.0.0.1';
GRANT SHOW VIEW, EVENT, TRIGGER ON *.* TO hiswatch@'127.0.0.1';
USE his; CREATE VIEW v_patients AS SELECT id FROM patients; CREATE PROCEDURE p() DELETE FROM patients;
CREATE TRIGGER t BEFORE INSERT ON patients FOR EACH ROW SET NEW.name = 'x';
GRANT SELECT ON his.v_patients TO hiswatch@'127.0.0.1';
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM patients;
"""


def test_mariadb_tells_its_accounts(maria: MariaDB) -> None:
    found = accounts(mysql.read("maria", inventory(maria.port, "mysql")))
    assert {"readers", "dbas", "deputies"}.isdisjoint(found), "roles are no accounts"
    assert {name for name, row in found.items() if row["superuser"]} == {"root", "v_o'neil@x", "v_strong"}
    assert {"dbas", "deputies", "SUPER"} <= set(found["v_strong"]["roles"])
    assert found["v_sun"]["roles"] == ["readers"]
    ends = found["v_sun"]["valid_until"]
    assert found["v_sun"]["expires"]
    assert abs(ends - datetime.now(UTC) - timedelta(days=90)) < timedelta(hours=1)
    assert (found["v_never"]["expires"], found["v_plain"]["expires"]) == (False, False)
    assert {name for name, row in found.items() if row["locked"]} >= {"v_locked"}
    assert found["v_half"]["locked"] is False, "one of its hosts is open"
    assert abs(found["v_plain"]["password_changed_at"] - datetime.now(UTC)) < timedelta(hours=1)


def test_mariadb_tells_whom_its_audit_leaves_out(maria: MariaDB) -> None:
    def left_out() -> set[str]:
        found = accounts(mysql.read("maria", inventory(maria.port, "mysql")))
        return {name for name, row in found.items() if row["audited"] is False}

    assert left_out() == {"v_blind", "backup"}
    maria.run("SET GLOBAL server_audit_events = 'CONNECT'")
    try:
        assert {"v_sun", "root"} <= left_out(), "log-ins alone are no audit"
    finally:
        maria.run("SET GLOBAL server_audit_events = 'CONNECT,QUERY,TABLE'")


def test_mariadb_code_has_a_digest_that_changes_with_it(maria: MariaDB) -> None:
    def digests() -> dict[tuple[str, str], str]:
        code = mysql.read("maria", inventory(maria.port, "mysql")).code
        assert code is not None
        return {(kind, name): digest for _, kind, name, digest in code.iter_rows()}

    before = digests()
    assert set(before) == {
        ("view", "his.v_patients"), ("procedure", "his.p"), ("trigger", "his.patients.t"), ("event", "his.e"),
    }  # fmt: skip
    maria.run("DROP PROCEDURE p; CREATE PROCEDURE p() SELECT * FROM patients", database="his")
    after = digests()
    assert {key for key in before if before[key] != after.get(key)} == {("procedure", "his.p")}

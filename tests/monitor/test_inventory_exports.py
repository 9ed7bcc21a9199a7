"""Exports of Oracle's and SQL Server's views as inventories: what they say, and what is said of bad ones."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.errors import ConfigError
from config.inventories import Inventory
from monitor.inventory import exports
from monitor.inventory.exports import QUERIES
from monitor.inventory.snapshot import InventoryFailed, with_inherited

NOW = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
ORACLE = {
    "accounts": (
        "USERNAME,ACCOUNT_STATUS,ORACLE_MAINTAINED,CREATED,EXPIRY_DATE,LAST_LOGIN,PASSWORD_CHANGE_DATE,PASSWORD_LIFE_TIME\n"
        "SYS,OPEN,Y,2020-01-01 00:00:00,,,,UNLIMITED\n"
        "XDB,LOCKED,Y,2020-01-01 00:00:00,,,,UNLIMITED\n"
        "V_SUN,OPEN,N,2026-02-01 08:00:00,2026-12-31 00:00:00,2026-11-10 08:00:00,2026-06-01 00:00:00,180\n"
        '"V_""O,NEIL",EXPIRED & LOCKED(TIMED),N,2026-02-01 08:00:00,(null),,,UNLIMITED\n'
        "HIS,OPEN,N,2019-05-01T00:00:00,,,,DEFAULT\n"
    ),
    "roles": "GRANTEE,GRANTED\nSYS,SYSDBA\nHIS,APP_ADMIN\nAPP_ADMIN,DBA\nDBA,APP_ADMIN\nV_SUN,CONNECT\n",
    "code": "KIND,NAME,DIGEST\nPACKAGE BODY,HIS.PKG,42\n",
}
SQLSERVER = {
    "accounts": (
        "name,type_desc,is_disabled,create_date,is_expiration_checked,password_last_set,days_until_expiration\n"
        "sa,SQL_LOGIN,0,2018-01-01 00:00:00,0,2018-01-01 00:00:00,NULL\n"
        "v_sun,SQL_LOGIN,0,2026-02-01 00:00:00,1,2026-10-01 00:00:00,20\n"
        "##MS_PolicyEventProcessingLogin##,SQL_LOGIN,1,2018-01-01 00:00:00,0,,\n"
        "NT SERVICE\\MSSQLSERVER,WINDOWS_LOGIN,0,2018-01-01 00:00:00,NULL,,\n"
        "HOSP\\李工,WINDOWS_LOGIN,1,2026-01-01 00:00:00,NULL,NULL,NULL\n"
    ),
    "roles": "member,role\nsa,sysadmin\nv_sun,CONTROL SERVER\n",
}


def written(folder, texts, kind, encoding="utf-8", **keys):
    files = {}
    for name, text in texts.items():
        files[name] = folder / f"{name}.csv"
        files[name].write_bytes(text.encode(encoding))
        os.utime(files[name], (NOW.timestamp(), NOW.timestamp()))
    return Inventory.model_validate(
        {"system": "his", "kind": kind} | {name: (file,) for name, file in files.items()} | keys
    )


def read(folder, texts, kind, **keys):
    snapshot = exports.read("it", written(folder, texts, kind, **keys), ZONE, NOW)
    return {row["account"]: row for row in snapshot.accounts.iter_rows(named=True)}, snapshot.code


def test_oracle(tmp_path):
    found, code = read(tmp_path, ORACLE, "oracle")
    assert set(found) == {"SYS", "V_SUN", 'V_"O,NEIL', "HIS"}, "what the product keeps for itself is left out"
    assert {name for name, row in found.items() if row["superuser"]} == {"SYS", "HIS"}, "through a role, and a loop"
    assert found["V_SUN"]["valid_until"] == datetime(2026, 12, 30, 16, tzinfo=UTC)
    assert found["V_SUN"]["last_login_at"] == datetime(2026, 11, 10, 0, tzinfo=UTC)
    assert {name: row["expires"] for name, row in found.items()} == {
        "SYS": False, "V_SUN": True, 'V_"O,NEIL': False, "HIS": None,
    }  # fmt: skip
    assert [name for name, row in found.items() if row["locked"]] == ['V_"O,NEIL']
    assert all(row["audited"] is None for row in found.values())
    assert code.rows() == [("his", "package body", "HIS.PKG", "42")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_sql_server_in_every_encoding_that_tools_write(tmp_path, encoding):
    found, code = read(tmp_path, SQLSERVER, "sqlserver", encoding=encoding)
    assert set(found) == {"sa", "v_sun", "HOSP\\李工"}
    assert {name for name, row in found.items() if row["superuser"]} == {"sa", "v_sun"}
    assert {name: row["expires"] for name, row in found.items()} == {"sa": False, "v_sun": True, "HOSP\\李工": None}
    assert found["v_sun"]["valid_until"] == datetime(2026, 12, 1, tzinfo=UTC)
    assert found["HOSP\\李工"]["locked"]
    assert code is None


@pytest.mark.parametrize(
    ("kind", "texts", "file", "change", "told"),
    [
        ("oracle", ORACLE, "accounts", ("2026-12-31 00:00:00", "31.12."), "accounts.csv:4:1: expiry_date: expected a time"),
        ("oracle", ORACLE, "accounts", ("2026-02-01 08:00:00,2026", "2026-02-30 08:00:00,2026"), "accounts.csv:4:1: created: expected"),
        ("oracle", ORACLE, "accounts", (",180", ",soon"), "accounts.csv:4:1: password_life_time: expected a number of days"),
        ("oracle", ORACLE, "accounts", ("ACCOUNT_STATUS", "STATE"), "accounts.csv:1:1: columns are missing: account_status"),
        ("oracle", ORACLE, "accounts", ("V_SUN,", ","), "accounts.csv:4:1: username: is empty"),
        ("oracle", ORACLE, "roles", ("GRANTEE,GRANTED\n", ""), "roles.csv:1:1: columns are missing: grantee, granted"),
        ("oracle", ORACLE, "code", ("DIGEST", "HASH"), "code.csv:1:1: columns are missing: digest"),
        ("sqlserver", SQLSERVER, "accounts", ("SQL_LOGIN,0,2026", "SQL_LOGIN,no,2026"), "accounts.csv:3:1: is_disabled: expected 0 or 1"),
        ("sqlserver", SQLSERVER, "accounts", (",20\n", ",many\n"), "accounts.csv:3:1: days_until_expiration: expected a whole number"),
    ],
)  # fmt: skip
def test_a_bad_export_is_told_with_file_and_line(tmp_path, kind, texts, file, change, told):
    assert change[0] in texts[file]
    with pytest.raises(ConfigError) as error:
        read(tmp_path, texts | {file: texts[file].replace(*change)}, kind)
    assert str(error.value).startswith(str(tmp_path / told))


def test_an_old_or_missing_export_is_not_believed(tmp_path):
    inventory = written(tmp_path, ORACLE, "oracle", max_age_days=3)
    old = NOW.timestamp() - 3 * 86400 - 1
    os.utime(tmp_path / "roles.csv", (old, old))
    with pytest.raises(InventoryFailed, match=r"older than max_age_days .*roles\.csv"):
        exports.read("it", inventory, ZONE, NOW)
    (tmp_path / "roles.csv").unlink()
    with pytest.raises(InventoryFailed, match=r"cannot be read .*roles\.csv"):
        exports.read("it", inventory, ZONE, NOW)


def test_days_that_are_left_count_from_the_export(tmp_path):
    inventory = written(tmp_path, SQLSERVER, "sqlserver")
    snapshot = exports.read("it", inventory, ZONE, NOW + timedelta(days=3))
    ends = dict(snapshot.accounts.select("account", "valid_until").iter_rows())
    assert ends["v_sun"] == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", QUERIES)
def test_the_queries_give_the_columns_that_are_read(kind):
    for name, columns in exports._COLUMNS[kind].items():
        sql = QUERIES[kind][name].lower()
        assert all(column in sql for column in columns)


def test_roles_of_roles_with_loops():
    assert with_inherited({"a": ["b"], "b": ["c"], "c": ["a", "d"], "x": []}) == {
        "a": {"b", "c", "d"}, "b": {"a", "c", "d"}, "c": {"a", "b", "d"}, "x": set(),
    }  # fmt: skip

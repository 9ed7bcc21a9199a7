"""What becomes of rows that servers give: MySQL's own forms, which no live test has, and settings of audits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.inventory.mysql import accounts, mysql_user, role_rights, server_audit
from monitor.inventory.postgresql import audited

CHANGED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
MYSQL = [
    ("root", "localhost", "N", None, CHANGED, "N"),
    ("v_sun", "10.%", "N", 90, CHANGED, "N"),
    ("v_sun", "%", "Y", 0, CHANGED, "N"),
    ("dba_role", "%", "Y", None, None, "Y"),
    ("", "localhost", "N", None, None, "N"),
    ("v_han", "%", "N", None, CHANGED, "N"),
]


def mysql(variables=None, audit=None):
    users = [mysql_user(*row) for row in MYSQL]
    rights = [("'root'@'localhost'", "SUPER"), ("'dba_role'@'%'", "CREATE USER"), ("'v_sun'@'10.%'", "FILE")]
    roles = [("v_han", "%", "dba_role")]
    return {row["account"]: row for row in accounts("his", users, roles, rights, variables or {}, audit)}


def test_mysql_accounts():
    found = mysql()
    assert set(found) == {"root", "v_sun", "v_han"}, "neither roles nor accounts without a name"
    assert {name for name, row in found.items() if row["superuser"]} == {"root", "v_han"}, "also through a role"
    assert found["v_han"]["roles"] == ["CREATE USER", "dba_role"]
    assert found["v_sun"]["roles"] == ["FILE"]


def test_the_host_that_is_open_says_when_an_account_ends():
    sun = mysql()["v_sun"]
    assert (sun["expires"], sun["locked"]) == (True, False)
    assert sun["valid_until"] == datetime(2027, 1, 30, tzinfo=UTC)
    assert mysql()["v_han"]["expires"] is False
    assert mysql({"default_password_lifetime": "180"})["v_han"]["valid_until"] == datetime(2027, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("variables", "audit", "left_out"),
    [
        ({}, None, set()),
        ({}, True, set()),
        ({}, False, {"root", "v_sun", "v_han"}),
        ({"server_audit_excl_users": "v_sun, 'root'"}, True, {"v_sun", "root"}),
        ({"server_audit_incl_users": "v_han", "server_audit_excl_users": "v_han"}, True, {"root", "v_sun"}),
        ({"server_audit_excl_users": "v_sun"}, None, set()),
    ],
)
def test_whom_lists_of_users_leave_out(variables, audit, left_out):
    assert {name for name, row in mysql(variables, audit).items() if row["audited"] is False} == left_out


@pytest.mark.parametrize(
    ("variables", "taken"),
    [
        ({}, False),
        ({"server_audit_logging": "OFF"}, False),
        ({"server_audit_logging": "ON", "server_audit_events": ""}, True),
        ({"server_audit_logging": "ON", "server_audit_events": "CONNECT"}, False),
        ({"server_audit_logging": "ON", "server_audit_events": "CONNECT,TABLE"}, True),
        ({"server_audit_logging": "ON", "server_audit_events": "QUERY_DDL"}, False),
        ({"general_log": "ON", "log_output": "FILE"}, True),
        ({"general_log": "ON", "log_output": "TABLE"}, False),
    ],
)
def test_what_mariadbs_audit_takes(variables, taken):
    assert server_audit(variables) is taken


def test_rights_of_roles_stand_as_bits():
    assert role_rights('{"is_role": true, "access": 32768}') == ["SUPER"]
    assert role_rights(b'{"access": 32768}') == []
    assert role_rights('{"is_role": true}') == []


@pytest.mark.parametrize(
    ("settings", "overrides", "taken"),
    [
        (("all", "none", False, "x"), [], True),
        (("read, write, ddl, role", "none", False, "x"), [], True),
        (("all, -misc", "none", False, "x"), [], True),
        (("write, ddl", "none", False, "x"), [], False),
        ((None, "all", False, "x"), [], True),
        ((None, "ddl", False, "x"), [], False),
        (("none", "none", True, "x"), [], None),
        (("all", "none", False, "x"), [("a", 0, "pgaudit.log=none")], False),
        (("all", "none", False, "x"), [("b", 0, "pgaudit.log=none")], True),
        (("all", "none", False, "x"), [("", 7, "pgaudit.log=none")], False),
        (("all", "none", False, "x"), [("", 7, "pgaudit.log=none"), ("a", 7, "pgaudit.log=all")], True),
        (("none", "none", False, "x"), [("a", 0, "pgaudit.log=all")], True),
        (("none", "none", False, "x"), [("x", 0, "pgaudit.log=none")], None),
        (("all", "none", False, "x"), [("a", 0, "work_mem=4MB")], True),
    ],
)
def test_what_postgresql_takes_of_an_account(settings, overrides, taken):
    assert audited(["a"], settings, overrides) == {"a": taken}

"""`hiswatch inventory …` as people and machines meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.inventory_commands import inventory_app

CONFIG = """\
site: {id: h1}
state_dir: state
register: register.yaml
sources: {audit: {system: his, path: audit.log, format: postgresql_csvlog}}
inventories:
  ms: {system: his, kind: sqlserver, accounts: logins.csv, roles: roles.csv}
  gone: {system: lis, kind: oracle, accounts: nowhere.csv}
"""
LOGINS = """\
name,type_desc,is_disabled,create_date,is_expiration_checked,password_last_set,days_until_expiration
sa,SQL_LOGIN,0,2018-01-01 00:00:00,0,2018-01-01 00:00:00,NULL
"v\tsun",SQL_LOGIN,0,2026-02-01 00:00:00,1,2026-10-01 00:00:00,20
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "hospital.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "register.yaml").write_text(
        "owners: {db: {accounts: [{system: his, account: sa}]}}\n", encoding="utf-8"
    )
    (tmp_path / "logins.csv").write_text(LOGINS, encoding="utf-8")
    (tmp_path / "roles.csv").write_text("member,role\nsa,sysadmin\n", encoding="utf-8")
    return str(tmp_path / "hospital.yaml")


def test_accounts_with_who_registered_them(config: str) -> None:
    done = CliRunner().invoke(inventory_app, ["read", "--config", config, "ms"])
    assert done.exit_code == 0, done.output
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["his", "sa", "owner", "superuser; never ends; roles sysadmin"]
    assert rows[1][2] == "nobody registered it", "a tab in a name makes no column"
    assert done.stderr == "ms: 2 accounts\n"


def test_one_that_cannot_be_read_is_named_and_the_others_are_shown(config: str) -> None:
    done = CliRunner().invoke(inventory_app, ["read", "--config", config, "--json"])
    assert done.exit_code == 1
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["inventory"], row["account"], row["kind"]) for row in told] == [
        ("ms", "sa", "owner"),
        ("ms", "v\tsun", None),
    ]
    assert "inventory gone: an export cannot be read" in done.stderr


def test_an_inventory_that_is_not_configured(config: str) -> None:
    done = CliRunner().invoke(inventory_app, ["read", "--config", config, "mss"])
    assert (done.exit_code, done.stderr) == (2, "no such inventory: mss\n")


def test_queries_to_export(tmp_path: Path) -> None:
    for kind, view in (("oracle", "dba_users"), ("sqlserver", "sys.server_principals")):
        done = CliRunner().invoke(inventory_app, ["queries", kind])
        assert done.exit_code == 0
        assert view in done.stdout
        assert f"-- accounts: {kind}_accounts.csv" in done.stdout

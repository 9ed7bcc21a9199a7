"""`hiswatch inventory …`: accounts as the servers have them. 账号清册。"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from monitor.answering import ConfigFile, Json, answering

inventory_app = typer.Typer(help="Accounts as the servers have them. 数据库账号清册。", no_args_is_help=True)


class Exported(StrEnum):
    ORACLE = "oracle"
    SQLSERVER = "sqlserver"


@inventory_app.command("read")
@answering
def read(
    config: ConfigFile,
    names: Annotated[list[str] | None, typer.Argument(help="Inventories; none: all.", metavar="NAME")] = None,
    json_lines: Json = False,
) -> None:
    """Read the inventories now and show every account with who registered it; stores nothing. 立即读取账号清册。"""
    from config import tolerance
    from detectors.checks.days import holders
    from monitor.assemble import read_site
    from monitor.errors import StartError
    from monitor.findings import visible
    from monitor.inventory.reading import read_inventories

    site = read_site(config, deep=False, tolerate=tolerance.ALL)
    known = site.settings.inventories
    unknown = sorted(set(names or ()) - set(known))
    if unknown or not known:
        raise StartError(f"no such inventory: {', '.join(unknown)}" if unknown else f"{config}: has no inventories")
    readings = read_inventories(site.settings, datetime.now(UTC), names or None)
    owners = holders(site.register) if site.register is not None else None
    for name, snapshot in readings.snapshots.items():
        accounts = snapshot.accounts
        if owners is not None:
            accounts = accounts.join(owners, on=["system", "account"], how="left")
        for row in accounts.iter_rows(named=True):
            if json_lines:
                told = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
                print(json.dumps({"inventory": name, **told}, ensure_ascii=False, default=str))
            else:
                print("\t".join(visible(cell) for cell in _cells(row)))
        code = "" if snapshot.code is None else f", {snapshot.code.height} routines, views and triggers"
        print(f"{name}: {accounts.height} accounts{code}", file=sys.stderr)
    for failure in readings.failures.values():
        print(failure, file=sys.stderr)
    if readings.failures:
        raise typer.Exit(1)


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    words = [
        "no log-in" if row["can_login"] is False else "",
        "locked" if row["locked"] else "",
        "superuser" if row["superuser"] else "",
        "not audited" if row["audited"] is False else "",
        f"valid until {row['valid_until']:%Y-%m-%d}" if row["valid_until"] is not None else "",
        "never ends" if row["expires"] is False else "",
        f"roles {', '.join(map(str, row['roles']))}" if isinstance(row["roles"], list) and row["roles"] else "",
    ]
    holder = row.get("person") or row.get("kind") or "nobody registered it"
    return str(row["system"]), str(row["account"]), str(holder), "; ".join(word for word in words if word)


@inventory_app.command("changes")
@answering
def changes(
    config: ConfigFile,
    days: Annotated[int, typer.Option(help="Days back.", min=1, max=3660)] = 7,
    json_lines: Json = False,
) -> None:
    """What differed between two daily readings: accounts, their rights, code. 查看清册的变化。"""
    from monitor.ask import run_query_command

    sql = (
        "SELECT read_at, previous_at, system, thing, name, change, field, before, after FROM inventory_changes "  # noqa: S608
        f"WHERE read_at >= (SELECT max(read_at) FROM inventory_changes) - INTERVAL {days} DAY ORDER BY read_at, system, name"
    )
    run_query_command(sql, config, None, 100_000, json_lines=json_lines)


@inventory_app.command("queries")
@answering
def queries(kind: Annotated[Exported, typer.Argument(help="Which server.", metavar="KIND")]) -> None:
    """Print the queries whose results, saved as CSV with headings, are an inventory. 打印导出清册用的查询。"""
    from monitor.inventory.exports import QUERIES

    print("\n\n".join(f"-- {name}: {kind}_{name}.csv\n{sql};" for name, sql in QUERIES[kind.value].items()))

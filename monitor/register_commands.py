"""`hiswatch register …`: the register of vendors, people, tickets and jobs. 登记册。"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from monitor.answering import ConfigFile, Json, Language, answering

register_app = typer.Typer(help="The register of vendors and people. 厂商与人员登记册。", no_args_is_help=True)


@register_app.command()
@answering
def check(
    file: Annotated[Path, typer.Argument(help="hospital.yaml, or a register.yaml alone.")],
    language: Annotated[Language, typer.Option(help="Language of the text form.")] = Language.ZH,
    timezone: Annotated[str, typer.Option(help="Zone of times without one (with a register alone).")] = "Asia/Shanghai",
    ticket_days: Annotated[int, typer.Option(help="A longer ticket is doubtful.", min=1)] = 31,
    notice_days: Annotated[int, typer.Option(help="Ends that are nearer are announced.", min=0)] = 30,
    json_lines: Json = False,
) -> None:
    """Show what contradicts itself and what is doubtful in a register. 检查登记册。"""
    from config.doubts import Patience
    from monitor.register_check import run_check

    patience = Patience(ticket_days, notice_days)
    if not run_check(file, timezone, patience, as_json=json_lines, language=language.value):
        raise typer.Exit(2)


class Kind(StrEnum):
    VENDORS = "vendors"
    PEOPLE = "people"
    ACCOUNTS = "accounts"
    SERVICES = "services"
    TICKETS = "tickets"


@register_app.command("import")
@answering
def import_lists(
    files: Annotated[list[Path], typer.Argument(help="CSV (UTF-8 or GBK) or XLSX files.", metavar="FILE...")],
    into: Annotated[Path | None, typer.Option("--into", help="Register to join to; else YAML is printed.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="What the lists hold, where headings do not tell.")] = None,
    timezone: Annotated[str, typer.Option(help="Zone of the register's times.")] = "Asia/Shanghai",
) -> None:
    """Take lists of vendors, people, accounts, services or tickets into the register. 导入名册。"""
    from monitor.register_import import run_import

    run_import(files, into, kind.value if kind else None, timezone)


@register_app.command("suggest")
@answering
def suggest(
    config: ConfigFile,
    days: Annotated[int, typer.Option(help="Days back from the newest event.", min=1, max=366)] = 30,
    json_lines: Json = False,
) -> None:
    """Propose entries from what the store has seen, as YAML to check and paste; writes nothing. 由已见活动建议登记项。"""
    from monitor.register_suggest import run_suggest

    run_suggest(config, days, as_json=json_lines)

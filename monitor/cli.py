"""The command line. Each command imports what it needs when it runs, so that `--help` and `explain` start at once.

Exit status: 0 done, 1 something failed on the way (named on standard error), 2 the request or the configuration is wrong.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from config.errors import ConfigError
from monitor.answering import ConfigFile, Json, Language, OptionalConfig, Timezone, answering
from monitor.catalogue_commands import catalogue_app
from monitor.errors import StartError
from monitor.inventory_commands import inventory_app
from monitor.register_commands import register_app

app = typer.Typer(
    name="hiswatch",
    help="Log and database-access anomaly monitor for hospitals. 医院日志与数据库访问异常监测。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
alerts_app = typer.Typer(help="Alert channels. 告警通道。", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")
rules_app = typer.Typer(help="Rules: list, test, backtest, load. 检测规则。")
app.add_typer(rules_app, name="rules")
app.add_typer(register_app, name="register")
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(inventory_app, name="inventory")


class Dialect(StrEnum):
    POSTGRES = "postgres"
    MYSQL = "mysql"
    ORACLE = "oracle"
    TSQL = "tsql"


Files = Annotated[list[Path] | None, typer.Argument(help="Log files; none: every file the configuration names.")]
Root = Annotated[Path | None, typer.Option("--root", help="Folder that relative source paths start from.")]
SourceName = Annotated[str | None, typer.Option("--source", help="Read the files as this source of the configuration.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="KEY=VALUE: an option of the format, the value JSON or text; may be repeated."),
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"hiswatch {version('hiswatch')}")
        raise typer.Exit


@app.callback()
def main(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
@answering
def run(config: ConfigFile) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP reloads the configuration. 运行守护进程。"""
    from monitor.daemon import run_daemon

    run_daemon(config)


@app.command()
@answering
def demo(
    seconds: Annotated[float | None, typer.Option(help="Stop after this long; else at Ctrl-C.", min=1)] = None,
    listen: Annotated[str, typer.Option(help="Where /metrics and /healthz answer.")] = "127.0.0.1:8642",
    language: Annotated[Language, typer.Option(help="Language of the messages.")] = Language.ZH,
    json_lines: Json = False,
) -> None:
    """Play the shipped sample logs into a watched folder and show what the daemon finds. 演示。"""
    from monitor.demo import run_demo

    run_demo(seconds, listen, language.value, json_lines=json_lines)


@app.command()
@answering
def scan(
    config: ConfigFile,
    files: Files = None,
    root: Root = None,
    source: SourceName = None,
    store: Annotated[Path | None, typer.Option("--store", help="Keep events and findings in this folder.")] = None,
    json_lines: Json = False,
) -> None:
    """Run the same pipeline once over given files and report the findings. 离线扫描日志。"""
    from monitor.scan import run_scan

    run_scan(config, files or [], root=root, source=source, store=store, json_lines=json_lines)


@app.command()
@answering
def events(
    files: Annotated[list[Path], typer.Argument(help="Log files.")],
    config: OptionalConfig = None,
    root: Root = None,
    source: SourceName = None,
    log_format: Annotated[
        str | None, typer.Option("--format", help="Log format, where no configuration tells.")
    ] = None,
    options: Options = None,
    timezone: Timezone = "Asia/Shanghai",
    masked: Annotated[bool, typer.Option("--masked", help="Statements as shapes, patient keys as tokens.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write one Parquet file instead of JSON lines.")] = None,
) -> None:
    """Print normalised events as JSON lines, or write them as Parquet. 输出规范化事件。"""
    from monitor.export import run_events

    run_events(
        files,
        config,
        root=root,
        source=source,
        log_format=log_format,
        timezone=timezone,
        options=options or [],
        masked=masked,
        parquet=parquet,
    )


@app.command()
@answering
def identify(
    files: Annotated[list[Path], typer.Argument(help="Log files.")],
    timezone: Timezone = "Asia/Shanghai",
    json_lines: Json = False,
) -> None:
    """Say which format a file is in and show the configuration to paste. 识别日志格式。"""
    from monitor.identify import run_identify

    if not run_identify(files, timezone, as_json=json_lines):
        raise typer.Exit(1)


@app.command()
@answering
def sample(
    log_format: Annotated[str, typer.Argument(help="Log format.", metavar="FORMAT")],
    file: Annotated[Path, typer.Argument(help="Log file.")],
    options: Options = None,
    timezone: Timezone = "Asia/Shanghai",
    limit: Annotated[int, typer.Option(help="Records shown; all are counted.", min=1)] = 100,
    rejects: Annotated[bool, typer.Option("--rejects", help="Show rejects only.")] = False,
    json_lines: Json = False,
) -> None:
    """Run one parser and show events and rejects beside the records they come from. 逐条查看解析结果。"""
    from monitor.export import parser_configured, zone_named
    from monitor.sample import run_sample

    parser, zone = parser_configured(log_format, options or []), zone_named(timezone)
    run_sample(file, parser, zone, limit, rejects_only=rejects, as_json=json_lines)


@app.command()
@answering
def explain(
    statement: Annotated[str | None, typer.Argument(help="SQL text.", metavar="SQL")] = None,
    dialect: Annotated[Dialect, typer.Option("--dialect", "-d", help="SQL dialect.")] = Dialect.POSTGRES,
    config: OptionalConfig = None,
    stdin: Annotated[bool, typer.Option("--stdin", help='Read one {"id", "dialect", "sql"} a line.')] = False,
    json_lines: Json = False,
    language: Annotated[Language, typer.Option(help="Language of the text form.")] = Language.ZH,
) -> None:
    """Say what a statement does and what would be flagged about it. 解释一条 SQL。"""
    from monitor.explain import explain_one, explain_stdin

    if stdin:
        explain_stdin(config, sys.stdin.buffer, sys.stdout.buffer)
    elif statement is None:
        raise StartError("explain: give a statement, or --stdin")
    else:
        explain_one(statement, dialect.value, config, as_json=json_lines, language=language.value)


@app.command()
@answering
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over events, findings, rejects, shapes, ...", metavar="SQL")],
    config: OptionalConfig = None,
    state_dir: Annotated[Path | None, typer.Option(help="The store's folder, instead of --config.")] = None,
    limit: Annotated[int, typer.Option(help="Greatest number of rows.", min=1, max=1_000_000)] = 1000,
    json_lines: Json = False,
) -> None:
    """Ask the store, while the daemon runs or not; read-only. 查询事件库。"""
    from monitor.ask import run_query_command

    run_query_command(sql, config, state_dir, limit, json_lines=json_lines)


@app.command()
@answering
def token(
    value: Annotated[str, typer.Argument(help="Patient number; - reads it from standard input, one a line.")],
    config: OptionalConfig = None,
    state_dir: Annotated[Path | None, typer.Option(help="The store's folder, instead of --config.")] = None,
    json_lines: Json = False,
) -> None:
    """Print the token that stands for a patient's number in the store. 患者标识对应的令牌。"""
    from monitor.token import print_tokens

    print_tokens(value, config, state_dir, as_json=json_lines)


@app.command("check-config")
@answering
def check_config(config: Annotated[Path, typer.Argument(help="hospital.yaml")], json_lines: Json = False) -> None:
    """Check a configuration and everything it names; all faults at once. 检查配置。"""
    from monitor.assemble import read_site

    try:
        site = read_site(config)
    except ConfigError as error:
        if not json_lines:
            raise
        for problem in error.problems:
            print(json.dumps(asdict(problem), ensure_ascii=False))
        raise typer.Exit(2) from None
    sources = list(site.settings.sources)
    if json_lines:
        odd = {"warnings": [asdict(problem) for problem in site.warnings]} if site.warnings else {}
        print(json.dumps({"ok": True, "sources": sources, **odd}, ensure_ascii=False))
        return
    for problem in site.warnings:
        print(f"warning: {problem}", file=sys.stderr)
    print(f"{config}: ok, {len(sources)} sources")


@rules_app.callback(invoke_without_command=True)
@answering
def rules(
    context: typer.Context,
    config: OptionalConfig = None,
    json_lines: Json = False,
    language: Annotated[Language, typer.Option()] = Language.ZH,
) -> None:
    """List the rules in force. 列出检测规则。"""
    if context.invoked_subcommand is not None:
        return
    from monitor.listing import list_rules

    list_rules(config, as_json=json_lines, language=language.value)


@rules_app.command("test")
@answering
def rules_test(
    names: Annotated[list[str] | None, typer.Argument(help="Rules or families; none: all.", metavar="RULE")] = None,
    config: OptionalConfig = None,
    json_lines: Json = False,
) -> None:
    """Run every rule's own cases: what it must raise and what it must not. 运行规则自带用例。"""
    from monitor.rulecases import run_rule_tests

    if not run_rule_tests(names or [], config, as_json=json_lines):
        raise typer.Exit(1)


@rules_app.command("load")
@answering
def rules_load(
    files: Annotated[list[Path], typer.Argument(help="Files of rules, foreign Sigma rules among them.")],
    config: OptionalConfig = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder that gets the files that load, one of detection.rule_dirs.")
    ] = None,
    json_lines: Json = False,
) -> None:
    """Try files of rules: each loads, or it is said exactly why not. 载入规则文件（含外来 Sigma 规则）。"""
    from monitor.ruleload import run_load

    if not run_load(files, config, into, as_json=json_lines):
        raise typer.Exit(2)


@rules_app.command("backtest")
@answering
def rules_backtest(
    rule: Annotated[str, typer.Argument(help="Id of a rule, or the file of a new one.", metavar="RULE")],
    config: ConfigFile,
    days: Annotated[int, typer.Option(help="Days back from the newest event.", min=1, max=3660)] = 30,
    json_lines: Json = False,
    language: Annotated[Language, typer.Option()] = Language.ZH,
) -> None:
    """Try a rule on the stored past: findings a day, who, what would have been notified. 用历史数据回测规则。"""
    from monitor.backtest import run_backtest

    run_backtest(rule, days, config, as_json=json_lines, language=language.value)


@app.command()
@answering
def suppressions(config: ConfigFile, json_lines: Json = False) -> None:
    """What is recorded and not notified, by whom, until when, and how much that hid. 列出抑制项及其隐藏的发现数。"""
    from monitor.suppressions import list_suppressions

    list_suppressions(config, as_json=json_lines)


@alerts_app.command("test")
@answering
def alerts_test(config: ConfigFile, json_lines: Json = False) -> None:
    """Send a test message through every channel. 发送测试告警。"""
    from monitor.assemble import read_site
    from monitor.listing import try_channels

    if not try_channels(read_site(config), as_json=json_lines):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()

"""The command line. Each command imports what it needs when it runs, so that `--help` and `explain` start at once.

Exit status: 0 done, 1 something failed on the way (named on standard error), 2 the request or the configuration is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from config.errors import ConfigError, MonitorError
from monitor.errors import StartError

app = typer.Typer(
    name="hiswatch",
    help="Log and database-access anomaly monitor for hospitals. 医院日志与数据库访问异常监测。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
alerts_app = typer.Typer(help="Alert channels. 告警通道。", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")


class Dialect(StrEnum):
    POSTGRES = "postgres"
    MYSQL = "mysql"
    ORACLE = "oracle"
    TSQL = "tsql"


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The hospital's configuration (hospital.yaml).")]
OptionalConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="The hospital's configuration (hospital.yaml).")
]
Files = Annotated[list[Path] | None, typer.Argument(help="Log files; none: every file the configuration names.")]
Root = Annotated[Path | None, typer.Option("--root", help="Folder that relative source paths start from.")]
SourceName = Annotated[str | None, typer.Option("--source", help="Read the files as this source of the configuration.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output and nothing else there.")]


def answering(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors a user can mend into a message and an exit status; never a traceback with log content."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (ConfigError, StartError) as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from None
        except MonitorError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(1) from None
        except BrokenPipeError:
            _leave_reader()
        except SystemExit as end:
            if not isinstance(end.__context__, BrokenPipeError):  # what rich makes of it
                raise
            _leave_reader()

    return run


def _leave_reader() -> None:
    """The reader has seen enough (`| head`): what is still in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0) from None


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
    timezone: Annotated[str, typer.Option(help="Zone of stamps that have none (with --format).")] = "Asia/Shanghai",
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
        masked=masked,
        parquet=parquet,
    )


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
        settings = read_site(config).settings
    except ConfigError as error:
        if not json_lines:
            raise
        for problem in error.problems:
            print(json.dumps(asdict(problem), ensure_ascii=False))
        raise typer.Exit(2) from None
    if json_lines:
        print(json.dumps({"ok": True, "sources": list(settings.sources)}, ensure_ascii=False))
    else:
        print(f"{config}: ok, {len(settings.sources)} sources")


@app.command()
@answering
def rules(
    config: OptionalConfig = None, json_lines: Json = False, language: Annotated[Language, typer.Option()] = Language.ZH
) -> None:
    """List the rules in force. 列出检测规则。"""
    from monitor.listing import list_rules

    list_rules(config, as_json=json_lines, language=language.value)


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

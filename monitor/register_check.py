"""`hiswatch register check`: every contradiction and every doubt of a register with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from config import tolerance
from config.chinese import in_chinese
from config.contradictions import unread_systems
from config.doubts import Patience, doubts
from config.errors import ConfigError, Problem
from config.loader import load_site, open_register
from config.yaml12 import read_yaml
from monitor.errors import StartError
from monitor.export import zone_named
from monitor.tickets import TicketFolder

TITLES = {
    "zh": {"contradiction": "矛盾", "doubt": "存疑"},
    "en": {"contradiction": "contradiction", "doubt": "doubtful"},
}
SUMMARY = {
    "zh": "{file}：{contradictions} 处矛盾，{doubts} 处存疑",
    "en": "{file}: {contradictions} contradictions, {doubts} doubtful entries",
}


def run_check(file: Path, timezone: str, patience: Patience, *, as_json: bool, language: str) -> bool:
    """Print the findings; False where something contradicts itself. Raises ConfigError, StartError."""
    register_file, zone, systems, tickets = _register_of(file, timezone)
    remarks = list(_remarks(register_file, zone, systems, tickets, patience))
    for kind, problem in remarks:
        if as_json:
            entry = {"kind": kind, **asdict(problem), "message_zh": in_chinese(problem.message)}
            print(json.dumps(entry, ensure_ascii=False))
        else:
            message = in_chinese(problem.message) if language == "zh" else problem.message
            print(f"{_placed(problem)}: {TITLES[language][kind]}: {message}")
    contradictions = sum(kind == "contradiction" for kind, _ in remarks)
    if not as_json:
        doubted = len(remarks) - contradictions
        print(SUMMARY[language].format(file=register_file, contradictions=contradictions, doubts=doubted))
    return contradictions == 0


def _register_of(file: Path, timezone: str) -> tuple[Path, ZoneInfo, frozenset[str] | None, Path | None]:
    """The register's file, the zone of its times, the systems that sources have (None: not known), the folder of tickets."""
    data = read_yaml(file).data
    if not isinstance(data, dict) or not {"site", "sources"} & set(data):
        return file, zone_named(timezone), None, None
    # The configuration's own faults are `check-config`'s matter; only where the register lies must be known here.
    if not isinstance(data.get("register"), str):
        raise StartError(f"{file}: names no register (key `register`)")
    path = file.absolute().parent / Path(data["register"]).expanduser()
    try:
        settings = load_site(file, tolerate=tolerance.ALL).settings
    except ConfigError:
        zone = data.get("timezone")
        return path, zone_named(zone if isinstance(zone, str) else timezone), None, None
    return path, settings.zone, frozenset(source.system for source in settings.sources.values()), settings.tickets_dir


def _remarks(
    file: Path, zone: ZoneInfo, systems: frozenset[str] | None, tickets: Path | None, patience: Patience
) -> Iterator[tuple[str, Problem]]:
    found, document = open_register(file, zone)
    doubted = doubts(found.register, document, datetime.now(UTC).astimezone(zone).date(), zone, patience)
    if systems is not None:
        doubted = sorted([*doubted, *unread_systems(found.register, document, systems)])
    folder = TicketFolder(tickets, found.register, zone)
    folder.look()
    yield from (("contradiction", problem) for problem in (*found.problems, *folder.problems))
    yield from (("doubt", problem) for problem in doubted)


def _placed(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return f"{place}: {problem.key}" if problem.key else place

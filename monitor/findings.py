"""Findings as people and machines read them: one JSON object a line, or a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from monitor.alerts.texts import SEVERITIES

if TYPE_CHECKING:
    from rich.console import Console

SEVERITY_STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "dim"}  # worst first
UNBOUNDED = 100_000  # columns of an output that is no terminal: nothing is folded there
WIDE = 120  # columns of a terminal that has room for beginning and end in one line
TITLES = {
    "zh": ("时间", "级别", "规则", "发现", "谁", "数量"),
    "en": ("time", "severity", "rule", "finding", "who", "how much"),
}
WORDS = {
    "zh": {
        "known": "{:,} 行",
        "estimated": "约 {:,} 行",
        "unknown": "至少 {:,} 行",
        "none": "行数未知",
        "events": "{:,} 条事件",
        "bytes": "{:,} 字节",
        "comma": "，",
        "nothing": "无发现",
    },
    "en": {
        "known": "{:,} rows",
        "estimated": "about {:,} rows",
        "unknown": "at least {:,} rows",
        "none": "rows unknown",
        "events": "{:,} events",
        "bytes": "{:,} bytes",
        "comma": ", ",
        "nothing": "no findings",
    },
}


def as_dict(row: dict[str, Any], zone: ZoneInfo, language: str) -> dict[str, Any]:
    """A finding as its JSON object: title and why in one language, times with offset."""
    item: dict[str, Any] = {}
    for name, value in row.items():
        if name in (f"title_{language}", f"why_{language}"):
            item[name.rpartition("_")[0]] = value
        elif not name.endswith(("_zh", "_en")):
            item[name] = value.astimezone(zone).isoformat() if isinstance(value, datetime) else value
    return item


def as_json(findings: pl.DataFrame, zone: ZoneInfo, language: str) -> Iterator[str]:
    for row in findings.iter_rows(named=True):
        yield json.dumps(as_dict(row, zone, language), ensure_ascii=False)


def who(row: dict[str, Any]) -> str:
    """Person (vendor) / account @ address, whatever is known, with anything invisible made visible."""
    named = row["person"] or ""
    vendor = f" ({row['vendor']})" if row["vendor"] else ""
    account = visible(row["account"] or "-")
    address = f" @ {row['client_ip']}" if row["client_ip"] else ""
    return f"{named}{vendor} {account}{address}".strip()


def visible(text: str) -> str:
    """Control, bidirectional and zero-width characters as code points."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)


def print_table(findings: pl.DataFrame, zone: ZoneInfo, language: str, console: Console | None = None) -> None:
    """All findings in the order in which they began, then how many of each severity. Nothing is cut."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=UNBOUNDED)
    table = Table(expand=False)
    for number, title in enumerate(TITLES[language]):
        table.add_column(title, overflow="fold", no_wrap=number < 3)
    for row in findings.sort("first_seen", "id").iter_rows(named=True):
        style = SEVERITY_STYLES[row["severity"]]
        table.add_row(
            _span(row, zone) if console.width >= WIDE else _span(row, zone).replace("–", "\n–"),
            f"[{style}]{severity_word(row['severity'], language)}[/]",
            row["rule"],
            escape(row[f"title_{language}"]),
            escape(who(row)),
            amount(row, language),
        )
    if findings.height:
        console.print(table)
    counts = dict(findings.group_by("severity").len().rows())
    told = [f"{severity_word(name, language)}: {counts[name]}" for name in SEVERITY_STYLES if name in counts]
    console.print(WORDS[language]["comma"].join(told) or WORDS[language]["nothing"])


def _span(row: dict[str, Any], zone: ZoneInfo) -> str:
    first, last = (row[name].astimezone(zone).replace(microsecond=0) for name in ("first_seen", "last_seen"))
    if last <= first:
        return f"{first:%m-%d %H:%M:%S}"
    return f"{first:%m-%d %H:%M:%S}–" + (f"{last:%H:%M:%S}" if last.date() == first.date() else f"{last:%m-%d %H:%M}")


def print_line(findings: pl.DataFrame, zone: ZoneInfo, language: str) -> None:
    """One line a finding, as they come in."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    for row in findings.iter_rows(named=True):
        style = SEVERITY_STYLES[row["severity"]]
        when = f"{row['last_seen'].astimezone(zone):%m-%d %H:%M:%S}"
        word = severity_word(row["severity"], language)
        word += " " * (4 - 2 * len(word) if language == "zh" else 8 - len(word))  # Chinese characters are two wide
        revision = "" if row["revision"] == 1 else f" #{row['revision']}"
        what = escape(row[f"title_{language}"])
        console.print(
            f"{when} [{style}]{word}[/] {row['rule']}{revision} {what} | {escape(who(row))} | {amount(row, language)}"
        )


def severity_word(severity: str, language: str) -> str:
    return SEVERITIES["zh"][severity] if language == "zh" else severity


def amount(row: dict[str, Any], language: str) -> str:
    """Events, rows and bytes. Where the log did not tell the rows of every event, what it told is a lower bound."""
    words = WORDS[language]
    parts = [words["events"].format(row["events"])]
    rows, kind = row["rows"], row["rows_kind"]
    if kind == "unknown" and not rows:
        parts.append(words["none"])
    elif rows is not None:
        parts.append(words[kind or "known"].format(rows))
    if row["bytes"]:
        parts.append(words["bytes"].format(row["bytes"]))
    return words["comma"].join(parts)

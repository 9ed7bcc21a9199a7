"""Findings as people and machines read them: one JSON object a line, or a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

SEVERITY_STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "dim"}


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
    return "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)


def print_table(findings: pl.DataFrame, zone: ZoneInfo, language: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    titles = {
        "zh": ("时间", "级别", "规则", "发现", "谁", "数量"),
        "en": ("time", "severity", "rule", "finding", "who", "how much"),
    }
    table = Table(*titles[language], expand=False)
    for row in findings.iter_rows(named=True):
        first, last = (row[name].astimezone(zone) for name in ("first_seen", "last_seen"))
        span = f"{first:%m-%d %H:%M:%S}" + (f"–{last:%H:%M:%S}" if last > first else "")
        style = SEVERITY_STYLES[row["severity"]]
        table.add_row(
            span,
            f"[{style}]{row['severity']}[/]",
            row["rule"],
            escape(row[f"title_{language}"]),
            escape(who(row)),
            amount(row),
        )
    console = Console()
    console.print(table)
    counts = findings.group_by("severity").len().rows()
    console.print(
        ", ".join(f"{severity}: {count}" for severity, count in sorted(counts))
        or ("无发现" if language == "zh" else "no findings")
    )


def print_line(findings: pl.DataFrame, zone: ZoneInfo, language: str) -> None:
    """One line a finding, as they come in."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    for row in findings.iter_rows(named=True):
        style = SEVERITY_STYLES[row["severity"]]
        when = f"{row['last_seen'].astimezone(zone):%m-%d %H:%M:%S}"
        revision = "" if row["revision"] == 1 else f" #{row['revision']}"
        what = escape(row[f"title_{language}"])
        console.print(
            f"{when} [{style}]{row['severity']:8}[/] {row['rule']}{revision} {what} | {escape(who(row))} | {amount(row)}"
        )


def amount(row: dict[str, Any]) -> str:
    parts = [f"{row['events']} ev"]
    if row["rows"] is not None:
        parts.append(f"{row['rows']:,} rows{'' if row['rows_kind'] == 'known' else ' (' + str(row['rows_kind']) + ')'}")
    if row["bytes"]:
        parts.append(f"{row['bytes']:,} B")
    return ", ".join(parts)

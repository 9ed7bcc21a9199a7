"""`hiswatch rules` and `hiswatch alerts test`."""

from __future__ import annotations

import json
from pathlib import Path

from config.loader import LoadedSite
from config.rulefiles import read_rules
from detectors.describe import span
from detectors.findings import severity
from detectors.rules import Rule, compile_rules
from monitor.assemble import read_site, site_rules
from monitor.findings import severity_word

STAGED = {"zh": "试运行", "en": "staged"}


def list_rules(config: Path | None, *, as_json: bool, language: str) -> None:
    """The rules of a configuration, or the shipped ones."""
    rules = site_rules(read_site(config).settings) if config is not None else compile_rules(read_rules())
    if as_json:
        for rule in rules:
            print(json.dumps(_entry(rule, language), ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    titles = {
        "zh": ("规则", "名称", "可能性×影响", "时段", "状态"),
        "en": ("rule", "title", "L x I", "timespan", "state"),
    }
    table = Table(*titles[language])
    for rule in rules:
        entry = _entry(rule, language)
        state = STAGED[language] if entry["staged"] else ""
        band = severity_word(str(entry["severity"]), language)
        product = f"{entry['likelihood']}×{entry['impact']}={entry['risk']} {band}"
        table.add_row(rule.id, escape(str(entry["title"])), product, span(rule), state)
    Console().print(table)


def _entry(rule: Rule, language: str) -> dict[str, object]:
    block = rule.block
    risk = block.likelihood * block.impact
    return {
        "id": rule.id,
        "family": rule.family,
        "title": rule.title_zh if language == "zh" else rule.title_en,
        "severity": severity(risk),
        "likelihood": block.likelihood,
        "impact": block.impact,
        "risk": risk,
        "timespan_seconds": rule.timespan_seconds,
        "subject": list(rule.subject),
        "staged": rule.staged,
        "tags": list(rule.tags),
        "honest": block.honest_zh if language == "zh" else block.honest_en,
        "misses": block.misses,
    }


def try_channels(site: LoadedSite, *, as_json: bool) -> bool:
    """Send a test message through every channel; True when each took it."""
    from monitor.delivery import test_messages

    results = test_messages(site)
    for channel, reason in results.items():
        if as_json:
            print(json.dumps({"channel": channel, "ok": reason is None, "reason": reason}))
        else:
            print(f"{channel}: {'ok' if reason is None else reason}")
    if not results and not as_json:
        print("no channel is configured (alerts.channels)")
    return bool(results) and all(reason is None for reason in results.values())

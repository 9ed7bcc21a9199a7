"""The table of rules in docs/detections.md, made from the rules themselves."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.rules import Rule

BEGIN, END = "<!-- rules: generated -->", "<!-- end of rules -->"


def rules_table(rules: Iterable[Rule]) -> str:
    """Markdown: one line a rule, in order of id."""
    lines = [
        "| rule | finds | 发现 | L x I | severity | span | counted by | misses |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(rule) for rule in rules]
    return "\n".join(lines)


def embedded(page: str, rules: Iterable[Rule]) -> str:
    """The page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rules_table(rules)}\n{END}{after}"


def _line(rule: Rule) -> str:
    cells = (
        rule.id, rule.title_en, rule.title_zh, f"{rule.block.likelihood} x {rule.block.impact}", rule.level,
        span(rule), _counted(rule), rule.block.misses,
    )  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def span(rule: Rule) -> str:
    """The time that a rule looks at, such as 30m; nothing where a check finds it."""
    if rule.block.behaviour is not None:
        return {"day": "1d", "week": "1w", "month": "1mo"}[rule.block.behaviour.per]
    if rule.kind == "check":
        return ""
    seconds = rule.timespan_seconds
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _counted(rule: Rule) -> str:
    who = ", ".join(name for name in rule.subject if name not in ("site", "system"))
    if rule.kind == "check":
        limits = ", ".join(f"{name} {number}" for name, number in rule.numbers.items())
        return f"{who or 'system'}; check" + (f": {limits}" if limits else "")
    if rule.block.behaviour is not None:
        return f"{who or 'system'}; {rule.block.behaviour.shown}"
    if rule.kind in ("ordered", "together"):
        return f"{who or 'system'}; {'in order' if rule.kind == 'ordered' else 'together'}"
    asked = " and ".join(
        f"{line.measure} {line.field} >= {line.least}" if line.field else f"{line.measure} >= {line.least}"
        for line in rule.lines
    )
    return f"{who or 'system'}" + ("" if rule.kind == "single" else f"; {asked}")

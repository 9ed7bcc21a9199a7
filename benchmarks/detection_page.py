"""The results of `detection.py` as Markdown: tables for the terminal, and the page of the evaluation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detection import LOUD, Label, Result, malicious_stories, stories
from detection_reasons import evidence, shapes_of, why_missed, why_not_counted

PROSE = Path(__file__).with_name("detection_page.md")
STATES = ("found", "missed", "not counted")


@dataclass(frozen=True, slots=True)
class Page:
    results: list[Result]  # every rule
    plain: list[Result]  # without the rules `off`
    off: list[str]


def page(data: Page) -> str:
    """The template beside this file, with its {{names}} replaced."""
    text = PROSE.read_text(encoding="utf-8")
    lost = _lost(data)
    parts: dict[str, Callable[[], str]] = {
        "totals": lambda: _totals(data),
        "kinds": lambda: _kinds(data.results, data.plain),
        "off": lambda: ", ".join(data.off),
        "loud": lambda: _loud(data.results),
        "medium": lambda: _medium(data.results),
        "false": lambda: _false(data.results),
        "false_count": lambda: str(sum(len(result.false) for result in data.results)),
        "false_plain_count": lambda: str(sum(len(result.false) for result in data.plain)),
        "missed": lambda: _missed(data.results),
        "lost": lambda: lost,
        "not_counted": lambda: _not_counted(data.results),
    }
    for name, made in parts.items():
        text = text.replace("{{" + name + "}}", made())
    return text


def tables(results: list[Result]) -> str:
    """What a terminal shows."""
    return "\n\n".join(
        [
            _kinds(results),
            f"Benign scenarios that raise high or critical: {_benign(results, loud=True)}\n" + _loud(results),
            f"Benign scenarios that raise medium and no more: {_benign(results, loud=False)}\n" + _medium(results),
            f"Pages: {_pages(results)} for {sum(map(malicious_stories, results))} malicious stories",
            f"False findings at medium or above: {sum(len(result.false) for result in results)}\n\n" + _false(results),
            "Missed:\n" + _missed(results), "Not counted:\n" + _not_counted(results),
        ]
    )  # fmt: skip


def counts(results: list[Result]) -> dict[str, Counter[str]]:
    """scenario -> state -> how many"""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        for label in result.found:
            kinds[label.scenario]["found"] += 1
        for label in result.missed:
            kinds[label.scenario]["missed"] += 1
        for label, _ in result.not_counted:
            kinds[label.scenario]["not counted"] += 1
    return kinds


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} = {100 * part / max(1, whole):.1f} %"


def _found(results: list[Result]) -> str:
    total = sum(counts(results).values(), Counter[str]())
    return _share(total["found"], total["found"] + total["missed"])


def _benign(results: list[Result], *, loud: bool) -> str:
    raised = sum(len(result.loud if loud else result.medium) for result in results)
    return _share(raised, sum(len(result.benign) for result in results))


def _totals(data: Page) -> str:
    rows = ["| | all rules | without context |", "|---|---|---|"]
    rows.append(f"| malicious scenarios found | {_found(data.results)} | {_found(data.plain)} |")
    for name, number in (
        ("not counted", lambda r: len(r.not_counted)),
        ("findings at medium or above", lambda r: len(r.findings)),
        ("of these outside every malicious window", lambda r: len(r.false)),
    ):
        rows.append(f"| {name} | {sum(map(number, data.results))} | {sum(map(number, data.plain))} |")
    both = (data.results, data.plain)
    for name, told in (
        ("benign scenarios that raise high or critical", lambda results: _benign(results, loud=True)),
        ("benign scenarios that raise medium and no more", lambda results: _benign(results, loud=False)),
        ("pages: stories that reach high or critical", _pages),
        ("stories that reach medium only", lambda results: str(_reaching(results, ("medium",)))),
        ("malicious stories", lambda results: str(sum(map(malicious_stories, results)))),
    ):
        rows.append(f"| {name} | {told(both[0])} | {told(both[1])} |")
    return "\n".join(rows)


def _reaching(results: list[Result], severities: tuple[str, ...]) -> int:
    return sum(worst in severities for result in results for worst in stories(result).values())


def _pages(results: list[Result]) -> str:
    return f"{_reaching(results, LOUD)}, {_reaching(results, ('critical',))} of them critical"


def _medium(results: list[Result]) -> str:
    """By scenario, account and rule: how often."""
    found = Counter(
        (label.scenario, ", ".join(label.accounts), rule)
        for result in results for label, rules in result.medium.items() for rule in rules
    )  # fmt: skip
    lines = ["| scenario | account | rule | times |", "|---|---|---|---|"]
    lines += [f"| {scenario} | {who} | {rule} | {number} |" for (scenario, who, rule), number in sorted(found.items())]
    return "\n".join(lines)


def _kinds(*runs: list[Result]) -> str:
    """One group of columns a run."""
    told = [counts(results) for results in runs]
    names = [state + (" without context" if number else "") for number in range(len(runs)) for state in STATES]
    lines = ["| scenario | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {kind} | " + " | ".join(str(run[kind][state]) for run in told for state in STATES) + " |"
        for kind in sorted(set().union(*told))
    ]
    totals = [sum(run.values(), Counter[str]()) for run in told]
    lines.append("| **all** | " + " | ".join(f"**{total[state]}**" for total in totals for state in STATES) + " |")
    return "\n".join(lines)


def _names(label: Label) -> str:
    return f"{label.scenario} by {', '.join(label.accounts)}, {label.start:%m-%d %H:%M:%S}"


def _loud(results: list[Result]) -> str:
    lines = ["| set | scenario | rule | statements |", "|---|---|---|---|"]
    for result in results:
        for label, rules in result.loud.items():
            for rule in rules:
                rows = [r for r in result.findings if r["rule"] == rule and label.of(r["account"]) and label.touches(r)]
                shapes = shapes_of(result, rows)
                lines.append(f"| {result.name} | {_names(label)} | {rule} | {shapes} |")
    return "\n".join(lines)


def _false(results: list[Result]) -> str:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for result in results:
        for row in result.false:
            groups[row["rule"], row["severity"], row["account"] or ""].append(shapes_of(result, [row]))
    lines = ["| rule | severity | account | times | for example |", "|---|---|---|---|---|"]
    for (rule, band, account), shapes in sorted(groups.items()):
        lines.append(f"| {rule} | {band} | {account} | {len(shapes)} | {Counter(shapes).most_common(1)[0][0]} |")
    return "\n".join(lines)


def _missed(results: list[Result]) -> str:
    lines = [
        "| set | scenario | what the log holds of it | why it is not found; what would show it |",
        "|---|---|---|---|",
    ]
    for result in results:
        for label in result.missed:
            seen = label.records(result.events)
            reason = why_missed(seen, result.events)
            lines.append(f"| {result.name} | {_names(label)} | {evidence(seen)} | {reason} |")
    return "\n".join(lines)


def _lost(data: Page) -> str:
    """Found with every rule, missed without the rules about context."""
    kinds: Counter[str] = Counter()
    for with_all, without in zip(data.results, data.plain, strict=True):
        kinds.update(label.scenario for label in without.missed if label in with_all.found)
    return ", ".join(f"{kind} ({number})" for kind, number in sorted(kinds.items())) or "none"


def _not_counted(results: list[Result]) -> str:
    """Scenarios of one set with one reason share a line."""
    groups: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for result in results:
        for label, why in result.not_counted:
            groups[result.name, why_not_counted(label, why, result)].append(label)
    lines = ["| set | scenario | why |", "|---|---|---|"]
    for (name, reason), labels in groups.items():
        told = _names(labels[0]) if len(labels) == 1 else ", ".join(label.scenario for label in labels)
        lines.append(f"| {name} | {told} | {reason} |")
    return "\n".join(lines)

"""A finding as a row: who, what, how much, compared with what, and the arithmetic, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from detectors.findings import SEVERITIES, finding_id
from detectors.panes import EVIDENCE, MEMBER_CAP, Pane
from detectors.risk import Part, assess, weigh
from detectors.rules import Line, Rule
from detectors.stories import story_id
from detectors.windows import Found, Key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC_ZONE)
_WHO = ("account", "person", "vendor", "client_ip", "source", "site", "system", "format")
_NAMED = ("site", "system", "account", "person", "vendor", "client_ip", "source")


@dataclass(frozen=True, slots=True)
class Told:
    """What a check found. `key` and `bucket` (the moment it is about) name the finding; times are UTC.

    `words`: what the rule's texts name in braces. `who`: columns of FINDINGS. A number that grows by itself belongs into
    `words` alone: a finding gets a new revision when anything else changes.
    """

    key: tuple[str | None, ...]
    bucket: datetime
    first_seen: datetime
    who: Mapping[str, str | None]
    last_seen: datetime | None = None
    words: Mapping[str, object] = field(default_factory=dict)
    events: int = 0
    rows: int | None = None
    rows_kind: str | None = None
    bytes: int | None = None
    classes: Sequence[str] = ()
    objects: Sequence[str] = ()
    evidence: Sequence[str] = ()
    approved: bool = False
    likelihood: tuple[Part, ...] = ()  # weights beside those of the rule
    impact: tuple[Part, ...] = ()


def finding(
    rule: Rule, key: Key, found: Found, *, zone: ZoneInfo, notify_from: str, staged_sources: frozenset[str]
) -> dict[str, object]:
    """One row of FINDINGS but for `revision`. A function of the events in `found` alone."""
    total = found.total
    risk = assess(rule, total, found.weights)
    who: dict[str, str | None] = dict(zip(_WHO, total.first, strict=True))
    who |= {name: part for name, part in zip(rule.subject, key, strict=True) if name in who}
    staged = rule.staged or who["source"] in staged_sources
    heard = SEVERITIES.index(risk.severity) >= SEVERITIES.index(notify_from)
    return {
        "id": finding_id(rule.id, tuple("" if part is None else part for part in key), found.bucket),
        "rule": rule.id,
        "family": rule.family,
        "title_zh": rule.title_zh,
        "title_en": rule.title_en,
        "severity": risk.severity,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "risk": risk.product,
        **{name: who[name] for name in _NAMED},
        "first_seen": moment(total.first_at),
        "last_seen": moment(total.last_at),
        "events": min(acts(found), 2**32 - 1),
        "rows": total.rows if total.rows_told else None,
        "rows_kind": rows_kind(total),
        "bytes": total.bytes if total.bytes_told else None,
        "classes": list(total.classes),
        "objects": list(total.objects),
        "why_zh": _why_zh(rule, found, risk.arithmetic_zh(), zone),
        "why_en": _why_en(rule, found, risk.arithmetic_en(), zone),
        "evidence": [stamp.partition(" ")[2] for stamp in total.evidence],
        "staged": staged,
        "notify": heard and not staged and not risk.approved and risk.severity != "low",
        "bucket": moment(found.bucket * 1_000_000),
        "story": story_id(who["site"] or "", who["person"] or who["account"] or who["client_ip"], total.first_at, zone),
    }


def told(rule: Rule, found: Told, *, zone: ZoneInfo, notify_from: str, staged: bool = False) -> dict[str, object]:
    """One row of FINDINGS but for `revision`, for a finding that is no sum of windows."""
    risk = weigh(rule, found.likelihood, found.impact, approved=found.approved)
    staged = staged or rule.staged
    heard = SEVERITIES.index(risk.severity) >= SEVERITIES.index(notify_from)
    block, words = rule.block, found.words
    first = found.first_seen
    who = {name: found.who.get(name) for name in _NAMED}
    return {
        "id": finding_id(
            rule.id, tuple("" if part is None else part for part in found.key), int(found.bucket.timestamp())
        ),
        "rule": rule.id,
        "family": rule.family,
        "title_zh": rule.title_zh,
        "title_en": rule.title_en,
        "severity": risk.severity,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "risk": risk.product,
        **who,
        "first_seen": first,
        "last_seen": found.last_seen or first,
        "events": found.events,
        "rows": found.rows,
        "rows_kind": found.rows_kind,
        "bytes": found.bytes,
        "classes": list(found.classes),
        "objects": list(found.objects)[:EVIDENCE],
        "why_zh": f"{block.why_zh.format_map(words)}。{risk.arithmetic_zh()}。善意解释与核对：{block.honest_zh}",
        "why_en": f"{block.why_en.format_map(words)}. {risk.arithmetic_en()}. Honest reasons and how to check: {block.honest_en}",
        "evidence": list(found.evidence)[:EVIDENCE],
        "staged": staged,
        "notify": heard and not staged and not risk.approved and risk.severity != "low",
        "bucket": found.bucket,
        "story": story_id(
            who["site"] or "",
            who["person"] or who["account"] or who["client_ip"] or who["source"],
            (first - _EPOCH) // timedelta(microseconds=1),
            zone,
        ),
    }


def acts(found: Found) -> int:
    """How many acts; where only the record that tells the amount of an act fits the rule, that is one."""
    return max(found.total.events, 1)


def moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def rows_kind(total: Pane) -> str | None:
    """Known only when every event told its rows; a part that is unknown makes the sum a lower bound."""
    if total.rows_unknown > 0:
        return "unknown"
    if total.rows_estimated:
        return "estimated"
    return "known" if total.rows_told else None


def _why_zh(rule: Rule, found: Found, arithmetic: str, zone: ZoneInfo) -> str:
    text = found.lead[0] + _tried(rule, found)[0] + rule.block.why_zh.format_map(_words(rule, found))
    failed = _some_failed(found)
    amount = f"共{acts(found)}次" + (f"（其中{failed}次被拒绝或失败）" if failed else "")
    if found.total.rows_told:
        amount += f"，{'至少' if found.total.rows_unknown > 0 else ''}{found.total.rows}行"
    elif found.total.rows_unknown > 0:
        amount += "，行数未知（日志未记录）"
    if found.total.bytes_told:
        amount += (
            f"，约{found.total.bytes}字节（估算）" if found.total.bytes_estimated else f"，{found.total.bytes}字节"
        )
    return f"{text}{_steps(found, zone, ' → ', '；步骤：')}。{amount}。{arithmetic}。善意解释与核对：{rule.block.honest_zh}"


def _why_en(rule: Rule, found: Found, arithmetic: str, zone: ZoneInfo) -> str:
    text = found.lead[1] + _tried(rule, found)[1] + rule.block.why_en.format_map(_words(rule, found))
    failed = _some_failed(found)
    amount = f"{acts(found)} event{'s' if acts(found) != 1 else ''}" + (
        f" ({failed} refused or failed)" if failed else ""
    )
    if found.total.rows_told:
        amount += f", {'at least ' if found.total.rows_unknown > 0 else ''}{found.total.rows} rows"
    elif found.total.rows_unknown > 0:
        amount += ", rows unknown (not in the log)"
    if found.total.bytes_told:
        amount += (
            f", about {found.total.bytes} bytes (estimated)"
            if found.total.bytes_estimated
            else f", {found.total.bytes} bytes"
        )
    return f"{text}{_steps(found, zone, ' then ', '; steps: ')}. {amount}. {arithmetic}. Honest reasons and how to check: {rule.block.honest_en}"


def _words(rule: Rule, found: Found) -> Mapping[str, object]:
    """Numbers that a rule's texts may name: {measured}, {threshold}, {events}, {minutes}."""
    # The last line is the one that tells most: `also` narrows what the first counts.
    line, measured = (rule.lines[-1], found.measured[-1]) if found.measured else (None, acts(found))
    return {
        "measured": f"{_about(line, measured, found.total)}{measured}",
        "threshold": line.least if line else 1,
        "events": acts(found),
        "minutes": rule.timespan_seconds // 60,
        **found.words,
    }


def _about(line: Line | None, measured: int, total: Pane) -> str:
    """Whether a number is what it is, at least that, or about that."""
    if line is None:
        return ""
    if line.measure == "distinct":
        if line.field == "patient_keys" and total.keys_cut:
            return "≥"
        return "≈" if measured >= MEMBER_CAP else ""
    if line.measure == "sum" and line.field == "rows":
        return "≥" if total.rows_unknown > 0 else "≈" if total.rows_estimated else ""
    return "≈" if line.measure == "sum" and total.bytes_estimated else ""


_TRIED = ("【被拒绝或失败的尝试】", "[Tried, but refused or failed] ")


def _tried(rule: Rule, found: Found) -> tuple[str, str]:
    """What goes before a text that says something was done, where it was not. Rules that ask how an act ended say so themselves."""
    return _TRIED if found.total.failed >= acts(found) and not rule.asks_outcome else ("", "")


def _some_failed(found: Found) -> int:
    """How many of the acts failed, where not all of them did."""
    return found.total.failed if found.total.failed < acts(found) else 0


def _steps(found: Found, zone: ZoneInfo, arrow: str, opening: str) -> str:
    if len(found.steps) < 2:
        return ""
    parts = []
    for step in sorted(found.steps, key=lambda step: step.first_at):
        where = dict(zip(_WHO, step.first, strict=True))
        at = moment(step.first_at).astimezone(zone).strftime("%m-%d %H:%M:%S")
        parts.append(f"{at} {where['system']} {where['account'] or ''} ({', '.join(step.objects[:5])})")
    return opening + arrow.join(parts)

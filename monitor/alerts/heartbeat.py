"""Signs of life and tests: messages that stand for no finding.

A heartbeat goes out at a fixed interval past the outbox, so that silence is noticed by whoever expects it: it says that
the daemon runs, when each source last spoke, how far reading lags, and how the daemon itself is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from monitor.alerts.message import local_time
from monitor.alerts.texts import Language, label
from monitor.health import HealthState


@dataclass(frozen=True, slots=True)
class SourceState:
    """`last_event_at`: log time of the newest event, None: none yet."""

    last_event_at: datetime | None
    lag_seconds: float = 0.0
    lag_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    site: str
    version: str
    at: datetime
    health: HealthState
    sources: Mapping[str, SourceState]
    outbox_depth: int = 0
    outbox_oldest_seconds: float = 0.0


def heartbeat_message(beat: Heartbeat, *, language: Language, zone: tzinfo) -> dict[str, Any]:
    """The JSON of a heartbeat. Its id names the second, so a repeated delivery is recognised."""
    severity = {"ok": "low", "degraded": "medium", "red": "high"}[beat.health.status]
    fields = _frame(
        f"heartbeat-{beat.site}:{int(beat.at.timestamp())}", "heartbeat", beat.site, severity, beat.at, language, zone
    )
    fields["title"] = label(language, "heartbeat").format(beat.site)
    fields |= {
        "version": beat.version,
        "status": beat.health.status,
        "reasons": list(beat.health.reasons),
        "outbox_depth": beat.outbox_depth,
        "outbox_oldest_seconds": round(beat.outbox_oldest_seconds, 1),
        "sources": {
            name: {
                "last_event_at": local_time(state.last_event_at, zone),
                "lag_seconds": round(state.lag_seconds, 1),
                "lag_bytes": state.lag_bytes,
            }
            for name, state in beat.sources.items()
        },
    }
    lines = [
        f"{fields['title']} ({beat.version}, {beat.health.status}{''.join(f', {code}' for code in beat.health.reasons)})"
    ]
    lines += [
        f"  - {name}: {state['last_event_at'] or '-'} (+{state['lag_seconds']} s, {state['lag_bytes']} B)"
        for name, state in fields["sources"].items()
    ]
    fields["text"] = "\n".join(lines)
    return fields


def trial_message(site: str, channel: str, at: datetime, *, language: Language, zone: tzinfo) -> dict[str, Any]:
    """The JSON of a test: what `hiswatch alerts test` sends over each channel."""
    fields = _frame(f"test-{site}-{channel}:{int(at.timestamp())}", "test", site, "low", at, language, zone)
    fields["title"] = label(language, "test").format(channel)
    fields["text"] = fields["title"]
    return fields


def system_message(
    code: str, site: str, at: datetime, text: str, *, severity: str = "critical", language: Language, zone: tzinfo
) -> dict[str, Any]:
    """An alarm about the daemon itself (`code`: one of health.REASONS), for `Sender.direct`: needs no store."""
    fields = _frame(f"system-{site}-{code}:{int(at.timestamp())}", "system", site, severity, at, language, zone)
    return fields | {"rule": f"SYS-{code}", "title": f"hiswatch {site}: {code}", "text": f"hiswatch {site}: {text}"}


def over_budget_message(
    rule: str, title: str, day: str, budget: int, site: str, at: datetime, *, language: Language, zone: tzinfo
) -> dict[str, Any]:
    """Says once that a rule goes quiet for a day: what it finds is recorded."""
    fields = _frame(f"budget-{rule}-{day}:1", "system", site, "medium", at, language, zone)
    text = label(language, "over_budget").format(rule=rule, title=title, day=day, budget=budget)
    return fields | {
        "rule": rule,
        "title": text,
        "text": f"{text}\n{label(language, 'over_budget_next').format(rule=rule)}",
    }


def _frame(
    identifier: str, kind: str, site: str, severity: str, at: datetime, language: Language, zone: tzinfo
) -> dict[str, Any]:
    """The keys that every channel relies on, as in the message of a finding."""
    when = local_time(at, zone)
    return {
        "message_id": identifier,
        "kind": kind,
        "id": identifier.partition(":")[0],
        "revision": 1,
        "rule": f"SYS-{kind}",
        "family": "SYS",
        "severity": severity,
        "site": site,
        "first_seen": when,
        "last_seen": when,
        "sent_at": when,
        "classes": [],
        "language": language,
        "story": {"id": kind, "severity": severity, "total": 0, "findings": [], "steps": []},
    }

"""Which rules a statement raises by itself: what `hiswatch explain` tells as `flagged`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import polars as pl

from detectors.rules import Rule
from parsers.events import CONTEXT, EVENTS, FACTS

_SCHEMA = EVENTS | FACTS | CONTEXT
# The hospital's own people and services, at an ordinary hour, with no ticket and no job: if it is raised even for them,
# the statement is the reason and not the sender.
_SENDERS = ({"actor_kind": "staff", "person": "somebody"}, {"actor_kind": "service"})


def flagger(
    rules: Sequence[Rule], language: Literal["zh", "en"] = "en"
) -> Callable[[Mapping[str, Any]], list[dict[str, str]]]:
    """For rules of one event. The answer takes FACTS columns by name (others are passed over) and gives rule and why."""
    single = [rule for rule in rules if rule.kind == "single" and rule.steps[0].category in ("database", "any")]

    def flagged(facts: Mapping[str, Any]) -> list[dict[str, str]]:
        known = {
            name: list(value) if isinstance(value, tuple) else value for name, value in facts.items() if name in FACTS
        }
        fixed = {"action": "query", "record_role": "main", "outcome": "ok", "rows_kind": "unknown", "approved": False,
                 "account_registered": True, "person_valid": True, "time_allowed": True, "working_day": True,
                 "office_hours": True, "truncated": False}  # fmt: skip
        rows = [dict.fromkeys(_SCHEMA) | fixed | known | sender for sender in _SENDERS]
        frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        hits = frame.select(rule.steps[0].expression.any().alias(str(place)) for place, rule in enumerate(single)).row(
            0
        )
        return [
            {"rule": rule.id, "why": rule.title_zh if language == "zh" else rule.title_en}
            for rule, hit in zip(single, hits, strict=True)
            if hit
        ]

    return flagged

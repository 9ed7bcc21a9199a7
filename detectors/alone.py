"""Which rules statements raise by themselves: what `hiswatch explain` tells as `flagged`."""

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
) -> Callable[[Sequence[Mapping[str, Any]]], list[list[dict[str, str]]]]:
    """For rules of one event. The answer takes each statement's FACTS columns by name (others are passed over).

    It gives rule and why for each. They are judged in one frame: most of the time goes into setting one up.
    """
    single = [rule for rule in rules if rule.kind == "single" and rule.steps[0].category in ("database", "any")]

    expressions = [rule.steps[0].expression.alias(str(place)) for place, rule in enumerate(single)]

    def flagged(statements: Sequence[Mapping[str, Any]]) -> list[list[dict[str, str]]]:
        fixed = {"action": "query", "record_role": "main", "outcome": "ok", "rows_kind": "unknown", "approved": False,
                 "account_registered": True, "person_valid": True, "time_allowed": True, "working_day": True,
                 "office_hours": True, "truncated": False}  # fmt: skip
        base = dict.fromkeys(_SCHEMA) | fixed
        rows = [base | _known(facts) | sender for facts in statements for sender in _SENDERS]
        if not rows or not single:
            return [[] for _ in statements]
        frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        hits = frame.with_columns(expressions).select(str(place) for place in range(len(single))).rows()
        return [
            [
                {"rule": rule.id, "why": rule.title_zh if language == "zh" else rule.title_en}
                for rule, *hit in zip(single, *hits[at : at + len(_SENDERS)], strict=True)
                if any(hit)
            ]
            for at in range(0, len(hits), len(_SENDERS))
        ]

    return flagged


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items() if name in FACTS}

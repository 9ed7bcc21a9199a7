"""monitor_changed: the rules or the configuration under which records are judged are not those of the last batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from detectors.report import Told

_WORDS = {"rules": ("检测规则", "the rules"), "configuration": ("配置或登记册", "the configuration or the register")}


def monitor_changed(
    site: str, before: Mapping[str, str], before_at: datetime | None, now: Mapping[str, str]
) -> Iterator[Told]:
    """`before`, `now`: hashes by what they are of (rules, configuration); `before_at`: of the last batch under `before`.

    The new hash names the finding: the same change is told once, however often the daemon starts.
    """
    for what, (zh, en) in _WORDS.items():
        if before_at is None or not before.get(what) or before[what] == now[what]:
            continue
        yield Told(
            key=(site, what, now[what]),
            bucket=before_at,
            first_seen=before_at,
            who={"site": site},
            words={"what_zh": zh, "what_en": en, "before": before[what][:12], "after": now[what][:12]},
        )

from __future__ import annotations

from pathlib import Path

from monitor.alerts.channel import REASONS, DeliveryError
from monitor.alerts.sender import OUTAGES

DOCS = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_every_reason_is_documented_as_it_is() -> None:
    listed = [line for line in DOCS.split("\n") if line.startswith("| `")]
    for code, meaning in REASONS.items():
        assert f"| `{code}` | {meaning} |" in listed


def test_every_key_of_a_message_is_documented(payload: dict[str, object]) -> None:
    assert [key for key in payload if f"`{key}`" not in DOCS] == []


def test_an_unknown_reason_becomes_internal() -> None:
    assert DeliveryError("hook", "certificate of 张三").reason == "internal"
    assert set(REASONS) >= OUTAGES

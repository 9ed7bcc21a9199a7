"""Defaults, promises of the models, and the documentation generated from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from config import describe
from config.settings import Settings, Source

ROOT = Path(__file__).parents[2]
MINIMAL = {"site": {"id": "h"}, "sources": {"a": {"system": "s", "path": "p", "format": "f"}}}


def settings(**more) -> Settings:
    return Settings.model_validate({**MINIMAL, **more})


def test_defaults_are_the_promised_ones():
    found = settings()
    assert found.web.listen == "127.0.0.1:8642"
    assert (found.web.host, found.web.port) == ("127.0.0.1", 8642)
    assert found.store.retention_days == 180
    assert (found.store.memory_limit_mb, found.store.threads) == (256, 1)
    assert (found.store.publish_seconds, found.store.publish_rows) == (60, 100_000)
    assert (found.limits.batch_seconds, found.limits.batch_bytes) == (0.5, 16 * 1024 * 1024)
    assert (found.alerts.group_interval_seconds, found.alerts.repeat_hours, found.alerts.budget_per_hour) == (
        300,
        4,
        12,
    )
    assert (found.workers.count, found.workers.timeout_ms) == (1, 500)
    assert found.detection.notify_from == "medium"
    assert found.register_file is None


def test_a_source_has_its_own_zone_or_the_sites():
    found = settings(timezone="Asia/Urumqi")
    assert str(found.source_zone(found.sources["a"])) == "Asia/Urumqi"
    assert str(found.source_zone(Source(system="s", path="p", format="f", timezone="UTC"))) == "UTC"


def test_settings_can_not_be_changed():
    with pytest.raises(ValidationError):
        settings().site.id = "other"


def test_the_order_of_sources_is_kept():
    names = ["z", "a", "m"]
    found = settings(sources=dict.fromkeys(names, MINIMAL["sources"]["a"]))
    assert list(found.sources) == names


@pytest.mark.parametrize("listen", ["[::1]:1", "localhost:9000"])
def test_addresses_with_brackets_and_names_are_taken_apart(listen):
    web = settings(web={"listen": listen}).web
    assert f"{web.host}" in {"::1", "localhost"}
    assert web.port in {1, 9000}


def models(kind: type[BaseModel]) -> set[type[BaseModel]]:
    found = {kind}
    for field in kind.model_fields.values():
        for inner, _ in describe._inner_models(field.annotation):
            found |= models(inner)
    return found


@pytest.mark.parametrize("model", sorted(describe._MODELS.values(), key=str), ids=lambda model: model.__name__)
def test_every_key_says_what_it_means(model):
    for kind in models(model):
        assert kind.model_config.get("extra") == "forbid", kind
        assert kind.model_config.get("frozen"), kind
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name} has no description"


@pytest.mark.parametrize("page", describe.PAGES)
def test_the_tables_in_the_docs_are_those_of_the_models(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text.count("<!-- keys:") == len(describe.PAGES[page])
    assert text == describe.rendered(text), f"docs/{page} is stale: run python -m config.describe"

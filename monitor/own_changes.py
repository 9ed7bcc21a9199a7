"""Under which rules and which configuration records are judged, as hashes that every batch keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from config.site import LoadedSite
from detectors.rules import Rule
from monitor.store.hot import Store


def judged_under(site: LoadedSite, rules: Iterable[Rule]) -> dict[str, str]:
    """Hashes of the rules in force and of the configuration with register and calendar. The same in every process."""
    told = [(rule.id, rule.key, rule.staged, dict(rule.numbers), rule.block.model_dump()) for rule in rules]
    parts = (site.settings, site.register, site.overlay)
    configured = [part.model_dump() if part is not None else None for part in parts]
    return {"rules": _hash(told), "configuration": _hash(configured)}


def last_judged_under(store: Store) -> tuple[datetime | None, Mapping[str, str]]:
    """When and under what the last batch was judged that says so."""
    row = store.database.read(
        "SELECT received_at, rules_hash, config_hash FROM batches WHERE rules_hash <> '' ORDER BY batch DESC LIMIT 1"
    )
    if row.is_empty():
        return None, {}
    at, rules, configuration = row.row(0)
    return at, {"rules": rules, "configuration": configuration}


def _hash(value: object) -> str:
    return blake2b(repr(_ordered(value)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _ordered(value: Any) -> object:
    """Sets and mappings have no order of their own that lasts."""
    if isinstance(value, Mapping):
        return sorted((str(key), _ordered(one)) for key, one in value.items())
    if isinstance(value, set | frozenset):
        return sorted(repr(_ordered(one)) for one in value)
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    return repr(value)

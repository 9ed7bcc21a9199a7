"""Findings of checks (`detectors/checks`): made whenever somebody looks, told once, committed with the next batch.

A check may run in the thread that polls or in a job's. What it found waits here until it is durable; a finding that is stored
already is told again, as a new revision, only where more than its wording changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from threading import Lock
from zoneinfo import ZoneInfo

import polars as pl

from config.settings import Settings
from detectors.findings import FINDINGS, findings_of
from detectors.report import Told, told
from detectors.rules import Rule
from monitor.store.hot import Store

_WORDING = ("why_zh", "why_en", "revision")


class Checking:
    """Thread-safe. `rules`: those in force; the ones with `hiswatch.check` are taken."""

    def __init__(self, rules: Iterable[Rule], settings: Settings) -> None:
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            if rule.block.check is not None:
                self._rules.setdefault(rule.block.check, []).append(rule)
        self._zone = ZoneInfo(settings.timezone)
        self._notify_from = settings.detection.notify_from
        self._staged = frozenset(name for name, source in settings.sources.items() if source.staged)
        self._lock = Lock()
        self._known: dict[str, tuple[int, str]] = {}  # id -> revision and digest of what is stored
        self._waiting: dict[str, tuple[dict[str, object], str]] = {}

    def rules(self, check: str) -> Sequence[Rule]:
        """The rules in force that name this check: none where it is switched off."""
        return tuple(self._rules.get(check, ()))

    def found(self, rule: Rule, results: Iterable[Told]) -> int:
        """What a check found, to be told if it is news; how many there were."""
        count = 0
        for result in results:
            count += 1
            staged = result.who.get("source") in self._staged
            row = told(rule, result, zone=self._zone, notify_from=self._notify_from, staged=staged)
            digest = _digest(row)
            id_ = str(row["id"])
            with self._lock:
                revision, stored = self._known.get(id_, (0, ""))
                if digest == stored:
                    self._waiting.pop(id_, None)
                else:
                    self._waiting[id_] = {**row, "revision": revision + 1}, digest
        return count

    def news(self) -> pl.DataFrame:
        """FINDINGS that wait to be committed."""
        with self._lock:
            return findings_of([row for row, _ in self._waiting.values()])

    def committed(self, findings: pl.DataFrame) -> None:
        """These are durable."""
        with self._lock:
            for id_, revision in findings.select("id", "revision").iter_rows():
                waiting = self._waiting.get(id_)
                if waiting is not None and waiting[0]["revision"] == revision:
                    self._known[id_] = revision, waiting[1]
                    del self._waiting[id_]

    def restore(self, store: Store) -> None:
        """What is stored of these rules. What waited and is durable after all is told no more."""
        ids = [rule.id for rules in self._rules.values() for rule in rules]
        known = {row["id"]: (row["revision"], _digest(row)) for row in store.findings_of(ids).iter_rows(named=True)}
        with self._lock:
            self._known = known
            for id_, (row, digest) in list(self._waiting.items()):
                revision, stored = known.get(id_, (0, ""))
                if digest == stored:
                    del self._waiting[id_]
                else:
                    self._waiting[id_] = {**row, "revision": revision + 1}, digest


def _digest(row: dict[str, object]) -> str:
    content = {name: row[name] for name in FINDINGS if name not in _WORDING}
    content |= {name: value.timestamp() for name, value in content.items() if isinstance(value, datetime)}
    return blake2b(repr(sorted(content.items())).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

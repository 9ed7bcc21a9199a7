"""Put a configuration's parts together: catalogue, register, rules, workers -> pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from config.catalogue import load_catalogue, shipped_packs
from config.loader import LoadedSite, load_site
from config.rulefiles import read_rules
from config.settings import Settings
from detectors import silence
from detectors.context import Context
from detectors.engine import LATENESS, Engine
from detectors.rules import Rule, compile_rules
from monitor.pipeline import Pipeline, Reading
from monitor.protect import Protection, ephemeral_key
from monitor.replay import Named
from monitor.sources.generations import Position
from monitor.sources.tail import Tail, TailSettings
from monitor.store.hot import Store
from monitor.workers import Workers
from parsers.registry import parsers
from parsers.sql.stage import Understanding


def read_site(path: Path, root: Path | None = None, *, deep: bool = True) -> LoadedSite:
    """The checked configuration with everything it refers to. Raises ConfigError with every fault found.

    Not `deep`: rules and catalogue are left to whoever uses them (`assembled` checks both when it reads them).
    """
    site = load_site(path, formats=list(parsers()), packs=shipped_packs(), root=root)
    if deep:
        site_rules(site.settings)
        load_catalogue(site.settings.catalogue.packs, site.settings.catalogue.files)
    return site


def site_rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules in force. Raises ConfigError for a rule with a mistake."""
    detection = settings.detection
    return tuple(
        compile_rules(
            read_rules(detection.rule_dirs),
            disabled=detection.disabled,
            staged=detection.staged,
            thresholds=detection.thresholds,
        )
    )


def named_source(settings: Settings, name: str) -> Named:
    source = settings.sources[name]
    return Named(settings.site.id, source.system, name, source.format)


def zones(settings: Settings) -> dict[str, ZoneInfo]:
    return {name: settings.source_zone(source) for name, source in settings.sources.items()}


def tails(settings: Settings, positions: Iterable[Position]) -> list[Tail]:
    """One tail a source, going on from the stored positions."""
    stored = list(positions)
    return [
        Tail(
            TailSettings(
                name,
                (source.path,),
                source.format,
                settings.site.id,
                source.system,
                from_end=source.start_at == "end",
            ),
            parsers()[source.format].framing,
            stored,
        )
        for name, source in settings.sources.items()
    ]


@dataclass
class Assembly:
    """One configuration's parts. `committed` and `restore` keep its memory in step with the store."""

    site: LoadedSite
    rules: tuple[Rule, ...]
    pipeline: Pipeline
    workers: Workers
    protection: Protection
    lateness: timedelta | None
    _told: set[str] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        return self.site.settings

    def silence(self, sources: pl.DataFrame, now: datetime) -> pl.DataFrame:
        """Findings about silent sources that were not told yet (their ids name the beginning of the silence)."""
        detection = self.settings.detection
        if sources.is_empty() or any(name in detection.disabled for name in ("SRC", silence.RULE)):
            return silence.check(sources.clear(), now)
        found = silence.check(sources, now, zone=self.settings.timezone, minimum=detection.notify_from)
        return found.filter(~pl.col("id").is_in(list(self._told)))

    def restore(self, store: Store) -> None:
        """Start, or start over: detector state and known shapes as the store has them."""
        self.pipeline.engine = new_engine(self.site, self.rules, self.lateness)
        self.pipeline.engine.restore(store.states())
        self.pipeline.understanding.stored(store.shape_ids())
        self._told = store.finding_ids(silence.RULE)

    def committed(self, silent: pl.DataFrame | None = None) -> None:
        """The batch is durable; `silent`: what `silence` found for it."""
        self.pipeline.understanding.committed()
        if silent is not None:
            self._told.update(silent["id"])


def new_engine(site: LoadedSite, rules: tuple[Rule, ...], lateness: timedelta | None) -> Engine:
    settings = site.settings
    return Engine(
        rules,
        zone=settings.timezone,
        notify_from=settings.detection.notify_from,
        staged_sources=[name for name, source in settings.sources.items() if source.staged],
        lateness=lateness,
    )


@contextmanager
def assembled(site: LoadedSite, key: bytes, *, lateness: timedelta | None = LATENESS) -> Iterator[Assembly]:
    """The parts, with running workers; these end with the context. `lateness` None: old files in any order."""
    settings = site.settings
    rules = site_rules(settings)
    catalogue = load_catalogue(settings.catalogue.packs, settings.catalogue.files)
    protection = Protection(key)
    with Workers(count=settings.workers.count, timeout_ms=settings.workers.timeout_ms) as workers:
        understanding = Understanding(workers.analyser(catalogue), protection.shape_key)
        pipeline = Pipeline(
            parsers(),
            zones(settings),
            {name: Reading(source.encoding, source.dialect) for name, source in settings.sources.items()},
            understanding,
            protection,
            Context.of_site(site),
            new_engine(site, rules, lateness),
        )
        yield Assembly(site, rules, pipeline, workers, protection, lateness)


@contextmanager
def masking(config: Path | None) -> Iterator[Callable[[pl.DataFrame], pl.DataFrame]]:
    """EVENTS -> the same with shape, shape_id and tokens, as the store would keep them; under a key that is forgotten."""
    packs: tuple[str, ...] | None = None
    files: tuple[Path, ...] = ()
    if config is not None:
        settings = read_site(config).settings
        packs, files = settings.catalogue.packs, settings.catalogue.files
    protection = Protection(ephemeral_key())
    with Workers() as workers:
        understanding = Understanding(workers.analyser(load_catalogue(packs, files)), protection.shape_key)
        yield lambda events: protection.stored(protection.tokenise(protection.shapes(understanding.attach(events))))

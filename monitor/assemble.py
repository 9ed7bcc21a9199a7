"""Put a configuration's parts together: catalogue, register, rules, workers -> pipeline."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from config.catalogue import load_catalogue, shipped_packs
from config.errors import Problem
from config.loader import LoadedSite, load_site
from config.register import Register, Ticket
from config.rulefiles import read_rules
from config.settings import Settings
from config.watchlist import read_watchlist
from detectors.behaviour.watch import Behaviour
from detectors.context import Context
from detectors.context.watched import CANARY, VIP, Watch
from detectors.engine import LATENESS, MEASURED, Engine
from detectors.folding import KEEP, Folding
from detectors.ledger import Recall
from detectors.rules import Rule, compile_rules
from monitor.checking import Checking
from monitor.pipeline import Pipeline, Reading
from monitor.protect import Protection, ephemeral_key
from monitor.replay import Named
from monitor.settling import Numbering, Settling
from monitor.sources.generations import Position
from monitor.sources.spool import spool_folder
from monitor.sources.tail import Tail, TailSettings
from monitor.store.hot import Store
from monitor.tickets import TicketFolder
from monitor.workers import Workers
from parsers.registry import Parser, parsers
from parsers.sql.stage import Understanding


def read_site(
    path: Path,
    root: Path | None = None,
    *,
    deep: bool = True,
    tolerate: Collection[str] = (),
    tolerate_rules: bool = False,
) -> LoadedSite:
    """The checked configuration with everything it refers to. Raises ConfigError with every fault found.

    Not `deep`: rules and catalogue are left to whoever uses them (`assembled` checks both when it reads them).
    `tolerate`: sections of the register whose faulty entries are left out (config/tolerance.py). `tolerate_rules`: rules
    with mistakes are left out too.
    """
    site = load_site(
        path,
        formats={name: unit.options for name, unit in parsers().items()},
        packs=shipped_packs(),
        root=root,
        tolerate=tolerate,
        tolerate_rules=tolerate_rules or not deep,
    )
    faults: list[Problem] = []
    if deep:
        site_rules(site.settings, faults if tolerate_rules else None)
        load_catalogue(site.settings.catalogue.packs, site.settings.catalogue.files)
    return replace(site, rule_faults=tuple(faults) if tolerate_rules else None)


def site_rules(settings: Settings, faults: list[Problem] | None = None) -> tuple[Rule, ...]:
    """The rules in force. Raises ConfigError for a rule with a mistake; `faults` takes the mistakes, the rest stays."""
    detection = settings.detection
    return tuple(
        compile_rules(
            read_rules(detection.rule_dirs, faults),
            disabled=detection.disabled,
            staged=detection.staged,
            thresholds=detection.thresholds,
            faults=faults,
        )
    )


def named_source(settings: Settings, name: str) -> Named:
    source = settings.sources[name]
    return Named(settings.site.id, source.system, name, source.format)


def source_parsers(settings: Settings) -> dict[str, Parser]:
    """The parser of each source, its options bound."""
    return {name: parsers()[source.format].configured(source.options) for name, source in settings.sources.items()}


def zones(settings: Settings) -> dict[str, ZoneInfo]:
    return {name: settings.source_zone(source) for name, source in settings.sources.items()}


def tails(settings: Settings, positions: Iterable[Position]) -> list[Tail]:
    """One tail a source, going on from the stored positions."""
    stored, units = list(positions), source_parsers(settings)
    return [
        Tail(
            _followed(name, settings, units[name].settle_seconds),
            units[name].framing,
            stored,
        )
        for name in settings.sources
    ]


def _followed(name: str, settings: Settings, settle_seconds: float | None) -> TailSettings:
    source = settings.sources[name]
    common = TailSettings(
        name, (source.path or "",), source.format, settings.site.id, source.system, settle_seconds=settle_seconds
    )
    if source.path is not None:
        return replace(common, from_end=source.start_at == "end")
    spool = glob.escape(str(spool_folder(settings.state_dir, name)))
    return replace(
        common,
        paths=(f"{spool}/*.log",),
        roots=(str(spool_folder(settings.state_dir, name)),),
        in_order=True,
        rotate_wait=0.0,
        scan_every=1.0,
    )


@dataclass
class Assembly:
    """One configuration's parts. `committed` and `restore` keep its memory in step with the store."""

    site: LoadedSite
    rules: tuple[Rule, ...]
    pipeline: Pipeline
    workers: Workers
    protection: Protection
    lateness: timedelta | None
    checking: Checking
    tickets: TicketFolder
    settling: Settling
    watches: tuple[Watch, ...] = ()

    @property
    def settings(self) -> Settings:
        return self.site.settings

    def look_for_tickets(self) -> bool:
        """Take up tickets that were dropped, changed or withdrawn. True where there were any."""
        before = self.register
        if not self.tickets.look():
            return False
        self.pipeline.context = Context.of_site(replace(self.site, register=self.tickets.register), self.watches)
        known = before.tickets if before is not None else {}
        self.settling = new_settling(self.tickets.register, self.rules, self.pipeline.context, self.settings, known)
        return True

    @property
    def register(self) -> Register | None:
        """With the tickets that were dropped as files."""
        return self.tickets.register

    @property
    def numbering(self) -> tuple[Numbering, ...]:
        """What numbers the revisions of findings that can be settled."""
        return self.pipeline.engine, self.pipeline.behaviour

    def restore(self, store: Store) -> None:
        """Start, or start over: detector state and known shapes as the store has them."""
        engine = new_engine(self.site, self.rules, self.lateness, store.recalled)
        states = store.states(but=MEASURED)
        engine.restore(states)
        for name in store.measured_rules():
            engine.restore(store.measured(name))
        self.pipeline.engine = engine
        self.pipeline.behaviour = new_behaviour(self.site, self.rules, self.lateness)
        self.pipeline.behaviour.restore(states)
        self.pipeline.folding = new_folding(self.settings)
        self.pipeline.folding.restore(store.acts_since(store.now() - KEEP))
        self.pipeline.understanding.stored(store.shape_ids())
        self.checking.restore(store)

    def committed(self, told: pl.DataFrame | None = None) -> None:
        """The batch is durable; `told`: findings of checks that went with it."""
        self.pipeline.understanding.committed()
        if told is not None:
            self.checking.committed(told)


def new_engine(
    site: LoadedSite, rules: tuple[Rule, ...], lateness: timedelta | None, recall: Recall | None = None
) -> Engine:
    """`recall`: of the store that batches are committed to; None: the engine keeps all of its state in memory."""
    settings = site.settings
    return Engine(
        rules,
        zone=settings.timezone,
        notify_from=settings.detection.notify_from,
        staged_sources=[name for name, source in settings.sources.items() if source.staged],
        lateness=lateness,
        recall=recall,
    )


def new_behaviour(site: LoadedSite, rules: tuple[Rule, ...], lateness: timedelta | None) -> Behaviour:
    settings = site.settings
    days = {name: source.learning_days for name, source in settings.sources.items()}
    return Behaviour(
        rules,
        zone=settings.timezone,
        notify_from=settings.detection.notify_from,
        staged_sources=[name for name, source in settings.sources.items() if source.staged],
        learning_days=settings.detection.learning_days,
        learning_of_source={name: number for name, number in days.items() if number is not None},
        lateness=lateness,
    )


def new_settling(
    register: Register | None,
    rules: Iterable[Rule],
    context: Context,
    settings: Settings,
    before: Mapping[str, Ticket] | None = None,
) -> Settling:
    counted = [rule.id for rule in rules if rule.block.check is None]
    return Settling(register, context, settings.zone, rules=counted, before=before)


def new_folding(settings: Settings) -> Folding:
    return Folding([(name, source.system) for name, source in settings.sources.items()])


def watches_of(settings: Settings, protection: Protection) -> list[Watch]:
    """The watch lists, their numbers as tokens: in clear they stand in the files alone. Raises ConfigError."""
    watched = settings.watched
    return [
        Watch(CANARY, _tokens(watched.canaries.patients_file, protection), watched.canaries.objects, watched.canaries.may_touch),
        Watch(VIP, _tokens(watched.vips.patients_file, protection), (), watched.vips.may_touch),
    ]  # fmt: skip


def _tokens(file: Path | None, protection: Protection) -> dict[str, set[str]]:
    tokens: dict[str, set[str]] = {}
    for listed in read_watchlist(file) if file is not None else ():
        token = listed.value if listed.tokenised else protection.token(listed.value)
        tokens.setdefault(listed.kind, set()).add(token)
    return tokens


@contextmanager
def assembled(site: LoadedSite, key: bytes, *, lateness: timedelta | None = LATENESS) -> Iterator[Assembly]:
    """The parts, with running workers; these end with the context. `lateness` None: old files in any order."""
    settings = site.settings
    rules = site_rules(settings, None if site.rule_faults is None else [])
    catalogue = load_catalogue(settings.catalogue.packs, settings.catalogue.files)
    protection = Protection(key)
    watched = tuple(watches_of(settings, protection))
    tickets = TicketFolder(settings.tickets_dir, site.register, settings.zone)
    tickets.look()
    with Workers(count=settings.workers.count, timeout_ms=settings.workers.timeout_ms) as workers:
        understanding = Understanding(workers.analyser(catalogue), protection.shape_key)
        pipeline = Pipeline(
            source_parsers(settings),
            zones(settings),
            {name: Reading(source.encoding, source.dialect) for name, source in settings.sources.items()},
            understanding,
            protection,
            Context.of_site(replace(site, register=tickets.register), watched),
            new_folding(settings),
            new_engine(site, rules, lateness),
            new_behaviour(site, rules, lateness),
        )
        yield Assembly(
            site,
            rules,
            pipeline,
            workers,
            protection,
            lateness,
            Checking(rules, settings),
            tickets,
            new_settling(tickets.register, rules, pipeline.context, settings),
            watched,
        )


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

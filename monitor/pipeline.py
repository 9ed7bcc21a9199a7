"""The way of the data: read, parse, understand, protect, enrich, fold, detect. Committing is the caller's (daemon or scan)."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Protocol
from zoneinfo import ZoneInfo

import polars as pl

from detectors.behaviour.watch import Behaviour
from detectors.context import Context
from detectors.engine import Engine, Observed
from detectors.folding import Folding
from monitor.protect import Protection
from monitor.sources.generations import log_of
from monitor.sources.reading import Gap
from monitor.sources.tail import gap_events
from monitor.store.schema import REJECTS as STORED_REJECTS
from parsers.decoding import decode, not_utf8_is
from parsers.events import CONTEXT, EVENTS, FACTS, REJECTS, Origin, check, empty
from parsers.registry import Carry, Parsed, Parser
from parsers.sql.stage import Understanding

Skips = dict[tuple[str, str, str], tuple[int, int]]  # (source, format, reason) -> records, bytes


class Chunk(Protocol):
    """Whole records of one file, and where they come from."""

    @property
    def data(self) -> bytes: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def gaps(self) -> Sequence[Gap]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source may set besides its zone. `dialect` None: the format's own."""

    encodings: tuple[str, ...] = ("utf-8", "gb18030")
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What the parsers made of some chunks: every record is in exactly one of events, rejects, skips."""

    events: pl.DataFrame  # EVENTS
    rejects: pl.DataFrame  # REJECTS with site, system, source, file, format, generation, received_at
    skips: Skips
    carries: Mapping[str, Carry]  # by log (`log_of`): what its parser must remember; those of the logs that were read


@dataclass(frozen=True, slots=True)
class Seen:
    """What a batch brought, ready to be committed: nothing sensitive in clear from here on."""

    read: Read
    events: pl.DataFrame  # EVENTS + FACTS + CONTEXT, tokens in place of patient keys
    shapes: pl.DataFrame  # FACTS of shapes that the store does not have yet
    rejects: pl.DataFrame
    observed: Observed
    seconds: Mapping[str, float] = field(default_factory=dict)  # wall time by stage


class Pipeline:
    """One configuration's stages. Holds state only through `engine`, `behaviour`, `folding` and `understanding`'s cache."""

    def __init__(
        self,
        parsers: Mapping[str, Parser],
        zones: Mapping[str, ZoneInfo],
        reading: Mapping[str, Reading],
        understanding: Understanding,
        protection: Protection,
        context: Context,
        folding: Folding,
        engine: Engine,
        behaviour: Behaviour,
    ) -> None:
        """By source name: the configured parser, the zone of its stamps, what else is set for it (`reading`)."""
        self.parsers = parsers
        self.zones = zones
        self.reading = reading
        self.understanding = understanding
        self.protection = protection
        self.context = context
        self.folding = folding
        self.engine = engine
        self.behaviour = behaviour

    def run(self, chunks: Iterable[Chunk], carries: Mapping[str, Carry], now: datetime) -> Seen:
        """Take chunks (in order of each source) through every stage. `now`: time of the clock, or of the replay."""
        clock = _Stopwatch()
        read = self.read(chunks, carries)
        clock.lap("parse")
        understood = self.understanding.attach(read.events)
        clock.lap("understand")
        protected = self.protection.stored(self.protection.tokenise(understood))
        clock.lap("protect")
        enriched = self.context.enrich(protected)
        clock.lap("enrich")
        check(enriched, EVENTS, FACTS, CONTEXT)
        acts = self.folding.fold(enriched, now)
        observed = self.engine.observe(acts, now) + self.behaviour.observe(acts, now)
        clock.lap("detect")
        shapes = self.protection.shapes(self.understanding.new_shapes())
        return Seen(read, enriched, shapes, self.protection.rejects(read.rejects), observed, clock.laps)

    def refused(self, chunks: Iterable[Chunk]) -> Seen:
        """Chunks that a stage broke on, as rejects with their place: nothing is lost, and reading goes on behind them."""
        rejects = [
            _with_origin(
                pl.DataFrame(
                    [(chunk.origin.position, len(chunk.data), "failed", decode(chunk.data[:4096]))],
                    schema=REJECTS,
                    orient="row",
                ),
                chunk.origin,
            )
            for chunk in chunks
            if chunk.data
        ]
        read = Read(empty(EVENTS), pl.concat(rejects) if rejects else empty(STORED_REJECTS), {}, {})
        nothing = empty(EVENTS, FACTS, CONTEXT)
        shapes = self.protection.shapes(self.understanding.new_shapes())
        return Seen(read, nothing, shapes, self.protection.rejects(read.rejects), Observed())

    def read(self, chunks: Iterable[Chunk], carries: Mapping[str, Carry]) -> Read:
        """Parse only."""
        changed: dict[str, Carry] = {}
        remembered = ChainMap(changed, dict(carries))
        events, rejects = [], []
        skips: Skips = defaultdict(lambda: (0, 0))
        for chunk in chunks:
            if chunk.gaps:
                events.append(gap_events(chunk.gaps, chunk.origin))
            if not chunk.data:
                continue
            parsed = self._parse(chunk, remembered)
            events.append(parsed.events)
            if parsed.rejects.height:
                rejects.append(_with_origin(parsed.rejects, chunk.origin))
            for reason, (records, size) in parsed.skips.items():
                key = (chunk.origin.source, chunk.origin.format, reason)
                skips[key] = (skips[key][0] + records, skips[key][1] + size)
        return Read(
            pl.concat(events, rechunk=True) if events else empty(EVENTS),
            pl.concat(rejects) if rejects else empty(STORED_REJECTS),
            dict(skips),
            changed,
        )

    def _parse(self, chunk: Chunk, carries: MutableMapping[str, Carry]) -> Parsed:
        origin = chunk.origin
        log = log_of(origin.source, origin.file)
        parser = self.parsers[origin.source]
        reading = self.reading.get(origin.source, Reading())
        with not_utf8_is(reading.encodings):
            parsed = parser.parse(chunk.data, origin, self.zones[origin.source], carries.get(log, {}))
        if reading.dialect is not None:
            spoken = pl.when(pl.col("dialect").is_not_null()).then(pl.lit(reading.dialect)).alias("dialect")
            parsed = replace(parsed, events=parsed.events.with_columns(spoken))
        carries[log] = parsed.carry
        return parsed


def _with_origin(rejects: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    fixed = {name: getattr(origin, name) for name in STORED_REJECTS if name not in rejects.columns}
    return rejects.with_columns(**{name: pl.lit(value) for name, value in fixed.items()}).select(
        pl.col(name).cast(dtype) for name, dtype in STORED_REJECTS.items()
    )


class _Stopwatch:
    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._last = clock()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = self._clock()
        self.laps[stage] = now - self._last
        self._last = now

"""What the daemon tells of itself batch by batch: counts of a batch become telemetry events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

import polars as pl

from config.settings import Settings
from detectors.checks.silence import SOURCES
from monitor.pipeline import Seen
from monitor.sources.tail import Chunk, Tail
from monitor.telemetry import (
    BatchCommitted,
    FindingRaised,
    GapSeen,
    RecordRejected,
    RecordsRead,
    RecordsSkipped,
    SourceFailed,
    SourceLag,
    SourceLearning,
    SourceSeen,
    SourceSilence,
    StageTimed,
    StatementNotUnderstood,
    Telemetry,
    WorkerKilled,
)
from monitor.workers import Workers


@dataclass(slots=True)
class SourceNow:
    last_event_at: datetime | None = None  # log time of its newest event
    last_read_at: datetime | None = None
    lag_seconds: float = 0.0
    lag_bytes: int = 0
    refused: int = 0  # rejects since its last event


Learnt = Callable[[str, datetime, datetime], int | None]  # source, begin of its silence, now -> seconds that are usual
REFUSED = 20  # rejects without an event between them: not bad records, but the wrong format or options


class Observing:
    """Remembers per source when it last brought something."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.version = version("hiswatch")
        self._telemetry = telemetry
        self._started = datetime.now(UTC)
        self._now: dict[str, SourceNow] = {}
        self._killed: dict[str, int] = {}

    def states(self, names: Iterable[str]) -> dict[str, SourceNow]:
        return {name: replace(self._now.get(name) or SourceNow()) for name in names}

    def refused(self) -> bool:
        """A source brings nothing but rejects."""
        return any(known.refused >= REFUSED for known in self._now.values())

    def silences(self, names: Iterable[str], now: datetime) -> None:
        """How long each source has brought nothing."""
        for name in names:
            known = self._now.get(name)
            since = (known.last_read_at if known else None) or self._started
            self._telemetry.emit(SourceSilence(name, max(0.0, (now - since).total_seconds())))

    def learning(self, days_left: Mapping[str, int], names: Iterable[str]) -> None:
        """For how long each source that was heard goes on learning."""
        for name in set(names) & set(days_left):
            self._telemetry.emit(SourceLearning(name, days_left[name]))

    def heard(self, last: Mapping[str, datetime]) -> None:
        """When sources brought something last, before this process began."""
        for name, moment in last.items():
            known = self._now.setdefault(name, SourceNow())
            known.last_read_at = max(known.last_read_at or moment, moment)

    def sources(self, settings: Settings, now: datetime, learnt: Learnt) -> pl.DataFrame:
        """One row a source (detectors.checks.silence.SOURCES). `learnt`: what is usual where nothing is configured."""
        rows = []
        for name, source in settings.sources.items():
            last = (self._now.get(name) or SourceNow()).last_read_at
            minutes = source.expected_silence_minutes
            expected = minutes * 60 if minutes is not None else learnt(name, last or self._started, now)
            told = {
                "last_at": last,
                "since": self._started,
                "expected_silence_seconds": expected,
                "learnt": minutes is None,
            }
            rows.append({"site": settings.site.id, "system": source.system, "source": name, **told})
        return pl.DataFrame(rows, schema=SOURCES)

    def lags(self, tails: Iterable[Tail]) -> bool:
        """Lag of every source. True when one of them cannot be read at present."""
        failed = False
        for tail in tails:
            lag = tail.lag()
            known = self._now.setdefault(tail.name, SourceNow())
            known.lag_bytes, known.lag_seconds = lag.unread_bytes, lag.oldest_unread_seconds
            self._telemetry.emit(SourceLag(tail.name, lag.unread_bytes, lag.oldest_unread_seconds))
            for errno_name in set(tail.troubles().values()):
                failed = True
                self._telemetry.emit(SourceFailed(tail.name, errno_name))
            for notice in tail.take_notices():
                self._telemetry.emit(SourceFailed(tail.name, notice.reason))
        return failed

    def batch(self, seen: Seen, findings: pl.DataFrame, chunks: Iterable[Chunk], commit_seconds: float) -> None:
        """A batch is durable: count what was in it."""
        emit = self._telemetry.emit
        for source, format_, count, newest, received in (
            seen.events.group_by("source", "format")
            .agg(pl.len(), pl.col("occurred_at").max(), pl.col("received_at").max())
            .iter_rows()
        ):
            emit(RecordsRead(source, format_, count))
            emit(SourceSeen(source, newest, (newest - received).total_seconds()))
            known = self._now.setdefault(source, SourceNow())
            known.last_read_at = received
            known.last_event_at = max(newest, known.last_event_at or newest)
            known.refused = 0
        told = set(seen.events["source"].unique())
        for source, format_, reason, count, file, position in (
            seen.rejects.group_by("source", "format", "reason")
            .agg(pl.len(), pl.col("file").first(), pl.col("position").first())
            .iter_rows()
        ):
            emit(RecordsRead(source, format_, count))
            emit(RecordRejected(source, format_, reason, count, file, position))
            if source not in told:
                self._now.setdefault(source, SourceNow()).refused += count
        for (source, format_, reason), (count, _) in seen.read.skips.items():
            emit(RecordsRead(source, format_, count))
            emit(RecordsSkipped(source, format_, reason, count))
        for source, reason, count in _not_understood(seen.events).iter_rows():
            emit(StatementNotUnderstood(source, reason, count))
        for chunk in chunks:
            for gap in chunk.gaps:
                emit(GapSeen(chunk.origin.source, gap.reason))
        for rule, severity, count in (
            findings.filter(pl.col("revision") == 1).group_by("rule", "severity").agg(pl.len()).iter_rows()
        ):
            emit(FindingRaised(rule, severity, count))
        for stage, seconds in seen.seconds.items():
            emit(StageTimed(stage, seconds))
        emit(BatchCommitted(commit_seconds, seen.events.height + seen.rejects.height))

    def workers(self, workers: Workers) -> None:
        """Workers that were killed or died since the last look."""
        for reason, count in workers.killed.items():
            for _ in range(count - self._killed.get(reason, 0)):
                self._telemetry.emit(WorkerKilled(reason))
            self._killed[reason] = count


def _not_understood(events: pl.DataFrame) -> pl.DataFrame:
    unclear = events.lazy().filter(pl.col("understood").is_in(["lexical", "none"]))
    return unclear.group_by("source", "reason").agg(pl.col("shape_id").n_unique()).collect()

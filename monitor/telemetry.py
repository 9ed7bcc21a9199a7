"""What the daemon says about itself: named events, each of which knows its metric and its log line.

``telemetry.emit(RecordRejected(source="ehr_audit", parser="vsftpd_native", reason="bad_timestamp"))`` counts in
``hiswatch_records_rejected_total`` and writes one rate-limited JSON line. Neither ever carries log content: labels come
from the configuration, from rule files and from short closed lists of codes; a code of another form is counted as "other".

Every `Telemetry` has a registry of its own, so that several daemons can live in one process (tests).
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LOGGER = "hiswatch"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOG_INTERVAL_SECONDS = 60.0
MAX_LOG_KEYS = 2_000  # distinct lines remembered by the limiter
STAGES = ("read", "parse", "understand", "protect", "enrich", "detect", "commit")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of docs/metrics.md. `kind` is counter, gauge or histogram; labels are closed sets."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


METRICS: tuple[Metric, ...] = (
    Metric("hiswatch_build_info", "gauge", ("version",), "Always 1; the version that runs"),
    Metric("hiswatch_start_time_seconds", "gauge", (), "When this daemon started, seconds since the epoch"),
    Metric(
        "hiswatch_source_last_event_timestamp_seconds", "gauge", ("source",), "Log time of the newest event of a source"
    ),
    Metric("hiswatch_source_lag_bytes", "gauge", ("source",), "Bytes of a source that are written and not yet read"),
    Metric("hiswatch_source_lag_seconds", "gauge", ("source",), "Age of the oldest byte of a source not yet read"),
    Metric("hiswatch_source_silence_seconds", "gauge", ("source",), "How long a source has brought no record"),
    Metric(
        "hiswatch_source_learning_days",
        "gauge",
        ("source",),
        "Days for which a source goes on learning what is usual; 0: findings about behaviour are notified",
    ),
    Metric(
        "hiswatch_source_errors_total", "counter", ("source", "reason"), "A source could not be read; it is tried again"
    ),
    Metric(
        "hiswatch_clock_skew_seconds", "gauge", ("source",), "Log time of the newest record less the time it was read"
    ),
    Metric("hiswatch_clock_jumps_total", "counter", (), "Jumps of this machine's clock against its steady clock"),
    Metric("hiswatch_records_total", "counter", ("source", "format"), "Records read, whatever became of them"),
    Metric(
        "hiswatch_records_rejected_total",
        "counter",
        ("source", "parser", "reason"),
        "Records that could not be understood: stored masked",
    ),
    Metric(
        "hiswatch_records_skipped_total",
        "counter",
        ("source", "parser", "reason"),
        "Records that by the format's reference say nothing",
    ),
    Metric("hiswatch_gaps_total", "counter", ("source", "reason"), "Stretches of a log that could not be read"),
    Metric(
        "hiswatch_statements_not_understood_total",
        "counter",
        ("source", "reason"),
        "New statement shapes without a syntax tree",
    ),
    Metric("hiswatch_worker_killed_total", "counter", ("reason",), "Workers that were killed or died over a statement"),
    Metric("hiswatch_shed_total", "counter", ("stage", "reason"), "Optional work left out under load"),
    Metric("hiswatch_batch_duration_seconds", "histogram", ("stage",), "Time of one batch, by stage"),
    Metric("hiswatch_batch_rows_total", "counter", (), "Rows committed: events and rejects"),
    Metric("hiswatch_commit_errors_total", "counter", (), "Commits that failed; the positions were read again"),
    Metric(
        "hiswatch_findings_total", "counter", ("rule", "severity"), "Findings raised; revisions are not counted again"
    ),
    Metric(
        "hiswatch_rule_quiet_total",
        "counter",
        ("rule",),
        "Findings not notified because their rule is over its noise budget",
    ),
    Metric(
        "hiswatch_detector_errors_total", "counter", ("detector",), "A detector failed on a batch; the others went on"
    ),
    Metric(
        "hiswatch_alerts_total",
        "counter",
        ("channel", "outcome"),
        "Deliveries: sent, failed (tried again), superseded, expired",
    ),
    Metric("hiswatch_alert_failures_total", "counter", ("channel", "reason"), "Failed attempts at delivery, by reason"),
    Metric(
        "hiswatch_inventory_accounts", "gauge", ("inventory",), "Accounts of a server when its inventory was last read"
    ),
    Metric(
        "hiswatch_inventory_errors_total",
        "counter",
        ("inventory", "reason"),
        "Inventories that could not be read; what was read before stays in use",
    ),
    Metric("hiswatch_outbox_depth", "gauge", (), "Messages waiting, of all channels"),
    Metric("hiswatch_outbox_oldest_seconds", "gauge", (), "Age of the oldest message that is due and not delivered"),
    Metric("hiswatch_job_errors_total", "counter", ("job",), "Periodic jobs that failed"),
    Metric(
        "hiswatch_job_missed_total", "counter", ("job",), "Runs of periodic jobs that came too late and were left out"
    ),
    Metric(
        "hiswatch_listener_messages_total",
        "counter",
        ("listener", "source"),
        "Syslog messages received and written to the spool of a source",
    ),
    Metric(
        "hiswatch_listener_dropped_total",
        "counter",
        ("listener", "reason"),
        "Messages not taken: kernel (no room in the socket), spool_full (datagrams), unrouted, forbidden",
    ),
    Metric(
        "hiswatch_listener_truncated_total",
        "counter",
        ("listener",),
        "Messages that were cut: too long, or never ended",
    ),
    Metric("hiswatch_listener_connections", "gauge", ("listener",), "Connections that are open"),
    Metric(
        "hiswatch_listener_connections_ended_total",
        "counter",
        ("listener", "reason"),
        "Connections that ended: closed, reset, handshake, idle, stalled, forbidden, too_many, shutdown, fault",
    ),
    Metric(
        "hiswatch_listener_failures_total",
        "counter",
        ("listener", "reason"),
        "Seconds in which a port could not be opened; it is tried again",
    ),
    Metric("hiswatch_listener_waiting", "gauge", (), "Connections that are not read from because a spool is full"),
    Metric("hiswatch_spool_bytes", "gauge", ("source",), "Received messages of a source that are on disk"),
    Metric("hiswatch_config_reloads_total", "counter", ("outcome",), "Reloads of the configuration: ok, refused"),
    Metric("hiswatch_findings_settled_total", "counter", (), "Findings that a late ticket settled after the fact"),
    Metric(
        "hiswatch_register_faults", "gauge", (), "Faults in the register and in tickets that were handed in; left out"
    ),
    Metric(
        "hiswatch_findings_suppressed_total",
        "counter",
        ("suppression",),
        "Findings and revisions that a suppression kept from being notified",
    ),
    Metric(
        "hiswatch_findings_over_budget_total",
        "counter",
        ("rule",),
        "Findings and revisions beyond the budget of their rule and day: recorded, not notified",
    ),
    Metric("hiswatch_rule_faults", "gauge", (), "Mistakes in rules of the site; the rules are left out"),
)

_KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}


def _code(value: object) -> str:
    """A label value: a code as it is, anything else "other" (a bug elsewhere must not leak content here)."""
    text = str(value)
    return text if _CODE.match(text) else "other"


class Metrics:
    """The metrics of one daemon, by name. Thread-safe, as prometheus-client is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._by_name: dict[str, Any] = {}
        for metric in METRICS:
            options: dict[str, Any] = {"buckets": BUCKETS} if metric.kind == "histogram" else {}
            made = _KINDS[metric.kind](metric.name, metric.help, metric.labels, registry=registry, **options)
            self._by_name[metric.name] = made

    def count(self, name: str, amount: float = 1.0, **labels: object) -> None:
        self._of(name, labels).inc(amount)

    def set(self, name: str, value: float, **labels: object) -> None:
        self._of(name, labels).set(value)

    def observe(self, name: str, value: float, **labels: object) -> None:
        self._of(name, labels).observe(value)

    def _of(self, name: str, labels: dict[str, object]) -> Any:
        metric = self._by_name[name]
        return (
            metric.labels(
                **{
                    key: _source(value) if key in {"source", "listener"} else _code(value)
                    for key, value in labels.items()
                }
            )
            if labels
            else metric
        )


def _source(value: object) -> str:
    """Names of sources are the operator's own words (Chinese, perhaps); only their length and controls are bounded."""
    return "".join(character if character.isprintable() else "?" for character in str(value)[:128])


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events. `level` None: counted, never logged. WARNING nothing lost, ERROR a person is needed."""

    level: ClassVar[int | None] = None

    def measure(self, metrics: Metrics) -> None:
        """Bring the event into the metrics."""


@dataclass(frozen=True, slots=True)
class Started(Event):
    version: str
    site: str
    level: ClassVar[int | None] = logging.INFO

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_build_info", 1, version=self.version)
        metrics.set("hiswatch_start_time_seconds", time.time())


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    reason: str
    level: ClassVar[int | None] = logging.INFO


@dataclass(frozen=True, slots=True)
class RecordsRead(Event):
    source: str
    format: str
    count: int

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_records_total", self.count, source=self.source, format=self.format)


@dataclass(frozen=True, slots=True)
class RecordRejected(Event):
    """`file` and `position` say where the raw bytes lie: coordinates, not content."""

    source: str
    parser: str
    reason: str
    count: int = 1
    file: str = ""
    position: int | None = None
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count(
            "hiswatch_records_rejected_total", self.count, source=self.source, parser=self.parser, reason=self.reason
        )


@dataclass(frozen=True, slots=True)
class RecordsSkipped(Event):
    source: str
    parser: str
    reason: str
    count: int = 1

    def measure(self, metrics: Metrics) -> None:
        metrics.count(
            "hiswatch_records_skipped_total", self.count, source=self.source, parser=self.parser, reason=self.reason
        )


@dataclass(frozen=True, slots=True)
class StatementNotUnderstood(Event):
    source: str
    reason: str
    count: int = 1

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_statements_not_understood_total", self.count, source=self.source, reason=self.reason)


@dataclass(frozen=True, slots=True)
class WorkerKilled(Event):
    reason: str
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_worker_killed_total", reason=self.reason)


@dataclass(frozen=True, slots=True)
class Shed(Event):
    stage: str
    reason: str
    count: int = 1
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_shed_total", self.count, stage=self.stage, reason=self.reason)


@dataclass(frozen=True, slots=True)
class GapSeen(Event):
    source: str
    reason: str
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_gaps_total", source=self.source, reason=self.reason)


@dataclass(frozen=True, slots=True)
class SourceSeen(Event):
    """The newest record of a source: its log time and, where known, how far that lies from the time of reading."""

    source: str
    last_event_at: datetime
    skew_seconds: float | None = None

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_source_last_event_timestamp_seconds", self.last_event_at.timestamp(), source=self.source)
        if self.skew_seconds is not None:
            metrics.set("hiswatch_clock_skew_seconds", self.skew_seconds, source=self.source)


@dataclass(frozen=True, slots=True)
class SourceLag(Event):
    source: str
    lag_bytes: int
    lag_seconds: float

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_source_lag_bytes", self.lag_bytes, source=self.source)
        metrics.set("hiswatch_source_lag_seconds", self.lag_seconds, source=self.source)


@dataclass(frozen=True, slots=True)
class SourceSilence(Event):
    source: str
    seconds: float

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_source_silence_seconds", self.seconds, source=self.source)


@dataclass(frozen=True, slots=True)
class SourceLearning(Event):
    source: str
    days: int

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_source_learning_days", self.days, source=self.source)


@dataclass(frozen=True, slots=True)
class SourceFailed(Event):
    source: str
    reason: str
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_source_errors_total", source=self.source, reason=self.reason)


@dataclass(frozen=True, slots=True)
class ClockJumped(Event):
    seconds: float
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_clock_jumps_total")


@dataclass(frozen=True, slots=True)
class StageTimed(Event):
    """A stage (one of STAGES) took this long in one batch."""

    stage: str
    seconds: float

    def measure(self, metrics: Metrics) -> None:
        metrics.observe("hiswatch_batch_duration_seconds", self.seconds, stage=self.stage)


@dataclass(frozen=True, slots=True)
class BatchCommitted(Event):
    seconds: float
    rows: int

    def measure(self, metrics: Metrics) -> None:
        metrics.observe("hiswatch_batch_duration_seconds", self.seconds, stage="commit")
        metrics.count("hiswatch_batch_rows_total", self.rows)


@dataclass(frozen=True, slots=True)
class CommitFailed(Event):
    reason: str = "error"
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_commit_errors_total")


@dataclass(frozen=True, slots=True)
class FindingRaised(Event):
    rule: str
    severity: str
    count: int = 1

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_findings_total", self.count, rule=self.rule, severity=self.severity)


@dataclass(frozen=True, slots=True)
class RuleQuiet(Event):
    rule: str
    count: int = 1
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_rule_quiet_total", self.count, rule=self.rule)


@dataclass(frozen=True, slots=True)
class DetectorFailed(Event):
    detector: str
    error: str = ""  # the type of the exception, never its text
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_detector_errors_total", detector=self.detector)


@dataclass(frozen=True, slots=True)
class AlertSent(Event):
    channel: str
    message_id: str = ""
    level: ClassVar[int | None] = logging.INFO

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_alerts_total", channel=self.channel, outcome="sent")


@dataclass(frozen=True, slots=True)
class AlertFailed(Event):
    """One attempt failed; the message stays in the outbox."""

    channel: str
    reason: str
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_alerts_total", channel=self.channel, outcome="failed")
        metrics.count("hiswatch_alert_failures_total", channel=self.channel, reason=self.reason)


@dataclass(frozen=True, slots=True)
class AlertSuperseded(Event):
    """A newer message of the same story says all that this one would have said."""

    channel: str
    count: int = 1

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_alerts_total", self.count, channel=self.channel, outcome="superseded")


@dataclass(frozen=True, slots=True)
class AlertExpired(Event):
    """A message could not be delivered for so long that it is given up: somebody must look at the channel."""

    channel: str
    reason: str
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_alerts_total", channel=self.channel, outcome="expired")


@dataclass(frozen=True, slots=True)
class OutboxMeasured(Event):
    depth: int
    oldest_seconds: float

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_outbox_depth", self.depth)
        metrics.set("hiswatch_outbox_oldest_seconds", self.oldest_seconds)


@dataclass(frozen=True, slots=True)
class MessagesReceived(Event):
    listener: str
    source: str
    messages: int

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_listener_messages_total", self.messages, listener=self.listener, source=self.source)


@dataclass(frozen=True, slots=True)
class MessagesDropped(Event):
    listener: str
    reason: str
    messages: int
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_listener_dropped_total", self.messages, listener=self.listener, reason=self.reason)


@dataclass(frozen=True, slots=True)
class MessagesTruncated(Event):
    listener: str
    messages: int
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_listener_truncated_total", self.messages, listener=self.listener)


@dataclass(frozen=True, slots=True)
class ConnectionsEnded(Event):
    listener: str
    reason: str
    connections: int

    def measure(self, metrics: Metrics) -> None:
        metrics.count(
            "hiswatch_listener_connections_ended_total", self.connections, listener=self.listener, reason=self.reason
        )


@dataclass(frozen=True, slots=True)
class ConnectionsOpen(Event):
    listener: str
    connections: int

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_listener_connections", self.connections, listener=self.listener)


@dataclass(frozen=True, slots=True)
class ConnectionsWaiting(Event):
    connections: int

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_listener_waiting", self.connections)


@dataclass(frozen=True, slots=True)
class SpoolMeasured(Event):
    source: str
    bytes: int

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_spool_bytes", self.bytes, source=self.source)


@dataclass(frozen=True, slots=True)
class ListenerFailed(Event):
    listener: str
    reason: str
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_listener_failures_total", listener=self.listener, reason=self.reason)


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    job: str
    error: str = ""  # the type of the exception, never its text
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_job_errors_total", job=self.job)


@dataclass(frozen=True, slots=True)
class InventoryRead(Event):
    inventory: str
    accounts: int
    level: ClassVar[int | None] = None

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_inventory_accounts", self.accounts, inventory=self.inventory)


@dataclass(frozen=True, slots=True)
class InventoryUnread(Event):
    """`reason`: a code of monitor/inventory/snapshot.py."""

    inventory: str
    reason: str
    level: ClassVar[int | None] = logging.ERROR

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_inventory_errors_total", inventory=self.inventory, reason=self.reason)


@dataclass(frozen=True, slots=True)
class JobMissed(Event):
    job: str
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_job_missed_total", job=self.job)


@dataclass(frozen=True, slots=True)
class ConfigReloaded(Event):
    """`outcome` is "ok" or "refused" (the old configuration stays)."""

    outcome: str
    level: ClassVar[int | None] = logging.WARNING

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_config_reloads_total", outcome=self.outcome)


@dataclass(frozen=True, slots=True)
class RegisterFaults(Event):
    """How many mistakes the register in force was freed of by leaving out the entries that have them."""

    faults: int
    level: ClassVar[int | None] = None

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_register_faults", self.faults)


@dataclass(frozen=True, slots=True)
class FindingsSettled(Event):
    count: int = 1

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_findings_settled_total", self.count)


@dataclass(frozen=True, slots=True)
class RuleFaults(Event):
    """How many mistakes the rules in force were freed of by leaving out the rules that have them."""

    faults: int
    level: ClassVar[int | None] = None

    def measure(self, metrics: Metrics) -> None:
        metrics.set("hiswatch_rule_faults", self.faults)


@dataclass(frozen=True, slots=True)
class FindingsSuppressed(Event):
    suppression: str
    count: int = 1
    level: ClassVar[int | None] = None

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_findings_suppressed_total", self.count, suppression=self.suppression)


@dataclass(frozen=True, slots=True)
class FindingsOverBudget(Event):
    rule: str
    count: int = 1

    def measure(self, metrics: Metrics) -> None:
        metrics.count("hiswatch_findings_over_budget_total", self.count, rule=self.rule)


class Telemetry:
    """Where events go. Thread-safe. `clock` is a steady clock in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, logger: logging.Logger | None = None) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.metrics = Metrics(self.registry)
        self._clock = clock
        self._logger = logger or logging.getLogger(LOGGER)
        self._lock = threading.Lock()
        self._last: dict[tuple[str, ...], tuple[float, int]] = {}

    def emit(self, event: Event) -> None:
        """Count, and write one line unless the same line was written within the last minute."""
        event.measure(self.metrics)
        if event.level is None or not self._logger.isEnabledFor(event.level):
            return
        held = self._admit(event)
        if held is not None:
            self._logger.log(event.level, type(event).__name__, extra={"fields": _fields(event, held)})

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def value(self, name: str, **labels: str) -> float:
        """The sample of this name, 0 where there is none. For tests and the heartbeat."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def _admit(self, event: Event) -> int | None:
        """How many like it were held back since the last line; None: hold this one back too."""
        key = _key(event)
        now = self._clock()
        with self._lock:
            last = self._last.get(key)
            if last is not None and now - last[0] < LOG_INTERVAL_SECONDS:
                self._last[key] = (last[0], last[1] + 1)
                return None
            if len(self._last) >= MAX_LOG_KEYS:
                self._last.pop(next(iter(self._last)))
            self._last[key] = (now, 0)
            return last[1] if last is not None else 0


_CODES = frozenset(
    {
        "source",
        "parser",
        "reason",
        "channel",
        "rule",
        "severity",
        "job",
        "detector",
        "stage",
        "outcome",
        "version",
        "listener",
    }
)


def _key(event: Event) -> tuple[str, ...]:
    """Lines are alike when event and codes are; counts, places and ids do not make another line."""
    return (type(event).__name__, *(str(getattr(event, field.name)) for field in fields(event) if field.name in _CODES))


def _fields(event: Event, held: int) -> dict[str, Any]:
    out = {field.name: getattr(event, field.name) for field in fields(event)}
    if held:
        out["suppressed"] = held
    return out


class JsonLines(logging.Formatter):
    """One JSON object a line, UTC, ASCII: no log text can break out of its line or drive a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # the type alone: texts of exceptions quote our input
        return json.dumps(line, default=str)


SILENCED = ("sqlglot", "apscheduler", "uvicorn", "httpx", "httpcore", "sigma", "watchdog")


def configure_logging(stream: TextIO, level: int = logging.INFO) -> None:
    """JSON lines of our own logger to `stream`; libraries that quote their input are silenced."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def metrics_table() -> Iterator[str]:
    """The lines of the table in docs/metrics.md; a test holds both equal."""
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"

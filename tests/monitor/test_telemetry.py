from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import telemetry as t

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def apart(level: int) -> logging.Logger:
    """A logger outside the tree, so that tests running beside this one do not write into it."""
    return logging.Logger("apart", level)  # noqa: LOG001


@pytest.fixture
def lines() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(t.JsonLines())
    logger = apart(logging.INFO)
    logger.addHandler(handler)
    return logger, stream


EVENTS = [
    (t.RecordsRead("his", "postgresql_csvlog", 7), "hiswatch_records_total", {"source": "his", "format": "postgresql_csvlog"}, 7),
    (t.RecordRejected("his", "vsftpd", "bad_timestamp", 2), "hiswatch_records_rejected_total", {"source": "his", "parser": "vsftpd", "reason": "bad_timestamp"}, 2),
    (t.RecordsSkipped("his", "vsftpd", "banner", 3), "hiswatch_records_skipped_total", {"source": "his", "parser": "vsftpd", "reason": "banner"}, 3),
    (t.StatementNotUnderstood("his", "command"), "hiswatch_statements_not_understood_total", {"source": "his", "reason": "command"}, 1),
    (t.WorkerKilled("timeout"), "hiswatch_worker_killed_total", {"reason": "timeout"}, 1),
    (t.Shed("parse", "overload", 4), "hiswatch_shed_total", {"stage": "parse", "reason": "overload"}, 4),
    (t.GapSeen("his", "truncate"), "hiswatch_gaps_total", {"source": "his", "reason": "truncate"}, 1),
    (t.SourceSeen("his", datetime(2026, 11, 23, tzinfo=UTC), -2.5), "hiswatch_clock_skew_seconds", {"source": "his"}, -2.5),
    (t.SourceLag("his", 100, 2.0), "hiswatch_source_lag_bytes", {"source": "his"}, 100),
    (t.SourceSilence("his", 30.0), "hiswatch_source_silence_seconds", {"source": "his"}, 30),
    (t.SourceLearning("his", 7), "hiswatch_source_learning_days", {"source": "his"}, 7),
    (t.SourceFailed("his", "EACCES"), "hiswatch_source_errors_total", {"source": "his", "reason": "EACCES"}, 1),
    (t.ClockJumped(3600.0), "hiswatch_clock_jumps_total", {}, 1),
    (t.StageTimed("parse", 0.2), "hiswatch_batch_duration_seconds_count", {"stage": "parse"}, 1),
    (t.BatchCommitted(0.2, 12), "hiswatch_batch_rows_total", {}, 12),
    (t.CommitFailed(), "hiswatch_commit_errors_total", {}, 1),
    (t.FindingRaised("EXF-06", "high"), "hiswatch_findings_total", {"rule": "EXF-06", "severity": "high"}, 1),
    (t.RuleQuiet("EXF-06", 5), "hiswatch_rule_quiet_total", {"rule": "EXF-06"}, 5),
    (t.DetectorFailed("bulk_read"), "hiswatch_detector_errors_total", {"detector": "bulk_read"}, 1),
    (t.AlertSent("webhook"), "hiswatch_alerts_total", {"channel": "webhook", "outcome": "sent"}, 1),
    (t.AlertFailed("smtp", "timeout"), "hiswatch_alert_failures_total", {"channel": "smtp", "reason": "timeout"}, 1),
    (t.AlertSuperseded("smtp", 3), "hiswatch_alerts_total", {"channel": "smtp", "outcome": "superseded"}, 3),
    (t.AlertExpired("smtp", "timeout"), "hiswatch_alerts_total", {"channel": "smtp", "outcome": "expired"}, 1),
    (t.OutboxMeasured(3, 12.0), "hiswatch_outbox_depth", {}, 3),
    (t.MessagesReceived("main", "his", 7), "hiswatch_listener_messages_total", {"listener": "main", "source": "his"}, 7),
    (t.MessagesDropped("main", "unrouted", 3), "hiswatch_listener_dropped_total", {"listener": "main", "reason": "unrouted"}, 3),
    (t.MessagesTruncated("main", 2), "hiswatch_listener_truncated_total", {"listener": "main"}, 2),
    (t.ConnectionsEnded("main", "idle", 1), "hiswatch_listener_connections_ended_total", {"listener": "main", "reason": "idle"}, 1),
    (t.ConnectionsOpen("main", 4), "hiswatch_listener_connections", {"listener": "main"}, 4),
    (t.ConnectionsWaiting(1), "hiswatch_listener_waiting", {}, 1),
    (t.SpoolMeasured("his", 4096), "hiswatch_spool_bytes", {"source": "his"}, 4096),
    (t.ListenerFailed("main", "port"), "hiswatch_listener_failures_total", {"listener": "main", "reason": "port"}, 1),
    (t.JobFailed("publish"), "hiswatch_job_errors_total", {"job": "publish"}, 1),
    (t.JobMissed("publish"), "hiswatch_job_missed_total", {"job": "publish"}, 1),
    (t.InventoryRead("his", 3), "hiswatch_inventory_accounts", {"inventory": "his"}, 3),
    (t.InventoryUnread("his", "export_old"), "hiswatch_inventory_errors_total", {"inventory": "his", "reason": "export_old"}, 1),
    (t.ConfigReloaded("refused"), "hiswatch_config_reloads_total", {"outcome": "refused"}, 1),
    (t.FindingsSettled(3), "hiswatch_findings_settled_total", {}, 3),
    (t.RegisterFaults(2), "hiswatch_register_faults", {}, 2),
    (t.RuleFaults(3), "hiswatch_rule_faults", {}, 3),
    (t.FindingsSuppressed("pacs_move", 2), "hiswatch_findings_suppressed_total", {"suppression": "pacs_move"}, 2),
    (t.FindingsOverBudget("EXF-02", 4), "hiswatch_findings_over_budget_total", {"rule": "EXF-02"}, 4),
    (t.Started("0.1.0", "hospital"), "hiswatch_build_info", {"version": "0.1.0"}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("event", "name", "labels", "value"), EVENTS, ids=lambda value: type(value).__name__)
def test_every_event_moves_its_metric(event: t.Event, name: str, labels: dict[str, str], value: float) -> None:
    telemetry = t.Telemetry(logger=apart(logging.CRITICAL))
    telemetry.emit(event)
    assert telemetry.value(name, **labels) == value
    assert name.encode() in telemetry.exposition()


def test_every_event_class_is_in_this_list() -> None:
    assert {type(event).__name__ for event, *_ in EVENTS} | {"Stopped"} == {
        made.__name__ for made in t.Event.__subclasses__()
    }


def test_every_metric_is_moved_by_some_event() -> None:
    telemetry = t.Telemetry(logger=apart(logging.CRITICAL))
    for event, *_ in EVENTS:
        event.measure(telemetry.metrics)
    text = telemetry.exposition().decode()
    samples = {
        line.partition("{")[0].partition(" ")[0] for line in text.split("\n") if line and not line.startswith("#")
    }
    assert [
        metric.name for metric in t.METRICS if metric.name not in samples and metric.name + "_count" not in samples
    ] == []


def test_names_and_labels_keep_the_rules() -> None:
    forbidden = {"account", "patient", "address", "client_ip", "path", "file", "message", "statement", "user", "person"}
    for metric in t.METRICS:
        assert metric.name.startswith("hiswatch_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not forbidden & set(metric.labels), metric.name


def test_docs_list_exactly_the_metrics() -> None:
    table = (
        DOCS.read_text(encoding="utf-8")
        .partition("<!-- table")[2]
        .partition("-->\n")[2]
        .partition("<!-- end of table")[0]
    )
    assert table.strip().split("\n") == list(t.metrics_table()), (
        "write the table of docs/metrics.md from metrics_table()"
    )


def test_a_repeated_line_is_held_back_for_a_minute_and_then_says_how_often(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = lines
    clock = Clock()
    telemetry = t.Telemetry(clock=clock, logger=logger)
    for _ in range(1000):
        telemetry.emit(t.RecordRejected("his", "vsftpd", "unknown_form", file="/var/log/vsftpd.log", position=12))
    telemetry.emit(t.RecordRejected("his", "vsftpd", "bad_timestamp"))
    clock.now = 61.0
    telemetry.emit(t.RecordRejected("his", "vsftpd", "unknown_form"))
    written = [json.loads(line) for line in stream.getvalue().strip().split("\n")]
    assert [(line["reason"], line.get("suppressed", 0)) for line in written] == [
        ("unknown_form", 0),
        ("bad_timestamp", 0),
        ("unknown_form", 999),
    ]
    assert written[0]["level"] == "WARNING"
    assert written[0]["file"] == "/var/log/vsftpd.log"
    assert (
        telemetry.value("hiswatch_records_rejected_total", source="his", parser="vsftpd", reason="unknown_form") == 1001
    )


def test_a_code_that_is_no_code_never_becomes_a_label() -> None:
    telemetry = t.Telemetry(logger=apart(logging.CRITICAL))
    telemetry.emit(t.GapSeen("his", "张三 110101199003077777"))
    assert telemetry.value("hiswatch_gaps_total", source="his", reason="other") == 1
    assert "张三" not in telemetry.exposition().decode()


@settings(deadline=None)
@given(text=st.text(max_size=50))
def test_a_log_line_is_always_one_line_of_ascii(text: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(t.JsonLines())
    logger = apart(logging.INFO)
    logger.addHandler(handler)
    t.Telemetry(logger=logger).emit(t.RecordRejected(text, "vsftpd", "unknown_form", file=text))
    assert stream.getvalue().isascii()
    assert json.loads(stream.getvalue())["file"] == text
    assert len(stream.getvalue().rstrip("\n").splitlines()) == 1


def test_the_text_of_an_exception_is_not_logged(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = lines
    try:
        raise ValueError("SELECT name FROM patients")  # noqa: TRY301
    except ValueError:
        logger.exception("failed")
    assert json.loads(stream.getvalue())["error"] == "ValueError"
    assert "patients" not in stream.getvalue()


def test_two_daemons_in_one_process_do_not_share_counts() -> None:
    one, two = t.Telemetry(), t.Telemetry()
    one.emit(t.FindingRaised("EXF-01", "high"))
    assert two.value("hiswatch_findings_total", rule="EXF-01", severity="high") == 0


def test_the_limiter_does_not_grow_without_end(lines: tuple[logging.Logger, io.StringIO]) -> None:
    telemetry = t.Telemetry(logger=lines[0])
    for number in range(t.MAX_LOG_KEYS + 500):
        telemetry.emit(t.GapSeen(f"source{number}", "truncate"))
    assert len(telemetry._last) <= t.MAX_LOG_KEYS

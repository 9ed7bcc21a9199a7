"""From findings to somebody's phone: planning, sending, the sign of life. The daemon's thread plans, others send."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from config.loader import LoadedSite
from config.settings import Settings
from detectors.rules import Rule
from monitor.alerts import outbox, quiet
from monitor.alerts.alertmanager import RESEND_SECONDS, AlertmanagerChannel
from monitor.alerts.channel import DeliveryError
from monitor.alerts.channels import make_channels, outbox_settings
from monitor.alerts.heartbeat import (
    Heartbeat,
    SourceState,
    heartbeat_message,
    over_budget_message,
    trial_message,
)
from monitor.alerts.outbox import Plan
from monitor.alerts.quiet import Counts, Day, QuietSettings, local_day
from monitor.alerts.sender import Sender
from monitor.alerts.sender import try_channels as send_to_each
from monitor.alerts.texts import rule_texts
from monitor.health import Health
from monitor.jobs import Job
from monitor.observing import Observing
from monitor.store.hot import Store
from monitor.telemetry import AlertFailed, FindingsOverBudget, FindingsSuppressed, Telemetry

MEASURE_SECONDS = 15
LATE_SECONDS = 300.0  # older than this, an undelivered message is a fault of its own


class Delivery:
    """`plan` and `committed` are called by the thread that commits."""

    def __init__(
        self,
        site: LoadedSite,
        rules: Iterable[Rule],
        store: Store,
        telemetry: Telemetry,
        health: Health,
        observing: Observing,
    ) -> None:
        self._settings: Settings = site.settings
        self._store = store
        self._telemetry = telemetry
        self._health = health
        self._observing = observing
        self._planning = outbox_settings(site.settings, site.register, rule_texts(rules))
        self._quiet = QuietSettings.of(site.settings)
        self._sender = Sender(store, make_channels(site.settings), telemetry)
        self.restore()

    def restore(self) -> None:
        """What was told, as the store has it: at a start, or after a commit that failed."""
        now = datetime.now(UTC)
        since = now - timedelta(hours=self._planning.forget_hours + 1)
        self._stories = outbox.restore(self._store.outbox_since(since), now, self._planning)
        self._counts: Mapping[Day, Counts] = {}  # of rules and days; what is not here is asked of the store
        for channel in self._sender.channels:
            if isinstance(channel, AlertmanagerChannel):
                sent = self._store.sent_since(channel.name, since)
                channel.restore((json.loads(payload), at) for payload, at in sent)

    def plan(self, findings: pl.DataFrame, now: datetime) -> Plan:
        """What is told, and what is kept quiet and recorded."""
        hush = quiet.decide(findings, self._counts, self._told_on, now, self._quiet)
        plan = outbox.plan(hush.told, self._stories, now, self._planning)
        notices = [self._over(finding, budget, now) for finding, budget in hush.over]
        return replace(plan, rows=pl.concat([plan.rows, *notices]), hush=hush)

    def committed(self, plan: Plan) -> None:
        self._stories = plan.stories
        if plan.rows.height:
            self._sender.wake()
        if plan.hush is not None:
            self._counts = plan.hush.counts
            self._count(plan.hush.hushed)

    def _told_on(self, day: Day) -> Counts:
        return self._store.counts_of(*day, self._settings.zone, critical=self._quiet.counts_critical(day[0]))

    def _over(self, finding: Mapping[str, Any], budget: int, now: datetime) -> pl.DataFrame:
        language, zone = self._planning.language, self._planning.zone
        rule, title = finding["rule"], finding[f"title_{language}"]
        day = str(local_day(finding["bucket"], zone))
        site = self._settings.site.id
        message = over_budget_message(rule, title, day, budget, site, now, language=language, zone=zone)
        return outbox.notice(message["id"], message, now, self._planning)

    def _count(self, hushed: pl.DataFrame) -> None:
        for rule, suppression, count in hushed.group_by("rule", "suppression").agg(pl.len()).iter_rows():
            if suppression is None:
                self._telemetry.emit(FindingsOverBudget(rule, count))
            else:
                self._telemetry.emit(FindingsSuppressed(suppression, count))

    def start(self) -> None:
        self._sender.start()

    def stop(self) -> None:
        self._sender.stop()

    def jobs(self) -> list[Job]:
        jobs = [Job("outbox", MEASURE_SECONDS, self._measure)]
        beat = self._settings.alerts.heartbeat
        if beat is not None:
            jobs.append(Job("heartbeat", beat.interval_seconds, self._beat, at_start=True))
        if any(isinstance(channel, AlertmanagerChannel) for channel in self._sender.channels):
            jobs.append(Job("resend", RESEND_SECONDS, self._resend))
        return jobs

    def _measure(self) -> None:
        _, oldest = self._sender.measure()
        if oldest > LATE_SECONDS:
            self._health.set("alerts_late")
        else:
            self._health.clear("alerts_late")

    def _beat(self) -> None:
        settings = self._settings
        assert settings.alerts.heartbeat is not None
        depth, oldest = self._sender.measure()
        sources = {
            name: SourceState(state.last_event_at, state.lag_seconds, state.lag_bytes)
            for name, state in self._observing.states(settings.sources).items()
        }
        beat = Heartbeat(
            settings.site.id, self._observing.version, datetime.now(UTC), self._health.state(), sources, depth, oldest
        )
        language = settings.alerts.language or settings.language
        message = heartbeat_message(beat, language=language, zone=settings.zone)
        self._sender.direct(message, settings.alerts.heartbeat.channel)

    def _resend(self) -> None:
        for channel in self._sender.channels:
            if isinstance(channel, AlertmanagerChannel):
                try:
                    channel.resend()
                except DeliveryError as error:  # the next run tries again
                    self._telemetry.emit(AlertFailed(channel.name, error.reason))


def test_messages(site: LoadedSite) -> dict[str, str | None]:
    """`hiswatch alerts test`: per channel None, or the reason why it did not take the message."""
    settings = site.settings
    language, now = settings.alerts.language or settings.language, datetime.now(UTC)
    channels = make_channels(settings)
    results = send_to_each(
        channels, lambda name: trial_message(settings.site.id, name, now, language=language, zone=settings.zone)
    )
    for channel in channels:
        channel.close()
    return {result.channel: result.reason for result in results}

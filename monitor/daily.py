"""The daily job: read the inventories, keep what changed, and let the daily checks judge register, inventories and store.

Runs in a thread of the scheduler. What it finds waits in `Checking` and goes with the next batch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from config.register import Register
from detectors.checks import work
from detectors.checks.daily import CHECKS, OVERRUN
from detectors.checks.days import LOOKBACK_DAYS, DailyCheck, Day
from detectors.inventory import ACCOUNT_KEY, CODE_KEY, changes, update
from monitor.assemble import Assembly
from monitor.inventory.reading import Readings, read_inventories
from monitor.store.hot import Store
from monitor.telemetry import DetectorFailed, InventoryRead, InventoryUnread, Telemetry


class Daily:
    """`run` once a day, `overruns` every few minutes; neither raises for what one server or one check does wrong."""

    def __init__(self, store: Store, telemetry: Telemetry, stopping: Callable[[], bool] = lambda: False) -> None:
        self._store = store
        self._telemetry = telemetry
        self._stopping = stopping

    def run(self, assembly: Assembly, now: datetime) -> bool:
        """False: an inventory could not be read; the last one that could be stays in use."""
        readings = read_inventories(assembly.settings, now, stopping=self._stopping)
        for name, failure in readings.failures.items():
            self._telemetry.emit(InventoryUnread(name, failure.reason))
            print(failure, file=sys.stderr, flush=True)
        self.keep(readings, now)
        wanted = [name for name in CHECKS if assembly.checking.rules(name)]
        if wanted:
            day = self._day(assembly, now)
            for name in wanted:
                self._judge(assembly, name, CHECKS[name], day)
        return not readings.failures

    def overruns(self, assembly: Assembly, now: datetime) -> int:
        """Sessions that went on after their ticket; how many there are."""
        register, settings = assembly.register, assembly.settings
        found = 0
        for rule in assembly.checking.rules(OVERRUN) if register is not None else ():
            assert register is not None
            tickets = work.ended(register, now, settings.zone, rule.numbers["hours"])
            if not tickets:
                continue
            people = sorted({person for ticket in tickets.values() for person in ticket.people})
            since = min(work.moment(ticket.start, settings.zone) for ticket in tickets.values())
            acts = self._store.acts_after(people, since)
            day = Day(settings.site.id, now, settings.zone, register)
            found += self._judge(assembly, OVERRUN, partial(work.overrun, acts=acts), day)
        return found

    def keep(self, readings: Readings, now: datetime) -> None:
        """What was read becomes the state, with the differences to the reading before."""
        snapshots = readings.snapshots.values()
        for name, snapshot in readings.snapshots.items():
            self._telemetry.emit(InventoryRead(name, snapshot.accounts.height))
        accounts = [snapshot.accounts for snapshot in snapshots]
        code = [(snapshot.system, snapshot.code) for snapshot in snapshots if snapshot.code is not None]
        if accounts:
            self._keep("accounts", pl.concat(accounts), ACCOUNT_KEY, [one.system for one in snapshots], now)
        if code:
            self._keep("code", pl.concat([frame for _, frame in code]), CODE_KEY, [system for system, _ in code], now)

    def _keep(self, table: str, read: pl.DataFrame, key: tuple[str, ...], systems: list[str], now: datetime) -> None:
        kept = self._store.inventory(table)
        told = changes(kept, read, key, systems, now)
        self._store.keep_inventory(table, update(kept, read, key, systems, now), told)

    def _day(self, assembly: Assembly, now: datetime) -> Day:
        settings, register = assembly.settings, assembly.register or Register()
        systems = [inventory.system for inventory in settings.inventories.values()]
        since = now - timedelta(days=LOOKBACK_DAYS)
        counting = [job.account for job in register.jobs.values() if job.approvals]
        return Day(
            settings.site.id, now, settings.zone, register,
            # A system that has no inventory any more is not judged by an old one.
            accounts=self._store.inventory("accounts").filter(pl.col("system").is_in(systems)),
            changes=self._store.inventory("inventory_changes"),
            work=self._store.days_of_work(since, settings.timezone),
            statistics=self._store.statistics_of(counting, since),
        )  # fmt: skip

    def _judge(self, assembly: Assembly, name: str, check: DailyCheck, day: Day) -> int:
        found = 0
        for rule in assembly.checking.rules(name):
            try:
                found += assembly.checking.found(rule, list(check(day, rule.numbers)))
            except Exception as error:  # noqa: BLE001 - one check that breaks must not cost the others: counted and named
                self._telemetry.emit(DetectorFailed(rule.id, type(error).__name__))
        return found

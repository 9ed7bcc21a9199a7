"""The daemon: poll the sources, run the pipeline, commit, tell. One thread does all of that; others only deliver and show.

Order of a start: configuration, port, store, workers, sources. What can be wrong is said before anything is touched.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from config.errors import ConfigError
from config.settings import Settings
from monitor.assemble import Assembly, assembled, read_site, tails
from monitor.batch import batch_of
from monitor.delivery import Delivery
from monitor.health import Health
from monitor.jobs import Job, Jobs
from monitor.observing import Observing
from monitor.protect import load_key
from monitor.sources.tail import Chunk, Tail
from monitor.sources.watcher import Watcher
from monitor.store.control import ControlServer
from monitor.store.hot import CommitFailed, Store, StoreFull
from monitor.telemetry import CommitFailed as CommitFailedEvent
from monitor.telemetry import ConfigReloaded, Started, Stopped, Telemetry, configure_logging
from monitor.web import Web

PAUSE_SECONDS = 5.0  # between attempts when the store cannot be written


def run_daemon(config: Path) -> None:
    """`hiswatch run`: until SIGTERM, SIGINT. Raises StartError or ConfigError when it cannot start."""
    configure_logging(sys.stderr)
    Daemon(config).run()


class Daemon:
    """`run()` blocks; `stop()` and `reload()` may be called from any thread or signal handler."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.site = read_site(config)
        self.settings: Settings = self.site.settings
        self.on_findings: Callable[[pl.DataFrame], None] = lambda _: None
        self.stopping = threading.Event()
        self.reloading = threading.Event()
        self.wake = threading.Event()
        self.telemetry = Telemetry()
        self.health = Health()
        self.observing = Observing(self.telemetry)
        self.seen = {"events": 0, "rejects": 0, "skips": 0, "findings": 0}

    # -- from outside ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        self.stopping.set()
        self.wake.set()

    def reload(self) -> None:
        self.reloading.set()
        self.wake.set()

    def summary(self, language: str) -> str:
        texts = {
            "zh": "共 {events} 个事件,{rejects} 条拒收,{skips} 条跳过,{findings} 个发现",
            "en": "{events} events, {rejects} rejects, {skips} skips, {findings} findings",
        }
        return texts[language].format(**self.seen)

    # -- life ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        with self._signals():
            self._run()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Handlers while it runs; afterwards the old ones, so that nothing keeps the daemon alive."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self.reload}
        before = {number: signal.signal(number, lambda *_, do=do: do()) for number, do in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _run(self) -> None:
        self.health.set("starting", red=True)
        web = Web.of(self.settings.web, self.telemetry, self.health)
        try:
            web.start()
            key = load_key(self.settings.state_dir / "keys" / "token.key")
            limits = self.settings.store
            with Store(
                self.settings.state_dir, memory_limit_mb=limits.memory_limit_mb, threads=limits.threads
            ) as store:
                self._serve(store, key)
        finally:
            web.stop()

    def _serve(self, store: Store, key: bytes) -> None:
        self.telemetry.emit(Started(self.observing.version, self.settings.site.id))
        with ControlServer(store, self.settings.state_dir):
            while not self.stopping.is_set():
                with assembled(self.site, key) as assembly:
                    _Shift(self, store, assembly).work()
                if self.reloading.is_set():
                    self.reloading.clear()
                    self._adopt_new_configuration()
        self.telemetry.emit(Stopped("signal"))

    def _adopt_new_configuration(self) -> None:
        """A bad new file keeps the old one. The store, the port and the key stay as they are until a restart."""
        try:
            site = read_site(self.config)
        except ConfigError as error:
            self.telemetry.emit(ConfigReloaded("refused"))
            self.health.set("config_refused")
            print(error, file=sys.stderr, flush=True)
            return
        self.site, self.settings = site, site.settings
        self.health.clear("config_refused")
        self.telemetry.emit(ConfigReloaded("ok"))


class _Shift:
    """One configuration's time of work: from start or reload to stop or the next reload."""

    def __init__(self, daemon: Daemon, store: Store, assembly: Assembly) -> None:
        self._daemon = daemon
        self._store = store
        self._assembly = assembly
        self._settings = assembly.settings
        self._telemetry, self._health = daemon.telemetry, daemon.health
        self._tails: list[Tail] = tails(self._settings, store.positions())
        self._carries: dict[str, Any] = store.carries()
        assembly.restore(store)
        self._delivery = Delivery(assembly.site, assembly.rules, store, self._telemetry, self._health, daemon.observing)
        self._jobs = Jobs(self._job_table(), self._telemetry)

    def _job_table(self) -> list[Job]:
        limits = self._settings.store
        jobs = [
            Job("publish", limits.publish_seconds, lambda: self._store.publish_if_due(limits.publish_rows)),
            Job("retention", 3600, lambda: self._store.retain(limits.retention_days)),
            Job("silence", 30, self._daemon.wake.set),
        ]
        return jobs + self._delivery.jobs()

    def work(self) -> None:
        daemon = self._daemon
        watcher = Watcher([folder for tail in self._tails for folder in tail.directories()], daemon.wake)
        watcher.start()
        self._delivery.start()
        self._jobs.start()
        self._health.clear("starting")
        try:
            while not (daemon.stopping.is_set() or daemon.reloading.is_set()):
                self._health.beat()
                self._jobs.check_clock()
                daemon.wake.clear()
                if not self._turn():
                    daemon.wake.wait(self._settings.limits.batch_seconds)
        finally:
            watcher.stop()
            self._jobs.stop()
            self._delivery.stop()
            for tail in self._tails:
                tail.close()

    # -- one batch -------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Read and commit what there is. True when there may be more at once."""
        if not self._store.writable():
            self._health.set("disk_full", red=True)
            self._daemon.wake.wait(PAUSE_SECONDS)
            return False
        self._health.clear("disk_full")
        started = time.monotonic()
        chunks = self._poll()
        now = datetime.now(UTC)
        silent = self._assembly.silence(self._daemon.observing.sources(self._settings), now)
        if not chunks and silent.is_empty():
            return False
        try:
            self._commit(chunks, silent, now)
        except (CommitFailed, StoreFull) as error:
            self._fall_back(error)
            return False
        self._health.clear("store_failed")
        full = sum(len(chunk.data) for chunk in chunks) >= self._settings.limits.batch_bytes // 2
        if not full:  # the rest of the batch's time: what comes meanwhile is one batch, not many
            self._daemon.stopping.wait(max(0.0, self._settings.limits.batch_seconds - (time.monotonic() - started)) / 2)
        return True

    def _poll(self) -> list[Chunk]:
        budget = self._settings.limits.batch_bytes
        chunks: list[Chunk] = []
        for tail in self._tails:
            chunks += tail.poll(max(budget // max(1, len(self._tails)), 1 << 20))
        self._daemon.observing.lags(self._tails)
        return chunks

    def _commit(self, chunks: list[Chunk], silent: pl.DataFrame, now: datetime) -> None:
        seen = self._assembly.pipeline.run(chunks, self._carries, now)
        findings = pl.concat([seen.observed.findings, silent]) if silent.height else seen.observed.findings
        plan = self._delivery.plan(findings, now)
        started = time.monotonic()
        self._store.commit(batch_of(seen, findings, chunks, plan, now))
        self._carries = dict(seen.read.carries)
        self._assembly.committed()
        for tail in self._tails:
            tail.committed()
        self._delivery.committed(plan)
        self._daemon.observing.batch(seen, findings, chunks, time.monotonic() - started)
        counts = self._daemon.seen
        counts["events"] += seen.events.height
        counts["rejects"] += seen.rejects.height
        counts["skips"] += sum(records for records, _ in seen.read.skips.values())
        counts["findings"] += findings.filter(pl.col("revision") == 1).height
        if findings.height:
            self._daemon.on_findings(findings)

    def _fall_back(self, error: Exception) -> None:
        """The batch may or may not be durable: go on from what the store says, never from memory."""
        self._telemetry.emit(CommitFailedEvent(type(error).__name__))
        self._health.set("store_failed", red=True)
        while not self._daemon.stopping.is_set():
            try:
                self._store.reopen()
                positions = self._store.positions()
                self._carries = self._store.carries()
                self._assembly.restore(self._store)
                break
            except Exception as again:  # noqa: BLE001 - whatever it is, the store is the only way on: wait and try again
                self._telemetry.emit(CommitFailedEvent(type(again).__name__))
                self._daemon.stopping.wait(PAUSE_SECONDS)
        else:
            return
        for tail in self._tails:
            tail.seek_back(positions)
        self._delivery.restore()

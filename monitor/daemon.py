"""The daemon: poll the sources, run the pipeline, commit, tell. One thread does all of that; others only deliver and show.

Order of a start: configuration, port, store, workers, sources. What can be wrong is said before anything is touched.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from config import tolerance
from config.errors import ConfigError, MonitorError
from config.settings import Settings
from detectors.checks.own_changes import monitor_changed
from detectors.checks.silence import silent
from monitor.assemble import Assembly, assembled, read_site, tails
from monitor.batch import batch_of
from monitor.continuity import Continuity
from monitor.daily import Daily
from monitor.delivery import Delivery
from monitor.errors import StartError
from monitor.health import Health
from monitor.jobs import Job, Jobs
from monitor.listening import Listening
from monitor.observing import Observing
from monitor.own_changes import judged_under, last_judged_under
from monitor.pipeline import Seen
from monitor.protect import load_key
from monitor.settling import settle
from monitor.sources.tail import Chunk, Tail
from monitor.sources.watcher import Watcher
from monitor.store.control import ControlServer
from monitor.store.hot import CommitFailed, Store, StoreFull
from monitor.store.hours import last_received
from monitor.store.lock import Lock, StoreLocked
from monitor.telemetry import CommitFailed as CommitFailedEvent
from monitor.telemetry import (
    ConfigReloaded,
    DetectorFailed,
    FindingsSettled,
    RegisterFaults,
    RuleFaults,
    Started,
    Stopped,
    Telemetry,
    configure_logging,
)
from monitor.upkeep import forget, prune, tidy
from monitor.web import Web

CAREFUL_BYTES = 65_536  # of one file at a time, after a batch that a stage broke on
CAREFUL_TURNS = 300  # as many as the largest batch has such pieces
PAUSE_SECONDS = 5.0  # between attempts when the store cannot be written
DAY_SECONDS = 86_400
OVERRUN_SECONDS = 600
TICKET_SECONDS = 2.0  # between looks into the folder of tickets


def run_daemon(config: Path) -> None:
    """`hiswatch run`: until SIGTERM, SIGINT. Raises StartError or ConfigError when it cannot start."""
    configure_logging(sys.stderr)
    Daemon(config).run()


class Daemon:
    """`run()` blocks; `stop()` and `reload()` may be called from any thread or signal handler."""

    def __init__(self, config: Path) -> None:
        self.config = config
        # A mistake in one entry of the register, or in one rule, must not leave the hospital unwatched.
        self.site = read_site(config, tolerate=tolerance.ALL, tolerate_rules=True)
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
        """Raises MonitorError; also for a fault of ours, since a traceback could quote what stands in a log."""
        try:
            with self._signals():
                self._run()
        except MonitorError:
            raise
        except Exception as error:  # noqa: BLE001 - the last net
            raise MonitorError(f"ended by a fault of its own: {type(error).__name__} at {_place(error)}") from None

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
        try:
            web = Web.of(self.settings.web, self.telemetry, self.health)
        except StartError as error:
            raise StartError("\n".join([str(error), *_owner(self.settings.state_dir)])) from error
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
        self._tell_faults()
        tidy(store)
        listening = Listening(self.settings, self.telemetry, self.health)
        listening.start()
        try:
            with ControlServer(store, self.settings.state_dir):
                while not self.stopping.is_set():
                    with assembled(self.site, key) as assembly:
                        _Shift(self, store, assembly, listening).work()
                    if self.reloading.is_set():
                        self.reloading.clear()
                        self._adopt_new_configuration(listening)
        finally:
            listening.stop()
        self.telemetry.emit(Stopped("signal"))

    def _adopt_new_configuration(self, listening: Listening) -> None:
        """A bad new file keeps the old one. The store, the port and the key stay as they are until a restart."""
        try:
            # A reload keeps the old register rather than lose people; a ticket with a mistake is that ticket's loss.
            site = read_site(self.config, tolerate=tolerance.WORK, tolerate_rules=True)
            self._refuse_another_site(site.settings)
            listening.adopt(site.settings)
        except (ConfigError, StartError) as error:
            self.telemetry.emit(ConfigReloaded("refused"))
            self.health.set("config_refused")
            print(error, file=sys.stderr, flush=True)
            return
        for key in _UNTIL_RESTART:
            if getattr(site.settings, key) != getattr(self.settings, key):
                print(f"{self.config}: {key}: changed; takes effect at the next start", file=sys.stderr, flush=True)
        self.site, self.settings = site, site.settings
        self.health.clear("config_refused")
        self.telemetry.emit(ConfigReloaded("ok"))
        self._tell_faults()

    def _refuse_another_site(self, new: Settings) -> None:
        """Events of two sites in one store would be nobody's: the id is a part of every event id."""
        if new.site.id != self.settings.site.id:
            raise StartError(
                f"{self.config}: site.id: changed while the daemon runs; another site needs a store of its own"
            )

    def _tell_faults(self) -> None:
        """Entries of the register and rules that are left out until they are mended."""
        rules = self.site.rule_faults or ()
        self.health.put("rules_faulty", present=bool(rules))
        self.telemetry.emit(RuleFaults(len(rules)))
        for problem in (*self.site.register_faults, *rules):
            print(f"left out: {problem}", file=sys.stderr, flush=True)


_UNTIL_RESTART = ("state_dir", "web")


def _owner(state_dir: Path) -> Iterator[str]:
    """A port that is taken is mostly taken by ourselves: say so."""
    if state_dir.is_dir():
        lock = Lock(state_dir)
        try:
            lock.take()
        except StoreLocked as error:
            yield str(error)
        except OSError:
            return
        else:
            lock.release()


def _place(error: BaseException) -> str:
    """The last file and line of ours on the way to the fault; nothing of what was being worked on."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [(path, line) for path, line in frames if path.is_relative_to(Path(__file__).parents[1])]
    return " < ".join(f"{path.parent.name}/{path.name}:{line}" for path, line in reversed(ours[-3:]))


class _ReadInPieces(Exception):
    """A stage broke on a batch of many records: find the piece it is about."""


class _Shift:
    """One configuration's time of work: from start or reload to stop or the next reload."""

    def __init__(self, daemon: Daemon, store: Store, assembly: Assembly, listening: Listening) -> None:
        self._daemon = daemon
        self._store = store
        self._listening = listening
        store.forget_positions(listening.release(store.positions()))
        self._assembly = assembly
        self._settings = assembly.settings
        self._telemetry, self._health = daemon.telemetry, daemon.health
        self._careful_turns = 0
        self._moved = threading.Event()  # a file came, went or was renamed
        self._tails: list[Tail] = tails(self._settings, store.positions())
        self._carries: dict[str, Any] = store.carries()
        assembly.restore(store)
        self._continuity = Continuity(
            assembly.checking, store, self._settings.zone, assembly.pipeline.context.calendar.works
        )
        daemon.observing.heard(last_received(store, store.now() - timedelta(days=2)))
        self._judged_under = judged_under(assembly.site, assembly.rules)
        self._look_for_own_changes()
        self._delivery = Delivery(assembly.site, assembly.rules, store, self._telemetry, self._health, daemon.observing)
        self._daily = Daily(store, self._telemetry, lambda: daemon.stopping.is_set() or daemon.reloading.is_set())
        self._jobs = Jobs(self._job_table(), self._telemetry)
        self._upkeep_due = threading.Event()
        self._unpublished = 0  # events since the last publication
        self._tickets_looked = 0.0  # of the steady clock
        self._unsettled = True  # tickets may be there that stored findings were not held against
        self._tell_tickets()

    def _look_for_own_changes(self) -> None:
        """Since the last batch: what is found goes with the next, which keeps the new hashes."""
        at, before = last_judged_under(self._store)
        for rule in self._assembly.checking.rules("monitor_changed"):
            changed = monitor_changed(self._settings.site.id, before, at, self._judged_under)
            self._assembly.checking.found(rule, changed)

    def _job_table(self) -> list[Job]:
        limits = self._settings.store
        jobs = [
            Job("publish", limits.publish_seconds, self._publish),
            Job("retention", 3600, self._retain),
            Job("silence", 30, self._daemon.wake.set),
            Job("continuity", 300, self._count_hours, at_start=True),
            Job("upkeep", DAY_SECONDS, self._ask_for_upkeep),
            Job("daily_checks", DAY_SECONDS, self._check_the_day, at_start=True),
            Job("overruns", OVERRUN_SECONDS, self._check_overruns),
        ]
        return jobs + self._delivery.jobs()

    def _check_the_day(self) -> None:
        self._health.put("inventory_failed", present=not self._daily.run(self._assembly, datetime.now(UTC)))
        self._daemon.wake.set()

    def _check_overruns(self) -> None:
        if self._daily.overruns(self._assembly, datetime.now(UTC)):
            self._daemon.wake.set()

    def _publish(self) -> None:
        self._unpublished = 0
        self._store.publish()

    def _retain(self) -> None:
        self._store.retain(self._settings.store.retention_days)

    def _count_hours(self) -> None:
        if self._continuity.count(datetime.now(UTC)):
            self._daemon.wake.set()

    def _ask_for_upkeep(self) -> None:
        """Tails belong to the thread that polls: it does the work."""
        self._upkeep_due.set()
        self._daemon.wake.set()

    def work(self) -> None:
        daemon = self._daemon
        watcher = Watcher([folder for tail in self._tails for folder in tail.directories()], daemon.wake, self._moved)
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
        self._health.put("disk_low", present=self._store.space.low())
        started = time.monotonic()
        self._look_for_tickets()
        chunks = self._poll()
        now = datetime.now(UTC)
        self._daemon.observing.silences(self._settings.sources, now)
        self._tell_learning(now)
        self._look_for_silence(now)
        told = self._assembly.checking.news()
        try:
            if self._unsettled:
                self._settle(now)
            if chunks or told.height:
                self._commit(chunks, told, now)
            self._keep_up()
        except _ReadInPieces:
            self._careful_turns = CAREFUL_TURNS
            for tail in self._tails:
                tail.seek_back(self._store.positions())
            return True
        except (CommitFailed, StoreFull) as error:
            self._fall_back(error)
            return False
        self._health.clear("store_failed")
        self._careful_turns = max(0, self._careful_turns - 1)
        if not chunks:
            return False
        full = sum(len(chunk.data) for chunk in chunks) >= self._settings.limits.batch_bytes // 2
        if not full:  # the rest of the batch's time: what comes meanwhile is one batch, not many
            self._daemon.stopping.wait(max(0.0, self._settings.limits.batch_seconds - (time.monotonic() - started)))
        return True

    def _look_for_tickets(self) -> None:
        """What an ITSM has dropped into its folder since the last look."""
        if self._settings.tickets_dir is None or time.monotonic() - self._tickets_looked < TICKET_SECONDS:
            return
        self._tickets_looked = time.monotonic()
        if self._assembly.look_for_tickets():
            self._unsettled = True
        self._tell_tickets()

    def _tell_tickets(self) -> None:
        faults = [*self._assembly.site.register_faults, *self._assembly.tickets.problems]
        self._health.put("register_faulty", present=bool(faults))
        self._telemetry.emit(RegisterFaults(len(faults)))
        for problem in self._assembly.tickets.news():
            print(f"ticket left out: {problem}", file=sys.stderr, flush=True)

    def _settle(self, now: datetime) -> None:
        """Findings that late tickets approve after the fact, in a transaction of their own."""
        assembly = self._assembly
        settled = settle(self._store, assembly.settling, assembly.numbering, now)
        if settled is not None:
            self._delivery.restore()
            self._telemetry.emit(FindingsSettled(settled.findings.height))
            self._daemon.on_findings(settled.findings)
        self._unsettled = False

    def _tell_learning(self, now: datetime) -> None:
        """Which sources are new, so that what is held back meanwhile surprises nobody."""
        sources = self._settings.sources
        behaviour = self._assembly.pipeline.behaviour.learning.days_left(now)
        self._daemon.observing.learning(behaviour, sources)
        self._health.learning("behaviour", {name: days for name, days in behaviour.items() if name in sources})
        left = self._continuity.rhythm(now).days_left
        watched = {name for name, source in sources.items() if source.expected_silence_minutes is None}
        self._health.learning("silence", {name: days for name, days in left.items() if name in watched})

    def _look_for_silence(self, now: datetime) -> None:
        checking = self._assembly.checking
        sources = self._daemon.observing.sources(self._settings, now, self._continuity.expected)
        found = sum(checking.found(rule, silent(sources, now)) for rule in checking.rules("source_silent"))
        self._health.put("source_silent", present=found > 0)

    def _keep_up(self) -> None:
        if self._upkeep_due.is_set():
            self._upkeep_due.clear()
            prune(self._store)
            forget(self._store, self._tails)
        if self._unpublished >= self._settings.store.publish_rows:
            self._unpublished = 0
            self._jobs.run_now("publish")

    def _poll(self) -> list[Chunk]:
        if self._moved.is_set():
            self._moved.clear()
            for tail in self._tails:
                tail.look_again()
        budget = self._settings.limits.batch_bytes
        chunks: list[Chunk] = []
        if self._careful_turns:
            return next((found for tail in self._tails if (found := tail.poll(CAREFUL_BYTES))), [])
        for tail in self._tails:
            chunks += tail.poll(max(budget // max(1, len(self._tails)), 1 << 20))
        self._health.put("source_failed", present=self._daemon.observing.lags(self._tails))
        return chunks

    def _commit(self, chunks: list[Chunk], told: pl.DataFrame, now: datetime) -> None:
        """A batch, and with it the findings of checks that wait."""
        seen = self._understood(chunks, now)
        findings = pl.concat([seen.observed.findings, told]) if told.height else seen.observed.findings
        findings, settlements = self._assembly.settling.fresh(findings, seen.events, self._store, now)
        plan = self._delivery.plan(findings, now)
        started = time.monotonic()
        self._store.commit(batch_of(seen, findings, chunks, plan, now, settlements, self._judged_under))
        self._carries |= seen.read.carries
        self._assembly.committed(told)
        for tail in self._tails:
            tail.committed()
        self._let_go(chunks)
        self._delivery.committed(plan)
        self._unpublished += seen.events.height
        self._daemon.observing.batch(seen, findings, chunks, time.monotonic() - started)
        self._health.put("source_refused", present=self._daemon.observing.refused())
        self._daemon.observing.workers(self._assembly.workers)
        self._telemetry.emit(FindingsSettled(settlements.height))
        counts = self._daemon.seen
        counts["events"] += seen.events.height
        counts["rejects"] += seen.rejects.height
        counts["skips"] += sum(records for records, _ in seen.read.skips.values())
        counts["findings"] += findings.filter(pl.col("revision") == 1).height
        if findings.height:
            self._daemon.on_findings(findings)

    def _let_go(self, chunks: list[Chunk]) -> None:
        """Spooled messages that are committed need no place on disk any more."""
        read = self._listening.release(chunk.position for chunk in chunks)
        if read:
            for tail in self._tails:
                tail.let_go(read)
            self._store.forget_positions(read)

    def _understood(self, chunks: list[Chunk], now: datetime) -> Seen:
        """The batch through the pipeline.

        One that a stage breaks on is read again in small pieces; the piece it is about becomes a reject, the rest goes on.
        """
        try:
            return self._assembly.pipeline.run(chunks, self._carries, now)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not cost the daemon or a record: it is counted and named
            self._telemetry.emit(DetectorFailed("pipeline", type(error).__name__))
            self._health.set("detector_failed")
            self._assembly.restore(self._store)  # what was half counted must not be counted on
            if self._careful_turns:
                return self._assembly.pipeline.refused(chunks)
            raise _ReadInPieces from None

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

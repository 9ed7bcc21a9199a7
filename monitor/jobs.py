"""What the daemon does by the clock, as one table of jobs on APScheduler.

Jobs run in a small pool of threads, never twice at once; a run that comes late runs once. A job that fails is counted
and runs again at its next time. APScheduler plans in wall time, so a clock moved by a year would put every job off by a
year: `check_clock()`, called from the main loop, sees the jump against the steady clock and plans all jobs anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.telemetry import ClockJumped, JobFailed, JobMissed, Telemetry

THREADS = 2
JUMP_SECONDS = 30.0  # less is a correction by NTP


@dataclass(frozen=True, slots=True)
class Job:
    """`run` every `interval_seconds`, first after one interval or `at_start`."""

    name: str
    interval_seconds: float
    run: Callable[[], None]
    at_start: bool = False


class Jobs:
    """Start with `start()`, end with `stop()`. `wall` and `steady` are clocks in seconds."""

    def __init__(
        self,
        jobs: Iterable[Job],
        telemetry: Telemetry,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = tuple(jobs)
        self._telemetry = telemetry
        self._wall, self._steady = wall, steady
        self._skew = wall() - steady()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
        )
        self._scheduler.add_listener(self._noticed, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for job in self._jobs:
            self._add(job)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Let running jobs finish; start no more. May be called twice."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def names(self) -> tuple[str, ...]:
        return tuple(job.name for job in self._jobs)

    def next_run(self, name: str) -> datetime | None:
        job = self._scheduler.get_job(name)
        return getattr(job, "next_run_time", None)

    def run_now(self, name: str) -> None:
        """Run one job as soon as a thread is free, beside its plan."""
        self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def check_clock(self) -> float:
        """Seconds that the wall clock has jumped since the last look, 0 for none. Cheap: call it every turn."""
        skew = self._wall() - self._steady()
        jump = skew - self._skew
        if abs(jump) < JUMP_SECONDS:
            return 0.0
        self._skew = skew
        for job in self._jobs:
            self._scheduler.reschedule_job(
                job.name, trigger=IntervalTrigger(seconds=job.interval_seconds, timezone=UTC)
            )
        self._telemetry.emit(ClockJumped(round(jump, 3)))
        return jump

    def _add(self, job: Job) -> None:
        first = datetime.now(UTC) + timedelta(seconds=0 if job.at_start else job.interval_seconds)
        self._scheduler.add_job(
            job.run,
            IntervalTrigger(seconds=job.interval_seconds, timezone=UTC),
            id=job.name,
            name=job.name,
            next_run_time=first,
        )

    def _noticed(self, event: Any) -> None:
        if event.code == EVENT_JOB_ERROR:
            self._telemetry.emit(JobFailed(event.job_id, type(event.exception).__name__))
        else:
            self._telemetry.emit(JobMissed(event.job_id))

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED

from monitor.jobs import Job, Jobs
from monitor.telemetry import Telemetry

WAIT = 20.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def started(telemetry: Telemetry) -> Iterator[Callable[..., Jobs]]:
    running: list[Jobs] = []

    def start(*jobs: Job, **clocks: Clock) -> Jobs:
        made = Jobs(jobs, telemetry, **clocks)
        made.start()
        running.append(made)
        return made

    yield start
    for jobs in running:
        jobs.stop()


def test_a_job_runs_at_its_interval(started: Callable[..., Jobs]) -> None:
    ran = threading.Semaphore(0)
    started(Job("publish", 0.02, ran.release))
    assert all(ran.acquire(timeout=WAIT) for _ in range(3))


def test_a_job_may_run_at_start_or_when_asked(started: Callable[..., Jobs]) -> None:
    at_start, asked = threading.Event(), threading.Event()
    jobs = started(Job("heartbeat", 3600, at_start.set, at_start=True), Job("retention", 3600, asked.set))
    assert at_start.wait(WAIT)
    assert not asked.is_set()
    jobs.run_now("retention")
    assert asked.wait(WAIT)
    assert jobs.names() == ("heartbeat", "retention")


def test_a_failing_job_is_counted_and_runs_again(started: Callable[..., Jobs], telemetry: Telemetry) -> None:
    tries = threading.Semaphore(0)

    def fail() -> None:
        tries.release()
        raise ValueError("never shown")

    started(Job("publish", 0.02, fail))
    assert all(tries.acquire(timeout=WAIT) for _ in range(3))
    assert telemetry.value("hiswatch_job_errors_total", job="publish") >= 1


def test_a_job_never_runs_twice_at_once(started: Callable[..., Jobs], telemetry: Telemetry) -> None:
    inside, release, missed = threading.Event(), threading.Event(), threading.Event()
    running = []

    def slow() -> None:
        running.append(1)
        inside.set()
        assert release.wait(WAIT)

    jobs = started(Job("slow", 3600, slow, at_start=True))
    jobs._scheduler.add_listener(lambda _event: missed.set(), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    assert inside.wait(WAIT)
    jobs.run_now("slow")
    assert missed.wait(WAIT)
    assert len(running) == 1
    release.set()
    assert telemetry.value("hiswatch_job_missed_total", job="slow") >= 1


def test_a_clock_that_jumps_plans_all_jobs_anew(started: Callable[..., Jobs], telemetry: Telemetry) -> None:
    wall, steady = Clock(), Clock()
    jobs = started(Job("publish", 60, lambda: None), wall=wall, steady=steady)
    # as after the wall clock was set back by a year: the next run lies a year ahead
    jobs._scheduler.modify_job("publish", next_run_time=datetime.now(UTC) + timedelta(days=365))
    assert jobs.check_clock() == 0.0
    steady.now += 1
    wall.now -= 365 * 86_400
    assert jobs.check_clock() == pytest.approx(-365 * 86_400 - 1)
    planned = jobs.next_run("publish")
    assert planned is not None
    assert planned - datetime.now(UTC) <= timedelta(seconds=60)
    assert jobs.check_clock() == 0.0
    assert telemetry.value("hiswatch_clock_jumps_total") == 1


def test_a_small_correction_is_no_jump(started: Callable[..., Jobs]) -> None:
    wall, steady = Clock(), Clock()
    jobs = started(Job("publish", 60, lambda: None), wall=wall, steady=steady)
    wall.now += 5
    assert jobs.check_clock() == 0.0


def test_stopping_waits_for_the_running_job_and_starts_no_more(telemetry: Telemetry) -> None:
    inside, release, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        assert release.wait(WAIT)
        done.set()

    jobs = Jobs([Job("publish", 3600, work, at_start=True)], telemetry)
    jobs.start()
    assert inside.wait(WAIT)
    release.set()
    jobs.stop()
    assert done.is_set()
    jobs.stop()

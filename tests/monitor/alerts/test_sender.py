from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.alerts.channel import DeliveryError, Payload
from monitor.alerts.sender import Due, Key, Sender, retry_seconds, superfluous, try_channels
from monitor.telemetry import Telemetry

START = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
WAIT = 20.0


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def steady(self) -> float:
        return self.seconds


class Table:
    """The outbox as the contract of `Outbox` says, in memory."""

    def __init__(self) -> None:
        self.rows: dict[Key, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.marked = threading.Semaphore(0)
        self.broken = False

    def add(
        self, number: int, channel: str = "hook", story: str = "s1", severity: str = "high", at: datetime = START
    ) -> Key:
        key = Key(f"{number:024x}", 1, channel)
        payload = json.dumps({"message_id": f"{number}:1", "severity": severity, "story": {"id": story}})
        with self.lock:
            self.rows[key] = {"due": Due(key, story, at, 0, payload), "next": at, "state": "waiting"}
        return key

    def due(self, channel: str, now: datetime, limit: int) -> Sequence[Due]:
        if self.broken:
            raise OSError("the store is being reopened")
        with self.lock:
            rows = [
                row
                for key, row in self.rows.items()
                if key.channel == channel and row["state"] == "waiting" and row["next"] <= now
            ]
            return [row["due"] for row in sorted(rows, key=lambda row: row["next"])][:limit]

    def mark_sent(self, key: Key, now: datetime) -> None:
        self._mark(key, "sent")

    def mark_failed(self, key: Key, next_try_at: datetime | None) -> None:
        due = self.rows[key]["due"]
        self.rows[key]["due"] = Due(key, due.story, due.created_at, due.attempts + 1, due.payload)
        self.rows[key]["next"] = next_try_at
        self._mark(key, "failed" if next_try_at is None else "waiting")

    def mark_superseded(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._mark(key, "superseded")

    def backlog(self, now: datetime) -> tuple[int, float]:
        waiting = [row for row in self.rows.values() if row["state"] == "waiting"]
        late = [(now - row["due"].created_at).total_seconds() for row in waiting if row["next"] <= now]
        return len(waiting), max(late, default=0.0)

    def states(self) -> list[str]:
        return [row["state"] for row in self.rows.values()]

    def _mark(self, key: Key, state: str) -> None:
        with self.lock:
            self.rows[key]["state"] = state
        self.marked.release()


class Receiver:
    def __init__(self, name: str = "hook") -> None:
        self.name = name
        self.got: list[str] = []
        self.fault: str | None = None
        self.tried = 0
        self.closed = False
        self.before: Callable[[], None] = lambda: None

    def send(self, payload: Payload) -> None:
        self.tried += 1
        self.before()
        if self.fault == "bug":
            raise ZeroDivisionError
        if self.fault is not None:
            raise DeliveryError(self.name, self.fault)
        self.got.append(payload["message_id"])

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def still(clock: Clock, telemetry: Telemetry) -> Callable[..., tuple[Sender, Table, Receiver]]:
    """A sender whose turns the test takes itself."""

    def make(receiver: Receiver | None = None) -> tuple[Sender, Table, Receiver]:
        table, receiver = Table(), receiver or Receiver()
        return (
            Sender(table, [receiver], telemetry, clock=clock.wall, steady=clock.steady, jitter=lambda: 0.5),
            table,
            receiver,
        )

    return make


@pytest.fixture
def running(telemetry: Telemetry) -> Iterator[Callable[..., tuple[Sender, Table]]]:
    made: list[Sender] = []

    def start(*receivers: Receiver) -> tuple[Sender, Table]:
        table = Table()
        sender = Sender(table, receivers, telemetry, clock=lambda: START, look_seconds=600)
        sender.start()
        made.append(sender)
        return sender, table

    yield start
    for sender in made:
        assert sender.stop()


def test_a_commit_sends_at_once(running: Callable[..., tuple[Sender, Table]]) -> None:
    receiver = Receiver()
    sender, table = running(receiver)
    table.add(1)
    sender.wake()
    assert table.marked.acquire(timeout=WAIT)
    table.add(2)
    sender.wake()
    assert table.marked.acquire(timeout=WAIT)
    assert receiver.got == ["1:1", "2:1"]
    assert table.states() == ["sent", "sent"]


def test_a_slow_channel_does_not_hold_up_another(running: Callable[..., tuple[Sender, Table]]) -> None:
    release = threading.Event()
    slow, quick = Receiver("slow"), Receiver("quick")
    slow.before = lambda: release.wait(WAIT) and None
    sender, table = running(slow, quick)
    table.add(1, "slow")
    table.add(1, "quick")
    sender.wake()
    assert table.marked.acquire(timeout=WAIT)
    assert quick.got == ["1:1"]
    assert slow.got == []
    release.set()
    assert table.marked.acquire(timeout=WAIT)
    assert slow.got == ["1:1"]


def test_stopping_finishes_the_message_in_hand(telemetry: Telemetry) -> None:
    inside, release = threading.Event(), threading.Event()
    receiver, table = Receiver(), Table()

    def hold() -> None:
        inside.set()
        release.wait(WAIT)

    receiver.before = hold
    sender = Sender(table, [receiver], telemetry, clock=lambda: START)
    sender.start()
    first, second = table.add(1), table.add(2)
    sender.wake()
    assert inside.wait(WAIT)
    threading.Timer(0.0, release.set).start()
    assert sender.stop()
    assert table.rows[first]["state"] == "sent"
    assert table.rows[second]["state"] in {"waiting", "sent"}
    assert receiver.closed


def test_a_failure_is_tried_again_later_and_counted(still: Any, clock: Clock, telemetry: Telemetry) -> None:
    sender, table, receiver = still()
    receiver.fault = "timeout"
    key = table.add(1)
    line = sender._lines[0]
    waits = []
    for _ in range(5):
        sender.turn(line)
        waits.append((table.rows[key]["next"] - clock.wall()).total_seconds())
        clock.seconds = (table.rows[key]["next"] - START).total_seconds() + 60
    assert waits == [2, 4, 8, 16, 32]
    assert telemetry.value("hiswatch_alert_failures_total", channel="hook", reason="timeout") == 5
    receiver.fault = None
    sender.turn(line)
    assert receiver.got == ["1:1"]
    assert table.states() == ["sent"]


def test_waits_are_bounded_and_spread() -> None:
    assert retry_seconds(50, 0.5) == 600
    assert retry_seconds(1, 0.0) == 1
    assert retry_seconds(1, 1.0) == 3


def test_a_receiver_down_for_a_day_loses_nothing_and_is_not_hammered(still: Any, clock: Clock) -> None:
    sender, table, receiver = still()
    receiver.fault = "connect"
    for number in range(40):
        table.add(number, story=f"s{number}")
    line = sender._lines[0]
    while clock.seconds < 86_400:
        sender.turn(line)
        clock.seconds += 5
    assert set(table.states()) == {"waiting"}
    assert receiver.tried <= 86_400 / 60 + 20
    receiver.fault = None
    while "waiting" in table.states() and clock.seconds < 90_000:
        sender.turn(line)
        clock.seconds += 5
    assert sorted(receiver.got) == sorted(f"{number}:1" for number in range(40))


def test_a_message_the_receiver_refuses_does_not_hold_up_the_next(still: Any) -> None:
    sender, table, receiver = still()
    table.add(1)
    table.add(2, story="s2")
    receiver.before = lambda: setattr(receiver, "fault", "refused" if receiver.tried == 1 else None)
    sender.turn(sender._lines[0])
    assert receiver.got == ["2:1"]


def test_it_is_given_up_only_after_seven_days(still: Any, clock: Clock, telemetry: Telemetry) -> None:
    sender, table, receiver = still()
    receiver.fault = "receiver_error"
    key = table.add(1)
    line = sender._lines[0]
    tried_until = 0.0
    while table.rows[key]["state"] == "waiting":
        clock.seconds = max(clock.seconds + 61, (table.rows[key]["next"] - START).total_seconds())
        sender.turn(line)
        tried_until = clock.seconds
    assert tried_until >= 7 * 86_400
    assert table.states() == ["failed"]
    assert telemetry.value("hiswatch_alerts_total", channel="hook", outcome="expired") == 1


def test_a_bug_in_a_channel_is_a_failure_and_not_the_end_of_it(still: Any, telemetry: Telemetry) -> None:
    sender, table, receiver = still()
    receiver.fault = "bug"
    table.add(1)
    sender.turn(sender._lines[0])
    assert table.states() == ["waiting"]
    assert telemetry.value("hiswatch_alert_failures_total", channel="hook", reason="internal") == 1


def test_a_store_that_is_down_is_waited_out(telemetry: Telemetry) -> None:
    table, receiver = Table(), Receiver()
    sender = Sender(table, [receiver], telemetry, clock=lambda: START, look_seconds=0.01)
    table.broken = True
    table.add(1)
    sender.start()
    sender.direct({"message_id": "system:1"})
    sender.wake()
    while not receiver.got:
        threading.Event().wait(0.005)
    assert receiver.got == ["system:1"], "an alarm about the store must not need the store"
    table.broken = False
    assert table.marked.acquire(timeout=WAIT)
    assert sender.stop()
    assert receiver.got == ["system:1", "1:1"]


def test_a_direct_message_waits_for_its_receiver(still: Any, clock: Clock) -> None:
    sender, _, receiver = still()
    line = sender._lines[0]
    receiver.fault = "connect"
    sender.direct({"message_id": "system:1"})
    sender.turn(line)
    sender.turn(line)
    assert (receiver.tried, receiver.got) == (1, [])
    receiver.fault = None
    clock.seconds += 61
    sender.turn(line)
    assert receiver.got == ["system:1"]


def test_a_direct_message_to_one_channel_goes_to_no_other(telemetry: Telemetry) -> None:
    one, two = Receiver("one"), Receiver("two")
    sender = Sender(Table(), [one, two], telemetry)
    sender.direct({"message_id": "heartbeat:1"}, "two")
    for line in sender._lines:
        sender.turn(line)
    assert (one.got, two.got) == ([], ["heartbeat:1"])


def due(number: int, story: str, severity: str) -> Due:
    return Due(Key(str(number), 1, "hook"), story, START, 0, json.dumps({"severity": severity}))


CASES = [
    ("one message", [("a", "high")], []),
    ("a first and a newest", [("a", "high"), ("a", "high")], []),
    ("updates between them", [("a", "high"), ("a", "medium"), ("a", "high"), ("a", "high")], [1, 2]),
    ("one between them is worse than the newest", [("a", "high"), ("a", "critical"), ("a", "medium")], []),
    ("of different stories", [("a", "high"), ("b", "high"), ("c", "high"), ("d", "high")], []),
]


@pytest.mark.parametrize(("name", "rows", "dropped"), CASES, ids=[case[0] for case in CASES])
def test_after_an_outage_only_what_a_newer_message_repeats_is_left_out(
    name: str, rows: list[tuple[str, str]], dropped: list[int]
) -> None:
    made = [due(number, *row) for number, row in enumerate(rows)]
    assert [int(key.finding_id) for key in superfluous(made)] == dropped


def test_after_an_outage_a_story_is_two_messages(still: Any, telemetry: Telemetry) -> None:
    sender, table, receiver = still()
    for number in range(30):
        table.add(number)
    sender.turn(sender._lines[0])
    assert receiver.got == ["0:1", "29:1"]
    assert table.states().count("superseded") == 28
    assert telemetry.value("hiswatch_alerts_total", channel="hook", outcome="superseded") == 28


def test_the_backlog_is_measured(still: Any, clock: Clock, telemetry: Telemetry) -> None:
    sender, table, _ = still()
    table.add(1)
    clock.seconds = 90
    assert sender.measure() == (1, 90.0)
    assert telemetry.value("hiswatch_outbox_depth") == 1
    assert telemetry.value("hiswatch_outbox_oldest_seconds") == 90


def test_trying_the_channels_reports_each() -> None:
    good, bad, broken = Receiver("good"), Receiver("bad"), Receiver("broken")
    bad.fault, broken.fault = "auth", "bug"
    results = try_channels([good, bad, broken], lambda name: {"message_id": name})
    assert [(result.channel, result.reason) for result in results] == [
        ("good", None),
        ("bad", "auth"),
        ("broken", "internal"),
    ]

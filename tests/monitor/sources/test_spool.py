"""A spool and the tail that reads it: nothing twice, nothing lost, nothing left behind."""

from __future__ import annotations

import os

from following import lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.sources.generations import Position
from monitor.sources.spool import MESSAGE_CAP, Spool
from monitor.sources.syslog_stream import Stream
from monitor.sources.tail import Tail, TailSettings

STAMP, SENDER = b"2026-11-18T01:00:00.000000Z", b"10.20.1.5"


class Reading:
    """The part of the daemon that reads, commits and lets go; the clock stands unless it is turned."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.rows: dict[str, Position] = {}
        self.read: list[bytes] = []
        self.seconds = 0.0
        self.restart()

    def restart(self) -> None:
        settings = TailSettings(
            "net", (f"{self.spool.folder}/*.log",), "f", "h", "s", in_order=True, rotate_wait=0.0, scan_every=0.0
        )
        self.tail = Tail(settings, lines, self.rows.values(), clock=lambda: self.seconds)

    def turn(self, budget: int = 8_000_000, *, commit: bool = True) -> None:
        self.seconds += 1
        chunks = self.tail.poll(budget)
        if not commit:
            self.tail.seek_back(self.rows.values())
            return
        for chunk in chunks:
            assert not chunk.gaps
            self.read += chunk.data.split(b"\n")[:-1]
            self.rows[chunk.position.generation] = chunk.position
        self.tail.committed()
        gone = [
            one.position.generation
            for one in chunks
            if one.position.state == "done" and self.spool.release(one.position.file)
        ]
        self.tail.let_go(gone)
        for generation in gone:
            del self.rows[generation]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_everything_is_read_once_in_order_and_deleted(tmp_path_factory, data):
    spool = Spool(tmp_path_factory.mktemp("spool") / "net", 64_000)  # files of 8,000 bytes
    reading, sent = Reading(spool), []
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["write", "write", "read", "little", "fail", "restart", "both"])):
            case "write":
                for _ in range(data.draw(st.integers(1, 30))):
                    message = b"<86>%d %b" % (len(sent), b"x" * data.draw(st.integers(0, 2000)))
                    if spool.has_room(message):
                        assert spool.add(STAMP, SENDER, message)
                        sent.append(message)
                        if len(sent) % 5 == 0:
                            spool.flush()
                spool.flush()
            case "read":
                reading.turn()
            case "little":
                reading.turn(3000)
            case "fail":
                reading.turn(commit=False)
            case "restart":
                reading.tail.close()
                reading.restart()
            case "both":  # the process ends and begins anew
                spool.close()
                reading.tail.close()
                reading.spool = spool = Spool(spool.folder, 64_000)
                reading.restart()
    spool.close()
    for _ in range(60):
        reading.turn()
    assert reading.read == [b"@%b %b %b" % (STAMP, SENDER, message) for message in sent]
    assert len(list(spool.folder.glob("*.log"))) <= 1
    assert spool.used <= 16_000
    assert len(reading.rows) <= 1
    reading.tail.close()


def test_files_written_within_one_tick_of_the_clock_are_let_go_too(tmp_path):
    spool = Spool(tmp_path / "net", 64_000)
    reading = Reading(spool)
    for number in range(40):
        spool.add(STAMP, SENDER, b"x" * 1000 + b"%d" % number)
        spool.flush()
    files = sorted(spool.folder.glob("*.log"))
    for file in files:
        os.utime(file, (1_800_000_000, 1_800_000_000))
    for _ in range(20):
        reading.turn()
    assert len(reading.read) == 40
    assert sorted(spool.folder.glob("*.log")) == files[-1:]
    reading.tail.close()
    spool.close()


def test_a_line_that_death_cut_is_ended(tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "000000000007.log").write_bytes(b"@a b one\n@a b tw")
    spool = Spool(folder, 64_000)
    assert (folder / "000000000007.log").read_bytes() == b"@a b one\n@a b tw\n"
    spool.add(STAMP, SENDER, b"three")
    spool.close()
    assert sorted(file.name for file in folder.iterdir()) == ["000000000007.log", "000000000008.log"]
    assert (folder / "000000000008.log").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_waits_and_is_not_lost(tmp_path):
    spool = Spool(tmp_path / "net", 1 << 30)
    spool.folder.rmdir()
    spool.add(STAMP, SENDER, b"one")
    spool.flush()
    assert spool.failed == "ENOENT"
    while spool.has_room(b""):
        spool.add(STAMP, SENDER, b"x" * 60_000)
    spool.folder.mkdir()
    spool.sync()
    assert not spool.failed
    assert spool.has_room(b"")
    spool.close()
    assert (spool.folder / "000000000001.log").read_bytes().startswith(b"@%b %b one\n@" % (STAMP, SENDER))


def test_a_limit_below_what_is_there_does_not_stand_still(tmp_path):
    spool = Spool(tmp_path / "net", 1 << 20)
    for _ in range(50):
        spool.add(STAMP, SENDER, b"x" * 1000)
    spool.close()
    spool = Spool(spool.folder, 20_000)
    assert not spool.has_room(b"")
    reading = Reading(spool)
    for _ in range(4):
        spool.sync()
        reading.turn()
    assert len(reading.read) == 50
    assert spool.has_room(b"x" * 1000)
    reading.tail.close()
    spool.close()


def test_only_its_own_files_are_deleted(tmp_path):
    spool = Spool(tmp_path / "net", 64_000)
    other = tmp_path / "000000000001.log"
    other.write_bytes(b"x")
    assert not spool.release(str(other))
    assert other.exists()


MESSAGES = st.lists(
    st.tuples(st.binary(max_size=60).filter(lambda text: text.strip(b"\r\n\0 ")), st.booleans()), max_size=12
)


@settings(deadline=None)
@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 900), max_size=10))
def test_both_framings_come_back_wherever_the_pieces_are_cut(messages, cuts):
    sent, data = [], b""
    for body, counted in messages:
        message = b"<86>" + (body if counted else body.replace(b"\n", b"")).rstrip(b"\r\n\0")
        sent.append((message, True))
        data += b"%d %b" % (len(message), message) if counted else message + b"\n"
    stream, found, at = Stream(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += stream.feed(data[at : max(at, cut)])
        at = max(at, cut)
    assert found == sent
    assert not stream.end()


@settings(deadline=None, max_examples=50)
@given(pieces=st.lists(st.binary(max_size=3000) | st.just(b"9" * 70_000) | st.just(b"<" * 70_000), max_size=20))
def test_no_bytes_make_a_stream_hold_more_than_a_message(pieces):
    stream = Stream()
    for piece in pieces:
        for message, _ in stream.feed(piece):
            assert len(message) <= MESSAGE_CAP
        assert len(stream._buffer) <= MESSAGE_CAP + 16

"""What is not a log file of ours, or cannot be read at present."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from following import Following, descriptors, write

from monitor.sources.discovery import escape
from monitor.sources.gaps import gap_events
from monitor.sources.generations import family
from monitor.sources.watcher import Watcher
from parsers.events import EVENTS, Origin, check


def test_only_regular_files_are_opened(following: Following, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    write(secret, b"root:x\n")
    (following.directory / "link.log").symlink_to(secret)
    (following.directory / "dangling.log").symlink_to(tmp_path / "nowhere")
    (following.directory / "loop.log").symlink_to(following.directory / "loop.log")
    (following.directory / "directory.log").mkdir()
    os.mkfifo(following.directory / "fifo.log")
    write(following.directory / "good.log", b"good\n")
    assert following.look() == b"good\n"
    reasons = sorted(notice.reason for notice in following.tail.take_notices())
    assert reasons == ["not_regular", "not_regular", "symlink", "symlink", "symlink"]
    following.look()
    assert following.tail.take_notices() == []


def test_linked_directories_must_stay_inside_the_roots(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "logs"
    outside.mkdir()
    inside.mkdir()
    write(outside / "app.log", b"not ours\n")
    (inside / "day").symlink_to(outside)
    follower = Following(tmp_path, pattern="logs/*/app.log", settings={"roots": (str(inside),)})
    assert follower.look() == b""
    assert [notice.reason for notice in follower.tail.take_notices()] == ["outside_roots"]


def test_compressed_files_are_left_alone_and_counted(following: Following) -> None:
    for suffix in ("gz", "xz", "zst", "bz2"):
        write(following.directory / f"app.log.1.{suffix}", b"\x1f\x8b\n")
    assert following.look() == b""
    assert [notice.reason for notice in following.tail.take_notices()] == ["compressed"] * 4


def test_a_flood_of_files_is_bounded(tmp_path: Path) -> None:
    follower = Following(tmp_path, settings={"max_files": 5})
    for number in range(9):
        write(tmp_path / f"{number}.log", b"x\n")
    follower.look()
    assert len(follower.records) == 5
    assert [notice.reason for notice in follower.tail.take_notices()] == ["too_many_files"]


def test_many_files_with_few_descriptors(tmp_path: Path) -> None:
    follower = Following(tmp_path, settings={"max_open": 3})
    for number in range(20):
        write(tmp_path / f"{chr(97 + number)}.log", b"first\n")
    follower.look()
    before = descriptors()
    for number in range(20):
        write(tmp_path / f"{chr(97 + number)}.log", b"second\n")
    follower.look()
    follower.look()
    assert len(follower.records) == 40
    assert descriptors() <= before
    follower.tail.close()


def test_permission_denied_is_tried_again(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    log = following.directory / "app.log"
    write(log, b"one\n")
    denied = True
    real = os.open

    def opening(path: str, flags: int, *rest: int, **more: int) -> int:
        # the suite may run as root, to whom no file is closed
        if denied and str(path) == str(log):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opening)
    assert following.look() == b""
    assert following.tail.troubles() == {str(log): "EACCES"}
    notices = following.tail.take_notices()
    assert [(notice.reason, notice.detail) for notice in notices] == [("unreadable", "EACCES")]
    following.idle(120)
    assert following.tail.take_notices() == []
    denied = False
    following.idle(120)
    assert following.records == [b"one"]
    assert following.tail.troubles() == {}


def test_read_error_is_tried_again(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    log = following.directory / "app.log"
    write(log, b"one\n")
    following.look()
    write(log, b"two\n")
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda *_: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
    assert following.look() == b""
    assert list(following.tail.troubles().values()) == ["ESTALE"]
    monkeypatch.setattr(os, "pread", real)
    following.idle(120)
    assert following.records == [b"one", b"two"]
    assert following.gaps == []


def test_names_are_escaped(following: Following) -> None:
    name = os.fsdecode("=cmd|\n\u202e\u200b张三".encode() + b"\xff.log")
    write(following.directory / name, b"one\n")
    following.look()
    (row,) = following.rows.values()
    assert row.file.endswith("/=cmd|\\x0a\\u202e\\u200b张三\\xff.log")
    assert escape("a\\x0a") == "a\\\\x0a"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("app.log", "app.log.1"),
        ("app.log", "app.log-20261118"),
        ("app.log", "app.log.2.gz"),
        ("app.log", "app-2026-11-18.log"),
        ("app.log", "app.log.bak"),
        ("pg-2026-11-18_000000.csv", "pg-2026-11-19_000000.csv"),
        ("server_audit.log", "server_audit.log.07"),
    ],
)
def test_names_of_one_log_are_recognised(one: str, other: str) -> None:
    assert family(one) == family(other)


@pytest.mark.parametrize(("one", "other"), [("his.log", "lis.log"), ("app.log", "application.log"), ("a.log", "a.csv")])
def test_names_of_two_logs_are_kept_apart(one: str, other: str) -> None:
    assert family(one) != family(other)


def test_gaps_become_events(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\nhalf")
    following.look()
    os.truncate(log, 0)
    following.seconds += 6
    (chunk,) = following.tail.poll()
    events = gap_events(chunk.gaps, chunk.origin)
    check(events, EVENTS)
    assert events.select("action", "error_code", "position", "length").rows() == [("gap", "truncate", 4, 4)]
    assert isinstance(chunk.origin, Origin)


def test_watcher_wakes_and_stops(tmp_path: Path) -> None:
    event = threading.Event()
    watcher = Watcher([str(tmp_path), str(tmp_path / "missing")], event)
    watcher.start()
    if watcher.active:
        write(tmp_path / "app.log", b"one\n")
        assert event.wait(10)
    watcher.stop()
    assert not watcher.active


def test_watcher_falls_back_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr("monitor.sources.watcher.Observer", none_left)
    watcher = Watcher([str(tmp_path)], threading.Event())
    watcher.start()
    assert not watcher.active
    watcher.stop()

"""Files that are renamed, copied, truncated, deleted and replaced."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from following import Following, descriptors, numbered, write

LIVE_AND_STOPPED = pytest.mark.parametrize("stopped", [False, True], ids=["live", "stopped"])


def rotate(log: Path) -> Path:
    old = log.with_name(log.name + ".1")
    log.rename(old)
    return old


@LIVE_AND_STOPPED
def test_rename_and_late_lines(following: Following, stopped: bool) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    following.look()
    old = rotate(log)
    if stopped:
        following.restart()
    write(old, numbered(10, 20))
    write(log, numbered(100, 110))
    following.look()
    write(old, numbered(20, 21))
    write(log, numbered(110, 111))
    following.look()
    following.idle(700)
    assert sorted(following.records) == sorted((numbered(0, 21) + numbered(100, 111)).splitlines())
    assert len({generation for generation, _, _ in following.stored}) == 2
    assert following.gaps == []


@LIVE_AND_STOPPED
def test_rotated_name_that_no_glob_names(tmp_path: Path, stopped: bool) -> None:
    follower = Following(tmp_path, pattern="app.log")
    log = tmp_path / "app.log"
    write(log, numbered(0, 10))
    follower.look()
    write(log, numbered(10, 12))
    write(rotate(log), numbered(12, 14))
    if stopped:
        follower.restart()
    write(log, numbered(100, 101))
    follower.look()
    follower.look()
    assert sorted(follower.records) == sorted((numbered(0, 14) + numbered(100, 101)).splitlines())
    assert follower.gaps == []


def test_last_record_without_newline_comes_after_the_wait(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\nunterminated")
    following.look()
    rotate(log)
    write(log, b"new\n")
    following.look()
    assert following.records == [b"one", b"new"]
    following.idle(660)
    assert following.records == [b"one", b"new", b"unterminated"]
    following.restart()
    following.idle(660)
    assert following.records == [b"one", b"new", b"unterminated"]


def test_last_record_of_a_log_named_by_date(following: Following) -> None:
    old, new = (following.directory / f"pg-2026-11-{day}.log" for day in (17, 18))
    write(old, b"one\nunterminated")
    os.utime(old, (1_700_000_000, 1_700_000_000))
    following.look()
    write(new, b"new\n")
    following.look()
    following.idle(90)
    assert sorted(following.records) == [b"new", b"one", b"unterminated"]


def test_a_hundred_rotations(following: Following) -> None:
    log = following.directory / "app.log"
    for number in range(100):
        write(log, numbered(number * 10, number * 10 + 10))
        following.look(wait=0.5)
        for keep in (3, 2, 1):
            old = log.with_name(f"app.log.{keep}")
            if old.exists():
                old.rename(log.with_name(f"app.log.{keep + 1}"))
        rotate(log)
        (following.directory / "app.log.4").unlink(missing_ok=True)
    following.look()
    assert following.records == numbered(0, 1000).splitlines()
    assert following.gaps == []


@LIVE_AND_STOPPED
@pytest.mark.parametrize("watched", [True, False], ids=["copy watched", "copy not watched"])
def test_copytruncate(tmp_path: Path, stopped: bool, watched: bool) -> None:
    follower = Following(tmp_path, pattern="app.log*" if watched else "app.log")
    log = tmp_path / "app.log"
    write(log, numbered(0, 100))
    follower.look()
    if stopped:
        follower.restart()
        write(log, numbered(100, 110))
        shutil.copy(log, tmp_path / "app.log.1")
        os.truncate(log, 0)
    else:
        shutil.copy(log, tmp_path / "app.log.1")
        follower.look()  # the copy is there, its original still whole
        os.truncate(log, 0)
    write(log, numbered(200, 210))
    for _ in range(3):
        follower.look()
    expected = numbered(0, 110 if stopped else 100) + numbered(200, 210)
    assert sorted(follower.records) == sorted(expected.splitlines())
    assert follower.gaps == []
    follower.restart()
    follower.idle(700)
    assert len(follower.records) == len(expected.splitlines())


def test_copy_in_the_making_is_not_read(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 1000))
    following.look()
    copy = following.directory / "app.log.1"
    half = len(numbered(0, 500))
    write(copy, log.read_bytes()[:half])
    assert following.look() == b""
    write(copy, log.read_bytes()[half:])
    assert following.look() == b""
    os.truncate(log, 0)
    write(log, b"fresh\n")
    assert following.look() + following.look() == b"fresh\n"
    assert following.gaps == []


def test_copy_that_holds_lines_the_original_lost(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 100))
    following.look()
    write(log, numbered(100, 120))  # never looked at before it was copied and emptied
    shutil.copy(log, following.directory / "app.log.1")
    os.truncate(log, 0)
    following.look()
    assert following.records == numbered(0, 120).splitlines()
    assert len({generation for generation, _, _ in following.stored}) == 1
    assert following.gaps == []


def test_backup_copy_beside_the_live_file(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 100))
    following.look()
    shutil.copy(log, following.directory / "app.log.bak")
    following.idle(120)
    write(log, numbered(100, 110))
    following.look()
    following.restart()
    following.idle(120)
    assert following.records == numbered(0, 110).splitlines()
    assert [n.reason for n in following.tail.take_notices()] == []
    assert following.gaps == []


def test_backup_copy_is_told_once(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 100))
    following.look()
    shutil.copy(log, following.directory / "app.log.bak")
    following.idle(300)
    assert [notice.reason for notice in following.tail.take_notices()] == ["duplicate_copy"]


def test_copy_that_goes_its_own_way_is_read_from_there(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 100))
    following.look()
    copy = following.directory / "app.log.2"
    shutil.copy(log, copy)
    following.idle(120)
    write(copy, b"of its own\n")
    following.look()
    following.look()
    assert following.records == [*numbered(0, 100).splitlines(), b"of its own"]


def test_truncated_and_grown(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    following.look()
    os.truncate(log, 0)
    write(log, numbered(20, 25))
    following.look()
    assert following.records == (numbered(0, 10) + numbered(20, 25)).splitlines()
    assert following.gaps == []  # everything in it had been read
    assert len({generation for generation, _, _ in following.stored}) == 2


def test_truncated_before_its_end_was_read(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\nhalf a record")
    following.look()
    os.truncate(log, 0)
    following.look()
    assert [(gap.reason, gap.from_position, gap.to_position) for gap in following.gaps] == [("truncate", 4, 17)]


def test_truncated_while_stopped_may_have_lost_lines(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    following.look()
    following.restart()
    os.truncate(log, 0)
    write(log, b"new\n")
    following.look()
    assert following.records == [*numbered(0, 10).splitlines(), b"new"]
    assert [(gap.reason, gap.to_position) for gap in following.gaps] == [("truncate", None)]
    following.restart()
    following.idle(200)
    assert len(following.gaps) == 1


@LIVE_AND_STOPPED
def test_overwritten_in_place_beyond_the_old_position(following: Following, stopped: bool) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    following.look()
    if stopped:
        following.restart()
    with log.open("r+b") as file:
        file.truncate(0)
        file.write(numbered(50, 80))
    following.look()
    following.look()
    assert following.records == (numbered(0, 10) + numbered(50, 80)).splitlines()
    assert following.reasons == ["rewrite"]


@LIVE_AND_STOPPED
@pytest.mark.parametrize("longer", [False, True])
def test_replaced_by_a_file_with_the_same_first_4096_bytes(following: Following, stopped: bool, longer: bool) -> None:
    log = following.directory / "app.log"
    banner = b"banner\n" * 600
    write(log, banner + numbered(0, 100))
    following.look()
    if stopped:
        following.restart()
    fresh = following.directory / "fresh"
    write(fresh, banner + numbered(500, 700 if longer else 520))
    fresh.rename(log)
    following.look()
    following.idle(120)
    expected = banner + numbered(0, 100) + banner + numbered(500, 700 if longer else 520)
    assert sorted(following.records) == sorted(expected.splitlines())


def test_two_live_logs_with_equal_bytes_are_both_read(following: Following) -> None:
    for name in ("his.log", "lis.log"):
        write(following.directory / name, numbered(0, 1000))
        following.look()
    following.idle(120)
    assert len(following.records) == 2000


def test_new_log_that_begins_like_the_old_one(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"#Software: audit 1.0\n" + numbered(0, 10))
    following.look()
    rotate(log)
    write(log, b"#Software: audit 1.0\n")
    following.look()
    write(log, numbered(10, 20))
    following.look()
    header = [b"#Software: audit 1.0"]
    assert following.records == header + numbered(0, 10).splitlines() + header + numbered(10, 20).splitlines()


def test_deleted_while_open_is_read_to_its_end_and_let_go(following: Following) -> None:
    log = following.directory / "app.log"
    before = descriptors()
    for number in range(30):
        write(log, numbered(number * 2, number * 2 + 1))
        following.look()
        write(log, numbered(number * 2 + 1, number * 2 + 2))
        log.unlink()
        following.look()
    following.idle(700)
    assert following.records == numbered(0, 60).splitlines()
    assert following.gaps == []
    assert descriptors() == before


def test_recreated_with_the_same_inode(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 5))
    following.look()
    following.tail.close()  # so that the inode may be used again
    log.unlink()
    write(log, numbered(50, 60))
    following.restart()
    following.look()
    following.idle(120)
    assert following.records == (numbered(0, 5) + numbered(50, 60)).splitlines()
    assert len(following.gaps) == 1


def test_gone_while_stopped(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 5))
    following.look()
    log.unlink()
    following.restart()
    following.idle(120)
    assert following.reasons == ["missing"]
    following.restart()
    following.idle(120)
    assert following.reasons == ["missing"]


def test_restored_from_a_backup_is_not_read_twice(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 50))
    following.look()
    kept = log.read_bytes()
    log.unlink()
    following.idle(700)
    write(following.directory / "app.log.1", kept + numbered(50, 55))
    following.look()
    assert following.records == numbered(0, 55).splitlines()


def test_gap_is_told_again_when_its_commit_failed(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\nhalf")
    following.look()
    os.truncate(log, 0)
    following.seconds += 6
    lost = following.tail.poll()
    assert [gap.reason for chunk in lost for gap in chunk.gaps] == ["truncate"]
    following.tail.seek_back(following.rows.values())
    following.idle(120)
    assert following.reasons == ["truncate"]


def test_rows_are_kept_while_the_file_is_there_and_a_month_longer(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 5))
    following.look()
    old = rotate(log)
    following.idle(700)
    following.look(wait=40 * 86400)
    assert following.tail.forgettable() == []
    old.unlink()
    following.look(wait=86400)
    assert following.tail.forgettable() == []
    following.look(wait=31 * 86400)
    assert len(following.tail.forgettable()) == 1

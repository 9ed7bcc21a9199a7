"""Growing files: whole records only, positions, restarts, budgets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from following import Following, numbered, quoted, write
from hypothesis import given, settings
from hypothesis import strategies as st


def test_what_is_appended_is_read_once(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 3))
    assert following.look() == numbered(0, 3)
    assert following.look() == b""
    write(log, numbered(3, 5))
    assert following.look(wait=0.5) == numbered(3, 5)
    assert [position for _, position, _ in following.stored] == [0, len(numbered(0, 3))]
    assert len({generation for generation, _, _ in following.stored}) == 1


def test_partial_line_waits_for_its_end_over_a_restart(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\ntw")
    assert following.look() == b"one\n"
    assert following.look(wait=300) == b""
    following.restart()
    assert following.look(wait=300) == b""
    write(log, b"o\n")
    assert following.look() == b"two\n"
    assert following.gaps == []


def test_multi_line_records_are_not_cut(tmp_path: Path) -> None:
    follower = Following(tmp_path, framing=quoted)
    write(tmp_path / "a.log", b'x,"one\ntwo\n')
    assert follower.look() == b""
    write(tmp_path / "a.log", b'three"\ny,"')
    assert follower.look() == b'x,"one\ntwo\nthree"\n'
    follower.restart()
    write(tmp_path / "a.log", b'z"\n')
    assert follower.look() == b'y,"z"\n'


def test_restart_goes_on_from_the_stored_position(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 1000))
    following.look()
    following.restart()
    write(log, numbered(1000, 1100))
    assert following.look() == numbered(1000, 1100)
    assert len({generation for generation, _, _ in following.stored}) == 1
    assert following.gaps == []


def test_failed_commit_is_read_again(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    following.look()
    write(log, numbered(10, 20))
    lost = following.tail.poll()
    assert b"".join(chunk.data for chunk in lost) == numbered(10, 20)
    following.tail.seek_back(following.rows.values())
    assert following.look() == numbered(10, 20)


def test_failed_commit_that_was_durable_is_not_read_again(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    chunks = following.tail.poll()
    following.commit(chunks)
    following.tail.seek_back(following.rows.values())
    assert following.look() == b""
    write(log, b"next\n")
    assert following.look() == b"next\n"


def test_failed_first_commit_starts_again(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    first = following.tail.poll()
    following.tail.seek_back([])
    assert following.look() == numbered(0, 10)
    assert following.stored[0][0] == first[0].origin.generation  # same ids for the same records


def test_failed_commit_keeps_a_deleted_file(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, numbered(0, 10))
    following.look()
    write(log, numbered(10, 20))
    following.tail.poll()
    log.unlink()
    following.tail.seek_back(following.rows.values())
    assert following.look() == numbered(10, 20)


def test_budget_is_kept_and_nothing_is_lost(tmp_path: Path) -> None:
    follower = Following(tmp_path, settings={"record_cap": 100, "turn": 1000}, budget=400)
    write(tmp_path / "a.log", numbered(0, 200))
    pieces = []
    while piece := follower.look(wait=0.5):
        pieces.append(piece)
    assert b"".join(pieces) == numbered(0, 200)
    assert max(map(len, pieces)) <= 400


def test_oldest_file_first(following: Following) -> None:
    for number, name in enumerate(["c.log", "a.log", "b.log"]):
        path = following.directory / name
        write(path, f"{name}\n".encode())
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    assert following.look() == b"c.log\na.log\nb.log\n"


def test_endless_record_does_not_block(tmp_path: Path) -> None:
    follower = Following(tmp_path, framing=quoted, settings={"record_cap": 1000})
    write(tmp_path / "a.log", b'x,"never closed ' + b"a" * 700 + b"\n" + b"b" * 700 + b'\nnext,"1"\n')
    data = b"".join(follower.look() for _ in range(4))
    assert data == (tmp_path / "a.log").read_bytes()
    assert [notice.reason for notice in follower.tail.take_notices()] == ["oversize"]


def test_a_hole_is_passed_and_told(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\n")
    following.look()
    os.truncate(log, 3_000_000)
    assert following.look() == b""  # it may yet be filled
    write(log, b"two\n")
    assert following.look() == b"two\n"
    assert [(gap.reason, gap.from_position, gap.to_position) for gap in following.gaps] == [("nul_run", 4, 3_000_000)]
    following.restart()
    write(log, b"three\n")
    assert following.look() == b"three\n"


def test_record_torn_by_a_hole_is_handed_out(following: Following) -> None:
    log = following.directory / "app.log"
    write(log, b"one\ntor" + b"\0" * 4096 + b"two\n")
    data = following.look() + following.look() + following.look()
    assert data == b"one\ntor" + b"two\n"
    assert following.reasons == ["nul_run"]


def test_unterminated_end_of_a_given_file_counts_as_whole(following: Following) -> None:
    write(following.directory / "app.log", b"one\ntwo")
    assert following.look(final=True) + following.look(final=True) == b"one\ntwo"


def test_lag_tells_bytes_and_age(following: Following) -> None:
    write(following.directory / "app.log", b"one\nhal")
    following.look()
    lag = following.tail.lag()
    assert (lag.unread_bytes, lag.oldest_unread_seconds, lag.files) == (3, 0.0, 1)
    following.look(wait=30)
    assert following.tail.lag().oldest_unread_seconds == 30.0
    write(following.directory / "app.log", b"f\n")
    following.look()
    assert following.tail.lag().unread_bytes == 0
    assert following.tail.lag().oldest_unread_seconds == 0.0


def test_file_and_directory_may_appear_later(tmp_path: Path) -> None:
    follower = Following(tmp_path / "later")
    assert follower.look() == b""
    (tmp_path / "later").mkdir()
    assert follower.look() == b""
    write(tmp_path / "later" / "app.log", b"one\n")
    assert follower.look() == b"one\n"


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=300).map(lambda raw: raw.replace(b"\0", b"\n")),
    cuts=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["look", "restart", "fail"])), max_size=12),
)
def test_however_it_is_written_and_restarted_every_byte_comes_once(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[tuple[int, str]]
) -> None:
    directory = tmp_path_factory.mktemp("logs")
    follower = Following(directory)
    written = 0
    for size, then in cuts:
        write(directory / "app.log", data[written : written + size])
        written += size
        if then == "fail":
            follower.tail.poll()
            follower.tail.seek_back(follower.rows.values())
        else:
            follower.look()
        if then == "restart":
            follower.restart()
    write(directory / "app.log", data[written:] + b"\n")
    follower.look()
    follower.tail.close()
    assert b"".join(part for _, _, part in follower.stored) == (directory / "app.log").read_bytes()
    assert follower.gaps == []


def test_a_new_source_may_begin_at_the_end_of_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "app.log.1", numbered(0, 5))
    write(tmp_path / "app.log", numbered(5, 9) + b"half a li")
    follower = Following(tmp_path, settings={"from_end": True})
    assert follower.look() == b""
    write(tmp_path / "app.log", b"ne\n")
    assert follower.look() == b"half a line\n"
    follower.restart()
    write(tmp_path / "app.log", numbered(9, 12))
    assert follower.look() == numbered(9, 12)
    write(tmp_path / "new.log", numbered(20, 25))  # what comes later is read whole
    assert follower.look(wait=300) == numbered(20, 25)
    (tmp_path / "app.log").rename(tmp_path / "app.log.2")
    write(tmp_path / "app.log", numbered(12, 14))
    follower.restart()
    assert follower.look(wait=300) == numbered(12, 14)
    assert follower.gaps == []


def headed(buffer: bytes, *, final: bool) -> int:
    """Records that begin with '*' at the start of a line and go on until the next."""
    return len(buffer) if final else buffer.rfind(b"\n*") + 1


def test_a_last_record_without_an_end_mark_is_handed_out_after_a_quiet_time(tmp_path: Path) -> None:
    follower = Following(tmp_path, framing=headed, settings={"settle_seconds": 5.0})
    log = tmp_path / "a.log"
    write(log, b"*one\n more\n*two\n")
    assert follower.look(wait=1) == b"*one\n more\n"
    assert follower.look(wait=1) == b""
    write(log, b" more\n")  # not quiet: the time begins anew
    assert follower.look(wait=4) == b""
    assert follower.look(wait=4) == b""
    assert follower.look(wait=1) == b"*two\n more\n"
    write(log, b"*thr")
    assert follower.look(wait=1) == b""
    assert follower.look(wait=60) == b""  # a line that is not whole is no record, however long it waits
    write(log, b"ee\n")
    assert follower.look(wait=1) == b""
    assert follower.look(wait=6) == b"*three\n"

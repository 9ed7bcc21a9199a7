from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.events import Origin
from parsers.framing import split_lines
from parsers.syslog import envelope

ZONE = ZoneInfo("Asia/Shanghai")


def origin(reference: datetime | None = None, received: datetime = datetime(2027, 1, 1, 4, tzinfo=UTC)) -> Origin:
    return Origin("h", "ftp01", "s", "auth.log", "openssh_sftp", "0" * 16, 0, received, reference)


def read(*lines: str, where: Origin | None = None, year=None):
    frame = split_lines("".join(f"{line}\n" for line in lines).encode(), 0)
    return envelope(frame, where or origin(), ZONE, year or {})


def row(line: str):
    return read(line)[0].row(0, named=True)


@pytest.mark.parametrize(
    "line",
    [
        "Dec  3 08:05:24 ftp01 sshd[4187]: hello: world",
        "<86>Dec  3 08:05:24 ftp01 sshd[4187]: hello: world",
        "Dec 03 08:05:24 ftp01 sshd[4187]: hello: world",
        "2026-12-03T08:05:24+08:00 ftp01 sshd[4187]: hello: world",
        "2026-12-03T00:05:24Z ftp01 sshd[4187]: hello: world",
        "2026-12-02T19:05:24-0500 ftp01 sshd[4187]: hello: world",
        "2026-12-03T08:05:24 ftp01 sshd[4187]: hello: world",
        "<86>1 2026-12-03T08:05:24+08:00 ftp01 sshd 4187 - -  hello: world",
        "<86>1 2026-12-03T08:05:24+08:00 ftp01 sshd 4187 ID47 - hello: world",
        '<86>1 2026-12-03T08:05:24+08:00 ftp01 sshd 4187 - [a@1 k="v] \\" x"][b@1 k="-"] \ufeffhello: world',
        "Dec  3 08:05:24 ftp01 sshd[4187]: hello: world\r",
    ],
)
def test_every_form_of_one_message(line):
    told = row(line)
    assert told["problem"] is None
    assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 24, tzinfo=UTC)
    assert (told["host"], told["tag"], told["pid"], told["message"]) == ("ftp01", "sshd", "4187", "hello: world")


@pytest.mark.parametrize(
    ("line", "host", "tag", "message"),
    [
        ("<86>Nov 18 09:00:00 sshd[12]: error: x: y", None, "sshd", "error: x: y"),
        ("<86>Nov 18 09:00:00 mysql-server_auditing: db01-his db01,root,", None, "mysql-server_auditing", "db01-his db01,root,"),
        ("<86>2026-11-18T09:00:00+08:00 sshd[12]: x", None, "sshd", "x"),
        ("Nov 18 09:00:00 fe80::1 sshd[12]: x", "fe80::1", "sshd", "x"),
        ("Nov 18 09:00:00 db01 Oracle Audit[12]: LENGTH", "db01", "Oracle Audit", "LENGTH"),
        ("Nov 18 09:00:00 Oracle Audit[12]: LENGTH", None, "Oracle Audit", "LENGTH"),
        ("Nov 18 09:00:00 db01 Oracle Unified Audit[12]: x", "db01", "Oracle Unified Audit", "x"),
        ("Nov 18 2026 09:00:00 sw01 %%01SHELL/4/LOGIN(l)[12]:x", "sw01", "%%01SHELL/4/LOGIN(l)", "x"),
        ("<166>Nov 18 2026 09:00:00 fw01 : %ASA-6-302013: Built", "fw01", "%ASA-6-302013", "Built"),
        ("<189>45: *Nov 18 2026 09:00:00.000 CST: %SYS-5-CONFIG_I: x", None, "%SYS-5-CONFIG_I", "x"),
        ("<999>Nov 18 09:00:00 h tag: x", "h", "tag", "x"),
        ("<86>1 2026-11-18T01:00:00Z - sshd 12 - - x", None, "sshd", "x"),
    ],
)  # fmt: skip
def test_forms_of_devices_and_of_local_programs(line, host, tag, message):
    told = row(line)
    assert told["problem"] is None
    assert told["occurred_at"] == datetime(2026, 11, 18, 1, tzinfo=UTC)
    assert (told["host"], told["tag"], told["message"]) == (host, tag, message)


RECEIPT = "@2026-11-18T01:00:03.123456Z 10.20.1.5 "
RECEIVED = datetime(2026, 11, 18, 1, 0, 3, 123456, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 18, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "host", "when", "tag"),
    [
        ("<86>Nov 18 09:00:00 ftp01 sshd[12]: x", "ftp01", WRITTEN, "sshd"),
        ("<86>Nov 18 09:00:00 sshd[12]: x", "10.20.1.5", WRITTEN, "sshd"),
        ("Nov 18 09:00:00 ftp01 sshd[12]: x\r", "ftp01", WRITTEN, "sshd"),
        ("<86>1 - - sshd 12 - - x", "10.20.1.5", RECEIVED, "sshd"),
        ("<86>1 2026-11-18T09:00:00+08:00 - sshd 12 - - \ufeffx", "10.20.1.5", WRITTEN, "sshd"),
        ("<86>sshd[12]: x", "10.20.1.5", RECEIVED, "sshd"),
        ("sshd[12]: x", "10.20.1.5", RECEIVED, "sshd"),
    ],
)
def test_what_a_listener_wrote_in_front_stands_for_what_is_missing(message, host, when, tag):
    told = row(RECEIPT + message)
    assert told["problem"] is None
    assert (told["host"], told["occurred_at"], told["tag"], told["message"]) == (host, when, tag, "x")
    assert told["text"] == RECEIPT + message


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{RECEIPT}<86>", "no_envelope"),
        (f"{RECEIPT}nothing like it", "no_envelope"),
        (f"{RECEIPT}<86>Nov 31 09:00:00 ftp01 sshd[12]: x", "bad_timestamp"),
        ("@2026-11-18T01:00:03Z 10.20.1.5 <86>sshd[12]: x", "no_envelope"),
        ("@2026-13-18T01:00:03.123456Z 10.20.1.5 <86>sshd[12]: x", "bad_timestamp"),
    ],
)
def test_what_was_received_and_is_no_envelope_says_why(line, problem):
    assert row(line)["problem"] == problem


@pytest.mark.parametrize(
    ("receipt", "stamp", "year"),
    [
        ("2027-01-01T00:00:00", "Dec 31 23:59:59", 2026),
        ("2026-12-31T15:00:00", "Jan  1 00:00:01", 2027),  # a clock that is ahead
        ("2026-12-31T16:30:00", "Jan  1 00:30:00", 2027),  # already next year in the zone of the stamps
        ("2026-11-18T00:00:00", "Jul 18 09:00:00", 2026),
    ],
)
def test_the_year_of_a_received_message_is_that_nearest_to_its_receipt(receipt, stamp, year):
    frame, carried = read(f"@{receipt}.000000Z 10.20.1.5 <86>{stamp} h sshd[1]: x", year={"year": 2020, "month": 1})
    assert frame["occurred_at"][0].astimezone(ZONE).year == year
    assert carried == {"year": 2020, "month": 1}


def test_fractions_of_a_second_are_kept_to_the_microsecond():
    for fraction, micros in ((".1", 100000), (".123456", 123456), (",137", 137000), (".123456789", 123456)):
        told = row(f"2026-12-03T08:05:24{fraction}+08:00 ftp01 sshd[1]: x")
        assert told["occurred_at"] == datetime(2026, 12, 3, 0, 5, 24, micros, tzinfo=UTC)


def test_a_tag_may_have_no_process_number():
    assert row("Dec  3 08:05:24 ftp01 sudo: root : TTY=pts/0")["pid"] is None
    assert row("<86>1 2026-12-03T08:05:24+08:00 ftp01 sudo - - - x")["pid"] is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nothing like it", "no_envelope"),
        ("2026-12-03 08:05:24,sshd", "no_envelope"),
        ("Dec 32 08:05:24 ftp01 sshd[1]: x", "bad_timestamp"),
        ("Foo  2 08:05:24 ftp01 sshd[1]: x", "bad_timestamp"),
        ("2026-02-30T08:05:24+08:00 ftp01 sshd[1]: x", "bad_timestamp"),
        ("<86>1 - ftp01 sshd 1 - - x", "no_envelope"),
    ],
)
def test_what_is_no_envelope_says_why(line, problem):
    assert row(line)["problem"] == problem


def years(*stamps: str, where: Origin | None = None, year=None):
    frame, carried = read(*(f"{stamp} 08:05:24 h sshd[1]: x" for stamp in stamps), where=where, year=year)
    return [when.astimezone(ZONE).year if when else None for when in frame["occurred_at"]], carried


def test_the_year_of_the_first_stamp_comes_from_the_file():
    changed = datetime(2027, 1, 1, 4, tzinfo=UTC)
    assert years("Nov 18", where=origin(changed))[0] == [2026]
    assert years("Jan  1", where=origin(changed))[0] == [2027]
    assert years("Jan  2", where=origin(changed))[0] == [2027]  # a day of doubt: clocks and zones
    assert years("Jan  3", where=origin(changed))[0] == [2026]
    assert years("Dec 31", where=origin(None, datetime(2030, 6, 1, tzinfo=UTC)))[0] == [2029]


def test_the_year_goes_on_at_new_year_and_never_back():
    found, carried = years("Nov 18", "Dec 31", "Jan  1", "Jan  1", "Feb  1")
    assert found == [2026, 2026, 2027, 2027, 2027]
    assert carried == {"year": 2027, "month": 2}
    assert years("Jan  1", year={"year": 2026, "month": 12}) == ([2027], {"year": 2027, "month": 1})


def test_a_late_line_of_december_does_not_push_the_year():
    assert years("Dec 31", "Jan  1", "Dec 31", "Jan  1", "Mar  1")[0] == [2026, 2027, 2026, 2027, 2027]


def test_a_long_silence_within_a_year_is_no_new_year():
    assert years("Jan  5", "Sep  5", where=origin(datetime(2026, 2, 1, tzinfo=UTC)))[0] == [2026, 2026]


def test_the_29th_of_february_needs_a_leap_year():
    assert years("Feb 29", where=origin(datetime(2027, 6, 1, tzinfo=UTC)))[0] == [2024]
    assert years("Feb 29", year={"year": 2026, "month": 2})[0] == [None]


def test_forms_may_mix_in_one_file():
    frame, carried = read(
        "Dec 31 08:05:24 h sshd[1]: a",
        "2026-12-31T08:05:24.5+08:00 h sshd[1]: b",
        "<38>1 2026-12-31T08:05:25+08:00 h sshd 1 - - c",
        "garbage",
        "Jan  1 00:00:00 h sshd[1]: d",
    )
    assert frame["message"].to_list() == ["a", "b", "c", "", "d"]
    assert frame["position"].is_sorted()
    assert carried == {"year": 2027, "month": 1}


def test_nothing_is_nothing():
    frame, carried = read(year={"year": 2026, "month": 5})
    assert frame.is_empty()
    assert {"occurred_at", "problem", "message"} <= set(frame.columns)
    assert carried == {"year": 2026, "month": 5}


@settings(deadline=None, max_examples=60)
@given(
    start=st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)),
    steps=st.lists(st.integers(0, 60 * 86400), max_size=12),
    cut=st.integers(0, 12),
)
def test_stamps_without_a_year_come_back_as_they_were(start, steps, cut):
    times = [start.replace(microsecond=0, tzinfo=UTC)]
    for step in steps:
        times.append(times[-1] + timedelta(seconds=step))
    zone = ZoneInfo("Asia/Shanghai")
    lines = [
        f"{t.astimezone(zone):%b} {t.astimezone(zone).day:2d} {t.astimezone(zone):%H:%M:%S} h sshd[1]: x" for t in times
    ]
    where = origin(times[0])
    first, carried = read(*lines[:cut], where=where)
    second, _ = read(*lines[cut:], where=where, year=carried)
    assert pl.concat([first, second])["occurred_at"].to_list() == times

"""The format `syslog`: each line as its own format would read it, wherever it stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers.events import Origin
from parsers.registry import parsers
from parsers.syslog_mixed import PROGRAMS

ZONE = ZoneInfo("Asia/Shanghai")
SAMPLES = Path(__file__).parent / "samples"
RECEIVED = datetime(2026, 12, 1, tzinfo=UTC)
APART = ["event_id", "position", "format", "activity_key", "session"]  # name places, or hold them


def parse(name: str, data: bytes, carry=None, position: int = 0, options=None):
    where = Origin("h", "s", "src", "f", name, "0" * 16, position, RECEIVED, RECEIVED)
    return parsers()[name].configured(options or {}).parse(data, where, ZONE, carry or {})


def lines_of(path: str) -> list[bytes]:
    return (SAMPLES / path).read_bytes().split(b"\n")[:-1]


STREAMS = {
    "openssh_sftp": lines_of("openssh_sftp/9.2-iso8601.log")[:60],
    "mariadb_server_audit_syslog": lines_of("mariadb_server_audit_syslog/1.4-iso8601.log")[:30],
    "vsftpd_syslog": lines_of("vsftpd_syslog/3.0.3.log")[:30],
}


@settings(deadline=None, max_examples=20)
@given(order=st.lists(st.sampled_from(sorted(STREAMS)), max_size=150), cuts=st.sets(st.integers(0, 150), max_size=4))
def test_interleaved_streams_are_read_like_files_of_their_own(order, cuts):
    waiting = {name: list(stream) for name, stream in STREAMS.items()}
    mixed, alone, chunks = [], dict.fromkeys(STREAMS, b""), [[]]
    for number, name in enumerate(order):
        if waiting[name]:
            line = waiting[name].pop(0) + b"\n"
            mixed.append(line)
            alone[name] += line
            if number in cuts:
                chunks.append([])
            chunks[-1].append(line)
    events, carry, position = [], {}, 0
    for chunk in chunks:
        data = b"".join(chunk)
        read = parse("syslog", data, carry, position)
        events.append(read.events)
        carry, position = json.loads(json.dumps(dict(read.carry))), position + len(data)
    found = pl.concat(events)
    whole = b"".join(mixed)
    starts = dict(zip(_starts(mixed), mixed, strict=True))
    assert all(whole[at : at + size] == starts[at] for at, size in found.select("position", "length").rows())
    key = Origin("h", "s", "src", "f", "syslog", "0" * 16, 0, RECEIVED).key
    assert found["event_id"].to_list() == [f"{key}-{at}" for at in found["position"]]
    for name, data in alone.items():
        expected = parse(name, data).events
        assert found.filter(pl.col("format") == name).drop(APART).rows() == expected.drop(APART).rows()


def _starts(mixed: list[bytes]) -> list[int]:
    at, found = 0, []
    for line in mixed:
        found.append(at)
        at += len(line)
    return found


def test_what_nobody_reads_is_counted():
    read = parse(
        "syslog", b"Nov 18 09:00:00 h CRON[1]: x\n\nNov 18 09:00:00 h sshd[1]: pam_unix(sshd:session): x\nrubbish\n"
    )
    assert read.skips["other_program"] == (1, 29)
    assert read.skips["blank"] == (1, 1)
    assert read.rejects["reason"].to_list() == ["no_envelope"]


def test_further_tags_can_be_named_and_known_ones_left_out():
    line = b'Nov 18 09:00:00 h ftps-in[1]: [app] OK LOGIN: Client "192.0.2.8"\n'
    assert parse("syslog", line).skips["other_program"] == (1, len(line))
    login = b"Nov 18 09:00:00 h sshd[1]: Accepted password for app from 10.9.8.7 port 4711 ssh2\n"
    assert parse("syslog", login).events["format"].to_list() == ["openssh_sftp"]
    assert parse("syslog", login, options={"programs": {"sshd": "skip"}}).skips["other_program"] == (1, len(login))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"programs": {"x": "vsftpd_nativ"}}, "x: not a format that reads syslog: vsftpd_nativ; known: "),
        ({"formats": {"xferlog": {}}}, "not a format that reads syslog: xferlog"),
        ({"formats": {"vsftpd_syslog": {"a": 1}}}, "takes no options"),
        ({"formats": {"postgresql_syslog": {"log_line_prefx": "%m"}}}, "postgresql_syslog: log_line_prefx"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(ValidationError, match=said):
        parsers()["syslog"].configured(options)


@pytest.mark.parametrize("name", sorted({*PROGRAMS.values(), "postfix"}))
def test_the_samples_of_every_format_read_the_same(name):
    for sample in sorted((SAMPLES / name).glob("*.log")):
        beside = sample.with_suffix(".options.json")
        options = json.loads(beside.read_text()) if beside.exists() else {}
        data = sample.read_bytes()
        expected = parse(name, data, options=options).events.sort("position")
        found = parse("syslog", data, options={"formats": {name: options}} if options else {}).events
        assert found.filter(pl.col("format") == name).drop(APART).rows() == expected.drop(APART).rows(), sample.name


def test_every_program_has_a_format():
    assert set(PROGRAMS.values()) <= set(parsers())


def test_a_message_in_pieces_is_not_cut_before_its_last_one():
    one = b"<134>Nov 18 09:00:00 postgres[7]: [5-1] 2026-11-18 09:00:00.000 CST [7] LOG:  statement: SELECT 1\n"
    more = b"<86>Nov 18 09:00:00 h sshd[1]: x\n"
    two = b"<134>Nov 18 09:00:01 postgres[7]: [6-1] 2026-11-18 09:00:01.000 CST [7] LOG:  statement: SELECT 2\n"
    framing = parsers()["syslog"].framing
    assert framing(more + more, final=False) == 2 * len(more)
    assert framing(more + one, final=False) == len(more)
    assert framing(more + one, final=True) == len(more) + len(one)
    assert 0 < framing(one + more + two, final=False) < len(one + more + two)

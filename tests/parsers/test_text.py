"""Lines, encodings and local time: what all parsers build on."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.decoding import decode, decode_series, spoilt
from parsers.framing import MAX_RECORD, line_starts, lines, split_lines
from parsers.stamps import local_time


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("病人".encode(), "病人"),
        ("病人".encode("gb18030"), "病人"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\0b", "a\\x00b"),
        ("\ud800".encode("utf-8", "surrogatepass"), "\\xed\\xa0\\x80"),
    ],
)
def test_each_record_is_decoded_by_itself(raw, text):
    assert decode(raw) == text
    assert split_lines(raw + b"\nnext\n", 0)["text"].to_list() == [text, "next"]


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_decoded_text_can_be_stored(raw):
    text = decode(raw)
    assert "\0" not in text
    text.encode("utf-8")
    assert decode_series(pl.Series([raw, None], dtype=pl.Binary)).to_list() == [text, None]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_lines_are_split_at_line_feeds_alone(pieces, broken_off):
    data = b"".join(pieces)[: -1 if broken_off else None]
    frame = split_lines(data, 100)
    assert data.split(b"\n")[: frame.height] == [
        data[start - 100 : start - 100 + size].removesuffix(b"\n")
        for start, size in frame.select("position", "length").rows()
    ]
    assert frame["length"].sum() == len(data)
    assert lines(data, final=False) == data.rfind(b"\n") + 1


def test_separators_of_unicode_split_nothing():
    assert split_lines("a\r\v\f\x1c\x85\u2028b\n".encode(), 0).height == 1


def test_a_line_longer_than_the_cap_is_no_text_and_the_next_line_is():
    data = b"first\n" + b"x" * (2 * MAX_RECORD + 5) + b"\nnext\n"
    frame = split_lines(data, 0)
    assert frame["text"].to_list() == ["first", None, None, None, "next"]
    assert lines(data[6 : 6 + MAX_RECORD + 3], final=False) == MAX_RECORD
    assert split_lines(b"rest\nnext\n", 0, continued=True)["text"].to_list() == [None, "next"]


@given(
    st.lists(
        st.sampled_from([b"ok\n", b"\xff\n", b"a\0\n", "病\n".encode(), b"\xb2\xa1\n", b"\n"]), min_size=1, max_size=20
    )
)
@settings(max_examples=200, deadline=None)
def test_spoilt_records_are_found_and_no_others(records):
    data = b"".join(records)
    ends = np.append(line_starts(data)[1:], len(data))
    assert spoilt(data, ends) == [i for i, record in enumerate(records) if b"\0" in record or not _is_utf8(record)]


def _is_utf8(raw):
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-11-11 08:00:00", "Asia/Shanghai", datetime(2026, 11, 11, 0, tzinfo=UTC)),
        ("2026-11-11 08:00:00", "UTC", datetime(2026, 11, 11, 8, tzinfo=UTC)),
        ("2026-11-01 01:30:00", "America/Chicago", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),  # twice: the first pass
        ("2026-03-08 02:30:00", "America/Chicago", datetime(2026, 3, 8, 8, 30, tzinfo=UTC)),  # skipped: offset before
        ("2026-13-01 00:00:00", "Asia/Shanghai", None),
        ("yesterday", "Asia/Shanghai", None),
    ],
)
def test_local_time(text, zone, expected):
    frame = pl.DataFrame({"text": [text]})
    assert frame.select(local_time(pl.col("text"), "%Y-%m-%d %H:%M:%S", ZoneInfo(zone))).to_series().to_list() == [
        expected
    ]

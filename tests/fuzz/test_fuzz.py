"""No bytes make a parser raise, hang, lose a byte or count one twice.

`make fuzz` damages a million records of every format: HISWATCH_FUZZ_RECORDS=10000000 for more, HISWATCH_SEED=… makes a run again,
HISWATCH_FUZZ_FRAME=… only that frame of it. A failure names them and the file
with the bytes. A smaller run is part of the everyday suite.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest
from feeding import accounted, feed, same, watched
from mutations import FRAME, damaged, damaged_sample

from parsers.registry import Parser, parsers

EVERYDAY_SEED = 20261118
PARTS = 4  # of the long run of a format: so that two processes end at the same time

# One in so many frames is read a second time without cuts, to the same outcome (EVERY), or has with it one that always is:
EVERY = 4
ORDERED = 2  # a sample in its own order, so that what a parser remembers makes sense
DENSE = 8  # a short one in no order, cut at every few records
DENSE_RECORDS, DENSE_CUTS = 600, 60

# A name with line breaks makes lines of its own: whether the next of them is the rest of the record before a cut cannot be
# told, so records of PostgreSQL's text log in another order than the server's may end elsewhere.
# A message through syslog ends where its process begins another or time goes on, which pieces in another order tell otherwise.
ONLY_IN_ORDER = {"postgresql_stderr", "postgresql_syslog"}


def kept(name: str, data: bytes, cuts: Sequence[int]) -> Path:
    """The frame itself: the seed gives it again only as long as the samples stay as they are."""
    file = Path(tempfile.gettempdir()) / f"hiswatch-fuzz-{name}-{crc32(data):08x}.log"
    file.write_bytes(data)
    file.with_suffix(".cuts").write_text(" ".join(map(str, cuts)), encoding="utf-8")
    return file


def run(name: str, seed: int, records: int, per_frame: int, part: int = 0, parts: int = 1) -> None:
    only = os.environ.get("HISWATCH_FUZZ_FRAME")
    frames: Sequence[int] = range(part, -(-records // per_frame), parts)
    if only:
        frames = [frame for frame in frames if frame == int(only)]
    any_order = name not in ONLY_IN_ORDER
    for frame in frames:
        label = f"HISWATCH_SEED={seed} HISWATCH_FUZZ_FRAME={frame} format {name}, {per_frame} records a frame"
        with watched(label):
            unit, data, cuts = damaged(name, seed, frame, per_frame)
            checked(label, name, (unit, data, cuts), compare=any_order and frame % EVERY == 0)
            if frame % ORDERED == 0:
                checked(f"{label}, in order", name, damaged_sample(name, seed, frame), compare=True)
            if frame % DENSE == 0:
                dense = damaged(name, seed + 2, frame, min(per_frame, DENSE_RECORDS), DENSE_CUTS)
                checked(f"{label}, cut often", name, dense, compare=any_order)


def checked(label: str, name: str, given: tuple[Parser, bytes, list[int]], *, compare: bool) -> None:
    unit, data, cuts = given
    try:
        parsed = feed(unit, data, cuts)
        accounted(unit, data, parsed)
        if compare:
            same(feed(unit, data, []), parsed)
    except Exception as problem:
        file = kept(name, data, cuts)
        raise AssertionError(f"{label}, {file}: {type(problem).__name__}: {problem}") from problem


@pytest.mark.parametrize("name", sorted(parsers()))
def test_two_thousand_damaged_records(name: str) -> None:
    run(name, EVERYDAY_SEED, records=2000, per_frame=500)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", sorted(parsers()))
def test_a_million_damaged_records(name: str, part: int) -> None:
    seed = int(os.environ.get("HISWATCH_SEED") or random.SystemRandom().randrange(1 << 32))
    records = int(os.environ.get("HISWATCH_FUZZ_RECORDS") or 1_000_000)
    run(name, seed, records, FRAME, part, PARTS)

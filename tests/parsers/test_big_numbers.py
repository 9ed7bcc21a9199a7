"""Numbers that no column holds, in every place of every format where a number stands: nothing raises, nothing turns negative."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import polars as pl
import pytest

from parsers.registry import parsers

_spec = importlib.util.spec_from_file_location("regenerate_big", Path(__file__).parent / "regenerate.py")
assert _spec is not None
assert _spec.loader is not None
regenerate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(regenerate)

# beyond Int64, beyond UInt64, beyond any, beyond what Python's int() takes; the last day of the greatest year, a product
NUMBERS = (b"9999999999999999999", b"18446744073709551616", b"9" * 40, b"9" * 5000, b"9223372036854775807", b"99999")
RECORDS = 40  # of a sample
RUN = re.compile(rb"[0-9]+")


def with_big_numbers(unit, sample):
    """Every number of each record by itself replaced."""
    data = sample.read_bytes()
    parsed = unit.parse(data, regenerate.origin_of(unit.name, 0), regenerate.zone_of(sample), {})
    starts = sorted({0, *parsed.events["position"], *parsed.rejects["position"]})
    for one, other in list(zip(starts, [*starts[1:], len(data)], strict=True))[:RECORDS]:
        record = data[one:other]
        for found in list(RUN.finditer(record))[:24]:
            for number in NUMBERS if found.start() < 4000 else NUMBERS[:1]:
                yield record[: found.start()] + number + record[found.end() :]


@pytest.mark.parametrize("name", sorted(parsers()))
def test_numbers_beyond_any_column(name):
    for sample in (sample for sample in regenerate.samples() if sample.parent.name == name):
        unit = regenerate.unit_of(sample)
        records = list(with_big_numbers(unit, sample))
        data = b"".join(records)
        if not data:
            continue
        whole = unit.framing(data, final=True)
        parsed = unit.parse(data[:whole], regenerate.origin_of(name, 0), regenerate.zone_of(sample), {})
        sizes = parsed.events["length"].sum() + parsed.rejects["length"].sum()
        assert sizes + sum(size for _, size in parsed.skips.values()) == whole
        wrong = parsed.events.filter((pl.col("rows") < 0) | (pl.col("bytes") < 0) | (pl.col("duration_seconds") < 0))
        assert not wrong.height, wrong.select("rows", "bytes", "duration_seconds").head(5)
        assert parsed.events["duration_seconds"].is_finite().all()

"""What every parser promises, on its own samples, on damaged ones, and on other formats."""

from __future__ import annotations

import importlib.util
import json
import os
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from parsers.events import ACTIONS, EVENTS, KINDS, OUTCOMES, RECORD_ROLES, REJECTS, check
from parsers.registry import Parsed, parsers

_spec = importlib.util.spec_from_file_location("regenerate_contract", Path(__file__).parent / "regenerate.py")
assert _spec is not None
assert _spec.loader is not None
regenerate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(regenerate)

NAMES = sorted(parsers())
# Each example is a dozen readings of a sample: few of them every day, and the same examples again and more by `make fuzz`.
QUICK = settings(
    max_examples=int(os.environ.get("HISWATCH_EXAMPLES") or 8),
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@cache
def own_samples(name):
    return [sample for sample in regenerate.samples() if sample.parent.name == name]


def alike(name):
    """The samples that are read with the same options as the first one."""
    every = own_samples(name)
    return [sample for sample in every if regenerate.options_of(sample) == regenerate.options_of(every[0])]


def excerpt(name, limit=12000):
    """The beginnings of a parser's samples, at most `limit` bytes, whole lines."""
    chosen = alike(name)
    data = b"".join(sample.read_bytes()[: limit // len(chosen)] for sample in chosen)
    return data[: data.rfind(b"\n") + 1]


def read(unit, data, zone, cuts=()):
    """Parse `data` as a source would that gets it in pieces ending at `cuts`; the carry travels as JSON."""
    carry, position = {}, 0
    parts = []
    for end in [*sorted({cut for cut in cuts if cut < len(data)}), len(data)]:
        if end <= position:
            continue
        final = end == len(data)
        while position < end:
            whole = unit.framing(data[position:end], final=final)
            assert 0 <= whole <= end - position
            if not whole:
                break
            part = unit.parse(data[position : position + whole], regenerate.origin_of(unit.name, position), zone, carry)
            carry = json.loads(json.dumps(dict(part.carry)))
            position += whole
            parts.append(part)
    assert position == len(data)
    skips = {}
    for part in parts:
        for reason, (count, size) in part.skips.items():
            have = skips.get(reason, (0, 0))
            skips[reason] = (have[0] + count, have[1] + size)
    if not parts:
        return Parsed()
    return Parsed(pl.concat([p.events for p in parts]), pl.concat([p.rejects for p in parts]), skips, carry)


def keeps_the_contract(name, data, parsed):
    check(parsed.events, EVENTS)
    check(parsed.rejects, REJECTS)
    assert set(parsed.skips) <= set(parsers()[name].skips)
    size = parsed.events["length"].sum() + parsed.rejects["length"].sum() + sum(v[1] for v in parsed.skips.values())
    assert size == len(data)
    for frame in (parsed.events, parsed.rejects):
        assert (frame["position"].diff().drop_nulls() > 0).all()
    both = pl.concat([frame.select("position", "length") for frame in (parsed.events, parsed.rejects)]).sort("position")
    assert (both["position"].shift(-1) >= both["position"] + both["length"]).fill_null(value=True).all()
    for column, values in (("action", ACTIONS), ("outcome", OUTCOMES), ("record_role", RECORD_ROLES)):
        assert set(parsed.events[column]) <= values, column
    for column in ("rows_kind", "bytes_kind"):
        assert set(parsed.events[column].drop_nulls()) <= KINDS
    for column in ("position", "length", "occurred_at", "truncated", "forgeable"):
        assert not parsed.events[column].null_count(), column
    assert set(parsed.events["rows_kind"].filter(parsed.events["rows"].is_not_null())) <= {"known", "estimated"}
    texts = parsed.events.select(pl.col(pl.String).str.contains("\0", literal=True).any())
    assert not any(texts.row(0)), "NUL reaches the store"


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_of_the_samples_is_accounted_for(name):
    for sample in own_samples(name):
        keeps_the_contract(name, sample.read_bytes(), regenerate.parse_whole(sample))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@QUICK
def test_cuts_change_nothing(name, data):
    sample = data.draw(st.sampled_from(own_samples(name)))
    raw = sample.read_bytes()[:9000]
    zone, unit = regenerate.zone_of(sample), regenerate.unit_of(sample)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=12))
    assert_same(in_one_piece(sample, 9000), read(unit, raw, zone, cuts))


@cache
def in_one_piece(sample, limit):
    return read(regenerate.unit_of(sample), sample.read_bytes()[:limit], regenerate.zone_of(sample))


@pytest.mark.parametrize("name", NAMES)
def test_arriving_byte_by_byte_changes_nothing(name):
    raw = excerpt(name, 2500)
    first = own_samples(name)[0]
    zone, unit = regenerate.zone_of(first), regenerate.unit_of(first)
    assert_same(read(unit, raw, zone), read(unit, raw, zone, range(len(raw))))


def assert_same(one, other):
    for column in one.events.columns:
        assert one.events[column].to_list() == other.events[column].to_list(), column
    assert one.rejects.rows() == other.rejects.rows()
    assert dict(one.skips) == dict(other.skips)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@QUICK
def test_damaged_samples_are_events_rejects_or_skips(name, data):
    sample = data.draw(st.sampled_from(own_samples(name)))
    raw = bytearray(sample.read_bytes()[:6000])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(
            st.sampled_from(
                [b"", b'"', b"'", b"\n", b",", b"\0", b"\xff", b"\xb2\xa1", b"\\", b"\r\n", b"{", b"}", b"\\u0000"]
            )
            | st.binary(max_size=8)
        )
        raw[at : at + data.draw(st.integers(0, 40))] = piece
    damaged = bytes(raw)
    zone, unit = regenerate.zone_of(sample), regenerate.unit_of(sample)
    whole = read(unit, damaged, zone)
    keeps_the_contract(name, damaged, whole)
    cuts = data.draw(st.lists(st.integers(0, len(damaged)), max_size=6))
    assert_same(whole, read(unit, damaged, zone, cuts))


@pytest.mark.parametrize("name", NAMES)
@given(raw=st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@QUICK
def test_random_bytes_raise_nothing_and_are_no_events(name, raw):
    first = own_samples(name)[0]
    parsed = read(regenerate.unit_of(first), raw, regenerate.zone_of(first))
    keeps_the_contract(name, raw, parsed)
    assert not parsed.events.height


@pytest.mark.parametrize("name", ["postgresql_csvlog", "postgresql_jsonlog", "mariadb_server_audit"])
@pytest.mark.parametrize("other", NAMES)
def test_a_foreign_format_is_refused(name, other):
    if name == other:
        return
    raw = excerpt(other, 3000)
    parsed = read(parsers()[name], raw, regenerate.zone_of(own_samples(name)[0]))
    keeps_the_contract(name, raw, parsed)
    assert not parsed.events.height
    assert parsed.rejects.height
    assert not parsed.skips

"""Every parser has samples, and says of them what the reviewed files beside them say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from parsers.registry import parsers

_spec = importlib.util.spec_from_file_location("regenerate", Path(__file__).parent / "regenerate.py")
assert _spec is not None
assert _spec.loader is not None
regenerate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(regenerate)

SAMPLES = regenerate.samples()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_sample_reads_as_expected(sample):
    expected = regenerate.expected_file(sample).read_text(encoding="utf-8")
    assert regenerate.rendered(regenerate.parse_whole(sample)) == expected


def test_every_parser_has_a_sample():
    without = set(parsers()) - {sample.parent.name for sample in SAMPLES}
    assert not without, f"no sample in tests/parsers/samples for {sorted(without)}"


def test_every_sample_has_a_parser():
    assert {sample.parent.name for sample in SAMPLES} <= set(parsers())


@pytest.mark.parametrize("name", sorted(parsers()))
def test_skip_reasons_are_justified(name):
    for reason, why in parsers()[name].skips.items():
        assert reason.isidentifier(), reason
        assert len(why) > 10, f"{name}: {reason} has no justification"

"""Damaged logs by the thousand records: drawn from golden samples, mutated a frame at a time, the same for the same seed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from parsers.events import Origin
from parsers.registry import Parser, parsers

SAMPLES = Path(__file__).parents[1] / "parsers" / "samples"
FRAME = 12_000  # records
CUTS = 12  # at most, of a frame
HUGE = (70_000, 1_100_000)  # bytes: beyond the longest line of a daemon, beyond the longest record of the framing

# what stands between fields, begins and ends quotes and lines in any of the formats, and bytes that are no text
SPECIAL = np.frombuffer(b"\"',;:|\\/[](){}<>=-+%$#*.? \t\r\n\0\x01\x1f\x7f\x80\xb2\xc8\xfe\xff09AZaz_", np.uint8)
PIECES = (
    b"", b'"', b'""', b"'", b"''", b"\\", b"\\'", b'\\"', b"\\n", b"\\u0000", b"\\ud800", b"\\x00", b"\0", b"\0\0\0",
    b"\n", b"\n\n", b"\r\n", b"\r", b"\t", b"\x0b\x0c\x1c\x85", "\u2028\u2029\u0085".encode(), b"\xff\xfe", b"\xff",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe7\x97", b"\x81", "病人".encode("gbk"), "病人基本信息".encode(),
    "\U0001f3e5".encode(), b"\xb2", b"\x95\x5c", b",", b",,,,,,", b", ", b"|", b";", b":", b": ", b" ", b"  ", b"[", b"]",
    b"{", b"}", b"</", b"/>", b"<![CDATA[", b"]]>", b"&#0;", b"&lt;", b"<", b">", b"=", b"%", b"%00", b"%0A", b"#012",
    b"#000", b"-", b"--", b"/*", b"*/", b"$$", b"0", b"-1", b"9" * 19, b"9" * 40, b"18446744073709551616", b"1e400", b"NaN",
    b"0000-00-00 00:00:00", b"2026-02-30", b"9999-12-31 23:59:59.999", b"99999999999", b"Feb 30 25:61:61",
    b"1600-01-01T00:00:00Z", b"+99:99", b"null", b"true", b"[[[[[[[[", b'{"a":' * 50, b"AUDIT: ", b"QUERY,", b"::ffff:",
)  # fmt: skip


@dataclass(frozen=True)
class Pool:
    """Records of a format that are read under the same options."""

    unit: Parser
    samples: tuple[tuple[bytes, ...], ...]

    @property
    def records(self) -> list[bytes]:
        return [record for sample in self.samples for record in sample]


def configured(sample: Path) -> Parser:
    unit, told = parsers()[sample.parent.name], sample.with_name(sample.stem + ".options.json")
    return unit.configured(json.loads(told.read_text(encoding="utf-8"))) if told.exists() else unit


def samples(name: str) -> list[Path]:
    every = sorted(file for file in (SAMPLES / name).glob("*") if file.is_file())
    return [file for file in every if not file.name.endswith((".events.jsonl", ".options.json"))]


@cache
def pools(name: str) -> tuple[Pool, ...]:
    """One for each set of options that the samples of a format need."""
    grouped: dict[str, tuple[Parser, list[tuple[bytes, ...]]]] = {}
    for sample in samples(name):
        told = sample.with_name(sample.stem + ".options.json")
        key = told.read_text(encoding="utf-8") if told.exists() else ""
        unit = configured(sample)
        grouped.setdefault(key, (unit, []))[1].append(tuple(records_of(unit, sample.read_bytes())))
    return tuple(Pool(unit, tuple(found)) for unit, found in grouped.values())


def records_of(unit: Parser, data: bytes) -> list[bytes]:
    """`data` cut where the format's own parser sees records begin, and at line breaks where it skips."""
    from feeding import READ_AT, ZONE

    origin = Origin("s", "y", "q", "/log", unit.name, "0" * 16, 0, READ_AT, READ_AT)
    parsed = unit.parse(data, origin, ZONE, {})
    begins = sorted({0, *parsed.events["position"].to_list(), *parsed.rejects["position"].to_list()})
    return [data[one:other] for one, other in zip(begins, [*begins[1:], len(data)], strict=True) if other > one]


@cache
def foreign() -> tuple[bytes, ...]:
    """A few records of every format."""
    return tuple(record for name in parsers() for pool in pools(name) for record in pool.records[:40])


def generator(name: str, seed: int, frame: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), frame])


def damaged(name: str, seed: int, frame: int, count: int = FRAME, cuts: int = CUTS) -> tuple[Parser, bytes, list[int]]:
    """(parser, bytes, cuts) of one frame: about `count` records in no order, a fifth of them damaged."""
    draw = generator(name, seed, frame)
    choices = pools(name)
    pool = choices[int(draw.integers(len(choices)))]
    every = pool.records
    return pool.unit, *spoiled([every[index] for index in draw.integers(len(every), size=count).tolist()], draw, cuts)


def damaged_sample(name: str, seed: int, frame: int) -> tuple[Parser, bytes, list[int]]:
    """The same of one sample in its own order, so that what a parser remembers makes sense."""
    draw = generator(name, seed + 1, frame)
    choices = pools(name)
    pool = choices[int(draw.integers(len(choices)))]
    return pool.unit, *spoiled(list(pool.samples[int(draw.integers(len(pool.samples)))][:FRAME]), draw)


def spoiled(records: list[bytes], draw: np.random.Generator, most: int = CUTS) -> tuple[bytes, list[int]]:
    count = len(records)
    if not count:
        return b"", []
    for at in draw.integers(count, size=int(count * draw.uniform(0, 0.2))).tolist():
        mutate = MUTATIONS[int(draw.integers(len(MUTATIONS)))]
        records[at] = mutate(records[at], records, draw)
    if draw.random() < 0.04:
        at = int(draw.integers(count))
        records[at] = huge(records[at], draw)
    data = np.frombuffer(b"".join(records), np.uint8).copy()
    scatter(data, int(count * draw.uniform(0, 0.05)), draw)
    cuts = draw.integers(data.size + 1, size=int(draw.integers(most))).tolist() if data.size else []
    return data.tobytes(), sorted(cuts)


def scatter(data: np.ndarray, count: int, draw: np.random.Generator) -> None:
    """Single bytes all over the frame: bits flipped, special characters, other digits in numbers and dates."""
    if not data.size:
        return
    flips = draw.integers(data.size, size=count)
    data[flips] ^= np.left_shift(1, draw.integers(8, size=count)).astype(np.uint8)
    data[draw.integers(data.size, size=count)] = draw.choice(SPECIAL, size=count)
    digits = np.flatnonzero((data >= 0x30) & (data <= 0x39))
    if digits.size:
        chosen = draw.choice(digits, size=count)
        data[chosen] = draw.choice(np.frombuffer(b"0123999 -", np.uint8), size=count)


def place(record: bytes, draw: np.random.Generator) -> int:
    return int(draw.integers(len(record) + 1))


def insert(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    at = place(record, draw)
    return record[:at] + PIECES[int(draw.integers(len(PIECES)))] + record[at:]


def overwrite(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    at = place(record, draw)
    return record[:at] + PIECES[int(draw.integers(len(PIECES)))] + record[at + int(draw.integers(40)) :]


def cut_end(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    return record[: place(record, draw)]


def cut_end_of_line(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    return record[: place(record, draw)] + b"\n"


def cut_begin(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    return record[place(record, draw) :]


def cut_middle(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    one, other = sorted((place(record, draw), place(record, draw)))
    return record[:one] + record[other:]


def splice(record: bytes, others: Sequence[bytes], draw: np.random.Generator) -> bytes:
    other = others[int(draw.integers(len(others)))]
    return record[: place(record, draw)] + other[place(other, draw) :]


def nest(record: bytes, others: Sequence[bytes], draw: np.random.Generator) -> bytes:
    """A whole record inside another: what a client that forges records sends."""
    at, other = place(record, draw), others[int(draw.integers(len(others)))]
    return record[:at] + other + record[at:]


def splice_foreign(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    return splice(record, foreign(), draw)


def replace_foreign(_: bytes, __: Sequence[bytes], draw: np.random.Generator) -> bytes:
    return foreign()[int(draw.integers(len(foreign())))]


def twice(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    one, other = sorted((place(record, draw), place(record, draw)))
    return record[:other] + record[one:other] * int(draw.integers(1, 30)) + record[other:]


def crlf(record: bytes, _: Sequence[bytes], __: np.random.Generator) -> bytes:
    return record.replace(b"\n", b"\r\n")


def random_bytes(record: bytes, _: Sequence[bytes], draw: np.random.Generator) -> bytes:
    at = place(record, draw)
    return record[:at] + draw.bytes(int(draw.integers(1, 24))) + record[at:]


def huge(record: bytes, draw: np.random.Generator) -> bytes:
    at, fill = (
        place(record, draw),
        (b"A", b'"', b"'", b"\\", b",", b"\xb2", b"\0", b" ", b"\n", b"(")[int(draw.integers(10))],
    )
    return record[:at] + fill * HUGE[int(draw.random() < 0.3)] + record[at:]


MUTATIONS: tuple[Callable[[bytes, Sequence[bytes], np.random.Generator], bytes], ...] = (
    insert, insert, insert, overwrite, overwrite, cut_end, cut_end_of_line, cut_begin, cut_middle, splice, nest,
    splice_foreign, replace_foreign, twice, crlf, random_bytes,
)  # fmt: skip

"""Whether every record of a captured file is an event, a reject or a counted skip, and every byte is accounted for."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from detection import age, known_files

from monitor.assemble import Assembly, named_source
from monitor.replay import chunks
from parsers.registry import Carry, parsers

STAMP = re.compile(rb"(?m)^\d{8} \d\d:\d\d:\d\d,")


@dataclass(frozen=True, slots=True)
class Counted:
    """One file. `framed`: its records, counted without our parsers; `events` are distinct places in the file."""

    name: str
    format: str
    framed: int
    size: int
    events: int
    rejects: Counter[str]
    skips: Counter[str]
    accounted: int  # bytes of events, rejects and skips

    @property
    def records(self) -> int:
        return self.events + self.rejects.total() + self.skips.total()


def count_records(assembly: Assembly, samples: Path) -> list[Counted]:
    """Every file below `samples` that the configuration names, each folder's in order of age."""
    counted: list[Counted] = []
    files = sorted((path for path in samples.rglob("*") if path.is_file()), key=lambda path: (path.parent, age(path)))
    carries: dict[tuple[Path, str], Carry] = {}
    for path, source in known_files(assembly, files):
        place = (path.parent, source) if path.parent != samples else (path, source)
        one, carry = _count(assembly, path, source, str(path.relative_to(samples)), carries.get(place, {}))
        carries[place] = carry
        counted.append(one)
    return counted


def _count(assembly: Assembly, path: Path, source: str, name: str, carry: Carry) -> tuple[Counted, Carry]:
    named = named_source(assembly.settings, source)
    events, accounted = 0, 0
    rejects, skips = Counter[str](), Counter[str]()
    carries = {source: carry}
    for chunk in chunks(path, named, parsers()[named.format], datetime.now(UTC)):
        read = assembly.pipeline.read([chunk], carries)
        carries.update(read.carries)
        places = read.events.select("position", "length").unique("position")
        events += places.height
        accounted += int(places["length"].sum()) + int(read.rejects["length"].sum())
        rejects.update(read.rejects["reason"].to_list())
        for (_, _, reason), (records, size) in read.skips.items():
            skips[reason] += records
            accounted += size
    data = path.read_bytes()
    return Counted(name, named.format, framed(data, named.format), len(data), events, rejects, skips, accounted), carries[source]  # fmt: skip


def framed(data: bytes, form: str) -> int:
    """Records by the plainest reading of the format: rows of CSV, stamps at the beginning of a line, else lines."""
    if form == "postgresql_csvlog":
        return sum(1 for _ in csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
    if form == "mariadb_server_audit":
        return len(STAMP.findall(data))
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)

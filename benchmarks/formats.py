"""Every captured file, counted: each record is an event, a reject or a counted skip, and every byte is in one of them.

    python benchmarks/formats.py --config SITE --samples DIR [--samples DIR ...] [--report docs/formats/counts.md] [--json]

The configuration says which format a file is in. Ends with 1 when bytes are unaccounted for or a file is of no source.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from detection import age

from monitor.assemble import Assembly, assembled, named_source, read_site
from monitor.protect import ephemeral_key
from monitor.replay import chunks, source_of
from parsers.registry import Carry

NOT_LOGS = re.compile(r"(^|/)(README\.md|labels\.jsonl|reference_events\.jsonl|schema_\w+\.sql|kinds\.json|site\.md)$")
AUDIT_STAMP = re.compile(rb"(?m)^\d{8} \d\d:\d\d:\d\d,")
# one record is not one line, and no plain reading tells how many there are
MANY_LINES = frozenset(
    {
        "postgresql_stderr", "postgresql_syslog", "mariadb_general_log", "mariadb_slow_log", "mysql_audit_json", "mysql_audit_xml",
        "percona_audit_csv",
    }
)  # fmt: skip

HEAD = """# Counts of the captured logs

Written by `benchmarks/formats.py --report`; do not edit. Every captured file of the sample hospital, read whole by the parser that
`config/examples/sample-hospital/hospital.yaml` names for it. Each byte lies in exactly one event, reject or counted skip; why a skip
means nothing and what a reject's reason says stands on the page of the format. *Records* are events (by distinct places), rejects and
skips; the number in brackets is that of the plainest reading (rows of a CSV reader, stamps at the beginning of a line, lines) where it
differs and where there is one.
"""
# why the records that were rejected in the captured files are no events
REJECTED = {
    "postgresql_stderr no_prefix": '`NOTICE:  relation "stolen" …`: libpq inside the server process (dblink) wrote to the server\'s '
    "stderr, past the logger, so the line has no log_line_prefix: no time, no process",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """One file. `framed`: its records counted without our parsers, None where no plain reading tells."""

    name: str
    format: str
    framed: int | None
    size: int
    events: int
    rejects: Counter[str]
    skips: Counter[str]
    accounted: int  # bytes of events, rejects and skips

    @property
    def records(self) -> int:
        return self.events + self.rejects.total() + self.skips.total()


def count_records(assembly: Assembly, samples: Path) -> tuple[list[Counted], list[str]]:
    """Every file below `samples`, each folder's in order of age; and the names of those that belong to no source."""
    counted: list[Counted] = []
    unknown: list[str] = []
    files = sorted((path for path in samples.rglob("*") if path.is_file()), key=lambda path: (path.parent, age(path)))
    carries: dict[str, Carry] = {}
    for path in files:
        name = str(path.relative_to(samples))
        if NOT_LOGS.search(name):
            continue
        source = source_of(path, assembly.settings)
        if source is None:
            unknown.append(name)
            continue
        counted.append(_count(assembly, path, source, name, carries))
    return counted, unknown


def _count(assembly: Assembly, path: Path, source: str, name: str, carries: dict[str, Carry]) -> Counted:
    named, parser = named_source(assembly.settings, source), assembly.pipeline.parsers[source]
    events, accounted = 0, 0
    rejects, skips = Counter[str](), Counter[str]()
    for chunk in chunks(path, named, parser, datetime.now(UTC)):
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
    return Counted(name, named.format, framed(data, named.format), len(data), events, rejects, skips, accounted)


def framed(data: bytes, form: str) -> int | None:
    """Records by the plainest reading of the format: rows of CSV, stamps at the beginning of a line, else lines."""
    if form in MANY_LINES:
        return None
    if form == "postgresql_csvlog":
        return sum(1 for _ in csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
    if form == "mariadb_server_audit":
        return len(AUDIT_STAMP.findall(data))
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)


def page(folders: list[tuple[str, list[Counted]]]) -> str:
    """The page of all folders of samples."""
    parts = [HEAD]
    for folder, files in folders:
        lines = [
            f"## {folder}\n",
            "| file | format | bytes | records | events | rejects | skips | bytes accounted for |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(one) for one in files]
        sums = [sum(column) for column in zip(*((c.size, c.records, c.events, c.rejects.total(), c.skips.total()) for c in files), strict=True)]  # fmt: skip
        whole = all(one.accounted == one.size for one in files)
        lines.append(
            f"| **all** | | {' | '.join(f'**{number}**' for number in sums)} | **{'all' if whole else 'NOT ALL'}** |"
        )
        parts.append("\n".join(lines) + "\n")
    parts.append("## Rejects\n\n" + _rejected([one for _, files in folders for one in files]))
    return "\n".join(parts)


def _rejected(files: list[Counted]) -> str:
    found = Counter(f"{one.format} {reason}" for one in files for reason in one.rejects.elements())
    lines = [f"- {what} ({number}): {REJECTED.get(what, 'not looked into')}" for what, number in sorted(found.items())]
    return "\n".join(lines or ["None."]) + "\n"


def _row(one: Counted) -> str:
    plain = "" if one.framed in (None, one.records) else f" ({one.framed})"
    accounted = "all" if one.accounted == one.size else str(one.accounted)
    return (
        f"| {one.name} | {one.format} | {one.size} | {one.records}{plain} | {one.events} | {_reasons(one.rejects)} "
        f"| {_reasons(one.skips)} | {accounted} |"
    )


def _reasons(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in sorted(counts.items())) or "0"


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--config", type=Path, required=True)
    given.add_argument("--samples", type=Path, action="append", required=True)
    given.add_argument("--report", type=Path)
    given.add_argument("--json", action="store_true")
    arguments = given.parse_args()
    folders: list[tuple[str, list[Counted]]] = []
    faults: list[str] = []
    for samples in arguments.samples:
        with assembled(read_site(arguments.config, samples), ephemeral_key(), lateness=None) as assembly:
            counted, unknown = count_records(assembly, samples)
        folders.append((samples.resolve().name, counted))
        faults += [f"{name}: belongs to no source" for name in unknown]
        faults += [f"{c.name}: {c.accounted} of {c.size} bytes accounted for" for c in counted if c.accounted != c.size]
    if arguments.report is not None:
        arguments.report.write_text(page(folders), encoding="utf-8")
    elif arguments.json:
        for _, files in folders:
            for one in files:
                print(json.dumps({name: getattr(one, name) for name in one.__slots__} | {"records": one.records}))
    else:
        print(page(folders))
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

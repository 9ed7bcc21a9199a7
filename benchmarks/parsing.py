"""Bytes to EVENTS alone, for every log format: records and megabytes a CPU second, beside what each format must reach.

    python benchmarks/parsing.py                          the golden samples, each repeated
    python benchmarks/parsing.py --only 'postgresql_*' --json
    python benchmarks/parsing.py --samples 'postgresql_jsonlog=logs/*.json'     captured files, a line each

A log is read as the daemon reads it: whole records in chunks of 4 MB through framing and parse, the carry handed on, one thread
for Polars. CPU is user + system of all threads of this process, of each chunk the cheapest reading. Golden samples hold one of everything, so they are harder than a day's log;
those of damage and attacks are left out. csvlog and jsonlog are also measured on the generated workload (generate.py), beside what
the standard library takes to split the same bytes into fields (`csv.reader`, `json.loads`), without understanding any.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import gc
import glob
import io
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from end_to_end import generate

import monitor  # noqa: F401 - as in the daemon, Polars has one thread
from parsers.events import Origin
from parsers.postgresql_csvlog import COLUMNS
from parsers.registry import Carry, Parser, parsers

SAMPLES = Path(__file__).parents[1] / "tests" / "parsers" / "samples"
CHUNK = 4 << 20
ODD = ("forged", "broken", "hostile", "edge")  # samples of little but damage and attacks
LEAST = 50_000  # records a CPU second, every format
TARGETS = {"postgresql_csvlog": 150_000, "postgresql_jsonlog": 150_000, "mariadb_server_audit": 300_000}
ZONE = ZoneInfo("Asia/Shanghai")
READ_AT = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Log:
    """Bytes of one format under one configuration."""

    unit: Parser
    data: bytes


@dataclass(frozen=True, slots=True)
class Speed:
    name: str
    records: int
    megabytes: float
    records_per_cpu_second: float
    megabytes_per_cpu_second: float
    target: int | None

    @property
    def reached(self) -> bool:
        return self.target is None or self.records_per_cpu_second >= self.target


def cpu_seconds() -> float:
    """Of this process, all its threads: Polars works in some of its own."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def chunks(log: Log) -> Iterator[tuple[int, bytes]]:
    """(position, whole records), as a tail hands them out: what framing leaves stands before the next read."""
    position = 0
    view = memoryview(log.data)
    while position < len(log.data):
        size = CHUNK
        while True:
            buffer = bytes(view[position : position + size])
            whole = log.unit.framing(buffer, final=position + size >= len(log.data))
            if whole:
                break
            size += CHUNK
        yield position, buffer[:whole]
        position += whole


def read(log: Log) -> int:
    """Parse it all; the number of records: events, rejects and skips."""
    return sum(records for records, _ in readings(log))


def readings(log: Log) -> Iterator[tuple[int, float]]:
    """(records, CPU seconds) of each chunk, framing and parse."""
    carry: Carry = {}
    before = cpu_seconds()
    for position, chunk in chunks(log):
        origin = Origin("site", "system", "source", "/log", log.unit.name, "0" * 16, position, READ_AT, READ_AT)
        parsed = log.unit.parse(chunk, origin, ZONE, carry)
        carry = parsed.carry
        records = parsed.events.height + parsed.rejects.height + sum(count for count, _ in parsed.skips.values())
        after = cpu_seconds()
        yield records, after - before
        before = after


def cheapest(log: Log, runs: int) -> tuple[int, float]:
    """(records, CPU seconds), of each chunk the cheapest reading: other work on the machine only ever adds."""
    every = []
    for _ in range(runs):
        gc.collect()
        every.append(list(readings(log)))
    return sum(records for records, _ in every[0]), max(
        1e-9, sum(min(cost for _, cost in each) for each in zip(*every, strict=True))
    )


def best(work: Callable[[], int], runs: int) -> tuple[int, float]:
    """(records, CPU seconds) of the cheapest run: other work on the machine only ever adds."""
    records, least = 0, float("inf")
    for _ in range(runs):
        gc.collect()
        before = cpu_seconds()
        records = work()
        least = min(least, cpu_seconds() - before)
    return records, max(least, 1e-9)


def measured(name: str, logs: list[Log], runs: int, target: int | None) -> Speed:
    return speed(name, sum(len(log.data) for log in logs), [cheapest(log, runs) for log in logs], target)


def speed(name: str, size: int, costs: list[tuple[int, float]], target: int | None = None) -> Speed:
    records, seconds = sum(count for count, _ in costs), sum(spent for _, spent in costs)
    return Speed(name, records, round(size / 1e6, 1), round(records / seconds), round(size / 1e6 / seconds, 1), target)


def target_of(name: str) -> int:
    return TARGETS.get(name, LEAST)


def repeated(data: bytes, size: int) -> bytes:
    whole = data if data.endswith(b"\n") else data + b"\n"
    return whole * max(1, size // max(1, len(whole)))


def golden(name: str, size: int) -> list[Log]:
    """The golden samples of a format, each repeated so that all together are about `size` bytes."""
    folder = SAMPLES / name
    files = [file for file in sorted(folder.glob("*")) if not file.name.endswith((".events.jsonl", ".options.json"))]
    files = [file for file in files if not any(word in file.name for word in ODD) and file.stat().st_size] or files
    return [Log(configured(name, file), repeated(file.read_bytes(), size // len(files))) for file in files]


def configured(name: str, sample: Path) -> Parser:
    told = sample.with_name(sample.stem + ".options.json")
    return (
        parsers()[name].configured(json.loads(told.read_text(encoding="utf-8"))) if told.exists() else parsers()[name]
    )


def captured(given: str, size: int, runs: int) -> Iterator[Speed]:
    """Of FORMAT=PATTERN: every file by itself."""
    name, _, pattern = given.partition("=")
    for file in sorted(glob.glob(pattern)):  # noqa: PTH207 - the pattern may be absolute
        log = Log(parsers()[name], repeated(Path(file).read_bytes(), size))
        label = f"{name} {'/'.join(Path(file).parts[-2:])}"
        yield measured(label, [log], runs, target_of(name))


def as_jsonlog(log: bytes) -> bytes:
    """The same records as PostgreSQL writes them with log_destination=jsonlog."""
    lines = []
    for row in csv.reader(io.StringIO(log.decode(), newline="")):
        told = {JSON_KEYS[name]: value for name, value in zip(COLUMNS, row, strict=True) if value and name in JSON_KEYS}
        host, _, port = told.get("remote_host", "").rpartition(":")  # none in [local]
        if host:
            told |= {"remote_host": host, "remote_port": int(port)}
        if told.get("state_code") == "00000":
            del told["state_code"]
        told |= {key: int(told[key]) for key in NUMBERS if key in told}
        lines.append(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
    return "".join(f"{line}\n" for line in lines).encode()


def as_server_audit(log: bytes) -> bytes:
    """The same statements as MariaDB's server_audit writes them, cut at its default limit."""
    lines = []
    for number, row in enumerate(csv.reader(io.StringIO(log.decode(), newline="")), 1):
        told = dict(zip(COLUMNS, row, strict=True))
        message = told["message"].removeprefix("AUDIT: ")
        if message == told["message"]:
            continue
        text = next(csv.reader([message]))[7]
        for raw, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            text = text.replace(raw, escaped)
        cut = text.encode()[:1024].decode(errors="ignore")
        day = told["log_time"][:19].replace("-", "")
        host = told["connection_from"].rpartition(":")[0] or "localhost"
        where = f"{day},hisdb01,{told['user_name']},{host},{told['process_id']},{number},QUERY,his"
        lines.append(f"{where},'{cut}',0\n")
    return "".join(lines).encode()


JSON_KEYS = {name: name for name in COLUMNS} | {
    "log_time": "timestamp", "user_name": "user", "database_name": "dbname", "process_id": "pid",
    "connection_from": "remote_host", "session_line_num": "line_num", "command_tag": "ps",
    "session_start_time": "session_start", "virtual_transaction_id": "vxid", "transaction_id": "txid",
    "sql_state_code": "state_code", "internal_query_pos": "internal_position", "query": "statement",
    "query_pos": "cursor_position",
}  # fmt: skip
del JSON_KEYS["location"]
NUMBERS = ("pid", "line_num", "txid", "internal_position", "cursor_position", "leader_pid", "query_id")


def peer_csv(log: bytes) -> int:
    return sum(1 for _ in csv.reader(io.StringIO(log.decode(), newline="")))


def peer_json(log: bytes) -> int:
    return sum(1 for line in log.split(b"\n") if line and json.loads(line))


def workload(size: int, seed: int, runs: int) -> Iterator[Speed]:
    """The generated day as csvlog and jsonlog, each beside its peer on the same bytes; its statements as server_audit."""
    with tempfile.TemporaryDirectory(prefix="hiswatch-bench-") as folder:
        log, _, _ = generate(size, seed, Path(folder))
        text = log.read_bytes()
    peers = (("postgresql_csvlog", text, peer_csv), ("postgresql_jsonlog", as_jsonlog(text), peer_json))
    for name, data, peer in peers:
        yield measured(f"{name} generated", [Log(parsers()[name], data)], runs, target_of(name))
        yield speed(f"  {peer.__name__}: fields alone", len(data), [best(lambda p=peer, d=data: p(d), runs)])
    audit = "mariadb_server_audit"
    yield measured(f"{audit} generated", [Log(parsers()[audit], as_server_audit(text))], runs, target_of(audit))


def measurements(given: argparse.Namespace) -> Iterator[Speed]:
    if given.samples:
        for one in given.samples:
            yield from captured(one, given.bytes, given.runs)
        return
    for name in parsers():
        if fnmatch.fnmatchcase(name, given.only):
            yield measured(name, golden(name, given.bytes), given.runs, target_of(name))
    if given.only == "*":
        yield from workload(given.bytes, given.seed, given.runs)


def shown(found: Speed) -> str:
    verdict = ""
    if found.target is not None:
        verdict = f"  target {found.target:,}: {'reached' if found.reached else 'NOT REACHED'}"
    return (
        f"{found.name:<34} {found.records:>9,} records {found.megabytes:>6.1f} MB {found.records_per_cpu_second:>10,} records/CPU s"
        f" {found.megabytes_per_cpu_second:>7.1f} MB/CPU s{verdict}"
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bytes", type=int, default=20_000_000, help="about so much of every format")
    options.add_argument("--runs", type=int, default=3, help="the cheapest counts")
    options.add_argument("--seed", type=int, default=20261118)
    options.add_argument("--only", default="*", help="names of formats, with wildcards")
    options.add_argument("--samples", action="append", metavar="FORMAT=PATTERN", help="captured files; may be repeated")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    done = []
    for found in measurements(given):
        done.append(found)
        if not given.json:
            print(shown(found), flush=True)
    if given.json:
        print(json.dumps([asdict(one) | {"reached": one.reached} for one in done], indent=1))
    return 0 if all(one.reached for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())

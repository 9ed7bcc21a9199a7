"""The bench log is what PostgreSQL with pgaudit would write, holds what it says, and is the same for the same seed."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from config.loader import load_site
from detectors.findings import FAMILIES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BYTES = 6_000_000


@dataclass(frozen=True)
class Made:
    folder: Path
    log: bytes
    records: list[list[str]]
    audits: list[tuple[list[str], list[str]]]  # record, payload
    planted: list[dict[str, object]]


def run(folder: Path, *, size: int, seed: int) -> None:
    command = [sys.executable, str(BENCHMARKS / "generate.py"), "--bytes", str(size), "--seed", str(seed)]
    subprocess.run([*command, "--out", str(folder / "log.csv"), "--plain-out", str(folder / "plain.csv")], check=True)


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("bench")
    run(folder, size=BYTES, seed=7)
    records = read(folder / "log.csv")
    audits = [
        (record, next(csv.reader(io.StringIO(record[13].removeprefix("AUDIT: "), newline=""))))
        for record in records
        if record[13].startswith("AUDIT: ")
    ]
    planted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))
    return Made(folder, (folder / "log.csv").read_bytes(), records, audits, planted)


def test_the_size_is_what_was_asked_for(made: Made) -> None:
    assert abs(len(made.log) - BYTES) < 30_000


def test_every_record_has_26_columns_and_every_payload_9_fields(made: Made) -> None:
    assert {len(record) for record in made.records} == {26}
    assert {len(payload) for _, payload in made.audits} == {10}


def test_time_never_runs_backwards(made: Made) -> None:
    stamps = [record[0] for record in made.records]
    assert stamps == sorted(stamps)
    assert all(re.fullmatch(r"2026-11-18 \d\d:\d\d:\d\d\.\d{3} CST", stamp) for stamp in stamps)


def test_every_session_counts_its_records_without_a_hole(made: Made) -> None:
    sessions: dict[str, list[int]] = {}
    for record in made.records:
        sessions.setdefault(record[5], []).append(int(record[6]))
    assert all(lines in (list(range(1, len(lines) + 1)), [2]) for lines in sessions.values())


def test_the_first_line_is_quoted_as_the_server_quotes_it(made: Made) -> None:
    lines = made.log.decode().split("\n")
    assert re.fullmatch(
        r'2026-11-18 [\d:.]+ CST,,,\d+,"10\.20\.[\d.]+:\d+",[0-9a-f]+\.[0-9a-f]+,1,"",2026-11-18 [\d:]+ CST,,0,LOG,00000,'
        r'"connection received: host=[\d.]+ port=\d+",,,,,,,,,"","not initialized",,0',
        lines[0],
    )
    assert re.fullmatch(
        r'2026-11-18 [\d:.]+ CST,"\w+","his",\d+,"[\d.]+:\d+",[0-9a-f]+\.[0-9a-f]+,3,"authentication",2026-11-18 [\d:]+ CST,\d+/\d+,0,LOG,00000,'
        r'"connection authorized: user=\w+ database=his application_name=[^"]+",,,,,,,,,"","client backend",,0',
        lines[2],
    )


def test_the_mix_is_the_one_that_is_promised(made: Made) -> None:
    statements = [payload[7] for _, payload in made.audits]
    count = len(statements)
    ordinary_accounts = {record[1] for record in made.records if record[1]} - {"test01"}
    assert len(ordinary_accounts) == 40
    assert len({record[4].rpartition(":")[0] for record in made.records} - {"192.168.66.77", "192.168.66.99"}) == 30
    assert 0.25 < sum(payload[8] != "<none>" for _, payload in made.audits) / count < 0.33
    assert 0.007 < sum(bool(re.search(r"\bx\d+_[0-9a-f]{4}\b", text)) for text in statements) / count < 0.013
    assert 1 <= sum(len(text) > 6_000 for text in statements) <= 0.0015 * count
    for sign in ("\n", '"', "'", "/*", "--", "患者"):
        assert any(sign in text for text in statements), sign
    hours = Counter(int(record[0][11:13]) for record in made.records)
    assert sum(hours[hour] for hour in range(8, 18)) > 0.8 * len(made.records)


def test_what_is_planted_is_in_the_log(made: Made) -> None:
    assert len(made.planted) >= 14
    for act in made.planted:
        assert set(act["families"]) <= set(FAMILIES)  # type: ignore[call-overload]
        begin, end = (str(act[key])[:23].replace("T", " ") for key in ("from", "to"))
        seen = [record for record in made.records if record[1] == act["account"] and begin <= record[0][:23] <= end]
        assert seen, act["kind"]
        assert all(record[4].startswith(str(act["client_ip"])) for record in seen if begin > "2026-11-18 19")


def test_the_plain_log_has_the_same_statements(made: Made) -> None:
    plain = read(made.folder / "plain.csv")
    texts = [
        re.fullmatch(r"duration: [\d.]+ ms  (?:statement|execute <unnamed>): (.*)", record[13], re.DOTALL)
        for record in plain
    ]
    assert all(texts)
    assert [match[1] for match in texts if match] == [payload[7] for _, payload in made.audits]


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = tmp_path / name
        folder.mkdir()
        run(folder, size=400_000, seed=seed)
        digests.append(sha256((folder / "log.csv").read_bytes() + (folder / "plain.csv").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_the_site_knows_every_ordinary_account(made: Made) -> None:
    site = load_site(BENCHMARKS / "site" / "hospital.yaml")
    assert site.register is not None
    known = {
        account.account
        for group in (site.register.people, site.register.services)
        for owner in group.values()
        for account in owner.accounts
    }  # fmt: skip
    assert {record[1] for record in made.records if record[1]} - known == {"test01"}
    assert len(known) == 40

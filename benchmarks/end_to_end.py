"""The whole way: raw bytes of a pgaudit csvlog to stored events and findings, beside pgBadger on the same statements.

    make bench                       100 MB, three runs each
    make bench ARGS="--bytes 20000000 --runs 1"

Prints records per CPU second (user + system of the whole process tree, cold caches of our own, final checkpoint
included), peak memory of the tree, and whether every planted act was found. Losses stay in the table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from processes import Cost, measure

HERE = Path(__file__).parent
HISWATCH = str(Path(sys.executable).with_name("hiswatch"))


def generate(size: int, seed: int, folder: Path) -> tuple[Path, Path, Path]:
    log, plain, planted = folder / "postgresql.csv", folder / "plain.csv", folder / "planted.json"
    if not (log.exists() and plain.exists() and planted.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(HERE / "generate.py"), "--bytes", str(size), "--seed", str(seed)]
        measure([*command, "--out", str(log), "--plain-out", str(plain), "--planted", str(planted)])
    return log, plain, planted


def count_records(log: Path) -> int:
    """Records of a csvlog: line breaks at which the quotes balance."""
    records, inside = 0, False
    with log.open("rb") as file:
        for line in file:
            inside ^= bool(line.count(b'"') & 1)
            records += not inside
    return records


def ours(log: Path, config: Path) -> tuple[Cost, list[dict[str, object]]]:
    with tempfile.TemporaryDirectory(prefix="hiswatch-bench-") as store:
        command = [
            HISWATCH,
            "scan",
            "--config",
            str(config),
            "--source",
            "his_pg",
            "--store",
            store,
            "--json",
            str(log),
        ]
        cost = measure(command)
    return cost, [json.loads(line) for line in cost.output.split(b"\n") if line]


def pgbadger(plain: Path) -> Cost | None:
    program = shutil.which("pgbadger")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="hiswatch-bench-") as out:
        return measure([program, "-q", "-j", "1", "-f", "csv", "-o", f"{out}/report.html", str(plain)])


def missing(planted: Path, findings: list[dict[str, object]]) -> list[str]:
    """Planted acts that no finding of a right family on the account tells."""
    lost = []
    for act in json.loads(planted.read_text(encoding="utf-8")):
        hit = any(
            finding["family"] in act["families"]
            and finding["account"] == act["account"]
            and str(finding["last_seen"]) >= act["from"]
            and str(finding["first_seen"]) <= act["to"]
            for finding in findings
        )
        if not hit:
            lost.append(f"{act['kind']} by {act['account']}")
    return lost


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bytes", type=int, default=100_000_000)
    options.add_argument("--seed", type=int, default=20261118)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--data", type=Path, default=None, help="folder that keeps the generated logs")
    given = options.parse_args()
    folder = given.data or Path(tempfile.gettempdir()) / f"hiswatch-bench-{given.bytes}-{given.seed}"
    log, plain, planted = generate(given.bytes, given.seed, folder)
    records, plain_records = count_records(log), count_records(plain)
    print(
        f"{log.stat().st_size / 1e6:.1f} MB, {records} records; pgBadger: {plain_records} records of the same statements"
    )
    our_speeds, peer_speeds, peaks, lost, found = [], [], [], [], 0
    for _ in range(given.runs):
        cost, findings = ours(log, HERE / "site" / "hospital.yaml")
        our_speeds.append(records / cost.cpu_seconds)
        peaks.append(cost.peak_rss_mb)
        found, lost = len(findings), missing(planted, findings)
        peer = pgbadger(plain)
        if peer is not None:
            peer_speeds.append(plain_records / peer.cpu_seconds)
    show("hiswatch, bytes to stored events and findings", our_speeds)
    print(
        f"  peak memory of the tree: {max(peaks):.0f} MB resident; findings: {found}; planted acts missed: {lost or 'none'}"
    )
    if peer_speeds:
        show("pgBadger -j 1 -f csv, statistics only", peer_speeds)
        print(f"  ratio of medians: {statistics.median(our_speeds) / statistics.median(peer_speeds):.1f}")
    else:
        print("pgBadger is not installed: no peer beside it")
    return 1 if lost else 0


def show(name: str, speeds: list[float]) -> None:
    print(
        f"{name}: {statistics.median(speeds):,.0f} records per CPU second ({min(speeds):,.0f} to {max(speeds):,.0f}, {len(speeds)} runs)"
    )


if __name__ == "__main__":
    sys.exit(main())

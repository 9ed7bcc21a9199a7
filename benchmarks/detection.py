"""What the detections find in labelled logs, and what they cry wolf about.

    python benchmarks/detection.py --config SITE --labels LABELS --samples DIR [--kinds KINDS] [--disable-context] [--json]

Each log file set (one folder's files of one format; one file of a transfer server) is replayed on its own with fresh
state. A labelled malicious scenario is found by a finding of a family that `kinds.json` names for it, at medium or above,
on its account, whose first to last event touches the window or the 120 s after it. It is not counted where the files hold
no record of the account in the window, or where a scenario about the hour lies inside office hours. A finding at medium
or above that touches no malicious window of its account or address is false.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from monitor.assemble import Assembly, assembled, new_engine, read_site
from monitor.protect import ephemeral_key
from monitor.replay import plan
from monitor.scan import latest, replay

AFTER = timedelta(seconds=120)
HEARD = ("medium", "high", "critical")
ABOUT_CONTEXT = ("TIM", "VND", "ACC-02", "ACC-03", "EXF-13")
ABOUT_HOURS = frozenset({"TIM"})


@dataclass(frozen=True, slots=True)
class Label:
    scenario: str
    accounts: tuple[str, ...]
    malicious: bool
    start: datetime
    end: datetime
    address: str | None
    folder: str | None  # of a database run
    files: tuple[str, ...]  # patterns of a transfer log

    def touches(self, row: dict) -> bool:
        # Stamps of some logs are whole seconds: a window that begins within one holds its records.
        return row["first_seen"] <= self.end + AFTER and row["last_seen"] >= self.start - timedelta(seconds=1)

    def of(self, account: str | None) -> bool:
        return account in self.accounts


@dataclass
class Result:
    name: str
    records: int = 0
    found: dict[Label, list[str]] = field(default_factory=dict)
    missed: list[Label] = field(default_factory=list)
    not_counted: list[tuple[Label, str]] = field(default_factory=list)
    benign: list[Label] = field(default_factory=list)
    loud: dict[Label, list[str]] = field(default_factory=dict)
    false: list[dict] = field(default_factory=list)


def read_labels(path: Path) -> list[Label]:
    labels = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.strip():
            continue
        row = json.loads(line)
        folder = row.get("dir")
        names = re.sub(r"\([^)]*\)", "", row["source"]) if folder is None else ""
        labels.append(
            Label(
                row["scenario"], tuple(name.strip() for name in row["account"].split(",")), row["expected"] == "malicious",
                datetime.fromisoformat(row["t_start"]), datetime.fromisoformat(row["t_end"]),
                row["source"] if folder is not None else None, folder,
                tuple(name.strip() for name in names.split(",") if name.strip()),
            )
        )  # fmt: skip
    return labels


def file_sets(samples: Path, labels: list[Label]) -> Iterator[tuple[str, list[Path], list[Label]]]:
    """(name, files in order, labels of them)."""
    for folder in sorted({label.folder for label in labels if label.folder}):
        own = [label for label in labels if label.folder == folder]
        groups = defaultdict(list)
        for file in sorted((samples / folder).iterdir()):
            groups[file.name.partition(".")[0] if file.suffix not in (".csv", ".json") else file.suffix].append(file)
        for suffix, files in sorted(groups.items()):
            # Rotated files end in .1, .2 ...: the highest number is the oldest.
            yield f"{folder}/{suffix.lstrip('.')}", sorted(files, key=_age), own
    for file in sorted(path for path in samples.iterdir() if path.is_file()):
        own = [label for label in labels if any(fnmatch.fnmatchcase(file.name, name) for name in label.files)]
        if own:
            yield file.name, [file], own


def _age(path: Path) -> tuple[str, int]:
    base, _, number = path.name.rpartition(".")
    return (base, -int(number)) if number.isdigit() else (path.name, 0)


def evaluate(
    assembly: Assembly, name: str, files: list[Path], labels: list[Label], kinds: dict[str, list[str]]
) -> Result | None:
    """Replay one set; None when the configuration knows none of its files."""
    planned = []
    for file in files:
        try:
            planned += plan(assembly.settings, [file])
        except Exception as error:
            if type(error).__name__ != "StartError":
                raise
    if not planned:
        return None
    assembly.pipeline.engine = new_engine(assembly.site, assembly.rules, None)
    events, findings = [], []
    for seen in replay(assembly, planned):
        events.append(seen.events.select("occurred_at", "account", "office_hours", "client_ip"))
        findings.append(seen.observed.findings)
    rows = [row for row in latest(findings).iter_rows(named=True) if row["severity"] in HEARD]
    return judge(Result(name), pl.concat(events), rows, labels, kinds)


def judge(
    result: Result, events: pl.DataFrame, rows: list[dict], labels: list[Label], kinds: dict[str, list[str]]
) -> Result:
    result.records = events.height
    for label in labels:
        seen = events.filter(
            pl.col("account").is_in(label.accounts)
            & pl.col("occurred_at").is_between(label.start - timedelta(seconds=1), label.end + timedelta(seconds=1))
        )
        hits = [row for row in rows if label.of(row["account"]) and label.touches(row)]
        if not label.malicious:
            result.benign.append(label)
            # What a malicious scenario of the same account explains is not held against its neighbour in time.
            own = [row for row in hits if not any(_explains(other, row) for other in labels if other.malicious)]
            if loud := sorted({row["rule"] for row in own if row["severity"] in ("high", "critical")}):
                result.loud[label] = loud
            continue
        families = kinds.get(label.scenario, [])
        right = sorted({row["rule"] for row in hits if row["family"] in families})
        if right:
            result.found[label] = right
        elif seen.is_empty():
            result.not_counted.append((label, "no record of the account in the window"))
        elif set(families) <= ABOUT_HOURS and seen["office_hours"].all():
            result.not_counted.append((label, "inside office hours"))
        else:
            result.missed.append(label)
    malicious = [label for label in labels if label.malicious]
    result.false = [row for row in rows if not any(_explains(label, row) for label in malicious)]
    return result


def _explains(label: Label, row: dict) -> bool:
    mine = (
        row["account"] is None
        or label.of(row["account"])
        or (label.address is not None and row["client_ip"] == label.address)
    )
    return mine and label.touches(row)


def table(results: list[Result]) -> str:
    kinds: dict[str, Counter] = defaultdict(Counter)
    for result in results:
        for label in result.found:
            kinds[label.scenario]["found"] += 1
        for label in result.missed:
            kinds[label.scenario]["missed"] += 1
        for label, _ in result.not_counted:
            kinds[label.scenario]["not counted"] += 1
    lines = ["| malicious scenario | found | missed | not counted |", "|---|---|---|---|"]
    lines += [f"| {kind} | {c['found']} | {c['missed']} | {c['not counted']} |" for kind, c in sorted(kinds.items())]
    total = sum(kinds.values(), Counter())
    counted = total["found"] + total["missed"]
    lines.append(
        f"| **all** | **{total['found']} of {counted} = {total['found'] / max(1, counted):.0%}** | {total['missed']} | {total['not counted']} |"
    )
    benign, loud = sum(len(r.benign) for r in results), sum(len(r.loud) for r in results)
    lines += ["", f"Benign scenarios: {benign}; {loud} of them ({loud / max(1, benign):.0%}) raise high or critical."]
    false = Counter((row["rule"], row["severity"], row["account"]) for result in results for row in result.false)
    lines += [
        "",
        f"False findings at medium or above: {sum(false.values())}",
        "",
        "| rule | severity | account | times |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {rule} | {band} | {account or ''} | {count} |"
        for (rule, band, account), count in sorted(false.items(), key=str)
    ]
    return "\n".join(lines)


def details(results: list[Result]) -> str:
    lines = ["", "Missed:"]
    lines += [
        f"  {r.name}: {x.scenario} by {','.join(x.accounts)} at {x.start:%m-%d %H:%M:%S}"
        for r in results
        for x in r.missed
    ]
    lines += ["Benign that raise high or critical:"]
    lines += [
        f"  {r.name}: {x.scenario} by {','.join(x.accounts)}: {', '.join(rules)}"
        for r in results
        for x, rules in r.loud.items()
    ]
    lines += ["Not counted:"]
    lines += [f"  {r.name}: {x.scenario} by {','.join(x.accounts)}: {why}" for r in results for x, why in r.not_counted]
    return "\n".join(lines)


def as_json(results: list[Result]) -> str:
    def scenario(label: Label) -> dict:
        return {"scenario": label.scenario, "account": ",".join(label.accounts), "start": label.start.isoformat()}

    return json.dumps(
        [
            {
                "set": r.name, "records": r.records,
                "found": [scenario(x) | {"rules": rules} for x, rules in r.found.items()],
                "missed": [scenario(x) for x in r.missed],
                "not_counted": [scenario(x) | {"why": why} for x, why in r.not_counted],
                "benign": len(r.benign), "benign_loud": [scenario(x) | {"rules": rules} for x, rules in r.loud.items()],
                "false": [
                    {"rule": x["rule"], "severity": x["severity"], "account": x["account"], "first_seen": x["first_seen"].isoformat()}
                    for x in r.false
                ],
            }
            for r in results
        ],
        ensure_ascii=False, indent=1,
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--config", type=Path, required=True, help="hospital.yaml")
    options.add_argument("--labels", type=Path, required=True, action="append", help="labels.jsonl; may be given twice")
    options.add_argument(
        "--samples", type=Path, required=True, action="append", help="its folder of logs, in the same order"
    )
    options.add_argument("--kinds", type=Path, help="kinds.json; default: beside or above the samples")
    options.add_argument(
        "--disable-context", action="store_true", help="no rules about vendors, hours, unknown accounts"
    )
    options.add_argument("--only", default="*", help="names of sets, with wildcards")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    results = []
    for labels, samples in zip(given.labels, given.samples, strict=True):
        kinds = given.kinds or next(p for p in (samples / "kinds.json", samples.parent / "kinds.json") if p.exists())
        site = read_site(given.config, samples)
        with assembled(site, ephemeral_key(), lateness=None) as assembly:
            if given.disable_context:
                assembly.rules = tuple(r for r in assembly.rules if not {r.id, r.family} & set(ABOUT_CONTEXT))
            for name, files, own in file_sets(samples, read_labels(labels)):
                if not fnmatch.fnmatchcase(name, given.only):
                    continue
                result = evaluate(assembly, name, files, own, json.loads(kinds.read_text(encoding="utf-8")))
                if result is not None:
                    results.append(result)
                    print(
                        f"{name}: {result.records} records, {len(result.found)} found, {len(result.missed)} missed",
                        file=sys.stderr,
                    )
    print(as_json(results) if given.json else table(results) + "\n" + details(results))


if __name__ == "__main__":
    main()

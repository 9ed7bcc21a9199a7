"""What the detections find in labelled logs, and what they cry wolf about.

    python benchmarks/detection.py --config SITE --labels LABELS --samples DIR [--disable-context] [--json]
    python benchmarks/detection.py --config SITE --labels LABELS --samples DIR --report docs/evaluation.md

Each log file set (one folder's files of one format; one file of a transfer server) is replayed on its own with fresh
state. A labelled malicious scenario is found by a finding of a family that `kinds.json` names for it, at medium or above,
on its account, whose first to last event touches the window or the 120 s after it. It is not counted where the files hold
no record of the account in the window, or where a scenario about the hour lies inside office hours. A mailbox of a
domain in which the register has mailboxes is the account of its local part. A finding at medium
or above that touches no malicious window of its account or address is false.

`--report` replays everything twice, with and without the rules about vendors, hours and unknown accounts, and writes
the page. `formats.py` counts the records.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from config.site import LoadedSite
from detectors.conditions import Ask, Not, Tree
from detectors.rules import Rule
from monitor.assemble import Assembly, assembled, new_engine, new_folding, read_site
from monitor.errors import StartError
from monitor.protect import ephemeral_key
from monitor.replay import plan
from monitor.scan import latest, replay

AFTER = timedelta(seconds=120)
# Stamps of some logs are whole seconds: a window that begins within one holds its records.
ROUNDING = timedelta(seconds=1)
HEARD = ("medium", "high", "critical")
LOUD = ("high", "critical")
ABOUT_HOURS = frozenset({"TIM"})
ABOUT_VENDORS = frozenset({"TIM", "VND"})
# Columns that only the register of people and the calendar can fill: whatever asks for them is about vendors, hours or accounts.
REGISTER_COLUMNS = frozenset(
    {
        "person_valid",
        "account_registered",
        "time_allowed",
        "working_day",
        "office_hours",
        "vendor",
        "vendor_tier",
        "vendor_state",
        "days_left",
        "qualified",
    }
)
OUTSIDERS = frozenset({"vendor", "unknown"})
DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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
        return row["first_seen"] <= self.end + AFTER and row["last_seen"] >= self.start - ROUNDING

    def of(self, account: str | None) -> bool:
        return account in self.accounts

    def records(self, events: pl.DataFrame) -> pl.DataFrame:
        """What the log tells of the account in the window."""
        return events.filter(
            pl.col("account").is_in(self.accounts)
            & pl.col("occurred_at").is_between(self.start - ROUNDING, self.end + ROUNDING)
        )


@dataclass
class Result:
    name: str
    events: pl.DataFrame  # enriched
    found: dict[Label, list[str]] = field(default_factory=dict)
    missed: list[Label] = field(default_factory=list)
    not_counted: list[tuple[Label, str]] = field(default_factory=list)
    benign: list[Label] = field(default_factory=list)
    loud: dict[Label, list[str]] = field(default_factory=dict)
    medium: dict[Label, list[str]] = field(default_factory=dict)  # benign, medium and nothing above
    false: list[dict] = field(default_factory=list)
    findings: list[dict] = field(default_factory=list)


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
    for folder in sorted(path.name for path in samples.iterdir() if path.is_dir()):
        own = _of_folder(folder, labels)
        groups = defaultdict(list)
        for file in sorted((samples / folder).iterdir()) if own else ():
            # files of one log, one a day, are one set; others go by their names
            groups[file.suffix.lstrip(".") if DATED.search(file.name) else file.name.partition(".")[0]].append(file)
        for name, files in sorted(groups.items()):
            yield f"{folder}/{name}", sorted(files, key=age), own
    for file in sorted(path for path in samples.iterdir() if path.is_file()):
        own = [label for label in labels if any(fnmatch.fnmatchcase(file.name, name) for name in label.files)]
        if own:
            yield file.name, [file], own


def _of_folder(folder: str, labels: list[Label]) -> list[Label]:
    """Labels of a run; a second folder of the same run begins with its name (RUN_syslog beside RUN)."""
    runs = {label.folder for label in labels if label.folder}
    run = (
        folder if folder in runs else max((run for run in runs if folder.startswith(f"{run}_")), key=len, default=None)
    )
    return [label for label in labels if label.folder == run] if run else []


def age(path: Path) -> tuple[str, int]:
    """Rotated files end in .1, .2 ...: the highest number is the oldest."""
    base, _, number = path.name.rpartition(".")
    return (base, -int(number)) if number.isdigit() else (path.name, 0)


def known_files(assembly: Assembly, files: Iterable[Path]) -> list[tuple[Path, str]]:
    """The files whose source the configuration names, each with that source."""
    planned = []
    for file in files:
        try:
            planned += plan(assembly.settings, [file])
        except StartError:
            continue
    return planned


def about_context(rule: Rule) -> bool:
    """Whether a rule is about vendors, hours or unknown accounts: by its family, or by what its condition asks for."""
    return rule.family in ABOUT_VENDORS or any(_asks_for_context(step.tree, wanted=True) for step in rule.steps)


def _asks_for_context(node: Tree, *, wanted: bool) -> bool:
    """`wanted`: false inside a `not`, where naming a vendor narrows a rule and does not make it one about vendors."""
    if isinstance(node, Ask):
        if node.column == "actor_kind":
            return wanted and node.value in OUTSIDERS
        if node.column == "person":
            return wanted and node.op == "missing"
        return node.column in REGISTER_COLUMNS
    if isinstance(node, Not):
        return _asks_for_context(node.part, wanted=not wanted)
    return any(_asks_for_context(part, wanted=wanted) for part in node.parts)


def evaluate(
    assembly: Assembly, name: str, files: list[Path], labels: list[Label], kinds: dict[str, list[str]], rules: tuple[Rule, ...]
) -> Result | None:  # fmt: skip
    """Replay one set under the given rules; None when the configuration knows none of its files."""
    planned = known_files(assembly, files)
    if not planned:
        return None
    assembly.pipeline.engine = new_engine(assembly.site, rules, None)
    assembly.pipeline.folding = new_folding(assembly.settings)
    events, findings = [], []
    for seen in replay(assembly, planned):
        events.append(seen.events)
        findings.append(seen.observed.findings)
    domains = mail_domains(assembly.site)
    raised = local_parts(latest(findings), domains)
    rows = [row for row in raised.iter_rows(named=True) if row["severity"] in HEARD]
    return judge(name, local_parts(pl.concat(events), domains), rows, labels, kinds)


def mail_domains(site: LoadedSite) -> list[str]:
    """Domains in which the register has mailboxes: the hospital's own."""
    names = [account for _, _, _, account, _ in site.register.accounts] if site.register else []
    return sorted({name.rpartition("@")[2].lower() for name in names if "@" in name})


def local_parts(frame: pl.DataFrame, domains: list[str]) -> pl.DataFrame:
    """Mailboxes of these domains under the name of their account, as labels name people."""
    mailbox = pl.col("account").str.extract("@([^@]*)$").str.to_lowercase().is_in(domains)
    return frame.with_columns(
        account=pl.when(mailbox).then(pl.col("account").str.replace("@[^@]*$", "")).otherwise("account")
    )


def judge(
    name: str, events: pl.DataFrame, rows: list[dict], labels: list[Label], kinds: dict[str, list[str]]
) -> Result:
    """`events` with occurred_at, account, action and office_hours; `rows`: findings at medium or above."""
    result = Result(name, events, findings=rows)
    for label in labels:
        hits = [row for row in rows if label.of(row["account"]) and label.touches(row)]
        if not label.malicious:
            result.benign.append(label)
            # What a malicious scenario of the same account explains is not held against its neighbour in time.
            own = [row for row in hits if not any(_explains(other, row) for other in labels if other.malicious)]
            told = {True: result.loud, False: result.medium}[any(row["severity"] in LOUD for row in own)]
            if rules := sorted({row["rule"] for row in own if told is result.medium or row["severity"] in LOUD}):
                told[label] = rules
            continue
        families = kinds.get(label.scenario, [])
        seen = label.records(events)
        if seen.height and set(families) <= ABOUT_HOURS and seen["office_hours"].all():
            result.not_counted.append((label, "inside office hours"))
        elif right := sorted({row["rule"] for row in hits if row["family"] in families}):
            result.found[label] = right
        elif seen.is_empty():
            result.not_counted.append((label, "no record of the account in the window"))
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


def stories(result: Result) -> dict[str, str]:
    """Each story that reaches somebody, with its worst severity."""
    worst: dict[str, str] = {}
    for row in result.findings:
        worst[row["story"]] = max(row["severity"], worst.get(row["story"], HEARD[0]), key=HEARD.index)
    return worst


def malicious_stories(result: Result) -> int:
    """Nights (noon to noon, as stories are cut) in which accounts did something malicious that counts."""
    counted = [*result.found, *result.missed]
    return len({(label.accounts, (label.start - timedelta(hours=12)).date()) for label in counted})


def as_json(results: list[Result]) -> str:
    def scenario(label: Label) -> dict:
        return {"scenario": label.scenario, "account": ",".join(label.accounts), "start": label.start.isoformat()}

    return json.dumps(
        [
            {
                "set": r.name, "records": r.events.height,
                "found": [scenario(x) | {"rules": rules} for x, rules in r.found.items()],
                "missed": [scenario(x) for x in r.missed],
                "not_counted": [scenario(x) | {"why": why} for x, why in r.not_counted],
                "benign": len(r.benign), "benign_loud": [scenario(x) | {"rules": rules} for x, rules in r.loud.items()],
                "benign_medium": [scenario(x) | {"rules": rules} for x, rules in r.medium.items()],
                "stories": Counter(stories(r).values()), "malicious_stories": malicious_stories(r),
                "false": [
                    {"rule": x["rule"], "severity": x["severity"], "account": x["account"], "first_seen": x["first_seen"].isoformat()}
                    for x in r.false
                ],
            }
            for r in results
        ],
        ensure_ascii=False, indent=1,
    )  # fmt: skip


def options() -> argparse.ArgumentParser:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--config", type=Path, required=True, help="hospital.yaml")
    given.add_argument("--labels", type=Path, required=True, action="append", help="labels.jsonl; may be given twice")
    given.add_argument(
        "--samples", type=Path, required=True, action="append", help="its folder of logs, in the same order"
    )
    given.add_argument("--kinds", type=Path, help="kinds.json; default: beside or above the samples")
    given.add_argument("--disable-context", action="store_true", help="no rules about vendors, hours, unknown accounts")
    given.add_argument("--only", default="*", help="names of sets, with wildcards")
    given.add_argument("--json", action="store_true")
    given.add_argument("--report", type=Path, help="write the page of the evaluation: both runs")
    return given


def main() -> None:
    from detection_page import Page, page, tables  # it needs this module

    given = options().parse_args()
    both, off = ([], []), set[str]()
    for labels, samples in zip(given.labels, given.samples, strict=True):
        kinds = given.kinds or next(p for p in (samples / "kinds.json", samples.parent / "kinds.json") if p.exists())
        families = json.loads(kinds.read_text(encoding="utf-8"))
        with assembled(read_site(given.config, samples), ephemeral_key(), lateness=None) as assembly:
            plain = tuple(rule for rule in assembly.rules if not about_context(rule))
            off |= {rule.id for rule in assembly.rules if about_context(rule)}
            runs = [assembly.rules, plain] if given.report else [plain if given.disable_context else assembly.rules]
            for name, files, own in file_sets(samples, read_labels(labels)):
                if not fnmatch.fnmatchcase(name, given.only):
                    continue
                for results, rules in zip(both, runs, strict=False):
                    result = evaluate(assembly, name, files, own, families, rules)
                    if result is not None:
                        results.append(result)
                        told = f"{result.events.height} events, {len(result.found)} found, {len(result.missed)} missed"
                        print(f"{name}: {told}", file=sys.stderr)
    if given.report:
        given.report.write_text(page(Page(both[0], both[1], sorted(off))), encoding="utf-8")
    else:
        print(as_json(both[0]) if given.json else tables(both[0]))


if __name__ == "__main__":
    main()

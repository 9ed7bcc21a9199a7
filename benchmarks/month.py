"""A hospital's ordinary month through the product: which findings a month brings in which nothing is wrong.

    python benchmarks/month.py --seed 1                       # 5,000,000 events, 31 days
    python benchmarks/month.py --seed 1 --days 9 --out DIR    # fewer days; findings as JSON lines in DIR

Log bytes are generated day by day (`month_work`, `month_people_work`, `month_jobs_work`, `month_files`, `month_logs`) and go through
the daemon's own stages as it would see them: all sources together, a batch every half hour of the month, file
positions, carries, the clock of the month. What the on-call person would be sent is planned by the product's own outbox.
Everything is honest, so every finding that wakes somebody is a false alarm. It ends with 1 where a day after the seven of
learning has more than three findings at high or above.

The rules are tuned with the seeds 1 to 9; the figure in README.md is from others.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import polars as pl
from month_calendar import LEARNING, Day, days
from month_diary import Diary
from month_files import ftp, sftp, share
from month_jobs_work import jobs
from month_logs import Numbers, mariadb, mysql, postgresql
from month_people import actors
from month_people_work import information_department, offices, passwords, under_ticket, vendors
from month_tickets import Ticket, plan
from month_work import SECOND, bulk

from detectors.findings import SEVERITIES
from monitor.alerts import outbox
from monitor.alerts.channels import outbox_settings
from monitor.alerts.texts import rule_texts
from monitor.assemble import Assembly, assembled, read_site
from monitor.protect import ephemeral_key
from monitor.replay import ReplayChunk
from parsers.events import Origin

SITE = Path(__file__).with_name("month_site")
EVENTS = 5_000_000
EVENTS_A_MONTH = 7_050_000  # of the 31 days, unscaled
MINUTES = 30  # of the month in a batch
LIMIT = 3  # findings at high or above on a day
RESTART_DAY, RESTART = 9, "04:10"
# (day, system, from, to, seconds): a server's clock is ahead or behind
SKEWS = ((12, "his-pg", "10:20", "10:24", 95.0), (22, "emr-mariadb", "15:00", "15:30", -40.0))
FILES = {
    "his_pg": "postgresql-{day}.csv", "emr_mariadb": "server_audit.log", "ihos_mysql": "audit.{day}.json",
    "ftp": "vsftpd-{day}.log", "sftp": "auth-{day}.log", "share": "samba-{day}.log",
}  # fmt: skip


@dataclass
class Month:
    """The generator: `lines` of each day by source. Same seed and scale, same bytes."""

    seed: int
    scale: float
    days: list[Day]
    tickets: list[Ticket] = field(init=False)
    numbers: dict[str, Numbers] = field(init=False)

    def __post_init__(self) -> None:
        self.tickets = plan(self.days, self.seed)
        self.numbers = {"his-pg": Numbers(20_000), "emr-mariadb": Numbers(400), "ihos-mysql": Numbers(90)}

    def lines(self, day: Day) -> dict[str, pl.DataFrame]:
        diary = self._diary(day)
        made = pl.concat([bulk(actors(), day, self.seed, self.scale), diary.statements])
        notes: list[tuple[int, str]] = []
        if day.number == RESTART_DAY:
            made, notes = restarted(made, day)
        of = {system: made.filter(pl.col("system") == system) for system in self.numbers}
        failed = {system: [one for one in diary.failed if one.seat.system == system] for system in self.numbers}
        rng = random.Random(f"files {self.seed} {day.number}")
        return {
            "his_pg": postgresql(of["his-pg"], failed["his-pg"], self.numbers["his-pg"], notes, skew(day, "his-pg")),
            "emr_mariadb": mariadb(of["emr-mariadb"], failed["emr-mariadb"], self.numbers["emr-mariadb"], skew(day, "emr-mariadb")),
            "ihos_mysql": mysql(of["ihos-mysql"], self.numbers["ihos-mysql"]),
            "ftp": ftp(day, rng, self.scale), "sftp": sftp(day, rng, self.scale, self.tickets), "share": share(day, rng, self.scale),
        }  # fmt: skip

    def _diary(self, day: Day) -> Diary:
        diary = Diary(day, random.Random(f"diary {self.seed} {day.number}"))
        jobs(diary)
        offices(diary)
        information_department(diary)
        vendors(diary)
        passwords(diary)
        for ticket in self.tickets:
            if ticket.day == day:
                under_ticket(diary, ticket)
        return diary


def restarted(statements: pl.DataFrame, day: Day) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """The PostgreSQL server is restarted: nobody works for a minute, every connection is new."""
    at = day.start + int(day.at(RESTART) * SECOND)
    kept = statements.filter(
        (pl.col("system") != "his-pg") | ~pl.col("at").is_between(at - 2 * SECOND, at + 60 * SECOND)
    )
    again = pl.when(pl.col("at") >= at).then(pl.concat_str("session", pl.lit(" again"))).otherwise("session")
    notes = [
        (at, "received fast shutdown request"), (at + SECOND, "database system is shut down"),
        (at + 20 * SECOND, "starting PostgreSQL 15.20 on x86_64-pc-linux-gnu, 64-bit"), (at + 24 * SECOND, "database system is ready to accept connections"),
    ]  # fmt: skip
    return kept.with_columns(session=again), notes


def skew(day: Day, system: str) -> pl.Expr | None:
    for number, which, begin, end, seconds in SKEWS:
        if number == day.number and which == system:
            inside = pl.col("at").is_between(
                day.start + int(day.at(begin) * SECOND), day.start + int(day.at(end) * SECOND)
            )
            return pl.when(inside).then(int(seconds * SECOND)).otherwise(0)
    return None


def site_folder(folder: Path, tickets: Sequence[Ticket]) -> Path:
    """The site with the month's tickets in its register; the path of hospital.yaml."""
    register = (SITE / "register.yaml").read_text(encoding="utf-8")
    entries = "\n".join(ticket.yaml() for ticket in tickets)
    (folder / "register.yaml").write_text(f"{register}\ntickets:\n{entries}\n", encoding="utf-8")
    (folder / "hospital.yaml").write_bytes((SITE / "hospital.yaml").read_bytes())
    return folder / "hospital.yaml"


def batches(lines: dict[str, pl.DataFrame], day: Day, site: str, systems: dict[str, tuple[str, str]], minutes: int) -> Iterator[tuple[datetime, list[ReplayChunk]]]:  # fmt: skip
    """(time, chunks) in order; the chunks' files are new every day but for server_audit's, which is rotated."""
    step = minutes * 60 * SECOND
    parts: dict[int, list[tuple[str, bytes]]] = {}
    for source, frame in lines.items():
        grouped = frame.group_by((pl.col("at") - day.start) // step, maintain_order=True).agg(
            pl.col("line").str.join("")
        )
        for place, text in grouped.iter_rows():
            parts.setdefault(max(0, place), []).append((source, text.encode()))
    positions: Counter[str] = Counter()
    for place in sorted(parts):
        now = datetime.fromtimestamp((day.start + (place + 1) * step) / SECOND, UTC)
        chunks = []
        for source, data in parts[place]:
            system, form = systems[source]
            generation = blake2b(f"{source} {day.number}".encode(), digest_size=8).hexdigest()
            file = FILES[source].format(day=day.text)
            chunks.append(
                ReplayChunk(data, Origin(site, system, source, file, form, generation, positions[source], now, now))
            )
            positions[source] += len(data)
        yield now, chunks


@dataclass
class Counts:
    events: int = 0
    rejects: int = 0
    skips: int = 0
    by_source: Counter = field(default_factory=Counter)
    messages: Counter = field(default_factory=Counter)  # by day


class Run:
    """The product over the month; `findings`: latest revisions by id, with the day of the first."""

    def __init__(self, assembly: Assembly, month: Month, minutes: int) -> None:
        self.assembly, self.month, self.minutes = assembly, month, minutes
        self.counts = Counts()
        self.findings: dict[str, dict] = {}
        site = assembly.site
        self._planning = outbox_settings(site.settings, site.register, rule_texts(assembly.rules))
        self._stories: outbox.Stories = {}
        self._carries: dict = {}
        self._systems = {name: (source.system, source.format) for name, source in site.settings.sources.items()}

    def day(self, day: Day) -> None:
        lines = self.month.lines(day)
        for now, chunks in batches(lines, day, self.assembly.settings.site.id, self._systems, self.minutes):
            seen = self.assembly.pipeline.run(chunks, self._carries, now)
            self._carries.update(seen.read.carries)
            self.assembly.committed()
            self._count(seen)
            self._tell(seen.observed.findings, now, day)

    def _count(self, seen) -> None:
        self.counts.events += seen.events.height
        self.counts.rejects += seen.rejects.height
        self.counts.skips += sum(records for records, _ in seen.read.skips.values())
        for source, number in seen.events.group_by("source").len().iter_rows():
            self.counts.by_source[source] += number

    def _tell(self, findings: pl.DataFrame, now: datetime, day: Day) -> None:
        planned = outbox.plan(findings, self._stories, now, self._planning)
        self._stories = planned.stories
        self.counts.messages[day.number] += planned.rows.height - planned.superseded.height
        for row in findings.iter_rows(named=True):
            kept = self.findings.get(row["id"])
            self.findings[row["id"]] = row | {"day": kept["day"] if kept else day.number}


def table(run: Run) -> str:
    """Findings by rule and by day, messages by day."""
    rows = list(run.findings.values())
    out = [
        "| rule | " + " | ".join(SEVERITIES) + " | not notified | after learning: high and above |",
        "|---|" + "---|" * 6,
    ]
    for rule in sorted({row["rule"] for row in rows}):
        mine = [row for row in rows if row["rule"] == rule]
        counts = [sum(row["severity"] == severity for row in mine) for severity in SEVERITIES]
        late = sum(loud(row) and row["day"] >= LEARNING for row in mine)
        out.append(
            f"| {rule} | {' | '.join(map(str, counts))} | {sum(not row['notify'] for row in mine)} | {late or ''} |"
        )
    out += ["", "| day | high and above | medium | messages |", "|---|---|---|---|"]
    for day in run.month.days:
        mine = [row for row in rows if row["day"] == day.number and row["notify"]]
        high, medium = sum(loud(row) for row in mine), sum(row["severity"] == "medium" for row in mine)
        note = " (learning)" if day.number < LEARNING else ""
        out.append(f"| {day.text}{note} | {high} | {medium} | {run.counts.messages[day.number]} |")
    return "\n".join(out)


def worst(run: Run) -> int:
    """Findings at high or above of the worst day after learning."""
    counted = Counter(row["day"] for row in run.findings.values() if loud(row) and row["day"] >= LEARNING)
    return max(counted.values(), default=0)


def loud(row: dict) -> bool:
    """Somebody is told, at high or above. What is approved or staged is only recorded."""
    return row["notify"] and SEVERITIES.index(row["severity"]) >= SEVERITIES.index("high")


def main() -> int:
    given = options().parse_args()
    chosen = days(given.days)
    month = Month(
        given.seed,
        given.events / EVENTS_A_MONTH * 31 / max(given.days, 1) if given.scaled else given.events / EVENTS_A_MONTH,
        chosen,
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        config = site_folder(Path(folder), month.tickets)
        with assembled(read_site(config), ephemeral_key()) as assembly:
            run = Run(assembly, month, given.minutes)
            for day in chosen:
                run.day(day)
                print(
                    f"{day.text}: {run.counts.events} events, {len(run.findings)} findings, {time.monotonic() - began:.0f} s",
                    file=sys.stderr,
                )
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    print(table(run))
    print(
        f"\n{run.counts.events} events, {run.counts.rejects} rejects, {run.counts.skips} skips; {dict(run.counts.by_source)}"
    )
    print(
        f"seed {given.seed}; {cpu:.0f} CPU seconds with generation; worst day after learning: {worst(run)} findings at high or above (limit {LIMIT})"
    )
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        with (given.out / "findings.jsonl").open("w", encoding="utf-8") as file:
            for row in run.findings.values():
                file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    return 1 if worst(run) > LIMIT else 0


def options() -> argparse.ArgumentParser:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--seed", type=int, required=True)
    given.add_argument("--events", type=int, default=EVENTS, help="about so many in the whole month")
    given.add_argument("--days", type=int, default=31, help="only the first days of it")
    given.add_argument("--scaled", action="store_true", help="--events in the days chosen, not in the month")
    given.add_argument("--minutes", type=int, default=MINUTES, help="of the month in a batch")
    given.add_argument("--out", type=Path, help="folder for findings.jsonl")
    return given


if __name__ == "__main__":
    sys.exit(main())

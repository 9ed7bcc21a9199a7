"""Captured logs read twice: beside another reading of the same lines, and one run of a server beside its other logs.

    python benchmarks/comparison.py --config SITE --samples DIR [--report docs/formats/comparison.md]

DIR holds `transfer/` with `reference_events.jsonl`, and `db/` with the runs of PostgreSQL. Ends with 1 when a difference is not
explained in `benchmarks/comparison.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from detection import age

from monitor.assemble import Assembly, assembled, named_source, read_site
from monitor.protect import ephemeral_key
from monitor.replay import chunks, source_of

EXPLAINED: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
OPERATIONS = {"read": "download", "write": "upload"}
SHARED = (
    "action", "outcome", "account", "client_ip", "database", "statement", "parameters", "command_class", "object_type",
    "object_name", "statement_number", "substatement_number", "rows", "rows_kind", "duration_seconds", "record_role",
    "error_code", "command", "client_program", "occurred_at",
)  # fmt: skip
# text tells these only where its prefix or the message does: %e, %i, %a, %d
TOLD = ("error_code", "command", "client_program", "database")
FORMS = {"csv": "postgresql-*.csv", "json": "postgresql-*.json", "stderr": "postgresql-*.log"}
COPIES = {"pg_a1_pgaudit": ("pg_a1_pgaudit_syslog", {"syslog": "iso.log"})}


@dataclass(frozen=True, slots=True)
class Compared:
    """Two readings of one log, or two logs of one run."""

    name: str
    compared: int
    equal: int
    differences: Counter[str]

    def unexplained(self) -> list[str]:
        known = EXPLAINED.get(self.name, {})
        return [
            f"{self.name}: {what} {count}"
            for what, count in sorted(self.differences.items())
            if known.get(what, [0])[0] != count
        ]


def events_of(assembly: Assembly, files: list[Path]) -> pl.DataFrame:
    """All events of the files of one log, in order."""
    frames, carries = [], {}
    for path in files:
        source = source_of(path, assembly.settings)
        assert source is not None, path
        for chunk in chunks(
            path, named_source(assembly.settings, source), assembly.pipeline.parsers[source], datetime.now(UTC)
        ):
            read = assembly.pipeline.read([chunk], carries)
            carries |= read.carries
            frames.append(read.events)
    return pl.concat(frames)


# -- another reading of the same lines ---------------------------------------------------------------------------------


def references(assembly: Assembly, folder: Path) -> Iterator[Compared]:
    told: dict[str, list[dict[str, Any]]] = {}
    for text in (folder / "reference_events.jsonl").read_text(encoding="utf-8").split("\n"):
        if text:
            row = json.loads(text)
            told.setdefault(row["file"], []).append(row)
    for name, rows in sorted(told.items()):
        yield reference(name, rows, folder / name, events_of(assembly, [folder / name]))


def reference(name: str, rows: list[dict[str, Any]], file: Path, events: pl.DataFrame) -> Compared:
    """Every line of the other reading has its event, and every act of ours of the same kinds is in the other reading."""
    starts, position = {}, 0
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        starts[number] = position
        position += len(line) + 1
    ours = {event["position"]: event for event in events.iter_rows(named=True)}
    later = {
        e["activity_key"]: e["outcome"]
        for e in ours.values()
        if e["record_role"] == "outcome" and e["outcome"] != "unknown"
    }
    found: Counter[str] = Counter()
    equal = 0
    for row in rows:
        event = ours.get(starts[row["line"]])
        if event is None:
            found[f"line of {row['op']}"] += 1
            continue
        outcome = later.get(event["activity_key"], event["outcome"])
        pairs = {
            "time": (datetime.fromisoformat(row["ts"]), event["occurred_at"]),
            "user": (row["user"], event["account"]),
            "ip": (row["ip"], event["client_ip"]),
            "action": (OPERATIONS.get(row["op"], row["op"]), event["action"]),
            "path": (row["path"], event["path"]),
            "path2": (row.get("path2"), event["path2"]),
            "bytes": (row["bytes"], event["bytes"]),
            "ok": (row["ok"], outcome != "failed"),  # what is not refused is not failed, where success is never logged
        }
        different = [f"{column} of {row['op']}" for column, (theirs, mine) in pairs.items() if theirs != mine]
        found.update(different)
        equal += not different
    kinds = {OPERATIONS.get(row["op"], row["op"]) for row in rows}
    lines = {starts[row["line"]] for row in rows}
    for event in ours.values():
        if event["action"] in kinds and event["record_role"] == "main" and event["position"] not in lines:
            found[f"{event['action']} only here"] += 1
    return Compared(name, len(rows), equal, found)


# -- one run in several forms ------------------------------------------------------------------------------------------


def runs(assembly: Assembly, folder: Path) -> Iterator[Compared]:
    for run in sorted(path for path in folder.glob("pg_a*") if not path.name.endswith("_syslog")):
        logs = {form: sorted(run.glob(pattern), key=age) for form, pattern in FORMS.items()}
        copy, more = COPIES.get(run.name, ("", {}))
        logs |= {form: [folder / copy / file] for form, file in more.items()}
        told = {form: numbered(events_of(assembly, files)) for form, files in logs.items() if files}
        for form, events in told.items():
            if form != "csv":
                yield same_run(f"{run.name}: csv and {form}", told["csv"], events)


def numbered(events: pl.DataFrame) -> pl.DataFrame:
    """The events of client sessions with their number in the session: what joins the forms."""
    of_sessions = events.filter(pl.col("session").is_not_null() & (pl.col("action") != "setting"))
    return of_sessions.with_columns(number=pl.int_range(pl.len()).over("session"))


def same_run(name: str, one: pl.DataFrame, other: pl.DataFrame) -> Compared:
    """Events of the sessions that both forms tell whole; a session told differently is counted apart."""
    sizes = (
        one.group_by("session")
        .len()
        .join(other.group_by("session").len(), on="session", how="full", coalesce=True, suffix="_other")
    )
    found: Counter[str] = Counter()
    uneven = sizes.filter(
        pl.col("len").is_null() | pl.col("len_other").is_null() | (pl.col("len") != pl.col("len_other"))
    )
    whole = sizes.filter(pl.col("len") == pl.col("len_other"))["session"]
    for _, mine, theirs in uneven.select(
        "session", pl.col("len").fill_null(0), pl.col("len_other").fill_null(0)
    ).iter_rows():
        found["events in sessions of unequal length, csv"] += mine
        found["events in sessions of unequal length, other"] += theirs
    joined = one.filter(pl.col("session").is_in(whole.implode())).join(
        other, on=["session", "number"], how="inner", suffix="_other"
    )
    different = pl.lit(value=False)
    for column in SHARED:
        a, b = pl.col(column), pl.col(f"{column}_other")
        if column == "occurred_at":  # %t and syslog have whole seconds
            unequal = (a - b).abs() >= timedelta(seconds=1)
        elif column in TOLD:
            unequal = a.ne_missing(b) & b.is_not_null()
        else:
            unequal = a.ne_missing(b)
        count = joined.select(unequal.sum()).item()
        if count:
            found[column] += count
        different |= unequal
    equal = joined.select((~different).sum()).item() if joined.height else 0
    return Compared(name, joined.height, equal, found)


HEAD = """# The same acts read twice

Written by `benchmarks/comparison.py --report`; do not edit. Every difference is explained in `benchmarks/comparison.json`; one that
is not makes the program fail.
"""
TRANSFERS = """
## File transfers beside another reading of the same lines

Time, account, address, operation, path, new path, bytes and success of every login, transfer, deletion, rename and folder, line by line;
and acts of these kinds that only our parsers tell.

| log | lines compared | equal in every field | differences |
|---|---|---|---|
"""
FORMS_HEAD = """
## One run of PostgreSQL in several forms

Events of the sessions that both logs tell whole, joined by session and number in it; compared: {columns} (times to the
second; {told} where the other form tells them).

| run | events compared | equal in every field | differences |
|---|---|---|---|
"""


def page(transfers: list[Compared], forms: list[Compared]) -> str:
    columns = ", ".join(f"`{name}`" for name in SHARED)
    return (
        HEAD
        + TRANSFERS
        + "".join(map(_row, transfers))
        + FORMS_HEAD.format(columns=columns, told=", ".join(f"`{name}`" for name in TOLD))
        + "".join(map(_row, forms))
    )


def _row(one: Compared) -> str:
    known = EXPLAINED.get(one.name, {})
    texts = [
        f"{what} {count}: {known.get(what, [0, 'NOT EXPLAINED'])[1]}" for what, count in sorted(one.differences.items())
    ]
    return f"| {one.name} | {one.compared} | {one.equal} | {'; '.join(texts) or 'none'} |\n"


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--config", type=Path, required=True)
    given.add_argument("--samples", type=Path, required=True)
    given.add_argument("--report", type=Path)
    arguments = given.parse_args()
    with assembled(read_site(arguments.config, arguments.samples), ephemeral_key(), lateness=None) as assembly:
        transfers = list(references(assembly, arguments.samples / "transfer"))
        forms = list(runs(assembly, arguments.samples / "db"))
    text = page(transfers, forms)
    if arguments.report is not None:
        arguments.report.write_text(text, encoding="utf-8")
    else:
        print(text)
    faults = [fault for one in (*transfers, *forms) for fault in one.unexplained()]
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""`hiswatch scan`: the daemon's pipeline once over given files, reporting findings or keeping them in a store."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from config.loader import LoadedSite
from detectors.findings import NO_FINDINGS
from monitor.assemble import Assembly, assembled, named_source, read_site
from monitor.errors import StartError
from monitor.findings import as_json, print_table
from monitor.pipeline import Seen
from monitor.protect import ephemeral_key
from monitor.replay import ReplayChunk, chunks, plan, refuse_unreadable
from parsers.registry import Carry

Progress = Callable[[int], None]  # bytes done


def replay(
    assembly: Assembly, planned: Iterable[tuple[Path, str]], progress: Progress = lambda _: None
) -> Iterator[Seen]:
    """Every file through the pipeline, some megabytes a batch. Files of one source in the order given."""
    settings = assembly.settings
    now = datetime.now(UTC)
    carries: dict[str, Carry] = {}
    waiting: list[ReplayChunk] = []
    size = 0
    for path, source in planned:
        for chunk in chunks(path, named_source(settings, source), assembly.pipeline.parsers[source], now):
            waiting.append(chunk)
            size += len(chunk.data)
            if size >= settings.limits.batch_bytes:
                yield _batch(assembly, waiting, carries, now)
                progress(size)
                waiting, size = [], 0
    if waiting:
        yield _batch(assembly, waiting, carries, now)
        progress(size)


def _batch(assembly: Assembly, waiting: list[ReplayChunk], carries: dict[str, Carry], now: datetime) -> Seen:
    seen = assembly.pipeline.run(waiting, carries, now)
    carries.update(seen.read.carries)
    return seen


def latest(findings: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The last revision of each finding, oldest first."""
    frames = [frame for frame in findings if frame.height]
    if not frames:
        return NO_FINDINGS
    return (
        pl.concat(frames)
        .sort("revision", maintain_order=True)
        .unique("id", keep="last", maintain_order=True)
        .sort("first_seen", "id")
    )


def run_scan(
    config: Path, files: list[Path], *, root: Path | None, source: str | None, store: Path | None, json_lines: bool
) -> None:
    site = read_site(config, root, deep=False)
    settings = site.settings
    planned = plan(settings, files, source)
    for path in files:
        refuse_unreadable(path)
    if store is not None:
        from monitor.backfill import scan_into

        stored = _Counts()
        with progress_bar(planned, shown=not json_lines) as progress:
            found = scan_into(site, planned, store, progress, stored.add)
        print(stored if stored.batches else f"already read: nothing new in {len(planned)} files", file=sys.stderr)
        stored.refuse_unread()
    else:
        found = _report(site, planned, json_lines=json_lines)
    zone, language = settings.zone, settings.alerts.language or settings.language
    if json_lines:
        for line in as_json(found, zone, language):
            print(line)
    else:
        print_table(found, zone, language)


def _report(site: LoadedSite, planned: list[tuple[Path, str]], *, json_lines: bool) -> pl.DataFrame:
    findings, counts = [], _Counts()
    with (
        assembled(site, ephemeral_key(), lateness=None) as assembly,
        progress_bar(planned, shown=not json_lines) as progress,
    ):
        for seen in replay(assembly, planned, progress):
            counts.add(seen)
            findings.append(seen.observed.findings)
    print(counts, file=sys.stderr)
    counts.refuse_unread()
    return latest(findings)


class _Counts:
    """Every record is an event, a reject or a counted skip: say how many of each."""

    def __init__(self) -> None:
        self.batches = self.events = self.rejects = self.skips = 0
        self._events_of: Counter[str] = Counter()  # by file
        self._rejects_of: Counter[str] = Counter()

    def add(self, seen: Seen) -> None:
        self.batches += 1
        self.events += seen.events.height
        self.rejects += seen.rejects.height
        self.skips += sum(records for records, _ in seen.read.skips.values())
        self._events_of.update(dict(seen.events.group_by("file").len().iter_rows()))
        self._rejects_of.update(dict(seen.rejects.group_by("file").len().iter_rows()))

    def refuse_unread(self) -> None:
        """Say of which files no record could be read; raises StartError where that is so of all: then nothing was looked at."""
        for file in sorted(self._rejects_of.keys() - self._events_of.keys()):
            print(f"{file}: none of its {self._rejects_of[file]} records could be read", file=sys.stderr)
        if self.rejects and not self.events:
            raise StartError("no record could be read: another format? `hiswatch identify FILE` tells it")

    def __str__(self) -> str:
        return f"{self.events + self.rejects + self.skips} records: {self.events} events, {self.rejects} rejects, {self.skips} skips"


class progress_bar:  # noqa: N801 - used as a function
    """A bar on a terminal's standard error; silent where there is none."""

    def __init__(self, planned: Iterable[tuple[Path, str]], *, shown: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self._bar = Bar(console=console, transient=True, disable=not (shown and console.is_terminal))
        self._total = sum(path.stat().st_size for path, _ in planned if path.exists())

    def __enter__(self) -> Progress:
        self._bar.start()
        task = self._bar.add_task("scan", total=self._total)
        return lambda done: self._bar.advance(task, done)

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

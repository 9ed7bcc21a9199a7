"""What detection alone costs: CPU seconds for a million events, and the memory of what it remembers.

    make detection-cost
    make detection-cost ARGS="--bytes 100000000 --data /tmp/bench --memory"

A generated day goes through the real pipeline up to detection (parse, understand, protect, enrich); its enriched events are
kept and given to detection, with the daemon's bound for late records, in batches of a 4 MB chunk and in batches of 500 as the daemon has them at 1,000 records a second.
CPU is user + system of all threads of this process. *conditions*: which events fit which rule; *windows*: counting, sequences and
their findings; *behaviour*: what is compared with the past. Every planted act must be found. The targets are for batches of a chunk.

`--memory` takes 5,000 accounts, moves their day over several and keeps the state in a store, as the daemon does. What
detection holds at the end is added up object by object.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from unittest.mock import patch

import monitor  # noqa: F401 - sets how many threads Polars has, before Polars is there

# isort: split
import numpy as np
import polars as pl
from end_to_end import missing
from processes import measure
from workload import ACCOUNTS

from config.loader import LoadedSite
from detectors import engine as engines
from detectors.behaviour.watch import Behaviour
from detectors.engine import LATENESS, Engine, Observed
from detectors.grouping import Grouping
from detectors.matching import Matcher
from detectors.rules import Rule
from monitor.assemble import assembled, new_behaviour, new_engine, read_site, site_rules
from monitor.findings import as_json
from monitor.protect import ephemeral_key
from monitor.scan import latest, replay
from monitor.store.hot import Batch, Store

HERE = Path(__file__).parent
SITE = HERE / "site"
CHUNK = 10_000  # events of 4 MB
SMALL = 500
MANY = 5_000
DAYS = 4  # as long as state lives: 48 h for late events, a day of buckets, a window
CONDITIONS, REST, HELD_MB = 4.0, 5.0, 150.0  # targets: CPU seconds a million events of 100 rules, the same, MB
EVENTS = 1_000_000
FEW = 150_000  # events of small batches: a day


# --- the stream ---------------------------------------------------------------------------------------------------------


def log_of(folder: Path, size: int, seed: int, accounts: int) -> tuple[Path, Path]:
    """A generated day, and what must be found in it; made once."""
    log, planted = folder / f"postgresql-{accounts}.csv", folder / f"planted-{accounts}.json"
    if not (log.exists() and planted.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(HERE / "generate.py"), "--bytes", str(size), "--seed", str(seed)]
        measure([*command, "--accounts", str(accounts), "--out", str(log), "--planted", str(planted)])
    return log, planted


def site_of(folder: Path, accounts: int) -> LoadedSite:
    """The bench hospital; with more accounts, their people are registered too."""
    text = (SITE / "register.yaml").read_text(encoding="utf-8")
    more = "".join(
        f"  ward_{ward:02d}:\n    name: 病区{ward}\n    department: 护理部\n"
        f"    accounts:\n      - {{system: his-pg, account: ward_{ward:02d}}}\n"
        for ward in range(21, accounts - ACCOUNTS + 21)
    )
    (folder / "hospital.yaml").write_bytes((SITE / "hospital.yaml").read_bytes())
    (folder / "register.yaml").write_text(text.replace("\nservices:\n", f"\n{more}\nservices:\n", 1), encoding="utf-8")
    return read_site(folder / "hospital.yaml")


class _Nothing:
    """In place of detection, while its input is made."""

    def observe(self, enriched: pl.DataFrame, now: datetime) -> Observed:  # noqa: ARG002 - the seam's names
        return Observed()


def enriched_of(site: LoadedSite, log: Path) -> pl.DataFrame:
    """The events of a log as detection gets them; kept beside it."""
    kept = log.with_suffix(".events")
    if not kept.exists():
        with assembled(site, ephemeral_key(), lateness=None) as assembly:
            assembly.pipeline.engine = assembly.pipeline.behaviour = _Nothing()  # type: ignore[assignment]
            events = [seen.events for seen in replay(assembly, [(log, "his_pg")])]
        pl.concat(events).write_ipc(kept)
    return pl.read_ipc(kept)


def batches(events: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
    return (events.slice(place, size).rechunk() for place in range(0, events.height, size))


def moved(events: pl.DataFrame, day: int) -> pl.DataFrame:
    """The same work a day or more later: other ids, other patients."""
    later = timedelta(days=day)
    return events.with_columns(
        pl.col("occurred_at", "received_at") + later,
        pl.col("event_id") + f"+{day}",
        pl.col("session") + f"+{day}",
        pl.col("patient_key_number") + 7 * day,
        pl.col("patient_keys").list.eval(pl.element() + f"+{day}"),
    )


# --- CPU ----------------------------------------------------------------------------------------------------------------


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Laps:
    """CPU seconds spent inside named functions. What one calls is counted in both."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def over(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name, (owner, function) in PARTS.items():
                stack.enter_context(patch.object(owner, function, self._timed(name, getattr(owner, function))))
            yield

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            before = cpu_seconds()
            try:
                return function(*args, **named)
            finally:
                self.seconds[name] += cpu_seconds() - before

        return timed


PARTS: dict[str, tuple[type | ModuleType, str]] = {
    "conditions": (Matcher, "matches"),
    "grouping": (Grouping, "of"),
    "content": (engines, "finding"),
}
Detector = Engine | Behaviour


def spent(
    make: Callable[[Store], Detector], events: pl.DataFrame, *, batch: int, days: int, runs: int
) -> tuple[dict[str, float], pl.DataFrame]:
    """CPU seconds a million events of the cheapest run, by part and as `all`; and what was found.

    Each run begins with nothing remembered. The cheapest counts: other work on the machine only ever adds.
    """
    best: dict[str, float] = {}
    found = pl.DataFrame()
    for _ in range(runs):
        seconds, found = once(make, events, batch=batch, days=days)
        if not best or seconds["all"] < best["all"]:
            best = seconds
    return {name: round(seconds * EVENTS / (events.height * days), 2) for name, seconds in best.items()}, found


def once(
    make: Callable[[Store], Detector], events: pl.DataFrame, *, batch: int, days: int
) -> tuple[dict[str, float], pl.DataFrame]:
    now = datetime.now(UTC)
    findings = []
    with tempfile.TemporaryDirectory(prefix="hiswatch-bench-") as folder, Store(Path(folder) / "state") as store:
        detector, laps, seconds = make(store), Laps(), 0.0
        for day in range(days):
            for part in batches(moved(events, day), batch):
                before = cpu_seconds()
                with laps.over():
                    observed = detector.observe(part, now)
                seconds += cpu_seconds() - before
                store.commit(Batch(now, deltas=observed.deltas))
                findings.append(observed.findings)
    return laps.seconds | {"all": seconds}, latest(findings)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds for a million events."""

    accounts: int
    batch: int
    events: int
    rules: int
    findings: int
    conditions: float  # of all rules, those about behaviour included
    windows: float
    behaviour: float
    grouping: float  # a part of windows
    content: float  # of findings; a part of windows

    @property
    def conditions_of_100(self) -> float:
        return self.conditions / max(self.rules, 100) * 100

    @property
    def rest_of_100(self) -> float:
        return (self.windows + self.behaviour) / max(self.rules, 100) * 100

    @property
    def reached(self) -> bool:
        return self.conditions_of_100 <= CONDITIONS and self.rest_of_100 <= REST


def cost(
    site: LoadedSite, rules: tuple[Rule, ...], events: pl.DataFrame, *, accounts: int, batch: int, runs: int
) -> tuple[Cost, pl.DataFrame]:
    """What detection of the stream costs in batches of this size, and what it found."""
    days = max(1, round((EVENTS if batch == CHUNK else FEW) / events.height))
    how = {"batch": batch, "days": days, "runs": runs}
    windows, found = spent(lambda store: new_engine(site, rules, LATENESS, store.recalled), events, **how)
    behaviour, more = spent(lambda _: new_behaviour(site, rules, LATENESS), events, **how)
    return Cost(
        accounts, batch, events.height * days, len(rules), found.height + more.height,
        round(windows["conditions"] + behaviour["conditions"], 2),
        round(windows["all"] - windows["conditions"], 2),
        round(behaviour["all"] - behaviour["conditions"], 2),
        windows["grouping"], windows["content"],
    ), pl.concat([found, more])  # fmt: skip


# --- memory -------------------------------------------------------------------------------------------------------------


def held(*roots: object) -> int:
    """Bytes of everything that these objects hold and nobody else defines: no classes, functions, rules."""
    seen: set[int] = set()
    waiting: list[object] = list(roots)
    total = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType | Rule | pl.Expr):
            continue
        seen.add(id(one))
        if isinstance(one, pl.DataFrame | pl.Series):
            total += int(one.estimated_size())
            continue
        total += one.nbytes if isinstance(one, np.ndarray) else sys.getsizeof(one)
        waiting += gc.get_referents(one)
    return total


@dataclass(frozen=True, slots=True)
class Memory:
    accounts: int
    days: int
    events: int
    rules: int
    engine_mb: float
    behaviour_mb: float
    grown_mb: float  # resident memory of the process, the store's share included
    windows: int  # numbers and panes that the engine holds
    state_rows: int  # rows of windows in the store

    @property
    def reached(self) -> bool:
        return self.engine_mb + self.behaviour_mb <= HELD_MB


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def memory(site: LoadedSite, rules: tuple[Rule, ...], events: pl.DataFrame, accounts: int, days: int) -> Memory:
    """Some days of the stream through detection with its state in a store, as in the daemon."""
    with tempfile.TemporaryDirectory(prefix="hiswatch-bench-") as folder, Store(Path(folder) / "state") as store:
        engine = new_engine(site, rules, LATENESS, store.recalled)
        behaviour = new_behaviour(site, rules, LATENESS)
        now = datetime.now(UTC)
        count = 0
        before = resident()
        for day in range(days):
            for part in batches(moved(events, day), CHUNK):
                observed = engine.observe(part, now) + behaviour.observe(part, now)
                store.commit(Batch(now, deltas=observed.deltas))
                count += part.height
        gc.collect()
        return Memory(
            accounts, days, count, len(rules), round(held(engine) / 1e6, 1), round(held(behaviour) / 1e6, 1),
            round((resident() - before) / 1e6, 1), engine.size,
            int(store.database.read("SELECT count(*) FROM state_window_panes").item()),
        )  # fmt: skip


# --- what is shown ------------------------------------------------------------------------------------------------------


def lost(site: LoadedSite, planted: Path, found: pl.DataFrame) -> list[str]:
    rows = as_json(found, site.settings.zone, "en")
    return missing(planted, [json.loads(row) for row in rows])


def shown(one: Cost | Memory) -> str:
    verdict = "reached" if one.reached else "NOT REACHED"
    if isinstance(one, Memory):
        return (
            f"{one.accounts:,} accounts, {one.days} days, {one.events:,} events, {one.rules} rules: engine {one.engine_mb} MB, "
            f"behaviour {one.behaviour_mb} MB; target {HELD_MB:.0f} MB together: {verdict} (process grew by {one.grown_mb} MB with "
            f"its store; {one.windows:,} numbers and panes held, {one.state_rows:,} rows of windows in the store)"
        )
    return (
        f"{one.accounts:,} accounts, {one.events:,} events in batches of {one.batch:,}, {one.rules} rules, CPU s a million: "
        f"conditions {one.conditions} (of 100 rules {one.conditions_of_100:.2f}), windows {one.windows} (grouping {one.grouping}, content of "
        f"{one.findings:,} findings {one.content}), behaviour {one.behaviour} (both of 100 rules {one.rest_of_100:.2f}); target {CONDITIONS:.0f} and {REST:.0f}: {verdict}"
    )


def measurements(given: argparse.Namespace, folder: Path) -> Iterator[tuple[Cost | Memory, list[str]]]:
    for accounts in (ACCOUNTS, MANY):
        place = folder / str(accounts)
        place.mkdir(parents=True, exist_ok=True)
        log, planted = log_of(place, given.bytes, given.seed, accounts)
        site = site_of(place, accounts)
        rules, events = site_rules(site.settings), enriched_of(site, log)
        for batch in (CHUNK, SMALL):
            one, found = cost(site, rules, events, accounts=accounts, batch=batch, runs=given.runs)
            yield one, lost(site, planted, found)
        if given.memory and accounts == MANY:
            yield memory(site, rules, events, accounts, DAYS), []


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bytes", type=int, default=60_000_000, help="of each generated day")
    options.add_argument("--seed", type=int, default=20261118)
    options.add_argument("--runs", type=int, default=2, help="the cheapest counts")
    options.add_argument("--memory", action="store_true", help=f"also {DAYS} days of {MANY:,} accounts")
    options.add_argument("--data", type=Path, help="folder that keeps the generated logs and their events")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    folder = given.data or Path(tempfile.gettempdir()) / f"hiswatch-detection-{given.bytes}-{given.seed}"
    done, missed = [], []
    for one, acts in measurements(given, folder):
        done.append(one)
        missed += acts
        if not given.json:
            print(shown(one), flush=True)
            for act in acts:
                print(f"  MISSED: {act}", flush=True)
    if given.json:
        print(json.dumps([asdict(one) | {"reached": one.reached} for one in done] + [{"missed": missed}], indent=1))
    large = [one for one in done if isinstance(one, Memory) or one.batch == CHUNK]
    return 0 if all(one.reached for one in large) and not missed else 1


if __name__ == "__main__":
    sys.exit(main())

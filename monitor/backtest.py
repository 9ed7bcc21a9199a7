"""`hiswatch rules backtest`: what a rule would have found in the stored past, whether it is in force or not.

The store's pieces are asked for the events that may matter (the rule's condition as SQL, in the query worker); these are
joined to the register as it is now and counted by the same engine that runs in the daemon. Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import polars as pl

from config.loader import LoadedSite
from config.rulefiles import read_rules
from config.yaml12 import read_yaml_all
from detectors.conditions import columns_of
from detectors.context import Context
from detectors.engine import Engine
from detectors.findings import NO_FINDINGS
from detectors.folding import KEEP
from detectors.rules import COUNTED, Rule, compile_rules
from detectors.sqlrules import literal, loosely
from monitor.assemble import new_folding, read_site, watches_of
from monitor.errors import StartError
from monitor.findings import as_dict, print_table, severity_word, who
from monitor.protect import Protection, load_key
from monitor.store import schema
from monitor.store.allow import MAX_LENGTH
from monitor.store.query import QueryLimits, newest_event, run_query
from parsers.events import EVENTS, FACTS

LIMITS = QueryLimits(rows=100_000, seconds=120.0, bytes=256 << 20, memory_mb=512)
SHORTEST = timedelta(seconds=1)  # a stretch of time that is not halved any more, however much it holds
KEPT = frozenset({*schema.STORED_EVENTS, *schema.SHAPES}) & frozenset({*EVENTS, *FACTS})
FORGOTTEN = frozenset({"patient_key_number", "records_missing", "statements_missing"})
ROOM = 1024  # of a question's length, for what stands around its condition
WHO = 10  # people and accounts named


@dataclass(frozen=True)
class Backtest:
    """`findings`: FINDINGS as they would have been raised. `cut`: a stretch held more events than were looked at."""

    since: datetime
    until: datetime
    findings: pl.DataFrame
    events: int
    cut: bool


@dataclass(frozen=True)
class Day:
    """One local day: `notified` of its findings would have been told, in so many `stories`."""

    day: str
    findings: int
    notified: int
    stories: int
    severities: dict[str, int]
    who: tuple[str, ...]


def run_backtest(name: str, days: int, config: Path, *, as_json: bool, language: str) -> None:
    """`name`: id of a rule of the site, or a file with rules that are not in force yet. Raises StartError, ConfigError."""
    site = read_site(config, deep=False)
    rules = chosen(name, site)
    found = backtest(rules, days, site)
    days_told = list(_by_day(found, site))
    if as_json:
        for row in found.findings.sort("first_seen", "id").iter_rows(named=True):
            print(json.dumps({"finding": as_dict(row, site.settings.zone, language)}, ensure_ascii=False))
        for day in days_told:
            print(json.dumps(asdict(day), ensure_ascii=False))
        return
    print_table(found.findings, site.settings.zone, language)
    print(_summary(rules, found, days_told, site, language))


def chosen(name: str, site: LoadedSite) -> list[Rule]:
    """The rules asked for, as if they were not on trial; numbers as the site has set them."""
    detection = site.settings.detection
    file = Path(name)
    if file.suffix in {".yaml", ".yml"}:
        rules = compile_rules(read_yaml_all(file), thresholds=detection.thresholds)
    else:
        rules = [
            rule
            for rule in compile_rules(read_rules(detection.rule_dirs), thresholds=detection.thresholds)
            if rule.id == name
        ]
    if not rules:
        raise StartError(f"{name}: no such rule; give the id of a rule or the file of a new one")
    for rule in rules:
        if rule.kind not in COUNTED:
            raise StartError(f"{rule.id}: is not counted from events alone, so the store cannot be asked for it")
        if rule.block.behaviour is not None:
            raise StartError(f"{rule.id}: compares days with months before them, more than a backtest reads")
        lost = {line.field for line in rule.fields} | {
            column for step in rule.steps for column in columns_of(step.tree)
        }
        for column in sorted(FORGOTTEN & lost):
            raise StartError(f"{rule.id}: reads {column}, which the store does not keep")
    return [replace(rule, staged=False) for rule in rules]


def backtest(rules: Sequence[Rule], days: int, site: LoadedSite, limits: QueryLimits = LIMITS) -> Backtest:
    """Over the last `days` local days, counted back from the newest stored event."""
    settings = site.settings
    state = settings.state_dir.resolve()
    until = newest_event(state) + timedelta(microseconds=1)
    first_day = until.astimezone(settings.zone).date() - timedelta(days=days - 1)
    since = datetime.combine(first_day, time(), settings.zone).astimezone(UTC)
    engine = Engine(rules, zone=settings.timezone, notify_from=settings.detection.notify_from, lateness=None)
    context, folding = _context(site, state), new_folding(settings)
    lead = timedelta(seconds=max(rule.timespan_seconds for rule in rules))  # windows that reach into the first day
    where = _where(rules, folding.shared)
    found, events, cut = [], 0, False
    for frame, short in _stretches(state, where, since - lead, until, limits):
        cut, events = cut or short, events + frame.height
        for part in _parts(context.enrich(_as_seen(frame)), folding.shared):
            now = part["received_at"].max()
            assert isinstance(now, datetime)
            found.append(engine.observe(folding.fold(part, now), now).findings)
    latest = (
        pl.concat(found or [NO_FINDINGS])
        .sort("revision")
        .unique("id", keep="last")
        .filter(pl.col("last_seen") >= since)
    )
    return Backtest(since, until, latest, events, cut)


def _context(site: LoadedSite, state: Path) -> Context:
    """With the watch lists where the store's key is there, without which no token can be made."""
    file = state / "keys" / "token.key"
    watched = watches_of(site.settings, Protection(load_key(file))) if file.exists() else ()
    return Context.of_site(site, watched)


def _where(rules: Iterable[Rule], shared: Sequence[str]) -> str:
    """Events that may matter to a rule; of systems that several logs tell of, all that stand for an act."""
    steps = [step for rule in rules for step in rule.steps]
    parts = [
        f"({loosely(step.tree, KEPT)} AND record_role IN ({_list({*step.roles, 'main', 'outcome'})}))" for step in steps
    ]
    if shared:
        parts.append(f"(record_role = 'main' AND activity_key IS NOT NULL AND system IN ({_list(shared)}))")
    where = " OR ".join(parts)
    # more rules than one question may name: every event is read, and each rule passes over what it does not mean
    return where if len(where) < MAX_LENGTH - ROOM else "true"


def _list(values: Iterable[str]) -> str:
    return ", ".join(literal(value) for value in sorted(values))


def _stretches(
    state: Path, where: str, since: datetime, until: datetime, limits: QueryLimits
) -> Iterator[tuple[pl.DataFrame, bool]]:
    """Events in order of time, in stretches that are halved until each fits into an answer; and whether one did not."""
    waiting = [(since, until)]
    while waiting:
        start, end = waiting.pop()
        inside = f"occurred_at >= {_stamp(start)} AND occurred_at < {_stamp(end)}"
        sql = f"SELECT * FROM events_full WHERE {inside} AND ({where}) ORDER BY batch, source, position"  # noqa: S608 - the worker judges it
        answer = run_query(state, sql, limits)
        if answer.truncated and end - start > SHORTEST:
            middle = start + (end - start) / 2
            waiting += [(middle, end), (start, middle)]
        elif answer.frame.height:
            yield answer.frame, answer.truncated


def _stamp(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.astimezone(UTC).isoformat(sep=' ')}'"


def _as_seen(stored: pl.DataFrame) -> pl.DataFrame:
    """Stored events as detection saw them: tokens stand for the keys of patients."""
    return schema.conform(stored.rename({"patient_tokens": "patient_keys"}), EVENTS | FACTS)


def _parts(events: pl.DataFrame, shared: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Cut as they were received where several logs tell of one act."""
    if not shared:
        yield events
        return
    slot = pl.col("received_at").dt.truncate(KEEP)
    for part in (
        events.with_columns(slot.alias("_slot"))
        .sort("_slot", maintain_order=True)
        .partition_by("_slot", maintain_order=True)
    ):
        yield part.drop("_slot")


def _by_day(found: Backtest, site: LoadedSite) -> Iterator[Day]:
    zone = site.settings.timezone
    days = found.findings.with_columns(day=pl.col("first_seen").dt.convert_time_zone(zone).dt.date())
    for (day,), part in sorted(days.group_by("day"), key=lambda pair: str(pair[0][0])):
        told = part.filter("notify")
        severities = dict(part.group_by("severity").len().sort("severity").rows())
        names = dict.fromkeys(who(row) for row in part.sort("first_seen", "id").iter_rows(named=True))
        yield Day(str(day), part.height, told.height, told["story"].n_unique(), severities, tuple(names)[:WHO])


def _summary(rules: Sequence[Rule], found: Backtest, days: Sequence[Day], site: LoadedSite, language: str) -> str:
    zone = site.settings.zone
    names = ", ".join(rule.id for rule in rules)
    span = f"{found.since.astimezone(zone):%Y-%m-%d} – {found.until.astimezone(zone):%Y-%m-%d %H:%M}"
    told = found.findings.filter("notify")
    lines = [f"{names}: {span}, {found.events} events looked at", *(_day(day, language) for day in days)]
    stories = f"{told.height} to be notified in {told['story'].n_unique()} stories"
    lines.append(f"{found.findings.height} findings, {stories}; register and tickets as they are now")
    if found.cut:
        lines.append("incomplete: within a second there were more events that may matter than are looked at")
    return "\n".join(lines)


def _day(day: Day, language: str) -> str:
    bands = ", ".join(f"{severity_word(name, language)} {count}" for name, count in day.severities.items())
    told = f"{day.findings} findings ({bands}), {day.notified} to be notified in {day.stories} stories"
    return f"{day.day}: {told}: {'; '.join(day.who)}"

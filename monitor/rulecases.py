"""`hiswatch rules test`: run what every rule says it must and must not raise.

Events of a case go through the real schema; a `statement` through the reading of SQL and the catalogue, a `register`
through the context. Shipped cases are tried on the shipped rules and numbers, a site's cases on its rules as in force.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from config.catalogue import load_catalogue
from config.errors import ConfigError, Problem
from config.loader import register_within
from config.rulecases import RuleCases, read_cases
from config.rulefiles import read_rules
from detectors import cases
from detectors.behaviour.watch import Behaviour
from detectors.context import Context
from detectors.engine import Engine
from detectors.rules import Rule, compile_rules
from monitor.assemble import read_site, site_rules
from monitor.errors import StartError
from monitor.protect import ephemeral_key
from monitor.workers import Workers
from parsers.events import CONTEXT, EVENTS, FACTS
from parsers.sql.stage import Understanding

ENOUGH = 3  # cases each way: fewer say little of a rule
Attach = Callable[[pl.DataFrame], pl.DataFrame]
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass
class Tried:
    """What became of the cases of a rule."""

    rule: str
    fires: int = 0
    quiet: int = 0
    failures: list[Problem] = field(default_factory=list)

    @property
    def few(self) -> bool:
        return self.fires < ENOUGH or self.quiet < ENOUGH


def run_rule_tests(names: Sequence[str], config: Path | None, *, as_json: bool) -> bool:
    """True when every case holds. Raises ConfigError, StartError (a rule nobody knows)."""
    shipped = {rule.id: rule for rule in compile_rules(read_rules())}
    settings = read_site(config, deep=False).settings if config is not None else None
    folders: tuple[Path, ...] = ()
    if settings is None:
        trial, catalogue = Trial(shipped, shipped), load_catalogue()
    else:
        own = {rule.id: rule for rule in site_rules(settings)}
        trial, folders = Trial(shipped, own, settings.zone), settings.detection.rule_dirs
        catalogue = load_catalogue(settings.catalogue.packs, settings.catalogue.files)
    wanted = _wanted(names, shipped | trial.own)
    with Workers() as workers:
        attach = Understanding(workers.analyser(catalogue), ephemeral_key()).attach
        results = trial.run(read_cases(folders, wanted), attach, wanted)
    for result in results.values():
        _tell(result, as_json=as_json)
    return not any(result.failures for result in results.values())


def _wanted(names: Sequence[str], rules: dict[str, Rule]) -> list[str]:
    """Ids of the rules and families asked for; none: all."""
    for name in names:
        if not any(name in (rule.id, rule.family) for rule in rules.values()):
            raise StartError(f"{name}: no such rule or family")
    conditions = [rule for rule in rules.values() if rule.block.check is None]
    return [rule.id for rule in conditions if not names or rule.id in names or rule.family in names]


@dataclass(frozen=True)
class Trial:
    """Rules by id: `shipped` for shipped cases, `own` for a site's."""

    shipped: dict[str, Rule]
    own: dict[str, Rule]
    zone: ZoneInfo = SHANGHAI

    def run(self, documents: Iterable[RuleCases], attach: Attach, wanted: Collection[str]) -> dict[str, Tried]:
        """`attach`: EVENTS -> EVENTS + FACTS. ConfigError: every mistake in a case, before any is tried."""
        results = {name: Tried(name) for name in sorted(wanted)}
        chosen = [each for each in documents if each.content.rule in results or not each.shipped]
        problems = [problem for document in chosen for problem in self._mistakes(document)]
        if problems:
            raise ConfigError(problems)
        for document in chosen:
            rule = (self.shipped if document.shipped else self.own).get(document.content.rule)
            if rule is not None and rule.id in results:  # a site may have switched it off
                self._try(document, rule, attach, results[rule.id])
        return results

    def _mistakes(self, document: RuleCases) -> Iterator[Problem]:
        if document.content.rule not in self.shipped | self.own:
            yield document.document.problem(("rule",), "no such rule")
        registered = document.content.register_data is not None
        if registered:
            try:
                register_within(document.part("register"), self.zone)
            except ConfigError as error:
                yield from error.problems
        for _, _, keys, events in document.each():
            for index, event in enumerate(events):
                try:
                    cases.frame(list(cases.rows(event, self.zone, registered=registered)))
                except cases.CaseFault as fault:
                    yield document.document.problem((*keys, index, *fault.keys), fault.message)

    def _try(self, document: RuleCases, rule: Rule, attach: Attach, result: Tried) -> None:
        zone = SHANGHAI if document.shipped else self.zone
        context = None
        if document.content.register_data is not None:
            context = Context(zone=zone, register=register_within(document.part("register"), zone))
        for must, _, keys, events in document.each():
            rows = [row for event in events for row in cases.rows(event, zone, registered=context is not None)]
            result.fires, result.quiet = result.fires + must, result.quiet + (not must)
            if raises(rule, worked_out(cases.frame(rows), attach, context), zone) != must:
                message = f"{rule.id}: does not raise it" if must else f"{rule.id}: raises it"
                result.failures.append(document.document.problem(keys, message))


def raises(rule: Rule, frame: pl.DataFrame, zone: ZoneInfo = SHANGHAI) -> bool:
    newest = frame["occurred_at"].max()
    assert isinstance(newest, datetime)
    if rule.block.behaviour is not None:
        return rule.id in set(_behaviour(rule, frame.sort("occurred_at"), newest, zone)["rule"])
    found = Engine([rule], zone=str(zone), notify_from="low").observe(frame, newest + timedelta(seconds=1)).findings
    return rule.id in set(found["rule"])


def _behaviour(rule: Rule, frame: pl.DataFrame, newest: datetime, zone: ZoneInfo) -> pl.DataFrame:
    """What the newest event of a case is part of, after the days before it; nothing where that is still learning."""
    behaviour = Behaviour([rule], zone=str(zone), notify_from="low")
    day = pl.col("occurred_at").dt.convert_time_zone(str(zone)).dt.date()
    last = day == newest.astimezone(zone).date()
    told = []
    for part in (frame.filter(~last), frame.filter(last)):
        if part.height:
            now = part["occurred_at"][-1] + timedelta(seconds=1)
            told.append(behaviour.observe(part, now).findings)
    latest = pl.concat(told).sort("revision").unique("id", keep="last")
    return latest.filter((pl.col("events") > 0) & ~pl.col("staged") & (pl.col("last_seen") == newest))


def worked_out(frame: pl.DataFrame, attach: Attach, context: Context | None) -> pl.DataFrame:
    """What statements do and who people are; what a case names itself stands as it is named."""
    if frame["statement"].null_count() < frame.height:
        facts = attach(frame.select(*EVENTS)).select(*FACTS)
        frame = _filled(frame, facts, pl.col("statement").is_not_null())
    if context is not None:
        frame = _filled(frame, context.enrich(frame.select(*EVENTS, *FACTS)).select(*CONTEXT), pl.lit(value=True))
    return frame.drop("_given")


def _filled(frame: pl.DataFrame, found: pl.DataFrame, where: pl.Expr) -> pl.DataFrame:
    both = frame.hstack(found.rename({name: f"_{name}" for name in found.columns}))
    return both.with_columns(
        pl.when(where & ~pl.col("_given").list.contains(name)).then(f"_{name}").otherwise(name).alias(name)
        for name in found.columns
    ).select(frame.columns)


def _tell(result: Tried, *, as_json: bool) -> None:
    if as_json:
        told = {"rule": result.rule, "ok": not result.failures, "fires": result.fires, "quiet": result.quiet}
        failures = [
            {"file": problem.file, "line": problem.line, "case": problem.key, "message": problem.message}
            for problem in result.failures
        ]
        print(json.dumps(told | {"failures": failures}, ensure_ascii=False))
        return
    word = "FAILED" if result.failures else "ok"
    few = f" (fewer than {ENOUGH} each way)" if result.few else ""
    print(f"{result.rule}: {word}, {result.fires} fire, {result.quiet} quiet{few}")
    for problem in result.failures:
        print(f"  {problem}")

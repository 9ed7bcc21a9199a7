"""`hiswatch register suggest`: entries for the register from what the store has seen, as YAML to check and paste.

The store's pieces are asked in the query worker, while the daemon runs or not. The register is read and never written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from config import tolerance
from config.yamltext import remark, scalar
from detectors.context.suggestions import EXPORTS, SEEN, Account, Entry, JobSeen, Suggested, suggest
from monitor.assemble import read_site
from monitor.store.query import QueryLimits, newest_event, run_query
from monitor.store.schema import conform

LIMITS = QueryLimits(rows=100_000, seconds=120.0, bytes=128 << 20, memory_mb=512)
_MANY = 12  # programs and addresses named in a remark

# `{since}`: a stamp; `{shift}`: seconds that local time is ahead of UTC. Both are made by us.
_LOCAL = "(epoch(occurred_at)::BIGINT + {shift})"
_DAYS = f"list(DISTINCT {_LOCAL} // 86400) AS days, list(DISTINCT {_LOCAL} % 86400 // 900) AS quarters"
_WHERE = (
    "record_role = 'main' AND account IS NOT NULL AND clock_trusted AND outcome <> 'failed' AND occurred_at >= {since} "
    "AND action NOT IN ('gap', 'notice', 'setting', 'device')"
)
_WAY = "coalesce(dump_tool, CASE WHEN verb = 'backup' THEN 'backup' END, destination)"
_IS_EXPORT = "(dump_tool IS NOT NULL OR verb = 'backup' OR destination IN ('file', 'program', 'other_database'))"
SEEN_SQL = f"""
SELECT system, account, client_ip, client_program, count(*) AS acts, {_DAYS}, min(occurred_at) AS first_at,
  max(occurred_at) AS last_at, count_if(len(reads) > 0) AS reads,
  count_if(verb IN ('insert', 'update', 'delete', 'merge', 'load', 'truncate') OR action IN ('upload', 'delete', 'rename')) AS writes,
  count_if(schema_change) AS schema, count_if(privilege_change OR audit_change) AS privilege, count_if({_IS_EXPORT}) AS export
FROM events_full WHERE {_WHERE} GROUP BY system, account, client_ip, client_program ORDER BY acts DESC
"""  # noqa: S608 - constants of ours
EXPORTS_SQL = f"""
SELECT system, account, {_WAY} AS way, count(*) AS acts, {_DAYS}, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
  list(DISTINCT client_ip) AS client_ips, list(DISTINCT reads[1]) AS objects
FROM events_full WHERE {_WHERE} AND {_IS_EXPORT} GROUP BY system, account, {_WAY} ORDER BY acts DESC
"""  # noqa: S608 - constants of ours


FINDINGS_SQL = (
    "SELECT system, account, count(*) AS findings FROM findings "
    "WHERE severity IN ('high', 'critical') AND account IS NOT NULL AND system IS NOT NULL GROUP BY system, account"
)


def run_suggest(config: Path, days: int, *, as_json: bool) -> None:
    """Raises ConfigError, StartError (there is no store), QueryFailed."""
    site = read_site(config, deep=False, tolerate=tolerance.ALL)
    settings = site.settings
    state = settings.state_dir.resolve()
    until = newest_event(state)
    since = until - timedelta(days=days)
    shift = int((until.astimezone(settings.zone).utcoffset() or timedelta()).total_seconds())
    stamp = f"TIMESTAMPTZ '{since.astimezone(UTC).isoformat(sep=' ')}'"
    seen, exports = (run_query(state, sql.format(since=stamp, shift=shift), LIMITS) for sql in (SEEN_SQL, EXPORTS_SQL))
    frame = conform(seen.frame, SEEN)
    told = {
        (system, account): count for system, account, count in run_query(state, FINDINGS_SQL, LIMITS).frame.iter_rows()
    }
    found = suggest(frame, conform(exports.frame, EXPORTS), site.register, days=_reach(frame), findings=told)
    if as_json:
        for entry in found.entries:
            print(json.dumps(asdict(entry), ensure_ascii=False, default=_plain))
        for job in found.jobs:
            print(json.dumps({"section": "jobs", **asdict(job)}, ensure_ascii=False, default=_plain))
        for text in found.remarks:
            print(json.dumps({"section": "remarks", "text": text}, ensure_ascii=False))
    else:
        acts = int(frame["acts"].sum())
        print(as_yaml(found, acts=acts, since=since, until=until, zone=settings.zone), end="")
    summary = (
        f"{len(found.entries)} accounts that nobody registered, {len(found.jobs)} jobs, {len(found.remarks)} remarks"
    )
    print(
        summary + ("; cut: the store holds more than was looked at" if seen.truncated or exports.truncated else ""),
        file=sys.stderr,
    )


def _reach(seen: pl.DataFrame) -> int:
    days = seen["days"].explode().drop_nulls()
    return int(days.max()) - int(days.min()) + 1 if len(days) else 0  # type: ignore[arg-type]


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_yaml(found: Suggested, *, acts: int, since: datetime, until: datetime, zone: ZoneInfo) -> str:
    """A register to check line by line; what is doubtful or belongs to entries that are there already stands in remarks."""
    lines = [
        f"# Proposed by hiswatch register suggest from {acts} acts, {_day(since, zone)} to {_day(until, zone)}. What was seen is not what is right:",
        "# ask who is behind each account, whether each address and program is agreed; people need their vendor or department.",
    ]
    for section in ("people", "services", "owners"):
        entries = [entry for entry in found.entries if entry.section == section]
        if any(entry.sure for entry in entries):
            lines.append(f"{section}:")
        for entry in entries:
            text = list(_entry(entry, zone))
            lines += text if entry.sure else [f"  # seen too little: {line.strip()}" for line in text[:1]]
    if found.jobs:
        lines.append("jobs:")
    for job in found.jobs:
        lines += _job(job, zone)
    if found.remarks:
        lines += ["", "# Of what the register has, and of exports:"]
        lines += [f"# {remark(text)}" for text in found.remarks]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry, zone: ZoneInfo) -> Iterator[str]:
    acts = sum(one.acts for one in entry.accounts)
    days = max(one.days for one in entry.accounts)
    first, last = min(one.first_at for one in entry.accounts), max(one.last_at for one in entry.accounts)
    seen = f"{acts} acts on {days} days, {_day(first, zone)} to {_day(last, zone)}; {entry.reason}"
    yield f"  {scalar(entry.id)}:  # {remark(seen)}"
    yield '    name: ""  # who is it?'
    if entry.section == "people":
        yield "    # vendor: or department: (one must be said: without it the entry is refused)"
    yield "    accounts:"
    for one in entry.accounts:
        yield f"      - {{system: {scalar(one.system)}, account: {scalar(one.account, most=4096)}{_from(one.places)}}}"
        yield from (f"        # {remark(text)}" for text in _seen(one))
    if entry.section == "services":
        windows = {one.window for one in entry.accounts}
        if len(windows) == 1 and (window := next(iter(windows))) is not None and days >= 7:
            yield f"    hours: {{days: [all], from: {_quoted(window[0])}, to: {_quoted(window[1])}}}"
        yield f"    scope: {_scope(entry.accounts)}"


def _seen(one: Account) -> Iterator[str]:
    if one.findings:
        yield f"{one.findings} high or critical findings are about it: look at them before anything of this is agreed"
    if one.programs:
        yield "programs: " + _counted(one.programs)
    if one.left_out:
        yield "seen seldom, left out: " + _counted(one.left_out)
    if one.window is not None:
        yield f"between {one.window[0]} and {one.window[1]}"
    if one.beyond:
        yield "not in the scope, to be agreed by tickets or jobs: " + _counted(one.beyond)


def _scope(accounts: Iterable[Account]) -> str:
    accounts = list(accounts)
    actions = dict.fromkeys(action for one in accounts for action in one.actions)
    programs = dict.fromkeys(program for one in accounts for program, _ in one.programs)
    text = f"actions: [{', '.join(actions)}]"
    # A program allows only itself: with one account that tells none, any would be refused.
    if programs and all(one.programs for one in accounts):
        text += f", programs: [{', '.join(_pattern(program) for program in programs)}]"
    return "{" + text + "}"


def _pattern(program: str) -> str:
    """Stars and question marks of a name stand for themselves nowhere: they are made question marks."""
    return scalar(program.replace("*", "?"), most=4096)


def _job(job: JobSeen, zone: ZoneInfo) -> Iterator[str]:
    seen = f"{job.way}: {job.acts} acts on {job.days} days, {_day(job.first_at, zone)} to {_day(job.last_at, zone)}"
    yield f"  {scalar(job.id)}:  # {remark(seen)}"
    yield f"    {{kind: export, system: {scalar(job.system)}, account: {scalar(job.account, most=4096)}{_from(job.places)},"
    objects = f", objects: [{', '.join(scalar(name, most=4096) for name in job.objects)}]" if job.objects else ""
    yield f"     window: {{days: [all], from: {_quoted(job.window[0])}, to: {_quoted(job.window[1])}}}{objects}}}"
    yield "    # approver: who agreed?  valid: {to: when is it looked at again?}"


def _from(places: tuple[str, ...]) -> str:
    return f", from: [{', '.join(_quoted(place) for place in places)}]" if places else ""


def _quoted(text: str) -> str:
    return f'"{text}"'


def _counted(pairs: Iterable[tuple[str, int]]) -> str:
    pairs = list(pairs)
    more = f", {len(pairs) - _MANY} more" if len(pairs) > _MANY else ""
    return ", ".join(f"{name} ({count})" for name, count in pairs[:_MANY]) + more


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).date().isoformat()

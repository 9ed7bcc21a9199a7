"""Entries of a register proposed from what a store has seen: accounts, where they come from, what with, when; jobs that export.

    found = suggest(seen, exports, register, days=30)

What was seen is not what is right: everything here is for people to check, with the counts it rests on. Nothing is proposed
for what the register already says; what it leaves open of a registered account (addresses, scope) is a remark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, ip_address, ip_network

import polars as pl

from config.cells import id_of
from config.register import Register
from detectors.context.programs import program_kinds
from parsers.events import TEXTS, UTC

# A row for each account, address and program; failed acts left out.
SEEN: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),
    "client_ip": pl.String(),
    "client_program": pl.String(),
    "acts": pl.Int64(),
    "days": pl.List(pl.Int64()),  # local days since 1970
    "quarters": pl.List(pl.Int64()),  # quarters of an hour of the local day, 0 to 95
    "first_at": UTC,
    "last_at": UTC,
    "reads": pl.Int64(),
    "writes": pl.Int64(),
    "schema": pl.Int64(),
    "privilege": pl.Int64(),
    "export": pl.Int64(),
}
# A row for each account and way out of the database.
EXPORTS: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),
    "way": pl.String(),  # the dump tool, else the destination
    "acts": pl.Int64(),
    "days": pl.List(pl.Int64()),
    "quarters": pl.List(pl.Int64()),
    "first_at": UTC,
    "last_at": UTC,
    "client_ips": TEXTS,
    "objects": TEXTS,
}

OWNERS = frozenset(
    {"postgres", "root", "sa", "sys", "system", "mysql", "mariadb.sys", "mysql.sys", "sysdba", "gaussdb", "omm"}
)
# A part of a name that a program has and a person has not.
_PROGRAM = re.compile(
    r"(?:^|[_.\-])(?:app|svc|service|srv|server|backup|bak|dump|etl|sync|interface|itf|monitor|report|bi|job|batch|cron|api|web|repl)(?:[_.\-\d]|$)"
)
QUARTERS = 96
LONGEST_WINDOW = 80  # quarters; what is spread over more has no hours
FEW_DAYS, FEW_ACTS = 2, 5  # seen less than this: written as a remark
SERVICE_ACTS_PER_DAY = 300
SERVICE_HOURS = 16
JOB_DAYS, JOB_WINDOW = 3, 16  # on so many days, within four hours
SHARE = 0.02  # of an account's acts: an address or program seen less is named and left out
MANY_ADDRESSES = 6  # of one /24: the network is proposed


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one system with what was seen of it."""

    system: str
    account: str
    acts: int
    days: int
    first_at: datetime
    last_at: datetime
    places: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...]  # addresses seen seldom
    programs: tuple[tuple[str, int], ...]
    window: tuple[str, str] | None
    actions: tuple[str, ...]
    findings: int  # high or critical ones about it
    beyond: tuple[tuple[str, int], ...]  # rights, structure, exports: never proposed as ordinary work


@dataclass(frozen=True, slots=True)
class Entry:
    """`section`: people, services or owners. `sure`: enough was seen to write it as more than a remark."""

    section: str
    id: str
    accounts: tuple[Account, ...]
    reason: str
    sure: bool


@dataclass(frozen=True, slots=True)
class JobSeen:
    id: str
    system: str
    account: str
    way: str
    acts: int
    days: int
    first_at: datetime
    last_at: datetime
    places: tuple[str, ...]
    window: tuple[str, str]
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggested:
    entries: tuple[Entry, ...] = ()
    jobs: tuple[JobSeen, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class _Ids:
    used: set[str] = field(default_factory=set)

    def of(self, name: str) -> str:
        base = id_of(name)[:56] or "account"
        found, number = base, 2
        while found in self.used:
            found, number = f"{base}_{number}", number + 1
        self.used.add(found)
        return found


def suggest(
    seen: pl.DataFrame,
    exports: pl.DataFrame,
    register: Register | None,
    *,
    days: int,
    findings: Mapping[tuple[str, str], int] | None = None,
) -> Suggested:
    """`days`: how many the frames reach over. `findings`: high and critical ones by (system, account)."""
    findings = findings or {}
    register = register or Register()
    ids = _Ids({*register.people, *register.services, *register.owners, *register.jobs})
    known = {(system, account) for _, _, system, account, _ in register.accounts}
    kinds = dict(program_kinds(seen["client_program"].unique()).iter_rows()) if seen.height else {}
    entries: dict[tuple[str, str], list[tuple[Account, str, bool]]] = {}
    remarks: list[str] = []
    for (system, account), rows in seen.sort("acts", descending=True).group_by(
        "system", "account", maintain_order=True
    ):
        one = _account(str(system), str(account), rows, findings.get((str(system), str(account)), 0))
        if (system, account) in known:
            remarks += _open_points(one, register)
            continue
        section, reason = _section(one, rows, kinds, days)
        sure = one.days >= FEW_DAYS or one.acts >= FEW_ACTS
        entries.setdefault((section, one.account), []).append((one, reason, sure))
    made = tuple(
        Entry(section, ids.of(name), tuple(one for one, _, _ in found), found[0][1], any(sure for _, _, sure in found))
        for (section, name), found in sorted(entries.items())
    )
    jobs, left = _jobs(exports, register, ids)
    return Suggested(made, jobs, (*remarks, *left))


def _account(system: str, account: str, rows: pl.DataFrame, findings: int) -> Account:
    acts = int(rows["acts"].sum())
    addresses: Counter[str] = Counter()
    programs: Counter[str] = Counter()
    for address, program, count in rows.select("client_ip", "client_program", "acts").iter_rows():
        if address is not None:
            addresses[address] += count
        if program:
            programs[program] += count
    often = [name for name, count in addresses.most_common() if count >= max(2, SHARE * acts)]
    often = often or [name for name, _ in addresses.most_common(1)]
    done = {name: int(rows[name].sum()) for name in ("reads", "writes", "schema", "privilege", "export")}
    return Account(
        system, account, acts, len(_union(rows["days"])), rows["first_at"].min(), rows["last_at"].max(),  # type: ignore[arg-type]
        places=places_of(often),
        left_out=tuple((name, count) for name, count in addresses.most_common() if name not in often),
        programs=tuple(pair for pair in programs.most_common() if pair[1] >= SHARE * acts),
        window=window_of(_union(rows["quarters"])),
        actions=(*(word for word, name in (("read", "reads"), ("write", "writes")) if done[name]), "other"),
        findings=findings,
        beyond=tuple((name, done[name]) for name in ("schema", "privilege", "export") if done[name]),
    )  # fmt: skip


def _union(lists: pl.Series) -> set[int]:
    return set(lists.explode().drop_nulls())


def places_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """Addresses as a register writes them; many of one network are the network; names of hosts are left out."""
    found: list[str] = []
    by_network: dict[str, list[str]] = {}
    for address in addresses:
        if address == "[local]":
            found.append("local")
            continue
        try:
            parsed = ip_address(address)
        except ValueError:
            continue
        if isinstance(parsed, IPv4Address):
            by_network.setdefault(str(ip_network(f"{parsed}/24", strict=False)), []).append(str(parsed))
        else:
            found.append(str(parsed))
    for network, inside in by_network.items():
        found += [network] if len(inside) > MANY_ADDRESSES else inside
    return tuple(found)


def window_of(quarters: Iterable[int]) -> tuple[str, str] | None:
    """The shortest span of the day, in half hours, that holds all; None: spread over (almost) the whole day."""
    seen = sorted({quarter % QUARTERS for quarter in quarters})
    if not seen:
        return None
    gaps = [(after - before, after) for before, after in zip(seen, [*seen[1:], seen[0] + QUARTERS], strict=True)]
    gap, start = max(gaps)
    begin = start % QUARTERS // 2 * 2
    length = QUARTERS - gap + 1 + (start % 2)
    end = begin + -(-length // 2) * 2
    if end - begin > LONGEST_WINDOW:
        return None
    return _clock(begin), _clock(end if end == QUARTERS else end % QUARTERS)


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"


def _section(one: Account, rows: pl.DataFrame, kinds: dict[str | None, str | None], days: int) -> tuple[str, str]:
    """Which section, and why."""
    if one.account.lower() in OWNERS:
        return "owners", "its name is that of a database owner"
    tools: Counter[str] = Counter()
    for program, acts in rows.select("client_program", "acts").iter_rows():
        kind = kinds.get(program)
        if kind in {"query_tool", "office", "console"}:
            tools[kind] += acts
    if tools.total() >= 0.2 * one.acts:
        return "people", f"{tools.total()} of its acts by {', '.join(sorted(tools))}"
    hours = len({quarter // 4 for quarter in _union(rows["quarters"])})
    if hours >= SERVICE_HOURS:
        return "services", f"at work in {hours} hours of the day"
    if one.acts >= SERVICE_ACTS_PER_DAY * one.days:
        return "services", f"{one.acts // one.days} acts a day"
    if days >= 7 and one.days >= 0.9 * days:
        return "services", f"at work on {one.days} of {days} days, weekends too"
    if _PROGRAM.search(one.account.lower()):
        return "services", "its name is that of a program"
    return "people", "no more regular than a person"


def _open_points(one: Account, register: Register) -> Iterator[str]:
    """What the register leaves open of an account that it has."""
    for kind, name, system, account, entry in register.accounts:
        if (system, account) != (one.system, one.account):
            continue
        if kind == "person":
            person = register.people[name]
            vendor = register.vendors.get(person.vendor) if person.vendor else None
            agreed = entry.places or person.places or (vendor.places if vendor else ())
        else:
            holder = register.services[name] if kind == "service" else register.owners[name]
            agreed = entry.places or holder.places
        where = f"{'people' if kind == 'person' else kind + 's'}.{name}: {one.account} at {one.system}"
        if not agreed and one.places:
            yield f"{where} has no addresses; seen from {', '.join(one.places)} ({one.acts} acts)"
        if kind == "service" and register.services[name].scope is None:
            programs = ", ".join(program for program, _ in one.programs)
            yield f"{where} has no scope; seen: actions {', '.join(one.actions)}" + (
                f"; programs {programs}" if programs else ""
            )


def _jobs(exports: pl.DataFrame, register: Register, ids: _Ids) -> tuple[tuple[JobSeen, ...], tuple[str, ...]]:
    """Exports that come back at the same time of the day; the others as remarks."""
    agreed = {(system, job.account) for job in register.jobs.values() for system in job.systems if job.kind == "export"}
    jobs, remarks = [], []
    for row in exports.sort("system", "account", "way").iter_rows(named=True):
        if (row["system"], row["account"]) in agreed:
            continue
        days, quarters = set(row["days"]), set(row["quarters"])
        window = window_of(quarters)
        places = places_of(row["client_ips"] or ())
        told = f"{row['account']} at {row['system']}: {row['way']}, {row['acts']} times on {len(days)} days"
        if len(days) < JOB_DAYS or window is None or _length(window) > JOB_WINDOW:
            remarks.append(f"not regular enough for a job: {told}")
            continue
        jobs.append(
            JobSeen(
                ids.of(f"{row['way']}_{row['account']}"), row["system"], row["account"], row["way"], row["acts"], len(days),
                row["first_at"], row["last_at"], places, window, _few(row["objects"] or ()),
            )
        )  # fmt: skip
    return tuple(jobs), tuple(remarks)


def _length(window: tuple[str, str]) -> int:
    begin, end = (int(text[:2]) * 4 + int(text[3:]) // 15 for text in window)
    return (end - begin) % QUARTERS or QUARTERS


def _few(objects: Sequence[str], most: int = 20) -> tuple[str, ...]:
    """Tables of a job where they are few; a dump of a whole database names none."""
    return tuple(sorted(set(objects))) if len(set(objects)) <= most else ()

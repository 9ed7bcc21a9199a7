"""What a register says that can't be true together: faults with the place they are written at."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from config.errors import Problem
from config.register import Register, Ticket
from config.validation import did_you_mean
from config.values import Dates
from config.yaml12 import Document, Keys

_GROUPS = {"person": "people", "service": "services", "owner": "owners"}


Fault = tuple[Keys, str]


def contradictions(register: Register, document: Document, zone: ZoneInfo) -> list[Problem]:
    """Faults of meaning. `zone`: of times without an offset."""
    return [document.problem(keys, message) for keys, message in faults(register, document, zone)]


def faults(register: Register, document: Document, zone: ZoneInfo) -> list[Fault]:
    """The same as (keys, message)."""
    return [
        *_date_orders(register),
        *_people(register, document),
        *_accounts(register),
        *_tickets(register, document, zone),
        *_jobs(register),
    ]


def unread_systems(register: Register, document: Document, systems: Collection[str]) -> list[Problem]:
    """Warnings: systems that the register names and no source reads (a typing error, or a log still to come)."""
    return [document.problem(keys, message) for keys, message in _systems(register, systems)]


def _date_orders(register: Register) -> Iterator[Fault]:
    for name, vendor in register.vendors.items():
        if _backwards(vendor.contract):
            yield ("vendors", name, "contract", "to"), "the contract ends before it starts"
    for name, person in register.people.items():
        if _backwards(person.valid):
            yield ("people", name, "valid", "to"), "ends before it starts"
    for name, job in register.jobs.items():
        if _backwards(job.valid):
            yield ("jobs", name, "valid", "to"), "ends before it starts"
        for index, approval in enumerate(job.approvals or ()):
            if approval.end < approval.start:
                yield ("jobs", name, "approvals", index, "to"), "ends before it starts"


def _backwards(dates: Dates) -> bool:
    return dates.start is not None and dates.end is not None and dates.end < dates.start


def _people(register: Register, document: Document) -> Iterator[Fault]:
    vendors = _names(document, "vendors")
    for name, person in register.people.items():
        keys: Keys = ("people", name)
        if person.vendor is not None and person.department is not None:
            yield (*keys, "department"), "a person has a vendor or a department, not both"
        elif person.vendor is None and person.department is None:
            yield keys, "needs a vendor or a department"
        if person.vendor is not None and person.vendor not in vendors:
            yield (*keys, "vendor"), "unknown vendor" + did_you_mean(person.vendor, vendors)


def _accounts(register: Register) -> Iterator[Fault]:
    holders: dict[tuple[str, str], tuple[str, str, bool]] = {}
    groups = (("people", register.people), ("services", register.services), ("owners", register.owners))
    for group, members in groups:
        for name, holder in members.items():
            for index, entry in enumerate(holder.accounts):
                for system in entry.systems:
                    key = (system, entry.account)
                    first = holders.setdefault(key, (group, name, entry.shared))
                    if first[:2] == (group, name):
                        continue
                    if group == first[0] == "people" and entry.shared and first[2]:
                        continue
                    hint = (
                        "; if several people use it, write shared: true at each"
                        if group == first[0] == "people"
                        else ""
                    )
                    yield (
                        (group, name, "accounts", index, "account"),
                        f"account of system {system} also belongs to {first[0]}.{first[1]}{hint}",
                    )


def _tickets(register: Register, document: Document, zone: ZoneInfo) -> Iterator[Fault]:
    people = _names(document, "people")
    for name, ticket in register.tickets.items():
        for key, message in ticket_faults(ticket, people, zone):
            yield ("tickets", name, key), message


def ticket_faults(ticket: Ticket, people: Collection[str], zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """(key, message). `people`: ids that are known."""
    if _moment(ticket.end, zone) <= _moment(ticket.start, zone):
        yield "to", "ends before it starts"
    for person in ticket.people:
        if person not in people:
            yield "person", f"unknown person '{person}'" + did_you_mean(person, people)


def _jobs(register: Register) -> Iterator[Fault]:
    known = {(system, account) for _, _, system, account, _ in register.accounts}
    for name, job in register.jobs.items():
        for system in job.systems:
            if (system, job.account) not in known:
                names = [account for at, account in known if at == system]
                yield (
                    ("jobs", name, "account"),
                    f"account is not registered in system {system}" + did_you_mean(job.account, names),
                )


def _systems(register: Register, systems: Collection[str]) -> Iterator[Fault]:
    def unknown(keys: Keys, names: Collection[str] | None) -> Iterator[Fault]:
        for system in names or ():
            if system not in systems:
                yield keys, f"no source has the system '{system}'" + did_you_mean(system, systems)

    for name, vendor in register.vendors.items():
        yield from unknown(("vendors", name, "systems"), vendor.systems)
    for group, members in (("people", register.people), ("services", register.services), ("owners", register.owners)):
        for name, holder in members.items():
            for index, entry in enumerate(holder.accounts):
                yield from unknown((group, name, "accounts", index, "system"), entry.systems)
    for name, ticket in register.tickets.items():
        yield from unknown(("tickets", name, "system"), ticket.systems)
    for name, job in register.jobs.items():
        yield from unknown(("jobs", name, "system"), job.systems)


def _names(document: Document, section: str) -> set[str]:
    """Ids as written, those of faulty entries included: a reference to them is no second fault."""
    written = document.data.get(section) if isinstance(document.data, dict) else None
    return set(written) if isinstance(written, dict) else set()


def _moment(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)

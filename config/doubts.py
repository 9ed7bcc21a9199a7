"""What a register says that can be true and should still be looked at: doubts, with the place they are written at.

Nothing here stops anything. `today` is handed in: a date that passes makes a doubt, not a fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from config.errors import Problem
from config.register import Account, Job, Person, Register, Ticket
from config.values import Dates
from config.yaml12 import Document, Keys

Fault = tuple[Keys, str]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a ticket may be before it is doubtful; how early an end is announced."""

    ticket_days: int = 31
    notice_days: int = 30


def doubts(
    register: Register, document: Document, today: date, zone: ZoneInfo, patience: Patience | None = None
) -> list[Problem]:
    """Doubtful entries, in the order of the file. `zone`: of times without an offset."""
    patience = patience or Patience()
    found = [
        *_vendors(register, today, patience),
        *_people(register, today, patience),
        *_accounts(register),
        *_services(register),
        *_tickets(register, zone, patience),
        *_jobs(register, today, patience),
    ]
    return sorted({document.problem(keys, message) for keys, message in found})


def _vendors(register: Register, today: date, patience: Patience) -> Iterator[Fault]:
    for name, vendor in register.vendors.items():
        keys: Keys = ("vendors", name)
        here = [who for who, person in register.people.items() if person.vendor == name]
        valid = [who for who in here if _holds(register.validity(register.people[who]), today)]
        if vendor.state == "exited":
            yield from _left_over(register, name, valid)
            continue
        if vendor.head_count is not None and len(valid) > vendor.head_count:
            yield (
                (*keys, "head_count"),
                f"{len(valid)} people are valid today, the contract agrees {vendor.head_count}",
            )
        end = vendor.contract.end
        if end is None:
            yield (*keys, "contract"), "the contract has no last day: its people stay valid for ever"
        elif end < today:
            yield (*keys, "contract", "to"), f"the contract ended on {end} and the vendor is still '{vendor.state}'"
        elif end <= today + timedelta(days=patience.notice_days):
            yield (*keys, "contract", "to"), f"the contract ends on {end}"


def _left_over(register: Register, vendor: str, valid: list[str]) -> Iterator[Fault]:
    for who in valid:
        yield (
            ("people", who, "vendor"),
            f"the vendor {vendor} has exited and this person is still registered as valid: give a last day",
        )
    accounts = {
        (system, entry.account)
        for person in register.people.values()
        if person.vendor == vendor
        for entry in person.accounts
        for system in entry.systems
    }
    for name, job in register.jobs.items():
        if any((system, job.account) in accounts for system in job.systems):
            yield ("jobs", name, "account"), f"the vendor {vendor} has exited and its account still runs this job"


def _people(register: Register, today: date, patience: Patience) -> Iterator[Fault]:
    for name, person in register.people.items():
        keys: Keys = ("people", name)
        until = person.qualification_until
        if until is not None and not _ended(person.valid, today):
            if until < today:
                yield (*keys, "qualification_until"), f"the qualification ended on {until}"
            elif until <= today + timedelta(days=patience.notice_days):
                yield (*keys, "qualification_until"), f"the qualification ends on {until}"
        if person.vendor is not None and not person.accounts:
            yield keys, "a vendor's person without an account: nothing in the logs can be known as this person's"


def _accounts(register: Register) -> Iterator[Fault]:
    holders: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, person in register.people.items():
        for entry in person.accounts:
            for system in entry.systems:
                holders[system, entry.account].append(name)
    for name, person in register.people.items():
        vendor = register.vendors.get(person.vendor) if person.vendor else None
        default = person.places or (vendor.places if vendor else ())
        for index, entry in enumerate(person.accounts):
            keys: Keys = ("people", name, "accounts", index)
            yield from _places(keys, entry, default)
            others = sorted({who for system in entry.systems for who in holders[system, entry.account]} - {name})
            if others:
                yield (
                    (*keys, "account"),
                    f"shared with {', '.join(others)}: what is done with it is nobody's for certain",
                )
            elif entry.shared:
                yield (*keys, "shared"), "shared: true, and nobody else has this account"


def _places(keys: Keys, entry: Account, default: tuple[str, ...]) -> Iterator[Fault]:
    if not entry.places and not default:
        yield (*keys, "account"), "no address is agreed for this account: it is allowed from anywhere"


def _services(register: Register) -> Iterator[Fault]:
    for name, service in register.services.items():
        keys: Keys = ("services", name)
        for index, entry in enumerate(service.accounts):
            yield from _places((*keys, "accounts", index), entry, service.places)
        if service.scope is None:
            yield keys, "a service without scope: whatever its account does is not judged"


def _tickets(register: Register, zone: ZoneInfo, patience: Patience) -> Iterator[Fault]:
    for name, ticket in register.tickets.items():
        keys: Keys = ("tickets", name)
        start, end = _local(ticket.start, zone), _local(ticket.end, zone)
        if (end - start).days > patience.ticket_days:
            yield (*keys, "to"), f"open for {(end - start).days} days; more than {patience.ticket_days} is no ticket"
        if ticket.objects is None and ticket.classes is None and ticket.actions is None:
            yield keys, "names no objects, classes or actions: it covers anything its people do"
        yield from _approved(keys, register, ticket)
        last = (end - timedelta(microseconds=1)).date()
        for who in ticket.people:
            person = register.people.get(who)
            if person is not None and (why := _not_valid(register, person, start.date(), last)):
                yield (*keys, "person"), f"{who} is not valid in the time of the ticket: {why}"


def _approved(keys: Keys, register: Register, ticket: Ticket) -> Iterator[Fault]:
    if not ticket.approver:
        yield keys, "nobody is named who approved it"
        return
    names = {who: register.people[who].name for who in ticket.people if who in register.people}
    if ticket.approver in {*ticket.people, *names.values()}:
        yield (*keys, "approver"), "approved by the person who does the work"
    elif ticket.requester and ticket.approver == ticket.requester:
        yield (*keys, "approver"), "approved by the person who asked for it"


def _not_valid(register: Register, person: Person, first: date, last: date) -> str | None:
    vendor = register.vendors.get(person.vendor) if person.vendor else None
    if vendor is not None and vendor.state == "exited":
        return f"the vendor {person.vendor} has exited"
    valid = register.validity(person)
    if valid.start is not None and first < valid.start:
        return f"valid from {valid.start}"
    if valid.end is not None and last > valid.end:
        return f"valid until {valid.end}"
    return None


def _jobs(register: Register, today: date, patience: Patience) -> Iterator[Fault]:
    for name, job in register.jobs.items():
        keys: Keys = ("jobs", name)
        if not job.approver:
            yield keys, "nobody is named who approved it"
        end = job.valid.end
        if end is not None and end < today:
            yield (*keys, "valid", "to"), f"the approval ended on {end}: the job covers nothing any more"
        elif end is not None and end <= today + timedelta(days=patience.notice_days):
            yield (*keys, "valid", "to"), f"the approval ends on {end}"
        if job.prescriber_and_drug and job.kind == "report":
            yield from _statistics(keys, job)
        for index, approval in enumerate(job.approvals or ()):
            if approval.approver == approval.requester:
                yield (*keys, "approvals", index, "approver"), "approved by the person who asked for it"


def _statistics(keys: Keys, job: Job) -> Iterator[Fault]:
    """A report by prescriber and drug is the most abused of all: it wants names and an end."""
    if not job.requester:
        yield (*keys, "prescriber_and_drug"), "a report by prescriber and drug without a requester"
    if job.approvals is None and job.valid.end is None:
        yield (
            (*keys, "prescriber_and_drug"),
            "a report by prescriber and drug without approvals and without a last day: it may run for ever",
        )


def _holds(dates: Dates, day: date) -> bool:
    return (dates.start is None or dates.start <= day) and not _ended(dates, day)


def _ended(dates: Dates, day: date) -> bool:
    return dates.end is not None and dates.end < day


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)

"""Accounts to people: the register made ready for joins.

A *subject* is who stands behind an account: a person, a service, an owner, or several people who share it. Subjects are
numbered; `resolve` says for an account and an address which one it is, whether the place is agreed and which jobs may run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from config.register import Account, Person, Register, Scope, Vendor
from config.values import Dates, Hours
from detectors.context.hours import HOURS, hours_row
from detectors.context.places import Places, address_of, inside

MEMO = 100_000  # remembered (system, account, address); hostile names can't fill the memory


@dataclass(frozen=True, slots=True)
class Subject:
    kind: str  # vendor, staff, service, owner
    entry: str | None = None  # its id in the register; null: several who share an account
    person: str | None = None
    vendor: str | None = None
    tier: str | None = None
    state: str | None = None  # of the vendor
    blocked: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    leaves: date | None = None  # last day of person and contract, whatever the qualification
    qualified_until: date | None = None
    hours: Hours | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class _Use:
    """One account entry: its subject and where it may be used from (None: nothing agreed)."""

    subject: int
    places: Places | None


@dataclass(frozen=True, slots=True)
class Resolved:
    subject: int | None
    place_allowed: bool | None
    inside: bool | None
    jobs: tuple[int, ...]


@dataclass
class Resolution:
    """The register, compiled. `own`: the hospital's networks."""

    register: Register
    own: Places
    subjects: list[Subject] = field(default_factory=list)
    _uses: dict[tuple[str, str], list[_Use]] = field(default_factory=dict)
    _shared: dict[tuple[str, str], int] = field(default_factory=dict)
    _jobs: dict[tuple[str, str], list[tuple[int, Places | None]]] = field(default_factory=dict)
    _memo: dict[tuple[str, str | None, str | None], Resolved] = field(default_factory=dict)

    def __post_init__(self) -> None:
        register = self.register
        for name, person in register.people.items():
            vendor = register.vendors.get(person.vendor) if person.vendor else None
            default = person.places or (vendor.places if vendor else ())
            self._add(_person(name, person, vendor, register.validity(person)), person.accounts, default)
        for name, service in register.services.items():
            self._add(
                Subject("service", name, hours=service.hours, scope=service.scope), service.accounts, service.places
            )
        for name, owner in register.owners.items():
            self._add(Subject("owner", name, hours=owner.hours), owner.accounts, owner.places)
        for key, uses in self._uses.items():
            if len(uses) > 1:
                self.subjects.append(_several([self.subjects[use.subject] for use in uses]))
                self._shared[key] = len(self.subjects) - 1
        for number, job in enumerate(register.jobs.values()):
            for system in job.systems:
                places = Places(job.places) if job.places else None
                self._jobs.setdefault((system, job.account), []).append((number, places))

    def _add(self, subject: Subject, accounts: Iterable[Account], default: tuple[str, ...]) -> None:
        self.subjects.append(subject)
        number = len(self.subjects) - 1
        for entry in accounts:
            agreed = entry.places or default
            places = Places(agreed) if agreed else None
            for system in entry.systems:
                self._uses.setdefault((system, entry.account), []).append(_Use(number, places))

    @property
    def systems(self) -> frozenset[str]:
        """Systems whose accounts are registered; elsewhere nothing counts as unregistered."""
        return frozenset(system for system, _ in self._uses)

    def resolve(self, system: str, account: str | None, client: str | None) -> Resolved:
        key = (system, account, client)
        if (known := self._memo.get(key)) is None:
            known = self._look_up(system, account, client)
            if len(self._memo) >= MEMO:
                self._memo.clear()
            self._memo[key] = known
        return known

    def _look_up(self, system: str, account: str | None, client: str | None) -> Resolved:
        within = None if client is None else inside(client, self.own)
        uses = self._uses.get((system, account), []) if account is not None else []
        if not uses or account is None:
            return Resolved(None, None, within, ())
        address = None if client is None else address_of(client)
        verdicts = [None if use.places is None or client is None else use.places.hold(client, address) for use in uses]
        subject = uses[0].subject
        if len(uses) > 1:
            fitting = [use.subject for use, verdict in zip(uses, verdicts, strict=True) if verdict]
            subject = fitting[0] if len(set(fitting)) == 1 else self._shared[system, account]
        allowed = True if any(verdicts) else (None if None in verdicts else False)
        jobs = tuple(
            number
            for number, places in self._jobs.get((system, account), ())
            if (allowed is not False if places is None else client is not None and places.hold(client, address))
        )
        return Resolved(subject, allowed, within, jobs)

    def frame(self, scope_of: dict[int, int]) -> pl.DataFrame:
        """A row per subject: `subject`, CONTEXT columns, validity, hours and `role` (number of its scope)."""
        rows: list[dict[str, Any]] = [
            {
                "subject": number,
                "actor_kind": subject.kind,
                "person": subject.person,
                "vendor": subject.vendor,
                "vendor_tier": subject.tier,
                "vendor_state": subject.state,
                "named": subject.kind in {"vendor", "staff"},
                "blocked": subject.blocked,
                "valid_from": subject.valid_from,
                "valid_to": subject.valid_to,
                "leaves": subject.leaves,
                "qualified_until": subject.qualified_until,
                "role": scope_of.get(number),
                **hours_row(subject.hours),
            }
            for number, subject in enumerate(self.subjects)
        ]
        return pl.DataFrame(
            rows,
            schema={
                "subject": pl.UInt32, "actor_kind": pl.String, "person": pl.String, "vendor": pl.String, "vendor_tier": pl.String,
                "vendor_state": pl.String, "named": pl.Boolean, "blocked": pl.Boolean, "valid_from": pl.Date, "valid_to": pl.Date,
                "leaves": pl.Date, "qualified_until": pl.Date, "role": pl.UInt32, **HOURS,
            },
        )  # fmt: skip


def _person(name: str, person: Person, vendor: Vendor | None, valid: Dates) -> Subject:
    ends = [day for day in (person.valid.end, vendor.contract.end if vendor else None) if day is not None]
    return Subject(
        kind="vendor" if person.vendor else "staff",
        entry=name,
        person=name,
        vendor=person.vendor,
        tier=vendor.tier if vendor else None,
        state=vendor.state if vendor else None,
        blocked=vendor is not None and vendor.state == "exited",
        valid_from=valid.start,
        valid_to=valid.end,
        leaves=min(ends, default=None),
        qualified_until=person.qualification_until,
        hours=person.hours or (vendor.hours if vendor else None),
        scope=person.scope or (vendor.scope if vendor else None),
    )


def _several(subjects: list[Subject]) -> Subject:
    """Who a shared account is when the address tells nobody apart: no person, and what holds for all of them."""
    first = subjects[0]
    vendors = {subject.vendor for subject in subjects}
    vendor = first if len(vendors) == 1 else None
    outsider = next((subject for subject in subjects if subject.kind == "vendor"), None)
    return Subject(
        kind=(outsider or first).kind,
        vendor=vendor.vendor if vendor else None,
        tier=vendor.tier if vendor else None,
        state=vendor.state if vendor else None,
        blocked=all(subject.blocked for subject in subjects),
        valid_from=None
        if any(s.valid_from is None for s in subjects)
        else min(s.valid_from for s in subjects if s.valid_from),
        valid_to=_last([s.valid_to for s in subjects]),
        leaves=_last([s.leaves for s in subjects]),
        hours=(outsider or first).hours,
        scope=(outsider or first).scope,
    )


def _last(days: list[date | None]) -> date | None:
    """The last day that holds for one of them; none where one has no end."""
    known = [day for day in days if day is not None]
    return max(known) if len(known) == len(days) else None

"""The register: who may work here, from where, when and on what. register.yaml as a frozen model.

Nothing here decides anything; `detectors/context` joins it to events. Contradictions are faults with their place
(`contradictions`). Times without an offset are local times of the site; dates include both ends.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from config.values import Dates, Hours, Identifier, Model, Moment, PlaceText, Texts, one_or_more

Places = tuple[PlaceText, ...]
Action = Literal[
    "read", "write", "schema", "privilege", "audit", "export", "other",
    "upload", "download", "list", "delete", "rename", "folder", "permission", "command",
]  # fmt: skip
DataClass = Literal[
    "identity", "contact", "clinical", "special", "lab", "image", "prescription", "drug", "billing", "staff",
    "credential", "procurement", "public_health", "audit",
]  # fmt: skip


Systems = Annotated[tuple[Identifier, ...], BeforeValidator(one_or_more)]


class Scope(Model):
    """What may be touched. A key that is left out sets no limit; an empty list allows nothing."""

    objects: Texts | None = Field(
        None, description="tables (schema.table or table) or file paths; * and ? allowed, case ignored"
    )
    classes: tuple[DataClass, ...] | None = Field(None, description="classes of data that may be read")
    actions: tuple[Action, ...] | None = Field(None, description="what may be done")
    programs: Texts | None = Field(
        None, description="client programs; * and ? allowed. A client can lie about its name"
    )


class Account(Model):
    systems: Systems = Field(
        alias="system", min_length=1, description="system, or list of systems, that has the account"
    )
    account: str = Field(min_length=1, description="name as the log writes it")
    places: Places = Field((), alias="from", description="addresses it is used from; default: those of its owner")
    shared: bool = Field(False, description="known to be used by several people; written at each of them")
    superuser: bool = Field(False, description="agreed to have the rights of a superuser; owners have them anyway")


class Vendor(Model):
    name: str = Field("", description="name that alerts show")
    tier: Literal["A", "B", "C"] = Field("C", description="how deep the vendor works in the systems: A deepest")
    state: Literal["active", "exiting", "exited"] = Field(
        "active", description="exited: nobody of it is valid any more"
    )
    contract: Dates = Field(Dates(), description="first and last day of the contract")
    head_count: int | None = Field(None, ge=0, description="people agreed in the contract")
    places: Places = Field((), description="addresses of the vendor's rooms and of its remote access")
    hours: Hours = Field(
        Hours.model_validate({"days": ["working"], "from": "08:00", "to": "18:00"}),
        description="agreed hours; default: working days 08:00 to 18:00",
    )
    systems: Systems | None = Field(None, description="systems in the contract; none written: all")
    scope: Scope | None = Field(None, description="what its people may do without a ticket; none written: not judged")


class Person(Model):
    name: str = Field("", description="name that alerts show")
    vendor: Identifier | None = Field(None, description="vendor that sends the person")
    department: str | None = Field(None, description="department of the hospital's own staff")
    accounts: tuple[Account, ...] = Field((), description="accounts of the person")
    places: Places = Field((), description="addresses the person works from; default: the vendor's")
    valid: Dates = Field(Dates(), description="first and last day")
    qualification_until: date | None = Field(None, description="last day of the qualification; after it not valid")
    hours: Hours | None = Field(None, description="hours of the person; default: the vendor's, or none")
    scope: Scope | None = Field(None, description="what the person may do without a ticket; default: the vendor's")


class Service(Model):
    name: str = Field("", description="name that alerts show")
    accounts: tuple[Account, ...] = Field(min_length=1, description="its accounts")
    places: Places = Field((), description="addresses it runs on")
    hours: Hours | None = Field(None, description="when it runs; default: always")
    scope: Scope | None = Field(None, description="what it does; none written: not judged")


class Owner(Model):
    """The owner of a database or server (postgres, root, sa): belongs on the local socket, for maintenance."""

    name: str = Field("", description="name that alerts show")
    accounts: tuple[Account, ...] = Field(min_length=1, description="its accounts")
    places: Places = Field(("local",), description="default: the local socket only")
    hours: Hours | None = Field(None, description="when it is used; default: always")


class Ticket(Model):
    """An approved piece of work: who, where, from when to when, on what."""

    people: Annotated[tuple[Identifier, ...], BeforeValidator(one_or_more)] = Field(
        alias="person", min_length=1, description="person or people who do the work"
    )
    systems: Systems | None = Field(None, alias="system", description="systems; none written: all")
    start: Moment = Field(alias="from", description="begin, local time")
    end: Moment = Field(alias="to", description="end, not included")
    objects: Texts | None = Field(None, description="tables or file paths; none written: any")
    classes: tuple[DataClass, ...] | None = Field(None, description="classes of data; none written: any")
    actions: tuple[Action, ...] | None = Field(None, description="what may be done; none written: anything")
    requester: str | None = Field(None, description="who asked")
    approver: str | None = Field(None, description="who agreed")
    note: str | None = Field(None, description="what for")


JobKind = Literal["export", "maintenance", "report", "transfer"]


class Approval(Model):
    """One agreed use of a report: who asked, who agreed, in which days it may run and how often."""

    start: date = Field(alias="from", description="first day on which it may run")
    end: date = Field(alias="to", description="last day")
    uses: int = Field(1, ge=1, description="how often it may run in these days")
    requester: str = Field(min_length=1, description="who asked for it")
    approver: str = Field(min_length=1, description="who agreed; not the one who asked")


class Job(Model):
    """Work of an account that repeats and is approved once: the nightly dump, a report, cron maintenance."""

    name: str = Field("", description="name that alerts show")
    kind: JobKind = Field(description="sets what it may do: see docs/register.md")
    systems: Systems = Field(alias="system", min_length=1, description="system or systems")
    account: str = Field(min_length=1, description="account that runs it; must be registered")
    places: Places = Field((), alias="from", description="addresses it runs from; none written: those of the account")
    window: Hours | None = Field(None, description="daily window; none written: at any time")
    objects: Texts | None = Field(None, description="tables or file paths; none written: any")
    classes: tuple[DataClass, ...] | None = Field(
        None, description="classes of data; none written: any, but for maintenance without objects none of patients"
    )
    actions: tuple[Action, ...] | None = Field(None, description="instead of those of its kind")
    restrictions: tuple[Literal["point", "set", "range", "none"], ...] | None = Field(
        None, description="how reads of sensitive tables must be restricted; none written: in any way"
    )
    aggregates: Literal["any", "only", "none"] = Field(
        "any", description="only: reads of sensitive tables must be aggregates; none: must not"
    )
    prescriber_and_drug: bool = Field(
        False, description="may count or list prescriptions by prescriber and drug (统方)"
    )
    max_rows: int | None = Field(
        None, ge=1, description="largest result; a statement without a known bound is not covered"
    )
    requester: str | None = Field(None, description="who asked for it")
    approver: str | None = Field(None, description="who approved it")
    every_days: int | None = Field(
        None, ge=1, le=90, description="it must run at least once in so many days; else it is told (VND-04)"
    )
    valid: Dates = Field(Dates(), description="first and last day of the approval as a whole")
    approvals: tuple[Approval, ...] | None = Field(
        None, description="each agreed use of a report that needs one (统方); none written: no use needs one"
    )


class Register(Model):
    """register.yaml."""

    vendors: dict[Identifier, Vendor] = Field(default_factory=dict, description="outside companies, by id")
    people: dict[Identifier, Person] = Field(default_factory=dict, description="people, by id")
    services: dict[Identifier, Service] = Field(default_factory=dict, description="programs with accounts, by id")
    owners: dict[Identifier, Owner] = Field(default_factory=dict, description="owners of databases, by id")
    tickets: dict[Identifier, Ticket] = Field(default_factory=dict, description="approved work, by id")
    jobs: dict[Identifier, Job] = Field(default_factory=dict, description="approved repeated work, by id")

    def validity(self, person: Person) -> Dates:
        """First and last day on which a person may work: own dates, contract and qualification together.

        Without regard to the state of the vendor.
        """
        vendor = self.vendors.get(person.vendor) if person.vendor else None
        contract = vendor.contract if vendor else Dates()
        starts = [day for day in (person.valid.start, contract.start) if day is not None]
        ends = [day for day in (person.valid.end, contract.end, person.qualification_until) if day is not None]
        return Dates.model_construct(start=max(starts, default=None), end=min(ends, default=None))

    @property
    def accounts(self) -> list[tuple[str, str, str, str, Account]]:
        """Every (kind, id, system, account, entry): kind is person, service or owner."""
        groups = (("person", self.people), ("service", self.services), ("owner", self.owners))
        return [
            (kind, name, system, entry.account, entry)
            for kind, group in groups
            for name, holder in group.items()
            for entry in holder.accounts
            for system in entry.systems
        ]

"""What daily checks judge: the register, the inventories and what the store has seen, for one site at one moment.

A daily check is a function `(day, numbers) -> Told ...`; `numbers` are the limits of its rule. What it finds stays one finding
as long as the matter stands: the moment that names it (`Told.bucket`) is the one since which it stands, never "today".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import polars as pl

from config.register import Register
from detectors.inventory import ACCOUNTS_KEPT, CHANGES
from detectors.report import Told
from parsers.events import UTC

LOOKBACK_DAYS = 160  # of `WORK`: four whole months and the one that runs
# A row an account and local day: acts are main records of events with a trusted clock.
WORK: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),
    "person": pl.String(),
    "vendor": pl.String(),
    "actor_kind": pl.String(),
    "day": pl.Date(),
    "acts": pl.Int64(),
    "failed": pl.Int64(),
    "privileged": pl.Int64(),  # rights, structure or audit changed
    "written": pl.Int64(),  # rows changed
    "altered": pl.Int64(),  # structure that was there changed or dropped
    "backups": pl.Int64(),  # dumps and backups
    "first_at": UTC,
    "last_at": UTC,
    "job_at": UTC,  # last act that a registered job approved
}
# A row a run of a count by prescriber and drug (统方) that a registered job approved.
STATISTICS: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),
    "shape_id": pl.String(),
    "occurred_at": UTC,
    "event_id": pl.String(),
}
# A row an act of a person: what is done in the session of a ticket that has ended.
ACTS: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),
    "person": pl.String(),
    "vendor": pl.String(),
    "source": pl.String(),
    "session": pl.String(),
    "ticket": pl.String(),
    "occurred_at": UTC,
    "event_id": pl.String(),
}
HOLDERS: dict[str, pl.DataType] = {
    "system": pl.String(),
    "account": pl.String(),
    "kind": pl.String(),  # vendor, staff, service, owner
    "person": pl.String(),  # null where several people share it
    "people": pl.UInt32(),
    "vendor": pl.String(),
    "last_day": pl.Date(),  # last one of the person and its contract; of several the latest; null: none written
    "qualified_until": pl.Date(),  # of several people the earliest; null: none written
    "agreed_superuser": pl.Boolean(),
}


@dataclass(frozen=True)
class Day:
    """`now`: UTC. Frames: detectors/inventory.py, WORK and STATISTICS."""

    site: str
    now: datetime
    zone: ZoneInfo
    register: Register
    accounts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCOUNTS_KEPT))
    changes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHANGES))
    work: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WORK))
    statistics: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=STATISTICS))

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """When a local day begins."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC_ZONE)

    def before(self, days: int) -> datetime:
        return self.now - timedelta(days=days)

    @cached_property
    def open_accounts(self) -> pl.DataFrame:
        """Accounts somebody can log in with now, with their holders (`kind` null: nobody registered them)."""
        there = self.accounts.filter(
            pl.col("gone_at").is_null()
            & pl.col("can_login").fill_null(value=True)
            & ~pl.col("locked").fill_null(value=False)
            & (pl.col("valid_until").is_null() | (pl.col("valid_until") > self.now))
        )
        return there.join(self.holders, on=["system", "account"], how="left").sort("system", "account")

    @cached_property
    def holders(self) -> pl.DataFrame:
        return holders(self.register)

    @cached_property
    def watched_since(self) -> pl.DataFrame:
        """Since when each system's log is in the store, as far as is looked back."""
        return self.work.group_by("system").agg(seen_since=pl.col("first_at").min())

    def seen_for(self, days: int) -> bool:
        """Whether the store reaches back so far at all."""
        earliest = self.work["first_at"].min()
        return isinstance(earliest, datetime) and earliest <= self.before(days)


DailyCheck = Callable[[Day, Mapping[str, int]], Iterator[Told]]


def holders(register: Register) -> pl.DataFrame:
    """HOLDERS: who stands behind each account, one row an account."""
    rows = []
    for kind, name, system, account, entry in register.accounts:
        person = register.people[name] if kind == "person" else None
        vendor = person.vendor if person is not None else None
        contract = register.vendors[vendor].contract.end if vendor in register.vendors else None
        ends = [day for day in (person.valid.end if person else None, contract) if day is not None]
        rows.append({
            "system": system, "account": account, "person": name if person is not None else None,
            "kind": kind if person is None else "staff" if vendor is None else "vendor", "vendor": vendor,
            "last_day": min(ends, default=None), "qualified_until": person.qualification_until if person is not None else None,
            "agreed_superuser": kind == "owner" or entry.superuser,
        })  # fmt: skip
    schema = {name: dtype for name, dtype in HOLDERS.items() if name != "people"}
    several = pl.len() > 1
    return (
        pl.DataFrame(rows, schema=schema, orient="row")
        .group_by("system", "account", maintain_order=True)
        .agg(
            # A vendor's hand makes it a vendor's account, whoever else has it.
            kind=pl.when((pl.col("kind") == "vendor").any()).then(pl.lit("vendor")).otherwise(pl.col("kind").first()),
            person=pl.when(~several).then(pl.col("person").first()),
            people=pl.col("person").n_unique().cast(pl.UInt32),
            vendor=pl.when(pl.col("vendor").drop_nulls().n_unique() == 1).then(pl.col("vendor").drop_nulls().first()),
            last_day=pl.when(pl.col("last_day").null_count() == 0).then(pl.col("last_day").max()),
            qualified_until=pl.col("qualified_until").min(),
            agreed_superuser=pl.col("agreed_superuser").any(),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in HOLDERS.items())
    )


def named(frame: pl.DataFrame, columns: Sequence[str] = ("system", "account")) -> list[str]:
    """`system/account` of every row, for the objects of a finding."""
    return frame.select(pl.concat_str([pl.col(name) for name in columns], separator="/"))[columns[0]].to_list()

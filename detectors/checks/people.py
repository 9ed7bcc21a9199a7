"""Daily checks of a vendor's people: how many are there, how many come and go, how the new ones do, who does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

import polars as pl

from config.register import Vendor
from detectors.checks.days import Day
from detectors.report import Told


def _by_person(day: Day, vendor: str) -> pl.DataFrame:
    return day.work.filter((pl.col("vendor") == vendor) & pl.col("person").is_not_null())


def _under_contract(vendor: Vendor, first: date, last: date) -> bool:
    """From the first to the last day."""
    contract = vendor.contract
    return vendor.state != "exited" and (contract.start is None or contract.start <= first) and (
        contract.end is None or contract.end >= last
    )  # fmt: skip


def head_count(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """head_count_below: for whole weeks fewer people of a vendor were seen than the contract agrees."""
    this_monday = day.today - timedelta(days=day.today.weekday())
    for name, vendor in day.register.vendors.items():
        if not vendor.head_count:
            continue
        work = _by_person(day, name)
        low: list[tuple[date, int]] = []
        monday = this_monday - timedelta(days=7)
        # Back week by week, as long as too few were there: the first of these weeks names the finding.
        while _under_contract(vendor, monday, monday + timedelta(days=6)) and day.seen_for((day.today - monday).days):
            people = work.filter(pl.col("day").is_between(monday, monday + timedelta(days=6)))["person"].n_unique()
            if people >= vendor.head_count:
                break
            low.append((monday, people))
            monday -= timedelta(days=7)
        if len(low) >= numbers["weeks"]:
            began = day.midnight(low[-1][0])
            most = max(people for _, people in low)
            yield Told(
                key=(day.site, name), bucket=began, first_seen=began, who={"site": day.site, "vendor": name},
                words={
                    "vendor": vendor.name or name, "people": most, "agreed": vendor.head_count, "weeks": len(low),
                    "first": low[-1][0],
                },
            )  # fmt: skip


def turnover(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """turnover_high: too large a part of a vendor's people left within this quarter. One finding a quarter."""
    today = day.today
    begin = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    for name, vendor in day.register.vendors.items():
        if vendor.state != "active" or (vendor.contract.end is not None and vendor.contract.end < today):
            continue
        people = {who: person for who, person in day.register.people.items() if person.vendor == name}
        were = {
            who
            for who, person in people.items()
            if (person.valid.start is None or person.valid.start < begin)
            and (person.valid.end is None or person.valid.end >= begin)
        }
        left = {who for who in were if (end := people[who].valid.end) is not None and end < today}
        vanished = _vanished(day, name, numbers["vanished_days"]) & were - left
        gone = sorted(left | vanished)
        if len(gone) >= numbers["people"] and len(gone) * 100 >= numbers["percent"] * len(were):
            began = day.midnight(begin)
            yield Told(
                key=(day.site, name), bucket=began, first_seen=began, who={"site": day.site, "vendor": name},
                words={
                    "vendor": vendor.name or name, "left": len(left), "vanished": len(vanished), "were": len(were),
                    "percent": len(gone) * 100 // len(were), "quarter": f"{begin.year}Q{(begin.month + 2) // 3}",
                },
                objects=gone,
            )  # fmt: skip


def _vanished(day: Day, vendor: str, days: int) -> set[str]:
    """People who worked on most weeks of the month before and were not seen for so many days since."""
    last = day.today - timedelta(days=days)
    work = _by_person(day, vendor).filter(pl.col("day") > last - timedelta(days=28))
    before = work.filter(pl.col("day") <= last).group_by("person").agg(weeks=(pl.col("day").dt.week()).n_unique())
    regular = set(before.filter(pl.col("weeks") >= 3)["person"])
    return regular - set(work.filter(pl.col("day") > last)["person"])


def newcomer(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """newcomer_errors: in the first weeks a much larger part of a vendor person's acts fails than of the other vendors' people."""
    if not day.seen_for(numbers["days"] + 28):
        return
    begin = day.today - timedelta(days=numbers["days"])
    people = (
        day.work.filter(pl.col("vendor").is_not_null() & pl.col("person").is_not_null())
        .group_by("person")
        .agg(
            pl.col("vendor").first(), pl.col("acts").sum(), pl.col("failed").sum(), pl.col("written").sum(),
            first=pl.col("day").min(), first_at=pl.col("first_at").min(), last_at=pl.col("last_at").max(),
        )
    )  # fmt: skip
    starts = {who: person.valid.start for who, person in day.register.people.items()}
    others = people.filter(pl.col("first") <= begin)
    acts, failed = int(others["acts"].sum()), int(others["failed"].sum())
    usual = failed * 100 // acts if acts else 0
    for row in people.filter(pl.col("first") > begin).sort("person").iter_rows(named=True):
        start = starts.get(row["person"])
        if start is not None and start <= begin - timedelta(days=28):  # known for long, seldom here
            continue
        percent = row["failed"] * 100 // row["acts"]
        if row["failed"] >= numbers["failed"] and percent >= max(numbers["percent"], usual * numbers["times"]):
            began = day.midnight(row["first"])
            yield Told(
                key=(day.site, row["person"]), bucket=began, first_seen=row["first_at"],
                who={"site": day.site, "person": row["person"], "vendor": row["vendor"]},
                words={
                    "person": day.register.people[row["person"]].name or row["person"]
                    if row["person"] in day.register.people else row["person"],
                    "failed": row["failed"], "acts": row["acts"], "percent": percent, "usual": usual,
                    "written": row["written"], "first": row["first"],
                },
            )  # fmt: skip


def dependency(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """dependency_rising: the vendors' part in changes of rights and structure at a system is large and rose month by month."""
    months = _months(day.today, numbers["months"] + 1)
    if not day.seen_for((day.today - months[0]).days):
        return
    work = day.work.filter(
        pl.col("actor_kind").is_in(["vendor", "staff"])
        & (pl.col("day") >= months[0])
        & (pl.col("day") < _first(day.today))
    )
    counted = (
        work.group_by("system", month=pl.col("day").dt.truncate("1mo"))
        .agg(
            total=pl.col("privileged").sum(),
            vendors=pl.col("privileged").filter(pl.col("actor_kind") == "vendor").sum(),
        )
        .filter(pl.col("total") >= numbers["acts"])
        .sort("system", "month")
    )
    for (system,), rows in counted.group_by("system", maintain_order=True):
        parts = [vendors * 100 // total for vendors, total in rows.select("vendors", "total").iter_rows()]
        if rows.height < len(months) or parts[-1] < numbers["percent"]:
            continue
        if all(before < after for before, after in pairwise(parts)):
            began = day.midnight(months[-1])
            yield Told(
                key=(day.site, str(system)), bucket=began, first_seen=began,
                who={"site": day.site, "system": str(system)},
                words={
                    "system": system, "percent": parts[-1], "month": months[-1].strftime("%Y-%m"),
                    "course": " → ".join(f"{part}%" for part in parts), "acts": int(rows["total"][-1]),
                },
            )  # fmt: skip


def _first(today: date) -> date:
    return today.replace(day=1)


def _months(today: date, count: int) -> list[date]:
    """First days of the last whole months, oldest first."""
    found = []
    first = _first(today)
    for _ in range(count):
        first = _first(first - timedelta(days=1))
        found.append(first)
    return found[::-1]

"""Daily checks of accounts as servers have them (inventories), against the register and what the store has seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from detectors.checks.days import Day, named
from detectors.report import Told
from detectors.risk import Part

VENDOR = Part(1, "厂商账号", "an account of a vendor")
STAFF = Part(-2, "本院人员", "own staff")
# Whole names, or what is left of them without digits and joints, that name a use and not a person.
GENERIC = frozenset({
    "admin", "administrator", "anonymous", "backup", "common", "company", "dba", "demo", "dev", "develop", "developer", "devops",
    "engineer", "gongyong", "guest", "his", "hospital", "it", "maintain", "maintenance", "manager", "ops", "operator", "public",
    "remote", "service", "shared", "sup", "support", "sys", "temp", "test", "tester", "testuser", "tmp", "training", "user",
    "vendor", "weihu", "yunwei", "ceshi", "changshang",
})  # fmt: skip
_JOINTS = re.compile(r"[\d_.\-]+")


def _of(day: Day, row: Mapping[str, Any], bucket: datetime, **more: Any) -> Told:
    who = {"site": day.site, "system": row["system"], "account": row["account"]}
    who |= {"person": row["person"], "vendor": row["vendor"]}
    return Told(
        key=(day.site, row["system"], row["account"]), bucket=bucket, first_seen=bucket, who=who,
        words=more.pop("words", {}) | {"system": row["system"], "account": row["account"]}, **more,
    )  # fmt: skip


def _day(moment: datetime | None, day: Day) -> str:
    return "-" if moment is None else moment.astimezone(day.zone).date().isoformat()


def endless(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """account_endless: an account of a person that the server never ends, or long after the person's last day."""
    slack = pl.duration(days=numbers["slack_days"])
    last = pl.col("last_day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")  # a day more or less is slack
    too_late = (pl.col("valid_until") > last + slack) | (
        pl.col("valid_until") > day.now + timedelta(days=numbers["longest_days"])
    )
    rows = day.open_accounts.filter(
        pl.col("kind").is_in(["vendor", "staff"])
        & (~pl.col("expires") | too_late.fill_null(value=False)).fill_null(value=False)
    )
    for row in rows.iter_rows(named=True):
        never = row["valid_until"] is None
        words = {
            "until_zh": "永不" if never else _day(row["valid_until"], day),
            "until_en": "never" if never else "on " + _day(row["valid_until"], day),
            "last_zh": row["last_day"] or "未登记",
            "last_en": row["last_day"] or "not written",
        }
        staff = row["kind"] == "staff"
        yield _of(day, row, row["first_read_at"], words=words, likelihood=(STAFF,) if staff else ())


def password_old(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """password_old: the password of a service or owner was not changed for too long."""
    limit = day.before(numbers["days"])
    rows = day.open_accounts.filter(
        pl.col("kind").is_in(["service", "owner"]) & (pl.col("password_changed_at") < limit)
    )
    for row in rows.iter_rows(named=True):
        words = {"since": _day(row["password_changed_at"], day), "days": numbers["days"]}
        yield _of(day, row, row["password_changed_at"], words=words)


def left_open(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """leaver_account: the person's time is over and the account is open. A whole vendor that left: `exit_unfinished`."""
    limit = day.today - timedelta(days=numbers["grace_days"])
    rows = day.open_accounts.filter((pl.col("last_day") < limit) & ~_of_gone_vendor(day, numbers["grace_days"]))
    for row in rows.iter_rows(named=True):
        yield _of(
            day, row, day.midnight(row["last_day"] + timedelta(days=1)), words={"last_day": row["last_day"]},
        )  # fmt: skip


def _of_gone_vendor(day: Day, grace_days: int) -> pl.Expr:
    return pl.col("vendor").is_in(_gone_vendors(day, grace_days)).fill_null(value=False)


def _gone_vendors(day: Day, grace_days: int) -> list[str]:
    limit = day.today - timedelta(days=grace_days)
    return [
        name
        for name, vendor in day.register.vendors.items()
        if vendor.state == "exited" or (vendor.contract.end is not None and vendor.contract.end < limit)
    ]


def exit_unfinished(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """exit_unfinished: a vendor has left, or its contract is over, and accounts of its people or their jobs are left."""
    accounts = day.open_accounts
    for name in _gone_vendors(day, numbers["grace_days"]):
        left = accounts.filter(pl.col("vendor") == name)
        if left.is_empty():
            continue
        vendor = day.register.vendors[name]
        end = vendor.contract.end
        since = day.midnight(end + timedelta(days=1)) if end is not None and end < day.today else _first(day, left)
        names = set(left.select("system", "account").iter_rows())
        jobs = [
            f"job/{job}"
            for job, one in day.register.jobs.items()
            if any((system, one.account) in names for system in one.systems)
        ]
        yield Told(
            key=(day.site, name), bucket=since, first_seen=since, who={"site": day.site, "vendor": name},
            words={"vendor": vendor.name or name, "accounts": left.height, "jobs": len(jobs), "names": _some(named(left))},
            objects=[*named(left), *jobs],
        )  # fmt: skip


def _first(day: Day, rows: pl.DataFrame) -> datetime:
    """When the first of some accounts was first read: of all that were ever there, so that it does not move."""
    kept = day.accounts.join(rows.select("system").unique(), on="system", how="semi")
    earliest = kept["first_read_at"].min()
    return earliest if isinstance(earliest, datetime) else day.now


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" +{len(names) - most}" if len(names) > most else "")


def unqualified(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """qualification_lapsed: the qualification of a person who is still here has expired and the account is open."""
    limit = day.today - timedelta(days=numbers["grace_days"])
    here = pl.col("last_day").is_null() | (pl.col("last_day") >= day.today)
    for row in day.open_accounts.filter((pl.col("qualified_until") < limit) & here).iter_rows(named=True):
        since = day.midnight(row["qualified_until"] + timedelta(days=1))
        yield _of(day, row, since, words={"until": row["qualified_until"]})


def unregistered(day: Day, _: Mapping[str, int]) -> Iterator[Told]:
    """account_unregistered: an account on the server that nobody registered, at a system that has registered ones."""
    known = day.holders["system"].unique()
    rows = day.open_accounts.filter(pl.col("kind").is_null() & pl.col("system").is_in(known.implode()))
    for row in rows.iter_rows(named=True):
        strong = (Part(1, "拥有超级权限", "it has the rights of a superuser"),) if row["superuser"] else ()
        yield _of(day, row, row["first_read_at"], words={"first": _day(row["first_read_at"], day)}, impact=strong)


def dormant(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """account_dormant: an open account that nobody has used for so long, though its use would have been seen."""
    limit = day.before(numbers["days"])
    used = day.work.group_by("system", "account").agg(used_at=pl.col("last_at").max())
    rows = (
        day.open_accounts.join(used, on=["system", "account"], how="left")
        .join(day.watched_since, on="system", how="left")
        .with_columns(
            used_at=pl.max_horizontal("used_at", "last_login_at"),
            there_since=pl.min_horizontal("created_at", "first_read_at"),
        )
        .filter(
            (pl.col("kind").is_null() | (pl.col("kind") != "owner"))
            & (pl.col("there_since") <= limit)
            & (pl.col("used_at").is_null() | (pl.col("used_at") < limit))
            & ((pl.col("seen_since") <= limit) | pl.col("last_login_at").is_not_null()).fill_null(value=False)
        )
    )
    for row in rows.iter_rows(named=True):
        used_at = row["used_at"]
        words = {
            "used_zh": "未见使用" if used_at is None else f"最后使用{_day(used_at, day)}",
            "used_en": "never seen in use" if used_at is None else f"last used {_day(used_at, day)}",
            "days": numbers["days"],
        }
        service = (Part(-1, "服务账号", "an account of a service"),) if row["kind"] == "service" else ()
        yield _of(day, row, used_at or row["there_since"], words=words, likelihood=service)


def shared(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """account_shared: an open account of several people, or one whose name is that of a use and not of a person."""
    for row in day.open_accounts.iter_rows(named=True):
        people = row["people"] or 0
        several = people >= numbers["people"]
        generic = row["kind"] in {"vendor", "staff", None} and _JOINTS.sub("", row["account"].lower()) in GENERIC
        if several or generic:
            words = {
                "reason_zh": f"登记为{people}人共用" if several else "名称是用途而非个人",
                "reason_en": f"it is registered for {people} people" if several else "its name is a use, not a person",
            }
            yield _of(day, row, row["first_read_at"], words=words)


def unaudited(day: Day, _: Mapping[str, int]) -> Iterator[Told]:
    """account_unaudited: the server's audit leaves out accounts of superusers or vendors. One finding a system."""
    rows = day.open_accounts.filter(
        ~pl.col("audited") & (pl.col("superuser").fill_null(value=False) | (pl.col("kind") == "vendor"))
    )
    for (system,), left in rows.group_by("system", maintain_order=True):
        since = _first(day, left)
        yield Told(
            key=(day.site, str(system)), bucket=since, first_seen=since,
            who={"site": day.site, "system": str(system)}, objects=named(left),
            words={"system": system, "accounts": left.height, "names": _some(left["account"].to_list())},
        )  # fmt: skip


def unused_rights(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """rights_unused: a vendor's account has the rights of a superuser for so long and did nothing that needs them."""
    limit = day.before(numbers["days"])
    recent = day.work.filter(pl.col("last_at") >= limit).group_by("system", "account")
    rows = (
        day.open_accounts.join(recent.agg(pl.col("privileged").sum()), on=["system", "account"], how="left")
        .join(day.watched_since, on="system", how="left")
        .filter(
            (pl.col("kind") == "vendor")
            & pl.col("superuser")
            & (pl.min_horizontal("created_at", "first_read_at") <= limit)
            & (pl.col("seen_since") <= limit)
            & (pl.col("privileged").fill_null(0) == 0)
        )
    )
    for row in rows.iter_rows(named=True):
        words = {"days": numbers["days"], "roles": _some(row["roles"] or [])}
        yield _of(day, row, row["first_read_at"], words=words)


def superuser_not_agreed(day: Day, _: Mapping[str, int]) -> Iterator[Told]:
    """superuser_not_agreed: the rights of a superuser without a word of it in the register."""
    known = day.holders["system"].unique()
    rows = day.open_accounts.filter(
        pl.col("superuser")
        & ~pl.col("agreed_superuser").fill_null(value=False)
        & pl.col("system").is_in(known.implode())
    )
    for row in rows.iter_rows(named=True):
        weight = (VENDOR,) if row["kind"] == "vendor" else ()
        yield _of(day, row, row["first_read_at"], words={"roles": _some(row["roles"] or [])}, likelihood=weight)

"""Daily checks of agreed work: jobs that did not run, reports that ran too often, tickets that were overrun, code that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from config.register import Job, Register, Ticket
from detectors.checks.days import Day
from detectors.report import Told


def job_missing(day: Day, _: Mapping[str, int]) -> Iterator[Told]:
    """job_missing: a registered job with `every_days` was not seen to run for so long. The last run names the finding."""
    for name, job in day.register.jobs.items():
        if job.every_days is None or not _runs_now(job, day):
            continue
        limit = day.before(job.every_days)
        for system in job.systems:
            work = day.work.filter(pl.col("system") == system)
            since = work["first_at"].min()
            last = work.filter(pl.col("account") == job.account)["job_at"].max()
            if not isinstance(since, datetime) or since > limit or (isinstance(last, datetime) and last > limit):
                continue
            began = last if isinstance(last, datetime) else since
            # What is looked back at moves on; a job that never ran is the same matter all the same.
            bucket = began if isinstance(last, datetime) else day.midnight(day.today.replace(day=1))
            yield Told(
                key=(day.site, system, name), bucket=bucket, first_seen=bucket,
                who={"site": day.site, "system": system, "account": job.account},
                words={
                    "job": job.name or name, "days": job.every_days,
                    "last_zh": began.astimezone(day.zone).date() if isinstance(last, datetime) else "从未见到",
                    "last_en": began.astimezone(day.zone).date() if isinstance(last, datetime) else "never seen",
                },
                objects=[f"job/{name}"],
            )  # fmt: skip


def _runs_now(job: Job, day: Day) -> bool:
    """Agreed for as long as it may be missing."""
    assert job.every_days is not None
    begin = day.today - timedelta(days=job.every_days)
    return (job.valid.start is None or job.valid.start <= begin) and (
        job.valid.end is None or job.valid.end >= day.today
    )


def report_overused(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """report_overused: an agreed count by prescriber and drug ran more often than was agreed for its days."""
    gap = timedelta(minutes=numbers["minutes"])
    for name, job in day.register.jobs.items():
        acts = day.statistics.filter((pl.col("account") == job.account) & pl.col("system").is_in(list(job.systems)))
        for approval in job.approvals or ():
            begin, end = day.midnight(approval.start), day.midnight(approval.end + timedelta(days=1))
            used = acts.filter((pl.col("occurred_at") >= begin) & (pl.col("occurred_at") < end)).sort("occurred_at")
            # A report may be several statements, each sent page by page: the same one again after a pause is a run.
            apart = pl.col("occurred_at").diff().over("system", "shape_id") > gap
            runs = used.with_columns(run=apart.fill_null(value=True)).group_by("system", "shape_id").agg(
                pl.col("run").sum(), pl.col("occurred_at").last(), pl.col("event_id")
            ).filter(pl.col("run") > approval.uses).sort("run", "shape_id", descending=True)  # fmt: skip
            if runs.is_empty():
                continue
            most = runs.row(0, named=True)
            yield Told(
                key=(day.site, name, approval.start.isoformat()), bucket=begin, first_seen=used["occurred_at"][0],
                last_seen=most["occurred_at"],
                who={"site": day.site, "system": most["system"], "account": job.account},
                words={
                    "job": job.name or name, "runs": most["run"], "uses": approval.uses, "from": approval.start,
                    "to": approval.end, "approver": approval.approver,
                },
                events=len(most["event_id"]), evidence=most["event_id"], objects=[f"job/{name}"],
            )  # fmt: skip


def drift(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """code_drift: procedures, triggers or views differ from the last reading; recorded only where a ticket for schema was open."""
    recent = day.changes.filter((pl.col("thing") == "code") & (pl.col("read_at") >= day.before(numbers["days"])))
    for (system, read_at, previous_at), rows in recent.group_by(
        "system", "read_at", "previous_at", maintain_order=True
    ):
        assert isinstance(read_at, datetime)
        assert isinstance(previous_at, datetime)
        ticket = ticketed(day.register, str(system), previous_at, read_at, day.zone)
        names = rows["name"].unique(maintain_order=True).to_list()
        kinds = {
            change: rows.filter(pl.col("change") == change)["name"].n_unique() for change in ("new", "changed", "gone")
        }
        yield Told(
            key=(day.site, str(system)), bucket=read_at, first_seen=previous_at, last_seen=read_at,
            who={"site": day.site, "system": str(system)}, objects=names,
            approved=ticket is not None,  # one that comes late settles what was told
            words={
                "ticket_zh": "无可改结构的工单" if ticket is None else f"有工单{ticket}",
                "ticket_en": "no ticket for schema" if ticket is None else f"ticket {ticket}",
                "system": system, **kinds, "names": ", ".join(names[:5]) + (" ..." if len(names) > 5 else ""),
                "from": previous_at.astimezone(day.zone).strftime("%m-%d %H:%M"),
                "to": read_at.astimezone(day.zone).strftime("%m-%d %H:%M"),
            },
        )  # fmt: skip


def change_without_backup(day: Day, numbers: Mapping[str, int]) -> Iterator[Told]:
    """change_without_backup: somebody altered or dropped structure, and neither that day nor the one before saw a backup.

    Only at systems whose backups the log tells: seen on enough of the last days.
    """
    since = day.today - timedelta(days=numbers["days"])
    for (system,), work in day.work.group_by("system", maintain_order=True):
        backups = set(work.filter(pl.col("backups") > 0)["day"])
        if sum(since <= one < day.today for one in backups) < numbers["seen"]:
            continue
        recent = day.today - timedelta(days=7)
        altered = work.filter(
            (pl.col("altered") > 0) & (pl.col("actor_kind") != "service") & pl.col("day").is_between(recent, day.today)
        ).sort("day", "account")
        for row in altered.iter_rows(named=True):
            if backups.isdisjoint({row["day"], row["day"] - timedelta(days=1)}):
                began = day.midnight(row["day"])
                last = max((one for one in backups if one < row["day"]), default=None)
                yield Told(
                    key=(day.site, str(system), row["account"]), bucket=began, first_seen=row["first_at"],
                    who={
                        "site": day.site, "system": str(system), "account": row["account"], "person": row["person"],
                        "vendor": row["vendor"],
                    },
                    words={"acts": row["altered"], "day": row["day"], "last_zh": last or "未见", "last_en": last or "none seen"},
                )  # fmt: skip


def ticketed(register: Register, system: str, begin: datetime, end: datetime, zone: ZoneInfo) -> str | None:
    """The first ticket that allows changes of structure and was open at the system in between."""
    return next(
        (
            name
            for name, ticket in register.tickets.items()
            if (ticket.systems is None or system in ticket.systems)
            and (ticket.actions is None or "schema" in ticket.actions)
            and moment(ticket.start, zone) < end
            and moment(ticket.end, zone) > begin
        ),
        None,
    )


def moment(written: datetime, zone: ZoneInfo) -> datetime:
    """A time of the register in UTC."""
    return (written if written.tzinfo else written.replace(tzinfo=zone)).astimezone(UTC)


def ended(register: Register, now: datetime, zone: ZoneInfo, hours: int) -> dict[str, Ticket]:
    """Tickets whose window ended within the last so many hours."""
    return {
        name: ticket
        for name, ticket in register.tickets.items()
        if now - timedelta(hours=hours) <= moment(ticket.end, zone) <= now
    }


def overrun(day: Day, numbers: Mapping[str, int], acts: pl.DataFrame) -> Iterator[Told]:
    """ticket_overrun: a session that worked inside a ticket's window went on after its end. `acts`: detectors.checks.days.ACTS."""
    grace = timedelta(minutes=numbers["grace_minutes"])
    for name, ticket in ended(day.register, day.now, day.zone, numbers["hours"]).items():
        begin, end = moment(ticket.start, day.zone), moment(ticket.end, day.zone)
        own = acts.filter(pl.col("person").is_in(list(ticket.people)))
        if ticket.systems is not None:
            own = own.filter(pl.col("system").is_in(list(ticket.systems)))
        inside = own.filter((pl.col("ticket") == name) & pl.col("occurred_at").is_between(begin, end, closed="left"))
        sessions = inside.select("system", "session").unique()
        # Work under another ticket is agreed; a new session after the end is told as work without a ticket.
        after = own.filter((pl.col("occurred_at") >= end + grace) & pl.col("ticket").is_null())
        after = after.join(sessions, on=["system", "session"], how="semi").sort("occurred_at", "event_id")
        for (person, system), rows in after.group_by("person", "system", maintain_order=True):
            last = rows["occurred_at"].max()
            assert isinstance(last, datetime)
            yield Told(
                key=(day.site, name, str(person), str(system)), bucket=end, first_seen=rows["occurred_at"][0],
                last_seen=last,
                who={
                    "site": day.site, "system": str(system), "person": str(person), "account": rows["account"][0],
                    "vendor": rows["vendor"][0], "source": rows["source"][0],
                },
                words={"ticket": name, "minutes": int((last - end).total_seconds()) // 60, "acts": rows.height},
                events=rows.height, evidence=rows["event_id"].to_list(),
            )  # fmt: skip

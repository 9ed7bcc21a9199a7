"""Who, when, how sensitive: the CONTEXT columns of parsers/events.py, joined to events with facts.

Every verdict of a row depends on that row, the register and the calendar alone: cutting a frame changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl

from config.calendar import CalendarOverlay
from config.register import Job, Register
from config.site import LoadedSite
from detectors.context import activity
from detectors.context.calendar import WORKING, Calendar
from detectors.context.hours import HOURS, hours_row, within_hours
from detectors.context.own_password import changes_own_password
from detectors.context.places import Places
from detectors.context.programs import program_kinds
from detectors.context.resolution import Resolution
from detectors.context.scope import Limits, judge, limits_frame, limits_of
from detectors.context.shapes import file_shape
from detectors.context.watched import COLUMNS, Watch, Watching
from parsers.events import CONTEXT
from parsers.events import UTC as UTC_TIME

_CLIENT = ["system", "account", "client_ip"]
_NO_TICKET = (
    pl.lit(None, pl.String).alias("ticket"),
    pl.lit(None, pl.Boolean).alias("ticket_scope"),
    pl.lit(None, pl.Boolean).alias("ticket_covers"),
)


class Context:
    """The register and the calendar of one site, ready for `enrich`.

    `register` None: none is written yet, so nothing is unregistered. `zone`: the site's, for days, hours and tickets.
    `office_hours`: first minute and end minute of the day. `inside`: the hospital's networks.
    """

    def __init__(
        self,
        *,
        zone: ZoneInfo,
        register: Register | None = None,
        overlay: CalendarOverlay | None = None,
        office_hours: tuple[int, int] = (480, 1080),
        inside: Iterable[str] = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        package_names: Iterable[str] = (),
        list_names: Iterable[str] = (),
        watches: Iterable[Watch] = (),
    ) -> None:
        self.calendar = Calendar(overlay)
        self._zone = zone
        self._register = register if register is not None else Register()
        self._office_hours = office_hours
        # Built once: a batch of few rows costs as much in building expressions as in running them.
        self._shape = file_shape(package_names, list_names)
        self._done, self._carried = activity.done(), activity.carried()
        self._resolution = Resolution(self._register, Places(inside))
        self._limits: list[Limits] = []
        self._subjects = self._resolution.frame(self._number_roles())
        self._watching = Watching(watches, self._register, self._entries())
        self._tickets = self._ticket_frame()
        self._jobs = self._job_frame()
        self._scopes = limits_frame(self._limits)

    @classmethod
    def of_site(cls, site: LoadedSite, watches: Iterable[Watch] = ()) -> Context:
        """From a loaded configuration; `watches`: its lists, patients as tokens."""
        settings = site.settings
        return cls(
            zone=settings.zone,
            register=site.register,
            overlay=site.overlay,
            office_hours=(settings.office_hours.start, settings.office_hours.end),
            inside=settings.networks.inside,
            package_names=settings.transfers.package_names,
            list_names=settings.transfers.list_names,
            watches=watches,
        )

    def enrich(self, frame: pl.DataFrame) -> pl.DataFrame:
        """EVENTS and FACTS in, the same rows in the same order with CONTEXT columns out."""
        rows = self._with_subjects(frame).with_columns(
            self._done.alias("done"),
            self._carried.alias("carried"),
            (pl.col("understood") == "none").fill_null(value=False).alias("opaque"),
        )
        rows = self._with_times(rows)
        rows = self._with_tickets(rows)
        rows = self._with_jobs(rows)
        rows = rows.with_columns(judge(rows.rename({"role": "scope"}), self._limits, self._scopes).alias("role_scope"))
        rows = rows.with_columns(self._watching.marks(rows), changes_own_password(frame).alias("own_password"))
        context = rows.select(verdict.cast(CONTEXT[name]).alias(name) for name, verdict in self._verdicts().items())
        return frame.with_columns(context)

    def _verdicts(self) -> dict[str, pl.Expr]:
        registered, job, ticket = pl.col("subject").is_not_null(), pl.col("job"), pl.col("ticket")
        known_system = pl.col("system").is_in(list(self._resolution.systems)) & pl.col("account").is_not_null()
        working = (pl.col("today") & WORKING) != 0
        start, end = self._office_hours
        valid = pl.when(pl.col("named")).then(
            ~pl.col("blocked")
            & (pl.col("valid_from").is_null() | (pl.col("date") >= pl.col("valid_from")))
            & (pl.col("valid_to").is_null() | (pl.col("date") <= pl.col("valid_to")))
        )
        fit = valid.fill_null(value=True) & pl.col("place_allowed").fill_null(value=True)
        return {
            "person": pl.col("person"),
            "vendor": pl.col("vendor"),
            "vendor_tier": pl.col("vendor_tier"),
            "vendor_state": pl.col("vendor_state"),
            "days_left": (pl.col("leaves") - pl.col("date")).dt.total_days(),
            "qualified": pl.col("qualified_until") >= pl.col("date"),
            "actor_kind": pl.col("actor_kind").fill_null("unknown"),
            "account_registered": pl.when(known_system).then(registered),
            "person_valid": valid,
            "time_allowed": pl.when(registered).then(job.is_not_null() | pl.col("in_hours").fill_null(value=True)),
            "ticket": ticket,
            "in_scope": pl.when(job.is_not_null())
            .then(pl.when(pl.col("done") > 0).then(pl.lit(value=True)))
            .when(ticket.is_not_null())
            .then(pl.col("ticket_scope"))
            .otherwise(pl.col("role_scope")),
            "place_allowed": pl.col("place_allowed"),
            "approved": (
                (job.is_not_null() | pl.col("ticket_covers") | (registered & pl.col("own_password"))) & fit
            ).fill_null(value=False),
            "job": pl.when(fit).then(job),
            "unapproved_job": pl.when(fit & job.is_null()).then(pl.col("unapproved")),
            "working_day": working,
            "office_hours": working & (pl.col("minute") >= start) & (pl.col("minute") < end),
            "program_kind": pl.col("program_kind"),
            "client_inside": pl.col("inside"),
            "watched": pl.col("watched"),
            "file_shape": self._shape,
        }

    # --- who -----------------------------------------------------------------------------------------------------

    def _with_subjects(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns that verdicts need, with the subject behind each account."""
        clients = frame.select(_CLIENT).unique()
        found = [self._resolution.resolve(*client) for client in clients.iter_rows()]
        resolved = clients.with_columns(
            pl.Series("subject", [one.subject for one in found], pl.UInt32),
            pl.Series("place_allowed", [one.place_allowed for one in found], pl.Boolean),
            pl.Series("inside", [one.inside for one in found], pl.Boolean),
            pl.Series("jobs", [list(one.jobs) for one in found], pl.List(pl.UInt32)),
        )
        needed = [*_CLIENT, "occurred_at", "client_program", "outcome", "rows", "restriction", "bound", "tongfang",
                  "aggregate_functions", *dict.fromkeys((*activity.FRAME_COLUMNS, *COLUMNS))]  # fmt: skip
        return (
            frame.select(needed)
            .with_row_index("row")
            .join(resolved, on=_CLIENT, how="left", nulls_equal=True, maintain_order="left")
            .join(self._subjects, on="subject", how="left", maintain_order="left")
            .join(
                program_kinds(frame["client_program"].unique()), on="client_program", how="left", maintain_order="left"
            )
        )

    def _entries(self) -> dict[str, list[int]]:
        """Subjects by their id in the register and by department."""
        found: dict[str, list[int]] = {}
        for number, subject in enumerate(self._resolution.subjects):
            department = self._register.people[subject.person].department if subject.person is not None else None
            for name in (subject.entry, department):
                if name is not None:
                    found.setdefault(name, []).append(number)
        return found

    def _number_roles(self) -> dict[int, int]:
        roles: dict[int, int] = {}
        for number, subject in enumerate(self._resolution.subjects):
            if subject.scope is not None:
                roles[number] = self._number(limits_of(subject.scope))
        return roles

    def _number(self, limits: Limits) -> int:
        self._limits.append(limits)
        return len(self._limits) - 1

    # --- when ----------------------------------------------------------------------------------------------------

    def _with_times(self, rows: pl.DataFrame) -> pl.DataFrame:
        local = pl.col("occurred_at").dt.convert_time_zone(str(self._zone))
        rows = rows.with_columns(
            local.dt.date().alias("date"),
            (local.dt.hour().cast(pl.UInt16) * 60 + local.dt.minute().cast(pl.UInt16)).alias("minute"),
        )
        days = self.calendar.bits(rows["date"])
        rows = rows.join(days, on="date", how="left", maintain_order="left")
        return rows.with_columns(within_hours().alias("in_hours"))

    # --- tickets -------------------------------------------------------------------------------------------------

    def _ticket_frame(self) -> pl.DataFrame:
        """A row per ticket, person and system (null: every system), earliest first."""
        entries = [
            {
                "ticket": name, "person": person, "at": system, "from": self._moment(ticket.start),
                "to": self._moment(ticket.end), "scope": number,
            }
            for name, ticket in self._register.tickets.items()
            for number in [self._number(limits_of(ticket))]
            for person in ticket.people
            for system in ticket.systems or (None,)
        ]  # fmt: skip
        schema: dict[str, pl.DataType] = {
            "ticket": pl.String(), "person": pl.String(), "at": pl.String(), "from": UTC_TIME, "to": UTC_TIME, "scope": pl.UInt32(),
        }  # fmt: skip
        return pl.DataFrame(entries, schema=schema).sort("from", "ticket")

    def _moment(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)

    def _with_tickets(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`ticket`, `ticket_scope`, `ticket_covers`: of the open tickets one that covers the act, else the earliest."""
        seen = rows["occurred_at"]
        if self._tickets.is_empty() or rows.is_empty():
            return rows.with_columns(_NO_TICKET)
        # Only tickets that touch this frame: the join below pairs every act with every ticket of its person.
        near = self._tickets.filter((pl.col("from") <= seen.max()) & (pl.col("to") > seen.min())).with_row_index(
            "order"
        )
        pairs = rows.filter(pl.col("person").is_in(near["person"].unique().to_list())).join(near, on="person")
        if pairs.is_empty():
            return rows.with_columns(_NO_TICKET)
        pairs = pairs.filter(
            (pl.col("at").is_null() | (pl.col("at") == pl.col("system")))
            & (pl.col("occurred_at") >= pl.col("from"))
            & (pl.col("occurred_at") < pl.col("to"))
        )
        content = pl.col("opaque") & pl.col("judges_content")
        best = (
            pairs.with_columns(judge(pairs, self._limits, self._scopes).alias("ticket_scope"))
            .join(self._scopes.select("scope", "judges_content"), on="scope", how="left")
            # Nothing to judge (a login) is covered; a statement nobody understood is covered only by an open scope.
            .with_columns((pl.col("ticket_scope").fill_null(value=True) & ~content).alias("ticket_covers"))
            .sort("row", ~pl.col("ticket_covers"), "order")
            .unique("row", keep="first", maintain_order=True)
            .select("row", "ticket", "ticket_scope", "ticket_covers")
        )
        return rows.join(best, on="row", how="left", maintain_order="left")

    # --- jobs ----------------------------------------------------------------------------------------------------

    def _job_frame(self) -> pl.DataFrame:
        """A row per job and agreed use (`approvals`)."""
        entries = [
            {
                "number": number, "job": name, "scope": self._number(limits_of(job)),
                "restrictions": list(job.restrictions) if job.restrictions is not None else None,
                "aggregates": job.aggregates, "by_prescriber": job.prescriber_and_drug, "max_rows": job.max_rows,
                "job_from": job.valid.start, "job_to": job.valid.end, "use_from": use_from, "use_to": use_to,
                **hours_row(job.window),
            }
            for number, (name, job) in enumerate(self._register.jobs.items())
            for use_from, use_to in _uses(job)
        ]  # fmt: skip
        schema: dict[str, pl.DataType] = {
            "number": pl.UInt32(), "job": pl.String(), "scope": pl.UInt32(), "restrictions": pl.List(pl.String()),
            "aggregates": pl.String(), "by_prescriber": pl.Boolean(), "max_rows": pl.Int64(),
            "job_from": pl.Date(), "job_to": pl.Date(), "use_from": pl.Date(), "use_to": pl.Date(), **HOURS,
        }  # fmt: skip
        return pl.DataFrame(entries, schema=schema)

    def _with_jobs(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`job`: the first registered job that covers the act whole. `unapproved`: one that would, were it approved then."""
        acts = rows.filter(pl.col("jobs").list.len() > 0).drop("days", "start", "end").explode("jobs")
        if acts.is_empty():
            return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in ("job", "unapproved"))
        pairs = acts.join(self._jobs, left_on="jobs", right_on="number", how="inner")
        pairs = pairs.filter(_fits_job())
        covered = pairs.with_columns(judge(pairs, self._limits, self._scopes).alias("covers"))
        # Null is nothing to judge (a login), but a statement nobody understood belongs to no job.
        fitting = covered.filter(pl.col("covers").fill_null(pl.col("done") == 0))
        agreed = _on("job_from", "job_to") & _on("use_from", "use_to")
        best = (
            fitting.sort("row", "jobs")
            .group_by("row", maintain_order=True)
            .agg(
                pl.col("job").filter(agreed).first(),
                pl.col("job").filter(~agreed).first().alias("unapproved"),
            )
        )
        return rows.join(best, on="row", how="left", maintain_order="left")


def _uses(job: Job) -> list[tuple[date | None, date | None]]:
    """First and last day of each agreed use; open where no use needs an approval of its own; no day where none is agreed."""
    if job.approvals is None:
        return [(None, None)]
    return [(one.start, one.end) for one in job.approvals] or [(date.max, date.min)]


def _fits_job() -> pl.Expr:
    """What a job asks of an act besides account, address, scope and approval; never null."""
    sensitive = pl.col("restriction").is_not_null()
    failed_login = (pl.col("outcome") == "failed") & pl.col("action").is_in(["login", "connect"])
    restricted = pl.col("restrictions").is_null() | pl.col("restrictions").list.contains(pl.col("restriction"))
    aggregated = (pl.col("aggregate_functions").list.len() > 0).fill_null(value=False)
    wanted = pl.col("aggregates")
    aggregates = (wanted == "any") | ((wanted == "only") & aggregated) | ((wanted == "none") & ~aggregated)
    # Relation and table records tell neither restriction nor size: a job that limits them can't cover them.
    untold = (
        (pl.col("action") == "query")
        & (pl.col("understood").is_null() | pl.col("opaque"))
        & ((pl.col("done") & activity.TOUCHES) != 0)
    )
    limiting = pl.col("restrictions").is_not_null() | (wanted == "only") | pl.col("max_rows").is_not_null()
    small = pl.col("max_rows").is_null() | (pl.min_horizontal("bound", "rows") <= pl.col("max_rows"))
    return (
        within_hours().fill_null(value=True)
        & ~failed_login.fill_null(value=False)
        & (pl.col("by_prescriber") | ~pl.col("tongfang").fill_null(value=False))
        & ~(untold & limiting)
        & (~sensitive | (restricted & aggregates & small).fill_null(value=False))
    )


def _on(start: str, end: str) -> pl.Expr:
    """The local date lies between two dates, both included; an open end has no limit."""
    day = pl.col("date")
    return (pl.col(start).is_null() | (day >= pl.col(start))) & (pl.col(end).is_null() | (day <= pl.col(end)))

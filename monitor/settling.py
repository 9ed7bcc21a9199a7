"""Late tickets: work that was approved only afterwards. What was found about it is settled: recorded as low, not notified.

A finding is settled when every act it rests on is approved by the tickets and jobs that are known now. Those acts are the
events it names as evidence; where it has more than it names, everything its person did between its first and its last event. So
a settlement is a function of stored events and the register, and can be worked out again whenever either changes.

The settled finding is a new revision of the same finding; `settlements` says which ticket did it. A finding that grows after it
was settled is judged again before it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from config.register import Register, Ticket
from detectors.context import Context
from detectors.findings import findings_of
from monitor.store.hot import Batch, Store
from monitor.store.schema import SETTLEMENTS
from parsers.events import CONTEXT, EVENTS, FACTS

MAX_ACTS = 50_000  # more acts than these are not looked through: the finding stays as it is


class Numbering(Protocol):
    """What makes findings and must know of revisions that it did not make."""

    def numbered(self, revisions: Mapping[str, int], /) -> pl.DataFrame: ...
    def restore(self, tables: Mapping[str, pl.DataFrame], /) -> None: ...


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows for one transaction: revisions (FINDINGS), their numbers for the engine, why, and messages not needed any more."""

    findings: pl.DataFrame
    revisions: pl.DataFrame  # STATE_TABLES["finding_revisions"]
    settlements: pl.DataFrame
    superseded: pl.DataFrame  # KEYS of the outbox


@dataclass(frozen=True, slots=True)
class _Span:
    start: datetime
    end: datetime


class Settling:
    """For one register. `context`: made of that register, tickets included. `rules`: whose findings can be settled.

    `before`: tickets that stored findings were held against already.
    """

    def __init__(
        self,
        register: Register | None,
        context: Context,
        zone: ZoneInfo,
        *,
        rules: Iterable[str],
        before: Mapping[str, Ticket] | None = None,
    ) -> None:
        self._context = context
        self._rules = sorted(rules)
        tickets = register.tickets if register is not None else {}
        known = before or {}
        self._spans = _spans(tickets, zone)
        self._fresh = _spans({name: ticket for name, ticket in tickets.items() if known.get(name) != ticket}, zone)

    def stored(self, store: Store, detectors: Iterable[Numbering], now: datetime) -> Settled | None:
        """Settle what the store holds and new tickets are about. None: nothing to settle."""
        if not self._fresh:
            return None
        found = store.findings_to_settle(sorted(self._fresh), self._rules)
        rows = [
            settled
            for row in found.iter_rows(named=True)
            if _touches(row, self._fresh) and (settled := self._settled(row, store, None)) is not None
        ]
        if not rows:
            return None
        findings = findings_of([row | {"revision": row["revision"] + 1} for row, _ in rows])
        told = [_settlement(row, ticket, row["revision"] + 1, now) for row, ticket in rows]
        numbers = dict(findings.select("id", "revision").iter_rows())
        return Settled(
            findings,
            pl.concat([one.numbered(numbers) for one in detectors]).unique("id", maintain_order=True),
            pl.DataFrame(told, schema=SETTLEMENTS),
            store.needless_messages(findings["id"].to_list()),
        )

    def fresh(
        self, findings: pl.DataFrame, batch: pl.DataFrame, store: Store, now: datetime
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The findings of a batch, those settled that rest on approved work alone; and SETTLEMENTS.

        `batch`: its events, enriched with the present register, not stored yet.
        """
        if not self._spans or findings.is_empty():
            return findings, pl.DataFrame(schema=SETTLEMENTS)
        rows, settlements = [], []
        for row in findings.iter_rows(named=True):
            settled = self._settled(row, store, batch) if row["severity"] != "low" else None
            rows.append(row if settled is None else settled[0])
            if settled is not None:
                settlements.append(_settlement(row, settled[1], row["revision"], now))
        told = pl.DataFrame(settlements, schema=SETTLEMENTS)
        return (findings_of(rows) if settlements else findings), told

    def _settled(
        self, row: Mapping[str, Any], store: Store, batch: pl.DataFrame | None
    ) -> tuple[dict[str, Any], str] | None:
        """The finding settled, and the ticket; None where a ticket is missing for any of it."""
        if not row["events"] or row["rule"] not in self._rules or not _touches(row, self._spans):
            return None
        acts = self._acts(row, store, batch)
        if acts is None or acts.is_empty() or not acts["approved"].all():
            return None
        tickets = acts["ticket"].drop_nulls()
        if tickets.is_empty():
            return None
        ticket = str(tickets.mode(maintain_order=True)[0])
        text = dict(row) | {
            "severity": "low",
            "notify": False,
            "why_zh": f"已由事后补录的工单{ticket}结清，仅记录。{row['why_zh']}",
            "why_en": f"Settled by late ticket {ticket}, recorded only. {row['why_en']}",
        }
        return text, ticket

    def _acts(self, row: Mapping[str, Any], store: Store, batch: pl.DataFrame | None) -> pl.DataFrame | None:
        """`approved` and `ticket` of every act that the finding rests on; None: too many, or some are not to be had."""
        evidence = list(row["evidence"])
        whole = len(evidence) == row["events"]
        if whole:
            stored = store.events_named(evidence, row["first_seen"], row["last_seen"])
        else:
            stored = store.acts_of(row["person"], row["first_seen"], row["last_seen"], MAX_ACTS + 1)
        if stored.height > MAX_ACTS:
            return None
        parts = [self._judged(stored)]
        if batch is not None:
            of_batch = (
                pl.col("event_id").is_in(evidence)
                if whole
                else (pl.col("person") == row["person"])
                & (pl.col("record_role") == "main")
                & pl.col("occurred_at").is_between(row["first_seen"], row["last_seen"])
            )
            parts.append(batch.filter(of_batch).select("event_id", "approved", "ticket"))
        acts = pl.concat(parts).unique("event_id", keep="last", maintain_order=True)
        return None if whole and acts.height < len(evidence) else acts

    def _judged(self, stored: pl.DataFrame) -> pl.DataFrame:
        """Stored events against the present register."""
        frame = stored.select(
            (pl.col(name).cast(dtype) if name in stored.columns else pl.lit(None, dtype)).alias(name)
            for name, dtype in {**EVENTS, **FACTS}.items()
            if name not in CONTEXT
        )
        return self._context.enrich(frame).select("event_id", "approved", "ticket")


def settle(store: Store, settling: Settling, detectors: Sequence[Numbering], now: datetime) -> Settled | None:
    """Settle what the store holds, in a transaction of its own. Raises what `Store.commit` raises."""
    settled = settling.stored(store, detectors, now)
    if settled is not None:
        store.commit(
            Batch(
                received_at=now,
                findings=settled.findings,
                settlements=settled.settlements,
                superseded=settled.superseded,
                deltas={"finding_revisions": settled.revisions},
            )
        )
        for one in detectors:
            one.restore({"finding_revisions": settled.revisions})
    return settled


def _spans(tickets: Mapping[str, Ticket], zone: ZoneInfo) -> dict[str, list[_Span]]:
    """By person."""
    spans: dict[str, list[_Span]] = {}
    for ticket in tickets.values():
        span = _Span(_utc(ticket.start, zone), _utc(ticket.end, zone))
        for person in ticket.people:
            spans.setdefault(person, []).append(span)
    return spans


def _touches(row: Mapping[str, Any], spans: Mapping[str, list[_Span]]) -> bool:
    """A ticket of the finding's person is open at some time of it."""
    mine = spans.get(row["person"] or "", ())
    return any(span.start <= row["last_seen"] and row["first_seen"] < span.end for span in mine)


def _settlement(row: Mapping[str, Any], ticket: str, revision: int, now: datetime) -> dict[str, Any]:
    """`row`: the finding, its severity as it was unless it was settled in the same breath."""
    return {
        "finding_id": row["id"],
        "revision": revision,
        "ticket": ticket,
        "settled_at": now,
        **{name: row[name] for name in ("rule", "person", "vendor", "risk")},
    }


def _utc(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)

"""What keeps a store small over the years: detectors' state that nobody needs any more, rows of files long gone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from detectors.engine import LATENESS
from detectors.state import BY_DAY, compact, compact_days
from monitor.sources.tail import Tail
from monitor.store.hot import Store

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ADDED_UP = 7  # days that are looked at
WORTH_WHILE = 2  # state is written anew only where that leaves so many times fewer rows


def prune(store: Store) -> None:
    """Drop state that no event within the lateness bound can change.

    Counted from the newest event, not from the clock: a daemon that was off for a month goes on where the log goes on.
    """
    newest = _newest_event(store)
    if newest is not None:
        over = newest - LATENESS - timedelta(days=1)
        store.prune_states(over)
        _add_up(store, (over - _EPOCH).days)


def _add_up(store: Store, last: int) -> None:
    """One row a subject and day in the place of one a batch, of days that are over. Older days were added up before."""
    for name in BY_DAY:
        rows = store.state_days(name, last - _ADDED_UP, last)
        fewer = compact_days(name, rows)
        if fewer.height * WORTH_WHILE < rows.height:
            store.replace_state_days(name, last - _ADDED_UP, last, fewer)


def tidy(store: Store) -> None:
    """At a start, before anything else writes: prune, and add up the rows of state that batches left."""
    prune(store)
    states = store.states()
    fewer = compact(states)
    if any(fewer[name].height * WORTH_WHILE < states[name].height for name in states):
        store.replace_states(fewer)


def forget(store: Store, tails: Iterable[Tail]) -> None:
    """Drop the rows of files that are gone for good. Called by the thread that polls."""
    for tail in tails:
        store.forget_positions(tail.forgettable())


def _newest_event(store: Store) -> datetime | None:
    """Of batches without an event from the future: one wrong clock must not age everything else."""
    newest = store.database.read("SELECT max(occurred_to) FROM batches WHERE occurred_to <= received_at").item()
    return newest if isinstance(newest, datetime) else None

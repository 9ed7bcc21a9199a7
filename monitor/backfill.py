"""`hiswatch scan --store`: old logs into a store, by the same tails, positions and transactions as the daemon.

So a file that was read before brings nothing twice, and a scan that was interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from config.loader import LoadedSite
from monitor.alerts.outbox import KEYS, OUTBOX, Plan
from monitor.assemble import Assembly, assembled, source_parsers
from monitor.batch import batch_of
from monitor.pipeline import Seen
from monitor.protect import load_key
from monitor.settling import settle
from monitor.sources.tail import Chunk, Tail, TailSettings
from monitor.store.hot import Store
from parsers.registry import Carry

SETTLED = 2  # looks that find nothing new before a file counts as read


def scan_into(
    site: LoadedSite,
    planned: list[tuple[Path, str]],
    state_dir: Path,
    on_bytes: Callable[[int], None] = lambda _: None,
    on_seen: Callable[[Seen], None] = lambda _: None,
) -> pl.DataFrame:
    """Read the files into the store; the findings that this brought (FINDINGS, latest revisions). No alerts are sent.

    `on_seen` is told every batch after its commit; never, where all was read before.
    """
    limits = site.settings.store
    key = load_key(state_dir / "keys" / "token.key")
    with (
        Store(state_dir, memory_limit_mb=limits.memory_limit_mb, threads=limits.threads) as store,
        assembled(site, key, lateness=None) as assembly,
    ):
        before = store.batch
        assembly.restore(store)
        settle(store, assembly.settling, assembly.numbering, datetime.now(UTC))
        carries = store.carries()
        tails = _tails(site, planned, store)
        try:
            quiet = 0
            while quiet < SETTLED:
                chunks = _poll(tails, site.settings.limits.batch_bytes)
                if chunks:
                    seen = _commit(store, assembly, chunks, carries)
                    carries |= seen.read.carries
                    on_seen(seen)
                quiet = 0 if chunks else quiet + 1
                on_bytes(sum(len(chunk.data) for chunk in chunks))
        finally:
            for tail in tails:
                tail.close()
        return store.findings_since(before)


def _tails(site: LoadedSite, planned: Iterable[tuple[Path, str]], store: Store) -> list[Tail]:
    paths: dict[str, list[str]] = {}
    for path, name in planned:
        paths.setdefault(name, []).append(str(path.absolute()))
    settings, positions = site.settings, store.positions()
    units = source_parsers(settings)
    made = []
    for name, files in paths.items():
        source = settings.sources[name]
        literal = tuple(_literal(file) for file in files)
        tail = TailSettings(name, literal, source.format, settings.site.id, source.system, copy_wait=0.0)
        made.append(Tail(tail, units[name].framing, positions))
    return made


def _literal(path: str) -> str:
    """A path as a glob that matches it alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def _poll(tails: Iterable[Tail], budget: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    for tail in tails:
        room = budget - sum(len(chunk.data) for chunk in chunks)
        if room > 0:
            chunks += tail.poll(room, final=True)
    # The reading time of old logs says nothing about their clocks.
    return [replace(chunk, origin=replace(chunk.origin, replay=True)) for chunk in chunks]


def _commit(store: Store, assembly: Assembly, chunks: list[Chunk], carries: dict[str, Carry]) -> Seen:
    now = datetime.now(UTC)
    seen = assembly.pipeline.run(chunks, carries, now)
    nothing = Plan(pl.DataFrame(schema=OUTBOX), pl.DataFrame(schema=KEYS), {})
    findings, settlements = assembly.settling.fresh(seen.observed.findings, seen.events, store, now)
    store.commit(batch_of(seen, findings, chunks, nothing, now, settlements))
    assembly.committed()
    return seen

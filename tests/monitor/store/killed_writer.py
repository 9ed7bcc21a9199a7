"""A nursery of writers to be killed: `killed_writer.py STATE LOGS`. A line on standard input forks one; its number is
told. The libraries are imported once, before any of their threads exist, so a birth takes milliseconds."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb  # noqa: F401 - imported before the fork
import polars as pl

from monitor.sources.tail import Tail, TailSettings
from monitor.store.hot import Batch, SpaceLimits, Store
from parsers.events import CONTEXT, EVENTS, FACTS

WANTED = {**EVENTS, **FACTS, **CONTEXT}


def lines(buffer: bytes, *, final: bool) -> int:
    return len(buffer) if final else buffer.rfind(b"\n") + 1


def events(data: bytes, generation: str, start: int) -> pl.DataFrame:
    texts = data.decode().split("\n")[:-1]
    frame = pl.DataFrame({"account": texts}).with_columns(
        length=pl.col("account").str.len_bytes() + 1,
        received_at=pl.lit(datetime.now(UTC)),
        generation=pl.lit(generation),
    )
    frame = frame.with_columns(position=pl.col("length").cum_sum() - pl.col("length") + start)
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in WANTED.items()
    )


def work(state: Path, logs: Path) -> None:
    limits = SpaceLimits(low_bytes=0, low_share=0, pause_bytes=0, ballast_bytes=0)
    with Store(state, memory_limit_mb=128, checkpoint_mb=1, space=limits) as store:
        settings = TailSettings(
            "audit", (str(logs / "app.log*"),), "toy", "s", "his", turn=3000, record_cap=1000, scan_every=0
        )
        tail = Tail(settings, lines, store.positions())
        idle = 0
        while idle < 3:
            chunks = tail.poll(3000)
            idle = 0 if chunks else idle + 1
            for chunk in chunks:
                frame = events(chunk.data, chunk.origin.generation, chunk.origin.position)
                store.commit(Batch(datetime.now(UTC), events=frame, positions=[chunk.position]))
            tail.committed()
            store.publish()
        tail.close()


def main() -> None:
    state, logs = Path(sys.argv[1]), Path(sys.argv[2])
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(state, logs)
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


if __name__ == "__main__":
    main()

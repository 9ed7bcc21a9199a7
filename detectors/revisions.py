"""Which findings were told, and how: a finding whose content did not change is not told again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC as UTC_ZONE
from datetime import datetime
from hashlib import blake2b

import polars as pl

from parsers.events import UTC

REVISIONS: dict[str, pl.DataType] = {
    "id": pl.String(), "until": UTC, "revision": pl.UInt32(), "digest": pl.String(),
}  # fmt: skip


class Revisions:
    """The last revision of each finding that may still change."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, str, float]] = {}
        self._new: list[tuple[str, datetime, int, str]] = []

    def __len__(self) -> int:
        return len(self._told)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._told

    def restore(self, rows: pl.DataFrame) -> None:
        """Rows of REVISIONS, in any order."""
        for id_, until, revision, digest in rows.select(*REVISIONS).iter_rows():
            if revision > self._told.get(id_, (0, "", 0.0))[0]:
                self._told[id_] = revision, digest, until.timestamp()

    def revise(self, row: Mapping[str, object], until: float) -> dict[str, object] | None:
        """The finding with its number, or None where it was told like this before. `until`: nothing changes it later."""
        digest = blake2b(repr(sorted(row.items())).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        id_ = str(row["id"])
        revision, before, _ = self._told.get(id_, (0, "", 0.0))
        if digest == before:
            return None
        self._told[id_] = revision + 1, digest, until
        self._new.append((id_, datetime.fromtimestamp(until, UTC_ZONE), revision + 1, digest))
        return {**row, "revision": revision + 1}

    def numbered(self, revisions: Mapping[str, int]) -> pl.DataFrame:
        """Rows of REVISIONS for revisions that somebody else made of findings of ours: store them, then `restore` them.

        What the events say of the finding stays known, so that the same is not told again.
        """
        rows = [
            (id_, datetime.fromtimestamp(until, UTC_ZONE), revision, digest)
            for id_, revision in revisions.items()
            if id_ in self._told
            for _, digest, until in [self._told[id_]]
        ]
        return pl.DataFrame(rows, schema=REVISIONS, orient="row")

    def take(self) -> pl.DataFrame:
        """Rows of REVISIONS since the last time."""
        rows, self._new = self._new, []
        return pl.DataFrame(rows, schema=REVISIONS, orient="row")

    def forget(self, before: float) -> None:
        """Drop what nothing changes any more."""
        self._told = {id_: value for id_, value in self._told.items() if value[2] >= before}

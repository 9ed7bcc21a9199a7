"""A small file system that fills up: reading pauses, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from building import batch, events, open_store, values

from monitor.store.hot import CommitFailed, SpaceLimits, StoreFull

MB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(place)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk_pauses_and_goes_on_by_itself(small: Path) -> None:
    limits = SpaceLimits(low_bytes=0, low_share=0, pause_bytes=0, ballast_bytes=2 * MB)
    noise = pl.Series([os.urandom(500).hex() for _ in range(1500)])  # does not compress
    with open_store(small / "state", space=limits, checkpoint_mb=4) as store:
        assert (small / "state" / "ballast").exists()
        store.commit(batch(10))
        filler = small / "filler"
        filler.write_bytes(b"\0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_frsize - 2 * MB))
        taken = 10
        with pytest.raises(StoreFull):  # noqa: PT012 - nobody knows which of them is the one
            for _ in range(50):
                frame = events(1500, start=taken).with_columns(account=noise)
                store.commit(batch(1500, start=taken, events=frame))
                taken += 1500
        assert not (small / "state" / "ballast").exists()  # given up, so that a checkpoint can finish
        filler.unlink()
        assert store.writable()
        durable = values(store, "SELECT count(*) FROM events")[0][0]
        assert durable in {taken, taken + 1500}  # a failed commit may have been durable; the position says which
        assert store.positions()[0].position == durable
        store.commit(batch(5, start=durable))
        assert values(store, "SELECT count(*) FROM events") == [(durable + 5,)]
        assert (small / "state" / "ballast").exists()


def test_full_disk_is_not_writable_until_there_is_space(small: Path) -> None:
    limits = SpaceLimits(low_bytes=0, low_share=0, pause_bytes=6 * MB, ballast_bytes=0)
    with open_store(small / "state", space=limits) as store:
        assert store.writable()
        filler = small / "filler"
        filler.write_bytes(b"\0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_frsize - 3 * MB))
        assert not store.writable()
        filler.unlink()
        assert store.writable()


def test_a_store_that_cannot_be_opened_again_says_so(small: Path) -> None:
    limits = SpaceLimits(low_bytes=0, low_share=0, pause_bytes=0, ballast_bytes=0)
    with open_store(small / "state", space=limits) as store:
        store.commit(batch(10))
        store.database.close()
        with pytest.raises(CommitFailed):
            store.positions()
        store.reopen()
        assert values(store, "SELECT count(*) FROM events") == [(10,)]

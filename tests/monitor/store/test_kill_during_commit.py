"""kill -9 at any moment: what is stored is a beginning of what was written, and nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

from building import open_store, values

KILLS = 20


def test_killed_writers_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261118)
    state, logs = tmp_path / "state", tmp_path / "logs"
    logs.mkdir()
    log = logs / "app.log"
    script = Path(__file__).with_name("killed_writer.py")
    nursery = subprocess.Popen(
        [sys.executable, str(script), str(state), str(logs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    written = killed = 0
    stored_before = 0
    for round_ in range(KILLS + 1):
        with log.open("ab") as file:
            file.write(b"".join(b"record %06d\n" % number for number in range(written, written + 800)))
        written += 800
        nursery.stdin.write("\n")
        nursery.stdin.flush()
        child = int(nursery.stdout.readline())
        if round_ < KILLS:
            # not a wait for something to happen: the moment of the kill is what is tried out
            timer = threading.Timer(chance.uniform(0.05, 0.45), os.kill, (child, signal.SIGKILL))
            timer.start()
        status = int(nursery.stdout.readline())
        timer.cancel()
        killed += os.WIFSIGNALED(status)
        if round_ % 4 == 3:
            log.rename(logs / f"app.log.{round_}")
            with open_store(state) as store:  # a beginning, never a torn middle
                stored = values(store, "SELECT count(*) FROM events")[0][0]
                assert stored_before <= stored <= written
                stored_before = stored
    nursery.stdin.close()
    nursery.stdout.close()
    assert nursery.wait() == 0
    with open_store(state) as store:
        texts = [row[0] for row in values(store, "SELECT account FROM events ORDER BY account")]
        batches = values(store, "SELECT batch, previous_head, head FROM batches ORDER BY batch")
    assert texts == [f"record {number:06d}" for number in range(written)]
    assert killed > 0
    assert [row[0] for row in batches] == list(range(1, len(batches) + 1))
    assert all(later[1] == earlier[2] for earlier, later in pairwise(batches))

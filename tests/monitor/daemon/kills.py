"""kill -9 at random moments while three logs grow and are rotated; then everything must be there once."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from daemon import HISWATCH, Daemon, configure, daemon
from growing import Hospital, sources_of
from receiver import Receiver, receiver
from running import metric, while_alive
from servers import answers

SECRET = b"a key for the test only"
COMPARED = ("id", "rule", "account", "events", "rows", "first_seen", "last_seen", "severity")
MORE = (  # messages wait for no turn, batches are many and small
    "  group_interval_seconds: 0\n  budget_per_hour: 1000\nlimits: {batch_seconds: 0.05}\n"
)
PACE_SECONDS = 0.02
STEPS = 80  # in which the logs grow between two kills, about


def survive(folder: Path, *, seed: int, kills: int, sessions: int) -> dict[str, int]:
    """The whole story; figures for the report. Everything that must hold is asserted."""
    rng = random.Random(seed)
    hospital = Hospital(folder / "logs", seed, sessions)
    share = 1 / (kills * STEPS)
    with receiver(SECRET) as box:
        config, port = configure(
            folder / "site", sources_of(folder / "logs"), webhook=box.url, secret=SECRET, more=MORE
        )
        for number in range(kills):
            with daemon(config, port, ready=False) as running:
                if rng.random() < 0.75:  # else it dies during its start
                    while_alive(running, lambda: answers(port), "the daemon answers")
                    while_alive(running, lambda: _commits(running, hospital, share), "it commits")
                _grow_for(hospital, rng.uniform(0.0, 1.5), share)
                _rotate(hospital, number, kills)
                running.kill()
        hospital.write_all()
        with daemon(config, port) as running:
            while_alive(running, lambda: metric(running, "hiswatch_source_lag_bytes") == 0, "no byte waits")
            while_alive(running, lambda: _all_read(running, hospital), "every file is read to its end")
            figures = _accounts(running, hospital)
            told = _findings(running)
            figures |= _deliveries(running, box)
        figures["gaps"] = len([True for log in (config.with_name("daemon.log"),) if "GapSeen" in log.read_text()])
        assert figures["gaps"] == 0
        assert "Traceback" not in config.with_name("daemon.log").read_text()
    reference = _uninterrupted(folder / "reference", seed, sessions, config.with_name("state") / "keys")
    assert _differences(told, reference) == []
    return {"kills": kills, "findings": len(told), **figures}


def _commits(running: Daemon, hospital: Hospital, share: float) -> bool:
    hospital.grow(share)
    return metric(running, "hiswatch_batch_rows_total") > 0


def _grow_for(hospital: Hospital, seconds: float, share: float) -> None:
    pace, limit = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < limit:
        hospital.grow(share)
        pace.wait(PACE_SECONDS)


def _rotate(hospital: Hospital, number: int, kills: int) -> None:
    """By rename and by copytruncate, the database's and the others' logs at different kills."""
    pg, transfer, sftp = hospital.logs.values()
    if number == kills // 3:
        pg.rename()
        transfer.copy_and_truncate()
    if number == kills * 2 // 3:
        pg.copy_and_truncate()
        sftp.rename()


def _all_read(running: Daemon, hospital: Hospital) -> bool:
    rows = running.query("SELECT device, inode, position FROM positions")
    read = {(row["device"], row["inode"]): row["position"] for row in rows}
    files = [file.stat() for log in hospital.logs.values() for file in log.path.parent.iterdir()]
    return all(file.st_size == 0 or read.get((file.st_dev, file.st_ino)) == file.st_size for file in files)


ACCOUNTS = """
    SELECT 'records' AS kind, source AS name, count(*) AS n FROM events GROUP BY source
    UNION ALL SELECT 'records', source, count(*) FROM rejects GROUP BY source
    UNION ALL SELECT 'records', source, sum(records)::BIGINT FROM skips GROUP BY source
    UNION ALL SELECT 'twice', event_id, count(*) FROM events GROUP BY event_id HAVING count(*) > 1
    UNION ALL SELECT 'twice', generation, count(*) FROM events GROUP BY generation, position HAVING count(*) > 1
    UNION ALL SELECT 'batches', '', count(*) FROM batches
"""


def _accounts(running: Daemon, hospital: Hospital) -> dict[str, int]:
    """events + rejects + skips = records written, by source; nothing twice."""
    counted: Counter[str] = Counter()
    other: dict[str, list[dict[str, Any]]] = {"twice": [], "batches": []}
    for row in running.query(ACCOUNTS):
        if row["kind"] == "records":
            counted[row["name"]] += row["n"]
        else:
            other[row["kind"]].append(row)
    assert counted == {name: log.records for name, log in hospital.logs.items()}
    assert other["twice"] == []
    return {"records": sum(counted.values()), "batches": other["batches"][0]["n"]}


def _findings(running: Daemon) -> list[dict[str, Any]]:
    rows = running.query(f"SELECT {', '.join(COMPARED)} FROM findings ORDER BY id")
    return [_comparable(row) for row in rows]


def _differences(told: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """(what was told, what should have been) of every finding that differs."""
    ours, theirs = ({row["id"]: row for row in rows} for rows in (told, wanted))
    return [(ours.get(id_), theirs.get(id_)) for id_ in sorted({*ours, *theirs}) if ours.get(id_) != theirs.get(id_)]


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Times without the digits that one writer prints and the other leaves out."""
    return {key: str(value).replace(".000000", "") for key, value in row.items()}


def _deliveries(running: Daemon, box: Receiver) -> dict[str, int]:
    rows: list[dict[str, Any]] = []

    def all_sent() -> bool:
        rows[:] = running.query("SELECT finding_id, revision, channel, state FROM outbox")
        return all(row["state"] != "waiting" for row in rows)

    while_alive(running, all_sent, "every message is sent")
    keys = Counter((row["finding_id"], row["revision"], row["channel"]) for row in rows)
    assert set(keys.values()) == {1}
    assert box.bad_signatures == 0
    bodies: dict[str, set[str]] = {}
    for key, message in zip(box.keys, box.messages, strict=True):
        bodies.setdefault(key, set()).add(json.dumps(message, sort_keys=True))
    assert all(len(different) == 1 for different in bodies.values())  # a repeat is the same message
    sent = [row for row in rows if row["state"] == "sent"]
    assert sent
    assert {f"{row['finding_id']}:{row['revision']}" for row in sent} <= set(bodies)
    return {"messages": len(sent), "repeats": len(box.keys) - len(bodies)}


def _uninterrupted(folder: Path, seed: int, sessions: int, keys: Path) -> list[dict[str, Any]]:
    """The same logs, never rotated, read in one go into a store of the same key (ids of shapes hang on it)."""
    hospital = Hospital(folder / "logs", seed, sessions)
    hospital.write_all()
    config, _ = configure(folder / "site", sources_of(folder / "logs"))
    shutil.copytree(keys, folder / "store" / "keys")
    command = [HISWATCH, "scan", "--config", config, "--store", folder / "store", "--json"]
    done = subprocess.run(command, capture_output=True, check=True)
    found = [json.loads(line) for line in done.stdout.split(b"\n") if line]
    return [_comparable({name: row[name] for name in COMPARED}) for row in sorted(found, key=lambda row: row["id"])]

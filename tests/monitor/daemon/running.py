"""Looks at a running daemon from outside, and logs of one line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from daemon import HISWATCH, Daemon
from servers import answers, end, wait_until

UPLOAD = 'Wed Nov 11 09:02:{:02d} 2026 [pid 8733] [his_app] OK UPLOAD: Client "10.10.1.8", "/incoming/a.hl7", 400 bytes, 194.15Kbyte/sec\n'


def health(port: int) -> tuple[int, str, list[str]]:
    """Status code, status and reasons of /healthz."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            code, body = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        code, body = error.code, json.load(error)
    return code, body["status"], body.get("reasons", [])


def metric(running: Daemon, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    total = 0.0
    for line in running.metrics().split("\n"):
        if re.match(rf"{name}[{{ ]", line) and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += float(line.rpartition(" ")[2])
    return total


def while_alive(running: Daemon, condition: Callable[[], object], what: str) -> None:
    wait_until(lambda: condition() or running.process.poll() is not None, what)
    assert running.process.poll() is None, running.log.read_text()


def read(running: Daemon, source: str, records: int) -> None:
    """Wait until so many records of a source have been read since the start."""
    while_alive(
        running, lambda: metric(running, "hiswatch_records_total", source=source) >= records, f"{records} are read"
    )


def refused(config: Path) -> str:
    """What a daemon says that cannot start; it must end by itself with exit status 2."""
    done = subprocess.run([HISWATCH, "run", "--config", config], capture_output=True, check=False, timeout=60)
    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert done.stdout == b""
    assert "Traceback" not in said
    return said


@contextmanager
def started(prefix: Sequence[str], config: Path, port: int) -> Iterator[Daemon]:
    """The daemon behind a command that binds it."""
    if shutil.which(prefix[0]) is None:
        pytest.skip(f"not on this machine: {prefix[0]}")
    log = config.with_name("daemon.log")
    with log.open("ab") as out:
        process = subprocess.Popen([*prefix, HISWATCH, "run", "--config", config], stdout=out, stderr=out)
    running = Daemon(process, config, config.with_name("state"), port, log)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, "the daemon answers or ends")
        yield running
    finally:
        end(process)


def without_root_rights(config: Path, port: int) -> AbstractContextManager[Daemon]:
    """The daemon under this account, but bound by the permissions of files even if that is root."""
    rights = "-dac_override,-dac_read_search"
    return started(["setpriv", "--bounding-set", rights, "--inh-caps", rights], config, port)


@contextmanager
def small_disk(place: Path, size: str, *options: str) -> Iterator[Path]:
    """A file system of its own, in memory."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", ",".join((f"size={size}", *options)), "none", place]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small tmpfs is not permitted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def events_of(running: Daemon, source: str) -> list[dict[str, Any]]:
    return running.query(f"SELECT * FROM events_full WHERE source = '{source}' ORDER BY position")

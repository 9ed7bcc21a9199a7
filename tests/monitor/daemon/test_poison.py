"""A record that a stage breaks on costs its piece of the file, never the daemon: the piece becomes a reject."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.daemon import CAREFUL_BYTES, Daemon
from monitor.pipeline import Pipeline

LINE = 'Wed Nov 11 09:02:{:02d} 2026 [pid {}] [his_app] OK UPLOAD: Client "10.10.1.8", "/incoming/{}.hl7", 400 bytes, 194.15Kbyte/sec\n'
RECORDS = 3000
CONFIG = """
site: {id: poison}
state_dir: state
web: {listen: "127.0.0.1:PORT"}
sources:
  transfer: {system: transfer, path: vsftpd.log, format: vsftpd_native}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_record_that_breaks_a_stage_costs_its_piece_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [LINE.format(n % 60, 100 + n, "POISON" if n == RECORDS // 2 else f"m{n}") for n in range(RECORDS)]
    log = tmp_path / "vsftpd.log"
    log.write_text("".join(lines))
    (tmp_path / "hospital.yaml").write_text(CONFIG.replace("PORT", str(_free_port())))
    run = Pipeline.run

    def breaking(self: Pipeline, chunks: Any, *rest: Any) -> Any:
        chunks = list(chunks)
        if any(b"POISON" in chunk.data for chunk in chunks):
            raise RuntimeError("a fault of ours")
        return run(self, chunks, *rest)

    monkeypatch.setattr(Pipeline, "run", breaking)
    daemon = Daemon(tmp_path / "hospital.yaml")
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        limit = time.monotonic() + 60
        while daemon.seen["rejects"] == 0 or daemon.seen["events"] < RECORDS - 2 * CAREFUL_BYTES // len(lines[0]):
            assert time.monotonic() < limit, daemon.seen
            assert thread.is_alive()
            time.sleep(0.02)
        before = daemon.seen["events"]
        with log.open("a") as file:
            file.write(LINE.format(0, 1, "after"))
        while daemon.seen["events"] == before:
            assert time.monotonic() < limit, daemon.seen
            time.sleep(0.02)
    finally:
        daemon.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert daemon.seen["rejects"] == 1
    assert daemon.telemetry.value("hiswatch_detector_errors_total", detector="pipeline") == 2
    lost = RECORDS + 1 - daemon.seen["events"]
    assert 1 <= lost <= CAREFUL_BYTES // len(lines[0]) + 2

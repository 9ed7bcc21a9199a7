"""The real daemon as a process of its own, with a configuration written for the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers import WAIT_SECONDS, answers, end, free_port, wait_until
from typer.testing import CliRunner

from monitor.cli import app

HISWATCH = Path(sys.executable).with_name("hiswatch")


@dataclass
class Daemon:
    process: subprocess.Popen[bytes]
    config: Path
    state: Path
    port: int
    log: Path

    def query(self, sql: str) -> list[dict[str, Any]]:
        return query(self.config, sql)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_SECONDS)


def query(config: Path, sql: str) -> list[dict[str, Any]]:
    """As the command answers, asked within this process: what waits for an answer asks often, and a start takes a second."""
    done = CliRunner().invoke(app, ["query", "--config", str(config), "--json", "--limit", "100000", sql])
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n") if line]


@contextmanager
def daemon(config: Path, port: int, *, ready: bool = True) -> Iterator[Daemon]:
    log = config.with_name("daemon.log")
    with log.open("ab") as out:
        process = subprocess.Popen([HISWATCH, "run", "--config", config], stdout=out, stderr=out, env={**os.environ})
    running = Daemon(process, config, config.with_name("state"), port, log)
    try:
        if ready:
            wait_until(lambda: answers(port) or process.poll() is not None, "the daemon answers")
            assert process.poll() is None, log.read_text()
        yield running
    finally:
        end(process)


def configure(
    folder: Path,
    sources: Mapping[str, Mapping[str, Any]],
    *,
    webhook: str | None = None,
    secret: bytes = b"",
    zone: str = "Asia/Shanghai",
    register: str = "",
    more: str = "",
) -> tuple[Path, int]:
    """Write hospital.yaml (and register.yaml) into the folder; returns its path and the port of /metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    lines = [
        "site: {id: test-hospital, name: 测试医院}", f"timezone: {zone}", "language: zh", "state_dir: state",
        "networks: {inside: [10.0.0.0/8, 127.0.0.0/8]}", "catalogue: {packs: [english_his, junwei_no1, chinese_names, system, generic]}",
        f"web: {{listen: '127.0.0.1:{port}'}}", "sources:",
    ]  # fmt: skip
    for name, source in sources.items():
        lines += [
            f"  {name}:",
            *(f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in source.items()),
        ]
    if register:
        (folder / "register.yaml").write_text(register, encoding="utf-8")
        lines.append("register: register.yaml")
    if webhook:
        key = folder / "webhook.key"
        key.write_bytes(secret)
        key.chmod(0o600)
        lines += [
            "alerts:",
            "  channels:",
            "    oncall: {type: webhook, allow_private: true, url: " + webhook + ", secret_file: webhook.key}",
        ]
    config = folder / "hospital.yaml"
    config.write_text("\n".join(lines) + "\n" + more, encoding="utf-8")
    return config, port

"""`hiswatch demo`: the shipped sample logs, played into a watched folder that the real daemon tails."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import config
from monitor.daemon import Daemon
from monitor.findings import as_json, print_line

SHIPPED = Path(config.__file__).parent / "demo"
STEP_SECONDS = 0.2
STEPS = 60  # the day and the night take some twelve seconds


def run_demo(seconds: float | None, listen: str, language: str, *, json_lines: bool) -> None:
    """Plays, tails, detects and prints until Ctrl-C or for `seconds`; the folder is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hiswatch-demo-") as name:
        folder = Path(name)
        configuration = _prepare(folder, listen, language)
        stop = threading.Event()
        player = threading.Thread(target=_play, args=(folder / "logs", stop), name="player", daemon=True)
        daemon = Daemon(configuration)
        zone = daemon.settings.zone

        def show(findings: object) -> None:
            import polars as pl

            assert isinstance(findings, pl.DataFrame)
            if json_lines:
                for line in as_json(findings, zone, language):
                    print(line, flush=True)
            else:
                print_line(findings, zone, language)

        daemon.on_findings = show
        _say(
            {
                "zh": f"演示:一个平常的工作日,一个厂商人员的不平常的夜晚。/metrics 与 /healthz: http://{listen}",
                "en": f"Demo: an ordinary day and a vendor's bad night. /metrics and /healthz: http://{listen}",
            }[language]
        )
        player.start()
        if seconds is not None:
            timer = threading.Timer(seconds, daemon.stop)
            timer.daemon = True
            timer.start()
        try:
            daemon.run()
        finally:
            stop.set()
            player.join()
        _say(daemon.summary(language))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _prepare(folder: Path, listen: str, language: str) -> Path:
    for path in SHIPPED.glob("*.yaml"):
        shutil.copyfile(path, folder / path.name)
    configuration = folder / "hospital.yaml"
    text = configuration.read_text(encoding="utf-8").replace("language: zh", f"language: {language}")
    configuration.write_text(f'{text}web: {{listen: "{listen}"}}\n', encoding="utf-8")
    (folder / "logs").mkdir()
    return configuration


def _play(folder: Path, stop: threading.Event) -> None:
    """Write the logs piece by piece, cut anywhere, as a server that is slow to flush would."""
    for step in _pieces():
        for name, piece in step:
            with (folder / name).open("ab") as file:
                file.write(piece)
        if stop.wait(STEP_SECONDS):
            return


def _pieces() -> Iterator[list[tuple[str, bytes]]]:
    logs = {path.name: path.read_bytes() for path in sorted((SHIPPED / "logs").iterdir()) if path.is_file()}
    databases = [name for name in logs if name != "vsftpd.log"]  # a day each, in order of name
    whole = [(name, logs[name]) for name in databases]
    size = sum(len(data) for _, data in whole) // STEPS + 1
    pending = [(name, data[at : at + size]) for name, data in whole for at in range(0, len(data), size)]
    transfers = logs["vsftpd.log"]
    share = len(transfers) // len(pending) + 1
    for index, piece in enumerate(pending):
        yield [piece, ("vsftpd.log", transfers[index * share : (index + 1) * share])]

"""From the log to the phone: seconds from the write of a record to the arrival of its message at a webhook.

    make latency                                     240 acts in 120 s at 1,000 records/s
    make latency ARGS="--findings 200 --seconds 60 --idle 10"

A real daemon (`hiswatch run`) with the shipped rules follows a log that this process writes, and delivers to a webhook
here. Each planted act is one statement of an account of its own, hence the first message of its own story; its latency is
arrival less the moment just after its write. Before and after the load the daemon's idle cost is measured. Ends with 1
when an act was not told by a right finding, when p95 is above 2 s, or when a record is unaccounted for.
"""

from __future__ import annotations

import argparse
import http.server
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from end_to_end import count_records
from live_log import LiveLog, Plant, Written, plants, register
from processes import descendants, memory

HERE = Path(__file__).parent
HISWATCH = Path(sys.executable).with_name("hiswatch")
LIMIT_SECONDS = 2.0
WARM_SECONDS = 10.0  # ordinary work before the first act: the shapes of a running hospital are known
PATIENCE_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Inbox:
    """What came, when (seconds since the epoch), by account: the first message only."""

    url: str = ""
    arrived: dict[str, float] = field(default_factory=dict)
    families: dict[str, set[str]] = field(default_factory=dict)
    messages: int = 0

    def take(self, message: dict[str, Any], now: float) -> None:
        self.messages += 1
        account = message.get("account")
        if account and account not in self.arrived:
            self.families[account] = {f["rule"].partition("-")[0] for f in message["story"]["findings"]}
            self.arrived[account] = now


@contextmanager
def inbox() -> Iterator[Inbox]:
    box = Inbox()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            now = time.time()
            self.send_response(200)
            self.end_headers()
            box.take(json.loads(body), now)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    box.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def configure(folder: Path, url: str, made: list[Plant]) -> tuple[Path, int]:
    """The bench hospital with a webhook and a port of its own: (hospital.yaml, port)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    register(HERE / "site" / "register.yaml", folder / "register.yaml", made)
    key = folder / "webhook.key"
    key.write_bytes(b"a key for the benchmark only")
    key.chmod(0o600)
    config = folder / "hospital.yaml"
    config.write_text(
        (HERE / "site" / "hospital.yaml").read_text(encoding="utf-8")
        + f"web: {{listen: '127.0.0.1:{port}'}}\n"
        + f"alerts: {{channels: {{oncall: {{type: webhook, allow_private: true, url: '{url}', secret_file: webhook.key}}}}}}\n",
        encoding="utf-8",
    )
    return config, port


@dataclass
class Daemon:
    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """User and system of the process tree, ended children included."""
        ticks = 0
        for pid in descendants(self.process.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))
        return ticks / TICKS

    def metrics(self) -> dict[str, float]:
        """Samples of /metrics as they are named there; of families with labels, each line its own."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().split("\n")
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if x and x[0] != "#")}

    def ready(self) -> bool:
        """Started, not only listening."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=30) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def total(self, family: str) -> float:
        return sum(value for name, value in self.metrics().items() if name.partition("{")[0] == family)


@contextmanager
def running(config: Path, port: int) -> Iterator[Daemon]:
    log = config.with_name("daemon.log")
    with log.open("wb") as out:
        process = subprocess.Popen([HISWATCH, "run", "--config", config], stdout=out, stderr=out)
    daemon = Daemon(process, port)
    try:
        wait(lambda: daemon.ready() or process.poll() is not None)
        if process.poll() is not None:
            raise SystemExit(f"the daemon did not start:\n{log.read_text(errors='replace')[-2000:]}")
        yield daemon
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait(ready: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@dataclass
class Watched:
    """A stretch of the daemon's life: share of one core, and its memory, proportional (shared pages once) and resident."""

    cpu_share: float = 0.0
    pss_mb: float = 0.0
    rss_mb: float = 0.0
    lag_seconds: float = 0.0


@contextmanager
def watched(daemon: Daemon, *, lag: bool = False) -> Iterator[Watched]:
    """Looks once a second from outside; at the lag, which costs the daemon an answer, every ten seconds."""
    seen = Watched()
    ended = threading.Event()

    def watch() -> None:
        looks = 0
        while not ended.wait(1.0):
            rss, pss = memory(daemon.process.pid)
            seen.rss_mb, seen.pss_mb = max(seen.rss_mb, rss), max(seen.pss_mb, pss)
            looks += 1
            if lag and looks % 10 == 0:
                seen.lag_seconds = max(seen.lag_seconds, daemon.total("hiswatch_source_lag_seconds"))

    thread = threading.Thread(target=watch, daemon=True)
    began, cpu = time.monotonic(), daemon.cpu_seconds()
    thread.start()
    try:
        yield seen
    finally:
        seen.cpu_share = (daemon.cpu_seconds() - cpu) / (time.monotonic() - began)
        ended.set()
        thread.join()


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, math.ceil(len(values) * share - 1e-9) - 1)]


@dataclass(frozen=True, slots=True)
class Result:
    latencies: list[float]
    missed: list[str]
    rate: float  # records a second, all kinds
    written: int
    read: int

    def good(self) -> bool:
        return not self.missed and quantile(self.latencies, 0.95) <= LIMIT_SECONDS and self.written == self.read


def judge(made: list[Plant], done: Written, box: Inbox, records: int, written: int, read: int) -> Result:
    """`records` of the load; `written` and `read` of the whole life of the log."""
    latencies, missed = [], []
    for plant in made:
        if plant.family in box.families.get(plant.account, ()):
            latencies.append(box.arrived[plant.account] - done.at[plant.account])
        else:
            missed.append(plant.account)
    return Result(latencies, missed, records / done.seconds, written, read)


def stages(daemon: Daemon) -> str:
    """Mean time of a batch by stage since the start."""
    samples = daemon.metrics()
    prefix = "hiswatch_batch_duration_seconds"
    means = {
        name.partition('stage="')[2].rstrip('"}'): samples[name.replace("_sum", "_count", 1)]
        and value / samples[name.replace("_sum", "_count", 1)]
        for name, value in samples.items()
        if name.startswith(f"{prefix}_sum")
    }
    batches = max((value for name, value in samples.items() if name.startswith(f"{prefix}_count")), default=0)
    killed = sum(value for name, value in samples.items() if name.startswith("hiswatch_worker_killed_total"))
    return f"{batches:.0f} batches, SQL workers killed {killed:.0f}; mean ms: " + ", ".join(
        f"{name} {1000 * mean:.1f}" for name, mean in means.items()
    )


def show(result: Result, box: Inbox, done: Written) -> None:
    told = result.latencies
    print(
        f"acts told {len(told)} of {len(told) + len(result.missed)}; missed: {', '.join(result.missed[:10]) or 'none'}"
    )
    print(
        f"log write to webhook: p50 {quantile(told, 0.5):.3f} s, p95 {quantile(told, 0.95):.3f} s, max {max(told, default=float('nan')):.3f} s"
    )
    print(f"background {result.rate:,.0f} records/s; the writer was at most {1000 * done.late_seconds:.0f} ms late")
    print(f"records written {result.written}, read {result.read}; messages in all {box.messages}")


def show_watched(name: str, seen: Watched) -> None:
    lag = f", lag at most {seen.lag_seconds:.2f} s" if seen.lag_seconds else ""
    print(f"{name}: {seen.cpu_share:.1%} of a core, {seen.pss_mb:.0f} MB (resident sum {seen.rss_mb:.0f} MB){lag}")


def run(given: argparse.Namespace, folder: Path) -> Result:
    rng = random.Random(given.seed)
    made = plants(given.findings, given.seconds, rng)
    log = folder / "postgresql.csv"
    log.touch()
    with inbox() as box:
        config, port = configure(folder, box.url, made)
        with running(config, port) as daemon:
            if given.idle:
                with watched(daemon) as idle:
                    time.sleep(given.idle)
                show_watched("idle, fresh", idle)
            writer = LiveLog(log, given.seed)
            writer.run(given.rate, WARM_SECONDS)
            before = count_records(log)
            with watched(daemon, lag=True) as load:
                done = writer.run(given.rate, given.seconds, made)
            writer.close()
            wait(lambda: all(plant.account in box.arrived for plant in made))
            written = count_records(log)
            wait(lambda: daemon.total("hiswatch_records_total") >= written)
            result = judge(made, done, box, written - before, written, int(daemon.total("hiswatch_records_total")))
            show_watched(f"at {result.rate:,.0f} records/s", load)
            print(stages(daemon))
            if given.idle:
                with watched(daemon) as idle:
                    time.sleep(given.idle)
                show_watched("idle, after the load", idle)
        show(result, box, done)
    return result


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--findings", type=int, default=240, help="acts to plant; at most 500 (the site's budget is 600)"
    )
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--rate", type=float, default=1000.0, help="ordinary statements a second")
    options.add_argument("--idle", type=float, default=30.0, help="seconds to watch the idle daemon; 0: not at all")
    options.add_argument("--seed", type=int, default=20261118)
    options.add_argument("--keep", type=Path, default=None, help="folder for log, configuration and store; kept")
    given = options.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True)
        return 0 if run(given, given.keep).good() else 1
    with tempfile.TemporaryDirectory(prefix="hiswatch-latency-") as folder:
        return 0 if run(given, Path(folder)).good() else 1


if __name__ == "__main__":
    sys.exit(main())

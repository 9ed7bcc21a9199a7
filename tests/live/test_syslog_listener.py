"""The real daemon receives what real senders forward: rsyslog, logger, a TLS client. It must be what the files say."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon import Daemon, configure
from daemon import daemon as started
from servers import answers, end, free_port, need, wait_until

SAMPLES = Path(__file__).parents[1] / "parsers" / "samples" / "openssh_sftp"
COLUMNS = "action, outcome, account, client_ip, path, path2, bytes, occurred_at, record_role"
FORWARDS = {
    "udp": 'Protocol="udp" Template="RSYSLOG_TraditionalForwardFormat"',
    "lines": 'Protocol="tcp" TCP_Framing="traditional" Template="RSYSLOG_TraditionalForwardFormat"',
    "counted": 'Protocol="tcp" TCP_Framing="octet-counted" Template="RSYSLOG_TraditionalForwardFormat"',
    "rfc5424": 'Protocol="tcp" TCP_Framing="octet-counted" Template="RSYSLOG_SyslogProtocol23Format"',
}


def messages(name: str = "9.2-rfc3164.log") -> list[bytes]:
    """A captured log, its two days without a year moved to the day before yesterday and yesterday."""
    now = datetime.now(UTC)
    first, second = ((now - timedelta(days=days)).strftime("%b %e ").encode() for days in (2, 1))
    data = (SAMPLES / name).read_bytes()
    return re.sub(
        rb"^Jan  1 ", second, re.sub(rb"^Dec 31 ", first, data, flags=re.MULTILINE), flags=re.MULTILINE
    ).split(b"\n")[:-1]


@contextmanager
def daemon(config: Path, web: int) -> Iterator[Daemon]:
    """The daemon, once it receives."""
    with started(config, web) as running:
        wait_until(lambda: "starting" not in health(web), "the daemon has started")
        yield running


def health(web: int) -> list[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/healthz", timeout=10) as answer:
            return list(json.load(answer).get("reasons", []))
    except urllib.error.HTTPError as error:  # red
        return list(json.load(error).get("reasons", []))


def source(listener: str, system: str, **more: object) -> dict[str, object]:
    return {"system": system, "listener": listener, "format": "openssh_sftp", **more}


def listeners(**made: str) -> str:
    return "listeners:\n" + "".join(f"  {name}: {{{settings}}}\n" for name, settings in made.items())


def told(running: Daemon) -> defaultdict[str, Counter[tuple[object, ...]]]:
    """What each source told; one look for all, because each is a process that starts."""
    found: defaultdict[str, Counter[tuple[object, ...]]] = defaultdict(Counter)
    for row in running.query(f"SELECT source, {COLUMNS} FROM events"):
        name, *values = row.values()
        found[str(name)][tuple(values)] += 1
    return found


def records(running: Daemon, name: str) -> int:
    lines = running.metrics().split("\n")
    found = [line for line in lines if line.startswith("hiswatch_records_total{") and f'source="{name}"' in line]
    return int(sum(float(line.rpartition(" ")[2]) for line in found))


@contextmanager
def rsyslog(folder: Path, targets: dict[str, int]) -> Iterator[int]:
    """rsyslogd that hands everything it gets on to each target; yields the port that it takes lines at."""
    need("rsyslogd", root=False)
    folder.mkdir()
    port = free_port()
    actions = "".join(
        f'action(type="omfwd" Target="127.0.0.1" Port="{targets[name]}" {how})\n'
        for name, how in FORWARDS.items()
        if name in targets
    )
    config = folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{folder}" maxMessageSize="64k")\nmodule(load="imptcp")\n'
        f'input(type="imptcp" address="127.0.0.1" port="{port}")\n{actions}'
    )
    command = ["rsyslogd", "-n", "-f", config, "-i", folder / "rsyslog.pid"]
    process = subprocess.Popen(
        command, env={**os.environ, "TZ": "Asia/Shanghai"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(port), "rsyslog listens")
        yield port
    finally:
        end(process)


def send(port: int, lines: list[bytes], *, prefix: bytes = b"<86>") -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"".join(prefix + line + b"\n" for line in lines))


@pytest.mark.live
def test_what_rsyslog_forwards_is_what_the_file_says(tmp_path: Path) -> None:
    lines = messages()
    file = tmp_path / "auth.log"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    ports = {name: free_port() for name in FORWARDS}
    config, web = configure(
        tmp_path / "h",
        {"file": {"system": "file", "path": str(file), "format": "openssh_sftp"}, **{name: source(name, name) for name in ports}},
        more=listeners(
            **{
                name: f"protocol: {'udp' if name == 'udp' else 'tcp'}, listen: '127.0.0.1:{port}', allow: [127.0.0.0/8]"
                for name, port in ports.items()
            }
        ),
    )  # fmt: skip
    with daemon(config, web) as running, rsyslog(tmp_path / "rsyslog", ports) as port:
        send(port, lines)
        for name in ("file", *ports):
            wait_until(lambda name=name: records(running, name) >= len(lines), f"{name} has brought everything")
        end(running.process)
        found = told(running)
        assert sum(found["file"].values()) > 50
        for name in ports:
            assert found[name] == found["file"], name


@pytest.mark.live
def test_what_logger_and_a_tls_client_send(tmp_path: Path) -> None:
    need("logger", "openssl", root=False)
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        tmp_path / "key",
        "-out",
        tmp_path / "cert",
    ]
    subprocess.run([*made, *names], check=True, capture_output=True)
    ports = {name: free_port() for name in ("udp", "tcp", "tls")}
    more = {"tls": f", certificate: {tmp_path / 'cert'}, key_file: {tmp_path / 'key'}"}
    config, web = configure(
        tmp_path / "h",
        {name: source(name, name) for name in ports},
        more=listeners(**{name: f"protocol: {name}, listen: '127.0.0.1:{port}'" + more.get(name, "") for name, port in ports.items()}),
    )  # fmt: skip
    text = "Accepted password for app from 10.9.8.7 port 4711 ssh2"
    with daemon(config, web) as running:
        for how in (
            ["-d", "--rfc3164"],
            ["-d", "--rfc5424"],
            ["-T", "--rfc5424"],
            ["-T", "--octet-count", "--rfc3164"],
        ):
            port = ports["udp" if "-d" in how else "tcp"]
            command = [
                "logger",
                "-n",
                "127.0.0.1",
                "-P",
                str(port),
                "-t",
                "sshd",
                "--id=77",
                "-p",
                "authpriv.info",
                *how,
                text,
            ]
            subprocess.run(command, check=True, env={**os.environ, "TZ": "Asia/Shanghai"})
        context = ssl.create_default_context(cafile=str(tmp_path / "cert"))
        lines = messages("9.2-rfc5424.log")
        with (
            socket.create_connection(("127.0.0.1", ports["tls"])) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as sock,
        ):
            sock.sendall(b"".join(b"%d %b" % (len(line), line) for line in lines))
            sock.unwrap()
        for name, count in (("udp", 2), ("tcp", 2), ("tls", len(lines))):
            wait_until(lambda name=name, count=count: records(running, name) >= count, f"{name} has brought everything")
        end(running.process)
        found = running.query("SELECT source, account, session, action FROM events")
        for name in ("udp", "tcp"):
            logins = [row for row in found if (row["source"], row["action"]) == (name, "login")]
            assert [row["account"] for row in logins] == ["app", "app"]
            assert all(row["session"].endswith(":77") for row in logins)
        assert sum(row["source"] == "tls" for row in found) > 50


def spooled(folder: Path) -> bytes:
    """What stands in a spool now; the daemon deletes what it has read, also while this looks."""
    found = b""
    for file in sorted(folder.glob("*.log")):
        with suppress(FileNotFoundError):
            found += file.read_bytes()
    return found


@pytest.mark.live
def test_what_was_spooled_outlives_kill_9_and_is_stored_once(tmp_path: Path) -> None:
    port = free_port()
    config, web = configure(
        tmp_path / "h", {"net": source("main", "ftp01")}, more=listeners(main=f"protocol: tcp, listen: '127.0.0.1:{port}'")
    )  # fmt: skip
    spool = config.with_name("state") / "spool" / "net"
    lines = [
        b"Nov 18 2026 08:00:00 ftp01 sshd[%d]: Accepted password for u%d from 10.9.8.7 port 4711 ssh2" % (n, n)
        for n in range(6000)
    ]
    for part in range(3):
        mark = b"sshd[%d]: " % (part * 2000 + 1999)  # the last; the file that is written now is not deleted yet
        with daemon(config, web) as running:
            send(port, lines[part * 2000 : part * 2000 + 2000])
            wait_until(lambda mark=mark: mark in spooled(spool), "all of it is in the spool")
            running.kill()
    with daemon(config, web) as running:
        wait_until(lambda: len(list(spool.glob("*.log"))) <= 1, "what was read is deleted")
        wait_until(lambda: records_in(running) >= 6000, "all of it is read")
        end(running.process)
        rows = running.query("SELECT account, count(*) AS n FROM events WHERE source = 'net' GROUP BY 1")
    assert Counter({row["account"]: row["n"] for row in rows}) == Counter(f"u{n}" for n in range(6000))


def records_in(running: Daemon) -> int:
    return int(running.query("SELECT count(*) AS n FROM events WHERE source = 'net'")[0]["n"])


@pytest.mark.live
def test_a_small_spool_holds_up_the_sender_and_a_reload_keeps_its_connection(tmp_path: Path) -> None:
    port = free_port()
    config, web = configure(
        tmp_path / "h",
        {"net": source("main", "ftp01")},
        more=listeners(main=f"protocol: tcp, listen: '127.0.0.1:{port}'") + "limits: {spool_limit_mb: 1}\n",
    )
    spool = config.with_name("state") / "spool" / "net"
    line = b"<86>Nov 18 2026 08:00:00 ftp01 sshd[7]: Accepted password for app from 10.9.8.7 port %05d ssh2\n"
    with daemon(config, web) as running, socket.create_connection(("127.0.0.1", port)) as sock:
        for part in range(3):
            sock.sendall(b"".join(line % n for n in range(part * 8_000, part * 8_000 + 8_000)))
            running.process.send_signal(signal.SIGHUP)
            assert len(spooled(spool)) <= 1 << 20
        wait_until(lambda: records(running, "net") >= 24_000, "all of it is read")
        wait_until(lambda: len(list(spool.glob("*.log"))) <= 1, "what was read is deleted")
        reloads = [one for one in running.metrics().split("\n") if one.startswith("hiswatch_config_reloads_total{")]
        assert reloads
        end(running.process)
        assert records_in(running) == 24_000

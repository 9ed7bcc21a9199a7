"""smbd and the rsync daemon on loopback with private directories; what they send to syslog goes to a socket of the test.

Both write to `/dev/log` and take no other place. Each runs in a mount namespace of its own whose `/dev` has a `log` that
leads to a private socket, so nothing of the machine is touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import answers, end, free_port, need, needs_namespaces, wait_until, with_private_log

PASSWORD = "Loopback-0nly"  # of accounts that live in the test's own files
_TEMPLATES = {
    "rfc3164": "%timestamp% %hostname% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\\n",
    "iso8601": "%timestamp:::date-rfc3339% %hostname% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\\n",
}


def _env(zone: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": zone}


@contextmanager
def syslog(folder: Path, zone: str) -> Iterator[tuple[Path, dict[str, Path]]]:
    """rsyslog on a socket of its own; yields the socket and its files by envelope."""
    folder.mkdir(parents=True)
    socket, config = folder / "log", folder / "rsyslog.conf"
    files = {name: folder / f"{name}.log" for name in _TEMPLATES}
    lines = [
        f'global(workDirectory="{folder}")',
        'module(load="imuxsock" SysSock.Use="off")',
        f'input(type="imuxsock" Socket="{socket}" RateLimit.Interval="0")',
    ]
    for name, text in _TEMPLATES.items():
        lines.append(f'template(name="{name}" type="string" string="{text}")')
        lines.append(f'*.* action(type="omfile" file="{files[name]}" template="{name}")')
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        ["rsyslogd", "-n", "-f", config, "-i", folder / "pid"],
        env=_env(zone),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(socket.exists, "rsyslog listens")
        yield socket, files
    finally:
        end(process)


@dataclass(frozen=True)
class Samba:
    port: int
    share: Path
    logs: dict[str, Path]
    config: Path

    def client(self, commands: str, cwd: Path, user: str = "root") -> str:
        """smbclient with commands parted by `;`; its own exit code says little."""
        command = ["smbclient", "//127.0.0.1/scan", "-s", self.config, "-p", str(self.port), "-U", f"{user}%{PASSWORD}"]
        done = subprocess.run([*command, "-c", commands], capture_output=True, cwd=cwd, check=False, env=_env("UTC"))
        return (done.stdout + done.stderr).decode(errors="replace")


@contextmanager
def samba(folder: Path, zone: str = "Asia/Shanghai") -> Iterator[Samba]:
    """smbd with full_audit on a share `scan`; one account, root, with a password of the test."""
    need("/usr/sbin/smbd", "smbclient", "pdbedit")
    needs_namespaces()
    port, share, config = free_port(), folder / "share", folder / "smb.conf"
    for name in ("share", "private", "lock", "state", "cache", "run", "rpc", "logs"):
        (folder / name).mkdir(parents=True)
    success = "connect disconnect create_file openat close pread_send pwrite_send sendfile recvfile offload_read_send offload_write_send"
    config.write_text(
        "[global]\n"
        f"smb ports = {port}\ninterfaces = 127.0.0.1\nbind interfaces only = yes\nserver role = standalone server\n"
        f"private dir = {folder / 'private'}\nlock directory = {folder / 'lock'}\nstate directory = {folder / 'state'}\n"
        f"cache directory = {folder / 'cache'}\npid directory = {folder / 'run'}\nncalrpc dir = {folder / 'rpc'}\n"
        f"log file = {folder / 'logs' / 'smbd'}\npassdb backend = tdbsam\ndisable spoolss = yes\nload printers = no\n"
        "disable netbios = yes\ndns proxy = no\nunix charset = UTF-8\n"
        f"[scan]\npath = {share}\nread only = no\nvfs objects = full_audit\nfull_audit:prefix = %u|%I|%m|%S\n"
        f"full_audit:success = {success} mkdirat renameat unlinkat\n"
        "full_audit:failure = connect create_file openat pread_send pwrite_send mkdirat renameat unlinkat\n"
        "full_audit:facility = local5\nfull_audit:priority = notice\n"
    )
    account = ["pdbedit", "-s", config, "-a", "-u", "root", "-t"]
    typed = f"{PASSWORD}\n{PASSWORD}\n".encode()
    subprocess.run(account, input=typed, capture_output=True, check=True, env=_env(zone))
    with syslog(folder / "s", zone) as (socket, logs):
        command: list[str | Path] = ["/usr/sbin/smbd", "-F", "--no-process-group", "-s", config]
        server = subprocess.Popen(
            with_private_log(command, folder, socket),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_env(zone),
            start_new_session=True,  # smbd ends by a signal to its whole process group
        )
        try:
            wait_until(lambda: answers(port), "smbd answers")
            yield Samba(port, share, logs, config)
        finally:
            end(server)


@dataclass(frozen=True)
class Rsync:
    port: int
    module: Path
    log: Path  # its own file, or syslog's in the RFC 3164 form
    secret: Path

    def command(self, *arguments: str | Path) -> list[str | Path]:
        return ["rsync", "-r", f"--password-file={self.secret}", f"--port={self.port}", *arguments]

    def run(self, *arguments: str | Path) -> int:
        return subprocess.run(self.command(*arguments), capture_output=True, check=False, env=_env("UTC")).returncode

    def killed(self, *arguments: str | Path) -> None:
        """A client that is killed once the server has begun to receive."""
        before = self.log.read_bytes().count(b"receiving file list")
        client = subprocess.Popen(
            self.command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env("UTC")
        )
        try:
            wait_until(lambda: self.log.read_bytes().count(b"receiving file list") > before, "the upload began")
        finally:
            end(client, signal.SIGKILL)


@contextmanager
def rsyncd(
    folder: Path, zone: str = "Asia/Shanghai", log_format: str = "", *, to_syslog: bool = False
) -> Iterator[Rsync]:
    """rsync --daemon with a module `backup` for the account `vendor`, its log in a file or in syslog."""
    need("rsync")
    port, module, config, secrets = free_port(), folder / "module", folder / "rsyncd.conf", folder / "secrets"
    module.mkdir(parents=True)
    secret = folder / "secret"
    secrets.write_text(f"vendor:{PASSWORD}\n")
    secret.write_text(f"{PASSWORD}\n")
    for path in (secrets, secret):
        path.chmod(0o600)
    log = folder / "rsyncd.log"
    config.write_text(
        f"pid file = {folder / 'pid'}\nuse chroot = no\nreverse lookup = no\nuid = 0\ngid = 0\n"
        + ("" if to_syslog else f"log file = {log}\n")
        + (f"log format = {log_format}\n" if log_format else "")
        + f"transfer logging = yes\n[backup]\npath = {module}\nread only = no\nauth users = vendor\nsecrets file = {secrets}\n"
    )
    command: list[str | Path] = [
        "rsync",
        "--daemon",
        "--no-detach",
        "--address=127.0.0.1",
        f"--port={port}",
        f"--config={config}",
    ]

    @contextmanager
    def running(command: list[str | Path], log: Path) -> Iterator[Rsync]:
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=_env(zone))
        try:
            wait_until(lambda: answers(port), "rsync answers")
            yield Rsync(port, module, log, secret)
        finally:
            end(server)

    if not to_syslog:
        with running(command, log) as server:
            yield server
        return
    needs_namespaces()
    with (
        syslog(folder / "s", zone) as (socket, logs),
        running(with_private_log(command, folder, socket), logs["rfc3164"]) as server,
    ):
        yield server

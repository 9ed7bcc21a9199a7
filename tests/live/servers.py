"""Real servers, started by the tests on loopback with private data directories, ended by their own process id."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

REQUIRED = os.environ.get("HISWATCH_REQUIRE_LIVE") == "1"
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
WAIT_SECONDS = 180  # a net against a hang: on a machine that others use too a start takes its time
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def need(*programs: str | Path, root: bool = True) -> None:
    """Skip with the reason, or fail where the environment demands that nothing is skipped."""
    missing = [str(p) for p in programs if not (shutil.which(str(p)) or Path(p).exists())]
    reason = f"not on this machine: {', '.join(missing)}" if missing else ""
    if not reason and root and os.geteuid() != 0:
        reason = "needs root to start servers under their own accounts"
    if reason and REQUIRED:
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def needs_namespaces() -> None:
    need("unshare", "mount", "rsyslogd")
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if probe.returncode:
        reason = "this machine lets no test have a mount namespace of its own"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)


def with_private_log(command: list[str | Path], folder: Path, socket: Path) -> list[str | Path]:
    """`command` in a mount namespace where /dev/log is `socket`; it keeps the process id it is started with."""
    dev = folder / "dev"
    dev.mkdir()
    steps = [f"mount -t tmpfs none {shlex.quote(str(dev))}"]
    for name in _DEVICES:
        target = shlex.quote(str(dev / name))
        steps += [f"touch {target}", f"mount --bind /dev/{name} {target}"]
    steps += [
        f"ln -s {shlex.quote(str(socket))} {shlex.quote(str(dev / 'log'))}",
        f"mount --rbind {shlex.quote(str(dev))} /dev",
    ]
    script = " && ".join([*steps, "exec " + shlex.join(str(part) for part in command)])
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", script]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> object:
    """Poll a condition; the limit is a net against a hang, not a measurement."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(f"still not so after {seconds:g} s: {what}")


def zone_where_it_is(hour: int) -> str:
    """A fixed-offset zone in which the local time is now in the given hour: night without touching a clock."""
    ahead = (hour - datetime.now(UTC).hour) % 24
    ahead = ahead - 24 if ahead > 14 else ahead
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"  # the sign of these names is the other way round


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(WAIT_SECONDS)


@dataclass(frozen=True)
class PostgreSQL:
    port: int
    logs: Path
    data: Path

    def psql(self, sql: str, *, user: str = "postgres", database: str = "his", address: str = "127.0.0.1") -> str:
        command = [POSTGRES_BIN / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", "-h", address]
        command += ["-p", str(self.port), "-U", user, "-d", database]
        return subprocess.run(command, input=sql, capture_output=True, text=True, check=True, env=_env()).stdout

    def run(
        self, program: str, *arguments: str, user: str, address: str = "127.0.0.1"
    ) -> subprocess.CompletedProcess[bytes]:
        command = [POSTGRES_BIN / program, "-h", address, "-p", str(self.port), "-U", user, *arguments]
        return subprocess.run(command, capture_output=True, check=True, env=_env())


def _env(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **more}


def _as(account: str, command: Sequence[str | Path]) -> list[str | Path]:
    return ["setpriv", "--reuid", account, "--regid", account, "--clear-groups", *command]


@contextmanager
def postgresql(folder: Path, zone: str = "Asia/Shanghai", **settings: str) -> Iterator[PostgreSQL]:
    """PostgreSQL 15 with pgaudit writing csvlog and jsonlog, trust authentication on loopback."""
    need(POSTGRES_BIN / "initdb", "setpriv")
    if not Path("/usr/lib/postgresql/15/lib/pgaudit.so").exists():
        need("/usr/lib/postgresql/15/lib/pgaudit.so")
    data, logs, port = folder / "data", folder / "log", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    for parent in (folder, *folder.parents):  # the server's account must be able to reach its data
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    shutil.chown(folder, "postgres", "postgres")
    initdb = [
        POSTGRES_BIN / "initdb",
        "-D",
        data,
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-N",
    ]
    subprocess.run(_as("postgres", initdb), check=True, capture_output=True, env=_env(), cwd="/")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "shared_preload_libraries": "pgaudit",
        "logging_collector": "on",
        "log_destination": "csvlog,jsonlog",
        "log_directory": str(logs),
        "log_filename": "postgresql-%Y-%m-%d_%H%M%S.log",
        "log_file_mode": "0644",
        "log_timezone": zone,
        "log_connections": "on",
        "log_disconnections": "on",
        "pgaudit.log": "all",
        "pgaudit.log_rows": "on",
        "pgaudit.log_parameter": "on",
        "fsync": "off",
    } | settings
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in options.items())
    server = subprocess.Popen(
        _as("postgres", [POSTGRES_BIN / "postgres", "-D", data]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_env(),
        cwd="/",
    )
    try:
        ready = [POSTGRES_BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(lambda: subprocess.run(ready, check=False, env=_env()).returncode == 0, "PostgreSQL answers")
        yield PostgreSQL(port, logs, data)
    finally:
        end(server, signal.SIGINT)


@dataclass(frozen=True)
class Vsftpd:
    port: int
    log: Path
    xferlog: Path
    root: Path

    def upload(self, file: Path, name: str, user: str) -> None:
        command = [
            "curl",
            "-sS",
            "--noproxy",
            "*",
            "-T",
            str(file),
            f"ftp://127.0.0.1:{self.port}/incoming/{name}",
            "-u",
            f"{user}:x",
        ]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def vsftpd(folder: Path, zone: str = "Asia/Shanghai") -> Iterator[Vsftpd]:
    """vsftpd writing its own log and xferlog; every login name is a guest with any password, inside a private root."""
    need("/usr/sbin/vsftpd", "curl")
    service = Path(f"/etc/pam.d/hiswatch-test-{os.getpid()}-{folder.name}")
    root, port = folder / "root", free_port()
    (root / "incoming").mkdir(parents=True)
    shutil.chown(root / "incoming", "ftp")
    for parent in (root, *root.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    secure = folder / "empty"
    secure.mkdir()
    log, xferlog, config = folder / "vsftpd.log", folder / "xferlog", folder / "vsftpd.conf"
    config.write_text(
        "\n".join(
            (
                "listen=YES",
                "listen_ipv6=NO",
                "background=NO",
                "listen_address=127.0.0.1",
                f"listen_port={port}",
                "anonymous_enable=NO",
                "local_enable=YES",
                "guest_enable=YES",
                "guest_username=ftp",
                "virtual_use_local_privs=YES",
                "write_enable=YES",
                "chroot_local_user=YES",
                "allow_writeable_chroot=YES",
                f"local_root={root}",
                f"secure_chroot_dir={secure}",
                f"pam_service_name={service.name}",
                "seccomp_sandbox=NO",
                "xferlog_enable=YES",
                "dual_log_enable=YES",
                f"vsftpd_log_file={log}",
                f"xferlog_file={xferlog}",
                "use_localtime=YES",
                "session_support=NO",
                "",
            )
        )
    )
    service.write_text("auth required pam_permit.so\naccount required pam_permit.so\n")
    try:
        server = subprocess.Popen(
            ["/usr/sbin/vsftpd", config], env=_env(TZ=zone), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: answers(port), "vsftpd answers")
            yield Vsftpd(port, log, xferlog, root)
        finally:
            end(server)
    finally:
        service.unlink(missing_ok=True)


@dataclass(frozen=True)
class MariaDB:
    port: int
    log: Path

    def run(self, sql: str, *, user: str = "root", database: str = "", check: bool = True) -> str:
        command = [
            "mariadb",
            "--no-defaults",
            "-h",
            "127.0.0.1",
            "-P",
            str(self.port),
            "-u",
            user,
            "--protocol=tcp",
            "--skip-ssl",
            "--default-character-set=utf8mb4",
        ]
        done = subprocess.run([*command, database], input=sql, capture_output=True, text=True, check=False, env=_env())
        if check and done.returncode:
            pytest.fail(done.stderr)
        return done.stdout

    def dump(self, database: str, user: str) -> bytes:
        command = [
            "mariadb-dump",
            "--no-defaults",
            "-h",
            "127.0.0.1",
            "-P",
            str(self.port),
            "-u",
            user,
            "--protocol=tcp",
            "--skip-ssl",
            "--default-character-set=utf8mb4",
        ]
        return subprocess.run(
            [*command, "--single-transaction", database], capture_output=True, check=True, env=_env()
        ).stdout


@contextmanager
def mariadb(folder: Path, zone: str = "Asia/Shanghai", **settings: str) -> Iterator[MariaDB]:
    """MariaDB with server_audit to a file; accounts without passwords, on loopback only."""
    need("mariadbd", "mariadb-install-db", "mariadb")
    data, log, port = folder / "data", folder / "server_audit.log", free_port()
    data.mkdir(parents=True)
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    shutil.chown(folder, "mysql", "mysql")
    shutil.chown(data, "mysql", "mysql")
    install = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--user=mysql",
    ]
    subprocess.run(install, check=True, capture_output=True, env=_env())
    options = {
        "datadir": str(data),
        "port": str(port),
        "bind-address": "127.0.0.1",
        "socket": str(folder / "m.sock"),
        "user": "mysql",
        "plugin-load-add": "server_audit",
        "server-audit-logging": "ON",
        "server-audit-file-path": str(log),
        "server-audit-events": "CONNECT,QUERY,TABLE",
        "skip-name-resolve": "ON",
        "pid-file": str(folder / "m.pid"),
    } | {key.replace("_", "-"): value for key, value in settings.items()}
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", *(f"--{key}={value}" for key, value in options.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_env(TZ=zone),
        cwd="/",
    )
    try:
        probe = [
            "mariadb-admin",
            "--no-defaults",
            "-h",
            "127.0.0.1",
            "-P",
            str(port),
            "-u",
            "root",
            "--skip-ssl",
            "--default-character-set=utf8mb4",
            "ping",
        ]
        wait_until(
            lambda: subprocess.run(probe, check=False, capture_output=True, env=_env()).returncode == 0,
            "MariaDB answers",
        )
        yield MariaDB(port, log)
    finally:
        end(server)


@dataclass(frozen=True)
class OpenSSH:
    port: int
    logs: dict[str, Path]  # by envelope: rfc3164, iso8601, rfc5424
    key: Path

    def sftp(self, batch: str, user: str) -> subprocess.CompletedProcess[bytes]:
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "BatchMode=yes",
            f"IdentityFile={self.key}",
            "IdentitiesOnly=yes",
        ]
        command = [
            "sftp",
            "-q",
            "-F",
            "none",
            "-P",
            str(self.port),
            *(part for option in options for part in ("-o", option)),
            "-b",
            "-",
            f"{user}@127.0.0.1",
        ]
        return subprocess.run(command, input=batch.encode(), capture_output=True, check=False)


@contextmanager
def openssh(folder: Path, zone: str = "Asia/Shanghai") -> Iterator[OpenSSH]:
    """sshd with internal-sftp at VERBOSE, its log written by a real rsyslog in three envelopes."""
    need("/usr/sbin/sshd", "sftp", "ssh-keygen")
    needs_namespaces()
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    host_key, key = folder / "host_key", folder / "user_key"
    for path in (host_key, key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    keys = folder / "authorized_keys"
    keys.write_bytes(key.with_suffix(".pub").read_bytes())
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile {folder / 'sshd.pid'}\nAuthorizedKeysFile {keys}\n"
        "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        "SyslogFacility AUTHPRIV\nLogLevel VERBOSE\nSubsystem sftp internal-sftp -l VERBOSE -f AUTHPRIV\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    templates = {
        "rfc3164": 'template(name="rfc3164" type="string" string="%timestamp% %hostname% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\\n")',
        "iso8601": 'template(name="iso8601" type="string" string="%timestamp:::date-rfc3339% %hostname% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\\n")',
        "rfc5424": 'template(name="rfc5424" type="string" string="<%pri%>1 %timestamp:::date-rfc3339% %hostname% %app-name% %procid% %msgid% - %msg%\\n")',
    }
    logs = {name: folder / f"auth_{name}.log" for name in templates}
    rsyslog, taken = folder / "rsyslog.conf", folder / "log"
    rsyslog.write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{taken}" RateLimit.Interval="0")\n'
        + "\n".join(templates.values())
        + "".join(f'\nauthpriv.* action(type="omfile" file="{path}" template="{name}")' for name, path in logs.items())
        + "\n"
    )
    logger = subprocess.Popen(
        ["rsyslogd", "-n", "-f", rsyslog, "-i", folder / "rsyslog.pid"],
        env=_env(TZ=zone),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(taken.exists, "rsyslog listens")
        server = subprocess.Popen(
            with_private_log(["/usr/sbin/sshd", "-D", "-f", config], folder, taken),
            env=_env(TZ=zone),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: answers(port), "sshd answers")
            yield OpenSSH(port, logs, key)
        finally:
            end(server)
    finally:
        end(logger)

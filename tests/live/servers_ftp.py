"""proftpd and pure-ftpd with one account that may do everything in a private folder; started and ended by a test.

Debian's packages of them conflict with vsftpd: `.ci/servers` unpacks them into `.servers/`.
"""

from __future__ import annotations

import ftplib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import answers, end, free_port, need, wait_until

UNPACKED = Path(__file__).parents[2] / ".servers"
USER, PASSWORD = "wang_qiang", "x"
# crypt(3) of PASSWORD
_HASH = "$6$hiswatch$DQeJh0dlHNRYfYwC8dGBOIz8yB726IDYLe3Un.BhiZcvmA/OCZVd0nnVR01F.OxkyZF61/icejSf4G2jvbupX0"
NOBODY = 65534
KEY_VALUE = (
    r"ts=%{iso8601} pid=%P ip=%a user=%u orig=%U cmd=%m arg=\"%J\" file=\"%f\" code=%s bytes=%b dur=%T "
    r"xfer=%{transfer-status} fail=\"%{transfer-failure}\" size=%{file-size} end=%E"
)


def program(package: str, name: str) -> Path:
    """The program on PATH, or the unpacked one; skips or fails where there is none."""
    installed = shutil.which(name)
    unpacked = next((UNPACKED / package).glob(f"usr/*bin/{name}"), UNPACKED / package / "usr/sbin" / name)
    path = Path(installed) if installed else unpacked
    need(path)
    return path


@dataclass(frozen=True)
class FtpServer:
    port: int
    home: Path
    logs: dict[str, Path]

    def client(self, encoding: str = "utf-8", user: str = USER, password: str = PASSWORD) -> ftplib.FTP:
        connection = ftplib.FTP(timeout=30, encoding=encoding)
        connection.connect("127.0.0.1", self.port)
        try:
            connection.login(user, password)
        except ftplib.Error:
            connection.close()
            raise
        return connection


def _home(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir(parents=True)
    os.chown(home, NOBODY, NOBODY)
    for parent in (home, *home.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return home


@contextmanager
def proftpd(folder: Path, zone: str = "Asia/Shanghai") -> Iterator[FtpServer]:
    """proftpd with TransferLog, SystemLog and three ExtendedLogs of the same acts."""
    server_program = program("proftpd", "proftpd")
    home, port = _home(folder), free_port()
    logs = {name: folder / f"{name}.log" for name in ("xferlog", "system", "default", "key_value", "auth")}
    users = folder / "users"
    users.write_text(f"{USER}:{_HASH}:{NOBODY}:{NOBODY}::{home}:/bin/sh\n")
    users.chmod(0o600)
    config = folder / "proftpd.conf"
    config.write_text(
        "\n".join(
            (
                'ServerName "his-ftp"',
                "ServerType standalone",
                "UseIPv6 off",
                "DefaultAddress 127.0.0.1",
                "SocketBindTight on",
                f"Port {port}",
                "User nobody",
                "Group nogroup",
                f"PidFile {folder / 'pid'}",
                f"ScoreboardFile {folder / 'scoreboard'}",
                "DelayEngine off",
                "AuthOrder mod_auth_file.c",
                f"AuthUserFile {users}",
                "RequireValidShell off",
                "UseFtpUsers off",
                "WtmpLog off",
                "UseReverseDNS off",
                "AllowOverwrite on",
                "UseSendfile off",
                f"TransferLog {logs['xferlog']}",
                f"SystemLog {logs['system']}",
                f'LogFormat kv "{KEY_VALUE}"',
                r'LogFormat auth "%v [%P] %h %t \"%r\" %s"',
                f"ExtendedLog {logs['default']} ALL",
                f"ExtendedLog {logs['key_value']} ALL kv",
                f"ExtendedLog {logs['auth']} AUTH auth",
                "",
            )
        )
    )
    command = [server_program, "-n", "-q", "-c", config]
    environment = {"PATH": os.environ["PATH"], "TZ": zone}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "proftpd answers")
        yield FtpServer(port, home, logs)
    finally:
        end(server)


@contextmanager
def pureftpd(folder: Path, form: str, zone: str = "Asia/Shanghai") -> Iterator[FtpServer]:
    """pure-ftpd with an AltLog of `form`, its messages taken by a real rsyslog.

    The daemon lives in a mount namespace of its own, where /dev/log is the test's.
    """
    server_program, pure_pw = program("pure-ftpd", "pure-ftpd"), program("pure-ftpd", "pure-pw")
    need("unshare", "rsyslogd")
    home, port = _home(folder), free_port()
    users, database, socket = folder / "passwd", folder / "users.pdb", folder / "log"
    users.write_text(f"{USER}:{_HASH}:{NOBODY}:{NOBODY}::{home}/./::::::::::::\n")
    subprocess.run([pure_pw, "mkdb", database, "-f", users], check=True, capture_output=True)
    logs = {"altlog": folder / f"{form}.log", "syslog": folder / "syslog"}
    environment = {"PATH": os.environ["PATH"], "TZ": zone}
    rsyslog = folder / "rsyslog.conf"
    rsyslog.write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{socket}" RateLimit.Interval="0")\n'
        f'*.* action(type="omfile" file="{logs["syslog"]}" template="RSYSLOG_TraditionalFileFormat")\n'
    )
    logger = subprocess.Popen(
        ["rsyslogd", "-n", "-f", rsyslog, "-i", folder / "rsyslog.pid"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(socket.exists, "rsyslog listens")
        socket.chmod(0o666)
        options = f"-4 -E -H -u 1 -S 127.0.0.1,{port} -c 10 -C 10"
        inside = (
            "mount -t tmpfs t /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && "
            f'mknod -m 666 /dev/random c 1 8 && ln -s "$1" /dev/log && exec "$2" {options} '
            f'-l "puredb:$3" -O "{form}:$4" -g "$5"'
        )
        command = ["unshare", "--mount", "sh", "-c", inside, "sh"]
        command += [str(p) for p in (socket, server_program, database, logs["altlog"], folder / "pid")]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: answers(port), "pure-ftpd answers")
            yield FtpServer(port, home, logs)
        finally:
            end(server)
    finally:
        end(logger)

"""Logs of three servers as they grow: sessions with honest and with bad acts, cut anywhere, rotated in both ways.

What a session writes is fixed by the seed; when and in what pieces it is written is the caller's affair.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

CST = timezone(timedelta(hours=8))
SOURCES = {
    "his_pg": ("his-pg", "postgresql_csvlog", "pg/his.csv"),
    "transfer": ("transfer", "vsftpd_native", "ftp/vsftpd.log"),
    "sftp": ("sftp", "openssh_sftp", "sftp/auth.log"),
}
HONEST = (
    "SELECT name, dept FROM patients WHERE patient_id = {n}",
    "UPDATE visits SET state = 'ready'\n WHERE visit_id = {n}",
    'SELECT v.visit_id, v.dept\n  FROM visits v\n WHERE v.patient_id = {n} -- ""own"" patient\n ORDER BY 1',
)
BAD = (  # statement, rows
    ("SELECT * FROM patients", 210_000),
    ("""SELECT p.doctor_id, i.drug_name, sum(i.qty) AS total
  FROM prescriptions p JOIN prescription_items i USING (presc_no)
 GROUP BY p.doctor_id, i.drug_name""", 1047),
    ("COPY patients TO '/tmp/p.csv'", 210_000),
    ("DELETE FROM charges", 5000),
    ("SELECT name, id_card_no, phone FROM patients OFFSET {n} LIMIT 500", 500),
)  # fmt: skip


@dataclass
class Log:
    """One log file as its server writes it: `text` grows, `records` counts what stands in it."""

    path: Path
    written: int = 0  # bytes
    text: bytes = b""
    records: int = 0
    marks: list[int] = field(default_factory=list)  # where records begin

    def add(self, record: str) -> None:
        self.marks.append(len(self.text))
        self.text += record.encode() + b"\n"
        self.records += 1

    @property
    def rest(self) -> int:
        return len(self.text) - self.written

    def write(self, size: int) -> None:
        piece = self.text[self.written : self.written + size]
        with self.path.open("ab") as file:
            file.write(piece)
        self.written += len(piece)

    def rename(self) -> None:
        """At the end of a record, as servers do; the next piece makes a new file."""
        self._finish_record()
        self.path.rename(self._next_name())

    def copy_and_truncate(self) -> None:
        self._finish_record()
        shutil.copyfile(self.path, self._next_name())
        with self.path.open("r+b") as file:
            file.truncate(0)

    def _finish_record(self) -> None:
        end = next((mark for mark in self.marks if mark >= self.written), len(self.text))
        self.write(end - self.written)

    def _next_name(self) -> Path:
        number = 1
        while (name := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        return name


class Hospital:
    """All logs of a run. `sessions`: how many; each brings a database session and some transfers."""

    def __init__(self, folder: Path, seed: int, sessions: int, start: datetime | None = None) -> None:
        self.rng = random.Random(seed)
        self.logs = {name: Log(folder / path) for name, (_, _, path) in SOURCES.items()}
        for log in self.logs.values():
            log.path.parent.mkdir(parents=True)
        moment = start or datetime(2026, 3, 2, 22, 0, tzinfo=CST)
        for number in range(sessions):
            moment += timedelta(seconds=self.rng.randint(5, 90))
            self._database(number, moment)
            self._transfer(number, moment + timedelta(seconds=3))
            self._sftp(number, moment + timedelta(seconds=4))

    @property
    def rest(self) -> int:
        return sum(log.rest for log in self.logs.values())

    def grow(self, share: float) -> None:
        """Each log by about this share of its whole length, in pieces of random size, cut anywhere."""
        for log in self.logs.values():
            log.write(self.rng.randint(0, int(2 * share * len(log.text)) + 1))

    def write_all(self) -> None:
        for log in self.logs.values():
            log.write(log.rest)

    def _database(self, number: int, moment: datetime) -> None:
        bad = number % 7 == 3
        account, address = ("vendor_wx_zhang", "192.168.66.13") if bad else (f"nurse_{number % 9}", "10.20.5.7")
        session = f"{0x6AF40000 + number:x}.{number + 100:x}"
        statements = [(self.rng.choice(HONEST), 1) for _ in range(self.rng.randint(2, 5))]
        if bad:
            statements += self.rng.sample(BAD, 2)
        for count, (text, rows) in enumerate(statements, 1):
            moment += timedelta(milliseconds=self.rng.randint(1, 900))
            statement = text.format(n=1000 + number * 7 + count)
            audited = statement.replace('""', '"').replace('"', '""""')
            verb = statement.split()[0]
            kind = "READ" if verb in ("SELECT", "COPY") else "WRITE"
            stamp = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d} CST"
            self.logs["his_pg"].add(
                f'{stamp},"{account}","his",{number + 100},"{address}:36230",{session},{count},"{verb}",'
                f"{moment:%Y-%m-%d %H:%M:%S} CST,4/{number},0,LOG,00000,"
                f'"AUDIT: SESSION,{count},1,{kind},{verb},,,""{audited}"",<none>,{rows}",,,,,,,,,"psql","client backend",,0'
            )

    def _transfer(self, number: int, moment: datetime) -> None:
        local = moment.strftime("%a %b %d %H:%M:%S %Y").replace(" 0", "  ", 1)
        address = "192.168.66.13" if number % 7 == 3 else "10.10.40.117"
        user = "wx_zhang" if number % 7 == 3 else "nurse_chen"
        name = f"/incoming/his_full_{number}.dmp" if number % 7 == 3 else f"/forms/form {number}.docx"
        log = self.logs["transfer"]
        log.add(f'{local} [pid {number + 10}] CONNECT: Client "{address}"')
        log.add(f'{local} [pid {number + 9}] [{user}] OK LOGIN: Client "{address}"')
        log.add(
            f'{local} [pid {number + 11}] [{user}] OK UPLOAD: Client "{address}", "{name}", '
            f"{self.rng.randint(10**3, 10**8)} bytes, 350.00Kbyte/sec"
        )

    def _sftp(self, number: int, moment: datetime) -> None:
        log, pid = self.logs["sftp"], 2000 + number
        guessed = number % 11 == 5
        texts = (
            [f"Failed password for root from 192.0.2.66 port {4000 + n} ssh2" for n in range(12)]
            if guessed
            else [
                'Connection from 192.0.2.31 port 39087 on 192.0.2.20 port 22 rdomain ""',
                "Accepted publickey for app from 192.0.2.31 port 39087 ssh2: ED25519 SHA256:Gg",
            ]
        )
        for text in texts:
            moment += timedelta(milliseconds=self.rng.randint(1, 400))
            log.add(f"{moment.isoformat(timespec='microseconds')} ftp01 sshd[{pid}]: {text}")


def sources_of(folder: Path) -> dict[str, dict[str, str]]:
    """The sources of a configuration that reads these logs with all their rotated files."""
    return {
        name: {"system": system, "path": str(folder / path) + "*", "format": log_format}
        for name, (system, log_format, path) in SOURCES.items()
    }

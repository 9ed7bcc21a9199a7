"""What the file servers of the generated hospital write: vsftpd, OpenSSH's sftp, Samba. Frames of (at, line)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl
from month_calendar import Day
from month_logs import LINES, ZONE_SHIFT
from month_people import RHYTHMS
from month_tickets import Ticket
from month_work import SECOND

INSURER_OUTSIDE = "203.0.113.40"  # its gateway fetches the settlement file from the demilitarised zone
NURSES = tuple(
    f"nurse_{name}"
    for name in (
        "chen",
        "lin",
        "zhao",
        "sun",
        "qian",
        "zhou",
        "wu",
        "zheng",
        "feng",
        "wei",
        "shen",
        "han",
        "yang",
        "zhu",
        "qin",
        "you",
    )
)
DOCTORS = tuple(
    f"doc_{name}" for name in ("he", "lv", "shi", "zhang", "kong", "cao", "yan", "hua", "jin", "tao", "jiang", "qi")
)
CLERKS = ("office_li", "office_ma", "office_tang", "finance_xu", "hr_deng")
NEW_NURSE, NEW_NURSE_DAY = "nurse_xu", 17
SCANNER = "scan_station"


def moment(at: int) -> datetime:
    return datetime(1970, 1, 1) + timedelta(microseconds=at + ZONE_SHIFT)


@dataclass
class Server:
    """Lines of one server's log of a day."""

    day: Day
    rng: random.Random
    rows: list[tuple[int, str]] = field(default_factory=list)

    def write(self, seconds: float, text: str) -> None:
        self.rows.append((self.day.start + int(seconds * SECOND), text))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=LINES, orient="row").sort("at", maintain_order=True)

    def moments(self, rhythm: str, count: float) -> list[float]:
        """So many moments of the day in that rhythm, in order."""
        whole = int(count) + (self.rng.random() < count % 1)
        hours = self.rng.choices(range(24), RHYTHMS[rhythm], k=whole)
        return sorted((hour + self.rng.random()) * 3600 for hour in hours)

    def share(self, rest: float) -> float:
        return 1.0 if self.day.working else rest


# --- vsftpd: interface messages, laboratory instruments, documents, the dump of the night -------------------------------


class Ftp(Server):
    def said(self, seconds: float, process: int, account: str | None, what: str) -> None:
        stamp = moment(self.day.start + int(seconds * SECOND)).strftime("%a %b %e %H:%M:%S %Y")
        who = f" [{account}]" if account else ""
        self.write(seconds, f"{stamp} [pid {process}]{who} {what}\n")

    def session(
        self, seconds: float, account: str, address: str, files: Sequence[tuple[str, str, int]], pace: float = 1.0
    ) -> None:
        """`files`: (UPLOAD, DOWNLOAD or DELETE, path, bytes)."""
        process, now = 8000 + self.rng.randrange(50_000), seconds
        self.said(now, process + 1, None, f'CONNECT: Client "{address}"')
        if self.rng.random() < 0.004:
            self.said(now + 0.5, process, account, f'FAIL LOGIN: Client "{address}"')
            now += 6
        self.said(now + 0.1, process, account, f'OK LOGIN: Client "{address}"')
        for act, path, size in files:
            now += pace * self.rng.uniform(0.4, 1.6)
            amount = f", {size} bytes, {self.rng.uniform(80, 9000):.2f}Kbyte/sec" if act != "DELETE" else ""
            self.said(now, process + 2, account, f'OK {act}: Client "{address}", "{path}"{amount}')


def ftp(day: Day, rng: random.Random, scale: float) -> pl.DataFrame:
    server = Ftp(day, rng)
    date = f"{day.date:%Y%m%d}"
    for place, now in enumerate(server.moments("ward", 900 * server.share(0.7) * scale)):
        files = [
            ("UPLOAD", f"/incoming/ADT_{date}{int(now // 60):04d}_{place}_{n}.hl7", rng.randint(300, 900))
            for n in range(rng.randint(2, 8))
        ]
        server.session(now, "his_iface", "10.10.1.8", files, 0.3)
    for place, now in enumerate(
        server.moments("lab", 420 * server.share(0.6) * scale)
    ):  # instruments put results, the application takes them
        name = f"/lis/au5800_{date}_{place}.txt"
        server.session(now, "lis_instr", f"10.10.2.{20 + place % 9}", [("UPLOAD", name, rng.randint(800, 6000))], 0.3)
        server.session(
            now + 20, "his_iface", "10.10.1.8", [("DOWNLOAD", name, rng.randint(800, 6000)), ("DELETE", name, 0)], 0.3
        )
    for now in server.moments("office", 60 * server.share(0.05) * scale):
        form = rng.choice(("shenqingdan", "zhiqing_tongyishu", "huli_jilu", "paiban_biao", "tongzhi"))
        server.session(
            now,
            rng.choice(NURSES[:8]),
            f"10.10.40.{rng.randint(101, 140)}",
            [("DOWNLOAD", f"/forms/{form}_{rng.randint(1, 30)}.docx", rng.randint(20_000, 90_000))],
            3,
        )
    for now in server.moments("ward", 80 * server.share(0.8) * scale):
        server.session(
            now,
            "notice",
            f"10.10.{rng.randint(40, 48)}.{rng.randint(20, 200)}",
            [("DOWNLOAD", f"/notice/{date[:6]}_{rng.randint(1, 20):02d}.pdf", rng.randint(90_000, 900_000))],
            3,
        )
    server.session(
        day.at("02:30") + rng.uniform(0, 600),
        "bak_svc",
        "10.10.1.9",
        [
            ("UPLOAD", f"/backup/his_{date}.dump", rng.randint(11, 14) * 10**9),
            ("UPLOAD", f"/backup/emr_{date}.sql.gz", rng.randint(4, 6) * 10**9),
        ],
        400,
    )
    if day.number >= 7:  # what is older than a week goes
        old = f"{day.date - timedelta(days=7):%Y%m%d}"
        server.session(
            day.at("02:55"),
            "bak_svc",
            "10.10.1.9",
            [("DELETE", f"/backup/his_{old}.dump", 0), ("DELETE", f"/backup/emr_{old}.sql.gz", 0)],
            2,
        )
    return server.frame()


# --- OpenSSH: exchange with insurers and the provincial platform, program packages of vendors ---------------------------


class Sftp(Server):
    def said(self, seconds: float, program: str, process: int, what: str) -> None:
        stamp = moment(self.day.start + int(seconds * SECOND)).isoformat(timespec="microseconds")
        self.write(seconds, f"{stamp}+08:00 sftp01 {program}[{process}]: {what}\n")

    def session(
        self,
        seconds: float,
        account: str,
        address: str,
        files: Sequence[tuple[str, str, int]],
        pace: float = 2.0,
        *,
        failing: bool = False,
    ) -> float:
        """`files`: (put, get, list, rename to a name behind `|`, path, bytes)."""
        process, port, now = 5000 + self.rng.randrange(50_000), self.rng.randint(20_000, 60_000), seconds
        self.said(now, "sshd", process, f'Connection from {address} port {port} on 10.10.1.20 port 22 rdomain ""')
        if failing:
            self.said(now + 2, "sshd", process, f"Failed password for {account} from {address} port {port} ssh2")
            now += 9
        self.said(
            now + 0.3,
            "sshd",
            process,
            f"Accepted {'publickey' if account.endswith('_svc') else 'password'} for {account} from {address} port {port} ssh2",
        )
        self.said(now + 0.4, "internal-sftp", process + 3, f"session opened for local user {account} from [{address}]")
        for act, path, size in files:
            now += pace * self.rng.uniform(0.5, 1.5)
            if act == "list":
                self.said(now, "internal-sftp", process + 3, f'opendir "{path}"')
                self.said(now + 0.1, "internal-sftp", process + 3, f'closedir "{path}"')
                continue
            if act == "rename":
                old, new = path.split("|")
                self.said(now, "internal-sftp", process + 3, f'rename old "{old}" new "{new}"')
                continue
            flags = "WRITE,CREATE,TRUNCATE mode 0644" if act == "put" else "READ mode 0666"
            read, written = (0, size) if act == "put" else (size, 0)
            self.said(now, "internal-sftp", process + 3, f'open "{path}" flags {flags}')
            now += min(60.0, 0.2 + size / 30e6)
            self.said(now, "internal-sftp", process + 3, f'close "{path}" bytes read {read} written {written}')
        self.said(now + 0.5, "internal-sftp", process + 3, f"session closed for local user {account} from [{address}]")
        self.said(
            now + 0.6, "sshd", process, f"Received disconnect from {address} port {port}:11: disconnected by user"
        )
        return now


def sftp(day: Day, rng: random.Random, scale: float, tickets: Sequence[Ticket]) -> pl.DataFrame:
    server = Sftp(day, rng)
    date = f"{day.date - timedelta(days=1):%Y%m%d}"
    settled = rng.randint(2, 6) * 10**6
    server.session(
        day.at("01:20") + rng.uniform(0, 900),
        "insure_svc",
        "10.20.3.24",
        [
            ("put", f"/outbound/yb/settle_{date}.txt.part", settled),
            ("rename", f"/outbound/yb/settle_{date}.txt.part|/outbound/yb/settle_{date}.txt", 0),
        ],
    )
    server.session(
        day.at("02:10") + rng.uniform(0, 900),
        "yb_gateway",
        INSURER_OUTSIDE,
        [
            ("list", "/outbound/yb", 0),
            ("get", f"/outbound/yb/settle_{date}.txt", settled),
            ("put", f"/inbound/yb/answer_{date}.txt", settled // 40),
        ],
    )
    for place, now in enumerate(
        server.moments("always", 96 * scale)
    ):  # the regional platform, every quarter of an hour
        server.session(
            now,
            "platform_svc",
            "10.20.3.21",
            [
                ("put", f"/outbound/platform/cda_{date}_{place:03d}_{n}.xml", rng.randint(9_000, 60_000))
                for n in range(rng.randint(1, 9))
            ],
            0.5,
        )
    for now in server.moments("office", 14 * server.share(0.0) * scale):
        who, address = rng.choice((("it_zhao", "10.20.8.42"), ("it_qian", "10.20.8.43")))
        name = rng.choice(("HIS_client_setup.exe", "driver_printer.exe", "readme.txt", "network.vsdx", "duty.xlsx"))
        server.session(
            now,
            who,
            address,
            [("list", "/install", 0), ("get", f"/install/{name}", rng.randint(10**5, 10**7))],
            failing=rng.random() < 0.05,
        )
    people = {
        "zhang": ("wx_zhang", "192.168.66.13"),
        "sun": ("wx_sun", "192.168.66.14"),
        "chen": ("jh_chen", "192.168.66.31"),
    }
    for ticket in tickets:
        if ticket.day == day and "sftp" in ticket.systems:
            account, address = people[ticket.person]
            begin = day.at(ticket.begin) + rng.uniform(60, 300)
            folder, package = (
                f"/home/{account}/release",
                f"{'HIS' if account.startswith('wx') else 'EMR'}_patch_{day.date:%Y%m%d}.zip",
            )
            server.session(
                begin,
                account,
                address,
                [("list", folder, 0), ("put", f"{folder}/{package}", rng.randint(2, 30) * 10**6)],
            )
    return server.frame()


# --- Samba: documents of wards and offices ------------------------------------------------------------------------------


class Share(Server):
    def said(self, seconds: float, who: str, operation: str, rest: str) -> None:
        stamp = moment(self.day.start + int(seconds * SECOND)).isoformat(timespec="microseconds")
        self.write(seconds, f"{stamp}+08:00 share01 smbd_audit: {who}|{operation}|ok|{rest}\n")

    def session(
        self,
        seconds: float,
        account: str,
        address: str,
        machine: str,
        folder: str,
        acts: Sequence[tuple[str, str]],
        pace: float = 20.0,
    ) -> None:
        """`acts`: (read, save, write, delete; name)."""
        who, now, root = f"{account}|{address}|{machine}|{folder}", seconds, f"/srv/share/{folder}"
        self.said(now, who, "connect", folder)
        for act, name in acts:
            now += pace * self.rng.uniform(0.3, 1.7)
            path = f"{root}/{name}"
            if act == "read":
                self.said(now, who, "create_file", f"0x120089|file|open|{path}")
                self.said(now + 0.1, who, "pread_send", path)
                self.said(now + 0.2, who, "close", path)
            elif act == "write":
                self.said(now, who, "create_file", f"0x12019f|file|create|{path}")
                self.said(now + 0.1, who, "pwrite_send", path)
                self.said(now + 0.2, who, "close", path)
            elif (
                act == "save"
            ):  # an office program writes beside the old file, moves that aside and the new one in its place
                aside, new = f"{root}/{self.rng.getrandbits(32):08X}.tmp", f"{root}/~{name}.tmp"
                self.said(now, who, "create_file", f"0x12019f|file|create|{new}")
                self.said(now + 0.1, who, "pwrite_send", new)
                self.said(now + 0.2, who, "renameat", f"{path}|{aside}")
                self.said(now + 0.3, who, "renameat", f"{new}|{path}")
                self.said(now + 0.4, who, "unlinkat", aside)
            else:
                self.said(now, who, "unlinkat", path)
        self.said(now + 60, who, "disconnect", folder)


WARD_FILES = (
    "交班记录.docx",
    "排班表.xlsx",
    "护理质控_{m}月.xlsx",
    "体温单_{n}床.docx",
    "入院评估_{n}床.docx",
    "病区通知_{n}.pdf",
    "健康宣教_{n}.pptx",
)
OFFICE_FILES = (
    "会议纪要_{n}.docx",
    "工作量统计_{m}月.xlsx",
    "科室排班.xlsx",
    "采购申请_{n}.docx",
    "培训签到_{n}.pdf",
    "合同扫描_{n}.pdf",
)


def share(day: Day, rng: random.Random, scale: float) -> pl.DataFrame:
    server = Share(day, rng)

    def name(forms: Sequence[str]) -> str:
        return rng.choice(forms).format(m=day.date.month, n=rng.randint(1, 40))

    nurses = [*NURSES, *([NEW_NURSE] if day.number >= NEW_NURSE_DAY else [])]
    for now in server.moments("ward", 420 * server.share(0.7) * scale):
        place = rng.randrange(len(nurses))
        acts = [
            (rng.choice(("read", "read", "read", "save", "write")), name(WARD_FILES)) for _ in range(rng.randint(1, 6))
        ]
        server.session(now, nurses[place], f"10.10.40.{101 + place}", f"nurse-st{place:02d}", "病区", acts)
    for now in server.moments("office", 200 * server.share(0.03) * scale):
        place = rng.randrange(len(DOCTORS) + len(CLERKS))
        account = (*DOCTORS, *CLERKS)[place]
        acts = [
            (rng.choice(("read", "read", "save", "write", "write", "delete")), name(OFFICE_FILES))
            for _ in range(rng.randint(1, 7))
        ]
        server.session(now, account, f"10.10.41.{101 + place}", f"pc-{account}", "科室", acts)
    if day.working:  # records of discharged patients are scanned, page by page
        for _ in range(4):
            number = rng.randint(100_000, 999_999)
            now = rng.uniform(day.at("08:30"), day.at("16:00"))
            server.session(
                now,
                SCANNER,
                "10.10.42.20",
                "scan-01",
                "病案扫描",
                [("write", f"{day.date:%Y%m}/B{number}/{page:04d}.tif") for page in range(int(60 * scale) + 1)],
                4,
            )
    return server.frame()

"""The approved work of the month: who, when, on what. The register gets these tickets, the diary the work under them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from month_calendar import Day


@dataclass(frozen=True, slots=True)
class Ticket:
    """`work` names what is done under it (`month_people_work`); times are clock times of `day`, `end` may lie behind midnight."""

    name: str
    person: str
    day: Day
    begin: str
    end: str
    systems: tuple[str, ...]
    work: str
    note: str
    objects: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None

    def yaml(self) -> str:
        last = self.day.date + timedelta(days=1 if self.end < self.begin else 0)
        lines = [
            f"  {self.name}:", f"    person: {self.person}", f"    system: [{', '.join(self.systems)}]",
            f"    from: {self.day.text} {self.begin}", f"    to: {last.isoformat()} {self.end}",
        ]  # fmt: skip
        for key, values in (("objects", self.objects), ("actions", self.actions)):
            if values is not None:
                lines.append(f"    {key}: [{', '.join(chr(34) + value + chr(34) for value in values)}]")
        return "\n".join([*lines, "    requester: 信息科", "    approver: 信息科主任", f"    note: {self.note}"])


PG, MARIADB, SFTP = "his-pg", "emr-mariadb", "sftp"
ANYTHING = ("read", "write", "other")
RELEASE = ("read", "write", "schema", "privilege", "other")
REPAIRED = (
    "billing",
    "visits",
    "orders",
    "patients",
    "diagnoses",
    "prescriptions",
    "prescription_items",
    "pg_*",
    "pg_catalog.*",
)


def plan(days: Sequence[Day], seed: int) -> list[Ticket]:
    """About 30 pieces of work: repairs by day, urgent ones at night, two releases, data for departments, new accounts."""
    rng = random.Random(f"tickets {seed}")
    working = [day for day in days if day.working]
    made: list[Ticket] = []

    def add(person: str, day: Day, begin: str, end: str, systems: tuple[str, ...], work: str, note: str,
            objects: tuple[str, ...] | None = None, actions: tuple[str, ...] | None = None) -> None:  # fmt: skip
        made.append(Ticket(f"T{len(made) + 1:03d}", person, day, begin, end, systems, work, note, objects, actions))

    def some(count: int) -> list[Day]:
        return sorted(rng.sample(working, min(count, len(working))), key=lambda day: day.number)

    for day in some(8):
        who = rng.choice(("zhang", "sun")) if day.number < 21 else "sun"
        begin = rng.choice(("09:00", "13:30", "14:30"))
        add(who, day, begin, f"{int(begin[:2]) + 2}{begin[2:]}", (PG,), "repair", "数据修复", REPAIRED, ANYTHING)
    for day in rng.sample(list(days), min(3, len(days))):
        add(
            "zhang" if day.number < 21 else "wu", day, "21:30", "01:00", (PG,), "urgent", "夜间故障处理", None, ANYTHING
        )
    for day in some(3):
        add("chen", day, "14:00", "17:00", (MARIADB,), "repair_records", "病历系统数据修复", None, ANYTHING)
    for place in (8, 24):
        for day in days[place : place + 1]:
            add("zhang" if place < 21 else "sun", day, "20:00", "23:30", (PG, SFTP), "release", "HIS 版本更新", None,
                (*RELEASE, "upload", "list", "folder", "rename"))  # fmt: skip
    for day in days[16:17]:
        add(
            "chen",
            day,
            "20:30",
            "23:00",
            (MARIADB, SFTP),
            "release_records",
            "电子病历版本更新",
            None,
            (*RELEASE, "upload", "list", "folder", "rename"),
        )
    for day in some(6):
        add(
            rng.choice(("wang_gong", "zhao")),
            day,
            "09:00",
            "17:30",
            (PG,),
            "extract",
            "科室数据提取申请",
            None,
            ("read", "other"),
        )
    for day in some(4):
        add("dba", day, "19:00", "23:00", (PG, MARIADB), "upkeep", "索引与统计信息维护", None, RELEASE)
    for place, work in ((9, "account_wu"), (15, "account_sun"), (17, "account_ward")):
        for day in days[place : place + 1]:
            add("dba", day, "08:00", "18:00", (PG, MARIADB), work, "新增账号", None, RELEASE)
    return made

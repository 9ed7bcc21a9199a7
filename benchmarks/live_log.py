"""A pgaudit csvlog that grows here and now: ordinary work at a steady rate, and single acts that must be told, each by its own account.

The ordinary work is that of `workload.py` by day, whatever the hour; stamps are the clock's. Acts are planted at random
moments, one statement each by a vendor's account that does nothing else, so each begins a story of its own. Half of them
have a shape that was never seen before and must go through the SQL workers.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from generate import DAY, Day, Output
from planted import Statement
from ruamel.yaml import YAML
from workload import Account

ZONE = ZoneInfo("Asia/Shanghai")  # of the stamps that generate.py writes
TICK_SECONDS = 0.01
VENDOR = "bench"
ADDRESS = "192.168.67.{}"
IDENTITY = "patient_id, name, id_card_no, phone, address"

# (family that must tell it, class, command, statement; {x}: an alias of its own makes a new shape)
KINDS = (
    ("EXF", "READ", "SELECT", "SELECT * FROM patients{x}"),
    ("EXF", "READ", "SELECT", "SELECT * FROM medrec.pat_master_index{x}"),
    ("EXF", "READ", "COPY", f"COPY (SELECT {IDENTITY} FROM patients{{x}}) TO STDOUT"),
    ("TF", "READ", "SELECT", "SELECT p.doctor_id, i.drug_name, sum(i.qty) AS total{x}\n  FROM prescriptions p JOIN prescription_items i ON p.presc_no = i.presc_no\n GROUP BY p.doctor_id, i.drug_name"),
    ("EXF", "DDL", "CREATE TABLE AS", f"CREATE TABLE public.tmp_x AS SELECT {IDENTITY} FROM patients{{x}}"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plant:
    """One act: `due` seconds after the begin of the load."""

    account: str
    address: str
    due: float
    family: str
    statement: Statement


def plants(count: int, seconds: float, rng: random.Random) -> list[Plant]:
    """In the order of their time, at random moments."""
    made = []
    for number, due in enumerate(sorted(rng.uniform(0, seconds) for _ in range(count))):
        family, klass, command, text = KINDS[number % len(KINDS)]
        alias = f" x{number}_{rng.randrange(16**4):04x}" if number // len(KINDS) % 2 else ""
        if alias and "total{x}" in text:
            alias = alias.replace(" ", "_")
        statement = Statement(klass, command, text.replace("{x}", alias), rng.randint(20_000, 500_000))
        made.append(Plant(f"bench_{number:04d}", ADDRESS.format(1 + number % 250), due, family, statement))
    return made


def register(template: Path, target: Path, made: list[Plant]) -> None:
    """The register of the bench hospital and one person more for each act, of a vendor with a contract and no fixed hours."""
    yaml = YAML(typ="safe")
    data: dict[str, Any] = yaml.load(template.read_text(encoding="utf-8"))
    always: dict[str, Any] = {"contract": {}, "hours": {"days": ["all"]}}
    for vendor in data["vendors"].values():
        vendor.update(always)
    data["vendors"][VENDOR] = {"tier": "C", "places": ["192.168.67.0/24"], **always}
    for plant in made:
        account = {"system": "his-pg", "account": plant.account, "from": [plant.address]}
        data["people"][f"person_{plant.account}"] = {"vendor": VENDOR, "accounts": [account]}
    with target.open("w", encoding="utf-8") as file:
        yaml.dump(data, file)


class _Workday(Day):
    """Whoever works by day is at work."""

    def _actor(self, *, night: bool) -> Account:  # noqa: ARG002
        return super()._actor(night=False)


@dataclass(slots=True)
class Written:
    """What the writer did. `at`: by account, seconds since the epoch just after the record had been handed to the kernel."""

    at: dict[str, float]
    statements: int = 0
    seconds: float = 0.0
    late_seconds: float = 0.0  # the furthest that the writer was behind its own plan


class LiveLog:
    """Writes at the end of `path`. One thread; `day` keeps its sessions from one `run` to the next."""

    def __init__(self, path: Path, seed: int) -> None:
        self._file = path.open("ab")
        self._day = _Workday(seed, Output(self._file, None))

    def close(self) -> None:
        self._file.close()

    def run(self, rate: float, seconds: float, made: list[Plant] | None = None) -> Written:
        """Ordinary statements at `rate` for `seconds`, and the acts at their moments. Blocks."""
        done = Written({})
        waiting = list(reversed(made or ()))
        began = time.monotonic()
        while waiting or done.statements < int(seconds * rate):
            elapsed = time.monotonic() - began
            while waiting and waiting[-1].due <= elapsed:
                plant = waiting.pop()
                done.at[plant.account] = self._act(plant)
            due = int(min(elapsed, seconds) * rate)
            done.late_seconds = max(done.late_seconds, (due - done.statements) / rate - TICK_SECONDS)
            now = _of_day()
            while done.statements < due:
                self._day.ordinary(now)
                done.statements += 1
            self._file.flush()
            time.sleep(TICK_SECONDS)
        done.seconds = time.monotonic() - began
        return done

    def _act(self, plant: Plant) -> float:
        now = _of_day()
        session = self._day.connect(plant.account, plant.address, "Navicat", now)
        text = session.opening(now) + session.audit(now, plant.statement)
        self._file.flush()
        self._file.write(text.encode())
        self._file.flush()
        return time.time()


def _of_day() -> float:
    """The clock as generate.py counts: seconds since the midnight of its day."""
    return (datetime.now(ZONE).replace(tzinfo=None) - DAY).total_seconds()

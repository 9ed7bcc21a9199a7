"""A seeded pgaudit csvlog of one day, as PostgreSQL 15 with pgaudit 1.7 writes it, with planted acts.

    python benchmarks/generate.py --bytes 100000000 --seed 1 --out postgresql.csv --plain-out plain.csv --planted planted.json

26 columns; the payload of pgaudit is CSV inside the quoted message. `--plain-out` has the same statements as
`duration: ... ms  statement: ...`, the form that pgBadger understands. `--planted` lists what must be found. The same
arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO

from planted import Act, Statement, acts
from workload import (
    ACCOUNTS,
    BIND_SHARE,
    DEPARTMENTS,
    DRUGS,
    PATIENTS,
    TEXTS,
    Account,
    Template,
    accounts,
    large_statements,
    templates,
    zipf,
)  # fmt: skip

DAY = datetime(2026, 11, 18)  # a Wednesday, a working day in China
EPOCH_DAY = 1_794_931_200  # the same midnight at +08:00, seconds since the epoch
AVERAGE_BYTES = 414  # of a record and its share of connection records; only spreads the records over the day
AD_HOC_SHARE = 0.01
LARGE_SHARE = 0.0005
SESSION_STATEMENTS = 400
# share of the statements by the hour of their begin
HOURS = ((0, 0.002), (6, 0.01), (7, 0.03), (8, 0.11), (9, 0.14), (10, 0.14), (11, 0.10), (12, 0.05), (13, 0.07), (14, 0.11),
         (15, 0.11), (16, 0.08), (17, 0.04), (18, 0.012), (20, 0.004), (24, 0.0))  # fmt: skip
BLOCK = 4096


def csv_text(text: str) -> str:
    """A field of csvlog: PostgreSQL quotes every text that is not null."""
    return '"' + text.replace('"', '""') + '"'


def audit_text(text: str) -> str:
    """A field of pgaudit's payload: quoted only where it must be."""
    if any(char in text for char in '",\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def stamp(seconds: float) -> str:
    return (DAY + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@dataclass(slots=True)
class Session:
    """A connection: what the fixed columns of its records say."""

    account: str
    address: str
    program: str
    pid: int
    port: int
    backend: int
    started: float
    line: int = 0
    transaction: int = 0
    statement: int = 0
    head: str = field(init=False)
    middle: str = field(init=False)

    def __post_init__(self) -> None:
        identifier = f"{int(EPOCH_DAY + self.started):x}.{self.pid:x}"
        self.head = f'{csv_text(self.account)},"his",{self.pid},"{self.address}:{self.port}",{identifier}'
        self.middle = (DAY + timedelta(seconds=self.started)).strftime("%Y-%m-%d %H:%M:%S CST")

    def record(
        self,
        now: float,
        tag: str,
        severity: str,
        state: str,
        message: str,
        *,
        detail: str = "",
        transaction: str | None = None,
    ) -> str:
        self.line += 1
        virtual = f"{self.backend}/{self.transaction}" if transaction is None else transaction
        program = "" if tag in {"authentication", ""} else self.program
        told = csv_text(detail) if detail else ""
        return (
            f'{stamp(now)} CST,{self.head},{self.line},"{tag}",{self.middle},{virtual},0,{severity},{state},{csv_text(message)},'
            f'{told},,,,,,,,{csv_text(program)},"client backend",,0\n'
        )

    def opening(self, now: float) -> str:
        host, port = self.address, self.port
        self.line = 1
        identifier = self.head.rpartition(",")[2]
        received = (
            f'{stamp(now)} CST,,,{self.pid},"{host}:{port}",{identifier},1,"",{self.middle},,0,LOG,00000,'
            f'"connection received: host={host} port={port}",,,,,,,,,"","not initialized",,0\n'
        )
        rule = "(/var/lib/postgresql/15/main/pg_hba.conf:5)"
        name = self.account
        self.transaction += 1
        return (
            received
            + self.record(
                now,
                "authentication",
                "LOG",
                "00000",
                f'connection authenticated: identity="{name}" method=scram-sha-256 {rule}',
            )
            + self.record(
                now,
                "authentication",
                "LOG",
                "00000",
                f"connection authorized: user={name} database=his application_name={self.program}",
            )
        )

    def closing(self, now: float) -> str:
        took = timedelta(seconds=round(now - self.started, 3))
        text = (
            f"disconnection: session time: {took} user={self.account} database=his host={self.address} port={self.port}"
        )
        return self.record(now, "idle", "LOG", "00000", text, transaction="")

    def audit(self, now: float, statement: Statement, parameters: str = "<none>") -> str:
        self.transaction += 1
        self.statement += 1
        payload = (
            f"AUDIT: SESSION,{self.statement},1,{statement.klass},{statement.command},,,{audit_text(statement.text)},"
            f"{parameters},{statement.rows}"
        )
        return self.record(now, statement.command, "LOG", "00000", payload)

    def plain(self, now: float, statement: Statement, milliseconds: float, values: list[str]) -> str:
        """The same statement in the form of log_min_duration_statement. Does not count as a record of the session."""
        line = self.line
        kind = "execute <unnamed>" if values else "statement"
        detail = (
            "parameters: " + ", ".join(f"${place} = '{value}'" for place, value in enumerate(values, 1))
            if values
            else ""
        )
        text = f"duration: {milliseconds:.3f} ms  {kind}: {statement.text}"
        made = self.record(now, statement.command, "LOG", "00000", text, detail=detail)
        self.line = line
        return made


class Output:
    """The log and its plain twin; `size` counts the bytes of the first."""

    def __init__(self, log: BinaryIO, plain: BinaryIO | None) -> None:
        self.log, self.plain = log, plain
        self.size = 0

    def write(self, text: str, plain: str = "") -> None:
        data = text.encode()
        self.log.write(data)
        self.size += len(data)
        if plain and self.plain is not None:
            self.plain.write(plain.encode())


class Day:
    """The generator's state: who is connected, what has been drawn."""

    def __init__(self, seed: int, out: Output, people: int = ACCOUNTS) -> None:
        self.rng = random.Random(seed)
        self.out = out
        self.accounts = accounts(self.rng, people)
        self.templates = templates(self.rng)
        self.large = large_statements(self.rng)
        self.sessions: dict[str, Session] = {}
        self.pid = 14_000
        self.ad_hoc = 0
        self._weights = {kind: list(accumulate(zipf(len(made)))) for kind, made in self.templates.items()}
        self._day = list(accumulate(account.weight for account in self.accounts))
        self._night = list(accumulate(account.night for account in self.accounts))
        self._drawn: dict[str, list[Template]] = {}
        self._actors: dict[bool, list[Account]] = {True: [], False: []}

    def connect(self, account: str, address: str, program: str, now: float) -> Session:
        self.pid += self.rng.randint(1, 5)
        return Session(account, address, program, self.pid, self.rng.randint(32_768, 60_999), 3 + self.pid % 200, now)

    def ordinary(self, now: float) -> None:
        """One statement of somebody's ordinary work."""
        account = self._actor(night=not 7 * 3600 <= now < 18.5 * 3600)
        session = self.sessions.get(account.name)
        if session is None or session.statement >= SESSION_STATEMENTS:
            if session is not None:
                self.out.write(session.closing(now))
            session = self.sessions[account.name] = self.connect(account.name, account.address, account.program, now)
            self.out.write(session.opening(now))
        statement, values = self._statement(account)
        parameters = audit_text(",".join(audit_text(value) for value in values)) if values else "<none>"
        text = session.audit(now, statement, parameters)
        self.out.write(
            text, session.plain(now, statement, self.rng.expovariate(0.3) + 0.2, values) if self.out.plain else ""
        )

    def act(self, act: Act) -> Iterator[tuple[float, str, str]]:
        """The records of an act: time, record, the plain twin."""
        now = act.start
        for _ in range(act.failed_logins):
            session = self.connect(act.account, act.address, act.program, now)
            session.line = 1
            text = f'password authentication failed for user "{act.account}"'
            detail = 'Connection matched pg_hba.conf line 5: "host all all 0.0.0.0/0 scram-sha-256"'
            yield now, session.record(now, "authentication", "FATAL", "28P01", text, detail=detail), ""
            now += act.pause
        if not act.statements:
            return
        session = self.connect(act.account, act.address, act.program, now)
        yield now, session.opening(now), ""
        for statement in act.statements:
            now += act.pause
            yield now, session.audit(now, statement), session.plain(now, statement, 10.0 + statement.rows / 100, [])
        yield now + 0.5, session.closing(now + 0.5), ""

    def _actor(self, *, night: bool) -> Account:
        held = self._actors[night]
        if not held:
            held.extend(self.rng.choices(self.accounts, cum_weights=self._night if night else self._day, k=BLOCK))
        return held.pop()

    def _statement(self, account: Account) -> tuple[Statement, list[str]]:
        chance = self.rng.random()
        if account.kind == "clinic" and chance < LARGE_SHARE:
            klass, command, text = self.rng.choice(self.large)
            return Statement(klass, command, text, 1), []
        if account.kind == "clinic" and chance < LARGE_SHARE + AD_HOC_SHARE:
            return self._own_shape(account), []
        held = self._drawn.setdefault(account.kind, [])
        if not held:
            held.extend(
                self.rng.choices(self.templates[account.kind], cum_weights=self._weights[account.kind], k=BLOCK)
            )
        return self._fill(held.pop(), account)

    def _own_shape(self, account: Account) -> Statement:
        """A statement nobody ever wrote before and nobody will again: its names make its shape."""
        self.ad_hoc += 1
        name = f"x{self.ad_hoc}_{self.rng.randrange(16**4):04x}"
        patient = self._patient(account)
        text = self.rng.choice((
            f"SELECT o.order_text AS {name}, o.status FROM orders o WHERE o.visit_id = {patient - 9_000_000} AND o.order_class <> '{name}'",
            f"SELECT v.visit_id AS {name}, d.icd10 FROM visits v JOIN diagnoses d ON d.visit_id = v.visit_id /* 临时查询 */ WHERE v.patient_id = {patient}",
            f"WITH {name} AS (SELECT test_name, result_value FROM lab_results WHERE visit_id = {patient - 9_000_000})\nSELECT * FROM {name} ORDER BY 1",
        ))  # fmt: skip
        return Statement("READ", "SELECT", text, self.rng.randint(0, 12))

    def _fill(self, template: Template, account: Account) -> tuple[Statement, list[str]]:
        patient = self._patient(account)
        rows = 1 if template.most_rows == 1 else self.rng.randint(0, template.most_rows)
        if not template.slots:
            return Statement(template.klass, template.command, template.text, rows), []
        values = [self._value(slot, patient) for slot in template.slots]
        if self.rng.random() < BIND_SHARE:
            return Statement(template.klass, template.command, template.bound, rows), values
        text = template.text
        for slot, value in zip(template.slots, values, strict=True):
            text = text.replace("{" + slot + "}", value.replace("'", "''"), 1)
        if template.comment:
            text = f"/* HIS 门诊医生站 工作站={patient % 97} 功能=病历浏览 */\n{text}"
        return Statement(template.klass, template.command, text, rows), []

    def _patient(self, account: Account) -> int:
        if account.patients:
            return account.patients[self.rng.randrange(len(account.patients))]
        return 10_000_000 + self.rng.randrange(PATIENTS)

    def _value(self, slot: str, patient: int) -> str:
        if slot == "p":
            return str(patient)
        if slot == "k":
            return f"P{patient % 1_000_000:07d}"
        if slot == "v":
            return str(patient - 9_000_000)
        if slot == "n":
            return str((patient - 9_000_000) * 10 + self.rng.randrange(4))
        if slot == "d":
            return f"2026-11-{self.rng.randint(1, 17):02d}"
        if slot == "q":
            return str(self.rng.randint(1, 30))
        return self.rng.choice({"s": DEPARTMENTS, "g": DRUGS, "t": TEXTS}[slot])


def times(count: int, rng: random.Random) -> Iterator[float]:
    """`count` rising seconds of the day, dense in office hours; goes on slowly past the end if more are asked for."""
    spans = [(begin * 3600, end * 3600, weight) for (begin, weight), (end, _) in pairwise(HOURS)]
    weights = sum(weight for *_, weight in spans)
    for begin, end, weight in spans:
        inside = max(1, round(count * weight / weights))
        step = (end - begin) / inside
        for place in range(inside):
            yield begin + (place + rng.random()) * step
    late = 24 * 3600 - 1.0
    while True:
        late += 0.00001
        yield late


def generate(size: int, seed: int, out: Output, people: int = ACCOUNTS) -> list[Act]:
    """Write about `size` bytes, planted acts included; returns them. `people`: how many accounts."""
    day = Day(seed, out, people)
    made = acts()
    records = sorted((record for act in made for record in day.act(act)), key=lambda record: record[0])
    planted_size = sum(len(text.encode()) for _, text, _ in records)
    waiting = iter(records)
    following = next(waiting, None)
    for now in times(max(1, (size - planted_size) // AVERAGE_BYTES), day.rng):
        while following is not None and following[0] <= now:
            out.write(following[1], following[2])
            planted_size -= len(following[1].encode())
            following = next(waiting, None)
        if out.size + planted_size >= size:
            break
        day.ordinary(now)
    for text in (following, *waiting):  # what the rest of the day holds
        if text is not None:
            out.write(text[1], text[2])
    return made


def iso(seconds: float) -> str:
    return (DAY + timedelta(seconds=seconds)).isoformat(timespec="milliseconds") + "+08:00"


def planted(made: list[Act]) -> list[dict[str, object]]:
    """What must be found: a finding of one of `families` on `account` touching `from` .. `to`."""
    return [
        {
            "kind": act.kind,
            "families": list(act.families),
            "account": act.account,
            "client_ip": act.address,
            "from": iso(act.start),
            "to": iso(act.start + act.pause * (len(act.statements) + act.failed_logins) + 1),
        }
        for act in made
        if act.planted
    ]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bytes", type=int, default=100_000_000, help="about so many")
    options.add_argument("--seed", type=int, default=20261118)
    options.add_argument("--accounts", type=int, default=ACCOUNTS, help="40 or more")
    options.add_argument("--out", type=Path, required=True, help="the pgaudit csvlog")
    options.add_argument("--plain-out", type=Path, default=None, help="the same statements for pgBadger")
    options.add_argument(
        "--planted", type=Path, default=None, help="what must be found (default: planted.json beside --out)"
    )
    given = options.parse_args()
    with given.out.open("wb") as log:
        plain = given.plain_out.open("wb") if given.plain_out else None
        try:
            out = Output(log, plain)
            made = generate(given.bytes, given.seed, out, given.accounts)
        finally:
            if plain is not None:
                plain.close()
    target = given.planted or given.out.with_name("planted.json")
    target.write_text(json.dumps(planted(made), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

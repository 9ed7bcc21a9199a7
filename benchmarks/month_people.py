"""Who works at the generated hospital, at which database or server, from where, how much, and in which rhythm.

Volumes are those of a hospital with 900 beds and 4,000 outpatients a day, before scaling to the wanted number of events.
Accounts, addresses and programs are those of `month_site/register.yaml`; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import month_statements as sql
from month_statements import Template

PG, MARIADB, MYSQL = "his-pg", "emr-mariadb", "ihos-mysql"

# share of an actor's work by hour of day, 0 to 23
RHYTHMS: dict[str, tuple[float, ...]] = {
    # outpatients: two humps, emergency at night
    "clinic": (.4, .3, .3, .3, .3, .5, 1.2, 4, 11, 13, 12, 9, 4, 5, 10, 11, 8, 4, 1.8, 1.2, 1, .9, .7, .5),
    # wards: rounds, medication times, handing over; never silent
    "ward": (1.6, 1.2, 1.1, 1.1, 1.4, 2.6, 5, 7.5, 8.5, 7, 6, 5, 3.6, 4, 6, 6.5, 5.5, 5, 4, 4, 4.5, 4, 3, 2.2),
    "office": (0, 0, 0, 0, 0, 0, 0, .4, 8, 13, 13, 9, 1.5, 3, 12, 13, 11, 5, .6, 0, 0, 0, 0, 0),
    "lab": (1, .8, .8, .8, 1, 2, 4, 8, 11, 12, 11, 8, 5, 6, 8, 8, 6, 3, 1.5, 1.2, 1.2, 1, 1, 1),
    "always": (1.0,) * 24,
    "home": (.6, .4, .3, .3, .3, .5, 1.5, 4, 6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 5, 6, 6, 5, 3, 1.2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """An account that works in bulk. `daily`: statements on a working day, over all its addresses.

    `rest`: share of that on days off. `pool`: connections an address; `life`: minutes of one. `patients`: whom it asks for:
    `anyone`, `today` (the outpatients of the day), `inside` (all inpatients), `ward` (those of its department), `coded`.
    `documents` a day: its document numbers follow each other so fast; 0: taken at random among those of the day.
    """

    account: str
    system: str
    addresses: tuple[str, ...]
    program: str
    statements: tuple[Template, ...]
    daily: float
    rhythm: str = "clinic"
    rest: float = 0.45
    pool: int = 8
    life: int = 45
    patients: str = "today"
    documents: int = 0
    bound: float = 0.3
    first_day: int = 0  # of the month, from 0: before it the account does not exist
    department: int = 0


def hosts(network: str, first: int, count: int) -> tuple[str, ...]:
    return tuple(f"{network}.{host}" for host in range(first, first + count))


WARDS = 30
NEW_WARD = 31  # opens in the third week
NEW_WARD_DAY = 18


def wards() -> list[Actor]:
    made = []
    for number in range(1, NEW_WARD + 1):
        first = NEW_WARD_DAY if number == NEW_WARD else 0
        places = hosts("10.20.5", 20 + number * 4, 3)
        made.append(
            Actor(f"ward_{number:02d}", PG, places, "HIS-Ward", sql.WARD, 1150 if number != NEW_WARD else 700, "ward", 0.85,
                  pool=1, life=180, patients="ward", documents=900, first_day=first, department=number)
        )  # fmt: skip
    return made


def desks() -> list[Actor]:
    """Desks whose programs connect with an account of the department, not with one of the application."""
    made = [
        Actor(f"pharm_op{n}", PG, hosts("10.20.2", 10 + n * 4, 3), "HIS-Pharmacy", sql.PHARMACY, 2600, "clinic", 0.45,
              pool=1, life=240, documents=700, bound=0.1, department=n)
        for n in (1, 2, 3)
    ]  # fmt: skip
    made.append(Actor("pharm_ip", PG, hosts("10.20.2", 40, 4), "HIS-Pharmacy", sql.PHARMACY, 3000, "ward", 0.9, pool=1, life=240, documents=900, bound=0.1))  # fmt: skip
    made += [
        Actor(f"cash_{n}", PG, hosts("10.20.6", n * 4, 3), "HIS-Cashier", sql.CASHIER, 2400, "clinic", 0.45, pool=1, life=240, documents=800, department=n)
        for n in (1, 2, 3, 4)
    ]  # fmt: skip
    made += [
        Actor(f"reg_{n}", PG, hosts("10.20.6", 60 + n * 4, 3), "HIS-Registration", sql.REGISTRATION, 1900, "clinic", 0.45, pool=1, life=240, department=n)
        for n in (1, 2)
    ]  # fmt: skip
    made += [
        Actor(f"coder_{n}", PG, (f"10.20.7.{20 + n}",), "HIS-MRMS", sql.CODING, 420, "office", 0.0, pool=1, life=300, patients="coded", bound=0.1)
        for n in (1, 2, 3)
    ]  # fmt: skip
    return made


def programs() -> list[Actor]:
    return [
        Actor("his_app", PG, hosts("10.20.3", 11, 4), "HIS-Outpatient", sql.OUTPATIENT, 46_000, pool=16, documents=6500),
        Actor("emr_app", PG, hosts("10.20.3", 15, 2), "HIS-EMR", sql.INPATIENT, 30_000, "ward", 0.7, pool=14, patients="inside"),
        Actor("lis_app", PG, hosts("10.20.3", 17, 1), "PostgreSQL JDBC Driver", sql.LABORATORY, 15_000, "lab", 0.55, pool=10, patients="inside", documents=3800, bound=0.7),
        Actor("pacs_app", PG, hosts("10.20.3", 18, 1), "HIS-PACS", sql.IMAGING, 4_200, "lab", 0.4, pool=6, patients="inside", documents=900),
        Actor("iface_engine", PG, hosts("10.20.3", 21, 1), "PostgreSQL JDBC Driver", sql.INTERFACE, 11_000, "ward", 0.7, pool=6, life=120, patients="inside", bound=0.9),
        Actor("mobile_app", PG, hosts("10.20.3", 22, 2), "HIS-Mobile", sql.MOBILE, 7_000, "home", 0.8, pool=8, patients="anyone", bound=0.8),
        Actor("monitor", PG, hosts("10.20.1", 11, 1), "pg_monitor", sql.MONITORING, 2_880, "always", 1.0, pool=1, life=1440, bound=0.0),
        Actor("emr_db", MARIADB, hosts("10.20.4", 11, 2), "", sql.RECORDS, 26_000, "ward", 0.7, pool=12, patients="inside", documents=2500, bound=0.0),
        Actor("emr_portal", MARIADB, hosts("10.20.4", 13, 1), "", sql.RECORDS[:3], 5_000, "ward", 0.6, pool=6, patients="inside", bound=0.0),
        Actor("monitor", MARIADB, hosts("10.20.1", 11, 1), "", sql.RECORDS_MONITORING, 1_440, "always", 1.0, pool=1, life=1440, bound=0.0),
        Actor("ihos_app", MYSQL, hosts("10.20.10", 11, 2), "mysql-connector-java", sql.INTERNET, 9_000, "home", 0.9, pool=8, patients="anyone", documents=700, bound=0.0),
    ]  # fmt: skip


def actors() -> list[Actor]:
    return [*programs(), *desks(), *wards()]

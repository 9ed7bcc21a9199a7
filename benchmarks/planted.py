"""What must be found in the generated log: acts of people who carry off data, each with its time and its right families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    klass: str
    command: str
    text: str
    rows: int


@dataclass(frozen=True, slots=True)
class Act:
    """`start` is seconds of the day; statements follow each other after `pause` seconds. No statements: failed logins."""

    kind: str
    families: tuple[str, ...]
    account: str
    address: str
    program: str
    start: float
    pause: float
    statements: Sequence[Statement]
    failed_logins: int = 0
    planted: bool = True  # False: approved work that looks alike


def _clock(text: str) -> float:
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def _read(text: str, rows: int) -> Statement:
    return Statement("READ", "SELECT", text, rows)


DUMPED = ("patients", "visits", "diagnoses", "orders", "prescriptions", "prescription_items", "lab_results", "billing")
DUMP = [
    _read("SELECT pg_catalog.set_config('search_path', '', false);", 1),
    Statement("MISC", "BEGIN", "BEGIN", 0),
    Statement("MISC", "SET", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", 0),
    *(Statement("MISC", "LOCK TABLE", f"LOCK TABLE public.{name} IN ACCESS SHARE MODE", 0) for name in DUMPED),
    *(Statement("READ", "COPY", f"COPY public.{name} TO stdout;", 0) for name in DUMPED),
]
COLUMNS = "patient_id, name, id_card_no, phone, address"


def acts() -> list[Act]:
    """In the order of their time."""
    zhang, sun, li, zhou = (f"192.168.66.{host}" for host in (13, 14, 15, 16))
    made = [
        Act("vendor off hours", ("TIM",), "vendor_dh_li", li, "Navicat", _clock("01:05"), 20, [_read("SELECT dept_code, dept_name FROM comm.dept_dict", 60)]),
        Act("whole table of patients read at night", ("EXF",), "vendor_dh_li", li, "Navicat", _clock("01:10"), 60,
            [_read("SELECT * FROM patients", 482_113), _read("SELECT * FROM medrec.pat_master_index", 482_113)]),
        Act("staging table", ("EXF",), "vendor_dh_zhou", zhou, "psql", _clock("01:40"), 15,
            [Statement("DDL", "CREATE TABLE AS", f"CREATE TABLE public.tmp_x AS SELECT {COLUMNS} FROM patients", 482_113), _read("SELECT * FROM public.tmp_x", 482_113)]),
        Act("dump by a vendor", ("EXF",), "vendor_wx_zhang", zhang, "pg_dump", _clock("02:00"), 2, DUMP),
        Act("nightly dump of the backup agent", (), "his_backup", "10.20.1.10", "pg_dump", _clock("02:10"), 2, DUMP, planted=False),
        Act("patients enumerated by number", ("EXF",), "vendor_wx_sun", sun, "python", _clock("02:40"), 1.5,
            [_read(f"SELECT {COLUMNS} FROM patients WHERE patient_id = {10_050_000 + number}", 1) for number in range(300)]),
        Act("audit switched off", ("AUD",), "vendor_dh_zhou", zhou, "psql", _clock("03:05"), 5,
            [Statement("DDL", "ALTER SYSTEM", "ALTER SYSTEM SET pgaudit.log = 'none';", 0), _read("SELECT pg_reload_conf();", 1)]),
        Act("passwords guessed", ("IDN", "ACC"), "his_dba", "192.168.66.77", "", _clock("03:20"), 3, (), failed_logins=20),
        Act("account nobody registered", ("ACC",), "test01", "192.168.66.99", "psql", _clock("03:40"), 5, [_read("SELECT count(*) FROM visits", 1)]),
        Act("prescriptions counted by doctor and drug", ("TF",), "vendor_wx_sun", sun, "Navicat", _clock("14:20"), 30,
            [_read("SELECT p.doctor_id, i.drug_name, sum(i.qty) AS total_qty, sum(i.cost)\n  FROM prescriptions p JOIN prescription_items i ON p.presc_no = i.presc_no\n WHERE p.presc_date BETWEEN '2026-10-01' AND '2026-10-31'\n GROUP BY p.doctor_id, i.drug_name ORDER BY total_qty DESC;", 2741)]),
        Act("UPDATE without WHERE", ("CHG",), "vendor_wx_zhang", zhang, "Navicat", _clock("15:30"), 5, [Statement("WRITE", "UPDATE", "UPDATE billing SET charges = costs", 1_204_551)]),
        Act("schema change without ticket", ("CHG",), "vendor_dh_li", li, "Navicat", _clock("16:10"), 5, [Statement("DDL", "ALTER TABLE", "ALTER TABLE prescriptions ADD COLUMN ext1 text", 0)]),
        Act("account made by a vendor", ("ACC", "PRV"), "vendor_dh_zhou", zhou, "psql", _clock("16:40"), 5, [Statement("ROLE", "CREATE ROLE", "CREATE ROLE helper01 LOGIN SUPERUSER PASSWORD <REDACTED>", 0)]),
        Act("prescriber and drug pulled raw", ("TF",), "it_qian", "10.20.8.43", "DBeaver 24.1", _clock("20:30"), 30,
            [_read("select p.doctor_id, i.drug_name, i.qty, p.presc_date from prescriptions p, prescription_items i where p.presc_no=i.presc_no and i.drug_code in ('XY00007','XY00003');", 18_351)]),
        Act("patients paged through", ("EXF",), "it_zhao", "10.20.8.42", "DBeaver 24.1", _clock("21:30"), 8,
            [_read(f"SELECT {COLUMNS} FROM patients ORDER BY patient_id LIMIT 500 OFFSET {500 * page}", 500) for page in range(60)]),
        Act("export to a file of the server", ("EXF",), "his_dba", "10.20.8.40", "psql", _clock("22:40"), 5,
            [Statement("READ", "COPY", "COPY (SELECT name, id_card_no, phone FROM patients) TO '/tmp/p.csv' CSV", 0)]),
    ]  # fmt: skip
    return sorted(made, key=lambda act: act.start)

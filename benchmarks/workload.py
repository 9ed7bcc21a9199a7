"""The ordinary day of the bench hospital: 40 accounts, 30 addresses, 300 templates of statements.

A template is SQL with slots: ``{p}`` patient number, ``{k}`` the same as text, ``{v}`` visit, ``{n}`` document, ``{d}`` day,
``{q}`` quantity, ``{s}`` department, ``{g}`` drug, ``{t}`` Chinese text. The same template is executed with literals or,
as 30 % of all executions are, with bind parameters.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

ACCOUNTS = 40
WARDS = 20  # of them; each is an account that its staff share
TEMPLATES = 300
BIND_SHARE = 0.30
PATIENTS = 200_000
WARD_PATIENTS = 40
LARGE_BYTES = 20_000
SLOT = re.compile(r"\{([pkvndqsgt])\}")


@dataclass(frozen=True, slots=True)
class Account:
    """`weight`: share of the ordinary statements by day; `night`: by night; `kind` chooses the templates."""

    name: str
    address: str
    program: str
    kind: str  # clinic, office, report, monitor
    weight: float
    night: float = 0.0
    patients: tuple[int, ...] = ()


SERVICES = ("his_app", "emr_app", "lis_app", "pacs_app", "pharmacy_app", "billing_app", "iface_engine", "mobile_app")
PROGRAMS = (
    "HIS-Inpatient", "HIS-EMR", "PostgreSQL JDBC Driver", "HIS-PACS",
    "HIS-Pharmacy", "HIS-Billing", "PostgreSQL JDBC Driver", "HIS-Mobile",
)  # fmt: skip
DEPARTMENTS = ("0101", "0102", "0203", "0305", "0410", "0511", "0602", "0701")
DRUGS = tuple(f"XY{number:05d}" for number in range(1, 60))
TEXTS = (
    "阿莫西林胶囊 0.25g*24粒, 口服, 3次/日", "患者称\"青霉素过敏\"史'不详'", "0.9%氯化钠注射液 250ml\n静滴 1次/日", "二级护理",
    "头孢呋辛酯片 0.25g*12片", "低盐低脂饮食; 测血压 2次/日", "胸部CT平扫(急)", "硫酸氢氯吡格雷片 75mg",
)  # fmt: skip


def accounts(rng: random.Random, count: int = ACCOUNTS) -> list[Account]:
    """40 accounts on 30 addresses; more are accounts of people in the wards, who then do more of the work."""
    made = [
        Account(name, f"10.20.3.{11 + place}", PROGRAMS[place], "clinic", 9.0 - place * 0.8, 3.0 - place * 0.3)
        for place, name in enumerate(SERVICES)
    ]
    wards = WARDS + count - ACCOUNTS
    weight = 1.2 * (WARDS / wards) ** 0.5
    for ward in range(wards):
        patients = tuple(rng.randrange(10_000_000, 10_000_000 + PATIENTS) for _ in range(WARD_PATIENTS))
        address = f"10.20.{5 + ward // WARDS}.{21 + ward % 10}"
        made.append(Account(f"ward_{ward + 1:02d}", address, "HIS-Ward", "clinic", weight, weight / 8, patients))
    people = [("his_dba", 40), ("信息科_王工", 41), ("it_zhao", 42), ("it_qian", 43)]
    made += [Account(name, f"10.20.8.{host}", "DBeaver 24.1", "office", 0.15) for name, host in people]
    vendors = [("vendor_wx_zhang", 13), ("vendor_wx_sun", 14), ("vendor_dh_li", 15), ("vendor_dh_zhou", 16)]
    made += [Account(name, f"192.168.66.{host}", "Navicat", "office", 0.1) for name, host in vendors]
    made += [
        Account("bi_readonly", "10.20.9.7", "ReportServer", "report", 0.3),
        Account("pharm_review", "10.20.2.30", "HIS-Review", "report", 0.05),
        Account("monitor", "10.20.1.11", "pg_monitor", "monitor", 0.4, 0.4),
        Account("his_backup", "10.20.1.10", "pg_dump", "none", 0.0),
    ]
    return made


@dataclass(frozen=True, slots=True)
class Template:
    text: str
    klass: str  # pgaudit's class
    command: str
    slots: tuple[str, ...]
    bound: str  # the text with $1, $2 ...; empty: never executed with parameters
    most_rows: int
    comment: bool


# table, key predicate, its columns
TABLES = (
    ("patients", "patient_id = {p}", "patient_id name sex birth_date id_card_no phone address insurance_no"),
    ("visits", "patient_id = {p}", "visit_id patient_id visit_type dept_code doctor_id admitted_at discharged_at"),
    ("visits", "visit_id = {v}", "visit_id patient_id visit_type dept_code admitted_at discharged_at"),
    ("diagnoses", "visit_id = {v}", "diag_id visit_id icd10 diag_name is_primary"),
    ("orders", "visit_id = {v}", "order_id order_class order_text dosage dosage_units doctor_id ordered_at status"),
    ("prescriptions", "visit_id = {v}", "presc_no visit_id doctor_id dept_code presc_date total_cost"),
    ("prescription_items", "presc_no = {n}", "presc_no item_no drug_code drug_name spec qty unit_price cost"),
    ("lab_results", "visit_id = {v}", "result_id test_code test_name result_value units abnormal reported_at"),
    ("billing", "visit_id = {v}", "bill_id item_class item_name amount costs charges billed_at"),
    ("medrec.pat_master_index", "patient_id = '{k}'", "patient_id inp_no name sex date_of_birth id_no charge_type identity"),
    ("medrec.pat_visit", "patient_id = '{k}'", "patient_id visit_id dept_admission_to admission_date_time attending_doctor"),
    ("ordadm.orders", "patient_id = '{k}'", "order_no order_sub_no order_class order_text dosage administration order_status"),
    ("pharmacy.drug_presc_detail", "presc_no = {n}", "presc_no item_no drug_code drug_name quantity costs"),
    ("lab.lab_test_master", "patient_id = '{k}'", "test_no specimen requested_date_time result_status"),
    ("lab.lab_result", "test_no = '{n}'", "item_no report_item_name result units abnormal_indicator"),
    ("inpbill.inp_bill_detail", "patient_id = '{k}'", "item_no billing_date_time item_class item_name amount costs"),
    ('"电子病历"."就诊记录"', '"病人ID" = {p}', '"就诊号" "科室" "医生" "就诊时间" "主诉"'),
    ('"电子病历"."收费明细"', '"病人ID" = {p}', '"流水号" "项目名称" "金额" "收费员" "收费时间"'),
)  # fmt: skip
WRITES = (
    ("INSERT", "INSERT INTO orders(visit_id, order_class, order_text, dosage, dosage_units, doctor_id) VALUES ({v},'A','{t}',{q},'g',{q})"),
    ("INSERT", "INSERT INTO billing(bill_id, visit_id, item_class, item_name, amount, billed_at) VALUES ({n},{v},'A','{t}',{q},'{d}')"),
    ("INSERT", "INSERT INTO lab_results(visit_id, test_code, test_name, result_value, reported_at) VALUES ({v},'{g}','{t}','{q}','{d}')"),
    ("INSERT", "INSERT INTO ordadm.orders(patient_id, visit_id, order_no, order_class, order_text) VALUES ('{k}',1,{n},'A','{t}')"),
    ("INSERT", 'INSERT INTO "电子病历"."就诊记录"("就诊号","病人ID","科室","主诉") VALUES ({v},{p},\'{s}\',\'{t}\')'),
    ("UPDATE", "UPDATE orders SET status = 'E' WHERE order_id = {n}"),
    ("UPDATE", "UPDATE billing SET charges = charges + {q} WHERE bill_id = {n}"),
    ("UPDATE", "UPDATE visits SET dept_code = '{s}' WHERE visit_id = {v}"),
    ("UPDATE", "UPDATE ordadm.orders SET order_status = '3', nurse = '{s}' WHERE patient_id = '{k}' AND order_no = {n}"),
    ("UPDATE", "UPDATE lab.lab_test_master SET result_status = '4' WHERE test_no = '{n}'"),
)  # fmt: skip
JOINS = (
    "SELECT v.visit_id, v.admitted_at, d.diag_name\n  FROM visits v\n  LEFT JOIN diagnoses d ON d.visit_id = v.visit_id\n WHERE v.patient_id = {p}\n ORDER BY v.admitted_at DESC\n LIMIT {0}",
    "SELECT o.order_id, o.order_text FROM orders o JOIN visits v ON v.visit_id = o.visit_id WHERE v.patient_id = {p} AND o.status = 'N' ORDER BY {0}",
    "SELECT i.drug_name, i.spec, i.qty FROM prescription_items i JOIN prescriptions p ON p.presc_no = i.presc_no -- 发药窗口\n WHERE p.visit_id = {v} ORDER BY {0}",
    "SELECT m.name, v.dept_admission_to FROM medrec.pat_master_index m, medrec.pat_visit v WHERE m.patient_id = v.patient_id AND m.patient_id = '{k}' ORDER BY {0}",
    "SELECT r.test_name, r.result_value, r.units, CASE WHEN r.abnormal = 'H' THEN '↑' ELSE '' END AS flag FROM lab_results r WHERE r.visit_id = {v} AND r.reported_at >= '{d}' ORDER BY {0}",
)  # fmt: skip
OFFICE = (
    ("SELECT drug_code, drug_name, drug_spec FROM pharmacy.drug_dict WHERE drug_code = '{g}'", 1),
    ("SELECT dept_code, dept_name FROM comm.dept_dict ORDER BY dept_code", 60),
    ("SELECT relname, n_live_tup FROM pg_catalog.pg_stat_user_tables ORDER BY n_live_tup DESC LIMIT 20", 20),
    ("SELECT pid, state, wait_event FROM pg_catalog.pg_stat_activity WHERE datname = 'his'", 12),
    ("SELECT drug_code, units, drug_form FROM pharmacy.drug_dict WHERE drug_form = '{t}' LIMIT 50", 50),
    ("SELECT count(*) FROM pharmacy.drug_dict", 1),
)
REPORT = (
    (
        "SELECT dept_code, count(*) AS n, sum(total_cost) FROM prescriptions WHERE presc_date >= '{d}' GROUP BY dept_code",
        40,
    ),
    ("SELECT item_class, sum(charges) FROM billing WHERE billed_at >= '{d}' GROUP BY item_class", 12),
    (
        "SELECT date_trunc('day', admitted_at) AS day, count(*) FROM visits WHERE admitted_at >= '{d}' GROUP BY 1 ORDER BY 1",
        30,
    ),
)
MONITOR = (
    ("SELECT count(*) FROM pg_catalog.pg_stat_activity", 1),
    ("SELECT datname, xact_commit, xact_rollback FROM pg_catalog.pg_stat_database", 4),
)
# how programs write the same thing: on one line, or laid out over several
LAYOUTS = (
    "SELECT {columns} FROM {table} WHERE ",
    "SELECT {lines}\n  FROM {table} t\n WHERE ",
    "SELECT {lines}\n  FROM {table} t\n WHERE ",
    "SELECT DISTINCT {lines}\n  FROM {table} t\n WHERE 1 = 1\n   AND ",
)


def templates(rng: random.Random) -> dict[str, list[Template]]:
    """By kind of account; 300 in all."""
    few = {
        "office": [_template(text, rows) for text, rows in OFFICE],
        "report": [_template(text, rows) for text, rows in REPORT],
        "monitor": [_template(text, rows) for text, rows in MONITOR],
    }
    clinic = _clinic(rng, TEMPLATES - sum(map(len, few.values())) - 2)
    return {"clinic": clinic, **few}


def _clinic(rng: random.Random, count: int) -> list[Template]:
    made: dict[str, Template] = {}
    for command, text in WRITES:
        made[text] = _template(text, 1, command, "WRITE")
    for place in range(40):
        text = JOINS[place % len(JOINS)].replace("{0}", str(1 + place // len(JOINS)))
        made[text] = _template(text, 8)
    while len(made) < count:
        table, predicate, columns = rng.choice(TABLES)
        names = columns.split(" ")
        chosen = sorted(rng.sample(names, rng.randint(min(4, len(names)), len(names))), key=names.index)
        tail = rng.choice(("", "", f" ORDER BY {chosen[0]}", f" ORDER BY {chosen[-1]} DESC"))
        text = (
            rng.choice(LAYOUTS).format(columns=", ".join(chosen), lines=",\n       ".join(chosen), table=table)
            + predicate
            + tail
        )
        made.setdefault(text, _template(text, rng.choice((1, 1, 3, 12)), comment=rng.random() < 0.3))
    clinic = list(made.values())[:count]
    rng.shuffle(clinic)
    return clinic


def _template(text: str, rows: int, command: str = "SELECT", klass: str = "READ", *, comment: bool = False) -> Template:
    slots = tuple(SLOT.findall(text))
    numbers = iter(range(1, len(slots) + 1))
    bound = SLOT.sub(lambda _: f"${next(numbers)}", text.replace("'{", "{").replace("}'", "}")) if slots else ""
    return Template(text, klass, command, slots, bound, rows, comment)


def zipf(count: int, exponent: float = 1.1) -> list[float]:
    return [1 / (place + 1) ** exponent for place in range(count)]


def large_statements(rng: random.Random) -> list[tuple[str, str, str]]:
    """Four shapes of 20 KB, harmless: (class, command, text)."""
    codes = ",".join(f"'{rng.choice(DRUGS)}{number:04d}'" for number in range(LARGE_BYTES // 14))
    cases = "\n".join(f"  WHEN drug_code = 'XY{number:05d}' THEN '第{number}类'" for number in range(LARGE_BYTES // 47))
    arms = "\nUNION ALL\n".join(
        f"SELECT {n} AS n, count(*) FROM comm.dept_dict WHERE dept_code = '{n:04d}'" for n in range(LARGE_BYTES // 80)
    )
    text = "。".join("入院后完善相关检查" + str(number) for number in range(LARGE_BYTES // 32)).replace("'", "''")
    return [
        ("READ", "SELECT", f"SELECT drug_code, drug_name FROM pharmacy.drug_dict WHERE drug_code IN ({codes})"),
        ("READ", "SELECT", f"SELECT drug_code, CASE\n{cases}\n  ELSE '其他' END AS kind FROM pharmacy.drug_dict WHERE drug_code = 'XY00001'"),
        ("READ", "SELECT", arms),
        ("WRITE", "INSERT", f"INSERT INTO orders(visit_id, order_class, order_text) VALUES (10001,'B','{text}')"),
    ]  # fmt: skip

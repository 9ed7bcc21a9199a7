"""The work of single people: information department, offices, vendors; under tickets where these are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from month_diary import Diary, Said, Seat
from month_tickets import Ticket
from month_work import BEDS, FIRST_PATIENT, PATIENTS, ward_patients

PG, MARIADB, MYSQL = "his-pg", "emr-mariadb", "ihos-mysql"
DBEAVER, NAVICAT, PSQL = "DBeaver 24.1.2 - SQLEditor <Script-3.sql>", "Navicat", "psql"

DBA = Seat(PG, "his_dba", "10.20.8.40", DBEAVER)
WANG = Seat(PG, "信息科_王工", "10.20.8.41", NAVICAT)
ZHAO = Seat(PG, "it_zhao", "10.20.8.42", DBEAVER)
QIAN = Seat(PG, "it_qian", "10.20.8.43", DBEAVER)
SUN_IT = Seat(PG, "it_sun", "10.20.8.44", DBEAVER)  # begins in the third week
VENDORS = {
    "zhang": Seat(PG, "vendor_wx_zhang", "192.168.66.13", NAVICAT),
    "sun": Seat(PG, "vendor_wx_sun", "192.168.66.14", DBEAVER),
    "wu": Seat(PG, "vendor_wx_wu", "192.168.66.17", DBEAVER),
    "li": Seat(PG, "vendor_dh_li", "192.168.66.15", PSQL),
    "gao": Seat(PG, "vendor_yl_gao", "192.168.66.21", NAVICAT),
    "chen": Seat(MARIADB, "vendor_jh_chen", "192.168.66.31", "", "medrec"),
}
FIRST_DAYS = {"wu": 10, "it_sun": 16, "ward_31": 18}
ON_LEAVE = {"zhang": range(14, 18), "it_qian": range(4, 9)}
OPENING = {
    DBEAVER: (
        Said("SET extra_float_digits = 3"), Said("SET application_name = 'DBeaver 24.1.2 - Main <his>'"), Said("SELECT current_schema(),session_user", 1),
        Said("SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname", 14),
        Said("SELECT c.oid,c.*,t.relname as tabrelname,d.description FROM pg_catalog.pg_class c INNER JOIN pg_catalog.pg_class t ON t.oid=c.oid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid WHERE c.relnamespace=2200 AND c.relkind not in ('i','I','c')", 14),
    ),
    NAVICAT: (
        Said("SET client_encoding TO 'UNICODE'"), Said("SELECT version()", 1), Said("SELECT d.oid, d.datname AS databasename FROM pg_database d ORDER BY databasename", 4),
        Said("SELECT c.oid, n.nspname AS schemaname, c.relname AS tablename, c.relkind FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p') AND n.nspname = 'public' ORDER BY tablename", 12),
    ),
    PSQL: (Said("SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'v') AND c.relname ~ '^(dr)' LIMIT 1000", 5),),
    "": (Said("SET NAMES utf8mb4"), Said("SHOW VARIABLES LIKE 'lower_case_%'", 3), Said("SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA", 6)),
}  # fmt: skip


def patient(diary: Diary) -> int:
    return FIRST_PATIENT + diary.number(0, PATIENTS - 1)


# --- the information department ---------------------------------------------------------------------------------------


def server_look(diary: Diary) -> Iterable[Said]:
    yield Said(
        "SELECT pid, usename, state, wait_event_type, query_start FROM pg_stat_activity WHERE state <> 'idle' ORDER BY query_start",
        diary.number(2, 30),
    )
    yield Said("SELECT relation::regclass, mode, granted FROM pg_locks WHERE NOT granted", diary.number(0, 3))
    yield Said("SELECT pg_size_pretty(pg_database_size('his'))", 1)
    if diary.rng.random() < 0.5:
        yield Said(
            "SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables ORDER BY n_dead_tup DESC LIMIT 20", 20
        )


def one_patient(diary: Diary) -> Iterable[Said]:
    """A ward or a clinic calls because something is wrong with one patient."""
    number = patient(diary)
    yield Said(f"SELECT patient_id, mrn, name, sex FROM patients WHERE patient_id = {number}", 1)
    yield Said(f"SELECT * FROM visits WHERE patient_id = {number} ORDER BY visit_id DESC", diary.number(1, 6))
    yield Said(
        f"SELECT order_id, order_class, order_text, status FROM orders WHERE visit_id = {number - 9_000_000}",
        diary.number(1, 12),
    )
    if diary.rng.random() < 0.5:
        yield Said(
            f"SELECT bill_id, item_name, costs, charges, operator_no FROM billing WHERE visit_id = {number - 9_000_000}",
            diary.number(1, 12),
        )


def dictionary(diary: Diary) -> Iterable[Said]:
    drug = f"XY{diary.number(1, 899):05d}"
    yield Said(f"SELECT * FROM pharmacy.drug_dict WHERE drug_code = '{drug}'", 1)
    yield Said(f"UPDATE pharmacy.drug_dict SET drug_spec = '0.5g*12片' WHERE drug_code = '{drug}'", 1)
    if diary.rng.random() < 0.3:
        yield Said(
            f"INSERT INTO comm.dept_dict(dept_code, dept_name) VALUES ('09{diary.number(10, 99)}', '康复门诊')", 1
        )


def preview(diary: Diary) -> Iterable[Said]:
    """A table is clicked in a query tool: the first 200 rows come."""
    table = diary.one(
        ("visits", "orders", "billing", "pharmacy.drug_dict", "comm.dept_dict", "inpbill.inp_bill_detail")
    )
    yield Said(f"SELECT x.* FROM {table} x LIMIT 200", 200)


def figures(diary: Diary) -> Iterable[Said]:
    yield Said(f"SELECT count(*), max(visit_id) FROM visits WHERE admitted_at >= '{diary.text}'", 1)
    yield Said(
        f"SELECT dept_code, count(*) FROM visits WHERE admitted_at >= '{diary.text}' GROUP BY dept_code ORDER BY 2 DESC",
        38,
    )
    yield Said(f"SELECT status, count(*) FROM orders WHERE ordered_at >= '{diary.text}' GROUP BY status", 5)


def slow_statement(diary: Diary) -> Iterable[Said]:
    yield Said(
        f"EXPLAIN ANALYZE SELECT v.visit_id, d.diag_name FROM visits v JOIN diagnoses d ON d.visit_id = v.visit_id WHERE v.patient_id = {patient(diary)}",
        0,
    )
    yield Said("selec * from pg_stat_statements", 0, error='42601 syntax error at or near "selec"')
    yield Said("SELECT relname, seq_scan, idx_scan FROM pg_stat_user_tables ORDER BY seq_scan DESC LIMIT 10", 10)


MENU = (server_look, one_patient, one_patient, dictionary, preview, figures, slow_statement)


def information_department(diary: Diary) -> None:
    people = [DBA, WANG, ZHAO, QIAN, *([SUN_IT] if diary.day.number >= FIRST_DAYS["it_sun"] else [])]
    for seat in people:
        if not diary.day.working or diary.day.number in ON_LEAVE.get(seat.account, ()):
            continue
        for _ in range(diary.number(1, 4)):
            begin = diary.between("08:10", "17:20")
            if diary.rng.random() < 0.06:
                begin = diary.mistype(seat, begin)
            diary.sit(seat, begin, [*OPENING[seat.program], *diary.one(MENU)(diary)])
    if not diary.day.working or diary.rng.random() < 0.3:  # whoever is on duty is called
        diary.sit(diary.one((WANG, ZHAO)), diary.between("18:30", "22:30"), [*OPENING[DBEAVER], *one_patient(diary)])
    if diary.day.working and diary.rng.random() < 0.15:
        name = f"tmp_check_{diary.day.date:%m%d}"
        diary.sit(DBA, diary.between("09:00", "17:00"), [
            Said(f"CREATE TABLE {name} AS SELECT dept_code, count(*) AS n FROM visits WHERE admitted_at >= '{diary.text}' GROUP BY dept_code", 38, "CREATE TABLE AS"),
            Said(f"SELECT * FROM {name}", 38), Said(f"DROP TABLE {name}"),
        ])  # fmt: skip


# --- offices ----------------------------------------------------------------------------------------------------------


def offices(diary: Diary) -> None:
    day, before = diary.day, diary.day.number
    if not day.working:
        return
    infection = Seat(PG, "infection_office", "10.20.7.41", "HIS-Infection")
    diary.sit(infection, diary.between("08:30", "10:30"), [
        Said(f"SELECT r.visit_id, r.test_name, r.result_value, r.reported_at FROM lab_results r WHERE r.test_code IN ('L0041', 'L0042', 'L0057') AND r.reported_at >= '{diary.text}' AND r.abnormal = 'H' ORDER BY r.visit_id", diary.number(4, 32)),
        *(Said(f"SELECT v.visit_id, p.name, v.dept_code, d.diag_name FROM visits v JOIN patients p ON p.patient_id = v.patient_id JOIN diagnoses d ON d.visit_id = v.visit_id WHERE v.visit_id = {patient(diary) - 9_000_000}", 1) for _ in range(diary.number(4, 20))),
    ])  # fmt: skip
    quality = Seat(PG, "qc_office", "10.20.7.42", "HIS-Quality")
    for ward in diary.rng.sample(range(1, 31), 3):
        beds = ward_patients(ward, before)
        diary.sit(quality, diary.between("09:00", "16:00"), [
            Said(f"SELECT order_class, order_text, start_date_time, doctor FROM ordadm.orders WHERE patient_id = '{beds[diary.number(0, BEDS - 1)]}' AND visit_id = 1", diary.number(10, 60))
            for _ in range(8)
        ])  # fmt: skip
    review = Seat(PG, "pharm_review", "10.20.2.30", "HIS-Review")
    diary.sit(review, diary.between("14:00", "15:30"), [
        Said(f"SELECT m.presc_no, m.prescribed_by, d.drug_name, d.drug_spec, d.quantity FROM pharmacy.drug_presc_master m JOIN pharmacy.drug_presc_detail d ON d.presc_no = m.presc_no WHERE m.presc_date >= '{diary.text}' ORDER BY m.presc_no LIMIT 50", 50),
    ])  # fmt: skip
    finance = Seat(PG, "fin_office", "10.20.7.31", "HIS-Finance")
    diary.sit(finance, diary.between("08:20", "11:00"), [
        Said(f"SELECT item_class, sum(charges) FROM billing WHERE billed_at >= '{diary.text}' GROUP BY item_class", 12),
        Said(f"SELECT operator_no, count(*), sum(charges) FROM billing WHERE billed_at >= '{diary.text}' GROUP BY operator_no ORDER BY operator_no", 24),
    ])  # fmt: skip
    if diary.day.date.weekday() == 0 or diary.day.date.day in {1, 8, 9, 30}:
        statistics(diary, finance)


def statistics(diary: Diary, finance: Seat) -> None:
    office = Seat(PG, "stat_office", "10.20.7.35", "HIS-Statistics")
    diary.sit(office, diary.between("09:00", "16:30"), [
        Said("SELECT dept_code, visit_type, count(*) FROM visits WHERE admitted_at >= '2026-09-01' AND admitted_at < '2026-10-01' GROUP BY dept_code, visit_type ORDER BY 1", 70),
        Said("SELECT d.icd10, d.diag_name, count(*) FROM diagnoses d JOIN visits v ON v.visit_id = d.visit_id WHERE v.admitted_at >= '2026-09-01' GROUP BY d.icd10, d.diag_name ORDER BY 3 DESC LIMIT 100", 100),
        Said("SELECT date_trunc('day', admitted_at) AS day, count(*) FROM visits WHERE admitted_at >= '2026-09-01' GROUP BY 1 ORDER BY 1", 30),
        Said("SELECT dept_discharge_from, count(*), avg(total_costs) FROM medrec.pat_visit WHERE discharge_date_time >= '2026-09-01' GROUP BY dept_discharge_from", 31),
    ])  # fmt: skip
    diary.sit(finance, diary.between("15:00", "17:30"), [
        Said("SELECT b.visit_id, sum(b.charges) AS owed FROM billing b WHERE b.operator_no IS NULL AND b.billed_at >= '2026-09-01' GROUP BY b.visit_id HAVING sum(b.charges) > 2000 ORDER BY 2 DESC", diary.number(60, 220)),
    ])  # fmt: skip


# --- vendors ----------------------------------------------------------------------------------------------------------


def in_scope(diary: Diary, seat: Seat) -> Iterable[Said]:
    """What a vendor's person may do without a ticket: drugs, prices, staff, the server itself; no patients, no changes."""
    if seat.system == MARIADB:
        yield Said("SELECT DRUG_CODE, DRUG_NAME, DRUG_SPEC FROM medrec.DRUG_DICT WHERE DRUG_NAME LIKE '头孢%'", 14)
        yield Said("SHOW FULL PROCESSLIST", diary.number(3, 40))
        yield Said("SELECT DEPT_CODE, DEPT_NAME FROM medrec.DEPT_DICT", 40)
        return
    drug = f"XY{diary.number(1, 899):05d}"
    yield Said(
        f"SELECT drug_code, drug_name, drug_spec, units, drug_form FROM pharmacy.drug_dict WHERE drug_code = '{drug}'",
        1,
    )
    if diary.rng.random() < 0.5:
        yield Said("SELECT dept_code, dept_name FROM comm.dept_dict ORDER BY dept_code", 40)
    if diary.rng.random() < 0.4:
        yield Said(
            f"SELECT item_class, count(*), sum(charges) FROM billing WHERE billed_at >= '{diary.text}' GROUP BY item_class",
            12,
        )
    if diary.rng.random() < 0.4:
        yield Said(
            "SELECT emp_no, dept_code, name, title FROM comm.staff_dict WHERE dept_code = '0301'", diary.number(5, 30)
        )
    if diary.rng.random() < 0.4:
        yield Said("SELECT pid, state, wait_event FROM pg_stat_activity WHERE datname = 'his'", diary.number(5, 60))
    if diary.rng.random() < 0.2:
        yield Said("SELECT drug_code FROM drug_dic", 0, error='42P01 relation "drug_dic" does not exist')


def vendors(diary: Diary) -> None:
    if not diary.day.working:
        return
    for name, seat in VENDORS.items():
        away = diary.day.number in ON_LEAVE.get(name, ()) or diary.day.number < FIRST_DAYS.get(name, 0)
        if away or (name == "zhang" and diary.day.number >= 25) or diary.rng.random() < 0.2:
            continue
        for _ in range(diary.number(1, 3)):
            begin = diary.between("08:20", "17:00")
            if diary.rng.random() < 0.05:
                begin = diary.mistype(seat, begin)
            diary.sit(seat, begin, [*OPENING[seat.program], *in_scope(diary, seat)])


# --- under tickets ----------------------------------------------------------------------------------------------------


def under_ticket(diary: Diary, ticket: Ticket) -> None:
    seats = VENDORS | {"dba": DBA, "wang_gong": WANG, "zhao": ZHAO}
    seat = seats[ticket.person]
    begin = diary.day.at(ticket.begin) + diary.rng.uniform(120, 900)
    work = {
        "repair": repair, "urgent": urgent, "release": release, "extract": extract, "upkeep": upkeep,
        "repair_records": repair_records, "release_records": release_records, "account_wu": new_account("vendor_wx_wu"),
        "account_sun": new_account("it_sun"), "account_ward": new_account("ward_31"),
    }[ticket.work]  # fmt: skip
    diary.sit(seat, begin, [*OPENING[seat.program], *work(diary)], (5, 60))


def repair(diary: Diary) -> Iterable[Said]:
    for _ in range(diary.number(1, 4)):
        number = patient(diary)
        yield Said(f"SELECT patient_id, name, insurance_no FROM patients WHERE patient_id = {number}", 1)
        yield Said(
            f"SELECT bill_id, item_name, amount, costs, charges, operator_no FROM billing WHERE visit_id = {number - 9_000_000}",
            diary.number(1, 14),
        )
        bill = 20_000_000 + diary.number(0, 90_000)
        yield Said(f"UPDATE billing SET charges = 0, operator_no = NULL WHERE bill_id = {bill}", 1)
        yield Said(f"SELECT * FROM billing WHERE bill_id = {bill}", 1)


def urgent(diary: Diary) -> Iterable[Said]:
    yield from server_look(diary)
    yield Said(
        f"SELECT visit_id, dept_code, admitted_at FROM visits WHERE admitted_at >= '{diary.text}' AND dept_code = '0101' ORDER BY admitted_at DESC LIMIT 50",
        50,
    )
    yield from one_patient(diary)
    yield Said(f"UPDATE orders SET status = 'N' WHERE order_id = {20_000_000 + diary.number(0, 90_000)}", 1)


def release(diary: Diary) -> Iterable[Said]:
    version = f"{diary.day.date:%m%d}"
    yield Said("BEGIN")
    yield Said(f"ALTER TABLE orders ADD COLUMN check_flag_{version} char(1) DEFAULT '0'")
    yield Said(f"CREATE INDEX idx_orders_{version} ON orders (visit_id, ordered_at)")
    yield Said(f"CREATE TABLE comm.sys_param_{version} (param_code varchar(20) PRIMARY KEY, param_value varchar(200))")
    yield Said(f"INSERT INTO comm.sys_param_{version}(param_code, param_value) VALUES ('P001', '1'), ('P002', '0')", 2)
    yield Said(f"GRANT SELECT ON comm.sys_param_{version} TO his_app")
    yield Said(
        "CREATE OR REPLACE VIEW v_dept_load AS SELECT dept_code, count(*) AS n FROM visits WHERE discharged_at IS NULL GROUP BY dept_code"
    )
    yield Said("CREATE OR REPLACE FUNCTION fn_bed_no(w text) RETURNS text LANGUAGE sql AS $$ SELECT w || '-1' $$")
    yield Said("COMMIT")
    yield Said("SELECT count(*) FROM orders WHERE ordered_at >= '2026-09-01'", 1)
    yield Said("SELECT visit_id, order_text, status FROM orders ORDER BY order_id DESC LIMIT 20", 20)


def extract(diary: Diary) -> Iterable[Said]:
    """A department asked for a list, the request is approved."""
    yield Said(
        "SELECT v.visit_id, p.name, p.sex, p.birth_date, v.dept_code, v.admitted_at, d.icd10, d.diag_name FROM visits v JOIN patients p ON p.patient_id = v.patient_id "
        f"JOIN diagnoses d ON d.visit_id = v.visit_id WHERE v.dept_code = '03{diary.number(1, 8):02d}' AND v.admitted_at >= '2026-08-01' AND v.admitted_at < '2026-09-01' AND d.icd10 LIKE 'I2%'",
        diary.number(80, 900),
    )  # fmt: skip


def upkeep(diary: Diary) -> Iterable[Said]:
    yield from server_look(diary)
    for table in ("visits", "orders", "billing", "lab_results"):
        yield Said(f"VACUUM (ANALYZE) {table}")
    yield Said(f"CREATE INDEX CONCURRENTLY idx_billing_{diary.day.date:%m%d} ON billing (billed_at, operator_no)")
    yield Said("REINDEX TABLE lab_results")


def repair_records(diary: Diary) -> Iterable[Said]:
    number = patient(diary)
    yield Said(
        f"SELECT `就诊号`, `科室`, `医生`, `就诊时间`, `主诉` FROM `电子病历`.`就诊记录` WHERE `病人ID` = {number}", 3
    )
    yield Said(f"UPDATE `电子病历`.`就诊记录` SET `科室` = '0301' WHERE `就诊号` = {number - 9_000_000}", 1)


def release_records(diary: Diary) -> Iterable[Said]:
    version = f"{diary.day.date:%m%d}"
    yield Said(f"ALTER TABLE `电子病历`.`就诊记录` ADD COLUMN `质控标记{version}` char(1)", 0)
    yield Said(f"CREATE TABLE medrec.SYS_PARAM_{version} (CODE varchar(20) PRIMARY KEY, VAL varchar(200))", 0)
    yield Said(f"INSERT INTO medrec.SYS_PARAM_{version} VALUES ('P001', '1')", 1)
    yield Said("SELECT count(*) FROM `电子病历`.`就诊记录`", 1)


def new_account(name: str):
    def work(diary: Diary) -> Iterable[Said]:
        yield Said(f"CREATE ROLE {name} LOGIN PASSWORD '********' VALID UNTIL '2026-12-31'")
        yield Said(f"GRANT SELECT ON pharmacy.drug_dict TO {name}")
        yield Said(
            "SELECT rolname, rolvaliduntil FROM pg_roles WHERE rolcanlogin ORDER BY rolname", diary.number(50, 70)
        )

    return work


def passwords(diary: Diary) -> None:
    """People change their own passwords; those of the information department do so at the end of a quarter."""
    changing = {3: (ZHAO,), 11: (VENDORS["li"],), 15: (WANG, QIAN, DBA), 22: (VENDORS["sun"],)}.get(
        diary.day.number, ()
    )
    for seat in changing:
        begin = diary.between("08:30", "17:00")
        quoted = f'"{seat.account}"' if not seat.account.isascii() else seat.account
        diary.sit(seat, begin, [*OPENING[seat.program][:1], Said(f"ALTER ROLE {quoted} PASSWORD '********'")])

"""The work of jobs: backups, maintenance, reports, settlement, uploads, synchronisation. All of them are in the register."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from month_diary import Diary, Said, Seat

PG, MARIADB, MYSQL = "his-pg", "emr-mariadb", "ihos-mysql"
TABLES = (
    "public.patients", "public.visits", "public.diagnoses", "public.orders", "public.prescriptions", "public.prescription_items", "public.lab_results",
    "public.billing", "public.staff_accounts", "public.procurement_contracts", "medrec.pat_master_index", "medrec.pat_visit", "ordadm.orders",
    "pharmacy.drug_presc_master", "pharmacy.drug_presc_detail", "pharmacy.drug_dict", "outpbill.outp_bill_items", "inpbill.inp_bill_detail",
    "lab.lab_test_master", "lab.lab_result", "comm.staff_dict", "comm.dept_dict",
)  # fmt: skip


def jobs(diary: Diary) -> None:
    day = diary.day
    before = (day.date - timedelta(days=1)).isoformat()
    diary.sit(
        Seat(PG, "his_backup", "10.20.1.10", "pg_dump"), diary.between("02:00:20", "02:05"), pg_dump(), (0.02, 1.5)
    )
    diary.sit(
        Seat(MARIADB, "his_backup", "10.20.1.10", "", "medrec"),
        diary.between("01:30:20", "01:35"),
        mysqldump(),
        (0.1, 2),
    )
    diary.sit(Seat(PG, "postgres", "[local]", "psql"), diary.between("03:00:30", "03:05"), [
        Said("ANALYZE"), Said("VACUUM (ANALYZE) public.orders"), Said("SELECT pg_switch_wal()", 1),
        Said("DELETE FROM public.iface_queue WHERE sent_at < now() - interval '7 days'", diary.number(2000, 4800)),
    ])  # fmt: skip
    diary.sit(Seat(MARIADB, "root", "localhost", "", "medrec"), diary.between("03:00:30", "03:05"), [
        Said("ANALYZE TABLE `电子病历`.`就诊记录`"), Said("SHOW GLOBAL STATUS"), Said("FLUSH SLOW LOGS"),
    ])  # fmt: skip
    reports(diary, before)
    settlement(diary)
    diary.sit(Seat(PG, "insure_up", "10.20.3.24", "HIS-Insurance"), diary.between("00:40", "01:10"), [
        Said(f"SELECT b.bill_id, b.visit_id, b.item_class, b.item_name, b.amount, b.charges, p.name, p.insurance_no FROM billing b JOIN patients p ON p.patient_id = b.patient_id WHERE b.billed_at >= '{before}' AND b.billed_at < '{day.text}'", diary.number(9000, 16000)),
        Said(f"UPDATE billing SET costs = costs WHERE billed_at >= '{before}' AND billed_at < '{day.text}' AND operator_no IS NOT NULL", diary.number(9000, 16000)),
    ])  # fmt: skip
    diary.sit(Seat(PG, "iface_engine", "10.20.3.21", "PostgreSQL JDBC Driver"), diary.between("01:20", "01:40"), [
        Said(f"SELECT patient_id, mrn, name, sex, birth_date, id_card_no, phone FROM patients WHERE created_at >= '{before}' AND created_at < '{day.text}'", diary.number(900, 1700)),
    ])  # fmt: skip
    if day.date.weekday() == 6:
        diary.sit(Seat(PG, "mpi_sync", "10.20.3.26", "PostgreSQL JDBC Driver"), diary.between("04:00:30", "04:10"), [
            Said(f"SELECT patient_id, mrn, name, sex, birth_date, id_card_no, phone, address FROM patients WHERE patient_id > {10_000_000 + page * 5000} ORDER BY patient_id LIMIT 5000", 5000)
            for page in range(120)
        ], (2, 6))  # fmt: skip
    diary.sit(Seat(MYSQL, "pay_recon", "10.20.10.21", "mysql-connector-java", "ihos"), diary.between("00:20", "00:40"), [
        Said(f"select id, visit_id, total_price, reality_price from outpt_settle where crte_time >= '{before}' and crte_time < '{day.text}' and hosp_code = 'H0001'", diary.number(500, 900)),
        Said(f"update outpt_settle set recon_flag = '1' where crte_time >= '{before}' and crte_time < '{day.text}' and hosp_code = 'H0001'", diary.number(500, 900)),
    ])  # fmt: skip


def pg_dump() -> Iterable[Said]:
    yield Said("SELECT pg_catalog.set_config('search_path', '', false);", 1)
    for setting in (
        "DATESTYLE = ISO",
        "INTERVALSTYLE = POSTGRES",
        "extra_float_digits TO 3",
        "synchronize_seqscans TO off",
        "statement_timeout = 0",
        "lock_timeout = 0",
        "row_security = off",
    ):
        yield Said(f"SET {setting}")
    yield Said("BEGIN")
    yield Said("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", command="SET")
    yield Said("SELECT oid, rolname FROM pg_catalog.pg_roles ORDER BY 1", 66)
    yield Said(
        "SELECT n.tableoid, n.oid, n.nspname, n.nspowner, n.nspacl, acldefault('n', n.nspowner) AS acldefault FROM pg_namespace n",
        16,
    )
    for table in TABLES:
        yield Said(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
    yield Said(
        "SELECT tableoid, oid, lanname, lanpltrusted, lanplcallfoid, laninline, lanvalidator, lanacl, acldefault('l', lanowner) AS acldefault, lanowner FROM pg_language WHERE lanispl ORDER BY oid",
        1,
    )
    for table in TABLES:
        yield Said(f"COPY {table} TO stdout;")


def mysqldump() -> Iterable[Said]:
    yield Said("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    yield Said("START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */")
    for table in (
        "`电子病历`.`病人基本信息`",
        "`电子病历`.`就诊记录`",
        "`电子病历`.`处方明细`",
        "medrec.`PAT_MASTER_INDEX`",
        "medrec.`PAT_VISIT`",
        "medrec.`ORDERS`",
        "medrec.`LAB_RESULT`",
    ):
        yield Said(f"SHOW CREATE TABLE {table}")
        yield Said(f"SELECT /*!40001 SQL_NO_CACHE */ * FROM {table}", 100_000)


def reports(diary: Diary, before: str) -> None:
    seat = Seat(PG, "bi_readonly", "10.20.9.7", "ReportServer")
    since = diary.day.date.replace(day=1).isoformat()
    daily = [
        Said(f"SELECT dept_code, count(*) AS n, sum(total_cost) FROM prescriptions WHERE presc_date >= '{before}' AND presc_date < '{diary.text}' GROUP BY dept_code", 38),
        Said(f"SELECT item_class, sum(charges) FROM billing WHERE billed_at >= '{before}' GROUP BY item_class", 12),
        Said(f"SELECT date_trunc('day', admitted_at) AS day, count(*) FROM visits WHERE admitted_at >= '{since}' GROUP BY 1 ORDER BY 1", diary.day.date.day),
        Said(f"SELECT i.drug_code, i.drug_name, sum(i.qty) FROM prescription_items i JOIN prescriptions p ON p.presc_no = i.presc_no WHERE p.presc_date >= '{since}' GROUP BY i.drug_code, i.drug_name ORDER BY 3 DESC LIMIT 50", 50),
        Said(f"SELECT v.dept_code, avg(v.discharged_at - v.admitted_at) FROM visits v WHERE v.visit_type = 'I' AND v.admitted_at >= '{since}' GROUP BY v.dept_code", 30),
    ]  # fmt: skip
    diary.sit(seat, diary.between("06:00", "06:40"), daily)
    for _ in range(diary.number(3, 9)):  # somebody opens a report in the browser
        diary.sit(seat, diary.between("08:00", "17:30"), [diary.one(daily)])
    if diary.day.date.day == 2 or diary.day.number == 1:  # antibiotics by doctor, approved by the pharmacy committee
        diary.sit(Seat(PG, "pharm_mgmt", "10.20.2.31", "HIS-Pharmacy"), diary.between("09:00", "10:30"), [
            Said("SELECT p.doctor_id, i.drug_code, count(*), sum(i.qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no WHERE p.presc_date >= '2026-09-01' AND p.presc_date < '2026-10-01' GROUP BY p.doctor_id, i.drug_code", 5200),
        ])  # fmt: skip


def settlement(diary: Diary) -> None:
    """The accounts of the day; at the end of the month those of the month, department by department."""
    seat = Seat(PG, "his_settle", "10.20.3.25", "HIS-Settlement")
    diary.sit(seat, diary.between("23:05", "23:20"), [
        Said(f"INSERT INTO comm.daily_settle(dept_code, settle_date, charges) SELECT v.dept_code, '{diary.text}', sum(b.charges) FROM billing b JOIN visits v ON v.visit_id = b.visit_id WHERE b.billed_at >= '{diary.text}' GROUP BY v.dept_code", 38),
        Said(f"UPDATE billing SET costs = charges WHERE billed_at >= '{diary.text}' AND operator_no IS NOT NULL", diary.number(9000, 16000)),
    ])  # fmt: skip
    if diary.day.last_of_month:
        first = diary.day.date.replace(day=1).isoformat()
        statements = []
        for department in range(1, 31):
            statements += [
                Said(f"SELECT b.patient_id, b.visit_id, sum(b.costs), sum(b.charges) FROM inpbill.inp_bill_detail b JOIN medrec.pat_visit v ON v.patient_id = b.patient_id AND v.visit_id = b.visit_id WHERE v.dept_discharge_from = '{department:04d}' AND b.billing_date_time >= '{first}' GROUP BY b.patient_id, b.visit_id", diary.number(150, 900)),
                Said(f"INSERT INTO comm.month_settle(dept_code, settle_month, charges) SELECT '{department:04d}', '{first}', sum(charges) FROM inpbill.inp_bill_detail WHERE billing_date_time >= '{first}' AND operator_no = '{department:04d}'", 1),
                Said(f"UPDATE medrec.pat_visit SET total_costs = total_costs WHERE dept_discharge_from = '{department:04d}' AND discharge_date_time >= '{first}'", diary.number(150, 900)),
            ]  # fmt: skip
        diary.sit(seat, diary.between("22:00", "22:10"), statements, (5, 40))

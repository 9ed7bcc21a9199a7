"""What the programs of the generated hospital send: statements with slots, by kind of work.

Slots: ``{p}`` patient number, ``{k}`` the same as text, ``{v}`` visit, ``{n}`` document (they follow each other in time where
one desk works through them), ``{r}`` a new number, ``{d}`` the day, ``{e}`` the day before, ``{b}`` thirty days before, ``{q}`` quantity,
``{s}`` department, ``{o}`` doctor or clerk, ``{g}`` drug, ``{c}`` laboratory test, ``{t}`` Chinese text, ``{m}`` family name, ``{f}`` offset of a page,
``{h}`` hospital of a shared database, ``{i}`` a short list of patients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

SLOT = re.compile(r"\{([a-z])\}")
ALONE = re.compile(r"'\{([a-z])\}'|(?<![\w'/.-])\{([a-z])\}(?![\w'%.])")


class Template(NamedTuple):
    """`rows`: least and most that it returns or changes. `bound`: slots that are sent as parameters, in order."""

    text: str
    weight: float
    rows: tuple[int, int]
    klass: str  # pgaudit's
    command: str
    bound: tuple[str, ...] = ()

    @property
    def parts(self) -> list[str]:
        """Text and slots in turn: text, slot, text, slot, ..., text."""
        return SLOT.split(self.text)

    def with_parameters(self) -> Template:
        """The same as drivers of programs send it: what stands alone as a value is a parameter."""
        bound: list[str] = []

        def number(found: re.Match[str]) -> str:
            bound.append(found[1] or found[2])
            return f"${len(bound)}"

        text = ALONE.sub(number, self.text)
        return self._replace(text=text, bound=tuple(bound))


def template(weight: float, rows: int | tuple[int, int], text: str) -> Template:
    command = text.split(None, 1)[0].upper()
    klass = "READ" if command in {"SELECT", "SHOW"} else "WRITE"
    return Template(text, weight, (rows, rows) if isinstance(rows, int) else rows, klass, command)


@dataclass(frozen=True, slots=True)
class Slots:
    """Names of departments and the like that statements carry."""

    departments: tuple[str, ...] = tuple(
        f"{block}{number:02d}" for block in ("01", "02", "03", "04", "05") for number in range(1, 9)
    )
    drugs: tuple[str, ...] = tuple(f"XY{number:05d}" for number in range(1, 900))
    tests: tuple[str, ...] = tuple(f"L{number:04d}" for number in range(1, 260))
    families: tuple[str, ...] = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹")
    hospitals: tuple[str, ...] = ("H0001",)
    texts: tuple[str, ...] = (
        "阿莫西林胶囊 0.25g*24粒 口服 3次/日", "0.9%氯化钠注射液 250ml 静滴 1次/日", "二级护理", "低盐低脂饮食", "测血压 2次/日",
        "胸部CT平扫(急)", "硫酸氢氯吡格雷片 75mg 口服", "患者神志清 精神可 饮食睡眠好", "血常规+CRP", "心电图(床边)", "头孢呋辛酯片 0.25g",
        "拟明日出院", "吸氧 2L/min", "留置针护理", "请心内科会诊", "咳嗽咳痰3天伴发热", "腹痛待查", "术后第2天 切口敷料干燥",
    )  # fmt: skip


SLOTS = Slots()

OUTPATIENT = (
    template(9, 1, "SELECT patient_id, mrn, name, sex, birth_date, phone FROM patients WHERE patient_id = {p}"),
    template(3, (0, 1), "SELECT patient_id, mrn, name, sex, birth_date, id_card_no, insurance_no FROM patients WHERE mrn = 'M{p}'"),
    template(6, (1, 8), "SELECT v.visit_id, v.visit_type, v.dept_code, v.doctor_id, v.admitted_at FROM visits v WHERE v.patient_id = {p} ORDER BY v.admitted_at DESC LIMIT 10"),
    template(5, (3, 20), "select v.visit_id, p.patient_id, p.name, p.sex, v.admitted_at from visits v join patients p on p.patient_id = v.patient_id where v.dept_code = '{s}' and v.doctor_id = {o} and v.admitted_at >= '{d}' order by v.visit_id limit 20 offset {f}"),
    template(4, 1, "select count(*) from visits v where v.dept_code = '{s}' and v.doctor_id = {o} and v.admitted_at >= '{d}'"),
    template(6, (0, 4), "SELECT diag_id, icd10, diag_name, is_primary FROM diagnoses WHERE visit_id = {v}"),
    template(7, (0, 12), "SELECT order_id, order_class, order_text, dosage, dosage_units, status FROM orders WHERE visit_id = {v} ORDER BY order_id"),
    template(4, (0, 3), "SELECT presc_no, doctor_id, dept_code, presc_date, total_cost FROM prescriptions WHERE visit_id = {v}"),
    template(4, (1, 6), "SELECT i.item_no, i.drug_code, i.drug_name, i.spec, i.qty, i.unit_price, i.cost FROM prescription_items i WHERE i.presc_no = {n} ORDER BY i.item_no"),
    template(4, (0, 15), "SELECT r.test_name, r.result_value, r.units, CASE WHEN r.abnormal = 'H' THEN '↑' WHEN r.abnormal = 'L' THEN '↓' ELSE '' END AS flag FROM lab_results r WHERE r.visit_id = {v} ORDER BY r.reported_at DESC"),
    template(3, (1, 30), "SELECT drug_code, drug_name, drug_spec, units FROM pharmacy.drug_dict WHERE drug_name LIKE '{m}%' OR drug_code = '{g}' LIMIT 30"),
    template(2, 1, "SELECT fn_patient_age({p})"),
    template(3, 1, "INSERT INTO visits(visit_id, patient_id, visit_type, dept_code, doctor_id, admitted_at) VALUES ({r}, {p}, 'O', '{s}', {o}, '{d}')"),
    template(4, 1, "INSERT INTO diagnoses(visit_id, icd10, diag_name, is_primary) VALUES ({v}, 'J{q}.9', '{t}', true)"),
    template(6, 1, "INSERT INTO orders(visit_id, order_class, order_text, dosage, dosage_units, doctor_id) VALUES ({v}, 'A', '{t}', {q}, 'g', {o})"),
    template(2, 1, "INSERT INTO prescriptions(presc_no, visit_id, doctor_id, dept_code, presc_date, total_cost) VALUES ({r}, {v}, {o}, '{s}', '{d}', {q})"),
    template(4, 1, "INSERT INTO prescription_items(presc_no, item_no, drug_code, drug_name, spec, qty, unit_price, cost) VALUES ({n}, {q}, '{g}', '{t}', '0.25g', {q}, 1.25, {q})"),
    template(3, 1, "UPDATE orders SET status = 'E' WHERE order_id = {n}"),
    template(1, 1, "UPDATE visits SET discharged_at = now() WHERE visit_id = {v}"),
    template(1, (0, 20), "SELECT patient_id, mrn, name, sex, birth_date FROM patients WHERE name LIKE '{m}%' ORDER BY mrn LIMIT 20"),
    template(2, (1, 40), "SELECT dept_code, dept_name FROM comm.dept_dict ORDER BY dept_code"),
)  # fmt: skip

INPATIENT = (
    template(8, 1, "SELECT m.patient_id, m.inp_no, m.name, m.sex, m.date_of_birth, m.charge_type FROM medrec.pat_master_index m WHERE m.patient_id = '{k}'"),
    template(6, (1, 3), "SELECT patient_id, visit_id, dept_admission_to, admission_date_time, attending_doctor FROM medrec.pat_visit WHERE patient_id = '{k}' ORDER BY visit_id DESC"),
    template(9, (3, 40), "SELECT order_no, order_sub_no, order_class, order_text, dosage, dosage_units, administration, start_date_time, order_status FROM ordadm.orders WHERE patient_id = '{k}' AND visit_id = 1 AND order_status <> '4' ORDER BY order_no, order_sub_no"),
    template(5, (0, 30), "SELECT t.test_no, t.specimen, t.requested_date_time, t.result_status FROM lab.lab_test_master t WHERE t.patient_id = '{k}' AND t.visit_id = 1"),
    template(5, (1, 25), "SELECT item_no, report_item_name, result, units, abnormal_indicator FROM lab.lab_result WHERE test_no = '{n}' ORDER BY item_no"),
    template(3, (1, 60), "SELECT item_no, billing_date_time, item_class, item_name, amount, costs, charges FROM inpbill.inp_bill_detail WHERE patient_id = '{k}' AND visit_id = 1 AND billing_date_time >= '{d}'"),
    template(5, 1, "INSERT INTO ordadm.orders(patient_id, visit_id, order_no, order_sub_no, repeat_indicator, order_class, order_text, dosage, start_date_time, doctor) VALUES ('{k}', 1, {n}, 1, 0, 'A', '{t}', {q}, '{d}', '{o}')"),
    template(4, 1, "UPDATE ordadm.orders SET order_status = '3' WHERE patient_id = '{k}' AND visit_id = 1 AND order_no = {n} AND order_sub_no = 1"),
    template(2, (20, 48), "SELECT v.patient_id, m.name, m.sex, v.admission_date_time, v.attending_doctor FROM medrec.pat_visit v JOIN medrec.pat_master_index m ON m.patient_id = v.patient_id WHERE v.dept_admission_to = '{s}' AND v.discharge_date_time IS NULL ORDER BY v.patient_id"),
    template(3, (0, 4), 'SELECT "就诊号", "科室", "医生", "就诊时间", "主诉" FROM "电子病历"."就诊记录" WHERE "病人ID" = {p} ORDER BY "就诊时间" DESC'),
    template(3, 1, 'INSERT INTO "电子病历"."就诊记录"("就诊号", "病人ID", "科室", "医生", "就诊时间", "主诉") VALUES ({r}, {p}, \'{s}\', \'{o}\', \'{d}\', \'{t}\')'),
    template(2, 1, "UPDATE \"电子病历\".\"就诊记录\" SET \"主诉\" = '{t}' WHERE \"就诊号\" = {v}"),
    template(1, 1, 'SELECT "病人ID", "姓名", "性别", "出生日期", "联系电话" FROM "电子病历"."病人基本信息" WHERE "病人ID" = {p}'),
)  # fmt: skip

WARD = (
    template(5, (25, 46), "SELECT v.patient_id, m.name, m.sex, v.admission_date_time FROM medrec.pat_visit v, medrec.pat_master_index m WHERE v.patient_id = m.patient_id AND v.dept_admission_to = '{s}' AND v.discharge_date_time IS NULL"),
    template(12, (3, 25), "SELECT order_no, order_sub_no, order_text, dosage, dosage_units, administration, order_status FROM ordadm.orders WHERE patient_id = '{k}' AND visit_id = 1 AND order_status = '2'"),
    template(6, 1, "UPDATE ordadm.orders SET nurse = '{o}', order_status = '3' WHERE patient_id = '{k}' AND visit_id = 1 AND order_no = {n}"),
    template(4, (0, 8), "SELECT test_no, specimen, result_status FROM lab.lab_test_master WHERE patient_id = '{k}' AND requested_date_time >= '{d}'"),
    template(4, 1, "SELECT name, sex, date_of_birth, charge_type FROM medrec.pat_master_index WHERE patient_id = '{k}'"),
    template(3, (0, 40), "SELECT item_name, amount, charges FROM inpbill.inp_bill_detail WHERE patient_id = '{k}' AND visit_id = 1 AND billing_date_time >= '{d}'"),
    template(3, 1, "INSERT INTO inpbill.inp_bill_detail(patient_id, visit_id, item_no, billing_date_time, item_class, item_name, amount, costs, charges, operator_no) VALUES ('{k}', 1, {n}, '{d}', 'E', '{t}', {q}, {q}, {q}, '{o}')"),
)  # fmt: skip

LABORATORY = (
    template(4, (0, 60), "SELECT test_no, patient_id, name, specimen, requested_date_time FROM lab.lab_test_master WHERE requested_date_time >= '{e}' AND result_status = '1' ORDER BY test_no LIMIT 60"),
    template(9, 1, "SELECT test_no, patient_id, visit_id, name, specimen, ordering_provider FROM lab.lab_test_master WHERE test_no = '{n}'"),
    template(16, 1, "INSERT INTO lab.lab_result(test_no, item_no, report_item_name, report_item_code, result, units, abnormal_indicator, result_date_time) VALUES ('{n}', {q}, '{t}', '{c}', '{q}', 'mmol/L', 'N', '{d}')"),
    template(9, 1, "INSERT INTO lab_results(visit_id, test_code, test_name, result_value, units, reported_at) VALUES ({v}, '{c}', '{t}', '{q}', 'U/L', '{d}')"),
    template(7, 1, "UPDATE lab.lab_test_master SET result_status = '4' WHERE test_no = '{n}'"),
    template(5, (1, 25), "SELECT report_item_name, result, units, abnormal_indicator FROM lab.lab_result WHERE test_no = '{n}'"),
)  # fmt: skip

IMAGING = (
    template(4, (0, 40), "SELECT e.exam_no, e.patient_id, e.name, e.exam_class, e.exam_date_time FROM exam.exam_master e WHERE e.exam_date_time >= '{d}' AND e.result_status = '2' ORDER BY e.exam_no LIMIT 40"),
    template(7, 1, "SELECT exam_no, patient_id, name, clin_diag, exam_class FROM exam.exam_master WHERE exam_no = '{n}'"),
    template(5, (0, 1), "SELECT description, impression FROM exam.exam_report WHERE exam_no = '{n}'"),
    template(4, 1, "INSERT INTO exam.exam_report(exam_no, description, impression, use_image) VALUES ('{n}', '{t}', '{t}', '/pacs/{n}')"),
    template(4, 1, "UPDATE exam.exam_master SET result_status = '4' WHERE exam_no = '{n}'"),
)  # fmt: skip

PHARMACY = (
    template(5, (0, 30), "SELECT presc_no, presc_date, name, costs FROM pharmacy.drug_presc_master WHERE presc_date >= '{d}' AND ordered_by = '{s}' ORDER BY presc_no LIMIT 30"),
    template(10, 1, "SELECT presc_no, presc_date, patient_id, name, ordered_by, prescribed_by, costs FROM pharmacy.drug_presc_master WHERE presc_no = {n}"),
    template(10, (1, 6), "SELECT item_no, drug_code, drug_name, drug_spec, firm_id, quantity, costs FROM pharmacy.drug_presc_detail WHERE presc_no = {n} ORDER BY item_no"),
    template(6, 1, "UPDATE pharmacy.drug_presc_master SET payments = {q} WHERE presc_no = {n}"),
    template(5, 1, "SELECT drug_code, drug_name, drug_spec, units FROM pharmacy.drug_dict WHERE drug_code = '{g}'"),
    template(4, 1, "UPDATE pharmacy.drug_stock SET quantity = quantity - {q} WHERE drug_code = '{g}' AND storage = '{s}'"),
    template(3, (1, 4), "SELECT drug_code, drug_spec, firm_id, quantity FROM pharmacy.drug_stock WHERE drug_code = '{g}'"),
)  # fmt: skip

CASHIER = (
    template(8, (1, 12), "SELECT item_no, item_class, item_name, amount, costs, charges FROM outpbill.outp_bill_items WHERE visit_no = {v} AND visit_date >= '{d}'"),
    template(6, (1, 6), "SELECT bill_id, item_class, item_name, amount, costs, charges FROM billing WHERE visit_id = {v} AND operator_no IS NULL"),
    template(6, 1, "UPDATE billing SET operator_no = '{o}', charges = {q} WHERE bill_id = {n}"),
    template(5, 1, "SELECT patient_id, name, insurance_no FROM patients WHERE patient_id = {p}"),
    template(5, 1, "INSERT INTO billing(bill_id, patient_id, visit_id, item_class, item_name, amount, costs, charges, billed_at, operator_no) VALUES ({r}, {p}, {v}, 'A', '{t}', {q}, {q}, {q}, '{d}', '{o}')"),
    template(1, 1, "SELECT sum(charges) FROM billing WHERE operator_no = '{o}' AND billed_at >= '{d}'"),
)  # fmt: skip

REGISTRATION = (
    template(6, (0, 20), "SELECT patient_id, mrn, name, sex, birth_date, phone FROM patients WHERE name = '{m}{m}' LIMIT 20"),
    template(6, (0, 1), "SELECT patient_id, mrn, name FROM patients WHERE id_card_no = '11010119900101{q}23'"),
    template(5, 1, "INSERT INTO patients(patient_id, mrn, name, sex, birth_date, id_card_no, phone) VALUES ({r}, 'M{r}', '{m}{m}', '1', '1980-01-01', '110101198001011234', '13800000000')"),
    template(6, 1, "SELECT patient_id, mrn, name, sex, insurance_no FROM patients WHERE patient_id = {r}"),
    template(6, 1, "INSERT INTO visits(visit_id, patient_id, visit_type, dept_code, doctor_id, admitted_at) VALUES ({r}, {p}, 'O', '{s}', {o}, '{d}')"),
    template(3, 1, "UPDATE patients SET phone = '13900000000', address = '{t}' WHERE patient_id = {p}"),
    template(2, (5, 40), "SELECT d.dept_code, d.dept_name FROM comm.dept_dict d WHERE d.dept_code LIKE '01%'"),
)  # fmt: skip

INTERFACE = (
    template(8, (0, 90), "SELECT order_id, visit_id, order_class, order_text, status FROM orders WHERE order_id > {n} AND ordered_at >= '{d}' ORDER BY order_id LIMIT 200"),
    template(6, (0, 60), "SELECT test_no, patient_id, result_status FROM lab.lab_test_master WHERE result_status = '4' AND requested_date_time >= '{e}' LIMIT 100"),
    template(8, 1, "SELECT p.patient_id, p.mrn, p.name, p.sex, p.birth_date, p.phone, p.insurance_no FROM patients p WHERE p.patient_id = {p}"),
    template(6, 1, "UPDATE orders SET status = 'S' WHERE order_id = {n}"),
    template(4, (1, 12), "SELECT v.visit_id, v.dept_code, d.icd10, d.diag_name FROM visits v JOIN diagnoses d ON d.visit_id = v.visit_id WHERE v.visit_id = {v}"),
)  # fmt: skip

MOBILE = (
    template(8, 1, "SELECT patient_id, name, phone FROM patients WHERE patient_id = {p}"),
    template(6, (0, 5), "SELECT visit_id, dept_code, admitted_at FROM visits WHERE patient_id = {p} AND admitted_at >= '{b}' ORDER BY admitted_at DESC"),
    template(6, (0, 15), "SELECT test_name, result_value, units, abnormal, reported_at FROM lab_results WHERE visit_id = {v}"),
    template(4, (0, 8), "SELECT bill_id, item_name, charges FROM billing WHERE patient_id = {p} AND operator_no IS NULL"),
    template(3, 1, "UPDATE billing SET operator_no = 'WX01' WHERE bill_id = {n}"),
)  # fmt: skip

MONITORING = (
    template(4, 1, "SELECT count(*) FROM pg_catalog.pg_stat_activity"),
    template(2, 4, "SELECT datname, xact_commit, xact_rollback, blks_read, blks_hit FROM pg_catalog.pg_stat_database"),
    template(1, (10, 40), "SELECT relname, n_live_tup, n_dead_tup, last_autovacuum FROM pg_catalog.pg_stat_user_tables ORDER BY n_dead_tup DESC LIMIT 40"),
)  # fmt: skip

# Coders of the medical records office look at every discharged patient once, with much of the record.
CODING = (
    template(5, 1, "SELECT patient_id, inp_no, name, sex, date_of_birth, charge_type FROM medrec.pat_master_index WHERE patient_id = '{k}'"),
    template(5, (1, 2), "SELECT visit_id, dept_admission_to, admission_date_time, dept_discharge_from, discharge_date_time, attending_doctor, total_costs FROM medrec.pat_visit WHERE patient_id = '{k}'"),
    template(6, (1, 9), "SELECT diagnosis_code, diagnosis_desc, treat_result FROM medrec.diagnosis WHERE patient_id = '{k}' AND visit_id = 1"),
    template(4, (5, 60), "SELECT order_class, order_text, start_date_time FROM ordadm.orders WHERE patient_id = '{k}' AND visit_id = 1"),
    template(4, 1, "UPDATE medrec.diagnosis SET diagnosis_code = 'I{q}.0' WHERE patient_id = '{k}' AND visit_id = 1 AND diagnosis_no = 1"),
    template(1, (15, 60), "SELECT patient_id, visit_id, discharge_date_time FROM medrec.pat_visit WHERE discharge_date_time >= '{e}' AND discharge_date_time < '{d}'"),
)  # fmt: skip

# MariaDB, the records system: names in Chinese and in capitals.
RECORDS = (
    template(8, 1, "SELECT `病人ID`, `姓名`, `性别`, `出生日期`, `医保号` FROM `电子病历`.`病人基本信息` WHERE `病人ID` = {p}"),
    template(8, (0, 6), "SELECT `就诊号`, `科室`, `医生`, `就诊时间`, `主诉` FROM `电子病历`.`就诊记录` WHERE `病人ID` = {p} ORDER BY `就诊时间` DESC LIMIT 20"),
    template(6, 1, "UPDATE `电子病历`.`就诊记录` SET `主诉` = '{t}' WHERE `就诊号` = {v}"),
    template(5, 1, "INSERT INTO `电子病历`.`就诊记录` (`就诊号`, `病人ID`, `科室`, `医生`, `就诊时间`, `主诉`) VALUES ({r}, {p}, '{s}', '{o}', '{d}', '{t}')"),
    template(5, (1, 20), "SELECT m.PATIENT_ID, m.NAME, v.ADMISSION_DATE_TIME, v.ATTENDING_DOCTOR FROM medrec.PAT_VISIT v JOIN medrec.PAT_MASTER_INDEX m ON m.PATIENT_ID = v.PATIENT_ID WHERE v.PATIENT_ID = '{k}'"),
    template(5, (1, 20), "SELECT ORDER_NO, ORDER_CLASS, ORDER_TEXT, DOSAGE, DOSAGE_UNITS FROM medrec.ORDERS WHERE PATIENT_ID = '{k}' AND VISIT_ID = 1"),
    template(4, (1, 20), "SELECT `处方号`, `序号`, `药品名称`, `规格`, `数量` FROM `电子病历`.`处方明细` WHERE `处方号` = {n}"),
    template(3, (1, 9), "SELECT r.REPORT_ITEM_NAME, r.RESULT, r.UNITS FROM medrec.LAB_RESULT r WHERE r.TEST_NO = '{n}'"),
    template(3, 1, "SELECT `姓名`, `联系电话`, `家庭住址` FROM `电子病历`.`病人基本信息` WHERE `病人ID` = {p}"),
    template(2, (5, 40), "SELECT DEPT_CODE, DEPT_NAME FROM medrec.DEPT_DICT"),
    template(3, 1, "SELECT @@session.transaction_read_only"),
)  # fmt: skip

RECORDS_MONITORING = (
    template(4, 1, "SHOW GLOBAL STATUS LIKE 'Threads_connected'"),
    template(2, 1, "SELECT count(*) FROM information_schema.processlist"),
)

# MySQL, the internet hospital: one database for several hospitals, hosp_code in every table.
INTERNET = (
    template(8, (0, 1), "select id, name, gender_code, birthday, phone, cert_no from base_profile_file where id = '{k}' and hosp_code = '{h}'"),
    template(8, (0, 10), "select id, visit_no, name, dept_name, doctor_name, crte_time from outpt_visit where profile_id = '{k}' and hosp_code = '{h}' order by crte_time desc limit 10"),
    template(6, (0, 6), "select d.item_name, d.num, d.dosage, d.total_price from outpt_prescribe_detail d where d.visit_id = '{v}' and d.hosp_code = '{h}'"),
    template(5, 1, "insert into outpt_register (id, profile_id, hosp_code, dept_id, doctor_id, crte_time) values ('{r}', '{k}', '{h}', '{s}', '{o}', '{d}')"),
    template(5, (0, 4), "select id, total_price, reality_price from outpt_cost where visit_id = '{v}' and hosp_code = '{h}' and settle_code = '0'"),
    template(4, 1, "update outpt_cost set settle_code = '2' where id = '{n}' and hosp_code = '{h}'"),
    template(4, (0, 6), "select disease_name, disease_code from outpt_diagnose where visit_id = '{v}' and hosp_code = '{h}'"),
    template(2, 1, "select id, code, name, password from sys_user where code = 'd{o}' and hosp_code = '{h}'"),
)  # fmt: skip

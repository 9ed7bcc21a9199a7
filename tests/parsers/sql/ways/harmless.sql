-- Look-alikes that are daily work: no 统方, and no more is said to leave than leaves. Headers as in reads.sql; not said:
-- it is no 统方, `identity` and `contact` do not leave without a key, and nothing in it is dynamic, dangerous or injected.

--! postgres | pharmacy stock by drug
SELECT drug_code, sum(quantity) FROM drug_stock GROUP BY drug_code
--! postgres | pharmacy's use by drug
SELECT i.drug_code, i.drug_name, sum(i.qty) FROM prescription_items i GROUP BY i.drug_code, i.drug_name
--! postgres | use by drug and month
SELECT date_trunc('month', p.presc_date), i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2
--! postgres | one patient's prescriptions | restriction: point
SELECT p.presc_date, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN visits v USING (visit_id) WHERE v.patient_id = $1
--! postgres | one prescription | restriction: point
SELECT p.doctor_id, i.drug_code, i.drug_name, i.qty, i.cost FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no WHERE p.presc_no = 'P0017'
--! postgres | one visit's charges
SELECT item_name, sum(costs) FROM billing WHERE visit_id = 10007 GROUP BY item_name
--! postgres | a doctor's own list of today
SELECT p.presc_no, p.visit_id, p.presc_date, p.total_cost FROM prescriptions p WHERE p.doctor_id = $1 AND p.presc_date = $2 ORDER BY p.presc_date DESC LIMIT 50
--! postgres | a doctor's own list with the drugs
SELECT p.presc_no, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = $1 AND p.presc_date >= $2
--! postgres | visits by department
SELECT dept_code, count(*) FROM visits GROUP BY dept_code
--! postgres | visits by day
SELECT admitted_at::date, count(*) FROM visits WHERE admitted_at >= '2026-10-01' GROUP BY 1
--! postgres | prescriptions by doctor, no drug
SELECT doctor_id, count(*), sum(total_cost) FROM prescriptions GROUP BY doctor_id
--! postgres | prescriptions by department
SELECT dept_code, sum(total_cost) FROM prescriptions GROUP BY dept_code
--! postgres | number of patients
SELECT count(*) FROM patients
--! postgres | number of different patients by month
SELECT date_trunc('month', admitted_at), count(DISTINCT patient_id) FROM visits GROUP BY 1
--! postgres | one patient's page | restriction: point | output_classes: identity contact
SELECT name, sex, birth_date, phone FROM patients WHERE patient_id = 10000017
--! postgres | is there such a patient | restriction: point
SELECT 1 FROM patients WHERE id_card_no = $1
--! postgres | the drug list
SELECT drug_code, drug_name, drug_spec FROM drug_dict WHERE input_code LIKE 'AMX%'
--! postgres | prices by maker
SELECT firm_id, drug_code, retail_price FROM drug_price_list
--! postgres | the greatest number so far
SELECT max(presc_no) FROM prescriptions
--! postgres | a prescription written | restriction: -
INSERT INTO prescription_items (presc_no, drug_code, drug_name, qty, cost) VALUES ('P1', 'A01', '阿莫西林', 2, 31.5)
--! postgres | a patient registered | restriction: -
INSERT INTO patients (patient_id, name, id_card_no) VALUES (7, '张三', '110101199001011234')
--! postgres | a phone corrected | restriction: point
UPDATE patients SET phone = '13800000000' WHERE patient_id = 7
--! postgres | text that speaks of SQL
INSERT INTO notes (body) VALUES ('select name from patients; drop table patients -- 统方')
--! postgres | text that speaks of SQL, as a condition | restriction: -
SELECT id FROM help_pages WHERE title = 'EXEC(''select * from patients'')'
--! postgres | a doctor's name by number
SELECT staff_name, title FROM staff_accounts WHERE staff_id = $1
--! postgres | waiting list of one room
SELECT v.visit_id FROM visits v WHERE v.room = 'A3' AND v.admitted_at >= now() - interval '1 day' ORDER BY v.visit_id LIMIT 20
--! postgres | results of one visit | restriction: point
SELECT test_name, result_value, units FROM lab_results WHERE visit_id = $1
--! postgres | number of tests by name
SELECT test_name, count(*) FROM lab_results GROUP BY test_name
--! postgres | tests by department, DISTINCT
SELECT DISTINCT test_code, test_name FROM lab_results
--! postgres | revenue by class of item
SELECT item_class, sum(charges) FROM billing WHERE billed_at BETWEEN '2026-10-01' AND '2026-10-31' GROUP BY item_class
--! postgres | a view by department
CREATE VIEW v_dept AS SELECT dept_code, count(*) AS n FROM visits GROUP BY dept_code
--! postgres | a temporary table of a count
CREATE TEMP TABLE t AS SELECT drug_code, sum(qty) AS n FROM prescription_items GROUP BY drug_code; SELECT drug_code, n FROM t ORDER BY n DESC
--! postgres | a prepared look-up | restriction: point
PREPARE q AS SELECT test_name, result_value FROM lab_results WHERE visit_id = $1
--! postgres | a union of two counts
SELECT 'visits', count(*) FROM visits UNION ALL SELECT 'orders', count(*) FROM orders
--! mysql | stock below its limit
SELECT `drug_code`, `quantity` FROM `drug_stock` WHERE `quantity` < 10
--! mysql | one visit's orders | restriction: point
SELECT order_text, dosage, doctor_id FROM orders WHERE visit_id = 10007
--! mysql | orders by class
SELECT order_class, COUNT(*) FROM orders GROUP BY order_class WITH ROLLUP
--! mysql | the driver's own question
SELECT @@session.auto_increment_increment AS a, @@tx_isolation AS b
--! mysql | an executable comment of a driver
/* mysql-connector-java-8.0.33 */SELECT @@max_allowed_packet /*!50000 , 1 */
--! mysql | the drug of one item | restriction: point
SELECT drug_name FROM prescription_items WHERE presc_no = ?
--! mysql | hex as a value | restriction: point
SELECT test_name FROM lab_results WHERE visit_id = 0x2717
--! mysql | a variable counted
SET @n = 0
--! mysql | pharmacy's queue | restriction: range
SELECT presc_no FROM prescriptions WHERE status = 1 AND window_no = 3 ORDER BY presc_date LIMIT 30
--! mysql | how many drugs a doctor may prescribe
SELECT doctor_id, COUNT(*) FROM doctor_drug_rights GROUP BY doctor_id
--! oracle | stock by drug and maker
SELECT drug_code, firm_id, SUM(quantity) FROM drug_stock GROUP BY drug_code, firm_id
--! oracle | dispensing by drug
SELECT drug_code, SUM(dispense_amount) FROM drug_dispense_rec WHERE dispensing_date_time > SYSDATE - 1 GROUP BY drug_code
--! oracle | dispensing by ward and drug
SELECT ordered_by, drug_code, SUM(dispense_amount) FROM drug_dispense_rec GROUP BY ordered_by, drug_code
--! oracle | one patient's orders | restriction: point
SELECT order_text, dosage, doctor, start_date_time FROM orders WHERE patient_id = :1 AND visit_id = :2 ORDER BY start_date_time
--! oracle | one patient's charges by doctor and item
SELECT doctor, item_name, SUM(costs) FROM inp_bill_detail WHERE patient_id = :pid AND visit_id = :vid GROUP BY doctor, item_name
--! oracle | one outpatient's receipt
SELECT item_name, amount, costs, order_doctor FROM outp_bill_items WHERE rcpt_no = :b1
--! oracle | departments' beds
SELECT dept_code, COUNT(*) FROM pats_in_hospital GROUP BY dept_code
--! oracle | one ward's patients, numbers only
SELECT patient_id, visit_id FROM pats_in_hospital WHERE ward_code = '0301'
--! oracle | a sequence's next number
SELECT seq_presc.NEXTVAL FROM dual
--! oracle | what is to be bought
SELECT drug_code, want_number FROM drug_buy_plan WHERE flag = 0
--! oracle | the time
SELECT TO_CHAR(SYSDATE, 'YYYY-MM-DD HH24:MI:SS') FROM dual
--! oracle | the list of doctors of a department
SELECT emp_no, name, title FROM staff_dict WHERE dept_code = '0201'
--! oracle | doctors by title
SELECT title, COUNT(*) FROM staff_dict GROUP BY title
--! tsql | the first rows of the drug list
SELECT TOP 20 drug_code, drug_name FROM drug_dict WHERE drug_name LIKE N'%西林%'
--! tsql | one visit | restriction: point
SELECT admitted_at, discharged_at FROM visits WHERE visit_id = @p1
--! tsql | one prescription's items, with the maker's price | restriction: point
SELECT i.drug_name, i.qty, l.retail_price FROM prescription_items i JOIN drug_price_list l ON l.drug_code = i.drug_code WHERE i.presc_no = @p1
--! tsql | cost of a department's month
SELECT dept_code, SUM(total_cost) FROM prescriptions WHERE presc_date >= '20261001' GROUP BY dept_code
--! tsql | a count by month of one drug
SELECT MONTH(p.presc_date), SUM(i.qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no WHERE i.drug_code = 'A01' GROUP BY MONTH(p.presc_date)
--! tsql | a settings table
SELECT setting_value FROM sys_settings WHERE setting_name = N'print.title'
--! tsql | an insert with its number given back | restriction: -
INSERT INTO orders (visit_id, order_text, doctor_id) VALUES (@p1, @p2, @p3) SELECT SCOPE_IDENTITY()
--! tsql | a table variable of counts
DECLARE @n TABLE (c varchar(9), n int); INSERT INTO @n SELECT dept_code, COUNT(*) FROM visits GROUP BY dept_code; SELECT c, n FROM @n
--! tsql | a variable of a count
DECLARE @n int = (SELECT COUNT(*) FROM visits) SELECT @n
--! tsql | a temporary table of drugs
CREATE TABLE #d (c varchar(20)); INSERT INTO #d SELECT drug_code FROM drug_dict; SELECT c FROM #d
--! mysql | a number kept and shown
SET @n = (SELECT COUNT(*) FROM orders WHERE visit_id = 7); SELECT @n
--! postgres | a union of codes
SELECT drug_code FROM prescription_items UNION SELECT drug_code FROM drug_stock
--! oracle | a block that prints the time
BEGIN FOR r IN (SELECT SYSDATE d FROM dual) LOOP DBMS_OUTPUT.PUT_LINE(r.d); END LOOP; END;
--! oracle | use by drug, told apart by form
SELECT drug_code, SUM(DECODE(drug_spec, '0.5g', quantity, 0)) FROM drug_presc_detail GROUP BY drug_code
--! oracle | a receipt's DECODE | restriction: point
SELECT presc_no, DECODE(drug_code, 'A', quantity, 0) FROM drug_presc_detail WHERE presc_no = :1
--! postgres | no longer waiting
SELECT visit_id FROM visits WHERE NOT (status = 0) AND dept_code = '01' LIMIT 20

--! postgres | stock by drug
SELECT drug_code, firm_id, sum(quantity) FROM pharmacy.drug_stock GROUP BY drug_code, firm_id
--! postgres | used by drug and month
SELECT i.drug_code, date_trunc('month', p.presc_date), sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2
--! postgres | how many doctors used each drug
SELECT i.drug_code, count(DISTINCT p.doctor_id) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY i.drug_code
--! postgres | one patient's prescriptions by card | restriction: point
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty, i.cost FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN visits v USING (visit_id) JOIN patients t USING (patient_id) WHERE t.mrn = $1
--! postgres | one stay | restriction: point
SELECT doctor_id, order_text, dosage FROM orders WHERE visit_id = $1 ORDER BY ordered_at
--! postgres | several prescriptions being dispensed | restriction: set
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_no IN (1, 2, 3)
--! postgres | a doctor's own list of today
SELECT p.presc_no, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = $1 AND p.presc_date = current_date
--! postgres | income by doctor without drugs
SELECT doctor_id, sum(total_cost) FROM prescriptions GROUP BY doctor_id
--! postgres | average cost by department
SELECT dept_code, avg(total_cost) FROM prescriptions GROUP BY dept_code
--! postgres | the antibiotics' share by department
SELECT p.dept_code, sum(CASE WHEN i.drug_code LIKE 'J01%' THEN 1 ELSE 0 END)::float / count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.dept_code
--! postgres | drugs of a department
SELECT i.drug_name, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.dept_code = '0301' GROUP BY i.drug_name
--! postgres | top drugs
SELECT drug_name, sum(cost) FROM prescription_items GROUP BY drug_name ORDER BY 2 DESC LIMIT 20
--! postgres | login
SELECT staff_id, staff_name, title FROM staff_accounts WHERE login = $1
--! postgres | dictionary
SELECT drug_code, drug_name, drug_spec FROM pharmacy.drug_dict WHERE drug_code LIKE $1 LIMIT 20
--! postgres | visits by doctor
SELECT doctor_id, date_trunc('day', admitted_at), count(*) FROM visits GROUP BY 1, 2
--! postgres | diagnoses by code
SELECT icd10, count(*) FROM diagnoses GROUP BY icd10
--! postgres | write a prescription
INSERT INTO prescription_items (presc_no, drug_code, drug_name, qty, cost) VALUES ($1, $2, $3, $4, $5)
--! postgres | a total brought up to date | restriction: point
UPDATE prescriptions SET total_cost = (SELECT sum(cost) FROM prescription_items WHERE presc_no = $1) WHERE presc_no = $1
--! mysql | bill of a patient
SELECT item_class, SUM(charges) FROM billing WHERE patient_id = 7 GROUP BY item_class
--! mysql | income of a day by class
SELECT item_class, SUM(charges) FROM billing WHERE billed_at >= CURDATE() GROUP BY item_class
--! mysql | expiring stock
SELECT drug_code, drug_spec, quantity FROM DRUG_STOCK WHERE expire_date < DATE_ADD(NOW(), INTERVAL 90 DAY)
--! mysql | purchase plan
SELECT drug_code, want_number FROM DRUG_BUY_PLAN WHERE stock_supplier = 'A'
--! mysql | cloud: one prescription to print | restriction: point
SELECT a.doctor_name, b.item_name, b.num, b.total_price FROM outpt_prescribe a JOIN outpt_prescribe_detail b ON b.op_id = a.id AND b.hosp_code = a.hosp_code WHERE a.id = ? AND a.hosp_code = ?
--! mysql | cloud: one visit's advice | restriction: point
SELECT doctor_id, item_name, num FROM inpt_advice WHERE visit_id = '5' AND hosp_code = '1'
--! mysql | cloud: charges by department
SELECT dept_id, SUM(total_price) FROM outpt_cost WHERE hosp_code = '1' GROUP BY dept_id
--! oracle | a prescription slip | restriction: point
SELECT m.prescribed_by, d.drug_name, d.quantity, d.costs FROM drug_presc_master m, drug_presc_detail d WHERE m.presc_no = d.presc_no AND m.presc_date = d.presc_date AND m.presc_date = :1 AND m.presc_no = :2
--! oracle | orders of one stay | restriction: point
SELECT doctor, order_text, dosage FROM ordadm.orders WHERE patient_id = :1 AND visit_id = :2
--! oracle | pinyin: one patient's prescriptions | restriction: point
SELECT a.YSDM, b.YPXH, b.YPSL FROM MS_CF01 a, MS_CF02 b WHERE a.CFSB = b.CFSB AND a.BRID = :1 AND a.JGID = :2
--! oracle | pinyin: one receipt | restriction: point
SELECT a.YSDM, b.YPXH, b.YPSL FROM MS_CF01 a, MS_CF02 b WHERE a.CFSB = b.CFSB AND a.CFHM = 'C123' AND a.JGID = 1
--! oracle | pinyin: diets by ward
SELECT YSDM, BRKS, COUNT(*) FROM ZY_BRRY WHERE CYRQ IS NULL AND JGID = 1 GROUP BY YSDM, BRKS
--! oracle | pinyin: registrations by doctor
SELECT YSDM, COUNT(*) FROM MS_GHMX WHERE GHSJ >= TRUNC(SYSDATE) AND JGID = 1 GROUP BY YSDM
--! oracle | pinyin: stock by drug
SELECT YPXH, SUM(KCSL) FROM YK_KCMX GROUP BY YPXH
--! oracle | pinyin: drugs used by ward
SELECT a.KSDM, b.YPXH, SUM(b.YPSL) FROM MS_CF01 a, MS_CF02 b WHERE a.CFSB = b.CFSB AND a.JGID = 1 GROUP BY a.KSDM, b.YPXH
--! oracle | charges of one stay by class
SELECT item_class, SUM(costs) FROM inpbill.inp_bill_detail WHERE patient_id = :p AND visit_id = :v GROUP BY item_class
--! oracle | costs by department
SELECT ordered_by, SUM(costs) FROM drug_dispense_rec GROUP BY ordered_by
--! oracle | a sequence
SELECT presc_no_seq.NEXTVAL FROM dual
--! tsql | one visit | restriction: point
SELECT p.doctor_id, i.drug_name, i.qty FROM dbo.prescriptions p JOIN dbo.prescription_items i ON i.presc_no = p.presc_no WHERE p.visit_id = @v
--! tsql | page of the drug list
SELECT drug_code, drug_name FROM dbo.drug_dict ORDER BY drug_code OFFSET 40 ROWS FETCH NEXT 20 ROWS ONLY
--! tsql | Chinese: one patient's prescriptions | restriction: point
SELECT 开方医生, 药品名称, 数量 FROM 处方明细 WHERE 病人ID = 5
--! tsql | Chinese: one prescription | restriction: point
SELECT 开方医生, 药品名称, 数量 FROM 处方明细 WHERE 处方号 = 'A5'
--! tsql | Chinese: quantity by drug
SELECT 药品名称, SUM(数量) FROM 处方明细 GROUP BY 药品名称
--! tsql | the count of a day's prescriptions
SELECT COUNT(*) FROM prescriptions WHERE presc_date = CONVERT(date, GETDATE())
--! tsql | queue numbers
SELECT TOP 1 visit_id FROM visits WITH (UPDLOCK) WHERE doctor_id = 5 AND discharged_at IS NULL ORDER BY admitted_at
--! mysql | own list with names gathered
SELECT p.presc_no, GROUP_CONCAT(i.drug_name) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = 7 AND p.presc_date = CURDATE() GROUP BY p.presc_no
--! mysql | own list with totals
SELECT p.presc_no, p.presc_date, SUM(i.cost) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = 7 GROUP BY p.presc_no, p.presc_date
--! mysql | the pharmacy's queue
SELECT p.presc_no, p.visit_id, SUM(i.cost) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date = CURDATE() GROUP BY p.presc_no, p.visit_id
--! mysql | one patient, everything gathered | restriction: point
SELECT p.doctor_id, GROUP_CONCAT(i.drug_name) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN visits v USING (visit_id) WHERE v.patient_id = 7 GROUP BY p.doctor_id
--! mysql | own list, the doctor shown too
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = 7 AND p.presc_date = CURDATE()
--! postgres | a doctor's own drugs of a day by patient
SELECT v.patient_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN visits v USING (visit_id) WHERE p.doctor_id = $1 AND p.presc_date = current_date
--! postgres | one drug, who has it (patients, recall)
SELECT v.patient_id, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN visits v USING (visit_id) WHERE i.drug_code = 'X'
--! postgres | by doctor and department
SELECT doctor_id, dept_code, count(*), sum(total_cost) FROM prescriptions GROUP BY 1, 2
--! postgres | by doctor and patient
SELECT p.doctor_id, v.patient_id, sum(p.total_cost) FROM prescriptions p JOIN visits v USING (visit_id) GROUP BY 1, 2
--! postgres | drugs of one department by doctor's count
SELECT i.drug_code, count(DISTINCT p.doctor_id) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.dept_code = '1' GROUP BY i.drug_code
--! oracle | charges by doctor without an item
SELECT doctor, SUM(costs) FROM inpbill.inp_bill_detail GROUP BY doctor
--! oracle | charges by item without a doctor
SELECT item_name, SUM(amount) FROM inpbill.inp_bill_detail GROUP BY item_name
--! oracle | orders of today for the ward screen
SELECT patient_id, visit_id, order_text, dosage FROM ordadm.orders WHERE start_date_time >= TRUNC(SYSDATE) AND ordering_dept = '0301'
--! postgres | drugs by job title
SELECT s.title, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id GROUP BY 1, 2
--! postgres | drugs by department of the doctors
SELECT s.dept_code, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id GROUP BY 1, 2
--! postgres | visits by their doctor
SELECT v.doctor_id, count(*) FROM visits v JOIN prescriptions p USING (visit_id) GROUP BY 1
--! mysql | visits by their doctor, Chinese names
SELECT 医生, count(*) FROM 就诊记录 GROUP BY 医生
--! postgres | queue of the pharmacy
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date = current_date AND p.status = 1
--! postgres | prescriptions of a department on a day
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.dept_code = $1 AND p.presc_date = $2
--! postgres | prescriptions of a day with their drugs in one text
SELECT p.presc_no, p.doctor_id, string_agg(i.drug_name, ',') FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date = current_date GROUP BY p.presc_no, p.doctor_id
--! postgres | orders of a ward
SELECT o.order_id, o.doctor_id, o.order_text, o.dosage FROM orders o JOIN visits v USING (visit_id) WHERE v.dept_code = '0301' AND v.discharged_at IS NULL
--! postgres | when a doctor last gave a drug
SELECT max(p.presc_date) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = $1 AND i.drug_code = $2
--! postgres | drugs that a doctor used of late
SELECT i.drug_code, i.drug_name FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = $1 GROUP BY 1, 2 ORDER BY max(p.presc_date) DESC LIMIT 20
--! postgres | items by doctor, prices from the drug list
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN drug_dict d USING (drug_code) GROUP BY doctor_id
--! postgres | items by doctor, of drugs that are known
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE drug_code IS NOT NULL GROUP BY doctor_id
--! postgres | a count for each drug
SELECT d.drug_name, (SELECT count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE i.drug_code = d.drug_code) FROM drug_dict d

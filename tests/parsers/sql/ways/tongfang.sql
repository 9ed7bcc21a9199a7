-- Ways to write one 统方: what every doctor prescribed of every drug. Headers as in reads.sql; not said: it is 统方.

--! postgres | grouped by both
SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id, i.drug_code
--! postgres | grouped by position, aliases that lie
SELECT p.doctor_id AS dept, i.drug_code AS item, count(*) AS visits FROM prescriptions p, prescription_items i WHERE p.presc_no = i.presc_no GROUP BY 1, 2
--! postgres | by doctor, for one drug
SELECT doctor_id, sum(qty) FROM prescriptions JOIN prescription_items USING (presc_no) WHERE drug_code = 'A01' GROUP BY doctor_id
--! postgres | by drug, for one doctor over a month
SELECT i.drug_name, sum(i.cost) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = 7 AND p.presc_date >= '2026-10-01' GROUP BY i.drug_name
--! postgres | DISTINCT
SELECT DISTINCT p.doctor_id, i.drug_name FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! postgres | DISTINCT ON
SELECT DISTINCT ON (p.doctor_id, i.drug_code) p.doctor_id, i.drug_code, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) ORDER BY 1, 2, i.qty DESC
--! postgres | a window
SELECT p.doctor_id, i.drug_code, sum(i.qty) OVER (PARTITION BY p.doctor_id, i.drug_code) FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! postgres | a named window
SELECT doctor_id, drug_code, sum(qty) OVER w FROM prescriptions JOIN prescription_items USING (presc_no) WINDOW w AS (PARTITION BY doctor_id, drug_code)
--! postgres | pivoted by FILTER
SELECT doctor_id, sum(qty) FILTER (WHERE drug_code = 'A'), sum(qty) FILTER (WHERE drug_code = 'B') FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY doctor_id
--! postgres | CUBE
SELECT doctor_id, drug_code, sum(cost) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY CUBE (doctor_id, drug_code)
--! postgres | a list of drugs by doctor, each in a correlated query
SELECT p.doctor_id, (SELECT string_agg(i.drug_name || ':' || i.qty, ',') FROM prescription_items i WHERE i.presc_no = p.presc_no) FROM prescriptions p
--! postgres | a correlated count
SELECT s.staff_name, (SELECT sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = s.staff_id AND i.drug_code = 'A01') FROM staff_accounts s
--! postgres | grouped in a CTE, joined outside
WITH d AS (SELECT presc_no, doctor_id AS k FROM prescriptions), x AS (SELECT presc_no, drug_name AS n, qty AS q FROM prescription_items) SELECT d.k, x.n, sum(x.q) FROM d JOIN x USING (presc_no) GROUP BY d.k, x.n
--! postgres | grouped twice, inside and outside
SELECT k, n, max(q) FROM (SELECT doctor_id AS k, drug_name AS n, sum(qty) AS q FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY 1, 2) t GROUP BY k, n
--! postgres | pulled raw, to be counted elsewhere
SELECT p.doctor_id, i.drug_code, i.qty, p.presc_date FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date > '2026-10-01'
--! postgres | pulled raw as JSON
SELECT json_agg(json_build_array(p.doctor_id, i.drug_code, i.qty)) FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! postgres | pulled raw by COPY
COPY (SELECT doctor_id, order_text, dosage FROM orders) TO STDOUT
--! postgres | a temporary table, counted afterwards
CREATE TEMP TABLE t AS SELECT p.doctor_id AS a, i.drug_code AS b, i.qty AS c FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, sum(c) FROM t GROUP BY a, b
--! postgres | a temporary table without quantities, counted afterwards
CREATE TEMP TABLE t AS SELECT p.doctor_id AS a, i.drug_code AS b FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, count(*) FROM t GROUP BY a, b
--! postgres | a view
CREATE VIEW v_work AS SELECT doctor_id, order_text, count(*) AS n FROM orders GROUP BY doctor_id, order_text
--! postgres | a view that joins, counted from in the same text
CREATE VIEW v AS SELECT p.doctor_id AS a, i.drug_code AS b FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, count(*) FROM v GROUP BY 1, 2
--! postgres | a materialised view
CREATE MATERIALIZED VIEW mv AS SELECT doctor_id, drug_code, sum(qty) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY 1, 2
--! postgres | a function
CREATE FUNCTION f(d date) RETURNS TABLE (a int, b text, c numeric) LANGUAGE sql AS $$ SELECT doctor_id, drug_code, sum(qty) FROM prescriptions JOIN prescription_items USING (presc_no) WHERE presc_date > d GROUP BY 1, 2 $$
--! postgres | dynamic SQL in a block
DO $$ BEGIN EXECUTE 'CREATE TABLE x AS SELECT doctor_id, drug_code, sum(qty) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY 1, 2'; END $$
--! postgres | a loop that tells what it counts
DO $$ DECLARE r record; BEGIN FOR r IN SELECT doctor_id, drug_code, sum(qty) q FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY 1, 2 LOOP RAISE NOTICE '%', r; END LOOP; END $$
--! postgres | a function that takes SQL
SELECT query_to_xml('select doctor_id, order_text, count(*) from orders group by 1, 2', true, false, '')
--! postgres | crosstab
SELECT * FROM crosstab('select doctor_id, drug_code, sum(qty) from prescriptions join prescription_items using (presc_no) group by 1,2') AS t(d int, a numeric, b numeric)
--! postgres | PREPARE
PREPARE q AS SELECT doctor_id, drug_code, sum(qty) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY 1, 2
--! postgres | the doctor's name from the staff table
SELECT s.staff_name, i.drug_name, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id GROUP BY s.staff_name, i.drug_name
--! mysql | WITH ROLLUP and back quotes
SELECT `p`.`doctor_id`, `i`.`drug_name`, SUM(`i`.`cost`) FROM `prescriptions` `p` JOIN `prescription_items` `i` ON `i`.`presc_no` = `p`.`presc_no` GROUP BY `p`.`doctor_id`, `i`.`drug_name` WITH ROLLUP
--! mysql | group_concat
SELECT doctor_id, GROUP_CONCAT(drug_name, ':', qty) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY doctor_id
--! mysql | pivoted by CASE
SELECT p.doctor_id, SUM(CASE WHEN i.drug_code = 'A' THEN i.qty ELSE 0 END) a, SUM(IF(i.drug_code = 'B', i.qty, 0)) b FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id
--! mysql | an event
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO INSERT INTO x SELECT doctor_id, drug_code, SUM(qty) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY 1, 2
--! mysql | into a file
SELECT doctor_id, drug_code, qty INTO OUTFILE '/tmp/x' FROM prescriptions JOIN prescription_items USING (presc_no)
--! mysql | a whole number hidden by an executable comment
SELECT doctor_id, order_text, COUNT(*) FROM /*!50000 orders */ GROUP BY doctor_id, order_text
--! mysql | a prepared text of hex
SET @s = 0x53454c45435420646f63746f725f69642c206f726465725f746578742c20636f756e74282a292046524f4d206f72646572732047524f555020425920312c32; PREPARE s FROM @s; EXECUTE s
--! oracle | LISTAGG by doctor
SELECT m.prescribed_by, LISTAGG(d.drug_name || d.quantity, ',') WITHIN GROUP (ORDER BY d.drug_name) FROM drug_presc_master m JOIN drug_presc_detail d ON m.presc_no = d.presc_no AND m.presc_date = d.presc_date GROUP BY m.prescribed_by
--! oracle | PIVOT
SELECT * FROM (SELECT doctor, drug_code, dispense_amount FROM drug_dispense_rec) PIVOT (SUM(dispense_amount) FOR drug_code IN ('A' AS a, 'B' AS b))
--! oracle | an analytic function
SELECT DISTINCT order_doctor, item_code, SUM(amount) OVER (PARTITION BY order_doctor, item_code) FROM outp_bill_items WHERE item_class = 'A'
--! oracle | by maker
SELECT prescribed_by, firm_id, SUM(d.costs) FROM drug_presc_master m, drug_presc_detail d WHERE m.presc_no = d.presc_no GROUP BY prescribed_by, firm_id
--! oracle | a procedure
CREATE OR REPLACE PROCEDURE p_month AS BEGIN INSERT INTO x SELECT doctor, drug_code, SUM(dispense_amount) FROM drug_dispense_rec GROUP BY doctor, drug_code; END;
--! oracle | a job
BEGIN DBMS_SCHEDULER.CREATE_JOB(job_name => 'J', job_type => 'PLSQL_BLOCK', job_action => 'BEGIN INSERT INTO x SELECT doctor, drug_code, SUM(dispense_amount) FROM drug_dispense_rec GROUP BY doctor, drug_code; END;', enabled => TRUE); END;
--! oracle | an old job
DECLARE j NUMBER; BEGIN DBMS_JOB.SUBMIT(j, 'insert into x select doctor, drug_code, sum(costs) from drug_dispense_rec group by doctor, drug_code;', SYSDATE); END;
--! oracle | charges in place of prescriptions
SELECT doctor, item_name, SUM(costs) FROM inp_bill_detail GROUP BY doctor, item_name
--! oracle | pulled raw through a link
SELECT doctor, drug_code, dispense_amount FROM drug_dispense_rec@his
--! oracle | MODEL and WITH
WITH t AS (SELECT doctor d, drug_code c, SUM(costs) s FROM drug_dispense_rec GROUP BY doctor, drug_code) SELECT d, c, s FROM t WHERE s > 100
--! tsql | PIVOT
SELECT * FROM (SELECT doctor_id, drug_code, qty FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no) s PIVOT (SUM(qty) FOR drug_code IN ([A], [B])) q
--! tsql | GROUPING SETS
SELECT doctor_id, drug_code, SUM(qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no GROUP BY GROUPING SETS ((doctor_id, drug_code))
--! tsql | a local temporary table
SELECT p.doctor_id a, i.drug_code b INTO #t FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no; SELECT a, b, COUNT(*) FROM #t GROUP BY a, b
--! tsql | a table variable
DECLARE @t TABLE (a int, b varchar(20), c int); INSERT INTO @t SELECT p.doctor_id, i.drug_code, i.qty FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no; SELECT a, b, SUM(c) FROM @t GROUP BY a, b
--! tsql | CROSS APPLY
SELECT p.doctor_id, x.drug_name, COUNT(*) FROM prescriptions p CROSS APPLY (SELECT i.drug_name FROM prescription_items i WHERE i.presc_no = p.presc_no) x GROUP BY p.doctor_id, x.drug_name
--! tsql | a procedure
CREATE PROCEDURE dbo.m @from date AS SELECT doctor_id, drug_code, SUM(qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no WHERE presc_date > @from GROUP BY doctor_id, drug_code
--! tsql | a step of an agent's job
EXEC msdb.dbo.sp_add_jobstep @job_name = N'j', @step_name = N's', @subsystem = N'TSQL', @command = N'INSERT INTO x SELECT doctor_id, order_text, COUNT(*) FROM orders GROUP BY doctor_id, order_text'
--! tsql | sp_executesql with a parameter
EXEC sp_executesql N'SELECT doctor_id, order_text, COUNT(*) FROM orders WHERE ordered_at > @d GROUP BY doctor_id, order_text', N'@d date', @d = '2026-10-01'
--! tsql | FOR XML PATH, a list of drugs by doctor
SELECT p.doctor_id, STUFF((SELECT ',' + i.drug_name + CAST(i.qty AS varchar(9)) FROM prescription_items i WHERE i.presc_no = p.presc_no FOR XML PATH('')), 1, 1, '') FROM prescriptions p
--! tsql | a known procedure by name
EXEC sp_presc_by_doctor '2026-10-01'
--! postgres | a temporary table filled later
CREATE TEMP TABLE t (a int, b text); INSERT INTO t SELECT p.doctor_id, i.drug_code FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, count(*) FROM t GROUP BY a, b
--! tsql | a temporary table filled later
CREATE TABLE #t (a int, b varchar(9)); INSERT INTO #t SELECT p.doctor_id, i.drug_code FROM prescriptions p JOIN prescription_items i ON p.presc_no = i.presc_no; SELECT a, b, COUNT(*) FROM #t GROUP BY a, b
--! tsql | a table variable without quantities
DECLARE @t TABLE (a int, b varchar(9)); INSERT INTO @t SELECT p.doctor_id, i.drug_code FROM prescriptions p JOIN prescription_items i ON p.presc_no = i.presc_no; SELECT a, b, COUNT(*) FROM @t GROUP BY a, b
--! mysql | a temporary table without AS
CREATE TEMPORARY TABLE t SELECT p.doctor_id a, i.drug_code b FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, COUNT(*) FROM t GROUP BY a, b
--! postgres | two temporary tables, joined later
CREATE TEMP TABLE d AS SELECT presc_no, doctor_id FROM prescriptions; CREATE TEMP TABLE i AS SELECT presc_no, drug_code FROM prescription_items; SELECT doctor_id, drug_code, count(*) FROM d JOIN i USING (presc_no) GROUP BY 1, 2
--! postgres | both in one key
SELECT k, count(*) FROM (SELECT concat(doctor_id, drug_code) AS k FROM prescriptions JOIN prescription_items USING (presc_no)) x GROUP BY k
--! postgres | a count of doctors who gave the drug
SELECT doctor_id, count(*) FROM prescriptions p WHERE EXISTS (SELECT 1 FROM prescription_items i WHERE i.presc_no = p.presc_no AND i.drug_code = 'A') GROUP BY 1
--! postgres | a union that keeps each pair once
SELECT doctor_id, drug_code FROM prescriptions JOIN prescription_items USING (presc_no) UNION SELECT doctor_id, order_text FROM orders
--! postgres | a job of pg_cron
SELECT cron.schedule('0 1 * * *', $$INSERT INTO x SELECT doctor_id, order_text, count(*) FROM orders GROUP BY 1, 2$$)
--! oracle | DECODE in the sum
SELECT prescribed_by, SUM(DECODE(drug_code, 'A', quantity, 0)) FROM drug_presc_master m, drug_presc_detail d WHERE m.presc_no = d.presc_no GROUP BY prescribed_by
--! oracle | a job by CALL
CALL DBMS_JOB.SUBMIT(1, 'insert into x select doctor, drug_code, sum(costs) from drug_dispense_rec group by doctor, drug_code;')
--! oracle | a cursor that a function gives
CREATE OR REPLACE FUNCTION f RETURN SYS_REFCURSOR IS c SYS_REFCURSOR; BEGIN OPEN c FOR SELECT doctor, drug_code, SUM(costs) s FROM drug_dispense_rec GROUP BY doctor, drug_code; RETURN c; END;
--! mysql | told by its order alone, no number shown
SELECT p.doctor_id FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE i.drug_code = 'A' GROUP BY p.doctor_id HAVING SUM(i.qty) > 100 ORDER BY SUM(i.qty) DESC

--! postgres | doctors times drugs, a count for each pair in a subquery
SELECT s.staff_name, d.drug_name, (SELECT sum(i.qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no WHERE p.doctor_id = s.staff_id AND i.drug_code = d.drug_code) FROM staff_accounts s CROSS JOIN pharmacy.drug_dict d
--! postgres | a correlated list of drugs for each doctor
SELECT s.staff_name, (SELECT string_agg(i.drug_name || ':' || i.qty, ';') FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = s.staff_id) FROM staff_accounts s
--! postgres | a correlated list, by the prescriptions themselves
SELECT p.doctor_id, (SELECT string_agg(i.drug_name, ',') FROM prescription_items i WHERE i.presc_no = p.presc_no) FROM prescriptions p
--! postgres | lateral
SELECT s.staff_name, t.drug_name, t.q FROM staff_accounts s, LATERAL (SELECT i.drug_name, sum(i.qty) q FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = s.staff_id GROUP BY i.drug_name) t
--! postgres | through a temporary table
CREATE TEMP TABLE z AS SELECT p.doctor_id a, i.drug_code b, i.qty c FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, sum(c) FROM z GROUP BY a, b
--! postgres | through a temporary table filled by INSERT
CREATE TEMP TABLE z (a int, b text, c int); INSERT INTO z SELECT p.doctor_id, i.drug_code, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, sum(c) FROM z GROUP BY 1, 2
--! postgres | keys glued together
SELECT p.doctor_id || '-' || i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1
--! postgres | keys hashed
SELECT md5(p.doctor_id::text), md5(i.drug_code), count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY md5(p.doctor_id::text), md5(i.drug_code)
--! postgres | GROUPING SETS
SELECT p.doctor_id, i.drug_code, sum(i.cost) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY GROUPING SETS ((p.doctor_id, i.drug_code), ())
--! postgres | CUBE
SELECT p.doctor_id, i.drug_code, sum(i.cost) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY CUBE (p.doctor_id, i.drug_code)
--! postgres | a row as the key
SELECT (p.doctor_id, i.drug_code), count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY (p.doctor_id, i.drug_code)
--! postgres | the best doctor of each drug by rank
SELECT * FROM (SELECT p.doctor_id, i.drug_code, sum(i.qty) q, rank() OVER (PARTITION BY i.drug_code ORDER BY sum(i.qty) DESC) r FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id, i.drug_code) t WHERE r <= 3
--! postgres | objects of drugs for each doctor
SELECT p.doctor_id, json_object_agg(i.drug_code, i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id
--! postgres | the drug in HAVING
SELECT p.doctor_id, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id, i.drug_code HAVING i.drug_code = 'X'
--! postgres | the drug in IN
SELECT doctor_id, count(*) FROM prescriptions WHERE presc_no IN (SELECT presc_no FROM prescription_items WHERE drug_name LIKE '%他汀%') GROUP BY doctor_id
--! postgres | the drug in EXISTS
SELECT p.doctor_id, count(*) FROM prescriptions p WHERE EXISTS (SELECT 1 FROM prescription_items i WHERE i.presc_no = p.presc_no AND i.drug_code = 'X') GROUP BY p.doctor_id
--! postgres | the drug in ON
SELECT p.doctor_id, count(*) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no AND i.drug_code = ANY($1) GROUP BY p.doctor_id
--! postgres | two steps
WITH a AS (SELECT presc_no, drug_code, sum(qty) q FROM prescription_items GROUP BY presc_no, drug_code), b AS (SELECT p.doctor_id, a.drug_code, a.q FROM a JOIN prescriptions p USING (presc_no)) SELECT doctor_id, drug_code, sum(q) FROM b GROUP BY 1, 2
--! postgres | COPY of it
COPY (SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2) TO PROGRAM 'cat > /tmp/x'
--! postgres | a materialised view
CREATE MATERIALIZED VIEW x.mv AS SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2
--! postgres | a query in a string
SELECT query_to_xml('select p.doctor_id, i.drug_code, sum(i.qty) from prescriptions p join prescription_items i using (presc_no) group by 1, 2', true, false, '')
--! postgres | a prepared one
PREPARE t AS SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2
--! postgres | a table function returning it
CREATE FUNCTION f(d date) RETURNS TABLE (a int, b text, c numeric) AS $f$ BEGIN RETURN QUERY SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date > d GROUP BY 1, 2; END $f$ LANGUAGE plpgsql
--! postgres | a function that runs it as text
CREATE FUNCTION f() RETURNS SETOF record AS $f$ BEGIN RETURN QUERY EXECUTE 'SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2'; END $f$ LANGUAGE plpgsql
--! postgres | self join by patient's stay
SELECT p.doctor_id, i.drug_code, count(*) FROM prescriptions p, prescription_items i, visits v WHERE p.presc_no = i.presc_no AND p.visit_id = v.visit_id AND v.dept_code = '01' GROUP BY p.doctor_id, i.drug_code
--! postgres | by the doctor's name from the staff table
SELECT s.staff_name, i.drug_name, sum(i.qty) FROM prescription_items i JOIN prescriptions p USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id GROUP BY s.staff_name, i.drug_name
--! postgres | one doctor of a name, by drug
SELECT i.drug_name, sum(i.qty) FROM prescription_items i JOIN prescriptions p USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id WHERE s.staff_name = '王医生' AND p.presc_date >= '2026-01-01' GROUP BY i.drug_name
--! postgres | orders of wards
SELECT doctor_id, order_text, count(*) FROM orders WHERE order_class = 'A' GROUP BY doctor_id, order_text
--! postgres | count with a window and no group
SELECT p.doctor_id, i.drug_name, count(*) OVER (PARTITION BY p.doctor_id, i.drug_name) FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! postgres | single doctors in a union
SELECT 'A', sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = 1 AND i.drug_code = 'X' UNION ALL SELECT 'B', sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = 2 AND i.drug_code = 'X'
--! postgres | maker through the drug list
SELECT m.prescribed_by, sum(d.costs) FROM pharmacy.drug_presc_master m JOIN pharmacy.drug_presc_detail d USING (presc_no) JOIN pharmacy.drug_price_list l ON l.drug_code = d.drug_code WHERE l.firm_id = '恒瑞' GROUP BY m.prescribed_by
--! postgres | raw without names, in a CTE
WITH r AS (SELECT * FROM prescriptions p JOIN prescription_items i USING (presc_no)) SELECT doctor_id, drug_code, qty FROM r WHERE presc_date > '2026-10-01'
--! mysql | GROUP_CONCAT of pairs
SELECT GROUP_CONCAT(CONCAT(p.doctor_id, ':', i.drug_code, ':', i.qty)) FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! mysql | WITH ROLLUP
SELECT p.doctor_id, i.drug_name, SUM(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id, i.drug_name WITH ROLLUP
--! mysql | IF inside SUM
SELECT p.doctor_id, SUM(IF(i.drug_code = 'X', i.qty, 0)) x, SUM(IF(i.drug_code = 'Y', i.qty, 0)) y FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id
--! mysql | a comparison inside SUM
SELECT p.doctor_id, SUM(i.drug_code = 'X') FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY p.doctor_id
--! mysql | into a file
SELECT p.doctor_id, i.drug_code, i.qty INTO OUTFILE '/tmp/x.csv' FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! mysql | Chinese aliases
SELECT p.doctor_id AS 医生, i.drug_name AS 药品, SUM(i.qty) AS 数量 FROM prescriptions p, prescription_items i WHERE p.presc_no = i.presc_no GROUP BY 医生, 药品
--! mysql | Jun-wei outpatient
SELECT o.DOCTOR, p.DRUG_NAME, SUM(p.AMOUNT) FROM OUTP_ORDERS o JOIN OUTP_PRESC p ON o.SERIAL_NO = p.SERIAL_NO GROUP BY o.DOCTOR, p.DRUG_NAME
--! mysql | cloud
SELECT doctor_name, item_name, SUM(total_num) FROM outpt_prescribe a JOIN outpt_prescribe_detail b ON b.op_id = a.id GROUP BY doctor_name, item_name
--! mysql | cloud advice
SELECT doctor_id, item_name, SUM(num) FROM inpt_advice WHERE hosp_code = '1' GROUP BY doctor_id, item_name
--! mysql | a temporary table
CREATE TEMPORARY TABLE z SELECT p.doctor_id a, i.drug_code b, i.qty c FROM prescriptions p JOIN prescription_items i USING (presc_no); SELECT a, b, SUM(c) FROM z GROUP BY a, b
--! mysql | an event
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN INSERT INTO x.t SELECT p.doctor_id, i.drug_code, SUM(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2; END
--! oracle | PIVOT
SELECT * FROM (SELECT m.prescribed_by, d.drug_name, d.quantity FROM drug_presc_master m JOIN drug_presc_detail d ON d.presc_no = m.presc_no) PIVOT (SUM(quantity) FOR drug_name IN ('A' AS a, 'B' AS b))
--! oracle | DECODE inside SUM
SELECT m.prescribed_by, SUM(DECODE(d.drug_code, 'X', d.quantity, 0)) FROM drug_presc_master m, drug_presc_detail d WHERE m.presc_no = d.presc_no GROUP BY m.prescribed_by
--! oracle | old outer join
SELECT m.prescribed_by, d.drug_code, SUM(d.quantity) FROM drug_presc_master m, drug_presc_detail d WHERE m.presc_no = d.presc_no(+) GROUP BY m.prescribed_by, d.drug_code
--! oracle | analytic
SELECT DISTINCT m.prescribed_by, d.drug_code, SUM(d.quantity) OVER (PARTITION BY m.prescribed_by, d.drug_code) FROM drug_presc_master m, drug_presc_detail d WHERE m.presc_no = d.presc_no
--! oracle | a scheduler job
BEGIN DBMS_SCHEDULER.CREATE_JOB(job_name => 'J', job_type => 'PLSQL_BLOCK', job_action => 'begin insert into x.t select m.prescribed_by, d.drug_code, sum(d.quantity) from drug_presc_master m, drug_presc_detail d where m.presc_no=d.presc_no group by m.prescribed_by, d.drug_code; end;'); END;
--! oracle | wards in pinyin
SELECT YSGH, YPXH, SUM(YCSL) FROM ZY_BQYZ GROUP BY YSGH, YPXH
--! oracle | outpatient in pinyin, the doctor's name
SELECT y.YGXM, t.YPMC, SUM(b.YPSL) FROM MS_CF01 a, MS_CF02 b, GY_YGDM y, YK_TYPK t WHERE a.CFSB = b.CFSB AND a.YSDM = y.YGDM AND b.YPXH = t.YPXH GROUP BY y.YGXM, t.YPMC
--! oracle | charges in pinyin
SELECT YSGH, FYMC, SUM(ZJJE) FROM ZY_FYMX WHERE FYRQ > SYSDATE - 30 GROUP BY YSGH, FYMC
--! oracle | one factory in pinyin
SELECT a.YSDM, SUM(b.HJJE) FROM MS_CF01 a JOIN MS_CF02 b ON a.CFSB = b.CFSB WHERE b.YPCD = 12 GROUP BY a.YSDM
--! oracle | dispensing
SELECT doctor, drug_code, SUM(dispense_amount) FROM pharmacy.drug_dispense_rec GROUP BY doctor, drug_code
--! oracle | MODEL-free running total
SELECT doctor, drug_code, SUM(dispense_amount) OVER (PARTITION BY doctor ORDER BY drug_code) FROM drug_dispense_rec
--! oracle | LISTAGG
SELECT doctor, LISTAGG(drug_code || '=' || dispense_amount, ',') WITHIN GROUP (ORDER BY drug_code) FROM drug_dispense_rec GROUP BY doctor
--! oracle | in a package
CREATE OR REPLACE PACKAGE BODY rpt IS PROCEDURE p(c OUT SYS_REFCURSOR) IS BEGIN OPEN c FOR SELECT doctor, drug_code, SUM(dispense_amount) FROM drug_dispense_rec GROUP BY doctor, drug_code; END; END;
--! tsql | PIVOT
SELECT * FROM (SELECT p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no) s PIVOT (SUM(qty) FOR drug_name IN ([阿托伐他汀], [氯吡格雷])) x
--! tsql | CROSS APPLY
SELECT p.doctor_id, x.drug_name, SUM(x.qty) FROM prescriptions p CROSS APPLY (SELECT * FROM prescription_items i WHERE i.presc_no = p.presc_no) x GROUP BY p.doctor_id, x.drug_name
--! tsql | a temp table in one batch
SELECT p.doctor_id a, i.drug_code b, i.qty c INTO #z FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no SELECT a, b, SUM(c) FROM #z GROUP BY a, b
--! tsql | a table variable
DECLARE @z TABLE (a int, b varchar(20), c int) INSERT INTO @z SELECT p.doctor_id, i.drug_code, i.qty FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no SELECT a, b, SUM(c) FROM @z GROUP BY a, b
--! tsql | sp_executesql with pieces
DECLARE @g nvarchar(200) = N' GROUP BY p.doctor_id, i.drug_code'; DECLARE @s nvarchar(max) = N'SELECT p.doctor_id, i.drug_code, SUM(i.qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no' + @g; EXEC sp_executesql @s
--! tsql | FOR XML
SELECT p.doctor_id, i.drug_code, SUM(i.qty) AS q FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no GROUP BY p.doctor_id, i.drug_code FOR XML RAW
--! tsql | COUNT_BIG
SELECT p.doctor_id, i.drug_code, COUNT_BIG(*) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no GROUP BY p.doctor_id, i.drug_code
--! tsql | Chinese tables
SELECT [开方医生], [药品名称], SUM([金额]) FROM [处方明细] GROUP BY [开方医生], [药品名称]
--! tsql | the view of Chinese name
SELECT 医生, 药品, 数量 FROM INQ_VD住院费用明细_处方明细 WHERE 开方日期 > '2026-10-01'
--! tsql | a procedure with a parameter for the drug
CREATE PROC dbo.p @drug varchar(20) AS SELECT p.doctor_id, SUM(i.qty) FROM prescriptions p JOIN prescription_items i ON i.presc_no = p.presc_no WHERE i.drug_code = @drug GROUP BY p.doctor_id
--! tsql | alter view
ALTER VIEW dbo.v AS SELECT p.doctor_id, i.drug_code, SUM(i.qty) q FROM dbo.prescriptions p JOIN dbo.prescription_items i ON i.presc_no = p.presc_no GROUP BY p.doctor_id, i.drug_code
--! postgres | keys of prescriptions that a recursion makes up
WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r WHERE n < 1000000) SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN r ON p.presc_no = r.n GROUP BY 1, 2
--! postgres | keys of prescriptions that a series makes up
SELECT p.doctor_id, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_no IN (SELECT generate_series(1, 1000000)) GROUP BY 1, 2
--! postgres | LATERAL, a prescription for each row around
SELECT x.* FROM t, LATERAL (SELECT p.doctor_id, i.drug_code, sum(i.qty) q FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_no = a::int GROUP BY 1, 2) x
--! postgres | the doctor of the visit
SELECT v.doctor_id, i.drug_name, sum(i.qty) FROM visits v JOIN prescriptions p USING (visit_id) JOIN prescription_items i USING (presc_no) GROUP BY 1, 2
--! postgres | charges by the doctor of the visit
SELECT v.doctor_id, b.item_name, count(*), sum(b.amount) FROM visits v JOIN billing b USING (visit_id) GROUP BY 1, 2
--! mysql | the doctor of the visit, Chinese names
SELECT v.医生, i.药品名称, sum(i.数量) FROM 就诊记录 v JOIN 处方明细 i ON i.就诊号 = v.就诊号 GROUP BY v.医生, i.药品名称
--! postgres | drugs between two codes
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE drug_code BETWEEN 'A' AND 'B' GROUP BY doctor_id
--! postgres | drugs from a code on
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE drug_code >= 'A' AND drug_code < 'B' GROUP BY doctor_id
--! mysql | drugs of a list in a text
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE FIND_IN_SET(drug_code, 'A01,A02') GROUP BY doctor_id
--! mysql | drugs whose name has a part
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE INSTR(drug_name, '阿莫') GROUP BY doctor_id
--! postgres | drugs of a list table
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE drug_code IN (SELECT code FROM focus_drugs) GROUP BY doctor_id
--! postgres | drugs of a joined list table
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN focus_drugs f ON f.code = i.drug_code GROUP BY doctor_id
--! postgres | a drug by another column of the drug list
SELECT doctor_id, sum(qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN drug_dict d USING (drug_code) WHERE d.input_code LIKE 'AMX%' GROUP BY doctor_id
--! postgres | who prescribed one drug
SELECT s.staff_name FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id WHERE i.drug_name = '阿托伐他汀' AND p.presc_date >= '2026-10-01'
--! postgres | a column for each doctor, a row for each drug
SELECT d.drug_name, (SELECT count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE i.drug_code = d.drug_code AND p.doctor_id = 7) a, (SELECT count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE i.drug_code = d.drug_code AND p.doctor_id = 8) b FROM drug_dict d
--! postgres | a bulk pull with the key beside it
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date >= '2026-01-01'
--! postgres | a bulk pull of one status with the key beside it
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.status = 1
--! postgres | a bulk pull with a day asked elsewhere
SELECT p.presc_no, p.doctor_id, i.drug_name, i.qty, (SELECT count(*) FROM prescriptions q WHERE q.presc_date = current_date) FROM prescriptions p JOIN prescription_items i USING (presc_no)
--! postgres | a day counted by doctor
SELECT p.doctor_id, i.drug_name, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.presc_date = current_date GROUP BY 1, 2
--! postgres | one doctor counted for one drug
SELECT count(*) FROM prescriptions p JOIN prescription_items i USING (presc_no) WHERE p.doctor_id = $1 AND i.drug_code = $2
--! postgres | last day by doctor and drug
SELECT p.doctor_id, i.drug_name, max(p.presc_date) FROM prescriptions p JOIN prescription_items i USING (presc_no) GROUP BY 1, 2
--! postgres | accounts of doctors
SELECT s.login, s.title, i.drug_code, sum(i.qty) FROM prescriptions p JOIN prescription_items i USING (presc_no) JOIN staff_accounts s ON s.staff_id = p.doctor_id GROUP BY 1, 2, 3
--! oracle | the attending doctor of the stay
SELECT v.attending_doctor, o.order_text, SUM(o.dosage) FROM pat_visit v JOIN ordadm.orders o ON o.patient_id = v.patient_id AND o.visit_id = v.visit_id GROUP BY v.attending_doctor, o.order_text

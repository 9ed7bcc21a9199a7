-- Statements that a form's text broke out of. Headers as in reads.sql.

--! mysql | a union behind a key | injection: union
SELECT name FROM patients WHERE patient_id='1' UNION ALL SELECT 1,2,3,4 -- '
--! mysql | a union behind a key, 2 | injection: union
SELECT name FROM patients WHERE patient_id='1' UNION SELECT NULL,NULL,login,pwd_hash FROM staff_accounts#'
--! mysql | what is always true | injection: tautology
SELECT name FROM patients WHERE name='x' OR 'a'='a'
--! mysql | a comment that eats the quote | injection: comment
SELECT name FROM patients WHERE name='x' OR 1=1#'
--! mysql | a comment that eats the quote, 2 | injection: comment
SELECT name FROM patients WHERE name='admin'-- ' AND sex='F'
--! mysql | a second statement | injection: stacked
SELECT name FROM patients WHERE name='x'; DROP TABLE patients; -- '
--! mysql | a second statement, 2 | injection: stacked
SELECT name FROM patients WHERE name='x'; UPDATE staff_accounts SET pwd_hash='x' -- '
--! tsql | a second statement | injection: stacked
SELECT name FROM patients WHERE name='x'; EXEC xp_cmdshell 'dir'--'
--! tsql | a second statement, 2 | injection: stacked
SELECT name FROM patients WHERE name='x' EXEC master..xp_cmdshell 'dir'--'
--! tsql | a second statement, 3 | injection: stacked
SELECT name FROM patients WHERE name='x'; WAITFOR DELAY '0:0:5'--'
--! tsql | a comment that eats the quote | injection: comment
SELECT name FROM patients WHERE name='x' AND 1=CONVERT(int,(SELECT TOP 1 name FROM sysobjects))--'
--! postgres | what is always true | injection: tautology
SELECT name FROM patients WHERE name='x' OR true--'
--! postgres | what is always true, 2 | injection: tautology
SELECT name FROM patients WHERE name='x' OR 2>1
--! postgres | what is always true, 3 | injection: tautology
SELECT name FROM patients WHERE name='x' OR 'x' LIKE 'x'
--! postgres | what is always true, 4 | injection: tautology
SELECT name FROM patients WHERE name='x' OR 1 BETWEEN 0 AND 2
--! postgres | what is always true, 5 | injection: tautology
SELECT name FROM patients WHERE name='x' OR NOT false
--! postgres | what is always true, 6 | injection: tautology
SELECT name FROM patients WHERE name='x' OR EXISTS(SELECT 1)
--! postgres | a question told by time | injection: delay
SELECT name FROM patients WHERE name='x' || (SELECT pg_sleep(5))||''
--! postgres | the list of tables asked | injection: dictionary
SELECT name FROM patients WHERE patient_id=1 AND (SELECT count(*) FROM pg_tables)>5
--! postgres | a second statement | injection: stacked
SELECT name FROM patients WHERE patient_id=1;COPY patients TO PROGRAM 'x'--
--! postgres | the list of tables asked, 2 | injection: dictionary
SELECT name FROM patients WHERE patient_id=1 UNION SELECT table_name FROM information_schema.tables
--! oracle | the list of tables asked | injection: dictionary
SELECT name FROM pat_master_index WHERE name='x'||UTL_INADDR.GET_HOST_ADDRESS((SELECT user FROM dual))||''
--! oracle | what is always true | injection: tautology
SELECT name FROM pat_master_index WHERE name='x' OR 1=1--'
--! mysql | a question told by time | injection: delay
SELECT name FROM patients WHERE patient_id=1 AND SLEEP(5)
--! mysql | a question told by time, 2 | injection: delay
SELECT name FROM patients WHERE patient_id=1 AND IF(1=1,BENCHMARK(1000000,MD5(1)),0)
--! mysql | a comment that eats the quote, 3 | injection: comment
SELECT name FROM patients WHERE name=''||1#'
--! mysql | what is always true, 2 | injection: tautology
SELECT name FROM patients WHERE patient_id=1 OR 1
--! mysql | what is always true, 3 | injection: tautology
SELECT name FROM patients WHERE name='' OR ''=''

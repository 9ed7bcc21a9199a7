"""What each rule must and must not raise. Sentences say why; events go through the real schema."""

from __future__ import annotations

from builders import event, login, query, service, transfer, vendor

P = ["identity"]
WHOLE = {"output_classes": P, "restriction": "none"}
BIG = WHOLE | {"rows": 4000}
UNTOLD = WHOLE | {"rows": None, "rows_kind": "unknown"}
JOB = {"approved": True, "job": "nightly"}
UNTOLD_TEXT = {
    "reason": "not_logged",
    "verb": "select",
    "understood": "none",
    "reads": None,
    "command": "SELECT",
    "object_name": "his.t",
}
CURSOR = UNTOLD | {"verb": "declare"}
PER_PATIENT = {"aggregate_functions": ["count"], "aggregate_by": ["identity", "patient_key", "contact"]}
ONE_ROW = WHOLE | {"rows": 1}
# as `hiswatch explain` names them: sqlglot spells out some
GATHERING = ("string_agg", "array_agg", "group_concat", "listagg", "j_s_o_n_array_agg", "j_s_o_n_b_object_agg")
GATHERED = (
    "select xmlagg(xmlelement(name a,name))from patients",
    "select jsonb_agg(to_jsonb(p))from patients p",
    "select json_object_agg(id_card_no,name)from patients",
    "select json_arrayagg(name)from patients",
    "select array(select name from patients)",
    "select query_to_xml('?',true,false,'?')",
    "select table_to_xml('?',true,false,'?')",
    "select * from patients for json auto",
)


def many(count, make, step=0.01, **columns):
    return [make(i * step, **columns) for i in range(count)]


def keys(count, first=1000, step=1, every=0.01, **columns):
    return [
        query(i * every, output_classes=P, restriction="point", patient_key_number=first + i * step,
              patient_keys=[f"k{first + i * step}"], patient_key_count=1, **columns)
        for i in range(count)
    ]  # fmt: skip


def pages(count, **columns):
    page = {"output_classes": P, "restriction": "none", "bound": 200, "rows": 200, "shape_id": "b" * 32} | columns
    return [query(i * 0.02, **page, row_offset=200 * i) for i in range(count)]


def pieces(count, **columns):
    piece = {"output_classes": P, "restriction": "range", "bound": 400, "rows": 400, "shape_id": "c" * 32} | columns
    return [query(i * 0.02, **piece) for i in range(count)]


def files(count, name="/out/list_{}.csv", every=0.01, **columns):
    return [
        transfer(i * every, **({"path": name.format(i), "file_shape": "table_export"} | columns)) for i in range(count)
    ]


def denied(count, code="42501", every=0.1, **columns):
    return [
        query(i * every, outcome="failed", error_code=code, rows=None, rows_kind=None, **columns) for i in range(count)
    ]


def failures(count, every=0.1, **columns):
    return [login(i * every, outcome="failed", **columns) for i in range(count)]


WORK_TABLES_DROPPED = (
    "DROP TABLE tmp_x",
    "drop table if exists his.temp_list;",
    'drop table "tmp_a"',
    "DROP TEMPORARY TABLE tmp_x",
)
DUMP = {"path": "/in/full.dmp", "file_shape": "dump", "bytes": 10**9}

# rule: (sentences that must fire, sentences that must not)
CASES: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "EXF-01": (
        {
            "four thousand patients read without a condition": [query(**BIG)],
            "a copy to the client whose rows the log does not tell": [query(verb="copy", **UNTOLD)],
            "contact data counts like identity": [query(**(BIG | {"output_classes": ["contact"]}))],
            "a count beside the names of all patients": [query(**BIG, **PER_PATIENT)],
            "the same where the log tells no rows": [query(**UNTOLD, **PER_PATIENT)],
            "a count in a subquery, rows untold": [query(**UNTOLD, aggregate_functions=["count"], shape="select name,(select count(*)from v where v.id=p.id)from p")],
            **{f"all patients in one row by {name}": [query(**ONE_ROW, aggregate_functions=[name])] for name in GATHERING},
            **{f"all patients in one row: {shape}": [query(**ONE_ROW, shape=shape)] for shape in GATHERED},
            "gathered by department, rows untold": [query(**UNTOLD, aggregate_functions=["group_concat"], aggregate_by=["department"])],
            "run under the text of its preparation": [query(**(BIG | {"rows": 12000}), verb="prepare", command="SELECT")],
        },
        {
            "one patient by key": [query(output_classes=P, restriction="point")],
            "a count of all patients": [query(**(BIG | {"output_classes": []}), aggregate_functions=["count"])],
            "counts by sex": [query(**(WHOLE | {"rows": 3}), aggregate_functions=["count"], aggregate_by=["identity"])],
            "counts by sex, rows untold": [query(**UNTOLD, aggregate_functions=["count"], aggregate_by=["identity"], shape="select sex,count(*)from patients group by sex")],
            "the newest name, rows untold": [query(**UNTOLD, aggregate_functions=["max"], shape="select max(created_at)from patients")],
            "a statement is prepared": [query(**UNTOLD, verb="prepare", command="PREPARE")],
            "its plan is shown": [query(**BIG, command="EXPLAIN")],
            "a table that holds twelve rows": [query(**(WHOLE | {"rows": 12}))],
            "the first two hundred rows in a query tool": [query(**(WHOLE | {"rows": 200, "bound": 200}))],
            "the statement was refused": [query(**BIG, outcome="failed")],
            "another record of the same act": [query(**BIG, record_role="duplicate")],
        },
    ),
    "EXF-02": (
        {
            "six reads of a thousand rows within an hour": [query(9 * i, output_classes=P, restriction="range", rows=1000) for i in range(6)],
            "one list of five thousand rows": [query(output_classes=["lab"], restriction="range", rows=5000)],
            "a report server outside its scope": [query(output_classes=P, restriction="range", rows=6000, **service(in_scope=False))],
            "names with a count beside them": [query(output_classes=P, restriction="range", rows=6000, **PER_PATIENT)],
        },
        {
            "the same six reads over a day": [query(200 * i, output_classes=P, restriction="range", rows=1000) for i in range(6)],
            "one row below the line": [query(output_classes=P, restriction="range", rows=4999)],
            "the application at its usual work": [query(output_classes=P, restriction="range", rows=9000, **service())],
            "statistics by day and diagnosis": [query(output_classes=["clinical"], restriction="range", rows=9000, aggregate_functions=["count"], aggregate_by=["clinical"])],
            "drug prices are not patients": [query(output_classes=["drug"], restriction="range", rows=9000)],
        },
    ),
    "EXF-03": (
        {
            "five hundred patients in a shift, one by one": keys(500, first=1, step=7, every=1),
            "six lists of a hundred patients": [
                query(i, output_classes=P, restriction="set", patient_keys=[f"p{i}-{n}" for n in range(100)]) for i in range(6)
            ],
        },
        {
            "the same patient a thousand times": [query(i * 0.01, output_classes=P, restriction="point", patient_keys=["p"]) for i in range(1000)],
            "four hundred and ninety-nine patients": keys(499, first=1, step=7, every=1),
            "the application serves a whole hospital": keys(600, step=7, **service()),
        },
    ),
    "EXF-04": (
        {
            "twenty pages of two hundred rows": pages(20),
            "eight pages through a service account from a foreign place": pages(8, **service(place_allowed=False)),
        },
        {
            "a grid that shows five pages": pages(5),
            "the same page refreshed twenty times": [query(i, output_classes=P, row_offset=0, bound=200, restriction="none") for i in range(20)],
            "pages of different statements": [p | {"shape_id": f"{i:032d}"} for i, p in enumerate(pages(20))],
        },
    ),
    "EXF-04b": (
        {"ten pieces of four hundred rows by key": pieces(10), "pieces whose rows the log does not tell": pieces(8, rows=None, rows_kind="unknown"), "a key range with an offset that stays": pieces(10, restriction="range", row_offset=0)},
        {
            "a work list refreshed with few rows": pieces(20, rows=12),
            "seven pieces": pieces(7),
            "ward lists without a bound": pieces(20, bound=None),
            "pages by offset are another rule": [piece | {"row_offset": i * 400} for i, piece in enumerate(pieces(20, restriction="none"))],
        },
    ),
    "EXF-05": (
        {
            "a hundred patients with following numbers in a minute": keys(100),
            "backwards as well": keys(100, first=9000, step=-1),
            "a report server that reads patients one by one": keys(100, **service(in_scope=False)),
        },
        {
            "a hundred patients without order": keys(100, step=37),
            "a registration desk, one new number every two minutes": keys(200, every=2),
            "the application serves a hundred desks": keys(300, **service()),
            "the same patient again and again": [query(i * 0.01, output_classes=P, restriction="point", patient_key_number=5) for i in range(200)],
        },
    ),
    "EXF-05b": (
        {"one session of the application counts through patients": keys(80, **service()), "slowly, within ten minutes": keys(70, every=0.12, **service())},
        {
            "a pool of forty sessions serves following patients": [k | {"session": f"s{i % 40}"} for i, k in enumerate(keys(400, **service()))],
            "a person is another rule's business": keys(80),
        },
    ),
    "EXF-05c": (
        {
            "three thousand patients in one list": [query(output_classes=P, restriction="set", patient_key_count=3000)],
            "a list that the log cut off": [query(output_classes=P, restriction="set", patient_key_count=60, truncated=True)],
        },
        {
            "a ward of fifty beds": [query(output_classes=P, restriction="set", patient_key_count=50)],
            "a list that returns drugs": [query(output_classes=["drug"], restriction="set", patient_key_count=3000)],
        },
    ),
    "EXF-06": (
        {
            "the signature of a dump tool": [query(dump_tool="pg_dump", verb="copy", **UNTOLD)],
            "the program names itself and copies": [query(client_program="pg_dump", verb="copy", reads=["dept"])],
            "a whole schema in one value": [query(shape="select schema_to_xml('?',true,false,'?')", reads=[])],
            "a whole database in one value": [query(shape="select pg_catalog.database_to_xml_and_xmlschema(true,false,'?')", reads=[])],
            "mysqldump of one table": [query(dump_tool="mysqldump", output_classes=["lab"])],
        },
        {
            "the catalogue read by a dump tool that then stops": [query(client_program="pg_dump", reads=["pg_class"])],
            "an ordinary program that is called like one": [query(client_program="pg_dumper_gui_x", **(WHOLE | {"rows": 1}))],
            "the definition of a schema only": [query(shape="select schema_to_xmlschema('?',true,false,'?')", reads=[])],
            "refused at once": [query(dump_tool="pg_dump", outcome="failed")],
        },
    ),
    "EXF-07": (
        {
            "a table written to a file on the server": [query(destination="file", verb="copy")],
            "a file of the server read": [query(dangerous=["server_file"])],
            "a result piped into a program": [query(destination="program", verb="copy")],
        },
        {"a result to the client": [query(destination="client")], "a backup has its own rule": [query(verb="backup", destination="file", dangerous=["backup"])]},
    ),
    "EXF-08": (
        {
            "patients copied into a table of one's own": [query(verb="create", destination="table", output_classes=P, rows=4000, restriction="none")],
            "with a count beside the names": [query(verb="create", destination="table", **BIG, **PER_PATIENT)],
            "all patients in one value": [query(verb="create", destination="table", **ONE_ROW, aggregate_functions=["string_agg"])],
            "insert from a select over a range": [query(verb="insert", destination="table", output_classes=["clinical"], restriction="range", rows=900)],
        },
        {
            "one patient's row copied": [query(verb="insert", destination="table", output_classes=P, restriction="point")],
            "a summary without patients": [query(verb="insert", destination="table", output_classes=["drug"], restriction="none", rows=90)],
            "counts by sex stored, rows untold": [query(verb="create", destination="table", **UNTOLD, aggregate_functions=["count"], aggregate_by=["identity"])],
            "counts stored for a report": [query(verb="insert", destination="table", output_classes=P, restriction="none", aggregate_functions=["count"])],
        },
    ),
    "EXF-09": (
        {"a link is made": [query(dangerous=["link"])], "rows sent to another database": [query(destination="other_database", verb="insert")]},
        {"an ordinary join": [query(reads=["a", "b"])], "an insert into a local table": [query(verb="insert", destination="table")]},
    ),
    "EXF-10": (
        {
            "a backup statement at noon": [query(dangerous=["backup"], verb="backup")],
            "a replication connection": [login(detail="replication connection authorized: application_name=pg_basebackup")],
        },
        {"an ordinary login": [login(detail="connection authorized")], "a backup that failed": [query(dangerous=["backup"], outcome="failed")]},
    ),
    "CHG-03c": (
        {"eight thousand bills changed": [query(verb="update", command="UPDATE", rows=8000)], "deleted without the text in the log": [query(verb=None, shape=None, command="DELETE", rows=5000)]},
        {"five rows": [query(verb="update", command="UPDATE", rows=5)], "a plan is shown": [query(command="EXPLAIN", rows=8000)], "the application at night": [query(command="DELETE", rows=9000, **service())]},
    ),
    "EXF-02b": (
        {"four thousand rows of an audited table": [query(**UNTOLD_TEXT, rows=4000)], "in three parts": [query(i, **UNTOLD_TEXT, rows=1000) for i in range(3)]},
        {"one row": [query(**UNTOLD_TEXT, rows=1)], "over a day": [query(200 * i, **UNTOLD_TEXT, rows=1000) for i in range(5)], "the text is known": [query(command="SELECT", rows=4000, shape="select", object_name="t")]},
    ),
    "EXF-06b": (
        {"pg_dump connects": [login(client_program="pg_dump")], "a base backup by a vendor": [login(client_program="pg_basebackup", **vendor())]},
        {"a query tool": [login(client_program="psql")], "it was refused": [login(client_program="pg_dump", outcome="failed")], "no program is told": [login(client_program=None)]},
    ),
    "EXF-06c": (
        {"sixteen tables in a second": [query(i * 0.001, **UNTOLD_TEXT | {"object_name": f"his.t{i}"}) for i in range(16)], "ten tables": [query(i * 0.05, **UNTOLD_TEXT | {"object_name": f"his.t{i}", "command": "READ"}) for i in range(10)]},
        {"one table a hundred times": [query(i * 0.001, **UNTOLD_TEXT) for i in range(100)], "sixteen tables in a day": [query(i * 60, **UNTOLD_TEXT | {"object_name": f"his.t{i}"}) for i in range(16)]},
    ),
    "ACC-05b": (
        {"the table of accounts is written": [query(reason="not_logged", verb=None, command="WRITE", object_name="mysql.global_priv")], "told as part of an act": [query(reason="not_logged", command="WRITE", object_name="mysql.db", record_role="part")], "beside the record of its statement": [query(reason="not_logged", command="WRITE", object_name="mysql.db", record_role="part"), query(verb="grant")]},
        {"a table of the hospital": [query(reason="not_logged", command="WRITE", object_name="his.user")], "it is read": [query(reason="not_logged", command="READ", object_name="mysql.user")]},
    ),
    "EXF-13": (
        {
            "a vendor reads patients, text not logged": [query(**UNTOLD_TEXT | {"output_classes": ["identity"]}, **vendor())],
            "prescriptions, how many is not known": [query(**UNTOLD_TEXT | {"output_classes": ["prescription"], "rows": None, "rows_kind": "unknown"}, **vendor())],
        },
        {
            "the application reads them": [query(**UNTOLD_TEXT | {"output_classes": ["identity"]}, **service())],
            "a vendor reads the drug list": [query(**UNTOLD_TEXT | {"output_classes": ["drug"]}, **vendor())],
            "a ticket covers it": [query(**UNTOLD_TEXT | {"output_classes": ["identity"]}, **vendor(ticket="t", in_scope=True))],
        },
    ),
    "EXF-17": (
        {"a cursor over all patients": [query(**CURSOR)], "with a count beside the names": [query(**CURSOR, **PER_PATIENT)], "a cursor over a range": [query(**(CURSOR | {"restriction": "range"}))]},
        {"a cursor over one patient": [query(**(CURSOR | {"restriction": "point"}))], "a cursor over counts by sex": [query(**CURSOR, aggregate_functions=["count"], aggregate_by=["identity"])], "a cursor over departments": [query(verb="declare", output_classes=[])]},
    ),
    "EXF-20": (
        {
            "all hashes read": [query(output_classes=["credential"], restriction="none", rows=200)],
            "all hashes in one row": [query(output_classes=["credential"], restriction="none", rows=1, aggregate_functions=["string_agg"])],
            "rows unknown": [query(output_classes=["credential", "staff"], restriction="range", rows=None, rows_kind="unknown")],
            "stored connection secrets": [query(output_classes=["credential"], reads=["pg_subscription"], rows=None, rows_kind="unknown")],
        },
        {
            "the login function reads one row": [query(output_classes=["credential"], restriction="range", rows=1)],
            "the log in of one account by key": [query(output_classes=["credential"], restriction="point", rows=1)],
            "a list of doctors": [query(output_classes=["staff"], restriction="none", rows=200)],
        },
    ),
    "EXF-20b": (
        {
            "a query tool shows two hundred accounts": [query(output_classes=["credential"], bound=200, rows=200)],
            "rows unknown": [query(output_classes=["credential"], bound=100, rows=None, rows_kind="unknown")],
        },
        {"one row": [query(output_classes=["credential"], bound=200, rows=1)], "no bound is the other rule": [query(output_classes=["credential"], rows=200)]},
    ),
    "EXF-20c": (
        {
            "the accounts of the server": [query(**UNTOLD_TEXT | {"command": "READ", "object_name": "mysql.global_priv"})],
            "the same of another server": [query(**UNTOLD_TEXT | {"object_name": "pg_catalog.pg_authid"}, **vendor())],
            "beside the record of its statement": [query(**UNTOLD_TEXT | {"command": "READ", "object_name": "mysql.global_priv", "record_role": "part"}), query()],
        },
        {
            "statistics of the optimiser": [query(**UNTOLD_TEXT | {"command": "READ", "object_name": "mysql.table_stats"})],
            "a table of the application with a like name": [query(**UNTOLD_TEXT | {"object_name": "his.user"})],
            "written is another rule": [query(**UNTOLD_TEXT | {"command": "WRITE", "object_name": "mysql.global_priv"})],
        },
    ),
    "TF-01": (
        {
            "drug quantity by doctor": [query(tongfang=True, aggregate_functions=["sum"], rows=120)],
            "counted by a vendor": [query(tongfang=True, aggregate_functions=["count"], **vendor())],
        },
        {
            "drug quantity by department": [query(tongfang=False, aggregate_functions=["sum"])],
            "a view is defined": [query(tongfang=True, aggregate_functions=["sum"], verb="create")],
        },
    ),
    "TF-02": (
        {"doctor, drug and quantity in rows": [query(tongfang=True, rows=3000)], "rows unknown": [query(tongfang=True, rows=None, rows_kind="unknown")]},
        {"one prescription on a screen": [query(tongfang=True, rows=4)], "drugs without doctor": [query(tongfang=False, rows=3000)]},
    ),
    "TF-02b": (
        {
            "a thousand lines of prescriptions": [query(**UNTOLD_TEXT | {"output_classes": ["prescription"], "rows": 1000}, **vendor())],
            "in five portions": [query(9 * i, **UNTOLD_TEXT | {"output_classes": ["drug", "prescription"], "rows": 120}) for i in range(5)],
        },
        {
            "fifty sampled prescriptions of a day": [query(**UNTOLD_TEXT | {"output_classes": ["prescription"], "rows": 150})],
            "the application at its usual work": [query(**UNTOLD_TEXT | {"output_classes": ["prescription"], "rows": 9000}, **service())],
            "the list of drugs": [query(**UNTOLD_TEXT | {"output_classes": ["drug"], "rows": 9000})],
            "where the text is told other rules judge it": [query(output_classes=["prescription"], restriction="range", rows=900)],
        },
    ),
    "TF-06": (
        {"a view that counts by doctor": [query(tongfang=True, verb="create")], "a procedure is changed": [query(tongfang=True, verb="alter")]},
        {"a view of departments": [query(verb="create", schema_change=True)], "it was refused": [query(tongfang=True, verb="create", outcome="failed")]},
    ),
    "TIM-01": (
        {"a vendor at two in the morning": [query(**vendor(time_allowed=False))], "a login is enough": [login(**vendor(time_allowed=False))]},
        {"a vendor at ten in the morning": [query(**vendor())], "the hospital's own at night": [query(time_allowed=False)]},
    ),
    "TIM-02": (
        {"a vendor reads a patient without a ticket": [query(**WHOLE, **vendor())], "a vendor puts a file": [transfer(action="upload", **vendor())]},
        {
            "a vendor with a ticket": [query(**WHOLE, **vendor(ticket="T1"))],
            "a vendor looks at the state of the server": [query(**vendor())],
            "inside what the contract allows": [query(verb="insert", **vendor(in_scope=True))],
        },
    ),
    "ACC-02": (
        {"a leaver logs in": [login(person_valid=False)], "even a failed try": [login(person_valid=False, outcome="failed")]},
        {"a valid person": [login()], "a service belongs to no person": [login(**service(person_valid=None))]},
    ),
    "ACC-03": (
        {
            "an account nobody registered": [login(account="x9", person=None, account_registered=False, actor_kind="unknown")],
            "it reads although its log-in is in no log": [query(account="x9", account_registered=False, outcome="failed")],
        },
        {"a registered account": [login()], "no register was written yet": [login(account_registered=None)], "a failed try of one": [login(account="admin", account_registered=False, outcome="failed")]},
    ),
    "ACC-03b": (
        {
            "a name that does not exist is tried": [login(account="admin", account_registered=False, outcome="failed")],
            "nine hundred names from one address": [login(i * 0.01, account=f"a{i}", account_registered=False, outcome="failed") for i in range(900)],
        },
        {"a registered name": failures(9), "the log-in succeeded": [login(account="x9", account_registered=False)], "no register was written yet": [login(account_registered=None, outcome="failed")]},
    ),
    "ACC-05": (
        {"an account is made": [query(verb="create", privilege_change=True)], "a password is changed": [query(verb="alter", privilege_change=True)], "an account made beside a user mapping": [query(verb="create", privilege_change=True, shape="create user mapping for a server b; create user z")]},
        {"a user mapping is a link": [query(verb="create", privilege_change=True, dangerous=["link"], shape="create user mapping for a server b options(user'?',password'?')")], "a table is made": [query(verb="create", schema_change=True)], "a grant is another rule": [query(verb="grant", privilege_change=True)]},
    ),
    "PRV-01": (
        {"rights for everybody": [query(verb="grant", privilege_change=True)], "by a vendor": [query(verb="grant", privilege_change=True, **vendor())]},
        {"rights taken away": [query(verb="revoke", privilege_change=True)], "an ordinary read": [query()]},
    ),
    "PRV-05": (
        {"a shell from the database": [query(dangerous=["os_command"])], "a library is loaded": [query(dangerous=["library"])]},
        {"a delay is none": [query(dangerous=["delay"])], "an ordinary read": [query()]},
    ),
    "AUD-01": (
        {"the audit is switched off": [query(audit_change=True, verb="set")], "a vendor excludes itself": [query(audit_change=True, **vendor())]}
        | {text: [query(audit_change=True, verb="alter", shape=text)] for text in ("alter system set log_connections = off", "alter system set pgaudit.log_rows = off", "set global server_audit_logging=on", "reset pgaudit.log")},
        {"an ordinary setting": [query(verb="set", shape="set work_mem='?'")], "the switch is only shown": [query(shape="select @@general_log")], "the log told twice": [query(audit_change=True, record_role="duplicate")]}
        | {"more is logged than before": [query(audit_change=True, verb="alter", shape="alter system set log_connections = on")]},
    ),
    "AUD-02": (
        {
            "the server says that its audit changed": [event(action="setting", detail='parameter "pgaudit.log" changed to "none"')],
            "the general log was switched": [event(action="notice", detail="server_audit logging stopped")],
        },
        {"memory settings": [event(action="setting", detail='parameter "work_mem" changed to "8MB"')], "a query that names it": [query(detail="pgaudit.log")]},
    ),
    "AUD-04": (
        {
            "the part that is kept names no table": [query(truncated=True, reads=[], rows=None, rows_kind="unknown")],
            "typed by a vendor": [query(truncated=True, reads=None, verb="other", **vendor())],
        },
        {
            "a cut statement that names its tables": [query(truncated=True)],
            "a whole statement without a table": [query(reads=[])],
            "a long statement of the application": [query(truncated=True, reads=[], **service())],
            "a long insert": [query(truncated=True, reads=[], writes=["t"], verb="insert")],
            "it failed": [query(truncated=True, reads=[], outcome="failed")],
        },
    ),
    "AUD-07": (
        {
            "text that breaks the parser and names patients": [query(understood="lexical", reason="parse_error", restriction="none")],
            "nobody understood it": [query(understood="none", reason="too_long", output_classes=P)],
        },
        {
            "understood": [query(understood="ast", restriction="none")],
            "broken text without patients": [query(understood="none", reason="parse_error")],
            "the log cut it off": [query(understood="lexical", reason="truncated", restriction="point", truncated=True)],
        },
    ),
    "AUD-09": (
        {
            "a line break in the name of the account": [login(account="x\n2026-11-11 LOG", outcome="failed")],
            "quotes and separators": [login(account='a",OK LOGIN', outcome="failed")],
        },
        {"a Chinese name": [login(account="信息科_王工")], "a domain account": [login(account="HOSP\\wang")], "an address": [login(account="wang@h1.example")]},
    ),
    "CHG-01": (
        {
            "a vendor alters a table": [query(verb="alter", schema_change=True, **vendor())],
            "the application's account makes a procedure": [query(verb="create", schema_change=True, **service())],
            "a vendor makes a foreign server": [query(verb="create", schema_change=True, dangerous=["link"], shape="create server f_out foreign data wrapper postgres_fdw", **vendor())],
        },
        {
            "a vendor with a ticket": [query(verb="alter", schema_change=True, **vendor(ticket="T1"))],
            "the hospital's own administrator": [query(verb="alter", schema_change=True)],
            "a registered job": [query(verb="create", schema_change=True, **service(), **JOB)],
        },
    ),
    "CHG-01b": (
        {"the administrator makes a table": [query(verb="create", schema_change=True)], "a work table made": [query(verb="create", schema_change=True, shape="create table tmp_a (id int)")]}
        | {"two dropped at once": [query(verb="drop", schema_change=True, shape="drop table tmp_a, patients")], "a name with tmp inside": [query(verb="drop", schema_change=True, shape="drop table attempts")]}
        | {"the owner on the socket": [query(verb="drop", schema_change=True, actor_kind="owner")]},
        {"with a ticket": [query(verb="create", schema_change=True, ticket="T2")], "refused": [query(verb="create", schema_change=True, outcome="failed")]}
        | {f"a work table dropped: {text}": [query(verb="drop", schema_change=True, shape=text)] for text in WORK_TABLES_DROPPED},
    ),
    "CHG-03": (
        {"all bills set to zero": [query(verb="update", dangerous=["unrestricted_write"], rows=8000)], "all rows deleted": [query(verb="delete", dangerous=["unrestricted_write"])]}
        | {"a delete padded beyond the log's limit": [query(verb="delete", dangerous=["unrestricted_write"], truncated=True)]},
        {"one bill corrected": [query(verb="update")], "it was refused": [query(verb="delete", dangerous=["unrestricted_write"], outcome="failed")]}
        | {"a picture fills the log's limit before the condition": [query(verb="update", dangerous=["unrestricted_write"], truncated=True)]},
    ),
    "CHG-03b": (
        {"a vendor drops a work table": [query(verb="drop", dangerous=["drop"], shape="drop table tmp_x", **vendor())], "a table dropped": [query(verb="drop", dangerous=["drop"])], "a table emptied": [query(verb="truncate", dangerous=["truncate"])]}
        | {f"more than an account: {text}": [query(verb="drop", dangerous=["drop"], shape=text)] for text in ("drop user his cascade", "drop user a; drop table patients", "drop owned by a")},
        {"a registered job": [query(verb="drop", dangerous=["drop"], **JOB)], "it was refused": [query(verb="drop", dangerous=["drop"], outcome="failed")]}
        | {f"a work table dropped: {text}": [query(verb="drop", dangerous=["drop"], shape=text)] for text in WORK_TABLES_DROPPED}
        | {"a view holds no rows": [query(verb="drop", dangerous=["drop"], shape="drop view v_a")]}
        | {f"an account is another rule: {text}": [query(verb="drop", dangerous=["drop"], privilege_change=True, shape=text)] for text in ("drop user svc_tmp@'?',svc2@'?'", "DROP ROLE helper;")},
    ),
    "CHG-08": (
        {"twenty-five files deleted": files(25, action="delete", direction=None), "ten in nine minutes": files(10, every=1, action="delete", direction=None)},
        {
            "nine files": files(9, action="delete", direction=None),
            "the same file ten times": files(10, name="/a", action="delete", direction=None),
            "refused": files(25, action="delete", outcome="failed", direction=None),
        },
    ),
    "REC-03": (
        {"six statements refused": denied(6), "told by records of their own": denied(4, record_role="outcome")},
        {"three": denied(3), "spelling mistakes": denied(20, code="42601"), "four in an hour": denied(4, every=15)},
    ),
    "REC-03b": (
        {
            "a missing file, another's home, a forbidden folder": files(3, outcome="failed", bytes=None),
            "files that are not there": files(3, outcome="failed", error_code="404", bytes=None),
            "deletes refused": files(4, action="delete", outcome="failed", bytes=None, direction=None),
        },
        {"one refusal": files(1, outcome="failed", bytes=None), "three broken transfers": files(3, outcome="failed", bytes=500, error_code="aborted")},
    ),
    "IDN-07": (
        {"twelve wrong passwords in two minutes": failures(12), "eight in nine minutes": failures(8, every=1.2)},
        {"three mistypes": failures(3), "ten over five hours": failures(10, every=30), "nobody is named": failures(20, account=None)},
    ),
    "IDN-07b": (
        {
            "five names from one address": [login(i, account=f"u{i}", outcome="failed") for i in range(5)],
            "four names": [login(i, account=f"u{i}", outcome="failed", account_registered=False) for i in range(4)],
        },
        {
            "three people at a shared desk": [login(i, account=f"u{i}", outcome="failed") for i in range(3)],
            "four people who log in": [login(i, account=f"u{i}") for i in range(4)],
            "the log tells no address": [login(i, account=f"u{i}", outcome="failed", client_ip=None) for i in range(9)],
        },
    ),
    "IDN-07c": (
        {
            "six addresses in a day": [login(60 * i, client_ip=f"10.1.0.{i}", outcome="failed") for i in range(6)],
            "five within a minute": [login(i * 0.1, client_ip=f"10.1.0.{i}", outcome="failed") for i in range(5)],
        },
        {"one address": failures(30, every=20), "four addresses": [login(i, client_ip=f"10.1.0.{i}", outcome="failed") for i in range(4)]},
    ),
    "INJ-01": (
        {"a tautology through the application": [query(injection=["tautology"], **service())], "from an unknown account": [query(injection=["union"], actor_kind="unknown")], "always true by its text": [query(shape="select a from t where b='?'or 0=0", **service())], "a second statement": [query(shape="select a from t where b=0;drop table c", **service())]},
        {"an ordinary statement": [query(**service())], "a union of two lists": [query(shape="select a from t union all select a from u", **service())], "two conditions": [query(shape="select a from t where b=0 or c=0", **service())], "the administrator is another rule": [query(injection=["comment"])]},
    ),
    "INJ-01b": (
        {"a person types a tautology": [query(injection=["tautology"])], "stacked statements": [query(injection=["stacked"], **vendor())]},
        {"a comment at the end": [query(injection=["comment"])], "through the application": [query(injection=["tautology"], **service())]},
    ),
    "XFR-01": (
        {
            "a dump put on the server": [transfer(action="upload", direction="in", **DUMP)],
            "a dump fetched, broken off half-way": [transfer(outcome="failed", error_code="aborted", **DUMP)],
        },
        {
            "a form": [transfer()],
            "a dump that was refused": [transfer(outcome="failed", **(DUMP | {"bytes": None}))],
            "an empty file": [transfer(**(DUMP | {"bytes": 0}))],
        },
    ),
    "XFR-01b": (
        {"an archive fetched": [transfer(path="/x/a.7z", file_shape="archive")], "by a vendor": [transfer(path="/x/a.zip", file_shape="archive", **vendor())]},
        {"a program package": [transfer(path="/x/HIS_patch.zip", file_shape="package")], "the interface engine": [transfer(path="/x/a.zip", file_shape="archive", **service())]},
    ),
    "XFR-03": (
        {"a dump fetched from outside": [transfer(client_inside=False, **DUMP)], "a renamed file": [transfer(client_inside=False, file_shape="image")]},
        {"a form from outside": [transfer(client_inside=False)], "a dump inside": [transfer(**DUMP)], "the log tells no address": [transfer(client_inside=None, **DUMP)]},
    ),
    "XFR-05": (
        {"eighteen exports in a row": files(18), "a folder of scans": files(25, name="/scan/{}.jpg", file_shape="image")},
        {
            "three forms": files(3, file_shape="document"),
            "twenty over a day": files(20, every=60),
            "nobody is named in the log": files(20, account=None, person=None),
            "the interface engine all day": files(60, **service()),
        },
    ),
    "XFR-06": (
        {
            "a dump becomes a picture": [transfer(action="rename", path="/a.dmp", path2="/IMG_1.jpg", file_shape="dump")],
            "a patient list becomes a picture": [transfer(action="rename", path="/名单.xlsx", path2="/x.jpg", file_shape="table_export")],
        },
        {
            "a dump gets a date": [transfer(action="rename", path="/a.dmp", path2="/a_1.dmp", file_shape="dump")],
            "an upload is finished": [transfer(action="rename", path="/a.dmp.part", path2="/a.dmp", file_shape="dump")],
            "a picture gets a number": [transfer(action="rename", path="/a.jpg", path2="/b.jpg", file_shape="image")],
        },
    ),
    "XFR-07": (
        {"a vendor runs a command": [transfer(action="command", direction=None, **vendor())], "somebody unknown": [transfer(action="command", actor_kind="unknown")]},
        {"the hospital's own": [transfer(action="command")], "approved": [transfer(action="command", **vendor(approved=True, ticket="T1"))]},
    ),
    "XFR-08": (
        {"a vendor fetches a patient list": [transfer(file_shape="table_export", **vendor())], "scans by somebody unknown": [transfer(file_shape="image", actor_kind="unknown")]},
        {"a nurse's report": [transfer(file_shape="table_export")], "a vendor's manual": [transfer(file_shape="document", **vendor())]},
    ),
    "XFR-02": (
        {
            "a vendor dumps and puts the file": [query(**UNTOLD, dump_tool="pg_dump", verb="copy", **vendor()), transfer(30, action="upload", **DUMP, **vendor(account="ftp_sun"))],
            "the file server's log is read first": [transfer(30, **DUMP, **vendor()), query(**BIG, **vendor())],
        },
        {
            "the file went before the read": [transfer(0, **DUMP, **vendor()), query(30, **BIG, **vendor())],
            "two different people": [query(**BIG, **vendor()), transfer(30, **DUMP)],
            "thirteen hours later": [query(**BIG, **vendor()), transfer(13 * 60, **DUMP, **vendor())],
            "the registered backup": [query(**BIG, dump_tool="pg_dump", **service(), **JOB), transfer(30, **DUMP, **service(), **JOB)],
        },
    ),
    "XFR-02b": (
        {
            "an unknown account sends from the address that read": [query(**BIG, client_ip="10.0.0.7"), transfer(9, client_ip="10.0.0.7", account="tmp", person=None, **DUMP)],
            "both unknown": [query(**BIG, client_ip="10.0.0.7", account="a", person=None), transfer(9, client_ip="10.0.0.7", account="b", person=None, **DUMP)],
        },
        {
            "another address": [query(**BIG, client_ip="10.0.0.7"), transfer(9, client_ip="10.0.0.8", account="tmp", person=None, **DUMP)],
            "a small note": [query(**BIG, client_ip="10.0.0.7"), transfer(9, client_ip="10.0.0.7", person=None, bytes=20)],
        },
    ),
}  # fmt: skip

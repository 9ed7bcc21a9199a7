"""Reads, exports and changes of data: what these rules must and must not raise, the honest look-alike of each beside the misdeed."""

from __future__ import annotations

from builders import event, login, query, service, transfer, vendor
from rule_cases import BIG, JOB, UNTOLD, UNTOLD_TEXT, WHOLE, P, many

TOOL = {"client_program": "DBeaver 23.1", "program_kind": "query_tool"}
SCREEN = {"client_program": "HIS-INP", "program_kind": None}
BOTH = {"output_classes": ["identity", "clinical"], "restriction": "range"}
COHORT = {"output_classes": ["identity", "special"], "restriction": "range"}
STAR = {"shape": "select*from lab_results where reported_at>'?'", "output_classes": ["lab"], "restriction": "range"}
DUTY = {"in_scope": True, "place_allowed": True}
CALL = {"tongfang": True, "verb": "call", "command": "CALL", "rows": None, "rows_kind": "unknown"}
DRUG_LIKE = {
    "output_classes": ["prescription"],
    "restriction": "range",
    "shape": "select*from presc where drug_name like'?'",
}
BRAND = {
    "output_classes": ["prescription"],
    "restriction": "range",
    "shape": "select doctor_id,qty from presc where drug_code='?'",
}
PLANS = {"output_classes": ["procurement"], "rows": 80}
RECORDS = {"client_program": "psql", "program_kind": "console"}
BILL = {
    "verb": "update",
    "command": "UPDATE",
    "writes": ["billing"],
    "shape": "update billing set charges=0 where bill_id=0",
}
SIGNED = {
    "verb": "update",
    "command": "UPDATE",
    "restriction": "point",
    "shape": "update emr_record set sign_status=0,content='?'where record_id=0",
}
HIS_LOG = {"verb": "delete", "command": "DELETE", "shape": "delete from sys_oper_log where user_id=0", "rows": 40}
TENANT = {"tenant_missing": True, "output_classes": P, "restriction": "range", "rows": 900}
ALTERED = {
    "schema_change": True,
    "verb": "alter",
    "command": "ALTER TABLE",
    "shape": "alter table visits add column x int",
}
CODE = {
    "schema_change": True,
    "verb": "create",
    "shape": "create or replace function f()returns trigger as'?'language plpgsql",
}
PART = {"path": "/out/his.7z.001", "file_shape": "archive", "bytes": 5_000_000}


def broken(count, code="42P01", every=0.1, **columns):
    return many(
        count, query, every, **({"outcome": "failed", "error_code": code, "rows": None, "rows_kind": None} | columns)
    )


CASES: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "EXF-01b": (
        {
            "the administrator reads the table of patients": [query(**BIG, **DUTY)],
            "how many is not told": [query(**UNTOLD, **DUTY)],
            "through a cursor": [query(**(UNTOLD | {"verb": "declare"}), **DUTY)],
        },
        {
            "one patient": [query(output_classes=P, restriction="point", **DUTY)],
            "outside the duty it is another rule": [query(**BIG, in_scope=False)],
            "from a foreign desk as well": [query(**BIG, in_scope=True, place_allowed=False)],
            "at night as well": [query(**BIG, **DUTY, time_allowed=False)],
            "twelve rows of a small table": [query(**(WHOLE | {"rows": 12}), **DUTY)],
        },
    ),
    "EXF-01c": (
        {
            "the administrator reads all patients at night": [query(**BIG, **DUTY, time_allowed=False)],
            "on a Sunday, rows untold": [query(**UNTOLD, **DUTY, time_allowed=False, working_day=False)],
            "names with a count beside them": [query(**UNTOLD, aggregate_functions=["count"], aggregate_by=["patient_key"], **DUTY, time_allowed=False)],
        },
        {
            "in the hours of the person": [query(**BIG, **DUTY)],
            "a preview at night": [query(**(WHOLE | {"rows": 200, "bound": 200}), **DUTY, time_allowed=False)],
            "counts by sex at night": [query(**UNTOLD, aggregate_functions=["count"], aggregate_by=["identity"], **DUTY, time_allowed=False)],
        },
    ),
    "EXF-11": (
        {
            "names and diagnoses of nine hundred patients": [query(**BOTH, rows=900)],
            "sixty in a query tool": [query(**BOTH, rows=60, **TOOL)],
            "phones and laboratory results by a vendor": [query(output_classes=["contact", "lab"], restriction="range", rows=60, **vendor())],
            "everything, rows untold": [query(output_classes=["identity", "prescription"], restriction="none", rows=None, rows_kind="unknown", **SCREEN)],
        },
        {
            "a doctor opens one patient": [query(**(BOTH | {"restriction": "point"}), rows=1, **SCREEN)],
            "the list of a ward": [query(**BOTH, rows=52, **SCREEN)],
            "a search by name finds two hundred": [query(**BOTH, rows=253, **SCREEN)],
            "diagnoses without names": [query(output_classes=["clinical"], restriction="range", rows=900, **TOOL)],
            "counts by diagnosis and sex": [query(**BOTH, rows=900, aggregate_functions=["count"], aggregate_by=["clinical", "identity"])],
            "the application's interface": [query(**BOTH, rows=9000, **service())],
            "a view is defined": [query(**BOTH, rows=None, rows_kind="unknown", verb="create", **TOOL)],
        },
    ),
    "EXF-12": (
        {
            "all with HIV, by a query tool": [query(**COHORT, rows=45, **TOOL)],
            "a vendor, rows untold": [query(**COHORT, rows=None, rows_kind="unknown", **vendor())],
            "searched by the marker, names carried out": [query(output_classes=P, used_classes=["special"], restriction="range", rows=600, **SCREEN)],
        },
        {
            "one patient's blood markers before an operation": [query(**(COHORT | {"restriction": "point"}), rows=1, **SCREEN)],
            "a ward's list with markers": [query(**COHORT, rows=48, **SCREEN)],
            "infection control, whose scope names the class": [query(**COHORT, rows=900, in_scope=True, **TOOL)],
            "counts for the yearly report": [query(output_classes=["special"], restriction="none", rows=12, aggregate_functions=["count"], aggregate_by=["special"], **TOOL)],
            "the notification interface": [query(**COHORT, rows=900, **service(in_scope=True))],
        },
    ),
    "EXF-14": (
        {
            "the application's account in a query tool": [query(**service(), **TOOL)],
            "logs in from a desk": [login(**service(place_allowed=False))],
            "a console that its scope does not name": [query(client_program="psql", program_kind="console", **service(in_scope=False))],
            "its files fetched from another machine": [transfer(**service(place_allowed=False))],
        },
        {
            "the application at its place": [query(**SCREEN, **service(place_allowed=True))],
            "the backup's own console": [query(client_program="psql", program_kind="console", **service(place_allowed=True))],
            "a wrong password from elsewhere": [login(outcome="failed", **service(place_allowed=False))],
            "a person's own account in the tool": [query(**TOOL)],
            "the writer of a mail": [transfer(object_type="MAILBOX", **service(place_allowed=False))],
        },
    ),
    "EXF-14b": (
        {
            "the report server reads names": [query(output_classes=P, restriction="range", **service(in_scope=False))],
            "without a statement in the log": [query(**UNTOLD_TEXT | {"output_classes": ["clinical"]}, **service(in_scope=False))],
            "one patient is enough": [query(output_classes=P, restriction="point", **service(in_scope=False))],
        },
        {
            "its monthly report": [query(output_classes=["prescription"], restriction="none", aggregate_functions=["sum"], **service(in_scope=True))],
            "no scope was written": [query(output_classes=P, **service(in_scope=None))],
            "a setting outside its scope": [query(verb="set", **service(in_scope=False))],
            "a registered job": [query(output_classes=P, **service(in_scope=False) | JOB)],
            "refused": [query(output_classes=P, outcome="failed", **service(in_scope=False))],
        },
    ),
    "EXF-15": (
        {
            "two hundred rows shown, then four thousand read": [query(0, **(WHOLE | {"bound": 200, "rows": 200}), **TOOL), query(3, **BIG, **TOOL)],
            "rows untold": [query(0, **(UNTOLD | {"bound": 1000}), **TOOL), query(9, **UNTOLD, **TOOL)],
            "a vendor, a range": [query(0, **(WHOLE | {"bound": 200, "rows": 200}), **TOOL, **vendor()), query(25, output_classes=P, restriction="range", rows=2500, **TOOL, **vendor())],
        },
        {
            "preview after preview": [query(i, **(WHOLE | {"bound": 1000, "rows": 1000}), **TOOL) for i in range(6)],
            "then counted": [query(0, **(WHOLE | {"bound": 200, "rows": 200}), **TOOL), query(3, output_classes=P, restriction="none", aggregate_functions=["count"], rows=1, **TOOL)],
            "then one patient": [query(0, **(WHOLE | {"bound": 200, "rows": 200}), **TOOL), query(3, output_classes=P, restriction="point", **TOOL)],
            "an hour later": [query(0, **(WHOLE | {"bound": 200, "rows": 200}), **TOOL), query(61, **BIG, **TOOL)],
            "drugs, not patients": [query(0, output_classes=["drug"], bound=200, rows=200, **TOOL), query(3, output_classes=["drug"], rows=9000, **TOOL)],
        },
    ),
    "EXF-18": (
        {
            "identity cards as hexadecimal": [query(output_classes=P, restriction="range", shape="select hex(id_card_no)from patients where mrn>'?'")],
            "phones as base64 by a vendor": [query(output_classes=["contact"], restriction="none", shape="select to_base64(phone)from patients", **vendor())],
            "encrypted on the way out": [query(output_classes=P, restriction="none", shape="select pgp_sym_encrypt(name,'?')from patients")],
            "written backwards": [query(output_classes=P, restriction="none", shape="select reverse(id_card_no)from patients")],
        },
        {
            "a masked number on a screen": [query(output_classes=P, restriction="point", shape="select concat(substr(id_card_no,0,0),'?')from patients where mrn='?'")],
            "pseudonyms for research": [query(output_classes=P, restriction="none", shape="select encode(digest(id_card_no,'?'),'?')from patients")],
            "one patient's record is looked into": [query(output_classes=P, restriction="point", shape="select hex(name)from patients where mrn='?'")],
            "a drug code as hexadecimal": [query(output_classes=["drug"], restriction=None, shape="select hex(drug_code)from drug_dict")],
            "the application encrypts for the insurer": [query(output_classes=P, restriction="range", shape="select aes_encrypt(id_card_no,'?')from patients where d='?'", **service())],
        },
    ),
    "EXF-19": (
        {
            "nine hundred laboratory rows with every column": [query(**STAR, rows=900, **TOOL)],
            "by a vendor whose program is not told": [query(**(STAR | {"shape": "select t.*from lab_results t where a>0"}), rows=150, **vendor(), client_program=None, program_kind=None)],
            "all of it, rows untold": [query(**(STAR | {"restriction": "none"}), rows=None, rows_kind="unknown")],
        },
        {
            "one patient's results": [query(**(STAR | {"restriction": "point"}), rows=300, **TOOL)],
            "a hundred rows": [query(**STAR, rows=100, **TOOL)],
            "the first page of a grid": [query(**(STAR | {"restriction": "none"}), rows=100, bound=100, **TOOL)],
            "named columns": [query(**(STAR | {"shape": "select test_name from lab_results where reported_at>'?'"}), rows=900, **TOOL)],
            "a screen of the HIS that is written so": [query(**STAR, rows=900, **SCREEN)],
            "the dictionary of drugs": [query(shape="select*from drug_dict", output_classes=["drug"], rows=9000, **TOOL)],
        },
    ),
    "EXF-20d": (
        {
            "the administrator's grid opens the table": [query(output_classes=["credential"], bound=200, rows=200, place_allowed=True, **TOOL)],
            "rows untold": [query(output_classes=["credential", "staff"], bound=200, rows=None, rows_kind="unknown", place_allowed=True)],
            "a thousandth of it": [query(output_classes=["credential"], bound=10, rows=10, place_allowed=True)],
        },
        {
            "from another desk it is another rule": [query(output_classes=["credential"], bound=200, rows=200, place_allowed=False)],
            "by a vendor as well": [query(output_classes=["credential"], bound=200, rows=200, **vendor(place_allowed=True))],
            "without a bound as well": [query(output_classes=["credential"], rows=200, place_allowed=True)],
            "one row": [query(output_classes=["credential"], bound=200, rows=1, place_allowed=True)],
        },
    ),
    "TF-02c": (
        {
            "prescriptions and their lines": [query(i, **UNTOLD_TEXT | {"output_classes": ["prescription"], "object_name": f"his.t{i}", "rows": None}, **vendor()) for i in range(2)],
            "by nobody known": [query(i, **UNTOLD_TEXT | {"output_classes": ["prescription"], "object_name": f"his.t{i}", "rows": None, "command": "READ"}, actor_kind="unknown") for i in range(3)],
            "in nine minutes": [query(4 * i, **UNTOLD_TEXT | {"output_classes": ["drug", "prescription"], "object_name": f"his.t{i}", "rows": None}, **vendor()) for i in range(3)],
        },
        {
            "one table": [query(i, **UNTOLD_TEXT | {"output_classes": ["prescription"], "rows": None}, **vendor()) for i in range(9)],
            "the pharmacy's own staff": [query(i, **UNTOLD_TEXT | {"output_classes": ["prescription"], "object_name": f"his.t{i}", "rows": None}) for i in range(4)],
            "a ticket covers it": [query(i, **UNTOLD_TEXT | {"output_classes": ["prescription"], "object_name": f"his.t{i}", "rows": None}, **vendor(ticket="T", in_scope=True)) for i in range(4)],
            "drug lists": [query(i, **UNTOLD_TEXT | {"output_classes": ["drug"], "object_name": f"his.t{i}", "rows": None}, **vendor()) for i in range(4)],
            "the application": [query(i, **UNTOLD_TEXT | {"output_classes": ["prescription"], "object_name": f"his.t{i}", "rows": None}, **service()) for i in range(4)],
        },
    ),
    "TF-03": (
        {
            "thirty searches by part of a drug's name in a month": many(30, query, 1000, **DRUG_LIKE),
            "forty by a doctor's name within a week": many(40, query, 200, **(DRUG_LIKE | {"shape": "select*from presc where doctor_name like'?'"})),
            "by a vendor": many(31, query, 900, **DRUG_LIKE, **vendor()),
        },
        {
            "a dozen cases answered": many(12, query, 1000, **DRUG_LIKE),
            "the pharmacist whose scope names prescriptions": many(60, query, 300, **DRUG_LIKE, in_scope=True),
            "screens of the application": many(900, query, 20, **DRUG_LIKE, **service()),
            "one patient's prescriptions": many(60, query, 300, **(DRUG_LIKE | {"restriction": "point"})),
            "exact codes": many(60, query, 300, **(DRUG_LIKE | {"shape": "select*from presc where drug_code='?'"})),
        },
    ),
    "TF-04": (
        {
            "a vendor calls it": [query(**CALL, **vendor())],
            "own staff at night": [query(**CALL, office_hours=False)],
            "from another desk": [query(**CALL, place_allowed=False)],
            "through the report server's account": [query(**CALL, **service())],
            "by nobody known": [query(**CALL, actor_kind="unknown")],
        },
        {
            "own staff in office hours is another rule": [query(**CALL)],
            "statistics by department": [query(**(CALL | {"tongfang": False}), **vendor())],
            "it was refused": [query(**CALL, outcome="failed", **vendor())],
            "it told nothing": [query(**(CALL | {"rows": 0, "rows_kind": "known"}), **vendor())],
            "the statement written out is another rule": [query(tongfang=True, aggregate_functions=["sum"], **vendor())],
        },
    ),
    "TF-04b": (
        {
            "the administrator calls it in office hours": [query(**CALL)],
            "at the agreed desk": [query(**CALL, place_allowed=True)],
            "by EXECUTE": [query(**(CALL | {"verb": "execute"}))],
        },
        {
            "at night it is the other rule": [query(**CALL, office_hours=False)],
            "a vendor as well": [query(**CALL, **vendor())],
            "it told nothing": [query(**(CALL | {"rows": 0, "rows_kind": "known"}))],
            "a procedure that makes a report by department": [query(**(CALL | {"tongfang": False}))],
        },
    ),
    "TF-05": (
        {
            "a vendor reads purchase prices": [query(**PLANS, **vendor())],
            "own staff on a Sunday": [query(**PLANS, office_hours=False, working_day=False)],
            "nobody known, rows untold": [query(**(PLANS | {"rows": None, "rows_kind": "unknown"}), actor_kind="unknown")],
        },
        {
            "the purchasing department in office hours": [query(**PLANS)],
            "the purchaser late, whose scope names them": [query(**PLANS, office_hours=False, in_scope=True)],
            "the vendor of the purchasing system, in its contract": [query(**PLANS, **vendor(in_scope=True))],
            "one order on a screen": [query(**(PLANS | {"rows": 1}), office_hours=False)],
            "the application at night": [query(**PLANS, office_hours=False, **service())],
        },
    ),
    "TF-08": (
        {
            "five brands of one firm in an afternoon": many(5, query, 20, **BRAND),
            "counted for one drug after another": many(6, query, 9, tongfang=True, aggregate_functions=["sum"], shape="select doctor_id,sum(qty)from presc where drug_name='?'group by doctor_id"),
            "by a vendor": many(5, query, 60, **BRAND, **vendor()),
        },
        {
            "a recall: one drug, looked at twice": many(2, query, 20, **BRAND),
            "a recall with its ticket": many(9, query, 20, **BRAND, approved=True, ticket="RECALL-1"),
            "one patient's drugs": many(20, query, 2, **(BRAND | {"restriction": "point"})),
            "drugs without doctors": many(20, query, 2, **(BRAND | {"shape": "select qty from presc where drug_code='?'"})),
            "the dispensing window": many(400, query, 1, **BRAND, **service()),
        },
    ),
    "CHG-02": (
        {
            "a vendor alters a table at ten in the morning": [query(**ALTERED, **vendor())],
            "own staff as well": [query(**ALTERED)],
            "an index is built on visits": [query(schema_change=True, verb="create", command="CREATE INDEX", shape="create index i on visits(d)")],
            "told without the statement": [query(shape=None, verb=None, command="ALTER TABLE")],
        },
        {
            "in the evening": [query(**ALTERED, office_hours=False)],
            "with the emergency's ticket": [query(**ALTERED, ticket="T9", **vendor())],
            "an index that locks nobody": [query(schema_change=True, verb="create", shape="create index concurrently i on visits(d)")],
            "a work table goes": [query(schema_change=True, verb="drop", shape="drop table if exists tmp_list")],
            "the administrator, whose scope allows it": [query(**ALTERED, in_scope=True)],
            "a new table": [query(schema_change=True, verb="create", shape="create table x(a int)")],
        },
    ),
    "CHG-04": (
        {
            "a vendor corrects a bill": [query(**BILL, **vendor())],
            "a prescription is deleted by hand": [query(verb="delete", command="DELETE", restriction="point", shape="delete from prescriptions where presc_no=0", **vendor())],
            "the database's owner": [query(**BILL, account="postgres", person=None, actor_kind="owner")],
            "a stock of drugs, Chinese names": [query(verb="update", shape="update 药房库存 set 数量=0 where 编号=0", **vendor())],
        },
        {
            "a repair with its ticket": [query(**BILL, **vendor(ticket="T1", approved=True, in_scope=True))],
            "the application books": [query(**BILL, **SCREEN, **service())],
            "own staff is another rule": [query(**BILL, **TOOL)],
            "no row was changed": [query(**(BILL | {"rows": 0}), **vendor())],
            "a work table": [query(verb="insert", shape="insert into tmp_a values(0)", writes=["tmp_a"], **vendor())],
            "refused": [query(**BILL, outcome="failed", **vendor())],
        },
    ),
    "CHG-04b": (
        {
            "own staff corrects a bill with a query tool": [query(**BILL, **TOOL)],
            "a visit at the console": [query(verb="delete", command="DELETE", restriction="point", shape="delete from visits where visit_id=0", **RECORDS)],
            "from a sheet": [query(**BILL, client_program="EXCEL", program_kind="office")],
        },
        {
            "a screen of the HIS": [query(**BILL, **SCREEN)],
            "the dictionary of drugs is filled": [query(verb="insert", shape="insert into drug_dict values(0,'?')", **RECORDS)],
            "the repair's ticket": [query(**BILL, **TOOL, approved=True, ticket="T1")],
            "the scope of the person allows it": [query(**BILL, **TOOL, in_scope=True)],
            "no row was changed": [query(**(BILL | {"rows": 0}), **TOOL)],
        },
    ),
    "CHG-06": (
        {
            "thirty statements of the new release find no table": broken(30),
            "columns that are missing, told apart": broken(20, code="1054", record_role="outcome"),
            "the application's account": broken(25, code="ORA-00904", **service()),
        },
        {
            "spelling mistakes at the console": broken(6),
            "double keys, all day": broken(200, code="23505", **service()),
            "rights are another rule": broken(30, code="42501"),
            "over a day": broken(30, every=30),
        },
    ),
    "TMP-01": (
        {
            "a vendor unsigns a record and writes it anew": [query(**SIGNED, **vendor())],
            "own staff at the console": [query(**SIGNED, **RECORDS)],
            "an archived chart is opened, Chinese names": [query(verb="update", shape="update 病历文书 set 归档标志=0 where 文书号=0", **TOOL)],
        },
        {
            "a doctor signs on the screen": [query(**SIGNED, **SCREEN)],
            "the application verifies results": [query(**SIGNED, **service())],
            "a correction with its ticket": [query(**SIGNED, **vendor(approved=True, ticket="T1"))],
            "another column": [query(**(SIGNED | {"shape": "update emr_record set dept_code='?'where record_id=0"}), **TOOL)],
            "no record was there": [query(**(SIGNED | {"rows": 0}), **vendor())],
        },
    ),
    "TMP-02": (
        {
            "a vendor lowers a charge": [query(**BILL, **vendor())],
            "a price list by nobody known": [query(verb="update", shape="update price_list set unit_price=unit_price*0 where item=0", actor_kind="unknown")],
            "a refund, Chinese names": [query(verb="update", shape="update 收费明细 set 退费标志=0,金额=0 where 单号='?'", **vendor())],
        },
        {
            "the price office's ticket": [query(**BILL, **vendor(approved=True, ticket="T1"))],
            "the application books": [query(**BILL, **service())],
            "the text of a bill": [query(verb="update", shape="update billing set remark='?'where bill_id=0", **vendor())],
            "own staff is another rule": [query(**BILL, **TOOL)],
            "a bill is only read": [query(shape="select charges from billing where bill_id=0", **vendor())],
        },
    ),
    "TMP-02b": (
        {
            "own staff lowers a charge at the console": [query(**BILL, **RECORDS)],
            "a settlement in a query tool": [query(verb="update", shape="update settlement set insur_pay=0 where settle_no='?'", **TOOL)],
            "prices from a sheet": [query(verb="update", shape="update price_list set unit_price=0 where item=0", client_program="EXCEL", program_kind="office")],
        },
        {
            "the cashier's screen": [query(**BILL, **SCREEN)],
            "finance, whose scope allows it": [query(**BILL, **TOOL, in_scope=True)],
            "with a ticket": [query(**BILL, **TOOL, approved=True, ticket="T1")],
            "the text of a bill": [query(verb="update", shape="update billing set remark='?'where bill_id=0", **TOOL)],
        },
    ),
    "TMP-03": (
        {
            "a vendor deletes its own steps": [query(**HIS_LOG, **vendor())],
            "own staff changes a log": [query(verb="update", shape="update his.user_log set op_user='?'where id=0", **RECORDS)],
            "emptied, Chinese names": [query(verb="truncate", shape="truncate table 操作日志", **TOOL)],
        },
        {
            "the application archives": [query(**HIS_LOG, **service())],
            "the archiving job": [query(**HIS_LOG, **RECORDS, **JOB)],
            "a log is read": [query(shape="select*from sys_oper_log", **RECORDS)],
            "nothing was there": [query(**(HIS_LOG | {"rows": 0}), **vendor())],
            "a catalogue of goods": [query(verb="delete", shape="delete from catalog where id=0", **RECORDS)],
        },
    ),
    "TEN-01": (
        {
            "nine hundred patients of all hospitals": [query(**TENANT, **TOOL)],
            "a vendor, rows untold": [query(**(TENANT | {"rows": None, "rows_kind": "unknown"}), **vendor())],
            "a service far from its scope": [query(**TENANT, **service(in_scope=False))],
        },
        {
            "the hospital is named": [query(**(TENANT | {"tenant_missing": False}), **TOOL)],
            "one patient by key": [query(**(TENANT | {"restriction": "point"}), **TOOL)],
            "the provider's platform": [query(**TENANT, **service())],
            "counts over the group of hospitals": [query(**(TENANT | {"output_classes": ["clinical"]}), aggregate_functions=["count"], aggregate_by=["clinical"])],
            "a registered job": [query(**TENANT, **JOB)],
        },
    ),
    "TEN-04": (
        {
            "the account of the test system": [query(**BIG, account="his_test", person=None, actor_kind="service")],
            "training reads results": [query(output_classes=["lab"], restriction="range", rows=40, account="train01")],
            "a program of the test stage": [query(**BIG, client_program="HIS (UAT)", program_kind=None)],
        },
        {
            "the production account": [query(**BIG)],
            "an account that contains the letters": [query(**BIG, account="contest_office")],
            "the test account reads drugs": [query(output_classes=["drug"], rows=900, account="his_test")],
            "the refresh of anonymised data": [query(**BIG, account="his_test", **JOB)],
            "one patient of the tester's own": [query(output_classes=P, restriction="point", rows=1, account="his_test")],
        },
    ),
    "TEN-05": (
        {
            "a backup is restored": [query(dialect="tsql", verb="other", shape="restore database his from disk='?'")],
            "pg_restore connects": [login(client_program="pg_restore", program_kind="dump_tool", **vendor())],
            "somebody fetches a dump from the folder of backups": [transfer(path="/backup/full.dmp", file_shape="dump", bytes=10**9)],
        },
        {
            "the backup's account": [transfer(path="/backup/full.dmp", file_shape="dump", bytes=10**9, **service())],
            "a restore drill with its ticket": [query(dialect="tsql", shape="restore database drill from disk='?'", approved=True, ticket="DRILL")],
            "a manual beside the backups": [transfer(path="/backup/readme.docx", file_shape="document")],
            "a dump is put there": [transfer(action="upload", direction="in", path="/backup/full.dmp", file_shape="dump")],
            "it was refused": [transfer(path="/backup/full.dmp", file_shape="dump", bytes=None, outcome="failed")],
        },
    ),
    "PRV-02": (
        {
            "postgres reads patients": [query(**BIG, account="postgres", person=None, actor_kind="owner")],
            "sa in somebody's hands": [query(output_classes=P, restriction="point", account="sa", actor_kind="unknown")],
            "root changes a visit": [query(verb="update", restriction="point", account="root", person=None, actor_kind="owner")],
        },
        {
            "nightly maintenance": [query(**BIG, account="postgres", person=None, actor_kind="owner", **JOB)],
            "the state of the server": [query(reads=["pg_stat_activity"], account="postgres", person=None, actor_kind="owner")],
            "an application that logs in as sa": [query(**BIG, **service(account="sa"))],
            "counts of rows": [query(restriction="none", output_classes=[], aggregate_functions=["count"], account="postgres", actor_kind="owner")],
            "the owner of a procedure, named for what it reads": [query(**UNTOLD_TEXT | {"output_classes": P}, account="root", person=None, actor_kind="owner")],
        },
    ),
    "PRV-04": (
        {
            "a vendor plants a trigger": [query(**(CODE | {"shape": "create trigger t after insert on visits execute procedure f()"}), **vendor())],
            "through the application's account": [query(**CODE, **service())],
            "a job of the server": [query(verb="call", shape="exec sp_add_job@job_name='?'", **vendor())],
            "told without the statement": [query(shape=None, verb=None, command="CREATE FUNCTION", actor_kind="unknown")],
        },
        {
            "a release with its ticket": [query(**CODE, **vendor(approved=True, ticket="R7"))],
            "own staff is another rule": [query(**CODE)],
            "a table": [query(schema_change=True, verb="create", shape="create table function_list(a int)", **vendor())],
            "refused": [query(**CODE, outcome="failed", **vendor())],
            "a procedure is called": [query(verb="call", shape="call f()", **vendor())],
        },
    ),
    "PRV-04b": (
        {
            "the administrator makes a function": [query(**CODE)],
            "the owner on the socket": [query(**CODE, account="postgres", person=None, actor_kind="owner")],
            "a scheduled job": [query(shape="select cron.schedule('?','?')")],
        },
        {
            "the scope of the person allows it": [query(**CODE, in_scope=True)],
            "with a ticket": [query(**CODE, approved=True, ticket="R7")],
            "a vendor is another rule": [query(**CODE, **vendor())],
            "a view": [query(schema_change=True, verb="create", shape="create view v as select 0")],
        },
    ),
    "AUD-03": (
        {
            "rows of the audit trail deleted": [query(verb="delete", dialect="oracle", shape="delete from sys.aud$ where userid='?'", **vendor())],
            "the general log emptied": [query(verb="truncate", dialect="mysql", shape="truncate table mysql.general_log")],
            "a clean-up set off": [query(verb="call", dialect="oracle", shape="call dbms_audit_mgmt.clean_audit_trail(0,true)")],
            "the audit's file deleted at the file server": [transfer(action="delete", direction=None, path="/var/lib/mysql/server_audit.log.1", file_shape="other", bytes=None)],
        },
        {
            "the retention job": [query(verb="delete", shape="delete from audit_log where d<'?'", **JOB)],
            "its own service": [query(verb="delete", shape="delete from audit_log where d<'?'", **service())],
            "the audit is read": [query(verb="select", shape="select*from sys.aud$")],
            "a table of patients": [query(verb="delete", shape="delete from patients where d<'?'")],
            "another file": [transfer(action="delete", direction=None, path="/out/audit_report.docx", bytes=None)],
            "refused": [query(verb="delete", shape="delete from sys.aud$", outcome="failed")],
        },
    ),
    "AUD-05": (
        {
            "a file was cut while it was read": [event(action="gap", error_code="truncated", actor_kind="unknown")],
            "a file vanished": [event(action="gap", error_code="vanished", actor_kind="unknown")],
            "several in a day": [event(60 * i, action="gap", error_code="truncated", actor_kind="unknown") for i in range(4)],
        },
        {
            "the log ends": [event(action="notice")],
            "an error of that name": [query(outcome="failed", error_code="truncated")],
            "a statement that the log cut": [query(truncated=True)],
        },
    ),
    "AUD-05b": (
        {
            "a server an hour ahead": many(20, query, clock_trusted=False),
            "five records": many(5, login, clock_trusted=False),
            "files as well": many(9, transfer, clock_trusted=False),
        },
        {
            "clocks that agree": many(50, query),
            "one odd record": many(1, query, clock_trusted=False),
            "four in an hour": many(4, query, 10, clock_trusted=False),
        },
    ),
    "XFR-04": (
        {
            "the first part of a split archive": [transfer(**PART)],
            "an encrypted file by a vendor": [transfer(path="/out/a.zip.gpg", file_shape="archive", bytes=9_000_000, **vendor())],
            "its name says that a password is needed": [transfer(path="/out/数据(加密).rar", file_shape="archive", bytes=9_000_000)],
        },
        {
            "an ordinary archive is another rule": [transfer(path="/out/a.zip", file_shape="archive", bytes=9_000_000)],
            "a small one, as the rules for mail ask": [transfer(**(PART | {"bytes": 20_000}))],
            "the insurer's interface": [transfer(**PART, **service())],
            "a mail that comes in": [transfer(**PART, object_type="MAILBOX") | {"action": "upload", "direction": "in"}],
            "a version number": [transfer(path="/out/HIS_patch_7.001.zip", file_shape="package", bytes=9_000_000)],
        },
    ),
}  # fmt: skip

# More sentences for rules that stand elsewhere.
ALSO: dict[str, tuple[dict[str, list], dict[str, list]]] = {
    "AUD-01": ({}, {f"logs are rotated: {text}": [query(audit_change=True, verb="other", shape=text, account="root", person=None, actor_kind="owner")] for text in ("flush slow logs", "FLUSH LOCAL GENERAL LOGS;", "flush logs")}),
    "INJ-01": ({}, {"a dump asks the dictionary": [query(injection=["dictionary"], program_kind="dump_tool", **service())]}),
    "EXF-01": ({}, {"the administrator's duty is another rule": [query(**BIG, **DUTY)]}),
    "EXF-08": ({}, {"the administrator's view copies nothing": [query(verb="create", destination="table", shape="create or replace view v as select name from patients", **UNTOLD, **DUTY)]}),
    "ACC-05": ({}, {"a dump begins": [query(verb="set", privilege_change=True, shape="set row_security=off", **service())]}),
    "EXF-20b": ({}, {"the administrator's grid at its desk is another rule": [query(output_classes=["credential"], bound=200, rows=200, place_allowed=True, **TOOL)]}),
    "CHG-01b": ({}, {"the scope of the person allows it": [query(**ALTERED, in_scope=True)]}),
    "TF-02": ({}, {"a procedure is another rule": [query(**CALL, **vendor())]}),
}  # fmt: skip

"""The verdicts: a matrix of who, when, where and what, with what must hold and what must not."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.calendar import CalendarOverlay
from config.loader import load_register, load_site
from detectors.context import Context
from parsers.events import CONTEXT

SHANGHAI = ZoneInfo("Asia/Shanghai")
REGISTER = """
vendors:
  wx:
    tier: A
    contract: {from: 2026-01-01, to: 2026-11-20}
    places: [192.0.2.0/28]
    scope: {classes: [drug], actions: [read, other], objects: [drug_dict, "his.price*"]}
  gone: {tier: B, state: exited}
people:
  zhang:
    vendor: wx
    accounts: [{system: [pg, my], account: zhang, from: [192.0.2.5]}]
    valid: {from: 2026-11-01}
  lin:
    vendor: wx
    accounts: [{system: pg, account: lin}, {system: pg, account: ops, shared: true, from: [192.0.2.7]}]
    qualification_until: 2026-11-10
  old: {vendor: gone, accounts: [{system: pg, account: old}]}
  dba:
    department: IT
    accounts: [{system: pg, account: dba, from: [198.51.100.4, local]}, {system: pg, account: ops, shared: true, from: [198.51.100.4]}]
  night:
    department: IT
    accounts: [{system: pg, account: night}]
    hours: {days: [fri], from: 22:00, to: 06:00}
services:
  app: {accounts: [{system: pg, account: app, from: [198.51.100.10]}], scope: {actions: [read, write, other], programs: ["HIS-*"]}}
  backup: {accounts: [{system: pg, account: bak, from: [198.51.100.20]}], hours: {from: 02:00, to: 03:00}}
  report: {accounts: [{system: pg, account: bi, from: [198.51.100.30]}]}
  statistics: {accounts: [{system: pg, account: stat}, {system: pg, account: stat2}, {system: pg, account: stat3}], places: [198.51.100.31]}
  push: {accounts: [{system: ftp, account: bak, from: [198.51.100.20]}]}
owners:
  pg: {accounts: [{system: pg, account: postgres}, {system: pg, account: dba_upkeep}]}
tickets:
  T1:
    person: zhang
    system: pg
    from: 2026-11-18 20:00
    to: 2026-11-18 22:00
    objects: [patients]
    actions: [read, write, schema, other]
  T2: {person: zhang, system: pg, from: 2026-11-18 21:00, to: 2026-11-18 23:00}
jobs:
  dump: {kind: export, system: pg, account: bak, from: [198.51.100.20], window: {from: 02:00, to: 03:00}}
  cron: {kind: maintenance, system: pg, account: postgres, from: [local], window: {from: 02:00, to: 03:00}}
  named_upkeep: {kind: maintenance, system: pg, account: dba_upkeep, objects: [patients]}
  monthly: {kind: report, system: pg, account: bi, aggregates: only}
  sample: {kind: report, system: pg, account: dba, max_rows: 50, restrictions: [range], aggregates: none, prescriber_and_drug: true}
  counted: {kind: report, system: pg, account: stat, prescriber_and_drug: true, approvals: [{from: 2026-11-16, to: 2026-11-17, requester: a, approver: b}, {from: 2026-11-20, to: 2026-11-20, requester: a, approver: b}]}
  yearly: {kind: report, system: pg, account: stat2, valid: {from: 2026-11-17, to: 2026-11-18}}
  never: {kind: report, system: pg, account: stat3, approvals: []}
  push: {kind: transfer, system: ftp, account: bak, window: {from: 23:30, to: 03:00}, objects: ["/in/*.gz"]}
"""
WORK = "2026-11-18 10:00"  # a Wednesday
NIGHT = "2026-11-18 02:30"
PATIENTS = {"reads": ["his.patients"], "output_classes": ["identity"], "restriction": "none"}
DRUGS = {"reads": ["drug_dict"], "output_classes": ["drug"]}
ZHANG = {"account": "zhang", "client_ip": "192.0.2.5"}
OWNER = {"account": "postgres", "client_ip": "[local]"}
LIN = {"account": "lin", "client_ip": "192.0.2.7"}
BACKUP = {"account": "bak", "client_ip": "198.51.100.20"}
DUMP = {**PATIENTS, "verb": "copy", "dump_tool": "pg_dump"}
REPORT = {"account": "bi", "client_ip": "198.51.100.30"}
STAT = {"account": "stat", "client_ip": "198.51.100.31"}
COUNT = {**PATIENTS, "aggregate_functions": ["sum"], "tongfang": True}
DBA = {"account": "dba", "client_ip": "198.51.100.4"}
PASSWORD = {"dialect": "postgres", "verb": "alter", "privilege_change": True}
PUSH = {"account": "bak", "system": "ftp", "client_ip": "198.51.100.20", "action": "upload"}


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Context:
    file = tmp_path_factory.mktemp("register") / "register.yaml"
    file.write_text(REGISTER, encoding="utf-8")
    return Context(
        zone=SHANGHAI, register=load_register(file, SHANGHAI), inside=["192.0.2.0/24", "198.51.100.0/24"],
        package_names=["HIS_patch_*.zip"],
    )  # fmt: skip


CASES = [  # name, local time, what the event says, what context must say of it
    # who
    ("a vendor's person in hours", WORK, ZHANG, {"person": "zhang", "vendor": "wx", "vendor_tier": "A", "actor_kind": "vendor", "account_registered": True, "person_valid": True, "time_allowed": True, "place_allowed": True, "client_inside": True, "ticket": None, "approved": False}),
    ("the same account of another system that is registered", WORK, {**ZHANG, "system": "my"}, {"person": "zhang"}),
    ("an account nobody has", WORK, {"account": "evil"}, {"person": None, "actor_kind": "unknown", "account_registered": False, "person_valid": None, "time_allowed": None, "place_allowed": None, "approved": False}),
    ("letter case makes another account", WORK, {"account": "ZHANG"}, {"account_registered": False}),
    ("an account of a system that nobody registered", WORK, {"account": "evil", "system": "new"}, {"account_registered": None, "actor_kind": "unknown"}),
    ("no account at all", WORK, {"action": "connect", "client_ip": "192.0.2.5"}, {"account_registered": None, "actor_kind": "unknown", "client_inside": True}),
    ("hospital staff", WORK, DBA, {"person": "dba", "vendor": None, "actor_kind": "staff", "person_valid": True}),
    ("a service is no person", WORK, {"account": "app", "client_ip": "198.51.100.10"}, {"person": None, "actor_kind": "service", "account_registered": True, "person_valid": None}),
    ("the owner of the database", NIGHT, {"account": "postgres", "client_ip": "[local]"}, {"actor_kind": "owner", "place_allowed": True, "client_inside": True}),
    ("a shared account told apart by its address", WORK, {"account": "ops", "client_ip": "198.51.100.4"}, {"person": "dba", "actor_kind": "staff", "place_allowed": True}),
    ("a shared account from the vendor's address", WORK, {"account": "ops", "client_ip": "192.0.2.7"}, {"person": "lin", "actor_kind": "vendor"}),
    ("a shared account that nothing tells apart is the vendor's", "2026-11-18 20:00", {"account": "ops", "client_ip": "203.0.113.9"}, {"person": None, "actor_kind": "vendor", "account_registered": True, "place_allowed": False, "time_allowed": False}),
    # verdict 1: valid
    ("before the first day", "2026-10-30 10:00", ZHANG, {"person_valid": False}),
    ("the first day", "2026-11-01 00:00", ZHANG, {"person_valid": True}),
    ("the last minute of the contract", "2026-11-20 23:59", ZHANG, {"person_valid": True}),
    ("the minute after the contract", "2026-11-21 00:00", ZHANG, {"person_valid": False}),
    ("the last day of the qualification", "2026-11-10 10:00", LIN, {"person_valid": True, "qualified": True}),
    ("the day after the qualification", "2026-11-11 10:00", LIN, {"person_valid": False, "qualified": False}),
    ("no qualification is written", WORK, ZHANG, {"qualified": None}),
    ("a vendor that has left", WORK, {"account": "old"}, {"person_valid": False, "vendor_tier": "B", "vendor_state": "exited"}),
    ("a vendor in contract", WORK, ZHANG, {"vendor_state": "active", "days_left": 2}),
    ("the day after the contract", "2026-11-21 00:00", ZHANG, {"days_left": -1}),
    ("the last hour of the contract", "2026-11-20 23:59", ZHANG, {"days_left": 0}),
    ("own staff without an end", WORK, DBA, {"vendor_state": None, "days_left": None, "qualified": None}),
    ("nobody known", WORK, {"account": "evil"}, {"vendor_state": None, "days_left": None}),
    # the own password
    *(
        (f"the own password: {text}", WORK, {**ZHANG, **PASSWORD, "statement": text}, {"approved": True, "ticket": None, "job": None})
        for text in ("ALTER USER Zhang PASSWORD 'x'", 'alter role "zhang" with encrypted password <REDACTED>;', "ALTER USER CURRENT_USER PASSWORD 'x'")
    ),
    *(
        (f"the own password in MariaDB: {text}", WORK, {**ZHANG, **PASSWORD, "dialect": "mysql", "statement": text}, {"approved": True})
        for text in ("SET PASSWORD = PASSWORD('***')", "ALTER USER USER() IDENTIFIED BY 'x'")
    ),
    *(
        (f"not the own password: {text}", WORK, {**ZHANG, **PASSWORD, "statement": text}, {"approved": False})
        for text in (
            "ALTER USER lin PASSWORD 'x'", "ALTER USER \"Zhang\" PASSWORD 'x'", "ALTER USER zhang SUPERUSER PASSWORD 'x'", "ALTER USER zhang PASSWORD 'x' SUPERUSER",
            "ALTER USER zhang PASSWORD 'x'; ALTER USER lin PASSWORD 'y'", "ALTER USER zhang PASSWORD 'x' VALID UNTIL 'infinity'", "ALTER USER zhang SUPERUSER",
        )
    ),
    ("another's password in MariaDB", WORK, {**ZHANG, **PASSWORD, "dialect": "mysql", "statement": "SET PASSWORD FOR 'zhang'@'%' = PASSWORD('x')"}, {"approved": False}),
    ("the own password from an address that is not agreed", WORK, {**ZHANG, **PASSWORD, "client_ip": "203.0.113.9", "statement": "ALTER USER zhang PASSWORD 'x'"}, {"approved": False}),
    ("the own password after the contract", "2026-11-21 10:00", {**ZHANG, **PASSWORD, "statement": "ALTER USER zhang PASSWORD 'x'"}, {"approved": False}),
    ("the own password of an account nobody has", WORK, {"account": "evil", **PASSWORD, "statement": "ALTER USER evil PASSWORD 'x'"}, {"approved": False}),
    # tools
    *(
        (f"{program} is a {kind}", WORK, {**ZHANG, "client_program": program}, {"program_kind": kind})
        for program, kind in (
            ("psql", "console"), ("pg_dump", "dump_tool"), ("mysqldump", "dump_tool"), ("DBeaver 23.1.0 - SQLEditor <Script-1.sql>", "query_tool"),
            ("Navicat Premium", "query_tool"), ("pgAdmin 4 - CONN:4938", "query_tool"), ("MySQLWorkbench", "query_tool"), ("plsqldev.exe", "query_tool"),
            ("PL/SQL Developer", "query_tool"), ("Microsoft SQL Server Management Studio - Query", "query_tool"), ("python3", "script"),
            ("C:\\Program Files\\Office\\EXCEL.EXE", "office"), ("sqlplus@ws7 (TNS V1-V3)", "console"), ("HIS-OUTP", None), ("PostgreSQL JDBC Driver", None),
            ("exportd", None), ("psqlodbc35w", None), ("", None), (None, None),
        )
    ),
    # verdict 2: time
    ("the minute before work", "2026-11-18 07:59", ZHANG, {"time_allowed": False, "office_hours": False, "working_day": True}),
    ("the first minute of work", "2026-11-18 08:00", ZHANG, {"time_allowed": True, "office_hours": True}),
    ("the last minute of work", "2026-11-18 17:59:59", ZHANG, {"time_allowed": True, "office_hours": True}),
    ("the end of work", "2026-11-18 18:00", ZHANG, {"time_allowed": False, "office_hours": False}),
    ("a Saturday", "2026-11-14 10:00", ZHANG, {"time_allowed": False, "working_day": False, "office_hours": False}),
    ("a holiday on a Thursday", "2026-10-01 10:00", ZHANG, {"time_allowed": False, "working_day": False}),
    ("a Saturday worked for the holiday", "2026-10-10 10:00", ZHANG, {"time_allowed": True, "working_day": True, "office_hours": True}),
    ("staff without hours at night", NIGHT, DBA, {"time_allowed": True, "office_hours": False}),
    ("a service without hours at night", NIGHT, {"account": "app", "client_ip": "198.51.100.10"}, {"time_allowed": True}),
    ("a service with hours by day", WORK, BACKUP, {"time_allowed": False}),
    ("Friday night is Friday's", "2026-11-20 23:00", {"account": "night"}, {"time_allowed": True}),
    ("Saturday before six is still Friday's", "2026-11-21 05:59", {"account": "night"}, {"time_allowed": True}),
    ("Saturday at six is not", "2026-11-21 06:00", {"account": "night"}, {"time_allowed": False}),
    ("Friday before six is Thursday's", "2026-11-20 05:00", {"account": "night"}, {"time_allowed": False}),
    # place
    ("another desk of the vendor's room", WORK, {**ZHANG, "client_ip": "192.0.2.6"}, {"place_allowed": False, "client_inside": True}),
    ("an account without addresses takes the vendor's", WORK, {**LIN, "client_ip": "192.0.2.9"}, {"place_allowed": True}),
    ("outside of everything", WORK, {**ZHANG, "client_ip": "203.0.113.9"}, {"place_allowed": False, "client_inside": False}),
    ("IPv4 written as IPv6", WORK, {**ZHANG, "client_ip": "::ffff:192.0.2.5"}, {"place_allowed": True, "client_inside": True}),
    ("no address in the log", WORK, {"account": "zhang"}, {"place_allowed": None, "client_inside": None}),
    ("a host name is no agreed address", WORK, {**ZHANG, "client_ip": "pc-17.example.org"}, {"place_allowed": False, "client_inside": None}),
    ("noise for an address", WORK, {**ZHANG, "client_ip": "192.0.2.5'; drop"}, {"place_allowed": False, "client_inside": None}),
    ("the owner over the network", NIGHT, {"account": "postgres", "client_ip": "198.51.100.4"}, {"place_allowed": False, "job": None, "approved": False}),
    ("this machine is inside", WORK, {"account": "x", "client_ip": "127.0.0.1"}, {"client_inside": True}),
    ("nothing agreed for the account", WORK, {"account": "night", "client_ip": "203.0.113.9"}, {"place_allowed": None}),
    # verdict 3 and 4: tickets and scope
    ("in the vendor's scope", WORK, {**ZHANG, **DRUGS}, {"in_scope": True, "approved": False}),
    ("a table with a schema and a pattern", WORK, {**ZHANG, "reads": ["HIS.Price_2026"], "output_classes": ["drug"]}, {"in_scope": True}),
    ("a pattern with a schema does not fit another", WORK, {**ZHANG, "reads": ["x.price_2026"], "output_classes": ["drug"]}, {"in_scope": False}),
    ("one table outside is outside", WORK, {**ZHANG, "reads": ["drug_dict", "patients"], "output_classes": ["drug"]}, {"in_scope": False}),
    ("a class outside is outside", WORK, {**ZHANG, "reads": ["drug_dict"], "output_classes": ["drug", "identity"]}, {"in_scope": False}),
    ("an action outside is outside", WORK, {**ZHANG, "verb": "update", "writes": ["drug_dict"]}, {"in_scope": False}),
    ("an export is more than a read", WORK, {**ZHANG, **DRUGS, "destination": "file"}, {"in_scope": False}),
    ("a setting is in scope", WORK, {**ZHANG, "verb": "set"}, {"in_scope": True}),
    ("a call nobody knows is in no scope", WORK, {**ZHANG, "verb": "call"}, {"in_scope": False}),
    ("a cursor nobody knows is in no scope", WORK, {**ZHANG, "verb": "fetch"}, {"in_scope": False}),
    ("a cut query whose tables nobody found is in no scope", WORK, {**ZHANG, "understood": "lexical"}, {"in_scope": False}),
    ("a login is nothing to judge", WORK, {**ZHANG, "action": "login"}, {"in_scope": None}),
    ("not understood, but the log says it writes", WORK, {**ZHANG, "understood": "none", "command_class": "WRITE"}, {"in_scope": False}),
    ("not understood, and objects are limited", WORK, {**ZHANG, "understood": "none", "command_class": "READ"}, {"in_scope": None}),
    ("not understood and nothing told", WORK, {**ZHANG, "understood": "none"}, {"in_scope": False}),
    ("staff without a scope", WORK, {**DBA, **PATIENTS}, {"in_scope": None}),
    ("a service with its own program", WORK, {"account": "app", "client_ip": "198.51.100.10", "client_program": "his-outpatient", **PATIENTS}, {"in_scope": True}),
    ("a service with a query tool", WORK, {"account": "app", "client_ip": "198.51.100.10", "client_program": "Navicat", **PATIENTS}, {"in_scope": False}),
    ("a service that names no program", WORK, {"account": "app", "client_ip": "198.51.100.10", "client_program": "", **PATIENTS}, {"in_scope": True}),
    ("covered by a ticket", "2026-11-18 20:00", {**ZHANG, **PATIENTS}, {"ticket": "T1", "in_scope": True, "approved": True, "time_allowed": False}),
    ("the minute before the ticket", "2026-11-18 19:59", {**ZHANG, **PATIENTS}, {"ticket": None, "in_scope": False, "approved": False}),
    ("outside the ticket's objects", "2026-11-18 20:30", {**ZHANG, "reads": ["staff"]}, {"ticket": "T1", "in_scope": False, "approved": False}),
    ("a tool asks the catalogue under a ticket with objects", "2026-11-18 20:30", {**ZHANG, "reads": ["pg_catalog.pg_class", "pg_attribute"]}, {"ticket": "T1", "in_scope": True, "approved": True}),
    ("the ticket's table with the dictionary", "2026-11-18 20:30", {**ZHANG, "reads": ["patients", "information_schema.columns"]}, {"in_scope": True}),
    *(
        (f"{table} needs to be in the ticket", "2026-11-18 20:30", {**ZHANG, "reads": [table]}, {"ticket": "T1", "in_scope": False, "approved": False})
        for table in ("pg_shadow", "pg_catalog.pg_authid", "mysql.user", "pg_stats", "pg_stat_activity", "information_schema.processlist", "his.pg_class", "his.all_tables")
    ),
    ("the catalogue written under a ticket", "2026-11-18 20:30", {**ZHANG, "verb": "update", "writes": ["pg_catalog.pg_class"]}, {"in_scope": False}),
    ("the catalogue beside another table", "2026-11-18 20:30", {**ZHANG, "reads": ["pg_class", "staff"]}, {"in_scope": False}),
    ("outside the ticket's actions", "2026-11-18 20:30", {**ZHANG, "privilege_change": True, "verb": "grant"}, {"ticket": "T1", "in_scope": False, "approved": False}),
    ("a login under a ticket", "2026-11-18 20:30", {**ZHANG, "action": "login"}, {"ticket": "T1", "in_scope": None, "approved": True}),
    ("not understood under a ticket with objects", "2026-11-18 20:30", {**ZHANG, "understood": "none", "command_class": "READ"}, {"ticket": "T1", "in_scope": None, "approved": False}),
    ("of two tickets the one that covers", "2026-11-18 21:30", {**ZHANG, "reads": ["staff"]}, {"ticket": "T2", "in_scope": True, "approved": True}),
    ("of two that cover the earlier", "2026-11-18 21:30", {**ZHANG, **PATIENTS}, {"ticket": "T1", "approved": True}),
    ("the end of a ticket is not in it", "2026-11-18 23:00", {**ZHANG, **PATIENTS}, {"ticket": None, "approved": False}),
    ("a ticket of another system", "2026-11-18 20:30", {**ZHANG, **PATIENTS, "system": "my"}, {"ticket": None, "approved": False}),
    ("a ticket of another person", "2026-11-18 20:30", {**LIN, **PATIENTS}, {"ticket": None, "approved": False}),
    ("a ticket from the wrong place", "2026-11-18 20:30", {**ZHANG, **PATIENTS, "client_ip": "203.0.113.9"}, {"ticket": "T1", "in_scope": True, "approved": False}),
    # jobs
    ("the nightly dump", NIGHT, {**BACKUP, **DUMP}, {"job": "dump", "approved": True, "in_scope": True, "time_allowed": True, "actor_kind": "service"}),
    ("the dump's login", NIGHT, {**BACKUP, "action": "login"}, {"job": "dump", "approved": True, "in_scope": None}),
    ("a failed login is no job", NIGHT, {**BACKUP, "action": "login", "outcome": "failed"}, {"job": None, "approved": False}),
    ("the dump by day", WORK, {**BACKUP, **DUMP}, {"job": None, "approved": False, "time_allowed": False}),
    ("the dump at the end of its window", "2026-11-18 03:00", {**BACKUP, **DUMP}, {"job": None, "approved": False}),
    ("the dump from another machine", NIGHT, {**BACKUP, **DUMP, "client_ip": "192.0.2.5"}, {"job": None, "approved": False, "place_allowed": False}),
    ("the dump by a vendor", NIGHT, {**ZHANG, **DUMP}, {"job": None, "approved": False}),
    ("the dump's account of another system", NIGHT, {**BACKUP, **DUMP, "system": "my"}, {"job": None, "approved": False, "account_registered": False}),
    ("the backup account changes rows", NIGHT, {**BACKUP, "verb": "update", "writes": ["patients"]}, {"job": None, "approved": False}),
    ("the backup account grants", NIGHT, {**BACKUP, "privilege_change": True}, {"job": None, "approved": False}),
    ("what the backup account sends is not understood", NIGHT, {**BACKUP, "understood": "none"}, {"job": None, "approved": False}),
    ("maintenance of the owner", NIGHT, {**OWNER, "understood": "none", "command": "ANALYZE"}, {"job": "cron", "approved": True}),
    ("maintenance counts patients", NIGHT, {**OWNER, "verb": "select", **PATIENTS, "output_classes": []}, {"job": "cron", "approved": True}),
    ("maintenance reads a table without patients", NIGHT, {**OWNER, "verb": "select", **DRUGS}, {"job": "cron", "approved": True}),
    ("maintenance reads patients", NIGHT, {**OWNER, "verb": "select", **PATIENTS}, {"job": None, "approved": False}),
    ("maintenance of named tables reads them", NIGHT, {"account": "dba_upkeep", "verb": "select", **PATIENTS}, {"job": "named_upkeep", "approved": True}),
    ("a report of sums", WORK, {**REPORT, **PATIENTS, "aggregate_functions": ["sum"]}, {"job": "monthly", "approved": True}),
    ("a report of rows", WORK, {**REPORT, **PATIENTS}, {"job": None, "approved": False}),
    ("a report by prescriber and drug", WORK, {**REPORT, **PATIENTS, "aggregate_functions": ["sum"], "tongfang": True}, {"job": None, "approved": False}),
    ("a report that touches nothing sensitive", WORK, {**REPORT, "reads": ["pg_class"]}, {"job": "monthly", "approved": True}),
    ("a table record of a report tells too little", WORK, {**REPORT, "understood": None, "command": "READ", "object_name": "his.patients"}, {"job": None, "approved": False}),
    ("a table record of the dump is enough", NIGHT, {**BACKUP, "understood": None, "command": "READ", "object_name": "his.patients"}, {"job": "dump", "approved": True}),
    ("a report from an address that is not agreed", WORK, {**REPORT, **PATIENTS, "aggregate_functions": ["sum"], "client_ip": "203.0.113.9"}, {"job": None, "approved": False}),
    ("a sample of fifty", WORK, {**DBA, **PATIENTS, "restriction": "range", "bound": 50}, {"job": "sample", "approved": True}),
    ("a sample of fifty that was read whole", WORK, {**DBA, **PATIENTS, "restriction": "range", "bound": 5000, "rows": 50}, {"job": "sample", "approved": True}),
    ("a sample with prescriber and drug", WORK, {**DBA, **PATIENTS, "restriction": "range", "bound": 50, "tongfang": True}, {"job": "sample", "approved": True}),
    ("sums instead of a sample", WORK, {**DBA, **PATIENTS, "restriction": "range", "bound": 50, "aggregate_functions": ["sum"]}, {"job": None, "approved": False}),
    ("a sample of fifty-one", WORK, {**DBA, **PATIENTS, "restriction": "range", "bound": 51}, {"job": None, "approved": False}),
    ("a sample of unknown size", WORK, {**DBA, **PATIENTS, "restriction": "range"}, {"job": None, "approved": False}),
    ("a sample without restriction", WORK, {**DBA, **PATIENTS, "bound": 50}, {"job": None, "approved": False}),
    ("a report on the first day of its approval", "2026-11-16 00:00", {**STAT, **COUNT}, {"job": "counted", "unapproved_job": None, "approved": True}),
    ("a report on the last minute of its approval", "2026-11-17 23:59", {**STAT, **COUNT}, {"job": "counted", "approved": True}),
    ("a report between two approvals", WORK, {**STAT, **COUNT}, {"job": None, "unapproved_job": "counted", "approved": False}),
    ("a report under its second approval", "2026-11-20 10:00", {**STAT, **COUNT}, {"job": "counted", "approved": True}),
    ("a report without approval from elsewhere", WORK, {**STAT, **COUNT, "client_ip": "203.0.113.9"}, {"job": None, "unapproved_job": None}),
    ("a report without approval that writes", WORK, {**STAT, "verb": "update", "writes": ["a"]}, {"job": None, "unapproved_job": None}),
    ("a job on the last day it is agreed", WORK, {**STAT, "account": "stat2", **PATIENTS}, {"job": "yearly", "unapproved_job": None}),
    ("a job the day after", "2026-11-19 10:00", {**STAT, "account": "stat2", **PATIENTS}, {"job": None, "unapproved_job": "yearly", "approved": False}),
    ("a job the day before", "2026-11-16 10:00", {**STAT, "account": "stat2", **PATIENTS}, {"job": None, "unapproved_job": "yearly"}),
    ("a job whose list of approvals is empty", WORK, {**STAT, "account": "stat3", **PATIENTS}, {"job": None, "unapproved_job": "never", "approved": False}),
    ("the nightly upload before midnight", "2026-11-18 23:45", {**PUSH, "path": "/in/his.dmp.gz"}, {"job": "push", "approved": True, "file_shape": "dump"}),
    ("the nightly upload after midnight", "2026-11-19 02:59", {**PUSH, "path": "/in/his.dmp.gz"}, {"job": "push", "approved": True}),
    ("the nightly upload by day", WORK, {**PUSH, "path": "/in/his.dmp.gz"}, {"job": None, "approved": False}),
    ("the nightly upload elsewhere", "2026-11-18 23:45", {**PUSH, "path": "/out/his.dmp.gz"}, {"job": None, "approved": False}),
    ("the nightly upload into a folder below", "2026-11-18 23:45", {**PUSH, "path": "/in/x/his.dmp.gz"}, {"job": None, "approved": False}),
    ("the upload account takes files away", "2026-11-18 23:45", {**PUSH, "action": "delete", "path": "/in/a.gz"}, {"job": None, "approved": False}),
]  # fmt: skip


@pytest.mark.parametrize(("when", "said", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_verdicts(context, event, frame, checked, when, said, expected):
    [found] = checked(context.enrich(frame([event(when, **said)]))).to_dicts()
    assert {name: found[name] for name in expected} == expected


def test_the_whole_matrix_in_one_frame(context, event, frame, checked):
    found = checked(context.enrich(frame(event(when, **said) for _, when, said, _ in CASES))).to_dicts()
    for row, (name, _, _, expected) in zip(found, CASES, strict=True):
        assert {key: row[key] for key in expected} == expected, name


@settings(max_examples=25, deadline=None)
@given(picks=st.lists(st.integers(0, len(CASES) - 1), max_size=30), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_cutting_a_frame_changes_nothing(context, event, frame, picks, cuts):
    rows = frame(event(CASES[pick][1], **CASES[pick][2]) for pick in picks)
    whole = context.enrich(rows)
    edges = sorted({0, len(picks), *(min(cut, len(picks)) for cut in cuts)})
    parts = [context.enrich(rows[start:end]) for start, end in itertools.pairwise(edges)]
    assert pl.concat([whole[:0], *parts]).equals(whole)


def test_an_empty_frame_stays_empty(context, frame, checked):
    assert checked(context.enrich(frame([]))).is_empty()


def test_without_a_register_nothing_is_unregistered(event, frame, checked):
    plain = Context(zone=SHANGHAI)
    [found] = checked(plain.enrich(frame([event(WORK, account="zhang", client_ip="10.1.2.3", **PATIENTS)]))).to_dicts()
    known = {
        "actor_kind": "unknown",
        "approved": False,
        "working_day": True,
        "office_hours": True,
        "client_inside": True,
    }
    assert found == {**dict.fromkeys(CONTEXT), **known}


def test_the_overlay_reaches_the_verdicts(event, frame, checked, register):
    found = Context(
        zone=SHANGHAI,
        register=register("vendors: {v: {}}\npeople: {p: {vendor: v, accounts: [{system: pg, account: p}]}}\n"),
        overlay=CalendarOverlay(days_off=(date(2026, 11, 18),)),
    )
    [off] = checked(found.enrich(frame([event(WORK, account="p")]))).to_dicts()
    assert (off["working_day"], off["office_hours"], off["time_allowed"]) == (False, False, False)


def test_days_are_those_of_the_site_not_of_utc(event, frame, checked, register):
    text = "people: {p: {department: d, accounts: [{system: pg, account: p}], valid: {from: 2026-11-18}}}\n"
    site = Context(zone=SHANGHAI, register=register(text))
    # 00:30 in Shanghai is the day before in UTC.
    first, before = checked(
        site.enrich(frame([event("2026-11-18 00:30", account="p"), event("2026-11-17 23:59", account="p")]))
    ).to_dicts()
    assert first["person_valid"] is True
    assert before["person_valid"] is False


def test_a_year_without_a_calendar_is_told(event, frame):
    site = Context(zone=SHANGHAI)
    site.enrich(frame([event("2031-06-02 10:00")]))
    assert len(site.calendar.warnings) == 1


def test_hostile_accounts_and_addresses_are_only_text(context, event, frame, checked):
    names = ["", "\x00", "zhang\n", "' OR 1=1 --", "王" * 1000, "[local]", "{}", "z" * 70000]
    rows = [event(WORK, account=name, client_ip=name) for name in names]
    found = checked(context.enrich(frame(rows)))
    assert found["account_registered"].to_list() == [False] * len(names)
    assert found["approved"].to_list() == [False] * len(names)


def test_context_is_found_for_the_shipped_hospital(event, frame, checked):
    path = Path(__file__).parents[3] / "config" / "examples" / "sample-hospital" / "hospital.yaml"
    site = Context.of_site(load_site(path))
    rows = [
        event("2026-11-18 09:30", system="transfer", account="hx_wangqiang", client_ip="172.16.99.31", action="upload",
              path="/incoming/HIS_patch_3.2.1.zip"),
        event("2026-11-18 09:30", system="transfer", account="hx_wangqiang", client_ip="172.16.99.31", action="upload",
              path="/incoming/his_full.dmp"),
        event(NIGHT, system="his-pg", account="his_backup", client_ip="10.20.1.10", **DUMP),
        event(NIGHT, system="his-pg", account="vendor_wx_zhang", client_ip="192.168.66.13", **DUMP),
    ]  # fmt: skip
    found = checked(site.enrich(frame(rows)))
    assert found["approved"].to_list() == [True, False, True, False]
    assert found["file_shape"].to_list() == ["package", "dump", None, None]

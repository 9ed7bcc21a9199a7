"""`explain`: its keys, what values decide, and that nothing of a credential is ever echoed."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from config.catalogue import CLASSES, Role, load_catalogue
from monitor.explained import render
from parsers.sql.explain import explain
from parsers.sql.understand import REASONS

CATALOGUE = load_catalogue()
KEYS = {
    "understood", "reason", "verb", "reads", "writes", "output_classes", "used_classes", "restriction", "bound", "destination", "aggregate",
    "tongfang", "tenants", "tenant_missing", "dump_tool", "dynamic", "audit_change", "privilege_change", "identity_switch", "dangerous",
    "injection", "slots", "flagged", "shape",
}  # fmt: skip


def one(text: str, dialect: str = "postgres") -> dict[str, Any]:
    told = explain(text, dialect, CATALOGUE)
    assert len(told) == 1
    return told[0]


@pytest.mark.parametrize("text", ["SELECT 1", "", "not sql at all", "DO $$ x $$", "select 'unclosed"])
def test_every_answer_has_every_key(text: str) -> None:
    told = one(text)
    assert set(told) == KEYS
    json.dumps(told, allow_nan=False)


def test_one_object_a_statement() -> None:
    told = explain("SELECT 7; SELECT name FROM patients WHERE mrn = 'x' LIMIT 9;", "postgres", CATALOGUE)
    assert [item["shape"] for item in told] == ["select 0", "select name from patients where mrn='?'limit 0"]
    assert told[1]["bound"] == 9
    assert [slot["ordinal"] for slot in told[1]["slots"]] == [1, 2]


@pytest.mark.parametrize(
    ("text", "restriction"),
    [
        ("SELECT name FROM patients WHERE patient_id > 0", "none"),
        ("SELECT name FROM patients WHERE patient_id > -1", "none"),
        ("SELECT name FROM patients WHERE patient_id > 5", "range"),
        ("SELECT name FROM patients WHERE name LIKE '%%'", "none"),
        ("SELECT name FROM patients WHERE name LIKE '%a%'", "range"),
        ("SELECT name FROM patients WHERE name <> ''", "none"),
        ("SELECT name FROM patients WHERE name <> 'x'", "range"),
        ("SELECT name FROM patients WHERE patient_id > 0 AND patient_id = 7", "point"),
        ("SELECT name FROM patients WHERE patient_id > 0 AND sex = 'F'", "range"),
        ("SELECT name FROM patients WHERE 0 < patient_id", "none"),
    ],
)
def test_values_decide_what_narrows(text: str, restriction: str) -> None:
    assert one(text)["restriction"] == restriction


def test_bound_values_count_where_they_are_known() -> None:
    text = "SELECT name FROM patients LIMIT $1"
    assert one(text)["bound"] is None
    assert explain(text, "postgres", CATALOGUE, parameters=["50"])[0]["bound"] == 50


def test_tenants_and_their_codes() -> None:
    assert one("SELECT name FROM outpt_visit WHERE hosp_code IN ('42','43')", "mysql")["tenants"] == [
        {"column": "hosp_code", "values": ["42", "43"]}
    ]
    assert one("SELECT name FROM outpt_visit WHERE hosp_code = ?", "mysql")["tenants"] == [
        {"column": "hosp_code", "values": None}
    ]


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("ALTER USER scott IDENTIFIED BY tiger", "oracle"),
        ('CREATE USER x IDENTIFIED BY "tiger" ACCOUNT UNLOCK', "oracle"),
        ('create user x with password "tiger"', "postgres"),
        ("create user x with password 'tiger'", "postgres"),
        ("CREATE LOGIN a WITH PASSWORD = tiger, CHECK_POLICY=OFF", "tsql"),
        ("create user x identified with mysql_native_password by 'tiger'", "mysql"),
        ("set password = tiger", "mysql"),
        ("CREATE DATABASE LINK l CONNECT TO u IDENTIFIED BY tiger USING 'db'", "oracle"),
        ("SELECT dblink_connect('k', 'host=10.0.0.1 user=x password=tiger')", "postgres"),
        ("CREATE USER MAPPING FOR CURRENT_USER SERVER f OPTIONS (user 'x', password 'tiger')", "postgres"),
        (
            "SELECT * FROM dblink('password=tiger', 'select name from patients where name = ''tiger''') t(n text)",
            "postgres",
        ),
        ("EXECUTE IMMEDIATE 'alter user scott identified by tiger'", "oracle"),
        ("BEGIN EXECUTE IMMEDIATE 'alter user scott identified by tiger'; END;", "oracle"),
        ("ALTER USER scott IDENTIFIED BY tiger REPLACE tiger", "oracle"),
    ],
)
def test_no_credential_is_echoed(text: str, dialect: str) -> None:
    for told in explain(text, dialect, CATALOGUE):
        assert "tiger" not in json.dumps(told).lower()
        assert "tiger" not in render(told, "zh").lower()


def test_rules_of_the_statement_are_shown() -> None:
    told = explain(
        "SELECT name FROM patients; SELECT name FROM patients WHERE mrn = 'x'",
        "postgres",
        CATALOGUE,
        flagged=lambda statements: [[{"rule": "EXF-01", "why": f"{facts.restriction}"}] for facts, _ in statements],
    )
    assert [each["flagged"] for each in told] == [
        [{"rule": "EXF-01", "why": "none"}],
        [{"rule": "EXF-01", "why": "point"}],
    ]


def test_it_reads_in_both_languages() -> None:
    told = one(
        "SELECT doctor_id, drug_name, sum(qty) FROM prescriptions JOIN prescription_items USING (presc_no) GROUP BY doctor_id, drug_name"
    )
    chinese, english = render(told, "zh"), render(told, "en")
    assert "统方" in chinese
    assert "无限制" in chinese
    assert "tongfang" in english
    assert "prescriber, drug" in english


def test_every_code_has_words_in_chinese() -> None:
    """Codes are for machines; people read words, and classes by the names that messages use."""
    base = one("SELECT name FROM patients")
    codes = {
        "reason": REASONS - {""},
        "dangerous": {"os_command", "server_file", "sql_function", "link", "library", "backup", "unrestricted_write", "drop", "truncate", "delay"},
        "injection": {"tautology", "union", "stacked", "delay", "comment", "dictionary"},
        "output_classes": set(CLASSES),
    }  # fmt: skip
    for key, each in codes.items():
        for code in each:
            told = render(base | {key: code if key == "reason" else [code]}, "zh")
            assert code not in told, code
    by = [*get_args(Role), *CLASSES]
    told = render(base | {"aggregate": {"functions": ["count"], "by": by}}, "zh")
    assert not [code for code in by if code in told]


def test_what_values_stand_for_is_told_with_their_column() -> None:
    told = one("SELECT name FROM patients WHERE patient_id IN (1, 2, 3) LIMIT 5")
    assert "患者标识 patient_id ×3, 最多行数" in render(told, "zh")
    assert "patient key patient_id ×3, limit" in render(told, "en")

"""Meaning under a catalogue: what a new catalogue changes, what several statements make together, what values decide."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.catalogue import Catalogue, load_catalogue
from parsers.sql.facts import StatementFacts
from parsers.sql.lexer import DIALECTS
from parsers.sql.meaning import facts, statement_facts
from parsers.sql.structure import Structure
from parsers.sql.understand import REASONS, structure

SHIPPED = load_catalogue()


def understood(text: str, dialect: str = "postgres", catalogue: Catalogue = SHIPPED) -> StatementFacts:
    return facts(structure(text, dialect), catalogue)


def test_a_new_catalogue_needs_no_new_parse(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "pack: site\ntables:\n  crm_x:\n    columns: {a: identity, k: patient_key, t: tenant}\n", encoding="utf-8"
    )
    made = structure("SELECT a FROM crm_x WHERE k = 5", "mysql")
    assert facts(made, SHIPPED).output_classes == ()
    mine = facts(made, load_catalogue((), [site]))
    assert (mine.output_classes, mine.restriction) == (("identity",), "point")


def test_the_sites_own_table_wins_over_a_pack(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("pack: site\ntables: {patients: {columns: {name: staff}}}\n", encoding="utf-8")
    assert understood("SELECT name FROM patients", catalogue=load_catalogue(None, [site])).output_classes == ("staff",)


def test_structures_are_small_and_survive_the_pipe() -> None:
    made = structure("SELECT p.name FROM patients p JOIN visits v USING (patient_id) WHERE v.visit_id = $1", "postgres")
    held = pickle.dumps(made)
    assert pickle.loads(held) == made
    assert len(held) < 2000


def test_facts_do_not_depend_on_values() -> None:
    texts = [
        "SELECT name FROM patients WHERE patient_id > 0 LIMIT 5",
        "SELECT name FROM patients WHERE patient_id > 99 LIMIT 7",
    ]
    first, second = (understood(text) for text in texts)
    assert first == second
    assert (first.restriction, first.loose_restriction) == ("range", "none")
    assert [test.test for test in first.loose_tests] == ["not_positive"]
    assert first.bound is None


def test_embedded_sql_binds_the_facts_to_the_text() -> None:
    assert structure("EXECUTE IMMEDIATE 'select name from patients'", "oracle").text_bound
    assert structure("EXECUTE IMMEDIATE 'x'", "oracle").text_bound  # it was looked at, so another text may say more
    assert not structure("SELECT name FROM patients WHERE name = 'x'", "oracle").text_bound


def test_several_statements_make_one_story() -> None:
    told = understood("select name from patients limit 3 ; select count(*) from visits ; drop table x")
    assert told.verb == "select"
    assert set(told.reads) == {"patients", "visits"}
    assert told.writes == ("x",)
    assert told.restriction == "none"
    assert told.dangerous == ("drop",)


def test_a_temporary_table_of_the_same_text_carries_what_it_was_made_of() -> None:
    made = structure("SELECT name, phone INTO #t FROM patients; SELECT phone FROM #t", "tsql")
    assert len(made.statements) == 2
    told = facts(made, SHIPPED)
    assert told.reads == ("patients",)
    assert told.output_classes == ("contact", "identity")


@pytest.mark.parametrize(
    ("text", "dialect", "table"),
    [
        ("CREATE SYNONYM s FOR medrec.pat_master_index; SELECT name FROM s", "oracle", "medrec.pat_master_index"),
        ("CREATE SYNONYM dbo.s FOR his.dbo.patients; SELECT name FROM s", "tsql", "his.dbo.patients"),
    ],
)
def test_a_synonym_of_the_same_text_is_the_table_it_stands_for(text: str, dialect: str, table: str) -> None:
    told = [statement_facts(each, SHIPPED) for each in structure(text, dialect).statements]
    assert [each.output_classes for each in told] == [(), ("identity",)]
    assert set(told[1].reads) == {"s", table}


def test_the_rows_of_a_trigger_are_forgotten_behind_it() -> None:
    made = structure(
        "CREATE RULE r AS ON UPDATE TO patients DO ALSO INSERT INTO t SELECT OLD.name; SELECT new.name FROM new",
        "postgres",
    )
    assert facts(Structure(made.statements[1:]), SHIPPED).reads == ("new",)


def test_a_default_database_tells_tables_of_one_name_apart() -> None:
    made = structure("SELECT DOCTOR, ORDER_CODE FROM ORDERS", "mysql")
    assert facts(made, SHIPPED, "medrec").output_classes == ("prescription",)
    assert facts(made, SHIPPED, "his").output_classes == ()


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("SELECT * FROM patients WHERE patient_id = $2 AND mrn = $1", [("patient_key", "bind", 1), ("patient_key", "bind", 2)]),
        ("SELECT 'x', name FROM patients WHERE patient_id IN (1,2) LIMIT 5 OFFSET 9", [("value", "literal", 1), ("patient_key", "literal", 2), ("limit", "literal", 3), ("offset", "literal", 4)]),
        ("SELECT presc_no FROM prescriptions WHERE presc_date > '2026-01-01' AND doctor_id = 5", [("date", "literal", 1), ("prescriber", "literal", 2)]),
        ("SELECT name FROM patients WHERE name LIKE '%x%'", [("pattern", "literal", 1)]),
        ("COPY patients TO '/tmp/x'", [("path", "literal", 1)]),
        ("select query_to_xml('select 1', true, false, '')", [("dynamic_sql", "literal", 1), ("value", "literal", 2)]),
        ("SELECT name FROM patients WHERE patient_id IN (SELECT patient_id FROM visits LIMIT 7)", [("value", "literal", 1)]),
    ],
)  # fmt: skip
def test_places_of_values_have_roles(text: str, roles: list[tuple[str, str, int]]) -> None:
    assert [(slot.role, slot.kind, slot.ordinal) for slot in understood(text).slots] == roles


def test_question_marks_are_counted_in_order_of_the_text() -> None:
    told = understood("SELECT name FROM patients WHERE sex = ? AND patient_id = ? LIMIT ?, ?", "mysql")
    assert [(slot.role, slot.ordinal) for slot in told.slots] == [
        ("value", 1),
        ("patient_key", 2),
        ("offset", 3),
        ("limit", 4),
    ]


def test_a_list_counts_its_values() -> None:
    told = understood("SELECT name FROM patients WHERE patient_id IN (4,5,6)")
    assert [(slot.role, slot.count) for slot in told.slots] == [("patient_key", 3)]


HOSTILE = {
    "joins without ON": "select * from a " + " ".join(f"join b{i}" for i in range(20)),
    "nested types": "select cast(a as " + "decimal(" * 20 + "1" + ")" * 20 + ")",
    "nested arrays": "select " + "array[" * 25 + "1" + "]" * 25,
    "brackets": "select * from " + "(" * 150 + "t" + ")" * 150,
    "a long chain of AND": "select * from patients where " + " and ".join(f"a={i}" for i in range(2000)),
    "a long sum": "select " + "1+" * 3000 + "1 from patients",
    "a long concatenation": "select " + "a||" * 3000 + "b from patients",
    "doubling CTEs": "with c0 as (select * from patients)" + "".join(f", c{i} as (select * from c{i - 1} a, c{i - 1} b)" for i in range(1, 30)) + " select * from c29",
    "deep NOT": "select * from patients where " + "not " * 4000 + "a",
    "many statements": "select 1;" * 101,
    "blocks in blocks": "begin " * 3000,
    "SQL in SQL in SQL": "execute immediate 'execute immediate ''execute immediate ''''execute immediate 1'''' '' '",
    "lone surrogate": "select * from patients where name = '\x00\ud800'",
    "nothing": " -- x",
    "semicolons": ";" * 3000,
    "too long": "select '" + "x" * 300_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_hostile_text_gets_an_answer(name: str, dialect: str) -> None:
    made = structure(HOSTILE[name], dialect)
    assert made.statements
    assert all(statement.reason in REASONS and statement.reason != "failed" for statement in made.statements)
    assert facts(made, SHIPPED).understood in {"ast", "lexical", "none"}


_WORDS = st.sampled_from(
    ["select", "from", "where", "insert", "into", "values", "update", "set", "delete", "with", "as", "union", "all", "(", ")", ",", ";", ".", "=", "<>", ">", "in", "like", "not", "exists", "and", "or", "join", "left", "on", "using", "group", "by", "order", "limit", "offset", "1", "'x'", '"q"', "patients", "visits", "patient_id", "name", "*", "count", "(", "sum", "(", "case", "when", "then", "else", "end", "begin", "declare", "execute", "immediate", "do", "$$", "exec", "copy", "to", "create", "table", "procedure", "function", "is", "loop", "for", "if", "prepare", "fetch", "||", "+", "-", "?", ":1", "$1", "@v", "/*", "*/", "--", "merge", "matched", "truncate", "drop", "alter", "grant", "revoke", "call"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(words=st.lists(_WORDS, max_size=30), dialect=st.sampled_from(DIALECTS))
def test_soup_of_keywords_is_survived(words: list[str], dialect: str) -> None:
    made = structure(" ".join(words), dialect)
    assert all(statement.reason != "failed" for statement in made.statements)
    facts(made, SHIPPED)

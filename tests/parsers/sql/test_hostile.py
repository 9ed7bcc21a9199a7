"""Hostile SQL through the real workers: every text has an answer and is read by its words, and none costs more than a second.

`make sql-fuzz` sends a million damaged statements (HISWATCH_FUZZ_STATEMENTS) and counts how often a worker had to be killed.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from sql_attacks import attacks
from sql_texts import Grammar, mutated, written

from config.catalogue import Catalogue, load_catalogue
from monitor.workers import Workers
from parsers.sql.lexer import DIALECTS
from parsers.sql.meaning import facts
from parsers.sql.structure import Statement, Structure
from parsers.sql.understand import REASONS, structure

SEED = int(os.environ.get("HISWATCH_FUZZ_SEED", "20261118"))
FUZZED = int(os.environ.get("HISWATCH_FUZZ_STATEMENTS", "200000"))
FRAME = 1_000
A_SECOND = 1_000  # of the worker's CPU time
HONEST = "SELECT name FROM patients WHERE patient_id = 1"
ATTACKS = attacks()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(timeout_ms=A_SECOND) as made:
        yield made


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def names(statement: Statement) -> Iterator[str]:
    yield from (*statement.tables, *statement.reads, *statement.writes, *statement.identifiers)
    for inner in statement.inner:
        yield from names(inner)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_read_within_a_second(workers: Workers, name: str) -> None:
    dialect, text = ATTACKS[name]
    stopped = dict(workers.killed)
    made, honest = workers.structures([(dialect, text), (dialect, HONEST)])
    if workers.killed != stopped:  # other work on the machine only ever adds: the cheaper of two readings counts
        with Workers(timeout_ms=A_SECOND) as again:  # new ones: the others know the text as one that cost too much
            made, honest = again.structures([(dialect, text), (dialect, HONEST)])
            assert again.killed == {"killed": 0, "crashed": 0}  # limits stop it, not the clock
    assert "patients" in {table.lower() for statement in made.statements for table in names(statement)}
    assert honest.statements[0].understood == "ast"


@pytest.mark.parametrize("name", ["numbers_100000", "and_100000", "rows_100000", "tables_100000"])
def test_a_table_in_the_middle_of_a_long_text_is_seen(workers: Workers, name: str) -> None:
    dialect, text = ATTACKS[name]
    middle = f"{text} union select id_card_no from medrec.pat_master_index; {text}"
    made = workers.structures([(dialect, middle)])[0]
    assert "medrec.pat_master_index" in {table for statement in made.statements for table in names(statement)}


def fuzzed(count: int, seed: int = SEED) -> Iterator[tuple[str, str]]:
    """Damaged statements; now and then a piece of an attack, or bytes that are no SQL at all."""
    choice, grammar, texts = random.Random(seed), Grammar(seed), written()
    pieces = [text for _, text in ATTACKS.values()]
    for _ in range(count):
        kind = choice.randrange(100)
        if kind < 60:
            dialect, text = choice.choice(texts)
        elif kind < 96:
            dialect = choice.choice(DIALECTS)
            text = grammar.statement(dialect)
        elif kind < 99:
            dialect, text = choice.choice(DIALECTS), choice.choice(pieces)[: choice.choice((200, 2_000, 20_000))]
        else:
            dialect = choice.choice(DIALECTS)
            text = choice.randbytes(choice.randrange(400)).decode("utf-8", "surrogateescape")
        yield dialect, mutated(text, dialect, choice.choice(texts)[1], choice)


def answered(texts: list[tuple[str, str]], made: list[Structure], catalogue: Catalogue) -> Counter[str]:
    """Reasons of the answers; every text has one, and facts."""
    assert len(made) == len(texts)
    reasons = Counter[str]()
    for text, answer in zip(texts, made, strict=True):
        assert answer.statements, text
        found = facts(answer, catalogue)
        assert found.reason in REASONS, (text, found.reason)
        reasons[found.reason or "ast"] += 1
        if found.reason == "failed":
            print("failed:", text)  # an error inside the reader: the words remain, the error is to be mended
    return reasons


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("oracle", "UPDATE (SELECT costs FROM patients WHERE presc_n"),
        ("oracle", "UPDATE (SELECT costs FROM patients WHERE presc_no = 5; SET SET costs = 0"),
        ("tsql", "SELECT HASHBYTES('MD5') FROM patients"),
        ("tsql", "SELECT HASHBYTES('MD5', id_card_no, name FROM patients"),
        ("mysql", "SELECT name FROM patients WHERE NOT ISNULL()"),
        ("mysql", "TE v FROM patients p ON p.patient_id @➏ )v.patient_id WHERE p.mrn = 'x'"),
        ("oracle", f"UPDATE patients SET a = (:{'9' * 5000} FROM patients"),
        ("mysql", "SELECT name FROM patients WHERE expire_date < DATE_ADD(NOW()$1, INTERVAL 90 DAY)"),
    ],
)
def test_arguments_that_damage_took_are_no_error_of_the_reader(dialect: str, text: str) -> None:
    found = structure(text, dialect)
    assert {statement.reason for statement in found.statements} <= {"parse_error", "truncated", "grammar", ""}
    assert "patients" in {table for statement in found.statements for table in names(statement)}


def test_damaged_statements_have_facts(workers: Workers, catalogue: Catalogue) -> None:
    texts, stopped = list(fuzzed(1_000, SEED + 1)), dict(workers.killed)
    reasons = answered(texts, workers.structures(texts), catalogue)
    assert reasons["ast"] > 50  # the damage is not so great that nothing but refusals is tested
    assert reasons["failed"] == 0  # no error inside the reader
    assert workers.killed == stopped


@pytest.mark.slow
def test_a_million_damaged_statements(catalogue: Catalogue) -> None:
    """As many as HISWATCH_FUZZ_STATEMENTS says, with the time limit of the daemon."""
    began, reasons, frame, sent = time.monotonic(), Counter[str](), list[tuple[str, str]](), 0
    with Workers() as workers:
        for one in fuzzed(FUZZED):
            frame.append(one)
            if len(frame) == FRAME:
                reasons += answered(frame, workers.structures(frame), catalogue)
                sent, frame = sent + len(frame), []
                if sent % 20_000 == 0:
                    print(
                        f"{sent:,} {sent / (time.monotonic() - began):.0f}/s {workers.killed} {dict(reasons)}",
                        flush=True,
                    )
        reasons += answered(frame, workers.structures(frame), catalogue)
        sent += len(frame)
        assert workers.answered == sent == FUZZED
        assert reasons.total() == sent
        assert reasons["failed"] == 0
        assert sum(workers.killed.values()) <= sent / 1_000

"""`hiswatch explain`: facts of statements, and which rules the statement alone would raise. Nothing is stored.

SQL is read in a worker here too: what is asked about may be what killed one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import polars as pl

from config.catalogue import Catalogue, load_catalogue
from config.rulefiles import read_rules
from detectors.rules import Rule, compile_rules
from monitor.assemble import read_site, site_rules
from monitor.workers import Workers
from parsers.events import CONTEXT, EVENTS, FACTS, empty
from parsers.sql.explain import explain, render
from parsers.sql.facts import StatementFacts
from parsers.sql.lexer import DIALECTS

MAX_LINE = 4 << 20


def explain_one(text: str, dialect: str, config: Path | None, *, as_json: bool, language: str) -> None:
    """One object for one statement; a list when the text holds several."""
    catalogue, rules = _knowledge(config)
    with Workers() as workers:
        found = _explained(text, dialect, catalogue, rules, workers, language)
    if as_json:
        print(json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False))
        return
    for facts in found:
        print(render(facts, language))


def explain_stdin(config: Path | None, lines: IO[bytes], out: IO[bytes]) -> None:
    """One {"id", "dialect", "sql"} a line; one answer a line with the id, also for a line that cannot be read."""
    catalogue, rules = _knowledge(config)
    with Workers() as workers:
        while line := lines.readline(MAX_LINE):
            if line.strip():
                answer = _answer(line, lambda text, dialect: _explained(text, dialect, catalogue, rules, workers, "en"))
                out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
                out.flush()


def _answer(line: bytes, explained: Callable[[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except ValueError:
        return {"id": None, "error": "not a JSON object on one line"}
    if not isinstance(asked, Mapping) or not isinstance(asked.get("sql"), str):
        return {"id": asked.get("id") if isinstance(asked, Mapping) else None, "error": "expected id, dialect and sql"}
    dialect = asked.get("dialect", "postgres")
    if dialect not in DIALECTS:
        return {"id": asked.get("id"), "error": f"unknown dialect; known: {', '.join(DIALECTS)}"}
    found = explained(asked["sql"], dialect)
    return {"id": asked.get("id")} | (found[0] if len(found) == 1 else {"statements": found})


def _knowledge(config: Path | None) -> tuple[Catalogue, tuple[Rule, ...]]:
    if config is None:
        return load_catalogue(), tuple(compile_rules(read_rules()))
    settings = read_site(config).settings
    return load_catalogue(settings.catalogue.packs, settings.catalogue.files), site_rules(settings)


def _explained(
    text: str, dialect: str, catalogue: Catalogue, rules: tuple[Rule, ...], workers: Workers, language: str
) -> list[dict[str, Any]]:
    structure = workers.structures([(dialect, text)])[0]
    return explain(
        text, dialect, catalogue, structure=structure, flagged=lambda facts, _: flags(facts, dialect, rules, language)
    )


def flags(facts: StatementFacts, dialect: str, rules: tuple[Rule, ...], language: str) -> list[dict[str, str]]:
    """Rules of one event that the facts alone meet: nothing is known of who, when and how many rows."""
    alone = [rule for rule in rules if rule.kind == "single" and rule.steps[0].category in ("database", "any")]
    told = {name: getattr(facts, name) for name in FACTS if hasattr(facts, name)}
    row = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    row |= {"action": "query", "outcome": "ok", "record_role": "main", "dialect": dialect, "rows_kind": "unknown"}
    row |= {"command": facts.verb.upper(), "approved": False}
    frame = pl.DataFrame([row], schema=empty(EVENTS, FACTS, CONTEXT).schema)
    hits = frame.select(rule.steps[0].expression.alias(rule.id) for rule in alone).row(0, named=True)
    return [
        {"rule": rule.id, "why": rule.title_zh if language == "zh" else rule.title_en}
        for rule in alone
        if hits[rule.id]
    ]

"""`hiswatch explain`: facts of statements, and which rules the statement alone would raise. Nothing is stored.

SQL is read in a worker here too: what is asked about may be what killed one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

from config.catalogue import Catalogue, load_catalogue
from config.rulefiles import read_rules
from detectors.alone import flagger
from detectors.rules import Rule, compile_rules
from monitor.assemble import read_site, site_rules
from monitor.explained import render
from monitor.workers import Workers
from parsers.sql.explain import explain
from parsers.sql.facts import StatementFacts
from parsers.sql.lexer import DIALECTS

MAX_LINE = 64 << 20


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
        for line in _lines(lines):
            if line is None or line.strip():
                answer = _answer(line, lambda text, dialect: _explained(text, dialect, catalogue, rules, workers, "en"))
                out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
                out.flush()


def _lines(lines: IO[bytes]) -> Iterator[bytes | None]:
    """Whole lines; None for one that is longer than a line may be."""
    while line := lines.readline(MAX_LINE):
        whole = line.endswith(b"\n") or len(line) < MAX_LINE
        yield line if whole else None
        while not whole and (line := lines.readline(MAX_LINE)):
            whole = line.endswith(b"\n")


def _answer(line: bytes | None, explained: Callable[[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    if line is None:
        return {"id": None, "error": f"longer than {MAX_LINE} bytes"}
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
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
    text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates are no text
    structure = workers.structures([(dialect, text)])[0]
    flagged = flagger(rules, "zh" if language == "zh" else "en")

    def flag(statements: list[tuple[StatementFacts, str]]) -> list[list[dict[str, str]]]:
        return flagged(
            [
                {field.name: getattr(facts, field.name) for field in fields(facts)}
                | {"shape": shape, "dialect": dialect}
                for facts, shape in statements
            ]
        )

    return explain(text, dialect, catalogue, structure=structure, flagged=flag)

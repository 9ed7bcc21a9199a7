"""How much of the SQL in captured logs is understood: by the tree, by a grammar of ours, by words alone.

    python benchmarks/understanding.py --config SITE --samples DIR [--samples DIR ...] [--report docs/understanding.md] [--json]

Every database log below the folders is read by the parser that the configuration names, every statement by real worker
processes under the catalogue of the configuration. Counted per dialect, once a distinct text and once an execution:
queries, changes, COPY and definitions that were neither cut off nor refused by the server, by what read them; all other
statements (PREPARE, FETCH, SET, GRANT ...) likewise; and statements that name a sensitive table which their facts lack.
What kind a statement is of, and which tables it names, is told here by its words, not by the code that is measured.
Ends with 1 when one of the three goals is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from detection import age

from config.catalogue import Catalogue, load_catalogue
from monitor.assemble import Assembly, assembled, named_source, read_site
from monitor.protect import ephemeral_key
from monitor.replay import chunks, source_of
from monitor.workers import Workers
from parsers.registry import Carry
from parsers.sql.facts import StatementFacts
from parsers.sql.lexer import DIALECTS, exact_shape, scan
from parsers.sql.meaning import facts

DATA = frozenset(
    {
        "select", "with", "table", "values", "insert", "replace", "update", "delete", "merge", "copy",
        "create", "alter", "drop", "truncate", "rename",
    }
)  # fmt: skip
# As the servers' own audit classes have it (pgaudit's ROLE and MISC, server_audit's QUERY_DCL), these are no definitions of data.
_DEFINES = frozenset({"create", "alter", "drop", "rename"})
_ACCOUNTS = frozenset({"user", "role", "group", "login", "system"})
NEEDED_TREE, NEEDED_GRAMMAR = 0.98, 0.95
SHOWN = 40
WIDTH = 160

HEAD = """# How much SQL is understood

Written by `benchmarks/understanding.py --report`; do not edit. Every statement of the captured logs of the sample hospital, each distinct
text once (*texts*) and as often as it was run (*runs*). Statements that the log cut off or that the server refused are left out of the first two tables, and so are
texts of comments alone. CREATE, ALTER and DROP of users and roles and ALTER SYSTEM stand with the other statements, as in the servers' own audit classes.
*Tree*: `understood` is `ast`. *Grammar*: a small grammar of ours names the object, and the reason says `grammar`. The rest: words alone.
"""

_OPENING = re.compile(
    r"(?:\s++|--[^\n]*+(?:\n|\Z)|#[^\n]*+(?:\n|\Z)|/\*(?!M?!)(?:.*?\*/|.*+)|/\*M?!\d*+|[(;])*+", re.DOTALL
)
_FIRST = re.compile(r"([A-Za-z_]++)(?:\s++([A-Za-z_]++))?+")
# Literals and comments, which name nothing; then words, bare or quoted.
_WORDS = re.compile(
    r"(?P<skip>--[^\n]*+|/\*(?!M?!)(?:.*?\*/|.*+)|(?:[eEnNxXbB])?'(?:[^'\\]++|\\.|'')*+(?:'|\Z)|\$(?P<tag>\w*)\$(?:.*?\$(?P=tag)\$|.*+))"
    r'|(?P<name>[\w$#]++|"[^"]*+"|`[^`]*+`|\[[^\]]*+\])',
    re.DOTALL,
)
_BEFORE_TABLE = frozenset({"from", "join", "into", "update", "table", "copy", "truncate", "only"})


@dataclass(frozen=True, slots=True)
class Text:
    """One distinct text, and how often it was run: in all, and neither cut off nor refused."""

    dialect: str
    text: str
    runs: int
    whole: int


@dataclass(slots=True)
class Counts:
    """Of one dialect: (texts, runs) by group and by what understood them."""

    texts: Counter[tuple[str, str]] = field(default_factory=Counter)
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    misses: dict[str, list[tuple[int, str, str]]] = field(
        default_factory=lambda: {"data": [], "other": [], "table": []}
    )

    def add(self, group: str, how: str, runs: int) -> None:
        self.texts[group, how] += 1
        self.runs[group, how] += runs

    def share(self, counted: Mapping[tuple[str, str], int], group: str, good: tuple[str, ...]) -> float:
        total = sum(number for (name, _), number in counted.items() if name == group)
        return sum(counted.get((group, how), 0) for how in good) / total if total else 1.0


def statements(assembly: Assembly, samples: Path) -> Iterator[pl.DataFrame]:
    """Statements of every log below a folder, in order of age."""
    carries: dict[str, Carry] = {}
    for path in sorted((p for p in samples.rglob("*") if p.is_file()), key=lambda p: (p.parent, age(p))):
        source = source_of(path, assembly.settings)
        if source is None:
            continue
        named, parser = named_source(assembly.settings, source), assembly.pipeline.parsers[source]
        for chunk in chunks(path, named, parser, datetime.now(UTC)):
            read = assembly.pipeline.read([chunk], carries)
            carries.update(read.carries)
            yield read.events.filter(pl.col("statement").is_not_null()).select(
                pl.col("dialect").fill_null("postgres"), "statement",
                whole=~pl.col("truncated").fill_null(value=False) & (pl.col("outcome").fill_null("") != "failed"),
            )  # fmt: skip


def distinct(parts: Iterator[pl.DataFrame]) -> list[Text]:
    counted = pl.concat(list(parts)).group_by("dialect", "statement").agg(pl.len().alias("runs"), pl.col("whole").sum())
    rows = counted.sort("dialect", "statement").select("dialect", "statement", "runs", "whole").iter_rows()
    return [Text(*row) for row in rows]


def kind_of(text: str) -> str:
    """`data` for queries, changes, COPY and definitions of what holds data; `other`. By the first two words."""
    opened = _OPENING.match(text)
    words = _FIRST.match(text, opened.end() if opened else 0)
    if words is None or words[1].lower() not in DATA:
        return "other"
    return "other" if words[1].lower() in _DEFINES and (words[2] or "").lower() in _ACCOUNTS else "data"


def tables_named(text: str, catalogue: Catalogue) -> set[str]:
    """Sensitive tables of the catalogue whose names stand in a text where a table's name stands."""
    found: set[str] = set()
    before, dotted = "", False
    for token in _WORDS.finditer(text):
        if token["skip"] is not None:
            continue
        name = token["name"].strip('"`[]')
        after_dot = text[max(0, token.start() - 1) : token.start()] == "."
        if (before.lower() in _BEFORE_TABLE or (after_dot and dotted)) and name.lower() not in _BEFORE_TABLE:
            dotted = text.startswith(".", token.end())
            table = None if dotted else catalogue.table(name)
            if table is not None and table.sensitive and not table.guessed:
                found.add(name.casefold())
        else:
            dotted = False
        before = name if not after_dot else ""
    return found


def missing(text: str, found: StatementFacts, catalogue: Catalogue) -> str:
    """Why a statement that names a sensitive table has not its class; empty when it has."""
    named = {name.rsplit(".", 1)[-1].split("@")[0].casefold() for name in (*found.reads, *found.writes)}
    known = tables_named(text, catalogue)
    if known - named:
        return "not named: " + ", ".join(sorted(known - named))
    if known and found.verb in {"select", "update", "delete"} and found.restriction is None:
        return "no restriction: " + ", ".join(sorted(known))
    return ""


def how(found: StatementFacts) -> str:
    return "tree" if found.understood == "ast" else "grammar" if found.reason == "grammar" else "words"


def measure(texts: list[Text], catalogue: Catalogue) -> dict[str, Counts]:
    counts = {dialect: Counts() for dialect in DIALECTS}
    with Workers() as workers:
        structures = workers.structures([(text.dialect, text.text) for text in texts])
    for text, structure in zip(texts, structures, strict=True):
        found, mine, scanned = facts(structure, catalogue), counts[text.dialect], scan(text.text, text.dialect)
        form = _flat(exact_shape(scanned))
        # A text that ends inside quotes or brackets was cut off, whether the record could tell or not.
        if text.whole and scanned.tokens and scanned.balanced:
            group, read = kind_of(text.text), how(found)
            mine.add(group, read, text.whole)
            if read != "tree" and not (group == "other" and read == "grammar"):
                mine.misses[group].append((text.whole, found.reason, form))
        why = missing(text.text, found, catalogue)
        mine.add("sensitive", "without" if why else "all", text.runs)
        if why:
            mine.misses["table"].append((text.runs, why, form))
    return counts


def _flat(form: str) -> str:
    """On one line, in a table's cell, cut: shapes hold no values."""
    flat = " ".join(form.split()).replace("|", "/").replace("`", "'")
    return flat if len(flat) <= WIDTH else flat[: WIDTH - 1] + "…"


def goals(counts: Mapping[str, Counts]) -> list[str]:
    """The goals that are missed."""
    missed = []
    for dialect, mine in counts.items():
        for name, counted in (("texts", mine.texts), ("runs", mine.runs)):
            if (share := mine.share(counted, "data", ("tree",))) < NEEDED_TREE:
                missed.append(f"{dialect}: {share:.2%} of the {name} of queries, changes and definitions have a tree")
            if (share := mine.share(counted, "other", ("tree", "grammar"))) < NEEDED_GRAMMAR:
                missed.append(f"{dialect}: {share:.2%} of the {name} of other statements have a grammar")
        if lost := len(mine.misses["table"]):
            missed.append(f"{dialect}: {lost} texts name a sensitive table that their facts lack")
    return missed


def page(counts: Mapping[str, Counts]) -> str:
    out = [HEAD]
    for group, title in (("data", "Queries, changes, COPY and definitions"), ("other", "Other statements")):
        out += [
            f"## {title}\n",
            "| dialect | texts | tree | grammar | words | runs | tree | grammar | words |",
            "|" + "---|" * 9,
        ]
        for dialect, mine in counts.items():
            cells = [dialect]
            for counted in (mine.texts, mine.runs):
                cells.append(f"{sum(n for (name, _), n in counted.items() if name == group):,}")
                cells += [f"{mine.share(counted, group, (way,)):.2%}" for way in ("tree", "grammar", "words")]
            if mine.texts:
                out.append("| " + " | ".join(cells) + " |")
        out.append("")
    out.append(
        "## Sensitive tables\n\nStatements of any kind, cut off or refused ones too, that name a sensitive table which their facts lack:\n"
    )
    out += [f"- {dialect}: {len(mine.misses['table'])} of {mine.texts['sensitive', 'all'] + len(mine.misses['table']):,} texts"
            for dialect, mine in counts.items() if mine.texts]  # fmt: skip
    for group, title in (("data", "without a tree"), ("other", "without a grammar"), ("table", "without their table")):
        lines = [
            (runs, dialect, why, form) for dialect, mine in counts.items() for runs, why, form in mine.misses[group]
        ]
        merged = Counter[tuple[str, str, str]]()
        for runs, dialect, why, form in lines:
            merged[dialect, why, form] += runs
        if merged:
            out += [f"\n## Statements {title}\n", "| runs | dialect | why | shape |", "|" + "---|" * 4]
            out += [f"| {runs:,} | {d} | {why} | `{form}` |" for (d, why, form), runs in merged.most_common(SHOWN)]
            if len(merged) > SHOWN:
                out.append(f"\n… and {len(merged) - SHOWN} shapes more.")
    return "\n".join(out) + "\n"


def as_json(counts: Mapping[str, Counts]) -> str:
    return json.dumps(
        {
            dialect: {
                "texts": {f"{group} {way}": n for (group, way), n in sorted(mine.texts.items())},
                "runs": {f"{group} {way}": n for (group, way), n in sorted(mine.runs.items())},
                "misses": mine.misses,
            }
            for dialect, mine in counts.items() if mine.texts
        },
        ensure_ascii=False, indent=1,
    )  # fmt: skip


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--config", type=Path, required=True, help="hospital.yaml")
    given.add_argument("--samples", type=Path, required=True, action="append", help="folder of captured logs")
    given.add_argument("--report", type=Path, help="write the page")
    given.add_argument("--json", action="store_true")
    options = given.parse_args()
    parts: list[pl.DataFrame] = []
    for samples in options.samples:
        with assembled(read_site(options.config, samples), ephemeral_key(), lateness=None) as assembly:
            parts += statements(assembly, samples)
            chosen = assembly.settings.catalogue
    counts = measure(distinct(iter(parts)), load_catalogue(chosen.packs, chosen.files))
    if options.report:
        options.report.write_text(page(counts), encoding="utf-8")
    print(as_json(counts) if options.json else page(counts))
    missed = goals(counts)
    for line in missed:
        print(line, file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()

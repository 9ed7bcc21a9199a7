"""`hiswatch catalogue`: what the tables of a schema may hold, as a catalogue file for people to check."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.answering import Json, answering

catalogue_app = typer.Typer(help="Catalogue: suggest. 数据目录。", no_args_is_help=True)


@catalogue_app.callback()
def catalogue() -> None:
    """Keeps `suggest` a command of its own name."""


@catalogue_app.command("suggest")
@answering
def suggest(
    file: Annotated[Path, typer.Argument(help="DDL dump, or CSV of information_schema.columns.")],
    pack: Annotated[str, typer.Option("--pack", help="Name of the proposed pack.")] = "our_his",
    without_packs: Annotated[
        bool, typer.Option("--without-packs", help="Judge by names, comments and types alone.")
    ] = False,
    json_lines: Json = False,
) -> None:
    """Propose classes and roles for every column, with how sure and why; YAML for catalogue.files. 建议数据目录。"""
    from config.catalogue import shipped_catalogue
    from config.suggestions import SHOWN, as_yaml
    from config.suggestions import suggest as guess
    from monitor.schema_files import read_schema

    guesses = guess(read_schema(file), None if without_packs else shipped_catalogue())
    if json_lines:
        for table in guesses:
            for column in table.columns:
                told = {
                    "schema": table.table.schema, "table": table.table.name, "column": column.column, "kind": table.kind,
                    "classes": list(column.classes), "roles": list(column.roles), "confidence": column.confidence,
                    "reasons": list(column.reasons),
                }  # fmt: skip
                print(json.dumps(told, ensure_ascii=False))
    else:
        print(as_yaml(guesses, pack=pack, source=file.name), end="")
    sure = [column for table in guesses for column in table.columns if column.confidence >= SHOWN]
    columns = sum(len(table.table.columns) for table in guesses)
    known, sensitive = sum(table.known for table in guesses), sum(table.sensitive for table in guesses)
    summary = (
        f"{len(guesses)} tables ({known} described by shipped packs, {sensitive} with patient data or credentials), "
    )
    print(summary + f"{columns} columns, {len(sure)} proposed", file=sys.stderr)

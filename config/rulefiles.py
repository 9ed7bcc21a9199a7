"""Read rule files: every *.yaml below the given folders, each document with the place of its keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from config.errors import ConfigError, Problem
from config.yaml12 import Document, read_yaml_all

SHIPPED = Path(__file__).parent / "rules"


def read_rules(folders: Iterable[Path | str] = ()) -> list[Document]:
    """Documents of the shipped rules and of the site's own folders, in order of path. ConfigError: all faults at once."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for folder in (SHIPPED, *map(Path, folders)):
        if not folder.is_dir():
            problems.append(Problem(str(folder), 0, 0, "", "no such folder of rules"))
            continue
        for file in sorted(folder.rglob("*.y*ml")):
            try:
                documents += read_yaml_all(file)
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)
    return documents

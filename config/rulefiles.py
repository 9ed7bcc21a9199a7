"""Read rule files: every *.yaml below the given folders, each document with the place of its keys.

Files called *.cases.yaml hold no rules but what rules must and must not raise (config/rulecases.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from config.errors import ConfigError, Problem
from config.yaml12 import Document, read_yaml_all

SHIPPED = Path(__file__).parent / "rules"
CASES = ".cases"


def rule_files(folder: Path, *, cases: bool = False) -> list[Path]:
    """The files of rules below a folder, or those of their cases, in order of path."""
    files = (path for path in folder.rglob("*") if path.suffix in {".yml", ".yaml"})
    return sorted(path for path in files if path.stem.endswith(CASES) == cases)


def read_rules(folders: Iterable[Path | str] = (), faults: list[Problem] | None = None) -> list[Document]:
    """Documents of the shipped rules and of the site's own folders, in order of path. ConfigError: all faults at once.

    `faults`: takes the faults; the files that have some are left out then.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for folder in (SHIPPED, *map(Path, folders)):
        if not folder.is_dir():
            problems.append(Problem(str(folder), 0, 0, "", "no such folder of rules"))
            continue
        for file in rule_files(folder):
            try:
                documents += _documents(file)
            except ConfigError as error:
                problems += error.problems
    if faults is not None:
        faults += problems
    elif problems:
        raise ConfigError(problems)
    return documents


def _documents(file: Path) -> tuple[Document, ...]:
    try:
        state = file.stat()
    except OSError:
        return tuple(read_yaml_all(file))  # which says what is wrong with it
    return _read(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _read(file: Path, _changed: int, _size: int) -> tuple[Document, ...]:
    """Each state of a file is read once: a check of the configuration, a start and a reload see the same rules."""
    return tuple(read_yaml_all(file))

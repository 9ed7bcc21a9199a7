"""`hiswatch register import`: lists of vendors, people, accounts, services and tickets into register.yaml."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from config.errors import ConfigError, Problem
from config.lists import Draft, read_list
from config.loader import load_register
from config.merging import Merged, merge
from config.yaml12 import read_text, read_yaml
from monitor.export import zone_named
from monitor.spreadsheets import read_sheets

SECTIONS = ("vendors", "people", "services", "tickets")


def run_import(files: list[Path], into: Path | None, kind: str | None, timezone: str) -> None:
    """Write the merged register, or print what the lists say. Raises ConfigError with every fault; then nothing changes."""
    zone = zone_named(timezone)
    drafts = _drafts(files, kind)
    if into is None:
        register: Any = CommentedMap()
        _checked(merge(register, drafts, alone=True))
        print(_dumped(register, ""), end="")
        return
    before = ""
    register = CommentedMap()
    if into.exists():
        read_yaml(into)  # its faults are told with their place before anything is joined to it
        load_register(into, zone)
        before = read_text(into)
        register = _yaml(before).load(before) or CommentedMap()
    merged = _checked(merge(register, drafts))
    _write(into, _dumped(register, before), zone)
    print(_summary(merged), file=sys.stderr)


def _drafts(files: list[Path], kind: str | None) -> list[Draft]:
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for file in files:
        for sheet in read_sheets(file):
            read = read_list(sheet, kind)
            drafts += read.drafts
            problems += read.problems
            for problem in read.unused:
                print(f"note: {problem}", file=sys.stderr)
    if problems:
        raise ConfigError(problems)
    return drafts


def _checked(merged: Merged) -> Merged:
    if merged.problems:
        raise ConfigError(merged.problems)
    return merged


def _summary(merged: Merged) -> str:
    added, changed = Counter(section for section, _ in merged.added), Counter(section for section, _ in merged.changed)
    told = [
        f"{section}: {added[section]} added, {changed[section]} changed"
        for section in SECTIONS
        if added[section] + changed[section]
    ]
    return "; ".join(told) or "nothing new"


def _yaml(text: str) -> YAML:
    """A round trip that keeps comments, order, quotes and the way lists are indented."""
    yaml = YAML(typ="rt")
    yaml.version = (1, 2)
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.width = 4096
    flush = re.search(r"^( *)[^\s#-][^\n]*:[ \t]*\n\1- ", text, re.MULTILINE)
    yaml.indent(mapping=2, sequence=2 if flush else 4, offset=0 if flush else 2)
    return yaml


def _dumped(register: Any, before: str) -> str:
    yaml = _yaml(before)
    yaml.version = None  # no %YAML line
    out = io.StringIO()
    for holder in [*(register.get("people") or {}).values(), *(register.get("services") or {}).values()]:
        accounts = holder.get("accounts") or []
        accounts[:] = [_inline(entry) if type(entry) is dict else entry for entry in accounts]
    yaml.dump(register, out)
    return out.getvalue()


def _inline(entry: dict[str, Any]) -> CommentedMap:
    """A new account on one line, as the examples write them."""
    line = CommentedMap(entry)
    line.fa.set_flow_style()
    return line


def _write(into: Path, text: str, zone: Any) -> None:
    """Replace the file at once, and only by one that holds: a register that contradicts itself is not written."""
    handle, name = tempfile.mkstemp(dir=into.absolute().parent, prefix=f".{into.name}.", suffix=".new")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            load_register(new, zone)
        except ConfigError as error:
            raise ConfigError(
                Problem(str(into), 0, 0, problem.key, f"would not hold after the import: {problem.message}")
                for problem in error.problems
            ) from None
        if into.exists():
            new.chmod(into.stat().st_mode & 0o777)
        new.replace(into)
    finally:
        new.unlink(missing_ok=True)

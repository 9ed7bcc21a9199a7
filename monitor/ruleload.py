"""`hiswatch rules load`: rules of others or of one's own, tried out; each loads, or it is said exactly why not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from config.errors import ConfigError, Problem
from config.rulefiles import read_rules
from config.yaml12 import read_yaml_all
from detectors.rules import Rule, compile_rules
from monitor.assemble import read_site
from monitor.errors import StartError


def run_load(files: Sequence[Path], config: Path | None, into: Path | None, *, as_json: bool) -> bool:
    """True when all load. `config`: ids that are taken there are faults. `into`: a folder that gets the files that load."""
    if into is not None and not into.is_dir():
        raise StartError(f"{into}: no such folder")
    folders = read_site(config, deep=False).settings.detection.rule_dirs if config is not None else ()
    taken = {rule.id: rule for rule in compile_rules(read_rules(folders, []), faults=[])}
    good = True
    for file in files:
        rules, problems = _tried(file, taken.values())
        good &= not problems
        if not problems:
            taken |= {rule.id: rule for rule in rules}
            if into is not None:
                _copy(file, into)
        _tell(file, rules, problems, as_json=as_json)
    return good


def _tried(file: Path, taken: Iterable[Rule]) -> tuple[list[Rule], list[Problem]]:
    try:
        documents = read_yaml_all(file)
        rules = compile_rules(documents)
    except ConfigError as error:
        return [], error.problems
    if not rules:
        return [], [
            documents[0].problem((), "no rule in it: neither a hiswatch: block nor the logsource of another product")
        ]
    here = {rule.id: rule.file for rule in taken if Path(rule.file).absolute() != file.absolute()}
    twice = [
        documents[0].problem((), f"{rule.id} is declared already, in {here[rule.id]}")
        for rule in rules
        if rule.id in here
    ]
    return ([] if twice else rules), twice


def _copy(file: Path, into: Path) -> None:
    target = into / f"{file.stem}.yaml"
    if target.exists() and target.resolve() == file.resolve():
        return
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except FileExistsError:
        raise StartError(f"{target}: exists already; nothing was written over it") from None
    except OSError as error:
        raise StartError(f"{target}: {os.strerror(error.errno or 0)}") from error
    with os.fdopen(descriptor, "wb") as copy:
        copy.write(file.read_bytes())


def _tell(file: Path, rules: Sequence[Rule], problems: Sequence[Problem], *, as_json: bool) -> None:
    if as_json:
        told = [
            {"id": rule.id, "title": rule.title_en, "level": rule.level, "staged": rule.staged, "reads": [step.sql for step in rule.steps]}
            for rule in rules
        ]  # fmt: skip
        answer = {
            "file": str(file),
            "ok": not problems,
            "rules": told,
            "problems": [asdict(problem) for problem in problems],
        }
        print(json.dumps(answer, ensure_ascii=False))
        return
    for problem in problems:
        print(problem)
    for rule in rules:
        trial = ", on trial (staged)" if rule.staged else ""
        print(f"{file}: {rule.id}: {rule.title_en}: {rule.level}{trial}")
        for step in rule.steps:
            print(f"  {step.category}: {step.sql}")

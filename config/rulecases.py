"""Cases of rules as files: `<anything>.cases.yaml` below the folders of rules, each document about one rule.

    rule: TIM-50
    register: {…}        # optional: a register as in docs/register.md; verdicts are then worked out from it
    fires: {sentence: [event, …]}
    quiet: {sentence: [event, …]}

What an event may say is checked where it is made (detectors/cases.py): its columns are not known here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from config.errors import ConfigError, Problem
from config.rulefiles import SHIPPED, rule_files
from config.validation import validate
from config.values import Model
from config.yaml12 import Document, Keys, read_yaml_all

Events = Annotated[list[dict[str, Any]], Field(min_length=1)]


class CaseFile(Model):
    rule: str = Field(pattern=r"^[A-Z]{2,3}-[0-9]{2}[a-z]?$", description="id of the rule")
    register_data: dict[str, Any] | None = Field(
        None, alias="register", description="who people are, as in register.yaml"
    )
    fires: dict[str, Events] = Field(default_factory=dict, description="sentences that must raise it")
    quiet: dict[str, Events] = Field(default_factory=dict, description="sentences that must not")


@dataclass(frozen=True, slots=True)
class RuleCases:
    """The cases of one document."""

    content: CaseFile
    document: Document

    @property
    def shipped(self) -> bool:
        return Path(self.document.file).is_relative_to(SHIPPED)

    def part(self, key: str) -> Document:
        """What stands under a key, as a document of its own that knows its places."""
        places = {keys[1:]: place for keys, place in self.document.places.items() if keys[:1] == (key,)}
        return Document(self.document.file, self.document.data.get(key), places)

    def each(self) -> Iterator[tuple[bool, str, Keys, list[dict[str, Any]]]]:
        """(must fire, sentence, where it stands, its events)."""
        for key, cases in (("fires", self.content.fires), ("quiet", self.content.quiet)):
            for sentence, events in cases.items():
                yield key == "fires", sentence, (key, sentence), events


def read_cases(folders: Iterable[Path | str] = (), wanted: Container[str] | None = None) -> list[RuleCases]:
    """The shipped cases (of the rules `wanted`) and all of the site's own folders. ConfigError: all faults at once."""
    found: list[RuleCases] = []
    problems: list[Problem] = []
    for folder in (SHIPPED, *map(Path, folders)):
        for file in rule_files(folder, cases=True):
            # a shipped file is named after its rule
            if folder is SHIPPED and wanted is not None and file.name.partition("_")[0] not in wanted:
                continue
            try:
                documents = read_yaml_all(file)
            except ConfigError as error:
                problems += error.problems
                continue
            for document in documents:
                content, faults = validate(CaseFile, document, {})
                problems += faults
                if content is not None and not faults:
                    found.append(RuleCases(content, document))
    if problems:
        raise ConfigError(problems)
    return found

"""What can be wrong with a configuration: always with its place, never with its secrets.

MonitorError
└─ ConfigError       file:line:column: key: what is wrong
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class MonitorError(Exception):
    """Root of all errors that this program raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault in one configuration file. `line` and `column` count from 1; both 0: the file as a whole."""

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(MonitorError):
    """A configuration that can't be used. Holds every problem found, sorted by file and place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = sorted(set(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)

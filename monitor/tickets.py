"""Tickets that an ITSM drops as files into a folder: looked for while the daemon runs, each judged by itself.

The folder is the truth: a file that changes is read again, one that is taken away withdraws its ticket. A file with a
mistake costs that file; its faults are told once for each state of the file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from config.errors import ConfigError, Problem
from config.register import Register, Ticket
from config.ticketfiles import SUFFIXES, tickets_of_sheet, tickets_of_text
from config.yaml12 import read_text
from monitor.spreadsheets import read_sheets

MAX_FILES = 20_000
MAX_BYTES = 1024 * 1024

Stamp = tuple[int, int, int]  # inode, size, time of change


@dataclass(frozen=True, slots=True)
class _File:
    stamp: Stamp
    tickets: dict[str, Ticket]
    problems: tuple[Problem, ...]


class TicketFolder:
    """`register`: that of the site, whose people the tickets name. `folder` None: no tickets are dropped here."""

    def __init__(self, folder: Path | None, register: Register | None, zone: ZoneInfo) -> None:
        self._folder = folder
        self._register = register if register is not None else Register()
        self._zone = zone
        self._files: dict[str, _File] = {}
        self._lost: tuple[Problem, ...] = ()  # of the folder as a whole
        self._twice: tuple[Problem, ...] = ()  # tickets whose id another has
        self._told: set[Problem] = set()
        self.register = register  # with the tickets of the folder

    def look(self) -> bool:
        """Read what is new. True where the tickets are others than before."""
        if self._folder is None:
            return False
        found = self._stamps(self._folder)
        if found is None:  # a folder that cannot be read withdraws nothing
            return False
        changed = {name for name, stamp in found.items() if name not in self._files or self._files[name].stamp != stamp}
        gone = self._files.keys() - found.keys()
        if not changed and not gone:
            return False
        before = self._tickets()
        for name in gone:
            del self._files[name]
        for name in changed:
            self._files[name] = self._read(self._folder / name, found[name])
        self._join()
        return self._tickets() != before

    def _tickets(self) -> dict[str, Ticket]:
        return dict(self.register.tickets) if self.register is not None else {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong in the folder at present."""
        return tuple(
            sorted(
                {*self._lost, *self._twice, *(problem for file in self._files.values() for problem in file.problems)}
            )
        )

    def news(self) -> list[Problem]:
        """Problems not told yet."""
        present = set(self.problems)
        fresh = present - self._told
        self._told = present
        return sorted(fresh)

    def _stamps(self, folder: Path) -> dict[str, Stamp] | None:
        stamps: dict[str, Stamp] = {}
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in SUFFIXES:
                        continue
                    if len(stamps) >= MAX_FILES:
                        self._lost = (
                            Problem(str(folder), 0, 0, "", f"more than {MAX_FILES} files; the rest is not read"),
                        )
                        break
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        stamps[entry.name] = status.st_ino, status.st_size, status.st_mtime_ns
                else:
                    self._lost = ()
        except OSError as error:
            self._lost = (Problem(str(folder), 0, 0, "", f"not readable: {error.strerror or type(error).__name__}"),)
            return None
        return stamps

    def _read(self, path: Path, stamp: Stamp) -> _File:
        if stamp[1] > MAX_BYTES:
            return _File(stamp, {}, (Problem(str(path), 0, 0, "", f"larger than {MAX_BYTES // 1024} KiB"),))
        try:
            if path.suffix.lower() == ".csv":
                [sheet] = read_sheets(path)
                tickets, problems = tickets_of_sheet(sheet, self._register, self._zone)
            else:
                tickets, problems = tickets_of_text(path, read_text(path), self._register, self._zone)
        except ConfigError as error:
            return _File(stamp, {}, tuple(error.problems))
        return _File(stamp, tickets, tuple(problems))

    def _join(self) -> None:
        """The register's own tickets win, then the file that is first by name."""
        tickets = dict(self._register.tickets)
        twice: list[Problem] = []
        for name in sorted(self._files):
            for key, ticket in self._files[name].tickets.items():
                if tickets.setdefault(key, ticket) is not ticket:
                    place = str((self._folder or Path()) / name)
                    twice.append(Problem(place, 0, 0, f"tickets.{key}", "the id is taken by another ticket"))
        self._twice = tuple(twice)
        self.register = self._register.model_copy(update={"tickets": tickets})

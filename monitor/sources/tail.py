"""A source of log files: every complete record once and only once, and a gap where that cannot be promised.

The log files on disk are the queue: `poll` reads no more than it is asked for, and nothing is remembered beyond the
open descriptors. After a restart reading goes on from the stored positions; after a failed commit from there too
(`seek_back`). The table of what can happen to a log file, and what is done, stands in docs/sources.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from monitor.sources.copies import Suspect, compare
from monitor.sources.discovery import Discovery, Entry, Notice, error_name, escape, fixed_part, open_regular
from monitor.sources.gaps import gap_events
from monitor.sources.generations import (
    HEAD,
    Position,
    State,
    family,
    generation_name,
    read_at,
    same_prefix,
)
from monitor.sources.reading import ContentChanged, Gap, Reading
from parsers.events import Origin
from parsers.registry import Framing

__all__ = ["Chunk", "Lag", "Tail", "TailSettings", "gap_events"]

_LATEST = 64  # rotated files of one log that a new file is compared with, the newest ones


@dataclass(frozen=True, slots=True)
class TailSettings:
    """`paths` are globs, absolute. Times in seconds, sizes in bytes."""

    name: str
    paths: tuple[str, ...]
    format: str
    site: str
    system: str
    roots: tuple[str, ...] = ()  # empty: the fixed part of each glob
    rotate_wait: float = 600.0
    copy_wait: float = 60.0
    missing_wait: float = 60.0
    scan_every: float = 5.0
    record_cap: int = 1 << 20
    turn: int = 8_000_000
    max_files: int = 10_000
    max_open: int = 512
    forget_days: int = 30
    settle_seconds: float | None = None  # see `Parser.settle_seconds`
    in_order: bool = False  # files follow one another by name: a later one is read when those before it are read
    from_end: bool = False  # a source never read before: what stands in its files already is passed over


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole records of one file. `position` is the row to store in the transaction that commits them.

    `data` may be empty: then the chunk only moves a position or tells a gap.
    """

    data: bytes
    origin: Origin
    position: Position
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Lag:
    unread_bytes: int
    oldest_unread_seconds: float  # 0: nothing is waiting
    last_read_at: datetime | None
    files: int  # being followed


class Tail:
    """One configured source. Not thread-safe: one thread polls."""

    def __init__(
        self,
        settings: TailSettings,
        framing: Framing,
        positions: Iterable[Position] = (),
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`positions`: the stored rows; those of other sources are ignored. `clock`: monotonic seconds."""
        self.settings = settings
        self.name = settings.name
        self._framing = framing
        self._now = now
        self._clock = clock
        roots = settings.roots or tuple(fixed_part(path) for path in settings.paths)
        self._discovery = Discovery(settings.paths, roots, settings.max_files)
        self._readings: dict[str, Reading] = {}
        self._by_identity: dict[tuple[int, int], Reading] = {}
        self._suspects: dict[tuple[int, int], Suspect] = {}
        self._troubles: dict[str, tuple[str, int, float]] = {}  # path -> errno name, failures, not before (monotonic)
        self._sent_gaps: list[tuple[str, Gap]] = []
        self._scanned_at: float | None = None
        self._last_read_at: datetime | None = None
        self._final = False
        self._finished: list[Reading] = []  # read to their end; let go once that is durable
        for row in positions:
            if row.source == self.name:
                self._restore(row)
        self._passing = settings.from_end and not self._readings  # until the first look is done

    # -- what the daemon calls -------------------------------------------------------------------------------------

    def poll(self, budget: int = 8_000_000, *, final: bool = False) -> list[Chunk]:
        """What can be read now, the oldest file first, about `budget` bytes together.

        `final`: nothing more will be written (a scan of given files), so unfinished last records count as whole.
        Raises nothing for what is wrong with files: see `take_notices` and `troubles`.
        """
        self._final = final
        if self._scan_is_due():
            self._scan()
        chunks: list[Chunk] = []
        in_order = self.settings.in_order
        order = (lambda one: (one.file, 0)) if in_order else (lambda one: (one.modified_at, one.generation))
        for reading in sorted(self._readings.values(), key=order):
            while (reading.gaps or reading.row_due or self._has_more(reading)) and budget > 0:
                chunk = self._turn(reading, min(budget, self.settings.turn))
                if chunk is None:
                    break
                chunks.append(chunk)
                budget -= len(chunk.data)
                if chunk.data:
                    break  # one turn a look, so that a busy file does not hold up the others
            if in_order and reading.descriptor is not None and not reading.at_end:
                break
        self._limit_open()
        return chunks

    def look_again(self) -> None:
        """A file came, went or was renamed: look for new ones at the next poll, though it is not time yet."""
        self._scanned_at = None

    def committed(self) -> None:
        """What was polled so far is durable: its gaps need not be told again, finished files can be let go."""
        self._sent_gaps.clear()
        for reading in self._finished:
            if reading.state == "done":
                reading.close(self._now())
        self._finished.clear()

    def seek_back(self, positions: Iterable[Position]) -> None:
        """A commit failed (and may yet have been durable): go on from what the store says."""
        stored = {row.generation: row for row in positions if row.source == self.name}
        for name, reading in list(self._readings.items()):
            row = stored.get(name) or reading.first
            if row is not None:
                reading.unsure = not reading.rewind(row) or reading.unsure
                moved = (row.device, row.inode, row.state) != (reading.device, reading.inode, reading.state)
                reading.row_due = moved or reading.state == "copy"
        for name, gap in self._sent_gaps:
            if name in self._readings and gap.reason != "nul_run":  # a hole is met again by reading
                self._readings[name].gaps.append(gap)
        self._sent_gaps.clear()
        self._finished.clear()
        for name, row in stored.items():
            if name not in self._readings:
                self._restore(row)
        self._scanned_at = None

    def lag(self) -> Lag:
        now = self._now()
        waiting = [one for one in self._readings.values() if one.unread]
        since = min((one.unread_since for one in waiting if one.unread_since), default=now)
        return Lag(
            sum(one.unread for one in waiting),
            max(0.0, (now - since).total_seconds()) if waiting else 0.0,
            self._last_read_at,
            len(self._by_identity),
        )

    def take_notices(self) -> list[Notice]:
        """What was refused or is odd, once each."""
        notices, self._discovery.notices = self._discovery.notices, []
        return notices

    def troubles(self) -> Mapping[str, str]:
        """Escaped path -> errno's name, of files that cannot be read at present."""
        return {escape(path): name for path, (name, _, _) in self._troubles.items()}

    def directories(self) -> list[str]:
        """What a watcher should look at."""
        return sorted({fixed_part(path) for path in self.settings.paths})

    def forgettable(self) -> list[str]:
        """Generations whose file was not on disk for `forget_days`: their rows may go."""
        limit = self._now() - timedelta(days=self.settings.forget_days)
        gone = [
            name
            for name, one in self._readings.items()
            if one.state != "open"
            and self._by_identity.get(one.identity) is not one
            and one.seen_at is not None
            and one.seen_at <= limit
        ]
        for name in gone:
            del self._readings[name]
        return gone

    def let_go(self, generations: Iterable[str]) -> None:
        """Files of these were deleted after their end was committed: nothing of them is remembered."""
        for name in generations:
            reading = self._readings.pop(name, None)
            if reading is not None:
                reading.close(self._now())
                if self._by_identity.get(reading.identity) is reading:
                    del self._by_identity[reading.identity]

    def close(self) -> None:
        for reading in self._readings.values():
            reading.close(self._now())

    # -- reading ---------------------------------------------------------------------------------------------------

    def _has_more(self, reading: Reading) -> bool:
        if reading.state != "open" or reading.descriptor is None:
            return False
        return self._ending(reading) or self._settled(reading) or not reading.at_end

    def _settled(self, reading: Reading) -> bool:
        """Lines of a format whose records have no end mark stand there, and nothing was added to them for a while."""
        settle, since = self.settings.settle_seconds, reading.waits_since
        if settle is None or since is None or reading.waits != (reading.position, reading.size):
            return False
        return self._clock() - since >= settle

    def _ending(self, reading: Reading) -> bool:
        """Nothing more is to come: an unfinished last record counts as whole, and the file is let go."""
        if self._final:
            return reading.size > reading.position
        return (
            reading.retired_at is not None
            and self._clock() - reading.retired_at >= self.settings.rotate_wait
            and reading.ends_seen >= 2
        )

    def _turn(self, reading: Reading, limit: int) -> Chunk | None:
        now = self._now()
        ending = self._ending(reading)
        start, data = reading.position, b""
        gaps, reading.gaps = list(reading.gaps), []
        try:
            if reading.descriptor is not None and reading.state == "open":
                settled = self._settled(reading)
                piece = reading.read(limit, self.settings.record_cap, self._framing, final=ending, settled=settled)
                reading.note_waiting(self._clock())
                if piece is not None:
                    start, data = piece.start, piece.data
                    reading.advance(data)
                    if piece.gap is not None:
                        gaps.append(piece.gap)
                    if piece.forced:
                        self._discovery.tell("oversize", f"{reading.path}:{start}")
        except ContentChanged:
            reading.gaps = gaps
            self._scanned_at = None  # decided by the next scan, with everything else that happened in view
            return None
        except OSError as error:
            reading.gaps = gaps
            self._trouble(reading.path, error)
            reading.close(now)
            return None
        if ending and not data and not self._final:
            reading.state, reading.row_due = "done", True
        if not (data or gaps or reading.row_due):
            return None
        reading.row_due = False
        if data:
            self._last_read_at = now
        self._age(reading, now)
        self._sent_gaps += [(reading.generation, gap) for gap in gaps]
        reading.seen_at = now
        position = reading.row(now)
        if reading.state == "done":
            self._finished.append(reading)
        return Chunk(data, self._origin(reading, start, now), position, tuple(gaps))

    def _age(self, reading: Reading, now: datetime) -> None:
        if not reading.unread:
            reading.unread_since = None
        elif reading.unread_since is None:
            reading.unread_since = now

    def _origin(self, reading: Reading, start: int, now: datetime) -> Origin:
        return Origin(
            site=self.settings.site,
            system=self.settings.system,
            source=self.name,
            file=reading.file,
            format=self.settings.format,
            generation=reading.generation,
            position=start,
            received_at=now,
            reference_at=datetime.fromtimestamp(reading.modified_at, UTC),
        )

    # -- looking at the directory ----------------------------------------------------------------------------------

    def _scan_is_due(self) -> bool:
        """Every few seconds, and at once when an open file shrank or lost its place."""
        due = self._scanned_at is None or self._clock() - self._scanned_at >= self.settings.scan_every
        now = self._now()
        for reading in self._readings.values():
            if reading.descriptor is None:
                continue
            try:
                reading.refresh()
            except OSError as error:
                self._trouble(reading.path, error)
                reading.close(now)
                due = True
                continue
            self._age(reading, now)
            reading.ends_seen = reading.ends_seen + 1 if reading.at_end else 0
            due = due or reading.size < reading.position
            due = due or (reading.retired_at is None and not self._in_place(reading))
        return due or self._final

    def _in_place(self, reading: Reading) -> bool:
        try:
            status = os.lstat(reading.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == reading.identity

    def _scan(self) -> None:
        self._scanned_at = self._clock()
        entries = {entry.identity: entry for entry in self._discovery.entries()}
        absent = [one for one in self._readings.values() if one.state == "open" and one.identity not in entries]
        beside: dict[tuple[int, int], Entry] = {}
        if any(one.descriptor is None for one in absent):
            beside = self._siblings(entries)
            for one in absent:
                if one.descriptor is None and one.identity in beside:
                    entries[one.identity] = beside[one.identity]
        latest = sorted(self._readings.values(), key=lambda one: (one.state == "open", one.seen_at), reverse=True)
        broken = {
            one.generation: one
            for one in latest
            if one.identity in entries and not self._checked(one, entries[one.identity])
        }
        for one in broken.values():
            if self._by_identity.get(one.identity) is one:
                del self._by_identity[one.identity]
        if broken and not beside:
            beside = self._siblings(entries)
        self._meet_all(entries, beside, broken)
        for one in broken.values():
            self._lost(one, "truncate" if one.size < one.position else "rewrite")
        self._miss(entries)
        self._suspects = {i: one for i, one in self._suspects.items() if i in entries}
        self._retire(entries)
        self._passing = False

    def _siblings(self, entries: Mapping[tuple[int, int], Entry]) -> dict[tuple[int, int], Entry]:
        return {one.identity: one for one in self._discovery.siblings() if one.identity not in entries}

    def _checked(self, reading: Reading, entry: Entry) -> bool:
        try:
            return self._goes_on(reading, entry)
        except OSError as error:  # it cannot be told now; the descriptor is taken anew when it can
            self._trouble(entry.path, error)
            reading.close(self._now())
            return True

    def _goes_on(self, reading: Reading, entry: Entry) -> bool:
        """Whether the file of this identity is still the content that was read."""
        if self._by_identity.setdefault(reading.identity, reading) is not reading:
            return True  # an old row of an inode that has a new life
        if reading.path != entry.path:
            if reading.file != escape(entry.path) and reading.state == "open":
                reading.row_due = True
                if reading.retired_at is None:
                    reading.retired_at = self._clock()
            reading.path, reading.file = entry.path, escape(entry.path)
        reading.missing_since = None
        if reading.seen_at is None or self._now() - reading.seen_at > timedelta(days=1):
            reading.row_due = True  # once a day the row says that the file is still there
        if reading.descriptor is not None:
            return reading.is_same()
        if entry.size == reading.position and (reading.looked or reading.state != "open"):
            reading.size, reading.modified_at = entry.size, entry.modified_at
            return True
        return self._reopen(reading, entry)

    def _reopen(self, reading: Reading, entry: Entry) -> bool:
        descriptor = self._open(entry.path)
        if descriptor is None:
            return True
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != entry.identity:
            os.close(descriptor)
            return True  # it moved between two looks: the next scan sees where to
        reading.size, reading.modified_at = status.st_size, status.st_mtime
        if not reading.attach(descriptor):
            return False
        reading.unsure = False
        if reading.state == "done":
            reading.state, reading.row_due, reading.retired_at = "open", True, self._clock()
        if reading.state == "copy":
            self._grown_copy(reading)
        return True

    def _open(self, path: str) -> int | None:
        trouble = self._troubles.get(path)
        if trouble is not None and self._clock() < trouble[2]:
            return None
        try:
            descriptor = open_regular(path)
        except FileNotFoundError:
            self._troubles.pop(path, None)
            return None
        except OSError as error:
            self._trouble(path, error)
            return None
        if self._troubles.pop(path, None) is not None:
            self._discovery.forget("unreadable", path)
        return descriptor

    def _trouble(self, path: str, error: OSError) -> None:
        failures = self._troubles.get(path, ("", 0, 0.0))[1] + 1
        wait = min(60.0, 2.0 ** min(failures, 10) / 2)
        self._troubles[path] = (error_name(error), failures, self._clock() + wait)
        self._discovery.tell("unreadable", path, error)

    # -- new files, copies -----------------------------------------------------------------------------------------

    def _meet_all(
        self,
        entries: Mapping[tuple[int, int], Entry],
        beside: Mapping[tuple[int, int], Entry],
        broken: dict[str, Reading],
    ) -> None:
        reborn = {one.identity for one in broken.values()}
        # an inode whose content is new may not be the copy of what it held before, everything else may
        strangers = [e for i, e in entries.items() if i not in self._by_identity and i not in reborn]
        outside = [e for i, e in beside.items() if i not in self._by_identity]
        for entry in sorted(strangers, key=lambda one: one.modified_at):
            try:
                self._meet(entry, broken, entries)
            except OSError as error:
                self._trouble(entry.path, error)
        for entry in outside if broken else ():
            self._adopt_one(entry, broken)
        for identity in reborn:
            if identity in entries and identity not in self._by_identity:
                self._follow(entries[identity])

    def _meet(self, entry: Entry, broken: dict[str, Reading], entries: Mapping[tuple[int, int], Entry]) -> None:
        if entry.size == 0 and entry.identity not in self._suspects:
            return
        if self._adopt_one(entry, broken) or self._adopt_one(entry, self._gone(entries)):
            self._suspects.pop(entry.identity, None)
            return
        suspect = self._suspects.get(entry.identity) or self._suspected(entry)
        if suspect is None:
            self._follow(entry)
            return
        suspect.entry = entry
        self._suspects[entry.identity] = suspect
        self._judge(suspect)

    def _gone(self, entries: Mapping[tuple[int, int], Entry]) -> dict[str, Reading]:
        """Generations whose file is nowhere: one that equals them is the same come back (restored, moved, renumbered)."""
        return {
            name: one
            for name, one in self._readings.items()
            if one.descriptor is None
            and one.state != "copy"
            and (one.identity not in entries or self._by_identity.get(one.identity, one) is not one)
        }

    def _adopt_one(self, entry: Entry, lost: dict[str, Reading]) -> bool:
        """Give the file to the lost generation whose content it begins with, if there is one."""
        fitting = [one for one in lost.values() if 0 < one.position <= entry.size and self._relatives(one, entry)]
        if not fitting:
            return False
        descriptor = self._open(entry.path)
        if descriptor is None:
            return False
        now = self._now()
        try:
            size = os.fstat(descriptor).st_size
            fitting.sort(key=lambda one: one.position, reverse=True)
            heir = next(
                (one for one in fitting if one.position <= size and same_prefix(descriptor, one.row(now))), None
            )
        except OSError:
            os.close(descriptor)
            raise
        if heir is None:
            os.close(descriptor)
            return False
        heir.close(now)
        if self._by_identity.get(heir.identity) is heir:
            del self._by_identity[heir.identity]
        heir.device, heir.inode = entry.identity
        heir.path, heir.file = entry.path, escape(entry.path)
        if not heir.attach(descriptor):
            return False
        heir.state, heir.row_due, heir.unsure, heir.lost, heir.missing_since = "open", True, False, False, None
        heir.retired_at = self._clock()
        self._by_identity[heir.identity] = heir
        lost.pop(heir.generation, None)
        return True

    def _relatives(self, reading: Reading, entry: Entry) -> bool:
        directory, name = os.path.split(entry.path)
        other_directory, other = os.path.split(reading.file)
        return escape(directory) == other_directory and family(escape(name)) == family(other)

    def _suspected(self, entry: Entry, *, equal: int = 0) -> Suspect | None:
        """The file so far equals one that is still there: wait and see. `equal`: bytes known to be the same."""
        near = [
            one
            for one in self._by_identity.values()
            if one.position > 0 and one.state != "copy" and self._relatives(one, entry)
        ]
        near.sort(key=lambda one: one.modified_at, reverse=True)
        suspects = []
        for one in near[:_LATEST]:
            suspect = Suspect(entry, one, self._clock(), equal)
            if self._compare(suspect):
                suspects.append(suspect)
        return max(suspects, key=lambda one: one.equal, default=None)

    def _compare(self, suspect: Suspect) -> bool:
        """Compare further; False where they part. Undecided where the original is just being emptied or overwritten."""
        same = compare(suspect, self._open, self._now())
        if not same and suspect.original.descriptor is not None and not suspect.original.is_same():
            self._scanned_at = None  # the next scan sees what became of the original
            return True
        return same

    def _judge(self, suspect: Suspect) -> None:
        original, entry = suspect.original, suspect.entry
        same = self._compare(suspect)
        waited = self._clock() - suspect.since >= (0.0 if self._final else self.settings.copy_wait)
        if same and not (waited and suspect.equal >= entry.size):
            return
        del self._suspects[entry.identity]
        if same:
            self._discovery.tell("duplicate_copy", entry.path)
            self._follow(entry, copied=suspect.equal, state="copy")
        elif suspect.equal >= max(original.position, HEAD):  # parted behind all that was read: a copy goes its own way
            self._follow(entry, copied=original.position)
        else:  # two files that begin alike
            self._follow(entry)

    def _grown_copy(self, reading: Reading) -> None:
        """A copy that grew: what its original has too is passed over, the rest is read."""
        entry = Entry(reading.path, reading.device, reading.inode, reading.size, reading.modified_at)
        suspect = self._suspected(entry, equal=reading.position)
        if suspect is None or suspect.equal <= reading.position:
            reading.state, reading.row_due = "open", True
            return
        reading.skip_to(suspect.equal)
        reading.row_due = True
        reading.close(self._now())

    def _follow(self, entry: Entry, *, copied: int = 0, state: State = "open") -> None:
        """A file not known before: from its first byte, or behind what is a copy of another."""
        descriptor = self._open(entry.path)
        if descriptor is None:
            return
        status = os.fstat(descriptor)
        if self._passing:
            copied = status.st_size
        if status.st_size == 0 or (status.st_dev, status.st_ino) != entry.identity:
            os.close(descriptor)
            return
        reading = Reading(self.name, "", entry)
        try:
            reading.begin(descriptor)
            if copied:
                last = read_at(descriptor, max(0, copied - (1 << 20)), min(copied, 1 << 20))
                reading.skip_to(copied - len(last) + last.rfind(b"\n") + 1)
                reading.state, reading.row_due = state, True
        except OSError:
            os.close(descriptor)
            raise
        reading.generation = generation_name(
            self.name, reading.file, reading.device, reading.inode, reading.head, self._readings
        )
        reading.seen_at = self._now()
        reading.first = reading.row(reading.seen_at)
        self._readings[reading.generation] = reading
        self._by_identity[reading.identity] = reading
        if state == "copy":
            reading.close(self._now())

    # -- endings ---------------------------------------------------------------------------------------------------

    def _lost(self, reading: Reading, reason: str) -> None:
        """The content is no more, and no copy of it was found."""
        now = self._now()
        if reading.state == "open":
            unread = reading.known_size > reading.position
            if reading.unsure or unread or reason == "rewrite":
                end = reading.known_size if unread and reason == "truncate" and not reading.unsure else None
                reading.gaps.append(Gap(reason, reading.file, reading.position, end))
        reading.close(now)
        reading.state, reading.row_due, reading.lost = "done", True, True

    def _miss(self, entries: Mapping[tuple[int, int], Entry]) -> None:
        """Unfinished files that are nowhere and not open: gone while nobody looked."""
        for reading in self._readings.values():
            there = reading.identity in entries and self._by_identity.get(reading.identity, reading) is reading
            if there or reading.descriptor is not None:
                continue
            if self._by_identity.get(reading.identity) is reading:
                del self._by_identity[reading.identity]
            if reading.state != "open":
                continue
            if reading.missing_since is None:
                reading.missing_since = self._clock()
            if self._final or self._clock() - reading.missing_since >= self.settings.missing_wait:
                reading.gaps.append(Gap("missing", reading.file, reading.position, None))
                reading.state, reading.row_due, reading.lost = "done", True, True

    def _retire(self, entries: Mapping[tuple[int, int], Entry]) -> None:
        """Files that lost their place to another, or that a newer file of the same log has followed."""
        newest: dict[tuple[str, str], float] = {}
        for entry in entries.values():
            directory, name = os.path.split(entry.path)
            key = (directory, family(name))
            newest[key] = max(newest.get(key, 0.0), entry.modified_at)
        now, clock = self._now().timestamp(), self._clock()
        last = max((entry.path for entry in entries.values()), default="")
        for reading in self._readings.values():
            if reading.descriptor is None or reading.retired_at is not None:
                continue
            directory, name = os.path.split(reading.path)
            if not self._in_place(reading):
                reading.retired_at = clock
            elif self.settings.in_order:
                if reading.path < last:  # written to its end before the next one was begun
                    reading.retired_at = clock - self.settings.rotate_wait
            elif (
                newest.get((directory, family(name)), 0.0) > reading.modified_at
                and now - reading.modified_at >= self.settings.rotate_wait
            ):
                reading.retired_at = clock - self.settings.rotate_wait

    def _limit_open(self) -> None:
        opened = [one for one in self._readings.values() if one.descriptor is not None]
        if len(opened) > self.settings.max_open:
            idle = [one for one in opened if one.size == one.position]
            for one in sorted(idle, key=lambda one: one.modified_at)[: len(opened) - self.settings.max_open]:
                if self._in_place(one):
                    one.close(self._now())
                else:  # gone from the directory: the wait for a late writer is cut short
                    one.retired_at = self._clock() - self.settings.rotate_wait

    def _restore(self, row: Position) -> None:
        entry = Entry("", row.device, row.inode, row.position, 0.0)
        reading = Reading(self.name, row.generation, entry, row)
        reading.path, reading.file, reading.state = "", row.file, row.state
        reading.unread_since = row.seen_at
        self._readings[row.generation] = reading
        other = self._by_identity.get(reading.identity)
        if other is None or (other.state == "open", other.seen_at) < (row.state == "open", row.seen_at):
            self._by_identity[reading.identity] = reading

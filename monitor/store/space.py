"""Free space under the store: when to stop what is optional, when to stop reading, and a reserve for emergencies."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MB = 1 << 20
_PROBE = 1 * MB


@dataclass(frozen=True, slots=True)
class SpaceLimits:
    low_bytes: int = 2000 * MB  # below: nothing optional is written (pieces)
    low_share: float = 0.05
    pause_bytes: int = 500 * MB  # below: reading pauses, the logs wait in their files
    ballast_bytes: int = 64 * MB  # given up so that a checkpoint can finish


class Space:
    def __init__(self, directory: Path, limits: SpaceLimits) -> None:
        self._directory = directory
        self._ballast = directory / "ballast"
        self._limits = limits
        self._refused = False

    def free(self) -> int:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize

    def low(self) -> bool:
        status = os.statvfs(self._directory)
        free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
        return free < self._limits.low_bytes or free < total * self._limits.low_share

    def enough(self) -> bool:
        """Whether events may be written. After a write was refused only a write that succeeds counts."""
        if self.free() < self._limits.pause_bytes or (self._refused and not self._probe()):
            return False
        self._refused = False
        return True

    def refused(self) -> None:
        """A write failed for want of space: the reserve is given up."""
        self._refused = True
        self._ballast.unlink(missing_ok=True)

    def keep_ballast(self) -> None:
        """Lay the reserve in (again) where there is plenty of room."""
        size = self._limits.ballast_bytes
        if size and not self._ballast.exists() and self.free() > self._limits.pause_bytes + 4 * size:
            with suppress(OSError), self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)

    def _probe(self) -> bool:
        probe = self._directory / "probe"
        try:
            with probe.open("wb") as file:
                file.write(b"\0" * _PROBE)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
        return True

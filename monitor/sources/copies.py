"""Files that so far equal another one: copies in the making, or two logs that begin alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor.sources.discovery import Entry
from monitor.sources.generations import read_at, same_head
from monitor.sources.reading import Reading

_AT_ONCE = 64 << 20  # bytes compared in one look
_BLOCK = 1 << 20


@dataclass(slots=True)
class Suspect:
    """A new file that has not yet differed from one that is still there."""

    entry: Entry
    original: Reading
    since: float  # monotonic
    equal: int = 0  # bytes compared and found equal


def compare(suspect: Suspect, open_file: Callable[[str], int | None], now: datetime) -> bool:
    """Go on comparing where it was left; False at the first difference, or where the new file is the longer one.

    `open_file` gives a descriptor or None where the file cannot be read now. Raises OSError.
    """
    original = suspect.original
    mine = open_file(suspect.entry.path)
    if mine is None:
        return True
    theirs: int | None = None
    try:
        if original.descriptor is None:
            row = original.row(now)
            if suspect.entry.size >= row.head_length > 0 and not same_head(mine, row.head_length, row.head):
                return False  # the cheap test, without opening the other
            theirs = open_file(original.path)
        descriptor = original.descriptor if theirs is None else theirs
        return descriptor is not None and _compare(suspect, mine, descriptor)
    finally:
        os.close(mine)
        if theirs is not None:
            os.close(theirs)


def _compare(suspect: Suspect, mine: int, theirs: int) -> bool:
    for _ in range(_AT_ONCE // _BLOCK):
        one, other = read_at(mine, suspect.equal, _BLOCK), read_at(theirs, suspect.equal, _BLOCK)
        length = min(len(one), len(other))
        common = length if one[:length] == other[:length] else _common(one, other)
        suspect.equal += common
        if common < length or len(one) > len(other):
            return os.fstat(theirs).st_size < suspect.original.position  # being emptied: nothing can be told now
        if length < _BLOCK:
            break
    return True


def _common(one: bytes, other: bytes) -> int:
    """Length of the common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low

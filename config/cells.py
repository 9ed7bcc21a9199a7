"""Cells of a spreadsheet to values of the register: dates as hospitals write them, lists, words in Chinese.

Every function raises ValueError with what was expected; the caller adds the place.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta

from config.headings import ACTIONS, DATA_CLASSES, NO, STATES, TIERS, YES, folded

Cell = str | int | float | bool | datetime | date | None

_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_CLOCK = re.compile(r"(\d{1,2})\s*[:：时点]\s*(\d{1,2})?\s*分?(?:\s*[:：]?\s*(\d{1,2})\s*秒?)?")
_FOREVER = frozenset({"长期", "永久", "无期限", "无", "-", "/", "—", "none", "forever", "n/a"})
_LIST = re.compile(r"[、，,;；\s]+")
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's day 0, a local time
_SERIAL = (20_000, 80_000)  # days of 1954 to 2119: other numbers are no dates


def text_of(cell: Cell) -> str:
    """What a reader sees; a whole number without its `.0`, since spreadsheets make numbers of account names."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return unicodedata.normalize("NFC", str(cell)).strip().strip("\u00a0\u3000\ufeff")


def day_of(cell: Cell) -> date | None:
    """None: no limit (长期, 永久)."""
    moment = _serial(cell)
    if moment is not None:
        return moment.date()
    text = unicodedata.normalize("NFKC", text_of(cell))
    if folded(text) in _FOREVER:
        return None
    found = _DATE.match(text) or _COMPACT.fullmatch(text)
    rest = text[found.end() :].strip() if found else text
    if not found or (rest and not _CLOCK.fullmatch(rest)):
        raise ValueError("expected a date such as 2026-12-31")
    return _day(found)


def moment_of(cell: Cell) -> str:
    """ISO local time to the minute, or the second where there is one."""
    moment = _serial(cell)
    if moment is None:
        moment = _moment(unicodedata.normalize("NFKC", text_of(cell)))
    shown = moment.strftime("%Y-%m-%d %H:%M:%S")
    return shown.removesuffix(":00") if moment.second == 0 else shown


def _moment(text: str) -> datetime:
    wrong = "expected a time such as 2026-11-18 08:30"
    found = _DATE.match(text) or re.match(_COMPACT.pattern + r"(?=\s)", text)
    if not found:
        raise ValueError(wrong)
    clock = _CLOCK.fullmatch(text[found.end() :].strip().removeprefix("T"))
    if not clock:
        raise ValueError(wrong)
    hour, minute, second = (int(part or 0) for part in clock.groups())
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and minute + second):
        raise ValueError(wrong)
    day = _day(found)
    return datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute, seconds=second)  # noqa: DTZ001


def _day(found: re.Match[str]) -> date:
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError("no such day") from None


def _serial(cell: Cell) -> datetime | None:
    """A date that Excel keeps as one, or as the number of days behind it."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=None) if cell.microsecond == 0 else _rounded(cell)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001
    number = _days(cell)
    if number is None or not _SERIAL[0] <= number < _SERIAL[1]:
        return None
    return _rounded(_EPOCH + timedelta(days=number))


def _days(cell: Cell) -> float | None:
    if isinstance(cell, str):
        return float(cell) if re.fullmatch(r"\s*\d{5}(\.\d{1,12})?\s*", cell) else None
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else None


def _rounded(moment: datetime) -> datetime:
    """Day fractions are inexact: 08:30 comes as 08:29:59.999995."""
    return (moment.replace(tzinfo=None) + timedelta(microseconds=500_000)).replace(microsecond=0)


def list_of(cell: Cell) -> list[str]:
    return [part for part in _LIST.split(text_of(cell)) if part]


def names_of(cell: Cell) -> list[str]:
    """Names of people may have spaces inside: Li Ming."""
    return [part.strip() for part in re.split(r"[、，,;；\n\r/]+", text_of(cell)) if part.strip()]


def whole_number_of(cell: Cell) -> int:
    found = re.fullmatch(r"(\d{1,6})(?:\.0*)?\s*[人名个]?", unicodedata.normalize("NFKC", text_of(cell)))
    if not found:
        raise ValueError("expected a whole number")
    return int(found[1])


def yes_or_no(cell: Cell) -> bool:
    word = folded(text_of(cell))
    if word in YES:
        return True
    if word in NO:
        return False
    raise ValueError("expected 是 or 否")


def tier_of(cell: Cell) -> str:
    return _word(cell, TIERS, ("A", "B", "C"))


def state_of(cell: Cell) -> str:
    return _word(cell, STATES, ("active", "exiting", "exited"))


def classes_of(cell: Cell) -> list[str]:
    return [_word(part, DATA_CLASSES, tuple(DATA_CLASSES.values())) for part in list_of(cell)]


def actions_of(cell: Cell) -> list[str]:
    return [_word(part, ACTIONS, tuple(ACTIONS.values())) for part in list_of(cell)]


def _word(cell: Cell, chinese: dict[str, str], english: tuple[str, ...]) -> str:
    word = folded(text_of(cell))
    by_word = {folded(name): value for name, value in chinese.items()} | {folded(value): value for value in english}
    if (value := by_word.get(word)) is None:
        known = ", ".join(dict.fromkeys(english))
        raise ValueError(f"expected one of {known} (or {'、'.join(chinese)})")
    return value


def id_of(name: str) -> str:
    """An id made of a name: what an id may not hold is left out. Empty: nothing is left."""
    kept = re.sub(r"[^A-Za-z0-9_.\-\u3400-\u9fff]+", "_", unicodedata.normalize("NFKC", name)).strip("_.-")
    return kept[:64]

"""What the tables of a schema may hold, guessed from names, comments and types: a catalogue file for people to check.

    proposed = suggest(schema)                       # every table and column with a class or role, its confidence and reasons
    text = as_yaml(proposed, pack="our_his")

The words stand in vocabulary.yaml. A name or comment gives a sense; what the sense means hangs on the kind of table it stands
in: a `name` is a patient's in `patients`, a drug's in `drug_dict`, nobody's in `dept_dict`. Nothing here opens the
schema or knows a database. All names are untrusted: they are cut, escaped and matched in time that grows with them alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from config.catalogue import CLASS_A, Catalogue, folded
from config.yaml12 import read_yaml
from config.yamltext import MAX_TEXT, remark, scalar

VOCABULARY = Path(__file__).with_name("vocabulary.yaml")
MAX_WORD = 40
SHOWN = 0.6  # less sure is written as a comment
DOUBTFUL = 0.4  # less sure than that is not written
# How sure one piece of evidence makes.
EXACT_NAME, BEGINNING, NAME_PART, NAME_MIDDLE = 0.88, 0.8, 0.72, 0.58
PINYIN, SHORT_PINYIN, COMMENT, BY_PACK = 0.82, 0.62, 0.88, 0.95
WRONG_TYPE, NO_KIND, CONTRADICTED = 0.55, 0.85, 0.8  # factors
ENOUGH_FOR_TABLE = 0.7


@dataclass(frozen=True, slots=True)
class ColumnSeen:
    name: str
    type: str = ""  # as the schema writes it
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TableSeen:
    name: str
    schema: str = ""
    comment: str = ""
    columns: tuple[ColumnSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column may hold."""

    column: str
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableGuess:
    """`kind`: what the table is about, null where nothing tells. `known`: a shipped pack describes it."""

    table: TableSeen
    kind: str | None
    confidence: float
    reason: str
    columns: tuple[Guess, ...]
    known: bool = False

    @property
    def sensitive(self) -> bool:
        held = {c for guess in self.columns if guess.confidence >= SHOWN for c in guess.classes}
        return not held.isdisjoint(CLASS_A)


# --- words --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """A word of the vocabulary in a text. `weight`: longer beats shorter."""

    sense: str
    word: str
    confidence: float
    weight: int


@dataclass(frozen=True)
class _Words:
    """`chinese` longest first; `english`: words that follow each other, the last perhaps a beginning (`phone*`)."""

    chinese: tuple[tuple[str, str], ...] = ()
    english: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    pinyin: Mapping[str, str] = field(default_factory=dict)

    def in_comment(self, written: str) -> _Found | None:
        """Chinese first; where there is none, the comment as if it were a name (`Date of birth`)."""
        text = written.casefold()
        for word, sense in self.chinese:
            if word.casefold() in text:
                return _Found(sense, word, COMMENT, 10 * len(word))
        return None if not text.isascii() else self._english(written)

    def in_name(self, written: str) -> _Found | None:
        """The best word of a name: Chinese in it, English words of it, initials of Pinyin at its end."""
        name = written.casefold()
        found = [one for one in (self._chinese(name), self._english(written), self._pinyin(name)) if one is not None]
        return max(found, key=lambda one: (one.confidence, one.weight), default=None)

    def _chinese(self, name: str) -> _Found | None:
        if name.isascii():
            return None
        for word, sense in self.chinese:
            if word.casefold() in name:
                exact = len(word) == len(name)
                return _Found(sense, word, EXACT_NAME if exact else NAME_PART + 0.08, 10 * len(word))
        return None

    def _english(self, name: str) -> _Found | None:
        parts = words_of(name)
        found = [one for start in range(len(parts)) for one in self._from(parts, start)]
        return max(found, key=lambda one: (one.confidence, one.weight), default=None)

    def _from(self, parts: list[str], start: int) -> Iterator[_Found]:
        """Runs of words that begin at `start`. The last words of a name say what it is: patient_phone is a phone."""
        for end in range(start + 1, min(start + 4, len(parts)) + 1):
            run = tuple(parts[start:end])
            weight = 10 * sum(map(len, run))
            whole = len(run) == len(parts)
            if (sense := self.english.get(("=", *run) if whole else run) or self.english.get(run)) is not None:
                sure = EXACT_NAME if whole else NAME_PART if end == len(parts) else NAME_MIDDLE
                yield _Found(sense, "_".join(run), sure, weight)
            # what only begins so takes the rest of the name with it: phone* is phone_number_home, diag_* is diag_name
            for length in range(len(run[-1]), 0, -1):
                word = (*run[:-1], run[-1][:length] + "*")
                if (sense := self.english.get(word)) is not None:
                    yield _Found(sense, "_".join(word), BEGINNING if start == 0 else NAME_PART, weight)
                    break
            if end < len(parts) and (sense := self.english.get((*run, "*"))) is not None:
                yield _Found(sense, "_".join(run) + "_*", BEGINNING if start == 0 else NAME_PART, weight)

    def _pinyin(self, name: str) -> _Found | None:
        for text in (name, name.rsplit("_", 1)[-1]):
            if (sense := self.pinyin.get(text)) is not None:
                return _Found(sense, text, PINYIN if len(text) > 2 else SHORT_PINYIN, 10 * len(text))
        return None


_CAMEL = re.compile(r"[a-z0-9](?=[A-Z])|[A-Z](?=[A-Z][a-z])")


def words_of(name: str) -> list[str]:
    """`patientName`, `PATIENT_NAME`, `patient name` -> patient, name; digits at the end of a word fall off."""
    spaced = (
        _CAMEL.sub(lambda found: found[0] + "_", name[:MAX_TEXT]) if not (name.isupper() or name.islower()) else name
    )
    parts = re.split(r"[^0-9a-z\u0080-\U0010ffff]+", spaced[:MAX_TEXT].casefold())
    return [word[:MAX_WORD] for part in parts if (word := part.rstrip("0123456789") or part)][:12]


class Vocabulary:
    """vocabulary.yaml, ready for matching."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.means: dict[str, Mapping[str, Mapping[str, str]]] = {
            name: sense["means"] for name, sense in data["senses"].items()
        }
        self.columns = _words(data["senses"])
        self.tables = _words(data["tables"])


def _words(entries: Mapping[str, Mapping[str, Any]]) -> _Words:
    chinese: list[tuple[str, str]] = []
    english: dict[tuple[str, ...], str] = {}
    pinyin: dict[str, str] = {}
    for sense, entry in entries.items():
        chinese += [(word, sense) for word in entry.get("zh", ())]
        for word in entry.get("en", ()):
            words = word.casefold().removeprefix("=").split("_")
            english.setdefault(("=", *words) if word.startswith("=") else tuple(words), sense)
        for word in entry.get("py", ()):
            pinyin.setdefault(word.casefold(), sense)
    chinese.sort(key=lambda pair: -len(pair[0]))
    return _Words(tuple(chinese), english, pinyin)


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    return Vocabulary(read_yaml(VOCABULARY).data)


# --- tables and columns -------------------------------------------------------------------------------------------------

_DATES = re.compile(r"date|time|timestamp", re.IGNORECASE)
_NUMBERS = re.compile(r"int|num|dec|float|double|real|money|serial", re.IGNORECASE)
_TEXTS = re.compile(r"char|text|clob|string|json|xml", re.IGNORECASE)
_FLAGS = re.compile(r"bool|^bit", re.IGNORECASE)
_AFFIX = re.compile(
    r"^(?:t|tb|tbl|v|vw|view|it|his|bsrun|med|wis|ms|zy)_|_(?:info|table|tab|bak|his|rec|record|list|master|main)$"
)


_DICTIONARY = re.compile(r"(?:_?dict(?:ionary)?|字典(?:表)?)$")


def suggest(tables: Iterable[TableSeen], packs: Catalogue | None = None) -> list[TableGuess]:
    """`packs`: what is described there is taken from there (None: only names, comments and types count)."""
    return [_table(table, packs) for table in tables]


def _table(seen: TableSeen, packs: Catalogue | None) -> TableGuess:
    words = vocabulary()
    described = packs.table(f"{seen.schema}.{seen.name}" if seen.schema else seen.name) if packs is not None else None
    if described is not None and not described.guessed:
        guesses = [
            Guess(column.name, known.classes, known.roles, BY_PACK, (f"described as {described.name}",))
            for column in seen.columns
            if (known := described.columns.get(folded(column.name))) is not None and (known.classes or known.roles)
        ]
        rest = {folded(guess.column) for guess in guesses}
        kind, sure, reason = _kind(seen, words)
        others = _columns(seen, kind, sure, words, without=rest)
        return TableGuess(seen, kind, BY_PACK, f"described as {described.name}", (*guesses, *others), known=True)
    kind, sure, reason = _kind(seen, words)
    return TableGuess(seen, kind, sure, reason, tuple(_columns(seen, kind, sure, words)))


def _kind(seen: TableSeen, words: Vocabulary) -> tuple[str | None, float, str]:
    """What a table is about, how sure that is, and why: by its comment, its name, else by what most of its columns are."""
    found: list[tuple[float, int, str, str]] = []
    name = _plain(seen.name)
    if seen.comment and (told := words.tables.in_comment(_plain(seen.comment))) is not None:
        found.append((told.confidence, told.weight, told.sense, f"comment {told.word}"))
    told = words.tables.in_name(name)
    if told is not None and told.sense == "dictionary":  # of drugs, of staff: what it lists counts
        head = words.tables.in_name(_DICTIONARY.sub("", name.casefold()))
        told = head if head is not None and head.sense in {"drug", "staff", "procurement"} else told
    elif told is None:
        told = words.tables.in_name(_AFFIX.sub("", name.casefold()))
    if told is not None:
        found.append((told.confidence, told.weight, told.sense, f"name {told.word}"))
    if found:
        if len(found) == 2 and found[0][2] == found[1][2]:
            return found[0][2], _either(found[0][0], found[1][0]), f"{found[0][3]}, {found[1][3]}"
        sure, _, kind, reason = max(found)
        return kind, sure, reason
    return None, 0.0, "nothing tells what it is about"


def _columns(
    seen: TableSeen, kind: str | None, sure: float, words: Vocabulary, without: Iterable[str] = ()
) -> Iterator[Guess]:
    skipped, prefix = set(without), _prefix(seen.columns)
    for column in seen.columns:
        name = _plain(column.name).removeprefix(prefix)
        if folded(column.name) not in skipped and (guess := _column(column, name, kind, sure, words)) is not None:
            yield guess


def _prefix(columns: tuple[ColumnSeen, ...]) -> str:
    """What nearly all columns of a table begin with (PAADM_RowID, PAADM_Type): the table's name again, which says nothing."""
    firsts = Counter(column.name.partition("_")[0] for column in columns if "_" in column.name)
    word, often = firsts.most_common(1)[0] if firsts else ("", 0)
    return f"{word}_" if often >= 4 and often >= 0.8 * len(columns) else ""


def _column(column: ColumnSeen, name: str, kind: str | None, sure: float, words: Vocabulary) -> Guess | None:
    by_name = words.columns.in_name(name)
    by_comment = words.columns.in_comment(_plain(column.comment)) if column.comment else None
    told = [one for one in (by_comment, by_name) if one is not None]
    if not told:
        return None
    first = max(told, key=lambda one: one.confidence)
    confidence, reasons = first.confidence, [_reason(first, by_comment)]
    if len(told) == 2:
        other = by_name if first is by_comment else by_comment
        assert other is not None
        if other.sense == first.sense:
            confidence, reasons = (
                _either(first.confidence, other.confidence),
                [_reason(told[0], by_comment), _reason(told[1], by_comment)],
            )
        else:
            confidence *= CONTRADICTED
            reasons.append(f"{_reason(other, by_comment)} says {other.sense}")
    means = words.means[first.sense]
    meaning = means.get(kind or "none", means.get("other", {}))
    if not meaning:
        return None
    hangs_on_table = kind in means
    if hangs_on_table:
        confidence = confidence * (0.4 + 0.6 * sure) if sure < ENOUGH_FOR_TABLE else confidence
        reasons.append(f"table {kind}")
    elif kind is None:
        confidence *= NO_KIND
    if (doubt := _type_doubt(column.type, first.sense, meaning)) is not None:
        confidence *= WRONG_TYPE
        reasons.append(doubt)
    classes = (meaning["class"],) if "class" in meaning else ()
    roles = (meaning["role"],) if "role" in meaning else ()
    return Guess(column.name, classes, roles, round(confidence, 2), tuple(reasons))


def _reason(found: _Found, comment: _Found | None) -> str:
    return f"{'comment' if found is comment else 'name'} {found.word}"


def _either(a: float, b: float) -> float:
    return round(1 - (1 - a) * (1 - b), 3)


def _type_doubt(kind: str, sense: str, meaning: Mapping[str, str]) -> str | None:
    """Why the type does not go with the meaning; None where it does, or tells nothing."""
    if not kind:
        return None
    if meaning.get("role") == "date":
        return None if _DATES.search(kind) or _TEXTS.search(kind) else f"but type {kind}"
    if _FLAGS.search(kind) and sense not in {"special", "vip", "diagnosis", "result"}:
        return f"but type {kind}"
    if _DATES.search(kind) and sense not in {"demography", "diagnosis", "stay", "purchase", "result", "special"}:
        return f"but type {kind}"
    if meaning.get("role") in {"quantity", "money"} and not (_NUMBERS.search(kind) or _TEXTS.search(kind)):
        return f"but type {kind}"
    return None


def _plain(text: str) -> str:
    cut = text[:MAX_TEXT]
    return (cut if cut.isascii() else unicodedata.normalize("NFKC", cut)).strip(' \t\r\n`"[]')


# --- the catalogue file --------------------------------------------------------------------------------------------------


def as_yaml(guesses: Iterable[TableGuess], *, pack: str, source: str = "") -> str:
    """A catalogue file: what is sure enough as entries, what is doubtful as comments for somebody to decide."""
    lines = [
        f"# Proposed by hiswatch catalogue suggest{' from ' + remark(source) if source else ''}. Candidates: check every line against the",
        "# dictionary of the vendor. The number is how sure the proposal is; what stands behind a `#` at the front of a line was too doubtful.",
        f"pack: {scalar(pack)}", "tables:",
    ]  # fmt: skip
    written = 0
    used: set[str] = set()
    for guess in guesses:
        entry = list(_entry(guess, used))
        written += bool(entry) and not entry[0].lstrip().startswith("#")
        lines += entry
    if not written:
        lines[3] = "tables: {}"
    return "\n".join(lines) + "\n"


def _entry(guess: TableGuess, used: set[str]) -> Iterator[str]:
    sure = [one for one in guess.columns if one.confidence >= SHOWN]
    doubtful = [one for one in guess.columns if DOUBTFUL <= one.confidence < SHOWN]
    table = guess.table
    about = f"  # {guess.kind or 'unknown'} {guess.confidence:.2f}: {remark(guess.reason)}"
    if not sure:
        if doubtful:
            yield f"  # {remark(table.name)}:{about}"
            yield from (f"  #   {remark(_line(one))}" for one in doubtful)
        return
    known = table.name if folded(table.name) not in used else f"{table.schema}.{table.name}"
    if folded(known) in used:
        return  # the same table twice
    used.add(folded(known))
    yield f"  {scalar(known)}:{about}"
    if table.schema:
        yield f"    schemas: [{scalar(table.schema)}]"
    yield "    columns:"
    seen: set[str] = set()
    for one in sure:
        if folded(one.column) not in seen:
            seen.add(folded(one.column))
            yield f"      {_line(one)}"
    yield from (f"      # {remark(_line(one))}" for one in doubtful)


def _line(guess: Guess) -> str:
    meaning = []
    if guess.classes:
        meaning.append("class: " + (guess.classes[0] if len(guess.classes) == 1 else f"[{', '.join(guess.classes)}]"))
    if guess.roles:
        meaning.append("role: " + (guess.roles[0] if len(guess.roles) == 1 else f"[{', '.join(guess.roles)}]"))
    plain = guess.classes[0] if len(guess.classes) == 1 and not guess.roles else "{" + ", ".join(meaning) + "}"
    return f"{scalar(guess.column)}: {plain}  # {guess.confidence:.2f} {remark(', '.join(guess.reasons))}"

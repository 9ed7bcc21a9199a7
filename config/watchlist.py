"""Files of patients to watch: canaries, who do not exist, and VIPs, whom the public is curious about.

    # one a line: a patient's number as the databases know it, or its token from `hiswatch token`
    9900000001
    token:0f3a5c7e9b1d2f4a6c8e0b1d
    visit 88000123              # numbers of a visit or a document are another kind: they never stand for a patient's

The file is a secret; no message quotes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from config.errors import ConfigError, Problem

KINDS = {"patient": "patient_key", "visit": "visit_key", "document": "document_key"}
MAX_VALUE = 128
_TOKEN = re.compile(r"token:([0-9a-f]{24})")


class Listed(NamedTuple):
    """`kind`: the role of the key. `value`: the number, or the token where `tokenised`."""

    kind: str
    value: str
    tokenised: bool


def read_watchlist(path: Path) -> tuple[Listed, ...]:
    """Raises ConfigError with the line of every fault; whether the file may be read at all is `secret_fault`'s to say."""
    problems: list[Problem] = []
    found: list[Listed] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            listed = _listed(line.decode().partition("#")[0].split())
        except UnicodeDecodeError:
            problems.append(Problem(str(path), number, 1, "", "is not UTF-8"))
        except ValueError as fault:
            problems.append(Problem(str(path), number, 1, "", str(fault)))
        else:
            found += [listed] if listed is not None else []
    if problems:
        raise ConfigError(problems)
    return tuple(dict.fromkeys(found))


def _listed(words: list[str]) -> Listed | None:
    if not words:
        return None
    kind = "patient"
    if len(words) == 2 and words[0] in KINDS:
        kind = words.pop(0)
    if len(words) != 1:
        raise ValueError("expected one number a line, at most patient, visit or document before it")
    value = words[0]
    if len(value) > MAX_VALUE:
        raise ValueError(f"longer than {MAX_VALUE} characters")
    if value.startswith("token:"):
        if (token := _TOKEN.fullmatch(value)) is None:
            raise ValueError("expected token: and 24 hexadecimal digits, as `hiswatch token` prints them")
        return Listed(KINDS[kind], token[1], tokenised=True)
    return Listed(KINDS[kind], value, tokenised=False)

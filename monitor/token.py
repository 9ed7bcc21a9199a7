"""`hiswatch token`: the token that stands for a patient's number in this site's store.

So that "who touched this patient" can be asked although no number is stored. The site's key must be there: a new one
would give tokens that are in no store.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from config import tolerance
from monitor.assemble import read_site
from monitor.errors import StartError
from monitor.protect import Protection, load_key

MAX_INPUT = 1 << 20  # characters


def print_tokens(value: str, config: Path | None, state_dir: Path | None, *, as_json: bool) -> None:
    """One token a line; `value` "-": of every line of standard input that is not blank, in their order."""
    if (config is None) == (state_dir is None):
        raise StartError("token: give --config or --state-dir, and not both")
    if config is not None:
        state_dir = read_site(config, deep=False, tolerate=tolerance.ALL).settings.state_dir
    assert state_dir is not None
    protection = Protection(_present_key(state_dir / "keys" / "token.key"))
    for one in _values(value):
        token = protection.token(one)
        print(json.dumps({"token": token}) if as_json else token)


def _values(value: str) -> list[str]:
    if value == "-":
        try:
            text = sys.stdin.buffer.read(MAX_INPUT + 1).decode()
        except UnicodeDecodeError:
            raise StartError("token: standard input is not UTF-8") from None
        if len(text) > MAX_INPUT:
            raise StartError("token: more than 1 MB on standard input")
        values = text.split("\n")
    else:
        values = [value]
    values = [one for one in values if one.strip()]
    if not values:
        raise StartError("token: no value is given")
    return values


def _present_key(path: Path) -> bytes:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise StartError(
            f"{path}: there is no key here; the daemon or `scan --store` makes it with the store"
        ) from None
    except OSError as error:
        raise StartError(f"{path}: {os.strerror(error.errno or 0)}") from None
    return load_key(path)

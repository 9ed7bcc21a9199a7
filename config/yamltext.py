"""Untrusted text in YAML that we write: names between quotes where they need it, remarks that stay on their line."""

from __future__ import annotations

import json
import re

MAX_TEXT = 200  # characters of a name or remark that are written

_BARE = re.compile(r"[A-Za-z_\u3400-\u9fff][A-Za-z0-9_$#\u3400-\u9fff]{0,120}")
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


def scalar(text: str, *, most: int = MAX_TEXT) -> str:
    """A name as YAML: bare where nothing in it means anything there."""
    cut = text[:most]
    if _BARE.fullmatch(cut) and cut.casefold() not in _WORDS_OF_YAML:
        return cut
    return '"' + "".join(_character(c) for c in cut) + '"'


def _character(one: str) -> str:
    """As it stands between double quotes in YAML."""
    return json.dumps(one, ensure_ascii=False)[1:-1] if one.isprintable() else f"\\U{ord(one):08x}"


def remark(text: str) -> str:
    """Behind a `#`: nothing that could end the line."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_TEXT])

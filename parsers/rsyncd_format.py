"""`log format` of rsyncd.conf as a pattern: what a line about one file looks like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, field_validator

from config.values import Model

DEFAULT = "%o %h [%a] %m (%u) %f %l"
KNOWN = (
    DEFAULT,
    "op=%o ip=%a user=%u module=%m file=%f length=%l bytes=%b",  # the one the documentation recommends
    "%t %a %m %f %b",  # copied from guide to guide
    "%t [%p] op=%o ip=%a user=%u mod=%m file=%f len=%l sent=%b cksum=%c itm=%i mtime=%M perm=%B",
)
STAMP = r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_NUMBER = r" *[0-9][0-9,.']*[KMGTP]?"
# Names are greedy: what a file name imitates stands left of the real rest of the line.
_FIELDS = {
    "a": ("f_ip", r"(?:[0-9A-Fa-f:.]+(?:%[^ \]]*)?|UNKNOWN)?"),
    "b": ("f_bytes", _NUMBER),
    "B": ("", r"[-rwxsStTl]{9,10}"),
    "c": ("", r" *-?[0-9]*"),
    "C": ("", r"[0-9a-f ]*"),
    "f": ("f_path", r".*"),
    "G": ("", r" *(?:[0-9]+|DEFAULT)"),
    "h": ("", r"[^ ]*"),
    "i": ("f_item", r"[<>ch.*][fdLDSe][^ ]{0,10} *"),
    "l": ("f_length", _NUMBER),
    "L": ("", r"(?: (?:->|=>) .*)?"),
    "m": ("f_module", r".*?"),
    "M": ("", r"[0-9]{4}/[0-9]{2}/[0-9]{2}-[0-9]{2}:[0-9]{2}:[0-9]{2}"),
    "n": ("f_path", r".*"),
    "o": ("f_op", r"send|recv|del\."),
    "p": ("", r"[0-9]+"),
    "P": ("", r".*?"),
    "t": ("", STAMP),
    "u": ("f_user", r".*?"),
    "U": ("", r" *[0-9]+"),
}
COLUMNS = ("f_op", "f_ip", "f_user", "f_module", "f_path", "f_length", "f_bytes", "f_item")
_TOKEN = re.compile(r"%(?P<width>-?'{0,3}[0-9]{0,3}'{0,3})(?P<letter>[A-Za-z%])|(?P<text>[^%]+)|(?P<bad>%)")


def pattern(log_format: str) -> str:
    """The regular expression of `log_format`, whole line. ValueError: it cannot be read back."""
    parts: list[str] = []
    seen: set[str] = set()
    free = False  # the piece before takes any text
    for token in _TOKEN.finditer(log_format):
        if token["bad"]:
            raise ValueError("a % without a letter behind it")
        if token["text"] or token["letter"] == "%":
            parts.append(re.escape(token["text"] or "%").replace(r"\ ", " "))
            free = False
            continue
        letter = token["letter"]
        if letter not in _FIELDS:
            raise ValueError(f"unknown escape %{letter}")
        name, form = _FIELDS[letter]
        if free and form.startswith(".*"):
            raise ValueError(f"text is needed before %{letter}: two names side by side cannot be told apart")
        free = form.startswith(".*")
        form = f"(?:{form})" if token["width"] == "" else f" *(?:{form}) *"
        parts.append(f"(?<{name}>{form})" if name and name not in seen else form)
        seen.add(name)
    if "f_path" not in seen:
        raise ValueError("the format must hold %f, the name of the file")
    return f"(?s)^{''.join(parts)}$"


class RsyncdOptions(Model):
    """Settings of the rsync daemon that decide what its log looks like."""

    log_format: str = Field(
        DEFAULT,
        max_length=500,
        description="`log format` of rsyncd.conf; with %b (bytes moved) the volume is known, without it estimated",
    )

    @field_validator("log_format")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        pattern(value)
        return value


def guess_format(head: bytes, envelope: str) -> Iterable[Mapping[str, Any]]:
    """Options for the known formats that fit a line of `head` behind its `envelope`; none does: the default."""
    text = re.sub(rf"(?m)^{envelope}", "", head[:65536].decode("utf-8", "backslashreplace"))
    some = text.split("\n")[:200]
    fits = [form for form in KNOWN if any(re.match(pattern(form).replace("(?<", "(?P<"), line) for line in some)]
    return [{} if form == DEFAULT else {"log_format": form} for form in fits or [DEFAULT]]

r"""PostgreSQL's `log_line_prefix` as one regular expression, anchored at the start of a line, and the words after it.

The prefix is free text with escapes; what is configured at the server must be configured here. A line is
``<prefix><SEVERITY>:  <message>`` (two blanks). Everything after `%q` is missing in processes without a session.
Names a client chooses (`%u`, `%d`, `%a`) are not quoted: they end where the rest of the prefix fits, at the first such place.
Source: PostgreSQL manual, "Error Reporting and Logging", log_line_prefix; words from the server's own translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from config.values import Model

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_FREE = r"[^\n]*?"
_WORD = r"[^ \n]*?"
_HOST = r"(?:\[local\]|[0-9A-Za-z.:%_?-]*?)"  # an address, or a name with log_hostname
_ESCAPES = {  # escape -> (field, pattern); of a field that stands twice the first counts
    "m": ("stamp", _DAY + r"\.[0-9]{3} [^ \n]{1,16}?"), "t": ("stamp", _DAY + r" [^ \n]{1,16}?"),
    "n": ("epoch", r"[0-9]{9,11}\.[0-9]{3}"), "p": ("pid", r"[0-9]{1,10}"), "u": ("user", _FREE), "d": ("database", _FREE),
    "a": ("application", _FREE), "h": ("host", _HOST), "r": ("remote", _HOST + r"(?:\([0-9]+\))?"), "i": ("tag", _FREE),
    "e": ("state", r"[0-9A-Z]{5}"), "c": ("session", r"[0-9a-f]{1,16}\.[0-9a-f]{1,8}"), "l": ("line_", r"[0-9]{1,19}"),
    "s": ("start", _DAY + r" [^ \n]{1,16}?"), "v": ("vxid", r"[0-9/]*"), "x": ("xid", r"[0-9]*"), "b": ("backend", _FREE),
    "P": ("leader", r"[0-9]*"), "Q": ("query_id", r"-?[0-9]*"), "L": ("local_", _WORD),
}  # fmt: skip
_KEPT = frozenset(
    {"stamp", "epoch", "pid", "user", "database", "application", "host", "remote", "tag", "state", "session", "start", "backend"}
)  # fmt: skip
_CHOSEN = frozenset({"user", "database", "application"})  # texts of the client
_ITEM = re.compile(r"%(?P<padding>-?[0-9]{0,4})(?P<letter>.?)|[^%]+", re.DOTALL)

# English, Simplified and Traditional Chinese
SEVERITIES = {
    "LOG": "LOG", "日志": "LOG", "日誌": "LOG", "ERROR": "ERROR", "错误": "ERROR", "錯誤": "ERROR", "FATAL": "FATAL",
    "致命错误": "FATAL", "致命錯誤": "FATAL", "PANIC": "PANIC", "灾难性错误": "PANIC", "嚴重錯誤": "PANIC",
    "WARNING": "WARNING", "警告": "WARNING", "NOTICE": "NOTICE", "注意": "NOTICE", "INFO": "INFO", "信息": "INFO",
    "資訊": "INFO", "DEBUG": "DEBUG", "调试": "DEBUG", "除錯": "DEBUG",
}  # fmt: skip
FOLLOWERS = {
    "DETAIL": "detail", "详情": "detail", "详细信息": "detail", "詳情": "detail", "HINT": "hint", "提示": "hint",
    "QUERY": "internal", "查询": "internal", "查詢": "internal", "CONTEXT": "context", "上下文": "context",
    "STATEMENT": "query", "语句": "query", "陳述式": "query", "LOCATION": "location", "位置": "location",
    "BACKTRACE": "backtrace", "回溯": "backtrace",
}  # fmt: skip
_WORDS = "|".join(sorted({*SEVERITIES, *FOLLOWERS}, key=len, reverse=True))
_KEYWORD = rf"(?P<word>{_WORDS}):  "
# verbose: the SQLSTATE of the standard's classes or the server's own, never `AUDIT`
_VERBOSE = r"(?:(?P<verbose>(?:[0-9][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}): )?"
AGAIN = rf"(?:{_WORDS}):  "  # inside a name or a message: there may be a second reading of the line

DEBIAN = "%m [%p] %q%u@%d "
COMMON = (
    DEBIAN, "%m [%p] %q%u@%d %h %a ", "%m [%p] ", "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ", "%m [%p]: [%l] %r %u@%d/%a %e %x ", "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%m [%p] [%c] [%l] %q%u@%d %h %a ", "%t:%r:%u@%d:[%p]:", "%m [%p] %u@%d %h ", "%m [%p] %q%u@%d/%a ", "%t [%p] ",
    "%t [%p] %u@%d ", "%m %u %d [%p] ", "%m [%p] %c ", "%m %p %u@%d %r ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prefix:
    """A compiled log_line_prefix."""

    pattern: str  # up to the message: `whole`, the fields, `word`, `verbose`; names as short as fits
    longest: str  # the same with account and database as long as fits, line breaks in them
    program: str  # with the application name as long as fits, account and database as short
    main: str  # a line that begins a record, not a follow-up line
    head: str | None  # what stands before the first text of a client; None: nothing, or no such text
    fields: frozenset[str]  # those of _KEPT that the prefix has

    @property
    def open(self) -> bool:
        """A client chooses some of the text: a second reading of a line is possible."""
        return bool(self.fields & _CHOSEN)


def compiled(text: str) -> Prefix:
    """Read a log_line_prefix. Raises ValueError where it cannot be read."""
    return _compiled(text)


@cache
def _compiled(text: str) -> Prefix:
    parts: list[str] = []
    named: set[str] = set()
    head: list[str] | None = []
    optional = False
    text = text.rstrip(" ")  # blanks at the end are easily lost in a settings file
    for item in _ITEM.finditer(text):
        letter = item["letter"]
        if letter is None:
            piece = re.escape(item[0]).replace("\\ ", " ")
        elif letter == "%":
            piece = "%"
        elif letter == "q":
            if not optional:
                parts.append("(?:")
                optional = True
            continue
        elif letter in _ESCAPES:
            field, pattern = _ESCAPES[letter]
            piece = f"(?P<{field}>{pattern})" if field in _KEPT and field not in named else f"(?:{pattern})"
            piece = _padded(piece, item["padding"])
            if field in _CHOSEN | {"tag"} and head is not None:
                parts.append(piece)
                named.add(field)
                yet, head = head, None
                before = "".join(yet)
                continue
            named.add(field)
        elif letter:
            raise ValueError(f"log_line_prefix: %{letter} is no escape of PostgreSQL")
        else:
            raise ValueError("log_line_prefix ends in a lone %")
        parts.append(piece)
        if head is not None:
            head.append(piece)
    if head is not None:
        before = ""
    pattern = "^(?P<whole>" + "".join(parts) + (")?" if optional else "") + " *" + _KEYWORD + _VERBOSE + ")"
    longest = re.sub(r"(\(\?P<(?:user|database)>)" + re.escape(_FREE), r"\1[\\s\\S]*", pattern)
    program = pattern.replace(f"(?P<application>{_FREE}", r"(?P<application>[\s\S]*")
    main = pattern.replace(_KEYWORD, rf"(?:{'|'.join(SEVERITIES)}):  ")
    return Prefix(pattern, longest, program, main, "^" + before if before else None, frozenset(named) & _KEPT)


def _padded(pattern: str, padding: str) -> str:
    if not padding:
        return pattern
    return f"{pattern} *" if padding.startswith("-") else f" *{pattern}"


def _readable(text: str) -> str:
    if "\n" in text:
        raise ValueError("log_line_prefix holds a line break")
    compiled(text)
    return text


def _complete(text: str) -> str:
    fields = compiled(_readable(text)).fields
    if not fields & {"stamp", "epoch"}:
        raise ValueError("log_line_prefix without a time: the server must write %m, %t or %n")
    if not fields & {"pid", "session"}:
        raise ValueError("log_line_prefix without %p or %c: records of different sessions could not be told apart")
    return text


class StderrOptions(Model):
    """Settings of postgresql_stderr."""

    log_line_prefix: Annotated[str, AfterValidator(_complete)] = Field(
        DEBIAN, description="as in the server's postgresql.conf (SHOW log_line_prefix), with %m, %t or %n and %p or %c"
    )


class SyslogOptions(Model):
    """Settings of postgresql_syslog."""

    log_line_prefix: Annotated[str, AfterValidator(_readable)] = Field(
        DEBIAN, description="as in the server's postgresql.conf (SHOW log_line_prefix); syslog adds time and process"
    )
    syslog_ident: str = Field(
        "postgres", min_length=1, max_length=64, description="as in the server's postgresql.conf: the name in the lines"
    )


def fitting(lines: list[str]) -> Iterator[Mapping[str, Any]]:
    """Common prefixes under which the lines are records, those that fit most lines and name most fields first."""
    lines = [line for line in lines if not line.startswith("\t")][:200]
    found: list[tuple[float, int, str]] = []
    for text in COMMON:
        prefix = compiled(text)
        matcher = re.compile(prefix.pattern)
        hits = [match for line in lines if (match := matcher.match(line[:4096]))]
        # a prefix that is too short takes the rest of the real one for no severity: it does not match at all
        clean = sum(not _odd(match) for match in hits)
        if clean * 2 > len(lines):
            told = {name for match in hits for name, value in match.groupdict().items() if value is not None}
            found.append((-round(clean / len(lines), 2), -len(told & prefix.fields), text))
    for _, _, text in sorted(found):
        yield {"log_line_prefix": text}


def _odd(match: re.Match[str]) -> bool:
    """A name that swallowed other parts of a longer prefix."""
    groups = match.groupdict()
    names = [groups.get(name) or "" for name in ("user", "database")]
    return any(re.search(r"[\s,=\[\]:]", name.replace("[unknown]", "")) for name in names)

"""Samba's vfs_full_audit through syslog: one line a request of a client, folded into what the client did.

``Nov 20 02:11:16 ftp01 smbd_audit: PREFIX|OP|ok|ARGUMENTS`` or ``…|OP|fail (reason)|ARGUMENTS``; the site chooses PREFIX
(`full_audit:prefix`). Envelopes: see `parsers.syslog`. Names are not escaped; everything before them is fixed by the
server, so lines are taken apart from the left. Source: vfs_full_audit(8), vfs_full_audit.c of Samba 4; samples from
4.17.12, rsyslog 8.2302.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, field_validator

from config.values import Model
from parsers.accounting import address
from parsers.events import Origin
from parsers.framing import lines
from parsers.registry import Carry, Parsed, parser
from parsers.samba_requests import SKIPS, read
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines

_PREFIXES = ("%u|%I|%m|%S", "%u|%I")
_NAMES = {"u": "user", "U": "asked_user", "I": "ip", "m": "machine", "S": "share", "d": "process"}
_OTHERS = "aDgGhHiLMNpPRTvVwj"  # smb.conf(5), "variable substitutions"; what they say is not kept
_REQUEST = r"\|(?<op>[a-z_0-9]+)\|(?:(?<ok>ok)|fail \((?<reason>.*?)\))\|(?<args>.*)$"


def pattern(prefix: str) -> str:
    """The regular expression of a message behind this `full_audit:prefix`. ValueError: it cannot be read back."""
    parts: list[str] = []
    seen: set[str] = set()
    pieces = re.findall(r"%(.)|([^%]+)|(%)$", prefix)
    for index, (letter, text, bad) in enumerate(pieces):
        if text:
            parts.append(re.escape(text))
            continue
        if bad or (letter not in _NAMES and letter not in _OTHERS):
            raise ValueError(f"unknown variable %{letter}; known are % with one of {''.join(_NAMES)}{_OTHERS}")
        after = pieces[index + 1] if index + 1 < len(pieces) else ("", "|", "")
        if not after[1]:
            raise ValueError("two variables side by side cannot be told apart: put a | between them")
        form = "[0-9A-Fa-f:.]*" if letter == "I" else ("[^|]*" if after[1].startswith("|") else ".*?")
        name = _NAMES.get(letter, "")
        parts.append(f"(?<{name}>{form})" if name and name not in seen else f"(?:{form})")
        seen.add(name)
    if not seen & {"user", "asked_user"}:
        raise ValueError("the prefix must hold %u, the user")
    return f"(?s)^{''.join(parts)}{_REQUEST}"


class SambaOptions(Model):
    """Settings of vfs_full_audit that decide what its lines look like and what they prove."""

    prefix: str = Field(
        "%u|%I", max_length=200, description="`full_audit:prefix` of smb.conf; %u|%I|%m|%S tells machine and share too"
    )
    tag: str = Field("smbd_audit", min_length=1, max_length=64, description="name in front of the messages")
    transfers_from: Literal["requests", "create_file", "openat"] = Field(
        "requests",
        description="what proves a transfer: read and write requests, or, where `full_audit:success` leaves pread_send and "
        "pwrite_send out, the opens of clients (create_file) or of the server (openat: a listing counts too)",
    )
    request_bytes: int = Field(
        1 << 20, ge=512, le=1 << 24, description="size of one read or write request, for the estimated volume"
    )

    @field_validator("prefix")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        pattern(value)
        return value


def guess(head: bytes) -> Iterable[Mapping[str, Any]]:
    """Both common prefixes, the one that fits more of the first lines in front."""
    some = head[:65536].decode("utf-8", "backslashreplace").split("\n")[:200]
    messages = [line.partition("smbd_audit: ")[2] for line in some]

    def fitting(prefix: str) -> int:
        form = re.compile(pattern(prefix).replace("(?<", "(?P<"))
        return sum(1 for message in messages if form.match(message))

    return [{"prefix": prefix} for prefix in sorted(_PREFIXES, key=fitting, reverse=True)]


@parser(
    "samba_full_audit",
    reference="vfs_full_audit(8), full_audit:prefix, full_audit:success",
    framing=lines,
    skips={
        **PROGRAM_SKIPS,
        **SKIPS,
    },
    options=SambaOptions,
    guess=guess,
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: SambaOptions) -> Parsed:
    """Fold requests into downloads, uploads, listings and changes of files. `zone`: of stamps that tell none (RFC 3164).

    Reasons of rejects: those of `parsers.syslog`, and "unknown_form".
    """
    found = program_lines(chunk, origin, zone, carry, pl.col("tag") == options.tag)
    told = found.told.with_columns(pl.col("message").str.extract_groups(pattern(options.prefix)).alias("g")).unnest("g")
    missing = [pl.lit(None, pl.String).alias(name) for name in _NAMES.values() if name not in told.columns]
    told = told.with_columns(*missing)
    broken = told.filter(pl.col("op").is_null()).select("position", reject=pl.lit("unknown_form"))
    requests = told.filter(pl.col("op").is_not_null()).with_columns(
        pl.col("host").fill_null(""),
        account=pl.coalesce("user", "asked_user").replace("", None),
        client_ip=address(pl.col("ip")),
        session=pl.concat_str("host", pl.lit(":"), "process"),
    )
    events, skipped, open_files = read(
        requests, carry.get("open", {}), proof=options.transfers_from, request_bytes=options.request_bytes
    )
    beside = pl.concat([broken, skipped], how="diagonal")
    return found.settled(beside, events, origin, open=open_files)

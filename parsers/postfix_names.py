"""Names of attachments as mail headers write them: plain, RFC 2047, RFC 2231, folded. And which one tells most."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

import polars as pl

from parsers.decoding import clean, decode

LONGEST = 255  # characters of a name
_CHARSETS = re.compile(
    r"(?:utf-?8|gbk|gb2312|gb18030|big5|us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-r|shift_jis|euc-(?:jp|kr|cn))",
    re.IGNORECASE,
)
# name="x", name*=UTF-8''x, name*0="x", name*1*=x; the name of Content-Type and the filename of Content-Disposition
_PARAMETER = re.compile(
    r'[;?\s](?:file)?name(?:\*(\d{1,2}))?(\*)?\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]++))', re.IGNORECASE
)
_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?]*+)\?=")
_BETWEEN = re.compile(r"(\?=)[?\s]*+(?==\?)")  # a folded line break is logged as a question mark

# A name that may carry data: what detection must see first where a mail has several attachments
DATA = (
    r"(?i)\.(?:dmp|dump|bak|sql|csv|tsv|dbf|xls[xmb]?|et|mdb|accdb|parquet|zip|7z|rar|tar|t?gz|bz2|xz|zst|iso|enc|gpg)"
    r"(?:\.[0-9a-z]{1,4})?$"
)


def names(headers: pl.Series) -> pl.Series:
    """The name in each header, null where there is none. Ordinary ones are read as a column."""
    plain = headers.str.extract(r'(?i)[;?\s](?:file)?name="([^"\\]*)"(?:[^"=]*)$')
    odd = (plain.is_null() & headers.str.contains("(?i)name")) | plain.str.contains("=?", literal=True)
    if odd.fill_null(value=False).any():
        unique = headers.filter(odd.fill_null(value=False)).unique()
        read = pl.Series([_name(header) for header in unique], dtype=pl.String)
        plain = headers.replace_strict(unique, read, default=None, return_dtype=pl.String).zip_with(
            odd.fill_null(value=False), plain
        )
    return plain.str.slice(0, LONGEST)


def _name(header: str) -> str | None:
    pieces: dict[int, tuple[str, bool]] = {}
    for number, coded, quoted, bare in _PARAMETER.findall(header[:8192]):
        pieces.setdefault(int(number or 0), (re.sub(r"\\(.)", r"\1", quoted) or bare, bool(coded)))
    if not pieces:
        return None
    charset, raw = "utf-8", b""
    for number in sorted(pieces):
        text, coded = pieces[number]
        if coded and number == min(pieces) and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        raw += unquote_to_bytes(text) if coded else text.encode("utf-8", "surrogatepass")
    if any(coded for _, coded in pieces.values()):
        return _decoded(raw, charset)
    return _words(raw.decode("utf-8", "replace"))


def _words(text: str) -> str:
    """RFC 2047, also where clients put it in a quoted name, which the standard forbids."""
    parts: list[tuple[str, bytes]] = []
    position, text = 0, _BETWEEN.sub(r"\1", text)
    for found in _WORD.finditer(text):
        if found.start() > position:
            parts.append(("utf-8", text[position : found.start()].encode("utf-8", "surrogatepass")))
        position = found.end()
        raw = _unpacked(found[2].upper(), found[3])
        if raw is None:
            parts.append(("utf-8", found[0].encode()))
        elif parts and parts[-1][0] == found[1].lower():  # a character may be cut in two words
            parts[-1] = (found[1].lower(), parts[-1][1] + raw)
        else:
            parts.append((found[1].lower(), raw))
    parts.append(("utf-8", text[position:].encode("utf-8", "surrogatepass")))
    return "".join(_decoded(raw, charset) for charset, raw in parts)


def _unpacked(kind: str, text: str) -> bytes | None:
    try:
        if kind == "B":
            return base64.b64decode(text + "=" * (-len(text) % 4))
        return unquote_to_bytes(re.sub(r"=(?=[0-9A-Fa-f]{2})", "%", text.replace("%", "%25").replace("_", " ")))
    except (ValueError, binascii.Error):
        return None


def _decoded(raw: bytes, charset: str) -> str:
    if _CHARSETS.fullmatch(charset):
        try:
            return clean(raw.decode("gb18030" if charset.lower() in {"gb2312", "gbk"} else charset))
        except (UnicodeDecodeError, LookupError):
            pass
    return decode(raw)

"""Masking that needs no parser: what stands in quotes, long numbers and credentials go, in any text and any dialect.

Used for everything that is stored of SQL nobody understood, of rejects and of server messages. Where it is not plain
how the text is quoted (backslashes, dollar quotes, quotes in comments, a missing quote) all from the first quote on
is masked: losing evidence is the lesser harm.
"""

from __future__ import annotations

import polars as pl

STRING, NUMBER, CREDENTIAL, REST = "'?'", "⟦n⟧", "⟦c⟧", "⟦…⟧"

# Quotes that read the same in every dialect: no escapes, no quotes in comments, all closed.
_PLAIN = (
    r"""(?s)\A(?:[^'"/\-#]|'[^'\\]*'|"[^"\\]*"|-(?:[^'"/\-#]|'[^'\\]*'|"[^"\\]*")|/(?:[^'"/\-#*]|'[^'\\]*'|"[^"\\]*")"""
    r"""|/\*[^*/'"]*\*/|(?:--|\#)[^'"\r\n]*(?:[\r\n]|\z))*\z"""
)
_OTHER_QUOTES = r"\$[\p{L}\p{N}_]*\$|[qQ]'"
_QUOTED = r"""'[^']*'|"[^"]*\""""
_REST = r"""(?s)(?:['"]|\$[\p{L}\p{N}_]*\$).*\z"""
_HEX = r"(?i)0x[0-9a-f]{6,}"
_DIGITS = r"\p{N}(?:[\p{Cf}_.]*\p{N}){5,}"
_TOLD = (
    r"(?i)((?:\bpass(?:word|wd|phrase)?|\bpwd|\bidentified\s+by(?:\s+(?:password|values|random\s+password))?"
    r"|\bidentified\s+with\s+\S+\s+(?:by|as)|\breplace|\bsecret)[\s=:(]+)([^\s;'\"(⟦][^\s;'\"⟦]*)"
)
_TOLD_MARK = r"(?i)pass|pwd|identified|secret"
# Commands that carry a password without naming it, and options of client programs (sudo lines).
_CARRIERS = (
    (r"(?i)\b(identified\s+(?:with\s+\S+\s+)?(?:by|as))\s+[^\s;'\"⟦][^;'\"]*(['\"])", f"${{1}} {CREDENTIAL} ${{2}}"),
    (r"(?i)\b(identified\s+(?:with\s+\S+\s+)?(?:by|as))\s+[^\s;'\"⟦][^;'\"]*", f"${{1}} {CREDENTIAL}"),
    (
        r"(?i)\b(sp_password|sp_addlogin|sp_addlinkedsrvlogin|sp_addremotelogin|sp_setapprole|sp_approlepassword)\b[^;\r\n]*",
        f"${{1}} {CREDENTIAL}",
    ),
    (r"(?i)\b(conn|connect|expdp|impdp|exp|imp|sqlplus|sqlldr|rman)(\s+)[^\s/@]+/\S+", f"${{1}}${{2}}{CREDENTIAL}"),
    (r"(^|\s)(--password[= ]|-p)[^\s=]\S*", f"${{1}}${{2}}{CREDENTIAL}"),
    (r"(?i)(@\w*(?:passw|pwd)\w*\s*=\s*)\S+", f"${{1}}{CREDENTIAL}"),
    (r"(?i)\b(set\s+\S*passw\S*(?:\s+for\s+\S+)?(?:\s+to\s+|\s*=\s*))\S+", f"${{1}}{CREDENTIAL}"),
)
LONG_NUMBER = r"\p{Nd}{11,}[Xx]?"  # identity card, mobile, bank card: in names of things nothing so long is needed


def mask(texts: pl.Series) -> pl.Series:
    """The texts without quoted content, numbers of six digits or more, and credentials. Null stays null; never raises."""
    plain = (texts.str.contains(_PLAIN) & ~texts.str.contains(_OTHER_QUOTES)).fill_null(value=True)
    frame = pl.DataFrame({"text": texts.cast(pl.String), "plain": plain})
    masked = frame.select(
        pl.when("plain")
        .then(pl.col("text").str.replace_all(_QUOTED, STRING))
        .otherwise(pl.col("text").str.replace(_REST, REST))
        .str.replace_all(_HEX, NUMBER)
        .str.replace_all(_DIGITS, NUMBER)
        .alias("text")
    )["text"]
    return credentials(masked).alias(texts.name)


def credentials(texts: pl.Series) -> pl.Series:
    """The texts without passwords that commands and programs carry, whatever their form. For text that is no query."""
    for pattern, put in _CARRIERS:
        texts = texts.str.replace_all(pattern, put)
    secret = texts.str.contains(_TOLD_MARK).fill_null(value=False)
    if secret.any():
        hidden = texts.filter(secret).str.replace_all(_TOLD, f"${{1}}{CREDENTIAL}")
        texts = texts.scatter(secret.arg_true(), hidden)
    return texts

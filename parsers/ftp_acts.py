"""What the logs of FTP servers share: the key of an act told by two logs of one server, and names in two encodings.

One transfer may stand in vsftpd's own log, its xferlog and syslog, in proftpd's TransferLog and ExtendedLog, in
pure-ftpd's AltLog and syslog. Each form keeps something else of a name: vsftpd writes every byte outside printable
ASCII as ``?`` in its files, xferlog a blank or control byte as ``_``, rsyslog a control byte as ``#011``; some give the
whole path, some what the client typed. The key is therefore made of what all of them keep.
"""

from __future__ import annotations

import re

import polars as pl
import xxhash

from parsers.decoding import others

ANONYMOUS = "anonymous"
# what one of the forms may have changed; in runs, because the number of bytes a character had is not in the text
_CHANGED = r"(?:[^!-~]|[?_]|\\x[0-9a-f]{2}|#[0-3][0-7]{2})+"
_PARTS = re.compile(rb'([ "/\[\]]+)')  # none of these is the second byte of a character in GBK or GB18030


def activity_keys(told: pl.DataFrame) -> pl.Series:
    """Key of each act by its columns of EVENTS (action, outcome, account, client_ip, path, bytes).

    Equal for the same act in every log of a server. Null for what no second log tells or what names nothing. It is
    stored in clear, so it is a hash: names of files may hold names of patients. A rename counts by its old name, a
    login by its outcome, a transfer by its size; not by time, which may differ by a second.
    """
    # some forms drop blanks at the ends of a name, others write them as _
    name = pl.col("path").str.replace_all(_CHANGED, "_").str.extract(r"([^/]*)/?$").str.strip_chars("_")
    login = pl.col("action") == "login"
    what = (
        pl.when(login)
        .then(pl.col("outcome"))
        .when(pl.col("path").is_not_null())
        .then(pl.concat_str(pl.col("bytes").cast(pl.String).fill_null("-"), pl.lit(" "), name))
    )
    who = pl.concat_str(pl.col("account").fill_null(""), pl.lit(" "), pl.col("client_ip").fill_null(""))
    texts = told.select(pl.concat_str("action", pl.lit(" "), who, pl.lit(" "), what)).to_series()
    keys = [None if text is None else f"ftp:{xxhash.xxh3_64_hexdigest(text.encode())}" for text in texts.to_list()]
    return pl.Series("activity_key", keys, dtype=pl.String)


def account_name(user: pl.Expr) -> pl.Expr:
    """The account of a user name; the daemons call the anonymous user `ftp`."""
    return pl.when(user == "ftp").then(pl.lit(ANONYMOUS)).otherwise(user.replace("", None))


def decode_names(raw: bytes) -> str:
    """Text of a line that is not UTF-8: each part of a name by itself, for folder and file may differ in encoding."""
    return "".join(_decode_part(part) for part in _PARTS.split(raw))


def _decode_part(part: bytes) -> str:
    for encoding in ("utf-8", *others()):
        try:
            return part.decode(encoding)
        except UnicodeDecodeError:
            continue
    return part.decode("utf-8", "backslashreplace")

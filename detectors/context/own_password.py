"""Does a statement change the password of the account that sent it, and nothing else?

Who sent it is what the log says. A name in the text counts only where it is that account's, letter by letter. In PostgreSQL
CURRENT_USER is another after SET ROLE, which is a matter of its own (IDN-02).
"""

from __future__ import annotations

import re

import polars as pl

_NAME = r'(?:(?P<self>current_user|session_user|user)\s*(?:\(\s*\))?|"(?P<quoted>[^"]+)"|(?P<plain>[^\W\d][\w$]*))'
# pgaudit and server_audit write something else in place of the password, pgaudit of all that follows it.
_SET_TO = r"(?:'[^'\\]*'|\"[^\"\\]*\"|<redacted>|\*+|null)"
_FORMS = {
    "postgres": re.compile(
        rf"\s*alter\s+(?:user|role)\s+{_NAME}\s+(?:with\s+)?(?:encrypted\s+)?password\s*{_SET_TO}\s*;?\s*",
        re.IGNORECASE,
    ),
    "mysql": re.compile(
        rf"\s*(?:set\s+password\s*=\s*(?:(?:old_)?password\s*\(\s*{_SET_TO}\s*\)|{_SET_TO})"
        rf"|alter\s+user\s+(?:current_user|user)\s*(?:\(\s*\))?\s+identified\s+by\s*{_SET_TO})\s*;?\s*",
        re.IGNORECASE,
    ),
}


def changes_own_password(frame: pl.DataFrame) -> pl.Series:
    """Boolean per row of `frame` (statement, dialect, account, privilege_change)."""
    columns = ("dialect", "statement", "account")
    few = frame.select(*columns, pl.col("privilege_change").fill_null(value=False)).with_row_index("row")
    few = few.filter("privilege_change").drop_nulls(columns)
    own = [row for row, *told in few.select("row", *columns).iter_rows() if _is_own(*told)]
    return pl.int_range(frame.height, eager=True).is_in(own)


def _is_own(dialect: str, statement: str, account: str) -> bool:
    form = _FORMS.get(dialect)
    found = form.fullmatch(statement) if form is not None else None
    if found is None:
        return False
    named = found.groupdict()
    if dialect == "mysql" or (named["self"] and named["self"].lower() != "user"):
        return True
    plain = named["plain"] or named["self"]
    return account == (named["quoted"] or plain.lower())

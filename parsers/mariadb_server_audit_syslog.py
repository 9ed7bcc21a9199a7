"""MariaDB server_audit through syslog: the record of the file form without its time, after a text of the configuration.

`mysql-server_auditing: <server_audit_syslog_info> serverhost,user,host,…`, one line a record: the syslog daemon writes a
line break as `#012`, so a name cannot begin a line here. The time is that of the envelope (syslog.py).
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import REJECTS, Origin, complete
from parsers.framing import lines, split_lines, unfinished
from parsers.mariadb_audit_options import LEARNED, AuditOptions
from parsers.mariadb_server_audit import decode_line, events_of, fields_of
from parsers.registry import Carry, Parsed, parser
from parsers.syslog import envelope

_TAG = "mysql-server_auditing"
_NO_TIME = "20000101 00:00:00,"  # in the place of the stamp that this form does not have


@parser(
    "mariadb_server_audit_syslog",
    reference="MariaDB knowledge base, Audit Plugin: Log Format, server_audit_output_type=SYSLOG; RFC 3164, RFC 5424",
    framing=lines,
    dialect="mysql",
    options=AuditOptions,
    skips={"other_program": "a message of another program in the same file"},
)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry, *, options: AuditOptions = LEARNED) -> Parsed:
    """Read whole syslog lines; those of other programs are counted.

    `zone` is that of stamps that tell none. Rejects: those of syslog.py, and unknown_form.
    """
    if not chunk:
        return Parsed(carry=carry)
    split = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=decode_line)
    told, year = envelope(split, origin, zone, carry.get("year", {}))
    next_carry: dict[str, Any] = {**carry, "year": dict(year), "unfinished": unfinished(chunk)}
    ours = pl.col("problem").is_null() & (pl.col("tag") == _TAG)
    other = told.filter(pl.col("problem").is_null() & ~ours.fill_null(value=False))
    skips = {"other_program": (other.height, int(other["length"].sum()))} if other.height else {}
    audit = told.filter(ours).select("position", "length", "occurred_at", line="text", text=_record())
    rows = fields_of(audit)
    broken = [
        told.filter(pl.col("problem").is_not_null()).select("position", "length", reason="problem", text="text"),
        rows.filter(pl.col("reason").is_not_null()).select("position", "length", "reason", text="line"),
    ]
    rejects = pl.concat(broken).sort("position").with_columns(pl.col("text").fill_null("").str.slice(0, 4096))
    rejects = rejects.cast(REJECTS)  # type: ignore[arg-type]
    good = rows.filter(pl.col("reason").is_null())
    if not good.height:
        return Parsed(rejects=rejects, skips=skips, carry=next_carry)
    return Parsed(
        complete(events_of(good.with_columns(excess=pl.lit(0)), next_carry, options), origin),
        rejects,
        skips,
        next_carry,
    )


def _record() -> pl.Expr:
    """The file form: the server's name has no blank, so the text before it ends at the last blank before the comma."""
    return pl.lit(_NO_TIME) + pl.col("message").str.replace(r"^[^,]* ", "")

"""Why a scenario was missed or not counted, told from the records of its window, not from memory."""

from __future__ import annotations

from collections import Counter

import polars as pl
from detection import ROUNDING, Label, Result

from config.rulefiles import read_rules
from detectors.rules import Rule, compile_rules

SHOWN = 3
WIDTH = 100
# What makes the server tell more, by the beginning of the format's name.
FULL_TEXT = {
    "mariadb_server_audit": "QUERY or QUERY_DML in `server_audit_events` would show it (TABLE and QUERY_DML_NO_SELECT tell no SELECT)",
    "postgresql": "`pgaudit.log_statement = on` would show it",
}
MORE_THAN_TRANSFERS = (
    "vsftpd's own log (`dual_log_enable=YES`), proftpd's `ExtendedLog` or pure-ftpd's syslog would show it"
)
TRANSFERS_ONLY = {
    "xferlog": "xferlog holds transfers (proftpd's also deletes), and of refusals only what the server counts as a transfer",
    "pureftpd_clf": "pure-ftpd's CLF log holds transfers and nothing else",
    "pureftpd_w3c": "pure-ftpd's W3C log holds transfers and nothing else",
    "pureftpd_stats": "pure-ftpd's stats log holds transfers and nothing else",
}
# Formats that never hold refused log-ins, and what does.
NO_REFUSED_LOGINS = {
    "samba_full_audit": "a log-on that fails never reaches Samba's audit module, so no such log holds one. Samba's own log (`log level = 1 auth_audit:3`) would show it",
    "mariadb_slow_log": "the slow log holds statements, no log-ins. The audit log, the error log (`log_warnings = 2`) or the general log of the same server shows it",
}
SESSION = ("login", "logout", "connect", "notice")
_rules: dict[str, Rule] = {}


def evidence(seen: pl.DataFrame) -> str:
    """The records in one line: how many of what, on which objects, with how much of the statement."""
    acts: Counter[str] = Counter()
    for action, command, outcome, known in seen.select(
        "action", "command", "outcome", pl.col("reason").is_null() | (pl.col("reason") != "not_logged")
    ).iter_rows():
        name = (command or action) if action == "query" else action
        acts[name + (" refused" if outcome == "failed" else "") + ("" if known else " without text")] += 1
    told = ", ".join(f"{number} {name}" for name, number in acts.most_common())
    objects = sorted(set(seen["object_name"].drop_nulls()))
    if objects:
        more = f" and {len(objects) - SHOWN} more" if len(objects) > SHOWN else ""
        told += "; objects: " + ", ".join(objects[:SHOWN]) + more
    rows = seen["rows"].drop_nulls()
    return cell(told + (f"; {rows.sum()} rows" if rows.len() else ""))


def why_missed(seen: pl.DataFrame, events: pl.DataFrame) -> str:
    form = str(events["format"][0])
    queries = seen.filter(pl.col("action") == "query")
    if form in TRANSFERS_ONLY:
        return f"{TRANSFERS_ONLY[form]}; what it holds here are ordinary transfers. {MORE_THAN_TRANSFERS}"
    if events.filter(~pl.col("action").is_in(SESSION)).is_empty():
        return "this log holds log-ins and messages of the server and no act on a file. `ExtendedLog` of all commands would show it"
    full = next((text for name, text in FULL_TEXT.items() if form.startswith(name)), "")
    if queries.is_empty() and full:
        return f"of the statements nothing is logged; only the session is. {full}"
    if form in NO_REFUSED_LOGINS and seen.filter(pl.col("outcome") == "failed").is_empty():
        return NO_REFUSED_LOGINS[form]
    if queries.height and queries.filter(pl.col("reason") == "not_logged").height == queries.height:
        objects = set(queries["object_name"].drop_nulls())
        account = pl.col("account").is_in(seen["account"].unique().to_list())
        shared = objects & set(events.filter(~account)["object_name"].drop_nulls())
        return (
            "tables are named, statements are not: keys, columns, conditions and grouping are unknown; "
            f"{len(shared)} of the {len(objects)} tables are used by other accounts in this log as well. {full}"
        )
    return "the log tells it; no rule sees it"


def why_not_counted(label: Label, why: str, result: Result) -> str:
    """The reason with what the file shows for it."""
    events, zone = result.events, label.start.tzinfo
    if why == "inside office hours":
        at = label.records(events)["occurred_at"].min().astimezone(zone)  # type: ignore[union-attr]
        return f"{why}: its {label.records(events).height} records begin at {at:%a %H:%M} of a working day"
    if events.filter(pl.col("action") == "login").is_empty():
        return f"{why}: the format holds no logins"
    there = events.filter(pl.col("occurred_at").is_between(label.start - ROUNDING, label.end + ROUNDING))
    if there.is_empty():
        return f"{why}: {_silence(label, events)}"
    names = sorted(set(there["account"].drop_nulls()))
    heard = sorted(
        {row["rule"] for row in result.findings if label.touches(row) and row["account"] not in label.accounts}
    )
    told = [f"`{cell(repr(name)[1:-1], 60)}`" for name in names]
    return (
        f"{why}: the accounts in it are {', '.join(told[:SHOWN]) or 'none'}"
        + (f" and {len(told) - SHOWN} more" if len(told) > SHOWN else "")
        + (f"; findings there: {', '.join(heard)}" if heard else "")
    )


def _silence(label: Label, events: pl.DataFrame) -> str:
    zone = label.start.tzinfo
    before = events.filter(pl.col("occurred_at") < label.start)["occurred_at"].max()
    after = events.filter(pl.col("occurred_at") > label.end)["occurred_at"].min()
    told = [f"{at.astimezone(zone):%m-%d %H:%M}" if at else "" for at in (before, after)]  # type: ignore[union-attr]
    return f"the files hold nothing at all from {told[0] or 'their beginning'} to {told[1] or 'their end'}"


def shapes_of(result: Result, rows: list[dict]) -> str:
    """Statements without literals of the events that findings hold, at most `SHOWN`."""
    shapes: list[str] = []
    for row in rows:
        for step in _rule(row["rule"]).steps:
            hit = result.events.filter(
                step.expression
                & pl.col("record_role").is_in(step.roles)
                & pl.col("occurred_at").is_between(row["first_seen"], row["last_seen"])
                & pl.col("account").eq_missing(pl.lit(row["account"], pl.String))
            )
            told = pl.coalesce("shape", "command", "path", "detail")
            hidden = pl.col("reason") == "not_logged"
            names = pl.when(hidden).then(pl.concat_str("command", "object_name", separator=" ", ignore_nulls=True))
            shapes += hit.select(names.otherwise(told)).to_series().drop_nulls().to_list()
    distinct = list(dict.fromkeys(cell(shape, WIDTH) for shape in shapes))
    more = f" and {len(distinct) - SHOWN} more" if len(distinct) > SHOWN else ""
    return "; ".join(f"`{shape}`" for shape in distinct[:SHOWN]) + more


def _rule(name: str) -> Rule:
    if not _rules:
        _rules.update({rule.id: rule for rule in compile_rules(read_rules([]))})
    return _rules[name]


def cell(text: str, width: int = 400) -> str:
    """Text that fits in a table's cell: on one line, no pipes, no backquotes, cut."""
    flat = " ".join(text.split()).replace("|", "/").replace("`", "'")
    return flat if len(flat) <= width else flat[: width - 1] + "…"

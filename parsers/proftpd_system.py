"""proftpd's SystemLog: refused logins, broken transfers, refused connections, its starts and stops.

``2026-11-18 09:02:19,705 ftp01 proftpd[9011] 127.0.0.1 (10.10.40.117[10.10.40.117]): USER x (Login failed): reason``

Without SystemLog the same messages go to syslog, as ``proftpd[9011]: 127.0.0.1 (name[address]): …``; lines with such an
envelope are read too. Transfers are told by TransferLog or ExtendedLog, not here. Sources: proftpd directives SystemLog
and SyslogLevel, its auth, data and main modules; samples from 1.3.8.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from parsers.accounting import address, settle, too_long
from parsers.events import Origin
from parsers.framing import lines, split_lines, unfinished
from parsers.ftp_acts import account_name, activity_keys, decode_names
from parsers.registry import Carry, Parsed, parser
from parsers.stamps import local_time
from parsers.syslog import envelope

SKIPS = {
    "blank": "an empty line records nothing",
    "other_program": "a line of another program in the same file; its own parser reads it",
    "session": "a session was opened or closed: who logged in has a line of its own",
}
LINE = (
    r"^(?<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:[,.][0-9]{1,6})?) (?<node>[^ ]+) "
    r"(?<program>proftpd)\[(?<process>[0-9]+)\]:? (?<said>.*)$"
)
ENVELOPE = r"^(?:<[0-9]{1,3}>|[A-Z][a-z]{2} [ 0-9][0-9] |[0-9]{4}-[0-9]{2}-[0-9]{2}T)"
SAID = r"^(?<server>[^ ]+)(?: \((?<client>[^ ]*)\[(?<ip>[^\]]*)\]\))?: ?(?:- )?(?:(?<said_level>notice|warning|error): )?(?<text_said>.*)$"
# What the client typed as its name stands first: the fixed text behind it is looked for from the right.
TEXT = (
    r"^(?:"
    r"(?:USER|ANON) (?<unknown>.*): no such user found from [^ ]+ \[[^ \]]*\] to [^ ]+"
    r"|(?:USER|ANON) (?<failed>.*) \(Login failed\): (?<why>.*)"
    r"|(?:USER|ANON) (?<no_user>.*): no such user found from .*"
    r"|(?:USER|ANON) (?<logged_in>.*): Login successful\.?"
    r"|(?<root>SECURITY VIOLATION: [Rr]oot login attempted.*)"
    r"|user (?<broke>.*): aborting transfer: (?<reason>.*)"
    r"|(?<session>(?:FTP|SFTP|SSH2|FTPS) session (?:requested from .*|opened|closed|idle timeout.*)\.?)"
    r")$"
)


@parser("proftpd_system", reference="proftpd directives SystemLog and SyslogLevel", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read refused logins and what the server says of itself. `zone` is the server's, for stamps without one.

    Reasons of rejects: "too_long", "unknown_form", "bad_timestamp", and those of `parsers.syslog`.
    """
    frame = split_lines(chunk, origin.position, continued=bool(carry.get("unfinished")), other=decode_names)
    frame, year = _lines(frame, origin, zone, carry)
    frame = frame.with_columns(pl.col("said").str.extract_groups(SAID).alias("g")).unnest("g")
    frame = frame.with_columns(pl.col("text_said").str.extract_groups(TEXT).alias("g")).unnest("g")
    frame = frame.with_columns(unknown=pl.coalesce("unknown", "no_user"))
    blank = (pl.col("text").str.strip_suffix("\r") == "").fill_null(value=False)
    frame = frame.with_columns(
        skip=pl.when(blank)
        .then(pl.lit("blank"))
        .when(pl.col("problem").is_null() & ~pl.col("ours"))
        .then(pl.lit("other_program"))
        .when(pl.col("session").is_not_null())
        .then(pl.lit("session")),
        reject=pl.when(too_long())
        .then(pl.lit("too_long"))
        .when(blank)
        .then(None)
        .when(pl.col("problem").is_not_null())
        .then("problem")
        .when(pl.col("ours") & pl.col("text_said").is_null())
        .then(pl.lit("unknown_form")),
    )
    told = frame.filter(pl.col("skip").is_null() & pl.col("reject").is_null())
    kept = {"unfinished": unfinished(chunk), "year": year} if chunk else dict(carry)
    return settle(frame, _events(told), origin, kept)


def _lines(frame: pl.DataFrame, origin: Origin, zone: ZoneInfo, carry: Carry) -> tuple[pl.DataFrame, dict[str, int]]:
    """Add occurred_at, node, process, said, ours and `problem`, from proftpd's own stamp or a syslog envelope."""
    body = pl.col("text").str.strip_suffix("\r")
    frame = frame.with_columns(body.str.extract_groups(LINE).alias("g")).unnest("g")
    enveloped = frame.select(body.str.contains(ENVELOPE).fill_null(value=False)).to_series()
    own = frame.with_columns(
        occurred_at=local_time(pl.col("stamp").str.replace(",", ".", literal=True), "%Y-%m-%d %H:%M:%S%.f", zone),
        ours=pl.col("program").is_not_null(),
    )
    problem = pl.when(~pl.col("ours")).then(pl.lit("unknown_form"))
    own = own.with_columns(
        problem=problem.when(pl.col("occurred_at").is_null()).then(pl.lit("bad_timestamp")), ours=pl.lit(value=True)
    )
    year = dict(carry.get("year", {}))
    if not enveloped.any():
        return own, year
    plain = frame.filter(enveloped).select("position", "length", "text")
    other, year = envelope(plain, origin, zone, year)
    other = other.select(
        "position", "length", "text", "occurred_at", "problem",
        node="host", process="pid", said="message", ours=pl.col("tag") == "proftpd",
    )  # fmt: skip
    return pl.concat([own.filter(~enveloped), other], how="diagonal").sort("position"), year


def _events(told: pl.DataFrame) -> pl.DataFrame:
    have = {name: pl.col(name).is_not_null() for name in ("failed", "unknown", "logged_in", "root", "broke")}
    refused = have["failed"] | have["unknown"] | have["root"]
    name = pl.coalesce("failed", "unknown", "logged_in", "broke")
    twice = r"(?: \(Login failed\): |: no such user found from |: Login successful).*(?: \(Login failed\): |: no such user found from |: Login successful)"
    no_client = pl.col("ip").is_null()
    events = told.select(
        "position",
        "length",
        "occurred_at",
        # the transfer itself is told, as failed, by TransferLog and ExtendedLog
        record_role=pl.when(have["broke"]).then(pl.lit("part")).otherwise(pl.lit("main")),
        action=pl.when(refused | have["logged_in"]).then(pl.lit("login")).otherwise(pl.lit("notice")),
        outcome=pl.when(have["logged_in"])
        .then(pl.lit("ok"))
        .when(refused | have["broke"] | pl.col("said_level").is_in(["warning", "error"]).fill_null(value=False))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("unknown")),
        error_code=pl.when(have["unknown"])
        .then(pl.lit("no such user"))
        .when(have["root"])
        .then(pl.lit("root"))
        .when(have["broke"])
        .then(pl.lit("aborted"))
        .otherwise(pl.col("why").str.slice(0, 60)),
        account=pl.when(have["root"]).then(pl.lit("root")).otherwise(account_name(name)),
        client_ip=address(pl.col("ip")),
        session=pl.when(~no_client).then(pl.concat_str(pl.lit("proftpd:"), "process")),
        command=pl.when(refused | have["logged_in"]).then(pl.lit("PASS")),
        detail=pl.when(~(refused | have["logged_in"])).then(pl.col("text_said").str.slice(0, 200)),
        # two endings: which of them is the server's, the name before it does not say
        forgeable=pl.col("text_said").str.contains(twice),
    )
    keyed = events.with_columns(path=pl.lit(None, pl.String), bytes=pl.lit(None, pl.Int64))
    return events.with_columns(activity_keys(keyed))

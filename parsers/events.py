"""The EVENTS frame: every column once, with type, unit and meaning.

Three groups of columns travel together through the pipeline:

* ``EVENTS``  what one log record says (made by a parser),
* ``FACTS``   what the SQL in it does (joined by shape, ``parsers/sql``),
* ``CONTEXT`` who, when, how sensitive (joined by ``detectors/context``).

A frame with all three is *enriched*; detectors see enriched frames only. Null means "the log does not say"
(EVENTS), "there is no statement" (FACTS) or "the register does not know" (CONTEXT).
Seams compare names and dtypes (`check`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import polars as pl

UTC = pl.Datetime("us", "UTC")
TEXTS = pl.List(pl.String)

ACTIONS = frozenset(
    {
        "query",  # one statement (or one phase of it, see record_role) at a database
        "login",  # an attempt to log in; `outcome` says how it ended
        "logout",
        "connect",  # a connection without a user yet
        "upload",
        "download",
        "delete",
        "rename",
        "mkdir",
        "rmdir",
        "chmod",
        "link",
        "list",
        "command",  # a shell or remote command session (sshd), content unknown
        "setting",  # the server says that a setting of its own changed
        "device",  # removable storage at a host: plugged in, mounted, taken away
        "notice",  # any other message of a server that names an account or an error
        "gap",  # bytes that could not be read: written by a source, not a parser
    }
)
KEYS_KEPT = 1_000  # patient keys of an event that detection and store get; patient_key_count tells how many there are
OUTCOMES = frozenset({"ok", "failed", "unknown"})
RECORD_ROLES = frozenset(
    {
        "main",  # the record that stands for the act
        "part",  # another record of the same act (relation records, parse/bind, table events)
        "outcome",  # tells later how an act with the same activity_key ended
        "duplicate",  # the same act told by another log of the same server
    }
)
KINDS = frozenset({"known", "estimated", "unknown"})
DIRECTIONS = frozenset({"in", "out"})  # as seen from the file server: "in" an upload, "out" a download

EVENTS: dict[str, pl.DataType] = {
    "event_id": pl.String(),  # origin key + position: see `Origin.key`; unique and stable over replays
    "site": pl.String(),  # hospital
    "system": pl.String(),  # database or server; an account name is one account within (site, system)
    "source": pl.String(),  # name in the configuration
    "file": pl.String(),  # path as read, control characters escaped
    "format": pl.String(),  # name of the parser
    "generation": pl.String(),  # identity of the file's content, 16 hex digits
    "position": pl.UInt64(),  # first byte of the record in its generation; no file: its sequence number
    "length": pl.UInt32(),  # bytes of the record, its line break included
    "occurred_at": UTC,  # as logged, the source's zone applied
    "received_at": UTC,  # when the bytes were read
    "clock_trusted": pl.Boolean(),  # false: occurred_at lies more than 60 s after received_at; moves no window
    "record_role": pl.String(),  # one of RECORD_ROLES
    "activity_key": pl.String(),  # joins the records of one act within a system; null: the record stands alone
    "action": pl.String(),  # one of ACTIONS
    "outcome": pl.String(),  # one of OUTCOMES
    "error_code": pl.String(),  # SQLSTATE, errno or the server's short reason; null when none
    "account": pl.String(),  # as logged (login role, never the role switched to)
    "client_ip": pl.String(),  # address, or "[local]" for a local socket
    "client_program": pl.String(),  # client-supplied text: no evidence of the tool
    "session": pl.String(),  # unique within a system for its lifetime
    "database": pl.String(),  # default database of the session
    "dialect": pl.String(),  # postgres, mysql, oracle, tsql; null: no SQL
    "statement": pl.String(),  # SQL as sent, in flight only; stored as shape and tokens
    "parameters": pl.List(pl.String()),  # bound values in order, in flight only; null: not told
    "command": pl.String(),  # what ran as the log names it, upper case (SELECT, COPY, CREATE TABLE, STOR)
    "command_class": pl.String(),  # class the log gives it (pgaudit READ, WRITE, DDL, ROLE, MISC ...)
    "object_type": pl.String(),  # kind of the object the log itself names (TABLE, VIEW ...)
    "object_name": pl.String(),  # that object, schema kept where written
    "statement_number": pl.Int64(),  # pgaudit STATEMENT_ID, MariaDB queryid
    "substatement_number": pl.Int64(),
    "rows": pl.Int64(),  # rows returned or changed; null: unknown, never 0 for "not told"
    "rows_kind": pl.String(),  # one of KINDS; null: the act has no rows
    "duration_seconds": pl.Float64(),
    "path": pl.String(),  # of a transfer, as the server names it, decoded
    "path2": pl.String(),  # new name of a rename
    "direction": pl.String(),  # one of DIRECTIONS; null: not a transfer
    "bytes": pl.Int64(),  # moved by this transfer; null: unknown
    "bytes_kind": pl.String(),  # one of KINDS; null: the act moves no bytes
    "truncated": pl.Boolean(),  # the statement was cut at the log's limit
    "forgeable": pl.Boolean(),  # the format lets a client write a false record like this one
    "records_missing": pl.Int64(),  # records that the session numbered before this one and the log lacks; in flight only
    "statements_missing": pl.Int64(),  # the same of audited statements; in flight only
    "detail": pl.String(),  # short server message for setting/notice, in flight raw, stored masked
}

FACTS: dict[str, pl.DataType] = {
    "shape_id": pl.String(),  # keyed 128-bit hash of (dialect, shape), 32 hex digits
    "shape": pl.String(),  # the text without literals
    "understood": pl.String(),  # ast, lexical, none
    "reason": pl.String(),  # why it is not `ast` (closed list), else empty
    "verb": pl.String(),  # see docs/sql-facts.md
    "reads": pl.List(pl.String()),  # tables
    "writes": pl.List(pl.String()),
    "output_classes": pl.List(pl.String()),
    "used_classes": pl.List(pl.String()),
    "restriction": pl.String(),  # point, set, range, none; null: no sensitive table. Literal-dependent: per event
    "bound": pl.Int64(),  # greatest number of rows as written; per event
    "destination": pl.String(),  # client, file, program, table, other_database
    "aggregate_functions": pl.List(pl.String()),
    "aggregate_by": pl.List(pl.String()),  # column roles or classes
    "tongfang": pl.Boolean(),
    "tenant_missing": pl.Boolean(),
    "dump_tool": pl.String(),
    "dynamic": pl.Boolean(),
    "audit_change": pl.Boolean(),
    "privilege_change": pl.Boolean(),
    "identity_switch": pl.Boolean(),
    "schema_change": pl.Boolean(),  # CREATE/ALTER/DROP/TRUNCATE of anything that outlives the session
    "dangerous": pl.List(pl.String()),
    "injection": pl.List(pl.String()),
    "key_kinds": pl.List(pl.String()),  # what patient_keys are keys of: patient_key, visit_key, document_key
    # slot features: taken from the literals or parameters of each event before masking
    "patient_keys": pl.List(
        pl.String()
    ),  # values that restrict a patient/visit/document key; in flight raw, stored as tokens
    "patient_key_count": pl.UInt32(),  # how many such values (an IN list counts each)
    "patient_key_number": pl.Int64(),  # the first one, where it is a whole number: span and step of enumerations
    "row_offset": pl.Int64(),  # OFFSET as written; null: none
}

CONTEXT: dict[str, pl.DataType] = {
    "person": pl.String(),  # id in the register; null: account resolves to nobody
    "vendor": pl.String(),  # id of the person's vendor; null: hospital's own or unknown
    "vendor_tier": pl.String(),
    "vendor_state": pl.String(),  # active, exiting, exited; null: no vendor
    "days_left": pl.Int32(),  # local days to the last one of person and contract, negative after it; null: no end written
    "qualified": pl.Boolean(),  # the person's qualification holds on that day; null: none written
    "actor_kind": pl.String(),  # vendor, staff, service, owner (database owner on the local socket), unknown
    "account_registered": pl.Boolean(),
    "person_valid": pl.Boolean(),  # verdict 1: person known and, with the contract, valid at occurred_at
    "time_allowed": pl.Boolean(),  # verdict 2: inside the hours of the vendor/person/job
    "ticket": pl.String(),  # verdict 3: id of an open ticket for this person, time and system; null: none
    "in_scope": pl.Boolean(),  # verdict 4: objects and actions lie inside ticket or role; null: nothing to judge
    "place_allowed": pl.Boolean(),  # the client address is one agreed for the account; null: none agreed
    "approved": pl.Boolean(),  # right person, open ticket, in scope; or a registered job: recorded, not notified
    "job": pl.String(),  # id of the registered job this event belongs to
    "unapproved_job": pl.String(),  # id of a registered job it would belong to, but no approval of it holds on that day
    "working_day": pl.Boolean(),  # by the calendar of the site, local date of occurred_at
    "office_hours": pl.Boolean(),  # working day and inside the site's office hours
    "program_kind": pl.String(),  # query_tool, console, script, office, dump_tool: what client_program claims; null: no known tool
    "client_inside": pl.Boolean(),  # client address inside the hospital's own networks; null: no address
    "watched": pl.List(
        pl.String()
    ),  # canary, vip: what the act touches of the site's watch lists and may not; null: none are written
    "file_shape": pl.String(),  # dump, archive, table_export, image, document, package, other; from path (path2 for renames)
}

REJECTS: dict[str, pl.DataType] = {
    "position": pl.UInt64(),
    "length": pl.UInt32(),
    "reason": pl.String(),  # closed, short list per parser: becomes a metric label
    "text": pl.String(),  # decoded with escapes, cut to 4096 characters; masked before it is stored
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a chunk comes from. `position` of the chunk's first byte; all times UTC."""

    site: str
    system: str
    source: str
    file: str
    format: str
    generation: str
    position: int
    received_at: datetime
    reference_at: datetime | None = None  # the file's modification time: the year of stamps that have none
    replay: bool = False  # old logs read again: the reading time says nothing about the log's clock

    @property
    def key(self) -> str:
        """First part of every event_id: hash of (site, source, generation), 16 hex digits."""
        return origin_key(self.site, self.source, self.generation)


def origin_key(site: str, source: str, generation: str) -> str:
    text = f"{site}\0{source}\0{generation}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def complete(frame: pl.DataFrame, origin: Origin) -> pl.DataFrame:
    """Bring a parser's columns to the EVENTS schema: provenance added, missing columns null, order fixed.

    `frame` must hold `position` (absolute: `origin.position` already added), `length`, `occurred_at`, `action`.
    """
    given = frozenset(name for name in frame.columns if name in EVENTS)
    told = _told(origin.site, origin.system, origin.source, origin.file, origin.format, origin.generation)
    received = (origin.received_at - _EPOCH) // timedelta(microseconds=1)
    latest = pl.lit(received + _CLOCK_LEAD).cast(UTC)
    fresh = {
        "received_at": pl.lit(received).cast(UTC).alias("received_at"),
        "clock_trusted": (pl.lit(True) if origin.replay else pl.col("occurred_at") <= latest).alias("clock_trusted"),
    }
    made = {**_given(given), **told, **fresh}
    return frame.select(made[name] for name in EVENTS)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC_ZONE)
_CLOCK_LEAD = 60_000_000  # microseconds that a log's clock may be ahead of ours
_DEFAULTS = {"record_role": "main", "outcome": "unknown", "truncated": False, "forgeable": False}


@lru_cache(maxsize=256)
def _told(*of: str) -> dict[str, pl.Expr]:
    """Columns that say where the records come from: the same for every chunk of a file."""
    names = ("site", "system", "source", "file", "format", "generation")
    key = pl.lit(origin_key(of[0], of[2], of[5]) + "-")
    told = {name: pl.lit(value, pl.String).alias(name) for name, value in zip(names, of, strict=True)}
    return {"event_id": (key + pl.col("position").cast(pl.String)).alias("event_id"), **told}


@lru_cache(maxsize=256)
def _given(names: frozenset[str]) -> dict[str, pl.Expr]:
    """The parser's columns in their types, and what stands for those that it does not have."""
    made: dict[str, pl.Expr] = {}
    for name, dtype in EVENTS.items():
        value = (pl.col(name) if name in names else pl.lit(_DEFAULTS.get(name))).cast(dtype)
        if dtype == pl.Float64:  # a number of more digits than any clock counts
            value = pl.when(value.is_finite()).then(value)
        made[name] = value.alias(name)
    return made


def empty(*groups: dict[str, pl.DataType]) -> pl.DataFrame:
    """A frame of no rows with the columns of the given groups (EVENTS when none is given)."""
    schema: dict[str, pl.DataType] = {}
    for group in groups or (EVENTS,):
        schema |= group
    return pl.DataFrame(schema=schema)


def check(frame: pl.DataFrame, *groups: dict[str, pl.DataType]) -> None:
    """Raise ValueError naming the first column that is missing, of another type or not in the schema."""
    wanted: dict[str, pl.DataType] = {}
    for group in groups or (EVENTS,):
        wanted |= group
    have = frame.schema
    for name, dtype in wanted.items():
        if name not in have:
            raise ValueError(f"column {name} is missing")
        if have[name] != dtype:
            raise ValueError(f"column {name} is {have[name]}, not {dtype}")
    for name in have:
        if name not in wanted:
            raise ValueError(f"column {name} is not in the schema")

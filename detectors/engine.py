"""Enriched events in, findings and changes of state out. Columns in; Python only for panes and findings.

    rules = compile_rules(read_rules(), ...)
    engine = Engine(rules, zone="Asia/Shanghai")
    engine.restore(tables)                       # rows of STATE_TABLES, raw or compacted
    observed = engine.observe(enriched, now)     # findings: revisions; deltas: rows to append, in the batch's transaction

`restore(all deltas)` then `observe(rest)` gives the findings of `observe(everything)`: the state is a sum.
A batch that could not be committed must not be observed twice: rebuild the engine from the store instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from zoneinfo import ZoneInfo

import polars as pl

from detectors.findings import FINDINGS
from detectors.report import finding
from detectors.rules import Line, Rule
from detectors.windows import DAY, EVIDENCE, MEMBER_CAP, Found, Grid, Key, Pane, Windows
from parsers.events import TEXTS, UTC

# What the store keeps for `restore`: append-only, summed when read. No value of a patient in it: members are hashes.
STATE_TABLES: dict[str, dict[str, pl.DataType]] = {
    "window_panes": {
        "rule": pl.String(), "step": pl.UInt8(), "key": pl.String(), "pane": pl.Int64(), "until": UTC,
        "events": pl.Int64(), "rows": pl.Int64(), "rows_told": pl.Int64(), "rows_estimated": pl.Int64(),
        "rows_unknown": pl.Int64(), "bytes": pl.Int64(), "bytes_told": pl.Int64(), "approved": pl.Int64(),
        "ticketed": pl.Int64(), "unresolved": pl.Int64(), "special": pl.Int64(), "first_at": pl.Int64(),
        "last_at": pl.Int64(), "evidence": TEXTS, "first": TEXTS, "classes": TEXTS, "objects": TEXTS,
        "amounts": pl.List(pl.Int64()),
    },
    "window_members": {
        "rule": pl.String(), "step": pl.UInt8(), "key": pl.String(), "pane": pl.Int64(), "until": UTC,
        "line": pl.UInt8(), "members": pl.List(pl.UInt64()),
    },
    "finding_revisions": {"id": pl.String(), "until": UTC, "revision": pl.UInt32(), "digest": pl.String()},
}  # fmt: skip

WHO = ("account", "person", "vendor", "client_ip", "source", "site", "system", "format")
LATENESS = timedelta(hours=48)  # state is kept this long behind the newest trusted event of a site
MAX_KEYS = 50_000  # a rule
SPECIAL_CLASSES = ("special",)
_TRANSFERS = ("upload", "download", "delete", "rename", "mkdir", "rmdir", "chmod", "link", "list", "command")
_LAST_SECOND = 253_402_000_000  # near the end of the year 9999, the last that a datetime holds
_PANE_COLUMNS = tuple(
    name for name in STATE_TABLES["window_panes"] if name not in ("rule", "step", "key", "pane", "until")
)


@dataclass(frozen=True, slots=True)
class Observed:
    """`findings`: FINDINGS, new revisions only. `deltas`: rows to append to each of STATE_TABLES."""

    findings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDINGS))
    deltas: Mapping[str, pl.DataFrame] = field(default_factory=dict)


class Engine:
    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        zone: str = "Asia/Shanghai",
        notify_from: str = "medium",
        staged_sources: Sequence[str] = (),
        lateness: timedelta | None = LATENESS,
        max_keys: int = MAX_KEYS,
    ) -> None:
        """`zone`: of the site, for days and nights. `lateness` None: state never expires (old files in any order)."""
        self.rules = tuple(rules)
        self.zone = ZoneInfo(zone)
        self.notify_from = notify_from
        self.staged_sources = frozenset(staged_sources)
        self.lateness = lateness
        self.max_keys = max_keys
        self.dropped = 0  # keys forgotten because a rule had too many of them
        self._windows = [Windows(rule, _day_start(zone)) for rule in self.rules]
        self._by_key = {window.key: window for window in self._windows}
        self._revisions: dict[str, tuple[int, str, float]] = {}
        self._newest: float | None = None
        self._swept: float | None = None

    @property
    def size(self) -> int:
        """Panes held in memory."""
        return sum(window.size for window in self._windows)

    def restore(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Add up the rows of STATE_TABLES. Rows of rules that are gone or were changed are passed over."""
        panes = tables.get("window_panes")
        if panes is not None:
            for rule, step, key, start, *values in panes.select(
                "rule", "step", "key", "pane", *_PANE_COLUMNS
            ).iter_rows():
                if (window := self._by_key.get(rule)) is not None:
                    window.add(step, _key(key), start, _pane(values))
                    last_at = values[_PANE_COLUMNS.index("last_at")] / 1e6
                    self._newest = (
                        max(self._newest or last_at, last_at) if _sane(window, start, last_at) else self._newest
                    )
        members = tables.get("window_members")
        if members is not None:
            for rule, step, key, start, line, found in members.select(
                "rule", "step", "key", "pane", "line", "members"
            ).iter_rows():
                if (window := self._by_key.get(rule)) is not None:
                    window.add_members(step, _key(key), start, line, found)
        revisions = tables.get("finding_revisions")
        if revisions is not None:
            for id_, until, revision, digest in revisions.select("id", "until", "revision", "digest").iter_rows():
                if revision > self._revisions.get(id_, (0, "", 0.0))[0]:
                    self._revisions[id_] = revision, digest, until.timestamp()

    def observe(self, enriched: pl.DataFrame, now: datetime) -> Observed:
        """Count a batch. `enriched`: EVENTS + FACTS + CONTEXT; patient keys may be tokens, their numbers shifted."""
        if enriched.is_empty():
            return Observed(deltas={name: pl.DataFrame(schema=schema) for name, schema in STATE_TABLES.items()})
        acts = _acts(enriched)
        changes: dict[str, list[pl.DataFrame]] = {
            name: [pl.DataFrame(schema=STATE_TABLES[name])] for name in STATE_TABLES
        }
        rows: list[dict[str, object]] = []
        touched: dict[int, dict[Key, set[int]]] = {}
        for index, number, frame in self._matches(acts):
            window = self._windows[index]
            self._count(window, number, frame, changes, touched.setdefault(index, {}))
        revisions: list[tuple[object, ...]] = []
        for index, keys in touched.items():
            window = self._windows[index]
            for key, starts in keys.items():
                revised = (self._revise(window.rule, key, found, revisions) for found in window.found(key, starts))
                rows += [row for row in revised if row is not None]
            self.dropped += window.bound(self.max_keys)
        self._sweep(acts, now)
        changes["finding_revisions"].append(
            pl.DataFrame(revisions, schema=STATE_TABLES["finding_revisions"], orient="row")
        )
        deltas = {name: pl.concat(parts) for name, parts in changes.items()}
        return Observed(pl.DataFrame(rows, schema=FINDINGS, orient="row"), deltas)

    def _matches(self, acts: pl.DataFrame) -> list[tuple[int, int, pl.DataFrame]]:
        """(rule, step, its events) for every step that has some."""
        steps = [(i, n, step) for i, rule in enumerate(self.rules) for n, step in enumerate(rule.steps)]
        found = []
        for category, part in (("database", _database()), ("transfer", _transfer()), ("any", None)):
            wanted = [item for item in steps if item[2].category == category]
            frame = acts if part is None else acts.filter(part)
            if not wanted or frame.is_empty():
                continue
            # lazily: rules have much in common, and what is common is then worked out once
            masks = (
                frame.lazy()
                .select(
                    (step.expression & pl.col("record_role").is_in(step.roles)).alias(str(place))
                    for place, (_, _, step) in enumerate(wanted)
                )
                .collect()
            )
            hits = masks.sum().row(0)
            found += [
                (i, n, frame.filter(masks.to_series(place))) for place, (i, n, _) in enumerate(wanted) if hits[place]
            ]
        return found

    def _count(
        self,
        window: Windows,
        number: int,
        frame: pl.DataFrame,
        changes: dict[str, list[pl.DataFrame]],
        touched: dict[Key, set[int]],
    ) -> None:
        rule = window.rule
        subject = [f"_{name}" for name in rule.subject]
        placed = frame.with_columns(
            *(pl.col(name).alias(alias) for name, alias in zip(rule.subject, subject, strict=True)),
            pane_start(window.grid, rule, str(self.zone)).alias("_pane"),
        )
        if rule.kind != "single":
            # Nobody named: adding up the acts of different people would accuse nobody in particular.
            placed = placed.drop_nulls(subject[-1])
        if placed.is_empty():
            return
        grouped = (
            placed.sort("_stamp")
            .group_by(*subject, "_pane", maintain_order=True)
            .agg(*_summaries(rule.lines if number == 0 else ()))
        )
        for row in grouped.iter_rows():
            key, start, values = row[: len(subject)], row[len(subject)], row[len(subject) + 1 :]
            window.add(number, key, start, _pane(values))
            touched.setdefault(key, set()).add(start)
        changes["window_panes"].append(_delta(grouped, "window_panes", window, number, subject))
        for line, spec in enumerate(rule.lines if number == 0 else ()):
            if spec.measure in ("distinct", "adjacent"):
                kept = _members(placed, subject, spec)
                for *group, found in kept.iter_rows():
                    window.add_members(number, tuple(group[:-1]), group[-1], line, found)
                lines = kept.with_columns(pl.lit(line).alias("line"))
                changes["window_members"].append(_delta(lines, "window_members", window, number, subject))

    def _revise(
        self, rule: Rule, key: Key, found: Found, revisions: list[tuple[object, ...]]
    ) -> dict[str, object] | None:
        row = finding(
            rule, key, found, zone=self.zone, notify_from=self.notify_from, staged_sources=self.staged_sources
        )
        digest = blake2b(repr(sorted(row.items())).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        id_ = str(row["id"])
        revision, before, _ = self._revisions.get(id_, (0, "", 0.0))
        if digest == before:
            return None
        until = datetime.fromtimestamp(found.bucket + DAY, UTC_ZONE) + timedelta(seconds=rule.timespan_seconds)
        self._revisions[id_] = revision + 1, digest, until.timestamp()
        revisions.append((id_, until, revision + 1, digest))
        return row | {"revision": revision + 1}

    def _sweep(self, acts: pl.DataFrame, now: datetime) -> None:
        """Forget what no event within the lateness bound can change any more."""
        newest = acts.filter(pl.col("clock_trusted").fill_null(value=True))["_micros"].max()
        if self.lateness is None or not isinstance(newest, int):
            return
        self._newest = max(self._newest or 0.0, min(newest / 1e6, now.timestamp() + 60))
        if self._swept is not None and self._newest - self._swept < 600:
            return
        self._swept = self._newest
        for window in self._windows:
            window.expire(self.expires_before(window.rule))
        old = self._newest - self.lateness.total_seconds() - DAY
        self._revisions = {id_: value for id_, value in self._revisions.items() if value[2] >= old}

    def expires_before(self, rule: Rule) -> int:
        """Panes of `rule` that ended before this second are forgotten."""
        assert self.lateness is not None
        # The bucket of a pane may begin up to a day before it, and its windows a time span before that.
        return int((self._newest or 0) - self.lateness.total_seconds() - rule.timespan_seconds - DAY)


def _acts(enriched: pl.DataFrame) -> pl.DataFrame:
    """Working columns: time as number, order as text, the person or account, what is concerned."""
    micros = pl.col("occurred_at").dt.epoch("us")
    told = pl.col("rows").is_not_null()
    return enriched.filter(pl.col("occurred_at").is_not_null() & (micros >= 0)).with_columns(
        micros.alias("_micros"),
        (micros.cast(pl.String).str.zfill(17) + " " + pl.col("event_id")).alias("_stamp"),
        pl.coalesce("person", "account").alias("who"),
        told.alias("_told"),
        pl.coalesce(pl.concat_list(pl.col("reads").fill_null([]), pl.col("writes").fill_null([]))).alias("_objects"),
    )


def _database() -> pl.Expr:
    return (pl.col("action") == "query") | (pl.col("dialect").is_not_null() & ~pl.col("action").is_in(_TRANSFERS))


def _transfer() -> pl.Expr:
    return pl.col("action").is_in(_TRANSFERS)


def pane_start(grid: Grid, rule: Rule, zone: str) -> pl.Expr:
    """First second of the pane of each event."""
    second = pl.col("_micros") // 1_000_000
    if grid.pane_seconds:
        return second - second % grid.pane_seconds
    if rule.timespan_seconds < DAY:
        return second - second % rule.timespan_seconds
    return pl.col("occurred_at").dt.convert_time_zone(zone).dt.truncate("1d").dt.epoch("s")


def _summaries(lines: Sequence[Line]) -> list[pl.Expr]:
    """What a pane holds, in the order of STATE_TABLES. The frame is sorted by time, then id."""
    kind = pl.col("rows_kind")
    ticketed = pl.col("ticket").is_not_null() & pl.col("in_scope").fill_null(value=True)
    unresolved = ((pl.col("actor_kind") == "vendor") & pl.col("ticket").is_null()) | (pl.col("actor_kind") == "unknown")
    special = pl.any_horizontal(pl.col("output_classes").list.contains(name) for name in SPECIAL_CLASSES)
    amounts = [
        (pl.col(line.field).cast(pl.Int64).sum() if line.measure == "sum" and line.field else pl.lit(0, pl.Int64))
        for line in lines
    ]
    objects = pl.when(pl.col("_objects").list.len() > 0).then("_objects").otherwise(
        pl.concat_list(pl.coalesce("object_name", "file_shape"))
    )  # fmt: skip
    return [
        pl.len().cast(pl.Int64).alias("events"),
        pl.col("rows").sum().cast(pl.Int64).alias("rows"),
        pl.col("_told").sum().cast(pl.Int64).alias("rows_told"),
        (kind == "estimated").sum().cast(pl.Int64).alias("rows_estimated"),
        (kind == "unknown").sum().cast(pl.Int64).alias("rows_unknown"),
        pl.col("bytes").sum().alias("bytes"),
        pl.col("bytes").count().cast(pl.Int64).alias("bytes_told"),
        pl.col("approved").fill_null(value=False).sum().cast(pl.Int64).alias("approved"),
        ticketed.sum().cast(pl.Int64).alias("ticketed"),
        unresolved.fill_null(value=False).sum().cast(pl.Int64).alias("unresolved"),
        special.fill_null(value=False).sum().cast(pl.Int64).alias("special"),
        pl.col("_micros").min().alias("first_at"),
        pl.col("_micros").max().alias("last_at"),
        pl.col("_stamp").head(EVIDENCE).alias("evidence"),
        pl.concat_list(pl.col(name).first() for name in WHO).first().alias("first"),
        _names(pl.col("output_classes")).alias("classes"),
        _names(objects).alias("objects"),
        (pl.concat_list(amounts).first() if amounts else pl.lit([], pl.List(pl.Int64)).first()).alias("amounts"),
    ]


def _names(column: pl.Expr) -> pl.Expr:
    return column.explode().drop_nulls().unique().sort().head(EVIDENCE)


def _members(placed: pl.DataFrame, subject: list[str], line: Line) -> pl.DataFrame:
    """Hashed members of a line, by key and pane. Hashes are stable for one version of Polars, which outlives a window."""
    assert line.field is not None
    value = placed.select(*subject, "_pane", pl.col(line.field).alias("_value")).drop_nulls("_value")
    if value.schema["_value"].base_type() is pl.List:
        value = value.explode("_value").drop_nulls("_value")
    even = pl.lit(2**64 - 2, pl.UInt64)
    hashed = value.select(*subject, "_pane", _hash=pl.col("_value").hash(seed=0))
    if line.measure == "adjacent":
        before = (pl.col("_value") - 1).hash(seed=0)
        hashed = pl.concat(
            [
                value.select(*subject, "_pane", _hash=pl.col("_value").hash(seed=0) & even),
                value.select(*subject, "_pane", _hash=(before & even) | pl.lit(1, pl.UInt64)),
            ]
        )
    return hashed.group_by(*subject, "_pane").agg(pl.col("_hash").unique().sort().head(MEMBER_CAP).alias("members"))


def _delta(rows: pl.DataFrame, table: str, window: Windows, step: int, subject: list[str]) -> pl.DataFrame:
    """Groups of a batch as rows of a state table."""
    rule = window.rule
    width = window.grid.pane_seconds or min(rule.timespan_seconds, DAY)
    keys = rows.select(subject)
    texts = {key: _text(key) for key in keys.unique().iter_rows()}
    ends = (pl.col("_pane") + width + rule.timespan_seconds + DAY).clip(upper_bound=_LAST_SECOND)
    return rows.with_columns(
        pl.lit(window.key).alias("rule"),
        pl.lit(step).alias("step"),
        pl.Series("key", [texts[key] for key in keys.iter_rows()], pl.String),
        pl.col("_pane").alias("pane"),
        (ends * 1_000_000).cast(UTC).alias("until"),
    ).select(pl.col(name).cast(dtype) for name, dtype in STATE_TABLES[table].items())


def _pane(values: Sequence[object]) -> Pane:
    named = dict(zip(_PANE_COLUMNS, values, strict=True))
    first = named.pop("first")
    lists = {name: list(named[name] or ()) for name in ("evidence", "classes", "objects", "amounts")}  # type: ignore[call-overload]
    return Pane(**{**named, **lists, "first": tuple(first or ())})  # type: ignore[arg-type]


def _text(key: Key) -> str:
    return json.dumps(key, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=4096)
def _key(text: str) -> Key:
    return tuple(json.loads(text))


def _sane(window: Windows, start: int, last_at: float) -> bool:
    return last_at <= start + (window.grid.pane_seconds or 2 * DAY) + 2 * DAY


def _day_start(zone: str) -> Callable[[int], int]:
    local = ZoneInfo(zone)

    @lru_cache(maxsize=4096)
    def day_start(second: int) -> int:
        moment = datetime.fromtimestamp(second, UTC_ZONE).astimezone(local)
        return int(moment.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())

    return day_start


def compact(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The same state in fewer rows: what the store may write instead when it has read all of a table."""
    groups = ["rule", "step", "key", "pane", "until"]
    merged: dict[tuple[object, ...], Pane] = {}
    panes = tables["window_panes"]
    for *group, in_row in panes.select(*groups, pl.struct(_PANE_COLUMNS)).iter_rows():
        merged.setdefault(tuple(group), Pane()).add(_pane([in_row[name] for name in _PANE_COLUMNS]))
    rows = [(*group, *(getattr(pane, name) for name in _PANE_COLUMNS)) for group, pane in merged.items()]
    return {
        "window_panes": pl.DataFrame(rows, schema=STATE_TABLES["window_panes"], orient="row"),
        "window_members": tables["window_members"]
        .explode("members")
        .group_by(*groups, "line")
        .agg(pl.col("members").unique().sort())
        .select(*STATE_TABLES["window_members"]),
        "finding_revisions": tables["finding_revisions"].sort("revision").unique("id", keep="last"),
    }

"""What is to be told to whom and when: the findings of a batch become rows of the outbox, in the batch's transaction.

Pure. The first message of a story goes at once. What follows waits for the group interval, all in one message, unless it
is worse than anything told so far, closes a chain (XFR-02) or is of a family that must not wait (AUD, SRC). Above the
budget of an hour one summary waits for the hour to pass; the budget always keeps room for every severity that the story
has not reached yet, so that "critical" is never late. Every message names the whole story so far, so a newer message
makes a waiting older one superfluous: that one is marked superseded.

The key of a row is (finding id, revision, channel). A message is keyed by a finding of the batch that made it, hence no
key is ever used for two different messages, and a receiver may drop what it has seen.

`Stories` is what planning must remember. It is derived from the outbox rows alone: `restore` gives what `plan` had.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import polars as pl

from monitor.alerts.message import RANK, Entry, Finding, Names, compose, entry
from monitor.alerts.quiet import Hush
from monitor.alerts.texts import Language, Texts

OUTBOX: dict[str, pl.DataType] = {
    "finding_id": pl.String(),
    "revision": pl.UInt32(),
    "channel": pl.String(),
    "story": pl.String(),
    "created_at": pl.Datetime("us", "UTC"),
    "next_try_at": pl.Datetime("us", "UTC"),
    "attempts": pl.UInt32(),
    "state": pl.String(),  # waiting, sent, superseded, failed (given up)
    "payload": pl.String(),  # JSON: message.compose
}
KEYS = {"finding_id": pl.String(), "revision": pl.UInt32(), "channel": pl.String()}

HOUR = timedelta(hours=1)
CHAINS = frozenset({"XFR-02"})
AT_ONCE = frozenset({"AUD", "SRC"})
SITE_BUDGET_PER_HOUR = 600  # first messages of all stories together; above it all but critical ones share one story
OVERFLOW = "overflow"
GROWN = 2  # times the events or rows that were told: told anew
MAX_STORIES = 10_000
MAX_ENTRIES = 100  # findings that a story remembers, the worst and newest
WORST = max(RANK.values())


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """`channels`: names of the configured channels. `forget_hours`: a story quiet for so long begins anew."""

    channels: tuple[str, ...]
    language: Language = "zh"
    zone: tzinfo = UTC
    group_interval_seconds: int = 300
    budget_per_hour: int = 12
    forget_hours: int = 4
    texts: Texts = field(default_factory=dict)
    names: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """The message of a story that waits for its time; `revision` and `finding_id` are its key."""

    finding_id: str
    revision: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    entries: tuple[Entry, ...] = ()
    total: int = 0
    worst: int = -1  # highest severity told so far, by rank
    due: tuple[datetime, ...] = ()  # when its messages of the last hour were or are due
    last_at: datetime | None = None  # when the latest message was or is due
    held: Held | None = None


Stories = Mapping[str, Story]


@dataclass(frozen=True, slots=True)
class Plan:
    """`rows` (OUTBOX) to insert, `superseded` (KEYS) to mark where they still wait, `stories` once that is committed.

    `hush`: what is kept quiet, where anything may be (see `quiet.py`).
    """

    rows: pl.DataFrame
    superseded: pl.DataFrame
    stories: Stories
    hush: Hush | None = None


def plan(findings: pl.DataFrame, stories: Stories, now: datetime, settings: OutboxSettings) -> Plan:
    """Messages for the findings of one batch (FINDINGS: new ones or new revisions; others must not be handed in again).

    Execute rows and superseded in the batch's transaction; take `stories` only when that was committed.
    """
    changed = dict(stories)
    rows: list[dict[str, Any]] = []
    superseded: list[dict[str, Any]] = []
    if settings.channels:
        for story_id, group in _grouped(findings, changed, now, settings).items():
            message, story, dropped = _plan_story(story_id, group, changed.pop(story_id, None), now, settings)
            changed[story_id] = story  # at the end: the order of the mapping is the order of change
            rows += _rows(message, story_id, now, settings)
            superseded += _keys(dropped, settings) if dropped else []
    return Plan(pl.DataFrame(rows, schema=OUTBOX), pl.DataFrame(superseded, schema=KEYS), _bounded(changed))


def _grouped(
    findings: pl.DataFrame, stories: Stories, now: datetime, settings: OutboxSettings
) -> dict[str, list[Finding]]:
    """Findings to notify by story; those of new stories beyond the site's budget share one, unless they are critical.

    Noise is cheap to make, so a flood of it must not be able to hide what matters.
    """
    groups: defaultdict[str, list[Finding]] = defaultdict(list)
    room: int | None = None
    for finding in findings.filter("notify").iter_rows(named=True):
        story_id = finding["story"] or finding["id"]
        story = stories.get(story_id)
        known = _known(story, now, settings)
        if known and story is not None and any(_only_grew(finding, told) for told in story.entries):
            continue
        if story_id not in groups and not known:
            room = _room(stories, now) if room is None else room
            room -= 1
            if room < 0 and RANK[finding["severity"]] < WORST:
                story_id = OVERFLOW
        groups[story_id].append(finding)
    return dict(groups)


def _only_grew(finding: Finding, told: Entry) -> bool:
    """The finding was told and has some more events, by far not as many again: a shift's work, told all day, would hide the rest."""
    if told["id"] != finding["id"] or RANK[finding["severity"]] > RANK[told["severity"]]:
        return False
    before = told.get("events")
    if before is None or not before < finding["events"] < GROWN * before:
        return False
    rows = finding["rows"] or 0
    return rows == 0 or rows < GROWN * (told.get("rows") or 0)


def _known(story: Story | None, now: datetime, settings: OutboxSettings) -> bool:
    """Whether this is news of a story still remembered (and not of one that lies in the future of a clock set back)."""
    if story is None or story.last_at is None:
        return False
    forget = timedelta(hours=settings.forget_hours)
    return -HOUR - timedelta(seconds=settings.group_interval_seconds) <= now - story.last_at <= forget


def _room(stories: Stories, now: datetime) -> int:
    told = sum(1 for story in stories.values() for due in story.due if now - HOUR < due <= now)
    return SITE_BUDGET_PER_HOUR - told


def _plan_story(
    story_id: str, group: Sequence[Finding], known: Story | None, now: datetime, settings: OutboxSettings
) -> tuple[dict[str, Any], Story, Held | None]:
    before = known if known is not None and _known(known, now, settings) else Story()
    held = before.held if before.held is not None and before.held.due_at > now else None
    # what is due goes out whatever happens now; what is held may still be superseded
    past = tuple(due for due in before.due if now - HOUR < due and not (held and due == held.due_at))
    headline = max(group, key=_weight)
    due_at, kind = _due(before, past, held, group, now, settings)
    entries, total = _remember(before, [entry(item, settings.language, settings.zone) for item in group])
    message = compose(
        headline,
        story_id,
        entries,
        total,
        language=settings.language,
        zone=settings.zone,
        texts=settings.texts,
        names=settings.names,
        send_after=due_at,
        kind="summary" if story_id == OVERFLOW else kind,
    )
    after = Story(
        entries,
        total,
        max(before.worst, *(RANK[item["severity"]] for item in group)),
        (*past, due_at),
        due_at,
        Held(headline["id"], int(headline["revision"]), due_at) if due_at > now else None,
    )
    return message, after, held


def _weight(finding: Finding) -> tuple[int, int, bool, str]:
    """The headline of a message is its most severe finding; of equals the chain, which tells more."""
    return RANK[finding["severity"]], int(finding["risk"] or 0), finding["rule"] in CHAINS, finding["id"]


def _due(
    before: Story,
    past: Sequence[datetime],
    held: Held | None,
    group: Iterable[Finding],
    now: datetime,
    settings: OutboxSettings,
) -> tuple[datetime, str]:
    """When the message goes, and what kind it is."""
    if before.last_at is None:
        return now, "alert"
    worst = max(RANK[item["severity"]] for item in group)
    if worst > before.worst:
        return now, "alert"
    told = {item["id"] for item in before.entries}
    urgent = any(_goes_at_once(item) and item["id"] not in told for item in group)
    wait = timedelta(seconds=settings.group_interval_seconds)
    latest = max((due for due in past if due <= now), default=None)
    due_at = now if urgent or latest is None else max(now, latest + wait)
    if held is not None and not urgent:
        due_at = held.due_at
    allowed = max(1, settings.budget_per_hour - (WORST - before.worst))
    if len(past) >= allowed:
        return max(due_at, sorted(past)[-allowed] + HOUR), "summary"
    return due_at, "update"


def _goes_at_once(finding: Finding) -> bool:
    return finding["rule"] in CHAINS or finding["family"] in AT_ONCE


def _remember(before: Story, news: Sequence[Entry]) -> tuple[tuple[Entry, ...], int]:
    """The findings of the story, latest revisions, at most MAX_ENTRIES; and how many there were in all."""
    by_id = {item["id"]: item for item in before.entries}
    total = before.total + sum(1 for item in {item["id"]: item for item in news}.values() if item["id"] not in by_id)
    for item in news:
        older = by_id.pop(item["id"], None)
        by_id[item["id"]] = item if older is None or item["revision"] >= older["revision"] else older
    entries = list(by_id.values())
    if len(entries) > MAX_ENTRIES:
        order = {item["id"]: place for place, item in enumerate(entries)}
        kept = sorted(entries, key=lambda item: (RANK[item["severity"]], order[item["id"]]))[-MAX_ENTRIES:]
        entries = sorted(kept, key=lambda item: order[item["id"]])
    return tuple(entries), total


def _rows(
    message: Mapping[str, Any], story_id: str, now: datetime, settings: OutboxSettings
) -> Iterable[dict[str, Any]]:
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    due_at = datetime.fromisoformat(message["send_after"]).astimezone(UTC)
    for channel in settings.channels:
        yield {
            "finding_id": message["id"],
            "revision": message["revision"],
            "channel": channel,
            "story": story_id,
            "created_at": now,
            "next_try_at": due_at,
            "attempts": 0,
            "state": "waiting",
            "payload": payload,
        }


def _keys(held: Held, settings: OutboxSettings) -> list[dict[str, Any]]:
    return [
        {"finding_id": held.finding_id, "revision": held.revision, "channel": channel} for channel in settings.channels
    ]


def notice(identifier: str, payload: Mapping[str, Any], now: datetime, settings: OutboxSettings) -> pl.DataFrame:
    """Rows of a message that stands for no finding and goes at once. It is a story of its own."""
    told = {**payload, "send_after": now.astimezone(settings.zone).isoformat(timespec="microseconds")}
    told["story"] = {**payload["story"], "id": identifier}
    rows = [
        {
            "finding_id": identifier, "revision": 1, "channel": channel, "story": identifier, "created_at": now, "next_try_at": now,
            "attempts": 0, "state": "waiting", "payload": json.dumps(told, ensure_ascii=False),
        }
        for channel in settings.channels
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=OUTBOX)


def _bounded(stories: dict[str, Story]) -> Stories:
    """Forget the stories longest unchanged. What is forgotten begins anew, at once: too many messages, never too few."""
    for story_id in list(stories)[: max(0, len(stories) - MAX_STORIES)]:
        del stories[story_id]
    return stories


def restore(rows: pl.DataFrame, now: datetime, settings: OutboxSettings) -> Stories:
    """The stories as after the last committed plan, from the outbox rows of the last `forget_hours` and one hour.

    `rows`: OUTBOX, any channels and states, in the order they were written where `created_at` is equal.
    """
    told = (
        rows.with_columns(
            (pl.col("state") == "superseded").alias("_superseded"), pl.int_range(pl.len()).alias("_place")
        )
        .sort("created_at", "_superseded", "_place")
        .unique(["finding_id", "revision"], keep="first", maintain_order=True)
        .sort("created_at", "_place")
    )
    stories: dict[str, Story] = {}
    for row in told.iter_rows(named=True):
        before = stories.pop(row["story"], Story())
        stories[row["story"]] = _told(before if _known(before, row["created_at"], settings) else Story(), row)
    return _bounded({story_id: _current(story, now) for story_id, story in stories.items()})


def _told(before: Story, row: Mapping[str, Any]) -> Story:
    payload = json.loads(row["payload"])
    story = payload["story"]
    due_at = datetime.fromisoformat(payload["send_after"]).astimezone(UTC)
    told = replace(
        before,
        entries=tuple(story["findings"]),
        total=story["total"],
        worst=max(before.worst, RANK[story["severity"]]),
        last_at=due_at,
    )
    if row["state"] == "superseded":
        return told
    return replace(told, due=(*before.due, due_at), held=Held(row["finding_id"], row["revision"], due_at))


def _current(story: Story, now: datetime) -> Story:
    due = tuple(at for at in story.due if now - HOUR < at)
    held = story.held if story.held is not None and story.held.due_at > now else None
    return replace(story, due=due, held=held)

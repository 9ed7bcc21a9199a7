from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.findings import FINDINGS, severity
from monitor.alerts import outbox
from monitor.alerts.outbox import OUTBOX, OutboxSettings, Stories, plan, restore

START = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SETTINGS = OutboxSettings(("webhook",), zone=ZoneInfo("Asia/Shanghai"))
RISK = {"low": 4, "medium": 8, "high": 15, "critical": 20}


def finding(number: int = 1, revision: int = 1, level: str = "high", story: str = "s1", **more: Any) -> dict[str, Any]:
    risk = RISK[level]
    row: dict[str, Any] = {
        "id": f"{number:024x}", "revision": revision, "rule": "EXF-06", "family": "EXF", "title_zh": "整库导出", "title_en": "Whole database dumped",
        "severity": severity(risk), "likelihood": risk // 4, "impact": 4, "risk": risk, "site": "demo", "system": "his", "account": "vendor_wx_zhang",
        "person": "zhang", "vendor": "wx", "client_ip": "192.168.66.13", "source": "pg", "first_seen": START, "last_seen": START, "events": 12, "rows": 120000,
        "rows_kind": "known", "bytes": None, "classes": ["identity"], "objects": ["patients"], "why_zh": "理由", "why_en": "why", "evidence": ["e1"],
        "staged": False, "notify": True, "bucket": START, "story": story,
    }  # fmt: skip
    return row | more


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=FINDINGS)


class Site:
    """The outbox of a site through several batches, as the store would keep it."""

    def __init__(self, settings: OutboxSettings = SETTINGS, *, restarts: bool = False) -> None:
        self.settings = settings
        self.restarts = restarts
        self.stories: Stories = {}
        self.rows = pl.DataFrame(schema=OUTBOX)

    def batch(self, seconds: float, *rows: dict[str, Any]) -> list[dict[str, Any]]:
        now = START + timedelta(seconds=seconds)
        if self.restarts:
            self.stories = restore(self.rows, now, self.settings)
        made = plan(frame(*rows), self.stories, now, self.settings)
        self.stories = made.stories
        dropped = made.superseded.with_columns(pl.lit(True).alias("dropped"))
        kept = self.rows.join(dropped, on=["finding_id", "revision", "channel"], how="left", maintain_order="left")
        state = (
            pl.when(pl.col("dropped") & (pl.col("state") == "waiting")).then(pl.lit("superseded")).otherwise("state")
        )
        self.rows = pl.concat([kept.with_columns(state.alias("state")).drop("dropped"), made.rows])
        return [self.message(row) for row in made.rows.iter_rows(named=True)]

    @staticmethod
    def message(row: dict[str, Any]) -> dict[str, Any]:
        payload = json.loads(row["payload"])
        return {**payload, "delay": (row["next_try_at"] - row["created_at"]).total_seconds(), "channel": row["channel"]}

    def delivered(self) -> list[dict[str, Any]]:
        """What goes out, when each row is sent the moment it is due."""
        return [
            self.message(row)
            for row in self.rows.filter(pl.col("state") == "waiting").sort("next_try_at").iter_rows(named=True)
        ]


@pytest.fixture
def site() -> Site:
    return Site()


def test_the_first_message_of_a_story_goes_at_once(site: Site) -> None:
    (message,) = site.batch(0, finding())
    assert message["delay"] == 0
    assert message["kind"] == "alert"
    assert (message["id"], message["revision"], message["story"]["id"]) == (f"{1:024x}", 1, "s1")


def test_every_channel_gets_a_row_of_its_own() -> None:
    site = Site(OutboxSettings(("webhook", "mail")))
    assert [message["channel"] for message in site.batch(0, finding())] == ["webhook", "mail"]


def test_without_channels_nothing_is_planned() -> None:
    assert Site(OutboxSettings(())).batch(0, finding()) == []


def test_a_finding_that_is_not_to_be_notified_makes_no_message(site: Site) -> None:
    assert site.batch(0, finding(notify=False), finding(2, staged=True, notify=False)) == []


def test_findings_of_one_story_in_one_batch_are_one_message_headed_by_the_worst(site: Site) -> None:
    (message,) = site.batch(0, finding(1, level="medium"), finding(2, level="critical"), finding(3, level="high"))
    assert message["id"] == f"{2:024x}"
    assert message["severity"] == "critical"
    assert {item["id"] for item in message["story"]["findings"]} == {f"{n:024x}" for n in (1, 2, 3)}


def test_two_stories_in_one_batch_are_two_messages(site: Site) -> None:
    assert [message["delay"] for message in site.batch(0, finding(1), finding(2, story="s2"))] == [0, 0]


def test_a_finding_without_a_story_is_its_own(site: Site) -> None:
    (message,) = site.batch(0, finding(7, story=None))
    assert message["story"]["id"] == f"{7:024x}"


def test_later_findings_wait_for_the_group_interval(site: Site) -> None:
    site.batch(0, finding(1))
    (message,) = site.batch(10, finding(2))
    assert message["delay"] == 290
    assert message["kind"] == "update"


def test_what_waits_is_carried_by_the_newest_message_and_superseded(site: Site) -> None:
    site.batch(0, finding(1))
    site.batch(10, finding(2))
    site.batch(20, finding(2, revision=2), finding(3))
    site.batch(40, finding(1, revision=2))
    first, update = site.delivered()
    assert first["id"] == f"{1:024x}"
    assert update["send_after"] == "2026-11-24T02:05:00.000000+08:00"
    assert {(item["id"][-1], item["revision"]) for item in update["story"]["findings"]} == {
        ("1", 2),
        ("2", 2),
        ("3", 1),
    }
    assert site.rows["state"].to_list() == ["waiting", "superseded", "superseded", "waiting"]


def test_a_finding_that_grows_is_told_again_when_it_has_doubled(site: Site) -> None:
    site.batch(0, finding(1, events=12, rows=100))
    assert site.batch(400, finding(1, revision=2, events=20, rows=180)) == []
    (events,) = site.batch(800, finding(1, revision=3, events=24, rows=190))
    assert (events["kind"], events["events"]) == ("update", 24)
    (rows,) = site.batch(1200, finding(1, revision=4, events=25, rows=380))
    assert rows["revision"] == 4
    (worse,) = site.batch(1600, finding(1, revision=5, level="critical", events=26, rows=390))
    assert worse["kind"] == "alert"


def test_a_finding_that_shrinks_or_begins_to_tell_rows_is_told(site: Site) -> None:
    site.batch(0, finding(1, events=12, rows=None))
    (rows,) = site.batch(400, finding(1, revision=2, events=13, rows=5))
    (fewer,) = site.batch(800, finding(1, revision=3, events=4, rows=5))
    assert (rows["revision"], fewer["revision"]) == (2, 3)


def test_what_only_grew_is_told_where_its_story_was_forgotten(site: Site) -> None:
    site.batch(0, finding(1, events=12))
    (message,) = site.batch(5 * 3600, finding(1, revision=2, events=13))
    assert message["kind"] == "alert"


def test_a_story_quiet_for_longer_than_the_interval_is_told_at_once(site: Site) -> None:
    site.batch(0, finding(1))
    (message,) = site.batch(301, finding(1, revision=2))
    assert message["delay"] == 0


def test_what_is_worse_than_told_so_far_goes_at_once_and_takes_along_what_waits(site: Site) -> None:
    site.batch(0, finding(1, level="medium"))
    site.batch(10, finding(2, level="medium"))
    (message,) = site.batch(20, finding(3, level="critical"))
    assert message["delay"] == 0
    assert message["story"]["total"] == 3
    assert site.rows["state"].to_list() == ["waiting", "superseded", "waiting"]
    (after,) = site.batch(30, finding(4, level="critical"))
    assert after["delay"] == 290


def test_a_finding_that_becomes_worse_itself_goes_at_once(site: Site) -> None:
    site.batch(0, finding(1, level="high"))
    (message,) = site.batch(5, finding(1, revision=2, level="critical"))
    assert (message["delay"], message["revision"], message["severity"]) == (0, 2, "critical")


@pytest.mark.parametrize(("rule", "family"), [("XFR-02", "XFR"), ("AUD-01", "AUD"), ("SRC-01", "SRC")])
def test_chains_audit_and_silence_do_not_wait_but_are_not_repeated_at_once(site: Site, rule: str, family: str) -> None:
    site.batch(0, finding(1, level="critical"))
    (message,) = site.batch(5, finding(2, rule=rule, family=family))
    assert message["delay"] == 0
    (message,) = site.batch(10, finding(2, revision=2, rule=rule, family=family))
    assert message["delay"] == 295


def test_a_storm_in_one_story_keeps_to_the_budget_and_counts_exactly(site: Site) -> None:
    for number in range(1, 601):
        site.batch(number, finding(number, level="medium", rule="AUD-01", family="AUD"))
    delivered = site.delivered()
    assert len(delivered) <= 12
    last = delivered[-1]
    assert last["kind"] == "summary"
    assert last["story"]["total"] == 600
    assert len(last["story"]["findings"]) == outbox.MAX_ENTRIES


def test_the_budget_keeps_room_for_every_worse_severity(site: Site) -> None:
    for number in range(1, 300):
        site.batch(number, finding(number, level="medium", rule="AUD-01", family="AUD"))
    (high,) = site.batch(301, finding(5000, level="high"))
    (critical,) = site.batch(302, finding(5001, level="critical"))
    assert (high["delay"], critical["delay"]) == (0, 0)
    assert len(site.delivered()) <= 12


def test_a_storm_of_stories_shares_one_story_and_loses_none(site: Site) -> None:
    storm = [finding(number, story=f"s{number}") for number in range(1, 2001)]
    site.batch(0, *storm)
    delivered = site.delivered()
    assert len(delivered) == outbox.SITE_BUDGET_PER_HOUR + 1
    shared = next(message for message in delivered if message["story"]["id"] == outbox.OVERFLOW)
    assert shared["kind"] == "summary"
    assert shared["story"]["total"] == 2000 - outbox.SITE_BUDGET_PER_HOUR


@settings(deadline=None, max_examples=50)
@given(
    news=st.lists(
        st.tuples(st.sampled_from(["medium", "high", "critical"]), st.integers(1, 8)), min_size=1, max_size=40
    ),
    cuts=st.sets(st.integers(1, 39), max_size=5),
    restarts=st.booleans(),
)
def test_no_critical_finding_is_swallowed_by_a_storm(
    news: list[tuple[str, int]], cuts: set[int], restarts: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "SITE_BUDGET_PER_HOUR", 2)
        site = Site(restarts=restarts)
        rows = [finding(n, level=level, story=f"s{story}") for n, (level, story) in enumerate(news, 1)]
        bounds = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
        told: set[str] = set()
        for second, (start, end) in enumerate(itertools.pairwise(bounds)):
            batch = rows[start:end]
            messages = site.batch(second, *batch)
            for row in (row for row in batch if row["severity"] == "critical"):
                own = [message for message in messages if message["story"]["id"] == row["story"]]
                assert any(item["id"] == row["id"] for message in own for item in message["story"]["findings"])
                # the first critical of a story goes at once, whatever was told before
                assert row["story"] in told or own[0]["delay"] == 0
            told |= {row["story"] for row in batch if row["severity"] == "critical"}


def test_a_finding_that_was_only_part_of_the_storm_gets_its_own_story_when_critical(site: Site) -> None:
    site.batch(0, *(finding(number, level="medium", story=f"s{number}") for number in range(1, 700)))
    assert "s699" not in site.stories
    (message,) = site.batch(1, finding(699, revision=2, level="critical", story="s699"))
    assert (message["story"]["id"], message["kind"], message["delay"]) == ("s699", "alert", 0)


def test_two_hundred_stories_in_an_hour_are_all_told_at_once(site: Site) -> None:
    delays = [
        message["delay"]
        for number in range(1, 201)
        for message in site.batch(number, finding(number, story=f"s{number}"))
    ]
    assert delays == [0.0] * 200


def test_a_story_forgotten_begins_anew(site: Site) -> None:
    site.batch(0, finding(1, level="critical"))
    (message,) = site.batch(4 * 3600 + 1, finding(2, level="medium"))
    assert (message["delay"], message["kind"], message["story"]["total"]) == (0, "alert", 1)


def test_a_clock_set_back_by_a_year_delays_nothing(site: Site) -> None:
    site.batch(0, finding(1))
    site.batch(10, finding(2))
    (message,) = site.batch(-365 * 86_400, finding(3))
    assert message["delay"] == 0


def test_the_number_of_stories_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_STORIES", 5)
    for number in range(20):
        site.batch(number, finding(number, story=f"s{number}"))
    assert list(site.stories) == [f"s{number}" for number in range(15, 20)]


STEPS = st.lists(
    st.tuples(
        st.floats(0.5, 900),
        st.lists(
            st.tuples(
                st.integers(1, 6),
                st.sampled_from(["medium", "high", "critical"]),
                st.sampled_from(["s1", "s2"]),
                st.sampled_from(["EXF-06", "AUD-01", "XFR-02"]),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    max_size=25,
)


def play(steps: Any, *, restarts: bool) -> Site:
    site = Site(restarts=restarts)
    at = 0.0
    revisions: dict[int, int] = {}
    for pause, news in steps:
        at += pause
        rows = []
        for number, level, story, rule in {item[0]: item for item in news}.values():
            revisions[number] = revisions.get(number, 0) + 1
            rows.append(finding(number, revisions[number], level, story, rule=rule, family=rule[:3]))
        site.batch(at, *rows)
    return site


@settings(deadline=None)
@given(steps=STEPS)
def test_a_restart_between_any_batches_changes_no_message(steps: Any) -> None:
    live, restarted = play(steps, restarts=False), play(steps, restarts=True)
    assert restarted.rows.equals(live.rows)


@settings(deadline=None)
@given(steps=STEPS)
def test_every_finding_is_told_in_time_and_never_too_often(steps: Any) -> None:
    site = play(steps, restarts=False)
    delivered = site.delivered()
    times = [datetime.fromisoformat(message["send_after"]) for message in delivered]
    for row in site.rows.iter_rows(named=True):
        told = json.loads(row["payload"])
        # whatever a superseded message would have said is said by one that goes out within the hour
        sooner = [
            message for message, at in zip(delivered, times, strict=True)
            if message["story"]["id"] == row["story"] and row["created_at"] <= at <= row["created_at"] + timedelta(hours=1)
            and any(item["id"] == told["id"] and item["revision"] >= told["revision"] for item in message["story"]["findings"])
        ]  # fmt: skip
        assert sooner, "a finding was not told"
    for story in ("s1", "s2"):
        due = [at for message, at in zip(delivered, times, strict=True) if message["story"]["id"] == story]
        for at in due:
            assert sum(1 for other in due if at - timedelta(hours=1) < other <= at) <= 12
    keys = [message["message_id"] for message in delivered]
    assert len(keys) == len(set(keys))

"""What the latency benchmark writes is a real log of now, what it plants is registered, and what it judges is fair."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from latency import Inbox, configure, judge, quantile
from live_log import LiveLog, Written, plants

from config.loader import load_site
from parsers.events import Origin
from parsers.registry import parsers


def test_acts_have_an_account_and_a_time_each() -> None:
    made = plants(240, 60.0, random.Random(1))
    assert len({plant.account for plant in made}) == 240
    assert [plant.due for plant in made] == sorted(plant.due for plant in made)
    assert all(0 <= plant.due <= 60 for plant in made)
    assert len({plant.statement.text for plant in made}) > 100, "half of them have a shape of their own"


def test_the_site_is_valid_and_knows_every_account(tmp_path: Path) -> None:
    made = plants(20, 10.0, random.Random(1))
    config, port = configure(tmp_path, "http://127.0.0.1:1/alerts", made)
    site = load_site(config)
    assert site.settings.web.port == port
    known = {account.account for person in site.register.people.values() for account in person.accounts}
    assert {plant.account for plant in made} <= known


def test_what_is_written_is_a_whole_log_of_now(tmp_path: Path) -> None:
    path = tmp_path / "postgresql.csv"
    made = plants(5, 0.2, random.Random(1))
    log = LiveLog(path, 7)
    began = datetime.now(UTC)
    done = log.run(500, 0.2, made)
    log.close()
    ended = datetime.now(UTC)

    data = path.read_bytes()
    parser = parsers()["postgresql_csvlog"]
    assert parser.framing(data, final=False) == len(data)
    origin = Origin("bench", "his-pg", "his_pg", path.name, parser.name, "0" * 16, 0, began, began)
    parsed = parser.parse(data, origin, ZoneInfo("Asia/Shanghai"), {})
    assert parsed.rejects.is_empty()
    assert done.statements == 100
    audits = parsed.events.filter((pl.col("action") == "query") & pl.col("statement").is_not_null())
    assert audits.height == 105
    for plant in made:
        mine = audits.filter(pl.col("account") == plant.account)
        assert mine["statement"].to_list() == [plant.statement.text]
        assert mine["rows"].to_list() == [plant.statement.rows]
    stamps = parsed.events["occurred_at"]
    millisecond = timedelta(milliseconds=1)  # csvlog has no more
    assert began - millisecond <= stamps.min() <= stamps.max() <= ended  # type: ignore[operator]
    assert set(done.at) == {plant.account for plant in made}


def message(account: str, rule: str) -> dict[str, object]:
    return {"account": account, "story": {"findings": [{"rule": rule}]}}


def test_an_act_counts_by_its_first_message_and_a_right_finding() -> None:
    made = plants(3, 1.0, random.Random(1))  # all three: family EXF
    done = Written({plant.account: 100.0 for plant in made}, seconds=1.0)
    box = Inbox()
    box.take(message(made[0].account, "EXF-01"), 100.5)
    box.take(message(made[0].account, "EXF-01"), 109.0)
    box.take(message(made[1].account, "TIM-01"), 100.1)
    result = judge(made, done, box, 1000, 1000, 1000)
    assert result.latencies == [0.5]
    assert result.missed == [made[1].account, made[2].account]
    assert not result.good()


@pytest.mark.parametrize(
    ("latency", "read", "good"), [(1.9, 10, True), (2.1, 10, False), (1.9, 9, False)], ids=["ok", "late", "lost"]
)
def test_what_is_good_enough(latency: float, read: int, good: bool) -> None:
    made = plants(1, 1.0, random.Random(1))
    box = Inbox()
    box.take(message(made[0].account, "EXF-01"), 50.0 + latency)
    assert judge(made, Written({made[0].account: 50.0}, seconds=1.0), box, 10, 10, read).good() is good


def test_quantiles_are_values_that_were_seen() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.95) == 95
    assert quantile([3.0], 0.95) == 3
    assert math.isnan(quantile([], 0.5))

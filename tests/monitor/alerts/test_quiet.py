"""What is kept quiet and what is not: suppressions, budgets, and the same answer after every cut and restart."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import Budget, Suppression
from detectors.findings import FINDINGS
from monitor.alerts.quiet import Counts, QuietSettings, decide, fits

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 11, 4, tzinfo=UTC)
USUAL = {
    "revision": 1, "rule": "EXF-02", "family": "EXF", "severity": "medium", "site": "h", "system": "his", "account": "zhou", "person": "p1",
    "vendor": "acme", "client_ip": "10.0.0.5", "objects": ["patients"], "notify": True, "staged": False,
}  # fmt: skip


def finding(number=0, minutes=0.0, **columns):
    moment = NOON + timedelta(minutes=minutes)
    row = (
        dict.fromkeys(FINDINGS)
        | USUAL
        | {"id": f"f{number:03d}", "first_seen": moment, "last_seen": moment, "bucket": moment}
    )
    return row | columns


def frame(rows):
    return pl.DataFrame(list(rows), schema=FINDINGS, orient="row")


def suppression(**keys):
    given = {
        "rules": ("EXF-02",),
        "accounts": ("zhou",),
        "owner": "wang",
        "reason": "agreed with the desk",
        "until": date(2026, 12, 31),
    }
    return Suppression(**(given | keys))


def hush(rows, known=None, stored=lambda _: Counts(), **options):
    return decide(frame(rows), known or {}, stored, NOON, QuietSettings(ZONE, **options))


# -- suppressions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "columns", "hidden"),
    [
        ({}, {}, True),
        ({"rules": ("EXF",)}, {}, True),
        ({"rules": ("TIM", "EXF-02")}, {}, True),
        ({"rules": ("EXF-03",)}, {}, False),
        ({}, {"account": "li"}, False),
        ({}, {"account": None}, False),
        ({"accounts": (), "people": ("p1", "p2")}, {}, True),
        ({"vendors": ("acme",)}, {}, True),
        ({"vendors": ("other",)}, {}, False),
        ({"systems": ("his",)}, {}, True),
        ({"systems": ("ftp",)}, {}, False),
        ({"addresses": ("10.0.0.0/24",)}, {}, True),
        ({"addresses": ("10.0.1.0/24",)}, {}, False),
        ({"addresses": ("10.0.0.0/24",)}, {"client_ip": "[local]"}, False),
        ({"objects": ("PAT*",)}, {}, True),
        ({"objects": ("patients",)}, {"objects": ["patients", "prescriptions"]}, False),
        ({"objects": ("*",)}, {"objects": []}, False),
        ({"objects": ("t*",)}, {"objects": [f"t{n}" for n in range(20)]}, False),
        ({}, {"severity": "critical"}, False),
        ({"critical": True}, {"severity": "critical"}, True),
        ({"rules": ("AUD",)}, {"rule": "AUD-04", "family": "AUD"}, False),
        ({"rules": ("AUD",), "audit": True}, {"rule": "AUD-04", "family": "AUD"}, True),
        ({"until": date(2026, 11, 11)}, {}, True),
        ({"until": date(2026, 11, 10)}, {}, False),
        ({"until": date(2026, 11, 11)}, {"last_seen": NOON + timedelta(hours=13)}, False),
    ],
)
def test_what_a_suppression_covers(keys, columns, hidden):
    assert fits(suppression(**keys), finding(**columns), ZONE) is hidden


def test_a_suppressed_finding_is_recorded_and_not_told():
    found = hush([finding(1), finding(2, account="li"), finding(3, notify=False)], suppressions={"desk": suppression()})
    assert found.told["id"].to_list() == ["f002", "f003"]
    (row,) = found.hushed.iter_rows(named=True)
    assert (row["finding_id"], row["revision"], row["reason"], row["suppression"], row["day"]) == (
        "f001", 1, "suppression", "desk", "2026-11-11",
    )  # fmt: skip
    assert not found.over
    assert found.counts[("EXF-02", "2026-11-11")].told == {"f002"}


def test_it_is_told_when_it_becomes_critical():
    found = hush([finding(1, revision=2, severity="critical")], suppressions={"desk": suppression()})
    assert found.told.height == 1


# -- budgets ---------------------------------------------------------------------------------------------------------


def test_the_first_ones_of_a_day_are_told_and_one_message_says_so():
    first = hush([finding(n, n) for n in range(5)], per_day=3)
    assert first.told["id"].to_list() == ["f000", "f001", "f002"]
    assert first.hushed["reason"].to_list() == ["budget", "budget"]
    assert [(row["id"], budget) for row, budget in first.over] == [("f003", 3)]
    again = hush([finding(9, 9)], known=first.counts, per_day=3)
    assert again.told.is_empty()
    assert not again.over


def test_what_was_told_goes_on_being_told():
    first = hush([finding(n, n) for n in range(5)], per_day=3)
    later = hush([finding(1, 1, revision=2), finding(4, 4, revision=2)], known=first.counts, per_day=3)
    assert later.told["id"].to_list() == ["f001"]
    assert later.hushed.select("finding_id", "revision").rows() == [("f004", 2)]


def test_each_rule_and_each_local_day_has_its_own():
    rows = [finding(1), finding(2, rule="EXF-04"), finding(3, 11 * 60 + 59), finding(4, 12 * 60)]
    found = hush(rows, per_day=1)
    assert found.told["id"].to_list() == ["f001", "f002", "f004"]  # Shanghai's midnight is twelve hours after noon
    assert found.hushed["finding_id"].to_list() == ["f003"]


@pytest.mark.parametrize(
    ("columns", "budgets", "told"),
    [
        ({"severity": "critical"}, {}, 4),
        ({"rule": "AUD-04", "family": "AUD"}, {}, 4),
        ({"rule": "AUD-04", "family": "AUD"}, {"AUD": Budget(per_day=2)}, 2),
        ({"severity": "critical"}, {"EXF-02": Budget(per_day=2)}, 4),
        ({"severity": "critical"}, {"EXF-02": Budget(per_day=2, critical=True)}, 2),
        ({}, {"EXF": Budget(per_day=2)}, 2),
        ({}, {"EXF": Budget(per_day=2), "EXF-02": Budget(per_day=3)}, 3),
        ({}, {"EXF-02": Budget(per_day=0)}, 0),
    ],
)
def test_other_budgets(columns, budgets, told):
    assert hush([finding(n, n, **columns) for n in range(4)], per_day=1, budgets=budgets).told.height == told


def test_critical_findings_use_up_nothing():
    found = hush([finding(n, n, severity="critical") for n in range(3)] + [finding(9, 9)], per_day=1)
    assert found.told.height == 4


def test_suppressed_findings_use_up_nothing():
    found = hush(
        [finding(n, n) for n in range(3)] + [finding(9, 9, account="li")], per_day=1, suppressions={"d": suppression()}
    )
    assert found.told["id"].to_list() == ["f009"]


# -- cuts and restarts -----------------------------------------------------------------------------------------------


class Memory:
    """What the store would hold."""

    def __init__(self) -> None:
        self.findings = frame([])
        self.hushed: pl.DataFrame | None = None

    def keep(self, findings, hushed):
        self.findings = pl.concat([self.findings, findings])
        self.hushed = hushed if self.hushed is None else pl.concat([self.hushed, hushed])

    def counts(self, day):
        quiet = set(self.hushed.select("finding_id", "revision").iter_rows()) if self.hushed is not None else set()
        told = {
            row["id"] for row in self.findings.iter_rows(named=True)
            if row["rule"] == day[0] and str(row["bucket"].astimezone(ZONE).date()) == day[1] and row["severity"] != "critical"
            and (row["id"], row["revision"]) not in quiet
        }  # fmt: skip
        over = (
            self.hushed is not None
            and self.hushed.filter((pl.col("rule") == day[0]) & (pl.col("day") == day[1])).height > 0
        )
        return Counts(frozenset(told), over)


streams = st.lists(
    st.tuples(
        st.sampled_from(["EXF-02", "TIM-01"]), st.sampled_from(["medium", "high", "critical"]), st.integers(0, 200)
    ),
    max_size=30,
)


def run(rows, cuts, restarts):
    """(told, quiet, rules that said so) when the stream is cut there; None is forgotten before some of the pieces."""
    memory, known, told, over = Memory(), {}, [], []
    bounds = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    for index, (begin, end) in enumerate(pairwise(bounds)):
        known = {} if index in restarts else known
        part = frame(rows[begin:end])
        found = decide(part, known, memory.counts, NOON, QuietSettings(ZONE, per_day=3))
        memory.keep(part, found.hushed)
        known = found.counts
        told += found.told.select("id", "revision").rows()
        over += [row["rule"] for row, _ in found.over]
    return sorted(told), sorted(over)


@settings(max_examples=60, deadline=None)
@given(stream=streams, cuts=st.lists(st.integers(0, 30), max_size=4), restarts=st.sets(st.integers(0, 4)))
def test_cuts_and_restarts_change_nothing(stream, cuts, restarts):
    steps = sorted(stream, key=lambda item: item[2])
    rows = [
        finding(number, minute, rule=rule, family=rule[:3], severity=severity)
        for number, (rule, severity, minute) in enumerate(steps)
    ]
    assert run(rows, cuts, restarts) == run(rows, [], set())


def test_the_stores_counts_are_these(tmp_path):
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
    from building import open_store

    from monitor.store.hot import Batch

    with open_store(tmp_path / "state") as store:
        counts = partial(store.counts_of, zone=ZONE, critical=False)
        assert counts("EXF-02", "2026-11-11") == Counts()
        rows = [finding(n, n) for n in range(5)] + [finding(7, 7, severity="critical"), finding(8, 13 * 60)]
        found = decide(frame(rows), {}, lambda day: counts(*day), NOON, QuietSettings(ZONE, per_day=3))
        store.commit(Batch(NOON, findings=frame(rows), hushed=found.hushed))
        assert counts("EXF-02", "2026-11-11") == found.counts[("EXF-02", "2026-11-11")] == Counts(
            frozenset({"f000", "f001", "f002"}), over=True
        )  # fmt: skip
        assert counts("EXF-02", "2026-11-12") == Counts(frozenset({"f008"}))
        assert store.counts_of("EXF-02", "2026-11-11", ZONE, critical=True).told == {"f000", "f001", "f002", "f007"}

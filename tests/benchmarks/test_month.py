"""The generated month is read whole, everybody in it is registered, and what is not honest is still heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import month
import polars as pl
import pytest
from month_calendar import LEARNING, days
from month_diary import Diary, Said, Seat
from month_people_work import VENDORS

from monitor.assemble import Assembly, assembled, read_site
from monitor.protect import ephemeral_key

SCALE = 0.002
CHOSEN = days(31)
RELEASE_DAY = 8


@dataclass
class Generated:
    month: month.Month
    config: Path


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    made = month.Month(3, SCALE, CHOSEN)
    return Generated(made, month.site_folder(tmp_path_factory.mktemp("month"), made.tickets))


@pytest.fixture(scope="module")
def assembly(generated: Generated) -> Iterator[Assembly]:
    with assembled(read_site(generated.config), ephemeral_key()) as parts:
        yield parts


@dataclass
class Replay:
    events: pl.DataFrame  # enriched
    lines: int
    rejects: int
    skips: int  # of lines


@pytest.fixture(scope="module")
def replay(assembly: Assembly, generated: Generated) -> Callable[[int], Replay]:
    """One day through the pipeline, by its number; each once."""

    @cache
    def of(number: int) -> Replay:
        systems = {name: (source.system, source.format) for name, source in assembly.settings.sources.items()}
        lines = generated.month.lines(CHOSEN[number])
        events, rejects, skips, carries = [], 0, 0, {}
        for now, chunks in month.batches(lines, CHOSEN[number], "month", systems, 720):
            seen = assembly.pipeline.run(chunks, carries, now)
            carries.update(seen.read.carries)
            events.append(seen.events)
            rejects += seen.rejects.height
            # what stands between two objects of JSON is no line of its own
            skips += sum(records for (_, _, why), (records, _) in seen.read.skips.items() if why != "structure")
        return Replay(pl.concat(events), sum(frame.height for frame in lines.values()), rejects, skips)

    return of


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    def text(seed: int) -> list[str]:
        return [line for frame in month.Month(seed, SCALE, CHOSEN).lines(CHOSEN[1]).values() for line in frame["line"]]

    assert text(3) == text(3)
    assert text(3) != text(4)


@pytest.mark.parametrize("number", [RELEASE_DAY, month.RESTART_DAY])
def test_every_line_of_every_source_is_an_event_or_a_named_skip(
    replay: Callable[[int], Replay], assembly: Assembly, number: int
) -> None:
    day = replay(number)
    assert day.rejects == 0
    assert day.events.height + day.skips == day.lines
    assert set(day.events["source"].unique()) == set(assembly.settings.sources)


@pytest.mark.parametrize("number", [RELEASE_DAY, month.RESTART_DAY])
def test_everybody_is_registered_valid_and_at_an_agreed_place(replay: Callable[[int], Replay], number: int) -> None:
    strangers = replay(number).events.filter(
        ~pl.col("account_registered").fill_null(value=True)
        | ~pl.col("person_valid").fill_null(value=True)
        | ~pl.col("place_allowed").fill_null(value=True)
    )
    assert strangers.select("system", "account", "client_ip").unique().rows() == []


def test_statements_are_understood_and_vendors_at_night_have_tickets(replay: Callable[[int], Replay]) -> None:
    events = replay(RELEASE_DAY).events
    taken = events.filter((pl.col("understood") != "ast") & (pl.col("outcome") != "failed"))  # people mistype
    assert set(taken["reason"].unique()) <= {"grammar"}
    night = events.filter((pl.col("actor_kind") == "vendor") & ~pl.col("office_hours"))
    assert night.height > 5
    assert night["approved"].all()


def test_a_vendor_who_dumps_the_patients_is_a_loud_finding(assembly: Assembly, generated: Generated) -> None:
    """The control: were this quiet, a month without findings would say nothing."""
    run = month.Run(assembly, generated.month, 720)
    honest = generated.month._diary

    def spoiled(day: month.Day) -> Diary:
        diary = honest(day)
        seat = Seat(*VENDORS["li"])
        diary.sit(seat, day.at("21:10"), [Said("SELECT * FROM patients", 60_000), Said("COPY patients TO stdout;")])
        return diary

    generated.month._diary = spoiled  # type: ignore[method-assign]
    try:
        run.day(CHOSEN[LEARNING + 1])
    finally:
        generated.month._diary = honest  # type: ignore[method-assign]
    loud = {row["rule"] for row in run.findings.values() if month.loud(row) and row["account"] == "vendor_dh_li"}
    assert {"EXF-01", "TIM-02"} <= loud
    assert run.counts.messages[LEARNING + 1] > 0
    assert month.worst(run) >= 2


def test_batches_hold_every_byte_once_and_in_order(generated: Generated) -> None:
    made = month.Month(3, SCALE, CHOSEN)
    lines = made.lines(CHOSEN[5])
    systems = dict.fromkeys(lines, ("s", "f"))
    got: dict[str, bytes] = dict.fromkeys(lines, b"")
    times: list[datetime] = []
    for now, chunks in month.batches(lines, CHOSEN[5], "month", systems, 60):
        times.append(now)
        for chunk in chunks:
            assert chunk.origin.position == len(got[chunk.origin.source])
            got[chunk.origin.source] += chunk.data
    assert got == {source: "".join(frame["line"]).encode() for source, frame in lines.items()}
    assert times == sorted(times)
    assert all(moment.tzinfo is UTC for moment in times)

"""One day of bulk work: statements of programs and desks, drawn and filled in columns. Same seed and day, same frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from month_calendar import Day
from month_people import RHYTHMS, WARDS, Actor
from month_statements import SLOTS, Template

SECOND = 1_000_000
PATIENTS, FIRST_PATIENT = 600_000, 10_000_000
OUTPATIENTS = 4_000  # a working day
BEDS = 42  # a ward
FAILING = 0.0006  # share of statements that the server refuses: duplicates, deadlocks, timeouts
# A statement as the logs are written from: every column a record needs but what the session adds.
STATEMENTS: dict[str, pl.DataType] = {
    "at": pl.Int64(),  # microseconds since the epoch
    "system": pl.String(),
    "account": pl.String(),
    "address": pl.String(),
    "program": pl.String(),
    "database": pl.String(),
    "session": pl.String(),  # name of the connection
    "klass": pl.String(),
    "command": pl.String(),
    "statement": pl.String(),
    "parameters": pl.String(),  # a CSV line; "<none>"
    "rows": pl.Int64(),
    "error": pl.String(),  # code and message of one that was refused
}


def bulk(actors: Iterable[Actor], day: Day, seed: int, scale: float) -> pl.DataFrame:
    """STATEMENTS of a day, in no order."""
    rng = np.random.default_rng([seed, day.number])
    frames = [_of(actor, day, rng, scale, place) for place, actor in enumerate(actors) if day.number >= actor.first_day]
    return pl.concat(frame for frame in frames if frame.height)


def _of(actor: Actor, day: Day, rng: np.random.Generator, scale: float, place: int) -> pl.DataFrame:
    share = 1.0 if day.working else actor.rest
    count = rng.poisson(actor.daily * share * scale * rng.normal(1.0, 0.05))
    if not count:
        return pl.DataFrame(schema=STATEMENTS)
    seconds = _times(actor.rhythm, count, rng)
    weights = np.array([template.weight for template in actor.statements])
    drawn = rng.choice(len(actor.statements), count, p=weights / weights.sum())
    address = rng.integers(len(actor.addresses), size=count)
    connection = rng.integers(actor.pool, size=count)
    offset = (place * 977 + connection * 389 + address * 151) % actor.life
    epoch = ((seconds / 60).astype(np.int64) + offset) // actor.life
    frame = pl.DataFrame({
        "at": day.start + (seconds * SECOND).astype(np.int64),
        "drawn": drawn,
        "bound": rng.random(count) < actor.bound,
        "address": np.array(actor.addresses)[address],
        "connection": connection,
        "epoch": epoch,
        "failing": rng.random(count) < FAILING,
        "chance": rng.random(count),
        **_slots(actor, day, seconds, rng),
    })  # fmt: skip
    prefix = f"{actor.system} {actor.account} {day.number} "
    frame = frame.with_columns(
        pl.lit(actor.system).alias("system"),
        pl.lit(actor.account).alias("account"),
        pl.lit(actor.program).alias("program"),
        pl.lit(_database(actor)).alias("database"),
        pl.concat_str(pl.lit(prefix), "address", pl.lit(" "), "connection", pl.lit(" "), "epoch").alias("session"),
    )
    filled = [
        _filled(actor.statements[int(which)], bound=bool(bound), rows=rows)
        for (which, bound), rows in frame.group_by("drawn", "bound", maintain_order=True)
    ]
    return pl.concat(filled).select(pl.col(name).cast(kind) for name, kind in STATEMENTS.items())


def _database(actor: Actor) -> str:
    return {"his-pg": "his", "emr-mariadb": "medrec", "ihos-mysql": "ihos"}[actor.system]


def _times(rhythm: str, count: int, rng: np.random.Generator) -> np.ndarray:
    shares = np.array(RHYTHMS[rhythm])
    hours = rng.choice(24, count, p=shares / shares.sum())
    return np.sort(hours * 3600 + rng.random(count) * 3600)


def _slots(actor: Actor, day: Day, seconds: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    count = seconds.size
    done = _progress(actor.rhythm, seconds)
    patient = _patients(actor, day, done, rng)
    base = 20_000_000 + day.number * 20_000
    if actor.documents:  # the desks work through them, a few at a time
        document = base + (done * actor.documents).astype(np.int64) + rng.integers(-3, 4, size=count)
    else:
        document = base + rng.integers(6_000, size=count)
    names = {slot: np.array(getattr(SLOTS, name)) for slot, name in
             (("g", "drugs"), ("c", "tests"), ("t", "texts"), ("m", "families"), ("h", "hospitals"))}  # fmt: skip
    departments = np.array(SLOTS.departments)
    own = departments[(actor.department or 1) % departments.size]
    return {
        "p": patient, "k": patient, "v": patient - 9_000_000, "n": document,
        "r": 12_000_000 + day.number * 50_000 + actor.department * 7_000 + np.arange(count),
        "q": rng.integers(1, 90, size=count),
        "o": 1000 + (patient * 31 + actor.department) % 380,
        "s": np.full(count, own) if actor.department else departments[rng.integers(departments.size, size=count)],
        "f": 20 * np.minimum(rng.geometric(0.7, size=count) - 1, 5),
        **{slot: values[rng.integers(values.size, size=count)] for slot, values in names.items()},
        "d": np.full(count, str(np.datetime64(day.date))), "e": np.full(count, str(np.datetime64(day.date) - 1)),
        "b": np.full(count, str(np.datetime64(day.date) - 30)),
    }  # fmt: skip


def _progress(rhythm: str, seconds: np.ndarray) -> np.ndarray:
    """The share of the day's work that is done by then."""
    shares = np.array(RHYTHMS[rhythm])
    sums = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
    return np.interp(seconds, np.arange(25) * 3600, sums)


def ward_patients(ward: int, day: int) -> np.ndarray:
    """Who lies there: seven leave and seven come a day."""
    beds = ward * 4_001 + day * 7 + np.arange(BEDS)
    return FIRST_PATIENT + beds * 7_919 % PATIENTS


def _patients(actor: Actor, day: Day, done: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = done.size
    if actor.patients == "ward":
        return rng.choice(ward_patients(actor.department, day.number), count)
    if actor.patients == "inside":
        everybody = np.concatenate([ward_patients(ward, day.number) for ward in range(1, WARDS + 1)])
        return rng.choice(everybody, count)
    if actor.patients == "coded":  # one record after another, those of all wards in turn
        place = (done * 110).astype(np.int64) + actor.department * 200
        return FIRST_PATIENT + (day.number * 4_001 + place) * 7_919 % PATIENTS
    if actor.patients == "today":  # whoever is in the house about now
        place = np.clip(done * OUTPATIENTS + rng.normal(0, 50, size=count), 0, OUTPATIENTS - 1).astype(np.int64)
        return FIRST_PATIENT + (day.number * 100_003 + place) * 104_729 % PATIENTS
    return FIRST_PATIENT + rng.integers(PATIENTS, size=count)


def _filled(template: Template, *, bound: bool, rows: pl.DataFrame) -> pl.DataFrame:
    sent = template.with_parameters() if bound else template
    parts = [pl.lit(part) if place % 2 == 0 else pl.col(part) for place, part in enumerate(sent.parts)]
    least, most = template.rows
    values = [pl.col(slot).cast(pl.String) for slot in sent.bound]
    errors = (
        "23505 duplicate key value violates unique constraint", "40P01 deadlock detected",
        "57014 canceling statement due to statement timeout",
    )  # fmt: skip
    error = pl.lit(errors[2] if template.command == "SELECT" else errors[len(template.text) % 2])
    return rows.with_columns(
        pl.concat_str(parts).alias("statement"),
        (pl.concat_str(values, separator=",") if values else pl.lit("<none>")).alias("parameters"),
        (least + pl.col("chance") * (most - least + 0.999)).cast(pl.Int64).alias("rows"),
        pl.lit(template.klass).alias("klass"),
        pl.lit(template.command).alias("command"),
        pl.when("failing").then(error).alias("error"),
    )

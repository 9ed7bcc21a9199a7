"""The `hiswatch.behaviour:` block of a rule file: what is compared with what, as a kind and its numbers.

`state` names what a kind remembers: two versions of a rule with the same `state` go on with the same memory, so that a
changed limit does not cost a quarter of history. `WORDS`: what the rule's texts may name in braces.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Days = Annotated[int, Field(ge=1, le=366)]
Per = Literal["day", "week", "month"]
# What a first-seen item may be made of: columns, and a few readings of columns (see `parts.py`).
Part = Literal[
    "account", "client_ip", "network", "program", "database", "table", "read_table", "shape_id", "command", "verb",
    "folder", "file_shape", "source", "hours", "day_hours",
]  # fmt: skip
LISTS = ("table", "read_table", "hours", "day_hours")  # of which an event has several

# What those have in common who are compared with each other.
Peers = tuple[Literal["site", "system", "actor_kind", "vendor", "vendor_tier"], ...]
PEERS: Peers = ("site", "actor_kind", "vendor")


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    WORDS: ClassVar[tuple[str, ...]] = ()

    kind: str
    per: Per = "day"  # what happens within it is one finding

    @property
    def state(self) -> str:
        raise NotImplementedError

    @property
    def shown(self) -> str:
        """For the table of rules: the kind and what is written of it."""
        numbers = (
            f"{name.removesuffix('_days')} {_shown(name, getattr(self, name))}" for name in type(self).model_fields
        )
        kept = [
            text for name, text in zip(type(self).model_fields, numbers, strict=True) if name not in ("kind", "per")
        ]
        told = [
            text
            for text in kept
            if not text.endswith((" 0", " ")) and text != "least 1" and not text.startswith("peers ")
        ]
        return f"{self.kind}: " + ", ".join(told)


def _shown(name: str, value: object) -> str:
    if isinstance(value, tuple):
        return " + ".join(map(str, value))
    return f"{value} d" if name.endswith("_days") and value else str(value)


class FirstSeen(_Block):
    """Something that the subject did not have within its memory."""

    WORDS = ("new", "count", "known", "memory")
    kind: Literal["first_seen"]
    of: tuple[Part, ...] = Field(min_length=1, max_length=4)
    parts: Annotated[int, Field(ge=0, le=4)] = 0  # so many of `of` must be new by themselves; 0: all of them together
    learning_days: Annotated[int, Field(ge=0, le=90)] = 14  # a subject known for less raises nothing
    active_days: Annotated[int, Field(ge=0, le=90)] = 0  # nor one seen on fewer different days before
    memory_days: Days = 90
    least: Annotated[int, Field(ge=1)] = 1  # new items within `per`
    share_percent: Annotated[int, Field(ge=0, le=1000)] = 0  # and so many of those known before
    most_known: Annotated[int, Field(ge=0)] = 0  # of a subject with more known ones nothing is told; 0: of all
    rollout: Annotated[int, Field(ge=0, le=1000)] = (
        0  # the same item at so many other subjects is a rollout; 0: no look
    )

    agreed: Literal["", "services", "all"] = (
        ""  # who is at the addresses agreed for the account: that teaches, and is not told
    )

    @model_validator(mode="after")
    def _parts_of_one_item(self) -> FirstSeen:
        if self.parts and (several := [name for name in self.of if name in LISTS]):
            raise ValueError(f"parts: must be 0 where an event has several of {', '.join(several)}")
        return self

    @property
    def state(self) -> str:
        return f"{self.kind} {self.of} {self.parts > 0}"


class Dormant(_Block):
    """A subject that comes back after a long rest."""

    WORDS = ("rest", "before")
    kind: Literal["dormant"]
    rest_days: Days = 60
    memory_days: Days = 366

    @property
    def state(self) -> str:
        return self.kind


class Volume(_Block):
    """Far more within a day than the subject's own days, than its peers' days, and than a floor: all three."""

    WORDS = ("amount", "floor", "own", "own_line", "days", "peers", "others", "past", "ended")
    kind: Literal["volume"]
    of: Literal["rows", "bytes", "events"]
    floor: Annotated[int, Field(ge=1)]
    spread: Annotated[int, Field(ge=1, le=100)] = 5  # middle deviations above the own median
    past_days: Days = 84
    lag_days: Annotated[int, Field(ge=0, le=183)] = 0  # the own days end so long ago: a slow rise can't take them along
    learning_days: Annotated[int, Field(ge=0, le=90)] = 14
    peers: Peers = PEERS
    leaving_days: Annotated[int, Field(ge=0, le=366)] = 0  # only of people whose last day is so near; 0: of all

    @property
    def state(self) -> str:
        return f"{self.kind} {self.of} {self.peers}"


class Distinct(_Block):
    """Different patients within a day, a week, a month, a quarter: above own past, peers and a floor."""

    WORDS = ("count", "days", "floor", "own", "peers", "others")
    kind: Literal["distinct"]
    # floors of spans of 1, 7, 30 and 90 days; 0: that span is not looked at
    day: Annotated[int, Field(ge=0)] = 0
    week: Annotated[int, Field(ge=0)] = 0
    month: Annotated[int, Field(ge=0)] = 0
    quarter: Annotated[int, Field(ge=0)] = 0
    growth_percent: Annotated[int, Field(ge=100, le=10_000)] = 200  # of the own spans before
    learning_days: Annotated[int, Field(ge=0, le=90)] = 14
    peers: Peers = PEERS

    @property
    def floors(self) -> dict[int, int]:
        """By days of the span."""
        floors = {1: self.day, 7: self.week, 30: self.month, 90: self.quarter}
        return {days: floor for days, floor in floors.items() if floor}

    @property
    def state(self) -> str:
        return f"{self.kind} {self.peers}"


class Beat(_Block):
    """Something that comes at the same time of day, day after day, from a subject that is otherwise quiet."""

    WORDS = ("clock", "seen", "past")
    kind: Literal["beat"]
    slot_minutes: Literal[5, 10, 15, 20, 30, 60] = 15
    past_days: Annotated[int, Field(ge=2, le=60)] = 8
    least_days: Annotated[int, Field(ge=2, le=60)] = 6  # of the past days it came at that time, a slot more or less
    most_slots: Annotated[int, Field(ge=1, le=288)] = 8  # whoever is there at more times of the past days has no beat

    @property
    def state(self) -> str:
        return f"{self.kind} {self.slot_minutes}"


Behaviour = Annotated[FirstSeen | Dormant | Volume | Distinct | Beat, Field(discriminator="kind")]

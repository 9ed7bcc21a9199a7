"""Types that the settings and the register share: a time of day, a network, a zone, a span of hours."""

from __future__ import annotations

import codecs
import re
from datetime import date, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

Network = IPv4Network | IPv6Network
LOCAL = "local"  # a local socket in lists of addresses


class Model(BaseModel):
    """Base of everything that is read from a file: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _minutes(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value  # a default of ours
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    minutes = int(found[1]) * 60 + int(found[2]) if found else -1
    if not found or int(found[2]) > 59 or not 0 <= minutes <= 24 * 60:
        raise ValueError("expected a time of day such as 08:00 (24:00 is midnight at the end)")
    return minutes


Clock = Annotated[int, BeforeValidator(_minutes)]  # minutes since midnight, 0 to 1440


def clock_text(minutes: int) -> str:
    """08:00 of 480."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("unknown time zone; expected a name such as Asia/Shanghai or UTC") from None
    return name


ZoneName = Annotated[str, AfterValidator(_zone)]


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        try:
            wide = ip_network(text, strict=False)
        except ValueError:
            raise ValueError("expected an address or a network such as 10.20.0.0/16") from None
        raise ValueError(f"host bits are set; did you mean {wide}?") from None
    return text


def _place(text: str) -> str:
    return text if text == LOCAL else _network(text)


NetworkText = Annotated[str, AfterValidator(_network)]
PlaceText = Annotated[str, AfterValidator(_place)]  # a network, an address, or "local" (the local socket)


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError("unknown encoding; expected a name such as utf-8 or gb18030") from None
    return name


Encoding = Annotated[str, AfterValidator(_encoding)]


def one_or_more(value: Any) -> Any:
    # A tuple: what a validator hands on is checked like Python, where strict reading takes no list for a tuple.
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(one_or_more)]  # one text or a list of texts
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\u3400-\u9fff][A-Za-z0-9_.\-\u3400-\u9fff]{0,63}$")]


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return Path(base) / path.expanduser() if base is not None else path


FilePath = Annotated[Path, AfterValidator(_resolve)]  # relative to the file that names it

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["working", "all", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Hours(Model):
    """Daily hours, start included, end not. An end before the start lies on the next day."""

    days: Annotated[tuple[Day, ...], BeforeValidator(one_or_more)] = Field(
        ("all",), description="working (by the calendar), all, or days of the week: mon … sun"
    )
    start: Clock = Field(0, alias="from", description="first minute, such as 08:00")
    end: Clock = Field(1440, alias="to", description="end, not included; before the start: on the next day")


class Dates(Model):
    """A range of local dates, both included; an open end has no limit."""

    start: date | None = Field(None, alias="from", description="first day")
    end: date | None = Field(None, alias="to", description="last day")


Moment = datetime  # without an offset: local time of the site

"""USB storage at a Linux host: the kernel's lines about it, and udisks' about mounting, in any syslog envelope.

``kernel: [25038.6] usb 1-1.4: New USB device found, idVendor=0781, idProduct=5581`` and so on; the lines of one device
share host and bus-port (``1-1.4``) until it is unplugged. Sources: Linux drivers/usb/core/hub.c and drivers/usb/storage,
udisks2; written after documentation, see docs/formats/web-mail-host.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from parsers.events import Origin
from parsers.framing import lines
from parsers.registry import Carry, Parsed, parser
from parsers.remembering import forgotten
from parsers.syslog_program import SKIPS as PROGRAM_SKIPS
from parsers.syslog_program import program_lines

SKIPS = {
    **PROGRAM_SKIPS,
    "usb_step": "number, product, serial of a device: the line that says what it is gets them",
    "kernel": "hardware, drivers, network of the host: nothing that carries data away",
}
MAX_PORTS = 2_000
_TEXT = 120  # characters of what a device says of itself

# What a device says of itself stands behind a fixed beginning: it can imitate nothing.
MESSAGE = (
    r"^(?:\[ *[0-9]+\.[0-9]+\] ?)?(?:"
    r"usb (?<port>[0-9]+-[0-9.]+): (?:"
    r"new .{0,30}USB device number (?<number>[0-9]+) .*"
    r"|New USB device found, idVendor=(?<vendor>[0-9a-f]{4}), idProduct=(?<product>[0-9a-f]{4}).*"
    r"|New USB device strings: .*"
    r"|Product: (?<name>.*)|Manufacturer: (?<maker>.*)|SerialNumber: (?<serial>.*)"
    r"|USB disconnect, device number (?<gone>[0-9]+)"
    r")"
    r"|(?:usb-storage|uas) (?<storage>[0-9]+-[0-9.]+):[0-9.]+: (?<said>USB Mass Storage device detected|USB Attached SCSI.*)"
    r"|(?<uas>scsi host[0-9]+: uas)"
    r"|(?<disk>sd [0-9:]+: \[sd[a-z]+\] Attached SCSI removable disk)"
    r")$"
)
MOUNT = r"^(?<what>Mounted|Unmounted) (?<device>/dev/[^ ]+)(?: \([^)]*\))? (?:at|from) (?<path>.*) on behalf of uid (?<uid>[0-9]+)$"

STATE: dict[str, pl.DataType] = {
    "host": pl.String(),
    "port": pl.String(),
    "kind": pl.String(),
    "number": pl.String(),
    "vendor": pl.String(),
    "product": pl.String(),
    "name": pl.String(),
    "maker": pl.String(),
    "serial": pl.String(),
}
_TOLD = ["number", "vendor", "product", "name", "maker", "serial"]


@parser("linux_kernel", reference="Linux kernel, drivers/usb; udisks2, through syslog", framing=lines, skips=SKIPS)
def parse(chunk: bytes, origin: Origin, zone: ZoneInfo, carry: Carry) -> Parsed:
    """Read USB storage that is plugged in, mounted, taken away. `zone` is that of stamps that tell none (RFC 3164).

    Reasons of rejects: those of `parsers.syslog`.
    """
    found = program_lines(chunk, origin, zone, carry, pl.col("tag").is_in(["kernel", "udisksd"]))
    rows, ports = _at_ports(_take_apart(found.told), carry.get("ports", {}))
    rows = rows.with_columns(
        skip=pl.when(pl.col("kind") == "other")
        .then(pl.when(pl.col("tag") == "kernel").then(pl.lit("kernel")).otherwise(pl.lit("other_program")))
        .when(pl.col("kind").is_in(["number", "step"]))
        .then(pl.lit("usb_step"))
    )
    return found.settled(rows, _events(rows.filter(pl.col("skip").is_null())), origin, ports=ports)


def _take_apart(told: pl.DataFrame) -> pl.DataFrame:
    told = told.with_columns(
        pl.when(pl.col("tag") == "kernel").then("message").str.extract_groups(MESSAGE).alias("g"),
        pl.when(pl.col("tag") == "udisksd").then("message").str.extract_groups(MOUNT).alias("m"),
    )
    told = told.unnest("g").unnest("m")
    kinds = {
        "mount": pl.col("what").is_not_null(),
        "gone": pl.col("gone").is_not_null(),
        "number": pl.col("number").is_not_null(),
        "found": pl.col("vendor").is_not_null(),
        "storage": pl.col("storage").is_not_null() | pl.col("uas").is_not_null(),
        "disk": pl.col("disk").is_not_null(),
        "step": pl.col("port").is_not_null(),
    }
    kind = pl.coalesce(pl.when(fits).then(pl.lit(name)) for name, fits in kinds.items()).fill_null("other")
    return told.with_columns(
        pl.col("name", "maker", "serial").str.slice(0, _TEXT),
        kind=kind,
        port=pl.coalesce("port", "storage"),
        host=pl.col("host").fill_null(""),
        fresh=pl.lit(value=True),
    )


def _at_ports(rows: pl.DataFrame, state: Mapping[str, Any]) -> tuple[pl.DataFrame, Mapping[str, Any]]:
    """Give each line what the earlier ones of its device told; past devices are put in front again."""
    past = pl.DataFrame({name: state.get(name, []) for name in STATE}, schema=STATE)
    rows = pl.concat([past.with_columns(fresh=pl.lit(value=False)), rows], how="diagonal").with_row_index("row")
    # `scsi host6: uas` names no port: it follows the lines of its device
    above = pl.when(pl.col("kind") == "gone").then(pl.lit("")).otherwise("port").forward_fill().over("host")
    if "uas" in rows.columns:
        rows = rows.with_columns(
            port=pl.when(pl.col("uas").is_not_null()).then(above.replace("", None)).otherwise("port")
        )
    place = ["host", "port"]
    before = pl.col("kind").shift(1).over(place)
    begins = (
        (pl.col("kind") == "number")
        | ((pl.col("kind") == "found") & (before != "number").fill_null(value=True))
        | (before == "gone").fill_null(value=False)
    )
    ports = rows.filter(pl.col("port").is_not_null())
    lost = pl.Series([False]).new_from_index(0, rows.height).scatter(ports["row"], forgotten(ports, place, MAX_PORTS))
    rows = rows.with_columns(begins=begins, lost=lost)
    rows = rows.with_columns(epoch=(pl.col("begins") | pl.col("lost")).cum_sum().over(place))
    known = [pl.col(name).forward_fill().over([*place, "epoch"]) for name in _TOLD]
    lone = pl.col("port").is_null()
    rows = rows.with_columns(known).with_columns(pl.when(~lone).then(pl.col(name)).alias(name) for name in _TOLD)
    last = rows.filter(~lone).group_by(place).agg(pl.all().last()).sort("row").tail(MAX_PORTS)
    return rows.filter("fresh"), last.select(*STATE).to_dict(as_series=False)


def _events(told: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("kind")
    usb = pl.col("port").is_not_null()
    told = told.with_columns(
        itself=pl.concat_str(pl.col("maker"), pl.col("name"), separator=" ", ignore_nulls=True).str.strip_chars()
    )
    commands = {"storage": "ATTACH", "found": "FOUND", "gone": "DETACH", "disk": "DISK"}
    return told.select(
        "position",
        "length",
        "occurred_at",
        action=pl.lit("device"),
        outcome=pl.lit("ok"),
        record_role=pl.when(kind.is_in(["storage", "mount"])).then(pl.lit("main")).otherwise(pl.lit("part")),
        activity_key=pl.when(usb).then(
            pl.concat_str(pl.lit("usb"), "host", "port", pl.coalesce("gone", "number", pl.lit("")), separator="|")
        ),
        account=pl.when(kind == "mount").then(pl.lit("uid:") + pl.col("uid")),
        client_ip=pl.lit("[local]"),
        session=pl.when(usb).then(pl.concat_str("host", pl.lit(":usb"), "port")),
        command=pl.when(kind == "mount")
        .then(pl.when(pl.col("what") == "Mounted").then(pl.lit("MOUNT")).otherwise(pl.lit("UNMOUNT")))
        .otherwise(kind.replace_strict(commands, default=None, return_dtype=pl.String)),
        object_type=pl.when(usb).then(pl.lit("USB")).when(kind == "mount").then(pl.lit("VOLUME")),
        # serial numbers are what a list of allowed sticks is made of
        object_name=pl.when(usb)
        .then(
            pl.concat_str(
                pl.concat_str("vendor", "product", separator=":"), pl.col("serial"), separator=" ", ignore_nulls=True
            ).replace("", None)
        )
        .when(kind == "mount")
        .then("device"),
        path=pl.when(kind == "mount").then("path"),
        detail=pl.coalesce(pl.when(usb).then(pl.col("itself").replace("", None)), pl.when(kind == "disk").then("disk")),
    )

"""Every inventory of a site, one after another: what could be read, and what could not and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from config.errors import ConfigError
from config.inventories import Inventory
from config.settings import Settings
from monitor.inventory import exports
from monitor.inventory.snapshot import InventoryFailed, Snapshot


@dataclass(frozen=True, slots=True)
class Readings:
    """`failures`: by name of inventory."""

    snapshots: dict[str, Snapshot]
    failures: dict[str, InventoryFailed]


def read_inventory(name: str, inventory: Inventory, settings: Settings, now: datetime) -> Snapshot:
    """Raises InventoryFailed. The drivers of servers are loaded where one is asked."""
    try:
        if inventory.kind == "postgresql":
            from monitor.inventory import postgresql

            return postgresql.read(name, inventory)
        if inventory.kind == "mysql":
            from monitor.inventory import mysql

            return mysql.read(name, inventory)
        return exports.read(name, inventory, settings.zone, now)
    except ConfigError as error:
        reason = "export_faulty" if inventory.accounts else "refused"
        raise InventoryFailed(name, reason, str(error.problems[0])) from None


def read_inventories(
    settings: Settings,
    now: datetime,
    only: Iterable[str] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Readings:
    """`stopping`: asked before each, since a server that hangs may take its time."""
    found = Readings({}, {})
    for name, inventory in settings.inventories.items():
        if stopping():
            break
        if only is not None and name not in only:
            continue
        try:
            found.snapshots[name] = read_inventory(name, inventory, settings, now)
        except InventoryFailed as error:
            found.failures[name] = error
    return found

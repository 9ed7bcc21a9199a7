"""Account inventories: from which server or export the accounts of a system are read. Models and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from config.values import FilePath, Identifier, Model, Texts, one_or_more
from config.yaml12 import Keys

if TYPE_CHECKING:
    from config.settings import Settings

LIVE = ("postgresql", "mysql")  # read from the server itself; the others by exports of their views


class Inventory(Model):
    """The accounts of one system, as its server has them."""

    system: Identifier = Field(description="system whose accounts these are, as in `sources`; one inventory a system")
    kind: Literal["postgresql", "mysql", "oracle", "sqlserver"] = Field(
        description="postgresql, mysql (also MariaDB): read from the server; oracle, sqlserver: from exports"
    )
    host: str | None = Field(None, min_length=1, description="postgresql, mysql: the server")
    port: int | None = Field(None, ge=1, le=65535, description="its port; default: 5432 or 3306")
    user: str | None = Field(None, min_length=1, description="account that may read the views of docs/inventories.md")
    password_file: FilePath | None = Field(
        None, description="file with its password; readable by this user only; none: without password"
    )
    databases: Texts = Field(
        ("postgres",), min_length=1, description="postgresql: databases whose routines and views are watched (CHG-05)"
    )
    tls: Literal["off", "require", "verify"] = Field(
        "require", description="off; require: encrypted; verify: and its certificate is checked"
    )
    ca_file: FilePath | None = Field(None, description="verify: authority (PEM); none: those of this machine")
    accounts: Annotated[tuple[FilePath, ...], BeforeValidator(one_or_more)] = Field(
        (), description="oracle, sqlserver: CSV of its accounts (`hiswatch inventory queries`); of several files all"
    )
    roles: Annotated[tuple[FilePath, ...], BeforeValidator(one_or_more)] = Field(
        (), description="CSV of granted roles and rights"
    )
    code: Annotated[tuple[FilePath, ...], BeforeValidator(one_or_more)] = Field(
        (), description="CSV of procedures, triggers and views with their digests"
    )
    max_age_days: int = Field(7, ge=1, le=90, description="an export that is older is not believed any more")


def inventory_faults(settings: Settings, secret_fault: Callable[[Path], str | None]) -> Iterator[tuple[Keys, str]]:
    """What no single key shows: what a kind needs, secrets, two inventories of one system."""
    systems: dict[str, str] = {}
    for name, inventory in settings.inventories.items():
        keys: Keys = ("inventories", name)
        if inventory.system in systems:
            yield (*keys, "system"), f"already read by inventory '{systems[inventory.system]}'"
        systems.setdefault(inventory.system, name)
        exports = [key for key in ("accounts", "roles", "code") if getattr(inventory, key)]
        if inventory.kind in LIVE:
            yield from (((*keys, key), f"{inventory.kind} is read from its server: not an export") for key in exports)
            missing = [key for key in ("host", "user") if getattr(inventory, key) is None]
            if missing:
                yield keys, f"{inventory.kind} is read from its server: needs {' and '.join(missing)}"
        elif not inventory.accounts:
            yield keys, f"{inventory.kind} is read from exports: needs accounts"
        if inventory.password_file is not None and (fault := secret_fault(inventory.password_file)):
            yield (*keys, "password_file"), fault
        if inventory.ca_file is not None and not inventory.ca_file.is_file():
            yield (*keys, "ca_file"), "file not found"

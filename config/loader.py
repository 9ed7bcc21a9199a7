"""hospital.yaml and everything it refers to: read, checked as a whole, every fault reported at once.

    hospital.yaml:5:5: sources.ehr_audit.formt: unknown key; did you mean 'format'?

Files are read here and nowhere else in the product's middle; `detectors` get the finished models.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from config.calendar import CalendarOverlay, overlay_contradictions
from config.catalogue import load_pack, shipped_packs
from config.contradictions import contradictions, unread_systems
from config.errors import ConfigError, Problem
from config.inventories import inventory_faults
from config.listening import listener_faults, listener_warnings
from config.register import Register
from config.rulefiles import rule_files
from config.rulenames import rule_name_warnings
from config.settings import RETENTION_FLOOR_DAYS, Settings, Smtp, Webhook
from config.site import LoadedSite
from config.suppressions import suppression_faults, suppression_warnings
from config.tolerance import Tolerated, tolerated
from config.validation import did_you_mean, option_faults, validate
from config.watchlist import read_watchlist
from config.yaml12 import Document, Keys, read_yaml, read_yaml_all

__all__ = [
    "LoadedSite", "load_calendar", "load_register", "load_settings", "load_site", "open_register", "read_secret",
    "read_yaml", "read_yaml_all", "register_within",
]  # fmt: skip

M = TypeVar("M", bound=BaseModel)
Fault = tuple[Keys, str]


def load_site(
    path: Path | str,
    *,
    formats: Mapping[str, type[BaseModel] | None] | None = None,
    packs: Collection[str] | None = None,
    root: Path | str | None = None,
    tolerate: Collection[str] = (),
    tolerate_rules: bool = False,
    today: date | None = None,
) -> LoadedSite:
    """The whole configuration of a hospital.

    `formats`: known log formats and the models of their options; None: not checked. `packs`: known catalogue packs; None: the shipped ones. `root`: folder
    that the paths of sources are relative to, instead of the folder of the file. `tolerate`: sections of the register
    whose faulty entries are left out and told in `register_faults`. `tolerate_rules`: files of rules are left to whoever
    compiles them. `today`: instead of the clock's. Raises ConfigError with every fault of every file.
    """
    document = read_yaml(path)
    base = Path(path).absolute().parent
    context = {"base": base, "root": Path(root).absolute() if root is not None else None}
    settings, problems = validate(Settings, document, context, {"site": {"id": "unknown"}, "sources": {}})
    zone = ZoneInfo(settings.timezone) if settings else _raw_zone(document)
    if settings is not None:
        today = today or datetime.now(zone).date()
        problems += [document.problem(*fault) for fault in _faults(settings, document, formats, packs)]
        problems += [document.problem(*fault) for fault in suppression_faults(settings, document, today)]

    register: Register | None = None
    warnings: list[Problem] = []
    left: tuple[Problem, ...] = ()
    if (file := _file(document, base, "register")) is not None:
        try:
            register, register_document, left = _tolerant_register(file, zone, tolerate)
        except ConfigError as error:
            problems += _referred(document, ("register",), error)
        else:
            systems = {source.system for source in settings.sources.values()} if settings else set()
            warnings = unread_systems(register, register_document, systems)
    overlay = CalendarOverlay()
    if (file := _file(document, base, "calendar")) is not None:
        try:
            overlay = load_calendar(file)
        except ConfigError as error:
            problems += _referred(document, ("calendar",), error)
    if settings is not None:
        warnings += listener_warnings(settings, document)
        warnings += suppression_warnings(settings, register, document, today or datetime.now(zone).date())
        problems += _catalogue_problems(settings, document)
        if not tolerate_rules:
            problems += _rule_problems(settings, document)
            warnings += rule_name_warnings(settings, document)
        problems += _watch_lists(settings, document)
        if register is not None:
            warnings += _unknown_touchers(settings, register, document)
    if problems or settings is None:
        raise ConfigError(problems)
    return LoadedSite(settings, register, overlay, tuple(warnings), left, () if tolerate_rules else None)


def load_settings(
    path: Path | str,
    formats: Mapping[str, type[BaseModel] | None] | None = None,
    *,
    root: Path | str | None = None,
) -> Settings:
    """The settings alone; the files they refer to are checked all the same. Errors as `load_site`."""
    return load_site(path, formats=formats, root=root).settings


def load_register(path: Path | str, zone: ZoneInfo) -> Register:
    """A register without contradictions. `zone`: of its times without an offset. Raises ConfigError."""
    return _load_register(Path(path), zone)[0]


def register_within(document: Document, zone: ZoneInfo) -> Register:
    """A register that stands inside another file. Raises ConfigError with places in that file."""
    register, problems = validate(Register, document, {"base": Path(document.file).absolute().parent})
    if register is not None:
        problems += contradictions(register, document, zone=zone)
    if problems or register is None:
        raise ConfigError(problems)
    return register


def open_register(path: Path | str, zone: ZoneInfo) -> tuple[Tolerated, Document]:
    """What can be used of a register, with every fault of the rest. ConfigError: the file can't be read at all."""
    document = read_yaml(path)
    return tolerated(document, {"base": Path(path).absolute().parent}, zone), document


def load_calendar(path: Path | str) -> CalendarOverlay:
    """Raises ConfigError."""
    return _load(CalendarOverlay, Path(path), overlay_contradictions)[0]


def read_secret(path: Path) -> bytes:
    """The secret in a file, surrounding white space removed. ConfigError: missing, empty, or open to other users."""
    if (fault := secret_fault(path)) is not None:
        raise ConfigError([Problem(str(path), 0, 0, "", fault)])
    return path.read_bytes().strip()


def secret_fault(path: Path) -> str | None:
    """Why a secret file can't be used; None when it can. The content is never part of the answer."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "secret file is not a regular file"
        if status.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            return "secret file is open to other users; chmod 600 it"
        if status.st_size > 65536:
            return "secret file is larger than 64 KiB"
        return None if path.read_bytes().strip() else "secret file is empty"
    except FileNotFoundError:
        return "secret file not found"
    except OSError as error:
        return f"secret file is not readable: {error.strerror or type(error).__name__}"


def _load_register(path: Path, zone: ZoneInfo) -> tuple[Register, Document]:
    return _load(Register, path, partial(contradictions, zone=zone))


def _tolerant_register(
    path: Path, zone: ZoneInfo, tolerate: Collection[str]
) -> tuple[Register, Document, tuple[Problem, ...]]:
    """The register and the faults of entries that were left out. ConfigError: a fault in a section not in `tolerate`."""
    try:
        return *_load_register(path, zone), ()
    except ConfigError:
        if not tolerate:
            raise
        found, document = open_register(path, zone)
        if not {section for section, _ in found.left_out} <= set(tolerate):
            raise
        return found.register, document, found.problems


def _load(model: type[M], path: Path, check: Any) -> tuple[M, Document]:
    document = read_yaml(path)
    loaded, problems = validate(model, document, {"base": path.absolute().parent})
    if loaded is not None:
        problems += check(loaded, document)
    if problems or loaded is None:
        raise ConfigError(problems)
    return loaded, document


def _raw_zone(document: Document) -> ZoneInfo:
    try:
        return ZoneInfo(document.data["timezone"])
    except Exception:  # noqa: BLE001 - any fault of it is reported by the model
        return ZoneInfo("Asia/Shanghai")


def _file(document: Document, base: Path, key: str) -> Path | None:
    """The file named at a key of the document, also when the settings as a whole are faulty."""
    name = document.data.get(key) if isinstance(document.data, Mapping) else None
    if not isinstance(name, str) or not name:
        return None
    return base / Path(name).expanduser()


def _referred(document: Document, keys: Keys, error: ConfigError) -> Iterator[Problem]:
    """Faults of a referenced file; a file that could not be read at all is also a fault of the key that names it."""
    for problem in error.problems:
        yield problem if problem.line else document.problem(keys, f"{problem.file}: {problem.message}")


def _faults(
    settings: Settings,
    document: Document,
    formats: Mapping[str, type[BaseModel] | None] | None,
    packs: Collection[str] | None,
) -> Iterator[Fault]:
    yield from _source_faults(settings, document, formats)
    packs = shipped_packs() if packs is None else packs
    for index, pack in enumerate(settings.catalogue.packs or ()):
        if pack not in packs:
            yield (
                ("catalogue", "packs", index),
                f"unknown pack; known: {', '.join(sorted(packs))}" + did_you_mean(pack, packs),
            )
    if settings.tickets_dir is not None and not settings.tickets_dir.is_dir():
        yield ("tickets_dir",), "folder not found"
    if settings.office_hours.end <= settings.office_hours.start:
        yield ("office_hours", "end"), "must be later than start"
    store = settings.store
    if store.retention_days < RETENTION_FLOOR_DAYS and not store.retention_reason:
        yield (
            ("store", "retention_days"),
            f"logs are kept at least {RETENTION_FLOOR_DAYS} days by law; fewer need retention_reason",
        )
    yield from listener_faults(settings, document, secret_fault)
    yield from inventory_faults(settings, secret_fault)
    yield from _web_faults(settings)
    yield from _alert_faults(settings, document)
    for name, file in (
        ("canaries", settings.watched.canaries.patients_file),
        ("vips", settings.watched.vips.patients_file),
    ):
        if file is not None and (fault := secret_fault(file)):
            yield ("watched", name, "patients_file"), fault


def _source_faults(
    settings: Settings, document: Document, formats: Mapping[str, type[BaseModel] | None] | None
) -> Iterator[Fault]:
    if not document.data.get("sources", True):
        yield ("sources",), "must not be empty"
    paths: dict[str, str] = {}
    for name, source in settings.sources.items():
        if formats is not None and source.format not in formats:
            known = ", ".join(sorted(formats))
            yield ("sources", name, "format"), f"unknown format; known: {known}" + did_you_mean(source.format, formats)
        elif formats is not None:
            for keys, message in option_faults(formats[source.format], source.options):
                yield ("sources", name, "options", *keys), message
        if source.path is not None:
            if source.path in paths:
                yield ("sources", name, "path"), f"already read by source '{paths[source.path]}'"
            paths.setdefault(source.path, name)


def _web_faults(settings: Settings) -> Iterator[Fault]:
    web = settings.web
    if not 0 < web.port < 65536:
        yield ("web", "listen"), "expected a port from 1 to 65535"
    if not _loopback(web.host) and not (web.tls_certificate and web.tls_key_file and web.token_file):
        yield (
            ("web", "listen"),
            "an address other than loopback needs tls_certificate, tls_key_file and token_file",
        )
    if web.tls_certificate is not None and not web.tls_certificate.is_file():
        yield ("web", "tls_certificate"), "file not found"
    for key, file in (("tls_key_file", web.tls_key_file), ("token_file", web.token_file)):
        if file is not None and (fault := secret_fault(file)):
            yield ("web", key), fault


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _alert_faults(settings: Settings, document: Document) -> Iterator[Fault]:
    channels = settings.alerts.channels
    for name, channel in channels.items():
        keys: Keys = ("alerts", "channels", name)
        if isinstance(channel, Webhook) and channel.secret_file and (fault := secret_fault(channel.secret_file)):
            yield (*keys, "secret_file"), fault
        if isinstance(channel, Smtp):
            if channel.password_file and (fault := secret_fault(channel.password_file)):
                yield (*keys, "password_file"), fault
            if (channel.username is None) != (channel.password_file is None):
                yield keys, "username and password_file belong together"
    heartbeat = settings.alerts.heartbeat
    # Channels as written: a reference to a faulty one is no second fault.
    written = (document.data.get("alerts") or {}).get("channels") or {}
    if heartbeat is not None and heartbeat.channel not in written:
        yield ("alerts", "heartbeat", "channel"), "unknown channel" + did_you_mean(heartbeat.channel, written)


def _watch_lists(settings: Settings, document: Document) -> Iterator[Problem]:
    """Faults inside the files; that one cannot be used at all is told by `_faults`."""
    for name, file in (
        ("canaries", settings.watched.canaries.patients_file),
        ("vips", settings.watched.vips.patients_file),
    ):
        if file is not None and secret_fault(file) is None:
            try:
                read_watchlist(file)
            except ConfigError as error:
                yield from _referred(document, ("watched", name, "patients_file"), error)


def _unknown_touchers(settings: Settings, register: Register, document: Document) -> Iterator[Problem]:
    """Warnings: a name that the register lacks allows nothing, so that more is told, never less."""
    known = {*register.jobs, *register.services, *register.people, *register.owners}
    known |= {person.department for person in register.people.values() if person.department}
    for name, watch in (("canaries", settings.watched.canaries), ("vips", settings.watched.vips)):
        for index, toucher in enumerate(watch.may_touch):
            if toucher not in known:
                message = "no job, service, person, owner or department of the register" + did_you_mean(toucher, known)
                yield document.problem(("watched", name, "may_touch", index), message)


def _catalogue_problems(settings: Settings, document: Document) -> Iterator[Problem]:
    for index, file in enumerate(settings.catalogue.files):
        try:
            load_pack(file)
        except ConfigError as error:
            yield from _referred(document, ("catalogue", "files", index), error)


def _rule_problems(settings: Settings, document: Document) -> Iterator[Problem]:
    """Rule files: are they there and are they YAML? Their meaning is checked where they compile."""
    for index, folder in enumerate(settings.detection.rule_dirs):
        keys: Keys = ("detection", "rule_dirs", index)
        if not folder.is_dir():
            yield document.problem(keys, "folder not found")
            continue
        for file in (*rule_files(folder), *rule_files(folder, cases=True)):
            yield from _yaml_problems(document, keys, file)


def _yaml_problems(document: Document, keys: Keys, file: Path) -> Iterator[Problem]:
    try:
        read_yaml_all(file)
    except ConfigError as error:
        yield from _referred(document, keys, error)

"""Entries from lists into a register as it is written: what is there stays, what a list says is added or set.

Works on plain mappings (also those that keep comments), by id, else by name. Nothing is ever removed.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.cells import id_of
from config.errors import Problem
from config.lists import Draft, nested

ORDER = ("vendors", "people", "services", "accounts", "tickets")  # what is referred to comes first
_FIELDS = {
    "vendors": ("name", "tier", "state", "contract.from", "contract.to", "head_count", "places", "systems"),
    "people": ("name", "vendor", "department", "places", "valid.from", "valid.to", "qualification_until"),
    "services": ("name", "places", "scope.objects", "scope.classes", "scope.actions", "scope.programs"),
    "tickets": ("person", "system", "from", "to", "objects", "classes", "actions", "requester", "approver", "note"),
}
Written = MutableMapping[str, Any]


@dataclass
class Merged:
    """`added` and `changed`: (section, id)."""

    alone: bool = False
    added: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def merge(register: Written, drafts: Iterable[Draft], *, alone: bool = False) -> Merged:
    """Bring drafts into `register`, in place. With problems the register is not to be used.

    `alone`: there is no register yet; vendors and people that are only named get the id their name gives.
    """
    merged = Merged(alone)
    by_kind: dict[str, list[Draft]] = {kind: [] for kind in ORDER}
    for draft in drafts:
        by_kind[draft.kind].append(draft)
    for kind in ORDER:
        for draft in by_kind[kind]:
            if kind == "accounts":
                _account(register, draft, merged)
            else:
                _entry(register, draft, merged)
    return merged


def _entry(register: Written, draft: Draft, merged: Merged) -> None:
    values = dict(draft.values)
    if not _resolved(register, draft, values, merged):
        return
    section = draft.kind
    entries = _section(register, section)
    found = _found(entries, values)
    if len(found) > 1:
        merged.problems.append(
            draft.problem("name", f"several entries have this name: {', '.join(found)}; give the id")
        )
        return
    key = found[0] if found else str(values.get("id") or id_of(str(values["name"])))
    if not key:
        merged.problems.append(draft.problem("name", "no id can be made of this name: give one"))
        return
    if not found and key in entries:
        merged.problems.append(draft.problem("name", f"the id {key} is taken by another entry: give one"))
        return
    entry = nested(values, iter(_FIELDS[section]))
    accounts = _accounts(draft, values, merged)
    if key not in entries:
        entries[key] = entry | ({"accounts": accounts} if accounts else {})
        merged.added.append((section, key))
        return
    changed = _set(entries[key], entry)
    if accounts:
        changed |= _join_accounts(entries[key], accounts)
    if changed and (section, key) not in (*merged.added, *merged.changed):
        merged.changed.append((section, key))


def _section(register: Written, name: str) -> Written:
    """The section of the register; an empty one is made, and so is an empty entry of it."""
    if register.get(name) is None:
        register[name] = {}
    entries: Written = register[name]
    for key, entry in entries.items():
        if entry is None:
            entries[key] = {}
    return entries


def _found(entries: Written, values: Written) -> list[str]:
    """Ids of the entries that a row is about: that of its id, else those of its name.

    Two people of one name at two vendors are two people.
    """
    if "id" in values:
        key = id_of(str(values["id"]))
        values["id"] = key
        return [key] if key in entries else []
    employer = {name: values[name] for name in ("vendor", "department") if name in values}
    return [
        key
        for key, entry in entries.items()
        if values["name"] in (key, entry.get("name"))
        and all(entry.get(name) == value for name, value in employer.items())
    ]


def _resolved(register: Written, draft: Draft, values: Written, merged: Merged) -> bool:
    """Names of vendors and people made ids; False where one is unknown."""
    if draft.kind == "people" and "vendor" in values:
        values["vendor"] = _one(register, draft, "vendor", "vendors", values["vendor"], merged)
        return values["vendor"] is not None
    if draft.kind == "tickets":
        values["person"] = [_one(register, draft, "person", "people", name, merged) for name in values["person"]]
        return None not in values["person"]
    return True


def _one(register: Written, draft: Draft, field_name: str, section: str, name: str, merged: Merged) -> str | None:
    """The id of the one entry that is meant; None, and a problem, where there is none or several."""
    found = _named(register, (section,), name)
    if len(found) == 1:
        return found[0][1]
    if not found and merged.alone and id_of(name):
        return id_of(name)
    merged.problems.append(draft.problem(field_name, _unknown(field_name, found)))
    return None


def _unknown(what: str, found: Sequence[tuple[str, str]]) -> str:
    if found:
        return f"several entries have this name: {', '.join(key for _, key in found)}; give the id"
    return f"unknown {what}: neither id nor name of an entry"


def _named(register: Written, sections: Iterable[str], name: str) -> list[tuple[str, str]]:
    """(section, id) of the entries that have this id, else this name."""
    entries = [
        (section, key, entry or {}) for section in sections for key, entry in (register.get(section) or {}).items()
    ]
    by_id = [(section, key) for section, key, _ in entries if key in (name, id_of(name))]
    return by_id or [(section, key) for section, key, entry in entries if entry.get("name") == name]


def _account(register: Written, draft: Draft, merged: Merged) -> None:
    values = draft.values
    found = _named(register, ("people", "services"), values["owner"])
    if len(found) != 1:
        merged.problems.append(draft.problem("owner", _unknown("person or service", found)))
        return
    section, key = found[0]
    if _join_accounts(register[section][key], _accounts(draft, values, merged)) and (section, key) not in (
        *merged.added,
        *merged.changed,
    ):
        merged.changed.append((section, key))


def _accounts(draft: Draft, values: Written, merged: Merged) -> list[dict[str, Any]]:
    """The account that a row names, as the register writes it."""
    if "account" not in values and "system" not in values:
        return []
    if draft.kind == "tickets":
        return []
    for name in ("account", "system"):
        if name not in values:
            merged.problems.append(draft.problem(name, "account and system belong together"))
            return []
    systems = values["system"]
    entry: dict[str, Any] = {"system": systems[0] if len(systems) == 1 else systems, "account": values["account"]}
    if draft.kind == "accounts" and "places" in values:
        entry["from"] = values["places"]
    return [entry | {name: True for name in ("shared", "superuser") if values.get(name)}]


def _join_accounts(holder: Written, accounts: Iterable[dict[str, Any]]) -> bool:
    """Add accounts that the holder lacks, set what is said of those it has. True when anything changed."""
    kept = holder.setdefault("accounts", [])
    changed = False
    for account in accounts:
        same = [entry for entry in kept if _key(entry) & _key(account)]
        if not same:
            kept.append(account)
            changed = True
        for entry in same:
            news = {name: value for name, value in account.items() if name in ("from", "shared", "superuser")}
            changed |= _set(entry, news)
    return changed


def _key(entry: Written) -> set[tuple[str, str]]:
    systems = entry.get("system")
    return {
        (str(system), str(entry.get("account"))) for system in (systems if isinstance(systems, list) else [systems])
    }


def _set(entry: Written, news: Written) -> bool:
    """Set values, inside sections too. True when anything changed."""
    changed = False
    for name, value in news.items():
        if isinstance(value, dict) and isinstance(entry.get(name), MutableMapping):
            changed |= _set(entry[name], value)
        elif not _same(entry.get(name), value):
            entry[name] = value
            changed = True
    return changed


def _same(written: Any, value: Any) -> bool:
    """One text is a list of one; a date may be written in quotes."""
    one, other = (item if isinstance(item, list) else [item] for item in (written, value))
    return written is not None and list(map(str, one)) == list(map(str, other))

"""Findings -> the JSON of one message, with a text that a tired person can act on.

Pure. Nothing of a patient, no statement, no file content and no file name goes in: of a path only its ending is told.
Names from logs (accounts, addresses, objects) are hostile: control, bidirectional and invisible characters become visible
code points, lengths are capped, long runs of digits are blotted out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from monitor.alerts.texts import FAMILIES, SEVERITIES, Language, RuleText, Texts, class_name, label

MAX_NAME = 80
MAX_WHY = 1200
MAX_OBJECTS = 20
MAX_LISTED = 20  # findings named in the text; the JSON holds more
RANK = {"low": 0, "medium": 1, "high": 2, "critical": 3}

# identity card 15 or 18 characters, mobile 11, cards longer: nothing of a finding needs such a number
_LONG_DIGITS = re.compile(r"[0-9]{11,}[Xx]?")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}(?:\.(?:gz|bz2|xz|zst))?\Z")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

Finding = Mapping[str, Any]  # one row of FINDINGS
Names = Mapping[str, str]  # id of a person or vendor in the register -> the name that messages show
Entry = Mapping[
    str, Any
]  # id, revision, rule, title, severity, first_seen, last_seen: what a story remembers of a finding


def visible(text: str, cap: int = MAX_NAME) -> str:
    """Text from a log, safe in a mail, a chat or a terminal: nothing invisible, one line, at most `cap` characters."""
    cut = text[:cap]
    shown = "".join(f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _INVISIBLE else char for char in cut)
    return shown + ("…" if len(text) > cap else "")


def blotted(text: str) -> str:
    return _LONG_DIGITS.sub("⟦n⟧", text)


def shown_object(text: str) -> str:
    """A table as it is; of anything that may be a path only the ending, since file names carry names of patients."""
    if "/" in text or "\\" in text:
        ending = _ENDING.search(text)
        return "*" + (ending.group().lower() if ending else "")
    return blotted(visible(text))


def _prose(text: str | None) -> str:
    """Our own sentences; they may quote names of accounts or tables, so the same care. Line breaks stay."""
    lines = (text or "")[:MAX_WHY].split("\n")
    return "\n".join(blotted(visible(line, MAX_WHY)) for line in lines)


def local_time(value: datetime | None, zone: tzinfo) -> str | None:
    """ISO 8601 with the site's offset."""
    return None if value is None else value.astimezone(zone).isoformat(timespec="milliseconds")


def message_id(finding_id: str, revision: int) -> str:
    return f"{finding_id}:{revision}"


def entry(finding: Finding, language: Language, zone: tzinfo) -> dict[str, Any]:
    """What a story remembers of a finding, as JSON."""
    return {
        "id": finding["id"],
        "revision": int(finding["revision"]),
        "rule": finding["rule"],
        "title": _prose(finding[f"title_{language}"]),
        "severity": finding["severity"],
        "first_seen": local_time(finding["first_seen"], zone),
        "last_seen": local_time(finding["last_seen"], zone),
        "events": finding["events"],
        "rows": finding["rows"],
    }


def compose(
    headline: Finding,
    story_id: str,
    entries: Sequence[Entry],
    total: int,
    *,
    language: Language,
    zone: tzinfo,
    texts: Texts,
    names: Names,
    send_after: datetime,
    kind: str = "alert",
) -> dict[str, Any]:
    """The JSON of one message.

    `headline` is a row of FINDINGS, `entries` the findings of the story so far (latest revisions, the headline among
    them), `total` how many there are, listed or not. `kind`: alert, update, summary. Times carry the site's offset.
    """
    fields: dict[str, Any] = {
        "message_id": message_id(headline["id"], int(headline["revision"])),
        "kind": kind,
        "id": headline["id"],
        "revision": int(headline["revision"]),
        "rule": headline["rule"],
        "family": headline["family"],
        "title": _prose(headline[f"title_{language}"]),
        "severity": headline["severity"],
        "likelihood": headline["likelihood"],
        "impact": headline["impact"],
        "risk": headline["risk"],
        "site": headline["site"],
        "system": headline["system"],
        "account": _name(headline["account"]),
        "person": _name(headline["person"]),
        "vendor": _name(headline["vendor"]),
        "client_ip": _name(headline["client_ip"]),
        "source": headline["source"],
        "first_seen": local_time(headline["first_seen"], zone),
        "last_seen": local_time(headline["last_seen"], zone),
        "events": headline["events"],
        "rows": headline["rows"],
        "rows_kind": headline["rows_kind"],
        "bytes": headline["bytes"],
        "classes": list(headline["classes"] or ()),
        "objects": _objects(headline["objects"]),
        "why": _prose(headline[f"why_{language}"]),
        "staged": bool(headline["staged"]),
        "send_after": send_after.astimezone(zone).isoformat(timespec="microseconds"),
        "language": language,
    }
    fields["story"] = _story(story_id, entries, total)
    fields["text"] = text_of(fields, texts.get(headline["rule"], RuleText()), names, language)
    return fields


def _name(value: str | None) -> str | None:
    return None if value is None else blotted(visible(value))


def _objects(values: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(shown_object(value) for value in (values or ())[:MAX_OBJECTS]))


def _story(story_id: str, entries: Sequence[Entry], total: int) -> dict[str, Any]:
    ordered = sorted(entries, key=lambda item: (item["first_seen"] or "", item["id"]))
    worst = max((item["severity"] for item in entries), key=RANK.__getitem__, default="low")
    return {
        "id": story_id,
        "severity": worst,
        "total": total,
        "findings": [dict(item) for item in entries],
        "steps": [{"at": item["first_seen"], "rule": item["rule"], "title": item["title"]} for item in ordered],
    }


def text_of(message: Mapping[str, Any], rule: RuleText, names: Names, language: Language) -> str:
    """The readable message: who, what, how much, compared with what, why it matters, what to do."""
    matters, what_next = FAMILIES[language].get(message["family"], ("", ""))
    lines = [f"[{SEVERITIES[language][message['severity']]}] {message['title']}"]
    if message["kind"] == "summary":
        lines.append(label(language, "summary"))
    parts = [
        ("who", _who(message, rule.subject, names, language)),
        ("where", _where(message, names, language)),
        ("when", _when(message, language)),
        ("what", label(language, "list").join(message["objects"])),
        ("how_much", _how_much(message, language)),
        ("why", message["why"]),
        ("risk", label(language, "risk_of").format(message["likelihood"], message["impact"], message["risk"])),
        ("matters", _prose(rule.matters(language)) or matters),
        ("honest", _prose(rule.honest(language))),
        ("next", _prose(rule.next(language)) or what_next),
    ]
    colon = label(language, "colon")
    lines += [f"{label(language, name)}{colon}{text}" for name, text in parts if text]
    lines += _also(message, language)
    revision = label(language, "revision").format(message["revision"])
    lines.append(f"{label(language, 'id')}{colon}{message['id']} ({message['rule']}, {revision})")
    return "\n".join(lines)


def _who(message: Mapping[str, Any], subject: Sequence[str], names: Names, language: Language) -> str:
    """`subject`: what all events have in common; of the rest the first event tells it, and others may differ."""

    def told(column: str, text: str) -> str:
        alone = message["events"] <= 1 or column in subject or (column == "account" and _is_account(subject, message))
        return text if alone else label(language, "first").format(text)

    person = _named(message["person"], names) or (_holder(message, names, language) if message["account"] else "")
    account = (
        told("account", f"{label(language, 'account')} {message['account']}")
        if message["account"]
        else label(language, "no_account")
    )
    parts = [
        person,
        f"{label(language, 'vendor')} {_named(message['vendor'], names)}" if message["vendor"] else "",
        account,
    ]
    if message["client_ip"]:
        parts.append(told("client_ip", f"{label(language, 'from')} {message['client_ip']}"))
    return label(language, "comma").join(part for part in parts if part)


def _is_account(subject: Sequence[str], message: Mapping[str, Any]) -> bool:
    """Whoever is no registered person is known by the account alone."""
    return "who" in subject and not message["person"]


def _holder(message: Mapping[str, Any], names: Names, language: Language) -> str:
    """Of an account that is no person's: the service or owner that it is registered for."""
    for kind in ("service", "owner"):
        name = names.get(holder_key(kind, message["system"] or "", message["account"]))
        if name:
            return f"{label(language, kind)} {visible(name)}"
    return label(language, "unknown_person")


def holder_key(kind: str, system: str, account: str) -> str:
    """Where `Names` holds whose account this is (`kind`: service, owner): a key that no id of a person or vendor can be."""
    return f"{kind}:{system}:{account}"


def site_key(site: str) -> str:
    """Where `Names` holds the name of a site: a key that no id of a person or vendor can be."""
    return f"site:{site}"


def _named(identifier: str | None, names: Names) -> str:
    if identifier is None:
        return ""
    name = names.get(identifier, "")
    return f"{visible(name)} ({identifier})" if name and name != identifier else identifier


def _where(message: Mapping[str, Any], names: Names, language: Language) -> str:
    site = visible(names.get(site_key(message["site"]), ""))
    parts = [
        f"{site} ({message['site']})" if site else message["site"],
        message["system"],
        f"{label(language, 'source')} {message['source']}" if message["source"] else "",
    ]
    return label(language, "comma").join(part for part in parts if part)


def _when(message: Mapping[str, Any], language: Language) -> str:
    first, last = message["first_seen"], message["last_seen"]
    if not first or not last or first == last:
        return first or last or ""
    return f"{first} {label(language, 'until')} {last}"


def _how_much(message: Mapping[str, Any], language: Language) -> str:
    rows = message["rows"]
    kind = message["rows_kind"]
    parts = []
    if rows is not None and kind in {"known", "estimated"}:
        parts.append(f"{rows:,} {label(language, 'rows' if kind == 'known' else 'rows_estimated')}")
    elif kind == "unknown":
        parts.append(label(language, "rows_unknown"))
    if message["bytes"] is not None:
        parts.append(_size(message["bytes"]))
    if message["events"]:
        parts.append(f"{message['events']:,} {label(language, 'events')}")
    if message["classes"]:
        names = label(language, "list").join(class_name(language, name) for name in message["classes"])
        parts.append(f"{label(language, 'classes')} {names}")
    return label(language, "comma").join(parts)


def _size(count: int) -> str:
    if count < 10_000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count_in = count / 1000 ** (1 + ("kB", "MB", "GB", "TB").index(unit))
        if count_in < 1000 or unit == "TB":
            return f"{count_in:.1f} {unit}"
    return f"{count} B"


def _also(message: Mapping[str, Any], language: Language) -> list[str]:
    others = [item for item in message["story"]["findings"] if item["id"] != message["id"]]
    if not others:
        return []
    others.sort(key=lambda item: (item["first_seen"] or "", item["id"]))
    lines = [f"{label(language, 'also')}{label(language, 'colon')}"]
    lines += [
        f"  - {item['first_seen']} [{SEVERITIES[language][item['severity']]}] {item['rule']} {item['title']}"
        for item in others[:MAX_LISTED]
    ]
    more = message["story"]["total"] - 1 - len(others[:MAX_LISTED])
    if more > 0:
        lines.append("  - " + label(language, "more").format(more))
    return lines

"""Sigma rules that were written for other products: what they read, in columns of ours, or exactly why that is not possible.

A rule is foreign when its logsource is not `product: hiswatch`. It gets the block that it lacks (an id of its own, texts, likelihood
and impact from its level) and is on trial until its file says otherwise. Nothing is guessed: a field, a value or a
logsource that has no counterpart is a fault, never a condition that can't be true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from sigma.types import (
    SigmaCasedString,
    SigmaExists,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from detectors import conditions
from detectors.conditions import All, Ask, ConditionFault, Either, Not, Tree

_DIALECTS = {
    "postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql", "oracle": "oracle",
    "oracledb": "oracle", "mssql": "tsql", "sqlserver": "tsql",
}  # fmt: skip
_DATABASE_SERVICES = frozenset({"audit", "pgaudit", "server_audit", "general", "slow", "error", *_DIALECTS})
_SSH_FORMATS = ("openssh_sftp", "syslog")
_OTHER_PROGRAMS = ("SUDO", "SU", "PKEXEC", "CONSOLE", "LOGIND")
READ = "read are category database (product postgresql, mysql, mariadb, oracle, mssql or none) and product linux with service sshd or auth"

_STATEMENT = frozenset({"query", "sql", "statement", "sql_text", "sqltext", "db_query", "querytext", "commandtext"})
_ACCOUNT = (
    "user",
    "username",
    "user_name",
    "dbuser",
    "db_user",
    "account",
    "accountname",
    "login",
    "targetuser",
    "acct",
)
_ADDRESS = (
    "src_ip", "srcip", "source_ip", "sourceip", "src", "client_ip", "clientip", "ip", "ipaddress", "remote_addr", "rhost", "addr",
)  # fmt: skip
_NAMES: dict[str, str] = {
    **dict.fromkeys(_ACCOUNT, "account"),
    **dict.fromkeys(_ADDRESS, "client_ip"),
    **dict.fromkeys(("program", "application", "application_name", "appname", "client_program"), "client_program"),
    **dict.fromkeys(("database", "db", "dbname", "db_name", "database_name", "databasename"), "database"),
    **dict.fromkeys(("command", "command_tag", "commandtag", "operation", "verb"), "command"),
    **dict.fromkeys(("rows", "row_count", "rowcount", "rows_affected", "affected_rows", "rows_returned"), "rows"),
    **dict.fromkeys(("error_code", "errorcode", "error", "errno", "sqlstate", "sql_state"), "error_code"),
    **dict.fromkeys(("status", "outcome", "result"), "outcome"),
    **dict.fromkeys(("session", "session_id", "sessionid", "connection_id", "connectionid"), "session"),
    **dict.fromkeys(("message", "msg"), "detail"),
}
_OUTCOMES = {
    **dict.fromkeys(("ok", "success", "succeeded", "successful", "0"), "ok"),
    **dict.fromkeys(("failed", "failure", "fail", "error", "denied", "refused"), "failed"),
}
_WHY_NOT = {
    **dict.fromkeys(("table", "tables", "object", "object_name"), "tables are lists here; write reads|contains or writes|contains"),
    **dict.fromkeys(("host", "hostname", "server", "computer", "computername"), "a server is the `system` of the configuration here; write system"),
    **dict.fromkeys(("eventid", "event_id", "channel", "provider_name"), "a field of Windows event logs, which are not read"),
    **dict.fromkeys(("image", "commandline", "parentimage"), "a field of process creation, which is not read"),
}  # fmt: skip
# Messages of sshd that become columns: their text is kept nowhere.
_SAID: tuple[tuple[str, Tree], ...] = (
    (r"failed (password|publickey|none)", All((Ask("action", "same", "login"), Ask("outcome", "same", "failed")))),
    (r"accepted (password|publickey|keyboard-interactive.*)", All((Ask("action", "same", "login"), Ask("outcome", "same", "ok")))),
    (r"(invalid|illegal) user", Ask("error_code", "equals", "invalid user")),
    (r"authentication failures?", All((Ask("action", "same", "login"), Ask("outcome", "same", "failed")))),
    (r"disconnected from user", Ask("action", "same", "logout")),
)  # fmt: skip
_LEVELS = {"informational": (1, 3), "low": (2, 3), "medium": (3, 4), "high": (3, 5), "critical": (4, 5)}
_FAMILIES = (
    ("exfiltration", "EXF"), ("collection", "EXF"), ("credential-access", "IDN"), ("initial-access", "IDN"),
    ("persistence", "ACC"), ("privilege-escalation", "PRV"), ("execution", "PRV"), ("defense-evasion", "AUD"),
    ("impact", "CHG"), ("discovery", "REC"), ("reconnaissance", "REC"), ("lateral-movement", "XFR"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """What a foreign logsource is here. `only`: what its events have in common; `ssh`: messages rather than statements."""

    category: str
    ssh: bool
    only: Tree | None = field(default=None)

    def column(self, name: str) -> str:
        """Our column of a field that events are grouped or counted by. ConditionFault where there is none."""
        mapped = _NAMES.get(name.lower(), name)
        if mapped not in conditions.COLUMNS or name.lower() in _WHY_NOT or name.lower() in _STATEMENT:
            raise ConditionFault(_no_counterpart(name), name)
        return mapped

    def test(self, name: str, value: SigmaType) -> Tree:
        """A field of the rule against a value."""
        if not name:
            return self.word(value)
        if name.lower() in _STATEMENT and not self.ssh:
            return _statement(name, value)
        column = self.column(name)
        try:
            if column == "outcome" and not isinstance(value, SigmaNull | SigmaExists):
                return Ask("outcome", "same", _outcome(value))
            if column == "detail" and self.ssh and isinstance(value, SigmaString):
                return _message(value)
            return conditions.test(column, value)
        except ConditionFault as fault:
            raise ConditionFault(f"{fault.message} (here it is {column})", name, fault.value) from None

    def word(self, value: SigmaType) -> Tree:
        """A value without a field: looked for in what the record says."""
        if not isinstance(value, SigmaString):
            raise ConditionFault("only texts can stand without a field")
        return _message(value, anywhere=True) if self.ssh else _statement("", value, anywhere=True)


def source(logsource: Mapping[str, Any]) -> Source:
    """ConditionFault: `column` is the key of the logsource that has no counterpart."""
    told = {
        key: str(value).lower()
        for key, value in logsource.items()
        if key in {"category", "product", "service"} and value
    }
    category, product, service = (told.get(key) for key in ("category", "product", "service"))
    if category == "database" or (category is None and product in _DIALECTS):
        if product is not None and product not in _DIALECTS:
            raise ConditionFault(f"product {product} has no counterpart; {READ}", "product")
        if service is not None and service not in _DATABASE_SERVICES:
            raise ConditionFault(f"service {service} has no counterpart; {READ}", "service")
        dialect = _DIALECTS[product] if product else _DIALECTS.get(service or "")
        return Source("database", ssh=False, only=Ask("dialect", "same", dialect) if dialect else None)
    if product == "linux" and category is None and service in {"sshd", "auth"}:
        formats = Either(tuple(Ask("format", "equals", name) for name in _SSH_FORMATS))
        if service == "auth":
            return Source("any", ssh=True, only=formats)
        others = Either(tuple(Ask("command", "equals", name.lower()) for name in _OTHER_PROGRAMS))
        accounts = Ask("object_type", "equals", "account")
        return Source("any", ssh=True, only=All((formats, Not(Either((others, accounts))))))
    odd = next((key for key in ("category", "service", "product") if key in told), None)
    named = ", ".join(f"{key} {value}" for key, value in told.items()) or "nothing"
    raise ConditionFault(f"{named} has no counterpart; {READ}", odd)


def is_foreign(data: Mapping[str, Any]) -> bool:
    """A rule or base whose logsource is another product's."""
    logsource = data.get("logsource")
    return isinstance(logsource, Mapping) and "detection" in data and logsource.get("product") != "hiswatch"


def block(data: Mapping[str, Any]) -> dict[str, Any]:
    """The `hiswatch:` block that a foreign rule lacks; what its file says of it wins."""
    title = " ".join(str(data.get("title", "")).split()) or "?"
    plain = title.replace("{", "(").replace("}", ")")[:200]
    likelihood, impact = _LEVELS.get(str(data.get("level", "medium")), _LEVELS["medium"])
    honest = data.get("falsepositives")
    reasons = "; ".join(str(item) for item in honest) if isinstance(honest, list) else ""
    named = reasons if len(reasons) >= 4 and reasons.lower() not in {"unknown", "none", "unlikely"} else ""
    mine = {
        "id": f"{_family(data)}-S{blake2b(str(data.get('id') or title).encode(), digest_size=3).hexdigest()}",
        "title_zh": plain if len(plain) >= 2 else f"外来规则 {plain}",
        "why_zh": f"外来规则“{plain}”命中",
        "why_en": f"The foreign rule '{plain}' matched",
        "likelihood": likelihood,
        "impact": impact,
        "honest_zh": f"规则作者所列：{named}" if named else "规则作者未说明。先查看证据中的记录。",
        "honest_en": f"As its author lists: {named}" if named else "Its author names none. Look at the records first.",
        "misses": "whatever its author did not know of this hospital; values of literals, which are not kept",
        "staged": True,
    }
    given = data.get("hiswatch")
    return mine | (dict(given) if isinstance(given, Mapping) else {})


def _family(data: Mapping[str, Any]) -> str:
    tags = [str(tag).lower().replace("_", "-") for tag in data.get("tags") or () if isinstance(tag, str)]
    for tactic, family in _FAMILIES:
        if f"attack.{tactic}" in tags:
            return family
    logsource = data.get("logsource")
    return "IDN" if isinstance(logsource, Mapping) and logsource.get("product") == "linux" else "EXF"


def _no_counterpart(name: str) -> str:
    why = _WHY_NOT.get(name.lower())
    if why is None and name.lower() in _STATEMENT:
        why = "statements are kept as shapes; write shape_id"
    return f"field {name} has no counterpart" + (
        f": {why}" if why else "; write the column of ours (docs/detections.md)"
    )


def _outcome(value: SigmaType) -> str:
    found = _OUTCOMES.get(str(value).lower())
    if found is None:
        raise ConditionFault(f"value {value} has no counterpart; known: {', '.join(sorted(_OUTCOMES))}")
    return found


def _message(value: SigmaString, *, anywhere: bool = False) -> Tree:
    """Text of a message of sshd: some became columns, of the others the first 200 characters are kept."""
    text = "".join(part for part in value.s if isinstance(part, str)).strip()
    for pattern, node in _SAID:
        if found := re.fullmatch(rf"{pattern}(?: for)?", text.lower()):
            method = found[1].partition("/")[0] if pattern.startswith(("failed", "accepted")) else ""
            return All((node, Ask("command", "starts", method))) if method else node
    if re.search(r"['\"]|\d{6}", text):
        raise ConditionFault("can't be found: quoted text and long numbers of messages are masked", value=text)
    if text.lower().startswith(("session opened", "session closed", "pam_unix")):
        raise ConditionFault("can't be found: doubles of PAM are counted and not kept", value=text)
    return conditions.test("detail", SigmaString(f"*{_escaped(text)}*") if anywhere else value)


def _statement(name: str, value: SigmaType, *, anywhere: bool = False) -> Tree:
    """Text of a statement, looked for in its shape: literals, remarks and superfluous blanks are not in it."""
    column = name or None
    if isinstance(value, SigmaRegularExpression):
        raise ConditionFault("patterns on statements are written for the shape here: shape|re", column)
    if not isinstance(value, SigmaString) or isinstance(value, SigmaCasedString):
        raise ConditionFault("expected text without regard to case: keywords of a shape are normalised", column)
    parts = list(value.s)
    text = "".join(part for part in parts if isinstance(part, str))
    if re.search(r"['\"]|(?<![A-Za-z_\d])\d|--|/\*|#", text):
        raise ConditionFault(
            "can't be found: literals and remarks are not kept in the shape of a statement", column, text
        )
    begins, ends = (part is not SpecialChars.WILDCARD_MULTI and not anywhere for part in (parts[0], parts[-1]))
    inner = "".join(_piece(part) for part in parts)
    return Ask("shape", "matches", f"(?is){'^ *' if begins else ''}{inner}{' *$' if ends else ''}")


def _piece(part: object) -> str:
    """Text whose words may stand apart by any blanks, and signs by none: as shapes are written."""
    if not isinstance(part, str):
        return ".*" if part is SpecialChars.WILDCARD_MULTI else "."
    found, before = "", ""
    for word in re.findall(r"\w+|[^\w\s]", part):
        both = re.match(r"\w", before[-1:]) and re.match(r"\w", word)
        found += (" +" if both else " *" if before else "") + conditions.escape(word)
        before = word
    return (" *" if part[:1].isspace() else "") + found + (" *" if part[-1:].isspace() else "")


def _escaped(text: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", text)

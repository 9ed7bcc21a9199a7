"""Captured logs (trimmed) beside another reading of the same lines; every difference is listed here and explained."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from parsers.events import Origin
from parsers.registry import parsers

FOLDER = Path(__file__).parent / "reference"
ZONE = ZoneInfo("Asia/Shanghai")
WHEN = datetime(2027, 1, 1, 4, tzinfo=UTC)

ANONYMOUS = "the anonymous user is called so; the other reading keeps `ftp` or the password that was typed"
EXPLAINED = {
    "vsftpd_native": {("user", "login"): (1, ANONYMOUS), ("user", "download"): (1, ANONYMOUS)},
    "vsftpd_protocol": {("user", "login"): (1, ANONYMOUS), ("user", "download"): (1, ANONYMOUS)},
    "vsftpd_syslog": {("user", "login"): (1, ANONYMOUS), ("user", "download"): (1, ANONYMOUS)},
    "vsftpd_xferlog": {("user", "download"): (1, ANONYMOUS)},
    "proftpd_xferlog": {
        ("user", "download"): (1, ANONYMOUS),
        ("bytes", "delete"): (5, "a deletion carries the size of the file that went: no traffic"),
    },
    "pureftpd_xferlog": {("user", "download"): (1, ANONYMOUS)},
    "openssh_auth_rfc3164": {
        ("ok", "rename"): (
            1,
            "at level INFO `No such file` may answer a lookup that is not logged: unknown, not failed",
        )
    },
}
PARSER = {
    "vsftpd_native": "vsftpd_native",
    "vsftpd_protocol": "vsftpd_native",
    "vsftpd_syslog": "vsftpd_syslog",
    "vsftpd_xferlog": "xferlog",
    "proftpd_xferlog": "xferlog",
    "pureftpd_xferlog": "xferlog",
    "openssh_auth_rfc3164": "openssh_sftp",
}


def differences(name: str) -> Counter[tuple[str, str]]:
    log = (FOLDER / f"{name}.log").read_bytes()
    origin = Origin("h", "ftp01", "s", name, PARSER[name], "0" * 16, 0, WHEN, WHEN)
    parsed = parsers()[PARSER[name]].parse(log, origin, ZONE, {})
    assert parsed.rejects.is_empty()
    starts, position = {}, 0
    for number, line in enumerate(log.split(b"\n"), 1):
        starts[number] = position
        position += len(line) + 1
    events = {event["position"]: event for event in parsed.events.iter_rows(named=True)}
    later = {e["activity_key"]: e["outcome"] for e in events.values() if e["record_role"] == "outcome"}
    found: Counter[tuple[str, str]] = Counter()
    for text in (FOLDER / f"{name}.jsonl").read_text().splitlines():
        told = json.loads(text)
        event = events.get(starts[told["line"]])
        if event is None:
            found["missing", told["op"]] += 1
            continue
        assert event["record_role"] == "main"
        outcome = later.get(event["activity_key"], event["outcome"])
        pairs = {
            "time": (datetime.fromisoformat(told["ts"]), event["occurred_at"]),
            "user": (told["user"], event["account"]),
            "ip": (told["ip"], event["client_ip"]),
            "op": (told["op"], event["action"]),
            "path": (told["path"], event["path"]),
            "path2": (told.get("path2"), event["path2"]),
            "bytes": (told["bytes"], event["bytes"]),
            # sftp-server never says that something went well: what is not refused is not failed
            "ok": (told["ok"], outcome == "ok" or (outcome == "unknown" and told["ok"])),
            "not ok": (not told["ok"], outcome == "failed" or (outcome == "unknown" and not told["ok"])),
        }
        if not told["ok"] and outcome == "unknown":
            found["ok", told["op"]] += 1
        found.update((key, told["op"]) for key, (theirs, ours) in pairs.items() if theirs != ours)
    return found


@pytest.mark.parametrize("name", sorted(PARSER))
def test_every_difference_from_the_reference_reading_is_explained(name):
    assert differences(name) == {key: count for key, (count, _) in EXPLAINED[name].items()}

"""An ITSM drops a ticket while the daemon runs: work under it is quiet from then on, and what was told before is settled."""

from __future__ import annotations

import json
from pathlib import Path

from daemon import configure, daemon
from receiver import receiver
from running import health, metric, read, while_alive

SECRET = b"a key for the test only"
REGISTER = """\
vendors: {wx: {tier: A, contract: {from: 2026-01-01, to: 2026-12-31}, hours: {days: [all], from: 00:00, to: 24:00}}}
people:
  zhang: {name: 张工, vendor: wx, accounts: [{system: transfer, account: wx_zhang}]}
"""
LINE = 'Wed Nov 11 09:{:02d}:00 2026 [pid 8733] [wx_zhang] OK UPLOAD: Client "10.10.1.8", "/in/patch_{}.zip", 400 bytes, 1.00Kbyte/sec\n'
LATEST = "SELECT rule, revision, severity, notify FROM findings WHERE rule = 'TIM-02'"


def drop(folder: Path, name: str, text: str) -> None:
    """As a careful ITSM does it: written beside, then renamed."""
    new = folder / f".{name}.new"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / name)


def test_a_ticket_dropped_after_the_work_settles_what_was_told(tmp_path: Path) -> None:
    log, tickets = tmp_path / "vsftpd.log", tmp_path / "site" / "tickets"
    log.write_text(LINE.format(2, 2))
    tickets.mkdir(parents=True)
    ticket = {"person": "张工", "from": "2026-11-11 09:00", "to": "2026-11-11 10:00", "actions": ["upload"]}
    with receiver(SECRET) as box:
        config, port = configure(
            tmp_path / "site",
            {"one": {"system": "transfer", "path": str(log), "format": "vsftpd_native"}},
            register=REGISTER,
            webhook=box.url,
            secret=SECRET,
            more="tickets_dir: tickets\n",
        )
        with daemon(config, port) as running:
            read(running, "one", 1)
            while_alive(running, lambda: box.keys, "the work is told")
            assert running.query(LATEST) == [{"rule": "TIM-02", "revision": 1, "severity": "high", "notify": True}]
            told = list(box.keys)

            drop(tickets, "T-0.json", json.dumps({**ticket, "to": None}))
            while_alive(
                running, lambda: "ticket left out" in running.log.read_text(), "a ticket without an end is told"
            )
            assert health(port)[2] == ["register_faulty"]
            (tickets / "T-0.json").unlink()

            drop(tickets, "T-1.json", json.dumps(ticket))
            while_alive(running, lambda: metric(running, "hiswatch_findings_settled_total") >= 1, "it is settled")
            while_alive(running, lambda: health(port) == (200, "ok", []), "well again")
            assert running.query(LATEST) == [{"rule": "TIM-02", "revision": 2, "severity": "low", "notify": False}]
            assert running.query("SELECT DISTINCT ticket, person FROM settlements") == [
                {"ticket": "T-1", "person": "zhang"}
            ]

            with log.open("a") as file:
                file.write(LINE.format(30, 3))
            read(running, "one", 2)
            rows = running.query("SELECT ticket, approved FROM events ORDER BY position")
            assert rows == [{"ticket": None, "approved": False}, {"ticket": "T-1", "approved": True}]
        with daemon(config, port) as running:
            while_alive(running, lambda: health(port) == (200, "ok", []), "it runs again")
            assert running.query("SELECT count(*) AS n FROM findings_history WHERE rule = 'TIM-02'") == [{"n": 2}]
        assert box.keys == told, "nobody is called for what was settled, nor for work under the ticket"
        assert "Traceback" not in config.with_name("daemon.log").read_text()

"""SIGTERM and SIGINT end it cleanly, SIGHUP takes a new configuration, a restart tells nothing twice."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from daemon import configure, daemon
from growing import Hospital, sources_of
from receiver import receiver
from running import UPLOAD, health, metric, read, while_alive
from servers import WAIT_SECONDS

SECRET = b"a key for the test only"


def source(path: Path) -> dict[str, str]:
    return {"system": "transfer", "path": str(path), "format": "vsftpd_native"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_last_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "vsftpd.log"
    log.write_text("".join(UPLOAD.format(n) for n in range(60)))
    config, port = configure(tmp_path / "site", {"transfer": source(log)})
    with daemon(config, port) as running:
        read(running, "transfer", 60)
        running.process.send_signal(number)
        assert running.process.wait(WAIT_SECONDS) == 0
        said = running.log.read_text()
        assert "Traceback" not in said
        assert '"event": "Stopped"' in said
        assert not (running.state / "hot.duckdb.wal").exists()
        assert not (running.state / "control.sock").exists()
        assert running.query("SELECT count(*) AS n FROM events") == [{"n": 60}]


def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    config, port = configure(tmp_path / "site", {"transfer": source(tmp_path / "vsftpd.log")})
    with daemon(config, port) as running:  # the port answers early in the start
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(WAIT_SECONDS) == 0
        assert "Traceback" not in running.log.read_text()


def test_reload_takes_a_new_source_and_goes_on_with_the_old(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text(UPLOAD.format(1))
    second.write_text(UPLOAD.format(2) * 2)
    config, port = configure(tmp_path / "site", {"one": source(first)})
    with daemon(config, port) as running:
        read(running, "one", 1)
        added = f"  two: {{system: other, path: '{second}', format: vsftpd_native}}\n"
        config.write_text(config.read_text(encoding="utf-8") + added, encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        read(running, "two", 2)
        with first.open("a") as file:
            file.write(UPLOAD.format(3))
        read(running, "one", 2)
        assert health(port)[:2] == (200, "ok")
        assert metric(running, "hiswatch_config_reloads_total", outcome="ok") == 1
        rows = running.query("SELECT source, count(*) AS n FROM events GROUP BY source ORDER BY source")
        assert rows == [{"source": "one", "n": 2}, {"source": "two", "n": 2}]


BAD = {  # what is added to a good configuration, what is told of it
    "not yaml": ("  {{{\n", "hospital.yaml:"),
    "unknown key": ("langage: zh\n", "langage: unknown key; did you mean 'language'?"),
    "unknown format": ("  two: {system: x, path: /x, format: nothing}\n", "sources.two.format: unknown format"),
    "missing register": ("register: nowhere.yaml\n", "nowhere.yaml: file not found"),
    "missing secret": (
        "alerts: {channels: {a: {type: webhook, url: 'https://a/', secret_file: none.key}}}\n",
        "alerts.channels.a.secret_file: secret file not found",
    ),
    "broken catalogue": ("catalogue: {files: [own.yaml]}\n", "own.yaml"),
}


def test_reload_of_a_bad_file_keeps_the_old(tmp_path: Path) -> None:
    log = tmp_path / "vsftpd.log"
    log.write_text(UPLOAD.format(1))
    config, port = configure(tmp_path / "site", {"one": source(log)})
    good = config.read_text(encoding="utf-8")
    config.with_name("own.yaml").write_text("tables: 5\n")
    with daemon(config, port) as running:
        read(running, "one", 1)
        for count, (name, (added, told)) in enumerate(BAD.items(), 1):
            text = good if not added.startswith("catalogue") else good.replace("catalogue:", "# catalogue:")
            config.write_text(text + added, encoding="utf-8")
            running.process.send_signal(signal.SIGHUP)
            while_alive(
                running,
                lambda count=count: metric(running, "hiswatch_config_reloads_total", outcome="refused") == count,
                f"refused: {name}",
            )
            while_alive(running, lambda told=told: told in running.log.read_text(), f"told: {name}")
            while_alive(running, lambda: health(port) == (200, "degraded", ["config_refused"]), "degraded")
        with log.open("a") as file:
            file.write(UPLOAD.format(2))
        read(running, "one", 2)
        config.write_text(good, encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(running, lambda: health(port) == (200, "ok", []), "well again")
        assert "Traceback" not in running.log.read_text()


def test_what_a_reload_cannot_change_is_said(tmp_path: Path) -> None:
    log = tmp_path / "vsftpd.log"
    log.write_text(UPLOAD.format(1))
    config, port = configure(tmp_path / "site", {"one": source(log)})
    good = config.read_text(encoding="utf-8")
    with daemon(config, port) as running:
        read(running, "one", 1)
        config.write_text(good.replace("id: test-hospital", "id: another"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(running, lambda: "site.id: changed while the daemon runs" in running.log.read_text(), "refused")
        while_alive(running, lambda: health(port) == (200, "degraded", ["config_refused"]), "degraded")
        config.write_text(good.replace("state_dir: state", "state_dir: elsewhere"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        told = "state_dir: changed; takes effect at the next start"
        while_alive(running, lambda: told in running.log.read_text(), "said")
        while_alive(running, lambda: health(port) == (200, "ok", []), "well again")
        assert not (tmp_path / "site" / "elsewhere").exists()
        assert "web: changed" not in running.log.read_text()


def test_a_restart_keeps_revisions_and_tells_nothing_twice(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path / "logs", seed=5, sessions=30)
    hospital.write_all()
    with receiver(SECRET) as box:
        config, port = configure(
            tmp_path / "site",
            sources_of(tmp_path / "logs"),
            webhook=box.url,
            secret=SECRET,
            # the upload after the restart is by an account that nobody has seen before, which would be news
            more="  group_interval_seconds: 0\n  budget_per_hour: 1000\ndetection: {disabled: [VND-07b, VND-07d]}\n",
        )
        with daemon(config, port) as running:
            read(running, "sftp", hospital.logs["sftp"].records)
            read(running, "his_pg", hospital.logs["his_pg"].records)
            read(running, "transfer", hospital.logs["transfer"].records)
            waiting = "SELECT count(*) AS n FROM outbox WHERE state = 'waiting'"
            while_alive(running, lambda: running.query(waiting) == [{"n": 0}], "every message is sent")
            findings = running.query("SELECT id, revision FROM findings_history ORDER BY ALL")
            assert len(findings) >= 4
        told = list(box.keys)
        assert told
        for number in range(1):
            with daemon(config, port) as running:
                with hospital.logs["transfer"].path.open("a") as file:
                    file.write(UPLOAD.format(number))
                read(running, "transfer", 1)
                assert running.query("SELECT id, revision FROM findings_history ORDER BY ALL") == findings
                assert running.query(waiting) == [{"n": 0}]
        assert box.keys == told
        assert len(set(told)) == len(told)


def test_the_port_is_free_again_after_the_end(tmp_path: Path) -> None:
    config, port = configure(tmp_path / "site", {"one": source(tmp_path / "vsftpd.log")})
    for _ in range(2):
        with daemon(config, port) as running:
            assert running.process.poll() is None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


REGISTER = """\
vendors: {wx: {contract: {from: 2026-01-01, to: 2026-12-31}}}
people:
  zhang: {vendor: wx, accounts: [{system: transfer, account: his_app}]}
tickets:
  T1: {person: zhang, from: 2026-11-11 08:30}
"""


def test_a_ticket_without_an_end_costs_that_ticket_only(tmp_path: Path) -> None:
    log = tmp_path / "vsftpd.log"
    log.write_text(UPLOAD.format(1))
    config, port = configure(tmp_path / "site", {"one": source(log)})
    register = config.with_name("register.yaml")
    register.write_text(REGISTER, encoding="utf-8")
    config.write_text(config.read_text(encoding="utf-8") + "register: register.yaml\n", encoding="utf-8")
    with daemon(config, port) as running:
        read(running, "one", 1)
        assert health(port) == (200, "degraded", ["register_faulty"])
        assert f"left out: {register}:5:3: tickets.T1.to: required key is missing" in running.log.read_text()
        assert metric(running, "hiswatch_register_faults") == 1

        register.write_text(REGISTER.replace("vendor: wx,", "vendor: wy,"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(
            running, lambda: "config_refused" in health(port)[2], "a person with a mistake keeps the old register"
        )
        assert "people.zhang.vendor: unknown vendor" in running.log.read_text()

        good = "  T2: {person: zhang, from: 2026-11-11 08:30, to: 2026-11-11 10:00}\n"
        register.write_text(REGISTER + good, encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(running, lambda: health(port)[2] == ["register_faulty"], "taken without the bad ticket")
        with log.open("a") as file:
            file.write(UPLOAD.format(2))
        read(running, "one", 2)
        while_alive(
            running,
            lambda: (
                [row["ticket"] for row in running.query("SELECT ticket FROM events ORDER BY position")] == [None, "T2"]
            ),
            "the good ticket holds",
        )

        register.write_text(REGISTER.partition("tickets:")[0], encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(running, lambda: health(port) == (200, "ok", []), "well again")
        assert metric(running, "hiswatch_register_faults") == 0


RULE = """\
title: A vendor moves a file
logsource: {product: hiswatch, category: transfer}
detection: {what: {action: upload}, condition: what}
level: medium
hiswatch: {id: XFR-9N, title_zh: 试验, why_zh: 说明文字, why_en: some text, likelihood: 3, impact: 4, honest_zh: 说明文字,
  honest_en: some text, misses: much of it}
"""


def test_a_rule_with_a_mistake_costs_that_rule_only(tmp_path: Path) -> None:
    log = tmp_path / "vsftpd.log"
    log.write_text(UPLOAD.format(1))
    rules = tmp_path / "site" / "rules"
    config, port = configure(tmp_path / "site", {"one": source(log)}, more="detection: {rule_dirs: [rules]}\n")
    rules.mkdir()
    (rules / "good.yaml").write_text(RULE.replace("9N", "91"), encoding="utf-8")
    bad = rules / "bad.yaml"
    bad.write_text(RULE.replace("9N", "92").replace("{action: upload}", "{acton: upload}"), encoding="utf-8")
    with daemon(config, port) as running:
        read(running, "one", 1)
        assert health(port) == (200, "degraded", ["rules_faulty"])
        assert f"left out: {bad}:3:20: detection.what.acton: acton: unknown column" in running.log.read_text()
        assert metric(running, "hiswatch_rule_faults") == 1
        found = "SELECT DISTINCT rule FROM findings WHERE rule LIKE 'XFR-9%' ORDER BY rule"
        assert running.query(found) == [{"rule": "XFR-91"}]

        bad.write_text("title: [", encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(running, lambda: f"left out: {bad}:1:" in running.log.read_text(), "not even YAML")

        bad.write_text(RULE.replace("9N", "92"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        while_alive(running, lambda: health(port) == (200, "ok", []), "well again")
        with log.open("a") as file:
            file.write(UPLOAD.format(2))
        read(running, "one", 2)
        while_alive(running, lambda: running.query(found) == [{"rule": "XFR-91"}, {"rule": "XFR-92"}], "both in force")

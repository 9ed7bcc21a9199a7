"""The command line as people and machines meet it: processes of their own, what they print, how they end."""

from __future__ import annotations

import gzip
import json
import re
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))  # the real daemon and a real receiver

from daemon import HISWATCH, configure, daemon
from receiver import receiver
from servers import wait_until

RUNNER = CliRunner()
SAMPLES = Path(__file__).parents[1] / "parsers" / "samples"
DEMO = Path(__file__).parents[2] / "config" / "demo"
PGAUDIT = SAMPLES / "postgresql_csvlog" / "15-pgaudit_all.log"
FINDING = {
    "id", "revision", "rule", "family", "title", "severity", "likelihood", "impact", "risk", "site", "system", "account",
    "person", "vendor", "client_ip", "source", "first_seen", "last_seen", "events", "rows", "rows_kind", "bytes",
    "classes", "why", "staged",
}  # fmt: skip
EVENT = {
    "event_id", "site", "system", "source", "file", "format", "position", "occurred_at", "received_at", "record_role",
    "activity_key", "action", "outcome", "account", "client_ip", "client_program", "session", "database", "statement",
    "rows", "rows_kind", "path", "direction", "bytes",
}  # fmt: skip
EXPLAINED = {
    "understood", "reason", "verb", "reads", "writes", "output_classes", "used_classes", "restriction", "bound",
    "destination", "aggregate", "tongfang", "tenants", "tenant_missing", "dump_tool", "dynamic", "audit_change",
    "privilege_change", "identity_switch", "dangerous", "injection", "slots", "flagged", "shape",
}  # fmt: skip


def hiswatch(
    *arguments: str | Path, status: int = 0, given: bytes | None = None, cwd: Path | None = None
) -> tuple[str, str]:
    """What it says on standard output and on standard error; it must end with this status and without a traceback."""
    done = subprocess.run([HISWATCH, *arguments], input=given, capture_output=True, check=False, cwd=cwd, timeout=120)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (done.returncode, out[-500:], err)
    assert "Traceback" not in err
    return out, err


def within(*arguments: str | Path, status: int = 0, given: bytes | None = None) -> tuple[str, str]:
    """The same in this process: each command is started as a program by some test, and a start takes a second."""
    done = RUNNER.invoke(app, list(map(str, arguments)), input=given)
    assert done.exit_code == status, (done.exit_code, done.stdout[-500:], done.stderr)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout, done.stderr


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.split("\n") if line]


def local(text: str, hours: int) -> datetime:
    """An ISO 8601 time that carries this offset."""
    moment = datetime.fromisoformat(text)
    offset = moment.utcoffset()
    assert offset is not None
    assert offset.total_seconds() == hours * 3600
    return moment


@pytest.fixture
def site(tmp_path: Path) -> Path:
    source = {"system": "his-pg", "path": str(PGAUDIT), "format": "postgresql_csvlog"}
    return configure(tmp_path / "site", {"pg": source})[0]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store into which the log was read; nobody writes to it any more."""
    folder = tmp_path_factory.mktemp("scanned")
    source = {"system": "his-pg", "path": str(PGAUDIT), "format": "postgresql_csvlog"}
    within("scan", "--config", configure(folder / "site", {"pg": source})[0], "--store", folder / "store", "--json")
    return folder / "store"


# -- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [[], ["run"], ["demo"], ["scan"], ["events"], ["explain"], ["query"], ["token"], ["check-config"], ["rules"], ["alerts"],
     ["alerts", "test"], ["rules", "test"], ["rules", "backtest"], ["suppressions"], ["rules", "load"]],
)  # fmt: skip
def test_every_command_explains_itself(command: list[str]) -> None:
    out, err = hiswatch(*command, "--help")
    assert "Usage: hiswatch" in out
    assert err == ""


def test_version() -> None:
    assert re.fullmatch(r"hiswatch \d+\.\d+\.\d+\S*\n", hiswatch("--version")[0])


def test_an_unknown_command_or_option_ends_with_2() -> None:
    hiswatch("scna", status=2)
    hiswatch("scan", "--confg", "x", status=2)
    hiswatch("explain", "SELECT 1", "--dialect", "sybase", status=2)


# -- scan ------------------------------------------------------------------------------------------------------------


def test_scan_prints_findings_as_lines_and_nothing_else() -> None:
    out, err = hiswatch("scan", "--config", DEMO / "hospital.yaml", "--json")
    found = objects(out)
    assert len(found) > 5
    for finding in found:
        assert set(finding) >= FINDING
        assert finding["severity"] in {"low", "medium", "high", "critical"}
        assert finding["risk"] == finding["likelihood"] * finding["impact"]
        assert local(finding["first_seen"], 8) <= local(finding["last_seen"], 8)
        assert isinstance(finding["classes"], list)
        assert finding["staged"] is False
        assert finding["site"] == "demo"
    assert len({finding["id"] for finding in found}) == len(found)
    assert re.search(r"\d+ records: \d+ events, \d+ rejects, \d+ skips", err)
    assert not (DEMO / "state").exists()


def test_scan_of_named_files_for_people() -> None:
    """Not on a terminal: full width, nothing cut or folded; in the order in which the findings began."""
    arguments = ("scan", "--config", DEMO / "hospital.yaml", DEMO / "logs" / "postgresql-2026-11-12.csv")
    out, _ = hiswatch(*arguments)
    assert "…" not in out
    assert "critical" not in out
    begun = re.findall(r"^│ (\d\d-\d\d \d\d:\d\d:\d\d)", out, re.MULTILINE)
    assert begun == sorted(begun)
    assert len(begun) == len(objects(hiswatch(*arguments, "--json")[0]))
    assert "严重" in out
    assert "EXF-" in out


def test_scan_into_a_store_brings_nothing_twice(site: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    out, err = hiswatch("scan", "--config", site, "--store", store, "--json")
    first = objects(out)
    assert first
    assert re.search(r"\d+ records: \d+ events, \d+ rejects, \d+ skips", err)
    counted = hiswatch("query", "--state-dir", store, "--json", "SELECT count(*) AS n FROM events")[0]
    assert hiswatch("scan", "--config", site, "--store", store, "--json") == (
        "",
        "already read: nothing new in 1 files\n",
    )
    assert hiswatch("query", "--state-dir", store, "--json", "SELECT count(*) AS n FROM events")[0] == counted
    rows = objects(hiswatch("query", "--state-dir", store, "--json", "SELECT id, rule FROM findings")[0])
    assert {row["id"] for row in rows} == {finding["id"] for finding in first}


def test_scan_names_what_it_cannot_read(site: Path, tmp_path: Path) -> None:
    _, err = within("scan", "--config", site, tmp_path / "none.log", status=2)
    assert "none.log: belongs to no source" in err
    _, err = within("scan", "--config", site, "--source", "pg", tmp_path / "none.log", status=2)
    assert "none.log: No such file or directory" in err
    _, err = within("scan", "--config", site, "--source", "pg", tmp_path, status=2)
    assert "not a regular file" in err
    _, err = within("scan", "--config", site, "--source", "oracle", PGAUDIT, status=2)
    assert "no source is called oracle; known: pg" in err
    _, err = within("scan", "--config", tmp_path / "none.yaml", status=2)
    assert "none.yaml" in err


@pytest.mark.parametrize("kept", [False, True])
def test_scan_does_not_say_nothing_was_found_in_what_it_could_not_read(site: Path, tmp_path: Path, kept: bool) -> None:
    store = ["--store", tmp_path / "store"] if kept else []
    packed, other = tmp_path / "log.gz", tmp_path / "vsftpd.log"
    packed.write_bytes(gzip.compress(PGAUDIT.read_bytes()))
    out, err = within("scan", "--config", site, "--source", "pg", *store, packed, status=2)
    assert (out, "log.gz: compressed (gzip); unpack it first" in err) == ("", True)
    other.write_bytes((DEMO / "logs" / "vsftpd.log").read_bytes())
    out, err = within("scan", "--config", site, "--source", "pg", *store, other, status=2)
    assert out == ""
    assert "vsftpd.log: none of its " in err
    assert "no record could be read" in err
    _, err = within("scan", "--config", site, "--source", "pg", *store, other, PGAUDIT)
    assert kept or "vsftpd.log: none of its " in err  # in a store it was read before


def test_a_scan_into_a_store_names_what_it_cannot_read(site: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none.log", tmp_path):
        _, err = within("scan", "--config", site, "--source", "pg", "--store", tmp_path / "s", path, status=2)
        assert str(path) in err


# -- events ----------------------------------------------------------------------------------------------------------


def test_events_are_json_lines_with_local_times() -> None:
    out, err = hiswatch("events", "--format", "postgresql_csvlog", "--timezone", "Asia/Shanghai", PGAUDIT)
    found = objects(out)
    assert len(found) > 100
    for event in found:
        assert set(event) >= EVENT
        local(event["occurred_at"], 8)
        local(event["received_at"], 8)
    assert len({event["event_id"] for event in found}) == len(found)
    assert "rejected" not in err


def test_events_of_a_configured_source(site: Path) -> None:
    found = objects(within("events", "--config", site, PGAUDIT)[0])
    assert {(event["site"], event["system"], event["source"]) for event in found} == {("test-hospital", "his-pg", "pg")}


def test_masked_events_carry_no_statement() -> None:
    found = objects(within("events", "--format", "postgresql_csvlog", "--masked", PGAUDIT)[0])
    assert found
    assert all("statement" not in event and "parameters" not in event for event in found)
    assert any(event["shape"] for event in found)


def test_events_as_parquet(tmp_path: Path) -> None:
    import polars as pl

    out, _ = within("events", "--format", "postgresql_csvlog", "--parquet", tmp_path / "e.parquet", PGAUDIT)
    assert out == ""
    assert set(pl.read_parquet(tmp_path / "e.parquet").columns) >= EVENT
    _, err = within(
        "events", "--format", "postgresql_csvlog", "--parquet", tmp_path / "no" / "e.parquet", PGAUDIT, status=2
    )
    assert "e.parquet" in err


def test_an_unknown_format_names_the_known_and_the_nearest() -> None:
    _, err = within("events", "--format", "postgres_csvlog", PGAUDIT, status=2)
    assert "unknown format postgres_csvlog; known: " in err
    assert "vsftpd_native" in err
    assert err.endswith("did you mean postgresql_csvlog?\n")


def test_events_say_what_is_wrong_with_the_request(tmp_path: Path) -> None:
    assert "--format" in within("events", PGAUDIT, status=2)[1]
    arguments = ("events", "--format", "postgresql_csvlog")
    assert "Asia/Shangai" in within(*arguments, "--timezone", "Asia/Shangai", PGAUDIT, status=2)[1]
    assert "No such file" in within(*arguments, tmp_path / "none.log", status=2)[1]
    assert "not a regular file" in within(*arguments, tmp_path, status=2)[1]


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    big = tmp_path / "big.csv"
    big.write_bytes((DEMO / "logs" / "postgresql-2026-11-11.csv").read_bytes() * 4)
    line = f"'{HISWATCH}' events --format postgresql_csvlog '{big}' | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    first, status = done.stdout.decode().rstrip("\n").split("\n")
    assert set(json.loads(first)) >= EVENT
    assert status == "0"
    assert done.stderr == b""
    for command in ("rules --json", "rules"):
        done = subprocess.run(
            ["bash", "-c", f"'{HISWATCH}' {command} | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, check=True
        )
        assert (done.stdout, done.stderr) == (b"0\n", b""), command


# -- explain ---------------------------------------------------------------------------------------------------------


def test_explain_has_exactly_the_documented_keys() -> None:
    out, _ = within("explain", "SELECT name, phone FROM patients", "--json")
    assert set(json.loads(out)) == EXPLAINED
    several = json.loads(within("explain", "SELECT 1; SELECT 2", "--json")[0])
    assert [set(one) for one in several] == [EXPLAINED] * 2
    unclear = json.loads(within("explain", "--json", "--", "-- ))) nothing (((")[0])
    assert set(unclear) == EXPLAINED


def test_explain_with_a_configuration_and_for_people(site: Path) -> None:
    facts = json.loads(within("explain", "SELECT * FROM patients", "--config", site, "--json")[0])
    assert "identity" in facts["output_classes"]
    assert facts["restriction"] == "none"
    assert "patients" in within("explain", "SELECT * FROM patients", "--language", "en")[0]


def test_explain_reads_many_from_standard_input() -> None:
    lines = [
        json.dumps({"id": 1, "dialect": "oracle", "sql": "SELECT * FROM pat_master_index"}),
        "no json",
        json.dumps({"id": 2, "dialect": "sybase", "sql": "SELECT 1"}),
        json.dumps({"id": 3, "sql": 5}),
        json.dumps({"id": "four", "dialect": "mysql", "sql": "SELECT 1 FROM patients"}),
    ]
    answers = objects(hiswatch("explain", "--stdin", given="\n".join(lines).encode())[0])
    assert [answer["id"] for answer in answers] == [1, None, 2, 3, "four"]
    assert set(answers[0]) == {"id", *EXPLAINED}
    assert [set(answer) for answer in answers[1:4]] == [{"id", "error"}] * 3


def test_explain_without_a_statement() -> None:
    assert "--stdin" in within("explain", status=2)[1]


# -- query -----------------------------------------------------------------------------------------------------------


def test_query_while_the_daemon_runs_and_while_it_does_not(tmp_path: Path) -> None:
    source = {"system": "his-pg", "path": str(PGAUDIT), "format": "postgresql_csvlog"}
    config, port = configure(tmp_path / "site", {"pg": source})
    arguments = ("query", "--config", config, "--json")
    counting = "SELECT count(*) AS n, min(occurred_at) AS first FROM events"
    assert "there is no store here" in hiswatch(*arguments, counting, status=2)[1]
    with daemon(config, port):
        wait_until(lambda: objects(hiswatch(*arguments, counting)[0])[0]["n"], "events are stored")
        (running,) = objects(hiswatch(*arguments, counting)[0])
    (stopped,) = objects(hiswatch(*arguments, counting)[0])
    assert running == stopped
    local(running["first"], 8)
    asked = objects(hiswatch(*arguments, "SELECT outcome FROM queries")[0])
    assert len(asked) >= 2
    assert str(running["n"]) in hiswatch("query", "--config", config, counting)[0]
    assert len(objects(hiswatch(*arguments, "--limit", "3", "SELECT event_id FROM events")[0])) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM events",
        "COPY events TO '/tmp/x'",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/x.db'",
        "SELECT * FROM state_window_panes",
        "PRAGMA database_list",
        "SELECT nothing FROM events",
        "this is no SQL",
        "",
    ],
)
def test_query_refuses_what_is_no_question(scanned: Path, sql: str) -> None:
    out, err = within("query", "--state-dir", scanned, "--json", sql, status=1)
    assert out == ""
    assert err.strip()


def test_query_needs_one_place(site: Path, tmp_path: Path) -> None:
    assert "--config" in within("query", "SELECT 1", status=2)[1]
    assert "not both" in within("query", "--config", site, "--state-dir", tmp_path, "SELECT 1", status=2)[1]


def test_query_through_a_pipe_is_tab_separated_whatever_the_folder_is_called(scanned: Path) -> None:
    asking = "SELECT event_id, account, patient_tokens, statement_masked, detail FROM events ORDER BY position"
    out, _ = hiswatch("query", "--state-dir", "store", asking, cwd=scanned.parent)
    header, *rows = out.rstrip("\n").split("\n")
    assert header == "event_id\taccount\tpatient_tokens\tstatement_masked\tdetail"
    assert len(rows) > 100
    assert all(row.count("\t") == 4 for row in rows)
    hostile = "SELECT 'a' || chr(9) || chr(10) || chr(27) || '[31m' AS text, NULL AS nothing, ['x', 'y'] AS list"
    out, _ = hiswatch("query", "--state-dir", "store", hostile, cwd=scanned.parent)
    assert out == "text\tnothing\tlist\na⟨U+0009⟩⟨U+000A⟩⟨U+001B⟩[31m\t\tx, y\n"


# -- token -----------------------------------------------------------------------------------------------------------


def test_a_token_is_the_one_of_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    from monitor.protect import Protection, load_key

    token = Protection(load_key(store / "keys" / "token.key")).token("0001234567")
    assert hiswatch("token", "0001234567", "--state-dir", store) == (token + "\n", "")
    given = b" 0001234567\r\n\n0007654321\n"
    out, err = hiswatch("token", "-", "--state-dir", "store", "--json", given=given, cwd=tmp_path)
    answers = objects(out)
    assert [set(answer) for answer in answers] == [{"token"}] * 2
    assert answers[0]["token"] == token != answers[1]["token"]
    assert err == ""


def test_a_token_needs_the_key_of_the_store_and_makes_none(site: Path, scanned: Path, tmp_path: Path) -> None:
    store = tmp_path / "none"
    assert "there is no key here" in within("token", "1", "--state-dir", store, status=2)[1]
    assert "there is no key here" in within("token", "1", "--config", site, status=2)[1]
    assert not store.exists()
    assert "--config" in within("token", "1", status=2)[1]
    assert "no value" in within("token", " ", "--state-dir", scanned, status=2)[1]
    assert "no value" in within("token", "-", "--state-dir", scanned, given=b"\n", status=2)[1]
    assert "not UTF-8" in within("token", "-", "--state-dir", scanned, given=b"\xff", status=2)[1]


# -- check-config, rules ---------------------------------------------------------------------------------------------


def test_check_config_says_ok_or_every_fault(site: Path) -> None:
    assert "ok, 1 sources" in within("check-config", site)[0]
    assert json.loads(within("check-config", site, "--json")[0]) == {"ok": True, "sources": ["pg"]}
    site.write_text(site.read_text(encoding="utf-8") + "    formt: x\nlangage: zh\n", encoding="utf-8")
    out, err = within("check-config", site, status=2)
    assert out == ""
    assert [re.sub(r"^\S+hospital\.yaml:(\d+:\d+): (\S+):.*", r"\2", line) for line in err.rstrip().split("\n")] == [
        "sources.pg.formt",
        "langage",
    ]
    out, err = within("check-config", site, "--json", status=2)
    faults = objects(out)
    assert [fault["key"] for fault in faults] == ["sources.pg.formt", "langage"]
    assert all(fault["line"] > 0 and fault["column"] > 0 and fault["message"] for fault in faults)
    assert err == ""


def test_check_config_warns_of_what_may_not_be_meant(tmp_path: Path) -> None:
    config = tmp_path / "hospital.yaml"
    config.write_text(
        "site: {id: h}\nlisteners: {main: {protocol: udp, listen: '0.0.0.0:5514'}}\n"
        "sources: {all: {system: s, listener: main, format: syslog}}\n",
        encoding="utf-8",
    )
    out, err = within("check-config", config)
    assert "ok, 1 sources" in out
    assert err.startswith("warning: ")
    assert "hospital.yaml:2:35: listeners.main.listen: receives on all addresses from everybody" in err
    [told] = objects(within("check-config", config, "--json")[0])
    assert [one["key"] for one in told["warnings"]] == ["listeners.main.listen"]


def test_check_config_of_what_is_no_file(tmp_path: Path) -> None:
    assert "none.yaml" in hiswatch("check-config", tmp_path / "none.yaml", status=2)[1]
    assert str(tmp_path) in hiswatch("check-config", tmp_path, status=2)[1]
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "bytes.yaml" in hiswatch("check-config", tmp_path / "bytes.yaml", status=2)[1]


def test_rules_as_json(site: Path) -> None:
    shipped = objects(within("rules", "--json")[0])
    assert len(shipped) >= 40
    for rule in shipped:
        assert {"id", "family", "title", "severity", "likelihood", "impact", "risk", "staged"} <= set(rule)
        assert rule["id"].startswith(rule["family"] + "-")
        assert rule["risk"] == rule["likelihood"] * rule["impact"]
    site.write_text(site.read_text(encoding="utf-8") + "detection: {disabled: [EXF]}\n", encoding="utf-8")
    own = objects(within("rules", "--config", site, "--json", "--language", "en")[0])
    assert {rule["id"] for rule in own} == {rule["id"] for rule in shipped if rule["family"] != "EXF"}
    assert "XFR-02" in within("rules")[0]


# -- alerts test -----------------------------------------------------------------------------------------------------


def test_alerts_test_reaches_a_receiver_or_says_why_not(tmp_path: Path) -> None:
    secret = b"a key for the test only"
    source = {"system": "his-pg", "path": str(PGAUDIT), "format": "postgresql_csvlog"}
    with receiver(secret) as box:
        config, _ = configure(tmp_path / "site", {"pg": source}, webhook=box.url, secret=secret)
        assert hiswatch("alerts", "test", "--config", config)[0] == "oncall: ok\n"
        assert objects(hiswatch("alerts", "test", "--config", config, "--json")[0]) == [
            {"channel": "oncall", "ok": True, "reason": None}
        ]
        assert len(set(box.keys)) == 2
        assert box.bad_signatures == 0
        box.answer = 500
        (told,) = objects(hiswatch("alerts", "test", "--config", config, "--json", status=1)[0])
        assert told["ok"] is False
        assert told["reason"] == "receiver_error"
    (told,) = objects(hiswatch("alerts", "test", "--config", config, "--json", status=1)[0])
    assert told["ok"] is False
    assert told["reason"]


def test_alerts_test_without_a_channel(site: Path) -> None:
    assert "no channel is configured" in within("alerts", "test", "--config", site, status=1)[0]


# -- demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_finds_the_night_and_stops_by_itself() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    out, err = hiswatch("demo", "--seconds", "20", "--listen", f"127.0.0.1:{port}", "--json", "--language", "en")
    found = objects(out)
    assert all(set(finding) >= FINDING for finding in found)
    assert any(finding["severity"] == "critical" for finding in found)
    assert "1895 events" not in err  # records of several lines are one event
    assert re.search(r"\d+ events, \d+ rejects, \d+ skips, \d+ findings", err)

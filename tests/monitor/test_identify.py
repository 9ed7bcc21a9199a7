"""`hiswatch identify` names the format of a file, `hiswatch sample` shows what a parser makes of it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from config.loader import load_settings
from monitor.cli import app
from monitor.errors import StartError
from monitor.identify import configuration, hours_off, identify
from parsers.registry import parsers

_spec = importlib.util.spec_from_file_location(
    "regenerate_identify", Path(__file__).parents[1] / "parsers" / "regenerate.py"
)
assert _spec is not None
assert _spec.loader is not None
regenerate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(regenerate)

ZONE = ZoneInfo("Asia/Shanghai")
RUNNER = CliRunner()
SAMPLES = [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in regenerate.samples()]
# what only a person can say which field is what of
UNTOLD = ("key_value-", "regex_lines-", "json_lines-jumpserver_syslog", "csv_lines-exchange_tracking")


@pytest.mark.parametrize("sample", [one for one in SAMPLES if not str(one.id).startswith(UNTOLD)])
def test_every_sample_is_known_by_its_format(sample: Path) -> None:
    found = [one.format for one in identify(sample, ZONE)]
    assert sample.parent.name in found[:2], found


@pytest.mark.parametrize("sample", [one for one in SAMPLES if str(one.id).startswith(UNTOLD)])
def test_what_must_be_described_is_taken_for_nothing_else(sample: Path) -> None:
    assert [one.format for one in identify(sample, ZONE) if one.events] == []


def test_the_configuration_shown_can_be_pasted(tmp_path: Path) -> None:
    log = tmp_path / "vsftpd 日志.log"
    shutil.copy(next((regenerate.SAMPLES / "vsftpd_native").glob("*.log")), log)
    result = RUNNER.invoke(app, ["identify", "--json", str(log)])
    assert result.exit_code == 0
    best = json.loads(result.stdout)["candidates"][0]
    assert best["format"] == "vsftpd_native"
    (tmp_path / "hospital.yaml").write_text("site: {id: h}\n" + best["configuration"])
    formats = {name: unit.options for name, unit in parsers().items()}
    settings = load_settings(tmp_path / "hospital.yaml", formats)
    assert [source.path for source in settings.sources.values()] == [str(log)]


def test_what_is_no_log_is_said_to_be_none(tmp_path: Path) -> None:
    for name, data, word in (
        ("empty", b"", "empty"), ("gz", b"\x1f\x8b\x08" + os.urandom(99), "gzip"), ("utf16", "a\n".encode("utf-16"), "UTF-16"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        with pytest.raises(StartError, match=word):
            identify(tmp_path / name, ZONE)
    with pytest.raises(StartError, match="regular"):
        identify(tmp_path, ZONE)
    (tmp_path / "prose").write_text("It was a dark and stormy night.\nNothing here is a log.\n" * 40)
    (tmp_path / "noise").write_bytes(os.urandom(20_000))
    for name in ("prose", "noise"):
        assert identify(tmp_path / name, ZONE) == []
        assert RUNNER.invoke(app, ["identify", str(tmp_path / name)]).exit_code == 1


def test_a_log_that_tells_nothing_yet_is_known_by_what_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "new.log").write_bytes(
        b"2026-11-11 08:55:00.123 CST [812] LOG:  starting PostgreSQL 15.14 on x86_64-pc-linux-gnu, 64-bit\n"
        b"2026-11-11 08:55:00.140 CST [812] LOG:  database system is ready to accept connections\n"
    )
    assert [(one.format, one.events) for one in identify(tmp_path / "new.log", ZONE)][:1] == [("postgresql_stderr", 0)]
    for name, data in (("blank", b"\n\n\n"), ("brackets", b"[\n]\n")):
        (tmp_path / name).write_bytes(data)
        assert identify(tmp_path / name, ZONE) == []


def test_a_log_cut_within_a_great_record_is_known(tmp_path: Path) -> None:
    whole = (regenerate.SAMPLES / "postgresql_csvlog" / "15-pgaudit_all.log").read_bytes()
    (tmp_path / "cut.csv").write_bytes(b"a" * 100_000 + b'",,,,,,,,,"psql","client backend",,0\n' + whole * 12)
    assert [one.format for one in identify(tmp_path / "cut.csv", ZONE)] == ["postgresql_csvlog"]


def test_the_plainer_of_two_equal_answers_comes_first(tmp_path: Path) -> None:
    line = b'Nov 18 09:02:12 ftp01 vsftpd[87]: [chen] OK UPLOAD: Client "10.10.1.8", "/in/%d.hl7", 400 bytes, 194.15Kbyte/sec\n'
    (tmp_path / "vsftpd.log").write_bytes(b"".join(line % n for n in range(9)))
    assert [one.format for one in identify(tmp_path / "vsftpd.log", ZONE)] == ["vsftpd_syslog", "syslog"]


def test_a_mixed_file_gets_the_options_of_the_formats_behind_it(tmp_path: Path) -> None:
    samba = b"Nov 18 09:00:0%d nas smbd_audit: chen|10.0.0.5|pc7|scans|mkdirat|ok|/srv/scans/%d\n"
    sshd = b"Nov 18 09:00:09 ftp01 sshd[41]: Accepted password for chen from 10.0.0.5 port 4%d ssh2\n"
    (tmp_path / "messages").write_bytes(b"".join(samba % (n, n) + sshd % n for n in range(9)))
    best = identify(tmp_path / "messages", ZONE)[0]
    assert (best.format, best.rejects) == ("syslog", 0)
    assert best.options == {"formats": {"samba_full_audit": {"prefix": "%u|%I|%m|%S"}}}


def test_one_file_that_is_no_log_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"")
    shutil.copy(next((regenerate.SAMPLES / "vsftpd_native").glob("*.log")), tmp_path / "b.log")
    told = RUNNER.invoke(app, ["identify", str(tmp_path / "a.log"), str(tmp_path), str(tmp_path / "b.log")])
    assert told.exit_code == 2
    assert "format: vsftpd_native" in told.stdout
    assert "a.log: empty" in told.stderr
    assert "not a regular file" in told.stderr


def test_a_zone_that_is_hours_off_is_noticed() -> None:
    last = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
    assert hours_off(last, last + timedelta(hours=8, seconds=5)) == "+8"
    assert hours_off(last, last + timedelta(seconds=5)) is None
    assert hours_off(last, last + timedelta(hours=3, minutes=20)) is None


def test_sample_shows_records_beside_what_was_made_of_them(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    line = b"Wed Nov 18 09:02:12 2026 0 10.10.1.8 400 /home/a/b\x1b[2J.hl7 b _ i r his_app ftp 0 * c\n"
    log.write_bytes(line + b"no such line\n")
    told = RUNNER.invoke(app, ["sample", "xferlog", str(log), "--json"])
    records = [json.loads(text) for text in told.stdout.strip().split("\n")]
    assert records[0]["event"]["account"] == "his_app"
    assert records[1] == {"position": len(line), "raw": "no such line\n", "reject": "unknown_form"}
    assert records[2] == {"skips": {}}
    text = RUNNER.invoke(app, ["sample", "xferlog", str(log)]).stdout
    assert "REJECT" in text
    assert "\x1b" not in text
    only = RUNNER.invoke(app, ["sample", "xferlog", str(log), "--rejects"]).stdout
    assert "his_app" not in only


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "xferlo", "x"], "did you mean xferlog?"),
        (["sample", "xferlog", "/nowhere"], "/nowhere: No such file"),
        (["sample", "xferlog", "x", "--option", "a=b"], "--option a: this format takes no options"),
        (["sample", "xferlog", "x", "--option", "a"], "expected KEY=VALUE"),
        (["sample", "xferlog", "x", "--timezone", "Mars"], "unknown time zone Mars"),
        (["identify", "/nowhere"], "/nowhere: No such file"),
    ],
)
def test_mistakes_are_named(arguments: list[str], message: str) -> None:
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_fields_read_as_one_are_not_the_better_reading(tmp_path: Path) -> None:
    """Under the default prefix the address and the program would belong to the name of the database."""
    lines = [
        "2026-11-12 00:01:51.394 CST [14883] [unknown]@[unknown] 192.168.66.14 [unknown] LOG:  connection received: host=192.168.66.14 port=36230"
    ]
    lines += [
        f'2026-11-12 00:01:5{second}.437 CST [14883] li@his 192.168.66.14 Navicat LOG:  AUDIT: SESSION,{second},1,READ,SELECT,,,"SELECT 1",<none>'
        for second in range(1, 9)
    ]  # fmt: skip
    log = tmp_path / "postgresql-2026-11-12_000000.log"
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    best = identify(log, ZONE)[0]
    assert best.options == {"log_line_prefix": "%m [%p] %q%u@%d %h %a "}


@pytest.mark.parametrize(
    ("name", "path", "source"),
    [
        ("postgresql-2026-11-11_085500.csv", "postgresql-*.csv", "postgresql"),
        ("xferlog-20261112", "xferlog-*", "xferlog"),
        ("access.log.2026-11-12", "access.log.*", "access"),
        ("vsftpd.log", "vsftpd.log", "vsftpd"),
        ("2026-11-12.log", "*.log", "log"),
        ("server20269912.log", "server20269912.log", "server20269912"),
    ],
)
def test_the_files_of_other_days_are_meant_too(tmp_path: Path, name: str, path: str, source: str) -> None:
    log = tmp_path / name
    log.write_bytes((regenerate.SAMPLES / "vsftpd_native" / "3.0.3.log").read_bytes())
    told = configuration(log, identify(log, ZONE)[0], "Asia/Shanghai")
    assert f"\n  {source}:\n" in told
    assert f"path: {tmp_path / path}\n" in told.replace('"', "")


def test_a_column_that_says_utc_is_read_as_utc(tmp_path: Path) -> None:
    for column, zone in (("EVENT_TIMESTAMP_UTC", "UTC"), ("EVENT_TIMESTAMP", "Asia/Shanghai")):
        log = tmp_path / "audit.csv"
        log.write_text(
            f"{column},DBUSERNAME,SQL_TEXT\n2026-11-12 08:00:01,li,SELECT 1\n2026-11-12 08:00:02,li,SELECT 2\n"
        )
        assert f"timezone: {zone}\n" in configuration(log, identify(log, ZONE)[0], "Asia/Shanghai")

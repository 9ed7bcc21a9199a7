"""Logs that real servers write here and now are read whole, and the acts in them come out right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers import mariadb, openssh, postgresql, vsftpd, wait_until

from parsers.events import Origin
from parsers.registry import Parsed, parsers

ZONE = "Asia/Shanghai"


def read(path: Path, name: str) -> Parsed:
    data = path.read_bytes()
    parser = parsers()[name]
    assert parser.framing(data, final=False) == len(data), "a server writes whole records"
    origin = Origin("site", "system", "source", path.name, name, "0" * 16, 0, datetime.now(UTC), datetime.now(UTC))
    parsed = parser.parse(data, origin, ZoneInfo(ZONE), {})
    told = (
        parsed.events["length"].sum() + parsed.rejects["length"].sum() + sum(size for _, size in parsed.skips.values())
    )
    assert told == len(data)
    assert parsed.rejects.is_empty()
    assert parsed.events["clock_trusted"].all()
    return parsed


@pytest.mark.live
def test_postgresql_tells_the_same_in_csv_and_json(tmp_path: Path) -> None:
    with postgresql(tmp_path / "pg", ZONE) as server:
        server.psql("CREATE DATABASE his", database="postgres")
        server.psql(
            "CREATE TABLE patients (patient_id int, name text); INSERT INTO patients VALUES (1, '张三'), (2, 'O''Neil\nline');"
        )
        server.psql("SELECT * FROM patients")
        with pytest.raises(Exception):  # noqa: B017 - psql fails, which is what is logged
            server.psql("SELECT no_such_column FROM patients")
    csv, json = (read(next(server.logs.glob(f"*.{kind}")), f"postgresql_{kind}log") for kind in ("csv", "json"))
    shared = [
        "action",
        "outcome",
        "error_code",
        "account",
        "database",
        "command",
        "statement",
        "rows",
        "rows_kind",
        "session",
    ]
    # records of two sessions at once may stand in another order in the two logs: a session sends one after the other
    told = [log.events.select(shared).sort("session", maintain_order=True) for log in (csv, json)]
    assert told[0].equals(told[1])
    reads = csv.events.filter(pl.col("statement") == "SELECT * FROM patients")
    assert reads["rows"].to_list() == [2]
    failed = csv.events.filter((pl.col("outcome") == "failed") & (pl.col("action") == "query"))
    assert failed["error_code"].to_list() == ["42703"]


@pytest.mark.live
def test_mariadb_server_audit(tmp_path: Path) -> None:
    with mariadb(tmp_path / "m", ZONE) as server:
        server.run(
            "CREATE DATABASE his CHARACTER SET utf8mb4; CREATE TABLE his.patients (id int, name text); INSERT INTO his.patients VALUES (1, 'it''s'), (2, '张三')"
        )
        server.run("SELECT * FROM patients WHERE name = 'it\\'s'", database="his")
        server.run("SELECT 1", user="nobody_here", check=False)
        wait_until(lambda: b"nobody_here" in server.log.read_bytes(), "the refused login is logged")
    events = read(server.log, "mariadb_server_audit").events
    assert events.filter((pl.col("action") == "login") & (pl.col("outcome") == "failed"))["account"].to_list() == [
        "nobody_here"
    ]
    statements = events.filter(pl.col("statement").str.starts_with("SELECT * FROM patients"))
    assert statements["statement"].to_list() == ["SELECT * FROM patients WHERE name = 'it\\'s'"]
    assert statements["rows_kind"].to_list() == ["unknown"]


@pytest.mark.live
def test_vsftpd_native_and_xferlog_tell_the_same_transfer(tmp_path: Path) -> None:
    file = tmp_path / "a file.dmp"
    file.write_bytes(b"x" * 12345)
    with vsftpd(tmp_path / "ftp", ZONE) as server:
        server.upload(file, "his.dmp", "vendor_one")
        wait_until(
            lambda: b"OK UPLOAD" in server.log.read_bytes() and server.xferlog.read_bytes(), "the upload is logged"
        )
    for path, name in ((server.log, "vsftpd_native"), (server.xferlog, "xferlog")):
        uploads = read(path, name).events.filter(pl.col("action") == "upload")
        told = uploads.select("account", "bytes", "direction", "outcome", "client_ip", "path").rows()
        assert told == [("vendor_one", 12345, "in", "ok", "127.0.0.1", "/incoming/his.dmp")]


@pytest.mark.live
def test_openssh_tells_the_same_in_three_envelopes(tmp_path: Path) -> None:
    file, remote = tmp_path / "local", tmp_path / "病人.dmp"
    file.write_bytes(b"x" * 5000)
    with openssh(tmp_path / "ssh", ZONE) as server:
        server.sftp(f'put "{file}" "{remote}"\nget "{remote}" "{tmp_path / "back"}"\nrm "{remote}"\n', "root")
        wait_until(
            lambda: all(b"session closed" in path.read_bytes() for path in server.logs.values()), "the session ended"
        )
    told = []
    for path in server.logs.values():
        events = read(path, "openssh_sftp").events
        acts = events.filter(
            pl.col("action").is_in(["upload", "download", "delete"]) & (pl.col("record_role") == "main")
        )
        told.append(acts.select("action", "account", "client_ip", "path", "bytes").rows())
    assert told[0] == told[1] == told[2]
    assert [(a, u, i, p) for a, u, i, p, _ in told[0]] == [
        (a, "root", "127.0.0.1", str(remote)) for a in ("upload", "download", "delete")
    ]
    assert [row[4] for row in told[0][:2]] == [5000, 5000]

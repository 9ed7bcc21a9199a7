"""Logs that a real smbd and real rsync daemons write here and now are read whole, and the acts in them come out right."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers import wait_until
from servers_samba import Rsync, rsyncd, samba

from parsers.events import Origin
from parsers.registry import Parsed, parsers

ZONE = "Asia/Shanghai"
MIB = 1 << 20
PREFIX = "%u|%I|%m|%S"
WITH_BYTES = "op=%o ip=%a user=%u module=%m file=%f length=%l bytes=%b"


def read(path: Path, name: str, **options: Any) -> Parsed:
    data = path.read_bytes()
    unit = parsers()[name].configured(options)
    now = datetime.now(UTC)
    parsed = unit.parse(
        data, Origin("site", "nas", "source", path.name, name, "0" * 16, 0, now, now), ZoneInfo(ZONE), {}
    )
    told = parsed.events["length"].sum() + sum(size for _, size in parsed.skips.values())
    assert told == len(data)
    assert parsed.rejects.is_empty()
    assert parsed.events["clock_trusted"].all()
    assert not parsed.events["forgeable"].any()
    return parsed


def mains(parsed: Parsed, *actions: str) -> pl.DataFrame:
    return parsed.events.filter((pl.col("record_role") == "main") & pl.col("action").is_in(actions))


@pytest.mark.live
def test_samba_requests_become_what_the_client_did(tmp_path: Path) -> None:
    work = tmp_path / "client"
    work.mkdir()
    (work / "big").write_bytes(b"x" * (20 * MIB))
    (work / "back").mkdir()
    with samba(tmp_path / "smb", ZONE) as server:
        for number in range(30):
            (server.share / f"病历{number:02d}.jpg").write_bytes(b"scan")
        (server.share / "pi|pe |ok| x.txt").write_bytes(b"odd")
        (server.share / "空.txt").write_bytes(b"")
        server.client("ls", work)
        server.client("ls; ls", work)
        commands = [
            'put big "患者 导出.dmp"',
            'rename "患者 导出.dmp" IMG_0231.jpg',
            'get IMG_0231.jpg "again.dmp"',
            "scopy IMG_0231.jpg copy.jpg",
            "mkdir 新",
            "rmdir 新",
            "del copy.jpg",
            "get no_such_file",
            "lcd back",
            "prompt off",
            "mget *.txt",
        ]
        said = server.client("; ".join(commands), work)
        wait_until(
            lambda: all(log.read_bytes().count(b"|disconnect|") == 3 for log in server.logs.values()),
            f"all three clients have left: {said}",
        )
        wait_until(lambda: all(log.read_bytes().endswith(b"\n") for log in server.logs.values()), "rsyslog is done")
        told = [read(log, "samba_full_audit", prefix=PREFIX) for log in server.logs.values()]
        share = str(server.share)
    columns = ["record_role", "action", "outcome", "account", "client_ip", "path", "path2", "bytes", "object_name"]
    assert told[0].events.select(columns).equals(told[1].events.select(columns)), "both envelopes tell the same"
    parsed = told[0]
    assert set(parsed.events["account"]) == {"root"}
    assert set(parsed.events["client_ip"]) == {"127.0.0.1"}
    downloads = mains(parsed, "download").filter(pl.col("outcome") == "ok")["path"].to_list()
    assert sorted(downloads) == sorted([f"{share}/IMG_0231.jpg", f"{share}/pi|pe |ok| x.txt"]), (
        "no listing is a download"
    )
    uploads = mains(parsed, "upload").select("path", "direction").rows()
    assert uploads == [(f"{share}/患者 导出.dmp", "in"), (f"{share}/copy.jpg", None)]
    assert mains(parsed, "list").height >= 3
    assert mains(parsed, "rename").select("path", "path2").rows() == [
        (f"{share}/患者 导出.dmp", f"{share}/IMG_0231.jpg")
    ]
    assert mains(parsed, "mkdir")["path"].to_list() == [f"{share}/新"]
    assert set(mains(parsed, "delete", "rmdir")["path"]) == {f"{share}/新", f"{share}/copy.jpg"}
    assert mains(parsed, "login").height == mains(parsed, "logout").height == 3
    failed = parsed.events.filter((pl.col("outcome") == "failed") & (pl.col("action") == "download"))
    assert failed["path"].to_list() == [f"{share}/no_such_file"]
    volumes = parsed.events.filter((pl.col("record_role") == "outcome") & pl.col("path").str.ends_with("IMG_0231.jpg"))
    assert 1 * MIB <= volumes["bytes"].sum() <= 40 * MIB
    transfers = parsed.events.filter(pl.col("record_role") == "outcome")
    assert set(transfers["activity_key"]) <= set(mains(parsed, "upload", "download")["activity_key"])


def exchange(server: Rsync, work: Path) -> None:
    """A pull, a push, a deletion, a missing file, a wrong password and an upload that is killed."""
    (server.module / "his full.dmp").write_bytes(b"x" * 300_000)
    (server.module / "归档.arc").write_bytes(b"y" * 1000)
    url = "vendor@127.0.0.1::backup"
    work.mkdir()
    (work / "push").mkdir()
    (work / "push" / "导出 999999999").write_bytes(b"z" * 1234)
    assert server.run(f"{url}/", work / "pulled") == 0
    assert server.run(f"{work / 'push'}/", f"{url}/in/") == 0
    assert server.run(f"{url}/missing", work / "pulled") != 0
    assert server.run("stranger@127.0.0.1::backup/", work / "pulled") != 0
    (work / "empty").mkdir()
    assert server.run("--delete", f"{work / 'empty'}/", f"{url}/in/") == 0
    (work / "huge").write_bytes(b"h" * (30 * MIB))
    server.killed("--bwlimit=500", work / "huge", f"{url}/")
    # which of these depends on what the server was doing when the client died
    broke = re.compile(rb"\(code (?:10|12|20|30|35)\)")
    wait_until(lambda: broke.search(server.log.read_bytes()), "the abort is logged")
    wait_until(lambda: server.log.read_bytes().endswith(b"\n"), "the last line is whole")


ACTS = [
    ("download", "ok", "his full.dmp", 300_000),
    ("download", "ok", "归档.arc", 1000),
    ("upload", "ok", "in/导出 999999999", 1234),
    ("download", "failed", "missing", None),
    ("delete", "ok", "in/导出 999999999", None),
]


@pytest.mark.live
@pytest.mark.parametrize("to_syslog", [False, True])
def test_rsync_in_its_own_file_and_through_syslog(tmp_path: Path, to_syslog: bool) -> None:
    with rsyncd(tmp_path / "d", ZONE, to_syslog=to_syslog) as server:
        exchange(server, tmp_path / "client")
        parsed = read(server.log, "rsyncd_syslog" if to_syslog else "rsyncd")
    acts = mains(parsed, "download", "upload", "delete")
    assert acts.select("action", "outcome", "path", "bytes").rows()[:5] == ACTS
    assert set(acts["account"]) == {"vendor"}
    aborted = acts.filter(pl.col("error_code") == "aborted")
    assert aborted.select("action", "outcome", "bytes_kind", "account").rows() == [
        ("upload", "failed", "unknown", "vendor")
    ]
    refused = mains(parsed, "login").filter(pl.col("outcome") == "failed")
    assert refused["account"].to_list() == ["stranger"]


@pytest.mark.live
def test_rsync_tells_bytes_moved_where_the_format_asks_for_them(tmp_path: Path) -> None:
    with rsyncd(tmp_path / "d", ZONE, WITH_BYTES) as server:
        exchange(server, tmp_path / "client")
        parsed = read(server.log, "rsyncd", log_format=WITH_BYTES)
    moved = mains(parsed, "download", "upload").filter(pl.col("bytes_kind") == "known")
    assert moved["path"].to_list() == ["his full.dmp", "归档.arc", "in/导出 999999999"]
    assert moved.filter(pl.col("path") == "his full.dmp")["bytes"][0] == pytest.approx(300_000, rel=0.05)

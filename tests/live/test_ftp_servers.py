"""What real FTP servers log of real transfers here and now: each act once, and under one key in every log of a server."""

from __future__ import annotations

import ftplib
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers import vsftpd, wait_until
from servers_ftp import KEY_VALUE, USER, FtpServer, proftpd, pureftpd

from parsers.events import Origin
from parsers.registry import Parsed, parsers

ZONE = "Asia/Shanghai"
# name, encoding: blanks, quotes, two encodings of Chinese, and the ends of the logs' own lines
NAMES = [
    ("his full.dmp", "utf-8"),
    ("quo\"te's.csv", "utf-8"),
    ("病人 名单.xlsx", "utf-8"),
    ("患者名单.zip", "gb18030"),
    ('a" 226 999999999', "utf-8"),
    ('b" code=226 bytes=999999999 dur=1.000 xfer=success fail="-" size=9 end=', "utf-8"),
    ("c b _ o r root ftp 0 * c", "utf-8"),
    ('r.txt", 999999999 bytes, 1.00Kbyte', "utf-8"),
    ("d uploaded  (999999999 bytes, 1.00KB", "utf-8"),
]
SIZES = {name: 1000 + 7 * place for place, (name, _) in enumerate(NAMES)}
MOVED = ["upload", "download"]


def read(path: Path, name: str, **options: str) -> Parsed:
    data = path.read_bytes()
    parser = parsers()[name].configured(options)
    assert parser.framing(data, final=False) == len(data), "a server writes whole records"
    now = datetime.now(UTC)
    parsed = parser.parse(data, Origin("h", "ftp", "s", path.name, name, "0" * 16, 0, now, now), ZoneInfo(ZONE), {})
    told = parsed.events["length"].sum() + parsed.rejects["length"].sum()
    assert told + sum(size for _, size in parsed.skips.values()) == len(data)
    assert parsed.rejects.is_empty(), parsed.rejects["text"].to_list()
    assert parsed.events["clock_trusted"].all()
    return parsed


def mains(parsed: Parsed, *actions: str) -> pl.DataFrame:
    return parsed.events.filter((pl.col("record_role") == "main") & pl.col("action").is_in(actions))


def keys(parsed: Parsed, *actions: str) -> Counter[str]:
    return Counter(mains(parsed, *actions)["activity_key"].to_list())


def last_parts(parsed: Parsed, action: str) -> list[tuple[str, int]]:
    told = mains(parsed, action).filter(pl.col("outcome") == "ok")
    return sorted((path.rsplit("/", 1)[-1], size) for path, size in told.select("path", "bytes").rows())


def act(server: FtpServer) -> None:
    """Every name up and down; one file renamed and deleted; a wrong password; an upload whose client dies."""
    for encoding in ("gb18030", "utf-8"):
        client = server.client(encoding)
        for name in (name for name, coded in NAMES if coded == encoding):
            client.storbinary(f"STOR {name}", io.BytesIO(b"x" * SIZES[name]))
            client.retrbinary(f"RETR {name}", lambda _: None)
        if encoding == "utf-8":
            client.rename("his full.dmp", "IMG 0231.jpg")
            client.delete("IMG 0231.jpg")
        client.quit()
    with pytest.raises(ftplib.error_perm):
        server.client(password="wrong")
    dying = server.client()
    data = dying.transfercmd("STOR cut off.dmp")
    data.sendall(b"x" * 4321)
    data.close()  # to the server a client that dies and one that is done look the same
    dying.voidresp()
    dying.close()


def expected() -> list[tuple[str, int]]:
    return sorted((name, size) for name, size in SIZES.items())


@pytest.mark.live
def test_proftpd_tells_each_act_once_and_under_one_key_in_all_its_logs(tmp_path: Path) -> None:
    with proftpd(tmp_path / "pro", ZONE) as server:
        act(server)
        for name in ("xferlog", "default", "key_value"):
            wait_until(lambda name=name: b"cut" in server.logs[name].read_bytes(), f"the cut off upload is in {name}")
        for name in ("default", "key_value"):  # the client has its answer before that is logged
            wait_until(lambda name=name: server.logs[name].read_bytes().count(b"QUIT") >= 2, f"both ends are in {name}")
    full = read(server.logs["key_value"], "proftpd_extended", log_format=KEY_VALUE)
    default = read(server.logs["default"], "proftpd_extended")
    xferlog = read(server.logs["xferlog"], "xferlog")
    assert last_parts(full, "upload") == sorted([*expected(), ("cut off.dmp", 4321)])
    assert last_parts(full, "download") == expected()
    for parsed in (full, default):
        assert mains(parsed, "rename").select("outcome", "account").rows() == [("ok", USER)]
        renamed = mains(parsed, "rename").select("path", "path2").row(0)
        assert [path.rsplit("/", 1)[-1] for path in renamed] == ["his full.dmp", "IMG 0231.jpg"]
        assert mains(parsed, "delete")["path"].str.ends_with("IMG 0231.jpg").to_list() == [True]
        assert mains(parsed, "login").group_by("outcome").len().sort("outcome").rows() == [("failed", 1), ("ok", 3)]
        assert set(mains(parsed, "login")["account"]) == {USER}
    assert keys(full, *MOVED, "delete") == keys(xferlog, *MOVED, "delete")
    every = (*MOVED, "delete", "rename", "login", "list", "logout")
    assert keys(full, *every) == keys(default, *every)
    auth = read(server.logs["auth"], "proftpd_extended", log_format=r"%v [%P] %h %t \"%r\" %s")
    assert keys(auth, "login") == keys(full, "login")
    refused = mains(read(server.logs["system"], "proftpd_system"), "login").filter(pl.col("outcome") == "failed")
    failed = mains(full, "login").filter(pl.col("outcome") == "failed")
    assert refused["activity_key"].to_list() == failed["activity_key"].to_list()


@pytest.mark.live
@pytest.mark.parametrize("form", ["clf", "stats", "w3c", "xferlog"])
def test_pureftpd_tells_each_act_once_and_under_one_key_in_both_logs(tmp_path: Path, form: str) -> None:
    with pureftpd(tmp_path / "pure", form, ZONE) as server:
        act(server)
        wait_until(lambda: b"cut" in server.logs["altlog"].read_bytes(), "the cut off upload is in the AltLog")
        wait_until(lambda: server.logs["syslog"].read_bytes().count(b"Logout.") >= 5, "all sessions ended")
    altlog = read(server.logs["altlog"], "xferlog" if form == "xferlog" else f"pureftpd_{form}")
    syslog = read(server.logs["syslog"], "pureftpd_syslog")
    assert keys(altlog, *MOVED) == keys(syslog, *MOVED)
    for parsed in (syslog, *([] if form == "xferlog" else [altlog])):
        assert last_parts(parsed, "upload") == sorted([*expected(), ("cut off.dmp", 4321)])
        assert last_parts(parsed, "download") == expected()
    assert set(mains(altlog, *MOVED)["account"]) == {USER}
    assert mains(syslog, "rename").select("path", "path2").rows() == [("his full.dmp", "IMG 0231.jpg")]
    assert mains(syslog, "delete")["path"].str.ends_with("/IMG 0231.jpg").to_list() == [True]
    logins = mains(syslog, "login").group_by("outcome", "account").len().sort("outcome")
    assert logins.rows() == [("failed", USER, 1), ("ok", USER, 3)]


@pytest.mark.live
def test_vsftpd_tells_a_transfer_under_one_key_in_both_logs(tmp_path: Path) -> None:
    with vsftpd(tmp_path / "ftp", ZONE) as server:
        for name, encoding in NAMES:
            client = ftplib.FTP(timeout=30, encoding=encoding)
            client.connect("127.0.0.1", server.port)
            client.login(USER, "x")
            client.storbinary(f"STOR incoming/{name}", io.BytesIO(b"x" * SIZES[name]))
            client.retrbinary(f"RETR incoming/{name}", lambda _: None)
            client.quit()
        wait_until(lambda: server.xferlog.read_bytes().count(b"\n") == 2 * len(NAMES), "all are logged")
        wait_until(lambda: server.log.read_bytes().count(b"LOAD: ") == 2 * len(NAMES), "all are logged")
    native, xferlog = read(server.log, "vsftpd_native"), read(server.xferlog, "xferlog")
    assert keys(native, *MOVED) == keys(xferlog, *MOVED)
    assert sorted(mains(native, "upload")["bytes"]) == sorted(SIZES.values())

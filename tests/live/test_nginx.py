"""What a real nginx with WebDAV writes about real requests, in both logs."""

from __future__ import annotations

import socket
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from servers import wait_until
from servers_nginx import Nginx, nginx

from parsers.events import Origin
from parsers.registry import parsers

SIZE = 3_000_000
TOLD = ["action", "account", "path", "command"]


def read(path: Path, name: str) -> pl.DataFrame:
    data, now = path.read_bytes(), datetime.now(UTC)
    parser = parsers()[name]
    assert parser.framing(data, final=False) == len(data), "a server writes whole records"
    parsed = parser.parse(data, Origin("h", "web", "s", path.name, name, "0" * 16, 0, now, now), ZoneInfo("UTC"), {})
    assert parsed.rejects.is_empty()
    assert not parsed.skips
    assert parsed.events["length"].sum() == len(data)
    assert parsed.events["clock_trusted"].all()
    return parsed.events


def broken_off(server: Nginx, head: str, body: bytes = b"") -> None:
    """A request whose client goes away: after part of its body, or without reading the answer."""
    log = server.folder / "json.log"
    before = log.read_bytes().count(b"\n")
    login = b64encode(b"wang:secret").decode()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f"{head} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {login}\r\n".encode())
        client.sendall((f"Content-Length: {SIZE}\r\n\r\n".encode() if body else b"\r\n") + body)
        if not body:
            client.recv(1000)
    wait_until(lambda: log.read_bytes().count(b"\n") > before, "the request is logged")


@pytest.mark.live
def test_requests_as_nginx_logs_them(tmp_path: Path) -> None:
    upload = tmp_path / "his.dmp"
    upload.write_bytes(bytes(SIZE))
    with nginx(tmp_path / "n") as server:
        assert server.curl("/in/his.dmp", "-T", str(upload)) == 201
        assert server.curl("/in/his.dmp") == 200
        assert server.curl("/in/his.dmp", "-r", "0-999") == 206
        destination = f"Destination: http://127.0.0.1:{server.port}/in/%E6%82%A3%20x.jpg"
        assert server.curl("/in/his.dmp", "-X", "COPY", "-H", destination) == 204
        assert server.curl("/in/his.dmp", "-X", "MOVE", "-H", destination, "-H", "Overwrite: T") == 204
        assert server.curl("/in/", "-X", "PROPFIND") == 207
        assert server.curl("/neu/", "-X", "MKCOL") == 201
        assert server.curl("/in/%E6%82%A3%20x.jpg", "-A", 'x" 200 999 "-" "y') == 200
        assert server.curl("/in/x", user='a" - [b:wrong') == 401
        assert server.curl("/in/x", "--anyauth") == 404
        broken_off(server, "PUT /in/cut.bin", bytes(100_000))
        broken_off(server, "GET /in/%E6%82%A3%20x.jpg")
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"\x16\x03\x01\x02\r\n")
            client.recv(100)
        assert server.curl("/in/%E6%82%A3%20x.jpg", "-X", "DELETE") == 204
        logs = [server.folder / "combined.log", server.folder / "json.log"]
        wait_until(lambda: all(log.read_bytes().count(b"\n") == 15 for log in logs), "every request is logged")
    combined, told = read(logs[0], "web_combined"), read(logs[1], "web_json")
    has_key = pl.col("activity_key").is_not_null()
    assert combined.filter(has_key)["activity_key"].to_list() == told.filter(has_key)["activity_key"].to_list()
    assert combined.select(TOLD).equals(told.select(TOLD))

    acts = told.select("action", "path", "outcome", "bytes_kind").rows()
    name = "/in/患 x.jpg"
    assert [act for act in acts if act[1] != name or act[0] != "download"] == [
        ("upload", "/in/his.dmp", "ok", "estimated"),
        ("download", "/in/his.dmp", "ok", "known"),
        ("download", "/in/his.dmp", "ok", "known"),
        ("rename", "/in/his.dmp", "ok", None),
        ("rename", "/in/his.dmp", "ok", None),
        ("list", "/in/", "ok", None),
        ("mkdir", "/neu/", "ok", None),
        ("login", "/in/x", "failed", None),
        ("notice", "/in/x", "unknown", None),
        ("download", "/in/x", "failed", None),
        ("upload", "/in/cut.bin", "failed", "estimated"),
        ("notice", None, "failed", None),
        ("delete", name, "ok", None),
    ]
    assert told.filter(action="rename")["path2"].to_list() == [name, name]
    assert combined.filter(action="rename")["path2"].null_count() == 2
    sent = told.filter(pl.col("action") == "upload")["bytes"].to_list()
    assert SIZE <= sent[0] < SIZE + 1000
    assert 100_000 <= sent[1] < SIZE
    assert told.filter(path="/in/his.dmp", action="download")["bytes"].to_list() == [SIZE, 1000]
    whole, cut = told.filter(path=name, action="download").select("bytes", "outcome", "client_program").rows()
    assert whole == (SIZE, "ok", 'x" 200 999 "-" "y')
    assert cut[1] == "failed"
    assert cut[0] < SIZE
    assert told.filter(action="login")["account"].to_list() == ['a" - [b']

"""What keeps the daemon from starting is said at once, with its place, and costs nothing that was there."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from daemon import configure, daemon
from running import UPLOAD, read, refused, small_disk, without_root_rights
from servers import WAIT_SECONDS


@pytest.fixture
def site(tmp_path: Path) -> tuple[Path, int]:
    (tmp_path / "vsftpd.log").write_text(UPLOAD.format(1))
    source = {"system": "transfer", "path": str(tmp_path / "vsftpd.log"), "format": "vsftpd_native"}
    return configure(tmp_path / "site", {"transfer": source})


def test_every_fault_of_a_configuration_is_told_with_its_place(site: tuple[Path, int]) -> None:
    config, _ = site
    text = config.read_text(encoding="utf-8")
    text = text.replace("language: zh", "language: fr").replace("vsftpd_native", "vsftp_native")
    config.write_text(text + "    formt: x\nworkers: {count: many}\nregister: nowhere.yaml\n", encoding="utf-8")
    faults = refused(config).rstrip("\n").split("\n")
    places = [re.fullmatch(r"(\S+hospital\.yaml):(\d+):(\d+): ([\w.]+): (.+)", fault) for fault in faults]
    assert all(places), faults
    keys = [place[4] for place in places if place]
    assert keys == ["language", "sources.transfer.format", "sources.transfer.formt", "workers.count", "register"]
    assert not config.with_name("state").exists()


def test_an_unknown_format_names_the_nearest(site: tuple[Path, int]) -> None:
    config, _ = site
    config.write_text(config.read_text(encoding="utf-8").replace("vsftpd_native", "vsftp_native"), encoding="utf-8")
    assert "did you mean 'vsftpd_native'?" in refused(config)


def test_a_configuration_that_is_missing(tmp_path: Path) -> None:
    assert "hospital.yaml: " in refused(tmp_path / "hospital.yaml")


def test_an_occupied_port_is_named(site: tuple[Path, int]) -> None:
    config, port = site
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert f"127.0.0.1:{port}" in refused(config)
    assert not (config.with_name("state") / "hot.duckdb").exists()


def test_a_second_daemon_names_the_first(site: tuple[Path, int]) -> None:
    config, port = site
    with daemon(config, port) as running:
        read(running, "transfer", 1)
        same = refused(config)
        assert f"127.0.0.1:{port}" in same
        assert f"process {running.process.pid}" in same
        other = config.with_name("other.yaml")
        text = config.read_text(encoding="utf-8")
        other.write_text(re.sub(r"^web: .*\n", f"web: {{listen: '127.0.0.1:{_free()}'}}\n", text, flags=re.MULTILINE))
        assert f"process {running.process.pid}" in refused(other)
        assert running.process.poll() is None
        assert running.query("SELECT count(*) AS n FROM events") == [{"n": 1}]


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_damaged_key_is_not_replaced(site: tuple[Path, int]) -> None:
    config, _ = site
    key = config.with_name("state") / "keys" / "token.key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"half a key")
    key.chmod(0o600)
    said = refused(config)
    assert "token.key" in said
    assert "backup" in said
    assert "half a key" not in said
    assert key.read_bytes() == b"half a key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    assert "0600" in refused(config)
    key.unlink()
    key.mkdir()
    assert "token.key" in refused(config)


def test_a_state_dir_that_is_a_file(site: tuple[Path, int]) -> None:
    config, _ = site
    config.with_name("state").write_text("a file")
    assert f"{config.with_name('state')}" in refused(config)


def test_a_state_dir_on_a_read_only_disk(site: tuple[Path, int]) -> None:
    config, _ = site
    with small_disk(config.with_name("state"), "1m", "ro"):
        assert "Read-only file system" in refused(config)


def test_a_state_dir_that_may_not_be_written(site: tuple[Path, int]) -> None:
    config, port = site
    state = config.with_name("state")
    state.mkdir(mode=0o500)
    with without_root_rights(config, port) as running:
        assert running.process.wait(WAIT_SECONDS) == 2
        said = running.log.read_text()
        assert "Permission denied" in said
        assert str(state) in said
        assert "Traceback" not in said


def test_a_damaged_store_is_kept_as_it_is(site: tuple[Path, int]) -> None:
    config, _ = site
    store = config.with_name("state") / "hot.duckdb"
    store.parent.mkdir(mode=0o700)
    store.write_bytes(b"not a database" * 1000)
    assert "restore a backup" in refused(config)
    assert store.read_bytes() == b"not a database" * 1000

"""Files that cannot be read and disks that are full: told, waited for, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

from daemon import configure, daemon
from running import UPLOAD, health, metric, read, small_disk, started, while_alive, without_root_rights
from servers import WAIT_SECONDS

MB = 1 << 20


def source(path: Path) -> dict[str, str]:
    return {"system": "transfer", "path": str(path), "format": "vsftpd_native"}


def test_what_is_no_readable_file_is_told_and_holds_nobody_up(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "good.log").write_text(UPLOAD.format(1))
    (logs / "folder.log").mkdir()
    os.mkfifo(logs / "pipe.log")
    (logs / "dangling.log").symlink_to(logs / "nowhere")
    (logs / "loop.log").symlink_to(logs / "loop.log")
    (logs / "shadow.log").symlink_to("/etc/passwd")
    names = ("folder", "pipe", "dangling", "loop", "shadow", "missing", "good")
    config, port = configure(tmp_path / "site", {name: source(logs / f"{name}.log") for name in names})
    with daemon(config, port) as running:
        read(running, "good", 1)
        with (logs / "good.log").open("a") as file:
            file.write(UPLOAD.format(2))
        read(running, "good", 2)
        for name in ("folder", "pipe", "shadow"):
            assert metric(running, "hiswatch_source_errors_total", source=name) == 1, name
        assert metric(running, "hiswatch_records_total") == 2
        (logs / "missing.log").write_text(UPLOAD.format(3))
        read(running, "missing", 1)
        assert "Traceback" not in running.log.read_text()


def test_a_file_without_permission_makes_it_unwell_until_it_may_be_read(tmp_path: Path) -> None:
    closed, good = tmp_path / "closed.log", tmp_path / "good.log"
    closed.write_text(UPLOAD.format(1))
    good.write_text(UPLOAD.format(2))
    closed.chmod(0)
    config, port = configure(tmp_path / "site", {"closed": source(closed), "good": source(good)})
    with without_root_rights(config, port) as running:
        read(running, "good", 1)
        while_alive(running, lambda: health(port) == (200, "degraded", ["source_failed"]), "it is unwell")
        assert metric(running, "hiswatch_source_errors_total", source="closed", reason="EACCES") > 0
        assert metric(running, "hiswatch_records_total", source="closed") == 0
        closed.chmod(0o644)
        read(running, "closed", 1)
        while_alive(running, lambda: health(port) == (200, "ok", []), "it is well again")
        assert running.query("SELECT source FROM events ORDER BY 1") == [{"source": "closed"}, {"source": "good"}]


def test_a_full_disk_pauses_reading_and_it_goes_on_by_itself(tmp_path: Path) -> None:
    log = tmp_path / "vsftpd.log"
    log.write_text(UPLOAD.format(1))
    config, port = configure(tmp_path / "site", {"one": source(log)})
    with small_disk(config.with_name("state"), "560m") as disk, daemon(config, port) as running:
        read(running, "one", 1)
        assert health(port) == (200, "degraded", ["disk_low"])
        filler = disk / "filler"
        filler.write_bytes(bytes(100 * MB))
        while_alive(running, lambda: health(port)[:2] == (503, "red"), "it is red")
        assert "disk_full" in health(port)[2]
        with log.open("a") as file:
            file.writelines(UPLOAD.format(n) for n in range(2, 60))
        assert metric(running, "hiswatch_records_total", source="one") == 1
        filler.unlink()
        read(running, "one", 59)
        while_alive(running, lambda: health(port) == (200, "degraded", ["disk_low"]), "it goes on")
        running.process.terminate()
        assert running.process.wait(WAIT_SECONDS) == 0
        assert "Traceback" not in running.log.read_text()


def test_a_write_that_fails_is_made_again_from_what_is_stored(tmp_path: Path) -> None:
    """The space ends within a batch, though there seemed to be enough: a quota, another writer."""
    log = tmp_path / "vsftpd.log"
    log.write_text(UPLOAD.format(1))
    config, port = configure(tmp_path / "site", {"one": source(log)})
    state = config.with_name("state")
    with daemon(config, port) as running:
        read(running, "one", 1)
    size = max(file.stat().st_size for file in state.glob("hot.duckdb*"))
    with started(["prlimit", f"--fsize={size + MB}"], config, port) as running:
        with log.open("a") as file:
            file.writelines(UPLOAD.format(n % 60) for n in range(2, 60_000))
        while_alive(running, lambda: metric(running, "hiswatch_commit_errors_total") > 0, "a commit fails")
        while_alive(running, lambda: health(port)[:2] == (503, "red"), "it is red")
    with daemon(config, port) as running:
        while_alive(
            running, lambda: running.query("SELECT count(*) AS n FROM events") == [{"n": 59_999}], "all is there"
        )
        assert running.query("SELECT position FROM events GROUP BY 1 HAVING count(*) > 1") == []
    assert "Traceback" not in running.log.read_text()


def test_a_source_whose_records_are_all_refused_makes_it_unwell_and_says_where_they_lie(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"2026-11-18 something else {number}\n" for number in range(30)))
    config, port = configure(tmp_path / "site", {"wrong": source(log)})
    with daemon(config, port) as running:
        while_alive(running, lambda: health(port) == (200, "degraded", ["source_refused"]), "it is unwell")
        told = next(line for line in running.log.read_text().split("\n") if "unknown_form" in line)
        assert '"position": 0' in told
        assert str(log) in told
        with log.open("a") as file:
            file.write(UPLOAD.format(1))
        while_alive(running, lambda: health(port)[1] == "ok", "it is well again")
        assert metric(running, "hiswatch_source_silence_seconds", source="wrong") < 60

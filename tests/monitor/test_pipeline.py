"""What a source may set for its reading: encoding and dialect reach the events."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from config.loader import load_site
from monitor.assemble import assembled
from monitor.protect import ephemeral_key
from monitor.replay import ReplayChunk
from parsers.events import Origin
from parsers.registry import parsers

CONFIG = """
site: {id: reading}
state_dir: state
sources:
  audit: {system: his, path: audit.log, format: mariadb_server_audit%s}
"""
LINE = "20261111 09:00:00,h,app,10.0.0.5,7,9,QUERY,his,'SELECT * FROM patients WHERE name = \\'{}\\'',0\n"


def read(tmp_path: Path, more: str, data: bytes) -> dict[str, object]:
    (tmp_path / "hospital.yaml").write_text(CONFIG % more)
    site = load_site(tmp_path / "hospital.yaml", formats={name: unit.options for name, unit in parsers().items()})
    origin = Origin(
        "reading", "his", "audit", "audit.log", "mariadb_server_audit", "0" * 16, 0, datetime.now(UTC), replay=True
    )
    with assembled(site, ephemeral_key()) as assembly:
        events = assembly.pipeline.read([ReplayChunk(data, origin)], {}).events
    return events.row(0, named=True)


def test_a_record_that_is_not_utf8_is_read_as_the_source_says(tmp_path: Path) -> None:
    data = LINE.format("張三").encode("big5")
    assert "張三" in str(read(tmp_path, ", encoding: [utf-8, big5]", data)["statement"])
    assert "張三" not in str(read(tmp_path, "", data)["statement"])


def test_the_dialect_of_the_source_goes_before_the_format_s(tmp_path: Path) -> None:
    data = LINE.format("x").encode()
    assert read(tmp_path, ", dialect: oracle", data)["dialect"] == "oracle"
    assert read(tmp_path, "", data)["dialect"] == "mysql"


OPENED = b"Nov 18 09:00:00 ftp01 internal-sftp[7]: session opened for local user hx from [10.0.0.5]\n"
CLOSED = b'Nov 18 09:00:05 ftp01 internal-sftp[7]: close "/x.dmp" bytes read 9 written 0\n'


def test_rotated_files_are_one_log_and_other_files_of_a_source_are_not(tmp_path: Path) -> None:
    config = CONFIG.replace("mariadb_server_audit%s", "openssh_sftp").replace("audit.log", "'*'")
    (tmp_path / "hospital.yaml").write_text(config)
    site = load_site(tmp_path / "hospital.yaml", formats={name: unit.options for name, unit in parsers().items()})

    def chunk(file: str, data: bytes) -> ReplayChunk:
        return ReplayChunk(
            data,
            Origin("reading", "his", "audit", file, "openssh_sftp", "0" * 16, 0, datetime.now(UTC), replay=True),
        )

    with assembled(site, ephemeral_key()) as assembly:
        carries = dict(assembly.pipeline.read([chunk("/var/log/a/auth.log.1", OPENED)], {}).carries)
        for file, account in (("/var/log/a/auth.log", "hx"), ("/var/log/b/auth.log", None)):
            events = assembly.pipeline.read([chunk(file, CLOSED)], carries).events
            assert events["account"].to_list() == [account], file

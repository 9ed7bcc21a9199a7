"""The page of counts says what was counted, and notices what was not."""

from __future__ import annotations

import sys
from pathlib import Path

import formats
import pytest
from formats import framed

SITE = Path(__file__).parents[2] / "config" / "examples" / "sample-hospital" / "hospital.yaml"
NATIVE = b'Fri Nov 20 02:11:56 2026 [pid 7] [u] OK DELETE: Client "10.0.0.5", "/a"\n'


def test_records_are_framed_without_the_parsers() -> None:
    assert framed(b'a,"one\ntwo",b\r\nc,d,e\n', "postgresql_csvlog") == 2
    assert framed(b"20261120 09:34:11,h,line\nbreak,x\n20261120 09:34:11,h,y\n", "mariadb_server_audit") == 2
    assert framed(b"one\ntwo", "xferlog") == 2
    assert framed(b"", "xferlog") == 0
    assert framed(b"one\ntwo", "mariadb_slow_log") is None


def test_every_file_is_counted_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = tmp_path / "transfer"
    samples.mkdir()
    (samples / "vsftpd_native.log").write_bytes(NATIVE * 3 + b"nothing of that\n")
    (samples / "labels.jsonl").write_text("{}\n")
    report = tmp_path / "counts.md"
    given = ["formats.py", "--config", str(SITE), "--samples", str(samples), "--report", str(report)]
    monkeypatch.setattr(sys, "argv", given)
    assert formats.main() == 0
    size = len(NATIVE) * 3 + 16
    row = f"| vsftpd_native.log | vsftpd_native | {size} | 4 | 3 | unknown_form 1 | 0 | all |"
    assert row in report.read_text()
    (samples / "unheard.of").write_text("x\n")
    assert formats.main() == 1
    assert "unheard.of: belongs to no source" in capsys.readouterr().err

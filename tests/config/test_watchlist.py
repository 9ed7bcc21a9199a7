"""Lists of patients to watch: what a line may say, and faults that tell the line and nothing of its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load_site
from config.watchlist import Listed, read_watchlist

TOKEN = "0f3a5c7e9b1d2f4a6c8e0b1d"
SITE = """site: {id: h}
sources: {pg: {system: pg, path: a.csv, format: postgresql_csvlog}}
register: register.yaml
watched:
  canaries: {patients_file: canaries.txt, may_touch: [dump, IT, dmup]}
  vips: {patients_file: vips.txt}
"""
REGISTER = """people: {zhou: {department: IT, accounts: [{system: pg, account: zhou}]}}
services: {agent: {accounts: [{system: pg, account: bak}]}}
jobs: {dump: {kind: export, system: pg, account: bak}}
"""


def listed(tmp_path: Path, text: str) -> tuple[Listed, ...]:
    file = tmp_path / "list.txt"
    file.write_text(text, encoding="utf-8")
    return read_watchlist(file)


def test_numbers_tokens_kinds_and_comments(tmp_path: Path) -> None:
    text = f"# canaries\n\n9900000001  # ward 9\n9900000001\ntoken:{TOKEN}\r\nvisit 88\ndocument token:{TOKEN}\n"
    assert listed(tmp_path, text) == (
        Listed("patient_key", "9900000001", tokenised=False),
        Listed("patient_key", TOKEN, tokenised=True),
        Listed("visit_key", "88", tokenised=False),
        Listed("document_key", TOKEN, tokenised=True),
    )


def test_an_empty_list_watches_nobody(tmp_path: Path) -> None:
    assert listed(tmp_path, "\n# nobody yet\n") == ()


def test_every_fault_has_its_line_and_none_its_content(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"110101198001011234 13800000000\ntoken:12\nok\n\xff\xfe\nvisit a b\n" + b"9" * 200)
    with pytest.raises(ConfigError) as raised:
        read_watchlist(file)
    assert [problem.line for problem in raised.value.problems] == [1, 2, 4, 5, 6]
    assert "11010" not in str(raised.value)
    assert "999" not in str(raised.value)


def site(tmp_path: Path, **files: str) -> Path:
    for name, text in {
        "hospital.yaml": SITE,
        "register.yaml": REGISTER,
        "canaries.txt": "1\n",
        "vips.txt": "2\n",
        **files,
    }.items():
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
    return tmp_path / "hospital.yaml"


def test_a_name_that_the_register_lacks_is_a_warning_since_it_only_allows_less(tmp_path: Path) -> None:
    warnings = [str(problem) for problem in load_site(site(tmp_path)).warnings]
    assert len(warnings) == 1
    assert "watched.canaries.may_touch[2]" in warnings[0]
    assert "did you mean 'dump'?" in warnings[0]


def test_a_list_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = site(tmp_path)
    (tmp_path / "vips.txt").chmod(0o644)
    with pytest.raises(ConfigError, match=r"watched\.vips\.patients_file: secret file is open to other users"):
        load_site(path)


def test_faults_of_lists_are_told_with_all_others(tmp_path: Path) -> None:
    path = site(tmp_path, **{"canaries.txt": "1 2\n", "vips.txt": "token:x\n"})
    with pytest.raises(ConfigError) as raised:
        load_site(path)
    assert [Path(problem.file).name for problem in raised.value.problems] == ["canaries.txt", "vips.txt"]

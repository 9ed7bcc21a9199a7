"""Tests that police the registries: nothing is declared without what a reader or an operator needs of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parsers.registry import documentation, parsers

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "parsers" / "samples"


@pytest.mark.parametrize("name", list(parsers()))
def test_every_parser_has_samples_a_reference_and_documented_skips(name: str) -> None:
    parser = parsers()[name]
    assert list((SAMPLES / name).glob("*.events.jsonl")), f"no golden sample in {SAMPLES / name}"
    assert parser.reference
    assert documentation(name), f"{name}: parse has no docstring"
    docs = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "formats").glob("*.md"))
    for reason, why in parser.skips.items():
        assert why, f"{name}: skip {reason} is not justified"
        assert f"`{reason}`" in docs, f"{name}: skip {reason} is not in docs/formats"


def shipped() -> list[Path]:
    """What git holds; without git (an unpacked release) everything but what `make` and tools leave behind."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        return [ROOT / name for name in listed.decode().split("\0") if name]
    made = {".git", ".venv", "build", "state", "__pycache__"}
    return [path for path in ROOT.rglob("*") if not made & set(path.relative_to(ROOT).parts)]


def test_nothing_committed_names_this_machine_or_an_index() -> None:
    pattern = re.compile(rb"file:///|--extra-index-url|--find-links|--index-url|/opt/pypi|\.\./shared")
    for path in shipped():
        if path != Path(__file__) and path.is_file():
            assert not pattern.search(path.read_bytes()), path

"""The arrows between the folders point one way, and the pure middle touches nothing outside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("config", "parsers", "detectors", "monitor")
MAY_IMPORT = {
    "config": {"config"},
    "parsers": {"parsers", "config"},
    "detectors": {"detectors", "parsers.events", "config"},
    "monitor": {"monitor", "detectors", "parsers", "config"},
}
OUTSIDE = {  # libraries and modules that read clocks, disks, networks or processes
    "asyncio", "duckdb", "httpx", "logging", "multiprocessing", "os", "pathlib", "prometheus_client", "shutil",
    "smtplib", "socket", "starlette", "subprocess", "threading", "time", "urllib", "uvicorn", "watchdog", "apscheduler",
}  # fmt: skip
TEXT_ONLY = ("urllib.parse.",)  # parts of them that only turn text into text


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_point_one_way(folder: str) -> None:
    allowed = MAY_IMPORT[folder]
    for path in modules(folder):
        for name in imported(path):
            if name.split(".")[0] in FOLDERS:
                assert any(name == a or name.startswith(a + ".") for a in allowed), (
                    f"{path.relative_to(ROOT)} imports {name}"
                )


@pytest.mark.parametrize("folder", ["parsers", "detectors"])
def test_the_pure_middle_knows_no_outside(folder: str) -> None:
    for path in modules(folder):
        names = (name for name in imported(path) if not name.startswith(TEXT_ONLY))
        found = {name.split(".")[0] for name in names} & OUTSIDE
        assert not found, f"{path.relative_to(ROOT)} imports {sorted(found)}"


@pytest.mark.parametrize("folder", ["parsers", "detectors"])
def test_the_pure_middle_opens_no_file_and_reads_no_clock(folder: str) -> None:
    forbidden = {"open", "input", "print", "breakpoint", "exec", "eval"}
    for path in modules(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name):
                assert node.func.id not in forbidden, f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}"
            elif isinstance(node.func, ast.Attribute):
                clock = node.func.attr in {"now", "utcnow", "today"} and isinstance(node.func.value, ast.Name)
                assert not clock, f"{path.relative_to(ROOT)}:{node.lineno} reads a clock"


@pytest.mark.parametrize("folder", ["monitor", "parsers", "detectors"])
def test_log_text_is_never_split_by_splitlines(folder: str) -> None:
    for path in modules(folder):
        assert ".splitlines(" not in path.read_text(encoding="utf-8"), f"{path.relative_to(ROOT)}"


def test_a_statement_worker_loads_no_frame_library() -> None:
    """What a worker imports decides its memory: no polars, no duckdb."""
    import subprocess
    import sys

    code = "import parsers.sql.understand, sys; print(sorted({'polars', 'duckdb', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # servers, receiver, daemon are shared by the tests of this folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Outside pytest's own folder: each pytest that starts shuts that to other accounts, as which the servers run."""
    with tempfile.TemporaryDirectory(prefix="hiswatch-live-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from following import Following


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    directory = tmp_path / "logs"
    directory.mkdir()
    follower = Following(directory)
    yield follower
    follower.tail.close()

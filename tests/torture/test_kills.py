"""HISWATCH_SEED=… makes a run again, HISWATCH_KILLS=500 makes it a night long."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from kills import survive


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("HISWATCH_SEED") or random.SystemRandom().randrange(1 << 32))
    kills = int(os.environ.get("HISWATCH_KILLS") or 20)
    print(f"seed {seed}")
    figures = survive(tmp_path, seed=seed, kills=kills, sessions=kills * 40)
    print(figures)
    assert figures["findings"] >= 10

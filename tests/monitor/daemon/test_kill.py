from __future__ import annotations

import random
from pathlib import Path

from kills import survive


def test_three_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    figures = survive(tmp_path, seed=seed, kills=3, sessions=60)
    print(figures)
    assert figures["findings"] >= 5

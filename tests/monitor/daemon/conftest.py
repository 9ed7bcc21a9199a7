from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
LIVE = HERE.parents[1] / "live"  # the real daemon, receivers and waiting are shared with the tests against real servers
sys.path[:0] = [str(LIVE), str(HERE)]

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
LIVE = HERE.parent / "live"  # the real daemon, receivers and waiting are shared
sys.path[:0] = [str(LIVE), str(HERE.parent / "monitor" / "daemon")]

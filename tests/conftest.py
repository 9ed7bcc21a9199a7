"""What every process of the tests shares; set before anything of the program is imported."""

from __future__ import annotations

import os
import sys

# Each worker of the tests has one core: a pool of threads in each would only take turns with the other's. Programs that
# the tests start inherit it.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
# Each of the many programs that the tests start would otherwise compile every module of ours again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

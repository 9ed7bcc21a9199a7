"""The running thing: command line, daemon, pipeline, sources, store, alerts, metrics, web, jobs; all input and output."""

import ctypes
import os

# One thread does the same work for less CPU (docs/decisions/0001): the machine belongs to the hospital's other services.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h


def _keep_freed_pages() -> None:
    """Let glibc keep the buffers of a batch for the next one: to give them back and fault them in anew costs a seventh of parsing.

    Does nothing where the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)
        mallopt(_TRIM_THRESHOLD, 32 << 20)


_keep_freed_pages()

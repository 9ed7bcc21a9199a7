"""The running thing: command line, daemon, pipeline, sources, store, alerts, metrics, web, jobs; all input and output."""

import os

# One thread does the same work for less CPU (docs/decisions/0001): the machine belongs to the hospital's other services.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

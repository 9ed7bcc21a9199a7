"""Captured logs of one server, read side by side: each act counts once, in any order of reading."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from detectors.folding import Folding
from parsers.events import Origin
from parsers.registry import parsers

PARSERS = Path(__file__).parents[1] / "parsers"
NOW = datetime(2027, 1, 1, 4, tzinfo=UTC)
OBJECTS, RELATIONS = "15-object_audit", "15-pgaudit_relations"


def of_postgresql(run: str) -> dict[str, tuple[str, str]]:
    return {
        form: (f"postgresql_{form}", f"samples/postgresql_{form}/{run}.log") for form in ("csvlog", "jsonlog", "stderr")
    }


# the logs of one run of a server, each from the first record of its sessions on, and how many acts there were
RUNS: dict[str, tuple[dict[str, tuple[str, str]], int]] = {
    "postgresql, object audit": (of_postgresql(OBJECTS), 106),
    # the statement inside a trigger is a part in csv and json, which know that it has a context; the text does not tell
    "postgresql, relations": (of_postgresql(RELATIONS), 68),
    "vsftpd, dual_log_enable": (
        {
            "native": ("vsftpd_native", "reference/vsftpd_native.log"),
            "xferlog": ("xferlog", "reference/vsftpd_xferlog.log"),
        },
        164,
    ),
}


def mains(format_: str, file: str, source: str) -> pl.DataFrame:
    path = PARSERS / file
    options = path.with_suffix(".options.json")
    given = json.loads(options.read_text(encoding="utf-8")) if options.exists() else {}
    origin = Origin("h", "one", source, file, format_, "0" * 16, 0, NOW, NOW)
    parser = parsers()[format_].configured(given)
    events = parser.parse(path.read_bytes(), origin, ZoneInfo("Asia/Shanghai"), {}).events
    return events.filter(pl.col("record_role") == "main")


@pytest.mark.parametrize("run", RUNS)
def test_every_act_of_a_run_counts_once(run: str) -> None:
    logs, acts = RUNS[run]
    told = {name: mains(*where, name) for name, where in logs.items()}
    assert max(frame.height for frame in told.values()) == acts
    for order in permutations(told):
        folding = Folding([(name, "one") for name in told])
        folded = pl.concat(folding.fold(told[name], NOW) for name in order)
        assert (folded["record_role"] == "main").sum() == acts, order

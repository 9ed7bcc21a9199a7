"""SRC-01: a source that should speak and does not. Pure: the caller hands in what it knows of its sources, and the time."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from detectors.findings import FINDINGS, finding_id, severity
from detectors.stories import story_id
from parsers.events import UTC

RULE, FAMILY, LIKELIHOOD, IMPACT = "SRC-01", "SRC", 4, 4

# One row a source that has an expected silence.
SOURCES: dict[str, pl.DataType] = {
    "site": pl.String(),
    "system": pl.String(),
    "source": pl.String(),
    "last_at": UTC,  # when its last record was received; null: none since the start
    "since": UTC,  # when watching began
    "expected_silence_seconds": pl.Int64(),  # longest silence that is usual; null: no check
    "staged": pl.Boolean(),
}


def check(
    sources: pl.DataFrame, now: datetime, *, zone: str = "Asia/Shanghai", minimum: str = "medium"
) -> pl.DataFrame:
    """Findings (FINDINGS, revision 1) for every source silent longer than usual at `now`.

    The id is made of the moment the silence began: one finding a silence, however often it is checked.
    """
    quiet = sources.with_columns(began=pl.coalesce("last_at", "since")).filter(
        (pl.lit(now).cast(UTC) - pl.col("began")).dt.total_seconds() > pl.col("expected_silence_seconds")
    )
    rows = [_finding(row, now, zone, minimum) for row in quiet.iter_rows(named=True)]
    return pl.DataFrame(rows, schema=FINDINGS)


def _finding(row: dict[str, object], now: datetime, zone: str, minimum: str) -> dict[str, object]:
    began = row["began"]
    assert isinstance(began, datetime)
    minutes = int((now - began).total_seconds() // 60)
    usual = int(str(row["expected_silence_seconds"])) // 60
    risk, staged = LIKELIHOOD * IMPACT, bool(row["staged"])
    site, source = str(row["site"]), str(row["source"])
    seconds = int(began.timestamp())
    return dict.fromkeys(FINDINGS) | {
        "id": finding_id(RULE, (site, str(row["system"]), source), seconds), "revision": 1, "rule": RULE, "family": FAMILY,
        "title_zh": "日志源静默", "title_en": "A source is silent", "severity": severity(risk), "likelihood": LIKELIHOOD,
        "impact": IMPACT, "risk": risk, "site": site, "system": row["system"], "source": source, "first_seen": began,
        "last_seen": began, "events": 0, "rows_kind": "unknown", "classes": [], "objects": [], "evidence": [],
        "why_zh": f"日志源已{minutes}分钟没有新记录，平时不超过{usual}分钟。可能性4（规则）=4；影响4（规则）=4；风险4×4={risk}。"
                  "常见的善意原因：服务器停机、日志轮转或路径改变。核对：查看该服务器的审计开关、磁盘和日志路径。",
        "why_en": f"No record for {minutes} minutes, usually at most {usual}. likelihood 4 (rule) = 4; impact 4 (rule) = 4; "
                  f"risk 4 x 4 = {risk}. Honest reasons: the server is down, its log was rotated or moved. "
                  "Check the audit switch, the disk and the path on that server.",
        "staged": staged, "notify": not staged and _reaches(severity(risk), minimum), "bucket": began,
        "story": story_id(site, source, seconds * 1_000_000, ZoneInfo(zone)),
    }  # fmt: skip


def _reaches(band: str, minimum: str) -> bool:
    from detectors.findings import SEVERITIES

    return SEVERITIES.index(band) >= SEVERITIES.index(minimum)

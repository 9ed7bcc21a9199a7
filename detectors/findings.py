"""The FINDINGS frame: what is wrong, with evidence. One row is one revision of one finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import polars as pl

from parsers.events import TEXTS, UTC

FAMILIES = (
    "EXF",
    "TF",
    "TIM",
    "ACC",
    "IDN",
    "PRV",
    "AUD",
    "CHG",
    "TEN",
    "XFR",
    "MED",
    "REC",
    "INJ",
    "ABU",
    "VND",
    "SRC",
    "TMP",
)
SEVERITIES = ("low", "medium", "high", "critical")

FINDINGS: dict[str, pl.DataType] = {
    "id": pl.String(),  # see `finding_id`; the same for a replay of the same events
    "revision": pl.UInt32(),  # 1, 2, ... as it grows
    "rule": pl.String(),  # id as in the catalogue of detections, e.g. EXF-06
    "family": pl.String(),  # letters of the rule's id
    "title_zh": pl.String(),
    "title_en": pl.String(),
    "severity": pl.String(),  # band of risk; "low" where recorded only
    "likelihood": pl.UInt8(),  # 1 to 5 after all adjustments
    "impact": pl.UInt8(),  # 1 to 5 after all adjustments
    "risk": pl.UInt8(),  # likelihood x impact
    "site": pl.String(),
    "system": pl.String(),
    "account": pl.String(),
    "person": pl.String(),
    "vendor": pl.String(),
    "client_ip": pl.String(),  # the address, or the first of several
    "source": pl.String(),
    "first_seen": UTC,  # occurred_at of the earliest and latest event in it
    "last_seen": UTC,
    "events": pl.UInt32(),  # how many events are in it
    "rows": pl.Int64(),
    "rows_kind": pl.String(),  # known, estimated, unknown
    "bytes": pl.Int64(),
    "classes": TEXTS,  # classes of data carried out
    "objects": TEXTS,  # tables or file shapes concerned, at most 20
    "why_zh": pl.String(),  # how much, compared with what, and the arithmetic of likelihood and impact
    "why_en": pl.String(),
    "evidence": TEXTS,  # event_ids, at most 20: the first ones
    "staged": pl.Boolean(),  # the rule is on trial: counted, not notified
    "notify": pl.Boolean(),  # false: recorded only (approved work, staged rule, severity below the threshold)
    "bucket": UTC,  # start of the time bucket that the id is made of
    "story": pl.String(),  # id that findings of one incident share
}


NO_FINDINGS = pl.DataFrame(
    schema=FINDINGS
)  # made once: a frame of so many columns costs milliseconds, and most batches have no finding


def findings_of(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """FINDINGS of rows as `report.finding` makes them."""
    return pl.DataFrame(rows, schema=FINDINGS, orient="row") if rows else NO_FINDINGS


def finding_id(rule: str, subject: tuple[str, ...], bucket_start: int) -> str:
    """H(rule, subject, bucket): 24 hex digits. `bucket_start` in seconds since the epoch."""
    text = "\0".join((rule, *subject, str(bucket_start)))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def severity(risk: int) -> str:
    """Band of likelihood x impact: from 20 critical, 15 high, 8 medium, else low."""
    if risk >= 20:
        return "critical"
    if risk >= 15:
        return "high"
    return "medium" if risk >= 8 else "low"

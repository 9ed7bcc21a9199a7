"""Findings and answers as people read them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from rich.cells import cell_len
from rich.console import Console

from detectors.findings import FINDINGS
from monitor.ask import show, tab_separated
from monitor.findings import amount, print_table

AT = datetime(2026, 11, 11, 13, 45, 7, tzinfo=UTC)
TITLE = "一小时内读取大量患者数据并传输到院外地址的文件服务器"


def finding(**more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(FINDINGS)
    return row | {
        "id": "a" * 24, "revision": 1, "rule": "EXF-02", "title_zh": TITLE, "title_en": "Many rows", "severity": "critical",
        "account": "vendor_wx_zhang", "first_seen": AT, "last_seen": AT, "events": 5, "rows": 12_000, "rows_kind": "known",
    } | more  # fmt: skip


def printed(findings: list[dict[str, Any]], language: str, width: int) -> str:
    out = io.StringIO()
    frame = pl.DataFrame(findings, schema=FINDINGS)
    print_table(frame, ZoneInfo("Asia/Shanghai"), language, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize(
    ("rows", "kind", "zh", "en"),
    [
        (12_000, "known", "5 条事件，12,000 行", "5 events, 12,000 rows"),
        (12_000, "estimated", "5 条事件，约 12,000 行", "5 events, about 12,000 rows"),
        (12_000, "unknown", "5 条事件，至少 12,000 行", "5 events, at least 12,000 rows"),
        (0, "known", "5 条事件，0 行", "5 events, 0 rows"),
        (0, "unknown", "5 条事件，行数未知", "5 events, rows unknown"),
        (None, "unknown", "5 条事件，行数未知", "5 events, rows unknown"),
        (None, None, "5 条事件", "5 events"),
    ],
)
def test_what_the_log_did_not_tell_is_no_number(rows: int | None, kind: str | None, zh: str, en: str) -> None:
    row = finding(rows=rows, rows_kind=kind)
    assert (amount(row, "zh"), amount(row, "en")) == (zh, en)


def test_bytes_have_their_word() -> None:
    row = finding(rows=None, rows_kind=None, bytes=4_400_000_000)
    assert amount(row, "zh") == "5 条事件，4,400,000,000 字节"
    assert amount(row, "en") == "5 events, 4,400,000,000 bytes"


def test_findings_stand_in_the_order_in_which_they_began() -> None:
    later = finding(
        id="0" * 24, rule="TF-01", severity="low", first_seen=AT + timedelta(hours=1), last_seen=AT + timedelta(hours=9)
    )
    out = printed([later, finding()], "zh", 200)
    assert out.index("EXF-02") < out.index("TF-01")
    assert "11-11 21:45:07 " in out
    assert "11-11 22:45:07–11-12 06:45" in out
    assert out.endswith("严重: 1，低: 1\n")
    assert printed([], "zh", 80) == "无发现\n"
    assert printed([], "en", 80) == "no findings\n"


def test_a_narrow_terminal_folds_and_cuts_nothing() -> None:
    out = printed([finding(last_seen=AT + timedelta(minutes=9))], "zh", 80)
    assert "…" not in out
    lines = [line for line in out.split("\n") if line.startswith("│")]
    cells = ["".join(line.split("│")[column].strip() for line in lines) for column in (1, 4, 5)]
    assert cells[:2] == ["11-11 21:45:07–21:54:07", TITLE]
    assert cells[2].replace(" ", "") == "vendor_wx_zhang"
    assert all(cell_len(line) <= 80 for line in out.split("\n"))


def answer(frame: pl.DataFrame, width: int) -> str:
    out = io.StringIO()
    show(frame, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_an_answer_is_a_table_where_it_fits_and_else_a_block_a_row() -> None:
    frame = pl.DataFrame({"account": ["a[b]"], "title": [TITLE], "nothing": [None], "list": [["x", "y"]]})
    wide, narrow = answer(frame, 120), answer(frame, 60)
    for out in (wide, narrow):
        assert TITLE in out
        assert "a[b]" in out
        assert "x, y" in out
        assert "…" not in out
    assert "│" in wide
    assert narrow.split("\n")[1:] == ["account: a[b]", f"title: {TITLE}", "nothing: ", "list: x, y", ""]
    assert answer(frame.clear(), 10) == "no rows: account, title, nothing, list\n"


@pytest.mark.parametrize("hostile", ["a\tb", "a\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b", "a\x00b"])
def test_no_value_of_an_answer_steers_the_terminal_or_breaks_a_line(hostile: str) -> None:
    frame = pl.DataFrame({"text": [hostile], "list": [[hostile]]})
    shown = f"a⟨U+{ord(hostile[1]):04X}⟩"
    for out in (answer(frame, 200), answer(frame, 5), tab_separated(frame).decode()):
        assert out.count(shown) == 2
        assert hostile not in out
    assert tab_separated(frame).count(b"\n") == 2
    assert tab_separated(frame).count(b"\t") == 2

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.findings import FAMILIES
from monitor.alerts import texts
from monitor.alerts.message import compose, entry, holder_key, shown_object, site_key, text_of, visible
from monitor.alerts.texts import Language, RuleText

AT = datetime(2026, 11, 22, 18, 0, 1, 250_000, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
FIELDS = ["id", "revision", "rule", "family", "title", "severity", "likelihood", "impact", "risk", "site", "system", "account", "person", "vendor", "client_ip", "source", "first_seen", "last_seen", "events", "rows", "rows_kind", "bytes", "classes", "why", "staged"]  # fmt: skip


def finding(**more: Any) -> dict[str, Any]:
    return {
        "id": "a" * 24, "revision": 2, "rule": "EXF-06", "family": "EXF", "title_zh": "导出工具读取整库", "title_en": "A dump tool reads the database",
        "severity": "critical", "likelihood": 5, "impact": 5, "risk": 25, "site": "demo", "system": "his", "account": "vendor_wx_zhang", "person": "zhang",
        "vendor": "wx", "client_ip": "192.168.66.13", "source": "pg", "first_seen": AT, "last_seen": AT + timedelta(seconds=8), "events": 34, "rows": 120_000,
        "rows_kind": "known", "bytes": 5_300_000, "classes": ["identity", "contact"], "objects": ["patients", "/up/张三_体检.zip"],
        "why_zh": "读取 120000 行，为平日的 300 倍", "why_en": "120000 rows, 300 times the usual", "staged": False,
    } | more  # fmt: skip


def message(language: Language = "zh", others: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    headline = finding(**more)
    entries = [entry(item, language, ZONE) for item in (*others, headline)]
    return compose(
        headline,
        "s1",
        entries,
        len(entries),
        language=language,
        zone=ZONE,
        texts={
            "EXF-06": RuleText("夜间备份作业", "The nightly backup"),
            "TEN-05": RuleText("恢复演练", "An exercise", next_zh="阻断传输", next_en="Stop the transfer"),
        },
        names={
            "zhang": "张工",
            "wx": "卫信公司",
            site_key("zhang"): "市一院",
            holder_key("service", "his", "his_app"): "HIS (app)",
        },
        send_after=AT,
    )


def test_the_message_carries_every_field_of_a_finding() -> None:
    assert [name for name in FIELDS if name not in message()] == []


def test_times_carry_the_offset_of_the_site() -> None:
    assert message()["first_seen"] == "2026-11-23T02:00:01.250+08:00"
    assert message()["story"]["steps"][0]["at"] == "2026-11-23T02:00:01.250+08:00"


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        ("zh", ["[严重] 导出工具读取整库", "张工 (zhang)", "厂商 卫信公司 (wx)", "账号 vendor_wx_zhang", "来自 192.168.66.13", "120,000 行", "5.3 MB",
                "身份信息、联系方式", "为平日的 300 倍", "可能性 5 × 影响 5 = 25", "为何重要", "夜间备份作业", "下一步"]),
        ("en", ["[CRITICAL] A dump tool", "张工 (zhang)", "account vendor_wx_zhang", "from 192.168.66.13", "120,000 rows", "identity, contact", "300 times the usual",
                "likelihood 5 x impact 5 = 25", "Why it matters", "The nightly backup", "What to do next"]),
    ],
)  # fmt: skip
def test_the_text_says_who_what_how_much_compared_with_what_why_and_what_next(
    language: Language, parts: list[str]
) -> None:
    text = message(language)["text"]
    assert [part for part in parts if part not in text] == []


def test_of_a_file_only_its_shape_is_told() -> None:
    told = json.dumps(message(), ensure_ascii=False)
    assert "张三" not in told
    assert message()["objects"] == ["patients", "*.zip"]
    assert shown_object("C:\\出院\\李四.tar.gz") == "*.tar.gz"
    assert shown_object("/up/王五") == "*"


def test_numbers_that_may_be_of_a_patient_are_blotted_out() -> None:
    told = json.dumps(
        message(account="110101199003077777", why_zh="证号 11010119900307777X 手机 13800138000"), ensure_ascii=False
    )
    for number in ("110101199003077777", "11010119900307777X", "13800138000"):
        assert number not in told


def test_unknown_rows_never_look_like_none() -> None:
    text = message(rows=None, rows_kind="unknown")["text"]
    assert "行数日志未记录" in text
    assert "：0 行" not in text


def test_estimated_rows_say_so() -> None:
    assert "120,000 行（估算）" in message(rows_kind="estimated")["text"]


def test_the_site_has_its_name_and_a_person_of_the_same_id_keeps_theirs() -> None:
    text = message(site="zhang")["text"]
    assert "何处：市一院 (zhang)，his" in text
    assert "张工 (zhang)" in text
    assert "何处：demo，his" in message()["text"]


def test_an_account_of_no_person_is_named_as_such() -> None:
    text = message(person=None, vendor=None)["text"]
    assert "谁：账号未对应到登记的人员，账号 vendor_wx_zhang" in text
    assert "谁：日志未记录账号\n" in message(person=None, vendor=None, account=None, client_ip=None)["text"]


def test_the_other_findings_of_the_story_are_listed_in_the_order_of_time() -> None:
    earlier = finding(
        id="b" * 24,
        rule="TIM-01",
        title_zh="供应商非工作时间活动",
        severity="high",
        first_seen=AT - timedelta(seconds=60),
    )
    told = message(others=(earlier,))
    assert "[高] TIM-01 供应商非工作时间活动" in told["text"]
    assert [step["rule"] for step in told["story"]["steps"]] == ["TIM-01", "EXF-06"]


def test_a_long_story_says_how_many_are_not_listed() -> None:
    others = tuple(finding(id=f"{number:024x}") for number in range(60))
    assert "另有 40 项未列出" in message(others=others)["text"]


HOSTILE = ["a\r\nBcc: evil@example.org", "a\x1b[2Jb", "zhang\u202etxt.exe", "ad\u200bmin", "\ud800", "\x00", "a\u2028b"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_be_seen_is_shown_as_its_code_point(text: str) -> None:
    told = message(account=text, client_ip=text, objects=[text], why_zh=text)
    for part in (told["account"], told["client_ip"], *told["objects"], told["text"].replace("\n", "")):
        assert all(char.isprintable() for char in part)
    assert "⟨U+" in told["account"]
    json.dumps(told, ensure_ascii=False).encode()


@settings(deadline=None)
@given(text=st.text(max_size=400))
def test_a_name_from_a_log_is_one_printable_line_of_bounded_length(text: str) -> None:
    shown = visible(text)
    assert len(shown) <= 80 * 11 + 1
    assert "\n" not in shown
    assert len(shown.splitlines()) <= 1
    shown.encode()


@settings(deadline=None)
@given(account=st.text(max_size=300), why=st.text(max_size=3000), objects=st.lists(st.text(max_size=200), max_size=40))
def test_whatever_a_log_holds_the_message_is_sound_and_bounded(account: str, why: str, objects: list[str]) -> None:
    told = message(account=account, why_zh=why, objects=objects)
    assert len(json.dumps(told, ensure_ascii=False).encode()) < 200_000


def test_every_family_and_label_has_words_in_both_languages() -> None:
    for words in (texts.FAMILIES, texts.LABELS, texts.SEVERITIES):
        assert set(words["zh"]) == set(words["en"])
    assert set(texts.FAMILIES["zh"]) == set(FAMILIES)


def test_the_account_of_a_service_is_named_after_it() -> None:
    text = message(person=None, vendor=None, account="his_app")["text"]
    assert "谁：服务 HIS (app)，账号 his_app" in text
    other = message(person=None, vendor=None, account="his_app", system="his-my")["text"]
    assert "谁：账号未对应到登记的人员，账号 his_app" in other


def test_what_a_rule_says_goes_before_what_its_family_says() -> None:
    text = message(rule="TEN-05", family="TEN")["text"]
    assert "下一步：阻断传输" in text
    assert "为何重要：其他医院" in text


@pytest.mark.parametrize(
    ("subject", "events", "person", "account", "address"),
    [
        (("site", "system", "account"), 34, "zhang", "账号 vendor_wx_zhang，", "来自 192.168.66.13（首个事件）"),
        (("site", "client_ip"), 34, "zhang", "账号 vendor_wx_zhang（首个事件）", "来自 192.168.66.13\n"),
        (("site", "who"), 34, "zhang", "账号 vendor_wx_zhang（首个事件）", "来自 192.168.66.13（首个事件）"),
        (("site", "who"), 34, None, "账号 vendor_wx_zhang，", "来自 192.168.66.13（首个事件）"),
        (("site",), 1, "zhang", "账号 vendor_wx_zhang，", "来自 192.168.66.13\n"),
    ],
)
def test_one_of_several_is_not_told_as_if_it_were_all(
    subject: tuple[str, ...], events: int, person: str | None, account: str, address: str
) -> None:
    """An account or address that not all events share is that of the first one."""
    rule = RuleText(subject=subject)
    told = text_of(message(events=events, person=person), rule, {}, "zh")
    assert account in told
    assert address in told

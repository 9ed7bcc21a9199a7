"""Lists as hospitals keep them: headings in any order and language, cells as people write them, faults with row and column."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import cells
from config.headings import HEADINGS, REQUIRED, fields_of, folded, kind_of
from config.lists import Sheet, read_list
from config.merging import merge


def sheet(*rows: list, name: str = "Sheet1") -> Sheet:
    return Sheet("list.xlsx", name, list(enumerate(rows, 1)))


def values(*rows: list, kind: str | None = None, name: str = "Sheet1") -> list[dict]:
    read = read_list(sheet(*rows, name=name), kind)
    assert read.problems == ()
    return [draft.values for draft in read.drafts]


@pytest.mark.parametrize("kind", HEADINGS)
def test_no_heading_means_two_fields_of_one_list(kind):
    words = [folded(word) for names in HEADINGS[kind].values() for word in names]
    assert len(words) == len(set(words)), sorted(word for word in words if words.count(word) > 1)
    assert set(REQUIRED[kind]) <= set(HEADINGS[kind])


@pytest.mark.parametrize("kind", HEADINGS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_list_with_its_usual_headings_is_known_for_what_it_is(kind, language):
    def usual(words: tuple[str, ...]) -> str:
        return words[0] if language == "zh" else next(word for word in words if word.isascii() and word != "ip")

    headings = {column: usual(words) for column, words in enumerate(HEADINGS[kind].values())}
    assert kind_of(headings) == kind
    assert set(fields_of(kind, headings).values()) == set(HEADINGS[kind])


def test_columns_may_stand_in_any_order_below_a_title():
    found = values(
        ["2026年厂商人员花名册"],
        [],
        ["备注", "离场日期（含）", " 姓 名 ", "所属厂商", "工号*"],
        ["x", "2026年12月31日", "张三", "wx", "w01"],
        [None, None, None, None, None],
        [None, "长期", "李四", "wx", 1001],
    )
    assert found == [
        {"valid.to": date(2026, 12, 31), "name": "张三", "vendor": "wx", "id": "w01"},
        {"name": "李四", "vendor": "wx", "id": "1001"},
    ]


def test_a_sheet_called_after_its_kind_needs_no_telling_headings():
    assert kind_of({0: "姓名", 1: "账号"}, "人员") == "people"
    assert kind_of({0: "a", 1: "b"}, "Sheet1") is None


DAYS = [
    ("2026-12-31", date(2026, 12, 31)), ("2026/1/2", date(2026, 1, 2)), ("2026.01.02", date(2026, 1, 2)),
    ("2026年1月2日", date(2026, 1, 2)), ("20260102", date(2026, 1, 2)), ("２０２６－０１－０２", date(2026, 1, 2)),
    ("2026-01-02 00:00:00", date(2026, 1, 2)), (datetime(2026, 1, 2, 9), date(2026, 1, 2)), (date(2026, 1, 2), date(2026, 1, 2)),
    (46024, date(2026, 1, 2)), (46024.0, date(2026, 1, 2)), ("46024", date(2026, 1, 2)), ("长期", None), ("/", None),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "day"), DAYS, ids=[str(cell) for cell, _ in DAYS])
def test_days_as_people_write_them(cell, day):
    assert cells.day_of(cell) == day


@pytest.mark.parametrize(
    "cell", ["2026-13-01", "2026-02-30", "tomorrow", "31.12.2026", "12/31/2026", 5, "2026-01-02 x"]
)
def test_what_is_no_day_is_never_guessed(cell):
    with pytest.raises(ValueError):
        cells.day_of(cell)


MOMENTS = [
    ("2026-11-18 08:30", "2026-11-18 08:30"), ("2026/11/18 8:30:15", "2026-11-18 08:30:15"), ("2026年11月18日8时30分", "2026-11-18 08:30"),
    ("2026年11月18日 8点", "2026-11-18 08:00"), (datetime(2026, 11, 18, 8, 30), "2026-11-18 08:30"),
    (46344.354166666664, "2026-11-18 08:30"), ("2026-11-18 24:00", "2026-11-19 00:00"), ("2026-11-18T08:30", "2026-11-18 08:30"),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "moment"), MOMENTS, ids=[str(cell) for cell, _ in MOMENTS])
def test_times_as_people_write_them(cell, moment):
    assert cells.moment_of(cell) == moment


@pytest.mark.parametrize("cell", ["2026-11-18", "08:30", "2026-11-18 25:00", "2026-11-18 08:60", "next week"])
def test_a_ticket_needs_a_time_not_only_a_day(cell):
    with pytest.raises(ValueError):
        cells.moment_of(cell)


def test_words_are_taken_in_both_languages():
    assert values(
        ["厂商名称", "分级", "状态", "驻场人数", "网段"],
        ["甲公司", "一级", "已退出", "4人", "192.0.2.0/24、198.51.100.7"],
        ["B co", "b", "active", 3.0, None],
    ) == [
        {"name": "甲公司", "tier": "A", "state": "exited", "head_count": 4, "places": ["192.0.2.0/24", "198.51.100.7"]},
        {"name": "B co", "tier": "B", "state": "active", "head_count": 3},
    ]
    [ticket] = values(
        ["工单号", "实施人", "开始时间", "结束时间", "操作", "数据类别", "涉及表"],
        ["T-1", "张三、Li Ming", "2026-11-18 8:30", "2026-11-18 12:00", "查询、导出", "处方 药品", "his.a, his.b"],
    )
    assert ticket["person"] == ["张三", "Li Ming"]
    assert ticket["actions"] == ["read", "export"]
    assert ticket["classes"] == ["prescription", "drug"]
    assert ticket["objects"] == ["his.a", "his.b"]


def test_faults_carry_row_and_column():
    read = read_list(
        sheet(
            ["人员名单"],
            ["姓名", "所属厂商", "离场日期"],
            ["张三", "wx", "soon"],
            ["", "wx", "2026-12-31"],
            ["王五", "wx", "2026-02-30"],
        )
    )
    assert [str(problem) for problem in read.problems] == [
        "list.xlsx:3:3: 离场日期: expected a date such as 2026-12-31",
        "list.xlsx:4:1: 姓名: must not be empty",
        "list.xlsx:5:3: 离场日期: no such day",
    ]


def test_a_list_without_a_needed_column_is_refused():
    read = read_list(sheet(["工单号", "实施人", "开始时间"], ["T1", "zhang", "2026-11-18 08:30"]), "tickets")
    assert [str(problem) for problem in read.problems] == ["list.xlsx:1:1: columns are missing for to"]


def test_columns_that_say_nothing_are_named():
    read = read_list(sheet(["姓名", "所属厂商", "血型"], ["张三", "wx", "A"]))
    assert [str(problem) for problem in read.unused] == ["list.xlsx:1:3: 血型: column is not used"]


def joined(register: dict, *sheets: Sheet, alone: bool = False):
    drafts = [draft for one in sheets for draft in read_list(one).drafts]
    return merge(register, drafts, alone=alone)


PEOPLE = ["姓名", "工号", "所属厂商", "账号", "系统"]


def test_rows_of_one_person_are_one_entry():
    register = {"vendors": {"wx": {"name": "卫信"}}}
    merged = joined(register, sheet(PEOPLE, ["张三", "w1", "卫信", "a", "pg"], ["张三", "w1", "卫信", "b", "my"]))
    assert merged.problems == []
    assert merged.added == [("people", "w1")]
    assert register["people"]["w1"] == {
        "name": "张三",
        "vendor": "wx",
        "accounts": [{"system": "pg", "account": "a"}, {"system": "my", "account": "b"}],
    }


def test_what_is_written_stays_and_what_a_list_says_is_set():
    register = {
        "vendors": {"wx": {"tier": "A"}},
        "people": {"zhang": {"name": "张三", "vendor": "wx", "hours": {"from": "09:00"}, "accounts": [{"system": "pg", "account": "a", "from": ["192.0.2.1"]}]}},
    }  # fmt: skip
    merged = joined(register, sheet([*PEOPLE, "离场日期"], ["张三", None, "wx", "a", "pg", "2026-12-31"]))
    assert (merged.added, merged.changed, merged.problems) == ([], [("people", "zhang")], [])
    assert register["people"]["zhang"] == {
        "name": "张三", "vendor": "wx", "hours": {"from": "09:00"}, "valid": {"to": date(2026, 12, 31)},
        "accounts": [{"system": "pg", "account": "a", "from": ["192.0.2.1"]}],
    }  # fmt: skip
    assert joined(register, sheet(PEOPLE, ["张三", None, "wx", "a", "pg"])).changed == []


def test_two_people_of_one_name_at_two_vendors_are_not_mixed_up():
    register = {"vendors": {"wx": {}, "dh": {}}, "people": {"张伟": {"name": "张伟", "vendor": "wx"}}}
    merged = joined(register, sheet(PEOPLE, ["张伟", None, "dh", "z", "pg"]))
    assert [str(problem) for problem in merged.problems] == [
        "list.xlsx:2:1: 姓名: the id 张伟 is taken by another entry: give one"
    ]
    assert register["people"]["张伟"]["vendor"] == "wx"


def test_an_unknown_vendor_or_person_is_told_with_its_cell():
    merged = joined({}, sheet(PEOPLE, ["张三", "w1", "卫信", None, None]))
    assert [str(problem) for problem in merged.problems] == [
        "list.xlsx:2:3: 所属厂商: unknown vendor: neither id nor name of an entry"
    ]
    tickets = sheet(
        ["工单号", "实施人", "开始时间", "结束时间"], ["T1", "张三", "2026-11-18 08:30", "2026-11-18 12:00"]
    )
    assert [problem.column for problem in joined({}, tickets).problems] == [2]
    twins = {"people": {"a": {"name": "张三"}, "b": {"name": "张三"}}}
    assert "several entries have this name: a, b" in joined(twins, tickets).problems[0].message


def test_accounts_go_to_their_person_or_service():
    register = {"people": {"zhang": {"name": "张三"}}, "services": {"app": {"name": "接口", "accounts": []}}}
    merged = joined(
        register,
        sheet(
            ["账号", "系统", "使用人", "ip地址", "是否共用", "超级用户"],
            ["z", "pg、my", "张三", "192.0.2.1", "是", "无"],
            ["s", "pg", "接口", None, "否", "有"],
            ["q", "pg", "李四", None, None, None],
        ),
    )
    assert register["people"]["zhang"]["accounts"] == [
        {"system": ["pg", "my"], "account": "z", "from": ["192.0.2.1"], "shared": True}
    ]
    assert register["services"]["app"]["accounts"] == [{"system": "pg", "account": "s", "superuser": True}]
    assert [(problem.line, problem.column) for problem in merged.problems] == [(4, 3)]


CELLS = st.one_of(
    st.none(), st.text(max_size=30), st.integers(), st.floats(allow_nan=True), st.booleans(), st.datetimes(), st.dates(),
    st.sampled_from(["姓名", "工号", "账号", "系统", "所属厂商", "2026-01-01", "工单号", "实施人", "开始时间", "结束时间", "张三"]),
)  # fmt: skip


@given(rows=st.lists(st.lists(CELLS, max_size=6), max_size=8), kind=st.sampled_from([None, *HEADINGS]))
def test_any_cells_are_entries_or_faults(rows, kind):
    read = read_list(sheet(*rows), kind)
    register: dict = {}
    merge(register, read.drafts, alone=True)
    for problem in read.problems:
        assert problem.line >= 1

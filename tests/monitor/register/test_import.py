"""`hiswatch register import`: files in the encodings and forms hospitals have, joined to a register that keeps its comments."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from typer.testing import CliRunner

from config.errors import ConfigError
from config.loader import load_register
from monitor.cli import app
from monitor.spreadsheets import read_sheets

SHANGHAI = ZoneInfo("Asia/Shanghai")
VENDORS = "厂商名称,分级,合同开始,合同结束,驻场人数\n卫信公司,一级,2026-01-01,2026-12-31,4\n"
PEOPLE = "姓名,工号,所属厂商,账号,系统\n张三,w01,卫信公司,vendor_wx_zhang,his-pg\n"
REGISTER = """\
# Kept by the information department.
vendors:
  wx:
    name: 卫信公司   # since 2019
    tier: B
    hours: {days: [working], from: 08:00, to: 18:00}

people:
  li:
    name: 李四
    vendor: wx
    accounts:
      - {system: his-pg, account: "0042"}
"""


def run(*arguments: str | Path):
    return CliRunner().invoke(app, ["register", "import", *map(str, arguments)])


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", VENDORS),
        ("utf-8-sig", VENDORS),
        ("gbk", VENDORS),
        ("gb18030", VENDORS.replace("卫", "㐀")),
        ("utf-16", VENDORS.replace(",", "\t")),
        ("utf-8", VENDORS.replace(",", ";")),
        ("utf-8", VENDORS.replace("\n", "\r\n")),
    ],
)
def test_lists_come_in_many_encodings(tmp_path, encoding, text):
    file, register = tmp_path / "厂商.csv", tmp_path / "register.yaml"
    file.write_bytes(text.encode(encoding))
    done = run(file, "--into", register)
    assert done.exit_code == 0, done.stderr
    [vendor] = load_register(register, SHANGHAI).vendors.values()
    assert vendor.name in {"卫信公司", "㐀信公司"}
    assert (vendor.tier, vendor.head_count) == ("A", 4)


def test_a_workbook_brings_several_lists(tmp_path):
    book = openpyxl.Workbook()
    vendors = book.active
    vendors.title = "厂商"
    vendors.append(["2026 年外包厂商"])
    vendors.append(["厂商名称", "合同结束", "驻场人数"])
    vendors.append(["卫信公司", datetime(2026, 12, 31), 4])
    people = book.create_sheet("人员")
    people.append(["姓名", "所属厂商", "账号", "系统", "资质到期"])
    people.append(["张三", "卫信公司", 1001, "his-pg", datetime(2027, 5, 31)])
    tickets = book.create_sheet("工单")
    tickets.append(["工单号", "实施人", "计划开始", "计划结束", "审批人"])
    tickets.append(["T-1", "张三", datetime(2026, 11, 18, 8, 30), datetime(2026, 11, 18, 12), "王主任"])
    book.create_sheet("说明").sheet_state = "hidden"
    book.save(tmp_path / "lists.xlsx")
    register = tmp_path / "register.yaml"
    done = run(tmp_path / "lists.xlsx", "--into", register)
    assert done.exit_code == 0, done.stderr
    assert "vendors: 1 added, 0 changed; people: 1 added, 0 changed; tickets: 1 added, 0 changed" in done.stderr
    loaded = load_register(register, SHANGHAI)
    assert str(loaded.vendors["卫信公司"].contract.end) == "2026-12-31"
    assert loaded.people["张三"].accounts[0].account == "1001"
    assert loaded.tickets["T-1"].start == datetime(2026, 11, 18, 8, 30)
    assert loaded.tickets["T-1"].approver == "王主任"


def test_what_is_there_stays_as_it_is_written(tmp_path):
    register = tmp_path / "register.yaml"
    register.write_text(REGISTER, encoding="utf-8")
    register.chmod(0o640)
    (tmp_path / "v.csv").write_text(VENDORS, encoding="utf-8")
    (tmp_path / "p.csv").write_text(PEOPLE, encoding="utf-8")
    done = run(tmp_path / "p.csv", tmp_path / "v.csv", "--into", register)
    assert done.exit_code == 0, done.stderr
    text = register.read_text(encoding="utf-8")
    assert text.startswith(
        "# Kept by the information department.\nvendors:\n  wx:\n    name: 卫信公司   # since 2019\n    tier: A\n"
    )
    assert "    hours: {days: [working], from: 08:00, to: 18:00}\n" in text
    assert '      - {system: his-pg, account: "0042"}\n' in text
    assert "      to: 2026-12-31\n" in text
    assert (
        "  w01:\n    name: 张三\n    vendor: wx\n    accounts:\n      - {system: his-pg, account: vendor_wx_zhang}\n"
        in text
    )
    assert register.stat().st_mode & 0o777 == 0o640
    again = run(tmp_path / "p.csv", tmp_path / "v.csv", "--into", register)
    assert "nothing new" in again.stderr
    assert register.read_text(encoding="utf-8") == text


def test_without_a_register_yaml_is_printed(tmp_path):
    (tmp_path / "p.csv").write_text(PEOPLE, encoding="utf-8")
    done = run(tmp_path / "p.csv")
    assert done.exit_code == 0
    assert done.stdout == (
        "people:\n  w01:\n    name: 张三\n    vendor: 卫信公司\n    accounts:\n      - {system: his-pg, account: vendor_wx_zhang}\n"
    )


def test_a_list_that_would_make_a_contradiction_changes_nothing(tmp_path):
    register = tmp_path / "register.yaml"
    register.write_text(REGISTER, encoding="utf-8")
    (tmp_path / "p.csv").write_text(PEOPLE.replace("vendor_wx_zhang", "0042"), encoding="utf-8")
    done = run(tmp_path / "p.csv", "--into", register)
    assert done.exit_code == 2
    assert (
        "people.w01.accounts[0].account: would not hold after the import: account of system his-pg also belongs to people.li"
        in done.stderr
    )
    assert register.read_text(encoding="utf-8") == REGISTER
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_faults_carry_file_row_and_column_and_nothing_is_written(tmp_path):
    register = tmp_path / "register.yaml"
    register.write_text(REGISTER, encoding="utf-8")
    (tmp_path / "p.csv").write_text(PEOPLE + '"王\n五",w02,没有公司,,\n' + "赵六,w03,卫信公司,a,\n", encoding="utf-8")
    done = run(tmp_path / "p.csv", "--into", register)
    assert done.exit_code == 2
    said = done.stderr.replace(f"{tmp_path}/", "")
    assert "p.csv:3:3: 所属厂商: unknown vendor" in said
    assert "p.csv:5:5: 系统: account and system belong together" in said
    assert register.read_text(encoding="utf-8") == REGISTER


def hostile(tmp_path: Path, name: str) -> Path:
    file = tmp_path / "x.xlsx"
    if name == "bomb":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", b"0" * (200 * 1024 * 1024))
    elif name == "entities":
        book = io.BytesIO()
        openpyxl.Workbook().save(book)
        with zipfile.ZipFile(book) as old, zipfile.ZipFile(file, "w") as new:
            for item in old.namelist():
                content = old.read(item)
                if item == "xl/workbook.xml":
                    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
                    content = (
                        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{entities}]><x>&e11;</x>'.encode()
                    )
                new.writestr(item, content)
    elif name == "no zip":
        file.write_bytes(b"PK\x03\x04" + b"x" * 100)
    elif name == "old excel":
        file.write_bytes(b"\xd0\xcf\x11\xe0" + b"x" * 100)
    else:
        file.write_bytes(b"a,b\n\xff\xff,\n")
    return file


@pytest.mark.parametrize("name", ["bomb", "entities", "no zip", "old excel", "no text"])
def test_what_is_no_list_is_refused_with_one_line(tmp_path, name):
    with pytest.raises(ConfigError) as caught:
        read_sheets(hostile(tmp_path, name))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].file.endswith("x.xlsx")

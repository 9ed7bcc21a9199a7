from __future__ import annotations

import polars as pl
import pytest

from parsers.ftp_acts import activity_keys, decode_names


def keys(*rows: dict) -> list[str | None]:
    base = {"action": "upload", "outcome": "ok", "account": "chen", "client_ip": "192.0.2.4", "path": "/a", "bytes": 5}
    frame = pl.DataFrame([base | row for row in rows], schema_overrides={"path": pl.String, "bytes": pl.Int64})
    return activity_keys(frame).to_list()


@pytest.mark.parametrize(
    "paths",
    [
        (
            "/incoming/患者 名单.xlsx",
            "/incoming/????????????????_?????.xlsx",
            "/incoming/患者_名单.xlsx",
            "患者 名单.xlsx",
        ),
        ("/in/tab\there.txt", "/in/tab?here.txt", "/in/tab_here.txt", "/in/tab#011here.txt", "tab\\x09here.txt"),
        ("/in/ lead and trail ", "/in/_lead_and_trail_", "lead and trail"),
        ("/h/chen//two  spaces.txt", "/h/chen/two__spaces.txt", "two spaces.txt"),
    ],
)
def test_what_the_logs_of_a_server_make_of_one_name_has_one_key(paths):
    assert len(set(keys(*({"path": path} for path in paths)))) == 1


def test_other_acts_have_other_keys():
    rows = [
        {},
        {"path": "/b"},
        {"bytes": 6},
        {"account": "li"},
        {"client_ip": "192.0.2.5"},
        {"action": "download"},
        {"action": "delete", "bytes": None},
        {"action": "login", "path": None, "bytes": None},
        {"action": "login", "path": None, "bytes": None, "outcome": "failed"},
    ]
    assert len(set(keys(*rows))) == len(rows)


def test_a_key_is_short_and_says_nothing_and_no_name_has_none():
    (key,) = keys({"path": "/in/" + "患者张三" * 1000})
    assert key is not None
    assert len(key) == 20
    assert "张" not in key
    assert keys({"path": None, "bytes": None, "action": "mkdir"}) == [None]


def test_keys_are_stable_over_releases():
    assert keys({}) == ["ftp:bdaa8abc8d9daa39"]


def test_folder_and_file_may_differ_in_encoding():
    raw = "/导出/".encode() + "患者名单 备份.xlsx".encode("gb18030")
    assert decode_names(raw) == "/导出/患者名单 备份.xlsx"
    assert decode_names(b"/a\xff\xff/b") == "/a\\xff\\xff/b"

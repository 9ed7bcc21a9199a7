from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.sql.masking import mask

LONG = re.compile(r"\d{6,}")


def masked(text: str) -> str:
    return mask(pl.Series([text], dtype=pl.String))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from t where a = 'x' and b = 12345", "select * from t where a = '?' and b = 12345"),
        ("select 123456, abc1234567x", "select ⟦n⟧, abc⟦n⟧x"),
        ("where id = １３８００１３８０００", "where id = ⟦n⟧"),
        ("where id = 138\u200b001\u200b38000", "where id = ⟦n⟧"),
        ("select 0x48656C6C6F", "select ⟦n⟧"),
        ('a = "x" or b = \'y', "a = ⟦…⟧"),
        ("a = 'it\\'s secret' and b = 'x'", "a = ⟦…⟧"),
        ("/* don't */ select 'x'", "/* don⟦…⟧"),
        ("select $$secret$$, 1", "select ⟦…⟧"),
        ("create user a identified by Tiger9", "create user a identified by ⟦c⟧"),
        ("create user a identified by values 'S:1A'", "create user a identified by ⟦c⟧ '?'"),
        (
            "alter login a with password = abc, check_policy = off",
            "alter login a with password = ⟦c⟧ check_policy = off",
        ),
        ("ALTER USER a PASSWORD 'x'", "ALTER USER a PASSWORD '?'"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_null_and_empty_stay() -> None:
    assert mask(pl.Series(["", None], dtype=pl.String)).to_list() == ["", None]


PIECES = st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "''",
        "--",
        "#",
        "/*",
        "*/",
        "\n",
        "$$",
        "$a$",
        "q'[",
        "]'",
        " ",
        "=",
        "(",
        ",",
        "select",
        "n'",
        "e'",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            PIECES,
            st.text(st.characters(categories=["Nd"]), min_size=1, max_size=9),
            st.from_regex(r"[0-9]{1,9}", fullmatch=True),
        ),
        max_size=12,
    )
)
def test_no_long_run_of_digits_survives(parts: list[str]) -> None:
    assert not LONG.search(masked("".join(parts)))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["select a", " from t", " where x = 1", ", ", "\n", " -- note\n", " /* note */ ", "("]),
        max_size=5,
    ),
    st.sampled_from(
        ["'{}'", '"{}"', "'it''s {}'", "E'\\'{}'", "'\\'{}'", "$${}$$", "$q${}$q$", "q'[it's {}]'", "N'{}'", "U&'{}'"]
    ),
    st.lists(st.sampled_from([" and b = 'x'", " or c = 2", " /* don't */", "\n# it's", "'", ' "']), max_size=3),
    st.integers(0, 40),
)
def test_no_quoted_content_survives_even_when_cut(before: list[str], quoted: str, after: list[str], cut: int) -> None:
    text = "".join(before) + quoted.format("SECRETNAME") + "".join(after)
    assert "SECRETNAME" not in masked(text)
    end = len(text) - cut
    assert "SECRETN" not in masked(text[: max(end, 0)])


@pytest.mark.parametrize(
    "text",
    [
        "exec sp_password null, Hunter2pw, login1",
        "exec sp_addlinkedsrvlogin 'x', false, null, 'sa', @rmtpassword=Hunter2pw",
        "set my.password to Hunter2pw",
        "set password for x to Hunter2pw",
        "alter user a identified by Hunter2pw#$!b@rest",
        "create user a identified by 123Hunter2pw",
        "connect scott/Hunter2pw@db",
        "TTY=pts/0 ; USER=root ; COMMAND=/usr/bin/mysql -pHunter2pw -u root",
        "COMMAND=/usr/bin/mysqldump --password=Hunter2pw his",
    ],
)
def test_no_password_of_any_form_survives(text: str) -> None:
    assert "unter2pw" not in mask(pl.Series([text]))[0]

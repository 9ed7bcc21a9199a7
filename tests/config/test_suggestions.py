"""Proposals for a schema: what words mean hangs on their table; figures on the sample schemas and the packs; hostile names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.catalogue import SHIPPED, Catalogue, folded, load_catalogue, load_pack
from config.suggestions import SHOWN, ColumnSeen, TableGuess, TableSeen, as_yaml, suggest, words_of

ALL = load_catalogue()


def one(
    table: str, *columns: str | ColumnSeen, comment: str = ""
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What is proposed for the columns of a table: name -> classes, roles."""
    seen = tuple(column if isinstance(column, ColumnSeen) else ColumnSeen(column) for column in columns)
    [guess] = suggest([TableSeen(table, comment=comment, columns=seen)])
    return {found.column: (found.classes, found.roles) for found in guess.columns if found.confidence >= SHOWN}


def test_a_name_means_what_its_table_is_about() -> None:
    assert one("patients", "name") == {"name": (("identity",), ())}
    assert one("staff_dict", "name") == {"name": (("staff",), ())}
    assert one("drug_dict", "drug_name") == {"drug_name": (("drug",), ("drug",))}
    assert one("dept_dict", "name", "phone") == {}
    assert one("supplier", "phone") == {"phone": (("procurement",), ())}


def test_a_doctor_prescribes_in_prescriptions_only() -> None:
    assert one("drug_presc_master", "doctor_id")["doctor_id"] == (("prescription",), ("prescriber",))
    assert one("MS_CF01", "YSDM")["YSDM"] == (("prescription",), ("prescriber",))
    assert "prescriber" not in one("ZY_BRRY", "YSDM").get("YSDM", ((), ()))[1]
    assert one("lab_test_master", "doctor_id") == {"doctor_id": (("lab",), ())}


def test_comments_tell_what_names_do_not() -> None:
    columns = (
        ColumnSeen("C01", "varchar(18)", "身份证号码"),
        ColumnSeen("C02", "clob", "现病史"),
        ColumnSeen("C03", "int", "排序号"),
    )
    assert one("T_0001", *columns, comment="入院记录") == {
        "C01": (("identity",), ("patient_key",)),
        "C02": (("clinical",), ()),
    }


def test_a_type_that_does_not_go_with_it_makes_it_doubtful() -> None:
    [guess] = suggest(
        [TableSeen("patients", columns=(ColumnSeen("phone_verified", "boolean"), ColumnSeen("phone", "varchar(20)")))]
    )
    sure = {found.column: found.confidence >= SHOWN for found in guess.columns}
    assert sure == {"phone_verified": False, "phone": True}
    assert any("boolean" in reason for found in guess.columns for reason in found.reasons)


def test_a_prefix_that_all_columns_share_says_nothing() -> None:
    found = one("pa_person", "PAPER_Name", "PAPER_Dob", "PAPER_Email", "PAPER_MobPhone", "PAPER_Sex_DR")
    assert found["PAPER_Email"] == (("contact",), ())
    assert found["PAPER_Dob"] == (("identity",), ())


def test_packs_are_asked_first() -> None:
    [guess] = suggest([TableSeen("MS_CF02", columns=(ColumnSeen("YPXH"), ColumnSeen("BZ"), ColumnSeen("LXDH")))], ALL)
    assert guess.known
    first = guess.columns[0]
    assert (first.column, first.roles, first.confidence) == ("YPXH", ("drug",), 0.95)
    assert "LXDH" in [found.column for found in guess.columns]  # what the pack passes over is still looked at


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PATIENT_NAME", ["patient", "name"]), ("patientName", ["patient", "name"]), ("PAPMI_RowId1", ["papmi", "row", "id"]),
        ("HTMLBody", ["html", "body"]), ("phone2", ["phone"]), ("123", ["123"]), ("", []), ("姓名", ["姓名"]),
    ],
)  # fmt: skip
def test_words_of_a_name(name: str, words: list[str]) -> None:
    assert [word for word in words_of(name) if word] == words


# --- how well -------------------------------------------------------------------------------------------------------------


def scored(guesses: list[TableGuess], truth) -> dict[str, tuple[float, float]]:
    """(precision, recall) of classes and of roles over all columns."""
    right, wrong, missed = dict.fromkeys(("classes", "roles"), 0), dict.fromkeys(("classes", "roles"), 0), dict.fromkeys(("classes", "roles"), 0)  # fmt: skip
    for guess in guesses:
        found = {one.column: one for one in guess.columns if one.confidence >= SHOWN}
        for column in guess.table.columns:
            for what in right:
                said = set(getattr(found[column.name], what)) if column.name in found else set()
                true = set(getattr(truth(guess.table, column.name), what))
                right[what] += len(said & true)
                wrong[what] += len(said - true)
                missed[what] += len(true - said)
    return {
        what: (right[what] / max(1, right[what] + wrong[what]), right[what] / max(1, right[what] + missed[what])) for what in right
    }  # fmt: skip


def of_pack(name: str) -> dict[str, tuple[float, float]]:
    pack = load_pack(SHIPPED / f"{name}.yaml")
    tables = [
        TableSeen(table, columns=tuple(ColumnSeen(column) for column in entry.columns))
        for table, entry in pack.tables.items()
        if entry.columns
    ]
    return scored(suggest(tables), lambda table, column: pack.tables[table.name].columns[column])


@pytest.mark.parametrize("name", ["bsoft_style", "chinese_names", "cloud_his", "english_his", "junwei_no1"])
def test_families_of_chinese_hospitals_by_names_alone(name: str) -> None:
    for precision, recall in of_pack(name).values():
        assert precision >= 0.92
        assert recall >= 0.92


@pytest.mark.parametrize("name", ["iris_style", "mimic", "openemr", "openmrs", "operating_room"])
def test_other_products_by_names_alone(name: str) -> None:
    for precision, recall in of_pack(name).values():
        assert precision >= 0.92
        assert recall >= 0.6


# --- the file -------------------------------------------------------------------------------------------------------------

ANYTHING = st.text(max_size=30) | st.sampled_from(
    ["on", "null", "a: b", "# x", "'", '"', "{", "- a", "\u2028", "\x00", "病人姓名", "phone"]
)
TABLES = st.lists(
    st.builds(
        TableSeen, ANYTHING, ANYTHING, ANYTHING,
        st.lists(st.builds(ColumnSeen, ANYTHING, ANYTHING, ANYTHING), max_size=6).map(tuple),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(tables=TABLES, pack=ANYTHING, source=ANYTHING)
def test_whatever_the_names_are_the_file_is_a_catalogue(tmp_path_factory, tables, pack, source) -> None:
    guesses = suggest(tables)
    file: Path = tmp_path_factory.mktemp("proposed") / "pack.yaml"
    file.write_text(as_yaml(guesses, pack=pack, source=source), encoding="utf-8")
    loaded = load_pack(file)
    Catalogue([], [loaded])
    proposed = {folded(column) for entry in loaded.tables.values() for column in entry.columns}
    assert proposed <= {folded(column.name) for table in tables for column in table.columns}


def test_the_file_says_what_was_found(tmp_path: Path) -> None:
    tables = [
        TableSeen(
            "ms_cf01",
            "his",
            "处方主表",
            (ColumnSeen("ysdm"), ColumnSeen("brxm", "varchar(20)", "姓名"), ColumnSeen("bz")),
        ),
        TableSeen("ms_cf01", "bak", "", (ColumnSeen("ysdm"),)),
        TableSeen("nothing", columns=(ColumnSeen("x"),)),
    ]
    file = tmp_path / "pack.yaml"
    file.write_text(as_yaml(suggest(tables), pack="our_his", source="dump.sql"), encoding="utf-8")
    own = Catalogue([], [load_pack(file)])
    found = own.table("his.ms_cf01")
    assert found is not None
    assert own.column(found, "YSDM").roles == ("prescriber",)
    assert own.column(found, "BRXM").classes == ("identity",)
    assert own.table("bak.ms_cf01") is not None
    assert own.table("nothing") is None

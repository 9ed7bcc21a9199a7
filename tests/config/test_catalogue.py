"""The catalogue: names as sites write them, packs, faults with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.catalogue import CLASS_A, CLASSES, Catalogue, load_catalogue, load_pack, shipped_packs
from config.errors import ConfigError

ALL = load_catalogue()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("patients", "patients"),
        ("PUBLIC.Patients", "patients"),
        ("his.dbo.patients", "patients"),
        ("ｐａｔｉｅｎｔｓ", "patients"),
        ("patients@remote", "patients"),
        ("patients_bak", "patients"),
        ("tmp_patients", "patients"),
        ("patients_20261101", "patients"),
        ("medrec.PAT_MASTER_INDEX", "pat_master_index"),
        ("MED_PAT_MASTER_INDEX", "pat_master_index"),
        ("HIS.it_pat_master_index", "pat_master_index"),
        ("it_MS_BRDA", "ms_brda"),
        ("系统_病人基本信息表", "病人基本信息"),
        ("HIS_MZ_BRXX", "mz_brxx"),
        ("mysql.user", "user"),
    ],
)
def test_names_as_sites_write_them(name: str, table: str) -> None:
    found = ALL.table(name)
    assert found is not None
    assert found.name == table
    assert found.sensitive


@pytest.mark.parametrize(
    "name", ["dept", "purchase_orders", "x.b", "user", "db", "", ".", "visits_by_region_report", "a" * 100_000]
)
def test_names_that_mean_nothing(name: str) -> None:
    assert ALL.table(name) is None


def test_the_same_letters_mean_different_things_per_table() -> None:
    def roles(table: str) -> tuple[str, ...]:
        return ALL.column(ALL.table(table), "YSDM").roles

    assert roles("MS_CF01") == ("prescriber",)
    assert roles("ZY_BRRY") == ()


def test_one_name_in_two_products() -> None:
    english, junwei = ALL.table("public.orders"), ALL.table("ordadm.orders")
    assert english is not None
    assert junwei is not None
    assert "doctor_id" in english.columns
    assert "doctor_id" not in junwei.columns
    either = ALL.table("orders")
    assert either is not None
    assert {"doctor_id", "doctor"} <= set(either.columns)
    chosen = ALL.table("ORDERS", "medrec")
    assert chosen is not None
    assert "doctor_id" not in chosen.columns


def test_class_a_makes_a_table_sensitive() -> None:
    assert set(CLASSES) >= CLASS_A
    drugs = ALL.table("drug_dict")
    assert drugs is not None
    assert not drugs.sensitive


def test_undescribed_columns_are_guessed_by_clear_names_only() -> None:
    assert ALL.column(None, "ID_CARD_NO").classes == ("identity",)
    assert ALL.column(None, "身份证号码").classes == ("identity",)
    assert ALL.column(None, "YSDM").classes == ()
    assert ALL.column(None, "name").classes == ()


def test_every_table_of_a_hospital_group_has_its_tenant() -> None:
    cloud = ALL.table("outpt_visit")
    assert cloud is not None
    assert cloud.tenant == "hosp_code"
    assert ALL.column(cloud, "HOSP_CODE").roles == ("tenant",)


def test_the_servers_own_tables_are_always_in_force() -> None:
    assert load_catalogue(("generic",)).table("pg_authid") is not None


def test_routines_are_known_by_name() -> None:
    routine = ALL.routine("his.SP_PRESC_BY_DOCTOR")
    assert routine is not None
    assert routine.tongfang


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("pack: site\ntables: {a: {columns: {b: identity}}}\n", encoding="utf-8")
    first = load_catalogue((), [path]).version
    assert load_catalogue((), [path]).version == first
    path.write_text("pack: site\ntables: {a: {columns: {b: contact}}}\n", encoding="utf-8")
    assert load_catalogue((), [path]).version != first


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("pack: x\ntables:\n  a:\n    columns: {b: nonsense}\n", ":4:", "tables.a.columns.b"),
        ("pack: x\ntabels: {}\n", ":2:1: tabels", "unknown key"),
        ("pack: x\ntables:\n  a:\n    columns:\n      b: {role: king}\n", ":5:", "role"),
    ],
)
def test_faults_have_their_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_pack(path)
    assert f"site.yaml{place}" in str(caught.value)
    assert message in str(caught.value)


def test_all_faults_of_all_files_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("pack: x\nfoo: 1\nbar: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(["nosuch"], [bad, tmp_path / "missing.yaml"])
    text = str(caught.value)
    assert all(word in text for word in ("nosuch", "foo", "bar", "missing.yaml"))


@pytest.mark.parametrize("name", shipped_packs())
def test_shipped_packs_are_sound(name: str) -> None:
    pack = load_pack(Path(__file__).parents[2] / "config" / "catalogues" / f"{name}.yaml")
    assert pack.pack == name
    assert pack.title
    assert pack.title_zh
    assert isinstance(Catalogue([pack]).version, str)

"""File names to shapes: what hides a dump, and what only looks like one."""

from __future__ import annotations

import polars as pl
import pytest

from detectors.context.shapes import SHAPES, file_shape

NAMES = {
    "dump": [
        "/in/his_full_20261120.dmp", "/in/his_full_20261120.dmp.gz", "a.SQL", "a.sql.gz", "a.sql.tar.gz", "库.bak", "his.bak.7z",
        "dump.zip", "his_dump_2026.rar", "mysqldump-1118.tgz", "全库.zip", "his.mdf", "HIS.LDF", "his.dmp.001", "his.dmp.part",
        "his.dmp(1)", "expdp01.7z.001", "pgdump.tar", "full.sql.bak", "his.mdf.bak", "病历.bak", "his.dmp ", "x\\y\\his.bak", "his_dmp.zip", "his.dump", "a.sql.enc",
    ],
    "archive": [
        "/in/病案.zip", "a.7z", "a.rar", "a.tar", "a.tar.gz", "a.gz", "a.z01", "a.r00", "a.part1.rar", "a.zip.001", "a.7z.003",
        "readme.txt.zip", "????????????01.zip", "a.ZIP", "a.zip.filepart", "a.gpg",
    ],
    "table_export": [
        "/in/patient_export_001.csv", "a.csv", "住院患者名单.xlsx", "病人清单.xls", "patient.txt", "门诊明细.et", "BRXX_2026.xlsx",
        'quo"te.csv', "病人.json", "a.dbf", "就诊名册.docx", "a.csv.tmp", "住院患者名单.xlsx.bak",
    ],
    "image": ["/incoming/scan2026/BL00001.jpg", "IMG_0231.jpg", "a.dcm", "/pacs/1.2.840.113619/000001", "/upload/scan/BL1", "a.tiff"],
    "document": ["入院评估 表.docx.bak", "a.xls.bak(2)", "空白表格(2026).xls", "手册.docx", "a.pdf", "notes.txt", "report.xlsx"],
    "package": ["/incoming/HIS_patch_3.2.1.zip", "his_PATCH_3.zip"],
    "other": ["my.cnf.bak", "hospital.yaml.orig", "/incoming/ADT_202611180902_000.hl7", "noext", "", "/", "/upload/scan/", "/upload/scan", "a.dmpx", "sqlite", "dump", "/dumps/readme"],
}  # fmt: skip


def shapes(*paths: tuple[str | None, str | None], **options) -> list[str | None]:
    frame = pl.DataFrame(paths, schema={"path": pl.String, "path2": pl.String}, orient="row")
    return frame.select(file_shape(["HIS_patch_*.zip"], **options)).to_series().to_list()


@pytest.mark.parametrize("shape", [shape for shape in NAMES if shape != "other"])
def test_names_have_their_shape(shape):
    names = NAMES[shape]
    assert dict(zip(names, shapes(*((name, None) for name in names)), strict=True)) == dict.fromkeys(names, shape)


def test_other_names_are_no_evidence():
    found = dict(zip(NAMES["other"], shapes(*((name, None) for name in NAMES["other"])), strict=True))
    assert {name: shape for name, shape in found.items() if shape != "other"} == {}


def test_no_path_no_shape():
    assert shapes((None, None)) == [None]


RENAMES = [
    ("a dump renamed to an image is still a dump", "/in/emr.dmp", "/in/IMG_0231.jpg", "dump"),
    ("a part renamed to a dump is a dump", "/in/upload.tmp", "/in/his.dmp", "dump"),
    ("an image renamed to a document is an image", "/a.jpg", "/a.pdf", "image"),
    ("a list renamed to a package is a list", "/患者.csv", "/HIS_patch_1.zip", "table_export"),
]


@pytest.mark.parametrize(("old", "new", "shape"), [case[1:] for case in RENAMES], ids=[case[0] for case in RENAMES])
def test_of_two_names_the_riskier_counts(old, new, shape):
    assert shapes((old, new)) == [shape]


def test_a_package_by_name_alone_does_not_hide_a_dump_inside_another_folder():
    assert shapes(("/HIS_patch_1.zip/his.dmp", None)) == ["dump"]


def test_words_of_the_site_count_too():
    assert shapes(("/随访.xlsx", None)) == ["document"]
    assert shapes(("/随访.xlsx", None), list_names=["随访"]) == ["table_export"]


def test_every_answer_is_a_known_shape():
    assert set(NAMES) == set(SHAPES)

"""What a file looks like by its name: a dump, an archive, a patient list, an image, a document, a program package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import polars as pl

# The riskier shape wins where a name has two, and where a rename gives the same content a second name.
SHAPES = ("dump", "archive", "table_export", "package", "image", "document", "other")

_END = r"(?:[._-]?(?:\(\d+\)|copy|old|tmp|part|filepart|crdownload|\d{1,3}|z\d\d|r\d\d|part\d+|~))*$"
_PACKED = r"(?:\.(?:gz|bz2|xz|zst|lz4|z|zip|7z|rar|tar|tgz|enc|gpg|aes|pgp))*"
_DUMP = r"\.(?:dmp|dump|bak|sql|mdf|ndf|ldf|trn|ibd|frm|myd|dbf_dump|rman|bkp|expdp|pgdump|backup|mysqldump|fdb|nsf)"
# A safety copy that an editor or an administrator keeps beside a document or a setting: judged by its own name.
_KEPT = r"(\.(?:docx?|xls[xmb]?|pptx?|pdf|txt|rtf|wps|et|dps|odt|ods|md|ini|conf?|cfg|cnf|ya?ml|properties|html?|css|js|php|jsp|aspx?|py|sh))\.(?:bak|backup|orig)(?:[._-]?(?:\(\d+\)|\d{1,3}|~))*$"
_DUMP_WORDS = r"(?:mysqldump|pg_?dump|expdp|_dump_|(?:^|[_.-])dump(?:$|[_.-])|full_?backup|数据库备份|全库|备份库)"
_ARCHIVE = r"\.(?:zip|7z|rar|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|lz4|lzma|cab|iso|arj|ace|z|enc|gpg|pgp|aes)"
_SPLIT = r"\.(?:z\d\d|r\d\d|part\d+\.rar|(?:zip|7z|rar|tar|gz)\.\d{2,3})$"
_TABLE = r"\.(?:csv|tsv|dbf|parquet|accdb|mdb|sav|sas7bdat|dta)"
_SHEET = r"\.(?:xlsx?|xlsm|xlsb|et|ods|txt|json|jsonl|xml|html?|pdf|docx?|wps)"
_LIST_WORDS = (
    "患者", "病人", "病患", "就诊", "门诊", "住院", "挂号", "处方", "名单", "名册", "花名册", "清单", "明细", "病历", "病案", "检验", "身份证",
    "patient", "inpatient", "outpatient", "_list", "list_", "-list", "roster", "_export", "export_", "brxx", "brda", "hzxx", "huanzhe", "bingren",
    "mingdan", "shoufei", "chufang",
)  # fmt: skip
_IMAGE = r"\.(?:dcm|dicom|ima|jpe?g|jp2|png|tiff?|bmp|gif|webp|nii|heic)"
_IMAGE_FOLDERS = r"/(?:dicom|pacs|scan|scans|scanned|image|images|影像|扫描)[^/]*/(?:[^/]*/)*[^/.]+$"
_DOCUMENT = r"\.(?:docx?|xlsx?|pptx?|pdf|txt|rtf|wps|et|dps|md|html?|xml|json|jsonl|ods|odt|xlsm|xlsb)"


def file_shape(package_names: Iterable[str] = (), list_names: Iterable[str] = ()) -> pl.Expr:
    """One of SHAPES from `path`, for a rename the riskier of `path` and `path2`; null: no path."""
    packages, lists = tuple(package_names), tuple(list_names)
    old, new = _rank("path", packages, lists), _rank("path2", packages, lists)
    rank = pl.min_horizontal(old, new)  # null counts for nothing
    return rank.replace_strict(dict(enumerate(SHAPES)), default=None, return_dtype=pl.String)


def _rank(column: str, packages: tuple[str, ...], lists: tuple[str, ...]) -> pl.Expr:
    """Place in SHAPES, null where there is no name."""
    path = pl.col(column).str.to_lowercase().str.strip_chars(" \"'").str.replace_all(r"\\", "/", literal=True)
    name = path.str.extract(r"([^/]*)/*$", 1).str.replace(_KEPT, "$1")
    listed = name.str.contains_any([word.lower() for word in (*_LIST_WORDS, *lists)])
    packed = name.str.contains(_ARCHIVE + _END) | name.str.contains(_SPLIT)
    tests = {
        "package": name.str.contains(_any_of(packages)) if packages else pl.lit(value=False),
        "dump": name.str.contains(_DUMP + _PACKED + _END) | (packed & name.str.contains(_dump_inside())),
        "archive": packed,
        "table_export": name.str.contains(_TABLE + _END) | (listed & name.str.contains(_SHEET + _END)),
        "image": name.str.contains(_IMAGE + _END) | path.str.contains(_IMAGE_FOLDERS),
        "document": name.str.contains(_DOCUMENT + _END),
    }
    ranks = {shape: pl.lit(rank, pl.UInt8) for rank, shape in enumerate(SHAPES)}
    chosen: Any = pl.when(path.is_null()).then(pl.lit(None, pl.UInt8))
    for shape, test in tests.items():
        chosen = chosen.when(test).then(ranks[shape])
    rank: pl.Expr = chosen.otherwise(ranks["other"])
    return rank


def _dump_inside() -> str:
    """An archive that its name says holds a dump: dump.zip, his_full_dmp.rar, his.bak.7z."""
    return _DUMP_WORDS + r"|(?:^|[._-])(?:dmp|bak|dump|expdat)(?:[._-]|$)"


def _any_of(patterns: tuple[str, ...]) -> str:
    def one(text: str) -> str:
        return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in text.lower())

    return r"^(?:" + "|".join(map(one, patterns)) + r")$"

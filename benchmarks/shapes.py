"""Shapes of statements alone: how many a CPU second, for every dialect and kind of text.

    python benchmarks/shapes.py
    python benchmarks/shapes.py --count 50000 --dialect mysql --json

All statements are distinct, so nothing is gained by looking one up. `short`: about 100 bytes, what a HIS sends all day, 12 structures
in two spellings, with other literals each time; `own`: the same, each with a structure of its own, the worst that can come; `Chinese`: tables and
columns in Chinese; `long`: mixed statements of some 1,300 bytes with comments, joins, lists of 1 to 200 values and rows of VALUES;
`odd`: quotes, escapes and comments that only the lexer can tell apart. CPU is user + system of all threads; the cheapest run counts.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass

import polars as pl
from parsing import best

from parsers.sql.lexer import DIALECTS
from parsers.sql.shape import read

TARGET = 500_000  # short statements a CPU second

BINDS = {"postgres": "$1", "mysql": "?", "oracle": ":1", "tsql": "@P0"}
QUOTES = {"postgres": ('"', '"'), "mysql": ("`", "`"), "oracle": ('"', '"'), "tsql": ("[", "]")}
SHORT = (
    "SELECT name, sex, birth FROM medrec.pat_master_index WHERE patient_id = {key} AND visit_id = {number}",
    "SELECT * FROM outp_orders WHERE order_no = {number} AND patient_id = {key} ORDER BY item_no {limit}",
    "UPDATE inp_bill_detail SET charges = {price}, qty = 2 WHERE patient_id = {key} AND item_no = {number}",
    "INSERT INTO lab_result (id, patient_id, item, result, at) VALUES ({number}, {key}, 'WBC', {price}, {day})",
    "SELECT COUNT(*) FROM pat_visit WHERE admission_date >= {day} AND dept_code IN ({number}, {number}) AND status = 1",
    "select drug_name, amount from drug_presc_detail where presc_date = {day} and presc_no = {number} and item_no > 0",
    "SELECT v.visit_no, v.dept, d.name\nFROM visit v JOIN dept d ON d.code = v.dept\nWHERE v.patient_id = {key} -- {number}",
    "DELETE FROM session_lock WHERE user_id = {key} AND taken < {day} AND host = '10.1.{small}.7' /* nurse {number} */",
    "SELECT p.name AS {q1}Name{q2} FROM patient p WHERE p.phone = {key} AND p.id = {bind} AND p.hospital = {number}",
    "select a.fee, a.fee * {price} from charge a where a.receipt_no = {key} and a.balance > -{number} or a.state = 'paid'",
    "SELECT reg_no, doctor FROM registration WHERE reg_date BETWEEN {day} AND {day} AND card_no = {key} {limit}",
    "UPDATE nurse_record SET temperature = {price}, note = '体温正常' WHERE patient_id = {key} AND rec_no = {number}",
)
LIMITS = {"tsql": "", "oracle": "FETCH FIRST {number} ROWS ONLY"}
CHINESE = (
    "SELECT 姓名, 性别, 出生日期 FROM 病人基本信息 WHERE 病人编号 = {key} AND 住院次数 = {number}",
    "UPDATE 门诊处方 SET 数量 = {number}, 备注 = '已发药' WHERE 处方号 = {key} AND 药品1 <> '{number}'",
)
ODD = {
    "postgres": "SELECT E'it\\'s {number}', $q$ {number} ' $q$ FROM t /* it's */ WHERE a = {key}",
    "mysql": "SELECT /*!40001 SQL_NO_CACHE */ a FROM `a b` WHERE c = {key} AND d = {number} /* it's */",
    "oracle": "SELECT q'[it's {number}]' FROM t WHERE a = {key} -- don't",
    "tsql": "SELECT [a b] FROM t WHERE a = {key} AND n = {number} /* /* it's */ */",
}


@dataclass(frozen=True, slots=True)
class Figure:
    dialect: str
    kind: str
    statements: int
    bytes_each: int
    shapes: int
    statements_per_cpu_second: int
    megabytes_per_cpu_second: float
    target: int | None

    @property
    def reached(self) -> bool:
        return self.target is None or self.statements_per_cpu_second >= self.target


class Writer:
    """Statements of one dialect, from a seed; `number` is never the same twice, so no statement is."""

    def __init__(self, dialect: str, seed: int) -> None:
        self._dialect = dialect
        self._pick = random.Random(f"{dialect} {seed}")
        self._number = 0

    def _filled(self, template: str) -> str:
        pick = self._pick
        self._number += 1
        first, last = QUOTES[self._dialect]
        limit = LIMITS.get(self._dialect, "LIMIT {number}").format(number=pick.randrange(1, 500))
        return template.format(
            number=self._number, key=f"'P{pick.randrange(10**8):08d}'", price=pick.randrange(1, 10**6) / 100,
            day=f"'2026-{pick.randrange(1, 13):02d}-{pick.randrange(1, 29):02d}'", small=pick.randrange(256),
            limit=limit, bind=BINDS[self._dialect], q1=first, q2=last,
        )  # fmt: skip

    def short(self) -> str:
        text = self._filled(SHORT[self._number % len(SHORT)])
        return text if self._pick.random() < 0.5 else text.replace(" = ", "=")

    def own(self) -> str:
        return self.short().replace("--", "AND").replace("/*", "AND").replace("*/", "") + f" AND c{self._number} = 1"

    def chinese(self) -> str:
        return self._filled(CHINESE[self._number % len(CHINESE)])

    def odd(self) -> str:
        return self._filled(ODD[self._dialect])

    def long(self) -> str:
        """A quarter each: a report of many joins, a list, rows, columns of a form."""
        pick, kind = self._pick, self._number % 4
        if kind == 0:
            joins = "\n".join(
                f"LEFT JOIN his.table_{i} t{i} ON t{i}.id = m.id_{i} AND t{i}.deleted = 0 -- join {i}"
                for i in range(12)
            )
            return self._filled(
                f"/* report {{number}} */\nSELECT m.id, m.name\nFROM main m\n{joins}\nWHERE m.day >= {{day}}"
            )
        if kind == 1:
            keys = ", ".join(f"'P{pick.randrange(10**8):08d}'" for _ in range(pick.randint(1, 200)))
            return self._filled(f"SELECT a, b, c FROM visit WHERE patient_id IN ({keys}) AND n = {{number}}")
        if kind == 2:
            row = "({number}, {key}, {price}, {day}, NULL, 'mmol/L')"
            rows = ", ".join(self._filled(row) for _ in range(pick.randint(1, 50)))
            return f"INSERT INTO lab_result (id, patient_id, result, at, note, unit) VALUES {rows}"
        columns = ", ".join(f"column_{i} = {{price}}" for i in range(60))
        return self._filled(f"UPDATE form_values SET {columns} WHERE form_no = {{number}}")


KINDS: dict[str, Callable[[Writer], str]] = {
    "short": Writer.short, "own": Writer.own, "Chinese": Writer.chinese, "long": Writer.long, "odd": Writer.odd,
}  # fmt: skip
FEWER = {"long": 10, "odd": 10}  # times fewer of what takes long


def statements(dialect: str, kind: str, seed: int, count: int) -> pl.Series:
    writer = Writer(dialect, seed)
    return pl.Series([KINDS[kind](writer) for _ in range(count)])


def measured(dialect: str, kind: str, *, seed: int, count: int, runs: int) -> Figure:
    texts = statements(dialect, kind, seed, count // FEWER.get(kind, 1))
    size = int(texts.str.len_bytes().sum())
    found: list[int] = []

    def work() -> int:
        known = read(texts, dialect)
        found.append(known["shape"].n_unique())
        return known.height

    done, seconds = best(work, runs)
    if done != texts.n_unique():
        raise SystemExit(f"{dialect}, {kind}: {done} shapes for {texts.n_unique()} distinct statements")
    target = TARGET if kind == "short" else None
    return Figure(
        dialect,
        kind,
        done,
        round(size / done),
        found[-1],
        round(done / seconds),
        round(size / seconds / 1e6, 1),
        target,
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=20261118)
    options.add_argument("--count", type=int, default=200_000, help="statements; a tenth of the long and the odd")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--dialect", choices=DIALECTS)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    figures = []
    if not given.json:
        print(f"{'dialect':10}{'kind':10}{'statements':>12}{'bytes':>7}{'shapes':>9}{'per CPU s':>12}{'MB/CPU s':>10}")
    for dialect in [given.dialect] if given.dialect else DIALECTS:
        for kind in KINDS:
            one = measured(dialect, kind, seed=given.seed, count=given.count, runs=given.runs)
            figures.append(one)
            if not given.json:
                told = "" if one.target is None else f"  target {one.target:,} {'reached' if one.reached else 'MISSED'}"
                print(
                    f"{one.dialect:10}{one.kind:10}{one.statements:12,}{one.bytes_each:7}{one.shapes:9,}"
                    f"{one.statements_per_cpu_second:12,}{one.megabytes_per_cpu_second:10}{told}"
                )
    if given.json:
        print(json.dumps([asdict(one) for one in figures], indent=1))
    return 0 if all(one.reached for one in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())

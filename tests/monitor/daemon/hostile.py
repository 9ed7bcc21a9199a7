"""Statements made to stall, kill or blind whoever reads them, as records of a PostgreSQL csvlog."""

from __future__ import annotations

NOT_A_TREE = {  # must be read by the linear pass or be said to be unread
    "joins": "SELECT * FROM patients " + " ".join(f"JOIN t{n}" for n in range(20)) + " WHERE t1.a = 1",
    "decimals": "SELECT CAST(1 AS " + "DECIMAL(" * 24 + "1" + ")" * 24 + ") FROM patients",
    "arrays": "SELECT " + "ARRAY[" * 30 + "1" + "]" * 30 + " FROM patients",
    "types": "SELECT CAST(a AS " + "ARRAY<" * 12_000 + "INT" + ">" * 12_000 + ") FROM patients",
    "parentheses": "SELECT * FROM " + "(" * 12_000 + "patients" + ")" * 12_000,
    "calls": "SELECT " + "f(" * 12_000 + "1" + ")" * 12_000 + " FROM patients",
    "nots": "SELECT * FROM patients WHERE " + "NOT " * 12_000 + "a",
    "selects": "SELECT * FROM (" * 3_000 + "patients" + ")" * 3_000,
    "open comment": "SELECT * FROM patients " + "/* " * 30_000,
    "open quote": "SELECT * FROM patients WHERE name = '" + "a" * 50_000,
    "semicolons": ";" * 100_000 + "SELECT * FROM patients",
    "garbage": "".join(chr(33 + n * 7919 % 90) for n in range(20_000)).replace('"', "'"),
}
STORED = {  # may be understood; must be stored
    "long list": "SELECT * FROM patients WHERE patient_id IN (" + ",".join(str(n) for n in range(120_000)) + ")",
    "unions": " UNION ALL ".join(["SELECT name FROM patients"] * 3_000),
    "sums": "SELECT " + "+".join("1" * 20_000) + " FROM patients",
    "comments": "SELECT * FROM /**/ patients -- x\n" * 1 + "/**/" * 20_000,
    "escaped": 'SELECT * FROM U&"\\0070\\0061\\0074\\0069\\0065\\006E\\0074\\0073"',
    "full width": "SELECT * FROM \uff50\uff41\uff54\uff49\uff45\uff4e\uff54\uff53",
    "zero width": "SELECT * FROM pat\u200bients",
    "bidi": "SELECT * FROM patients -- \u202e\u2066",
    "separators": "SELECT *\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029 FROM patients",
    "terminal": "SELECT '\x1b]0;owned\x07\x1b[2J' FROM patients",
    "forged": 'SELECT 1\n2026-11-12 00:00:00.000 CST,"root","his",1,"local",1.1,1,"SELECT"',
    "dollars": "DO $a$ BEGIN EXECUTE $b$ SELECT * FROM patients $b$; END $a$",
}  # fmt: skip
BYTES = {  # not text in any encoding, or in another one
    "nul": b"SELECT * FROM pat\0ients",
    "surrogate": b"SELECT '\xed\xa0\x80' FROM patients",
    "latin": b"SELECT '\xff\xfe\xfd' FROM patients",
    "gbk": "SELECT * FROM 病人".encode("gb18030"),
    "backslash": b"SELECT '\x81\x5c' FROM patients",
    "overlong": b"SELECT '\xc0\xa7' FROM patients",
}


def record(number: int, account: str, statement: bytes) -> bytes:
    """One pgaudit record; every account writes one."""
    stamp = f"2026-11-12 01:{number // 60:02d}:{number % 60:02d}"
    text = statement.replace(b'"', b'""""')
    head = f'{stamp}.000 CST,"{account}","his",14883,"192.168.66.14:36230",6af4916f.{number:x},1,"SELECT",{stamp} CST,4/1,0,LOG,00000,'
    return (
        head.encode()
        + b'"AUDIT: SESSION,1,1,READ,SELECT,,,""'
        + text
        + b'"",<none>,54",,,,,,,,,"psql","client backend",,0\n'
    )


def corpus() -> dict[str, bytes]:
    """By account: what it sent."""
    texts = {name: text.encode() for name, text in (NOT_A_TREE | STORED).items()}
    return texts | BYTES

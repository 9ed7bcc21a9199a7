"""No value of a patient, no password and no bound value of any log rests in the store in clear."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "live"))

from daemon import HISWATCH, configure, daemon
from receiver import receiver
from secrets_in_logs import leaks, of_statement, secrets
from servers import wait_until

SAMPLES = Path(__file__).parents[1] / "parsers" / "samples"
DEMO = Path(__file__).parents[2] / "config" / "demo" / "logs"
ID, PHONE, NAME, MRN, PASSWORD = "110101199003071233", "13912345678", "张三丰的名字", "ZY000123456", "S3cret-Passw0rd!"
OURS = {"<none>", "timestamp", "back\\\\slash"}  # literals that are also a word of pgaudit, of ours, an account in JSON
# headers of records that forged literals imitate; every record of the log has them in the open
OF_THE_LOG = re.compile(
    r"# (Time|User@Host|Thread_id|Query_time|Rows_affected): |SET timestamp=|\d{4}-\d\d-\d\dT\S+ UTC$"
)
PLANTED = {ID, PHONE, NAME, MRN, PASSWORD}
POSTGRES = [  # statement, parameters as pgaudit writes them
    (f"SELECT * FROM patients WHERE id_card_no = '{ID}' AND phone = '{PHONE}' AND name = '{NAME}'", "<none>"),
    (f"SELECT * FROM patients WHERE id_card_no = {ID} OR phone LIKE '%{PHONE}%'", "<none>"),
    ("SELECT * FROM patients WHERE id_card_no = $1 AND name = $2 AND mrn = $3", f"{ID},{NAME},{MRN}"),
    (f"ALTER ROLE zhang PASSWORD '{PASSWORD}'", "<none>"),
    (f"CREATE ROLE li LOGIN ENCRYPTED PASSWORD E'{PASSWORD}'", "<none>"),
    (f"FROBNICATE patients '{NAME}' {ID} $${MRN}$$ THE \"{PASSWORD}\"", "<none>"),
    (f"DO $x$ BEGIN EXECUTE 'SELECT * FROM patients WHERE name = ''{NAME}'' AND mrn = ''{MRN}'''; END $x$", "<none>"),
    (f"SELECT * FROM query_to_xml('SELECT * FROM patients WHERE id_card_no = ''{ID}''', true, false, '')", "<none>"),
    (f"SELECT name FROM patients -- call back {PHONE}\n WHERE patient_id = 7 /* {ID} */", "<none>"),
    (f"SELECT * FROM patients WHERE name = '{NAME}", "<none>"),
    (f"COPY (SELECT * FROM patients WHERE mrn = '{MRN}') TO '/tmp/{NAME}-{ID}.csv'", "<none>"),
    (f"INSERT INTO patients (name, id_card_no) VALUES ('{NAME}', '{ID}'), ('{NAME}', '{ID}')", "<none>"),
    (f"SELECT * FROM patients WHERE patient_id IN ({ID}, {PHONE})", "<none>"),
    (f"SELECT dblink('host=x user=y password={PASSWORD}', 'SELECT 1')", "<none>"),
    (f"CREATE SUBSCRIPTION s CONNECTION 'host=a password={PASSWORD}' PUBLICATION p", "<none>"),
    (f"SET app.patient = '{MRN}'", "<none>"),
    (f"COMMENT ON TABLE patients IS '{NAME}'", "<none>"),
    (f"PREPARE q AS SELECT * FROM patients WHERE name = '{NAME}'", "<none>"),
    (f"EXECUTE q('{NAME}', {ID})", "<none>"),
]


def record(
    number: int, message: str, *, severity: str = "LOG", code: str = "00000", detail: str = "", query: str = ""
) -> str:
    def field(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if text else ""

    stamp = f"2026-11-12 01:00:{number:02d}"
    return (
        f'{stamp}.000 CST,"vendor_wx_zhang","his",14883,"192.168.66.13:36230",6af4916f.3a23,{number},"SELECT",{stamp} CST,4/1,0,'
        f'{severity},{code},{field(message)},{field(detail)},,,,,{field(query)},,,"psql","client backend",,0\n'
    )


def audited(number: int, statement: str, parameters: str) -> str:
    def field(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if set(text) & set('",\n') else text

    return record(number, f"AUDIT: SESSION,{number},1,READ,SELECT,,,{field(statement)},{field(parameters)},1")


def planted(folder: Path) -> dict[str, dict[str, str]]:
    """Logs with the planted values in every place that a server writes one."""
    folder.mkdir()
    lines = [audited(number, *both) for number, both in enumerate(POSTGRES, 1)]
    lines += [
        record(30, 'duplicate key value violates unique constraint "patients_id_card_no_key"', severity="ERROR", code="23505",
               detail=f"Key (id_card_no)=({ID}) already exists.", query=f"INSERT INTO patients VALUES ('{NAME}', '{ID}')"),
        record(31, f'invalid input syntax for type integer: "{PASSWORD}"', severity="ERROR", code="22P02",
               query=f"SELECT * FROM patients WHERE patient_id = '{PASSWORD}'"),
        record(32, f"statement: SELECT * FROM patients WHERE phone = '{PHONE}'"),
        record(33, "execute <unnamed>: SELECT * FROM patients WHERE name = $1 AND id_card_no = $2",
               detail=f"parameters: $1 = '{NAME}', $2 = '{ID}'"),
        f'2026-11-12 01:00:40.000 CST,"broken",\'{NAME}\',{ID},"{PASSWORD}"\n',
        record(41, "AUDIT: SESSION,41,1,READ,SELECT,,,SELECT name FROM patients WHERE patient_id = 7,<none>,1"),
    ]  # fmt: skip
    (folder / "planted.csv").write_text("".join(lines), encoding="utf-8")
    statements = [
        f"SELECT * FROM patients WHERE name = \\'{NAME}\\' AND id_card_no = \"{ID}\"",
        f"CREATE USER x IDENTIFIED BY \\'{PASSWORD}\\'",
        f"SET PASSWORD FOR x = PASSWORD(\\'{PASSWORD}\\')",
        f"SELECT * FROM patients WHERE mrn = \\'{MRN}\\' INTO OUTFILE \\'/tmp/{MRN}.txt\\'",
        f"PREPARE s FROM \\'SELECT * FROM patients WHERE mrn = \"{MRN}\"\\'",
        f"GRANT ALL ON *.* TO x IDENTIFIED BY \\'{PASSWORD}",
    ]
    audit = [
        f"20261112 01:02:{n:02d},db01,vendor,10.0.0.9,{n},{n + 10},QUERY,his,'{text}',0\n"
        for n, text in enumerate(statements)
    ]
    (folder / "server_audit.log").write_text("".join(audit), encoding="utf-8")
    ftp = (
        f'Thu Nov 12 01:00:00 2026 [pid 1] [wx_zhang] OK UPLOAD: Client "10.10.1.8", "/in/{ID}_{PHONE}.dcm", 400 bytes, 1.15Kbyte/sec\n'
        f'Thu Nov 12 01:00:01 2026 [pid 1] [wx_zhang] FTP command: Client "10.10.1.8", "PASS {PASSWORD}"\n'
    )
    (folder / "vsftpd.log").write_text(ftp, encoding="utf-8")
    return {
        "planted": {"system": "pg", "path": str(folder / "planted.csv"), "format": "postgresql_csvlog"},
        "planted_maria": {
            "system": "maria",
            "path": str(folder / "server_audit.log"),
            "format": "mariadb_server_audit",
        },
        "planted_ftp": {"system": "ftp", "path": str(folder / "vsftpd.log"), "format": "vsftpd_native"},
    }


def samples() -> dict[str, dict[str, Any]]:
    """A source for every captured log."""
    found = {
        "demo_pg": {"system": "pg", "path": str(DEMO / "postgresql-*.csv"), "format": "postgresql_csvlog"},
        "demo_ftp": {"system": "ftp", "path": str(DEMO / "vsftpd.log"), "format": "vsftpd_native"},
    }
    for log in sorted(SAMPLES.glob("*/*.log")):
        form = log.parent.name
        source: dict[str, Any] = {"system": form, "path": str(log), "format": form}
        options = log.with_name(log.stem + ".options.json")
        if options.exists():
            source["options"] = json.loads(options.read_text(encoding="utf-8"))
        found[f"{form}-{log.stem}"] = source
    return found


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A configuration over all logs, and the store that they were read into (published, too)."""
    folder = tmp_path_factory.mktemp("clear")
    config, _ = configure(folder / "site", samples() | planted(folder / "logs"))
    store = folder / "store"
    subprocess.run([HISWATCH, "scan", "--config", config, "--store", store, "--json"], capture_output=True, check=True)
    count = "SELECT count(*) AS n FROM events"
    done = subprocess.run([HISWATCH, "query", "--state-dir", store, "--json", count], capture_output=True, check=True)
    assert json.loads(done.stdout)["n"] > 3000
    return config, store


def copied(store: Path, place: Path) -> Path:
    shutil.copytree(store, place, ignore=shutil.ignore_patterns("*.sock", "ballast"))
    return place


def days_of_the_run() -> set[str]:
    """Dates that our own stamps bear, in any zone: a literal that happens to be one of them cannot be told from them."""
    now = datetime.now(UTC)
    return {(now + timedelta(days=days)).date().isoformat() for days in (-1, 0, 1)}


def test_no_literal_of_any_log_rests_in_the_store(scanned: tuple[Path, Path], tmp_path: Path) -> None:
    config, store = scanned
    logs = config.parents[1] / "logs"
    files = [*sorted(DEMO.iterdir()), *sorted(SAMPLES.glob("*/*.log")), *sorted(logs.iterdir())]
    done = subprocess.run([HISWATCH, "events", "--config", config, *files], capture_output=True, check=True)
    wanted = secrets(json.loads(line) for line in done.stdout.split(b"\n") if line) - OURS
    wanted = {text for text in wanted if not OF_THE_LOG.match(text)} - days_of_the_run()
    assert len(wanted) > 300
    assert leaks(copied(store, tmp_path / "store"), wanted | PLANTED) == []


def test_a_killed_daemon_leaves_nothing_in_clear_and_tells_nothing(tmp_path: Path) -> None:
    """The write-ahead log, the outbox, what it says of itself and what it sends."""
    secret = b"a key for the test only"
    with receiver(secret) as box:
        sources = planted(tmp_path / "logs")
        config, port = configure(tmp_path / "site", sources, webhook=box.url, secret=secret)
        with daemon(config, port) as running:
            wait_until(lambda: running.query("SELECT count(*) AS n FROM events")[0]["n"] > 25, "all is stored")
            wait_until(lambda: box.messages, "something is told")
            running.kill()
        wal = running.state / "hot.duckdb.wal"
        assert wal.stat().st_size > 1000
        assert leaks(copied(running.state, tmp_path / "store"), PLANTED) == []
        assert [word for word in PLANTED if word in running.log.read_text() + repr(box.messages)] == []


def test_the_planted_records_were_understood_as_records(scanned: tuple[Path, Path]) -> None:
    _, store = scanned
    sql = "SELECT source, count(*) AS n FROM events WHERE source LIKE 'planted%' GROUP BY source ORDER BY source"
    done = subprocess.run([HISWATCH, "query", "--state-dir", store, "--json", sql], capture_output=True, check=True)
    counts = {row["source"]: row["n"] for row in map(json.loads, done.stdout.split(b"\n")[:-1])}
    assert counts["planted"] >= len(POSTGRES)
    assert counts["planted_maria"] == 6


def test_the_search_finds_what_is_there(scanned: tuple[Path, Path], tmp_path: Path) -> None:
    """Values that may be stored are found: the search is not blind to compression and encodings."""
    _, store = scanned
    copy = copied(store, tmp_path / "store")
    (copy / "note").write_bytes(NAME.encode("gb18030") + b" " + PHONE.encode("utf-16-le"))
    found = leaks(copy, {"vendor_wx_zhang", NAME, PHONE})
    assert any(place.startswith("hot.duckdb ") for place in found)
    assert any(".parquet " in place for place in found)
    assert f"note: {NAME}" in found
    assert of_statement(f"SELECT 'a longer one', {ID} FROM t /* {PHONE} */", "postgres")[0] == {
        "a longer one",
        ID,
        PHONE,
    }

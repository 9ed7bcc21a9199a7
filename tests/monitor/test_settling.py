"""A ticket that comes after the work settles what was found about it, and nothing else."""

from __future__ import annotations

import itertools
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from config.errors import ConfigError
from config.loader import load_site
from detectors.findings import FINDINGS
from monitor.assemble import assembled
from monitor.backfill import scan_into
from monitor.protect import load_key
from monitor.settling import settle
from monitor.store.hot import Batch, Store

REGISTER = """\
vendors: {wx: {tier: A, contract: {from: 2026-01-01, to: 2026-12-31}, places: [192.0.2.0/24], hours: {days: [all], from: 00:00, to: 24:00}}}
people:
  zhang: {name: 张工, vendor: wx, accounts: [{system: transfer, account: wx_zhang}]}
  li: {name: 李工, vendor: wx, accounts: [{system: transfer, account: wx_li}]}
"""
LINE = 'Wed Nov 11 {}:{} 2026 [pid 8733] [{}] OK UPLOAD: Client "{}", "{}", 400 bytes, 194.15Kbyte/sec\n'
UPLOADS = [LINE.format("09", f"{m:02d}:00", "wx_zhang", "192.0.2.7", f"/in/patch_{m}.zip") for m in range(0, 30, 10)]
TICKET = {
    "person": "张工",
    "from": "2026-11-11 09:00",
    "to": "2026-11-11 10:00",
    "actions": ["upload"],
    "objects": ["/in/*"],
}


class Hospital:
    """Logs, register and tickets in a folder; `scan` is what the daemon does with them, once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tickets").mkdir(parents=True)
        (folder / "register.yaml").write_text(REGISTER, encoding="utf-8")
        self.config = folder / "hospital.yaml"
        self.config.write_text(
            "site: {id: h}\nregister: register.yaml\ntickets_dir: tickets\nsources:\n"
            "  files: {system: transfer, path: vsftpd.log, format: vsftpd_native}\n",
            encoding="utf-8",
        )
        self.log, self.state = folder / "vsftpd.log", folder / "state"

    def write(self, *lines: str) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def ticket(self, name: str, **changes: object) -> None:
        (self.folder / "tickets" / name).write_text(json.dumps({**TICKET, **changes}), encoding="utf-8")

    def scan(self) -> pl.DataFrame:
        return scan_into(load_site(self.config), [(self.log, "files")], self.state)

    def stored(self, sql: str) -> pl.DataFrame:
        with Store(self.state) as store:
            return store.database.read(sql)

    def told(self) -> dict[str, list[tuple[int, str, bool]]]:
        rows = self.stored("SELECT rule, revision, severity, notify FROM findings_history ORDER BY rule, revision")
        found: dict[str, list[tuple[int, str, bool]]] = {}
        for rule, *rest in rows.iter_rows():
            found.setdefault(rule, []).append(tuple(rest))
        return found


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    made = Hospital(tmp_path / "h")
    made.write(*UPLOADS)
    made.scan()
    assert made.told()["TIM-02"][-1] == (1, "high", True)
    return made


def test_a_late_ticket_settles_what_it_covers(hospital):
    hospital.ticket("T-1.json")
    found = hospital.scan()
    row = found.filter(pl.col("rule") == "TIM-02").to_dicts()[0]
    assert (row["revision"], row["severity"], row["notify"], row["risk"]) == (2, "low", False, 16)
    assert row["why_zh"].startswith("已由事后补录的工单T-1结清，仅记录。")
    assert row["why_en"].startswith("Settled by late ticket T-1, recorded only. ")
    settled = hospital.stored(
        "SELECT finding_id, revision, ticket, rule, person, vendor, risk FROM settlements WHERE rule = 'TIM-02'"
    )
    assert settled.rows() == [(row["id"], 2, "T-1", "TIM-02", "zhang", "wx", 16)]


def test_it_is_settled_once(hospital):
    hospital.ticket("T-1.json")
    hospital.scan()
    before = hospital.told()
    hospital.scan()
    hospital.ticket("T-2.json", note="the same once more")
    hospital.scan()
    assert hospital.told() == before


NOT_COVERED = {
    "another person": {"person": "li"},
    "another system": {"system": "his-pg"},
    "the last act lies behind its end": {"to": "2026-11-11 09:20"},
    "the first act lies before its start": {"from": "2026-11-11 09:01"},
    "another folder": {"objects": ["/out/*"]},
    "another action": {"actions": ["download"]},
}


@pytest.mark.parametrize("changes", NOT_COVERED.values(), ids=NOT_COVERED)
def test_a_ticket_that_does_not_cover_all_of_it_settles_nothing(hospital, changes):
    before = hospital.told()
    hospital.ticket("T-1.json", **changes)
    hospital.scan()
    assert hospital.told() == before
    assert hospital.stored("SELECT * FROM settlements").is_empty()


def test_work_from_a_place_that_is_not_agreed_is_not_settled(tmp_path):
    hospital = Hospital(tmp_path / "h")
    hospital.write(*(line.replace("192.0.2.7", "198.51.100.9") for line in UPLOADS))
    hospital.scan()
    hospital.ticket("T-1.json")
    hospital.scan()
    assert hospital.stored("SELECT * FROM settlements").is_empty()


def test_two_tickets_may_cover_it_together(hospital):
    hospital.ticket("T-1.json", to="2026-11-11 09:15")
    hospital.scan()
    assert hospital.stored("SELECT * FROM settlements").is_empty()
    hospital.ticket("T-2.json", **{"from": "2026-11-11 09:15"})
    hospital.scan()
    assert hospital.told()["TIM-02"][-1] == (2, "low", False)


def test_a_finding_that_grows_is_judged_again_before_it_is_told(hospital):
    hospital.ticket("T-1.json")
    hospital.scan()
    late = LINE.format("09", "45:00", "wx_zhang", "192.0.2.7", "/in/patch_4.zip")
    hospital.write(late)
    hospital.scan()
    assert not any(notify for revisions in hospital.told().values() for _, _, notify in revisions[1:])

    outside = LINE.format("10", "05:00", "wx_zhang", "192.0.2.7", "/in/patch_5.zip")
    hospital.write(outside)
    hospital.scan()
    severities = [severity for _, severity, notify in hospital.told()["TIM-02"] if notify]
    assert severities == ["high", "high"], "work that no ticket covers opens it again"


def test_many_acts_are_settled_by_all_that_was_done_between_first_and_last(tmp_path):
    hospital = Hospital(tmp_path / "h")
    many = [
        LINE.format("09", f"{n // 2:02d}:{n % 2 * 30:02d}", "wx_zhang", "192.0.2.7", f"/in/p{n}.zip") for n in range(60)
    ]
    hospital.write(*many)
    hospital.scan()
    other = Hospital(tmp_path / "other")
    other.write(*many[:30], LINE.format("09", "14:45", "wx_zhang", "192.0.2.7", "/out/list.csv"), *many[30:])
    other.scan()
    for one in (hospital, other):
        one.ticket("T-1.json")
        one.scan()
    assert hospital.told()["TIM-02"][-1] == (2, "low", False)
    assert other.stored("SELECT * FROM settlements WHERE rule = 'TIM-02'").is_empty()


LATEST = f"SELECT {', '.join(name for name in FINDINGS if name not in ('id', 'revision', 'evidence'))} FROM findings ORDER BY rule, first_seen"


@pytest.fixture(scope="module")
def settled_at_once(tmp_path_factory):
    """The findings of a log that came as one."""
    whole = Hospital(tmp_path_factory.mktemp("settled") / "whole")
    whole.write(*UPLOADS)
    whole.scan()
    whole.ticket("T-1.json")
    whole.scan()
    return whole.stored(LATEST)


@pytest.mark.parametrize("cuts", [(0,), (1,), (1, 2), (2, 3)])
def test_settled_findings_do_not_depend_on_how_the_log_came(tmp_path, settled_at_once, cuts):
    cut = Hospital(tmp_path / "cut")
    edges = [0, *cuts, len(UPLOADS)]
    for start, end in itertools.pairwise(edges):
        cut.write(*UPLOADS[start:end])
        cut.scan()
    cut.ticket("T-1.json")
    cut.scan()
    assert cut.stored(LATEST).equals(settled_at_once)


def test_the_register_may_bring_the_late_ticket_too(hospital):
    text = (
        REGISTER + "tickets:\n  T-9: {person: zhang, from: 2026-11-11 09:00, to: 2026-11-11 10:00, actions: [upload]}\n"
    )
    (hospital.folder / "register.yaml").write_text(text, encoding="utf-8")
    hospital.scan()
    assert hospital.stored("SELECT DISTINCT ticket FROM settlements")["ticket"].to_list() == ["T-9"]


def test_a_waiting_message_about_settled_work_is_not_sent(hospital):
    found = hospital.stored("SELECT id, rule FROM findings WHERE notify")
    now = datetime(2026, 11, 11, 3, tzinfo=UTC)

    def message(*ids: str) -> str:
        return json.dumps({"story": {"findings": [{"id": id_} for id_ in ids]}})

    def waiting(id_: str, *ids: str) -> dict:
        return {"finding_id": id_, "revision": 1, "channel": "c", "created_at": now, "next_try_at": now, "attempts": 0,
                "state": "waiting", "payload": message(*ids)}  # fmt: skip

    other = {**hospital.stored("SELECT * FROM findings").drop("batch").to_dicts()[0], "id": "f" * 24, "person": "li"}
    with Store(hospital.state) as store:
        rows = [waiting(found["id"][0], *found["id"]), waiting("f" * 24, "f" * 24, found["id"][0])]
        store.commit(Batch(received_at=now, findings=pl.DataFrame([other], schema=FINDINGS), outbox=pl.DataFrame(rows)))
    hospital.ticket("T-1.json")
    hospital.scan()
    states = dict(hospital.stored("SELECT finding_id, state FROM outbox").iter_rows())
    assert states == {found["id"][0]: "superseded", "f" * 24: "waiting"}


def test_a_commit_that_fails_settles_nothing_and_can_be_tried_again(hospital, monkeypatch):
    hospital.ticket("T-1.json")
    site = load_site(hospital.config)
    key = load_key(hospital.state / "keys" / "token.key")
    with Store(hospital.state) as store, assembled(site, key) as assembly:
        assembly.restore(store)
        engine = assembly.numbering
        with monkeypatch.context() as patched:
            patched.setattr(store, "commit", lambda _: (_ for _ in ()).throw(OSError))
            with pytest.raises(OSError):
                settle(store, assembly.settling, engine, datetime.now(UTC))
        assert settle(store, assembly.settling, engine, datetime.now(UTC)) is not None
        assert settle(store, assembly.settling, engine, datetime.now(UTC)) is None


def test_a_bad_ticket_file_costs_that_file_only(hospital, capsys):
    for name, text in {"a.json": "{", "b.yaml": "person: zhang\n", "c.csv": "工单号,实施人\n", "d.txt": "x"}.items():
        (hospital.folder / "tickets" / name).write_text(text, encoding="utf-8")
    (hospital.folder / "tickets" / "dir.yaml").mkdir()
    hospital.ticket("T-1.json")
    hospital.scan()
    assert hospital.told()["TIM-02"][-1] == (2, "low", False)


def test_a_folder_that_is_not_there_is_a_fault_of_the_configuration(tmp_path):
    hospital = Hospital(tmp_path / "h")
    shutil.rmtree(hospital.folder / "tickets")
    with pytest.raises(ConfigError, match="tickets_dir: folder not found"):
        load_site(hospital.config)

"""The main job against real servers: a vendor dumps the patient table at night and carries the file off."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemon import configure, daemon
from receiver import receiver
from servers import postgresql, vsftpd, wait_until, zone_where_it_is

REGISTER = """
vendors:
  wx:
    name: HIS 厂商 wx
    tier: A
    contract: {from: 2020-01-01, to: 2099-12-31}
    places: [127.0.0.0/8]
    hours: {days: [working], from: 08:00, to: 18:00}
people:
  zhang:
    name: 张工
    vendor: wx
    accounts:
      - {system: his-pg, account: vendor_wx_zhang}
      - {system: transfer, account: wx_zhang}
owners:
  postgres:
    accounts: [{system: his-pg, account: postgres, from: [127.0.0.1]}]
    places: [127.0.0.1]
"""
SCHEMA = """
CREATE TABLE patients (patient_id bigint PRIMARY KEY, name text, id_card_no text, phone text, address text);
INSERT INTO patients SELECT i, '病人' || i, lpad(i::text, 18, '1'), '1390000' || i, '某路' || i || '号' FROM generate_series(1, 6000) i;
CREATE TABLE visits (visit_id bigint PRIMARY KEY, patient_id bigint, doctor_id int);
CREATE ROLE vendor_wx_zhang LOGIN;
GRANT pg_read_all_data TO vendor_wx_zhang;
"""
SECRET = b"a key for the test only"


@pytest.mark.live
def test_a_dump_at_night_and_its_upload_are_one_story(tmp_path: Path) -> None:
    night = zone_where_it_is(2)
    with postgresql(tmp_path / "pg", night) as server, vsftpd(tmp_path / "ftp", night) as ftp, receiver(SECRET) as box:
        server.psql("CREATE DATABASE his", database="postgres")
        server.psql(SCHEMA)
        sources = {
            "his_pg": {"system": "his-pg", "path": f"{server.logs}/*.csv", "format": "postgresql_csvlog"},
            "transfer": {"system": "transfer", "path": str(ftp.log), "format": "vsftpd_native"},
        }
        config, port = configure(
            tmp_path / "site", sources, webhook=box.url, secret=SECRET, zone=night, register=REGISTER
        )
        with daemon(config, port) as running:
            dump = tmp_path / "his_full.dmp"
            server.run("pg_dump", "-Fc", "-f", str(dump), "his", user="vendor_wx_zhang")
            wait_until(lambda: "EXF-06" in box.rules(), "the dump is told")
            first = next(m for m in box.messages if m.get("family") == "EXF")
            assert first["person"] == "zhang"
            assert first["severity"] == "critical"
            ftp.upload(dump, "his_full.dmp", "wx_zhang")
            wait_until(lambda: "XFR-02" in box.rules(), "the chain of dump and upload is told")

            mine = [m for m in box.messages if m.get("person") == "zhang"]
            assert len({m["story"]["id"] for m in mine}) == 1
            assert box.bad_signatures == 0
            assert len(set(box.keys)) == len(box.keys)
            everything = repr(box.messages)
            assert "SELECT" not in everything
            assert "病人1" not in everything
            chain = [m for m in mine if m["rule"] == "XFR-02"][-1]
            assert chain["severity"] == "critical"
            assert {"EXF-06", "XFR-02"} <= {f["rule"] for f in chain["story"]["findings"]}

            metrics = running.metrics()
            assert 'hiswatch_findings_total{rule="EXF-06",severity="critical"}' in metrics
            assert "vendor_wx_zhang" not in metrics
            rows = running.query("SELECT rule, person, story FROM findings WHERE person = 'zhang'")
            assert {"EXF-06", "XFR-02"} <= {row["rule"] for row in rows}
            stored = running.query(
                "SELECT count(*) AS n FROM events WHERE account = 'vendor_wx_zhang' AND action = 'query'"
            )
            assert stored[0]["n"] > 20
        text = running.log.read_text()
        assert "Traceback" not in text

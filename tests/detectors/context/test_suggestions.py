"""Register entries proposed from what was seen: what becomes a person, a service, an owner, a job; and that it can be pasted."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import ConfigError
from config.loader import register_within
from config.register import Register
from config.yaml12 import documents_of
from detectors.cases import NOON
from detectors.context.suggestions import EXPORTS, SEEN, places_of, suggest, window_of
from monitor.register_suggest import as_yaml

ZONE = ZoneInfo("Asia/Shanghai")
MORNING = list(range(32, 72))  # 08:00 to 18:00
DAY = list(range(96))
TODAY = 20768


def seen(account="v_sun", **columns):
    row = {
        "system": "his", "account": account, "client_ip": "10.1.2.3", "client_program": "navicat", "acts": 200,
        "days": list(range(TODAY - 19, TODAY + 1)), "quarters": MORNING, "first_at": NOON - timedelta(days=19), "last_at": NOON,
        "reads": 100, "writes": 5, "schema": 0, "privilege": 0, "export": 0,
    }  # fmt: skip
    assert set(columns) <= set(SEEN)
    return row | columns


def export(**columns):
    row = {
        "system": "his", "account": "backup", "way": "pg_dump", "acts": 400, "days": list(range(20)), "quarters": [8, 9],
        "first_at": NOON - timedelta(days=19), "last_at": NOON, "client_ips": ["10.1.9.9"], "objects": None,
    }  # fmt: skip
    return row | columns


def found(*rows, exports=(), register=None, days=30, findings=None):
    frames = (
        pl.DataFrame(list(rows), schema=SEEN, orient="row"),
        pl.DataFrame(list(exports), schema=EXPORTS, orient="row"),
    )
    return suggest(*frames, register, days=days, findings=findings)


def written(suggested):
    return as_yaml(suggested, acts=1, since=NOON - timedelta(days=30), until=NOON, zone=ZONE)


def pasted(suggested) -> Register:
    """As somebody pastes it, with the one thing said that no log tells."""
    text = written(suggested).replace("    # vendor: or department:", "    department: 信息科  #")
    return register_within(documents_of("register.yaml", text)[0], ZONE)


@pytest.mark.parametrize(
    ("name", "row", "section"),
    [
        ("somebody with a query tool", seen(), "people"),
        ("with a console now and then", seen(client_program="psql"), "people"),
        ("office hours, no tool told", seen(client_program=None), "people"),
        ("day and night", seen(client_program="HIS-Server", quarters=DAY), "services"),
        ("thousands of acts a day", seen(client_program="HIS-Server", acts=60_000), "services"),
        ("every day, weekends too", seen(client_program=None, days=list(range(TODAY - 29, TODAY + 1))), "services"),
        ("day and night with a query tool", seen(quarters=DAY), "people"),
        ("a name that a program has", seen("bi_readonly", client_program=None), "services"),
        ("the same with a query tool", seen("bi_readonly"), "people"),
        ("a name that only begins so", seen("baker", client_program=None), "people"),
        ("the owner", seen("postgres", client_ip="[local]"), "owners"),
        ("the owner of another product", seen("SYS"), "owners"),
    ],
)
def test_who_becomes_what(name, row, section):
    (entry,) = found(row).entries
    assert entry.section == section, name


def test_what_is_written_can_be_pasted():
    suggested = found(
        seen(), seen(client_ip="10.1.2.4", acts=2), seen("svc_app", client_program="HIS-Server", quarters=DAY, client_ip="10.1.5.5"),
        seen("postgres", client_ip="[local]"), seen("backup", client_program="pg_dump", quarters=[8, 9, 10], acts=9000),
        exports=[export()],
    )  # fmt: skip
    register = pasted(suggested)
    assert register.people["v_sun"].accounts[0].places == ("10.1.2.3",)
    assert register.services["svc_app"].scope.actions == ("read", "write", "other")
    assert register.services["svc_app"].scope.programs == ("HIS-Server",)
    assert register.services["svc_app"].hours is None, "it works round the clock"
    assert (register.services["backup"].hours.start, register.services["backup"].hours.end) == (120, 180)
    assert register.owners["postgres"].accounts[0].places == ("local",)
    job = register.jobs["pg_dump_backup"]
    assert (job.kind, job.account, job.places, job.window.start, job.window.end) == (
        "export",
        "backup",
        ("10.1.9.9",),
        120,
        150,
    )
    text = written(suggested)
    assert "seen seldom, left out: 10.1.2.4 (2)" in text
    assert "# 202 acts on 20 days, 2026-10-23 to 2026-11-11" in text


def test_nobody_becomes_own_staff_by_pasting():
    with pytest.raises(ConfigError, match="needs a vendor or a department"):
        register_within(documents_of("register.yaml", written(found(seen())))[0], ZONE)


def test_one_account_at_two_systems_is_one_entry():
    (entry,) = found(seen(), seen(system="lis")).entries
    assert {one.system for one in entry.accounts} == {"his", "lis"}
    assert len(pasted(found(seen(), seen(system="lis"))).people["v_sun"].accounts) == 2


REGISTERED = """
people:
  v_sun: {department: IT, accounts: [{system: his, account: v_sun}]}
  han: {department: IT, places: [10.1.2.9], accounts: [{system: his, account: han}]}
services: {app: {accounts: [{system: his, account: svc_app}]}}
jobs: {dump: {kind: export, system: his, account: svc_app}}
"""


def test_what_the_register_says_is_not_proposed_but_what_it_leaves_open():
    register = register_within(documents_of("r", REGISTERED)[0], ZONE)
    suggested = found(
        seen(), seen("han"), seen("svc_app", client_program="HIS-Server"), exports=[export(account="svc_app")], register=register
    )  # fmt: skip
    assert suggested.entries == ()
    assert suggested.jobs == ()
    assert [text.partition(";")[0] for text in suggested.remarks] == [
        "people.v_sun: v_sun at his has no addresses",
        "services.app: svc_app at his has no addresses",
        "services.app: svc_app at his has no scope",
    ]


def test_ids_that_are_taken_get_a_number():
    register = register_within(documents_of("r", REGISTERED)[0], ZONE)
    (entry,) = found(seen(system="lis"), register=register).entries
    assert entry.id == "v_sun_2"


def test_rights_and_exports_are_never_proposed_as_ordinary_work():
    suggested = found(seen("svc", client_program="x", quarters=DAY, schema=3, privilege=1, export=2))
    assert pasted(suggested).services["svc"].scope.actions == ("read", "write", "other")
    assert "to be agreed by tickets or jobs: schema (3), privilege (1), export (2)" in written(suggested)


def test_an_account_with_findings_says_so_first():
    text = written(found(seen(), findings={("his", "v_sun"): 3}))
    assert "# 3 high or critical findings are about it: look at them" in text
    assert "critical findings" not in written(found(seen(), findings={("lis", "v_sun"): 3}))


def test_a_single_glance_is_a_remark():
    text = written(found(seen(acts=1, days=[TODAY])))
    assert "# seen too little: v_sun:" in text
    assert register_within(documents_of("r", text + "people: {}\n")[0], ZONE).people == {}


@pytest.mark.parametrize("change", [{"days": [1, 2]}, {"quarters": DAY}, {"quarters": [8, 40]}])
def test_an_export_that_is_not_regular_is_no_job(change):
    suggested = found(exports=[export(**change)])
    assert suggested.jobs == ()
    assert suggested.remarks[0].startswith("not regular enough for a job: backup at his: pg_dump")


@pytest.mark.parametrize(
    ("quarters", "window"),
    [
        ([8, 9], ("02:00", "02:30")),
        ([9], ("02:00", "02:30")),
        ([94, 95, 0, 1], ("23:30", "00:30")),
        (MORNING, ("08:00", "18:00")),
        ([95], ("23:30", "24:00")),
        (DAY, None),
        (range(0, 96, 8), None),
        ([], None),
    ],
)
def test_windows(quarters, window):
    assert window_of(quarters) == window


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 95), min_size=1))
def test_a_window_holds_everything_that_was_seen(quarters):
    window = window_of(quarters)
    if window is not None:
        begin, end = (int(text[:2]) * 4 + int(text[3:]) // 15 for text in window)
        assert all((quarter - begin) % 96 < ((end - begin) % 96 or 96) for quarter in quarters)


def test_many_addresses_of_a_network_are_the_network():
    assert places_of(f"10.1.2.{n}" for n in range(9)) == ("10.1.2.0/24",)
    assert places_of(["10.1.2.3", "a-host", "fd00::1", "[local]"]) == ("fd00::1", "local", "10.1.2.3")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(account=NAMES, program=NAMES, table=NAMES, quarters=st.sampled_from([DAY, MORNING]))
def test_hostile_names_stay_names(account, program, table, quarters):
    suggested = found(
        seen(account, client_program=program, quarters=quarters, acts=9000), exports=[export(account=account, objects=[table])]
    )  # fmt: skip
    register = pasted(suggested)
    holders = [*register.people.values(), *register.services.values(), *register.owners.values()]
    assert [one.account for holder in holders for one in holder.accounts] == [account]
    assert [job.account for job in register.jobs.values()] == [account]

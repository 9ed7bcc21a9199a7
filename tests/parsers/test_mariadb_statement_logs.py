"""General, slow and error log: records without an end mark, users carried along, keys shared with the audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import mariadb_error_log, mariadb_general_log, mariadb_server_audit, mariadb_slow_log
from parsers.events import Origin
from parsers.mariadb_blocks import PIECE

ZONE = ZoneInfo("Asia/Shanghai")
BEGINNING = datetime(2026, 11, 20, 9, 34, 11)
PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=60)
ACCOUNTS = st.sampled_from(["his_app", "信息科_王工", "a,b", "sp ace"])


def parse(module, data, carry=None, position=0):
    raw = data.encode() if isinstance(data, str) else data
    origin = Origin("s", "y", "q", "/log", "f", "0" * 16, position, datetime(2026, 12, 1, tzinfo=UTC))
    return module.parse(raw, origin, ZONE, carry or {})


def in_pieces(module, data, sizes):
    """As a source hands out what arrives in pieces of the given sizes; events, rejects and skips of all."""
    carry, position, arrived, parts = {}, 0, 0, []
    for size in [*sizes, len(data)]:
        arrived = min(arrived + size, len(data))
        final = arrived == len(data)
        whole = module.framing(data[position:arrived], final=final)
        part = parse(module, data[position : position + whole], carry, position)
        carry, position = json.loads(json.dumps(dict(part.carry))), position + whole
        parts.append(part)
        if final:
            break
    events = pl.concat([part.events for part in parts])
    return (
        events.drop("event_id"),
        pl.concat([part.rejects for part in parts]),
        sum(count for part in parts for count, _ in part.skips.values()),
    )


def slow(statement, *, account="his_app", thread=5, sent=0, affected=0, size=11, seconds="0.000087", time=None, use=""):
    head = f"# Time: {time:%y%m%d} {time.hour:2}:{time:%M:%S}\n" if time else ""
    head += f"# User@Host: {account}[{account}] @  [192.0.2.7]\n# Thread_id: {thread}  Schema: his  QC_hit: No\n"
    head += f"# Query_time: {seconds}  Lock_time: 0.000000  Rows_sent: {sent}  Rows_examined: 0\n"
    head += f"# Rows_affected: {affected}  Bytes_sent: {size}\n"
    return f"{head}{use}SET timestamp=1795138451;\n{statement};\n".encode()


def general(command, argument="", *, thread=5, time=None):
    stamp = f"{time:%y%m%d} {time.hour:2}:{time:%M:%S}\t" if time else "\t\t"
    return f"{stamp}{thread:6} {command}\t{argument}\n".encode()


def audit(statement, *, thread=5, masked=None):
    text = (masked or statement).encode()
    for byte, written in ((b"\\", b"\\\\"), (b"'", b"\\'"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t")):
        text = text.replace(byte, written)
    return f"20261120 09:34:11,db01,his_app,192.0.2.7,{thread},11,QUERY,his,'".encode() + text[:1024] + b"',0\n"


@given(
    st.lists(
        st.tuples(TEXTS, ACCOUNTS, st.integers(1, 99), st.integers(0, 10**6), st.integers(1, 10**9)),
        min_size=1,
        max_size=8,
    )
)
@PROPERTY
def test_a_slow_log_comes_back_as_written(records):
    data = b"".join(
        slow(text, account=account, thread=thread, sent=sent, size=size, time=BEGINNING + timedelta(seconds=at))
        for at, (text, account, thread, sent, size) in enumerate(records)
    )
    parsed = parse(mariadb_slow_log, data)
    assert not parsed.rejects.height
    events = parsed.events
    assert events.select("account", "session", "bytes").rows() == [
        (account, str(thread), size) for _, account, thread, _, size in records
    ]
    assert events["statement"].to_list() == [
        text.rstrip("\r\n") if not text.strip("\r\n") else text for text, *_ in records
    ]
    assert events["occurred_at"].to_list() == [
        (BEGINNING + timedelta(seconds=at)).replace(tzinfo=ZONE) for at in range(len(records))
    ]


@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=8), st.lists(st.integers(1, 300), max_size=12))
@PROPERTY
def test_a_general_log_comes_back_as_written_however_it_is_cut(records, sizes):
    data = general("Connect", "his_app@192.0.2.7 on his using TCP/IP", time=BEGINNING)
    for at, (text, stamped) in enumerate(records, 1):
        data += general("Query", text, time=BEGINNING + timedelta(seconds=at) if stamped else None)
    whole = parse(mariadb_general_log, data)
    assert not whole.rejects.height
    assert whole.events["statement"].to_list()[1:] == [text for text, _ in records]
    assert set(whole.events["account"]) == {"his_app"}
    events, rejects, _ = in_pieces(mariadb_general_log, data, sizes)
    assert events.equals(whole.events.drop("event_id"))
    assert rejects.equals(whole.rejects)


@pytest.mark.parametrize(
    ("statement", "told", "rows", "kind"),
    [
        ("select * from patients", {"sent": 8000}, 8000, "known"),
        ("select * from patients where false", {}, 0, "known"),
        ("/* x */ insert into t select * from patients", {"sent": 0, "affected": 41}, 41, "known"),
        ("SET STATEMENT max_statement_time=1 FOR select * from t", {"sent": 3}, 3, "known"),
        ("handler patients read first limit 3", {"size": 1670}, None, "unknown"),
        ("show create user x", {"size": 171}, None, None),
    ],
)
def test_rows_of_a_slow_record(statement, told, rows, kind):
    event = parse(mariadb_slow_log, slow(statement, time=BEGINNING, **told)).events.row(0, named=True)
    assert (event["rows"], event["rows_kind"]) == (rows, kind)


@pytest.mark.parametrize(("size", "known"), [(156, 156), (0, None), (18446744073709548423, None)])
def test_bytes_of_a_slow_record(size, known):
    event = parse(mariadb_slow_log, slow("select 1", size=size, time=BEGINNING)).events.row(0, named=True)
    assert (event["bytes"], event["bytes_kind"]) == (known, "known" if known else "unknown")


def test_before_the_first_time_the_end_is_reckoned_from_the_statement_s_own_timestamp():
    events = parse(mariadb_slow_log, slow("select 1", seconds="2.500000")).events
    assert events["occurred_at"].to_list() == [datetime.fromtimestamp(1795138453.5, UTC)]


@pytest.mark.parametrize(
    "inside",
    ["select 'x\n{}'", "select /* x\n{} */ 1", "# User@Host: a\nselect 1 -- \n{}", "use `his`;\n-- {}"],
)
def test_header_lines_in_a_statement_begin_no_record_without_a_semicolon_before(inside):
    forged = slow("drop table patients", account="dba", thread=9).decode().removesuffix(";\n")
    data = slow(inside.format(forged), time=BEGINNING) + slow("select 2")
    events = parse(mariadb_slow_log, data).events
    assert events["account"].to_list() == ["his_app", "his_app"]
    assert events["session"].to_list() == ["5", "5"]


def test_what_can_be_forged_is_marked():
    forged = slow("drop table patients", account="dba", thread=9).decode()
    events = parse(mariadb_slow_log, slow(f"select 1;\n{forged}", time=BEGINNING)).events
    assert events.height == 2
    assert events["forgeable"].all()
    lines = general("Query", "select 1\n" + general("Query", "drop table t", thread=9).decode(), time=BEGINNING)
    assert parse(mariadb_general_log, lines).events["forgeable"].all()


def test_a_false_stamp_in_a_statement_does_not_move_what_follows():
    data = general("Query", "select 1", time=BEGINNING)
    for stamp in (datetime(2027, 6, 1), datetime(2026, 11, 1)):
        data += general("Query", "select 2", time=stamp) + general("Query", "select 3")
    events = parse(mariadb_general_log, data).events
    after = events.filter(pl.col("statement") == "select 3")["occurred_at"].to_list()
    assert after == [BEGINNING.replace(tzinfo=ZONE)] * 2


def test_lines_that_come_after_a_record_was_settled_are_a_reject():
    first = parse(mariadb_general_log, general("Query", "select 1", time=BEGINNING))
    later = parse(mariadb_general_log, b"FROM patients\n" + general("Query", "select 2"), dict(first.carry))
    assert later.rejects["reason"].to_list() == ["no_header"]
    assert later.events["statement"].to_list() == ["select 2"]


@pytest.mark.parametrize("module", [mariadb_general_log, mariadb_slow_log])
@pytest.mark.parametrize("extra", [-300, 0, 5, PIECE, 2 * PIECE + 77])
def test_a_record_beyond_all_limits_is_one_event_marked_as_cut(module, extra):
    text = "select '" + "x" * (PIECE + extra) + "'"
    one, two = (
        (general("Query", text, time=BEGINNING), general("Query", "select 2"))
        if module is mariadb_general_log
        else (slow(text, time=BEGINNING), slow("select 2"))
    )
    whole = parse(module, one + two)
    assert whole.events["truncated"].to_list() == [len(one) > PIECE, False]
    assert whole.events["length"].sum() + sum(size for _, size in whole.skips.values()) == len(one + two)
    for sizes in ([1000, PIECE, 5], [PIECE + 11] * 3, [len(one)], [len(one) + 1]):
        events, rejects, skipped = in_pieces(module, one + two, sizes)
        assert events.equals(whole.events.drop("event_id"))
        assert not rejects.height
        assert skipped == sum(count for count, _ in whole.skips.values())


def test_users_are_those_of_the_connection_and_are_forgotten_after_it():
    data = (
        general("Connect", "a@192.0.2.7 on his using TCP/IP", thread=5, time=BEGINNING)
        + general("Connect", "b@localhost on  using Socket", thread=6)
        + general("Query", "select 5", thread=5)
        + general("Query", "select 6", thread=6)
        + general("Init DB", "medrec", thread=6)
        + general("Change user", "c@192.0.2.9 on lab using TCP/IP", thread=5)
        + general("Query", "select 5", thread=5)
        + general("Query", "select 6", thread=6)
        + general("Quit", thread=6)
        + general("Query", "select 7", thread=6)
    )
    events, _, _ = in_pieces(mariadb_general_log, data, [50] * 20)
    told = events.filter(pl.col("action") == "query").select("account", "client_ip", "database").rows()
    assert told == [
        ("a", "192.0.2.7", "his"),
        ("b", "[local]", None),
        ("c", "192.0.2.9", "lab"),
        ("b", "[local]", "medrec"),
        (None, None, None),
    ]


def test_log_ins_remembered_are_bounded_wherever_the_log_is_cut():
    data = general("Query", "select 0", thread=1, time=BEGINNING)
    data += b"".join(general("Connect", f"u{n}@192.0.2.7 on his using TCP/IP", thread=n) for n in range(1, 2101))
    data += general("Query", "select 1", thread=1) + general("Query", "select 2", thread=2100)
    whole = parse(mariadb_general_log, data)
    assert whole.events["account"].to_list()[-2:] == [None, "u2100"]
    assert len(whole.carry["users"]) == 2000
    events, _, _ = in_pieces(mariadb_general_log, data, [9000] * 12)
    assert events.equals(whole.events.drop("event_id"))


def test_a_refused_login_is_the_outcome_of_its_connect():
    denied = "Access denied for user 'a,b'@'192.0.2.8' (using password: YES)"
    data = general("Connect", "a,b@192.0.2.8 on his using TCP/IP", time=BEGINNING) + general("Connect", denied)
    error = f"2026-11-20  9:34:11 5 [Warning] {denied}\n"
    events = parse(mariadb_general_log, data).events
    told = events.select("record_role", "outcome", "error_code", "account", "activity_key").rows()
    assert told == [
        ("main", "unknown", None, "a,b", "login:5"),
        ("outcome", "failed", "1045", "a,b", "login:5"),
    ]
    same = parse(mariadb_error_log, error).events.row(0, named=True)
    line = "20261120 09:34:11,db01,a,b,192.0.2.8,5,0,FAILED_CONNECT,,,1045\n"
    both = parse(mariadb_server_audit, line).events.row(0, named=True)
    for name in ("activity_key", "outcome", "error_code", "account", "client_ip", "occurred_at"):
        assert same[name] == both[name], name


@given(st.text(st.sampled_from("aS eL\n\t'\"*/-#;?0189中,(=`\\"), max_size=400))
@PROPERTY
def test_one_statement_has_one_key_in_every_log(text):
    statement = f"select {text}".rstrip("; \n\r\t")
    keys = {
        parse(mariadb_slow_log, slow(statement, time=BEGINNING)).events["activity_key"][0],
        parse(mariadb_general_log, general("Query", statement, time=BEGINNING)).events["activity_key"][0],
        parse(mariadb_server_audit, audit(statement)).events["activity_key"][0],
    }
    assert len(keys) == 1, keys
    assert keys.pop().startswith("q:5:")


def test_a_masked_password_and_a_statement_cut_at_the_limit_keep_their_key():
    clear = "CREATE USER x@'%' IDENTIFIED BY 'secret' REQUIRE SSL"
    bare = "SET PASSWORD = PASSWORD('secret')"
    long = "select name from patients where id in (" + "10000001," * 400 + "1)"
    for statement, masked in (
        (clear, "CREATE USER x@'%' IDENTIFIED BY ***** REQUIRE SSL"),
        (bare, "SET PASSWORD = PASSWORD(*****)"),
        (long, None),
    ):
        told = parse(mariadb_slow_log, slow(statement, time=BEGINNING)).events["activity_key"]
        assert parse(mariadb_server_audit, audit(statement, masked=masked)).events["activity_key"].equals(told)


def test_a_key_holds_nothing_of_the_values():
    keys = {
        parse(mariadb_slow_log, slow(f"select * from patients where {what}", time=BEGINNING)).events["activity_key"][0]
        for what in ("name = '张三'", "name = '李四'", 'name = "张三"')
    }
    assert len(keys) == 1
    keys = {
        parse(mariadb_slow_log, slow(f"select * from patients where id = {n}", time=BEGINNING)).events["activity_key"][
            0
        ]
        for n in (1, 10000001)
    }
    assert len(keys) == 1


@given(
    st.text(st.sampled_from("ab\n'@ 0"), max_size=60).map(
        lambda name: f"x\n261120  9:38:06 server_audit: STOPPED\n{name}"
    )
)
@PROPERTY
def test_a_name_without_login_is_no_message_of_the_plugin(name):
    data = f"2026-11-20  9:38:06 14 [Warning] Access denied for user '{name}'@'192.0.2.8' (using password: YES)\n"
    parsed = parse(mariadb_error_log, data)
    settings_told = parsed.events.filter(pl.col("action") == "setting")
    assert settings_told["forgeable"].all()
    if name.count("\n") < 8:
        assert not settings_told.height
        assert parsed.events["account"].to_list() == [name]


def test_the_glued_message_is_a_record_of_its_own():
    first = (
        "261111  8:55:00 server_audit: Query cache is enabled with the TABLE events. Some table reads can be veiled."
    )
    second = "261111  8:55:00 server_audit: logging started to the file /var/log/server_audit.log.\n"
    parsed = parse(mariadb_error_log, first + second)
    assert parsed.events.select("position", "length", "action", "detail").rows() == [
        (len(first), len(second), "setting", "logging started to the file /var/log/server_audit.log.")
    ]
    assert dict(parsed.skips) == {"plugin_note": (1, len(first))}


@pytest.mark.parametrize("number", ["9" * 20, "9" * 19, "18446744073709548423", "9" * 60, "1e9", "-1", ""])
def test_absurd_numbers_are_unknown_or_no_record(number):
    line = slow("select 1", time=BEGINNING).decode()
    for told in ("Rows_sent: 0", "Query_time: 0.000087", "Bytes_sent: 11", "timestamp=1795138451", "Thread_id: 5"):
        parsed = parse(mariadb_slow_log, line.replace(told, told.rstrip("0123456789.") + number))
        assert parsed.events.height + parsed.rejects.height == 1


@pytest.mark.parametrize("stamp", ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59-08:00", "2026-13-01T00:00:00Z"])
def test_impossible_years_are_rejects(stamp):
    for module, line in (
        (mariadb_general_log, f"{stamp}\t    5 Query\tselect 1\n"),
        (mariadb_slow_log, slow("select 1", time=BEGINNING).decode().replace("261120  9:34:11", stamp)),
        (mariadb_error_log, f"{stamp} 5 [ERROR] x\n"),
    ):
        assert parse(module, line).rejects["reason"].to_list() == ["bad_timestamp"]


def test_names_and_statements_of_one_record_may_have_different_encodings():
    record = slow("select '乗客'", account="信息科_王工", time=BEGINNING).replace(
        "乗客".encode(), "乗客".encode("gb18030")
    )
    events = parse(
        mariadb_slow_log, record + slow("select '药品'") + slow("select 'x'").replace(b"'x'", b"'\xff'")
    ).events
    assert events["account"].to_list() == ["信息科_王工", "his_app", "his_app"]
    assert events["statement"].to_list() == ["select '乗客'", "select '药品'", "select '\\xff'"]
    spoken = general("Query", "select '乗客'", time=BEGINNING).replace("乗客".encode(), "乗客".encode("gb18030"))
    assert parse(mariadb_general_log, spoken).events["statement"].to_list() == ["select '乗客'"]


def test_a_banner_inside_a_header_ends_no_record():
    banner = "x, Version: 1 started with:\nTcp port: 1\nTime Id Command Argument\n"
    head, tail = slow("select 2").decode().split("Schema: ", 1)
    data = slow("select 1", time=BEGINNING) + f"{head}{banner}{tail}".encode() + slow("select 3")
    whole = parse(mariadb_slow_log, data)
    for size in (50, 90, 130, 400):
        events, rejects, _ = in_pieces(mariadb_slow_log, data, [size] * 20)
        assert events.equals(whole.events.drop("event_id"))
        assert rejects.equals(whole.rejects)


def test_what_stands_behind_a_banner_before_any_time_is_a_reject():
    banner = b"x, Version: 1 started with:\nTcp port: 1\nTime Id Command Argument\n"
    parsed = parse(mariadb_slow_log, banner + b"select 1;\n" + slow("select 2", time=BEGINNING))
    assert parsed.rejects["reason"].to_list() == ["no_time"]
    assert parsed.events["statement"].to_list() == ["select 2"]

"""PostgreSQL's text logs: the same events as csvlog of the same run, under any prefix, against forged lines, in pieces."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parsers.events import Origin
from parsers.postgresql_prefix import COMMON
from parsers.postgresql_sessions import PROCESSES
from parsers.registry import parsers

SAMPLES = Path(__file__).parent / "samples"
SHANGHAI = ZoneInfo("Asia/Shanghai")
FULL = "%m [%p] %q%u@%d %h %a "
WHO = "his_app@his 192.0.2.7 psql "
QUICK = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def parse(data, prefix=FULL, *, form="postgresql_stderr", zone=SHANGHAI, carry=None, position=0):
    unit = parsers()[form]
    unit = unit.configured({"log_line_prefix": prefix} if unit.options else {})
    origin = Origin("s", "y", "q", "/log", form, "0" * 16, position, datetime(2026, 12, 1, tzinfo=UTC))
    return unit.parse(data if isinstance(data, bytes) else data.encode(), origin, zone, carry or {})


def line(text, who=WHO, *, pid=77, ms=0, word="LOG"):
    return f"2026-11-20 10:00:{ms // 1000:02}.{ms % 1000:03} CST [{pid}] {who}{word}:  {text}\n"


def audit(statement, number=1, *, tail=",<none>,1", **more):
    quoted = '"' + statement.replace('"', '""') + '"'
    return line(f"AUDIT: SESSION,{number},1,READ,SELECT,,,{quoted}{tail}".replace("\n", "\n\t"), **more)


NOBODY = "[unknown]@[unknown] 192.0.2.7 [unknown] "
RECEIVED = line("connection received: host=192.0.2.7 port=40000", NOBODY)
AUTHORIZED = line("connection authorized: user=his_app database=his application_name=psql", ms=10)

# What the text does not tell, or tells otherwise; everything else is the same as in csvlog.
UNTOLD = {
    "15-pgaudit_all": {"error_code", "command", "record_role"},
    "15-pgaudit_edges": {"error_code", "forgeable"},
    "15-pgaudit_relations": {"error_code", "command", "record_role"},
    "15-object_audit": {"command", "rows", "rows_kind"},
    # times of settings, which the capture moved; what is missing between its excerpts (the text numbers no lines)
    "15-pgaudit_tampering": {"error_code", "occurred_at", "records_missing", "statements_missing"},
    "15-zh_messages": {"command", "client_program", "database", "record_role"},
    "15-log_statement-utc": {"error_code", "command", "occurred_at"},
}


def sample(form, name):
    folder = SAMPLES / form
    options = folder / f"{name}.options.json"
    prefix = json.loads(options.read_text())["log_line_prefix"] if options.exists() else FULL
    zone = ZoneInfo("UTC") if name.endswith("-utc") else SHANGHAI
    return parse((folder / f"{name}.log").read_bytes(), prefix, form=form, zone=zone)


@pytest.mark.parametrize("name", sorted(UNTOLD))
@pytest.mark.parametrize("form", ["postgresql_csvlog", "postgresql_jsonlog"])
def test_the_text_of_a_run_tells_what_csvlog_and_jsonlog_tell(form, name):
    full, text = sample(form, name).events, sample("postgresql_stderr", name).events
    if form == "postgresql_jsonlog":  # the files rotate each by itself: only what both samples have
        same = ["occurred_at", "action", "client_ip", "statement_number", "substatement_number"]
        shared = full.join(text, on=same, how="semi", nulls_equal=True)
        assert shared.height > full.height * 0.9 or name.endswith(("-utc", "messages"))
        return
    assert text.height == full.height
    seen = ~text["session"].str.starts_with("~")  # numbers and the start are those of csvlog only then
    for column in text.columns:
        if column in UNTOLD[name] | {"event_id", "position", "length", "file", "format"}:
            continue
        inferred = {"session", "activity_key"} | ({"account", "client_ip"} if name == "15-zh_messages" else set())
        chosen = seen if column in inferred else seen | True
        assert text[column].filter(chosen).to_list() == full[column].filter(chosen).to_list(), column


@pytest.mark.parametrize("name", ["15-iso8601", "15-rfc3164", "15-rfc5424"])
def test_syslog_tells_what_stderr_tells(name):
    told = sample("postgresql_syslog", name).events
    same = sample("postgresql_stderr", "15-pgaudit_all").events.filter(
        pl.struct("occurred_at", "detail", "statement", "action").is_in(
            told.select(pl.struct("occurred_at", "detail", "statement", "action")).to_series().implode()
        )
    )
    assert told.height == same.height
    columns = [name for name in told.columns if name not in {"event_id", "position", "length", "format", "record_role"}]
    columns = [name for name in columns if name not in {"session", "activity_key"}]
    for column in columns:
        assert told[column].to_list() == same[column].to_list(), column


@pytest.mark.parametrize(
    ("prefix", "complaint"),
    [
        ("%m %u ", "without %p or %c"),
        ("[%p] ", "without a time"),
        ("%m [%p] %y ", "%y is no escape"),
        ("%m [%p] %", "lone %"),
        ("%m\n[%p]", "line break"),
    ],
)
def test_a_prefix_that_cannot_serve_is_refused(prefix, complaint):
    with pytest.raises(ValidationError, match=complaint):
        parsers()["postgresql_stderr"].configured({"log_line_prefix": prefix})


@pytest.mark.parametrize(
    ("prefix", "head", "expected"),
    [
        ("%m [%p] ", "2026-11-20 10:00:00.123 CST [77] ", ("~6b000ae0.4d", None, None)),
        ("%m [%p] %c %u ", "2026-11-20 10:00:00.123 CST [77] 6b000001.4d app ", ("6b000001.4d", "app", None)),
        ("%t %s %p %u@%d", "2026-11-20 10:00:00 CST 2026-11-20 09:00:00 CST 77 app@his", None),
        ("%n|%-6p|%8u|", "1795140000.123|77    |     app|", ("~6aff3be0.4d", "app", None)),
        (
            "%m %% [%p] %q%a<%r>",
            "2026-11-20 10:00:00.123 CST % [77] a b<192.0.2.7(55)>",
            ("~6b000ae0.4d", None, "192.0.2.7"),
        ),
        (
            "%m [%c] %b %i %v/%x %e %P %Q %l",
            "2026-11-20 10:00:00.123 CST [6b.4d] client backend SELECT 3/4/0 00000  -5 9",
            None,
        ),
    ],
)
def test_every_escape_is_understood(prefix, head, expected):
    parsed = parse(f"{head} LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1\n", prefix)
    assert parsed.events["statement"].to_list() == ["select 1"]
    if expected is not None:
        session, account, address = parsed.events.select("session", "account", "client_ip").row(0)
        assert session.split(".")[1] == "4d"
        assert session.startswith("~") == expected[0].startswith("~")
        assert (account, address) == expected[1:]


def test_the_start_in_the_prefix_makes_the_session_of_csvlog():
    head = "2026-11-20 10:00:00 CST 2026-11-20 09:00:00 CST 77 app@his"
    parsed = parse(f"{head}LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1\n", "%t %s %p %u@%d")
    start = int(datetime(2026, 11, 20, 1, tzinfo=UTC).timestamp())
    assert parsed.events["session"].to_list() == [f"{start:x}.4d"]


@pytest.mark.parametrize("form", ["postgresql_stderr", "postgresql_syslog"])
def test_the_prefix_of_every_sample_is_guessed(form):
    for log in sorted((SAMPLES / form).glob("15-*.log")):
        prefix = json.loads(log.with_name(log.stem + ".options.json").read_text())
        unit = parsers()[form]
        assert unit.guess is not None
        assert prefix in list(unit.guess(log.read_bytes()))[: 1 if "%u" in prefix["log_line_prefix"] else 9], log.name


def test_common_prefixes_are_valid_and_differ():
    assert len(set(COMMON)) == len(COMMON)
    for prefix in COMMON:
        parsers()["postgresql_stderr"].configured({"log_line_prefix": prefix})


def test_account_and_address_come_from_the_connection_where_the_prefix_has_none():
    def bare(text, ms):
        return line(text, "", ms=ms)

    first = bare("connection received: host=192.0.2.7 port=1", 0) + bare(
        "connection authorized: user=his app database=h i application_name=x y SSL enabled (protocol=TLSv1.3)", 1
    )
    second = bare("AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1", 2) + bare(
        "disconnection: session time: 0:00:00.010 user=his app database=h i host=192.0.2.7 port=1", 3
    )
    third = bare("statement: select 2", 4)
    begun = parse(first, "%m [%p] ")
    carried = json.loads(json.dumps(dict(begun.carry)))
    parsed = parse(second + third, "%m [%p] ", carry=carried)
    known = parsed.events.select("action", "account", "client_ip", "database").rows()
    assert known == [
        ("query", "his app", "192.0.2.7", "h i"),
        ("logout", "his app", "192.0.2.7", "h i"),
        ("query", None, None, None),  # the process number may be another client's by now
    ]
    assert begun.events["client_program"].to_list() == [None, "x y"]


def test_processes_are_not_remembered_without_end():
    lines = [line("connection received: host=192.0.2.7 port=1", NOBODY, pid=pid) for pid in range(PROCESSES + 50)]
    assert len(parse("".join(lines)).carry["processes"]) == PROCESSES


def test_continuation_lines_lose_one_tab_and_follow_up_lines_join_their_record():
    text = (
        line('relation "x" does not exist at character 15', word="ERROR")
        + line("none\n\tat all", word="DETAIL")
        + line("select *\n\t\n\t\tfrom x\r\n\twhere 1=1", word="STATEMENT")
    )
    event = parse(text).events.row(0, named=True)
    assert event["statement"] == "select *\n\n\tfrom x\r\nwhere 1=1"
    assert event["detail"] == 'relation "x" does not exist'
    assert (event["outcome"], event["error_code"], event["length"]) == ("failed", None, len(text))


def test_sqlstate_is_read_where_the_server_writes_it():
    verbose = line("42501: permission denied for table x", word="ERROR") + line("select 1", word="STATEMENT")
    escape = "2026-11-20 10:00:00.000 CST [77] 42501 app ERROR:  permission denied\n"
    assert parse(verbose).events["error_code"].to_list() == ["42501"]
    assert parse(escape, "%m [%p] %e %u ").events["error_code"].to_list() == ["42501"]


@pytest.mark.parametrize("follow", ["CONTEXT", "STATEMENT", "语句", "上下文"])
def test_raise_in_a_block_is_no_audit_record(follow):
    events = parse(audit("select * from patients") + line("do $$ ...", word=follow)).events
    assert events.select("action", "forgeable").rows() == [("notice", True)]


def test_gbk_even_in_the_severity():
    raw = line('42P01: 关系 "病人" 不存在 第 8 个字符处', word="错误").encode("gb18030")
    raw += line("select * from 病人", word="语句").encode("gb18030") + audit("select '病人'").encode()
    assert parse(raw).events["statement"].to_list() == ["select * from 病人", "select '病人'"]


def test_a_process_nobody_has_logged_in_to_executes_nothing():
    forged = "x@y 192.0.2.9 p LOG:  statement: drop table patients;--@his 192.0.2.7 [unknown] "
    event = parse(RECEIVED + line('password authentication failed for user "x', forged, word="FATAL")).events.row(
        -1, named=True
    )
    assert (event["action"], event["outcome"], event["account"], event["statement"]) == ("login", "failed", None, None)
    assert event["forgeable"]


def test_without_connection_records_a_second_reading_is_forgeable():
    forged = "x@y 192.0.2.9 p LOG:  statement: drop table patients;--@his 192.0.2.7 [unknown] "
    events = parse(line('password authentication failed for user "x', forged, word="FATAL")).events
    assert events["forgeable"].to_list() == [True]


@pytest.mark.parametrize("name", ["p LOG:  x", "LOG:  ", "a LOG: b", "x LOG:  AUDIT: y", "STATEMENT:  select 1"])
def test_a_keyword_in_the_application_name_hides_no_statement(name):
    who = f"his_app@his 192.0.2.7 {name} "
    event = parse(RECEIVED + AUTHORIZED + audit("select name from patients", who=who)).events.row(-1, named=True)
    assert event["statement"] == "select name from patients"
    assert (event["account"], event["client_ip"]) == ("his_app", "192.0.2.7")
    assert event["forgeable"] == ("LOG:  " in name or "STATEMENT:  " in name)


@pytest.mark.parametrize("text", ["select '@h 192.0.2.9 p LOG:  AUDIT: x'", "/* FATAL:  no */ select 1"])
def test_a_keyword_in_the_statement_hides_no_statement(text):
    event = parse(RECEIVED + AUTHORIZED + audit(text)).events.row(-1, named=True)
    assert (event["statement"], event["account"], event["client_program"]) == (text, "his_app", "psql")


NAMES = st.text(st.sampled_from("ab@ \nLOG:[]19.\"'中"), min_size=1, max_size=20).map(lambda name: name + "\nq")
FORGED = "2026-11-20 09:00:00.000 CST [1] a@b 1.1.1.1 p LOG:  AUDIT:"


@given(name=NAMES | st.just(f"x\n{FORGED}") | st.just(f"x\n{FORGED[:40]}"), cut=st.integers(0, 3))
@QUICK
def test_a_name_with_line_breaks_never_becomes_a_trusted_record(name, cut):
    quoted = name.replace("\n", "\n\t")
    refused = line(
        f'password authentication failed for user "{quoted}"', f"{name}@his 192.0.2.7 [unknown] ", word="FATAL"
    )
    text = (RECEIVED + refused + audit("select 1", ms=900, pid=88)).encode()
    unit = parsers()["postgresql_stderr"].configured({"log_line_prefix": FULL})
    assert unit.framing(text, final=True) == len(text)
    whole = parse(text)
    trusted = whole.events.filter(~pl.col("forgeable"))
    assert set(trusted["session"].str.split(".").list.last()) <= {"4d", "58"}
    assert trusted.filter(pl.col("action") == "query")["statement"].to_list() in (["select 1"], [])
    size = whole.events["length"].sum() + whole.rejects["length"].sum()
    assert size == len(text)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40).map(lambda text: "x" + text)


@given(statements=st.lists(TEXTS, min_size=1, max_size=5))
@QUICK
def test_statements_survive_the_text_form(statements):
    data = "".join(audit(text, number, ms=number) for number, text in enumerate(statements, 1))
    parsed = parse(data)
    assert parsed.events["statement"].to_list() == statements
    assert parsed.rejects.is_empty()


def pieces(message, limit=900):
    """As the server cuts: at line breaks, and before a blank within the limit."""
    rest = message.encode()
    while rest:
        if rest.startswith(b"\n"):
            rest = rest[1:]
            continue
        end = rest.find(b"\n")
        size = min(end if end >= 0 else len(rest), limit)
        while size < len(rest) and rest[size] & 0xC0 == 0x80:
            size -= 1
        if size < len(rest) and rest[size : size + 1] not in (b"\n", b" ", b"\t"):
            blank = max(rest.rfind(b" ", 1, size), rest.rfind(b"\t", 1, size))
            size = blank if blank > 0 else size
        yield rest[:size].replace(b"\t", b"#011").replace(b"\r", b"#015")
        rest = rest[size:]


def datagrams(pid, number, message, second=0):
    head = b"2026-11-20T10:00:%02d.000000+08:00 db postgres[%d]: [%d-" % (second, pid, number)
    return [head + b"%d] %s\n" % (part, text) for part, text in enumerate(pieces(message), 1)]


WORDS = st.lists(
    st.sampled_from(["a", "表", "x" * 300, "\n", "\n  ", "\t", "\r\n", "'q'", "y" * 1200, '"']), min_size=1, max_size=14
).map(lambda words: "select " + " ".join(words) + "z")


@given(texts=st.lists(WORDS, min_size=1, max_size=4), data=st.data())
@QUICK
def test_pieces_of_several_processes_are_put_together(texts, data):
    queues = [datagrams(pid, 5, audit(text, pid=pid).removesuffix("\n")) for pid, text in enumerate(texts, 100)]
    mixed = []
    while any(queues):
        mixed.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    parsed = parse(b"".join(mixed), form="postgresql_syslog")
    assert parsed.rejects.is_empty()
    told = {row[0].split(".")[-1]: row[1] for row in parsed.events.select("session", "statement").rows()}
    # a blank at which a piece was cut before a TAB is the one thing that cannot be told from a line break
    assert {pid: " ".join(text.split()) for pid, text in told.items()} == {
        f"{pid:x}": " ".join(text.split()) for pid, text in enumerate(texts, 100)
    }


def test_a_message_is_handed_on_when_its_process_goes_on_or_time_does():
    unit = parsers()["postgresql_syslog"].configured({"log_line_prefix": FULL})
    one = b"".join(datagrams(5, 1, audit("select 1\nfrom a", pid=5).removesuffix("\n")))
    other = b"".join(datagrams(6, 1, audit("select 2", pid=6).removesuffix("\n")))
    more = b"".join(datagrams(5, 2, audit("select 3", pid=5).removesuffix("\n")))
    assert unit.framing(one, final=False) == 0
    assert unit.framing(one + other, final=False) == 0  # a piece may follow
    assert unit.framing(one + more, final=False) == len(one)
    later = [datagrams(6, n, audit("select 2", pid=6).removesuffix("\n"), second=n)[0] for n in (1, 2)]
    assert unit.framing(one + later[0] + later[1], final=False) == len(one) + len(later[0])
    assert unit.framing(one, final=True) == len(one)


def test_a_lost_piece_shows():
    whole = datagrams(5, 1, audit("select a\nfrom b\nwhere c", pid=5).removesuffix("\n"))
    gap = parse(whole[0] + whole[2], form="postgresql_syslog").events.row(0, named=True)
    assert (gap["statement"], gap["truncated"], gap["rows"]) == ("select a\nwhere c", True, 1)
    short = parse(whole[0] + whole[1], form="postgresql_syslog").events.row(0, named=True)
    assert (short["statement"], short["truncated"], short["rows"]) == ("select a\nfrom b", True, None)
    headless = parse(whole[1] + whole[2], form="postgresql_syslog")
    assert headless.rejects["reason"].to_list() == ["lost_beginning"] * 2


def test_no_text_in_a_further_piece_makes_it_a_message():
    head = "2026-11-20 10:00:00.000 CST [5] a@his 10.20.5.22 psql "
    texts = [
        "ERROR:  must be superuser",
        "STATEMENT:  alter user a psql LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1",
    ]
    lines = [
        f"Nov 20 10:00:00 db postgres[5]: [15-{part}] {head}{text}\n".encode() for part, text in enumerate(texts, 1)
    ]
    parsed = parse(b"".join(lines), form="postgresql_syslog")
    assert parsed.events.select("position", "length").rows() == [(0, len(lines[0]))]
    assert parsed.skips == {"continuation_piece": (1, len(lines[1]))}


def test_a_prefix_may_leave_time_and_process_to_syslog():
    data = b"Nov 20 10:00:00 db postgres[77]: [1-1] app LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>,1\n"
    event = parse(data, "%u ", form="postgresql_syslog").events.row(0, named=True)
    assert (event["account"], event["occurred_at"]) == ("app", datetime(2026, 11, 20, 2, tzinfo=UTC))

"""Numbers that the records of a session skip: told where records were lost, and nowhere else."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from parsers.events import Origin
from parsers.postgresql_numbers import SESSIONS
from parsers.registry import parsers

NOW = datetime(2026, 11, 11, 5, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
LOGOUT = "disconnection: session time: 0:00:01.000 user=u database=d host=10.0.0.5 port=4"


def record(line: int, statement: int | None = None, session: str = "a.1", message: str = "", user: str = "u") -> str:
    """A csvlog record; an audited SELECT where a statement number is given."""
    text = message or (f"AUDIT: SESSION,{statement},1,READ,SELECT,,,select {line},<none>,1" if statement else "hello")
    host = '"10.0.0.5:4"' if user else ""
    return (
        f'2026-11-11 12:00:00.{line % 1000:03d} CST,"{user}","d",7,{host},{session},{line},"SELECT",2026-11-11 11:00:00 CST,'
        f'1/1,0,LOG,00000,"{text}",,,,,,,,,"psql","client backend",,0\n'
    )


def read(*files: list[str], cut: bool = False) -> list[tuple[int | None, int | None]]:
    """What each record passes over. Every list is a file; `cut`: every record is a chunk of its own."""
    found, carry = [], {}
    for name, lines in enumerate(files):
        position = 0
        for chunk in lines if cut else ["".join(lines)]:
            origin = Origin("s", "y", "src", f"{name}.csv", "postgresql_csvlog", str(name), position, NOW, NOW)
            parsed = parsers()["postgresql_csvlog"].parse(chunk.encode(), origin, ZONE, carry)
            assert not parsed.rejects.height
            carry = parsed.carry
            position += len(chunk.encode())
            found.append(parsed.events.select("records_missing", "statements_missing"))
    return pl.concat(found).rows()


@pytest.mark.parametrize("cut", [False, True])
def test_lines_that_were_taken_out_are_counted_at_the_record_behind_them(cut):
    lines = [record(1), record(2, 1), record(6, 5), record(7, 6), record(9)]
    assert read(lines, cut=cut) == [(None, None), (None, None), (3, None), (None, None), (1, None)]


@pytest.mark.parametrize("cut", [False, True])
def test_statements_are_told_only_where_the_lines_go_on(cut):
    lines = [record(1, 1), record(2), record(3, 5), record(4, 6)]
    assert read(lines, cut=cut) == [(None, None), (None, None), (None, 3), (None, None)]
    lines = [record(1, 1), record(4), record(5, 5)]  # the lost lines held the statements
    assert read(lines, cut=cut) == [(None, None), (2, None), (None, None)]
    assert read([*lines, record(6, 8)], cut=cut)[-1] == (None, 2)


@pytest.mark.parametrize("cut", [False, True])
def test_sessions_do_not_mix_and_may_begin_anywhere(cut):
    lines = [record(5, 40), record(1, 1, "b.2"), record(6, 41), record(2, 2, "b.2"), record(4, 3, "b.2")]
    assert read(lines, cut=cut) == [*[(None, None)] * 4, (1, None)]


@pytest.mark.parametrize("cut", [False, True])
def test_records_of_one_statement_share_its_number(cut):
    lines = [record(1, 1), record(2, 1), record(3, 2), record(4, 2)]
    assert read(lines, cut=cut) == [(None, None)] * 4


@pytest.mark.parametrize("cut", [False, True])
def test_rotated_files_may_come_in_any_order(cut):
    first, second = [record(1, 1), record(2, 2)], [record(9, 9), record(10, 10)]
    assert read(first, second, cut=cut) == [(None, None)] * 4
    assert read(second, first, cut=cut) == [(None, None)] * 4


@pytest.mark.parametrize("cut", [False, True])
def test_lines_read_again_are_no_hole(cut):
    lines = [record(1, 1), record(2, 2), record(3, 3)]
    assert read([*lines, *lines, record(4, 4)], cut=cut) == [(None, None)] * 7


@pytest.mark.parametrize("cut", [False, True])
def test_a_session_that_left_is_forgotten_and_the_servers_own_processes_are_not_looked_at(cut):
    lines = [record(1), record(2, message=LOGOUT), record(9)]
    assert read(lines, cut=cut)[-1] == (None, None)
    own = [record(1, user="", message="received SIGHUP"), record(7, user="", message="received SIGHUP")]
    assert set(read([record(1), *own, record(2)], cut=cut)) == {(None, None)}


def test_what_is_remembered_is_bounded():
    lines = "".join(record(1, 1, f"{number:x}.1") for number in range(SESSIONS + 50))
    origin = Origin("s", "y", "src", "0.csv", "postgresql_csvlog", "0", 0, NOW, NOW)
    carry = parsers()["postgresql_csvlog"].parse(lines.encode(), origin, ZONE, {}).carry
    assert len(carry["numbers"]) == SESSIONS
    assert "0.1" not in carry["numbers"]


def test_text_logs_tell_statements_and_syslog_nothing():
    line = "2026-11-11 12:00:00.001 CST [7] u@d LOG:  AUDIT: SESSION,{},1,READ,SELECT,,,select 1,<none>\n"
    text = "".join(line.format(number) for number in (1, 2, 6))
    for name, told in (("postgresql_stderr", [None, None, 3]), ("postgresql_syslog", None)):
        origin = Origin("s", "y", "src", "0.log", name, "0", 0, NOW, NOW)
        if told is not None:
            events = parsers()[name].parse(text.encode(), origin, ZONE, {}).events
            assert events["statements_missing"].to_list() == told
        else:
            tagged = "".join(f"Nov 11 12:00:00 h postgres[7]: [{n}-1] " + line.format(n) for n in (1, 2, 6))
            events = parsers()[name].parse(tagged.encode(), origin, ZONE, {}).events
            assert not events.filter(pl.col("statements_missing") > 0).height


@pytest.mark.parametrize("cut", [False, True])
def test_a_record_without_a_number_ends_no_row_of_numbers(cut):
    lines = [record(1), record(2).replace(",a.1,2,", ",a.1,,"), record(4)]
    assert read(lines, cut=cut) == [(None, None), (None, None), (2, None)]

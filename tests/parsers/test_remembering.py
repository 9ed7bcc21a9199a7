"""What a parser knows at a record follows from the records before it, wherever the chunks were cut."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.events import Origin
from parsers.registry import parsers
from parsers.remembering import forgotten

ZONE = ZoneInfo("Asia/Shanghai")
NAMED = st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=60)

# records with stamps far apart, process numbers and mails used again, pairs with other records between
ODD = {
    "openssh_sftp": [
        "Dec 31 23:50:14 h internal-sftp[8]: session opened for local user chen from [192.0.2.117]",
        "Jan  9 23:50:15 h internal-sftp[9]: session opened for local user wang from [192.0.2.118]",
        'Dec 31 23:50:16 h internal-sftp[8]: open "/in/y" flags WRITE,CREATE mode 0644',
        "Dec 31 23:50:26 h internal-sftp[8]: sent status Permission denied",
        'Dec 31 23:50:27 h internal-sftp[8]: open "/in/y" flags WRITE,CREATE mode 0644',
        'Dec 31 23:50:27 h internal-sftp[8]: close "/in/y" bytes read 0 written 9',
        'Dec 31 23:50:28 h internal-sftp[8]: close "/in/y" bytes read 0 written 7',
        "Dec 31 23:50:29 h internal-sftp[8]: session closed for local user chen from [192.0.2.117]",
        'Dec 31 23:50:30 h internal-sftp[8]: remove name "/in/y"',
        'Dec 31 23:50:30 h internal-sftp[9]: remove name "/in/z"',
    ],
    "postfix": [
        "Nov 18 09:02:12 h postfix/smtpd[1]: C18091A20AA: client=unknown[10.10.40.117]",
        "Dec 31 23:59:55 h postfix/smtpd[2]: 5D9181A204A: client=unknown[10.10.40.118]",
        "Nov 18 09:02:12 h postfix/qmgr[3]: C18091A20AA: from=<a@his.local>, size=900, nrcpt=1 (queue active)",
        (
            "Nov 18 09:02:12 h postfix/smtp[4]: C18091A20AA: to=<b@x.example>, relay=x[10.1.1.1]:25, delay=0.1, "
            "delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 Ok)"
        ),
        "Nov 18 09:02:12 h postfix/qmgr[3]: C18091A20AA: removed",
        (
            "Nov 18 09:02:13 h postfix/smtp[4]: C18091A20AA: to=<c@x.example>, relay=x[10.1.1.1]:25, delay=0.1, "
            "delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 Ok)"
        ),
    ],
    "rsyncd": [
        "2026/11/18 09:00:00 [7] rsync on his/a from li@h (10.1.1.7)",
        "2026/12/30 09:00:00 [8] rsync to his/b from wu@h (10.1.1.8)",
        "2026/11/18 09:00:01 [7] 2026/11/18 09:00:01 [7] send h [10.1.1.7] his (li) a 10",
        "2026/11/18 09:00:02 [7] sent 100 bytes  received 20 bytes  total size 10",
        "2026/11/18 09:00:03 [7] ERROR: module is read only",
    ],
    "proftpd_extended": [
        '10.1.1.7 UNKNOWN - [18/Nov/2026:09:00:00 +0800] "USER li" 331 -',
        '10.1.1.8 UNKNOWN wu [30/Dec/2026:09:00:00 +0800] "RNFR a" 350 -',
        '10.1.1.7 UNKNOWN - [18/Nov/2026:09:00:01 +0800] "PASS (hidden)" 530 -',
        '10.1.1.8 UNKNOWN wu [18/Nov/2026:09:00:02 +0800] "RNTO b" 250 -',
        '10.1.1.8 UNKNOWN wu [18/Nov/2026:09:00:02 +0800] "RNTO c" 250 -',
    ],
    "linux_auditd": [
        'type=EXECVE msg=audit(1795236200.002:9002): argc=2 a0="tar" a1="/u01"',
        'type=USER_CMD msg=audit(1795236200.002:9002): pid=9 uid=0 auid=1001 ses=4 msg=\'cmd="id" res=success\'',
        (
            "type=SYSCALL msg=audit(1795236200.002:9002): arch=c000003e syscall=59 success=yes exit=0 items=1 ppid=1 "
            'pid=3 auid=1002 uid=0 ses=5 comm="tar" exe="/usr/bin/tar" key=(null)'
        ),
        'type=CWD msg=audit(1795236200.002:9002): cwd="/root"',
        'type=PATH msg=audit(1795236200.002:9002): item=0 name="tar" inode=6 nametype=NORMAL',
        'type=PATH msg=audit(1795236200.002:9003): item=0 name="tar" inode=6 nametype=NORMAL',
    ],
}  # fmt: skip


def read(name, records, cuts=()):
    unit, position, carry, parts = parsers()[name].configured({}), 0, {}, []
    groups = [records[one:other] for one, other in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    for group in groups:
        chunk = "".join(f"{record}\n" for record in group).encode()
        origin = Origin("s", "y", "q", "/log", name, "0" * 16, position, datetime(2027, 1, 20, tzinfo=UTC))
        parts.append(unit.parse(chunk, origin, ZONE, carry))
        carry, position = json.loads(json.dumps(dict(parts[-1].carry))), position + len(chunk)
    return pl.concat([part.events for part in parts])


@pytest.mark.parametrize("name", sorted(ODD))
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_cuts_change_nothing_in_records_of_any_order(name, data):
    records = data.draw(st.lists(st.sampled_from(ODD[name]), min_size=2, max_size=14))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(records) - 1), max_size=4)))
    whole, pieces = read(name, records), read(name, records, cuts)
    for column in whole.columns:
        assert whole[column].to_list() == pieces[column].to_list(), column


@pytest.mark.parametrize("name", sorted(ODD))
def test_a_cut_between_any_two_of_them_changes_nothing(name):
    records = ODD[name]
    assert read(name, records, range(1, len(records))).equals(read(name, records))


def test_a_process_number_used_again_has_no_account():
    told = read("openssh_sftp", ODD["openssh_sftp"])
    assert told.filter(pl.col("action") == "delete")["account"].to_list() == [None, "wang"]


def model(rows, limit):
    """The limit kept row by row."""
    known, seen, told = OrderedDict(), set(), []
    for key, leaves in rows:
        told.append(key in seen and key not in known)
        seen.add(key)
        known.pop(key, None)
        if leaves:
            seen.discard(key)
        else:
            known[key] = None
        if len(known) > limit:
            known.popitem(last=False)
    return told, list(known)


@given(rows=NAMED, limit=st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_the_last_named_are_remembered(rows, limit):
    frame = pl.DataFrame(rows, schema={"key": pl.Int64, "leaves": pl.Boolean}, orient="row")
    for key in (["key"], ["key", "other"]):
        got = forgotten(frame.with_columns(other=pl.lit("x")), key, limit, ends=pl.col("leaves"))
        assert got.to_list() == model(rows, limit)[0]


@given(rows=NAMED, limit=st.integers(1, 5), cut=st.integers(0, 60))
@settings(deadline=None, max_examples=40)
def test_what_is_left_of_the_past_stands_for_all_of_it(rows, limit, cut):
    before, after = rows[:cut], rows[cut:]
    past = [(key, False) for key in model(before, limit)[1]]
    frame = pl.DataFrame([*past, *after], schema={"key": pl.Int64, "leaves": pl.Boolean}, orient="row")
    pieces = forgotten(frame, ["key"], limit, ends=pl.col("leaves")).to_list()[len(past) :]
    whole = model(rows, limit)[0][len(before) :]
    lost = {key for key, _ in before} - {key for key, _ in past}
    for (key, _), in_pieces, in_whole in zip(after, pieces, whole, strict=True):
        assert in_pieces == in_whole or key in lost  # of what the carry has let go nothing is known either way
        lost.discard(key)

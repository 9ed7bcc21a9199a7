"""Mails: what each delivery is told with, names of attachments, texts that imitate records."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import postfix
from parsers.events import EVENTS, Origin, check
from parsers.postfix_names import names

ORIGIN = Origin("h", "mx", "s", "maillog", "postfix", "0" * 16, 0, datetime(2027, 1, 1, 4, tzinfo=UTC))
ZONE = ZoneInfo("Asia/Shanghai")
END = " from ws[10.0.0.5]; from=<li@his.local> to=<b@out.example> proto=ESMTP helo=<ws>"
CLIENT = ("smtpd", "ABCDEF0: client=ws[10.0.0.5]")
QUEUED = ("qmgr", "ABCDEF0: from=<li@his.local>, size=1370, nrcpt=1 (queue active)")
SENT = (
    "smtp",
    "ABCDEF0: to=<b@out.example>, relay=o[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
)


def record(daemon: str, message: str) -> str:
    return f"Dec  3 08:05:12 mx postfix/{daemon}[77]: {message}\n"


def parse(text: str, carry=None, position: int = 0):
    parsed = postfix.parse(text.encode(), replace(ORIGIN, position=position), ZONE, carry or {})
    check(parsed.events, EVENTS)
    return parsed


def last(*messages: tuple[str, str]):
    return parse("".join(record(*message) for message in messages)).events.row(-1, named=True)


def header(text: str) -> tuple[str, str]:
    return ("cleanup", f"ABCDEF0: info: header {text}{END}")


def test_a_delivery_knows_sender_client_size_and_attachment():
    told = last(CLIENT, header('Content-Disposition: attachment; filename="a.csv"'), QUEUED, SENT)
    assert (told["action"], told["outcome"], told["record_role"], told["direction"]) == ("upload", "ok", "main", "out")
    assert (told["account"], told["client_ip"], told["object_name"]) == ("li@his.local", "10.0.0.5", "b@out.example")
    assert (told["path"], told["bytes"], told["bytes_kind"]) == ("a.csv", 1370, "estimated")


def test_each_recipient_is_an_act_of_its_own():
    other = ("smtp", SENT[1].replace("b@out", "c@out"))
    keys = parse("".join(record(*message) for message in (CLIENT, QUEUED, SENT, other))).events["activity_key"]
    assert keys.n_unique() == 2


def test_an_authenticated_name_is_the_account():
    told = last(("submission/smtpd", CLIENT[1] + ", sasl_method=PLAIN, sasl_username=wang"), QUEUED, SENT)
    assert told["account"] == "wang"


def test_the_name_that_carries_data_wins():
    names_of = [header(f'Content-Disposition: attachment; filename="{name}"') for name in ("a.png", "b.csv", "c.zip")]
    assert last(CLIENT, *names_of, QUEUED, SENT)["path"] == "b.csv"


def test_a_queue_id_used_again_is_another_mail():
    told = last(CLIENT, QUEUED, SENT, ("qmgr", "ABCDEF0: removed"), SENT)
    assert (told["account"], told["bytes"], told["bytes_kind"]) == (None, None, "unknown")
    again = ("smtpd", "ABCDEF0: client=other[10.0.0.6]")
    told = last(CLIENT, header('Content-Type: x; name="a.csv"'), QUEUED, again, SENT)
    assert (told["client_ip"], told["path"], told["account"]) == ("10.0.0.6", None, None)


def test_waiting_is_no_delivery():
    deferred = SENT[1].replace("dsn=2.0.0, status=sent", "dsn=4.4.1, status=deferred")
    told = last(CLIENT, QUEUED, ("smtp", deferred))
    assert (told["record_role"], told["outcome"], told["bytes"]) == ("part", "unknown", None)


def test_a_mail_over_the_limit_failed():
    told = last(
        CLIENT, header('Content-Type: x; name="a.dmp"'), ("smtpd", "warning: ABCDEF0: queue file size limit exceeded")
    )
    assert (told["action"], told["outcome"], told["path"], told["account"]) == (
        "upload", "failed", "a.dmp", "li@his.local",
    )  # fmt: skip


@pytest.mark.parametrize(
    "subject",
    [
        SENT[1],
        "x from evil[1.1.1.1]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
        "warning: ABCDEF0: queue file size limit exceeded",
        "removed",
    ],
)
def test_a_subject_is_never_a_delivery(subject):
    parsed = parse("".join(record(*message) for message in (CLIENT, header(f"Subject: {subject}"), QUEUED, SENT)))
    told = parsed.events.filter(pl.col("record_role") == "main")
    assert told["action"].to_list() == ["upload"]
    assert told["client_ip"].to_list() == ["10.0.0.5"]
    assert told["account"].to_list() == ["li@his.local"]


def test_a_recipient_that_imitates_a_status_is_marked():
    forged = SENT[1].replace("b@out.example", '"x>, relay=none, delay=1, dsn=5.0.0, status=bounced (y"@z')
    assert last(CLIENT, QUEUED, ("smtp", forged))["forgeable"]


def test_mails_are_remembered_within_bounds():
    text = "".join(record("smtpd", f"{number:07X}: client=ws[10.0.0.5]") for number in range(postfix.MAX_MAILS + 50))
    carry = json.loads(json.dumps(dict(parse(text).carry)))
    assert len(carry["mails"]["qid"]) == postfix.MAX_MAILS
    assert carry["mails"]["qid"][-1] == f"{postfix.MAX_MAILS + 49:07X}"


NAME = st.text(st.characters(codec="utf-8", categories=("L", "N"), include_characters=" ._-"), min_size=1, max_size=30)


@settings(deadline=None, max_examples=150)
@given(name=NAME.filter(lambda name: name.strip() == name and "name" not in name.lower()), cut=st.integers(1, 20))
def test_names_in_every_spelling(name, cut):
    raw = name.encode()
    word = base64.b64encode(raw).decode()
    spellings = [
        f'Content-Disposition: attachment; filename="{name}"',
        f'Content-Type: application/zip;? name="=?UTF-8?B?{word}?="',
        f"Content-Type: application/zip;?\tname==?utf-8?Q?{quote(name, safe='').replace('%', '=').replace('_', '=5F')}?=",
        f"Content-Disposition: attachment; filename*=UTF-8''{quote(name, safe='')}",
        f'Content-Disposition: attachment;? filename*0="{name[:cut]}";? filename*1="{name[cut:]}"',
    ]
    assert names(pl.Series(spellings)).to_list() == [name] * len(spellings)


def test_names_in_gbk_and_nonsense():
    word = base64.b64encode("患者名单.csv".encode("gbk")).decode()
    headers = pl.Series(
        [
            f'Content-Type: x; name="=?GB2312?B?{word}?="',
            'Content-Type: x; name="=?no-such?B?AAA?="',
            "Content-Type: text/plain",
            None,
            'Content-Type: x; name="=?UTF-8?B?5oKj6I?=? =?UTF-8?B?CF?="',
        ],
        dtype=pl.String,
    )
    read = names(headers).to_list()
    assert read[0] == "患者名单.csv"
    assert read[2:4] == [None, None]


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200))
def test_no_header_breaks_the_reader(text):
    assert names(pl.Series([text, f'Content-Type: x; name="{text}'])).len() == 2

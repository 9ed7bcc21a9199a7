from __future__ import annotations

import ssl
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.channel import DeliveryError
from monitor.alerts.smtp import SmtpChannel, header, mail

SENDER = "hiswatch@hospital.example"
OFFICER = "officer@hospital.example"


def make(server: Any, **more: Any) -> SmtpChannel:
    options = {
        "port": server.port,
        "sender": SENDER,
        "recipients": (OFFICER,),
        "starttls": False,
        "timeout_seconds": 5.0,
    } | more
    return SmtpChannel("mail", options.pop("host", "127.0.0.1"), **options)


def server_tls(certificate: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    return context


def reason(channel: SmtpChannel, payload: dict[str, Any]) -> str:
    with pytest.raises(DeliveryError) as caught:
        channel.send(payload)
    return caught.value.reason


def test_a_mail_arrives_whole(mail_server: Any, payload: dict[str, Any]) -> None:
    make(mail_server).send(payload)
    ((sender, recipients, data),) = mail_server.mails
    assert SENDER in sender
    assert recipients == [OFFICER]
    got = message_from_bytes(data, policy=default)
    assert got["Subject"] == "[hiswatch][严重] 导出工具读取整库 (his)"
    assert got["Message-ID"] == f"<{'a' * 24}.2@demo.hiswatch>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Date"] is not None
    assert got.get_content().replace("\r\n", "\n").rstrip("\n") == payload["text"]


def test_a_repeat_has_the_same_id(mail_server: Any, payload: dict[str, Any]) -> None:
    channel = make(mail_server)
    channel.send(payload)
    channel.send(payload)
    one, two = (message_from_bytes(data, policy=default)["Message-ID"] for _, _, data in mail_server.mails)
    assert one == two


@pytest.mark.parametrize(
    "text", ["x\r\nBcc: evil@example.org", "x\nTo: evil@example.org", "x\u2028Bcc: evil@example.org", "x" * 5000]
)
def test_no_text_of_a_log_becomes_a_header(payload: dict[str, Any], text: str) -> None:
    made = mail({**payload, "title": text, "system": text, "site": text, "message_id": text}, SENDER, [OFFICER], 0)
    parsed = message_from_bytes(bytes(made), policy=default)
    assert set(parsed.keys()) == set(made.keys())
    assert parsed["Bcc"] is None
    assert parsed["To"] == OFFICER
    assert len(header(text)) <= 160


def test_starttls_is_used_and_the_certificate_checked(
    mail_server: Any, certificate: Any, payload: dict[str, Any]
) -> None:
    mail_server.tls = server_tls(certificate)
    trusted = ssl.create_default_context(cafile=str(certificate.file))
    make(mail_server, host="localhost", starttls=True, tls=trusted).send(payload)
    assert mail_server.secured == [True]
    assert reason(make(mail_server, host="localhost", starttls=True), payload) == "tls"


def test_a_server_without_tls_gets_nothing_when_tls_is_demanded(mail_server: Any, payload: dict[str, Any]) -> None:
    assert reason(make(mail_server, starttls=True), payload) == "tls"
    assert mail_server.mails == []


def test_login(mail_server: Any, tmp_path: Path, payload: dict[str, Any]) -> None:
    mail_server.password = "right"
    file = tmp_path / "password"
    file.write_text("right\n")
    file.chmod(0o600)
    make(mail_server, username="hiswatch", password_file=file).send(payload)
    assert len(mail_server.mails) == 1
    file.write_text("wrong\n")
    assert reason(make(mail_server, username="hiswatch", password_file=file), payload) == "auth"


@pytest.mark.parametrize(("answer", "expected"), [("550 no such user", "refused"), ("451 try later", "receiver_error")])
def test_a_refused_recipient_is_a_failure(
    mail_server: Any, payload: dict[str, Any], answer: str, expected: str
) -> None:
    mail_server.refuse = {OFFICER: answer}
    assert reason(make(mail_server), payload) == expected


def test_one_refused_recipient_of_two_does_not_repeat_the_mail_to_the_other(
    mail_server: Any, payload: dict[str, Any]
) -> None:
    mail_server.refuse = {"gone@hospital.example": "550 no such user"}
    channel = make(mail_server, recipients=(OFFICER, "gone@hospital.example"))
    channel.send(payload)
    assert mail_server.mails[0][1] == [OFFICER]
    assert reason(channel, {**payload, "kind": "test"}) == "refused"


def test_a_server_that_is_not_there(mail_server: Any, payload: dict[str, Any]) -> None:
    mail_server.greeting = "554 not today"
    assert reason(make(mail_server), payload) == "connect"
    assert reason(make(mail_server, port=1), payload) == "connect"

from __future__ import annotations

import hmac
import json
import socket
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.channel import DeliveryError
from monitor.alerts.http import MAX_ANSWER_BYTES
from monitor.alerts.webhook import WebhookChannel


def reason(channel: WebhookChannel, payload: dict[str, Any]) -> str:
    try:
        with pytest.raises(DeliveryError) as caught:
            channel.send(payload)
    finally:
        channel.close()
    assert "vendor_wx_zhang" not in str(caught.value)
    return caught.value.reason


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(b"s3cret\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def channel(receiver: Any, secret: Path) -> Iterator[WebhookChannel]:
    made = WebhookChannel("hook", receiver.url, secret_file=secret, allow_private=True, clock=lambda: 1_795_000_000.9)
    yield made
    made.close()


def test_the_receiver_can_verify_what_it_got(channel: WebhookChannel, receiver: Any, payload: dict[str, Any]) -> None:
    channel.send(payload)
    ((path, headers, body),) = receiver.got
    assert path == "/hook?x=1"
    assert json.loads(body) == payload
    assert headers["idempotency-key"] == f"{payload['id']}:{payload['revision']}"
    assert headers["x-hiswatch-timestamp"] == "1795000000"
    expected = hmac.new(b"s3cret", b"1795000000." + body, "sha256").hexdigest()
    assert headers["x-hiswatch-signature"] == f"sha256={expected}"
    assert headers["host"] == receiver.url.split("/")[2]


def test_without_a_secret_nothing_is_signed(receiver: Any, payload: dict[str, Any]) -> None:
    channel = WebhookChannel("hook", receiver.url, allow_private=True)
    channel.send(payload)
    channel.close()
    assert "x-hiswatch-signature" not in receiver.got[0][1]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, "redirect"),
        (302, "redirect"),
        (401, "auth"),
        (403, "auth"),
        (404, "refused"),
        (429, "rate_limited"),
        (500, "receiver_error"),
        (503, "receiver_error"),
    ],
)
def test_every_other_answer_is_a_failure(
    receiver: Any, channel: WebhookChannel, payload: dict[str, Any], status: int, expected: str
) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    assert reason(channel, payload) == expected
    assert len(receiver.got) == 1, "a redirect was followed"


def test_an_answer_of_ten_megabytes_is_not_read(
    receiver: Any, channel: WebhookChannel, payload: dict[str, Any]
) -> None:
    receiver.body = b"x" * 10_000_000
    assert reason(channel, payload) == "answer_too_large"
    receiver.body = b"x" * MAX_ANSWER_BYTES
    channel = WebhookChannel("hook", receiver.url, allow_private=True)
    channel.send(payload)
    channel.close()


def test_a_receiver_that_never_answers_is_left_in_time(receiver: Any, payload: dict[str, Any]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert reason(WebhookChannel("hook", url, allow_private=True, timeout_seconds=0.05), payload) == "timeout"


def test_a_receiver_that_drips_its_answer_is_left_in_time(receiver: Any, payload: dict[str, Any]) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:  # until the other side hangs up
            handler.wfile.write(b"x")

    receiver.answer = drip
    channel = WebhookChannel("hook", receiver.url, allow_private=True, timeout_seconds=0.2)
    assert reason(channel, payload) in {"timeout", "answer_too_large"}


def test_nobody_listening_is_told_as_such(payload: dict[str, Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    assert reason(WebhookChannel("hook", url, allow_private=True), payload) == "connect"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "https://127.0.0.1:1/",
        "https://10.0.0.1/",
        "https://localhost:1/",
        "https://[::1]:1/",
        "http://192.0.2.1/",
    ],
)
def test_private_addresses_and_plain_http_need_the_operators_word(url: str, payload: dict[str, Any]) -> None:
    assert reason(WebhookChannel("hook", url), payload) == "forbidden_address"


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://0.0.0.0/", "http://224.0.0.1/"])
def test_metadata_services_are_never_asked(url: str, payload: dict[str, Any]) -> None:
    assert reason(WebhookChannel("hook", url, allow_private=True), payload) == "forbidden_address"


def test_plain_http_to_a_public_address_is_refused_even_when_private_ones_are_allowed(payload: dict[str, Any]) -> None:
    assert reason(WebhookChannel("hook", "http://8.8.8.8/", allow_private=True), payload) == "forbidden_address"


def test_an_untrusted_certificate_is_refused(tls_receiver: Any, payload: dict[str, Any]) -> None:
    assert reason(WebhookChannel("hook", tls_receiver.url, allow_private=True), payload) == "tls"
    assert tls_receiver.got == []


@pytest.mark.parametrize("spoil", ["missing", "empty", "open"])
def test_a_secret_that_cannot_be_used_stops_the_message(
    receiver: Any, payload: dict[str, Any], secret: Path, spoil: str
) -> None:
    if spoil == "missing":
        secret.unlink()
    elif spoil == "empty":
        secret.write_bytes(b"\n")
    else:
        secret.chmod(0o644)
    assert reason(WebhookChannel("hook", receiver.url, secret_file=secret, allow_private=True), payload) == "secret"
    assert receiver.got == []


def test_a_new_secret_is_used_without_a_restart(
    receiver: Any, channel: WebhookChannel, payload: dict[str, Any], secret: Path
) -> None:
    channel.send(payload)
    secret.write_bytes(b"another")
    channel.send(payload)
    one, two = (headers["x-hiswatch-signature"] for _, headers, _ in receiver.got)
    assert one != two


@pytest.mark.parametrize(("host", "expected"), [("localhost", None), ("127.0.0.1", "tls")])
def test_tls_is_verified_against_the_name_not_the_address(
    tls_receiver: Any, certificate: Any, payload: dict[str, Any], host: str, expected: str | None
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate.file))
    channel = WebhookChannel("hook", tls_receiver.url.replace("127.0.0.1", host), allow_private=True, tls=trusted)
    if expected is None:
        channel.send(payload)
        channel.close()
        assert len(tls_receiver.got) == 1
    else:
        assert reason(channel, payload) == expected

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import config.settings
from monitor.errors import StartError
from monitor.health import Health
from monitor.telemetry import FindingRaised, Telemetry
from monitor.web import Tls, Web, host_name, is_loopback


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed one for `localhost`, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock=clock)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def web(telemetry: Telemetry, health: Health) -> Iterator[Web]:
    served = Web(telemetry, health, port=0, allowed_hosts=["hiswatch.hospital.cn"])
    served.start()
    yield served
    served.stop()


def get(web: Web, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.get(f"http://127.0.0.1:{web.port}{path}", headers=headers)


def test_metrics_are_served_in_prometheus_form(web: Web, telemetry: Telemetry) -> None:
    telemetry.emit(FindingRaised("EXF-06", "critical"))
    answer = get(web, "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'hiswatch_findings_total{rule="EXF-06",severity="critical"} 1.0' in answer.text


def test_health_is_ok_degraded_or_red(web: Web, health: Health, clock: Clock) -> None:
    assert get(web, "/healthz").json() == {"status": "ok"}
    health.set("source_silent")
    answer = get(web, "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "reasons": ["source_silent"]})
    health.set("disk_full", red=True)
    answer = get(web, "/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "red", "reasons": ["disk_full", "source_silent"]})
    health.clear("disk_full")
    health.clear("source_silent")
    clock.now = 61.0
    assert get(web, "/healthz").json() == {"status": "red", "reasons": ["stalled"]}
    health.beat()
    assert get(web, "/healthz").status_code == 200


def test_a_source_that_is_learning_is_told_and_is_no_trouble(web: Web, health: Health) -> None:
    health.learning("behaviour", {"his": 6, "pacs": 0})
    health.learning("silence", {"his": 13})
    answer = get(web, "/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "learning": {"behaviour": {"his": 6}, "silence": {"his": 13}}}
    health.learning("behaviour", {"his": 0})
    health.learning("silence", {})
    assert get(web, "/healthz").json() == {"status": "ok"}


def test_an_unknown_reason_is_a_mistake_of_the_programmer(health: Health) -> None:
    with pytest.raises(KeyError):
        health.set("so_so")


def test_answers_are_not_stored_and_say_nothing_of_the_server(web: Web) -> None:
    for path in ("/metrics", "/healthz", "/nothing"):
        answer = get(web, path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8642", 200),
        ("HISWATCH.hospital.cn", 200),
        ("[::1]:8642", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:80:evil", 421),
        ("", 421),
    ],
)
def test_only_listed_hosts_are_answered(web: Web, host: str, status: int) -> None:
    assert get(web, "/healthz", Host=host).status_code == status


def test_two_host_headers_are_refused(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=5) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.split(b"\r\n", 1)[0].split(b" ")[1] in {b"400", b"421"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed_over_http(web: Web, method: str) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.request(method, f"http://127.0.0.1:{web.port}/healthz").status_code == 405


def test_a_taken_port_is_a_clear_fault_before_anything_starts(telemetry: Telemetry, health: Health) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=rf"web: 127\.0\.0\.1:{port}: the port is taken"):
            Web(telemetry, health, port=port)


def test_an_address_of_another_machine_is_a_clear_fault(
    telemetry: Telemetry, health: Health, certificate: tuple[Path, Path]
) -> None:
    with pytest.raises(StartError, match="not an address of this machine"):
        Web(telemetry, health, host="192.0.2.1", port=0, tls=Tls(*certificate), token=b"s3cret")


def test_a_stopped_server_frees_its_port(telemetry: Telemetry, health: Health) -> None:
    first = Web(telemetry, health, port=0)
    first.start()
    assert get(first, "/healthz").status_code == 200
    first.stop()
    first.stop()
    second = Web(telemetry, health, port=first.port)
    second.start()
    assert get(second, "/healthz").status_code == 200
    second.stop()


def test_a_server_that_never_started_can_be_stopped(telemetry: Telemetry, health: Health) -> None:
    Web(telemetry, health, port=0).stop()


def test_host_names_are_read_strictly() -> None:
    assert host_name("LocalHost:8642") == "localhost"
    assert host_name("[::1]:80") == "::1"
    assert host_name("a:b") == ""
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("hiswatch.hospital.cn")


def test_another_address_than_loopback_needs_tls_and_a_token(telemetry: Telemetry, health: Health) -> None:
    with pytest.raises(StartError, match="needs a certificate, its key and a token"):
        Web(telemetry, health, host="0.0.0.0", port=0)


def test_metrics_want_the_token_and_health_does_not(telemetry: Telemetry, health: Health, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    token.chmod(0o600)
    settings = config.settings.Web.model_validate(
        {"listen": "127.0.0.1:0", "token_file": str(token)}, context={"base": tmp_path}
    )
    web = Web.of(settings, telemetry, health)
    web.start()
    try:
        assert get(web, "/metrics").status_code == 401
        assert get(web, "/metrics", Authorization="Bearer wrong").status_code == 401
        assert get(web, "/metrics", Authorization="Bearer s3cret").status_code == 200
        assert get(web, "/healthz").status_code == 200
    finally:
        web.stop()


def test_a_token_open_to_others_is_refused_without_showing_it(
    telemetry: Telemetry, health: Health, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    token.chmod(0o644)
    settings = config.settings.Web.model_validate(
        {"listen": "127.0.0.1:0", "token_file": str(token)}, context={"base": tmp_path}
    )
    with pytest.raises(StartError, match=r"web\.token_file") as caught:
        Web.of(settings, telemetry, health)
    assert "s3cret" not in str(caught.value)


def test_with_tls_the_pages_are_served_on_every_address(
    telemetry: Telemetry, health: Health, certificate: tuple[Path, Path]
) -> None:
    web = Web(telemetry, health, host="0.0.0.0", port=0, tls=Tls(*certificate), token=b"s3cret")
    web.start()
    try:
        trusted = ssl.create_default_context(cafile=str(certificate[0]))
        with httpx.Client(trust_env=False, verify=trusted) as client:
            assert (
                client.get(
                    f"https://localhost:{web.port}/healthz", headers={"Host": "hiswatch.hospital.cn"}
                ).status_code
                == 200
            )
            assert client.get(f"https://localhost:{web.port}/metrics").status_code == 401
    finally:
        web.stop()


def test_a_damaged_certificate_is_a_clear_fault(
    telemetry: Telemetry, health: Health, certificate: tuple[Path, Path]
) -> None:
    with pytest.raises(StartError, match="not a certificate"):
        Web(telemetry, health, port=0, tls=Tls(certificate[1], certificate[1]))

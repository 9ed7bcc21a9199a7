"""Real servers on loopback, and a message to send them."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.alerts.message import compose, entry

AT = datetime(2026, 11, 22, 18, 0, 1, tzinfo=UTC)


@pytest.fixture
def payload() -> dict[str, Any]:
    finding = {
        "id": "a" * 24, "revision": 2, "rule": "EXF-06", "family": "EXF", "title_zh": "导出工具读取整库", "title_en": "Dump", "severity": "critical",
        "likelihood": 5, "impact": 5, "risk": 25, "site": "demo", "system": "his", "account": "vendor_wx_zhang", "person": "zhang", "vendor": "wx",
        "client_ip": "192.168.66.13", "source": "pg", "first_seen": AT, "last_seen": AT, "events": 34, "rows": 120_000, "rows_kind": "known", "bytes": None,
        "classes": ["identity"], "objects": ["patients"], "why_zh": "理由", "why_en": "why", "staged": False,
    }  # fmt: skip
    zone = ZoneInfo("Asia/Shanghai")
    return compose(
        finding, "story1", [entry(finding, "zh", zone)], 1, language="zh", zone=zone, texts={}, names={}, send_after=AT
    )


@dataclass
class HttpReceiver:
    """Answers every request with `status`, `headers` and `body`, and keeps what it got."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


def serve(receiver: HttpReceiver, tls: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            receiver.got.append(
                (self.path, {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length))
            )
            receiver.arrived.release()
            if receiver.answer is not None:
                receiver.answer(self)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/hook?x=1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    server = serve(made)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def tls_receiver(certificate: Certificate) -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    server = serve(made, context)
    yield made
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Certificate:
    file: Path
    key: Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed one for `localhost`; nobody trusts it unless told to."""
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
    return Certificate(folder / "cert.pem", folder / "key.pem")


@dataclass
class MailServer:
    """Speaks enough SMTP to take a mail: EHLO, STARTTLS, AUTH PLAIN/LOGIN, MAIL, RCPT, DATA, QUIT."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    refuse: dict[str, str] = field(default_factory=dict)  # recipient -> answer
    password: str | None = None
    greeting: str = "220 mail.hospital.example ESMTP"
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)


def serve_mail(mail: MailServer) -> socketserver.ThreadingTCPServer:
    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def finish(self) -> None:
            super().finish()
            self.request.close()  # the server itself closes only the socket from before STARTTLS

        def handle(self) -> None:
            sender, recipients, secure = "", list[str](), False
            self.say(mail.greeting)
            while line := self.rfile.readline().decode("utf-8", "replace").rstrip("\r\n"):
                word = line.partition(" ")[0].upper()
                if word == "EHLO":
                    offers = ["250-mail.hospital.example"]
                    offers += ["250-STARTTLS"] if mail.tls and not secure else []
                    offers += ["250-AUTH PLAIN"] if mail.password else []
                    self.wfile.write(b"".join(offer.encode() + b"\r\n" for offer in [*offers, "250 SIZE 1000000"]))
                elif word == "STARTTLS" and mail.tls:
                    self.say("220 go ahead")
                    try:
                        self.request = mail.tls.wrap_socket(
                            self.request, server_side=True, do_handshake_on_connect=False
                        )
                        self.request.do_handshake()
                    except OSError:
                        return
                    self.setup()
                    secure = True
                elif word == "AUTH":
                    given = base64.b64decode(line.split(" ")[2]).split(b"\0")[2].decode()
                    self.say("235 ok" if given == mail.password else "535 no")
                elif word == "MAIL":
                    sender = line
                    self.say("250 ok")
                elif word == "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    answer = mail.refuse.get(address, "250 ok")
                    if answer.startswith("250"):
                        recipients.append(address)
                    self.say(answer)
                elif word == "DATA":
                    self.say("354 go on")
                    data = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        data += part[1:] if part.startswith(b"..") else part
                    mail.mails.append((sender, list(recipients), data))
                    mail.secured.append(secure)
                    self.say("250 taken")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    mail.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    mail = MailServer()
    server = serve_mail(mail)
    yield mail
    server.shutdown()
    server.server_close()

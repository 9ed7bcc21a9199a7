from __future__ import annotations

import socket
import ssl
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from receiving import listener, receiving, total

from monitor.sources.connections import CannotListen, open_endpoint
from monitor.sources.listener import Plan
from monitor.sources.routing import Wanted
from monitor.sources.spool import MESSAGE_CAP, Spool

GBK = "<86>Nov 18 09:00:00 ftp01 vsftpd[7]: 病历".encode("gbk")
ONE, TWO = b"<86>Nov 18 09:00:00 ftp01 sshd[12]: one", b"<86>1 2026-11-18T09:00:00Z ftp01 sshd 12 - - two"


def counted(*messages: bytes) -> bytes:
    return b"".join(b"%d %b" % (len(message), message) for message in messages)


def test_a_datagram_is_a_message_and_keeps_its_bytes(tmp_path):
    with receiving(tmp_path) as it:
        it.udp(ONE, GBK, TWO + b"\n", b"a\nb\0c", b"\n", b"")
        told = it.end()
        assert it.messages() == [ONE, GBK, TWO, b"a#012b#000c"]
        assert told.received["main", "files"] == 4
        assert not told.dropped


@pytest.mark.parametrize(
    "data",
    [
        counted(ONE, GBK, TWO),
        b"\n".join((ONE, GBK, TWO, b"")),
        ONE + b"\n" + counted(GBK) + TWO + b"\n",
        counted(ONE) + b"\n" + counted(GBK) + b"\n" + counted(TWO),
        b"\n".join((ONE, GBK, TWO)),  # a last message that its sender never ended
    ],
    ids=["counted", "lines", "mixed", "counted with line breaks", "no end"],
)
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_both_framings_in_pieces_of_any_size(tmp_path, data, step):
    with receiving(tmp_path, protocol="tcp") as it:
        with it.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(data), step):
                sock.sendall(data[at : at + step])
        it.end()
        assert it.messages() == [ONE, GBK, TWO]


def test_a_hundred_megabytes_without_a_line_break_are_one_cut_message(tmp_path):
    with receiving(tmp_path, protocol="tcp") as it:
        with it.connect() as sock:
            block = b"x" * (1 << 20)
            for _ in range(100):
                sock.sendall(block)
            sock.sendall(b"\n" + ONE + b"\n")
        it.until(lambda told: total(told.ended, "closed") == 1)
        told = it.end()
        assert it.messages() == [b"x" * MESSAGE_CAP, ONE]
        assert told.truncated["main"] == 1


def test_what_is_cut_tears_no_character(tmp_path):
    text = b"<86>" + "病".encode() * 40_000
    with receiving(tmp_path, protocol="tcp") as it:
        it.tcp(counted(text, ONE))
        it.end()
        cut, rest = it.messages()
        assert cut.decode().endswith("病")
        assert len(cut) > MESSAGE_CAP - 3
        assert rest == ONE


def test_a_connection_that_dies_in_the_middle_of_a_message_leaves_what_came(tmp_path):
    with receiving(tmp_path, protocol="tcp") as it:
        it.tcp(ONE + b"\n" + TWO[:20])
        sock = it.connect()
        sock.sendall(b"500 " + TWO)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1))
        sock.close()
        told = it.end()
        assert sorted(it.messages()) == sorted([ONE, TWO[:20], TWO])
        assert told.truncated["main"] == 2


def test_messages_go_to_the_first_source_whose_filters_fit(tmp_path):
    wanted = (
        Wanted("postgres", programs=("postgres",)),
        Wanted("mail", programs=("postfix/*",)),
        Wanted("host", hosts=("ftp01",)),
        Wanted("net", hosts=("10.9.0.0/16",)),
    )
    with receiving(tmp_path, *wanted) as it:
        it.udp(
            b"<86>Nov 18 09:00:00 ftp01 postgres[1]: a",
            b"<86>Nov 18 09:00:00 postfix/smtpd[1]: b",
            b"<86>1 2026-11-18T09:00:00Z FTP01.lan x - - - c",
            b"<86>1 - 10.9.3.4 x - - - d",
            b"<86>Nov 18 2026 09:00:00 other x: e",
            b"garbage",
        )
        told = it.end()
        tails = {name: [line[-1:] for line in it.messages(name)] for name in it.spools}
        assert tails == {"postgres": [b"a"], "mail": [b"b"], "host": [b"c"], "net": [b"d"]}
        assert told.dropped["main", "unrouted"] == 2


def test_only_allowed_networks_are_heard(tmp_path):
    with receiving(tmp_path, allow=("10.20.0.0/16",)) as it:
        it.udp(ONE, TWO)
        told = it.end()
        assert it.messages() == []
        assert told.dropped["main", "forbidden"] == 2
    with receiving(tmp_path, protocol="tcp", allow=("10.20.0.0/16",)) as it:
        with it.connect() as sock:
            assert sock.recv(1) == b""
        told = it.end()
        assert told.ended["main", "forbidden"] == 1
    with receiving(tmp_path, allow=("127.0.0.1",)) as it:
        it.udp(ONE)
        it.end()
        assert it.messages() == [ONE]


def test_connections_are_limited_and_the_others_live_on(tmp_path):
    with receiving(tmp_path, protocol="tcp", max_connections=2) as it:
        first, second = it.connect(), it.connect()
        with it.connect() as third:
            assert third.recv(1) == b""
        first.sendall(ONE + b"\n")
        second.sendall(TWO + b"\n")
        told = it.end()
        assert sorted(it.messages()) == [TWO, ONE]
        assert told.ended["main", "too_many"] == 1


def test_half_a_message_does_not_hold_a_connection(tmp_path):
    with receiving(tmp_path, protocol="tcp", stall_seconds=1) as it:
        quiet, slow = it.connect(), it.connect()
        quiet.sendall(ONE + b"\n")
        slow.sendall(TWO[:9])
        told = it.until(lambda told: total(told.ended, "stalled") == 1)
        assert slow.recv(1) == b""
        quiet.sendall(TWO + b"\n")
        told = it.end()
        assert sorted(it.messages()) == sorted([ONE, TWO[:9], TWO])
        assert told.ended["main", "shutdown"] == 1


def test_a_full_spool_holds_up_tcp_and_drops_datagrams(tmp_path):
    both = {"t": listener("tcp"), "u": listener("udp")}
    message = b"<86>Nov 18 09:00:00 ftp01 sshd[12]: %0900d"
    with receiving(tmp_path, listeners=both, limit=64_000) as it:
        sock = it.connect("t")
        sock.sendall(b"".join(message % number + b"\n" for number in range(100)))
        it.until(lambda told: told.waiting == 1)
        it.udp(*(message % number for number in range(1000, 1010)), listener="u")
        told = it.until(lambda told: told.dropped["u", "spool_full"] == 10)
        before = it.lines()
        assert len(before) < 100
        assert it.spools["files"].used <= 64_000
        while told.received["t", "files"] < 100:  # the reader comes, file by file
            read = [it.spools["files"].release(str(file)) for file in it.spools["files"].folder.glob("*.log")]
            assert any(read) or told.received["t", "files"] >= 100
            it.until(
                lambda told, have=told.received["t", "files"]: told.received["t", "files"] > have or not told.waiting
            )
        it.end()
        assert it.messages()[-1] == message % 99


def test_a_burst_of_datagrams_is_counted_to_the_last_one(tmp_path):
    with receiving(tmp_path) as it:
        it.udp(*(b"<86>Nov 18 09:00:00 ftp01 sshd[12]: %d" % number for number in range(20_000)))
        told = it.end()
        assert told.received["main", "files"] + told.dropped["main", "kernel"] == 20_000
        numbers = [int(line.rpartition(b" ")[2]) for line in it.messages()]
        assert numbers == sorted(set(numbers))


def test_loss_in_the_kernel_is_counted(tmp_path):
    endpoint = open_endpoint("main", listener())
    try:
        endpoint.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(500):
                sock.sendto(ONE, endpoint.sock.getsockname())
        taken = 0
        while True:
            try:
                endpoint.sock.recv(4096)
            except BlockingIOError:
                break
            taken += 1
        assert 0 < taken < 500
        assert endpoint.new_drops() == 500 - taken
        assert endpoint.new_drops() == 0
    finally:
        endpoint.sock.close()


def test_a_reload_keeps_a_port_whose_settings_stay(tmp_path):
    stays, changes, comes = listener("tcp"), listener("tcp"), listener("udp")
    with receiving(tmp_path, listeners={"stays": stays, "changes": changes}) as it:
        held, lost = it.connect("stays"), it.connect("changes")
        held.sendall(b"<86>x one: a\n")
        lost.sendall(b"<86>x one: b\n")
        changed = changes.model_copy(update={"max_connections": 3})
        more = Spool(tmp_path / "more", 1 << 20)
        it.spools["more"] = more
        listeners = {"stays": stays, "changes": changed, "comes": comes}
        routes = {"stays": (Wanted("more"),), "changes": (Wanted("files"),), "comes": (Wanted("files"),)}
        it.receiver.apply(Plan(listeners, routes, it.spools))
        held.sendall(b"<86>x one: c\n")
        assert lost.recv(1) == b""
        it.tcp(b"<86>x one: d\n", "changes")
        it.udp(b"<86>x one: e", listener="comes")
        it.end()
        assert sorted(line[-1:] for line in it.messages()) + [b"|"] + [line[-1:] for line in it.messages("more")] in (
            [[b"a", b"b", b"d", b"e", b"|", b"c"], [b"b", b"d", b"e", b"|", b"a", b"c"]]
        )


def test_a_port_that_is_taken_says_so_and_is_tried_again(tmp_path):
    settings = listener("tcp")
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.port))
        other.listen()
        with pytest.raises(CannotListen, match="taken by another program"):
            open_endpoint("main", settings)
        with receiving(tmp_path) as it:
            it.receiver.apply(Plan({"main": settings}, {"main": (Wanted("files"),)}, it.spools))
            it.until(lambda told: told.failed == {"main": "port"})
            other.close()
            it.until(lambda told: not told.failed)
            it.tcp(ONE + b"\n")
            it.end()
            assert it.messages() == [ONE]


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    for name in ("server", "client", "stranger"):
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    return folder


def tls(pair: Path, **more: object):
    return listener("tls", certificate=pair / "server.pem", key_file=pair / "server.key", **more)


def wrapped(it, pair: Path, client: str = "", version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(pair / "server.pem"))
    if client:
        context.load_cert_chain(pair / f"{client}.pem", pair / f"{client}.key")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    made = context.wrap_socket(it.connect(), server_hostname="localhost")
    it.sockets.append(made)
    return made


def test_syslog_over_tls(tmp_path, pair):
    big = b"<86>Nov 18 09:00:00 ftp01 sshd[12]: " + b"y" * 60_000
    with receiving(tmp_path, listeners={"main": tls(pair)}) as it:
        with wrapped(it, pair) as sock:
            sock.sendall(counted(ONE, *([big] * 20), TWO))
            sock.unwrap()
        it.end()
        assert it.messages() == [ONE, *([big] * 20), TWO]


def test_a_client_needs_a_certificate_where_one_is_asked_for(tmp_path, pair):
    with receiving(tmp_path, listeners={"main": tls(pair, client_ca=pair / "client.pem")}) as it:
        with wrapped(it, pair, "client") as sock:
            sock.sendall(counted(ONE))
            sock.unwrap()
        for name in ("stranger", ""):
            with (
                suppress(ssl.SSLError, ConnectionError),
                wrapped(it, pair, name) as sock,
            ):  # TLS 1.3 tells the client late
                sock.sendall(counted(TWO))
                assert sock.recv(1) == b""
        told = it.end()
        assert it.messages() == [ONE]
        assert told.ended["main", "handshake"] == 2


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_garbage_and_old_versions_do_not_stop_the_thread(tmp_path, pair):
    with receiving(tmp_path, listeners={"main": tls(pair, stall_seconds=1)}) as it:
        it.tcp(b"\x16\x03\x01" + b"\xff" * 300)
        it.tcp(ONE + b"\n")
        silent = it.connect()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            wrapped(it, pair, version=ssl.TLSVersion.TLSv1_1)
        told = it.until(lambda told: total(told.ended, "handshake") == 4)
        assert silent.recv(1) == b""
        with wrapped(it, pair) as sock:
            sock.sendall(counted(TWO))
            sock.unwrap()
        told = it.end()
        assert it.messages() == [TWO]
        assert not told.faults

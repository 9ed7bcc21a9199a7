"""Listeners in hospital.yaml: faults and warnings with the place they are written at."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load_site

HEAD = "site: {id: h}\nsources:\n"
SOURCE = "  files: {system: ftp01, listener: main, format: openssh_sftp}\n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
        "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    (folder / "key.pem").chmod(0o600)
    return folder


def load(folder: Path, text: str):
    file = folder / "hospital.yaml"
    file.write_text(text)
    return load_site(file)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(folder, text)
    return [str(one).rpartition("hospital.yaml:")[2] for one in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  a: {system: s, format: x}\n", "3:3: sources.a: needs path (a file) or listener"),
        ("  a: {system: s, format: x, path: /x, listener: main}\nlisteners: {main: {protocol: udp, listen: '127.0.0.1:5514'}}\n", "has a path or a listener, not both"),
        ("  a: {system: s, format: x, listener: mian}\nlisteners: {main: {protocol: udp, listen: '127.0.0.1:5514'}}\n", "sources.a.listener: unknown listener; did you mean 'main'?"),
        ("  a: {system: s, format: x, path: /x, hosts: 10.0.0.0/8}\n", "sources.a.hosts: works with listener only"),
        ("  a: {system: s, format: x, listener: main, hosts: [10.20.0.1/16]}\nlisteners: {main: {protocol: udp, listen: '127.0.0.1:5514'}}\n", "sources.a.hosts: expected a network such as 10.20.0.0/16: 10.20.0.1/16 has host bits set"),
        ("  a: {system: s, format: x, path: /x, programs: [sshd]}\n", "sources.a.programs: works with listener only"),
        (SOURCE + "listeners: {main: {protocol: udp, listen: '127.0.0.1:0'}}\n", "listeners.main.listen: expected a port from 1 to 65535"),
        (SOURCE + "listeners: {main: {protocol: udp, listen: '127.0.0.1:5514'}, other: {protocol: udp, listen: '0.0.0.0:5514'}}\n", "listeners.other.listen: the port is already used by listener 'main'"),
        (SOURCE + "listeners: {main: {protocol: tcp, listen: '127.0.0.1:8642'}}\n", "listeners.main.listen: the port is already used by web.listen"),
        (SOURCE + "listeners: {main: {protocol: tls, listen: '127.0.0.1:6514'}}\n", "listeners.main: protocol tls needs certificate"),
        (SOURCE + "listeners: {main: {protocol: tcp, listen: '127.0.0.1:6514', certificate: c.pem}}\n", "listeners.main.certificate: works with protocol tls only"),
        (SOURCE + "listeners: {main: {protocol: tls, listen: '127.0.0.1:6514', certificate: no.pem, key_file: no.key}}\n", "listeners.main.certificate: file not found"),
        (SOURCE + "listeners: {main: {protocol: udp, listen: '127.0.0.1:5514', allow: [10.0.0.1/8]}}\n", "host bits are set"),
        (SOURCE + "listeners: {main: {protocol: smoke, listen: '127.0.0.1:5514'}}\n", "listeners.main.protocol"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(tmp_path, text, said):
    assert any(said in one for one in faults(tmp_path, HEAD + text))


def test_udp_and_tcp_may_share_a_port(tmp_path):
    text = (
        "listeners: {main: {protocol: udp, listen: '127.0.0.1:5514'}, t: {protocol: tcp, listen: '127.0.0.1:5514'}}\n"
    )
    site = load(tmp_path, HEAD + SOURCE.replace("main", "[main, t]") + text)
    assert site.settings.sources["files"].listener == ("main", "t")
    assert not site.warnings


def tls(pair: Path, key: Path) -> str:
    return (
        HEAD
        + SOURCE
        + f"listeners: {{main: {{protocol: tls, listen: '127.0.0.1:6514', certificate: {pair / 'cert.pem'}, key_file: {key}}}}}\n"
    )


def test_a_key_that_others_can_read_is_refused(tmp_path, pair):
    key = tmp_path / "key.pem"
    key.write_bytes((pair / "key.pem").read_bytes())
    key.chmod(0o644)
    assert any(
        "listeners.main.key_file: secret file is open to other users" in one for one in faults(tmp_path, tls(pair, key))
    )
    key.chmod(0o600)
    assert load(tmp_path, tls(pair, key)).settings.listeners["main"].protocol == "tls"


def test_a_key_of_another_certificate_is_refused(tmp_path, pair):
    key = tmp_path / "other.pem"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", key]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)
    assert any("do not work together: KEY_VALUES_MISMATCH" in one for one in faults(tmp_path, tls(pair, key)))


@pytest.mark.parametrize(
    ("source", "listener", "said"),
    [
        (SOURCE, "listen: '0.0.0.0:5514'", "receives on all addresses from everybody"),
        (SOURCE, "listen: '[::]:5514'", "receives on all addresses from everybody"),
        (SOURCE.replace("format", "programs: sshd, format"), "listen: '127.0.0.1:5514'", "every source has filters"),
        (SOURCE.replace("listener: main", "path: /x"), "listen: '127.0.0.1:5514'", "no source takes what comes here"),
    ],
)
def test_what_may_not_be_meant_is_a_warning(tmp_path, source, listener, said):
    site = load(tmp_path, HEAD + source + f"listeners: {{main: {{protocol: udp, {listener}}}}}\n")
    assert any(said in str(one) for one in site.warnings)
    allowed = load(
        tmp_path, HEAD + SOURCE + f"listeners: {{main: {{protocol: udp, {listener}, allow: [10.0.0.0/8]}}}}\n"
    )
    assert not allowed.warnings

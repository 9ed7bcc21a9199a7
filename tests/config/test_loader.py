"""Every way a configuration file can be wrong, with the place that is told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError, Problem
from config.loader import load_settings, load_site, read_secret, read_yaml, read_yaml_all
from config.values import Model

MINIMAL = """\
site: {id: h1}
sources:
  ehr_audit:
    system: his
    path: logs/*.csv
    format: postgresql_csvlog
"""
FORMATS: dict[str, type[Model] | None] = dict.fromkeys(["postgresql_csvlog", "postgresql_jsonlog", "vsftpd_native"])


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "hospital.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return write


def faults(file: Path, **options) -> list[str]:
    """Problems as told, the folder cut off."""
    with pytest.raises(ConfigError) as caught:
        load_site(file, formats=FORMATS, **options)
    text = str(caught.value)
    assert len(text.split("\n")) == len(caught.value.problems)
    return [line.replace(f"{file.parent}{os.sep}", "") for line in text.split("\n")]


def test_the_minimal_configuration_loads(write):
    settings = load_settings(write(MINIMAL), FORMATS)
    assert settings.site.id == "h1"
    assert settings.sources["ehr_audit"].format == "postgresql_csvlog"
    assert settings.timezone == "Asia/Shanghai"


# --- the file itself --------------------------------------------------------------------------------------------------

BROKEN_FILES = [  # name, content, place and message
    ("empty", b"", ": is empty"),
    ("only a comment", b"# nothing yet\n", ": is empty"),
    ("a list", b"- a\n- b\n", ":1:1: expected keys and values, got a list"),
    ("plain text", b"hello\n", ":1:1: expected keys and values, got text"),
    ("not UTF-8", "site: {id: h1}\nname: 中心\n".encode("gbk"), ":2:7: not UTF-8 text; save the file as UTF-8"),
    ("UTF-16", "site: 1\n".encode("utf-16"), ":1:1: not UTF-8 text; save the file as UTF-8"),
    ("a NUL byte", b"site: h\x00\n", ":1:8: a control character; not text"),
    ("a tab as indentation", b"site:\n\tid: h1\n", ":2:1: a tab; YAML is indented with spaces"),
    ("a bracket left open", b"site: {id: h1\n", ":2:1: not YAML:"),
    ("wrong indentation", b"site: 1\n id: 2\n", ":2:4: not YAML:"),
    ("an unknown alias", b"site: *h\n", ":1:7: not YAML: found undefined alias"),
    ("a Python tag", b"site:\n  id: !!python/object:os.system {}\n", ":2:7: site.id: a tag is not allowed here"),
    ("a duplicate key", b"site: {id: a}\nlanguage: zh\nsite: {id: b}\n", ":3:1: site: duplicate key; first written on line 1"),
    ("a list as a key", b"site: {id: a}\n? [a, b]\n: 1\n", ":2:3: a key must be plain text"),
    ("two documents", b"site: {id: a}\n---\nsite: {id: b}\n", ":3:1: a second document in the file; expected one"),
    ("YAML 1.1 asked for", b"%YAML 1.1\n---\nsite: 1\n", ":1:1: files are YAML 1.2; remove the %YAML line"),
    ("nesting without end", b"a: " + b"[" * 5000, ":1:1: nested too deeply"),
    ("nesting of sixty", b"[" * 60 + b"]" * 60, "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told"), [case[1:] for case in BROKEN_FILES], ids=[case[0] for case in BROKEN_FILES]
)
def test_a_broken_file_is_told_with_its_place(write, content, told):
    file = write(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert f"{file}{told}" in str(caught.value) or told in str(caught.value).removeprefix(str(file))


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "no.yaml")
    assert caught.value.problems == [Problem(str(tmp_path / "no.yaml"), 0, 0, "", "file not found")]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="is a directory, not a file"):
        load_settings(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(write):
    file = write(MINIMAL)
    file.chmod(0)
    with pytest.raises(ConfigError, match="not readable: permission denied"):
        load_settings(file)


def test_a_file_beyond_the_size_limit(write):
    with pytest.raises(ConfigError, match="larger than 8 MiB"):
        load_settings(write(b"# " + b"x" * (8 * 1024 * 1024)))


def test_nested_aliases_do_not_fill_the_memory(write):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)]
    with pytest.raises(ConfigError, match="too many values"):
        read_yaml(write("\n".join(lines)))


def test_an_alias_used_twice_is_fine(write):
    document = read_yaml(write("a: &a [1, 2]\nb: *a\n"))
    assert document.data == {"a": [1, 2], "b": [1, 2]}


def test_words_and_times_stay_text(write):
    document = read_yaml(
        write("a: NO\nb: 12:30\nc: on\nd: 2026-11-18\ne: 007\nf: true\ng: ~\nh: 1.5\ni: 0x1F\nj: -3\n")
    )
    assert document.data == {
        "a": "NO", "b": "12:30", "c": "on", "d": "2026-11-18", "e": "007", "f": True, "g": None, "h": 1.5, "i": 31, "j": -3,
    }  # fmt: skip


def test_several_documents_are_read_where_they_are_allowed(write):
    documents = read_yaml_all(write("a: 1\n---\nb: 2\n"))
    assert [document.data for document in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].place(("b",)) == (3, 1)


@given(text=st.text(alphabet=st.sampled_from("ab:- [{}]&*!|>'\"\n\t#%@,?0."), max_size=60))
def test_any_text_is_a_document_or_a_config_error(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("any") / "any.yaml"
    file.write_text(text, encoding="utf-8")
    with contextlib.suppress(ConfigError):
        assert read_yaml_all(file)


# --- keys and values --------------------------------------------------------------------------------------------------

WRONG_KEYS = [  # name, line added below `sources.ehr_audit` (or at the top), what is told
    ("a misspelt key", "    formt: x", "hospital.yaml:7:5: sources.ehr_audit.formt: unknown key; did you mean 'format'?"),
    ("an unknown key", "    zzz: x", "hospital.yaml:7:5: sources.ehr_audit.zzz: unknown key; known: system, path, listener, hosts, programs, format, options, timezone, dialect, encoding, staged, learning_days, start_at, expected_silence_minutes"),
    ("a number below its bound", "    expected_silence_minutes: 0", "hospital.yaml:7:5: sources.ehr_audit.expected_silence_minutes: expected a number greater than 0"),
    ("text for a number", "    expected_silence_minutes: ten", "hospital.yaml:7:5: sources.ehr_audit.expected_silence_minutes: expected a whole number, got text"),
    ("a quoted number", "    expected_silence_minutes: '10'", "hospital.yaml:7:5: sources.ehr_audit.expected_silence_minutes: expected a whole number, got text"),
    ("a word for a truth value", "    staged: yes", "hospital.yaml:7:5: sources.ehr_audit.staged: expected true or false, got text"),
    ("a list for text", "    timezone: [UTC]", "hospital.yaml:7:5: sources.ehr_audit.timezone: expected text, got a list"),
    ("an unknown zone", "    timezone: Asia/Shangai", "hospital.yaml:7:5: sources.ehr_audit.timezone: unknown time zone; expected a name such as Asia/Shanghai or UTC"),
    ("a choice misspelt", "    dialect: postgre", "hospital.yaml:7:5: sources.ehr_audit.dialect: expected one of postgres, mysql, oracle, tsql; did you mean 'postgres'?"),
    ("an unknown encoding", "    encoding: [utf-8, gbkk]", "hospital.yaml:7:23: sources.ehr_audit.encoding[1]: unknown encoding; expected a name such as utf-8 or gb18030"),
    ("an empty list", "    encoding: []", "hospital.yaml:7:5: sources.ehr_audit.encoding: must not be empty"),
    ("a key at the top", "langage: zh", "hospital.yaml:7:1: langage: unknown key; did you mean 'language'?"),
    ("a wrong language", "language: fr", "hospital.yaml:7:1: language: expected one of zh, en"),
    ("host bits in a network", "networks: {inside: [10.0.0.1/8]}", "hospital.yaml:7:21: networks.inside[0]: host bits are set; did you mean 10.0.0.0/8?"),
    ("no network", "networks: {inside: [intranet]}", "hospital.yaml:7:21: networks.inside[0]: expected an address or a network such as 10.20.0.0/16"),
    ("a wrong time of day", "office_hours: {start: 8am}", "hospital.yaml:7:16: office_hours.start: expected a time of day such as 08:00 (24:00 is midnight at the end)"),
    ("hours backwards", "office_hours: {start: 18:00, end: 08:00}", "hospital.yaml:7:30: office_hours.end: must be later than start"),
    ("a number for a file", "register: 5", "hospital.yaml:7:1: register: expected text, got a number; put it in quotes"),
    ("fewer days than the law asks", "store: {retention_days: 90}", "hospital.yaml:7:9: store.retention_days: logs are kept at least 180 days by law; fewer need retention_reason"),
    ("a public address without TLS", "web: {listen: '0.0.0.0:8642'}", "hospital.yaml:7:7: web.listen: an address other than loopback needs tls_certificate, tls_key_file and token_file"),
    ("a host without a port", "web: {listen: localhost}", "hospital.yaml:7:7: web.listen: expected host:port such as 127.0.0.1:8642"),
    ("a port out of range", "web: {listen: '127.0.0.1:99999'}", "hospital.yaml:7:7: web.listen: expected a port from 1 to 65535"),
    ("a rule that is none", "detection: {disabled: [exf06]}", "hospital.yaml:7:24: detection.disabled[0]: expected a rule or family such as EXF-06 or VND"),
    ("an unknown pack", "catalogue: {packs: [generik]}", "; did you mean 'generic'?"),
    ("a catalogue file that is missing", "catalogue: {files: [own.yaml]}", "hospital.yaml:7:21: catalogue.files[0]: own.yaml: file not found"),
    ("a rule folder that is missing", "detection: {rule_dirs: [rules]}", "hospital.yaml:7:25: detection.rule_dirs[0]: folder not found"),
    ("a register that is missing", "register: reg.yaml", "hospital.yaml:7:1: register: reg.yaml: file not found"),
    ("a calendar that is missing", "calendar: cal.yaml", "hospital.yaml:7:1: calendar: cal.yaml: file not found"),
    ("an unknown kind of channel", "alerts: {channels: {a: {type: sms}}}", "hospital.yaml:7:21: alerts.channels.a: expected one of webhook, alertmanager, smtp"),
    ("a channel without a kind", "alerts: {channels: {a: {url: 'https://a/'}}}", "hospital.yaml:7:21: alerts.channels.a: required key 'type' is missing"),
    ("a misspelt key of a channel", "alerts: {channels: {a: {type: webhook, ulr: 'https://a/'}}}", "hospital.yaml:7:40: alerts.channels.a.ulr: unknown key; did you mean 'url'?"),
    ("a password in a URL", "alerts: {channels: {a: {type: webhook, url: 'https://u:p@a/'}}}", "hospital.yaml:7:40: alerts.channels.a.url: expected a URL such as https://host/path, without user name or password"),
    ("a secret that is missing", "alerts: {channels: {a: {type: webhook, url: 'https://a/', secret_file: key}}}", "hospital.yaml:7:59: alerts.channels.a.secret_file: secret file not found"),
    ("a heartbeat to nobody", "alerts: {heartbeat: {channel: oncall}}", "hospital.yaml:7:22: alerts.heartbeat.channel: unknown channel"),
    ("no e-mail address", "alerts: {channels: {a: {type: smtp, host: m, from: x, to: [a@b]}}}", "hospital.yaml:7:46: alerts.channels.a.from: expected an e-mail address"),
    ("half a login", "alerts: {channels: {a: {type: smtp, host: m, from: a@b, to: [a@b], username: u}}}", "hospital.yaml:7:21: alerts.channels.a: username and password_file belong together"),
    ("a name with a blank", "site2: 1", "hospital.yaml:7:1: site2: unknown key; did you mean 'site'?"),
    ("text for thresholds", "detection: {thresholds: {EXF-06: {threshold: many}}}", "hospital.yaml:7:35: detection.thresholds.EXF-06.threshold: expected a whole number, got text"),
    ("a section that is text", "store: big", "hospital.yaml:7:1: store: expected keys and values, got text"),
    ("a section that is empty", "store:", "hospital.yaml:7:1: store: expected keys and values, got nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "told"), [case[1:] for case in WRONG_KEYS], ids=[case[0] for case in WRONG_KEYS])
def test_a_wrong_key_or_value_is_told_with_its_place(write, line, told):
    [fault] = faults(write(MINIMAL + line + "\n"))
    assert fault == told or (told.startswith(";") and fault.endswith(told))


def test_an_unknown_format_names_the_known_ones(write):
    [fault] = faults(write(MINIMAL.replace("postgresql_csvlog", "postgres_csvlog")))
    assert fault == (
        "hospital.yaml:6:5: sources.ehr_audit.format: unknown format; known: postgresql_csvlog, postgresql_jsonlog, "
        "vsftpd_native; did you mean 'postgresql_csvlog'?"
    )


def test_a_misspelt_required_key_is_told_once(write):
    assert faults(write(MINIMAL.replace("format:", "formt:"))) == [
        "hospital.yaml:6:5: sources.ehr_audit.formt: unknown key; did you mean 'format'?"
    ]


def test_a_missing_key_is_told_at_the_key_that_lacks_it(write):
    assert faults(write("site: {id: h1}\nsources:\n  a:\n    system: s\n    path: p\n")) == [
        "hospital.yaml:3:3: sources.a.format: required key is missing"
    ]
    assert faults(write("language: zh\n")) == [
        "hospital.yaml:1:1: site: required key is missing",
        "hospital.yaml:1:1: sources: required key is missing",
    ]


def test_sources_may_not_be_empty(write):
    assert faults(write("site: {id: h1}\nsources: {}\n")) == ["hospital.yaml:2:1: sources: must not be empty"]


def test_one_path_has_one_source(write):
    second = "  b:\n    system: his\n    path: logs/*.csv\n    format: postgresql_csvlog\n"
    assert faults(write(MINIMAL + second)) == ["hospital.yaml:9:5: sources.b.path: already read by source 'ehr_audit'"]


def test_all_faults_of_all_files_come_at_once_in_order(write):
    write("people:\n  z:\n    vendor: wx\n    acounts: []\n", "reg.yaml")
    write("days_off: [2026-13-01]\n", "cal.yaml")
    write("a: [\n", "rules/bad.yaml")
    file = write(
        MINIMAL.replace("system: his", "system: h i s")
        + "register: reg.yaml\ncalendar: cal.yaml\ndetection: {rule_dirs: [rules], notify_from: hihg}\nlangage: zh\n"
        + "store: {retention_days: 7}\n"
    )
    told = faults(file)
    assert [line.split(" ")[0] for line in told] == [
        "cal.yaml:1:12:",
        "hospital.yaml:4:5:",
        "hospital.yaml:9:33:",
        "hospital.yaml:10:1:",
        "hospital.yaml:11:9:",
        "reg.yaml:3:5:",
        "reg.yaml:4:5:",
        "rules/bad.yaml:2:1:",
    ]


def test_the_register_is_checked_though_the_settings_are_unusable(write):
    write("people: 5\n", "reg.yaml")
    told = faults(write("register: reg.yaml\n"))
    assert "reg.yaml:1:1: people: expected keys and values, got a number" in told
    assert len(told) == 3


def test_a_reference_to_a_faulty_channel_is_no_second_fault(write):
    text = "alerts:\n  heartbeat: {channel: a}\n  channels:\n    a: {type: webhook, url: 5}\n"
    assert [line.split(" ")[0] for line in faults(write(MINIMAL + text))] == ["hospital.yaml:10:24:"]


# --- paths and secrets ------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_file_or_to_the_given_root(write, tmp_path):
    file = write(MINIMAL + "state_dir: state\n")
    assert load_settings(file).sources["ehr_audit"].path == str(tmp_path / "logs/*.csv")
    assert load_settings(file).state_dir == tmp_path / "state"
    assert load_settings(file, root="/srv/logs").sources["ehr_audit"].path == "/srv/logs/logs/*.csv"
    assert load_settings(file, root="/srv/logs").state_dir == tmp_path / "state"


def test_a_secret_open_to_others_is_refused_and_never_shown(write, tmp_path):
    key = write("hunter2-hunter2\n", "key")
    key.chmod(0o644)
    line = "alerts: {channels: {a: {type: webhook, url: 'https://a/', secret_file: key}}}\n"
    [fault] = faults(write(MINIMAL + line))
    assert fault.endswith("secret file is open to other users; chmod 600 it")
    with pytest.raises(ConfigError) as caught:
        read_secret(key)
    assert "hunter2" not in str(caught.value) + fault

    key.chmod(0o600)
    settings = load_settings(write(MINIMAL + line))
    assert settings.alerts.channels["a"].secret_file == tmp_path / "key"
    assert read_secret(key) == b"hunter2-hunter2"
    assert "hunter2" not in repr(settings)


def test_an_empty_secret_is_refused(write):
    key = write(" \n", "key")
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="secret file is empty"):
        read_secret(key)


def test_a_system_that_no_source_reads_is_a_warning(write):
    write("services:\n  app:\n    accounts: [{system: hsi, account: a}]\n", "reg.yaml")
    site = load_site(write(MINIMAL + "register: reg.yaml\n"))
    [warning] = site.warnings
    assert (warning.line, warning.column) == (3, 17)
    assert warning.message == "no source has the system 'hsi'; did you mean 'his'?"


class Prefixed(Model):
    prefix: str = "%m "


def test_options_of_a_format_are_checked_at_their_place(tmp_path: Path) -> None:
    file = tmp_path / "hospital.yaml"
    formats: dict[str, type[Model] | None] = {"stderr": Prefixed, "plain": None}
    source = "sources:\n  a:\n    system: s\n    path: x\n    format: {}\n    options: {{{}}}\n"

    def faults(log_format: str, options: str) -> list[str]:
        file.write_text("site: {id: h1}\n" + source.format(log_format, options))
        try:
            load_site(file, formats=formats)
        except ConfigError as error:
            return [str(problem).removeprefix(str(file)) for problem in error.problems]
        return []

    assert not faults("stderr", "prefix: '%t '")
    assert faults("stderr", "prefx: '%t '") == [":7:15: sources.a.options.prefx: unknown key; did you mean 'prefix'?"]
    assert faults("stderr", "prefix: 7") == [
        ":7:15: sources.a.options.prefix: expected text, got a number; put it in quotes"
    ]
    assert faults("plain", "prefix: x") == [":7:15: sources.a.options.prefix: this format takes no options"]

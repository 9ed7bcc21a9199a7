"""Suppressions in a configuration: all that must be said, and what an end in the past or too far ahead gets."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load_site

TODAY = date(2026, 11, 11)
GOOD = "{rules: [XFR-05], accounts: svc_pacs, owner: 王主任, reason: images move to the archive, until: 2026-12-31}"


def loaded(folder: Path, suppression: str, register: str = ""):
    text = "site: {id: h}\nsources: {a: {system: s, path: a.log, format: xferlog}}\n"
    if register:
        (folder / "register.yaml").write_text(register, encoding="utf-8")
        text += "register: register.yaml\n"
    file = folder / "hospital.yaml"
    file.write_text(f"{text}suppressions:\n  pacs: {suppression}\n", encoding="utf-8")
    return load_site(file, today=TODAY)


def test_a_good_one(tmp_path):
    site = loaded(tmp_path, GOOD)
    assert site.settings.suppressions["pacs"].accounts == ("svc_pacs",)
    assert site.warnings == ()


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (("owner: 王主任, ", ""), "suppressions.pacs.owner", "required key is missing"),
        (("reason: images move to the archive, ", ""), "suppressions.pacs.reason", "required key is missing"),
        (("images move to the archive", "noise"), "suppressions.pacs.reason", "in a sentence"),
        ((", until: 2026-12-31", ""), "suppressions.pacs.until", "required key is missing"),
        (("2026-12-31", "never"), "suppressions.pacs.until", "a date"),
        (("2026-12-31", "2027-12-31"), "suppressions.pacs.until", "more than a year ahead"),
        (("rules: [XFR-05], ", ""), "suppressions.pacs.rules", "required key is missing"),
        (("[XFR-05]", "[]"), "suppressions.pacs.rules", "must not be empty"),
        (("accounts: svc_pacs, ", ""), "suppressions.pacs", "one of accounts, people"),
        (("accounts: svc_pacs", "addresses: [10.0.0.300]"), "suppressions.pacs.addresses[0]", ""),
        (("accounts", "account"), "suppressions.pacs.account", "did you mean 'accounts'"),
    ],
)
def test_what_must_be_said(tmp_path, change, key, words):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, GOOD.replace(*change))
    told = {problem.key: problem.message for problem in error.value.problems if problem.line == 4}
    assert words in told[key]
    assert len(told) == 1 or "did you mean" in words


def test_one_that_has_ended_is_told(tmp_path):
    (warning,) = loaded(tmp_path, GOOD.replace("2026-12-31", "2026-11-10")).warnings
    assert "ended on 2026-11-10" in warning.message
    assert loaded(tmp_path, GOOD.replace("2026-12-31", "2026-11-11")).warnings == ()


def test_names_that_the_register_does_not_know_are_told(tmp_path):
    register = "vendors: {acme: {name: Acme}}\n"
    (warning,) = loaded(tmp_path, GOOD.replace("accounts: svc_pacs", "vendors: [amce]"), register).warnings
    assert warning.message == "amce is not in the register; did you mean 'acme'?"

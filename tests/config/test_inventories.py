"""Inventories in a configuration: what each kind needs and what contradicts itself."""

from __future__ import annotations

import pytest

from config.errors import ConfigError
from config.loader import load_site

LIVE = "{system: his, kind: postgresql, host: 10.1.1.2, user: hiswatch, password_file: pw}"
EXPORT = "{system: lis, kind: oracle, accounts: [a.csv, b.csv], roles: r.csv}"


def loaded(folder, *inventories):
    (folder / "pw").write_text("secret", encoding="utf-8")
    (folder / "pw").chmod(0o600)
    text = "site: {id: h}\nsources: {a: {system: s, path: a.log, format: xferlog}}\ninventories:\n"
    text += "".join(f"  i{number}: {inventory}\n" for number, inventory in enumerate(inventories))
    file = folder / "hospital.yaml"
    file.write_text(text, encoding="utf-8")
    return load_site(file).settings.inventories


def test_good_ones(tmp_path):
    live, export = loaded(tmp_path, LIVE, EXPORT).values()
    assert (live.port, live.tls, live.password_file) == (None, "require", tmp_path / "pw")
    assert export.accounts == (tmp_path / "a.csv", tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (("host: 10.1.1.2, ", ""), "inventories.i0", "needs host"),
        ((", user: hiswatch", ""), "inventories.i0", "needs user"),
        (("password_file: pw", "password_file: nowhere"), "inventories.i0.password_file", "not found"),
        (("password_file: pw", "accounts: a.csv"), "inventories.i0.accounts", "not an export"),
        (("kind: postgresql", "kind: oracle"), "inventories.i0", "needs accounts"),
        (("kind: postgresql", "kind: db2"), "inventories.i0.kind", ""),
        (("system: his", "system: lis"), "inventories.i1.system", "already read by inventory 'i0'"),
        (("user: hiswatch", "usr: hiswatch"), "inventories.i0.usr", "did you mean 'user'"),
        (("user: hiswatch", "user: hiswatch, tls: verify, ca_file: none.pem"), "inventories.i0.ca_file", "not found"),
    ],
)
def test_faults_have_a_place(tmp_path, change, key, words):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, LIVE.replace(*change), EXPORT)
    told = {problem.key: problem.message for problem in error.value.problems}
    assert words in told[key]
    assert all(problem.line in {4, 5} for problem in error.value.problems)

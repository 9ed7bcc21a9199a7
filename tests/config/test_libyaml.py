"""Our own files, read by libyaml: the same values at the same places as ruamel.yaml reads."""

from __future__ import annotations

import pytest

from config import yaml12
from config.libyaml import composed
from config.yaml12 import SHIPPED, documents_of, read_text

FILES = sorted(path for ending in ("yaml", "yml") for path in SHIPPED.rglob(f"*.{ending}"))


def both(monkeypatch: pytest.MonkeyPatch, file: str, text: str) -> tuple[list[yaml12.Document], list[yaml12.Document]]:
    quick = documents_of(file, text)
    with monkeypatch.context() as patch:
        patch.setattr(yaml12, "_quickly", lambda _: None)
        return quick, documents_of(file, text)


def test_every_shipped_file_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(FILES) > 250
    for file in FILES:
        text = read_text(file)
        assert composed(text) is not None, file
        quick, slow = both(monkeypatch, str(file), text)
        assert quick == slow, file


def test_plain_values_are_those_of_yaml_1_2(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [12:30, NO, on, yes, 0o17, 017, 0x1f, 1_000, 1e3, .5, ~, null, true, 2026-11-11, '', \"5\"]\nb:\n"
    quick, slow = both(monkeypatch, str(SHIPPED / "x.yaml"), text)
    assert quick == slow
    assert quick[0].data["a"][:4] == ["12:30", "NO", "on", "yes"]
    assert repr(quick) == repr(slow)  # 1 and True are equal, 1.0 too


def test_what_is_wrong_is_said_as_ever() -> None:
    with pytest.raises(yaml12.ConfigError, match=r"x\.yaml:2:1: not YAML"):
        documents_of(str(SHIPPED / "x.yaml"), "a: [1\n}\n")

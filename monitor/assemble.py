"""Put a configuration's parts together: settings, catalogue, register, rules, workers -> pipeline."""

from __future__ import annotations

from pathlib import Path

from config.loader import load_settings
from config.settings import Settings
from parsers.registry import parsers


def read_settings(path: Path, root: Path | None = None) -> Settings:
    """The checked configuration. Raises ConfigError with every fault found."""
    return load_settings(path, formats=list(parsers()), root=root)

"""The same nodes from libyaml, many times as fast: for the files that come with the program, all of which a start reads.

Files of a site are read by ruamel.yaml alone, which says better what is wrong with them. A test holds both readings of
every shipped file against each other.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml.resolver import implicit_resolvers
from yaml import YAMLError, compose_all
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.resolver import BaseResolver


class _Composer(CParser, BaseResolver):
    """PyYAML's own would read plain values as YAML 1.1 has them: NO as false, 12:30 as 750."""

    def __init__(self, stream: str) -> None:
        CParser.__init__(self, stream)
        BaseResolver.__init__(self)


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:
        _Composer.add_implicit_resolver(_tag, _pattern, _first)


def composed(text: str) -> list[Any] | None:
    """The node tree of each document; None when it is not YAML."""
    try:
        return list(compose_all(text, Loader=_Composer))  # type: ignore[arg-type]
    except YAMLError:
        return None

"""YAML 1.2 with the place of every key: what the other loaders of this package read files with.

Plain values only: text, whole numbers, numbers, true/false, null, lists, mappings. `12:30`, `NO`, `on` and dates stay
text. Nothing of the document is ever executed: the node tree is composed, never constructed, and foreign tags are faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.errors import ConfigError, Problem

SHIPPED = Path(__file__).parent
MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 500_000  # after aliases are followed: a few lines of nested aliases could otherwise fill the memory
MAX_DEPTH = 40

Keys = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, from 1

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. `data` holds plain Python values, `places` where each key or list item stands.

    Nobody changes what is in it: what is worked out from a document may be kept for it.
    """

    file: str
    data: Any
    places: Mapping[Keys, Place] = field(default_factory=dict)

    __hash__ = object.__hash__  # of what was read, not of all that is in it

    def problem(self, keys: Keys, message: str) -> Problem:
        """A fault at `keys`, or at the nearest enclosing key that is written in the file."""
        line, column = self.place(keys)
        return Problem(self.file, line, column, dotted(keys), message)

    def place(self, keys: Keys) -> Place:
        for length in range(len(keys), -1, -1):
            if (place := self.places.get(keys[:length])) is not None:
                return place
        return (1, 1)


def dotted(keys: Keys) -> str:
    """sources.ehr.encoding[0]: the key path as a reader writes it."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text


def read_text(path: Path | str) -> str:
    """The text of a configuration file (UTF-8, a leading byte order mark allowed). ConfigError when it can't be read."""
    file = Path(path)
    try:
        if file.is_dir():
            raise _whole(file, "is a directory, not a file")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _whole(file, "file not found") from None
    except PermissionError:
        raise _whole(file, "not readable: permission denied") from None
    except OSError as error:
        raise _whole(file, f"not readable: {error.strerror or type(error).__name__}") from None
    if len(content) > MAX_BYTES:
        raise _whole(file, f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    return _decode(file, content)


def read_yaml(path: Path | str) -> Document:
    """The one document of a YAML file. ConfigError: unreadable, not UTF-8, empty, syntax, duplicate keys, foreign tags."""
    documents = read_yaml_all(path)
    if len(documents) > 1:
        raise ConfigError([documents[1].problem((), "a second document in the file; expected one")])
    return documents[0]


def read_yaml_all(path: Path | str) -> list[Document]:
    """All documents of a YAML file, at least one (rule files may hold several). Errors as `read_yaml`."""
    return documents_of(str(path), read_text(path))


def documents_of(file: str, text: str) -> list[Document]:
    """The same of a text that was read already. `file`: how faults name it."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for node in _nodes(file, text):
        if node is None:
            continue
        reader = _Reader(file)
        data = reader.value(node, ())
        problems += reader.problems
        documents.append(Document(file, data, {(): _place(node), **reader.places}))
    if problems:
        raise ConfigError(problems)
    if not documents or all(document.data is None for document in documents):
        raise _whole(Path(file), "is empty")
    return documents


def _decode(file: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise ConfigError([Problem(str(file), line, column, "", "not UTF-8 text; save the file as UTF-8")]) from None
    if found := _CONTROL.search(text):
        at = found.start()
        place = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        raise ConfigError([Problem(str(file), *place, "", "a control character; not text")])
    return text


def _nodes(file: str, text: str) -> Iterator[Node | None]:
    if old := re.search(r"^%YAML[ \t]+1\.[01]\b", text, re.MULTILINE):
        # In YAML 1.1 `NO` is false and `12:30` is 750: the reader of the file would be misled.
        line = text.count("\n", 0, old.start()) + 1
        raise ConfigError([Problem(file, line, 1, "", "files are YAML 1.2; remove the %YAML line")])
    if Path(file).is_relative_to(SHIPPED) and (nodes := _quickly(text)) is not None:
        yield from nodes
        return
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    try:
        yield from yaml.compose_all(text)
    except MarkedYAMLError as error:
        raise ConfigError([_syntax(file, text, error)]) from None
    except RecursionError:
        raise ConfigError([Problem(file, 1, 1, "", "nested too deeply")]) from None
    except YAMLError as error:
        raise ConfigError([Problem(file, 1, 1, "", f"not YAML: {type(error).__name__}")]) from None


def _quickly(text: str) -> list[Node | None] | None:
    """The nodes of a file of ours; None where libyaml is not there or does not understand it."""
    try:
        from config.libyaml import composed
    except ImportError:
        return None
    return composed(text)


def _syntax(file: str, text: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    rows = text.split("\n")
    row = rows[line - 1] if line <= len(rows) else ""
    if row.lstrip(" ").startswith("\t") or row[column - 1 : column] == "\t":
        return Problem(file, line, row.index("\t") + 1, "", "a tab; YAML is indented with spaces")
    return Problem(file, line, column, "", f"not YAML: {error.problem or error.context or 'syntax error'}")


def _whole(file: Path, message: str) -> ConfigError:
    return ConfigError([Problem(str(file), 0, 0, "", message)])


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Reader:
    """Node tree to plain values; remembers where each key stood and what was wrong."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Keys, Place] = {}
        self.problems: list[Problem] = []
        self.seen = 0

    def value(self, node: Any, keys: Keys) -> Any:
        self.seen += 1
        if self.seen > MAX_NODES or len(keys) > MAX_DEPTH:
            message = "nested too deeply" if len(keys) > MAX_DEPTH else "too many values (are aliases nested?)"
            raise ConfigError([*self.problems, Problem(self.file, *_place(node), dotted(keys), message)])
        if str(node.tag) not in _PLAIN_TAGS:
            self.fault(node, keys, "a tag is not allowed here; write a plain value")
            return None
        if node.id == "mapping":
            return self.mapping(node, keys)
        return self.sequence(node, keys) if node.id == "sequence" else self.scalar(node, keys)

    def mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first: dict[str, Place] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                self.fault(key_node, keys, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in result:
                self.fault(key_node, (*keys, key), f"duplicate key; first written on line {first[key][0]}")
                continue
            first[key] = self.places[*keys, key] = _place(key_node)
            result[key] = self.value(value_node, (*keys, key))
        return result

    def sequence(self, node: SequenceNode, keys: Keys) -> list[Any]:
        result = []
        for index, item in enumerate(node.value):
            self.places[*keys, index] = _place(item)
            result.append(self.value(item, (*keys, index)))
        return result

    def scalar(self, node: ScalarNode, keys: Keys) -> Any:
        text, tag = str(node.value), str(node.tag).removeprefix(_TAG)
        try:
            if tag == "int":
                return _whole_number(text)
            if tag == "float":
                return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self.fault(node, keys, "not a number")
            return None
        if tag == "bool":
            return text.lower() == "true"
        return None if tag == "null" else text

    def fault(self, node: Node, keys: Keys, message: str) -> None:
        self.problems.append(Problem(self.file, *_place(node), dotted(keys), message))


def _whole_number(text: str) -> int | str:
    digits = text.replace("_", "")
    # An account or ticket number may be written with leading zeros: as a number it would lose them.
    if re.fullmatch(r"[-+]?0\d+", digits):
        return text
    return int(digits, 0)

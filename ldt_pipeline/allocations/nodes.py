"""Values with the line where they stand: YAML files and folders read, without any meaning yet.

What belongs here: files, YAML's grammar, and places. What doesn't: what is allowed in a file
(`checking.py`), and spreadsheets (`tabular.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

_BYTES_MOST = 10_000_000
_NODES_MOST = 1_000_000
_HALF = re.compile("[\\ud800-\\udfff]")
_SUFFIXES = (".yaml", ".yml", ".csv")


class AllocationsFileError(ValueError):
    """An allocations file that can't be used: each line of the text names a place and the rule."""


@dataclass(frozen=True)
class Place:
    """Where something stands: a file's name and a line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A value and its place. `value` holds nodes where it is a list or a dictionary.

    `text` is a scalar as it was written: an id such as 0123 must keep its zero.
    """

    place: Place
    value: Any
    text: str = ""
    keys: dict[str, Place] = field(default_factory=dict[str, Place])

    @property
    def members(self) -> dict[str, Node]:
        """What a mapping holds; nothing where it is none."""
        return cast("dict[str, Node]", self.value) if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """What a list holds; nothing where it is none."""
        return cast("list[Node]", self.value) if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """Give the value without places."""
        if isinstance(self.value, dict):
            return {key: each.plain() for key, each in self.members.items()}
        if isinstance(self.value, list):
            return [each.plain() for each in self.items]
        return self.value


def files_of(path: Path) -> list[Path]:
    """Give the files of a path: itself, or the YAML and CSV files of a folder, by name.

    Raises:
        AllocationsFileError: There is none.
    """
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
        if not found:
            raise AllocationsFileError(
                f"{path}: no allocations in this folder; files end in {', '.join(_SUFFIXES)}."
            )
        return found
    if not path.is_file():
        raise AllocationsFileError(f"{path}: there is no such file or folder.")
    return [path]


def text_of(path: Path) -> str:
    """Give a file's text.

    Raises:
        AllocationsFileError: It can't be read, isn't UTF-8, or is too long.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AllocationsFileError(f"{path}: can't be read ({error.strerror}).") from None
    if len(content) > _BYTES_MOST:
        raise AllocationsFileError(f"{path}: is larger than {_BYTES_MOST // 10**6} MB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AllocationsFileError(f"{path.name}:{line}: is not UTF-8; save it as such.") from None


def read_yaml(path: Path) -> Node:
    """Read a YAML file.

    Raises:
        AllocationsFileError: It is no YAML, or names a key twice.
    """
    text = text_of(path)
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return Node(Place(path.name, 1), {})
        return _Reader(path.name, loader).node(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise AllocationsFileError(f"{path.name}:{line}: is no YAML: {error.problem}.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise AllocationsFileError(
            f"{path.name}:{line}: is no YAML: a character is not allowed."
        ) from None
    except RecursionError:
        raise AllocationsFileError(f"{path.name}:1: lies too deep in itself.") from None
    finally:
        if loader is not None:
            loader.dispose()


def node_of(value: Any, place: Place) -> Node:
    """Give a value of JSON as nodes that all stand at one place.

    Raises:
        AllocationsFileError: A text in it can't be sent.
    """
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return Node(place, {_whole(k, place): node_of(v, place) for k, v in members.items()})
    if isinstance(value, list):
        return Node(place, [node_of(each, place) for each in cast("list[Any]", value)])
    return Node(place, _whole(value, place), str(value))


def _whole(value: Any, place: Place) -> Any:
    if isinstance(value, str) and _HALF.search(value):
        raise AllocationsFileError(f"{place}: holds half a character; write it out, as UTF-8.")
    return value


class _Reader:
    def __init__(self, file: str, loader: yaml.SafeLoader) -> None:
        self._file = file
        self._loader = loader
        self._left = _NODES_MOST

    def node(self, source: yaml.Node) -> Node:
        place = Place(self._file, source.start_mark.line + 1)
        self._left -= 1
        if self._left < 0:
            # A few aliases of aliases can stand for more than fits into memory.
            raise AllocationsFileError(f"{place}: the file unfolds to too much.")
        if isinstance(source, yaml.MappingNode):
            members: dict[str, Node] = {}
            keys: dict[str, Place] = {}
            for name, at, value in self._members(source):
                if name in members:
                    raise AllocationsFileError(
                        f"{at}: `{name}` stands here twice, first in line {keys[name].line}."
                    )
                members[name], keys[name] = self.node(value), at
            return Node(place, members, keys=keys)
        if isinstance(source, yaml.SequenceNode):
            return Node(place, [self.node(each) for each in source.value])
        return Node(place, self._scalar(source, place), text=str(source.value))

    def _members(self, source: yaml.MappingNode) -> Iterator[tuple[str, Place, yaml.Node]]:
        for key, value in source.value:
            place = Place(self._file, key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode):
                raise AllocationsFileError(f"{place}: a key must be a text.")
            if key.tag == "tag:yaml.org,2002:merge":
                raise AllocationsFileError(
                    f"{place}: `<<` is not taken as a merge; write the keys out."
                )
            yield _whole(str(key.value), place), place, value

    def _scalar(self, source: yaml.Node, place: Place) -> Any:
        try:
            value = self._loader.construct_object(source)  # type: ignore[no-untyped-call]
        except (ValueError, OverflowError):
            raise AllocationsFileError(f"{place}: `{source.value}` is no value.") from None
        # Dates are no values of JSON: what looks like one is a text here.
        is_json = value is None or isinstance(value, str | int | float)
        return _whole(value, place) if is_json else source.value

"""JSON read patiently: everything that is valid JSON comes through, whatever is in it.

What belongs here: numbers that remember their digits, names of JSON types, text that every tool
can store, and a reader that takes an object apart without giving up on odd members. What doesn't:
the fast reader, and what the members mean (`decode.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import msgspec

_LONGEST_INTEGER: Final = 4000
"""Python refuses to read integers of more than 4,300 digits (CVE-2020-10735)."""

_SPACE = re.compile(r"[ \t\n\r]*")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_TYPE_OF_FIRST_CHARACTER: Final = {
    '"': "string",
    "{": "object",
    "[": "array",
    "t": "boolean",
    "f": "boolean",
    "n": "null",
}


class JsonFloat(float):
    """A JSON number with a point or an exponent, which remembers how it was written."""

    __slots__ = ("token",)
    token: str

    def __new__(cls, token: str) -> JsonFloat:
        """Read `token`, a JSON number."""
        number = super().__new__(cls, token)
        number.token = token
        return number


class TooDeep:
    """Stands for an object or array that is nested deeper than Python can follow."""

    def __init__(self, json_type: str) -> None:
        self.json_type = json_type


class NotJsonError(ValueError):
    """The text is not valid JSON."""


class NotAnObjectError(ValueError):
    """The text is valid JSON, but not an object."""


@dataclass(frozen=True)
class JsonObject:
    """A JSON object: its values by key, and the same as they were written."""

    values: dict[str, Any]
    texts: Mapping[str, msgspec.Raw | str]

    def text(self, key: str) -> str:
        """Give a value as it was written."""
        text = self.texts[key]
        return text if isinstance(text, str) else str(cast("bytes", text), "utf-8")


def json_type(value: Any) -> str:
    """Name the JSON type of a value that was read from JSON."""
    if isinstance(value, TooDeep):
        return value.json_type
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def json_type_of_text(text: str) -> str:
    """Name the type of a JSON value from its text, without reading it."""
    return _TYPE_OF_FIRST_CHARACTER.get(text[:1], "number")


def safe_text(text: str) -> str:
    """Give `text` without what databases refuse: NUL goes, half a surrogate pair becomes U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def read_object(text: str) -> JsonObject:
    """Read a JSON object; where a key comes twice, the last one counts.

    Raises:
        NotJsonError: It is not valid JSON.
        NotAnObjectError: It is, but not an object.
    """
    try:
        found = JsonObject(_DECODER.decode(text), _TEXTS.decode(text))
    except (ValueError, RecursionError):
        # Not valid, not an object, or with something that these can't read, such as half a
        # surrogate pair: member by member it goes ten times as slowly, but further.
        found = _read_members(text)
    if "\\u" not in text:
        return found
    values = {safe_text(key): _safe(value) for key, value in found.values.items()}
    return JsonObject(values, {safe_text(key): each for key, each in found.texts.items()})


def _read_members(text: str) -> JsonObject:
    start = _skip_space(text, 0)
    if text[start : start + 1] != "{":
        _, end = _read(text, start)
        _expect_end(text, end)
        raise NotAnObjectError
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    position = _skip_space(text, start + 1)
    if text[position : position + 1] == "}":
        _expect_end(text, position + 1)
        return JsonObject(values, texts)
    while True:
        if text[position : position + 1] != '"':
            raise NotJsonError
        key, position = _read(text, position)
        position = _skip_space(text, position)
        if text[position : position + 1] != ":":
            raise NotJsonError
        start = _skip_space(text, position + 1)
        values[key], position = _read(text, start)
        texts[key] = text[start:position]
        position = _skip_space(text, position)
        separator = text[position : position + 1]
        if separator == "}":
            _expect_end(text, position + 1)
            return JsonObject(values, texts)
        if separator != ",":
            raise NotJsonError
        position = _skip_space(text, position + 1)


def read_items(text: str) -> list[str]:
    """Cut a JSON array into the texts of its items.

    Raises:
        NotJsonError: It is not a valid JSON array.
    """
    position = _skip_space(text, 0)
    if text[position : position + 1] != "[":
        raise NotJsonError
    items: list[str] = []
    position = _skip_space(text, position + 1)
    if text[position : position + 1] == "]":
        return items
    while True:
        _, end = _read(text, position)
        items.append(text[position:end])
        position = _skip_space(text, end)
        separator = text[position : position + 1]
        if separator == "]":
            return items
        if separator != ",":
            raise NotJsonError
        position = _skip_space(text, position + 1)


def _read(text: str, start: int) -> tuple[Any, int]:
    """Read the value that begins at `start`; give it and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        # Deep nesting is valid JSON, and must not cost the record: skip over it by its brackets.
        return TooDeep(json_type_of_text(text[start : start + 1])), _end_of_nested(text, start)
    except ValueError as error:
        raise NotJsonError from error


def _end_of_nested(text: str, start: int) -> int:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text, start):
        found = match.group()
        if found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise NotJsonError


def _safe(value: Any) -> Any:
    try:
        return _safe_tree(value)
    except RecursionError:
        return TooDeep(json_type(value))


def _safe_tree(value: Any) -> Any:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, list):
        return [_safe_tree(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {safe_text(key): _safe_tree(item) for key, item in members.items()}
    return value


def _skip_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return start if match is None else match.end()


def _expect_end(text: str, position: int) -> None:
    if _skip_space(text, position) != len(text):
        raise NotJsonError


def _read_integer(token: str) -> int | float:
    return int(token) if len(token) <= _LONGEST_INTEGER else JsonFloat(token)


def _refuse(name: str) -> NoReturn:
    raise NotJsonError(f"JSON has no {name}.")


_DECODER: Final = json.JSONDecoder(
    parse_float=JsonFloat, parse_int=_read_integer, parse_constant=_refuse
)
_TEXTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

"""Checking a file against its JSON Schema, with the line of whatever is wrong.

What belongs here: the rules of JSON Schema that `schema.json` uses, and sentences about them. The
schema also ships for editors: so what they mark and what is refused here are one.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from ldt_pipeline.allocations.nodes import Node, Place

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER_MOST = 2**53 - 1
"""More than that many programs, JavaScript's among them, can't hold exactly."""
_NOUNS = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


@cache
def schema() -> dict[str, Any]:
    """Give the JSON Schema of an allocations file."""
    return json.loads(schema_text())


def schema_text() -> str:
    """Give the JSON Schema of an allocations file as it ships, for editors."""
    return files("ldt_pipeline.allocations").joinpath("schema.json").read_text()


def problems(node: Node, rule: dict[str, Any] | None = None, name: str = "") -> Iterator[str]:
    """Give a sentence, with its place, for each thing in a file that the schema doesn't allow."""
    rule = _resolved(rule if rule is not None else schema())
    shown = f"`{name}`" if name else "the file"
    kinds = rule.get("type", [])
    allowed: list[str] = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is(node.value, kind) for kind in allowed):
        nouns = " or ".join(_NOUNS[kind] for kind in allowed)
        quotes = isinstance(node.value, bool | int | float) and "string" in allowed
        advice = "; put it into quotes" if quotes else ""
        yield f"{node.place}: {shown} must be {nouns}{advice}."
        return
    if "enum" in rule and node.value not in rule["enum"]:
        yield f"{node.place}: {shown} must be one of {', '.join(rule['enum'])}."
    if isinstance(node.value, dict):
        yield from _object_problems(node, rule, shown)
    elif isinstance(node.value, list):
        if len(node.items) < rule.get("minItems", 0):
            yield f"{node.place}: {shown} must not be empty."
        for item in node.items:
            yield from problems(item, rule["items"], name)
    elif isinstance(node.value, str):
        yield from _text_problems(node.value, node.place, rule, shown)
    elif isinstance(node.value, int) and "string" not in allowed:
        yield from _number_problems(node, rule, shown)


def _number_problems(node: Node, rule: dict[str, Any], shown: str) -> Iterator[str]:
    value, most = node.value, rule.get("maximum", _NUMBER_MOST)
    if isinstance(value, bool):
        return
    if not _DIGITS.fullmatch(node.text):
        # YAML reads 010 as 8, and 1:30 as 90.
        yield f"{node.place}: {shown} must be written in digits, the first of them no zero."
    elif value < rule.get("minimum", -most):
        yield f"{node.place}: {shown} must be at least {rule.get('minimum', -most)}."
    elif value > most:
        yield f"{node.place}: {shown} must be at most {most}."


def _object_problems(node: Node, rule: dict[str, Any], shown: str) -> Iterator[str]:
    properties: dict[str, Any] = rule.get("properties", {})
    for name in rule.get("required", []):
        if name not in node.members:
            yield f"{node.place}: {shown} needs `{name}`."
    for name, member in node.members.items():
        if name in properties:
            yield from problems(member, properties[name], name)
        elif rule.get("additionalProperties") is False:
            near = difflib.get_close_matches(name, properties, n=1)
            meant = f" (did you mean `{near[0]}`?)" if near else ""
            yield (
                f"{node.keys.get(name, node.place)}: `{name}` is not known in {shown}{meant}; "
                f"allowed are {', '.join(properties)}."
            )
        else:
            yield from _value_problems(member, name)


def _value_problems(node: Node, name: str) -> Iterator[str]:
    """What JSON can't hold can't be sent, in mappings by the API's own keys too."""
    if isinstance(node.value, float) and (
        node.value != node.value or abs(node.value) == float("inf")
    ):
        yield f"{node.place}: `{name}` must be a number that there is."
    if isinstance(node.value, int):
        yield from _number_problems(node, {}, f"`{name}`")
    for each in (*node.members.values(), *node.items):
        yield from _value_problems(each, name)


def _text_problems(value: str, place: Place, rule: dict[str, Any], shown: str) -> Iterator[str]:
    if len(value) < rule.get("minLength", 0):
        yield f"{place}: {shown} must not be empty."
    elif "pattern" in rule and not re.search(rule["pattern"], value):
        yield f"{place}: {shown} must have two characters or more and not begin with a blank."
    if rule.get("format") == "email" and not _EMAIL.fullmatch(value):
        yield f"{place}: {shown} must be an e-mail address, such as places@charity.org."


def _resolved(rule: dict[str, Any]) -> dict[str, Any]:
    reference = rule.get("$ref")
    return schema()["$defs"][reference.rsplit("/", 1)[1]] if reference else rule


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)

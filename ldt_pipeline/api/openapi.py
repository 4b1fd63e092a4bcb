"""Reading an OpenAPI document, however odd it is: operations, parameters, bodies and answers.

What belongs here: the ways in which a document can say a thing (references, combined and nullable
schemas, parameters of a whole path, parameters spelt as objects). What doesn't: comparing it with
what we know (`contract.py`), and fetching it (`documents.py`).

A document comes from elsewhere. Nothing in it is trusted to be of the type that OpenAPI asks for,
references may lead in circles, and every search is bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import unquote

Json = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_COMBINATIONS = ("allOf", "anyOf", "oneOf")
_NODES_MOST = 20_000
_VERSIONED = re.compile(r"^(?:/[^/{}]+)*?/(v\d+)(?=/|$)")
_PLACEHOLDER = re.compile(r"\{[^/{}]*\}|(?<=/):[^/]+")


class ContractError(ValueError):
    """A document can't be had, or is no OpenAPI document; the text says why."""


@dataclass(frozen=True, kw_only=True)
class DocumentedParameter:
    """A parameter as a document describes it. Unknown bounds and values are None."""

    name: str
    place: str
    is_required: bool
    values: frozenset[str] | None
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What a schema says of an object: its properties' schemas by name, and which are required."""

    properties: dict[str, list[Json]]
    required: frozenset[str]


class DocumentedOperation:
    """One operation of a document."""

    def __init__(self, document: Document, shown: str, path_item: Json, operation: Json) -> None:
        self._document = document
        self._path_item = path_item
        self._operation = operation
        self.shown = shown

    @property
    def is_deprecated(self) -> bool:
        """Whether the document says that it will go."""
        return self._operation.get("deprecated") is True

    @cached_property
    def parameters(self) -> dict[tuple[str, str], DocumentedParameter]:
        """The parameters by place (`query`, `header`, …) and name."""
        found: dict[tuple[str, str], DocumentedParameter] = {}
        for holder in (self._path_item, self._operation):  # an operation's own win
            for raw in as_list(holder.get("parameters")):
                for each in self._document.parameters(raw):
                    found[each.place, each.name] = each
        return found

    @cached_property
    def body(self) -> Schema | None:
        """The properties of the request's body; None where the document shows none."""
        return self._document.object_schema(self._json_schemas(self._operation.get("requestBody")))

    @cached_property
    def answer(self) -> list[Json]:
        """The schemas of a successful answer; none where the document shows none."""
        responses = as_object(self._operation.get("responses"))
        by_status = {str(status).upper(): each for status, each in responses.items()}
        for status in ("200", "201", "202", "2XX"):
            if schemas := self._json_schemas(by_status.get(status)):
                return schemas
        return []

    def _json_schemas(self, holder: Any) -> list[Json]:
        """Give the JSON schemas among the content of a request's body or of an answer."""
        found: list[Json] = []
        for node in self._document.nodes([holder]):
            for media_type, media in as_object(node.get("content")).items():
                schema = as_object(as_object(media).get("schema"))
                if schema and ("json" in str(media_type).lower() or "*/*" in str(media_type)):
                    found.append(schema)
        return found


class Document:
    """An OpenAPI 3 document.

    Raises:
        ContractError: It is none.
    """

    def __init__(self, document: object) -> None:
        root = as_object(document)
        version = root.get("openapi")
        if not isinstance(version, str) or not version.startswith("3."):
            raise ContractError(_why_not_openapi(document))
        if not as_object(root.get("paths")):
            raise ContractError(
                "The OpenAPI document describes no paths. It may be another service's."
            )
        self._root = root

    @property
    def api_version(self) -> str | None:
        """The version that the API gives itself."""
        version = as_object(self._root.get("info")).get("version")
        return str(version) if isinstance(version, str | int | float) else None

    @cached_property
    def operations(self) -> dict[tuple[str, str, str], DocumentedOperation]:
        """The operations by version prefix ("" for none), method and comparable path."""
        found: dict[tuple[str, str, str], DocumentedOperation] = {}
        for key, raw_item in as_object(self._root.get("paths")).items():
            raw_path = str(key)  # YAML has keys of other types
            if not raw_path.startswith("/"):
                continue
            for item in self.nodes([raw_item]):
                for method in METHODS:
                    operation = as_object(item.get(method))
                    if operation:
                        prefix, path = comparable_path(raw_path)
                        shown = f"{method.upper()} {raw_path}"
                        found.setdefault(
                            (prefix, method.upper(), path),
                            DocumentedOperation(self, shown, item, operation),
                        )
        return found

    def nodes(self, starts: Iterable[Any]) -> Iterator[Json]:
        """Give objects, what they refer to, and what they are combined of; each once."""
        waiting = list(starts)[::-1]
        seen: set[int] = set()
        while waiting and len(seen) < _NODES_MOST:
            node = as_object(waiting.pop())
            if not node or id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            if isinstance(node.get("$ref"), str):
                waiting.append(self._referred(node["$ref"]))
            for combination in _COMBINATIONS:
                waiting.extend(as_list(node.get(combination)))

    def object_schema(self, schemas: Iterable[Any]) -> Schema | None:
        """Give the properties of an object, through references and combinations; None for none."""
        properties: dict[str, list[Json]] = {}
        required: set[str] = set()
        is_described = False
        for node in self.nodes(schemas):
            is_described = is_described or isinstance(node.get("properties"), dict)
            for name, schema in as_object(node.get("properties")).items():
                properties.setdefault(str(name), []).append(as_object(schema))
            required.update(each for each in as_list(node.get("required")) if isinstance(each, str))
        if not is_described:
            return None
        return Schema(properties=properties, required=frozenset(required))

    def items(self, schemas: Iterable[Any]) -> list[Json]:
        """Give the schemas of what an array holds."""
        found: list[Json] = []
        for node in self.nodes(schemas):
            items = as_object(node.get("items"))
            if items:
                found.append(items)
        return found

    def values(self, schemas: Iterable[Any]) -> frozenset[str] | None:
        """Give the values that an enumeration allows, as text and without null; None for any."""
        found: list[Any] = []
        for node in self.nodes(schemas):
            found.extend(as_list(node.get("enum")))
            if "const" in node:
                found.append(node["const"])
        values = {
            str(each)
            for each in found
            if isinstance(each, str | int | float) and not isinstance(each, bool)
        }
        return frozenset(values) if values else None

    def parameters(self, raw: Any) -> Iterator[DocumentedParameter]:
        """Give a parameter; one that is spelt as an object gives one for each property."""
        for node in self.nodes([raw]):
            name, place = node.get("name"), node.get("in")
            if not isinstance(name, str) or not isinstance(place, str):
                continue
            schema = node.get("schema")
            is_required = node.get("required") is True
            parts = self.object_schema([schema]) if place == "query" else None
            if parts is None:
                yield self._parameter(name, place, is_required, [schema])
                continue
            for part, schemas in parts.properties.items():
                needed = is_required and part in parts.required
                yield self._parameter(f"{name}[{part}]", place, needed, schemas)

    def _parameter(
        self, name: str, place: str, is_required: bool, schemas: list[Any]
    ) -> DocumentedParameter:
        minimums: list[float] = []
        maximums: list[float] = []
        for node in self.nodes(schemas):
            minimums += _numbers(node.get("minimum"), node.get("exclusiveMinimum"))
            maximums += _numbers(node.get("maximum"), node.get("exclusiveMaximum"))
        return DocumentedParameter(
            name=name,
            place=place,
            is_required=is_required,
            values=self.values(schemas),
            minimum=max(minimums, default=None),
            maximum=min(maximums, default=None),
        )

    def _referred(self, reference: str) -> Any:
        """Follow a reference within the document; one that leads elsewhere gives nothing."""
        if not reference.startswith("#/"):
            return None
        node: Any = self._root
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                items = cast("list[Any]", node)
                node = items[int(key)] if key.isdecimal() and int(key) < len(items) else None
            else:
                node = as_object(node).get(key)
        return node


def comparable_path(path: str) -> tuple[str, str]:
    """Give a path's version prefix ("" for none), and the path without it and without names.

    `/v0/partners/{partnerId}/` gives `/v0` and `/partners/{}`.
    """
    prefix = ""
    if found := _VERSIONED.match(path):
        prefix, path = f"/{found.group(1)}", path[found.end() :]
    return prefix, _PLACEHOLDER.sub("{}", path).rstrip("/") or "/"


def as_object(value: Any) -> Json:
    """Give an object, or an empty one for anything else."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Give a list, or an empty one for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def _numbers(*values: Any) -> list[float]:
    return [
        each
        for each in values
        if isinstance(each, int | float) and not isinstance(each, bool) and not math.isnan(each)
    ]


def _why_not_openapi(document: object) -> str:
    if isinstance(document, dict) and "swagger" in document:
        return "This is a Swagger 2 document. The check reads OpenAPI 3 documents only."
    return (
        "This is no OpenAPI 3 document: it does not begin with `openapi: 3.…`. Download it from "
        "the top of the API's reference page."
    )

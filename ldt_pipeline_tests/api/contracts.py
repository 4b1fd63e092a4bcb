"""An OpenAPI document that agrees with the catalogue, and ways to change it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ldt_pipeline.api import catalogue
from ldt_pipeline.api.contract import (
    Difference,
    compare,
)
from ldt_pipeline.api.contract_records import known_properties
from ldt_pipeline.sandbox import openapi_document

Document = dict[str, Any]
Change = Callable[[Document], object]

SERVER = "https://api.example.org/v0"


def agreeing_document() -> Document:
    """Give a document that agrees: the sandbox's, with bodies in place, and tickets as we infer them."""
    document = copy.deepcopy(openapi_document(server_url=SERVER))
    schemas = document["components"]["schemas"]
    schemas["Ticket"]["properties"] = {name: {} for name in known_properties("ticket")}
    names = {"partner": "Partner", "reserved entry group": "ReservedEntryGroup"}
    for operation in catalogue.OPERATIONS:
        if not operation.is_write:
            continue
        described: Document = {
            "parameters": [
                {"name": each.name, "in": "query", "schema": {"type": "string"}}
                for each in operation.parameters
            ],
            "responses": {"200": {"description": "Done"}},
        }
        if operation.body:
            shared = schemas[names[operation.record]]["properties"] if operation.record else {}
            body = {
                "type": "object",
                "properties": {name: shared.get(name, {}) for name in operation.body},
            }
            described["requestBody"] = {"content": {"application/json": {"schema": body}}}
        document["paths"].setdefault(operation.path, {})[operation.method.lower()] = described
    return document


def operation(document: Document, path: str = "/participants", method: str = "get") -> Document:
    return document["paths"][path][method]


def parameter(document: Document, name: str, path: str = "/participants") -> Document:
    return next(each for each in operation(document, path)["parameters"] if each["name"] == name)


def schema(document: Document, name: str) -> Document:
    return document["components"]["schemas"][name]


def answer(document: Document, path: str = "/participants") -> Document:
    return operation(document, path)["responses"]["200"]["content"]["application/json"]["schema"]


def changed(change: Change) -> list[Difference]:
    document = agreeing_document()
    change(document)
    return compare(document)


def without_parameter(name: str) -> Change:
    def change(document: Document) -> None:
        parameters = operation(document)["parameters"]
        parameters.remove(parameter(document, name))

    return change


def with_parameter(**described: Any) -> Change:
    return lambda document: operation(document)["parameters"].append(described)


def moved(before: str, after: str) -> Change:
    return lambda document: document["paths"].update({after: document["paths"].pop(before)})

"""The sandbox's OpenAPI 3.1 document, made from its table of operations and its schemas.

What belongs here: putting the two together. What doesn't: any fact about an operation
(`operations`) or a record (`schemas`).
"""

from __future__ import annotations

from typing import Any

from ldt_pipeline.sandbox.bodies import BODIES
from ldt_pipeline.sandbox.operations import OPERATIONS, Operation, Parameter
from ldt_pipeline.sandbox.schemas import SCHEMAS

_PATH_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Which one.",
    "schema": {"type": "string"},
    "example": "67123",
}
_REFUSALS = {
    "400": "A parameter, or something in the body, is unknown, malformed or at odds with another",
    "401": "There is no key, or it isn't good",
    "404": "There is no such record",
    "429": "Too many requests: wait for as long as Retry-After says",
    "500": "The server failed",
}


def openapi_document(*, server_url: str) -> dict[str, Any]:
    """The document that describes a running sandbox.

    Args:
        server_url: Where it answers, version prefix included.
    """
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Let's Do This sandbox",
            "version": "0.1.0",
            "description": "A stand-in for the API, full of made-up people.",
        },
        "servers": [{"url": server_url}],
        "security": [{"bearerAuth": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "schemas": {**SCHEMAS, **BODIES},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    parameters = [_parameter(parameter) for parameter in operation.parameters]
    if operation.takes_id:
        parameters.insert(0, _PATH_ID)
    body: dict[str, Any] = {}
    if operation.body is not None:
        schema = {"$ref": f"#/components/schemas/{operation.body}"}
        content = {"application/json": {"schema": schema}}
        body = {"requestBody": {"required": True, "content": content}}
    return {
        **body,
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "What was asked for",
                "content": {"application/json": {"schema": _answer(operation)}},
            },
            **{status: _refusal(text) for status, text in _REFUSALS.items()},
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.description,
        "schema": parameter.schema(),
    }
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _answer(operation: Operation) -> dict[str, Any]:
    record = {"$ref": f"#/components/schemas/{operation.record}"}
    match operation.shape:
        case "one" | "nothing":
            return record
        case "all":
            return {
                "type": "object",
                "required": ["data"],
                "properties": {"data": {"type": "array", "items": record}},
            }
        case "page":
            return {
                "type": "object",
                "required": ["data", "page"],
                "properties": {
                    "data": {"type": "array", "items": record},
                    "page": {"$ref": "#/components/schemas/PageCursors"},
                },
            }


def _refusal(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }

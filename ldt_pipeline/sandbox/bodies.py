"""What a write may hold: the schema of each body, and checking a body against it.

What belongs here: JSON schemas of bodies (also for the OpenAPI document), and the few rules of JSON
Schema that they use. What doesn't: the effect of a write (`writes`), and whether the ids in it exist.
"""

from __future__ import annotations

import math
import re
from typing import Any, cast

import msgspec

from ldt_pipeline.sandbox.problems import BadBody

Schema = dict[str, Any]

MOST_BYTES = 1_000_000

_NAME: Schema = {"type": "string", "minLength": 1, "pattern": r"^(\S).+$"}
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_OBJECT: Schema = {"type": "object"}
_CAPACITY: Schema = {"type": "number", "minimum": 0}
_EXTERNAL_IDS: Schema = {
    "type": "object",
    "properties": {
        "enthuse": _TEXT_OR_NULL,
        "justGiving": _TEXT_OR_NULL,
        "londonMarathon": _TEXT_OR_NULL,
    },
}
_CONTACT: Schema = {
    "type": "object",
    "properties": {
        "firstName": _TEXT,
        "lastName": _TEXT,
        "emailAddress": {"type": "string", "format": "email"},
        "phoneNumber": _TEXT_OR_NULL,
        "role": _TEXT,
    },
}
_TICKET: Schema = {
    "type": "object",
    "required": ["ticketId"],
    "properties": {
        "ticketId": _TEXT,
        "maxCapacity": {"type": ["number", "null"], "minimum": 0},
        "price": {"type": ["object", "null"]},
    },
}
_TICKETS: Schema = {"type": "array", "minItems": 1, "items": _TICKET}
_EVENT_MARKETING: Schema = {
    "type": "object",
    "required": ["eventId"],
    "properties": {"eventId": _TEXT, "title": _TEXT},
}

_PARTNER: dict[str, Schema] = {
    "name": _NAME,
    "description": _TEXT,
    "externalIds": _EXTERNAL_IDS,
    "defaultMarketing": _OBJECT,
    "specificMarketings": {"type": "array", "items": _EVENT_MARKETING},
    "canCreateSubPartners": _FLAG,
}
_GROUP: dict[str, Schema] = {
    "settings": _OBJECT,
    "name": _NAME,
    "maxCapacity": _CAPACITY,
    "tickets": _TICKETS,
    "description": _TEXT,
}


def _body(properties: dict[str, Schema], *required: str) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


BODIES: dict[str, Schema] = {
    "UpdatePartner": _body(_PARTNER),
    "CreatePartner": _body(
        {
            **_PARTNER,
            "type": {
                "type": "string",
                "enum": ["CHARITY", "CORPORATE", "FRIENDS_AND_FAMILY", "MERCH_PARTNER", "SPONSOR"],
            },
            "contacts": {"type": "array", "minItems": 1, "items": _CONTACT},
        },
        "name",
        "contacts",
    ),
    "CreateClaimLink": _body(
        {"emailAddress": {"type": "string", "format": "email"}, "reservedEntryId": _TEXT}
    ),
    "UpdateReservedEntryGroup": _body(_GROUP),
    "CreateReservedEntryGroup": _body(
        {
            **_GROUP,
            "partnerId": _TEXT,
            "type": {"type": "string", "enum": ["MULTI_USE", "SINGLE_USE", "UNKNOWN"]},
        },
        "name",
        "maxCapacity",
        "tickets",
        "type",
    ),
}

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def read_body(name: str, sent: bytes) -> dict[str, Any]:
    """Read the body of a write.

    Args:
        name: The schema's name in `BODIES`.
        sent: The bytes.

    Raises:
        BadBody: They are not JSON, or break a rule.
    """
    if len(sent) > MOST_BYTES:
        raise BadBody("body", "is too long")
    try:
        value = msgspec.json.decode(sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadBody("body", "is not JSON") from None
    _check(value, BODIES[name], "body")
    return value


def _check(value: Any, schema: Schema, where: str) -> None:
    kinds = schema.get("type", [])
    allowed: list[str] = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is(value, kind) for kind in allowed):
        raise BadBody(where, f"must be {' or '.join(allowed)}")
    if "enum" in schema and value not in schema["enum"]:
        raise BadBody(where, f"must be one of {', '.join(schema['enum'])}")
    if isinstance(value, str):
        _check_text(value, schema, where)
    elif isinstance(value, dict):
        _check_object(cast("dict[str, Any]", value), schema, where)
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        if len(items) < schema.get("minItems", 0):
            raise BadBody(where, "must not be empty")
        for number, item in enumerate(items):
            _check(item, schema["items"], f"{where}[{number}]")
    elif isinstance(value, int | float) and value < schema.get("minimum", -math.inf):
        raise BadBody(where, f"must be at least {schema['minimum']}")


def _check_text(value: str, schema: Schema, where: str) -> None:
    if len(value) < schema.get("minLength", 0):
        raise BadBody(where, "must not be empty")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise BadBody(where, f"must match {schema['pattern']}")
    if schema.get("format") == "email" and not _EMAIL.fullmatch(value):
        raise BadBody(where, "must be an e-mail address")


def _check_object(value: dict[str, Any], schema: Schema, where: str) -> None:
    properties: dict[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            raise BadBody(f"{where}.{name}", "is missing")
    for name, member in value.items():
        if name in properties:
            _check(member, properties[name], f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            raise BadBody(f"{where}.{name}", "is not known here")


def _is(value: Any, kind: str) -> bool:
    if kind == "number" and isinstance(value, bool):
        return False
    return isinstance(value, _KINDS[kind])

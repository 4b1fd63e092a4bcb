"""The contract check: silent where the document agrees, one line for each way in which it doesn't."""

from __future__ import annotations

from typing import Any

import pytest

from ldt_pipeline.api.contract import (
    compare,
)
from ldt_pipeline.sandbox import openapi_document
from ldt_pipeline_tests.api.contracts import (
    SERVER,
    Change,
    Document,
    agreeing_document,
    answer,
    changed,
    moved,
    operation,
    parameter,
    schema,
    with_parameter,
    without_parameter,
)


def test_agreement_is_silent() -> None:
    assert compare(agreeing_document()) == []


def test_sandbox_document_has_no_errors() -> None:
    differences = compare(openapi_document(server_url=SERVER))
    assert [each for each in differences if each.severity == "error"] == []
    assert not any("is not in the document" in each.sentence for each in differences)


@pytest.mark.parametrize(
    ("change", "severity", "parts"),
    [
        # Paths and methods
        (
            lambda it: it["paths"].pop("/races/{id}/participants"),
            "error",
            ["GET /races/{id}/participants is not in the document", "LIST_RACE_PARTICIPANTS"],
        ),
        (
            moved("/races/{id}/participants", "/races/{id}/entrants"),
            "error",
            ["it has GET /races/{id}/entrants", "LIST_RACE_PARTICIPANTS"],
        ),
        (
            lambda it: it["paths"]["/partners/{id}"].update(
                put=it["paths"]["/partners/{id}"].pop("patch")
            ),
            "warning",
            ["PATCH /partners/{id} is not in", "it has PUT /partners/{id}", "UPDATE_PARTNER"],
        ),
        (
            lambda it: it["paths"].update({"/events": {"get": {"summary": "All events"}}}),
            "info",
            ["GET /events is in the document and not in the catalogue"],
        ),
        (lambda it: operation(it).update(deprecated=True), "warning", ["deprecated"]),
        # Query parameters
        (without_parameter("page[after]"), "error", ["no query parameter page[after]"]),
        (without_parameter("createdAt[after]"), "warning", ["no query parameter createdAt[after]"]),
        (
            lambda it: operation(it).update(parameters=[]),
            "warning",
            ["GET /participants has no query parameters"],
        ),
        (
            with_parameter(name="eventId", **{"in": "query"}),
            "info",
            ["GET /participants has a query parameter eventId"],
        ),
        (
            with_parameter(name="organiserId", required=True, **{"in": "query"}),
            "error",
            ["requires the query parameter organiserId", "paging.py"],
        ),
        (
            with_parameter(name="X-Organiser", required=True, **{"in": "header"}),
            "error",
            ["requires the header parameter X-Organiser"],
        ),
        (
            lambda it: parameter(it, "updatedAt[after]").update(required=True),
            "error",
            ["requires the query parameter updatedAt[after]"],
        ),
        # Enums and bounds
        (
            lambda it: parameter(it, "sort[updatedAt]")["schema"].update(enum=["-1"]),
            "error",
            ["does not allow the value 1 for sort[updatedAt]"],
        ),
        (
            lambda it: parameter(it, "sort[createdAt]")["schema"].update(enum=[1, -1, "asc"]),
            "warning",
            ["a value asc for sort[createdAt]"],
        ),
        (
            lambda it: parameter(it, "externalId", "/partners/{id}")["schema"]["enum"].append("x"),
            "warning",
            ["allows a value x for externalId", "EXTERNAL_ID_TYPES"],
        ),
        (
            lambda it: parameter(it, "page[size]")["schema"].update(maximum=200),
            "error",
            ["page[size] of at most 200", "PAGE_SIZE_MAX"],
        ),
        (
            lambda it: parameter(it, "page[size]")["schema"].update(maximum=1000),
            "info",
            ["page[size] of at most 1000"],
        ),
        (
            lambda it: parameter(it, "page[size]")["schema"].update(minimum=10),
            "error",
            ["page[size] of at least 10", "PAGE_SIZE_MIN"],
        ),
        # Envelopes
        (lambda it: answer(it)["properties"].pop("data"), "error", ["has no data in its answer"]),
        (lambda it: answer(it)["properties"].pop("page"), "error", ["has no page in its answer"]),
        (
            lambda it: answer(it, "/events/{id}/tickets")["properties"].update(page={}),
            "error",
            ["GET /events/{id}/tickets is paged now", "Answer.PAGES"],
        ),
        (
            lambda it: operation(it)["responses"]["200"]["content"].update(
                {
                    "application/json": {
                        "schema": {"type": "array", "items": answer(it)["properties"]["data"]}
                    }
                }
            ),
            "error",
            ["answers with a bare array"],
        ),
        (
            lambda it: operation(it)["responses"]["200"].pop("content"),
            "info",
            ["GET /participants has an answer that the document does not describe"],
        ),
        (
            lambda it: schema(it, "PageCursors")["properties"].pop("next"),
            "error",
            ["no next in the page", "GET /participants", "and 2 more"],
        ),
        (
            lambda it: schema(it, "PageCursors")["properties"].pop("totalResults"),
            "warning",
            ["no totalResults"],
        ),
        (
            lambda it: schema(it, "PageCursors")["properties"].update(hasMore={}),
            "info",
            ["has hasMore in the page"],
        ),
        # Records
        (
            lambda it: schema(it, "Participant")["properties"].update(shirtSize={}),
            "warning",
            ["A participant has a property shirtSize", "ldt_pipeline/tables/tidy.py"],
        ),
        (
            lambda it: schema(it, "Application")["properties"].pop("ballotDraw"),
            "warning",
            ["An application has no property ballotDraw", "RECORDS"],
        ),
        (
            lambda it: schema(it, "Ticket")["properties"].pop("usedCapacity"),
            "info",
            ["A ticket has no property usedCapacity, which we inferred"],
        ),
        (
            lambda it: answer(it)["properties"].update(
                data={
                    "type": ["array", "null"],
                    "items": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Participant"},
                            {"properties": {"teamName": {}}},
                        ]
                    },
                }
            ),
            "warning",
            ["The participant of GET /participants has a property teamName"],
        ),
        # Bodies
        (
            lambda it: operation(it, "/partners/{id}/claim-link", "post")["requestBody"]["content"][
                "application/json"
            ]["schema"]["properties"].pop("emailAddress"),
            "warning",
            ["POST /partners/{id}/claim-link takes no emailAddress"],
        ),
        (
            lambda it: operation(it, "/partners/{id}/claim-link", "post")["requestBody"]["content"][
                "application/json"
            ]["schema"].update(
                required=["locale"],
                properties={"emailAddress": {}, "reservedEntryId": {}, "locale": {}},
            ),
            "warning",
            ["requires locale in its body"],
        ),
        # The document as a whole
        (
            lambda it: it["info"].update(version="0.2.0"),
            "info",
            ["is of version 0.2.0", "REFERENCE_VERSION"],
        ),
        (
            lambda it: it.update(
                paths={f"/v1{path}": each for path, each in it["paths"].items()}
            ),
            "error",
            ["describes /v1, and we read /v0"],
        ),
    ],
)  # fmt: skip
def test_each_drift_is_one_line(change: Change, severity: str, parts: list[str]) -> None:
    differences = changed(change)
    assert len(differences) == 1, differences
    assert differences[0].severity == severity
    assert all(part in differences[0].sentence for part in parts), differences[0].sentence
    assert differences[0].sentence.endswith(".")
    assert "\n" not in differences[0].sentence


def test_new_partner_type_is_told_of_records_and_of_bodies() -> None:
    differences = changed(lambda it: schema(it, "PartnerType")["enum"].append("CLUB"))
    assert [each.severity for each in differences] == ["warning", "warning"]
    assert all("CLUB" in each.sentence for each in differences)
    assert all("PARTNER_TYPES" in each.sentence for each in differences)
    assert {each.operation for each in differences} == {"A partner", "POST /partners"}


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(paths={f"/v0{path}": each for path, each in it["paths"].items()}),
        lambda it: it.update(paths={f"{path}/": each for path, each in it["paths"].items()}),
        lambda it: it.update(
            paths={path.replace("{id}", "{raceId}"): each for path, each in it["paths"].items()}
        ),
        lambda it: it.update(
            paths={path.replace("{id}", ":id"): each for path, each in it["paths"].items()}
        ),
        lambda it: it["paths"].update({"/v1/participants": {"get": {"summary": "A later one"}}}),
        # 3.0 spells null in its own way.
        lambda it: schema(it, "Participant")["properties"].update(
            booker={"nullable": True, "allOf": [{"$ref": "#/components/schemas/Booker"}]}
        ),
        lambda it: it.update(openapi="3.0.3"),
        lambda it: answer(it)["properties"].update(
            page={"anyOf": [{"$ref": "#/components/schemas/PageCursors"}, {"type": "null"}]}
        ),
        lambda it: operation(it)["responses"].update({"2XX": operation(it)["responses"].pop("200")}),
        lambda it: it["paths"]["/participants"].update(
            parameters=operation(it).pop("parameters")
        ),
    ],
)  # fmt: skip
def test_other_ways_to_say_the_same(change: Change) -> None:
    assert changed(change) == []


def test_parameters_spelt_as_objects() -> None:
    def change(document: Document) -> None:
        spelt: dict[str, dict[str, Any]] = {}
        plain: list[Document] = []
        for each in operation(document)["parameters"]:
            outer, _, inner = each["name"].partition("[")
            if inner:
                spelt.setdefault(outer, {})[inner.rstrip("]")] = each["schema"]
            else:
                plain.append(each)
        operation(document)["parameters"] = [
            *plain,
            *(
                {
                    "name": outer,
                    "in": "query",
                    "style": "deepObject",
                    "schema": {"type": "object", "properties": properties},
                }
                for outer, properties in spelt.items()
            ),
        ]

    assert changed(change) == []


def test_properties_that_are_read_under_other_names() -> None:
    document = agreeing_document()
    schema(document, "Ticket")["properties"]["salesStartDate"] = {}
    assert len(compare(document)) == 1
    assert compare(document, also_read={"ticket": {"salesStartDate"}}) == []

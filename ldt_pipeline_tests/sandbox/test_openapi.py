from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from ldt_pipeline.sandbox import Sandbox, openapi_document
from ldt_pipeline.sandbox.operations import OPERATIONS
from ldt_pipeline_tests.sandbox.client import Client

REFERENCED_FIELDS = {
    "Participant": """
        id participantIndex bookingId transactionId eventOccurrenceId eventId raceId ticketTitle
        ticketId createdAt updatedAt waves fields booker bookerType originalTicketPrice
        incrementalStatus bibNumber bookingCodesUsed reservedEntryUrl partnerMarketingOptIns tags
        gdprRedacted statusDetails tracking applicationId raceDayDetails resultSubmission eventName
        raceName raceStartDate sportId distanceId distances disciplineLabel course eventLocation
        competitorSize reservedEntryGroupCode reservedEntryGroupName
        reservedEntryPartnerExternalIds reservedEntryPartnerName
    """,
    "Application": """
        id participantIndex bookingId transactionId eventOccurrenceId eventId raceId ticketTitle
        ticketId createdAt updatedAt waves fields booker bookerType originalTicketPrice
        incrementalStatus bibNumber bookingCodesUsed reservedEntryUrl partnerMarketingOptIns tags
        gdprRedacted statusDetails tracking approvalStatus applicationResolutionType ballotDraw
        eventName raceName raceStartDate sportId distanceId distances disciplineLabel course
        eventLocation competitorSize reservedEntryGroupCode reservedEntryGroupName
        reservedEntryPartnerExternalIds reservedEntryPartnerName
    """,
    "Partner": """
        id name description type externalIds contacts defaultMarketing specificMarketings
        canCreateSubPartners createdAt updatedAt
    """,
    "ReservedEntryGroup": """
        id name description eventId partnerId maxCapacity usedCapacity tickets type settings
    """,
}

WINDOWS = {
    f"{field}[{side}]" for field in ("createdAt", "updatedAt") for side in ("after", "before")
}
LIST = WINDOWS | {
    "page[size]", "page[after]", "page[before]", "sort[updatedAt]", "sort[createdAt]",
}  # fmt: skip
PARAMETERS: dict[str, set[str]] = {
    "/applications": LIST | {"extendMetadata"},
    "/applications/{id}": {"extendMetadata"},
    "/events/{id}/applications": LIST | {"extendMetadata"},
    "/participants": LIST | {"extendMetadata"},
    "/participants/{id}": {"extendMetadata"},
    "/races/{id}/participants": LIST | {"extendMetadata", "eventOccurrenceId"},
    "/partners": LIST | {"search"},
    "/partners/{id}": {"externalId"},
    "/reserved-entries/{id}": set(),
    "/events/{id}/reserved-entries": set(),
    "/events/{id}/tickets": set(),
}
WRITES = {
    "/partners": {"post"},
    "/partners/{id}": {"patch"},
    "/partners/{id}/claim-link": {"post"},
    "/reserved-entries/{id}": {"patch", "delete"},
    "/events/{id}/reserved-entries": {"post"},
}


@pytest.fixture(scope="module")
def document(shared_sandbox: Sandbox) -> dict[str, Any]:
    response = requests.get(shared_sandbox.document_url, timeout=10)
    assert response.status_code == 200
    return response.json()


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def test_it_is_served_as_generated(document: dict[str, Any], shared_sandbox: Sandbox) -> None:
    assert document["openapi"].startswith("3.1")
    assert document == openapi_document(server_url=shared_sandbox.base_url)


def test_it_lists_the_operations_that_the_api_page_names(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {*PARAMETERS, *WRITES}
    for path, methods in WRITES.items():
        assert set(document["paths"][path]) - {"get"} == methods
        for method in methods:
            assert ("requestBody" in document["paths"][path][method]) == (method != "delete")
    for path, expected in PARAMETERS.items():
        assert "get" in document["paths"][path]
        parameters = document["paths"][path]["get"]["parameters"]
        query = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert query == expected
        assert in_path == set(re.findall(r"{(\w+)}", path))


def test_it_names_the_documented_limits(document: dict[str, Any]) -> None:
    parameters = {
        parameter["name"]: parameter["schema"]
        for path in document["paths"].values()
        if "get" in path
        for parameter in path["get"]["parameters"]
    }
    assert parameters["page[size]"]["minimum"] == 1
    assert parameters["page[size]"]["maximum"] == 500
    assert parameters["sort[updatedAt]"]["enum"] == ["1", "-1"]
    assert parameters["externalId"]["enum"] == ["enthuse", "justGiving", "londonMarathon"]
    assert parameters["updatedAt[after]"]["format"] == "date-time"


@pytest.mark.parametrize("kind", sorted(REFERENCED_FIELDS))
def test_it_describes_every_field_of_the_reference(document: dict[str, Any], kind: str) -> None:
    properties = document["components"]["schemas"][kind]["properties"]
    assert set(properties) == set(REFERENCED_FIELDS[kind].split())


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = references(document)
    assert used <= known
    assert known <= used | {"#/components/schemas/Error"}


def test_every_listed_operation_answers(document: dict[str, Any], client: Client) -> None:
    account = client.sandbox.account
    identifiers = {
        "Application": account.application_ids()[0],
        "Participant": account.participant_ids()[0],
        "Partner": account.partner_ids()[0],
        "ReservedEntryGroup": account.group_ids()[0],
    }
    for operation in [each for each in OPERATIONS if not each.is_write]:
        assert operation.path in document["paths"]
        identifier = account.race_ids()[0] if "races" in operation.path else account.event_ids()[0]
        if operation.shape == "one":
            identifier = identifiers[operation.record]
        body = client.json(operation.path.replace("{id}", identifier))
        schema = document["paths"][operation.path]["get"]["responses"]["200"]["content"][
            "application/json"
        ]["schema"]
        if operation.shape == "one":
            assert schema == {"$ref": f"#/components/schemas/{operation.record}"}
            assert "id" in body
        else:
            assert set(schema["properties"]) == set(body)

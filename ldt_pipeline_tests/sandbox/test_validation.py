from __future__ import annotations

import base64
import json

import pytest

from ldt_pipeline.sandbox.operations import OPERATIONS
from ldt_pipeline_tests.sandbox.client import Client


def cursor_at(*place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


BAD = [
    ("page[size]", "0"),
    ("page[size]", "501"),
    ("page[size]", "-1"),
    ("page[size]", "ten"),
    ("page[size]", "10.5"),
    ("page[size]", ""),
    ("page[size]", "٣"),
    ("page[after]", "nonsense"),
    ("page[before]", "nonsense"),
    ("page[after]", ""),
    ("page[after]", "bm9uc2Vuc2U"),
    ("page[after]", "6399c20015d60ae3ff28f24c"),
    ("page[after]", "é"),
    ("page[after]", cursor_at("created", True, 1 << 70, 3)),
    ("page[after]", cursor_at("created", True, -1, 3)),
    ("page[after]", cursor_at("updated", True, 1_700_000_000_000, 3)),
    ("page[after]", cursor_at("created", False, 1_700_000_000_000, 3)),
    ("createdAt[after]", "yesterday"),
    ("createdAt[before]", "2020-01-01"),
    ("updatedAt[after]", "2020-01-01T20:15:00"),
    ("updatedAt[before]", "2020-13-01T20:15:00Z"),
    ("updatedAt[after]", "2020-02-30T20:15:00Z"),
    ("updatedAt[after]", "1577909700000"),
    ("updatedAt[after]", ""),
    ("updatedAt[after]", "2020-01-01T20:15:00 00:00"),
    ("sort[updatedAt]", "0"),
    ("sort[updatedAt]", "asc"),
    ("sort[createdAt]", "+1"),
    ("sort[createdAt]", ""),
    ("pageSize", "10"),
    ("page%5Bsize%5D", "10"),
    ("page?size[", "100"),
    ("updatedAt", "2020-01-01T20:15:00Z"),
    ("extendmetadata", "true"),
    ("externalId", "enthuse"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_parameter_is_named(client: Client, name: str, value: str) -> None:
    message = client.refusal("/participants", {name: value})
    assert message.startswith(f"{name}: ")


@pytest.mark.parametrize("value", ["True", "1", "", "yes"])
def test_flags_are_true_or_false(client: Client, value: str) -> None:
    assert client.refusal("/participants", {"extendMetadata": value}).startswith("extendMetadata")


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ([("page[size]", "5"), ("page[size]", "5")], "page[size]"),
        ([("sort[updatedAt]", "1"), ("sort[createdAt]", "1")], "sort[createdAt]"),
        ([("search", "a"), ("search", "b")], "search"),
    ],
)
def test_contradictions_are_refused(
    client: Client, params: list[tuple[str, str]], named: str
) -> None:
    assert client.refusal("/partners", params).startswith(f"{named}: ")


def test_only_one_direction_at_a_time(client: Client) -> None:
    cursor = client.json("/participants", {"page[size]": 1})["page"]["next"]
    both = {"page[after]": cursor, "page[before]": cursor}
    assert client.refusal("/participants", both).startswith("page[before]: ")


def test_a_cursor_of_another_order_is_refused(client: Client) -> None:
    cursor = client.json("/participants", {"sort[updatedAt]": 1, "page[size]": 1})["page"]["next"]
    for order in ({}, {"sort[updatedAt]": -1}, {"sort[createdAt]": 1}):
        message = client.refusal("/participants", {**order, "page[after]": cursor})
        assert message.startswith("page[after]: ")


def test_a_partner_has_three_kinds_of_external_id(client: Client) -> None:
    partner_id = client.sandbox.account.partner_ids()[0]
    message = client.refusal(f"/partners/{partner_id}", {"externalId": "benevity"})
    assert "londonMarathon" in message


def test_every_operation_refuses_what_it_does_not_list(client: Client) -> None:
    account = client.sandbox.account
    event_id = account.event_ids()[0]
    identifiers = {
        "/applications/{id}": account.application_ids()[0],
        "/participants/{id}": account.participant_ids()[0],
        "/races/{id}/participants": account.race_ids()[0],
        "/partners/{id}": account.partner_ids()[0],
        "/reserved-entries/{id}": account.group_ids()[0],
    }
    reads = [operation for operation in OPERATIONS if operation.method == "GET"]
    assert len(reads) > 10
    everything = {parameter.name for operation in reads for parameter in operation.parameters}
    for operation in reads:
        path = operation.path.replace("{id}", identifiers.get(operation.path, event_id))
        client.json(path)
        listed = {parameter.name for parameter in operation.parameters}
        for name in (everything | {"unheardOf"}) - listed:
            assert client.refusal(path, {name: "1"}).startswith(f"{name}: ")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:00.0Z",
        "2026-01-01T01:00:00+01:00",
        "2025-12-31T19:00:00.000-05:00",
        "2026-01-01t00:00:00.000000000z",
    ],
)
def test_date_times_come_in_every_rfc_3339_form(client: Client, text: str) -> None:
    expected = client.json("/participants", {"createdAt[after]": "2026-01-01T00:00:00Z"})
    assert client.json("/participants", {"createdAt[after]": text}) == expected


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-12:00"])
def test_the_ends_of_the_calendar_are_instants_too(client: Client, text: str) -> None:
    total = client.json("/participants")["page"]["totalResults"]
    found = client.json("/participants", {"createdAt[after]": text})["page"]["totalResults"]
    assert found == (total if text.startswith("0001") else 0)

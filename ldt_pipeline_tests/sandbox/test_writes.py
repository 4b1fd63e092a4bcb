"""Writes: what the reference says of bodies is kept, and what was written is read afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from ldt_pipeline.sandbox import Sandbox
from ldt_pipeline_tests.sandbox.client import Client

CONTACT = {"firstName": "Ada", "lastName": "Quill", "emailAddress": "ada@example.org"}


def send(client: Client, method: str, path: str, body: Any = None, **params: str) -> Any:
    return client.session.request(
        method, client.sandbox.base_url + path, json=body, params=params, timeout=10
    )


@pytest.fixture
def event_id(sandbox: Sandbox) -> str:
    return sandbox.account.event_ids()[0]


@pytest.fixture
def group_body(sandbox: Sandbox, event_id: str) -> dict[str, Any]:
    tickets = sandbox.account.tickets(event_id) or []
    return {
        "name": "Gold places",
        "maxCapacity": 12,
        "type": "SINGLE_USE",
        "tickets": [{"ticketId": tickets[0]["id"]}],
        "partnerId": sandbox.account.partner_ids()[0],
    }


def test_a_partner_is_created_read_found_and_changed(own_client: Client) -> None:
    made = send(own_client, "POST", "/partners", {"name": "Owl Rescue", "contacts": [CONTACT]})
    assert made.status_code == 200
    partner = made.json()
    assert own_client.json(f"/partners/{partner['id']}") == partner
    assert own_client.walk("/partners", {"search": "owl resc"}) == [partner]
    body = {"name": "Owl Rescue UK", "externalIds": {"enthuse": "owl-1"}}
    changed = send(own_client, "PATCH", f"/partners/{partner['id']}", body).json()
    assert changed["name"] == "Owl Rescue UK"
    assert changed["contacts"] == [CONTACT]
    assert changed["updatedAt"] >= partner["updatedAt"]
    assert own_client.walk("/partners", {"search": "owl rescue uk"}) == [changed]
    by_external = send(
        own_client, "PATCH", "/partners/owl-1", {"description": "Hoot"}, externalId="enthuse"
    )
    assert by_external.json()["description"] == "Hoot"
    assert by_external.json()["id"] == partner["id"]


def test_a_group_is_created_read_changed_and_deleted(
    own_client: Client, event_id: str, group_body: dict[str, Any]
) -> None:
    path = f"/events/{event_id}/reserved-entries"
    before = own_client.json(path)["data"]
    group = send(own_client, "POST", path, group_body).json()
    assert own_client.json(path)["data"] == [*before, group]
    assert own_client.json(f"/reserved-entries/{group['id']}") == group
    assert {key: group[key] for key in ("name", "maxCapacity", "type", "partnerId")} == {
        key: group_body[key] for key in ("name", "maxCapacity", "type", "partnerId")
    }
    assert (group["usedCapacity"], group["eventId"]) == (0, event_id)
    changed = send(own_client, "PATCH", f"/reserved-entries/{group['id']}", {"maxCapacity": 0})
    assert changed.json() == {**group, "maxCapacity": 0}
    assert send(own_client, "DELETE", f"/reserved-entries/{group['id']}").json() == {}
    assert own_client.json(path)["data"] == before
    assert send(own_client, "DELETE", f"/reserved-entries/{group['id']}").status_code == 404


def test_a_claim_link_is_e_mailed_each_time_that_it_is_asked_for(
    own_client: Client, event_id: str, group_body: dict[str, Any]
) -> None:
    group = send(own_client, "POST", f"/events/{event_id}/reserved-entries", group_body).json()
    path = f"/partners/{group['partnerId']}/claim-link"
    body = {"emailAddress": "ada@example.org", "reservedEntryId": group["id"]}
    for _ in range(2):
        assert send(own_client, "POST", path, body).json() == {}
    sent = own_client.sandbox.account.sent_links
    assert [(each.group_id, each.address) for each in sent] == [
        (group["id"], "ada@example.org")
    ] * 2
    other = own_client.sandbox.account.partner_ids()[1]
    assert send(own_client, "POST", f"/partners/{other}/claim-link", body).status_code == 400


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": " leading blank"}, "name"),
        ({"name": "x"}, "name"),
        ({"name": 3}, "name"),
        ({"maxCapacity": -1}, "maxCapacity"),
        ({"maxCapacity": True}, "maxCapacity"),
        ({"maxCapacity": "12"}, "maxCapacity"),
        ({"tickets": []}, "tickets"),
        ({"tickets": [{}]}, "tickets"),
        ({"tickets": [{"ticketId": "nowhere"}]}, "tickets"),
        ({"type": "MANY_USE"}, "type"),
        ({"partnerId": "p_nobody"}, "partnerId"),
        ({"colour": "red"}, "colour"),
        ({"name": None}, "name"),
    ],
)
def test_a_group_that_breaks_a_rule_is_refused(
    own_client: Client,
    event_id: str,
    group_body: dict[str, Any],
    change: dict[str, Any],
    where: str,
) -> None:
    path = f"/events/{event_id}/reserved-entries"
    before = own_client.json(path)
    refused = send(own_client, "POST", path, {**group_body, **change})
    assert refused.status_code == 400
    assert where in refused.json()["message"]
    assert own_client.json(path) == before


@pytest.mark.parametrize("missing", ["name", "maxCapacity", "tickets", "type"])
def test_a_group_needs_what_the_reference_requires(
    own_client: Client, event_id: str, group_body: dict[str, Any], missing: str
) -> None:
    del group_body[missing]
    refused = send(own_client, "POST", f"/events/{event_id}/reserved-entries", group_body)
    assert refused.status_code == 400
    assert missing in refused.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "No Contacts"},
        {"name": "No Contacts", "contacts": []},
        {"contacts": [CONTACT]},
        {"name": "Bad Mail", "contacts": [{"emailAddress": "nobody"}]},
        {"name": "Bad Type", "contacts": [CONTACT], "type": "PIRATES"},
        [],
    ],
)
def test_a_partner_that_breaks_a_rule_is_refused(own_client: Client, body: Any) -> None:
    before = own_client.sandbox.account.partner_ids()
    assert send(own_client, "POST", "/partners", body).status_code == 400
    assert own_client.sandbox.account.partner_ids() == before


def test_a_claim_link_needs_an_address_that_is_one(own_client: Client) -> None:
    partner_id = own_client.sandbox.account.partner_ids()[0]
    path = f"/partners/{partner_id}/claim-link"
    assert send(own_client, "POST", path, {"emailAddress": "ada at home"}).status_code == 400
    assert own_client.sandbox.account.sent_links == []


def test_a_fault_before_the_effect_leaves_everything_as_it_was(
    own_client: Client, event_id: str, group_body: dict[str, Any]
) -> None:
    path = f"/events/{event_id}/reserved-entries"
    before = own_client.json(path)
    own_client.sandbox.fail_next("http_502", method="POST")
    assert own_client.json(path) == before, "the order is for writes alone"
    assert send(own_client, "POST", path, group_body).status_code == 502
    own_client.sandbox.fail_next("reset", method="POST")
    with pytest.raises(requests.ConnectionError):
        send(own_client, "POST", path, group_body)
    assert own_client.json(path) == before


@pytest.mark.parametrize("fault", ["reset_after_write", "http_502_after_write"])
def test_a_fault_after_the_effect_hides_that_it_happened(
    own_client: Client, event_id: str, group_body: dict[str, Any], fault: Any
) -> None:
    path = f"/events/{event_id}/reserved-entries"
    before = own_client.json(path)["data"]
    own_client.sandbox.fail_next(fault)
    own_client.json(path)  # a read never has such a fault
    try:
        assert send(own_client, "POST", path, group_body).status_code == 502
    except requests.ConnectionError:
        assert fault == "reset_after_write"
    assert len(own_client.json(path)["data"]) == len(before) + 1


@pytest.mark.parametrize("length", [1_000_001, 3_000_000])
def test_a_body_that_is_too_long_is_refused_like_any_other(own_client: Client, length: int) -> None:
    body = {"name": "Long", "contacts": [CONTACT], "description": "x" * length}
    refused = send(own_client, "POST", "/partners", body)
    assert refused.status_code == 400
    assert refused.json() == {"message": "body: is too long"}
    assert own_client.sandbox.requests[-1].status == 400


def test_marketing_of_another_form_than_is_answered_is_refused(own_client: Client) -> None:
    body = {"name": "Owls", "contacts": [CONTACT]}
    marketing = [{"eventId": "1", "title": ["Run", "for", "owls"]}]
    refused = send(own_client, "POST", "/partners", {**body, "specificMarketings": marketing})
    assert refused.status_code == 400
    assert "specificMarketings[0].title" in refused.json()["message"]

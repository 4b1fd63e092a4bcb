from __future__ import annotations

import pytest

from ldt_pipeline_tests.sandbox.client import Client, ids

ONLY_EXTENDED = {"tracking", "course", "raceDayDetails", "statusDetails"}


def test_lists_hold_everything_in_the_account(client: Client) -> None:
    account = client.sandbox.account
    for path, expected in (
        ("/participants", account.participant_ids()),
        ("/applications", account.application_ids()),
        ("/partners", account.partner_ids()),
    ):
        records = client.walk(path, {"page[size]": 500})
        assert sorted(ids(records)) == sorted(expected)
        assert expected


def test_one_participant_is_as_in_the_list(client: Client) -> None:
    listed = client.json("/participants", {"page[size]": 3, "extendMetadata": "true"})["data"]
    for record in listed:
        alone = client.json(f"/participants/{record['id']}", {"extendMetadata": "true"})
        assert alone == record == client.sandbox.account.participant(record["id"])


def test_one_application_is_as_in_the_list(client: Client) -> None:
    listed = client.json("/applications", {"page[size]": 3, "extendMetadata": "true"})["data"]
    for record in listed:
        alone = client.json(f"/applications/{record['id']}", {"extendMetadata": "true"})
        assert alone == record == client.sandbox.account.application(record["id"])


def test_applications_of_an_event(client: Client) -> None:
    account = client.sandbox.account
    found = []
    for event_id in account.event_ids():
        records = client.walk(f"/events/{event_id}/applications")
        assert {record["eventId"] for record in records} <= {event_id}
        assert sorted(ids(records)) == sorted(account.application_ids(event_id=event_id))
        found += ids(records)
    assert sorted(found) == sorted(account.application_ids())


def test_participants_of_a_race_and_of_one_edition(client: Client) -> None:
    account = client.sandbox.account
    event_id = account.event_ids()[0]
    race_id = account.race_ids(event_id)[0]
    path = f"/races/{race_id}/participants"
    everybody = client.walk(path)
    assert sorted(ids(everybody)) == sorted(account.participant_ids(race_id=race_id))
    assert {record["raceId"] for record in everybody} == {race_id}
    by_edition = []
    for occurrence_id in account.occurrence_ids(event_id):
        pages = list(client.pages(path, {"eventOccurrenceId": occurrence_id}))
        records = [record for page in pages for record in page["data"]]
        assert {page["page"]["totalResults"] for page in pages} == {len(records)}
        assert {record["eventOccurrenceId"] for record in records} <= {occurrence_id}
        by_edition += ids(records)
    assert sorted(by_edition) == sorted(ids(everybody))
    assert client.json(path, {"eventOccurrenceId": "1353673654"})["data"] == []


def test_partners_are_found_whatever_the_case(client: Client) -> None:
    names = {partner["name"] for partner in client.walk("/partners")}
    expected = {name for name in names if "fondation" in name.lower() or "otter" in name.lower()}
    found = {
        partner["name"]
        for text in ("FONDATION", "oTTer")
        for partner in client.walk("/partners", {"search": text})
    }
    assert found == expected
    assert expected
    page = client.json("/partners", {"search": "no such name"})
    assert page["data"] == []
    assert page["page"]["totalResults"] == 0


@pytest.mark.parametrize("kind", ["enthuse", "justGiving", "londonMarathon"])
def test_a_partner_by_its_own_id_and_by_an_external_one(client: Client, kind: str) -> None:
    partners = [
        partner
        for partner in client.walk("/partners")
        if partner["externalIds"] and partner["externalIds"][kind]
    ]
    assert partners
    for partner in partners[:3]:
        assert client.json(f"/partners/{partner['id']}") == partner
        external_id = partner["externalIds"][kind]
        assert client.json(f"/partners/{external_id}", {"externalId": kind}) == partner
        client.refusal(f"/partners/{external_id}", status=404)


def test_reserved_entries_and_tickets_of_an_event(client: Client) -> None:
    account = client.sandbox.account
    for event_id in account.event_ids():
        groups = client.json(f"/events/{event_id}/reserved-entries")
        tickets = client.json(f"/events/{event_id}/tickets")
        assert set(groups) == set(tickets) == {"data"}
        assert {group["eventId"] for group in groups["data"]} == {event_id}
        assert {ticket["eventId"] for ticket in tickets["data"]} == {event_id}
        assert ids(groups["data"]) == account.group_ids(event_id)
        known = {ticket["id"] for ticket in tickets["data"]}
        for group in groups["data"]:
            assert {ticket["ticketId"] for ticket in group["tickets"]} <= known
        first = groups["data"][0]
        assert client.json(f"/reserved-entries/{first['id']}") == first


def test_less_is_told_without_extended_metadata(client: Client) -> None:
    for path in ("/participants", "/applications"):
        full = client.json(path, {"extendMetadata": "true"})["data"]
        for params in ({}, {"extendMetadata": "false"}):
            short = client.json(path, params)["data"]
            assert ids(short) == ids(full)
            for less, more in zip(short, full, strict=True):
                assert not set(less) & ONLY_EXTENDED
                assert {key: more[key] for key in less} == less


@pytest.mark.parametrize(
    "path",
    [
        "/participants/6399c20015d60ae3ff28f24c",
        "/participants/nonsense",
        "/participants/6399c20015d60ae3ff-00001",
        "/applications/6399c20015d60ae3ff28f24c",
        "/events/67123/applications",
        "/events/67123/reserved-entries",
        "/events/67123/tickets",
        "/races/67123/participants",
        "/partners/p_unknown",
        "/reserved-entries/re_unknown",
        "/elsewhere",
        "/participants/",
    ],
)
def test_what_does_not_exist_is_not_found(client: Client, path: str) -> None:
    assert client.refusal(path, status=404)


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "PUT", "HEAD"])
def test_a_list_takes_no_method_but_its_own(client: Client, method: str) -> None:
    response = client.session.request(method, client.sandbox.base_url + "/partners", timeout=10)
    assert response.status_code == 405


def test_answers_are_json_in_utf_8(client: Client) -> None:
    response = client.get("/participants")
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


def test_requests_are_logged_without_the_key(client: Client) -> None:
    client.sandbox.clear_requests()
    client.get("/participants", {"page[size]": 7})
    client.get("/participants/nobody")
    first, second = client.sandbox.requests
    assert (first.method, first.path, first.status) == ("GET", "/v0/participants", 200)
    assert first.query == {"page[size]": "7"}
    assert first.raw_query == "page%5Bsize%5D=7"
    assert (second.path, second.status, second.fault) == ("/v0/participants/nobody", 404, None)
    assert client.sandbox.api_key not in repr(client.sandbox.requests)

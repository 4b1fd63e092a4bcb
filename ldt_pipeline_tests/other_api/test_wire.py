"""Records, transport, operations and the truth are as the readings say, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

import pytest
import requests

from ldt_pipeline_tests.other_api import (
    NESTED_KEYS,
    OtherApi,
    Readings,
    expected_allocations,
    expected_entries,
    expected_ids,
    expected_partners,
    make_dataset,
)
from ldt_pipeline_tests.other_api.readings import EndOfList
from ldt_pipeline_tests.other_api.walking import get


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("z_milliseconds", "2025-05-06T07:08:09.123Z"),
        ("offset", "2025-05-06T07:08:09.123+00:00"),
        ("microseconds", "2025-05-06T07:08:09.123000Z"),
        ("seconds", "2025-05-06T07:08:09Z"),
    ],
)
def test_timestamps(style: str, text: str) -> None:
    dataset = make_dataset(11)
    record_id = dataset.live("participants")[0]["id"]
    with OtherApi(dataset, Readings(timestamps=style)) as api:
        instant = datetime(2025, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
        api.touch("participants", record_id, at=instant, bibNumber="007")
        record = get(api, f"/participants/{record_id}").json()
    assert (record["updatedAt"], record["bibNumber"]) == (text, "007")


SHAPES: list[tuple[Readings, Callable[[dict[str, Any]], Any], Any]] = [
    (Readings(waves="strings"), lambda record: isinstance(record["waves"][0], str), True),
    (Readings(waves="titles"), lambda record: sorted(record["waves"][0]), ["startDate", "title", "waveId"]),
    (Readings(fields=("question", "answer")), lambda record: sorted(record["fields"][0]), ["answer", "id", "question"]),
    (Readings(fields=("key", "values")), lambda record: isinstance(record["fields"][0]["values"], list), True),
    (Readings(fields="mapping"), lambda record: "First name" in record["fields"], True),
    (Readings(tags="objects"), lambda record: sorted(record["tags"][0]), ["id", "name"]),
    (Readings(booker="full_name"), lambda record: "emailAddress" in record["booker"], True),
    (Readings(prices="text"), lambda record: record["originalTicketPrice"]["amount"], "45.50"),
    (Readings(prices="bare"), lambda record: record["originalTicketPrice"], 45.5),
    (Readings(null_elements=True), lambda record: (record["waves"][0], record["tags"][0]), (None, None)),
    (Readings(numbers_as_text=True), lambda record: record["competitorSize"], "12293"),
    (Readings(extra_keys=True), lambda record: record["booker"]["x-new"] == record["x-new"], True),
    (Readings(nested_nulls=NESTED_KEYS), lambda record: {str(record[key]) for key in NESTED_KEYS & set(record)}, {"None"}),
    (Readings(missing_keys=frozenset({"bibNumber", "id"})), lambda record: ("bibNumber" in record, "id" in record), (False, True)),
    (Readings(extend_metadata_hides=True), lambda record: "raceName" in record, False),
]  # fmt: skip


@pytest.mark.parametrize(("readings", "look", "expected"), SHAPES)
def test_shapes(readings: Readings, look: Callable[[Any], Any], expected: Any) -> None:
    dataset = make_dataset(12, redacted=0)
    tagged = next(record for record in dataset.live("participants") if record["tags"])
    with OtherApi(dataset, readings) as api:
        assert look(get(api, f"/participants/{tagged['id']}").json()) == expected


def test_text_as_numbers() -> None:
    dataset = make_dataset(13, numeric_ids=True)
    with OtherApi(dataset, Readings(text_as_numbers=True)) as api:
        records = get(api, "/participants", **{"page[size]": "500"}).json()["data"]
    assert {str(record["id"]) for record in records} == expected_ids(dataset, "participants")
    assert {type(record["raceId"]) for record in records} == {int}
    bibs = {row["id"]: row["bib_number"] for row in expected_entries(dataset)}
    for record in records:
        bib = record["bibNumber"]
        assert (str(bib) if isinstance(bib, int) else bib) == bibs[str(record["id"])]


def test_extended_metadata_and_tickets_and_groups() -> None:
    dataset = make_dataset(14)
    ticket, group = dataset.live("tickets")[0], dataset.live("reserved_entries")[0]
    record_id = dataset.live("participants")[0]["id"]
    readings = Readings(
        extend_metadata_hides=True, tickets="ticket_id_name", group_tickets="strings"
    )
    with OtherApi(dataset, readings) as api:
        extended = get(api, f"/participants/{record_id}", extendMetadata="true").json()
        tickets = get(api, f"/events/{ticket['eventId']}/tickets").json()
        groups = get(api, f"/events/{group['eventId']}/reserved-entries").json()
    assert extended["raceName"]
    assert set(tickets) == set(groups) == {"data"}
    assert {"ticketId", "name"} <= set(tickets["data"][0])
    assert isinstance(groups["data"][0]["tickets"][0], str)


@pytest.mark.parametrize("gzip", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_transport(gzip: bool, chunked: bool) -> None:
    dataset = make_dataset(15)
    readings = Readings(gzip=gzip, chunked=chunked, pretty=True, date_header=False)
    with OtherApi(dataset, readings) as api, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {api.api_key}"
        for _ in range(3):
            response = session.get(f"{api.base_url}/participants", timeout=10)
            assert response.status_code == 200
    assert "Date" not in response.headers
    assert (response.headers.get("Content-Encoding") == "gzip") == gzip
    assert (response.headers.get("Transfer-Encoding") == "chunked") == chunked
    assert len(response.json()["data"]) == 100
    assert response.text.count("\n") > 1_000


def test_latency() -> None:
    with OtherApi(make_dataset(15), Readings(latency=0.2)) as api:
        assert get(api, "/partners").elapsed > timedelta(seconds=0.19)


def test_authorisation_and_log() -> None:
    with OtherApi(make_dataset(16)) as api:
        response = requests.get(f"{api.base_url}/participants", timeout=10)
        assert response.status_code == 401
        assert get(api, "/participants", **{"page[size]": "2"}).ok
        assert get(api, "/nonsense").status_code == 404
        assert api.requests == [
            ("GET", "/participants", {}, 401),
            ("GET", "/participants", {"page[size]": "2"}, 200),
            ("GET", "/nonsense", {}, 404),
        ]
        assert api.api_key not in json.dumps(api.requests)


def test_strictness() -> None:
    dataset = make_dataset(17)
    group_id = dataset.live("reserved_entries")[0]["id"]
    with OtherApi(dataset, Readings(strict_params=True, encoded_brackets_only=True)) as api:
        assert get(api, "/participants", search="x").status_code == 400
        assert get(api, "/partners", extendMetadata="true").status_code == 400
        assert get(api, f"/reserved-entries/{group_id}", extendMetadata="true").status_code == 400
        assert get(api, "/partners", search="LÄUFER").json()["page"]["totalResults"] == 10
        # requests would encode the brackets, whatever one writes.
        connection = HTTPConnection(urlsplit(api.base_url).netloc, timeout=10)
        headers = {"Authorization": f"Bearer {api.api_key}"}
        connection.request("GET", "/v0/partners?page[size]=1", headers=headers)
        assert connection.getresponse().status == 400
        connection.close()


@pytest.mark.parametrize(("reading", "status"), [("not_found", 404), ("empty", 200)])
def test_unknown_events(reading: str, status: int) -> None:
    with OtherApi(make_dataset(18, tickets=0), Readings(unknown_parent=reading)) as api:
        assert get(api, "/events/404404/reserved-entries").status_code == status
        assert get(api, "/events/404404/applications").status_code == status
        assert get(api, "/events/9000001/tickets").json() == {"data": []}


def test_deleted_records_are_not_there() -> None:
    dataset = make_dataset(19)
    gone = dataset.deleted("participants")[0]["id"]
    with OtherApi(dataset) as api:
        assert get(api, f"/participants/{gone}").status_code == 404
    with OtherApi(dataset, Readings(missing_status=410)) as api:
        assert get(api, f"/participants/{gone}").status_code == 410


def test_partners_by_external_id() -> None:
    dataset = make_dataset(21)
    with OtherApi(dataset) as api:
        found = get(api, "/partners/enth-4", externalId="enthuse")
        assert found.json()["id"] == dataset.live("partners")[4]["id"]
        assert get(api, "/partners/enth-4", externalId="justGiving").status_code == 404
        assert get(api, "/partners/enth-4", externalId="fax").status_code == 400


def test_writes() -> None:
    dataset = make_dataset(22)
    with OtherApi(dataset) as api, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {api.api_key}"
        partner = session.post(
            f"{api.base_url}/partners", json={"name": "New one", "contacts": [{"email": "a@b.c"}]}
        ).json()
        group = session.post(
            f"{api.base_url}/events/9000001/reserved-entries",
            json={
                "name": "G1",
                "partnerId": partner["id"],
                "maxCapacity": 5,
                "type": "MULTI_USE",
                "tickets": [{"ticketId": "t"}],
            },
        ).json()
        assert "id" in group, group
        group_url = f"{api.base_url}/reserved-entries/{group['id']}"
        assert session.patch(group_url, json={"maxCapacity": 9}).json()["maxCapacity"] == 9
        link = session.post(
            f"{api.base_url}/partners/{partner['id']}/claim-link",
            json={"reservedEntryId": group["id"]},
        )
        assert link.ok
        renamed = session.patch(f"{api.base_url}/partners/{partner['id']}", json={"name": "Newer"})
        assert renamed.json()["updatedAt"] >= partner["updatedAt"]
        assert session.post(f"{api.base_url}/partners", json={"name": " x"}).status_code == 400
        assert session.delete(group_url).json() == {}
        assert session.get(group_url).status_code == 404


def test_the_truth_counts_what_is_served() -> None:
    dataset = make_dataset(23)
    rows = expected_entries(dataset)
    assert len(rows) == 400
    assert any(row["is_deleted"] for row in rows)
    assert any(row["is_redacted"] and row["first_name"] is None for row in rows)
    assert len(expected_partners(dataset)) == 12
    allocations = expected_allocations(dataset)
    assert any(row["participants_matched"] > row["used_capacity"] for row in allocations)
    assert expected_entries(make_dataset(23)) == rows


def test_a_misspelt_reading_is_an_error() -> None:
    with pytest.raises(ValueError, match="end_of_list"):
        Readings(end_of_list="nul")  # type: ignore[arg-type]
    assert len(get_args(EndOfList)) == 8
    assert set(get_type_hints(Readings)) == {field.name for field in fields(Readings)}

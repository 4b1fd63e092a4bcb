from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ldt_pipeline.sandbox import Sandbox, SandboxAccount
from ldt_pipeline_tests.sandbox.client import Client, ids
from ldt_pipeline_tests.sandbox.conftest import NOW

ORDERS: list[dict[str, Any]] = [
    {"sort[updatedAt]": 1},
    {"sort[updatedAt]": -1},
    {"sort[createdAt]": 1},
    {"sort[createdAt]": -1},
]


def key(record: dict[str, Any], order: dict[str, Any]) -> tuple[str, str]:
    return (record["updatedAt" if "sort[updatedAt]" in order else "createdAt"], record["id"])


@pytest.fixture(scope="module", params=["opaque", "record_id"])
def paged(request: pytest.FixtureRequest) -> Iterator[Client]:
    account = SandboxAccount(700, seed=3, now=NOW, applications=150, partners=40)
    with Sandbox(account, cursors=request.param) as sandbox, Client(sandbox) as client:
        yield client


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("path", ["/participants", "/applications", "/partners"])
def test_a_walk_gives_each_record_once_in_order(
    paged: Client, path: str, order: dict[str, Any]
) -> None:
    records = paged.walk(path, {**order, "page[size]": 17})
    keys = [key(record, order) for record in records]
    if path == "/partners":
        # Their ids are not made in order, so ties may come either way round.
        keys = [(instant, "") for instant, _ in keys]
    assert keys == sorted(keys, reverse=-1 in order.values())
    assert len(set(ids(records))) == len(records)
    assert len(records) == paged.json(path)["page"]["totalResults"]


@pytest.mark.parametrize("order", ORDERS)
def test_a_walk_backwards_gives_the_same_records(paged: Client, order: dict[str, Any]) -> None:
    params = {**order, "page[size]": 100}
    forwards = list(paged.pages("/participants", params))
    last = forwards[-1]
    assert last["page"]["next"] is None
    backwards = [last]
    cursor = last["page"]["prev"]
    while cursor:
        page = paged.json("/participants", {**params, "page[before]": cursor})
        backwards.insert(0, page)
        cursor = page["page"]["prev"]
    assert [r for page in backwards for r in page["data"]] == [
        r for page in forwards for r in page["data"]
    ]
    assert backwards[0]["page"]["prev"] is None
    assert all(page["page"]["next"] for page in backwards[:-1])


def test_the_envelope_says_where_one_is(paged: Client) -> None:
    first = paged.json("/participants", {"page[size]": 10})
    assert set(first) == {"data", "page"}
    assert set(first["page"]) == {"totalResults", "first", "last", "prev", "next"}
    assert first["page"]["totalResults"] == 700
    assert first["page"]["prev"] is None
    assert first["page"]["next"] == first["page"]["last"]
    second = paged.json("/participants", {"page[size]": 10, "page[after]": first["page"]["next"]})
    assert second["page"]["prev"] == second["page"]["first"]
    assert second["page"]["totalResults"] == 700
    back = paged.json("/participants", {"page[size]": 10, "page[before]": second["page"]["prev"]})
    assert back == first


def test_the_usual_page_has_a_hundred_records(paged: Client) -> None:
    assert len(paged.json("/participants")["data"]) == 100
    assert len(paged.json("/participants", {"page[size]": 500})["data"]) == 500
    assert len(paged.json("/participants", {"page[size]": 1})["data"]) == 1


def test_records_of_one_millisecond_are_paged_apart() -> None:
    account = SandboxAccount(400, seed=3, now=NOW)
    account.update_participants(account.participant_ids()[:300])
    with Sandbox(account) as sandbox, Client(sandbox) as client:
        for direction in (1, -1):
            params = {"sort[updatedAt]": direction, "page[size]": 7}
            records = client.walk("/participants", params)
            assert len({record["id"] for record in records}) == len(records) == 400
        window = {"updatedAt[after]": NOW.isoformat(), "page[size]": 7, "sort[updatedAt]": 1}
        records = client.walk("/participants", window)
        assert len(records) == 300
        assert len({record["updatedAt"] for record in records}) == 1


@pytest.mark.parametrize("list_end", ["null", "absent", "empty", "again"])
def test_a_list_can_end_in_four_ways(list_end: Any) -> None:
    with (
        Sandbox(SandboxAccount(25, seed=1, now=NOW), list_end=list_end) as sandbox,
        Client(sandbox) as client,
    ):
        pages = list(client.pages("/participants", {"page[size]": 10}))
        assert sum(len(page["data"]) for page in pages) == 25
        last = pages[-1]
        match list_end:
            case "null":
                assert last["page"]["next"] is None
            case "absent":
                assert "next" not in last["page"]
            case "empty":
                assert last["page"]["next"] == ""
            case _:
                assert last["data"] == []
                assert last["page"]["next"] == pages[-2]["page"]["next"]
                assert last["page"]["next"] == pages[-2]["page"]["last"]


def test_an_opaque_cursor_stays_where_it_is(sandbox: Sandbox, own_client: Client) -> None:
    expected = set(sandbox.account.participant_ids())
    params = {"sort[updatedAt]": 1, "page[size]": 50}
    first = own_client.json("/participants", params)
    for record in first["data"]:
        sandbox.account.update_participant(record["id"])
    seen = ids(first["data"])
    seen += ids(own_client.walk("/participants", {**params, "page[after]": first["page"]["next"]}))
    assert set(seen) == expected
    # Those that moved come twice; in ascending order nothing is lost.
    assert len(seen) == len(expected) + 50


def test_the_cursor_of_a_deleted_record_stays_good(sandbox: Sandbox, own_client: Client) -> None:
    first = own_client.json("/participants", {"page[size]": 5})
    expected = own_client.json(
        "/participants", {"page[size]": 5, "page[after]": first["page"]["next"]}
    )
    sandbox.account.delete_participant(first["data"][-1]["id"])
    after = own_client.json(
        "/participants", {"page[size]": 5, "page[after]": first["page"]["next"]}
    )
    assert after["data"] == expected["data"]


def test_a_record_id_as_cursor_moves_with_its_record() -> None:
    account = SandboxAccount(100, seed=1, now=NOW)
    with Sandbox(account, cursors="record_id") as sandbox, Client(sandbox) as client:
        params = {"sort[updatedAt]": 1, "page[size]": 20}
        first = client.json("/participants", params)
        assert first["page"]["next"] == first["data"][-1]["id"]
        account.update_participant(first["page"]["next"])
        lost = client.json("/participants", {**params, "page[after]": first["page"]["next"]})
        assert lost["data"] == []
        assert lost["page"]["totalResults"] == 100


def test_a_record_id_of_a_deleted_record_is_unknown() -> None:
    account = SandboxAccount(50, seed=1, now=NOW)
    with Sandbox(account, cursors="record_id") as sandbox, Client(sandbox) as client:
        first = client.json("/participants", {"page[size]": 20})
        account.delete_participant(first["page"]["next"])
        message = client.refusal("/participants", {"page[after]": first["page"]["next"]})
        assert message.startswith("page[after]: ")


def test_an_empty_account_has_empty_lists() -> None:
    with Sandbox(SandboxAccount(0, seed=1, partners=0)) as sandbox, Client(sandbox) as client:
        for path in ("/participants", "/applications", "/partners"):
            assert client.json(path) == {
                "data": [],
                "page": {
                    "totalResults": 0,
                    "first": None,
                    "last": None,
                    "prev": None,
                    "next": None,
                },
            }
        event_id = sandbox.account.event_ids()[0]
        assert client.json(f"/events/{event_id}/tickets")["data"]


def test_a_fresh_participant_comes_first_by_default(sandbox: Sandbox, own_client: Client) -> None:
    sandbox.account.advance_clock(timedelta(hours=1))
    participant_id = sandbox.account.add_participant()
    assert own_client.json("/participants", {"page[size]": 1})["data"][0]["id"] == participant_id


def test_pages_may_be_shorter_than_asked_for() -> None:
    account = SandboxAccount(100, seed=3, now=NOW)
    with Sandbox(account, most_per_page=30) as sandbox, Client(sandbox) as client:
        assert len(client.json("/participants", {"page[size]": 50})["data"]) == 30
        assert len(client.json("/participants", {"page[size]": 20})["data"]) == 20
        assert len(client.walk("/participants", {"page[size]": 50})) == 100

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from ldt_pipeline.sandbox import ALL_FAULTS, PASSING_FAULTS, Faults, Sandbox, SandboxAccount
from ldt_pipeline.sandbox.faults import WRITE_FAULTS
from ldt_pipeline_tests.sandbox.client import Client, ids
from ldt_pipeline_tests.sandbox.conftest import NOW

PARAMS = {"page[size]": 50, "sort[updatedAt]": 1}


def test_nothing_fails_unless_asked(own_client: Client) -> None:
    for _ in range(30):
        own_client.json("/partners")
    assert {request.fault for request in own_client.sandbox.requests} == {None}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors(own_client: Client, status: int) -> None:
    own_client.sandbox.fail_next(f"http_{status}", times=2)  # pyright: ignore[reportArgumentType]
    assert own_client.get("/participants").status_code == status
    assert own_client.get("/partners").status_code == status
    assert own_client.get("/partners").status_code == 200
    assert [request.status for request in own_client.sandbox.requests] == [status, status, 200]


def test_throttling_in_seconds_and_as_a_date(own_client: Client) -> None:
    own_client.sandbox.faults = Faults(retry_after_seconds=3)
    own_client.sandbox.fail_next("throttled_seconds")
    own_client.sandbox.fail_next("throttled_date")
    first, second = own_client.get("/participants"), own_client.get("/participants")
    assert first.status_code == second.status_code == 429
    assert first.headers["Retry-After"] == "3"
    wait = parsedate_to_datetime(second.headers["Retry-After"]) - datetime.now(UTC)
    assert 1 < wait.total_seconds() <= 4


def test_a_reset_connection(own_client: Client) -> None:
    own_client.sandbox.fail_next("reset")
    with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
        own_client.get("/participants")
    assert own_client.sandbox.requests[-1].status == 0
    assert own_client.sandbox.requests[-1].fault == "reset"
    own_client.json("/participants")


def test_an_answer_that_takes_its_time(own_client: Client) -> None:
    own_client.sandbox.faults = Faults(hang_seconds=0.4)
    own_client.sandbox.fail_next("hang", times=2)
    with pytest.raises(requests.ReadTimeout):
        own_client.get("/participants", timeout=0.1)
    began = time.monotonic()
    own_client.json("/participants")
    assert time.monotonic() - began >= 0.4


def test_a_hanging_request_does_not_keep_the_sandbox_from_stopping() -> None:
    with Sandbox(SandboxAccount(10, now=NOW), faults=Faults(hang_seconds=60)) as sandbox:
        sandbox.fail_next("hang")
        with Client(sandbox) as client, pytest.raises(requests.ReadTimeout):
            client.get("/participants", timeout=0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_body_that_breaks_off(own_client: Client) -> None:
    own_client.sandbox.fail_next("truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        own_client.get("/participants")
    own_client.json("/participants")


def test_html_instead_of_json(own_client: Client) -> None:
    own_client.sandbox.fail_next("html")
    response = own_client.get("/participants")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_broken_json(own_client: Client) -> None:
    own_client.sandbox.fail_next("broken_json")
    response = own_client.get("/participants")
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.content)


def test_a_page_that_comes_twice(own_client: Client) -> None:
    first = own_client.json("/participants", PARAMS)
    own_client.sandbox.fail_next("repeated_page")
    after = {**PARAMS, "page[after]": first["page"]["next"]}
    assert own_client.json("/participants", after) == first
    assert own_client.json("/participants", after) != first


def test_a_page_that_skips_rows(own_client: Client) -> None:
    first = own_client.json("/participants", PARAMS)
    after = {**PARAMS, "page[after]": first["page"]["next"]}
    right = own_client.json("/participants", after)
    own_client.sandbox.fail_next("shifted_page")
    shifted = own_client.json("/participants", after)
    skipped = ids(right["data"]).index(ids(shifted["data"])[0])
    assert 1 <= skipped <= 5
    assert len(shifted["data"]) == 50
    assert shifted["page"]["totalResults"] == right["page"]["totalResults"]


def test_totals_that_are_wrong_or_missing(own_client: Client) -> None:
    right = own_client.json("/participants", PARAMS)
    own_client.sandbox.fail_next("wrong_total")
    wrong = own_client.json("/participants", PARAMS)
    assert wrong["page"]["totalResults"] != right["page"]["totalResults"]
    assert wrong["data"] == right["data"]
    own_client.sandbox.fail_next("missing_total")
    missing = own_client.json("/participants", PARAMS)
    assert "totalResults" not in missing["page"]
    assert missing["data"] == right["data"]


def test_wrong_totals_are_too_high_and_too_low(own_client: Client) -> None:
    right = own_client.json("/participants", PARAMS)["page"]["totalResults"]
    own_client.sandbox.faults = Faults({"wrong_total": 1.0})
    wrong = [own_client.json("/participants", PARAMS)["page"]["totalResults"] for _ in range(40)]
    assert right not in wrong
    assert min(wrong) < right < max(wrong)


def test_a_cursor_that_leads_back(own_client: Client) -> None:
    own_client.sandbox.fail_next("looping_cursor", times=3)
    first = own_client.json("/participants", PARAMS)
    cursor = first["page"]["next"]
    assert cursor == first["page"]["last"]
    for _ in range(2):
        again = own_client.json("/participants", {**PARAMS, "page[after]": cursor})
        assert again["page"]["next"] == cursor
    assert own_client.json("/participants", {**PARAMS, "page[after]": cursor})["page"][
        "next"
    ] not in (None, cursor)


def test_a_key_that_is_refused_once(own_client: Client) -> None:
    own_client.sandbox.fail_next("key_refused")
    assert [own_client.get("/partners").status_code for _ in range(2)] == [401, 200]


def test_faults_of_pages_spare_other_requests(own_client: Client) -> None:
    own_client.sandbox.faults = Faults({"missing_total": 1.0})
    participant_id = own_client.sandbox.account.participant_ids()[0]
    own_client.json(f"/participants/{participant_id}")
    assert "totalResults" not in own_client.json("/participants")["page"]
    assert [request.fault for request in own_client.sandbox.requests] == [None, "missing_total"]


def test_a_fault_can_wait_for_its_request(own_client: Client) -> None:
    own_client.sandbox.fail_next("http_500", path_contains="/partners", after_requests=1)
    assert own_client.get("/partners").status_code == 200
    assert own_client.get("/participants").status_code == 200
    assert own_client.get("/partners").status_code == 500


def test_an_order_can_be_taken_back(own_client: Client) -> None:
    own_client.sandbox.fail_next("http_500", times=9)
    assert own_client.get("/partners").status_code == 500
    own_client.sandbox.forget_orders()
    assert own_client.get("/partners").status_code == 200


def test_faults_happen_as_often_as_asked_and_repeat_by_seed() -> None:
    def statuses(seed: int) -> list[int]:
        faults = Faults({"http_500": 0.2, "throttled_seconds": 0.1}, seed=seed)
        with (
            Sandbox(SandboxAccount(10, now=NOW), faults=faults) as sandbox,
            Client(sandbox) as client,
        ):
            return [client.get("/partners").status_code for _ in range(150)]

    first = statuses(1)
    assert 15 <= first.count(500) <= 45
    assert 5 <= first.count(429) <= 30
    assert statuses(1) == first
    assert statuses(2) != first


def test_rates_must_make_sense() -> None:
    with pytest.raises(ValueError, match="no fault"):
        Faults({"gremlins": 0.1})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="between 0 and 1"):
        Faults({"reset": -0.1})
    with pytest.raises(ValueError, match="more than 1"):
        Faults({"reset": 0.6, "hang": 0.6})
    assert set(Faults.every(1).rates) == set(ALL_FAULTS) - set(WRITE_FAULTS)
    assert set(Faults.passing(0.5).rates) == set(PASSING_FAULTS)


def test_latency_holds_answers_back() -> None:
    with Sandbox(SandboxAccount(10, now=NOW), latency_ms=300) as sandbox, Client(sandbox) as client:
        began = time.monotonic()
        client.json("/participants")
        assert time.monotonic() - began >= 0.3
        sandbox.latency_ms = 0
        began = time.monotonic()
        client.json("/participants")
        assert time.monotonic() - began < 0.3

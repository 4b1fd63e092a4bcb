"""Each write is sent once, and its outcome is certain or said to be unclear."""

from __future__ import annotations

import json
import pickle
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import urllib3

from ldt_pipeline.api import writes
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    UnclearWriteError,
)
from ldt_pipeline.sandbox import Fault, Faults, Sandbox, SandboxAccount

CONTACT = {"firstName": "Ada", "lastName": "Quill", "emailAddress": "ada@example.org"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    account = SandboxAccount(40, seed=3, events=2, history_years=1)
    with Sandbox(account, faults=Faults(hang_seconds=1.0)) as sandbox:
        yield sandbox
    account.close()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    sandbox.forget_orders()
    sandbox.clear_requests()
    with Client(
        base_url=sandbox.base_url, api_key=sandbox.api_key, retries=5, read_seconds=0.5
    ) as client:
        yield client


def group_body(sandbox: Sandbox, name: str) -> dict[str, Any]:
    event_id = sandbox.account.event_ids()[0]
    tickets = sandbox.account.tickets(event_id) or []
    return {
        "name": name,
        "maxCapacity": 5,
        "type": "MULTI_USE",
        "tickets": [{"ticketId": tickets[0]["id"]}],
        "partnerId": sandbox.account.partner_ids()[0],
    }


def all_writes(sandbox: Sandbox) -> dict[str, Callable[[Client], Any]]:
    account = sandbox.account
    event_id = account.event_ids()[0]
    partner_id = account.partner_ids()[0]
    group = account.group_ids(event_id)[0]
    return {
        "create_partner": lambda client: writes.create_partner(
            client, {"name": "Owl Rescue", "contacts": [CONTACT]}
        ),
        "update_partner": lambda client: writes.update_partner(
            client, partner_id, {"description": "Hoot"}
        ),
        "create_claim_link": lambda client: writes.create_claim_link(
            client, partner_id, {"emailAddress": "ada@example.org"}
        ),
        "create_group": lambda client: writes.create_group(
            client, event_id, group_body(sandbox, "Owls")
        ),
        "update_group": lambda client: writes.update_group(client, group, {"maxCapacity": 77}),
        "delete_group": lambda client: writes.delete_group(client, account.group_ids(event_id)[-1]),
    }


NAMES = [
    "create_partner",
    "update_partner",
    "create_claim_link",
    "create_group",
    "update_group",
    "delete_group",
]


@pytest.mark.parametrize("name", NAMES)
def test_each_write_has_its_effect(sandbox: Sandbox, client: Client, name: str) -> None:
    account = sandbox.account
    before = (account.counts(), len(account.sent_links))
    answer = all_writes(sandbox)[name](client)
    changed = (account.counts(), len(account.sent_links))
    assert len(sandbox.requests) == 1
    if answer is not None:
        record = json.loads(answer)
        assert record in (account.partner(record["id"]), account.group(record["id"]))
    assert (changed != before) == (not name.startswith("update"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "fault",
    ["http_500", "http_503", "reset", "reset_after_write", "http_502_after_write", "hang"],
)
def test_an_unclear_failure_is_said_and_never_sent_again(
    sandbox: Sandbox, client: Client, name: str, fault: Fault
) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(UnclearWriteError, match="may"):
        all_writes(sandbox)[name](client)
    assert client.requests_sent == 1


@pytest.mark.parametrize("fault", ["html", "broken_json", "truncated"])
def test_an_answer_that_is_no_record_is_unclear(
    sandbox: Sandbox, client: Client, fault: Fault
) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(UnclearWriteError):
        all_writes(sandbox)["update_group"](client)
    assert client.requests_sent == 1


@pytest.mark.parametrize("name", ["create_claim_link", "delete_group"])
def test_a_page_of_a_proxy_is_no_answer(sandbox: Sandbox, client: Client, name: str) -> None:
    sandbox.fail_next("html")
    with pytest.raises(UnclearWriteError):
        all_writes(sandbox)[name](client)


def test_a_connection_that_breaks_under_tls_is_unclear(
    client: Client, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """As they arrive: the cause is an argument of an argument, and nothing's `__cause__`."""

    def failing(reason: Exception) -> Callable[..., Any]:
        def request(*_args: Any, **_options: Any) -> Any:
            inner = urllib3.exceptions.SSLError(reason)
            raise requests.exceptions.SSLError(
                urllib3.exceptions.MaxRetryError(None, "/", inner)  # type: ignore[arg-type]
            )

        return request

    session = client._session
    monkeypatch.setattr(session, "request", failing(ssl.SSLError("BAD_RECORD_MAC")))
    with pytest.raises(UnclearWriteError):
        all_writes(sandbox)["create_claim_link"](client)
    monkeypatch.setattr(session, "request", failing(ssl.SSLCertVerificationError("expired")))
    with pytest.raises(ConnectionFailedError, match="nothing was sent"):
        all_writes(sandbox)["create_claim_link"](client)


def test_a_refusal_is_certain(sandbox: Sandbox, client: Client) -> None:
    before = sandbox.account.counts()
    body = group_body(sandbox, "Refused")
    event_id = sandbox.account.event_ids()[0]
    with pytest.raises(InvalidRequestError, match="nothing was changed"):
        writes.create_group(client, event_id, {**body, "maxCapacity": -1})
    with pytest.raises(NotFoundError):
        writes.create_group(client, "12", body)
    with pytest.raises(NotFoundError):
        writes.delete_group(client, "..")
    sandbox.fail_next("key_refused")
    with pytest.raises(AuthenticationError):
        writes.create_group(client, event_id, body)
    sandbox.fail_next("throttled_seconds")
    with pytest.raises(writes.ThrottledWriteError) as caught:
        writes.create_group(client, event_id, body)
    assert caught.value.wait_seconds == 1
    assert pickle.loads(pickle.dumps(caught.value)).wait_seconds == 1
    assert sandbox.account.counts() == before


def test_where_nobody_listens_nothing_was_sent(sandbox: Sandbox) -> None:
    with (
        Client(base_url="http://127.0.0.1:9/v0", api_key=sandbox.api_key) as client,
        pytest.raises(ConnectionFailedError, match="nothing was sent"),
    ):
        writes.delete_group(client, "re_1")


def test_a_partner_is_updated_by_an_id_from_elsewhere(sandbox: Sandbox, client: Client) -> None:
    partner_id = sandbox.account.partner_ids()[0]
    writes.update_partner(client, partner_id, {"externalIds": {"enthuse": "owl-7"}})
    answer = writes.update_partner(client, "owl-7", {"description": "Tu-whit"}, external="enthuse")
    assert json.loads(answer)["id"] == partner_id


def test_errors_hold_neither_key_nor_addresses(sandbox: Sandbox, client: Client) -> None:
    partner_id = sandbox.account.partner_ids()[0]
    sandbox.fail_next("http_500")
    with pytest.raises(ApiError) as caught:
        writes.create_claim_link(client, partner_id, {"emailAddress": "ada@example.org"})
    assert "ada" not in str(caught.value)
    assert sandbox.api_key not in repr(caught.value)

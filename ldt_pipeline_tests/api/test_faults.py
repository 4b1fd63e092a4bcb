"""What can go wrong between us and the API: what passes is tried again, the rest is a sentence."""

from __future__ import annotations

import gzip
import pickle
import re
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from ldt_pipeline.api import errors
from ldt_pipeline.api.catalogue import GET_PARTICIPANT, LIST_EVENT_TICKETS, LIST_PARTICIPANTS
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    ResponseFormatError,
    ServerError,
)
from ldt_pipeline.api.paging import ListRequest, Proof, walk
from ldt_pipeline_tests.api.scripted import Answer, Scripted, answer, hang, reset

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LW9yZ2FuaXNlcg.c2lnbmF0dXJl"
PAGE = {"data": [{"id": "a", "updatedAt": "2025-01-01T00:00:00.000Z"}], "page": {"totalResults": 1}}
GOOD = answer(PAGE)
BODY = b'{"data": [{"id": "a", "email": "jo@runner.example"'


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long the client would have waited."""
    noted: list[float] = []
    monkeypatch.setattr(time, "sleep", noted.append)
    return noted


def client_of(server: Scripted, **options: Any) -> Client:
    wanted = {"retries": 3, "backoff_factor": 0.01, **options}
    return Client(base_url=server.base_url, api_key=KEY, **wanted)


def get(client: Client) -> Any:
    return client.get_page(LIST_PARTICIPANTS, parameters={"page[size]": "500"})


PASSING: dict[str, Answer] = {
    "429": answer(status="429 Too Many Requests"),
    **{str(status): answer(b"<h1>Oh", status=f"{status} Oh") for status in (500, 502, 503, 504)},
    "reset": reset,
    "closed without a word": b"",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut off": answer(PAGE, cut=10),
    "cut off in a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n" + BODY),
    "cut off without a length": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY,
    "html": answer(b"<!doctype html><title>Back soon</title>", Content_Type="text/html"),
    "broken json": answer(BODY),
    "not utf-8": answer(b'{"data": [{"id": "\xff"}], "page": {"next": "\xff"}}'),
    "broken gzip": answer(gzip.compress(BODY)[:20] + b"oh", Content_Encoding="gzip"),
    "another document": answer({"message": "hello"}),
    "nothing": answer(b""),
    "a list": answer([]),
    "garbage": b"\x00\x01\x02 what\r\n\r\n",
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(fault: str) -> None:
    with Scripted(PASSING[fault], PASSING[fault], GOOD) as server, client_of(server) as client:
        assert len(get(client).records) == 1
        assert client.requests_sent == 3


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_is_a_sentence(fault: str) -> None:
    with Scripted(PASSING[fault]) as server, client_of(server) as client:
        with pytest.raises(ApiError) as raised:
            get(client)
        assert client.requests_sent == 4
    expected = {"429": RateLimitedError, "500": ServerError, "reset": ConnectionFailedError}
    assert isinstance(raised.value, expected.get(fault, ApiError))
    assert_harmless(raised.value)


def assert_harmless(error: ApiError) -> None:
    """A sentence for people, that survives a process, and tells neither key nor personal data."""
    text = str(error)
    assert re.fullmatch(r"[A-Z].+\.", text), text
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), text)
    shown = "".join(traceback.format_exception(error)) + repr(error)
    for secret in (KEY, KEY.split(".")[1], "jo@runner"):
        assert secret not in shown
        assert secret.encode() not in pickle.dumps(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", AuthenticationError),
        ("403 Forbidden", AuthenticationError),
        ("404 Not Found", NotFoundError),
        ("410 Gone", NotFoundError),
        ("400 Bad Request", InvalidRequestError),
        ("418 Teapot", InvalidRequestError),
    ],
)
def test_what_is_never_tried_again(status: str, kind: type[ApiError]) -> None:
    with Scripted(answer(BODY, status=status)) as server, client_of(server) as client:
        with pytest.raises(kind) as raised:
            get(client)
        assert client.requests_sent == 1
    assert status[:3] in str(raised.value)
    assert ("may lack the right to read this" in str(raised.value)) == (status[:3] == "403")
    assert_harmless(raised.value)


def test_a_list_of_the_account_that_is_not_there_is_a_wrong_address() -> None:
    with Scripted(answer(BODY, status="404 Not Found")) as server, client_of(server) as client:
        with pytest.raises(NotFoundError, match="LDT_API_BASE_URL"):
            get(client)
        with pytest.raises(NotFoundError) as raised:
            client.get_record(GET_PARTICIPANT, record_id="1")
    assert "LDT_API_BASE_URL" not in str(raised.value)


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (lambda: "7", 7, 7),
        (lambda: " 7 ", 7, 7),
        (lambda: in_seconds(40), 30, 40),
        (lambda: in_seconds(-40), 0, 0),
        (lambda: "86400", 120, 120),
        (lambda: "9" * 30, 120, 120),
        (lambda: in_seconds(86_400), 120, 120),
        (lambda: "soon", 0, 1),
        (lambda: "-5", 0, 1),
        (lambda: "1.5", 0, 2),
        (lambda: "", 0, 1),
    ],
)
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_retry_after(
    status: str,
    retry_after: Callable[[], str],
    least: float,
    most: float,
    pauses: list[float],
) -> None:
    busy = answer(status=status, Retry_After=retry_after())
    with Scripted(busy, GOOD) as server, client_of(server) as client:
        get(client)
    assert least <= sum(pauses) <= most


@pytest.mark.parametrize("hours", [-9, 0, 7])
def test_a_date_to_try_again_is_told_by_the_servers_own_clock(
    hours: int, pauses: list[float]
) -> None:
    there = 3600 * hours
    busy = answer(
        status="429 Too Many Requests", Date=in_seconds(there), Retry_After=in_seconds(there + 3)
    )
    with Scripted(busy, GOOD) as server, client_of(server) as client:
        get(client)
    assert 2 <= sum(pauses) <= 4


def test_backing_off_gets_longer(pauses: list[float]) -> None:
    with Scripted(answer(status="503 Oh")) as server:
        client = client_of(server, retries=6, backoff_factor=0.5)
        with client, pytest.raises(ServerError):
            get(client)
    assert len(pauses) >= 5
    assert sum(pauses[3:]) > sum(pauses[:3])
    assert max(pauses) <= 31


def test_a_hang_ends() -> None:
    with Scripted(hang) as server:
        client = client_of(server, retries=0, read_seconds=0.2)
        with client, pytest.raises(ConnectionFailedError, match="Timeout") as raised:
            get(client)
    assert_harmless(raised.value)


def test_nobody_listens() -> None:
    with Scripted(GOOD) as server:
        address = server.base_url
    client = Client(base_url=address, api_key=KEY, retries=2, backoff_factor=0)
    with client, pytest.raises(ConnectionFailedError, match="failed 3 times") as raised:
        get(client)
    assert_harmless(raised.value)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_takes_the_key_nowhere(status: str) -> None:
    with Scripted(GOOD) as other:
        moved = answer(status=status, Location=f"http://{other.address}/v0/participants")
        with (
            Scripted(moved) as server,
            client_of(server) as client,
            pytest.raises(InvalidRequestError, match="redirected") as raised,
        ):
            get(client)
        assert other.requests == []
    assert client.requests_sent == 1
    assert_harmless(raised.value)


def test_the_key_expires_in_the_middle_of_a_walk() -> None:
    first = answer({"data": PAGE["data"], "page": {"totalResults": 9, "next": "a"}})
    refused = answer(status="401 Unauthorized")
    with Scripted(first, refused) as server, client_of(server) as client:
        with pytest.raises(AuthenticationError):
            list(walk(client, ListRequest(operation=LIST_PARTICIPANTS), Proof()))
        assert client.requests_sent == 2


def test_the_key_is_in_no_text_and_in_each_request() -> None:
    with Scripted(GOOD) as server, client_of(server) as client:
        get(client)
        session = client._session
        for shown in (repr(client), str(client), repr(session.auth), repr(session.headers)):
            assert KEY not in shown
    assert f"Authorization: Bearer {KEY}" in server.requests[0]


def test_a_netrc_does_not_replace_the_key(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login jo password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Scripted(GOOD) as server, client_of(server) as client:
        get(client)
    assert f"Authorization: Bearer {KEY}" in server.requests[0]


@pytest.mark.parametrize(
    "hostile", ["../partners", "a/b", "a?b=c", "a#b", "é", " ", "%2e", "a\r\nX: y"]
)
def test_an_id_stays_one_piece_of_the_path(hostile: str) -> None:
    with Scripted(answer(b'{"id": "x"}')) as server, client_of(server) as client:
        client.get_record(GET_PARTICIPANT, record_id=hostile)
    path = server.requests[0].split()[1]
    assert path.startswith("/v0/participants/")
    assert path.count("/") == 3
    assert "X: y" not in server.requests[0]


@pytest.mark.parametrize("record_id", ["", ".", ".."])
def test_an_id_that_is_a_step_in_a_path_is_no_record(record_id: str) -> None:
    """Whatever sends it on the way would leave it out: another list would answer."""
    with Scripted(answer(b'{"id": "x"}')) as server, client_of(server) as client:
        with pytest.raises(NotFoundError):
            client.get_record(GET_PARTICIPANT, record_id=record_id)
        assert server.requests == []


@pytest.mark.parametrize(
    "envelope",
    [
        {"data": [{"id": "1"}], "page": {"totalResults": 3, "next": "x"}},
        {"data": [{"id": "1"}], "page": {"next": "x"}},
    ],
)
def test_a_list_that_says_that_it_goes_on_is_not_whole(envelope: object) -> None:
    with (
        Scripted(answer(envelope)) as server,
        client_of(server, retries=0) as client,
        pytest.raises(ResponseFormatError, match="should be whole"),
    ):
        client.get_list(LIST_EVENT_TICKETS, record_id="1")


def test_more_records_than_asked_for_are_read_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = answer({"data": [{"id": str(number)} for number in range(3)]})
    with Scripted(page) as server, client_of(server, retries=0) as client:
        for _ in range(2):
            found = client.get_page(LIST_PARTICIPANTS, parameters={"page[size]": "2"})
            assert len(found.records) == 3
        client.get_page(LIST_PARTICIPANTS, parameters={"page[size]": "3"})
    (warning,) = caplog.messages
    assert "gave 3 records where page[size]=2 asked for fewer" in warning


def test_every_error_survives_a_process() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    assert len(kinds) > 8
    for kind in kinds:
        again = pickle.loads(pickle.dumps(kind("It broke.")))
        assert (type(again), str(again)) == (kind, "It broke.")

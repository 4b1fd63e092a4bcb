"""Answers beyond all measure: refused with a sentence, at once, and without filling the memory."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldt_pipeline.api import answers
from ldt_pipeline.api.catalogue import GET_PARTICIPANT, LIST_EVENT_TICKETS, LIST_PARTICIPANTS
from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import ApiError, NotFoundError, ResponseTooLargeError
from ldt_pipeline.api.limits import (
    ANSWER_BYTES_MOST,
    ID_CHARACTERS_MOST,
    NESTING_MOST,
    RECORD_BYTES_MOST,
)
from ldt_pipeline_tests.api.scripted import Answer, Scripted, answer

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LW9yZ2FuaXNlcg.c2lnbmF0dXJl"
MEGABYTE = 1024 * 1024
PEAK_MEGABYTES_MOST = 150
"""An answer at its limit, twice: as it is read, and as it is passed on; and what reading takes."""

GET = """
import resource, sys
from ldt_pipeline.api.catalogue import LIST_PARTICIPANTS
from ldt_pipeline.api.client import Client
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
client = Client(base_url=sys.argv[1], api_key=sys.argv[2], retries=3, backoff_factor=0)
before = peak()
try:
    client.get_page(LIST_PARTICIPANTS, parameters={"page[size]": "500"})
except Exception as error:
    print(type(error).__name__, client.requests_sent, int(peak() - before), error)
"""


def page_of(record: bytes) -> bytes:
    return b'{"data": [' + record + b'], "page": {"totalResults": 1}}'


def packed(pieces: int, encoding: str) -> bytes:
    """Pack a page with a text of so many megabytes, without ever holding it."""
    compressor = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    parts = [compressor.compress(b'{"data": [{"id": "a", "note": "')]
    parts += [compressor.compress(b"x" * MEGABYTE) for _ in range(pieces)]
    parts += [compressor.compress(b'"}], "page": {"totalResults": 1}}'), compressor.flush()]
    return b"".join(parts)


def endless(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(head)
            while True:
                connection.sendall(piece)

    return send


def sent(content: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        with suppress(OSError):  # the client hangs up when it has seen enough
            connection.sendall(content)

    return send


CHUNK = b"%x\r\n%s\r\n" % (MEGABYTE, b" " * MEGABYTE)
LARGE: dict[str, Answer] = {
    "a record of 50 MB": sent(
        answer(page_of(b'{"id": "a", "note": "' + b"x" * 50 * MEGABYTE + b'"}'))
    ),
    **{
        f"a thousandfold, {encoding}": answer(packed(400, encoding), Content_Encoding=encoding)
        for encoding in ("gzip", "deflate")
    },
    "gzip in gzip": answer(
        zlib.compress(packed(400, "gzip"), 9, wbits=31), Content_Encoding="gzip, gzip"
    ),
    "no end": endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{", b" " * MEGABYTE),
    "no end of chunks": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK),
}


@pytest.mark.parametrize("what", LARGE)
def test_what_is_too_large(what: str) -> None:
    with Scripted(LARGE[what]) as server:
        done = subprocess.run(
            [sys.executable, "-c", GET, server.base_url, KEY],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    kind, sent, megabytes, text = done.stdout.split(" ", 3)
    assert kind == "ResponseTooLargeError", done.stdout
    assert sent == "1", "the same answer would come again"
    assert int(megabytes) < PEAK_MEGABYTES_MOST
    assert "more than 32 MB" in text


def client_of(server: Scripted) -> Client:
    return Client(base_url=server.base_url, api_key=KEY, retries=2, backoff_factor=0)


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "400 Bad Request"])
def test_a_large_answer_that_is_none_means_what_its_status_says(status: str) -> None:
    large = answer(b"x" * (ANSWER_BYTES_MOST + 10), status=status)
    with Scripted(large) as server, client_of(server) as client, pytest.raises(ApiError) as raised:
        client.get_record(GET_PARTICIPANT, record_id="1")
    assert status[:3] in str(raised.value)


def nested(levels: int) -> bytes:
    note = b"x" * 20_000
    return (
        b'{"id": "a", "note": "'
        + note
        + b'", "x": '
        + b"[" * (levels - 1)
        + b"]" * (levels - 1)
        + b"}"
    )


def test_a_small_record_that_is_too_deep() -> None:
    small = b'{"id": "a", "x": ' + b"[" * 1_000 + b"]" * 1_000 + b"}"
    with (
        Scripted(answer(page_of(small))) as server,
        client_of(server) as client,
        pytest.raises(ResponseTooLargeError, match="levels deep"),
    ):
        client.get_page(LIST_PARTICIPANTS, parameters={})


@pytest.mark.parametrize("levels", [NESTING_MOST + 1, 1_000, 1_000_000])
def test_what_is_too_deep(levels: int) -> None:
    with Scripted(answer(page_of(nested(levels)))) as server, client_of(server) as client:
        with pytest.raises(ResponseTooLargeError, match="levels deep"):
            client.get_page(LIST_PARTICIPANTS, parameters={})
        assert client.requests_sent == 1
    with (
        Scripted(answer(nested(levels))) as server,
        client_of(server) as client,
        pytest.raises(ResponseTooLargeError, match="levels deep"),
    ):
        client.get_record(GET_PARTICIPANT, record_id="1")


def test_what_is_just_within_the_limits() -> None:
    large = b'{"id": "' + b"x" * (RECORD_BYTES_MOST - 10) + b'"}'
    for record in (nested(NESTING_MOST), large):
        with Scripted(answer(page_of(record))) as server, client_of(server) as client:
            assert client.get_page(LIST_PARTICIPANTS, parameters={}).records == [record]
            assert client.get_list(LIST_EVENT_TICKETS, record_id="1") == [record]


def test_a_record_that_is_too_large_in_a_page_that_is_not() -> None:
    large = b'{"id": "' + b"x" * RECORD_BYTES_MOST + b'"}'
    with (
        Scripted(answer(page_of(large))) as server,
        client_of(server) as client,
        pytest.raises(ResponseTooLargeError, match="a record of 4 MB"),
    ):
        client.get_page(LIST_PARTICIPANTS, parameters={})


def test_an_id_that_no_address_can_hold() -> None:
    with Scripted(answer(b'{"id": "x"}')) as server, client_of(server) as client:
        client.get_record(GET_PARTICIPANT, record_id="x" * ID_CHARACTERS_MOST)
        with pytest.raises(NotFoundError):
            client.get_record(GET_PARTICIPANT, record_id="x" * (ID_CHARACTERS_MOST + 1))
        assert len(server.requests) == 1


JSON = st.recursive(
    st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_depth_is_counted_outside_of_texts(value: object) -> None:
    def depth(of: object) -> int:
        members = of.values() if isinstance(of, dict) else of if isinstance(of, list) else None
        return 0 if members is None else 1 + max(map(depth, members), default=0)

    assert answers._depth(json.dumps(value).encode()) == depth(value)
    assert answers._depth(
        json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    ) == depth(value)

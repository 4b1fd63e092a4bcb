"""Envelopes: what a page says of the list, and which answers mean that there is nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ldt_pipeline.api.answers import parse_found, parse_list, parse_page, record_key
from ldt_pipeline.api.errors import NotFoundError, ResponseFormatError

ONE = {"id": 1}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("page", "total", "cursor"),
    [
        ({}, None, None),
        ({"totalResults": 0, "next": None}, 0, None),
        ({"totalResults": "7", "next": "c"}, 7, "c"),
        ({"totalResults": 7.0, "next": ""}, 7, None),
        ({"totalResults": -1, "next": False}, None, None),
        ({"totalResults": "many", "next": 0}, None, "0"),
        ({"totalResults": "1e9", "next": 12}, None, "12"),
    ],
)
def test_what_a_page_says(page: dict[str, Any], total: int | None, cursor: str | None) -> None:
    found = parse_page(body({"data": [ONE], "page": page}), where="x", server_time=None)
    assert (found.records, found.total, found.next_cursor) == ([body(ONE)], total, cursor)


@pytest.mark.parametrize(
    ("answer", "records"),
    [
        ({"data": [ONE]}, 1),
        ({"data": []}, 0),
        ({"data": None}, 0),
        ({"data": None, "errors": []}, 0),
        ({"data": None, "error": "no"}, None),
        ({"data": None, "errors": ["no"]}, None),
        ({}, None),
        ({"data": [ONE], "page": {"totalResults": 1}}, 1),
        ({"data": [ONE], "page": {"totalResults": 2}}, None),
        ({"data": [ONE], "page": {"totalResults": 0}}, None),
        ({"data": [ONE], "page": {"next": "c"}}, None),
    ],
)
def test_a_list_that_should_be_whole(answer: dict[str, Any], records: int | None) -> None:
    if records is None:
        with pytest.raises(ResponseFormatError):
            parse_list(body(answer), where="x")
    else:
        assert len(parse_list(body(answer), where="x")) == records


def test_a_page_without_a_list_is_one_only_where_it_says_so() -> None:
    with pytest.raises(ResponseFormatError):
        parse_page(body({"data": None}), where="x", server_time=None)
    page = {"data": None, "page": {"totalResults": 0}}
    assert parse_page(body(page), where="x", server_time=None).records == []


@pytest.mark.parametrize("answer", [b"null", b" {} ", b'{"data": null}', b'{"data":{}}'])
def test_an_empty_answer_is_no_record(answer: bytes) -> None:
    with pytest.raises(NotFoundError):
        parse_found(answer, where="x")


@pytest.mark.parametrize(
    ("answer", "record"),
    [(ONE, ONE), ({"data": ONE}, ONE), ({"id": 2, "data": ONE}, {"id": 2, "data": ONE})],
)
def test_a_record_is_wrapped_or_not(answer: dict[str, Any], record: dict[str, Any]) -> None:
    assert json.loads(parse_found(body(answer), where="x")) == record


@pytest.mark.parametrize(
    ("value", "found"),
    [("a", "a"), (7, "7"), (0, "0"), ("", None), (None, None), (True, None), (1.5, None)],
)
def test_what_is_an_id(value: Any, found: str | None) -> None:
    assert record_key(body({"id": value})) == (found, None)

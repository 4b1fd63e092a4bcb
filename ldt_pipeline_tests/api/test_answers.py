"""Envelopes: what a page says of the list, and which answers mean that there is nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ldt_pipeline.api.answers import parse_found, parse_list, parse_page, record_key
from ldt_pipeline.api.errors import NotFoundError, ResponseFormatError
from ldt_pipeline.tidy import tidy_participants
from ldt_pipeline_tests.tidy.records import raw

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


IDS = {
    '"a"': "a",
    '" a "': " a ",
    "7": "7",
    "0": "0",
    "123456789012345678901234": "123456789012345678901234",
    # As other languages write numbers; a whole one is the same id with and without a point.
    "12345.0": "12345",
    "12345678901234567.0": "12345678901234567",
    "1e3": "1000",
    "-0.0": "0",
    "1.50": "1.50",
    "1e22": "1e22",
    "1e400": "1e400",
    "true": "true",
    '"a\\u0000b"': "ab",
    '"\\u0000"': None,
    '" "': None,
    '"\\u00a0"': None,
    '""': None,
    "null": None,
    "[1]": None,
    '{"id": 1}': None,
}


@pytest.mark.parametrize(("written", "found"), IDS.items())
@pytest.mark.parametrize("rest", ["", ', "updatedAt": 1e400'])
def test_an_id_is_the_same_in_a_walk_and_in_the_tables(
    written: str, found: str | None, rest: str
) -> None:
    """Else whoever is read has gone, as no list holds the id under which they are held."""
    record = f'{{"id": {written}{rest}}}'.encode()
    assert record_key(record) == (found, None)
    tidied = tidy_participants(raw(record))
    assert tidied.tables["participants"]["participant_id"].to_list() == ([found] if found else [])


@pytest.mark.parametrize(
    "record", [b"", b"null", b"[]", b'{"id": "a"', b'{"id": 01}', b'{"x": "a"}']
)
def test_what_is_no_record_has_no_id(record: bytes) -> None:
    assert record_key(record) == (None, None)

"""Half a surrogate pair, as JavaScript writes of a text that was cut inside an emoji."""

from __future__ import annotations

import json

import pytest

from ldt_pipeline.api.answers import parse_page, parse_record, record_key
from ldt_pipeline.api.errors import ResponseFormatError

HALVES = {
    rb"cut \ud83d": "cut \ufffd",
    rb"cut \uD83D here": "cut \ufffd here",
    rb"\udc69 is the other half": "\ufffd is the other half",
    rb"\ud83d\ud83d\udc69": "\ufffd\U0001f469",
    rb"\ud83d\u00e9": "\ufffd\u00e9",
    rb"\ud83d\n": "\ufffd\n",
    rb"\\ud83d is text, \\\ud83d is not": "\\ud83d is text, \\\ufffd is not",
}
RECORD = b'{"id": "a", "updatedAt": "2026-05-08T11:30:00Z", "eventName": "%s"}'
WHOLE = rb'{"id": "b", "eventName": "\ud83d\udc69 \\ud83d"}'


@pytest.mark.parametrize("text", HALVES, ids=repr)
def test_a_page_is_read_and_only_the_half_is_replaced(text: bytes) -> None:
    body = b'{"data": [%s, %s], "page": {"totalResults": 2}}' % (RECORD % text, WHOLE)
    page = parse_page(body, where="/participants", server_time=None)
    assert page.total == 2
    assert json.loads(page.records[0])["eventName"] == HALVES[text]
    assert record_key(page.records[0])[0] == "a"
    assert page.records[1] == WHOLE


@pytest.mark.parametrize("text", HALVES, ids=repr)
@pytest.mark.parametrize("form", [b"%s", b'{"data": %s}'])
def test_so_is_one_record(text: bytes, form: bytes) -> None:
    record = parse_record(form % (RECORD % text), where="/participants/a")
    assert json.loads(record)["eventName"] == HALVES[text]


@pytest.mark.parametrize("wrong", [rb"\ud83", rb"\ud8", rb"\x", b"\t", rb"\ud83d\x"])
def test_what_is_no_json_stays_an_error(wrong: bytes) -> None:
    body = b'{"data": [%s]}' % (RECORD % wrong)
    with pytest.raises(ResponseFormatError):
        parse_page(body, where="/participants", server_time=None)

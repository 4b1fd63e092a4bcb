"""What can't be read, what isn't known, and what is lost: all of it is to be seen."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ldt_pipeline.tidy import RAW_SCHEMA, tidy_participants, tidy_partners
from ldt_pipeline.tidy import drift as drift_module
from ldt_pipeline.tidy.decode import MOST_LEARNED_KEYS
from ldt_pipeline.tidy.drift import MOST_KEYS_PER_OBJECT
from ldt_pipeline_tests.tidy.records import EXTRACTED_AT, child, drift, parent, raw


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "The record is not valid JSON."),
        (b"{", "The record is not valid JSON."),
        (b'{"id": 1', "The record is not valid JSON."),
        (b'{"id": 1}}', "The record is not valid JSON."),
        (b'{"id": 1,}', "The record is not valid JSON."),
        (b'{"id": 1 "a": 2}', "The record is not valid JSON."),
        (b'{"id" 1}', "The record is not valid JSON."),
        (b"{id: 1}", "The record is not valid JSON."),
        (b"{1: 1}", "The record is not valid JSON."),
        (b'{"id": NaN}', "The record is not valid JSON."),
        (b'{"id": "1", "tracking": Infinity}', "The record is not valid JSON."),
        (b'{"id": "1", "tracking": {"a": "\x01"}}', "The record is not valid JSON."),
        (b'{"id": 01}', "The record is not valid JSON."),
        (b'{"id": "\\x"}', "The record is not valid JSON."),
        (b"<html>", "The record is not valid JSON."),
        (b"[1", "The record is not valid JSON."),
        (b'{"id": "1", "tracking": ' + b"[" * 5000, "The record is not valid JSON."),
        (None, "The record is not valid JSON."),
        (b"[]", "The record is valid JSON, but not an object."),
        (b'"id"', "The record is valid JSON, but not an object."),
        (b" null ", "The record is valid JSON, but not an object."),
        (b"12", "The record is valid JSON, but not an object."),
        (b'{"a": "\xff"}', "The record is not valid UTF-8."),
        (b'{"id": 1, "tracking": "\xff"}', "The record is not valid UTF-8."),
        (b'{"id": 1, "unheardOf": "\xff"}', "The record is not valid UTF-8."),
        (b"{}", "The record has no id: it is missing or null."),
        (b'{"id": null}', "The record has no id: it is missing or null."),
        (b'{"id": ""}', "The record's id is an empty text."),
        (b'{"id": "  "}', "The record's id is an empty text."),
        (b'{"id": "\\u0000"}', "The record's id is an empty text."),
        (b'{"id": {"a": 1}}', "The record's id is an object; it must be a text or a number."),
        (b'{"id": ["1"]}', "The record's id is an array; it must be a text or a number."),
    ],
)
def test_a_record_that_cant_be_read_costs_none_of_its_neighbours(
    record: bytes | None, reason: str
) -> None:
    tidied = tidy_participants(raw({"id": "before"}, record, {"id": "after"}))
    assert parent(tidied)["participant_id"].to_list() == ["before", "after"]
    assert parent(tidied)["record_number"].to_list() == [1, 3]
    rejected = tidied.rejected.to_dicts()
    assert len(rejected) == 1
    known = "1" if record is not None and b'"id": 1' in record and b"\xff" in record else None
    assert rejected[0] == {
        "record_id": known,
        "reason": reason,
        "extract_id": "extract-1",
        "record_number": 2,
        "extracted_at": EXTRACTED_AT + timedelta(minutes=1),
        "record_hash": 101,
    }
    assert tidied.drift.is_empty()


def test_frames_of_rejections_have_their_types_when_empty() -> None:
    tidied = tidy_participants(raw())
    assert dict(tidied.rejected.schema) == {
        "record_id": RAW_SCHEMA["extract_id"],
        "reason": RAW_SCHEMA["extract_id"],
        **{
            name: RAW_SCHEMA[name]
            for name in ("extract_id", "record_number", "extracted_at", "record_hash")
        },
    }


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        (b"123", "123"),
        (b"123.0", "123"),
        (b"1.5", "1.5"),
        (b"1e3", "1000"),
        (b"12345678901234567890123", "12345678901234567890123"),
        (b"1" * 5000, "1" * 5000),
        (b'"  a "', "  a "),
        (b'"\\ud800"', "\ufffd"),
        (b"true", "true"),
    ],
)
def test_ids_become_text(id_: bytes, expected: str) -> None:
    tidied = tidy_participants(raw(b'{"id": ' + id_ + b"}"))
    assert parent(tidied)["participant_id"].to_list() == [expected]


@pytest.mark.parametrize("key", ["tracking", "unheardOf", "raceName", "booker", "fields"])
def test_deep_nesting_costs_a_value_at_most(key: str) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    record = b'{"id": 1, "eventName": "E", "' + key.encode() + b'": ' + deep + b"}"
    tidied = tidy_participants(raw(record))
    assert parent(tidied)["event_name"].to_list() == ["E"]
    if key == "tracking":
        assert parent(tidied)["tracking"].to_list() == [deep.decode()]
    else:
        assert len(drift(tidied)) == 1


def test_a_lone_surrogate_or_nul_anywhere_is_made_safe() -> None:
    tidied = tidy_participants(
        raw(
            rb'{"id": "1\u0000", "tracking": {"a": "\udc00\u0000"}, "eventName": "\ud83d\ude00",'
            rb' "fields": [{"label": "\ud800", "value": {"\u0000": "\udfff"}}], "\ud800": 1}'
        )
    )
    row = parent(tidied).to_dicts()[0]
    assert row["participant_id"] == "1"
    assert row["tracking"] == r'{"a": "\udc00\u0000"}'
    assert row["event_name"] == "😀"
    assert child(tidied).select("question", "answer").row(0) == ("\ufffd", '{"":"\ufffd"}')
    assert drift(tidied) == {("\ufffd", "number"): 1}


def test_unknown_keys_are_counted_by_path_and_type() -> None:
    tidied = tidy_participants(
        raw(
            {"id": 1, "new": 1, "booker": {"new": "x"}, "fields": [{"new": 1}, {"new": 2}]},
            {"id": 2, "new": None, "tracking": {"new": 1}, "waves": [{"new": []}]},
            {"id": 3, "new": 2.5, "tags": [{"new": {}}], "distances": [{"new": True}]},
            {"id": 4, "originalTicketPrice": {"new": False}, "statusDetails": [{"new": 1}]},
            {"id": 5, "reservedEntryPartnerExternalIds": {"new": 1}},
            {"id": 6, "partnerMarketingOptIns": [{"new": 1, "partner": {"new": 1}}]},
        )
    )
    assert drift(tidied) == {
        ("new", "number"): 2,
        ("new", "null"): 1,
        ("booker.new", "string"): 1,
        ("fields[].new", "number"): 1,
        ("waves[].new", "array"): 1,
        ("tags[].new", "object"): 1,
        ("distances[].new", "boolean"): 1,
        ("originalTicketPrice.new", "boolean"): 1,
        ("statusDetails[].new", "number"): 1,
        ("reservedEntryPartnerExternalIds.new", "number"): 1,
        ("partnerMarketingOptIns[].new", "number"): 1,
        ("partnerMarketingOptIns[].partner.new", "number"): 1,
    }
    assert tidied.drift.equals(tidied.drift.sort("path", "value_type"))


def test_drift_says_when_it_was_first_and_last_seen() -> None:
    records: list[Any] = [{"id": n} for n in range(200)]
    for n in (30, 70, 150):
        records[n]["new"] = n
    row = tidy_participants(raw(*records)).drift.to_dicts()[0]
    assert row == {
        "path": "new",
        "value_type": "number",
        "records": 3,
        "first_seen_at": EXTRACTED_AT + timedelta(minutes=30),
        "last_seen_at": EXTRACTED_AT + timedelta(minutes=150),
    }


def test_after_two_records_with_an_unknown_key_the_next_ones_are_fast() -> None:
    records = [
        {"id": n, "new": n, "fields": [{"label": "Q", "value": n, "help me": "x"}]}
        for n in range(500)
    ]
    tidied = tidy_participants(raw(*records))
    assert tidied.slow_records == 2
    assert drift(tidied) == {("new", "number"): 500, ("fields[].help me", "string"): 500}
    assert child(tidied)["answer"].to_list() == [str(n) for n in range(500)]


def test_synonyms_are_learned_too_wherever_they_first_come() -> None:
    records: list[Any] = [{"id": n, "booker": {"firstName": "A"}} for n in range(300)]
    for n in range(100, 300):
        records[n]["booker"] = {"givenName": "B", "telephone": n}
    tidied = tidy_participants(raw(*records))
    assert parent(tidied)["booker_name"].to_list() == ["A"] * 100 + ["B"] * 200
    assert parent(tidied)["booker_phone"].to_list() == [None] * 100 + [
        str(n) for n in range(100, 300)
    ]
    assert tidied.slow_records == 1


def test_an_object_used_as_a_dictionary_does_not_flood_the_drift() -> None:
    records = [{"id": n, "booker": {f"key{n}": 1}} for n in range(MOST_KEYS_PER_OBJECT + 50)]
    tidied = tidy_participants(raw(*records))
    assert tidied.drift.height == MOST_KEYS_PER_OBJECT + 1
    assert drift(tidied)["booker.*", "number"] == 50
    assert parent(tidied).height == len(records)


def test_more_unknown_keys_than_are_learned_are_still_counted() -> None:
    keys = [f"key{n}" for n in range(MOST_LEARNED_KEYS + 10)]
    records = [{"id": n, **dict.fromkeys(keys, 1)} for n in range(10)]
    tidied = tidy_participants(raw(*records))
    assert drift(tidied) == {(key, "number"): 10 for key in keys}
    assert tidied.slow_records == 10


def test_keys_of_rejected_records_are_no_drift() -> None:
    tidied = tidy_participants(
        raw({"new": 1}, {"id": 1, "new": 1}, {"id": [], "competitorSize": "x"})
    )
    assert drift(tidied) == {("new", "number"): 1}
    assert tidied.drift["first_seen_at"].to_list() == [EXTRACTED_AT + timedelta(minutes=1)]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"updatedAt": "yesterday"}, ("updatedAt", "unreadable string")),
        ({"updatedAt": {"a": 1}}, ("updatedAt", "unreadable object")),
        ({"updatedAt": True}, ("updatedAt", "unreadable boolean")),
        ({"competitorSize": "many"}, ("competitorSize", "unreadable string")),
        ({"competitorSize": 2**63}, ("competitorSize", "unreadable number")),
        ({"competitorSize": 1.5}, ("competitorSize", "unreadable number")),
        ({"gdprRedacted": "perhaps"}, ("gdprRedacted", "unreadable string")),
        ({"eventName": ["a", "b"]}, ("eventName", "unreadable array")),
        ({"eventName": {"a": 1}}, ("eventName", "unreadable object")),
        ({"booker": {"email": {}}}, ("booker.email", "unreadable object")),
        ({"booker": True}, ("booker", "unreadable boolean")),
        ({"booker": [{}, {}]}, ("booker", "unreadable array")),
        ({"booker": [[]]}, ("booker", "unreadable array")),
        ({"waves": [[]]}, ("waves[]", "unreadable array")),
        ({"waves": True}, ("waves[]", "unreadable boolean")),
        ({"waves": [{"start": "soon"}]}, ("waves[].start", "unreadable string")),
        ({"originalTicketPrice": "free"}, ("originalTicketPrice.amount", "unreadable string")),
        (
            {"originalTicketPrice": {"value": 10**20}},
            ("originalTicketPrice.value", "unreadable number"),
        ),
        (
            {"originalTicketPrice": {"amount": 1.00001}},
            ("originalTicketPrice.amount", "rounded number"),
        ),
        ({"distances": [{"value": "far"}]}, ("distances[].value", "unreadable string")),
    ],
)
def test_a_value_that_is_lost_is_seen(members: dict[str, Any], expected: tuple[str, str]) -> None:
    tidied = tidy_participants(raw({"id": 1}, {"id": 2, **members}))
    assert drift(tidied) == {expected: 1}
    assert tidied.drift["first_seen_at"].to_list() == [EXTRACTED_AT + timedelta(minutes=1)]


def test_blank_texts_are_nothing_and_no_drift() -> None:
    record = {
        "id": 1,
        **dict.fromkeys(("updatedAt", "competitorSize", "gdprRedacted", "eventName"), ""),
        "originalTicketPrice": {"amount": " "},
        "raceStartDate": "  ",
    }
    tidied = tidy_participants(raw(record))
    assert tidied.drift.is_empty()
    assert parent(tidied)["event_name"].to_list() == [None]


def test_no_value_of_a_record_is_in_drift_or_reason() -> None:
    record = {
        "id": {"secret": "Jane"},
        "updatedAt": "Jane",
        "booker": [{"email": ["Jane", "Jane"]}, "Jane"],
    }
    tidied = tidy_partners(raw(record, json.dumps("Jane").encode(), {**record, "id": 1}))
    assert "Jane" not in tidied.rejected.write_csv()
    assert "Jane" not in tidied.drift.write_csv()


def test_very_long_keys_are_cut_in_drift() -> None:
    path = tidy_participants(raw({"id": 1, "k" * 10_000: 1})).drift["path"].to_list()[0]
    assert len(path) == drift_module._LONGEST_KEY


def test_of_several_objects_where_one_is_expected_only_the_first_is_looked_into() -> None:
    tidied = tidy_participants(
        raw({"id": 1, "booker": [{"new": 1}]}, {"id": 2, "booker": [{}, {"new": 1}]})
    )
    assert drift(tidied) == {("booker.new", "number"): 1, ("booker", "unreadable array"): 1}

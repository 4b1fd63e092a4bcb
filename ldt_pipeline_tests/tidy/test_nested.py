"""Every shape that the nested parts of participants and applications may have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ldt_pipeline.tidy import tidy_participants
from ldt_pipeline_tests.tidy.participants import START, answers_of, of, participant
from ldt_pipeline_tests.tidy.records import child, drift, only, raw


@pytest.mark.parametrize(
    ("waves", "wave", "names"),
    [
        (["Red", "Blue"], "Red, Blue", ["Red", "Blue"]),
        ([{"title": "Red"}, {"label": "Blue"}], "Red, Blue", ["Red", "Blue"]),
        ([{"wave": {"id": 1, "name": "Red"}}, {"wave": "Blue"}], "Red, Blue", ["Red", "Blue"]),
        (["Red", {"name": "Red"}, "Blue"], "Red, Blue", ["Red", "Red", "Blue"]),
        ([3], "3", ["3"]),
        ([1.5], "1.5", ["1.5"]),
        ({"name": "Red"}, "Red", ["Red"]),
        ("Red", "Red", ["Red"]),
        ([None, {}, {"name": "Red"}], "Red", ["Red"]),
        ([], None, []),
        ([None], None, []),
        (None, None, None),
        (True, None, []),
        ([["Red"]], None, []),
    ],
)
def test_waves(waves: Any, wave: str | None, names: list[str] | None) -> None:
    row = of(waves=waves)
    assert row.get("wave") == wave
    found = row.get("waves")
    assert (None if found is None else [each["name"] for each in found]) == names


@pytest.mark.parametrize("key", ["startsAt", "startTime", "startDate", "startDateTime", "start"])
def test_a_wave_may_name_its_start_in_many_ways(key: str) -> None:
    row = of(waves=[{"id": 7, key: "2023-05-08T12:30:00+01:00"}])
    assert row["waves"] == [{"wave_id": "7", "name": None, "starts_at": START}]


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ([{"label": "Q", "value": "A"}], [(0, None, "Q", "A")]),
        ([{"question": "Q", "answer": "A"}], [(0, None, "Q", "A")]),
        ([{"name": "Q", "values": ["A", "B"]}], [(0, None, "Q", "A; B")]),
        ([{"title": "Q", "value": 5}], [(0, None, "Q", "5")]),
        ([{"label": "", "name": "Q", "value": "", "values": ["A"]}], [(0, None, "Q", "A")]),
        ([{"label": "", "title": "Q", "value": "", "answer": "A"}], [(0, None, "Q", "A")]),
        ([{"label": "", "value": "", "answer": ""}], []),
        ([{"key": "firstName", "value": "A"}], [(0, "firstName", "firstName", "A")]),
        ([{"key": "k", "label": "Q", "value": "A"}], [(0, "k", "Q", "A")]),
        ([{"questionId": 9, "label": "Q", "value": True}], [(0, "9", "Q", "true")]),
        ([{"label": "Q", "value": 1.10}], [(0, None, "Q", "1.1")]),
        ([{"label": "Q", "value": 12.0}], [(0, None, "Q", "12")]),
        ([{"label": "Q", "value": {"label": "L", "value": "v"}}], [(0, None, "Q", "L")]),
        ([{"label": "Q", "value": {"name": "N"}}], [(0, None, "Q", "N")]),
        ([{"label": "Q", "value": {"value": 3}}], [(0, None, "Q", "3")]),
        (
            [{"label": "Q", "value": [{"label": "L"}, {"name": "N"}, 2, None, ""]}],
            [(0, None, "Q", "L; N; 2")],
        ),
        (
            [{"label": "Q", "value": {"line1": "1 High St", "city": "York"}}],
            [(0, None, "Q", '{"line1":"1 High St","city":"York"}')],
        ),
        ([{"label": "Q", "value": {"id": 7, "name": "N"}}], [(0, None, "Q", "N")]),
        ([{"label": "Q", "value": {"label": "L", "selected": True}}], [(0, None, "Q", "L")]),
        ([{"label": "Q", "value": {"label": "", "value": "v"}}], [(0, None, "Q", "v")]),
        (
            [{"label": "Q", "value": {"name": "Eve", "phone": "07700"}}],
            [(0, None, "Q", '{"name":"Eve","phone":"07700"}')],
        ),
        (
            [{"label": "Q", "value": [{"name": "Eve", "phone": "07700"}, {"name": "Bob"}]}],
            [(0, None, "Q", '{"name":"Eve","phone":"07700"}; Bob')],
        ),
        (
            [{"label": "Q", "value": {"title": "Ms", "firstName": "Eve"}}],
            [(0, None, "Q", '{"title":"Ms","firstName":"Eve"}')],
        ),
        (
            [{"label": "Q", "value": {"label": "Other", "text": "Hares"}}],
            [(0, None, "Q", '{"label":"Other","text":"Hares"}')],
        ),
        (
            [{"label": "Q", "value": {"label": "I agree", "checked": False}}],
            [(0, None, "Q", '{"label":"I agree","checked":false}')],
        ),
        (
            [{"label": "Q", "value": {"label": "L", "value": {"phone": "07700"}}}],
            [(0, None, "Q", '{"label":"L","value":{"phone":"07700"}}')],
        ),
        (
            [{"label": "Q", "value": {"day": 14, "month": "6", "year": 1990}}],
            [(0, None, "Q", "1990-06-14")],
        ),
        (
            [{"label": "Q", "value": {"day": 31, "month": 6, "year": 1990}}],
            [(0, None, "Q", '{"day":31,"month":6,"year":1990}')],
        ),
        ([{"label": "Q", "value": {"a": None}}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": {"name": "", "phone": " "}}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": []}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": ""}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": "  "}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": " A B\n"}], [(0, None, "Q", "A B")]),
        ([{"label": "Q", "value": {"value": [[{"label": " A"}]]}}], [(0, None, "Q", "A")]),
        ([{"label": "Q"}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": None, "answer": "A"}], [(0, None, "Q", "A")]),
        ([None, {}, {"label": "Q", "value": "A"}], [(2, None, "Q", "A")]),
        (["A"], [(0, None, None, "A")]),
        ("A", [(0, None, None, "A")]),
        ({"label": "Q", "value": "A"}, [(0, None, "Q", "A")]),
        ({"question": "Q", "answer": "A", "id": 4}, [(0, "4", "Q", "A")]),
        ({"Q1": "A", "Q2": ["B", "C"]}, [(0, None, "Q1", "A"), (1, None, "Q2", "B; C")]),
        ({"q7": {"label": "Q", "value": "A"}}, [(0, "q7", "Q", "A")]),
        ({"q7": {"other": 1}}, [(0, None, "q7", '{"other":1}')]),
        ([{"question": {"label": "Q"}, "answer": "A"}], [(0, None, "Q", "A")]),
        ([{"question": {"id": 7, "text": "Q"}, "answer": {"value": "A"}}], [(0, None, "Q", "A")]),
        ({"q7": {"question": {"title": "Q"}, "value": "A"}}, [(0, "q7", "Q", "A")]),
        ([{"question": {"id": 7}, "answer": "A"}], [(0, None, None, "A")]),
        ({}, []),
        ([], []),
        (None, []),
        (False, []),
        ([[{"label": "Q", "value": "A"}]], []),
    ],
)
def test_answers(fields: Any, answers: list[tuple[Any, ...]]) -> None:
    assert answers_of(fields) == answers


def test_an_answer_nested_too_deeply_is_lost_and_seen() -> None:
    value: Any = "A"
    for _ in range(20):
        value = [value]
    tidied = tidy_participants(raw(participant(fields=[{"label": "Q", "value": value}])))
    assert child(tidied)["answer"].to_list() == [None]
    assert drift(tidied) == {("fields[].value", "unreadable array"): 1}


@pytest.mark.parametrize(
    ("booker", "expected"),
    [
        ({"name": "Zoë Lee"}, {"name": "Zoë Lee"}),
        ({"fullName": "Zoë Lee"}, {"name": "Zoë Lee"}),
        ({"firstName": " Zoë ", "lastName": "Lee"}, {"name": "Zoë Lee"}),
        ({"firstName": "Zoë"}, {"name": "Zoë"}),
        ({"givenName": "Zoë", "surname": "Lee"}, {"name": "Zoë Lee"}),
        ({"firstName": "", "lastName": ""}, {}),
        ({"name": {"firstName": " Zoë ", "lastName": "Lee"}}, {"name": "Zoë Lee"}),
        ({"name": {"givenName": "Zoë", "surname": None}}, {"name": "Zoë"}),
        ({"fullName": {"name": "Zoë Lee"}}, {"name": "Zoë Lee"}),
        ({"name": {"firstName": ["Zoë"]}, "firstName": "Zoë"}, {"name": "Zoë"}),
        ({"name": {}, "firstName": "Zoë"}, {"name": "Zoë"}),
        ({"id": 5, "emailAddress": "z@x.org"}, {"id": "5", "email": "z@x.org"}),
        ({"phoneNumber": 447700900123}, {"phone": "447700900123"}),
        ({"mobile": "07"}, {"phone": "07"}),
        ("Zoë Lee", {"name": "Zoë Lee"}),
        ("z@x.org", {"email": "z@x.org"}),
        ([{"name": "Zoë"}], {"name": "Zoë"}),
        ([None, {"name": "Zoë"}], {"name": "Zoë"}),
        ([{"name": "Zoë"}, {"name": "Lee"}], {"name": "Zoë"}),
        ([], {}),
        (None, {}),
        (False, {}),
    ],
)
def test_booker(booker: Any, expected: dict[str, str]) -> None:
    row = of(booker=booker)
    found = {name[7:]: value for name, value in row.items() if name.startswith("booker_")}
    assert found == expected


@pytest.mark.parametrize(
    ("price", "amount", "currency"),
    [
        (b'{"amount": 45.10, "currency": "GBP"}', "45.10", "GBP"),
        (b'{"value": "45.10", "currencyCode": "EUR"}', "45.10", "EUR"),
        (b"45", "45", None),
        (b"45.5", "45.5", None),
        (b'"45.5"', "45.5", None),
        (b'{"amount": 12345678901234.5678}', "12345678901234.5678", None),
        (b'{"amount": "12345678901234.5678"}', "12345678901234.5678", None),
        (b'{"amount": 1e2}', "100", None),
        (b'{"amount": " -3.5 "}', "-3.5", None),
        (b'{"amount": 0.1}', "0.1", None),
        (b'{"amount": 0.00004}', "0", None),
        (b'{"amount": [7]}', "7", None),
        (b"null", None, None),
        (b'{"amount": null, "currency": ""}', None, None),
        (b'{"amount": 123456789012345}', None, None),
        (b'{"amount": 99999999999999.99999}', None, None),
        (b'{"amount": 1e400}', None, None),
        (b'{"amount": "free"}', None, None),
        (b'{"amount": true}', None, None),
        (b'{"amount": {"a": 1}}', None, None),
        (b'{"amount": ""}', None, None),
        (b'{"amount": "1,50"}', None, None),
        (b'{"amount": "NaN"}', None, None),
    ],
)
def test_price(price: bytes, amount: str | None, currency: str | None) -> None:
    row = only(tidy_participants(raw(b'{"id": 1, "originalTicketPrice": ' + price + b"}")))
    expected = None if amount is None else Decimal(amount)
    assert row.get("original_ticket_price_amount") == expected
    assert row.get("original_ticket_price_currency") == currency


@pytest.mark.parametrize(
    ("opt_ins", "expected"),
    [
        ([{"id": "p", "name": "N", "optIn": "true"}], [("p", "N", True)]),
        ([{"partner": {"id": 1, "name": "N"}, "consent": 0}], [("1", "N", False)]),
        ([{"partner": "N"}], [(None, "N", None)]),
        (["N"], [(None, "N", None)]),
        ({"partnerId": "p", "value": "no"}, [("p", None, False)]),
        ([{"partnerId": "p", "optedIn": "maybe"}], [("p", None, None)]),
        ([], []),
        (None, None),
    ],
)
def test_marketing_opt_ins(opt_ins: Any, expected: Any) -> None:
    found = of(partnerMarketingOptIns=opt_ins).get("partner_marketing_opt_ins")
    assert (None if found is None else [tuple(each.values()) for each in found]) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["a", {"name": "b"}, {"label": "c"}, 4, {"id": "e"}, None, {}], ["a", "b", "c", "4", "e"]),
        ("a", ["a"]),
        ({"name": "a"}, ["a"]),
        ([], []),
        (None, None),
    ],
)
def test_tags(tags: Any, expected: Any) -> None:
    assert of(tags=tags).get("tags") == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (["REFUNDED"], [("REFUNDED", None, None)]),
        ([{"type": "X", "note": "n", "date": "2023-05-08T11:30Z"}], [("X", "n", START)]),
        ({"status": "X", "timestamp": 1683545400}, [("X", None, START)]),
        ([{"status": "X", "updatedAt": "soon"}], [("X", None, None)]),
    ],
)
def test_status_details(details: Any, expected: Any) -> None:
    found = of(statusDetails=details)["status_details"]
    assert [tuple(each.values()) for each in found] == expected


@pytest.mark.parametrize(
    ("distances", "expected"),
    [
        (["10 km"], [(None, "10 km", None, None)]),
        ([{"name": "10k", "distance": "10.0", "units": "km"}], [(None, "10k", 10.0, "km")]),
        ([{"distanceId": 3, "length": 42.195}], [("3", None, 42.195, None)]),
        ([{"label": "x", "value": "far"}], [(None, "x", None, None)]),
    ],
)
def test_distances(distances: Any, expected: Any) -> None:
    assert [tuple(each.values()) for each in of(distances=distances)["distances"]] == expected


@pytest.mark.parametrize(
    "ids", [{"enthuse": 12, "justgiving": "j"}, [{"enthuse": 12.0, "justGiving": "j"}]]
)
def test_external_ids(ids: Any) -> None:
    row = of(reservedEntryPartnerExternalIds=ids)
    assert row["reserved_entry_partner_enthuse_id"] == "12"
    assert row["reserved_entry_partner_just_giving_id"] == "j"

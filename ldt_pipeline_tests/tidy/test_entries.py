"""Participants and applications: every shape that their nested parts may have."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from ldt_pipeline.tables import table
from ldt_pipeline.tidy import LINEAGE, tidy_applications, tidy_participants
from ldt_pipeline_tests.tidy.records import EXTRACTED_AT, child, drift, only, parent, raw

FULL: dict[str, Any] = {
    "id": "6399c20015d60ae3ff28f24c",
    "participantIndex": 0,
    "bookingId": "b1",
    "transactionId": "t1",
    "eventOccurrenceId": "o1",
    "eventId": "2365756",
    "raceId": "3517846101",
    "ticketTitle": "10k Standard Entry",
    "ticketId": "k1",
    "createdAt": "2023-05-08T11:30:00.000Z",
    "updatedAt": "2023-05-08T11:30:00.123Z",
    "waves": [
        {"id": "w1", "name": "Red", "startTime": "2023-05-08T09:00:00.000Z"},
        {"id": "w2", "name": "Blue"},
    ],
    "fields": [
        {"id": "q1", "label": "First name", "value": "Zoë"},
        {"id": "q2", "label": "Extras", "value": ["Mug", "Medal"]},
        {"id": "q3", "label": "Club", "value": None},
    ],
    "booker": {"id": "u1", "firstName": "Zoë", "lastName": "Lee", "email": "z@x.org", "phone": "1"},
    "bookerType": "PARTNER",
    "originalTicketPrice": {"amount": 45.5, "currency": "GBP"},
    "incrementalStatus": "INCREMENTAL",
    "bibNumber": "0042A",
    "bookingCodesUsed": {"discount": "X"},
    "reservedEntryUrl": "https://x.org/claim",
    "partnerMarketingOptIns": [{"partnerId": "p1", "partnerName": "Charity", "optedIn": True}],
    "tags": ["vip", {"name": "press"}],
    "gdprRedacted": False,
    "statusDetails": [{"status": "CONFIRMED", "reason": "paid", "at": "2023-05-08T11:30:00Z"}],
    "tracking": {"utm": {"source": "mail"}},
    "applicationId": "a1",
    "raceDayDetails": {"pen": "C"},
    "resultSubmission": None,
    "eventName": "City Sprint Challenge",
    "raceName": "10k",
    "raceStartDate": "2023-05-08T11:30:00.000Z",
    "sportId": "s1",
    "distanceId": "d1",
    "distances": [{"id": "d1", "label": "10 km", "value": 10, "unit": "km"}],
    "disciplineLabel": "Running",
    "course": {"loops": 2},
    "eventLocation": {"city": "Leeds"},
    "competitorSize": 12293,
    "reservedEntryGroupCode": "re_x-ga8ais3v4r",
    "reservedEntryGroupName": "Charity Entries",
    "reservedEntryPartnerExternalIds": {"enthuse": "e1", "justGiving": 7, "londonMarathon": None},
    "reservedEntryPartnerName": "National Charity",
}
START = datetime(2023, 5, 8, 11, 30, tzinfo=UTC)


def participant(**members: Any) -> dict[str, Any]:
    return {"id": "1", **members}


def of(**members: Any) -> dict[str, Any]:
    """Give what a participant with these members becomes."""
    return only(tidy_participants(raw(participant(**members))))


def answers_of(fields: Any) -> list[tuple[Any, ...]]:
    """Give the answers of a participant with these fields."""
    frame = child(tidy_participants(raw(participant(fields=fields))))
    return frame.select("position", "question_id", "question", "answer").rows()


def test_a_participant_as_the_reference_shows_it() -> None:
    tidied = tidy_participants(raw(FULL))
    assert only(tidied) == {
        "participant_id": "6399c20015d60ae3ff28f24c",
        "application_id": "a1",
        "participant_index": 0,
        "booking_id": "b1",
        "transaction_id": "t1",
        "event_occurrence_id": "o1",
        "event_id": "2365756",
        "event_name": "City Sprint Challenge",
        "race_id": "3517846101",
        "race_name": "10k",
        "race_start_at": START,
        "ticket_id": "k1",
        "ticket_title": "10k Standard Entry",
        "created_at": START,
        "updated_at": START.replace(microsecond=123_000),
        "bib_number": "0042A",
        "wave": "Red, Blue",
        "waves": [
            {"wave_id": "w1", "name": "Red", "starts_at": START.replace(hour=9, minute=0)},
            {"wave_id": "w2", "name": "Blue", "starts_at": None},
        ],
        "booker_id": "u1",
        "booker_name": "Zoë Lee",
        "booker_email": "z@x.org",
        "booker_phone": "1",
        "booker_type": "PARTNER",
        "original_ticket_price_amount": Decimal("45.5"),
        "original_ticket_price_currency": "GBP",
        "incremental_status": "INCREMENTAL",
        "booking_codes_used": '{"discount": "X"}',
        "reserved_entry_url": "https://x.org/claim",
        "partner_marketing_opt_ins": [
            {"partner_id": "p1", "partner_name": "Charity", "opted_in": True}
        ],
        "tags": ["vip", "press"],
        "gdpr_redacted": False,
        "status_details": [{"status": "CONFIRMED", "reason": "paid", "at": START}],
        "tracking": '{"utm": {"source": "mail"}}',
        "sport_id": "s1",
        "distance_id": "d1",
        "distances": [{"distance_id": "d1", "label": "10 km", "value": 10.0, "unit": "km"}],
        "discipline_label": "Running",
        "course": '{"loops": 2}',
        "event_location": '{"city": "Leeds"}',
        "competitor_size": 12293,
        "reserved_entry_group_code": "re_x-ga8ais3v4r",
        "reserved_entry_group_name": "Charity Entries",
        "reserved_entry_partner_enthuse_id": "e1",
        "reserved_entry_partner_just_giving_id": "7",
        "reserved_entry_partner_name": "National Charity",
        "race_day_details": '{"pen": "C"}',
        "extract_id": "extract-1",
        "record_number": 1,
        "extracted_at": EXTRACTED_AT,
        "record_hash": 100,
    }
    assert child(tidied).rows() == [
        ("6399c20015d60ae3ff28f24c", 0, "q1", "First name", "Zoë", "extract-1", 1),
        ("6399c20015d60ae3ff28f24c", 1, "q2", "Extras", "Mug; Medal", "extract-1", 1),
        ("6399c20015d60ae3ff28f24c", 2, "q3", "Club", None, "extract-1", 1),
    ]
    assert tidied.drift.is_empty()


def test_an_application_has_its_own_columns_and_shares_the_rest() -> None:
    record = {
        **FULL,
        "approvalStatus": "APPROVED",
        "applicationResolutionType": "BALLOT",
        "ballotDraw": "International",
    }
    for key in ("applicationId", "raceDayDetails", "resultSubmission"):
        del record[key]
    tidied = tidy_applications(raw(record))
    row = only(tidied)
    assert row["application_id"] == FULL["id"]
    assert row["approval_status"] == "APPROVED"
    assert row["application_resolution_type"] == "BALLOT"
    assert row["ballot_draw"] == "International"
    assert row["wave"] == "Red, Blue"
    assert list(tidied.tables) == ["applications", "application_answers"]
    assert child(tidied)["application_id"].to_list() == [FULL["id"]] * 3
    assert tidied.drift.is_empty()


def test_an_empty_frame_gives_empty_typed_frames() -> None:
    tidied = tidy_participants(raw())
    participants = table("participants").schema
    del participants["deleted_at"]
    assert list(parent(tidied).schema)[-4:] == list(LINEAGE)
    assert dict(list(parent(tidied).schema.items())[:-4]) == participants
    assert dict(list(child(tidied).schema.items())[:-2]) == table("participant_answers").schema
    assert parent(tidied).height == child(tidied).height == tidied.drift.height == 0


def test_a_record_with_nothing_but_an_id() -> None:
    assert set(of()) == {"participant_id", *LINEAGE}


@pytest.mark.parametrize(
    ("waves", "wave", "names"),
    [
        (["Red", "Blue"], "Red, Blue", ["Red", "Blue"]),
        ([{"title": "Red"}, {"label": "Blue"}], "Red, Blue", ["Red", "Blue"]),
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
        ([{"label": "Q", "value": {"a": None}}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": []}], [(0, None, "Q", None)]),
        ([{"label": "Q", "value": ""}], [(0, None, "Q", None)]),
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


@pytest.mark.parametrize("text", ['{"b" :1,"b":[ 1.10 ]}', '"x"', "[1]", "12.50", "true"])
def test_what_is_kept_whole_is_kept_byte_for_byte(text: str) -> None:
    record = f'{{"id": 1, "tracking":  {text} , "course": null}}'.encode()
    row = only(tidy_participants(raw(record)))
    assert row["tracking"] == text
    assert "course" not in row


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (7, 7),
        ("7", 7),
        (" 7 ", 7),
        ("7.0", 7),
        (7.0, 7),
        ([7], 7),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (10**30, None),
        (7.5, None),
        ("7.5", None),
        ("many", None),
        (True, None),
        ({}, None),
        ("", None),
    ],
)
def test_whole_numbers(given: Any, expected: int | None) -> None:
    assert of(competitorSize=given).get("competitor_size") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, True),
        ("true", True),
        ("TRUE", True),
        (1, True),
        ("1", True),
        (1.0, True),
        ("yes", True),
        (False, False),
        ("false", False),
        (0, False),
        ("0", False),
        ("perhaps", None),
        (2, None),
        ({}, None),
        ("", None),
        (None, None),
    ],
)
def test_flags(given: Any, expected: bool | None) -> None:
    assert of(gdprRedacted=given).get("gdpr_redacted") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("x", "x"),
        (" x ", " x "),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (10**25, "1" + "0" * 25),
        (True, "true"),
        (["x"], "x"),
        ("", None),
        ([], None),
        (["x", "y"], None),
        ({"name": "x"}, None),
        ("a\0b", "ab"),
        ("\ud800x", "\ufffdx"),
        ("😀", "😀"),
    ],
)
def test_texts(given: Any, expected: str | None) -> None:
    assert of(bibNumber=given).get("bib_number") == expected


def test_long_texts_come_through() -> None:
    assert of(eventName="x" * 1_000_000)["event_name"] == "x" * 1_000_000


def test_of_two_members_with_one_key_the_last_counts() -> None:
    tidied = tidy_participants(raw(b'{"id": 1, "id": 2, "raceName": "a", "raceName": null}'))
    assert set(only(tidied)) == {"participant_id", *LINEAGE}
    assert parent(tidied)["participant_id"].to_list() == ["2"]


def test_rows_stand_in_the_order_of_the_raw_frame_and_are_not_deduplicated() -> None:
    tidied = tidy_participants(raw({"id": 2}, {"id": 1}, {"id": 2}))
    assert parent(tidied)["participant_id"].to_list() == ["2", "1", "2"]
    assert parent(tidied)["record_number"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("column", ["record", "event_id"])
def test_a_frame_that_is_no_raw_frame_is_refused(column: str) -> None:
    with pytest.raises(ValueError, match=f"needs the column '{column}'"):
        tidy_participants(raw().drop(column))
    with pytest.raises(ValueError, match=f"column '{column}' has type Int8"):
        tidy_participants(raw().with_columns(pl.lit(1, dtype=pl.Int8).alias(column)))

"""Participants and applications as whole records, and their rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from ldt_pipeline.tables import table
from ldt_pipeline.tidy import LINEAGE, tidy_applications, tidy_participants
from ldt_pipeline_tests.tidy.participants import START, of
from ldt_pipeline_tests.tidy.records import EXTRACTED_AT, child, only, parent, raw

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

"""Partners, reserved entry groups and tickets."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ldt_pipeline.tidy import tidy_partners, tidy_reserved_entries, tidy_tickets
from ldt_pipeline_tests.tidy.records import EXTRACTED_AT, child, drift, only, parent, raw


def contacts_of(contacts: Any) -> list[tuple[Any, ...]]:
    frame = child(tidy_partners(raw({"id": "p", "contacts": contacts})))
    return frame.select("position", "contact_id", "name", "email", "phone", "role").rows()


def test_a_partner_as_the_reference_shows_it() -> None:
    tidied = tidy_partners(
        raw(
            {
                "id": "p_v7k8jsvoj2o",
                "name": "National Charity",
                "description": "Text",
                "type": "CHARITY",
                "externalIds": {"enthuse": "e", "justGiving": 5, "londonMarathon": "l"},
                "contacts": [{"id": 1, "name": "Zoë", "email": "z@x.org", "role": "boss"}],
                "defaultMarketing": {"a": 1},
                "specificMarketings": [{"b": 2}],
                "canCreateSubPartners": False,
                "createdAt": "2021-10-14T11:30:00.000Z",
                "updatedAt": "2023-10-14T11:30:00.000Z",
            }
        )
    )
    row = only(tidied)
    assert row == {
        "partner_id": "p_v7k8jsvoj2o",
        "name": "National Charity",
        "description": "Text",
        "type": "CHARITY",
        "enthuse_id": "e",
        "just_giving_id": "5",
        "london_marathon_id": "l",
        "default_marketing": '{"a": 1}',
        "specific_marketings": '[{"b": 2}]',
        "can_create_sub_partners": False,
        "created_at": datetime(2021, 10, 14, 11, 30, tzinfo=UTC),
        "updated_at": datetime(2023, 10, 14, 11, 30, tzinfo=UTC),
        "extract_id": "extract-1",
        "record_number": 1,
        "extracted_at": EXTRACTED_AT,
        "record_hash": 100,
    }
    assert child(tidied).rows() == [
        ("p_v7k8jsvoj2o", 0, "1", "Zoë", "z@x.org", None, "boss", "extract-1", 1)
    ]
    assert tidied.drift.is_empty()
    assert tidied.slow_records == 0


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        (["z@x.org"], [(0, None, None, "z@x.org", None, None)]),
        (["Zoë"], [(0, None, "Zoë", None, None, None)]),
        ([{"firstName": "Zoë", "surname": "Lee"}], [(0, None, "Zoë Lee", None, None, None)]),
        ([{"emailAddress": "e", "mobile": 7}], [(0, None, None, "e", "7", None)]),
        ([{"contactId": "c", "jobTitle": "boss"}], [(0, "c", None, None, None, "boss")]),
        ([None, {}, "z@x.org"], [(2, None, None, "z@x.org", None, None)]),
        ({"email": "e"}, [(0, None, None, "e", None, None)]),
        ("z@x.org", [(0, None, None, "z@x.org", None, None)]),
        ([], []),
        (None, []),
    ],
)
def test_contacts(contacts: Any, expected: list[tuple[Any, ...]]) -> None:
    assert contacts_of(contacts) == expected


def tickets_of(tickets: str) -> list[tuple[Any, ...]]:
    record = f'{{"id": "re_1", "tickets": {tickets}}}'.encode()
    frame = child(tidy_reserved_entries(raw(record)))
    return frame.drop("reserved_entry_group_id", "extract_id", "record_number").rows()


def test_a_group_as_the_reference_shows_it() -> None:
    tidied = tidy_reserved_entries(
        raw(
            {
                "id": "re_abcd6ss01x8",
                "name": "Lorem ipsum",
                "description": "Text",
                "eventId": 11120888,
                "partnerId": "p_abcdiqh2oa4",
                "maxCapacity": "35",
                "usedCapacity": 15,
                "tickets": [{"ticketId": "t1", "price": {"amount": 5, "currency": "GBP"}}],
                "type": "MULTI_USE",
                "settings": {"a": [1]},
            },
            event_id="another",
        )
    )
    assert only(tidied) == {
        "reserved_entry_group_id": "re_abcd6ss01x8",
        "event_id": "11120888",
        "partner_id": "p_abcdiqh2oa4",
        "name": "Lorem ipsum",
        "description": "Text",
        "type": "MULTI_USE",
        "max_capacity": 35,
        "used_capacity": 15,
        "settings": '{"a": [1]}',
        "read_at": EXTRACTED_AT,
        "extract_id": "extract-1",
        "record_number": 1,
        "extracted_at": EXTRACTED_AT,
        "record_hash": 100,
    }
    details = '{"ticketId": "t1", "price": {"amount": 5, "currency": "GBP"}}'
    assert child(tidied).rows() == [
        ("re_abcd6ss01x8", 0, "t1", None, Decimal(5), "GBP", details, "extract-1", 1)
    ]
    assert tidied.drift.is_empty()


@pytest.mark.parametrize(
    ("tickets", "expected"),
    [
        ('["t1"]', [(0, "t1", None, None, None, '"t1"')]),
        ("[7]", [(0, "7", None, None, None, "7")]),
        ('"t1"', [(0, "t1", None, None, None, '"t1"')]),
        ('{"id": 7}', [(0, "7", None, None, None, '{"id": 7}')]),
        (
            '[ {"ticket": {"id": "t", "title": "T"}} ]',
            [(0, "t", "T", None, None, '{"ticket": {"id": "t", "title": "T"}}')],
        ),
        ('[null, {"name": "T"}]', [(1, None, "T", None, None, '{"name": "T"}')]),
        (
            '[{"id": 1, "price": 1.10, "currency": "EUR"}]',
            [
                (
                    *(0, "1", None, Decimal("1.1"), "EUR"),
                    '{"id": 1, "price": 1.10, "currency": "EUR"}',
                )
            ],
        ),
        (
            '[{"id": 1, "amount": "2"}]',
            [(0, "1", None, Decimal(2), None, '{"id": 1, "amount": "2"}')],
        ),
        ("[[1]]", [(0, "1", None, None, None, "[1]")]),
        ("[[]]", [(0, None, None, None, None, "[]")]),
        ("[]", []),
        ("null", []),
        ("true", [(0, "true", None, None, None, "true")]),
    ],
)
def test_a_groups_tickets(tickets: str, expected: list[tuple[Any, ...]]) -> None:
    assert tickets_of(tickets) == expected


def test_drift_in_a_groups_tickets_counts_groups() -> None:
    tidied = tidy_reserved_entries(
        raw({"id": 1, "tickets": [{"x": 1}, {"x": 2}]}, {"id": 2, "tickets": [{"x": 1}]}, {"id": 3})
    )
    assert drift(tidied) == {("tickets[].x", "number"): 2}


def test_the_event_comes_from_the_record_or_else_from_the_extract() -> None:
    for tidy in (tidy_reserved_entries, tidy_tickets):
        tidied = tidy(raw({"id": 1, "eventId": "own"}, {"id": 2}, event_id="asked"))
        assert parent(tidied)["event_id"].to_list() == ["own", "asked"]
        tidied = tidy(raw({"id": 1}))
        assert parent(tidied)["event_id"].to_list() == [None]


def test_a_ticket_by_the_likely_names() -> None:
    record = (
        b'{"ticketId": 5, "name": "10k", "state": "ON_SALE", "price": {"value": "45.00",'
        b' "currencyCode": "GBP"}, "capacity": 100, "sold": "7",'
        b' "saleStartDate": "2023-05-08", "saleEndsAt": 1683545400000, "raceId": 9}'
    )
    tidied = tidy_tickets(raw(record, event_id="e"))
    assert only(tidied) == {
        "ticket_id": "5",
        "event_id": "e",
        "race_id": "9",
        "title": "10k",
        "status": "ON_SALE",
        "price_amount": Decimal(45),
        "price_currency": "GBP",
        "max_capacity": 100,
        "used_capacity": 7,
        "sale_starts_at": datetime(2023, 5, 8, tzinfo=UTC),
        "sale_ends_at": datetime(2023, 5, 8, 11, 30, tzinfo=UTC),
        "details": record.decode(),
        "read_at": EXTRACTED_AT,
        "extract_id": "extract-1",
        "record_number": 1,
        "extracted_at": EXTRACTED_AT,
        "record_hash": 100,
    }
    assert list(tidied.tables) == ["tickets"]
    assert tidied.drift.is_empty()


def test_a_tickets_price_may_be_a_number_beside_its_currency() -> None:
    row = only(tidy_tickets(raw(b'{"id": 1, "price": 45.10, "currency": "GBP"}')))
    assert row["price_amount"] == Decimal("45.10")
    assert row["price_currency"] == "GBP"


@pytest.mark.parametrize("race", ['"race": {"id": 9, "name": "10k"}', '"race": "9"'])
def test_a_ticket_may_name_its_race_in_an_object(race: str) -> None:
    assert only(tidy_tickets(raw(f'{{"id": 1, {race}}}'.encode())))["race_id"] == "9"

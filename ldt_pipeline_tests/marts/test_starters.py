"""The start list: each rule by an example."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from ldt_pipeline.marts import start_list
from ldt_pipeline.marts.starters import age_on
from ldt_pipeline.tables import table
from ldt_pipeline_tests.marts.frames import GONE, answer_rows, rows

NO_GROUPS = rows("reserved_entry_groups")
NO_PARTNERS = rows("partners")
EVERYTHING = {
    "participant_id": "a1",
    "event_id": "e1",
    "event_name": "City Sprint",
    "race_id": "r1",
    "race_name": "10k",
    "race_start_at": datetime(2026, 4, 26, 9, tzinfo=UTC),
    "bib_number": "007",
    "wave": "A, B",
    "ticket_id": "t1",
    "ticket_title": "Standard",
    "booking_id": "k1",
    "booker_name": "Bea Booker",
    "booker_email": "bea@example.org",
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2026, 1, 2, tzinfo=UTC),
    "gdpr_redacted": False,
}
ANSWERS = {
    "participant_id": "a1",
    "first_name": "Ann",
    "last_name": "Smith",
    "email": "ann@example.org",
    "phone": "+44 1",
    "date_of_birth": "26/04/1986",
    "gender": "Prefer to say: runner",
    "club": "AC",
    "nationality": "GB",
    "emergency_contact_name": "Eve",
    "emergency_contact_phone": "+44 2",
}


def listed(
    *participants: dict[str, Any],
    answers: pl.DataFrame | None = None,
    groups: pl.DataFrame = NO_GROUPS,
    partners: pl.DataFrame = NO_PARTNERS,
) -> list[dict[str, Any]]:
    return start_list(
        participants=rows("participants", *participants),
        answers_by_column=answer_rows() if answers is None else answers,
        partners=partners,
        reserved_entry_groups=groups,
    ).to_dicts()


def one(claim: dict[str, Any], **frames: pl.DataFrame) -> dict[str, Any]:
    (row,) = listed({"participant_id": "a1", "event_id": "e1"} | claim, **frames)
    return row


def test_a_full_row() -> None:
    (row,) = listed(EVERYTHING, answers=answer_rows(ANSWERS))
    assert row == {
        **{key: EVERYTHING[key] for key in row if key in EVERYTHING},
        **{key: value for key, value in ANSWERS.items() if key != "date_of_birth"},
        "date_of_birth": date(1986, 4, 26),
        "age_on_race_day": 40,
        "registered_at": EVERYTHING["created_at"],
        "entry_route": "general",
        "partner_id": None,
        "partner_name": None,
        "reserved_entry_group_id": None,
        "reserved_entry_group_name": None,
        "is_redacted": False,
    }


def test_who_is_listed_and_in_which_order() -> None:
    found = listed(
        {"participant_id": "a3", "event_id": "e1", "race_id": "r2"},
        {"participant_id": "a9", "event_id": None},
        {"participant_id": "a2", "event_id": "e1", "race_id": "r1"},
        {"participant_id": "a1", "event_id": "e1", "race_id": "r1"},
        {"participant_id": "a0", "event_id": "e1", "race_id": "r1", "deleted_at": GONE},
    )
    assert [row["participant_id"] for row in found] == ["a1", "a2", "a3", "a9"]


def test_no_participants_at_all() -> None:
    assert listed() == []


def test_redacted_people_are_listed_without_anything_personal() -> None:
    (row,) = listed(EVERYTHING | {"gdpr_redacted": True}, answers=answer_rows(ANSWERS))
    assert row["is_redacted"] is True
    assert {row[name] for name in table("start_list").forgotten_columns} == {None}
    assert (row["bib_number"], row["race_id"], row["booking_id"]) == ("007", "r1", "k1")


def test_an_unknown_redaction_counts_as_none() -> None:
    assert one({"gdpr_redacted": None})["is_redacted"] is False


def test_blank_text_is_null_and_white_space_around_is_not_kept() -> None:
    answers = answer_rows({"participant_id": "a1", "first_name": "  ", "last_name": " Smith\t"})
    row = one({"bib_number": "", "wave": " ", "race_name": " 10k "}, answers=answers)
    assert (row["bib_number"], row["wave"], row["race_name"]) == (None, None, "10k")
    assert (row["first_name"], row["last_name"]) == (None, "Smith")


def test_an_unreadable_date_of_birth_is_null() -> None:
    answers = answer_rows({"participant_id": "a1", "date_of_birth": "none of your business"})
    row = one({"race_start_at": datetime(2026, 4, 26, tzinfo=UTC)}, answers=answers)
    assert (row["date_of_birth"], row["age_on_race_day"]) == (None, None)


def test_two_rows_of_answers_are_refused() -> None:
    twice = answer_rows(ANSWERS, ANSWERS)
    with pytest.raises(pl.exceptions.ComputeError):
        listed(EVERYTHING, answers=twice)


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(1986, 4, 26), date(2026, 4, 26), 40),
        (date(1986, 4, 27), date(2026, 4, 26), 39),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2026, 4, 26), date(2026, 4, 26), 0),
        (date(2026, 4, 27), date(2026, 4, 26), None),
        (None, date(2026, 4, 26), None),
        (date(1986, 4, 26), None, None),
    ],
)
def test_age(born: date | None, day: date | None, age: int | None) -> None:
    frame = pl.DataFrame({"born": [born], "day": [day]}, schema={"born": pl.Date, "day": pl.Date})
    assert frame.select(age_on(day=pl.col("day"), born=pl.col("born"))).item() == age


def test_race_day_is_the_utc_day() -> None:
    answers = answer_rows({"participant_id": "a1", "date_of_birth": "1986-04-26"})
    eve = one({"race_start_at": datetime(2026, 4, 25, 23, 59, tzinfo=UTC)}, answers=answers)
    assert eve["age_on_race_day"] == 39


@pytest.mark.parametrize(
    ("claim", "route"),
    [
        ({}, "general"),
        ({"booker_type": "PARTICIPANT"}, "general"),
        ({"application_id": " "}, "general"),
        ({"application_id": "b1"}, "application"),
        ({"application_id": "b1", "reserved_entry_group_code": "g1"}, "reserved_entry"),
        ({"reserved_entry_group_name": "Places"}, "reserved_entry"),
        ({"reserved_entry_partner_name": "Charity"}, "reserved_entry"),
        ({"reserved_entry_partner_just_giving_id": "7"}, "reserved_entry"),
        ({"reserved_entry_partner_name": "  "}, "general"),
        ({"booker_type": "Partner"}, "reserved_entry"),
    ],
)
def test_entry_route(claim: dict[str, Any], route: str) -> None:
    assert one(claim)["entry_route"] == route


PARTNERS = rows(
    "partners",
    {"partner_id": "p1", "name": "Charity One", "enthuse_id": "x1", "just_giving_id": "j1"},
    {"partner_id": "p2", "name": "Charity Two", "enthuse_id": "x2", "london_marathon_id": "l2"},
    {"partner_id": "p3", "name": "Twin", "enthuse_id": "x3"},
    {"partner_id": "p4", "name": "TWIN", "enthuse_id": "x3"},
    {"partner_id": "p5", "name": "Gone", "enthuse_id": "x5", "deleted_at": GONE},
    {"partner_id": "p6", "name": " "},
)
GROUPS = rows(
    "reserved_entry_groups",
    {"reserved_entry_group_id": "g1", "event_id": "e1", "partner_id": "p1", "name": "Places"},
    {"reserved_entry_group_id": "g2", "event_id": "e2", "partner_id": "p2", "name": "Places"},
    {"reserved_entry_group_id": "g3", "event_id": "e1", "partner_id": "p1", "name": "Same"},
    {"reserved_entry_group_id": "g4", "event_id": "e1", "partner_id": "p2", "name": "Same"},
    {"reserved_entry_group_id": "g5", "event_id": "e1", "partner_id": None, "name": "Own"},
    {"reserved_entry_group_id": "g6", "event_id": "e1", "partner_id": "p9", "name": "Strange"},
    {
        "reserved_entry_group_id": "g7",
        "event_id": "e1",
        "partner_id": "p5",
        "name": "Places",
        "deleted_at": GONE,
    },
    {"reserved_entry_group_id": "g8", "event_id": "e1", "partner_id": "p6", "name": None},
)


def attributed(**claim: str | None) -> tuple[Any, Any, Any, Any]:
    named = {f"reserved_entry_{key}": value for key, value in claim.items()}
    row = one(named, groups=GROUPS, partners=PARTNERS)
    return (
        row["reserved_entry_group_id"],
        row["reserved_entry_group_name"],
        row["partner_id"],
        row["partner_name"],
    )


def test_group_by_code() -> None:
    assert attributed(group_code="g1") == ("g1", "Places", "p1", "Charity One")
    assert attributed(group_code=" g1 ") == ("g1", "Places", "p1", "Charity One")


def test_the_code_beats_name_and_partner() -> None:
    claim = {"group_code": "g1", "group_name": "Same", "partner_name": "Charity Two"}
    assert attributed(**claim) == ("g1", "Places", "p1", "Charity One")


def test_the_code_counts_even_in_another_event() -> None:
    assert attributed(group_code="g2") == ("g2", "Places", "p2", "Charity Two")


def test_group_by_name_within_the_event() -> None:
    expected = ("g1", "Places", "p1", "Charity One")
    assert attributed(group_code="lost", group_name="Places") == expected
    assert attributed(group_name="Places") == expected


def test_an_ambiguous_name_matches_nothing() -> None:
    assert attributed(group_code="lost", group_name="Same") == ("lost", "Same", None, None)


def test_an_unmatched_code_stays_as_it_came() -> None:
    assert attributed(group_code="lost") == ("lost", None, None, None)


def test_a_deleted_group_is_found_by_code_only() -> None:
    assert attributed(group_code="g7") == ("g7", "Places", "p5", "Gone")
    assert attributed(group_name="Places")[0] == "g1"


def test_a_group_without_name_or_partner_name_leaves_what_the_entry_says() -> None:
    claim = {"group_code": "g8", "group_name": "Said", "partner_name": "Said too"}
    assert attributed(**claim) == ("g8", "Said", "p6", "Said too")


def test_a_group_of_an_unknown_partner() -> None:
    assert attributed(group_code="g6") == ("g6", "Strange", "p9", None)
    assert attributed(group_code="g6", partner_name="Said")[2:] == ("p9", "Said")


def test_an_organisers_group_takes_the_partner_that_the_entry_names() -> None:
    assert attributed(group_code="g5") == ("g5", "Own", None, None)
    assert attributed(group_code="g5", partner_name="charity two")[2:] == ("p2", "Charity Two")


@pytest.mark.parametrize(
    ("claim", "partner"),
    [
        ({"partner_enthuse_id": "x1"}, ("p1", "Charity One")),
        ({"partner_just_giving_id": "j1"}, ("p1", "Charity One")),
        ({"partner_london_marathon_id": "l2"}, ("p2", "Charity Two")),
        ({"partner_enthuse_id": "x2", "partner_just_giving_id": "j1"}, ("p2", "Charity Two")),
        ({"partner_enthuse_id": "x3", "partner_just_giving_id": "j1"}, ("p1", "Charity One")),
        ({"partner_enthuse_id": "x1", "partner_name": "Charity Two"}, ("p1", "Charity One")),
        ({"partner_enthuse_id": "x3"}, (None, None)),
        ({"partner_enthuse_id": "x5"}, (None, None)),
        ({"partner_name": " CHARITY one"}, ("p1", "Charity One")),
        ({"partner_name": "Twin"}, (None, "Twin")),
        ({"partner_name": "Gone"}, (None, "Gone")),
        ({"partner_name": "Nobody"}, (None, "Nobody")),
    ],
)
def test_partner_without_a_group(
    claim: dict[str, str], partner: tuple[str | None, str | None]
) -> None:
    assert attributed(**claim)[2:] == partner


def test_answers_of_people_who_are_not_here_are_left_out() -> None:
    (row,) = listed(EVERYTHING, answers=answer_rows(ANSWERS | {"participant_id": "a2"}))
    assert row["first_name"] is None

"""Answers that are objects of several parts, from the record to the start list."""

from __future__ import annotations

from typing import Any

import pytest

from ldt_pipeline.marts import start_list
from ldt_pipeline.tidy import answers_to_columns, load_questions
from ldt_pipeline.tidy.entries import tidy_participants
from ldt_pipeline.tidy.questions import COLUMNS
from ldt_pipeline_tests.marts.frames import answer_rows, rows
from ldt_pipeline_tests.tidy.records import child, raw

EVE = {"emergency_contact_name": "Eve Lee", "emergency_contact_phone": "07700"}


def on_start_list(fields: Any) -> dict[str, str]:
    """Give what a participant with these answers has in the columns that answers fill."""
    tidied = tidy_participants(raw({"id": "a1", "fields": fields}))
    answers = answers_to_columns(child(tidied), load_questions(None), "participant_id")
    frame = start_list(
        participants=rows("participants", {"participant_id": "a1"}),
        answers_by_column=answers if answers.height else answer_rows(),
        partners=rows("partners"),
        reserved_entry_groups=rows("reserved_entry_groups"),
    )
    row = frame.select(COLUMNS).row(0, named=True)
    return {name: str(value) for name, value in row.items() if value is not None}


@pytest.mark.parametrize(
    "contact",
    [
        {"name": "Eve Lee", "phone": "07700"},
        {"name": "Eve Lee", "phone": "07700", "relationship": "Wife"},
        {"fullName": "Eve Lee", "phone_number": "07700"},
        {"firstName": "Eve", "lastName": "Lee", "mobile": "07700"},
        {"title": "Ms", "first_name": "Eve ", "surname": "Lee", "mobile": "07700"},
        {"name": {"firstName": "Eve", "lastName": "Lee"}, "telephone": ["07700"]},
        {"contactName": "Eve Lee", "contactNumber": "07700"},
        [{"name": "Eve Lee", "phone": "07700"}],
    ],
)
def test_a_contact_in_one_object_fills_both_columns(contact: Any) -> None:
    assert on_start_list([{"label": "Emergency contact", "value": contact}]) == EVE
    assert on_start_list({"Emergency contact number": contact}) == EVE


def test_several_contacts_are_all_there() -> None:
    contacts = [{"name": "Eve", "phone": "07700"}, "Cem", {"name": "Bob", "phone": 7800}]
    assert on_start_list([{"label": "Emergency contact", "value": contacts}]) == {
        "emergency_contact_name": "Eve; Cem; Bob",
        "emergency_contact_phone": "07700; 7800",
    }


def test_an_answer_of_its_own_wins() -> None:
    fields = [
        {"label": "Emergency contact", "value": {"name": "Eve Lee", "phone": "07999"}},
        {"label": "Emergency contact phone", "value": "07700"},
    ]
    assert on_start_list(fields) == EVE


@pytest.mark.parametrize(
    ("question", "answer", "columns"),
    [
        ("Emergency contact", {"phone": "07700"}, {"emergency_contact_phone": "07700"}),
        ("Emergency contact", {"name": "Eve"}, {"emergency_contact_name": "Eve"}),
        ("Emergency contact", {"who": "Eve"}, {"emergency_contact_name": '{"who":"Eve"}'}),
        ("Emergency contact", '{"name": "Eve', {"emergency_contact_name": '{"name": "Eve'}),
        ("Emergency contact", '{"name":"\\u0000"}', {}),
        ("Emergency contact", '{"name":"\\ud800"}', {"emergency_contact_name": "\ufffd"}),
        ("Emergency contact", '{"name":' * 900 + "1" + "}" * 900, None),
        ("Emergency contact", '{"a":1} or Eve', {"emergency_contact_name": '{"a":1} or Eve'}),
        ("Club", {"name": "Hares", "county": "Kent"}, {"club": "Hares"}),
        ("Club", {"label": "Other", "text": "Hares"}, {"club": "Other, Hares"}),
        ("Nationality", [{"label": "GB", "flag": "x"}, "FR"], {"nationality": "GB; FR"}),
        ("Phone", {"prefix": "+44", "line": "7"}, {"phone": '{"prefix":"+44","line":"7"}'}),
        ("DOB", {"day": 14, "month": 6, "year": 1990}, {"date_of_birth": "1990-06-14"}),
        (
            "DOB",
            {"date": "1990-06-14 00:00:00.000000", "timezone_type": 3, "timezone": "UTC"},
            {"date_of_birth": "1990-06-14"},
        ),
    ],
)
def test_other_answers_are_called_what_names_them(
    question: str, answer: Any, columns: dict[str, str] | None
) -> None:
    shown = on_start_list([{"label": question, "value": answer}])
    assert shown == ({"emergency_contact_name": answer} if columns is None else columns)

"""Data issues of how old starters are: too young, of an age that nobody knows, without a date."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from ldt_pipeline_tests.marts.frames import NOW
from ldt_pipeline_tests.marts.issues import found, starter, subjects


def test_under_age_where_a_minimum_is_set() -> None:
    issues = found(
        starter("a1", age_on_race_day=15),
        starter("a2", age_on_race_day=16),
        starter("a3", age_on_race_day=None),
        starter("a4", age_on_race_day=15, race_id="r2"),
        starter("a5", age_on_race_day=15, is_redacted=True),
        minimum_ages={"r1": 16},
    )
    assert subjects(issues, "under_age") == ["a1"]
    assert [each["severity"] for each in issues if each["kind"] == "under_age"] == ["error"]
    assert subjects(found(starter("a1", age_on_race_day=3)), "under_age") == []


def test_an_age_that_nobody_knows_is_told_where_a_minimum_is_set() -> None:
    """It looked as if everybody had been checked: no date, one of two digits a year, or no start."""
    issues = found(
        starter("a1", age_on_race_day=30),
        starter("a2"),
        starter("a3", age_on_race_day=None, race_start_at=None, date_of_birth=date(2015, 1, 2)),
        starter("a4", is_redacted=True),
        starter("b1", race_id="r2"),
        minimum_ages={"r1": 16},
    )
    assert [each for each in issues if each["kind"] == "age_unknown"] == [
        {
            "severity": "warning",
            "kind": "age_unknown",
            "event_id": "e1",
            "race_id": "r1",
            "subject_id": each,
            "sentence": f"Participant {each} can't be held against the minimum age of race r1 (16): "
            "there is no date of birth that could be read, or no start. Ask for it, or map the "
            "question that asks for it in the questions file.",
        }
        for each in ("a2", "a3")
    ]


def test_a_date_of_birth_that_could_not_be_read_is_missed_shortly_before_a_race() -> None:
    """Results are by age: an answer such as 02/03/85 left its place empty, and nobody was told."""
    later = {"race_id": "r2", "race_start_at": NOW + timedelta(days=70)}
    born = {"date_of_birth": date(1990, 2, 3)}
    issues = found(
        starter("a1", **born), starter("a2"), starter("b1", **born, **later), starter("b2", **later)
    )
    assert [(each["subject_id"], each["kind"], each["sentence"]) for each in issues] == [
        (
            "a2",
            "missing_date_of_birth",
            "Participant a2 has no date of birth that could be read, others of race r1 do, and it "
            "starts on 2026-04-27: ask the participant for it.",
        )
    ]


@pytest.mark.parametrize("starters", [2, 9])
def test_where_nobody_has_an_age_the_race_is_told_of_once(starters: int) -> None:
    """The question is not mapped, or was never asked: a sentence for each starter would hide all else."""
    issues = found(*(starter(f"a{number}") for number in range(starters)), minimum_ages={"r1": 16})
    assert [(each["subject_id"], each["sentence"]) for each in issues] == [
        (
            "",
            f"None of the {starters} starters of race r1 can be held against its minimum age (16): there is "
            "no date of birth that could be read, or no start. Ask for it, or map the question that asks "
            "for it in the questions file.",
        )
    ]


def test_dates_of_birth_of_which_none_can_be_read_are_told_once() -> None:
    """Where all of a race are such as 07/03/90, nobody lacked what others have, and nobody was told."""
    born = {"date_of_birth": date(1990, 3, 7)}
    issues = found(
        starter("a1"),
        starter("a2"),
        starter("a3", is_redacted=True),
        starter("b1", race_id="r2"),
        starter("c1", race_id="r3", **born),
        starter("c2", race_id="r3"),
        starter("d1", race_id="r4", race_start_at=NOW - timedelta(days=1)),
        birth_dates_given={"r1": 1, "r3": 2, "r4": 1},
    )
    assert [each for each in issues if each["kind"] == "unread_dates_of_birth"] == [
        {
            "severity": "warning",
            "kind": "unread_dates_of_birth",
            "event_id": "e1",
            "race_id": "r1",
            "subject_id": "",
            "sentence": "1 of the 2 starters of race r1 gave a date of birth, and none of these could "
            "be read, so that nobody has an age: see the answers in participant_answers. A year has "
            "to have four digits, and a day comes before its month.",
        }
    ]

"""Data issues: each kind by an example, and what must never stand in a sentence."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from ldt_pipeline.race_calendar import AFTER_START
from ldt_pipeline_tests.marts.frames import GONE, NOW, questions
from ldt_pipeline_tests.marts.issues import found, starter, subjects


def test_nothing_is_wrong() -> None:
    assert found(starter("a1"), starter("a2", bib_number=None)) == []


def test_duplicate_bibs() -> None:
    issues = found(
        *(starter(f"a{number}", bib_number="7") for number in range(7)),
        starter("b1", bib_number="8"),
        starter("b2", bib_number="8", race_id="r2"),
        starter("b3", bib_number="9"),
        starter("b4", bib_number="9", is_redacted=True),
        starter("b5", bib_number="10", race_id=None),
        starter("b6", bib_number="10", race_id=None),
    )
    assert [each for each in issues if each["kind"] == "duplicate_bib_number"] == [
        {
            "severity": "error",
            "kind": "duplicate_bib_number",
            "event_id": "e1",
            "race_id": "r1",
            "subject_id": "7",
            "sentence": "Bib 7 of race r1 belongs to 7 participants (a0, a1, a2, a3, a4 and 2 "
            "more): give all but one another bib.",
        }
    ]


def test_each_start_of_a_race_has_bibs_of_its_own() -> None:
    next_year = {"race_start_at": NOW + timedelta(days=372)}
    issues = found(
        starter("a1", bib_number="7"),
        starter("a2", bib_number="7"),
        *(starter(f"b{number}", bib_number="7", **next_year) for number in range(3)),
        starter("b3", bib_number="8", **next_year),
        starter("b4", bib_number="8", **next_year),
        starter("a3", bib_number="8"),
    )
    assert [each["sentence"].split(":")[0] for each in issues] == [
        "Bib 7 of race r1 belongs to 2 participants (a1, a2)",
        "Bib 8 of race r1 belongs to 2 participants (b3, b4)",
    ]


def test_a_start_that_was_put_off_for_some_is_one_start() -> None:
    """Entries that were read before it state the old hour: all of them are on one day's list."""
    later = {"race_start_at": NOW + timedelta(days=7, minutes=30)}
    born = {"date_of_birth": date(1990, 2, 3)}
    issues = found(
        starter("a1", bib_number="7", **born),
        starter("a2", bib_number="7", **born, **later),
    )
    assert [each["kind"] for each in issues] == ["duplicate_bib_number", "entered_twice"]


def test_a_bib_of_somebody_whose_start_is_not_known() -> None:
    """They are on the list of a race's only day, and of none where it has several."""
    unknown = starter("a2", bib_number="7", race_start_at=None)
    only = starter("a1", bib_number="7")
    (issue,) = found(only, unknown)
    assert "(a1, a2)" in issue["sentence"]
    next_year = starter("a3", bib_number="8", race_start_at=NOW + timedelta(days=372))
    assert found(only, unknown, next_year) == []


def test_an_entry_that_names_no_race_is_on_no_list() -> None:
    issues = found(
        starter("a1", race_id=None),
        starter("a2", race_id=None, is_redacted=True),
        starter("a3", race_id=None, race_start_at=NOW - timedelta(days=2)),
        starter("a4"),
    )
    assert [(each["kind"], each["severity"], each["event_id"]) for each in issues] == [
        ("missing_race", "error", "e1")
    ]
    assert issues[0]["sentence"] == (
        "Participant a1 names no race, and so is on no start list: find out which race it is."
    )


@pytest.mark.parametrize(
    ("start", "is_told"),
    [
        (None, True),
        (NOW + timedelta(days=300), True),
        (NOW - AFTER_START, True),
        (NOW - AFTER_START - timedelta(seconds=1), False),
        (NOW - timedelta(days=365), False),
    ],
)
def test_nobody_is_told_of_starters_whose_race_is_over(
    start: datetime | None, is_told: bool
) -> None:
    """A race comes again each year under the same id: this year's start is what can be mended."""
    born = {"race_start_at": start, "date_of_birth": date(2020, 2, 3), "age_on_race_day": 5}
    issues = found(
        starter("a1", bib_number="7", **born),
        starter("a2", bib_number="7", **born),
        starter("a3", first_name=None, race_start_at=start),
        minimum_ages={"r1": 16},
    )
    kinds = {"duplicate_bib_number", "missing_name", "under_age", "age_unknown"}
    kinds |= {"entered_twice"} if start else set()
    assert {each["kind"] for each in issues} == (kinds if is_told else set())


def test_missing_names() -> None:
    issues = found(
        starter("a1", first_name=None),
        starter("a2", last_name=None, event_id=None, race_id=None),
        starter("a3", first_name=None, last_name=None),
        starter("a4", first_name=None, last_name=None, is_redacted=True),
    )
    assert {issue["severity"] for issue in issues} == {"error"}
    assert sorted(subjects(issues, "missing_name")) == ["a1", "a2", "a3"]
    by_subject = {each["subject_id"]: each for each in issues if each["kind"] == "missing_name"}
    assert "has no first name:" in by_subject["a1"]["sentence"]
    assert "has no last name:" in by_subject["a2"]["sentence"]
    assert "has no name:" in by_subject["a3"]["sentence"]
    assert (by_subject["a2"]["event_id"], by_subject["a2"]["race_id"]) == ("", "")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("bib_number", "missing_bib"),
        ("wave", "missing_wave"),
        ("emergency_contact_phone", "missing_emergency_contact"),
        ("emergency_contact_name", "missing_emergency_contact"),
    ],
)
class TestDetailsThatOthersHave:
    def test_near(self, column: str, kind: str) -> None:
        issues = found(starter("a1", **{column: "x"}), starter("a2"))
        assert [(issue["kind"], issue["severity"]) for issue in issues] == [(kind, "warning")]
        assert subjects(issues, kind) == ["a2"]
        assert "2026-04-27" in issues[0]["sentence"]

    @pytest.mark.parametrize(
        ("ahead", "urgent"),
        [
            (timedelta(days=14), True),
            (timedelta(days=14, seconds=1), False),
            (timedelta(), True),
            (timedelta(seconds=-1), False),
        ],
    )
    def test_how_near(self, column: str, kind: str, ahead: timedelta, urgent: bool) -> None:
        start = {"race_start_at": NOW + ahead}
        issues = found(starter("a1", **{column: "x"}, **start), starter("a2", **start))
        assert subjects(issues, kind) == (["a2"] if urgent else [])

    def test_nobody_has_one(self, column: str, kind: str) -> None:
        others = starter("a1", race_id="r2", **{column: "x"})
        assert found(starter("a2"), starter("a3"), others) == []

    def test_redacted_people_are_exempt(self, column: str, kind: str) -> None:
        assert found(starter("a1", **{column: "x"}), starter("a2", is_redacted=True)) == []


def test_a_contact_without_a_number_is_none_where_the_race_asks_for_numbers() -> None:
    issues = found(
        starter("a1", emergency_contact_name="Eve", emergency_contact_phone="+44"),
        starter("a2", emergency_contact_name="Eve"),
        starter("a3", emergency_contact_phone="+44"),
    )
    assert subjects(issues, "missing_emergency_contact") == ["a2"]


def allocation(**columns: Any) -> dict[str, Any]:
    return {"reserved_entry_group_id": "g1", "event_id": "e1", "participants_matched": 2} | columns


def test_groups_over_capacity() -> None:
    issues = found(
        allocations=[
            allocation(max_capacity=10, used_capacity=12),
            allocation(reserved_entry_group_id="g2", max_capacity=10, used_capacity=10),
            allocation(reserved_entry_group_id="g3", max_capacity=None, used_capacity=10),
            allocation(reserved_entry_group_id="g4", max_capacity=1, used_capacity=None),
        ]
    )
    assert subjects(issues, "group_over_capacity") == ["g1", "g4"]
    assert issues[0]["sentence"] == (
        "Reserved entry group g1 has 10 places and 12 are claimed: raise its capacity or move 2."
    )
    assert (issues[0]["severity"], issues[0]["event_id"]) == ("error", "e1")


def test_capacities_that_disagree() -> None:
    issues = found(
        allocations=[
            allocation(used_capacity=3, capacity_agrees=False),
            allocation(reserved_entry_group_id="g2", used_capacity=2, capacity_agrees=True),
            allocation(reserved_entry_group_id="g3", capacity_agrees=None),
        ]
    )
    assert [(issue["kind"], issue["severity"], issue["subject_id"]) for issue in issues] == [
        ("capacity_disagrees", "warning", "g1")
    ]


def test_unmatched_group_codes() -> None:
    def entry(participant_id: str, code: str | None, **columns: Any) -> dict[str, Any]:
        claim = {"event_id": "e1", "reserved_entry_group_code": code}
        return {"participant_id": participant_id} | claim | columns

    issues = found(
        participants=[
            entry("a1", "g1"),
            entry("a2", "lost"),
            entry("a3", " lost "),
            entry("a4", "lost", event_id="e2"),
            entry("a5", "lost", deleted_at=GONE),
            entry("a6", "lost", gdpr_redacted=True),
            entry("a7", "gone"),
            entry("a8", "renamed", reserved_entry_group_name="Places"),
            entry("a9", None, reserved_entry_group_name="Elsewhere"),
            entry("b1", "lost", event_id=None),
        ],
        groups=[
            {"reserved_entry_group_id": "g1", "event_id": "e1", "name": "Places"},
            {"reserved_entry_group_id": "gone", "event_id": "e1", "deleted_at": GONE},
        ],
    )
    assert {issue["kind"] for issue in issues} == {"unmatched_group_code"}
    assert {issue["severity"] for issue in issues} == {"warning"}
    by_key = {(issue["event_id"], issue["subject_id"]): issue["sentence"] for issue in issues}
    assert set(by_key) == {
        ("", "lost"),
        ("e1", "lost"),
        ("e1", "gone"),
        ("e1", "renamed"),
        ("e2", "lost"),
    }
    assert "is named by 2 live entries of event e1" in by_key["e1", "lost"]
    assert "was deleted" in by_key["e1", "gone"]
    assert "same name" in by_key["e1", "renamed"]


def test_unmapped_questions() -> None:
    issues = found(
        unmapped=questions(("Shirt size", 3), (" Shirt size ", 4), (" ", 5), ("Club", 0))
    )
    assert [(issue["severity"], issue["subject_id"]) for issue in issues] == [
        ("info", "Club"),
        ("info", "Shirt size"),
    ]
    assert "(7 answers)" in issues[1]["sentence"]
    bare = pl.DataFrame({"question": ["Shirt size"]})
    (issue,) = found(unmapped=bare)
    assert "answers)" not in issue["sentence"]


def test_an_instant_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        found(now=datetime(2026, 4, 20))  # noqa: DTZ001


def test_sentences_hold_nothing_personal() -> None:
    personal = {
        "first_name": "Secretive",
        "last_name": None,
        "email": "secret@example.org",
        "phone": "secret phone",
        "booker_name": "Secret Booker",
        "booker_email": "secret@booker.example",
        "emergency_contact_name": "Secret Contact",
    }
    issues = found(
        starter("a1", bib_number="7", **personal),
        starter("a2", bib_number="7", wave="A", emergency_contact_phone="secret number"),
        starter("a3", **personal),
    )
    assert len({issue["kind"] for issue in issues}) == 5
    assert not [issue for issue in issues if "secret" in issue["sentence"].lower()]


def test_the_same_person_typed_on_two_devices() -> None:
    """One writes an accent as a character of its own, the other doesn't."""
    born = date(1990, 2, 3)
    names = ("Zoë", "Zoe\u0308", "ZOË")
    starters = [
        starter(f"a{number}", first_name=name, date_of_birth=born)
        for number, name in enumerate(names)
    ]
    (issue,) = found(*starters, starter("b1", first_name="Zoe", date_of_birth=born))
    assert "(a0, a1, a2)" in issue["sentence"]


def test_the_same_person_entered_twice() -> None:
    born = date(1990, 2, 3)
    issues = found(
        starter("a2", date_of_birth=born),
        starter("a1", first_name="SECRETIVE", date_of_birth=born),
        starter("b1", first_name="Other", date_of_birth=born),
        starter("b2", date_of_birth=date(1991, 2, 3)),
        starter("b3", date_of_birth=born, race_id="r2"),
        starter("b4", date_of_birth=born, race_start_at=NOW + timedelta(days=372)),
        starter("c1", first_name="No", date_of_birth=None),
        starter("c2", first_name="No", date_of_birth=None),
    )
    assert subjects(issues, "entered_twice") == ["a1"]
    sentence = next(each["sentence"] for each in issues if each["kind"] == "entered_twice")
    assert "(a1, a2)" in sentence
    assert "secret" not in sentence.lower()
    assert "1990" not in sentence


def test_events_whose_groups_are_left_out_are_named() -> None:
    issues = found(starter("a"), events_without_groups=("e2", "e1"))
    told = [each for each in issues if each["kind"] == "groups_left_out"]
    assert [(each["event_id"], each["severity"]) for each in told] == [
        ("e1", "warning"),
        ("e2", "warning"),
    ]
    assert "LDT_EVENTS_WITHOUT_GROUPS" in told[0]["sentence"]

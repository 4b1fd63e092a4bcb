"""What people look at week by week: counted by hand on a small published file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ldt_pipeline as ldt
from ldt_pipeline.tables import VIEWS
from ldt_pipeline_tests.published import publish_by_hand

AT = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)
START = AT + dt.timedelta(days=8)
DAY = dt.timedelta(days=1)


def starter(number: int, **more: Any) -> dict[str, Any]:
    return {
        "participant_id": f"p{number}",
        "event_id": "e1",
        "event_name": "Spring Run",
        "race_id": "r1",
        "race_name": "10k",
        "race_start_at": START,
        "registered_at": AT - 100 * DAY,
        "bib_number": str(number),
        "age_on_race_day": 30,
        **more,
    }


STARTERS = [
    starter(1),
    starter(2, bib_number="1", age_on_race_day=31),
    starter(3, bib_number=None, registered_at=AT - 2 * DAY),
    starter(4, registered_at=AT - 7 * DAY, age_on_race_day=None),
    starter(5, race_id="r2", race_name="Mile", race_start_at=AT + 30 * DAY, bib_number=None),
    starter(6, race_start_at=START - 364 * DAY, bib_number="1"),
]
ISSUES = [
    {"kind": "missing_bib", "race_id": "r1", "subject_id": "p3"},
    {"kind": "missing_emergency_contact", "race_id": "r1", "subject_id": "p1"},
    {"kind": "missing_emergency_contact", "race_id": "r1", "subject_id": "p4"},
]


def registrations(race_day: dt.date, so_far: dict[int, int], race: str = "r1") -> list[Any]:
    return [
        {
            "event_id": "e1",
            "race_id": race,
            "race_name": "10k",
            "race_day": race_day,
            "day": race_day - days * DAY,
            "days_to_race": days,
            "registrations_so_far": count,
        }
        for days, count in so_far.items()
    ]


THIS_ONE, ONE_BEFORE = START.date(), START.date() - 364 * DAY
ROWS: dict[str, list[dict[str, Any]]] = {
    "start_list": STARTERS,
    "races": [{"race_id": "r1", "event_id": "e1", "event_name": "Spring Run", "race_name": "10k"}],
    "data_issues": [{"severity": "warning", "event_id": "e1", **each} for each in ISSUES],
    "sync_status": [{"feed": "participants", "last_extracted_at": AT - DAY}],
    "start_list_changes": [
        {"participant_id": "p3", "race_id": "r1", "change": "added", "changed_at": AT - 2 * DAY},
        {"participant_id": "p4", "race_id": "r1", "change": "added", "changed_at": AT - 2 * DAY},
        {"participant_id": "p1", "race_id": "r1", "change": "bib", "changed_at": AT - 15 * DAY},
    ],
    "registrations_by_day": [
        *registrations(ONE_BEFORE, {60: 5, 9: 10, 7: 20, 0: 25}),
        *registrations(ONE_BEFORE + DAY, {60: 4}),  # the second day of that weekend
        *registrations(THIS_ONE, {60: 6, 8: 15}),
        *registrations(THIS_ONE, {20: 3}, race="r2"),
    ],
    "partner_allocations": [
        {"event_id": "e1", "reserved_entry_group_id": "g1", "remaining_capacity": 5},
        {"event_id": "e2", "reserved_entry_group_id": "g2", "remaining_capacity": 0},
    ],
    "application_funnel": [
        {"approval_status": "APPROVED", "applications": 4, "converted": 3},
        {"approval_status": "DECLINED", "applications": 5, "converted": 0},
        {"approval_status": "", "applications": 1, "converted": 0},
    ],
    "applications": [
        {"application_id": f"a{number}", "event_id": "e1", "ticket_id": "t1", "created_at": at}
        for number, at in enumerate([AT, AT, AT + 3 * DAY])
    ],
}
for each in ROWS["application_funnel"]:
    each |= {"event_id": "e1", "ticket_id": "t1", "first_applied_at": AT}


@pytest.fixture(scope="module", autouse=True)
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("published")
    path = publish_by_hand(folder / "ldt.duckdb", ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDT_DATA_DIR", str(folder))
        yield path


def test_coming_starts() -> None:
    found = ldt.coming_starts(at=AT).row(0, named=True)
    assert ldt.coming_starts(at=AT).height == 1
    assert found == {
        **{"event_id": "e1", "event_name": "Spring Run", "race_id": "r1", "race_name": "10k"},
        **{"race_start_at": START, "days_to_race": 8, "starters": 4, "entered_last_7_days": 2},
        **{"without_bib": 1, "without_wave": 0, "without_emergency_contact": 2, "shared_bibs": 1},
    }


def test_what_nobody_looked_for_is_null() -> None:
    """Details are looked for from 14 days before a race; the 30th day is far off."""
    far = ldt.coming_starts(days=60, at=AT).row(1, named=True)
    assert far["race_id"] == "r2"
    assert far["without_bib"] is far["without_emergency_contact"] is None
    assert far["shared_bibs"] == 0


def test_a_bib_is_shared_whatever_hour_of_the_day_is_stated(tmp_path: Path) -> None:
    """Of a start that was put off, entries that were read before state the old hour."""
    later = {"race_start_at": START + dt.timedelta(minutes=30)}
    starters = [starter(1, bib_number="1"), starter(2, bib_number="1", **later)]
    path = publish_by_hand(tmp_path / "ldt.duckdb", {"start_list": starters})
    assert ldt.coming_starts(at=AT, path=path)["shared_bibs"].to_list() == [1, 1]


def test_ages_count_everybody_once() -> None:
    found = ldt.ages(at=AT)
    assert found["age_on_race_day"].to_list() == [30, 31, None]
    assert found["starters"].to_list() == [2, 1, 1]


def test_changes_by_day() -> None:
    found = ldt.changes_by_day(at=AT)
    assert found.select("day", "race_name", "change", "changes").rows() == [
        ((AT - 2 * DAY).date(), "10k", "added", 2)
    ]
    assert ldt.changes_by_day(days=30, at=AT)["changes"].sum() == 3


def test_registrations_against_the_start_before() -> None:
    """As many days ahead, and not against the other day of the same weekend."""
    first, second = ldt.registration_pace("e1", at=AT).rows(named=True)
    assert first["race_day"] == THIS_ONE
    assert first["previous_race_day"] == ONE_BEFORE + DAY
    assert (first["entries"], first["previous_entries_then"], first["change"]) == (15, 4, 2.75)
    assert second["race_id"] == "r2"
    assert (
        second["previous_race_day"] is second["previous_entries_then"] is second["change"] is None
    )
    earlier = ldt.registration_pace(at=AT - 364 * DAY - 10 * DAY)
    assert earlier["race_day"].to_list()[0] == ONE_BEFORE


def test_curves_end_today() -> None:
    found = ldt.registration_curves(at=AT)
    of_race = found.filter(race_id="r1")
    assert set(of_race["edition"]) == {"this one", "the one before"}
    this_one = of_race.filter(edition="this one")
    assert this_one["registrations_so_far"].to_list() == [6, 15]
    assert (
        ldt.registration_curves(at=AT - 2 * DAY).filter(race_id="r1", edition="this one").height
        == 1
    )


def test_allocation_pace_is_the_view() -> None:
    found = ldt.allocation_pace()
    assert dict(found.schema) == VIEWS["allocation_pace"].table.schema
    assert found["reserved_entry_group_id"].to_list() == ["g1", "g2"]
    assert found["claims_last_7_days"].to_list() == [0, 0]
    assert ldt.allocation_pace("e2")["projected_full_on"].null_count() == 0


def test_an_instant_without_a_zone_is_utc() -> None:
    assert ldt.coming_starts(at=AT.replace(tzinfo=None)).equals(ldt.coming_starts(at=AT))


def test_ballots() -> None:
    found = ldt.ballots()
    assert found.select("stage", "applications", "share").rows() == [
        ("applied", 10, 1.0),
        ("approved", 4, 0.4),
        ("entered", 3, 0.3),
    ]
    assert ldt.ballots("e2").is_empty()
    by_day = ldt.applications_by_day("e1")
    assert by_day.select("days_open", "applications", "applications_so_far").rows() == [
        (0, 2, 2),
        (3, 1, 3),
    ]


def test_all_but_ages_do_without_personal_data(published: Path, tmp_path: Path) -> None:
    without = publish_by_hand(tmp_path / "without.duckdb", ROWS, personal_data=False)
    for ask in (ldt.coming_starts, ldt.changes_by_day, ldt.registration_pace):
        assert ask(at=AT, path=without).equals(ask(at=AT, path=published))
    for ask in (ldt.ballots, ldt.applications_by_day):
        assert ask(path=without).equals(ask(path=published))
    assert ldt.registration_curves(at=AT, path=without).height
    with pytest.raises(ldt.NotPublishedError, match="LDT_PUBLISH_PERSONAL_DATA"):
        ldt.ages(path=without)

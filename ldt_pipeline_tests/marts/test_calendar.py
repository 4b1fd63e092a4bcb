"""Events and races: each rule by an example."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from ldt_pipeline.marts import descriptions, events, races
from ldt_pipeline_tests.marts.frames import GONE, described, instants, rows

MORNING, NOON = (datetime(2026, 4, 26, hour, tzinfo=UTC) for hour in (9, 12))
FIRST, SECOND, THIRD = instants(1, 2, 3)


def entry(participant_id: str, **columns: Any) -> dict[str, Any]:
    return {"participant_id": participant_id, "event_id": "e1", "race_id": "r1"} | columns


def application(application_id: str, **columns: Any) -> dict[str, Any]:
    return {"application_id": application_id, "event_id": "e1", "race_id": "r1"} | columns


def raced(*entries: dict[str, Any], applications: list[dict[str, Any]] | None = None) -> Any:
    sources = described(
        participants=rows("participants", *entries),
        applications=rows("applications", *(applications or [])),
    )
    return races(described=descriptions(**sources), **sources).to_dicts()


def gathered(
    *entries: dict[str, Any],
    applications: list[dict[str, Any]] | None = None,
    groups: pl.DataFrame | None = None,
    tickets: pl.DataFrame | None = None,
    configured: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    sources = described(
        participants=rows("participants", *entries),
        applications=rows("applications", *(applications or [])),
    )
    return events(
        described=descriptions(**sources),
        **sources,
        reserved_entry_groups=rows("reserved_entry_groups") if groups is None else groups,
        tickets=rows("tickets") if tickets is None else tickets,
        configured_event_ids=configured,
    ).to_dicts()


def test_nothing_at_all() -> None:
    assert gathered() == []
    assert raced() == []


def test_an_event_with_everything() -> None:
    (row,) = gathered(
        entry("a1", event_name="City Sprint", race_start_at=NOON, updated_at=FIRST),
        entry("a2", race_id="r2", race_start_at=MORNING, updated_at=FIRST),
        entry("a3", deleted_at=GONE),
        applications=[application("b1"), application("b2", deleted_at=GONE)],
        groups=rows(
            "reserved_entry_groups",
            {"reserved_entry_group_id": "g1", "event_id": "e1"},
            {"reserved_entry_group_id": "g2", "event_id": "e1", "deleted_at": GONE},
        ),
        tickets=rows("tickets", {"ticket_id": "t1", "event_id": "e1"}),
    )
    assert row == {
        "event_id": "e1",
        "event_name": "City Sprint",
        "first_race_start_at": MORNING,
        "last_race_start_at": NOON,
        "races": 2,
        "participants": 2,
        "applications": 1,
        "reserved_entry_groups": 1,
        "tickets": 1,
    }


def test_events_that_nobody_entered() -> None:
    found = gathered(
        groups=rows("reserved_entry_groups", {"reserved_entry_group_id": "g", "event_id": "e3"}),
        tickets=rows("tickets", {"ticket_id": "t", "event_id": "e2"}),
        configured=("e1", " e1 ", "", "e2"),
    )
    assert [(row["event_id"], row["participants"], row["races"]) for row in found] == [
        ("e1", 0, 0),
        ("e2", 0, 0),
        ("e3", 0, 0),
    ]
    assert [row["tickets"] for row in found] == [0, 1, 0]


def test_a_race_with_everything() -> None:
    (row,) = raced(
        entry(
            "a1",
            event_name="City Sprint",
            race_name="10k",
            race_start_at=MORNING,
            discipline_label="Running",
            bib_number="7",
        ),
        entry("a2", bib_number=" "),
        entry("a3", bib_number="8", deleted_at=GONE),
        applications=[application("b1")],
    )
    assert row == {
        "race_id": "r1",
        "race_name": "10k",
        "event_id": "e1",
        "event_name": "City Sprint",
        "race_start_at": MORNING,
        "discipline_label": "Running",
        "participants": 2,
        "participants_with_bib": 1,
        "applications": 1,
    }


def test_the_newest_entry_that_has_a_name_gives_it() -> None:
    (row,) = raced(
        entry("a1", race_name="Old", updated_at=FIRST),
        entry("a2", race_name="New", updated_at=SECOND),
        entry("a3", race_name=" ", updated_at=THIRD, race_start_at=NOON),
    )
    assert (row["race_name"], row["race_start_at"]) == ("New", NOON)


def test_the_larger_id_wins_a_tie_and_no_date_is_the_oldest() -> None:
    (row,) = raced(
        entry("a2", race_name="Two", updated_at=FIRST),
        entry("a1", race_name="One", updated_at=FIRST),
        entry("a3", race_name="Three", updated_at=None),
    )
    assert row["race_name"] == "Two"


def test_participants_come_before_applications_and_deleted_entries_last() -> None:
    def name(*entries: dict[str, Any], applications: list[dict[str, Any]]) -> str:
        (race,) = raced(*entries, applications=applications)
        (event,) = gathered(
            *({**each, "event_name": each["race_name"]} for each in entries),
            applications=[{**each, "event_name": each["race_name"]} for each in applications],
        )
        assert event["event_name"] == race["race_name"]
        return race["race_name"]

    participant = entry("a1", race_name="participant", updated_at=FIRST)
    applied = application("b1", race_name="application", updated_at=SECOND)
    gone = entry("a2", race_name="gone", updated_at=THIRD, deleted_at=GONE)
    gone_too = application("b2", race_name="gone too", updated_at=THIRD, deleted_at=GONE)
    assert name(participant, gone, applications=[applied, gone_too]) == "participant"
    assert name(gone, applications=[applied, gone_too]) == "application"
    assert name(gone, applications=[gone_too]) == "gone"
    assert name(applications=[gone_too]) == "gone too"


def test_a_race_of_deleted_entries_only_is_there_and_empty() -> None:
    (row,) = raced(entry("a1", race_name="10k", deleted_at=GONE))
    assert (row["race_name"], row["participants"]) == ("10k", 0)
    (event,) = gathered(entry("a1", deleted_at=GONE))
    assert (event["races"], event["participants"]) == (1, 0)


def test_a_race_that_moved_belongs_to_the_event_of_its_newest_entry() -> None:
    entries = [
        entry("a1", event_id="e1", event_name="One", updated_at=FIRST),
        entry("a2", event_id="e2", event_name="Two", updated_at=SECOND),
    ]
    (race,) = raced(*entries)
    assert (race["event_id"], race["event_name"]) == ("e2", "Two")
    assert [row["races"] for row in gathered(*entries)] == [0, 1]

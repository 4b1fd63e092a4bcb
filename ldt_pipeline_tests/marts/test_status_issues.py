"""Data issues of statuses: a starter whose entry the API calls cancelled, refunded or transferred."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ldt_pipeline_tests.marts.frames import GONE, NOW
from ldt_pipeline_tests.marts.issues import found, starter, subjects


def entry(participant_id: str, *statuses: str | None, **columns: Any) -> dict[str, Any]:
    """Give a participant with these statuses, which don't say when they were."""
    details = [{"status": each, "reason": "Secretive", "at": None} for each in statuses]
    return {"participant_id": participant_id, "status_details": details} | columns


def at(status: str, hour: int) -> dict[str, Any]:
    return {"status": status, "reason": None, "at": datetime(2026, 4, 1, hour, tzinfo=NOW.tzinfo)}


def test_a_starter_whose_entry_was_cancelled() -> None:
    """It stood on the start list like any other, and nobody was told."""
    issues = found(
        starter("a1"), participants=[entry("a1", "CONFIRMED", "CANCELLED", race_id="r1")]
    )
    assert issues == [
        {
            "severity": "warning",
            "kind": "status_says_ended",
            "event_id": "e1",
            "race_id": "r1",
            "subject_id": "a1",
            "sentence": "Participant a1 is on the start list of race r1, while Let's Do This gives"
            " the entry a status such as cancelled, refunded or transferred (status_details in"
            " participants): find out whether the person starts, and have the entry withdrawn if not.",
        }
    ]


@pytest.mark.parametrize(
    ("status", "is_told"),
    [
        *((each, True) for each in ("CANCELED", "Refunded", "TRANSFERRED_OUT", "withdrawn")),
        *((each, True) for each in ("DEFERRED", "DECLINED", "REJECTED", "EXPIRED", "VOIDED")),
        *((each, False) for each in ("CONFIRMED", "SOMETHING_NEW", "Avoidable", "", None)),
    ],
)
def test_which_statuses_are_told(status: str | None, *, is_told: bool) -> None:
    issues = found(starter("a1"), participants=[entry("a1", status)])
    assert subjects(issues, "status_says_ended") == (["a1"] if is_told else [])


def test_the_newest_status_counts() -> None:
    """The one with the latest instant, in whatever order they come, or else the last one."""
    issues = found(
        *(starter(each) for each in ("a1", "a2", "a3", "a4")),
        participants=[
            entry("a1", status_details=[at("CANCELLED", 2), at("CONFIRMED", 1)]),
            entry("a2", status_details=[at("CONFIRMED", 2), at("CANCELLED", 1)]),
            entry("a3", "CANCELLED", "CONFIRMED"),
            entry("a4", status_details=None),
        ],
    )
    assert subjects(issues, "status_says_ended") == ["a1"]


def test_nobody_is_told_of_who_is_gone_or_forgotten_or_whose_race_is_over() -> None:
    issues = found(
        starter("a1", is_redacted=True),
        starter("a2", race_start_at=NOW - timedelta(days=30)),
        participants=[
            entry("a1", "CANCELLED"),
            entry("a2", "CANCELLED"),
            entry("a3", "CANCELLED", deleted_at=GONE),
        ],
    )
    assert issues == []

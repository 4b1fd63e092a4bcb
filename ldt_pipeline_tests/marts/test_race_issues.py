"""Data issues of whole races: starts that few entries state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ldt_pipeline_tests.marts.frames import GONE, NOW
from ldt_pipeline_tests.marts.issues import found

RACE_DAY = NOW + timedelta(days=7)


def entries(first: int, count: int, start: datetime | None, **columns: Any) -> list[dict[str, Any]]:
    return [
        {
            "participant_id": f"a{number}",
            "event_id": "e1",
            "event_occurrence_id": "o1",
            "race_id": "r1",
            "race_start_at": start,
        }
        | columns
        for number in range(first, first + count)
    ]


def days(*participants: dict[str, Any], now: datetime = NOW) -> list[str]:
    issues = found(participants=list(participants), now=now)
    return [each["subject_id"] for each in issues if each["kind"] == "odd_race_start"]


def test_a_start_that_hardly_anybody_has_is_told() -> None:
    """They were missing on the list of the day, and on one that nobody looks at."""
    issues = found(
        participants=[
            *entries(0, 120, RACE_DAY),
            *entries(200, 6, RACE_DAY + timedelta(days=400)),
            *entries(300, 1, RACE_DAY - timedelta(days=3000), event_occurrence_id=" o1 "),
        ]
    )
    assert issues == [
        {
            "severity": "warning",
            "kind": "odd_race_start",
            "event_id": "e1",
            "race_id": "r1",
            "subject_id": day,
            "sentence": f"Of one edition of race r1, 120 entries start on 2026-04-27 and {few}, who "
            "are not on the former's list: find out whether that is meant, and have their start put "
            "right if not.",
        }
        for day, few in (
            ("2018-02-08", "1 on 2018-02-08 (a300)"),
            ("2027-06-01", "6 on 2027-06-01 (a200, a201, a202, a203, a204 and 1 more)"),
        )
    ]


def test_a_day_off_is_told() -> None:
    odd = entries(90, 1, RACE_DAY + timedelta(days=1))
    assert days(*entries(0, 20, RACE_DAY), *odd) == ["2026-04-28"]


@pytest.mark.parametrize(
    "others",
    [
        entries(90, 1, RACE_DAY + timedelta(hours=3)),
        entries(90, 1, RACE_DAY + timedelta(days=364), event_occurrence_id="o2"),
        entries(90, 1, RACE_DAY + timedelta(days=364), race_id="r2"),
        entries(90, 1, RACE_DAY + timedelta(days=1), gdpr_redacted=True),
        entries(90, 1, RACE_DAY + timedelta(days=1), deleted_at=GONE),
        entries(90, 2, RACE_DAY + timedelta(days=1)),
        entries(90, 1, None),
    ],
    ids=["hour", "edition", "race", "redacted", "deleted", "second day", "undated"],
)
def test_what_is_no_odd_start(others: list[dict[str, Any]]) -> None:
    assert days(*entries(0, 39, RACE_DAY), *others) == []


def test_where_no_edition_is_named_next_year_may_be_meant() -> None:
    odd = entries(90, 1, RACE_DAY + timedelta(days=364), event_occurrence_id=None)
    assert days(*entries(0, 99, RACE_DAY, event_occurrence_id=None), *odd) == []


def test_what_is_over_nobody_can_mend() -> None:
    odd = entries(90, 1, RACE_DAY + timedelta(days=1))
    some = [*entries(0, 20, RACE_DAY), *odd]
    assert days(*some, now=RACE_DAY + timedelta(minutes=59)) == ["2026-04-28"]
    assert days(*some, now=RACE_DAY + timedelta(hours=2)) == []

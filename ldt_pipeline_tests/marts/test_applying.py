"""How people come in: the funnel of applications, and registrations by day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from hypothesis import given, settings

from ldt_pipeline.marts import application_funnel, registrations_by_day
from ldt_pipeline_tests.marts.frames import (
    GONE,
    applications_frames,
    described,
    participants_frames,
    registrations,
    rows,
)


def funnel_of(*, applications: pl.DataFrame, participants: pl.DataFrame) -> pl.DataFrame:
    sources = described(applications=applications, participants=participants)
    return application_funnel(sources["applications"])


def application(application_id: str, **others: Any) -> dict[str, Any]:
    known = {"application_id": application_id, "event_id": "e1", "ticket_id": "t1"}
    return known | {"ballot_draw": "d1", "approval_status": "APPROVED"} | others


def test_conversion() -> None:
    funnel = funnel_of(
        applications=rows(
            "applications",
            application("a1"),
            application("a2"),
            application("a3", approval_status="REJECTED", ballot_draw=" "),
            application("a4", deleted_at=GONE),
        ),
        participants=rows(
            "participants",
            {"participant_id": "p1", "application_id": " a1\u3000"},
            {"participant_id": "p2", "application_id": "a1"},
            {"participant_id": "p3", "application_id": "a2", "deleted_at": GONE},
            {"participant_id": "p4", "application_id": "a3"},
        ),
    )
    columns = ("ballot_draw", "approval_status", "applications", "converted", "conversion")
    assert funnel.select(columns).rows() == [
        ("", "REJECTED", 1, 1, 1.0),
        ("d1", "APPROVED", 2, 1, 0.5),
    ]


def test_days_to_race() -> None:
    start = datetime(2026, 5, 3, 9, tzinfo=UTC)
    entries = [
        ("p1", datetime(2026, 5, 1, 23, 59, tzinfo=UTC), None),
        ("p2", datetime(2026, 5, 1, 0, 0, tzinfo=UTC), GONE),
        ("p3", datetime(2026, 5, 4, tzinfo=UTC), None),
        ("p4", None, None),
    ]
    found = registrations_by_day(
        registrations(
            rows(
                "participants",
                *(
                    {
                        "participant_id": name,
                        "race_id": "r1",
                        "race_start_at": start,
                        "created_at": created_at,
                        "deleted_at": deleted_at,
                    }
                    for name, created_at, deleted_at in entries
                ),
            )
        )
    )
    columns = (
        *("day", "days_to_race", "registrations", "registrations_that_stand"),
        "registrations_so_far",
    )
    assert found.select(columns).rows() == [
        (date(2026, 5, 1), 2, 2, 1, 2),
        (date(2026, 5, 4), -1, 1, 1, 3),
    ]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(participants=participants_frames(), applications=applications_frames())
def test_everybody_is_counted_once(participants: pl.DataFrame, applications: pl.DataFrame) -> None:
    funnel = funnel_of(applications=applications, participants=participants)
    assert funnel["applications"].sum() == applications["deleted_at"].null_count()
    assert (funnel["converted"] <= funnel["applications"]).all()
    days = registrations_by_day(registrations(participants))
    dated = participants.filter(
        pl.col("race_id").str.strip_chars() != "",
        pl.col("race_start_at").is_not_null(),
        pl.col("created_at").is_not_null(),
    )
    assert days["registrations"].sum() == dated.height
    assert days["registrations_that_stand"].sum() == dated["deleted_at"].null_count()

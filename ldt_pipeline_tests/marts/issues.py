"""Starters, and what is found wrong with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from ldt_pipeline.marts import data_issues
from ldt_pipeline_tests.marts.frames import NOW, claimed, ended, questions, rows, starts

NO_QUESTIONS = questions()


def starter(participant_id: str, **columns: Any) -> dict[str, Any]:
    return {
        "participant_id": participant_id,
        "event_id": "e1",
        "race_id": "r1",
        "race_start_at": NOW + timedelta(days=7),
        "first_name": "Secretive",
        "last_name": "Secretson",
        "is_redacted": False,
    } | columns


def found(
    *starters: dict[str, Any],
    allocations: list[dict[str, Any]] | None = None,
    participants: list[dict[str, Any]] | None = None,
    groups: list[dict[str, Any]] | None = None,
    unmapped: pl.DataFrame = NO_QUESTIONS,
    birth_dates_given: dict[str, int] | None = None,
    now: datetime = NOW,
    minimum_ages: dict[str, int] | None = None,
    events_without_groups: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    entries = rows("participants", *(participants or []))
    given = list((birth_dates_given or {}).items())
    return data_issues(
        start_list=rows("start_list", *starters),
        partner_allocations=rows("partner_allocations", *(allocations or [])),
        claimed=claimed(entries),
        ended=ended(entries),
        starts=starts(entries),
        reserved_entry_groups=rows("reserved_entry_groups", *(groups or [])),
        unmapped_questions=unmapped,
        birth_dates_given=pl.DataFrame(
            given, {"race_id": pl.String(), "answered": pl.Int64()}, orient="row"
        ),
        now=now,
        minimum_ages=minimum_ages,
        events_without_groups=events_without_groups,
    ).to_dicts()


def subjects(issues: list[dict[str, Any]], kind: str) -> list[str]:
    return [issue["subject_id"] for issue in issues if issue["kind"] == kind]

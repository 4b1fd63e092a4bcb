"""What plots show: the right counts, few of them, and nothing that could harm a page."""

from __future__ import annotations

import datetime as dt
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from ldt_pipeline.plots import drawing, figures
from ldt_pipeline.plots.figures import LAST_EDITION, THIS_EDITION
from ldt_pipeline.sync.freshness import EventFreshness
from ldt_pipeline.tables import table

NOW = dt.datetime(2027, 3, 1, 8, tzinfo=dt.UTC)
RACE_DAY = dt.date(2027, 5, 9)
MOST_BYTES = 45_000
"""Of one image: it lies in Dagster's records with each materialization."""


def frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    empty = dict.fromkeys(table(name).schema)
    return pl.DataFrame([{**empty, **row} for row in rows], schema=table(name).schema)


def event(event_id: str, starts_in: int | None, name: str | None = "Run") -> dict[str, Any]:
    start = None if starts_in is None else NOW + dt.timedelta(days=starts_in)
    return {"event_id": event_id, "event_name": name, "last_race_start_at": start}


def day(
    event_id: str, race_day: dt.date, days_to_race: int, registrations: int, race_id: str = "r"
) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "race_id": race_id,
        "race_day": race_day,
        "day": race_day - dt.timedelta(days=days_to_race),
        "days_to_race": days_to_race,
        "registrations": registrations,
    }


def test_events_ahead_come_first_the_nearest_before_the_others() -> None:
    events = frame("events", [event(str(each), each) for each in (-400, 90, -2, 5)])
    events = pl.concat([events, frame("events", [event("unknown", None)])])
    drawn = figures.events_to_draw(events, NOW)
    assert drawn.get_column("event_id").to_list() == ["5", "90", "unknown", "-2", "-400"]
    assert drawn.get_column("is_ahead").to_list() == [True, True, True, False, False]
    assert drawn.get_column("event")[0] == "Run · 5"


def test_editions_compare_by_weeks_to_the_race() -> None:
    last_year = dt.date(2026, 5, 10)
    rows = [
        day("e", RACE_DAY, 100, 3),
        day("e", RACE_DAY, 99, 2, race_id="other"),
        day("e", RACE_DAY, 70, 5),
        day("e", last_year, 100, 1),
        day("e", last_year, -1, 4),
        day("e", dt.date(2025, 5, 11), 50, 9),
    ]
    found = figures.registrations_against_last_year(
        registrations_by_day=frame("registrations_by_day", rows),
        events=frame("events", [event("e", 69)]),
        moment=NOW,
    )
    assert found.rows() == [
        ("Run · e", THIS_EDITION, 14, 5),
        ("Run · e", THIS_EDITION, 10, 10),
        ("Run · e", LAST_EDITION, 14, 1),
        ("Run · e", LAST_EDITION, 0, 5),
    ]


def allocation(event_id: str, partner_id: str | None, used: int, left: int) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "partner_id": partner_id,
        "partner_name": partner_id and partner_id.upper(),
        "reserved_entry_group_id": f"{event_id}{partner_id}{used}",
        "used_capacity": used,
        "remaining_capacity": left,
    }


def test_places_are_those_of_events_ahead() -> None:
    events = frame("events", [event("ahead", 9), event("over", -9)])
    rows = [
        allocation("ahead", "a", 2, 8),
        allocation("ahead", "a", 1, 0),
        allocation("ahead", None, 0, 20),
        allocation("ahead", "empty", 0, 0),
        allocation("over", "b", 50, 50),
    ]
    use = figures.allocation_use(
        partner_allocations=frame("partner_allocations", rows), events=events, moment=NOW
    )
    assert use.rows() == [("the organiser's own", 0, 20), ("A · a", 3, 8)]
    over = figures.allocation_use(
        partner_allocations=frame("partner_allocations", rows[-1:]), events=events, moment=NOW
    )
    assert over.rows() == [("B · b", 50, 50)]


def test_the_funnel_ends_with_entries() -> None:
    rows = [
        {"event_id": "e", "approval_status": status, "applications": count, "converted": entered}
        for status, count, entered in (
            ("APPROVED", 30, 25),
            ("NOT_SELECTED", 60, 0),
            ("", 1, 0),
            ("APPROVED", 9, 5),
        )
    ]
    funnel = figures.ballot_funnel(
        application_funnel=frame("application_funnel", rows),
        events=frame("events", [event("e", 9), event("none", 3)]),
        moment=NOW,
    )
    assert funnel.select("stage", "applications").rows() == [
        ("applied", 100),
        ("not selected", 60),
        ("approved", 39),
        ("no status", 1),
        ("entered", 30),
    ]


def fresh(event_id: str, age: float | None, limit: float | None = 10) -> EventFreshness:
    return EventFreshness(
        event_id=event_id,
        event_name=None,
        next_start_at=NOW,
        age=None if age is None else dt.timedelta(minutes=age),
        limit=None if limit is None else dt.timedelta(minutes=limit),
    )


def test_ages_are_shares_of_what_they_may_be() -> None:
    events = [
        fresh("a", 5),
        fresh("b", 11),
        fresh("c", 9_000),
        fresh("d", None),
        fresh("e", 1, None),
    ]
    assert figures.freshness(events).rows() == [
        ("a", 0.5, "fresh"),
        ("b", 1.1, "stale"),
        ("c", 2.0, "stale"),
        ("d", 2.0, "stale"),
    ]


HOSTILE = '</text><script>alert(1)</script><image href="http://example.org/x"/>&\u202e\x00'


@pytest.fixture(scope="module")
def crowded() -> dict[str, pl.DataFrame]:
    """The figures of an account with many events and partners of long, odd names."""
    name = f"{HOSTILE} {'of a very long name ' * 9}"
    ids = [f"{number:07}" for number in range(200)]
    events = frame("events", [event(each, int(each) - 20, name) for each in ids])
    days = [
        day(each, RACE_DAY.replace(year=year), days_to_race, 1_000)
        for each in ids
        for year in (2026, 2027)
        for days_to_race in range(0, 500, 3)
    ]
    allocations = [{**allocation(each, each, 1_234, 4_321), "partner_name": name} for each in ids]
    funnel = [
        {"event_id": each, "approval_status": f"STATUS_{number}", "applications": 9, "converted": 1}
        for each in ids
        for number in range(30)
    ]
    return {
        "registrations": figures.registrations_against_last_year(
            registrations_by_day=frame("registrations_by_day", days), events=events, moment=NOW
        ),
        "allocation_use": figures.allocation_use(
            partner_allocations=frame("partner_allocations", allocations),
            events=events,
            moment=NOW,
        ),
        "ballot_funnel": figures.ballot_funnel(
            application_funnel=frame("application_funnel", funnel), events=events, moment=NOW
        ),
        "freshness": figures.freshness([fresh(f"{each} {name}", 3) for each in ids]),
    }


@pytest.mark.parametrize("name", ["registrations", "allocation_use", "ballot_funnel", "freshness"])
def test_an_image_stays_small_and_harmless_however_much_there_is(
    crowded: dict[str, pl.DataFrame], name: str
) -> None:
    svg = getattr(drawing, name)(crowded[name])
    assert len(svg) < MOST_BYTES, len(svg)
    root = ElementTree.fromstring(svg)
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds <= {"svg", "g", "path", "rect", "line", "text", "tspan", "defs", "clipPath"}
    assert "\u202e" not in svg

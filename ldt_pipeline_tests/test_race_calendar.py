"""How near a race is decides how old its data may be, and when it is read again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldt_pipeline.race_calendar import AFTER_START, phase, read_again_after, stale_after
from ldt_pipeline.sync.plan import due_events
from ldt_pipeline.sync.state import EventState

START = dt.datetime(2027, 5, 9, 8, tzinfo=dt.UTC)


def minutes(number: float) -> dt.timedelta:
    return dt.timedelta(minutes=number)


@pytest.mark.parametrize(
    ("before_start", "limit"),
    [
        (dt.timedelta(days=180), dt.timedelta(days=1)),
        (dt.timedelta(days=20), dt.timedelta(hours=3)),
        (dt.timedelta(days=3), minutes(15)),
        (dt.timedelta(hours=20), minutes(15)),
        (dt.timedelta(hours=3), minutes(5)),
        (-minutes(59), minutes(5)),
        (-minutes(61), None),
        (-dt.timedelta(days=900), None),
    ],
)
def test_how_old_data_may_be(before_start: dt.timedelta, limit: dt.timedelta | None) -> None:
    assert stale_after(START, START - before_start) == limit


def test_a_start_that_is_not_known_is_far() -> None:
    assert stale_after(None, START) == dt.timedelta(days=1)


@given(st.timedeltas(-AFTER_START, dt.timedelta(days=900)), st.timedeltas(minutes(0)))
def test_nearer_is_never_allowed_to_be_older(
    before_start: dt.timedelta, nearer: dt.timedelta
) -> None:
    nearer = min(nearer, before_start + AFTER_START)
    before, after = (phase(START, START - before_start + each) for each in (minutes(0), nearer))
    assert before is not None
    assert after is not None
    assert after.stale_after <= before.stale_after


def state(event_id: str, *, age: dt.timedelta, starts_in: dt.timedelta | None) -> EventState:
    return EventState(
        event_id=event_id,
        changed_at=None,
        read_at=START - age,
        race_ends_at=None if starts_in is None else START + starts_in,
        next_start_at=None if starts_in is None or starts_in < minutes(-60) else START + starts_in,
    )


@pytest.mark.parametrize(
    ("starts_in", "age"),
    [
        (dt.timedelta(hours=1), minutes(2.5)),
        (dt.timedelta(days=3), minutes(7.5)),
        (dt.timedelta(days=180), minutes(60)),
        (None, minutes(60)),
        (-dt.timedelta(days=30), dt.timedelta(days=7)),
    ],
)
def test_an_event_is_read_again_before_it_is_stale(
    starts_in: dt.timedelta | None, age: dt.timedelta
) -> None:
    for older, due in ((age - minutes(0.1), []), (age, ["e"])):
        states = [state("e", age=older, starts_in=starts_in)]
        assert due_events(states, refresh_minutes=60, at=START) == due
    limit = None if starts_in is None else stale_after(START + starts_in, START)
    assert limit is None or age < limit


@pytest.mark.parametrize(("changed", "due"), [(-1, []), (0, ["e"]), (1, ["e"])])
def test_what_changed_when_an_event_was_read_may_not_be_in_what_was_read(
    changed: int, due: list[str]
) -> None:
    far = state("e", age=minutes(1), starts_in=dt.timedelta(days=90))
    moved = replace(far, changed_at=START - minutes(1) + dt.timedelta(seconds=changed))
    assert due_events([moved], refresh_minutes=60, at=START) == due


def test_a_shorter_time_that_somebody_set_holds_for_far_and_near() -> None:
    states = [
        state(name, age=minutes(2), starts_in=starts_in)
        for name, starts_in in (("far", dt.timedelta(days=90)), ("near", dt.timedelta(days=2)))
    ]
    assert due_events(states, refresh_minutes=1, at=START) == ["near", "far"], "nearest first"
    assert due_events(states, refresh_minutes=3, at=START) == []
    assert read_again_after(START + dt.timedelta(days=90), START) == dt.timedelta(hours=12)

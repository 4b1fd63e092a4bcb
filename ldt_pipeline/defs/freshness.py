"""Whether what we show of each event is fresh enough for how near its race is.

Dagster's own freshness policies know one limit for an asset, and not the calendar of its partitions.
So the asset `published` has a check: it is run wherever something is published, and a sensor looks
again every minute, as data gets too old just when nothing happens.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb

from ldt_pipeline.defs.metadata import preview
from ldt_pipeline.defs.resources import Storage
from ldt_pipeline.instants import now
from ldt_pipeline.race_calendar import RACE_WEEK
from ldt_pipeline.sync.freshness import EventFreshness, freshness_of_events

PUBLISHED = "published"
EVENTS_ARE_FRESH = "events_are_fresh"
_SHOWN_MOST = 50
_REPEAT_EVERY = dt.timedelta(hours=1)
"""So often the sensor repeats an outcome that is still the same: each is an event that is kept."""

FRESHNESS_SPEC = dg.AssetCheckSpec(
    name=EVENTS_ARE_FRESH,
    asset=PUBLISHED,
    description=(
        "What is published of each event is as fresh as the nearness of its next race calls for: "
        "minutes old in race week, at most a day half a year before, of any age once it is over."
    ),
)


def freshness_result(storage: Storage) -> dg.AssetCheckResult:
    """Give the outcome of the check, for the step that publishes."""
    moment = now()
    events = freshness_of_events(storage.settings, moment)
    return dg.AssetCheckResult(check_name=EVENTS_ARE_FRESH, **_outcome(events, moment))


@dg.sensor(
    name="watch_freshness",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks whether what is published of each event is too old for how near its race is.",
)
def freshness_sensor(
    context: dg.SensorEvaluationContext, storage: Storage
) -> dg.SensorResult | dg.SkipReason:
    """Report the check where its outcome is another one, and once an hour."""
    moment = now()
    try:
        events = freshness_of_events(storage.settings, moment)
    except duckdb.Error as error:
        return dg.SkipReason(f"The published file can't be read ({type(error).__name__}).")
    if not events:
        return dg.SkipReason("Nothing is published yet.")
    cursor = _cursor(events, moment)
    if cursor == context.cursor:
        return dg.SkipReason("Nothing got too old, or fresh again.")
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(PUBLISHED), check_name=EVENTS_ARE_FRESH, **_outcome(events, moment)
    )
    return dg.SensorResult(
        skip_reason=evaluation.description, cursor=cursor, asset_events=[evaluation]
    )


def _cursor(events: Sequence[EventFreshness], moment: dt.datetime) -> str:
    """Tell outcomes apart: which events are stale, in which hour."""
    stale = sorted(each.event_id for each in events if each.is_stale)
    digest = hashlib.sha256(repr(stale).encode()).hexdigest()[:16]
    return f"{int(moment.timestamp() // _REPEAT_EVERY.total_seconds())} {digest}"


def _outcome(events: Sequence[EventFreshness], moment: dt.datetime) -> dict[str, Any]:
    stale = [each for each in events if each.is_stale]
    watched = [each for each in events if each.limit is not None]
    in_race_week = [
        each for each in stale if each.next_start_at and each.next_start_at - moment <= RACE_WEEK
    ]
    return {
        "passed": not stale,
        "severity": dg.AssetCheckSeverity.ERROR if in_race_week else dg.AssetCheckSeverity.WARN,
        "description": _sentence(stale, watched, moment),
        "metadata": {
            "stale_events": len(stale),
            "events_ahead": len(watched),
            "events": preview(
                ["event_id", "event", "next race", "age", "at most", "fresh"],
                [
                    (
                        each.event_id,
                        each.event_name,
                        f"{each.next_start_at:%Y-%m-%d %H:%M} UTC" if each.next_start_at else None,
                        _duration(each.age),
                        _duration(each.limit),
                        "no" if each.is_stale else "yes",
                    )
                    for each in [*stale, *(each for each in watched if not each.is_stale)]
                ][:_SHOWN_MOST],
            ),
        },
    }


def _sentence(
    stale: Sequence[EventFreshness], watched: Sequence[EventFreshness], moment: dt.datetime
) -> str:
    if not stale:
        return f"What is published of all {len(watched)} events ahead is fresh enough."
    nearest = stale[0]
    ahead = (
        f"starts in {_duration(nearest.next_start_at - moment)}"
        if nearest.next_start_at and nearest.next_start_at > moment
        else "has started"
        if nearest.next_start_at
        else "has no known start"
    )
    age = f"{_duration(nearest.age)} old" if nearest.age is not None else "not there yet"
    return (
        f"{len(stale)} of {len(watched)} events are shown as they were too long ago. The nearest, "
        f"{nearest.event_id}, {ahead}: its data is {age}, and may be {_duration(nearest.limit)} old. "
        "See whether the daemon or `ldt sync` runs, and what the last failed run says."
    )


def _duration(span: dt.timedelta | None) -> str:
    """Write a span of time in its largest unit, rounded down."""
    if span is None:
        return "never read"
    seconds = span.total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"

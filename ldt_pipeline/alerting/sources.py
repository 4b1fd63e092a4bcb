"""Sources that need no Dagster: the key, the published file, and how current events are.

What belongs here: finding what is wrong, as troubles. What doesn't: writing them down (`book.py`).
A source gives None where it can't tell now: what it found before then stands.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import duckdb

from ldt_pipeline.alerting.config import Allocations, Watch
from ldt_pipeline.alerting.trouble import SEVERITIES, Severity, Trouble, rank, step_of
from ldt_pipeline.api.keys import expiry_of
from ldt_pipeline.race_calendar import RACE_WEEK
from ldt_pipeline.settings import Settings
from ldt_pipeline.sync.freshness import freshness_of_events
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.starts import list_of_starts

_KEY_STEPS = (14, 7, 3, 1)
"""Days before a key's end at which whoever was told is told again."""

_AFTER_START = dt.timedelta(days=1)


def key_troubles(settings: Settings, days: int, moment: dt.datetime) -> list[Trouble]:
    """Give what is wrong with the API key: nothing of it but when it ends."""
    if settings.api_key is None:
        return [Trouble(source="api_key", severity="error", kind="missing")]
    expires_at = expiry_of(settings.api_key.get_secret_value())
    if expires_at is None or expires_at > moment + dt.timedelta(days=days):
        return []
    left = (expires_at - moment) / dt.timedelta(days=1)
    is_over = left <= 0
    return [
        Trouble(
            source="api_key",
            severity="error" if left <= 1 else "warning",
            kind="expired" if is_over else "expires",
            at=expires_at,
            step=sum(left <= each for each in _KEY_STEPS) + is_over,
        )
    ]


@dataclass(frozen=True, kw_only=True)
class Published:
    """The troubles of the published file."""

    allocations: list[Trouble]
    race_week: list[Trouble]


def published_troubles(settings: Settings, watch: Watch, moment: dt.datetime) -> Published | None:
    """Give the troubles of the published file; None where it can't be read."""
    if not settings.published_path.exists():
        return None
    try:
        with connect(settings.published_path, read_only=True) as connection:
            starts = _starts_ahead(connection, moment)
            return Published(
                allocations=_allocations(connection, watch.allocations, starts, moment),
                race_week=_race_week(connection, watch, starts, moment),
            )
    except duckdb.Error:
        # Another version published it, or it is just being replaced: the next look will tell.
        return None


def event_troubles(settings: Settings, moment: dt.datetime) -> list[Trouble] | None:
    """Give the events of which what is published is too old for how near their race is.

    None where the published file can't be read.
    """
    try:
        stale = [each for each in freshness_of_events(settings, moment) if each.is_stale]
    except duckdb.Error:
        return None
    if not stale:
        return []
    ages = [each.age for each in stale if each.age is not None]
    starts = [each.next_start_at for each in stale if each.next_start_at is not None]
    return [
        Trouble(
            source="stale_events",
            severity="error" if starts and min(starts) - moment <= RACE_WEEK else "warning",
            count=len(stale),
            at=moment - max(ages) if ages else None,
            step=step_of(len(stale)),
        )
    ]


_Starts = dict[tuple[str, str], dt.datetime]
"""The next start of each event and race, and of each event under the race ''. UTC."""


def _starts_ahead(connection: duckdb.DuckDBPyConnection, moment: dt.datetime) -> _Starts:
    # From entries, and not from `races`: a race that comes every year has many starts.
    rows = connection.execute(
        """
        SELECT event_id, coalesce(race_id, ''), min(race_start_at) FROM query_table($list)
        WHERE race_start_at > $since AND event_id IS NOT NULL GROUP BY ALL
        """,
        {"list": list_of_starts(connection), "since": moment - _AFTER_START},
    ).fetchall()
    starts: _Starts = {}
    for event_id, race_id, starts_at in rows:
        for key in ((event_id, race_id), (event_id, "")):
            starts[key] = min(starts.get(key, starts_at), starts_at)
    return starts


def _allocations(
    connection: duckdb.DuckDBPyConnection,
    limits: Allocations | None,
    starts: _Starts,
    moment: dt.datetime,
) -> list[Trouble]:
    if limits is None:
        return []
    rows = connection.execute(
        """
        SELECT event_id, reserved_entry_group_id, max_capacity,
            coalesce(used_capacity, participants_matched, 0)
        FROM partner_allocations WHERE max_capacity > 0
        """
    ).fetchall()
    found = (
        _allocation(row, starts[(row[0], "")], limits, moment)
        for row in rows
        if (row[0], "") in starts
    )
    return [each for each in found if each is not None]


def _allocation(
    row: tuple[Any, ...], starts_at: dt.datetime, limits: Allocations, moment: dt.datetime
) -> Trouble | None:
    event_id, group_id, places, claimed = row
    share = claimed / places
    severity: Severity = "warning"
    if claimed > places:
        kind, severity, step = "over_capacity", "error", step_of(claimed - places)
    elif limits.nearly_full is not None and share >= limits.nearly_full:
        kind, step = "nearly_full", 1 + (claimed == places)
    elif (
        limits.unused is not None
        and share < limits.unused
        and starts_at <= moment + dt.timedelta(days=limits.unused_within_days)
    ):
        kind, step = "unused", 0
    else:
        return None
    return Trouble(
        source="allocation",
        severity=severity,
        kind=kind,
        event_id=event_id or "",
        group_id=group_id,
        count=claimed,
        limit=places,
        at=starts_at,
        step=step,
    )


def _race_week(
    connection: duckdb.DuckDBPyConnection, watch: Watch, starts: _Starts, moment: dt.datetime
) -> list[Trouble]:
    if watch.race_week_days is None:
        return []
    until = moment + dt.timedelta(days=watch.race_week_days)
    # An issue's subject can be a question or a bib, which somebody typed: it stays where it is.
    rows = connection.execute(
        "SELECT severity, kind, event_id, race_id, count(*) FROM data_issues GROUP BY ALL"
    ).fetchall()
    return [
        Trouble(
            source="race_week",
            severity=severity,
            kind=kind,
            event_id=event_id,
            race_id=race_id,
            count=count,
            at=starts[(event_id, race_id)],
            step=step_of(count),
        )
        for severity, kind, event_id, race_id, count in rows
        if (event_id, race_id) in starts
        and starts[(event_id, race_id)] <= until
        and severity in SEVERITIES
        and rank(severity) >= rank(watch.race_week_at_least)
    ]

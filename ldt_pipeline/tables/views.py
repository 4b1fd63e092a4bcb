"""Views of the published file: what is counted when it is asked for, as it depends on the day.

What belongs here: a view's columns, and the SQL that it is. What doesn't: tables (`marts.py`), and
views that only leave columns out (`Table.anonymous`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ldt_pipeline.tables.marts import PARTNER_ALLOCATIONS
from ldt_pipeline.tables.types import Column, Layer, Table


@dataclass(frozen=True, kw_only=True)
class View:
    """A view: `table` says which columns it has, `sql` selects them from published tables.

    Tables are named in `sql` as `{schema}.name`. Of a table with personal columns it may only read
    the anonymous one, which is there whatever is published.
    """

    table: Table
    sql: str


ALLOCATION_PACE = View(
    table=Table(
        name="allocation_pace",
        layer=Layer.VIEW,
        description=(
            "partner_allocations for whoever chases places: how fast they go, counted on the day "
            "(UTC) on which it is asked for."
        ),
        grain=PARTNER_ALLOCATIONS.grain,
        key=PARTNER_ALLOCATIONS.key,
        columns=(
            *PARTNER_ALLOCATIONS.columns,
            Column(
                name="claims_last_7_days",
                type=pl.Int64(),
                description="Live participants attributed to the group who registered since.",
            ),
            Column(
                name="projected_full_on",
                type=pl.Date(),
                description=(
                    "The day on which the last place goes if they go on like that; today for a "
                    "full group; null where none went, or it would take a century."
                ),
            ),
            Column(
                name="days_to_race",
                type=pl.Int64(),
                description="Days until the event's next race; null where none is to come.",
            ),
        ),
    ),
    sql="""
    WITH today AS (
        SELECT (now() AT TIME ZONE 'UTC')::DATE AS today
    ), recent AS (
        SELECT reserved_entry_group_id, count(*) AS claims FROM {schema}.start_list_anonymous
        WHERE registered_at >= now() - INTERVAL 7 DAY AND registered_at <= now() GROUP BY ALL
    ), coming AS (
        -- Also from entries: a race comes again under its id, and `races` has one of its starts.
        SELECT event_id, min((race_start_at AT TIME ZONE 'UTC')::DATE) AS race_on
        FROM (
            SELECT event_id, race_start_at FROM {schema}.races
            UNION ALL SELECT event_id, race_start_at FROM {schema}.start_list_anonymous
        ), today
        WHERE (race_start_at AT TIME ZONE 'UTC')::DATE >= today GROUP BY ALL
    )
    SELECT allocations.*, coalesce(claims, 0) AS claims_last_7_days,
        CASE
            WHEN remaining_capacity = 0 THEN today
            -- Seven times what some write for "no limit" is no whole number of DuckDB's any more.
            WHEN remaining_capacity::DOUBLE * 7 / claims < 36500
                THEN today + ceil(remaining_capacity::DOUBLE * 7 / claims)::INTEGER
        END AS projected_full_on,
        date_diff('day', today, race_on) AS days_to_race
    FROM {schema}.partner_allocations AS allocations CROSS JOIN today
    LEFT JOIN recent USING (reserved_entry_group_id) LEFT JOIN coming USING (event_id)
    """,
)

VIEWS: dict[str, View] = {each.table.name: each for each in (ALLOCATION_PACE,)}
"""Every published view but the anonymous ones, by name."""

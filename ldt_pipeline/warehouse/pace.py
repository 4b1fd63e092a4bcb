"""How fast reserved places are claimed, asked of the published file.

What belongs here: the one question behind `ldt allocations --pace` and `allocation_pace` of
notebooks. It is asked when somebody looks: what was published yesterday knows nothing of today.
"""

from __future__ import annotations

import polars as pl

from ldt_pipeline.tables import table

PACE: dict[str, pl.DataType] = {
    "claims_last_7_days": pl.Int64(),
    "projected_full_on": pl.Date(),
    "days_to_race": pl.Int64(),
}
"""Claims in the last seven days; the day (UTC) on which the last place goes if they go on like that,
null where that is never or a century away; and days until the event's next race."""

PACED: dict[str, pl.DataType] = {**table("partner_allocations").schema, **PACE}
"""All columns of `paced`."""

WITH_PACE = """
    WITH recent AS (
        SELECT reserved_entry_group_id, count(*) AS claims FROM start_list_anonymous
        WHERE registered_at >= $at::TIMESTAMPTZ - INTERVAL 7 DAY AND registered_at <= $at::TIMESTAMPTZ
        GROUP BY ALL
    ), coming AS (
        SELECT event_id, min(race_start_at)::DATE AS race_on FROM races
        WHERE race_start_at::DATE >= $at::TIMESTAMPTZ::DATE GROUP BY ALL
    ), paced AS (
        SELECT partner_allocations.*, coalesce(claims, 0) AS claims_last_7_days,
            CASE
                WHEN remaining_capacity = 0 THEN $at::TIMESTAMPTZ::DATE
                WHEN remaining_capacity * 7 / claims < 36500
                    THEN $at::TIMESTAMPTZ::DATE + ceil(remaining_capacity * 7 / claims)::INTEGER
            END AS projected_full_on,
            date_diff('day', $at::TIMESTAMPTZ::DATE, race_on) AS days_to_race
        FROM partner_allocations
        LEFT JOIN recent USING (reserved_entry_group_id) LEFT JOIN coming USING (event_id)
    )
"""
"""The relation `paced`: one row per live reserved entry group, as things stood at `$at`. The session's
time zone has to be UTC."""

"""Allocations for the people who chase places: pace, filters and order, from the published file.

What belongs here: the question asked of `ldt.duckdb`. Pace is counted when it is asked for: what
was published yesterday knows nothing of today's date.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from ldt_pipeline.cli.command import CommandError
from ldt_pipeline.cli.published import Rows, require_event
from ldt_pipeline.tables import table

PACE = ("claims_last_7_days", "projected_full_on", "days_to_race")
"""Claims in the last seven days; the day (UTC) on which the last place goes if they go on like that;
and days until the event's next race."""

_USUAL_ORDER = (
    "event_name NULLS LAST, event_id, partner_name NULLS LAST, reserved_entry_group_name, "
    "reserved_entry_group_id"
)

_WITH_PACE = """
    WITH recent AS (
        SELECT reserved_entry_group_id, count(*) AS claims FROM start_list_anonymous
        WHERE registered_at >= now() - INTERVAL 7 DAY AND registered_at <= now() GROUP BY ALL
    ), coming AS (
        SELECT event_id, min(race_start_at)::DATE AS race_on FROM races
        WHERE race_start_at::DATE >= current_date GROUP BY ALL
    ), listed AS (
        SELECT partner_allocations.*, coalesce(claims, 0) AS claims_last_7_days,
            CASE
                WHEN remaining_capacity = 0 THEN current_date
                WHEN remaining_capacity * 7 / claims < 36500
                    THEN current_date + ceil(remaining_capacity * 7 / claims)::INTEGER
            END AS projected_full_on,
            date_diff('day', current_date, race_on) AS days_to_race
        FROM partner_allocations
        LEFT JOIN recent USING (reserved_entry_group_id) LEFT JOIN coming USING (event_id)
    )
"""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to list: of one event or all, and what of it."""

    event_id: str | None = None
    below: float | None = None
    race_within: int | None = None
    sort: str | None = None
    pace: bool = False


def read_listed(connection: duckdb.DuckDBPyConnection, wish: Wish) -> Rows:
    """Give the allocations that are asked for, with the columns of pace where they are.

    Raises:
        CommandError: There is no such event or column; the text lists those that there are.
    """
    own = tuple(table("partner_allocations").schema)
    columns = (*own, *PACE) if wish.pace else own
    conditions: list[str] = ["true"]
    parameters: list[object] = []
    for condition, value in (
        ("event_id = ?", wish.event_id),
        ("utilisation < ?", wish.below),
        ("days_to_race <= ?", wish.race_within),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    wanted = ", ".join(f'"{name}"' for name in columns)
    rows = connection.execute(
        f"{_WITH_PACE} SELECT {wanted} FROM listed WHERE {' AND '.join(conditions)} "  # noqa: S608 - ours
        f"ORDER BY {_order(wish.sort)}",
        parameters,
    ).fetchall()
    if not rows and wish.event_id is not None:
        require_event(connection, wish.event_id)
    name = "allocation_pace" if wish.pace else "partner_allocations"
    return Rows(table_name=name, columns=columns, rows=rows)


def _order(sort: str | None) -> str:
    if sort is None:
        return _USUAL_ORDER
    known = (*table("partner_allocations").schema, *PACE)
    name = sort.removeprefix("-")
    if name not in known:
        raise CommandError(f"There is no column {name!r} to sort by; there are {', '.join(known)}.")
    direction = "DESC" if sort.startswith("-") else "ASC"
    return f'"{name}" {direction} NULLS LAST, {_USUAL_ORDER}'

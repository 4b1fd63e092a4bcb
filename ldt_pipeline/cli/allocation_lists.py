"""Allocations for the people who chase places: filters and order, from the published file.

What belongs here: what of the allocations is listed. What doesn't: how fast places are claimed
(`warehouse/pace.py`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from ldt_pipeline.cli.command import CommandError
from ldt_pipeline.cli.published import Rows, require_event
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.pace import PACED, WITH_PACE

_USUAL_ORDER = (
    "event_name NULLS LAST, event_id, partner_name NULLS LAST, reserved_entry_group_name, "
    "reserved_entry_group_id"
)


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
    columns = tuple(PACED) if wish.pace else own
    conditions: list[str] = ["true"]
    parameters: dict[str, object] = {"at": dt.datetime.now(dt.UTC)}
    for name, condition, value in (
        ("event_id", "event_id = $event_id", wish.event_id),
        ("below", "utilisation < $below", wish.below),
        ("race_within", "days_to_race <= $race_within", wish.race_within),
    ):
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    wanted = ", ".join(f'"{name}"' for name in columns)
    rows = connection.execute(
        f"{WITH_PACE} SELECT {wanted} FROM paced WHERE {' AND '.join(conditions)} "  # noqa: S608 - ours
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
    name = sort.removeprefix("-")
    if name not in PACED:
        raise CommandError(f"There is no column {name!r} to sort by; there are {', '.join(PACED)}.")
    direction = "DESC" if sort.startswith("-") else "ASC"
    return f'"{name}" {direction} NULLS LAST, {_USUAL_ORDER}'

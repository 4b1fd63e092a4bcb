"""Allocations for the people who chase places: pace, filters and order, from the published file.

What belongs here: the question asked of `ldt.duckdb`. What doesn't: counting pace, which is a view
of that file (`tables/views.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import click
import duckdb

from ldt_pipeline.cli.published import Rows, require_event
from ldt_pipeline.tables import VIEWS, table
from ldt_pipeline.warehouse.schema import listed

_PACE = VIEWS["allocation_pace"].table

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
        CommandError: There is no such event; the text lists those that there are.
        click.BadParameter: There is no such column to sort by; the text lists those that there are.
    """
    shown = _PACE if wish.pace else table("partner_allocations")
    columns = tuple(shown.schema)
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
    rows = connection.execute(
        f"SELECT {listed(columns)} FROM {_PACE.name} WHERE {' AND '.join(conditions)} "  # noqa: S608 - ours
        f"ORDER BY {_order(wish.sort)}",
        parameters,
    ).fetchall()
    if not rows and wish.event_id is not None:
        require_event(connection, wish.event_id)
    return Rows(
        table_name=shown.name,
        columns=columns,
        rows=rows,
        sorted_by=wish.sort.removeprefix("-") if wish.sort else None,
    )


def _order(sort: str | None) -> str:
    if sort is None:
        return _USUAL_ORDER
    known = tuple(_PACE.schema)
    name = sort.removeprefix("-")
    if name not in known:
        raise click.BadParameter(
            f"There is no column {name!r} to sort by; there are {', '.join(known)}.",
            param_hint="'--sort'",
        )
    direction = "DESC" if sort.startswith("-") else "ASC"
    return f'"{name}" {direction} NULLS LAST, {_USUAL_ORDER}'

"""Rows of the published file that exports are made of, each a dictionary by column of `start_list`.

What belongs here: asking for them. What doesn't: what is made of them (`race_lists.py`, `leaving.py`).
"""

from __future__ import annotations

from typing import Any

import duckdb

from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.schema import listed as names_as_sql
from ldt_pipeline.warehouse.starts import START_ORDER


def listed(
    connection: duckdb.DuckDBPyConnection, race_id: str, on: Any = None
) -> list[dict[str, Any]]:
    """Give a race's start list, of one day (UTC) or of all, in the order of the start."""
    condition = "race_id = ? AND (?::DATE IS NULL OR race_start_at::DATE = ?::DATE)"
    return rows_of(
        connection, "start_list", f"WHERE {condition} ORDER BY {START_ORDER}", [race_id, on, on]
    )


def undated(connection: duckdb.DuckDBPyConnection, race_id: str) -> list[dict[str, Any]]:
    """Give those on a race's start list whose start isn't known, and so is on no day's list."""
    condition = "race_id = ? AND race_start_at IS NULL"
    return rows_of(connection, "start_list", f"WHERE {condition} ORDER BY {START_ORDER}", [race_id])


def rows_of(
    connection: duckdb.DuckDBPyConnection, source: str, clauses: str, parameters: list[Any]
) -> list[dict[str, Any]]:
    """Give rows of a table that has the columns of `start_list`; `clauses` say which, after FROM."""
    names = list(table("start_list").schema)
    rows = connection.execute(
        f"SELECT {names_as_sql(names)} FROM {source} {clauses}",  # noqa: S608 - the registry's names
        parameters,
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]

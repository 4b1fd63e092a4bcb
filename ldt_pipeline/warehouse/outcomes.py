"""What checks found, kept until anything is written that they may speak of; and which marts are made.

What belongs here: keeping and forgetting. What doesn't: the checks (`checks.py`). So each check runs
once after the last that was written, although both Dagster's checks and the publication ask for it.
A mart counts as made until rows are loaded that it may follow from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import duckdb
import polars as pl

from ldt_pipeline.warehouse.connection import registered, transaction

API_TOTALS = "api_totals"
"""The comparison with the API is no table of its own, but has checks as if it were one."""

_IS_MADE = "is_made"
"""In the place of a check's name: that a mart was made from what is loaded."""

_ALSO_READ_BY = {
    "start_list": ("participant_versions.has_the_start_list",),
    "data_issues": ("start_list.bibs_are_unique", "partner_allocations.capacity_agrees"),
}
"""The checks of other tables that read a mart, by that mart."""


def note_outcomes(
    connection: duckdb.DuckDBPyConnection, found: Mapping[tuple[str, str], int]
) -> None:
    """Keep the offences that checks found, by table and name of the check."""
    rows = pl.DataFrame(
        [(*check, offences) for check, offences in found.items()],
        schema={"table": pl.String(), "name": pl.String(), "offences": pl.Int64()},
        orient="row",
    )
    with registered(connection, "found_outcomes", rows), transaction(connection):
        connection.execute(
            "DELETE FROM ops.outcomes AS known USING found_outcomes AS found "
            'WHERE known."table" = found."table" AND known.name = found.name'
        )
        connection.execute("INSERT INTO ops.outcomes SELECT * FROM found_outcomes")


def noted_outcomes(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Give the offences that were found in what is stored now, by table and name of the check."""
    rows = connection.execute(
        'SELECT "table", name, offences FROM ops.outcomes WHERE name <> ?', [_IS_MADE]
    ).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def note_made(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    """Keep that a mart was made from what is loaded now."""
    note_outcomes(connection, {(mart, _IS_MADE): 0})


def outdated_marts(connection: duckdb.DuckDBPyConnection, marts: Collection[str]) -> list[str]:
    """Give those of some marts that are older than what is loaded, or than a mart that they follow."""
    rows = connection.execute(
        """
        SELECT mart FROM (SELECT unnest(?::VARCHAR[]) AS mart)
        WHERE mart NOT IN (SELECT "table" FROM ops.outcomes WHERE name = ?)
            OR mart IN (SELECT actor FROM ops.owed)
        """,
        [list(marts), _IS_MADE],
    ).fetchall()
    return sorted(row[0] for row in rows)


def forget_outcomes(connection: duckdb.DuckDBPyConnection, table: str | None = None) -> None:
    """Forget what was found: whoever writes rows calls this, in the same transaction.

    All of it, as of tidy tables all marts are made; or what the checks found that read one table
    which no other is made from before it is written itself.
    """
    if table is None:
        connection.execute("DELETE FROM ops.outcomes")
        return
    connection.execute(
        'DELETE FROM ops.outcomes WHERE "table" = ? '
        """OR list_contains(?::VARCHAR[], "table" || '.' || name)""",
        [table, _ALSO_READ_BY.get(table, ())],
    )

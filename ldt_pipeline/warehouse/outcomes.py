"""What checks found, kept until anything is written that they may speak of.

What belongs here: keeping and forgetting. What doesn't: the checks (`checks.py`). So each check runs
once after the last that was written, although both Dagster's checks and the publication ask for it.
"""

from __future__ import annotations

import duckdb

from ldt_pipeline.warehouse.connection import transaction


def note_outcome(
    connection: duckdb.DuckDBPyConnection, *, table: str, name: str, offences: int
) -> None:
    """Keep what a check of a table found."""
    with transaction(connection):
        connection.execute('DELETE FROM ops.outcomes WHERE "table" = ? AND name = ?', [table, name])
        connection.execute("INSERT INTO ops.outcomes VALUES (?, ?, ?)", [table, name, offences])


def noted_outcomes(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Give the offences that were found in what is stored now, by table and name of the check."""
    rows = connection.execute('SELECT "table", name, offences FROM ops.outcomes').fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def forget_outcomes(connection: duckdb.DuckDBPyConnection) -> None:
    """Forget what was found: whoever writes rows calls this, in the same transaction."""
    connection.execute("DELETE FROM ops.outcomes")

"""Groups day by day: kept while extracts are loaded, as the tidy table holds the newest state alone.

What belongs here: `ops.group_days` and the mart `allocation_history` that is made of it. Of a day the
latest reading counts: a maximum, so extracts can be loaded in any order and any batches.
"""

from __future__ import annotations

from typing import Final

import duckdb
import polars as pl

from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.connection import registered

GROUPS: Final = "reserved_entry_groups"

_KEY = ["reserved_entry_group_id", "day"]


def note_days(connection: duckdb.DuckDBPyConnection, groups: pl.DataFrame) -> None:
    """Keep what a batch says of groups on the days on which they were read.

    Args:
        connection: The warehouse, in the transaction of the batch.
        groups: Rows of the tidy table.
    """
    rows = (
        groups.filter(
            pl.col("reserved_entry_group_id").is_not_null(), pl.col("read_at").is_not_null()
        )
        .select(
            "reserved_entry_group_id",
            pl.col("read_at").dt.date().alias("day"),
            "read_at",
            "event_id",
            "partner_id",
            pl.col("name").alias("reserved_entry_group_name"),
            "max_capacity",
            "used_capacity",
        )
        .sort("read_at", maintain_order=True)
        .unique(_KEY, keep="last", maintain_order=True)
    )
    if rows.is_empty():
        return
    with registered(connection, "read_days", rows):
        connection.execute(
            """
            DELETE FROM ops.group_days USING read_days AS fresh
            WHERE group_days.reserved_entry_group_id = fresh.reserved_entry_group_id
                AND group_days.day = fresh.day AND group_days.read_at <= fresh.read_at
            """
        )
        connection.execute(
            """
            INSERT INTO ops.group_days BY NAME
            SELECT * FROM read_days ANTI JOIN ops.group_days USING (reserved_entry_group_id, day)
            """
        )


def allocation_history(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give the `allocation_history` table."""
    frame = connection.sql(
        """
        SELECT *, used_capacity - lag(used_capacity) OVER (
            PARTITION BY reserved_entry_group_id ORDER BY day
        ) AS claimed_since
        FROM ops.group_days ORDER BY reserved_entry_group_id, day
        """
    ).pl()
    return table("allocation_history").conform(frame)

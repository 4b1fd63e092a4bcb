"""One row per group and day, whatever the order and batches in which readings are loaded."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.allocation_days import allocation_history, note_days
from ldt_pipeline.warehouse.connection import open_warehouse

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def readings(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    groups = table("reserved_entry_groups")
    return pl.DataFrame(
        [
            {
                "reserved_entry_group_id": f"re_{group}",
                "event_id": "1",
                "name": "Gold",
                "max_capacity": 100,
                "used_capacity": used,
                "read_at": START + dt.timedelta(hours=hour),
            }
            for group, hour, used in rows
        ],
        schema={each.name: each.type for each in groups.columns},
    )


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 72), st.integers(0, 100)),
        unique_by=lambda row: row[:2],
        min_size=1,
        max_size=20,
    ),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
def test_the_last_reading_of_a_day_counts(
    tmp_path_factory: object, rows: list[tuple[int, int, int]], shuffled: object, size: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("days")  # pyright: ignore
    order = list(rows)
    shuffled.shuffle(order)  # pyright: ignore
    with open_warehouse(folder / "warehouse.duckdb") as connection:
        for at in range(0, len(order), size):
            note_days(connection, readings(order[at : at + size]))
        found = allocation_history(connection)
    expected = {}
    for group, hour, used in sorted(rows, key=lambda row: row[1]):
        expected[f"re_{group}", (START + dt.timedelta(hours=hour)).date()] = used
    kept = found.select("reserved_entry_group_id", "day", "used_capacity").rows()
    assert {(group, day): used for group, day, used in kept} == expected
    assert len(kept) == len(expected)
    since = found.group_by("reserved_entry_group_id").agg(
        pl.col("claimed_since").sum(),
        (pl.col("used_capacity").last() - pl.col("used_capacity").first()).alias("whole"),
    )
    assert since["claimed_since"].to_list() == since["whole"].to_list()

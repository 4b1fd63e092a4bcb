"""The order of a start list, as people who hand out bibs expect it."""

from __future__ import annotations

import random

import duckdb

from ldt_pipeline.warehouse.starts import START_ORDER

ROWS = [
    # race_start_at, wave, bib_number, last_name
    ("2026-11-29 09:30", "A", "7", None),
    # Put off by half an hour: entries that were read before say the old one, and are among the others.
    ("2026-11-29 09:00", "A", "8", None),
    ("2026-11-29 09:30", "Wave 2", "9", None),
    ("2026-11-29 09:00", "Wave 2", "10", None),
    ("2026-11-29 09:30", "Wave 2", "A3", None),
    ("2026-11-29 09:30", "Wave 2", None, "Able"),
    ("2026-11-29 09:30", "Wave 2", None, "Baker"),
    ("2026-11-29 09:30", "Wave 10", "1", None),
    ("2026-11-29 09:30", "Wave 10b", "2", None),
    ("2026-11-29 09:30", None, "3", None),
    ("2025-11-30 09:30", "A", "4", None),
    (None, "A", "5", None),
]


def test_a_list_is_in_order_of_waves_and_bibs() -> None:
    shuffled = [(number, *row) for number, row in enumerate(ROWS)]
    random.Random(1).shuffle(shuffled)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE starts (participant_id INT, race_start_at TIMESTAMPTZ, wave VARCHAR, "
            "bib_number VARCHAR, last_name VARCHAR, first_name VARCHAR)"
        )
        connection.executemany("INSERT INTO starts VALUES (?, ?, ?, ?, ?, NULL)", shuffled)
        found = connection.execute(
            f"SELECT participant_id FROM starts ORDER BY {START_ORDER}"
        ).fetchall()
    assert [row[0] for row in found] == list(range(len(ROWS)))

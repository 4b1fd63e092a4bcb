"""The list of starts in a published file, for everything that reads one.

What belongs here: which table it is, and the order in which people expect it. What doesn't: the
warehouse itself (`read.py`), and what is shown of the list.
"""

from __future__ import annotations

import duckdb

START_ORDER = """
    race_start_at DESC NULLS LAST, wave NULLS LAST, regexp_extract(bib_number, '^[^0-9]*') NULLS LAST,
    try_cast(regexp_extract(bib_number, '[0-9]+') AS HUGEINT) NULLS LAST, bib_number NULLS LAST,
    last_name NULLS LAST, first_name NULLS LAST, participant_id
"""
"""By wave, then as bibs are pinned: letters in front, then the number, so that 9 comes before 10."""


def list_of_starts(connection: duckdb.DuckDBPyConnection) -> str:
    """Give the published table that tells of starts: without personal data it has another name."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return "start_list" if ("start_list",) in tables else "start_list_anonymous"

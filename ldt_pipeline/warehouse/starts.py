"""The list of starts in a published file, for everything that reads one.

What belongs here: which table it is, and the order in which people expect it. What doesn't: the
warehouse itself (`read.py`), and what is shown of the list.
"""

from __future__ import annotations

import duckdb


def _numbered(column: str) -> str:
    """Write the order of texts with a number in them: what is in front of it, the number, all of it."""
    return (
        f"regexp_extract({column}, '^[^0-9]*') NULLS LAST, "
        f"try_cast(regexp_extract({column}, '[0-9]+') AS HUGEINT) NULLS LAST, {column} NULLS LAST"
    )


START_ORDER = f"""
    race_start_at::DATE DESC NULLS LAST, {_numbered("wave")}, {_numbered("bib_number")},
    last_name NULLS LAST, first_name NULLS LAST, participant_id
"""
"""The newest day first, then by wave, then as bibs are pinned: 9 comes before 10, and wave 2 before wave 10.

By day, not by hour: of a start that was put off, entries that were read before state the old one. The
session's time zone is UTC."""


def list_of_starts(connection: duckdb.DuckDBPyConnection) -> str:
    """Give the published table that tells of starts: without personal data it has another name."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return "start_list" if ("start_list",) in tables else "start_list_anonymous"

"""What events and races are called, for people who look at a partition by its id.

What belongs here: looking names up in the published file. What doesn't: names in tables, which
come from the records themselves.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from ldt_pipeline.warehouse.connection import connect

_NAMES = """
    SELECT event_id, event_name FROM events WHERE event_name IS NOT NULL
    UNION ALL
    SELECT race_id, concat_ws(', ', event_name, race_name) FROM races WHERE race_name IS NOT NULL
"""


def published_names(path: Path) -> dict[str, str]:
    """Give the names of events and races by their ids, as they were last published.

    None are known before the first publication, or from a file that another version made: they
    are for reading only, and never a reason to fail.
    """
    if not path.exists():
        return {}
    try:
        with connect(path, read_only=True) as connection:
            return dict(connection.execute(_NAMES).fetchall())
    except duckdb.Error:
        return {}

"""Published files made by hand: every table of the registry, with the rows that a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from ldt_pipeline.tables import TABLES, VIEWS
from ldt_pipeline.warehouse.schema import column_definitions

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def publish_by_hand(path: Path, rows: Rows | None = None, *, personal_data: bool = True) -> Path:
    """Make the file; tables without personal data are views of those with, as in a real one.

    Without personal data there are those alone, and they are tables.
    """
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{path}' AS published; USE published")
        for table in TABLES.values():
            columns = column_definitions(table, list(table.schema))
            connection.execute(f"CREATE TABLE {table.name} ({columns})")
            if table.anonymous:
                kept = ", ".join(f'"{name}"' for name in table.anonymous.schema)
                connection.execute(
                    f"CREATE VIEW {table.anonymous.name} AS SELECT {kept} FROM {table.name}"
                )
        for name, each in (rows or {}).items():
            for row in each:
                values = ", ".join(f'? AS "{column}"' for column in row)
                connection.execute(f"INSERT INTO {name} BY NAME SELECT {values}", [*row.values()])
        for table in TABLES.values() if not personal_data else ():
            if table.anonymous:
                name = table.anonymous.name
                connection.execute(f"CREATE TABLE kept AS FROM {name}")
                connection.execute(f"DROP VIEW {name}; DROP TABLE {table.name}")
                connection.execute(f"ALTER TABLE kept RENAME TO {name}")
        for view in VIEWS.values():
            sql = view.sql.format(schema="published")
            connection.execute(f"CREATE VIEW {view.table.name} AS {sql}")
    return path

"""The registry of tables: every column of every table stands here, once.

What belongs here: names, types, descriptions, grains, keys, and which columns are personal data.
What doesn't: how a column is computed (`tidy/`, `marts/`) or stored (`warehouse/`).

Derived from it: polars schemas, DuckDB DDL, Dagster column metadata, structural checks and
`docs/tables.md`. The columns themselves are in four neighbours:
`tidy.py` (what the API says), `marts.py` (what we conclude), `books.py` (what the pipeline says of itself)
and `views.py` (what depends on today).
"""

from __future__ import annotations

from ldt_pipeline.tables.books import BOOK_TABLES
from ldt_pipeline.tables.marts import MART_TABLES
from ldt_pipeline.tables.tidy import TIDY_TABLES
from ldt_pipeline.tables.types import Column, Layer, Personal, Table, duckdb_type
from ldt_pipeline.tables.views import VIEWS, View

__all__ = [
    "TABLES",
    "VIEWS",
    "Column",
    "Layer",
    "Personal",
    "Table",
    "View",
    "duckdb_type",
    "table",
]

TABLES: dict[str, Table] = {each.name: each for each in (*TIDY_TABLES, *MART_TABLES, *BOOK_TABLES)}
"""Every published table, by name, in the order in which people should meet them."""


def table(name: str) -> Table:
    """Give the table of this name.

    Raises:
        KeyError: There is none; the text lists the tables that there are.
    """
    if name not in TABLES:
        raise KeyError(f"There is no table {name!r}; there are: {', '.join(TABLES)}.")
    return TABLES[name]

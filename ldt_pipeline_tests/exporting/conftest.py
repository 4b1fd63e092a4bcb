"""A published file, in memory."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from ldt_pipeline_tests.exporting.lists import make_tables


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        make_tables(connection)
        yield connection

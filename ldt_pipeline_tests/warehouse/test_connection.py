"""What a connection sets, and that it is as before after much was written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb

from ldt_pipeline.warehouse.connection import open_warehouse, transaction, writing_much


def threads(connection: duckdb.DuckDBPyConnection) -> int:
    return connection.execute("SELECT current_setting('threads')").fetchall()[0][0]


def test_much_is_written_by_one_thread_and_then_all_is_as_before(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        before = threads(connection)
        with writing_much(connection):
            assert threads(connection) == 1
            with transaction(connection):
                connection.execute("INSERT INTO ops.erasures_due VALUES ('participants', 'a')")
        assert threads(connection) == before
        with suppress(ZeroDivisionError), writing_much(connection), transaction(connection):
            connection.execute("INSERT INTO ops.erasures_due VALUES ('participants', 'b')")
            raise ZeroDivisionError
        assert threads(connection) == before
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        rows = connection.execute("SELECT id FROM ops.erasures_due").fetchall()
    assert rows == [("a",)]

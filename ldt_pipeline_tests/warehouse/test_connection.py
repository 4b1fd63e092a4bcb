"""What a connection sets, and that it is as before after much was written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb

from ldt_pipeline.warehouse.connection import open_warehouse, transaction, writing_much


def settings(connection: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    names = "current_setting('threads'), current_setting('checkpoint_threshold')"
    return connection.execute(f"SELECT {names}").fetchall()[0]


def test_much_is_written_by_one_thread_and_then_all_is_as_before(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        before = settings(connection)
        with writing_much(connection):
            assert settings(connection) == (1, "61.0 MiB")
            with transaction(connection):
                connection.execute("INSERT INTO ops.erasures_due VALUES ('participants', 'a')")
        assert settings(connection) == before
        with suppress(ZeroDivisionError), writing_much(connection), transaction(connection):
            connection.execute("INSERT INTO ops.erasures_due VALUES ('participants', 'b')")
            raise ZeroDivisionError
        assert settings(connection) == before
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        rows = connection.execute("SELECT id FROM ops.erasures_due").fetchall()
    assert rows == [("a",)]

"""What a connection sets, and that it is as before after much was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest

from ldt_pipeline.raw import RawStore
from ldt_pipeline.tidy import load_questions
from ldt_pipeline.warehouse.connection import (
    DamagedWarehouseError,
    damage_note,
    open_warehouse,
    registered,
    transaction,
    writing_much,
)
from ldt_pipeline.warehouse.entries import build_start_list
from ldt_pipeline.warehouse.load import load_pending
from ldt_pipeline_tests.warehouse.histories import Extract, write

Work = Callable[[duckdb.DuckDBPyConnection, RawStore], object]

_HEADERS_BYTES = 3 * 4096
_BLOCK_BYTES = 256 * 1024


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


def test_the_first_error_is_the_one_to_tell() -> None:
    """In a transaction that it has ended, a frame can't be taken back: that is no news."""
    rows = pl.DataFrame({"a": [1]})
    with duckdb.connect() as connection:
        with (
            pytest.raises(duckdb.InvalidInputException, match="Corrupt"),
            transaction(connection),
            registered(connection, "rows", rows),
        ):
            connection.execute("SELECT error('Corrupt database file')")
        with transaction(connection), registered(connection, "rows", rows):
            assert connection.execute("SELECT a FROM rows").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "work",
    [lambda connection, _: build_start_list(connection, load_questions(None)), load_pending],
    ids=["who changed", "a load"],
)
def test_damage_that_is_found_in_the_middle_is_told_and_noted(work: Work, tmp_path: Path) -> None:
    path, store = tmp_path / "warehouse.duckdb", RawStore(str(tmp_path / "raw"))
    with open_warehouse(path) as connection:
        connection.execute(
            "INSERT INTO tidy.participants (participant_id, _record_hash, _seen_at) "
            "SELECT hash(number)::VARCHAR, hash(number) >> 1, now() FROM range(150_000) AS r(number)"
        )
        connection.execute(
            "INSERT INTO ops.sightings SELECT participant_id, _record_hash, _seen_at "
            "FROM tidy.participants"
        )
        some = connection.execute(
            "SELECT participant_id FROM tidy.participants LIMIT 2000"
        ).fetchall()
    people = tuple(json.dumps({"id": row[0], "eventId": "e1"}) for row in some)
    write(store, [Extract("participants", "2025-01", people)])
    _damage(path, "ops.sightings")
    with pytest.raises(DamagedWarehouseError), open_warehouse(path) as connection:
        work(connection, store)
    assert damage_note(path).exists()


def _damage(path: Path, table: str) -> None:
    """Flip some bytes of the first column of a table, on the disk."""
    with duckdb.connect(str(path), read_only=True) as connection:
        ((block,),) = connection.execute(
            f"SELECT min(block_id) FROM pragma_storage_info('{table}') "
            "WHERE column_id = 0 AND segment_type = 'VARCHAR' AND block_id >= 0"
        ).fetchall()
    with path.open("r+b") as file:
        file.seek(_HEADERS_BYTES + block * _BLOCK_BYTES + _BLOCK_BYTES // 2)
        file.write(b"damage" * 10)

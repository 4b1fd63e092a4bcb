"""Opening the warehouse: one process at a time, and always closed again.

What belongs here: the lock between processes, and what every connection sets. What doesn't: SQL.

DuckDB lets one process write or many read, and fails at once for anyone else. So processes queue
at a lock file of our own. Its holder may die: the kernel then releases it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import duckdb
import polars as pl
from filelock import FileLock, Timeout

from ldt_pipeline.private_files import PRIVATE_FILE, keep_private, make_private
from ldt_pipeline.warehouse.engine import attached
from ldt_pipeline.warehouse.schema import create_or_check
from ldt_pipeline.warehouse.swap import identity

_logger = logging.getLogger(__name__)

_WAIT_SECONDS = 3600.0

_LOG_MOST = "64MB"
"""How long DuckDB's log may get before it goes into the file. Each time that it does, a table's last row
group is written anew: with DuckDB's own 16 MB a first load takes a tenth more of the processor to write.
What a kill leaves in the log is read from there."""

Another = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Gives a thread a connection of its own to a file that is open."""

_DAMAGE = (
    "Corrupt database file",
    "not a valid DuckDB database file",
    "Could not read enough bytes",
    "Failed to deserialize",
    "does not match database file",
)
"""What DuckDB says of a file that was cut, overwritten or flipped: its blocks have checksums."""


class WarehouseBusyError(Exception):
    """Another process has kept the warehouse for too long."""


class DamagedWarehouseError(Exception):
    """The warehouse's file is damaged: it has to be made anew from the raw store."""


@contextmanager
def open_warehouse(
    path: Path, *, wait_seconds: float = _WAIT_SECONDS
) -> Generator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for reading and writing, after whoever has it now.

    Raises:
        WarehouseBusyError: Another process kept it for longer than `wait_seconds`.
        OutdatedWarehouseError: It was made by another version: rebuild it from raw.
        DamagedWarehouseError: Its file is damaged, found out now or within the block.
    """
    with warehouse_lock(path, wait_seconds=wait_seconds), opened(path) as connection:
        yield connection


@contextmanager
def opened(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for whoever holds its lock.

    Damage that is found in the middle is noted beside the file: whoever opens it next may read
    other blocks, and would not see it.

    Raises:
        OutdatedWarehouseError: It was made by another version: rebuild it from raw.
        DamagedWarehouseError: Its file is damaged, found out before, now or within the block.
    """
    try:
        if _is_known_to_be_damaged(path):
            raise _damaged(path)
        with attached(path) as connection:
            _set_up(connection)
            path.chmod(PRIVATE_FILE)  # an older one may have been made for everybody
            create_or_check(connection)
            yield connection
    except duckdb.Error as error:
        if any(each in str(error) for each in _DAMAGE):
            damage_note(path).write_text(identity(path))
            raise _damaged(path) from None
        raise


def _damaged(path: Path) -> DamagedWarehouseError:
    return DamagedWarehouseError(
        f"{path} is damaged. `ldt sync`, `ldt rebuild` and the daemon make it anew from the raw "
        "store; nothing is lost."
    )


def damage_note(path: Path) -> Path:
    """Name the file that says which file of the warehouse was found to be damaged."""
    return path.with_suffix(".damaged")


def _is_known_to_be_damaged(path: Path) -> bool:
    try:
        return damage_note(path).read_text() == identity(path)
    except FileNotFoundError:
        return False


@contextmanager
def warehouse_lock(path: Path, *, wait_seconds: float = _WAIT_SECONDS) -> Generator[None]:
    """Hold the right to open, replace or delete the warehouse.

    Raises:
        WarehouseBusyError: Another process kept it for longer than `wait_seconds`.
    """
    # DuckDB makes the file and its log for everybody, as far as the mask lets it.
    keep_private()
    make_private(path.parent)
    lock = FileLock(path.with_suffix(".lock"), mode=PRIVATE_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _logger.info("Waiting for another process to finish with the warehouse.")
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout:
            raise WarehouseBusyError(
                f"Another process has used the warehouse for {wait_seconds:.0f} s. Wait for it, "
                "or end it: `ldt sync` and `dagster dev` are the ones that use it."
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def connect(path: Path, *, read_only: bool = False) -> Generator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file, with instants in UTC, and close it whatever happens."""
    connection = duckdb.connect(str(path), read_only=read_only)
    try:
        _set_up(connection)
        yield connection
    finally:
        connection.close()


def _set_up(connection: duckdb.DuckDBPyConnection) -> None:
    # Without this, dates shift with the machine's zone.
    connection.execute("SET TimeZone = 'UTC'")
    # A query of some seconds draws a bar to stdout otherwise, terminal or not.
    connection.execute("SET enable_progress_bar = false")
    # Tables have no order, and keeping one takes memory. Left alone DuckDB takes most of the
    # machine's, where it could write to disk instead.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET memory_limit = '384MB'")
    connection.execute(f"SET checkpoint_threshold = '{_LOG_MOST}'")


def others(connection: duckdb.DuckDBPyConnection) -> Another:
    """Give a way for other threads to get connections of their own to the same file."""
    ((name,),) = connection.execute("SELECT current_database()").fetchall()

    @contextmanager
    def another() -> Generator[duckdb.DuckDBPyConnection]:
        cursor = connection.cursor()
        try:
            cursor.execute(f'USE "{name}"')
            cursor.execute("SET TimeZone = 'UTC'")
            yield cursor
        finally:
            cursor.close()

    return another


@contextmanager
def rows_in_place(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Keep rows where they lie (`rowid`), within the block, whatever is committed in it.

    A checkpoint puts rows into the place of deleted ones, but not while somebody may still read those.
    """
    with others(connection)() as reader, transaction(reader):
        reader.execute("SELECT 1 FROM ops.about")  # a transaction begins where it reads first
        yield


@contextmanager
def registered(
    connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame
) -> Generator[None]:
    """Let SQL read a frame under a name, within the block."""
    connection.register(name, frame)
    try:
        yield
    except BaseException:
        # In a transaction that an error has ended nothing can be taken back, and it is that error which
        # has to be told: it may say that the file is damaged.
        with suppress(duckdb.Error):
            connection.unregister(name)
        raise
    connection.unregister(name)


@contextmanager
def writing_much(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Have DuckDB write many transactions at the least cost, within the block.

    One thread writes as fast as the other core tidies; two of them take a quarter more of the
    processor.
    """
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        # After damage to the file nothing can be set any more, and it is the damage that has to be told.
        with suppress(duckdb.Error):
            connection.execute("RESET threads")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Commit what the block did, or nothing of it."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # after damage there is nothing left to roll back
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")

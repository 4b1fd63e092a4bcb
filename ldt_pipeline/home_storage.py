"""Dagster's own SQLite storages, at a fraction of what an event costs otherwise.

What belongs here: how Dagster's records are written under its home. What doesn't: where that is
(`home.py`).

Dagster opens and closes a connection, with a new engine, for each statement. Closing the last
connection to a file moves its write-ahead log into it, and a new engine compiles each statement
anew: together most of what an event costs. It reads all its scripts of migrations for each new
file of a run, and asks for each event which columns its index has. A first load writes hundreds of
events, one for each month and check and two for each asset. Building a statement of SQLAlchemy for
each row takes longer than SQLite takes to write it: the statements are built once here, and given
rows. The modules below are not public; Dagster's version is pinned, and a test compares what both
write.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster import AssetKey, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorageMetadata, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sql import get_alembic_config
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy import (
    Connection,
    Engine,
    Update,
    and_,
    bindparam,
    create_engine,
    event,
    inspect,
    text,
)

from ldt_pipeline.instants import now

_BUSY_SECONDS = 60
_EVALUATIONS_KEPT = dt.timedelta(days=1)
_ENGINES_MOST = 16
_INDEX = sqlite_event_log.INDEX_SHARD_NAME
_EVENTS_AT_ONCE = "500"
"""So many events that belong together, such as what a run is about to do, go into one commit."""

_INSERT_EVENT = SqlEventLogStorageTable.insert()
_OUTCOME = (
    "execution_status",
    "evaluation_event",
    "evaluation_event_timestamp",
    "evaluation_event_storage_id",
    "materialization_event_storage_id",
)
_UPDATE_CHECK = (
    AssetCheckExecutionsTable.update()
    .where(
        and_(
            AssetCheckExecutionsTable.c.asset_key == bindparam("of_asset"),
            AssetCheckExecutionsTable.c.check_name == bindparam("of_check"),
            AssetCheckExecutionsTable.c.run_id == bindparam("of_run"),
            AssetCheckExecutionsTable.c.partition.is_(None),
        )
    )
    .values({column: bindparam(column) for column in _OUTCOME})
)
_INDEXED = ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys()
"""Events that are asked for across runs: they stand in the index as well."""


class HomeSchedules(SqliteScheduleStorage):
    """Schedules, sensors and their ticks."""

    def purge_asset_evaluations(self, before: float) -> None:
        """Forget why assets were made or not, as the daemon asks for in each tick.

        It keeps a month. Each tick that finds something new writes about a megabyte here, for all
        assets together: gigabytes on each day on which entries are on sale.
        """
        super().purge_asset_evaluations(max(before, (now() - _EVALUATIONS_KEPT).timestamp()))


class HomeRuns(SqliteRunStorage):
    """Runs, in one file with connections that stay open."""

    _engine: Engine | None = None
    _has_run_stats = False
    _has_backfill_ids = False

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """Give a connection inside a transaction."""
        if self._engine is None:
            self._engine = _open_engine(self._conn_string)
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def has_run_stats_index_cols(self) -> bool:
        """Say whether the table has these columns. None is ever taken away."""
        self._has_run_stats = self._has_run_stats or super().has_run_stats_index_cols()
        return self._has_run_stats

    def has_backfill_id_column(self) -> bool:
        """Say whether the table has this column. None is ever taken away."""
        self._has_backfill_ids = self._has_backfill_ids or super().has_backfill_id_column()
        return self._has_backfill_ids

    def dispose(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.dispose()
        super().dispose()


class HomeEvents(SqliteEventLogStorage):
    """Events, in a file for each run and an index, with connections that stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENTS_AT_ONCE)
        self._engines: dict[str, Engine] = {}
        self._held: dict[str, Connection] = {}
        self._tables_seen: set[str] = set()
        self._indexes_seen: set[str] = set()
        self._index_columns_seen: set[str] = set()
        super().__init__(os.path.join(base_dir, "history", "runs"), inst_data)  # noqa: PTH118
        # The thread that writes a batch takes it again for each event.
        self._db_lock = threading.RLock()

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock:
            if shard in self._held:
                yield self._held[shard]
                return
            engine = self._engines.get(shard)
            if engine is None:
                if len(self._engines) >= _ENGINES_MOST:  # the UI looks into many runs
                    self._engines.pop(next(iter(self._engines))).dispose()
                engine = _open_engine(self.conn_string_for_shard(shard))
                self._engines[shard] = engine
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events together: all of them or none."""
        with ExitStack() as transactions:
            for shard in [*dict.fromkeys(each.run_id for each in events), _INDEX]:
                transactions.enter_context(self._hold(shard))
            for each in events:
                self.store_event(each)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event of a run."""
        row = self._event_to_row(event)
        with self.run_connection(event.run_id) as connection:
            connection.execute(_INSERT_EVENT, row)
        if event.dagster_event is None or event.dagster_event_type not in _INDEXED:
            return
        with self._hold(_INDEX) as connection:
            (event_id,) = cast(
                "tuple[int]", connection.execute(_INSERT_EVENT, row).inserted_primary_key
            )
            if event.dagster_event_type in ASSET_EVENTS:
                self._store_asset_event_tags(connection, [event], [event_id])
                self._store_asset_event(connection, event, event_id)
            elif event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)

    def _store_asset_event(self, conn: Connection, event: EventLogEntry, event_id: int) -> None:
        values = self._get_asset_entry_values(event, event_id, self.has_asset_key_index_cols())
        if not values:
            return
        key = cast("AssetKey", event.get_dagster_event().asset_key).to_string()
        done = conn.execute(_update_asset(tuple(values)), {"of_asset": key, **values})
        if done.rowcount == 0:  # nothing was known of it
            super()._store_asset_event(conn, event, event_id)

    def _update_asset_check_evaluation(self, event: EventLogEntry, event_id: int | None) -> None:
        found = cast("AssetCheckEvaluation", event.get_dagster_event().event_specific_data)
        if found.partition is not None:
            super()._update_asset_check_evaluation(event, event_id)
            return
        target = found.target_materialization_data
        status = (
            AssetCheckExecutionRecordStatus.SUCCEEDED
            if found.passed
            else AssetCheckExecutionRecordStatus.FAILED
        )
        with self.index_connection() as connection:
            done = connection.execute(
                _UPDATE_CHECK,
                {
                    "of_asset": found.asset_key.to_string(),
                    "of_check": found.check_name,
                    "of_run": event.run_id,
                    "execution_status": status.value,
                    "evaluation_event": serialize_value(event),
                    "evaluation_event_timestamp": self._event_insert_timestamp(event),
                    "evaluation_event_storage_id": event_id,
                    "materialization_event_storage_id": target and target.storage_id,
                },
            )
        if done.rowcount != 1:
            super()._update_asset_check_evaluation(event, event_id)

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events, with its file: Dagster would leave that there, as large as it was."""
        with self.index_connection() as connection:
            self.delete_events_for_run(connection, run_id)
        self.free_concurrency_slots_for_run(run_id)
        with self._db_lock:
            engine = self._engines.pop(run_id, None)
            if engine is not None:
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for ending in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{ending}").unlink(missing_ok=True)

    @contextmanager
    def _hold(self, shard: str) -> Generator[Connection]:
        """Give the connection that all within use: what they write is there as a whole, or not."""
        with self._connect(shard) as connection:
            if shard in self._held:
                yield connection
                return
            self._held[shard] = connection
            try:
                yield connection
            finally:
                del self._held[shard]

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        """Make the tables of a file, or look whether they are there."""
        with engine.begin() as connection:
            tables = inspect(connection).get_table_names()
            if "alembic_version" in tables:
                found = MigrationContext.configure(connection).get_current_revision()
                if found == _migrations().get_current_head():
                    return
        if tables or for_index_shard:
            super()._initdb(engine, for_index_shard)
            return
        with engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode = WAL"))
        with engine.begin() as connection:
            # Two processes may look into a run that begins: the second finds it made.
            connection.execute(text("BEGIN IMMEDIATE"))
            if inspect(connection).get_table_names():
                return
            for statement in _making_tables():
                connection.exec_driver_sql(statement)

    def has_table(self, table_name: str) -> bool:
        """Say whether the index has a table. No table is ever taken away."""
        if table_name not in self._tables_seen and super().has_table(table_name):
            self._tables_seen.add(table_name)
        return table_name in self._tables_seen

    def has_secondary_index(self, name: str) -> bool:
        """Say whether a migration of the index was done. None is ever undone."""
        if name not in self._indexes_seen and super().has_secondary_index(name):
            self._indexes_seen.add(name)
        return name in self._indexes_seen

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        if column_name in self._index_columns_seen:
            return True
        found = super()._has_asset_key_col_on_connection(conn, column_name)
        if found:
            self._index_columns_seen.add(column_name)
        return found

    def dispose(self) -> None:
        """Close the connections."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


@cache
def _update_asset(columns: tuple[str, ...]) -> Update:
    return (
        AssetKeyTable.update()
        .where(AssetKeyTable.c.asset_key == bindparam("of_asset"))
        .values({column: bindparam(column) for column in columns})
    )


@cache
def _migrations() -> ScriptDirectory:
    """Give Dagster's migrations of its events, read once."""
    return ScriptDirectory.from_config(get_alembic_config(sqlite_event_log.__file__))


@cache
def _making_tables() -> list[str]:
    """Give the statements that make an empty file of events, found out once."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        SqlEventLogStorageMetadata.create_all(connection)
        MigrationContext.configure(connection).stamp(_migrations(), "head")
        made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        statements = list(connection.exec_driver_sql(made).scalars())
        [revision] = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
    engine.dispose()
    stamp = f"INSERT INTO alembic_version VALUES ('{revision}')"  # noqa: S608 - Dagster's own
    return [*statements, stamp]


def _open_engine(address: str) -> Engine:
    engine = create_engine(
        address, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}
    )

    def relax(connection: Any, _: Any) -> None:
        # With a write-ahead log this survives a kill; a power cut may cost the last events,
        # never the file.
        connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(engine, "connect", relax)
    return engine

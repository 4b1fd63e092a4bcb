"""Dagster's own SQLite storages, with their connections kept open.

What belongs here: how Dagster's records are written under its home. What doesn't: where that is
(`home.py`).

Dagster opens and closes a connection, with a new engine, for each statement. Closing the last
connection to a file moves its write-ahead log into it, and a new engine compiles each statement
anew: together most of what an event costs. A first load writes hundreds of events, one for each
month and two for each asset. The modules below are not public; Dagster's version is pinned.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

_BUSY_SECONDS = 60
_ENGINES_MOST = 16


class HomeRuns(SqliteRunStorage):
    """Runs, in one file with connections that stay open."""

    _engine: Engine | None = None

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """Give a connection inside a transaction."""
        if self._engine is None:
            self._engine = _open_engine(self._conn_string)
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.dispose()
        super().dispose()


class HomeEvents(SqliteEventLogStorage):
    """Events, in a file for each run and an index, with connections that stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(os.path.join(base_dir, "history", "runs"), inst_data)  # noqa: PTH118

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock:
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

    def dispose(self) -> None:
        """Close the connections."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


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

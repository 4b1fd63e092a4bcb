"""DuckDB itself, started once for a file and kept, while the file is opened and closed.

What belongs here: attaching a file to it and letting go of it. What doesn't: who may open the
warehouse, and when (`connection.py`).

Starting DuckDB takes the processor ten times as long as opening a file that is not large, and a sync
opens the warehouse a dozen times, so that others get it in between. Nothing is locked, and no file is
open, while nobody uses it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ldt_pipeline.warehouse.schema import literal

_NAME = "warehouse"


@dataclass
class _Engine:
    """DuckDB for one file.

    Attributes:
        path: The file.
        overflow: The folder for what finds no room in memory, made when it is needed.
        process: Which process started it: its threads are in no other.
        base: Keeps it running.
        users: How many have the file open.
        has_failed: It may be unfit for more, and ends with its last user.
    """

    path: Path
    overflow: Path
    process: int
    base: duckdb.DuckDBPyConnection
    users: int = 0
    has_failed: bool = False


_lock = threading.Lock()
_kept: list[_Engine] = []
"""The engine of the file that was used last, and those that are in use."""


@contextmanager
def attached(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file for reading and writing, made if need be, and close it whatever happens.

    What was changed is in the file then, and no log is beside it. Within the block the same file can
    be opened again.

    Raises:
        duckdb.Error: It can't be opened, such as while another process has it.
    """
    engine = _begin(path)
    try:
        connection = engine.base.cursor()
        try:
            # Names mean what is in the file.
            connection.execute(f"USE {_NAME}")
            yield connection
        finally:
            connection.close()
    except BaseException:
        # Whatever it was, also an interruption: another file may be attached still.
        engine.has_failed = True
        with suppress(duckdb.Error):  # the first error is the one to tell
            _end(engine)
        raise
    _end(engine)


def _begin(path: Path) -> _Engine:
    with _lock:
        engine = _engine_of(path)
        if engine.users == 0:
            try:
                engine.base.execute(f"ATTACH {literal(str(path))} AS {_NAME}")
            except BaseException:
                _stop(engine)
                raise
        engine.users += 1
        return engine


def _engine_of(path: Path) -> _Engine:
    for engine in _kept:
        if engine.path == path and engine.process == os.getpid():
            return engine
    overflow = path.with_name(f"{path.name}.tmp")
    base = duckdb.connect(":memory:", config={"temp_directory": str(overflow)})
    engine = _Engine(path=path, overflow=overflow, process=os.getpid(), base=base)
    _kept.append(engine)
    return engine


def _end(engine: _Engine) -> None:
    with _lock:
        engine.users -= 1
        if engine.users:
            return
        try:
            # Writes the checkpoint.
            engine.base.execute(f"DETACH {_NAME}")
        except BaseException:
            # Interrupted, too: the file is open as long as DuckDB runs.
            engine.has_failed = True
            raise
        finally:
            # What found no room in memory went into a folder, which goes with DuckDB: nobody may find
            # one there, nor take it away from under an engine that is kept.
            if engine.has_failed or engine.overflow.exists():
                _stop(engine)
            for other in [each for each in _kept if each is not engine and _is_idle(each)]:
                _stop(other)


def _is_idle(engine: _Engine) -> bool:
    return engine.users == 0 and engine.process == os.getpid()


def _stop(engine: _Engine) -> None:
    _kept.remove(engine)
    with suppress(duckdb.Error):
        engine.base.close()


def _before_fork() -> None:
    """End DuckDB where nobody uses it: a child, which has none of its threads, would crash when it ends."""
    _lock.acquire()
    for engine in [each for each in _kept if _is_idle(each)]:
        _stop(engine)


os.register_at_fork(
    before=_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release
)

"""Putting a DuckDB file in the place of another one, in one step.

What belongs here: the order, and what may lie beside a database. What doesn't: making the file.
"""

from __future__ import annotations

import os
from pathlib import Path

from ldt_pipeline.private_files import PRIVATE_FILE
from ldt_pipeline.raw.files import sync_folder


def put_in_place(building: Path, path: Path) -> None:
    """Replace a database by a whole, closed one. Who has the old one open keeps it.

    A write-ahead log beside the old file would be read into the new one: it goes.
    """
    building.chmod(PRIVATE_FILE)
    descriptor = os.open(building, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    write_ahead_log(path).unlink(missing_ok=True)
    os.replace(building, path)  # noqa: PTH105 - os.replace is the call that is atomic
    write_ahead_log(path).unlink(missing_ok=True)
    sync_folder(path.parent)


def identity(path: Path) -> str:
    """Tell a file from any other one, and from itself once it was written again."""
    found = path.stat()
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def remove_database(path: Path) -> None:
    """Delete a database and its log, if they are there."""
    path.unlink(missing_ok=True)
    write_ahead_log(path).unlink(missing_ok=True)


def write_ahead_log(path: Path) -> Path:
    """Name the log beside a database."""
    return path.with_name(path.name + ".wal")

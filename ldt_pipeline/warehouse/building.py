"""The file that is being built, to be published: attached beside the warehouse, under one name.

What belongs here: opening it with the layout that every published file has, and closing it whole. What
doesn't: what is written into it (`publish.py`, `republish.py`), and putting it in its place (`swap.py`).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from ldt_pipeline.warehouse.schema import literal

_ROW_GROUP_SIZE = 61_440
"""Half of DuckDB's own: copying our widest tables takes half the time then, as what is compressed
at once fits the processor's cache."""


@contextmanager
def building(connection: duckdb.DuckDBPyConnection, path: Path) -> Generator[None]:
    """Attach a file as `published`, made if need be, within the block."""
    # Also for a file that has this layout: where rows were deleted, DuckDB otherwise joins groups to
    # ones of its own size, which writes every table anew for a handful of people.
    connection.execute(
        f"ATTACH {literal(str(path))} AS published (ROW_GROUP_SIZE {_ROW_GROUP_SIZE})"
    )
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to tell
            connection.execute("DETACH published")
        raise
    # Detaching writes the checkpoint: the file is whole, and has no log beside it.
    connection.execute("DETACH published")

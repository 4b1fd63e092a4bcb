"""Exports of races that lie longer ago than personal data is kept.

What belongs here: which files those are. What doesn't: files with somebody in particular in them
(`traces.py`).

A file may have been made long after its race, so its own age doesn't tell: the ledger says who is in
it. One that the ledger doesn't know goes by its age.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl

from ldt_pipeline.erasing import ledger, traces
from ldt_pipeline.warehouse.connection import registered

_BESIDE = ("-withdrawn", "-moved")
"""Ends of the names of files that an export may put beside its own."""


def delete_old_exports(
    connection: duckdb.DuckDBPyConnection | None,
    *,
    exports_dir: Path,
    ledger_dir: Path,
    before: dt.datetime,
) -> list[Path]:
    """Delete the files with anybody whose race started before an instant; gives their paths.

    Args:
        connection: The warehouse; without one, files go by their age alone.
        exports_dir: Where they lie; files elsewhere are their owner's to look after.
        ledger_dir: Where the ledger lies.
        before: The instant.
    """
    if connection is None:
        return traces.delete_older(exports_dir, before.timestamp())
    last: dict[Path, list[str]] = {}
    for file, ids in ledger.files_and_ids(ledger_dir):
        path = Path(file)
        if path.is_relative_to(exports_dir.absolute()):
            last[path] = ids  # a file that was written again holds what was written last
    deleted: list[Path] = []
    for path, ids in last.items():
        if ids and _has_started(connection, ids, before):
            beside = [path.with_name(f"{path.stem}{end}{path.suffix}") for end in _BESIDE]
            for each in (path, *beside):
                if each.is_file() and not each.is_symlink():
                    each.unlink()
                    deleted.append(each)
    return [
        *deleted,
        *traces.delete_older(exports_dir, before.timestamp(), but={*last}),
    ]


def _has_started(
    connection: duckdb.DuckDBPyConnection, ids: list[str], before: dt.datetime
) -> bool:
    frame = pl.DataFrame({"id": ids}, schema={"id": pl.String()})
    with registered(connection, "exported_ids", frame):
        rows = connection.execute(
            "SELECT count(*) FROM tidy.participants JOIN exported_ids ON participant_id = id "
            "WHERE race_start_at < ?",
            [before],
        ).fetchall()
    return rows[0][0] > 0

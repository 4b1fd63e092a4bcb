"""Exports that have to go: by what the ledger says of who is in them, by their content, by their age.

What belongs here: which files those are. What doesn't: looking into a file (`traces.py`).

A file need not show whom it is of: a layout may have names alone, or an encoding that no bytes tell
of. And one may have been made long after its race. So the ledger is asked; files that it doesn't know
go by their content, and after retention by their age.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb
import polars as pl

from ldt_pipeline.erasing import ledger, traces
from ldt_pipeline.settings import Settings
from ldt_pipeline.warehouse.connection import registered

_BESIDE = ("-withdrawn", "-moved")
"""Ends of the names of files that an export may put beside its own."""


def delete_exports_with(
    settings: Settings, *, ids: Collection[str], texts: Collection[str]
) -> list[Path]:
    """Delete the exports that somebody is in, by id or by text; gives their paths.

    Those that the ledger knows go wherever in the data folder they lie.
    """
    people = set(ids)
    deleted: list[Path] = []
    for path, who in _entered(settings):
        if not people.isdisjoint(who.ids):
            deleted += _delete((path, *_beside(path)))
        elif not people.isdisjoint(who.ids_beside):
            deleted += _delete(_beside(path))
    return deleted + traces.delete_files(settings.exports_dir, ids=ids, texts=texts)


def delete_old_exports(
    connection: duckdb.DuckDBPyConnection | None, settings: Settings, *, before: dt.datetime
) -> list[Path]:
    """Delete the files with anybody whose race started before an instant; gives their paths.

    Args:
        connection: The warehouse; without one, files go by their age alone.
        settings: Where exports and their ledger lie; files elsewhere are their owner's to look after.
        before: The instant.
    """
    if connection is None:
        return traces.delete_older(settings.exports_dir, before.timestamp())
    deleted: list[Path] = []
    known: set[Path] = set()
    for path, who in _entered(settings):
        known.add(path)
        if who.ids and _has_started(connection, who.ids, before):
            deleted += _delete((path, *_beside(path)))
    return [
        *deleted,
        *traces.delete_older(settings.exports_dir, before.timestamp(), but=known),
    ]


def _entered(settings: Settings) -> Iterator[tuple[Path, ledger.InFile]]:
    """Give the files of the data folder that the ledger knows, with who may be in them."""
    # The folder of exports, or one in it, may be a link to one that others share.
    folders = (settings.data_dir, settings.data_dir.resolve(), settings.exports_dir.resolve())
    for file, who in ledger.who_is_in(settings.ledger_dir).items():
        path = Path(file)
        # Not all of them are paths: one may be an address in a bucket, or standard output.
        if not path.is_absolute():
            continue
        places = (Path(os.path.normpath(path)), path.resolve())
        if any(place.is_relative_to(folder) for place in places for folder in folders):
            yield path, who


def _beside(path: Path) -> list[Path]:
    return [path.with_name(f"{path.stem}{end}{path.suffix}") for end in _BESIDE]


def _delete(paths: Collection[Path]) -> list[Path]:
    found = [path for path in paths if path.is_file() and not path.is_symlink()]
    for path in found:
        path.unlink()
    return found


def _has_started(
    connection: duckdb.DuckDBPyConnection, ids: Collection[str], before: dt.datetime
) -> bool:
    frame = pl.DataFrame({"id": list(ids)}, schema={"id": pl.String()})
    with registered(connection, "exported_ids", frame):
        rows = connection.execute(
            "SELECT count(*) FROM tidy.participants JOIN exported_ids ON participant_id = id "
            "WHERE race_start_at < ?",
            [before],
        ).fetchall()
    return rows[0][0] > 0

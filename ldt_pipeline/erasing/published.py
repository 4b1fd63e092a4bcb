"""The published file, without the person, at once: whether or not the next one may be published.

What belongs here: making the file anew, without what is personal. What doesn't: publishing the
warehouse, which brings the rows up to date afterwards, and only if all checks hold.

It goes by the names of columns, not by the registry: the file may be of another version. One that
can't be read (it was damaged, or a notebook has it open for writing) must not stop an erasure, nor be
there for whoever opens it next: it goes, and is published anew.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from ldt_pipeline.raw.files import TEMPORARY_PREFIX
from ldt_pipeline.warehouse.connection import connect, registered
from ldt_pipeline.warehouse.schema import literal
from ldt_pipeline.warehouse.swap import put_in_place, remove_database, write_ahead_log

_logger = logging.getLogger(__name__)
_NO_SPACE = "No space left"

_KEYS = {"participants": "participant_id", "applications": "application_id"}
_FLAGS = frozenset({"is_redacted", "gdpr_redacted"})
_STAY = frozenset(
    {
        *("participant_id", "application_id", "event_id", "event_name", "event_occurrence_id"),
        *("race_id", "race_name", "race_start_at", "ticket_id", "ticket_title", "created_at"),
        *("registered_at", "updated_at", "deleted_at", "approval_status", "entry_route"),
        *("partner_id", "partner_name", "reserved_entry_group_id", "reserved_entry_group_name"),
        *("reserved_entry_group_code", "erased_at", "reason", "entity", "subject", "subject_id"),
        *("severity", "kind", "sentence", "wave", "changed_at", "change"),
        *("version", "valid_from", "valid_to"),
    }
)


def without_erased(path: Path, *, ids: Mapping[str, set[str]], before: object = None) -> bool:
    """Put a file in the place of the published one that lacks what is personal of some people.

    The caller holds the warehouse. Gives False where there is no file, or nobody of them is in it. A
    file that can't be read is deleted.

    Raises:
        duckdb.Error: There is too little memory or disk to make the new one; the old one stays.

    Args:
        path: The published file.
        ids: Whose, by entity.
        before: And those of races that started before this instant.
    """
    if not path.exists():
        return False
    building = path.parent / f"{TEMPORARY_PREFIX}publish-{os.getpid()}.duckdb"
    readable = path.parent / f"{TEMPORARY_PREFIX}published-{os.getpid()}.duckdb"
    try:
        try:
            is_changed = _make_without(path, building, ids, before)
        except duckdb.Error:
            # The lock of another process keeps it from DuckDB, not from being copied.
            _copy_database(path, readable)
            is_changed = _make_without(readable, building, ids, before)
        if is_changed:
            put_in_place(building, path)
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException) or _NO_SPACE in str(error):
            raise  # says nothing of the published file
        _logger.warning(
            "%s can't be read (%s): it is deleted, as people who are to be erased may be in it, and "
            "published anew.",
            path,
            type(error).__name__,
        )
        remove_database(path)
        is_changed = True
    finally:
        remove_database(building)
        remove_database(readable)
    return is_changed


def _make_without(path: Path, building: Path, ids: Mapping[str, set[str]], before: object) -> bool:
    """Make the file beside; gives False where nobody of them is in it."""
    remove_database(building)
    with connect(Path(":memory:")) as connection:
        # Else what finds no room in memory goes to the folder that the process was started in.
        connection.execute(f"SET temp_directory = {literal(f'{building}.tmp')}")
        connection.execute(f"ATTACH {literal(str(path))} AS old (READ_ONLY)")
        connection.execute(f"ATTACH {literal(str(building))} AS new")
        connection.execute("COPY FROM DATABASE old TO new (SCHEMA)")
        changed = _copy(connection, ids, before)
        connection.execute("DETACH new")
        connection.execute("DETACH old")
    return changed > 0


def _copy_database(path: Path, target: Path) -> None:
    log = write_ahead_log(path)
    shutil.copyfile(path, target)
    if log.exists():
        shutil.copyfile(log, write_ahead_log(target))


def _copy(
    connection: duckdb.DuckDBPyConnection, ids: Mapping[str, set[str]], before: object
) -> int:
    """Copy every table; gives how many rows lost something."""
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(
        # Views came with the schema, and show what is in the tables.
        "SELECT table_name, column_name FROM duckdb_columns() SEMI JOIN duckdb_tables() "
        "USING (database_name, schema_name, table_name) "
        "WHERE database_name = 'old' AND NOT internal ORDER BY table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append(column)
    frame = pl.DataFrame(
        [(_KEYS[entity], each) for entity, names in ids.items() for each in names],
        schema={"key": pl.String(), "id": pl.String()},
        orient="row",
    )
    with registered(connection, "gone_ids", frame):
        connection.execute("CREATE TEMP TABLE gone_people AS SELECT DISTINCT * FROM gone_ids")
    connection.execute("CREATE TEMP TABLE gone AS SELECT * FROM gone_people")
    for entity, key in _KEYS.items():
        if before is not None and {key, "race_start_at"} <= set(columns.get(entity, ())):
            connection.execute(
                f"INSERT INTO gone SELECT '{key}', \"{key}\" FROM old.{entity} "
                "WHERE race_start_at < ?",
                [before],
            )
    return sum(_copy_table(connection, table, names) for table, names in columns.items())


def _copy_table(connection: duckdb.DuckDBPyConnection, table: str, names: list[str]) -> int:
    key = next((each for each in _KEYS.values() if each in names), None)
    if key is None:
        connection.execute(f'INSERT INTO new."{table}" SELECT * FROM old."{table}"')
        return 0
    is_gone = f"rows.\"{key}\" IN (SELECT id FROM gone WHERE key = '{key}')"
    is_erased = is_gone.replace("FROM gone", "FROM gone_people")
    if "position" in names:  # one of several answers
        selected, condition = "*", f"NOT ({is_gone})"
    else:
        selected = ", ".join(_value(name, is_gone=is_gone, is_erased=is_erased) for name in names)
        condition = "TRUE"
    connection.execute(
        f'INSERT INTO new."{table}" SELECT {selected} FROM old."{table}" AS rows WHERE {condition}'
    )
    query = f'SELECT count(*) FROM old."{table}" AS rows WHERE {is_gone}'
    return connection.execute(query).fetchall()[0][0]


def _value(name: str, *, is_gone: str, is_erased: str) -> str:
    """Write what a column becomes."""
    if name in _FLAGS:
        return f'({is_erased} OR "{name}")'
    if name in _STAY:
        return f'"{name}"'
    return f'CASE WHEN {is_gone} THEN NULL ELSE "{name}" END'

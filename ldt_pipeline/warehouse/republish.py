"""The next published file as a copy of the last one, with the rows of those who changed replaced.

What belongs here: when that will do, and doing it. What doesn't: making a file from nothing, and the
order of things (`publish.py`).

A row that is deleted stays in DuckDB's file, out of sight, until the file is made from nothing. So it
is where anybody was forgotten, and once a day: what was corrected is gone by then, and so is any
damage that the disk did to what is only ever copied.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb

from ldt_pipeline.instants import now
from ldt_pipeline.tables import TABLES, Table, table
from ldt_pipeline.warehouse.building import building
from ldt_pipeline.warehouse.changed import PUBLISHED, WHOSE, done, take, within
from ldt_pipeline.warehouse.connection import transaction
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.schema import literal
from ldt_pipeline.warehouse.swap import identity, write_ahead_log

_WHOLE_EVERY = dt.timedelta(days=1)
_GROWN_BY_MOST = 2
_ALWAYS_MAY_GROW_BY = 16 * 2**20

_BY_ENTRY = {
    "participants": (
        *("participants", "participant_answers", "start_list", "participant_versions"),
        "start_list_changes",
    ),
    "applications": ("applications", "application_answers"),
}
"""The tables that have rows for single entries, by whose they are."""


def can_go_on(connection: duckdb.DuckDBPyConnection, path: Path, shape: str) -> bool:
    """Whether the published file can be brought up to date, and needn't be made from nothing.

    Args:
        connection: The warehouse.
        path: The published file.
        shape: Which tables and columns it is to have.
    """
    if not path.exists() or write_ahead_log(path).exists():
        return False
    rows = connection.execute(
        """
        SELECT file, split_part(content, ' ', 2), whole_at, whole_bytes,
            erasures = (SELECT count(*) FROM ops.erasures)
        FROM ops.publications
        """
    ).fetchall()
    if not rows:
        return False
    file, last_shape, whole_at, whole_bytes, is_same_book = rows[0]
    return (
        # Else somebody else put it there, or has written to it.
        file == identity(path)
        and last_shape == shape
        and is_same_book
        and now() - whole_at < _WHOLE_EVERY
        and path.stat().st_size < _GROWN_BY_MOST * whole_bytes + _ALWAYS_MAY_GROW_BY
        and not _is_much_or_forgotten(connection, path)
    )


def _is_much_or_forgotten(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether many entries changed, or one of whom the file may hold what nobody may see any more.

    Or nobody can tell, as somebody has it open for writing or it is damaged.
    """
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS last (READ_ONLY)")
        try:
            return any(
                take(connection, PUBLISHED, entity) is None or _has_forgotten(connection, entity)
                for entity in _BY_ENTRY
            )
        finally:
            connection.execute("DETACH last")
    except duckdb.Error:
        return True


def _has_forgotten(connection: duckdb.DuckDBPyConnection, entity: str) -> bool:
    """Whether anybody of those whom `take` gave has gone from the books, or was redacted since."""
    key = table(entity).key[0]
    # Without personal data the table goes by another name.
    ((name,),) = connection.execute(
        "SELECT any_value(table_name) FROM duckdb_tables() "
        "WHERE database_name = 'last' AND list_contains([?, ?], table_name)",
        [entity, f"{entity}_anonymous"],
    ).fetchall()
    return connection.execute(
        f"""
        SELECT count(*) > 0
        FROM {WHOSE} AS whose LEFT JOIN tidy.{entity} AS stored ON stored."{key}" = whose.id
        WHERE stored."{key}" IS NULL OR (stored.gdpr_redacted AND whose.id NOT IN (
            SELECT "{key}" FROM last.{name} WHERE gdpr_redacted
        ))
        """
    ).fetchall() == [(True,)]


def bring_up_to_date(
    connection: duckdb.DuckDBPyConnection, path: Path, beside: Path, *, personal_data: bool
) -> None:
    """Make a copy of the published file, and replace what changed since in it.

    Args:
        connection: The warehouse.
        path: The published file; it stays as it is.
        beside: Where to make the new one.
        personal_data: Whether the file has it: as the last one did.
    """
    shutil.copyfile(path, beside)
    with building(connection, beside), transaction(connection):
        for entity, names in _BY_ENTRY.items():
            count = take(connection, PUBLISHED, entity)
            whose = within(count, f'"{table(entity).key[0]}"')
            for name in names if count != 0 else ():
                _replace(connection, table(name), whose, personal_data=personal_data)
        by_entry = {name for names in _BY_ENTRY.values() for name in names}
        for source in TABLES.values():
            if source.name not in by_entry:
                _replace_if_other(connection, source, personal_data=personal_data)


def note_publication(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    content: str,
    *,
    published_at: dt.datetime,
    is_whole: bool,
) -> None:
    """Note which file says what, and that nothing is owed to it."""
    with transaction(connection):
        done(connection, PUBLISHED)
        connection.execute(
            """
            CREATE OR REPLACE TEMP TABLE publication AS
            SELECT ? AS published_at, ? AS content, (SELECT count(*) FROM ops.load_log) AS extracts,
                ? AS file,
                CASE WHEN ? THEN published_at ELSE (SELECT any_value(whole_at) FROM ops.publications) END,
                CASE WHEN ? THEN ? ELSE (SELECT any_value(whole_bytes) FROM ops.publications) END,
                (SELECT count(*) FROM ops.erasures)
            """,
            [published_at, content, identity(path), is_whole, is_whole, path.stat().st_size],
        )
        connection.execute("DELETE FROM ops.publications")
        connection.execute("INSERT INTO ops.publications SELECT * FROM publication")
        connection.execute("DROP TABLE publication")


def _replace(
    connection: duckdb.DuckDBPyConnection, source: Table, whose: str, *, personal_data: bool
) -> None:
    target = source if personal_data else source.anonymous or source
    connection.execute(f"DELETE FROM published.{target.name} WHERE {whose}")
    connection.execute(
        f"INSERT INTO published.{target.name} "
        f"SELECT * FROM ({relation(source, list(target.schema))}) WHERE {whose}"
    )


def _replace_if_other(
    connection: duckdb.DuckDBPyConnection, source: Table, *, personal_data: bool
) -> None:
    target = source if personal_data else source.anonymous or source
    rows = relation(source, list(target.schema))
    digest = "SELECT (count(*), sum(hash(hash(each)))) FROM"
    ((is_same,),) = connection.execute(
        f"SELECT ({digest} ({rows}) AS each) IS NOT DISTINCT FROM "
        f"({digest} published.{target.name} AS each)"
    ).fetchall()
    if not is_same:
        _replace(connection, source, "TRUE", personal_data=personal_data)

"""The published file: built anew beside the old one, checked, and put in its place in one step.

What belongs here: making the file for people, and when there is nothing new to publish. What
doesn't: whether the warehouse may be published (`checking.py`).

Why a file of its own: DuckDB lets one process write a file or many read it. A notebook that keeps
this one open keeps the old inode and never blocks us; whoever opens it next gets the new one.
A write-ahead log left beside it (by somebody who opened the file for writing) would make every
open of the new file fail, so it is taken away with the old file.

Where few entries changed, the new file is a copy of the last one with their rows replaced
(`republish.py`).

Beside each table with personal data stands one without (`start_list_anonymous`): a view of it, or,
in a file that is to hold no personal data, a table in its place.
"""

from __future__ import annotations

import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from ldt_pipeline.instants import now
from ldt_pipeline.raw.files import TEMPORARY_PREFIX
from ldt_pipeline.tables import TABLES, VIEWS, Table
from ldt_pipeline.warehouse.building import building
from ldt_pipeline.warehouse.connection import Another, others, transaction
from ldt_pipeline.warehouse.entries import note_changed_applications
from ldt_pipeline.warehouse.read import relation
from ldt_pipeline.warehouse.republish import (
    bring_up_to_date,
    can_go_on,
    note_publication,
)
from ldt_pipeline.warehouse.schema import column_definitions, listed, literal
from ldt_pipeline.warehouse.swap import put_in_place, remove_database

_logger = logging.getLogger(__name__)

_TABLES_AT_ONCE = 2


def publish(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    force: bool = False,
    personal_data: bool = True,
) -> bool:
    """Publish the warehouse as it stands; gives False where the file says all of it already.

    Without `personal_data`, a table that has personal columns is left out, and the file holds
    none of their bytes. Readers of the old file keep it until they close it. The caller holds the
    warehouse.
    """
    note_changed_applications(connection)
    tables = shape(personal_data=personal_data)
    content = f"{_content(connection)} {tables}"
    last = connection.execute("SELECT content FROM ops.publications").fetchall()
    if not force and path.exists() and last == [(content,)]:
        return False
    for leftover in path.parent.glob(f"{TEMPORARY_PREFIX}publish-*"):
        leftover.unlink()
    beside = path.parent / f"{TEMPORARY_PREFIX}publish-{os.getpid()}.duckdb"
    is_whole = force or not can_go_on(connection, path, tables)
    try:
        if not is_whole:
            try:
                bring_up_to_date(connection, path, beside, personal_data=personal_data)
            except duckdb.Error as error:
                # It may be damaged where nobody has read it: the next one needs none of it.
                _logger.info(
                    "%s can't be brought up to date (%s): it is made from nothing.",
                    path,
                    type(error).__name__,
                )
                remove_database(beside)
                is_whole = True
        if is_whole:
            _build(connection, beside, personal_data=personal_data)
        put_in_place(beside, path)
    except BaseException:
        remove_database(beside)
        raise
    # After the rename: a kill in between costs one more publication, never a missing one.
    note_publication(connection, path, content, published_at=now(), is_whole=is_whole)
    return True


def is_published(connection: duckdb.DuckDBPyConnection, *, personal_data: bool = True) -> bool:
    """Whether every loaded extract is in the last publication, and its tables are the wanted ones.

    They may not be: whether to publish personal data, or which columns are, is decided anew.
    """
    return connection.execute(
        """
        SELECT extracts = (SELECT count(*) FROM ops.load_log) AND split_part(content, ' ', 2) = ?
        FROM ops.publications
        """,
        [shape(personal_data=personal_data)],
    ).fetchall() == [(True,)]


def shape(*, personal_data: bool) -> str:
    """Give a digest of which tables with which columns are published."""
    tables = [each if personal_data else each.anonymous or each for each in TABLES.values()]
    views = [each.anonymous for each in TABLES.values() if personal_data and each.anonymous]
    names = [(each.name, list(each.schema)) for each in (*tables, *views)]
    names += [(name, [view.sql]) for name, view in VIEWS.items()]
    return hashlib.sha256(repr(names).encode()).hexdigest()


def _build(connection: duckdb.DuckDBPyConnection, path: Path, *, personal_data: bool) -> None:
    with building(connection, path):
        # DuckDB copies a table of this size on one core; two tables at a time take two.
        another = others(connection)
        with ThreadPoolExecutor(max_workers=_TABLES_AT_ONCE) as threads:
            copies = [
                threads.submit(
                    _copy,
                    another,
                    table,
                    table if personal_data else table.anonymous or table,
                )
                for table in TABLES.values()
            ]
            for copy in copies:
                copy.result()
        with transaction(connection):
            for table in TABLES.values() if personal_data else ():
                if table.anonymous is not None:
                    _create_view(connection, table.anonymous, _columns_of(table, table.anonymous))
            for view in VIEWS.values():
                _create_view(connection, view.table, view.sql.format(schema="published"))


def _copy(another: Another, source: Table, table: Table) -> None:
    """Copy a table of the warehouse, as a table that may have fewer columns."""
    with another() as cursor:
        names = list(table.schema)
        # In one transaction: hundreds of comments would each be written to the disk.
        with transaction(cursor):
            cursor.execute(
                f"CREATE TABLE published.{table.name} ({column_definitions(table, names)})"
            )
            _comment(cursor, table)
        cursor.execute(f"INSERT INTO published.{table.name} {relation(source, names)}")


def _columns_of(source: Table, view: Table) -> str:
    return f"SELECT {listed(view.schema)} FROM published.{source.name}"


def _create_view(connection: duckdb.DuckDBPyConnection, view: Table, sql: str) -> None:
    connection.execute(f"CREATE VIEW published.{view.name} AS {sql}")
    _comment(connection, view, "VIEW")


def _comment(connection: duckdb.DuckDBPyConnection, table: Table, kind: str = "TABLE") -> None:
    text = f"{table.description} {table.grain.capitalize()}."
    connection.execute(f"COMMENT ON {kind} published.{table.name} IS {literal(text)}")
    for column in table.columns:
        connection.execute(
            f'COMMENT ON COLUMN published.{table.name}."{column.name}" '
            f"IS {literal(column.description)}"
        )


def _content(connection: duckdb.DuckDBPyConnection) -> str:
    """Give a digest of all that the published rows follow from."""
    digest = hashlib.sha256()
    for query in (
        "SELECT fingerprint FROM ops.about",
        "SELECT extract_id FROM ops.load_log ORDER BY extract_id",
        # These also follow from settings, the questions file, the calendar, and our code.
        "SELECT sum(hash(hash(data_issues))) FROM marts.data_issues",
        "SELECT entity, bit_xor(hash(hash(id, state))) FROM ops.entry_states GROUP BY ALL ORDER BY ALL",
        "SELECT count(*) FROM marts.exports",
        "SELECT sum(hash(hash(allocation_changes))) FROM marts.allocation_changes",
        "SELECT event_id FROM marts.events ORDER BY event_id",
        "SELECT feed, agrees FROM ops.comparisons ORDER BY feed",
    ):
        digest.update(repr(connection.execute(query).fetchall()).encode())
    return digest.hexdigest()

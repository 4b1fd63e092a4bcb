"""Reading the warehouse: tidy tables with `deleted_at`, as SQL and as frames.

What belongs here: how a deletion follows from the books. What doesn't: writing.

A record of a list with timestamps has gone when a tombstone is at least as young as the last time
it was seen. A record of a snapshot (a group, a ticket) has gone since the first snapshot of its
event that is younger than the last one that had it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import duckdb
import polars as pl

from ldt_pipeline.feeds.catalogue import SNAPSHOT_FEEDS
from ldt_pipeline.tables import Layer, Table, table
from ldt_pipeline.warehouse.schema import has_record, listed

_SNAPSHOT_FEED_OF = {feed.entity: feed.name for feed in SNAPSHOT_FEEDS}


def relation(source: Table, columns: Sequence[str] | None = None) -> str:
    """Write the SELECT that gives a table of the registry, or some of its columns, in order."""
    names = list(columns or source.schema)
    if source.layer is Layer.MART or not has_record(source):
        return f"SELECT {listed(names)} FROM {source.layer.value}.{source.name}"
    key = source.key[0]
    if source.name in _SNAPSHOT_FEED_OF:
        gone = f"""
            SELECT rows._partition AS gone_partition, rows._seen_at AS gone_seen_at,
                min(load_log.extracted_at) AS deleted_at
            FROM (SELECT DISTINCT _partition, _seen_at FROM tidy.{source.name}) AS rows
            JOIN ops.load_log ON load_log.feed = '{_SNAPSHOT_FEED_OF[source.name]}'
                AND load_log.partition = rows._partition
                AND load_log.extracted_at > rows._seen_at
            GROUP BY ALL"""
        condition = "_partition = gone_partition AND _seen_at = gone_seen_at"
    else:
        gone = f"""
            SELECT id AS gone_id, max(deleted_at) AS deleted_at
            FROM ops.tombstones WHERE entity = '{source.name}' GROUP BY id"""
        condition = f'"{key}" = gone_id AND gone.deleted_at >= _seen_at'
    wanted = ", ".join(
        "gone.deleted_at" if name == "deleted_at" else f'stored."{name}"' for name in names
    )
    return f"SELECT {wanted} FROM tidy.{source.name} AS stored LEFT JOIN ({gone}) AS gone ON {condition}"


def read_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Sequence[str] | None = None,
    *,
    where: str = "TRUE",
) -> pl.DataFrame:
    """Give a table of the registry, or some of its columns and rows, in no particular order.

    `where` is a condition on the columns that are read.
    """
    source = table(name)
    names = list(columns or source.schema)
    frame = connection.sql(f"SELECT * FROM ({relation(source, names)}) WHERE {where}").pl()
    return frame.select(pl.col(each).cast(source.schema[each]) for each in names)


def live_count(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    *,
    created_before: dt.datetime | None = None,
    without: Collection[str] = (),
) -> int:
    """Count the live records of a table, all or those created before an instant, but for some ids."""
    query = f"SELECT count(*) FROM ({relation(table(name))}) WHERE deleted_at IS NULL"
    parameters: list[object] = []
    if created_before is not None:
        query += " AND created_at < ?"
        parameters.append(created_before)
    if without:
        query += f' AND "{table(name).key[0]}" NOT IN (SELECT unnest(?::VARCHAR[]))'
        parameters.append(list(without))
    return connection.execute(query, parameters).fetchall()[0][0]


def live_counts_by(connection: duckdb.DuckDBPyConnection, name: str, column: str) -> dict[str, int]:
    """Count the records by a column that names a race or event; 0 where all of them have gone."""
    rows = connection.execute(
        f"""
        SELECT "{column}", count(*) FILTER (deleted_at IS NULL)
        FROM ({relation(table(name))}) WHERE "{column}" IS NOT NULL GROUP BY 1 ORDER BY 1
        """
    ).fetchall()
    return dict(rows)


def hashes(
    connection: duckdb.DuckDBPyConnection, name: str, column: str | None = None, value: str = ""
) -> dict[str | int, int]:
    """Give the hash of the version that we hold of each live record, by its id.

    All of them, or those where a column has a value. A record that was rejected has no id that is
    of use: its hash stands in its place.
    """
    key = table(name).key[0]
    query = f"""
        SELECT stored."{key}", stored._record_hash
        FROM tidy.{name} AS stored
        WHERE NOT EXISTS (
            SELECT 1 FROM ops.tombstones WHERE tombstones.entity = '{name}'
                AND tombstones.id = stored."{key}" AND tombstones.deleted_at >= stored._seen_at
        )"""
    if column is not None:
        rows = connection.execute(f'{query} AND stored."{column}" = ?', [value]).fetchall()
    else:
        rows = connection.execute(query).fetchall()
    rejected = connection.execute(
        f"SELECT DISTINCT record_hash, record_hash FROM ops.rejections WHERE entity = '{name}'"
    ).fetchall()
    return dict([*rows, *rejected])


def held_from(
    connection: duckdb.DuckDBPyConnection, name: str, extract_ids: Collection[str]
) -> set[str | int]:
    """Give what `hashes` knows, and some extracts may alone have brought: their version, or a sighting.

    An extract may be one that several were compacted into.
    """
    if not extract_ids:
        return set()
    rows = connection.execute(
        f"""
        WITH extracts AS (
            SELECT extract_id, extracted_at FROM ops.load_log
            WHERE list_contains($ids::VARCHAR[], extract_id) OR list_contains($ids::VARCHAR[], pack)
        )
        SELECT "{table(name).key[0]}", NULL FROM tidy.{name}
        WHERE _extract_id IN (SELECT extract_id FROM extracts)
            OR _seen_at IN (SELECT extracted_at FROM extracts)
        UNION ALL
        SELECT NULL, record_hash FROM ops.rejections
        WHERE entity = '{name}' AND extract_id IN (SELECT extract_id FROM extracts)
        """,
        {"ids": [*extract_ids]},
    ).fetchall()
    return {record_hash if key is None else key for key, record_hash in rows}

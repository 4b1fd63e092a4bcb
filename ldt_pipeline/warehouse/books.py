"""Our own books as tables: what was rejected, what the API added, how complete each feed is.

What belongs here: the marts that come from `ops` alone, and the comparison with the API's totals.
What doesn't: marts of people and places (`marts/`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import duckdb
import polars as pl

from ldt_pipeline.feeds.catalogue import CHANGE_FEEDS, SNAPSHOT_FEEDS
from ldt_pipeline.instants import now
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.outcomes import API_TOTALS, forget_outcomes
from ldt_pipeline.warehouse.read import live_count, relation

_UNRESOLVED = """
    SELECT DISTINCT ON (coalesce(record_id, record_hash::VARCHAR), entity) *
    FROM ops.rejections
    WHERE {condition}
    ORDER BY extracted_at DESC, extract_id, record_number
"""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What we hold of a list beside what the API says it has.

    With `created_before` both count only what was created before that instant, as the list was
    moving too fast to be compared whole.
    """

    feed: str
    api_total: int | None
    held: int
    rejected: int
    created_before: dt.datetime | None
    compared_at: dt.datetime

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing and nothing is too much.

        A rejected record may have no id to know it by, so each may or may not be another one than
        those we hold.
        """
        if self.api_total is None:
            return True
        return self.held <= self.api_total <= self.held + self.rejected


def compare(
    connection: duckdb.DuckDBPyConnection,
    *,
    feed: str,
    entity: str,
    api_total: int | None,
    created_before: dt.datetime | None,
    compared_at: dt.datetime,
    doubted: Collection[str] = (),
) -> Comparison:
    """Compare what we hold, but for records that are `doubted`, with a total that the API gave."""
    return Comparison(
        feed=feed,
        api_total=api_total,
        held=live_count(connection, entity, created_before=created_before, without=doubted),
        rejected=rejected_count(connection, entity),
        created_before=created_before,
        compared_at=compared_at,
    )


def note_comparison(connection: duckdb.DuckDBPyConnection, comparison: Comparison) -> None:
    """Keep a comparison, for `sync_status` and the completeness check; and since when it doesn't agree."""
    forget_outcomes(connection, API_TOTALS)
    known = connection.execute(
        "DELETE FROM ops.comparisons WHERE feed = ? RETURNING uneven_since", [comparison.feed]
    ).fetchall()
    # By our own clock, as it is waited by that; the earlier one, where a clock that was ahead is set right.
    noted_at = now()
    since = min(filter(None, [noted_at, *(row[0] for row in known)]))
    connection.execute(
        "INSERT INTO ops.comparisons SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?",
        [
            comparison.feed,
            comparison.api_total,
            comparison.held,
            comparison.rejected,
            comparison.created_before,
            comparison.compared_at,
            comparison.agrees,
            None if comparison.agrees else since,
            noted_at,
        ],
    )


def uneven_feeds(connection: duckdb.DuckDBPyConnection) -> dict[str, bool]:
    """Give the feeds that didn't agree when they were last compared, with whether they moved then."""
    return dict(
        connection.execute(
            "SELECT feed, created_before IS NOT NULL FROM ops.comparisons WHERE NOT agrees "
            "ORDER BY feed"
        ).fetchall()
    )


def rejected_count(connection: duckdb.DuckDBPyConnection, entity: str) -> int:
    """Count the records of an entity that could not be read and have not been replaced since."""
    # There hardly ever is one, and the question is asked some twenty times in a sync.
    if not connection.execute("SELECT 1 FROM ops.rejections LIMIT 1").fetchall():
        return 0
    query = f"SELECT count(*) FROM ({_unresolved(entity)})"
    return connection.execute(query).fetchall()[0][0]


def tombstones_of(
    connection: duckdb.DuckDBPyConnection, extract_id: str
) -> dict[dt.datetime, list[str]]:
    """Give the ids that an extract of deletions held, by when they went; none if it isn't loaded.

    It may be one that several were compacted into. Several extracts of one instant can't be told
    apart: then it is the ids of all of them.
    """
    rows = connection.execute(
        """
        SELECT DISTINCT deleted_at, id
        FROM ops.tombstones JOIN ops.load_log ON load_log.extracted_at = tombstones.deleted_at
            AND load_log.partition = tombstones.entity
        WHERE load_log.extract_id = $id OR load_log.pack = $id ORDER BY ALL
        """,
        {"id": extract_id},
    ).fetchall()
    found: dict[dt.datetime, list[str]] = {}
    for deleted_at, record_id in rows:
        found.setdefault(deleted_at, []).append(record_id)
    return found


def quiet_instant(
    connection: duckdb.DuckDBPyConnection, entity: str, at_most: dt.datetime
) -> dt.datetime:
    """Give the latest instant, not after `at_most`, around which nothing was created for a second.

    The API may count a record that was created at just the instant that is asked for, or not.
    """
    rows = connection.execute(
        f"""
        SELECT max(least(until - INTERVAL 1 SECOND, $at_most))
        FROM (
            SELECT created_at AS since, lead(created_at) OVER (ORDER BY created_at) AS until
            FROM (
                SELECT created_at FROM tidy.{entity}
                WHERE created_at <= $at_most + INTERVAL 1 SECOND
                UNION ALL VALUES ('-infinity'::TIMESTAMPTZ), ($at_most + INTERVAL 2 SECOND)
            )
        ) WHERE since < least(until - INTERVAL 1 SECOND, $at_most) - INTERVAL 1 SECOND
        """,
        {"at_most": at_most},
    ).fetchall()
    return rows[0][0]


def rejected_records(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give the `rejected_records` table."""
    entities = [feed.entity for feed in (*CHANGE_FEEDS, *SNAPSHOT_FEEDS)]
    rows = " UNION ALL ".join(f"({_unresolved(entity)})" for entity in entities)
    wanted = ", ".join(table("rejected_records").schema)
    return _conformed(connection, "rejected_records", f"SELECT {wanted} FROM ({rows}) ORDER BY ALL")


def schema_drift(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give the `schema_drift` table."""
    return _conformed(
        connection,
        "schema_drift",
        """
        SELECT feed, path, string_agg(DISTINCT value_type, ', ' ORDER BY value_type) AS value_types,
            sum(records)::BIGINT AS records, min(first_seen_at) AS first_seen_at,
            max(last_seen_at) AS last_seen_at
        FROM ops.drift GROUP BY feed, path ORDER BY feed, path
        """,
    )


def loaded_extracts(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give the `loaded_extracts` table."""
    return _conformed(
        connection,
        "loaded_extracts",
        f"SELECT {', '.join(table('loaded_extracts').schema)} FROM ops.load_log ORDER BY extract_id",
    )


def erasures(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give the `erasures` table: of somebody who was erased twice, the first time."""
    return _conformed(
        connection,
        "erasures",
        """
        SELECT DISTINCT ON (subject, subject_id) *
        FROM (
            SELECT entity AS subject,
                coalesce(id, strftime(before, '%Y-%m-%dT%H:%M:%SZ')) AS subject_id,
                event_id, race_id, reason, erased_at, recipients
            FROM ops.erasures
        ) ORDER BY subject, subject_id, erased_at, reason
        """,
    )


def sync_status(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give the `sync_status` table."""
    parts: list[str] = []
    for feed in (*CHANGE_FEEDS, *SNAPSHOT_FEEDS):
        source = table(feed.entity)
        newest = "max(updated_at)" if "updated_at" in source.schema else "NULL::TIMESTAMPTZ"
        parts.append(
            f"""
            SELECT '{feed.name}' AS feed, count(*) FILTER (deleted_at IS NULL) AS records,
                count(*) FILTER (deleted_at IS NOT NULL) AS deleted_records,
                {rejected_count(connection, feed.entity)} AS rejected_records,
                {newest} AS newest_updated_at
            FROM ({relation(source)})
            """
        )
    return _conformed(
        connection,
        "sync_status",
        f"""
        SELECT feed, records, deleted_records, rejected_records, api_total,
            agrees AS is_complete, newest_updated_at, last_extracted_at,
            coalesce(extracts, 0) AS extracts
        FROM ({" UNION ALL ".join(parts)})
        LEFT JOIN (
            SELECT feed, max(extracted_at) AS last_extracted_at, count(*) AS extracts
            FROM ops.load_log GROUP BY feed
        ) USING (feed)
        LEFT JOIN (
            SELECT feed, agrees,
                CASE WHEN created_before IS NULL THEN api_total END AS api_total
            FROM ops.comparisons
        ) USING (feed)
        ORDER BY feed
        """,
    )


def _unresolved(entity: str) -> str:
    key = table(entity).key[0]
    replaced = (
        f'SELECT 1 FROM tidy.{entity} AS stored WHERE stored."{key}" = rejections.record_id '
        "AND stored._seen_at >= rejections.extracted_at"
    )
    condition = f"entity = '{entity}' AND NOT EXISTS ({replaced})"
    return _UNRESOLVED.format(condition=condition)


def _conformed(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> pl.DataFrame:
    return table(name).conform(connection.sql(query).pl())

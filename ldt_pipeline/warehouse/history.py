"""Earlier versions of participants: what was superseded, and when each version was first seen.

What belongs here: keeping versions while batches are loaded (`upsert.py` calls at the right moments).
What doesn't: when each of them stood, and what changed from one to the next (`versions.py`).

Kept are two sets: every pair of id and bytes ever seen with the first time that it was, and the
content of each that isn't the newest. Both follow from the set of what was loaded, not from its
order, so that rebuilding from raw gives the same history. On a first load there is one narrow row
for each participant, and nothing else.
"""

from __future__ import annotations

import duckdb
import polars as pl

from ldt_pipeline.tables import Table, table
from ldt_pipeline.warehouse.connection import registered
from ldt_pipeline.warehouse.schema import PAST_COLUMNS, VERSIONED, listed

_ANSWERS = (
    "list({'position': answers.position, 'question_id': answers.question_id, "
    "'question': answers.question, 'answer': answers.answer} ORDER BY answers.position)"
)


def is_versioned(source: Table) -> bool:
    """Whether earlier versions of a table's records are kept."""
    return source.name == VERSIONED


def note_sightings(
    connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame, *, are_new: bool
) -> None:
    """Note when each version of a batch was first seen; `are_new` says that none can be known yet."""
    key = table(VERSIONED).key[0]
    sighted = frame.group_by(pl.col(key).alias("id"), "record_hash").agg(
        pl.col("extracted_at").min().alias("first_seen_at")
    )
    with registered(connection, "sighted", sighted):
        if not are_new:
            connection.execute(
                """
                DELETE FROM ops.sightings AS known USING sighted
                WHERE known.id = sighted.id AND known.record_hash = sighted.record_hash
                    AND known.first_seen_at > sighted.first_seen_at
                """
            )
        connection.execute(
            """
            INSERT INTO ops.sightings SELECT id, record_hash, first_seen_at FROM sighted
            ANTI JOIN ops.sightings AS known USING (id, record_hash)
            """
            if not are_new
            else "INSERT INTO ops.sightings SELECT id, record_hash, first_seen_at FROM sighted"
        )


def keep_stored(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep the stored versions that are about to be replaced: those of the ids in `newer`."""
    key = table(VERSIONED).key[0]
    connection.execute(
        f"""
        INSERT INTO ops.past_versions ({listed(PAST_COLUMNS)}, record_hash, answers)
        SELECT {listed(PAST_COLUMNS, "stored")}, stored._record_hash, answers.answers
        FROM tidy.{VERSIONED} AS stored
        SEMI JOIN newer ON newer.id = stored."{key}"
        LEFT JOIN (
            SELECT "{key}", {_ANSWERS} AS answers FROM tidy.participant_answers AS answers
            SEMI JOIN newer ON newer.id = answers."{key}" GROUP BY ALL
        ) AS answers ON answers."{key}" = stored."{key}"
        ANTI JOIN ops.past_versions AS past
            ON past."{key}" = stored."{key}" AND past.record_hash = stored._record_hash
        """
    )


def keep_older(
    connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame, answers: pl.DataFrame
) -> None:
    """Keep the versions of a batch that aren't the newest, once those are in their table."""
    key = table(VERSIONED).key[0]
    versions = frame.unique(subset=[key, "record_hash"], keep="any")
    with registered(connection, "batch_versions", versions):
        # What was superseded may be the newest again: a change that was taken back.
        connection.execute(
            f"""
            DELETE FROM ops.past_versions AS past
            USING tidy.{VERSIONED} AS stored, batch_versions AS batch
            WHERE past."{key}" = batch."{key}" AND stored."{key}" = batch."{key}"
                AND past.record_hash = stored._record_hash
            """
        )
        lost = connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE lost AS
            SELECT batch."{key}" AS id, batch.record_hash, batch.extract_id, batch.record_number
            FROM batch_versions AS batch JOIN tidy.{VERSIONED} AS stored USING ("{key}")
            ANTI JOIN ops.past_versions AS past
                ON past."{key}" = batch."{key}" AND past.record_hash = batch.record_hash
            WHERE stored._record_hash <> batch.record_hash
            """
        ).fetchall()
        if lost != [(0,)]:
            _insert_lost(connection, answers)
    connection.execute("DROP TABLE lost")


def _insert_lost(connection: duckdb.DuckDBPyConnection, answers: pl.DataFrame) -> None:
    key = table(VERSIONED).key[0]
    with registered(connection, "batch_answers", answers):
        connection.execute(
            f"""
            INSERT INTO ops.past_versions ({listed(PAST_COLUMNS)}, record_hash, answers)
            SELECT {listed(PAST_COLUMNS, "batch")}, batch.record_hash, answers.answers
            FROM batch_versions AS batch
            JOIN lost ON lost.id = batch."{key}" AND lost.record_hash = batch.record_hash
            LEFT JOIN (
                SELECT extract_id, record_number, {_ANSWERS} AS answers
                FROM batch_answers AS answers SEMI JOIN lost USING (extract_id, record_number)
                GROUP BY ALL
            ) AS answers
                ON answers.extract_id = lost.extract_id
                AND answers.record_number = lost.record_number
            """
        )

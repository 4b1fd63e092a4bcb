"""When each version of a participant stood, and the mart that says so.

What belongs here: the order of versions, `valid_from` and `valid_to`, and bringing together the
newest versions, which are the start list, with the others. What doesn't: keeping what was superseded
(`history.py`), and what a version looks like on a start list (`marts/versions.py`).

The newest version of each live participant is copied from the start list, inside DuckDB. Only what
was superseded or deleted is computed: a first load has nothing of that.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import polars as pl

from ldt_pipeline.instants import AHEAD_MOST
from ldt_pipeline.marts.versions import versions_as_listed
from ldt_pipeline.tables import table
from ldt_pipeline.tidy.questions import Questions, answers_to_columns
from ldt_pipeline.warehouse.connection import registered
from ldt_pipeline.warehouse.read import read_table, relation
from ldt_pipeline.warehouse.schema import PAST_COLUMNS, listed

# A version has an updatedAt of its own, or nobody knows when it began but by seeing it. None begins
# before the one that it follows, and none in the future.
_TIMELINE = """
    CREATE OR REPLACE TEMP TABLE timeline AS
    WITH versions AS (
        SELECT participant_id, record_hash, created_at, updated_at,
            coalesce(gdpr_redacted, FALSE) AS redacted, FALSE AS is_newest
        FROM ops.past_versions WHERE {whose}
        UNION ALL
        SELECT participant_id, _record_hash, created_at, updated_at,
            coalesce(gdpr_redacted, FALSE), TRUE
        FROM tidy.participants SEMI JOIN ops.past_versions USING (participant_id) WHERE {whose}
    ), seen AS (
        SELECT versions.* REPLACE (CASE
            WHEN updated_at > first_seen_at + INTERVAL {ahead_days} DAY THEN first_seen_at
            ELSE updated_at END AS updated_at), first_seen_at
        FROM versions JOIN ops.sightings
            ON sightings.id = participant_id AND sightings.record_hash = versions.record_hash
    ), ordered AS (
        SELECT *, row_number() OVER older AS version,
            max(updated_at) OVER (older ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                AS updated_before
        FROM seen
        WINDOW older AS (
            PARTITION BY participant_id
            ORDER BY is_newest, redacted, coalesce(updated_at, '-infinity'::TIMESTAMPTZ),
                first_seen_at, record_hash
        )
    ), begun AS (
        SELECT *, max(CASE
            WHEN version = 1 THEN coalesce(least(created_at, updated_at), first_seen_at)
            WHEN updated_at > coalesce(updated_before, '-infinity'::TIMESTAMPTZ) THEN updated_at
            ELSE first_seen_at
        END) OVER (PARTITION BY participant_id ORDER BY version) AS valid_from
        FROM ordered
    )
    SELECT participant_id, record_hash, is_newest, version, valid_from,
        lead(valid_from) OVER following AS valid_to,
        bool_or(redacted) OVER (PARTITION BY participant_id) AS forgotten
    FROM begun WINDOW following AS (PARTITION BY participant_id ORDER BY version)
"""


_VERSIONS_AT_ONCE = 10_000
"""So many versions that aren't on the start list become rows at once. Five times as many take 500 MB more,
for their lists of answers, and as long."""


def build_versions(
    connection: duckdb.DuckDBPyConnection, questions: Questions, *, whose: str = "TRUE"
) -> None:
    """Add rows to `participant_versions`, from the start list and the history.

    Inside the caller's transaction.

    Args:
        connection: The warehouse.
        questions: Which answers fill what.
        whose: A condition on `participant_id`, of people who have no rows there.
    """
    connection.execute(_TIMELINE.format(whose=whose, ahead_days=AHEAD_MOST.days))
    # Of few people DuckDB would still join all that are stored: it takes the condition to one table alone.
    names = list(table("participant_versions").schema)
    shared = [name for name in names if name in table("start_list").schema]
    connection.execute(
        f"""
        INSERT INTO marts.participant_versions ({listed(shared)}, version, valid_from)
        SELECT {listed(shared, "listed")},
            coalesce(timeline.version, 1),
            coalesce(timeline.valid_from, least(listed.registered_at, listed.updated_at),
                first_seen_at)
        FROM (SELECT * FROM marts.start_list WHERE {whose}) AS listed
        JOIN (SELECT participant_id, _record_hash FROM tidy.participants WHERE {whose}) AS stored
            USING (participant_id)
        JOIN (
            SELECT * FROM (SELECT * RENAME id AS participant_id FROM ops.sightings) WHERE {whose}
        ) AS sighted
            ON sighted.participant_id = stored.participant_id AND record_hash = stored._record_hash
        LEFT JOIN timeline
            ON timeline.participant_id = listed.participant_id AND timeline.is_newest
        """
    )
    for others in _others(connection, questions, whose):
        with registered(connection, "other_versions", others):
            connection.execute(
                f"INSERT INTO marts.participant_versions ({listed(names)}) "
                f"SELECT {listed(names)} FROM other_versions"
            )
    connection.execute("DROP TABLE timeline")


def _others(
    connection: duckdb.DuckDBPyConnection, questions: Questions, whose: str
) -> Iterator[pl.DataFrame]:
    """Give the versions that are not on the start list now: superseded ones, and deleted entries.

    So many at a time as memory holds at ease.
    """
    past = listed(PAST_COLUMNS, "past")
    newest = listed(PAST_COLUMNS, "deleted")
    deleted = relation(table("participants"), [*PAST_COLUMNS, "deleted_at"])
    deleted = f"SELECT * FROM ({deleted}) WHERE deleted_at IS NOT NULL AND {whose}"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE other_rows AS
        SELECT *, row_number() OVER () AS number FROM (
        SELECT {past}, version, valid_from, valid_to, forgotten, past.answers
        FROM ops.past_versions AS past JOIN timeline USING (participant_id, record_hash)
        UNION ALL BY NAME
        SELECT {newest}, coalesce(version, 1) AS version,
            coalesce(valid_from, least(deleted.created_at, deleted.updated_at), first_seen_at) AS valid_from,
            -- A deletion is told by a reading, an update by the API's clock.
            greatest(coalesce(valid_from, least(deleted.created_at, deleted.updated_at), first_seen_at), deleted_at)
                AS valid_to,
            coalesce(forgotten, deleted.gdpr_redacted, FALSE) AS forgotten,
            answers.answers
        FROM ({deleted}) AS deleted
        JOIN tidy.participants AS stored USING (participant_id)
        JOIN ops.sightings
            ON sightings.id = deleted.participant_id AND sightings.record_hash = stored._record_hash
        LEFT JOIN timeline
            ON timeline.participant_id = deleted.participant_id AND timeline.is_newest
        LEFT JOIN (
            SELECT participant_id, list({{'position': position, 'question_id': question_id,
                'question': question, 'answer': answer}}) AS answers
            FROM tidy.participant_answers
            WHERE participant_id IN (SELECT participant_id FROM ({deleted})) GROUP BY ALL
        ) AS answers ON answers.participant_id = deleted.participant_id
        )
        """
    )
    partners = read_table(connection, "partners")
    groups = read_table(connection, "reserved_entry_groups")
    ((count,),) = connection.execute("SELECT count(*) FROM other_rows").fetchall()
    for start in range(0, count, _VERSIONS_AT_ONCE):
        rows = connection.sql(
            "SELECT * EXCLUDE number FROM other_rows "
            f"WHERE number > {start} AND number <= {start + _VERSIONS_AT_ONCE}"
        ).pl()
        answers = (
            rows.select("participant_id", "version", "answers")
            .explode("answers", empty_as_null=False, keep_nulls=False)
            .unnest("answers")
        )
        key = pl.struct("participant_id", "version").alias("key")
        columns = answers_to_columns(answers.with_columns(key), questions, "key").unnest("key")
        yield versions_as_listed(
            versions=rows.drop("answers"),
            answers_by_column=columns,
            partners=partners,
            reserved_entry_groups=groups,
        )
    connection.execute("DROP TABLE other_rows")

"""Entries by what they say: a million of them say a few hundred different things.

What belongs here: counting inside DuckDB, so that marts of the whole account read a row for each
thing that is said, not one for each who says it. What doesn't: what follows from it, and what is
blank or the same but for white space (`ldt_pipeline/marts/`).

`source` is always SQL that selects the tidy table with `deleted_at`.
"""

from __future__ import annotations

import duckdb
import polars as pl

from ldt_pipeline.marts.applying import FUNNEL_COLUMNS
from ldt_pipeline.marts.attribution import GROUP_CLAIM
from ldt_pipeline.marts.calendar import DESCRIPTION
from ldt_pipeline.marts.common import WHITE_SPACE
from ldt_pipeline.marts.race_issues import START
from ldt_pipeline.marts.starter_issues import ENDED
from ldt_pipeline.warehouse.schema import listed

# An entry that doesn't say when it changed is older than all that do.
_NEWEST = "max({{'updated_at': coalesce(updated_at, {otherwise}), 'entry_id': {key}}}) AS newest"
_EPOCH = "'epoch'::TIMESTAMPTZ"


def trimmed(column: str) -> str:
    """Write a column without the white space around it, as `marts.common.trimmed` gives it.

    Looking through white space costs DuckDB most of a microsecond a text; hardly any has some.
    """
    return f"""
        CASE WHEN regexp_full_match({column}, '[!-~]+') THEN {column}
        ELSE trim({column}, '{WHITE_SPACE}') END"""


def _day(instant: str) -> str:
    """Write the day of an instant in UTC: to look up a time zone takes DuckDB twice as long in all."""
    return f"make_timestamp(epoch_us({instant}))::DATE"


def described_participants(connection: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """Count participants by what they say of their event and race.

    Returns:
        `marts.calendar.DESCRIPTION`, `is_deleted`, `entries`, `with_bib`; and of the newest of the
        entries `updated_at` and `entry_id`. One row for each that differs, in no order.
    """
    return _grouped(
        connection,
        source,
        by=(*DESCRIPTION, "is_deleted"),
        given="deleted_at IS NOT NULL AS is_deleted",
        measures=f"count(*) FILTER ({trimmed('bib_number')} <> '') AS with_bib",
        newest=_NEWEST.format(key="participant_id", otherwise=_EPOCH),
    )


def described_applications(
    connection: duckdb.DuckDBPyConnection, source: str, participants: str
) -> pl.DataFrame:
    """Count applications by what they say of their event, race, ticket and standing.

    Returns:
        As `described_participants` gives, without `with_bib`; with `marts.applying.FUNNEL_COLUMNS`,
        `converted` (of how many a live participant came), `first_created_at` and `last_created_at`.
    """
    became = f"""
        SELECT DISTINCT {trimmed("application_id")} AS became_id
        FROM ({participants}) WHERE deleted_at IS NULL"""
    return _grouped(
        connection,
        f"SELECT * FROM ({source}) LEFT JOIN ({became}) ON became_id = application_id",
        by=(*dict.fromkeys((*DESCRIPTION, *FUNNEL_COLUMNS)), "is_deleted"),
        given="deleted_at IS NOT NULL AS is_deleted",
        measures="""
            count(became_id) AS converted,
            min(created_at) AS first_created_at, max(created_at) AS last_created_at""",
        newest=_NEWEST.format(key="application_id", otherwise=_EPOCH),
    )


def claimed_groups(connection: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """Count live participants by the reserved entry group that they name, those that name none left out.

    Returns:
        `marts.attribution.GROUP_CLAIM`, `is_redacted`, `entries`, `first_created_at` and
        `last_created_at`. One row for each that differs, in no order.
    """
    named = " OR ".join(f'"{name}" IS NOT NULL' for name in GROUP_CLAIM[1:])
    return _grouped(
        connection,
        f"SELECT * FROM ({source}) WHERE deleted_at IS NULL AND ({named})",
        by=(*GROUP_CLAIM, "is_redacted"),
        given="coalesce(gdpr_redacted, FALSE) AS is_redacted",
        measures="min(created_at) AS first_created_at, max(created_at) AS last_created_at",
    )


def ended_entries(connection: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """Find live participants that have, or had, a status that says that the entry is over.

    Returns:
        `participant_id` and `status_details`.
    """
    ended = "list_filter(status_details, lambda each: regexp_matches(each.status, $ended))"
    return connection.sql(
        f"""
        SELECT participant_id, status_details FROM ({source})
        WHERE deleted_at IS NULL AND len({ended}) > 0""",
        params={"ended": ENDED},
    ).pl()


def starts_by_edition(connection: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """Count live participants by the edition of a race and the day, in UTC, on which they start.

    Those who are redacted, or name no edition or start, are left out.

    Returns:
        `marts.race_issues.START`, `entries`, `last_start_at` and `ids`, of the first few. One row for
        each that differs, in no order.
    """
    return _grouped(
        connection,
        f"""
        SELECT * FROM ({source})
        WHERE deleted_at IS NULL AND NOT coalesce(gdpr_redacted, FALSE)
            AND event_occurrence_id IS NOT NULL AND race_start_at IS NOT NULL""",
        by=START,
        given=f"{_day('race_start_at')} AS start_day",
        measures="max(race_start_at) AS last_start_at, min(participant_id, 5) AS ids",
    )


def registered_by_day(connection: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """Count participants by the start of a race and the day, in UTC, on which they were made.

    Those that don't say when they were made, or when they start, are left out.

    Returns:
        `event_id`, `race_id`, `race_name`, `race_day`, `day`, `entries` and `standing`, which are not
        deleted; and of the newest of the entries `updated_at` and `entry_id`. One row for each that
        differs, in no order.
    """
    return _grouped(
        connection,
        f"SELECT * FROM ({source}) WHERE race_start_at IS NOT NULL AND created_at IS NOT NULL",
        by=("event_id", "race_id", "race_name", "race_day", "day"),
        given=f"{_day('race_start_at')} AS race_day, {_day('created_at')} AS day",
        measures="count(*) FILTER (deleted_at IS NULL) AS standing",
        newest=_NEWEST.format(key="participant_id", otherwise="created_at"),
    )


def _grouped(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    *,
    by: tuple[str, ...],
    given: str,
    measures: str,
    newest: str | None = None,
) -> pl.DataFrame:
    """Count rows by some columns, `given` among them, with other measures of each group."""
    keys = listed(by)
    grouped = f"""
        SELECT {keys}, count(*) AS entries, {measures} {"" if newest is None else f", {newest}"}
        FROM (SELECT *, {given} FROM ({source})) GROUP BY {keys}"""
    if newest is not None:
        grouped = f"SELECT * EXCLUDE newest, newest.updated_at, newest.entry_id FROM ({grouped})"
    return connection.sql(grouped).pl()

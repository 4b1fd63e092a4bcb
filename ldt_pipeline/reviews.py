"""What people look at week by week, asked of the published file: for notebooks and reports.

What belongs here: questions that need today's date, or several tables, one function each, without
anybody's name. What doesn't: tables as they are (`notebook.py`), plots (`notebooks/`), and whatever the
pipeline can work out without knowing when somebody looks (`marts/`, or, as a view, `tables/views.py`).

In all of them `at` is the instant from which one looks, now unless it is given, and UTC where it names no
zone. Days are those of UTC. None of them has personal data, and all but `ages` also work with a file
that was published without any (`LDT_PUBLISH_PERSONAL_DATA=false`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from ldt_pipeline.arguments import days_of, id_or_all, instant_of
from ldt_pipeline.instants import now
from ldt_pipeline.marts.starter_issues import NEAR
from ldt_pipeline.notebook import read_frame

_START: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "event_name": pl.String(),
    "race_id": pl.String(),
    "race_name": pl.String(),
    "race_start_at": pl.Datetime("us", "UTC"),
}

_COUNT = pl.Int64()


def coming_starts(
    *, days: int = 14, at: dt.datetime | None = None, path: str | Path | None = None
) -> pl.DataFrame:
    """Give the starts of the next days, and what is still to do for each.

    Args:
        days: How far to look ahead.
        at: From when.
        path: Another published file.

    Returns:
        One row per race and start, the next one first: `event_id, event_name, race_id, race_name,
        race_start_at, days_to_race, starters, entered_last_7_days` (late entries),
        `without_bib, without_wave, without_emergency_contact` (participants who lack what others of
        their race have, as `data_issues` lists them; null where the start was not within 14 days when
        the file was published, as nobody has looked) and `shared_bibs` (bibs that several have on its
        day).

    Raises:
        NotPublishedError: There is no file.
    """
    query = """
        WITH starters AS (
            SELECT * FROM start_list_anonymous
            WHERE race_start_at >= $at AND race_start_at < $at + to_days($days::INTEGER)
        ), published AS (
            SELECT least($at, max(last_extracted_at)) AS at FROM sync_status
        ), missing AS (
            SELECT race_id, race_start_at,
                count(*) FILTER (kind = 'missing_bib') AS without_bib,
                count(*) FILTER (kind = 'missing_wave') AS without_wave,
                count(*) FILTER (kind = 'missing_emergency_contact') AS without_emergency_contact
            FROM starters JOIN data_issues USING (race_id)
            WHERE subject_id = participant_id GROUP BY ALL
        ), bibs AS (
            SELECT race_id, race_start_at, bib_number,
                count(*) OVER (PARTITION BY race_id, race_start_at::DATE, bib_number) AS holders
            FROM starters WHERE bib_number IS NOT NULL
        ), shared AS (
            SELECT race_id, race_start_at,
                count(DISTINCT bib_number) FILTER (holders > 1) AS shared_bibs
            FROM bibs GROUP BY ALL
        )
        SELECT max(event_id) AS event_id, max(event_name) AS event_name, race_id,
            max(race_name) AS race_name, race_start_at,
            date_diff('day', $at::DATE, race_start_at::DATE) AS days_to_race,
            count(*) AS starters,
            count(*) FILTER (registered_at >= $at - INTERVAL 7 DAY AND registered_at <= $at)
                AS entered_last_7_days,
            CASE WHEN is_near THEN coalesce(max(without_bib), 0) END AS without_bib,
            CASE WHEN is_near THEN coalesce(max(without_wave), 0) END AS without_wave,
            CASE WHEN is_near THEN coalesce(max(without_emergency_contact), 0) END
                AS without_emergency_contact,
            coalesce(max(shared_bibs), 0) AS shared_bibs
        FROM (
            SELECT starters.*, race_start_at <= published.at + to_days($near::INTEGER) AS is_near
            FROM starters, published
        )
        LEFT JOIN missing USING (race_id, race_start_at)
        LEFT JOIN shared USING (race_id, race_start_at)
        GROUP BY race_id, race_start_at, is_near
        ORDER BY race_start_at, race_id
    """
    counts = ("days_to_race", "starters", "entered_last_7_days", "without_bib", "without_wave")
    counts += ("without_emergency_contact", "shared_bibs")
    schema = {**_START, **dict.fromkeys(counts, _COUNT)}
    parameters = {"at": _instant(at), "days": days_of(days, "days"), "near": NEAR.days}
    return read_frame(query, parameters, schema, path)


def ages(
    *, days: int = 14, at: dt.datetime | None = None, path: str | Path | None = None
) -> pl.DataFrame:
    """Give how old the starters of the next days are on race day.

    Returns:
        One row per race, start and age: `event_id, event_name, race_id, race_name, race_start_at,
        age_on_race_day` (null where no date of birth can be read) and `starters`. A single starter of
        an age may be somebody whom others know: group before you pass it on.

    Raises:
        NotPublishedError: There is no file, or it was published without personal data.
    """
    query = """
        SELECT max(event_id) AS event_id, max(event_name) AS event_name, race_id,
            max(race_name) AS race_name, race_start_at, age_on_race_day, count(*) AS starters
        FROM start_list
        WHERE race_start_at >= $at AND race_start_at < $at + to_days($days::INTEGER)
        GROUP BY race_id, race_start_at, age_on_race_day
        ORDER BY race_start_at, race_id, age_on_race_day
    """
    schema = {**_START, "age_on_race_day": _COUNT, "starters": _COUNT}
    return read_frame(query, {"at": _instant(at), "days": days_of(days, "days")}, schema, path)


def changes_by_day(
    *, days: int = 14, at: dt.datetime | None = None, path: str | Path | None = None
) -> pl.DataFrame:
    """Give how much changed on start lists in the last days.

    Returns:
        One row per day, race and kind of change, without those in which nothing changed: `day,
        event_id, event_name, race_id, race_name, change` (as in `start_list_changes`), `changes`.

    Raises:
        NotPublishedError: There is no file.
    """
    query = """
        SELECT changed_at::DATE AS day, changed.event_id, races.event_name, race_id,
            races.race_name, change, count(*) AS changes
        FROM start_list_changes_anonymous AS changed LEFT JOIN races USING (race_id)
        WHERE changed_at > $at - to_days($days::INTEGER) AND changed_at <= $at
        GROUP BY ALL ORDER BY ALL
    """
    names = ("event_id", "event_name", "race_id", "race_name", "change")
    schema = {"day": pl.Date(), **dict.fromkeys(names, pl.String()), "changes": _COUNT}
    return read_frame(query, {"at": _instant(at), "days": days_of(days, "days")}, schema, path)


def registration_pace(
    event_id: str | None = None,
    *,
    at: dt.datetime | None = None,
    path: str | Path | None = None,
) -> pl.DataFrame:
    """Give how each coming start stands against the one before it, as many days ahead of the race.

    The one before is the latest start of the same race at least half a year earlier. As in
    `registrations_by_day`, an entry counts on the day on which it was made, whatever became of it.

    Returns:
        One row per race and coming start: `event_id, event_name, race_id, race_name, race_day,
        days_to_race, entries, previous_race_day, previous_entries_then` (the start before, as many
        days ahead), `previous_entries` (in the end) and `change` (the share by which `entries` are
        more, or less, than `previous_entries_then`). What has no start before is null.

    Raises:
        NotPublishedError: There is no file.
    """
    query = f"""
        {_WITH_PAIRS}
        SELECT *, entries / nullif(previous_entries_then, 0) - 1 AS change FROM (
            SELECT event_id, event_name, race_id, race_name, race_day, days_to_race,
                {_entries_until("race_day")} AS entries,
                previous_race_day,
                CASE WHEN previous_race_day IS NOT NULL
                    THEN {_entries_until("previous_race_day")} END AS previous_entries_then,
                (SELECT max(registrations_so_far) FROM registrations_by_day AS days
                WHERE days.race_id = pairs.race_id AND days.race_day = previous_race_day)
                    AS previous_entries
            FROM pairs
        ) ORDER BY race_day, race_id
    """  # noqa: S608 - ours
    names = ("event_id", "event_name", "race_id", "race_name")
    schema: dict[str, pl.DataType] = {
        **dict.fromkeys(names, pl.String()),
        "race_day": pl.Date(),
        "days_to_race": _COUNT,
        "entries": _COUNT,
        "previous_race_day": pl.Date(),
        "previous_entries_then": _COUNT,
        "previous_entries": _COUNT,
        "change": pl.Float64(),
    }
    return read_frame(
        query, {"at": _instant(at), "event_id": id_or_all(event_id, "event_id")}, schema, path
    )


def registration_curves(
    event_id: str | None = None,
    *,
    at: dt.datetime | None = None,
    path: str | Path | None = None,
) -> pl.DataFrame:
    """Give how entries of each coming start came in, and of the start before it: for a plot.

    Returns:
        One row per race, start and day with registrations: `event_id, event_name, race_id, race_name,
        edition` ("this one" or "the one before"), `race_day, days_to_race, registrations_so_far`.
        Starts are paired as in `registration_pace`.

    Raises:
        NotPublishedError: There is no file.
    """
    query = f"""
        {_WITH_PAIRS}
        SELECT pairs.event_id, event_name, race_id, pairs.race_name,
            CASE WHEN days.race_day = pairs.race_day THEN 'this one' ELSE 'the one before' END
                AS edition,
            days.race_day, days.days_to_race, registrations_so_far
        FROM registrations_by_day AS days JOIN pairs USING (race_id)
        WHERE days.race_day IN (pairs.race_day, previous_race_day) AND day <= $at::DATE
        ORDER BY pairs.race_day, race_id, days.race_day, day
    """  # noqa: S608 - ours
    names = ("event_id", "event_name", "race_id", "race_name", "edition")
    schema: dict[str, pl.DataType] = {
        **dict.fromkeys(names, pl.String()),
        "race_day": pl.Date(),
        "days_to_race": _COUNT,
        "registrations_so_far": _COUNT,
    }
    return read_frame(
        query, {"at": _instant(at), "event_id": id_or_all(event_id, "event_id")}, schema, path
    )


def ballots(event_id: str | None = None, *, path: str | Path | None = None) -> pl.DataFrame:
    """Give how far applications got, ballot by ballot: for a funnel.

    A ballot is a ticket that people apply for. `approved` are those whose status is APPROVED;
    `entered` those that led to a live participant. Other statuses are in `application_funnel`.

    Returns:
        One row per event, ticket and stage: `event_id, ticket_id, ticket_title, opened_on` (the day of
        the first application), `stage` (applied, approved, entered), `stage_number` (1 to 3),
        `applications` and `share` (of those who applied), the newest ballot first.

    Raises:
        NotPublishedError: There is no file.
    """
    query = """
        WITH ballots AS (
            SELECT event_id, ticket_id, max(ticket_title) AS ticket_title,
                min(first_applied_at)::DATE AS opened_on,
                sum(applications) AS applied,
                coalesce(sum(applications) FILTER (approval_status = 'APPROVED'), 0) AS approved,
                sum(converted) AS entered
            FROM application_funnel WHERE $event_id IS NULL OR event_id = $event_id GROUP BY ALL
        ), stages AS (
            FROM ballots SELECT *, 'applied' AS stage, 1 AS stage_number, applied AS applications
            UNION ALL FROM ballots SELECT *, 'approved', 2, approved
            UNION ALL FROM ballots SELECT *, 'entered', 3, entered
        )
        SELECT *, applications / applied AS share FROM stages
        ORDER BY opened_on DESC, event_id, ticket_id, stage_number
    """
    schema: dict[str, pl.DataType] = {
        **dict.fromkeys(("event_id", "ticket_id", "ticket_title"), pl.String()),
        "opened_on": pl.Date(),
        "stage": pl.String(),
        "stage_number": _COUNT,
        "applications": _COUNT,
        "share": pl.Float64(),
    }
    return read_frame(query, {"event_id": id_or_all(event_id, "event_id")}, schema, path)


def applications_by_day(
    event_id: str | None = None, *, path: str | Path | None = None
) -> pl.DataFrame:
    """Give how applications came in, ballot by ballot and day by day.

    Returns:
        One row per event, ticket and day with live applications: `event_id, ticket_id, ticket_title,
        opened_on, day, days_open` (0 on the first day), `applications` and `applications_so_far`.

    Raises:
        NotPublishedError: There is no file.
    """
    query = """
        WITH by_day AS (
            SELECT event_id, coalesce(ticket_id, '') AS ticket_id, created_at::DATE AS day,
                max(ticket_title) AS ticket_title, count(*) AS applications
            FROM applications_anonymous
            WHERE deleted_at IS NULL AND created_at IS NOT NULL
                AND ($event_id IS NULL OR event_id = $event_id)
            GROUP BY ALL
        )
        SELECT event_id, ticket_id, max(ticket_title) OVER ballot AS ticket_title,
            min(day) OVER ballot AS opened_on, day,
            date_diff('day', min(day) OVER ballot, day) AS days_open, applications,
            sum(applications) OVER (ballot ORDER BY day) AS applications_so_far
        FROM by_day WINDOW ballot AS (PARTITION BY event_id, ticket_id)
        ORDER BY opened_on DESC, event_id, ticket_id, day
    """
    schema: dict[str, pl.DataType] = {
        **dict.fromkeys(("event_id", "ticket_id", "ticket_title"), pl.String()),
        "opened_on": pl.Date(),
        "day": pl.Date(),
        "days_open": _COUNT,
        "applications": _COUNT,
        "applications_so_far": _COUNT,
    }
    return read_frame(query, {"event_id": id_or_all(event_id, "event_id")}, schema, path)


_WITH_PAIRS = """
    WITH starts AS (
        SELECT event_id, race_id, race_day, max(race_name) AS race_name FROM registrations_by_day
        WHERE $event_id IS NULL OR event_id = $event_id GROUP BY ALL
    ), pairs AS (
        SELECT starts.event_id, races.event_name, race_id, starts.race_name, starts.race_day,
            date_diff('day', $at::DATE, starts.race_day) AS days_to_race,
            max(earlier.race_day) AS previous_race_day
        FROM starts LEFT JOIN races USING (race_id)
        LEFT JOIN starts AS earlier ON earlier.race_id = starts.race_id
            AND earlier.race_day <= starts.race_day - 180
        WHERE starts.race_day >= $at::DATE GROUP BY ALL
    )
"""
"""Coming starts, each with the one before it. Half a year keeps apart the days of one weekend."""


def _entries_until(race_day: str) -> str:
    """Write how many entries the start on that day had, as many days ahead as the coming one has."""
    return f"""
        (SELECT coalesce(max(registrations_so_far), 0) FROM registrations_by_day AS days
        WHERE days.race_id = pairs.race_id AND days.race_day = pairs.{race_day}
            AND days.days_to_race >= pairs.days_to_race)
    """  # noqa: S608 - ours


def _instant(at: dt.datetime | None) -> dt.datetime:
    return now() if at is None else instant_of(at, "at")

"""Reading the published file, and nothing else: these commands work while the pipeline runs.

What belongs here: the questions that commands ask of `ldt.duckdb`. What doesn't: how the answers
are written (`exports.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ldt_pipeline.cli.command import CommandError
from ldt_pipeline.cli.text import clean, counted, one_line
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.connection import connect
from ldt_pipeline.warehouse.schema import listed
from ldt_pipeline.warehouse.starts import START_ORDER

_SHOWN_MOST = 20


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one table of the registry, with every column in its order."""

    table_name: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    sorted_by: str | None = None
    """The column by which somebody asked for them to be sorted."""


@contextmanager
def open_published(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Open the published file for reading.

    Raises:
        CommandError: It isn't there, can't be opened, or another version made it.
    """
    if not path.exists():
        raise CommandError(f"There is no published file yet at {path}. Run `ldt sync` first.")
    try:
        with connect(path, read_only=True) as connection:
            yield connection
    except (duckdb.CatalogException, duckdb.BinderException):
        raise CommandError(
            f"{path} was published by another version of the pipeline. Run `ldt sync`, and if that "
            "finds nothing new, `ldt rebuild`."
        ) from None
    except duckdb.Error as error:
        raise CommandError(
            f"{path} can't be read ({type(error).__name__}: {one_line(str(error))[:200]}). If a "
            "program has it open for writing, close that; otherwise `ldt rebuild` makes it anew."
        ) from None


def read_start_list(
    connection: duckdb.DuckDBPyConnection, race_id: str, on: dt.date | None = None
) -> Rows:
    """Give one race's start list: of its start on a day (UTC), or of all of its starts.

    Those whose start isn't known are on the day's list where the race has no other day.

    Raises:
        CommandError: There is no such race; the text lists those that there are. Or the file was
            published without personal data.
    """
    _require_people(connection)
    condition, parameters = "race_id = ?", [race_id]
    days = start_days(connection, race_id)
    if on is not None and days != [on]:
        condition, parameters = f"{condition} AND race_start_at::DATE = ?", [race_id, str(on)]
    found = _rows(connection, "start_list", condition, parameters, START_ORDER)
    if not found.rows and on is not None and days:
        others = ", ".join(str(day) for day in days)
        raise CommandError(f"Race {race_id} does not start on {on}; it does on {others}.")
    if not found.rows and not _exists(connection, "races", "race_id", race_id):
        raise CommandError(_unknown_race(connection, race_id))
    return found


def read_start_list_as_of(
    connection: duckdb.DuckDBPyConnection,
    race_id: str,
    as_of: dt.datetime,
    on: dt.date | None = None,
) -> tuple[Rows, int]:
    """Give one race's start list as it stood at an instant, as far as versions of then were seen.

    Those whose start wasn't known are on the day's list where the race had no other day. Else they
    are on none, and counted.

    Raises:
        CommandError: There is no such race, or the file was published without personal data.
    """
    _require_people(connection)
    columns = tuple(table("start_list").schema)
    rows = connection.execute(
        f"SELECT {listed(columns)} FROM participant_versions WHERE race_id = ? "  # noqa: S608 - the registry's names
        f"AND valid_from <= ? AND (valid_to > ? OR valid_to IS NULL) ORDER BY {START_ORDER}",
        [race_id, as_of, as_of],
    ).fetchall()
    if not rows and not _exists(connection, "races", "race_id", race_id):
        raise CommandError(_unknown_race(connection, race_id))
    left_out = 0
    if on is not None:
        start = columns.index("race_start_at")
        days = [row[start] and row[start].astimezone(dt.UTC).date() for row in rows]
        if set(days) - {None} != {on}:
            left_out = days.count(None)
            rows = [row for row, day in zip(rows, days, strict=True) if day == on]
    return Rows(table_name="start_list", columns=columns, rows=rows), left_out


def start_days(connection: duckdb.DuckDBPyConnection, race_id: str) -> list[dt.date]:
    """Give the days (UTC) on which a race starts, the latest first: it may come every year."""
    rows = connection.execute(
        """
        SELECT DISTINCT race_start_at::DATE FROM start_list
        WHERE race_id = ? AND race_start_at IS NOT NULL ORDER BY 1 DESC
        """,
        [race_id],
    ).fetchall()
    return [row[0] for row in rows]


def count_undated(connection: duckdb.DuckDBPyConnection, race_id: str) -> int:
    """Count those on a race's start list whose start isn't known."""
    query = "SELECT count(*) FROM start_list WHERE race_id = ? AND race_start_at IS NULL"
    return connection.execute(query, [race_id]).fetchall()[0][0]


def require_event(connection: duckdb.DuckDBPyConnection, event_id: str) -> None:
    """Make sure that an event is in the file.

    Raises:
        CommandError: It isn't; the text lists those that are.
    """
    if not _exists(connection, "events", "event_id", event_id):
        raise CommandError(_unknown_event(connection, event_id))


def read_sync_status(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Give `sync_status`, a dictionary for each feed."""
    found = _rows(connection, "sync_status", "true", [], "feed")
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def read_loaded(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, int]]:
    """Give the feed and the number of records of each extract that is in the file, by its id."""
    rows = connection.execute("SELECT extract_id, feed, records FROM loaded_extracts").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def biggest_race(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[str, str, str, dt.date] | None:
    """Give the id, name, event and day of the start that most participants have still before them.

    Of those that are over, where none is to come.

    Raises:
        CommandError: The file was published without personal data.
    """
    _require_people(connection)
    rows = connection.execute(
        """
        SELECT race_id, coalesce(any_value(race_name), 'a race without a name'),
            coalesce(any_value(event_name), any_value(event_id), ''), race_start_at::DATE AS day
        FROM start_list WHERE race_id IS NOT NULL AND race_start_at IS NOT NULL
        GROUP BY race_id, day ORDER BY day >= current_date DESC, count(*) DESC, race_id LIMIT 1
        """
    ).fetchall()
    return rows[0] if rows else None


def _rows(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    condition: str,
    parameters: list[str],
    order: str,
) -> Rows:
    columns = tuple(table(name).schema)
    rows = connection.execute(
        f"SELECT {listed(columns)} FROM {name} WHERE {condition} ORDER BY {order}",  # noqa: S608 - registry
        parameters,
    ).fetchall()
    return Rows(table_name=name, columns=columns, rows=rows)


def _require_people(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'main'"
    ).fetchall()
    if ("start_list_anonymous", "BASE TABLE") in found:
        raise CommandError(
            "The published file holds no personal data, and a start list is nothing else. Set "
            "LDT_PUBLISH_PERSONAL_DATA to true, or unset it, and run `ldt sync`; what can be had "
            "without is in its table start_list_anonymous."
        )


def _exists(connection: duckdb.DuckDBPyConnection, name: str, column: str, value: str) -> bool:
    query = f"SELECT 1 FROM {name} WHERE {column} = ? LIMIT 1"  # noqa: S608 - names are ours
    return bool(connection.execute(query, [value]).fetchall())


def _unknown_race(connection: duckdb.DuckDBPyConnection, race_id: str) -> str:
    races = connection.execute(
        """
        SELECT race_id, race_name, event_name, event_id = ? AS is_asked_for FROM races
        ORDER BY is_asked_for DESC, abs(epoch(race_start_at) - epoch(now())), race_id
        """,
        [race_id],
    ).fetchall()
    of_event = [race for race in races if race[3]]
    start = f"There is no race {clean(race_id)!r} in the published file."
    if of_event:
        start = f"{clean(race_id)!r} is an event, not a race."
    return f"{start} {_listed('race', of_event or races)}"


def _unknown_event(connection: duckdb.DuckDBPyConnection, event_id: str) -> str:
    events = connection.execute(
        """
        SELECT event_id, event_name, NULL FROM events
        ORDER BY abs(epoch(last_race_start_at) - epoch(now())) NULLS LAST, event_id
        """
    ).fetchall()
    return (
        f"There is no event {clean(event_id)!r} in the published file. {_listed('event', events)}"
    )


def _listed(noun: str, found: list[tuple[Any, ...]]) -> str:
    if not found:
        return f"It holds no {noun}s yet."
    shown = [
        f"{clean(each[0])} ({', '.join(clean(name) for name in each[1:3] if name) or 'no name'})"
        for each in found[:_SHOWN_MOST]
    ]
    more = len(found) - len(shown)
    rest = f"; and {counted(more, 'more', 'more')}" if more else ""
    return f"Known {noun}s: {'; '.join(shown)}{rest}."

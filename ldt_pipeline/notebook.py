"""The published file in Python: for notebooks, reports and scripts.

What belongs here: opening the file, and its tables as polars frames. What doesn't: computing anything,
which the pipeline has done. None of it needs a key, the network or Dagster, and none of it can stop the
pipeline, or be stopped by it.

All frames have the types of the registry (`docs/tables.md` has every column); instants are UTC. An argument
of a kind that isn't meant is refused as a TypeError or ValueError (`arguments.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from ldt_pipeline.arguments import day_of, id_of, id_or_all, instant_of
from ldt_pipeline.settings import load_settings
from ldt_pipeline.tables import VIEWS, table
from ldt_pipeline.warehouse.schema import listed, literal
from ldt_pipeline.warehouse.starts import START_ORDER

_DATABASE = "ldt"


class NotPublishedError(Exception):
    """There is no published file, or it lacks what was asked for."""


def connect(path: str | Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open the published file for reading: the newest, however many were opened before.

    It may stay open for ever: it then shows the file as it was when it was opened. Tables stand under
    their own names, and `db.sql("select * from start_list").pl()` gives a polars frame.

    Args:
        path: The file; by default the one of the settings (`LDT_DATA_DIR`, `.env`), in the working
            folder or in the nearest one above it that has such a file or an `.env`.

    Raises:
        NotPublishedError: There is no such file yet.
        duckdb.Error: The file can't be read.
    """
    file = Path(path).expanduser() if path is not None else _published_path()
    if not file.exists():
        raise NotPublishedError(
            f"There is no published file at {file}. Run `ldt sync` first, or name the folder with "
            "LDT_DATA_DIR."
        )
    if file.is_dir():
        raise NotPublishedError(f"{file} is a folder: name the published file, ldt.duckdb, in it.")
    # Not `duckdb.connect(file)`: while one connection to a path is open, DuckDB gives the same
    # database to the next one, although another file lies there by now.
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        # Else what finds no room in memory goes to the notebook's folder, where no erasure looks.
        connection.execute(f"SET temp_directory = {literal(f'{file}.tmp')}")
        connection.execute(f"ATTACH {literal(str(file))} AS {_DATABASE} (READ_ONLY)")
        connection.execute(f"USE {_DATABASE}")
    except BaseException:
        connection.close()
        raise
    return connection


def start_list(
    race_id: str,
    *,
    on: dt.date | None = None,
    as_of: dt.datetime | None = None,
    path: str | Path | None = None,
) -> pl.DataFrame:
    """Give a race's start list: one row per participant, by start, wave and bib.

    Args:
        race_id: The race; `races()` lists them. An unknown one has no rows.
        on: Only the start on this day (UTC): a race may come every year under the same id. Those whose
            start isn't known are on it where the race has no other day. An instant stands for its day.
        as_of: The list as it stood then, as far as versions of then were seen; an instant without a
            zone is UTC.
        path: Another published file.

    Returns:
        The columns of the table `start_list`, with personal data.

    Raises:
        NotPublishedError: There is no file, or it was published without personal data.
    """
    source, condition = "start_list", "race_id = $race_id"
    parameters: dict[str, Any] = {"race_id": id_of(race_id, "race_id")}
    if as_of is not None:
        source = "participant_versions"
        condition += " AND valid_from <= $as_of AND (valid_to > $as_of OR valid_to IS NULL)"
        parameters["as_of"] = instant_of(as_of, "as_of")
    if on is not None:
        condition += (
            " QUALIFY race_start_at::DATE = $on::DATE OR (race_start_at IS NULL"
            " AND min(race_start_at::DATE) OVER () = $on::DATE"
            " AND max(race_start_at::DATE) OVER () = $on::DATE)"
        )
        parameters["on"] = day_of(on, "on")
    return _read(
        source, condition, parameters, START_ORDER, path, columns=list(_schema("start_list"))
    )


def start_list_changes(
    race_id: str | None = None,
    *,
    since: dt.datetime | None = None,
    path: str | Path | None = None,
) -> pl.DataFrame:
    """Give what changed on start lists: one row per participant and change, by instant.

    Args:
        race_id: Of this race alone.
        since: Only what changed after this instant; UTC where it names no zone.
        path: Another published file.

    Returns:
        The columns of the table `start_list_changes`.

    Raises:
        NotPublishedError: There is no file, or it was published without personal data.
    """
    parameters: dict[str, Any] = {}
    condition = "TRUE"
    if race_id is not None:
        condition += " AND race_id = $race_id"
        parameters["race_id"] = id_of(race_id, "race_id")
    if since is not None:
        condition += " AND changed_at > $since"
        parameters["since"] = instant_of(since, "since")
    order = "changed_at, participant_id, change"
    return _read("start_list_changes", condition, parameters, order, path)


def participant_versions(participant_id: str, *, path: str | Path | None = None) -> pl.DataFrame:
    """Give every version of a participant that was seen, the oldest first.

    Returns:
        The columns of the table `participant_versions`; an unknown participant has no rows.

    Raises:
        NotPublishedError: There is no file, or it was published without personal data.
    """
    parameters = {"participant_id": id_of(participant_id, "participant_id")}
    condition = "participant_id = $participant_id"
    return _read("participant_versions", condition, parameters, "version", path)


def partner_allocations(
    event_id: str | None = None, *, path: str | Path | None = None
) -> pl.DataFrame:
    """Give who got how many places: one row per live reserved entry group, by event and partner.

    Returns:
        The columns of the table `partner_allocations`, of one event or of all.

    Raises:
        NotPublishedError: There is no file.
    """
    order = "event_id, partner_name NULLS LAST, reserved_entry_group_id"
    return _of_event("partner_allocations", event_id, order, path)


def allocation_pace(event_id: str | None = None, *, path: str | Path | None = None) -> pl.DataFrame:
    """Give how fast places are claimed, counted now: one row per live reserved entry group.

    Returns:
        The columns of the view `allocation_pace`, of one event or of all: those of
        `partner_allocations`, claims in the last seven days, when the group will be full, and days
        to the race.

    Raises:
        NotPublishedError: There is no file.
    """
    order = "event_id, partner_name NULLS LAST, reserved_entry_group_id"
    return _of_event("allocation_pace", event_id, order, path)


def allocation_history(
    event_id: str | None = None, *, path: str | Path | None = None
) -> pl.DataFrame:
    """Give how groups stood day by day, as far as they were read: one row per group and day.

    Returns:
        The columns of the table `allocation_history`, of one event or of all. It begins with the first
        sync: the API tells nothing of the time before.

    Raises:
        NotPublishedError: There is no file.
    """
    order = "event_id, reserved_entry_group_id, day"
    return _of_event("allocation_history", event_id, order, path)


def application_funnel(
    event_id: str | None = None, *, path: str | Path | None = None
) -> pl.DataFrame:
    """Give what became of applications: by event, ticket, draw, resolution and status.

    Returns:
        The columns of the table `application_funnel`, of one event or of all.

    Raises:
        NotPublishedError: There is no file.
    """
    order = "event_id, ticket_id, ballot_draw, application_resolution_type, approval_status"
    return _of_event("application_funnel", event_id, order, path)


def races(*, path: str | Path | None = None) -> pl.DataFrame:
    """Give every race that is known, by start and id.

    Returns:
        The columns of the table `races`, one row per race.

    Raises:
        NotPublishedError: There is no file.
    """
    return _read("races", "TRUE", {}, "race_start_at NULLS LAST, race_id", path)


def data_issues(event_id: str | None = None, *, path: str | Path | None = None) -> pl.DataFrame:
    """Give the problems that a person can fix: one row per problem, the most severe first.

    Returns:
        The columns of the table `data_issues`, of one event or of all.

    Raises:
        NotPublishedError: There is no file.
    """
    order = (
        "list_position(['error', 'warning', 'info'], severity), kind, event_id, race_id, subject_id"
    )
    return _of_event("data_issues", event_id, order, path)


def _published_path() -> Path:
    """Look upwards: Jupyter starts a notebook in the notebook's own folder, not in the project's."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        env_file = folder / ".env"
        file = load_settings(env_file).published_path
        if file.is_relative_to(here):  # settings take a relative folder to be in the working one
            file = folder / file.relative_to(here)
        if file.exists() or env_file.is_file():
            return file
    return load_settings().published_path


def read_frame(
    query: str,
    parameters: Mapping[str, Any],
    schema: Mapping[str, pl.DataType],
    path: str | Path | None = None,
) -> pl.DataFrame:
    """Ask the published file, and give the columns of the schema in its types and order.

    Args:
        query: SQL with `$name` for each parameter. It can be a user's own.
        parameters: Values by name.
        schema: The columns that the query gives, or some of them, with their types.
        path: Another published file.

    Raises:
        NotPublishedError: There is no file, or it lacks a table or column that the query names.
    """
    connection = connect(path)
    try:
        # A table that isn't there would be looked for among the functions of this module.
        connection.execute("SET python_enable_replacements = false")
        frame = connection.sql(query, params=dict(parameters)).pl()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise NotPublishedError(
            f"The published file lacks a table or column ({_first_line(error)}). Unless that is "
            "misspelt, it was published without personal data (the same table with _anonymous at its "
            "end may be there), or by another version. See LDT_PUBLISH_PERSONAL_DATA, and `ldt sync`."
        ) from None
    finally:
        connection.close()
    return frame.select(pl.col(each).cast(kind) for each, kind in schema.items())


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _schema(name: str) -> dict[str, pl.DataType]:
    return (VIEWS[name].table if name in VIEWS else table(name)).schema


def _of_event(name: str, event_id: str | None, order: str, path: str | Path | None) -> pl.DataFrame:
    """Give a table or view as a frame: the rows of one event, or of all."""
    parameters = {"event_id": id_or_all(event_id, "event_id")}
    return _read(name, "$event_id IS NULL OR event_id = $event_id", parameters, order, path)


def _read(
    name: str,
    condition: str,
    parameters: dict[str, Any],
    order: str,
    path: str | Path | None,
    *,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    schema = {each: _schema(name)[each] for each in columns or _schema(name)}
    query = f"SELECT {listed(schema)} FROM {name} WHERE {condition} ORDER BY {order}"  # noqa: S608 - ours
    return read_frame(query, parameters, schema, path)

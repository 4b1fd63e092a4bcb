"""Those who left a race's list since it was sent: withdrawn, or in another race now.

What belongs here: what a file says of them. What doesn't: who they are (`changes.py`).

Timing software knows a runner by id or bib, across the races of its file. "Withdrawn" of somebody who
moved would have them not start in the race that they run: only a layout that names the race by its id
can say it of one race alone. In others they get a file of their own, which says what holds now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from ldt_pipeline.erasing.ledger import Sent
from ldt_pipeline.exporting.changes import ENTERED, MOVED, WITHDRAWN
from ldt_pipeline.exporting.presets import CHANGE, OLD_BIB, STATUS, Preset
from ldt_pipeline.exporting.reading import rows_of
from ldt_pipeline.race_calendar import RACE_WEEK
from ldt_pipeline.tables import table


@dataclass(frozen=True, kw_only=True)
class Leavers:
    """Rows of those who left, by what is said of them.

    `kept_back` is what the recipient has of those of whom nothing can be said yet.
    """

    withdrawn: list[dict[str, Any]]
    moved: list[dict[str, Any]]
    kept_back: dict[str, Sent]


def leavers(
    connection: duckdb.DuckDBPyConnection,
    left: Mapping[str, Sent],
    *,
    preset: Preset,
    race_id: str,
    on: str | None,
    bibs: Collection[str | None],
) -> Leavers:
    """Tell those who withdrew from those who moved.

    Args:
        connection: The published file.
        left: By participant, what the recipient has.
        preset: The layout. Whoever moved, and lacks what it requires, is kept back.
        race_id: The race whose list they left.
        on: The day of the start (UTC), where the list is of one.
        bibs: The bibs on the list: they are those of somebody else.
    """
    empty = dict.fromkeys(table("start_list").schema)
    then = _in_race(connection, left, race_id, on)
    now = {} if preset.names_race else _elsewhere(connection, left)
    withdrawn: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    kept_back: dict[str, Sent] = {}
    for name, each in sorted(left.items()):
        before = then.get(name, {**empty, "participant_id": name})
        after = now.get(name)
        if after is None or not _is_near(before["race_start_at"], after["race_start_at"]):
            # The bib that the recipient knows them by: in a row that is read by bib, nobody else's.
            bib = None if each.bib in bibs else each.bib
            row = {**before, "bib_number": bib, CHANGE: WITHDRAWN, STATUS: WITHDRAWN}
            withdrawn.append({**row, OLD_BIB: each.bib})
        elif all(after[needed] for needed in preset.require):
            moved.append({**after, CHANGE: MOVED, OLD_BIB: each.bib, STATUS: ENTERED})
        else:
            kept_back[name] = each
    return Leavers(withdrawn=withdrawn, moved=moved, kept_back=kept_back)


def _in_race(
    connection: duckdb.DuckDBPyConnection, ids: Collection[str], race_id: str, on: str | None
) -> dict[str, dict[str, Any]]:
    """Give the last version that entries had in a race (and on a day), as far as there is one."""
    return _by_participant(
        connection,
        "participant_versions",
        ids,
        "AND race_id = ? AND (?::DATE IS NULL OR coalesce(race_start_at::DATE = ?::DATE, true)) "
        "QUALIFY row_number() OVER (PARTITION BY participant_id ORDER BY version DESC) = 1",
        [race_id, on, on],
    )


def _elsewhere(
    connection: duckdb.DuckDBPyConnection, ids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Give the rows of those who stand on another list: on this one they aren't any more."""
    return _by_participant(connection, "start_list", ids, "", [])


def _by_participant(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    ids: Collection[str],
    condition: str,
    parameters: list[str | None],
) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    clauses = f"WHERE list_contains(?::VARCHAR[], participant_id) {condition}"
    found = rows_of(connection, source, clauses, [list(ids), *parameters])
    return {each["participant_id"]: each for each in found}


def _is_near(before: dt.datetime | None, after: dt.datetime | None) -> bool:
    """Whether two starts may be in one file of a timing system; an entry put off by a year isn't."""
    return before is None or after is None or abs(after - before) <= RACE_WEEK

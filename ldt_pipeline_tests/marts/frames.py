"""Tidy frames for tests of the marts: rows with what matters to the test, the rest null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from hypothesis import strategies as st

from ldt_pipeline.tables import table
from ldt_pipeline.tidy.questions import COLUMNS
from ldt_pipeline.warehouse import entry_groups
from ldt_pipeline.warehouse.connection import connect, registered

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
GONE = datetime(2026, 1, 1, tzinfo=UTC)


def rows(name: str, *some: Mapping[str, Any]) -> pl.DataFrame:
    """Give a registry table with these rows; columns that a row leaves out are null."""
    schema = table(name).schema
    unknown = {key for row in some for key in row} - set(schema)
    assert not unknown, f"table {name} has no columns {unknown}"
    return pl.DataFrame([dict.fromkeys(schema) | dict(row) for row in some], schema=schema)


def answer_rows(*some: Mapping[str, Any]) -> pl.DataFrame:
    names = ("participant_id", *COLUMNS)
    filled = [dict.fromkeys(names) | dict(row) for row in some]
    return pl.DataFrame(filled, schema=dict.fromkeys(names, pl.String()))


def questions(*some: tuple[str, int]) -> pl.DataFrame:
    schema = {"question": pl.String(), "answers": pl.Int64()}
    return pl.DataFrame(list(some), schema=schema, orient="row")


_UNTIL_THE_END = ExitStack()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return _UNTIL_THE_END.enter_context(connect(Path(":memory:")))


def described(*, participants: pl.DataFrame, applications: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Count entries as the warehouse does, for marts that are made from these two."""
    database = _database()
    with (
        registered(database, "some_participants", participants),
        registered(database, "some_applications", applications),
    ):
        of_participants, of_applications = (
            f"FROM some_{each}" for each in ("participants", "applications")
        )
        return {
            "participants": entry_groups.described_participants(database, of_participants),
            "applications": entry_groups.described_applications(
                database, of_applications, of_participants
            ),
        }


def claimed(participants: pl.DataFrame) -> pl.DataFrame:
    """Count participants by the group that they name, as the warehouse does."""
    with registered(_database(), "some_participants", participants):
        return entry_groups.claimed_groups(_database(), "FROM some_participants")


def starts(participants: pl.DataFrame) -> pl.DataFrame:
    """Count participants by the edition and day of their start, as the warehouse does."""
    with registered(_database(), "some_participants", participants):
        return entry_groups.starts_by_edition(_database(), "FROM some_participants")


def ended(participants: pl.DataFrame) -> pl.DataFrame:
    """Find participants with a status that says that it is over, as the warehouse does."""
    with registered(_database(), "some_participants", participants):
        return entry_groups.ended_entries(_database(), "FROM some_participants")


def registrations(participants: pl.DataFrame) -> pl.DataFrame:
    """Count participants by start and day, as the warehouse does."""
    with registered(_database(), "some_participants", participants):
        return entry_groups.registered_by_day(_database(), "FROM some_participants")


def shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    return frame.sample(fraction=1.0, shuffle=True, seed=seed)


def instants(*hours: int) -> list[datetime]:
    return [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in hours]


_IDS = st.integers(0, 3)
_MAYBE_GONE = st.sampled_from([None, None, None, GONE])
_BLANKS = [None, "", " ", "\u3000\x85"]


def _text(*options: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([*options, *options, *_BLANKS])


def _entries(key: str, prefix: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        st.fixed_dictionaries(
            {
                key: st.integers(0, 30).map(lambda number: f"{prefix}{number}"),
                "event_id": _text("e1", "e2"),
                "event_name": _text("Event 1", "Event 2"),
                "race_id": _text("r1", "r2", "r3"),
                "race_name": _text("10k", "Half"),
                "race_start_at": st.sampled_from([None, NOW, datetime(2026, 4, 26, tzinfo=UTC)]),
                "created_at": st.sampled_from([None, *instants(1, 2)]),
                "updated_at": st.sampled_from([None, *instants(3, 4, 5)]),
                "bib_number": _text("7", "007", " 7 "),
                "wave": _text("A"),
                "gdpr_redacted": st.sampled_from([None, False, True]),
                "booker_name": _text("Booker B"),
                "reserved_entry_group_code": _text("g1", "g2", "g9"),
                "reserved_entry_group_name": _text("Places", "Other"),
                "reserved_entry_partner_name": _text("Charity", "CHARITY ", "Nobody"),
                "reserved_entry_partner_enthuse_id": _text("x1", "x2"),
                "deleted_at": _MAYBE_GONE,
            }
        ),
        max_size=12,
        unique_by=lambda row: row[key],
    )


def participants_frames() -> st.SearchStrategy[pl.DataFrame]:
    return _entries("participant_id", "a").map(lambda some: rows("participants", *some))


def applications_frames() -> st.SearchStrategy[pl.DataFrame]:
    return _entries("application_id", "b").map(lambda some: rows("applications", *some))


def group_frames() -> st.SearchStrategy[pl.DataFrame]:
    """Groups with equal names and, against the registry's promise, equal ids."""
    return st.lists(
        st.fixed_dictionaries(
            {
                "reserved_entry_group_id": _IDS.map(lambda number: f"g{number}"),
                "event_id": _text("e1", "e2"),
                "partner_id": _text("p1", "p2", "p9"),
                "name": _text("Places", "Other"),
                "max_capacity": st.sampled_from([None, 0, 1, 5]),
                "used_capacity": st.sampled_from([None, 0, 1, 7]),
                "deleted_at": _MAYBE_GONE,
            }
        ),
        max_size=6,
    ).map(lambda some: rows("reserved_entry_groups", *some))


def partner_frames() -> st.SearchStrategy[pl.DataFrame]:
    """Partners with equal names, external ids and, against the promise, equal ids."""
    return st.lists(
        st.fixed_dictionaries(
            {
                "partner_id": _IDS.map(lambda number: f"p{number}"),
                "name": _text("Charity", "charity", "Sponsor"),
                "type": _text("CHARITY"),
                "enthuse_id": _text("x1", "x2"),
                "deleted_at": _MAYBE_GONE,
            }
        ),
        max_size=6,
    ).map(lambda some: rows("partners", *some))


def answers_frames() -> st.SearchStrategy[pl.DataFrame]:
    return st.lists(
        st.fixed_dictionaries(
            {
                "participant_id": st.integers(0, 40).map(lambda number: f"a{number}"),
                "first_name": _text("Ann"),
                "last_name": _text("Smith"),
                "date_of_birth": _text("1990-02-03", "no date", "2030-01-01"),
                "emergency_contact_phone": _text("+44 1"),
            }
        ),
        max_size=12,
        unique_by=lambda row: row["participant_id"],
    ).map(lambda some: answer_rows(*some))


def present(values: Sequence[str | None]) -> list[str]:
    """Give the values that are not blank."""
    return [value for value in values if value is not None and value.strip()]

"""Keeping marts: reads the tidy columns that a mart needs, has it computed, and stores it.

What belongs here: which tables and columns a mart reads. What doesn't: how it is computed
(`ldt_pipeline/marts/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb
import polars as pl

from ldt_pipeline import marts
from ldt_pipeline.allocations.changes_table import allocation_changes
from ldt_pipeline.erasing.ledger import receipts
from ldt_pipeline.instants import now
from ldt_pipeline.race_calendar import AFTER_START
from ldt_pipeline.tables import table
from ldt_pipeline.tidy.questions import Questions, unmapped_questions
from ldt_pipeline.warehouse import books, entry_groups
from ldt_pipeline.warehouse.allocation_days import allocation_history
from ldt_pipeline.warehouse.answers import answered, asked_questions, filling
from ldt_pipeline.warehouse.connection import registered, transaction
from ldt_pipeline.warehouse.entries import (
    build_participant_versions,
    build_start_list,
    build_start_list_changes,
)
from ldt_pipeline.warehouse.outcomes import forget_outcomes, note_made
from ldt_pipeline.warehouse.read import read_table, relation
from ldt_pipeline.warehouse.schema import listed

_PARTICIPANTS = relation(table("participants"))
_APPLICATIONS = relation(table("applications"))


@dataclass
class Sources:
    """What marts are computed from, each read once and only when it is needed.

    Participants and applications are counted by what they say, and never read whole.
    """

    connection: duckdb.DuckDBPyConnection
    questions: Questions
    configured_event_ids: tuple[str, ...]
    ledger_dir: Path | None = None
    minimum_ages: Mapping[str, int] = field(default_factory=dict[str, int])
    events_without_groups: tuple[str, ...] = ()
    allocations_dir: Path | None = None

    @cached_property
    def participants(self) -> pl.DataFrame:
        """Participants by what they say of their event and race."""
        return entry_groups.described_participants(self.connection, _PARTICIPANTS)

    @cached_property
    def applications(self) -> pl.DataFrame:
        """Applications by what they say of their event, race, ticket and standing."""
        return entry_groups.described_applications(self.connection, _APPLICATIONS, _PARTICIPANTS)

    @cached_property
    def claimed(self) -> pl.DataFrame:
        """Live participants by the reserved entry group that they name."""
        return entry_groups.claimed_groups(self.connection, _PARTICIPANTS)

    @cached_property
    def described(self) -> list[pl.DataFrame]:
        """How entries describe events and races."""
        return marts.descriptions(participants=self.participants, applications=self.applications)

    def read(self, name: str) -> pl.DataFrame:
        """Give any other table of the registry."""
        return read_table(self.connection, name)


def _events(sources: Sources) -> pl.DataFrame:
    return marts.events(
        described=sources.described,
        participants=sources.participants,
        applications=sources.applications,
        reserved_entry_groups=sources.read("reserved_entry_groups"),
        tickets=sources.read("tickets"),
        configured_event_ids=sources.configured_event_ids,
    )


def _races(sources: Sources) -> pl.DataFrame:
    return marts.races(
        described=sources.described,
        participants=sources.participants,
        applications=sources.applications,
    )


def _partner_allocations(sources: Sources) -> pl.DataFrame:
    return marts.partner_allocations(
        reserved_entry_groups=sources.read("reserved_entry_groups"),
        partners=sources.read("partners"),
        claimed=sources.claimed,
        events=sources.read("events"),
    )


def _data_issues(sources: Sources) -> pl.DataFrame:
    at = now()
    # Years of races lie behind: only those that somebody can still mend are read.
    is_ahead = f"race_start_at IS NULL OR race_start_at >= '{at - AFTER_START}'::TIMESTAMPTZ"
    starters = read_table(sources.connection, "start_list", marts.STARTER_COLUMNS, where=is_ahead)
    asked = asked_questions(sources.connection)
    return marts.data_issues(
        start_list=starters,
        partner_allocations=sources.read("partner_allocations"),
        claimed=sources.claimed,
        ended=entry_groups.ended_entries(sources.connection, _PARTICIPANTS),
        starts=entry_groups.starts_by_edition(sources.connection, _PARTICIPANTS),
        reserved_entry_groups=sources.read("reserved_entry_groups"),
        unmapped_questions=unmapped_questions(asked, sources.questions),
        birth_dates_given=answered(
            sources.connection,
            filling(asked, sources.questions),
            marts.of_unknown_age(starters),
            column="date_of_birth",
        ),
        now=at,
        minimum_ages=sources.minimum_ages,
        events_without_groups=sources.events_without_groups,
    )


def _exports(sources: Sources) -> pl.DataFrame:
    rows = receipts(sources.ledger_dir) if sources.ledger_dir is not None else []
    return pl.DataFrame(rows, schema=table("exports").schema)


BUILDERS: Mapping[str, Callable[[Sources], pl.DataFrame | int]] = {
    "events": _events,
    "races": _races,
    "start_list": lambda sources: build_start_list(sources.connection, sources.questions),
    "participant_versions": lambda sources: build_participant_versions(
        sources.connection, sources.questions
    ),
    "start_list_changes": lambda sources: build_start_list_changes(sources.connection),
    "partner_allocations": _partner_allocations,
    "application_funnel": lambda sources: marts.application_funnel(sources.applications),
    "registrations_by_day": lambda sources: marts.registrations_by_day(
        entry_groups.registered_by_day(sources.connection, _PARTICIPANTS)
    ),
    "allocation_history": lambda sources: allocation_history(sources.connection),
    "data_issues": _data_issues,
    "rejected_records": lambda sources: books.rejected_records(sources.connection),
    "schema_drift": lambda sources: books.schema_drift(sources.connection),
    "sync_status": lambda sources: books.sync_status(sources.connection),
    "loaded_extracts": lambda sources: books.loaded_extracts(sources.connection),
    "erasures": lambda sources: books.erasures(sources.connection),
    "exports": _exports,
    "allocation_changes": lambda sources: allocation_changes(sources.allocations_dir),
}
"""How each mart is computed; in this order, as later ones read earlier ones.

Each gives the rows to store, or how many it has stored itself.
"""


def build_mart(sources: Sources, name: str) -> int:
    """Compute a mart and put it in the place of its last state; gives its number of rows."""
    connection = sources.connection
    frame = BUILDERS[name](sources)
    if isinstance(frame, int):
        note_made(connection, name)
        return frame
    names = listed(table(name).schema)
    with registered(connection, "mart_rows", frame), transaction(connection):
        forget_outcomes(connection, name)
        connection.execute(f"DELETE FROM marts.{name}")
        connection.execute(f"INSERT INTO marts.{name} ({names}) SELECT {names} FROM mart_rows")
    note_made(connection, name)
    return frame.height

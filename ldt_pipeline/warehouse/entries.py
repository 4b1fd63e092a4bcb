"""The marts with rows for single entries: made anew for those entries alone of whom anything changed.

What belongs here: what a row of the start list follows from, and putting rows in the place of those
they replace. What doesn't: computing them (`marts/`, `versions.py`), and comparing (`changed.py`).

A property test holds marts that were kept up step by step to marts that are made at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import duckdb
import polars as pl

from ldt_pipeline import marts, tidy
from ldt_pipeline.marts.attribution import CLAIM, resolved
from ldt_pipeline.tables import marts as mart_tables
from ldt_pipeline.tables import table
from ldt_pipeline.tidy.questions import Questions
from ldt_pipeline.warehouse import answers, versions
from ldt_pipeline.warehouse.answers import answers_by_column, matched_questions
from ldt_pipeline.warehouse.changed import (
    PUBLISHED,
    WHOSE,
    done,
    is_one_slice,
    note_changed,
    owe,
    slices,
    take,
    within,
)
from ldt_pipeline.warehouse.connection import registered, rows_in_place, transaction
from ldt_pipeline.warehouse.outcomes import forget_outcomes
from ldt_pipeline.warehouse.read import read_table, relation
from ldt_pipeline.warehouse.schema import listed
from ldt_pipeline.warehouse.versions import build_versions

_PARTICIPANTS = "participants"
_APPLICATIONS = "applications"

_SLICES_A_COMMIT = 2
"""As many rows as DuckDB keeps in one group: a group that is committed half full is written again with the
next one, which took a third of the time."""

_READ = (
    *("participant_id", "application_id", "booking_id", "ticket_id", "ticket_title", "bib_number"),
    *("wave", "booker_name", "booker_email", "booker_type", "gdpr_redacted"),
    *("race_id", "race_name", "race_start_at", "event_name", "created_at", "updated_at"),
    *("deleted_at", *CLAIM),
)
"""The columns of `participants` that the start list is made from."""


def build_start_list(connection: duckdb.DuckDBPyConnection, questions: Questions) -> int:
    """Bring `start_list` up to date; gives its number of rows.

    A large one in several transactions: DuckDB keeps in memory what is not committed. Where it is
    interrupted it stays owed what it was, and what follows from it is owed nothing yet.
    """
    with transaction(connection):
        partners = read_table(connection, "partners")
        groups = read_table(connection, "reserved_entry_groups")
        _note_changed_participants(connection, questions, partners, groups)
        count = take(connection, "start_list", _PARTICIPANTS)
        whose = within(count, "participant_id")
        if count != 0:
            _remove(connection, "start_list", whose)
    if count != 0:
        source = _answers_source(connection, count)
        matched = matched_questions(connection, questions, source=source, whose=whose)
        with rows_in_place(connection), ExitStack() as changes:
            for number, some in enumerate(slices(connection, count, _PARTICIPANTS)):
                if number % _SLICES_A_COMMIT == 0:
                    changes.close()
                    changes.enter_context(transaction(connection))
                rows = marts.start_list(
                    participants=read_table(connection, _PARTICIPANTS, _READ, where=some.whose),
                    answers_by_column=answers_by_column(
                        connection, matched, source=source, whose=some.whose_answers
                    ),
                    partners=partners,
                    reserved_entry_groups=groups,
                )
                _insert(connection, "start_list", rows)
        with transaction(connection):
            followers = ("participant_versions", PUBLISHED)
            _finish(connection, "start_list", count, followers=followers)
            connection.execute("DROP TABLE IF EXISTS their_answers")
    return _height(connection, "start_list")


def _answers_source(connection: duckdb.DuckDBPyConnection, count: int | None) -> str:
    """Give the table with the answers of those that `take` gave: of few, one that holds no others.

    Finding them among millions takes longer than all that is done with them.
    """
    if not is_one_slice(count):
        return answers.ANSWERS
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE their_answers AS
        SELECT * FROM {answers.ANSWERS} WHERE {within(count, "participant_id")}
        """
    )
    return "their_answers"


def build_participant_versions(connection: duckdb.DuckDBPyConnection, questions: Questions) -> int:
    """Bring `participant_versions` up to date with the start list; gives its number of rows."""
    with transaction(connection):
        count = take(connection, "participant_versions", _PARTICIPANTS)
        if count != 0:
            whose = within(count, "participant_id")
            _remove(connection, "participant_versions", whose)
            build_versions(connection, questions, whose=whose)
            followers = ("start_list_changes", PUBLISHED)
            _finish(connection, "participant_versions", count, followers=followers)
    return _height(connection, "participant_versions")


def build_start_list_changes(connection: duckdb.DuckDBPyConnection) -> int:
    """Bring `start_list_changes` up to date with the versions; gives its number of rows."""
    with transaction(connection):
        count = take(connection, "start_list_changes", _PARTICIPANTS)
        if count != 0:
            _remove(connection, "start_list_changes", within(count, "participant_id"))
            for some in slices(connection, count, _PARTICIPANTS):
                found = read_table(
                    connection, "participant_versions", marts.compared_columns(), where=some.whose
                )
                _insert(connection, "start_list_changes", marts.start_list_changes(found))
            _finish(connection, "start_list_changes", count, followers=(PUBLISHED,))
    return _height(connection, "start_list_changes")


def _note_changed_participants(
    connection: duckdb.DuckDBPyConnection,
    questions: Questions,
    partners: pl.DataFrame,
    groups: pl.DataFrame,
) -> None:
    """Find out whose row of the start list, or whose versions, may be other ones than last time.

    They follow from the record, from whether and when it was deleted, from when each of its versions
    was first seen, from which group and partner each of them is of, from the questions file, and from
    our code.
    """
    claim = listed(CLAIM)
    stated = connection.sql(
        f"SELECT {claim} FROM tidy.participants UNION SELECT {claim} FROM ops.past_versions"
    ).pl()
    meant = resolved(stated, partners=partners, reserved_entry_groups=groups)
    same_claim = " AND ".join(
        f'stored."{name}" IS NOT DISTINCT FROM meant."{name}"' for name in CLAIM
    )
    basis = hashlib.sha256(f"{_code()} {sorted(questions.columns.items())}".encode()).hexdigest()
    source = relation(
        table(_PARTICIPANTS),
        ["participant_id", "_record_hash", "gdpr_redacted", "deleted_at", *CLAIM],
    )
    with registered(connection, "meant_claims", meant):
        note_changed(
            connection,
            _PARTICIPANTS,
            f"""
            WITH meant AS (SELECT {claim}, hash(meant_claims) AS state FROM meant_claims)
            SELECT participant_id AS id, TRUE AS is_entry,
                hash('{basis}', participant_id, _record_hash, coalesce(gdpr_redacted, FALSE), deleted_at,
                    meant.state) AS part
            FROM ({source}) AS stored LEFT JOIN meant ON {same_claim}
            UNION ALL BY NAME
            SELECT id, FALSE AS is_entry, hash(id, record_hash, first_seen_at) AS part
            FROM ops.sightings
            UNION ALL BY NAME
            SELECT participant_id AS id, FALSE AS is_entry,
                hash(participant_id, record_hash, meant.state) AS part
            FROM ops.past_versions AS stored LEFT JOIN meant ON {same_claim}
            """,
            actors=["start_list"],
        )


def note_changed_applications(connection: duckdb.DuckDBPyConnection) -> None:
    """Find out whose rows of `applications` and of their answers are other ones than last time."""
    source = relation(table(_APPLICATIONS), ["application_id", "_record_hash", "deleted_at"])
    with transaction(connection):
        note_changed(
            connection,
            _APPLICATIONS,
            f"""
            SELECT application_id AS id, TRUE AS is_entry,
                hash(application_id, _record_hash, deleted_at) AS part
            FROM ({source})
            """,
            actors=[PUBLISHED],
        )


@lru_cache
def _code() -> str:
    """Give a digest of the code that makes rows of entries: another one makes all of them anew."""
    folders = [Path(str(package.__file__)).parent for package in (marts, tidy)]
    modules = [Path(str(module.__file__)) for module in (mart_tables, answers, versions)]
    paths = [*(path for folder in folders for path in sorted(folder.glob("*.py"))), *modules]
    digest = hashlib.sha256()
    for path in [*paths, Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _remove(connection: duckdb.DuckDBPyConnection, name: str, whose: str) -> None:
    forget_outcomes(connection, name)
    connection.execute(f"DELETE FROM marts.{name} WHERE {whose}")


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: pl.DataFrame) -> None:
    names = listed(table(name).schema)
    with registered(connection, "mart_rows", rows):
        connection.execute(f"INSERT INTO marts.{name} ({names}) SELECT {names} FROM mart_rows")


def _finish(
    connection: duckdb.DuckDBPyConnection, name: str, count: int | None, followers: Sequence[str]
) -> None:
    """Note that a mart has been brought up to date, and that those who follow from it haven't."""
    for follower in followers:
        owe(connection, follower, _PARTICIPANTS, None if count is None else WHOSE)
    done(connection, name)


def _height(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return connection.execute(f"SELECT count(*) FROM marts.{name}").fetchall()[0][0]

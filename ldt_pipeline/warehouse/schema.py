"""The warehouse's tables, made from the registry: `tidy`, `marts`, and `ops` for our own books.

What belongs here: DDL, and the fingerprint that tells a warehouse of another version. What
doesn't: rows.

Tidy tables that have a record behind each row carry its lineage in columns that begin with `_` and
are never published. `deleted_at` is not stored: it follows from tombstones and snapshots (see
`read.py`), so that the order in which extracts are loaded doesn't matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache

import duckdb

from ldt_pipeline.tables import TABLES, Layer, Table, duckdb_type

FORMAT = 4
"""Raised when records give other rows than before although no column changed: they are read again."""

LINEAGE_COLUMNS = {
    "_extract_id": "VARCHAR",
    "_record_number": "BIGINT",
    "_extracted_at": "TIMESTAMP WITH TIME ZONE",
    "_record_hash": "BIGINT",
    "_partition": "VARCHAR",
    "_seen_at": "TIMESTAMP WITH TIME ZONE",
}

VERSIONED = "participants"
"""The table of whose records every version is kept (`history.py`)."""

PAST_COLUMNS = (
    *("participant_id", "application_id", "booking_id", "event_id", "event_name", "race_id"),
    *("race_name", "race_start_at", "ticket_id", "ticket_title", "created_at", "updated_at"),
    *("bib_number", "wave", "booker_name", "booker_email", "booker_type", "gdpr_redacted"),
    *("reserved_entry_group_code", "reserved_entry_group_name", "reserved_entry_partner_name"),
    *("reserved_entry_partner_enthuse_id", "reserved_entry_partner_just_giving_id"),
    "reserved_entry_partner_london_marathon_id",
)
"""What is kept of a version that was superseded: what a start list is made from, and no more."""

_PAST_ANSWERS = "STRUCT(position INTEGER, question_id VARCHAR, question VARCHAR, answer VARCHAR)[]"

_OPS_TABLES = {
    # When each version of a participant was first seen.
    "sightings": "id VARCHAR, record_hash BIGINT, first_seen_at TIMESTAMP WITH TIME ZONE",
    "load_log": (
        "extract_id VARCHAR, feed VARCHAR, partition_key VARCHAR, partition VARCHAR, "
        "extracted_at TIMESTAMP WITH TIME ZONE, records BIGINT, rejected BIGINT, pack VARCHAR"
    ),
    "erasures": (
        "entity VARCHAR, id VARCHAR, event_id VARCHAR, race_id VARCHAR, "
        "before TIMESTAMP WITH TIME ZONE, reason VARCHAR, erased_at TIMESTAMP WITH TIME ZONE, "
        "recipients VARCHAR"
    ),
    # Of whom the raw store holds more than it may; without an id, of somebody.
    "erasures_due": "entity VARCHAR, id VARCHAR",
    # Of each group on each day, what was read last: the newest reading of all wins in `tidy`.
    "group_days": (
        "reserved_entry_group_id VARCHAR, day DATE, read_at TIMESTAMP WITH TIME ZONE, "
        "event_id VARCHAR, partner_id VARCHAR, reserved_entry_group_name VARCHAR, "
        "max_capacity BIGINT, used_capacity BIGINT"
    ),
    "tombstones": "entity VARCHAR, id VARCHAR, deleted_at TIMESTAMP WITH TIME ZONE",
    "rejections": (
        "feed VARCHAR, entity VARCHAR, record_id VARCHAR, reason VARCHAR, extract_id VARCHAR, "
        "record_number BIGINT, extracted_at TIMESTAMP WITH TIME ZONE, record_hash BIGINT"
    ),
    "drift": (
        "feed VARCHAR, path VARCHAR, value_type VARCHAR, records BIGINT, "
        "first_seen_at TIMESTAMP WITH TIME ZONE, last_seen_at TIMESTAMP WITH TIME ZONE"
    ),
    "comparisons": (
        "feed VARCHAR, api_total BIGINT, held BIGINT, rejected BIGINT, "
        "created_before TIMESTAMP WITH TIME ZONE, compared_at TIMESTAMP WITH TIME ZONE, "
        "agrees BOOLEAN, uneven_since TIMESTAMP WITH TIME ZONE, "
        "noted_at TIMESTAMP WITH TIME ZONE"
    ),
    # What each entry's rows in the marts were made from, and who has yet to act on a change of it; an
    # empty id stands for everybody (`changed.py`).
    "entry_states": "entity VARCHAR, id VARCHAR, state UBIGINT",
    "owed": "actor VARCHAR, entity VARCHAR, id VARCHAR",
    # What checks found of what is stored now.
    "outcomes": '"table" VARCHAR, name VARCHAR, offences BIGINT',
    "publications": (
        "published_at TIMESTAMP WITH TIME ZONE, content VARCHAR, extracts BIGINT, file VARCHAR, "
        "whole_at TIMESTAMP WITH TIME ZONE, whole_bytes BIGINT, erasures BIGINT"
    ),
    "about": "fingerprint VARCHAR",
}


class OutdatedWarehouseError(Exception):
    """The warehouse was made by another version of the pipeline."""


def has_record(table: Table) -> bool:
    """Whether each row of a tidy table stands for one record of the API."""
    return len(table.key) == 1


def children(parent: Table) -> list[Table]:
    """Give the tidy tables that hold the nested lists of another one."""
    return [
        each
        for each in TABLES.values()
        if each.layer is Layer.TIDY and not has_record(each) and each.key[0] == parent.key[0]
    ]


def stored_columns(table: Table) -> list[str]:
    """Give the registry columns that the warehouse stores."""
    return [name for name in table.schema if name != "deleted_at"]


def column_definitions(table: Table, names: list[str]) -> str:
    """Write the columns for a CREATE TABLE."""
    return ", ".join(f'"{name}" {duckdb_type(table.schema[name])}' for name in names)


def create_or_check(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of a new warehouse, or see that they are of this version.

    Raises:
        OutdatedWarehouseError: They are not.
    """
    statements = _statements()
    fingerprint = _fingerprint(statements)
    made = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'ops'"
    ).fetchall()[0][0]
    if made:
        found = connection.execute("SELECT fingerprint FROM ops.about").fetchall()
        if found != [(fingerprint,)]:
            raise OutdatedWarehouseError(
                "The warehouse was made by another version of the pipeline. "
                "`ldt sync`, `ldt rebuild` and the daemon make it anew from the raw store; nothing "
                "is lost."
            )
        return
    connection.execute("BEGIN TRANSACTION")
    for statement in statements:
        connection.execute(statement)
    connection.execute("INSERT INTO ops.about VALUES (?)", [fingerprint])
    connection.execute("COMMIT")


def note_version(connection: duckdb.DuckDBPyConnection, *, is_ours: bool) -> None:
    """Note that a warehouse is of this version, or is not and has to be made anew."""
    connection.execute(
        "UPDATE ops.about SET fingerprint = ?", [_fingerprint(_statements()) if is_ours else ""]
    )


@cache
def _fingerprint(statements: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join((str(FORMAT), *statements)).encode()).hexdigest()


@cache
def _statements() -> tuple[str, ...]:
    statements = [f"CREATE SCHEMA IF NOT EXISTS {name}" for name in ("tidy", "marts", "ops")]
    for name, columns in _OPS_TABLES.items():
        statements.append(f"CREATE TABLE ops.{name} ({columns})")
    past = column_definitions(TABLES[VERSIONED], list(PAST_COLUMNS))
    statements.append(
        f"CREATE TABLE ops.past_versions ({past}, record_hash BIGINT, answers {_PAST_ANSWERS})"
    )
    for table in TABLES.values():
        columns = column_definitions(table, stored_columns(table))
        if table.layer is Layer.TIDY and has_record(table):
            lineage = ", ".join(f"{name} {type_}" for name, type_ in LINEAGE_COLUMNS.items())
            columns = f"{columns}, {lineage}"
        statements.append(f"CREATE TABLE {table.layer.value}.{table.name} ({columns})")
    return tuple(statements)


def listed(names: Iterable[str], of: str = "") -> str:
    """Write names of columns as SQL, one after the other; `of` is the table that they are read from."""
    prefix = f"{of}." if of else ""
    return ", ".join(f'{prefix}"{name}"' for name in names)


def literal(text: str) -> str:
    """Write a text as SQL."""
    return "'" + text.replace("'", "''") + "'"

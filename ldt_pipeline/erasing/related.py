"""Whom an erasure concerns, and where else the person may be: what an operator has to know first.

What belongs here: questions to the warehouse, answered in ids. What doesn't: erasing (`erase.py`).

A person may have several entries, and book for others. Which of them are the same person's is for
somebody to decide who can ask: only an application and the one entry that it led to are taken for
one person's here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from ldt_pipeline.erasing.book import ENTITIES, Book, Reason
from ldt_pipeline.erasing.due import Subject
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.connection import registered


@dataclass(frozen=True, kw_only=True)
class Place:
    """An entry that is held: what it is for, and whether it was erased before."""

    entity: str
    id: str
    event_id: str | None
    race_id: str | None
    is_redacted: bool


@dataclass(frozen=True, kw_only=True)
class Related:
    """Another entry that holds something of a person, and what."""

    entity: str
    id: str
    why: str


def places(connection: duckdb.DuckDBPyConnection, subjects: Sequence[Subject]) -> list[Place]:
    """Give those of the subjects that the warehouse holds.

    Of whom every record was rejected, nothing but the id is known.
    """
    found: list[Place] = []
    for entity in ENTITIES:
        key = table(entity).key[0]
        rows = connection.execute(
            f"""
            SELECT "{key}", event_id, race_id, coalesce(gdpr_redacted, FALSE) FROM tidy.{entity}
            WHERE list_contains($ids::VARCHAR[], "{key}")
            UNION SELECT record_id, NULL, NULL, FALSE FROM ops.rejections
            WHERE entity = '{entity}' AND list_contains($ids::VARCHAR[], record_id)
                AND record_id NOT IN (SELECT "{key}" FROM tidy.{entity})
            ORDER BY 1
            """,
            {"ids": [each.id for each in subjects if each.entity == entity]},
        ).fetchall()
        found += [
            Place(entity=entity, id=row[0], event_id=row[1], race_id=row[2], is_redacted=row[3])
            for row in rows
        ]
    return found


def strangers(
    asked: Sequence[Subject], held: Sequence[Place], book: Book
) -> list[tuple[int, Subject]]:
    """Give those of the subjects that are neither held nor erased, with their place, from 1, by entity."""
    known = {(each.entity, each.id) for each in held}
    return [
        (place, each)
        for entity in ENTITIES
        for place, each in enumerate((each for each in asked if each.entity == entity), 1)
        if (entity, each.id) not in known and not book.knows(entity, each.id)
    ]


def linked(connection: duckdb.DuckDBPyConnection, subjects: Sequence[Subject]) -> list[Subject]:
    """Give the applications that led to these participants alone, and the other way round."""
    ids = {entity: [each.id for each in subjects if each.entity == entity] for entity in ENTITIES}
    rows = connection.execute(
        """
        WITH pairs AS (
            SELECT participant_id, application_id FROM tidy.participants
            WHERE application_id IN (
                SELECT application_id FROM tidy.participants
                WHERE application_id IS NOT NULL GROUP BY 1 HAVING count(*) = 1
            ) AND application_id IN (SELECT application_id FROM tidy.applications)
        )
        SELECT 'applications', application_id FROM pairs
            WHERE list_contains($participants::VARCHAR[], participant_id)
        UNION SELECT 'participants', participant_id FROM pairs
            WHERE list_contains($applications::VARCHAR[], application_id)
        ORDER BY ALL
        """,
        {name: ids[name] for name in ENTITIES},
    ).fetchall()
    known = {(each.entity, each.id) for each in subjects}
    return [
        Subject(entity=row[0], id=row[1], reason=Reason.ASKED)
        for row in rows
        if (row[0], row[1]) not in known
    ]


def related(connection: duckdb.DuckDBPyConnection, subjects: Sequence[Subject]) -> list[Related]:
    """Give the other entries that have an e-mail address of these people, as booker's or as their own.

    The addresses are those in their answers; without any, that of whoever booked.
    """
    parts = [_addresses(entity) for entity in ENTITIES]
    import polars as pl  # noqa: PLC0415 - the command line is quick without it

    frame = pl.DataFrame(
        [(each.entity, each.id) for each in subjects],
        schema={"entity": pl.String(), "id": pl.String()},
        orient="row",
    )
    with registered(connection, "subjects", frame):
        rows = connection.execute(
            f"""
            WITH addresses AS ({" UNION ALL ".join(parts)}), own AS (
                SELECT DISTINCT address FROM addresses SEMI JOIN subjects USING (entity, id)
                QUALIFY kind = 'own' OR bool_and(kind = 'booker') OVER (PARTITION BY entity, id)
            )
            SELECT entity, id,
                CASE WHEN bool_or(kind = 'own') THEN 'has the same e-mail address'
                    ELSE 'was booked with the same e-mail address' END
            FROM addresses SEMI JOIN own USING (address) ANTI JOIN subjects USING (entity, id)
            GROUP BY entity, id ORDER BY ALL
            """
        ).fetchall()
    return [Related(entity=row[0], id=row[1], why=row[2]) for row in rows]


def _addresses(entity: str) -> str:
    key = table(entity).key[0]
    return f"""
        SELECT '{entity}' AS entity, "{key}" AS id, 'own' AS kind, lower(answer) AS address
        FROM tidy.{entity[:-1]}_answers WHERE answer LIKE '_%@_%.__%' AND answer NOT LIKE '% %'
        UNION ALL
        SELECT '{entity}', "{key}", 'booker', lower(booker_email)
        FROM tidy.{entity} WHERE booker_email IS NOT NULL
    """

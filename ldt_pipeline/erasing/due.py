"""What has to be erased by now: asked of the books alone, without reading the raw store.

What belongs here: the rules, as queries. What doesn't: erasing (`erase.py`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import duckdb

from ldt_pipeline.erasing.book import ENTITIES, Reason
from ldt_pipeline.instants import now
from ldt_pipeline.raw import ERASURES, RawStore
from ldt_pipeline.raw.leftovers import superseded
from ldt_pipeline.settings import Settings
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.load import loaded_ids


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Somebody to erase, and why."""

    entity: str
    id: str
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Due:
    """What has to be erased.

    `subjects` are people, `before` is where retention has come to, if it has come further; and
    `unfinished` counts what an earlier erasure left, or an old backup brought back.
    """

    subjects: list[Subject] = field(default_factory=list[Subject])
    before: dt.datetime | None = None
    unfinished: int = 0

    def __len__(self) -> int:
        """Count what is to be done."""
        return len(self.subjects) + self.unfinished + (self.before is not None)


def what_is_due(connection: duckdb.DuckDBPyConnection, store: RawStore, settings: Settings) -> Due:
    """Tell what has to be erased by now.

    Args:
        connection: The warehouse.
        store: The raw store, of which the names of files are looked at.
        settings: How long what is kept.
    """
    moment = now()
    unknown = connection.execute(
        "SELECT count(DISTINCT entity) FROM ops.erasures_due WHERE id IS NULL"
    ).fetchall()[0][0]
    return Due(
        subjects=[*_redacted(connection), *_deleted(connection, settings, moment)],
        before=_before(connection, settings, moment),
        unfinished=unknown + _unfinished(connection, store),
    )


def _redacted(connection: duckdb.DuckDBPyConnection) -> list[Subject]:
    rows = connection.execute(
        "SELECT DISTINCT entity, id FROM ops.erasures_due WHERE id IS NOT NULL ORDER BY ALL"
    ).fetchall()
    return [Subject(entity=row[0], id=row[1], reason=Reason.REDACTED) for row in rows]


def _deleted(
    connection: duckdb.DuckDBPyConnection, settings: Settings, moment: dt.datetime
) -> list[Subject]:
    last = moment - dt.timedelta(days=settings.deleted_retention_days)
    found: list[Subject] = []
    for entity in ENTITIES:
        key = table(entity).key[0]
        rows = connection.execute(
            f"""
            SELECT stored."{key}" FROM tidy.{entity} AS stored JOIN (
                SELECT id, max(deleted_at) AS deleted_at FROM ops.tombstones
                WHERE entity = '{entity}' GROUP BY id
            ) AS gone ON gone.id = stored."{key}" AND gone.deleted_at >= stored._seen_at
            WHERE gone.deleted_at <= ? AND NOT EXISTS (
                SELECT 1 FROM ops.erasures WHERE erasures.entity = '{entity}'
                    AND erasures.id = stored."{key}" AND (erasures.reason = 'asked'
                        OR erasures.reason = 'deleted' AND erasures.erased_at >= gone.deleted_at)
            ) ORDER BY ALL
            """,
            [last],
        ).fetchall()
        found += [Subject(entity=entity, id=row[0], reason=Reason.DELETED) for row in rows]
    return found


def _before(
    connection: duckdb.DuckDBPyConnection, settings: Settings, moment: dt.datetime
) -> dt.datetime | None:
    """Give where retention has come to, where entries lie between that and where it was."""
    if settings.retention_days is None:
        return None
    # Whole days: a race that is over long enough costs one rewriting a day, not one a minute.
    midnight = moment.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before = midnight - dt.timedelta(days=settings.retention_days)
    rows = connection.execute(
        """
        SELECT count(*) FROM (
            SELECT race_start_at FROM tidy.participants
            UNION ALL SELECT race_start_at FROM tidy.applications
        ) WHERE race_start_at < $before AND race_start_at >= (
            SELECT coalesce(max(before), '-infinity'::TIMESTAMPTZ) FROM ops.erasures
        )
        """,
        {"before": before},
    ).fetchall()
    return before if rows[0][0] else None


def _unfinished(connection: duckdb.DuckDBPyConnection, store: RawStore) -> int:
    """Count what an erasure that was killed left, and what was restored although it is replaced."""
    return (
        len(store.extract_ids(ERASURES) - loaded_ids(connection))
        + len(superseded(store))
        + len(store.replaced_manifest_paths())
    )

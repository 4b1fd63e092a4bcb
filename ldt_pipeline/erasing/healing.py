"""The book of erasures, written anew where its file was damaged.

What belongs here: taking its lines from the warehouse, which loaded them. What doesn't: any other
extract: those are read from the API again (`raw/quarantine.py`), and the API has never heard of an
erasure.
"""

from __future__ import annotations

import duckdb

from ldt_pipeline.erasing.book import Book, Erasure, Reason, write_erasures
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.extract_files import DamagedExtractError
from ldt_pipeline.raw.quarantine import note_read_again, set_aside


def heal_book(connection: duckdb.DuckDBPyConnection, store: RawStore) -> bool:
    """See that the book can be read; gives whether it had to be written anew.

    Raises:
        DamagedExtractError: It can't be read, and the warehouse never loaded what was damaged.
    """
    healed = False
    while True:
        try:
            Book.read(store)
        except DamagedExtractError as damage:
            if not _is_loaded(connection, damage.extract_id):
                raise _lost(damage) from None
            _write_anew(connection, store)
            note_read_again(store, [set_aside(store, damage)])
            healed = True
        else:
            return healed


def require_book(store: RawStore) -> None:
    """See that the book can be read, before the warehouse is deleted: it may be the only copy.

    Raises:
        DamagedExtractError: It can't.
    """
    try:
        Book.read(store)
    except DamagedExtractError as damage:
        raise _lost(damage) from None


def _lost(damage: DamagedExtractError) -> DamagedExtractError:
    return DamagedExtractError(
        f"{damage} It is part of the book of erasures, which says who was forgotten, and nothing is "
        "read or loaded without it. Restore its files from a backup."
    )


def _is_loaded(connection: duckdb.DuckDBPyConnection, extract_id: str) -> bool:
    query = "SELECT count(*) FROM ops.load_log WHERE extract_id = $id OR pack = $id"
    return connection.execute(query, {"id": extract_id}).fetchall()[0][0] > 0


def _write_anew(connection: duckdb.DuckDBPyConnection, store: RawStore) -> None:
    rows = connection.execute(
        """
        SELECT entity, id, event_id, race_id, before, reason, erased_at, recipients
        FROM ops.erasures ORDER BY ALL
        """
    ).fetchall()
    lines: dict[str, list[Erasure]] = {}
    for entity, record_id, event_id, race_id, before, reason, erased_at, recipients in rows:
        lines.setdefault(entity, []).append(
            Erasure(
                id=record_id or "",
                event_id=event_id,
                race_id=race_id,
                before=before,
                reason=Reason(reason),
                erased_at=erased_at,
                recipients=tuple(recipients.split("; ")) if recipients else (),
            )
        )
    for entity, erasures in lines.items():
        write_erasures(store, entity, erasures)

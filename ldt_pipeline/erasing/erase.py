"""Erasing, in an order that survives being killed at any moment.

What belongs here: the order. What doesn't: each of the things that are done.

1. What is due goes into the erasures feed: from here on nothing of it is stored or loaded again,
   and whoever finds the erasure unfinished goes on with it.
2. The raw store is looked through, to know what has to go. What is damaged goes at once.
3. The published file, exports and Dagster's records lose it.
4. The raw store is rewritten, an extract at a time.
5. The warehouse is loaded anew from it into a file beside, which takes its place in one step. It
   has the erasure in its books: that is what makes it finished. A new file has no free page, and
   no log, with bytes of the old one.

Every step can be done again. A step that was done finds nothing to do.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ldt_pipeline.allocations.agreed import plans_dir
from ldt_pipeline.erasing import ledger, published, traces
from ldt_pipeline.erasing.book import ENTITIES, PEOPLE, RACES, Book, Erasure, Reason, write_erasures
from ldt_pipeline.erasing.database import blank_database
from ldt_pipeline.erasing.due import Subject, what_is_due
from ldt_pipeline.erasing.exported import delete_exports_with, delete_old_exports
from ldt_pipeline.erasing.public_texts import only_theirs
from ldt_pipeline.erasing.scan import look_through, rewrite
from ldt_pipeline.feeds.catalogue import FEEDS
from ldt_pipeline.instants import now
from ldt_pipeline.leftovers import clear_leftovers
from ldt_pipeline.raw import RawStore
from ldt_pipeline.raw.files import TEMPORARY_PREFIX
from ldt_pipeline.raw.generations import base_of
from ldt_pipeline.raw.leftovers import remove_superseded
from ldt_pipeline.raw.packing import finish as finish_compacting
from ldt_pipeline.raw.quarantine import delete_files as delete_set_aside
from ldt_pipeline.raw.quarantine import past_damage
from ldt_pipeline.settings import Settings
from ldt_pipeline.tables import table
from ldt_pipeline.warehouse.books import compare, note_comparison
from ldt_pipeline.warehouse.connection import connect, warehouse_lock
from ldt_pipeline.warehouse.load import load_erasures, load_pending, loaded_ids
from ldt_pipeline.warehouse.schema import VERSIONED, OutdatedWarehouseError, create_or_check
from ldt_pipeline.warehouse.swap import put_in_place

Progress = Callable[[int], None]


@dataclass(kw_only=True)
class Erased:
    """What an erasure did: numbers, paths of files, and who has to be told; nothing personal."""

    people: int = 0
    records: int = 0
    extracts: int = 0
    exports: list[Path] = field(default_factory=list[Path])
    plans: list[Path] = field(default_factory=list[Path])
    traces: list[Path] = field(default_factory=list[Path])
    values_in_database: int = 0
    recipients: list[str] = field(default_factory=list[str])


def erase(
    settings: Settings,
    store: RawStore,
    asked: Sequence[Subject] = (),
    *,
    dagster_homes: Sequence[Path] = (),
    dagster_database: str | None = None,
    progress: Progress | None = None,
) -> Erased:
    """Erase what is due, and whom somebody asked for, from every copy under the data folder.

    `dagster_homes` are the folders of Dagster's records, and `dagster_database` SQLAlchemy's address of
    the server that has them, with its password, where one does.

    An extract that can't be read is set aside, to be fetched again by the next sync, and its bytes
    are deleted: nobody can say who is in it.

    Raises:
        WarehouseBusyError: Another process kept the warehouse for too long.
        DamagedExtractError: The book of erasures can't be read.
    """
    with warehouse_lock(settings.warehouse_path):
        _clear_leftovers(settings, store)
        entered = _enter(settings, store, asked)
        result = entered.result
        book = Book.read(store)
        found = past_damage(store, lambda: look_through(store, book, progress=progress))
        delete_set_aside(store)
        result.records, result.extracts = found.records, len(found.manifests)
        ids = {
            entity: found.ids[entity] | entered.ids[entity] | _ids_of(asked, entity)
            for entity in ENTITIES
        }
        with _books(settings.warehouse_path) as connection:
            if connection is not None and _has_lost_extracts(connection, store):
                # Nobody can say any more who was in them.
                ids = {entity: ids[entity] | set(book.ids(entity)) for entity in ENTITIES}
            # Without a warehouse nobody can say what others share: all of it is searched for then.
            texts = found.texts if connection is None else only_theirs(connection, found.texts, ids)
        everybody = set[str]().union(*ids.values())
        # Before exports are looked through: whoever makes one from here on makes it from this.
        if found.manifests or everybody or entered.is_retention:
            published.without_erased(settings.published_path, ids=ids, before=book.before)
        result.exports = delete_exports_with(settings, ids=everybody, texts=texts)
        result.plans = traces.delete_files(plans_dir(settings.allocations_dir), ids=(), texts=texts)
        if book.before is not None:
            with _books(settings.warehouse_path) as connection:
                result.exports += delete_old_exports(connection, settings, before=book.before)
        for home in dagster_homes:
            result.traces += traces.blank_records(home, texts)
        if dagster_database is not None:
            result.values_in_database = blank_database(dagster_database, texts)
        for manifest in found.manifests:
            rewrite(store, book, manifest)
            remove_superseded(store)
        _settle_warehouse(settings, store, book, progress)
    return result


@dataclass(frozen=True, kw_only=True)
class _Entered:
    """Whose erasure was entered into the feed just now, by entity; and whether retention went on."""

    result: Erased
    ids: dict[str, set[str]]
    is_retention: bool


def _enter(settings: Settings, store: RawStore, asked: Sequence[Subject]) -> _Entered:
    """Enter into the feed what isn't in it yet."""
    book = Book.read(store)
    subjects: dict[tuple[str, str], Subject] = {}
    before = None
    for each in asked:
        if each.id not in book.erased[each.entity]:
            subjects[each.entity, each.id] = each
    with _books(settings.warehouse_path) as connection:
        if connection is not None:
            due = what_is_due(connection, store, settings)
            before = due.before
            for each in due.subjects:
                if each.reason is not Reason.REDACTED or not _is_entered(book, each):
                    subjects.setdefault((each.entity, each.id), each)
        places = {
            entity: _places(connection, entity, _ids_of(subjects.values(), entity))
            for entity in ENTITIES
        }
    receipts = ledger.received(settings.ledger_dir, _ids_of(subjects.values(), "participants"))
    erased_at = now()
    lines = [
        _erasure(each, places[entity], receipts, erased_at)
        for entity in ENTITIES
        for each in subjects.values()
        if each.entity == entity
    ]
    recipients = list(dict.fromkeys(text for line in lines for text in line.recipients))
    if lines:
        write_erasures(store, PEOPLE, lines)
    if before is not None:
        line = Erasure(before=before, reason=Reason.RETENTION, erased_at=erased_at)
        write_erasures(store, RACES, [line])
    return _Entered(
        result=Erased(people=len(subjects), recipients=recipients),
        ids={entity: _ids_of(subjects.values(), entity) for entity in ENTITIES},
        is_retention=before is not None,
    )


def _is_entered(book: Book, subject: Subject) -> bool:
    return subject.id in book.erased[subject.entity] | book.redacted[subject.entity]


def _erasure(
    subject: Subject,
    places: Mapping[str, tuple[str | None, str | None]],
    receipts: Mapping[str, Sequence[ledger.Receipt]],
    erased_at: dt.datetime,
) -> Erasure:
    """Give a person's line of the feed. Exports, and so receipts, are of participants alone."""
    event_id, race_id = places.get(subject.id, (None, None))
    of_person = receipts.get(subject.id, ()) if subject.entity == "participants" else ()
    return Erasure(
        entity=subject.entity,
        id=subject.id,
        event_id=event_id,
        race_id=race_id,
        reason=subject.reason,
        erased_at=erased_at,
        recipients=tuple(dict.fromkeys(receipt.sentence for receipt in of_person)),
    )


@contextmanager
def _books(path: Path) -> Generator[duckdb.DuckDBPyConnection | None]:
    """Open the warehouse as it stands; None where there is none of this version."""
    if not path.exists():
        yield None
        return
    with connect(path) as connection:
        try:
            create_or_check(connection)
        except OutdatedWarehouseError:
            is_ours = False
        else:
            is_ours = True
        yield connection if is_ours else None


def _places(
    connection: duckdb.DuckDBPyConnection | None, entity: str, ids: Collection[str]
) -> dict[str, tuple[str | None, str | None]]:
    if connection is None or not ids:
        return {}
    key = table(entity).key[0]
    rows = connection.execute(
        f'SELECT "{key}", event_id, race_id FROM tidy.{entity} '
        f'WHERE list_contains(?::VARCHAR[], "{key}")',
        [list(ids)],
    ).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def _ids_of(subjects: Collection[Subject], entity: str) -> set[str]:
    return {each.id for each in subjects if each.entity == entity}


def _clear_leftovers(settings: Settings, store: RawStore) -> None:
    """Take away what doesn't count: whoever looks for a person must not find one there."""
    finish_compacting(store)
    remove_superseded(store)
    clear_leftovers(settings)
    # Nobody else has the warehouse, so nobody is making any of these. DuckDB puts what finds no room in
    # memory into folders beside its files, and leaves them there when it is killed.
    for pattern in (f"{TEMPORARY_PREFIX}*", "*.duckdb.tmp"):
        for path in settings.data_dir.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _settle_warehouse(
    settings: Settings, store: RawStore, book: Book, progress: Progress | None
) -> None:
    """Bring the warehouse to what the raw store is now; a new file where it held anything."""
    path = settings.warehouse_path
    if not path.exists():
        return
    with _books(path) as connection:
        if connection is None:
            return  # of another version: the next sync makes it anew
        if not _is_stale(connection, store, book):
            load_erasures(connection, store)
            connection.execute("DELETE FROM ops.erasures_due")
            return
        comparisons = connection.execute(
            "SELECT feed, api_total, created_before, compared_at FROM ops.comparisons"
        ).fetchall()
    building = path.parent / f"{TEMPORARY_PREFIX}warehouse-{os.getpid()}.duckdb"
    with connect(building) as connection:
        create_or_check(connection)
        load_pending(connection, store, progress=progress)
        for feed, api_total, created_before, compared_at in comparisons:
            # The total stays what it was; what we hold of the list is counted anew.
            comparison = compare(
                connection,
                feed=feed,
                entity=FEEDS[feed].entity,
                api_total=api_total,
                created_before=created_before,
                compared_at=compared_at,
                doubted=store.unlisted(feed).since,
            )
            note_comparison(connection, comparison)
        # What loading found to be due stays noted: it arrived while this was under way.
    put_in_place(building, path)


def _is_stale(connection: duckdb.DuckDBPyConnection, store: RawStore, book: Book) -> bool:
    """Whether the raw store was rewritten since, or rows have more than the raw store may have."""
    held = store.extract_ids()
    bases = {base_of(each) for each in held}
    if any(each not in held and base_of(each) in bases for each in loaded_ids(connection)):
        return True
    if _has_lost_extracts(connection, store):
        return True
    for entity in ENTITIES:
        key = table(entity).key[0]
        places = [f"tidy.{entity}", *(["ops.past_versions"] if entity == VERSIONED else [])]
        for place in places:
            rows = connection.execute(
                f'SELECT count(*) FROM {place} WHERE list_contains(?::VARCHAR[], "{key}") '
                "AND NOT coalesce(gdpr_redacted, FALSE)",
                [[*book.erased[entity], *book.redacted[entity]]],
            ).fetchall()
            if rows[0][0]:
                return True
    return False


def _has_lost_extracts(connection: duckdb.DuckDBPyConnection, store: RawStore) -> bool:
    """Whether the warehouse has rows of extracts that were damaged, and are in the store no longer."""
    bases = {base_of(each) for each in store.extract_ids()}
    rows = connection.execute("SELECT DISTINCT coalesce(pack, extract_id) FROM ops.load_log")
    return any(base_of(row[0]) not in bases for row in rows.fetchall())

"""Finding what has gone: rosters by race and event, and asking for each missing record by id.

The API has no deletion feed. A record that a complete roster lacks is only suspected: it may have
moved to another race. It counts as deleted when the API answers 404 for its id, or with a record of
another id, and a tombstone goes into the raw store, so that a rebuild knows of it.

The reference names no status for what is gone. An answer that says neither (403, 500, an object that is
no record) is unclear: then the whole list decides, read and proved, without which nobody is deleted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    ResponseFormatError,
    ResponseTooLargeError,
    ServerError,
)
from ldt_pipeline.api.paging import ListRequest, Proof, Record, first_record, record_of
from ldt_pipeline.api.windows import Window, walk_window
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.feeds.catalogue import ChangeFeed, Feed
from ldt_pipeline.feeds.changes import store_records
from ldt_pipeline.feeds.positions import Known
from ldt_pipeline.feeds.undated import find_undated
from ldt_pipeline.instants import format_instant, now
from ldt_pipeline.raw import DELETIONS, ExtractWriter, Manifest, RawStore

UNCLEAR_MOST = 3
"""After so many unclear answers no more ids are asked for: each may have taken minutes of retries."""

_UNCLEAR = (AuthenticationError, InvalidRequestError, ResponseFormatError, ServerError)


@dataclass(kw_only=True)
class Confirmed:
    """What became of records that were missing: ids that are gone, and records that are not.

    `unclear` are the ids of which the API's answers say neither.
    """

    deleted: list[str] = field(default_factory=list[str])
    found: list[Record] = field(default_factory=list[Record])
    unclear: list[str] = field(default_factory=list[str])


def roster_total(client: Client, roster: Feed, key: str) -> int | None:
    """Ask how many records a race or event has: one request. A race that is gone has none.

    Raises:
        ApiError: It could not be asked.
    """
    try:
        return first_record(client, ListRequest(operation=roster.operation, record_id=key))[1]
    except NotFoundError:
        return 0


def roster_totals(client: Client, roster: Feed, keys: Collection[str]) -> dict[str, int | None]:
    """Ask for the totals of many races or events, several at once.

    Raises:
        ApiError: One could not be asked.
    """

    def ask(key: str) -> int | None:
        return roster_total(client, roster, key)

    with ThreadPoolExecutor(max_workers=client.max_in_flight) as threads:
        return dict(zip(keys, threads.map(ask, keys), strict=True))


def fetch_roster(
    client: Client, store: RawStore, roster: Feed, key: str, *, known: Known
) -> tuple[Manifest | None, set[str | int]]:
    """Read one race's or event's full roster: store what `known` lacks, give every identity in it.

    Raises:
        ApiError: It could not be read completely.
    """
    identities: set[str | int] = set()
    read_at = now()
    book = Book.read(store)
    writer: ExtractWriter | None = None
    request = ListRequest(operation=roster.operation, record_id=key)
    try:
        with ExitStack() as writing:
            undated = find_undated(client, request)
            for records in (undated, *walk_window(client, request, Window(), Proof())):
                for read in records:
                    record = book.stored(roster.entity, read)
                    identities.add(record.identity)
                    if record.hash == known.get(record.identity):
                        continue
                    writer = writer or writing.enter_context(
                        store.writer(
                            feed=roster.name,
                            partition_key=roster.partition_key,
                            partition=key,
                            extracted_at=read_at,
                            source={"path": roster.operation.path},
                        )
                    )
                    writer.append(record.body, record.updated_at)
    except NotFoundError:
        return None, set()
    return (writer.commit() if writer else None), identities


def confirm_missing(client: Client, feed: ChangeFeed, ids: Collection[str]) -> Confirmed:
    """Ask for each id that a list lacks.

    Raises:
        ApiError: One could not be asked.
    """
    parameters = {"extendMetadata": "true"} if feed.get.accepts("extendMetadata") else {}
    confirmed = Confirmed()
    unclear: list[ApiError] = []

    def ask(record_id: str) -> Record | ApiError | None:
        if len(unclear) >= UNCLEAR_MOST:
            return unclear[0]
        try:
            body = client.get_record(feed.get, record_id=record_id, parameters=parameters)
        except NotFoundError:
            return None
        except ResponseTooLargeError:
            raise
        except _UNCLEAR as error:
            unclear.append(error)
            return error
        return record_of(body)

    with ThreadPoolExecutor(max_workers=client.max_in_flight) as threads:
        for record_id, record in zip(ids, threads.map(ask, ids), strict=True):
            if isinstance(record, ApiError) or (record and record.id is None):
                confirmed.unclear.append(record_id)
                continue
            if record is not None:
                confirmed.found.append(record)
            # An API that takes ids in any case finds a record under its former spelling, too.
            if record is None or record.id != record_id:
                confirmed.deleted.append(record_id)
    return confirmed


def store_confirmed(store: RawStore, feed: ChangeFeed, confirmed: Confirmed) -> list[Manifest]:
    """Write tombstones for what has gone, and the newest version of what has not."""
    manifests = store_records(store, feed, confirmed.found, source={"path": feed.get.path})
    if confirmed.deleted:
        manifests.append(write_tombstones(store, feed, confirmed.deleted))
    return manifests


def write_tombstones(
    store: RawStore, feed: ChangeFeed, ids: Iterable[str], *, deleted_at: dt.datetime | None = None
) -> Manifest:
    """Write tombstones for records that have gone, by default just now."""
    deleted_at = deleted_at or now()
    with store.writer(
        feed=DELETIONS,
        partition_key="of",
        partition=feed.name,
        extracted_at=deleted_at,
        source={"path": feed.get.path},
    ) as writer:
        for record_id in ids:
            line = {"id": record_id, "deletedAt": format_instant(deleted_at)}
            writer.append(msgspec.json.encode(line))
    return writer.commit()

"""What hangs off an event: its reserved entry groups and its tickets, read whole.

These lists carry no timestamps and no pages. Each reading is one extract that stands for the whole
list at that instant; what it lacks has gone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    ResponseFormatError,
    ServerError,
)
from ldt_pipeline.feeds.catalogue import SNAPSHOT_FEEDS, Feed
from ldt_pipeline.instants import now
from ldt_pipeline.raw import Manifest, NotFound, RawStore
from ldt_pipeline.raw.extract_files import partition_folder
from ldt_pipeline.raw.quarantine import note_read_again, waiting


def fetch_snapshots(
    client: Client,
    store: RawStore,
    feed: Feed,
    event_ids: Sequence[str],
    *,
    left_out: Collection[str] = (),
) -> dict[str, Manifest | None]:
    """Read the list of many events, several at once; None for one that keeps what was read before.

    The API knows that event no longer, or it is one of those `left_out`, whose lists aren't asked for.

    Raises:
        ApiError: One could not be read; those that could are kept.
    """

    def fetch(event_id: str) -> Manifest | None:
        return fetch_snapshot(client, store, feed, event_id, is_left_out=event_id in left_out)

    asked_at = now()
    with ThreadPoolExecutor(max_workers=client.max_in_flight) as threads:
        snapshots = dict(zip(event_ids, threads.map(fetch, event_ids), strict=True))
    before = store.not_found(feed.name)
    kept = {each: at for each, at in before.asked_at.items() if snapshots.get(each) is None}
    after = NotFound(
        feed=feed.name,
        asked_at=kept | {each: asked_at for each, found in snapshots.items() if found is None},
        left_out=tuple(sorted({*before.left_out} - {*event_ids} | {*event_ids} & {*left_out})),
    )
    if after != before:
        store.write_not_found(after)
    return snapshots


def not_found(store: RawStore) -> list[tuple[str, str, dt.datetime]]:
    """Give for which events and feeds the API answered 404 last, or wasn't to be asked, and when."""
    return [
        (event_id, feed.name, asked_at)
        for feed in SNAPSHOT_FEEDS
        for event_id, asked_at in store.not_found(feed.name).asked_at.items()
    ]


def to_be_asked_for_again(store: RawStore, left_out: Collection[str]) -> set[str]:
    """Give the events of which a list was left out when it was last to be read, and no longer is."""
    known = {each for feed in SNAPSHOT_FEEDS for each in store.not_found(feed.name).left_out}
    return known.difference(left_out)


def fetch_snapshot(
    client: Client, store: RawStore, feed: Feed, event_id: str, *, is_left_out: bool = False
) -> Manifest | None:
    """Read one event's list; None where the API no longer knows the event, which changes nothing.

    One that `is_left_out` is treated as if it didn't, without being asked for.

    An event that the API has never known (a mistyped setting, or one that the key may not see) has
    an empty list. One whose list was read before keeps it: a 404 may be a passing fault, and
    charities must not lose their places over it.

    Raises:
        ApiError: It could not be read.
    """
    read_at = now()
    damaged = waiting(store, feed.name, partition_folder(feed.partition_key, event_id))
    source = {"path": feed.operation.path}
    records = None if is_left_out else _records(client, feed, event_id)
    if records is None:
        if store.has_partition(feed.name, feed.partition_key, event_id):
            note_read_again(store, damaged)
            return None
        records, source = [], {**source, "answer": "left out" if is_left_out else "not found"}
    with store.writer(
        feed=feed.name,
        partition_key=feed.partition_key,
        partition=event_id,
        extracted_at=read_at,
        source=source,
    ) as writer:
        for record in records:
            writer.append(record)
    manifest = writer.commit()
    note_read_again(store, damaged)
    return manifest


def _records(client: Client, feed: Feed, event_id: str) -> list[bytes] | None:
    """Ask for an event's list; None where the API doesn't know the event."""
    try:
        return client.get_list(feed.operation, record_id=event_id)
    except NotFoundError:
        return None
    except (AuthenticationError, InvalidRequestError, ResponseFormatError, ServerError) as error:
        raise type(error)(
            f"{error} Where it is this event alone, LDT_EVENTS_WITHOUT_GROUPS takes its id: all else "
            "is published then."
        ) from None

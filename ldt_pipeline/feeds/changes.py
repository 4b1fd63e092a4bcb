"""Following a list by `updatedAt`: the first load, what changed since, and one month again.

What belongs here: which windows of a list are read. What doesn't: walking them (`reader.py`), how far
a feed has been read (`positions.py`), and who asks for it (`defs/`, `sync/`).

What is closed at its end is read first, in parallel windows up to the newest change that there is;
then the tail, which is open at its end and has no overlap with them. It is the next sync that
starts a little before the end of this one, so that rows that were committed late are seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import (
    ListRequest,
    Proof,
    Record,
    end_of_changes,
    first_page,
    first_record,
)
from ldt_pipeline.api.windows import Window, walk_window
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.months import MonthWriter
from ldt_pipeline.feeds.positions import (
    OVERLAP,
    TAIL,
    Known,
    Position,
    known_since,
    position,
    record_position,
    without_covered,
)
from ldt_pipeline.feeds.reader import Fetched, Progress, Reader, is_long, list_request
from ldt_pipeline.instants import EPOCH, MILLISECOND, month_start, next_month, now
from ldt_pipeline.raw import Manifest, RawStore
from ldt_pipeline.raw.quarantine import note_read_again, waiting


def fetch_changes(
    client: Client,
    store: RawStore,
    feed: ChangeFeed,
    *,
    progress: Progress | None = None,
) -> Fetched:
    """Read what changed since the last time, or everything the first time.

    Args:
        client: Where from.
        store: Where to.
        feed: What.
        progress: Told of each number of records that arrived, from any thread.

    Raises:
        ApiError: Something could not be read; windows that were finished are kept.
    """
    reader = Reader(client, store, feed, progress)
    at = position(store, feed)
    after = at.next_after if at else None
    oldest, total, read_at = first_record(client, list_request(feed, Window(after=after)))
    if oldest and oldest.updated_at and is_long(total):
        end = end_of_changes(client, list_request(feed))
        window = Window(after=after, before=end)
        reader.read_windows(
            without_covered(window, store, feed),
            oldest=oldest.updated_at,
            end=end,
            total=total,
        )
        after = max(after, end) if after else end
    if at is None:
        reader.read_undated({})
    reader.read_tail(after, known_since(store, feed, after), at, read_at=read_at)
    _read_damaged_again(reader, client, store, feed)
    return reader.fetched


def _read_damaged_again(reader: Reader, client: Client, store: RawStore, feed: ChangeFeed) -> None:
    """Read the months again of which an extract was damaged."""
    damaged = waiting(store, feed.name)
    months = sorted({each.folder.partition("=")[2] for each in damaged})
    if not months:
        return
    end = end_of_changes(client, list_request(feed))
    windows = [
        Window(after=month_start(month), before=month_start(next_month(month))) for month in months
    ]
    # What says not when it changed was stored in the month in which it was read, and no window of
    # that brings it: it is older than all else, or in none.
    for window in (Window(before=EPOCH + MILLISECOND), *windows):
        total = first_record(client, list_request(feed, window))[1]
        reader.read_windows([window], oldest=window.after or EPOCH, end=end, total=total)
    reader.read_undated({})
    note_read_again(store, damaged)


def fetch_months(
    client: Client,
    store: RawStore,
    feed: ChangeFeed,
    *,
    first: str,
    last: str,
    progress: Progress | None = None,
) -> Fetched:
    """Read everything whose last change lies in the months from `first` to `last`, once more.

    Raises:
        ApiError: Something could not be read; windows that were finished are kept.
    """
    reader = Reader(client, store, feed, progress)
    window = Window(after=month_start(first), before=month_start(next_month(last)))
    reader.read_windows(
        [window],
        oldest=month_start(first),
        end=end_of_changes(client, list_request(feed)),
        total=first_record(client, list_request(feed, window))[1],
    )
    return reader.fetched


def fetch_everything(
    client: Client, store: RawStore, feed: ChangeFeed, *, known: Known
) -> tuple[Fetched, set[str | int]]:
    """Read the whole list, store what `known` doesn't hold, and give every identity seen.

    This finds what no window of changes can: records that changed or went without a new
    `updatedAt`.

    Raises:
        ApiError: Something could not be read.
    """
    identities = set[str | int]()
    reader = Reader(client, store, feed, None, identities=identities)
    oldest, total, read_at = first_record(client, list_request(feed, Window()))
    after = None
    if oldest and oldest.updated_at and is_long(total):
        after = end_of_changes(client, list_request(feed))
        windows = [Window(before=after)]
        reader.read_windows(windows, oldest=oldest.updated_at, end=after, total=total, known=known)
    reader.read_undated(known)
    reader.read_tail(after, known, position(store, feed), read_at=read_at)
    return reader.fetched, identities


def store_records(
    store: RawStore, feed: ChangeFeed, records: Iterable[Record], *, source: dict[str, str]
) -> list[Manifest]:
    """Store single records that were read by id, each in the month of its last change."""
    book = Book.read(store)
    with MonthWriter(store, feed, now(), source) as writer:
        for record in records:
            writer.append(book.stored(feed.entity, record))
    return writer.commit()


def has_unseen(
    client: Client, store: RawStore, feed: ChangeFeed, at: Position, *, is_hasty: bool = False
) -> bool:
    """Tell whether anything at the end of the list is unknown, soon after it last changed.

    One request: a page of the newest records. Once the overlap has passed, that page has to reach
    back to where the last tail began; where it doesn't, the rest is walked, this one time; or, for
    somebody hasty, taken for unknown, as it may be long. Where there is nothing, that is recorded, so
    that the next poll costs one request less.

    Raises:
        ApiError: The list could not be read.
    """
    known = known_since(store, feed, at.next_after)
    window = Window(after=at.next_after)
    newest_first = ListRequest(
        operation=feed.operation, parameters={"sort[updatedAt]": "-1", **window.parameters()}
    )
    book = Book.read(store)

    def is_unknown(read: Record) -> bool:
        record = book.stored(feed.entity, read)
        is_known = record.hash == known.get(record.identity)
        return not is_known and not window.begins_after(record.updated_at)

    page = first_page(client, newest_first)
    if any(map(is_unknown, page.records)):
        return True
    instants = [each.updated_at for each in page.records if each.updated_at is not None]
    # Where the newest don't come first, news may be on any page.
    is_ordered = all(newer >= older for newer, older in pairwise(instants))
    if page.asked_at - OVERLAP < at.seen_at and (page.is_whole or is_ordered):
        return False
    tail = store.walk(feed.name, TAIL)
    if not page.is_whole or tail is None:
        if is_hasty:
            return True
        for records in walk_window(client, list_request(feed), window, Proof()):
            if any(map(is_unknown, records)):
                return True
    if tail is not None:
        record_position(store, msgspec.structs.replace(tail, started_at=page.asked_at), at)
    return False

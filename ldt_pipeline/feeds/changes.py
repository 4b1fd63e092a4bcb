"""Following a list by `updatedAt`: the first load, what changed since, and one month again.

What belongs here: walking windows into extracts by month. What doesn't: cutting and proving walks
(`api/`), how far a feed has been read (`positions.py`), and who asks for it (`defs/`, `sync/`).

What is closed at its end is read first, in parallel windows up to the newest change that there is;
then the tail, which is open at its end and has no overlap with them. It is the next sync that
starts a little before the end of this one, so that rows that were committed late are seen.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

import msgspec

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import (
    ListRequest,
    Proof,
    Record,
    first_page,
    first_record,
    newest_change,
)
from ldt_pipeline.api.windows import Window, plan_windows, walk_window
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.feeds.catalogue import ChangeFeed
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
from ldt_pipeline.instants import month_of, month_start, next_month, now
from ldt_pipeline.raw import ExtractWriter, Manifest, RawStore, Walk
from ldt_pipeline.raw.extract_files import new_id
from ldt_pipeline.raw.quarantine import note_read_again, waiting

_WINDOW_RECORDS_MOST = 5_000

Progress = Callable[[int], None]


@dataclass(kw_only=True)
class Fetched:
    """What reading a feed brought."""

    manifests: list[Manifest] = field(default_factory=list[Manifest])
    seen: int = 0
    walks: int = 0

    @property
    def records(self) -> int:
        """Records that were stored."""
        return sum(each.records for each in self.manifests)

    @property
    def records_by_month(self) -> dict[str, int]:
        """Records that were stored, by partition."""
        months: dict[str, int] = {}
        for each in self.manifests:
            months[each.partition] = months.get(each.partition, 0) + each.records
        return months


def fetch_changes(
    client: Client,
    store: RawStore,
    feed: ChangeFeed,
    *,
    expect_many: bool = True,
    progress: Progress | None = None,
) -> Fetched:
    """Read what changed since the last time, or everything the first time.

    Args:
        client: Where from.
        store: Where to.
        feed: What.
        expect_many: Ask first how much there is, and read a lot in parallel windows. Where nothing
            is expected, this saves the request.
        progress: Told of each number of records that arrived, from any thread.

    Raises:
        ApiError: Something could not be read; windows that were finished are kept.
    """
    reader = _Reader(client, store, feed, progress)
    at = position(store, feed)
    after = at.next_after if at else None
    read_at = None
    if expect_many or at is None:
        oldest, total, read_at = first_record(client, _request(feed, Window(after=after)))
        if oldest and oldest.updated_at and total and total > _WINDOW_RECORDS_MOST:
            end = newest_change(client, _request(feed))
            window = Window(after=after, before=end)
            reader.read_windows(
                without_covered(window, store, feed), oldest=oldest.updated_at, end=end
            )
            after = max(after, end) if after else end
    reader.read_tail(after, known_since(store, feed, after), at, read_at=read_at)
    _read_damaged_again(reader, client, store, feed)
    return reader.fetched


def _read_damaged_again(reader: _Reader, client: Client, store: RawStore, feed: ChangeFeed) -> None:
    """Read the months again of which an extract was damaged."""
    damaged = waiting(store, feed.name)
    months = sorted({each.folder.partition("=")[2] for each in damaged})
    if not months:
        return
    end = newest_change(client, _request(feed))
    for month in months:
        window = Window(after=month_start(month), before=month_start(next_month(month)))
        reader.read_windows([window], oldest=month_start(month), end=end)
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
    reader = _Reader(client, store, feed, progress)
    window = Window(after=month_start(first), before=month_start(next_month(last)))
    reader.read_windows(
        [window], oldest=month_start(first), end=newest_change(client, _request(feed))
    )
    return reader.fetched


def fetch_everything(
    client: Client,
    store: RawStore,
    feed: ChangeFeed,
    *,
    known: Known,
    progress: Progress | None = None,
) -> tuple[Fetched, set[str | int]]:
    """Read the whole list, store what `known` doesn't hold, and give every identity seen.

    This finds what no window of changes can: records that changed or went without a new
    `updatedAt`.

    Raises:
        ApiError: Something could not be read.
    """
    reader = _Reader(client, store, feed, progress)
    oldest, total, read_at = first_record(client, _request(feed, Window()))
    after = None
    if oldest and oldest.updated_at and total and total > _WINDOW_RECORDS_MOST:
        after = newest_change(client, _request(feed))
        reader.read_windows(
            [Window(before=after)], oldest=oldest.updated_at, end=after, known=known
        )
    reader.read_tail(after, known, position(store, feed), read_at=read_at)
    return reader.fetched, reader.identities


def store_records(
    store: RawStore, feed: ChangeFeed, records: Iterable[Record], *, source: dict[str, str]
) -> list[Manifest]:
    """Store single records that were read by id, each in the month of its last change."""
    book = Book.read(store)
    writer = _MonthWriter(store, feed, now(), source)
    try:
        for record in records:
            writer.append(book.stored(feed.entity, record))
    except BaseException as error:
        writer.abandon(error)
        raise
    return writer.commit()


class _Reader:
    """Walks windows of one feed, several at once, and keeps what they bring."""

    def __init__(
        self, client: Client, store: RawStore, feed: ChangeFeed, progress: Progress | None
    ) -> None:
        self._client = client
        self._store = store
        self._feed = feed
        self._progress = progress or _ignore
        self._book = Book.read(store)
        self._lock = threading.Lock()
        self.fetched = Fetched()
        self.identities: set[str | int] = set()

    def read_windows(
        self,
        windows: list[Window],
        *,
        oldest: dt.datetime,
        end: dt.datetime,
        known: Known | None = None,
    ) -> None:
        """Read windows that are closed at their end, in parallel pieces.

        `oldest` and `end` are the list's oldest and newest change: how far to cut, and up to where
        nothing can appear in a window any more once it was read.
        """

        def count(window: Window) -> int | None:
            return first_record(self._client, _request(self._feed, window))[1]

        pieces = [
            piece
            for window in windows
            for piece in plan_windows(
                window,
                count=count,
                oldest=oldest,
                records_most=_WINDOW_RECORDS_MOST,
                side_by_side=self._client.max_in_flight,
            )
        ]
        with ThreadPoolExecutor(
            max_workers=self._client.max_in_flight, thread_name_prefix="walk"
        ) as threads:
            walks = [threads.submit(self._read, piece, known or {}) for piece in pieces]
            try:
                for each in as_completed(walks):
                    self._record_coverage(each.result(), end)
            except BaseException:
                # The first failure ends the sync: pieces that wait would only delay its sentence.
                threads.shutdown(wait=True, cancel_futures=True)
                for each in walks:
                    if not each.cancelled() and each.exception() is None:
                        self._record_coverage(each.result(), end)
                raise

    def read_tail(
        self,
        after: dt.datetime | None,
        known: Known,
        at: Position | None,
        *,
        read_at: dt.datetime | None,
    ) -> None:
        """Read everything from an instant on, and record how far the feed has been read now.

        `read_at` is when the reading began that this is the end of.
        """
        tail = self._read(Window(after=after), known)
        # What closed windows saw counts too, those of an interrupted load included: the tail after
        # them may be empty.
        seen = [each.newest_updated_at for each in self._store.walks(self._feed.name)]
        watermark = max(filter(None, (tail.newest_updated_at, *seen)), default=None)
        is_news = bool(self.fetched.manifests) or at is None or watermark != at.watermark
        if is_news or (at and not at.is_settled):
            started_at = min(filter(None, (read_at, tail.started_at)))
            tail = msgspec.structs.replace(tail, newest_updated_at=watermark, started_at=started_at)
            record_position(self._store, tail, at)

    def _record_coverage(self, walk: Walk, end: dt.datetime) -> None:
        """Record that a window need not be read again, but for what may be committed late."""
        before = min(filter(None, (walk.before, end - OVERLAP)))
        self._store.write_walk(msgspec.structs.replace(walk, before=before))

    def _read(self, window: Window, known: Known) -> Walk:
        proof = Proof()
        writer = _MonthWriter(self._store, self._feed, now(), _source(self._feed, window))
        newest: dt.datetime | None = None
        seen = 0
        identities: set[str | int] = set()
        try:
            for records in walk_window(self._client, _request(self._feed), window, proof):
                seen += len(records)
                for read in records:
                    record = self._book.stored(self._feed.entity, read)
                    identities.add(record.identity)
                    changed = record.updated_at
                    if changed is not None and (newest is None or changed > newest):
                        newest = changed
                    if record.hash != known.get(record.identity):
                        writer.append(record)
                self._progress(len(records))
        except BaseException as error:
            writer.abandon(error)
            raise
        manifests = writer.commit()
        started_at = proof.server_time or now()
        with self._lock:
            self.identities |= identities
            self.fetched.manifests.extend(manifests)
            self.fetched.seen += seen
            self.fetched.walks += 1
        return Walk(
            walk_id=new_id(started_at),
            feed=self._feed.name,
            after=window.after,
            before=window.before,
            started_at=started_at,
            newest_updated_at=newest,
            total=proof.total,
            distinct=proof.distinct,
            proved_by=proof.by,
            walks=proof.walks,
            extracts=tuple(each.extract_id for each in manifests),
        )


def _ignore(records: int) -> None:
    del records


class _MonthWriter:
    """Writes records to one extract for each month of their last change."""

    def __init__(
        self, store: RawStore, feed: ChangeFeed, extracted_at: dt.datetime, source: dict[str, str]
    ) -> None:
        self._store = store
        self._feed = feed
        self._extracted_at = extracted_at
        self._source = source
        self._writers: dict[str, ExtractWriter] = {}

    def append(self, record: Record) -> None:
        month = month_of(record.updated_at or self._extracted_at)
        if month not in self._writers:
            self._writers[month] = self._store.writer(
                feed=self._feed.name,
                partition_key=self._feed.partition_key,
                partition=month,
                extracted_at=self._extracted_at,
                source=self._source,
            )
        self._writers[month].append(record.body, record.updated_at)

    def commit(self) -> list[Manifest]:
        return [self._writers[month].commit() for month in sorted(self._writers)]

    def abandon(self, error: BaseException) -> None:
        for writer in self._writers.values():
            writer.abandon(error)


def _request(feed: ChangeFeed, window: Window | None = None) -> ListRequest:
    # Ascending by change: a record that moves while we walk is seen twice rather than never.
    bounds = window.parameters() if window else {}
    return ListRequest(operation=feed.operation, parameters={"sort[updatedAt]": "1", **bounds})


def _source(feed: ChangeFeed, window: Window) -> dict[str, str]:
    return {"path": feed.operation.path, **window.parameters()}


def has_unseen(client: Client, store: RawStore, feed: ChangeFeed, at: Position) -> bool:
    """Tell whether anything at the end of the list is unknown, soon after it last changed.

    One request: a page of the newest records. Once the overlap has passed, that page has to reach
    back to where the last tail began; where it doesn't, the rest is walked, this one time. Where
    there is nothing, that is recorded, so that the next poll costs one request less.

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
        return record.hash != known.get(record.identity)

    page = first_page(client, newest_first)
    if any(map(is_unknown, page.records)):
        return True
    if page.asked_at - OVERLAP < at.seen_at:
        return False
    tail = store.walk(feed.name, TAIL)
    if not page.is_whole or tail is None:
        for records in walk_window(client, _request(feed), window, Proof()):
            if any(map(is_unknown, records)):
                return True
    if tail is not None:
        record_position(store, msgspec.structs.replace(tail, started_at=page.asked_at), at)
    return False

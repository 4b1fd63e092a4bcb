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
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import msgspec

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import (
    ListRequest,
    LongListError,
    Proof,
    Record,
    first_page,
    first_record,
    newest_change,
)
from ldt_pipeline.api.windows import Window, walk_window
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.months import MonthWriter
from ldt_pipeline.feeds.pieces import cut, cut_again, records_most
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
from ldt_pipeline.instants import month_start, next_month, now
from ldt_pipeline.raw import Manifest, RawStore, Walk
from ldt_pipeline.raw.extract_files import new_id
from ldt_pipeline.raw.quarantine import note_read_again, waiting

_WINDOW_RECORDS_MOST = 5_000
_WALKERS_PER_REQUEST = 2
"""Threads for each request that may be in flight: while one stores what it got, another asks."""
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
                without_covered(window, store, feed),
                oldest=oldest.updated_at,
                end=end,
                total=total,
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
        total = first_record(client, _request(feed, window))[1]
        reader.read_windows([window], oldest=month_start(month), end=end, total=total)
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
        [window],
        oldest=month_start(first),
        end=newest_change(client, _request(feed)),
        total=first_record(client, _request(feed, window))[1],
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
    identities = reader.identities = set[str | int]()
    oldest, total, read_at = first_record(client, _request(feed, Window()))
    after = None
    if oldest and oldest.updated_at and total and total > _WINDOW_RECORDS_MOST:
        after = newest_change(client, _request(feed))
        windows = [Window(before=after)]
        reader.read_windows(windows, oldest=oldest.updated_at, end=after, total=total, known=known)
    reader.read_tail(after, known, position(store, feed), read_at=read_at)
    return reader.fetched, identities


def store_records(
    store: RawStore, feed: ChangeFeed, records: Iterable[Record], *, source: dict[str, str]
) -> list[Manifest]:
    """Store single records that were read by id, each in the month of its last change."""
    book = Book.read(store)
    writer = MonthWriter(store, feed, now(), source)
    try:
        for record in records:
            writer.append(book.stored(feed.entity, record))
    except BaseException as error:
        writer.abandon(error)
        raise
    return writer.commit()


class _Reader:
    """Walks windows of one feed, several at once, and keeps what they bring."""

    # All identities of a list take as much memory as the list is long: only where they are wanted.
    identities: set[str | int] | None = None

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

    def read_windows(
        self,
        windows: list[Window],
        *,
        oldest: dt.datetime,
        end: dt.datetime,
        total: int | None,
        known: Known | None = None,
    ) -> None:
        """Read windows that are closed at their end, in parallel pieces.

        `oldest` and `end` are the list's oldest and newest change: how far to cut, and up to where
        nothing can appear in a window any more once it was read. `total` is how many records all of
        them may hold. Pieces are cut as if these lay evenly; one that turns out to hold too many is
        cut again, which costs its first page: what is walked is proved by its own total.
        """
        walkers = self._client.max_in_flight * _WALKERS_PER_REQUEST
        most = records_most(total or 0, walkers=walkers, at_most=_WINDOW_RECORDS_MOST)
        walks: list[Future[Walk | list[Window]]] = []
        with ThreadPoolExecutor(max_workers=walkers, thread_name_prefix="walk") as threads:

            def begin(pieces: Iterable[Window]) -> set[Future[Walk | list[Window]]]:
                begun = [
                    threads.submit(self._read_or_cut, each, known or {}, oldest, most)
                    for each in pieces
                ]
                walks.extend(begun)
                return set(begun)

            try:
                reading = begin(cut(windows, oldest=oldest, total=total or 0, records_most=most))
                while reading:
                    ended, reading = wait(reading, return_when=FIRST_COMPLETED)
                    for each in ended:
                        found = each.result()
                        if isinstance(found, Walk):
                            self._record_coverage(found, end)
                        else:
                            reading |= begin(found)
            except BaseException:
                # The first failure ends the sync: pieces that wait would only delay its sentence.
                threads.shutdown(wait=True, cancel_futures=True)
                ended = {each for each in walks if not each.cancelled() and not each.exception()}
                for found in (each.result() for each in ended):
                    if isinstance(found, Walk):
                        self._record_coverage(found, end)
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

    def _read_or_cut(
        self, window: Window, known: Known, oldest: dt.datetime, records_most: int
    ) -> Walk | list[Window]:
        """Read a window, or give its pieces where it holds more than is wanted of one walk."""
        if not window.can_be_cut(oldest):
            return self._read(window, known)
        try:
            return self._read(window, known, records_most=records_most)
        except LongListError as error:
            pieces = cut_again(window, error, oldest=oldest, records_most=records_most)
        return pieces if len(pieces) > 1 else self._read(window, known)

    def _read(self, window: Window, known: Known, *, records_most: int | None = None) -> Walk:
        proof = Proof()
        writer = MonthWriter(self._store, self._feed, now(), _source(self._feed, window))
        newest: dt.datetime | None = None
        seen = 0
        try:
            for records in walk_window(
                self._client, _request(self._feed), window, proof, records_most=records_most
            ):
                seen += len(records)
                for read in records:
                    record = self._book.stored(self._feed.entity, read)
                    if record.updated_at and (newest is None or record.updated_at > newest):
                        newest = record.updated_at
                    if record.hash != known.get(record.identity):
                        writer.append(record)
                if self.identities is not None:
                    with self._lock:
                        self.identities.update(record.identity for record in records)
                self._progress(len(records))
        except BaseException as error:
            writer.abandon(error)
            raise
        manifests = writer.commit()
        started_at = proof.server_time or now()
        with self._lock:
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

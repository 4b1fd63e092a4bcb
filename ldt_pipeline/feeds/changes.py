"""Following a list by `updatedAt`: the first load, what changed since, and one month again.

What belongs here: how far a feed has been read, and walking windows into extracts by month.
What doesn't: cutting and proving walks (`api/`), and who asks for it (`defs/`, `sync/`).

How far a feed has been read is told by the records of its walks, never by our clock: a tail walk
(open at its end) gives the newest change that it saw and the server's time when it began. The next
one starts a little before either, so that rows that were committed late are seen.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import ListRequest, Proof, Record, first_record, record_of, walk
from ldt_pipeline.api.windows import Window, plan_windows
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.instants import MILLISECOND, month_of, month_start, next_month, now, parse_instant
from ldt_pipeline.raw import DELETIONS, ExtractWriter, Manifest, RawStore, Walk
from ldt_pipeline.raw.store import new_id

OVERLAP = dt.timedelta(minutes=5)
"""How long a row may take from its `updatedAt` to being visible: longer than any sane transaction.
What is later still is found by comparing totals."""

_WINDOW_RECORDS_MOST = 5_000
_TAIL = "tail"
_BATCH_RECORDS = 10_000

Known = Mapping[str | int, set[int]]
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a feed has been read: `watermark` is the newest change that was seen."""

    watermark: dt.datetime | None
    read_at: dt.datetime

    @property
    def is_settled(self) -> bool:
        """Whether nothing at or before the watermark can still appear."""
        return self.watermark is None or self.read_at - OVERLAP >= self.watermark

    @property
    def next_after(self) -> dt.datetime | None:
        """Where the next tail starts."""
        if self.watermark is None or self.is_settled:
            return self.watermark
        return max(self.read_at, self.watermark) - OVERLAP


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


def position(store: RawStore, feed: ChangeFeed) -> Position | None:
    """Tell how far the feed has been read; None before its first load is complete."""
    tails = [each for each in store.walks(feed.name) if each.before is None]
    if not tails:
        return None
    latest = tails[-1]
    return Position(watermark=latest.newest_updated_at, read_at=latest.started_at)


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
    if expect_many or at is None:
        oldest, total, asked_at = first_record(client, _request(feed, Window(after=after)))
        oldest_at = parse_instant(oldest.updated_at) if oldest else None
        if oldest_at and total and total > _WINDOW_RECORDS_MOST:
            bound = asked_at.replace(microsecond=0)
            reader.read_windows(
                _without_covered(Window(after=after, before=bound), store, feed),
                oldest=oldest_at,
            )
            after = max(after, bound - OVERLAP) if after else bound - OVERLAP
    reader.read_tail(after, _known_since(store, feed, after), at)
    return reader.fetched


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
    reader.read_windows([window], oldest=month_start(first))
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
    oldest, total, asked_at = first_record(client, _request(feed, Window()))
    oldest_at = parse_instant(oldest.updated_at) if oldest else None
    after = None
    if oldest_at and total and total > _WINDOW_RECORDS_MOST:
        bound = asked_at.replace(microsecond=0)
        reader.read_windows([Window(before=bound)], oldest=oldest_at, known=known)
        after = bound - OVERLAP
    reader.read_tail(after, known, position(store, feed))
    return reader.fetched, reader.identities


def store_records(
    store: RawStore, feed: ChangeFeed, records: Iterable[Record], *, source: dict[str, str]
) -> list[Manifest]:
    """Store single records that were read by id, each in the month of its last change."""
    writer = _MonthWriter(store, feed, now(), source)
    try:
        for record in records:
            writer.append(record)
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
        self._lock = threading.Lock()
        self.fetched = Fetched()
        self.identities: set[str | int] = set()

    def read_windows(
        self, windows: list[Window], *, oldest: dt.datetime, known: Known | None = None
    ) -> None:
        """Read windows that are closed at their end, in parallel pieces."""

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
                for each in walks:
                    each.result()
            except BaseException:
                # The first failure ends the sync: pieces that wait would only delay its sentence.
                threads.shutdown(wait=True, cancel_futures=True)
                raise

    def read_tail(self, after: dt.datetime | None, known: Known, at: Position | None) -> None:
        """Read everything from an instant on, and record how far the feed has been read now."""
        started, newest, stored = self._read(Window(after=after), known)
        watermark = max(filter(None, (newest, at.watermark if at else None)), default=None)
        if at and at.is_settled and not stored and watermark == at.watermark:
            return
        self._store.write_walk(
            msgspec.structs.replace(started, newest_updated_at=watermark), name=_TAIL
        )

    def _read(self, window: Window, known: Known) -> tuple[Walk, dt.datetime | None, int]:
        proof = Proof()
        writer = _MonthWriter(self._store, self._feed, now(), _source(self._feed, window))
        newest: dt.datetime | None = None
        seen = 0
        identities: set[str | int] = set()
        try:
            for records in walk(self._client, _request(self._feed, window), proof):
                seen += len(records)
                for record in records:
                    identities.add(record.identity)
                    updated_at = parse_instant(record.updated_at)
                    newest = max(filter(None, (newest, updated_at)), default=None)
                    if record.hash not in known.get(record.identity, ()):
                        writer.append(record)
                self._progress(len(records))
        except BaseException as error:
            writer.abandon(error)
            raise
        manifests = writer.commit()
        started_at = proof.server_time or now()
        covered_before = window.before and min(window.before, started_at - OVERLAP)
        record = Walk(
            walk_id=new_id(started_at),
            feed=self._feed.name,
            after=window.after,
            before=covered_before,
            started_at=started_at,
            newest_updated_at=newest,
            total=proof.total,
            distinct=proof.distinct,
            proved_by=proof.by,
            walks=proof.walks,
            extracts=tuple(each.extract_id for each in manifests),
        )
        if window.before is not None:
            self._store.write_walk(record)
        with self._lock:
            self.identities |= identities
            self.fetched.manifests.extend(manifests)
            self.fetched.seen += seen
            self.fetched.walks += 1
        return record, newest, len(manifests)


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
        updated_at = parse_instant(record.updated_at)
        month = month_of(updated_at or self._extracted_at)
        if month not in self._writers:
            self._writers[month] = self._store.writer(
                feed=self._feed.name,
                partition_key=self._feed.partition_key,
                partition=month,
                extracted_at=self._extracted_at,
                source=self._source,
            )
        self._writers[month].append(record.body, updated_at)

    def commit(self) -> list[Manifest]:
        return [self._writers[month].commit() for month in sorted(self._writers)]

    def abandon(self, error: BaseException) -> None:
        for writer in self._writers.values():
            writer.abandon(error)


def _request(feed: ChangeFeed, window: Window) -> ListRequest:
    # Ascending by change: a record that moves while we walk is seen twice rather than never.
    return ListRequest(
        operation=feed.operation, parameters={"sort[updatedAt]": "1", **window.parameters()}
    )


def _source(feed: ChangeFeed, window: Window) -> dict[str, str]:
    return {"path": feed.operation.path, **window.parameters()}


def _without_covered(window: Window, store: RawStore, feed: ChangeFeed) -> list[Window]:
    """Take away from a window what earlier walks have covered: an interrupted load goes on."""
    covered = sorted(
        (
            (each.after or _BEGINNING, each.before)
            for each in store.walks(feed.name)
            if each.before is not None
        ),
    )
    start = window.after or _BEGINNING
    end = window.before or _END
    left: list[Window] = []
    for after, before in covered:
        if after > start:
            left.append(_window(start, min(after, end)))
        start = max(start, before)
        if start >= end:
            break
    if start < end:
        left.append(_window(start, end))
    return left


_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


def _window(after: dt.datetime, before: dt.datetime) -> Window:
    return Window(after=None if after == _BEGINNING else after, before=before)


def _known_since(store: RawStore, feed: ChangeFeed, after: dt.datetime | None) -> Known:
    """Give the versions that the store holds of records changed at or after an instant.

    A record with a tombstone is left out: when it is seen again, it has to be stored again.
    """
    known: dict[str | int, set[int]] = {}
    if after is None:
        return known
    since = after - MILLISECOND
    for manifest in store.manifests(feed.name):
        if manifest.newest_updated_at is None or manifest.newest_updated_at < since:
            continue
        for batch in store.read(manifest, batch_records=_BATCH_RECORDS):
            for body in batch:
                record = record_of(body)
                known.setdefault(record.identity, set()).add(record.hash)
    for manifest in store.manifests(DELETIONS):
        if known and manifest.partition == feed.name:
            for batch in store.read(manifest, batch_records=_BATCH_RECORDS):
                for body in batch:
                    known.pop(record_of(body).identity, None)
    return known


def has_unseen(client: Client, store: RawStore, feed: ChangeFeed, at: Position) -> bool:
    """Tell whether anything at the end of the list is unknown, shortly after it last changed.

    Where there is nothing, that is recorded, so that the next poll costs one request less.

    Raises:
        ApiError: The list could not be read.
    """
    known = _known_since(store, feed, at.next_after)
    proof = Proof()
    for records in walk(client, _request(feed, Window(after=at.next_after)), proof):
        if any(each.hash not in known.get(each.identity, ()) for each in records):
            return True
    store.write_walk(
        msgspec.structs.replace(
            _latest_tail(store, feed), started_at=proof.server_time or at.read_at
        ),
        name=_TAIL,
    )
    return False


def _latest_tail(store: RawStore, feed: ChangeFeed) -> Walk:
    return [each for each in store.walks(feed.name) if each.before is None][-1]

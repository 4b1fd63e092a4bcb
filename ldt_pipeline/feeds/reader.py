"""Walking windows of one feed, several at once, and storing what they bring.

What belongs here: pieces of windows side by side, extracts by month, and the coverage that lets an
interrupted load go on. What doesn't: which windows are read (`changes.py`), where they are cut
(`pieces.py`, `spikes.py`), and cutting and proving walks (`api/`).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import msgspec

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.paging import ListRequest, LongListError, Proof, first_record
from ldt_pipeline.api.windows import Window, walk_window
from ldt_pipeline.erasing.book import Book
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.feeds.months import MonthWriter
from ldt_pipeline.feeds.pieces import cut, cut_again, records_most
from ldt_pipeline.feeds.positions import OVERLAP, TAIL, Known, Position, record_position
from ldt_pipeline.feeds.spikes import Spike, find_spike
from ldt_pipeline.feeds.undated import find_undated
from ldt_pipeline.instants import now, shifted
from ldt_pipeline.raw import Manifest, RawStore, Walk
from ldt_pipeline.raw.extract_files import new_id

_WINDOW_RECORDS_MOST = 5_000
_LONG_BEFORE = dt.timedelta(days=1)
_WALKERS_PER_REQUEST = 2
"""Threads for each request that may be in flight: while one stores what it got, another asks."""

Progress = Callable[[int], None]
_Found = Walk | list[Window] | Spike
"""What became of a piece: it was walked, or cut."""


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


class Reader:
    """Walks windows of one feed, several at once, and keeps what they bring."""

    def __init__(
        self,
        client: Client,
        store: RawStore,
        feed: ChangeFeed,
        progress: Progress | None,
        *,
        identities: set[str | int] | None = None,
    ) -> None:
        """Set up.

        All `identities` that are seen are put there, where that is wanted: they take as much memory as
        the list is long.
        """
        self._client = client
        self._store = store
        self._feed = feed
        self._progress = progress or _ignore
        self._book = Book.read(store)
        self._identities = identities
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
        cut again, which costs its first page: what is walked is proved by its own total. What changed at
        one instant is cut by when it was made.
        """
        walkers = self._client.max_in_flight * _WALKERS_PER_REQUEST
        most: int | None = records_most(total or 0, walkers=walkers, at_most=_WINDOW_RECORDS_MOST)
        if (total or 0) > most and not self._is_narrowed(oldest):
            most = None
        begun: dict[Future[_Found], Spike | None] = {}
        with ThreadPoolExecutor(max_workers=walkers, thread_name_prefix="walk") as threads:

            def begin(pieces: Iterable[Window], spike: Spike | None) -> set[Future[_Found]]:
                reading = {
                    threads.submit(self._read_or_cut, each, known or {}, oldest, most, spike): spike
                    for each in pieces
                }
                begun.update(reading)
                if spike is not None:
                    spike.begin(len(reading))
                return set(reading)

            try:
                reading = begin(
                    cut(windows, oldest=oldest, total=total or 0, records_most=most)
                    if most is not None
                    else windows,
                    None,
                )
                while reading:
                    ended, reading = wait(reading, return_when=FIRST_COMPLETED)
                    for each in ended:
                        found, spike = each.result(), begun[each]
                        if isinstance(found, Spike):
                            reading |= begin(found.cut(found.window, found.total), found)
                        elif isinstance(found, list):
                            reading |= begin(found, spike)
                            if spike is not None:
                                spike.end(None)
                        elif (walk := self._whole(found, spike, known or {})) is not None:
                            self._record_coverage(walk, end)
            except BaseException:
                # The first failure ends the sync: pieces that wait would only delay its sentence.
                threads.shutdown(wait=True, cancel_futures=True)
                for each, spike in begun.items():
                    is_read = not each.cancelled() and not each.exception()
                    if is_read and spike is None and isinstance(found := each.result(), Walk):
                        self._record_coverage(found, end)
                raise

    def _whole(self, walk: Walk, spike: Spike | None, known: Known) -> Walk | None:
        """Give the walk that covers its window: of a spike, once all pieces of it were read."""
        if spike is None:
            return walk
        spike.end(walk)
        if not spike.is_read:
            return None
        total_now = first_record(self._client, list_request(self._feed, spike.window))[1]
        return spike.walk(total_now) or self._read(spike.window, known)

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
        began = now()
        tail = self._read(Window(after=after), known)
        # It was made before now, however long the reading took: by the clock of `started_at`.
        seen_at = tail.started_at + max(now() - began, dt.timedelta())
        # What closed windows saw counts too, those of an interrupted load included: the tail after
        # them may be empty.
        seen = [each.newest_updated_at for each in self._store.walks(self._feed.name)]
        watermark = max(filter(None, (tail.newest_updated_at, *seen)), default=None)
        is_news = bool(self.fetched.manifests) or at is None or watermark != at.watermark
        if is_news or (at and not at.is_settled):
            started_at = min(filter(None, (read_at, tail.started_at)))
            tail = msgspec.structs.replace(
                tail, newest_updated_at=watermark, newest_seen_at=seen_at, started_at=started_at
            )
            record_position(self._store, tail, at)
        else:
            # A list that is quiet for years is read whole each night.
            self._store.forget_walks(self._feed.name, but=TAIL)

    def read_undated(self, known: Known) -> None:
        """Read what says not when it changed, and is in no window therefore."""
        found = find_undated(self._client, list_request(self._feed))
        records = [self._book.stored(self._feed.entity, each) for each in found]
        if self._identities is not None:
            self._identities.update(each.identity for each in records)
        with MonthWriter(self._store, self._feed, now(), _source(self._feed, Window())) as writer:
            for record in records:
                if record.hash != known.get(record.identity):
                    writer.append(record)
        self.fetched.manifests.extend(writer.commit())
        self.fetched.seen += len(records)

    def _record_coverage(self, walk: Walk, end: dt.datetime) -> None:
        """Record that a window need not be read again, but for what may be committed late."""
        before = min(filter(None, (walk.before, end - OVERLAP)))
        self._store.write_walk(msgspec.structs.replace(walk, before=before))

    def _read_or_cut(
        self,
        window: Window,
        known: Known,
        oldest: dt.datetime,
        records_most: int | None,
        spike: Spike | None,
    ) -> _Found:
        """Read a window, or cut it where it holds more than is wanted of one walk, if that is said."""
        if records_most is None:
            return self._read(window, known)
        try:
            return self._read(window, known, spike=spike, records_most=records_most)
        except LongListError as error:
            if spike is not None:
                pieces = spike.cut(window, error.total)
            else:
                pieces = cut_again(window, error, oldest=oldest, records_most=records_most)
            if len(pieces) > 1:
                return pieces
            found = None if spike is not None else self._find_spike(window, error, records_most)
        return found or self._read(window, known, spike=spike)

    def _is_narrowed(self, oldest: dt.datetime) -> bool:
        """Whether the API tells a window's records from the list's: else cutting would never end."""
        long_before = Window(before=shifted(oldest, -_LONG_BEFORE))
        request = list_request(self._feed)
        told = first_record(self._client, list_request(self._feed, long_before))[1]
        everywhere = first_record(self._client, request)[1]
        return told is None or everywhere is None or told < everywhere

    def _find_spike(self, window: Window, error: LongListError, records_most: int) -> Spike | None:
        request = list_request(self._feed)
        return find_spike(self._client, request, window, error.total, records_most=records_most)

    def _read(
        self,
        window: Window,
        known: Known,
        *,
        spike: Spike | None = None,
        records_most: int | None = None,
    ) -> Walk:
        proof = Proof()
        newest: dt.datetime | None = None
        seen = 0
        with MonthWriter(self._store, self._feed, now(), _source(self._feed, window)) as writer:
            for records in walk_window(
                self._client, list_request(self._feed), window, proof, records_most=records_most
            ):
                seen += len(records)
                for read in records:
                    record = self._book.stored(self._feed.entity, read)
                    if record.updated_at and (newest is None or record.updated_at > newest):
                        newest = record.updated_at
                    is_known = record.hash == known.get(record.identity)
                    if not is_known and not window.begins_after(record.updated_at):
                        writer.append(record)
                wanted = (self._identities, spike.identities if spike else None)
                with self._lock:
                    for identities in (each for each in wanted if each is not None):
                        identities.update(record.identity for record in records)
                self._progress(len(records))
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


def is_long(total: int | None) -> bool:
    """Whether a list of so many records is worth being read in windows."""
    return total is not None and total > _WINDOW_RECORDS_MOST


def list_request(feed: ChangeFeed, window: Window | None = None) -> ListRequest:
    """Ask for a feed's list, or a window of it, by the time of change.

    Ascending: a record that moves while we walk is seen twice rather than never.
    """
    bounds = window.parameters() if window else {}
    return ListRequest(operation=feed.operation, parameters={"sort[updatedAt]": "1", **bounds})


def _ignore(records: int) -> None:
    del records


def _source(feed: ChangeFeed, window: Window) -> dict[str, str]:
    return {"path": feed.operation.path, **window.parameters()}

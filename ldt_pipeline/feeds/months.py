"""Records of a list, each written into the extract of the month of its last change.

What belongs here: which partition a record goes to. What doesn't: the files (`raw/`), and which
records are stored (`reader.py`).
"""

from __future__ import annotations

import datetime as dt
from types import TracebackType
from typing import Final, Self

from ldt_pipeline.api.paging import Record
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.instants import month_of
from ldt_pipeline.raw import ExtractWriter, Manifest, RawStore

_EXTRACT_RECORDS_MOST: Final = 20_000
"""An extract is loaded as a whole: with a hundred thousand people who changed at one instant, as after a
ballot, a larger one would take half a gigabyte more of memory."""

_LATER: Final = dt.timedelta(microseconds=1)


class MonthWriter:
    """Writes records to an extract for each month of their last change, or several if they are many.

    A context manager as `ExtractWriter` is: where the block fails, what was written is taken away.
    """

    def __init__(
        self, store: RawStore, feed: ChangeFeed, extracted_at: dt.datetime, source: dict[str, str]
    ) -> None:
        self._store = store
        self._feed = feed
        self._extracted_at = extracted_at
        self._source = source
        self._writers: dict[str, ExtractWriter] = {}
        self._latest: ExtractWriter | None = None
        self._full: list[ExtractWriter] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.abandon(error)

    def append(self, record: Record) -> None:
        """Add a record."""
        month = month_of(record.updated_at or self._extracted_at)
        if month in self._writers and self._writers[month].records >= _EXTRACT_RECORDS_MOST:
            self._full.append(self._writers.pop(month))
            self._full[-1].rest()
        if month not in self._writers:
            # Lists come in the order of change: where a month begins, the one before has ended.
            if self._latest is not None:
                self._latest.rest()
            self._latest = self._writers[month] = self._store.writer(
                feed=self._feed.name,
                partition_key=self._feed.partition_key,
                partition=month,
                # Of what was read twice the later counts, also where nothing else tells them apart.
                extracted_at=self._extracted_at + len(self._full) * _LATER,
                source=self._source,
            )
        self._writers[month].append(record.body, record.updated_at)

    def commit(self) -> list[Manifest]:
        """Let the extracts count."""
        writers = [*self._full, *(self._writers[month] for month in sorted(self._writers))]
        with self:  # those that count stay: what they hold is true, and is read again
            return [writer.commit() for writer in writers]

    def abandon(self, error: BaseException) -> None:
        """Take away what was written."""
        for writer in (*self._full, *self._writers.values()):
            writer.abandon(error)

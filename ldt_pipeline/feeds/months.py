"""Records of a list, each written into the extract of the month of its last change.

What belongs here: which partition a record goes to. What doesn't: the files (`raw/`), and which
records are stored (`changes.py`).
"""

from __future__ import annotations

import datetime as dt

from ldt_pipeline.api.paging import Record
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.instants import month_of
from ldt_pipeline.raw import ExtractWriter, Manifest, RawStore


class MonthWriter:
    """Writes records to one extract for each month of their last change."""

    def __init__(
        self, store: RawStore, feed: ChangeFeed, extracted_at: dt.datetime, source: dict[str, str]
    ) -> None:
        self._store = store
        self._feed = feed
        self._extracted_at = extracted_at
        self._source = source
        self._writers: dict[str, ExtractWriter] = {}
        self._latest: ExtractWriter | None = None

    def append(self, record: Record) -> None:
        """Add a record."""
        month = month_of(record.updated_at or self._extracted_at)
        if month not in self._writers:
            # Lists come in the order of change: where a month begins, the one before has ended.
            if self._latest is not None:
                self._latest.rest()
            self._latest = self._writers[month] = self._store.writer(
                feed=self._feed.name,
                partition_key=self._feed.partition_key,
                partition=month,
                extracted_at=self._extracted_at,
                source=self._source,
            )
        self._writers[month].append(record.body, record.updated_at)

    def commit(self) -> list[Manifest]:
        """Let the extracts count."""
        return [self._writers[month].commit() for month in sorted(self._writers)]

    def abandon(self, error: BaseException) -> None:
        """Take away what was written."""
        for writer in self._writers.values():
            writer.abandon(error)

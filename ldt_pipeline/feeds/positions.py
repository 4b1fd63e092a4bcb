"""How far a feed has been read, and which versions of its newest records the raw store holds.

What belongs here: where the next tail starts, and when nothing can appear before it any more. What
doesn't: reading anything from the API (`changes.py`).

A position is told by the records of walks, never by our clock alone. Its instants are of two
clocks that may differ by hours: `watermark` is the API's `updatedAt`, the others are when the API
answered (or, where it doesn't say, our clock). Only differences within one clock are trusted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ldt_pipeline.api.paging import record_of
from ldt_pipeline.api.windows import Window
from ldt_pipeline.erasing.forms import is_redacted
from ldt_pipeline.feeds.catalogue import ChangeFeed
from ldt_pipeline.instants import MILLISECOND, believed
from ldt_pipeline.raw import DELETIONS, RawStore, Walk
from ldt_pipeline.raw.quarantine import past_damage

OVERLAP = dt.timedelta(minutes=5)
"""How long a row may take from its `updatedAt` to being visible: longer than any sane transaction.
What is later still is found by comparing totals, where it is new, or else by reading the list whole."""

TAIL = "tail"
"""The name of the one walk that tells how far a feed has been read."""

Known = Mapping[str | int, int]
"""The hash of the version that is held of each record, by its identity."""

_BATCH_RECORDS = 10_000
_OLDEST = dt.datetime.min.replace(tzinfo=dt.UTC)
_END = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a feed has been read.

    `watermark` is the newest change that was seen, `seen_at` when it was seen first (at the end of
    the reading that did), and `read_at` when the end of the list was last read (the beginning of that).
    """

    watermark: dt.datetime | None
    seen_at: dt.datetime
    read_at: dt.datetime

    @property
    def is_settled(self) -> bool:
        """Whether nothing at or before the watermark can still appear.

        Where it lies in the future, what changes now lies before it.
        """
        if self.watermark is None:
            return True
        return self.read_at - OVERLAP >= self.seen_at and self.watermark <= self.read_at

    @property
    def next_after(self) -> dt.datetime | None:
        """Where the next tail starts.

        Right after the watermark where nothing can appear there any more: as many as lie at one instant
        after a ballot would be read and stored again.
        """
        if self.watermark is None:
            return None
        if self.is_settled:
            # Windows are read a millisecond wider than they are.
            return self.watermark + 2 * MILLISECOND
        return min(self.watermark, self.read_at) - OVERLAP


def position(store: RawStore, feed: ChangeFeed) -> Position | None:
    """Tell how far the feed has been read; None before its first load is complete."""
    tail = store.walk(feed.name, TAIL)
    if tail is None:
        return None
    return Position(
        watermark=tail.newest_updated_at,
        seen_at=tail.newest_seen_at or tail.started_at,
        read_at=tail.started_at,
    )


def record_position(store: RawStore, walk: Walk, at: Position | None) -> None:
    """Record how far a feed has been read by a walk to its end.

    Closed windows that were walked before are forgotten: they only serve a load that goes on.
    """
    is_same = at is not None and at.watermark == walk.newest_updated_at
    seen_at = at.seen_at if at is not None and is_same else walk.newest_seen_at or walk.started_at
    store.write_walk(msgspec.structs.replace(walk, newest_seen_at=seen_at), name=TAIL)
    store.forget_walks(walk.feed, but=TAIL)


def known_since(store: RawStore, feed: ChangeFeed, after: dt.datetime | None) -> Known:
    """Give the versions that the store holds of records changed at or after an instant.

    Of several, it is the one that the warehouse takes. A record with a younger tombstone is left
    out: when it is seen again, it has to be stored again. A damaged extract is set aside, and what
    it held counts as unknown.
    """
    if after is None:
        return {}
    return past_damage(store, lambda: _known_since(store, feed, after - MILLISECOND))


def _known_since(store: RawStore, feed: ChangeFeed, since: dt.datetime) -> Known:
    newest: dict[str | int, tuple[bool, dt.datetime, dt.datetime, str, int]] = {}
    seen_at: dict[str | int, dt.datetime] = {}
    for manifest in store.manifests(feed.name):
        if manifest.newest_updated_at is not None and manifest.newest_updated_at < since:
            continue
        for origin, _, lines in store.read_parts(manifest, batch_records=_BATCH_RECORDS):
            for record in map(record_of, filter(None, lines)):
                version = (
                    is_redacted(record.body),
                    believed(record.updated_at, origin.extracted_at) or _OLDEST,
                    origin.extracted_at,
                    origin.extract_id,
                    record.hash,
                )
                held = newest.get(record.identity)
                if held is None or version[:4] >= held[:4]:
                    newest[record.identity] = version
                seen = seen_at.get(record.identity, _OLDEST)
                seen_at[record.identity] = max(seen, origin.extracted_at)
    for manifest in store.manifests(DELETIONS) if newest else ():
        if manifest.partition != feed.name:
            continue
        for origin, _, lines in store.read_parts(manifest, batch_records=_BATCH_RECORDS):
            for identity in (record_of(body).identity for body in lines):
                if seen_at.get(identity, _OLDEST) <= origin.extracted_at:
                    newest.pop(identity, None)
    return {identity: version[4] for identity, version in newest.items()}


def without_covered(window: Window, store: RawStore, feed: ChangeFeed) -> list[Window]:
    """Take away from a window what earlier walks have covered: an interrupted load goes on."""
    covered = sorted(
        (
            (each.after or _OLDEST, each.before)
            for each in store.walks(feed.name)
            if each.before is not None
        ),
    )
    start = window.after or _OLDEST
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


def _window(after: dt.datetime, before: dt.datetime) -> Window:
    return Window(after=None if after == _OLDEST else after, before=before)

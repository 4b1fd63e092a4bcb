"""The records that the other API serves, in memory, for tests to change while it serves.

Records are plain dicts with the API's keys; instants are aware datetimes (text is parsed when it
is put). Everything that was deleted is remembered, for cursors and for the truth.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]

COLLECTIONS = ("participants", "applications", "partners", "reserved_entries", "tickets")

_INSTANTS = ("createdAt", "updatedAt", "raceStartDate")


class Dataset:
    """Records by collection and id. All methods may be called from any thread.

    What goes in is copied; what comes out is what is served: never change it, `touch` it.
    """

    def __init__(self, records: Mapping[str, Iterable[Record]] | None = None) -> None:
        self._lock = threading.RLock()
        self._live: dict[str, dict[str, Record]] = {name: {} for name in COLLECTIONS}
        self._gone: dict[str, dict[str, Record]] = {name: {} for name in COLLECTIONS}
        self._numbers: dict[tuple[str, str], int] = {}
        self._event_ids: set[str] = set()
        self._race_ids: set[str] = set()
        self._version = 0
        for collection, these in (records or {}).items():
            for record in these:
                self.put(collection, record)

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    def put(self, collection: str, record: Record) -> Record:
        """Insert a record, or replace the one with its id, as it is."""
        own: Record = _copied(record)
        for key in _INSTANTS:
            if isinstance(own.get(key), str):
                own[key] = datetime.fromisoformat(own[key])
        record_id = str(own["id"])
        with self._lock:
            self._live[collection][record_id] = own
            self._gone[collection].pop(record_id, None)
            self._numbers.setdefault((collection, record_id), len(self._numbers))
            self._event_ids.update(str(own[key]) for key in ("eventId",) if own.get(key))
            self._race_ids.update(str(own[key]) for key in ("raceId",) if own.get(key))
            self._version += 1
        return own

    def touch(
        self, collection: str, record_id: str, *, at: datetime | None = None, **changes: Any
    ) -> Record:
        """Change some of a record's keys, and move its `updatedAt` to `at`, or to now.

        Raises:
            KeyError: There is no such record (any more).
        """
        with self._lock:
            record = {**self._live[collection][record_id], **changes}
            if "updatedAt" in record:
                record["updatedAt"] = at or _now()
            return self.put(collection, record)

    def delete(self, collection: str, record_id: str) -> None:
        """Drop a record.

        Raises:
            KeyError: There is no such record (any more).
        """
        with self._lock:
            self._gone[collection][record_id] = self._live[collection].pop(record_id)
            self._version += 1

    def get(self, collection: str, record_id: str) -> Record | None:
        """Give a record, None if it is not there."""
        with self._lock:
            return self._live[collection].get(record_id)

    def live(self, collection: str) -> list[Record]:
        """Give the records that are there, in the order in which they were first put."""
        with self._lock:
            return sorted(
                self._live[collection].values(),
                key=lambda record: self._numbers[collection, str(record["id"])],
            )

    def deleted(self, collection: str) -> list[Record]:
        """Give the records that were there."""
        with self._lock:
            return list(self._gone[collection].values())

    def last_known(self, collection: str, record_id: str) -> Record | None:
        """Give a record as it is, or as it was when it was deleted."""
        with self._lock:
            return self._live[collection].get(record_id) or self._gone[collection].get(record_id)

    def number(self, collection: str, record_id: str) -> int:
        """Give a record's place in the order of insertion."""
        return self._numbers[collection, record_id]

    def add_event(self, event_id: str) -> None:
        """Make an event known that no record names."""
        with self._lock:
            self._event_ids.add(event_id)

    def forget_event(self, event_id: str) -> None:
        """Answer 404 for an event from now on, though records go on naming it."""
        with self._lock:
            self._event_ids.discard(event_id)

    def knows_event(self, event_id: str) -> bool:
        """Whether any record ever named this event."""
        return event_id in self._event_ids

    def knows_race(self, race_id: str) -> bool:
        """Whether any record ever named this race."""
        return race_id in self._race_ids


def _copied(value: Any) -> Any:
    """Copy a JSON value; `copy.deepcopy` takes ten times as long."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)

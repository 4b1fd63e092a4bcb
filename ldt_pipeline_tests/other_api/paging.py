"""One page of a list: filter, order, cursor, and what the envelope says about it.

Every order is a list of (place, record), where a place is a tuple that ends with the record's id.
An opaque cursor holds a place; a record's id stands for the place that the record has by now; an
offset is what it says. A lap counts how often a list that never ends has begun again, and makes
each of its cursors a new one.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import random
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ldt_pipeline_tests.other_api.dataset import Dataset, Record
from ldt_pipeline_tests.other_api.readings import Readings, Totals

_SORTS = {"sort[updatedAt]": "updatedAt", "sort[createdAt]": "createdAt"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 10**18

Place = tuple[Any, ...]
Ordered = list[tuple[Place, Record]]


class BadRequestError(Exception):
    """The request can't be answered as it is; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """The records of a page, and the envelope's `page`."""

    records: list[Record]
    about: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Order:
    """How records are put in order: by these keys, ascending or descending."""

    keys: tuple[tuple[str, int], ...]

    @property
    def is_named(self) -> bool:
        return bool(self.keys)


class Pager:
    """Answers list requests over one dataset."""

    def __init__(self, dataset: Dataset, readings: Readings) -> None:
        self._dataset = dataset
        self._readings = readings
        self._nonces = itertools.count(1)
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, Ordered] = OrderedDict()

    def page(
        self,
        collection: str,
        query: Mapping[str, str],
        *,
        belongs: Callable[[Record], bool] | None = None,
        belongs_key: str = "",
        totals: Totals | None = None,
    ) -> Page:
        """Give the page that a query asks for.

        Args:
            collection: Which records.
            query: The query's parameters; blank ones count as absent.
            belongs: Which of the records are in the list at all.
            belongs_key: What `belongs` stands for, equal for equal ones.
            totals: How `totalResults` reads.

        Raises:
            BadRequestError: A parameter makes no sense.
        """
        given = {key: value for key, value in query.items() if value not in {"", "null"}}
        size = self._size(given.get("page[size]"))
        order = _order(given) if self._readings.obeys_sort else _Order(keys=())
        ordered = self._ordered(collection, given, order, belongs, belongs_key)
        after, before = given.get("page[after]"), given.get("page[before]")
        if after is not None and before is not None:
            raise BadRequestError("page[after] and page[before] exclude each other.")
        if before is not None:
            end, lap = self._index(before, collection, ordered, order, inclusive=False)
            start = max(end - size, 0)
        else:
            start, lap = 0, 0
            if after is not None:
                start, lap = self._index(after, collection, ordered, order, inclusive=True)
            end = min(start + size, len(ordered))
        if self._readings.end_of_list == "wraps_around" and ordered and start >= len(ordered):
            start, end, lap = 0, min(size, len(ordered)), lap + 1
        about = self._about(ordered, start, end, lap=lap, asked_with=after)
        reading = totals or self._readings.total_results
        remaining = max(len(ordered) - start, 0)
        of_list = len(ordered)
        if reading == "of_list":
            everywhere = self._dataset.live(collection)
            of_list = sum(belongs is None or belongs(record) for record in everywhere)
        about |= _total(reading, right=len(ordered), remaining=remaining, of_list=of_list)
        return Page(records=[record for _, record in ordered[start:end]], about=about)

    def _size(self, text: str | None) -> int:
        size = 100
        if text is not None:
            if not text.isdigit() or not 1 <= int(text) <= 500:
                raise BadRequestError("page[size] must be a number from 1 to 500.")
            size = int(text) if self._readings.obeys_page_size else size
        return min(size, self._readings.max_page_size)

    def _ordered(
        self,
        collection: str,
        given: Mapping[str, str],
        order: _Order,
        belongs: Callable[[Record], bool] | None,
        belongs_key: str,
    ) -> Ordered:
        filters = tuple(
            sorted((key, value) for key, value in given.items() if key.startswith(_FILTERS))
        )
        key = (collection, self._dataset.version, filters, order, belongs_key)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        keeps = self._filter(given)
        records = [
            record
            for record in self._dataset.live(collection)
            if keeps(record) and (belongs is None or belongs(record))
        ]
        ordered = sorted(
            ((self._place(record, collection, order), record) for record in records),
            key=lambda pair: pair[0],
        )
        by_chance = self._readings.default_order == "random" and not order.is_named
        if not by_chance and not (self._readings.ties == "random" and order.is_named):
            with self._lock:
                self._kept[key] = ordered
                while len(self._kept) > 16:
                    self._kept.popitem(last=False)
        return ordered

    def _filter(self, given: Mapping[str, str]) -> Callable[[Record], bool]:
        tests: list[Callable[[Record], bool]] = []
        fields = [
            field
            for field, narrows in (
                ("createdAt", self._readings.narrows_by_creation),
                ("updatedAt", self._readings.narrows_by_change),
            )
            if narrows
        ]
        for field in fields:
            if (text := given.get(f"{field}[after]")) is not None:
                tests.append(self._later(field, _instant(text)))
            if (text := given.get(f"{field}[before]")) is not None:
                tests.append(self._earlier(field, _instant(text)))
        for field, is_hidden in (
            ("createdAt", self._readings.unmade == "nowhere"),
            ("updatedAt", self._readings.unchanged != "first"),
        ):
            if is_hidden and any(key.startswith(field) for key in given):
                tests.append(_has(field))
        return lambda record: all(test(record) for test in tests)

    def _later(self, field: str, bound: datetime) -> Callable[[Record], bool]:
        bound = self._compared(bound)
        if self._readings.after_inclusive:
            return lambda record: self._compared(record.get(field) or _EPOCH) >= bound
        return lambda record: self._compared(record.get(field) or _EPOCH) > bound

    def _earlier(self, field: str, bound: datetime) -> Callable[[Record], bool]:
        bound = self._compared(bound)
        if self._readings.before_inclusive:
            return lambda record: self._compared(record.get(field) or _EPOCH) <= bound
        return lambda record: self._compared(record.get(field) or _EPOCH) < bound

    def _compared(self, instant: datetime) -> datetime:
        return instant.replace(microsecond=0) if self._readings.bounds_in_seconds else instant

    def _place(self, record: Record, collection: str, order: _Order) -> Place:
        record_id = str(record["id"])
        if order.is_named:
            last = {
                "createdAt": self._readings.unmade == "nowhere",
                "updatedAt": self._readings.unchanged == "nowhere",
            }
            values = tuple(
                _LAST
                if last[key] and record.get(key) is None
                else sign * int((record.get(key) or _EPOCH).timestamp() * 1_000_000)
                for key, sign in order.keys
            )
            if self._readings.ties == "by_id":
                return (*values, record_id)
            if self._readings.ties == "random":
                return (*values, random.random(), record_id)
            return (*values, self._dataset.number(collection, record_id), record_id)
        if self._readings.default_order == "insertion":
            return (self._dataset.number(collection, record_id), record_id)
        if self._readings.default_order == "shuffled":
            return (random.Random(record_id).random(), record_id)
        return (random.random(), record_id)

    def _index(
        self, cursor: str, collection: str, ordered: Ordered, order: _Order, *, inclusive: bool
    ) -> tuple[int, int]:
        """Give how many records stand before a cursor (and, if inclusive, at it), and the lap."""
        if self._readings.cursors == "offset":
            if not cursor.isdigit():
                raise BadRequestError("This is no cursor.")
            if self._readings.end_of_list == "wraps_around" and ordered:
                lap, index = divmod(int(cursor) - 1, len(ordered))
                return index + 1, lap
            return min(int(cursor) if inclusive else int(cursor) - 1, len(ordered)), 0
        if self._readings.cursors == "record_id":
            record_id, _, rest = cursor.partition("~")
            lap = int(rest.partition("~")[0]) if rest else 0
            place = self._place_of_id(record_id, collection, order)
        else:
            place, lap = _decode(cursor)
        find = bisect_right if inclusive else bisect_left
        try:
            return find(ordered, place, key=lambda pair: pair[0]), lap
        except TypeError as error:
            raise BadRequestError("This cursor belongs to another order.") from error

    def _place_of_id(self, record_id: str, collection: str, order: _Order) -> Place:
        if not record_id:
            return ()
        record = self._dataset.last_known(collection, record_id)
        gone = self._dataset.get(collection, record_id) is None
        if record is None or (gone and self._readings.deleted_cursor == "bad_request"):
            raise BadRequestError("The cursor's record is not there.")
        return self._place(record, collection, order)

    def _about(
        self, ordered: Ordered, start: int, end: int, *, lap: int, asked_with: str | None
    ) -> dict[str, Any]:
        """Give the cursors of a page."""
        total = len(ordered)
        at = self._cursor_at
        about: dict[str, Any] = {
            "first": at(ordered, 1, lap=lap) if total else None,
            "last": at(ordered, total, lap=lap) if total else None,
            "prev": at(ordered, start + 1, lap=lap) if 0 < start < total else None,
        }
        if end < total:
            return about | {"next": at(ordered, end, lap=lap)}
        match self._readings.end_of_list:
            case "absent":
                return about
            case "null":
                return about | {"next": None}
            case "empty_string":
                return about | {"next": ""}
            case "false":
                return about | {"next": False}
            case "next_equals_first":
                return about | {"next": about["first"]}
            case "last_cursor_again":
                again = self._as_sent(asked_with) if start >= total else at(ordered, total, lap=lap)
                return about | {"next": again}
            case "always_new_cursor":
                return about | {"next": self._new_cursor(ordered, asked_with)}
            case "wraps_around":
                return about | {"next": at(ordered, total, lap=lap) if total else None}

    def _cursor_at(self, ordered: Ordered, index: int, *, lap: int) -> Any:
        """Give the cursor of the record at a place that is counted from 1."""
        if self._readings.cursors == "offset":
            return index + lap * len(ordered)
        place, _ = ordered[index - 1]
        if self._readings.cursors == "record_id":
            return f"{place[-1]}~{lap}" if lap else place[-1]
        return _encode(place, lap=lap)

    def _new_cursor(self, ordered: Ordered, asked_with: str | None) -> Any:
        """Give a cursor for the place after the last record that was never given before."""
        nonce = next(self._nonces)
        if self._readings.cursors == "offset":
            return max(len(ordered), int(asked_with or 0)) + 1
        # An empty list has no last record: its cursor stands before everything.
        place = ordered[-1][0] if ordered else ()
        if self._readings.cursors == "record_id":
            return f"{place[-1] if place else ''}~0~{nonce}"
        return _encode(place, lap=0, nonce=nonce)

    def _as_sent(self, cursor: str | None) -> Any:
        if cursor is None:
            return None
        return int(cursor) if self._readings.cursors == "offset" else cursor


_FILTERS = ("createdAt[", "updatedAt[")


def _order(given: Mapping[str, str]) -> _Order:
    keys: list[tuple[str, int]] = []
    for name, key in _SORTS.items():
        if (value := given.get(name)) is not None:
            if value not in {"1", "-1"}:
                raise BadRequestError(f"{name} must be 1 or -1.")
            keys.append((key, int(value)))
    return _Order(keys=tuple(keys))


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError("A bound must be an ISO 8601 date and time.") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _has(field: str) -> Callable[[Record], bool]:
    return lambda record: record.get(field) is not None


def _total(reading: Totals, *, right: int, remaining: int, of_list: int) -> dict[str, Any]:
    match reading:
        case "right":
            return {"totalResults": right}
        case "text":
            return {"totalResults": str(right)}
        case "null":
            return {"totalResults": None}
        case "remaining":
            return {"totalResults": remaining}
        case "of_list":
            return {"totalResults": of_list}
        case "missing":
            return {}


def _encode(place: Place, *, lap: int, nonce: int = 0) -> str:
    text = json.dumps([list(place), lap, nonce])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(cursor: str) -> tuple[Place, int]:
    try:
        place, lap, _ = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return tuple(place), int(lap)
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequestError("This is no cursor.") from error

"""From a raw frame to a `Tidied`, whatever the feed.

What belongs here: walking through the frame some dozens of records at a time (so that memory holds
Python objects of a few hundred only), ids and rejections, lineage. What doesn't: the columns of a feed
(`entries.py`, `partners.py`, `reserved_entries.py`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import polars as pl

from ldt_pipeline.tables.types import Table
from ldt_pipeline.tidy.coerce import UNREADABLE, as_text
from ldt_pipeline.tidy.decode import NOT_UTF8, Decoded, Reader
from ldt_pipeline.tidy.drift import Drift
from ldt_pipeline.tidy.frames import CHILD_LINEAGE, LINEAGE, Tidied, check_raw, tidy_schema
from ldt_pipeline.tidy.items import Items
from ldt_pipeline.tidy.json_values import NotAnObjectError, NotJsonError, json_type, read_object
from ldt_pipeline.tidy.shapes import Shape

BLOCK: Final = 64
"""Records that are read at a time: what is made of them should fit the processor's cache."""

BLOCKS_PER_FLUSH: Final = 8
"""After how many blocks the values that were read move into polars' columns."""

NO_ID: Final = "The record has no id: it is missing or null."
BLANK_ID: Final = "The record's id is an empty text."


@dataclass(frozen=True)
class Records:
    """The records that have an id.

    Attributes:
        items: The records as objects of the feed's shape.
        raw: Their rows of the raw frame.
        rows: Where each record stands in the whole raw frame, for drift.
        drift: Where to report what finds no place.
    """

    items: Items
    raw: pl.DataFrame
    rows: Sequence[int]
    drift: Drift


@dataclass(frozen=True)
class Child:
    """Rows of a child table: the table's columns, and the index of each row's record."""

    columns: dict[str, pl.Series]
    parents: pl.Series


@dataclass(frozen=True)
class Feed:
    """How a feed's records become tables.

    Attributes:
        shape: What a record looks like.
        id_keys: Which keys may hold its id.
        parent: The table of records.
        parent_columns: Makes its columns (but for `deleted_at`), a value per record.
        child: The table of nested items, if there is one.
        child_rows: Makes its rows, but for the key to the parent.
    """

    shape: Shape
    id_keys: tuple[str, ...]
    parent: Table
    parent_columns: Callable[[Records], dict[str, pl.Series]]
    child: Table | None = None
    child_rows: Callable[[Records], Child] | None = None


@dataclass(frozen=True)
class _Rejection:
    """A record that can't be read: its row in the raw frame, why, and its id if it is known."""

    row: int
    reason: str
    record_id: str | None = None


def tidy(raw: pl.DataFrame, feed: Feed) -> Tidied:
    """Read a raw frame's records into the feed's tables.

    Raises:
        ValueError: It is no raw frame.
    """
    check_raw(raw)
    with _garbage_collection_paused():
        return _tidy(raw, feed)


def _tidy(raw: pl.DataFrame, feed: Feed) -> Tidied:
    drift = Drift()
    reader = Reader(feed.shape, drift)
    items = Items(feed.shape)
    accepted = _Accepted(feed.id_keys)
    for start in range(0, raw.height, BLOCK):
        block = raw["record"].slice(start, BLOCK).to_list()
        decoded = reader.read(block, range(start, start + len(block)))
        items.add(accepted.take(decoded, block, start), decoded.layout)
        if start // BLOCK % BLOCKS_PER_FLUSH == BLOCKS_PER_FLUSH - 1:
            items.flush()
    ids, rows, rejections = accepted.ids, accepted.rows, accepted.rejections
    records = Records(items, raw[rows] if rejections else raw, rows, drift)
    tables = {feed.parent.name: _parent_frame(records, ids, feed)}
    if feed.child is not None and feed.child_rows is not None:
        tables[feed.child.name] = _child_frame(records, ids, feed.child, feed.child_rows(records))
    items.report(drift, rows)
    return Tidied(
        tables=tables,
        rejected=_rejected_frame(raw, rejections),
        drift=drift.frame(raw["extracted_at"], without={each.row for each in rejections}),
        slow_records=reader.slow,
    )


@contextmanager
def _garbage_collection_paused() -> Generator[None]:
    """Keep Python from looking for cycles, of which records have none: a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Accepted:
    """Sorts records into those that have an id and those that are rejected.

    Attributes:
        ids: The ids of the former.
        rows: Where they stand in the raw frame.
        rejections: The latter.
    """

    def __init__(self, id_keys: tuple[str, ...]) -> None:
        self.ids: list[str] = []
        self.rows: list[int] = []
        self.rejections: list[_Rejection] = []
        self._keys = id_keys

    def take(self, decoded: Decoded, records: Sequence[bytes | None], start: int) -> list[Any]:
        """Sort a block that begins at the raw frame's row `start`; give the accepted structs."""
        if not decoded.reasons:
            found = list(map(attrgetter(self._keys[0]), decoded.structs))
            if set(map(type, found)) == {str} and all(map(str.strip, found)):
                self.ids += found
                self.rows += range(start, start + len(found))
                return decoded.structs
        accepted: list[Any] = []
        for index, (struct, record) in enumerate(zip(decoded.structs, records, strict=True)):
            reason = decoded.reasons.get(index, "")
            id_: str | None = None
            if struct is not None:
                id_, reason = self._id(struct)
            if id_ is None:
                known_id = _salvaged_id(record, self._keys) if reason == NOT_UTF8 else None
                self.rejections.append(_Rejection(start + index, reason, known_id))
            else:
                self.ids.append(id_)
                self.rows.append(start + index)
                accepted.append(struct)
        return accepted

    def _id(self, struct: Any) -> tuple[str | None, str]:
        """Give a record's id as text, or None and the reason."""
        for key in self._keys:
            value = getattr(struct, key, None)
            if value is not None:
                return _id_text(value)
        return None, NO_ID


def _id_text(value: Any) -> tuple[str | None, str]:
    if type(value) is str and value.strip():
        return value, ""
    if not isinstance(value, str | int | float):
        return None, f"The record's id is an {json_type(value)}; it must be a text or a number."
    text = as_text(value)
    if text is None or text is UNREADABLE or not text.strip():
        return None, BLANK_ID
    return text, ""


def _salvaged_id(record: bytes | None, keys: tuple[str, ...]) -> str | None:
    """Give the id of a record that is no valid UTF-8, where the rest of it can be read."""
    try:
        found = read_object((record or b"").decode("utf-8", "replace"))
    except (NotJsonError, NotAnObjectError):
        return None
    for key in keys:
        if key in found.values and "\ufffd" not in found.text(key):
            return _id_text(found.values[key])[0]
    return None


def _rejected_frame(raw: pl.DataFrame, rejections: Sequence[_Rejection]) -> pl.DataFrame:
    return raw[[each.row for each in rejections]].select(
        pl.Series("record_id", [each.record_id for each in rejections], dtype=pl.String),
        pl.Series("reason", [each.reason for each in rejections], dtype=pl.String),
        *LINEAGE,
    )


def _parent_frame(records: Records, ids: list[str], feed: Feed) -> pl.DataFrame:
    columns = feed.parent_columns(records)
    columns[feed.parent.key[0]] = pl.Series(ids, dtype=pl.String)
    columns |= {name: records.raw[name] for name in LINEAGE}
    return _frame(columns, tidy_schema(feed.parent, LINEAGE))


def _child_frame(records: Records, ids: list[str], table: Table, child: Child) -> pl.DataFrame:
    """Make a child table; items of which nothing is known, such as nulls in a list, are left out."""
    columns = dict(child.columns)
    columns[table.key[0]] = pl.Series(ids, dtype=pl.String).gather(child.parents)
    columns |= {name: records.raw[name].gather(child.parents) for name in CHILD_LINEAGE}
    told = [name for name in child.columns if name not in table.key]
    return _frame(columns, tidy_schema(table, CHILD_LINEAGE)).filter(
        pl.any_horizontal(pl.col(told).is_not_null())
    )


def _frame(columns: dict[str, pl.Series], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Put columns together, in the schema's order; a missing one is an error, as is a wrong type.

    Raises:
        TypeError: The columns are not those of the schema: the feed's module is wrong.
    """
    found = {name: columns[name].dtype for name in schema if name in columns}
    if found != schema or len(columns) != len(schema):
        wrong = {name for name in {*schema, *columns} if found.get(name) != schema.get(name)}
        raise TypeError(f"These columns do not fit the registry of tables: {sorted(wrong)}.")
    return pl.DataFrame([columns[name].alias(name) for name in schema])

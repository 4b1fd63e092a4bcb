"""From a raw frame to a `Tidied`, whatever the feed.

What belongs here: cutting the frame into chunks (so that memory holds the structs of a few
thousand records, not of all), ids and rejections, lineage, putting chunks together. What doesn't:
the columns of a feed (`entries.py`, `partners.py`, `reserved_entries.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ldt_pipeline.tables.types import Table
from ldt_pipeline.tidy.coerce import as_text
from ldt_pipeline.tidy.decode import NOT_UTF8, Reader
from ldt_pipeline.tidy.drift import Drift
from ldt_pipeline.tidy.frames import (
    CHILD_LINEAGE,
    LINEAGE,
    Tidied,
    check_raw,
    stack,
    tidy_schema,
)
from ldt_pipeline.tidy.items import Items
from ldt_pipeline.tidy.json_values import NotAnObjectError, NotJsonError, json_type, read_object
from ldt_pipeline.tidy.shapes import Shape

CHUNK: Final = 4096
"""Records whose values are held as Python objects at a time: about 30 MB for entries of 3 KB."""

BLOCK: Final = 128
"""Records that are read at a time: their structs fit the processor's cache (1 MB)."""

NO_ID: Final = "The record has no id: it is missing or null."
BLANK_ID: Final = "The record's id is an empty text."


@dataclass(frozen=True)
class Chunk:
    """The records of a chunk that have an id.

    Attributes:
        items: The records as objects of the feed's shape.
        ids: Their ids.
        raw: Their rows of the raw frame.
        drift: Where to report what finds no place.
        rows: Where each record stands in the whole raw frame, for drift.
    """

    items: Items
    ids: pl.Series
    raw: pl.DataFrame
    drift: Drift
    rows: Sequence[int]


@dataclass(frozen=True)
class _Rejection:
    """A record that can't be read: its row in the raw frame, why, and its id if it is known."""

    row: int
    reason: str
    record_id: str | None


@dataclass(frozen=True)
class Child:
    """Rows of a child table: the table's columns, and the index of each row's record."""

    columns: dict[str, pl.Series]
    parents: Sequence[int]


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
    parent_columns: Callable[[Chunk], dict[str, pl.Series]]
    child: Table | None = None
    child_rows: Callable[[Chunk], Child] | None = None


def tidy(raw: pl.DataFrame, feed: Feed) -> Tidied:
    """Read a raw frame's records into the feed's tables.

    Raises:
        ValueError: It is no raw frame.
    """
    check_raw(raw)
    drift = Drift()
    reader = Reader(feed.shape, drift)
    parents: list[pl.DataFrame] = []
    children: list[pl.DataFrame] = []
    rejections: list[_Rejection] = []
    slow = 0
    for offset in range(0, raw.height, CHUNK):
        chunk, rejected, slow_here = _read_chunk(raw, offset, feed, reader, drift)
        slow += slow_here
        rejections += rejected
        parents.append(_parent_frame(chunk, feed))
        if feed.child is not None and feed.child_rows is not None:
            children.append(_child_frame(chunk, feed.child, feed.child_rows(chunk)))
    tables = {feed.parent.name: stack(parents, tidy_schema(feed.parent, LINEAGE))}
    if feed.child is not None:
        tables[feed.child.name] = stack(children, tidy_schema(feed.child, CHILD_LINEAGE))
    return Tidied(
        tables=tables,
        rejected=_rejected_frame(raw, rejections),
        drift=drift.frame(raw["extracted_at"], without={each.row for each in rejections}),
        slow_records=slow,
    )


def _read_chunk(
    raw: pl.DataFrame, offset: int, feed: Feed, reader: Reader, drift: Drift
) -> tuple[Chunk, list[_Rejection], int]:
    """Read a chunk block by block; give it, what was rejected, and how many were read slowly."""
    frame = raw.slice(offset, CHUNK)
    records = frame["record"].to_list()
    suspects = _suspects(frame["record"], records)
    items = Items(feed.shape, drift)
    ids: list[str] = []
    kept: list[int] = []
    rejections: list[_Rejection] = []
    slow = 0
    for start in range(0, frame.height, BLOCK):
        block = slice(start, start + BLOCK)
        rows = range(offset + start, offset + min(start + BLOCK, frame.height))
        decoded = reader.read(records[block], rows, suspects[block])
        slow += decoded.slow
        structs: list[Any] = []
        for index, struct in enumerate(decoded.structs):
            reason = decoded.reasons.get(index)
            id_: str | None = None
            if reason is None:
                id_, reason = _read_id(struct, feed.id_keys)
            if reason is not None or id_ is None:
                record_id = None
                if reason == NOT_UTF8:
                    record_id = _salvaged_id(records[start + index], feed.id_keys)
                rejections.append(_Rejection(rows[index], reason or "", record_id))
                continue
            ids.append(id_)
            kept.append(start + index)
            structs.append(struct)
        kept_rows = [offset + index for index in kept[len(kept) - len(structs) :]]
        items.add(structs, kept_rows, decoded.layout)
    chunk = Chunk(
        items=items,
        ids=pl.Series(ids, dtype=pl.String),
        raw=frame if len(kept) == frame.height else frame[kept],
        drift=drift,
        rows=[offset + index for index in kept],
    )
    return chunk, rejections, slow


def _suspects(column: pl.Series, records: Sequence[bytes | None]) -> list[bool]:
    """Say which records the fast reader must not see: it does not look into kept JSON text."""
    suspects = column.bin.contains(rb"\u0000").fill_null(value=True).to_list()
    try:
        column.cast(pl.String)
    except pl.exceptions.ComputeError:
        for index, record in enumerate(records):
            try:
                str(record or b"", "utf-8")
            except UnicodeDecodeError:
                suspects[index] = True
    return suspects


def _read_id(struct: Any, keys: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Give a record's id as text, or the reason why it has none."""
    for key in keys:
        value = getattr(struct, key, None)
        if value is not None:
            return _id_text(value)
    return None, NO_ID


def _id_text(value: Any) -> tuple[str | None, str | None]:
    if type(value) is str and value.strip():
        return value, None
    if not isinstance(value, str | int | float):
        return None, f"The record's id is an {json_type(value)}; it must be a text or a number."
    text = as_text(value)
    return (None, BLANK_ID) if text is None or not text.strip() else (text, None)


def _rejected_frame(raw: pl.DataFrame, rejections: Sequence[_Rejection]) -> pl.DataFrame:
    return raw[[each.row for each in rejections]].select(
        pl.Series("record_id", [each.record_id for each in rejections], dtype=pl.String),
        pl.Series("reason", [each.reason for each in rejections], dtype=pl.String),
        *LINEAGE,
    )


def _salvaged_id(record: bytes | None, keys: tuple[str, ...]) -> str | None:
    """Give the id of a record that is no valid UTF-8, where the rest of it can be read."""
    try:
        members = read_object((record or b"").decode("utf-8", "replace"))
    except (NotJsonError, NotAnObjectError):
        return None
    for key in keys:
        if key in members and "\ufffd" not in members[key].text:
            return _id_text(members[key].value)[0]
    return None


def _parent_frame(chunk: Chunk, feed: Feed) -> pl.DataFrame:
    columns = feed.parent_columns(chunk)
    columns[feed.parent.key[0]] = chunk.ids
    columns |= {name: chunk.raw[name] for name in LINEAGE}
    return _frame(columns, tidy_schema(feed.parent, LINEAGE))


def _child_frame(chunk: Chunk, table: Table, child: Child) -> pl.DataFrame:
    parents = pl.Series(child.parents, dtype=pl.UInt32)
    columns = dict(child.columns)
    columns[table.key[0]] = chunk.ids.gather(parents)
    columns |= {name: chunk.raw[name].gather(parents) for name in CHILD_LINEAGE}
    return _frame(columns, tidy_schema(table, CHILD_LINEAGE))


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

"""The frames at this package's borders: raw frames in, tidy frames, rejections and drift out.

What belongs here: their schemas, and what a tidy frame is made of. What doesn't: reading a record
(`decode.py`), columns (`items.py` and the modules named after feeds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from ldt_pipeline.tables.types import UTC_TIMESTAMP, Table

RAW_SCHEMA: Final[dict[str, pl.DataType]] = {
    "record": pl.Binary(),
    "extract_id": pl.String(),
    "record_number": pl.Int64(),
    "extracted_at": UTC_TIMESTAMP,
    "record_hash": pl.Int64(),
    "event_id": pl.String(),
}
"""What a raw frame is: one row per record, its bytes as received and where it comes from.

`record_number` counts from 1 within the extract, `record_hash` is of the bytes, and `event_id` is
the event that the extract was asked for (null for feeds that are not read by event).
"""

LINEAGE: Final = ("extract_id", "record_number", "extracted_at", "record_hash")
"""The columns that lead from a tidy row back to its record."""

CHILD_LINEAGE: Final = ("extract_id", "record_number")
"""What a row of a child table has of them: enough to join it to its parent."""

DRIFT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "path": pl.String(),
    "value_type": pl.String(),
    "records": pl.Int64(),
    "first_seen_at": UTC_TIMESTAMP,
    "last_seen_at": UTC_TIMESTAMP,
}


@dataclass(frozen=True)
class Tidied:
    """What became of one raw frame. Every record is in the parent table or in `rejected`.

    Attributes:
        tables: Frames by the registry's table names, parent first, in the order of the raw frame.
            A parent has its table's columns but `deleted_at`, then `LINEAGE`: one row per record.
            A child has its table's columns, then `CHILD_LINEAGE`: one row per nested item.
        rejected: Records that could not be read: `record_id` (null where none could be read),
            `reason` (a sentence without any of the record's values), then `LINEAGE`.
        drift: What the records held that found no place: `path` (such as `fields[].helpText`),
            `value_type` (a JSON type for an unknown key, `unreadable …` for a value that was
            lost), how many `records` had it, and the first and last `extracted_at` of those.
            One row per path and type, sorted by both.
        slow_records: How many records did not fit the usual shapes and were read one by one.
    """

    tables: dict[str, pl.DataFrame]
    rejected: pl.DataFrame
    drift: pl.DataFrame
    slow_records: int


def check_raw(raw: pl.DataFrame) -> None:
    """Make sure that this is a raw frame.

    Raises:
        ValueError: A column is missing or has another type; the text names it.
    """
    for name, type_ in RAW_SCHEMA.items():
        if name not in raw.columns:
            raise ValueError(f"A raw frame needs the column {name!r}, which is missing.")
        if raw.schema[name] != type_:
            raise ValueError(
                f"The raw frame's column {name!r} has type {raw.schema[name]}; it must be {type_}."
            )


def tidy_schema(table: Table, lineage: Sequence[str]) -> dict[str, pl.DataType]:
    """Give a tidy frame's columns: the table's, but for those that only loading can know."""
    own = {name: type_ for name, type_ in table.schema.items() if name != "deleted_at"}
    return own | {name: RAW_SCHEMA[name] for name in lineage}

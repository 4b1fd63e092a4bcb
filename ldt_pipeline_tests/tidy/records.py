"""Raw frames to test with, and ways to look at what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from ldt_pipeline.tidy import RAW_SCHEMA, Tidied

EXTRACTED_AT = datetime(2026, 6, 1, tzinfo=UTC)

Tidy = Callable[[pl.DataFrame], Tidied]


def as_bytes(record: Any) -> bytes:
    """Write a record as JSON, unless it is bytes already."""
    return record if isinstance(record, bytes) else json.dumps(record).encode()


def raw(*records: Any, event_id: str | None = None) -> pl.DataFrame:
    """Make a raw frame; each record is read a minute after the one before."""
    count = len(records)
    return pl.DataFrame(
        {
            "record": [None if record is None else as_bytes(record) for record in records],
            "extract_id": ["extract-1"] * count,
            "record_number": range(1, count + 1),
            "extracted_at": [EXTRACTED_AT + timedelta(minutes=n) for n in range(count)],
            "record_hash": range(100, 100 + count),
            "event_id": [event_id] * count,
        },
        schema=RAW_SCHEMA,
    )


def parent(tidied: Tidied) -> pl.DataFrame:
    """Give the table of records."""
    return next(iter(tidied.tables.values()))


def child(tidied: Tidied) -> pl.DataFrame:
    """Give the table of nested items."""
    return list(tidied.tables.values())[1]


def only(tidied: Tidied) -> dict[str, Any]:
    """Give the only record, without the columns that are null."""
    rows = parent(tidied).to_dicts()
    assert len(rows) == 1, tidied.rejected
    return {name: value for name, value in rows[0].items() if value is not None}


def drift(tidied: Tidied) -> dict[tuple[str, str], int]:
    """Give how many records showed which drift."""
    return {(row["path"], row["value_type"]): row["records"] for row in tidied.drift.to_dicts()}


def with_keys(items: Iterable[dict[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    """Give the values of some keys of each item."""
    return [tuple(item[key] for key in keys) for item in items]

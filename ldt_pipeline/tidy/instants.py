"""Instants from whatever stands for one: ISO 8601 texts, dates, numbers of (milli)seconds.

What belongs here: reading a column of them to UTC microseconds, the usual format vectorised and
the others one by one. What doesn't: dates of birth, which people type (`birth_dates.py`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import polars as pl

from ldt_pipeline.instants import EPOCH, EPOCH_NUMBER, MILLISECONDS_FROM
from ldt_pipeline.tables.types import UTC_TIMESTAMP
from ldt_pipeline.tidy.coerce import Lost, is_blank
from ldt_pipeline.tidy.json_columns import JsonColumn
from ldt_pipeline.tidy.json_values import JsonFloat

_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
"""What Python's datetime holds; DuckDB holds more, but then nobody could fetch the row."""

_USUAL_FORMATS: Final = (
    # What the API's samples have: polars reads it five times as fast as the next one.
    "%Y-%m-%dT%H:%M:%S.%3fZ",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M:%S%.f%:z",
)

_OFFSET_AT_END: Final = r"[+-]([01]\d|2[0-3]):[0-5]\d$"
_END_OF_DAY: Final = (24, 0, 0, 0)
_MOST_MINUTES: Final = 59
_MOST_OFFSET_HOURS: Final = 23
_MOST_SECONDS: Final = 60

_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?"
    r" ?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def read_instants(column: JsonColumn, lost: Lost) -> pl.Series:
    """Read a column of instants.

    Args:
        column: JSON values.
        lost: Told the row and the value of each value that is no instant.

    Returns:
        UTC timestamps, null where there is none. Texts without a zone are taken as UTC.
    """
    texts = column.texts
    instants = _read_usual(texts, _USUAL_FORMATS[0])
    for format_ in _USUAL_FORMATS[1:]:
        if instants.null_count() > texts.null_count():
            left = instants.is_null() & texts.is_not_null()
            instants = instants.scatter(left.arg_true(), _read_usual(texts.filter(left), format_))
    odd = list(zip(column.at, column.others, strict=True))
    if instants.null_count() > texts.null_count():
        left = instants.is_null() & texts.is_not_null()
        odd += zip(left.arg_true().to_list(), texts.filter(left).to_list(), strict=True)
    rows: list[int] = []
    found: list[datetime] = []
    for row, value in odd:
        instant = read_instant(value)
        if instant is not None:
            rows.append(row)
            found.append(instant)
        elif not is_blank(value):
            lost(row, value)
    return instants.scatter(rows, pl.Series(found, dtype=UTC_TIMESTAMP)) if rows else instants


def read_instant(value: Any) -> datetime | None:
    """Read one instant, of any format; None where it is none, or before year 1 or after 9999."""
    try:
        if isinstance(value, str):
            text = value.strip()
            if match := _ISO.fullmatch(text):
                return _from_iso(match)
            return _from_number(text) if EPOCH_NUMBER.fullmatch(text) else None
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return _from_number(value.token if isinstance(value, JsonFloat) else repr(value))
    except (ValueError, OverflowError, InvalidOperation):
        return None
    return None


def _read_usual(texts: pl.Series, format_: str) -> pl.Series:
    zoned = "UTC" if format_.endswith("%:z") else None
    if zoned:
        # polars also takes +99:00.
        texts = (
            texts.to_frame("t")
            .select(pl.when(pl.col("t").str.contains(_OFFSET_AT_END)).then("t"))
            .to_series()
        )
    read = texts.str.to_datetime(
        format_, time_unit="us", time_zone=zoned, strict=False, cache=False
    )
    if zoned is None:
        read = read.dt.replace_time_zone("UTC")
    if read.is_between(_EARLIEST, _LATEST).all():
        return read
    in_range = pl.col("t").is_between(_EARLIEST, _LATEST)
    return read.to_frame("t").select(pl.when(in_range).then("t")).to_series()


def _from_iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, fraction, zone = match.groups(default="")
    midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
    microseconds = int(fraction[:6].ljust(6, "0"))
    clock = (int(hour or 0), int(minute or 0), int(second or 0), microseconds)
    # 24:00 is the end of the day, and second 60 a leap second.
    if clock > _END_OF_DAY or clock[1] > _MOST_MINUTES or clock[2] > _MOST_SECONDS:
        raise ValueError("No such time of day.")
    hours, minutes, seconds, microseconds = clock
    return (
        midnight
        + timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
        - _offset(zone)
    )


def _offset(zone: str) -> timedelta:
    if zone in {"", "Z", "z"}:
        return timedelta()
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > _MOST_OFFSET_HOURS or minutes > _MOST_MINUTES:
        raise ValueError("No such offset.")
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


def _from_number(token: str) -> datetime:
    number = Decimal(token)
    in_milliseconds = abs(number) >= MILLISECONDS_FROM
    if number.adjusted() > len(str(MILLISECONDS_FROM)) + 4:
        raise OverflowError  # before multiplying by a thousand-digit number
    return EPOCH + timedelta(microseconds=int(number * (1_000 if in_milliseconds else 1_000_000)))

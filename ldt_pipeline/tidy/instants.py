"""Instants from whatever stands for one: ISO 8601 texts, dates, numbers of (milli)seconds.

What belongs here: reading a column of them to UTC microseconds, the usual format vectorised and
the others one by one. What doesn't: dates of birth, which people type (`birth_dates.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import polars as pl

from ldt_pipeline.tables.types import UTC_TIMESTAMP
from ldt_pipeline.tidy.json_values import JsonFloat

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
"""What Python's datetime holds; DuckDB holds more, but then nobody could fetch the row."""

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Numbers from here on are milliseconds (1973); as seconds this would be the year 5138."""

_USUAL_FORMATS: Final = (
    # What the API's samples have: polars reads it five times as fast as the next one.
    "%Y-%m-%dT%H:%M:%S.%3fZ",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M:%S%.f%:z",
)

_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?"
    r" ?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?\d{9,}(?:\.\d+)?", re.ASCII)


def read_instants(values: Sequence[Any], lost: Callable[[int], None]) -> pl.Series:
    """Read a column of instants.

    Args:
        values: JSON values.
        lost: Called with the index of each value that is no instant.

    Returns:
        UTC timestamps, null where there is none. Texts without a zone are taken as UTC.
    """
    texts = pl.Series([value if type(value) is str else None for value in values], dtype=pl.String)
    instants = _read_usual(texts, _USUAL_FORMATS[0])
    for format_ in _USUAL_FORMATS[1:]:
        if instants.null_count() > texts.null_count():
            left = instants.is_null() & texts.is_not_null()
            instants = instants.scatter(left.arg_true(), _read_usual(texts.filter(left), format_))
    if instants.null_count() > values.count(None):
        odd: list[int] = []
        found: list[datetime] = []
        for index in instants.is_null().arg_true().to_list():
            value = values[index]
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            instant = read_instant(value)
            if instant is None:
                lost(index)
            else:
                odd.append(index)
                found.append(instant)
        if odd:
            instants = instants.scatter(odd, pl.Series(found, dtype=UTC_TIMESTAMP))
    return instants


def read_instant(value: Any) -> datetime | None:
    """Read one instant, of any format; None where it is none, or before year 1 or after 9999."""
    try:
        if isinstance(value, str):
            text = value.strip()
            if match := _ISO.fullmatch(text):
                return _from_iso(*match.groups())
            return _from_number(text) if _NUMBER.fullmatch(text) else None
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return _from_number(value.token if isinstance(value, JsonFloat) else repr(value))
    except (ValueError, OverflowError, InvalidOperation):
        return None
    return None


def _read_usual(texts: pl.Series, format_: str) -> pl.Series:
    zoned = "UTC" if "z" in format_ else None
    read = texts.str.to_datetime(
        format_, time_unit="us", time_zone=zoned, strict=False, cache=False
    )
    if zoned is None:
        read = read.dt.replace_time_zone("UTC")
    if read.is_between(_EARLIEST, _LATEST).all():
        return read
    in_range = pl.col("t").is_between(_EARLIEST, _LATEST)
    return read.to_frame("t").select(pl.when(in_range).then("t")).to_series()


def _from_iso(
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
) -> datetime:
    midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    most_hours, most = 24, 60
    if hours > most_hours or minutes >= most or seconds > most:
        raise ValueError("No such time of day.")
    if hours == most_hours and (minutes or seconds or int(fraction or 0)):
        raise ValueError("No such time of day.")
    return (
        midnight
        + timedelta(
            hours=hours,
            minutes=minutes,
            seconds=seconds,
            microseconds=int((fraction or "0")[:6].ljust(6, "0")),
        )
        - _offset(zone)
    )


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if zone[0] == "-" else offset


def _from_number(token: str) -> datetime:
    number = Decimal(token)
    in_milliseconds = abs(number) >= _MILLISECONDS_FROM
    if number.adjusted() > len(str(_MILLISECONDS_FROM)) + 4:
        raise OverflowError  # before multiplying by a thousand-digit number
    return _EPOCH + timedelta(microseconds=int(number * (1_000 if in_milliseconds else 1_000_000)))

"""Instants as the API writes them: reading, writing, and the months that they fall into.

Everything is UTC. The API writes milliseconds; other spellings of ISO 8601 are read too.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
AHEAD_MOST = dt.timedelta(days=1)
"""What changed later than this after it was read changed in the future: clocks differ by hours."""

MILLISECOND = dt.timedelta(milliseconds=1)

EPOCH_NUMBER = re.compile(r"[+-]?\d{9,}(?:\.\d+)?", re.ASCII)
"""Seconds or milliseconds since 1970, as text: eight digits would be a date."""

MILLISECONDS_FROM = 100_000_000_000
"""Numbers from here on are milliseconds (1973); as seconds this would be the year 5138."""


def now() -> dt.datetime:
    """Give the current instant."""
    return dt.datetime.now(dt.UTC)


def with_zone(moment: dt.datetime) -> dt.datetime:
    """Give an instant as it is, or as UTC where it names no zone: nobody here means another one."""
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def parse_instant(value: object) -> dt.datetime | None:
    """Read an instant: ISO 8601 (without an offset it is UTC), or epoch seconds or milliseconds.

    Gives None for anything else.
    """
    try:
        if isinstance(value, str) and value.endswith("Z"):  # as the API writes them: no detours
            return dt.datetime.fromisoformat(value)
        if isinstance(value, bool):
            return None
        if isinstance(value, str) and EPOCH_NUMBER.fullmatch(value.strip()):
            value = float(value)
        if isinstance(value, int | float):
            milliseconds = value if abs(value) >= MILLISECONDS_FROM else value * 1_000
            return EPOCH + dt.timedelta(milliseconds=milliseconds)
        if isinstance(value, str):
            return with_zone(dt.datetime.fromisoformat(value.strip())).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return None


def format_instant(moment: dt.datetime) -> str:
    """Write an instant as the API's reference does: `2023-05-08T11:30:00.000Z`."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shifted(moment: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """Give the instant so much later, or itself at the ends of time: programs write those for "none"."""
    try:
        return moment + by
    except OverflowError:
        return moment


def whole_second(moment: dt.datetime) -> dt.datetime:
    """Give the second in which an instant lies, by its beginning."""
    return moment.replace(microsecond=0)


def month_of(moment: dt.datetime) -> str:
    """Give the month of an instant as `YYYY-MM`."""
    return _month(moment.year, moment.month)


@lru_cache(maxsize=4096)
def _month(year: int, month: int) -> str:
    # Asked for each record of a list, of a few months.
    return f"{year:04d}-{month:02d}"


def month_start(month: str) -> dt.datetime:
    """Give the first instant of a month written `YYYY-MM`."""
    return dt.datetime.strptime(month, "%Y-%m").replace(tzinfo=dt.UTC)


def next_month(month: str) -> str:
    """Give the month after."""
    return month_of(month_start(month) + dt.timedelta(days=32))


def believed(updated_at: dt.datetime | None, read_at: dt.datetime) -> dt.datetime | None:
    """Give the time of change by which versions are ordered: what lies in the future counts as now.

    Else whatever changed after somebody had mistyped a clock would be older than that, for years.
    """
    if updated_at is None or updated_at <= shifted(read_at, AHEAD_MOST):
        return updated_at
    return read_at

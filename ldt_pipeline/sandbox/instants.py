"""Instants as milliseconds since 1970, and as the text that the API shows.

What belongs here: conversion between the two, in both directions. What doesn't: which instants an
account holds (`history`) and what a window over them means (`selection`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1)

# A record shows half a dozen instants: `strftime` would cost as much as all the rest of it.
_day_texts: dict[int, str] = {}
_MINUTE_TEXTS = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
_SECOND_TEXTS = [f"{second:02d}." for second in range(60)]
_MILLISECOND_TEXTS = [f"{millisecond:03d}Z" for millisecond in range(1000)]

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_FRACTION = re.compile(r"\.(\d+)")


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 of a moment that knows its offset from UTC."""
    if moment.tzinfo is None:
        raise ValueError("the moment needs a time zone")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment(instant: int) -> datetime:
    """The UTC datetime of an instant."""
    return _EPOCH + timedelta(milliseconds=instant)


def day_text(day: int) -> str:
    """The ISO date of a day counted from 1970."""
    text = _day_texts.get(day)
    if text is None:
        text = _day_texts[day] = (_FIRST_DAY + timedelta(days=day)).isoformat()
    return text


def instant_text(instant: int) -> str:
    """An instant as `2023-05-08T11:30:00.000Z`."""
    day, rest = divmod(instant, DAY)
    text = _day_texts.get(day) or day_text(day)
    return (
        f"{text}{_MINUTE_TEXTS[rest // MINUTE]}"
        f"{_SECOND_TEXTS[rest // SECOND % 60]}{_MILLISECOND_TEXTS[rest % SECOND]}"
    )


def parse_instant(text: str) -> int | float:
    """Read an RFC 3339 date-time: date, time and offset, all three.

    Args:
        text: What the caller sent.

    Returns:
        Milliseconds since 1970, with a fraction only where the text is finer than that, so that
        an exclusive bound stays exact.

    Raises:
        ValueError: The text is no date-time, or names a moment that doesn't exist.
    """
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not an RFC 3339 date-time")
    whole = datetime.fromisoformat(_FRACTION.sub("", text).upper())
    fraction = _FRACTION.search(text)
    base = milliseconds(whole)
    if fraction is None:
        return base
    digits = fraction.group(1).ljust(9, "0")
    thousandths, rest = int(digits[:3]), int(digits[3:])
    return base + thousandths + rest / 1_000_000 if rest else base + thousandths

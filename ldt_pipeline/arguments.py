"""What people hand to the functions for notebooks, taken as it is meant, or refused in a sentence.

What belongs here: kinds of arguments. What doesn't: whether there is such a race or event. A database
takes an id that is a number for one, so that 42 would be the race 042 as well, or fail at the next id.
"""

from __future__ import annotations

import datetime as dt
import operator
from typing import Any, Final

from ldt_pipeline.instants import with_zone

_DAYS_MOST: Final = 1_000_000


def id_of(value: Any, name: str) -> str:
    """Give an id as text; a whole number is taken for its digits.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(value, str):
        return value
    try:
        return str(operator.index(value))
    except TypeError:
        raise TypeError(f"`{name}` has to be one id, as text, {_not(value)}.") from None


def id_or_all(value: Any, name: str) -> str | None:
    """Give an id as text, or None, which stands for all.

    Raises:
        TypeError: It is neither.
    """
    return None if value is None else id_of(value, name)


def instant_of(value: Any, name: str) -> dt.datetime:
    """Give an instant; one without a zone is UTC.

    Raises:
        TypeError: It is none. A day isn't one either: nobody knows which end of it is meant.
    """
    if isinstance(value, dt.datetime):
        return with_zone(value)
    raise TypeError(
        f"`{name}` has to be an instant, such as datetime.datetime(2026, 11, 1, 9, 0), {_not(value)}."
    )


def day_of(value: Any, name: str) -> dt.date:
    """Give a day; an instant stands for its day in UTC, and a text such as 2026-11-01 for what it says.

    Raises:
        TypeError: It is none of these.
        ValueError: The text is no day.
    """
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"`{name}` is no day: write it as 2026-11-01.") from None
    if isinstance(value, dt.datetime):
        return with_zone(value).astimezone(dt.UTC).date()
    if isinstance(value, dt.date):
        return value
    raise TypeError(f"`{name}` has to be a day, such as datetime.date(2026, 11, 1), {_not(value)}.")


def days_of(value: Any, name: str) -> int:
    """Give a number of days.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is below zero, or leads out of the calendar.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` has to be a whole number of days, {_not(value)}.") from None
    if not 0 <= number <= _DAYS_MOST:
        raise ValueError(f"`{name}` has to be between 0 and {_DAYS_MOST:,}.")
    return number


def _not(value: Any) -> str:
    """Say what was handed over by its kind alone: a traceback is passed on, and the value may be a person's."""
    return f"and not of the type {type(value).__name__}"

"""How near a race is, and what follows from it: how often its lists go out, how old its data may be.

What belongs here: the one table of phases before a start. What doesn't: when races start
(`sync/state.py` and `freshness.py` ask for that), and doing anything about it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

RACE_WEEK = dt.timedelta(days=7)
AFTER_START = dt.timedelta(hours=1)
"""So long after a start its lists and data are still wanted: late entries, and waves to come."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A time before a start: while it is at most `ahead` away.

    `export_every` says how often start lists are written (never, where None), `stale_after` when
    what we show of the event is too old.
    """

    ahead: dt.timedelta
    export_every: dt.timedelta | None
    stale_after: dt.timedelta


_PHASES = (
    Phase(
        ahead=dt.timedelta(hours=4),
        export_every=dt.timedelta(minutes=1),
        stale_after=dt.timedelta(minutes=5),
    ),
    Phase(
        ahead=dt.timedelta(days=1),
        export_every=dt.timedelta(minutes=15),
        stale_after=dt.timedelta(minutes=15),
    ),
    Phase(
        ahead=RACE_WEEK,
        export_every=dt.timedelta(hours=1),
        stale_after=dt.timedelta(minutes=15),
    ),
    Phase(
        ahead=dt.timedelta(weeks=4),
        export_every=None,
        stale_after=dt.timedelta(hours=3),
    ),
    Phase(
        ahead=dt.timedelta.max,
        export_every=None,
        stale_after=dt.timedelta(days=1),
    ),
)


def phase(starts_at: dt.datetime | None, moment: dt.datetime) -> Phase | None:
    """Give the phase that an instant falls into; None once the start is over.

    A start that isn't known is taken to be far.
    """
    if starts_at is None:
        return _PHASES[-1]
    ahead = starts_at - moment
    if ahead < -AFTER_START:
        return None
    return next(each for each in _PHASES if ahead <= each.ahead)


def stale_after(starts_at: dt.datetime | None, moment: dt.datetime) -> dt.timedelta | None:
    """Give how old an event's data may be before this start; None once it is over: any age."""
    current = phase(starts_at, moment)
    return None if current is None else current.stale_after


def read_again_after(starts_at: dt.datetime | None, moment: dt.datetime) -> dt.timedelta | None:
    """Give the age at which an event's data is read again; None once the start is over.

    It is half of what the age may be: a reading that fails, or waits for another, can be made up
    for in time.
    """
    limit = stale_after(starts_at, moment)
    return None if limit is None else limit / 2

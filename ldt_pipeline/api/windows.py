"""Cutting a list into windows of `updatedAt`, small enough to walk side by side and to prove.

What belongs here: windows, their query, and the plan that halves them. What doesn't: walking them.

A cursor can only be followed one page after the other, so a long list is read as many short ones.
Short walks are also easier to prove: the fewer records a window holds, the less of it moves while
it is walked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ldt_pipeline.instants import MILLISECOND, format_instant

_NARROWEST = dt.timedelta(seconds=1)
"""Below this a window is walked as it is: a spike, such as a mass update, doesn't split by time."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Changes in `[after, before)`; None leaves that side open."""

    after: dt.datetime | None = None
    before: dt.datetime | None = None

    def parameters(self) -> dict[str, str]:
        """Give the query of the window, a millisecond wider on either side.

        The reference leaves open whether the bounds themselves are included: both readings give
        at least the window, and what is read twice counts once.
        """
        query: dict[str, str] = {}
        if self.after is not None:
            query["updatedAt[after]"] = format_instant(self.after - MILLISECOND)
        if self.before is not None:
            query["updatedAt[before]"] = format_instant(self.before + MILLISECOND)
        return query

    def halves(self, oldest: dt.datetime) -> tuple[Window, Window] | None:
        """Split the window in the middle; None where it is too narrow or open at its end."""
        start = self.after or oldest
        if self.before is None or self.before - start < _NARROWEST:
            return None
        middle = start + (self.before - start) / 2
        middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
        return Window(after=self.after, before=middle), Window(after=middle, before=self.before)


def plan_windows(
    window: Window,
    *,
    count: Callable[[Window], int | None],
    oldest: dt.datetime,
    records_most: int,
    side_by_side: int,
) -> list[Window]:
    """Split a window until each piece holds few records, or can't be split; oldest first.

    `count` asks how many records a window holds (None: the API does not say, so it stays whole).
    It is called from `side_by_side` threads. Pieces that hold nothing are left out.
    """
    planned: list[Window] = []
    waiting = [window]
    with ThreadPoolExecutor(max_workers=side_by_side, thread_name_prefix="plan") as threads:
        while waiting:
            counts = list(threads.map(count, waiting))
            split: list[Window] = []
            for each, records in zip(waiting, counts, strict=True):
                halves = each.halves(oldest) if records and records > records_most else None
                if halves:
                    split.extend(halves)
                elif records != 0:
                    planned.append(each)
            waiting = split
    return sorted(planned, key=lambda each: each.after or dt.datetime.min.replace(tzinfo=dt.UTC))

"""Cutting a list into windows of `updatedAt`, small enough to walk side by side and to prove.

What belongs here: windows, their query, and when they are halved. What doesn't: following cursors
(`paging.py`), and how far a list has been read (`feeds/`).

A cursor can only be followed one page after the other, so a long list is read as many short ones.
Short walks are also easier to prove: the fewer records a window holds, the less of it moves while
it is walked. So a window that moves too fast to be proved is walked in halves; one that fits on a
page can always be proved.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import IncompleteWalkError
from ldt_pipeline.api.paging import (
    ListRequest,
    LongOpenListError,
    Proof,
    Record,
    newest_change,
    walk,
)
from ldt_pipeline.instants import MILLISECOND, format_instant

_NARROWEST = dt.timedelta(seconds=1)
"""Below this a window is walked as it is: a spike, such as a mass update, doesn't split by time."""

_ATTEMPTS_BEFORE_HALVES = 2
_CLOSINGS_MOST = 12
"""So often the end of a list is closed. Each time it is shorter, or it grows faster than we read."""


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
        return self.split(middle)

    def halves_by_records(self, instants: Sequence[dt.datetime]) -> tuple[Window, Window] | None:
        """Split the window where half of the records lie; None where they share one instant."""
        in_order = sorted(instants)
        later = [each for each in in_order[len(in_order) // 2 :] if each > in_order[0]]
        return self.split(later[0]) if later else None

    def split(self, middle: dt.datetime) -> tuple[Window, Window] | None:
        """Split the window at an instant; None where it does not lie inside."""
        if self.after is not None and middle <= self.after:
            return None
        if self.before is not None and middle >= self.before:
            return None
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


def walk_window(
    client: Client,
    request: ListRequest,
    window: Window,
    proof: Proof,
    *,
    closings_left: int = _CLOSINGS_MOST,
) -> Iterator[list[Record]]:
    """Walk a window of a list, in parts where it can't be proved as one.

    A window that is open at its end and longer than a page is closed at the newest change that
    there is, and one that moves too fast is halved. The older part comes first: a record that
    changes meanwhile moves to the end, and is seen there. `proof` sums up the walks of all parts;
    what lies on a bound counts in both.

    Raises:
        IncompleteWalkError: A window that can't be split never agreed with its total.
        ApiError: A page could not be had.
    """
    narrowed = replace(request, parameters={**request.parameters, **window.parameters()})
    instants: list[dt.datetime] = []
    part = Proof()
    parts: tuple[Window, Window] | None = None
    try:
        for records in walk(
            client,
            narrowed,
            part,
            attempts=_ATTEMPTS_BEFORE_HALVES,
            is_open=window.before is None and closings_left > 0,
        ):
            instants.extend(each.updated_at for each in records if each.updated_at)
            yield records
    except LongOpenListError:
        parts = window.split(newest_change(client, narrowed))
    except IncompleteWalkError:
        can_settle = window.before is not None or closings_left > 0
        parts = window.halves_by_records(instants) if can_settle else None
    else:
        proof.add(part)
        return
    if parts is None:
        yield from walk(client, narrowed, part)
        proof.add(part)
        return
    for each in parts:
        yield from walk_window(client, request, each, proof, closings_left=closings_left - 1)

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ldt_pipeline.api.client import Client
from ldt_pipeline.api.errors import IncompleteWalkError
from ldt_pipeline.api.paging import (
    ListRequest,
    LongOpenListError,
    Proof,
    Record,
    end_of_changes,
    walk,
)
from ldt_pipeline.instants import MILLISECOND, format_instant, shifted, whole_second

_FRACTIONS = dt.timedelta(seconds=2)
_NARROWEST = dt.timedelta(seconds=1)
"""Below this a window is walked as it is: a spike, such as a mass update, doesn't split by time."""

_ATTEMPTS_BEFORE_HALVES = 2
_CLOSINGS_MOST = 12
"""So often the end of a list is closed. Each time it is shorter, or it grows faster than we read."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Changes in `[after, before)` of what was made in `[created_after, created_before)`.

    None leaves that side open.
    """

    after: dt.datetime | None = None
    before: dt.datetime | None = None
    created_after: dt.datetime | None = None
    created_before: dt.datetime | None = None

    def parameters(self) -> dict[str, str]:
        """Give the query of the window, a millisecond wider on either side.

        The reference leaves open whether the bounds themselves are included: both readings give
        at least the window, and what is read twice counts once.
        """
        query: dict[str, str] = {}
        for name, after, before in (
            ("updatedAt", self.after, self.before),
            ("createdAt", self.created_after, self.created_before),
        ):
            if after is not None:
                query[f"{name}[after]"] = format_instant(shifted(after, -MILLISECOND))
            if before is not None:
                query[f"{name}[before]"] = format_instant(shifted(before, MILLISECOND))
        return query

    def begins_after(self, updated_at: dt.datetime | None) -> bool:
        """Whether a record lies before the window: the API gave it for it passes over bounds.

        It may write seconds without the fractions that it compares by.
        """
        if self.after is None or updated_at is None:
            return False
        return updated_at < shifted(self.after, -_FRACTIONS)

    def pieces(self, count: int, *, oldest: dt.datetime) -> list[Window]:
        """Cut the window into pieces that are equally long; itself where it can't be cut.

        `oldest` is the first change in it, or before: nothing is cut where nothing lies.
        """
        start = max(self.after or oldest, oldest)
        if self.before is None or self.before - start < _NARROWEST:
            return [self]
        bounds = [each for each in _bounds(start, self.before, count) if self.split(each)]
        edges = pairwise([self.after, *bounds, self.before])
        return [replace(self, after=after, before=before) for after, before in edges]

    def pieces_by_creation(
        self, count: int, *, first: dt.datetime, last: dt.datetime
    ) -> list[Window]:
        """Cut the window by when its records were made; itself where it can't be cut so.

        The first of them was made at `first`, or after, and the last at `last`, or before.
        """
        start = max(self.created_after or first, first)
        end = min(self.created_before or last, last)
        if end - start < _NARROWEST:
            return [self]
        edges = pairwise([self.created_after, *_bounds(start, end, count), self.created_before])
        return [
            replace(self, created_after=after, created_before=before) for after, before in edges
        ]

    def halves_by_records(self, instants: Sequence[dt.datetime]) -> tuple[Window, Window] | None:
        """Split the window where half of the records lie; None where they share one instant.

        At a whole second, where there is one between them (see `_bounds`).
        """
        in_order = sorted(instants)
        later = [each for each in in_order[len(in_order) // 2 :] if each > in_order[0]]
        if not later:
            return None
        began = whole_second(later[0])
        return self.split(began if began > in_order[0] else later[0])

    def split(self, middle: dt.datetime) -> tuple[Window, Window] | None:
        """Split the window at an instant; None where it does not lie inside."""
        if self.after is not None and middle <= self.after:
            return None
        if self.before is not None and middle >= self.before:
            return None
        return replace(self, before=middle), replace(self, after=middle)


def _bounds(start: dt.datetime, end: dt.datetime, count: int) -> list[dt.datetime]:
    """Give the instants between a number of pieces that are equally long, in whole seconds.

    An API may cut bounds to seconds, and exclude them: what changed within that second would be lost.
    """
    instants = [start + (end - start) * number / count for number in range(1, count)]
    whole = map(whole_second, instants)
    return [each for each in dict.fromkeys(whole) if start < each < end]


def walk_window(
    client: Client,
    request: ListRequest,
    window: Window,
    proof: Proof,
    *,
    records_most: int | None = None,
    closings_left: int = _CLOSINGS_MOST,
) -> Iterator[list[Record]]:
    """Walk a window of a list, in parts where it can't be proved as one.

    A window that is open at its end and longer than a page is closed at the newest change that
    there is, and one that moves too fast is halved. The older part comes first: a record that
    changes meanwhile moves to the end, and is seen there. `proof` sums up the walks of all parts;
    what lies on a bound counts in both.

    Raises:
        LongListError: It holds more than `records_most`; nothing was given yet.
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
            records_most=records_most,
        ):
            instants.extend(each.updated_at for each in records if each.updated_at)
            yield records
    except LongOpenListError:
        parts = window.split(end_of_changes(client, narrowed, after=window.after))
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

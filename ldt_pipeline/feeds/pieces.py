"""Cutting windows into pieces that are walked side by side.

What belongs here: how many pieces, and where their bounds lie. What doesn't: walking them
(`reader.py`), and why a piece is proved by itself (`api/windows.py`).

Nobody tells how a list's records lie in time, and each question costs as long as a page. So a list
is cut as if they lay evenly, and walked at once: the first page of a piece tells how many it holds.
One that holds too many is cut again from its first record on. All that is guessed here is how the
work is shared; whatever the cuts are, together the pieces are the window.
"""

from __future__ import annotations

import datetime as dt

from ldt_pipeline.api.paging import LongListError
from ldt_pipeline.api.windows import Window

_RECORDS_LEAST = 1_000
"""Pieces aren't made shorter than two pages only to have enough of them."""

_FIRST_PIECES_MOST = 1_000
"""Into so many pieces is a list cut at first, whatever it says of its length."""

_PIECES_MOST = 8
"""Into so many pieces is one cut that held more than was thought. More would make fewer rounds, but
many empty pieces around a spike, such as a mass update."""


def records_most(total: int, *, walkers: int, at_most: int) -> int:
    """Give how many records a piece may hold, so that no walker is without one for long."""
    return min(at_most, max(_RECORDS_LEAST, total // walkers))


def cut(
    windows: list[Window], *, oldest: dt.datetime, total: int, records_most: int
) -> list[Window]:
    """Cut windows into pieces that are equally long, as many as hold `total` records."""
    lengths = [
        # One that ends before the oldest change holds nothing.
        max(0.0, (each.before - max(each.after or oldest, oldest)).total_seconds())
        if each.before
        else 0.0
        for each in windows
    ]
    count = min(_FIRST_PIECES_MOST, total / _aim(records_most)) / (sum(lengths) or 1.0)
    return [
        piece
        for window, length in zip(windows, lengths, strict=True)
        for piece in window.pieces(1 + int(length * count), oldest=oldest)
    ]


def cut_again(
    window: Window, found: LongListError, *, oldest: dt.datetime, records_most: int
) -> list[Window]:
    """Cut a window that holds too many; gives it alone where it can't be cut."""
    count = pieces_wanted(found.total, records_most=records_most)
    return window.pieces(count, oldest=max(oldest, found.oldest or oldest))


def pieces_wanted(total: int, *, records_most: int) -> int:
    """Give into how many pieces to cut one that holds `total` records, and that is too many."""
    return min(_PIECES_MOST, 1 + total // _aim(records_most))


def _aim(records_most: int) -> int:
    """Give how many records a piece should hold, so that few hold too many."""
    return max(1, records_most * 2 // 3)

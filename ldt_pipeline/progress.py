"""Progress of long work, for whoever listens: the command line draws bars, Dagster listens not.

What belongs here: telling how many records of which stage are done. Work that is told of may run
in threads; a listener has to bear that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

Listener = Callable[[str, int], None]

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Have a listener told of (stage, records) within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def advance(stage: str, records: int) -> None:
    """Tell that records of a stage are done."""
    for listener in _listeners:
        listener(stage, records)


def reporter(stage: str) -> Callable[[int], None]:
    """Give a function that tells of a stage."""
    return partial(advance, stage)

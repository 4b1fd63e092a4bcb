"""Records to tidy frames in two processes: Python uses one core, and most machines have more.

What belongs here: the process that helps, and who tidies which frame. What doesn't: what a record
means (`tidy/`), and what is read and loaded (`load.py`).

The helper is worth its start, about a second, for large loads alone. It gets frames and gives frames
through a pipe. When the pipe ends it ends, so that it outlives nobody, however this process ends.
"""

from __future__ import annotations

import logging
import pickle
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TypeVar

import polars as pl

from ldt_pipeline.tidy import (
    Tidied,
    tidy_applications,
    tidy_participants,
    tidy_partners,
    tidy_reserved_entries,
    tidy_tickets,
)

_logger = logging.getLogger(__name__)

Tidy = Callable[[str, pl.DataFrame], Tidied]
"""Takes an entity's name and a raw frame of it."""

WORTH_A_PROCESS = 30_000
"""Records that are tidied faster in two processes than in one."""

_TIDY: Mapping[str, Callable[[pl.DataFrame], Tidied]] = {
    "participants": tidy_participants,
    "applications": tidy_applications,
    "partners": tidy_partners,
    "reserved_entry_groups": tidy_reserved_entries,
    "tickets": tidy_tickets,
}

_Raw = TypeVar("_Raw")
_Made = TypeVar("_Made")


def tidied(entity: str, raw: pl.DataFrame) -> Tidied:
    """Read a raw frame of an entity's records."""
    return _TIDY[entity](raw)


def made_ahead(
    make: Callable[[_Raw, Tidy], _Made], raws: Iterable[_Raw], *, records: int
) -> Generator[_Made]:
    """Give what is made of each, in order, while threads make the next ones.

    Args:
        make: Makes one, by the function to tidy with that it is given.
        raws: What it is made of; read by the caller's thread.
        records: How many records there are in all.
    """
    with _tidiers(records) as free, ThreadPoolExecutor(free.qsize(), "tidy") as threads:

        def work(raw: _Raw) -> _Made:
            tidy = free.get()
            try:
                return make(raw, tidy)
            finally:
                free.put(tidy)

        at_once = free.qsize()
        under_way: deque[Future[_Made]] = deque()
        try:
            for raw in raws:
                under_way.append(threads.submit(work, raw))
                if len(under_way) > at_once:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _tidiers(records: int) -> Generator[queue.SimpleQueue[Tidy]]:
    free: queue.SimpleQueue[Tidy] = queue.SimpleQueue()
    free.put(tidied)
    if records < WORTH_A_PROCESS:
        yield free
        return
    helper = _Helper()
    free.put(helper.tidy)
    try:
        yield free
    finally:
        helper.end()


class _Helper:
    """A process that tidies frames. Where it has died, this one does its work."""

    def __init__(self) -> None:
        self._pipe, its_end = Pipe()
        with its_end:
            self._process = subprocess.Popen(  # noqa: S603 - Python, and a module of ours
                [sys.executable, "-m", __name__, str(its_end.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                start_new_session=True,  # Ctrl-C is for this process to answer
            )

    def tidy(self, entity: str, raw: pl.DataFrame) -> Tidied:
        """Have a raw frame read.

        Raises:
            Exception: What reading it raised there.
        """
        if not self._pipe.closed:
            try:
                self._pipe.send((entity, raw))
                answer = self._pipe.recv()
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                _logger.warning(
                    f"The process that helps to load has ended ({type(error).__name__}); the load "
                    "goes on without it."
                )
                self._pipe.close()
            else:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return tidied(entity, raw)

    def end(self) -> None:
        """Let it end."""
        self._pipe.close()
        self._process.wait()


def _serve(pipe: Connection) -> None:
    """Tidy what comes, until the pipe ends."""
    with suppress(EOFError, ConnectionError):
        while True:
            entity, raw = pipe.recv()
            try:
                answer: Tidied | Exception = tidied(entity, raw)
            except Exception as error:
                answer = error
            pipe.send(answer)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))

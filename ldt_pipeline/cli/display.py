"""How far a run is: a moving line in a terminal, and plain lines where there is none.

What belongs here: showing stages and how many records of them are done. What doesn't: knowing
which stages there are (`runner.py`).

In a terminal the line is on stderr, beside whatever stdout is used for. Without one (cron, CI, a
pipe) the lines go to stdout, so that stderr holds the reason of a failure and nothing else.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from ldt_pipeline import progress
from ldt_pipeline.cli.text import clean, counted

if TYPE_CHECKING:
    from rich.status import Status

_REDRAW_SECONDS = 0.1
_PLAIN_LINE_SECONDS = 15.0
"""Without a terminal a long stage says this often how far it is."""


class Display:
    """Shows the stage that `say` names, and counts the records that `progress` tells of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening = progress.listening(self._count)
        self._status: Status | None = None
        self._stage: str | None = None
        self._records = 0
        self._began = self._shown = time.monotonic()
        self.records_by_stage: dict[str, int] = {}

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.status import Status

            console = Console(stderr=True, highlight=False, markup=False)
            self._status = Status("Starting", console=console)
            self._status.start()
        self._listening.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.__exit__(kind, error, traceback)
        if error is None:
            self._finish_stage()
        if self._status is not None:
            self._status.stop()

    def say(self, stage: str) -> None:
        """Begin a stage; the one before has ended."""
        self._finish_stage()
        with self._lock:
            self._stage, self._records = clean(stage), 0
            self._began = self._shown = time.monotonic()
        if self._status is None:
            click.echo(f"{self._stage} …")
        else:
            self._status.update(self._text())

    def _count(self, stage: str, records: int) -> None:
        """Be told of records that are done, from any thread."""
        with self._lock:
            self._records += records
            self.records_by_stage[stage] = self.records_by_stage.get(stage, 0) + records
            since = time.monotonic() - self._shown
            if since < (_PLAIN_LINE_SECONDS if self._status is None else _REDRAW_SECONDS):
                return
            self._shown = time.monotonic()
            if self._status is None:
                click.echo(self._text())
            else:
                self._status.update(self._text())

    def _finish_stage(self) -> None:
        if self._status is not None and self._stage is not None:
            seconds = time.monotonic() - self._began
            # Printed through the status: it lifts the moving line out of the way.
            self._status.console.print(f"✓ {self._text()} ({seconds:.1f} s)")
        self._stage = None

    def _text(self) -> str:
        records = f": {counted(self._records, 'record')}" if self._records else ""
        return f"{self._stage}{records}"

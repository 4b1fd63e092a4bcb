"""Whole processes, measured: seconds, processor time, and the peak memory of the process tree.

What belongs here: a sandbox in a process of its own, and running a command while watching it. What
doesn't: which commands, and what is printed (the benchmarks).
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line that a command printed: when, and what it had used by then."""

    at: float
    cpu_seconds: float
    peak: int
    text: str


@dataclass(kw_only=True)
class Measured:
    """What a command used: seconds by the clock and of the processor, bytes at the most."""

    seconds: float
    cpu_seconds: float
    peak: int
    lines: list[Line] = field(default_factory=list[Line])


@contextmanager
def sandbox(*arguments: str) -> Generator[dict[str, str]]:
    """Serve a sandbox from a process of its own; gives the environment that points at it.

    Raises:
        SystemExit: It did not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "ldt_pipeline.sandbox", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        for name in ("LDT_API_KEY", "LDT_API_BASE_URL"):
            environment.pop(name, None)
        while "LDT_API_KEY" not in environment or "LDT_API_BASE_URL" not in environment:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("The sandbox did not start.")
            found = re.search(r"(LDT_API_KEY|LDT_API_BASE_URL)=(\S+)", line)
            if found:
                environment[found[1]] = found[2]
        yield environment
    finally:
        process.terminate()
        process.wait()


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run a command to its end.

    Raises:
        SystemExit: It failed; the text is what it printed.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        list(command),
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watcher = _Watcher(process.pid)
    watcher.start()
    assert process.stdout is not None
    lines = [
        Line(
            at=time.monotonic() - started,
            cpu_seconds=watcher.cpu_seconds,
            peak=watcher.peak,
            text=line.strip(),
        )
        for line in process.stdout
    ]
    process.wait()
    seconds = time.monotonic() - started
    watcher.join()
    if process.returncode:
        raise SystemExit("\n".join(each.text for each in lines))
    return Measured(
        seconds=seconds, cpu_seconds=watcher.cpu_seconds, peak=watcher.peak, lines=lines
    )


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Give a median with the least and the most."""
    median = statistics.median(values)
    return f"{median:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


class _Watcher(threading.Thread):
    """The largest resident size and the processor time of a process and its children, sampled."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.peak = 0
        self.cpu_seconds = 0.0

    def run(self) -> None:
        while True:
            try:
                size, times = self._process.memory_info().rss, [self._process.cpu_times()]
                children = self._process.children(recursive=True)
            except psutil.Error:
                return
            for child in children:
                # Some live for a moment only.
                with suppress(psutil.Error):
                    size, times = size + child.memory_info().rss, [*times, child.cpu_times()]
            self.peak = max(self.peak, size)
            used = sum(each.user + each.system for each in times)
            self.cpu_seconds = max(self.cpu_seconds, used + times[0].children_user)
            time.sleep(0.02)

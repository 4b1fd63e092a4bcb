"""Time a first load from the sandbox: rows a second, seconds a stage, peak memory.

The sandbox runs as a process of its own, `ldt sync` as another, as a user would run it. Times are
of the whole process, from its start to a published file. Give `--runs` more than one to see the
spread: this is only as good as the machine is quiet.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import psutil

LDT = Path(sys.executable).with_name("ldt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=100_000)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    with sandbox(arguments.participants, arguments.latency_ms) as environment:
        seconds, peaks = [], []
        for run in range(arguments.runs):
            elapsed, peak = time_run(environment, arguments.participants, run)
            seconds.append(elapsed)
            peaks.append(peak)
    median = statistics.median(seconds)
    print(
        f"\n{arguments.participants:,} participants, {arguments.latency_ms:g} ms a request, "
        f"{arguments.runs} runs: median {median:.1f} s "
        f"({min(seconds):.1f} to {max(seconds):.1f}), "
        f"{arguments.participants / median:,.0f} participants/s, "
        f"peak memory {max(peaks) / 2**20:,.0f} MiB"
    )


class sandbox:  # noqa: N801 - read as a block
    """The sandbox in a process of its own; gives the environment that points at it."""

    def __init__(self, participants: int, latency_ms: float) -> None:
        self._command = [
            sys.executable,
            "-m",
            "ldt_pipeline.sandbox",
            "--participants",
            str(participants),
            "--applications",
            "0",
            "--latency-ms",
            str(latency_ms),
        ]

    def __enter__(self) -> dict[str, str]:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        environment = dict(os.environ)
        assert self._process.stdout is not None
        while "LDT_API_KEY" not in environment or "LDT_API_BASE_URL" not in environment:
            line = self._process.stdout.readline()
            if not line:
                raise SystemExit("The sandbox did not start.")
            found = re.search(r"(LDT_API_KEY|LDT_API_BASE_URL)=(\S+)", line)
            if found:
                environment[found[1]] = found[2]
        return environment

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def time_run(environment: dict[str, str], participants: int, run: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(LDT), "sync"],
            env={**environment, "LDT_DATA_DIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        watcher = Watcher(process.pid)
        watcher.start()
        assert process.stdout is not None
        stages: list[tuple[float, float, str, int]] = []
        for line in process.stdout:
            stages.append(
                (time.monotonic() - started, watcher.cpu_seconds, line.strip(), watcher.peak)
            )
        process.wait()
        elapsed = time.monotonic() - started
        watcher.join()
        if process.returncode:
            raise SystemExit("\n".join(line for _, _, line, _ in stages))
        with duckdb.connect(f"{folder}/ldt.duckdb", read_only=True) as published:
            rows = published.execute("SELECT count(*) FROM start_list").fetchall()[0][0]
        assert rows == participants, f"{rows} of {participants} participants arrived"
        print(
            f"run {run + 1}: {elapsed:.1f} s, {watcher.cpu_seconds:.1f} s of processor time, "
            f"{rows / elapsed:,.0f} rows/s"
        )
        print("      at     cpu    peak")
        for at, cpu, line, peak in stages:
            print(f"  {at:6.2f}  {cpu:6.2f}  {peak / 2**20:6,.0f} MiB  {line}")
        print(f"  peak memory {watcher.peak / 2**20:,.0f} MiB")
        return elapsed, watcher.peak


class Watcher(threading.Thread):
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
                # Some live for a moment only, such as those that collect what a step prints.
                with suppress(psutil.Error):
                    size, times = size + child.memory_info().rss, [*times, child.cpu_times()]
            self.peak = max(self.peak, size)
            used = sum(each.user + each.system for each in times)
            self.cpu_seconds = max(self.cpu_seconds, used + times[0].children_user)
            time.sleep(0.02)


if __name__ == "__main__":
    main()

"""Time a first load from the sandbox: rows a second, seconds a stage, peak memory.

The sandbox runs as a process of its own, `ldt sync` as another, as a user would run it. Times are
of the whole process, from its start to a published file. Give `--runs` more than one to see the
spread: this is only as good as the machine is quiet.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.measuring import Measured, measure, sandbox, spread

LDT = Path(sys.executable).with_name("ldt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=100_000)
    parser.add_argument("--applications", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    records = arguments.participants + arguments.applications
    with sandbox(
        *("--participants", str(arguments.participants)),
        *("--applications", str(arguments.applications)),
        *("--latency-ms", str(arguments.latency_ms)),
    ) as environment:
        runs: list[Measured] = []
        for number in range(arguments.runs):
            runs.append(load(environment, arguments.participants))
            show(runs[-1], records, number)
    seconds = [each.seconds for each in runs]
    print(
        f"\n{records:,} records, {arguments.latency_ms:g} ms a request, {arguments.runs} runs: "
        f"median {spread(seconds)} s, {records / statistics.median(seconds):,.0f} records/s, "
        f"peak memory {max(each.peak for each in runs) / 2**20:,.0f} MiB"
    )


def load(environment: dict[str, str], participants: int) -> Measured:
    """Load everything into a new data folder.

    Raises:
        SystemExit: It failed, or somebody is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        measured = measure([str(LDT), "sync"], {**environment, "LDT_DATA_DIR": folder})
        with duckdb.connect(f"{folder}/ldt.duckdb", read_only=True) as published:
            rows = published.execute("SELECT count(*) FROM start_list").fetchall()[0][0]
    if rows != participants:
        raise SystemExit(f"{rows} of {participants} participants arrived.")
    return measured


def show(measured: Measured, records: int, number: int) -> None:
    """Print the stages of a load."""
    print(
        f"run {number + 1}: {measured.seconds:.1f} s, {measured.cpu_seconds:.1f} s of processor "
        f"time, {records / measured.seconds:,.0f} records/s"
    )
    print("      at     cpu    peak")
    for line in measured.lines:
        print(
            f"  {line.at:6.2f}  {line.cpu_seconds:6.2f}  {line.peak / 2**20:6,.0f} MiB  {line.text}"
        )
    print(f"  peak memory {measured.peak / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()

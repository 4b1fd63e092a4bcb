"""Time a first load from the sandbox: rows a second, seconds a stage, peak memory.

    make bench                                           100,000 participants
    make bench-memory                                    1,000, 10,000 and 100,000, in turn
    make bench-memory MEMORY="--participants 1000000"
    make bench-memory MEMORY="--applications 1100000"    a ballot, with few participants

The sandbox runs as a process of its own, whose memory doesn't count, `ldt sync` as another, as a user
would run it. Times are of the whole process, from its start to a published file. Give `--runs` more
than one to see the spread: this is only as good as the machine is quiet.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.measuring import Measured, measure, sandbox, spread

LDT = Path(sys.executable).with_name("ldt")
_PARTICIPANTS = 100_000
_PARTICIPANTS_BESIDE_APPLICATIONS = 1_000


@dataclass(frozen=True, kw_only=True)
class Account:
    """How much there is to load."""

    participants: int
    applications: int = 0

    @property
    def records(self) -> int:
        return self.participants + self.applications

    def __str__(self) -> str:
        texts = [f"{self.participants:,} participants", f"{self.applications:,} applications"]
        return ", ".join(texts if self.applications else texts[:1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--participants",
        type=int,
        nargs="+",
        help=f"how many; of several, in turn ({_PARTICIPANTS})",
    )
    parser.add_argument("--applications", type=int, nargs="+", help="how many; of several, in turn")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    runs: dict[Account, list[Measured]] = {}
    for number in range(arguments.runs):
        for account in _accounts(arguments.participants, arguments.applications):
            with sandbox(
                *("--participants", str(account.participants)),
                *("--applications", str(account.applications)),
                *("--latency-ms", str(arguments.latency_ms)),
            ) as environment:
                measured = load(environment, account.participants, account.applications)
            runs.setdefault(account, []).append(measured)
            show(measured, account, number)
    print(f"\n{arguments.latency_ms:g} ms a request, {arguments.runs} runs in turn: medians, with")
    print("the least and the most; the most of memory")
    print(
        "| a first load of | seconds | processor | records a second | peak memory | of the first |"
    )
    print("|---|---|---|---|---|---|")
    first = max(each.peak for each in next(iter(runs.values())))
    for account, done in runs.items():
        seconds = [each.seconds for each in done]
        peak = max(each.peak for each in done)
        print(
            f"| {account} | {spread(seconds)} | {spread([each.cpu_seconds for each in done])} "
            f"| {account.records / statistics.median(seconds):,.0f} "
            f"| {peak / 2**20:,.0f} MiB | {peak / first:.2f} |"
        )


def _accounts(participants: list[int] | None, applications: list[int] | None) -> list[Account]:
    if not applications:
        return [Account(participants=each) for each in participants or [_PARTICIPANTS]]
    return [
        Account(participants=people, applications=each)
        for people in participants or [_PARTICIPANTS_BESIDE_APPLICATIONS]
        for each in applications
    ]


def load(environment: dict[str, str], participants: int, applications: int = 0) -> Measured:
    """Load everything into a new data folder.

    Raises:
        SystemExit: It failed, or somebody is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        measured = measure([str(LDT), "sync"], {**environment, "LDT_DATA_DIR": folder})
        with duckdb.connect(f"{folder}/ldt.duckdb", read_only=True) as published:
            for table, expected in (("start_list", participants), ("applications", applications)):
                rows = published.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
                if rows != expected:
                    raise SystemExit(f"{table} has {rows:,} of {expected:,} rows.")
    return measured


def show(measured: Measured, account: Account, number: int) -> None:
    """Print the stages of a load."""
    print(
        f"{account}, run {number + 1}: {measured.seconds:.1f} s, {measured.cpu_seconds:.1f} s of "
        f"processor time, {account.records / measured.seconds:,.0f} records/s"
    )
    print("      at     cpu    peak")
    for line in measured.lines:
        print(
            f"  {line.at:6.2f}  {line.cpu_seconds:6.2f}  {line.peak / 2**20:6,.0f} MiB  {line.text}"
        )
    print(f"  peak memory {measured.peak / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()

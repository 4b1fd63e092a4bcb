"""A first load by dlt and by `ldt sync`: the same server, the same people, taking turns.

    make bench-peers                                         100,000 participants at 0 ms
    make bench-peers PEERS="--latency-ms 100 --walkers 8"    the same, 100 ms a request, 8 at once

The server is our sandbox, without applications and with few partners, as dlt is asked for the
participants alone, by as many walkers as ours: it gets typed columns and child tables. `ldt sync`
reads every list, proves each complete, checks, builds all marts and publishes. dlt is installed from
a pinned, hashed lock into `.venv-peers`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.first_load import load
from benchmarks.measuring import Measured, measure, sandbox, spread

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv-peers" / "bin" / "python"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--participants", type=int, default=100_000)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--walkers", type=int, default=4, help="most requests in flight")
    parser.add_argument("--nested", choices=["tables", "json"], default="tables")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    install()
    ours: list[Measured] = []
    theirs: list[Measured] = []
    with sandbox(
        *("--participants", str(arguments.participants), "--applications", "0"),
        *("--latency-ms", str(arguments.latency_ms)),
    ) as environment:
        environment["LDT_MAX_CONCURRENCY"] = str(arguments.walkers)
        for number in range(arguments.runs):
            ours.append(load(environment, arguments.participants))
            theirs.append(load_with_dlt(environment, arguments))
            print(
                f"run {number + 1}: ldt {ours[-1].seconds:.1f} s, dlt {theirs[-1].seconds:.1f} s",
                flush=True,
            )
    print(
        f"\n{arguments.participants:,} participants, {arguments.latency_ms:g} ms a request, "
        f"{arguments.walkers} walkers, {arguments.runs} runs in turn"
    )
    print("| | seconds | processor | peak memory |\n|---|---|---|---|")
    for name, runs in (("`ldt sync`, to a published file", ours), (_named(arguments), theirs)):
        print(
            f"| {name} | {spread([each.seconds for each in runs])} "
            f"| {spread([each.cpu_seconds for each in runs])} "
            f"| {max(each.peak for each in runs) / 2**20:,.0f} MiB |"
        )
    ratios = [their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)]
    memory = max(each.peak for each in ours) / max(each.peak for each in theirs)
    print(f"\ndlt takes {spread(ratios)} times as long; ours peaks at {memory:.0%} of its memory.")


def _named(arguments: argparse.Namespace) -> str:
    grain = "child tables" if arguments.nested == "tables" else "nested lists as JSON"
    return f"dlt, parquet, {grain}"


def install() -> None:
    """Make the peers' own environment, once."""
    marker = PYTHON.parents[1] / ".ready"
    lock = HERE / "requirements.lock"
    if marker.exists() and marker.stat().st_mtime >= lock.stat().st_mtime:
        return
    subprocess.run([sys.executable, "-m", "venv", str(PYTHON.parents[1])], check=True)
    subprocess.run(
        [
            *(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "-r", str(lock)),
        ],
        check=True,
    )
    marker.touch()


def load_with_dlt(environment: dict[str, str], arguments: argparse.Namespace) -> Measured:
    """Load the participants into a new folder.

    Raises:
        SystemExit: It failed, or somebody is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(
            [
                *(str(PYTHON), str(HERE / "dlt_load.py"), "--folder", folder),
                *("--nested", arguments.nested, "--walkers", str(arguments.walkers)),
            ],
            environment,
        )
        with duckdb.connect(f"{folder}/dlt.duckdb", read_only=True) as loaded:
            rows = loaded.execute("SELECT count(*) FROM tidy.participants").fetchall()[0][0]
    if rows != arguments.participants:
        raise SystemExit(f"dlt loaded {rows} of {arguments.participants} participants.")
    return measured


if __name__ == "__main__":
    main()

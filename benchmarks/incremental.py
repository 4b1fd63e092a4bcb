"""What a sync costs beside what changed: nothing, ten people, a thousand, ten thousand.

    make bench-incremental                                     100,000 participants
    make bench-incremental INCREMENTAL="--participants 1000000"

The sandbox runs in this process, each `ldt sync` as a process of its own on one data folder: first a
whole load, then rounds that take turns. In each, so many people are changed, chosen by chance, all in
the same millisecond as a mass update does it. Requests are those that the sandbox saw.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Measured, measure, spread
from ldt_pipeline.sandbox import Sandbox, SandboxAccount

LDT = Path(sys.executable).with_name("ldt")
CHANGES = (0, 10, 1_000, 10_000)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One sync: what it used, what it asked, and by how many bytes the raw store grew."""

    used: Measured
    requests: int
    raw_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--participants", type=int, default=100_000)
    parser.add_argument("--changes", type=int, nargs="*", default=CHANGES)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    chances = random.Random(1)
    account = SandboxAccount(arguments.participants, seed=1, applications=0)
    rounds: dict[int, list[Round]] = {changes: [] for changes in arguments.changes}
    with tempfile.TemporaryDirectory() as folder, Sandbox(account) as sandbox:
        first = sync(sandbox, Path(folder))
        print(f"A first load of {arguments.participants:,}: {first.used.seconds:.1f} s", flush=True)
        sync(sandbox, Path(folder))  # confirms what has just been read
        people = sorted(account.participant_ids())
        for _ in range(arguments.rounds):
            for changes, done in rounds.items():
                account.update_participants(chances.sample(people, min(changes, len(people))))
                done.append(sync(sandbox, Path(folder)))
                sync(sandbox, Path(folder))
    account.close()
    print(
        f"\n{arguments.participants:,} participants, {arguments.rounds} rounds in turn: "
        "medians, with the least and the most"
    )
    print("| changed | seconds | processor | requests | raw store grew by | peak memory |")
    print("|---|---|---|---|---|---|")
    for changes, done in rounds.items():
        print(
            f"| {changes:,} "
            f"| {spread([each.used.seconds for each in done])} "
            f"| {spread([each.used.cpu_seconds for each in done])} "
            f"| {spread([each.requests for each in done], 0)} "
            f"| {spread([each.raw_bytes / 1_000 for each in done], 0)} kB "
            f"| {max(each.used.peak for each in done) / 2**20:,.0f} MiB |"
        )


def sync(sandbox: Sandbox, folder: Path) -> Round:
    """Sync, and see what it cost.

    Raises:
        SystemExit: It failed.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
        "LDT_API_KEY": sandbox.api_key,
        "LDT_API_BASE_URL": sandbox.base_url,
        "LDT_DATA_DIR": str(folder),
    }
    raw = folder / "raw"
    before = size(raw)
    sandbox.clear_requests()
    used = measure([str(LDT), "sync"], environment)
    return Round(
        used=used,
        requests=len(sandbox.requests),
        raw_bytes=size(raw) - before,
    )


def size(path: Path) -> int:
    """Give the bytes of all files in a folder."""
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


if __name__ == "__main__":
    main()

"""The command line of the fault bench: which scenarios, how often, from which seed.

What belongs here: arguments, the table at the end, and the exit status. What doesn't: running
(`running.py`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.faults.running import SCENARIOS, jobs_of, run_all
from benchmarks.faults.tally import table


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; gives 1 where anything published was neither complete nor the previous."""
    options = _parser().parse_args(arguments)
    jobs = jobs_of(
        options.scenario or list(SCENARIOS),
        runs=options.runs,
        short=options.short,
        first=options.first,
        seed=options.seed,
    )
    if options.place is not None:
        options.place.mkdir(parents=True, exist_ok=True)
    print(f"Seed {options.seed}: {len(jobs)} data folders, {options.jobs} at once.", flush=True)
    tallies = run_all(
        jobs,
        at_once=options.jobs,
        place=options.place.resolve() if options.place else None,
        results=options.results,
    )
    for name, tally in tallies.items():
        details = ", ".join(f"{kind} {count:,}" for kind, count in tally.faults.most_common())
        print(f"\n{name}: {details or 'nothing was met'}")
        for note, count in tally.notes.most_common():
            print(f"    {note}: {count:,}")
    print(f"\n{table(tallies.values())}\n")
    disagreements = sum(len(each.disagreements) for each in tallies.values())
    print(
        "Whatever was published was complete, or it was what was there before."
        if not disagreements
        else f"{disagreements} disagreements: they are listed above, by data folder."
    )
    return 1 if disagreements else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description="See whether `ldt sync` keeps its promises while everything goes wrong.",
    )
    parser.add_argument(
        "--scenario",
        choices=list(SCENARIOS),
        action="append",
        help="only this one; may be repeated",
    )
    parser.add_argument("--runs", type=int, help="so many runs of each scenario")
    parser.add_argument("--short", action="store_true", help="a few minutes instead of hours")
    parser.add_argument("--seed", default="1", help="chooses everything")
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first data folder, to go on from"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many data folders at once")
    parser.add_argument(
        "--place", type=Path, help="where data folders are made; by default the system's own"
    )
    parser.add_argument(
        "--results", type=Path, help="keep what is done in this folder, and go on from there"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

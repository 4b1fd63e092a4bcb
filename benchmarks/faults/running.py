"""Running scenarios: cut into data folders, spread over processes, with a line for each that is done.

What belongs here: which scenarios there are, and how many runs of each make a bench. What doesn't:
the command line (`__main__.py`), and what a scenario does.

Each data folder is made from the seed and its number alone, so one folder can be run again by
itself. A bench that keeps its results goes on where it was stopped: hours are too long for one sitting.
"""

from __future__ import annotations

import multiprocessing as mp
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.faults import api_faults, damage, disk, kills, live, readers, together
from benchmarks.faults.tally import Tally


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How to run a scenario: `short` and `full` runs by default, so many of them in a data folder."""

    work: Callable[..., Tally]
    runs_of_a_folder: int
    short: int
    full: int


SCENARIOS = {
    "api": Scenario(
        work=partial(api_faults.run_folder, in_process=True),
        runs_of_a_folder=api_faults.RUNS_OF_A_FOLDER, short=3, full=1_000,
    ),
    "api-processes": Scenario(
        work=partial(api_faults.run_folder, in_process=False),
        runs_of_a_folder=api_faults.RUNS_OF_A_FOLDER, short=2, full=60,
    ),
    "live": Scenario(
        work=live.run_folder, runs_of_a_folder=live.RUNS_OF_A_FOLDER, short=1, full=24
    ),
    "kills": Scenario(
        work=kills.run_folder, runs_of_a_folder=kills.RUNS_OF_A_FOLDER, short=2, full=210
    ),
    "disk": Scenario(
        work=disk.run_folder, runs_of_a_folder=disk.RUNS_OF_A_FOLDER, short=2, full=60
    ),
    "damage": Scenario(
        work=damage.run_folder, runs_of_a_folder=damage.RUNS_OF_A_FOLDER, short=2, full=80
    ),
    "readers": Scenario(
        work=readers.run_folder, runs_of_a_folder=10_000, short=200, full=10_000
    ),
    "together": Scenario(
        work=together.run_folder, runs_of_a_folder=together.RUNS_OF_A_FOLDER, short=1, full=12
    ),
    "daemon": Scenario(
        work=together.run_beside_daemon, runs_of_a_folder=6, short=0, full=12
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Job:
    """Some runs of a scenario on one data folder."""

    name: str
    number: int
    runs: int
    seed: str

    def result_in(self, folder: Path) -> Path:
        """Name the file of its tally: by all that decides what is run."""
        return folder / f"{self.name}-seed-{self.seed}-folder-{self.number}-runs-{self.runs}.json"

    def run(self, place: Path | None) -> Tally:
        """Do it, and delete the folder."""
        where = f"{self.name}, folder {self.number}"
        chances = random.Random(f"{self.seed}/{self.name}/{self.number}")
        with tempfile.TemporaryDirectory(
            prefix=f"fault-{self.name}-{self.number}-", dir=place, ignore_cleanup_errors=True
        ) as folder:
            try:
                return SCENARIOS[self.name].work(
                    chances, Path(folder) / "disk" / "data", self.runs, where=where
                )
            except Exception:
                broken = Tally(scenario=self.name, mode="")
                broken.object_to(where, [f"the bench itself failed: {traceback.format_exc()}"])
                return broken


def jobs_of(
    names: Sequence[str], *, runs: int | None, short: bool, first: int, seed: str
) -> list[Job]:
    """Cut the runs of the scenarios into data folders."""
    jobs: list[Job] = []
    for name in names:
        scenario = SCENARIOS[name]
        left = runs if runs is not None else (scenario.short if short else scenario.full)
        number = first
        while left > 0:
            of_this = min(left, scenario.runs_of_a_folder)
            jobs.append(Job(name=name, number=number, runs=of_this, seed=seed))
            left -= of_this
            number += 1
    return jobs


def run_all(
    jobs: Sequence[Job], *, at_once: int, place: Path | None, results: Path | None = None
) -> dict[str, Tally]:
    """Run everything, telling of each folder as it is done; gives a tally for each scenario.

    With `results` (a folder) each tally is kept there, and what was kept before is not run again.
    """
    tallies: dict[str, Tally] = {}

    def add(job: Job, tally: Tally) -> None:
        if job.name in tallies:
            tallies[job.name].add(tally)
        else:
            tallies[job.name] = tally

    left: list[Job] = []
    for job in jobs:
        kept = results and job.result_in(results)
        if kept and kept.exists():
            add(job, Tally.read(kept))
        else:
            left.append(job)
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} data folders were done before.", flush=True)
    began = time.monotonic()
    with ProcessPoolExecutor(max_workers=at_once, mp_context=mp.get_context("spawn")) as pool:
        running: dict[Future[Tally], Job] = {pool.submit(job.run, place): job for job in left}
        for number, future in enumerate(as_completed(running), start=1):
            job, tally = running[future], future.result()
            if results:
                tally.write(job.result_in(results))
            add(job, tally)
            print(
                f"[{(time.monotonic() - began) / 60:6.1f} min] {number}/{len(left)} "
                f"{job.name}, folder {job.number}: {tally.runs} runs, "
                f"{tally.faults.total()} faults, {tally.kept} failed and kept the previous, "
                f"{len(tally.disagreements)} disagreements",
                flush=True,
            )
    return {name: tallies[name] for name in SCENARIOS if name in tallies}

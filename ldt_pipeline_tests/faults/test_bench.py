"""Scenarios of the fault bench, briefly: the long bench is `make bench-faults`.

Those that no other test does: readers, damage, full disks and live change have tests of their own,
and each of these here costs half a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.running import SCENARIOS, jobs_of, run_all
from benchmarks.faults.tally import Tally
from ldt_pipeline_tests.forked import processes

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_short_bench_from_the_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.faults", "--short", "--scenario", "together",
            "--jobs", "1", "--place", str(tmp_path),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "complete, or it was what was there before" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["api", "kills"])
def test_a_short_bench_finds_no_disagreement(name: str, tmp_path: Path) -> None:
    place, result = tmp_path / "place", tmp_path / "tally.json"
    place.mkdir()
    process = processes().Process(target=run_briefly, args=(name, place, result))
    process.start()
    process.join()
    assert process.exitcode == 0
    tally = Tally.read(result)
    assert (tally.runs, tally.disagreements) == (SCENARIOS[name].short, [])
    assert list(place.iterdir()) == []


def run_briefly(name: str, place: Path, result: Path) -> None:
    (job,) = jobs_of([name], runs=None, short=True, first=0, seed="1")
    job.run(place).write(result)


def test_what_was_done_is_not_run_again(tmp_path: Path) -> None:
    jobs = jobs_of(["kills"], runs=20, short=False, first=0, seed="s")
    for job in jobs:
        tally = Tally(scenario="Kills", mode="a process for each sync", runs=10, seconds=1.5)
        tally.faults["kill"] += 10
        tally.notes["a note"] += 1
        tally.object_to("a folder", ["a disagreement"])
        tally.write(job.result_in(tmp_path))
    (both,) = run_all(jobs, at_once=1, place=tmp_path / "nowhere", results=tmp_path).values()
    assert (both.runs, both.seconds, len(both.disagreements)) == (20, 3.0, 2)
    assert (both.faults, both.notes) == ({"kill": 20}, {"a note": 2})


def test_runs_are_cut_into_folders_that_can_be_run_again() -> None:
    jobs = jobs_of(["kills"], runs=40, short=False, first=3, seed="s")
    assert [(job.number, job.runs) for job in jobs] == [(3, 10), (4, 10), (5, 10), (6, 10)]
    assert {job.seed for job in jobs} == {"s"}
    assert jobs_of(["daemon"], runs=None, short=True, first=0, seed="s") == []
    full = jobs_of(list(SCENARIOS), runs=None, short=False, first=0, seed="s")
    runs = {name: sum(job.runs for job in full if job.name == name) for name in SCENARIOS}
    assert runs["api"] >= 1_000
    assert runs["kills"] >= 200
    assert runs["readers"] >= 10_000

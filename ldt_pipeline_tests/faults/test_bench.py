"""Each scenario of the fault bench, briefly: the long bench is `make bench-faults`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.running import SCENARIOS, jobs_of

BRIEFLY = ("api", "kills", "disk", "together")
"""What no other test does: readers, damage and live change have tests of their own, and each of
these here costs half a minute."""

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BRIEFLY)
def test_a_short_bench_finds_no_disagreement(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks.faults", "--short", "--scenario", name,
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

"""Scenario: two syncs at once, and a sync beside Dagster's daemon that syncs too.

Both end well; the second one waits, and says for what.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.faults.changes import DELETIONS, SLOW, change, make_account, moving
from benchmarks.faults.place import Place, finish
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import truth
from ldt_pipeline.sandbox import Sandbox

RUNS_OF_A_FOLDER = 4
_DAEMON_READY_SECONDS = 180
_DAEMON_SYNCS = 6


def run_folder(chances: random.Random, folder: Path, runs: int, *, where: str) -> Tally:
    """Start syncs of one data folder in pairs, the first load included."""
    tally = Tally(scenario="two syncs at once", mode="a process for each sync")
    account = make_account(chances, participants=120)
    with Sandbox(account, latency_ms=10) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        for number in range(runs):
            for _ in range(chances.randrange(1, 6) if number else 0):
                change(account, chances, (DELETIONS, SLOW))
            at = f"{where}, run {number}"
            began = time.monotonic()
            first = place.start()
            time.sleep(chances.choice((0, 0, chances.random() * 4)))
            second = place.start()
            both = [finish(first, began), finish(second, began)]
            tally.runs += 1
            tally.seconds += time.monotonic() - began
            for ran in both:
                tally.object_to(at, ran.offences)
                if not ran.succeeded:
                    tally.object_to(at, [f"one of two syncs failed: {ran.err}"])
            waited = sum("Waiting for another sync" in ran.out for ran in both)
            tally.faults["sync that waited"] += waited
            tally.object_to(at, place.offences(truth(account)) if number == 0 else place.offences())
            tally.object_to(f"{at}, afterwards", place.offences_in_peace())
    account.close()
    return tally


def run_beside_daemon(chances: random.Random, folder: Path, syncs: int, *, where: str) -> Tally:
    """Run syncs while `dagster dev` follows the same account on its own."""
    tally = Tally(scenario="beside the daemon", mode="`dagster dev`, and a process for each sync")
    account = make_account(chances, participants=120)
    with Sandbox(account) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        daemon = _start_daemon(place)
        try:
            with moving(account, chances, changes_per_second=0.5, kinds=(DELETIONS, SLOW)) as moved:
                for number in range(syncs):
                    at = f"{where}, sync {number}"
                    ran = place.run()
                    tally.runs += 1
                    tally.seconds += ran.seconds
                    tally.object_to(at, ran.offences)
                    tally.kept += not ran.succeeded
                    if place.published.exists():
                        tally.object_to(at, place.offences())
                    time.sleep(chances.random() * 10)
            tally.faults["change while a sync ran"] += moved.changes
            if daemon.poll() is not None:
                tally.object_to(where, ["the daemon died"])
            tally.object_to(f"{where}, once it is quiet", place.offences_in_peace())
            tally.notes["runs that the daemon started"] += _runs_of_the_daemon(place)
        finally:
            _stop_daemon(daemon)
        tally.object_to(f"{where}, after the daemon", place.offences_in_peace())
    account.close()
    return tally


def _start_daemon(place: Place) -> subprocess.Popen[bytes]:
    """Start `dagster dev` with the project's own workspace and instance; returns once it polls."""
    root = Path(__file__).parents[2]
    place.folder.mkdir(parents=True, exist_ok=True)
    home = place.folder.parent / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((root / "dagster.yaml").read_bytes())
    environment = place.environment(DAGSTER_HOME=str(home))
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("dagster")), "dev",
            "--workspace", str(root / "workspace.yaml"), "--port", "0",
        ],
        env=environment,
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + _DAEMON_READY_SECONDS
    while not place.sandbox.requests:
        if process.poll() is not None or time.monotonic() > deadline:
            _stop_daemon(process)
            raise RuntimeError("the daemon did not begin to poll")
        time.sleep(0.5)
    return process


def _stop_daemon(process: subprocess.Popen[bytes]) -> None:
    """End it with the processes that it started: they are a session of their own."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(30)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _runs_of_the_daemon(place: Place) -> int:
    """Count the runs in the instance that no command line started."""
    import sqlite3  # noqa: PLC0415

    path = place.folder / "dagster" / "history" / "runs.db"
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM runs WHERE run_id NOT IN "
            "(SELECT run_id FROM run_tags WHERE key = 'ldt/from')"
        ).fetchone()
    return int(count)

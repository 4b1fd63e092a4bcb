"""Scenario: `kill -9` at any moment of a sync.

Half of the kills come by the clock, some time into a stage that the sync names: that is how they
fall into DuckDB's commits and checkpoints. The other half come at a file operation: just before
the n-th file of the data folder is opened for writing, renamed or removed. That is how they fall
between an extract and its manifest, or between a file and its renaming.

After each kill the published file, if there is one, opens and is whole; the next sync gives the truth.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.faults.changes import DELETIONS, SLOW, change, make_account
from benchmarks.faults.place import Place
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import CHANGING
from ldt_pipeline.sandbox import Sandbox

RUNS_OF_A_FOLDER = 10
_MOST_CHANGES = 6
_LONGEST_STAGE_SECONDS = 1.5
_MOST_STAGES = 8
_MOST_OPERATIONS = 70

_AT_FILE_OPERATION = """
import os, signal, sys
left, folder = int(os.environ["BENCH_KILL_AT"]), os.environ["LDT_DATA_DIR"]

def count(event, arguments):
    global left
    if event == "open":
        path, mode, flags = arguments
        if not (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event not in ("os.rename", "os.remove", "os.mkdir"):
        return
    path = arguments[0]
    if not isinstance(path, str) or not path.startswith(folder) or "/dagster/" in path:
        return
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
from ldt_pipeline.cli import main
main(prog_name="ldt")
"""


def run_folder(chances: random.Random, folder: Path, runs: int, *, where: str) -> Tally:
    """Kill some syncs of one account and one data folder."""
    tally = Tally(scenario="kill -9", mode="a process for each sync")
    account = make_account(chances, participants=120)
    most_per_page = chances.choice((None, 40))
    with Sandbox(
        account, latency_ms=chances.choice((0, 15)), most_per_page=most_per_page
    ) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        for number in range(runs):
            if number:
                for _ in range(1 + chances.randrange(_MOST_CHANGES)):
                    change(account, chances, (DELETIONS, SLOW))
            began = time.monotonic()
            moment = (
                _kill_by_clock(chances, place)
                if chances.random() < 0.5
                else _kill_at_file(chances, place)
            )
            tally.runs += 1
            tally.seconds += time.monotonic() - began
            tally.faults[moment] += moment != _ENDED
            tally.notes[moment] += moment == _ENDED
            at = f"{where}, run {number} ({moment})"
            if place.published.exists():
                tally.object_to(at, place.offences())
            names = None if number == runs - 1 else CHANGING
            tally.object_to(f"{at}, the next sync", place.offences_in_peace(names=names))
        tally.object_to(where, _leftovers(place))
    account.close()
    return tally


_ENDED = "the sync had ended before"


def _kill_by_clock(chances: random.Random, place: Place) -> str:
    """Kill it some time after it said for the n-th time what it is doing."""
    stages, delay = chances.randint(1, _MOST_STAGES), chances.random() * _LONGEST_STAGE_SECONDS
    process = place.start()
    said: list[str] = []
    reached = threading.Event()

    def listen() -> None:
        for line in process.stdout or ():
            if line.rstrip().endswith("…"):
                said.append(line.rstrip(" …\n"))
            if len(said) >= stages:
                reached.set()
        reached.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    reached.wait()
    time.sleep(delay)
    process.kill()
    process.wait()
    listener.join()
    _close(process)
    was_killed = process.returncode == -signal.SIGKILL
    return f"by the clock: {said[-1] if said else 'starting'}" if was_killed else _ENDED


def _kill_at_file(chances: random.Random, place: Place) -> str:
    """Let it kill itself at a file operation."""
    number = chances.randint(1, _MOST_OPERATIONS)
    process = place.start(
        command=[sys.executable, "-c", _AT_FILE_OPERATION], BENCH_KILL_AT=str(number)
    )
    process.communicate()
    was_killed = process.returncode == -signal.SIGKILL
    return "at a file operation" if was_killed else _ENDED


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _leftovers(place: Place) -> list[str]:
    """A sync that went well has tidied up what killed ones left."""
    left = [
        path.relative_to(place.folder)
        for path in place.folder.rglob("*")
        if path.name.startswith(".tmp-") and time.time() - path.stat().st_mtime > 120
    ]
    return [f"{len(left)} unfinished files are left, such as {left[0]}"] if left else []

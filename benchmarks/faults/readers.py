"""Scenario: people read all the while.

Eight processes open the published file, look into all of its tables, close it, and open it again;
two of them keep it open for a while each time. Meanwhile the account changes and syncs publish. No
reader meets an error or two tables that disagree, and no sync waits for a reader.
"""

from __future__ import annotations

import multiprocessing as mp
import random
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from benchmarks.faults.changes import DELETIONS, SLOW, change, make_account
from benchmarks.faults.place import Place
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import torn
from ldt_pipeline.sandbox import Sandbox

READERS = 8
_HOLDERS = 2
_HOLD_SECONDS = 3.0
_PAUSE_SECONDS = 0.1
"""Readers that never pause leave the syncs no processor: then little is replaced under them."""
_MOST_CHANGES = 5


def read_on(path: Path, stop: Event, opens: Any, failures: Any, hold_seconds: float) -> None:
    """Open, look and close, until told to stop."""
    while not stop.is_set():
        try:
            found = torn(path, hold_seconds=hold_seconds)
        except BaseException as failure:
            found = [f"{type(failure).__name__}: {failure}"]
        for each in found:
            failures.put(each)
        with opens.get_lock():
            opens.value += 1
        stop.wait(_PAUSE_SECONDS)


def run_folder(
    chances: random.Random, folder: Path, opens_wanted: int, *, where: str, readers: int = READERS
) -> Tally:
    """Read one published file while syncs replace it, until it has been opened often enough."""
    tally = Tally(scenario="readers", mode=f"{readers} processes that read")
    account = make_account(chances, participants=120)
    context = mp.get_context("spawn")
    stop, opens, failures = context.Event(), context.Value("i", 0), context.Queue()
    with Sandbox(account) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        tally.object_to(f"{where}, first load", place.offences_in_peace())
        processes = [
            context.Process(
                target=read_on,
                args=(
                    place.published, stop, opens, failures,
                    _HOLD_SECONDS if number < _HOLDERS else 0.0,
                ),
                daemon=True,
            )
            for number in range(readers)
        ]  # fmt: skip
        for process in processes:
            process.start()
        began = time.monotonic()
        files = {place.published.stat().st_ino}
        try:
            while opens.value < opens_wanted:
                for _ in range(1 + chances.randrange(_MOST_CHANGES)):
                    change(account, chances, (DELETIONS, SLOW))
                tally.object_to(where, place.offences_in_peace())
                files.add(place.published.stat().st_ino)
                tally.notes["syncs beside readers"] += 1
                if not all(process.is_alive() for process in processes):
                    tally.object_to(where, ["a reader died"])
                    break
        finally:
            stop.set()
            for process in processes:
                process.join(30)
        tally.seconds += time.monotonic() - began
        tally.runs += opens.value
        tally.faults["file replaced"] += len(files) - 1
        while not failures.empty():
            tally.object_to(where, [failures.get()])
    account.close()
    return tally

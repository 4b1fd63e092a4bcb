"""Scenario: the disk is full, files can't grow, or the data folder can't be written.

Where this process may mount one, the data folder lies on a small disk of its own (tmpfs), which is
filled, emptied and made read-only. Everywhere, a limit on the size of files (RLIMIT_FSIZE) makes
writes fail in the middle of a file.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.changes import DELETIONS, SLOW, change, make_account
from benchmarks.faults.place import Place, Ran
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import CHANGING
from ldt_pipeline.sandbox import Sandbox

RUNS_OF_A_FOLDER = 6
_MEGABYTE = 1 << 20
_ROOMY = "120m"
_LIMITED = """
import os, resource
size = int(os.environ["BENCH_FILE_SIZE"])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
from ldt_pipeline.cli import main
main(prog_name="ldt")
"""
_MOST_CHANGES = 6


def run_folder(chances: random.Random, folder: Path, runs: int, *, where: str) -> Tally:
    """Let syncs of one account meet a disk that can't take what they write."""
    tally = Tally(scenario="disk", mode="a process for each sync")
    account = make_account(chances, participants=120)
    with _own_disk(folder.parent) as can_mount, Sandbox(account) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        for number in range(runs):
            if number:
                for _ in range(1 + chances.randrange(_MOST_CHANGES)):
                    change(account, chances, (DELETIONS, SLOW))
            kinds = [_limited, *((_full, _full, _read_only) if can_mount else ())]
            kind = chances.choice(kinds)
            digest = place.digest()
            what, ran = kind(chances, place)
            at = f"{where}, run {number} ({what})"
            tally.runs += 1
            tally.seconds += ran.seconds
            tally.faults[kind.__name__.strip("_")] += not ran.succeeded
            tally.object_to(at, ran.offences)
            if not ran.succeeded:
                tally.kept += 1
                if place.digest() != digest:
                    tally.object_to(at, ["a sync failed and yet the published file changed"])
            if place.published.exists():
                tally.object_to(at, place.offences())
            names = None if number == runs - 1 else CHANGING
            tally.object_to(f"{at}, with room again", place.offences_in_peace(names=names))
    account.close()
    return tally


def _limited(chances: random.Random, place: Place) -> tuple[str, Ran]:
    """No file may grow beyond some size."""
    most = chances.choice((20_000, 200_000, _MEGABYTE, 3 * _MEGABYTE, 6 * _MEGABYTE))
    ran = place.run(command=[sys.executable, "-c", _LIMITED], BENCH_FILE_SIZE=str(most))
    return f"no file beyond {most:,} bytes", ran


def _full(chances: random.Random, place: Place) -> tuple[str, Ran]:
    """Leave some room, which may be too little."""
    place.folder.mkdir(exist_ok=True)
    ballast = place.folder.parent / "ballast"
    left = chances.randrange(0, 14 * _MEGABYTE)
    pieces = max(0, shutil.disk_usage(place.folder).free - left) // _MEGABYTE
    with ballast.open("wb") as file:
        for _ in range(pieces):
            file.write(b"\0" * _MEGABYTE)
    ran = place.run()
    ballast.unlink()
    return f"{left / _MEGABYTE:.1f} MB of room", ran


def _read_only(_: random.Random, place: Place) -> tuple[str, Ran]:
    """Nothing can be written."""
    place.folder.mkdir(exist_ok=True)
    _mount("-o", "remount,ro", str(place.folder.parent))
    ran = place.run()
    _mount("-o", "remount,rw", str(place.folder.parent))
    return "a data folder that can't be written", ran


@contextmanager
def _own_disk(folder: Path) -> Generator[bool]:
    """Mount a small disk over a folder; says whether that was allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    can_mount = _mount("-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder))
    try:
        yield can_mount
    finally:
        if can_mount:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> bool:
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    return done.returncode == 0

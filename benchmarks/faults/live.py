"""Scenario: the account moves all the while.

People enter, change, move and go in the middle of every walk, with cursors that are records' ids
and with opaque ones. Each file that is published meanwhile is whole by itself; once it is quiet,
one sync gives the truth.
"""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.faults.changes import DELETIONS, GROUPS, SLOW, make_account, moving
from benchmarks.faults.place import Place
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import Tables, beyond_erasure, published, redacted
from ldt_pipeline.sandbox import Sandbox

SYNCS_OF_A_RUN = 3
RUNS_OF_A_FOLDER = 4


def run_folder(chances: random.Random, folder: Path, runs: int, *, where: str) -> Tally:
    """Move one account while it is synced, and let it rest, some times."""
    tally = Tally(scenario="live change", mode="a process for each sync")
    account = make_account(chances)
    cursors = chances.choice(("record_id", "record_id", "opaque"))
    with Sandbox(
        account, cursors=cursors, most_per_page=chances.choice((None, 25, 60)), latency_ms=5
    ) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        for number in range(runs):
            rate = chances.choice((2.0, 10.0, 40.0))
            at = f"{where}, run {number} ({rate:.0f} changes a second, cursors {cursors})"
            with moving(
                account, chances, changes_per_second=rate, kinds=(DELETIONS, SLOW, GROUPS)
            ) as moved:
                for _ in range(SYNCS_OF_A_RUN):
                    digest = place.digest()
                    before = published(place.published) if digest else {}
                    ran = place.run()
                    tally.runs += 1
                    tally.seconds += ran.seconds
                    tally.object_to(at, ran.offences)
                    if not ran.succeeded:
                        tally.kept += 1
                        tally.note_failure(ran.err)
                        if place.digest() != digest:
                            tally.object_to(at, _offences_of_failure(place, before, tally))
                    if place.published.exists():
                        tally.object_to(at, place.offences())
            tally.faults["change while a sync ran"] += moved.changes
            tally.object_to(f"{at}, once it is quiet", place.offences_in_peace())
    account.close()
    return tally


def _offences_of_failure(place: Place, before: Tables, tally: Tally) -> list[str]:
    """A sync that failed may have erased somebody before; all else is as it was.

    Not only whoever was redacted since: an earlier sync may have published a redaction, and died or
    failed before it erased what else there was.
    """
    found = published(place.published)
    erased = redacted(found)
    if not before or not erased:
        return ["a sync failed and yet the published file changed"]
    tally.note_erasure()
    return beyond_erasure(found, before, erased)

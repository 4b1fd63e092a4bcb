"""Scenario: the network and the API fail, stall and lie, up to one request in ten.

Each run changes the account, syncs under a mix of faults, and syncs once more in peace. Under
faults that a retry gets past, a sync that says it is done must have published the truth. Under
lies (a page that skips rows, a stale answer, a wrong total) it may also have been told that a list
did not change: then that list is as it was before, whole. A sync that fails says why in a
sentence and leaves the published file as it was, byte for byte; only whom it erased before it
failed is gone from it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from benchmarks.faults.changes import DELETIONS, GROUPS, LATE, SLOW, change, make_account
from benchmarks.faults.place import Place
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import (
    CHANGING,
    Tables,
    beyond_erasure,
    differences,
    published,
    redacted,
    torn,
    truth,
)
from ldt_pipeline.sandbox import ALL_FAULTS, PASSING_FAULTS, Fault, Faults, Sandbox

RUNS_OF_A_FOLDER = 10
_HANG_SECONDS = 1.6
_TIMES_ASKED_AGAIN = 3


class Kind(Enum):
    """What a client can know under some faults: that they happened, or not even that."""

    PASSING = auto()
    LYING = auto()
    BLINDING = auto()


_MOST_CHANGES = 10
_KINDS = (
    *((DELETIONS, SLOW, GROUPS),) * 5,
    *((LATE, SLOW, GROUPS),) * 3,
    (DELETIONS, LATE, SLOW, GROUPS),
)


def run_folder(
    chances: random.Random, folder: Path, runs: int, *, in_process: bool, where: str
) -> Tally:
    """Make some runs on one account and one data folder: a first load, then what changes."""
    tally = Tally(
        scenario="API faults", mode="one process" if in_process else "a process for each sync"
    )
    account = make_account(chances)
    sandbox = Sandbox(
        account,
        cursors=chances.choice(("opaque", "record_id")),
        list_end=chances.choice(("null", "absent", "empty", "again")),
        inclusive_bounds=chances.random() < 0.5,
        most_per_page=chances.choice((None, 40, 90)),
    )
    with sandbox:
        place = Place(folder=folder, sandbox=sandbox, in_process=in_process)
        before: Tables = {}
        for number in range(runs):
            kinds = chances.choice(_KINDS)
            for _ in range(chances.randrange(_MOST_CHANGES) if number else 0):
                change(account, chances, kinds)
            is_hidden = {LATE, DELETIONS} <= set(kinds)
            names = None if number == runs - 1 else CHANGING
            before = _run(
                chances,
                place,
                before,
                names=names,
                tally=tally,
                where=f"{where}, run {number}",
                is_hidden=is_hidden,
            )
    account.close()
    return tally


def _run(
    chances: random.Random,
    place: Place,
    before: Tables,
    *,
    names: tuple[str, ...] | None,
    tally: Tally,
    where: str,
    is_hidden: bool,
) -> Tables:
    sandbox = place.sandbox
    name, kind = _MIXES[chances.randrange(len(_MIXES))](chances, sandbox)
    where = f"{where} ({name})"
    digest, now = place.digest(), truth(sandbox.account)
    sandbox.clear_requests()
    ran = place.run()
    met = [
        each.fault or "revoked key" for each in sandbox.requests if each.fault or each.status == 401
    ]
    tally.runs += 1
    tally.faults.update(met)
    tally.seconds += ran.seconds
    sandbox.faults = Faults()
    sandbox.forget_orders()
    sandbox.restore_key(sandbox.api_key)
    tally.object_to(where, ran.offences)
    if not ran.succeeded:
        tally.kept += 1
        tally.note_failure(ran.err)
        if place.digest() != digest:
            tally.object_to(where, _offences_of_failure(place, now, before, tally))
    elif is_hidden or kind is Kind.BLINDING:
        tally.object_to(where, place.offences())
    else:
        tally.object_to(where, _offences(place, now, before if kind is Kind.LYING else {}, tally))
    tally.object_to(f"{where}, in peace", place.offences_in_peace(names=names, whole=is_hidden))
    return truth(sandbox.account)


def _offences_of_failure(place: Place, now: Tables, before: Tables, tally: Tally) -> list[str]:
    """A sync that failed may have erased somebody before; all else is as it was."""
    erased = redacted(now) - (redacted(before) if before else set())
    if not before or not erased:
        return ["a sync failed and yet the published file changed"]
    tally.note_erasure()
    return torn(place.published) + beyond_erasure(published(place.published), before, erased)


def _offences(place: Place, now: Tables, before: Tables, tally: Tally) -> list[str]:
    """Each table is that of now; or, where a lie may hide what is new, that of before."""
    if not place.published.exists():
        return ["a sync is done, and nothing is published"]
    found, offences = published(place.published), torn(place.published)
    for name in CHANGING:
        different = differences(found, now, (name,))
        if different and before and not differences(found, before, (name,)):
            tally.notes["a list that a lie hid until the next sync"] += 1
        else:
            offences += different
    return offences


def _passing(chances: random.Random, sandbox: Sandbox) -> tuple[str, Kind]:
    """Some faults that a retry gets past."""
    return _set(chances, sandbox, PASSING_FAULTS), Kind.PASSING


def _lying(chances: random.Random, sandbox: Sandbox) -> tuple[str, Kind]:
    """Some faults of every kind."""
    return _set(chances, sandbox, ALL_FAULTS), Kind.LYING


def _set(chances: random.Random, sandbox: Sandbox, faults: tuple[Fault, ...]) -> str:
    chosen = chances.sample(faults, chances.randint(1, len(faults)))
    rate = chances.choice((0.03, 0.1, 0.1))
    sandbox.faults = Faults(
        dict.fromkeys(chosen, rate / len(chosen)),
        seed=chances.randrange(1 << 30),
        retry_after_seconds=chances.choice((0, 0, 1)),
        hang_seconds=_HANG_SECONDS,
    )
    return f"one request in {1 / rate:.0f}: {', '.join(chosen)}"


def _revoked(chances: random.Random, sandbox: Sandbox) -> tuple[str, Kind]:
    """The key is revoked in the middle."""
    requests = chances.randrange(25)
    sandbox.revoke_key(sandbox.api_key, after_requests=requests)
    return f"the key is revoked after {requests} requests", Kind.PASSING


def _endless(chances: random.Random, sandbox: Sandbox) -> tuple[str, Kind]:
    """From some page on every cursor leads back to where it was met."""
    sandbox.fail_next(
        "looping_cursor",
        times=100_000,
        after_requests=chances.randrange(12),
        path_contains=chances.choice(("", "/participants")),
    )
    return "cursors that lead back for ever", Kind.LYING


def _without_totals(chances: random.Random, sandbox: Sandbox) -> tuple[str, Kind]:
    """Totals fail for a while, or until the end."""
    fault: Fault = chances.choice(("missing_total", "wrong_total"))
    times = chances.choice((1, 3, 100_000))
    sandbox.fail_next(fault, times=times, after_requests=chances.randrange(20))
    # As long as no total is stated, nothing tells of a deletion but reading the list whole.
    is_blind = fault == "missing_total" and times > _TIMES_ASKED_AGAIN
    return f"{fault} {times} times", Kind.BLINDING if is_blind else Kind.LYING


def _dead(chances: random.Random, sandbox: Sandbox) -> tuple[str, Kind]:
    """One operation always fails in one way, more often than anybody retries."""
    fault: Fault = chances.choice(("http_503", "html", "truncated", "reset", "broken_json"))
    path = chances.choice(("/participants", "/partners", "/tickets", "/reserved-entries"))
    sandbox.fail_next(
        fault,
        times=2 + chances.randrange(9),
        path_contains=path,
        after_requests=chances.randrange(4),
    )
    return f"{fault} at {path}, again and again", Kind.PASSING


_MIXES: tuple[Callable[[random.Random, Sandbox], tuple[str, Kind]], ...] = (
    *(_passing, _passing, _lying, _lying, _lying),
    *(_revoked, _endless, _without_totals, _dead),
)

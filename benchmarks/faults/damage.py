"""Scenario: files of the data folder are cut, flipped, emptied, deleted, or of another version.

After each of them one sync gives the truth, and so does, after a whole reading, a rebuild from raw alone: what
was damaged was found by its checksum, set aside, and fetched again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.faults.changes import DELETIONS, LATE, SLOW, change, make_account
from benchmarks.faults.place import Place
from benchmarks.faults.tally import Tally
from benchmarks.faults.truth import CHANGING, truth
from ldt_pipeline.sandbox import Sandbox

RUNS_OF_A_FOLDER = 8
_MOST_CHANGES = 5


def run_folder(chances: random.Random, folder: Path, runs: int, *, where: str) -> Tally:
    """Damage one data folder again and again, and see that it heals."""
    tally = Tally(scenario="damaged files", mode="a process for each sync")
    account = make_account(chances, participants=120)
    with Sandbox(account, most_per_page=chances.choice((None, 40))) as sandbox:
        place = Place(folder=folder, sandbox=sandbox)
        tally.object_to(f"{where}, first load", place.offences_in_peace())
        for number in range(runs):
            kinds = chances.choice(((DELETIONS, SLOW), (LATE, SLOW)))
            for _ in range(chances.randrange(_MOST_CHANGES)):
                change(account, chances, kinds)
            done = [_DAMAGES[chances.randrange(len(_DAMAGES))](chances, place)]
            if chances.random() < 0.5:
                done.append(_delete_warehouse(chances, place))  # all of raw is read then
            at = f"{where}, run {number} ({', '.join(done)})"
            digest, began = place.digest(), time.monotonic()
            if chances.random() < 0.3:
                ran = place.run("rebuild")
                tally.object_to(f"{at}, rebuild", ran.offences)
                if not ran.succeeded:
                    tally.kept += 1
                    if place.digest() != digest:
                        tally.object_to(at, ["a rebuild failed and the published file changed"])
            tally.runs += 1
            tally.faults.update(done)
            # What was loaded long ago is looked at by a whole reading alone: before a rebuild reads it.
            is_last = number == runs - 1
            offences = place.offences_in_peace(names=None if is_last else CHANGING, whole=is_last)
            tally.object_to(f"{at}, the next sync", offences)
            tally.seconds += time.monotonic() - began
        ran = place.run("rebuild")
        tally.object_to(f"{where}, a rebuild in the end", ran.offences)
        if not ran.succeeded:
            tally.object_to(where, [f"a rebuild of what was healed failed: {ran.err}"])
        # What was deleted since and lay in a damaged extract alone is forgotten: live rows are not.
        tally.object_to(f"{where}, rebuilt in the end", place.offences(truth(account)))
    account.close()
    return tally


def _spoil(chances: random.Random, path: Path) -> str:
    """Damage a file in one of the ways that disks and people have."""
    content = path.read_bytes()
    way = chances.choice(("cut", "flipped", "emptied", "overwritten"))
    if way == "cut" and content:
        path.write_bytes(content[: chances.randrange(len(content))])
    elif way == "flipped" and content:
        place = chances.randrange(len(content))
        flipped = content[place] ^ 1 << chances.randrange(8)
        path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
    elif way == "overwritten":
        path.write_bytes(chances.randbytes(len(content)))
    else:
        path.write_bytes(b"")
    return way


def _extract(chances: random.Random, place: Place) -> str:
    """Some extracts of some lists."""
    paths = sorted(place.raw.glob("*/*=*/*.ndjson.zst"))
    ways = [_spoil(chances, path) for path in chances.sample(paths, min(3, len(paths)))]
    return f"extracts {'/'.join(sorted(set(ways)))}"


def _newest_extract(chances: random.Random, place: Place) -> str:
    """What the next tail looks back into."""
    paths = sorted(place.raw.glob("participants/*=*/*.ndjson.zst"), key=lambda path: path.name)
    return f"newest extract {_spoil(chances, paths[-1])}"


def _tombstones(chances: random.Random, place: Place) -> str:
    """What tells who has gone, or what reconciling had found."""
    paths = sorted(
        path
        for feed in ("deletions", "race_participants", "event_applications")
        for path in place.raw.glob(f"{feed}/*=*/*.ndjson.zst")
    )
    return f"findings {_spoil(chances, chances.choice(paths))}" if paths else "nothing"


def _missing_extract(chances: random.Random, place: Place) -> str:
    chances.choice(sorted(place.raw.glob("*/*=*/*.ndjson.zst"))).unlink()
    return "extract deleted"


def _manifest(chances: random.Random, place: Place) -> str:
    """A manifest that can't be read, or is another one's."""
    path = chances.choice(sorted(place.raw.glob("*/*=*/*.manifest.json")))
    way = chances.choice(("cut", "emptied", "overwritten", "another's"))
    content = path.read_bytes()
    if way == "cut":
        path.write_bytes(content[: chances.randrange(len(content))])
    elif way == "overwritten":
        path.write_bytes(chances.randbytes(len(content)))
    elif way == "another's":
        other = chances.choice(sorted(place.raw.glob("*/*=*/*.manifest.json")))
        path.write_bytes(other.read_bytes())
    else:
        path.write_bytes(b"")
    return f"manifest {way}"


def _walk_record(chances: random.Random, place: Place) -> str:
    paths = sorted([*place.raw.glob("*/walks/*.json"), *place.raw.glob("*/total.json")])
    path = chances.choice(paths)
    path.write_bytes(path.read_bytes()[: chances.randrange(20)])
    return f"{path.name} cut"


def _delete_warehouse(_: random.Random, place: Place) -> str:
    (place.folder / "warehouse.duckdb").unlink(missing_ok=True)
    return "warehouse deleted"


def _warehouse(chances: random.Random, place: Place) -> str:
    path = place.folder / "warehouse.duckdb"
    return f"warehouse {_spoil(chances, path)}" if path.exists() else "nothing"


def _older_warehouse(_: random.Random, place: Place) -> str:
    """One that an earlier version made: columns are missing, and its fingerprint is another."""
    path = place.folder / "warehouse.duckdb"
    if not path.exists():
        return "nothing"
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE tidy.participants DROP COLUMN wave")
        connection.execute("UPDATE ops.about SET fingerprint = 'of an earlier version'")
    return "warehouse of an earlier version"


def _published(chances: random.Random, place: Place) -> str:
    path = place.published
    if chances.random() < 0.4:
        path.unlink()
        return "published file deleted"
    return f"published file {_spoil(chances, path)}"


_DAMAGES: tuple[Callable[[random.Random, Place], str], ...] = (
    *(_extract, _extract, _newest_extract, _newest_extract, _tombstones, _missing_extract),
    *(_manifest, _walk_record, _warehouse, _older_warehouse, _published),
)

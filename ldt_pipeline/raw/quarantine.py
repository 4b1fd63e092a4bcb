"""What is damaged: set aside where nobody takes it for an extract, and noted until it is read again.

What belongs here: moving damaged files away, and knowing which of them still have to be fetched
anew. What doesn't: finding damage (`store.py` does, by checksum), and fetching (`feeds/`).

A damaged extract lies in `quarantine/<extract>/`, with its manifest, and `about.json` says what it
was. That note is written first and the manifest moves last: whenever this is killed, the extract is
either found damaged once more, or noted. It stays until somebody deletes the folder; a record that
the API has deleted since may be in it and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import msgspec
from upath import UPath

from ldt_pipeline.instants import now
from ldt_pipeline.raw.extract_files import DamagedExtractError, ReplacedExtractError
from ldt_pipeline.raw.files import make_folder, sync_folder, write_durably
from ldt_pipeline.raw.manifests import DELETIONS, ERASURES
from ldt_pipeline.raw.store import RawStore

QUARANTINE = "quarantine"
"""Its folder under the raw root. Extracts lie in `<feed>/<key>=<value>/`, and nothing in here does."""

_ABOUT = "about.json"
_RECORDS_AT_ONCE = 2_000
_logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged extract that is out of the way.

    `folder` is the partition as `<key>=<value>`. `read_again_at` is when all of the partition was
    fetched anew; until then nothing is published.
    """

    format: int = 1
    feed: str
    folder: str
    extract_id: str
    reason: str
    set_aside_at: dt.datetime
    read_again_at: dt.datetime | None = None


def past_damage(store: RawStore, work: Callable[[], _Result]) -> _Result:
    """Do work that reads extracts; what is damaged is set aside, and the work done without it.

    The work has to bear being done again from its start.

    Raises:
        DamagedExtractError: It is one of the book of erasures: without it, people who were
            forgotten would come back. Or the work can't be done without it.
        OSError: A damaged extract could not be moved.
    """
    aside: dict[str, DamagedExtractError] = {}
    while True:
        try:
            return work()
        except DamagedExtractError as error:
            # Whoever goes by a list made before (as compacting does) would find it for ever.
            if error.extract_id in aside:
                raise aside[error.extract_id] from None
            if error.feed == ERASURES:
                raise
            set_aside(store, error)
            aside[error.extract_id] = error
        except ReplacedExtractError:
            pass  # by the compacted one, which is read next time


def look_for_damage(store: RawStore) -> list[SetAside]:
    """Read every extract to its end, and set aside what is not what was written; gives that.

    A disk may damage what was loaded long ago, and a rebuild would be the next to read it: by then
    the API may have deleted what was in it.

    Raises:
        DamagedExtractError: It is one of the book of erasures, which can't be fetched again.
        OSError: A damaged extract could not be moved.
    """
    before = {each.extract_id for each in all_set_aside(store)}
    intact: set[str] = set()

    def read_all() -> None:
        for manifest in store.manifests(without=intact):
            for _ in store.read(manifest, batch_records=_RECORDS_AT_ONCE):
                pass
            intact.add(manifest.extract_id)

    past_damage(store, read_all)
    return [each for each in all_set_aside(store) if each.extract_id not in before]


def set_aside(store: RawStore, damage: DamagedExtractError) -> SetAside:
    """Move a damaged extract out of the way, and note that it has to be read again.

    Raises:
        OSError: It could not be moved.
    """
    note = SetAside(
        feed=damage.feed,
        folder=damage.folder,
        extract_id=damage.extract_id,
        reason=damage.reason,
        set_aside_at=now(),
    )
    target = store.root / QUARANTINE / damage.extract_id
    write_durably(target / _ABOUT, msgspec.json.format(msgspec.json.encode(note)))
    for path in damage.paths:
        if path.exists():
            _move(path, target / path.name)
    _logger.warning("%s It is set aside in %s and will be read again.", damage, QUARANTINE)
    return note


def all_set_aside(store: RawStore) -> list[SetAside]:
    """Give everything that was ever set aside and not deleted since, oldest first."""
    folder = store.root / QUARANTINE
    if not folder.exists():
        return []
    notes = [
        msgspec.json.decode(path.read_bytes(), type=SetAside) for path in folder.glob(f"*/{_ABOUT}")
    ]
    return sorted(notes, key=lambda each: (each.set_aside_at, each.extract_id))


def waiting(store: RawStore, feed: str | None = None, folder: str | None = None) -> list[SetAside]:
    """Give what still has to be read again: of everything, a feed, or one of its partitions."""
    return [
        each
        for each in all_set_aside(store)
        if each.read_again_at is None
        and feed in (None, each.feed)
        and folder in (None, each.folder)
    ]


def waiting_of(store: RawStore, feed: str, rosters: Collection[str]) -> list[SetAside]:
    """Give what waits and holds findings about a feed: its rosters and its tombstones."""
    return [
        each
        for each in waiting(store)
        if each.feed in rosters or (each.feed == DELETIONS and each.folder == f"of={feed}")
    ]


def note_read_again(store: RawStore, notes: Collection[SetAside]) -> None:
    """Note that what these held has been fetched anew."""
    for each in notes:
        write_durably(
            store.root / QUARANTINE / each.extract_id / _ABOUT,
            msgspec.json.format(
                msgspec.json.encode(msgspec.structs.replace(each, read_again_at=now()))
            ),
        )


def delete_files(store: RawStore) -> int:
    """Delete what was set aside, but for the notes of it; gives the number of files.

    Nobody can tell any more who is in a damaged file, and it is read again anyway.
    """
    folder = store.root / QUARANTINE
    paths = [path for path in folder.glob("*/*") if path.name != _ABOUT] if folder.exists() else []
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _move(path: UPath, target: UPath) -> None:
    if not isinstance(path, Path) or not isinstance(target, Path):
        target.write_bytes(path.read_bytes())
        path.unlink()
        return
    make_folder(target.parent)
    try:
        os.replace(path, target)  # noqa: PTH105 - within one file system, at once
    except OSError:
        shutil.move(path, target)
    sync_folder(target.parent)
    sync_folder(path.parent)

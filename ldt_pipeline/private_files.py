"""Files for their owner alone: what this process creates, and what was there before.

What belongs here: modes of files and folders. What doesn't: what is in them.

Folders get 0700 and files 0600. Many of our files are made by libraries (DuckDB and its log,
SQLite and its log, Dagster's outputs), each with the mode that the process's mask leaves: so the
mask is set once, where a process begins to write, and never reset. On Windows modes mean nothing,
and nothing is done or found here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldt_pipeline.settings import Settings

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

_OTHERS = 0o077
_WRITTEN_BY_DAGSTER = ("history", "storage", "schedules", "logs", "compute_logs")


@dataclass(frozen=True)
class Lax:
    """A path that others than its owner may use."""

    path: Path
    mode: int
    is_folder: bool

    @property
    def wanted(self) -> int:
        """The mode that it should have."""
        return PRIVATE_FOLDER if self.is_folder else PRIVATE_FILE


def keep_private() -> None:
    """Have this process, from here on, create files and folders for their owner alone."""
    os.umask(_OTHERS)


def make_private(folder: Path) -> None:
    """Create a folder with its parents, or take others' rights from one that is there.

    What may not be ours alone (somebody else's, the home, /tmp, /srv) stays as it is: `ldt check`
    names it.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if not missing:
        _tighten(folder, PRIVATE_FOLDER)


def keep_data_private(settings: Settings) -> None:
    """See that the data folder, and all that we write into it, is for its owner alone."""
    keep_private()
    make_private(settings.data_dir)
    for path in settings.written_paths:
        tighten(path)


def dagsters_folders(home: Path) -> list[Path]:
    """Give the folders that Dagster writes in a home, which itself may be any: that of a project."""
    return [home / name for name in _WRITTEN_BY_DAGSTER]


def tighten(path: Path) -> None:
    """Take others' rights from a file or folder, where there is one."""
    if path.exists() and not path.is_symlink():
        _tighten(path, PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)


def find_lax(folder: Path) -> Iterator[Lax]:
    """Give what others may use of a folder, itself first; nothing where nothing in it has content."""
    folder = folder.resolve()  # a link to a folder counts for the folder
    if os.name == "posix" and folder.is_dir():
        found = list(_walk(folder))
        if any(not each.is_folder or each.path != folder for each in found) or _has_content(folder):
            yield from found


def is_lax(path: Path) -> bool:
    """Whether others than its owner may use a file or folder."""
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)


def _walk(folder: Path) -> Iterator[Lax]:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS:
        yield Lax(folder, mode, is_folder=True)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_symlink():
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path))
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:  # a sync is at work
                continue
            mode = stat.S_IMODE(status.st_mode)
            if mode & _OTHERS and status.st_size:
                yield Lax(Path(entry.path), mode, is_folder=False)


def _has_content(folder: Path) -> bool:
    return any(each.is_file() and each.stat().st_size for each in folder.rglob("*"))


def _tighten(path: Path, wanted: int) -> None:
    if os.name != "posix":
        return
    status = path.stat()
    may_be_shared = status.st_mode & stat.S_ISVTX or path in (Path.home(), Path("/"))
    may_be_shared = may_be_shared or (path.is_dir() and path.parent == Path("/"))
    if status.st_mode & _OTHERS and status.st_uid == os.geteuid() and not may_be_shared:
        path.chmod(wanted)

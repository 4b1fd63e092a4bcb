"""Durable files: written beside their final name, flushed to the disk, then renamed into place.

A reader never sees half a file, and a file that was seen survives a crash of the machine. On a
bucket, an object appears whole when it is closed, so there it is written under its final name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from upath import UPath

from ldt_pipeline.private_files import PRIVATE_FILE, PRIVATE_FOLDER

TEMPORARY_PREFIX = ".tmp-"
"""How names of unfinished files begin; whoever finds an old one may delete it."""


def make_folder(folder: UPath | Path) -> None:
    """Create a folder and its parents, readable by the owner alone."""
    if isinstance(folder, Path):
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    else:
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def durable_file(path: UPath) -> Generator[BinaryIO]:
    """Open a file for writing that appears at `path`, whole, when the block ends without error.

    Raises:
        OSError: It can't be written, or what is there is no ordinary file.
    """
    if isinstance(path, Path):
        _require_replaceable(path)
    make_folder(path.parent)
    if not isinstance(path, Path):
        with path.open("wb") as file:
            yield file
        return
    temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    held = hold(descriptor)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            flush(file)
        os.replace(temporary, path)  # noqa: PTH105 - os.replace is the call that is atomic
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(held)


def _require_replaceable(path: Path) -> None:
    """Refuse to rename a file over a device, a pipe or a socket: root can, and /dev/null would be gone.

    /dev/stdout is a link, and what it leads to may be an ordinary file.
    """
    is_special = path.exists() and not path.is_file() and not path.is_dir()
    leads_to_stream = path.is_symlink() and str(path.readlink()).startswith("/proc/")
    if is_special or leads_to_stream:
        raise OSError(
            errno.EINVAL, "it is a device, a pipe or the like, not a file; name a file", str(path)
        )


def flush(file: BinaryIO) -> None:
    """Flush what was written to a local file to the disk: a disk that is full says so here."""
    file.flush()
    os.fsync(file.fileno())


def hold(descriptor: int) -> int:
    """Mark an open file as being written; gives a descriptor to close when that is over.

    The kernel takes the mark away when the process dies, however it dies.
    """
    held = os.dup(descriptor)
    with suppress(OSError):  # a file system without locks: nothing counts as abandoned there
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return held


def is_abandoned(path: Path) -> bool:
    """Whether nobody is writing a file any more: its writer was killed."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def write_durably(path: UPath, content: bytes) -> None:
    """Write a small file so that it appears whole or not at all."""
    with durable_file(path) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
